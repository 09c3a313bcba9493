// A result that no outcome holds is a file that the committee keeps: by clicks it is opened, saved, brought back, and what
// is wrong with it is said.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { People, button, checkScreen, go, saved, shoot, tickModels } from "./people.mjs";
import { registerModel, setStage, withMaps } from "./stage.mjs";

const folder = mkdtempSync(join(tmpdir(), "aceso-results-"));
const at = (name) => join(folder, name);
const PHRASE = "a lamp, two rivers, and a heron";
let stage, people, model, stored;
/** @type {Record<"patient" | "physician", import("playwright-core").Page>} */
const pages = {};

before(
  async () => {
    stage = await setStage(folder, true);
    model = await registerModel(stage.parties.author, "pneumonia", withMaps);
    people = await People.gather(stage);
  },
  { timeout: 120_000 },
);

after(async () => {
  await people?.close();
  await stage?.node.stop();
  rmSync(folder, { recursive: true, force: true });
});

const asks = () => pages.physician.getByLabel(`Grant 1 of ${stage.parties.patient.address}`);
const read = () => asks().locator("[data-read='1']");
/** Elements of the outputs, each saved by its button as NumPy's file: after ten bytes and the header that the last two of them measure. */
async function outputs(name) {
  const all = read().locator("details", { hasText: "The 2 outputs" });
  if (!(await button(all, "Save output 1").isVisible())) await all.locator("summary").click();
  const each = [];
  for (const number of [1, 2]) {
    const file = readFileSync(await saved(pages.physician, button(all, `Save output ${number}`), at(`${name}-${number}.npy`)));
    assert.equal(file.toString("latin1", 1, 6), "NUMPY");
    each.push(file.subarray(10 + file.readUInt16LE(8)));
  }
  return each;
}

/** Answers requests for the result's file in the node's place. */
async function instead(answer) {
  const path = `**/ipfs/${stored.blob}`;
  await pages.physician.unroute(path);
  if (answer) await pages.physician.route(path, answer);
}

test("a long result is asked for by who may open the record herself", async () => {
  const patient = (pages.patient = await people.enter("patient", "Key"));
  const physician = (pages.physician = await people.enter("physician", "Key"));
  for (const page of [patient, physician]) {
    await page.getByLabel("A pass phrase").fill(PHRASE);
    await page.locator("#store-again").fill(PHRASE);
    await button(page, "Make a key store").click();
  }
  await button(physician, "Register a reader’s key").click();
  await physician.getByText(/Its secret is in this key store/).waitFor();
  await go(patient, "Sealed records");
  await patient.locator("#seal-file").setInputFiles(stage.images[0].image);
  await patient.locator("#seal-payer").selectOption("none");
  await button(patient, "Seal and upload").click();
  await patient.locator("#record-1").getByText("You, with your key store.").waitFor();
  await saved(patient, button(patient.locator("#record-1"), "Save the sealed file"), at("record-1.sealed"));
  await patient.locator("#give-accounts").fill(stage.parties.physician.address);
  await tickModels(patient, "#give-models", model);
  await patient.locator("#give").getByRole("button", { name: "Grant", exact: true }).click();
  await patient.getByText("Grant 1 holds from the next transaction on.").waitFor();
  const terms = await saved(patient, button(patient, "Save the grant’s terms"), at("grant-1.json"));
  await patient.locator("#give-kind").selectOption("readers");
  await patient.locator("#give").getByRole("button", { name: "Grant", exact: true }).click();
  await patient.getByText("Grant 2 holds from the next transaction on.").waitFor();

  await go(physician, "Physician");
  await physician.getByLabel("The file that the patient gave you").setInputFiles(terms);
  await button(physician, "Bring a grant’s terms").click();
  await asks().getByLabel("What becomes known").selectOption("sealed");
  await button(asks(), "Ask the committee").click();
  await read().locator(".badge.verified").waitFor();
  await read().getByText(`1 member of the committee keeps until block`).waitFor();
  const [row] = await stage.parties.physician.receipts();
  stored = stage.parties.physician.verifier.receipt(row.receipt).sealed.outcome.stored;
  assert.ok(stored.size > 4096);
});

test("when no member answers, and when the bytes were altered, the page says so and shows nothing", async () => {
  const file = await stage.parties.physician.getBlob(stored.blob);
  await instead((route) => route.fulfill({ status: 404, json: { message: "nobody has it" } }));
  await button(read(), "Open the outcome").click();
  await read()
    .getByText(/The result is not in this browser, and the node does not hand it out \(The node refused: nobody has it\)\./)
    .waitFor();
  const says = await read().locator(".says.bad").innerText();
  assert.match(says, new RegExp(`It is a file of ${stored.size} bytes that 1 member .* until block \\d+: ${stage.parties.hospital.address}\\.`));
  assert.match(says, /or bring the file if you have saved it/);
  await shoot(pages.physician, "40-result-nobody");
  await instead((route) => route.abort());
  await button(read(), "Save the result file").click();
  await read().getByText(/does not answer; is the node running there/).waitFor();
  const altered = Buffer.from(file);
  altered[100] ^= 1;
  await instead((route) => route.fulfill({ body: altered }));
  await button(read(), "Open the outcome").click();
  await read().getByText(`The node sent other bytes than ${stored.blob} names.`).waitFor();
  await instead((route) => route.fulfill({ body: Buffer.from(file.subarray(1)) }));
  await button(read(), "Save as FHIR").click();
  await read().getByText(`The node sent other bytes than ${stored.blob} names.`).waitFor();
  assert.equal(await pages.physician.locator("meter").count(), 0);
});

test("it is opened with the key, saved, and the same as what is computed here", async () => {
  await instead();
  await button(read(), "Open the outcome").click();
  await read().getByText("compared with what the committee committed to").waitFor();
  await read().locator("meter").first().waitFor();
  const [scores, maps] = await outputs("opened");
  assert.deepEqual([scores.length > 0, maps.length], [true, 16 * 28 * 28]);
  assert.match(await read().locator("ol").innerText(), /28 × 28.* elements of [ui]8/);
  await shoot(pages.physician, "41-result-opened");
  const bundle = JSON.parse(readFileSync(await saved(pages.physician, button(read(), "Save as FHIR"), at("read.json")), "utf8"));
  assert.ok(bundle.entry.some(({ resource }) => resource.valueQuantity), "its scores leave with it");
  const mine = pages.physician.getByLabel(/^Record 1 that you may open/);
  await mine.getByText("Bring the sealed file", { exact: true }).click();
  await mine.locator("input[type=file]").setInputFiles(at("record-1.sealed"));
  await button(mine, "Bring it").click();
  await mine.getByText("It is in this browser now").waitFor();
  await button(read(), "Verify here").click();
  await read().getByText(/Opened and computed in this browser in \d+ ms: the same bits/).waitFor();
  assert.deepEqual(await outputs("computed"), [scores, maps]);
});

test("its file is saved, and opens when nobody keeps it any more", async () => {
  const file = await saved(pages.physician, button(read(), "Save the result file"), at("read-1.result"));
  const bytes = readFileSync(file);
  assert.equal(bytes.length, stored.size);
  await instead((route) => route.fulfill({ status: 404, json: { message: "nobody has it" } }));
  await pages.physician.reload();
  await go(pages.physician, "Key");
  await pages.physician.getByLabel("Its pass phrase").fill(PHRASE);
  await button(pages.physician, "Open the key store").click();
  await pages.physician.locator("#store-facts").waitFor();
  await go(pages.physician, "Physician");
  await read().locator(".badge.verified").waitFor();
  await read().getByText("Bring the result file").click();
  const bring = async (path) => {
    await read().getByLabel("A result file that you have saved").setInputFiles(path);
    await button(read(), "Bring it").click();
  };
  bytes[0] ^= 1;
  writeFileSync(at("altered.result"), bytes);
  for (const other of [at("altered.result"), at("read.json")]) {
    await bring(other);
    await read().getByText(`This is not the file that the committee has named: that is ${stored.blob}`).waitFor();
  }
  await bring(file);
  await read().getByText("It is in this browser now.").waitFor();
  await button(read(), "Open the outcome").click();
  await read().locator("meter").first().waitFor();
  await checkScreen(pages.physician, "Physician");
  assert.deepEqual(people.outside, []);
  assert.deepEqual(people.complaints, []);
});

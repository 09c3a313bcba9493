// An insurer pays for sealed reads, by clicks: her policy names whom she believes; a study of several files is one record and
// one grant; what came of a read is saved for other systems; the same pixels are paid once.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { People, button, checkScreen, go, saved, shoot, tickModels } from "./people.mjs";
import { setStage } from "./stage.mjs";

const folder = mkdtempSync(join(tmpdir(), "aceso-claims-"));
const at = (name) => join(folder, name);
const PHRASE = "a lamp, two rivers, and a heron";
let stage, people;
/** @type {Record<"patient" | "physician" | "insurer", import("playwright-core").Page>} */
const pages = {};

before(
  async () => {
    stage = await setStage(folder, true);
    people = await People.gather(stage);
  },
  { timeout: 120_000 },
);

after(async () => {
  await people?.close();
  await stage?.node.stop();
  rmSync(folder, { recursive: true, force: true });
});

const record = (number) => pages.patient.locator(`#record-${number}`);
const asks = (grant = 1) => pages.physician.getByLabel(`Grant ${grant} of ${stage.parties.patient.address}`);
const claims = () => pages.insurer.locator("[aria-labelledby='sealed-claims-h'] tbody tr");
const mine = () => pages.physician.locator("[aria-labelledby='my-claims-h']");

/** Claims a read by the newest grant, by a click; the form says something like this. */
async function claim(grant, says) {
  await button(asks(grant), "Claim a read").click();
  await asks(grant).locator("form", { hasText: "Claim a read" }).locator(".says", { hasText: says }).waitFor();
}

/** Gives the physician what is set in the form for a committee, with so many reads; answers with the terms' file. */
async function give(number, uses) {
  const page = pages.patient;
  await page.locator("#give-record").selectOption(String(number));
  await page.locator("#give-accounts").fill(stage.parties.physician.address);
  await tickModels(page, "#give-models", stage.model);
  await page.locator("#give-uses").fill(String(uses));
  await page.locator("#give").getByRole("button", { name: "Grant", exact: true }).click();
  await page.getByText(`Grant ${number} holds from the next transaction on.`).waitFor();
  return saved(page, button(page, "Save the grant’s terms"), at(`grant-${number}.json`));
}

test("a policy names the committees that it believes", async () => {
  const page = (pages.insurer = await people.enter("insurer", "Insurer"));
  await page.getByText("Nothing was claimed for a sealed image yet.").waitFor();
  assert.equal(await page.locator("#policy-members").isVisible(), false);
  await page.locator("#policy-sealed").selectOption("sealed");
  await page.getByLabel("Member’s account").fill("nobody");
  await button(page, "Make the policy").click();
  await page.locator("form .says.bad").waitFor();
  await page.getByLabel("Member’s account").fill(stage.parties.patient.address);
  await page.locator("#policy-model").selectOption(stage.model);
  await page.locator("#policy-sealed").selectOption("sealed");
  await page.getByLabel(/Operators that must be/).fill("aceso1nobody");
  await button(page, "Make the policy").click();
  await page.locator("form .says.bad").waitFor();
  await page.getByLabel(/Operators that must be/).fill(stage.parties.hospital.address);
  await button(page, "Make the policy").click();
  await page.getByText("Policy 1 is made.").waitFor();
  const row = page.locator("[aria-labelledby='policies-h'] tbody tr");
  assert.match(await row.innerText(), /at least 1 member with 67 % of all power; among them .*; only that it was read is told/s);
  await button(page, "Put into escrow").click();
  await page.locator("#escrow-1", { hasText: "50 aceso" }).waitFor();
  await shoot(page, "31-insurer-sealed-policy");
});

test("a study of several files is one record; a file among them that is none is named", async () => {
  const page = (pages.patient = await people.enter("patient", "Key"));
  await page.getByLabel("A pass phrase").fill(PHRASE);
  await page.locator("#store-again").fill(PHRASE);
  await button(page, "Make a key store").click();
  await page.getByText(/version 1/i).first().waitFor();
  await go(page, "Sealed records");
  const files = page.locator("#seal-file");
  const [first, second] = stage.images.map(({ image }) => image);
  const named = (name, path) => ({ name, mimeType: "application/dicom", buffer: readFileSync(path) });
  await files.setInputFiles([{ name: "1.png", mimeType: "image/png", buffer: readFileSync(first) }, { name: "2.gif", mimeType: "image/gif", buffer: Buffer.from("GIF89a") }]);
  await page.getByText(/cannot be used: “2\.gif”: a file that ends with “.gif” is none of those/).waitFor();
  await files.setInputFiles([named("1.dcm", first), named("2.dcm", second), { name: "z.png", mimeType: "image/png", buffer: Buffer.from("GIF89a") }]);
  await page.getByText(/cannot be used: “z\.png”: the file is neither PNG, JPEG nor DICOM/).waitFor();
  await button(page, "Seal and upload").click();
  await page.locator("form .says.bad").nth(1).waitFor();
  assert.equal((await stage.parties.patient.records(stage.parties.patient.address)).length, 0);
  // In the order of names with their numbers: 2 before 10.
  const copies = [3, 4, 5].map((number) => named(`slice-${number}.dcm`, first));
  await files.setInputFiles([named("slice-10.dcm", second), named("slice-2.dcm", first), ...copies]);
  await page.getByText("and 1 more files.").waitFor();
  assert.equal(await page.locator("#seal-modality").isDisabled(), true);
  await shoot(page, "32-study-chosen");
  await page.locator("#seal-payer").selectOption("none");
  await button(page, "Seal and upload").click();
  await page.getByText(/registered as record 1\..*Its 5 files are kept by the node for an hour/).waitFor();
  await record(1).getByText(/A study of 5 files/).waitFor();
  const which = record(1).getByLabel("File, of 5 in this study");
  await which.fill("9");
  await button(record(1), "Open it here").click();
  await record(1).getByText("This study has files 1 to 5, and 9 was asked for.").first().waitFor();
  await which.fill("5");
  await button(record(1), "Open it here").click();
  await record(1).locator("canvas").waitFor();
  await shoot(page, "33-study");
});

/** Gives the physician a grant, who brings its terms. */
async function bring(number, uses) {
  const terms = await give(number, uses);
  await pages.physician.getByLabel("The file that the patient gave you").setInputFiles(terms);
  await button(pages.physician, "Bring a grant’s terms").click();
  await pages.physician.getByText(`Grant ${number} is here`).waitFor();
}

test("one grant is for all of the study, and a read is of the file that is asked for", async () => {
  pages.physician = await people.enter("physician", "Physician");
  await bring(1, 5);
  await asks().getByLabel("File, of 5 in this study").fill("9");
  await button(asks(), "Ask the committee").click();
  await asks().getByText("This study has files 1 to 5, and 9 was asked for.").waitFor();
  await asks().getByLabel("File, of 5 in this study").fill("5");
  await button(asks(), "Ask the committee").click();
  const card = asks().locator("[data-read='1']");
  await card.locator(".badge.verified").waitFor();
  await card.getByText(/^Pneumonia: (not )?present$/).waitFor();
  const [row] = await stage.parties.physician.records(stage.parties.patient.address);
  const [receipt] = await stage.parties.physician.receipts(row.files[4].cid);
  assert.equal(receipt.read, 1n);
});

test("a sealed read is saved as FHIR and as a DICOM structured report", async () => {
  const card = asks().locator("[data-read='1']");
  const shown = await card.getByText(/^Pneumonia: (not )?present$/).innerText();
  const present = shown === "Pneumonia: present";
  const bundle = JSON.parse(readFileSync(await saved(pages.physician, button(card, "Save as FHIR"), at("read.json")), "utf8"));
  const [report, observation] = bundle.entry.map((entry) => entry.resource);
  assert.deepEqual([report.resourceType, report.status], ["DiagnosticReport", "preliminary"]);
  assert.equal(report.subject.identifier.value, stage.parties.patient.address);
  assert.equal(observation.valueCodeableConcept.text, present ? "Present" : "Absent");
  // What is attached is the receipt itself.
  const compact = await saved(pages.physician, button(card, "Save the compact receipt"), at("read.compact"));
  assert.equal(report.presentedForm[0].data, readFileSync(compact).toString("base64"));
  const file = readFileSync(await saved(pages.physician, button(card, "Save as DICOM SR"), at("read.dcm")));
  assert.equal(file.subarray(128, 132).toString(), "DICM");
  assert.ok(file.includes(present ? "Present" : "Absent") && file.includes("pneumonia"));
  await card.getByText(/Saved as preliminary and unverified/).waitFor();
  // An outcome that is sealed is opened for it, by who holds the key.
  await asks().getByLabel("What becomes known").selectOption("sealed");
  await asks().getByLabel("File, of 5 in this study").fill("5");
  await button(asks(), "Ask the committee").click();
  const theirs = asks().locator("[data-read='2']");
  await button(theirs, "Save as FHIR").click();
  await theirs.getByText(/no key store in this browser yet/).waitFor();
  await go(pages.patient, "Sealed records");
  await record(1).getByLabel("File, of 5 in this study").fill("5");
  await record(1).getByLabel("File, of 5 in this study").blur();
  const hers = record(1).locator("[data-read='2']");
  await hers.locator(".badge.verified").waitFor();
  const opened = JSON.parse(readFileSync(await saved(pages.patient, button(hers, "Save as FHIR"), at("hers.json")), "utf8"));
  const scores = opened.entry.filter(({ resource }) => resource.valueQuantity);
  assert.ok(scores.length > 0 && scores.every(({ resource }) => resource.valueQuantity.value <= 1));
  await shoot(pages.patient, "34-study-read");
});

/** Seals an image with consent as its guard, and grants it to a committee that the physician may ask. */
async function guarded(number) {
  const page = pages.patient;
  await page.locator("#seal-file").setInputFiles(stage.images[0].image);
  await page.locator("#seal-guard").fill(stage.consent);
  await page.locator("#seal-payer").selectOption("none");
  await button(page, "Seal and upload").click();
  await record(number).getByText(/, guarded\./).waitFor();
  await bring(number, 3);
}

/** Lets the guard say yes to the insurer, for the physician. */
async function consents(number) {
  const { patient, physician } = stage.parties;
  const now = Math.floor(Date.now() / 1000);
  const rule = {
    decision: { permit: { max_uses: 9 } },
    actors: [physician.address],
    via: [stage.insurance],
    purposes: ["TREAT"],
    models: [stage.model],
    not_before: now - 60,
    not_after: now + 3600,
  };
  const row = await patient.record(BigInt(number));
  await patient.execute(stage.consent, { grant: { images: [row.files[0].cid], rule, sealed: true } });
}

test("what no policy pays for, or nobody consents to, is refused with the reason before anything is read", async () => {
  await asks().getByText("This record has no guard whose consent could be asked for").waitFor();
  await asks().getByText("Sealed: who holds the record's key learns the outcome").last().waitFor();
  await claim(1, /Image \S+ has no guard who could consent to its read\. \(Refused by the chain/);
  await asks().getByLabel("File, of 5 in this study").fill("0");
  await claim(1, "This study has files 1 to 5, and 0 was asked for.");
  await guarded(2);
  await claim(2, /no grant|not permitted|consent/i);
  await mine().getByText("Nothing was claimed for a sealed image yet.").waitFor();
  await shoot(pages.physician, "38-physician-claim-refused");
});

test("a claim is paid, and one for the same pixels refused with the reason", async () => {
  const page = pages.insurer;
  await consents(2);
  await claim(2, /Job \d+ is with the committee\. What the policy decides stands under “My claims”\./);
  for (const theirs of [claims(), mine()]) {
    await theirs.getByText("Paid.").waitFor();
    await theirs.getByText(/Its shares are owed until somebody settles\. Read by 1 member with 100 % of all power/).waitFor();
    await theirs.locator(".badge.verified").first().waitFor();
  }
  await claims().locator("summary").click();
  assert.match(await claims().innerText(), /subject: 0\.3 aceso to \S+, owed/);
  // Its result is proven like that of a read of his own.
  await asks(2).locator("[data-read='3'] .badge.verified").waitFor();
  await claim(2, /is already paid, by read 3\. \(Refused by the chain/);
  // Under another key and name it is read again, and seen to be the same.
  await guarded(3);
  await consents(3);
  await claim(3, /Job \d+ is with the committee/);
  for (const theirs of [claims(), mine()]) {
    await theirs.getByText("Refused:").waitFor();
    assert.match(await theirs.first().innerText(), /the same pixels, or the same study, were paid for with read 3\./);
  }
  await shoot(pages.physician, "39-physician-claims");
  const before = await stage.parties.patient.balance();
  await button(page, "Send what is owed").click();
  await page.getByText("What was owed is sent: one transfer for each account.").waitFor();
  assert.ok((await stage.parties.patient.balance()) > before);
  for (const theirs of [claims(), mine()]) await theirs.getByText(/Its shares were sent\./).waitFor();
  assert.equal(await button(mine(), "Send what is owed").isVisible(), false);
  await pages.physician.reload();
  await mine().getByText(/Its shares were sent\./).waitFor();
  await shoot(page, "35-insurer-sealed-claims");
});

test("a study is sealed anew under one key, and the old one ends with its grants", async () => {
  const page = pages.patient;
  await record(1).locator("summary", { hasText: "Seal it anew" }).click();
  await button(record(1), "Seal record 1 anew").click();
  await page.getByText(/Record 1 is record 4 now\. It is sealed under a new key and new names/).waitFor();
  await record(1).getByText("Nobody by the chain: the record has ended.").waitFor();
  const [before, now] = await Promise.all([1n, 4n].map((number) => stage.parties.patient.record(number)));
  assert.ok(before.retired > 0n && now.retired === 0n);
  const names = new Set([...before.files, ...now.files].map(({ cid }) => cid));
  assert.deepEqual([now.files.length, names.size], [5, 10]);
  await button(asks(), "Ask the committee").click();
  await asks().getByText(/sealed record has ended/).waitFor();
  await record(4).getByLabel("File, of 5 in this study").fill("5");
  await button(record(4), "Open it here").click();
  await record(4).locator("canvas").waitFor();
  await shoot(page, "42-sealed-anew");
});

test("narrow and dark, every control has a name, and no request left this machine", async () => {
  const insurer = await people.enter("insurer", "Insurer", stage.node.rest, {
    colorScheme: "dark",
    viewport: { width: 390, height: 844 },
  });
  await insurer.getByText("Paid.").waitFor();
  await insurer.locator("#policy-sealed").selectOption("sealed");
  await checkScreen(insurer, "Insurer");
  await shoot(insurer, "36-insurer-narrow");
  const patient = await people.enter("patient", "Sealed records", stage.node.rest, { viewport: { width: 390, height: 844 } });
  await patient.locator("#seal-file").setInputFiles(stage.images.map(({ image }) => image));
  await patient.locator("form canvas").nth(1).waitFor();
  await checkScreen(patient, "Sealed records");
  await shoot(patient, "37-study-narrow");
  await checkScreen(pages.physician, "Physician");
  assert.deepEqual(people.outside, []);
  assert.deepEqual(people.complaints, []);
});

// The whole journey by clicks and keys: a policy, an image, a grant, a read, its proof, the claim, the journal, a
// revocation and its refusal, and a proxy that lies. Each party is a browser of its own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { People, checkScreen, go, saved, shoot, tabTo } from "./people.mjs";
import { startProxy } from "./proxy.mjs";
import { setStage } from "./stage.mjs";

const folder = mkdtempSync(join(tmpdir(), "aceso-journey-"));
let stage, people, proxy;
/** @type {Record<"patient" | "physician" | "insurer", import("playwright-core").Page>} */
const pages = {};

before(
  async () => {
    stage = await setStage(folder);
    proxy = await startProxy(stage.node.rest);
    people = await People.gather(stage);
  },
  { timeout: 120_000 },
);

after(async () => {
  await people?.close();
  proxy?.stop();
  await stage?.node.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The physician's card of an image. */
const study = (page, at) => page.locator(`section[aria-label="Image ${stage.images[at].cid}"]`);

test("a key is made and kept in this tab only", async () => {
  const page = await people.open(`${stage.node.rest}/#key`);
  await page.getByRole("button", { name: "Create a key" }).click();
  assert.equal(await page.locator("ol.words li").count(), 24);
  await shoot(page, "01-key");
  await page.getByRole("button", { name: /written them down/ }).click();
  await page.locator("#address").waitFor();
  const kept = await page.evaluate(() => [sessionStorage.length, JSON.stringify(localStorage)]);
  assert.equal(kept[0], 1);
  const words = await page.evaluate(() => sessionStorage.getItem("aceso.words"));
  assert.ok(!kept[1].includes(words.split(" ")[0] + " "), "no words in local storage");
  await page.getByRole("button", { name: "Forget this key" }).click();
  await page.getByLabel("Your 24 words").fill("one two three");
  await page.getByRole("button", { name: "Use this key", exact: true }).click();
  await page.getByText("A key has 24 words, and these are 3.").waitFor();
  await page.context().close();
});

test("the insurer makes a policy and funds it", async () => {
  const page = (pages.insurer = await people.enter("insurer", "Insurer"));
  await page.getByLabel("Member’s account").fill(stage.parties.patient.address);
  await page.getByLabel(/Institution that must vouch/).fill(stage.parties.hospital.address);
  await page.getByRole("button", { name: "Make the policy" }).click();
  await page.getByText("Policy 1 is made.").waitFor();
  await page.getByLabel("Amount in aceso").fill("50");
  await page.getByRole("button", { name: "Put into escrow" }).click();
  await page.locator("#escrow-1", { hasText: "50 aceso" }).waitFor();
  await page.locator("#live.on").waitFor();
  await shoot(page, "02-insurer-policy");
});

test("the patient registers two images with the hospital's word", async () => {
  const page = (pages.patient = await people.enter("patient", "Patient"));
  for (const [at, { cid, image, origin }] of stage.images.entries()) {
    await page.getByLabel(/Picture file/).setInputFiles(image);
    await page.getByText("DX CHEST, 224 × 224, 8 bit, DICOM").nth(at).waitFor();
    await page.locator("form canvas").waitFor();
    assert.equal(await page.getByLabel(/Guard/).inputValue(), stage.consent);
    await page.getByLabel(/hospital’s word/).setInputFiles(origin);
    if (at === 0) await shoot(page, "03-patient-add");
    await page.getByRole("button", { name: "Upload and register" }).click();
    await page.getByText(`Image ${cid} is registered, and the validators hold it.`).waitFor();
    await page.locator(".tiles canvas").nth(at).waitFor();
  }
});

test("a file that is no picture is refused before anything is sent", async () => {
  const page = pages.patient;
  await page
    .getByLabel(/Picture file/)
    .setInputFiles({ name: "x.png", mimeType: "image/png", buffer: Buffer.from("GIF89a") });
  await page.getByText(/This file cannot be used: The file is neither PNG, JPEG nor DICOM/).waitFor();
});

test("the patient grants reads of both, by keyboard alone", async () => {
  const page = pages.patient;
  const [first, second] = stage.images;
  await page.getByRole("heading", { level: 1 }).click();
  for (const [grant, { cid }, uses] of [
    [1, first, 3],
    [2, second, 1],
  ]) {
    await tabTo(page, "#grant-image");
    const values = await page
      .locator("#grant-image option")
      .evaluateAll((options) => options.map((option) => option.value));
    await page.keyboard.press("Home");
    for (let at = 0; at < values.indexOf(cid); at++) await page.keyboard.press("ArrowDown");
    await tabTo(page, "#grant-reader");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type(stage.parties.physician.address);
    await tabTo(page, "#grant-uses");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type(String(uses));
    await page.locator("#grant-via").fill(cid === first.cid ? stage.insurance : "");
    await page.locator("#grant-uses").press("Enter");
    await page.getByText(`Grant ${grant} holds from the next transaction on.`).waitFor();
    await page.getByText(`0 of ${uses}`).waitFor();
    await page.getByRole("heading", { level: 1 }).click();
  }
  const [through, direct] = await page.locator("[aria-labelledby='grants-h'] tbody tr").allInnerTexts();
  assert.match(`${through}\n${direct}`, /may read with “[^”]+”, only through aceso1\S+/);
  assert.match(`${through}\n${direct}`, /may read with “[^”]+”\s*TREAT/);
  await shoot(page, "04-patient-granted");
});

test("the physician sees the picture, asks, and the result is verified", async () => {
  const page = (pages.physician = await people.enter("physician", "Physician"));
  const first = study(page, 0);
  await first.locator("canvas").waitFor();
  await study(page, 1).locator("canvas").waitFor();
  const lit = await first
    .locator("canvas")
    .evaluate((canvas) => new Set(canvas.getContext("2d").getImageData(0, 0, 224, 224).data).size);
  assert.ok(lit > 20, `${lit} shades`);
  await shoot(page, "05-physician-granted");
  await tabTo(page, `section[aria-label="Image ${stage.images[0].cid}"] button[type=submit]`);
  await page.keyboard.press("Enter");
  await page.getByText(/Read 1 ran in block \d+, and the policy paid for it/).waitFor();
  const card = page.locator("[data-read='1']");
  await card.locator(".badge.verified").waitFor();
  await card.getByText(/^Pneumonia: (not )?present$/).waitFor();
  assert.match(await card.innerText(), /Not for clinical use/);
  await card.getByText("What is proven").click();
  assert.match(await card.innerText(), /grant 1, use 1, TREAT/);
  await card.getByRole("button", { name: "Recompute here" }).click();
  await card.getByText(/Computed in this browser in \d+ ms: the same bits/).waitFor();
  const claim = page.locator("[aria-labelledby='my-claims-h'] tbody tr", { hasText: "Pneumonia" });
  await claim.locator(".badge.verified").waitFor();
  await claim.locator("summary").click();
  assert.match(await claim.innerText(), /institution: 0\.4 aceso/);
  await shoot(page, "06-physician-verified");
});

test("the receipt that the page saves is the Rust client's to the byte, and holds for it", async () => {
  const page = pages.physician;
  const save = (name, file) => saved(page, page.getByRole("button", { name }).first(), join(folder, file));
  const receipt = await save("Save the receipt file", "page.receipt");
  const trust = await save("Save as trust.json", "page.json");
  const aceso = (...args) =>
    execFileSync(process.env.ACESO_NODE, ["read", ...args], { encoding: "utf8", stdio: "pipe" });
  const at = ["--rpc", stage.node.rpc, "--rest", stage.node.rest];
  aceso("show", "1", "--out", join(folder, "rust.receipt"), ...at);
  aceso("trust", "--out", join(folder, "rust.json"), ...at);
  assert.deepEqual(readFileSync(receipt), readFileSync(join(folder, "rust.receipt")));
  for (const believed of [trust, join(folder, "rust.json")]) {
    assert.match(aceso("verify", receipt, "--trust", believed), /verified/);
  }
});

test("the insurer sees the claim as it is paid, without asking", async () => {
  const page = pages.insurer;
  const row = page.locator("tbody tr", { hasText: "Pneumonia" });
  await row.locator(".badge.verified").waitFor();
  await page.locator("#escrow-1", { hasText: "49 aceso" }).waitFor();
  await row.locator("summary").click();
  assert.match(await row.innerText(), /institution: 0\.4 aceso/);
  await shoot(page, "07-insurer-claim");
});

test("a second request for the same image is refused, for it is paid", async () => {
  const page = pages.physician;
  await study(page, 0).getByRole("button", { name: "Request a read" }).click();
  await page.getByText(`Image ${stage.images[0].cid} is already paid, by read 1.`).waitFor();
  assert.equal(await page.locator("[data-read]").count(), 1);
});

test("the patient sees who read, and revokes by keyboard", async () => {
  const page = pages.patient;
  await page.getByText("Permitted for TREAT by grant 1").waitFor();
  await page.getByText("Read: use 1 of grant 1").waitFor();
  await page.getByText("1 of 3").waitFor();
  await page.getByRole("heading", { level: 1 }).click();
  await tabTo(page, "#revoke-2");
  await page.keyboard.press("Enter");
  await page.getByText("Grant 2 is revoked from the next transaction on.").waitFor();
  await page.getByRole("cell", { name: /^revoked/ }).waitFor();
});

test("the physician's next request is refused with the sentence, and the patient sees it", async () => {
  const page = pages.physician;
  await study(page, 1).getByRole("button", { name: "Request a read" }).click();
  await page.getByText(/Grant 2 was revoked on \d.*Refused by the chain: wasm 5/).waitFor();
  assert.equal(await page.locator("[data-read]").count(), 1);
  await shoot(page, "08-physician-refused");
  await pages.patient.getByText(/Refused: grant 2 was revoked on \d/).waitFor();
  await shoot(pages.patient, "09-patient-journal");
});

test("after the revocation the node hands out the one picture and not the other", async () => {
  const page = await people.enter("physician", "Physician");
  await study(page, 1)
    .getByText(/does not let .* see image/)
    .waitFor();
  await study(page, 0).locator("canvas").waitFor();
  await page.context().close();
});

test("behind an honest proxy the badge is verified, behind a lying one forged", async () => {
  const page = await people.enter("physician", "Physician", proxy.url);
  await page.locator("[data-read='1'] .badge.verified").waitFor();
  assert.equal(proxy.lies, 0);
  proxy.lie = true;
  await page.reload();
  const card = page.locator("[data-read='1']");
  await card.locator(".badge.forged").waitFor();
  assert.ok(proxy.lies > 0);
  await card.getByText("This receipt is forged. Do not rely on it.").waitFor();
  await card.getByText("The proof that the component holds the receipt of read 1 does not hold.").waitFor();
  assert.equal(await card.getByText(/^Pneumonia:/).count(), 0, "what is forged is not shown as a result");
  await shoot(page, "10-physician-forged");
  proxy.lie = false;
  await page.context().close();
});

test("a node with other validators than the pinned ones is not believed", async () => {
  const page = await people.enter("physician", "Physician");
  await page.locator("[data-read='1'] .badge.verified").waitFor();
  await page.evaluate(() => {
    const name = Object.keys(localStorage).find((key) => key.startsWith("aceso.trust."));
    const held = JSON.parse(localStorage.getItem(name));
    // The ed25519 base point: a key, and not this chain's.
    held.trust.validators[0].public_key = "58" + "66".repeat(31);
    localStorage.setItem(name, JSON.stringify(held));
  });
  await page.reload();
  await page.locator("[data-read='1'] .badge.forged").waitFor();
  await page.getByText(/trusted validators did not sign the header/).waitFor();
  await page.context().close();
});

test("dark, narrow, and every control has a name", async () => {
  const page = await people.enter("patient", "Patient", stage.node.rest, {
    colorScheme: "dark",
    viewport: { width: 390, height: 844 },
  });
  await page.locator("canvas, .tiles p").first().waitFor();
  await shoot(page, "11-patient-dark-narrow");
  for (const screen of ["Patient", "Physician", "Insurer", "Key", "Node"]) {
    await go(page, screen);
    await checkScreen(page, screen);
  }
  await shoot(page, "12-node-dark-narrow");
  await page.context().close();
});

test("no request left this machine, and nothing was complained of", () => {
  assert.deepEqual(people.outside, []);
  assert.deepEqual(people.complaints, []);
});

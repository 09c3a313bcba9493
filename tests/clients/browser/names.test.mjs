// Records in the names of accounts of their own, by clicks: a sponsor pays, an observer of all blocks ties nothing together, and all
// that can be done with a record is done in its account's name; what comes when nobody pays, and how coins come back.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { People, button, checkScreen, go, saved, shoot, tickModels } from "./people.mjs";
import { setStage } from "./stage.mjs";

const folder = mkdtempSync(join(tmpdir(), "aceso-names-"));
const at = (name) => join(folder, name);
const PHRASE = "a lamp, two rivers, and a heron";
let stage, people;
/** @type {Record<"patient" | "physician" | "hospital" | "insurer", import("playwright-core").Page>} */
const pages = {};
/** The owners of records, by their numbers. */
const owners = {};

before(
  async () => {
    stage = await setStage(folder, true);
    people = await People.gather(stage);
    pages.hospital = await people.enter("hospital", "Sponsor");
  },
  { timeout: 120_000 },
);

after(async () => {
  await people?.close();
  await stage?.node.stop();
  rmSync(folder, { recursive: true, force: true });
});

const record = (number) => pages.patient.locator(`#record-${number}`);
const sealing = () => pages.patient.locator("[aria-labelledby='seal-h'] form");
const waiting = () => pages.patient.locator("#waiting li[data-account]");
const asks = (number) => pages.physician.getByLabel(`Grant 1 of ${owners[number]}`);

/** Seals a file, and says who pays the fees of the record's account; waits for these words. */
async function seal(file, payer, says, guard = "") {
  const page = pages.patient;
  await page.locator("#seal-file").setInputFiles(file);
  await page.locator("#seal-guard").fill(guard);
  await page.locator("#seal-payer").selectOption(payer);
  await button(page, "Seal and upload").click();
  await sealing().locator(".says", { hasText: says }).last().waitFor();
}

/** The hospital pays for an account. */
async function sponsor(address) {
  const page = pages.hospital;
  await page.getByLabel(/^Accounts/).fill(address);
  await button(page, "Pay their fees").click();
  await page.getByText("You pay the fees of 1 more account.").waitFor();
}

/** Notes the owner of a record once it is there. */
async function owner(number) {
  await record(number).getByText("You, with your key store.").waitFor();
  return (owners[number] = (await stage.parties.patient.record(BigInt(number))).owner);
}

/** Grants a record to a committee, for a physician who brings its terms. */
async function give(number) {
  const page = pages.patient;
  await page.locator("#give-record").selectOption(String(number));
  await page.locator("#give-accounts").fill(stage.parties.physician.address);
  await tickModels(page, "#give-models", stage.model);
  await page.locator("#give").getByRole("button", { name: "Grant", exact: true }).click();
}

async function bring(number) {
  const file = await saved(pages.patient, button(pages.patient, "Save the grant’s terms"), at(`grant-${number}.json`));
  await pages.physician.getByLabel("The file that the patient gave you").setInputFiles(file);
  await button(pages.physician, "Bring a grant’s terms").click();
  await asks(number).waitFor();
}

/** All that transactions which name an account name besides, by its letters. */
async function namedWith(account) {
  const { parties, node } = stage;
  const found = new Set();
  for (let height = await parties.patient.height(); height > 0; height--) {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "block", params: { height: String(height) } });
    const answer = await fetch(node.rpc, { method: "POST", body }).then((response) => response.json());
    for (const tx of answer.result.block.data.txs ?? []) {
      const names = new Set(Buffer.from(tx, "base64").toString("latin1").match(/aceso1[02-9ac-hj-np-z]{38}/g));
      if (names.has(account)) names.forEach((name) => found.add(name));
    }
  }
  found.delete(account);
  return found;
}

test("nobody pays yet: nothing is registered, and the address for a sponsor is shown", async () => {
  const page = (pages.patient = await people.enter("patient", "Sealed records"));
  await page.locator("#waiting").getByText("Your key store is locked.").waitFor();
  await go(page, "Key");
  await page.getByLabel("A pass phrase").fill(PHRASE);
  await page.locator("#store-again").fill(PHRASE);
  await button(page, "Make a key store").click();
  await page.locator("#store-facts").waitFor();
  await go(page, "Sealed records");
  await page.locator("#waiting").getByText("None waits. One is made when you seal a record.").waitFor();
  await page.locator("#seal-links", { hasText: "nobody sees that the record is yours" }).waitFor();
  await seal(stage.images[0].image, "sponsor", /Nobody pays yet for aceso1\S+, the account that this record is to have: give that address to your sponsor/);
  await waiting().getByText(/nobody pays its fees/).waitFor();
  const [name] = (await waiting().locator("code").allInnerTexts());
  assert.notEqual(name, stage.parties.patient.address);
  assert.ok((await sealing().locator(".says.bad").last().innerText()).includes(name));
  await shoot(page, "50-nobody-pays");
  await sponsor(name);
  await waiting().getByText(/pays its fees/).filter({ hasNotText: "nobody" }).waitFor();
  await button(page, "Seal and upload").click();
  await page.getByText(/Sealed in this browser and registered as record 1/).waitFor();
  assert.equal(await owner(1), name);
  await record(1).getByText(new RegExp(`In the name of its own account ${name}; .* pays its fees\\.`)).waitFor();
  assert.equal(await waiting().count(), 0);
});

test("a second record has another account, and an observer of all blocks ties the two by their sponsor alone", async () => {
  const page = pages.patient;
  await button(page, "Make another account ready").click();
  await page.getByText(/Give aceso1\S+ to your sponsor, alone/).waitFor();
  await sponsor(await waiting().locator("code").innerText());
  await waiting().getByText(/pays its fees/).filter({ hasNotText: "nobody" }).waitFor();
  await seal(stage.images[1].image, "sponsor", "registered as record 2");
  await owner(2);
  const { patient, hospital } = stage.parties;
  assert.equal(new Set([owners[1], owners[2], patient.address]).size, 3);
  assert.deepEqual(await patient.records(patient.address), []);
  const [first, second] = await Promise.all([namedWith(owners[1]), namedWith(owners[2])]);
  const both = [...first].filter((name) => second.has(name));
  assert.deepEqual(both, [hospital.address]);
  assert.ok(!first.has(patient.address) && !second.has(patient.address));
  await shoot(page, "51-accounts-of-records");
});

test("the record’s account grants, a physician asks, and the account takes it back", async () => {
  const page = pages.patient;
  pages.physician = await people.enter("physician", "Physician");
  await give(1);
  await page.getByText("Grant 1 holds from the next transaction on.").waitFor();
  await bring(1);
  await button(asks(1), "Ask the committee").click();
  await asks(1).locator("[data-read='1'] .badge.verified").waitFor();
  await record(1).locator("[data-read='1'] .badge.verified").waitFor();
  await record(1).getByText(/by your grant 1\./).waitFor();
  await button(record(1), "Open it here").click();
  await record(1).locator("canvas").waitFor();
  const grant = await stage.parties.patient.sealedGrant(owners[1], 1n);
  assert.equal(grant.grant.granter, owners[1]);
  await button(record(1), "Take grant 1 back").click();
  await page.getByText(/Grant 1 is taken back from the next transaction on/).waitFor();
  await button(asks(1), "Ask the committee").click();
  await asks(1).getByText(/was taken back at height \d+: grant does not hold any more/).waitFor();
});

test("a sponsor who stops is said, and another one goes on", async () => {
  await button(pages.hospital, `Stop paying for ${owners[1]}`).click();
  await pages.hospital.getByText("You pay for it no more, from the next transaction on.").waitFor();
  await record(1).getByText(/nobody pays its fees/).waitFor();
  await give(1);
  await pages.patient.getByText(new RegExp(`Nobody pays the fee of \\d+uaceso for account ${owners[1]}: it needs a sponsor, or coins\\.`)).waitFor();
  assert.equal(await stage.parties.patient.sealedGrant(owners[1], 2n), undefined);
  await stage.parties.treasury.sponsorFees([owners[1]], 1_000_000n);
  await record(1).getByText(/pays its fees/).filter({ hasNotText: "nobody" }).waitFor();
  await give(1);
  await pages.patient.getByText("Grant 2 holds from the next transaction on.").waitFor();
  await shoot(pages.hospital, "52-sponsor");
});

test("coins of a record’s account are not lost with it: they are collected first", async () => {
  const { patient, treasury } = stage.parties;
  await treasury.pay(owners[1], 70_000n);
  await record(1).getByText("It holds 0.07 aceso").waitFor();
  await record(1).getByText("End this record").click();
  await button(record(1), "End record 1 and erase its key").click();
  await record(1).getByText(/of this record holds 0\.07 aceso, which would be lost with its key: collect them first/).waitFor();
  assert.equal((await patient.record(1n)).retired, 0n);
  const before = await patient.balance();
  await record(1).getByText("It holds 0.07 aceso").click();
  await record(1).getByText("Everyone sees then that both accounts belong together.").waitFor();
  await shoot(pages.patient, "53-collect");
  await button(record(1), "Collect them").click();
  await record(1).getByText("0.07 aceso are sent.").waitFor({ state: "attached" });
  assert.equal((await patient.balance()) - before, 70_000n);
});

test("her own account pays, which is said, and an insurer pays for the record’s account", async () => {
  const page = pages.patient;
  const { physician } = stage.parties;
  await page.locator("#seal-payer").selectOption("mine");
  await page.locator("#seal-links", { hasText: "Everyone sees that your account pays, so that this record is yours" }).waitFor();
  await seal(stage.images[0].image, "mine", "registered as record 3", stage.consent);
  await owner(3);
  assert.ok((await namedWith(owners[3])).has(stage.parties.patient.address));
  await record(3).getByText(/your own account pays its fees/).waitFor();

  const insurer = (pages.insurer = await people.enter("insurer", "Insurer"));
  await insurer.getByLabel("Member’s account").fill(owners[3]);
  await insurer.locator("#policy-model").selectOption(stage.model);
  await insurer.locator("#policy-sealed").selectOption("sealed");
  await button(insurer, "Make the policy").click();
  await insurer.getByText("Policy 1 is made.").waitFor();
  await button(insurer, "Put into escrow").click();
  await insurer.locator("#escrow-1", { hasText: "50 aceso" }).waitFor();

  await give(3);
  await page.getByText("Grant 1 holds from the next transaction on.").waitFor();
  await bring(3);
  await button(asks(3), "Claim a read").click();
  await asks(3).locator(".says.bad", { hasText: /Refused by the chain/ }).waitFor();
  await record(3).getByText("Consent at its guard").click();
  await record(3).getByText("It consents to no read yet.").waitFor();
  await record(3).getByLabel("Physician’s account").fill(physician.address);
  await tickModels(page, "#consent-3-models", stage.model);
  await record(3).getByLabel(/Only through/).fill(stage.insurance);
  await record(3).getByRole("button", { name: "Grant", exact: true }).click();
  await record(3).getByText("Grant 1 holds from the next transaction on.").waitFor();
  await button(asks(3), "Claim a read").click();
  await insurer.locator("[aria-labelledby='sealed-claims-h']").getByText("Paid.").waitFor();
  assert.ok((await insurer.locator("[aria-labelledby='sealed-claims-h'] tbody").innerText()).length > 0);
  await button(insurer, "Send what is owed").click();
  await insurer.getByText("What was owed is sent: one transfer for each account.").waitFor();
  await record(3).getByText(/It holds 0\.3 aceso/).waitFor();
  await shoot(page, "54-insured");
});

test("a record is sealed anew for another account", async () => {
  const page = pages.patient;
  await record(2).locator("summary", { hasText: "Seal it anew" }).click();
  await button(record(2), "Seal record 2 anew").click();
  await record(2).getByText(/Nobody pays yet for aceso1\S+/).waitFor();
  await sponsor(await waiting().locator("code").innerText());
  await waiting().getByText(/pays its fees/).filter({ hasNotText: "nobody" }).waitFor();
  await button(record(2), "Seal record 2 anew").click();
  await page.getByText(/Record 2 is record 4 now\./).waitFor();
  await owner(4);
  const [before, now] = await Promise.all([namedWith(owners[2]), namedWith(owners[4])]);
  assert.ok(!before.has(owners[4]) && !now.has(owners[2]), "no transaction names both");
  assert.ok((await stage.parties.patient.record(2n)).retired > 0n);
  assert.equal(await record(2).count(), 0, "its key and its account are forgotten");
  await button(record(4), "Open it here").click();
  await record(4).locator("canvas").waitFor();
});

test("a locked store shows no record, and none of its grants where others’ stand", async () => {
  const page = pages.patient;
  await page.reload();
  await page.getByText("Which records are yours stands in your key store alone.").waitFor();
  assert.equal(await record(1).count(), 0);
  await go(page, "Physician");
  await page.getByText("No patient lets your account read an open image.").waitFor();
  assert.equal(await page.getByLabel(/^Grant \d+ of/).count(), 0);
  await go(page, "Key");
  await page.getByLabel("Its pass phrase").fill(PHRASE);
  await button(page, "Open the key store").click();
  await page.getByText(/keys of 3 sealed records\./).waitFor();
  await go(page, "Sealed records");
  await record(1).getByText(/by your grant 2\./).waitFor();
});

test("a store that guardians bring back has its accounts", async () => {
  const page = pages.patient;
  const { verifier } = stage.parties.patient;
  const names = ["insurer", "treasury"];
  const secrets = await Promise.all(
    names.map(async (name) => {
      const party = stage.parties[name];
      const secret = verifier.grants.newSecret();
      const expires = BigInt(Math.floor(Date.now() / 1000) + 40 * 86_400);
      await party.registerReader(verifier.granter.reader(party.chain.id, party.address, 0n, secret, expires));
      return secret;
    }),
  );
  await go(page, "Guardians");
  await page.getByLabel(/Guardians’ accounts/).fill(names.map((name) => stage.parties[name].address).join("\n"));
  await button(page, "Deal to these guardians").click();
  const deal = await saved(page, button(page, "Save the deal for your guardians"), at("deal.json"));
  const copy = await saved(page, button(page, "Save the key store of this deal"), at("keys.json"));

  const fresh = await people.enter("patient", "Guardians");
  const code = Buffer.from(await fresh.locator("#collector").innerText(), "hex");
  await fresh.getByLabel("The deal, from any guardian").setInputFiles(deal);
  await button(fresh, "Take this deal").click();
  await fresh.getByText(/2 of 2 guardians bring back/).waitFor();
  const file = JSON.parse(readFileSync(deal, "utf8"));
  const of = { chainId: file.chain_id, owner: file.owner, version: BigInt(file.version) };
  const dealt = Buffer.from(file.deal, "hex");
  for (const [place, secret] of secrets.entries()) {
    const share = verifier.guardians.open(of, dealt, place + 1, secret);
    const handed = Buffer.from(verifier.guardians.hand(of, dealt, share, code)).toString("hex");
    await fresh.getByLabel("What a guardian hands over").fill(handed);
    await button(fresh, "Add this share").click();
    await fresh.getByText(new RegExp(`of guardian ${place + 1} \\(.*\\) is what she was dealt`)).waitFor();
  }
  await fresh.getByLabel("The copy of your key store").setInputFiles(copy);
  await fresh.getByLabel("A new pass phrase").fill(PHRASE);
  await fresh.locator("#recover-again").fill(PHRASE);
  await button(fresh, "Open the key store").click();
  await fresh.getByText("Your key store is back, and open.").waitFor();
  await go(fresh, "Sealed records");
  for (const number of [1, 3, 4]) await fresh.locator(`#record-${number}`).getByText(owners[number], { exact: true }).waitFor();
  await button(fresh.locator("#record-1"), "Take grant 2 back").click();
  await fresh.getByText(/Grant 2 is taken back from the next transaction on/).waitFor();
  await fresh.context().close();
});

test("narrow and dark, every control has a name, and no request left this machine", async () => {
  const page = await people.enter("hospital", "Sponsor", stage.node.rest, {
    colorScheme: "dark",
    viewport: { width: 390, height: 844 },
  });
  await page.getByRole("button", { name: /^Stop paying for/ }).first().waitFor();
  await checkScreen(page, "Sponsor");
  await shoot(page, "55-sponsor-narrow");
  await pages.patient.setViewportSize({ width: 390, height: 844 });
  await go(pages.patient, "Sealed records");
  await record(1).getByText(/In the name of its own account/).waitFor();
  await checkScreen(pages.patient, "Sealed records");
  await shoot(pages.patient, "56-names-narrow");
  assert.deepEqual(people.outside, []);
  assert.deepEqual(people.complaints, []);
});

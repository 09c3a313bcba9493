// What an insurer does besides paying: takes back what a policy holds whose period is over, lets go of a claim of which nothing
// was heard, and sees what failed reads have cost. The chain makes blocks all the time, so that deadlines pass.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { RELEASE_BLOCKS } from "../../../sdk/js/dist/index.js";

import { People, button, checkScreen, shoot } from "./people.mjs";
import { setStage } from "./stage.mjs";

const folder = mkdtempSync(join(tmpdir(), "aceso-escrow-"));
const DAY = 24 * 3600;
/** Blocks that a committee has; and gas with which no callback gets through. */
const [BLOCKS, TOO_LITTLE] = [20, 1];
let stage, people, page, over, ends, stuck, claim;

const now = () => Math.floor(Date.now() / 1000);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

before(
  async () => {
    stage = await setStage(folder, true, { "block-time": "5", "empty-blocks": "5" });
    people = await People.gather(stage);
    ends = now() + 3;
    over = await policy(ends);
    const accept = { members_min: 1, power_min_bps: 0, required: [], excluded: [] };
    const sealed = { accept, disclosure: { sealed: {} }, blocks: BLOCKS, callback_gas: TOO_LITTLE };
    stuck = await policy(now() + DAY, sealed);
    const job = await claimed();
    claim = (await stage.parties.insurer.sealedClaims(stage.insurance, stuck)).find((one) => BigInt(one.job) === job);
  },
  { timeout: 120_000 },
);

after(async () => {
  await people?.close();
  await stage?.node.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A policy for the patient with five coins in its escrow. */
async function policy(not_after, sealed) {
  const { insurer, patient } = stage.parties;
  const split = [{ to: { author: {} }, bps: 10_000 }];
  const covers = [{ model: stage.model, price: "1000000" }];
  const terms = { member: patient.address, not_before: now() - 60, not_after, covers, origin: [], split, ...(sealed && { sealed }) };
  const id = await insurer.createPolicy(stage.insurance, terms);
  await insurer.fund(stage.insurance, id, 5_000_000n);
  return id;
}

/** The patient seals an image and lets it be read at the policy's cost, and the physician claims. Answers with the job. */
async function claimed() {
  const { patient, physician } = stage.parties;
  const { granter, grants, seals, stores } = patient.verifier;
  const [point, store] = [grants.newPoint(), stores.create()];
  const about = { owner: patient.address, media: "application/dicom", tags: {} };
  const { cid, size } = await patient.putBlob(seals.seal(point, about, readFileSync(stage.images[0].image)));
  store.add(cid);
  const secret = store.key(cid);
  const files = [{ cid, size, modality: "", bodyPart: "", effort: 0n }];
  await patient.registerSealed(granter.record(patient.chain.id, patient.address, files, secret, point, { guard: stage.consent }));
  const record = await patient.recordOf(patient.address, cid);
  const allowed = { actors: [physician.address], purposes: ["TREAT"], models: [stage.model], not_before: now() - 60 };
  const terms = { ...granter.newTerms(), ...allowed, uses: 1, sealed: true };
  const expires = BigInt(now() + DAY);
  const recipients = (await patient.members()).map(({ reader }) => reader);
  const of = { chainId: patient.chain.id, granter: patient.address, grant: 1n, record, recipients, committee: true, expires, terms };
  await patient.giveSealed(granter.grant(of, secret));
  const rule = { decision: { permit: { max_uses: 1 } }, ...allowed, via: [stage.insurance], not_after: now() + DAY };
  await patient.execute(stage.consent, { grant: { images: [cid], rule, sealed: true } });
  const opened = { granter: patient.address, grant: 1n, terms: granter.terms(terms, expires).bytes };
  return physician.claimSealed(stage.insurance, { policy: stuck, image: cid, model: stage.model, purpose: "TREAT", ...opened });
}

/** Changes what the page hears from its node: `change` is given each question and its answer. */
const answering = (change) =>
  page.route(`${stage.node.rest}/rpc`, async (route) => {
    try {
      const response = await route.fetch();
      const json = await response.json();
      change(route.request().postDataJSON(), json);
      await route.fulfill({ response, json });
    } catch {
      // The page has gone on and does not wait for this answer any more; one that does shows nothing, which fails the test.
    }
  });

test("what a policy holds is taken back once its period is over, by its insurer alone", async () => {
  const { insurer, treasury } = stage.parties;
  await assert.rejects(insurer.withdraw(stage.insurance, stuck), /in force/);
  while (now() < ends) await pause(100);
  const other = await people.enter("treasury", "Insurer");
  await other.locator(`#escrow-${over}`, { hasText: "5 aceso" }).waitFor();
  assert.equal(await other.locator(`#withdraw-${over}`).count(), 0);
  await assert.rejects(treasury.withdraw(stage.insurance, over), /insurer/);
  await other.context().close();
  page = await people.enter("insurer", "Insurer");
  assert.equal(await page.locator(`#withdraw-${stuck}`).count(), 0);
  await button(page, `Withdraw what policy ${over} holds`).click();
  await page.getByText(`5 aceso of policy ${over} are sent to your account.`).waitFor();
  await page.locator(`#escrow-${over}`, { hasText: /^0 aceso$/ }).waitFor();
  assert.equal(await page.locator(`#withdraw-${over}`).count(), 0);
  await assert.rejects(insurer.withdraw(stage.insurance, over), /is empty/);
  assert.deepEqual(await insurer.escrow(stage.insurance, over), { amount: 0n, reserved: 0n });
});

test("a claim of which nothing was heard is let go of, but not before its time", async () => {
  const { insurer } = stage.parties;
  const job = BigInt(claim.job);
  const { reserved } = await insurer.escrow(stage.insurance, stuck);
  assert.ok(reserved > 0n && BigInt(claim.reserved) === reserved);
  const row = page.locator("#stuck tbody tr");
  const from = claim.deadline + RELEASE_BLOCKS;
  while ((await insurer.height()) <= claim.deadline) await pause(50);
  await assert.rejects(insurer.release(stage.insurance, job), new RegExp(String(from)));
  // The chain goes on while a page is drawn, on a slow machine by more blocks than the contract waits for: the page hears of a
  // height that stands still.
  await answering((asked, { result }) => {
    if (asked.method === "status") result.sync_info.latest_block_height = String(from - 1);
  });
  await page.reload();
  await row.getByText(`from block ${from} on; the chain is at ${from - 1}`).waitFor();
  await page.getByText(/ kept for open claims$/).waitFor();
  assert.equal(await button(row, `Release the claim of job ${job}`).count(), 0);
  await page.unrouteAll({ behavior: "wait" });
  while ((await insurer.height()) <= from) await pause(200);
  await page.reload();
  await button(row, `Release the claim of job ${job}`).waitFor();
  await shoot(page, "47-stuck-claim");
  await button(row, `Release the claim of job ${job}`).click();
  await page.getByText(`Job ${job} is released: what was kept for it is free again, but for what the chain took.`).waitFor();
  await page.getByText("Refused:").waitFor();
  await page.getByText(/the insurer let go of it\./).waitFor();
  assert.equal(await row.count(), 0);
  assert.equal((await insurer.escrow(stage.insurance, stuck)).reserved, 0n);
});

test("what failed reads of a member have cost stands beside her policies", async () => {
  const { insurer, patient } = stage.parties;
  assert.equal(await insurer.lost(stage.insurance, patient.address), 0n);
  const asked = Buffer.from(JSON.stringify({ lost: { member: patient.address } })).toString("hex");
  const data = Buffer.from(JSON.stringify({ amount: "250000" }));
  const answer = Buffer.concat([Buffer.from([0x0a, data.length]), data]).toString("base64");
  await answering((sent, { result }) => {
    if (JSON.stringify(sent).includes(asked)) result.response.value = answer;
  });
  await page.reload();
  const said = "0.25 aceso lost to reads of the member’s that failed: her next policy that is used or emptied bears them";
  await page.getByText(said).first().waitFor();
  assert.equal(await page.getByText(said).count(), 2);
  await shoot(page, "48-lost");
  await checkScreen(page, "Insurer");
  assert.deepEqual(people.complaints, []);
});

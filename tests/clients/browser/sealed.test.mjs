// Sealed records by clicks: a key store, a record sealed before it leaves the browser, grants in sentences, a committee's
// reads with their compact receipts, an emergency, taking back and ending, and guardians who bring the key store back.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { ConductRow, JobRow, MsgRequestRead } from "../../../sdk/js/dist/index.js";

import { People, button, checkScreen, go, saved, shoot, tabTo, tickModels } from "./people.mjs";
import { startProxy } from "./proxy.mjs";
import { setStage } from "./stage.mjs";

const folder = mkdtempSync(join(tmpdir(), "aceso-sealed-"));
const at = (name) => join(folder, name);
const PHRASE = "a lamp, two rivers, and a heron";
let stage, people, verifier;
/** @type {Record<"patient" | "physician", import("playwright-core").Page>} */
const pages = {};
/** Secrets of readers who are not at a page. */
const guards = {};
/** All that the patient's browser has sent. */
const sent = [];

before(
  async () => {
    stage = await setStage(folder, true);
    people = await People.gather(stage);
    verifier = stage.parties.patient.verifier;
  },
  { timeout: 120_000 },
);

after(async () => {
  await people?.close();
  await stage?.node.stop();
  rmSync(folder, { recursive: true, force: true });
});

const record = (number) => pages.patient.locator(`#record-${number}`);
const asks = (grant) => pages.physician.getByLabel(`Grant ${grant} of ${stage.parties.patient.address}`);

/** Makes a key store on the screen Key. */
async function makeStore(page, phrase = PHRASE) {
  await page.getByLabel("A pass phrase").fill(phrase);
  await page.locator("#store-again").fill(phrase);
  await button(page, "Make a key store").click();
}

/** Gives a grant with what is set in the form; answers with its terms' file. */
async function give(number, set) {
  const page = pages.patient;
  await set(page);
  await page.locator("#give").getByRole("button", { name: "Grant", exact: true }).click();
  await page.getByText(`Grant ${number} holds from the next transaction on.`).waitFor();
  const save = button(page, "Save the grant’s terms");
  return (await save.isVisible()) ? saved(page, save, at(`grant-${number}.json`)) : undefined;
}

/** Registers a reader's key of somebody who is not at a page, and answers with its secret. */
async function guardian(name) {
  const party = stage.parties[name];
  const secret = verifier.grants.newSecret();
  const expires = BigInt(Math.floor(Date.now() / 1000) + 40 * 86_400);
  await party.registerReader(verifier.granter.reader(party.chain.id, party.address, 0n, secret, expires));
  return secret;
}

const bring = async (page, file) => {
  await page.getByLabel("The file that the patient gave you").setInputFiles(file);
  await button(page, "Bring a grant’s terms").click();
};

/** A time of today's clock as the control spells it. */
const inSeconds = (seconds) => {
  const date = new Date(Date.now() + seconds * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
};

test("a key store is made, locked by a reload, and opened by its pass phrase alone", async () => {
  const page = (pages.patient = await people.enter("patient", "Sealed records"));
  page.on("request", (request) => sent.push(request.postDataBuffer() ?? Buffer.alloc(0)));
  await page.getByText("You have no key store in this browser yet").waitFor();
  await go(page, "Key");
  await makeStore(page, "short");
  await page.getByText("A pass phrase has at least 10 characters.").waitFor();
  await page.locator("#store-phrase").fill(PHRASE);
  await button(page, "Make a key store").click();
  await page.getByText("The two pass phrases differ.").waitFor();
  await makeStore(page);
  await page.getByText("Open. Version 1, keys of 0 sealed records.").waitFor();
  await page.reload();
  await page.getByLabel("Its pass phrase").fill("a lamp, two rivers, and a stork");
  await button(page, "Open the key store").click();
  await page.getByText("This pass phrase does not open the key store.").waitFor();
  await page.getByLabel("Its pass phrase").fill(PHRASE);
  await button(page, "Open the key store").click();
  await page.locator("#store-facts").waitFor();
  await shoot(page, "20-key-store");
});

test("what is no picture, no record or too large is refused before anything is sent", async () => {
  const page = pages.patient;
  await go(page, "Sealed records");
  const file = page.locator("#seal-file");
  const buffer = Buffer.from("GIF89a");
  await file.setInputFiles({ name: "x.dcm", mimeType: "application/dicom", buffer });
  await page.getByText(/cannot be used: The file is neither PNG, JPEG nor DICOM/).waitFor();
  await file.setInputFiles({ name: "x.exe", mimeType: "application/octet-stream", buffer });
  await page.getByText(/ends with “.exe” is none of those/).waitFor();
  writeFileSync(at("large.png"), "");
  truncateSync(at("large.png"), (64 << 20) + 1);
  await file.setInputFiles(at("large.png"));
  await page.getByText(/It has 64\.0 MiB, and committees read records of at most 64 MiB/).waitFor();
  await button(page, "Seal and upload").click();
  await page.locator("form .says.bad").nth(1).waitFor();
  assert.equal((await stage.parties.patient.records(stage.parties.patient.address)).length, 0);
});

test("a record is sealed here, and nothing of it leaves unsealed", async () => {
  const page = pages.patient;
  const image = readFileSync(stage.images[0].image);
  await page.locator("#seal-file").setInputFiles(stage.images[0].image);
  await page.getByText("DX CHEST, 224 × 224, 8 bit, DICOM").waitFor();
  await page.getByLabel("A note for yourself").fill("cough since March");
  await page.locator("#seal-payer").selectOption("none");
  await button(page, "Seal and upload").click();
  await page.getByText(/Sealed in this browser and registered as record 1/).waitFor();
  await record(1).getByText("You, with your key store.").waitFor();
  await button(record(1), "Open it here").click();
  await record(1).locator("canvas").waitFor();
  await record(1).getByText("note cough since March").waitFor();
  const words = stage.words.patient.split(" ").slice(0, 3).join(" ");
  const row = image.subarray(image.length - 224 * 100, image.length - 224 * 99);
  assert.ok(
    sent.some((body) => body.includes("aceso")),
    "requests are looked at",
  );
  for (const known of ["DICM", "cough", PHRASE, words, row])
    assert.ok(!sent.some((body) => body.includes(known)), `${known} has left the browser`);
});

test("a committee is granted by keyboard, in a sentence", async () => {
  const page = pages.patient;
  await page.getByRole("heading", { level: 1 }).click();
  const file = await give(1, async () => {
    await tabTo(page, "#give-accounts");
    await page.keyboard.type(stage.parties.physician.address);
    await tickModels(page, "#give-models", stage.model);
    await shoot(page, "21-granting");
    await page
      .getByText(/^aceso1\S+ can open record 1 until .*everyone learns of pneumonia whether it is there/)
      .waitFor();
  });
  assert.equal(JSON.parse(readFileSync(file, "utf8")).terms.actors[0], stage.parties.physician.address);
  const line = record(1).locator("li[data-grant$='/1']");
  assert.match(await line.innerText(), /committee of 1: .*until .*by your grant 1\..*0 of 3 used/s);
  await page.locator("#give-members").getByText(/power \d+ of \d+: no read so far/).waitFor();
});

test("the physician brings the terms, and others are refused", async () => {
  const page = (pages.physician = await people.enter("physician", "Physician"));
  const card = JSON.parse(readFileSync(at("grant-1.json"), "utf8"));
  const wrong = (name, text) => (writeFileSync(at(name), text), bring(page, at(name)));
  await wrong("no.json", "not JSON");
  await page.getByText("This is no grant: it is not JSON.").waitFor();
  await wrong("more.json", JSON.stringify({ ...card, terms: { ...card.terms, uses: 99 } }));
  await page.getByText("These are other terms than the grant was given with.").waitFor();
  await bring(page, at("grant-1.json"));
  await page.getByText("Grant 1 is here").waitFor();
  await asks(1).getByText("A committee of one is as good as its one member.").waitFor();
});

test("a committee that is too small for the asker, a model that is not granted, a silent node: each is refused", async () => {
  const page = pages.physician;
  await asks(1).getByText("What you demand of the committee").click();
  const fewest = asks(1).getByLabel("Fewest members");
  await fewest.fill("none");
  await button(asks(1), "Ask the committee").click();
  await asks(1).getByText("A committee has 1 to 128 members, and “none” were demanded.").waitFor();
  await fewest.fill("2");
  await button(asks(1), "Ask the committee").click();
  await asks(1).locator(".says.bad", { hasText: /\(Refused by the chain/ }).waitFor();
  await fewest.fill("1");
  const model = asks(1).getByLabel("Model");
  const other = await model.locator("option", { hasText: "(not granted)" }).getAttribute("value");
  await model.selectOption(other);
  await button(asks(1), "Ask the committee").click();
  await asks(1)
    .getByText(/is not among its models: not allowed by the terms\. \(Refused by the chain/)
    .waitFor();
  await model.selectOption(stage.model);
  await page.context().setOffline(true);
  await button(asks(1), "Ask the committee").click();
  await asks(1)
    .getByText(/does not answer; is the node running there/)
    .waitFor();
  await page.context().setOffline(false);
});

test("the committee answers with one bit, and a reload in the middle loses nothing", async () => {
  const page = pages.physician;
  await button(asks(1), "Ask the committee").click();
  await asks(1).locator("[data-job='1']").waitFor();
  await page.reload();
  await asks(1)
    .getByText(/Job 1 for pneumonia, asked for in block \d+, answered in block \d+: read 1/)
    .waitFor();
  const card = asks(1).locator("[data-read='1']");
  await card.locator(".badge.verified").waitFor();
  await card.getByText(/^Pneumonia: (not )?present$/).waitFor();
  await card
    .getByText(/It rests on 1 of 1 member of its committee, who have signed with 100 % of all validators’ power/)
    .waitFor();
  await card.getByText("What is proven").click();
  await shoot(page, "22-bit");
  const receipt = await saved(page, button(card, "Save the compact receipt"), at("read-1.compact"));
  const roots = await saved(page, button(card, "Save the roots"), at("roots.json"));
  const said = execFileSync(process.env.ACESO_NODE, ["read", "verify", receipt, "--trust", roots], {
    encoding: "utf8",
  });
  assert.match(said, /verified/);
  await button(asks(1), "Ask the committee").click();
  await asks(1).getByText("That bit was known already").waitFor();
});

test("a sealed outcome is for who holds the key, who computes the same here", async () => {
  const physician = pages.physician;
  await asks(1).getByLabel("What becomes known").selectOption("sealed");
  await button(asks(1), "Ask the committee").click();
  const theirs = asks(1).locator("[data-read='2']");
  await theirs.getByText("The outcome is sealed for who holds the record’s key.").waitFor();
  await button(theirs, "Open the outcome").click();
  await theirs.getByText(/no key store in this browser yet/).waitFor();
  await record(1)
    .getByText(/In block \d+ .* for TREAT, use 3 of grant 1: job 2\./)
    .waitFor();
  const hers = record(1).locator("[data-read='2']");
  await hers.locator(".badge.verified").waitFor();
  await button(hers, "Open the outcome").click();
  await hers.getByText("compared with what the committee committed to").waitFor();
  const opened = await hers.locator("meter").first().getAttribute("value");
  await button(hers, "Verify here").click();
  await hers.getByText(/Opened and computed in this browser in \d+ ms: the same bits/).waitFor();
  assert.equal(await hers.locator("meter").first().getAttribute("value"), opened);
  await shoot(pages.patient, "23-verified-here");
  assert.equal(await physician.locator("meter").count(), 0, "the physician has seen no score");
});

test("who holds no key disputes nothing, and the file stays with its committee", async () => {
  const theirs = asks(1).locator("[data-read='2']");
  await theirs.getByText("Dispute it").click();
  await theirs.getByText(/from then on everybody can open record 1, for good\. Taking grants back or ending the record does not change that/).waitFor();
  await button(theirs, "Show the key and have it computed again").click();
  await theirs.getByText("Confirm first that record 1 is opened to everybody.").waitFor();
  await theirs.getByLabel("Record 1 shall be open to everybody from now on").check();
  await button(theirs, "Show the key and have it computed again").click();
  await theirs.locator("[data-dispute] .says", { hasText: "no key store in this browser yet" }).waitFor();
  const [row] = await stage.parties.patient.records(stage.parties.patient.address);
  assert.equal(await stage.parties.patient.blob(row.files[0].cid), undefined);
  assert.equal((await stage.parties.patient.job(2n)).disputed, undefined);
});

test("a reader opens the record herself, and the outcome with it", async () => {
  const page = pages.physician;
  const { physician } = stage.parties;
  await pages.patient.locator("#give-kind").selectOption("readers");
  await pages.patient.locator("#give-accounts").fill(physician.address);
  await pages.patient.locator("#give").getByRole("button", { name: "Grant", exact: true }).click();
  await pages.patient.getByText(`${physician.address} has registered no reader’s key`).waitFor();
  await go(page, "Key");
  await makeStore(page);
  await button(page, "Register a reader’s key").click();
  await page.getByText(/Epoch 0, until .*Its secret is in this key store/).waitFor();
  const terms = await give(2, () => pages.patient.getByLabel(/they may pass the key on/).check());
  await record(1)
    .getByText(/To open it themselves; nobody asks for reads by it/)
    .waitFor();
  const file = await saved(pages.patient, button(record(1), "Save the sealed file"), at("record-1.sealed"));
  await go(page, "Physician");
  const mine = page.getByLabel(/^Record 1 that you may open/);
  await mine.getByText("Bring the sealed file", { exact: true }).click();
  const bringing = async (path) => {
    await mine.locator("input[type=file]").setInputFiles(path);
    await button(mine, "Bring it").click();
    await mine.getByText("It is in this browser now").waitFor();
  };
  const changed = readFileSync(file);
  changed[changed.length - 1] ^= 1;
  writeFileSync(at("changed.sealed"), changed);
  await bringing(at("changed.sealed"));
  await button(mine, "Open it here").click();
  await mine.getByText(/Leaf 0 is not what was sealed/).waitFor();
  await button(asks(1).locator("[data-read='2']"), "Verify here").click();
  await asks(1)
    .getByText(/The record does not open here, and its committee has opened it/)
    .waitFor();
  await bringing(file);
  await button(mine, "Open it here").click();
  await mine.locator("canvas").waitFor();
  await button(asks(1).locator("[data-read='2']"), "Open the outcome").click();
  await asks(1).locator("meter").first().waitFor();
  await mine.getByText("Pass its key on").click();
  await mine.getByLabel("Account").fill(stage.parties.insurer.address);
  guards.insurer = await guardian("insurer");
  await button(mine, "Pass it on").click();
  await mine.getByText(/is not to be passed on|no glass was broken/).waitFor();
  await bring(page, terms);
  await page.getByText("Grant 2 is here").waitFor();
  await button(mine, "Pass it on").click();
  await mine.getByText("Passed on by your grant 1.").waitFor();
  const [to, by] = ["insurer", "physician"].map((name) => stage.parties[name].address.slice(-6));
  await record(1)
    .getByText(new RegExp(`${to}, until .*, by grant 1 of .*${by}, passed on by .*${by} from your grant 2`))
    .waitFor();
  await shoot(page, "24-reader");
});

test("a grant that is over is refused with its time", async () => {
  const page = pages.patient;
  const file = await give(3, async () => {
    await page.locator("#give-kind").selectOption("committee");
    await page.locator("#give-until").fill(inSeconds(3));
  });
  await bring(pages.physician, file);
  await asks(3).getByRole("button", { name: "Ask the committee" }).waitFor();
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await button(asks(3), "Ask the committee").click();
  await asks(3)
    .getByText(/ended on .*: grant does not hold any more/)
    .waitFor();
});

test("a broken glass stands before the patient with its reason", async () => {
  const page = pages.patient;
  const file = await give(4, async () => {
    await page.locator("#give-until").fill(inSeconds(86_400));
    await page.locator("#give-kind").selectOption("emergency");
  });
  await record(1).getByText("In an emergency, with a public reason").waitFor();
  await bring(pages.physician, file);
  await asks(4).getByLabel("What becomes known").selectOption("sealed");
  await asks(4).getByLabel("Why it is an emergency").fill("unconscious after a fall");
  await button(asks(4), "Ask the committee").click();
  await asks(4).locator("[data-read='3'] .badge.verified").waitFor();
  const item = record(1).locator("[data-review='1']");
  await item
    .getByText(/broke the glass by grant 4: “unconscious after a fall”. She had the committee read it: job 3/)
    .waitFor();
  const keepers = await give(5, async () => {
    await page.locator("#give-kind").selectOption("keepers");
    await page.locator("#give-accounts").fill(stage.parties.insurer.address);
  });
  await bring(pages.physician, keepers);
  await asks(5).getByLabel("Why it is an emergency").fill("no time for a committee");
  await button(asks(5), "Ask for the key").click();
  await record(1)
    .locator("[data-review='2']")
    .getByText(/“no time for a committee”. She asked for the key; nobody has passed it on yet/)
    .waitFor();
  await shoot(page, "25-who-can-open");
});

test("a reader whom the patient has let open the record disputes a read: everybody finds it true", async () => {
  const theirs = asks(1).locator("[data-read='2']");
  await theirs.getByText("Dispute it").click();
  await theirs.getByLabel("Record 1 shall be open to everybody from now on").check();
  await shoot(pages.physician, "43-dispute");
  await button(theirs, "Show the key and have it computed again").click();
  await theirs.getByText(/It was disputed: everybody computed it again in block \d+, and it is true\. Nobody is marked\./).waitFor();
  assert.equal(await theirs.getByText("Dispute it").count(), 0, "once is all");
  const { physician } = stage.parties;
  const { disputed } = await physician.job(2n);
  assert.deepEqual([disputed.sender, disputed.wrong, disputed.marked], [physician.address, false, 0]);
  await shoot(pages.physician, "44-disputed");
  // Its owner as well, where the chain has a job of its own.
  const hers = record(1).locator("[data-read='1']");
  await hers.getByText("Dispute it").click();
  await hers.getByLabel("Record 1 shall be open to everybody from now on").check();
  await button(hers, "Show the key and have it computed again").click();
  await hers.getByText(/everybody computed it again in block \d+, and it is true/).waitFor();
});

test("a read that everybody has found false says who is marked, and so does the list of members", async () => {
  const { hospital, physician } = stage.parties;
  const page = await people.enter("patient", "Key");
  // A chain on which the one member has lied: job 3 was found to be false, and it is marked for it.
  const job = await physician.job(3n);
  const failed = Buffer.from([0xa1, 0x66, ...Buffer.from("failed"), 0x64, ...Buffer.from("leaf")]);
  const disputed = { sender: physician.address, height: 40n, wrong: true, outcome: failed, marked: 1 };
  const rows = {
    "/aceso.reads.v1.Query/Job": (row) => (row.job === 3n ? JobRow.encode({ ...JobRow.decode(row.bytes), disputed }) : undefined),
    "/aceso.reads.v1.Query/Conduct": () => ConductRow.encode({ signed: 4n, missed: 2n, wrong: 1n, lastWrong: 3n }),
  };
  await page.route(`${stage.node.rest}/rpc`, async (route) => {
    const { params } = JSON.parse(route.request().postData() ?? "{}");
    const answer = await route.fetch();
    const json = await answer.json();
    const bytes = Buffer.from(json.result?.response?.value ?? "", "base64");
    const other = bytes.length > 0 && rows[params?.path]?.({ bytes, job: params.path.endsWith("/Job") ? JobRow.decode(bytes).job : 0n });
    if (other) json.result.response.value = Buffer.from(other.finish()).toString("base64");
    await route.fulfill({ response: answer, json });
  });
  await go(page, "Sealed records");
  const card = page.locator("#record-1 [data-read='3']");
  await card.getByText(/and it is FALSE\. Do not rely on it\. Marked for it: .*/).waitFor();
  assert.ok((await card.innerText()).includes(hospital.address));
  await card.getByText("What is true: it cannot be read, because the file was changed.").waitFor();
  assert.ok(job.outcome.outcome.length > 0 && !failed.equals(job.outcome.outcome));
  await page
    .locator("#give-members")
    .getByText("4 reads signed with the others; 2 without its signature (slow, or left out: no fault is proven); WRONG in 1 read, last in job 3: it signed what is false")
    .waitFor();
  await shoot(page, "45-false");
  await page.context().close();
});

test("a grant names several models, and the contract through which alone reads may come", async () => {
  const page = pages.patient;
  const wdbc = (await stage.parties.patient.models()).find(({ id }) => id !== stage.model);
  const file = await give(6, async () => {
    await page.locator("#give-kind").selectOption("committee");
    await page.locator("#give-accounts").fill(stage.parties.physician.address);
    await tickModels(page, "#give-models");
    await page.locator("#give-sentence", { hasText: "No model is named yet." }).waitFor();
    await page.locator("#give").getByRole("button", { name: "Grant", exact: true }).click();
    await page.getByText("Name at least one model.").waitFor();
    await tickModels(page, "#give-models", stage.model, wdbc.id);
    await page.locator("#give-via").fill(stage.insurance);
    const sentence = await page.locator("#give-sentence").innerText();
    for (const { id, manifest } of await stage.parties.patient.models())
      assert.ok(sentence.includes(`“${manifest.name}”`), `${id} is named in ${sentence}`);
    assert.match(sentence, /may ask for, only through aceso1\S+: treatment.*at most \d bits? for each model/);
    await shoot(page, "46-several-models");
  });
  const { terms } = JSON.parse(readFileSync(file, "utf8"));
  assert.deepEqual([terms.via, [...terms.models].sort()], [[stage.insurance], [stage.model, wdbc.id].sort()]);
  await bring(pages.physician, file);
  await asks(6).getByText(/The patient lets reads come only through aceso1\S+: you cannot ask the committee yourself\./).waitFor();
  assert.equal(await button(asks(6), "Ask the committee").count(), 0);
  // The chain means it: what comes another way is refused by it too.
  const { physician, patient } = stage.parties;
  const record = await patient.record(1n);
  const ask = physician.askCommittee({
    ...MsgRequestRead.fromPartial({}),
    requester: physician.address,
    actor: physician.address,
    model: Buffer.from(stage.model, "hex"),
    owner: patient.address,
    image: record.files[0].cid,
    granter: patient.address,
    grant: 6n,
    terms: verifier.granter.terms(terms, (await patient.sealedGrant(patient.address, 6n)).grant.expires).bytes,
    purpose: "TREAT",
    disclose: 2,
    accept: { membersMin: 1, powerMinBps: 0, required: [], excluded: [] },
    deadline: BigInt((await physician.height()) + 100),
  });
  await assert.rejects(ask, /is not named among those that may make the request/);
  await page.locator("#give-via").fill("");
  await tickModels(page, "#give-models", stage.model);
});

test("behind a node that lies about a receipt the badge is forged", async () => {
  const proxy = await startProxy(stage.node.rest);
  proxy.lie = true;
  const page = await people.enter("patient", "Sealed records", proxy.url);
  const card = page.locator("[data-read='1']");
  await card.locator(".badge.forged").waitFor();
  await card.getByText("This receipt is forged. Do not rely on it.").waitFor();
  assert.ok(proxy.lies > 0 && !/Pneumonia: /.test(await card.innerText()), "what it says is not shown");
  await page.context().close();
  proxy.stop();
});

test("what is taken back is said honestly, and refused from then on", async () => {
  await button(record(1), "Take grant 1 back").click();
  await pages.patient
    .getByText(/Grant 1 is taken back from the next transaction on.*Who has opened the record keeps what she saw/)
    .waitFor();
  await record(1).getByText("Could open it before, and keeps what she then saw").waitFor();
  await button(asks(1), "Ask the committee").click();
  await asks(1)
    .getByText(/was taken back at height \d+: grant does not hold any more/)
    .waitFor();
  await asks(1)
    .getByText(/What you have seen stays with you/)
    .waitFor();
  await shoot(pages.physician, "26-taken-back");
});

test("two of three guardians bring the key store back, and who lies is named", async () => {
  const page = pages.patient;
  const [insurer, treasury] = [guards.insurer, await guardian("treasury")];
  await go(page, "Guardians");
  const accounts = ["physician", "insurer", "treasury"].map((name) => stage.parties[name].address);
  await page.getByLabel(/Guardians’ accounts/).fill([...accounts, stage.parties.author.address].join("\n"));
  await button(page, "Deal to these guardians").click();
  await page.getByText(`${stage.parties.author.address} has registered no reader’s key`).waitFor();
  await page.getByLabel(/Guardians’ accounts/).fill(accounts.join("\n"));
  await button(page, "Deal to these guardians").click();
  const deal = await saved(page, button(page, "Save the deal for your guardians"), at("deal.json"));
  const copy = await saved(page, button(page, "Save the key store of this deal"), at("keys.json"));
  await shoot(page, "27-guardians");

  const fresh = await people.enter("patient", "Guardians");
  const code = await fresh.locator("#collector").innerText();
  await fresh.getByLabel("The deal, from any guardian").setInputFiles(deal);
  await button(fresh, "Take this deal").click();
  await fresh.getByText(/2 of 3 guardians bring back version 2/).waitFor();
  const add = async (share) => {
    await fresh.getByLabel("What a guardian hands over").fill(share);
    await button(fresh, "Add this share").click();
  };
  const file = JSON.parse(readFileSync(deal, "utf8"));
  const of = { chainId: file.chain_id, owner: file.owner, version: BigInt(file.version) };
  const dealt = Buffer.from(file.deal, "hex");
  const handed = (place, secret) => {
    const share = verifier.guardians.open(of, dealt, place, secret);
    return Buffer.from(verifier.guardians.hand(of, dealt, share, Buffer.from(code, "hex")));
  };
  const lie = handed(2, insurer);
  lie[80] ^= 1;
  await add(lie.toString("hex"));
  await fresh.getByText(`The share of guardian 2 (${accounts[1]}) is false or for another collector`).waitFor();
  await add(handed(3, treasury).toString("hex"));
  await fresh.getByText(`The share of guardian 3 (${accounts[2]}) is what she was dealt.`).waitFor();

  await go(pages.physician, "Guardians");
  await pages.physician.getByLabel("The deal that she gave you").setInputFiles(deal);
  await pages.physician.getByLabel("The code that she told you").fill(code);
  await button(pages.physician, "Make my share for her").click();
  const share = await pages.physician.locator("#handed").innerText();

  await fresh.getByLabel("The copy of your key store").setInputFiles(copy);
  await fresh.getByLabel("A new pass phrase").fill("another lamp by another river");
  await fresh.locator("#recover-again").fill("another lamp by another river");
  await button(fresh, "Open the key store").click();
  await fresh.getByText("1 of the 2 shares that are needed are here.").waitFor();
  await add(share);
  await fresh.getByText("Shares so far: of guardians 1, 3.").waitFor();
  const { chainId, owner } = of;
  await fresh.evaluate((place) => localStorage.setItem(place, "9"), `aceso.keys-seen.${chainId}.${owner}`);
  await button(fresh, "Open the key store").click();
  await fresh
    .getByText(/Your key store is back, and open\. It is version 2, and this browser has seen version 9/)
    .waitFor();
  await shoot(fresh, "28-recovered");
  await go(fresh, "Sealed records");
  // The bytes come from where they are kept; the key is the one that was brought back.
  await fresh.evaluate(
    async (bytes) => {
      const opening = indexedDB.open("aceso", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("sealed");
      const base = await new Promise((resolve) => (opening.onsuccess = () => resolve(opening.result)));
      const cid = document.querySelector("#record-1 .id").title;
      base.transaction("sealed", "readwrite").objectStore("sealed").put(Uint8Array.from(bytes), cid);
      base.close();
    },
    [...readFileSync(at("record-1.sealed"))],
  );
  await button(fresh.locator("#record-1"), "Open it here").click();
  await fresh.locator("#record-1 canvas").waitFor();
  await fresh.context().close();
});

test("a record ends with its key, and an older key store does not bring it back", async () => {
  const page = pages.patient;
  await go(page, "Sealed records");
  await record(1).getByText("End this record").click();
  await button(record(1), "End record 1 and erase its key").click();
  await page.getByText(/Record 1 has ended.*Erasure binds nobody who kept the picture/).waitFor();
  await record(1).getByText("Nobody by the chain: the record has ended.").waitFor();
  await page.locator("#behind", { hasText: "Your guardians do not bring your key store back as it is now, since something was erased from it" }).waitFor();
  await go(page, "Key");
  await page.getByText("Open. Version 3, keys of 0 sealed records.").waitFor();
  await button(page, "Lock it").click();
  await page.getByText("Bring a saved key store").click();
  await page.getByLabel("A saved key store").setInputFiles(at("keys.json"));
  await page.getByLabel("The saved file’s pass phrase").fill(PHRASE);
  await button(page, "Bring it here").click();
  await page.getByText("The key store is version 2, and version 3 was seen before.").waitFor();
});

test("narrow and dark, every control has a name, and no request left this machine", async () => {
  const page = await people.enter("patient", "Sealed records", stage.node.rest, {
    colorScheme: "dark",
    viewport: { width: 390, height: 844 },
  });
  await shoot(page, "29-sealed-narrow");
  for (const screen of ["Sealed records", "Guardians", "Key", "Node"]) {
    await go(page, screen);
    await checkScreen(page, screen);
  }
  await shoot(page, "30-node-narrow");
  await checkScreen(pages.physician, "Guardians");
  assert.deepEqual(people.outside, []);
  assert.deepEqual(people.complaints, []);
});

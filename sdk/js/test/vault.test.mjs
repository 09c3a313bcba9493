// A key store at rest: opened by its pass phrase, by enough guardians, and by nothing else.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { StoreError, Vault, Verifier, WrongPhrase, checkedDeal, GrantError } from "../dist/index.js";

const verifier = await Verifier.load(readFileSync(new URL("../dist/verify.wasm", import.meta.url)));
const { grants, guardians } = verifier;
const PHRASE = "a lamp, two rivers, and a heron";
const vault = await Vault.create(verifier, "clinic-1", "aceso1patient", PHRASE);
vault.store.add("bafyone");
const file = vault.file();
const changed = (text, change) => JSON.stringify({ ...JSON.parse(text), ...change });

test("its pass phrase opens it, and another does not", async () => {
  const opened = await Vault.open(verifier, file, PHRASE);
  assert.deepEqual([opened.owner, opened.store.version, opened.store.images], ["aceso1patient", 2n, ["bafyone"]]);
  assert.deepEqual(opened.store.key("bafyone"), vault.store.key("bafyone"));
  await assert.rejects(Vault.open(verifier, file, `${PHRASE}.`), WrongPhrase);
  await assert.rejects(Vault.open(verifier, file, PHRASE, 3n), /is version 2, and version 3 was seen before/);
  await assert.rejects(Vault.create(verifier, "clinic-1", "aceso1patient", "short"), /at least 10 characters/);
  assert.ok(!file.includes(Buffer.from(vault.store.key("bafyone")).toString("hex")));
});

test("each file has a point of its own, and a key of its own only after an erasure or a deal", async () => {
  const opened = await Vault.open(verifier, file, PHRASE);
  const differ = (one, other, fields) => {
    const [a, b] = [one, other].map((text) => JSON.parse(text));
    assert.deepEqual(["nonce", "registration", "commitment", "store"].filter((field) => a[field] !== b[field]), fields);
  };
  const again = opened.file();
  differ(file, again, ["registration", "commitment", "store"]);
  opened.store.add("bafytwo");
  const added = opened.file();
  differ(again, added, ["registration", "commitment", "store"]);
  opened.store.erase("bafytwo");
  const erased = opened.file();
  differ(added, erased, ["nonce", "registration", "commitment", "store"]);
  differ(erased, opened.file(), ["registration", "commitment", "store"]);
  assert.equal((await Vault.open(verifier, erased, PHRASE)).store.version, 4n);
});

test("a file that was changed is refused with its reason", async () => {
  const parsed = JSON.parse(file);
  const flip = (hex) => `${hex.slice(0, -1)}${hex.endsWith("0") ? "1" : "0"}`;
  for (const [change, error] of [
    [{ format: "x" }, /does not say aceso-keys\/1/],
    [{ store: undefined }, /has no store/],
    [{ version: "two" }, /has no version/],
    [{ opsLimit: 1000 }, /asks for opsLimit 1000, and 1 to 10 are done/],
    [{ memLimitKib: 2 ** 31 }, /asks for memLimitKib/],
    [{ salt: "00" }, /salt of another length/],
    [{ nonce: "zz".repeat(32) }, /something else where bytes should be/],
    [{ owner: "aceso1other" }, GrantError],
    [{ chain_id: "clinic-2" }, GrantError],
    [{ registration: flip(parsed.registration) }, GrantError],
    [{ commitment: flip(parsed.commitment) }, GrantError],
    [{ version: "3" }, GrantError],
    [{ store: parsed.store.replace(/.{8}$/, "AAAAAA==") }, Error],
  ])
    await assert.rejects(Vault.open(verifier, changed(file, change), PHRASE), error, JSON.stringify(change));
  await assert.rejects(Vault.open(verifier, "{", PHRASE), StoreError);
});

test("enough guardians open the file of their deal and those after it until something is erased", async () => {
  const secrets = [1, 2, 3].map(() => grants.newSecret());
  const rows = secrets.map((secret, at) => ({
    account: `aceso1g${at}`,
    epoch: 0n,
    key: grants.publicKey(secret),
    expires: 9n,
  }));
  const { file: dealt, deal } = vault.file(2, rows);
  const checked = checkedDeal(verifier, deal);
  assert.deepEqual([checked.threshold, checked.guardians, checked.of.version], [2, 3, 2n]);
  const shares = [0, 2].map((at) => guardians.open(checked.of, checked.deal, at + 1, secrets[at]));
  const key = guardians.recover(checked.deal, shares);
  const back = await Vault.recover(verifier, dealt, key, "another lamp by another river");
  assert.deepEqual(back.store.images, ["bafyone"]);
  assert.equal((await Vault.open(verifier, back.file(), "another lamp by another river")).store.version, 2n);
  await assert.rejects(Vault.recover(verifier, file, key, PHRASE), /shares do not open this copy of the key store/);
  // What came in after the deal comes back with it, until something is erased.
  vault.store.add("bafylater");
  const later = await Vault.recover(verifier, vault.file(), key, PHRASE);
  assert.deepEqual([later.store.version, later.store.images], [3n, ["bafylater", "bafyone"]]);
  vault.store.erase("bafylater");
  await assert.rejects(Vault.recover(verifier, vault.file(), key, PHRASE), /something was erased or dealt anew/);
  const parsed = JSON.parse(deal);
  const swapped = { guardians: [parsed.guardians[1], parsed.guardians[0], parsed.guardians[2]] };
  assert.throws(() => checkedDeal(verifier, changed(deal, swapped)), GrantError);
  for (const wrong of [{ guardians: [{}] }, { guardians: "x" }, { version: "9" }, { owner: "aceso1other" }])
    assert.throws(() => checkedDeal(verifier, changed(deal, wrong)), Error, JSON.stringify(wrong));
});

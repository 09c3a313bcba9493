import assert from "node:assert/strict";
import { test } from "node:test";

import { Key, named, rawDigest, sentence } from "../dist/index.js";

// The first account of CosmJS's test genesis: mnemonic and address as published there.
const WORDS =
  "economy stock theory fatal elder harbor betray wasp final emotion task crumble " +
  "siren bottom lizard educate guess current outdoor pair theory focus wife stone";

test("the address is every Cosmos wallet's", async () => {
  const key = await Key.fromWords(`  ${WORDS.toUpperCase()}\n`);
  assert.equal(key.address("cosmos"), "cosmos1pkptre7fdkl6gfrzlesjjvhxhlc3r4gmmk8rs6");
  const [account] = await (await key.signer("cosmos")).getAccounts();
  assert.equal(account.address, key.address("cosmos"));
});

test("new words are a key, each time another", async () => {
  const words = [Key.newWords(), Key.newWords()];
  assert.notEqual(words[0], words[1]);
  assert.equal(words[0].split(" ").length, 24);
  assert.ok(await Key.fromWords(words[0]));
});

test("other words are refused with a sentence", async () => {
  for (const words of [
    "",
    "abandon",
    "abandon ".repeat(12),
    WORDS.replace("stone", "stones"),
    WORDS.replace("stone", "wife"),
  ]) {
    await assert.rejects(Key.fromWords(words), /\.$/, words);
  }
});

test("a signature is 64 bytes and verifies", async () => {
  const { Secp256k1, Secp256k1Signature, sha256 } = await import("@cosmjs/crypto");
  const key = await Key.fromWords(WORDS);
  const signature = key.sign(Uint8Array.of(1, 2, 3));
  assert.equal(signature.length, 64);
  const digest = sha256(Uint8Array.of(1, 2, 3));
  assert.ok(Secp256k1.verifySignature(Secp256k1Signature.fromFixedLength(signature), digest, key.publicKey));
});

test("nothing of the secret is visible", async () => {
  const key = await Key.fromWords(WORDS);
  assert.deepEqual(Object.keys(key), ["publicKey"]);
});

test("the digest in the CID of a raw block", async () => {
  // sha2-256 of "x", see `the_json_is_fixed` in chain/types/src/guest.rs.
  const { createHash } = await import("node:crypto");
  const cid = "bafkreibnoelefnzgwbcacyt4vh52ymxvzbjq7mmqhtcnwarfq4lzegsiqe";
  assert.deepEqual(Buffer.from(rawDigest(cid)), createHash("sha256").update("x").digest());
  assert.equal(rawDigest("bafybeibnoelefnzgwbcacyt4vh52ymxvzbjq7mmqhtcnwarfq4lzegsiqe"), undefined);
  assert.equal(rawDigest("x"), undefined);
  const [same, other] = ["x", "y"].map((text) => named(cid, new TextEncoder().encode(text)));
  assert.deepEqual([same, other], [true, false]);
});

test("a refusal is the sentence that somebody wrote", () => {
  const log =
    "failed to execute message; message index: 0: reply: dispatch: grant 1 was revoked at 5: execute wasm contract failed";
  assert.equal(sentence(log), "grant 1 was revoked at 5");
  assert.equal(sentence("insufficient fee"), "insufficient fee");
  const simulated =
    "rpc error: code = Unknown desc = failed to execute message; message index: 0: no with gas used: '45188': unknown request";
  assert.equal(sentence(simulated), "no");
});

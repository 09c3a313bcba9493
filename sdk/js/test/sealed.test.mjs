// Messages about sealed records: the bytes must be those of chain/types, and what they say must hold.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as sdk from "../dist/index.js";

const read = (url) => readFileSync(new URL(url, import.meta.url));
const verifier = await sdk.Verifier.load(read("../dist/verify.wasm"));
const { grants, granter } = verifier;
const hex = (bytes) => Buffer.from(bytes).toString("hex");

/** By the rule in chain/types/tests/wire.rs: whether a value stands in the field of this number. */
function fits(value, tag) {
  if (Array.isArray(value)) return value.length === 1 && (typeof value[0] === "object" || fits(value[0], tag));
  if (value instanceof Uint8Array) return value.length === 1 && value[0] === tag;
  if (typeof value === "boolean") return value;
  if (typeof value === "string") return value === `t${tag}`;
  return typeof value === "object" || value === (typeof value === "bigint" ? BigInt(tag) : tag);
}

test("every message and row is the bytes that Rust writes", () => {
  const lines = read("../../../chain/types/tests/vectors/sealed.txt").toString().trim().split("\n");
  for (const [name, bytes] of lines.map((line) => line.split(" "))) {
    const codec = sdk[name];
    const message = codec.decode(Buffer.from(bytes, "hex"));
    assert.equal(hex(codec.encode(message).finish()), bytes, name);
    // Fields are declared in the order of their numbers.
    Object.values(message).forEach((value, at) => assert.ok(fits(value, at + 1), `${name} ${Object.keys(message)[at]}`));
  }
  assert.equal(lines.length, 14);
});

test("what a record and its grants say holds", () => {
  const chainId = "clinic-1";
  const [patient, doctor, colleague, point] = [...[1, 2, 3].map(() => grants.newSecret()), grants.newPoint()];
  const files = ["bafyone", "bafytwo"].map((cid) => ({ cid, size: 3n, modality: "DX", bodyPart: "CHEST", effort: 0n }));
  const message = granter.record(chainId, "aceso1patient", files, patient, point);
  const cid = granter.recordName(["bafyone", "bafytwo"]);
  assert.match(cid, /^record:[0-9a-f]{64}$/);
  assert.equal(granter.recordName(["bafyone"]), "bafyone");
  const about = { chainId, cid, owner: "aceso1patient", commitment: message.commitment };
  const { key, sealed } = grants.checkRegistration(about, message.registration);

  const readers = [doctor, colleague].map((secret, at) => granter.reader(chainId, `aceso1reader${at}`, BigInt(at), secret, 99n));
  for (const { key, possession } of readers)
    assert.throws(() => grants.checkPossession(key, "something else", possession), sdk.GrantError);
  const record = { ...sdk.RecordRow.fromPartial({}), record: 1n, ...message };
  const terms = { ...granter.newTerms(), rewrap: true };
  const given = granter.grant(
    { chainId, granter: "aceso1patient", grant: 1n, record, recipients: [readers[0]], committee: false, expires: 50n, terms },
    patient,
  );
  assert.deepEqual([given.recipients, given.from], [[{ account: "aceso1reader0", epoch: 0n }], undefined]);
  assert.equal(hex(given.terms), granter.terms(terms, 50n).digest);
  assert.notEqual(hex(given.terms), granter.terms(terms, 51n).digest);
  assert.deepEqual(grants.open(doctor, grants.of(given.wrap, 0)), point);

  const on = granter.grant(
    {
      chainId,
      granter: "aceso1reader0",
      grant: 1n,
      record,
      from: { given, place: 0, terms },
      recipients: [readers[1]],
      committee: false,
      expires: 40n,
      terms: granter.newTerms(),
    },
    doctor,
  );
  assert.deepEqual(on.from, { granter: "aceso1patient", grant: 1n, place: 0 });
  assert.deepEqual(granter.readTerms(on.sourceTerms), terms);
  assert.deepEqual(grants.open(colleague, grants.of(on.wrap, 0)), point);
  assert.deepEqual([key, sealed.length], [grants.publicKey(patient), 96]);
});

test("terms that mean nothing are refused with a sentence", () => {
  const terms = { ...granter.newTerms(), actors: ["aceso1doctor"] };
  assert.throws(() => granter.terms(terms, 1n), /who may ask needs a purpose and a use/);
  assert.throws(() => granter.readTerms(new Uint8Array([1])), /terms does not decode/);
  assert.notEqual(granter.newTerms().salt, granter.newTerms().salt);
});

test("a dispute shows what the registration or a wrap holds, with the proof, for its job alone", () => {
  const chainId = "clinic-1";
  const [patient, doctor, point] = [grants.newSecret(), grants.newSecret(), grants.newPoint()];
  const files = [{ cid: "bafyone", size: 3n, modality: "DX", bodyPart: "CHEST", effort: 0n }];
  const message = granter.record(chainId, "aceso1patient", files, patient, point);
  const record = { ...sdk.RecordRow.fromPartial({}), record: 1n, ...message };
  const reader = granter.reader(chainId, "aceso1reader", 0n, doctor, 99n);
  const of = { chainId, granter: "aceso1patient", grant: 3n, record, recipients: [reader], committee: false, expires: 50n };
  const given = granter.grant({ ...of, terms: granter.newTerms() }, patient);
  const cases = [
    [patient, undefined, grants.publicKey(patient)],
    [doctor, { given, place: 0 }, reader.key],
  ];
  for (const [secret, from, key] of cases) {
    const shown = granter.dispute({ chainId, job: 7n, record, ...(from && { from }) }, secret);
    assert.deepEqual(shown.point, point);
    assert.deepEqual(shown.from, from && { granter: "aceso1patient", grant: 3n, place: 0 });
    const sealed = granter.held(record, from);
    grants.checkShown({ chainId, job: 7n }, key, sealed, shown.point, shown.proof);
    assert.throws(() => grants.checkShown({ chainId, job: 8n }, key, sealed, shown.point, shown.proof), sdk.GrantError);
  }
});

test("signers are the members whose bits are set, the lowest of the first byte first", () => {
  const members = Array.from({ length: 10 }, (_, number) => ({ ...sdk.MemberRow.fromPartial({}), number }));
  const signed = (...signers) => {
    const outcome = { ...sdk.JobOutcome.fromPartial({}), signers: Uint8Array.from(signers) };
    return sdk.signersOf({ members, outcome }).map(({ number }) => number);
  };
  assert.deepEqual(signed(0b101, 0b10), [0, 2, 9]);
  assert.deepEqual([signed(), signed(0xff, 0xff).length], [[], 10]);
  assert.deepEqual(sdk.signersOf({ members, outcome: undefined }), []);
});

test("whose an attestation key is stands in the root", () => {
  const { roots } = JSON.parse(read("../../verify/tests/vectors/compact.json"));
  const { keys, latest } = verifier.compacts.about(Buffer.from(JSON.stringify(roots)));
  assert.equal(latest, roots.roots.at(-1).root.number);
  assert.ok(keys.length > 0 && keys.every(({ number, key }) => number > 0 && /^[0-9a-f]{96}$/.test(key)));
});

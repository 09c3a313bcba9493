// Compact receipts by the chain's own code, and the same vectors by a second implementation: dag-cbor read and written
// here, the curve by noble, nothing of ours.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { bls12_381 } from "@noble/curves/bls12-381.js";
import { sha3_256 } from "@noble/hashes/sha3.js";

import { NotProven, Verifier } from "../dist/index.js";

const verifier = await Verifier.load(readFileSync(new URL("../dist/verify.wasm", import.meta.url)));
const vectors = JSON.parse(readFileSync(new URL("../../verify/tests/vectors/compact.json", import.meta.url), "utf8"));
const roots = Buffer.from(JSON.stringify(vectors.roots));
const hex = (text) => Uint8Array.from(Buffer.from(text, "hex"));
const text = (bytes) => Buffer.from(bytes).toString("hex");

/** A field of protobuf: a byte string. */
const field = (number, bytes) => {
  const length = [];
  for (let rest = bytes.length; ; rest >>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
};

/** The node's answer to the query for a root. */
const row = (place) => {
  const { signers, signature } = vectors.roots.roots[place];
  const signed = signature ? [field(2, Buffer.concat([field(2, hex(signers)), field(3, hex(signature))]))] : [];
  return Buffer.concat([field(1, hex(vectors.encoded[place].root)), ...signed]);
};

test("what a committee has signed is believed", () => {
  for (const vector of vectors.believed) {
    const read = verifier.compacts.verify(hex(vector.compact), roots);
    assert.equal(read.committee, vector.committee, vector.name);
    const { signed, power, total } = read;
    assert.deepEqual({ signed, power, total }, { signed: vector.signed, power: vector.power, total: vector.total });
    assert.deepEqual(
      read.members.filter((member) => member.signed).map((member) => member.number),
      vector.signers,
    );
    assert.equal(read.compact.statement.job, 1207);
  }
  const three = verifier.compacts.verify(hex(vectors.believed[2].compact), roots);
  assert.deepEqual(three.compact.outcome.predicate.findings, [{ id: "pneumonia", present: true }]);
});

test("nothing else is, with a reason", () => {
  for (const { name, compact, error } of vectors.refused) {
    assert.throws(() => verifier.compacts.verify(hex(compact), roots), (thrown) => {
      assert.ok(thrown instanceof NotProven, name);
      return thrown.message.includes(error);
    });
  }
  const bytes = hex(vectors.believed[2].compact);
  for (let at = 0; at < bytes.length; at += 7) {
    const other = bytes.slice();
    other[at] ^= 1;
    assert.throws(() => verifier.compacts.verify(other, roots), NotProven, `byte ${at}`);
  }
});

test("whoever relies on a read says on whom", () => {
  const ofOne = hex(vectors.believed[0].compact);
  assert.throws(() => verifier.compacts.verify(ofOne, roots, { members_min: 3 }), /1 members, and 3 are demanded/);
  assert.throws(() => verifier.compacts.verify(ofOne, roots, { power_min_bps: 6000 }), /6000 basis points/);
});

test("roots are followed one by one", () => {
  const { trusted, roots: first } = verifier.compacts.trust(row(0));
  assert.equal(trusted, vectors.roots.trusted);
  assert.throws(() => verifier.compacts.follow(first, row(2)), /root 2 does not follow root 0/);
  const { roots: second } = verifier.compacts.follow(first, row(1));
  const { latest, roots: third } = verifier.compacts.follow(second, row(2));
  assert.equal(latest, 2);
  for (const { compact } of vectors.believed) verifier.compacts.verify(hex(compact), third);
  assert.throws(() => verifier.compacts.verify(hex(vectors.believed.at(-1).compact), first), /root 1/);
});

// The second implementation.

/** dag-cbor, as far as compact receipts go. A link is kept as its bytes. */
function read(bytes) {
  let at = 0;
  const take = (count) => bytes.subarray(at, (at += count));
  const head = () => {
    const first = bytes[at++];
    const [kind, low] = [first >> 5, first & 31];
    if (kind === 7) return [kind, low];
    const size = low < 24 ? 0 : 1 << (low - 24);
    const number = size ? take(size).reduce((sum, byte) => sum * 256 + byte, 0) : low;
    return [kind, number];
  };
  const value = () => {
    const [kind, number] = head();
    if (kind === 0) return number;
    if (kind === 2) return take(number);
    if (kind === 3) return Buffer.from(take(number)).toString();
    if (kind === 4) return Array.from({ length: number }, value);
    if (kind === 5) return Object.fromEntries(Array.from({ length: number }, () => [value(), value()]));
    if (kind === 6) return { link: value() };
    if (kind === 7 && number >= 20 && number <= 21) return number === 21;
    throw new Error(`kind ${kind}, ${number}`);
  };
  const result = value();
  assert.equal(at, bytes.length);
  return result;
}

function write(value) {
  const head = (kind, number) => {
    if (number < 24) return [(kind << 5) | number];
    const size = number < 256 ? 0 : number < 65536 ? 1 : number < 2 ** 32 ? 2 : 3;
    const bytes = Array.from({ length: 1 << size }, (_, place) => Math.floor(number / 256 ** place) % 256);
    return [(kind << 5) | (24 + size), ...bytes.reverse()];
  };
  if (typeof value === "number") return head(0, value);
  if (typeof value === "boolean") return [value ? 0xf5 : 0xf4];
  if (typeof value === "string") return [...head(3, Buffer.byteLength(value)), ...Buffer.from(value)];
  if (value instanceof Uint8Array) return [...head(2, value.length), ...value];
  if (Array.isArray(value)) return [...head(4, value.length), ...value.flatMap(write)];
  if ("link" in value) return [0xd8, 42, ...write(value.link)];
  // Keys by length, then by bytes.
  const keys = Object.keys(value).sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  return [...head(5, keys.length), ...keys.flatMap((key) => [...write(key), ...write(value[key])])];
}

function digest(domain, ...parts) {
  const hash = sha3_256.create().update(Buffer.from(`${domain}\0`));
  for (const part of parts) hash.update(u64(part.length)).update(Uint8Array.from(part));
  return hash.digest();
}

function u64(number) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}

function u32(number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}

/** Outcomes as they are signed, from their short form. */
const outcomes = {
  f: (failure) => ({ failed: failure }),
  o: ([claim, vouched, outputs]) => ({ open: { input: { claim, vouched }, outputs } }),
  p: ([claim, vouched, all]) => {
    const findings = all.map(([id, present]) => ({ id, present }));
    return { predicate: { input: { claim, vouched }, findings } };
  },
  s: ([claim, vouched, commitment, ciphertext]) => ({ sealed: { input: { claim, vouched }, commitment, ciphertext } }),
  b: ([claim, vouched, commitment, blob, size]) => ({ stored: { input: { claim, vouched }, commitment, blob, size } }),
};

/** What was signed by whom, from a receipt's bytes and a root. */
function independent(bytes) {
  const file = read(bytes);
  // Of another frame than the first it is a list of two: the receipt, and the frame.
  const [receipt, frame] = file.length === 2 ? file : [file];
  const [version, number, members, signers, signature, ...rest] = receipt;
  const [chain_id, job, requested, model, pipeline, image, owner, requester, consent, short, outcome] = rest;
  assert.equal(version, 1);
  const { root } = vectors.roots.roots[number];
  const keys = members.map((member) => root.keys.find((key) => key.number === member));
  const rows = keys.map((key) => Buffer.concat([u32(key.number), hex(key.key), u64(key.power), u64(key.epoch)]));
  const committee = digest("aceso/members/v1", u64(number), ...rows);
  const disclosure = short === "o" ? "open" : short === "s" ? "sealed" : { predicate: short.p };
  const named = { chain_id, job, requested, committee, model, pipeline, image, owner, requester, consent, disclosure };
  if (frame !== undefined) named.frame = frame;
  const [[kind, value]] = Object.entries(outcome);
  const message = digest("aceso/outcome/v1", write(named), write(outcomes[kind](value)));
  const signed = keys.filter((_, place) => (signers[place >> 3] >> (place & 7)) & 1);
  return { committee, message, signed, signature };
}

test("a second implementation signs and believes the same", () => {
  const { G1, G2 } = bls12_381;
  for (const vector of vectors.believed) {
    const { committee, message, signed, signature } = independent(hex(vector.compact));
    assert.equal(text(committee), vector.committee, vector.name);
    assert.equal(text(message), vector.message, vector.name);
    assert.deepEqual(
      signed.map((key) => key.number),
      vector.signers,
    );
    const hashed = G2.hashToCurve(message, { DST: vectors.domain });
    const sum = signed.map((key) => G1.Point.fromHex(key.key)).reduce((sum, key) => sum.add(key));
    const point = G2.Point.fromHex(text(signature));
    point.assertValidity();
    const left = bls12_381.pairing(sum, hashed);
    const right = bls12_381.pairing(G1.Point.BASE, point);
    assert.ok(bls12_381.fields.Fp12.eql(left, right), vector.name);
  }
});

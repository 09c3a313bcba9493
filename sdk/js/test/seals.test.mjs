// Sealed files and key stores by two implementations, over the vectors of sdk/seal; and records as streams.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Key, LEAF, SealError, StoreError, Verifier } from "../dist/index.js";
import { point, scalarBytes } from "../independent/dist/group.js";
import * as other from "../independent/dist/seal.js";

const read = (url) => readFileSync(new URL(url, import.meta.url));
const verifier = await Verifier.load(read("../dist/verify.wasm"));
const { grants, guardians, seals, stores } = verifier;
const vectors = JSON.parse(read("../../seal/tests/vectors/sealed.json"));

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const cut = (file) => Array.from({ length: Math.ceil(file.length / LEAF) }, (_, at) => file.subarray(at * LEAF, (at + 1) * LEAF));

/** As the vectors say. */
const record = (length) => Uint8Array.from({ length }, (_, at) => (at ^ (at >> 8) ^ (at >> 16)) & 0xff);

async function kind(call) {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof SealError || error instanceof StoreError, `${error}`);
    return error.kind;
  }
  return "none";
}

async function* split(all, size) {
  for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
}

async function joined(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

/** The file of a vector, by the Rust code. */
const sealed = ({ point, owner, salt, media, tags, length }) =>
  seals.seal(bytes(point), { owner, media, tags }, record(length), bytes(salt));

for (const vector of vectors.files) {
  test(`a file: ${vector.name}`, async () => {
    const content = bytes(vector.point);
    const file = sealed(vector);
    assert.deepEqual(cut(file).map(sha256), vector.leaves);
    assert.equal(hex(file.subarray(0, seals.header(file).bytes)), vector.header);
    if (vector.file) assert.equal(hex(file), vector.file);
    const { commitment, ...header } = seals.header(file);
    assert.deepEqual(header, { owner: vector.owner, salt: vector.salt, bytes: vector.header.length / 2 });
    assert.match(commitment, /^[0-9a-f]{64}$/);

    const opened = seals.open(content, file);
    const compressed = vector.name.startsWith("compressed");
    const inner = { media: vector.media, length: BigInt(vector.length), deflated: compressed, tags: vector.tags };
    assert.deepEqual(opened.inner, inner);
    assert.equal(sha256(opened.record), vector.record);

    // The other implementation opens it, and seals the same bytes where nothing is compressed.
    const theirs = await other.open(point(content), file);
    assert.deepEqual([theirs.owner, theirs.inner], [vector.owner, inner]);
    assert.equal(sha256(theirs.record), vector.record);
    if (!compressed) {
      const again = await other.seal(point(content), vector.owner, bytes(vector.salt), inner, record(vector.length));
      assert.equal(sha256(again), sha256(file));
    }

    // Leaf by leaf, from the end.
    for (const [number, leaf] of [...cut(file).entries()].reverse()) {
      const plain = seals.leaf(content, file, file.length, number, leaf);
      assert.deepEqual(plain, await other.leaf(point(content), file, file.length, number, leaf));
    }
  });
}

test("as a stream it is the same file, whatever the pieces, with one leaf in memory", async () => {
  for (const vector of vectors.files) {
    const { point, owner, salt, media, tags, length } = vector;
    for (const size of [1000, 65_536, 3 * LEAF]) {
      if (length / size > 500) continue;
      const about = { owner, media, tags, length };
      const stream = seals.stream(bytes(point), about, split(record(length), size), bytes(salt));
      const file = await joined(stream);
      assert.deepEqual(cut(file).map(sha256), vector.leaves, `${vector.name} by ${size}`);
      const opened = await seals.openStream(bytes(point), split(file, size), file.length, 1n << 40n);
      assert.equal(opened.inner.length, BigInt(length));
      assert.equal(sha256(await joined(opened.record)), vector.record);
    }
  }
});

test("streams of browsers go in and out, and can be left", async () => {
  const content = grants.newPoint();
  const about = { owner: "aceso1p", media: "application/dicom", length: 3 * LEAF };
  const source = () => new Blob([record(3 * LEAF)]).stream();
  const file = await joined(seals.stream(content, about, source()));
  // More than there is room for at a time: whoever leaves gives up what was begun.
  for (let time = 0; time < 40; time++) {
    const stream = seals.stream(content, { ...about, media: "application/pdf" }, source());
    const reader = stream.getReader();
    assert.equal((await reader.read()).value.length, LEAF);
    await reader.cancel();
    const opened = await seals.openStream(content, new Blob([file]).stream(), file.length, 1 << 30);
    await opened.record.cancel();
  }
  const opened = await seals.openStream(content, new Blob([file]).stream(), file.length, 1 << 30);
  assert.equal(sha256(await joined(opened.record)), sha256(record(3 * LEAF)));
});

test("a record of several pieces, some compressed and some stored, opens by either", async () => {
  const content = grants.newPoint();
  // Digits, noise, nothing, digits again: pieces end within a run of each.
  const whole = new Uint8Array(5 * LEAF + 77);
  for (let at = 0; at < whole.length; at += 65_536) {
    const part = whole.subarray(at, at + 65_536);
    const kind = Math.floor((4 * at) / whole.length);
    if (kind === 1) crypto.getRandomValues(part);
    if (kind === 0 || kind === 3) part.forEach((_, byte) => (part[byte] = 48 + ((byte * byte + at) % 10)));
  }
  const about = { owner: "aceso1p", media: "text/plain" };
  const file = seals.seal(content, about, whole, new Uint8Array(32));
  assert.ok(file.length > LEAF && file.length < 4 * LEAF, `${file.length} bytes`);
  const stream = seals.stream(content, { ...about, length: whole.length }, split(whole, 99_991), new Uint8Array(32));
  assert.equal(sha256(await joined(stream)), sha256(file));
  assert.equal(sha256(seals.open(content, file).record), sha256(whole));
  const theirs = await other.open(point(content), file);
  assert.deepEqual([theirs.inner.deflated, sha256(theirs.record)], [true, sha256(whole)]);
});

test("what was changed does not open, by either", async () => {
  const vector = vectors.files[1];
  const [content, file] = [bytes(vector.point), sealed(vector)];
  for (let at = 0; at < file.length; at++) {
    const changed = file.slice();
    changed[at] ^= 1;
    assert.notEqual(await kind(() => seals.open(content, changed)), "none", `byte ${at}`);
    await assert.rejects(other.open(point(content), changed), undefined, `byte ${at}`);
  }
  for (let length = 0; length < file.length; length++)
    assert.notEqual(await kind(() => seals.open(content, file.subarray(0, length))), "none", `${length} bytes`);
  for (const { what, file } of vectors.refused) {
    assert.match(await kind(() => seals.open(content, bytes(file))), /header|version|long/, what);
    await assert.rejects(other.open(point(content), bytes(file)), undefined, what);
  }
});

test("leaves that are exchanged, cut off, or of another file", async () => {
  const vector = vectors.files.find(({ name }) => name === "two leaves and a byte");
  const [content, file] = [bytes(vector.point), sealed(vector)];
  const leaves = cut(file);
  const exchanged = new Uint8Array(Buffer.concat([leaves[0], leaves[0], leaves[2]]));
  assert.equal(await kind(() => seals.open(content, exchanged)), "leaf");
  assert.equal(await kind(() => seals.open(content, file.subarray(0, 2 * LEAF))), "leaf");
  assert.equal(await kind(() => seals.leaf(content, file, file.length, 3, leaves[2])), "range");
  assert.equal(await kind(() => seals.leaf(content, file, file.length, 1, leaves[0])), "leaf");
  assert.equal(await kind(() => seals.leaf(grants.newPoint(), file, file.length, 1, leaves[1])), "key");
  await assert.rejects(other.open(point(content), exchanged));
  await assert.rejects(other.open(point(content), file.subarray(0, 2 * LEAF)));
  // As a stream what is whole comes out, and the end says that something is missing.
  const opened = await seals.openStream(content, split(file.subarray(0, 2 * LEAF), 5000), file.length, 1 << 30);
  assert.equal(await kind(() => joined(opened.record)), "leaf");
  const short = seals.openStream(content, split(file, 5000), file.length, 1000);
  assert.equal(await kind(() => short), "record");
  assert.equal(await kind(() => seals.openStream(content, split(new Uint8Array(), 1), 0, 1)), "header");
});

test("a record of another length is not sealed", async () => {
  const content = grants.newPoint();
  const about = { owner: "aceso1p", media: "application/pdf" };
  const of = (length) => joined(seals.stream(content, { ...about, length }, split(record(10), 3)));
  assert.equal(await kind(() => of(9)), "length");
  assert.equal(await kind(() => of(11)), "length");
  assert.equal(await kind(() => of(10)), "none");
  assert.equal(await kind(() => seals.seal(content, { ...about, owner: "a".repeat(2000) }, record(1))), "long");
});

test("each file has a salt of its own", () => {
  const content = grants.newPoint();
  const about = { owner: "aceso1p", media: "application/pdf" };
  const files = [1, 2].map(() => seals.seal(content, about, record(100)));
  assert.notDeepEqual(seals.header(files[0]).salt, seals.header(files[1]).salt);
  assert.deepEqual(seals.open(content, files[0]).record, record(100));
});

test("a key store is the vector's, by both", async () => {
  const { store } = vectors;
  const [content, images] = [bytes(store.point), Object.entries(store.images)];
  const mine = stores.create(bytes(store.master));
  for (const [image, nonce] of images) mine.add(image, bytes(nonce));
  assert.equal(String(mine.version), String(store.version));
  assert.deepEqual(mine.images.toSorted(), Object.keys(store.images).toSorted());
  assert.equal(hex(mine.seal(content, store.owner, bytes(store.salt))), store.file);
  for (const [image, key] of Object.entries(store.keys)) {
    assert.equal(hex(mine.key(image)), key);
    const theirs = other.imageKey(bytes(store.master), bytes(store.images[image]));
    assert.equal(hex(scalarBytes(theirs)), key);
  }
  for (const [image, secret] of Object.entries(store.accounts)) {
    const nonce = bytes(store.images[image]);
    assert.equal(hex(other.imageAccount(bytes(store.master), nonce)), secret);
    const address = Key.fromSecret(bytes(secret)).address("aceso");
    assert.equal(mine.account(image).address("aceso"), address);
    assert.equal(mine.next(nonce).account.address("aceso"), address);
  }
  const [one, two] = [mine.next(), mine.next()].map(({ account }) => account.address("aceso"));
  assert.notEqual(one, two);
  assert.throws(() => mine.next(new Uint8Array(31)), /nonce/);
  assert.throws(() => Key.fromSecret(new Uint8Array(31)), /32 bytes/);
  const nonces = Object.fromEntries(images.map(([image, nonce]) => [image, bytes(nonce)]));
  const theirs = other.store(bytes(store.master), BigInt(store.version), nonces);
  assert.equal(hex(theirs), store.record);
  const opened = await other.open(point(content), bytes(store.file));
  assert.equal(hex(opened.record), store.record);
  assert.deepEqual(stores.open(bytes(store.file), content).images, mine.images);
  assert.equal(JSON.stringify({ mine }), '{"mine":"KeyStore"}');
});

test("guardians bring a store back, and what was erased stays gone", async () => {
  const owner = "aceso1patient";
  const people = [1, 2, 3].map(() => grants.newSecret());
  const keys = people.map((secret) => grants.publicKey(secret));
  const store = stores.create();
  store.add("bafyone");
  store.add("bafytwo");

  /** Seals the store under a new point, which is registered for a new key, whose secret is dealt. */
  const keep = () => {
    const [content, secret] = [grants.newPoint(), grants.newSecret()];
    const file = store.seal(content, owner);
    const about = { chainId: "c", cid: "bafystore", owner, commitment: grants.commitment(content) };
    const of = { chainId: "c", owner, version: store.version };
    return { file, about, of, registration: grants.register(about, secret, content), deal: guardians.deal(of, secret, 2, keys) };
  };
  /** A new phone asks guardians by their places. */
  const recover = ({ file, about, of, registration, deal }, places) => {
    const phone = grants.newSecret();
    const shares = places.map((place) => {
      const share = guardians.open(of, deal, place, people[place - 1]);
      const handed = guardians.hand(of, deal, share, grants.publicKey(phone));
      return guardians.receive(of, deal, handed, phone);
    });
    const secret = guardians.recover(deal, shares);
    return stores.open(file, grants.open(secret, grants.checkRegistration(about, registration).sealed), of.version);
  };
  const before = keep();
  const key = store.key("bafytwo");
  assert.deepEqual(recover(before, [1, 3]).key("bafytwo"), key);

  store.erase("bafytwo");
  const after = keep();
  const back = recover(after, [2, 3]);
  assert.deepEqual(back.images, ["bafyone"]);
  assert.equal(await kind(() => back.key("bafytwo")), "unknown");
  assert.equal(await kind(() => store.erase("bafytwo")), "unknown");
  assert.equal(await kind(() => store.add("bafyone")), "known");
  // The old file does not open by what the new deal brings back.
  assert.equal(await kind(() => recover({ ...after, file: before.file }, [1, 2])), "key");
  assert.equal(await kind(() => stores.open(after.file, grants.newPoint())), "key");
  store.wipe();
  assert.throws(() => store.key("bafyone"));
});

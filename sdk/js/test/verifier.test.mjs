import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { deflateSync } from "node:zlib";

import { NotProven, Verifier } from "../dist/index.js";

const verifier = await Verifier.load(readFileSync(new URL("../dist/verify.wasm", import.meta.url)));
const models = new URL("../../../models/pneumonia/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("manifest.json", models), "utf8"));
const trust = { chain_id: "c", validators: [], proof_spec: {} };

function crc(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

function chunk(name, data) {
  const body = Buffer.concat([Buffer.from(name), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc(body));
  return Buffer.concat([length, body, sum]);
}

function png(width, height, pixels) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = 8;
  const rows = Buffer.concat(
    Array.from({ length: height }, (_, y) => Buffer.from([0, ...pixels.slice(y * width, (y + 1) * width)])),
  );
  const magic = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  return Buffer.concat([magic, chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

test("the module reaches nothing outside", async () => {
  const bytes = readFileSync(new URL("../dist/verify.wasm", import.meta.url));
  assert.deepEqual(WebAssembly.Module.imports(await WebAssembly.compile(bytes)), []);
});

test("a manifest goes to dag-cbor and back", () => {
  const { id, bytes } = verifier.encodeManifest(manifest);
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.deepEqual(verifier.manifest(bytes), { id, manifest });
});

test("a picture is shown", () => {
  const preview = verifier.preview(png(3, 2, [0, 50, 100, 150, 200, 255]));
  assert.deepEqual(preview.shown, { width: 3, height: 2 });
  assert.deepEqual([...preview.data], [0, 50, 100, 150, 200, 255]);
  assert.equal(preview.format, "png");
});

test("what is no receipt is not proven, with a reason", () => {
  for (const bytes of [new Uint8Array(), Uint8Array.of(0xa0), new Uint8Array(5 << 20)]) {
    assert.throws(() => verifier.verify(bytes, trust), NotProven);
  }
  assert.throws(() => verifier.receipt(Uint8Array.of(1)), /the receipt does not decode/);
  assert.throws(() => verifier.image(Uint8Array.of(1)), NotProven);
  assert.throws(() => verifier.journal(Uint8Array.of(1)), NotProven);
  assert.throws(() => verifier.evidence(new Uint8Array(), new Uint8Array(), new Uint8Array(), {}, []), /commit/);
});

test("what a call took it gives back", () => {
  // 300 MiB in all, and the module keeps at most 256.
  for (let call = 0; call < 300; call++)
    assert.throws(() => verifier.image(new Uint8Array(1 << 20)), /neither PNG, JPEG nor DICOM/);
  assert.throws(() => verifier.image(new Uint8Array((128 << 20) + 1)), /no room/);
  assert.equal(verifier.preview(png(2, 1, [7, 8])).data.length, 2);
});

test("what is signed for a fetch depends on chain, image and time", () => {
  const cid = "bafkreibnoelefnzgwbcacyt4vh52ymxvzbjq7mmqhtcnwarfq4lzegsiqe";
  const all = [
    ["a", 1],
    ["b", 1],
    ["a", 2],
  ].map(([chain, time]) => Buffer.from(verifier.fetchBytes(chain, cid, time)).toString("hex"));
  assert.equal(new Set(all).size, 3);
  assert.ok(all.every((bytes) => bytes.length === 64));
});

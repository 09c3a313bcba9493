// The engine as WebAssembly gives what ONNX Runtime gave for every golden graph, and the bundled model its golden outputs.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { NotProven, Verifier } from "../dist/index.js";

const verifier = await Verifier.load(readFileSync(new URL("../dist/verify.wasm", import.meta.url)));
const bundled = new URL("../../../models/pneumonia/", import.meta.url);
const golden = new URL("../../../inference-host/tests/vectors/accepted/", import.meta.url);
const pneumonia = JSON.parse(readFileSync(new URL("manifest.json", bundled), "utf8"));

/** A manifest of these bytes, as `inference-host/tests/common` makes it. */
function manifestOf(onnx, [channels, height, width], output, layout, normalise) {
  const manifest = structuredClone(pneumonia);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(onnx.length));
  const digest = createHash("sha3-256").update("aceso/onnx/v1\0").update(length).update(onnx).digest("hex");
  Object.assign(manifest.onnx, { digest, size: onnx.length });
  Object.assign(manifest.pipeline, { channels: channels === 1 ? "grey" : "rgb", width, height, layout, normalise });
  const labels = output.dims.reduce((count, dim) => count * dim, 1);
  // Only elements of 8 bits have probabilities.
  const probability = output.data.length === labels ? Array(256).fill(0) : [];
  manifest.output.labels = Array.from({ length: labels }, (_, at) => ({ name: `label ${at}`, probability }));
  manifest.output.findings = [];
  return verifier.encodeManifest(manifest).bytes;
}

/** A graph, the layout and the normalisation of its image, and its runs: image first, outputs after it. */
function caseOf(name) {
  const folder = new URL(`${name}/`, golden);
  const one = { onnx: readFileSync(new URL("model.onnx", folder)), layout: "nchw", normalise: null, runs: [] };
  for (const line of readFileSync(new URL("case.txt", folder), "utf8").split("\n")) {
    const [what, ...rest] = line.split(" ");
    if (what === "layout") one.layout = rest[0];
    else if (what === "run") one.runs.push([]);
    else if (what === "normalise")
      one.normalise = rest.map((pair) => pair.split("/").map(Number)).map(([mean, deviation]) => ({ mean, deviation }));
    else if (what)
      one.runs.at(-1).push({ dims: rest[0].split("x").map(Number), data: Buffer.from(rest[1], "hex") });
  }
  return one;
}

test("every golden graph gives the bytes that are recorded, with vectors", () => {
  const names = readdirSync(golden);
  assert.ok(names.length > 100);
  for (const name of names) {
    const { onnx, layout, normalise, runs } = caseOf(name);
    const [, a, b, c] = runs[0][0].dims;
    const shape = layout === "nchw" ? [a, b, c] : [c, a, b];
    const model = verifier.models.load(manifestOf(onnx, shape, runs[0][1], layout, normalise), onnx);
    assert.equal(model.kernels, "simd128");
    for (const [image, ...outputs] of runs) {
      const computed = model.runTensor(image.data).outputs.map((bytes) => Buffer.from(bytes).toString("hex"));
      assert.deepEqual(computed, outputs.map(({ data }) => data.toString("hex")), name);
    }
    model.close();
  }
});

test("a model is computed where the page is", () => {
  const manifest = verifier.encodeManifest(pneumonia);
  const onnx = readFileSync(new URL("model.onnx", bundled));
  const model = verifier.models.load(manifest.bytes, onnx);
  assert.equal(model.id, manifest.id);
  assert.deepEqual(model.inputs, [{ name: "image", type: "u8", dims: [1, 1, 28, 28], bytes: 784 }]);
  const [first, second] = [7, 200].map((byte) => model.runTensor(new Uint8Array(784).fill(byte)));
  assert.notEqual(first.digest, second.digest);
  assert.deepEqual(model.runTensor(new Uint8Array(784).fill(7)), first);
  assert.throws(() => model.runTensor(new Uint8Array(3)), NotProven);
  assert.throws(() => model.run(Uint8Array.of(1)), /neither PNG, JPEG nor DICOM/);
  assert.throws(() => model.run(Uint8Array.of(1), 0), /there is no frame 0/);
  model.close();
  assert.throws(() => model.run(Uint8Array.of(1)), /it was closed/);
  assert.throws(() => verifier.models.load(manifest.bytes, onnx.subarray(1)), NotProven);
});

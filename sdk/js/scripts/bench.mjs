// What does a run of a model take as WebAssembly, in Node.js and in Chromium?
//
// `node scripts/bench.mjs FILE.onnx SIDE CLASSES`, after `npm run build`: a network in colour such as
// `benches/peers/onnxruntime/families.py` writes, admitted once and run thirty times; the median counts. Chromium is
// started where there is one. Both must give the same digest.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [file, side, classes] = process.argv.slice(2);
if (!classes) {
  console.error("usage: node scripts/bench.mjs FILE.onnx SIDE CLASSES");
  process.exit(2);
}
const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const onnx = readFileSync(file);
const manifest = JSON.parse(readFileSync(new URL("../../../models/pneumonia/manifest.json", import.meta.url), "utf8"));
const length = Buffer.alloc(8);
length.writeBigUInt64BE(BigInt(onnx.length));
const digest = createHash("sha3-256").update("aceso/onnx/v1\0").update(length).update(onnx).digest("hex");
Object.assign(manifest.onnx, { digest, size: onnx.length });
Object.assign(manifest.pipeline, { channels: "rgb", width: Number(side), height: Number(side), normalise: null });
const [label] = manifest.output.labels;
manifest.output.labels = Array.from({ length: Number(classes) }, (_, at) => ({ ...label, name: `label ${at}` }));
manifest.output.findings = [];

/** Admits the model and runs it; the same text runs in the page. */
async function measure(base, bytes, onnx, manifest) {
  const [{ Wasm, json }, { Models }] = [await import(`${base}wasm.js`), await import(`${base}models.js`)];
  const wasm = new Wasm(await WebAssembly.compile(bytes));
  const begin = performance.now();
  const model = new Models(wasm).load(wasm.bytes("manifest_of", json(manifest)), onnx);
  const admitted = performance.now() - begin;
  const input = new Uint8Array(model.inputs[0].bytes);
  input.forEach((_, at) => (input[at] = (at * 31 + (at >> 8) * 7) & 255));
  const times = [];
  let digest;
  for (let run = 0; run < 30; run++) {
    const start = performance.now();
    digest = model.runTensor(input).digest;
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { kernels: model.kernels, admitted, median: times[15], least: times[0], digest };
}

const show = (where, { kernels, admitted, median, least, digest }) =>
  console.log(
    `${where}: ${median.toFixed(1)} ms a run (least ${least.toFixed(1)}), admitted in ${admitted.toFixed(0)} ms, ` +
      `${kernels}, outputs ${digest.slice(0, 16)}`,
  );

const own = await measure(new URL("../dist/", import.meta.url).href, readFileSync(join(dist, "verify.wasm")), onnx, manifest);
show(`Node.js ${process.versions.node}`, own);

const page = `<!doctype html><script type="module">
const get = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
${measure}
const said = await measure("/", await get("/verify.wasm"), await get("/model.onnx"), ${JSON.stringify(manifest)})
  .catch((error) => ({ error: String(error) }));
await fetch("/said", { method: "POST", body: JSON.stringify(said) });
</script>`;
let heard;
const said = new Promise((resolve) => (heard = resolve));
const server = createServer((request, response) => {
  const name = request.url.slice(1);
  if (request.method === "POST") {
    let text = "";
    request.on("data", (chunk) => (text += chunk)).on("end", () => (response.end(), heard(JSON.parse(text))));
  } else if (name === "") response.setHeader("content-type", "text/html").end(page);
  else if (name === "model.onnx") response.end(onnx);
  else if (/^[a-z]+\.(js|wasm)$/.test(name))
    response.setHeader("content-type", name.endsWith("js") ? "text/javascript" : "application/wasm").end(readFileSync(join(dist, name)));
  else response.writeHead(404).end();
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const profile = mkdtempSync(join(tmpdir(), "aceso-bench-"));
const flags = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${profile}`];
const chromium = execFile("chromium", [...flags, `http://127.0.0.1:${server.address().port}/`], (error) =>
  heard({ error: error?.code === "ENOENT" ? "there is no chromium here" : "it ended" }),
);
const other = await said;
chromium.kill();
server.close();
setTimeout(() => rmSync(profile, { recursive: true, force: true }), 500);
if (other.error) console.log(`Chromium: ${other.error}`);
else {
  show("Chromium", other);
  if (other.digest !== own.digest) {
    console.error("error: the two give other bytes");
    process.exitCode = 1;
  }
}

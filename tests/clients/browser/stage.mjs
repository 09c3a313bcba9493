// What stands before the page is opened: a chain with both contracts and the model, and a hospital's word for two images.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { Key, Verifier, connect } from "../../../sdk/js/dist/index.js";

import { dicom, drawing } from "./dicom.mjs";
import { startNode } from "../node.mjs";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const models = at("../../../models/");
const contracts = process.env.ACESO_CONTRACTS ?? "";
const NAMES = ["developer", "author", "hospital", "patient", "physician", "insurer", "treasury"];

/**
 * @param {string} folder where files for the page's forms go
 * @param {boolean} committee whether the validator's operator, the hospital, opens sealed records, and a second model is
 *   there
 * @param {Record<string, string>} options more options of `aceso dev`
 */
export async function setStage(folder, committee = false, options = {}) {
  const verifier = await Verifier.load(readFileSync(at("../../../sdk/js/dist/verify.wasm")));
  const words = Object.fromEntries(NAMES.map((name) => [name, Key.newWords()]));
  const keys = Object.fromEntries(
    await Promise.all(NAMES.map(async (name) => [name, await Key.fromWords(words[name])])),
  );
  const fund = NAMES.map((name) => `${keys[name].address("aceso")}=1000000000000uaceso`);
  const operator = committee ? { operator: keys.hospital.address("aceso") } : {};
  const node = await startNode({ "chain-id": "aceso-browser", fund, ui: at("../../../sdk/dapp/dist"), ...operator, ...options });
  try {
    const party = (name) => connect({ rpc: node.rpc, rest: node.rest, verifier, key: keys[name] });
    const parties = Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, await party(name)])));
    const { developer, author, hospital, insurer, treasury } = parties;

    const consent = await developer.deploy(readFileSync(join(contracts, "consent.wasm")), "consent", {});
    const opening = { insurer: null, treasury: treasury.address, denom: "uaceso" };
    const insurance = await insurer.deploy(readFileSync(join(contracts, "insurance.wasm")), "insurance", opening);
    const model = await registerModel(author, "pneumonia");
    if (committee) {
      await registerModel(author, "wdbc");
      const file = join(folder, "operator.words");
      writeFileSync(file, words.hospital, { mode: 0o600 });
      const args = ["opener", "register", "--home", node.home, "--from", file, "--node", node.rpc, "--rest", node.rest];
      execFileSync(process.env.ACESO_NODE, args, { stdio: "pipe" });
    }

    const images = [0, 1].map((variant) => {
      const bytes = dicom(drawing(variant));
      const { pixels, raw } = verifier.image(bytes);
      const files = { image: join(folder, `chest-${variant}.dcm`), origin: join(folder, `origin-${variant}.json`) };
      writeFileSync(files.image, bytes);
      writeFileSync(files.origin, JSON.stringify(originOf(hospital, pixels)));
      return { cid: raw, ...files };
    });
    return { node, parties, words, consent, insurance, model, images };
  } catch (error) {
    await node.stop();
    throw error;
  }
}

/** Registers one of the project's models, or what is made of it, and answers with its id. */
export async function registerModel(author, name, change = (onnx) => onnx) {
  const onnx = change(readFileSync(join(models, name, "model.onnx")));
  const { cid, size } = await author.putBlob(onnx);
  await author.registerBlob(cid, size);
  const manifest = JSON.parse(readFileSync(join(models, name, "manifest.json"), "utf8"));
  return author.registerModel({ ...manifest, onnx: { blob: cid, digest: digestOf(onnx), size: onnx.length } });
}

/** An ONNX file's digest, as its manifest has it. */
function digestOf(onnx) {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(onnx.length));
  return createHash("sha3-256").update("aceso/onnx/v1\0").update(length).update(onnx).digest("hex");
}

/**
 * The bundled model `models/pneumonia`, made to answer with what its first layer sees as well: 16 maps of 28 × 28, too much
 * for an outcome. Protobuf merges what is appended: `ModelProto.graph`, `GraphProto.output`, `ValueInfoProto.name`.
 */
export const withMaps = (onnx) => Buffer.concat([onnx, Buffer.from([0x3a, 6, 0x62, 4, 0x0a, 2, ...Buffer.from("r0")])]);

/** The hospital's signed word for these pixels, as the file that it would give the patient. */
function originOf(hospital, pixels) {
  const statement = { institution: hospital.address, pixels, study: "11".repeat(32), subject: "22".repeat(32) };
  const { publicKey, signature } = hospital.signOrigin(statement);
  const hex = (bytes) => Buffer.from(bytes).toString("hex");
  return { ...statement, public_key: hex(publicKey), signature: hex(signature) };
}

// The same without a page: the package alone, and what a verifier must not believe.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { NodeError, NotProven } from "../../../sdk/js/dist/index.js";

import { setStage } from "./stage.mjs";

const folder = mkdtempSync(join(tmpdir(), "aceso-sdk-"));
const DAY = 24 * 3600;
let stage, policy;

before(
  async () => {
    stage = await setStage(folder);
    const { hospital, insurer, patient } = stage.parties;
    const now = Math.floor(Date.now() / 1000);
    policy = await insurer.createPolicy(stage.insurance, {
      member: patient.address,
      not_before: now - 60,
      not_after: now + DAY,
      covers: [{ model: stage.model, price: "1000000" }],
      origin: [hospital.address],
      split: [
        { to: { institution: {} }, bps: 4000 },
        { to: { author: {} }, bps: 6000 },
      ],
    });
    await insurer.fund(stage.insurance, policy, 5_000_000n);
  },
  { timeout: 120_000 },
);

after(async () => {
  await stage?.node.stop();
  rmSync(folder, { recursive: true, force: true });
});

const request = () => ({ policy, image: stage.images[0].cid, model: stage.model, purpose: "TREAT" });

test("put, register, grant", async () => {
  const { patient, physician } = stage.parties;
  const [{ image, origin, cid }] = stage.images;
  const put = await patient.putBlob(readFileSync(image));
  assert.equal(put.cid, cid);
  const word = JSON.parse(readFileSync(origin, "utf8"));
  const bytes = (name) => Uint8Array.from(Buffer.from(word[name], "hex"));
  const [pixels, study, subject, publicKey, signature] = ["pixels", "study", "subject", "public_key", "signature"].map(
    bytes,
  );
  const signed = { institution: word.institution, pixels, study, subject, publicKey, signature };
  await patient.registerImage({ ...put, guard: stage.consent, origin: signed });
  assert.deepEqual(
    (await patient.images(patient.address)).map((row) => [row.cid, row.guard]),
    [[cid, stage.consent]],
  );
  assert.deepEqual((await patient.image(cid)).origin, signed);

  await assert.rejects(physician.getBlob(cid, true), NodeError);
  const now = Math.floor(Date.now() / 1000);
  const rule = {
    decision: { permit: { max_uses: 1 } },
    actors: [physician.address],
    via: [],
    purposes: ["TREAT"],
    models: [],
    not_before: now - 60,
    not_after: now + DAY,
  };
  assert.equal(await patient.grant(stage.consent, [cid], rule), 1);
  assert.deepEqual(Buffer.from(await physician.getBlob(cid, true)), readFileSync(image));
  await assert.rejects(physician.getBlob(cid), /guarded/, "without a signature");
});

test("request, receipt, verify, recompute", async () => {
  const { author, patient, physician, verifier } = { ...stage.parties, verifier: stage.parties.patient.verifier };
  const { paid: claim } = await physician.requestRead(stage.insurance, request());
  assert.deepEqual(await patient.claims(stage.insurance, policy), [claim]);
  const { verified } = await physician.proven(claim.read, await author.trust());
  assert.deepEqual(verified.receipt.outcome.findings, claim.findings);
  assert.equal(verified.receipt.image, stage.images[0].cid);

  const [row] = await physician.receipts(stage.images[0].cid);
  const { encoded, manifest } = await physician.model(stage.model);
  const onnx = await physician.getBlob(manifest.onnx.blob);
  const image = readFileSync(stage.images[0].image);
  assert.deepEqual(verifier.recompute(row.receipt, encoded, onnx, image), verified.receipt.outcome);
  const other = readFileSync(stage.images[1].image);
  assert.throws(() => verifier.recompute(row.receipt, encoded, onnx, other), /the image file is/);
});

test("no receipt file with one byte changed is believed", async () => {
  const { physician } = stage.parties;
  const trust = await physician.trust();
  const evidence = await physician.evidence(1);
  for (let at = 0; at < evidence.length; at++) {
    const forged = evidence.slice();
    forged[at] ^= 1;
    assert.throws(() => physician.verifier.verify(forged, trust), NotProven, `byte ${at}`);
  }
  const stranger = { ...trust, chain_id: "another" };
  assert.throws(() => physician.verifier.verify(evidence, stranger), /is of chain "aceso-browser"/);
});

test("what the chain refuses is a sentence with its code", async () => {
  const { patient, physician } = stage.parties;
  await assert.rejects(physician.requestRead(stage.insurance, request()), (error) => {
    assert.ok(error instanceof NodeError);
    assert.match(error.message, /is already paid, by read 1\.$/);
    assert.deepEqual([error.codespace, error.code, error.height > 0], ["wasm", 5, true]);
    return true;
  });
  await assert.rejects(physician.revoke(stage.consent, 1), /was given by another account/);
  await assert.rejects(physician.evidence(99), /There is no read 99/);
  await patient.revoke(stage.consent, 1);
  assert.deepEqual(
    (await patient.journal(stage.images[0].cid)).map(({ event }) => Object.keys(event)[0]),
    ["permitted", "read"],
  );
});

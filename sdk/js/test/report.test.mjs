// Results as hospitals' systems take them. The DICOM file is read back by a reader of its own, from PS3.5 and PS3.10.
import assert from "node:assert/strict";
import { test } from "node:test";

import { dicomSr, fhir, reportOf } from "../dist/index.js";

const receipt = {
  chain_id: "clinic-1", read: 7, image: "bafyimage", model: "5f".repeat(32), consent: { actor: "aceso1doctor" },
  sealed: { owner: "aceso1patient" },
};
const manifest = { name: "pneumonia", intended_use: "Research", pipeline: { modalities: ["DX"] } };
const told = {
  findings: [{ id: "pneumonia", present: true }, { id: "effusion of the left side", present: false }],
  scores: [{ label: "pneumonia", value: 90, probability: 873_500 }],
  issued: new Date("2026-11-20T13:05:09.500Z"),
  rests: "It rests on 3 of 4 members.",
  receipt: { name: "read-7.compact", bytes: Uint8Array.of(1, 2, 3) },
};
const report = reportOf(receipt, manifest, told);

test("a FHIR bundle names what was found, by which model, how sure, and the proof", () => {
  const bundle = JSON.parse(fhir(report));
  assert.deepEqual([bundle.resourceType, bundle.type], ["Bundle", "collection"]);
  const resources = bundle.entry.map((entry) => entry.resource);
  const [diagnostic] = resources;
  assert.deepEqual([diagnostic.resourceType, diagnostic.status], ["DiagnosticReport", "preliminary"]);
  assert.equal(diagnostic.subject.identifier.value, "aceso1patient");
  assert.deepEqual(diagnostic.identifier[0], { system: "urn:aceso:clinic-1:read", value: "7" });
  assert.match(diagnostic.conclusion, /pneumonia: present; effusion of the left side: absent\. Computed by a model and not reviewed/);
  assert.equal(diagnostic.presentedForm[0].data, "AQID");
  // Every reference is to something in the bundle.
  const names = new Set(bundle.entry.map((entry) => entry.fullUrl));
  for (const name of names) assert.match(name, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(names.size, resources.length);
  const references = [...JSON.stringify(bundle).matchAll(/"reference":"([^"]+)"/g)].map(([, name]) => name);
  assert.ok(references.length >= 6 && references.every((name) => names.has(name)), references.join());
  const observations = resources.filter((one) => one.resourceType === "Observation");
  assert.deepEqual(
    observations.map((one) => [one.code.text, one.valueCodeableConcept?.coding[0].code ?? one.valueQuantity.value]),
    [["pneumonia", "52101004"], ["effusion of the left side", "2667000"], ["pneumonia", 0.8735]],
  );
});

test("a frame is named where it is not the first", () => {
  const second = reportOf({ ...receipt, frame: 2 }, manifest, told);
  assert.equal(second.image, "bafyimage, frame 2");
  assert.match(fhir(second), /was read of bafyimage, frame 2"/);
  assert.ok(!fhir(report).includes("frame"));
});

test("a table's report is a laboratory's, and an unnamed subject stays so", () => {
  const table = reportOf({ ...receipt, sealed: undefined, consent: null }, { ...manifest, pipeline: { modalities: ["TABLE"] } }, told);
  const [{ resource }] = JSON.parse(fhir(table)).entry;
  assert.equal(resource.category[0].coding[0].code, "LAB");
  assert.ok(!("subject" in resource) && !("performer" in resource));
  assert.equal(parsed(dicomSr(table)).get("0040a043")[0].get("00080100"), "11502-2");
});

test("a structured report is a DICOM file with a tree of codes, numbers and texts", () => {
  const file = dicomSr(report);
  const set = parsed(file);
  assert.equal(set.get("00080016"), "1.2.840.10008.5.1.4.1.1.88.22");
  assert.equal(set.get("00020003"), set.get("00080018"));
  assert.deepEqual([set.get("00080020"), set.get("00080030"), set.get("00100020")], ["20261120", "130509", "aceso1patient"]);
  assert.deepEqual([set.get("0040a491"), set.get("0040a493")], ["PARTIAL", "UNVERIFIED"]);
  const items = set.get("0040a730").map((one) => [one.get("0040a040"), one.get("0040a043")[0].get("00080104"), one]);
  const code = (one) => one.get("0040a168")[0].get("00080104");
  assert.deepEqual(items.slice(0, 2).map(([kind, name, one]) => [kind, name, code(one)]), [
    ["CODE", "pneumonia", "Present"],
    ["CODE", "effusion of the left side", "Absent"],
  ]);
  const [kind, name, number] = items[2];
  assert.deepEqual([kind, name, number.get("0040a300")[0].get("0040a30a")], ["NUM", "pneumonia", "0.8735"]);
  const texts = items.slice(3).map(([kind, name, one]) => `${kind} ${name}: ${one.get("0040a160")}`);
  assert.ok(texts.includes("TEXT Rests on: It rests on 3 of 4 members."), texts.join("\n"));
  // The same read gives the same file; another one other identifiers.
  assert.deepEqual(dicomSr(report), file);
  const other = parsed(dicomSr({ ...report, read: 8 }));
  for (const tag of ["00080018", "0020000d", "0020000e"]) assert.notEqual(other.get(tag), set.get(tag));
});

const many = {
  ...told,
  readings: [
    { class: { name: "view", class: "pa" } },
    { quantity: { name: "heart", micro: -1_500_000, unit: "mm" } },
    { quantity: { name: "far", micro: 9_007_199_254_740_991, unit: "mm" } },
    { mask: { name: "lungs", output: 1, width: 3, height: 2, areas: [{ class: "left", pixels: 5 }, { class: "right", pixels: 1 }] } },
    { maps: { name: "heat", output: 2, width: 3, height: 2, channels: ["first", "second"] } },
  ],
  files: [{ output: 1, npy: Uint8Array.of(9, 8, 7) }],
};

test("classes, quantities and masks leave as they were computed, and nothing is made up for maps", () => {
  const resources = JSON.parse(fhir(reportOf(receipt, manifest, many))).entry.map((entry) => entry.resource);
  const said = resources.filter(({ id }) => id.startsWith("reading-"));
  assert.deepEqual(said.map((one) => one.valueCodeableConcept?.text ?? one.valueQuantity?.value ?? one.valueString), [
    "pa", -1.5, 9_007_199_254.740991, "a mask of 3 × 2 pixels: 5 of left, 1 of right",
    "maps of 3 × 2 values, not interpreted: first, second",
  ]);
  assert.deepEqual(said[3].component.map((one) => [one.code.text, one.valueQuantity.value]), [["left", 5], ["right", 1]]);
  assert.ok(!("component" in said[4]));
  const [, file, ...none] = resources[0].presentedForm;
  assert.deepEqual([file.data, none.length], ["CQgH", 0]);
  assert.match(file.title, /^read-7-output-2\.npy: lungs, a mask of 3 × 2 pixels/);
  const items = parsed(dicomSr(reportOf(receipt, manifest, many))).get("0040a730");
  const shown = items.slice(3).map((one) => {
    const name = one.get("0040a043")[0].get("00080104");
    return `${name}: ${one.get("0040a300")?.[0].get("0040a30a") ?? one.get("0040a160")}`;
  });
  assert.deepEqual(shown.slice(0, 3), ["view: pa", "heart: -1.5", "far: 9007199254.740991 mm"]);
  assert.match(shown[3], /^lungs: a mask of 3 × 2 pixels: 5 of left, 1 of right; in read-7-output-2\.npy, SHA-256 [0-9a-f]{64}$/);
  assert.deepEqual(shown.slice(4, 7), ["left: 5", "right: 1", "heat: maps of 3 × 2 values, not interpreted: first, second"]);
});

/** A file's elements by their tags; sequences as lists of such. Throws for what is not well formed. */
function parsed(file) {
  assert.equal(Buffer.from(file.subarray(128, 132)).toString(), "DICM");
  const all = elements(file.subarray(132));
  const [length] = new Uint32Array(all.get("00020000").slice().buffer);
  const [, first] = [...all.keys()].map((tag, at, tags) => [tag, tags.findIndex((one) => !one.startsWith("0002"))])[0];
  assert.ok(length > 0 && first === 6, `${length} ${first}`);
  return all;
}

function elements(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all = new Map();
  let last = -1;
  for (let at = 0; at < bytes.length; ) {
    const tag = (view.getUint16(at, true) << 16) | view.getUint16(at + 2, true);
    assert.ok(tag > last, "tags ascend");
    last = tag;
    const vr = String.fromCharCode(bytes[at + 4], bytes[at + 5]);
    const long = ["OB", "SQ", "UT"].includes(vr);
    const length = long ? view.getUint32(at + 8, true) : view.getUint16(at + 6, true);
    at += long ? 12 : 8;
    assert.ok(length % 2 === 0 && at + length <= bytes.length, `${tag.toString(16)} has ${length} bytes`);
    const value = bytes.subarray(at, at + length);
    const name = tag.toString(16).padStart(8, "0");
    if (vr === "SQ") all.set(name, items(value));
    else all.set(name, ["OB", "UL"].includes(vr) ? value : Buffer.from(value).toString().replace(/[\0 ]$/, ""));
    at += length;
  }
  return all;
}

function items(bytes) {
  const all = [];
  for (let at = 0; at < bytes.length; ) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    assert.equal((view.getUint16(0, true) << 16) >>> 0, 0xfffe0000);
    const length = view.getUint32(4, true);
    all.push(elements(bytes.subarray(at + 8, at + 8 + length)));
    at += 8 + length;
  }
  return all;
}

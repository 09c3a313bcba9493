/** A result as HL7 FHIR R4: a Bundle with a DiagnosticReport, its Observations and the model as a Device. */
import { toBase64 } from "@cosmjs/encoding";

import type { Reading } from "../records.js";
import { PRELIMINARY, type Report, fileOf, inWords, uidOf, urnOf } from "./report.js";

type Resource = { resourceType: string; id: string } & Record<string, unknown>;

/** Systems of codes that stand in a report. */
const SNOMED = "http://snomed.info/sct";
const LOINC = "http://loinc.org";
const UCUM = "http://unitsofmeasure.org";
const CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category";
const SECTION = "http://terminology.hl7.org/CodeSystem/v2-0074";

const coded = (system: string, code: string, display: string) => ({ coding: [{ system, code, display }], text: display });

/** The bundle, as JSON. Its results are preliminary: no physician has seen them. */
export function fhir(report: Report): string {
  const { chain, read, findings, scores, model } = report;
  const issued = report.issued.toISOString();
  const urn = `urn:aceso:${chain}`;
  const named = (id: string) => urnOf(report, `fhir/${id}`);
  const subject = report.subject && {
    identifier: { system: `${urn}:account`, value: report.subject },
    display: `account ${report.subject}`,
  };
  const about = {
    status: "preliminary",
    ...(subject ? { subject } : {}),
    effectiveDateTime: issued,
    issued,
  };
  const device: Resource = {
    resourceType: "Device",
    id: "model",
    identifier: [{ system: `${urn}:model`, value: model.id }],
    deviceName: [{ name: model.name, type: "model-name" }],
    note: [{ text: model.intended }],
  };
  const category = [coded(CATEGORY, report.imaging ? "imaging" : "laboratory", report.imaging ? "Imaging" : "Laboratory")];
  const observation = (id: string, name: string, value: Record<string, unknown>): Resource => ({
    resourceType: "Observation",
    id,
    ...about,
    category,
    code: { coding: [{ system: `${urn}:model:${model.id}`, code: name, display: name }], text: name },
    device: { reference: named("model") },
    ...value,
  });
  const found = findings.map(({ id, present }, at) =>
    observation(`finding-${at + 1}`, id, {
      valueCodeableConcept: present ? coded(SNOMED, "52101004", "Present") : coded(SNOMED, "2667000", "Absent"),
    }),
  );
  const scored = scores.map(({ label, probability }, at) =>
    observation(`score-${at + 1}`, label, {
      valueQuantity: { value: probability / 1_000_000, unit: "probability", system: UCUM, code: "1" },
    }),
  );
  const readings = report.readings ?? [];
  const coding = (code: string) => ({ coding: [{ system: `${urn}:model:${model.id}`, code, display: code }], text: code });
  const valued = (reading: Reading): Record<string, unknown> => {
    if ("class" in reading) return { valueCodeableConcept: coding(reading.class.class) };
    if ("quantity" in reading) {
      const { micro, unit } = reading.quantity;
      return { valueQuantity: { value: micro / 1_000_000, unit, system: UCUM, code: unit } };
    }
    if ("maps" in reading) return { valueString: inWords(reading).text };
    const component = reading.mask.areas.map((area) => ({
      code: coding(area.class),
      valueQuantity: { value: area.pixels, unit: "pixels", system: UCUM, code: "{pixels}" },
    }));
    return { valueString: inWords(reading).text, component };
  };
  const readOut = readings.map((reading, at) => observation(`reading-${at + 1}`, inWords(reading).name, valued(reading)));
  const files = readings.flatMap((reading) => {
    const file = fileOf(report, reading);
    const title = file && `${file.name}: ${inWords(reading).name}, ${inWords(reading).text} (NumPy's format, with type and shape)`;
    return file ? [{ contentType: "application/octet-stream", title, data: toBase64(file.npy) }] : [];
  });
  const observations = [...found, ...scored, ...readOut];
  const conclusion = findings.map(({ id, present }) => `${id}: ${present ? "present" : "absent"}`).join("; ");
  const diagnostic: Resource = {
    resourceType: "DiagnosticReport",
    id: "report",
    identifier: [
      { system: `${urn}:read`, value: String(read) },
      { system: "urn:ietf:rfc:3986", value: `urn:oid:${uidOf(report, "report")}` },
    ],
    ...about,
    category: [coded(SECTION, report.imaging ? "RAD" : "LAB", report.imaging ? "Radiology" : "Laboratory")],
    code: report.imaging
      ? coded(LOINC, "18748-4", "Diagnostic imaging study")
      : coded(LOINC, "11502-2", "Laboratory report"),
    ...(report.asked
      ? { performer: [{ identifier: { system: `${urn}:account`, value: report.asked }, display: "who asked for the read" }] }
      : {}),
    result: observations.map(({ id }) => ({ reference: named(id) })),
    conclusion: [conclusion, PRELIMINARY, report.rests].filter(Boolean).join(". ").replaceAll("..", "."),
    presentedForm: [
      {
        contentType: "application/octet-stream",
        title: `${report.receipt.name}: by it anybody checks that this is what was read of ${report.image}`,
        data: toBase64(report.receipt.bytes),
      },
      ...files,
    ],
  };
  const bundle = {
    resourceType: "Bundle",
    type: "collection",
    timestamp: issued,
    entry: [diagnostic, ...observations, device].map((resource) => ({
      fullUrl: named(resource.id),
      resource,
    })),
  };
  return `${JSON.stringify(bundle, undefined, 2)}\n`;
}

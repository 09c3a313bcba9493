/**
 * A result as a DICOM structured report (Enhanced SR, PS3.3 A.35.2), a file of PS3.10 in Explicit VR Little Endian. The image's
 * own study is not known from a receipt, so the report has a study of its own; texts are UTF-8.
 */
import { sha256 } from "@cosmjs/crypto";
import { toHex, toUtf8 } from "@cosmjs/encoding";

import { PRELIMINARY, type Report, decimal, fileOf, inWords, uidOf } from "./report.js";

const ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22";
const EXPLICIT_LITTLE = "1.2.840.10008.1.2.1";
/** Of representations with a length of 32 bits behind two reserved bytes (PS3.5 7.1.2), those that are used here. */
const LONG = new Set(["OB", "SQ", "UT"]);
/** Texts in which a backslash has a meaning. */
const SHORT = new Set(["LO", "SH"]);
/** Most characters of a code value (SH) and of its meaning (LO). */
const SH = 16;
const LO = 64;
/** Most characters of a decimal string. */
const DS = 16;

type Element = readonly [tag: number, vr: string, value: string | number | Uint8Array | readonly Element[][]];

/** The report's file. */
export function dicomSr(report: Report): Uint8Array {
  const instance = uidOf(report, "instance");
  const meta = elements([
    [0x00020001, "OB", Uint8Array.of(0, 1)],
    [0x00020002, "UI", ENHANCED_SR],
    [0x00020003, "UI", instance],
    [0x00020010, "UI", EXPLICIT_LITTLE],
    [0x00020012, "UI", uidOf({ ...report, read: 0 }, "implementation")],
  ]);
  const length = elements([[0x00020000, "UL", meta.length]]);
  return joined([new Uint8Array(128), toUtf8("DICM"), length, meta, elements(dataset(report, instance))]);
}

function dataset(report: Report, instance: string): Element[] {
  const stamp = report.issued.toISOString().replace(/[-:]/g, "");
  const [date, time] = [stamp.slice(0, 8), stamp.slice(9, 15)];
  const subject = report.subject?.slice(0, LO) ?? "";
  return [
    [0x00080005, "CS", "ISO_IR 192"],
    [0x00080012, "DA", date],
    [0x00080013, "TM", time],
    [0x00080016, "UI", ENHANCED_SR],
    [0x00080018, "UI", instance],
    [0x00080020, "DA", date],
    [0x00080023, "DA", date],
    [0x00080030, "TM", time],
    [0x00080033, "TM", time],
    [0x00080050, "SH", ""],
    [0x00080060, "CS", "SR"],
    [0x00080070, "LO", "Aceso"],
    [0x00080090, "PN", ""],
    [0x00080201, "SH", "+0000"],
    [0x00081090, "LO", report.model.name.slice(0, LO)],
    [0x00081111, "SQ", []],
    [0x00100010, "PN", ""],
    [0x00100020, "LO", subject],
    [0x00100030, "DA", ""],
    [0x00100040, "CS", ""],
    [0x00181000, "LO", report.model.id.slice(0, LO)],
    [0x0020000d, "UI", uidOf(report, "study")],
    [0x0020000e, "UI", uidOf(report, "series")],
    [0x00200010, "SH", ""],
    [0x00200011, "IS", "1"],
    [0x00200013, "IS", "1"],
    [0x0040a040, "CS", "CONTAINER"],
    [0x0040a043, "SQ", [report.imaging ? code("18748-4", "LN", "Diagnostic imaging study") : code("11502-2", "LN", "Laboratory report")]],
    [0x0040a050, "CS", "SEPARATE"],
    [0x0040a372, "SQ", []],
    [0x0040a491, "CS", "PARTIAL"],
    [0x0040a493, "CS", "UNVERIFIED"],
    [0x0040a730, "SQ", content(report)],
  ];
}

/** The items below the root. */
function content(report: Report): Element[][] {
  const concept = (name: Element[]): Element => [0x0040a043, "SQ", [name]];
  const contains: Element = [0x0040a010, "CS", "CONTAINS"];
  const text = (name: Element[], value: string): Element[] => [
    contains,
    [0x0040a040, "CS", "TEXT"],
    concept(name),
    [0x0040a160, "UT", value],
  ];
  const own = (name: string) => code(name.slice(0, SH), "99ACESO", name);
  const found = report.findings.map(({ id, present }): Element[] => [
    contains,
    [0x0040a040, "CS", "CODE"],
    concept(own(id)),
    [0x0040a168, "SQ", [present ? code("52101004", "SCT", "Present") : code("2667000", "SCT", "Absent")]],
  ]);
  const number = (name: string, unit: Element[], value: string): Element[] => [
    contains,
    [0x0040a040, "CS", "NUM"],
    concept(own(name)),
    [0x0040a300, "SQ", [[[0x004008ea, "SQ", [unit]], [0x0040a30a, "DS", value]]]],
  ];
  const scored = report.scores.map(({ label, probability }) =>
    number(label, code("1", "UCUM", "no units"), String(probability / 1_000_000)),
  );
  const readings = (report.readings ?? []).flatMap((reading): Element[][] => {
    const { name, text: words } = inWords(reading);
    // A decimal string has at most 16 characters (PS3.5 6.2); a longer one stays text rather than be rounded.
    if ("quantity" in reading && decimal(reading.quantity.micro).length <= DS) {
      const { micro, unit } = reading.quantity;
      return [number(name, code(unit.slice(0, SH), "UCUM", unit), decimal(micro))];
    }
    const file = fileOf(report, reading);
    const kept = file ? `; in ${file.name}, SHA-256 ${toHex(sha256(file.npy))}` : "";
    const areas = "mask" in reading ? reading.mask.areas : [];
    const pixels = code("{pixels}", "UCUM", "pixels");
    return [text(own(name), words + kept), ...areas.map((area) => number(area.class, pixels, String(area.pixels)))];
  });
  return [
    ...found,
    ...scored,
    ...readings,
    text(code("121106", "DCM", "Comment"), PRELIMINARY),
    text(code("111001", "DCM", "Algorithm Name"), report.model.name),
    text(code("111003", "DCM", "Algorithm Version"), report.model.id),
    text(own("Intended use"), report.model.intended),
    text(own("Read"), `${report.read} on ${report.chain}, of ${report.image}`),
    text(own("Rests on"), report.rests),
  ];
}

/** A coded entry (PS3.3 8.8). */
const code = (value: string, scheme: string, meaning: string): Element[] => [
  [0x00080100, "SH", value],
  [0x00080102, "SH", scheme],
  [0x00080104, "LO", meaning.slice(0, LO)],
];

/** Elements in the order of their tags. */
function elements(all: readonly Element[]): Uint8Array {
  return joined([...all].sort(([one], [other]) => one - other).map(element));
}

function element([tag, vr, value]: Element): Uint8Array {
  const bytes = valued(vr, value);
  const header = new DataView(new ArrayBuffer(LONG.has(vr) ? 12 : 8));
  header.setUint16(0, tag >>> 16, true);
  header.setUint16(2, tag & 0xffff, true);
  [...vr].forEach((letter, at) => header.setUint8(4 + at, letter.charCodeAt(0)));
  if (LONG.has(vr)) header.setUint32(8, bytes.length, true);
  else header.setUint16(6, bytes.length, true);
  return joined([new Uint8Array(header.buffer), bytes]);
}

/** A value with an even length: texts end with a space, unique identifiers with a zero. */
function valued(vr: string, value: Element[2]): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "number") return new Uint8Array(new Uint32Array([value]).buffer);
  if (typeof value !== "string") return joined(value.map(item));
  // In short texts a backslash stands between values.
  const bytes = toUtf8(SHORT.has(vr) ? value.replaceAll("\\", "/") : value);
  return bytes.length % 2 === 0 ? bytes : joined([bytes, Uint8Array.of(vr === "UI" ? 0 : 0x20)]);
}

/** An item of a sequence, of known length. */
function item(all: readonly Element[]): Uint8Array {
  const bytes = elements(all);
  const header = new DataView(new ArrayBuffer(8));
  header.setUint16(0, 0xfffe, true);
  header.setUint16(2, 0xe000, true);
  header.setUint32(4, bytes.length, true);
  return joined([new Uint8Array(header.buffer), bytes]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

/**
 * What a read came to, on its way into a hospital's systems. Open and sealed reads are one thing here: whoever shows a result
 * exports it, with the receipt that proves it.
 */
import { sha256 } from "@cosmjs/crypto";
import { toHex, toUtf8 } from "@cosmjs/encoding";

import type { Finding, Manifest, OutputFile, Reading, Receipt, Score } from "../records.js";

/** A result that is to be exported. */
export interface Report {
  chain: string;
  /** The read's number on the chain. */
  read: number;
  /** The image's or table's CID, and its frame where that is not the first. */
  image: string;
  /** Its owner's account, where the receipt names one. */
  subject?: string;
  /** Who asked. */
  asked?: string;
  model: { id: string; name: string; intended: string };
  /** Whether the model reads pictures; else it reads tables. */
  imaging: boolean;
  /** The modality that the model reads (DICOM CS). */
  modality: string;
  findings: Finding[];
  scores: Score[];
  /** What else the outputs say. */
  readings?: Reading[];
  /** Masks and maps, where whoever exports has them. */
  files?: OutputFile[];
  /** When it was proven to be so, by the clock of the header or of whoever exports. */
  issued: Date;
  /** On what it rests, in words. */
  rests: string;
  /** The file by which anybody checks it. */
  receipt: { name: string; bytes: Uint8Array };
}

/** The report of a receipt, with what was opened of it where it is sealed. */
export function reportOf(
  receipt: Receipt,
  manifest: Manifest,
  told: Pick<Report, "findings" | "scores" | "readings" | "files" | "issued" | "rests" | "receipt">,
): Report {
  const [modality = ""] = manifest.pipeline.modalities;
  return {
    chain: receipt.chain_id,
    read: receipt.read,
    image: receipt.frame === undefined ? receipt.image : `${receipt.image}, frame ${receipt.frame}`,
    ...(receipt.sealed ? { subject: receipt.sealed.owner } : {}),
    ...(receipt.consent ? { asked: receipt.consent.actor } : {}),
    model: { id: receipt.model, name: manifest.name, intended: manifest.intended_use },
    imaging: modality !== "TABLE",
    modality,
    ...told,
  };
}

/** 16 bytes that say nothing, the same for the same read and purpose: a UUID of version 8 (RFC 9562). */
function named(report: Report, purpose: string): Uint8Array {
  const digest = sha256(toUtf8(["aceso/report/1", purpose, report.chain, String(report.read)].join("\n"))).slice(0, 16);
  digest[6] = (digest[6]! & 0x0f) | 0x80;
  digest[8] = (digest[8]! & 0x3f) | 0x80;
  return digest;
}

/** As DICOM names things (2.25, ITU-T X.667). */
export const uidOf = (report: Report, purpose: string): string =>
  `2.25.${named(report, purpose).reduce((number, byte) => (number << 8n) | BigInt(byte), 0n)}`;

/** As FHIR does. */
export const urnOf = (report: Report, purpose: string): string =>
  `urn:uuid:${toHex(named(report, purpose)).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}`;

/** A reading in words, as it is shown and exported: what was computed, and nothing that was not. */
export function inWords(reading: Reading): { name: string; text: string } {
  if ("class" in reading) return { name: reading.class.name, text: reading.class.class };
  if ("quantity" in reading) {
    const { name, micro, unit } = reading.quantity;
    return { name, text: `${decimal(micro)} ${unit}` };
  }
  if ("mask" in reading) {
    const { name, width, height, areas } = reading.mask;
    const parts = areas.map((area) => `${area.pixels} of ${area.class}`).join(", ");
    return { name, text: `a mask of ${width} × ${height} pixels: ${parts}` };
  }
  const { name, width, height, channels } = reading.maps;
  return { name, text: `maps of ${width} × ${height} values, not interpreted: ${channels.join(", ")}` };
}

/** Millionths as decimals, exactly. */
export const decimal = (micro: number): string => {
  const whole = Math.trunc(Math.abs(micro) / 1_000_000);
  const rest = String(Math.abs(micro) % 1_000_000).padStart(6, "0").replace(/0+$/, "");
  return `${micro < 0 ? "-" : ""}${whole}${rest && `.${rest}`}`;
};

/** The file of a mask or of maps, and its name: it says its own type and shape. */
export function fileOf(report: Pick<Report, "read" | "files">, reading: Reading): { name: string; npy: Uint8Array } | undefined {
  const output = "mask" in reading ? reading.mask.output : "maps" in reading ? reading.maps.output : undefined;
  const file = report.files?.find((one) => one.output === output);
  return file && { name: `read-${report.read}-output-${file.output + 1}.npy`, npy: file.npy };
}

/** What stands in every export: a model's output is no diagnosis. */
export const PRELIMINARY =
  "Computed by a model and not reviewed by a physician. Not a diagnosis; see the model's intended use.";

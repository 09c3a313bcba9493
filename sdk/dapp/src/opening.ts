/** Sealed records opened in this browser: whose key fits, where the bytes come from, how they look. */
import { type Aceso, NotProven, type RecordInner, type RecordRow, type Wrapped, hex, named } from "@aceso/sdk";

import { actorOf } from "./accounts.js";
import { h } from "./dom.js";
import * as files from "./files.js";
import { describe, draw } from "./picture.js";
import { need, readerName } from "./vault.js";

/** What a record is called where its key is derived, registered and granted. */
export const nameOf = (aceso: Aceso, record: RecordRow): string =>
  aceso.verifier.granter.recordName(record.files.map((one) => one.cid));

/** A secret of this account's, and which ciphertext of a record it opens: a wrap's, or the registration's where none is named. */
interface Held {
  secret: Uint8Array;
  from?: Wrapped;
}

/** Runs something with the secrets that open a record's ciphertexts, her own or her reader's keys, and wipes them. */
async function withSecrets<T>(
  aceso: Aceso,
  record: RecordRow,
  use: (held: readonly Held[]) => T | Promise<T>,
): Promise<T> {
  const { store } = need(aceso);
  const held: Held[] = [];
  if (await actorOf(aceso, record.owner)) {
    held.push({ secret: store.key(nameOf(aceso, record)) });
  } else {
    const mine = new Set(store.images);
    for (const { grant } of await aceso.grantsTo(aceso.address)) {
      if (grant?.record !== record.record) continue;
      const place = grant.recipients.findIndex((one) => one.account === aceso.address);
      const name = readerName(grant.recipients[place]?.epoch ?? 0n);
      if (mine.has(name)) held.push({ secret: store.key(name), from: { given: grant, place } });
    }
  }
  try {
    return await use(held);
  } finally {
    held.forEach(({ secret }) => secret.fill(0));
  }
}

const NO_KEY = "No key in your key store opens this record: it was not granted to you, or its key was erased.";

/** Runs something with the content point of a record, and wipes it. Points are tried against what the record commits to. */
export function withPoint<T>(aceso: Aceso, record: RecordRow, use: (point: Uint8Array) => T | Promise<T>): Promise<T> {
  const { grants, granter } = aceso.verifier;
  const commitment = hex(record.commitment);
  return withSecrets(aceso, record, async (held) => {
    for (const { secret, from } of held) {
      const point = grants.open(secret, granter.held(record, from));
      try {
        if (hex(grants.commitment(point)) === commitment) return await use(point);
      } finally {
        point.fill(0);
      }
    }
    throw new Error(NO_KEY);
  });
}

/** Runs something with one of these secrets. All ciphertexts of a record hold the same, as the chain has checked. */
export function withSecret<T>(aceso: Aceso, record: RecordRow, use: (held: Held) => T | Promise<T>): Promise<T> {
  return withSecrets(aceso, record, ([first]) => {
    if (!first) throw new Error(NO_KEY);
    return use(first);
  });
}

/** The sealed file: from this browser, else from the node. */
export async function sealedFile(aceso: Aceso, cid: string): Promise<Uint8Array> {
  const kept = await files.get(cid);
  if (kept) return kept;
  try {
    return await aceso.getBlob(cid);
  } catch (error) {
    throw new Error(
      `The sealed file is not in this browser, and the node does not hand it out (${whyNot(error)}). ` +
        "Nodes hand out sealed files of committees that they serve, and look for new ones every minute: try again, or bring the sealed file.",
    );
  }
}

const whyNot = (error: unknown): string => (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");

/** A result that is too long for its outcome, as that names it. */
export interface Stored {
  blob: string;
  size: number;
}

/** Who keeps the file of a long result, and for how long. */
export async function keptBy(aceso: Aceso, { blob, size }: Stored): Promise<string> {
  const row = await aceso.result(blob);
  if (!row) return `It is a file of ${size} bytes whose term is over, or whose record has ended: nobody has to keep it any more.`;
  const { operators, expires } = row;
  const who = operators.length === 1 ? "1 member of the committee keeps" : `${operators.length} members of the committee keep`;
  return `It is a file of ${size} bytes that ${who} until block ${expires}: ${operators.join(", ")}.`;
}

/** The file of a long result: from this browser, else from the node. What it says shows when it is opened. */
export async function resultFile(aceso: Aceso, stored: Stored): Promise<Uint8Array> {
  const kept = await files.get(stored.blob);
  if (kept) return kept;
  try {
    return await aceso.getBlob(stored.blob);
  } catch (error) {
    if (error instanceof NotProven) throw error;
    throw new Error(
      `The result is not in this browser, and the node does not hand it out (${whyNot(error)}). ${await keptBy(aceso, stored)} ` +
        "Try again, name the node of one who keeps it on the screen “Node”, or bring the file if you have saved it.",
    );
  }
}

/** Takes the file of a long result that was saved before. */
export async function bringResult({ blob, size }: Stored, bytes: Uint8Array): Promise<void> {
  if (bytes.length !== size || !named(blob, bytes))
    throw new Error(`This is not the file that the committee has named: that is ${blob}, of ${size} bytes, and this has ${bytes.length}.`);
  await files.put(blob, bytes);
}

/** Opens a file of a record. The record's bytes are the caller's to wipe. */
export function open(aceso: Aceso, point: Uint8Array, file: Uint8Array): { inner: RecordInner; record: Uint8Array } {
  return aceso.verifier.seals.open(point, file);
}

/** A record on the screen: a picture drawn, anything else to be saved. */
export async function shown(inner: RecordInner, record: Uint8Array): Promise<HTMLElement> {
  if (inner.media.startsWith("image/") || inner.media === "application/dicom") {
    const { canvas, facts } = await draw(record);
    return h("div", {}, canvas, h("p", { className: "soft" }, `${describe(facts)}. Opened in this browser only.`));
  }
  const url = URL.createObjectURL(new Blob([record.slice()], { type: "application/octet-stream" }));
  const save = h("a", { href: url, download: `record.${extension(inner.media)}` }, "Save it");
  return h("p", {}, `${inner.media}, ${record.length} bytes. `, save);
}

/** What can be sealed, by the end of a file's name. Pictures must decode; the rest is taken as it is. */
export const MEDIA: Record<string, string> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  dcm: "application/dicom",
  csv: "text/csv",
  json: "application/fhir+json",
  pdf: "application/pdf",
  vcf: "text/x-vcf",
  xml: "application/xml",
};

const extension = (media: string): string => Object.entries(MEDIA).find(([, one]) => one === media)?.[0] ?? "bin";

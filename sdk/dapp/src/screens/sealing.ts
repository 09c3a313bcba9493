/** Sealing, for the first time and anew: everything happens in this browser before a byte leaves it, one file at a time. */
import { type Aceso, NodeError, type RecordRow, type SealedFile, type SignedOrigin } from "@aceso/sdk";

import { type Payer, type Waiting, actor, emptied, ready } from "../accounts.js";
import { field, h, options } from "../dom.js";
import * as files from "../files.js";
import { MEDIA, nameOf, open, sealedFile, withPoint } from "../opening.js";
import { sentences } from "../sentences.js";
import { isPicture, upload } from "../upload.js";
import * as vault from "../vault.js";

/** Most bytes of a record's file: what committees read (`RECORD_BYTES_MAX` in sdk/verify). */
const RECORD_MAX = 64 << 20;
/** Most files that are sealed under one point (`FILES_MAX` in chain/types). */
const FILES_MAX = 1024;

export function sealing(aceso: Aceso, refresh: () => Promise<void>): HTMLElement {
  const note = h("input", { id: "seal-note", maxLength: 100, autocomplete: "off" });
  const guard = h("input", { id: "seal-guard", autocomplete: "off", spellcheck: false });
  const payer = h("select", { id: "seal-payer" }, ...options(PAYERS));
  const links = h("span", { id: "seal-links", className: "soft", "aria-live": "polite" });
  const tell = () => (links.textContent = sentences.links[payer.value as Payer]);
  payer.addEventListener("change", tell);
  tell();
  const about = {
    name: "seal",
    button: "Seal and upload",
    label: "Files (DICOM, PNG, JPEG, table, FHIR, PDF, VCF, XML)",
    hint: "where the file does not say; sealed with it",
    media: MEDIA,
    files: FILES_MAX,
    bytes: RECORD_MAX,
    why: "committees read records of",
    more: [
      field("A note for yourself", note, "sealed with it"),
      field("Guard (consent contract)", guard, "empty: grants suffice; an insurer’s claims need one"),
      h("div", {}, field("Who pays the fees of its account", payer), links),
    ],
  };
  const made = upload(about, async (chosen, { modality, bodyPart }, tell) => {
    vault.need(aceso);
    const stated = { modality, body_part: bodyPart, note: note.value.trim() };
    const tags = Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== ""));
    const about = { tags, modality: "", bodyPart: "" };
    const each = chosen.map(({ media, bytes }) => async () => {
      const record = await bytes();
      const effort = isPicture(media) ? aceso.verifier.effort(record) : 0n;
      return { ...about, media, effort, bytes: record };
    });
    const who = payer.value as Payer;
    // Whoever waits for a sponsor finds the account's address in the list.
    const account = who === "none" ? undefined : await ready(aceso, who).finally(refresh);
    const { record, cids } = await seal(aceso, each, { guard: guard.value.trim(), account }, tell);
    await refresh();
    const [cid] = cids;
    const [what, lies] =
      cids.length === 1 ? [`File ${cid?.slice(0, 12)}…`, "is"] : [`Its ${cids.length} files`, "are"];
    return `Sealed in this browser and registered as record ${record}. Nobody but you can open it. ${what} ${lies} kept by the node for an hour: let a committee open it before, or upload it again.`;
  });
  made.addEventListener("reset", () => setTimeout(tell));
  return made;
}

const PAYERS: [Payer, string][] = [
  ["sponsor", "a sponsor"],
  ["mine", "my own account"],
  ["none", "nobody: it stands in my own account’s name"],
];

/**
 * Seals a record under a new key, in the place of the old one, which ends with all its grants and loses its key. Where it stands
 * in this account's name, both is one transaction. One with an account of its own gets another one, and nothing of the chain's
 * ties the two to each other. Answers with the new record's number.
 */
export async function reseal(aceso: Aceso, old: RecordRow, tell: (text: string) => void): Promise<bigint> {
  const acts = await actor(aceso, old.owner);
  await emptied(aceso, acts);
  const account = acts === aceso ? undefined : await ready(aceso, "sponsor");
  return withPoint(aceso, old, async (point) => {
    const each = old.files.map(({ cid, modality, bodyPart, effort }) => async () => {
      const { inner, record } = open(aceso, point, await sealedFile(aceso, cid));
      return { media: inner.media, tags: inner.tags, modality, bodyPart, effort, bytes: record };
    });
    const about = { guard: old.guard, origin: old.origin, account, ...(account ? {} : { instead: old.record }) };
    const { record } = await seal(aceso, each, about, tell);
    if (account) {
      await acts.retire(old.record).catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        throw new Error(`Record ${record} is there, but record ${old.record} has not ended: end it. ${why}`);
      });
    }
    await forget(aceso, old);
    return record;
  });
}

/** Erases this account's key of a record, and its files in this browser. */
export async function forget(aceso: Aceso, record: RecordRow): Promise<void> {
  const name = nameOf(aceso, record);
  if (vault.need(aceso).store.images.includes(name)) vault.change(aceso, (store) => store.erase(name));
  await Promise.all(record.files.map((file) => files.drop(file.cid)));
}

/** A file that is to be sealed. */
interface Plain extends Omit<SealedFile, "cid" | "size"> {
  media: string;
  tags: Record<string, string>;
  /** Wiped once they are sealed. */
  bytes: Uint8Array;
}

/** What a record is registered with, and which one it takes the place of. */
interface About {
  guard: string;
  /** The account that has waited for it; this one's name where there is none. */
  account: Waiting | undefined;
  origin?: SignedOrigin | undefined;
  instead?: bigint;
}

/** Seals under one point, stores, registers. The key is written down before the chain is told. */
async function seal(
  aceso: Aceso,
  each: readonly (() => Promise<Plain>)[],
  { guard, account, origin, instead }: About,
  tell: (text: string) => void,
): Promise<{ record: bigint; cids: string[] }> {
  const { grants, granter, seals } = aceso.verifier;
  const acts = account?.acts ?? aceso;
  const point = grants.newPoint();
  const sealed: SealedFile[] = [];
  // One file is sealed while the one before it is on its way, and no more are in memory.
  let sending = Promise.resolve();
  const send = async (file: Uint8Array, stated: Omit<SealedFile, "cid" | "size">) => {
    const { cid, size } = await aceso.putBlob(file);
    sealed.push({ cid, size, ...stated });
    await files.put(cid, file);
  };
  let secret: Uint8Array | undefined;
  try {
    for (const [at, plain] of each.entries()) {
      if (each.length > 1) tell(`Sealing file ${at + 1} of ${each.length} …`);
      const { media, tags, bytes, ...stated } = await plain();
      const file = seals.seal(point, { owner: acts.address, media, tags }, bytes);
      bytes.fill(0);
      await sending;
      sending = send(file, stated);
      // It is waited for above or below, whatever comes in between.
      sending.catch(() => {});
    }
    await sending;
    const cids = sealed.map(({ cid }) => cid);
    const name = granter.recordName(cids);
    vault.change(aceso, (store) => (account ? store.rename(account.name, name) : store.add(name)));
    secret = vault.need(aceso).store.key(name);
    const more = origin ? { guard, origin } : { guard };
    const message = granter.record(aceso.chain.id, acts.address, sealed, secret, point, more);
    try {
      await acts.registerSealed(message, instead);
    } catch (error) {
      // What the chain has refused is on no chain. Where the node fell silent it may be, and the key stays.
      if (error instanceof NodeError && error.codespace === "") throw new Kept(error);
      vault.change(aceso, (store) => (account ? store.rename(name, account.name) : store.erase(name)));
      throw error;
    }
    const row = await aceso.recordOf(acts.address, cids[0] ?? "");
    return { record: row?.record ?? 0n, cids };
  } catch (error) {
    if (error instanceof Kept) throw error.cause;
    await sending.catch(() => {});
    await Promise.all(sealed.map(({ cid }) => files.drop(cid)));
    throw error;
  } finally {
    point.fill(0);
    secret?.fill(0);
  }
}

/** A registration that may have reached the chain. */
class Kept extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

/** The form that seals a record: everything happens in this browser before a byte leaves it. */
import { type Aceso, NodeError, type SealedFile } from "@aceso/sdk";

import { field, h } from "../dom.js";
import * as files from "../files.js";
import { MEDIA } from "../opening.js";
import { type Chosen, upload } from "../upload.js";
import * as vault from "../vault.js";

/** Most bytes of a record's file: what committees read (`RECORD_BYTES_MAX` in sdk/verify). */
const RECORD_MAX = 64 << 20;
/** Most files that are sealed under one point (`FILES_MAX` in chain/types). */
const FILES_MAX = 1024;

export function sealing(aceso: Aceso, refresh: () => Promise<void>): HTMLElement {
  const note = h("input", { id: "seal-note", maxLength: 100, autocomplete: "off" });
  const guard = h("input", { id: "seal-guard", autocomplete: "off", spellcheck: false });
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
    ],
  };
  return upload(about, async (chosen, { modality, bodyPart }, tell) => {
    vault.need(aceso);
    const stated = { modality, body_part: bodyPart, note: note.value.trim() };
    const tags = Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== ""));
    const { record, cids } = await seal(aceso, chosen, tags, guard.value.trim(), tell);
    await refresh();
    const [cid] = cids;
    const [what, lies] =
      cids.length === 1 ? [`File ${cid?.slice(0, 12)}…`, "is"] : [`Its ${cids.length} files`, "are"];
    return `Sealed in this browser and registered as record ${record}. Nobody but you can open it. ${what} ${lies} kept by the node for an hour: let a committee open it before, or upload it again.`;
  });
}

/** Seals under one point, stores, registers. The key is written down before the chain is told. */
async function seal(
  aceso: Aceso,
  chosen: readonly Chosen[],
  tags: Record<string, string>,
  guard: string,
  tell: (text: string) => void,
): Promise<{ record: bigint; cids: string[] }> {
  const { grants, granter, seals } = aceso.verifier;
  const point = grants.newPoint();
  const sealed: SealedFile[] = [];
  const forget = () => Promise.all(sealed.map(({ cid }) => files.drop(cid)));
  let secret: Uint8Array | undefined;
  try {
    for (const [at, one] of chosen.entries()) {
      if (chosen.length > 1) tell(`Sealing file ${at + 1} of ${chosen.length} …`);
      const bytes = await one.bytes();
      const file = seals.seal(point, { owner: aceso.address, media: one.media, tags }, bytes);
      bytes.fill(0);
      const { cid, size } = await aceso.putBlob(file);
      sealed.push({ cid, size, modality: "", bodyPart: "" });
      await files.put(cid, file);
    }
    const cids = sealed.map(({ cid }) => cid);
    const name = granter.recordName(cids);
    vault.change(aceso, (store) => store.add(name));
    secret = vault.need(aceso).store.key(name);
    const message = granter.record(aceso.chain.id, aceso.address, sealed, secret, point, { guard });
    try {
      await aceso.registerSealed(message);
    } catch (error) {
      // What the chain has refused is on no chain. Where the node fell silent it may be, and the key stays.
      if (error instanceof NodeError && error.codespace === "") throw new Kept(error);
      vault.change(aceso, (store) => store.erase(name));
      throw error;
    }
    const row = await aceso.recordOf(aceso.address, cids[0] ?? "");
    return { record: row?.record ?? 0n, cids };
  } catch (error) {
    if (error instanceof Kept) throw error.cause;
    await forget();
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

/** The form that seals a record: everything happens in this browser before a byte leaves it. */
import { type Aceso, NodeError } from "@aceso/sdk";

import { field, fileOf, fill, form, h, line, say, sentenceOf } from "../dom.js";
import * as files from "../files.js";
import { MEDIA } from "../opening.js";
import { describe, draw } from "../picture.js";
import * as vault from "../vault.js";

/** Most bytes of a record: what committees read (`RECORD_BYTES_MAX` in sdk/verify). */
const RECORD_MAX = 64 << 20;

export function sealing(aceso: Aceso, refresh: () => Promise<void>): HTMLElement {
  const accept = Object.keys(MEDIA)
    .map((end) => `.${end}`)
    .join(",");
  const file = h("input", { type: "file", id: "seal-file", required: true, accept });
  const modality = h("input", { id: "seal-modality", maxLength: 16, autocomplete: "off", placeholder: "DX" });
  const part = h("input", { id: "seal-part", maxLength: 16, autocomplete: "off", placeholder: "CHEST" });
  const note = h("input", { id: "seal-note", maxLength: 100, autocomplete: "off" });
  const [looks, says] = [h("div", {}), line()];
  file.addEventListener("change", () => {
    void (async () => {
      fill(looks);
      const { canvas, text } = await looked(await chosen(file), mediaOf(file));
      fill(looks, canvas ?? null, h("p", { className: "soft" }, text));
      say(says, "");
    })().catch((error: unknown) => say(says, `This file cannot be sealed: ${sentenceOf(error)}`, "bad"));
  });
  const made = form(
    "Seal and upload",
    [
      h(
        "div",
        { className: "fields" },
        field("File (DICOM, PNG, table, FHIR, PDF, VCF, XML)", file),
        field("Modality", modality, "where the file does not say; sealed with it"),
        field("Body part", part, "where the file does not say; sealed with it"),
        field("A note for yourself", note, "sealed with it"),
      ),
      says,
      looks,
    ],
    async () => {
      const media = mediaOf(file);
      const bytes = await chosen(file);
      await looked(bytes, media);
      vault.need(aceso);
      const tags = Object.fromEntries(
        [
          ["modality", modality],
          ["body_part", part],
          ["note", note],
        ]
          .map(([name, control]) => [name as string, (control as HTMLInputElement).value.trim()])
          .filter(([, value]) => value !== ""),
      );
      const { record, cid } = await seal(aceso, bytes, media, tags).finally(() => bytes.fill(0));
      made.reset();
      fill(looks);
      await refresh();
      return `Sealed in this browser and registered as record ${record}. Nobody but you can open it. File ${cid.slice(0, 12)}… is kept by the node for an hour: let a committee open it before, or upload it again.`;
    },
  );
  return made;
}

const mediaOf = (file: HTMLInputElement): string => {
  const end = /\.([a-z]+)$/i.exec(file.files?.[0]?.name ?? "")?.[1]?.toLowerCase() ?? "";
  const media = MEDIA[end];
  if (!media)
    throw new Error(
      `A file that ends with “.${end}” is none of those that can be sealed here: ${Object.keys(MEDIA).join(", ")}.`,
    );
  return media;
};

async function chosen(file: HTMLInputElement): Promise<Uint8Array<ArrayBuffer>> {
  const size = file.files?.[0]?.size ?? 0;
  if (size > RECORD_MAX)
    throw new Error(
      `It has ${(size / 2 ** 20).toFixed(1)} MiB, and committees read records of at most ${RECORD_MAX >> 20} MiB.`,
    );
  return fileOf(file);
}

/** What a file is; throws where it is not what it says. */
async function looked(bytes: Uint8Array, media: string): Promise<{ canvas?: HTMLCanvasElement; text: string }> {
  if (!["image/png", "application/dicom"].includes(media)) return { text: `${media}, ${bytes.length} bytes.` };
  const { canvas, facts } = await draw(bytes);
  return { canvas, text: describe(facts) };
}

/** Seals, stores, registers. The key is written down before the chain is told. */
async function seal(
  aceso: Aceso,
  bytes: Uint8Array,
  media: string,
  tags: Record<string, string>,
): Promise<{ record: bigint; cid: string }> {
  const { grants, granter, seals } = aceso.verifier;
  const point = grants.newPoint();
  let secret: Uint8Array | undefined;
  try {
    const file = seals.seal(point, { owner: aceso.address, media, tags }, bytes);
    const { cid, size } = await aceso.putBlob(file);
    await files.put(cid, file);
    vault.change(aceso, (store) => store.add(cid));
    secret = vault.need(aceso).store.key(cid);
    const message = granter.record(
      aceso.chain.id,
      aceso.address,
      [{ cid, size, modality: "", bodyPart: "" }],
      secret,
      point,
    );
    try {
      await aceso.registerSealed(message);
    } catch (error) {
      // What the chain has refused is on no chain. Where the node fell silent it may be, and the key stays.
      if (error instanceof NodeError && error.codespace !== "") {
        vault.change(aceso, (store) => store.erase(cid));
        await files.drop(cid);
      }
      throw error;
    }
    const row = await aceso.recordOf(aceso.address, cid);
    return { record: row?.record ?? 0n, cid };
  } finally {
    point.fill(0);
    secret?.fill(0);
  }
}

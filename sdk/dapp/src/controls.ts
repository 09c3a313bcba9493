/** Controls that several screens have. */
import type { Aceso, RecordRow } from "@aceso/sdk";

import { field, h, options } from "./dom.js";

/** An account, typed or pasted. */
export const accountInput = (aceso: Aceso, id: string): HTMLInputElement =>
  h("input", { id, required: true, autocomplete: "off", spellcheck: false, placeholder: `${aceso.chain.prefix}1…` });

/** The models that can be read with now. */
export async function modelSelect(aceso: Aceso, id: string): Promise<HTMLSelectElement> {
  const active = (await aceso.models()).filter((model) => model.status === 1);
  return h("select", { id, required: true }, ...options(active.map((one) => [one.id, one.manifest.name])));
}

/** What models are called. */
export const modelNames = async (aceso: Aceso): Promise<Map<string, string>> =>
  new Map((await aceso.models()).map((model) => [model.id, model.manifest.name]));

/** Which file of a record: nothing to choose where it has one. */
export function fileOfRecord(
  record: RecordRow,
  id: string,
): { element: HTMLElement | null; cid(): string; shown(): string } {
  const count = record.files.length;
  const which = h("input", { id, type: "number", min: 1, max: count, step: 1, defaultValue: "1", required: true });
  return {
    element: count > 1 ? h("div", { className: "fields" }, field(`File, of ${count} in this study`, which)) : null,
    cid: () => {
      const file = record.files[Number(which.value) - 1];
      if (!file) throw new Error(`This study has files 1 to ${count}, and ${which.value || "none"} was asked for.`);
      return file.cid;
    },
    // While a number is typed the first file's story stays.
    shown: () => (record.files[Number(which.value) - 1] ?? record.files[0])?.cid ?? "",
  };
}

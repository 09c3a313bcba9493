/** Controls that several screens have. */
import type { Aceso, Model, RecordRow } from "@aceso/sdk";

import { field, h, options } from "./dom.js";
import { contract } from "./session.js";

/** An account, typed or pasted. */
export const accountInput = (aceso: Aceso, id: string): HTMLInputElement =>
  h("input", { id, required: true, autocomplete: "off", spellcheck: false, placeholder: `${aceso.chain.prefix}1…` });

/** The models that can be read with now. */
export async function modelSelect(aceso: Aceso, id: string): Promise<HTMLSelectElement> {
  const active = (await aceso.models()).filter((model) => model.status === 1);
  return h("select", { id, required: true }, ...options(active.map((one) => [one.id, one.manifest.name])));
}

/** The models that can be read with now, to be ticked; the only one is. */
export async function modelBoxes(aceso: Aceso, id: string): Promise<{ element: HTMLFieldSetElement; chosen(): Model[] }> {
  const active = (await aceso.models()).filter((model) => model.status === 1);
  const boxes = active.map((model, at) => {
    const box = h("input", { id: `${id}-${at}`, type: "checkbox", value: model.id, defaultChecked: active.length === 1 });
    return { model, box, element: h("label", { className: "check" }, box, model.manifest.name) };
  });
  const none = h("p", { className: "soft" }, "The chain has no model yet.");
  const list = boxes.length > 0 ? boxes.map(({ element }) => element) : [none];
  const element = h("fieldset", { id }, h("legend", {}, "Models"), ...list);
  return { element, chosen: () => boxes.filter(({ box }) => box.checked).map(({ model }) => model) };
}

/** Texts that stand apart, each once. */
export const apart = (control: HTMLInputElement | HTMLTextAreaElement): string[] => [
  ...new Set(control.value.split(/[\s,]+/).filter(Boolean)),
];

/** Contracts through which a read may come, typed or pasted; the insurer's is offered where it is known. */
export async function viaInput(id: string): Promise<{ element: HTMLElement; chosen(): string[] }> {
  const insurance = await contract("insurance");
  const known = insurance ? h("datalist", { id: `${id}-known` }, h("option", { value: insurance }, "the insurance contract")) : null;
  const control = h("input", { id, autocomplete: "off", spellcheck: false, ...(known && { list: known.id }) });
  const hint = "contracts, with spaces between: a read that comes another way is refused; empty: any way";
  return { element: h("div", {}, field("Only through", control, hint), known), chosen: () => apart(control) };
}

/** Which frame of a file is read. What is inside of a sealed file the page does not know, so it is a number, and the first. */
export function frameInput(id: string, turned?: (frame: number) => void): { element: HTMLElement; chosen(): number } {
  const control = h("input", { id, type: "number", min: 1, max: 4294967295, step: 1, defaultValue: "1", required: true });
  control.addEventListener("change", () => control.validity.valid && turned?.(Number(control.value)));
  return {
    element: field("Frame", control, "of a file with several pictures; else 1"),
    chosen: () => {
      const frame = Number(control.value);
      if (!Number.isInteger(frame) || frame < 1 || frame > 4294967295)
        throw new Error(`Frames are counted from 1, and “${control.value || "none"}” was asked for.`);
      return frame;
    },
  };
}

/** The frame as a contract's message names it: not where it is the first, so that contracts that know of none take it. */
export const frameNamed = (frame: number): { frame?: number } => (frame === 1 ? {} : { frame });

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

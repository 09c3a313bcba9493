/** Controls that several screens have. */
import type { Aceso } from "@aceso/sdk";

import { h, options } from "./dom.js";

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

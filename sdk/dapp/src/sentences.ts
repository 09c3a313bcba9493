/** Who learns what, and what a guard can do. Said wherever something is granted, asked or shown. */
import { h } from "./dom.js";

const learns = (): HTMLElement =>
  h(
    "p",
    { className: "note" },
    "Who learns what. Open read: everyone learns this image, this model, the outcome and the payout. " +
      "The guard governs reads and payment, not public bytes: whoever has the picture already can do with it what they like.",
  );
const clinical = (): HTMLElement =>
  h("p", { className: "note" }, h("strong", {}, "Not for clinical use."), " A model's output is no diagnosis.");

export const sentences = { learns, clinical };

/** Purposes that a patient is offered, by their code in HL7 v3 ActReason. */
export const PURPOSES: [code: string, label: string][] = [
  ["TREAT", "treatment (TREAT)"],
  ["ETREAT", "emergency treatment (ETREAT)"],
  ["HPAYMT", "payment (HPAYMT)"],
  ["CLMATTCH", "claim attachment (CLMATTCH)"],
  ["HRESCH", "research (HRESCH)"],
  ["PATRQT", "the patient's request (PATRQT)"],
];

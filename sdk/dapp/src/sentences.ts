/** Who learns what, and what a guard can do. Said wherever something is granted, asked or shown. */
import type { Closed, Disputed, JobStatement, PaidSealed, Refused, SealedTerms } from "@aceso/sdk";

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

/** Who learns what of sealed reads. */
const sealed = (): HTMLElement =>
  h(
    "p",
    { className: "note" },
    "Who learns what. The image is sealed before it leaves this browser; whom you name opens it, nobody else. " +
      "Everyone learns: that there is a sealed file of yours, its length, whom you let open it and until when, and of each read " +
      "which file, which model, who asked, and the payout. What came out is for everyone, for one bit of it, or for who holds the key, as you say below.",
  );

/** Why a read that was made is not paid for. */
function refusal({ reason, pixels }: Refused): string {
  if ("pixels_paid" in reason) return `pixels ${short(pixels)} are already paid, by read ${reason.pixels_paid.read}`;
  if ("study_paid" in reason)
    return `study ${short(reason.study_paid.study)} is already paid, by read ${reason.study_paid.read}`;
  return "no accepted institution vouches for what was read";
}

/** What taking back does, and what it cannot. */
const revoke =
  "It holds for what has not been opened yet: reads in progress are called off, and nobody opens it by this grant from now on. " +
  "Who has opened the record keeps what she saw.";

/** What erasing does, and what it cannot. */
const erase =
  "No grant of it holds any more, and your key of it is erased: it follows from nothing that you still have. " +
  "Destroy older copies of your key store, and deal it to your guardians anew. Erasure binds nobody who kept the picture.";

/** What sealing anew does, and what it cannot. */
const reseal =
  "It is sealed under a new key and new names, so who had the old key does not have this one. All grants of the old record end with it: " +
  "grant anew to whom you still trust. Your old key is erased, so deal your key store to your guardians anew. Who has opened the record keeps what she saw.";

const listed = (all: readonly string[], none: string): string => (all.length === 0 ? none : all.join(", "));
const short = (text: string): string => (text.length > 20 ? `${text.slice(0, 10)}…${text.slice(-6)}` : text);

/** Models by their id. */
export type Names = ReadonlyMap<string, string>;

/** A grant's terms; a committee's are about reads, others' about who opens. */
function terms(of: SealedTerms, committee: boolean, used: number, names: Names): string {
  if (!committee && of.emergency)
    return "To hold the key for emergencies, and to pass it on to who gives a public reason.";
  const passes = of.rewrap ? " May be passed on to others." : "";
  const asks = of.anybody ? "anybody" : listed(of.actors.map(short), "");
  if (!asks) return `To open it themselves; nobody asks for reads by it.${passes}`;
  const models = listed(
    of.models.map((one) => names.get(one) ?? short(one)),
    "any model",
  );
  const purposes = of.purposes.map((code) => PURPOSES.find(([known]) => known === code)?.[1] ?? code);
  const tells = [
    of.findings.length > 0
      ? `everyone learns of ${of.findings.join(" and ")} whether it is there (at most ${of.bits} ${of.bits === 1 ? "bit" : "bits"})`
      : "",
    of.sealed ? "outputs are sealed for who holds the key" : "",
    of.open ? "everyone learns the whole outcome" : "",
  ].filter(Boolean);
  return `For reads that ${asks} may ask for: ${listed(purposes, "no purpose")}, with “${models}”, ${used} of ${of.uses} used; ${tells.join("; ")}.${passes}`;
}

/** Who learns what of one read, before it is asked for and beside its result. */
function discloses(of: JobStatement["disclosure"]): string {
  if (of === "open") return "Open: everyone learns this file, this model, the whole outcome and the payout.";
  if (of === "sealed")
    return "Sealed: who holds the record's key learns the outcome; everyone learns this file, this model and the payout.";
  return `Everyone learns this file, this model, of ${of.predicate.join(" and ")} whether it is there, and the payout.`;
}

/** Why a sealed file could not be read, as every member has seen it. */
const FAILURES: Record<string, string> = {
  key: "the key that was granted is not the one that was registered",
  header: "the file is no sealed file, or of another key",
  owner: "the file names another owner",
  leaf: "the file was changed",
  record: "what was sealed is no record, or too long",
  undecodable: "the record is no image that can be decoded",
  unsuitable: "the record is not what the model reads: another modality, body part or shape",
  inference: "the model refused to run on it",
};
const failure = (reason: string): string => FAILURES[reason] ?? reason;

/** What came of a dispute, said behind where the job stands. */
function disputed(of: Disputed | undefined): string {
  if (!of) return "";
  const { height, wrong, marked } = of;
  const signers = marked === 1 ? "1 member that had signed it is marked" : `${marked} members that had signed it are marked`;
  return wrong
    ? ` Everybody computed it again in block ${height}, and it is FALSE: ${signers}. Do not rely on it.`
    : ` It was disputed: everybody computed it again in block ${height}, and it is true.`;
}

/** On which terms a policy pays for reads of sealed images. */
function accepts(of: PaidSealed | null | undefined): string {
  if (!of) return "not paid for";
  const { accept, disclosure } = of;
  const { members_min: members, power_min_bps: power, required, excluded } = accept;
  const told = "sealed" in disclosure ? "only that it was read is told" : `everyone learns ${disclosure.predicate.findings.join(" and ")}`;
  const parts = [
    `at least ${members} ${members === 1 ? "member" : "members"} with ${power / 100} % of all power`,
    required.length > 0 ? `among them ${required.map(short).join(", ")}` : "",
    excluded.length > 0 ? `without ${excluded.map(short).join(", ")}` : "",
    told,
  ];
  return parts.filter(Boolean).join("; ");
}

/** Why nothing is paid for a claim. */
function closed(reason: Closed): string {
  if ("failed" in reason) return `the committee could not read it: ${failure(reason.failed.failure)}`;
  if ("paid_before" in reason) return `the same pixels, or the same study, were paid for with read ${reason.paid_before.read}`;
  if ("expired" in reason) return "there was no outcome in time";
  if ("cancelled" in reason) return "the patient took the grant back, or ended the record";
  if ("broken" in reason) return "too few members of the committee were left";
  if ("unidentified" in reason) return "the chain does not say which pixels were read";
  if ("unvouched" in reason) return "no accepted institution vouches for what was read";
  if ("released" in reason) return "the insurer let go of it";
  return `the contract says ${JSON.stringify(reason)}`;
}

export const sentences = { learns, refusal, clinical, sealed, revoke, erase, reseal, terms, discloses, failure, disputed, accepts, closed };

/** Purposes that a patient is offered, by their code in HL7 v3 ActReason. */
export const PURPOSES: [code: string, label: string][] = [
  ["TREAT", "treatment (TREAT)"],
  ["ETREAT", "emergency treatment (ETREAT)"],
  ["HPAYMT", "payment (HPAYMT)"],
  ["CLMATTCH", "claim attachment (CLMATTCH)"],
  ["HRESCH", "research (HRESCH)"],
  ["PATRQT", "the patient's request (PATRQT)"],
];

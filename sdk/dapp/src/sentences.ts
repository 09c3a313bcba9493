/** Who learns what, and what a guard can do. Said wherever something is granted, asked or shown. */
import {
  type Closed,
  type ConductRow,
  type JobRow,
  type JobStatement,
  type PaidSealed,
  type Refused,
  type Rule,
  type SealedTerms,
  signersOf,
} from "@aceso/sdk";

import type { Payer } from "./accounts.js";
import { h, upper } from "./dom.js";

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
      "Everyone learns: that there is a sealed file, in whose account’s name, its length, whom that account lets open it and until when, and of each read " +
      "which file, which model, who asked, and the payout. What came out is for everyone, for one bit of it, or for who holds the key, as you say below.",
  );

/** Who sees whom, of the accounts in whose names records stand. */
const names = (): HTMLElement =>
  h(
    "p",
    { className: "note" },
    "Who sees whom. Each record stands in the name of an account of its own, which follows from your key store. Everyone sees that account, who pays its fees, and " +
      "all that is granted, read and paid in its name; nobody sees that two of them are yours. Your sponsor knows them by what you tell it, " +
      "and so does an insurer who writes a policy for one. They become one person’s for everybody if your own account pays for them, if a sponsor pays for you alone, " +
      "or if you send their coins to one place; what you do at the same moment for several of them tells as much.",
  );

/** What follows from who pays for a record's account. */
const links: Record<Payer, string> = {
  sponsor: "Everyone sees that this sponsor pays, as for others; nobody sees that the record is yours.",
  mine: "Everyone sees that your account pays, so that this record is yours, and which others are.",
  none: "Everyone sees that the record is yours, with all others in your account’s name.",
};

/** What a sponsor does and shows. */
const sponsors =
  "You pay the fees of accounts that have no coins: patients’ records have one each, so that nobody sees which are one person’s. Everyone sees for whom you pay. " +
  "Pay for accounts of several people at a time: each is a transaction of its own, in an order that tells nothing of whose they are.";

/** What collecting coins shows. */
const collects = "Everyone sees then that both accounts belong together.";

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
/** “a”, “a and b”, “a, b and c”. */
const both = (all: readonly string[]): string => [all.slice(0, -1).join(", "), ...all.slice(-1)].filter(Boolean).join(" and ");
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
  const models = of.models.map((one) => `“${names.get(one) ?? short(one)}”`);
  const purposes = of.purposes.map((code) => PURPOSES.find(([known]) => known === code)?.[1] ?? code);
  const tells = [
    of.findings.length > 0
      ? `everyone learns of ${of.findings.join(" and ")} whether it is there (at most ${of.bits} ${of.bits === 1 ? "bit" : "bits"}${of.models.length === 1 ? "" : " for each model"})`
      : "",
    of.sealed ? "outputs are sealed for who holds the key" : "",
    of.open ? "everyone learns the whole outcome" : "",
  ].filter(Boolean);
  const through = of.via.length > 0 ? `, only through ${both(of.via.map(short))}` : "";
  return `For reads that ${asks} may ask for${through}: ${listed(purposes, "no purpose")}, with ${both(models) || "any model"}, ${used} of ${of.uses} used; ${tells.join("; ")}.${passes}`;
}

/** What a consent contract's rule lets be done, or not. */
function rule(of: Rule, names: Names): string {
  const models = of.models.map((one) => `“${names.get(one) ?? short(one)}”`);
  const through = of.via.length > 0 ? `, only through ${both(of.via.map(short))}` : "";
  return `${"permit" in of.decision ? "may read" : "may not read"} with ${both(models) || "any model"}${through}`;
}

/** Why an account cannot ask itself. */
const through = (via: readonly string[]): string =>
  `The patient lets reads come only through ${both(via.map(short))}: you cannot ask the committee yourself.`;

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
  frame: "the record has no frame of the number that was asked for",
  unsuitable: "the record is not what the model reads: another modality, body part or shape",
  inference: "the model refused to run on it",
};
const failure = (reason: string): string => FAILURES[reason] ?? reason;

/** What a dispute shows and does, before it is raised. */
function dispute(record: bigint, files: number): string {
  const all = files === 1 ? "" : `, all ${files} files of it`;
  return (
    "Everybody computes this read again, and each member that has signed something else is marked. For that the record’s key is made public: " +
    `from then on everybody can open record ${record}${all}, for good. Taking grants back or ending the record does not change that. ` +
    "The sealed file goes to all validators, and you pay what an open read costs. Nothing that was paid for this read comes back."
  );
}

/** What came of a dispute, said behind where the job stands. `called` is what an operator is called. */
function disputed(job: JobRow, called: (operator: string) => string = short): string {
  if (!job.disputed) return "";
  const { height, wrong, marked } = job.disputed;
  const signers = signersOf(job).map(({ operator }) => called(operator));
  const all = marked === signers.length;
  const which = all ? `marked for it: ${signers.join(", ")}` : `${marked} of its signers are marked for it: they are among ${signers.join(", ")}`;
  return wrong
    ? ` Everybody computed it again in block ${height}, and it is FALSE. Do not rely on it. ${upper(which)}.`
    : ` It was disputed: everybody computed it again in block ${height}, and it is true. Nobody is marked.`;
}

/** How a member has behaved in committees so far. */
function conduct(of: ConductRow | undefined): string {
  const { signed, missed, wrong, lastWrong } = of ?? { signed: 0n, missed: 0n, wrong: 0n, lastWrong: 0n };
  if (signed + missed + wrong === 0n) return "no read so far";
  const many = (count: bigint, one: string, more: string) => `${count} ${count === 1n ? one : more}`;
  const parts = [
    `${many(signed, "read", "reads")} signed with the others`,
    missed > 0n ? `${missed} without its signature (slow, or left out: no fault is proven)` : "",
    wrong > 0n ? `WRONG in ${many(wrong, "read", "reads")}${lastWrong > 0n ? `, last in job ${lastWrong}` : ""}: it signed what is false` : "",
  ];
  return parts.filter(Boolean).join("; ");
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

export const sentences = {
  names,
  links,
  collects,
  sponsors,
  learns,
  refusal,
  clinical,
  sealed,
  revoke,
  erase,
  reseal,
  terms,
  rule,
  through,
  discloses,
  failure,
  dispute,
  disputed,
  conduct,
  accepts,
  closed,
};

/** Purposes that a patient is offered, by their code in HL7 v3 ActReason. */
export const PURPOSES: [code: string, label: string][] = [
  ["TREAT", "treatment (TREAT)"],
  ["ETREAT", "emergency treatment (ETREAT)"],
  ["HPAYMT", "payment (HPAYMT)"],
  ["CLMATTCH", "claim attachment (CLMATTCH)"],
  ["HRESCH", "research (HRESCH)"],
  ["PATRQT", "the patient's request (PATRQT)"],
];

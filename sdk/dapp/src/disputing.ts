/**
 * Disputes: who holds a record's key shows it to everybody, and everybody computes a read again and marks who has signed
 * something else. It cannot be undone, so what it reveals is said first, and confirmed.
 */
import { type Aceso, BLOB_STATUS, type CompactOutcome, type JobRow, type Receipt, type RecordRow } from "@aceso/sdk";

import { actorOf } from "./accounts.js";
import { button, fill, h, line, say, sentenceOf } from "./dom.js";
import { sealedFile, withSecret } from "./opening.js";
import { sentences } from "./sentences.js";
import { session } from "./session.js";

/** Blocks for which the sealed file is everybody's, as each that is read in the open. */
const TERM = 1000n;

/** What became of a sealed read's dispute, or how it is raised. */
export function disputing(receipt: Receipt): HTMLElement {
  const element = h("div", { "data-dispute": receipt.read });
  void draw(element, receipt).catch((error: unknown) => {
    const says = line();
    fill(element, says);
    say(says, `Whether this read was disputed is not known: ${sentenceOf(error)}`, "bad");
  });
  return element;
}

async function draw(element: HTMLElement, receipt: Receipt): Promise<void> {
  const aceso = await session();
  const number = BigInt(receipt.sealed?.job ?? 0);
  const job = await aceso.job(number);
  if (!job) throw new Error(`the node knows no job ${number}`);
  if (job.disputed) return fill(element, ...(await ended(aceso, job)));
  const record = await aceso.record(job.record);
  if (!record) throw new Error(`the node knows no record ${job.record}`);
  fill(element, raising(aceso, job, record, receipt.image, () => draw(element, receipt)));
}

/** What everybody has found, and who is marked for it. */
async function ended(aceso: Aceso, job: JobRow): Promise<HTMLElement[]> {
  const validators = await aceso.validators();
  const called = (operator: string) => {
    const name = validators.find((one) => one.operator === operator)?.name;
    return name ? `${name} (${operator})` : operator;
  };
  const text = sentences.disputed(job, called).trim();
  if (!job.disputed?.wrong) return [h("p", {}, text)];
  const found = aceso.verifier.granter.outcome(job.disputed.outcome);
  return [h("p", { className: "says bad", role: "alert" }, text), h("p", {}, foundInstead(found))];
}

function foundInstead(outcome: CompactOutcome): string {
  if ("failed" in outcome) return `What is true: it cannot be read, because ${sentences.failure(outcome.failed)}.`;
  if ("predicate" in outcome) {
    const findings = outcome.predicate.findings.map(({ id, present }) => `${id} is ${present ? "there" : "not there"}`);
    return `What is true: ${findings.join(", ")}.`;
  }
  return "The model’s output is another one; “Verify here” computes it.";
}

function raising(aceso: Aceso, job: JobRow, record: RecordRow, cid: string, changed: () => Promise<void>): HTMLElement {
  const says = line();
  const sure = h("input", { id: `dispute-sure-${job.job}`, type: "checkbox" });
  const send = button(
    "Show the key and have it computed again",
    says,
    async () => {
      if (!sure.checked) throw new Error(`Confirm first that record ${record.record} is opened to everybody.`);
      await raise(aceso, job, record, cid, (text) => say(says, text));
      await changed();
    },
    { id: `dispute-${job.job}` },
  );
  return h(
    "details",
    {},
    h("summary", {}, "Dispute it"),
    h("p", { className: "note" }, sentences.dispute(record.record, record.files.length)),
    h("label", { className: "check" }, sure, `Record ${record.record} shall be open to everybody from now on`),
    h("div", { className: "row" }, send),
    says,
  );
}

/** Nothing leaves before this account's secret has opened the record; the file is there before the key is shown. */
async function raise(aceso: Aceso, { job }: JobRow, record: RecordRow, cid: string, tell: (text: string) => void): Promise<void> {
  const { granter } = aceso.verifier;
  const shown = await withSecret(aceso, record, ({ secret, from }) =>
    granter.dispute({ chainId: aceso.chain.id, job, record, ...(from && { from }) }, secret),
  );
  // The account that owns the record, where it is hers: no other account of hers is seen beside it.
  const acts = (await actorOf(aceso, record.owner)) ?? aceso;
  try {
    tell("Giving the sealed file to the validators …");
    await publish(acts, cid);
    tell("Everybody computes it again …");
    await acts.dispute(shown);
  } finally {
    shown.point.fill(0);
  }
}

/** Has the validators hold the sealed file, where they do not already. */
async function publish(aceso: Aceso, cid: string): Promise<void> {
  const row = await aceso.blob(cid);
  const status = row && BLOB_STATUS[row.status];
  if (status === "available") return;
  const put = await aceso.putBlob(await sealedFile(aceso, cid));
  if (put.cid !== cid) throw new Error(`The node calls the sealed file ${put.cid}, and it is registered as ${cid}.`);
  if (status === "pending") await aceso.waitAvailable(cid);
  else await aceso.registerBlob(cid, put.size, TERM);
}

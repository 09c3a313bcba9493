/** The physician's sealed reads: grants by which she may ask, the committee, its progress in blocks, the outcome. */
import { type Aceso, type CommitteeMember, type GrantRow, JOB_STATUS, type JobRow, type Policy, type RecordRow } from "@aceso/sdk";

import { actorOf } from "../accounts.js";
import * as cards from "../cards.js";
import { sealedAt } from "../claims.js";
import { results } from "../committee.js";
import { fileOfRecord, frameInput, modelNames } from "../controls.js";
import { field, fileOf, fill, form, h, id, sentenceOf, when } from "../dom.js";
import { sentences } from "../sentences.js";
import { contract } from "../session.js";
import { claiming } from "./claiming.js";
import { breaking, mine } from "./holding.js";
import { request } from "./request.js";

/** Between two looks at a job that is open, in milliseconds. */
const LOOK_MS = 500;

/** `decided` runs when something may have become of a claim. */
export async function asking(
  aceso: Aceso,
  decided: () => Promise<void>,
): Promise<{ element: HTMLElement; refresh(): Promise<void>; stop(): void }> {
  const [studies, direct] = [h("div", { className: "cards" }), h("div", { className: "cards" })];
  const known = new Map<string, Study>();
  const asked = asker(aceso);
  const opened = new Set<string>();

  // One look at a time: two at once would draw a new grant twice.
  let looking = Promise.resolve();
  const refresh = () => (looking = looking.catch(() => {}).then(look));

  async function look(): Promise<void> {
    for (const card of cards.cards(aceso)) {
      const name = `${card.granter}/${card.grant}`;
      if (known.has(name)) continue;
      if (card.terms.actors.length === 0 && !card.terms.anybody) continue;
      const row = await aceso.sealedGrant(card.granter, BigInt(card.grant));
      const record = await aceso.record(BigInt(card.record));
      if (!row?.grant || !record) continue;
      const one = await study(aceso, card, record, row.grant.committee, asked, decided);
      known.set(name, one);
      studies.prepend(one.element);
    }
    if (known.size > 0) {
      const all = await asked();
      for (const one of known.values()) await one.refresh(all);
    }
    for (const { grant, revoked } of await aceso.grantsTo(aceso.address)) {
      const name = grant && `${grant.granter}/${grant.grant}`;
      if (!name || grant.committee || revoked > 0n || opened.has(name)) continue;
      const record = await aceso.record(grant.record);
      if (!record || record.retired > 0n || (await actorOf(aceso, record.owner))) continue;
      opened.add(name);
      direct.append(mine(aceso, record, grant));
    }
  }

  const bring = h("input", { type: "file", id: "card-file", required: true, accept: ".json,application/json" });
  const importing = form("Bring a grant’s terms", [field("The file that the patient gave you", bring)], async () => {
    const { card } = await cards.read(aceso, new TextDecoder().decode(await fileOf(bring)));
    cards.keep(aceso, card);
    await refresh();
    return `Grant ${card.grant} is here: it stays in this browser.`;
  });
  const element = h(
    "section",
    { "aria-labelledby": "asking-h" },
    h("h2", { id: "asking-h" }, "Sealed reads"),
    studies,
    direct,
    importing,
  );
  await refresh();
  return { element, refresh, stop: () => known.forEach((one) => one.stop()) };
}

/** What this account has asked committees for, itself or at an insurer's cost, and what its patients' policies pay for. */
interface Asked {
  jobs: readonly JobRow[];
  policies: readonly Policy[];
}

function asker(aceso: Aceso): () => Promise<Asked> {
  // Jobs that have ended stay as they are, but for a dispute, which the next visit shows.
  const ended = new Map<number, JobRow>();
  const jobOf = async (number: number) => {
    const job = ended.get(number) ?? (await aceso.job(BigInt(number)));
    if (job && JOB_STATUS[job.status] !== "open") ended.set(number, job);
    return job;
  };
  return async () => {
    const own = await aceso.jobs(aceso.address);
    const insurance = await contract("insurance");
    if (!insurance) return { jobs: own, policies: [] };
    const owners = new Set(cards.cards(aceso).map(({ owner }) => owner));
    const policies = (await Promise.all([...owners].map((owner) => aceso.policies(insurance, owner)))).flat();
    // A claim's job is the contract's own; that it was claimed for this account says the contract.
    const claims = await sealedAt(aceso, insurance, policies, aceso.address);
    const claimed = await Promise.all(claims.map(({ job }) => jobOf(job)));
    const jobs = [...own, ...claimed.filter((job) => job !== undefined)];
    return { jobs: jobs.sort((one, other) => Number(one.job - other.job)), policies };
  };
}

interface Study {
  element: HTMLElement;
  refresh(asked: Asked): Promise<void>;
  stop(): void;
}

async function study(
  aceso: Aceso,
  card: cards.Card,
  record: RecordRow,
  committees: boolean,
  asked: () => Promise<Asked>,
  decided: () => Promise<void>,
): Promise<Study> {
  const { terms } = card;
  const [state, committee, progress] = [
    h("p", { className: "soft" }),
    h("div", {}),
    h("ul", { className: "jobs", "aria-live": "polite" }),
  ];
  const reads = results();
  // Bits that were known already, by the reads that disclosed them, whoever asked for those.
  const known = new Set<bigint>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;

  async function refresh({ jobs, policies }: Asked): Promise<void> {
    const [row, members, height] = await Promise.all([
      aceso.sealedGrant(card.granter, BigInt(card.grant)),
      aceso.members(),
      aceso.height(),
    ]);
    if (!row?.grant) return;
    claim?.refresh(
      policies.filter(({ terms }) => terms.member === card.owner),
      names,
    );
    fill(state, standing(row, card));
    fill(committee, ...membersOf(row, members));
    const here = jobs.filter((job) => job.granter === card.granter && String(job.grant) === card.grant);
    fill(
      progress,
      ...[...here].reverse().map((job) => h("li", { "data-job": String(job.job) }, told(aceso, job, height))),
    );
    const done = here.filter((job) => job.read > 0n).map((job) => job.read);
    const missing = [...new Set([...done, ...known])].filter((read) => !reads.has(read));
    const rows = await Promise.all(missing.map((read) => aceso.receiptOf(read)));
    await reads.take(rows.filter((row) => row !== undefined));
    if (here.some((job) => JOB_STATUS[job.status] === "open")) later();
  }
  async function again(): Promise<void> {
    await refresh(await asked());
    await decided();
  }
  function later(): void {
    if (stopped || timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      again().catch((error: unknown) => {
        progress.querySelector(".lost")?.remove();
        progress.prepend(h("li", { className: "lost" }, `${sentenceOf(error)} Looking again.`));
        later();
      });
    }, LOOK_MS);
  }

  const names = await modelNames(aceso);
  const which = fileOfRecord(record, `file-${card.granter}-${card.grant}`);
  const frame = frameInput(`frame-${card.granter}-${card.grant}`);
  const insurance = await contract("insurance");
  const may = (requester: string) => terms.via.length === 0 || terms.via.includes(requester);
  const claim = committees && !terms.emergency && may(insurance) ? claiming(aceso, card, record, which.cid, frame.chosen, again) : undefined;
  const element = h(
    "article",
    { "aria-label": `Grant ${card.grant} of ${card.granter}` },
    h("h3", {}, `Record ${card.record} of patient `, id(card.owner)),
    h(
      "p",
      {},
      sentences.terms(terms, committees, 0, names).replace(/, 0 of (\d+) used/, ", $1 reads in all"),
    ),
    state,
    committee,
    committees && which.element,
    committees && h("div", { className: "fields" }, frame.element),
    committees && !may(aceso.address) && h("p", { className: "soft" }, sentences.through(terms.via)),
    committees
      ? may(aceso.address) &&
        (await request(aceso, card, which.cid, frame.chosen, async (read) => {
          if (read !== undefined) known.add(read);
          await again();
        }))
      : breaking(aceso, card),
    claim?.element,
    progress,
    reads.element,
  );
  return {
    element,
    refresh,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function standing({ grant, revoked, uses }: GrantRow, { terms }: cards.Card): string {
  if (revoked > 0n)
    return `The patient took this grant back in block ${revoked}. What you have seen stays with you; nothing new is read by it.`;
  const until = Number(grant?.expires ?? 0n);
  const reads = grant?.committee ? `; ${uses} of ${terms.uses} reads used` : "";
  return `${until * 1000 < Date.now() ? "It is over since" : "It holds until"} ${when(until)}${reads}.`;
}

function membersOf({ grant }: GrantRow, members: readonly CommitteeMember[]): HTMLElement[] {
  if (!grant?.committee) return [];
  const total = members.reduce((sum, { validator }) => sum + validator.power, 0n);
  const list = grant.recipients.map(({ account }) => {
    const { validator: one, conduct } = members.find(({ validator }) => validator.operator === account) ?? {};
    return h(
      "li",
      {},
      one?.name || "",
      one?.name ? " (" : "",
      id(account),
      one?.name ? ")" : "",
      one ? `, power ${one.power} of ${total}: ` : ", who validates no more",
      one && h("span", { className: conduct && conduct.wrong > 0n ? "says bad" : "soft" }, sentences.conduct(conduct)),
    );
  });
  const alone =
    grant.recipients.length === 1
      ? h("p", { className: "soft" }, "A committee of one is as good as its one member.")
      : null;
  return [h("h4", {}, `Its committee of ${grant.recipients.length}`), h("ul", {}, ...list), ...(alone ? [alone] : [])];
}

/** Where a job stands, in blocks. */
function told(aceso: Aceso, job: JobRow, height: number): string {
  const { granter } = aceso.verifier;
  const { requested, disclosure, frame } = granter.statement(job.statement);
  const what =
    typeof disclosure === "object"
      ? disclosure.predicate.join(" and ")
      : disclosure === "sealed"
        ? "a sealed outcome"
        : "the whole outcome";
  const asked = `Job ${job.job} for ${what}${frame === undefined ? "" : ` of frame ${frame}`}, asked for in block ${requested}`;
  const back = "Price and rewards were given back.";
  switch (JOB_STATUS[job.status]) {
    case "open": {
      const left = Math.max(0, Number(job.deadline) - height);
      return `${asked}: the committee is at work. The chain is at block ${height}; it has until block ${job.deadline}, ${left} more ${left === 1 ? "block" : "blocks"}.`;
    }
    case "done":
      return `${asked}, answered in block ${job.closed}: read ${job.read}.${sentences.disputed(job)}`;
    case "expired":
      return `${asked}: no answer by block ${job.deadline}. ${back}`;
    case "cancelled":
      return `${asked}: called off in block ${job.closed}, because the patient took the grant back or ended the record. ${back}`;
    default:
      return `${asked}: ended in block ${job.closed}, because too few of the committee are left. ${back}`;
  }
}

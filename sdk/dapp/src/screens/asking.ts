/** The physician's sealed reads: grants by which she may ask, the committee, its progress in blocks, the outcome. */
import {
  type Aceso,
  DISCLOSE,
  type GrantRow,
  JOB_STATUS,
  type JobRow,
  type MsgGrant,
  type RecordRow,
  type ValidatorRow,
  attribute,
} from "@aceso/sdk";

import * as cards from "../cards.js";
import { accountInput, modelNames } from "../controls.js";
import { results } from "../committee.js";
import { button, field, fileOf, fill, form, h, id, line, options, sentenceOf, when } from "../dom.js";
import * as files from "../files.js";
import { open, sealedFile, shown, withPoint } from "../opening.js";
import { sentences } from "../sentences.js";
import { need, readerName } from "../vault.js";

/** Blocks within which a committee has to answer. */
const TERM = 200;
/** Between two looks at a job that is open, in milliseconds. */
const LOOK_MS = 500;

export async function asking(aceso: Aceso): Promise<{ element: HTMLElement; refresh(): Promise<void>; stop(): void }> {
  const [studies, direct] = [h("div", { className: "cards" }), h("div", { className: "cards" })];
  const known = new Map<string, Study>();
  const opened = new Set<string>();

  // One look at a time: two at once would draw a new grant twice.
  let looking = Promise.resolve();
  const refresh = () => (looking = looking.catch(() => {}).then(look));

  async function look(): Promise<void> {
    for (const card of cards.cards(aceso)) {
      const name = `${card.granter}/${card.grant}`;
      if (card.granter === aceso.address || known.has(name)) continue;
      if (card.terms.actors.length === 0 && !card.terms.anybody) continue;
      const row = await aceso.sealedGrant(card.granter, BigInt(card.grant));
      const record = await aceso.record(BigInt(card.record));
      if (!row?.grant || !record) continue;
      const one = await study(aceso, card, record, row.grant.committee);
      known.set(name, one);
      studies.prepend(one.element);
    }
    const jobs = known.size > 0 ? await aceso.jobs(aceso.address) : [];
    for (const one of known.values()) await one.refresh(jobs);
    for (const { grant, revoked } of await aceso.grantsTo(aceso.address)) {
      const name = grant && `${grant.granter}/${grant.grant}`;
      if (!name || grant.committee || revoked > 0n || opened.has(name)) continue;
      const record = await aceso.record(grant.record);
      if (!record || record.retired > 0n || record.owner === aceso.address) continue;
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

/** A record whose key was wrapped for this account. */
function mine(aceso: Aceso, record: RecordRow, given: MsgGrant): HTMLElement {
  const [says, picture] = [line(), h("div", {})];
  const see = button("Open it here", says, () =>
    withPoint(aceso, record, async (point) => {
      const { inner, record: bytes } = open(aceso, point, await sealedFile(aceso, cid));
      fill(picture, await shown(inner, bytes));
      bytes.fill(0);
    }),
  );
  const cid = record.files[0]?.cid ?? "";
  const file = h("input", { type: "file", id: `bring-${record.record}`, required: true });
  const bring = form("Bring it", [field("The sealed file, where the node does not hand it out", file)], async () => {
    const bytes = await fileOf(file);
    if (aceso.verifier.seals.header(bytes).owner !== record.owner)
      throw new Error("This is a sealed file of another owner.");
    await files.put(cid, bytes);
    return "It is in this browser now; whether it is the record’s shows when it is opened.";
  });
  return h(
    "article",
    { "aria-label": `Record ${record.record} that you may open by grant ${given.grant} of ${given.granter}` },
    h("h3", {}, `Record ${record.record} of patient `, id(record.owner)),
    h(
      "p",
      { className: "soft" },
      `Its key was wrapped for your reader’s key by grant ${given.grant} of `,
      id(given.granter),
      `, until ${when(Number(given.expires))}: you open it yourself, and nobody is asked.`,
    ),
    h("div", { className: "row" }, see),
    says,
    picture,
    h("details", {}, h("summary", {}, "Bring the sealed file"), bring),
    h("details", {}, h("summary", {}, "Pass its key on"), passing(aceso, record, given)),
  );
}

/**
 * Wraps what was wrapped for this account for somebody else: where its terms let it be passed on, or in an emergency that
 * she has declared. The chain judges.
 */
function passing(aceso: Aceso, record: RecordRow, given: MsgGrant): HTMLElement {
  const to = accountInput(aceso, `pass-${given.granter}-${given.grant}`);
  const hint =
    "She gets the key until this grant or her reader’s key ends, and the patient sees that it came from you. Without terms that allow it (bring them below), only who has broken the glass is given it.";
  return form("Pass it on", [h("p", { className: "soft" }, hint), field("Account", to)], async () => {
    const { granter } = aceso.verifier;
    const reader = await aceso.reader(to.value.trim());
    if (!reader)
      throw new Error(`${to.value.trim()} has registered no reader’s key: she does that on her screen “Key”.`);
    const place = given.recipients.findIndex((one) => one.account === aceso.address);
    const terms = cards.cardOf(aceso, given.granter, given.grant)?.terms;
    const { store } = need(aceso);
    const secret = store.key(readerName(given.recipients[place]?.epoch ?? 0n));
    const grant = await aceso.nextGrant();
    const from = { given, place, ...(terms?.rewrap ? { terms } : {}) };
    try {
      await aceso.giveSealed(
        granter.grant(
          {
            chainId: aceso.chain.id,
            granter: aceso.address,
            grant,
            record,
            from,
            recipients: [reader],
            committee: false,
            expires: given.expires < reader.expires ? given.expires : reader.expires,
            terms: granter.newTerms(),
          },
          secret,
        ),
      );
    } finally {
      secret.fill(0);
    }
    return `Passed on by your grant ${grant}.`;
  });
}

interface Study {
  element: HTMLElement;
  refresh(jobs: readonly JobRow[]): Promise<void>;
  stop(): void;
}

async function study(aceso: Aceso, card: cards.Card, record: RecordRow, committees: boolean): Promise<Study> {
  const { terms } = card;
  const cid = record.files[0]?.cid ?? "";
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

  async function refresh(jobs: readonly JobRow[]): Promise<void> {
    const [row, members, height] = await Promise.all([
      aceso.sealedGrant(card.granter, BigInt(card.grant)),
      aceso.members(),
      aceso.height(),
    ]);
    if (!row?.grant) return;
    fill(state, standing(row, card));
    fill(
      committee,
      ...membersOf(
        row,
        members.map((one) => one.validator),
      ),
    );
    const here = jobs.filter((job) => job.granter === card.granter && String(job.grant) === card.grant);
    fill(
      progress,
      ...[...here].reverse().map((job) => h("li", { "data-job": String(job.job) }, told(aceso, job, height))),
    );
    const done = new Set(here.filter((job) => job.read > 0n).map((job) => job.read));
    const receipts = await aceso.receipts(cid);
    await reads.take(receipts.filter((one) => done.has(one.read) || known.has(one.read)));
    if (here.some((job) => JOB_STATUS[job.status] === "open")) later();
  }
  function later(): void {
    if (stopped || timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      (async () => refresh(await aceso.jobs(aceso.address)))().catch((error: unknown) => {
        progress.querySelector(".lost")?.remove();
        progress.prepend(h("li", { className: "lost" }, `${sentenceOf(error)} Looking again.`));
        later();
      });
    }, LOOK_MS);
  }

  const element = h(
    "article",
    { "aria-label": `Grant ${card.grant} of ${card.granter}` },
    h("h3", {}, `Record ${card.record} of patient `, id(card.owner)),
    h(
      "p",
      {},
      sentences.terms(terms, committees, 0, await modelNames(aceso)).replace(/, 0 of (\d+) used/, ", $1 reads in all"),
    ),
    state,
    committee,
    committees
      ? await request(aceso, card, record, async (read) => {
          if (read !== undefined) known.add(read);
          await refresh(await aceso.jobs(aceso.address));
        })
      : breaking(aceso, card),
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

function membersOf({ grant }: GrantRow, validators: readonly ValidatorRow[]): HTMLElement[] {
  if (!grant?.committee) return [];
  const total = validators.reduce((sum, one) => sum + one.power, 0n);
  const list = grant.recipients.map(({ account }) => {
    const one = validators.find((row) => row.operator === account);
    return h(
      "li",
      {},
      one?.name || "",
      one?.name ? " (" : "",
      id(account),
      one?.name ? ")" : "",
      one ? `, power ${one.power} of ${total}` : ", who validates no more",
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
  const { requested, disclosure } = granter.statement(job.statement);
  const what =
    typeof disclosure === "object"
      ? disclosure.predicate.join(" and ")
      : disclosure === "sealed"
        ? "a sealed outcome"
        : "the whole outcome";
  const asked = `Job ${job.job} for ${what}, asked for in block ${requested}`;
  const back = "Price and rewards were given back.";
  switch (JOB_STATUS[job.status]) {
    case "open": {
      const left = Math.max(0, Number(job.deadline) - height);
      return `${asked}: the committee is at work. The chain is at block ${height}; it has until block ${job.deadline}, ${left} more ${left === 1 ? "block" : "blocks"}.`;
    }
    case "done":
      return `${asked}, answered in block ${job.closed}: read ${job.read}.`;
    case "expired":
      return `${asked}: no answer by block ${job.deadline}. ${back}`;
    case "cancelled":
      return `${asked}: called off in block ${job.closed}, because the patient took the grant back or ended the record. ${back}`;
    default:
      return `${asked}: ended in block ${job.closed}, because too few of the committee are left. ${back}`;
  }
}

/** Asks those who hold the key for emergencies. */
function breaking(aceso: Aceso, card: cards.Card): HTMLElement {
  const reason = h("input", {
    id: `reason-${card.granter}-${card.grant}`,
    maxLength: 1000,
    required: true,
    autocomplete: "off",
  });
  const why = field("Why it is an emergency", reason, "public for ever, and the patient is told");
  return form("Ask for the key", [why], async () => {
    const reader = await aceso.reader(aceso.address);
    if (!reader)
      throw new Error("You have registered no reader’s key, so nobody can wrap for you: do that on the screen “Key”.");
    const { granter, grant, expires, terms } = card;
    await aceso.breakGlass({
      actor: aceso.address,
      epoch: reader.epoch,
      granter,
      grant: BigInt(grant),
      terms: aceso.verifier.granter.terms(terms, BigInt(expires)).bytes,
      reason: reason.value.trim(),
    });
    return "The patient is told, and those who hold the key may pass it on to you: it then stands below.";
  });
}

/** The request. The chain refuses what the terms do not allow, before anything is paid. */
async function request(
  aceso: Aceso,
  card: cards.Card,
  record: RecordRow,
  done: (known?: bigint) => Promise<void>,
): Promise<HTMLElement> {
  const { terms } = card;
  const name = `${card.granter}-${card.grant}`;
  const models = (await aceso.models()).filter((one) => one.status === 1);
  const allowed = (model: string) => terms.models.length === 0 || terms.models.includes(model);
  const sorted = [...models].sort((one, other) => Number(allowed(other.id)) - Number(allowed(one.id)));
  const model = h(
    "select",
    { id: `model-${name}`, required: true },
    ...options(
      sorted.map((one) => [one.id, allowed(one.id) ? one.manifest.name : `${one.manifest.name} (not granted)`]),
    ),
  );
  const purpose = h(
    "select",
    { id: `purpose-${name}`, required: true },
    ...options(terms.purposes.map((code) => [code, code])),
  );
  const ways: [string, string][] = [
    ...(terms.findings.length > 0 ? [["predicate", "one bit a finding, for everyone"] as [string, string]] : []),
    ...(terms.sealed ? [["sealed", "all of it, for who holds the key"] as [string, string]] : []),
    ...(terms.open ? [["open", "all of it, for everyone"] as [string, string]] : []),
  ];
  const disclose = h("select", { id: `disclose-${name}`, required: true }, ...options(ways));
  const finding = h("select", { id: `finding-${name}` }, ...options(terms.findings.map((one) => [one, one])));
  const findings = field("Finding", finding);
  const reason = h("input", { id: `reason-${name}`, maxLength: 1000, required: terms.emergency, autocomplete: "off" });
  const learns = h("p", { className: "note" });
  const tell = () => {
    findings.hidden = disclose.value !== "predicate";
    learns.textContent = sentences.discloses(asked(disclose.value, finding.value));
  };
  const made = form(
    "Ask the committee",
    [
      h(
        "div",
        { className: "fields" },
        field("Model", model),
        field("Purpose", purpose),
        field("What becomes known", disclose),
        findings,
        terms.emergency && field("Why it is an emergency", reason, "public for ever, and the patient is told"),
      ),
      learns,
    ],
    async () => {
      const height = await aceso.height();
      const { job, events } = await aceso.askCommittee({
        requester: aceso.address,
        actor: aceso.address,
        model: Uint8Array.from(model.value.match(/../g) ?? [], (pair) => parseInt(pair, 16)),
        owner: card.owner,
        image: record.files[0]?.cid ?? "",
        granter: card.granter,
        grant: BigInt(card.grant),
        terms: aceso.verifier.granter.terms(terms, BigInt(card.expires)).bytes,
        purpose: purpose.value,
        disclose: DISCLOSE.indexOf(disclose.value as (typeof DISCLOSE)[number]),
        findings: disclose.value === "predicate" ? [finding.value] : [],
        accept: undefined,
        deadline: BigInt(height + TERM),
        callbackGas: 0n,
        reason: terms.emergency ? reason.value.trim() : "",
      });
      const read = attribute(events, "request_read", "read");
      await done(read === undefined ? undefined : BigInt(read));
      return job > 0n
        ? `Job ${job} is with the committee.`
        : "That bit was known already: it is told again for nothing, below.";
    },
  );
  made.addEventListener("input", tell);
  tell();
  return made;
}

const asked = (way: string, finding: string) =>
  way === "predicate" ? { predicate: [finding] } : (way as "open" | "sealed");

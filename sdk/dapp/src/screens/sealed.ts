/** The patient's sealed records: sealed here, granted, taken back, ended; who can open them, and what came of them. */
import type { Aceso, GrantRow, JournalEntry, RecordRow, ReviewRow, Rule, ValidatorRow } from "@aceso/sdk";

import { actor, emptied, records as recordsOf } from "../accounts.js";
import type { Card } from "../cards.js";
import { results } from "../committee.js";
import { fileOfRecord, modelNames } from "../controls.js";
import { button, download, fill, h, id, line, say, sentenceOf, upper } from "../dom.js";
import { holds, whoOpens } from "../openers.js";
import { nameOf, open, sealedFile, shown, withPoint } from "../opening.js";
import { type Names, sentences } from "../sentences.js";
import { session } from "../session.js";
import * as vault from "../vault.js";
import { granting } from "./granting.js";
import { behind } from "./guardians.js";
import { ruleTable, ruling } from "./consenting.js";
import { naming, standing } from "./names.js";
import { forget, reseal, sealing } from "./sealing.js";

/** Most images that a guard takes in one grant. */
const IMAGES_MAX = 64;

export async function sealed(main: HTMLElement): Promise<() => Promise<void>> {
  const aceso = await session();
  const records = h("div", { className: "cards" });
  const giving = await granting(aceso, () => refresh());
  const locked = h("div", {});
  const names = naming(aceso, () => refresh());
  fill(
    main,
    h("h1", {}, "Sealed records"),
    sentences.sealed(),
    locked,
    h("section", { "aria-labelledby": "sealed-h" }, h("h2", { id: "sealed-h" }, "My sealed records"), records),
    h(
      "section",
      { "aria-labelledby": "give-h" },
      h("h2", { id: "give-h" }, "Let somebody open or read"),
      giving.element,
    ),
    h(
      "section",
      { "aria-labelledby": "seal-h" },
      h("h2", { id: "seal-h" }, "Seal a record"),
      sealing(aceso, () => refresh()),
    ),
    names.element,
  );
  const known = new Map<bigint, Shown>();
  async function refresh(): Promise<void> {
    const [mine, members, models] = await Promise.all([
      recordsOf(aceso),
      aceso.members(),
      modelNames(aceso),
      names.refresh(),
    ]);
    const validators = members.map((one) => one.validator);
    fill(locked, ...(vault.unlocked(aceso) ? [] : [lockedNote(aceso)]), behindNote(aceso));
    for (const record of mine) {
      const one = known.get(record.record) ?? shownRecord(aceso, record, refresh);
      known.set(record.record, one);
      await one.refresh(record, validators, models);
    }
    const elements = mine.map(({ record }) => known.get(record)!.element).reverse();
    if (elements.length !== records.childElementCount || elements.length === 0 || elements.some((element, at) => records.children[at] !== element))
      fill(
        records,
        ...(elements.length > 0
          ? elements
          : [h("p", { className: "soft" }, vault.file(aceso) === undefined || vault.unlocked(aceso) ? "Nothing is sealed for you yet." : "Which records are yours stands in your key store alone.")]),
      );
    giving.refresh(
      mine.filter((record) => record.retired === 0n),
      members,
    );
  }
  await refresh();
  return refresh;
}

function lockedNote(aceso: Aceso): HTMLElement {
  const what =
    vault.file(aceso) === undefined ? "You have no key store in this browser yet" : "Your key store is locked";
  return h(
    "p",
    { className: "says bad", id: "locked" },
    `${what}: to seal, grant and open `,
    h("a", { href: "#key" }, "go to the screen Key"),
    ".",
  );
}

/** That guardians hold an older key store, where this browser knows it. */
function behindNote(aceso: Aceso): HTMLElement | null {
  const words = behind(aceso);
  return words === undefined ? null : h("p", { className: "says bad", id: "behind" }, `${words} `, h("a", { href: "#guardians" }, "Go to the screen Guardians"), ".");
}

interface Shown {
  element: HTMLElement;
  refresh(record: RecordRow, validators: ValidatorRow[], models: Names): Promise<void>;
}

function shownRecord(aceso: Aceso, first: RecordRow, changed: () => Promise<void>): Shown {
  let record = first;
  const [facts, picture, openers, reviews, says] = [
    h("p", { className: "soft" }),
    h("div", {}),
    h("div", {}),
    h("div", {}),
    line(),
  ];
  const reads = results();
  const which = fileOfRecord(first, `file-${first.record}`);
  const named = standing(aceso, first.record, changed);
  const consent = h("div", {});
  const see = button(
    "Open it here",
    says,
    async () => {
      await withPoint(aceso, record, async (point) => {
        const { inner, record: bytes } = open(aceso, point, await sealedFile(aceso, which.cid()));
        const notes = Object.entries(inner.tags).map(([name, value]) => `${name.replace("_", " ")} ${value}`);
        fill(
          picture,
          await shown(inner, bytes),
          notes.length > 0 && h("p", { className: "soft" }, `Sealed with it: ${notes.join(", ")}.`),
        );
        bytes.fill(0);
      });
    },
    { id: `open-${first.record}` },
  );
  const save = button("Save the sealed file", says, async () =>
    download(`record-${first.record}.sealed`, await sealedFile(aceso, which.cid())),
  );
  const again = button("Upload it again", says, async () => {
    for (const { cid } of record.files) {
      const put = await aceso.putBlob(await sealedFile(aceso, cid));
      if (put.cid !== cid) throw new Error(`The node calls it ${put.cid}, and it is registered as ${cid}.`);
    }
    return "The node has what was sealed again, for an hour or as long as a committee may open it.";
  });
  const asked = first.guard ? guarding(aceso, first, consent, changed) : undefined;
  const anew = resealing(aceso, () => record, changed);
  const end = ending(aceso, () => record, changed);
  const controls = h("div", { className: "row" }, see, save, again);
  const ends = h("div", {}, end);
  const element = h(
    "article",
    { id: `record-${first.record}`, "aria-label": `Sealed record ${first.record}` },
    h("h3", {}, `Record ${first.record}`),
    facts,
    named.element,
    which.element,
    controls,
    says,
    picture,
    openers,
    reviews,
    reads.element,
    consent,
    anew,
    ends,
  );

  which.element?.addEventListener("change", () => void changed().catch((error: unknown) => say(says, sentenceOf(error), "bad")));
  async function refresh(row: RecordRow, validators: ValidatorRow[], models: Names): Promise<void> {
    record = row;
    const over = row.retired > 0n;
    fill(
      facts,
      row.files.length > 1 ? `A study of ${row.files.length} files` : id(row.files[0]?.cid ?? ""),
      `, ${row.files.reduce((sum, file) => sum + Number(file.size), 0)} sealed bytes, registered in block ${row.height}${row.guard ? ", guarded" : ""}`,
      over ? `, ended in block ${row.retired}.` : ".",
    );
    controls.hidden = anew.hidden = consent.hidden = over;
    if (which.element) which.element.hidden = over;
    const cid = which.shown();
    // A record may have ended while its key stayed: a page that was closed in between, a copy that was brought back.
    ends.hidden = over && !vault.unlocked(aceso)?.store.images.includes(nameOf(aceso, row));
    const [rows, items, entries, receipts] = await Promise.all([
      aceso.grantsOf(row.record),
      row.reviews > 0n ? aceso.reviews(row.record) : [],
      aceso.journal(cid),
      aceso.receipts(cid),
      named.refresh(row),
      asked?.(models),
    ]);
    fill(
      openers,
      whoOpens(aceso, row, rows, validators, models, (one, card) => acting(aceso, row, one, card, rows, changed)),
    );
    fill(reviews, ...reviewing(items), ...asking(row.owner, entries));
    await reads.take(receipts.filter((one) => aceso.verifier.receipt(one.receipt).sealed?.owner === row.owner));
  }
  return { element, refresh };
}

/**
 * What a record's guard is told, in the name of the account that the record stands in: an insurer's claim needs both its consent
 * and a committee's grant. Answers with what looks anew at it.
 */
function guarding(aceso: Aceso, record: RecordRow, into: HTMLElement, changed: () => Promise<void>): (models: Names) => Promise<void> {
  const { guard, owner, files } = record;
  const [list, says] = [h("div", {}), line()];
  const cids = files.map(({ cid }) => cid);
  const told = async (models: Names) => {
    const acts = await actor(aceso, owner);
    const all = await acts.grants(guard, { patient: owner });
    const given = all.filter(({ grant }) => grant.images.some((image) => cids.includes(image)));
    fill(list, ruleTable([{ guard, acts, given }], models, says, changed, "It consents to no read yet."));
  };
  let begun: Promise<void> | undefined;
  const begin = async () => {
    const give = async (rule: Rule) => {
      const grant = await (await actor(aceso, owner)).grant(guard, cids.slice(0, IMAGES_MAX), rule, true);
      await changed();
      return grant;
    };
    const form = await ruling(aceso, `consent-${record.record}`, [], give);
    fill(
      into,
      h(
        "details",
        {},
        h("summary", {}, "Consent at its guard"),
        h("p", { className: "soft" }, "What an insurer pays for needs the guard’s consent, besides a committee that may open it."),
        list,
        says,
        form,
      ),
    );
  };
  return async (models) => {
    await (begun ??= begin());
    // A guard of another kind does not know the question, and a locked store does not say who may ask.
    await told(models).catch(() => {});
  };
}

/** What stands beside a grant that holds: its terms as a file, and taking it back. */
function acting(
  aceso: Aceso,
  { owner }: RecordRow,
  row: GrantRow,
  card: Card | undefined,
  all: readonly GrantRow[],
  changed: () => Promise<void>,
): (Node | string)[] {
  const { granter, grant } = row.grant!;
  const says = line();
  const called = granter === owner ? `grant ${grant}` : `grant ${grant} of ${granter}`;
  const revoke = button(
    "Take it back",
    says,
    async () => {
      await (await actor(aceso, owner)).revokeSealed(granter, grant);
      await changed();
      notice(`${upper(called)} is taken back from the next transaction on. ${sentences.revoke}`);
    },
    { id: `take-${granter}-${grant}`, "aria-label": `Take ${called} back` },
  );
  const gone = all.filter(
    (one) => one.grant?.from?.granter === granter && one.grant.from.grant === grant && holds(one, all),
  ).length;
  const save =
    card &&
    button(
      "Save its terms",
      says,
      async () => {
        download(`grant-${grant}.json`, JSON.stringify(card, null, 1));
        return "Give them to whom you named: to ask, she shows them to the chain.";
      },
      { "aria-label": `Save the terms of ${called}` },
    );
  const also = gone > 0 ? [h("span", { className: "soft" }, `With it ${gone} that came of it. `)] : [];
  return [h("span", { className: "row" }, ...also, ...(save ? [save] : []), revoke), says];
}

/** Said once at the top of the list, where the control that did it is gone. */
function notice(text: string): void {
  const heading = document.getElementById("sealed-h");
  document.getElementById("sealed-notice")?.remove();
  const says = h("p", { id: "sealed-notice", role: "status" });
  heading?.after(says);
  say(says, text, "good");
}

/** Emergencies: what a patient is to look at. */
function reviewing(items: readonly ReviewRow[]): HTMLElement[] {
  if (items.length === 0) return [];
  const list = items.map((item) =>
    h(
      "li",
      { "data-review": String(item.review) },
      `In block ${item.height} `,
      id(item.actor),
      " broke the glass by grant ",
      `${item.grant}: “${item.reason}”. `,
      item.job > 0n
        ? `She had the committee read it: job ${item.job}.`
        : item.passedOnBy
          ? h("span", {}, "She was given the key by ", id(item.passedOnBy), ", and can open it.")
          : "She asked for the key; nobody has passed it on yet.",
    ),
  );
  return [h("h4", {}, "For your review: emergencies"), h("ul", { className: "reviews" }, ...list)];
}

/** Who asked committees to read it: the journal's lines, newest first. */
function asking(owner: string, entries: readonly JournalEntry[]): HTMLElement[] {
  const list = entries.flatMap(({ height, event }) => {
    if (!("requested" in event) || event.requested.owner !== owner) return [];
    const { actor, purpose, grant, job, use } = event.requested;
    const answered = job > 0 ? `job ${job}` : "known already";
    return [
      h("li", {}, `In block ${height} `, id(actor), ` for ${purpose}, use ${use} of grant ${grant}: ${answered}.`),
    ];
  });
  return list.length > 0
    ? [h("h4", {}, "Who asked for reads"), h("ul", { className: "asked" }, ...list.reverse())]
    : [];
}

/** Sealing a record anew: for whom its key is no secret any more. */
function resealing(aceso: Aceso, record: () => RecordRow, changed: () => Promise<void>): HTMLElement {
  const says = line();
  const number = record().record;
  const anew = button(
    "Seal it anew and end the old one",
    says,
    async () => {
      // Whoever waits for a sponsor finds the next account's address in the list.
      const made = await reseal(aceso, record(), (text) => say(says, text)).catch(async (error: unknown) => {
        await changed();
        throw error;
      });
      await changed();
      notice(`Record ${number} is record ${made} now. ${sentences.reseal}`);
    },
    { id: `reseal-${number}`, "aria-label": `Seal record ${number} anew` },
  );
  return h(
    "details",
    {},
    h("summary", {}, "Seal it anew"),
    h("p", { className: "soft" }, sentences.reseal),
    h("div", { className: "row" }, anew),
    says,
  );
}

/** Ending a record: asked twice, because it cannot be undone. */
function ending(aceso: Aceso, record: () => RecordRow, changed: () => Promise<void>): HTMLElement {
  const says = line();
  const number = record().record;
  const sure = button(
    "End it and erase its key",
    says,
    async () => {
      const row = record();
      vault.need(aceso);
      const acts = await actor(aceso, row.owner);
      await emptied(aceso, acts);
      if (row.retired === 0n) await acts.retire(row.record);
      await forget(aceso, row);
      await changed();
      notice(`Record ${row.record} has ended. ${sentences.erase}`);
    },
    { id: `end-${number}`, "aria-label": `End record ${number} and erase its key` },
  );
  return h(
    "details",
    {},
    h("summary", {}, "End this record"),
    h("p", { className: "soft" }, `This cannot be undone. ${sentences.erase}`),
    h("div", { className: "row" }, sure),
    says,
  );
}

/** Who can open a sealed record today, in plain sentences. */
import type { Aceso, GrantRow, RecordRow, ValidatorRow } from "@aceso/sdk";

import { type Card, cardOf } from "./cards.js";
import { type Child, h, id, when } from "./dom.js";
import { type Names, sentences } from "./sentences.js";

const key = (granter: string, grant: bigint) => `${granter}/${grant}`;

/** Whether a grant, and all that it was passed on from, holds at this second. */
export function holds(row: GrantRow, all: readonly GrantRow[], now = Date.now() / 1000): boolean {
  const byName = new Map(all.flatMap((one) => (one.grant ? [[key(one.grant.granter, one.grant.grant), one]] : [])));
  for (let at: GrantRow | undefined = row; at;) {
    const { grant, revoked } = at;
    if (!grant || revoked > 0n || Number(grant.expires) <= now) return false;
    if (!grant.from) return true;
    at = byName.get(key(grant.from.granter, grant.from.grant));
  }
  return false;
}

/** A grant's name for people: its owner's by its number, others' with who gave it. */
const called = (record: RecordRow, granter: string, grant: bigint): Child[] =>
  granter === record.owner ? [`your grant ${grant}`] : [`grant ${grant} of `, id(granter)];

/** The lists, for the record's owner. `act` puts controls beside a grant that holds. */
export function whoOpens(
  aceso: Aceso,
  record: RecordRow,
  rows: readonly GrantRow[],
  validators: readonly ValidatorRow[],
  models: Names,
  act: (row: GrantRow, card: Card | undefined) => Child[],
): HTMLElement {
  const now: HTMLElement[] = [h("li", {}, "You, with your key store.")];
  const emergency: HTMLElement[] = [];
  const before: HTMLElement[] = [];
  const own = (row: GrantRow) => (row.grant?.granter === record.owner ? 0 : 1);
  for (const row of [...rows].sort((one, other) => own(one) - own(other))) {
    const { grant } = row;
    if (!grant) continue;
    const card = cardOf(aceso, grant.granter, grant.grant);
    const who = grant.recipients.flatMap(({ account }, at) => {
      const name = validators.find((one) => one.operator === account)?.name;
      return [at > 0 ? ", " : "", id(account), name ? ` (${name})` : ""];
    });
    const source: Child[] = [...called(record, grant.granter, grant.grant)];
    if (grant.from)
      source.push(
        ", passed on by ",
        id(grant.granter),
        " from ",
        ...called(record, grant.from.granter, grant.from.grant),
      );
    const members = grant.recipients.length;
    const kind = grant.committee ? `Each member of a committee of ${members}: ` : members > 1 ? "Each of these: " : "";
    const line = (tail: Child[]) => h("li", { "data-grant": `${grant.granter}/${grant.grant}` }, kind, ...who, ...tail);
    if (record.retired > 0n || !holds(row, rows)) {
      const ended =
        row.revoked > 0n
          ? `taken back in block ${row.revoked}`
          : record.retired > 0n
            ? `ended with the record in block ${record.retired}`
            : `over since ${when(Number(grant.expires))}`;
      before.push(line([", by ", ...source, `, ${ended}.`]));
      continue;
    }
    const terms = card
      ? sentences.terms(card.terms, grant.committee, row.uses, models)
      : "What it is for is not known in this browser: its terms are not here.";
    const element = line([
      `, until ${when(Number(grant.expires))}, by `,
      ...source,
      ". ",
      terms,
      " ",
      ...act(row, card),
    ]);
    if (card?.terms.emergency) emergency.push(element);
    else now.push(element);
  }
  const list = (title: string, items: HTMLElement[]) =>
    items.length > 0 ? [h("h4", {}, title), h("ul", {}, ...items)] : [];
  return h(
    "div",
    { className: "who-opens" },
    ...list(
      "Who can open this today",
      record.retired > 0n ? [h("li", {}, "Nobody by the chain: the record has ended.")] : now,
    ),
    ...list("In an emergency, with a public reason", emergency),
    ...list("Could open it before, and keeps what she then saw", before),
  );
}

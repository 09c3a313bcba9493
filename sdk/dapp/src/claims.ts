/** Claims at the insurance contract: who has made which, what was decided and why, who is paid what, and what is still owed. */
import type { Aceso, Claim, Policy, Refused, SealedClaim } from "@aceso/sdk";

import { button, h, id, line, table, upper, when } from "./dom.js";
import { badge } from "./receipt.js";
import { sentences } from "./sentences.js";
import { coins } from "./session.js";

/** Most accounts that are asked about for what is owed to them. */
const ACCOUNTS_MAX = 100;

/** Claims and refused reads, the latest first. */
export interface Claims {
  open: Claim[];
  refused: Refused[];
  sealed: SealedClaim[];
}

/** What was claimed at these policies; of one account where it is named. */
export async function claimsAt(
  aceso: Aceso,
  at: string,
  policies: readonly Policy[],
  actor?: string,
): Promise<Claims> {
  const each = async <T extends { actor: string }>(ask: (policy: number) => Promise<T[]>, of = policies) =>
    (await Promise.all(of.map(({ id }) => ask(id)))).flat().filter((one) => actor === undefined || one.actor === actor);
  const [open, refused, sealed] = await Promise.all([
    each((policy) => aceso.claims(at, policy)),
    each((policy) => aceso.refusedReads(at, policy)),
    sealedAt(aceso, at, policies, actor),
  ]);
  const later = (one: { read: number }, other: { read: number }) => other.read - one.read;
  return { open: open.sort(later), refused: refused.sort(later), sealed };
}

/** Of these only claims for sealed images, the latest first. */
export async function sealedAt(
  aceso: Aceso,
  at: string,
  policies: readonly Policy[],
  actor?: string,
): Promise<SealedClaim[]> {
  const paying = policies.filter(({ terms }) => terms.sealed);
  const all = (await Promise.all(paying.map(({ id }) => aceso.sealedClaims(at, id)))).flat();
  return all.filter((one) => actor === undefined || one.actor === actor).sort((one, other) => other.job - one.job);
}

/** Whether the share of an account in a claim is still owed; unsaid where it was not asked. */
type Owed = ReadonlyMap<string, boolean>;
const shareOf = (job: number, to: string) => `${job}/${to}`;

/**
 * Which shares of paid claims are owed and not sent yet. Whoever settles sends an account all that it is owed, so what it is
 * owed now are the latest of its shares.
 */
export async function owed(aceso: Aceso, at: string, claims: readonly SealedClaim[]): Promise<Owed> {
  const paid = claims
    .flatMap(({ job, status }) => ("paid" in status ? [{ job, ...status.paid }] : []))
    .sort((one, other) => other.read - one.read);
  const accounts = [...new Set(paid.flatMap(({ paid }) => paid.map(({ to }) => to)))].slice(0, ACCOUNTS_MAX);
  const due = await Promise.all(accounts.map((account) => aceso.due(at, account)));
  const left = new Map(accounts.map((account, place) => [account, due[place]!]));
  const known = new Map<string, boolean>();
  for (const { job, paid: shares } of paid) {
    for (const { to, amount } of shares) {
      const before = left.get(to);
      if (before === undefined) continue;
      left.set(to, before - BigInt(amount));
      known.set(shareOf(job, to), before >= BigInt(amount));
    }
  }
  return known;
}

/** Badges of claimed reads with what they found, each checked once. */
export type Badges = Map<number, Checked>;

interface Checked {
  mark: HTMLElement;
  finding: HTMLElement;
}

/** The badge of a claim's receipt, and what was found once that is proven. */
function checked(read: number): Checked {
  const finding = h("span", {}, "…");
  const mark = badge(read, (_, __, proof) => {
    const findings = proof?.verified.receipt.outcome.findings ?? [];
    const words = findings.map(({ id, present }) => `${upper(id)}: ${present ? "present" : "not present"}`);
    finding.textContent = proof ? words.join("; ") : "not proven";
  });
  return { mark, finding };
}

export function claimTable(claims: readonly Claim[], badges: Badges, denom: string): HTMLElement {
  const rows = claims.map((claim) => {
    if (!badges.has(claim.read)) badges.set(claim.read, checked(claim.read));
    const { mark, finding } = badges.get(claim.read)!;
    const paid = claim.paid.reduce((sum, payment) => sum + BigInt(payment.amount), BigInt(claim.fee));
    return [
      claim.read,
      claim.policy,
      finding,
      mark,
      shares(paid, `read fee to the model’s author: ${coins(claim.fee, denom)}`, claim.paid, denom),
      id(claim.actor),
      when(claim.time),
    ];
  });
  return table(["Read", "Policy", "Finding", "Receipt", "Paid", "Asked by", "When"], rows, "Nothing was claimed yet.");
}

/** Claims for sealed images, with what was decided and why. */
export function sealedTable(claims: readonly SealedClaim[], badges: Badges, owed: Owed, denom: string): HTMLElement {
  const rows = claims.map(({ job, policy, status, actor, time, deadline, reserved }) => {
    const proven = (read: number) => {
      if (!badges.has(read)) badges.set(read, checked(read));
      return badges.get(read)!;
    };
    const mark = (read: number) => h("span", {}, `read ${read} `, proven(read).mark);
    let [decided, read, sum]: [HTMLElement | string, HTMLElement | string, HTMLElement | string] = [
      `open: the committee has until block ${deadline}`,
      "",
      `${coins(reserved, denom)} kept for it`,
    ];
    if ("paid" in status) {
      const { members, power, total, fee, paid } = status.paid;
      const share = total > 0 ? Math.round((1000 * power) / total) / 10 : 0;
      const by = `${members} ${members === 1 ? "member" : "members"} with ${share} % of all power`;
      const states = paid.map(({ to }) => owed.get(shareOf(job, to)));
      const sent = states.includes(true)
        ? " Its shares are owed until somebody settles."
        : states.every((state) => state === false)
          ? " Its shares were sent."
          : "";
      decided = h("span", {}, h("strong", {}, "Paid."), `${sent} Read by ${by}. `, proven(status.paid.read).finding);
      read = mark(status.paid.read);
      const all = paid.reduce((sum, payment) => sum + BigInt(payment.amount), BigInt(fee));
      sum = shares(all, `the read, to the model’s author and the committee: ${coins(fee, denom)}`, paid, denom, (to) =>
        owed.get(shareOf(job, to)),
      );
    } else if ("closed" in status) {
      const { reason, read: number, fee } = status.closed;
      decided = h("span", {}, h("strong", {}, "Refused:"), ` ${sentences.closed(reason)}.`);
      read = number === null ? "none" : mark(number);
      sum = `${coins(fee, denom)} for the read all the same`;
    }
    return [job, policy, decided, read, sum, id(actor), when(time)];
  });
  const headings = ["Job", "Policy", "Decided", "Receipt", "Paid", "Asked by", "When"];
  return table(headings, rows, "Nothing was claimed for a sealed image yet.");
}

/** A sum and who gets which part of it; the first part in words. */
function shares(
  all: bigint,
  fee: string,
  paid: Claim["paid"],
  denom: string,
  owed: (to: string) => boolean | undefined = () => undefined,
): HTMLElement {
  const state = (to: string) => {
    const due = owed(to);
    return due === undefined ? "" : due ? ", owed" : ", sent";
  };
  const parts = paid.map(({ party, to, amount }) =>
    h("li", {}, `${Object.keys(party)[0]}: ${coins(amount, denom)} to `, id(to), state(to)),
  );
  return h("details", {}, h("summary", {}, coins(all, denom)), h("ul", {}, h("li", {}, fee), ...parts));
}

/** Sends what is owed: anybody may. */
export function settling(aceso: Aceso, at: string): HTMLElement {
  const says = line();
  const settle = button("Send what is owed", says, async () => {
    await aceso.settle(at);
    return "What was owed is sent: one transfer for each account.";
  });
  return h("div", {}, h("div", { className: "row" }, settle), says);
}

export function refusedTable(refused: readonly Refused[], denom: string): HTMLElement {
  const rows = refused.map((one) => [
    one.read,
    one.policy,
    sentences.refusal(one),
    coins(one.fee, denom),
    id(one.actor),
    when(one.time),
  ]);
  return table(["Read", "Policy", "Why", "Fee", "Asked by", "When"], rows, "Nothing was refused after its read.");
}

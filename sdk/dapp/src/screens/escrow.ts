/** Escrow, for its insurer: what policies hold, what comes back when their period is over, and claims of which nothing was heard. */
import { type Aceso, type Counter, type Policy, RELEASE_BLOCKS, type SealedClaim } from "@aceso/sdk";

import { button, h, id, table, when } from "../dom.js";
import { sentences } from "../sentences.js";
import { coins } from "../session.js";

/** What an escrow has for claims to come, what is kept of it, and what its member's failed reads have cost and nobody bore. */
interface Books {
  amount: bigint;
  reserved: bigint;
  lost: bigint;
}

export async function booksOf(aceso: Aceso, at: string, policies: readonly Policy[]): Promise<Books[]> {
  const members = [...new Set(policies.map(({ terms }) => terms.member))];
  const lost = new Map(await Promise.all(members.map(async (one) => [one, await aceso.lost(at, one)] as const)));
  const held = await Promise.all(policies.map(({ id }) => aceso.escrow(at, id)));
  return policies.map(({ terms }, place) => ({ ...held[place]!, lost: lost.get(terms.member) ?? 0n }));
}

/** Takes back what a policy holds whose period is over. The contract lets nobody but its insurer do that. */
export function withdrawing(
  aceso: Aceso,
  at: string,
  counter: Counter,
  { id, terms }: Policy,
  says: HTMLElement,
  refresh: () => Promise<void>,
): HTMLElement | null {
  if (counter.insurer !== aceso.address || terms.not_after * 1000 > Date.now()) return null;
  const job = async () => {
    const amount = await aceso.withdraw(at, id);
    await refresh();
    return `${coins(amount, aceso.chain.denom)} of policy ${id} are sent to your account.`;
  };
  return button("Withdraw", says, job, { id: `withdraw-${id}`, "aria-label": `Withdraw what policy ${id} holds` });
}

/** Claims of which nothing was heard in time: their callback has failed, or the deadline's block is being worked off. */
export function stuckClaims(
  aceso: Aceso,
  at: string,
  counter: Counter,
  claims: readonly SealedClaim[],
  height: number,
  says: HTMLElement,
  refresh: () => Promise<void>,
): HTMLElement | null {
  const late = claims.filter(({ status, deadline }) => "open" in status && deadline < height);
  if (late.length === 0) return null;
  const rows = late.map(({ job, deadline, reserved, held }) => {
    const from = deadline + RELEASE_BLOCKS;
    const release = async () => {
      await aceso.release(at, BigInt(job));
      await refresh();
      return `Job ${job} is released: what was kept for it is free again, but for what the chain took.`;
    };
    const act =
      counter.insurer !== aceso.address
        ? "for the insurer"
        : height < from
          ? `from block ${from} on; the chain is at ${height}`
          : button("Release", says, release, { id: `release-${job}`, "aria-label": `Release the claim of job ${job}` });
    return [job, `block ${deadline}`, coins(reserved, aceso.chain.denom), coins(held, aceso.chain.denom), act];
  });
  return h(
    "div",
    {},
    h("h3", {}, "Open beyond their deadline"),
    h(
      "p",
      { className: "soft" },
      "The chain’s word about these did not reach the contract: its callback had too little gas. To release one closes it unpaid and frees what is kept for it.",
    ),
    table(["Job", "Deadline", "Kept for it", "The chain took", "Release"], rows, ""),
  );
}

export function policyTable(
  policies: Policy[],
  books: Books[],
  denom: string,
  act: (policy: Policy) => HTMLElement | null,
): HTMLElement {
  const rows = policies.map((policy, at) => {
    const { id: number, terms } = policy;
    const { amount, reserved, lost } = books[at]!;
    const parts = [
      reserved > 0n ? `${coins(reserved, denom)} kept for open claims` : "",
      lost > 0n ? `${coins(lost, denom)} lost to reads of the member’s that failed: her next policy that is used or emptied bears them` : "",
    ];
    return [
      number,
      id(terms.member),
      terms.covers.map(({ price }) => coins(price, denom)).join(", "),
      terms.origin.length > 0 ? h("span", {}, ...terms.origin.map(id)) : "none asked for",
      sentences.accepts(terms.sealed),
      when(terms.not_after),
      h(
        "div",
        {},
        h("strong", { id: `escrow-${number}` }, coins(amount, denom)),
        ...parts.filter(Boolean).map((text) => h("div", { className: "soft" }, text)),
        amount > 0n && act(policy),
      ),
    ];
  });
  return table(["Policy", "Member", "Pays a read", "Origin", "Sealed images", "Until", "Escrow"], rows, "There is no policy yet.");
}

/** The accounts in whose names records stand: those that wait for a record and who pays for them, and what a record's holds. */
import type { Aceso, RecordRow, Sponsor } from "@aceso/sdk";

import { LIMIT, type Waiting, actorOf, another, paying, waiting } from "../accounts.js";
import { accountInput } from "../controls.js";
import { type Child, button, field, fill, form, h, id, line } from "../dom.js";
import { sentences } from "../sentences.js";
import { coins } from "../session.js";
import * as vault from "../vault.js";

/** Who pays, in words. */
export const pays = (aceso: Aceso, sponsors: readonly Sponsor[]): Child[] =>
  sponsors.length === 0
    ? ["nobody pays its fees"]
    : sponsors.flatMap(({ address }, at) => [at > 0 ? " and " : "", address === aceso.address ? "your own account" : id(address)]).concat([sponsors.length === 1 ? " pays its fees" : " pay its fees"]);

/** Accounts for records to come: their addresses are for a sponsor. */
export function naming(aceso: Aceso, changed: () => Promise<void>): { element: HTMLElement; refresh(): Promise<void> } {
  const [list, says] = [h("ul", { id: "waiting" }), line()];
  const more = button(
    "Make another account ready",
    says,
    async () => {
      const { acts } = await another(aceso);
      await changed();
      return `Give ${acts.address} to your sponsor, alone: whoever sees several together knows that they are one person’s.`;
    },
    { id: "waiting-more" },
  );
  const section = h(
    "section",
    { "aria-labelledby": "names-h" },
    h("h2", { id: "names-h" }, "Accounts of your records"),
    sentences.names(),
    h("h3", {}, "Ready for records to come"),
    list,
    h("div", { className: "row" }, more),
    says,
  );
  let drawn = "";
  async function refresh(): Promise<void> {
    const open = vault.unlocked(aceso) !== undefined;
    more.disabled = !open;
    const all = await waiting(aceso);
    const now = `${open} ${all.map(({ name, sponsors }) => `${name} ${sponsors.map(({ address }) => address).join()}`).join()}`;
    if (now === drawn) return;
    drawn = now;
    const none = open ? "None waits. One is made when you seal a record." : "Your key store is locked.";
    fill(list, ...(all.length > 0 ? all.map((one) => row(aceso, one, changed)) : [h("li", { className: "soft" }, none)]));
  }
  return { element: section, refresh };
}

function row(aceso: Aceso, { name, acts, sponsors }: Waiting, changed: () => Promise<void>): HTMLElement {
  const says = line();
  const { address } = acts;
  const copy = button("Copy", says, async () => {
    await navigator.clipboard.writeText(address);
    return "Copied.";
  }, { "aria-label": `Copy ${address}` });
  const mine = button(
    "Pay from my own account",
    says,
    async () => {
      await aceso.sponsorFees([address], LIMIT);
      await changed();
    },
    { "aria-label": `Pay for ${address} from my own account` },
  );
  const paid = sponsors.length > 0;
  return h(
    "li",
    { "data-account": name },
    h("code", {}, address),
    h("span", {}, ": ", ...pays(aceso, sponsors), ". "),
    h("span", { className: "row" }, copy, ...(paid ? [] : [mine])),
    paid ? null : h("span", { className: "soft" }, `If you pay yourself: ${sentences.links.mine}`),
    says,
  );
}

export interface Named {
  element: HTMLElement;
  /** Looks anew at a record's account. */
  refresh(record: RecordRow): Promise<void>;
}

/** In whose name a record stands, who pays, what the account holds, and the way back for its coins. */
export function standing(aceso: Aceso, number: bigint, changed: () => Promise<void>): Named {
  const [facts, says] = [h("p", { className: "soft" }), line()];
  const to = accountInput(aceso, `collect-to-${number}`);
  to.defaultValue = aceso.address;
  let owner = "";
  const collect = form(
    "Collect them",
    [h("p", { className: "soft" }, sentences.collects), field("To account", to)],
    async () => {
      const acts = await actorOf(aceso, owner);
      if (!acts) throw new Error("This account is not in your key store.");
      const sent = await acts.collect(to.value.trim());
      await changed();
      return `${coins(sent, aceso.chain.denom)} are sent.`;
    },
    { id: `collect-${number}` },
  );
  const held = h("details", { hidden: true }, h("summary", {}), collect);
  const element = h("div", { "data-owner": String(number) }, facts, held, says);
  async function refresh(record: RecordRow): Promise<void> {
    ({ owner } = record);
    if (owner === aceso.address) {
      held.hidden = true;
      fill(facts, sentences.links.none);
      return;
    }
    const acts = await actorOf(aceso, owner);
    const [sponsors, balance] = acts ? await Promise.all([paying(acts), acts.balance()]) : [[], 0n];
    fill(facts, "In the name of its own account ", h("code", {}, owner), "; ", ...pays(aceso, sponsors), ".");
    held.hidden = balance === 0n;
    held.firstElementChild!.textContent = `It holds ${coins(balance, aceso.chain.denom)}`;
  }
  return { element, refresh };
}

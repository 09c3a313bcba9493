/** The sponsor: pays the fees of others' accounts, such as those of patients' records, which have no coins. */
import type { Sponsor } from "@aceso/sdk";

import { LIMIT } from "../accounts.js";
import { apart } from "../controls.js";
import { button, field, fill, form, h, id, line, table, when } from "../dom.js";
import { sentences } from "../sentences.js";
import { coins, session } from "../session.js";

export async function sponsor(main: HTMLElement): Promise<() => Promise<void>> {
  const aceso = await session();
  const { denom } = aceso.chain;
  const unit = denom.startsWith("u") ? 1e6 : 1;
  const accounts = h("textarea", { id: "sponsor-accounts", rows: 4, required: true, spellcheck: false });
  const limit = h("input", {
    id: "sponsor-limit",
    type: "number",
    min: "0.000001",
    step: "any",
    defaultValue: String(Number(LIMIT) / unit),
    required: true,
  });
  const [list, says] = [h("div", { id: "sponsored" }), line()];
  const paying = form(
    "Pay their fees",
    [
      h(
        "div",
        { className: "fields" },
        field("Accounts", accounts, "one a line"),
        field(`At most, for each, in ${unit === 1 ? denom : denom.slice(1)}`, limit),
      ),
    ],
    async () => {
      const all = apart(accounts);
      await aceso.sponsorFees(all, BigInt(Math.round(Number(limit.value) * unit)));
      paying.reset();
      await refresh();
      return `You pay the fees of ${all.length} more ${all.length === 1 ? "account" : "accounts"}.`;
    },
  );
  fill(
    main,
    h("h1", {}, "Sponsor"),
    h("p", { className: "note" }, sentences.sponsors),
    h("section", { "aria-labelledby": "pay-h" }, h("h2", { id: "pay-h" }, "Pay for accounts"), paying),
    h("section", { "aria-labelledby": "paid-h" }, h("h2", { id: "paid-h" }, "For whom you pay"), list, says),
  );
  const row = ({ account, left, expires }: Sponsor) => [
    id(account),
    left === undefined ? "no limit" : coins(left, denom),
    expires === undefined ? "no end" : when(expires),
    button(
      "Stop",
      says,
      async () => {
        await aceso.stopSponsoring(account);
        await refresh();
        return "You pay for it no more, from the next transaction on.";
      },
      { "aria-label": `Stop paying for ${account}` },
    ),
  ];
  async function refresh(): Promise<void> {
    const all = await aceso.sponsored();
    fill(list, table(["Account", "Left", "Until", ""], all.map(row), "You pay for nobody."));
  }
  await refresh();
  return refresh;
}

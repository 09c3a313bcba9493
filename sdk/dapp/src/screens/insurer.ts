/** The insurer: policies with their escrow, and claims as they are paid or refused, for open reads and for sealed ones. */
import { type Aceso, type PaidSealed, type Policy, subscribe } from "@aceso/sdk";

import { type Badges, claimTable, claimsAt, owed, refusedTable, sealedTable, settling } from "../claims.js";
import { accountInput, apart, modelSelect } from "../controls.js";
import { choose, field, fill, form, h, id, line } from "../dom.js";
import { sentences } from "../sentences.js";
import { contract, session } from "../session.js";
import { booksOf, policyTable, stuckClaims, withdrawing } from "./escrow.js";

const DAY = 24 * 3600;
/** Blocks that a committee gets for a claim. */
const BLOCKS = 200;
/** Shares in ten-thousandths where an institution vouches for the image, and where none does. */
const WITH_ORIGIN = { institution: 4000, author: 3000, subject: 2000, treasury: 1000 };
const WITHOUT = { author: 5000, subject: 3000, treasury: 2000 };

export async function insurer(main: HTMLElement): Promise<{ refresh: () => Promise<void>; stop: () => void }> {
  const aceso = await session();
  const at = await contract("insurance");
  if (!at) {
    fill(
      main,
      h("h1", {}, "Insurer"),
      h("p", {}, "No insurance contract is known: name one on the screen ", h("a", { href: "#node" }, "Node"), "."),
    );
    return { refresh: async () => {}, stop: () => {} };
  }
  const policies = h("div", {});
  const claims = h("div", {});
  const sealed = h("div", {});
  const refused = h("div", {});
  const [withdrawn, stuck, released] = [line(), h("div", { id: "stuck" }), line()];
  const counter = await aceso.counter(at);
  const state = h("p", { className: "soft live", role: "status", id: "live" }, "connecting …");
  const target = h("select", { id: "fund-policy", required: true });
  const amount = h("input", {
    id: "fund-amount",
    type: "number",
    min: "0.000001",
    step: "any",
    value: "50",
    required: true,
  });
  const unit = aceso.chain.denom.startsWith("u") ? 1e6 : 1;
  const funding = form(
    "Put into escrow",
    [
      h(
        "div",
        { className: "fields" },
        field("Policy", target),
        field(`Amount in ${unit === 1 ? aceso.chain.denom : aceso.chain.denom.slice(1)}`, amount),
      ),
    ],
    async () => {
      await aceso.fund(at, Number(target.value), BigInt(Math.round(Number(amount.value) * unit)));
      await refresh();
      return `Policy ${target.value} is funded.`;
    },
  );
  fill(
    main,
    h("h1", {}, "Insurer"),
    h("p", { className: "soft" }, "Insurance contract ", id(at), "."),
    sentences.learns(),
    h(
      "section",
      { "aria-labelledby": "claims-h" },
      h("h2", { id: "claims-h" }, "Claims"),
      state,
      claims,
      h("h3", {}, "Read, and not paid for"),
      h("p", { className: "soft" }, "The policy bears what the chain took for the read, and nothing else."),
      refused,
      sentences.clinical(),
    ),
    h(
      "section",
      { "aria-labelledby": "sealed-claims-h" },
      h("h2", { id: "sealed-claims-h" }, "Claims for sealed images"),
      h(
        "p",
        { className: "soft" },
        "A committee of the patient’s choice has read them; you believe those that the policy names. Shares are owed as soon as a claim is paid, and sent when somebody settles.",
      ),
      sealed,
      stuck,
      released,
      settling(aceso, at),
    ),
    h(
      "section",
      { "aria-labelledby": "policies-h" },
      h("h2", { id: "policies-h" }, "Policies and their escrow"),
      policies,
      withdrawn,
      funding,
    ),
    h(
      "section",
      { "aria-labelledby": "policy-h" },
      h("h2", { id: "policy-h" }, "Make a policy"),
      await making(aceso, at, refresh),
    ),
  );

  const badges: Badges = new Map();
  async function refresh(): Promise<void> {
    const all = await aceso.policies(at);
    const [books, height] = await Promise.all([booksOf(aceso, at, all), aceso.height()]);
    fill(policies, policyTable(all, books, aceso.chain.denom, (policy) => withdrawing(aceso, at, counter, policy, withdrawn, refresh)));
    choose(
      target,
      all.map((policy) => [String(policy.id), `policy ${policy.id}`]),
    );
    const made = await claimsAt(aceso, at, all);
    fill(sealed, sealedTable(made.sealed, badges, await owed(aceso, at, made.sealed), aceso.chain.denom));
    fill(stuck, stuckClaims(aceso, at, counter, made.sealed, height, released, refresh));
    fill(claims, claimTable(made.open, badges, aceso.chain.denom));
    fill(refused, refusedTable(made.refused, aceso.chain.denom));
  }
  await refresh();
  // What is paid is read from the chain's state; the event only says that there is something new.
  const stop = subscribe(
    aceso.rpc,
    `tm.event='Tx' AND wasm._contract_address='${at}'`,
    () => void refresh().catch(() => {}),
    (live) => {
      state.textContent = live
        ? "live: claims appear as they are paid"
        : "the connection to the node is lost; trying again";
      state.classList.toggle("on", live);
      if (live) void refresh().catch(() => {});
    },
  );
  return { refresh, stop };
}

async function making(aceso: Aceso, at: string, refresh: () => Promise<void>): Promise<HTMLElement> {
  const member = accountInput(aceso, "policy-member");
  const model = await modelSelect(aceso, "policy-model");
  const unit = aceso.chain.denom.startsWith("u") ? 1e6 : 1;
  const price = h("input", {
    id: "policy-price",
    type: "number",
    min: "0.000001",
    step: "any",
    value: "1",
    required: true,
  });
  const origin = h("input", { id: "policy-origin", autocomplete: "off", spellcheck: false });
  const believing = await believed(aceso, model);
  const days = h("input", { id: "policy-days", type: "number", min: 1, max: 3650, value: "365", required: true });
  return form(
    "Make the policy",
    [
      h(
        "div",
        { className: "fields" },
        field("Member’s account", member),
        field("Model", model),
        field("Price of a read", price),
        field("Days", days),
        field("Institution that must vouch for the image", origin, "empty: none"),
      ),
      believing.element,
      h(
        "p",
        { className: "soft" },
        "A read’s price goes to the institution (40 %), the model’s author (30 %), the patient (20 %) and the treasury (10 %); without an institution 50, 30 and 20 %.",
      ),
    ],
    async () => {
      const now = Math.floor(Date.now() / 1000);
      const vouched = origin.value.trim();
      const split = Object.entries(vouched ? WITH_ORIGIN : WITHOUT).map(([party, bps]) => ({
        to: { [party]: {} } as Policy["terms"]["split"][number]["to"],
        bps,
      }));
      const policy = await aceso.createPolicy(at, {
        member: member.value.trim(),
        not_before: now - 60,
        not_after: now + Number(days.value) * DAY,
        covers: [{ model: model.value, price: String(Math.round(Number(price.value) * unit)) }],
        origin: vouched ? [vouched] : [],
        split,
        ...believing.terms(),
      });
      await refresh();
      return `Policy ${policy} is made. It pays once its escrow is funded.`;
    },
  );
}

/** Which committees are believed, where reads of sealed images are paid for. */
async function believed(
  aceso: Aceso,
  model: HTMLSelectElement,
): Promise<{ element: HTMLElement; terms: () => { sealed?: PaidSealed } }> {
  const models = await aceso.models();
  const told = h("select", { id: "policy-sealed" });
  const members = h("input", { id: "policy-members", type: "number", min: 1, max: 128, value: "1", required: true });
  const power = h("input", { id: "policy-power", type: "number", min: 0, max: 100, step: "any", value: "67", required: true });
  const required = h("input", { id: "policy-required", autocomplete: "off", spellcheck: false });
  const excluded = h("input", { id: "policy-excluded", autocomplete: "off", spellcheck: false });
  const more = h(
    "div",
    { className: "fields" },
    field("Fewest members", members),
    field("Least power of theirs, in %", power, "of all validators’"),
    field("Operators that must be members", required, "accounts, with spaces between; empty: none"),
    field("Operators that must not be", excluded, "such as a hospital that also asks"),
  );
  const offer = () => {
    const findings = models.find((one) => one.id === model.value)?.manifest.output.findings ?? [];
    const each = findings.map(({ id }): [string, string] => [`=${id}`, `paid for: everyone learns ${id}`]);
    choose(told, [["", "not paid for"], ["sealed", "paid for: only that it was read is told"], ...each]);
    more.hidden = told.value === "";
  };
  model.addEventListener("change", offer);
  told.addEventListener("change", offer);
  offer();
  const terms = () => {
    if (told.value === "") return {};
    const accept = {
      members_min: Number(members.value),
      power_min_bps: Math.round(Number(power.value) * 100),
      required: apart(required),
      excluded: apart(excluded),
    };
    const disclosure = told.value === "sealed" ? { sealed: {} } : { predicate: { findings: [told.value.slice(1)] } };
    return { sealed: { accept, disclosure, blocks: BLOCKS } };
  };
  const element = h("fieldset", {}, h("legend", {}, "Reads of sealed images"), field("Sealed images", told), more);
  return { element, terms };
}

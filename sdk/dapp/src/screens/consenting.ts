/** What a guard, a consent contract, is told: rules for images, open or sealed, and taking them back. */
import type { Aceso, GrantState, Rule } from "@aceso/sdk";

import { accountInput, modelBoxes, viaInput } from "../controls.js";
import { type Child, button, field, form, h, id, options, table, when } from "../dom.js";
import { type Names, PURPOSES, sentences } from "../sentences.js";

const DAY = 24 * 3600;

/** The form of a rule; `give` tells the guard and answers with the grant's number. Controls have `name` before their ids. */
export async function ruling(
  aceso: Aceso,
  name: string,
  first: Child[],
  give: (rule: Rule) => Promise<number>,
): Promise<HTMLFormElement> {
  const reader = accountInput(aceso, `${name}-reader`);
  const models = await modelBoxes(aceso, `${name}-models`);
  const via = await viaInput(`${name}-via`);
  const purpose = h("select", { id: `${name}-purpose`, required: true }, ...options(PURPOSES));
  const uses = h("input", { id: `${name}-uses`, type: "number", min: 1, max: 1000, value: "1", required: true });
  const days = h("input", { id: `${name}-days`, type: "number", min: 1, max: 3650, value: "30", required: true });
  return form(
    "Grant",
    [
      h(
        "div",
        { className: "fields" },
        ...first,
        field("Physician’s account", reader),
        field("Purpose", purpose),
        field("Reads", uses),
        field("Days", days),
        via.element,
      ),
      models.element,
    ],
    async () => {
      const ticked = models.chosen().map((one) => one.id);
      if (ticked.length === 0) throw new Error("Name at least one model.");
      const now = Math.floor(Date.now() / 1000);
      const grant = await give({
        decision: { permit: { max_uses: Number(uses.value) } },
        actors: [reader.value.trim()],
        via: via.chosen(),
        purposes: [purpose.value],
        models: ticked,
        not_before: now - 60,
        not_after: now + Number(days.value) * DAY,
      });
      return `Grant ${grant} holds from the next transaction on.`;
    },
  );
}

/** Grants at guards, in the name of who gave them, with a button each that takes one back. */
export function ruleTable(
  given: { guard: string; acts: Aceso; given: GrantState[] }[],
  models: Names,
  says: HTMLElement,
  refresh: () => Promise<void>,
  none: string,
): HTMLElement {
  const rows = given.flatMap(({ guard, acts, given }) =>
    given.map(({ grant, uses }) => {
      const { rule } = grant;
      const most = "permit" in rule.decision ? rule.decision.permit.max_uses : 0;
      const over = grant.revoked_at !== null || rule.not_after * 1000 < Date.now() || (most > 0 && uses >= most);
      const state =
        grant.revoked_at !== null ? `revoked ${when(grant.revoked_at)}` : over ? "used up or over" : "holds";
      const revoke = button(
        "Revoke",
        says,
        async () => {
          await acts.revoke(guard, grant.id);
          await refresh();
          return `Grant ${grant.id} is revoked from the next transaction on. Reads already made stay made.`;
        },
        { id: `revoke-${grant.id}`, "aria-label": `Revoke grant ${grant.id}` },
      );
      return [
        grant.id,
        state,
        grant.revoked_at === null ? revoke : null,
        h("span", {}, ...rule.actors.map(id)),
        sentences.rule(rule, models),
        rule.purposes.join(", "),
        most > 0 ? `${uses} of ${most}` : "–",
        when(rule.not_after),
      ];
    }),
  );
  return table(["Grant", "State", "", "Who", "What", "Purpose", "Used", "Until"], rows, none);
}

/** The physician's claims: a sealed read at a policy's cost, and what the insurance contract decided of all that she asked. */
import type { Aceso, Policy, RecordRow } from "@aceso/sdk";

import type { Card } from "../cards.js";
import { type Badges, claimTable, claimsAt, owed, refusedTable, sealedTable, settling } from "../claims.js";
import { frameNamed } from "../controls.js";
import { choose, field, fill, form, h, options } from "../dom.js";
import { type Names, sentences } from "../sentences.js";
import { coins, contract } from "../session.js";

/** What of the policies of a member can be claimed for her sealed records. */
interface Offer {
  policy: Policy;
  model: string;
  price: string;
}

export interface Claiming {
  element: HTMLElement;
  /** Takes the member's policies as they are now. */
  refresh(policies: readonly Policy[], names: Names): void;
}

/** The form of a claim. What the patient's grant or the policy does not allow is refused before anything is read. */
export function claiming(
  aceso: Aceso,
  card: Card,
  record: RecordRow,
  image: () => string,
  frame: () => number,
  done: () => Promise<void>,
): Claiming {
  const name = `${card.granter}-${card.grant}`;
  let offers: Offer[] = [];
  const offer = h("select", { id: `claim-offer-${name}`, required: true });
  const purposes = options(card.terms.purposes.map((code) => [code, code]));
  const purpose = h("select", { id: `claim-why-${name}`, required: true }, ...purposes);
  const learns = h("p", { className: "note" });
  const unguarded =
    record.guard === "" &&
    h("p", { className: "soft" }, "This record has no guard whose consent could be asked for: no policy pays for its reads.");
  const tell = () => {
    const chosen = offers[Number(offer.value)]?.policy.terms.sealed;
    learns.textContent = chosen ? sentences.discloses(disclosed(chosen.disclosure)) : "";
  };
  const claim = form(
    "Claim a read",
    [
      h("div", { className: "fields" }, field("Policy that pays", offer), field("For which purpose", purpose)),
      learns,
      unguarded,
    ],
    async () => {
      const insurance = await contract("insurance");
      const chosen = offers[Number(offer.value)];
      if (!insurance || !chosen) throw new Error("Choose a policy that pays for sealed images.");
      const job = await aceso.claimSealed(insurance, {
        policy: chosen.policy.id,
        image: image(),
        ...frameNamed(frame()),
        model: chosen.model,
        purpose: purpose.value,
        granter: card.granter,
        grant: BigInt(card.grant),
        terms: aceso.verifier.granter.terms(card.terms, BigInt(card.expires)).bytes,
      });
      await done();
      return `Job ${job} is with the committee. What the policy decides stands under “My claims”.`;
    },
  );
  const none = h("p", { className: "soft" }, "No policy of this patient pays for reads of sealed images.");
  const element = h("div", {}, h("h4", {}, "Have an insurer pay"), none, claim);
  claim.addEventListener("input", tell);
  // Neither is true before the policies are known.
  [none.hidden, claim.hidden] = [true, true];
  return {
    element,
    refresh(policies, names) {
      offers = policies
        .filter(({ terms }) => terms.sealed)
        .flatMap((policy) => policy.terms.covers.map((cover) => ({ policy, ...cover })));
      const { denom } = aceso.chain;
      const said = ({ policy, model, price }: Offer) => `${policy.id}: ${names.get(model) ?? model}, ${coins(price, denom)} a read`;
      choose(
        offer,
        offers.map((one, at) => [String(at), said(one)]),
      );
      [none.hidden, claim.hidden] = [offers.length > 0, offers.length === 0];
      tell();
    },
  };
}

const disclosed = (of: NonNullable<Policy["terms"]["sealed"]>["disclosure"]) =>
  "sealed" in of ? "sealed" : { predicate: of.predicate.findings };

/** All that this account has claimed for some patients, and what is owed to it. */
export function claims(aceso: Aceso): { element: HTMLElement; refresh(members: ReadonlySet<string>): Promise<void> } {
  const [sealed, open, refused, due] = [h("div", {}), h("div", {}), h("div", {}), h("p", { id: "my-due" })];
  const badges: Badges = new Map();
  const sending = h("div", {});
  const element = h(
    "section",
    { "aria-labelledby": "my-claims-h", hidden: true },
    h("h2", { id: "my-claims-h" }, "My claims"),
    h("h3", {}, "For sealed images"),
    sealed,
    due,
    sending,
    h("h3", {}, "For open images"),
    open,
    h("h3", {}, "Read, and not paid for"),
    refused,
  );
  async function refresh(members: ReadonlySet<string>): Promise<void> {
    const at = await contract("insurance");
    element.hidden = !at || members.size === 0;
    if (element.hidden) return;
    if (!sending.hasChildNodes()) sending.append(settling(aceso, at));
    const policies = (await Promise.all([...members].map((member) => aceso.policies(at, member)))).flat();
    const made = await claimsAt(aceso, at, policies, aceso.address);
    const [unsent, mine] = await Promise.all([owed(aceso, at, made.sealed), aceso.due(at, aceso.address)]);
    const { denom } = aceso.chain;
    fill(sealed, sealedTable(made.sealed, badges, unsent, denom));
    fill(open, claimTable(made.open, badges, denom));
    fill(refused, refusedTable(made.refused, denom));
    due.textContent = mine > 0n ? `${coins(mine, denom)} are owed to your account.` : "Nothing is owed to your account.";
    sending.hidden = mine === 0n && ![...unsent.values()].includes(true);
  }
  return { element, refresh };
}

/** The physician: images that patients let her have read, with the picture, the request and the proven result. */
import type { Aceso, GrantState, Model, Policy, ReceiptRow } from "@aceso/sdk";

import { cards } from "../cards.js";
import { frameInput, frameNamed } from "../controls.js";
import { field, fill, form, h, id, options, when } from "../dom.js";
import { show } from "../picture.js";
import { card } from "../receipt.js";
import { sentences } from "../sentences.js";
import { contract, session } from "../session.js";
import { asking } from "./asking.js";
import { claims } from "./claiming.js";
import { trust } from "./node.js";

/** An image with the grants that speak of this account. */
interface Granted {
  image: string;
  grants: GrantState[];
}

export async function physician(main: HTMLElement): Promise<{ refresh: () => Promise<void>; stop: () => void }> {
  const aceso = await session();
  const studies = h("div", { className: "cards" });
  const trusted = h("section", {});
  const claimed = claims(aceso);
  const patients = new Set<string>();
  const decided = async () => {
    cards(aceso).forEach(({ owner }) => patients.add(owner));
    await claimed.refresh(patients);
  };
  const sealed = await asking(aceso, decided);
  fill(main, h("h1", {}, "Physician"), sentences.learns(), studies, sealed.element, claimed.element, trusted);
  const open = new Map<string, Study>();

  async function refresh(): Promise<void> {
    const granted = await grantedTo(aceso);
    granted.forEach(({ grants }) => grants.forEach(({ grant }) => patients.add(grant.patient)));
    for (const one of granted) {
      const known = open.get(one.image);
      if (known) await known.refresh(one);
      else open.set(one.image, await study(aceso, one));
    }
    const cards = granted.map(({ image }) => open.get(image)!.element);
    const same =
      cards.length === studies.childElementCount && cards.every((element, at) => studies.children[at] === element);
    if (!same || cards.length === 0) {
      const none = h(
        "p",
        {},
        "No patient lets your account read an open image. Give her your address: ",
        h("code", {}, aceso.address),
      );
      fill(studies, ...(cards.length > 0 ? cards : [none]));
    }
  }
  await refresh();
  await decided();
  await trust(trusted);
  const both = async () => {
    await Promise.all([refresh(), sealed.refresh()]);
    await decided();
  };
  return { refresh: both, stop: sealed.stop };
}

/** Images in grants of every guard on the chain that speak of this account, newest grant first. */
async function grantedTo(aceso: Aceso): Promise<Granted[]> {
  const guards = [...new Set((await aceso.images()).map((image) => image.guard).filter(Boolean))];
  const byImage = new Map<string, GrantState[]>();
  for (const guard of guards) {
    // A guard of another kind does not know the question; its images are asked for elsewhere.
    const grants = await aceso.grants(guard, { actor: aceso.address }).catch(() => []);
    for (const state of grants.reverse()) {
      for (const image of state.grant.images) byImage.set(image, [...(byImage.get(image) ?? []), state]);
    }
  }
  return [...byImage].map(([image, grants]) => ({ image, grants }));
}

interface Study {
  element: HTMLElement;
  refresh(granted: Granted): Promise<void>;
}

async function study(aceso: Aceso, first: Granted): Promise<Study> {
  const { image } = first;
  const patient = first.grants[0]!.grant.patient;
  const terms = h("ul", { className: "soft" });
  const results = h("div", {});
  const known = new Map<bigint, HTMLElement>();

  async function refresh({ grants }: Granted): Promise<void> {
    fill(terms, ...grants.map(({ grant, uses }) => h("li", {}, spoken(grant.id, grant.rule, uses, grant.revoked_at))));
    const rows: ReceiptRow[] = await aceso.receipts(image);
    for (const row of rows) {
      if (!known.has(row.read)) known.set(row.read, card(row));
    }
    const cards = [...known.values()].reverse();
    if (cards.length !== results.childElementCount) fill(results, ...cards);
  }

  const picture = show(image);
  const ask = await requesting(aceso, first, picture.turn, async (read) => {
    await refresh({
      image,
      grants: (await grantedTo(aceso)).find((one) => one.image === image)?.grants ?? first.grants,
    });
    document.getElementById(`read-${read}`)?.focus();
  });
  const element = h(
    "section",
    { "aria-label": `Image ${image}` },
    h(
      "div",
      { className: "split" },
      picture.element,
      h(
        "div",
        {},
        h("h2", {}, "Image ", id(image)),
        h("p", { className: "soft" }, "of patient ", id(patient)),
        terms,
        ask,
      ),
    ),
    results,
  );
  await refresh(first);
  return { element, refresh };
}

function spoken(grant: number, rule: GrantState["grant"]["rule"], uses: number, revoked: number | null): string {
  if ("deny" in rule.decision) return `Grant ${grant} keeps you from reading it for ${rule.purposes.join(", ")}.`;
  const left = `${uses} of ${rule.decision.permit.max_uses} reads used`;
  if (revoked !== null) return `Grant ${grant} was revoked ${when(revoked)}; ${left}.`;
  return `Grant ${grant} for ${rule.purposes.join(", ")} until ${when(rule.not_after)}; ${left}.`;
}

/** The request: through the patient's policy, with a model that it covers. */
async function requesting(
  aceso: Aceso,
  { image, grants }: Granted,
  turn: (frame: number) => void,
  done: (read: number) => Promise<void>,
): Promise<HTMLElement> {
  const insurance = await contract("insurance");
  if (!insurance) {
    return h(
      "p",
      {},
      "No insurance contract is known: name one on the screen ",
      h("a", { href: "#node" }, "Node"),
      ".",
    );
  }
  const { patient, rule } = grants[0]!.grant;
  const policies = await aceso.policies(insurance, patient);
  if (policies.length === 0)
    return h("p", {}, "The insurance contract has no policy for this patient, so nobody would pay for a read.");
  const names = new Map((await aceso.models()).map((model: Model) => [model.id, model.manifest.name]));
  const covers = policies.flatMap((policy: Policy) =>
    policy.terms.covers.map(({ model, price }) => ({ policy: policy.id, model, price })),
  );
  const offered = covers.filter(({ model }) => names.has(model));
  const cover = h(
    "select",
    { id: `ask-cover-${image}`, required: true },
    ...options(offered.map(({ policy, model }, at) => [String(at), `${names.get(model)} (policy ${policy})`])),
  );
  const purpose = h(
    "select",
    { id: `ask-purpose-${image}`, required: true },
    ...options(rule.purposes.map((code) => [code, code])),
  );
  const frame = frameInput(`ask-frame-${image}`, turn);
  return form(
    "Request a read",
    [h("div", { className: "fields" }, field("Model and policy", cover), field("Purpose", purpose), frame.element)],
    async () => {
      const chosen = offered[Number(cover.value)];
      if (!chosen) throw new Error("No policy of this patient covers a model that the chain has.");
      const { paid, refused, height } = await aceso.requestRead(insurance, {
        policy: chosen.policy,
        image,
        ...frameNamed(frame.chosen()),
        model: chosen.model,
        purpose: purpose.value,
      });
      await done((paid ?? refused).read);
      if (refused) return `Read ${refused.read} ran in block ${height}. Nothing was paid: ${sentences.refusal(refused)}.`;
      return `Read ${paid.read} ran in block ${height}, and the policy paid for it.`;
    },
  );
}

/** A request to a committee, under a grant whose terms are here. */
import { type Aceso, DISCLOSE, type MsgRequestRead, attribute } from "@aceso/sdk";

import type { Card } from "../cards.js";
import { choose, field, form, h, options } from "../dom.js";
import { sentences } from "../sentences.js";

/** Blocks within which a committee has to answer. */
const TERM = 200;

/** The request. The chain refuses what the terms do not allow, before anything is paid. */
export async function request(
  aceso: Aceso,
  card: Card,
  image: () => string,
  frame: () => number,
  done: (known?: bigint) => Promise<void>,
): Promise<HTMLElement> {
  const { terms } = card;
  const name = `${card.granter}-${card.grant}`;
  const models = (await aceso.models()).filter((one) => one.status === 1);
  const allowed = (model: string) => terms.models.length === 0 || terms.models.includes(model);
  const sorted = [...models].sort((one, other) => Number(allowed(other.id)) - Number(allowed(one.id)));
  const model = h(
    "select",
    { id: `model-${name}`, required: true },
    ...options(
      sorted.map((one) => [one.id, allowed(one.id) ? one.manifest.name : `${one.manifest.name} (not granted)`]),
    ),
  );
  const purpose = h(
    "select",
    { id: `purpose-${name}`, required: true },
    ...options(terms.purposes.map((code) => [code, code])),
  );
  const ways: [string, string][] = [
    ...(terms.findings.length > 0 ? [["predicate", "one bit a finding, for everyone"] as [string, string]] : []),
    ...(terms.sealed ? [["sealed", "all of it, for who holds the key"] as [string, string]] : []),
    ...(terms.open ? [["open", "all of it, for everyone"] as [string, string]] : []),
  ];
  const disclose = h("select", { id: `disclose-${name}`, required: true }, ...options(ways));
  const finding = h("select", { id: `finding-${name}` });
  const findings = field("Finding", finding);
  const reason = h("input", { id: `reason-${name}`, maxLength: 1000, required: terms.emergency, autocomplete: "off" });
  const members = h("input", { id: `members-${name}`, inputMode: "numeric", autocomplete: "off", defaultValue: "1" });
  const power = h("input", { id: `power-${name}`, inputMode: "decimal", autocomplete: "off", defaultValue: "0" });
  const accepts = h(
    "details",
    {},
    h("summary", {}, "What you demand of the committee"),
    h(
      "div",
      { className: "fields" },
      field("Fewest members", members),
      field("Least power of theirs, in %", power, "of all validators’"),
    ),
  );
  const learns = h("p", { className: "note" });
  const tell = () => {
    findings.hidden = disclose.value !== "predicate";
    const known = models.find((one) => one.id === model.value)?.manifest.output.findings ?? [];
    // Of a model that is not granted the chain says so itself.
    const has = (finding: string) => !allowed(model.value) || known.some(({ id }) => id === finding);
    choose(
      finding,
      terms.findings.filter(has).map((one) => [one, one]),
    );
    learns.textContent = sentences.discloses(asked(disclose.value, finding.value));
  };
  const made = form(
    "Ask the committee",
    [
      h(
        "div",
        { className: "fields" },
        field("Model", model),
        field("Purpose", purpose),
        field("What becomes known", disclose),
        findings,
        terms.emergency && field("Why it is an emergency", reason, "public for ever, and the patient is told"),
      ),
      accepts,
      learns,
    ],
    async () => {
      if (disclose.value === "predicate" && !finding.value)
        throw new Error("This model has none of the findings of which the patient lets everyone know.");
      const height = await aceso.height();
      const { job, events } = await aceso.askCommittee({
        requester: aceso.address,
        actor: aceso.address,
        model: Uint8Array.from(model.value.match(/../g) ?? [], (pair) => parseInt(pair, 16)),
        owner: card.owner,
        image: image(),
        granter: card.granter,
        grant: BigInt(card.grant),
        terms: aceso.verifier.granter.terms(terms, BigInt(card.expires)).bytes,
        purpose: purpose.value,
        disclose: DISCLOSE.indexOf(disclose.value as (typeof DISCLOSE)[number]),
        findings: disclose.value === "predicate" ? [finding.value] : [],
        accept: accepted(members.value, power.value),
        deadline: BigInt(height + TERM),
        callbackGas: 0n,
        identify: false,
        frame: frame(),
        reason: terms.emergency ? reason.value.trim() : "",
      });
      const read = attribute(events, "request_read", "read");
      await done(read === undefined ? undefined : BigInt(read));
      return job > 0n
        ? `Job ${job} is with the committee.`
        : "That bit was known already: it is told again for nothing, below.";
    },
  );
  made.addEventListener("input", tell);
  tell();
  return made;
}

/** What is demanded of a committee; it stands in a part of the form that may be closed, so nothing of it is left to the browser. */
function accepted(members: string, power: string): NonNullable<MsgRequestRead["accept"]> {
  const [membersMin, percent] = [members, power].map((text) => (text.trim() === "" ? NaN : Number(text))) as [number, number];
  if (!Number.isInteger(membersMin) || membersMin < 1 || membersMin > 128)
    throw new Error(`A committee has 1 to 128 members, and “${members}” were demanded.`);
  if (!(percent >= 0 && percent <= 100))
    throw new Error(`A committee has 0 to 100 % of the power, and “${power}” were demanded.`);
  return { membersMin, powerMinBps: Math.round(percent * 100), required: [], excluded: [] };
}

const asked = (way: string, finding: string) =>
  way === "predicate" ? { predicate: [finding] } : (way as "open" | "sealed");

/** The form of a sealed grant, with the sentence that says what it comes to before it is given. */
import type { Aceso, CommitteeMember, ReaderRow, RecordRow, SealedTerms } from "@aceso/sdk";

import { actor } from "../accounts.js";
import * as cards from "../cards.js";
import { apart, modelBoxes, viaInput } from "../controls.js";
import { choose, download, field, fill, form, h, line, options, button, when } from "../dom.js";
import { nameOf } from "../opening.js";
import { PURPOSES, sentences } from "../sentences.js";
import * as vault from "../vault.js";

type Kind = "committee" | "readers" | "emergency" | "keepers";
const KINDS: [Kind, string][] = [
  ["committee", "a committee computes; these accounts ask for reads"],
  ["readers", "these accounts open it themselves"],
  ["emergency", "in an emergency: a committee computes for anybody who says why"],
  ["keepers", "in an emergency: these accounts hold the key and pass it on to who says why"],
];

/** A month ahead, as the control spells it: in the time of this place, to the second. */
function ahead(seconds: number): string {
  const at = new Date(Date.now() + seconds * 1000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

export async function granting(
  aceso: Aceso,
  changed: () => Promise<void>,
): Promise<{ element: HTMLElement; refresh(records: RecordRow[], members: CommitteeMember[]): void }> {
  let records: RecordRow[] = [];
  let members: CommitteeMember[] = [];
  const record = h("select", { id: "give-record", required: true });
  const kind = h("select", { id: "give-kind", required: true }, ...options(KINDS));
  const accounts = h("textarea", { id: "give-accounts", rows: 2, spellcheck: false });
  const models = await modelBoxes(aceso, "give-models");
  const via = await viaInput("give-via");
  const purpose = h("select", { id: "give-purpose" }, ...options(PURPOSES));
  const uses = h("input", { id: "give-uses", type: "number", min: 1, max: 1000, required: true, defaultValue: "3" });
  const until = h("input", {
    id: "give-until",
    type: "datetime-local",
    step: 1,
    required: true,
    defaultValue: ahead(30 * 24 * 3600),
  });
  const check = (id: string, label: string, on: boolean) => {
    const box = h("input", { id, type: "checkbox", defaultChecked: on, checked: on });
    return { box, element: h("label", { className: "check" }, box, label) };
  };
  const bit = check("give-bit", "everyone may learn of each finding whether it is there", true);
  const kept = check("give-kept", "the outcome may be kept for who holds the key", true);
  const everything = check("give-open", "everyone may learn the whole outcome", false);
  const passOn = check("give-rewrap", "they may pass the key on (guardians who act for you)", false);
  const committee = h("fieldset", { id: "give-members" });
  const named = field("Accounts", accounts, "one a line");
  const asking = h(
    "div",
    { className: "fields" },
    field("Purpose", purpose),
    field("Reads", uses),
    via.element,
  );
  const disclosing = h(
    "fieldset",
    {},
    h("legend", {}, "What may be known of the outcome"),
    bit.element,
    kept.element,
    everything.element,
  );
  const says = h("p", { id: "give-sentence", className: "note", "aria-live": "polite" });
  const after = h("div", { className: "row" });

  const is = () => kind.value as Kind;
  const computes = () => is() === "committee" || is() === "emergency";
  const listed = () => apart(accounts);
  const chosen = () =>
    members.filter(
      ({ validator }) => committee.querySelector<HTMLInputElement>(`[value="${validator.operator}"]`)?.checked,
    );
  const expires = () => BigInt(Math.floor(new Date(until.value).getTime() / 1000) || 0);

  function terms(): SealedTerms {
    const base = aceso.verifier.granter.newTerms();
    const not_before = Math.floor(Date.now() / 1000) - 60;
    if (is() === "readers") return { ...base, not_before, rewrap: passOn.box.checked };
    const emergency = is() === "emergency" || is() === "keepers";
    const ticked = models.chosen();
    const each = ticked.map(({ manifest }) => (bit.box.checked ? manifest.output.findings.map((one) => one.id) : []));
    return {
      ...base,
      actors: is() === "committee" ? listed() : [],
      anybody: emergency,
      emergency,
      purposes: [emergency ? "ETREAT" : purpose.value],
      via: computes() ? via.chosen() : [],
      models: ticked.map((one) => one.id),
      not_before,
      uses: Number(uses.value),
      open: everything.box.checked,
      sealed: kept.box.checked,
      findings: [...new Set(each.flat())],
      // They are counted for each model apart.
      bits: Math.max(0, ...each.map((findings) => findings.length)),
    };
  }

  function tell(): void {
    named.hidden = is() === "emergency";
    accounts.required = is() !== "emergency";
    committee.hidden = !computes();
    purpose.disabled = is() === "emergency";
    asking.hidden = disclosing.hidden = models.element.hidden = !computes();
    passOn.element.hidden = is() !== "readers";
    const opens = computes()
      ? chosen().map(({ validator }) => validator.name || `${validator.operator.slice(0, 12)}…`)
      : listed().map((one) => `${one.slice(0, 12)}…`);
    const ticked = models.chosen();
    const names = new Map(ticked.map(({ id, manifest }) => [id, manifest.name]));
    if (!record.value) says.textContent = "Seal a record first.";
    else if (opens.length === 0) says.textContent = "Nobody is named yet.";
    else if (is() === "committee" && listed().length === 0)
      says.textContent = "Nobody is named yet who may ask for reads.";
    else if (computes() && ticked.length === 0) says.textContent = "No model is named yet.";
    else
      says.textContent = `${opens.join(", ")} can open record ${record.value} until ${when(Number(expires()))}. ${sentences.terms(terms(), computes(), 0, names)}`;
  }

  const made = form(
    "Grant",
    [
      h("div", { className: "fields" }, field("Record", record), field("What", kind), field("Until", until)),
      named,
      committee,
      models.element,
      asking,
      disclosing,
      passOn.element,
      says,
    ],
    async () => {
      fill(after);
      const row = records.find((one) => String(one.record) === record.value);
      if (!row) throw new Error("Seal a record first.");
      const { store } = vault.need(aceso);
      const recipients = computes() ? chosen().map((one) => one.reader) : await readers(aceso, listed());
      if (recipients.length === 0)
        throw new Error(computes() ? "Name at least one member of the committee." : "Name at least one account.");
      if (computes() && models.chosen().length === 0) throw new Error("Name at least one model.");
      const acts = await actor(aceso, row.owner);
      const [grant, given] = [await acts.nextGrant(), terms()];
      const of = {
        chainId: aceso.chain.id,
        granter: acts.address,
        grant,
        record: row,
        recipients,
        committee: computes(),
        expires: expires(),
        terms: given,
      };
      const secret = store.key(nameOf(aceso, row));
      try {
        await acts.giveSealed(aceso.verifier.granter.grant(of, secret));
      } finally {
        secret.fill(0);
      }
      const card = cards.make(aceso, row.owner, row.record, acts.address, grant, of.expires, given);
      cards.keep(aceso, card, true);
      await changed();
      const saved = line();
      const shows = given.actors.length > 0 || given.anybody || given.rewrap;
      if (shows)
        fill(
          after,
          button("Save the grant’s terms", saved, async () =>
            download(`grant-${grant}.json`, JSON.stringify(card, null, 1)),
          ),
          saved,
        );
      return (
        `Grant ${grant} holds from the next transaction on.` +
        (shows ? " Whoever is to ask, or to pass it on, needs its terms: save them for her." : "")
      );
    },
    { id: "give" },
  );
  made.addEventListener("input", tell);

  const refresh = (all: RecordRow[], able: CommitteeMember[]) => {
    [records, members] = [all, able];
    choose(
      record,
      all.map((row) => [String(row.record), `record ${row.record}`]),
    );
    const drawn = able.map((one) => `${one.validator.operator}: ${sentences.conduct(one.conduct)}`).join();
    if (committee.dataset["of"] !== drawn) {
      committee.dataset["of"] = drawn;
      const left = new Set([...committee.querySelectorAll<HTMLInputElement>("input:not(:checked)")].map((one) => one.value));
      const total = able.reduce((sum, one) => sum + one.validator.power, 0n);
      const boxes = able.map(({ validator: { operator, name, power }, conduct }, at) => {
        const box = h("input", { id: `give-member-${at}`, type: "checkbox", value: operator, defaultChecked: !left.has(operator) });
        const behaved = h("span", { className: conduct && conduct.wrong > 0n ? "says bad" : "soft" }, sentences.conduct(conduct));
        return h("label", { className: "check" }, box, h("span", {}, `${name || operator}, power ${power} of ${total}: `, behaved));
      });
      fill(
        committee,
        h("legend", {}, "Members of the committee"),
        ...(boxes.length > 0
          ? boxes
          : [h("p", { className: "soft" }, "No operator of a validator has registered a key to open with.")]),
      );
    }
    tell();
  };
  return { element: h("div", {}, made, after), refresh };
}

/** The keys of those who are named, or the sentence who has none. */
async function readers(aceso: Aceso, accounts: string[]): Promise<ReaderRow[]> {
  const rows = await Promise.all(accounts.map((account) => aceso.reader(account)));
  const none = rows.findIndex((row) => row === undefined);
  if (none >= 0)
    throw new Error(`${accounts[none]} has registered no reader’s key: she does that on her screen “Key”.`);
  return rows as ReaderRow[];
}

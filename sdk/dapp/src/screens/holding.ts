/** What was wrapped for an account: records that she opens herself, keys that she passes on, keys that she asks for. */
import type { Aceso, MsgGrant, RecordRow } from "@aceso/sdk";

import * as cards from "../cards.js";
import { accountInput, fileOfRecord } from "../controls.js";
import { button, field, fileOf, fill, form, h, id, line, when } from "../dom.js";
import * as files from "../files.js";
import { open, sealedFile, shown, withPoint } from "../opening.js";
import { need, readerName } from "../vault.js";

/** A record whose key was wrapped for this account. */
export function mine(aceso: Aceso, record: RecordRow, given: MsgGrant): HTMLElement {
  const [says, picture] = [line(), h("div", {})];
  const which = fileOfRecord(record, `file-${given.granter}-${given.grant}-open`);
  const see = button("Open it here", says, () =>
    withPoint(aceso, record, async (point) => {
      const { inner, record: bytes } = open(aceso, point, await sealedFile(aceso, which.cid()));
      fill(picture, await shown(inner, bytes));
      bytes.fill(0);
    }),
  );
  const file = h("input", { type: "file", id: `bring-${record.record}`, required: true });
  const bring = form("Bring it", [field("The sealed file, where the node does not hand it out", file)], async () => {
    const bytes = await fileOf(file);
    if (aceso.verifier.seals.header(bytes).owner !== record.owner)
      throw new Error("This is a sealed file of another owner.");
    await files.put(which.cid(), bytes);
    return "It is in this browser now; whether it is the record’s shows when it is opened.";
  });
  return h(
    "article",
    { "aria-label": `Record ${record.record} that you may open by grant ${given.grant} of ${given.granter}` },
    h("h3", {}, `Record ${record.record} of patient `, id(record.owner)),
    h(
      "p",
      { className: "soft" },
      `Its key was wrapped for your reader’s key by grant ${given.grant} of `,
      id(given.granter),
      `, until ${when(Number(given.expires))}: you open it yourself, and nobody is asked.`,
    ),
    which.element,
    h("div", { className: "row" }, see),
    says,
    picture,
    h("details", {}, h("summary", {}, "Bring the sealed file"), bring),
    h("details", {}, h("summary", {}, "Pass its key on"), passing(aceso, record, given)),
  );
}

/**
 * Wraps what was wrapped for this account for somebody else: where its terms let it be passed on, or in an emergency that
 * she has declared. The chain judges.
 */
function passing(aceso: Aceso, record: RecordRow, given: MsgGrant): HTMLElement {
  const to = accountInput(aceso, `pass-${given.granter}-${given.grant}`);
  const hint =
    "She gets the key until this grant or her reader’s key ends, and the patient sees that it came from you. Without terms that allow it (bring them below), only who has broken the glass is given it.";
  return form("Pass it on", [h("p", { className: "soft" }, hint), field("Account", to)], async () => {
    const { granter } = aceso.verifier;
    const reader = await aceso.reader(to.value.trim());
    if (!reader)
      throw new Error(`${to.value.trim()} has registered no reader’s key: she does that on her screen “Key”.`);
    const place = given.recipients.findIndex((one) => one.account === aceso.address);
    const terms = cards.cardOf(aceso, given.granter, given.grant)?.terms;
    const { store } = need(aceso);
    const secret = store.key(readerName(given.recipients[place]?.epoch ?? 0n));
    const grant = await aceso.nextGrant();
    const from = { given, place, ...(terms?.rewrap ? { terms } : {}) };
    try {
      await aceso.giveSealed(
        granter.grant(
          {
            chainId: aceso.chain.id,
            granter: aceso.address,
            grant,
            record,
            from,
            recipients: [reader],
            committee: false,
            expires: given.expires < reader.expires ? given.expires : reader.expires,
            terms: granter.newTerms(),
          },
          secret,
        ),
      );
    } finally {
      secret.fill(0);
    }
    return `Passed on by your grant ${grant}.`;
  });
}

/** Asks those who hold the key for emergencies. */
export function breaking(aceso: Aceso, card: cards.Card): HTMLElement {
  const reason = h("input", {
    id: `reason-${card.granter}-${card.grant}`,
    maxLength: 1000,
    required: true,
    autocomplete: "off",
  });
  const why = field("Why it is an emergency", reason, "public for ever, and the patient is told");
  return form("Ask for the key", [why], async () => {
    const reader = await aceso.reader(aceso.address);
    if (!reader)
      throw new Error("You have registered no reader’s key, so nobody can wrap for you: do that on the screen “Key”.");
    const { granter, grant, expires, terms } = card;
    await aceso.breakGlass({
      actor: aceso.address,
      epoch: reader.epoch,
      granter,
      grant: BigInt(grant),
      terms: aceso.verifier.granter.terms(terms, BigInt(expires)).bytes,
      reason: reason.value.trim(),
    });
    return "The patient is told, and those who hold the key may pass it on to you: it then stands below.";
  });
}

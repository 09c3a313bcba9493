/** Guardians: a key store dealt to them, brought back by enough of them, and a guardian's own share handed over. */
import { type Aceso, type ReaderRow, GrantError, bytesOf, checkedDeal, hex, vaultFile } from "@aceso/sdk";

import { button, download, field, fileOf, fill, form, h, id, line } from "../dom.js";
import { session } from "../session.js";
import * as vault from "../vault.js";

/** Where the collector's key lies while shares come in: like the account's words, in this tab only. */
const COLLECTOR = "aceso.collector";

/** What was dealt last from this browser; nothing of it is secret. */
interface Last {
  version: string;
  /** Of the key store's file: another one has another key. */
  nonce: string;
  threshold: number;
  accounts: string[];
}
const place = ({ chain, address }: Aceso) => `aceso.dealt.${chain.id}.${address}`;

function lastDeal(aceso: Aceso): Last | undefined {
  const kept = localStorage.getItem(place(aceso));
  return kept === null ? undefined : (JSON.parse(kept) as Last);
}

/** What to do where guardians were dealt another key than the store is under; nothing where this browser has dealt none. */
export function behind(aceso: Aceso): string | undefined {
  const [text, last] = [vault.file(aceso), lastDeal(aceso)];
  if (text === undefined || !last || last.nonce === vaultFile(text).nonce) return undefined;
  return "Your guardians do not bring your key store back as it is now, since something was erased from it: deal it to them anew.";
}

const textOf = async (input: HTMLInputElement) => new TextDecoder().decode(await fileOf(input));
const jsonFile = (id: string) => h("input", { type: "file", id, required: true, accept: ".json,application/json" });

export async function guardians(main: HTMLElement): Promise<void> {
  const aceso = await session();
  const section = (name: string, title: string, ...parts: HTMLElement[]) =>
    h("section", { "aria-labelledby": name }, h("h2", { id: name }, title), ...parts);
  fill(
    main,
    h("h1", {}, "Guardians"),
    h(
      "p",
      { className: "note" },
      "The key of your key store is dealt to people whom you trust. Enough of them bring it back together; fewer learn nothing. " +
        "Everyone may see a deal; a share is only for its guardian, and a share that she hands over only for who collects.",
    ),
    section("deal-h", "Name guardians", dealing(aceso)),
    section("recover-h", "Bring your key store back", await recovering(aceso)),
    section("hand-h", "Hand over your share", handing(aceso)),
  );
}

function dealing(aceso: Aceso): HTMLElement {
  const last = lastDeal(aceso);
  const accounts = h("textarea", {
    id: "deal-accounts",
    required: true,
    rows: 4,
    spellcheck: false,
    defaultValue: last?.accounts.join("\n") ?? "",
  });
  const threshold = h("input", {
    id: "deal-threshold",
    type: "number",
    min: 1,
    max: 32,
    required: true,
    defaultValue: String(last?.threshold ?? 2),
  });
  const state = h("p", { id: "deal-state", className: "soft" });
  const tell = (dealt: Last | undefined) => {
    state.textContent = !dealt
      ? "No guardian is named in this browser."
      : `Dealt: version ${dealt.version}, to ${dealt.accounts.length} guardians, ${dealt.threshold} of whom bring it back. ${behind(aceso) ?? "What you seal from now on comes back with it: save a copy of the key store now and then."}`;
  };
  tell(last);
  const files = h("div", { className: "row" });
  const made = form(
    "Deal to these guardians",
    [
      h(
        "div",
        { className: "fields" },
        field("Guardians’ accounts", accounts, "one a line; each has registered a reader’s key"),
        field("How many of them bring it back", threshold),
      ),
    ],
    async () => {
      const named = [...new Set(accounts.value.split(/\s+/).filter(Boolean))];
      vault.need(aceso);
      const rows = await Promise.all(named.map(async (account) => [account, await aceso.reader(account)] as const));
      const none = rows.find(([, row]) => row === undefined);
      if (none) throw new Error(`${none[0]} has registered no reader’s key: she does that on her screen “Key”.`);
      const count = Number(threshold.value);
      if (count > named.length) throw new Error(`${count} of ${named.length} guardians cannot come together.`);
      const dealt = vault.deal(
        aceso,
        count,
        rows.map(([, row]) => row as ReaderRow),
      );
      const { version, nonce } = vaultFile(dealt.file);
      const done: Last = { version, nonce, threshold: count, accounts: named };
      localStorage.setItem(place(aceso), JSON.stringify(done));
      tell(done);
      const says = line();
      fill(
        files,
        button("Save the deal for your guardians", says, async () => download("deal.json", dealt.deal)),
        button("Save the key store of this deal", says, async () => download("keys.json", dealt.file)),
        says,
      );
      return "Dealt. Give the deal to each guardian, and keep the key store’s copy apart from this device and from them: both are needed.";
    },
  );
  return h("div", {}, state, made, files);
}

interface Collected {
  deal?: ReturnType<typeof checkedDeal>;
  shares: Map<number, Uint8Array>;
}

async function recovering(aceso: Aceso): Promise<HTMLElement> {
  const { grants } = aceso.verifier;
  const kept = sessionStorage.getItem(COLLECTOR);
  const secret = kept === null ? grants.newSecret() : bytesOf(kept);
  if (kept === null) sessionStorage.setItem(COLLECTOR, hex(secret));
  const code = hex(grants.publicKey(secret));
  const state: Collected = { shares: new Map() };

  const progress = h("p", { id: "recover-state", className: "soft", role: "status" });
  const tell = () => {
    const { deal, shares } = state;
    const places = [...shares.keys()].sort((one, other) => one - other).join(", ");
    progress.textContent = deal
      ? `The deal holds: ${deal.threshold} of ${deal.guardians} guardians bring back version ${deal.file.version}. Shares so far: ${shares.size === 0 ? "none" : `of guardians ${places}`}.`
      : "";
  };
  const dealing = jsonFile("recover-deal");
  const load = form("Take this deal", [field("The deal, from any guardian", dealing)], async () => {
    state.deal = checkedDeal(aceso.verifier, await textOf(dealing));
    state.shares.clear();
    tell();
  });
  const share = h("textarea", { id: "recover-share", required: true, rows: 3, spellcheck: false, autocomplete: "off" });
  const add = form("Add this share", [field("What a guardian hands over", share)], async () => {
    const { deal } = state;
    if (!deal) throw new Error("Take the deal first: shares are compared with it.");
    const handed = bytesOf(share.value);
    const place = handed[0] ?? 0;
    const guardian = deal.file.guardians[place - 1];
    if (!guardian) throw new Error(`This deal has no guardian ${place}.`);
    try {
      state.shares.set(place, aceso.verifier.guardians.receive(deal.of, deal.deal, handed, secret));
    } catch (error) {
      if (!(error instanceof GrantError)) throw error;
      throw new Error(
        `The share of guardian ${place} (${guardian.account}) is false or for another collector: ${error.message}.`,
      );
    }
    share.value = "";
    tell();
    return `The share of guardian ${place} (${guardian.account}) is what she was dealt.`;
  });
  const file = jsonFile("recover-file");
  const [first, again] = ["recover-phrase", "recover-again"].map((id) =>
    h("input", { id, type: "password", required: true, autocomplete: "new-password" }),
  );
  const bring = form(
    "Open the key store",
    [
      h(
        "div",
        { className: "fields" },
        field("The copy of your key store", file),
        field("A new pass phrase", first!),
        field("The same again", again!),
      ),
    ],
    async () => {
      const { deal, shares } = state;
      if (!deal) throw new Error("Take the deal first.");
      if (shares.size < deal.threshold)
        throw new Error(`${shares.size} of the ${deal.threshold} shares that are needed are here.`);
      if (first!.value !== again!.value) throw new Error("The two pass phrases differ.");
      const text = await textOf(file);
      const copy = vaultFile(text);
      if (BigInt(copy.version) < BigInt(deal.file.version))
        throw new Error(
          `The copy is version ${copy.version} of the key store, and the deal is of version ${deal.file.version}: bring a later copy.`,
        );
      const key = aceso.verifier.guardians.recover(deal.deal, [...shares.values()].slice(0, deal.threshold));
      const older = await vault.recover(text, key, first!.value).finally(() => key.fill(0));
      shares.forEach((one) => one.fill(0));
      shares.clear();
      secret.fill(0);
      sessionStorage.removeItem(COLLECTOR);
      return `Your key store is back, and open.${older} Deal it anew: the old shares open the old copy only.`;
    },
  );
  return h(
    "div",
    {},
    h("p", {}, "Tell your guardians this code, by a way on which they know that it is you:"),
    h("p", {}, h("code", { id: "collector" }, code)),
    load,
    progress,
    add,
    bring,
  );
}

function handing(aceso: Aceso): HTMLElement {
  const [deal, to] = [
    jsonFile("hand-deal"),
    h("textarea", { id: "hand-to", required: true, rows: 2, spellcheck: false, autocomplete: "off" }),
  ];
  const shown = h("div", {});
  const made = form(
    "Make my share for her",
    [
      h(
        "p",
        { className: "soft" },
        "Speak to her first. Whoever has this share and enough others, with a copy of the key store, has all her keys.",
      ),
      h(
        "div",
        { className: "fields" },
        field("The deal that she gave you", deal),
        field("The code that she told you", to),
      ),
    ],
    async () => {
      fill(shown);
      const { verifier } = aceso;
      const checked = checkedDeal(verifier, await textOf(deal));
      const at = checked.file.guardians.findIndex((one) => one.account === aceso.address);
      if (at < 0) throw new Error(`Account ${aceso.address} is no guardian of this deal.`);
      const { store } = vault.need(aceso);
      const name = vault.readerName(BigInt(checked.file.guardians[at]!.epoch));
      if (!store.images.includes(name))
        throw new Error(`Your key store has no ${name}: this deal was made for a key that you have no more.`);
      const secret = store.key(name);
      let share: Uint8Array | undefined;
      try {
        share = verifier.guardians.open(checked.of, checked.deal, at + 1, secret);
        const handed = hex(verifier.guardians.hand(checked.of, checked.deal, share, bytesOf(to.value)));
        const says = line();
        fill(
          shown,
          h(
            "p",
            {},
            "For ",
            id(checked.file.owner),
            `, as guardian ${at + 1} of ${checked.guardians}. Only who gave you that code can use it:`,
          ),
          h("p", {}, h("code", { id: "handed" }, handed)),
          h(
            "div",
            { className: "row" },
            button("Copy it", says, async () => {
              await navigator.clipboard.writeText(handed);
              return "Copied.";
            }),
          ),
          says,
        );
      } finally {
        secret.fill(0);
        share?.fill(0);
      }
    },
  );
  return h("div", {}, made, shown);
}

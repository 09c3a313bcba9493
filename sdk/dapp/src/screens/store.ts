/** The key store: made, opened, saved, brought back; and the reader's key by which others seal for this account. */
import type { Aceso } from "@aceso/sdk";

import { recordNames } from "../accounts.js";
import { button, download, field, fileOf, fill, form, h, line, when } from "../dom.js";
import * as vault from "../vault.js";

/** How long a reader's key is good, in seconds. */
const EPOCH = 365 * 24 * 3600;

export async function store(aceso: Aceso): Promise<HTMLElement> {
  const section = h("section", { id: "store", "aria-labelledby": "store-h" });
  const again = async () => {
    const parts = vault.unlocked(aceso)
      ? await open(aceso, again)
      : vault.file(aceso) === undefined
        ? [making(again), bringing(again)]
        : [unlocking(again), bringing(again)];
    fill(
      section,
      h("h2", { id: "store-h", tabIndex: -1 }, "Your key store"),
      h(
        "p",
        { className: "soft" },
        "It has the keys of the records that you seal, and your reader’s key. It lies in this browser’s storage, sealed under your pass phrase, and is opened in this page’s memory alone: a reload locks it.",
      ),
      ...parts,
    );
  };
  await again();
  return section;
}

const phrase = (id: string, label: string, fresh: boolean) => {
  const control = h("input", {
    id,
    type: "password",
    required: true,
    autocomplete: fresh ? "new-password" : "current-password",
  });
  return { control, field: field(label, control) };
};

function making(again: () => Promise<void>): HTMLElement {
  const [first, second] = [
    phrase("store-phrase", "A pass phrase", true),
    phrase("store-again", "The same again", true),
  ];
  const hint = h(
    "p",
    { className: "soft" },
    "Several words that you use nowhere else. Nobody can bring it back but your guardians, if you name some.",
  );
  return form("Make a key store", [hint, h("div", { className: "fields" }, first.field, second.field)], async () => {
    if (first.control.value !== second.control.value) throw new Error("The two pass phrases differ.");
    await vault.create(first.control.value);
    await again();
  });
}

function unlocking(again: () => Promise<void>): HTMLElement {
  const { control, field } = phrase("store-open", "Its pass phrase", false);
  return form("Open the key store", [field], async () => {
    await vault.unlock(control.value);
    await again();
  });
}

function bringing(again: () => Promise<void>): HTMLElement {
  const file = h("input", { type: "file", id: "store-file", required: true, accept: ".json,application/json" });
  const { control, field: words } = phrase("store-file-phrase", "The saved file’s pass phrase", false);
  const bring = form(
    "Bring it here",
    [h("div", { className: "fields" }, field("A saved key store", file), words)],
    async () => {
      await vault.bring(new TextDecoder().decode(await fileOf(file)), control.value);
      await again();
    },
  );
  const lost = h(
    "p",
    { className: "soft" },
    "Pass phrase lost? Your guardians bring the key back: see the screen ",
    h("a", { href: "#guardians" }, "Guardians"),
    ".",
  );
  return h("details", {}, h("summary", {}, "Bring a saved key store"), bring, lost);
}

async function open(aceso: Aceso, again: () => Promise<void>): Promise<HTMLElement[]> {
  const { store } = vault.need(aceso);
  const says = line();
  const save = button("Save a copy", says, async () => {
    download("keys.json", vault.file(aceso) ?? "");
    return "The copy is sealed under your pass phrase. Keep it where this device’s loss does not reach it.";
  });
  const lock = button("Lock it", says, async () => {
    vault.lock();
    await again();
  });
  const records = recordNames(store.images).length;
  const facts = h(
    "p",
    { id: "store-facts" },
    `Open. Version ${store.version}, keys of ${records} sealed ${records === 1 ? "record" : "records"}.`,
  );
  return [facts, h("div", { className: "row" }, save, lock), says, await reading(aceso, again)];
}

/** The key of an epoch: others wrap for it, and who has it opens what was wrapped. */
async function reading(aceso: Aceso, again: () => Promise<void>): Promise<HTMLElement> {
  const row = await aceso.reader(aceso.address);
  const mine = row !== undefined && vault.need(aceso).store.images.includes(vault.readerName(row.epoch));
  const holds = row !== undefined && Number(row.expires) * 1000 > Date.now();
  const says = line();
  const make = button(row ? "Register the next epoch’s key" : "Register a reader’s key", says, async () => {
    const epoch = row ? row.epoch + 1n : 0n;
    const name = vault.readerName(epoch);
    if (!vault.need(aceso).store.images.includes(name)) vault.change(aceso, (store) => store.add(name));
    const secret = vault.need(aceso).store.key(name);
    const expires = BigInt(Math.floor(Date.now() / 1000) + EPOCH);
    try {
      await aceso.registerReader(aceso.verifier.granter.reader(aceso.chain.id, aceso.address, epoch, secret, expires));
    } finally {
      secret.fill(0);
    }
    await again();
  });
  const state = !row
    ? "None is registered: nobody can seal for you, and you can be nobody’s guardian."
    : `Epoch ${row.epoch}, until ${when(Number(row.expires))}${holds ? "" : ": over"}. ` +
      (mine
        ? "Its secret is in this key store."
        : "Its secret is not in this key store: what is wrapped for it does not open here.");
  return h(
    "div",
    {},
    h("h3", {}, "Reader’s key"),
    h("p", { id: "reader-state" }, state),
    h("div", { className: "row" }, make),
    says,
  );
}

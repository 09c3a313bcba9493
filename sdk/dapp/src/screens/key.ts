/** A key: made here or brought along as 24 words. */
import { Key } from "@aceso/sdk";

import { button, field, fill, form, h, line } from "../dom.js";
import { coins, forget, hasKey, session, useWords } from "../session.js";
import { lock } from "../vault.js";
import { store } from "./store.js";

export async function key(main: HTMLElement, changed: () => Promise<void>): Promise<void> {
  const kept = h(
    "p",
    { className: "note" },
    "The words stay in this tab’s session storage and nowhere else: they are gone when the tab is closed, and no node ever sees them. " +
      "Nobody can bring them back, so keep a copy.",
  );
  fill(main, h("h1", {}, "Key"), kept, hasKey() ? await present(changed) : absent(changed));
}

async function present(changed: () => Promise<void>): Promise<HTMLElement> {
  const says = line();
  const drop = button("Forget this key", says, async () => {
    lock();
    forget();
    await changed();
  });
  const aceso = await session();
  const list = h(
    "dl",
    {},
    h("dt", {}, "Address"),
    h("dd", {}, h("code", { id: "address" }, aceso.address)),
    h("dt", {}, "Holds"),
    h("dd", {}, coins(await aceso.balance(), aceso.chain.denom)),
  );
  const account = h("section", {}, h("h2", {}, "Your account"), list, h("div", { className: "row" }, drop), says);
  return h("div", {}, account, await store(aceso));
}

function absent(changed: () => Promise<void>): HTMLElement {
  const words = h("textarea", { id: "words", required: true, autocomplete: "off", spellcheck: false, rows: 3 });
  const bring = form("Use this key", [field("Your 24 words", words)], async () => {
    await useWords(words.value);
    await changed();
  });
  const says = line();
  const fresh = h("div", {});
  const make = button("Create a key", says, async () => {
    const made = Key.newWords();
    const use = button("I have written them down: use this key", says, async () => {
      await useWords(made);
      await changed();
    });
    use.className = "main";
    const list = h(
      "ol",
      { className: "words", "aria-label": "The new key’s words" },
      ...made.split(" ").map((word) => h("li", {}, word)),
    );
    fill(
      fresh,
      h("p", {}, "Write these words down, in this order. They are the key."),
      list,
      h("div", { className: "row" }, use),
    );
    use.focus();
  });
  return h(
    "div",
    {},
    h("section", {}, h("h2", {}, "Bring a key"), bring),
    h("section", {}, h("h2", {}, "Make a key"), h("div", { className: "row" }, make), fresh, says),
  );
}

/** Which node and which contracts the screens work with, and which validators are trusted. */
import { type Trust } from "@aceso/sdk";

import { button, download, field, fileOf, fill, form, h, id, line, table } from "../dom.js";
import { at, pinRoots, pinned, pinnedRoots, session, settle, trustIn, unpin, unpinRoots } from "../session.js";

export async function node(main: HTMLElement, changed: () => Promise<void>): Promise<void> {
  const places = await at();
  const input = (name: "rpc" | "rest" | "consent" | "insurance", hint: string, label: string) => {
    const control = h("input", { id: `node-${name}`, value: places[name], autocomplete: "off", spellcheck: false });
    return { control, field: field(label, control, hint) };
  };
  const rpc = input("rpc", "such as http://127.0.0.1:26657", "RPC");
  const rest = input("rest", "such as http://127.0.0.1:1317", "REST");
  const consent = input("consent", "empty: the only one on the chain", "Consent contract");
  const insurance = input("insurance", "empty: the only one on the chain", "Insurance contract");
  const settings = form(
    "Use these",
    [h("div", { className: "fields" }, rpc.field, rest.field, consent.field, insurance.field)],
    async () => {
      const value = ({ control }: { control: HTMLInputElement }) => control.value.trim();
      settle({ rpc: value(rpc), rest: value(rest), consent: value(consent), insurance: value(insurance) });
      await session();
      await changed();
    },
  );
  const [trusted, rooted] = [h("section", { id: "trust" }), h("section", { id: "roots" })];
  fill(main, h("h1", {}, "Node"), h("section", {}, h("h2", {}, "Where"), settings), trusted, rooted);
  await trust(trusted);
  await roots(rooted);
}

/** Whom this browser believes: results are verified against these keys, not against the node. */
export async function trust(where: HTMLElement): Promise<void> {
  const { chain } = await session();
  const { trust: held, since } = await pinned();
  const says = line();
  const file = h("input", { type: "file", id: "trust-file", accept: ".json,application/json" });
  const again = async () => trust(where);
  const load = button("Trust this file", says, async () => {
    await trustIn(JSON.parse(new TextDecoder().decode(await fileOf(file))) as Trust);
    await again();
  });
  const save = button("Save as trust.json", says, async () => download("trust.json", JSON.stringify(held, null, 2)));
  const drop = button("Forget, and trust this node’s validators anew", says, async () => {
    await unpin();
    await again();
  });
  fill(
    where,
    h("h2", {}, "Trusted validators"),
    h(
      "p",
      { className: "soft" },
      `Pinned for chain ${chain.id} since ${new Date(since).toLocaleString()}, at first use from the node or from a file. ` +
        "Compare them with what somebody you trust tells you: every badge rests on them.",
    ),
    table(
      ["Consensus key", "Power"],
      held.validators.map((one) => [id(one.public_key), one.power]),
      "",
    ),
    h("form", { className: "fields" }, field("Another trust file", file)),
    h("div", { className: "row" }, load, save, drop),
    says,
  );
}

/** Whose word is believed on sealed reads: a table of attestation keys, and all that follow from it. */
async function roots(where: HTMLElement): Promise<void> {
  const { chain } = await session();
  const { trusted, latest, roots: held, since } = await pinnedRoots();
  const says = line();
  const file = h("input", { type: "file", id: "roots-file", accept: ".json,application/json" });
  const load = button("Trust these roots", says, async () => {
    const bytes = await fileOf(file);
    try {
      await pinRoots(bytes);
    } catch (error) {
      throw error instanceof SyntaxError || error instanceof TypeError ? new Error("This is no roots file.") : error;
    }
    await roots(where);
  });
  const save = button("Save as roots.json", says, async () => download("roots.json", held));
  const drop = button("Forget, and trust this chain’s first root anew", says, async () => {
    await unpinRoots();
    await roots(where);
  });
  fill(
    where,
    h("h2", {}, "Trusted roots of committees"),
    h(
      "p",
      { className: "soft" },
      `Pinned for chain ${chain.id} since ${new Date(since).toLocaleString()}; followed to number ${latest}, each signed by more than two thirds of the one before. ` +
        "Compare this digest with what somebody you trust tells you: every badge of a sealed read rests on it.",
    ),
    h("p", {}, h("code", { id: "root-digest" }, trusted)),
    h("form", { className: "fields" }, field("Another roots file", file)),
    h("div", { className: "row" }, load, save, drop),
    says,
  );
}

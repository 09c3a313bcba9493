/**
 * The page: screens behind hashes. Each screen draws itself once and is told to look again when a transaction
 * went through.
 */
import { subscribe } from "@aceso/sdk";

import { fill, h, sentenceOf } from "./dom.js";
import { guardians } from "./screens/guardians.js";
import { insurer } from "./screens/insurer.js";
import { key } from "./screens/key.js";
import { node } from "./screens/node.js";
import { patient } from "./screens/patient.js";
import { physician } from "./screens/physician.js";
import { sealed } from "./screens/sealed.js";
import { sponsor } from "./screens/sponsor.js";
import { hasKey, session } from "./session.js";

/** How long transactions may gather before a screen looks again, in milliseconds. */
const GATHER_MS = 200;

const SCREENS = {
  patient: "Patient",
  sealed: "Sealed records",
  physician: "Physician",
  insurer: "Insurer",
  key: "Key",
  guardians: "Guardians",
  sponsor: "Sponsor",
  node: "Node",
} as const;
type Screen = keyof typeof SCREENS;

const main = document.getElementById("main")!;
const nav = document.getElementById("nav")!;
const who = document.getElementById("who")!;
let leave = () => {};
let drawn = 0;

function screen(): Screen {
  const name = location.hash.slice(1);
  if (name in SCREENS) return name as Screen;
  return hasKey() ? "patient" : "key";
}

async function draw(focus = false): Promise<void> {
  leave();
  leave = () => {};
  const turn = ++drawn;
  const name = screen();
  document.title = `${SCREENS[name]} · Aceso`;
  fill(
    nav,
    ...Object.entries(SCREENS).map(([to, label]) =>
      h("a", { href: `#${to}`, "aria-current": to === name ? "page" : undefined }, label),
    ),
  );
  try {
    await identify();
    const into = h("div", {});
    const stop = await open(name, into);
    if (turn !== drawn) return stop();
    leave = stop;
    fill(main, into);
  } catch (error) {
    if (turn !== drawn) return;
    const help = name === "node" ? null : h("p", {}, "See the screen ", h("a", { href: "#node" }, "Node"), ".");
    fill(main, h("h1", {}, SCREENS[name]), h("p", { className: "says bad", role: "alert" }, sentenceOf(error)), help);
  }
  if (focus) main.focus();
}

async function open(name: Screen, into: HTMLElement): Promise<() => void> {
  const again = () => draw(true);
  if (name === "key") await key(into, again);
  else if (name === "node") await node(into, again);
  else if (!hasKey()) {
    fill(
      into,
      h("h1", {}, SCREENS[name]),
      h("p", {}, "This screen acts for an account: ", h("a", { href: "#key" }, "bring or make a key"), " first."),
    );
  } else if (name === "insurer") return (await insurer(into)).stop;
  else if (name === "guardians") await guardians(into);
  else if (name === "physician") {
    const { refresh, stop } = await physician(into);
    const unwatch = await watch(refresh);
    return () => (unwatch(), stop());
  } else if (name === "sponsor") return watch(await sponsor(into));
  else return watch(await (name === "patient" ? patient(into) : sealed(into)));
  return () => {};
}

/** Looks again after transactions, one look at a time. */
async function watch(refresh: () => Promise<void>): Promise<() => void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const later = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      refresh().catch(() => {});
    }, GATHER_MS);
  };
  const stop = subscribe((await session()).rpc, "tm.event='Tx'", later);
  return () => {
    clearTimeout(timer);
    stop();
  };
}

async function identify(): Promise<void> {
  who.textContent = "";
  const aceso = await session().catch(() => undefined);
  if (!aceso) return;
  const { address, chain } = aceso;
  who.textContent = address ? `${address.slice(0, 12)}…${address.slice(-4)} on ${chain.id}` : `no key, on ${chain.id}`;
}

window.addEventListener("hashchange", () => void draw(true));
void draw();

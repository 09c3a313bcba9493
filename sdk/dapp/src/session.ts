/**
 * Who is at the page and which node it speaks to.
 *
 * The key's words are in this tab's session storage only. What is not secret (contracts, the pinned validators, a
 * node of another origin) is in local storage.
 */
import { type Aceso, Key, type Trust, Verifier, connect } from "@aceso/sdk";
import wasm from "@aceso/sdk/verify.wasm?url";

const WORDS = "aceso.words";
const PLACES = "aceso.node";

/** The node's ports, and the contracts that the screens work with. */
export interface Places {
  rpc: string;
  rest: string;
  consent: string;
  insurance: string;
}

let client: Aceso | undefined;
let verifier: Promise<Verifier> | undefined;
let places: Places | undefined;

const stored = (): Partial<Places> => JSON.parse(localStorage.getItem(PLACES) ?? "{}") as Partial<Places>;

/** From the address line, else as set before, else the node that serves this page. */
async function find(): Promise<Places> {
  const query = new URLSearchParams(location.search);
  const kept = stored();
  const said = (name: keyof Places) => query.get(name) ?? kept[name] ?? "";
  const found = { rpc: said("rpc"), rest: said("rest"), consent: said("consent"), insurance: said("insurance") };
  if (found.rpc && found.rest) return found;
  const about = await fetch("/aceso/node/v1")
    .then((answer) => (answer.ok ? answer.json() : undefined))
    .catch(() => undefined);
  if (typeof about?.rpc === "string") {
    found.rpc ||= new URL(about.rpc, location.href).href;
    found.rest ||= location.origin;
  }
  return found;
}

export const hasKey = (): boolean => sessionStorage.getItem(WORDS) !== null;

/** The client for the node and the key that are set; throws a sentence where there is no node. */
export async function session(): Promise<Aceso> {
  if (client) return client;
  const { rpc, rest } = await at();
  if (!rpc || !rest) throw new Error("This page does not know a node: name one on the screen “Node”.");
  verifier ??= Verifier.load(fetch(wasm));
  verifier.catch(() => (verifier = undefined));
  const words = sessionStorage.getItem(WORDS);
  const options = { rpc, rest, verifier: await verifier };
  client = await connect(words === null ? options : { ...options, key: await Key.fromWords(words) });
  return client;
}

export async function at(): Promise<Places> {
  return (places ??= await find());
}

export function settle(changed: Partial<Places>): void {
  localStorage.setItem(PLACES, JSON.stringify({ ...stored(), ...changed }));
  if (places) Object.assign(places, changed);
  client = undefined;
}

export async function useWords(words: string): Promise<void> {
  await Key.fromWords(words);
  sessionStorage.setItem(WORDS, words.trim().toLowerCase());
  client = undefined;
}

export function forget(): void {
  sessionStorage.removeItem(WORDS);
  client = undefined;
}

/** The contract of a kind: as set, else the only one on the chain that calls itself so; empty where that is unclear. */
export async function contract(kind: "consent" | "insurance"): Promise<string> {
  const known = (await at())[kind];
  if (known) return known;
  const found = await (await session()).contracts(`aceso-${kind}`);
  return found.length === 1 ? found[0]! : "";
}

/** What this browser trusts of a chain, and since when. */
export interface Pinned {
  trust: Trust;
  since: string;
}

const pin = (chain: string) => `aceso.trust.${chain}`;

/** The pinned validators; those of this node are pinned where there are none yet. */
export async function pinned(): Promise<Pinned> {
  const aceso = await session();
  const before = localStorage.getItem(pin(aceso.chain.id));
  if (before !== null) return JSON.parse(before) as Pinned;
  return trustIn(await aceso.trust());
}

export async function trustIn(trust: Trust): Promise<Pinned> {
  const aceso = await session();
  if (trust.chain_id !== aceso.chain.id)
    throw new Error(`The file is of chain ${trust.chain_id}, and this is ${aceso.chain.id}.`);
  if (!Array.isArray(trust.validators) || trust.validators.length === 0)
    throw new Error("The file names no validator.");
  const made = { trust, since: new Date().toISOString() };
  localStorage.setItem(pin(trust.chain_id), JSON.stringify(made));
  return made;
}

export async function unpin(): Promise<void> {
  localStorage.removeItem(pin((await session()).chain.id));
}

/** The roots of attestation keys that this browser trusts. */
export interface PinnedRoots {
  /** The digest of the first one: all others follow from it. */
  trusted: string;
  latest: number;
  roots: Uint8Array;
  since: string;
}

const rootsPlace = (chain: string) => `aceso.roots.${chain}`;

/** The pinned roots, with those that have followed since; the chain's first is pinned where there is none yet. */
export async function pinnedRoots(): Promise<PinnedRoots> {
  const aceso = await session();
  const before = localStorage.getItem(rootsPlace(aceso.chain.id));
  const kept = before === null ? undefined : (JSON.parse(before) as { roots: string; since: string });
  const held = kept && new TextEncoder().encode(kept.roots);
  const roots = await aceso.roots(held);
  return pinRoots(roots, kept?.since ?? new Date().toISOString());
}

/** Trusts a roots file from now on. */
export async function pinRoots(roots: Uint8Array, since = new Date().toISOString()): Promise<PinnedRoots> {
  const aceso = await session();
  const { chainId, trusted, latest } = aceso.verifier.compacts.about(roots);
  if (chainId !== aceso.chain.id) throw new Error(`The roots are of chain ${chainId}, and this is ${aceso.chain.id}.`);
  localStorage.setItem(rootsPlace(chainId), JSON.stringify({ roots: new TextDecoder().decode(roots), since }));
  return { trusted, latest, roots, since };
}

export async function unpinRoots(): Promise<void> {
  localStorage.removeItem(rootsPlace((await session()).chain.id));
}

/** An amount of the chain's smallest coin, in words. */
export const coins = (amount: bigint | string | number, denom: string): string =>
  denom.startsWith("u")
    ? `${(Number(amount) / 1e6).toLocaleString(undefined, { maximumFractionDigits: 6 })} ${denom.slice(1)}`
    : `${amount} ${denom}`;

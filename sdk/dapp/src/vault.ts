/**
 * The key store of who is at the page: sealed in this browser's storage, open in this page's memory and nowhere else.
 *
 * What it has keys of: sealed records by the name that the chain has for them, the reader's key of an epoch under `reader:`
 * and its number, and accounts that wait for a record (`accounts.ts`).
 */
import { type Aceso, type KeyStore, Vault, vaultFile } from "@aceso/sdk";

import { session } from "./session.js";

let open: Vault | undefined;

const place = ({ chain, address }: Aceso) => `aceso.keys.${chain.id}.${address}`;
/** The newest version that was seen, so that an older file does not bring back what was erased. */
const newest = ({ chain, address }: Aceso) => `aceso.keys-seen.${chain.id}.${address}`;

/** Before the epoch of a reader's key in the store. */
export const READER = "reader:";
/** What a reader's key is called in the store. */
export const readerName = (epoch: bigint): string => `${READER}${epoch}`;

/** The file as it lies in the browser's storage; none where there is none. */
export const file = (aceso: Aceso): string | undefined => localStorage.getItem(place(aceso)) ?? undefined;

/** The open store of this account; none while it is locked. */
export const unlocked = (aceso: Aceso): Vault | undefined =>
  open?.owner === aceso.address && open.chainId === aceso.chain.id ? open : undefined;

/** The open store, or the sentence that says how to open it. */
export function need(aceso: Aceso): Vault {
  const vault = unlocked(aceso);
  if (vault) return vault;
  throw new Error(
    file(aceso) === undefined
      ? "You have no key store in this browser yet: make one on the screen “Key”."
      : "Your key store is locked: open it with its pass phrase on the screen “Key”.",
  );
}

export function lock(): void {
  open?.lock();
  open = undefined;
}

export async function create(phrase: string): Promise<void> {
  const aceso = await session();
  if (file(aceso) !== undefined) throw new Error("There is a key store in this browser already.");
  keep(aceso, await Vault.create(aceso.verifier, aceso.chain.id, aceso.address, phrase));
}

export async function unlock(phrase: string): Promise<void> {
  const aceso = await session();
  const text = file(aceso);
  if (text === undefined) throw new Error("There is no key store in this browser.");
  take(await Vault.open(aceso.verifier, text, phrase, seen(aceso)));
}

/** Takes a saved file in the place of what is here. */
export async function bring(text: string, phrase: string): Promise<void> {
  const aceso = await session();
  check(aceso, text);
  const vault = await Vault.open(aceso.verifier, text, phrase, seen(aceso));
  localStorage.setItem(place(aceso), text);
  note(aceso, vault);
  take(vault);
}

/**
 * Takes a saved file that guardians have opened, under a new pass phrase. It may be older than what this browser has seen:
 * then it is all that is left, and the answer says so.
 */
export async function recover(text: string, key: Uint8Array, phrase: string): Promise<string> {
  const aceso = await session();
  check(aceso, text);
  const newest = seen(aceso);
  const vault = await Vault.recover(aceso.verifier, text, key, phrase);
  keep(aceso, vault);
  const { version } = vault.store;
  return version < newest
    ? ` It is version ${version}, and this browser has seen version ${newest}: what was sealed since has no key here, and what was erased since is back.`
    : "";
}

/** Changes the store and writes it down before it answers: what the chain is told afterwards is never without its key. */
export function change(aceso: Aceso, how: (store: KeyStore) => void): void {
  const vault = need(aceso);
  const there = file(aceso);
  if (there !== undefined && vaultFile(there).version !== String(vault.store.version)) {
    lock();
    throw new Error("The key store was changed in another tab: open it again, and repeat this.");
  }
  how(vault.store);
  keep(aceso, vault);
}

/** Deals the store as it is now: its file, and what guardians are given. */
export function deal(
  aceso: Aceso,
  threshold: number,
  guardians: Parameters<Vault["file"]>[1],
): { file: string; deal: string } {
  const dealt = need(aceso).file(threshold, guardians);
  localStorage.setItem(place(aceso), dealt.file);
  return dealt;
}

function check(aceso: Aceso, text: string): void {
  const { owner, chain_id } = vaultFile(text);
  if (owner !== aceso.address)
    throw new Error(`This key store is of account ${owner}; bring that account's words first.`);
  if (chain_id !== aceso.chain.id)
    throw new Error(`This key store is of chain ${chain_id}, and this is ${aceso.chain.id}.`);
}

const seen = (aceso: Aceso): bigint => BigInt(localStorage.getItem(newest(aceso)) ?? "1");

function note(aceso: Aceso, vault: Vault): void {
  localStorage.setItem(newest(aceso), String(vault.store.version));
}

function keep(aceso: Aceso, vault: Vault): void {
  localStorage.setItem(place(aceso), vault.file());
  note(aceso, vault);
  take(vault);
}

function take(vault: Vault): void {
  if (open !== vault) lock();
  open = vault;
}

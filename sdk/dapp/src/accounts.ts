/**
 * The accounts in whose names records stand: one for each, which follows from the key store, so that there are no words to
 * write down, and is forgotten with the record. Others wait for a record that is to come, under names of their own in the store, so
 * that a sponsor can be asked to pay for them in advance.
 */
import { type Aceso, type RecordRow, type Sponsor, type Vault, hex, pays } from "@aceso/sdk";

import { coins } from "./session.js";
import * as vault from "./vault.js";

/** Before the name of what waits for a record. */
const WAITING = "account:";
/** Most coins of her own that a patient's account pays for the fees of one record's, in all. */
export const LIMIT = 1_000_000n;

/** Clients of a store's accounts, by their names there; gone when it is locked. No name is given twice. */
const clients = new WeakMap<Vault, Map<string, Promise<Aceso>>>();

function client(aceso: Aceso, open: Vault, name: string): Promise<Aceso> {
  const known = clients.get(open) ?? new Map<string, Promise<Aceso>>();
  clients.set(open, known);
  const made = known.get(name) ?? aceso.as(open.store.account(name));
  known.set(name, made);
  return made;
}

/** The records that a store has keys of, by their names. */
export const recordNames = (images: readonly string[]): string[] =>
  images.filter((name) => !name.startsWith(WAITING) && !name.startsWith(vault.READER));

/** The accounts of records of who is at the page; none while the store is locked. */
async function others(aceso: Aceso): Promise<Aceso[]> {
  const open = vault.unlocked(aceso);
  return open ? Promise.all(recordNames(open.store.images).map((name) => client(aceso, open, name))) : [];
}

/** All records of who is at the page, in whatever account's name, by their numbers. */
export async function records(aceso: Aceso): Promise<RecordRow[]> {
  const names = [aceso, ...(await others(aceso))];
  const rows = (await Promise.all(names.map((one) => aceso.records(one.address)))).flat();
  return rows.sort((one, other) => Number(one.record - other.record));
}

/** Who acts for an owner of records: this account, or that of a record; none where it is somebody else's, or locked. */
export async function actorOf(aceso: Aceso, owner: string): Promise<Aceso | undefined> {
  return owner === aceso.address ? aceso : (await others(aceso)).find(({ address }) => address === owner);
}

/** The same; throws the sentence that says what to do. */
export async function actor(aceso: Aceso, owner: string): Promise<Aceso> {
  const found = await actorOf(aceso, owner);
  if (found) return found;
  vault.need(aceso);
  throw new Error(`Record owner ${owner} is no account of your key store.`);
}

/** An account that waits for a record, and who pays for it. */
export interface Waiting {
  name: string;
  acts: Aceso;
  sponsors: Sponsor[];
}

export async function waiting(aceso: Aceso): Promise<Waiting[]> {
  const open = vault.unlocked(aceso);
  const names = open?.store.images.filter((name) => name.startsWith(WAITING)) ?? [];
  return Promise.all(
    names.map(async (name) => {
      const acts = await client(aceso, open!, name);
      return { name, acts, sponsors: await paying(acts) };
    }),
  );
}

/** Who pays an account's fees now. */
export async function paying(acts: Aceso): Promise<Sponsor[]> {
  const now = Math.floor(Date.now() / 1000);
  return (await acts.sponsors()).filter((one) => pays(one, 0n, now, []));
}

/** Another account that waits for a record. */
export async function another(aceso: Aceso): Promise<Waiting> {
  const name = `${WAITING}${hex(crypto.getRandomValues(new Uint8Array(8)))}`;
  vault.change(aceso, (store) => store.add(name));
  return { name, acts: await client(aceso, vault.need(aceso), name), sponsors: [] };
}

/** Who pays the fees of a record that is to be sealed: somebody else, this account, or it has no account of its own. */
export type Payer = "sponsor" | "mine" | "none";

/** An account for a record that is to be sealed; throws the sentence that says what to do where nobody pays for one. */
export async function ready(aceso: Aceso, payer: "sponsor" | "mine"): Promise<Waiting> {
  vault.need(aceso);
  const all = await waiting(aceso);
  const paid = all.find(({ sponsors }) => sponsors.some(({ address }) => (payer === "mine") === (address === aceso.address)));
  if (paid) return paid;
  const free = all.find(({ sponsors }) => sponsors.length === 0) ?? (await another(aceso));
  const { address } = free.acts;
  if (payer === "sponsor")
    throw new Error(
      `Nobody pays yet for ${address}, the account that this record is to have: give that address to your sponsor, and repeat this once it is paid for. Or choose another who pays.`,
    );
  await aceso.sponsorFees([address], LIMIT);
  return { ...free, sponsors: await paying(free.acts) };
}

/** Throws where an account of a record holds coins: they would be lost with its key. */
export async function emptied(aceso: Aceso, acts: Aceso): Promise<void> {
  if (acts.address === aceso.address) return;
  const held = await acts.balance();
  if (held > 0n)
    throw new Error(
      `Account ${acts.address} of this record holds ${coins(held, aceso.chain.denom)}, which would be lost with its key: collect them first.`,
    );
}

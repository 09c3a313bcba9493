/**
 * The terms of sealed grants. On the chain stands their digest; who gave a grant has them here, and hands them to whoever
 * is to ask, as a file.
 */
import { type Aceso, type GrantRow, type SealedTerms, hex } from "@aceso/sdk";

const FORMAT = "aceso-grant/1";

/** A grant with its terms opened. */
export interface Card {
  format: typeof FORMAT;
  chain_id: string;
  owner: string;
  record: string;
  granter: string;
  grant: string;
  expires: string;
  terms: SealedTerms;
}

/** Those that were brought, and those that were given here: a record's account gives what is not for the screen Physician. */
const place = ({ chain, address }: Aceso) => `aceso.grants.${chain.id}.${address}`;
const givenPlace = ({ chain, address }: Aceso) => `aceso.given.${chain.id}.${address}`;
const name = (granter: string, grant: bigint | string) => `${granter}/${grant}`;

const held = (at: string): Record<string, Card> => JSON.parse(localStorage.getItem(at) ?? "{}") as Record<string, Card>;

/** All that were brought to this browser for this account, the latest first. */
export const cards = (aceso: Aceso): Card[] =>
  Object.values(held(place(aceso)))
    .filter((card) => card.granter !== aceso.address)
    .reverse();

export const cardOf = (aceso: Aceso, granter: string, grant: bigint): Card | undefined =>
  held(givenPlace(aceso))[name(granter, grant)] ?? held(place(aceso))[name(granter, grant)];

/** Keeps the terms of a grant that was brought, or that was given here. */
export function keep(aceso: Aceso, card: Card, given = false): void {
  const at = given ? givenPlace(aceso) : place(aceso);
  const all = held(at);
  delete all[name(card.granter, card.grant)];
  localStorage.setItem(at, JSON.stringify({ ...all, [name(card.granter, card.grant)]: card }));
}

export function make(
  aceso: Aceso,
  owner: string,
  record: bigint,
  granter: string,
  grant: bigint,
  expires: bigint,
  terms: SealedTerms,
): Card {
  const numbers = { record: String(record), grant: String(grant), expires: String(expires) };
  return { format: FORMAT, chain_id: aceso.chain.id, owner, granter, ...numbers, terms };
}

/** Reads a file and compares it with what the chain has: the digest of the terms must be the grant's. */
export async function read(aceso: Aceso, text: string): Promise<{ card: Card; row: GrantRow }> {
  let card: Card;
  try {
    card = JSON.parse(text) as Card;
  } catch {
    throw new Error("This is no grant: it is not JSON.");
  }
  if (card?.format !== FORMAT) throw new Error(`This is no grant: it does not say ${FORMAT}.`);
  if (card.chain_id !== aceso.chain.id)
    throw new Error(`This grant is of chain ${card.chain_id}, and this is ${aceso.chain.id}.`);
  const digits = [card.record, card.grant, card.expires].every((one) => /^\d{1,19}$/.test(String(one)));
  if (!digits || typeof card.granter !== "string" || typeof card.owner !== "string")
    throw new Error("This grant does not say which it is.");
  const row = await aceso.sealedGrant(card.granter, BigInt(card.grant));
  if (!row?.grant) throw new Error(`The chain has no grant ${card.grant} of ${card.granter}.`);
  const { digest } = aceso.verifier.granter.terms(card.terms, row.grant.expires);
  if (digest !== hex(row.grant.terms)) throw new Error("These are other terms than the grant was given with.");
  return { card, row };
}

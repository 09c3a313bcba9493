/** Secrets dealt to guardians, written from `docs/grants.md`. */
import { big, concat, cut, text } from "./bytes.js";
import {
  G,
  Point,
  challenge,
  encoded,
  field,
  inverse,
  mod,
  nonce,
  point,
  scalar,
  scalarBytes,
  times,
} from "./group.js";

export interface Dealt {
  chainId: string;
  owner: string;
  version: bigint;
}

export interface Deal {
  C: Point[];
  E: Point;
  masked: bigint[];
  c: bigint;
  z: bigint;
}

export interface Share {
  place: number;
  value: bigint;
}

const fieldsOf = (about: Dealt): Uint8Array[] => [text(about.chainId), text(about.owner), big(about.version, 8)];

export function deal(about: Dealt, k: bigint, threshold: number, guardians: readonly Point[], entropy: Uint8Array): Uint8Array {
  counted(threshold, guardians.length);
  const statement = [concat(...fieldsOf(about).map(field), ...guardians.map(encoded))];
  const draw = (which: number): bigint => nonce(k, entropy, which, statement);
  const [e, a] = [draw(1), draw(2)];
  const f = [k, ...Array.from({ length: threshold - 1 }, (_, i) => draw(3 + i))];
  const [C, E] = [f.map((one) => times(G, one)), times(G, e)];
  const masked = guardians.map((R, j) => {
    const value = f.reduceRight((sum, one) => mod(sum * BigInt(j + 1) + one), 0n);
    return mod(value + mask("aceso/grant/deal/share/1", about, j + 1, C, E, R, times(R, e)));
  });
  const c = bound(about, guardians, C, E, masked, times(G, a));
  return concat(
    Uint8Array.of(threshold, guardians.length),
    ...[...C, E].map(encoded),
    ...[...masked, c, mod(a + c * k)].map(scalarBytes),
  );
}

export function parse(bytes: Uint8Array): Deal {
  const [threshold = 0, count = 0] = bytes;
  counted(threshold, count);
  const parts = cut(bytes, 2, ...Array<number>(threshold + 1).fill(48), ...Array<number>(count + 2).fill(32));
  const points = parts.slice(1, threshold + 2).map(point);
  const scalars = parts.slice(threshold + 2).map(scalar);
  return { C: points.slice(0, -1), E: points.at(-1)!, masked: scalars.slice(0, count), c: scalars.at(-2)!, z: scalars.at(-1)! };
}

/** Throws unless it holds. */
export function check(about: Dealt, { C, E, masked, c, z }: Deal, guardians: readonly Point[]): void {
  if (guardians.length !== masked.length) throw new Error("other guardians");
  const T = times(G, z).subtract(times(C[0]!, c));
  if (bound(about, guardians, C, E, masked, T) !== c) throw new Error("the deal does not hold");
}

export function open(about: Dealt, deal: Deal, place: number, secret: bigint): Share {
  const masked = deal.masked[place - 1];
  if (masked === undefined) throw new Error(`there is no guardian ${place}`);
  const [R, shared] = [times(G, secret), times(deal.E, secret)];
  return compared(deal, { place, value: mod(masked - mask("aceso/grant/deal/share/1", about, place, deal.C, deal.E, R, shared)) });
}

export function hand(about: Dealt, deal: Deal, { place, value }: Share, to: Point, entropy: Uint8Array): Uint8Array {
  const statement = [text("aceso/grant/deal/hand/1"), Uint8Array.of(place), encoded(to)];
  const e = nonce(value, entropy, 1, statement);
  const E = times(G, e);
  const masked = mod(value + mask("aceso/grant/deal/hand/1", about, place, deal.C, E, to, times(to, e)));
  return concat(Uint8Array.of(place), encoded(E), scalarBytes(masked));
}

export function receive(about: Dealt, deal: Deal, handed: Uint8Array, secret: bigint): Share {
  const [at, ephemeral, bytes] = cut(handed, 1, 48, 32) as [Uint8Array, Uint8Array, Uint8Array];
  const [place, E, masked] = [at[0]!, point(ephemeral), scalar(bytes)];
  const [R, shared] = [times(G, secret), times(E, secret)];
  return compared(deal, { place, value: mod(masked - mask("aceso/grant/deal/hand/1", about, place, deal.C, E, R, shared)) });
}

export function recover(deal: Deal, shares: readonly Share[]): bigint {
  shares.forEach((share) => compared(deal, share));
  const chosen = [...new Map(shares.map((share) => [share.place, share])).values()].slice(0, deal.C.length);
  if (chosen.length < deal.C.length) throw new Error("too few shares");
  return chosen.reduce((sum, { place, value }) => {
    const others = chosen.filter((other) => other.place !== place).map((other) => BigInt(other.place));
    const over = others.reduce((product, other) => mod(product * other), 1n);
    const under = others.reduce((product, other) => mod(product * (other - BigInt(place))), 1n);
    return mod(sum + value * over * inverse(under));
  }, 0n);
}

export const shareBytes = ({ place, value }: Share): Uint8Array => concat(Uint8Array.of(place), scalarBytes(value));

function compared(deal: Deal, share: Share): Share {
  const { place, value } = share;
  const inside = place >= 1 && place <= deal.masked.length;
  const published = deal.C.reduceRight((sum, C) => times(sum, BigInt(place)).add(C), Point.ZERO);
  if (!inside || !times(G, value).equals(published)) throw new Error(`the share of guardian ${place} is another one`);
  return share;
}

function mask(domain: string, about: Dealt, place: number, C: readonly Point[], E: Point, R: Point, shared: Point): bigint {
  return challenge(domain, [...fieldsOf(about), Uint8Array.of(place)], [...C, E, R, shared]);
}

function bound(about: Dealt, guardians: readonly Point[], C: readonly Point[], E: Point, masked: readonly bigint[], T: Point): bigint {
  const counts = [C.length, masked.length].map((count) => big(count, 8));
  const fields = [...fieldsOf(about), ...counts, ...masked.map(scalarBytes)];
  return challenge("aceso/grant/deal/1", fields, [...C, E, ...guardians, T]);
}

function counted(threshold: number, count: number): void {
  if (count < 1 || count > 32 || threshold < 1 || threshold > count) throw new Error("counts that make no sense");
}

/** Registrations, wraps, openings and possessions, written from `docs/grants.md`. For checking, not for use: not constant-time. */
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { sha3_256 } from "@noble/hashes/sha3.js";

import { big, concat, cut, text } from "./bytes.js";
import { G, challenge, encoded, field, mod, nonce, point, scalar, scalarBytes, times, type Point } from "./group.js";

export interface Registered {
  chainId: string;
  cid: string;
  owner: string;
  commitment: Uint8Array;
}

export interface Granted {
  chainId: string;
  version: number;
  source: Uint8Array;
  cid: string;
  owner: string;
  grant: bigint;
  nonce: Uint8Array;
  epoch: bigint;
  committee: Uint8Array;
  terms: Uint8Array;
}

export const contentPoint = (entropy: Uint8Array): Point =>
  times(G, challenge("aceso/grant/point/1", [entropy], []));

export const contentKey = (content: Point, purpose: Uint8Array): Uint8Array =>
  hkdf(sha256, encoded(content), text("aceso/grant/content/1"), purpose, 32);

export function commitment(content: Point): Uint8Array {
  const domain = text("aceso/grant/commitment/1");
  return sha3_256(concat(domain, contentKey(content, domain)));
}

const registered = (about: Registered): Uint8Array[] => [
  text(about.chainId),
  text(about.cid),
  text(about.owner),
  about.commitment,
];

export function register(about: Registered, x: bigint, content: Point, entropy: Uint8Array): Uint8Array {
  const fields = registered(about);
  const statement = [concat(...fields.map(field)), encoded(content)];
  const [r, a, b] = [1, 2, 3].map((which) => nonce(x, entropy, which, statement)) as [bigint, bigint, bigint];
  const P = times(G, x);
  const [C1, C2] = [times(G, r), content.add(times(P, r))];
  const c = challenge("aceso/grant/registration/1", fields, [P, C1, C2, times(G, a), times(G, b)]);
  return concat(...[P, C1, C2].map(encoded), ...[c, mod(a + c * r), mod(b + c * x)].map(scalarBytes));
}

/** Throws unless it holds. */
export function checkRegistration(about: Registered, bytes: Uint8Array): { P: Point; C1: Point; C2: Point } {
  const parts = cut(bytes, 48, 48, 48, 32, 32, 32);
  const [P, C1, C2] = parts.slice(0, 3).map(point) as [Point, Point, Point];
  const [c, zr, zx] = parts.slice(3).map(scalar) as [bigint, bigint, bigint];
  const T1 = times(G, zr).subtract(times(C1, c));
  const T2 = times(G, zx).subtract(times(P, c));
  if (challenge("aceso/grant/registration/1", registered(about), [P, C1, C2, T1, T2]) !== c)
    throw new Error("the registration does not hold");
  return { P, C1, C2 };
}

export function open(secret: bigint, ciphertext: Uint8Array): Point {
  const [C1, C2] = cut(ciphertext, 48, 48).map(point) as [Point, Point];
  return C2.subtract(times(C1, secret));
}

const granted = (about: Granted): Uint8Array[] => [
  text(about.chainId),
  big(about.version, 4),
  about.source,
  text(about.cid),
  text(about.owner),
  big(about.grant, 8),
  about.nonce,
  big(about.epoch, 8),
  about.committee,
  about.terms,
];

export function wrap(about: Granted, x: bigint, from: Uint8Array, members: readonly Point[], entropy: Uint8Array): Uint8Array {
  counted(members.length);
  const fields = granted(about);
  const statement = [concat(...fields.map(field), from, ...members.map(encoded))];
  const [s, a, b] = [1, 2, 3].map((which) => nonce(x, entropy, which, statement)) as [bigint, bigint, bigint];
  const [C1, C2] = cut(from, 48, 48).map(point) as [Point, Point];
  const content = C2.subtract(times(C1, x));
  const [P, D1] = [times(G, x), times(G, s)];
  const D2 = members.map((R) => content.add(times(R, s)));
  const T = [times(G, a), times(G, b), ...members.map((R) => times(C1, a).subtract(times(R, b)))];
  const c = bound(fields, P, C1, C2, D1, members, D2, T);
  return concat(encoded(D1), ...D2.map(encoded), ...[c, mod(a + c * x), mod(b + c * s)].map(scalarBytes));
}

/** Throws unless every member gets what `from` holds for P. */
export function checkWrap(about: Granted, P: Point, from: Uint8Array, members: readonly Point[], bytes: Uint8Array): void {
  counted(members.length);
  const parts = cut(bytes, 48, ...members.map(() => 48), 32, 32, 32);
  const D1 = point(parts[0]!);
  const D2 = parts.slice(1, 1 + members.length).map(point);
  const [c, z1, z2] = parts.slice(1 + members.length).map(scalar) as [bigint, bigint, bigint];
  const [C1, C2] = cut(from, 48, 48).map(point) as [Point, Point];
  const T = [times(G, z1).subtract(times(P, c)), times(G, z2).subtract(times(D1, c))];
  members.forEach((R, j) => T.push(times(C1, z1).subtract(times(R, z2)).subtract(times(C2.subtract(D2[j]!), c))));
  if (bound(granted(about), P, C1, C2, D1, members, D2, T) !== c) throw new Error("the wrap does not hold");
}

/** The ciphertext of a member, by her place from 0. */
export function wrapped(bytes: Uint8Array, place: number): Uint8Array {
  return concat(bytes.subarray(0, 48), bytes.subarray(48 * (place + 1), 48 * (place + 2)));
}

function bound(
  fields: readonly Uint8Array[],
  P: Point,
  C1: Point,
  C2: Point,
  D1: Point,
  R: readonly Point[],
  D2: readonly Point[],
  T: readonly Point[],
): bigint {
  return challenge("aceso/grant/wrap/1", [...fields, big(R.length, 8)], [P, C1, C2, D1, ...R, ...D2, ...T]);
}

function counted(members: number): void {
  if (members < 1 || members > 128) throw new Error("a wrap is for 1 to 128 members");
}

export interface Opened {
  chainId: string;
  job: bigint;
}

const opened = (about: Opened): Uint8Array[] => [text(about.chainId), big(about.job, 8)];

/** The point that C holds for x, and the proof of it. */
export function show(about: Opened, x: bigint, C: Uint8Array, entropy: Uint8Array): { point: Uint8Array; proof: Uint8Array } {
  const a = nonce(x, entropy, 1, [text("aceso/grant/opening/1"), ...opened(about), C]);
  const [C1, C2] = cut(C, 48, 48).map(point) as [Point, Point];
  const K = C2.subtract(times(C1, x));
  const c = challenge("aceso/grant/opening/1", opened(about), [times(G, x), C1, C2, K, times(G, a), times(C1, a)]);
  return { point: encoded(K), proof: concat(scalarBytes(c), scalarBytes(mod(a + c * x))) };
}

/** Throws unless C holds K for P. */
export function checkShown(about: Opened, P: Point, C: Uint8Array, K: Point, bytes: Uint8Array): void {
  const [c, z] = cut(bytes, 32, 32).map(scalar) as [bigint, bigint];
  const [C1, C2] = cut(C, 48, 48).map(point) as [Point, Point];
  const T1 = times(G, z).subtract(times(P, c));
  const T2 = times(C1, z).subtract(times(C2.subtract(K), c));
  if (challenge("aceso/grant/opening/1", opened(about), [P, C1, C2, K, T1, T2]) !== c)
    throw new Error("the opening does not hold");
}

export function possession(x: bigint, context: Uint8Array, entropy: Uint8Array): Uint8Array {
  const a = nonce(x, entropy, 1, [context]);
  const c = shown(times(G, x), context, times(G, a));
  return concat(scalarBytes(c), scalarBytes(mod(a + c * x)));
}

/** Throws unless it holds. */
export function checkPossession(P: Point, context: Uint8Array, bytes: Uint8Array): void {
  const [c, z] = cut(bytes, 32, 32).map(scalar) as [bigint, bigint];
  if (shown(P, context, times(G, z).subtract(times(P, c))) !== c) throw new Error("the possession does not hold");
}

/** Points first here: key, context, commitment. */
const shown = (P: Point, context: Uint8Array, T: Point): bigint =>
  challenge("aceso/grant/possession/1", [encoded(P), context, encoded(T)], []);

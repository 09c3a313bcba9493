/** What `docs/grants.md` calls points, scalars, transcripts and nonces, over noble-curves. */
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { sha3_512 } from "@noble/hashes/sha3.js";

import { big, concat, equal, number, text } from "./bytes.js";

export const Point = bls12_381.G1.ProjectivePoint;
export type Point = InstanceType<typeof Point>;
export const G = Point.BASE;
export const ORDER = bls12_381.fields.Fr.ORDER;
const Fr = bls12_381.fields.Fr;

export const mod = (value: bigint): bigint => Fr.create(value);
export const inverse = (value: bigint): bigint => Fr.inv(value);
/** noble refuses 0 · P. */
export const times = (point: Point, scalar: bigint): Point => (scalar === 0n ? Point.ZERO : point.multiply(scalar));

/** A point from outside: in its one spelling, on the curve, in the subgroup, not the identity. */
export function point(bytes: Uint8Array): Point {
  if (bytes.length !== 48) throw new Error("a point has 48 bytes");
  if ((bytes[0]! & 0x80) === 0) throw new Error("a point is compressed");
  const found = Point.fromHex(bytes);
  found.assertValidity();
  if (found.equals(Point.ZERO)) throw new Error("the identity is no point here");
  if (!found.isTorsionFree()) throw new Error("the point is outside of the subgroup");
  if (!equal(encoded(found), bytes)) throw new Error("the point has another spelling");
  return found;
}

export const encoded = (point: Point): Uint8Array => point.toRawBytes(true);

/** A scalar from outside: below the order. */
export function scalar(bytes: Uint8Array): bigint {
  if (bytes.length !== 32) throw new Error("a scalar has 32 bytes");
  const value = number(bytes);
  if (value >= ORDER) throw new Error("a scalar is below the order");
  return value;
}

export const scalarBytes = (value: bigint): Uint8Array => big(value, 32);

/** A secret key from outside: a scalar other than zero. */
export function secretKey(bytes: Uint8Array): bigint {
  const value = scalar(bytes);
  if (value === 0n) throw new Error("a secret is not zero");
  return value;
}

/** A field with its length before it. */
export const field = (bytes: Uint8Array): Uint8Array => concat(big(bytes.length, 8), bytes);

/** The scalar that a transcript comes to. */
export function challenge(domain: string, fields: readonly Uint8Array[], points: readonly Point[]): bigint {
  const all = [text(domain), ...fields, ...points.map(encoded)];
  return mod(number(sha3_512(concat(...all.map(field)))));
}

/** A number that is used once. */
export function nonce(secret: bigint, entropy: Uint8Array, which: number, statement: readonly Uint8Array[]): bigint {
  if (entropy.length !== 64) throw new Error("randomness has 64 bytes");
  return challenge("aceso/grant/nonce/1", [scalarBytes(secret), entropy, big(which, 1), ...statement], []);
}

export function derive(master: Uint8Array, purpose: Uint8Array, context: Uint8Array): bigint {
  const secret = mod(number(hkdf(sha256, master, purpose, context, 48)));
  if (secret === 0n) throw new Error("a secret is not zero");
  return secret;
}

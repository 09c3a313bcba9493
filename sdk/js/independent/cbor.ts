/** The part of dag-cbor that sealed files use: numbers, bytes, texts, booleans, maps; one spelling only. */
import { big, concat, equal, number, text } from "./bytes.js";

export type Value = bigint | boolean | string | Uint8Array | { [key: string]: Value };

export function encode(value: Value): Uint8Array {
  if (typeof value === "bigint") return head(0, value);
  if (typeof value === "boolean") return Uint8Array.of(value ? 0xf5 : 0xf4);
  if (typeof value === "string") return concat(head(3, BigInt(text(value).length)), text(value));
  if (value instanceof Uint8Array) return concat(head(2, BigInt(value.length)), value);
  const entries = Object.entries(value).map(([key, one]) => [encode(key), encode(one)] as const);
  entries.sort(([one], [other]) => compare(one, other));
  return concat(head(5, BigInt(entries.length)), ...entries.flat());
}

export function decode(bytes: Uint8Array): Value {
  const [value, rest] = item(bytes);
  if (rest.length > 0) throw new Error("something follows");
  if (!equal(encode(value), bytes)) throw new Error("another spelling");
  return value;
}

function head(major: number, value: bigint): Uint8Array {
  const first = major << 5;
  if (value < 24n) return Uint8Array.of(first | Number(value));
  const [more, length] = value < 1n << 8n ? [24, 1] : value < 1n << 16n ? [25, 2] : value < 1n << 32n ? [26, 4] : [27, 8];
  return concat(Uint8Array.of(first | more!), big(value, length!));
}

/** Shorter keys first, then by their bytes. */
function compare(one: Uint8Array, other: Uint8Array): number {
  if (one.length !== other.length) return one.length - other.length;
  const at = one.findIndex((byte, at) => byte !== other[at]);
  return at < 0 ? 0 : one[at]! - other[at]!;
}

function item(bytes: Uint8Array): [Value, Uint8Array] {
  const first = bytes[0];
  if (first === undefined) throw new Error("it ends early");
  const [major, small] = [first >> 5, first & 31];
  if (major === 7) {
    if (small !== 20 && small !== 21) throw new Error("of another kind");
    return [small === 21, bytes.subarray(1)];
  }
  const length = small < 24 ? 0 : { 24: 1, 25: 2, 26: 4, 27: 8 }[small];
  if (length === undefined) throw new Error("of no definite length");
  if (bytes.length < 1 + length) throw new Error("it ends early");
  const value = length === 0 ? BigInt(small) : number(bytes.subarray(1, 1 + length));
  let rest = bytes.subarray(1 + length);
  if (major === 0) return [value, rest];
  if (value > BigInt(rest.length)) throw new Error("it ends early");
  const size = Number(value);
  if (major === 2) return [rest.slice(0, size), rest.subarray(size)];
  if (major === 3) return [new TextDecoder("utf-8", { fatal: true }).decode(rest.subarray(0, size)), rest.subarray(size)];
  if (major !== 5) throw new Error("of another kind");
  const map: { [key: string]: Value } = {};
  for (let entry = 0; entry < size; entry++) {
    const [key, behind] = item(rest);
    if (typeof key !== "string" || key in map) throw new Error("a key that is none, or comes twice");
    [map[key], rest] = item(behind);
  }
  return [map, rest];
}

/** Bytes and numbers, the most significant byte first. */
export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export function concat(...all: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(all.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of all) {
    joined.set(one, at);
    at += one.length;
  }
  return joined;
}

export const equal = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);

export function number(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

export function big(value: bigint | number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let rest = BigInt(value);
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  if (rest !== 0n) throw new Error(`${value} does not fit ${length} bytes`);
  return bytes;
}

/** Bytes cut into parts of these lengths, and no more. */
export function cut(bytes: Uint8Array, ...lengths: readonly number[]): Uint8Array[] {
  const whole = lengths.reduce((sum, length) => sum + length, 0);
  if (bytes.length !== whole) throw new Error(`${bytes.length} bytes came instead of ${whole}`);
  let at = 0;
  return lengths.map((length) => bytes.subarray(at, (at += length)));
}

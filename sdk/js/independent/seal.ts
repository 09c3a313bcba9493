/** Sealed files and key stores, written from `chain/blobs/FORMAT.md`, over WebCrypto. */
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { sha3_256 } from "@noble/hashes/sha3.js";

import { big, concat, equal, number, text } from "./bytes.js";
import { decode, encode, type Value } from "./cbor.js";
import { contentKey } from "./grant.js";
import { derive, type Point } from "./group.js";

const LEAF = 1 << 20;
const TAG = 16;
const MAGIC = concat(text("aceso\0s"), Uint8Array.of(1));

export interface Inner {
  media: string;
  length: bigint;
  deflated: boolean;
  tags: { [key: string]: string };
}

const fileKey = (content: Point, salt: Uint8Array): Uint8Array =>
  contentKey(content, concat(text("aceso/seal/file/1"), salt));

const expand = (file: Uint8Array, info: Uint8Array): Uint8Array => hkdf(sha256, file, undefined, info, 32);

function commitment(file: Uint8Array): Uint8Array {
  const domain = text("aceso/seal/commitment/1");
  return sha3_256(concat(domain, expand(file, domain)));
}

const cipher = (file: Uint8Array, header: Uint8Array): Promise<CryptoKey> => {
  const key = expand(file, concat(text("aceso/seal/chunks/1"), sha3_256(header)));
  return crypto.subtle.importKey("raw", key as BufferSource, "AES-GCM", false, ["encrypt", "decrypt"]);
};

const iv = (chunk: number, last: boolean): BufferSource =>
  concat(new Uint8Array(7), big(chunk, 4), Uint8Array.of(last ? 1 : 0)) as BufferSource;

export async function seal(content: Point, owner: string, salt: Uint8Array, inner: Inner, body: Uint8Array): Promise<Uint8Array> {
  const file = fileKey(content, salt);
  const map = encode({ owner, salt, commitment: commitment(file) });
  const header = concat(MAGIC, big(map.length, 2), map);
  const key = await cipher(file, header);
  const within = encode({ ...inner });
  const plain = concat(big(within.length, 4), within, body);
  const sealed = [header];
  for (let at = 0, chunk = 0; ; chunk++) {
    const room = LEAF - TAG - (chunk === 0 ? header.length : 0);
    const part = plain.slice(at, at + room);
    at += room;
    const last = at >= plain.length;
    sealed.push(new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: iv(chunk, last) }, key, part)));
    if (last) return concat(...sealed);
  }
}

/** The public header and how many bytes it takes. */
export function header(file: Uint8Array): { owner: string; salt: Uint8Array; commitment: Uint8Array; bytes: number } {
  if (!equal(file.subarray(0, 8), MAGIC)) throw new Error("no sealed file");
  const length = Number(number(file.subarray(8, 10)));
  if (length > 1024 || file.length < 10 + length) throw new Error("no header");
  const map = decode(file.subarray(10, 10 + length)) as { [key: string]: Value };
  const { owner, salt, commitment, ...more } = map;
  const bytes = (value: Value | undefined): value is Uint8Array => value instanceof Uint8Array && value.length === 32;
  if (typeof owner !== "string" || !bytes(salt) || !bytes(commitment) || Object.keys(more).length > 0)
    throw new Error("another header");
  return { owner, salt, commitment, bytes: 10 + length };
}

/** One leaf of a file of this size. */
export async function leaf(content: Point, first: Uint8Array, size: number, chunk: number, leaf: Uint8Array): Promise<Uint8Array> {
  const head = header(first);
  const file = fileKey(content, head.salt);
  if (!equal(commitment(file), head.commitment)) throw new Error("another key");
  const leaves = Math.ceil(size / LEAF);
  if (chunk >= leaves || leaf.length !== Math.min(LEAF, size - chunk * LEAF)) throw new Error("no such leaf");
  const key = await cipher(file, first.subarray(0, head.bytes));
  const part = leaf.slice(chunk === 0 ? head.bytes : 0);
  const name = { name: "AES-GCM", iv: iv(chunk, chunk + 1 === leaves) };
  return new Uint8Array(await crypto.subtle.decrypt(name, key, part));
}

export async function open(content: Point, file: Uint8Array): Promise<{ owner: string; inner: Inner; record: Uint8Array }> {
  const parts: Uint8Array[] = [];
  for (let chunk = 0; chunk * LEAF < file.length; chunk++)
    parts.push(await leaf(content, file, file.length, chunk, file.subarray(chunk * LEAF, (chunk + 1) * LEAF)));
  const plain = concat(...parts);
  const length = Number(number(plain.subarray(0, 4)));
  const inner = decode(plain.subarray(4, 4 + length)) as unknown as Inner;
  const body = plain.slice(4 + length);
  const record = inner.deflated ? await inflate(body) : body;
  if (BigInt(record.length) !== inner.length) throw new Error("another length");
  return { owner: header(file).owner, inner, record };
}

async function inflate(body: Uint8Array): Promise<Uint8Array> {
  const out = new Blob([body as BlobPart]).stream().pipeThrough(new DecompressionStream("deflate-raw" as CompressionFormat));
  return new Uint8Array(await new Response(out).arrayBuffer());
}

/** A key store's record. */
export const store = (master: Uint8Array, version: bigint, images: { [cid: string]: Uint8Array }): Uint8Array =>
  encode({ master, version, images });

export const imageKey = (master: Uint8Array, nonce: Uint8Array): bigint =>
  derive(master, text("aceso/patient/image/1"), nonce);

/** The secp256k1 secret of the account that registers an image. */
export const imageAccount = (master: Uint8Array, nonce: Uint8Array): Uint8Array =>
  hkdf(sha256, master, text("aceso/patient/account/1"), nonce, 32);

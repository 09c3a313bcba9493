/**
 * Protobuf and amino JSON from one table of fields. What proto3 leaves out because it is empty is left out, and unknown
 * fields are skipped, so the bytes are those that every other implementation writes. Amino JSON is what a Ledger shows and
 * signs: the same fields under names with underscores, numbers of 64 bits as text, bytes in base64.
 */
import { fromBase64, fromUtf8, toBase64, toUtf8 } from "@cosmjs/encoding";
import { BinaryReader, BinaryWriter } from "cosmjs-types/binary";

/** Encodes and decodes one message; fits into CosmJS's `Registry`. */
export interface Codec<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
  decode(input: Uint8Array): T;
  fromPartial(object: Partial<T>): T;
  /** A message as a wallet signs it in `SIGN_MODE_LEGACY_AMINO_JSON`. */
  toAmino(message: T): AminoValue;
  /** And read again. A field of another kind than it should be is an error that names it. */
  fromAmino(value: AminoValue): T;
}

/** A message's fields in amino JSON. */
export type AminoValue = { [name: string]: unknown };

interface Field<V> {
  readonly tag: number;
  readonly wire: 0 | 2;
  /** Stands in amino JSON also where it is empty. */
  readonly always?: true;
  empty(): V;
  isEmpty(value: V): boolean;
  write(writer: BinaryWriter, value: V): void;
  read(reader: BinaryReader, before: V): V;
  show(value: V): unknown;
  /** `undefined` for what is not of this kind. */
  hear(shown: unknown): V | undefined;
}

/** One field for each key of `T`. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<T[K]> };

export const text = (tag: number): Field<string> => ({
  tag,
  wire: 2,
  empty: () => "",
  isEmpty: (value) => value === "",
  write: (writer, value) => writer.uint32((tag << 3) | 2).string(value),
  read: (reader) => reader.string(),
  show: (value) => value,
  hear: (shown) => (typeof shown === "string" ? shown : undefined),
});

export const bytes = (tag: number): Field<Uint8Array> => ({
  tag,
  wire: 2,
  empty: () => new Uint8Array(),
  isEmpty: (value) => value.length === 0,
  write: (writer, value) => writer.uint32((tag << 3) | 2).bytes(value),
  read: (reader) => reader.bytes(),
  show: toBase64,
  hear: (shown) => (typeof shown === "string" ? fromBase64(shown) : undefined),
});

export const u64 = (tag: number): Field<bigint> => ({
  tag,
  wire: 0,
  empty: () => 0n,
  isEmpty: (value) => value === 0n,
  write: (writer, value) => writer.uint32(tag << 3).uint64(value),
  read: (reader) => reader.uint64(),
  show: String,
  hear: (shown) => (typeof shown === "string" && /^[0-9]{1,20}$/.test(shown) ? BigInt(shown) : undefined),
});

export const u32 = (tag: number): Field<number> => ({
  tag,
  wire: 0,
  empty: () => 0,
  isEmpty: (value) => value === 0,
  write: (writer, value) => writer.uint32(tag << 3).uint32(value),
  read: (reader) => reader.uint32(),
  show: (value) => value,
  hear: (shown) => (typeof shown === "number" && Number.isInteger(shown) && shown >= 0 ? shown : undefined),
});

export const bool = (tag: number): Field<boolean> => ({
  tag,
  wire: 0,
  empty: () => false,
  isEmpty: (value) => !value,
  write: (writer, value) => writer.uint32(tag << 3).bool(value),
  read: (reader) => reader.bool(),
  show: (value) => value,
  hear: (shown) => (typeof shown === "boolean" ? shown : undefined),
});

export const message = <T>(tag: number, codec: Codec<T>): Field<T | undefined> => ({
  tag,
  wire: 2,
  empty: () => undefined,
  isEmpty: (value) => value === undefined,
  write: (writer, value) => {
    if (value !== undefined) writer.uint32((tag << 3) | 2).bytes(codec.encode(value).finish());
  },
  read: (reader) => codec.decode(reader.bytes()),
  show: (value) => value && codec.toAmino(value),
  hear: (shown) => (isObject(shown) ? codec.fromAmino(shown) : undefined),
});

export const list = <V>(field: Field<V>): Field<V[]> => ({
  tag: field.tag,
  wire: 2,
  empty: () => [],
  isEmpty: (value) => value.length === 0,
  write: (writer, value) => value.forEach((one) => field.write(writer, one)),
  read: (reader, before) => [...before, field.read(reader, field.empty())],
  show: (value) => value.map((one) => field.show(one)),
  hear: (shown) => {
    if (!Array.isArray(shown)) return undefined;
    const all = shown.map((one) => field.hear(one));
    return all.every((one) => one !== undefined) ? all : undefined;
  },
});

/** A field that amino JSON has also where it is empty: a list that makes no sense without entries. */
export const always = <V>(field: Field<V>): Field<V> => ({ ...field, always: true });

/** Bytes that are JSON, which stands in amino JSON as it is. A number that JavaScript cannot hold exactly is refused. */
export const inline = (tag: number): Field<Uint8Array> => ({
  ...bytes(tag),
  show: (value) =>
    JSON.parse(fromUtf8(value), (_, one: unknown) => {
      if (typeof one === "number" && !Number.isSafeInteger(one)) throw new Error(`${one} is no number that can be signed so.`);
      return one;
    }) as unknown,
  hear: (shown) => toUtf8(JSON.stringify(shown)),
});

/** A list of messages. */
export const messages = <T>(tag: number, codec: Codec<T>): Field<T[]> => ({
  ...(list(message(tag, codec)) as unknown as Field<T[]>),
});

export function codec<T extends object>(fields: Fields<T>): Codec<T> {
  const named = Object.entries(fields) as [keyof T, Field<T[keyof T]>][];
  named.sort(([, one], [, other]) => one.tag - other.tag);
  const empty = () => Object.fromEntries(named.map(([name, field]) => [name, field.empty()])) as T;
  return {
    encode(message, writer = BinaryWriter.create()) {
      for (const [name, field] of named) {
        if (!field.isEmpty(message[name])) field.write(writer, message[name]);
      }
      return writer;
    },
    decode(input) {
      const reader = new BinaryReader(input);
      const message = empty();
      while (reader.pos < reader.len) {
        const [tag, wire] = reader.tag();
        const found = named.find(([, field]) => field.tag === tag && field.wire === wire);
        if (found) message[found[0]] = found[1].read(reader, message[found[0]]);
        else reader.skipType(wire);
      }
      return message;
    },
    fromPartial: (object) => ({ ...empty(), ...object }),
    toAmino: (message) =>
      Object.fromEntries(
        named
          .filter(([name, field]) => field.always || !field.isEmpty(message[name]))
          .map(([name, field]) => [underscored(String(name)), field.show(message[name])]),
      ),
    fromAmino(value) {
      const message = empty();
      for (const [name, field] of named) {
        const shown = value[underscored(String(name))];
        if (shown === undefined) continue;
        const heard = field.hear(shown);
        if (heard === undefined) throw new Error(`${underscored(String(name))} is not what it should be: ${JSON.stringify(shown)}.`);
        message[name] = heard;
      }
      return message;
    },
  };
}

/** `bodyPart` as `body_part`. */
const underscored = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const isObject = (value: unknown): value is AminoValue =>
  typeof value === "object" && value !== null && !Array.isArray(value);

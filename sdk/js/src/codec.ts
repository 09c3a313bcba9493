/**
 * Protobuf from a table of fields. What proto3 leaves out because it is empty is left out, and unknown fields are
 * skipped, so the bytes are those that every other implementation writes.
 */
import { BinaryReader, BinaryWriter } from "cosmjs-types/binary";

/** Encodes and decodes one message; fits into CosmJS's `Registry`. */
export interface Codec<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
  decode(input: Uint8Array): T;
  fromPartial(object: Partial<T>): T;
}

interface Field<V> {
  readonly tag: number;
  readonly wire: 0 | 2;
  empty(): V;
  isEmpty(value: V): boolean;
  write(writer: BinaryWriter, value: V): void;
  read(reader: BinaryReader, before: V): V;
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
});

export const bytes = (tag: number): Field<Uint8Array> => ({
  tag,
  wire: 2,
  empty: () => new Uint8Array(),
  isEmpty: (value) => value.length === 0,
  write: (writer, value) => writer.uint32((tag << 3) | 2).bytes(value),
  read: (reader) => reader.bytes(),
});

export const u64 = (tag: number): Field<bigint> => ({
  tag,
  wire: 0,
  empty: () => 0n,
  isEmpty: (value) => value === 0n,
  write: (writer, value) => writer.uint32(tag << 3).uint64(value),
  read: (reader) => reader.uint64(),
});

export const u32 = (tag: number): Field<number> => ({
  tag,
  wire: 0,
  empty: () => 0,
  isEmpty: (value) => value === 0,
  write: (writer, value) => writer.uint32(tag << 3).uint32(value),
  read: (reader) => reader.uint32(),
});

export const bool = (tag: number): Field<boolean> => ({
  tag,
  wire: 0,
  empty: () => false,
  isEmpty: (value) => !value,
  write: (writer, value) => writer.uint32(tag << 3).bool(value),
  read: (reader) => reader.bool(),
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
});

export const list = <V>(field: Field<V>): Field<V[]> => ({
  tag: field.tag,
  wire: 2,
  empty: () => [],
  isEmpty: (value) => value.length === 0,
  write: (writer, value) => value.forEach((one) => field.write(writer, one)),
  read: (reader, before) => [...before, field.read(reader, field.empty())],
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
  };
}

// The tables of fields here and the declarations in proto/ say the same: names, tags and kinds. Each message is filled from
// its declaration, read by its table and written again.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { BinaryWriter } from "cosmjs-types/binary";

import * as sdk from "../dist/index.js";
import { queries } from "../dist/messages.js";
import { sealedQueries } from "../dist/sealed.js";

const root = new URL("../../../proto/", import.meta.url);
const files = readdirSync(new URL("aceso", root), { recursive: true }).filter((file) => file.endsWith(".proto"));
const messages = new Map();
const methods = new Map();
for (const file of files) {
  const text = readFileSync(new URL(`aceso/${file}`, root), "utf8");
  const [, scope] = text.match(/^package ([\w.]+);$/m);
  const whole = (name) => (name.includes(".") ? name : `${scope}.${name}`);
  for (const [, name, body] of text.matchAll(/^message (\w+) \{(?:\}|\n(.*?)^\})/gms)) {
    const fields = [...(body ?? "").matchAll(/^ {2}(repeated )?([\w.]+) (\w+) = (\d+);$/gm)];
    messages.set(whole(name), fields.map(([, repeated, kind, name, tag]) => {
      const camel = name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
      const scalar = ["string", "bytes", "uint64", "uint32", "bool"].includes(kind);
      return { name: camel, kind: scalar ? kind : whole(kind), tag: Number(tag), repeated: repeated !== undefined };
    }));
  }
  for (const [, method, ask, answer] of text.matchAll(/^ {2}rpc (\w+)\((\w+)\) returns \((\w+)\) \{$/gm)) {
    methods.set(`/${scope}.Query/${method}`, { ask: whole(ask), answer: whole(answer) });
  }
}

/** A message with a value of its own in each field: as bytes, and as it is read. */
function filled(name) {
  const writer = BinaryWriter.create();
  const value = {};
  for (const field of messages.get(name)) {
    const { one, write } = valueOf(field);
    write(writer);
    value[field.name] = field.repeated ? [one] : one;
  }
  return { bytes: writer.finish(), value };
}

function valueOf({ kind, tag }) {
  const lengthy = (one, bytes) => ({ one, write: (writer) => writer.uint32((tag << 3) | 2).bytes(bytes) });
  switch (kind) {
    case "string":
      return lengthy(`t${tag}`, new TextEncoder().encode(`t${tag}`));
    case "bytes":
      return lengthy(Uint8Array.of(255, tag), Uint8Array.of(255, tag));
    case "uint64":
      return { one: 2n ** 40n + BigInt(tag), write: (writer) => writer.uint32(tag << 3).uint64(2n ** 40n + BigInt(tag)) };
    case "bool":
      return { one: true, write: (writer) => writer.uint32(tag << 3).bool(true) };
    default: {
      // What is no message is an enumeration, whose second value is 1.
      if (!messages.has(kind)) return { one: kind === "uint32" ? tag : 1, write: (writer) => writer.uint32(tag << 3).uint32(kind === "uint32" ? tag : 1) };
      const { bytes, value } = filled(kind);
      return lengthy(value, bytes);
    }
  }
}

/** Every member that was read is declared, and has its value. */
function assertHeld(read, declared, what) {
  if (Array.isArray(read)) {
    assert.equal(read.length, declared.length, what);
    read.forEach((one, at) => assertHeld(one, declared[at], what));
  } else if (typeof read === "object" && !(read instanceof Uint8Array)) {
    for (const [name, one] of Object.entries(read)) {
      assert.ok(name in declared, `${what}.${name} is not declared`);
      assertHeld(one, declared[name], `${what}.${name}`);
    }
  } else {
    assert.deepEqual(read, declared, what);
  }
}

test("each message for wallets has all fields that are declared, and no others", () => {
  assert.ok(sdk.acesoTypes.length > 15);
  for (const [url, { encode, decode }] of sdk.acesoTypes) {
    const { bytes, value } = filled(url.slice(1));
    assert.deepEqual(decode(bytes), value, url);
    assert.deepEqual(encode(value).finish(), bytes, url);
  }
});

test("each row has fields that are declared", () => {
  const codecs = Object.entries(sdk).filter(([, one]) => typeof one?.fromPartial === "function");
  const names = new Map([...messages.keys()].map((name) => [name.slice(name.lastIndexOf(".") + 1), name]));
  assert.ok(codecs.length > 30);
  for (const [name, { decode }] of codecs) {
    assert.ok(names.has(name), `${name} is not declared`);
    const { bytes, value } = filled(names.get(name));
    assertHeld(decode(bytes), value, name);
  }
});

test("each query asks and hears what is declared", () => {
  const asked = [...Object.values(queries), ...Object.values(sealedQueries)];
  assert.ok(asked.length > 15);
  for (const { path, ask, answer } of asked) {
    assert.ok(methods.has(path), path);
    const declared = methods.get(path);
    const question = filled(declared.ask);
    // Some questions share a table, in which a field has a name of its own.
    assert.deepEqual(ask.encode(ask.decode(question.bytes)).finish(), question.bytes, path);
    // A root is kept as it comes: its digest is over its bytes.
    if (answer === undefined) {
      assert.equal(path, sealedQueries.root.path);
      continue;
    }
    const { bytes, value } = filled(declared.answer);
    // So do lists, whose rows are called entries in the journal.
    if (path === queries.journal.path) value.rows = value.entries;
    assertHeld(answer.decode(bytes), value, path);
  }
});

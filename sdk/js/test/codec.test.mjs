// The bytes must be those of chain/types: the first vector is the one of `field_numbers_do_not_change` in msg.rs.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ImageRow, MsgRegisterBlob, MsgRegisterImage, MsgRegisterModel, acesoTypes } from "../dist/index.js";
import { queries } from "../dist/messages.js";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const one = (number) => Uint8Array.of(number);

const image = {
  owner: "o",
  cid: "c",
  size: 3n,
  term: 4n,
  guard: "g",
  modality: "m",
  bodyPart: "b",
  origin: { institution: "i", pixels: one(1), study: one(2), subject: one(3), publicKey: one(4), signature: one(5) },
};

test("an image's registration is the bytes that Rust writes", () => {
  const bytes = MsgRegisterImage.encode(image).finish();
  const golden = "0a016f120163180320042a016732016d3a016242120a01691201011a01022201032a0104320105";
  assert.equal(hex(bytes), golden);
  assert.deepEqual(MsgRegisterImage.decode(bytes), image);
});

test("what is empty is left out", () => {
  const empty = MsgRegisterImage.fromPartial({ owner: "o" });
  assert.equal(hex(MsgRegisterImage.encode(empty).finish()), "0a016f");
  assert.deepEqual(MsgRegisterImage.decode(new Uint8Array()), MsgRegisterImage.fromPartial({}));
});

test("the largest numbers come back", () => {
  const blob = { owner: "", cid: "", size: 2n ** 64n - 1n, term: 2n ** 63n };
  assert.deepEqual(MsgRegisterBlob.decode(MsgRegisterBlob.encode(blob).finish()), blob);
});

test("fields that nobody knows yet are skipped", () => {
  const known = MsgRegisterModel.encode({ author: "a", manifest: one(9) }).finish();
  const later = Buffer.concat([Buffer.from("7a0378797af00101", "hex"), known]);
  assert.deepEqual(MsgRegisterModel.decode(later), { author: "a", manifest: one(9) });
});

test("cut-off bytes are refused", () => {
  const bytes = MsgRegisterImage.encode(image).finish();
  let refused = 0;
  for (let length = 0; length < bytes.length; length++) {
    try {
      assert.notDeepEqual(MsgRegisterImage.decode(bytes.slice(0, length)), image);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      refused++;
    }
  }
  assert.ok(refused > 10, `${refused}`);
});

test("lists of messages and of bytes", () => {
  const row = ImageRow.fromPartial({ cid: "x", height: 7n });
  const rows = { rows: [row, { ...row, cid: "y" }], next: one(1) };
  const { answer } = queries.images;
  assert.deepEqual(answer.decode(answer.encode(rows).finish()), rows);
  const lines = { rows: [one(1), one(2)], next: new Uint8Array() };
  assert.equal(hex(queries.journal.answer.encode(lines).finish()), "0a01010a0102");
  assert.deepEqual(queries.journal.answer.decode(queries.journal.answer.encode(lines).finish()), lines);
});

test("CosmJS's registry takes the types", async () => {
  const { Registry } = await import("@cosmjs/proto-signing");
  const registry = new Registry([...acesoTypes]);
  const [typeUrl] = acesoTypes[2];
  const any = registry.encodeAsAny({ typeUrl, value: image });
  assert.deepEqual(registry.decode(any), image);
});

// The bytes must be those of chain/types: the first vector is the one of `field_numbers_do_not_change` in msg.rs.
import assert from "node:assert/strict";
import { test } from "node:test";

import * as sdk from "../dist/index.js";
import { queries } from "../dist/messages.js";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const utf8 = (text) => new TextEncoder().encode(text);
const { ImageRow, MsgRegisterBlob, MsgRegisterImage, MsgRegisterModel, acesoTypes } = sdk;
const one = (number) => Uint8Array.of(number);

const image = {
  owner: "o",
  cid: "c",
  size: 3n,
  term: 4n,
  guard: "g",
  modality: "m",
  bodyPart: "b",
  effort: 9n,
  origin: { institution: "i", pixels: one(1), study: one(2), subject: one(3), publicKey: one(4), signature: one(5) },
};

test("an image's registration is the bytes that Rust writes", () => {
  const bytes = MsgRegisterImage.encode(image).finish();
  const golden = "0a016f120163180320042a016732016d3a016242120a01691201011a01022201032a01043201054809";
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

test("what authority and operators say is the bytes that Rust writes", () => {
  // The vectors of `field_numbers_do_not_change` in chain/types/src/msg/authority.rs.
  const said = [
    [sdk.MsgSetValidator, { authority: "a", consensusKey: one(1), power: 3n, operator: "o", name: "n" }, "0a0161120101180322016f2a016e"],
    [sdk.MsgRegisterAttester, { operator: "o", consensusKey: one(1), blsKey: one(2), epoch: 4n, possession: one(5) }, "0a016f1201011a010220042a0105"],
    [sdk.MsgUpdateParams, { authority: "a", params: utf8("{}"), consensus: utf8("[]") }, "0a016112027b7d1a025b5d"],
    [sdk.MsgScheduleUpgrade, { authority: "a", name: "n", height: 3n, info: "i" }, "0a016112016e1803220169"],
    [sdk.MsgCancelUpgrade, { authority: "a" }, "0a0161"],
  ];
  for (const [codec, value, golden] of said) {
    assert.equal(hex(codec.encode(value).finish()), golden);
    assert.deepEqual(codec.decode(codec.encode(value).finish()), value);
  }
});

test("a Ledger sees the fields that the chain's sign bytes have", () => {
  // As in chain/app/src/tx/amino.rs and amino/sealed.rs.
  const shown = (name, value) => {
    const { toAmino, fromAmino, aminoType } = sdk.acesoAmino[name];
    assert.equal(aminoType, `aceso/${name.split(".").at(-1)}`);
    const amino = toAmino(value);
    assert.deepEqual(fromAmino(JSON.parse(JSON.stringify(amino))), value);
    return amino;
  };
  const recipients = [{ account: "c", epoch: 0n }, { account: "d", epoch: 1n }];
  const from = { granter: "a", grant: 2n, place: 1 };
  const given = { granter: "b", grant: 3n, record: 7n, from, recipients, committee: true, nonce: one(1), expires: 9n, terms: one(2), wrap: one(3), sourceTerms: new Uint8Array() };
  assert.deepEqual(shown("/aceso.reads.v1.MsgGrant", given), {
    committee: true, expires: "9", from: { grant: "2", granter: "a", place: 1 }, grant: "3", granter: "b", nonce: "AQ==",
    recipients: [{ account: "c" }, { account: "d", epoch: "1" }], record: "7", terms: "Ag==", wrap: "Aw==",
  });
  const nothing = sdk.MsgGrant.fromPartial({ from: { granter: "", grant: 0n, place: 0 } });
  assert.deepEqual(shown("/aceso.reads.v1.MsgGrant", nothing), { from: {}, recipients: [] });
  assert.deepEqual(shown("/aceso.reads.v1.MsgRegisterSealed", sdk.MsgRegisterSealed.fromPartial({})), { files: [] });
  const accept = { membersMin: 0, powerMinBps: 0, required: [], excluded: [] };
  const asked = sdk.MsgRequestRead.fromPartial({ accept, actor: "a" });
  assert.deepEqual(shown("/aceso.reads.v1.MsgRequestRead", asked), { accept: {}, actor: "a" });
  const second = sdk.MsgRequestRead.fromPartial({ actor: "a", frame: 2 });
  assert.deepEqual(shown("/aceso.reads.v1.MsgRequestRead", second), { actor: "a", frame: 2 });
  const params = { authority: "a", params: utf8('{"b":1,"a":true}'), consensus: new Uint8Array() };
  assert.deepEqual(shown("/aceso.validators.v1.MsgUpdateParams", params), { authority: "a", params: { b: 1, a: true } });
  const large = { ...params, params: utf8('{"b":9007199254740993}') };
  assert.throws(() => shown("/aceso.validators.v1.MsgUpdateParams", large), /no number that can be signed so/);
  assert.deepEqual(shown("/aceso.reads.v1.MsgRegisterImage", image), {
    body_part: "b", cid: "c", effort: "9", guard: "g", modality: "m", owner: "o", size: "3", term: "4",
    origin: { institution: "i", pixels: "AQ==", public_key: "BA==", signature: "BQ==", study: "Ag==", subject: "Aw==" },
  });
});

test("what a wallet gives back in another shape is refused by its field's name", () => {
  const { fromAmino } = sdk.acesoAmino["/aceso.reads.v1.MsgGrant"];
  for (const [field, wrong] of [
    ["grant", 3], ["grant", "-3"], ["committee", "yes"], ["recipients", {}], ["recipients", [1]], ["from", []], ["granter", null],
    ["nonce", 1], ["expires", "1e3"],
  ])
    assert.throws(() => fromAmino({ [field]: wrong }), new RegExp(`${field} is not what it should be`), `${field} ${wrong}`);
  assert.throws(() => fromAmino({ from: { place: -1 } }), /place is not what it should be/);
});

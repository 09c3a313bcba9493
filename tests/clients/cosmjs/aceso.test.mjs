// Our own messages through CosmJS's signers, in both modes: protobuf (`DirectSecp256k1HdWallet`) and amino JSON
// (`Secp256k1HdWallet`), which is what a Ledger and Keplr with one sign.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Secp256k1HdWallet } from "@cosmjs/amino";
import { SigningCosmWasmClient } from "@cosmjs/cosmwasm-stargate";
import { DirectSecp256k1HdWallet, Registry } from "@cosmjs/proto-signing";
import { AminoTypes, GasPrice, coins, createDefaultAminoConverters, defaultRegistryTypes } from "@cosmjs/stargate";

import { RecordRow, Verifier, acesoAmino, acesoTypes } from "../../../sdk/js/dist/index.js";
import { startNode } from "../node.mjs";
import { PATIENCE } from "./patience.mjs";
import { TxRaw } from "./types.mjs";

const PREFIX = "aceso";
const CHAIN = "aceso-wallets";
const FEE = { amount: coins(1_000_000, "uaceso"), gas: "40000000" };
/** `sdk`, 4: the signature is not of this document. */
const UNAUTHORIZED = 4;

const verifier = await Verifier.load(readFileSync(fileURLToPath(new URL("../../../sdk/js/dist/verify.wasm", import.meta.url))));
const { grants, granter } = verifier;
const fill = (length, byte) => new Uint8Array(length).fill(byte);
const utf8 = (text) => new TextEncoder().encode(text);
const CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

/** @type {Awaited<ReturnType<typeof startNode>>} */
let node;
let parties, clients;

before(async () => {
  const wallets = [
    await DirectSecp256k1HdWallet.generate(24, { prefix: PREFIX }),
    await Secp256k1HdWallet.generate(24, { prefix: PREFIX }),
  ];
  const addresses = (await Promise.all(wallets.map((wallet) => wallet.getAccounts()))).map(([{ address }]) => address);
  const fund = addresses.map((address) => `${address}=1000000000000uaceso`);
  node = await startNode({ "chain-id": CHAIN, fund });
  const options = {
    registry: new Registry([...defaultRegistryTypes, ...acesoTypes]),
    aminoTypes: new AminoTypes({ ...createDefaultAminoConverters(), ...acesoAmino }),
    gasPrice: GasPrice.fromString("0.025uaceso"),
    broadcastPollIntervalMs: 50,
    broadcastTimeoutMs: PATIENCE,
  };
  const connect = (wallet) => SigningCosmWasmClient.connectWithSigner(node.rpc, wallet, options);
  const [direct, amino] = await Promise.all(wallets.map(connect));
  // A wallet that shows its owner something else than it was asked to sign.
  const liar = await connect({
    getAccounts: () => wallets[1].getAccounts(),
    signAmino: async (address, asked) => {
      const { signature } = await wallets[1].signAmino(address, liar.changed(asked));
      return { signed: asked, signature };
    },
  });
  clients = [direct, amino, liar];
  parties = { direct: { client: direct, address: addresses[0] }, amino: { client: amino, address: addresses[1] }, liar };
});

after(async () => {
  clients?.forEach((client) => client.disconnect());
  await node?.stop();
});

/** Each message of ours with every field filled, said by this account; most are refused, for reasons of their own. */
function everyMessage(address) {
  const origin = { institution: address, pixels: fill(32, 1), study: fill(32, 2), subject: fill(32, 3), publicKey: fill(33, 2), signature: fill(64, 5) };
  const file = { cid: CID, size: 7n, modality: "DX", bodyPart: "CHEST <&>", effort: 9n };
  const from = { granter: address, grant: 5n, place: 1 };
  const recipients = [{ account: address, epoch: 2n }];
  const accept = { membersMin: 1, powerMinBps: 2, required: [address], excluded: [address] };
  const grant = { granter: address, grant: 3n, record: 4n, from, recipients, committee: true, nonce: fill(16, 1), expires: 9n, terms: fill(32, 2), wrap: fill(192, 3), sourceTerms: fill(9, 4) };
  const request = {
    requester: address, actor: address, model: fill(32, 1), owner: address, image: CID, granter: address, grant: 3n, terms: fill(9, 2),
    purpose: "TREAT", disclose: 1, findings: ["a", "b"], accept, deadline: 90n, callbackGas: 100_000n, reason: "Überall <b>&</b>", identify: true,
    frame: 2,
  };
  return {
    "/aceso.blobs.v1.MsgRegisterBlob": { owner: address, cid: CID, size: 2n ** 60n, term: 8n },
    "/aceso.models.v1.MsgRegisterModel": { author: address, manifest: fill(5, 1) },
    "/aceso.reads.v1.MsgRegisterImage": { owner: address, cid: CID, size: 7n, term: 8n, guard: address, modality: "DX", bodyPart: "CHEST", origin, effort: 9n },
    "/aceso.reads.v1.MsgRegisterReader": { account: address, epoch: 1n, key: fill(48, 1), expires: 9n, possession: fill(64, 2) },
    "/aceso.reads.v1.MsgRegisterSealed": { owner: address, files: [file], guard: address, registration: fill(240, 1), commitment: fill(32, 2), origin },
    "/aceso.reads.v1.MsgRetireSealed": { owner: address, record: 77n },
    "/aceso.reads.v1.MsgGrant": grant,
    "/aceso.reads.v1.MsgRevokeGrant": { sender: address, granter: address, grant: 9n },
    "/aceso.reads.v1.MsgBreakGlass": { actor: address, epoch: 1n, granter: address, grant: 9n, terms: fill(9, 1), reason: "a < b & c" },
    "/aceso.reads.v1.MsgRequestRead": request,
    "/aceso.reads.v1.MsgSubmitShare": { operator: address, share: { job: 7n, outcome: fill(3, 1), signature: fill(96, 2) } },
    "/aceso.reads.v1.MsgDispute": { sender: address, job: 7n, point: fill(48, 1), from, proof: fill(64, 2) },
    "/aceso.validators.v1.MsgSetValidator": { authority: address, consensusKey: fill(32, 1), power: 3n, operator: address, name: "n" },
    "/aceso.validators.v1.MsgRegisterAttester": { operator: address, consensusKey: fill(32, 1), blsKey: fill(48, 2), epoch: 1n, possession: fill(96, 3) },
    "/aceso.validators.v1.MsgUpdateParams": { authority: address, params: utf8('{"b":1,"a":["<"]}'), consensus: utf8('{"block_gas":-1}') },
    "/aceso.validators.v1.MsgScheduleUpgrade": { authority: address, name: "next", height: 9_000_000n, info: "here & there" },
    "/aceso.validators.v1.MsgCancelUpgrade": { authority: address },
  };
}

/** Signs, sends, and answers with what the chain says of it: in the mempool, or in the block. */
async function said(client, address, message) {
  const signed = TxRaw.encode(await client.sign(address, [message], FEE, "memo <&>")).finish();
  const body = { jsonrpc: "2.0", id: 1, method: "broadcast_tx_commit", params: { tx: Buffer.from(signed).toString("base64") } };
  const headers = { "content-type": "application/json" };
  const { result } = await (await fetch(node.rpc, { method: "POST", headers, body: JSON.stringify(body) })).json();
  const { check_tx: check, tx_result: delivered } = result;
  const { code, codespace, log } = check.code ? check : delivered;
  // Whose words they are is all that differs between two accounts.
  return { code: code ?? 0, codespace: codespace ?? "", log: String(log ?? "").replaceAll(address, "…") };
}

/** Every place in a document at which a text, number or flag stands. */
function* leaves(value, path = []) {
  if (typeof value !== "object") yield path;
  else for (const [key, within] of Object.entries(value)) yield* leaves(within, [...path, key]);
}

test("every message of ours is signed alike in both modes, and every field of it is signed", { timeout: 120_000 }, async () => {
  const { direct, amino, liar } = parties;
  assert.deepEqual(Object.keys(everyMessage("")).sort(), acesoTypes.map(([typeUrl]) => typeUrl).sort());
  let changes = 0;
  for (const [typeUrl] of acesoTypes) {
    const value = everyMessage(amino.address)[typeUrl];
    const shown = acesoAmino[typeUrl].toAmino(value);
    for (const path of leaves(shown)) {
      liar.changed = (asked) => {
        const doc = structuredClone(asked);
        const last = path.at(-1);
        const within = path.slice(0, -1).reduce((at, key) => at[key], doc.msgs[0].value);
        within[last] = typeof within[last] === "string" ? `${within[last]}0` : typeof within[last] === "number" ? within[last] + 1 : !within[last];
        return doc;
      };
      const { code, codespace, log } = await said(liar, amino.address, { typeUrl, value });
      assert.deepEqual([codespace, code], ["sdk", UNAUTHORIZED], `${typeUrl} ${path.join(".")}: ${log}`);
      changes++;
    }
    const byDirect = await said(direct.client, direct.address, { typeUrl, value: everyMessage(direct.address)[typeUrl] });
    const byAmino = await said(amino.client, amino.address, { typeUrl, value });
    assert.deepEqual(byAmino, byDirect, typeUrl);
    // Nobody here is the authority, whose refusal has the same number; its words are others.
    assert.doesNotMatch(byAmino.log, /signature verification failed/, typeUrl);
  }
  assert.ok(changes > 90, `${changes}`);
});

test("a record's life: key, seal, grant, revoke, retire; in both modes", { timeout: 60_000 }, async () => {
  for (const { client, address } of [parties.direct, parties.amino]) {
    const send = async (name, value) => {
      const sent = await client.signAndBroadcast(address, [{ typeUrl: `/aceso.reads.v1.${name}`, value }], "auto", "a < b");
      assert.equal(sent.code, 0, sent.rawLog);
    };
    const expires = BigInt(Math.floor(Date.now() / 1000) + 3600);
    const [owner, reader, point] = [grants.newSecret(), grants.newSecret(), grants.newPoint()];
    const key = granter.reader(CHAIN, address, 0n, reader, expires);
    await send("MsgRegisterReader", key);
    const record = granter.record(CHAIN, address, [{ cid: CID, size: 3n, modality: "DX", bodyPart: "", effort: 0n }], owner, point);
    await send("MsgRegisterSealed", record);
    const number = clients.indexOf(client) + 1;
    const row = { ...RecordRow.fromPartial({}), ...record, record: BigInt(number) };
    const giving = { chainId: CHAIN, granter: address, grant: 1n, record: row, recipients: [key], committee: false, expires, terms: granter.newTerms() };
    await send("MsgGrant", granter.grant(giving, owner));
    await send("MsgRevokeGrant", { sender: address, granter: address, grant: 1n });
    await send("MsgRetireSealed", { owner: address, record: row.record });
  }
});

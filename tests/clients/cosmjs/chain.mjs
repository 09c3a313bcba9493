// The chain that CosmJS's own specs ask for, and two people on it: one signs protobuf, the other amino JSON.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Secp256k1HdWallet } from "@cosmjs/amino";
import { SigningCosmWasmClient } from "@cosmjs/cosmwasm-stargate";
import { toBech32 } from "@cosmjs/encoding";
import { DirectSecp256k1HdWallet } from "@cosmjs/proto-signing";
import { BroadcastTxError, GasPrice, calculateFee } from "@cosmjs/stargate";
import { Comet38Client } from "@cosmjs/tendermint-rpc";

import { startNode } from "../node.mjs";
import { PATIENCE } from "./patience.mjs";

export const CHAIN = "testing";
export const PREFIX = "wasm";
export const DENOM = "ucosm";
export const STAKE = "ustake";
/** What each of the two has of each coin. */
export const FUNDS = "1000000000000";
export const gasPrice = GasPrice.fromString(`0.025${DENOM}`);
export const options = { gasPrice, broadcastPollIntervalMs: 50, broadcastTimeoutMs: PATIENCE };
/** The limits of CosmJS's specs. */
export const fees = {
  upload: calculateFee(2_500_000, gasPrice),
  instantiate: calculateFee(500_000, gasPrice),
  execute: calculateFee(200_000, gasPrice),
  migrate: calculateFee(200_000, gasPrice),
  admin: calculateFee(80_000, gasPrice),
  send: calculateFee(80_000, gasPrice),
};

/** A contract of ours. */
export const ours = (name) => new Uint8Array(readFileSync(join(process.env.ACESO_CONTRACTS ?? "", `${name}.wasm`)));
/** A contract of wasmd's tests: holds coins for a beneficiary until the verifier releases them. */
export const hackatom = () => new Uint8Array(readFileSync(join(process.env.ACESO_WASMD ?? "", "x/wasm/keeper/testdata/hackatom.wasm")));

export const utf8 = (text) => new TextEncoder().encode(text);
export const json = (value) => utf8(JSON.stringify(value));
export const hex = (bytes) => Buffer.from(bytes).toString("hex");
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** An address that nobody has ever used. */
export const nobody = () => toBech32(PREFIX, randomBytes(20));

/** Starts the chain; `more` are further options of `aceso dev`. */
export async function open(more = {}) {
  const wallets = {
    direct: await DirectSecp256k1HdWallet.generate(24, { prefix: PREFIX }),
    amino: await Secp256k1HdWallet.generate(12, { prefix: PREFIX }),
  };
  const people = [];
  for (const [mode, wallet] of Object.entries(wallets)) {
    const [{ address, pubkey }] = await wallet.getAccounts();
    people.push({ mode, wallet, address, pubkey });
  }
  const fund = people.map(({ address }) => `${address}=${FUNDS}${DENOM},${FUNDS}${STAKE}`);
  const node = await startNode({ "chain-id": CHAIN, prefix: PREFIX, denom: DENOM, fund, ...more });
  for (const person of people) {
    person.client = await SigningCosmWasmClient.connectWithSigner(node.rpc, person.wallet, options);
  }
  const comet = await Comet38Client.connect(node.rpc);
  const close = async () => {
    comet.disconnect();
    people.forEach(({ client }) => client.disconnect());
    await node.stop();
  };
  return { node, people, comet, close };
}

/** What became of a broadcast: refused by the mempool (`check`), or in a block (`block`), with its code or 0. */
export async function fate(comet, sending) {
  let sent;
  try {
    sent = await sending;
  } catch (error) {
    if (!(error instanceof BroadcastTxError)) throw error;
    return { where: "check", code: error.code, codespace: error.codespace, log: error.log };
  }
  const { result } = await comet.tx({ hash: Buffer.from(sent.transactionHash, "hex") });
  return { where: "block", code: result.code, codespace: result.codespace ?? "", log: result.log ?? "", sent };
}

/** The first attribute of a name in the events of a type. */
export function attribute(events, type, key) {
  const found = events.filter((event) => event.type === type).flatMap(({ attributes }) => attributes);
  return found.find((attribute) => attribute.key === key)?.value;
}

export const messages = {
  send: (from, to, amount) => ({ typeUrl: "/cosmos.bank.v1beta1.MsgSend", value: { fromAddress: from, toAddress: to, amount } }),
  upload: (sender, wasm) => ({ typeUrl: "/cosmwasm.wasm.v1.MsgStoreCode", value: { sender, wasmByteCode: wasm } }),
  instantiate: (sender, codeId, msg, label, admin = "", funds = []) => ({
    typeUrl: "/cosmwasm.wasm.v1.MsgInstantiateContract",
    value: { sender, admin, codeId: BigInt(codeId), label, msg: json(msg), funds },
  }),
  execute: (sender, contract, msg, funds = []) => ({
    typeUrl: "/cosmwasm.wasm.v1.MsgExecuteContract",
    value: { sender, contract, msg: json(msg), funds },
  }),
  migrate: (sender, contract, codeId, msg) => ({
    typeUrl: "/cosmwasm.wasm.v1.MsgMigrateContract",
    value: { sender, contract, codeId: BigInt(codeId), msg: json(msg) },
  }),
  newAdmin: (sender, contract, newAdmin) => ({ typeUrl: "/cosmwasm.wasm.v1.MsgUpdateAdmin", value: { sender, newAdmin, contract } }),
  clearAdmin: (sender, contract) => ({ typeUrl: "/cosmwasm.wasm.v1.MsgClearAdmin", value: { sender, contract } }),
};

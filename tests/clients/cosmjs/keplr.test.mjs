// What Keplr asks of a node, request by request: its checks of a chain that a page suggests, an account, a simulation, a broadcast
// over REST, and the websocket over which it waits for the transaction. It signs amino JSON here, as with a Ledger.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { coins } from "@cosmjs/stargate";

import { CHAIN, DENOM, FUNDS, attribute, fees, messages, nobody, open } from "./chain.mjs";
import { AuthInfo, Fee, MsgSend, SignMode, TxBody, TxRaw } from "./types.mjs";

/** @type {Awaited<ReturnType<typeof open>>} */
let chain;
let me, socket;
const waiting = new Map();
const base64 = (bytes) => Buffer.from(bytes).toString("base64");

before(async () => {
  chain = await open();
  me = chain.people.find(({ mode }) => mode === "amino");
  socket = new WebSocket(`${chain.node.rpc.replace("http", "ws")}/websocket`);
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  socket.onmessage = ({ data }) => {
    const answer = JSON.parse(data);
    waiting.get(answer.id)?.(answer);
  };
});

after(async () => {
  socket?.close();
  await chain?.close();
});

/** Status and JSON of a request to the REST gateway; a body makes it a POST. */
async function rest(path, body) {
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(chain.node.rest + path, body && post);
  return { status: answer.status, origin: answer.headers.get("access-control-allow-origin"), json: await answer.json() };
}

/** Sends a request over the websocket; resolves with the first answer that is wanted. */
function ask(id, method, params, wanted = () => true) {
  const answered = new Promise((resolve) => waiting.set(id, (answer) => wanted(answer) && resolve(answer)));
  socket.send(JSON.stringify({ jsonrpc: "2.0", method, params, id }));
  return answered;
}

/** A transfer as Keplr signs and sends it; the transaction's bytes and what the node says of them. */
async function sent(recipient) {
  const signed = await me.client.sign(me.address, [messages.send(me.address, recipient, coins(5, DENOM))], fees.send, "by Keplr");
  const bytes = TxRaw.encode(signed).finish();
  const { status, json } = await rest("/cosmos/tx/v1beta1/txs", { tx_bytes: base64(bytes), mode: "BROADCAST_MODE_SYNC" });
  assert.equal(status, 200);
  return { bytes, told: json.tx_response };
}

test("a chain that a page suggests is looked at over all its endpoints", async () => {
  const status = await (await fetch(`${chain.node.rpc}/status`)).json();
  const { json, origin } = await rest("/cosmos/base/tendermint/v1beta1/node_info");
  assert.deepEqual([status.result.node_info.network, json.default_node_info.network], [CHAIN, CHAIN]);
  assert.equal(origin, "*");
  assert.equal(socket.readyState, WebSocket.OPEN);
  for (const [path, expected] of [
    ["/cosmwasm/wasm/v1/contract/test/smart/test", 400],
    ["/cosmos/bank/v1beta1/spendable_balances/test", 400],
    ["/ibc/apps/transfer/v1/params", 501],
    ["/cosmos/staking/v1beta1/params", 501],
  ]) {
    assert.equal((await rest(path)).status, expected, path);
  }
});

test("an account and its coins", async () => {
  const { json } = await rest(`/cosmos/auth/v1beta1/accounts/${me.address}`);
  assert.equal(json.account.address, me.address);
  assert.equal((await rest(`/cosmos/auth/v1beta1/accounts/${nobody()}`)).status, 404);
  for (const path of ["balances", "spendable_balances"]) {
    const { json } = await rest(`/cosmos/bank/v1beta1/${path}/${me.address}?pagination.limit=1000`);
    assert.equal(json.balances.find(({ denom }) => denom === DENOM).amount, FUNDS);
  }
});

test("a simulation without a public key, with 64 zeros for a signature", async () => {
  const { account } = (await rest(`/cosmos/auth/v1beta1/accounts/${me.address}`)).json;
  const send = messages.send(me.address, nobody(), coins(5, DENOM));
  const any = { typeUrl: send.typeUrl, value: MsgSend.encode(send.value).finish() };
  const signer = { modeInfo: { single: { mode: SignMode.SIGN_MODE_LEGACY_AMINO_JSON } }, sequence: BigInt(account.sequence) };
  const unsigned = TxRaw.fromPartial({
    bodyBytes: TxBody.encode(TxBody.fromPartial({ messages: [any], memo: "" })).finish(),
    authInfoBytes: AuthInfo.encode(AuthInfo.fromPartial({ signerInfos: [signer], fee: Fee.fromPartial({ amount: coins(1, DENOM) }) })).finish(),
    signatures: [new Uint8Array(64)],
  });
  const { status, json } = await rest("/cosmos/tx/v1beta1/simulate", { tx_bytes: base64(TxRaw.encode(unsigned).finish()) });
  assert.equal(status, 200, JSON.stringify(json));
  const gas = Number(json.gas_info.gas_used);
  assert.ok(gas > 30_000 && gas < 200_000, `${gas}`);
});

test("a transaction is sent over REST and waited for over the websocket, by its hash and by what it does", async () => {
  const recipient = nobody();
  const isTx = ({ result }) => result?.data?.type === "tendermint/event/Tx";
  const isBlock = ({ result }) => result?.data?.type === "tendermint/event/NewBlock";
  const block = ask(1, "subscribe", ["tm.event='NewBlock'"], isBlock);
  // Keplr names a page here too, which a subscription has no use for.
  const page = { page: "1", per_page: "1", order_by: "asc" };
  const event = ask(814_253, "subscribe", { query: `tm.event='Tx' AND transfer.recipient='${recipient}'`, ...page }, isTx);
  const { bytes, told } = await sent(recipient);
  assert.deepEqual([told.code, told.raw_log], [0, ""]);
  const { result, height, tx } = (await event).result.data.value.TxResult;
  assert.equal(tx, base64(bytes));
  assert.equal(attribute(result.events, "message", "action"), "/cosmos.bank.v1beta1.MsgSend");
  assert.ok(Number((await block).result.data.value.block.header.height) <= Number(height));
  const hash = base64(Buffer.from(told.txhash, "hex"));
  const found = await ask(271_828, "tx", { hash, prove: false });
  assert.deepEqual([found.result.hash, found.result.tx_result.code], [told.txhash, 0]);
  const searched = await ask(314_159, "tx_search", { query: `transfer.recipient='${recipient}'`, ...page });
  assert.equal(searched.result.total_count, "1");
  const none = await ask(161_803, "tx", { hash: base64(new Uint8Array(32)), prove: false });
  assert.match(none.error.data, /not found/);
});

test("a transaction is sent a second time, and the answer says so", async () => {
  const { bytes, told } = await sent(nobody());
  assert.equal(told.code, 0);
  const { json } = await rest("/cosmos/tx/v1beta1/txs", { tx_bytes: base64(bytes), mode: "BROADCAST_MODE_SYNC" });
  // In the mempool's memory still, or executed already.
  assert.ok([19, 32].includes(json.tx_response.code), JSON.stringify(json));
  assert.equal(json.tx_response.codespace, "sdk");
});

// grpcurl knows nothing of the chain but what reflection tells it: services, their messages, and calls of both the SDK's and ours.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { startNode } from "../node.mjs";

/** @type {Awaited<ReturnType<typeof startNode>>} */
let node;
let address, contract, sent;

/** Runs grpcurl: what it printed, or what it said of the refusal. */
function grpcurl(...args) {
  const run = spawnSync(process.env.ACESO_GRPCURL ?? "grpcurl", ["-plaintext", ...args], { encoding: "utf8" });
  if (run.error) throw run.error;
  return { ok: run.status === 0, out: run.stdout, refused: run.stderr };
}

/** Calls a method: its answer. */
function call(method, question = {}, ...options) {
  const { ok, out, refused } = grpcurl(...options, "-d", JSON.stringify(question), node.grpc.replace("http://", ""), method);
  assert.ok(ok, `${method}: ${refused}`);
  return JSON.parse(out);
}

/** Calls a method that must be refused: the status and its words. */
function refused(method, question) {
  const { ok, refused } = grpcurl("-d", JSON.stringify(question), node.grpc.replace("http://", ""), method);
  assert.ok(!ok, method);
  return { code: /Code: (\w+)/.exec(refused)?.[1], message: /Message: (.*)/.exec(refused)?.[1] ?? refused };
}

/** Runs `aceso tx …` with the coins that the node has made. */
function tx(...args) {
  const words = join(node.home, "keys/dev.mnemonic");
  const run = spawnSync(process.env.ACESO_NODE, ["tx", ...args, "--from", words, "--node", node.rpc, "--rest", node.rest, "--json"], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout);
}

const list = (...args) => {
  const { ok, out, refused } = grpcurl(node.grpc.replace("http://", ""), ...args);
  assert.ok(ok, refused);
  return out;
};

before(async () => {
  node = await startNode({ fund: [], grpc: "127.0.0.1:0" });
  const { accounts } = call("cosmos.auth.v1beta1.Query/Accounts");
  const rich = (address) => call("cosmos.bank.v1beta1.Query/Balance", { address, denom: "uaceso" }).balance.amount === "1000000000000";
  address = accounts.map(({ address }) => address).find((address) => address && rich(address));
  tx("store", join(process.env.ACESO_CONTRACTS, "token.wasm"));
  const first = { name: "test", initial_balances: [{ address, amount: "100" }] };
  contract = tx("instantiate", "1", JSON.stringify(first), "--label", "token").contract;
  sent = tx("execute", contract, JSON.stringify({ transfer: { recipient: address, amount: "7" } }));
});

after(() => node?.stop());

test("every service of `list` can be described, with each of its methods and their messages", () => {
  const services = list("list").trim().split("\n");
  for (const name of [
    "cosmos.auth.v1beta1.Query", "cosmos.authz.v1beta1.Query", "cosmos.bank.v1beta1.Query", "cosmos.base.tendermint.v1beta1.Service",
    "cosmos.feegrant.v1beta1.Query", "cosmos.tx.v1beta1.Service", "cosmwasm.wasm.v1.Query",
    "aceso.blobs.v1.Query", "aceso.models.v1.Query", "aceso.reads.v1.Query", "aceso.validators.v1.Query",
  ]) {
    assert.ok(services.includes(name), name);
  }
  let methods = 0;
  for (const service of services) {
    const described = list("describe", service);
    assert.match(described, new RegExp(`${service} is a service`));
    for (const [, question, answer] of described.matchAll(/rpc \w+ \( (?:stream )?\.([\w.]+) \) returns \( (?:stream )?\.([\w.]+) \)/g)) {
      methods++;
      if (methods % 9 === 0) [question, answer].forEach((name) => assert.match(list("describe", name), new RegExp(`${name} is a message`)));
    }
  }
  assert.ok(methods > 60, `${methods}`);
});

test("a message is described with its fields", () => {
  const described = list("describe", "cosmwasm.wasm.v1.MsgExecuteContract");
  for (const field of ["string sender = 1", "string contract = 2", "bytes msg = 3", "repeated .cosmos.base.v1beta1.Coin funds = 5"]) {
    assert.ok(described.includes(field), described);
  }
  assert.match(list("describe", "aceso.reads.v1.QueryImages"), /is a message/);
});

test("every query without a question is answered or refused by a status, and none is unimplemented", () => {
  let calls = 0;
  for (const service of list("list").trim().split("\n").filter((name) => name.endsWith(".Query"))) {
    for (const method of list("list", service).trim().split("\n")) {
      const { ok, refused } = grpcurl("-d", "{}", node.grpc.replace("http://", ""), method.replace(/\.(\w+)$/, "/$1"));
      assert.ok(ok || /Code: (InvalidArgument|NotFound|Unknown|FailedPrecondition|Internal)/.test(refused), `${method}: ${refused}`);
      calls++;
    }
  }
  assert.ok(calls > 40, `${calls}`);
});

test("auth", () => {
  const { account } = call("cosmos.auth.v1beta1.Query/Account", { address });
  assert.equal(account["@type"], "/cosmos.auth.v1beta1.BaseAccount");
  assert.deepEqual([account.address, account.sequence], [address, "3"]);
  assert.equal(account.pubKey["@type"], "/cosmos.crypto.secp256k1.PubKey");
  assert.equal(call("cosmos.auth.v1beta1.Query/Params").params.txSizeCostPerByte, "10");
  assert.equal(call("cosmos.auth.v1beta1.Query/Bech32Prefix").bech32Prefix, "aceso");
  const stranger = refused("cosmos.auth.v1beta1.Query/Account", { address: contract.slice(0, -6) });
  assert.equal(stranger.code, "InvalidArgument", stranger.message);
});

test("bank", () => {
  const { balance } = call("cosmos.bank.v1beta1.Query/Balance", { address, denom: "uaceso" });
  assert.equal(balance.denom, "uaceso");
  assert.ok(BigInt(balance.amount) < 1_000_000_000_000n && BigInt(balance.amount) > 0n);
  assert.deepEqual(call("cosmos.bank.v1beta1.Query/AllBalances", { address }).balances, [balance]);
  const supply = call("cosmos.bank.v1beta1.Query/SupplyOf", { denom: "uaceso" }).amount;
  assert.deepEqual(call("cosmos.bank.v1beta1.Query/TotalSupply").supply, [supply]);
  assert.ok(BigInt(supply.amount) > BigInt(balance.amount));
  assert.equal(call("cosmos.bank.v1beta1.Query/DenomMetadata", { denom: "uaceso" }).metadata.symbol, "ACESO");
  assert.equal(refused("cosmos.bank.v1beta1.Query/DenomMetadata", { denom: "nothing" }).code, "NotFound");
});

test("an earlier height", () => {
  const { balance } = call("cosmos.bank.v1beta1.Query/Balance", { address, denom: "uaceso" }, "-H", "x-cosmos-block-height: 1");
  assert.equal(balance.amount, "1000000000000");
});

test("wasm", () => {
  const { codeInfos } = call("cosmwasm.wasm.v1.Query/Codes");
  assert.deepEqual([codeInfos.length, codeInfos[0].codeId, codeInfos[0].creator], [1, "1", address]);
  const { contractInfo } = call("cosmwasm.wasm.v1.Query/ContractInfo", { address: contract });
  assert.deepEqual([contractInfo.codeId, contractInfo.label], ["1", "token"]);
  assert.deepEqual(call("cosmwasm.wasm.v1.Query/ContractsByCode", { codeId: "1" }).contracts, [contract]);
  const question = Buffer.from(JSON.stringify({ balance: { address } })).toString("base64");
  // In protobuf's own JSON an answer's bytes are base64.
  const { data } = call("cosmwasm.wasm.v1.Query/SmartContractState", { address: contract, queryData: question });
  assert.equal(Buffer.from(data, "base64").toString(), '{"balance":"100"}');
  assert.ok(call("cosmwasm.wasm.v1.Query/AllContractState", { address: contract }).models.length >= 2);
  const nonsense = Buffer.from('{"nonsense":{}}').toString("base64");
  assert.match(refused("cosmwasm.wasm.v1.Query/SmartContractState", { address: contract, queryData: nonsense }).message, /unknown variant/);
  assert.match(refused("cosmwasm.wasm.v1.Query/ContractInfo", { address }).message, /no such contract/);
});

test("tx: found, searched for, simulated, and sent a second time", async () => {
  const hash = sent.tx;
  const { tx, txResponse } = call("cosmos.tx.v1beta1.Service/GetTx", { hash });
  assert.deepEqual([txResponse.txhash, txResponse.code ?? 0], [hash, 0]);
  assert.equal(tx.body.messages[0]["@type"], "/cosmwasm.wasm.v1.MsgExecuteContract");
  assert.ok(txResponse.events.some(({ type }) => type === "wasm"));
  const found = call("cosmos.tx.v1beta1.Service/GetTxsEvent", { query: `wasm._contract_address='${contract}'` });
  assert.ok(found.txResponses.some(({ txhash }) => txhash === hash));
  const answer = await (await fetch(`${node.rpc}/tx?hash=0x${hash}`)).json();
  const bytes = answer.result.tx;
  assert.match(refused("cosmos.tx.v1beta1.Service/Simulate", { txBytes: bytes }).message, /account sequence mismatch, expected 3, got 2/);
  // The same with the next sequence, put together by the node.
  tx.authInfo.signerInfos[0].sequence = "3";
  const { txBytes } = call("cosmos.tx.v1beta1.Service/TxEncode", { tx });
  const { gasInfo } = call("cosmos.tx.v1beta1.Service/Simulate", { txBytes });
  assert.ok(Number(gasInfo.gasUsed) > 60_000, JSON.stringify(gasInfo));
  const again = grpcurl("-d", JSON.stringify({ txBytes: bytes, mode: "BROADCAST_MODE_SYNC" }), node.grpc.replace("http://", ""), "cosmos.tx.v1beta1.Service/BroadcastTx");
  assert.match(again.out + again.refused, /"code": 19/);
  assert.equal(refused("cosmos.tx.v1beta1.Service/GetTx", { hash: "00".repeat(32) }).code, "NotFound");
});

test("the engine", () => {
  const { defaultNodeInfo } = call("cosmos.base.tendermint.v1beta1.Service/GetNodeInfo");
  assert.equal(defaultNodeInfo.network, "aceso-dev");
  const { block } = call("cosmos.base.tendermint.v1beta1.Service/GetLatestBlock");
  assert.equal(block.header.chainId, "aceso-dev");
  const set = call("cosmos.base.tendermint.v1beta1.Service/GetLatestValidatorSet");
  assert.equal(set.validators.length, 1);
});

test("ours", () => {
  assert.equal(call("aceso.validators.v1.Query/Validators").rows.length, 1);
  assert.deepEqual(call("aceso.models.v1.Query/Models").rows ?? [], []);
  assert.deepEqual(call("aceso.reads.v1.Query/Images").rows ?? [], []);
  assert.equal(refused("aceso.models.v1.Query/Model", { model: "00".repeat(32) }).code, "NotFound");
});

// What a contract developer does with CosmJS, unmodified: nothing here knows that the chain is not wasmd.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { CosmWasmClient, instantiate2Address } from "@cosmjs/cosmwasm-stargate";
import { calculateFee, coins } from "@cosmjs/stargate";

import { CHAIN, DENOM, FUNDS, PREFIX, gasPrice, json, nobody, open, ours, utf8 } from "./chain.mjs";

const wasm = ours("token");

/** @type {Awaited<ReturnType<typeof open>>} */
let chain;
let direct, amino, alice, bob;
let codeId, token;

before(async () => {
  chain = await open();
  [{ client: direct, address: alice }, { client: amino, address: bob }] = chain.people;
});

after(() => chain?.close());

test("the chain says who it is", async () => {
  assert.equal(await direct.getChainId(), CHAIN);
  assert.ok((await direct.getHeight()) > 0);
  const block = await direct.getBlock();
  assert.equal(block.header.chainId, CHAIN);
});

test("accounts and balances", async () => {
  const account = await direct.getAccount(alice);
  assert.equal(account.address, alice);
  assert.equal(account.sequence, 0);
  assert.deepEqual(await direct.getBalance(alice, DENOM), { denom: DENOM, amount: FUNDS });
  assert.deepEqual(await direct.getBalance(alice, "unothing"), { denom: "unothing", amount: "0" });
});

test("an account that never received anything is null", async () => {
  assert.equal(await direct.getAccount(nobody()), null);
});

test("upload", async () => {
  const before = await direct.getCodes();
  const result = await direct.upload(alice, wasm, "auto", "a memo");
  assert.match(result.checksum, /^[0-9a-f]{64}$/);
  assert.equal(result.originalSize, wasm.length);
  assert.ok(result.compressedSize < wasm.length / 2);
  codeId = result.codeId;
  const codes = await direct.getCodes();
  assert.equal(codes.length, before.length + 1);
  assert.deepEqual(codes.at(-1), { id: codeId, creator: alice, checksum: result.checksum });
  const details = await direct.getCodeDetails(codeId);
  assert.deepEqual(Buffer.from(details.data), Buffer.from(wasm));
});

test("instantiate", async () => {
  const msg = { name: "test", initial_balances: [{ address: alice, amount: "100" }, { address: bob, amount: "7" }] };
  const result = await direct.instantiate(alice, codeId, msg, "my token", "auto", { admin: alice });
  token = result.contractAddress;
  assert.match(token, /^wasm1[0-9a-z]{58}$/);
  const contract = await direct.getContract(token);
  assert.equal(contract.label, "my token");
  assert.equal(contract.admin, alice);
  assert.equal(contract.creator, alice);
  assert.deepEqual(await direct.getContracts(codeId), [token]);
  const history = await direct.getContractCodeHistory(token);
  assert.deepEqual(history, [{ operation: "Init", codeId, msg }]);
});

test("instantiate2 at the address that was promised", async () => {
  const salt = utf8("salt");
  const msg = { name: "second", initial_balances: [] };
  const result = await direct.instantiate2(alice, codeId, salt, msg, "second token", "auto");
  const { checksum } = await direct.getCodeDetails(codeId);
  const promised = instantiate2Address(Buffer.from(checksum, "hex"), alice, salt, PREFIX);
  assert.equal(result.contractAddress, promised);
});

test("execute, query", async () => {
  const result = await direct.execute(alice, token, { transfer: { recipient: bob, amount: "40" } }, "auto");
  const event = result.events.find((event) => event.type === "wasm");
  assert.deepEqual(event.attributes[0], { key: "_contract_address", value: token });
  assert.ok(event.attributes.some(({ key, value }) => key === "action" && value === "transfer"));
  assert.ok(result.gasUsed <= result.gasWanted);
  assert.deepEqual(await direct.queryContractSmart(token, { balance: { address: bob } }), { balance: "47" });
});

test("several messages in one transaction, all or none", async () => {
  const transfer = (amount) => ({ contractAddress: token, msg: { transfer: { recipient: bob, amount } } });
  await direct.executeMultiple(alice, [transfer("1"), transfer("2")], "auto");
  assert.deepEqual(await direct.queryContractSmart(token, { balance: { address: bob } }), { balance: "50" });
  const fee = calculateFee(1_000_000, gasPrice);
  await assert.rejects(direct.executeMultiple(alice, [transfer("1"), transfer("1000")], fee), /failed|Overflow/i);
  assert.deepEqual(await direct.queryContractSmart(token, { balance: { address: bob } }), { balance: "50" });
});

test("amino signatures are as good", async () => {
  await amino.execute(bob, token, { transfer: { recipient: alice, amount: "5" } }, "auto", "memo with <&>");
  assert.deepEqual(await amino.queryContractSmart(token, { balance: { address: alice } }), { balance: "62" });
  const sent = await amino.sendTokens(bob, alice, coins(1234, DENOM), "auto");
  assert.equal(sent.code, 0);
});

test("raw state", async () => {
  const raw = await direct.queryContractRaw(token, utf8("token_info"));
  assert.equal(JSON.parse(new TextDecoder().decode(raw)).name, "test");
  assert.equal((await direct.queryContractRaw(token, new Uint8Array([1, 2]))).length, 0);
});

test("simulate", async () => {
  const message = {
    typeUrl: "/cosmwasm.wasm.v1.MsgExecuteContract",
    value: {
      sender: alice,
      contract: token,
      msg: json({ transfer: { recipient: bob, amount: "1" } }),
      funds: [],
    },
  };
  const gas = await direct.simulate(alice, [message], undefined);
  assert.ok(gas > 60_000 && gas < 200_000, `${gas}`);
});

test("send, getTx, searchTx", async () => {
  const sent = await direct.sendTokens(alice, bob, coins(500, DENOM), "auto", "for bob");
  assert.equal(sent.code, 0, sent.rawLog);
  const found = await direct.getTx(sent.transactionHash);
  assert.equal(found.hash, sent.transactionHash);
  assert.equal(found.height, sent.height);
  assert.equal(found.code, 0);
  assert.equal(await direct.getTx("00".repeat(32)), null);
  const bySender = await direct.searchTx([{ key: "message.sender", value: alice }]);
  assert.ok(bySender.some((tx) => tx.hash === sent.transactionHash));
  const byRecipient = await direct.searchTx([{ key: "transfer.recipient", value: bob }]);
  assert.ok(byRecipient.some((tx) => tx.hash === sent.transactionHash));
  const byHeight = await direct.searchTx(`tx.height=${sent.height}`);
  assert.deepEqual(byHeight.map((tx) => tx.hash), [sent.transactionHash]);
  const byContract = await direct.searchTx([
    { key: "wasm._contract_address", value: token },
    { key: "message.action", value: "/cosmwasm.wasm.v1.MsgExecuteContract" },
  ]);
  assert.ok(byContract.length >= 3);
});

test("migrate, update admin, clear admin", async () => {
  await direct.migrate(alice, token, codeId, { name: "renamed" }, "auto");
  assert.equal((await direct.queryContractSmart(token, { token_info: {} })).name, "renamed");
  assert.equal((await direct.getContractCodeHistory(token)).length, 2);
  await direct.updateAdmin(alice, token, bob, "auto");
  assert.equal((await direct.getContract(token)).admin, bob);
  await amino.clearAdmin(bob, token, "auto");
  assert.equal((await direct.getContract(token)).admin, undefined);
  await assert.rejects(direct.migrate(alice, token, codeId, {}, calculateFee(400_000, gasPrice)), /unauthorized|can not migrate/i);
});

test("what is wrong is said", async () => {
  const transfer = { transfer: { recipient: bob, amount: "1000000" } };
  await assert.rejects(direct.execute(alice, token, transfer, "auto"), /execute wasm contract failed/);
  await assert.rejects(direct.execute(alice, token, { nonsense: {} }, "auto"), /unknown variant/);
  await assert.rejects(direct.queryContractSmart(token, { nonsense: {} }), /unknown variant/);
  await assert.rejects(direct.queryContractSmart(alice, { token_info: {} }), /no such contract/i);
  await assert.rejects(direct.instantiate(alice, 4711, {}, "label", calculateFee(400_000, gasPrice)), /no such code|not found/i);
  await assert.rejects(direct.sendTokens(alice, bob, coins(`${FUNDS}0`, DENOM), "auto"), /insufficient funds/);
  const cheap = { amount: coins(1, DENOM), gas: "200000" };
  await assert.rejects(direct.sendTokens(alice, bob, coins(1, DENOM), cheap), /insufficient fee/);
  const tight = { amount: coins(5000, DENOM), gas: "20000" };
  await assert.rejects(direct.sendTokens(alice, bob, coins(1, DENOM), tight), /out of gas/);
});

test("a client without keys", async () => {
  const client = await CosmWasmClient.connect(chain.node.rpc);
  assert.deepEqual(await client.queryContractSmart(token, { balance: { address: bob } }), { balance: "45" });
  client.disconnect();
});

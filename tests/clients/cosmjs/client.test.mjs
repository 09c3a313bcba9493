// What CosmJS's specs say of `CosmWasmClient` and of its wasm queries, said anew for this chain: chain id `testing`, prefix
// `wasm`, coins `ucosm` and `ustake`, wasmd's hackatom. Left out is what needs IBC: no contract here has a port.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";

import { CosmWasmClient, instantiate2Address, setupWasmExtension } from "@cosmjs/cosmwasm-stargate";
import { Registry, encodePubkey, makeAuthInfoBytes, makeSignDoc } from "@cosmjs/proto-signing";
import { QueryClient, assertIsDeliverTxSuccess, coin, coins, setupBankExtension, setupTxExtension } from "@cosmjs/stargate";

import { CHAIN, DENOM, FUNDS, PREFIX, STAKE, attribute, fees, hackatom, hex, json, messages, nobody, open, utf8 } from "./chain.mjs";
import { PATIENCE } from "./patience.mjs";
import { ContractCodeHistoryOperationType, MsgExecuteContract, TxRaw } from "./types.mjs";

const wasm = hackatom();
const checksum = createHash("sha256").update(wasm).digest("hex");
const CONFIG = utf8("config");

/** @type {Awaited<ReturnType<typeof open>>} */
let chain;
let alice, bob, client, queries, codeId;
const instances = [];

before(async () => {
  chain = await open();
  [alice, bob] = chain.people;
  client = await CosmWasmClient.connect(chain.node.rpc);
  queries = QueryClient.withExtensions(chain.comet, setupBankExtension, setupTxExtension, setupWasmExtension);
  codeId = (await alice.client.upload(alice.address, wasm, fees.upload)).codeId;
  for (const admin of [undefined, undefined, bob.address]) {
    const msg = { verifier: alice.address, beneficiary: nobody() };
    const label = `hackatom ${instances.length}`;
    const made = await alice.client.instantiate(alice.address, codeId, msg, label, fees.instantiate, { admin });
    instances.push({ address: made.contractAddress, msg, label, admin, made });
  }
});

after(async () => {
  client?.disconnect();
  await chain?.close();
});

test("the chain's name, from the network and then from memory", async () => {
  const fresh = await CosmWasmClient.connect(chain.node.rpc);
  const comet = fresh.forceGetCometClient();
  const status = comet.status.bind(comet);
  let asked = 0;
  comet.status = () => (asked++, status());
  assert.deepEqual([await fresh.getChainId(), await fresh.getChainId()], [CHAIN, CHAIN]);
  assert.equal(asked, 1);
  fresh.disconnect();
});

test("CosmJS takes the node for a CometBFT 0.38", () => {
  assert.equal(client.forceGetCometClient().constructor.name, "Comet38Client");
});

test("the height grows with a transaction", async () => {
  const before = await client.getHeight();
  await alice.client.sendTokens(alice.address, bob.address, coins(1, DENOM), fees.send);
  assert.ok((await client.getHeight()) > before);
});

test("an account that has signed, one that has not, and one that there is not", async () => {
  const account = await client.getAccount(alice.address);
  assert.equal(account.address, alice.address);
  assert.deepEqual(account.pubkey, { type: "tendermint/PubKeySecp256k1", value: Buffer.from(alice.pubkey).toString("base64") });
  assert.ok(account.sequence >= 4);
  assert.deepEqual(await client.getSequence(alice.address), { accountNumber: account.accountNumber, sequence: account.sequence });
  const other = await client.getAccount(bob.address);
  assert.deepEqual(other, { address: bob.address, accountNumber: other.accountNumber, sequence: 0, pubkey: null });
  assert.notEqual(other.accountNumber, account.accountNumber);
  assert.equal(await client.getAccount(nobody()), null);
  await assert.rejects(client.getSequence(nobody()), /account '([a-z0-9]{10,90})' does not exist on chain/i);
});

test("an account of a contract is an account", async () => {
  const { address, accountNumber, sequence, pubkey } = await client.getAccount(instances[0].address);
  assert.deepEqual([address, sequence, pubkey], [instances[0].address, 0, null]);
  assert.ok(accountNumber > 0);
});

test("balances: of coins, of none, of nobody", async () => {
  assert.deepEqual(await client.getBalance(bob.address, STAKE), coin(FUNDS, STAKE));
  assert.deepEqual(await client.getBalance(bob.address, "gintonic"), coin(0, "gintonic"));
  assert.deepEqual(await client.getBalance(nobody(), DENOM), coin(0, DENOM));
});

test("the latest block, and one by its height", async () => {
  const latest = await client.getBlock();
  for (const block of [latest, await client.getBlock(latest.header.height - 1)]) {
    assert.match(block.id, /^[0-9A-F]{64}$/);
    assert.equal(block.header.chainId, CHAIN);
    assert.match(block.header.version.block, /^\d+$/);
    assert.ok(Math.abs(Date.parse(block.header.time) - Date.now()) < 60_000, block.header.time);
    assert.ok(Array.isArray(block.txs));
  }
  await assert.rejects(client.getBlock(latest.header.height + 1_000), /must be less than or equal to the current blockchain height/);
});

test("a transaction that was put together by hand", async () => {
  const recipient = nobody();
  const registry = new Registry();
  const body = { messages: [messages.send(alice.address, recipient, coins(1_234_567, DENOM))], memo: "by hand" };
  const { accountNumber, sequence } = await client.getSequence(alice.address);
  const pubkey = encodePubkey({ type: "tendermint/PubKeySecp256k1", value: Buffer.from(alice.pubkey).toString("base64") });
  const info = makeAuthInfoBytes([{ pubkey, sequence }], coins(5_000, DENOM), 200_000, undefined, undefined);
  const doc = makeSignDoc(registry.encode({ typeUrl: "/cosmos.tx.v1beta1.TxBody", value: body }), info, CHAIN, accountNumber);
  const { signed, signature } = await alice.wallet.signDirect(alice.address, doc);
  const signatures = [Buffer.from(signature.signature, "base64")];
  const raw = TxRaw.fromPartial({ bodyBytes: signed.bodyBytes, authInfoBytes: signed.authInfoBytes, signatures });
  const result = await client.broadcastTx(TxRaw.encode(raw).finish(), PATIENCE, 50);
  assertIsDeliverTxSuccess(result);
  const transfers = result.events.filter(({ type }) => type === "transfer").flatMap(({ attributes }) => attributes);
  const amounts = transfers.filter(({ key }) => key === "amount").map(({ value }) => value);
  // The fee first, then the message.
  assert.deepEqual(amounts, [`5000${DENOM}`, `1234567${DENOM}`]);
  assert.match(result.transactionHash, /^[0-9A-F]{64}$/);
  assert.equal(result.msgResponses[0].typeUrl, "/cosmos.bank.v1beta1.MsgSendResponse");
  assert.equal((await client.getBalance(recipient, DENOM)).amount, "1234567");
});

test("codes", async () => {
  const [first] = await client.getCodes();
  assert.deepEqual(first, { id: codeId, checksum, creator: alice.address });
});

test("a code with its wasm, from the network and then from memory", async () => {
  const fresh = await CosmWasmClient.connect(chain.node.rpc);
  const query = fresh.forceGetQueryClient().wasm;
  const getCode = query.getCode;
  let asked = 0;
  query.getCode = (id) => (asked++, getCode(id));
  const details = await fresh.getCodeDetails(codeId);
  assert.deepEqual({ ...details, data: undefined }, { id: codeId, checksum, creator: alice.address, data: undefined });
  assert.equal(hex(details.data), hex(wasm));
  assert.deepEqual(await fresh.getCodeDetails(codeId), details);
  assert.equal(asked, 1);
  fresh.disconnect();
});

test("a code that there is not", async () => {
  await assert.rejects(client.getCodeDetails(4711), /no such code|not found/i);
});

test("contracts of a code, and of a creator", async () => {
  const addresses = instances.map(({ address }) => address);
  assert.deepEqual((await client.getContracts(codeId)).slice(0, 3), addresses);
  assert.deepEqual((await client.getContractsByCreator(alice.address)).slice(0, 3), addresses);
  assert.deepEqual(await client.getContracts(4711), []);
  assert.deepEqual(await client.getContractsByCreator(nobody()), []);
});

test("more contracts than one page has", async () => {
  const many = 101;
  const before = await client.getContracts(codeId);
  const made = Array.from({ length: many }, (_, i) =>
    messages.instantiate(alice.address, codeId, { verifier: alice.address, beneficiary: bob.address }, `one of many ${i}`),
  );
  assertIsDeliverTxSuccess(await alice.client.signAndBroadcast(alice.address, made, "auto"));
  const contracts = await client.getContracts(codeId);
  assert.equal(contracts.length, before.length + many);
  assert.equal(new Set(contracts).size, contracts.length);
  assert.deepEqual(await client.getContractsByCreator(alice.address), contracts);
});

test("a contract without an admin, and one with", async () => {
  for (const { address, label, admin } of [instances[0], instances[2]]) {
    const told = await client.getContract(address);
    assert.deepEqual({ ...told }, { address, codeId, creator: alice.address, label, admin, ibcPortId: undefined });
  }
  await assert.rejects(client.getContract(nobody()), /no such contract|no contract found/i);
});

test("a contract's history", async () => {
  const [{ address, msg }] = instances;
  assert.deepEqual(await client.getContractCodeHistory(address), [{ operation: "Init", codeId, msg }]);
  assert.deepEqual(await client.getContractCodeHistory(nobody()), []);
});

test("raw state: a key, a key that there is not, a contract that there is not", async () => {
  const [{ address, msg }] = instances;
  const raw = await client.queryContractRaw(address, CONFIG);
  assert.deepEqual(JSON.parse(Buffer.from(raw).toString()), { ...msg, funder: alice.address });
  assert.deepEqual(await client.queryContractRaw(address, utf8("this_does_not_exist")), new Uint8Array());
  await assert.rejects(client.queryContractRaw(nobody(), CONFIG), /no such contract/i);
});

test("smart queries: an answer, a question that the contract does not know, a contract that there is not", async () => {
  const [{ address, msg }] = instances;
  assert.deepEqual(await client.queryContractSmart(address, { verifier: {} }), { verifier: msg.verifier });
  await assert.rejects(
    client.queryContractSmart(address, { broken: {} }),
    /Error parsing into type hackatom::msg::QueryMsg: unknown variant/i,
  );
  await assert.rejects(client.queryContractSmart(nobody(), { verifier: {} }), /no such contract/i);
});

test("the wasm extension: codes", async () => {
  const { codeInfos, pagination } = await queries.wasm.listCodeInfo();
  const [code] = codeInfos;
  assert.deepEqual([Number(code.codeId), code.creator, hex(code.dataHash)], [codeId, alice.address, checksum]);
  assert.equal(pagination.nextKey.length, 0);
  const { codeInfo, data } = await queries.wasm.getCode(codeId);
  assert.deepEqual([Number(codeInfo.codeId), hex(codeInfo.dataHash)], [codeId, checksum]);
  assert.equal(hex(data), hex(wasm));
});

test("the wasm extension: a new contract is the last of its code, with the place where it was made", async () => {
  const { contracts } = await queries.wasm.listContractsByCodeId(codeId, undefined);
  const msg = { verifier: alice.address, beneficiary: bob.address };
  const result = await alice.client.signAndBroadcast(
    alice.address,
    [messages.instantiate(alice.address, codeId, msg, "my escrow", "", coins(707_707, DENOM))],
    fees.instantiate,
  );
  assertIsDeliverTxSuccess(result);
  const address = attribute(result.events, "instantiate", "_contract_address");
  const all = await client.getContracts(codeId);
  assert.ok(all.length > contracts.length);
  assert.equal(all.at(-1), address);
  const { contractInfo } = await queries.wasm.getContractInfo(address);
  assert.deepEqual(
    [contractInfo.codeId, contractInfo.creator, contractInfo.label, contractInfo.admin, contractInfo.ibcPortId],
    [BigInt(codeId), alice.address, "my escrow", "", ""],
  );
  assert.deepEqual({ ...contractInfo.created }, { blockHeight: BigInt(result.height), txIndex: 0n });
  assert.equal(contractInfo.extension, undefined);
  const { entries } = await queries.wasm.getContractCodeHistory(address);
  const [entry] = entries;
  assert.equal(entry.operation, ContractCodeHistoryOperationType.CONTRACT_CODE_HISTORY_OPERATION_TYPE_INIT);
  assert.deepEqual([entry.codeId, hex(entry.msg)], [BigInt(codeId), hex(json(msg))]);
  await assert.rejects(queries.wasm.getContractInfo(nobody()), /no such contract/i);
  assert.deepEqual((await queries.wasm.getContractCodeHistory(nobody())).entries, []);
});

test("the wasm extension: all state", async () => {
  const { models } = await queries.wasm.getAllContractState(instances[0].address);
  assert.equal(models.length, 1);
  assert.equal(hex(models[0].key), hex(CONFIG));
  assert.equal(JSON.parse(Buffer.from(models[0].value).toString()).beneficiary, instances[0].msg.beneficiary);
  await assert.rejects(queries.wasm.getAllContractState(nobody()), /no such contract/i);
});

test("the wasm extension: by key, and by question", async () => {
  const [{ address, msg }] = instances;
  const { data } = await queries.wasm.queryContractRaw(address, CONFIG);
  assert.equal(JSON.parse(Buffer.from(data).toString()).verifier, msg.verifier);
  assert.equal((await queries.wasm.queryContractRaw(address, new Uint8Array([0xca, 0xfe]))).data.length, 0);
  await assert.rejects(queries.wasm.queryContractRaw(nobody(), CONFIG), /no such contract/i);
  assert.deepEqual(await queries.wasm.queryContractSmart(address, { verifier: {} }), { verifier: msg.verifier });
  await assert.rejects(queries.wasm.queryContractSmart(address, { nosuchkey: {} }), /unknown variant/i);
  await assert.rejects(queries.wasm.queryContractSmart(nobody(), { verifier: {} }), /no such contract/i);
});

test("code, contract and call by messages of their own", async () => {
  const { address, client: signer } = alice;
  const funds = [coin(1234, DENOM), coin(321, STAKE)];
  const beneficiary = nobody();
  const send = async (message, fee) => {
    const result = await signer.signAndBroadcast(address, [message], fee);
    assertIsDeliverTxSuccess(result);
    return result.events;
  };
  const stored = await send(messages.upload(address, wasm), fees.upload);
  const id = Number(attribute(stored, "store_code", "code_id"));
  assert.equal(id, codeId + 1);
  assert.equal(attribute(stored, "store_code", "code_checksum"), checksum);
  assert.equal(attribute(stored, "message", "module"), "wasm");
  const made = await send(messages.instantiate(address, id, { verifier: address, beneficiary }, "by hand", "", funds), fees.instantiate);
  const contract = attribute(made, "instantiate", "_contract_address");
  const amounts = made.filter(({ type }) => type === "transfer").map(({ attributes }) => attributes.find(({ key }) => key === "amount").value);
  assert.deepEqual(amounts, [`${fees.instantiate.amount[0].amount}${DENOM}`, `1234${DENOM},321${STAKE}`]);
  assert.deepEqual([await queries.bank.balance(contract, DENOM), await queries.bank.balance(contract, STAKE)], funds);
  const released = await send(messages.execute(address, contract, { release: {} }), fees.execute);
  assert.equal(attribute(released, "wasm", "action"), "release");
  assert.equal(attribute(released, "wasm", "destination"), beneficiary);
  assert.deepEqual([await queries.bank.balance(beneficiary, DENOM), await queries.bank.balance(beneficiary, STAKE)], funds);
});

test("the tx extension: GetTx and Simulate", async () => {
  const { made } = instances[0];
  const { tx, txResponse } = await queries.tx.getTx(made.transactionHash);
  assert.equal(tx.body.messages[0].typeUrl, "/cosmwasm.wasm.v1.MsgInstantiateContract");
  assert.deepEqual([txResponse.txhash, Number(txResponse.height), txResponse.code], [made.transactionHash, made.height, 0]);
  assert.equal(txResponse.gasUsed, made.gasUsed);
  await assert.rejects(queries.tx.getTx("00".repeat(32)), /not found/);
  const pubkey = { type: "tendermint/PubKeySecp256k1", value: Buffer.from(alice.pubkey).toString("base64") };
  const { sequence } = await client.getSequence(alice.address);
  const release = messages.execute(alice.address, instances[1].address, { release: {} });
  const any = { typeUrl: release.typeUrl, value: MsgExecuteContract.encode(MsgExecuteContract.fromPartial(release.value)).finish() };
  const { gasInfo, result } = await queries.tx.simulate([any], "memo", pubkey, sequence);
  assert.ok(gasInfo.gasUsed > 0n);
  assert.equal(result.events.find(({ type }) => type === "wasm").attributes[1].key, "action");
});

test("addresses are those that others have worked out", async () => {
  // The first three contracts of a chain's first code, under the prefix `wasm`.
  assert.equal(instances[0].address, "wasm14hj2tavq8fpesdwxxcu44rty3hh90vhujrvcmstl4zr3txmfvw9s0phg4d");
  assert.equal(instances[1].address, "wasm1suhgf5svhu4usrurvxzlgn54ksxmn8gljarjtxqnapv8kjnp4nrss5maay");
  assert.equal(instances[2].address, "wasm1yyca08xqdgvjz0psg56z67ejh9xms6l436u8y58m82npdqqhmmtqas0cl7");
  const bytes = Buffer.from("1da6c16de2cbaf7ad8cbb66f0925ba33f5c278cb2491762d04658c1480ea229b", "hex");
  const creator = "purple1nxvenxve42424242hwamhwamenxvenxvhxf2py";
  const promised = instantiate2Address(bytes, creator, Buffer.from("61", "hex"), "purple");
  assert.equal(promised, "purple1h9wyvusc6sy2p7fsgmez0dhvullpsyel7vq38k6d9fa7ehlv59qsvnyh36");
  assert.ok(instances[0].address.startsWith(PREFIX));
});

// What CosmJS's specs say of `SigningCosmWasmClient`, said anew: each case for a signer of protobuf and for one of amino JSON.
// Delegations are refused here, because there is no staking (stargate.test.mjs).
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { SigningCosmWasmClient, createWasmAminoConverters, instantiate2Address } from "@cosmjs/cosmwasm-stargate";
import { Registry, decodeTxRaw } from "@cosmjs/proto-signing";
import {
  AminoTypes,
  assertIsDeliverTxFailure,
  assertIsDeliverTxSuccess,
  calculateFee,
  coin,
  coins,
  createDefaultAminoConverters,
  defaultRegistryTypes,
  isDeliverTxSuccess,
} from "@cosmjs/stargate";

import { CHAIN, DENOM, PREFIX, STAKE, attribute, fate, fees, gasPrice, hackatom, messages, nobody, open, options, sleep, utf8 } from "./chain.mjs";
import { PATIENCE } from "./patience.mjs";
import { AccessType, AuthInfo, MsgExecuteContract, MsgSend, SignMode, TxBody, TxRaw } from "./types.mjs";

const wasm = hackatom();
const checksum = createHash("sha256").update(wasm).digest("hex");

/** @type {Awaited<ReturnType<typeof open>>} */
let chain;
const people = {};
let shared;

before(async () => {
  chain = await open();
  for (const person of chain.people) people[person.mode] = person;
  const { address, client } = people.direct;
  shared = (await client.upload(address, wasm, fees.upload)).codeId;
});

after(() => chain?.close());

/** A contract of a person's, with what it is owed. */
async function escrow({ address, client }, settings = {}) {
  const beneficiary = nobody();
  const made = await client.instantiate(address, shared, { verifier: address, beneficiary }, "escrow", fees.instantiate, settings);
  return { ...made, contract: made.contractAddress, beneficiary };
}

/** What an owner does who raises the fee and writes another memo before she signs. */
function changing(wallet) {
  const fee = { amount: coins(7_777, DENOM), gas: "222222" };
  const signDirect = async (address, doc) => {
    const body = TxBody.decode(doc.bodyBytes);
    const info = AuthInfo.decode(doc.authInfoBytes);
    body.memo = "This was changed";
    info.fee.amount = [...fee.amount];
    info.fee.gasLimit = BigInt(fee.gas);
    const changed = { ...doc, bodyBytes: TxBody.encode(body).finish(), authInfoBytes: AuthInfo.encode(info).finish() };
    return wallet.signDirect(address, changed);
  };
  const signAmino = (address, doc) => wallet.signAmino(address, { ...doc, fee, memo: "This was changed" });
  const getAccounts = () => wallet.getAccounts();
  return wallet.signDirect ? { getAccounts, signDirect } : { getAccounts, signAmino };
}

const positive = ({ height, gasWanted, gasUsed, transactionHash }) => {
  assert.ok(height > 0 && gasUsed > 0n && gasWanted >= gasUsed);
  assert.match(transactionHash, /^[0-9A-F]{64}$/);
};

for (const mode of ["direct", "amino"]) {
  describe(`signed in ${mode} mode`, () => {
    let me, address, client;
    before(() => {
      me = people[mode];
      ({ address, client } = me);
    });

    test("connects with types of its own", async () => {
      const registry = new Registry(defaultRegistryTypes);
      registry.register("/custom.MsgCustom", MsgSend);
      const custom = await SigningCosmWasmClient.connectWithSigner(chain.node.rpc, me.wallet, { ...options, registry });
      assert.equal(custom.registry.lookupType("/custom.MsgCustom"), MsgSend);
      await assert.rejects(
        custom.signAndBroadcast(address, [{ typeUrl: "/custom.MsgCustom", value: messages.send(address, address, []).value }], fees.send),
        mode === "direct" ? /unrecognized message type|unable to resolve/i : /does not exist in the Amino message type register/,
      );
      custom.disconnect();
    });

    test("simulates within what wasmd takes", async () => {
      const { contract } = await escrow(me);
      const gas = await client.simulate(address, [messages.execute(address, contract, { release: {} })], "Go go go");
      assert.ok(gas >= 70_000 && gas <= 140_000, `${gas}`);
    });

    test("uploads", async () => {
      const result = await client.upload(address, wasm, fees.upload);
      assert.deepEqual([result.checksum, result.originalSize], [checksum, wasm.length]);
      assert.ok(result.compressedSize < wasm.length / 2 && result.codeId > shared);
      positive(result);
    });

    test("uploads for one address, for everybody, for nobody", async () => {
      const stranger = nobody();
      for (const [permission, addresses, allowed] of [
        [AccessType.ACCESS_TYPE_ANY_OF_ADDRESSES, [address], true],
        [AccessType.ACCESS_TYPE_ANY_OF_ADDRESSES, [stranger], false],
        [AccessType.ACCESS_TYPE_EVERYBODY, [], true],
        [AccessType.ACCESS_TYPE_NOBODY, [], false],
      ]) {
        const uploading = client.upload(address, wasm, fees.upload, "test memo", { permission, addresses });
        const { codeId } = await uploading;
        const making = client.instantiate(address, codeId, { verifier: address, beneficiary: stranger }, "label", fees.instantiate);
        if (allowed) await making;
        else await assert.rejects(making, /can not instantiate: unauthorized/);
      }
    });

    test("instantiates with coins", async () => {
      const funds = [coin(1234, DENOM), coin(321, STAKE)];
      const made = await escrow(me, { memo: "Let's see if the memo is used", funds });
      assert.deepEqual([await client.getBalance(made.contract, DENOM), await client.getBalance(made.contract, STAKE)], funds);
      const { tx } = await client.getTx(made.transactionHash);
      assert.equal(decodeTxRaw(tx).body.memo, "Let's see if the memo is used");
      positive(made);
    });

    test("instantiates with an admin", async () => {
      const admin = nobody();
      const { contract } = await escrow(me, { admin });
      assert.equal((await client.getContract(contract)).admin, admin);
    });

    test("instantiates one code many times", async () => {
      const made = [await escrow(me), await escrow(me), await escrow(me)];
      assert.equal(new Set(made.map(({ contract }) => contract)).size, 3);
    });

    test("instantiates at an address that was known before", async () => {
      for (const admin of [undefined, nobody()]) {
        const salt = randomBytes(64);
        const expected = instantiate2Address(createHash("sha256").update(wasm).digest(), address, salt, PREFIX);
        const funds = [coin(1234, DENOM), coin(321, STAKE)];
        const msg = { verifier: address, beneficiary: nobody() };
        const made = await client.instantiate2(address, shared, salt, msg, "My cool label--", fees.instantiate, { memo: "memo", funds, admin });
        assert.equal(made.contractAddress, expected);
        assert.deepEqual([await client.getBalance(expected, DENOM), await client.getBalance(expected, STAKE)], funds);
        assert.equal((await client.getContract(expected)).admin, admin);
        await assert.rejects(
          client.instantiate2(address, shared, salt, msg, "again", fees.instantiate),
          /duplicate|already exists/,
        );
      }
    });

    test("updates an admin", async () => {
      const { contract } = await escrow(me, { admin: address });
      const next = nobody();
      positive(await client.updateAdmin(address, contract, next, fees.admin));
      assert.equal((await client.getContract(contract)).admin, next);
    });

    test("clears an admin", async () => {
      const { contract } = await escrow(me, { admin: address });
      positive(await client.clearAdmin(address, contract, fees.admin));
      assert.equal((await client.getContract(contract)).admin, undefined);
    });

    test("migrates", async () => {
      const { contract } = await escrow(me, { admin: address });
      const before = await client.getContract(contract);
      const { codeId } = await client.upload(address, wasm, fees.upload);
      const verifier = nobody();
      positive(await client.migrate(address, contract, codeId, { verifier }, fees.migrate));
      assert.deepEqual(await client.getContract(contract), { ...before, codeId });
      assert.deepEqual(await client.queryContractSmart(contract, { verifier: {} }), { verifier });
      const history = await client.getContractCodeHistory(contract);
      assert.deepEqual(history.map((entry) => [entry.operation, entry.codeId]), [["Init", shared], ["Migrate", codeId]]);
    });

    test("executes, and coins move", async () => {
      const funds = [coin(233_444, DENOM), coin(5_454, STAKE)];
      const { contract, beneficiary } = await escrow(me, { funds });
      const result = await client.execute(address, contract, { release: {} }, fees.execute);
      positive(result);
      assert.equal(attribute(result.events, "wasm", "_contract_address"), contract);
      assert.equal(attribute(result.events, "wasm", "action"), "release");
      assert.equal(attribute(result.events, "wasm", "destination"), beneficiary);
      assert.deepEqual([await client.getBalance(beneficiary, DENOM), await client.getBalance(beneficiary, STAKE)], funds);
      assert.deepEqual(await client.getBalance(contract, DENOM), coin(0, DENOM));
    });

    test("executes with coins sent along", async () => {
      const { contract, beneficiary } = await escrow(me);
      await client.execute(address, contract, { release: {} }, fees.execute, "with coins", [coin(11, DENOM), coin(7, STAKE)]);
      assert.deepEqual(await client.getBalance(beneficiary, STAKE), coin(7, STAKE));
    });

    test("executes several contracts at once", async () => {
      const funds = coins(99, DENOM);
      const both = [await escrow(me, { funds }), await escrow(me, { funds })];
      const calls = both.map(({ contract }) => ({ contractAddress: contract, msg: { release: {} } }));
      const { events } = await client.executeMultiple(address, calls, "auto");
      const said = events.filter(({ type }) => type === "wasm");
      assert.deepEqual(said.map(({ attributes }) => attributes.find(({ key }) => key === "destination").value), both.map(({ beneficiary }) => beneficiary));
      assert.deepEqual(said.map(({ attributes }) => attributes.find(({ key }) => key === "msg_index").value), ["0", "1"]);
    });

    test("sends coins", async () => {
      const recipient = nobody();
      const before = await client.getBalance(recipient, DENOM);
      assert.equal(before.amount, "0");
      const result = await client.sendTokens(address, recipient, coins(7_890, DENOM), fees.send, "for dinner");
      assertIsDeliverTxSuccess(result);
      assert.throws(() => assertIsDeliverTxFailure(result), /did not fail/);
      assert.equal(result.rawLog, "");
      assert.deepEqual(await client.getBalance(recipient, DENOM), coin(7_890, DENOM));
    });

    test("sends several coins to several accounts", async () => {
      const [one, two] = [nobody(), nobody()];
      const amount = [coin(5, DENOM), coin(6, STAKE)];
      const sends = [messages.send(address, one, amount), messages.send(address, two, amount)];
      assertIsDeliverTxSuccess(await client.signAndBroadcast(address, sends, "auto"));
      for (const account of [one, two]) assert.equal((await client.getBalance(account, STAKE)).amount, "6");
    });

    test("signs and broadcasts with a fee, with the gas that a simulation says, with a factor of it", async () => {
      const { contract } = await escrow(me);
      const release = messages.execute(address, contract, { release: {} });
      for (const fee of [fees.execute, "auto", 1.6]) {
        const result = await client.signAndBroadcast(address, [release], fee, "memo");
        assertIsDeliverTxSuccess(result);
        assert.ok(isDeliverTxSuccess(result) && result.gasUsed <= result.gasWanted);
      }
    });

    test("signs what its owner has changed", async () => {
      const wallet = changing(me.wallet);
      const modifying = await SigningCosmWasmClient.connectWithSigner(chain.node.rpc, wallet, options);
      const result = await modifying.signAndBroadcast(address, [messages.send(address, nobody(), coins(3, DENOM))], fees.send, "as asked");
      assertIsDeliverTxSuccess(result);
      const { tx } = await modifying.getTx(result.transactionHash);
      const { body, authInfo } = decodeTxRaw(tx);
      assert.equal(body.memo, "This was changed");
      assert.deepEqual(authInfo.fee.amount.map((coin) => ({ ...coin })), coins(7_777, DENOM));
      assert.equal(authInfo.fee.gasLimit, 222_222n);
      modifying.disconnect();
    });

    test("signs in the mode that its signer has", async () => {
      const signed = await client.sign(address, [messages.send(address, nobody(), coins(3, DENOM))], fees.send, "memo");
      const [info] = AuthInfo.decode(signed.authInfoBytes).signerInfos;
      assert.equal(info.modeInfo.single.mode, mode === "direct" ? SignMode.SIGN_MODE_DIRECT : SignMode.SIGN_MODE_LEGACY_AMINO_JSON);
      assertIsDeliverTxSuccess(await client.broadcastTx(TxRaw.encode(signed).finish(), PATIENCE, 50));
    });

    test("signs for a height that is to come, and for one that is past", async () => {
      const send = messages.send(address, nobody(), coins(3, DENOM));
      const height = await client.getHeight();
      const late = await client.sign(address, [send], fees.send, "memo", undefined, BigInt(height + 50));
      assert.equal(TxBody.decode(late.bodyBytes).timeoutHeight, BigInt(height + 50));
      assertIsDeliverTxSuccess(await client.broadcastTx(TxRaw.encode(late).finish(), PATIENCE, 50));
      const past = client.signAndBroadcast(address, [send], fees.send, "memo", BigInt(height - 1));
      const { where, code, codespace } = await fate(chain.comet, past);
      assert.deepEqual([where, codespace, code], ["check", "sdk", 30]);
    });

    test("broadcasts without waiting, and finds it later", async () => {
      const recipient = nobody();
      const hash = await client.signAndBroadcastSync(address, [messages.send(address, recipient, coins(44, DENOM))], fees.send, "memo");
      let found;
      for (let i = 0; !found && i < 1_000; i++) {
        await sleep(50);
        found = await client.getTx(hash);
      }
      assert.equal(found.code, 0);
      assert.equal((await client.getBalance(recipient, DENOM)).amount, "44");
    });

    test("signs without a network what another client sends", async () => {
      const offline = await SigningCosmWasmClient.offline(me.wallet, options);
      await assert.rejects(offline.getHeight(), /offline/);
      const signer = { ...(await client.getSequence(address)), chainId: CHAIN };
      const signed = await offline.sign(address, [messages.send(address, nobody(), coins(3, DENOM))], fees.send, "", signer);
      assertIsDeliverTxSuccess(await client.broadcastTx(TxRaw.encode(signed).finish(), PATIENCE, 50));
    });

    test("signs every character that JSON escapes", async () => {
      const memo = "ampersand:&,lt:<,gt:>,quote:\",back:\\,line:\n,umlaut:ü,star:✱";
      const result = await client.signAndBroadcast(address, [messages.send(address, nobody(), coins(1, DENOM))], fees.send, memo);
      assertIsDeliverTxSuccess(result);
      assert.equal(decodeTxRaw((await client.getTx(result.transactionHash)).tx).body.memo, memo);
    });

    test("takes a message of another library's encoder", async () => {
      // The same wire as MsgSend, by a type that nobody but this client knows.
      const custom = { encode: (value) => MsgSend.encode(value), decode: (bytes) => MsgSend.decode(bytes), fromPartial: (value) => MsgSend.fromPartial(value) };
      const registry = new Registry([["/cosmos.bank.v1beta1.MsgSend", custom]]);
      const converter = {
        aminoType: "cosmos-sdk/MsgSend",
        toAmino: ({ fromAddress, toAddress, amount }) => ({ amount: [...amount], from_address: fromAddress, to_address: toAddress }),
        fromAmino: ({ from_address, to_address, amount }) => ({ fromAddress: from_address, toAddress: to_address, amount: [...amount] }),
      };
      const aminoTypes = new AminoTypes({ "/cosmos.bank.v1beta1.MsgSend": converter });
      const other = await SigningCosmWasmClient.connectWithSigner(chain.node.rpc, me.wallet, { ...options, registry, aminoTypes });
      const recipient = nobody();
      assertIsDeliverTxSuccess(await other.signAndBroadcast(address, [messages.send(address, recipient, coins(8, DENOM))], fees.send));
      assert.equal((await client.getBalance(recipient, DENOM)).amount, "8");
      other.disconnect();
    });

    test("messages of several modules in one transaction", async () => {
      const { contract, beneficiary } = await escrow(me, { admin: address });
      const aminoTypes = new AminoTypes({ ...createDefaultAminoConverters(), ...createWasmAminoConverters() });
      const other = await SigningCosmWasmClient.connectWithSigner(chain.node.rpc, me.wallet, { ...options, aminoTypes });
      const several = [
        messages.send(address, contract, coins(20, STAKE)),
        messages.execute(address, contract, { release: {} }, coins(3, STAKE)),
        messages.migrate(address, contract, shared, { verifier: nobody() }),
        messages.newAdmin(address, contract, nobody()),
      ];
      const result = await other.signAndBroadcast(address, several, calculateFee(1_000_000, gasPrice), "several");
      assertIsDeliverTxSuccess(result);
      assert.deepEqual(
        result.msgResponses.map(({ typeUrl }) => typeUrl),
        several.map(({ typeUrl }) => `${typeUrl}Response`),
      );
      assert.equal((await client.getBalance(beneficiary, STAKE)).amount, "23");
      other.disconnect();
    });

    test("a message with spaces in it", async () => {
      const { contract } = await escrow(me);
      const value = MsgExecuteContract.fromPartial({ sender: address, contract, msg: utf8('{ "release" : { } }'), funds: [] });
      const execute = { typeUrl: "/cosmwasm.wasm.v1.MsgExecuteContract", value };
      assertIsDeliverTxSuccess(await client.signAndBroadcast(address, [execute], fees.execute));
    });
  });
}

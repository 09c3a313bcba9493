// What is refused, where, with which number and in which words, for a signer of protobuf and for one of amino JSON. Numbers
// and words are wasmd's and the SDK's: clients look for them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { toBech32 } from "@cosmjs/encoding";
import { calculateFee, coin, coins } from "@cosmjs/stargate";

import { CHAIN, DENOM, FUNDS, STAKE, fate, fees, gasPrice, hackatom, json, messages, nobody, open, utf8 } from "./chain.mjs";
import { PATIENCE } from "./patience.mjs";
import { AccessType, MsgExecuteContract, TxRaw } from "./types.mjs";

const wasm = hackatom();

/** @type {Awaited<ReturnType<typeof open>>} */
let chain;
const people = {};
/** The code, a contract whose verifier is nobody here, and one that an admin may migrate. */
let codeId, locked, managed;

before(async () => {
  chain = await open();
  for (const person of chain.people) people[person.mode] = person;
  const { address, client } = people.direct;
  codeId = (await client.upload(address, wasm, fees.upload)).codeId;
  await people.amino.client.sendTokens(people.amino.address, address, coins(1, DENOM), fees.send);
  const make = async (label, admin) => {
    const msg = { verifier: nobody(), beneficiary: nobody() };
    return (await client.instantiate(address, codeId, msg, label, fees.instantiate, { admin })).contractAddress;
  };
  [locked, managed] = [await make("locked"), await make("managed", nobody())];
});

after(() => chain?.close());

const raw = (message, value) => ({ ...message, value: { ...message.value, ...value } });
const send = (from, amount = coins(1, DENOM), to = nobody()) => messages.send(from, to, amount);
const good = () => ({ verifier: nobody(), beneficiary: nobody() });

/**
 * What is refused: where (by the mempool, `check`, or in a block, `block`), by which codespace and code, with which words, and the
 * messages of the account at hand. `fee` and the signer's data as CosmJS finds them out may be changed.
 */
const REFUSED = [
  ["a sequence that is too high", "check", "sdk", 32, /account sequence mismatch, expected \d+, got \d+: incorrect account sequence/, {
    messages: (address) => [send(address)],
    signer: (data) => ({ ...data, sequence: data.sequence + 1 }),
  }],
  ["a sequence that was used", "check", "sdk", 32, /account sequence mismatch, expected \d+, got \d+: incorrect account sequence/, {
    messages: (address) => [send(address)],
    signer: (data) => ({ ...data, sequence: data.sequence - 1 }),
  }],
  ["another chain's name", "check", "sdk", 4, /signature verification failed; please verify .*chain-id/, {
    messages: (address) => [send(address)],
    signer: (data) => ({ ...data, chainId: `${CHAIN}-2` }),
  }],
  ["another account's number", "check", "sdk", 4, /signature verification failed; please verify account number/, {
    messages: (address) => [send(address)],
    signer: (data) => ({ ...data, accountNumber: data.accountNumber + 1 }),
  }],
  ["a fee that is too low", "check", "sdk", 13, new RegExp(`insufficient fees; got: 1${DENOM} required: \\d+${DENOM}`), {
    messages: (address) => [send(address)],
    fee: { amount: coins(1, DENOM), gas: "200000" },
  }],
  ["a fee in another coin", "check", "sdk", 13, new RegExp(`insufficient fees; got: 9000${STAKE} required: \\d+${DENOM}`), {
    messages: (address) => [send(address)],
    fee: { amount: coins(9_000, STAKE), gas: "200000" },
  }],
  ["a fee that the account cannot pay", "check", "sdk", 5, /insufficient funds/, {
    messages: (address) => [send(address)],
    fee: { amount: coins(`${FUNDS}0`, DENOM), gas: "200000" },
  }],
  ["too little gas for the signature", "check", "sdk", 11, /out of gas/, {
    messages: (address) => [send(address)],
    fee: { amount: coins(500, DENOM), gas: "1000" },
  }],
  ["too little gas for the message", "block", "sdk", 11, /out of gas/, {
    messages: (address) => [messages.execute(address, locked, { cpu_loop: {} })],
    fee: calculateFee(400_000, gasPrice),
  }],
  ["a loop of writes without gas", "block", "sdk", 11, /out of gas/, {
    messages: (address) => [messages.execute(address, locked, { storage_loop: {} })],
    fee: calculateFee(400_000, gasPrice),
  }],
  ["more coins than there are", "block", "sdk", 5, /spendable balance \d+ustake is smaller than \d+ustake: insufficient funds/, {
    messages: (address) => [send(address, coins(`${FUNDS}0`, STAKE))],
  }],
  ["coins that nobody has", "block", "sdk", 5, /insufficient funds/, { messages: (address) => [send(address, coins(1, "unothing"))] }],
  ["no coins", "check", "sdk", 10, /invalid coins/, { messages: (address) => [send(address, coins(0, DENOM))] }],
  ["coins out of order", "check", "sdk", 10, /invalid coins/, {
    messages: (address) => [send(address, [coin(1, STAKE), coin(1, DENOM)])],
  }],
  ["the same coin twice", "check", "sdk", 10, /invalid coins/, {
    messages: (address) => [send(address, [coin(1, DENOM), coin(1, DENOM)])],
  }],
  ["an address that is none", "check", "sdk", 7, /invalid (to|recipient) address/, {
    messages: (address) => [send(address, coins(1, DENOM), "wasm1notanaddress")],
  }],
  ["an address of another chain", "check", "sdk", 7, /invalid (to|recipient) address/, {
    messages: (address) => [send(address, coins(1, DENOM), toBech32("cosmos", new Uint8Array(20)))],
  }],
  ["a memo that is too long", "check", "sdk", 12, /maximum number of characters is 256 but received 257 characters: memo too large/, {
    messages: (address) => [send(address)],
    memo: "m".repeat(257),
  }],
  ["a height that is past", "check", "sdk", 30, /tx timeout height/, { messages: (address) => [send(address)], timeout: 1n }],
  ["somebody else's coins", "check", "sdk", 8, /pubKey does not match signer address/, {
    messages: (address) => [send(address === people.direct.address ? people.amino.address : people.direct.address)],
  }],
  ["code that is no wasm", "block", "wasm", 2, /create wasm contract failed/, {
    messages: (address) => [messages.upload(address, utf8("this is no wasm"))],
    fee: fees.upload,
  }],
  ["wasm without an interface", "block", "wasm", 2, /create wasm contract failed/, {
    messages: (address) => [messages.upload(address, new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))],
    fee: fees.upload,
  }],
  ["no code at all", "check", "sdk", 18, /code bytes empty/, { messages: (address) => [messages.upload(address, new Uint8Array())] }],
  ["a contract of a code that there is not", "block", "wasm", 28, /code id 4711: no such code/, {
    messages: (address) => [messages.instantiate(address, 4711, good(), "label")],
  }],
  ["a code of number 0", "check", "sdk", 18, /code id is required/, {
    messages: (address) => [messages.instantiate(address, 0, good(), "label")],
  }],
  ["a label that is empty", "check", "wasm", 12, /label/, { messages: (address) => [messages.instantiate(address, codeId, good(), "")] }],
  ["a label that is too long", "check", "wasm", 13, /label/, {
    messages: (address) => [messages.instantiate(address, codeId, good(), "l".repeat(129))],
  }],
  ["a label with a space before it", "check", "wasm", 14, /label/, {
    messages: (address) => [messages.instantiate(address, codeId, good(), " label")],
  }],
  ["a first message that the contract cannot read", "block", "wasm", 4, /Error parsing into type hackatom::msg::InstantiateMsg: missing field `verifier`: instantiate wasm contract failed/, {
    messages: (address) => [messages.instantiate(address, codeId, {}, "label")],
  }],
  ["coins for a contract that the account does not have", "block", "sdk", 5, /insufficient funds/, {
    messages: (address) => [messages.instantiate(address, codeId, good(), "label", "", coins(`${FUNDS}0`, STAKE))],
  }],
  ["a contract that there is not", "block", "wasm", 22, /no such contract/, {
    messages: (address) => [messages.execute(address, nobody(), { release: {} })],
  }],
  ["a call that the contract does not know", "block", "wasm", 5, /Error parsing into type hackatom::msg::ExecuteMsg: unknown variant `nonsense`.*: execute wasm contract failed/, {
    messages: (address) => [messages.execute(address, locked, { nonsense: {} })],
  }],
  ["a call that the contract refuses", "block", "wasm", 5, /Unauthorized: execute wasm contract failed/, {
    messages: (address) => [messages.execute(address, locked, { release: {} })],
  }],
  ["a call in which the contract panics", "block", "wasm", 29, /This page intentionally faulted/, {
    messages: (address) => [messages.execute(address, locked, { panic: {} })],
  }],
  ["a migration by who is not the admin", "block", "sdk", 4, /can not migrate: unauthorized/, {
    messages: (address) => [messages.migrate(address, managed, codeId, { verifier: nobody() })],
  }],
  ["a migration of what has no admin", "block", "sdk", 4, /can not migrate: unauthorized/, {
    messages: (address) => [messages.migrate(address, locked, codeId, { verifier: nobody() })],
  }],
  ["a migration of what is no contract", "block", "sdk", 18, /unknown contract/, {
    messages: (address) => [messages.migrate(address, nobody(), codeId, {})],
  }],
  ["a new admin by who is not the admin", "block", "sdk", 4, /can not modify contract: unauthorized/, {
    messages: (address) => [messages.newAdmin(address, managed, nobody())],
  }],
  ["no more admin by who is not the admin", "block", "sdk", 4, /can not modify contract: unauthorized/, {
    messages: (address) => [messages.clearAdmin(address, managed)],
  }],
  ["two messages of which the second fails", "block", "sdk", 5, /failed to execute message; message index: 1: .*insufficient funds/, {
    messages: (address) => [send(address), send(address, coins(`${FUNDS}0`, STAKE))],
    fee: calculateFee(300_000, gasPrice),
  }],
];

for (const mode of ["direct", "amino"]) {
  describe(`refused in ${mode} mode`, () => {
    let me, address, client;
    before(() => {
      me = people[mode];
      ({ address, client } = me);
    });

    for (const [name, where, codespace, code, words, { messages: make, fee = fees.instantiate, memo = "", signer, timeout }] of REFUSED) {
      test(name, async () => {
        const before = await client.getSequence(address);
        const sending = async () => {
          const data = signer?.({ ...before, chainId: CHAIN });
          const signed = await client.sign(address, make(address), fee, memo, data, timeout);
          return client.broadcastTx(TxRaw.encode(signed).finish(), PATIENCE, 50);
        };
        const told = await fate(chain.comet, sending());
        assert.deepEqual([told.where, told.codespace, told.code], [where, codespace, code], told.log);
        assert.match(told.log, words);
        // What is refused by the mempool has cost nothing; what failed in a block has cost a sequence.
        const now = await client.getSequence(address);
        assert.equal(now.sequence - before.sequence, where === "block" ? 1 : 0);
      });
    }

    test("a message that is no JSON", async () => {
      const value = MsgExecuteContract.fromPartial({ sender: address, contract: locked, msg: utf8("no JSON"), funds: [] });
      const message = { typeUrl: "/cosmwasm.wasm.v1.MsgExecuteContract", value };
      // Amino JSON cannot even be written of it.
      if (mode === "amino") return assert.rejects(client.sign(address, [message], fees.execute, ""), /JSON/);
      const told = await fate(chain.comet, client.signAndBroadcast(address, [message], fees.execute));
      assert.deepEqual([told.where, told.codespace, told.code], ["check", "wasm", 14], told.log);
    });

    test("the same transaction a second time", async () => {
      const signed = TxRaw.encode(await client.sign(address, [send(address)], fees.send, "")).finish();
      assert.equal((await client.broadcastTx(signed, PATIENCE, 50)).code, 0);
      await assert.rejects(client.broadcastTxSync(signed), /tx already exists in cache|account sequence mismatch/);
    });

    test("a signature of another message", async () => {
      const one = await client.sign(address, [send(address)], fees.send, "one");
      const two = await client.sign(address, [send(address)], fees.send, "two");
      const mixed = TxRaw.encode({ ...one, signatures: two.signatures }).finish();
      const told = await fate(chain.comet, client.broadcastTx(mixed, PATIENCE, 50));
      assert.deepEqual([told.where, told.codespace, told.code], ["check", "sdk", 4], told.log);
    });

    test("no signature", async () => {
      const signed = await client.sign(address, [send(address)], fees.send, "");
      const told = await fate(chain.comet, client.broadcastTx(TxRaw.encode({ ...signed, signatures: [] }).finish(), PATIENCE, 50));
      assert.deepEqual([told.where, told.codespace, told.code], ["check", "sdk", 15], told.log);
    });

    test("by the client's own methods, in the words of the chain", async () => {
      await assert.rejects(client.execute(address, locked, { release: {} }, fees.execute), /Code: 5; Raw log: .*Unauthorized/);
      await assert.rejects(client.execute(address, locked, { release: {} }, "auto"), /Unauthorized: execute wasm contract failed/);
      await assert.rejects(client.migrate(address, managed, codeId, {}, fees.migrate), /Code: 4; Raw log: .*unauthorized/);
      await assert.rejects(client.upload(address, utf8("no wasm"), fees.upload), /create wasm contract failed/);
      await assert.rejects(client.simulate(address, [send(address, coins(`${FUNDS}0`, DENOM))], ""), /insufficient funds/);
    });

    test("by a code's permission", async () => {
      const permission = { permission: AccessType.ACCESS_TYPE_ANY_OF_ADDRESSES, addresses: [nobody()] };
      const stored = await client.upload(address, wasm, fees.upload, "", permission);
      const making = messages.instantiate(address, stored.codeId, good(), "label");
      const told = await fate(chain.comet, client.signAndBroadcast(address, [making], fees.instantiate));
      assert.deepEqual([told.where, told.codespace, told.code], ["block", "sdk", 4], told.log);
    });

    test("what failed is found with its number, its words and its fee", async () => {
      const before = BigInt((await client.getBalance(address, DENOM)).amount);
      const told = await fate(chain.comet, client.signAndBroadcast(address, [messages.execute(address, locked, { release: {} })], fees.execute));
      const found = await client.getTx(told.sent.transactionHash);
      assert.deepEqual([found.code, found.rawLog], [5, told.log]);
      assert.equal(before - BigInt((await client.getBalance(address, DENOM)).amount), BigInt(fees.execute.amount[0].amount));
      const by = await client.searchTx([{ key: "message.sender", value: address }]);
      assert.ok(by.some(({ hash }) => hash === found.hash), "who paid the fee is a sender");
      assert.ok(!found.events.some(({ type }) => type === "execute" || type === "wasm"), "nothing that was undone is told");
      assert.ok((await client.searchTx(`tx.height=${found.height}`)).some(({ hash }) => hash === found.hash));
    });
  });
}

test("bytes that are no transaction", async () => {
  const { client } = people.direct;
  const nothing = TxRaw.encode(TxRaw.fromPartial({ signatures: [new Uint8Array(64)] })).finish();
  for (const [bytes, code] of [[nothing, 18], [new Uint8Array([1, 2, 3]), 2], [json({ tx: 1 }), 2]]) {
    const told = await fate(chain.comet, client.broadcastTx(bytes, PATIENCE, 50));
    assert.deepEqual([told.where, told.codespace, told.code], ["check", "sdk", code], told.log);
  }
});

test("an account that nobody has sent anything to cannot sign", async () => {
  const { DirectSecp256k1HdWallet } = await import("@cosmjs/proto-signing");
  const { SigningCosmWasmClient } = await import("@cosmjs/cosmwasm-stargate");
  const wallet = await DirectSecp256k1HdWallet.generate(12, { prefix: "wasm" });
  const [{ address }] = await wallet.getAccounts();
  const client = await SigningCosmWasmClient.connectWithSigner(chain.node.rpc, wallet, { gasPrice });
  await assert.rejects(client.sendTokens(address, nobody(), coins(1, DENOM), fees.send), /does not exist on chain/);
  const signed = await client.sign(address, [send(address)], fees.send, "", { accountNumber: 99, sequence: 0, chainId: CHAIN });
  const told = await fate(chain.comet, client.broadcastTx(TxRaw.encode(signed).finish(), PATIENCE, 50));
  assert.deepEqual([told.where, told.codespace, told.code], ["check", "sdk", 9], told.log);
  client.disconnect();
});

// What the treasurers of a clinic do with CosmJS, unmodified: two of three sign for an account that is all of theirs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Secp256k1HdWallet, createMultisigThresholdPubkey, pubkeyToAddress } from "@cosmjs/amino";
import { SigningCosmWasmClient } from "@cosmjs/cosmwasm-stargate";
import { GasPrice, calculateFee, coins, makeMultisignedTxBytes } from "@cosmjs/stargate";

import { startNode } from "../node.mjs";
import { PATIENCE } from "./patience.mjs";

const chain = { prefix: "wasm", chainId: "testing", denom: "ucosm" };
const gasPrice = GasPrice.fromString(`0.025${chain.denom}`);
const fee = calculateFee(400_000, gasPrice);
const wasm = readFileSync(join(process.env.ACESO_CONTRACTS ?? "", "token.wasm"));

/** @type {Awaited<ReturnType<typeof startNode>>} */
let node;
/** @type {{ address: string, pubkey: import("@cosmjs/amino").Pubkey, client: SigningCosmWasmClient }[]} */
let members;
let key, account, token;

before(async () => {
  const wallets = await Promise.all([1, 2, 3].map(() => Secp256k1HdWallet.generate(12, { prefix: chain.prefix })));
  const accounts = await Promise.all(wallets.map(async (wallet) => (await wallet.getAccounts())[0]));
  const pubkeys = accounts.map(({ pubkey }) => ({
    type: "tendermint/PubKeySecp256k1",
    value: Buffer.from(pubkey).toString("base64"),
  }));
  key = createMultisigThresholdPubkey(pubkeys, 2);
  account = pubkeyToAddress(key, chain.prefix);
  const amount = `1000000000${chain.denom}`;
  node = await startNode({
    prefix: chain.prefix,
    "chain-id": chain.chainId,
    denom: chain.denom,
    fund: [`${accounts[0].address}=${amount}`, `${account}=${amount}`],
  });
  const options = { gasPrice, broadcastPollIntervalMs: 50, broadcastTimeoutMs: PATIENCE };
  members = await Promise.all(
    wallets.map(async (wallet, index) => ({
      address: accounts[index].address,
      pubkey: pubkeys[index],
      client: await SigningCosmWasmClient.connectWithSigner(node.rpc, wallet, options),
    })),
  );
  const [{ address, client }] = members;
  const { codeId } = await client.upload(address, new Uint8Array(wasm), "auto");
  const msg = { name: "test", initial_balances: [{ address: account, amount: "100" }] };
  token = (await client.instantiate(address, codeId, msg, "treasury", "auto")).contractAddress;
});

after(async () => {
  for (const { client } of members ?? []) client.disconnect();
  await node?.stop();
});

/** The signed transaction; `change` may spoil the members' signatures. */
async function signed(signers, message, change = (signature) => signature) {
  const [{ client }] = signers;
  const { accountNumber, sequence } = await client.getSequence(account);
  const data = { accountNumber, sequence, chainId: chain.chainId };
  const made = [];
  for (const { client, address } of signers) {
    made.push([address, await client.sign(address, [message], fee, "two of three", data)]);
  }
  const signatures = new Map(made.map(([address, { signatures }]) => [address, change(signatures[0])]));
  return makeMultisignedTxBytes(key, sequence, fee, made[0][1].bodyBytes, signatures);
}

const send = (recipient) => ({
  typeUrl: "/cosmos.bank.v1beta1.MsgSend",
  value: { fromAddress: account, toAddress: recipient, amount: coins(1234, chain.denom) },
});

test("two of three send coins", async () => {
  const [one, two, three] = members;
  for (const pair of [[one, two], [three, one]]) {
    const before = await one.client.getBalance(two.address, chain.denom);
    const result = await one.client.broadcastTx(await signed(pair, send(two.address)), PATIENCE, 50);
    assert.equal(result.code, 0, result.rawLog);
    const now = await one.client.getBalance(two.address, chain.denom);
    assert.equal(BigInt(now.amount) - BigInt(before.amount), 1234n);
  }
  const { pubkey, sequence } = await one.client.getAccount(account);
  assert.deepEqual(pubkey, key);
  assert.equal(sequence, 2);
});

test("two of three execute a contract", async () => {
  const [one, two] = members;
  const msg = new TextEncoder().encode(JSON.stringify({ transfer: { recipient: two.address, amount: "40" } }));
  const execute = {
    typeUrl: "/cosmwasm.wasm.v1.MsgExecuteContract",
    value: { sender: account, contract: token, msg, funds: [] },
  };
  const result = await one.client.broadcastTx(await signed([one, two], execute), PATIENCE, 50);
  assert.equal(result.code, 0, result.rawLog);
  assert.deepEqual(await one.client.queryContractSmart(token, { balance: { address: two.address } }), {
    balance: "40",
  });
});

test("one of three, and one who signs wrongly, are refused", async () => {
  const [one, two] = members;
  const refused = async (bytes) => {
    await assert.rejects(one.client.broadcastTx(bytes, PATIENCE, 50), (error) => {
      assert.equal(error.code, 4, error.message);
      assert.match(error.message, /signature verification failed; please verify account number/);
      return true;
    });
  };
  await refused(await signed([one], send(two.address)));
  const flipped = (signature) => signature.map((byte, index) => (index === 40 ? byte ^ 1 : byte));
  await refused(await signed([one, two], send(two.address), flipped));
});

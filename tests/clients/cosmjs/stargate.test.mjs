// `StargateClient`, `SigningStargateClient` and their query extensions, for what this chain has of the SDK: auth, bank, tx, authz,
// feegrant. It has no staking, distribution, gov, mint, slashing or IBC: validators are named by its authority. What is asked of
// those is refused as a path that is not known, their messages as ones that are not, and nothing of it looks like an answer.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { toBech32 } from "@cosmjs/encoding";
import {
  BroadcastTxError,
  QueryClient,
  SigningStargateClient,
  StargateClient,
  accountFromAny,
  assertIsDeliverTxSuccess,
  coin,
  coins,
  isDeliverTxFailure,
  setupAuthExtension,
  setupAuthzExtension,
  setupBankExtension,
  setupDistributionExtension,
  setupFeegrantExtension,
  setupGovExtension,
  setupIbcExtension,
  setupMintExtension,
  setupSlashingExtension,
  setupStakingExtension,
  setupTxExtension,
} from "@cosmjs/stargate";

import { CHAIN, DENOM, FUNDS, PREFIX, STAKE, fate, fees, messages, nobody, open, options, sleep } from "./chain.mjs";
import { PATIENCE } from "./patience.mjs";
import { BasicAllowance, TxRaw } from "./types.mjs";

/** @type {Awaited<ReturnType<typeof open>>} */
let chain;
let client, queries;
const people = {};
const operator = toBech32(`${PREFIX}valoper`, new Uint8Array(20).fill(7));

before(async () => {
  chain = await open();
  client = await StargateClient.connect(chain.node.rpc);
  for (const person of chain.people) {
    people[person.mode] = { ...person, client: await SigningStargateClient.connectWithSigner(chain.node.rpc, person.wallet, options) };
  }
  queries = QueryClient.withExtensions(chain.comet, setupAuthExtension, setupBankExtension, setupTxExtension, setupFeegrantExtension, setupAuthzExtension);
});

after(async () => {
  client?.disconnect();
  Object.values(people).forEach(({ client }) => client.disconnect());
  await chain?.close();
});

test("chain, height, block, account, sequence", async () => {
  const { address } = people.direct;
  assert.equal(await client.getChainId(), CHAIN);
  assert.ok((await client.getHeight()) > 0);
  assert.equal((await client.getBlock(1)).header.height, 1);
  const account = await client.getAccount(address);
  assert.deepEqual([account.address, account.sequence], [address, 0]);
  assert.deepEqual(await client.getSequence(address), { accountNumber: account.accountNumber, sequence: 0 });
  assert.equal(await client.getAccount(nobody()), null);
  await assert.rejects(client.getSequence(nobody()), /does not exist on chain/);
});

test("balances: one, all, none", async () => {
  const { address } = people.direct;
  assert.deepEqual(await client.getBalance(address, STAKE), coin(FUNDS, STAKE));
  assert.deepEqual(await client.getBalance(address, "gintonic"), coin(0, "gintonic"));
  assert.deepEqual(await client.getBalance(nobody(), DENOM), coin(0, DENOM));
  assert.deepEqual(await client.getAllBalances(address), [coin(FUNDS, DENOM), coin(FUNDS, STAKE)]);
  assert.deepEqual(await client.getAllBalances(nobody()), []);
});

test("auth: an account is an Any that CosmJS reads", async () => {
  const { address } = people.direct;
  const any = await queries.auth.account(address);
  assert.equal(any.typeUrl, "/cosmos.auth.v1beta1.BaseAccount");
  assert.equal(accountFromAny(any).address, address);
  await assert.rejects(queries.auth.account(nobody()), /account (.*) not found/i);
});

test("bank: balances, supply, metadata", async () => {
  const { address } = people.direct;
  assert.deepEqual(await queries.bank.balance(address, STAKE), coin(FUNDS, STAKE));
  assert.deepEqual(await queries.bank.allBalances(nobody()), []);
  const { supply } = await queries.bank.totalSupply();
  assert.deepEqual(supply.map(({ denom }) => denom), [DENOM, STAKE]);
  assert.deepEqual(await queries.bank.supplyOf(STAKE), coin(2n * BigInt(FUNDS) + "", STAKE));
  assert.deepEqual(await queries.bank.supplyOf("gintonic"), coin(0, "gintonic"));
  assert.equal((await queries.bank.denomMetadata(DENOM)).base, DENOM);
  await assert.rejects(queries.bank.denomMetadata("gintonic"), /not ?found/i);
  assert.ok((await queries.bank.denomsMetadata()).some(({ base }) => base === DENOM));
});

for (const mode of ["direct", "amino"]) {
  describe(`SigningStargateClient in ${mode} mode`, () => {
    let me, address, signing;
    before(() => {
      me = people[mode];
      [address, signing] = [me.address, me.client];
    });

    test("simulates", async () => {
      const gas = await signing.simulate(address, [messages.send(address, nobody(), coins(1, DENOM))], "memo");
      assert.ok(gas > 30_000 && gas < 200_000, `${gas}`);
    });

    test("sends coins, with a fee and with `auto`", async () => {
      for (const fee of [fees.send, "auto", 1.5]) {
        const recipient = nobody();
        const result = await signing.sendTokens(address, recipient, coins(7_890, DENOM), fee, "for dinner");
        assertIsDeliverTxSuccess(result);
        assert.equal(result.rawLog, "");
        assert.deepEqual(await client.getAllBalances(recipient), coins(7_890, DENOM));
      }
    });

    test("a failure in a block is an answer, and one before it an error", async () => {
      const failed = await signing.signAndBroadcast(address, [messages.send(address, nobody(), coins(`${FUNDS}0`, STAKE))], fees.send);
      assert.ok(isDeliverTxFailure(failed));
      assert.ok(failed.gasUsed > 0n && failed.height > 0);
      const cheap = signing.signAndBroadcast(address, [messages.send(address, nobody(), coins(1, DENOM))], { amount: [], gas: "100000" });
      await assert.rejects(cheap, (error) => error instanceof BroadcastTxError && error.code === 13 && error.codespace === "sdk");
    });

    test("a signature with another account's number is refused at once", async () => {
      const data = { ...(await client.getSequence(address)), chainId: CHAIN };
      const wrong = { ...data, accountNumber: data.accountNumber + 1 };
      const signed = await signing.sign(address, [messages.send(address, nobody(), coins(1, DENOM))], fees.send, "", wrong);
      await assert.rejects(client.broadcastTx(TxRaw.encode(signed).finish(), PATIENCE, 50), (error) => {
        assert.deepEqual([error.code, error.codespace], [4, "sdk"]);
        return true;
      });
    });

    test("several transactions in a row, without waiting for blocks", async () => {
      const recipient = nobody();
      const { accountNumber, sequence } = await client.getSequence(address);
      const hashes = [];
      for (let i = 0; i < 5; i++) {
        const data = { accountNumber, sequence: sequence + i, chainId: CHAIN };
        const signed = await signing.sign(address, [messages.send(address, recipient, coins(1, DENOM))], fees.send, `${i}`, data);
        hashes.push(await client.broadcastTxSync(TxRaw.encode(signed).finish()));
      }
      const found = async () => Promise.all(hashes.map((hash) => client.getTx(hash)));
      let txs = await found();
      for (let i = 0; i < 1_000 && txs.some((tx) => !tx); i++, txs = await found()) await sleep(50);
      assert.deepEqual(txs.map(({ code }) => code), [0, 0, 0, 0, 0]);
      assert.deepEqual(await client.getBalance(recipient, DENOM), coin(5, DENOM));
    });

    test("somebody else pays the fee", async () => {
      const other = people[mode === "direct" ? "amino" : "direct"];
      const allowance = {
        typeUrl: "/cosmos.feegrant.v1beta1.BasicAllowance",
        value: BasicAllowance.encode(BasicAllowance.fromPartial({ spendLimit: coins(1_000_000, DENOM) })).finish(),
      };
      // CosmJS has no amino JSON for allowances, so who signs protobuf gives and who signs amino takes, or it is not possible.
      if (mode === "direct") {
        const refused = other.client.signAndBroadcast(
          other.address,
          [{ typeUrl: "/cosmos.feegrant.v1beta1.MsgGrantAllowance", value: { granter: other.address, grantee: address, allowance } }],
          fees.send,
        );
        return assert.rejects(refused, /does not exist in the Amino message type register/);
      }
      const grant = { granter: other.address, grantee: address, allowance };
      assertIsDeliverTxSuccess(
        await other.client.signAndBroadcast(other.address, [{ typeUrl: "/cosmos.feegrant.v1beta1.MsgGrantAllowance", value: grant }], fees.send),
      );
      const { allowance: given } = await queries.feegrant.allowance(other.address, address);
      assert.deepEqual([given.granter, given.grantee], [other.address, address]);
      const before = await client.getBalance(other.address, DENOM);
      const fee = { ...fees.send, granter: other.address };
      assertIsDeliverTxSuccess(await signing.signAndBroadcast(address, [messages.send(address, nobody(), coins(1, STAKE))], fee));
      const after = await client.getBalance(other.address, DENOM);
      assert.equal(BigInt(before.amount) - BigInt(after.amount), BigInt(fee.amount[0].amount));
      assert.equal((await queries.feegrant.allowances(address)).allowances.length, 1);
    });

    test("delegations, undelegations and rewards are messages that the chain does not know", async () => {
      for (const sending of [
        () => signing.delegateTokens(address, operator, coin(1, STAKE), fees.send),
        () => signing.undelegateTokens(address, operator, coin(1, STAKE), fees.send),
        () => signing.withdrawRewards(address, operator, fees.send),
      ]) {
        const told = await fate(chain.comet, sending());
        assert.deepEqual([told.where, told.codespace, told.code], ["check", "sdk", 2], told.log);
        assert.match(told.log, /unable to resolve type URL/);
      }
      await assert.rejects(signing.delegateTokens(address, operator, coin(1, STAKE), "auto"), /unable to resolve type URL/);
    });
  });
}

test("what is asked of modules that are not here is refused by the name of the path", async () => {
  const others = QueryClient.withExtensions(
    chain.comet,
    setupStakingExtension,
    setupDistributionExtension,
    setupGovExtension,
    setupMintExtension,
    setupSlashingExtension,
    setupIbcExtension,
  );
  const { address } = people.direct;
  for (const asking of [
    () => client.getBalanceStaked(address),
    () => client.getDelegation(address, operator),
    () => others.staking.params(),
    () => others.staking.validators("BOND_STATUS_BONDED"),
    () => others.distribution.params(),
    () => others.gov.proposal(1),
    () => others.mint.params(),
    () => others.slashing.params(),
    () => others.ibc.channel.allChannels(),
  ]) {
    await assert.rejects(asking(), /unknown query path/);
  }
});

test("authorisations that were never given", async () => {
  const { direct, amino } = people;
  assert.deepEqual((await queries.authz.granterGrants(direct.address)).grants, []);
  await assert.rejects(queries.authz.grants(direct.address, amino.address, "/cosmos.bank.v1beta1.MsgSend"), /authorization not found/);
  await assert.rejects(queries.feegrant.allowance(direct.address, nobody()), /not found/);
});

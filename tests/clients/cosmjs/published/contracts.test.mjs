// Published contracts doing what they are for, driven by CosmJS: cw20-base, cw721-base, cw4-group, cw4-stake and
// cw3-flex-multisig, compiled from the crates of their authors. Nothing of theirs is kept here.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { coin, coins } from "@cosmjs/stargate";

import { DENOM, STAKE, attribute, nobody, open } from "../chain.mjs";

/** @type {Awaited<ReturnType<typeof open>>} */
let chain;
let alice, bob;
const codes = {};

before(async () => {
  chain = await open();
  [alice, bob] = chain.people;
  for (const name of ["cw20_base", "cw721_base", "cw4_group", "cw4_stake", "cw3_flex_multisig"]) {
    const wasm = new Uint8Array(readFileSync(join(process.env.ACESO_PUBLISHED ?? "", `${name}.wasm`)));
    codes[name] = (await alice.client.upload(alice.address, wasm, "auto")).codeId;
  }
});

after(() => chain?.close());

const make = async (name, msg, options = {}) => {
  const made = await alice.client.instantiate(alice.address, codes[name], msg, name, "auto", { admin: alice.address, ...options });
  return made.contractAddress;
};
const call = (who, contract, msg, funds = []) => who.client.execute(who.address, contract, msg, "auto", "", funds);
const ask = (contract, msg) => alice.client.queryContractSmart(contract, msg);
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64");

async function token(balances) {
  const initial_balances = Object.entries(balances).map(([address, amount]) => ({ address, amount }));
  return make("cw20_base", { name: "Token", symbol: "TOK", decimals: 6, initial_balances, mint: { minter: alice.address, cap: "2000" } });
}

describe("cw20-base", () => {
  let cw20;
  const balance = async (address) => (await ask(cw20, { balance: { address } })).balance;
  before(async () => {
    cw20 = await token({ [alice.address]: "1000" });
  });

  test("tells what it is", async () => {
    assert.deepEqual(await ask(cw20, { token_info: {} }), { name: "Token", symbol: "TOK", decimals: 6, total_supply: "1000" });
    assert.deepEqual(await ask(cw20, { minter: {} }), { minter: alice.address, cap: "2000" });
  });

  test("mints up to its cap, for its minter alone", async () => {
    await call(alice, cw20, { mint: { recipient: bob.address, amount: "500" } });
    assert.equal(await balance(bob.address), "500");
    await assert.rejects(call(alice, cw20, { mint: { recipient: bob.address, amount: "501" } }), /Minting cannot exceed the cap/);
    await assert.rejects(call(bob, cw20, { mint: { recipient: bob.address, amount: "1" } }), /Unauthorized/);
  });

  test("transfers and burns", async () => {
    const { events } = await call(bob, cw20, { transfer: { recipient: alice.address, amount: "100" } });
    assert.equal(attribute(events, "wasm", "action"), "transfer");
    assert.deepEqual([await balance(alice.address), await balance(bob.address)], ["1100", "400"]);
    await call(bob, cw20, { burn: { amount: "100" } });
    assert.equal((await ask(cw20, { token_info: {} })).total_supply, "1400");
    await assert.rejects(call(bob, cw20, { transfer: { recipient: alice.address, amount: "301" } }), /Cannot Sub/);
  });

  test("lets another spend an allowance, and no more", async () => {
    await call(alice, cw20, { increase_allowance: { spender: bob.address, amount: "60" } });
    await call(bob, cw20, { transfer_from: { owner: alice.address, recipient: bob.address, amount: "50" } });
    const { allowance } = await ask(cw20, { allowance: { owner: alice.address, spender: bob.address } });
    assert.equal(allowance, "10");
    await assert.rejects(call(bob, cw20, { transfer_from: { owner: alice.address, recipient: bob.address, amount: "11" } }), /Cannot Sub/);
    await call(alice, cw20, { decrease_allowance: { spender: bob.address, amount: "10" } });
    await assert.rejects(call(bob, cw20, { burn_from: { owner: alice.address, amount: "1" } }), /No allowance for this account/);
  });

  test("tells accounts and allowances by pages", async () => {
    const { accounts } = await ask(cw20, { all_accounts: { limit: 10 } });
    assert.deepEqual(accounts, [alice.address, bob.address].sort());
    assert.deepEqual((await ask(cw20, { all_accounts: { limit: 1, start_after: accounts[0] } })).accounts, [accounts[1]]);
    assert.deepEqual((await ask(cw20, { all_allowances: { owner: bob.address } })).allowances, []);
  });

  test("is migrated and keeps its balances", async () => {
    const before = await balance(alice.address);
    await alice.client.migrate(alice.address, cw20, codes.cw20_base, {}, "auto");
    assert.equal(await balance(alice.address), before);
  });
});

describe("cw4-stake, paid in cw20", () => {
  let cw20, stake;
  before(async () => {
    cw20 = await token({ [alice.address]: "1000", [bob.address]: "1000" });
    stake = await make("cw4_stake", {
      denom: { cw20: cw20 }, tokens_per_weight: "10", min_bond: "50", unbonding_period: { height: 1 }, admin: alice.address,
    });
  });

  test("tokens that are sent to it with a message make a member", async () => {
    const send = (who, amount) => call(who, cw20, { send: { contract: stake, amount, msg: base64({ bond: {} }) } });
    const { events } = await send(alice, "200");
    assert.equal(attribute(events.filter(({ attributes }) => attributes[0].value === stake), "wasm", "action"), "bond");
    await send(bob, "40");
    assert.deepEqual(await ask(stake, { member: { addr: alice.address } }), { weight: 20 });
    assert.deepEqual(await ask(stake, { member: { addr: bob.address } }), { weight: null });
    assert.equal((await ask(cw20, { balance: { address: stake } })).balance, "240");
  });

  test("a message that it does not know leaves the tokens where they were", async () => {
    await assert.rejects(call(alice, cw20, { send: { contract: stake, amount: "1", msg: base64({ nonsense: {} }) } }), /unknown variant/);
    assert.equal((await ask(cw20, { balance: { address: stake } })).balance, "240");
  });

  test("what is unbonded can be claimed a block later", async () => {
    await call(alice, stake, { unbond: { tokens: "100" } });
    assert.deepEqual(await ask(stake, { member: { addr: alice.address } }), { weight: 10 });
    assert.equal((await ask(stake, { claims: { address: alice.address } })).claims.length, 1);
    await alice.client.sendTokens(alice.address, nobody(), coins(1, DENOM), "auto");
    await call(alice, stake, { claim: {} });
    assert.equal((await ask(cw20, { balance: { address: alice.address } })).balance, "900");
    await assert.rejects(call(alice, stake, { claim: {} }), /No claims/);
  });
});

describe("cw721-base", () => {
  let nft;
  const owner = (token_id) => ask(nft, { owner_of: { token_id } });
  before(async () => {
    nft = await make("cw721_base", { name: "Images", symbol: "IMG", minter: alice.address });
  });

  test("mints, each number once", async () => {
    const mint = (token_id) => ({ mint: { token_id, owner: alice.address, token_uri: `ipfs://${token_id}`, extension: null } });
    for (const id of ["one", "two", "three"]) await call(alice, nft, mint(id));
    assert.deepEqual(await ask(nft, { num_tokens: {} }), { count: 3 });
    assert.deepEqual(await ask(nft, { nft_info: { token_id: "two" } }), { token_uri: "ipfs://two", extension: null });
    await assert.rejects(call(alice, nft, mint("one")), /token_id already claimed/);
    await assert.rejects(call(bob, nft, mint("four")), /Caller is not the contract's current owner/);
  });

  test("transfers, for its owner alone", async () => {
    await call(alice, nft, { transfer_nft: { recipient: bob.address, token_id: "one" } });
    assert.equal((await owner("one")).owner, bob.address);
    await assert.rejects(call(alice, nft, { transfer_nft: { recipient: alice.address, token_id: "one" } }), /Caller is not/);
  });

  test("lets another transfer what was approved", async () => {
    await call(alice, nft, { approve: { spender: bob.address, token_id: "two", expires: { never: {} } } });
    assert.deepEqual((await owner("two")).approvals, [{ spender: bob.address, expires: { never: {} } }]);
    await call(bob, nft, { transfer_nft: { recipient: bob.address, token_id: "two" } });
    assert.deepEqual(await owner("two"), { owner: bob.address, approvals: [] });
  });

  test("lets an operator transfer everything, until that is taken back", async () => {
    await call(bob, nft, { approve_all: { operator: alice.address } });
    await call(alice, nft, { transfer_nft: { recipient: alice.address, token_id: "one" } });
    await call(bob, nft, { revoke_all: { operator: alice.address } });
    await assert.rejects(call(alice, nft, { transfer_nft: { recipient: alice.address, token_id: "two" } }), /Caller is not/);
  });

  test("tells tokens by pages, and burns", async () => {
    assert.deepEqual((await ask(nft, { tokens: { owner: alice.address } })).tokens, ["one", "three"]);
    assert.deepEqual((await ask(nft, { all_tokens: { start_after: "one", limit: 1 } })).tokens, ["three"]);
    await call(alice, nft, { burn: { token_id: "three" } });
    await assert.rejects(owner("three"), /not found/);
  });
});

describe("cw4-group and cw3-flex-multisig", () => {
  let group, multisig, cw20;
  const propose = async (who, title, msgs) => {
    const { events } = await call(who, multisig, { propose: { title, description: title, msgs } });
    return Number(attribute(events, "wasm", "proposal_id"));
  };
  const status = async (proposal_id) => (await ask(multisig, { proposal: { proposal_id } })).status;
  before(async () => {
    const members = [{ addr: alice.address, weight: 2 }, { addr: bob.address, weight: 1 }];
    group = await make("cw4_group", { admin: alice.address, members });
    multisig = await make("cw3_flex_multisig", {
      group_addr: group,
      threshold: { absolute_count: { weight: 3 } },
      max_voting_period: { height: 100_000 },
      executor: null,
      proposal_deposit: null,
    });
    cw20 = await token({ [multisig]: "700" });
    await alice.client.sendTokens(alice.address, multisig, [coin(5_000, DENOM), coin(70, STAKE)], "auto");
  });

  test("members and their weights", async () => {
    assert.deepEqual(await ask(group, { total_weight: {} }), { weight: 3 });
    const { voters } = await ask(multisig, { list_voters: {} });
    assert.deepEqual(voters.map(({ weight }) => weight).sort(), [1, 2]);
    await assert.rejects(call(bob, group, { update_members: { add: [], remove: [alice.address] } }), /Caller is not admin/);
  });

  test("a proposal that has passed sends coins and calls a contract", async () => {
    const friend = nobody();
    const id = await propose(alice, "pay", [
      { bank: { send: { to_address: friend, amount: [{ denom: DENOM, amount: "1234" }, { denom: STAKE, amount: "7" }] } } },
      { wasm: { execute: { contract_addr: cw20, msg: base64({ transfer: { recipient: friend, amount: "55" } }), funds: [] } } },
    ]);
    assert.equal(await status(id), "open");
    await assert.rejects(call(alice, multisig, { execute: { proposal_id: id } }), /Proposal must have passed/);
    await call(bob, multisig, { vote: { proposal_id: id, vote: "yes" } });
    assert.equal(await status(id), "passed");
    await call(bob, multisig, { execute: { proposal_id: id } });
    assert.equal(await status(id), "executed");
    assert.deepEqual([await alice.client.getBalance(friend, DENOM), await alice.client.getBalance(friend, STAKE)], [coin(1234, DENOM), coin(7, STAKE)]);
    assert.deepEqual(await ask(cw20, { balance: { address: friend } }), { balance: "55" });
    await assert.rejects(call(bob, multisig, { execute: { proposal_id: id } }), /Proposal must have passed/);
  });

  test("votes: once each, members alone", async () => {
    const id = await propose(bob, "nothing", []);
    await assert.rejects(call(bob, multisig, { vote: { proposal_id: id, vote: "no" } }), /Already voted/);
    await call(alice, multisig, { vote: { proposal_id: id, vote: "no" } });
    assert.equal(await status(id), "rejected");
    const { votes } = await ask(multisig, { list_votes: { proposal_id: id } });
    assert.deepEqual(votes.map(({ vote }) => vote).sort(), ["no", "yes"]);
    await assert.rejects(call(bob, multisig, { close: { proposal_id: id } }), /Cannot close completed or passed proposals/);
  });

  test("a proposal whose message fails undoes all of it and stays passed", async () => {
    const friend = nobody();
    const id = await propose(alice, "too much", [
      { bank: { send: { to_address: friend, amount: [{ denom: DENOM, amount: "1" }] } } },
      { bank: { send: { to_address: friend, amount: [{ denom: DENOM, amount: "1000000" }] } } },
    ]);
    await call(bob, multisig, { vote: { proposal_id: id, vote: "yes" } });
    await assert.rejects(call(bob, multisig, { execute: { proposal_id: id } }), /insufficient funds/);
    assert.deepEqual(await alice.client.getBalance(friend, DENOM), coin(0, DENOM));
    assert.equal(await status(id), "passed");
  });

  test("the multisig becomes the group's admin and changes its own members", async () => {
    await call(alice, group, { add_hook: { addr: multisig } });
    await call(alice, group, { update_admin: { admin: multisig } });
    const newcomer = nobody();
    const change = { update_members: { add: [{ addr: newcomer, weight: 5 }], remove: [] } };
    const id = await propose(alice, "a newcomer", [{ wasm: { execute: { contract_addr: group, msg: base64(change), funds: [] } } }]);
    await call(bob, multisig, { vote: { proposal_id: id, vote: "yes" } });
    await call(bob, multisig, { execute: { proposal_id: id } });
    assert.deepEqual(await ask(group, { member: { addr: newcomer } }), { weight: 5 });
    assert.deepEqual(await ask(group, { total_weight: {} }), { weight: 8 });
    // Whoever asks about an earlier height hears of the weights then.
    const { height } = await call(alice, cw20, { mint: { recipient: alice.address, amount: "1" } });
    assert.deepEqual(await ask(group, { member: { addr: newcomer, at_height: height } }), { weight: 5 });
    assert.deepEqual(await ask(group, { member: { addr: newcomer, at_height: 1 } }), { weight: null });
  });
});

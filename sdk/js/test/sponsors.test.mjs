// Who pays: allowances read as the chain writes them, a transaction that names who pays, and records' accounts from the store.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { BaseAccount } from "cosmjs-types/cosmos/auth/v1beta1/auth";
import { QueryAccountResponse } from "cosmjs-types/cosmos/auth/v1beta1/query";
import { QueryBalanceResponse } from "cosmjs-types/cosmos/bank/v1beta1/query";
import { AllowedMsgAllowance, BasicAllowance, PeriodicAllowance } from "cosmjs-types/cosmos/feegrant/v1beta1/feegrant";
import { QueryAllowancesResponse } from "cosmjs-types/cosmos/feegrant/v1beta1/query";
import { SimulateResponse } from "cosmjs-types/cosmos/tx/v1beta1/service";
import { AuthInfo, TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";

import * as sdk from "../dist/index.js";

const read = (url) => readFileSync(new URL(url, import.meta.url));
const verifier = await sdk.Verifier.load(read("../dist/verify.wasm"));

const coin = (amount) => [{ denom: "uaceso", amount: String(amount) }];
const any = (codec, value) => ({ typeUrl: codec.typeUrl, value: codec.encode(codec.fromPartial(value)).finish() });
const basic = (limit, seconds) =>
  any(BasicAllowance, {
    spendLimit: limit === undefined ? [] : coin(limit),
    ...(seconds === undefined ? {} : { expiration: { seconds: BigInt(seconds), nanos: 0 } }),
  });
const row = (allowance, granter = "aceso1h") => ({ granter, grantee: "aceso1r", allowance });

test("an allowance pays while it holds, for what it names, and as much as is left", () => {
  const paid = (allowance, fee = 5n) => {
    const one = sdk.sponsorOf(row(allowance), "uaceso");
    return one && sdk.pays(one, fee, 100, ["/a", "/b"]);
  };
  const filter = (inner, allowedMessages) => any(AllowedMsgAllowance, { allowance: inner, allowedMessages });
  assert.deepEqual([paid(basic(5)), paid(basic(4)), paid(basic()), paid(basic(0), 0n)], [true, false, true, false]);
  assert.deepEqual([paid(basic(5, 100)), paid(basic(5, 99))], [true, false]);
  assert.deepEqual([paid(filter(basic(5), ["/b", "/a"])), paid(filter(basic(5), ["/a"]))], [true, false]);
  assert.equal(paid(any(PeriodicAllowance, { periodSpendLimit: coin(1) })), true);
  assert.equal(paid(any(BasicAllowance, { spendLimit: [{ denom: "ubtc", amount: "9" }] })), false);
  // What is not known here pays nothing here.
  assert.equal(paid(filter(filter(basic(5), ["/a"]), ["/a", "/b"])), undefined);
  assert.equal(paid({ typeUrl: "/other", value: new Uint8Array() }), undefined);
  assert.equal(paid({ ...basic(5), value: new Uint8Array([10, 9, 1]) }), undefined);
  assert.equal(sdk.sponsorOf({ ...row(basic(5)), allowance: undefined }, "uaceso"), undefined);
});

test("what waits for an image gets its name, and keeps key and account", () => {
  const store = verifier.stores.create();
  const { nonce, account } = store.next();
  store.add("account:1", nonce);
  const [key, address] = [store.key("account:1"), account.address("aceso")];
  assert.throws(() => store.rename("account:2", "bafyone"), sdk.StoreError);
  store.rename("account:1", "bafyone");
  assert.deepEqual([store.images, store.version, store.erased], [["bafyone"], 3n, 0]);
  assert.deepEqual([store.key("bafyone"), store.account("bafyone").address("aceso")], [key, address]);
  store.add("bafytwo");
  assert.throws(() => store.rename("bafyone", "bafytwo"), sdk.StoreError);
  assert.notEqual(store.account("bafytwo").address("aceso"), address);
});

/** A node that knows one account, and remembers what was sent. */
const node = { allowances: [], balance: "0", sent: [], gas: 100_000n };
let server, url;
before(async () => {
  const answers = {
    "/cosmos.auth.v1beta1.Query/Account": () =>
      QueryAccountResponse.encode({ account: any(BaseAccount, { accountNumber: 7n, sequence: 3n }) }),
    "/cosmos.bank.v1beta1.Query/Balance": () => QueryBalanceResponse.encode({ balance: { denom: "uaceso", amount: node.balance } }),
    "/cosmos.feegrant.v1beta1.Query/Allowances": () => QueryAllowancesResponse.encode({ allowances: node.allowances }),
    "/cosmos.tx.v1beta1.Service/Simulate": () => SimulateResponse.encode({ gasInfo: { gasWanted: 0n, gasUsed: node.gas } }),
  };
  const results = {
    genesis: () => ({ genesis: { chain_id: "c-1", app_state: { prefix: "aceso", denom: "uaceso", params: { min_gas_price_micro: 25_000 }, proof_spec: null } } }),
    abci_query: ({ path }) => ({ response: { code: 0, value: Buffer.from(answers[path]().finish()).toString("base64") } }),
    broadcast_tx_sync: ({ tx }) => (node.sent.push(Buffer.from(tx, "base64")), { code: 0, hash: "H" }),
    tx: () => ({ height: "9", tx_result: { code: 0, gas_used: "1", events: [], data: "" } }),
  };
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      const { method, params, id } = JSON.parse(body);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ jsonrpc: "2.0", id, result: results[method](params) }));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

test("a transaction names who pays: a sponsor whose allowance covers it, else the account, else nobody", async () => {
  const key = await sdk.Key.fromWords(sdk.Key.newWords());
  const main = await sdk.connect({ rpc: url, rest: url, verifier, key });
  const store = verifier.stores.create();
  store.add("bafyone");
  const own = await main.as(store.account("bafyone"));
  assert.ok(own.address !== main.address && own.chain.id === main.chain.id);
  assert.equal((await own.as(key)).address, main.address);
  const fee = async (...more) => {
    await own.revokeSealed("aceso1r", 1n, ...more);
    const raw = TxRaw.decode(node.sent.at(-1));
    const auth = AuthInfo.decode(raw.authInfoBytes);
    assert.deepEqual(Buffer.from(raw.signatures[0]).length, 64);
    return [auth.fee.granter, auth.fee.amount[0].amount, auth.signerInfos[0].sequence];
  };
  // 100,000 gas with 40 % on top, 0.025 each.
  node.allowances = [row(basic(3_499), "aceso1poor"), row(basic(9_999, 1), "aceso1over"), row(basic(3_500), "aceso1h")];
  assert.deepEqual(await fee(), ["aceso1h", "3500", 3n]);
  node.allowances = [row(basic(3_499), "aceso1poor")];
  await assert.rejects(fee(), new RegExp(`Nobody pays the fee of 3500uaceso for account ${own.address}: it needs a sponsor, or coins\\.`));
  assert.equal(node.sent.length, 1, "nothing is sent that nobody pays for");
  node.balance = "3500";
  assert.deepEqual(await fee(), ["", "3500", 3n]);

  // Its coins find their way back: all of them on a sponsor's fee, else without what it costs.
  assert.equal(await own.collect(main.address).catch((error) => error.message), `Account ${own.address} has 3500uaceso, which is less than a transfer costs.`);
  node.balance = "9000";
  assert.equal(await own.collect(main.address), 4_000n);
  node.allowances = [row(basic(), "aceso1h")];
  assert.equal(await own.collect(main.address), 9_000n);
  assert.equal(AuthInfo.decode(TxRaw.decode(node.sent.at(-1)).authInfoBytes).fee.granter, "aceso1h");

  // One transaction for each, in the order of their letters.
  const before = node.sent.length;
  await main.sponsorFees(["aceso1z", "aceso1a", "aceso1z"], 5n);
  const named = node.sent.slice(before).map((tx) => ["aceso1a", "aceso1z"].filter((one) => tx.includes(one)));
  assert.deepEqual(named, [["aceso1a"], ["aceso1z"]]);
});

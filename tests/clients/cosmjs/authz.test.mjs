// What one account lets another send for it, with CosmJS unmodified: direct, and in amino JSON, for whose authorisations
// CosmJS leaves the converters to its users.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Secp256k1HdWallet } from "@cosmjs/amino";
import { SigningCosmWasmClient } from "@cosmjs/cosmwasm-stargate";
import { DirectSecp256k1HdWallet } from "@cosmjs/proto-signing";
import { AminoTypes, GasPrice, QueryClient, calculateFee, coins, createDefaultAminoConverters, setupAuthzExtension } from "@cosmjs/stargate";

import { startNode } from "../node.mjs";
import { PATIENCE } from "./patience.mjs";
import {
  AcceptedMessageKeysFilter,
  ContractExecutionAuthorization,
  GenericAuthorization,
  MaxCallsLimit,
  MsgExecResponse,
  MsgExecuteContract,
  MsgSend,
  SendAuthorization,
} from "./types.mjs";

const chain = { prefix: "wasm", "chain-id": "testing", denom: "ucosm" };
const gasPrice = GasPrice.fromString(`0.025${chain.denom}`);
const wasm = readFileSync(join(process.env.ACESO_CONTRACTS ?? "", "token.wasm"));
const SEND = "/cosmos.bank.v1beta1.MsgSend";
const EXECUTE = "/cosmwasm.wasm.v1.MsgExecuteContract";
const utf8 = (text) => new TextEncoder().encode(text);

/** @type {Awaited<ReturnType<typeof startNode>>} */
let node;
let direct, amino, queries, alice, bob, token;

/** Authorisations as a Ledger shows them. */
const shown = {
  "/cosmos.authz.v1beta1.GenericAuthorization": (value) => ({ type: "cosmos-sdk/GenericAuthorization", value: GenericAuthorization.decode(value) }),
  "/cosmos.bank.v1beta1.SendAuthorization": (value) => {
    const { spendLimit, allowList } = SendAuthorization.decode(value);
    return { type: "cosmos-sdk/SendAuthorization", value: { spend_limit: spendLimit, allow_list: allowList.length ? allowList : undefined } };
  },
  "/cosmwasm.wasm.v1.ContractExecutionAuthorization": (value) => {
    const grants = ContractExecutionAuthorization.decode(value).grants.map(({ contract, limit, filter }) => ({
      contract,
      limit: { type: "wasm/MaxCallsLimit", value: { remaining: MaxCallsLimit.decode(limit.value).remaining.toString() } },
      filter: { type: "wasm/AcceptedMessageKeysFilter", value: AcceptedMessageKeysFilter.decode(filter.value) },
    }));
    return { type: "wasm/ContractExecutionAuthorization", value: { grants } };
  },
};

const callShown = ({ msg, ...rest }) => ({ ...rest, msg: JSON.parse(new TextDecoder().decode(msg)) });

/** The converters go one way: what was signed is what was sent. */
function converters(types) {
  const sent = new Map();
  const remember = (value, doc) => (sent.set(JSON.stringify(doc), value), doc);
  const fromAmino = (doc) => sent.get(JSON.stringify(doc));
  const date = ({ seconds }) => new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z");
  return {
    "/cosmos.authz.v1beta1.MsgGrant": {
      aminoType: "cosmos-sdk/MsgGrant",
      toAmino: (value) => {
        const { authorization, expiration } = value.grant;
        const grant = { authorization: shown[authorization.typeUrl](authorization.value), expiration: expiration && date(expiration) };
        return remember(value, { granter: value.granter, grantee: value.grantee, grant });
      },
      fromAmino,
    },
    "/cosmos.authz.v1beta1.MsgRevoke": {
      aminoType: "cosmos-sdk/MsgRevoke",
      toAmino: (value) => remember(value, { granter: value.granter, grantee: value.grantee, msg_type_url: value.msgTypeUrl }),
      fromAmino,
    },
    "/cosmos.authz.v1beta1.MsgExec": {
      aminoType: "cosmos-sdk/MsgExec",
      toAmino: (value) => {
        const decode = { [SEND]: MsgSend, [EXECUTE]: MsgExecuteContract };
        const msgs = value.msgs.map(({ typeUrl, value }) => types.toAmino({ typeUrl, value: decode[typeUrl].decode(value) }));
        return remember(value, { grantee: value.grantee, msgs });
      },
      fromAmino,
    },
  };
}

before(async () => {
  const wallets = [
    await DirectSecp256k1HdWallet.generate(24, { prefix: chain.prefix }),
    await Secp256k1HdWallet.generate(12, { prefix: chain.prefix }),
  ];
  [alice, bob] = (await Promise.all(wallets.map((wallet) => wallet.getAccounts()))).map(([{ address }]) => address);
  node = await startNode({ ...chain, fund: [alice, bob].map((address) => `${address}=1000000000${chain.denom}`) });
  const known = { ...createDefaultAminoConverters(), [EXECUTE]: { aminoType: "wasm/MsgExecuteContract", toAmino: callShown } };
  const options = {
    gasPrice,
    broadcastPollIntervalMs: 50,
    broadcastTimeoutMs: PATIENCE,
    aminoTypes: new AminoTypes({ ...known, ...converters(new AminoTypes(known)) }),
  };
  [direct, amino] = await Promise.all(wallets.map((wallet) => SigningCosmWasmClient.connectWithSigner(node.rpc, wallet, options)));
  queries = QueryClient.withExtensions(direct.forceGetCometClient(), setupAuthzExtension).authz;
  const { codeId } = await direct.upload(alice, new Uint8Array(wasm), "auto");
  const initial = { name: "test", initial_balances: [{ address: alice, amount: "100" }, { address: bob, amount: "100" }] };
  token = (await direct.instantiate(alice, codeId, initial, "token", "auto")).contractAddress;
});

after(async () => {
  [direct, amino].forEach((client) => client?.disconnect());
  await node?.stop();
});

const grant = (granter, grantee, typeUrl, value, expiration) => ({
  typeUrl: "/cosmos.authz.v1beta1.MsgGrant",
  value: { granter, grantee, grant: { authorization: { typeUrl, value }, expiration } },
});
const exec = (grantee, typeUrl, value) => ({ typeUrl: "/cosmos.authz.v1beta1.MsgExec", value: { grantee, msgs: [{ typeUrl, value }] } });
const send = (from, to, amount) => MsgSend.encode({ fromAddress: from, toAddress: to, amount: coins(amount, chain.denom) }).finish();
const call = (sender, msg) => MsgExecuteContract.encode(MsgExecuteContract.fromPartial({ sender, contract: token, msg: utf8(JSON.stringify(msg)) })).finish();
const fee = calculateFee(400_000, gasPrice);

async function sent(client, address, message, ok = true) {
  const result = await client.signAndBroadcast(address, [message], fee, "memo <&>");
  assert.equal(result.code === 0, ok, result.rawLog);
  return result;
}

/** Both ways: the granter's client and account, then the grantee's. */
const ways = () => [
  ["direct to amino", direct, alice, amino, bob],
  ["amino to direct", amino, bob, direct, alice],
];

test("coins are sent for another within a limit, until that is taken back", async () => {
  for (const [way, hers, granter, his, grantee] of ways()) {
    const authorization = SendAuthorization.encode({ spendLimit: coins(100, chain.denom), allowList: [] }).finish();
    const end = { seconds: 1_999_999_999n, nanos: 0 };
    await sent(hers, granter, grant(granter, grantee, "/cosmos.bank.v1beta1.SendAuthorization", authorization, end));
    const result = await sent(his, grantee, exec(grantee, SEND, send(granter, grantee, 40)));
    assert.equal(MsgExecResponse.decode(result.msgResponses[0].value).results.length, 1, way);
    const { grants: [left] } = await queries.grants(granter, grantee, SEND);
    assert.deepEqual(SendAuthorization.decode(left.authorization.value).spendLimit, coins(60, chain.denom));
    assert.equal(left.expiration.seconds, end.seconds);
    const refused = await sent(his, grantee, exec(grantee, SEND, send(granter, grantee, 61)), false);
    assert.match(refused.rawLog, /requested amount is more than spend limit: insufficient funds/);
    assert.equal((await queries.granterGrants(granter)).grants[0].grantee, grantee);
    assert.equal((await queries.granteeGrants(grantee)).grants[0].granter, granter);
    await sent(hers, granter, { typeUrl: "/cosmos.authz.v1beta1.MsgRevoke", value: { granter, grantee, msgTypeUrl: SEND } });
    await assert.rejects(queries.grants(granter, grantee, SEND), /authorization not found/);
    const gone = await sent(his, grantee, exec(grantee, SEND, send(granter, grantee, 1)), false);
    assert.match(gone.rawLog, /authorization not found/);
  }
});

test("a contract is called for another, with what was named and as often", async () => {
  for (const [way, hers, granter, his, grantee] of ways()) {
    const limit = { typeUrl: "/cosmwasm.wasm.v1.MaxCallsLimit", value: MaxCallsLimit.encode({ remaining: 1n }).finish() };
    const filter = {
      typeUrl: "/cosmwasm.wasm.v1.AcceptedMessageKeysFilter",
      value: AcceptedMessageKeysFilter.encode({ keys: ["transfer"] }).finish(),
    };
    const authorization = ContractExecutionAuthorization.encode({ grants: [{ contract: token, limit, filter }] }).finish();
    await sent(hers, granter, grant(granter, grantee, "/cosmwasm.wasm.v1.ContractExecutionAuthorization", authorization));
    const other = await sent(his, grantee, exec(grantee, EXECUTE, call(granter, { burn: { amount: "1" } })), false);
    assert.match(other.rawLog, /unauthorized/, way);
    const { balance } = await hers.queryContractSmart(token, { balance: { address: granter } });
    const transfer = { transfer: { recipient: grantee, amount: "7" } };
    await sent(his, grantee, exec(grantee, EXECUTE, call(granter, transfer)));
    assert.deepEqual(await hers.queryContractSmart(token, { balance: { address: granter } }), { balance: `${balance - 7}` });
    const gone = await sent(his, grantee, exec(grantee, EXECUTE, call(granter, transfer)), false);
    assert.match(gone.rawLog, /authorization not found/);
  }
});

test("what people say of their records is theirs alone to say", async () => {
  for (const [way, hers, granter, , grantee] of ways()) {
    const value = GenericAuthorization.encode({ msg: "/aceso.reads.v1.MsgGrant" }).finish();
    const message = grant(granter, grantee, "/cosmos.authz.v1beta1.GenericAuthorization", value);
    // The mempool does not take it.
    await assert.rejects(hers.signAndBroadcast(granter, [message], fee, ""), /nobody else may send it/, way);
  }
});

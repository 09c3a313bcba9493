// `Comet38Client`, `Tendermint37Client` and what carries them: single requests, batches, a websocket with subscriptions. After
// CosmJS's specs of its RPC clients, with transactions of this chain in the place of a key-value store's.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { SigningCosmWasmClient } from "@cosmjs/cosmwasm-stargate";
import { assertIsDeliverTxSuccess, coins } from "@cosmjs/stargate";
import { Comet38Client, HttpBatchClient, HttpClient, Tendermint37Client, WebsocketClient, comet38 } from "@cosmjs/tendermint-rpc";

import { CHAIN, DENOM, attribute, fees, hex, messages, nobody, open, options, sleep, utf8 } from "./chain.mjs";
import { PATIENCE } from "./patience.mjs";
import { TxRaw } from "./types.mjs";

/** @type {Awaited<ReturnType<typeof open>>} */
let chain;
let alice;
/** Recipient of three transactions, and these, in their order. */
const recipient = nobody();
const three = [];

before(async () => {
  // Blocks go on by themselves, as under CometBFT.
  chain = await open({ "empty-blocks": "200" });
  [alice] = chain.people;
  for (let i = 0; i < 3; i++) three.push(await chain.comet.broadcastTxCommit({ tx: await transfer(recipient) }));
});

after(() => chain?.close());

/** Alice's next transaction, signed: one of the smallest coin to an account. */
async function transfer(to = nobody()) {
  const memo = randomBytes(6).toString("hex");
  return TxRaw.encode(await alice.client.sign(alice.address, [messages.send(alice.address, to, coins(1, DENOM))], fees.send, memo)).finish();
}

/** CosmJS's websocket connects again after it was told to disconnect, and Node.js would wait for it for ever. */
function leave(client) {
  const { socket } = client.client;
  if (socket) socket.socket.reconnect = () => {};
  client.disconnect();
}

const carriers = {
  HttpClient: () => new HttpClient(chain.node.rpc),
  HttpBatchClient: () => new HttpBatchClient(chain.node.rpc, { dispatchInterval: 5 }),
  WebsocketClient: () => new WebsocketClient(chain.node.rpc.replace("http", "ws")),
};

for (const [name, carrier] of Object.entries(carriers)) {
  describe(`Comet38Client over ${name}`, () => {
    let client;
    before(async () => {
      client = await Comet38Client.create(carrier());
    });
    after(() => leave(client));

    test("abci_info, genesis, health", async () => {
      const info = await client.abciInfo();
      assert.ok(info.lastBlockHeight >= 3 && info.lastBlockAppHash.length === 32);
      const genesis = await client.genesis();
      assert.equal(genesis.chainId, CHAIN);
      assert.ok(genesis.validators.length === 1 && genesis.consensusParams.block.maxBytes > 0 && genesis.appState);
      assert.equal(await client.health(), null);
    });

    test("status", async () => {
      const { nodeInfo, syncInfo, validatorInfo } = await client.status();
      assert.match(nodeInfo.version, /^0\.38\./);
      assert.equal(nodeInfo.network, CHAIN);
      assert.ok(nodeInfo.protocolVersion.p2p > 0 && nodeInfo.protocolVersion.block === 11 && nodeInfo.protocolVersion.app >= 0);
      assert.equal(nodeInfo.other.get("tx_index"), "on");
      assert.equal(syncInfo.catchingUp, false);
      assert.ok(syncInfo.latestBlockHeight >= 3 && syncInfo.earliestBlockHeight === 1);
      assert.ok(syncInfo.earliestBlockTime <= syncInfo.latestBlockTime);
      assert.ok(validatorInfo.votingPower > 0n && validatorInfo.pubkey.algorithm === "ed25519");
    });

    test("broadcast_tx_commit, _sync and _async answer with the hash that the client works out", async () => {
      const hash = (tx) => createHash("sha256").update(tx).digest("hex");
      let tx = await transfer();
      const committed = await client.broadcastTxCommit({ tx });
      assert.equal(hex(committed.hash), hash(tx));
      assert.ok(comet38.broadcastTxCommitSuccess(committed) && committed.height > 3);
      tx = await transfer();
      const checked = await client.broadcastTxSync({ tx });
      assert.equal(hex(checked.hash), hash(tx));
      assert.ok(comet38.broadcastTxSyncSuccess(checked));
      while (!(await client.txSearch({ query: `tx.hash='${hex(checked.hash).toUpperCase()}'` })).txs.length) await sleep(30);
      tx = await transfer();
      const thrown = await client.broadcastTxAsync({ tx });
      assert.equal(hex(thrown.hash), hash(tx));
      while (!(await client.txSearch({ query: `tx.hash='${hex(thrown.hash).toUpperCase()}'` })).txs.length) await sleep(30);
    });

    test("a broadcast that is refused", async () => {
      const refused = await client.broadcastTxSync({ tx: utf8("no transaction") });
      assert.deepEqual([refused.code, refused.codespace], [2, "sdk"]);
      const commit = await client.broadcastTxCommit({ tx: utf8("none again") });
      assert.equal(commit.checkTx.code, 2);
      assert.ok(!comet38.broadcastTxCommitSuccess(commit));
    });

    test("abci_query: a value with its proof, an unknown path", async () => {
      const path = "/cosmos.bank.v1beta1.Query/Balance";
      const answer = await client.abciQuery({ path, data: new Uint8Array(), prove: false });
      assert.ok(answer.code !== 0 && answer.log.length > 0 && answer.height > 0);
      const unknown = await client.abciQuery({ path: "/nothing/here", data: new Uint8Array() });
      assert.deepEqual([unknown.code, unknown.codespace], [6, "sdk"]);
      assert.match(unknown.log, /unknown query path/);
      const proven = await client.abciQuery({ path: "/store/accounts/key", data: utf8("nothing"), prove: true });
      assert.equal(proven.code, 0, proven.log);
      assert.ok(proven.proof.ops.length >= 2);
    });

    test("a block by its height, its commit, its results", async () => {
      const { height, hash, txResult, deliverTx } = three[1];
      const { block, blockId } = await client.block(height);
      assert.equal(block.header.height, height);
      assert.equal(createHash("sha256").update(block.txs[0]).digest("hex"), hex(hash));
      const { commit, header, canonical } = await client.commit(height);
      assert.equal(hex(commit.blockId.hash), hex(blockId.hash));
      assert.equal(hex(header.appHash), hex(block.header.appHash));
      assert.ok(canonical);
      const [signature] = commit.signatures;
      assert.deepEqual([signature.blockIdFlag, signature.validatorAddress.length, signature.signature.length], [2, 20, 64]);
      assert.ok(signature.timestamp instanceof Date);
      const results = await client.blockResults(height);
      assert.deepEqual([results.height, results.results.length], [height, 1]);
      assert.equal(results.results[0].gasUsed, (txResult ?? deliverTx).gasUsed);
      assert.deepEqual(results.validatorUpdates, []);
    });

    test("validators, and all of them", async () => {
      for (const { validators, count, total, blockHeight } of [await client.validators({}), await client.validatorsAll()]) {
        assert.deepEqual([validators.length, count, total], [1, 1, 1]);
        assert.ok(blockHeight > 0 && validators[0].address.length === 20 && validators[0].pubkey && validators[0].votingPower > 0n);
      }
      assert.equal((await client.validatorsAll(1)).blockHeight, 1);
    });

    test("num_unconfirmed_txs", async () => {
      const { total, totalBytes } = await client.numUnconfirmedTxs();
      assert.ok(total >= 0 && totalBytes >= 0);
    });

    test("blockchain, by heights, newest first", async () => {
      const height = (await client.status()).syncInfo.latestBlockHeight;
      const latest = await client.blockchain();
      assert.ok(latest.lastHeight >= height && latest.blockMetas[0].header.height === latest.lastHeight);
      const heights = ({ blockMetas }) => blockMetas.map(({ header }) => header.height);
      assert.deepEqual(heights(await client.blockchain(undefined, height - 1)).slice(0, 2), [height - 1, height - 2]);
      assert.deepEqual(heights(await client.blockchain(height - 2, height - 1)), [height - 1, height - 2]);
      const future = await client.blockchain(undefined, height + 10_000);
      assert.equal(future.blockMetas[0].header.height, future.lastHeight);
      const [meta] = (await client.blockchain(three[0].height, three[0].height)).blockMetas;
      assert.deepEqual([meta.numTxs, meta.header.chainId, meta.blockId.hash.length], [1, CHAIN, 32]);
      assert.ok(meta.blockSize > 0);
    });

    test("tx, with its proof", async () => {
      const [{ hash, height }] = three;
      const found = await client.tx({ hash, prove: true });
      assert.deepEqual([hex(found.hash), found.height, found.index, found.result.code], [hex(hash), height, 0, 0]);
      const { block } = await client.block(height);
      assert.equal(hex(found.proof.rootHash), hex(block.header.dataHash));
      assert.equal(hex(block.txs[0]), hex(found.tx));
      await assert.rejects(client.tx({ hash: new Uint8Array(32) }), /not found/);
    });

    test("tx_search: one by its hash, many by what they did, in both orders, by pages", async () => {
      const one = await client.txSearch({ query: `tx.hash='${hex(three[0].hash)}'` });
      assert.deepEqual([one.totalCount, hex(one.txs[0].hash), one.txs[0].height], [1, hex(three[0].hash), three[0].height]);
      const query = `transfer.recipient='${recipient}'`;
      const hashes = ({ txs }) => txs.map(({ hash }) => hex(hash));
      const all = three.map(({ hash }) => hex(hash));
      assert.deepEqual(hashes(await client.txSearch({ query })), all);
      assert.deepEqual(hashes(await client.txSearch({ query, order_by: "asc" })), all);
      assert.deepEqual(hashes(await client.txSearch({ query, order_by: "desc" })), all.toReversed());
      const pages = [await client.txSearch({ query, page: 1, per_page: 2 }), await client.txSearch({ query, page: 2, per_page: 2 })];
      assert.deepEqual(pages.map(({ totalCount, txs }) => [totalCount, txs.length]), [[3, 2], [3, 1]]);
      const searched = await client.txSearchAll({ query, per_page: 2 });
      assert.deepEqual([searched.totalCount, ...hashes(searched)], [3, ...all]);
      assert.equal((await client.txSearch({ query: "transfer.recipient='nobody'" })).totalCount, 0);
      await assert.rejects(client.txSearch({ query: "this is no query" }));
      await assert.rejects(client.txSearch({ query, page: 9 }), /page should be within/);
    });

    test("block_search, by pages", async () => {
      const query = "block.height >= 1 AND block.height <= 3";
      const pages = [await client.blockSearch({ query, page: 1, per_page: 2 }), await client.blockSearch({ query, page: 2, per_page: 2 })];
      assert.deepEqual(pages.map(({ totalCount, blocks }) => [totalCount, blocks.length]), [[3, 2], [3, 1]]);
      const all = await client.blockSearchAll({ query, per_page: 2 });
      assert.deepEqual(all.blocks.map(({ block }) => block.header.height), [1, 2, 3]);
    });

    test("a signing client over it", async () => {
      const signing = await SigningCosmWasmClient.createWithSigner(client, alice.wallet, options);
      assert.equal(await signing.getChainId(), CHAIN);
      const to = nobody();
      assertIsDeliverTxSuccess(await signing.sendTokens(alice.address, to, coins(9, DENOM), "auto"));
      assert.equal((await signing.getBalance(to, DENOM)).amount, "9");
    });

    test("several questions at once", async () => {
      const heights = [1, 2, 3, 1, 2, 3, 1, 2, 3, 1];
      const blocks = await Promise.all(heights.map((height) => client.block(height)));
      assert.deepEqual(blocks.map(({ block }) => block.header.height), heights);
      await assert.rejects(client.block(1_000_000), /must be less than or equal to/);
    });
  });
}

/** The first `count` events of a stream, and whatever else `meanwhile` answers. */
async function first(count, stream, meanwhile = async () => {}) {
  const events = [];
  let done, failed, subscription;
  const enough = new Promise((resolve, reject) => ([done, failed] = [resolve, reject]));
  subscription = stream.subscribe({
    next: (event) => events.push(event) === count && done(),
    error: failed,
    complete: () => failed(new Error("the stream ended")),
  });
  const timer = setTimeout(() => failed(new Error(`${events.length} of ${count} events`)), PATIENCE);
  try {
    const [, answer] = await Promise.all([enough, meanwhile()]);
    return [events, answer];
  } finally {
    clearTimeout(timer);
    subscription.unsubscribe();
  }
}

describe("subscriptions", () => {
  let client;
  before(async () => {
    client = await Comet38Client.connect(chain.node.rpc.replace("http", "ws"));
  });
  after(() => leave(client));

  test("headers of new blocks", async () => {
    const [[one, two]] = await first(2, client.subscribeNewBlockHeader());
    assert.deepEqual([one.chainId, two.height], [CHAIN, one.height + 1]);
    assert.ok(two.time > one.time && hex(two.lastBlockId.hash) !== hex(one.lastBlockId.hash));
    for (const name of ["appHash", "dataHash", "validatorsHash", "nextValidatorsHash", "consensusHash", "lastResultsHash", "evidenceHash"]) {
      assert.equal(one[name].length, 32, name);
    }
    assert.equal(one.proposerAddress.length, 20);
  });

  test("new blocks, with their transactions", async () => {
    const tx = await transfer();
    const [events] = await first(3, client.subscribeNewBlock(), () => client.broadcastTxCommit({ tx }));
    assert.ok(events.every(({ header, lastCommit }, i) => header.height === events[0].header.height + i && lastCommit.signatures.length === 1));
    assert.ok(events.flatMap(({ txs }) => txs).some((bytes) => hex(bytes) === hex(tx)));
  });

  test("transactions, all of them", async () => {
    const tx = await transfer();
    const [[event], committed] = await first(1, client.subscribeTx(), () => client.broadcastTxCommit({ tx }));
    assert.deepEqual([hex(event.tx), event.height, event.result.code], [hex(tx), committed.height, 0]);
    assert.equal(attribute(event.result.events, "transfer", "amount"), `${fees.send.amount[0].amount}${DENOM}`);
  });

  test("transactions of one recipient", async () => {
    const chosen = nobody();
    const [events] = await first(2, client.subscribeTx(`transfer.recipient='${chosen}'`), async () => {
      for (const to of [nobody(), chosen, nobody(), chosen]) await client.broadcastTxCommit({ tx: await transfer(to) });
    });
    for (const { result } of events) {
      const to = result.events.filter(({ type }) => type === "transfer").flatMap(({ attributes }) => attributes);
      assert.ok(to.some(({ key, value }) => key === "recipient" && value === chosen));
    }
  });

  test("left and entered again", async () => {
    const stream = client.subscribeNewBlockHeader();
    const [[before]] = await first(1, stream);
    const [[later]] = await first(1, stream);
    assert.ok(later.height > before.height);
  });

  test("two of one kind at once", async () => {
    const [a, b] = [client.subscribeNewBlockHeader(), client.subscribeNewBlockHeader()];
    const [[[one]], [[two]]] = await Promise.all([first(1, a), first(1, b)]);
    assert.ok(Math.abs(one.height - two.height) <= 1);
  });

  test("not over HTTP", async () => {
    const http = await Comet38Client.connect(chain.node.rpc);
    assert.throws(() => http.subscribeNewBlock(), /cannot subscribe to events/);
    http.disconnect();
  });
});

test("Tendermint37Client reads the same node", async () => {
  const client = await Tendermint37Client.connect(chain.node.rpc);
  assert.equal((await client.status()).nodeInfo.network, CHAIN);
  const { block } = await client.block(three[0].height);
  assert.equal(block.txs.length, 1);
  const found = await client.txSearchAll({ query: `transfer.recipient='${recipient}'` });
  assert.equal(found.totalCount, 3);
  client.disconnect();
});

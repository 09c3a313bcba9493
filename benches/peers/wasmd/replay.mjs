// How fast does a node execute its blocks again? wasmd and Aceso, each with one CometBFT validator, get the same cw20
// transfers from the same client; then the application's state is taken away, and the engine hands it all blocks again.
//
//   WASMD=…/wasmd ACESO=…/aceso COMETBFT=…/cometbft CW20=…/cw20_base.wasm node replay.mjs [TRANSFERS] [ROUNDS]
//
// wasmd is built by `go install github.com/CosmWasm/wasmd/cmd/wasmd@v0.61.14`; its module has a cw20_base.wasm under
// benchmarks/testdata. Printed is the time from the start of the programs until the last block is executed, less that of a
// start with nothing to do. Rounds are interleaved; one JSON object a line.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { SigningCosmWasmClient } from "@cosmjs/cosmwasm-stargate";
import { stringToPath } from "@cosmjs/crypto";
import { DirectSecp256k1HdWallet } from "@cosmjs/proto-signing";
import { GasPrice, coins } from "@cosmjs/stargate";
import { MsgExecuteContract } from "cosmjs-types/cosmwasm/wasm/v1/tx";
import { TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";

const [transfers = 2000, rounds = 3] = process.argv.slice(2).map(Number);
const programs = Object.fromEntries(["WASMD", "ACESO", "COMETBFT", "CW20"].map((name) => [name, named(name)]));
const chain = { id: "testing", prefix: "wasm", denom: "ucosm" };
const SENDERS = 20;
const BLOCK_MS = 100;
const PATIENCE_MS = 600_000;

function named(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} names no file`);
  return value;
}

/** A wallet of accounts that are there from the first block on. */
async function accounts() {
  const hdPaths = Array.from({ length: SENDERS }, (_, at) => stringToPath(`m/44'/118'/0'/0/${at}`));
  const wallet = await DirectSecp256k1HdWallet.generate(24, { prefix: chain.prefix, hdPaths });
  return { wallet, addresses: (await wallet.getAccounts()).map((one) => one.address) };
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const running = new Set();

/** A program that runs until it is stopped. */
function start(home, program, args) {
  const log = openSync(join(home, "log"), "a");
  const child = spawn(program, args, { stdio: ["ignore", log, log] });
  running.add(child);
  const ended = new Promise((resolve) => child.once("exit", resolve)).then(() => running.delete(child));
  return { stop: async () => (child.kill("SIGTERM"), await ended) };
}

async function wasmd(home, addresses) {
  const run = (...args) => execFileSync(programs.WASMD, [...args, "--home", home], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  const keyring = ["--keyring-backend", "test"];
  run("init", "bench", "--chain-id", chain.id, "--default-denom", chain.denom);
  run("keys", "add", "validator", ...keyring);
  const validator = run("keys", "show", "validator", "-a", ...keyring).trim();
  for (const address of [validator, ...addresses]) {
    run("genesis", "add-genesis-account", address, `1000000000000${chain.denom}`);
  }
  run("genesis", "gentx", "validator", `1000000000${chain.denom}`, "--chain-id", chain.id, ...keyring);
  run("genesis", "collect-gentxs");
  const config = join(home, "config/config.toml");
  const text = readFileSync(config, "utf8").replace(/^timeout_commit = .*$/m, `timeout_commit = "${BLOCK_MS}ms"`);
  writeFileSync(config, text.replace(/^pprof_laddr = .*$/m, 'pprof_laddr = ""'));
  const [rpc, p2p] = [await freePort(), await freePort()];
  const args = ["start", "--home", home, "--minimum-gas-prices", `0${chain.denom}`, "--grpc.enable=false"];
  args.push("--api.enable=false", "--rpc.laddr", `tcp://127.0.0.1:${rpc}`, "--p2p.laddr", `tcp://127.0.0.1:${p2p}`);
  return {
    url: `http://127.0.0.1:${rpc}`,
    start: () => start(home, programs.WASMD, args),
    forget: () => rmSync(join(home, "data/application.db"), { recursive: true }),
  };
}

async function aceso(home, addresses) {
  const net = join(home, "net");
  // Of the ports from here on CometBFT and the application take three.
  const port = await freePort();
  const args = ["localnet", "--validators", "1", "--home", net, "--port", String(port), "--block-time", String(BLOCK_MS)];
  args.push("--chain-id", chain.id, "--prefix", chain.prefix, "--denom", chain.denom, "--cometbft", programs.COMETBFT);
  for (const address of addresses) args.push("--fund", `${address}=1000000000000${chain.denom}`);
  let made = false;
  return {
    url: `http://127.0.0.1:${port + 1}`,
    start: () => {
      const all = made ? ["localnet", "--home", net, "--cometbft", programs.COMETBFT] : args;
      made = true;
      return start(home, programs.ACESO, all);
    },
    forget: () => rmSync(join(net, "node0/data/state"), { recursive: true }),
  };
}

async function height(url) {
  try {
    const answer = await fetch(`${url}/abci_info`, { signal: AbortSignal.timeout(2000) });
    return Number((await answer.json()).result.response.last_block_height ?? 0);
  } catch {
    return 0;
  }
}

/** Milliseconds until this height has been executed. */
async function until(url, wanted) {
  const begun = performance.now();
  while ((await height(url)) < wanted) {
    if (performance.now() - begun > PATIENCE_MS) throw new Error(`${url} does not reach block ${wanted}`);
    await sleep(5);
  }
  return performance.now() - begun;
}

/** Makes a token and transfers it, as fast as the node takes it. */
async function load(url, { wallet, addresses }) {
  const client = await SigningCosmWasmClient.connectWithSigner(url, wallet, {
    gasPrice: GasPrice.fromString(`0.025${chain.denom}`),
    broadcastPollIntervalMs: 100,
  });
  const fee = (gas) => ({ amount: coins(Math.ceil(gas / 40), chain.denom), gas: String(gas) });
  const [founder] = addresses;
  const { codeId } = await client.upload(founder, readFileSync(programs.CW20), fee(20_000_000));
  const initial_balances = addresses.map((address) => ({ address, amount: "1000000000" }));
  const token = { name: "bench", symbol: "BENCH", decimals: 6, initial_balances };
  const { contractAddress } = await client.instantiate(founder, codeId, token, "bench", fee(5_000_000));
  const each = Math.ceil(transfers / addresses.length);
  await Promise.all(
    addresses.map(async (sender, at) => {
      const recipient = addresses[(at + 1) % addresses.length];
      const msg = new TextEncoder().encode(JSON.stringify({ transfer: { recipient, amount: "1" } }));
      const value = MsgExecuteContract.fromPartial({ sender, contract: contractAddress, msg });
      const message = { typeUrl: "/cosmwasm.wasm.v1.MsgExecuteContract", value };
      const { accountNumber, sequence } = await client.getSequence(sender);
      for (let sent = 0; sent < each; sent += 1) {
        const signer = { accountNumber, sequence: sequence + sent, chainId: chain.id };
        const tx = await client.sign(sender, [message], fee(300_000), "", signer);
        await client.broadcastTxSync(TxRaw.encode(tx).finish());
      }
    }),
  );
  const want = String(1_000_000_000);
  for (;;) {
    const sequences = await Promise.all(addresses.map((address) => client.getSequence(address)));
    if (sequences.every((one) => one.sequence >= each)) break;
    await sleep(200);
  }
  // Everybody has sent as much as was received.
  for (const address of addresses) {
    const { balance } = await client.queryContractSmart(contractAddress, { balance: { address } });
    if (balance !== want) throw new Error(`${address} has ${balance} and not ${want}: transfers have failed`);
  }
  client.disconnect();
  return each * addresses.length;
}

const homes = [];
try {
  const cases = [];
  for (const [name, make] of Object.entries({ wasmd, aceso })) {
    const home = mkdtempSync(join(tmpdir(), `replay-${name}-`));
    homes.push(home);
    const people = await accounts();
    const node = await make(home, people.addresses);
    const program = node.start();
    await until(node.url, 1);
    const done = await load(node.url, people);
    const blocks = await height(node.url);
    await program.stop();
    cases.push({ name, node, done, blocks, idle: [], replay: [] });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const one of cases) {
      for (const kind of ["idle", "replay"]) {
        if (kind === "replay") one.node.forget();
        const program = one.node.start();
        one[kind].push(await until(one.node.url, one.blocks));
        await program.stop();
      }
    }
  }
  const median = (all) => all.toSorted((a, b) => a - b)[all.length >> 1];
  const each = (one) => (median(one.replay) - median(one.idle)) / one.done;
  const [theirs, ours] = cases;
  for (const one of cases) {
    const { name, done, blocks, idle, replay } = one;
    console.log(JSON.stringify({ node: name, transfers: done, blocks, idle_ms: idle, replay_ms: replay }));
  }
  const [a, b] = [each(ours), each(theirs)];
  const row = { bench: "replay", case: "a cw20 transfer executed again", ours: a, peer: b, peer_name: "wasmd 0.61.14" };
  console.log(JSON.stringify({ ...row, unit: "ms", ratio: b / a }));
} finally {
  for (const child of running) child.kill("SIGTERM");
  for (const home of homes) rmSync(home, { recursive: true, force: true });
}

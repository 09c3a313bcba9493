// node deploy.mjs http://127.0.0.1:26657 dev.mnemonic token.wasm
import { readFileSync } from "node:fs";

import { SigningCosmWasmClient } from "@cosmjs/cosmwasm-stargate";
import { DirectSecp256k1HdWallet } from "@cosmjs/proto-signing";
import { GasPrice } from "@cosmjs/stargate";

const [rpc, words, wasm] = process.argv.slice(2);
const wallet = await DirectSecp256k1HdWallet.fromMnemonic(readFileSync(words, "utf8").trim(), { prefix: "aceso" });
const [{ address }] = await wallet.getAccounts();
// Blocks come within milliseconds, and CosmJS looks for them every three seconds if nothing is said.
const options = { gasPrice: GasPrice.fromString("0.025uaceso"), broadcastPollIntervalMs: 100 };
const client = await SigningCosmWasmClient.connectWithSigner(rpc, wallet, options);

const { codeId } = await client.upload(address, new Uint8Array(readFileSync(wasm)), "auto");
const first = { name: "test", initial_balances: [{ address, amount: "100" }] };
const { contractAddress } = await client.instantiate(address, codeId, first, "my token", "auto", { admin: address });
await client.execute(address, contractAddress, { transfer: { recipient: address, amount: "1" } }, "auto");
const { name } = await client.queryContractSmart(contractAddress, { token_info: {} });
console.log(contractAddress, name);
client.disconnect();

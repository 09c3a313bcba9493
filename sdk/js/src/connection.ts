/** One node, seen by one account: what is asked of it in Cosmos' own words, and transactions. */
import { sha256 } from "@cosmjs/crypto";
import { fromBase64, toBase64, toHex, toUtf8 } from "@cosmjs/encoding";
import { type EncodeObject, type OfflineDirectSigner, Registry } from "@cosmjs/proto-signing";
import { encodePubkey, makeAuthInfoBytes, makeSignDoc } from "@cosmjs/proto-signing";
import { BaseAccount } from "cosmjs-types/cosmos/auth/v1beta1/auth";
import { QueryAccountRequest, QueryAccountResponse } from "cosmjs-types/cosmos/auth/v1beta1/query";
import { MsgSend } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import { QueryBalanceRequest, QueryBalanceResponse } from "cosmjs-types/cosmos/bank/v1beta1/query";
import {
  QueryAllowancesByGranterRequest,
  QueryAllowancesByGranterResponse,
  QueryAllowancesRequest,
  QueryAllowancesResponse,
} from "cosmjs-types/cosmos/feegrant/v1beta1/query";
import { MsgGrantAllowance, MsgRevokeAllowance } from "cosmjs-types/cosmos/feegrant/v1beta1/tx";
import { TxMsgData } from "cosmjs-types/cosmos/base/abci/v1beta1/abci";
import { SimulateRequest, SimulateResponse } from "cosmjs-types/cosmos/tx/v1beta1/service";
import { TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import {
  QueryCodesRequest,
  QueryCodesResponse,
  QueryContractsByCodeRequest,
  QueryContractsByCodeResponse,
  QueryRawContractStateRequest,
  QueryRawContractStateResponse,
  QuerySmartContractStateRequest,
  QuerySmartContractStateResponse,
} from "cosmjs-types/cosmwasm/wasm/v1/query";
import {
  MsgExecuteContract,
  MsgExecuteContractResponse,
  MsgInstantiateContract,
  MsgInstantiateContractResponse,
  MsgStoreCode,
  MsgStoreCodeResponse,
} from "cosmjs-types/cosmwasm/wasm/v1/tx";

import type { Codec } from "./codec.js";
import type { Page, Rows } from "./messages.js";
import { type Json, NodeError, call } from "./rpc.js";
import { type Sponsor, allowance, noAllowance, pays, sponsorOf } from "./sponsors.js";
import { acesoTypes } from "./types.js";

/** How long a client waits for a transaction or for a blob to become available. */
export const PATIENCE_MS = 60_000;
const POLL_MS = 50;
/** SDK gas of a transfer: enough for one, with room. */
const TRANSFER_GAS = 200_000;
/** Room on top of simulated gas: what CosmJS takes. */
const GAS_ADJUSTMENT = 1.4;
/** Rows of a page, and most pages that a list is read to. */
export const PAGE = 200;
export const PAGES_MAX = 20;
/** Most codes that are looked through for a contract of ours. */
const CODES_MAX = 50n;

export interface Chain {
  id: string;
  /** The human-readable part of addresses. */
  prefix: string;
  /** The coin of fees and prices. */
  denom: string;
  /** What a unit of gas costs, in millionths of that coin. */
  gasPriceMicro: number;
}

export interface Event {
  type: string;
  attributes: { key: string; value: string }[];
}

/** A transaction that is in a block and went well. */
export interface TxResult {
  hash: string;
  height: number;
  gasUsed: number;
  events: Event[];
  responses: { typeUrl: string; value: Uint8Array }[];
}

/** Waits for the next look. */
export const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));

export class Connection {
  readonly #signer: OfflineDirectSigner | undefined;
  readonly #registry = new Registry([
    ["/cosmos.bank.v1beta1.MsgSend", MsgSend],
    ["/cosmos.feegrant.v1beta1.MsgGrantAllowance", MsgGrantAllowance],
    ["/cosmos.feegrant.v1beta1.MsgRevokeAllowance", MsgRevokeAllowance],
    ["/cosmwasm.wasm.v1.MsgStoreCode", MsgStoreCode],
    ["/cosmwasm.wasm.v1.MsgInstantiateContract", MsgInstantiateContract],
    ["/cosmwasm.wasm.v1.MsgExecuteContract", MsgExecuteContract],
    ...acesoTypes,
  ]);

  constructor(
    readonly rpc: string,
    readonly chain: Chain,
    /** The account that signs; empty without a signer. */
    readonly address: string,
    signer: OfflineDirectSigner | undefined,
  ) {
    this.#signer = signer;
  }

  // Questions

  /** An ABCI query; throws `NodeError` with the node's words. */
  async abci(path: string, data: Uint8Array, height = 0, prove = false): Promise<Json> {
    const params = { path, data: toHex(data), height: String(height), prove };
    const { response } = await call(this.rpc, "abci_query", params);
    if (response.code) throw new NodeError(`${sentence(response.log)}.`, response.code, response.codespace);
    return response;
  }

  protected async query<Q, A>(
    path: string,
    ask: Pick<Codec<Q>, "encode">,
    answer: { decode(bytes: Uint8Array): A },
    question: Q,
  ): Promise<A> {
    const response = await this.abci(path, ask.encode(question).finish());
    return answer.decode(fromBase64(response.value ?? ""));
  }

  /** The answer, or `undefined` where there is no such thing. */
  protected async find<Q, A>(
    query: { path: string; ask: Codec<Q>; answer: Codec<A> },
    question: Q,
  ): Promise<A | undefined> {
    try {
      return await this.query(query.path, query.ask, query.answer, question);
    } catch (error) {
      if (error instanceof NodeError && error.codespace === "sdk" && error.code === 22) return undefined;
      throw error;
    }
  }

  /** A list to its end, or to 4000 rows. */
  protected async pages<Q extends { page: Page | undefined }, T>(
    query: { path: string; ask: Codec<Q>; answer: Codec<Rows<T>> },
    question: Omit<Q, "page">,
  ): Promise<T[]> {
    const rows: T[] = [];
    let after: Uint8Array = new Uint8Array();
    for (let page = 0; page < PAGES_MAX; page++) {
      const asked = { ...question, page: { after, limit: PAGE, reverse: false } } as Q;
      const answer = await this.query(query.path, query.ask, query.answer, asked);
      rows.push(...answer.rows);
      after = answer.next;
      if (after.length === 0) break;
    }
    return rows;
  }

  /** A list that is narrowed by a text. */
  protected all<T>(
    query: { path: string; ask: Codec<{ by: string; page: Page | undefined }>; answer: Codec<Rows<T>> },
    by: string,
  ): Promise<T[]> {
    return this.pages(query, { by });
  }

  /** The latest height. */
  async height(): Promise<number> {
    return Number((await call(this.rpc, "status")).sync_info.latest_block_height);
  }

  /** How many of the chain's coins an account or contract has. */
  async balance(address = this.address): Promise<bigint> {
    const question = { address, denom: this.chain.denom };
    const path = "/cosmos.bank.v1beta1.Query/Balance";
    const answer = await this.query(path, QueryBalanceRequest, QueryBalanceResponse, question);
    return BigInt(answer.balance?.amount ?? "0");
  }

  /** Who pays fees for an account, those that are over too; the first hundred. */
  async sponsors(address = this.address): Promise<Sponsor[]> {
    const question = QueryAllowancesRequest.fromPartial({ grantee: address });
    const path = "/cosmos.feegrant.v1beta1.Query/Allowances";
    const answer = await this.query(path, QueryAllowancesRequest, QueryAllowancesResponse, question);
    return answer.allowances.flatMap((one) => sponsorOf(one, this.chain.denom) ?? []);
  }

  /** For whom this account pays fees; the first hundred. */
  async sponsored(): Promise<Sponsor[]> {
    const question = QueryAllowancesByGranterRequest.fromPartial({ granter: this.address });
    const path = "/cosmos.feegrant.v1beta1.Query/AllowancesByGranter";
    const answer = await this.query(path, QueryAllowancesByGranterRequest, QueryAllowancesByGranterResponse, question);
    return answer.allowances.flatMap((one) => sponsorOf(one, this.chain.denom) ?? []);
  }

  /** Asks a contract. */
  async smart<T>(contract: string, question: unknown): Promise<T> {
    const ask = { address: contract, queryData: toUtf8(JSON.stringify(question)) };
    const path = "/cosmwasm.wasm.v1.Query/SmartContractState";
    const answer = await this.query(path, QuerySmartContractStateRequest, QuerySmartContractStateResponse, ask);
    return JSON.parse(new TextDecoder().decode(answer.data)) as T;
  }

  /** Contracts on the chain that call themselves by this name (cw2), such as `aceso-insurance`. Anybody may. */
  async contracts(name: string): Promise<string[]> {
    const pagination = { key: new Uint8Array(), offset: 0n, limit: CODES_MAX, countTotal: false, reverse: true };
    const base = "/cosmwasm.wasm.v1.Query";
    const { codeInfos } = await this.query(`${base}/Codes`, QueryCodesRequest, QueryCodesResponse, { pagination });
    const found: string[] = [];
    for (const { codeId } of codeInfos) {
      const of = { codeId, pagination };
      const path = `${base}/ContractsByCode`;
      const { contracts } = await this.query(path, QueryContractsByCodeRequest, QueryContractsByCodeResponse, of);
      const [first] = contracts;
      if (first === undefined) continue;
      const raw = { address: first, queryData: toUtf8("contract_info") };
      const { data } = await this.query(
        `${base}/RawContractState`,
        QueryRawContractStateRequest,
        QueryRawContractStateResponse,
        raw,
      );
      // All contracts of one code have one name.
      if (data.length > 0 && (JSON.parse(new TextDecoder().decode(data)) as Json).contract === name)
        found.push(...contracts);
    }
    return found;
  }

  // Transactions

  /**
   * Sends messages in one transaction and waits until it is in a block. Gas is simulated where it is not said. The fee is paid
   * by the sponsor who is named, else by one who has granted this account an allowance that covers it, else by the account.
   */
  async send(messages: EncodeObject[], gas?: number, sponsor?: string): Promise<TxResult> {
    const [account, payer] = await Promise.all([this.#account(), this.#payer(messages, sponsor)]);
    const signed = (limit: number, fee: bigint) => this.#signed(messages, account, limit, fee, payer(fee));
    const limit = gas ?? Math.ceil((await this.#simulate(await signed(0, 0n))) * GAS_ADJUSTMENT);
    return this.#broadcast(await signed(limit, BigInt(Math.ceil((limit * this.chain.gasPriceMicro) / 1_000_000))));
  }

  /** Says who pays a fee for these messages; throws the sentence that nobody does. */
  async #payer(messages: readonly EncodeObject[], named?: string): Promise<(fee: bigint) => string | undefined> {
    if (named !== undefined) return () => named;
    const [sponsors, held] = await Promise.all([this.sponsors(), this.balance()]);
    const [now, urls] = [Math.floor(Date.now() / 1000), messages.map(({ typeUrl }) => typeUrl)];
    return (fee) => {
      const sponsor = sponsors.find((one) => pays(one, fee, now, urls));
      if (sponsor) return sponsor.address;
      if (held >= fee) return undefined;
      const { denom } = this.chain;
      throw new NodeError(`Nobody pays the fee of ${fee}${denom} for account ${this.address}: it needs a sponsor, or coins.`);
    };
  }

  /**
   * Pays fees of up to `limit` coins for each of these accounts, which begin to exist with it: one transaction after the
   * other, in an order that does not tell which of them were asked for together.
   */
  async sponsorFees(addresses: readonly string[], limit: bigint): Promise<void> {
    for (const address of [...new Set(addresses)].sort())
      await this.send([allowance(this.address, address, this.chain.denom, limit)]);
  }

  /** Pays an account's fees no more. */
  stopSponsoring(address: string): Promise<TxResult> {
    return this.send([noAllowance(this.address, address)]);
  }

  async #account(): Promise<BaseAccount> {
    if (!this.#signer) throw new NodeError("There is no key to sign with.");
    try {
      const path = "/cosmos.auth.v1beta1.Query/Account";
      const { account } = await this.query(path, QueryAccountRequest, QueryAccountResponse, { address: this.address });
      return BaseAccount.decode(account?.value ?? new Uint8Array());
    } catch (error) {
      if (!(error instanceof NodeError) || error.code !== 22) throw error;
      throw new NodeError(`Account ${this.address} is not known to the chain; it needs a coin or a sponsor first.`, 22, "sdk");
    }
  }

  async #signed(
    messages: EncodeObject[],
    account: BaseAccount,
    gasLimit: number,
    amount: bigint,
    sponsor: string | undefined,
  ): Promise<Uint8Array> {
    const signer = this.#signer;
    const [first] = (await signer?.getAccounts()) ?? [];
    if (!signer || !first) throw new NodeError("There is no key to sign with.");
    const pubkey = encodePubkey({ type: "tendermint/PubKeySecp256k1", value: toBase64(first.pubkey) });
    const fee = [{ denom: this.chain.denom, amount: String(amount) }];
    const auth = makeAuthInfoBytes([{ pubkey, sequence: account.sequence }], fee, gasLimit, sponsor, undefined);
    const body = this.#registry.encodeTxBody({ messages, memo: "" });
    const document = makeSignDoc(body, auth, this.chain.id, Number(account.accountNumber));
    const { signature, signed } = await signer.signDirect(this.address, document);
    const { bodyBytes, authInfoBytes } = signed;
    return TxRaw.encode({ bodyBytes, authInfoBytes, signatures: [fromBase64(signature.signature)] }).finish();
  }

  async #simulate(txBytes: Uint8Array): Promise<number> {
    const path = "/cosmos.tx.v1beta1.Service/Simulate";
    const question = SimulateRequest.fromPartial({ txBytes });
    const answer = await this.query(path, SimulateRequest, SimulateResponse, question);
    return Number(answer.gasInfo?.gasUsed ?? 0n);
  }

  async #broadcast(tx: Uint8Array): Promise<TxResult> {
    const sent = await call(this.rpc, "broadcast_tx_sync", { tx: toBase64(tx) });
    if (sent.code) throw new NodeError(`${sentence(sent.log)}.`, sent.code, sent.codespace);
    const hash = toBase64(sha256(tx));
    for (const start = Date.now(); Date.now() - start < PATIENCE_MS; await pause()) {
      const found = await call(this.rpc, "tx", { hash, prove: false }).catch((error: unknown) => {
        // Not in a block yet. A node that does not answer at all is another matter.
        if (error instanceof NodeError && error.code !== 0) return undefined;
        throw error;
      });
      if (!found) continue;
      const { code, codespace, log, gas_used, events, data } = found.tx_result;
      if (code) throw new NodeError(`${sentence(log)}.`, code, codespace ?? "", Number(found.height));
      const responses = TxMsgData.decode(fromBase64(data ?? "")).msgResponses;
      return {
        hash: sent.hash,
        height: Number(found.height),
        gasUsed: Number(gas_used),
        events: events ?? [],
        responses,
      };
    }
    throw new NodeError(`Transaction ${sent.hash} is in no block after ${PATIENCE_MS / 1000} s.`);
  }

  /** Executes a contract; answers with its data where it gives any. */
  async execute(contract: string, msg: unknown, funds = 0n, gas?: number): Promise<TxResult & { data: Uint8Array }> {
    const coins = funds > 0n ? [{ denom: this.chain.denom, amount: String(funds) }] : [];
    const value = { sender: this.address, contract, msg: toUtf8(JSON.stringify(msg)), funds: coins };
    const result = await this.send([{ typeUrl: "/cosmwasm.wasm.v1.MsgExecuteContract", value }], gas);
    const data = MsgExecuteContractResponse.decode(result.responses[0]?.value ?? new Uint8Array()).data;
    return { ...result, data };
  }

  /** Sends coins. */
  pay(to: string, amount: bigint): Promise<TxResult> {
    const coins = [{ denom: this.chain.denom, amount: String(amount) }];
    const value = { fromAddress: this.address, toAddress: to, amount: coins };
    return this.send([{ typeUrl: "/cosmos.bank.v1beta1.MsgSend", value }]);
  }

  /**
   * Sends all coins of this account to another one; where no sponsor pays for it, the fee is taken off. Answers with how many
   * were sent.
   */
  async collect(to: string): Promise<bigint> {
    const [held, sponsors] = await Promise.all([this.balance(), this.sponsors()]);
    const fee = BigInt(Math.ceil((TRANSFER_GAS * this.chain.gasPriceMicro) / 1_000_000));
    const [now, url] = [Math.floor(Date.now() / 1000), "/cosmos.bank.v1beta1.MsgSend"];
    const sponsor = sponsors.find((one) => pays(one, fee, now, [url]))?.address;
    const rest = sponsor === undefined ? held - fee : held;
    if (rest <= 0n) throw new NodeError(`Account ${this.address} has ${held}${this.chain.denom}, which is less than a transfer costs.`);
    const amount = [{ denom: this.chain.denom, amount: String(rest) }];
    await this.send([{ typeUrl: url, value: { fromAddress: this.address, toAddress: to, amount } }], TRANSFER_GAS, sponsor);
    return rest;
  }

  /** Uploads a contract and makes one of it; answers with its address. */
  async deploy(wasm: Uint8Array, label: string, msg: unknown): Promise<string> {
    const store = { sender: this.address, wasmByteCode: wasm };
    const stored = await this.send([
      { typeUrl: "/cosmwasm.wasm.v1.MsgStoreCode", value: MsgStoreCode.fromPartial(store) },
    ]);
    const { codeId } = MsgStoreCodeResponse.decode(stored.responses[0]?.value ?? new Uint8Array());
    const value = {
      sender: this.address,
      admin: this.address,
      codeId,
      label,
      msg: toUtf8(JSON.stringify(msg)),
      funds: [],
    };
    const made = await this.send([{ typeUrl: "/cosmwasm.wasm.v1.MsgInstantiateContract", value }]);
    return MsgInstantiateContractResponse.decode(made.responses[0]?.value ?? new Uint8Array()).address;
  }
}

/** The first value of an attribute in events of a type. */
export function attribute(events: Event[], type: string, key: string): string | undefined {
  return events
    .filter((event) => event.type === type)
    .flatMap((event) => event.attributes)
    .find((one) => one.key === key)?.value;
}

/** A refusal without the words that say through how many layers it came; a simulation has some of its own. */
export function sentence(log: string): string {
  return log
    .replace(/^rpc error: code = \w+ desc = /, "")
    .replace(/ with gas used: '\d+': unknown request$/, "")
    .replace(/^failed to execute message; message index: \d+: /, "")
    .replace(/(: (execute|query|instantiate) wasm contract failed)+$/, "")
    .replace(/^(dispatch: |reply: )+/, "")
    .replace(/\.$/, "");
}

/**
 * What patients, physicians, insurers and authors do: blobs, images, models, consent, insurance, receipts.
 *
 * Start at `connect`. Without a key everything that only asks still works.
 */
import { sha256 } from "@cosmjs/crypto";
import { fromBase64, toBase64, toHex, toUtf8 } from "@cosmjs/encoding";
import type { OfflineDirectSigner } from "@cosmjs/proto-signing";
import { base32nopad } from "@scure/base";

import { type Chain, PAGE, PAGES_MAX, PATIENCE_MS, type TxResult, attribute, pause } from "./connection.js";
import type { Key } from "./key.js";
import {
  BLOB_STATUS,
  type BlobRow,
  type ImageRow,
  type ModelRow,
  type ReceiptRow,
  type SignedOrigin,
  queries,
} from "./messages.js";
import type {
  Claim,
  Counter,
  GrantState,
  JournalEntry,
  Manifest,
  Origin,
  Policy,
  Refused,
  Rule,
  SealedClaim,
  Terms,
  Trust,
  Verified,
} from "./records.js";
import { type Json, NodeError, call, rest } from "./rpc.js";
import { NotProven } from "./errors.js";
import { Sealing } from "./sealing.js";
import type { Verifier } from "./verifier.js";

/** SDK gas of a request for a read. It is not simulated, so that a refusal gets into a block and into the journal. */
const READ_GAS = 20_000_000;
/** Blocks after a claim's deadline from which on the insurer may release it (`contracts/insurance`). */
export const RELEASE_BLOCKS = 1000;
/** For how many blocks blobs are kept where the caller does not say. */
const TERM = 100_000n;
/** How long a signed request for an image is good, in seconds. */
const FETCH_SECONDS = 300;
/** Rows of a page that contracts are asked for: the most they give. */
const CONTRACT_PAGE = 100;

export interface Model {
  id: string;
  author: string;
  status: number;
  reason: string;
  manifest: Manifest;
  /** The manifest in dag-cbor, for `Verifier.recompute`. */
  encoded: Uint8Array;
}

/** What came of a read through the insurance contract. */
export type Answer = { paid: Claim; refused?: undefined } | { refused: Refused; paid?: undefined };

export interface Options {
  /** The RPC port, such as `http://127.0.0.1:26657`. */
  rpc: string;
  /** The REST port, such as `http://127.0.0.1:1317`. */
  rest: string;
  verifier: Verifier;
  key?: Key;
}

/** Connects to a node and reads what chain it is on. */
export async function connect(options: Options): Promise<Aceso> {
  const { genesis } = await call(options.rpc, "genesis");
  const { prefix, denom, params, proof_spec } = genesis.app_state;
  const chain = { id: genesis.chain_id, prefix, denom, gasPriceMicro: Number(params.min_gas_price_micro) };
  const signer = await options.key?.signer(prefix);
  return new Aceso(options, chain, proof_spec, signer);
}

export class Aceso extends Sealing {
  readonly #options: Options;
  readonly #rest: string;
  readonly #key: Key | undefined;
  readonly #proofSpec: unknown;

  /** Use `connect`. */
  constructor(options: Options, chain: Chain, proofSpec: unknown, signer: OfflineDirectSigner | undefined) {
    super(options.verifier, options.rpc, chain, options.key?.address(chain.prefix) ?? "", signer);
    this.#options = options;
    this.#rest = options.rest.replace(/\/$/, "");
    this.#key = options.key;
    this.#proofSpec = proofSpec;
  }

  /** The same node for another account, such as that of a record (`KeyStore.account`). */
  async as(key: Key): Promise<Aceso> {
    return new Aceso({ ...this.#options, key }, this.chain, this.#proofSpec, await key.signer(this.chain.prefix));
  }

  // Images, models, the journal

  /** Images that an account has registered; all without one. */
  images(owner = ""): Promise<ImageRow[]> {
    return this.all(queries.images, owner);
  }

  image(cid: string): Promise<ImageRow | undefined> {
    return this.find(queries.image, { cid });
  }

  blob(cid: string): Promise<BlobRow | undefined> {
    return this.find(queries.blob, { cid });
  }

  async models(): Promise<Model[]> {
    const page = { after: new Uint8Array(), limit: PAGE, reverse: false };
    const { rows } = await this.query(queries.models.path, queries.models.ask, queries.models.answer, { page });
    return rows.map((row) => this.#model(row));
  }

  async model(id: string): Promise<Model | undefined> {
    const row = await this.find(queries.model, { model: id });
    return row && this.#model(row);
  }

  #model(row: ModelRow): Model {
    const { model: id, author, status, reason } = row;
    return {
      id,
      author,
      status,
      reason,
      manifest: this.verifier.manifest(row.manifest).manifest,
      encoded: row.manifest,
    };
  }

  /** What was asked and read of an image, oldest first. */
  async journal(image: string): Promise<JournalEntry[]> {
    return (await this.all(queries.journal, image)).map((entry) => this.verifier.journal(entry));
  }

  /** Receipts of an image, or all. Not proven: see `proven`. */
  receipts(image = ""): Promise<ReceiptRow[]> {
    return this.all(queries.receipts, image);
  }

  /** The receipt of a read. Not proven, as above. */
  receiptOf(read: bigint): Promise<ReceiptRow | undefined> {
    return this.find(queries.receipt, { read });
  }

  // Bytes

  /** Uploads bytes to the node's blob store; they are kept for an hour unless they are registered. */
  async putBlob(bytes: Uint8Array): Promise<{ cid: string; size: bigint }> {
    const headers = { "content-type": "application/octet-stream" };
    const answer = await rest(`${this.#rest}/aceso/blobs/v1`, { method: "POST", headers, body: bytes.slice() });
    const { cid, size } = JSON.parse(new TextDecoder().decode(answer)) as { cid: string; size: string | number };
    return { cid, size: BigInt(size) };
  }

  /**
   * A blob's bytes. For a guarded image the request is signed: the account that registered it may see it, and whoever
   * its guard lets. A blob of one block is checked against its CID; larger ones are identified by the pixel digest.
   */
  async getBlob(cid: string, sign = false): Promise<Uint8Array> {
    const headers: Record<string, string> = {};
    if (sign && this.#key) {
      const expires = Math.floor(Date.now() / 1000) + FETCH_SECONDS;
      headers["x-aceso-public-key"] = toBase64(this.#key.publicKey);
      headers["x-aceso-expires"] = String(expires);
      headers["x-aceso-signature"] = toBase64(this.#key.sign(this.verifier.fetchBytes(this.chain.id, cid, expires)));
    }
    const bytes = await rest(`${this.#rest}/ipfs/${encodeURIComponent(cid)}`, { headers });
    if (!named(cid, bytes)) throw new NotProven(`the node sent other bytes than ${cid} names`);
    return bytes;
  }

  /** Registers a blob and waits until the validators hold it. */
  async registerBlob(cid: string, size: bigint, term = TERM): Promise<TxResult> {
    const value = { owner: this.address, cid, size, term };
    const result = await this.send([{ typeUrl: "/aceso.blobs.v1.MsgRegisterBlob", value }]);
    await this.waitAvailable(cid);
    return result;
  }

  /** Registers a model whose ONNX blob is available; answers with its id. A refused model is an error with its reason. */
  async registerModel(manifest: unknown): Promise<string> {
    const { id, bytes } = this.verifier.encodeManifest(manifest);
    const value = { author: this.address, manifest: bytes };
    await this.send([{ typeUrl: "/aceso.models.v1.MsgRegisterModel", value }], 50_000_000);
    const model = await this.model(id);
    if (model?.status === 2) throw new NodeError(`Model ${id} is refused: ${model.reason}.`);
    return id;
  }

  /** Registers an image with the caller as its patient, and waits until the validators hold it. */
  async registerImage(image: {
    cid: string;
    size: bigint;
    guard: string;
    term?: bigint;
    modality?: string;
    bodyPart?: string;
    origin?: SignedOrigin | undefined;
    /** `Verifier.effort` of the file. */
    effort?: bigint;
  }): Promise<TxResult> {
    const { term = TERM, modality = "", bodyPart = "", origin, effort = 0n, ...rest } = image;
    const value = { owner: this.address, term, modality, bodyPart, origin, effort, ...rest };
    const result = await this.send([{ typeUrl: "/aceso.reads.v1.MsgRegisterImage", value }]);
    await this.waitAvailable(image.cid);
    return result;
  }

  /** Waits until a registered blob is available to open reads. */
  async waitAvailable(cid: string): Promise<BlobRow> {
    for (const start = Date.now(); Date.now() - start < PATIENCE_MS; await pause()) {
      const row = await this.blob(cid);
      if (row && BLOB_STATUS[row.status] === "available") return row;
    }
    throw new NodeError(`Blob ${cid} is not available after ${PATIENCE_MS / 1000} s; do the validators hold it?`);
  }

  /** An institution's word for an image, signed by this client's key. */
  signOrigin(origin: Origin): SignedOrigin {
    if (!this.#key) throw new NodeError("There is no key to sign with.");
    const signature = this.#key.sign(this.verifier.originBytes(origin, this.chain.id));
    const [pixels, study, subject] = [origin.pixels, origin.study, origin.subject].map((hex) => fromHexStrict(hex));
    const { institution } = origin;
    return {
      institution,
      pixels: pixels!,
      study: study!,
      subject: subject!,
      publicKey: this.#key.publicKey,
      signature,
    };
  }

  // Consent and insurance

  /**
   * Lets the rule's actors read these images, or keeps them from it; answers with the grant's number. Of `sealed` images it
   * speaks of this account's own records.
   */
  async grant(consent: string, images: string[], rule: Rule, sealed = false): Promise<number> {
    const result = await this.execute(consent, { grant: { images, rule, ...(sealed && { sealed }) } });
    return Number(attribute(result.events, "wasm", "grant"));
  }

  /** Takes a grant back; it does not hold from the next transaction on. */
  revoke(consent: string, grant: number): Promise<TxResult> {
    return this.execute(consent, { revoke: { grant } });
  }

  /** Grants that a patient gave, or that speak of an actor, at one guard. */
  grants(consent: string, of: { patient: string } | { actor: string }): Promise<GrantState[]> {
    return this.#rows<GrantState>(consent, "grants", { of }, ({ grant }) => grant.id);
  }

  policies(insurance: string, member?: string): Promise<Policy[]> {
    return this.#rows<Policy>(insurance, "policies", { member: member ?? null }, ({ id }) => id);
  }

  /** Who runs an insurance contract, and in which coin. */
  counter(insurance: string): Promise<Counter> {
    return this.smart(insurance, { config: {} });
  }

  /** What a policy has for claims to come, and what of its escrow is kept for claims that are open. */
  async escrow(insurance: string, policy: number): Promise<{ amount: bigint; reserved: bigint }> {
    const held = await this.smart<{ amount: string; reserved: string }>(insurance, { escrow: { policy } });
    return { amount: BigInt(held.amount), reserved: BigInt(held.reserved) };
  }

  /**
   * What the chain took for reads of a member's images in transactions that then failed, and none of her policies has borne
   * yet: the next one that is used or emptied bears it.
   */
  async lost(insurance: string, member: string): Promise<bigint> {
    return BigInt((await this.smart<{ amount: string }>(insurance, { lost: { member } })).amount);
  }

  /** A policy's claims for open reads, in the order of the reads. */
  claims(insurance: string, policy: number): Promise<Claim[]> {
    return this.#rows<Claim>(insurance, "claims", { policy }, ({ read }) => read);
  }

  /** A policy's claims for sealed images, in the order of their jobs. */
  sealedClaims(insurance: string, policy: number): Promise<SealedClaim[]> {
    return this.#rows<SealedClaim>(insurance, "sealed_claims", { policy }, ({ job }) => job, "claims");
  }

  /** What is owed to an account for sealed claims and was not sent yet. */
  async due(insurance: string, account: string): Promise<bigint> {
    return BigInt((await this.smart<{ amount: string }>(insurance, { due: { account } })).amount);
  }

  /** Sends what is owed for sealed claims: one transfer for each account. Anybody may. */
  settle(insurance: string): Promise<TxResult> {
    return this.execute(insurance, { settle: { start_after: null, limit: null } });
  }

  /** Has a committee read a sealed image at a policy's cost; answers with the job. `terms` are the grant's, opened. */
  async claimSealed(
    insurance: string,
    claim: {
      policy: number;
      image: string;
      /** From 1; the first where it is absent. */
      frame?: number;
      model: string;
      purpose: string;
      granter: string;
      grant: bigint;
      terms: Uint8Array;
    },
  ): Promise<bigint> {
    const message = { claim: { ...claim, grant: Number(claim.grant), terms: toBase64(claim.terms) } };
    const result = await this.execute(insurance, message);
    return BigInt(attribute(result.events, "wasm", "job") ?? "0");
  }

  /** Reads of a policy that were made and not paid for, since they showed why. */
  refusedReads(insurance: string, policy: number): Promise<Refused[]> {
    return this.#rows<Refused>(insurance, "refused_reads", { policy }, ({ read }) => read, "refused");
  }

  /** A contract's list to its end, or to `PAGES_MAX` pages; `name` says where a row stands, so where the next page begins. */
  async #rows<T>(
    contract: string,
    list: string,
    question: object,
    name: (row: T) => number,
    answered = list,
  ): Promise<T[]> {
    const all: T[] = [];
    for (let page = 0; page < PAGES_MAX; page++) {
      const last = all.at(-1);
      const start_after = last === undefined ? null : name(last);
      const asked = { [list]: { ...question, start_after, limit: CONTRACT_PAGE } };
      const rows = (await this.smart<Record<string, T[]>>(contract, asked))[answered] ?? [];
      all.push(...rows);
      if (rows.length < CONTRACT_PAGE) break;
    }
    return all;
  }

  async createPolicy(insurance: string, terms: Terms): Promise<number> {
    const result = await this.execute(insurance, { create_policy: { terms } });
    return Number(attribute(result.events, "wasm", "policy"));
  }

  fund(insurance: string, policy: number, amount: bigint): Promise<TxResult> {
    return this.execute(insurance, { fund: { policy } }, amount);
  }

  /** For the insurer, once a policy's period is over: sends her what its escrow holds; answers with how much. */
  async withdraw(insurance: string, policy: number): Promise<bigint> {
    const result = await this.execute(insurance, { withdraw: { policy } });
    return BigInt(attribute(result.events, "wasm", "amount") ?? "0");
  }

  /**
   * For the insurer, `RELEASE_BLOCKS` after the deadline of a claim whose callback has failed: closes it, and frees what is
   * kept for it but for what the chain took.
   */
  release(insurance: string, job: bigint): Promise<TxResult> {
    return this.execute(insurance, { release: { job: Number(job) } });
  }

  /**
   * Asks for a read through the insurance contract: consent, read and payment in one transaction. What the read shows may
   * not be paid for; then the answer says why, and the policy bears the read's fee.
   */
  async requestRead(
    insurance: string,
    request: { policy: number; image: string; frame?: number; model: string; purpose: string },
  ): Promise<TxResult & Answer> {
    const result = await this.execute(insurance, { request_read: request }, 0n, READ_GAS);
    return { ...result, ...(JSON.parse(new TextDecoder().decode(result.data)) as Answer) };
  }

  // Receipts

  /** What somebody who trusts this node now would write down as trusted. */
  async trust(): Promise<Trust> {
    const validators = (await this.#validators(await this.height())).map((one) => ({
      public_key: toHex(fromBase64(one.pub_key.value)),
      power: Number(one.voting_power),
    }));
    return { chain_id: this.chain.id, validators, proof_spec: this.#proofSpec };
  }

  /**
   * The receipt file of a read, proven against the newest header that commits it. Anybody can check it offline:
   * `aceso read verify FILE --trust TRUST`, or `Verifier.verify`.
   */
  async evidence(read: number): Promise<Uint8Array> {
    const row = await this.receiptOf(BigInt(read));
    if (!row) throw new NodeError(`There is no read ${read} on this chain.`);
    const receipt = this.verifier.receipt(row.receipt);
    // A block's state is committed by the next header.
    let height = await this.height();
    if (receipt.height > height)
      throw new NotProven(`the receipt is of block ${receipt.height}, and the chain has ${height}`);
    for (const start = Date.now(); height <= receipt.height; height = await this.height()) {
      if (Date.now() - start > PATIENCE_MS)
        throw new NodeError(`There is no block after ${height} in ${PATIENCE_MS / 1000} s.`);
      await pause();
    }
    const key = toUtf8(`receipt/${String(read).padStart(20, "0")}`);
    const { proofOps } = await this.abci("/store/reads/key", key, height - 1, true);
    const [component, app] = (proofOps?.ops ?? []) as { data: string }[];
    if (!component || !app) throw new NotProven("the node gives no proof for the receipt");
    const commit = await call(this.rpc, "commit", { height: String(height) });
    const validators = await this.#validators(height);
    return this.verifier.evidence(row.receipt, fromBase64(component.data), fromBase64(app.data), commit, validators);
  }

  /** Fetches a receipt with all that proves it and verifies it; throws `NotProven` with the reason. */
  async proven(read: number, trust: Trust): Promise<{ verified: Verified; evidence: Uint8Array }> {
    const evidence = await this.evidence(read);
    const verified = this.verifier.verify(evidence, trust);
    const got = verified.receipt.read;
    if (got !== read) throw new NotProven(`the receipt is of read ${got}, and read ${read} was asked for`);
    return { verified, evidence };
  }

  async #validators(height: number): Promise<Json[]> {
    const all: Json[] = [];
    for (let page = 1; ; page++) {
      const params = { height: String(height), page: String(page), per_page: "100" };
      const { validators, total } = await call(this.rpc, "validators", params);
      all.push(...validators);
      if (validators.length === 0 || all.length >= Number(total)) return all;
    }
  }
}

/** Whether a CID names these bytes, as far as it shows: a file of several blocks is checked by what it is opened with. */
export function named(cid: string, bytes: Uint8Array): boolean {
  const digest = rawDigest(cid);
  return digest === undefined || toHex(digest) === toHex(sha256(bytes));
}

/** The SHA-256 that a CID of one raw block names; `undefined` for other CIDs. */
export function rawDigest(cid: string): Uint8Array | undefined {
  if (!/^bafkrei[a-z2-7]{52}$/.test(cid)) return undefined;
  return base32nopad.decode(cid.slice(1).toUpperCase()).slice(4);
}

function fromHexStrict(hex: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(hex))
    throw new NodeError(`${JSON.stringify(hex)} is not a digest of 64 hexadecimal digits.`);
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

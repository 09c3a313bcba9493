/**
 * A key store at rest: sealed as `docs/grants.md` has it, under a pass phrase, as a file of JSON that its owner keeps
 * where she likes.
 *
 * Each file has a point K of its own. K is registered for kG; k follows from the pass phrase (Argon2id) and a random nonce,
 * and is what guardians are dealt. The nonce, and with it k, is another one after something was erased and with each deal:
 * so guardians bring back what came in after they were dealt k, and not what was erased. A file is opened by its pass phrase,
 * or by enough guardians, and in no other way.
 */
import { Argon2id } from "@cosmjs/crypto";
import { fromBase64, toBase64 } from "@cosmjs/encoding";

import { StoreError } from "./errors.js";
import type { ReaderRow } from "./sealed.js";
import type { KeyStore } from "./stores.js";
import type { Verifier } from "./verifier.js";
import { hex, random } from "./wasm.js";

const FORMAT = "aceso-keys/1";
const DEAL = "aceso-deal/1";
/** What the key of a file is derived for. */
const PURPOSE = "aceso/store/1";
/** Fewest characters of a pass phrase. */
const PHRASE_MIN = 10;
/** Argon2id: the second choice of RFC 9106 for memory, which a telephone has too. */
const COST = { opsLimit: 3, memLimitKib: 64 * 1024 };
/** Most that a file may ask for: it comes from outside. */
const COST_MAX = { opsLimit: 10, memLimitKib: 512 * 1024 };

/** How a pass phrase is made into a key; the salt in hexadecimal. */
interface Stretched {
  salt: string;
  opsLimit: number;
  memLimitKib: number;
}

/** The file of a key store. Bytes in hexadecimal, the sealed store in base64. */
export interface VaultFile extends Stretched {
  format: typeof FORMAT;
  chain_id: string;
  owner: string;
  version: string;
  nonce: string;
  registration: string;
  commitment: string;
  store: string;
}

/** What guardians are given: nothing in it is secret. */
export interface DealFile {
  format: typeof DEAL;
  chain_id: string;
  owner: string;
  version: string;
  deal: string;
  guardians: { account: string; epoch: string; key: string }[];
}

/** The pass phrase opens nothing. */
export class WrongPhrase extends Error {
  override name = "WrongPhrase";
}

const unhex = (text: string): Uint8Array => {
  if (!/^([0-9a-f]{2})*$/.test(text))
    throw new StoreError("The file has something else where bytes should be.", "record");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
};

/** Reads a file of this format: every field there, and of its type. */
function fileOf<T extends { format: string }>(text: string, format: T["format"], what: string, fields: string[]): T {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new StoreError(`This is no ${what}: it is not JSON.`, "record");
  }
  const object = (file ?? {}) as Record<string, unknown>;
  if (object["format"] !== format) throw new StoreError(`This is no ${what}: it does not say ${format}.`, "record");
  const missing = fields.find((name) => typeof object[name] !== "string");
  if (missing) throw new StoreError(`This ${what} has no ${missing}.`, "record");
  if (typeof object["salt"] === "string" && object["salt"].length !== 32)
    throw new StoreError(`This ${what} has a salt of another length.`, "record");
  if (!/^\d{1,19}$/.test(String(object["version"]))) throw new StoreError(`This ${what} has no version.`, "record");
  return file as T;
}

/** Reads a key store's file. */
export function vaultFile(text: string): VaultFile {
  const fields = ["chain_id", "owner", "version", "salt", "nonce", "registration", "commitment", "store"];
  const file = fileOf<VaultFile>(text, FORMAT, "key store", fields);
  for (const cost of ["opsLimit", "memLimitKib"] as const) {
    if (!Number.isInteger(file[cost]) || file[cost] < 1 || file[cost] > COST_MAX[cost])
      throw new StoreError(
        `This key store asks for ${cost} ${file[cost]}, and 1 to ${COST_MAX[cost]} are done.`,
        "record",
      );
  }
  return file;
}

/** Reads a deal's file. */
export function dealFile(text: string): DealFile {
  const file = fileOf<DealFile>(text, DEAL, "deal", ["chain_id", "owner", "version", "deal"]);
  const plain = (one: unknown) =>
    typeof one === "object" &&
    one !== null &&
    ["account", "epoch", "key"].every((name) => typeof (one as Record<string, unknown>)[name] === "string");
  if (!Array.isArray(file.guardians) || !file.guardians.every(plain))
    throw new StoreError("This deal does not name its guardians.", "record");
  return file;
}

const stretch = (phrase: string, { salt, opsLimit, memLimitKib }: Stretched): Promise<Uint8Array> =>
  Argon2id.execute(phrase.normalize("NFKC"), unhex(salt), { opsLimit, memLimitKib, outputLength: 32 });

export class Vault {
  readonly #verifier: Verifier;
  readonly #base: Uint8Array;
  readonly #stretched: Stretched;
  readonly store: KeyStore;
  #nonce: Uint8Array;
  /** How much was erased when the nonce was drawn. */
  #erased = 0;

  private constructor(
    verifier: Verifier,
    base: Uint8Array,
    stretched: Stretched,
    nonce: Uint8Array,
    store: KeyStore,
    readonly chainId: string,
    readonly owner: string,
  ) {
    this.#verifier = verifier;
    this.#base = base;
    this.#stretched = stretched;
    this.#nonce = nonce;
    this.store = store;
  }

  /** A new and empty store. */
  static async create(verifier: Verifier, chainId: string, owner: string, phrase: string): Promise<Vault> {
    return Vault.#under(verifier, verifier.stores.create(), chainId, owner, phrase);
  }

  /** Opens a file with its pass phrase: throws `WrongPhrase`, or `StoreError` where it is older than `least`. */
  static async open(verifier: Verifier, text: string, phrase: string, least = 1n): Promise<Vault> {
    const file = vaultFile(text);
    const { salt, opsLimit, memLimitKib } = file;
    const base = await stretch(phrase, { salt, opsLimit, memLimitKib });
    const nonce = unhex(file.nonce);
    const key = verifier.grants.derive(base, PURPOSE, nonce);
    try {
      const store = opened(verifier, file, key, least, "This pass phrase does not open the key store.");
      return new Vault(verifier, base, { salt, opsLimit, memLimitKib }, nonce, store, file.chain_id, file.owner);
    } finally {
      key.fill(0);
    }
  }

  /** Opens a file with the key that guardians brought back, and puts it under a new pass phrase. */
  static async recover(verifier: Verifier, text: string, key: Uint8Array, phrase: string): Promise<Vault> {
    const file = vaultFile(text);
    const words = "The guardians' shares do not open this copy of the key store: something was erased or dealt anew between them.";
    return Vault.#under(verifier, opened(verifier, file, key, 1n, words), file.chain_id, file.owner, phrase);
  }

  static async #under(
    verifier: Verifier,
    store: KeyStore,
    chainId: string,
    owner: string,
    phrase: string,
  ): Promise<Vault> {
    if (phrase.length < PHRASE_MIN) {
      store.wipe();
      throw new WrongPhrase(`A pass phrase has at least ${PHRASE_MIN} characters.`);
    }
    const stretched = { salt: hex(random(16)), ...COST };
    return new Vault(verifier, await stretch(phrase, stretched), stretched, random(32), store, chainId, owner);
  }

  /**
   * The store as it is now, as a file under a new point. With guardians its key is another one and dealt to them, by the
   * keys that they have registered, any `threshold` of whom bring it back; their deal is of this file, and of those that
   * follow until something is erased.
   */
  file(): string;
  file(threshold: number, guardians: readonly ReaderRow[]): { file: string; deal: string };
  file(threshold?: number, guardians?: readonly ReaderRow[]): string | { file: string; deal: string } {
    const { grants } = this.#verifier;
    if (this.#erased !== this.store.erased || threshold !== undefined) {
      this.#nonce = random(32);
      this.#erased = this.store.erased;
    }
    const [point, nonce] = [grants.newPoint(), this.#nonce];
    const key = grants.derive(this.#base, PURPOSE, nonce);
    const { chainId, owner } = this;
    const version = this.store.version;
    try {
      const commitment = grants.commitment(point);
      const registration = grants.register({ chainId, cid: `store:${version}`, owner, commitment }, key, point);
      const file: VaultFile = {
        format: FORMAT,
        chain_id: chainId,
        owner,
        version: String(version),
        ...this.#stretched,
        nonce: hex(nonce),
        registration: hex(registration),
        commitment: hex(commitment),
        store: toBase64(this.store.seal(point, owner)),
      };
      const text = JSON.stringify(file, null, 1);
      if (threshold === undefined || guardians === undefined) return text;
      const dealt = { chainId, owner, version };
      const deal: DealFile = {
        format: DEAL,
        chain_id: chainId,
        owner,
        version: String(version),
        deal: hex(
          this.#verifier.guardians.deal(
            dealt,
            key,
            threshold,
            guardians.map((one) => one.key),
          ),
        ),
        guardians: guardians.map(({ account, epoch, key }) => ({ account, epoch: String(epoch), key: hex(key) })),
      };
      return { file: text, deal: JSON.stringify(deal, null, 1) };
    } finally {
      point.fill(0);
      key.fill(0);
    }
  }

  /** Wipes what is open of it. */
  lock(): void {
    this.#base.fill(0);
    this.store.wipe();
  }

  toJSON(): string {
    return "Vault";
  }
}

function opened(verifier: Verifier, file: VaultFile, key: Uint8Array, least: bigint, wrong: string): KeyStore {
  const { grants, stores, seals } = verifier;
  const [registration, commitment] = [unhex(file.registration), unhex(file.commitment)];
  const { chain_id: chainId, owner, version } = file;
  const { sealed } = grants.checkRegistration({ chainId, cid: `store:${version}`, owner, commitment }, registration);
  const point = grants.open(key, sealed);
  try {
    if (hex(grants.commitment(point)) !== file.commitment) throw new WrongPhrase(wrong);
    const bytes = fromBase64(file.store);
    if (seals.header(bytes).owner !== owner) throw new StoreError("The sealed store is another owner's.", "record");
    const store = stores.open(bytes, point, least);
    if (String(store.version) !== version)
      throw new StoreError(`The sealed store is version ${store.version}, and its file says ${version}.`, "record");
    return store;
  } finally {
    point.fill(0);
  }
}

/** The parts of a deal that `Verifier.guardians` takes; throws `GrantError` where the deal does not hold. */
export function checkedDeal(verifier: Verifier, text: string) {
  const file = dealFile(text);
  const of = { chainId: file.chain_id, owner: file.owner, version: BigInt(file.version) };
  const [deal, keys] = [unhex(file.deal), file.guardians.map((one) => unhex(one.key))];
  return { file, of, deal, ...verifier.guardians.check(of, deal, keys) };
}

/** A text that holds bytes in hexadecimal; spaces and line breaks are let pass. */
export const bytesOf = (text: string): Uint8Array => unhex(text.replace(/\s/g, "").toLowerCase());

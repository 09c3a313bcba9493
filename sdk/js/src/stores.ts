/**
 * A patient's key store: what the keys of her images follow from, in a form that can forget. Erasing an image takes its
 * nonce out; it is gone when every older copy of the store is, so each version is sealed under a point of its own.
 */
import { Key } from "./key.js";
import { encode, mixed, random, u64, type Wasm } from "./wasm.js";

export class KeyStore {
  readonly #wasm: Wasm;
  #record: Uint8Array;
  #erased = 0;

  private constructor(wasm: Wasm, record: Uint8Array) {
    this.#wasm = wasm;
    this.#record = record;
  }

  /** @internal */
  static of(wasm: Wasm, record: Uint8Array): KeyStore {
    return new KeyStore(wasm, record);
  }

  /** How often it was changed, plus 1. */
  get version(): bigint {
    return BigInt(this.#list().version);
  }

  /** How many nonces were forgotten since it was opened here. */
  get erased(): number {
    return this.#erased;
  }

  /** The images that it has keys of. */
  get images(): string[] {
    return this.#list().images;
  }

  /** Takes in an image, with a new nonce. */
  add(image: string, nonce?: Uint8Array): void {
    this.#become(mixed(nonce, 32, (nonce) => this.#wasm.bytes("store_add", this.#record, encode(image), nonce)));
  }

  /** Forgets an image's nonce. */
  erase(image: string): void {
    this.#become(this.#wasm.bytes("store_erase", this.#record, encode(image)));
    this.#erased++;
  }

  /** Gives what stands under one name another one: an account that was waiting for an image gets the image's name. */
  rename(from: string, to: string): void {
    this.#become(this.#wasm.bytes("store_rename", this.#record, encode(from), encode(to)));
  }

  /** Her secret key of an image. */
  key(image: string): Uint8Array {
    return this.#wasm.bytes("store_key", this.#record, encode(image));
  }

  /** The account that registers an image and grants its key: its own for each image, and gone with the nonce. */
  account(image: string): Key {
    return this.#account("store_account", encode(image));
  }

  /**
   * A nonce for an image that is not sealed yet, and the account that follows from it: its address stands in the sealed
   * file. `add` the nonce under the file's CID.
   */
  next(nonce: Uint8Array = random(32)): { nonce: Uint8Array; account: Key } {
    return { nonce, account: this.#account("store_account_of", nonce) };
  }

  /** The store as a sealed file. Use a point of its own for each version. */
  seal(point: Uint8Array, owner: string, salt?: Uint8Array): Uint8Array {
    return mixed(salt, 32, (salt) => this.#wasm.bytes("store_seal", this.#record, point, encode(owner), salt));
  }

  /** Wipes it; it is of no use afterwards. */
  wipe(): void {
    this.#record.fill(0);
    this.#record = new Uint8Array();
  }

  toJSON(): string {
    return "KeyStore";
  }

  #account(name: string, which: Uint8Array): Key {
    const secret = this.#wasm.bytes(name, this.#record, which);
    try {
      return Key.fromSecret(secret);
    } finally {
      secret.fill(0);
    }
  }

  #list(): { version: string; images: string[] } {
    return this.#wasm.call("store_list", this.#record).ok as { version: string; images: string[] };
  }

  #become(record: Uint8Array): void {
    this.#record.fill(0);
    this.#record = record;
  }
}

export class KeyStores {
  readonly #wasm: Wasm;

  constructor(wasm: Wasm) {
    this.#wasm = wasm;
  }

  /** An empty store with a new master secret. */
  create(master?: Uint8Array): KeyStore {
    return KeyStore.of(this.#wasm, mixed(master, 32, (master) => this.#wasm.bytes("store_new", master)));
  }

  /** Opens a sealed store of at least version `least`: the newest that was seen. */
  open(file: Uint8Array, point: Uint8Array, least = 1n): KeyStore {
    return KeyStore.of(this.#wasm, this.#wasm.bytes("store_open", file, point, u64(least)));
  }
}

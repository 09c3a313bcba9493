/** An account's key: secp256k1, derived as every Cosmos wallet does. It never leaves the process. */
import { Bip39, EnglishMnemonic, Random, Secp256k1, Slip10, Slip10Curve, sha256, stringToPath } from "@cosmjs/crypto";
import { ripemd160 } from "@cosmjs/crypto";
import { toBech32 } from "@cosmjs/encoding";
import { DirectSecp256k1Wallet, type OfflineDirectSigner } from "@cosmjs/proto-signing";

/** BIP-44 with Cosmos' coin type, first account. */
const PATH = stringToPath("m/44'/118'/0'/0/0");

export class Key {
  readonly #secret: Uint8Array;
  /** 33 bytes, compressed. */
  readonly publicKey: Uint8Array;

  private constructor(secret: Uint8Array) {
    this.#secret = secret;
    this.publicKey = Secp256k1.compressPubkey(Secp256k1.makeKeypair(secret).pubkey);
  }

  /** 24 words for a new key. */
  static newWords(): string {
    return Bip39.encode(Random.getBytes(32)).toString();
  }

  /** The key of 24 English words. */
  static async fromWords(words: string): Promise<Key> {
    const list = words.trim().toLowerCase().split(/\s+/);
    if (list.length !== 24)
      throw new Error(`A key has 24 words, and these are ${words.trim() === "" ? 0 : list.length}.`);
    let mnemonic;
    try {
      mnemonic = new EnglishMnemonic(list.join(" "));
    } catch {
      throw new Error("These 24 words are no key: a word is not in the English list, or one was mistyped.");
    }
    const seed = await Bip39.mnemonicToSeed(mnemonic);
    return new Key(Slip10.derivePath(Slip10Curve.Secp256k1, seed, PATH).privkey);
  }

  /** The key with these 32 bytes, which are copied. */
  static fromSecret(secret: Uint8Array): Key {
    if (secret.length !== 32) throw new Error(`A key has 32 bytes, and these are ${secret.length}.`);
    return new Key(secret.slice());
  }

  /** `bech32(prefix, ripemd160(sha256(public key)))` */
  address(prefix: string): string {
    return toBech32(prefix, ripemd160(sha256(this.publicKey)));
  }

  /** ECDSA over SHA-256 of the message: 64 bytes `r ‖ s`, low s. */
  sign(message: Uint8Array): Uint8Array {
    return Secp256k1.createSignature(sha256(message), this.#secret).toFixedLength().slice(0, 64);
  }

  /** For CosmJS: signs transactions of the chain whose addresses begin with `prefix`. */
  signer(prefix: string): Promise<OfflineDirectSigner> {
    return DirectSecp256k1Wallet.fromKey(this.#secret, prefix);
  }
}

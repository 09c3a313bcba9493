/**
 * A secret key dealt to guardians, some of whom bring it back together. Whoever lies is found: shares are compared with
 * what was published. The rules on secrets of `grants.ts` hold here too.
 */
import { concat, json, mixed, u32, type Wasm } from "./wasm.js";

/** What a deal is about. What is dealt later has a higher version and takes the older one's place. */
export interface Dealt {
  chainId: string;
  owner: string;
  version: bigint;
}

/** What everybody sees of a deal that holds. */
export interface Deal {
  /** The key whose secret was dealt, 48 bytes. */
  key: Uint8Array;
  /** How many guardians bring it back. */
  threshold: number;
  guardians: number;
}

const about = ({ chainId, owner, version }: Dealt, more: object = {}): Uint8Array =>
  json({ chain_id: chainId, owner, version: String(version), ...more });

export class Guardians {
  readonly #wasm: Wasm;

  constructor(wasm: Wasm) {
    this.#wasm = wasm;
  }

  /** Deals a secret key to 1 to 32 guardians' keys, any `threshold` of whom bring it back. */
  deal(
    of: Dealt,
    secret: Uint8Array,
    threshold: number,
    guardians: readonly Uint8Array[],
    entropy?: Uint8Array,
  ): Uint8Array {
    const keys = concat(guardians);
    return mixed(entropy, 64, (entropy) => this.#wasm.bytes("deal", about(of, { threshold }), secret, keys, entropy));
  }

  /** Throws `GrantError` unless whoever dealt had the secret and meant these guardians. */
  check(of: Dealt, deal: Uint8Array, guardians: readonly Uint8Array[]): Deal {
    const { ok, bytes } = this.#wasm.call("check_deal", about(of), deal, concat(guardians));
    return { ...(ok as Omit<Deal, "key">), key: bytes };
  }

  /** A guardian's share, by her place from 1: 33 secret bytes. Throws if the dealer gave her something else. */
  open(of: Dealt, deal: Uint8Array, place: number, secret: Uint8Array): Uint8Array {
    return this.#wasm.bytes("deal_open", about(of), deal, u32(place), secret);
  }

  /** A share for the key of who collects them: 81 bytes that only she can use. */
  hand(of: Dealt, deal: Uint8Array, share: Uint8Array, to: Uint8Array, entropy?: Uint8Array): Uint8Array {
    return mixed(entropy, 64, (entropy) => this.#wasm.bytes("share_hand", about(of), deal, share, to, entropy));
  }

  /** A share that was handed over. Throws if its guardian handed in something else. */
  receive(of: Dealt, deal: Uint8Array, handed: Uint8Array, secret: Uint8Array): Uint8Array {
    return this.#wasm.bytes("share_receive", about(of), deal, handed, secret);
  }

  /** The secret key again. */
  recover(deal: Uint8Array, shares: readonly Uint8Array[]): Uint8Array {
    const all = concat(shares);
    try {
      return this.#wasm.bytes("deal_recover", deal, all);
    } finally {
      all.fill(0);
    }
  }
}

/**
 * Compact receipts: a sealed read with what its committee signed, in a few hundred bytes. They are checked against roots,
 * the attestation keys of a time; trusted is the digest of the first, and each later one is signed by more than two
 * thirds of the power in the one before. No node is asked.
 */
import { NotProven } from "./errors.js";

/** Calls `aceso_{name}` of the chain's own code. */
interface Calls {
  call(name: string, ...args: Uint8Array[]): { ok: unknown; bytes: Uint8Array };
}

/** What is known of the input of a read that was computed. */
export interface SealedInput {
  /** The input's identity for who asked: the same pixels have the same, however they are sealed. */
  claim: string;
  /** Whether an institution vouches for just these pixels. */
  vouched: boolean;
}

/** What a job came to. Bytes are in hexadecimal. */
export type CompactOutcome =
  | { failed: string }
  | { open: { input: SealedInput; outputs: { ty: string; dims: number[]; data: string }[] } }
  | { predicate: { input: SealedInput; findings: { id: string; present: boolean }[] } }
  | { sealed: { input: SealedInput; commitment: string; ciphertext: string } }
  | { stored: { input: SealedInput; commitment: string; blob: string; size: number } };

/** A compact receipt. */
export interface Compact {
  version: number;
  root: number;
  members: number[];
  statement: {
    chain_id: string;
    job: number;
    requested: number;
    model: string;
    pipeline: string;
    image: string;
    /** From 1; absent where it is the first. */
    frame?: number;
    owner: string;
    requester: string;
    consent: string;
    disclosure: "open" | "sealed" | { predicate: string[] };
  };
  outcome: CompactOutcome;
  signers: string;
  signature: string;
}

/** A member of a committee. */
export interface Member {
  number: number;
  power: number;
  signed: boolean;
}

/** A sealed read that is proven. */
export interface CompactVerified {
  compact: Compact;
  /** The digest of the committee. */
  committee: string;
  members: Member[];
  /** The power of those who signed. */
  signed: number;
  /** The committee's power. */
  power: number;
  /** The power of all validators. */
  total: number;
}

/** An attestation key of a root, in hexadecimal, and whose it is: a validator's number is never given again. */
export interface RootKey {
  number: number;
  key: string;
  power: number;
  epoch: number;
}

/** What is demanded of a committee. What is left out is not demanded. */
export interface Acceptance {
  /** Fewest members. */
  members_min?: number;
  /** Smallest share of all validators' power that the members have together, in hundredths of a percent. */
  power_min_bps?: number;
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

export class Compacts {
  readonly #code: Calls;

  /** @internal */
  constructor(code: Calls) {
    this.#code = code;
  }

  /** Verifies a compact receipt against a roots file; throws `NotProven` with the reason. */
  verify(compact: Uint8Array, roots: Uint8Array, demanded: Acceptance = {}): CompactVerified {
    return this.#code.call("verify_compact", compact, roots, json(demanded)).ok as CompactVerified;
  }

  /** The compact receipt in a receipt of a sealed read. */
  of(receipt: Uint8Array): Uint8Array {
    return this.#code.call("compact", receipt).bytes;
  }

  /** A roots file that begins with a root and trusts it: compare `trusted` with somebody who has it from elsewhere. `row` is
   * the node's answer to the query for a root. */
  trust(row: Uint8Array): { trusted: string; latest: number; roots: Uint8Array } {
    return this.#follow(new Uint8Array(), row);
  }

  /** A roots file with the next root, if the one before has signed it; throws `NotProven` where not. */
  follow(roots: Uint8Array, row: Uint8Array): { trusted: string; latest: number; roots: Uint8Array } {
    return this.#follow(roots, row);
  }

  /** What a roots file says of itself; whether it is true shows when it is used. */
  about(roots: Uint8Array): { chainId: string; trusted: string; latest: number; keys: RootKey[] } {
    const { trusted, roots: all } = JSON.parse(new TextDecoder().decode(roots)) as {
      trusted: string;
      roots: { root: { chain_id: string; number: number; keys: RootKey[] } }[];
    };
    const last = all.at(-1)?.root;
    if (!last) throw new NotProven("the file has no roots");
    return { chainId: last.chain_id, trusted, latest: last.number, keys: last.keys };
  }

  #follow(roots: Uint8Array, row: Uint8Array): { trusted: string; latest: number; roots: Uint8Array } {
    const { ok, bytes } = this.#code.call("follow", roots, row);
    const { trusted, latest } = ok as { trusted: string; latest: number };
    return { trusted, latest, roots: bytes };
  }
}

/**
 * Grants: how a patient hands the key of what she sealed to a reader so that everybody can check it and nobody else
 * learns it. `docs/grants.md` has the protocol; the arithmetic is the Rust code's.
 *
 * Secrets are arrays of bytes, never texts: wipe them (`bytes.fill(0)`) when they are done with. Where a call takes
 * `entropy`, leave it out: it is for vectors.
 */
import { concat, encode, hex, json, mixed, random, u32, type Wasm } from "./wasm.js";

/** What a registration is about. */
export interface Registered {
  chainId: string;
  /** What was sealed: a file's CID, or a record's name. */
  cid: string;
  owner: string;
  /** `Grants.commitment` of the content point. */
  commitment: Uint8Array;
}

/** What a wrap is about. It holds for nothing else. */
export interface Granted {
  chainId: string;
  version: number;
  /** A digest of 32 bytes: of the registration, or of the wrap that this one passes on. */
  source: Uint8Array;
  cid: string;
  owner: string;
  grant: bigint;
  /** 16 bytes that the granter uses once. */
  nonce: Uint8Array;
  epoch: bigint;
  /** A digest of 32 bytes. */
  committee: Uint8Array;
  /** A digest of 32 bytes. */
  terms: Uint8Array;
}

/** What an opening is about. */
export interface Opened {
  chainId: string;
  /** The job that is disputed with it. */
  job: bigint;
}

/** A registration's parts. */
export interface Registration {
  /** Her key of this image, 48 bytes. */
  key: Uint8Array;
  /** The content point for that key, 96 bytes. */
  sealed: Uint8Array;
}

const about = ({ chainId, cid, owner, commitment }: Registered): Uint8Array =>
  json({ chain_id: chainId, cid, owner, commitment: hex(commitment) });

const aboutWrap = (of: Granted): Uint8Array =>
  json({
    chain_id: of.chainId,
    version: of.version,
    source: hex(of.source),
    cid: of.cid,
    owner: of.owner,
    grant: String(of.grant),
    nonce: hex(of.nonce),
    epoch: String(of.epoch),
    committee: hex(of.committee),
    terms: hex(of.terms),
  });

const aboutOpening = ({ chainId, job }: Opened): Uint8Array => json({ chain_id: chainId, job: String(job) });

const bytesOf = (text: string | Uint8Array): Uint8Array => (typeof text === "string" ? encode(text) : text);

export class Grants {
  readonly #wasm: Wasm;

  constructor(wasm: Wasm) {
    this.#wasm = wasm;
  }

  /** A new content point: 48 secret bytes, from which the keys of what is sealed follow. */
  newPoint(entropy?: Uint8Array): Uint8Array {
    return mixed(entropy, 64, (entropy) => this.#wasm.bytes("point", entropy));
  }

  /** The key of 32 bytes for a purpose. */
  pointKey(point: Uint8Array, purpose: string | Uint8Array): Uint8Array {
    return this.#wasm.bytes("point_key", point, bytesOf(purpose));
  }

  /** What a registration says of a point: 32 bytes that give nothing away. */
  commitment(point: Uint8Array): Uint8Array {
    return this.#wasm.bytes("point_commitment", point);
  }

  /** A new secret key, 32 bytes. */
  newSecret(): Uint8Array {
    const master = random(32);
    try {
      return this.derive(master, "aceso/secret/1", new Uint8Array());
    } finally {
      master.fill(0);
    }
  }

  /** The secret key that follows from a master secret of 32 bytes. */
  derive(master: Uint8Array, purpose: string | Uint8Array, context: Uint8Array): Uint8Array {
    return this.#wasm.bytes("derive", master, bytesOf(purpose), context);
  }

  /** The key that others know, 48 bytes. */
  publicKey(secret: Uint8Array): Uint8Array {
    return this.#wasm.bytes("public", secret);
  }

  /** A content point registered for its owner's key: 240 bytes. */
  register(of: Registered, secret: Uint8Array, point: Uint8Array, entropy?: Uint8Array): Uint8Array {
    return mixed(entropy, 64, (entropy) => this.#wasm.bytes("register", about(of), secret, point, entropy));
  }

  /** Throws `GrantError` unless the registration holds; answers its parts. */
  checkRegistration(of: Registered, registration: Uint8Array): Registration {
    this.#wasm.call("check_registration", about(of), registration);
    return { key: registration.slice(0, 48), sealed: registration.slice(48, 144) };
  }

  /**
   * Wraps what `from` (96 bytes) holds for `secret` for 1 to 128 members' keys. `from` is a registration's `sealed`, or
   * what somebody was given herself (`of`) and may pass on.
   */
  wrap(of: Granted, secret: Uint8Array, from: Uint8Array, members: readonly Uint8Array[], entropy?: Uint8Array): Uint8Array {
    const keys = concat(members);
    return mixed(entropy, 64, (entropy) => this.#wasm.bytes("wrap", aboutWrap(of), secret, from, keys, entropy));
  }

  /** Throws `GrantError` unless every member gets what `from` holds for `key`. */
  checkWrap(
    of: Granted,
    key: Uint8Array,
    from: Uint8Array,
    members: readonly Uint8Array[],
    wrap: Uint8Array,
  ): void {
    this.#wasm.call("check_wrap", aboutWrap(of), key, from, concat(members), wrap);
  }

  /** What a wrap has for a member, by her place from 0: 96 bytes. */
  of(wrap: Uint8Array, place: number): Uint8Array {
    return this.#wasm.bytes("wrap_of", wrap, u32(place));
  }

  /** The content point for whom it was sealed. Another's secret gives another point: compare `commitment`. */
  open(secret: Uint8Array, sealed: Uint8Array): Uint8Array {
    return this.#wasm.bytes("open", secret, sealed);
  }

  /**
   * What a ciphertext holds for `secret`, with the proof (64 bytes) that it is that: for a `MsgDispute`. Whoever sees the point
   * opens everything that is sealed under it.
   */
  show(of: Opened, secret: Uint8Array, sealed: Uint8Array, entropy?: Uint8Array): { point: Uint8Array; proof: Uint8Array } {
    const all = mixed(entropy, 64, (entropy) => this.#wasm.bytes("opening", aboutOpening(of), secret, sealed, entropy));
    return { point: all.slice(0, 48), proof: all.slice(48) };
  }

  /** Throws `GrantError` unless the point is what `sealed` holds for `key`. */
  checkShown(of: Opened, key: Uint8Array, sealed: Uint8Array, point: Uint8Array, proof: Uint8Array): void {
    this.#wasm.call("check_opening", aboutOpening(of), key, sealed, concat([point, proof]));
  }

  /** Shows that its holder has a secret key, in this context: 64 bytes. */
  possession(secret: Uint8Array, context: string | Uint8Array, entropy?: Uint8Array): Uint8Array {
    return mixed(entropy, 64, (entropy) => this.#wasm.bytes("possession", secret, bytesOf(context), entropy));
  }

  /** Throws `GrantError` unless the proof is of this key in this context. */
  checkPossession(key: Uint8Array, context: string | Uint8Array, proof: Uint8Array): void {
    this.#wasm.call("check_possession", key, bytesOf(context), proof);
  }
}

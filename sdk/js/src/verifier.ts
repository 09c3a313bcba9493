/**
 * The chain's own Rust code as WebAssembly: verifies, recomputes, shows pictures, reads dag-cbor, seals and grants. It
 * has no imports, so it reaches nothing but its own memory.
 */
import { Compacts } from "./compact.js";
import type {
  ImageFacts,
  JournalEntry,
  Manifest,
  OpenedOutcome,
  Origin,
  Outcome,
  OutputFile,
  Preview,
  Receipt,
  Trust,
  Verified,
} from "./records.js";
import { Granter } from "./granting.js";
import { Grants } from "./grants.js";
import { Guardians } from "./guardians.js";
import { Models } from "./models.js";
import { Seals } from "./seals.js";
import { KeyStores } from "./stores.js";
import { Wasm, encode, json, u32, u64 } from "./wasm.js";

/** What the chain has of a sealed file; digests in hexadecimal. */
export interface SealedAbout {
  owner: string;
  commitment: string;
  modality: string;
  body_part: string;
  /** What decoding its dearest frame may take, as registered. */
  effort: number;
  /** The pixels that an institution vouches for. */
  vouched: string | null;
}

export class Verifier {
  readonly #wasm: Wasm;
  /** What committees have signed. */
  readonly compacts: Compacts;
  /** Keys handed on. */
  readonly grants: Grants;
  /** Messages about sealed records. */
  readonly granter: Granter;
  /** Secrets dealt. */
  readonly guardians: Guardians;
  /** Models computed here. */
  readonly models: Models;
  /** Records sealed and opened. */
  readonly seals: Seals;
  /** Patients' keys. */
  readonly stores: KeyStores;

  private constructor(module: WebAssembly.Module) {
    this.#wasm = new Wasm(module);
    this.compacts = new Compacts(this.#wasm);
    this.grants = new Grants(this.#wasm);
    this.granter = new Granter(this.#wasm, this.grants);
    this.guardians = new Guardians(this.#wasm);
    this.models = new Models(this.#wasm);
    this.seals = new Seals(this.#wasm);
    this.stores = new KeyStores(this.#wasm);
  }

  /** From the bytes of `@aceso/sdk/verify.wasm`, or the response of a request for them. */
  static async load(source: Uint8Array<ArrayBuffer> | Response | Promise<Response>): Promise<Verifier> {
    const from = await source;
    if (from instanceof Uint8Array) return new Verifier(await WebAssembly.compile(from));
    if (!from.ok) throw new Error(`The verifier cannot be loaded: ${from.url} answers ${from.status}.`);
    return new Verifier(await WebAssembly.compile(await from.arrayBuffer()));
  }

  /** Verifies a receipt file against a trust; throws `NotProven` with the reason. */
  verify(evidence: Uint8Array, trust: Trust): Verified {
    return this.#call("verify", evidence, json(trust)).ok as Verified;
  }

  /** Computes a receipt's outcome again from all that it names; throws `NotProven` where it differs in one bit. */
  recompute(receipt: Uint8Array, manifest: Uint8Array, onnx: Uint8Array, image: Uint8Array): Outcome {
    return this.#call("recompute", receipt, manifest, onnx, image).ok as Outcome;
  }

  /**
   * Opens a sealed file with its content point and computes a sealed read's outcome again, as its committee did; throws
   * `NotProven` where it differs in one bit.
   */
  recomputeSealed(
    receipt: Uint8Array,
    manifest: Uint8Array,
    onnx: Uint8Array,
    point: Uint8Array,
    about: SealedAbout,
    file: Uint8Array,
  ): OpenedOutcome {
    return opened(this.#call("recompute_sealed", receipt, manifest, onnx, point, json(about), file));
  }

  /**
   * What a sealed read came to, opened with its record's content point. Nothing is computed. `file` is the one that a long
   * result's outcome names.
   */
  outputs(
    receipt: Uint8Array,
    manifest: Uint8Array,
    point: Uint8Array,
    file: Uint8Array = new Uint8Array(),
  ): OpenedOutcome {
    return opened(this.#call("outputs", receipt, manifest, point, file));
  }

  /** A receipt file of its parts; `commit` and `validators` are the RPC's results. */
  evidence(
    receipt: Uint8Array,
    componentProof: Uint8Array,
    appProof: Uint8Array,
    commit: unknown,
    validators: unknown[],
  ): Uint8Array {
    return this.#call("evidence", receipt, componentProof, appProof, json(commit), json(validators)).bytes;
  }

  /** What a picture file is, or a frame of it; the first has number 1. */
  image(file: Uint8Array, frame = 1): ImageFacts {
    return this.#call("image", file, u32(frame)).ok as ImageFacts;
  }

  /** What decoding the dearest frame of a picture file takes, for its registration; 0 where no more than any may take. */
  effort(file: Uint8Array): bigint {
    return BigInt(this.#call("effort", file).ok as string);
  }

  /** A picture file, or a frame of it, in 8 bits, at most 1024 pixels a side. */
  preview(file: Uint8Array, frame = 1): Preview {
    const { ok, bytes } = this.#call("preview", file, u32(frame));
    return { ...(ok as Omit<Preview, "data">), data: bytes };
  }

  /** A receipt, not proven. */
  receipt(bytes: Uint8Array): Receipt {
    return this.#call("receipt", bytes).ok as Receipt;
  }

  manifest(bytes: Uint8Array): { id: string; manifest: Manifest } {
    return this.#call("manifest", bytes).ok as { id: string; manifest: Manifest };
  }

  /** A manifest's id and canonical dag-cbor. */
  encodeManifest(manifest: unknown): { id: string; bytes: Uint8Array } {
    const { ok, bytes } = this.#call("manifest_of", json(manifest));
    return { id: (ok as { id: string }).id, bytes };
  }

  journal(bytes: Uint8Array): JournalEntry {
    return this.#call("journal", bytes).ok as JournalEntry;
  }

  /** What an institution signs for an image. */
  originBytes(origin: Origin, chainId: string): Uint8Array {
    return this.#call("origin", json(origin), encode(chainId)).bytes;
  }

  /** What a request for a guarded image signs; `expires` in Unix seconds. */
  fetchBytes(chainId: string, cid: string, expires: number): Uint8Array {
    return this.#call("fetch", encode(chainId), encode(cid), u64(BigInt(expires))).bytes;
  }

  #call(name: string, ...args: Uint8Array[]): { ok: unknown; bytes: Uint8Array } {
    return this.#wasm.call(name, ...args);
  }
}

/** What a sealed read came to, with the files that the module hands over one after the other. */
function opened({ ok, bytes }: { ok: unknown; bytes: Uint8Array }): OpenedOutcome {
  const told = ok as Omit<OpenedOutcome, "files"> & { files: (Omit<OutputFile, "npy"> & { bytes: number })[] };
  let at = 0;
  const files = told.files.map(({ bytes: length, ...file }) => ({ ...file, npy: bytes.slice(at, (at += length)) }));
  return { ...told, files };
}

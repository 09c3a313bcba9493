/**
 * The chain's own Rust code as WebAssembly: verifies, recomputes, shows pictures, reads dag-cbor. It has no imports, so
 * it reaches nothing but its own memory. The rules of its exports stand in `wasm/src/abi.rs`.
 */
import { Compacts } from "./compact.js";
import type {
  ImageFacts,
  JournalEntry,
  Manifest,
  Origin,
  Outcome,
  Preview,
  Receipt,
  Trust,
  Verified,
} from "./records.js";

type Call = (...regions: number[]) => number;

interface Exports {
  memory: WebAssembly.Memory;
  aceso_alloc(length: number): number;
  aceso_len(region: number): number;
  aceso_free(region: number): void;
  [name: `aceso_${string}`]: Call | ((region: number) => void);
}

/** The bytes are not what they should be: a receipt that is not proven, a file that is no picture, a wrong manifest. */
export class NotProven extends Error {
  override name = "NotProven";
}

const utf8 = new TextEncoder();
const json = (value: unknown): Uint8Array => utf8.encode(JSON.stringify(value));

export class Verifier {
  readonly #module: WebAssembly.Module;
  #instance: Exports | undefined;
  /** What committees have signed. */
  readonly compacts = new Compacts({ call: (name, ...args) => this.#call(name, ...args) });

  private constructor(module: WebAssembly.Module) {
    this.#module = module;
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

  /** What a picture file is. */
  image(file: Uint8Array): ImageFacts {
    return this.#call("image", file).ok as ImageFacts;
  }

  /** A picture file in 8 bits, at most 1024 pixels a side. */
  preview(file: Uint8Array): Preview {
    const { ok, bytes } = this.#call("preview", file);
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
    return this.#call("origin", json(origin), utf8.encode(chainId)).bytes;
  }

  /** What a request for a guarded image signs; `expires` in Unix seconds. */
  fetchBytes(chainId: string, cid: string, expires: number): Uint8Array {
    const time = new Uint8Array(8);
    new DataView(time.buffer).setBigUint64(0, BigInt(expires));
    return this.#call("fetch", utf8.encode(chainId), utf8.encode(cid), time).bytes;
  }

  #call(name: string, ...args: Uint8Array[]): { ok: unknown; bytes: Uint8Array } {
    const wasm = (this.#instance ??= new WebAssembly.Instance(this.#module).exports as unknown as Exports);
    const regions: number[] = [];
    try {
      for (const arg of args) regions.push(put(wasm, arg));
      const answer = (wasm[`aceso_${name}`] as Call)(...regions);
      regions.push(answer);
      const all = new Uint8Array(wasm.memory.buffer, answer, wasm.aceso_len(answer)).slice();
      const length = new DataView(all.buffer).getUint32(0, true);
      const said = JSON.parse(new TextDecoder().decode(all.subarray(4, 4 + length))) as {
        ok?: unknown;
        error?: string;
      };
      if (said.error !== undefined) throw new NotProven(said.error);
      regions.splice(0).forEach((region) => wasm.aceso_free(region));
      return { ok: said.ok, bytes: all.slice(4 + length) };
    } catch (error) {
      if (error instanceof NotProven) regions.forEach((region) => wasm.aceso_free(region));
      // After a trap nothing is known of its memory: the next call gets a new one.
      else this.#instance = undefined;
      throw error;
    }
  }
}

function put(wasm: Exports, bytes: Uint8Array): number {
  // An empty argument needs no region: 0 is none, and reads as empty.
  if (bytes.length === 0) return 0;
  const region = wasm.aceso_alloc(bytes.length);
  if (region === 0) throw new NotProven(`there is no room for ${bytes.length} bytes`);
  new Uint8Array(wasm.memory.buffer, region, bytes.length).set(bytes);
  return region;
}

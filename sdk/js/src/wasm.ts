/** Calls into the chain's own Rust code. The rules of its exports stand in `wasm/src/abi.rs`. */
import { NotProven, refusal, type Refusal } from "./errors.js";

type Call = (...regions: number[]) => number;

interface Exports {
  memory: WebAssembly.Memory;
  aceso_alloc(length: number): number;
  aceso_len(region: number): number;
  aceso_free(region: number): void;
  [name: `aceso_${string}`]: Call | ((region: number) => void);
}

const utf8 = new TextEncoder();
/** A text's bytes. */
export const encode = (text: string): Uint8Array => utf8.encode(text);
/** A value's bytes in JSON. Nothing secret goes this way: texts cannot be wiped. */
export const json = (value: unknown): Uint8Array => utf8.encode(JSON.stringify(value));

export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function concat(all: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(all.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of all) {
    joined.set(one, at);
    at += one.length;
  }
  return joined;
}

/** A number of 32 bits, the most significant byte first. */
export function u32(number: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

/** A number of 64 bits, the most significant byte first. */
export function u64(number: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, number);
  return bytes;
}

/** Random bytes of the platform. */
export const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

/** Hands random bytes to a call and wipes them. Those that a caller brings are hers, and stay. */
export function mixed<T>(given: Uint8Array | undefined, length: number, use: (entropy: Uint8Array) => T): T {
  if (given) return use(given);
  const entropy = random(length);
  try {
    return use(entropy);
  } finally {
    entropy.fill(0);
  }
}

/** One memory with the code in it. A trap ends it. */
export class Instance {
  readonly #exports: Exports;
  #ended = false;

  constructor(module: WebAssembly.Module) {
    this.#exports = new WebAssembly.Instance(module).exports as unknown as Exports;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Calls `aceso_{name}`; throws what it refuses as one of the errors of `errors.ts`. */
  call(name: string, ...args: Uint8Array[]): { ok: unknown; bytes: Uint8Array } {
    if (this.#ended) throw new Error("This was in progress when the code failed: begin it again.");
    const wasm = this.#exports;
    const regions: number[] = [];
    let said: { ok: unknown } | Refusal;
    let bytes: Uint8Array;
    try {
      for (const arg of args) regions.push(put(wasm, arg));
      const answer = (wasm[`aceso_${name}`] as Call)(...regions);
      regions.push(answer);
      const all = new Uint8Array(wasm.memory.buffer, answer, wasm.aceso_len(answer));
      const length = new DataView(wasm.memory.buffer, answer).getUint32(0, true);
      said = JSON.parse(new TextDecoder().decode(all.subarray(4, 4 + length))) as typeof said;
      bytes = all.slice(4 + length);
    } catch (error) {
      // After a trap nothing is known of its memory: the next call gets a new one.
      if (error instanceof NotProven) regions.forEach((region) => wasm.aceso_free(region));
      else this.#ended = true;
      throw error;
    }
    regions.forEach((region) => wasm.aceso_free(region));
    if ("error" in said) throw refusal(said);
    return { ok: said.ok, bytes };
  }
}

/** The module, and an instance of it that works. */
export class Wasm {
  readonly #module: WebAssembly.Module;
  #instance: Instance | undefined;

  constructor(module: WebAssembly.Module) {
    this.#module = module;
  }

  /** What is in progress keeps the instance in which it began. */
  get instance(): Instance {
    if (!this.#instance || this.#instance.ended) this.#instance = new Instance(this.#module);
    return this.#instance;
  }

  call(name: string, ...args: Uint8Array[]): { ok: unknown; bytes: Uint8Array } {
    return this.instance.call(name, ...args);
  }

  bytes(name: string, ...args: Uint8Array[]): Uint8Array {
    return this.call(name, ...args).bytes;
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

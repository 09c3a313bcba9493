/**
 * Records sealed so that only who holds the content point reads them, and opened again, also from the middle. The bytes
 * are those of `chain/blobs/FORMAT.md`, in pieces: of a file of any length one leaf is in memory.
 */
import { json, mixed, u32, type Instance, type Wasm } from "./wasm.js";

/** Bytes of a leaf. */
export const LEAF = 1 << 20;

/** What is sealed. */
export interface RecordAbout {
  /** The address that registers it. */
  owner: string;
  /** What the record is: `application/dicom`, `application/fhir+json`, `application/pdf`… */
  media: string;
  /** What its owner wants to find it by; nobody else sees it. */
  tags?: Record<string, string>;
}

/** A file's public header. */
export interface SealedHeader {
  owner: string;
  /** Hexadecimal. */
  salt: string;
  /** Hexadecimal. */
  commitment: string;
  /** How many bytes of the file it takes. */
  bytes: number;
}

/** What stands inside, before the record. */
export interface RecordInner {
  media: string;
  length: bigint;
  deflated: boolean;
  tags: Record<string, string>;
}

/** Where bytes come from. */
export type Source = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** A record that is being opened. */
export interface Opened {
  owner: string;
  inner: RecordInner;
  /** Ends with `SealError` if something was changed. Only when it has ended well is it certain that nothing was cut off. */
  record: ReadableStream<Uint8Array>;
}

const inner = (json: Omit<RecordInner, "length"> & { length: string }): RecordInner => ({
  ...json,
  length: BigInt(json.length),
});

export class Seals {
  readonly #wasm: Wasm;

  constructor(wasm: Wasm) {
    this.#wasm = wasm;
  }

  /** Seals a record of `length` bytes as it comes: a stream of whole leaves. */
  stream(point: Uint8Array, about: RecordAbout & { length: number | bigint }, record: Source, salt?: Uint8Array): ReadableStream<Uint8Array> {
    return streamed(this.#seal(point, about, record, salt));
  }

  /** Seals a whole record. */
  seal(point: Uint8Array, about: RecordAbout, record: Uint8Array, salt?: Uint8Array): Uint8Array {
    const task = this.#begin(point, { ...about, length: record.length }, salt);
    try {
      const leaves = [...pieces(record)].map((piece) => task.bytes("seal_write", piece));
      leaves.push(task.bytes("seal_finish"));
      const file = new Uint8Array(leaves.reduce((sum, leaf) => sum + leaf.length, 0));
      leaves.reduce((at, leaf) => (file.set(leaf, at), at + leaf.length), 0);
      return file;
    } finally {
      task.end();
    }
  }

  /** The public header of a file, or of its first KiB. */
  header(file: Uint8Array): SealedHeader {
    return this.#wasm.call("seal_header", file.subarray(0, 2048)).ok as SealedHeader;
  }

  /**
   * Opens one leaf, whose number counts from 0, of a file of `size` bytes that begins with `first` (its first leaf or KiB):
   * what was sealed in it. `Math.ceil(size / LEAF)` leaves there are.
   */
  leaf(point: Uint8Array, first: Uint8Array, size: number | bigint, number: number, leaf: Uint8Array): Uint8Array {
    const about = json({ size: String(size), leaf: number });
    return this.#wasm.bytes("seal_leaf", point, first.subarray(0, 2048), about, leaf);
  }

  /** Opens a whole file with at most `most` bytes of record. Nothing comes out of one that was cut or changed. */
  open(point: Uint8Array, file: Uint8Array, most = 128 << 20): { owner: string; inner: RecordInner; record: Uint8Array } {
    const task = this.#unseal(point, file, file.length, most);
    const read: Uint8Array[] = [];
    try {
      for (const leaf of pieces(file)) read.push(...opened(task, leaf));
      const { owner, inner: within } = task.call("unseal_finish").ok as { owner: string; inner: Parameters<typeof inner>[0] };
      const record = new Uint8Array(read.reduce((sum, piece) => sum + piece.length, 0));
      read.reduce((at, piece) => (record.set(piece, at), at + piece.length), 0);
      return { owner, inner: inner(within), record };
    } finally {
      read.forEach((piece) => piece.fill(0));
      task.end();
    }
  }

  /** Opens a file of `size` bytes as it comes. Answers when the first leaf is open. */
  async openStream(point: Uint8Array, file: Source, size: number | bigint, most: number | bigint): Promise<Opened> {
    const all = leaves(file);
    const first = await all.next();
    const task = this.#unseal(point, first.done ? new Uint8Array() : first.value, size, most);
    try {
      const { ok } = task.call("unseal_leaf", first.done ? new Uint8Array() : first.value);
      // Before its first step a generator has nothing to clean up after, so what was begun is ended here.
      const record = streamed(rest(task, all), async () => {
        task.end();
        await all.return(undefined);
      });
      return { owner: task.owner, inner: inner(ok as Parameters<typeof inner>[0]), record };
    } catch (error) {
      task.end();
      await all.return(undefined);
      throw error;
    }
  }

  async *#seal(point: Uint8Array, about: RecordAbout & { length: number | bigint }, record: Source, salt?: Uint8Array): AsyncGenerator<Uint8Array, undefined> {
    const task = this.#begin(point, about, salt);
    try {
      for await (const chunk of chunks(record)) {
        for (const piece of pieces(chunk)) {
          const complete = task.bytes("seal_write", piece);
          if (complete.length > 0) yield complete;
        }
      }
      yield task.bytes("seal_finish");
      return undefined;
    } finally {
      task.end();
    }
  }

  #begin(point: Uint8Array, about: RecordAbout & { length: number | bigint }, salt?: Uint8Array): Task {
    const instance = this.#wasm.instance;
    const { owner, media, tags = {}, length } = about;
    const what = json({ owner, media, tags, length: String(length) });
    const { ok } = mixed(salt, 32, (salt) => instance.call("seal_begin", point, what, salt));
    return new Task(instance, ok as { task: number });
  }

  #unseal(point: Uint8Array, first: Uint8Array, size: number | bigint, most: number | bigint): Task {
    const instance = this.#wasm.instance;
    const about = json({ size: String(size), most: String(most) });
    const { ok } = instance.call("unseal_begin", point, first.subarray(0, 2048), about);
    return new Task(instance, ok as { task: number; owner: string });
  }
}

/** What stays in the code between calls. It ends there by itself when it is finished or refuses something. */
class Task {
  readonly #instance: Instance;
  readonly #number: Uint8Array;
  readonly owner: string;
  #over = false;

  constructor(instance: Instance, { task, owner = "" }: { task: number; owner?: string }) {
    this.#instance = instance;
    this.#number = u32(task);
    this.owner = owner;
  }

  call(name: string, ...args: Uint8Array[]): { ok: unknown; bytes: Uint8Array } {
    try {
      const answer = this.#instance.call(name, this.#number, ...args);
      if (name.endsWith("_finish")) this.#over = true;
      return answer;
    } catch (error) {
      this.#over = true;
      throw error;
    }
  }

  bytes(name: string, ...args: Uint8Array[]): Uint8Array {
    return this.call(name, ...args).bytes;
  }

  end(): void {
    if (!this.#over) this.call("task_drop");
    this.#over = true;
  }
}

/** The record's bytes in one leaf. */
function* opened(task: Task, leaf: Uint8Array): Generator<Uint8Array, undefined> {
  task.call("unseal_leaf", leaf);
  yield* reading(task);
}

function* reading(task: Task): Generator<Uint8Array, undefined> {
  for (;;) {
    const piece = task.bytes("unseal_read");
    if (piece.length === 0) return undefined;
    yield piece;
  }
}

async function* rest(task: Task, all: AsyncGenerator<Uint8Array, undefined>): AsyncGenerator<Uint8Array, undefined> {
  try {
    yield* reading(task);
    for await (const leaf of all) yield* opened(task, leaf);
    task.call("unseal_finish");
    return undefined;
  } finally {
    task.end();
  }
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array, undefined> {
  for (let at = 0; at < bytes.length; at += LEAF) yield bytes.subarray(at, at + LEAF);
}

/** Bytes cut into leaves, however they come. */
async function* leaves(source: Source): AsyncGenerator<Uint8Array, undefined> {
  let leaf = new Uint8Array(LEAF);
  let held = 0;
  for await (const chunk of chunks(source)) {
    for (let at = 0; at < chunk.length; ) {
      if (held === LEAF) {
        yield leaf;
        [leaf, held] = [new Uint8Array(LEAF), 0];
      }
      const taken = Math.min(LEAF - held, chunk.length - at);
      leaf.set(chunk.subarray(at, at + taken), held);
      [held, at] = [held + taken, at + taken];
    }
  }
  if (held > 0) yield leaf.subarray(0, held);
  return undefined;
}

/** Not every browser iterates over streams. */
async function* chunks(source: Source): AsyncGenerator<Uint8Array, undefined> {
  if (!("getReader" in source)) {
    yield* source;
    return undefined;
  }
  const reader = source.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
    }
    ended = true;
    return undefined;
  } finally {
    if (!ended) await reader.cancel().catch(() => undefined);
    reader.releaseLock();
  }
}

function streamed(
  all: AsyncGenerator<Uint8Array, undefined>,
  left: () => Promise<void> = async () => {},
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await all.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await all.return(undefined);
        await left();
      },
    },
    { highWaterMark: 0 },
  );
}

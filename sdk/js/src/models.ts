/**
 * Models computed here: the chain's own engine, with vectors of 128 bits, bit for bit what validators compute. Nothing
 * leaves the machine.
 */
import type { Outcome } from "./records.js";
import { u32, type Instance, type Wasm } from "./wasm.js";

/** A tensor that a model takes or gives. */
export interface TensorSpec {
  name: string;
  type: "u8" | "i8" | "i32" | "i64";
  dims: number[];
  /** How many bytes it takes; numbers are little-endian. */
  bytes: number;
}

/** What is said of a model that is ready. */
export interface ModelAbout {
  /** The manifest's id, hexadecimal: what receipts name. */
  id: string;
  /** The kernels that it runs with. All give the same bits. */
  kernels: "simd128" | "scalar";
  inputs: TensorSpec[];
  outputs: TensorSpec[];
}

export class Models {
  readonly #wasm: Wasm;

  constructor(wasm: Wasm) {
    this.#wasm = wasm;
  }

  /**
   * Admits a model: its manifest in dag-cbor and the ONNX file that it names. Throws `NotProven` with the node and the
   * reason where it is refused. At most four are ready at a time: close what is not needed.
   */
  load(manifest: Uint8Array, onnx: Uint8Array): ReadyModel {
    const instance = this.#wasm.instance;
    return new ReadyModel(instance, instance.call("model_load", manifest, onnx).ok as ModelAbout & { model: number });
  }
}

export class ReadyModel implements ModelAbout {
  readonly id: string;
  readonly kernels: ModelAbout["kernels"];
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
  readonly #instance: Instance;
  readonly #number: Uint8Array;

  /** @internal */
  constructor(instance: Instance, { model, id, kernels, inputs, outputs }: ModelAbout & { model: number }) {
    [this.id, this.kernels, this.inputs, this.outputs] = [id, kernels, inputs, outputs];
    [this.#instance, this.#number] = [instance, u32(model)];
  }

  /** The outcome of an image, or a frame of it, or of a table, as a receipt of it says; the first frame has number 1. */
  run(file: Uint8Array, frame = 1): Outcome {
    return this.#instance.call("model_run", this.#number, file, u32(frame)).ok as Outcome;
  }

  /** The bytes of all outputs for the bytes of the input, and the digest that a receipt of them has. */
  runTensor(input: Uint8Array): { digest: string; outputs: Uint8Array[] } {
    const { ok, bytes } = this.#instance.call("model_tensor", this.#number, input);
    let at = 0;
    const outputs = this.outputs.map((output) => bytes.subarray(at, (at += output.bytes)));
    return { ...(ok as { digest: string }), outputs };
  }

  /** Gives its memory back. */
  close(): void {
    this.#instance.call("model_close", this.#number);
  }
}

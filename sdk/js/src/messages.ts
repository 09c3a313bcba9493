/** The chain's own messages and queries, field by field as in `chain/types/src/msg.rs` and `query.rs`. */
import { type Codec, bool, bytes, codec, list, message, messages, text, u32, u64 } from "./codec.js";

/** Asks the validators to hold a blob for `term` blocks. */
export interface MsgRegisterBlob {
  owner: string;
  cid: string;
  size: bigint;
  term: bigint;
}
export const MsgRegisterBlob = codec<MsgRegisterBlob>({ owner: text(1), cid: text(2), size: u64(3), term: u64(4) });

/** Registers a model; `manifest` is canonical dag-cbor. */
export interface MsgRegisterModel {
  author: string;
  manifest: Uint8Array;
}
export const MsgRegisterModel = codec<MsgRegisterModel>({ author: text(1), manifest: bytes(2) });

/** An institution's word for an image, signed. */
export interface SignedOrigin {
  institution: string;
  pixels: Uint8Array;
  study: Uint8Array;
  subject: Uint8Array;
  publicKey: Uint8Array;
  signature: Uint8Array;
}
export const SignedOrigin = codec<SignedOrigin>({
  institution: text(1),
  pixels: bytes(2),
  study: bytes(3),
  subject: bytes(4),
  publicKey: bytes(5),
  signature: bytes(6),
});

/** Registers an image for reads. */
export interface MsgRegisterImage {
  owner: string;
  cid: string;
  size: bigint;
  term: bigint;
  /** The contract whose permit every read needs; empty for a public image. */
  guard: string;
  modality: string;
  bodyPart: string;
  origin: SignedOrigin | undefined;
  /** What decoding its dearest frame takes (`Verifier.effort`); 0 for what every file may take. */
  effort: bigint;
}
export const MsgRegisterImage = codec<MsgRegisterImage>({
  owner: text(1),
  cid: text(2),
  size: u64(3),
  term: u64(4),
  guard: text(5),
  modality: text(6),
  bodyPart: text(7),
  origin: message(8, SignedOrigin),
  effort: u64(9),
});

/** A message's type URL and how it is written; of which message is known where it is made. */
export type Typed = [string, Codec<any>];

/** Messages about what is open; `acesoTypes` has all. */
export const openTypes: ReadonlyArray<Typed> = [
  ["/aceso.blobs.v1.MsgRegisterBlob", MsgRegisterBlob],
  ["/aceso.models.v1.MsgRegisterModel", MsgRegisterModel],
  ["/aceso.reads.v1.MsgRegisterImage", MsgRegisterImage],
];

/** Which part of a list: rows after the one that `after` names, at most `limit` (0: 100). */
export interface Page {
  after: Uint8Array;
  limit: number;
  reverse: boolean;
}
export const Page = codec<Page>({ after: bytes(1), limit: u32(2), reverse: bool(3) });

/** What became of a model's registration, by `ModelRow.status`. */
export const MODEL_STATUS = ["pending", "admitted", "refused"] as const;

export interface ModelRow {
  model: string;
  manifest: Uint8Array;
  author: string;
  status: number;
  reason: string;
  macs: bigint;
  loadGas: bigint;
  runGas: bigint;
  height: bigint;
}
export const ModelRow = codec<ModelRow>({
  model: text(1),
  manifest: bytes(2),
  author: text(3),
  status: u32(4),
  reason: text(5),
  macs: u64(6),
  loadGas: u64(7),
  runGas: u64(8),
  height: u64(9),
});

/** Where a blob stands, by `BlobRow.status`. */
export const BLOB_STATUS = ["pending", "available", "expired"] as const;

export interface BlobRow {
  cid: string;
  size: bigint;
  expires: bigint;
  status: number;
  availableFrom: bigint;
  owner: string;
}
export const BlobRow = codec<BlobRow>({
  cid: text(1),
  size: u64(2),
  expires: u64(3),
  status: u32(4),
  availableFrom: u64(5),
  owner: text(6),
});

export interface ImageRow {
  cid: string;
  owner: string;
  guard: string;
  modality: string;
  bodyPart: string;
  origin: SignedOrigin | undefined;
  blob: BlobRow | undefined;
  height: bigint;
  effort: bigint;
}
export const ImageRow = codec<ImageRow>({
  cid: text(1),
  owner: text(2),
  guard: text(3),
  modality: text(4),
  bodyPart: text(5),
  origin: message(6, SignedOrigin),
  blob: message(7, BlobRow),
  height: u64(8),
  effort: u64(9),
});

export interface ReceiptRow {
  read: bigint;
  /** dag-cbor */
  receipt: Uint8Array;
  key: Uint8Array;
}
export const ReceiptRow = codec<ReceiptRow>({ read: u64(1), receipt: bytes(2), key: bytes(3) });

/** A page of a list and what to ask after; `next` is empty at the end. */
export interface Rows<T> {
  rows: T[];
  next: Uint8Array;
}

const byModel = codec<{ model: string }>({ model: text(1) });
const byCid = codec<{ cid: string }>({ cid: text(1) });
const byRead = codec<{ read: bigint }>({ read: u64(1) });
const byGrant = codec<{ guard: string; grant: string }>({ guard: text(1), grant: text(2) });
const paged = codec<{ page: Page | undefined }>({ page: message(1, Page) });
/** Lists that are narrowed by a text: an owner, an image. */
const narrowed = codec<{ by: string; page: Page | undefined }>({ by: text(1), page: message(2, Page) });

/** Each query: its path, its question, its answer. */
export const queries = {
  model: { path: "/aceso.models.v1.Query/Model", ask: byModel, answer: ModelRow },
  models: {
    path: "/aceso.models.v1.Query/Models",
    ask: paged,
    answer: codec<Rows<ModelRow>>({ rows: messages(1, ModelRow), next: bytes(2) }),
  },
  blob: { path: "/aceso.blobs.v1.Query/Blob", ask: byCid, answer: BlobRow },
  image: { path: "/aceso.reads.v1.Query/Image", ask: byCid, answer: ImageRow },
  images: {
    path: "/aceso.reads.v1.Query/Images",
    ask: narrowed,
    answer: codec<Rows<ImageRow>>({ rows: messages(1, ImageRow), next: bytes(2) }),
  },
  receipt: { path: "/aceso.reads.v1.Query/Receipt", ask: byRead, answer: ReceiptRow },
  receipts: {
    path: "/aceso.reads.v1.Query/Receipts",
    ask: narrowed,
    answer: codec<Rows<ReceiptRow>>({ rows: messages(1, ReceiptRow), next: bytes(2) }),
  },
  journal: {
    path: "/aceso.reads.v1.Query/Journal",
    ask: narrowed,
    answer: codec<Rows<Uint8Array>>({ rows: list(bytes(1)), next: bytes(2) }),
  },
  uses: { path: "/aceso.reads.v1.Query/Uses", ask: byGrant, answer: codec<{ uses: number }>({ uses: u32(1) }) },
} as const;

/** The shapes of what contracts and the verifier answer, as in `chain/types` and `contracts/interface`. */

import type { Compact, CompactOutcome } from "./compact.js";

export interface Score {
  label: string;
  /** The quantised value as computed. */
  value: number;
  /** The calibrated probability, in millionths. */
  probability: number;
}

export interface Finding {
  id: string;
  present: boolean;
}

/** What an output says that is no score, in the manifest's words. */
export type Reading =
  | { class: { name: string; class: string } }
  /** `micro` is in millionths of the unit (UCUM). */
  | { quantity: { name: string; micro: number; unit: string } }
  | { mask: { name: string; output: number; width: number; height: number; areas: { class: string; pixels: number }[] } }
  | { maps: { name: string; output: number; width: number; height: number; channels: string[] } };

export interface Outcome {
  digest: string;
  scores: Score[];
  findings: Finding[];
  /** Absent where the manifest has no words for more than scores and findings. */
  readings?: Reading[];
}

export interface Receipt {
  version: number;
  chain_id: string;
  height: number;
  tx: number;
  read: number;
  reader: string;
  model: string;
  pipeline: string;
  image: string;
  /** From 1; absent where it is the first. */
  frame?: number;
  pixels: string | null;
  consent: { guard: string; grant: string; actor: string; purpose: string; use: number } | null;
  disclosure: Compact["statement"]["disclosure"];
  outcome: Outcome;
  committee: { digest: string; power: number; total: number };
  /** What a committee signed; absent for an open read. */
  sealed?: SealedRead;
}

/** The part of a sealed read's receipt that its committee answers for. */
export interface SealedRead {
  job: number;
  requested: number;
  owner: string;
  outcome: CompactOutcome;
  root: number;
  members: number[];
}

/** What a sealed read came to, for who holds its record's key. */
export interface OpenedOutcome {
  digest: string;
  outcome: CompactOutcome;
  /** What the model said, where all of it was disclosed or kept for her. */
  scores: Score[];
  findings: Finding[];
  readings: Reading[];
  /** All that the model computed, as files in NumPy's format. */
  files: OutputFile[];
}

/** An output as a file. */
export interface OutputFile {
  /** Which, from 0. */
  output: number;
  ty: "u8" | "i8" | "i32" | "i64";
  /** Its shape; elements stand in row-major order. */
  dims: number[];
  npy: Uint8Array;
}

/** What is believed without proof; all of it stands in the genesis file. */
export interface Trust {
  chain_id: string;
  validators: { public_key: string; power: number }[];
  proof_spec: unknown;
}

export interface Verified {
  receipt: Receipt;
  /** The height of the header that commits it. */
  height: number;
  /** That header's time, RFC 3339. */
  time: string;
  /** Power that the trusted validators have in all. */
  power: number;
}

export interface Manifest {
  version: number;
  name: string;
  /** Who alone may register it; absent in version 1. */
  author?: string;
  onnx: { blob: string; digest: string; size: number };
  pipeline: { modalities: string[]; body_parts: string[]; width: number; height: number };
  output: {
    labels: { name: string; probability: number[] }[];
    findings: { id: string; output?: number; label: number; at_least: number }[];
    /** What each output means; absent where there is one, of labels. */
    tensors?: unknown[];
  };
  intended_use: string;
  licence: string;
  card: string | null;
  price: { denom: string; amount: number };
}

/** What a picture file is. */
export interface ImageFacts {
  /** The identity for payment. */
  pixels: string;
  /** The file's CID if it is stored as a single block. */
  raw: string;
  format: "png" | "jpeg" | "dicom";
  width: number;
  height: number;
  samples: 1 | 3;
  bits: number;
  modality: string | null;
  body_part: string | null;
}

/** A picture in 8 bits: rows from the top, `samples` bytes per pixel. */
export interface Preview extends ImageFacts {
  shown: { width: number; height: number };
  data: Uint8Array;
}

export type JournalEvent =
  | { permitted: { guard: string; grant: string; actor: string; purpose: string } }
  | { refused: { guard: string; grant: string; actor: string; purpose: string; reason: string } }
  | { read: { guard: string; grant: string; use: number; frame?: number; fee: number; author: string } }
  | {
      requested: {
        job: number;
        owner: string;
        frame?: number;
        granter: string;
        grant: number;
        actor: string;
        purpose: string;
        use: number;
      };
    };

export interface JournalEntry {
  height: number;
  tx: number;
  image: string;
  model: string;
  caller: string;
  event: JournalEvent;
}

/** An institution's word that it made an image of a subject in a study. */
export interface Origin {
  institution: string;
  pixels: string;
  study: string;
  subject: string;
}

export interface Rule {
  decision: { permit: { max_uses: number } } | { deny: Record<string, never> };
  actors: string[];
  /** The contracts through which they read; empty means any. */
  via: string[];
  purposes: string[];
  /** Empty means any. */
  models: string[];
  /** Unix seconds. */
  not_before: number;
  not_after: number;
}

export interface Grant {
  id: number;
  patient: string;
  images: string[];
  /** Whether they are sealed ones. */
  sealed?: boolean;
  rule: Rule;
  granted_at: number;
  revoked_at: number | null;
}

export interface GrantState {
  grant: Grant;
  uses: number;
}

export type Party =
  | { institution: Record<string, never> }
  | { author: Record<string, never> }
  | { subject: Record<string, never> }
  | { treasury: Record<string, never> }
  | { account: { address: string } };

export interface Terms {
  member: string;
  not_before: number;
  not_after: number;
  covers: { model: string; price: string }[];
  origin: string[];
  /** Ten-thousandths; together 10000. */
  split: { to: Party; bps: number }[];
  /** What is asked of reads of sealed images; absent where they are not paid for. */
  sealed?: PaidSealed | null;
}

/** On which terms a policy pays for reads of sealed images. */
export interface PaidSealed {
  accept: { members_min: number; power_min_bps: number; required: string[]; excluded: string[] };
  /** What the insurer, and with it everybody, is to know. */
  disclosure: { sealed: Record<string, never> } | { predicate: { findings: string[] } };
  /** For how many blocks a committee may work on a claim. */
  blocks: number;
  callback_gas?: number;
  payout?: "batched" | "per_claim";
}

/** Why nothing is paid for a claim. */
export type Closed =
  | { failed: { failure: string } }
  | { paid_before: { read: number } }
  | { expired: object }
  | { cancelled: object }
  | { broken: object }
  | { unidentified: object }
  | { unvouched: object }
  | { released: object };

/** A claim for a read of a sealed image. */
export interface SealedClaim {
  policy: number;
  job: number;
  image: string;
  /** From 1; absent where it is the first. */
  frame?: number;
  model: string;
  actor: string;
  purpose: string;
  price: string;
  held: string;
  author_fee: string;
  reserved: string;
  deadline: number;
  time: number;
  status:
    | { open: object }
    | {
        paid: {
          read: number;
          claim: string;
          study: string | null;
          institution: string | null;
          findings: Finding[];
          commitment: string | null;
          members: number;
          power: number;
          total: number;
          fee: string;
          paid: { party: Party; to: string; amount: string }[];
        };
      }
    | { closed: { reason: Closed; read: number | null; fee: string } };
}

/** Who runs an insurance contract. */
export interface Counter {
  /** Makes policies, withdraws, and releases claims. */
  insurer: string;
  treasury: string;
  denom: string;
}

export interface Policy {
  id: number;
  terms: Terms;
}

/** An open read after which nothing was paid: the policy bears its fee. */
export interface Refused {
  policy: number;
  read: number;
  image: string;
  /** From 1; absent where it is the first. */
  frame?: number;
  pixels: string;
  model: string;
  actor: string;
  purpose: string;
  reason: Refusal;
  fee: string;
  height: number;
  time: number;
}

/** Why nothing was paid for a read. */
export type Refusal =
  | { pixels_paid: { read: number } }
  | { study_paid: { study: string; read: number } }
  | { unvouched: Record<string, never> };

export interface Claim {
  policy: number;
  read: number;
  image: string;
  /** From 1; absent where it is the first. */
  frame?: number;
  pixels: string;
  study: string | null;
  institution: string | null;
  model: string;
  actor: string;
  purpose: string;
  findings: Finding[];
  scores: Score[];
  fee: string;
  paid: { party: Party; to: string; amount: string }[];
  height: number;
  time: number;
}

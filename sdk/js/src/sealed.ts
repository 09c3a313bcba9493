/** Messages and queries about sealed records, field by field as in `chain/types/src/msg/sealed.rs` and `query/sealed.rs`. */
import { always, bool, bytes, codec, list, message, messages, text, u32, u64 } from "./codec.js";
import { Page, SignedOrigin, type Rows, type Typed } from "./messages.js";

/** Registers the key with which an account opens what is wrapped for it, for an epoch. */
export interface MsgRegisterReader {
  account: string;
  epoch: bigint;
  key: Uint8Array;
  expires: bigint;
  possession: Uint8Array;
}
export const MsgRegisterReader = codec<MsgRegisterReader>({
  account: text(1),
  epoch: u64(2),
  key: bytes(3),
  expires: u64(4),
  possession: bytes(5),
});

/** One file of a sealed record. */
export interface SealedFile {
  cid: string;
  size: bigint;
  modality: string;
  bodyPart: string;
  /** What decoding its dearest frame takes (`Verifier.effort`); 0 for what every file may take. */
  effort: bigint;
}
export const SealedFile = codec<SealedFile>({ cid: text(1), size: u64(2), modality: text(3), bodyPart: text(4), effort: u64(5) });

/** Registers files that are sealed under one point. */
export interface MsgRegisterSealed {
  owner: string;
  files: SealedFile[];
  guard: string;
  registration: Uint8Array;
  commitment: Uint8Array;
  origin: SignedOrigin | undefined;
}
export const MsgRegisterSealed = codec<MsgRegisterSealed>({
  owner: text(1),
  files: always(messages(2, SealedFile)),
  guard: text(3),
  registration: bytes(4),
  commitment: bytes(5),
  origin: message(6, SignedOrigin),
});

/** Ends a record. */
export interface MsgRetireSealed {
  owner: string;
  record: bigint;
}
export const MsgRetireSealed = codec<MsgRetireSealed>({ owner: text(1), record: u64(2) });

/** For whom something is wrapped. */
export interface Recipient {
  account: string;
  epoch: bigint;
}
export const Recipient = codec<Recipient>({ account: text(1), epoch: u64(2) });

/** A wrap that is passed on; the place counts from 0. */
export interface PassedOn {
  granter: string;
  grant: bigint;
  place: number;
}
export const PassedOn = codec<PassedOn>({ granter: text(1), grant: u64(2), place: u32(3) });

/** Wraps a record's key for readers or a committee. */
export interface MsgGrant {
  granter: string;
  grant: bigint;
  record: bigint;
  from: PassedOn | undefined;
  recipients: Recipient[];
  committee: boolean;
  nonce: Uint8Array;
  expires: bigint;
  terms: Uint8Array;
  wrap: Uint8Array;
  sourceTerms: Uint8Array;
}
export const MsgGrant = codec<MsgGrant>({
  granter: text(1),
  grant: u64(2),
  record: u64(3),
  from: message(4, PassedOn),
  recipients: always(messages(5, Recipient)),
  committee: bool(6),
  nonce: bytes(7),
  expires: u64(8),
  terms: bytes(9),
  wrap: bytes(10),
  sourceTerms: bytes(11),
});

/** Takes a grant back, and all that were passed on from it. */
export interface MsgRevokeGrant {
  sender: string;
  granter: string;
  grant: bigint;
}
export const MsgRevokeGrant = codec<MsgRevokeGrant>({ sender: text(1), granter: text(2), grant: u64(3) });

/** Asks an emergency committee for a record's key, for a public reason. */
export interface MsgBreakGlass {
  actor: string;
  epoch: bigint;
  granter: string;
  grant: bigint;
  terms: Uint8Array;
  reason: string;
}
export const MsgBreakGlass = codec<MsgBreakGlass>({
  actor: text(1),
  epoch: u64(2),
  granter: text(3),
  grant: u64(4),
  terms: bytes(5),
  reason: text(6),
});

/** What the payer demands of a committee. */
export interface Acceptance {
  membersMin: number;
  powerMinBps: number;
  required: string[];
  excluded: string[];
}
export const Acceptance = codec<Acceptance>({
  membersMin: u32(1),
  powerMinBps: u32(2),
  required: list(text(3)),
  excluded: list(text(4)),
});

/** Who may know an outcome, by `MsgRequestRead.disclose`. */
export const DISCLOSE = ["open", "predicate", "sealed"] as const;

/** Asks a committee for a read of a sealed file. */
export interface MsgRequestRead {
  requester: string;
  actor: string;
  model: Uint8Array;
  owner: string;
  image: string;
  granter: string;
  grant: bigint;
  terms: Uint8Array;
  purpose: string;
  disclose: number;
  findings: string[];
  accept: Acceptance | undefined;
  deadline: bigint;
  callbackGas: bigint;
  reason: string;
  identify: boolean;
  /** From 1; 0 is the first too. */
  frame: number;
}
export const MsgRequestRead = codec<MsgRequestRead>({
  requester: text(1),
  actor: text(2),
  model: bytes(3),
  owner: text(4),
  image: text(5),
  granter: text(6),
  grant: u64(7),
  terms: bytes(8),
  purpose: text(9),
  disclose: u32(10),
  findings: list(text(11)),
  accept: message(12, Acceptance),
  deadline: u64(13),
  callbackGas: u64(14),
  reason: text(15),
  identify: bool(16),
  frame: u32(17),
});

/** What became of a request. */
export const MsgRequestReadResponse = codec<{ job: bigint; fee: string }>({ job: u64(1), fee: text(2) });

/** Shows what a record's ciphertexts hold, for everybody and for good, to have a job done again by everybody. */
export interface MsgDispute {
  sender: string;
  job: bigint;
  /** 48 bytes. */
  point: Uint8Array;
  /** Whose wrap was opened; none where it was the registration. */
  from: PassedOn | undefined;
  /** That the point is what that holds, 64 bytes. */
  proof: Uint8Array;
}
export const MsgDispute = codec<MsgDispute>({
  sender: text(1),
  job: u64(2),
  point: bytes(3),
  from: message(4, PassedOn),
  proof: bytes(5),
});

/** What came of it. */
export interface MsgDisputeResponse {
  wrong: boolean;
  /** dag-cbor: what the members should have signed. */
  outcome: Uint8Array;
  marked: number;
}
export const MsgDisputeResponse = codec<MsgDisputeResponse>({ wrong: bool(1), outcome: bytes(2), marked: u32(3) });

/** A member's share of a job's outcome. */
export interface Share {
  job: bigint;
  /** dag-cbor */
  outcome: Uint8Array;
  /** 96 bytes. */
  signature: Uint8Array;
}
export const Share = codec<Share>({ job: u64(1), outcome: bytes(2), signature: bytes(3) });

/** The share of a member that is no validator any more. Costs no fee. */
export interface MsgSubmitShare {
  operator: string;
  share: Share | undefined;
}
export const MsgSubmitShare = codec<MsgSubmitShare>({ operator: text(1), share: message(2, Share) });

/** Messages about what is sealed; `acesoTypes` has all. */
export const sealedTypes: ReadonlyArray<Typed> = [
  ["/aceso.reads.v1.MsgRegisterReader", MsgRegisterReader],
  ["/aceso.reads.v1.MsgRegisterSealed", MsgRegisterSealed],
  ["/aceso.reads.v1.MsgRetireSealed", MsgRetireSealed],
  ["/aceso.reads.v1.MsgGrant", MsgGrant],
  ["/aceso.reads.v1.MsgRevokeGrant", MsgRevokeGrant],
  ["/aceso.reads.v1.MsgBreakGlass", MsgBreakGlass],
  ["/aceso.reads.v1.MsgRequestRead", MsgRequestRead],
  ["/aceso.reads.v1.MsgSubmitShare", MsgSubmitShare],
  ["/aceso.reads.v1.MsgDispute", MsgDispute],
];

/** A reader's key as registered. */
export interface ReaderRow {
  account: string;
  epoch: bigint;
  key: Uint8Array;
  expires: bigint;
}
export const ReaderRow = codec<ReaderRow>({ account: text(1), epoch: u64(2), key: bytes(3), expires: u64(4) });

/** A sealed record as registered. */
export interface RecordRow {
  record: bigint;
  owner: string;
  files: SealedFile[];
  guard: string;
  registration: Uint8Array;
  commitment: Uint8Array;
  origin: SignedOrigin | undefined;
  height: bigint;
  /** The height at which its owner ended it; 0 while it holds. */
  retired: bigint;
  /** How many times its glass was broken. */
  reviews: bigint;
}
export const RecordRow = codec<RecordRow>({
  record: u64(1),
  owner: text(2),
  files: messages(3, SealedFile),
  guard: text(4),
  registration: bytes(5),
  commitment: bytes(6),
  origin: message(7, SignedOrigin),
  height: u64(8),
  retired: u64(9),
  reviews: u64(10),
});

/** A grant as given. */
export interface GrantRow {
  grant: MsgGrant | undefined;
  height: bigint;
  /** The height at which it was taken back; 0 while it holds. */
  revoked: bigint;
  uses: number;
  /** How often the key was passed on before it. */
  depth: number;
}
export const GrantRow = codec<GrantRow>({
  grant: message(1, MsgGrant),
  height: u64(2),
  revoked: u64(3),
  uses: u32(4),
  depth: u32(5),
});

/** That a glass was broken. */
export interface ReviewRow {
  review: bigint;
  record: bigint;
  actor: string;
  epoch: bigint;
  granter: string;
  grant: bigint;
  reason: string;
  height: bigint;
  job: bigint;
  passedOnBy: string;
}
export const ReviewRow = codec<ReviewRow>({
  review: u64(1),
  record: u64(2),
  actor: text(3),
  epoch: u64(4),
  granter: text(5),
  grant: u64(6),
  reason: text(7),
  height: u64(8),
  job: u64(9),
  passedOnBy: text(10),
});

/** Where a job stands, by `JobRow.status`. */
export const JOB_STATUS = ["open", "done", "expired", "cancelled", "broken"] as const;

export interface MemberRow {
  number: number;
  operator: string;
  blsKey: Uint8Array;
  power: bigint;
  epoch: bigint;
  place: number;
}
export const MemberRow = codec<MemberRow>({
  number: u32(1),
  operator: text(2),
  blsKey: bytes(3),
  power: u64(4),
  epoch: u64(5),
  place: u32(6),
});

export interface JobOutcome {
  job: bigint;
  /** dag-cbor: `Terms.outcome` reads it. */
  outcome: Uint8Array;
  signers: Uint8Array;
  signature: Uint8Array;
}
export const JobOutcome = codec<JobOutcome>({ job: u64(1), outcome: bytes(2), signers: bytes(3), signature: bytes(4) });

/** What everybody has found who computed a job again. */
export interface Disputed {
  sender: string;
  height: bigint;
  wrong: boolean;
  /** dag-cbor: what the members should have signed, where that is something else. */
  outcome: Uint8Array;
  marked: number;
}
export const Disputed = codec<Disputed>({ sender: text(1), height: u64(2), wrong: bool(3), outcome: bytes(4), marked: u32(5) });

export interface JobRow {
  job: bigint;
  status: number;
  /** dag-cbor */
  statement: Uint8Array;
  /** dag-cbor */
  consent: Uint8Array;
  record: bigint;
  granter: string;
  grant: bigint;
  root: bigint;
  members: MemberRow[];
  total: bigint;
  deadline: bigint;
  callbackGas: bigint;
  price: string;
  reward: string;
  accept: Acceptance | undefined;
  /** The receipt's number, once it is done. */
  read: bigint;
  closed: bigint;
  outcome: JobOutcome | undefined;
  disputed: Disputed | undefined;
  /** What is held for keeping a result that does not stand in its outcome; empty where it does. */
  keep: string;
  /** Bytes of a sealed result. */
  resultBytes: bigint;
}
export const JobRow = codec<JobRow>({
  job: u64(1),
  status: u32(2),
  statement: bytes(3),
  consent: bytes(4),
  record: u64(5),
  granter: text(6),
  grant: u64(7),
  root: u64(8),
  members: messages(9, MemberRow),
  total: u64(10),
  deadline: u64(11),
  callbackGas: u64(12),
  price: text(13),
  reward: text(14),
  accept: message(15, Acceptance),
  read: u64(16),
  closed: u64(17),
  outcome: message(18, JobOutcome),
  disputed: message(19, Disputed),
  keep: text(20),
  resultBytes: u64(21),
});

/** Members of a job whose signatures its outcome has: one bit a place, the lowest of the first byte first. */
export function signersOf({ members, outcome }: Pick<JobRow, "members" | "outcome">): MemberRow[] {
  const bits = outcome?.signers ?? new Uint8Array();
  return members.filter((_, place) => ((bits[place >> 3] ?? 0) >> (place & 7)) & 1);
}

/** How a validator has behaved in committees. */
export interface ConductRow {
  /** Outcomes that it signed with the others. */
  signed: bigint;
  /** Outcomes without its signature: it may have been slow, or left out. */
  missed: bigint;
  /** Jobs of which it signed something else than the others, or what a dispute has shown to be false. */
  wrong: bigint;
  /** The latest of those; 0 where there is none, or a dispute has cleared it of that. */
  lastWrong: bigint;
}
export const ConductRow = codec<ConductRow>({ signed: u64(1), missed: u64(2), wrong: u64(3), lastWrong: u64(4) });

/** The encrypted result of a job, as a file that the members who signed it keep. */
export interface ResultRow {
  job: bigint;
  record: bigint;
  cid: string;
  size: bigint;
  /** The height at which its term is over. */
  expires: bigint;
  operators: string[];
}
export const ResultRow = codec<ResultRow>({
  job: u64(1),
  record: u64(2),
  cid: text(3),
  size: u64(4),
  expires: u64(5),
  operators: list(text(6)),
});

/** A validator. */
export interface ValidatorRow {
  consensusKey: Uint8Array;
  address: string;
  /** 0 for one that was removed. */
  power: bigint;
  operator: string;
  name: string;
  /** Its attestation key; empty where it does not attest. */
  blsKey: Uint8Array;
}
export const ValidatorRow = codec<ValidatorRow>({
  consensusKey: bytes(1),
  address: text(2),
  power: u64(3),
  operator: text(5),
  name: text(6),
  blsKey: bytes(7),
});

const rows = <T>(row: ReturnType<typeof codec<T & object>>) =>
  codec<Rows<T & object>>({ rows: messages(1, row), next: bytes(2) });

/** Each query: its path, its question, its answer. */
export const sealedQueries = {
  reader: {
    path: "/aceso.reads.v1.Query/Reader",
    ask: codec<{ account: string; epoch: bigint; latest: boolean }>({
      account: text(1),
      epoch: u64(2),
      latest: bool(3),
    }),
    answer: ReaderRow,
  },
  record: {
    path: "/aceso.reads.v1.Query/Record",
    ask: codec<{ record: bigint; owner: string; cid: string }>({ record: u64(1), owner: text(2), cid: text(3) }),
    answer: RecordRow,
  },
  records: {
    path: "/aceso.reads.v1.Query/Records",
    ask: codec<{ owner: string; page: Page | undefined }>({ owner: text(1), page: message(2, Page) }),
    answer: rows<RecordRow>(RecordRow),
  },
  grant: {
    path: "/aceso.reads.v1.Query/Grant",
    ask: codec<{ granter: string; grant: bigint }>({ granter: text(1), grant: u64(2) }),
    answer: GrantRow,
  },
  grants: {
    path: "/aceso.reads.v1.Query/Grants",
    ask: codec<{ record: bigint; recipient: string; page: Page | undefined }>({
      record: u64(1),
      recipient: text(2),
      page: message(3, Page),
    }),
    answer: rows<GrantRow>(GrantRow),
  },
  reviews: {
    path: "/aceso.reads.v1.Query/Reviews",
    ask: codec<{ record: bigint; page: Page | undefined }>({ record: u64(1), page: message(2, Page) }),
    answer: rows<ReviewRow>(ReviewRow),
  },
  root: {
    path: "/aceso.reads.v1.Query/Root",
    ask: codec<{ number: bigint; latest: boolean }>({ number: u64(1), latest: bool(2) }),
  },
  validators: {
    path: "/aceso.validators.v1.Query/Validators",
    ask: codec<{ page: Page | undefined }>({ page: message(1, Page) }),
    answer: rows<ValidatorRow>(ValidatorRow),
  },
  conduct: {
    path: "/aceso.reads.v1.Query/Conduct",
    ask: codec<{ number: number }>({ number: u32(1) }),
    answer: ConductRow,
  },
  job: { path: "/aceso.reads.v1.Query/Job", ask: codec<{ job: bigint }>({ job: u64(1) }), answer: JobRow },
  jobs: {
    path: "/aceso.reads.v1.Query/Jobs",
    ask: codec<{ open: boolean; requester: string; page: Page | undefined }>({
      open: bool(1),
      requester: text(2),
      page: message(3, Page),
    }),
    answer: rows<JobRow>(JobRow),
  },
  results: {
    path: "/aceso.reads.v1.Query/Results",
    ask: codec<{ operator: string; cid: string; page: Page | undefined }>({
      operator: text(1),
      cid: text(2),
      page: message(3, Page),
    }),
    answer: rows<ResultRow>(ResultRow),
  },
} as const;

/**
 * Messages about sealed records, made where the secrets are: a reader's key, a record, a grant. Only what the chain may
 * know goes into them.
 */
import type { Compact, CompactOutcome } from "./compact.js";
import type { Grants } from "./grants.js";
import type { SignedOrigin } from "./messages.js";
import type {
  MsgDispute,
  MsgGrant,
  MsgRegisterReader,
  MsgRegisterSealed,
  PassedOn,
  ReaderRow,
  RecordRow,
  SealedFile,
} from "./sealed.js";
import { hex, json, random, u64, type Wasm } from "./wasm.js";

/** What a grant allows. On the chain stands a digest; a request opens it. */
export interface SealedTerms {
  version: 1;
  /** 64 hexadecimal digits, random: nobody finds the terms by trying. */
  salt: string;
  /** Accounts that may ask for reads. */
  actors: string[];
  /** Whether others may ask too, in an emergency, with a public reason. */
  anybody: boolean;
  /** Accounts and contracts that may make the request; empty means any. */
  via: string[];
  /** HL7 v3 ActReason. */
  purposes: string[];
  /** Hexadecimal ids; empty means any. */
  models: string[];
  not_before: number;
  uses: number;
  open: boolean;
  sealed: boolean;
  findings: string[];
  bits: number;
  rewrap: boolean;
  emergency: boolean;
}

/** What a committee's members sign, beside the outcome. */
export type JobStatement = Compact["statement"] & { committee: string };

/** A place in a wrap. */
export interface Wrapped {
  given: MsgGrant;
  place: number;
}

/** A grant that is to be given. */
export interface Granting {
  chainId: string;
  granter: string;
  /** How many grants the granter has given before, plus 1. */
  grant: bigint;
  record: RecordRow;
  /** The wrap that is passed on, its place there, and the terms that allow it; none for the owner. */
  from?: Wrapped & { terms?: SealedTerms };
  /** For whom, by the keys that they have registered. */
  recipients: readonly ReaderRow[];
  committee: boolean;
  /** Unix seconds. */
  expires: bigint;
  terms: SealedTerms;
}

/** A dispute that is to be raised. */
export interface Disputing {
  chainId: string;
  job: bigint;
  record: RecordRow;
  /** The wrap that is opened, and the place there; none where it is the registration. */
  from?: Wrapped;
}

export class Granter {
  readonly #wasm: Wasm;
  readonly #grants: Grants;

  constructor(wasm: Wasm, grants: Grants) {
    this.#wasm = wasm;
    this.#grants = grants;
  }

  /** Terms that allow nothing yet, with a new salt. */
  newTerms(): SealedTerms {
    const nothing = { actors: [], via: [], purposes: [], models: [], findings: [] };
    const no = { anybody: false, open: false, sealed: false, rewrap: false, emergency: false };
    return { version: 1, salt: hex(random(32)), ...nothing, ...no, not_before: 0, uses: 0, bits: 0 };
  }

  /** Terms as a request opens them, and their digest with the second at which the grant ends. */
  terms(terms: SealedTerms, expires: bigint): { bytes: Uint8Array; digest: string } {
    const { ok, bytes } = this.#wasm.call("terms", json(terms), u64(expires));
    return { bytes, digest: (ok as { digest: string }).digest };
  }

  /** Opened terms, read. */
  readTerms(bytes: Uint8Array): SealedTerms {
    return this.#wasm.call("terms_shown", bytes).ok as SealedTerms;
  }

  /** A job's outcome, read; not proven. */
  outcome(bytes: Uint8Array): CompactOutcome {
    return this.#wasm.call("outcome", bytes).ok as CompactOutcome;
  }

  /** A job as its members sign it, read. */
  statement(bytes: Uint8Array): JobStatement {
    return this.#wasm.call("statement", bytes).ok as JobStatement;
  }

  /** What registrations and grants call these files. */
  recordName(cids: readonly string[]): string {
    return this.#wasm.call("record_name", json(cids)).ok as string;
  }

  /** Registers a reader's key for an epoch, until a second of Unix time. */
  reader(chainId: string, account: string, epoch: bigint, secret: Uint8Array, expires: bigint): MsgRegisterReader {
    const about = { chain_id: chainId, account, epoch: String(epoch), expires: String(expires) };
    const context = this.#wasm.bytes("reader", json(about));
    const [key, possession] = [this.#grants.publicKey(secret), this.#grants.possession(secret, context)];
    return { account, epoch, key, expires, possession };
  }

  /** Registers files that are sealed under one point, for their owner's key of this record. */
  record(
    chainId: string,
    owner: string,
    files: SealedFile[],
    secret: Uint8Array,
    point: Uint8Array,
    more: { guard?: string; origin?: SignedOrigin } = {},
  ): MsgRegisterSealed {
    const commitment = this.#grants.commitment(point);
    const cid = this.recordName(files.map((file) => file.cid));
    const registration = this.#grants.register({ chainId, cid, owner, commitment }, secret, point);
    return { owner, files, guard: more.guard ?? "", registration, commitment, origin: more.origin };
  }

  /** Disputes a job by showing the record's point, to everybody. `secret` is as for `grant`. */
  dispute({ chainId, job, record, from }: Disputing, secret: Uint8Array): Omit<MsgDispute, "sender"> {
    const shown = this.#grants.show({ chainId, job }, secret, this.held(record, from));
    return { job, ...shown, from: passedOn(from) };
  }

  /** Grants: wraps what the granter holds for the recipients. `secret` is hers of the record, or a reader's of her epoch. */
  grant(of: Granting, secret: Uint8Array): MsgGrant {
    const { record, recipients, from } = of;
    const source = from ? from.given.wrap : record.registration;
    const held = this.held(record, from);
    const [nonce, { digest }] = [random(16), this.terms(of.terms, of.expires)];
    const terms = Uint8Array.from(digest.match(/../g) ?? [], (pair) => parseInt(pair, 16));
    const rows = recipients.map(({ account, epoch, key }) => ({ account, epoch: String(epoch), key: hex(key) }));
    const about = {
      chainId: of.chainId,
      version: 1,
      source: this.#wasm.bytes("source", source),
      cid: this.recordName(record.files.map((file) => file.cid)),
      owner: record.owner,
      grant: of.grant,
      nonce,
      epoch: recipients[0]?.epoch ?? 0n,
      committee: this.#wasm.bytes("recipients", json(rows)),
      terms,
    };
    const keys = recipients.map((one) => one.key);
    const wrap = this.#grants.wrap(about, secret, held, keys);
    return {
      granter: of.granter,
      grant: of.grant,
      record: record.record,
      from: passedOn(from),
      recipients: recipients.map(({ account, epoch }) => ({ account, epoch })),
      committee: of.committee,
      nonce,
      expires: of.expires,
      terms,
      wrap,
      sourceTerms: from?.terms ? this.terms(from.terms, 0n).bytes : new Uint8Array(),
    };
  }

  /** The ciphertext of a record's point: her registration's, or what a wrap has for a place. */
  held(record: RecordRow, from?: Wrapped): Uint8Array {
    return from ? this.#grants.of(from.given.wrap, from.place) : record.registration.slice(48, 144);
  }
}

const passedOn = (from: Wrapped | undefined): PassedOn | undefined =>
  from && { granter: from.given.granter, grant: from.given.grant, place: from.place };

/**
 * Sealed records on the chain: who has which keys, what was granted, what committees work on. What is secret is made and
 * opened in `granting.ts` and `grants.ts`; nothing of it passes here.
 */
import { fromBase64 } from "@cosmjs/encoding";
import type { OfflineDirectSigner } from "@cosmjs/proto-signing";

import { type Chain, Connection, type TxResult } from "./connection.js";
import {
  type ConductRow,
  type GrantRow,
  type JobRow,
  type MsgBreakGlass,
  type MsgDispute,
  MsgDisputeResponse,
  type MsgGrant,
  type MsgRegisterReader,
  type MsgRegisterSealed,
  type MsgRequestRead,
  MsgRequestReadResponse,
  type MsgRetireSealed,
  type ReaderRow,
  type RecordRow,
  type ResultRow,
  type ReviewRow,
  type ValidatorRow,
  sealedQueries,
} from "./sealed.js";
import type { Verifier } from "./verifier.js";
import { hex } from "./wasm.js";

/** A validator of whom committees are made. */
export interface CommitteeMember {
  validator: ValidatorRow;
  /** Its operator's key, for which records are wrapped. */
  reader: ReaderRow;
  /** What it did in committees; none where it has been in none. */
  conduct: ConductRow | undefined;
}

const typed = (name: string) => `/aceso.reads.v1.${name}`;

export class Sealing extends Connection {
  constructor(
    readonly verifier: Verifier,
    rpc: string,
    chain: Chain,
    address: string,
    signer: OfflineDirectSigner | undefined,
  ) {
    super(rpc, chain, address, signer);
  }

  // Questions

  /** The key that an account has registered last. */
  reader(account: string): Promise<ReaderRow | undefined> {
    return this.find(sealedQueries.reader, { account, epoch: 0n, latest: true });
  }

  /** Sealed records of an owner, those that have ended too. */
  records(owner: string): Promise<RecordRow[]> {
    return this.pages(sealedQueries.records, { owner });
  }

  record(record: bigint): Promise<RecordRow | undefined> {
    return this.find(sealedQueries.record, { record, owner: "", cid: "" });
  }

  /** The record in which an owner has registered a file. */
  recordOf(owner: string, cid: string): Promise<RecordRow | undefined> {
    return this.find(sealedQueries.record, { record: 0n, owner, cid });
  }

  /** Everything that was ever granted of a record, also what was passed on. */
  grantsOf(record: bigint): Promise<GrantRow[]> {
    return this.pages(sealedQueries.grants, { record, recipient: "" });
  }

  /** Everything that was ever wrapped for an account. */
  grantsTo(recipient: string): Promise<GrantRow[]> {
    return this.pages(sealedQueries.grants, { record: 0n, recipient });
  }

  sealedGrant(granter: string, grant: bigint): Promise<GrantRow | undefined> {
    return this.find(sealedQueries.grant, { granter, grant });
  }

  /** The number of this account's next grant. The chain counts from 1 without a gap, so it is found by halving. */
  async nextGrant(): Promise<bigint> {
    const given = async (grant: bigint) => (await this.sealedGrant(this.address, grant)) !== undefined;
    let free = 1n;
    while (await given(free)) free *= 2n;
    let taken = free / 2n;
    while (free - taken > 1n) {
      const middle = (taken + free) / 2n;
      if (await given(middle)) taken = middle;
      else free = middle;
    }
    return free;
  }

  /** When the glass of a record was broken, and why. */
  reviews(record: bigint): Promise<ReviewRow[]> {
    return this.pages(sealedQueries.reviews, { record });
  }

  job(job: bigint): Promise<JobRow | undefined> {
    return this.find(sealedQueries.job, { job });
  }

  /** What an account or contract has asked committees for. */
  jobs(requester: string): Promise<JobRow[]> {
    return this.pages(sealedQueries.jobs, { open: false, requester });
  }

  /** Where the encrypted result of a name is kept, and until when; none where nobody has to any more. */
  async result(cid: string): Promise<ResultRow | undefined> {
    const [row] = await this.pages(sealedQueries.results, { operator: "", cid });
    return row;
  }

  /** All validators, of whom some may have left. */
  validators(): Promise<ValidatorRow[]> {
    return this.pages(sealedQueries.validators, {});
  }

  /** Validators with power whose operator has a key to open with: of these committees are made. */
  async members(): Promise<CommitteeMember[]> {
    const [validators, row] = await Promise.all([this.validators(), this.root("latest")]);
    const able = validators.filter((row) => row.power > 0n && row.operator !== "" && row.blsKey.length > 0);
    const { compacts } = this.verifier;
    const numbers = new Map(compacts.about(compacts.trust(row).roots).keys.map(({ key, number }) => [key, number]));
    const each = able.map(async (validator): Promise<CommitteeMember[]> => {
      const number = numbers.get(hex(validator.blsKey));
      const [reader, conduct] = await Promise.all([
        this.reader(validator.operator),
        number === undefined ? undefined : this.conduct(number),
      ]);
      return reader ? [{ validator, reader, conduct }] : [];
    });
    return (await Promise.all(each)).flat();
  }

  /** How a validator has behaved in committees, by its number in them; none where it has been in none. */
  conduct(number: number): Promise<ConductRow | undefined> {
    return this.find(sealedQueries.conduct, { number });
  }

  /** The node's answer about a root of attestation keys, for `Verifier.compacts`. */
  async root(number: bigint | "latest"): Promise<Uint8Array> {
    const latest = number === "latest";
    const question = sealedQueries.root.ask.encode({ number: latest ? 0n : number, latest }).finish();
    const answer = await this.abci(sealedQueries.root.path, question);
    return fromBase64(answer.value ?? "");
  }

  /** A roots file brought up to date; without one a file that begins with the chain's first root. */
  async roots(file?: Uint8Array): Promise<Uint8Array> {
    const { compacts } = this.verifier;
    const { latest } = compacts.trust(await this.root("latest"));
    let held = file ?? compacts.trust(await this.root(0n)).roots;
    for (let at = compacts.about(held).latest; at < latest; at++) {
      held = compacts.follow(held, await this.root(BigInt(at + 1))).roots;
    }
    return held;
  }

  // Transactions

  registerReader(message: MsgRegisterReader): Promise<TxResult> {
    return this.#say("MsgRegisterReader", message);
  }

  /** Registers a record; the one whose place it takes ends in the same transaction. */
  registerSealed(message: MsgRegisterSealed, instead?: bigint): Promise<TxResult> {
    const ends = instead === undefined ? [] : [{ typeUrl: typed("MsgRetireSealed"), value: this.#ending(instead) }];
    return this.send([{ typeUrl: typed("MsgRegisterSealed"), value: message }, ...ends]);
  }

  giveSealed(message: MsgGrant): Promise<TxResult> {
    return this.#say("MsgGrant", message);
  }

  /** Takes a grant of this account's, or one of a record of hers, back. */
  revokeSealed(granter: string, grant: bigint): Promise<TxResult> {
    return this.#say("MsgRevokeGrant", { sender: this.address, granter, grant });
  }

  /** Asks those who hold a record's key for emergencies to pass it on; everybody sees the reason. */
  breakGlass(message: MsgBreakGlass): Promise<TxResult> {
    return this.#say("MsgBreakGlass", message);
  }

  /** Ends a record and all its grants. */
  retire(record: bigint): Promise<TxResult> {
    return this.#say("MsgRetireSealed", this.#ending(record));
  }

  /** Asks a committee for a read; answers with the job, 0 where everything was known and needs none. */
  async askCommittee(message: MsgRequestRead): Promise<TxResult & { job: bigint; fee: string }> {
    const result = await this.#say("MsgRequestRead", message);
    const { job, fee } = MsgRequestReadResponse.decode(result.responses[0]?.value ?? new Uint8Array());
    return { ...result, job, fee };
  }

  /**
   * Has everybody compute a job again, which opens the record to everybody for good. The sealed file must be an available
   * blob. `Granter.dispute` makes the message.
   */
  async dispute(message: Omit<MsgDispute, "sender">): Promise<TxResult & MsgDisputeResponse> {
    const result = await this.#say("MsgDispute", { sender: this.address, ...message });
    return { ...result, ...MsgDisputeResponse.decode(result.responses[0]?.value ?? new Uint8Array()) };
  }

  #ending(record: bigint): MsgRetireSealed {
    return { owner: this.address, record };
  }

  #say(name: string, value: object): Promise<TxResult> {
    return this.send([{ typeUrl: typed(name), value }]);
  }
}

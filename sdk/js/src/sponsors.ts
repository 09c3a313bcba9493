/** Who pays an account's fees (SDK `x/feegrant`). Protobuf's own `Any` and coins; nothing here is this chain's. */
import type { EncodeObject } from "@cosmjs/proto-signing";
import {
  AllowedMsgAllowance,
  BasicAllowance,
  type Grant,
  PeriodicAllowance,
} from "cosmjs-types/cosmos/feegrant/v1beta1/feegrant";

/** An allowance, as far as whoever wants to use it has to know. */
export interface Sponsor {
  /** Who pays. */
  address: string;
  /** For whom. */
  account: string;
  /** How many of the chain's coins are left in all; `undefined` where there is no limit. */
  left: bigint | undefined;
  /** The second of Unix time after which nothing is paid; `undefined` for never. */
  expires: number | undefined;
  /** The only messages that are paid for, by their type URLs; `undefined` for all. */
  only: string[] | undefined;
}

const BASIC = "/cosmos.feegrant.v1beta1.BasicAllowance";
const PERIODIC = "/cosmos.feegrant.v1beta1.PeriodicAllowance";
const ALLOWED = "/cosmos.feegrant.v1beta1.AllowedMsgAllowance";

type Any = { typeUrl: string; value: Uint8Array };
type Parts = Pick<Sponsor, "left" | "expires" | "only">;

/** What a row of the chain's says; `undefined` for an allowance of a kind that is not known here. */
export function sponsorOf({ granter, grantee, allowance }: Grant, denom: string): Sponsor | undefined {
  try {
    const parts = allowance && read(allowance, denom, true);
    return parts && { address: granter, account: grantee, ...parts };
  } catch {
    return undefined;
  }
}

function read({ typeUrl, value }: Any, denom: string, mayFilter: boolean): Parts | undefined {
  if (typeUrl === BASIC) return basic(BasicAllowance.decode(value), denom);
  // What a periodic one pays now follows from the block's time; the chain says so.
  if (typeUrl === PERIODIC) return basic(PeriodicAllowance.decode(value).basic, denom);
  if (typeUrl !== ALLOWED || !mayFilter) return undefined;
  const { allowance, allowedMessages } = AllowedMsgAllowance.decode(value);
  const inner = allowance && read(allowance, denom, false);
  return inner && { ...inner, only: allowedMessages };
}

function basic(of: BasicAllowance | undefined, denom: string): Parts {
  const limit = of?.spendLimit ?? [];
  const coin = limit.find((one) => one.denom === denom);
  return {
    left: limit.length === 0 ? undefined : BigInt(coin?.amount ?? "0"),
    expires: of?.expiration && Number(of.expiration.seconds),
    only: undefined,
  };
}

/** Whether a sponsor pays this fee, at a second of Unix time, for a transaction of these messages. */
export function pays({ left, expires, only }: Sponsor, fee: bigint, now: number, typeUrls: readonly string[]): boolean {
  const enough = left === undefined || (left > 0n && left >= fee);
  return enough && (expires === undefined || now <= expires) && typeUrls.every((url) => only?.includes(url) ?? true);
}

/** The message by which `granter` pays fees of up to `limit` coins for an account, which begins to exist with it. */
export function allowance(granter: string, grantee: string, denom: string, limit: bigint): EncodeObject {
  const spendLimit = [{ denom, amount: String(limit) }];
  const value = BasicAllowance.encode(BasicAllowance.fromPartial({ spendLimit })).finish();
  const typeUrl = "/cosmos.feegrant.v1beta1.MsgGrantAllowance";
  return { typeUrl, value: { granter, grantee, allowance: { typeUrl: BASIC, value } } };
}

/** The message by which `granter` pays no more. */
export const noAllowance = (granter: string, grantee: string): EncodeObject => ({
  typeUrl: "/cosmos.feegrant.v1beta1.MsgRevokeAllowance",
  value: { granter, grantee },
});

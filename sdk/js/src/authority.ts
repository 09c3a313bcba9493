/** What the chain's authority and validators' operators say, field by field as in `chain/types/src/msg/authority.rs`. */
import { bytes, codec, inline, text, u64 } from "./codec.js";
import type { Typed } from "./messages.js";

/** Adds a validator, changes one, or removes it (power 0). */
export interface MsgSetValidator {
  authority: string;
  /** ed25519, 32 bytes. */
  consensusKey: Uint8Array;
  power: bigint;
  operator: string;
  name: string;
}
export const MsgSetValidator = codec<MsgSetValidator>({
  authority: text(1),
  consensusKey: bytes(2),
  power: u64(3),
  operator: text(4),
  name: text(5),
});

/** Registers the key with which a validator attests. */
export interface MsgRegisterAttester {
  operator: string;
  consensusKey: Uint8Array;
  blsKey: Uint8Array;
  epoch: bigint;
  possession: Uint8Array;
}
export const MsgRegisterAttester = codec<MsgRegisterAttester>({
  operator: text(1),
  consensusKey: bytes(2),
  blsKey: bytes(3),
  epoch: u64(4),
  possession: bytes(5),
});

/** Changes parameters; both are JSON objects in UTF-8, and may be empty. */
export interface MsgUpdateParams {
  authority: string;
  params: Uint8Array;
  consensus: Uint8Array;
}
export const MsgUpdateParams = codec<MsgUpdateParams>({ authority: text(1), params: inline(2), consensus: inline(3) });

/** Says that at a height the chain goes on by other rules. */
export interface MsgScheduleUpgrade {
  authority: string;
  name: string;
  height: bigint;
  info: string;
}
export const MsgScheduleUpgrade = codec<MsgScheduleUpgrade>({
  authority: text(1),
  name: text(2),
  height: u64(3),
  info: text(4),
});

/** Takes the scheduled upgrade back. */
export interface MsgCancelUpgrade {
  authority: string;
}
export const MsgCancelUpgrade = codec<MsgCancelUpgrade>({ authority: text(1) });

/** Messages of authority and operators; `acesoTypes` has all. */
export const authorityTypes: ReadonlyArray<Typed> = [
  ["/aceso.validators.v1.MsgSetValidator", MsgSetValidator],
  ["/aceso.validators.v1.MsgRegisterAttester", MsgRegisterAttester],
  ["/aceso.validators.v1.MsgUpdateParams", MsgUpdateParams],
  ["/aceso.validators.v1.MsgScheduleUpgrade", MsgScheduleUpgrade],
  ["/aceso.validators.v1.MsgCancelUpgrade", MsgCancelUpgrade],
];

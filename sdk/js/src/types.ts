/** All messages of this chain for wallets and clients of other makers: in protobuf, and as a Ledger or Keplr signs them. */
import { authorityTypes } from "./authority.js";
import type { AminoValue } from "./codec.js";
import { type Typed, openTypes } from "./messages.js";
import { sealedTypes } from "./sealed.js";

/** For CosmJS: `new Registry([...defaultRegistryTypes, ...acesoTypes])`. */
export const acesoTypes: ReadonlyArray<Typed> = [...openTypes, ...sealedTypes, ...authorityTypes];

/** What CosmJS asks of a message to sign it in amino JSON. */
export interface AminoConverter {
  /** `aceso/` and the last part of the type URL. */
  readonly aminoType: string;
  // CosmJS hands over messages of every type through one door.
  readonly toAmino: (message: any) => AminoValue;
  readonly fromAmino: (value: AminoValue) => any;
}

/** For CosmJS: `new AminoTypes({ ...createDefaultAminoConverters(), ...acesoAmino })`. */
export const acesoAmino: Readonly<Record<string, AminoConverter>> = Object.fromEntries(
  acesoTypes.map(([url, { toAmino, fromAmino }]) => {
    return [url, { aminoType: `aceso/${url.slice(url.lastIndexOf(".") + 1)}`, toAmino, fromAmino }];
  }),
);

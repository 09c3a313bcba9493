/** What the chain's own code refuses. The sentence is for people, `kind` for programs. */

/** The bytes are not what they should be: a receipt that is not proven, a file that is no picture, a wrong manifest. */
export class NotProven extends Error {
  override name = "NotProven";
}

/** A key, a point, a wrap or a proof that is none, or does not hold. */
export class GrantError extends Error {
  override name = "GrantError";
  constructor(
    message: string,
    readonly kind:
      | "length"
      | "point"
      | "scalar"
      | "zero"
      | "members"
      | "guardians"
      | "share"
      | "shares"
      | "proof",
  ) {
    super(message);
  }
}

/** A sealed file that does not open, or a record that cannot be sealed. */
export class SealError extends Error {
  override name = "SealError";
  constructor(
    message: string,
    readonly kind:
      | "header"
      | "version"
      | "long"
      | "key"
      | "leaf"
      | "unread"
      | "range"
      | "large"
      | "inner"
      | "record"
      | "length",
  ) {
    super(message);
  }
}

/** A key store that does not open, or has no such key; `kind` may also be one of the two above. */
export class StoreError extends Error {
  override name = "StoreError";
  constructor(
    message: string,
    readonly kind: "unknown" | "known" | "full" | "record" | "old" | SealError["kind"] | GrantError["kind"],
  ) {
    super(message);
  }
}

/** What a call into the Rust code said instead of an answer. */
export interface Refusal {
  error: string;
  from?: "grant" | "seal" | "store";
  kind?: string;
}

export function refusal({ error, from, kind }: Refusal): Error {
  switch (from) {
    case "grant":
      return new GrantError(error, kind as GrantError["kind"]);
    case "seal":
      return new SealError(error, kind as SealError["kind"]);
    case "store":
      return new StoreError(error, kind as StoreError["kind"]);
    default:
      return new NotProven(error);
  }
}

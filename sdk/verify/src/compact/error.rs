//! Why a compact receipt is not believed.

use alloc::string::String;

use aceso_types::{
    Digest,
    receipt::Disagreement,
    sealed::{ProofError, SealedError},
};

/// Every reason, with what was found and what was wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompactError {
    /// The bytes are no compact receipt, or no root.
    #[error("{0}")]
    Sealed(#[from] SealedError),
    /// The roots file is not one.
    #[error("the roots file does not decode: {0}")]
    Roots(String),
    /// The roots file begins with another root than it says is trusted.
    #[error("the first root has digest {got}, and {want} is trusted")]
    Trusted {
        /// The first root's digest.
        got: Digest,
        /// What the file names.
        want: Digest,
    },
    /// No root of the receipt's number is known.
    #[error("the receipt's members are of root {got}, and the roots known here are {first} to {last}")]
    Unknown {
        /// The receipt's root.
        got: u64,
        /// The first that is known.
        first: u64,
        /// The last that is known.
        last: u64,
    },
    /// The receipt, or the root, does not follow from a trusted root.
    #[error("{0}")]
    Proof(#[from] ProofError),
    /// A root has a key that is none.
    #[error("the key of validator {number} in root {root} is no point of G1 in its subgroup other than the identity")]
    Key {
        /// The root.
        root: u64,
        /// The validator.
        number: u32,
    },
    /// The signature is no point.
    #[error("the signature is no point of G2 in its subgroup other than the identity")]
    Point,
    /// The signers' keys cancel out.
    #[error("the signers' keys add up to the identity, for which anybody can sign")]
    Cancelled,
    /// Another signature.
    #[error("the signature is not that of the signers over this {0}")]
    Signature(&'static str),
    /// A receipt of an open read, which no committee signed.
    #[error("the receipt is of an open read, which has no committee; check it by its header")]
    Open,
    /// The receipt says one thing and its committee another.
    #[error("{0}")]
    Receipt(#[from] Disagreement),
}

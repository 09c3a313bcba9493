//! Why a message is refused.

use aceso_types::sealed::{NotAccepted, ProofError, SealedError};
use cosmwasm_std::{StdError, VerificationError};

/// Every reason.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// From the standard library: storage, JSON.
    #[error("{0}")]
    Std(#[from] StdError),
    /// No receipt, or no root.
    #[error("{0}")]
    Sealed(#[from] SealedError),
    /// Members, power or order are not as they must be.
    #[error("{0}")]
    Proof(#[from] ProofError),
    /// Believed, but not enough.
    #[error("{0}")]
    NotAccepted(#[from] NotAccepted),
    /// A point that is none.
    #[error("a key or the signature is no point of its subgroup: {0}")]
    Point(#[from] VerificationError),
    /// The identity, for which anybody can sign.
    #[error("{0} is the identity")]
    Identity(&'static str),
    /// Another signature.
    #[error("the signature is not that of the signers over this")]
    Signature,
    /// The receipt's keys are not here.
    #[error("root {0} is not known here")]
    Unknown(u64),
    /// Twice.
    #[error("job {0} is recorded already")]
    Recorded(u64),
}

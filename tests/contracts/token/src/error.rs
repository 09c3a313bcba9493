//! Why a message is refused.

use cosmwasm_std::{OverflowError, StdError};

/// Every reason.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// From the standard library: storage, addresses, JSON.
    #[error("{0}")]
    Std(#[from] StdError),
    /// More than there is.
    #[error("{0}")]
    Overflow(#[from] OverflowError),
    /// A transfer of nothing.
    #[error("the amount is zero")]
    Zero,
}

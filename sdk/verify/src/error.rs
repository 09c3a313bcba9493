//! Why a receipt is not believed.

use alloc::string::String;

use aceso_types::{Height, ReadId, ReceiptError, receipt::Disagreement};

/// Every reason, with what was found and what was wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The trust file is not one.
    #[error("the trust file does not decode: {0}")]
    Trust(String),
    /// The receipt file is too large to be one.
    #[error("a receipt file has at most {max} bytes, not {got}")]
    TooLarge {
        /// Its length.
        got: usize,
        /// The most that is looked at.
        max: usize,
    },
    /// The receipt file is not one.
    #[error("the receipt file does not decode: {0}")]
    Malformed(String),
    /// The receipt inside is not one.
    #[error("{0}")]
    Receipt(#[from] ReceiptError),
    /// The receipt of a sealed read says another thing than its committee signed.
    #[error("{0}")]
    Sealed(#[from] Disagreement),
    /// The receipt, or the header, is of another chain.
    #[error("the {what} is of chain {got:?}, and the trusted one is {want:?}")]
    Chain {
        /// Which of the two.
        what: &'static str,
        /// Its chain.
        got: String,
        /// The trusted chain.
        want: String,
    },
    /// The header is too old to commit the receipt.
    #[error("the header of height {header} cannot commit a read of height {read}")]
    Height {
        /// The header's height.
        header: u64,
        /// The receipt's height.
        read: Height,
    },
    /// The header, its commit and its validators do not belong together.
    #[error("the header is not signed as it must be: {0}")]
    Header(String),
    /// The trusted validators did not sign.
    #[error("the trusted validators did not sign the header: {0}")]
    Power(String),
    /// A proof does not lead from the value to the root.
    #[error("the proof that the {level} holds the receipt of read {read} does not hold")]
    Proof {
        /// Which of the two proofs.
        level: &'static str,
        /// The read.
        read: ReadId,
    },
}

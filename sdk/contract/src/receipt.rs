//! Compact receipts of sealed reads, of this chain or another of Aceso's, believed by a root that the contract trusts.

use aceso_types::{
    Digest,
    sealed::{Backing, Compact, NotBelieved, SealedError},
};

use crate::{Errno, sys};

/// A receipt whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReceipt {
    /// What was asked, of whom, and what came out.
    pub compact: Compact,
    /// Who stands behind it. Whether that is enough is for the contract to say: [`Backing::accept`].
    pub backing: Backing,
}

/// Why a receipt is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The host does not believe it.
    #[error("{0}")]
    NotBelieved(NotBelieved),
    /// The host could not look at it.
    #[error("the host does not take receipt and root: {0}")]
    Errno(Errno),
    /// Believed, but not read by this library.
    #[error("{0}")]
    Sealed(#[from] SealedError),
}

impl ReceiptError {
    /// What an answer other than 0 says.
    fn of(number: i32) -> Self {
        let reason = u32::try_from(number).ok().and_then(NotBelieved::from_number);
        match (reason, Errno::check(number)) {
            (Some(reason), _) => Self::NotBelieved(reason),
            (None, Err(errno)) => Self::Errno(errno),
            (None, Ok(())) => Self::Errno(Errno::Unknown(number)),
        }
    }
}

/// Has the host verify a compact receipt. `root` holds the keys of the receipt's members, in dag-cbor; whoever sends the
/// receipt may bring it along, for the contract keeps its digest alone: `trusted` is what `Root::digest` says of a root that
/// is trusted. A receipt can be brought again: who pays by one remembers its `compact.statement.job`.
///
/// # Errors
/// [`ReceiptError`].
pub fn verify_receipt(receipt: &[u8], root: &[u8], trusted: &Digest) -> Result<VerifiedReceipt, ReceiptError> {
    let backing = sys::verify_receipt(receipt, root, trusted).map_err(ReceiptError::of)?;
    Ok(VerifiedReceipt { compact: Compact::decode(receipt)?, backing })
}

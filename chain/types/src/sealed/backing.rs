//! What a host answers to a contract that hands over a compact receipt: who stands behind it, or why it is not believed.
//!
//! The import is `aceso.verify_receipt`; the curve is the host's. What needs none is here, so that every host refuses for
//! the same reason: [`examine`].

use super::{Acceptance, Compact, NotAccepted, ProofError, Root, Signed, root_digest};
use crate::Digest;

/// Who stands behind a compact receipt that a host has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backing {
    /// Members of its committee.
    pub members: u32,
    /// The power of those who signed.
    pub signed: u64,
    /// The committee's power.
    pub power: u64,
    /// The power of all validators in the members' root.
    pub total: u64,
}

/// Why a host does not believe a compact receipt. The numbers are the import's answers, beside those of wasi-nn's errno;
/// append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotBelieved {
    /// The bytes are no root, or not the one that is trusted.
    #[error("the root is not the one that is trusted")]
    Trusted = 32,
    /// The trusted bytes are no root.
    #[error("the trusted root is none")]
    Root = 33,
    /// The bytes are no compact receipt.
    #[error("the bytes are no compact receipt")]
    Receipt = 34,
    /// Another chain's.
    #[error("the receipt is of another chain than the root")]
    Chain = 35,
    /// Its members' keys are in another root.
    #[error("the receipt's members are of another root")]
    Number = 36,
    /// A member has no key in the root.
    #[error("a member of the receipt is not in the root")]
    Member = 37,
    /// The signers' bits are not one for each member.
    #[error("the signers are not some of the members")]
    Signers = 38,
    /// Two thirds or less.
    #[error("the signers do not have more than two thirds of the committee's power")]
    Power = 39,
    /// A signer's key is no point of G1 in its subgroup other than the identity, or they add up to it.
    #[error("a signer's key is none")]
    Key = 40,
    /// Not that of the signers over this read.
    #[error("the signature is not that of the signers over this read")]
    Signature = 41,
}

/// A receipt and the root of its members, read, and who must have signed what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The receipt.
    pub compact: Compact,
    /// The root.
    pub root: Root,
    /// What is left to check: that these have signed this.
    pub signed: Signed,
}

/// Reads a compact receipt and the root whose digest is trusted, and finds who must have signed what. Says nothing of the
/// signature.
///
/// # Errors
/// [`NotBelieved`], but for the last two.
pub fn examine(receipt: &[u8], root: &[u8], trusted: &Digest) -> Result<Examined, NotBelieved> {
    if root_digest(root) != *trusted {
        return Err(NotBelieved::Trusted);
    }
    let root = Root::decode(root).map_err(|_| NotBelieved::Root)?;
    let compact = Compact::decode(receipt).map_err(|_| NotBelieved::Receipt)?;
    let signed = compact.signed(&root).map_err(|error| match error {
        ProofError::Chain { .. } => NotBelieved::Chain,
        ProofError::Root { .. } => NotBelieved::Number,
        ProofError::Member { .. } => NotBelieved::Member,
        ProofError::Power { .. } => NotBelieved::Power,
        // The rest is about roots that follow, and receipts that are not compact.
        _ => NotBelieved::Signers,
    })?;
    Ok(Examined { compact, root, signed })
}

impl Examined {
    /// Who stands behind the receipt, if the signature holds.
    pub fn backing(&self) -> Backing {
        let members = u32::try_from(self.signed.places.len()).unwrap_or(u32::MAX);
        Backing { members, signed: self.signed.signed, power: self.signed.power, total: self.root.total }
    }
}

impl Backing {
    /// Bytes of [`Backing::to_bytes`].
    pub const BYTES: usize = 32;

    /// As the import writes it: four numbers of eight bytes, little-endian, in the order of the fields.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let words = [u64::from(self.members), self.signed, self.power, self.total];
        let mut bytes = [0; Self::BYTES];
        bytes.iter_mut().zip(words.into_iter().flat_map(u64::to_le_bytes)).for_each(|(to, from)| *to = from);
        bytes
    }

    /// What the import has written.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut words = bytes.chunks_exact(8).map(|word| word.try_into().map_or(0, u64::from_le_bytes));
        let mut next = || words.next().unwrap_or_default();
        let members = u32::try_from(next()).unwrap_or(u32::MAX);
        Self { members, signed: next(), power: next(), total: next() }
    }

    /// Whether the committee is as demanded. A committee of one can say what it likes: whoever pays by a read asks for
    /// more than that.
    ///
    /// # Errors
    /// [`NotAccepted`].
    pub fn accept(&self, demanded: &Acceptance) -> Result<(), NotAccepted> {
        demanded.check(usize::try_from(self.members).unwrap_or(usize::MAX), self.power, self.total)
    }
}

impl NotBelieved {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::Trusted,
        Self::Root,
        Self::Receipt,
        Self::Chain,
        Self::Number,
        Self::Member,
        Self::Signers,
        Self::Power,
        Self::Key,
        Self::Signature,
    ];

    /// The import's answer.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The reason behind an answer.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }
}

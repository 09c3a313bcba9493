//! The compact check of a sealed read: one aggregated signature against a root that is trusted.
//!
//! A compact receipt names its committee's members by their numbers; a [`Roots`] has their keys. [`verify`] finds the
//! keys, sees that the signers have more than two thirds of the committee's power, and checks one BLS12-381 signature
//! over what was asked and what came out. Whether that committee is one to rely on is for whoever pays to say:
//! [`Verified::accept`].
//!
//! What is trusted is the digest of one root. Later roots follow by signatures of more than two thirds of the power in
//! the one before. A root's keys are taken to be possessed by their owners, which the chain has every key proven for: a
//! root that lists another's sum as a key of its own would have to be signed by more than two thirds first.
//!
//! Absent on purpose: state, headers, network. Start at [`verify`].

mod bls;
mod error;
mod roots;

use alloc::vec::Vec;

pub use aceso_types::sealed::{Acceptance, NotAccepted};
use aceso_types::{
    Digest, Receipt,
    sealed::{Compact, Signed},
};

pub use error::CompactError;
pub use roots::Roots;

/// A sealed read that is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What was asked, of whom, and what came out.
    pub compact: Compact,
    /// The digest of its committee.
    pub committee: Digest,
    /// Its members.
    pub members: Vec<Member>,
    /// The power of those who signed.
    pub signed: u64,
    /// The committee's power.
    pub power: u64,
    /// The power of all validators in the members' root.
    pub total: u64,
}

/// A member of a committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The validator's number.
    pub number: u32,
    /// Its power.
    pub power: u64,
    /// Whether it signed.
    pub signed: bool,
}

/// Whether bytes would be a compact receipt: it is a list, a receipt file is a map, and the first byte says which.
pub fn is_compact(file: &[u8]) -> bool {
    file.first().is_some_and(|first| first >> 5 == 4)
}

/// Verifies a compact receipt against trusted roots.
///
/// # Errors
/// [`CompactError`].
pub fn verify(file: &[u8], roots: &Roots) -> Result<Verified, CompactError> {
    let compact = Compact::decode(file)?;
    let (signed, total) = roots.check(&compact)?;
    Ok(verified(compact, &signed, total, roots))
}

/// Verifies what a receipt carries of its committee against trusted roots, and that the receipt says nothing else. The
/// receipt's place on the chain, its number and time, is not looked at: that is the light check.
///
/// # Errors
/// [`CompactError`].
pub fn verify_receipt(receipt: &Receipt, roots: &Roots) -> Result<Verified, CompactError> {
    receipt.check_sealed()?;
    let compact = receipt.compact().ok_or(CompactError::Open)?;
    compact.check()?;
    let (signed, total) = roots.check(&compact)?;
    if let Some(root) = roots.get(compact.root) {
        receipt.check_committee(&signed, root)?;
    }
    Ok(verified(compact, &signed, total, roots))
}

fn verified(compact: Compact, signed: &Signed, total: u64, roots: &Roots) -> Verified {
    let keys = roots.get(compact.root).map(|root| root.keys.as_slice()).unwrap_or_default();
    let member = |place: &usize| {
        let key = keys.get(*place)?;
        Some(Member { number: key.number, power: key.power, signed: signed.signers.contains(place) })
    };
    let members = signed.places.iter().filter_map(member).collect();
    Verified { members, committee: signed.committee, signed: signed.signed, power: signed.power, total, compact }
}

impl Verified {
    /// Whether its committee is as demanded. A committee of one can say what it likes: whoever pays by a read asks for
    /// more than that.
    ///
    /// # Errors
    /// [`NotAccepted`].
    pub fn accept(&self, demanded: &Acceptance) -> Result<(), NotAccepted> {
        demanded.check(self.members.len(), self.power, self.total)
    }
}

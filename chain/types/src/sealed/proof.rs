//! What has to be shown of a compact receipt, or of a root that follows another: who must have signed what.
//!
//! Everything but the curve. A verifier takes a [`Signed`] and checks one aggregated signature with whatever it has:
//! pure Rust in `sdk/verify`, the host's functions in a contract.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{Compact, Key, Root, SealedError, committee_digest};
use crate::{
    Digest, Receipt,
    query::RootRow,
    signers::{is_enough, places},
};

/// The domain of attestation keys' signatures: BLS12-381, keys in G1, signatures in G2, possession proven apart.
pub const SIGNATURE_DOMAIN: &[u8] = b"ACESO_BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// Why a compact receipt or a root does not follow from the root that is trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Another chain's.
    #[error("the {what} is of chain {got:?}, and the trusted root of {want:?}")]
    Chain {
        /// Receipt or root.
        what: &'static str,
        /// Its chain.
        got: String,
        /// The trusted root's.
        want: String,
    },
    /// Its members' keys are in another root.
    #[error("the receipt's members are of root {got}, and this is root {want}")]
    Root {
        /// The receipt's root.
        got: u64,
        /// The one that was given.
        want: u64,
    },
    /// A member has no key in the root.
    #[error("member {number} is not in root {root}")]
    Member {
        /// Its number.
        number: u32,
        /// The root's.
        root: u64,
    },
    /// The signers' bits are not one for each who could sign.
    #[error("the signers' {got} bytes are not one bit for each of {of}")]
    Signers {
        /// How many bytes there are.
        got: usize,
        /// How many could sign.
        of: usize,
    },
    /// Two thirds or less.
    #[error("the signers have {signed} of {of} in power, which is not more than two thirds")]
    Power {
        /// The signers' power.
        signed: u64,
        /// The power of all that could sign.
        of: u64,
    },
    /// A root that does not come right after.
    #[error("root {got} does not follow root {want}")]
    Order {
        /// Its number.
        got: u64,
        /// The number of the one that is there.
        want: u64,
    },
    /// A root that comes after another one of the same number.
    #[error("root {number} follows a root with digest {got}, and the trusted one has {want}")]
    Previous {
        /// Its number.
        number: u64,
        /// What it says that it follows.
        got: Digest,
        /// What is there.
        want: Digest,
    },
    /// The receipt's committee is another one than its members make.
    #[error("the receipt's committee {what} is not that of its members in the root")]
    Committee {
        /// Digest, power or total.
        what: &'static str,
    },
}

/// What somebody who relies on a read demands of its committee. The default demands nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Acceptance {
    /// Fewest members.
    pub members_min: usize,
    /// Smallest share of all validators' power that the members have together, in hundredths of a percent.
    pub power_min_bps: u32,
}

/// Why a committee is not accepted, though all it signed holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAccepted {
    /// Too few.
    #[error("the committee has {got} members, and {want} are demanded")]
    Members {
        /// How many.
        got: usize,
        /// How many are demanded.
        want: usize,
    },
    /// Too little power.
    #[error("the committee has {got} of {of} in power, and {want_bps} basis points are demanded")]
    Power {
        /// The committee's power.
        got: u64,
        /// All validators' power.
        of: u64,
        /// The share that is demanded.
        want_bps: u32,
    },
}

impl Acceptance {
    /// Whether a committee of `members` with `power` of `total` is as demanded.
    ///
    /// # Errors
    /// [`NotAccepted`].
    pub fn check(&self, members: usize, power: u64, total: u64) -> Result<(), NotAccepted> {
        if members < self.members_min {
            return Err(NotAccepted::Members { got: members, want: self.members_min });
        }
        if u128::from(power) * 10_000 < u128::from(total) * u128::from(self.power_min_bps) {
            return Err(NotAccepted::Power { got: power, of: total, want_bps: self.power_min_bps });
        }
        Ok(())
    }
}

/// A root and what shows that it follows the one before; nothing for the one that a list begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedRoot {
    /// The root.
    pub root: Root,
    /// One bit per key of the root before, lowest bit of the first byte first.
    #[serde(with = "crate::cbor_bytes")]
    pub signers: Vec<u8>,
    /// The aggregated signature over [`Root::digest`], 96 bytes.
    #[serde(with = "crate::cbor_bytes")]
    pub signature: Vec<u8>,
}

impl SignedRoot {
    /// A root as the chain answers with it.
    ///
    /// # Errors
    /// [`SealedError`].
    pub fn read(row: &RootRow) -> Result<Self, SealedError> {
        let root = Root::decode(&row.root)?;
        let signed = row.signed.clone().unwrap_or_default();
        Ok(Self { root, signers: signed.signers, signature: signed.signature })
    }
}

/// Who has signed what, if the signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The message.
    pub message: Digest,
    /// Where in the root the keys of those stand who could sign.
    pub places: Vec<usize>,
    /// Where in the root the signers' keys stand: some of `places`.
    pub signers: Vec<usize>,
    /// The committee's digest; zeros for a root.
    pub committee: Digest,
    /// The signers' power.
    pub signed: u64,
    /// The power of which that is more than two thirds.
    pub power: u64,
}

impl Compact {
    /// What must have been signed by whom, by a trusted root. Says nothing of the signature.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn signed(&self, root: &Root) -> Result<Signed, ProofError> {
        same_chain("receipt", &self.statement.chain_id, root)?;
        if self.root != root.number {
            return Err(ProofError::Root { got: self.root, want: root.number });
        }
        let place = |number: &u32| {
            let found = root.keys.binary_search_by_key(number, |key| key.number);
            found.map_err(|_| ProofError::Member { number: *number, root: root.number })
        };
        let places = self.members.iter().map(place).collect::<Result<Vec<usize>, _>>()?;
        let members = || places.iter().filter_map(|place| root.keys.get(*place));
        let committee = committee_digest(root.number, members());
        let power = members().map(|key| key.power).fold(0, u64::saturating_add);
        let signers = bits(&self.signers, places.len())?;
        let signers: Vec<usize> = signers.into_iter().filter_map(|bit| places.get(bit).copied()).collect();
        let signed = two_thirds(root, &signers, power)?;
        let message = self.statement.of(committee).sign_bytes(&self.outcome);
        Ok(Signed { message, places, signers, committee, signed, power })
    }
}

impl Receipt {
    /// Whether what a receipt says of its committee is what a root says of the members; for an open read there is nothing
    /// to say.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn check_committee(&self, signed: &Signed, root: &Root) -> Result<(), ProofError> {
        let differs = |what| Err(ProofError::Committee { what });
        if self.committee.digest != signed.committee {
            return differs("digest");
        }
        if self.committee.power != signed.power {
            return differs("power");
        }
        if self.committee.total != root.total {
            return differs("total");
        }
        Ok(())
    }
}

impl Root {
    /// What must have been signed by whom for another root to follow this one: more than two thirds of all validators'
    /// power, as for a block. Says nothing of the signature.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn followed(&self, next: &SignedRoot) -> Result<Signed, ProofError> {
        same_chain("root", &next.root.chain_id, self)?;
        if self.number.checked_add(1) != Some(next.root.number) {
            return Err(ProofError::Order { got: next.root.number, want: self.number });
        }
        let (number, got, want) = (next.root.number, next.root.previous, self.digest());
        if got != want {
            return Err(ProofError::Previous { number, got, want });
        }
        let signers = bits(&next.signers, self.keys.len())?;
        let signed = two_thirds(self, &signers, self.total)?;
        let (message, places) = (next.root.digest(), (0..self.keys.len()).collect());
        Ok(Signed { message, places, signers, committee: Digest::default(), signed, power: self.total })
    }

    /// The keys at these places.
    pub fn keys_at<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = &'a Key> {
        places.iter().filter_map(|place| self.keys.get(*place))
    }
}

fn same_chain(what: &'static str, got: &str, root: &Root) -> Result<(), ProofError> {
    if got == root.chain_id {
        return Ok(());
    }
    Err(ProofError::Chain { what, got: got.into(), want: root.chain_id.clone() })
}

fn bits(signers: &[u8], of: usize) -> Result<Vec<usize>, ProofError> {
    places(signers, of).ok_or(ProofError::Signers { got: signers.len(), of })
}

/// The signers' power, if it is more than two thirds of `of`.
fn two_thirds(root: &Root, signers: &[usize], of: u64) -> Result<u64, ProofError> {
    let signed = root.keys_at(signers).map(|key| key.power).fold(0, u64::saturating_add);
    if is_enough(signed, of) { Ok(signed) } else { Err(ProofError::Power { signed, of }) }
}

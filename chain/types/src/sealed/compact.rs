//! The compact receipt: a sealed read and its proof in a few hundred bytes.
//!
//! In dag-cbor it is one list without names ([`Wire`]), since names would be a quarter of it; in JSON it has them. One of
//! another frame than the first is a list of two: that one, and the frame.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{Disclosure, Failure, Input, MEMBERS_MAX, Outcome, SealedError, Statement, VERSION, decode, encode};
use crate::{BlobId, Digest, Frame, Height, ModelId, Tensor, guest::Answered};

/// Most bytes of a [`Compact`]: an outcome of the largest size and what stands around it.
pub const COMPACT_BYTES_MAX: usize = 16 << 10;

/// A sealed read and its proof, for whoever trusts a root: nothing else is needed to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compact {
    /// [`VERSION`].
    pub version: u32,
    /// The root that has the members' keys.
    pub root: u64,
    /// The members, by their numbers, ascending.
    pub members: Vec<u32>,
    /// The job. Its committee's digest is that of the members named here, and is not repeated: [`CompactStatement`].
    pub statement: CompactStatement,
    /// What it came to.
    pub outcome: Outcome,
    /// One bit per member that signed, lowest bit of the first byte first.
    #[serde(with = "crate::cbor_bytes")]
    pub signers: Vec<u8>,
    /// The aggregated signature, 96 bytes, over [`Statement::sign_bytes`].
    #[serde(with = "crate::cbor_bytes")]
    pub signature: Vec<u8>,
}

/// A [`Statement`] without what follows from the members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompactStatement {
    /// The chain.
    pub chain_id: String,
    /// The job's number on it.
    pub job: u64,
    /// The block in which it was asked for.
    pub requested: Height,
    /// The model.
    pub model: ModelId,
    /// The digest of its pipeline.
    pub pipeline: Digest,
    /// The sealed file.
    pub image: BlobId,
    /// Its frame; the first where it names none.
    #[serde(default, skip_serializing_if = "Frame::is_first")]
    pub frame: Frame,
    /// Whose it is.
    pub owner: String,
    /// Who asked.
    pub requester: String,
    /// What allowed it.
    pub consent: Digest,
    /// Who may know the outcome.
    pub disclosure: Disclosure,
}

impl Compact {
    /// Reads a compact receipt, strictly.
    ///
    /// # Errors
    /// [`SealedError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SealedError> {
        let what = "a compact receipt";
        let (wire, frame) = match bytes.first() {
            Some(&FRAMED) => decode::<(Wire, Frame)>(what, bytes, COMPACT_BYTES_MAX)?,
            _ => (decode(what, bytes, COMPACT_BYTES_MAX)?, Frame::FIRST),
        };
        if bytes.first() == Some(&FRAMED) && frame.is_first() {
            return Err(SealedError::NotCanonical(what));
        }
        let mut compact = Self::from(wire);
        compact.statement.frame = frame;
        compact.check()?;
        Ok(compact)
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let (wire, frame) = (Wire::from(self.clone()), self.statement.frame);
        if frame.is_first() { encode(&wire) } else { encode(&(wire, frame)) }
    }

    /// Whether its fields hold what they may; for one that was not read by [`Compact::decode`].
    ///
    /// # Errors
    /// [`SealedError::Field`].
    pub fn check(&self) -> Result<(), SealedError> {
        let refuse = |what, reason| Err(SealedError::Field { what, reason });
        if self.version != VERSION {
            return refuse("version", "must be 1");
        }
        if !(1..=MEMBERS_MAX).contains(&self.members.len()) || !self.members.windows(2).all(|pair| pair[0] < pair[1]) {
            return refuse("members", "must be 1 to 128, ascending, each once");
        }
        if self.signature.len() != 96 {
            return refuse("signature", "has 96 bytes");
        }
        if !self.outcome.fits(&self.statement.disclosure) {
            return refuse("outcome", "must be an answer to what was to be disclosed");
        }
        Ok(())
    }
}

impl CompactStatement {
    /// The whole statement of a committee.
    pub fn of(&self, committee: Digest) -> Statement {
        let Self { chain_id, job, requested, model, pipeline, image, frame, owner, requester, consent, disclosure } =
            self.clone();
        Statement {
            chain_id,
            job,
            requested,
            committee,
            model,
            pipeline,
            image,
            frame,
            owner,
            requester,
            consent,
            disclosure,
        }
    }
}

/// A compact receipt as it is written: version, root, members, signers, signature; chain, job, height of the request,
/// model, pipeline, image, owner, requester, consent, disclosure; outcome. The frame stands outside of it.
type Wire = (
    u32,
    u64,
    Vec<u32>,
    Bytes,
    Bytes,
    String,
    u64,
    Height,
    ModelId,
    Digest,
    BlobId,
    String,
    String,
    Digest,
    ShortDisclosure,
    ShortOutcome,
);

/// How a list of two begins: receipt and frame. That of a receipt alone is longer.
const FRAMED: u8 = 0x82;

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Bytes(#[serde(with = "crate::cbor_bytes")] Vec<u8>);

#[derive(Serialize, Deserialize)]
enum ShortDisclosure {
    #[serde(rename = "o")]
    Open,
    #[serde(rename = "p")]
    Predicate(Vec<String>),
    #[serde(rename = "s")]
    Sealed,
}

/// Each computed outcome begins with claim and whether it is vouched for.
#[derive(Serialize, Deserialize)]
enum ShortOutcome {
    #[serde(rename = "f")]
    Failed(Failure),
    #[serde(rename = "o")]
    Open(Digest, bool, Vec<Tensor>),
    #[serde(rename = "p")]
    Predicate(Digest, bool, Vec<(String, bool)>),
    #[serde(rename = "s")]
    Sealed(Digest, bool, Digest, Bytes),
    #[serde(rename = "b")]
    Stored(Digest, bool, Digest, BlobId, u64),
}

impl From<Compact> for Wire {
    fn from(compact: Compact) -> Self {
        let Compact { version, root, members, statement, outcome, signers, signature } = compact;
        let CompactStatement {
            chain_id,
            job,
            requested,
            model,
            pipeline,
            image,
            owner,
            requester,
            consent,
            disclosure,
            frame: _,
        } = statement;
        let disclosure = match disclosure {
            Disclosure::Open => ShortDisclosure::Open,
            Disclosure::Predicate(findings) => ShortDisclosure::Predicate(findings),
            Disclosure::Sealed => ShortDisclosure::Sealed,
        };
        let outcome = match outcome {
            Outcome::Failed(failure) => ShortOutcome::Failed(failure),
            Outcome::Open { input: Input { claim, vouched }, outputs } => ShortOutcome::Open(claim, vouched, outputs),
            Outcome::Predicate { input: Input { claim, vouched }, findings } => {
                let findings = findings.into_iter().map(|one| (one.id, one.present)).collect();
                ShortOutcome::Predicate(claim, vouched, findings)
            }
            Outcome::Sealed { input: Input { claim, vouched }, commitment, ciphertext } => {
                ShortOutcome::Sealed(claim, vouched, commitment, Bytes(ciphertext))
            }
            Outcome::Stored { input: Input { claim, vouched }, commitment, blob, size } => {
                ShortOutcome::Stored(claim, vouched, commitment, blob, size)
            }
        };
        (
            version,
            root,
            members,
            Bytes(signers),
            Bytes(signature),
            chain_id,
            job,
            requested,
            model,
            pipeline,
            image,
            owner,
            requester,
            consent,
            disclosure,
            outcome,
        )
    }
}

impl From<Wire> for Compact {
    fn from(wire: Wire) -> Self {
        let (version, root, members, Bytes(signers), Bytes(signature), chain_id, job, requested, ..) = wire;
        let (.., model, pipeline, image, owner, requester, consent, disclosure, outcome) = wire;
        let disclosure = match disclosure {
            ShortDisclosure::Open => Disclosure::Open,
            ShortDisclosure::Predicate(findings) => Disclosure::Predicate(findings),
            ShortDisclosure::Sealed => Disclosure::Sealed,
        };
        let outcome = match outcome {
            ShortOutcome::Failed(failure) => Outcome::Failed(failure),
            ShortOutcome::Open(claim, vouched, outputs) => Outcome::Open { input: Input { claim, vouched }, outputs },
            ShortOutcome::Predicate(claim, vouched, findings) => {
                let findings = findings.into_iter().map(|(id, present)| Answered { id, present }).collect();
                Outcome::Predicate { input: Input { claim, vouched }, findings }
            }
            ShortOutcome::Sealed(claim, vouched, commitment, Bytes(ciphertext)) => {
                Outcome::Sealed { input: Input { claim, vouched }, commitment, ciphertext }
            }
            ShortOutcome::Stored(claim, vouched, commitment, blob, size) => {
                Outcome::Stored { input: Input { claim, vouched }, commitment, blob, size }
            }
        };
        let statement = CompactStatement {
            chain_id,
            job,
            requested,
            model,
            pipeline,
            image,
            frame: Frame::FIRST,
            owner,
            requester,
            consent,
            disclosure,
        };
        Self { version, root, members, statement, outcome, signers, signature }
    }
}

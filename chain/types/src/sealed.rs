//! Sealed reads: what is asked of a committee, what its members sign, and what anybody can check of it afterwards.
//!
//! A patient's record is sealed; a grant wraps its key for a committee and names [`Terms`] by their digest. A request
//! opens the terms and becomes a job. The members' [`Statement`] says which job it was; each signs the digest of
//! statement and [`Outcome`] together ([`Statement::sign_bytes`]). Who they are stands in a [`Root`], a numbered table of
//! attestation keys, each signed by more than two thirds of the one before. [`Compact`] is all of that in a few hundred
//! bytes.
//!
//! dag-cbor without floats, one spelling each: what decodes and would be written in another way is refused.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    BlobId, Digest, Frame, Height, ModelId, PixelDigest, Tensor,
    guest::Answered,
    receipt::{Consent, outputs_digest},
};

/// The only version of these formats.
pub const VERSION: u32 = 1;
/// Most members of a committee, and most readers of a grant.
pub const MEMBERS_MAX: usize = 128;
/// Most files that are sealed under one point.
pub const FILES_MAX: usize = 1024;
/// Most bytes of encoded [`Terms`].
pub const TERMS_BYTES_MAX: usize = 8 << 10;
/// Most bytes of an encoded [`Statement`].
pub const STATEMENT_BYTES_MAX: usize = 8 << 10;
/// Most bytes of an encoded [`Outcome`]: outputs of [`INLINE_BYTES_MAX`] and what stands around them.
pub const OUTCOME_BYTES_MAX: usize = (4 << 10) + 512;
/// Most [`result_bytes`] of outputs that stand in the outcome, open or encrypted, so that a request for more is refused by
/// the length that its model's row has. Longer encrypted ones are a blob that the outcome names.
pub const INLINE_BYTES_MAX: usize = (4 << 10) + 256;
/// Most bytes of an encrypted result, whatever a chain's parameters say: a few of the largest tensors.
pub const RESULT_BYTES_MAX: usize = 32 << 20;
/// Bytes of the tag at the end of an encrypted result.
const TAG_BYTES: usize = 16;
/// Most findings that a predicate discloses in one read.
pub const PREDICATE_MAX: usize = 2;
/// Grants that were passed on this often are passed on no further.
pub const DEPTH_MAX: u32 = 8;
/// Most bytes of an encoded [`Root`].
pub const ROOT_BYTES_MAX: usize = 1 << 20;

const LIST_MAX: usize = 32;
const TEXT_MAX: usize = 128;

/// Why bytes are not one of these things.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealedError {
    /// More bytes than it may have.
    #[error("{what} has at most {most} bytes, not {got}")]
    TooLarge {
        /// What was decoded.
        what: &'static str,
        /// How many it may have.
        most: usize,
        /// How many there were.
        got: usize,
    },
    /// Not dag-cbor of this shape.
    #[error("{what} does not decode: {reason}")]
    Malformed {
        /// What was decoded.
        what: &'static str,
        /// What the decoder says.
        reason: String,
    },
    /// Decodes, but would be written in another way.
    #[error("{0} is not in canonical dag-cbor")]
    NotCanonical(&'static str),
    /// A field holds what it may not.
    #[error("{what}: {reason}")]
    Field {
        /// The field.
        what: &'static str,
        /// What it must be.
        reason: &'static str,
    },
}

fn decode<T: DeserializeOwned + Serialize>(what: &'static str, bytes: &[u8], most: usize) -> Result<T, SealedError> {
    if bytes.len() > most {
        return Err(SealedError::TooLarge { what, most, got: bytes.len() });
    }
    let value: T =
        serde_ipld_dagcbor::from_slice(bytes).map_err(|e| SealedError::Malformed { what, reason: format!("{e}") })?;
    if encode(&value) == bytes { Ok(value) } else { Err(SealedError::NotCanonical(what)) }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Writing into a `Vec` fails only for values that dag-cbor cannot hold, of which these have none.
    serde_ipld_dagcbor::to_vec(value).unwrap_or_default()
}

/// Names of several files that are sealed under one point, as registrations and grants name them. One file goes by its
/// own CID.
pub fn record_name(cids: &[String]) -> String {
    match cids {
        [only] => only.clone(),
        several => {
            let parts: Vec<&[u8]> = several.iter().map(String::as_bytes).collect();
            format!("record:{}", Digest::sha3("aceso/record/v1", &parts))
        }
    }
}

/// What a reader's proof of possession is about: the key of this account in this epoch on this chain.
pub fn reader_context(chain_id: &str, account: &str, epoch: u64, expires: u64) -> Digest {
    let parts: [&[u8]; 4] = [chain_id.as_bytes(), account.as_bytes(), &epoch.to_be_bytes(), &expires.to_be_bytes()];
    Digest::sha3("aceso/reader/v1", &parts)
}

/// What a wrap is made from: the registration's bytes, or those of the wrap that is passed on.
pub fn source_digest(bytes: &[u8]) -> Digest {
    Digest::sha3("aceso/source/v1", &[bytes])
}

/// For whom a wrap is: account, epoch and key of each, in the wrap's order.
pub fn recipients_digest<'a>(all: impl IntoIterator<Item = (&'a str, u64, &'a [u8])>) -> Digest {
    let rows: Vec<Vec<u8>> = all
        .into_iter()
        .map(|(account, epoch, key)| {
            let length = u64::try_from(account.len()).unwrap_or(u64::MAX);
            [&length.to_be_bytes()[..], account.as_bytes(), &epoch.to_be_bytes(), key].concat()
        })
        .collect();
    let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    Digest::sha3("aceso/recipients/v1", &rows)
}

/// What a grant allows. On the chain stands the digest; a request opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// [`VERSION`].
    pub version: u32,
    /// Random, so that nobody finds the terms by trying.
    pub salt: Digest,
    /// Accounts that may ask for reads; must have signed the transaction that does. None: nobody asks, the grant is for
    /// those who open by themselves. An emergency grant may leave it to `anybody`.
    pub actors: Vec<String>,
    /// Whether an account that is not named may ask too, with a public reason; for emergencies only.
    pub anybody: bool,
    /// Accounts and contracts that may make the request; empty means any.
    pub via: Vec<String>,
    /// What for: codes of HL7 v3 ActReason; at least one where somebody may ask.
    pub purposes: Vec<String>,
    /// The models; empty means any.
    pub models: Vec<ModelId>,
    /// From this second on (Unix time, by the block's clock).
    pub not_before: u64,
    /// Reads in all.
    pub uses: u32,
    /// Whether outcomes may be known to everyone.
    pub open: bool,
    /// Whether outcomes may be kept for who holds the key.
    pub sealed: bool,
    /// Findings that may be disclosed as bits.
    pub findings: Vec<String>,
    /// How many bits of an (image, model) may be disclosed in all. A bit that was disclosed is disclosed again for nothing.
    pub bits: u32,
    /// Whether a reader may pass the key on to others.
    pub rewrap: bool,
    /// Whether it is for emergencies: every use needs a public reason and leaves a review item.
    pub emergency: bool,
}

impl Terms {
    /// Reads terms, strictly.
    ///
    /// # Errors
    /// [`SealedError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SealedError> {
        let terms: Self = decode("terms", bytes, TERMS_BYTES_MAX)?;
        terms.check()?;
        Ok(terms)
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// What stands on the chain: a digest over the terms and the second at which the grant ends, which is public.
    pub fn digest(&self, expires: u64) -> Digest {
        Digest::sha3("aceso/terms/v1", &[&expires.to_be_bytes(), &self.encode()])
    }

    fn check(&self) -> Result<(), SealedError> {
        let refuse = |what, reason| Err(SealedError::Field { what, reason });
        if self.version != VERSION {
            return refuse("version", "must be 1");
        }
        let lists = [("actors", &self.actors), ("via", &self.via), ("purposes", &self.purposes)];
        for (what, list) in lists.into_iter().chain([("findings", &self.findings)]) {
            if list.len() > LIST_MAX {
                return refuse(what, "has at most 32 entries");
            }
            if list.iter().any(|entry| entry.is_empty() || entry.len() > TEXT_MAX) {
                return refuse(what, "an entry has 1 to 128 bytes");
            }
        }
        if self.models.len() > LIST_MAX {
            return refuse("models", "has at most 32 entries");
        }
        if self.anybody && !self.emergency {
            return refuse("anybody", "only an emergency grant may leave it open who asks");
        }
        let asked = self.anybody || !self.actors.is_empty();
        if asked && (self.purposes.is_empty() || self.uses == 0) {
            return refuse("purposes", "who may ask needs a purpose and a use");
        }
        if asked && !self.open && !self.sealed && self.findings.is_empty() {
            return refuse("open", "who may ask needs something that may be disclosed");
        }
        Ok(())
    }
}

/// Who may know what came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Disclosure {
    /// Everyone, all of it.
    Open,
    /// Everyone, of these findings whether they are there: 1 to [`PREDICATE_MAX`], in the manifest's order.
    Predicate(Vec<String>),
    /// Who holds the record's key.
    Sealed,
}

/// A job as its members sign it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The chain.
    pub chain_id: String,
    /// The job's number on it.
    pub job: u64,
    /// The block in which it was asked for.
    pub requested: Height,
    /// Who works on it: [`committee_digest`].
    pub committee: Digest,
    /// The model.
    pub model: ModelId,
    /// The digest of its pipeline.
    pub pipeline: Digest,
    /// The sealed file.
    pub image: BlobId,
    /// The frame of what is sealed in it; the first where it names none.
    #[serde(default, skip_serializing_if = "Frame::is_first")]
    pub frame: Frame,
    /// Whose it is.
    pub owner: String,
    /// Who asked: an account or a contract.
    pub requester: String,
    /// What allowed it: [`consent_digest`].
    pub consent: Digest,
    /// Who may know the outcome.
    pub disclosure: Disclosure,
}

impl Statement {
    /// Reads a statement, strictly.
    ///
    /// # Errors
    /// [`SealedError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SealedError> {
        decode("a statement", bytes, STATEMENT_BYTES_MAX)
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// The 32 bytes that each member signs with its attestation key.
    pub fn sign_bytes(&self, outcome: &Outcome) -> Digest {
        Digest::sha3("aceso/outcome/v1", &[&encode(self), &outcome.encode()])
    }
}

/// The digest over what allowed a read.
pub fn consent_digest(consent: &Consent) -> Digest {
    Digest::sha3("aceso/consent/v1", &[&encode(consent)])
}

/// What a job came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It cannot be read, and every member sees the same reason.
    Failed(Failure),
    /// All of it.
    Open {
        /// What is known of the input.
        input: Input,
        /// The model's outputs, in the graph's order.
        outputs: Vec<Tensor>,
    },
    /// The findings that were asked for.
    Predicate {
        /// What is known of the input.
        input: Input,
        /// The findings, answered, in the order in which they were asked for.
        findings: Vec<Answered>,
    },
    /// For who holds the record's key.
    Sealed {
        /// What is known of the input.
        input: Input,
        /// [`commitment`] to the outputs.
        commitment: Digest,
        /// The outputs, encrypted; as long as the model's outputs always are.
        #[serde(with = "crate::cbor_bytes")]
        ciphertext: Vec<u8>,
    },
    /// The same where it is too long to stand here: members keep it.
    Stored {
        /// What is known of the input.
        input: Input,
        /// [`commitment`] to the outputs.
        commitment: Digest,
        /// The outputs, encrypted, as a file.
        blob: BlobId,
        /// Its bytes: [`result_bytes`].
        size: u64,
    },
}

/// What is said of the input of a read that was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The input's identity for who asked: [`claim`]. Sealing the same pixels again changes nothing.
    pub claim: Digest,
    /// Whether the institution that vouches for the record vouches for just these pixels.
    pub vouched: bool,
}

/// Why a sealed file cannot be read. Every member that opens it sees the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The wrap holds another key than the registration commits to.
    Key,
    /// The header is no header, or commits to another key.
    Header,
    /// The header names another owner.
    Owner,
    /// A leaf does not open: something was changed.
    Leaf,
    /// What was sealed is no record, or too long.
    Record,
    /// The record is no image that can be decoded.
    Undecodable,
    /// The record has no frame of the number that was asked for.
    Frame,
    /// The record is not what the model reads: modality, body part or shape.
    Unsuitable,
    /// The model ran into what it refuses.
    Inference,
}

impl Outcome {
    /// Reads an outcome, strictly.
    ///
    /// # Errors
    /// [`SealedError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SealedError> {
        decode("an outcome", bytes, OUTCOME_BYTES_MAX)
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// What a receipt names it by: the outputs' own digest where they are disclosed.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Open { outputs, .. } => outputs_digest(outputs),
            other => Digest::sha3("aceso/undisclosed/v1", &[&other.encode()]),
        }
    }

    /// What is known of the input; nothing where nothing was computed.
    pub fn input(&self) -> Option<&Input> {
        match self {
            Self::Failed(_) => None,
            Self::Open { input, .. }
            | Self::Predicate { input, .. }
            | Self::Sealed { input, .. }
            | Self::Stored { input, .. } => Some(input),
        }
    }

    /// What it commits to, where the outputs are for who holds the record's key.
    pub fn commitment(&self) -> Option<&Digest> {
        match self {
            Self::Sealed { commitment, .. } | Self::Stored { commitment, .. } => Some(commitment),
            Self::Failed(_) | Self::Open { .. } | Self::Predicate { .. } => None,
        }
    }

    /// Whether it is an answer to what was asked, as far as that can be seen without the input.
    pub fn fits(&self, disclosure: &Disclosure) -> bool {
        match (self, disclosure) {
            (Self::Failed(_), _) => true,
            (Self::Open { outputs, .. }, Disclosure::Open) => {
                !outputs.is_empty() && result_bytes(outputs) <= INLINE_BYTES_MAX as u64
            }
            (Self::Predicate { findings, .. }, Disclosure::Predicate(asked)) => {
                findings.iter().map(|one| &one.id).eq(asked.iter())
            }
            (Self::Sealed { ciphertext, .. }, Disclosure::Sealed) => (1..=INLINE_BYTES_MAX).contains(&ciphertext.len()),
            // One outputs' length has one form.
            (Self::Stored { size, .. }, Disclosure::Sealed) => {
                (INLINE_BYTES_MAX as u64 + 1..=RESULT_BYTES_MAX as u64).contains(size)
            }
            _ => false,
        }
    }
}

/// Bytes of an encrypted result with outputs of these shapes, whatever is in them: dag-cbor, and a tag.
pub fn result_bytes(outputs: &[Tensor]) -> u64 {
    (encode(&outputs).len() + TAG_BYTES) as u64
}

/// An input's identity for one who asks: the same whenever the same pixels are read for the same requester, another one
/// for another requester, so that payers who see each other's receipts cannot match them.
pub fn claim(chain_id: &str, requester: &str, pixels: &PixelDigest) -> Digest {
    Digest::sha3("aceso/claim/v1", &[chain_id.as_bytes(), requester.as_bytes(), pixels.as_bytes()])
}

/// What hides the outputs of a sealed outcome until they are opened: the digest over a blinding key, which follows from
/// the record's key and the job, and the outputs.
pub fn commitment(blind: &[u8; 32], outputs: &[Tensor]) -> Digest {
    Digest::sha3("aceso/commitment/v1", &[blind, &outputs_digest(outputs).0])
}

/// One attestation key of a [`Root`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The validator's number, never given again.
    pub number: u32,
    /// The BLS12-381 public key, 48 bytes.
    #[serde(with = "crate::cbor_bytes")]
    pub key: Vec<u8>,
    /// Its power.
    pub power: u64,
    /// How many keys the validator had before.
    pub epoch: u64,
}

/// The attestation keys of a time, and where they come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// [`VERSION`].
    pub version: u32,
    /// The chain.
    pub chain_id: String,
    /// Its number; the genesis makes 0.
    pub number: u64,
    /// The digest of the one before; zeros for the first.
    pub previous: Digest,
    /// The keys by the validators' numbers, ascending.
    pub keys: Vec<Key>,
    /// The power of all validators, those without a key too.
    pub total: u64,
}

impl Root {
    /// Reads a root, strictly.
    ///
    /// # Errors
    /// [`SealedError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SealedError> {
        let root: Self = decode("a root", bytes, ROOT_BYTES_MAX)?;
        root.check()?;
        Ok(root)
    }

    /// Whether its fields hold what they may; for a root that was not read by [`Root::decode`].
    ///
    /// # Errors
    /// [`SealedError::Field`].
    pub fn check(&self) -> Result<(), SealedError> {
        let refuse = |what, reason| Err(SealedError::Field { what, reason });
        if self.version != VERSION {
            return refuse("version", "must be 1");
        }
        if !self.keys.windows(2).all(|pair| pair[0].number < pair[1].number) {
            return refuse("keys", "must be in the order of their numbers, each once");
        }
        if self.keys.iter().any(|one| one.key.len() != 48 || one.power == 0) {
            return refuse("keys", "each has 48 bytes and power");
        }
        if self.keys.iter().map(|one| u128::from(one.power)).sum::<u128>() > u128::from(self.total) {
            return refuse("total", "is at least what the keys have together");
        }
        Ok(())
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// What it goes by, and what more than two thirds of the one before sign.
    pub fn digest(&self) -> Digest {
        root_digest(&self.encode())
    }
}

/// The digest of a root's canonical encoding.
fn root_digest(encoded: &[u8]) -> Digest {
    Digest::sha3("aceso/root/v1", &[encoded])
}

/// The digest of a committee: the number of its root, and number, key, power and epoch of each member, ascending.
pub fn committee_digest<'a>(root: u64, members: impl IntoIterator<Item = &'a Key>) -> Digest {
    let mut rows: Vec<Vec<u8>> = alloc::vec![root.to_be_bytes().into()];
    rows.extend(members.into_iter().map(|one| {
        [&one.number.to_be_bytes()[..], &one.key, &one.power.to_be_bytes(), &one.epoch.to_be_bytes()].concat()
    }));
    let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    Digest::sha3("aceso/members/v1", &rows)
}

mod about;
mod backing;
mod compact;
mod proof;

pub use about::{Granted, Opened, Registered};
pub use backing::{Backing, Examined, NotBelieved, examine};
pub use compact::{COMPACT_BYTES_MAX, Compact, CompactStatement};
pub use proof::{Acceptance, NotAccepted, ProofError, SIGNATURE_DOMAIN, Signed, SignedRoot};

#[cfg(test)]
#[path = "sealed/tests.rs"]
mod tests;

//! What patients, readers and committees say of sealed records: keys, registrations, grants, requests, shares, disputes.
//!
//! Points and proofs travel as `sdk/verify` encodes them (`docs/grants.md`); terms and outcomes in dag-cbor
//! ([`crate::sealed`]).

use alloc::{string::String, vec::Vec};

use super::{Named, SignedOrigin};

named! {
    MsgRegisterReader => "/aceso.reads.v1.MsgRegisterReader",
    MsgRegisterReaderResponse => "/aceso.reads.v1.MsgRegisterReaderResponse",
    MsgRegisterSealed => "/aceso.reads.v1.MsgRegisterSealed",
    MsgRegisterSealedResponse => "/aceso.reads.v1.MsgRegisterSealedResponse",
    MsgRetireSealed => "/aceso.reads.v1.MsgRetireSealed",
    MsgRetireSealedResponse => "/aceso.reads.v1.MsgRetireSealedResponse",
    MsgGrant => "/aceso.reads.v1.MsgGrant",
    MsgGrantResponse => "/aceso.reads.v1.MsgGrantResponse",
    MsgRevokeGrant => "/aceso.reads.v1.MsgRevokeGrant",
    MsgRevokeGrantResponse => "/aceso.reads.v1.MsgRevokeGrantResponse",
    MsgBreakGlass => "/aceso.reads.v1.MsgBreakGlass",
    MsgBreakGlassResponse => "/aceso.reads.v1.MsgBreakGlassResponse",
    MsgRequestRead => "/aceso.reads.v1.MsgRequestRead",
    MsgRequestReadResponse => "/aceso.reads.v1.MsgRequestReadResponse",
    MsgSubmitShare => "/aceso.reads.v1.MsgSubmitShare",
    MsgSubmitShareResponse => "/aceso.reads.v1.MsgSubmitShareResponse",
    MsgDispute => "/aceso.reads.v1.MsgDispute",
    MsgDisputeResponse => "/aceso.reads.v1.MsgDisputeResponse",
}

/// Registers the key with which an account opens what is wrapped for it, for an epoch.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterReader {
    /// The account: a physician, or a validator's operator.
    #[prost(string, tag = "1")]
    pub account: String,
    /// How many keys it has registered before.
    #[prost(uint64, tag = "2")]
    pub epoch: u64,
    /// The key, a point of G1, 48 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub key: Vec<u8>,
    /// The second (Unix time) from which on nothing is wrapped for it; honest readers destroy it when the last wrap that
    /// names it has ended.
    #[prost(uint64, tag = "4")]
    pub expires: u64,
    /// Proof that the account has the secret, 64 bytes, over [`crate::sealed::reader_context`].
    #[prost(bytes = "vec", tag = "5")]
    pub possession: Vec<u8>,
}

/// Answer to [`MsgRegisterReader`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterReaderResponse {}

/// One file of a sealed record.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SealedFile {
    /// Its CID.
    #[prost(string, tag = "1")]
    pub cid: String,
    /// The sealed file's length in bytes.
    #[prost(uint64, tag = "2")]
    pub size: u64,
    /// The modality that the owner states (DICOM CS), where the sealed file does not carry it.
    #[prost(string, tag = "3")]
    pub modality: String,
    /// The body part, likewise.
    #[prost(string, tag = "4")]
    pub body_part: String,
    /// What decoding its dearest frame takes, as in [`MsgRegisterImage`](super::MsgRegisterImage).
    #[prost(uint64, tag = "5")]
    pub effort: u64,
}

/// Registers one or several files that are sealed under one point. Keyed by owner and CID: nobody can take another's.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterSealed {
    /// The patient's account.
    #[prost(string, tag = "1")]
    pub owner: String,
    /// The files, at most [`crate::sealed::FILES_MAX`].
    #[prost(message, repeated, tag = "2")]
    pub files: Vec<SealedFile>,
    /// The contract whose permit every read needs besides a grant; may be empty.
    #[prost(string, tag = "3")]
    pub guard: String,
    /// Her key of this record, the point for that key, and the proof, 240 bytes. It is about
    /// [`crate::sealed::record_name`] of the files.
    #[prost(bytes = "vec", tag = "4")]
    pub registration: Vec<u8>,
    /// What the point commits to, 32 bytes.
    #[prost(bytes = "vec", tag = "5")]
    pub commitment: Vec<u8>,
    /// An institution's word for the image; of a record of one file only.
    #[prost(message, optional, tag = "6")]
    pub origin: Option<SignedOrigin>,
}

/// Answer to [`MsgRegisterSealed`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterSealedResponse {
    /// The record's number on the chain, from 1.
    #[prost(uint64, tag = "1")]
    pub record: u64,
}

/// Ends a record: no grant of it holds any more, open jobs are called off, nodes let go of the bytes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRetireSealed {
    /// The record's owner.
    #[prost(string, tag = "1")]
    pub owner: String,
    /// The record.
    #[prost(uint64, tag = "2")]
    pub record: u64,
}

/// Answer to [`MsgRetireSealed`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRetireSealedResponse {}

/// For whom something is wrapped.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Recipient {
    /// The account that registered the key.
    #[prost(string, tag = "1")]
    pub account: String,
    /// The key's epoch.
    #[prost(uint64, tag = "2")]
    pub epoch: u64,
}

/// A wrap that is passed on.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PassedOn {
    /// Who gave the grant.
    #[prost(string, tag = "1")]
    pub granter: String,
    /// Its number.
    #[prost(uint64, tag = "2")]
    pub grant: u64,
    /// Which of its recipients passes it on: the place, from 0.
    #[prost(uint32, tag = "3")]
    pub place: u32,
}

/// Wraps a record's key for a reader or a committee, with a proof that it is that key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgGrant {
    /// Who grants: the record's owner, or the recipient of `from`.
    #[prost(string, tag = "1")]
    pub granter: String,
    /// How many grants this account has given before, plus 1.
    #[prost(uint64, tag = "2")]
    pub grant: u64,
    /// The record.
    #[prost(uint64, tag = "3")]
    pub record: u64,
    /// The wrap that is passed on; none for the owner's own registration.
    #[prost(message, optional, tag = "4")]
    pub from: Option<PassedOn>,
    /// For whom, at most [`crate::sealed::MEMBERS_MAX`], each once.
    #[prost(message, repeated, tag = "5")]
    pub recipients: Vec<Recipient>,
    /// Whether they are a committee: operators of validators, who answer together. Else they are readers, each alone.
    #[prost(bool, tag = "6")]
    pub committee: bool,
    /// A number that the granter uses once, 16 bytes.
    #[prost(bytes = "vec", tag = "7")]
    pub nonce: Vec<u8>,
    /// The second (Unix time) from which on it no longer holds.
    #[prost(uint64, tag = "8")]
    pub expires: u64,
    /// [`crate::sealed::Terms::digest`], 32 bytes.
    #[prost(bytes = "vec", tag = "9")]
    pub terms: Vec<u8>,
    /// The wrap: points and proof.
    #[prost(bytes = "vec", tag = "10")]
    pub wrap: Vec<u8>,
    /// The terms of `from`, opened, where it is passed on: they must allow that. Not needed where a glass was broken.
    #[prost(bytes = "vec", tag = "11")]
    pub source_terms: Vec<u8>,
}

/// Answer to [`MsgGrant`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgGrantResponse {}

/// Takes a grant back, and with it all that were passed on from it. Open jobs under it are called off.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRevokeGrant {
    /// Who gave it, or the record's owner.
    #[prost(string, tag = "1")]
    pub sender: String,
    /// Who gave it.
    #[prost(string, tag = "2")]
    pub granter: String,
    /// Its number.
    #[prost(uint64, tag = "3")]
    pub grant: u64,
}

/// Answer to [`MsgRevokeGrant`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRevokeGrantResponse {}

/// Asks an emergency committee to pass a record's key on to a reader, for a reason that everybody sees. Leaves a review
/// item for the patient.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgBreakGlass {
    /// The physician.
    #[prost(string, tag = "1")]
    pub actor: String,
    /// The epoch of her key.
    #[prost(uint64, tag = "2")]
    pub epoch: u64,
    /// Who gave the emergency grant.
    #[prost(string, tag = "3")]
    pub granter: String,
    /// Its number.
    #[prost(uint64, tag = "4")]
    pub grant: u64,
    /// Its terms, opened.
    #[prost(bytes = "vec", tag = "5")]
    pub terms: Vec<u8>,
    /// Why; 1 to 1024 bytes, public for ever.
    #[prost(string, tag = "6")]
    pub reason: String,
}

/// Answer to [`MsgBreakGlass`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgBreakGlassResponse {
    /// The review item's number at the record, from 1.
    #[prost(uint64, tag = "1")]
    pub review: u64,
}

/// What the payer demands of a committee.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Acceptance {
    /// Fewest members.
    #[prost(uint32, tag = "1")]
    pub members_min: u32,
    /// Smallest share of all validators' power that the members have together, in hundredths of a percent.
    #[prost(uint32, tag = "2")]
    pub power_min_bps: u32,
    /// Operators that must be members, at most 32.
    #[prost(string, repeated, tag = "3")]
    pub required: Vec<String>,
    /// Operators that must not be, at most 32.
    #[prost(string, repeated, tag = "4")]
    pub excluded: Vec<String>,
}

/// What the outcome may tell whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Disclose {
    /// All of it, to everyone.
    Open = 0,
    /// Whether the findings named are there, to everyone.
    Predicate = 1,
    /// All of it, to who holds the key.
    Sealed = 2,
}

/// Asks a committee for a read of a sealed file.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRequestRead {
    /// Who asks and pays: an account or a contract.
    #[prost(string, tag = "1")]
    pub requester: String,
    /// For whom; must have signed the transaction and be named in the terms.
    #[prost(string, tag = "2")]
    pub actor: String,
    /// The model's id, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub model: Vec<u8>,
    /// Whose record it is.
    #[prost(string, tag = "4")]
    pub owner: String,
    /// The file's CID.
    #[prost(string, tag = "5")]
    pub image: String,
    /// Who gave the committee's grant.
    #[prost(string, tag = "6")]
    pub granter: String,
    /// Its number.
    #[prost(uint64, tag = "7")]
    pub grant: u64,
    /// Its terms, opened: [`crate::sealed::Terms`] in dag-cbor.
    #[prost(bytes = "vec", tag = "8")]
    pub terms: Vec<u8>,
    /// Why: a code of HL7 v3 ActReason.
    #[prost(string, tag = "9")]
    pub purpose: String,
    /// Who may know the outcome.
    #[prost(enumeration = "Disclose", tag = "10")]
    pub disclose: i32,
    /// The findings of a predicate, in the manifest's order.
    #[prost(string, repeated, tag = "11")]
    pub findings: Vec<String>,
    /// What the payer demands of the committee.
    #[prost(message, optional, tag = "12")]
    pub accept: Option<Acceptance>,
    /// The first height at which it is too late.
    #[prost(uint64, tag = "13")]
    pub deadline: u64,
    /// SDK gas of the callback, paid now; 0 for no callback.
    #[prost(uint64, tag = "14")]
    pub callback_gas: u64,
    /// Why, in words, where the grant is for emergencies; at most 1024 bytes, public for ever.
    #[prost(string, tag = "15")]
    pub reason: String,
    /// Whether the input's identity for the requester is wanted too. Then a committee is asked, and paid, even where all
    /// findings are known: nothing on the chain says it to one who was not told it.
    #[prost(bool, tag = "16")]
    pub identify: bool,
    /// Which frame of what is sealed, from 1; 0 and 1 are the same request, of the first.
    #[prost(uint32, tag = "17")]
    pub frame: u32,
}

/// Answer to [`MsgRequestRead`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRequestReadResponse {
    /// The job's number on the chain, from 1; 0 where the answer was known and needed no job.
    #[prost(uint64, tag = "1")]
    pub job: u64,
    /// How many of the chain's smallest coin were taken for it, as a decimal number.
    #[prost(string, tag = "2")]
    pub fee: String,
}

/// A member's share of a job's outcome.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Share {
    /// The job.
    #[prost(uint64, tag = "1")]
    pub job: u64,
    /// [`crate::sealed::Outcome`] in dag-cbor.
    #[prost(bytes = "vec", tag = "2")]
    pub outcome: Vec<u8>,
    /// The member's BLS signature over [`crate::sealed::Statement::sign_bytes`], 96 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub signature: Vec<u8>,
}

/// A share of a member that has left the validators, until the deadline. Costs no fee.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgSubmitShare {
    /// The member's operator.
    #[prost(string, tag = "1")]
    pub operator: String,
    /// The share.
    #[prost(message, optional, tag = "2")]
    pub share: Option<Share>,
}

/// Answer to [`MsgSubmitShare`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgSubmitShareResponse {}

/// Shows what a record's ciphertexts hold to have a sealed read done again by everybody, in this transaction. The sealed
/// file must be an available blob.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgDispute {
    /// Who disputes, and pays for an open read: anybody who has the point and its proof.
    #[prost(string, tag = "1")]
    pub sender: String,
    /// The job, which has an outcome that was not disputed before.
    #[prost(uint64, tag = "2")]
    pub job: u64,
    /// The point K, 48 bytes. Everybody can open the record from now on.
    #[prost(bytes = "vec", tag = "3")]
    pub point: Vec<u8>,
    /// The grant of this record, and the place in it, whose wrap was opened; none where it was the registration.
    #[prost(message, optional, tag = "4")]
    pub from: Option<PassedOn>,
    /// Proof that K is what that holds, 64 bytes, over [`crate::sealed::Opened`].
    #[prost(bytes = "vec", tag = "5")]
    pub proof: Vec<u8>,
}

/// Answer to [`MsgDispute`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgDisputeResponse {
    /// Whether the outcome is another one than the members signed.
    #[prost(bool, tag = "1")]
    pub wrong: bool,
    /// What they should have signed, as everybody computes it: [`crate::sealed::Outcome`] in dag-cbor. A simulation says
    /// nothing here.
    #[prost(bytes = "vec", tag = "2")]
    pub outcome: Vec<u8>,
    /// How many members it made wrong.
    #[prost(uint32, tag = "3")]
    pub marked: u32,
}

/// A job's outcome, signed by more than two thirds of its committee's power.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct JobOutcome {
    /// The job.
    #[prost(uint64, tag = "1")]
    pub job: u64,
    /// [`crate::sealed::Outcome`] in dag-cbor.
    #[prost(bytes = "vec", tag = "2")]
    pub outcome: Vec<u8>,
    /// One bit per member of the job's committee, lowest bit of the first byte first.
    #[prost(bytes = "vec", tag = "3")]
    pub signers: Vec<u8>,
    /// The aggregated signature, 96 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub signature: Vec<u8>,
}

/// A member's own signed word against what more than two thirds have signed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Conflict {
    /// The member's place in the job's committee.
    #[prost(uint32, tag = "1")]
    pub place: u32,
    /// What it signed.
    #[prost(message, optional, tag = "2")]
    pub share: Option<Share>,
}

/// A validator's word for a root, in its vote.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RootShare {
    /// The root's number.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// Its BLS signature over [`crate::sealed::Root::digest`], 96 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// A root, signed by more than two thirds of the one before.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RootSigned {
    /// The root's number.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// One bit per key of the root before, lowest bit of the first byte first.
    #[prost(bytes = "vec", tag = "2")]
    pub signers: Vec<u8>,
    /// The aggregated signature, 96 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub signature: Vec<u8>,
}

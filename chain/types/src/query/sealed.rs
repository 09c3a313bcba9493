//! What can be asked of sealed records: readers' keys, records, grants, jobs, roots, review items.

use alloc::{string::String, vec::Vec};

use super::{Asked, Page};
use crate::msg::{Acceptance, JobOutcome, MsgGrant, RootSigned, SealedFile, SignedOrigin};

asked! {
    QueryReader => "/aceso.reads.v1.Query/Reader", ReaderRow;
    QueryRecord => "/aceso.reads.v1.Query/Record", RecordRow;
    QueryRecords => "/aceso.reads.v1.Query/Records", RecordRows;
    QueryGrant => "/aceso.reads.v1.Query/Grant", GrantRow;
    QueryGrants => "/aceso.reads.v1.Query/Grants", GrantRows;
    QueryReviews => "/aceso.reads.v1.Query/Reviews", ReviewRows;
    QueryJob => "/aceso.reads.v1.Query/Job", JobRow;
    QueryJobs => "/aceso.reads.v1.Query/Jobs", JobRows;
    QueryRoot => "/aceso.reads.v1.Query/Root", RootRow;
    QueryResults => "/aceso.reads.v1.Query/Results", ResultRows;
    QueryConduct => "/aceso.reads.v1.Query/Conduct", ConductRow;
}

/// A reader's key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryReader {
    /// The account.
    #[prost(string, tag = "1")]
    pub account: String,
    /// The epoch; of the latest where `latest` is set.
    #[prost(uint64, tag = "2")]
    pub epoch: u64,
    /// The key that was registered last.
    #[prost(bool, tag = "3")]
    pub latest: bool,
}

/// A reader's key as registered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ReaderRow {
    /// The account.
    #[prost(string, tag = "1")]
    pub account: String,
    /// The epoch.
    #[prost(uint64, tag = "2")]
    pub epoch: u64,
    /// The key, 48 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub key: Vec<u8>,
    /// The second from which on nothing is wrapped for it.
    #[prost(uint64, tag = "4")]
    pub expires: u64,
}

/// A sealed record, by its number or by a file of it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryRecord {
    /// The number; 0 to look for the file.
    #[prost(uint64, tag = "1")]
    pub record: u64,
    /// The file's owner.
    #[prost(string, tag = "2")]
    pub owner: String,
    /// The file's CID.
    #[prost(string, tag = "3")]
    pub cid: String,
}

/// Sealed records of an owner in the order of their numbers.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryRecords {
    /// The owner; empty for all.
    #[prost(string, tag = "1")]
    pub owner: String,
    /// Which part.
    #[prost(message, optional, tag = "2")]
    pub page: Option<Page>,
}

/// A sealed record as registered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RecordRow {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub record: u64,
    /// Whose it is.
    #[prost(string, tag = "2")]
    pub owner: String,
    /// Its files.
    #[prost(message, repeated, tag = "3")]
    pub files: Vec<SealedFile>,
    /// The contract that guards it; may be empty.
    #[prost(string, tag = "4")]
    pub guard: String,
    /// Key, point and proof, 240 bytes.
    #[prost(bytes = "vec", tag = "5")]
    pub registration: Vec<u8>,
    /// What the point commits to.
    #[prost(bytes = "vec", tag = "6")]
    pub commitment: Vec<u8>,
    /// Who vouches for it.
    #[prost(message, optional, tag = "7")]
    pub origin: Option<SignedOrigin>,
    /// Height of the registration.
    #[prost(uint64, tag = "8")]
    pub height: u64,
    /// Height at which its owner ended it; 0 while it holds.
    #[prost(uint64, tag = "9")]
    pub retired: u64,
    /// How many times its glass was broken.
    #[prost(uint64, tag = "10")]
    pub reviews: u64,
}

/// Records.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RecordRows {
    /// The rows.
    #[prost(message, repeated, tag = "1")]
    pub rows: Vec<RecordRow>,
    /// What to ask after; empty at the end.
    #[prost(bytes = "vec", tag = "2")]
    pub next: Vec<u8>,
}

/// One grant.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryGrant {
    /// Who gave it.
    #[prost(string, tag = "1")]
    pub granter: String,
    /// Its number.
    #[prost(uint64, tag = "2")]
    pub grant: u64,
}

/// Grants of a record, or those that name an account.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryGrants {
    /// The record; 0 to look by recipient.
    #[prost(uint64, tag = "1")]
    pub record: u64,
    /// The recipient.
    #[prost(string, tag = "2")]
    pub recipient: String,
    /// Which part.
    #[prost(message, optional, tag = "3")]
    pub page: Option<Page>,
}

/// A grant as given.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GrantRow {
    /// The grant.
    #[prost(message, optional, tag = "1")]
    pub grant: Option<MsgGrant>,
    /// The height at which it was given.
    #[prost(uint64, tag = "2")]
    pub height: u64,
    /// The height at which it was taken back; 0 while it holds.
    #[prost(uint64, tag = "3")]
    pub revoked: u64,
    /// Reads under it so far.
    #[prost(uint32, tag = "4")]
    pub uses: u32,
    /// How often the key was passed on before it.
    #[prost(uint32, tag = "5")]
    pub depth: u32,
}

/// Grants.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GrantRows {
    /// The rows.
    #[prost(message, repeated, tag = "1")]
    pub rows: Vec<GrantRow>,
    /// What to ask after; empty at the end.
    #[prost(bytes = "vec", tag = "2")]
    pub next: Vec<u8>,
}

/// A record's review items.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryReviews {
    /// The record.
    #[prost(uint64, tag = "1")]
    pub record: u64,
    /// Which part.
    #[prost(message, optional, tag = "2")]
    pub page: Option<Page>,
}

/// That a glass was broken.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ReviewRow {
    /// Its number at the record, from 1.
    #[prost(uint64, tag = "1")]
    pub review: u64,
    /// The record.
    #[prost(uint64, tag = "2")]
    pub record: u64,
    /// Who.
    #[prost(string, tag = "3")]
    pub actor: String,
    /// The epoch of her key, where it was broken to open the record.
    #[prost(uint64, tag = "4")]
    pub epoch: u64,
    /// Who gave the emergency grant.
    #[prost(string, tag = "5")]
    pub granter: String,
    /// Its number.
    #[prost(uint64, tag = "6")]
    pub grant: u64,
    /// Why, in her words.
    #[prost(string, tag = "7")]
    pub reason: String,
    /// When.
    #[prost(uint64, tag = "8")]
    pub height: u64,
    /// The read that was asked for; 0 where the key was.
    #[prost(uint64, tag = "9")]
    pub job: u64,
    /// Who passed the key on, once somebody has.
    #[prost(string, tag = "10")]
    pub passed_on_by: String,
}

/// Review items.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ReviewRows {
    /// The rows.
    #[prost(message, repeated, tag = "1")]
    pub rows: Vec<ReviewRow>,
    /// What to ask after; empty at the end.
    #[prost(bytes = "vec", tag = "2")]
    pub next: Vec<u8>,
}

/// One job.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryJob {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub job: u64,
}

/// Jobs in the order of their numbers.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryJobs {
    /// Only those that are open.
    #[prost(bool, tag = "1")]
    pub open: bool,
    /// Only those of this requester; empty for all.
    #[prost(string, tag = "2")]
    pub requester: String,
    /// Which part.
    #[prost(message, optional, tag = "3")]
    pub page: Option<Page>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum JobStatus {
    /// The committee works on it.
    Open = 0,
    /// It has an outcome, and a receipt.
    Done = 1,
    /// The deadline came first; all was given back.
    Expired = 2,
    /// The grant was taken back, or the record ended; all was given back.
    Cancelled = 3,
    /// Too few of the committee are left; all was given back.
    Broken = 4,
}

/// A member of a job's committee.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MemberRow {
    /// The validator's number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// Its operator.
    #[prost(string, tag = "2")]
    pub operator: String,
    /// Its attestation key, 48 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub bls_key: Vec<u8>,
    /// Its power.
    #[prost(uint64, tag = "4")]
    pub power: u64,
    /// The attestation key's epoch.
    #[prost(uint64, tag = "5")]
    pub epoch: u64,
    /// Its place among the grant's recipients.
    #[prost(uint32, tag = "6")]
    pub place: u32,
}

/// A job.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct JobRow {
    /// Its number.
    #[prost(uint64, tag = "1")]
    pub job: u64,
    /// Where it stands.
    #[prost(enumeration = "JobStatus", tag = "2")]
    pub status: i32,
    /// [`crate::sealed::Statement`] in dag-cbor.
    #[prost(bytes = "vec", tag = "3")]
    pub statement: Vec<u8>,
    /// What allowed it: [`crate::receipt::Consent`] in dag-cbor.
    #[prost(bytes = "vec", tag = "4")]
    pub consent: Vec<u8>,
    /// The record.
    #[prost(uint64, tag = "5")]
    pub record: u64,
    /// Who gave the grant.
    #[prost(string, tag = "6")]
    pub granter: String,
    /// Its number.
    #[prost(uint64, tag = "7")]
    pub grant: u64,
    /// The root that has the members' keys.
    #[prost(uint64, tag = "8")]
    pub root: u64,
    /// The members, by their numbers, ascending.
    #[prost(message, repeated, tag = "9")]
    pub members: Vec<MemberRow>,
    /// The power of all validators when it was asked for.
    #[prost(uint64, tag = "10")]
    pub total: u64,
    /// The first height at which it is too late.
    #[prost(uint64, tag = "11")]
    pub deadline: u64,
    /// SDK gas of the callback.
    #[prost(uint64, tag = "12")]
    pub callback_gas: u64,
    /// What is held for the model's author, in the chain's coin.
    #[prost(string, tag = "13")]
    pub price: String,
    /// What is held for the members.
    #[prost(string, tag = "14")]
    pub reward: String,
    /// What the payer demanded.
    #[prost(message, optional, tag = "15")]
    pub accept: Option<Acceptance>,
    /// The receipt's number, once it is done.
    #[prost(uint64, tag = "16")]
    pub read: u64,
    /// The height at which it closed.
    #[prost(uint64, tag = "17")]
    pub closed: u64,
    /// What its committee signed, once it is done.
    #[prost(message, optional, tag = "18")]
    pub outcome: Option<JobOutcome>,
    /// What a dispute has found, if there was one.
    #[prost(message, optional, tag = "19")]
    pub disputed: Option<Disputed>,
    /// What is held for keeping a result that does not stand in its outcome, for all members together.
    #[prost(string, tag = "20")]
    pub keep: String,
    /// Bytes of the result, where it is sealed.
    #[prost(uint64, tag = "21")]
    pub result_bytes: u64,
}

/// Results that members keep: one by its file's CID, or those of an operator.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryResults {
    /// The operator; empty to look for a file.
    #[prost(string, tag = "1")]
    pub operator: String,
    /// The file's CID.
    #[prost(string, tag = "2")]
    pub cid: String,
    /// Which part of an operator's.
    #[prost(message, optional, tag = "3")]
    pub page: Option<Page>,
}

/// The encrypted result of a job, as a file that the members who signed it keep.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ResultRow {
    /// The job.
    #[prost(uint64, tag = "1")]
    pub job: u64,
    /// The record that was read: once its owner ends it, nothing of it is kept.
    #[prost(uint64, tag = "2")]
    pub record: u64,
    /// The file's CID.
    #[prost(string, tag = "3")]
    pub cid: String,
    /// Its bytes.
    #[prost(uint64, tag = "4")]
    pub size: u64,
    /// The height at which its term is over.
    #[prost(uint64, tag = "5")]
    pub expires: u64,
    /// The operators of those who signed it.
    #[prost(string, repeated, tag = "6")]
    pub operators: Vec<String>,
}

/// Results.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ResultRows {
    /// The rows.
    #[prost(message, repeated, tag = "1")]
    pub rows: Vec<ResultRow>,
    /// What to ask after; empty at the end.
    #[prost(bytes = "vec", tag = "2")]
    pub next: Vec<u8>,
}

/// What everybody has found who computed a job again.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Disputed {
    /// Who showed the record's key.
    #[prost(string, tag = "1")]
    pub sender: String,
    /// When.
    #[prost(uint64, tag = "2")]
    pub height: u64,
    /// Whether the members have signed another outcome.
    #[prost(bool, tag = "3")]
    pub wrong: bool,
    /// What they should have signed, where that is something else: [`crate::sealed::Outcome`] in dag-cbor.
    #[prost(bytes = "vec", tag = "4")]
    pub outcome: Vec<u8>,
    /// How many members it made wrong.
    #[prost(uint32, tag = "5")]
    pub marked: u32,
}

/// Jobs.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct JobRows {
    /// The rows.
    #[prost(message, repeated, tag = "1")]
    pub rows: Vec<JobRow>,
    /// What to ask after; empty at the end.
    #[prost(bytes = "vec", tag = "2")]
    pub next: Vec<u8>,
}

/// A root, by its number.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryRoot {
    /// The number; of the latest where `latest` is set.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// The one that jobs are made with now.
    #[prost(bool, tag = "2")]
    pub latest: bool,
}

/// A root.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RootRow {
    /// [`crate::sealed::Root`] in dag-cbor.
    #[prost(bytes = "vec", tag = "1")]
    pub root: Vec<u8>,
    /// Its signatures; none for the first, and while too few have signed.
    #[prost(message, optional, tag = "2")]
    pub signed: Option<RootSigned>,
}

/// How a validator behaved in committees.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryConduct {
    /// The validator's number.
    #[prost(uint32, tag = "1")]
    pub number: u32,
}

/// How a validator behaved in committees.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ConductRow {
    /// Outcomes that it signed with the others.
    #[prost(uint64, tag = "1")]
    pub signed: u64,
    /// Outcomes without its signature. Costs nothing: it may have been slow, or left out.
    #[prost(uint64, tag = "2")]
    pub missed: u64,
    /// Jobs of which it signed another outcome than the others, or one that a dispute has shown to be false.
    #[prost(uint64, tag = "3")]
    pub wrong: u64,
    /// The latest job in which it was; 0 where a dispute has cleared it of that.
    #[prost(uint64, tag = "4")]
    pub last_wrong: u64,
}

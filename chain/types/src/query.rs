//! Our own queries, in protobuf; the path of each stands beside it.
//!
//! Answers carry the encodings that the things have elsewhere: receipts and manifests in dag-cbor, journal entries in
//! dag-cbor as well.

use alloc::{string::String, vec::Vec};

/// A query with the ABCI path (also the gRPC method) under which it is asked.
pub trait Asked: prost::Message + Default {
    /// `/package.Query/Method`
    const PATH: &'static str;
    /// The answer.
    type Answer: prost::Message + Default;
}

macro_rules! asked {
    ($($request:ty => $path:literal, $answer:ty;)*) => {
        $(impl Asked for $request {
            const PATH: &'static str = $path;
            type Answer = $answer;
        })*
    };
}

mod sealed;
mod validators;

pub use sealed::{
    ConductRow, Disputed, GrantRow, GrantRows, JobRow, JobRows, JobStatus, MemberRow, QueryConduct, QueryGrant,
    QueryGrants, QueryJob, QueryJobs, QueryReader, QueryRecord, QueryRecords, QueryResults, QueryReviews, QueryRoot,
    ReaderRow, RecordRow, RecordRows, ResultRow, ResultRows, ReviewRow, ReviewRows, RootRow,
};
pub use validators::{
    MisbehaviorRow, QueryUpgrade, QueryValidator, QueryValidators, UpgradeDone, UpgradeRow, ValidatorRow, ValidatorRows,
};

asked! {
    QueryModel => "/aceso.models.v1.Query/Model", ModelRow;
    QueryModels => "/aceso.models.v1.Query/Models", ModelRows;
    QueryBlob => "/aceso.blobs.v1.Query/Blob", BlobRow;
    QueryImage => "/aceso.reads.v1.Query/Image", ImageRow;
    QueryImages => "/aceso.reads.v1.Query/Images", ImageRows;
    QueryReceipt => "/aceso.reads.v1.Query/Receipt", ReceiptRow;
    QueryReceipts => "/aceso.reads.v1.Query/Receipts", ReceiptRows;
    QueryJournal => "/aceso.reads.v1.Query/Journal", JournalRows;
    QueryUses => "/aceso.reads.v1.Query/Uses", UsesRow;
}

/// Most rows in one answer.
pub const ROWS_MAX: u32 = 200;

/// Which part of a list: rows after the one that `after` names, at most `limit` (0: 100).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Page {
    /// The `next` of the answer before; empty for the first.
    #[prost(bytes = "vec", tag = "1")]
    pub after: Vec<u8>,
    /// Most rows wanted, at most [`ROWS_MAX`].
    #[prost(uint32, tag = "2")]
    pub limit: u32,
    /// Newest first.
    #[prost(bool, tag = "3")]
    pub reverse: bool,
}

/// One model.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryModel {
    /// Its id, 64 hexadecimal digits.
    #[prost(string, tag = "1")]
    pub model: String,
}

/// All models in the order of their ids.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryModels {
    /// Which part.
    #[prost(message, optional, tag = "1")]
    pub page: Option<Page>,
}

/// What became of a model's registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum ModelStatus {
    /// Its bytes are not available yet.
    Pending = 0,
    /// It can be read with.
    Admitted = 1,
    /// It was refused; the reason stands in the row.
    Refused = 2,
}

/// A model as registered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ModelRow {
    /// Its id, 64 hexadecimal digits.
    #[prost(string, tag = "1")]
    pub model: String,
    /// The manifest, in dag-cbor.
    #[prost(bytes = "vec", tag = "2")]
    pub manifest: Vec<u8>,
    /// Who registered it.
    #[prost(string, tag = "3")]
    pub author: String,
    /// What became of it.
    #[prost(enumeration = "ModelStatus", tag = "4")]
    pub status: i32,
    /// Why it was refused.
    #[prost(string, tag = "5")]
    pub reason: String,
    /// Multiply-accumulate steps of one run.
    #[prost(uint64, tag = "6")]
    pub macs: u64,
    /// SDK gas of loading it.
    #[prost(uint64, tag = "7")]
    pub load_gas: u64,
    /// SDK gas of one run.
    #[prost(uint64, tag = "8")]
    pub run_gas: u64,
    /// Height of the registration.
    #[prost(uint64, tag = "9")]
    pub height: u64,
    /// Bytes of a sealed result of it: [`crate::sealed::result_bytes`].
    #[prost(uint64, tag = "10")]
    pub result_bytes: u64,
}

/// Models.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ModelRows {
    /// The rows.
    #[prost(message, repeated, tag = "1")]
    pub rows: Vec<ModelRow>,
    /// What to ask after; empty at the end.
    #[prost(bytes = "vec", tag = "2")]
    pub next: Vec<u8>,
}

/// One blob.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryBlob {
    /// Its CID.
    #[prost(string, tag = "1")]
    pub cid: String,
}

/// Where a blob stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum BlobStatus {
    /// Registered; too few validators have said that they hold it.
    Pending = 0,
    /// Open reads may use it.
    Available = 1,
    /// Its term is over.
    Expired = 2,
}

/// A blob as registered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct BlobRow {
    /// Its CID.
    #[prost(string, tag = "1")]
    pub cid: String,
    /// The file's length in bytes.
    #[prost(uint64, tag = "2")]
    pub size: u64,
    /// The height at which the term is over.
    #[prost(uint64, tag = "3")]
    pub expires: u64,
    /// Where it stands.
    #[prost(enumeration = "BlobStatus", tag = "4")]
    pub status: i32,
    /// The height from which on it is available; 0 where it is not.
    #[prost(uint64, tag = "5")]
    pub available_from: u64,
    /// Who registered it.
    #[prost(string, tag = "6")]
    pub owner: String,
    /// Whether nodes hold it: its term and what is granted after it are not over, or it is the bytes of a model.
    #[prost(bool, tag = "7")]
    pub held: bool,
}

/// One image.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryImage {
    /// Its CID.
    #[prost(string, tag = "1")]
    pub cid: String,
}

/// All images of one account, or all that one contract guards.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryImages {
    /// The account that registered them; empty for all.
    #[prost(string, tag = "1")]
    pub owner: String,
    /// Which part.
    #[prost(message, optional, tag = "2")]
    pub page: Option<Page>,
}

/// An image as registered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ImageRow {
    /// Its CID.
    #[prost(string, tag = "1")]
    pub cid: String,
    /// Who registered it.
    #[prost(string, tag = "2")]
    pub owner: String,
    /// The contract that guards it; empty for a public image.
    #[prost(string, tag = "3")]
    pub guard: String,
    /// The modality that the registrant states.
    #[prost(string, tag = "4")]
    pub modality: String,
    /// The body part that the registrant states.
    #[prost(string, tag = "5")]
    pub body_part: String,
    /// Who vouches for it.
    #[prost(message, optional, tag = "6")]
    pub origin: Option<crate::msg::SignedOrigin>,
    /// Its blob.
    #[prost(message, optional, tag = "7")]
    pub blob: Option<BlobRow>,
    /// Height of the registration.
    #[prost(uint64, tag = "8")]
    pub height: u64,
    /// What decoding its dearest frame may take, as registered.
    #[prost(uint64, tag = "9")]
    pub effort: u64,
}

/// Images.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ImageRows {
    /// The rows.
    #[prost(message, repeated, tag = "1")]
    pub rows: Vec<ImageRow>,
    /// What to ask after; empty at the end.
    #[prost(bytes = "vec", tag = "2")]
    pub next: Vec<u8>,
}

/// One receipt.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryReceipt {
    /// The read's number.
    #[prost(uint64, tag = "1")]
    pub read: u64,
}

/// Receipts in the order of their numbers.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryReceipts {
    /// Only those of this image's CID; empty for all.
    #[prost(string, tag = "1")]
    pub image: String,
    /// Which part.
    #[prost(message, optional, tag = "2")]
    pub page: Option<Page>,
}

/// A receipt and where it stands.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ReceiptRow {
    /// The read's number.
    #[prost(uint64, tag = "1")]
    pub read: u64,
    /// The receipt, in dag-cbor.
    #[prost(bytes = "vec", tag = "2")]
    pub receipt: Vec<u8>,
    /// Its key in the component `reads`, for a proof.
    #[prost(bytes = "vec", tag = "3")]
    pub key: Vec<u8>,
}

/// Receipts.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ReceiptRows {
    /// The rows.
    #[prost(message, repeated, tag = "1")]
    pub rows: Vec<ReceiptRow>,
    /// What to ask after; empty at the end.
    #[prost(bytes = "vec", tag = "2")]
    pub next: Vec<u8>,
}

/// Journal entries of one image in the order in which they were written.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryJournal {
    /// The image's CID.
    #[prost(string, tag = "1")]
    pub image: String,
    /// Which part.
    #[prost(message, optional, tag = "2")]
    pub page: Option<Page>,
}

/// Journal entries.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct JournalRows {
    /// [`crate::journal::Entry`] in dag-cbor, each.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub entries: Vec<Vec<u8>>,
    /// What to ask after; empty at the end.
    #[prost(bytes = "vec", tag = "2")]
    pub next: Vec<u8>,
}

/// How often a grant was used.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryUses {
    /// The guard contract.
    #[prost(string, tag = "1")]
    pub guard: String,
    /// The grant.
    #[prost(string, tag = "2")]
    pub grant: String,
}

/// Answer to [`QueryUses`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct UsesRow {
    /// How often.
    #[prost(uint32, tag = "1")]
    pub uses: u32,
}

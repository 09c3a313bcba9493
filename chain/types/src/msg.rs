//! Our own transaction messages, in protobuf, carried as `Any` in `cosmos.tx.v1beta1.TxBody`.
//!
//! Field numbers are protocol: append only. Amino names are those of the type URLs' last parts under `aceso/`.

use alloc::{string::String, vec::Vec};

/// A message with the type URL under which it travels.
pub trait Named: prost::Message + Default {
    /// `/package.Name`
    const TYPE_URL: &'static str;
}

macro_rules! named {
    ($($message:ty => $url:literal),* $(,)?) => {
        $(impl Named for $message {
            const TYPE_URL: &'static str = $url;
        })*
    };
}

mod authority;
mod sealed;

pub use authority::{
    MsgCancelUpgrade, MsgCancelUpgradeResponse, MsgRegisterAttester, MsgRegisterAttesterResponse, MsgScheduleUpgrade,
    MsgScheduleUpgradeResponse, MsgSetValidator, MsgSetValidatorResponse, MsgUpdateParams, MsgUpdateParamsResponse,
};
pub use sealed::{
    Acceptance, Conflict, Disclose, JobOutcome, MsgBreakGlass, MsgBreakGlassResponse, MsgDispute, MsgDisputeResponse,
    MsgGrant, MsgGrantResponse, MsgRegisterReader, MsgRegisterReaderResponse, MsgRegisterSealed,
    MsgRegisterSealedResponse, MsgRequestRead, MsgRequestReadResponse, MsgRetireSealed, MsgRetireSealedResponse,
    MsgRevokeGrant, MsgRevokeGrantResponse, MsgSubmitShare, MsgSubmitShareResponse, PassedOn, Recipient, RootShare,
    RootSigned, SealedFile, Share,
};

named! {
    MsgRegisterBlob => "/aceso.blobs.v1.MsgRegisterBlob",
    MsgRegisterBlobResponse => "/aceso.blobs.v1.MsgRegisterBlobResponse",
    MsgRegisterModel => "/aceso.models.v1.MsgRegisterModel",
    MsgRegisterModelResponse => "/aceso.models.v1.MsgRegisterModelResponse",
    MsgRegisterImage => "/aceso.reads.v1.MsgRegisterImage",
    MsgRegisterImageResponse => "/aceso.reads.v1.MsgRegisterImageResponse",
    MsgAttest => "/aceso.reads.v1.MsgAttest",
}

/// Asks the validators to hold a blob: who pays, which blob, for how long. It is `pending` until more than two thirds
/// of the power have said that they hold it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterBlob {
    /// The account that pays.
    #[prost(string, tag = "1")]
    pub owner: String,
    /// The blob's CID.
    #[prost(string, tag = "2")]
    pub cid: String,
    /// The file's length in bytes.
    #[prost(uint64, tag = "3")]
    pub size: u64,
    /// For how many blocks from now on.
    #[prost(uint64, tag = "4")]
    pub term: u64,
}

/// Answer to [`MsgRegisterBlob`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterBlobResponse {
    /// The first height at which the term is over.
    #[prost(uint64, tag = "1")]
    pub expires: u64,
}

/// Registers a model. Its ONNX blob must be registered; it is admitted at once when the blob is available, else in
/// the first block in which it is.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterModel {
    /// The account that registers it and earns from it.
    #[prost(string, tag = "1")]
    pub author: String,
    /// The manifest, in canonical dag-cbor.
    #[prost(bytes = "vec", tag = "2")]
    pub manifest: Vec<u8>,
}

/// Answer to [`MsgRegisterModel`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterModelResponse {
    /// The model's id, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub model: Vec<u8>,
    /// Whether it was admitted at once.
    #[prost(bool, tag = "2")]
    pub admitted: bool,
}

/// Registers an image for reads: who speaks for it, who guards it, who vouches for it. Registers the blob as well
/// where nobody has yet.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterImage {
    /// The patient's account.
    #[prost(string, tag = "1")]
    pub owner: String,
    /// The image's CID.
    #[prost(string, tag = "2")]
    pub cid: String,
    /// The file's length in bytes.
    #[prost(uint64, tag = "3")]
    pub size: u64,
    /// For how many blocks from now on.
    #[prost(uint64, tag = "4")]
    pub term: u64,
    /// The contract whose permit every read needs; empty for a public image.
    #[prost(string, tag = "5")]
    pub guard: String,
    /// The modality, where the file does not carry it (DICOM CS); must agree with the file where it does.
    #[prost(string, tag = "6")]
    pub modality: String,
    /// The body part, likewise.
    #[prost(string, tag = "7")]
    pub body_part: String,
    /// An institution's word for the image.
    #[prost(message, optional, tag = "8")]
    pub origin: Option<SignedOrigin>,
    /// What decoding its dearest frame takes, in passes over a sample (`inference-host/IMAGE.md`, Effort); zero for what every
    /// file may take. Reads are paid by it, and a file that takes more is refused.
    #[prost(uint64, tag = "9")]
    pub effort: u64,
}

/// [`crate::guest::Origin`] with its signature.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SignedOrigin {
    /// The institution's account.
    #[prost(string, tag = "1")]
    pub institution: String,
    /// The pixel digest, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub pixels: Vec<u8>,
    /// The hashed study instance UID, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub study: Vec<u8>,
    /// The subject's pseudonym, 32 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub subject: Vec<u8>,
    /// The institution's secp256k1 public key, 33 bytes; its address must be `institution`.
    #[prost(bytes = "vec", tag = "5")]
    pub public_key: Vec<u8>,
    /// ECDSA over SHA-256 of [`crate::guest::Origin::sign_bytes`], 64 bytes `r ‖ s`, low s.
    #[prost(bytes = "vec", tag = "6")]
    pub signature: Vec<u8>,
}

/// Answer to [`MsgRegisterImage`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgRegisterImageResponse {
    /// The first height at which the term is over.
    #[prost(uint64, tag = "1")]
    pub expires: u64,
}

/// What validators have attested, put into a block by its proposer; never accepted from a client.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MsgAttest {
    /// Blobs that more than two thirds of the power hold.
    #[prost(message, repeated, tag = "1")]
    pub available: Vec<Availability>,
    /// What jobs came to, by their numbers, ascending.
    #[prost(message, repeated, tag = "2")]
    pub outcomes: Vec<JobOutcome>,
    /// Tables of keys that more than two thirds of the one before have signed, ascending.
    #[prost(message, repeated, tag = "3")]
    pub roots: Vec<RootSigned>,
    /// Members' own words against outcomes.
    #[prost(message, repeated, tag = "4")]
    pub conflicts: Vec<Conflict>,
}

/// More than two thirds of the power say that they hold a blob.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Availability {
    /// The blob's CID.
    #[prost(string, tag = "1")]
    pub cid: String,
    /// The file's length in bytes.
    #[prost(uint64, tag = "2")]
    pub size: u64,
    /// The height at which the term is over.
    #[prost(uint64, tag = "3")]
    pub expires: u64,
    /// One bit per validator in the table of the height whose votes say so, the one before the block, lowest bit of the
    /// first byte first.
    #[prost(bytes = "vec", tag = "4")]
    pub signers: Vec<u8>,
    /// The aggregated BLS12-381 signature (min-pk: 96 bytes, compressed G2) over [`Availability::sign_bytes`].
    #[prost(bytes = "vec", tag = "5")]
    pub signature: Vec<u8>,
}

impl Availability {
    /// The 32 bytes that each holder signs.
    pub fn sign_bytes(chain_id: &str, cid: &str, size: u64, expires: u64) -> crate::Digest {
        crate::Digest::sha3(
            "aceso/available/v1",
            &[chain_id.as_bytes(), cid.as_bytes(), &size.to_be_bytes(), &expires.to_be_bytes()],
        )
    }
}

/// A validator's vote extension: shares of jobs that it works on, and the blobs that it holds and that are not available
/// yet.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Extension {
    /// One entry per blob, oldest registration first.
    #[prost(message, repeated, tag = "1")]
    pub held: Vec<Held>,
    /// One entry per job, the oldest first, until the job closes.
    #[prost(message, repeated, tag = "2")]
    pub shares: Vec<Share>,
    /// Its word for roots that are not signed yet.
    #[prost(message, repeated, tag = "3")]
    pub roots: Vec<RootShare>,
}

/// What a validator's open reads of a block came to, as it tells other nodes that ask.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Reads {
    /// The block.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// The digest of its transcript, 32 bytes; empty if it has not read.
    #[prost(bytes = "vec", tag = "2")]
    pub digest: Vec<u8>,
    /// The validator's attestation key, 48 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub key: Vec<u8>,
    /// Its signature over [`Reads::sign_bytes`], 96 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub signature: Vec<u8>,
}

impl Reads {
    /// The 32 bytes that are signed.
    pub fn sign_bytes(chain_id: &str, height: u64, digest: &[u8]) -> crate::Digest {
        crate::Digest::sha3("aceso/reads/v1", &[chain_id.as_bytes(), &height.to_be_bytes(), digest])
    }
}

/// One blob that a validator holds.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Held {
    /// The blob's CID.
    #[prost(string, tag = "1")]
    pub cid: String,
    /// The file's length in bytes.
    #[prost(uint64, tag = "2")]
    pub size: u64,
    /// The height at which the term is over.
    #[prost(uint64, tag = "3")]
    pub expires: u64,
    /// This validator's BLS signature over [`Availability::sign_bytes`], 96 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub signature: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn field_numbers_do_not_change() {
        let image = MsgRegisterImage {
            owner: "o".into(),
            cid: "c".into(),
            size: 3,
            term: 4,
            guard: "g".into(),
            modality: "m".into(),
            body_part: "b".into(),
            origin: Some(SignedOrigin {
                institution: "i".into(),
                pixels: vec![1],
                study: vec![2],
                subject: vec![3],
                public_key: vec![4],
                signature: vec![5],
            }),
            effort: 9,
        };
        let bytes = image.encode_to_vec();
        expect_test::expect!["0a016f120163180320042a016732016d3a016242120a01691201011a01022201032a01043201054809"]
            .assert_eq(&hex::encode(&bytes));
        assert_eq!(MsgRegisterImage::decode(&bytes[..]), Ok(image));
        let attest = MsgAttest {
            available: vec![Availability {
                cid: "c".into(),
                size: 2,
                expires: 3,
                signers: vec![4],
                signature: vec![5],
            }],
            ..MsgAttest::default()
        };
        expect_test::expect!["0a0d0a0163100218032201042a0105"].assert_eq(&hex::encode(attest.encode_to_vec()));
    }

    #[test]
    fn names_are_type_urls() {
        assert_eq!(MsgAttest::TYPE_URL, "/aceso.reads.v1.MsgAttest");
    }
}

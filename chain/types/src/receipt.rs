//! What a read leaves behind in state: who asked what of which image, and what came out, to the bit.
//!
//! dag-cbor (IPLD) without floats. A receipt is believed for its place in the state, proven against a header, and can
//! be recomputed by whoever has the image and the model: see `sdk/verify`.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

pub use crate::sealed::Disclosure;
use crate::{
    BlobId, Digest, Frame, Height, ModelId, PixelDigest, ReadId, Tensor, TxIndex,
    guest::{Answered, Reading, Score},
    sealed,
};

/// The only version of this format.
pub const VERSION: u32 = 1;
/// Most bytes a receipt may have: an inline output of 4 KiB and what stands around it.
pub const BYTES_MAX: usize = 64 << 10;

/// The component of the state in which receipts stand.
pub const COMPONENT: &str = "reads";

/// `receipt/00000000000000000003`: the key of a receipt in [`COMPONENT`]. Verifiers spell it themselves: a proof of
/// the same bytes under another key proves nothing.
pub fn state_key(read: ReadId) -> String {
    alloc::format!("receipt/{:020}", read.0)
}

/// Why bytes are not a receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// More bytes than [`BYTES_MAX`].
    #[error("a receipt has at most 65536 bytes, not {0}")]
    TooLarge(usize),
    /// Not dag-cbor of this shape.
    #[error("the receipt does not decode: {0}")]
    Malformed(String),
    /// Decodes, but would be written in another way.
    #[error("the receipt is not in canonical dag-cbor")]
    NotCanonical,
    /// Of another version.
    #[error("receipts of version {0} are not known here; this is version 1")]
    Version(u32),
}

/// Where a receipt says another thing than the committee that it names has signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Disagreement {
    /// Something is kept back, and no committee has signed.
    #[error("the outcome is not open to everyone, and the receipt names no committee that signed it")]
    Unsigned,
    /// Nothing allowed it.
    #[error("a sealed read has a consent, and the receipt has none")]
    Consent,
    /// Done before it was asked for.
    #[error("the read was done in block {done} and asked for in block {requested}")]
    Height {
        /// The receipt's height.
        done: Height,
        /// The request's.
        requested: Height,
    },
    /// The committee's word is none.
    #[error("what the committee signed is not in order: {0}")]
    Signed(#[from] sealed::SealedError),
    /// Another outcome.
    #[error("the receipt's outcome is {got}, and the committee signed {want}")]
    Outcome {
        /// The receipt's digest.
        got: Digest,
        /// The digest of what was signed.
        want: Digest,
    },
    /// The receipt tells what was not to be told, or tells it otherwise.
    #[error("the receipt's {0} are not those that the committee disclosed")]
    Disclosed(&'static str),
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`VERSION`].
    pub version: u32,
    /// The chain.
    pub chain_id: String,
    /// The block in which the read ran.
    pub height: Height,
    /// The transaction's position in that block.
    pub tx: TxIndex,
    /// The read's number.
    pub read: ReadId,
    /// The contract that read.
    pub reader: String,
    /// The model.
    pub model: ModelId,
    /// The digest of the model's pipeline.
    pub pipeline: Digest,
    /// The image.
    pub image: BlobId,
    /// Its frame; the first where it names none.
    #[serde(default, skip_serializing_if = "Frame::is_first")]
    pub frame: Frame,
    /// The image's identity for payment; absent where it is not disclosed.
    pub pixels: Option<PixelDigest>,
    /// What allowed the read; absent for a public image.
    pub consent: Option<Consent>,
    /// Who may know the outcome.
    pub disclosure: Disclosure,
    /// What came out.
    pub outcome: Outcome,
    /// Who computed it.
    pub committee: Committee,
    /// What its committee signed; absent for an open read, which everyone computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedRead>,
}

/// What makes a receipt of a sealed read checkable without the state: see [`sealed::Compact`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedRead {
    /// The job.
    pub job: u64,
    /// The block in which it was asked for; the receipt's own is the one in which it was done.
    pub requested: Height,
    /// Whose record it is.
    pub owner: String,
    /// What the members signed.
    pub outcome: sealed::Outcome,
    /// The root that has their keys.
    pub root: u64,
    /// The members, by their numbers, ascending.
    pub members: Vec<u32>,
    /// One bit per member that signed, lowest bit of the first byte first.
    #[serde(with = "crate::cbor_bytes")]
    pub signers: Vec<u8>,
    /// The aggregated signature, 96 bytes, over [`sealed::Statement::sign_bytes`].
    #[serde(with = "crate::cbor_bytes")]
    pub signature: Vec<u8>,
}

/// What allowed a read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The guard contract; empty for a sealed record that has none.
    pub guard: String,
    /// The grant: the guard's; for a sealed record the granter and the number of the key's, `aceso1…/7`.
    pub grant: String,
    /// For whom.
    pub actor: String,
    /// Why: a code of HL7 v3 ActReason.
    pub purpose: String,
    /// Which use of the grant this was, from 1.
    pub r#use: u32,
}

impl Consent {
    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        // Writing into a `Vec` fails only for values that dag-cbor cannot hold, of which this has none.
        serde_ipld_dagcbor::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`Consent::encode`] wrote; none where the bytes are something else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_ipld_dagcbor::from_slice(bytes).ok()
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// SHA3-256 over all output tensors, see [`outputs_digest`]; where they are not disclosed over what the committee
    /// signed, see [`sealed::Outcome::digest`].
    pub digest: Digest,
    /// The output of labels, element by element; none where it is not disclosed.
    pub scores: Vec<Score>,
    /// The manifest's findings, answered, as far as they are disclosed.
    pub findings: Vec<Answered>,
    /// What else the outputs say, of those that the manifest has words for; none where they are not disclosed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
}

/// Who computed the outcome: for an open read all validators, for a sealed one its committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committee {
    /// The digest of the members' table: [`committee_digest`], or [`sealed::committee_digest`].
    pub digest: Digest,
    /// Their power.
    pub power: u64,
    /// The power of all validators.
    pub total: u64,
}

/// The digest of a read's output tensors: type, shape and bytes of each, in the graph's order.
pub fn outputs_digest(outputs: &[Tensor]) -> Digest {
    let mut parts: Vec<Vec<u8>> = Vec::with_capacity(outputs.len() * 3);
    for output in outputs {
        parts.push(alloc::vec![output.ty().tag()]);
        parts.push(output.dims().iter().flat_map(|dim| dim.to_be_bytes()).collect());
        parts.push(output.data().to_vec());
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Digest::sha3("aceso/outputs/v1", &parts)
}

/// The digest of a committee: consensus public key (ed25519) and power of each member, in the table's order.
pub fn committee_digest<'a>(members: impl IntoIterator<Item = (&'a [u8], u64)>) -> Digest {
    let rows: Vec<Vec<u8>> = members.into_iter().map(|(key, power)| [key, &power.to_be_bytes()].concat()).collect();
    let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    Digest::sha3("aceso/committee/v1", &rows)
}

impl Receipt {
    /// Reads a receipt, strictly.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > BYTES_MAX {
            return Err(ReceiptError::TooLarge(bytes.len()));
        }
        let receipt: Self =
            serde_ipld_dagcbor::from_slice(bytes).map_err(|e| ReceiptError::Malformed(alloc::format!("{e}")))?;
        if receipt.version != VERSION {
            return Err(ReceiptError::Version(receipt.version));
        }
        if receipt.encode() != bytes {
            return Err(ReceiptError::NotCanonical);
        }
        Ok(receipt)
    }

    /// The proof for whoever trusts a root; none of an open read.
    pub fn compact(&self) -> Option<sealed::Compact> {
        let read = self.sealed.clone()?;
        let statement = sealed::CompactStatement {
            chain_id: self.chain_id.clone(),
            job: read.job,
            requested: read.requested,
            model: self.model,
            pipeline: self.pipeline,
            image: self.image,
            frame: self.frame,
            owner: read.owner,
            requester: self.reader.clone(),
            consent: sealed::consent_digest(self.consent.as_ref()?),
            disclosure: self.disclosure.clone(),
        };
        let SealedRead { outcome, root, members, signers, signature, .. } = read;
        Some(sealed::Compact { version: sealed::VERSION, root, members, statement, outcome, signers, signature })
    }

    /// Whether it says what its committee signed, field by field, as far as that can be seen without keys and model: scores
    /// and findings of an open outcome follow from its outputs and the model's manifest. Says nothing of the signature.
    ///
    /// # Errors
    /// [`Disagreement`].
    pub fn check_sealed(&self) -> Result<(), Disagreement> {
        let Some(read) = &self.sealed else {
            return if self.disclosure == Disclosure::Open { Ok(()) } else { Err(Disagreement::Unsigned) };
        };
        self.compact().ok_or(Disagreement::Consent)?.check()?;
        if read.requested >= self.height {
            return Err(Disagreement::Height { done: self.height, requested: read.requested });
        }
        let (got, want) = (self.outcome.digest, read.outcome.digest());
        if got != want {
            return Err(Disagreement::Outcome { got, want });
        }
        let findings: &[Answered] = match &read.outcome {
            sealed::Outcome::Open { .. } => &self.outcome.findings,
            sealed::Outcome::Predicate { findings, .. } => findings,
            sealed::Outcome::Failed(_) | sealed::Outcome::Sealed { .. } | sealed::Outcome::Stored { .. } => &[],
        };
        if self.outcome.findings != findings {
            return Err(Disagreement::Disclosed("findings"));
        }
        let open = matches!(read.outcome, sealed::Outcome::Open { .. });
        if !self.outcome.scores.is_empty() && !open {
            return Err(Disagreement::Disclosed("scores"));
        }
        if !self.outcome.readings.is_empty() && !open {
            return Err(Disagreement::Disclosed("readings"));
        }
        if self.pixels.is_some() {
            return Err(Disagreement::Disclosed("pixels"));
        }
        Ok(())
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        // Writing into a `Vec` fails only for values that dag-cbor cannot hold, of which a receipt has none.
        serde_ipld_dagcbor::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ElementType;

    fn specimen() -> Receipt {
        Receipt {
            version: VERSION,
            chain_id: "aceso-test".into(),
            height: Height(7),
            tx: TxIndex(1),
            read: ReadId(3),
            reader: "aceso1reader".into(),
            model: ModelId(Digest([1; 32])),
            pipeline: Digest([2; 32]),
            image: BlobId::of_raw(b"image"),
            frame: Frame::FIRST,
            pixels: Some(PixelDigest(Digest([3; 32]))),
            consent: Some(Consent {
                guard: "aceso1guard".into(),
                grant: "1".into(),
                actor: "aceso1actor".into(),
                purpose: "TREAT".into(),
                r#use: 1,
            }),
            disclosure: Disclosure::Open,
            outcome: Outcome {
                digest: Digest([4; 32]),
                scores: vec![Score { label: "pneumonia".into(), value: -3, probability: 910_000 }],
                findings: vec![Answered { id: "pneumonia".into(), present: true }],
                readings: vec![],
            },
            sealed: None,
            committee: Committee { digest: committee_digest([(&[5_u8; 32][..], 10)]), power: 10, total: 10 },
        }
    }

    #[test]
    fn the_key_does_not_change() {
        assert_eq!(state_key(ReadId(3)), "receipt/00000000000000000003");
    }

    #[test]
    fn comes_back_to_the_byte() {
        let bytes = specimen().encode();
        assert_eq!(Receipt::decode(&bytes), Ok(specimen()));
        expect_test::expect!["4b8ad0d69e4e80e68cc5f79bc4927d89f31f86afac2588006eeeaff0743a77ee"]
            .assert_eq(&Digest::sha3("golden", &[&bytes]).to_string());
    }

    #[test]
    fn what_is_said_beside_scores_comes_back_too() {
        let mut receipt = specimen();
        let area = |class: &str, pixels| crate::guest::Area { class: class.into(), pixels };
        receipt.outcome.readings = vec![
            Reading::Class { name: "view".into(), class: "pa".into() },
            Reading::Quantity { name: "age".into(), micro: -1_500_000, unit: "a".into() },
            Reading::Mask {
                name: "lungs".into(),
                output: 2,
                width: 4,
                height: 2,
                areas: vec![area("other", 7), area("left", 1)],
            },
            Reading::Maps { name: "heat".into(), output: 3, width: 4, height: 2, channels: vec!["heat".into()] },
        ];
        assert_ne!(receipt.encode(), specimen().encode());
        assert_eq!(Receipt::decode(&receipt.encode()), Ok(receipt));
    }

    #[test]
    fn a_frame_is_named_where_it_is_not_the_first() {
        let second = Receipt { frame: Frame::of_wire(2), ..specimen() };
        assert_ne!(second.encode(), specimen().encode());
        assert_eq!(Receipt::decode(&second.encode()), Ok(second.clone()));
        let spelled = |number| {
            let mut bytes = second.encode();
            let at = bytes.windows(6).position(|window| window == b"\x65frame").unwrap();
            bytes[at + 6] = number;
            Receipt::decode(&bytes)
        };
        assert_eq!(spelled(3), Ok(Receipt { frame: Frame::of_wire(3), ..specimen() }));
        assert_eq!(spelled(1), Err(ReceiptError::NotCanonical));
        assert!(matches!(spelled(0), Err(ReceiptError::Malformed(_))));
    }

    #[test]
    fn every_flipped_bit_is_another_receipt_or_none() {
        let bytes = specimen().encode();
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[position] ^= 1 << bit;
                assert_ne!(Receipt::decode(&other), Ok(specimen()), "byte {position} bit {bit}");
            }
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        let newer = Receipt { version: 2, ..specimen() };
        assert_eq!(Receipt::decode(&newer.encode()), Err(ReceiptError::Version(2)));
        assert!(matches!(Receipt::decode(b""), Err(ReceiptError::Malformed(_))));
        assert_eq!(Receipt::decode(&vec![0; BYTES_MAX + 1]), Err(ReceiptError::TooLarge(BYTES_MAX + 1)));
    }

    #[test]
    fn outputs_do_not_run_together() {
        let tensor = |dims: &[u32], data: &[u8]| Tensor::new(ElementType::U8, dims.into(), data.into()).unwrap();
        let two = outputs_digest(&[tensor(&[1], &[1]), tensor(&[1], &[2])]);
        assert_ne!(two, outputs_digest(&[tensor(&[2], &[1, 2])]));
        assert_ne!(outputs_digest(&[tensor(&[1, 2], &[1, 2])]), outputs_digest(&[tensor(&[2, 1], &[1, 2])]));
    }
}

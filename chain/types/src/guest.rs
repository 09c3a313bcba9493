//! What contracts and their host say to each other, in JSON, as everything in CosmWasm is.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{BlobId, Digest, Frame, ModelId, PixelDigest, ReadId, sealed::Failure};

/// Longest [`PermitRequest`] in JSON that a host looks at.
pub const PERMIT_BYTES_MAX: usize = 8 << 10;
/// Most bytes that a host hashes at once.
pub const HASHED_MAX: usize = 5 << 20;
/// Most points that a host multiplies and adds up at once: proofs with as many public inputs are not seen.
pub const MULTIPLY_MAX: usize = 1_024;
/// Longest purpose code.
pub const PURPOSE_MAX: usize = 32;
/// Longest id of a grant.
pub const GRANT_MAX: usize = 128;
/// Longest reason of a refusal.
pub const REASON_MAX: usize = 1024;

/// A guard's answer to a contract that wants to read an image: the argument of the import `aceso.permit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermitRequest {
    /// The contract that will read.
    pub caller: String,
    /// The person for whom it reads; must have signed the transaction.
    pub actor: String,
    /// The image.
    pub image: BlobId,
    /// Whose it is, where it is a sealed one: several may have registered one CID. Empty for an open one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// The model.
    pub model: ModelId,
    /// Why: a code of HL7 v3 ActReason, such as `TREAT`.
    pub purpose: String,
    /// The grant that answers; empty when none was found.
    pub grant: String,
    /// The answer.
    pub answer: Answer,
}

/// Yes or no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// One read, as long as the grant has been used less often than this.
    Permit {
        /// Uses that the grant allows in all.
        max_uses: u32,
    },
    /// No read. The refusal is journalled whatever becomes of the transaction.
    Deny {
        /// A sentence for the journal; also the contract's error.
        reason: String,
    },
}

/// What a contract learns of a read it has made: the answer of the import `aceso.read_info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadInfo {
    /// The receipt's number.
    pub read: ReadId,
    /// The image.
    pub image: BlobId,
    /// Its frame; the first where it names none.
    #[serde(default, skip_serializing_if = "Frame::is_first")]
    pub frame: Frame,
    /// The frame's identity for payment.
    pub pixels: PixelDigest,
    /// The account that registered the image.
    pub owner: String,
    /// Who vouches for the image, if somebody does for just these pixels.
    pub origin: Option<Origin>,
    /// The model.
    pub model: ModelId,
    /// The model's author, to whom the fee went.
    pub author: String,
    /// What the read cost the contract, already paid, in the chain's smallest coin.
    pub fee: String,
    /// The output of labels, element by element.
    pub scores: Vec<Score>,
    /// The manifest's findings, answered.
    pub findings: Vec<Answered>,
    /// What else the outputs say, of those that the manifest has words for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
}

/// What a model's outputs say in the words of its manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The output of labels, element by element.
    pub scores: Vec<Score>,
    /// The manifest's findings, answered.
    pub findings: Vec<Answered>,
    /// What else the outputs say, in their order.
    pub readings: Vec<Reading>,
}

/// What an output says that is no score: numbers as they were computed, in the manifest's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reading {
    /// The one class that was chosen.
    Class {
        /// What is classified.
        name: String,
        /// The class.
        class: String,
    },
    /// A quantity.
    Quantity {
        /// What is measured.
        name: String,
        /// In millionths of the unit.
        micro: i64,
        /// The unit, as UCUM writes it.
        unit: String,
    },
    /// A segmentation. Its pixels are the output's elements, in the bytes that whoever has the outputs has.
    Mask {
        /// What is segmented.
        name: String,
        /// The output, from 0.
        output: u32,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// How many pixels each class has, in the order of their numbers.
        areas: Vec<Area>,
    },
    /// Planes of 8-bit values. What they are is said, and no more.
    Maps {
        /// What is mapped.
        name: String,
        /// The output, from 0.
        output: u32,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// What each plane is.
        channels: Vec<String>,
    },
}

/// How much of a mask is of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// The class.
    pub class: String,
    /// Its pixels.
    pub pixels: u32,
}

/// One element of an output tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// The label's name.
    pub label: String,
    /// The quantised value as computed.
    pub value: i32,
    /// The calibrated probability, in millionths.
    pub probability: u32,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// The finding's name.
    pub id: String,
    /// Whether the value reached the threshold.
    pub present: bool,
}

/// An institution's word that it made an image of a subject in a study. Signed, see [`Origin::sign_bytes`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The institution's account.
    pub institution: String,
    /// The pixels it speaks of.
    pub pixels: PixelDigest,
    /// SHA3-256 of the study instance UID, see [`Origin::study_of`].
    pub study: Digest,
    /// The subject's pseudonym at the institution.
    pub subject: Digest,
}

impl Origin {
    /// The hash under which a DICOM study instance UID is spoken of.
    pub fn study_of(uid: &str) -> Digest {
        Digest::sha3("aceso/study/v1", &[uid.as_bytes()])
    }

    /// The pseudonym of a subject: whatever the institution calls it, hidden by a secret of the institution.
    pub fn subject_of(identifier: &str, secret: &[u8]) -> Digest {
        Digest::sha3("aceso/subject/v1", &[secret, identifier.as_bytes()])
    }

    /// The 32 bytes that the institution signs with its secp256k1 account key (ECDSA over their SHA-256).
    pub fn sign_bytes(&self, chain_id: &str) -> Digest {
        Digest::sha3(
            "aceso/origin/v1",
            &[chain_id.as_bytes(), self.institution.as_bytes(), self.pixels.as_bytes(), &self.study.0, &self.subject.0],
        )
    }
}

/// What the chain says to a contract that asked for a sealed read, through its entry point `sudo`. Nobody else can: a
/// `MsgSudoContract` that carries it is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Callback {
    /// The job is closed.
    AcesoRead(ReadDone),
}

impl Callback {
    /// Whether a message to `sudo` carries it, however it is spelled. Whatever lets others send messages there refuses
    /// those that do.
    pub fn is_in(message: &[u8]) -> bool {
        let value = serde_json::from_slice::<serde_json::Value>(message);
        value.is_ok_and(|value| value.get("aceso_read").is_some())
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ended {
    /// With an outcome.
    Done,
    /// Every member saw that it cannot be read.
    Failed(Failure),
    /// At its deadline, without an outcome.
    Expired,
    /// The grant was taken back, or the record ended.
    Cancelled,
    /// Too few members were left.
    Broken,
}

/// What a contract learns of a sealed read that it asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadDone {
    /// The job's number, as the answer to the request had it.
    pub job: u64,
    /// How it ended.
    pub ended: Ended,
    /// The receipt's number, where it has an outcome.
    pub read: Option<ReadId>,
    /// The sealed file.
    pub image: BlobId,
    /// Its frame; the first where it names none.
    #[serde(default, skip_serializing_if = "Frame::is_first")]
    pub frame: Frame,
    /// Whose it is.
    pub owner: String,
    /// For whom it was read.
    pub actor: String,
    /// Why.
    pub purpose: String,
    /// The model.
    pub model: ModelId,
    /// The model's author.
    pub author: String,
    /// What the read cost in the end, in the chain's smallest coin; the rest of what was held was given back.
    pub fee: String,
    /// The input's identity for this contract: the same pixels have the same, however they are sealed.
    pub claim: Option<Digest>,
    /// Who vouches for the image, if somebody does for just these pixels.
    pub origin: Option<Vouched>,
    /// Members of the committee.
    pub members: u32,
    /// Their power.
    pub power: u64,
    /// The power of all validators.
    pub total: u64,
    /// The first output tensor, element by element; empty where it is not disclosed.
    pub scores: Vec<Score>,
    /// The findings that are disclosed.
    pub findings: Vec<Answered>,
    /// What else the outputs say; empty where they are not disclosed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// The commitment to the outputs, where they are kept for who holds the key.
    pub commitment: Option<Digest>,
}

/// An institution that vouches for a sealed image, as far as it may be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vouched {
    /// The institution's account.
    pub institution: String,
    /// The hashed study instance UID.
    pub study: Digest,
}

/// Our own queries from contracts (`QueryRequest::Custom`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AcesoQuery {
    /// Who registered an image, and who guards it? Answered by [`ImageInfo`], or null.
    Image {
        /// The image.
        image: BlobId,
    },
    /// Who registered a sealed image, and who guards it? Answered by [`ImageInfo`], or null.
    Sealed {
        /// Whose it is.
        owner: String,
        /// The sealed file.
        image: BlobId,
    },
    /// What is known of a model? Answered by [`ModelInfo`], or null.
    Model {
        /// The model.
        model: ModelId,
    },
    /// How often was a grant used? Answered by a number.
    Uses {
        /// The guard contract.
        guard: String,
        /// The grant.
        grant: String,
    },
    /// What were reads of an owner's open images charged to a contract, whatever became of the transactions, the running one
    /// included? Answered by a number in text, in the chain's coin.
    Spent {
        /// The contract that read.
        payer: String,
        /// Whose images.
        owner: String,
    },
}

/// Answer to [`AcesoQuery::Image`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInfo {
    /// The account that registered it.
    pub owner: String,
    /// The contract that guards it; empty for a public image.
    pub guard: String,
    /// Whether an origin statement is attached.
    pub origin: Option<Origin>,
    /// The modality that the registrant states; empty where the image itself must say.
    pub modality: String,
    /// The body part that the registrant states.
    pub body_part: String,
}

/// Answer to [`AcesoQuery::Model`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelInfo {
    /// Its name for people.
    pub name: String,
    /// Who registered it.
    pub author: String,
    /// What one read costs.
    pub price: crate::manifest::Price,
    /// Names of its findings.
    pub findings: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_fixed() {
        let request = PermitRequest {
            caller: "aceso1caller".into(),
            actor: "aceso1actor".into(),
            image: BlobId::of_raw(b"x"),
            owner: String::new(),
            model: ModelId::default(),
            purpose: "TREAT".into(),
            grant: "7".into(),
            answer: Answer::Permit { max_uses: 1 },
        };
        let json = serde_json::to_string(&request).unwrap();
        expect_test::expect![[r#"{"caller":"aceso1caller","actor":"aceso1actor","image":"bafkreibnoelefnzgwbcacyt4vh52ymxvzbjq7mmqhtcnwarfq4lzegsiqe","model":"0000000000000000000000000000000000000000000000000000000000000000","purpose":"TREAT","grant":"7","answer":{"permit":{"max_uses":1}}}"#]].assert_eq(&json);
        assert_eq!(serde_json::from_str::<PermitRequest>(&json).unwrap(), request);
        assert!(serde_json::from_str::<PermitRequest>(&json.replace("caller", "called")).is_err());
        let query = AcesoQuery::Uses { guard: "g".into(), grant: "1".into() };
        expect_test::expect![[r#"{"uses":{"guard":"g","grant":"1"}}"#]]
            .assert_eq(&serde_json::to_string(&query).unwrap());
    }

    #[test]
    fn a_callback_is_known_however_it_is_spelled() {
        let done = ReadDone {
            job: 1,
            ended: Ended::Expired,
            read: None,
            image: BlobId::of_raw(b"x"),
            frame: Frame::FIRST,
            owner: "o".into(),
            actor: "a".into(),
            purpose: "TREAT".into(),
            model: ModelId::default(),
            author: "b".into(),
            fee: "0".into(),
            claim: None,
            origin: None,
            members: 1,
            power: 1,
            total: 1,
            scores: Vec::new(),
            findings: Vec::new(),
            readings: Vec::new(),
            commitment: None,
        };
        assert!(Callback::is_in(&serde_json::to_vec(&Callback::AcesoRead(done)).unwrap()));
        for carries in
            [r#"{"aceso_read":1}"#, " {\"x\":1,\"aceso\\u005fread\":{}}", r#"{"aceso_read":1,"aceso_read":2}"#]
        {
            assert!(Callback::is_in(carries.as_bytes()), "{carries}");
        }
        for other in [r#"{"aceso_reads":1}"#, r#"{"x":{"aceso_read":1}}"#, r#""aceso_read""#, r#"["aceso_read"]"#, "x"]
        {
            assert!(!Callback::is_in(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn every_field_is_signed() {
        let origin = Origin {
            institution: "a".into(),
            pixels: PixelDigest::default(),
            study: Origin::study_of("1.2.3"),
            subject: Origin::subject_of("p", b"secret"),
        };
        let signed = origin.sign_bytes("chain");
        let with = |change: fn(&mut Origin)| {
            let mut other = origin.clone();
            change(&mut other);
            other.sign_bytes("chain")
        };
        assert_ne!(signed, origin.sign_bytes("other"));
        assert_ne!(signed, with(|o| o.institution.push('b')));
        assert_ne!(signed, with(|o| o.pixels = PixelDigest(Digest([1; 32]))));
        assert_ne!(signed, with(|o| o.study = Digest([1; 32])));
        assert_ne!(signed, with(|o| o.subject = Digest([1; 32])));
    }
}

//! What the open reads of a block took from bytes that do not stay, and what came out of them.
//!
//! Every validator writes the transcript of a block while it executes it; its digest is in the state, so that whoever
//! computed another bit has another app hash. Who executes the block again when the images are gone takes a peer's
//! transcript in their place: it holds what the execution would have taken from them, and no pixel.
//!
//! dag-cbor without floats, one entry for each attempt in the order of execution, those of failed transactions and of
//! queries inside of transactions too.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    BlobId, Digest, Frame, Height, ModelId, PixelDigest, Tensor, TxIndex, receipt::outputs_digest, sealed::Outcome,
};

/// The only version of this format.
pub const VERSION: u32 = 1;
/// What the entries of a block may weigh together, see [`Entry::weight`]; a read that passes it is refused.
pub const WEIGHT_MAX: u64 = 48 << 20;
/// Most bytes of a transcript: [`WEIGHT_MAX`], and room for what stands around the entries.
pub const BYTES_MAX: u64 = WEIGHT_MAX + (64 << 10);
/// Most bytes of a reason; a longer one is cut.
pub const REASON_MAX: usize = 1_000;
/// What an entry weighs without outputs: more than its encoding takes.
pub const ENTRY_WEIGHT: u64 = 2 << 10;

/// The open reads of one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// [`VERSION`].
    pub version: u32,
    /// The chain.
    pub chain_id: String,
    /// The block.
    pub height: Height,
    /// The reads, in the order in which they were executed.
    pub entries: Vec<Entry>,
}

/// One attempt to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The transaction's position in the block; none for what a block does after its transactions.
    pub tx: Option<TxIndex>,
    /// The contract that read; for an admission the model's author, for a dispute who disputes.
    pub caller: String,
    /// The model.
    pub model: ModelId,
    /// What was read, and what came out.
    pub read: Read,
}

/// What was read, and what came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Read {
    /// An image by its CID.
    Image {
        /// The image.
        image: BlobId,
        /// Its frame; the first where it names none.
        #[serde(default, skip_serializing_if = "Frame::is_first")]
        frame: Frame,
        /// The first height at which nodes need not hold its bytes any more.
        ends: Height,
        /// What came of it.
        seen: Seen,
    },
    /// A tensor that the contract held: nothing is needed to compute it again, so a digest is enough.
    Tensor {
        /// [`outputs_digest`], or why the model did not run.
        outcome: Result<Digest, String>,
    },
    /// A model's bytes, to admit it; those of an admitted model stay in the state.
    Admission {
        /// The bytes.
        blob: BlobId,
        /// Why it was refused, if it was.
        refused: Option<String>,
    },
    /// A sealed file whose key was shown in a dispute.
    Dispute {
        /// The file.
        image: BlobId,
        /// As in [`Read::Image`].
        ends: Height,
        /// What the job's members should have signed.
        outcome: Outcome,
    },
}

/// What came of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Seen {
    /// It is none that the model takes.
    Refused {
        /// Why.
        reason: String,
    },
    /// It was opened and the model never asked.
    Opened {
        /// The image's identity for payment.
        pixels: PixelDigest,
    },
    /// The model did not run on it.
    Failed {
        /// As in [`Seen::Opened`].
        pixels: PixelDigest,
        /// Why.
        reason: String,
    },
    /// The model ran.
    Done {
        /// As in [`Seen::Opened`].
        pixels: PixelDigest,
        /// The model's outputs, in the graph's order.
        outputs: Vec<Tensor>,
    },
}

impl Seen {
    /// The image's identity; none of what was refused.
    pub fn pixels(&self) -> Option<PixelDigest> {
        match self {
            Self::Refused { .. } => None,
            Self::Opened { pixels } | Self::Failed { pixels, .. } | Self::Done { pixels, .. } => Some(*pixels),
        }
    }
}

impl Transcript {
    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        // Writing into a `Vec` fails only for values that dag-cbor cannot hold, of which a transcript has none.
        serde_ipld_dagcbor::to_vec(self).unwrap_or_default()
    }

    /// Reads a transcript. The error is a sentence about what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() as u64 > BYTES_MAX {
            return Err(format!("a transcript has at most {BYTES_MAX} bytes, not {}", bytes.len()));
        }
        let transcript: Self =
            serde_ipld_dagcbor::from_slice(bytes).map_err(|e| format!("the transcript does not decode: {e}"))?;
        match transcript.version {
            VERSION => Ok(transcript),
            other => Err(format!("transcripts of version {other} are not known here; this is version {VERSION}")),
        }
    }

    /// The first height at which a node need not hold all images any more that the block has read; none if it has read
    /// none.
    pub fn ends(&self) -> Option<Height> {
        let ends = self.entries.iter().filter_map(|entry| match &entry.read {
            Read::Image { ends, .. } | Read::Dispute { ends, .. } => Some(*ends),
            _ => None,
        });
        ends.min()
    }

    /// The first entry that another one has in another form, told in a sentence; none if both say the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let length = self.entries.len().max(other.entries.len());
        let index = (0..length).find(|at| self.entries.get(*at) != other.entries.get(*at))?;
        let (ours, theirs) = (self.entries.get(index), other.entries.get(index));
        let named = ours.or(theirs).map(ToString::to_string).unwrap_or_default();
        let told = |entry: Option<&Entry>| entry.map_or("no such read".into(), |entry| entry.outcome());
        let also = match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours.to_string() != theirs.to_string() => format!(" ({theirs} there)"),
            _ => String::new(),
        };
        Some(format!(
            "read {index} of block {}, {named}{also}: here {}, there {}",
            self.height,
            told(ours),
            told(theirs)
        ))
    }
}

/// The digest of an encoded transcript, as it stands in the state.
pub fn digest(encoded: &[u8]) -> Digest {
    Digest::sha3("aceso/transcript/v1", &[encoded])
}

/// A reason as transcripts hold it: no longer than [`REASON_MAX`].
pub fn reason(text: impl fmt::Display) -> String {
    let mut text = text.to_string();
    let end = text.char_indices().map(|(at, one)| at + one.len_utf8()).take_while(|end| *end <= REASON_MAX).last();
    text.truncate(end.unwrap_or_default());
    text
}

/// What outputs of these lengths weigh in a transcript, frames included.
pub fn weight_of(outputs: impl Iterator<Item = usize>) -> u64 {
    outputs.fold(0, |sum: u64, bytes| sum.saturating_add(bytes as u64).saturating_add(128))
}

impl Entry {
    /// What came out, in a few words.
    fn outcome(&self) -> String {
        match &self.read {
            Read::Image { seen: Seen::Refused { reason }, .. } => format!("it was refused ({reason})"),
            Read::Image { seen: Seen::Opened { pixels }, .. } => format!("pixels {pixels} and no run"),
            Read::Image { seen: Seen::Failed { pixels, reason }, .. } => {
                format!("pixels {pixels} and a run that failed ({reason})")
            }
            Read::Image { seen: Seen::Done { pixels, outputs }, .. } => {
                format!("pixels {pixels} and outputs {}", outputs_digest(outputs))
            }
            Read::Tensor { outcome: Ok(digest) } => format!("outputs {digest}"),
            Read::Tensor { outcome: Err(reason) } => format!("a run that failed ({reason})"),
            Read::Admission { refused: None, .. } => "it was admitted".into(),
            Read::Admission { refused: Some(reason), .. } => format!("it was refused ({reason})"),
            Read::Dispute { outcome, .. } => format!("outcome {}", outcome.digest()),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tx, caller, model, read } = self;
        match read {
            Read::Image { image, frame: Frame::FIRST, .. } => {
                write!(f, "of image {image} with model {model} by {caller}")?
            }
            Read::Image { image, frame, .. } => {
                write!(f, "of frame {frame} of image {image} with model {model} by {caller}")?
            }
            Read::Tensor { .. } => write!(f, "of a tensor with model {model} by {caller}")?,
            Read::Admission { blob, .. } => write!(f, "of blob {blob} for model {model} of {caller}")?,
            Read::Dispute { image, .. } => {
                write!(f, "of sealed file {image} with model {model}, disputed by {caller}")?
            }
        }
        match tx {
            Some(tx) => write!(f, " in transaction {}", tx.0),
            None => f.write_str(" after the transactions"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ElementType;

    fn entry(read: Read) -> Entry {
        Entry { tx: Some(TxIndex(2)), caller: "aceso1c".into(), model: ModelId::default(), read }
    }

    fn done(output: u8) -> Seen {
        let tensor = Tensor::new(ElementType::I8, alloc::vec![1, 2], alloc::vec![output, 7]).unwrap();
        Seen::Done { pixels: PixelDigest::default(), outputs: alloc::vec![tensor] }
    }

    fn image(ends: u64, seen: Seen) -> Entry {
        entry(Read::Image { image: BlobId::of_raw(b"i"), frame: Frame::FIRST, ends: Height(ends), seen })
    }

    fn transcript(entries: Vec<Entry>) -> Transcript {
        Transcript { version: VERSION, chain_id: "c".into(), height: Height(9), entries }
    }

    fn specimen() -> Transcript {
        let refused = |reason: &str| Some(reason.to_string());
        transcript(alloc::vec![
            image(50, done(1)),
            image(40, Seen::Refused { reason: "no image".into() }),
            image(60, Seen::Opened { pixels: PixelDigest::default() }),
            image(60, Seen::Failed { pixels: PixelDigest::default(), reason: "no".into() }),
            entry(Read::Tensor { outcome: Ok(Digest([3; 32])) }),
            entry(Read::Tensor { outcome: Err("no".into()) }),
            entry(Read::Admission { blob: BlobId::of_raw(b"m"), refused: None }),
            Entry { tx: None, ..entry(Read::Admission { blob: BlobId::of_raw(b"m"), refused: refused("bad") }) },
        ])
    }

    #[test]
    fn comes_back_and_is_spelled_for_ever() {
        let specimen = specimen();
        assert_eq!(Transcript::decode(&specimen.encode()), Ok(specimen.clone()));
        expect_test::expect!["8fc892aa5ca3e591d4a2f29578e3fb95fc2f497ed431baa4491b095249854bb2"]
            .assert_eq(&digest(&specimen.encode()).to_string());
        assert_eq!((specimen.ends(), transcript(Vec::new()).ends()), (Some(Height(40)), None));
    }

    #[test]
    fn what_is_none_is_refused_in_words() {
        let other = Transcript { version: 2, ..specimen() };
        assert!(Transcript::decode(&other.encode()).unwrap_err().contains("version 2"));
        let whole = specimen().encode();
        for bytes in [&b""[..], b"x", &whole[..whole.len() - 1], &[&whole[..], b"x"].concat()] {
            assert!(Transcript::decode(bytes).unwrap_err().starts_with("the transcript does not decode"));
        }
        let large = alloc::vec![0; usize::try_from(BYTES_MAX).unwrap() + 1];
        assert!(Transcript::decode(&large).unwrap_err().contains("at most"));
    }

    #[test]
    fn an_entry_takes_no_more_than_it_weighs() {
        let seen = Seen::Failed { pixels: PixelDigest::default(), reason: reason("é".repeat(REASON_MAX)) };
        let long = Entry { caller: "a".repeat(128), ..image(u64::MAX, seen) };
        let bytes = |entries| transcript(entries).encode().len() as u64;
        assert!(bytes(alloc::vec![long]) - bytes(Vec::new()) <= ENTRY_WEIGHT);
        let tensor = Tensor::zeros(ElementType::I64, alloc::vec![1, 1, 1, 1, 1, 1, 1, 999]).unwrap();
        let weight = ENTRY_WEIGHT + weight_of([tensor.data().len()].into_iter());
        let seen = Seen::Done { pixels: PixelDigest::default(), outputs: alloc::vec![tensor] };
        assert!(bytes(alloc::vec![image(1, seen)]) - bytes(Vec::new()) <= weight);
    }

    #[test]
    fn a_dispute_is_an_entry_whose_spelling_stays() {
        let dispute = |reason| {
            let (image, ends, outcome) = (BlobId::of_raw(b"s"), Height(30), Outcome::Failed(reason));
            transcript(alloc::vec![entry(Read::Dispute { image, ends, outcome })])
        };
        let (ours, theirs) = (dispute(crate::sealed::Failure::Leaf), dispute(crate::sealed::Failure::Owner));
        assert_eq!((Transcript::decode(&ours.encode()), ours.ends()), (Ok(ours.clone()), Some(Height(30))));
        expect_test::expect!["80810e5af584f4a3c6c16f146b55638177ae916ac174d2edcf2c43814f524fa5"]
            .assert_eq(&digest(&ours.encode()).to_string());
        let told = ours.difference(&theirs).unwrap();
        assert!(told.contains("disputed by aceso1c in transaction 2: here outcome"), "{told}");
    }

    #[test]
    fn a_frame_is_told_where_it_is_not_the_first() {
        let of = |number| {
            let (image, frame) = (BlobId::of_raw(b"i"), Frame::of_wire(number));
            transcript(alloc::vec![entry(Read::Image { image, frame, ends: Height(50), seen: done(1) })])
        };
        assert_eq!(of(0).encode(), transcript(alloc::vec![image(50, done(1))]).encode());
        assert_ne!(digest(&of(2).encode()), digest(&of(0).encode()));
        assert_eq!(Transcript::decode(&of(2).encode()), Ok(of(2)));
        let told = of(2).difference(&of(0)).unwrap();
        assert!(
            told.contains("read 0 of block 9, of frame 2 of image bafkrei") && told.contains("(of image"),
            "{told}"
        );
    }

    #[test]
    fn the_first_difference_is_named() {
        let (ours, mut theirs) = (specimen(), specimen());
        assert_eq!(ours.difference(&theirs), None);
        theirs.entries[0] = image(50, done(2));
        theirs.entries.pop();
        let told = ours.difference(&theirs).unwrap();
        for word in
            ["read 0 of block 9", "of image bafkrei", "by aceso1c in transaction 2", "here pixels", "there pixels"]
        {
            assert!(told.contains(word), "{told}");
        }
        theirs.entries[0] = ours.entries[0].clone();
        assert!(ours.difference(&theirs).unwrap().ends_with("here it was refused (bad), there no such read"));
        theirs.entries.clear();
        let told = theirs.difference(&ours).unwrap();
        assert!(told.contains("here no such read, there pixels"), "{told}");
    }

    #[test]
    fn reasons_are_cut_between_characters() {
        assert_eq!(reason("short"), "short");
        assert_eq!(reason("é".repeat(600)).len(), REASON_MAX);
        assert_eq!(reason("€".repeat(600)).len(), 999);
    }
}

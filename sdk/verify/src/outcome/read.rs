//! From an opened record to what is known of it.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use aceso_blobs::{Put, import};
use aceso_inference::{
    Model, Record, RecordError, answers,
    image::{Limits, Stated},
};
use aceso_types::{
    Manifest, PixelDigest, Tensor,
    guest::{Answered, Answers},
    sealed::{Disclosure, Failure, INLINE_BYTES_MAX, Input, Outcome, RESULT_BYTES_MAX, Statement, claim, commitment},
};

use super::{blind, seal_outputs};
use crate::grant::ContentPoint;

/// Most bytes of a record that a model reads: those of an image file.
pub const RECORD_BYTES_MAX: u64 = 64 << 20;
/// The tag inside a sealed file by which its owner says what no picture says of itself: its modality (DICOM CS).
pub const MODALITY: &str = "modality";
/// Likewise the body part (DICOM CS).
pub const BODY_PART: &str = "body_part";

/// A job, with all that its outcome depends on beside the record.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The job as its members sign it.
    pub statement: &'a Statement,
    /// The model's manifest.
    pub manifest: &'a Manifest,
    /// The model, as admitted with that manifest.
    pub model: &'a Model,
    /// The modality that stands in the registration; empty where it does not.
    pub modality: &'a str,
    /// The body part, likewise.
    pub body_part: &'a str,
    /// What decoding its dearest frame may take, as registered.
    pub effort: u64,
    /// The pixels that an institution vouches for.
    pub vouched: Option<PixelDigest>,
}

/// A record that was read: known to who has read it, and to nobody else before it is disclosed.
pub struct Read {
    pixels: PixelDigest,
    outputs: Vec<Tensor>,
    findings: Vec<Answered>,
}

/// Reads an opened record: decodes the frame of it that the statement names, checks that it is what the model reads, makes its tensor, runs the model.
///
/// `tags` are those that its owner has sealed with it. What she has stated in two places must be the same.
///
/// # Errors
/// The first [`Failure`] in their order, from [`Failure::Undecodable`] on.
pub fn read(case: &Case<'_>, tags: &BTreeMap<String, String>, record: &[u8]) -> Result<Read, Failure> {
    let pipeline = &case.manifest.pipeline;
    let refused = |error: RecordError| if error.is_of_frame() { Failure::Frame } else { Failure::Undecodable };
    let limits = Limits::registered(case.effort);
    let record = Record::decode_frame(record, case.statement.frame, pipeline, limits).map_err(refused)?;
    let stated = Stated {
        modality: said(case.modality, tags.get(MODALITY))?,
        body_part: said(case.body_part, tags.get(BODY_PART))?,
    };
    let input = record.to_tensor(pipeline, &stated).map_err(|_| Failure::Unsuitable)?;
    let outputs = case.model.run(&[input]).map_err(|_| Failure::Inference)?;
    let Answers { findings, .. } = answers(case.manifest, &outputs).map_err(|_| Failure::Inference)?;
    Ok(Read { pixels: record.identity(), outputs, findings })
}

/// What a job came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// What its members sign.
    pub outcome: Outcome,
    /// The file that it names; none where it names none.
    pub file: Option<Vec<u8>>,
}

impl From<Outcome> for Came {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, file: None }
    }
}

/// What a job comes to, given its opened record: [`read`], then what it discloses.
pub fn outcome(case: &Case<'_>, content: &ContentPoint, tags: &BTreeMap<String, String>, record: &[u8]) -> Came {
    let disclosed = read(case, tags, record).and_then(|read| read.disclose(case, content));
    disclosed.unwrap_or_else(|failure| Outcome::Failed(failure).into())
}

impl Read {
    /// The model's outputs.
    pub fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    /// As much of it as the job's statement lets be known.
    ///
    /// # Errors
    /// [`Failure::Inference`] where the model has no such finding, or more outputs than an outcome carries.
    pub fn disclose(&self, case: &Case<'_>, content: &ContentPoint) -> Result<Came, Failure> {
        let about = case.statement;
        let input = Input {
            claim: claim(&about.chain_id, &about.requester, &self.pixels),
            vouched: case.vouched == Some(self.pixels),
        };
        let came: Came = match &about.disclosure {
            Disclosure::Open => Outcome::Open { input, outputs: self.outputs.clone() }.into(),
            Disclosure::Predicate(asked) => {
                let answer = |id: &String| self.findings.iter().find(|one| one.id == *id).cloned();
                let findings = asked.iter().map(answer).collect::<Option<_>>().ok_or(Failure::Inference)?;
                Outcome::Predicate { input, findings }.into()
            }
            Disclosure::Sealed => {
                let commitment = commitment(&blind(content, about.job), &self.outputs);
                let ciphertext = seal_outputs(content, about, &self.outputs);
                if ciphertext.len() <= INLINE_BYTES_MAX {
                    Outcome::Sealed { input, commitment, ciphertext }.into()
                } else {
                    let named = import(&*ciphertext, RESULT_BYTES_MAX as u64, |_, _| Ok(()));
                    let Put { id: blob, size, .. } = named.map_err(|_| Failure::Inference)?;
                    Came { outcome: Outcome::Stored { input, commitment, blob, size }, file: Some(ciphertext) }
                }
            }
        };
        if came.outcome.fits(&about.disclosure) { Ok(came) } else { Err(Failure::Inference) }
    }
}

/// What was stated: in the registration, inside the sealed file, or in both alike.
fn said(registered: &str, inside: Option<&String>) -> Result<String, Failure> {
    match inside.map(String::as_str) {
        None | Some("") => Ok(registered.into()),
        Some(inside) if registered.is_empty() || registered == inside => Ok(inside.into()),
        Some(_) => Err(Failure::Unsuitable),
    }
}

#[cfg(test)]
mod tests {
    use aceso_inference::admit;
    use aceso_test_support::repository;
    use aceso_types::{BlobId, Digest, ElementType, Frame, Height};

    use super::*;
    use crate::outcome::open_result;

    /// A mask of some megabytes has several leaves, and the name that any IPFS client gives them.
    #[test]
    fn a_result_of_megabytes_is_named_as_a_file_is() {
        let folder = repository().join("models/pneumonia");
        let bytes = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let manifest: Manifest = serde_json::from_slice(&bytes("manifest.json")).unwrap();
        let model = admit(&bytes("model.onnx"), &manifest).unwrap();
        let statement = Statement {
            chain_id: "clinic-1".into(),
            job: 7,
            requested: Height(3),
            committee: Digest([1; 32]),
            model: manifest.id(),
            pipeline: manifest.pipeline.digest(),
            image: BlobId::of_raw(b"sealed"),
            frame: Frame::FIRST,
            owner: "aceso1patient".into(),
            requester: "aceso1physician".into(),
            consent: Digest([2; 32]),
            disclosure: Disclosure::Sealed,
        };
        let case = Case {
            statement: &statement,
            manifest: &manifest,
            model: &model,
            modality: "DX",
            body_part: "CHEST",
            effort: 0,
            vouched: None,
        };
        let mask = (0..3_u32 << 20).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let outputs = vec![Tensor::new(ElementType::U8, vec![1, 1, 3 << 10, 1 << 10], mask).unwrap()];
        let read = Read { pixels: PixelDigest(Digest([3; 32])), outputs: outputs.clone(), findings: Vec::new() };
        let content = ContentPoint::generate(&[4; 64]);
        let came = read.disclose(&case, &content).unwrap();
        let file = came.file.unwrap();
        let Outcome::Stored { blob, size, .. } = came.outcome else { panic!("{:?}", came.outcome) };
        assert_eq!(size, file.len() as u64);
        let mut leaves = Vec::new();
        let put = import(&file[..], size, |id, block| {
            leaves.push((id, block.len()));
            Ok(())
        });
        assert_eq!((put.unwrap().id, leaves.len()), (blob, 5), "four leaves and what names them");
        assert_eq!(open_result(&content, &statement, &came.outcome, Some(&file)).unwrap(), outputs);
    }
}

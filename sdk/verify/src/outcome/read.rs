//! From an opened record to what is known of it.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use aceso_inference::{
    Model, Record,
    image::{Limits, Stated},
    scores,
};
use aceso_types::{
    Manifest, PixelDigest, Tensor,
    guest::Answered,
    sealed::{Disclosure, Failure, Input, Outcome, Statement, claim, commitment},
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
    /// The pixels that an institution vouches for.
    pub vouched: Option<PixelDigest>,
}

/// A record that was read: known to who has read it, and to nobody else before it is disclosed.
pub struct Read {
    pixels: PixelDigest,
    outputs: Vec<Tensor>,
    findings: Vec<Answered>,
}

/// Reads an opened record: decodes it, checks that it is what the model reads, makes its tensor, runs the model.
///
/// `tags` are those that its owner has sealed with it. What she has stated in two places must be the same.
///
/// # Errors
/// The first [`Failure`] in their order, from [`Failure::Undecodable`] on.
pub fn read(case: &Case<'_>, tags: &BTreeMap<String, String>, record: &[u8]) -> Result<Read, Failure> {
    let pipeline = &case.manifest.pipeline;
    let record = Record::decode(record, pipeline, Limits::default()).map_err(|_| Failure::Undecodable)?;
    let stated = Stated {
        modality: said(case.modality, tags.get(MODALITY))?,
        body_part: said(case.body_part, tags.get(BODY_PART))?,
    };
    let input = record.to_tensor(pipeline, &stated).map_err(|_| Failure::Unsuitable)?;
    let outputs = case.model.run(&[input]).map_err(|_| Failure::Inference)?;
    let first = outputs.first().ok_or(Failure::Inference)?;
    let (_, findings) = scores(case.manifest, first).map_err(|_| Failure::Inference)?;
    Ok(Read { pixels: record.identity(), outputs, findings })
}

/// What a job comes to, given its opened record: [`read`], then what it discloses.
pub fn outcome(case: &Case<'_>, content: &ContentPoint, tags: &BTreeMap<String, String>, record: &[u8]) -> Outcome {
    let disclosed = read(case, tags, record).and_then(|read| read.disclose(case, content));
    disclosed.unwrap_or_else(Outcome::Failed)
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
    pub fn disclose(&self, case: &Case<'_>, content: &ContentPoint) -> Result<Outcome, Failure> {
        let about = case.statement;
        let input = Input {
            claim: claim(&about.chain_id, &about.requester, &self.pixels),
            vouched: case.vouched == Some(self.pixels),
        };
        let outcome = match &about.disclosure {
            Disclosure::Open => Outcome::Open { input, outputs: self.outputs.clone() },
            Disclosure::Predicate(asked) => {
                let answer = |id: &String| self.findings.iter().find(|one| one.id == *id).cloned();
                let findings = asked.iter().map(answer).collect::<Option<_>>().ok_or(Failure::Inference)?;
                Outcome::Predicate { input, findings }
            }
            Disclosure::Sealed => Outcome::Sealed {
                input,
                commitment: commitment(&blind(content, about.job), &self.outputs),
                ciphertext: seal_outputs(content, about, &self.outputs),
            },
        };
        if outcome.fits(&about.disclosure) { Ok(outcome) } else { Err(Failure::Inference) }
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

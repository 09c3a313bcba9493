//! The second check: the outcome, computed again from the image and the model.

use alloc::{boxed::Box, collections::BTreeMap, string::String};

use aceso_inference::{
    InferError, Model, ModelRefused, Record, RecordError, admit, answers,
    image::{Limits, Stated},
};
use aceso_types::{
    BlobId, Digest, Manifest, ManifestError, ModelId, PixelDigest, Receipt, blob,
    guest::Answers,
    manifest::Onnx,
    receipt::{Outcome, outputs_digest},
    sealed,
};

use crate::{
    grant::ContentPoint,
    outcome::{Came, Case, outcome},
};

/// Why a receipt's outcome is not what image and model give.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecomputeError {
    /// The manifest is not one.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// The manifest is another model's.
    #[error("the manifest is of model {got}, and the receipt names {want}")]
    Model {
        /// The manifest's id.
        got: ModelId,
        /// The receipt's.
        want: ModelId,
    },
    /// The ONNX file is not the manifest's.
    #[error("the ONNX file has digest {got}, and the manifest names {want}")]
    Onnx {
        /// The file's digest.
        got: Digest,
        /// The manifest's.
        want: Digest,
    },
    /// The image file is another one.
    #[error("the image file is {got}, and the receipt names {want}")]
    File {
        /// The file's CID.
        got: Box<BlobId>,
        /// The receipt's.
        want: Box<BlobId>,
    },
    /// The image has other pixels.
    #[error("the image has pixels {got}, and the receipt names {want}")]
    Pixels {
        /// The image's digest.
        got: PixelDigest,
        /// The receipt's.
        want: PixelDigest,
    },
    /// The image or table cannot be read with this model.
    #[error("{0}")]
    Record(Box<RecordError>),
    /// The model cannot be run.
    #[error("{0}")]
    Refused(Box<ModelRefused>),
    /// The run failed.
    #[error("{0}")]
    Infer(#[from] InferError),
    /// There is no committee whose outcome could be computed again.
    #[error("the receipt is of an open read")]
    Open,
    /// Another outcome.
    #[error("the outcome is {got}, and the receipt says {want}")]
    Outcome {
        /// What was computed.
        got: String,
        /// What the receipt says.
        want: String,
    },
}

impl From<RecordError> for RecomputeError {
    fn from(error: RecordError) -> Self {
        Self::Record(Box::new(error))
    }
}

/// Computes the outcome of a receipt again and answers with it; an outcome that differs in one bit is an error.
///
/// `manifest` is canonical dag-cbor.
pub fn recompute(receipt: &Receipt, manifest: &[u8], onnx: &[u8], image: &[u8]) -> Result<Outcome, RecomputeError> {
    let manifest = named(receipt, manifest, onnx)?;
    // A file of several blocks has a dag-pb root; its identity is then shown by its pixels alone.
    if receipt.image.codec() == blob::RAW && BlobId::of_raw(image) != receipt.image {
        return Err(RecomputeError::File { got: Box::new(BlobId::of_raw(image)), want: Box::new(receipt.image) });
    }
    let decoded = Record::decode_frame(image, receipt.frame, &manifest.pipeline, Limits::default())?;
    if let Some(want) = receipt.pixels.filter(|want| *want != decoded.identity()) {
        return Err(RecomputeError::Pixels { got: decoded.identity(), want });
    }
    let model = admit(onnx, &manifest).map_err(|refused| RecomputeError::Refused(Box::new(refused)))?;
    let outcome = compute(&manifest, &model, &decoded)?;
    if outcome != receipt.outcome {
        return Err(RecomputeError::Outcome {
            got: alloc::format!("{:?}", outcome.digest),
            want: alloc::format!("{:?}", receipt.outcome.digest),
        });
    }
    Ok(outcome)
}

/// What a model makes of a record, as an open read computes it. `model` was admitted with `manifest`.
///
/// What a registrant states of an image's modality decides only whether it is read, not what comes out, so for a record
/// that says nothing itself the manifest's own first choice is taken.
///
/// # Errors
/// [`RecomputeError::Record`] where the record is not one for this model, [`RecomputeError::Infer`] where the run fails.
pub fn compute(manifest: &Manifest, model: &Model, record: &Record) -> Result<Outcome, RecomputeError> {
    let pipeline = &manifest.pipeline;
    let first =
        |own: Option<&str>, all: &[String]| own.map_or_else(|| all.first().cloned(), |_| None).unwrap_or_default();
    let stated = Stated {
        modality: first(record.modality(), &pipeline.modalities),
        body_part: first(record.body_part(), &pipeline.body_parts),
    };
    let outputs = model.run(&[record.to_tensor(pipeline, &stated)?])?;
    let Answers { scores, findings, readings } = answers(manifest, &outputs)?;
    Ok(Outcome { digest: outputs_digest(&outputs), scores, findings, readings })
}

/// A sealed record as whoever has its key has opened it, and what its registration says.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    /// The record's key.
    pub content: &'a ContentPoint,
    /// What was sealed with it.
    pub tags: &'a BTreeMap<String, String>,
    /// The record.
    pub record: &'a [u8],
    /// The modality that stands in the registration; empty where it does not.
    pub modality: &'a str,
    /// The body part, likewise.
    pub body_part: &'a str,
    /// What decoding its dearest frame may take, as registered.
    pub effort: u64,
    /// The pixels that an institution vouches for.
    pub vouched: Option<PixelDigest>,
}

/// Computes the outcome of a sealed read's receipt again and answers with it, as its committee signed it, and with the file
/// that it may name; one that differs in one bit is an error.
///
/// # Errors
/// [`RecomputeError`], by what differs. That the record does not open is no error here: who has it has opened it.
pub fn recompute_sealed(
    receipt: &Receipt,
    manifest: &[u8],
    onnx: &[u8],
    opened: &Opened<'_>,
) -> Result<Came, RecomputeError> {
    let manifest = named(receipt, manifest, onnx)?;
    let (Some(read), Some(compact)) = (&receipt.sealed, receipt.compact()) else { return Err(RecomputeError::Open) };
    let model = admit(onnx, &manifest).map_err(|refused| RecomputeError::Refused(Box::new(refused)))?;
    let statement = compact.statement.of(receipt.committee.digest);
    let Opened { content, tags, record, modality, body_part, effort, vouched } = *opened;
    let case = Case { statement: &statement, manifest: &manifest, model: &model, modality, body_part, effort, vouched };
    let came = outcome(&case, content, tags, record);
    if came.outcome == read.outcome {
        return Ok(came);
    }
    let shown = |outcome: &sealed::Outcome| alloc::format!("{:?}", statement.sign_bytes(outcome));
    Err(RecomputeError::Outcome { got: shown(&came.outcome), want: shown(&read.outcome) })
}

/// The manifest that a receipt names, with the ONNX file that it names.
fn named(receipt: &Receipt, manifest: &[u8], onnx: &[u8]) -> Result<Manifest, RecomputeError> {
    let manifest = Manifest::decode(manifest)?;
    if manifest.id() != receipt.model {
        return Err(RecomputeError::Model { got: manifest.id(), want: receipt.model });
    }
    if Onnx::digest_of(onnx) != manifest.onnx.digest {
        return Err(RecomputeError::Onnx { got: Onnx::digest_of(onnx), want: manifest.onnx.digest });
    }
    Ok(manifest)
}

//! What a model reads, whichever kind of record it is: one door for chains, workers, tests and those who compute again.

use aceso_types::{PixelDigest, Tensor, manifest::Pipeline};

use crate::{
    image::{self, ImageError, Limits, Stated},
    table::{self, TableError},
};

/// Why a record cannot be a model's input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file is not a record of the kind that the model reads.
    #[error(transparent)]
    Undecodable(Kind),
    /// It is one, and the model does not take it.
    #[error(transparent)]
    Unsuitable(Kind),
}

/// What exactly is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Kind {
    /// With an image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// With a table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A record's identity for payment and the input tensor that a manifest's pipeline makes of it: of a table where the
/// pipeline has columns, else of an image.
///
/// # Errors
/// [`RecordError`].
pub fn open(
    bytes: &[u8],
    pipeline: &Pipeline,
    stated: &Stated,
    limits: Limits,
) -> Result<(PixelDigest, Tensor), RecordError> {
    if pipeline.table.is_some() {
        let table = table::decode(bytes).map_err(|e| RecordError::Undecodable(e.into()))?;
        let tensor = table.to_tensor(pipeline, stated).map_err(|e| RecordError::Unsuitable(e.into()))?;
        Ok((table.digest(), tensor))
    } else {
        let image = image::decode(bytes, limits).map_err(|e| RecordError::Undecodable(e.into()))?;
        let tensor = image.to_tensor(pipeline, stated).map_err(|e| RecordError::Unsuitable(e.into()))?;
        Ok((image.pixel_digest(), tensor))
    }
}

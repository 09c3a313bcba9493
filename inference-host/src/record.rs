//! What a model reads, whichever kind of record it is: one door for chains, workers, tests and those who compute again.

use aceso_types::{PixelDigest, Tensor, manifest::Pipeline};

use crate::{
    image::{self, Image, ImageError, Limits, Stated},
    table::{self, Table, TableError},
};

/// Why a record cannot be read, or is not one for this model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// As an image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// As a table.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A record that was decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An image.
    Image(Box<Image>),
    /// A table of one row.
    Table(Table),
}

impl Record {
    /// Reads a file as what a manifest's pipeline takes: a table where it has columns, else an image.
    ///
    /// # Errors
    /// Where the file is none.
    pub fn decode(bytes: &[u8], pipeline: &Pipeline, limits: Limits) -> Result<Self, RecordError> {
        if pipeline.table.is_some() {
            Ok(Self::Table(table::decode(bytes)?))
        } else {
            Ok(Self::Image(Box::new(image::decode(bytes, limits)?)))
        }
    }

    /// Its identity for payment: an image's pixel digest, a table's digest.
    pub fn identity(&self) -> PixelDigest {
        match self {
            Self::Image(image) => image.pixel_digest(),
            Self::Table(table) => table.digest(),
        }
    }

    /// Modality that the file itself names.
    pub fn modality(&self) -> Option<&str> {
        match self {
            Self::Image(image) => image.modality(),
            Self::Table(_) => None,
        }
    }

    /// Body part that the file itself names.
    pub fn body_part(&self) -> Option<&str> {
        match self {
            Self::Image(image) => image.body_part(),
            Self::Table(_) => None,
        }
    }

    /// The input tensor that the pipeline makes of it.
    ///
    /// # Errors
    /// Where the record is not one that the model takes.
    pub fn to_tensor(&self, pipeline: &Pipeline, stated: &Stated) -> Result<Tensor, RecordError> {
        match self {
            Self::Image(image) => Ok(image.to_tensor(pipeline, stated)?),
            Self::Table(table) => Ok(table.to_tensor(pipeline, stated)?),
        }
    }
}

//! What a model reads, whichever kind of record it is: one door for chains, workers, tests and those who compute again.

use aceso_types::{Frame, PixelDigest, Tensor, manifest::Pipeline};

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

impl RecordError {
    /// Whether it is a record, and has no frame of the number that was asked for.
    pub fn is_of_frame(&self) -> bool {
        matches!(self, Self::Image(ImageError::Frame { .. }))
    }
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
    /// Reads a file as what a manifest's pipeline takes: a table where it has columns, else an image, of which the first
    /// frame.
    ///
    /// # Errors
    /// As [`Record::decode_frame`].
    pub fn decode(bytes: &[u8], pipeline: &Pipeline, limits: Limits) -> Result<Self, RecordError> {
        Self::decode_frame(bytes, Frame::FIRST, pipeline, limits)
    }

    /// The same of a frame. A table has one.
    ///
    /// # Errors
    /// Where the file is none, or has no such frame.
    pub fn decode_frame(bytes: &[u8], frame: Frame, pipeline: &Pipeline, limits: Limits) -> Result<Self, RecordError> {
        if pipeline.table.is_none() {
            return Ok(Self::Image(Box::new(image::decode_frame(bytes, frame, limits)?)));
        }
        let table = table::decode(bytes)?;
        image::alone(frame)?;
        Ok(Self::Table(table))
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

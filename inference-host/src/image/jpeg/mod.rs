//! JPEG (ITU-T T.81): the baseline process, and the lossless one of DICOM's files, bit for bit as `IMAGE.md` says.
//!
//! [`markers`] walks over the segments and keeps tables; [`bits`] takes codes out of entropy-coded data ([`huffman`]). A
//! baseline scan becomes planes ([`baseline`], [`transform`]) and these a picture ([`upsample`]); a lossless one becomes samples
//! at once ([`lossless`]). Whatever a file claims is checked before room is made for it, and a picture that ends early
//! is refused. Progressive, extended, hierarchical and arithmetic processes are absent.

mod baseline;
mod bits;
mod huffman;
mod lossless;
mod markers;
mod transform;
mod upsample;

use super::{Format, Image, ImageError, Limits, colour, pixels::Values, window::Voi};

pub(super) const MAGIC: &[u8] = b"\xff\xd8\xff";

/// What must be in the bytes; a file that stands alone says its shape itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) samples: u8,
}

impl Shape {
    fn all(self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * u64::from(self.samples)
    }
}

/// What the three components of a baseline picture are, as far as the picture says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Chrominance,
    Rgb,
}

/// A baseline picture: components of 8 bits, pixel by pixel.
pub(super) struct Picture {
    pub(super) shape: Shape,
    pub(super) said: Said,
    pub(super) data: Vec<u8>,
    /// What it took (`IMAGE.md`, Effort).
    pub(super) effort: u64,
}

/// What a sample takes in either process (`IMAGE.md`, Effort).
const SAMPLE_EFFORT: u64 = 3;

/// A file that stands alone.
pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Image, ImageError> {
    let Picture { shape: Shape { width, height, samples }, said, mut data, effort } = picture(bytes, None, limits)?;
    if samples == 3 && said != Said::Rgb {
        colour::to_rgb(&mut data);
    }
    Ok(Image {
        format: Format::Jpeg,
        width,
        height,
        samples,
        bits: 8,
        values: Values::U8(data),
        slope: 1,
        intercept: 0,
        voi: Voi::Absent,
        modality: None,
        body_part: None,
        effort,
    })
}

/// A baseline picture, of the shape that is wanted where one is.
pub(super) fn picture(bytes: &[u8], want: Option<Shape>, limits: Limits) -> Result<Picture, ImageError> {
    let mut reader = markers::Reader::new(bytes)?;
    let frame = reader.frame()?;
    if frame.process != markers::Process::Baseline {
        return Err(ImageError::JpegProcess(frame.process.name()));
    }
    let shape = frame.shape(want, limits)?;
    let effort = limits.afford(SAMPLE_EFFORT * shape.all())?;
    let planes = baseline::planes(&mut reader, &frame)?;
    Ok(Picture { shape, said: reader.said(&frame), data: upsample::interleaved(&planes, shape), effort })
}

/// A lossless picture of the shape that is wanted: bits of a sample, samples pixel by pixel, and what it took.
pub(super) fn lossless(bytes: &[u8], want: Shape, limits: Limits) -> Result<(u8, Vec<u16>, u64), ImageError> {
    let mut reader = markers::Reader::new(bytes)?;
    let frame = reader.frame()?;
    if frame.process != markers::Process::Lossless {
        return Err(ImageError::JpegProcess(frame.process.name()));
    }
    let shape = frame.shape(Some(want), limits)?;
    let effort = limits.afford(SAMPLE_EFFORT * shape.all())?;
    Ok((frame.bits, lossless::samples(&mut reader, &frame)?, effort))
}

fn fault(offset: usize, reason: &'static str) -> ImageError {
    ImageError::Jpeg { offset, reason }
}

//! From the bytes of an image file to a model's input tensor, in integers only.
//!
//! [`decode`] recognises a file by its first bytes ([`png`], [`jpeg`], [`dicom`]) and answers with an [`Image`]: stored values
//! of its first frame, or with [`decode_frame`] of another, their bits, and what a DICOM file says about them. An image has an
//! identity, [`Image::pixel_digest`], which does not depend on how its pixels were wrapped, nor on which frame of what they
//! were, and becomes a tensor by a manifest's pipeline, [`Image::to_tensor`]: checks, grey or colour, window ([`window`]), crop and resize ([`resample`]), layout ([`pipeline`]).
//!
//! Every formula and every rounding is written down in `IMAGE.md` beside this crate's manifest. Files come from
//! strangers: time and memory are bounded by [`Limits`], and whatever is not supported is refused by its name.
//! Lossy JPEG 2000, JPEG-LS and transparency are absent. All decoders work in the caller's thread.

mod colour;
mod dicom;
mod error;
mod jpeg;
mod jpeg2000;
mod pipeline;
mod pixels;
mod png;
mod resample;
mod window;

use aceso_types::{Frame, PixelDigest, manifest::Pipeline, tensor::Tensor};

pub use dicom::Tag;
pub use error::ImageError;
pub(crate) use pipeline::suits;

use pixels::Values;
use window::Voi;

/// What may be decoded. The defaults hold a frame of every X-ray: a 24 × 30 cm mammogram at 50 µm has 14 million
/// 16-bit samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes that a file may have.
    pub bytes: usize,
    /// Most samples (width × height × channels) that an image may have.
    pub samples: u64,
    /// Most effort that its frame may take (`IMAGE.md`, Effort). By default as much as samples can take.
    pub effort: u64,
}

/// The effort that every image may take, whatever was registered: some 40 ms, four million native samples.
pub const EFFORT_FREE: u64 = 1 << 22;

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 20, samples: 16 << 20, effort: u64::MAX }
    }
}

impl Limits {
    /// What a file may take that was registered with an effort.
    pub fn registered(effort: u64) -> Self {
        Self { effort: effort.max(EFFORT_FREE), ..Self::default() }
    }

    /// An effort, if it may be made.
    fn afford(self, effort: u64) -> Result<u64, ImageError> {
        if effort <= self.effort { Ok(effort) } else { Err(ImageError::Effort { max: self.effort }) }
    }
}

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PNG (ISO/IEC 15948).
    Png,
    /// Baseline JPEG (ITU-T T.81).
    Jpeg,
    /// A DICOM file (PS3.10).
    Dicom,
}

/// What the registrant says about an image; an empty text says nothing. A DICOM file's own tags must not contradict it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// Modality, as in DICOM `(0008,0060)`.
    pub modality: String,
    /// Body part, as in DICOM `(0018,0015)`.
    pub body_part: String,
}

/// A decoded image: `height` rows of `width` pixels of one (grey) or three (red, green, blue) samples, where a higher
/// grey value is brighter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    format: Format,
    width: u32,
    height: u32,
    samples: u8,
    bits: u8,
    values: Values,
    /// From stored to rescaled units: `value × slope + intercept`.
    slope: i64,
    intercept: i64,
    voi: Voi,
    modality: Option<String>,
    body_part: Option<String>,
    effort: u64,
}

/// Reads a file's first frame.
///
/// # Errors
///
/// As [`decode_frame`].
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Image, ImageError> {
    decode_frame(bytes, Frame::FIRST, limits)
}

/// Reads a frame of a file. PNG and JPEG files have one.
///
/// # Errors
///
/// Every [`ImageError`] but those of [`Image::to_tensor`].
pub fn decode_frame(bytes: &[u8], frame: Frame, limits: Limits) -> Result<Image, ImageError> {
    if bytes.len() > limits.bytes {
        return Err(ImageError::TooManyBytes { bytes: bytes.len(), max: limits.bytes });
    }
    let decode = if bytes.starts_with(png::MAGIC) {
        png::decode
    } else if dicom::is_dicom(bytes) {
        return dicom::decode(bytes, frame, limits);
    } else if bytes.starts_with(jpeg::MAGIC) {
        jpeg::decode
    } else {
        return Err(ImageError::Unrecognised);
    };
    alone(frame)?;
    decode(bytes, limits)
}

/// The effort with which a file is to be registered: that of its dearest frame, rounded up to a power of two so that it tells
/// no more of a picture than its size does; zero where none takes more than [`EFFORT_FREE`].
///
/// # Errors
///
/// As [`decode_frame`], of any of its frames.
pub fn effort(bytes: &[u8], limits: Limits) -> Result<u64, ImageError> {
    let mut most = decode(bytes, limits)?.effort;
    if most == 0 {
        return Ok(0);
    }
    for frame in (2..).map_while(Frame::new) {
        match decode_frame(bytes, frame, limits) {
            Ok(image) => most = most.max(image.effort),
            Err(ImageError::Frame { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(if most > EFFORT_FREE { most.checked_next_power_of_two().unwrap_or(u64::MAX) } else { 0 })
}

/// Refuses a frame of a file that has one.
pub(crate) fn alone(frame: Frame) -> Result<(), ImageError> {
    if frame.is_first() { Ok(()) } else { Err(ImageError::Frame { asked: frame.number(), frames: 1 }) }
}

impl Image {
    /// The file's kind.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Columns.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Samples per pixel: 1 or 3.
    pub fn samples(&self) -> u8 {
        self.samples
    }

    /// Bits stored per sample: 8 to 16.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether stored values may be negative.
    pub fn signed(&self) -> bool {
        matches!(self.values, Values::I16(_))
    }

    /// What decoding it and making an identity and a tensor of it takes (`IMAGE.md`, Effort).
    pub fn effort(&self) -> u64 {
        self.effort
    }

    /// Modality that the file itself names.
    pub fn modality(&self) -> Option<&str> {
        self.modality.as_deref()
    }

    /// Body part that the file itself names.
    pub fn body_part(&self) -> Option<&str> {
        self.body_part.as_deref()
    }

    /// The image's identity: equal for equal pixels, however they are wrapped.
    pub fn pixel_digest(&self) -> PixelDigest {
        pixels::digest(self)
    }

    /// The input tensor, `u8`, of shape `[1, channels, height, width]` or `[1, height, width, channels]`.
    ///
    /// # Errors
    ///
    /// Modality or body part unknown, contradictory or not accepted; a window that the file describes in a way that is
    /// not supported; a tensor larger than tensors may be.
    pub fn to_tensor(&self, pipeline: &Pipeline, stated: &Stated) -> Result<Tensor, ImageError> {
        if pipeline.table.is_some() {
            return Err(ImageError::ReadsTables);
        }
        suits(self.modality(), self.body_part(), pipeline, stated)?;
        pipeline::run(self, pipeline)
    }
}

/// Samples of a `width` × `height` image, if it may exist.
fn samples_within(width: u32, height: u32, samples: u8, limits: Limits) -> Result<usize, ImageError> {
    let refused = ImageError::TooManySamples { width, height, samples, max: limits.samples };
    if width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX {
        return Err(ImageError::Side { width, height });
    }
    let all = u64::from(width) * u64::from(height) * u64::from(samples);
    if all > limits.samples {
        return Err(refused);
    }
    usize::try_from(all).map_err(|_| refused)
}

/// Longest side, in pixels: what DICOM's 16-bit Rows and Columns can say. It bounds the resize's time.
const SIDE_MAX: u32 = 65_535;

//! Why an image is refused. Every variant is a function of the file's bytes, the pipeline and what was stated.

use aceso_types::tensor::TensorError;

use super::Tag;

/// Why bytes are not an image that can be read, or an image is not one for this model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// No signature is there.
    #[error("the file is neither PNG, JPEG nor DICOM (a DICOM file has \"DICM\" at byte 128)")]
    Unrecognised,
    /// A larger file than [`super::Limits::bytes`].
    #[error("the file has {bytes} bytes, more than {max}")]
    TooManyBytes {
        /// Bytes of the file.
        bytes: usize,
        /// Most that are read.
        max: usize,
    },
    /// A larger image than [`super::Limits::samples`].
    #[error("an image of {width}×{height} pixels of {samples} samples has more than {max} samples")]
    TooManySamples {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Samples per pixel.
        samples: u8,
        /// Most samples that are decoded.
        max: u64,
    },
    /// A frame that takes more to decode than [`super::Limits::effort`].
    #[error(
        "decoding the frame takes more effort than {max}; an image like it is registered with the effort that it takes"
    )]
    Effort {
        /// Most that is allowed.
        max: u64,
    },
    /// A side that no image has.
    #[error("an image has sides of 1 to 65535 pixels, not {width}×{height}")]
    Side {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The PNG decoder refused the file.
    #[error("the PNG does not decode: {0}")]
    Png(String),
    /// More than one picture in a PNG.
    #[error("the PNG is animated ({frames} frames); one picture is read")]
    Animated {
        /// Frames that it announces.
        frames: u32,
    },
    /// A PNG pixel that is not opaque.
    #[error("the PNG is transparent at column {x}, row {y}; flatten it first")]
    Transparent {
        /// Column.
        x: u32,
        /// Row.
        y: u32,
    },
    /// A frame that the file does not have.
    #[error("frame {asked} is asked for, and the file has frames 1 to {frames}")]
    Frame {
        /// The frame's number, from 1.
        asked: u32,
        /// Frames in the file.
        frames: u32,
    },
    /// A JPEG process that is not read here.
    #[error(
        "the JPEG process is {0}, which is not read here; save it as a baseline JPEG, a PNG or an uncompressed DICOM file"
    )]
    JpegProcess(&'static str),
    /// A JPEG picture's structure or coded data does not hold.
    #[error("the JPEG picture is malformed at byte {offset}: {reason}")]
    Jpeg {
        /// Where, in the picture or the frame.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// A JPEG 2000 codestream's structure or coded data does not hold, or is of a kind that is not read.
    #[error("the JPEG 2000 codestream is refused at byte {offset}: {reason}")]
    Jpeg2000 {
        /// Where, in the frame.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// RLE segments that do not hold.
    #[error("the RLE frame is malformed in segment {segment}: {reason}")]
    Rle {
        /// Which, from 1; 0 for the header.
        segment: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// A compressed frame of another shape than the file's attributes say.
    #[error("the compressed frame has {got} {field} where the file says {want}")]
    Compressed {
        /// `columns`, `rows`, `samples` or `bits`.
        field: &'static str,
        /// In the file's attributes.
        want: u32,
        /// In the frame.
        got: u32,
    },
    /// The DICOM file's structure does not hold.
    #[error("the DICOM file is malformed at byte {offset}: {reason}")]
    Malformed {
        /// Where.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// Pixel data in an encoding that is not read.
    #[error("transfer syntax {uid} ({name}) is not read; convert to Explicit VR Little Endian (1.2.840.10008.1.2.1)")]
    TransferSyntax {
        /// The UID.
        uid: String,
        /// Its name in PS3.6.
        name: &'static str,
    },
    /// A DICOM attribute that is needed.
    #[error("the DICOM file has no {0}")]
    MissingTag(Tag),
    /// A DICOM attribute with a value that is not supported.
    #[error("{tag} is {value:?}: {reason}")]
    Tag {
        /// Which.
        tag: Tag,
        /// What it says, or its first bytes.
        value: String,
        /// What it must be.
        reason: &'static str,
    },
    /// Pixel data of another length than the image's shape.
    #[error("the pixel data has {got} bytes where rows, columns, samples and bits ask for {want}")]
    PixelDataLength {
        /// Bytes that the shape takes.
        want: u64,
        /// Bytes that are there.
        got: u64,
    },
    /// The file says one thing and the registrant another.
    #[error("the image says {field} {own:?}, its registration {stated:?}")]
    Contradiction {
        /// `modality` or `body part`.
        field: &'static str,
        /// In the file.
        own: String,
        /// In the registration.
        stated: String,
    },
    /// Neither the file nor the registrant says what the model must know.
    #[error("neither the image nor its registration names its {field}")]
    Unstated {
        /// `modality` or `body part`.
        field: &'static str,
    },
    /// An image of another kind than the model reads.
    #[error("{field} {got:?} is not one that the model reads ({accepted})")]
    NotAccepted {
        /// `modality` or `body part`.
        field: &'static str,
        /// What the image is.
        got: String,
        /// What the model reads, separated by commas.
        accepted: String,
    },
    /// An image for a model that reads tables.
    #[error("the model reads tables, not images")]
    ReadsTables,
    /// The image's own window is asked for and cannot be computed.
    #[error("the image's own window is asked for, and it is given by {0}, which is not supported")]
    Window(&'static str),
    /// The input tensor cannot exist.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

//! What a model's author promises: which bytes, which images, how they become a tensor, what the answer means.
//!
//! Encoded as canonical dag-cbor without floats; its digest is the [`ModelId`]. Reading is strict: an encoding that
//! would not be written the same way again is refused, so that one manifest has one id.

use alloc::{string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{BlobId, Digest, ModelId};

/// The version of a manifest that speaks of one output, by labels, and does not name its author.
pub const VERSION: u32 = 1;
/// The version of a manifest that names its author, and may say what each output means.
pub const VERSION_AUTHORED: u32 = 2;
/// Most bytes a manifest may have.
pub const BYTES_MAX: usize = 64 << 10;
/// Most bytes of ONNX a manifest may name.
pub const ONNX_BYTES_MAX: u64 = 128 << 20;
/// Largest side of a model's input, in pixels.
pub const SIDE_MAX: u32 = 4096;
/// Most columns of a table.
pub const COLUMNS_MAX: usize = 512;
/// Largest bound of a column, in millionths, of either sign.
pub const BOUND_MAX: u64 = 1_000_000_000_000_000;
/// Fixed-point unit of probabilities, means and deviations: one millionth.
pub const MICRO: u32 = 1_000_000;

mod meaning;

pub use meaning::{Meaning, NAMES_MAX, OUTPUTS_MAX, QUANTITY_MAX, Quantity};

const TEXT_MAX: usize = 4096;
const LIST_MAX: usize = 64;
const DOMAIN: &str = "aceso/model/v1";
const PIPELINE_DOMAIN: &str = "aceso/pipeline/v1";

/// Why bytes are not a manifest, or a manifest is not one to register.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// More bytes than [`BYTES_MAX`].
    #[error("a manifest has at most 65536 bytes, not {0}")]
    TooLarge(usize),
    /// Not dag-cbor of this shape.
    #[error("the manifest does not decode: {0}")]
    Malformed(String),
    /// Decodes, but would be written in another way.
    #[error("the manifest is not in canonical dag-cbor")]
    NotCanonical,
    /// A field holds what it may not.
    #[error("manifest field {field}: {reason}")]
    Field {
        /// Path of the field.
        field: &'static str,
        /// What it must be.
        reason: &'static str,
    },
}

/// A model's manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`] or [`VERSION_AUTHORED`].
    pub version: u32,
    /// A name for people; 1 to 128 bytes.
    pub name: String,
    /// The account that may register it and earns its price; absent in version 1, which whoever comes first registers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The model's bytes.
    pub onnx: Onnx,
    /// How an image becomes the input tensor.
    pub pipeline: Pipeline,
    /// What the output tensor means.
    pub output: Output,
    /// What the model may be used for, in the author's words.
    pub intended_use: String,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// The model card.
    pub card: Option<BlobId>,
    /// What one read costs the contract that asks for it.
    pub price: Price,
}

/// The model's bytes: an ONNX file in the blob store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Onnx {
    /// Where it is.
    pub blob: BlobId,
    /// SHA3-256 of the file, domain `aceso/onnx/v1`: see [`Onnx::digest_of`].
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

impl Onnx {
    /// The digest of an ONNX file.
    pub fn digest_of(bytes: &[u8]) -> Digest {
        Digest::sha3("aceso/onnx/v1", &[bytes])
    }

    /// Names these bytes, stored as `blob`.
    pub fn of(blob: BlobId, bytes: &[u8]) -> Self {
        Self { blob, digest: Self::digest_of(bytes), size: bytes.len() as u64 }
    }
}

/// A price in the chain's smallest coin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The coin's denomination.
    pub denom: String,
    /// How many.
    pub amount: u64,
}

/// From decoded pixels to the input tensor, all in integers, in this order: checks, grey or colour, window, crop,
/// resize, layout, table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Modalities that are accepted (DICOM `(0008,0060)`, such as `DX` or `CR`); at least one.
    pub modalities: Vec<String>,
    /// Body parts that are accepted (DICOM `(0018,0015)`, such as `CHEST`); empty accepts all.
    pub body_parts: Vec<String>,
    /// Channels of the input tensor.
    pub channels: Channels,
    /// How stored values become 8 bits.
    pub window: Window,
    /// What is cut away before the resize.
    pub crop: Crop,
    /// Columns of the input tensor.
    pub width: u32,
    /// Rows of the input tensor.
    pub height: u32,
    /// How pixels are resampled.
    pub resize: Resize,
    /// The order of the input tensor's dimensions.
    pub layout: Layout,
    /// Per channel, what the model was trained to see: `(value / 255 − mean) / deviation`. Used when the graph takes
    /// floats and begins with QuantizeLinear; must be absent when the graph takes integers.
    pub normalise: Option<Vec<Normalise>>,
    /// For a model that reads tables instead of images: its columns, in the order of the input tensor. The tensor is then
    /// `u8 [1, 1, 1, columns]`, and the fields of images say so and nothing else: grey, full, none, area, one row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Vec<Column>>,
}

/// A column of a table and how its decimals become 8 bits: `half_up(255 · (v − low) / (high − low))`, clamped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name in the table's first line: 1 to 64 of `a–z A–Z 0–9 _ . -`.
    pub name: String,
    /// What becomes 0, in millionths.
    pub low: i64,
    /// What becomes 255, in millionths; above `low`.
    pub high: i64,
}

impl Column {
    /// Whether a text can be a column's name.
    pub fn is_name(text: &str) -> bool {
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    }
}

impl Pipeline {
    /// The digest that a receipt carries: SHA3-256 of the pipeline in canonical dag-cbor.
    pub fn digest(&self) -> Digest {
        Digest::sha3(PIPELINE_DOMAIN, &[&encode(self)])
    }
}

/// Mean and deviation of one channel, in millionths of the full range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalise {
    /// Subtracted.
    pub mean: i32,
    /// Divided by; not zero.
    pub deviation: u32,
}

/// Channels of an input tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// One channel; colour is reduced by ITU-R BT.601 in integers.
    Grey,
    /// Three channels; grey is repeated.
    Rgb,
}

impl Channels {
    /// How many.
    pub fn count(self) -> u32 {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// How stored values become 8 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The whole range of the stored bits.
    Full,
    /// The window that the image itself names (DICOM `(0028,1050)`, `(0028,1051)`); the whole range where it names none.
    Image,
    /// This window, in the image's rescaled units (for CT Hounsfield units).
    Fixed {
        /// The middle.
        center: i32,
        /// The width; at least 1.
        width: u32,
    },
}

/// What is cut away before the resize.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Crop {
    /// Nothing: the image is stretched to the input's shape.
    None,
    /// The largest middle part that has the input's aspect ratio is kept.
    Center,
}

/// How pixels are resampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// The exact mean over each target pixel's area: for making smaller.
    Area,
    /// Two by two neighbours, half-pixel centres.
    Bilinear,
}

/// The order of the input tensor's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `[1, channels, height, width]`
    Nchw,
    /// `[1, height, width, channels]`
    Nhwc,
}

/// What the output tensors mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// One label per element of the output of labels: the first, unless `tensors` says which.
    pub labels: Vec<Label>,
    /// Yes-or-no questions that the outputs answer.
    pub findings: Vec<Finding>,
    /// What each output means, in the graph's order. Absent, and always in version 1: the first is of labels, and of others
    /// nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensors: Option<Vec<Meaning>>,
}

/// One element of the output tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// What a high value speaks for.
    pub name: String,
    /// The calibrated probability, in millionths, of each 8-bit value from the lowest: 256 entries, never falling. None in
    /// all labels where the output has 32 or 64 bits.
    pub probability: Vec<u32>,
}

impl Label {
    /// Whether its value is 8 bits with a table of probabilities.
    pub fn has_table(&self) -> bool {
        !self.probability.is_empty()
    }
}

/// A yes-or-no question: is this element at or above the threshold? Of a class, is it the answer; of a mask, has this class
/// so many pixels?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Its name; what policies, grants and claims refer to.
    pub id: String,
    /// The output it looks at, from 0; absent for that of labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u32>,
    /// The element it looks at, from 0: a label, a quantity, or the number of a class.
    pub label: u32,
    /// The lowest value that means yes; 1 for a class, pixels for a mask.
    pub at_least: i32,
}

impl Manifest {
    /// Reads a manifest and checks all that can be checked without the model.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > BYTES_MAX {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        let manifest: Self =
            serde_ipld_dagcbor::from_slice(bytes).map_err(|e| ManifestError::Malformed(alloc::format!("{e}")))?;
        if manifest.encode() != bytes {
            return Err(ManifestError::NotCanonical);
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// The id under which this manifest is registered.
    pub fn id(&self) -> ModelId {
        ModelId(Digest::sha3(DOMAIN, &[&self.encode()]))
    }

    /// Checks every field that has a rule of its own.
    pub fn check(&self) -> Result<(), ManifestError> {
        let pipeline = &self.pipeline;
        let labels = &self.output.labels;
        let authored = self.author.is_some();
        let tables = labels.iter().any(Label::has_table);
        let modality = |text: &String| is_code_string(text);
        let columns = pipeline.table.as_deref().unwrap_or_default();
        let one_row = pipeline.width as usize == columns.len()
            && pipeline.height == 1
            && pipeline.normalise.is_none()
            && (pipeline.channels, pipeline.window) == (Channels::Grey, Window::Full)
            && (pipeline.crop, pipeline.resize, pipeline.layout) == (Crop::None, Resize::Area, Layout::Nchw);
        let once = |at: usize, name: &str| columns.iter().skip(at + 1).all(|other| other.name != name);
        let bounded = |bound: i64| bound.unsigned_abs() <= BOUND_MAX;
        let rules: &[(&'static str, bool, &'static str)] = &[
            (
                "version",
                self.version == if authored { VERSION_AUTHORED } else { VERSION },
                "must be 2 where the author is named, else 1",
            ),
            ("version", authored || self.output.tensors.is_none(), "must be 2 where outputs are listed"),
            ("author", self.author.as_deref().is_none_or(is_short), "must have 1 to 128 bytes"),
            ("name", (1..=128).contains(&self.name.len()), "must have 1 to 128 bytes"),
            ("onnx.size", (1..=ONNX_BYTES_MAX).contains(&self.onnx.size), "must be 1 to 134217728 bytes"),
            (
                "pipeline.modalities",
                (1..=LIST_MAX).contains(&pipeline.modalities.len()),
                "must name 1 to 64 modalities",
            ),
            ("pipeline.modalities", pipeline.modalities.iter().all(modality), "must be DICOM code strings"),
            ("pipeline.body_parts", pipeline.body_parts.len() <= LIST_MAX, "must name at most 64 body parts"),
            ("pipeline.body_parts", pipeline.body_parts.iter().all(modality), "must be DICOM code strings"),
            ("pipeline.width", (1..=SIDE_MAX).contains(&pipeline.width), "must be 1 to 4096 pixels"),
            ("pipeline.height", (1..=SIDE_MAX).contains(&pipeline.height), "must be 1 to 4096 pixels"),
            ("pipeline.window.width", !matches!(pipeline.window, Window::Fixed { width: 0, .. }), "must be at least 1"),
            (
                "pipeline.normalise",
                pipeline.normalise.as_ref().is_none_or(|all| all.len() as u64 == u64::from(pipeline.channels.count())),
                "must have one entry per channel",
            ),
            (
                "pipeline.normalise.deviation",
                pipeline.normalise.iter().flatten().all(|one| one.deviation > 0),
                "must not be zero",
            ),
            (
                "pipeline.table",
                pipeline.table.is_none() || (1..=COLUMNS_MAX).contains(&columns.len()),
                "must have 1 to 512 columns",
            ),
            (
                "pipeline.table",
                pipeline.table.is_none() || one_row,
                "needs width = columns, height 1, grey, full, none, area, nchw and no normalise",
            ),
            (
                "pipeline.table.name",
                columns.iter().all(|one| Column::is_name(&one.name)),
                "must be 1 to 64 of a-z A-Z 0-9 _ . -",
            ),
            (
                "pipeline.table.name",
                columns.iter().enumerate().all(|(at, one)| once(at, &one.name)),
                "must not stand twice",
            ),
            (
                "pipeline.table.low",
                columns.iter().all(|one| one.low < one.high && bounded(one.low) && bounded(one.high)),
                "must be below high, and both within 10^15 millionths",
            ),
            ("output.labels.name", labels.iter().all(|one| is_short(&one.name)), "must have 1 to 128 bytes"),
            (
                "output.labels.probability",
                labels.iter().all(|one| one.probability.len() == if tables { 256 } else { 0 }),
                "must have 256 entries, one for each 8-bit value, or be empty in all labels",
            ),
            (
                "output.labels.probability",
                labels.iter().all(|one| one.probability.is_sorted() && one.probability.last() <= Some(&MICRO)),
                "must never fall and end at 1000000 or below",
            ),
            ("output.findings", self.output.findings.len() <= LIST_MAX, "must have at most 64 entries"),
            (
                "output.findings.id",
                self.output.findings.iter().all(|one| is_short(&one.id)),
                "must have 1 to 128 bytes",
            ),
            ("intended_use", (1..=TEXT_MAX).contains(&self.intended_use.len()), "must have 1 to 4096 bytes"),
            ("licence", is_short(&self.licence), "must have 1 to 128 bytes"),
            ("price.denom", (3..=128).contains(&self.price.denom.len()), "must have 3 to 128 bytes"),
        ];
        let broken = rules.iter().find(|(_, holds, _)| !holds).map(|&(field, _, reason)| (field, reason));
        match broken.or_else(|| self.output.refusal()) {
            Some((field, reason)) => Err(ManifestError::Field { field, reason }),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.amount, self.denom)
    }
}

/// DICOM's value representation CS: up to 16 of `A–Z 0–9 _` and space (PS3.5 section 6.2).
fn is_code_string(text: &str) -> bool {
    (1..=16).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_' || b == b' ')
}

fn is_short(text: &str) -> bool {
    (1..=128).contains(&text.len())
}

/// Writing into a `Vec` fails only for values that dag-cbor cannot hold, of which these types have none.
fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn specimen() -> Manifest {
        Manifest {
            version: VERSION,
            name: "specimen".into(),
            author: None,
            onnx: Onnx::of(BlobId::of_raw(b"onnx"), b"onnx"),
            pipeline: Pipeline {
                modalities: vec!["DX".into(), "CR".into()],
                body_parts: vec!["CHEST".into()],
                channels: Channels::Grey,
                window: Window::Image,
                crop: Crop::None,
                width: 28,
                height: 28,
                resize: Resize::Area,
                layout: Layout::Nchw,
                normalise: Some(vec![Normalise { mean: 500_000, deviation: 500_000 }]),
                table: None,
            },
            output: Output {
                labels: vec![Label { name: "pneumonia".into(), probability: (0..256).map(|p| p * 3900).collect() }],
                findings: vec![Finding { id: "pneumonia".into(), output: None, label: 0, at_least: 3 }],
                tensors: None,
            },
            intended_use: "research".into(),
            licence: "CC-BY-4.0".into(),
            card: None,
            price: Price { denom: "uaceso".into(), amount: 1000 },
        }
    }

    #[test]
    fn comes_back_and_keeps_its_id() {
        let manifest = specimen();
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Ok(manifest.clone()));
        expect_test::expect!["0293161dcc3d3cc29cadf8a32294e290ee3effad6f821dc6279616f7b831fa3b"]
            .assert_eq(&manifest.id().to_string());
        let mut other = manifest.clone();
        other.pipeline.window = Window::Fixed { center: 40, width: 400 };
        assert_ne!((other.id(), other.pipeline.digest()), (manifest.id(), manifest.pipeline.digest()));
    }

    #[test]
    fn each_rule_names_its_field() {
        let refused = |change: fn(&mut Manifest)| {
            let mut manifest = specimen();
            change(&mut manifest);
            match Manifest::decode(&manifest.encode()) {
                Err(ManifestError::Field { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|m| m.version = 2), "version");
        assert_eq!(refused(|m| m.name.clear()), "name");
        assert_eq!(refused(|m| m.onnx.size = 0), "onnx.size");
        assert_eq!(refused(|m| m.pipeline.modalities.clear()), "pipeline.modalities");
        assert_eq!(refused(|m| m.pipeline.modalities[0] = "dx".into()), "pipeline.modalities");
        assert_eq!(refused(|m| m.pipeline.body_parts[0] = "x".repeat(17)), "pipeline.body_parts");
        assert_eq!(refused(|m| m.pipeline.width = 0), "pipeline.width");
        assert_eq!(refused(|m| m.pipeline.height = SIDE_MAX + 1), "pipeline.height");
        assert_eq!(refused(|m| m.pipeline.window = Window::Fixed { center: 0, width: 0 }), "pipeline.window.width");
        assert_eq!(refused(|m| m.pipeline.channels = Channels::Rgb), "pipeline.normalise");
        assert_eq!(
            refused(|m| m.pipeline.normalise = Some(vec![Normalise { mean: 0, deviation: 0 }])),
            "pipeline.normalise.deviation"
        );
        assert_eq!(refused(|m| m.output.labels.clear()), "output.labels");
        assert_eq!(refused(|m| m.output.labels[0].probability.truncate(255)), "output.labels.probability");
        assert_eq!(refused(|m| m.output.labels[0].probability[0] = MICRO), "output.labels.probability");
        let one_without = |m: &mut Manifest| {
            let label = Label { name: "other".into(), probability: vec![] };
            m.output.labels.push(label);
        };
        assert_eq!(refused(one_without), "output.labels.probability");
        let mut wide = specimen();
        wide.output.labels[0].probability.clear();
        wide.output.findings[0].at_least = 70_000;
        assert_eq!(Manifest::decode(&wide.encode()), Ok(wide));
        assert_eq!(refused(|m| m.output.findings[0].label = 1), "output.findings.label");
        assert_eq!(refused(|m| m.output.findings[0].at_least = 256), "output.findings.at_least");
        assert_eq!(refused(|m| m.intended_use.clear()), "intended_use");
        assert_eq!(refused(|m| m.licence.clear()), "licence");
        assert_eq!(refused(|m| m.price.denom = "u".into()), "price.denom");
    }

    /// A model of a table of two columns.
    fn of_table() -> Manifest {
        let column = |name: &str| Column { name: name.into(), low: -1, high: 1 };
        let mut manifest = specimen();
        manifest.pipeline = Pipeline {
            width: 2,
            height: 1,
            window: Window::Full,
            normalise: None,
            table: Some(vec![column("a"), column("b")]),
            ..manifest.pipeline
        };
        manifest
    }

    #[test]
    fn a_table_is_one_row_of_named_columns() {
        let manifest = of_table();
        assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest.clone()));
        let mut other = manifest.clone();
        other.pipeline.table.as_mut().unwrap()[1].high = 2;
        assert_ne!(other.pipeline.digest(), manifest.pipeline.digest());
        let refused = |change: fn(&mut Pipeline)| {
            let mut manifest = of_table();
            change(&mut manifest.pipeline);
            match Manifest::decode(&manifest.encode()) {
                Err(ManifestError::Field { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        for change in [
            |pipeline: &mut Pipeline| pipeline.width = 3,
            |pipeline: &mut Pipeline| pipeline.height = 2,
            |pipeline: &mut Pipeline| pipeline.window = Window::Image,
            |pipeline: &mut Pipeline| pipeline.crop = Crop::Center,
            |pipeline: &mut Pipeline| pipeline.resize = Resize::Bilinear,
            |pipeline: &mut Pipeline| pipeline.layout = Layout::Nhwc,
            |pipeline: &mut Pipeline| pipeline.normalise = Some(vec![Normalise { mean: 0, deviation: 1 }]),
            |pipeline: &mut Pipeline| pipeline.channels = Channels::Rgb,
            |pipeline: &mut Pipeline| pipeline.table = Some(vec![]),
        ] {
            assert_eq!(refused(change), "pipeline.table");
        }
        fn named(pipeline: &mut Pipeline, change: fn(&mut Column)) {
            pipeline.table.iter_mut().flatten().take(1).for_each(change);
        }
        assert_eq!(refused(|p| named(p, |one| one.name = "b".into())), "pipeline.table.name");
        assert_eq!(refused(|p| named(p, |one| one.name = "a b".into())), "pipeline.table.name");
        assert_eq!(refused(|p| named(p, |one| one.name.clear())), "pipeline.table.name");
        assert_eq!(refused(|p| named(p, |one| one.low = one.high)), "pipeline.table.low");
        assert_eq!(refused(|p| named(p, |one| one.high = i64::MAX)), "pipeline.table.low");
        assert_eq!(refused(|p| named(p, |one| one.low = i64::MIN)), "pipeline.table.low");
    }

    #[test]
    fn other_bytes_are_refused() {
        let bytes = specimen().encode();
        assert!(matches!(Manifest::decode(&bytes[..bytes.len() - 1]), Err(ManifestError::Malformed(_))));
        assert!(matches!(Manifest::decode(&[&bytes[..], &[0]].concat()), Err(ManifestError::Malformed(_))));
        assert_eq!(Manifest::decode(&vec![0; BYTES_MAX + 1]), Err(ManifestError::TooLarge(BYTES_MAX + 1)));
        // The map's first key written with a longer head than it needs.
        let long = [&[0xb8, bytes[0] & 0x1f][..], &bytes[1..]].concat();
        assert!(Manifest::decode(&long).is_err());
    }
}

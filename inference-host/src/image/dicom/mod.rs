//! DICOM: one native frame, grey or RGB (PS3.3 section C.7.6.3), from a PS3.10 file in little-endian.
//!
//! [`elements`] finds the attributes; here they are read strictly and become an [`Image`]. Compressed transfer syntaxes,
//! palettes, luminance-chrominance, several frames and rescaling by other than whole numbers are refused by name.

mod decimal;
mod elements;

use elements::{Elements, PIXEL_DATA, Vr};

use super::{
    Format, Image, ImageError, Limits,
    pixels::Values,
    samples_within,
    window::{MICRO, Voi},
};

pub use elements::Tag;
pub(super) use elements::is_dicom;

const TRANSFER_SYNTAX: Tag = Tag(0x0002, 0x0010);
const MODALITY: Tag = Tag(0x0008, 0x0060);
const BODY_PART: Tag = Tag(0x0018, 0x0015);
const SAMPLES: Tag = Tag(0x0028, 0x0002);
const PHOTOMETRIC: Tag = Tag(0x0028, 0x0004);
const PLANAR: Tag = Tag(0x0028, 0x0006);
const FRAMES: Tag = Tag(0x0028, 0x0008);
const ROWS: Tag = Tag(0x0028, 0x0010);
const COLUMNS: Tag = Tag(0x0028, 0x0011);
const BITS_ALLOCATED: Tag = Tag(0x0028, 0x0100);
const BITS_STORED: Tag = Tag(0x0028, 0x0101);
const HIGH_BIT: Tag = Tag(0x0028, 0x0102);
const REPRESENTATION: Tag = Tag(0x0028, 0x0103);
const BURNED_IN: Tag = Tag(0x0028, 0x0301);
const WINDOW_CENTER: Tag = Tag(0x0028, 0x1050);
const WINDOW_WIDTH: Tag = Tag(0x0028, 0x1051);
const INTERCEPT: Tag = Tag(0x0028, 0x1052);
const SLOPE: Tag = Tag(0x0028, 0x1053);
const VOI_FUNCTION: Tag = Tag(0x0028, 0x1056);
const MODALITY_LUT: Tag = Tag(0x0028, 0x3000);
const VOI_LUT: Tag = Tag(0x0028, 0x3010);

/// Largest slope that is read: with 16 bits the rescaled value stays below 2²⁷.
const SLOPE_MAX: i64 = 1024;
/// Largest magnitude of an intercept.
const INTERCEPT_MAX: i64 = 1_000_000;

/// Most bytes of a wrong value that an error repeats.
const SHOWN_MAX: usize = 32;

/// What Photometric Interpretation may say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Photometric {
    BrightIsLow,
    BrightIsHigh,
    Rgb,
}

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Image, ImageError> {
    let (meta, reader) = elements::meta(bytes)?;
    let vr = transfer_syntax(Attributes(meta).text(TRANSFER_SYNTAX)?.ok_or(ImageError::MissingTag(TRANSFER_SYNTAX))?)?;
    let attributes = Attributes(reader.data_set(vr)?);

    let modality = attributes.text(MODALITY)?.ok_or(ImageError::MissingTag(MODALITY))?;
    attributes.refuse(BURNED_IN, |text| text == "YES", "images with burned-in text may name the patient")?;
    attributes.refuse(FRAMES, |text| text.trim_matches(' ').parse() != Ok(1_u32), "one frame is read")?;
    if attributes.has(MODALITY_LUT) {
        return Err(
            attributes.wrong(MODALITY_LUT, "lookup tables are not read; export with rescale slope and intercept")
        );
    }
    let photometric = match attributes.needed_text(PHOTOMETRIC)? {
        "MONOCHROME1" => Photometric::BrightIsLow,
        "MONOCHROME2" => Photometric::BrightIsHigh,
        "RGB" => Photometric::Rgb,
        _ => return Err(attributes.wrong(PHOTOMETRIC, "it must be MONOCHROME1, MONOCHROME2 or RGB")),
    };
    let colour = photometric == Photometric::Rgb;
    let samples: u8 = if colour { 3 } else { 1 };
    attributes.need(SAMPLES, |n| n == u16::from(samples), "it must be 1 for grey and 3 for RGB")?;
    let (width, height) = (attributes.number(COLUMNS)?, attributes.number(ROWS)?);
    let all = samples_within(width.into(), height.into(), samples, limits)?;

    let allocated =
        attributes.need(BITS_ALLOCATED, |n| n == 8 || n == 16 && !colour, "it must be 8, or 16 for grey")?;
    let stored = attributes.need(BITS_STORED, |n| (8..=allocated).contains(&n), "it must be 8 to Bits Allocated")?;
    attributes.need(HIGH_BIT, |n| n.checked_add(1) == Some(stored), "it must be Bits Stored − 1")?;
    let signed = attributes.need(REPRESENTATION, |n| n == 0 || n == 1 && !colour, "it must be 0, or 1 for grey")? == 1;
    let bits = u8::try_from(stored).unwrap_or(16);

    let data = attributes.pixel_data(all, allocated)?;
    let data = match allocated {
        8 if colour && attributes.need(PLANAR, |n| n < 2, "it must be 0 or 1")? == 1 => interleaved(data),
        _ => data.to_vec(),
    };
    let values = values(data, allocated, bits, signed);
    let (slope, intercept) = attributes.rescale()?;
    let voi = if colour { Voi::Absent } else { attributes.voi()? };
    let (values, voi) = match photometric {
        Photometric::BrightIsLow => {
            let (low, high) = values.range(bits);
            (values.inverted(bits), voi.inverted(slope * i64::from(low + high) + 2 * intercept))
        }
        Photometric::BrightIsHigh | Photometric::Rgb => (values, voi),
    };
    Ok(Image {
        format: Format::Dicom,
        width: width.into(),
        height: height.into(),
        samples,
        bits,
        values,
        slope,
        intercept,
        voi,
        modality: Some(modality.into()),
        body_part: attributes.text(BODY_PART)?.map(Into::into),
    })
}

/// Samples from little-endian bytes. Bits above the stored ones are not the image's (old files keep overlays there).
fn values(data: Vec<u8>, allocated: u16, bits: u8, signed: bool) -> Values {
    let unused = 16 - u32::from(bits);
    // Shifted up and down again: the unused bits fall away, and a signed value's highest stored bit is its sign.
    let signed_value = |raw: u16| (raw << unused).cast_signed() >> unused;
    let wide = |data: &[u8]| -> Vec<u16> {
        data.chunks_exact(2)
            .map(|pair| pair.iter().rev().fold(0, |value, &byte| value << 8 | u16::from(byte)))
            .collect()
    };
    match (allocated, signed) {
        (8, false) => Values::U8(data),
        (8, true) => Values::I16(data.into_iter().map(|byte| i16::from(byte.cast_signed())).collect()),
        (_, false) => Values::U16(wide(&data).into_iter().map(|raw| (raw << unused) >> unused).collect()),
        (_, true) => Values::I16(wide(&data).into_iter().map(signed_value).collect()),
    }
}

/// Planes of red, green and blue to pixels.
fn interleaved(planes: &[u8]) -> Vec<u8> {
    let (red, rest) = planes.split_at(planes.len() / 3);
    let (green, blue) = rest.split_at(rest.len() / 2);
    red.iter().zip(green).zip(blue).flat_map(|((&r, &g), &b)| [r, g, b]).collect()
}

/// Attributes of a data set, read strictly. An empty value is an absent one.
struct Attributes<'a>(Elements<'a>);

impl<'a> Attributes<'a> {
    fn value(&self, tag: Tag, vrs: &[&[u8; 2]]) -> Result<Option<&'a [u8]>, ImageError> {
        match self.0.get(&tag) {
            Some((Some(vr), _)) if !vrs.contains(&vr) => {
                Err(self.wrong(tag, "its value representation is not the attribute's"))
            }
            Some((_, value)) if !value.is_empty() => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    fn has(&self, tag: Tag) -> bool {
        self.0.get(&tag).is_some_and(|(_, value)| !value.is_empty())
    }

    /// The first value of a text attribute, without padding; none where it is blank.
    fn text(&self, tag: Tag) -> Result<Option<&'a str>, ImageError> {
        let Some(value) = self.value(tag, &[b"CS", b"DS", b"IS", b"UI"])? else { return Ok(None) };
        let text = str::from_utf8(value).ok().filter(|text| text.is_ascii());
        let text = text.ok_or_else(|| self.wrong(tag, "it must be ASCII"))?;
        let first = text.split('\\').next().unwrap_or_default().trim_matches([' ', '\0']);
        Ok(Some(first).filter(|first| !first.is_empty()))
    }

    fn needed_text(&self, tag: Tag) -> Result<&'a str, ImageError> {
        self.text(tag)?.ok_or(ImageError::MissingTag(tag))
    }

    fn refuse(&self, tag: Tag, bad: impl Fn(&str) -> bool, reason: &'static str) -> Result<(), ImageError> {
        match self.text(tag)? {
            Some(text) if bad(text) => Err(self.wrong(tag, reason)),
            _ => Ok(()),
        }
    }

    fn number(&self, tag: Tag) -> Result<u16, ImageError> {
        let value = self.value(tag, &[b"US"])?.ok_or(ImageError::MissingTag(tag))?;
        let bytes = value.try_into().map_err(|_| self.wrong(tag, "it must be one 16-bit number"))?;
        Ok(u16::from_le_bytes(bytes))
    }

    fn need(&self, tag: Tag, good: impl Fn(u16) -> bool, reason: &'static str) -> Result<u16, ImageError> {
        let number = self.number(tag)?;
        if good(number) { Ok(number) } else { Err(ImageError::Tag { tag, value: number.to_string(), reason }) }
    }

    /// A decimal string in millionths.
    fn decimal(&self, tag: Tag) -> Result<Option<i64>, ImageError> {
        let Some(text) = self.text(tag)? else { return Ok(None) };
        let micro = decimal::micro(text);
        micro
            .map(Some)
            .ok_or_else(|| self.wrong(tag, "it must be a decimal of at most 6 places, within a thousand million"))
    }

    fn rescale(&self) -> Result<(i64, i64), ImageError> {
        let whole = |tag: Tag, default: i64, good: fn(i64) -> bool, reason| match self.decimal(tag)? {
            None => Ok(default),
            Some(micro) if micro % MICRO == 0 && good(micro / MICRO) => Ok(micro / MICRO),
            Some(_) => Err(self.wrong(tag, reason)),
        };
        let slope = whole(SLOPE, 1, |n| (1..=SLOPE_MAX).contains(&n), "it must be a whole number of 1 to 1024")?;
        let intercept =
            whole(INTERCEPT, 0, |n| n.abs() <= INTERCEPT_MAX, "it must be a whole number within a million")?;
        Ok((slope, intercept))
    }

    fn voi(&self) -> Result<Voi, ImageError> {
        let Some(center) = self.decimal(WINDOW_CENTER)? else {
            let table = self.has(VOI_LUT);
            return Ok(if table { Voi::Unsupported("VOI LUT Sequence (0028,3010)") } else { Voi::Absent });
        };
        let width = self.decimal(WINDOW_WIDTH)?.ok_or(ImageError::MissingTag(WINDOW_WIDTH))?;
        match self.text(VOI_FUNCTION)? {
            None | Some("LINEAR") if width >= MICRO => Ok(Voi::Linear { center, width }),
            None | Some("LINEAR") => Err(self.wrong(WINDOW_WIDTH, "it must be at least 1")),
            Some("LINEAR_EXACT") if width > 0 => Ok(Voi::Exact { center, width }),
            Some("LINEAR_EXACT") => Err(self.wrong(WINDOW_WIDTH, "it must be more than 0")),
            Some("SIGMOID") => Ok(Voi::Unsupported("VOI LUT Function SIGMOID")),
            Some(_) => Err(self.wrong(VOI_FUNCTION, "it must be LINEAR, LINEAR_EXACT or SIGMOID")),
        }
    }

    /// The bytes of `samples` samples; an odd number of bytes has one more as padding.
    fn pixel_data(&self, samples: usize, allocated: u16) -> Result<&'a [u8], ImageError> {
        let data = self.value(PIXEL_DATA, &[b"OB", b"OW"])?.ok_or(ImageError::MissingTag(PIXEL_DATA))?;
        let want = samples * usize::from(allocated / 8);
        let exact = data.len() == want || data.len() == want + want % 2;
        let refused = ImageError::PixelDataLength { want: want as u64, got: data.len() as u64 };
        data.get(..want).filter(|_| exact).ok_or(refused)
    }

    fn wrong(&self, tag: Tag, reason: &'static str) -> ImageError {
        let value = self.0.get(&tag).map_or(&[][..], |(_, value)| value);
        let shown = value.get(..SHOWN_MAX).unwrap_or(value);
        let value = match str::from_utf8(shown) {
            Ok(text) if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => text.trim_matches(' ').into(),
            _ => shown.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        ImageError::Tag { tag, value, reason }
    }
}

/// How the elements are written under a transfer syntax, if its pixel data is native and little-endian.
fn transfer_syntax(uid: &str) -> Result<Vr, ImageError> {
    match uid {
        "1.2.840.10008.1.2" => Ok(Vr::Implicit),
        "1.2.840.10008.1.2.1" => Ok(Vr::Explicit),
        _ => {
            let name = REFUSED.iter().find(|(known, _)| *known == uid).map_or("unknown", |(_, name)| name);
            Err(ImageError::TransferSyntax { uid: uid.into(), name })
        }
    }
}

/// Transfer syntaxes that files are met in and that are not read (PS3.6 annex A).
const REFUSED: &[(&str, &str)] = &[
    ("1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian"),
    ("1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian"),
    ("1.2.840.10008.1.2.2", "Explicit VR Big Endian"),
    ("1.2.840.10008.1.2.4.50", "JPEG Baseline"),
    ("1.2.840.10008.1.2.4.51", "JPEG Extended"),
    ("1.2.840.10008.1.2.4.57", "JPEG Lossless"),
    ("1.2.840.10008.1.2.4.70", "JPEG Lossless, First-Order Prediction"),
    ("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless"),
    ("1.2.840.10008.1.2.4.81", "JPEG-LS Near-Lossless"),
    ("1.2.840.10008.1.2.4.90", "JPEG 2000 Lossless"),
    ("1.2.840.10008.1.2.4.91", "JPEG 2000"),
    ("1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 Lossless"),
    ("1.2.840.10008.1.2.4.93", "JPEG 2000 Part 2"),
    ("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level"),
    ("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
    ("1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile / Level 5.1"),
    ("1.2.840.10008.1.2.4.110", "JPEG XL Lossless"),
    ("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression"),
    ("1.2.840.10008.1.2.4.112", "JPEG XL"),
    ("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Lossless"),
    ("1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 RPCL Lossless"),
    ("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000"),
    ("1.2.840.10008.1.2.5", "RLE Lossless"),
];

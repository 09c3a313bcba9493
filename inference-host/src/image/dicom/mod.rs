//! DICOM: one frame (PS3.3 section C.7.6.3) of a PS3.10 file in little-endian, native or compressed.
//!
//! [`elements`] finds the attributes; here they are read strictly and become an [`Image`]. Encapsulated pixel data is put
//! together from [`fragments`] and decoded by [`rle`] or the decoders beside this module; a [`palette`] becomes colours. Other
//! transfer syntaxes, and rescaling by other than whole numbers, are refused by name.

mod decimal;
mod elements;
mod fragments;
mod palette;
mod rle;

use aceso_types::Frame;
use elements::{Elements, PIXEL_DATA, Vr};
use palette::Palette;

use super::{
    Format, Image, ImageError, Limits, colour,
    jpeg::{self, Said, Shape},
    jpeg2000,
    pixels::Values,
    samples_within,
    window::{MICRO, Voi},
};

pub use elements::Tag;
pub(super) use elements::is_dicom;

/// What a sample takes (`IMAGE.md`, Effort).
const NATIVE_EFFORT: u64 = 1;
const RLE_EFFORT: u64 = 2;

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

/// Most frames that Number of Frames, an integer string, can say.
const FRAMES_MAX: u32 = i32::MAX.cast_unsigned();

/// Most bytes of a wrong value that an error repeats.
const SHOWN_MAX: usize = 32;

/// How pixel data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Native,
    Rle,
    Jpeg,
    JpegLossless,
    Jpeg2000,
}

/// What Photometric Interpretation may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Photometric {
    BrightIsLow,
    BrightIsHigh,
    Palette,
    Rgb,
    Ybr,
    /// Chrominance for two pixels together.
    Ybr422,
    /// JPEG 2000's own, which its decoder undoes.
    YbrRct,
}

impl Photometric {
    fn is_colour(self) -> bool {
        matches!(self, Self::Rgb | Self::Ybr | Self::Ybr422 | Self::YbrRct)
    }

    fn is_read_in(self, coding: Coding) -> bool {
        use Coding::{Jpeg, Jpeg2000, Native};
        match self {
            Self::BrightIsLow | Self::BrightIsHigh | Self::Rgb => true,
            Self::Palette => coding != Jpeg,
            Self::Ybr => coding != Jpeg2000,
            Self::Ybr422 => matches!(coding, Native | Jpeg),
            Self::YbrRct => coding == Jpeg2000,
        }
    }
}

/// Samples as they are stored, pixel by pixel: in bytes, or in words whose unused bits may hold anything.
enum Raw {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

impl Raw {
    /// Of words that say nothing above their lowest byte.
    fn bytes(words: &[u16]) -> Self {
        Self::Bytes(words.iter().map(|&word| u8::try_from(word & 0xff).unwrap_or_default()).collect())
    }
}

/// What the attributes say of a frame.
struct Layout {
    shape: Shape,
    /// Samples of a frame.
    all: usize,
    photometric: Photometric,
    /// Bits Allocated: 8 or 16.
    allocated: u16,
    /// Bits Stored.
    bits: u8,
    signed: bool,
    frame: u32,
    frames: u32,
}

pub(super) fn decode(bytes: &[u8], frame: Frame, limits: Limits) -> Result<Image, ImageError> {
    let (meta, reader) = elements::meta(bytes)?;
    let uid = Attributes(meta).text(TRANSFER_SYNTAX)?.ok_or(ImageError::MissingTag(TRANSFER_SYNTAX))?;
    let (vr, coding) = transfer_syntax(uid)?;
    let attributes = Attributes(reader.data_set(vr, coding != Coding::Native)?);

    let modality = attributes.text(MODALITY)?.ok_or(ImageError::MissingTag(MODALITY))?;
    attributes.refuse(BURNED_IN, |text| text == "YES", "images with burned-in text may name the patient")?;
    if attributes.has(MODALITY_LUT) {
        return Err(
            attributes.wrong(MODALITY_LUT, "lookup tables are not read; export with rescale slope and intercept")
        );
    }
    let layout = layout(&attributes, coding, frame, limits)?;
    let mut effort = 0;
    let raw = match coding {
        Coding::Native => {
            effort = limits.afford(NATIVE_EFFORT * layout.all as u64)?;
            native(&attributes, &layout)?
        }
        _ => compressed(bytes, &attributes, coding, &layout, limits, &mut effort)?,
    };
    let values = match (raw, layout.photometric) {
        (Raw::Bytes(mut pixels), Photometric::Ybr | Photometric::Ybr422) => {
            colour::to_rgb(&mut pixels);
            Values::U8(pixels)
        }
        (raw, _) => values(raw, layout.bits, layout.signed),
    };
    let mut image = Image {
        format: Format::Dicom,
        width: layout.shape.width,
        height: layout.shape.height,
        samples: layout.shape.samples,
        bits: layout.bits,
        values,
        slope: 1,
        intercept: 0,
        voi: Voi::Absent,
        modality: Some(modality.into()),
        body_part: attributes.text(BODY_PART)?.map(Into::into),
        effort,
    };
    match layout.photometric {
        Photometric::Palette => {
            // Three samples where one was: they have to fit too.
            samples_within(image.width, image.height, 3, limits)?;
            let palette = Palette::of(&attributes)?;
            (image.samples, image.bits, image.values) = (3, palette.bits, palette.colours(&image.values));
        }
        Photometric::BrightIsLow | Photometric::BrightIsHigh => {
            (image.slope, image.intercept) = attributes.rescale()?;
            image.voi = attributes.voi()?;
        }
        _ => (image.slope, image.intercept) = attributes.rescale()?,
    }
    if layout.photometric == Photometric::BrightIsLow {
        let (low, high) = image.values.range(image.bits);
        image.voi = image.voi.inverted(image.slope * i64::from(low + high) + 2 * image.intercept);
        image.values = image.values.inverted(image.bits);
    }
    Ok(image)
}

fn layout(attributes: &Attributes<'_>, coding: Coding, frame: Frame, limits: Limits) -> Result<Layout, ImageError> {
    let photometric = match attributes.needed_text(PHOTOMETRIC)? {
        "MONOCHROME1" => Photometric::BrightIsLow,
        "MONOCHROME2" => Photometric::BrightIsHigh,
        "PALETTE COLOR" => Photometric::Palette,
        "RGB" => Photometric::Rgb,
        "YBR_FULL" => Photometric::Ybr,
        "YBR_FULL_422" => Photometric::Ybr422,
        "YBR_RCT" => Photometric::YbrRct,
        _ => {
            let known = "it must be MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB, YBR_FULL, YBR_FULL_422 or YBR_RCT";
            return Err(attributes.wrong(PHOTOMETRIC, known));
        }
    };
    if !photometric.is_read_in(coding) {
        return Err(attributes.wrong(PHOTOMETRIC, "it is not read in this transfer syntax"));
    }
    let frames = match attributes.text(FRAMES)? {
        None => 1,
        Some(text) => match text.trim_matches(' ').parse() {
            Ok(frames @ 1..=FRAMES_MAX) => frames,
            _ => return Err(attributes.wrong(FRAMES, "it must be a whole number from 1")),
        },
    };
    let frame = frame.number();
    if frame > frames {
        return Err(ImageError::Frame { asked: frame, frames });
    }
    let colour = photometric.is_colour();
    let samples: u8 = if colour { 3 } else { 1 };
    attributes.need(SAMPLES, |n| n == u16::from(samples), "it must be 1 for grey and palettes, and 3 for colours")?;
    let shape = Shape { width: attributes.number(COLUMNS)?.into(), height: attributes.number(ROWS)?.into(), samples };
    let all = samples_within(shape.width, shape.height, samples, limits)?;
    let wide = !colour && coding != Coding::Jpeg;
    let allocated = attributes.need(
        BITS_ALLOCATED,
        |n| n == 8 || n == 16 && wide,
        "it must be 8, or 16 for grey but in JPEG Baseline",
    )?;
    let stored = attributes.need(BITS_STORED, |n| (8..=allocated).contains(&n), "it must be 8 to Bits Allocated")?;
    attributes.need(HIGH_BIT, |n| n.checked_add(1) == Some(stored), "it must be Bits Stored − 1")?;
    let grey = matches!(photometric, Photometric::BrightIsLow | Photometric::BrightIsHigh) && coding != Coding::Jpeg;
    let signed = attributes.need(
        REPRESENTATION,
        |n| n == 0 || n == 1 && grey,
        "it must be 0, or 1 for grey but in JPEG Baseline",
    )?;
    let bits = u8::try_from(stored).unwrap_or(16);
    Ok(Layout { shape, all, photometric, allocated, bits, signed: signed == 1, frame, frames })
}

/// The frame's samples where pixel data is native.
fn native(attributes: &Attributes<'_>, layout: &Layout) -> Result<Raw, ImageError> {
    let halved = layout.photometric == Photometric::Ybr422;
    if halved && layout.shape.width % 2 == 1 {
        return Err(attributes.wrong(COLUMNS, "it must be even where two pixels share their chrominance"));
    }
    let stored = if halved { layout.all / 3 * 2 } else { layout.all };
    let data = attributes.pixel_data(stored, layout)?;
    if layout.allocated == 16 {
        return Ok(Raw::Words(data.as_chunks().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect()));
    }
    let planes = match layout.photometric {
        Photometric::Ybr422 => {
            attributes.need(PLANAR, |n| n == 0, "it must be 0 where two pixels share their chrominance")?;
            return Ok(Raw::Bytes(colour::each(data)));
        }
        colours if colours.is_colour() => attributes.need(PLANAR, |n| n < 2, "it must be 0 or 1")? == 1,
        _ => false,
    };
    Ok(Raw::Bytes(if planes { interleaved(data) } else { data.to_vec() }))
}

/// The frame's samples where pixel data is encapsulated.
fn compressed(
    file: &[u8],
    attributes: &Attributes<'_>,
    coding: Coding,
    layout: &Layout,
    limits: Limits,
    effort: &mut u64,
) -> Result<Raw, ImageError> {
    let rest = attributes.value(PIXEL_DATA, &[b"OB", b"OW"])?.ok_or(ImageError::MissingTag(PIXEL_DATA))?;
    let coded = fragments::coded(file, file.len() - rest.len(), layout.frame, layout.frames)?;
    let narrow = |words: Vec<u16>| if layout.allocated == 8 { Raw::bytes(&words) } else { Raw::Words(words) };
    let bits = |got: u8, good: bool| {
        let want = layout.bits.into();
        if good { Ok(()) } else { Err(ImageError::Compressed { field: "bits", want, got: got.into() }) }
    };
    match coding {
        Coding::Jpeg => {
            let picture = jpeg::picture(&coded, Some(layout.shape), limits)?;
            let says = match (layout.photometric, picture.said) {
                (Photometric::Rgb, Said::Chrominance) => {
                    "the compressed frame says that it is luminance and chrominance"
                }
                (Photometric::Ybr | Photometric::Ybr422, Said::Rgb) => "the compressed frame says that it is RGB",
                _ => {
                    *effort = picture.effort;
                    return Ok(Raw::Bytes(picture.data));
                }
            };
            Err(attributes.wrong(PHOTOMETRIC, says))
        }
        Coding::JpegLossless => {
            let (got, words, took) = jpeg::lossless(&coded, layout.shape, limits)?;
            *effort = took;
            bits(got, (u16::from(layout.bits)..=layout.allocated).contains(&got.into()))?;
            Ok(narrow(words))
        }
        Coding::Jpeg2000 => {
            let frame = jpeg2000::decode(&coded, layout.shape, limits)?;
            bits(frame.bits, frame.bits == layout.bits)?;
            if frame.signed != layout.signed {
                return Err(attributes.wrong(REPRESENTATION, "the compressed frame says otherwise"));
            }
            *effort = frame.effort;
            Ok(narrow(frame.words))
        }
        Coding::Rle | Coding::Native => {
            let samples = usize::from(layout.shape.samples);
            *effort = limits.afford(RLE_EFFORT * layout.all as u64)?;
            rle::decode(&coded, layout.all / samples, samples, usize::from(layout.allocated / 8))
        }
    }
}

/// Values of stored samples. Bits above the stored ones are not the image's (old files keep overlays there).
fn values(raw: Raw, bits: u8, signed: bool) -> Values {
    let unused = 16 - u32::from(bits);
    // Shifted up and down again: the unused bits fall away, and a signed value's highest stored bit is its sign.
    let signed_value = |raw: u16| (raw << unused).cast_signed() >> unused;
    match (raw, signed) {
        (Raw::Bytes(bytes), false) => Values::U8(bytes),
        (Raw::Bytes(bytes), true) => Values::I16(bytes.into_iter().map(|byte| byte.cast_signed().into()).collect()),
        (Raw::Words(words), false) => Values::U16(words.into_iter().map(|raw| (raw << unused) >> unused).collect()),
        (Raw::Words(words), true) => Values::I16(words.into_iter().map(signed_value).collect()),
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

    /// The bytes of a native frame of `samples` samples. Frames follow each other; an odd number of bytes in all has one more as
    /// padding.
    fn pixel_data(&self, samples: usize, layout: &Layout) -> Result<&'a [u8], ImageError> {
        let data = self.value(PIXEL_DATA, &[b"OB", b"OW"])?.ok_or(ImageError::MissingTag(PIXEL_DATA))?;
        let each = samples * usize::from(layout.allocated / 8);
        let (want, got) = (each as u64 * u64::from(layout.frames), data.len() as u64);
        let refused = ImageError::PixelDataLength { want, got };
        if got != want && got != want + want % 2 {
            return Err(refused);
        }
        let start = usize::try_from(layout.frame - 1).ok().and_then(|before| before.checked_mul(each));
        let frame = start.and_then(|start| data.get(start..)?.get(..each));
        frame.ok_or(refused)
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

/// How elements and pixel data are written under a transfer syntax.
fn transfer_syntax(uid: &str) -> Result<(Vr, Coding), ImageError> {
    let coding = match uid {
        "1.2.840.10008.1.2" => return Ok((Vr::Implicit, Coding::Native)),
        "1.2.840.10008.1.2.1" => Coding::Native,
        "1.2.840.10008.1.2.4.50" => Coding::Jpeg,
        "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => Coding::JpegLossless,
        "1.2.840.10008.1.2.4.90" => Coding::Jpeg2000,
        "1.2.840.10008.1.2.5" => Coding::Rle,
        _ => {
            let name = REFUSED.iter().find(|(known, _)| *known == uid).map_or("unknown", |(_, name)| name);
            return Err(ImageError::TransferSyntax { uid: uid.into(), name });
        }
    };
    Ok((Vr::Explicit, coding))
}

/// Transfer syntaxes that files are met in and that are not read (PS3.6 annex A).
const REFUSED: &[(&str, &str)] = &[
    ("1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian"),
    ("1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian"),
    ("1.2.840.10008.1.2.2", "Explicit VR Big Endian"),
    ("1.2.840.10008.1.2.4.51", "JPEG Extended"),
    ("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless"),
    ("1.2.840.10008.1.2.4.81", "JPEG-LS Near-Lossless"),
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
];

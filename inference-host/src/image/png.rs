//! PNG: grey or colour, 8 or 16 bits. Fewer bits are scaled to 8, palettes become colours; gamma, colour profiles and
//! text are not looked at. An alpha channel must be opaque everywhere, so that no background has to be invented.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Transformations};

use super::{Format, Image, ImageError, Limits, pixels::Values, samples_within, window::Voi};

pub(super) const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";
/// What a sample takes (`IMAGE.md`, Effort).
const SAMPLE_EFFORT: u64 = 2;

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Image, ImageError> {
    // The decoder's own buffers: two rows, and chunks that it keeps.
    let memory = png::Limits { bytes: limits.bytes.saturating_mul(2) };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), memory);
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let (width, height) = decoder.read_header_info().map_err(refused)?.size();
    samples_within(width, height, 1, limits)?;
    let mut reader = decoder.read_info().map_err(refused)?;
    if let Some(animation) = reader.info().animation_control() {
        return Err(ImageError::Animated { frames: animation.num_frames });
    }
    // Of 3 to 768 bytes, which the decoder has seen to (PNG, third edition, 11.2.2); a broken last colour would end it.
    if let Some(palette) = reader.info().palette.as_ref().filter(|palette| !palette.len().is_multiple_of(3)) {
        return Err(ImageError::Png(format!("the palette has {} bytes, not 3 for each colour", palette.len())));
    }
    let (color, depth) = reader.output_color_type();
    let (samples, alpha) = match color {
        ColorType::Grayscale => (1, false),
        ColorType::GrayscaleAlpha => (1, true),
        ColorType::Rgb => (3, false),
        ColorType::Rgba => (3, true),
        ColorType::Indexed => return Err(ImageError::Png("the palette was not expanded".into())),
    };
    let all = samples_within(width, height, samples, limits)?;
    let effort = limits.afford(SAMPLE_EFFORT * all as u64)?;
    let mut raw = vec![0; reader.output_buffer_size().ok_or_else(|| ImageError::Png("no size".into()))?];
    reader.next_frame(&mut raw).map_err(refused)?;
    reader.finish().map_err(refused)?;

    let stored = usize::from(samples) + usize::from(alpha);
    let values = match depth {
        BitDepth::Eight => Values::U8(opaque(raw, width, stored, alpha, u8::MAX)?),
        BitDepth::Sixteen => {
            let wide = raw.chunks_exact(2).map(|pair| pair.iter().fold(0, |value, &byte| value << 8 | u16::from(byte)));
            Values::U16(opaque(wide.collect(), width, stored, alpha, u16::MAX)?)
        }
        BitDepth::One | BitDepth::Two | BitDepth::Four => {
            return Err(ImageError::Png("the samples were not expanded".into()));
        }
    };
    if values.len() != all {
        return Err(ImageError::Png("the picture has another length than its header says".into()));
    }
    Ok(Image {
        format: Format::Png,
        width,
        height,
        samples,
        bits: if depth == BitDepth::Sixteen { 16 } else { 8 },
        values,
        slope: 1,
        intercept: 0,
        voi: Voi::Absent,
        modality: None,
        body_part: None,
        effort,
    })
}

/// Takes the alpha channel away, the last of `stored` samples, where it is `full` everywhere.
fn opaque<T: Copy + PartialEq>(
    raw: Vec<T>,
    width: u32,
    stored: usize,
    alpha: bool,
    full: T,
) -> Result<Vec<T>, ImageError> {
    if !alpha {
        return Ok(raw);
    }
    let mut kept = Vec::with_capacity(raw.len() / stored * (stored - 1));
    for (place, pixel) in (0_u32..).zip(raw.chunks_exact(stored)) {
        match pixel.split_last() {
            Some((last, colour)) if *last == full => kept.extend_from_slice(colour),
            _ => return Err(ImageError::Transparent { x: place % width, y: place / width }),
        }
    }
    Ok(kept)
}

fn refused(error: png::DecodingError) -> ImageError {
    ImageError::Png(match error {
        png::DecodingError::IoError(_) => "the file ends early".into(),
        png::DecodingError::LimitsExceeded => "it takes more memory than is allowed".into(),
        other => other.to_string(),
    })
}

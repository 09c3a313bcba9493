//! RLE Lossless (PS3.5 annex G): a segment for each byte of a sample, highest first, packed by runs.

use super::{super::ImageError, Raw};

/// Offsets in the header, and its length.
const SEGMENTS_MAX: usize = 15;
const HEADER: usize = 64;

/// A frame of `pixels` pixels of one or three samples of `bytes` (1 or 2) bytes each, pixel by pixel.
pub(super) fn decode(coded: &[u8], pixels: usize, samples: usize, bytes: usize) -> Result<Raw, ImageError> {
    let fault = |segment: usize, reason| ImageError::Rle { segment, reason };
    let number = |at: usize| {
        let four = coded.get(..HEADER).and_then(|head| head.get(4 * at..)).and_then(|rest| rest.first_chunk());
        four.and_then(|four| usize::try_from(u32::from_le_bytes(*four)).ok())
    };
    let count = number(0).ok_or_else(|| fault(0, "the header takes 64 bytes"))?;
    if count > SEGMENTS_MAX || count != samples * bytes {
        return Err(fault(0, "there is not one segment for each byte of a sample"));
    }
    let mut out = vec![0_u16; pixels * samples];
    for segment in 1..=count {
        let begin = number(segment).filter(|&begin| begin >= HEADER);
        let end = if segment == count { Some(coded.len()) } else { number(segment + 1) };
        let packed = begin.zip(end).and_then(|(begin, end)| coded.get(begin..end));
        let packed = packed.ok_or_else(|| fault(segment, "its offset does not lie in the frame"))?;
        let (sample, low) = ((segment - 1) / bytes, segment % bytes == 0);
        let mut slots = out.iter_mut().skip(sample).step_by(samples);
        let mut rest = packed;
        let mut left = pixels;
        while left > 0 {
            let (&head, behind) = rest.split_first().ok_or_else(|| fault(segment, "it ends early"))?;
            // 0…127: so many and one bytes as they stand; 129…255: the next one 257 less so many times; 128: nothing.
            let (length, run) = match head {
                0..=127 => (usize::from(head) + 1, false),
                128 => (0, true),
                129..=255 => (257 - usize::from(head), true),
            };
            if length > left {
                return Err(fault(segment, "it holds more than the picture"));
            }
            let taken = if run { usize::from(length > 0) } else { length };
            let (bytes, behind) = behind.split_at_checked(taken).ok_or_else(|| fault(segment, "it ends early"))?;
            let repeated = bytes.iter().cycle().take(length);
            for (&byte, slot) in repeated.zip(slots.by_ref()) {
                *slot |= if low { u16::from(byte) } else { u16::from(byte) << 8 };
            }
            left -= length;
            rest = behind;
        }
        // Encoders fill a segment up to an even length.
        if rest.len() > 1 {
            return Err(fault(segment, "it holds more than the picture"));
        }
    }
    Ok(if bytes == 1 { Raw::bytes(&out) } else { Raw::Words(out) })
}

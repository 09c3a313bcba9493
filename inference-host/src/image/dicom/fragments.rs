//! Encapsulated pixel data (PS3.5 annex A.4): an offset table, then fragments, of which one or more are a frame.

use std::borrow::Cow;

use super::{
    super::ImageError,
    elements::{ITEM, Reader, SEQUENCE_END, malformed},
};

/// The coded bytes of the `frame`-th of `frames`, from 1. `start` is where in the file the offset table's item begins.
pub(super) fn coded(file: &[u8], start: usize, frame: u32, frames: u32) -> Result<Cow<'_, [u8]>, ImageError> {
    let mut reader = Reader::at(file, start);
    let head = reader.delimiter()?;
    if head.tag != ITEM {
        return Err(malformed(start, "the offset table belongs here"));
    }
    let table = reader.take(head.length)?;
    if table.len() % 4 != 0 {
        return Err(malformed(start, "the offset table is not made of 32-bit numbers"));
    }
    let first = reader.place();
    // Where a frame begins and ends, in bytes behind the offset table; the whole where there is no table.
    let (table, _) = table.as_chunks::<4>();
    let place = |number: u32| Some(u32::from_le_bytes(*table.get(usize::try_from(number).ok()?)?));
    let wrong = |reason| Err(malformed(start, reason));
    let range = match (frames, table.len()) {
        (1, _) => Range::Offsets(0, None),
        (_, 0) => Range::Nth(frame - 1),
        (_, entries) if u32::try_from(entries) != Ok(frames) => {
            return wrong("the offset table has another number of entries than there are frames");
        }
        _ if place(0) != Some(0) || !table.is_sorted_by(|a, b| u32::from_le_bytes(*a) < u32::from_le_bytes(*b)) => {
            return wrong("the offset table does not rise from 0");
        }
        _ => match place(frame - 1) {
            Some(begin) => Range::Offsets(begin, place(frame)),
            None => return wrong("the offset table has another number of entries than there are frames"),
        },
    };

    let mut parts: Vec<&[u8]> = Vec::new();
    let (mut count, mut begun, mut ended) = (0_u32, false, false);
    loop {
        let at = reader.place();
        let head = reader.delimiter()?;
        match (head.tag, head.length) {
            (SEQUENCE_END, 0) => break,
            (ITEM, _) => {
                let bytes = reader.take(head.length)?;
                let wanted = match range {
                    Range::Nth(number) => count == number,
                    Range::Offsets(begin, end) => {
                        let offset = u32::try_from(at - first).unwrap_or(u32::MAX);
                        begun |= offset == begin;
                        ended |= Some(offset) == end;
                        begun && !ended
                    }
                };
                if wanted {
                    parts.push(bytes);
                }
                count = count.saturating_add(1);
            }
            _ => return Err(malformed(at, "a fragment or the end of the pixel data belongs here")),
        }
    }
    match range {
        Range::Nth(_) if count != frames => wrong("without an offset table there must be one fragment for each frame"),
        Range::Offsets(_, Some(_)) if !ended => wrong("the offset table names no fragment"),
        _ => match &parts[..] {
            [] => wrong("the frame has no fragment"),
            [only] => Ok(Cow::Borrowed(*only)),
            several => Ok(Cow::Owned(several.concat())),
        },
    }
}

/// Which fragments are the frame's.
enum Range {
    /// The n-th, from 0.
    Nth(u32),
    /// From the one at this place up to the one at the other.
    Offsets(u32, Option<u32>),
}

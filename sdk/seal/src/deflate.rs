//! DEFLATE in pieces that know nothing of each other, so that several threads compress one record to the same bytes as one.
//!
//! A piece is [`PIECE`] bytes of the record; the last may be shorter. Each begins with an empty dictionary and ends at a byte
//! (RFC 1951: an empty stored block), the last one with the end of the stream, so that one after the other they are one
//! stream. A piece that would not become much smaller, judged by a sample from its middle, is stored as it is: most bytes
//! of a record that holds a compressed picture are never tried.

use std::{
    io::{self, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{Builder, Scope},
};

use flate2::{Compress, Compression, FlushCompress, Status};
use zeroize::Zeroizing;

/// Bytes of the record in a piece: what a match could refer to in the piece before costs less than one in a thousand.
pub(crate) const PIECE: usize = 1 << 20;
/// Bytes of a piece that tell whether it becomes smaller.
const SAMPLE: usize = 64 << 10;
/// It is stored unless its sample loses more than one byte of so many.
const WORTHWHILE: usize = 16;
/// Most bytes of a stored block.
const STORED: usize = 0xffff;
/// Threads that compress. On a machine with fewer processors they cost memory only.
const THREADS: usize = 4;
/// Pieces that a thread has at a time: one in hand, one waiting.
const EACH: usize = 2;

/// Bytes of a record, or what was made of them.
pub(crate) type Bytes = Zeroizing<Vec<u8>>;

/// A piece of the stream.
pub(crate) fn piece(record: &[u8], last: bool) -> io::Result<Bytes> {
    let middle = record.len().saturating_sub(SAMPLE) / 2;
    let sample = record.get(middle..middle + SAMPLE).filter(|sample| sample.len() < record.len());
    let lost = match sample {
        Some(sample) => SAMPLE.saturating_sub(deflated(sample, true)?.len()),
        None => SAMPLE,
    };
    if lost > SAMPLE / WORTHWHILE { deflated(record, last) } else { Ok(stored(record, last)) }
}

fn deflated(record: &[u8], last: bool) -> io::Result<Bytes> {
    let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut compress = Compress::new(Compression::fast(), false);
    // Room for what grows: as stored blocks, with their frames and what ends it. So one call does it.
    let room = record.len() + record.len() / 64 + 1024;
    let mut out = Zeroizing::new(Vec::with_capacity(room));
    let status = compress.compress_vec(record, &mut out, flush).map_err(io::Error::other)?;
    let whole = compress.total_in() == record.len() as u64 && out.len() < room;
    match status {
        Status::StreamEnd if last => Ok(out),
        Status::Ok if whole && !last => Ok(out),
        status => Err(io::Error::other(format!("DEFLATE ended with {status:?} after {} bytes", compress.total_in()))),
    }
}

fn stored(record: &[u8], last: bool) -> Bytes {
    let mut out = Zeroizing::new(Vec::with_capacity(record.len() + (record.len() / STORED + 1) * 5));
    let mut blocks = record.chunks(STORED).peekable();
    while let Some(block) = blocks.next() {
        // A chunk has no more than 16 bits say.
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(last && blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out
}

/// A piece of a record and whether it is the last one.
type Raw = (Bytes, bool);

/// Compresses a record of `length` bytes, piece by piece in their order, and hands what comes of each to `write`, with the
/// bytes of the record that it was. A record that ends early ends the work; bytes that follow are left in it.
pub(crate) fn side_by_side(
    record: &mut impl Read,
    length: u64,
    mut write: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    std::thread::scope(|scope| {
        let mut threads = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            // Where there are no threads, as in browsers, or no more of them, there are fewer.
            let Some(thread) = Thread::start(scope) else { break };
            threads.push(thread);
        }
        let (mut left, mut sent, mut taken) = (length, 0, 0);
        let made = |taken: usize| threads[taken % threads.len()].made.recv().map_err(|_| gone())?;
        while left > 0 {
            let want = left.min(PIECE as u64);
            let mut raw = Zeroizing::new(Vec::with_capacity(PIECE));
            let got = record.by_ref().take(want).read_to_end(&mut raw)? as u64;
            left -= got;
            if got == 0 {
                break;
            }
            if threads.is_empty() {
                write(&piece(&raw, left == 0)?, got)?;
                continue;
            }
            if sent >= threads.len() * EACH {
                let (made, of) = made(taken)?;
                write(&made, of)?;
                taken += 1;
            }
            threads[sent % threads.len()].raw.send((raw, left == 0)).map_err(|_| gone())?;
            sent += 1;
        }
        (taken..sent).try_for_each(|taken| made(taken).and_then(|(made, of)| write(&made, of)))
    })
}

/// A thread that compresses what it is sent, and answers in the same order.
struct Thread {
    raw: SyncSender<Raw>,
    made: Receiver<io::Result<(Bytes, u64)>>,
}

impl Thread {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>) -> Option<Self> {
        let (raw, pieces) = sync_channel::<Raw>(EACH);
        let (send, made) = sync_channel(EACH);
        let work = move || {
            for (raw, last) in pieces {
                let made = piece(&raw, last).map(|made| (made, raw.len() as u64));
                if send.send(made).is_err() {
                    break;
                }
            }
        };
        Builder::new().name("deflate".into()).spawn_scoped(scope, work).ok()?;
        Some(Self { raw, made })
    }
}

fn gone() -> io::Error {
    io::Error::other("a thread that compresses has ended")
}

#[cfg(test)]
mod tests {
    use flate2::read::DeflateDecoder;

    use super::*;

    /// Noise as long as the bits are 8, and the easier to compress the fewer they are (SplitMix64).
    fn noise(length: usize, bits: u32) -> Vec<u8> {
        let byte = |at: usize| {
            let mut z = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            u8::try_from((z ^ (z >> 31)) & ((1 << bits) - 1)).unwrap()
        };
        (0..length).map(byte).collect()
    }

    fn inflated(stream: &[u8]) -> Vec<u8> {
        let (mut out, mut decoder) = (Vec::new(), DeflateDecoder::new(stream));
        decoder.read_to_end(&mut out).unwrap();
        assert_eq!(decoder.total_in(), stream.len() as u64, "something follows the stream");
        out
    }

    #[test]
    fn what_does_not_become_smaller_is_stored() {
        let sizes = [8, 4].map(|bits| piece(&noise(PIECE, bits), true).unwrap().len());
        assert_eq!(sizes[0], PIECE + 17 * 5, "17 blocks");
        assert!(sizes[1] < PIECE * 6 / 10, "{sizes:?}");
        // Judged by the middle.
        let mut mixed = noise(PIECE, 8);
        mixed[..PIECE / 3].fill(0);
        assert_eq!(piece(&mixed, false).unwrap().len(), PIECE + 17 * 5);
        mixed[PIECE / 3..2 * PIECE / 3].fill(0);
        assert!(piece(&mixed, false).unwrap().len() < PIECE / 2);
    }

    #[test]
    fn pieces_are_one_stream_whatever_is_in_them() {
        let some: [(usize, &[usize]); 7] = [
            (0, &[0]),
            (1, &[0, 1, 2]),
            (SAMPLE, &[0, 1, 2]),
            (SAMPLE + 1, &[0, 1, 2]),
            (PIECE - 1, &[0, 1]),
            (3 * PIECE, &[0, 2]),
            (9 * PIECE + 7, &[3]),
        ];
        for (length, kinds) in some {
            for &kind in kinds {
                let mut record = noise(length, [8, 4, 1, 8][kind]);
                if kind == 3 {
                    // Every other piece is easy.
                    record.chunks_mut(2 * PIECE).for_each(|two| two[..PIECE].fill(7));
                }
                let parts: Vec<&[u8]> = if length == 0 { vec![&[]] } else { record.chunks(PIECE).collect() };
                let made = parts.iter().enumerate();
                let made = made.map(|(at, part)| piece(part, at + 1 == parts.len()).unwrap().to_vec());
                let one: Vec<u8> = made.collect::<Vec<_>>().concat();
                assert!(inflated(&one) == record, "{length} bytes of kind {kind}");

                let (mut many, mut of) = (Vec::new(), 0);
                let write = |made: &[u8], raw: u64| {
                    many.extend_from_slice(made);
                    of += raw;
                    Ok(())
                };
                side_by_side(&mut &record[..], length as u64, write).unwrap();
                assert!((many == one || length == 0) && of == length as u64, "{length} bytes of kind {kind}");
            }
        }
    }

    #[test]
    fn a_writer_that_fails_and_a_record_that_ends_early() {
        let record = noise(7 * PIECE, 8);
        let full = side_by_side(&mut &record[..], 7 << 20, |_, _| Err(io::Error::other("full"))).unwrap_err();
        assert_eq!(full.to_string(), "full");
        let mut of = 0;
        let count = |_: &[u8], raw: u64| {
            of += raw;
            Ok(())
        };
        side_by_side(&mut &record[..], 8 << 20, count).unwrap();
        assert_eq!(of, 7 << 20);
    }
}

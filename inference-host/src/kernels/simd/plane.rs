//! The input as products read it: `[row][column][channel]` with its padding, in numbers of 8 or 16 bits.
//!
//! Signed bytes have their top bit flipped, which makes them unsigned and 128 higher. Padding is the zero point, so that
//! it adds nothing once zero points are taken out.

use crate::ir::{Centre, Window};

/// Bytes behind the last number that kernels may read, whatever is in them.
pub(super) const SLACK: usize = 256;

/// The zero point of flipped bytes.
pub(super) fn zero(x: Centre) -> i32 {
    if x.signed { x.zero + 128 } else { x.zero }
}

/// Bytes of a plane of so many channels.
pub(super) fn size(window: &Window, channels: usize, word: usize) -> usize {
    let numbers = window.reach().into_iter().fold(channels, usize::saturating_mul);
    numbers.saturating_mul(word).saturating_add(SLACK)
}

/// Lays out one image: `word` is the bytes of a number, 1 or 2.
pub(super) fn lay_out(x: &[u8], centre: Centre, window: &Window, channels: usize, word: usize, plane: &mut [u8]) {
    let ([rows, columns], [top, left], [height, width]) = (window.reach(), window.pad, window.input);
    // A zero point of a byte fits a byte.
    let fill = crate::formula::byte(zero(centre));
    let flip = if centre.signed { 0x80 } else { 0 };
    let line = columns * channels * word;
    // Columns beyond what the windows reach are left out.
    let inside = columns.saturating_sub(left).min(width) * channels;
    let before = left.min(columns) * channels * word;
    for (row, to) in plane.chunks_exact_mut(line).take(rows).enumerate() {
        match row.checked_sub(top).filter(|&row| row < height) {
            Some(row) => {
                let from = &x[row * width * channels..][..inside];
                let (padding, rest) = to.split_at_mut(before);
                let (middle, after) = rest.split_at_mut(inside * word);
                pad(padding, fill, word);
                match (word, flip) {
                    (1, 0) => middle.copy_from_slice(from),
                    (1, flip) => middle.iter_mut().zip(from).for_each(|(to, x)| *to = x ^ flip),
                    (_, flip) => {
                        middle.as_chunks_mut::<2>().0.iter_mut().zip(from).for_each(|(to, x)| *to = [x ^ flip, 0])
                    }
                }
                pad(after, fill, word);
            }
            None => pad(to, fill, word),
        }
    }
}

fn pad(to: &mut [u8], fill: u8, word: usize) {
    if word == 1 { to.fill(fill) } else { to.as_chunks_mut::<2>().0.fill([fill, 0]) }
}

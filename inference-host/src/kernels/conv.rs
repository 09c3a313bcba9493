//! Convolutions: as matrix products over gathered windows, or directly where a group has one input channel.
//!
//! Either way a group's input is first centred and laid out with its padding, `[row][column][channel]`, so that padding
//! is zeros like everything that stands for zero, and what a window reads in one of its rows lies side by side.

use super::{
    centred,
    gemm::{Packed, TILE, padded, products, requantise_row},
};
use crate::ir::{Conv, Window};

/// Fewest output channels of a group for which gathering windows pays.
const GATHER_MIN: usize = 4;

/// Working memory of [`conv`], in bytes.
pub(crate) fn scratch(conv: &Conv) -> u64 {
    let [rows, columns] = conv.window.reach().map(|reach| reach as u64);
    let plane = rows.saturating_mul(columns).saturating_mul(conv.channels as u64);
    let gathered = padded(conv.filter.depth) as u64 * 2 + conv.filter.rows as u64 * 4;
    plane.saturating_mul(2).saturating_add(gathered.saturating_mul(TILE as u64))
}

pub(super) fn conv(conv: &Conv, weights: &Packed, x: &[u8], y: &mut [u8]) {
    let Conv { groups, channels, window, filter, .. } = conv;
    let outputs = filter.rows / groups;
    let (read, written) = (channels * window.input[0] * window.input[1], outputs * window.places());
    let mut plane = vec![0i16; window.reach().iter().product::<usize>() * channels];
    let direct = *channels == 1 && outputs < GATHER_MIN;
    let mut rows = vec![0i16; if direct { 0 } else { TILE * weights.depth }];
    let mut sums = vec![0i32; if direct { window.output[1] } else { outputs * TILE }];
    let each = x.chunks_exact(read).zip(y.chunks_exact_mut(written)).enumerate();
    for (index, (x, y)) in each {
        let first = (index % groups) * outputs;
        let weights_of = &weights.words[first * weights.depth..][..outputs * weights.depth];
        lay_out(conv, x, &mut plane);
        if direct {
            for (o, (weights, y)) in
                weights_of.chunks_exact(weights.depth).zip(y.chunks_exact_mut(window.places())).enumerate()
            {
                slide(conv, &plane, weights, first + o, &mut sums, y);
            }
        } else {
            for start in (0..window.places()).step_by(TILE) {
                let places = TILE.min(window.places() - start);
                for (place, row) in (start..start + places).zip(rows.chunks_exact_mut(weights.depth)) {
                    gather(window, *channels, &plane, place, row);
                }
                products(&rows, weights_of, weights.depth, places, &mut sums);
                let outputs = y.chunks_exact_mut(window.places()).zip(sums.chunks_exact(TILE));
                for (o, (y, sums)) in outputs.enumerate() {
                    requantise_row(&conv.requant, first + o, sums, &mut y[start..start + places]);
                }
            }
        }
    }
}

/// One group of one image: centred, padded, channels innermost.
fn lay_out(conv: &Conv, x: &[u8], plane: &mut [i16]) {
    let Conv { channels, window, x: centre, .. } = conv;
    let ([rows, columns], [top, left]) = (window.reach(), window.pad);
    let [height, width] = window.input;
    for (c, x) in x.chunks_exact(height * width).enumerate() {
        for (row, x) in x.chunks_exact(width).enumerate().take(rows.saturating_sub(top)) {
            // Columns beyond what the windows reach are left out.
            let begin = ((top + row) * columns + left.min(columns)) * channels + c;
            let into = plane.get_mut(begin..).unwrap_or_default().iter_mut().step_by(*channels);
            into.take(columns.saturating_sub(left)).zip(centred(*centre, x)).for_each(|(to, from)| *to = from);
        }
    }
}

/// What the window at `place` sees, `[tap][channel]`.
fn gather(window: &Window, channels: usize, plane: &[i16], place: usize, into: &mut [i16]) {
    let [_, columns] = window.reach();
    let (row, column) = (place / window.output[1], place % window.output[1]);
    let [kernel_rows, kernel_columns] = window.kernel;
    let (run, step) = match window.dilation[1] {
        // Neighbouring taps lie side by side.
        1 => (kernel_columns * channels, 0),
        dilation => (channels, dilation * channels),
    };
    let runs = kernel_columns * channels / run;
    let begin = (row * window.stride[0] * columns + column * window.stride[1]) * channels;
    let mut chunks = into.chunks_exact_mut(run);
    for tap in 0..kernel_rows {
        let line = begin + tap * window.dilation[0] * columns * channels;
        for (at, to) in (0..runs).zip(&mut chunks) {
            to.copy_from_slice(&plane[line + at * step..][..run]);
        }
    }
}

/// One output channel over one input channel: each weight in turn over a whole row of outputs.
fn slide(conv: &Conv, plane: &[i16], weights: &[i16], output: usize, sums: &mut [i32], y: &mut [u8]) {
    let Window { kernel, stride, dilation, .. } = conv.window;
    let [_, columns] = conv.window.reach();
    for (row, y) in y.chunks_exact_mut(sums.len()).enumerate() {
        sums.fill(0);
        let taps = (0..kernel[0]).flat_map(|r| (0..kernel[1]).map(move |c| (r, c)));
        for ((r, c), &weight) in taps.zip(weights) {
            let x = &plane[(row * stride[0] + r * dilation[0]) * columns + c * dilation[1]..];
            let weight = i32::from(weight);
            let add = |(sum, &x): (&mut i32, &i16)| *sum = sum.wrapping_add(i32::from(x).wrapping_mul(weight));
            match stride[1] {
                1 => sums.iter_mut().zip(x).for_each(add),
                stride => sums.iter_mut().zip(x.iter().step_by(stride)).for_each(add),
            }
        }
        requantise_row(&conv.requant, output, sums, y);
    }
}

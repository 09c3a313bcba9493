//! Pools: the largest of a window, the mean of a window, the mean of a plane.
//!
//! A row of outputs is swept tap by tap, so that every output meets its window's elements row by row, from the first
//! column on: an order that the f32 sums of [`average`] depend on.

use super::centred;
use crate::{
    formula::{mean, requantise},
    ir::{AveragePool, GlobalAveragePool, MaxPool, Window},
};

/// Padding never wins: every window of an admitted pool holds at least one element.
pub(super) fn max(pool: &MaxPool, x: &[u8], y: &mut [u8]) {
    // With the top bit flipped, signed bytes sort like unsigned ones.
    let flip = if pool.signed { 0x80 } else { 0 };
    each_row(&pool.window, x, y, |plane, row, y| {
        y.fill(0);
        sweep(&pool.window, row, plane, y, |most, x| *most = (*most).max(x ^ flip));
        y.iter_mut().for_each(|y| *y ^= flip);
    });
}

/// The sum is in f32 because ONNX Runtime's is.
pub(super) fn average(pool: &AveragePool, x: &[u8], y: &mut [u8]) {
    let mut sums = vec![(0.0f32, 0usize); pool.window.output[1]];
    each_row(&pool.window, x, y, |plane, row, y| {
        sums.fill((0.0, 0));
        sweep(&pool.window, row, plane, &mut sums, |(sum, count), x| {
            *sum += pool.reals[usize::from(x)];
            *count += 1;
        });
        for (y, &(sum, count)) in y.iter_mut().zip(&sums) {
            let count = if pool.count_pad { pool.window.taps() } else { count };
            *y = mean(sum, count, pool.scale, pool.range);
        }
    });
}

pub(super) fn global_average(pool: &GlobalAveragePool, x: &[u8], y: &mut [u8]) {
    for (y, x) in y.iter_mut().zip(x.chunks_exact(pool.size)) {
        let sum = centred(pool.x, x).fold(0i32, |sum, value| sum.wrapping_add(i32::from(value)));
        *y = requantise(sum, pool.scale, pool.range);
    }
}

fn each_row(window: &Window, x: &[u8], y: &mut [u8], mut each: impl FnMut(&[u8], usize, &mut [u8])) {
    let planes = x.chunks_exact(window.input.iter().product()).zip(y.chunks_exact_mut(window.places()));
    for (plane, y) in planes {
        for (row, y) in y.chunks_exact_mut(window.output[1]).enumerate() {
            each(plane, row, y);
        }
    }
}

/// Shows each output of row `row` every element of its window.
fn sweep<A>(window: &Window, row: usize, plane: &[u8], outputs: &mut [A], step: impl Fn(&mut A, u8)) {
    let [_, width] = window.input;
    let (stride, pad) = (window.stride[1], window.pad[1]);
    let rows = (0..window.kernel[0]).filter_map(|tap| window.source(0, row, tap));
    for line in rows.filter_map(|row| plane.get(row * width..(row + 1) * width)) {
        for offset in (0..window.kernel[1]).map(|tap| tap * window.dilation[1]) {
            // The first output whose tap is not in the padding, and where that tap reads.
            let first = pad.saturating_sub(offset).div_ceil(stride);
            let begin = first * stride + offset - pad;
            let from = line.iter().skip(begin).step_by(stride);
            outputs.iter_mut().skip(first).zip(from).for_each(|(output, &x)| step(output, x));
        }
    }
}

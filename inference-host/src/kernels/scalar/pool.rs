//! Pools: the largest of a window, the mean of a window, the mean of a plane.
//!
//! Every output meets its window's elements row by row, from the first column on: an order that the f32 sums of means
//! depend on. All channels of a place are computed together.

use crate::{
    formula::{mean, requantise},
    ir::{AveragePool, GlobalAveragePool, MaxPool, Window},
    kernels::{Run, Scratch, room},
};

/// Padding never wins: every window of an admitted pool holds at least one element.
impl Run for MaxPool {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        // With the top bit flipped, signed bytes sort like unsigned ones.
        let flip = if self.signed { 0x80 } else { 0 };
        each_place(&self.window, self.channels, inputs[0], y, |elements, y| {
            y.fill(0);
            for x in elements {
                y.iter_mut().zip(x).for_each(|(most, &x)| *most = (*most).max(x ^ flip));
            }
            y.iter_mut().for_each(|y| *y ^= flip);
        });
    }
}

/// The sum is in f32 because ONNX Runtime's is.
impl Run for AveragePool {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        each_place(&self.window, self.channels, inputs[0], y, |elements, y| {
            let elements: Vec<&[u8]> = elements.collect();
            let count = if self.count_pad { self.window.taps() } else { elements.len() };
            for (channel, y) in y.iter_mut().enumerate() {
                let sum = elements.iter().fold(0.0, |sum, x| sum + self.reals[usize::from(x[channel])]);
                *y = mean(sum, count, self.scale, self.range);
            }
        });
    }
}

impl Run for GlobalAveragePool {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let sums = room(&mut scratch.sums, self.channels);
        let (flip, base) = if self.x.signed { (0x80, 128 + self.x.zero) } else { (0, self.x.zero) };
        let whole = inputs[0].chunks_exact(self.channels * self.size);
        for (x, y) in whole.zip(y.chunks_exact_mut(self.channels)) {
            sums.fill(0);
            for x in x.chunks_exact(self.channels) {
                let add = |(sum, &x): (&mut i32, &u8)| *sum = sum.wrapping_add(i32::from(x ^ flip) - base);
                sums.iter_mut().zip(x).for_each(add);
            }
            for (y, &sum) in y.iter_mut().zip(&*sums) {
                *y = requantise(sum, self.scale, self.range);
            }
        }
    }
}

/// Shows each place of the output the elements of its window, all channels of one place of the input at a time.
fn each_place(
    window: &Window,
    channels: usize,
    x: &[u8],
    y: &mut [u8],
    mut each: impl FnMut(&mut dyn Iterator<Item = &[u8]>, &mut [u8]),
) {
    let images = x.chunks_exact(channels * window.input[0] * window.input[1]);
    for (x, y) in images.zip(y.chunks_exact_mut(channels * window.places())) {
        for (place, y) in y.chunks_exact_mut(channels).enumerate() {
            let (row, column) = (place / window.output[1], place % window.output[1]);
            let rows = (0..window.kernel[0]).filter_map(|tap| window.source(0, row, tap));
            let mut elements = rows.flat_map(|row| {
                let columns = (0..window.kernel[1]).filter_map(move |tap| window.source(1, column, tap));
                columns.map(move |column| &x[(row * window.input[1] + column) * channels..][..channels])
            });
            each(&mut elements, y);
        }
    }
}

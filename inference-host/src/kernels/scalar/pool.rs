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
    #[inline(always)]
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        // With the top bit flipped, signed bytes sort like unsigned ones.
        let flip = if self.signed { 0x80 } else { 0 };
        each_place(&self.window, self.channels, inputs[0], y, |x, place, y| {
            y.fill(0);
            elements(&self.window, x, place, |x| {
                y.iter_mut().zip(x).for_each(|(most, &x)| *most = (*most).max(x ^ flip));
            });
            y.iter_mut().for_each(|y| *y ^= flip);
        });
    }
}

/// The sum is in f32 because ONNX Runtime's is.
impl Run for AveragePool {
    #[inline(always)]
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let sums = room(&mut scratch.floats, self.channels);
        each_place(&self.window, self.channels, inputs[0], y, |x, place, y| {
            sums.fill(0.0);
            let mut count = 0;
            elements(&self.window, x, place, |x| {
                match &self.reals[..] {
                    [reals] => sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += reals[usize::from(x)]),
                    each => {
                        sums.iter_mut().zip(x).zip(each).for_each(|((sum, &x), reals)| *sum += reals[usize::from(x)])
                    }
                }
                count += 1;
            });
            let count = if self.count_pad { self.window.taps() } else { count };
            for (y, &sum) in y.iter_mut().zip(&*sums) {
                *y = mean(sum, count, self.scale, self.range);
            }
        });
    }
}

/// The zero point is taken out once, of the whole sum.
impl Run for GlobalAveragePool {
    #[inline(always)]
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let sums = room(&mut scratch.sums, self.channels);
        let (flip, base) = if self.x.signed { (0x80, 128 + self.x.zero) } else { (0, self.x.zero) };
        // Admission holds planes below 2^24 elements.
        let bases = base.wrapping_mul(i32::try_from(self.size).unwrap_or(i32::MAX));
        let whole = inputs[0].chunks_exact(self.channels * self.size);
        for (x, y) in whole.zip(y.chunks_exact_mut(self.channels)) {
            sums.fill(0);
            for x in x.chunks_exact(self.channels) {
                sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum = sum.wrapping_add(i32::from(x ^ flip)));
            }
            for (y, &sum) in y.iter_mut().zip(&*sums) {
                *y = requantise(sum.wrapping_sub(bases), self.scale, self.range);
            }
        }
    }
}

/// Each place of the output, with its image.
#[inline(always)]
fn each_place(window: &Window, channels: usize, x: &[u8], y: &mut [u8], mut each: impl FnMut(&[u8], usize, &mut [u8])) {
    let images = x.chunks_exact(channels * window.input[0] * window.input[1]);
    for (x, y) in images.zip(y.chunks_exact_mut(channels * window.places())) {
        for (place, y) in y.chunks_exact_mut(channels).enumerate() {
            each(x, place, y);
        }
    }
}

/// The elements of a place's window, all channels of one place of the input at a time.
#[inline(always)]
fn elements(window: &Window, x: &[u8], place: usize, mut each: impl FnMut(&[u8])) {
    let channels = x.len() / (window.input[0] * window.input[1]);
    let (row, column) = (place / window.output[1], place % window.output[1]);
    for row in (0..window.kernel[0]).filter_map(|tap| window.source(0, row, tap)) {
        for column in (0..window.kernel[1]).filter_map(|tap| window.source(1, column, tap)) {
            each(&x[(row * window.input[1] + column) * channels..][..channels]);
        }
    }
}

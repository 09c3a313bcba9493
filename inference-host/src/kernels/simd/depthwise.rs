//! Convolutions in which every channel has a window of its own.
//!
//! Lanes are channels. The taps of a window's column that lie below each other are brought together into quads once
//! ([`Lanes::interleave`]), and each output in whose window that column lies takes them from the registers: with three
//! columns and a stride of one, every column serves three outputs.

use std::{hint::black_box, marker::PhantomData};

use super::{
    lanes::{Lanes, Lines, Range, Task, block, finish, quad, write_lanes},
    plane,
};
use crate::{
    formula,
    ir::{Centre, Conv, Window},
    kernels::{Form, Run, Scratch, room, scalar::products::Rows},
    packed::{Field, Writer, fields},
};

/// Outputs of a row that are computed together.
const STRIP: usize = 4;

#[derive(Debug)]
pub(super) struct Depthwise<L> {
    window: Window,
    x: Centre,
    range: formula::Range,
    channels: usize,
    /// `[block][column][rows][vector][lane]`, a quad each: of a block of channels, `STEP` rows of a column.
    quads: Lines,
    /// `[block][vector][lane]`: what sums begin with, and multipliers.
    begin: Lines,
    scales: Lines,
    lanes: PhantomData<L>,
}

fields!(for<L: Lanes> Depthwise { window, x, range, channels, quads, begin, scales, lanes });

impl<L: Lanes> Depthwise<L> {
    pub(super) fn new(conv: &Conv) -> Option<Self> {
        let (channels, window) = (conv.groups, conv.window);
        let [rows, columns] = window.kernel;
        let input = channels * window.input[0] * window.input[1];
        // The plane and the weights must not be much larger than what was reckoned with.
        if plane::size(&window, channels, 4 / L::STEP) as u64 > 4 * input as u64 + (1 << 20) {
            return None;
        }
        let padded = channels.next_multiple_of(block::<L>());
        let tall = rows.div_ceil(L::STEP);
        let count = padded.checked_mul(columns * tall)?;
        if count as u64 * 4 > 2 * conv.filter.packed() + 4096 {
            return None;
        }
        let weights = Rows::new(&conv.filter);
        if L::STEP == 4 && !weights.words.iter().all(|word| i8::try_from(*word).is_ok()) {
            return None;
        }
        let (mut quads, mut begin, mut scales) = (Lines::zeros(count), Lines::zeros(padded), Lines::zeros(padded));
        for channel in 0..channels {
            let words = &weights.words[channel * weights.depth..][..weights.depth];
            let (first, (vector, lane)) = (channel / block::<L>(), L::lane_of(channel % block::<L>()));
            for (c, r) in (0..columns).flat_map(|c| (0..tall).map(move |r| (c, r))) {
                let taps: Vec<i16> = (r * L::STEP..rows).take(L::STEP).map(|row| words[row * columns + c]).collect();
                let at = ((first * columns + c) * tall + r) * L::STEP + vector;
                quads.set(at * L::LANES + lane, quad::<L>(&taps));
            }
            let (bias, scale) = conv.requant.of(channel);
            let sum = words.iter().fold(0i32, |sum, &word| sum.wrapping_add(i32::from(word)));
            let at = (first * L::STEP + vector) * L::LANES + lane;
            begin.set(at, bias.wrapping_sub(sum.wrapping_mul(plane::zero(conv.x))));
            scales.set(at, scale.to_bits().cast_signed());
        }
        let (x, range, lanes) = (conv.x, conv.requant.range, PhantomData);
        Some(Self { window, x, range, channels, quads, begin, scales, lanes })
    }
}

impl<L: Lanes> Run for Depthwise<L> {
    fn pack(&self, to: &mut Writer) -> bool {
        Form::Strips.write(to);
        write_lanes::<L>(to);
        self.write(to);
        true
    }

    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let Self { window, x: centre, channels, .. } = self;
        let word = 4 / L::STEP;
        let reach = window.reach();
        let as_it_is = word == 1
            && !centre.signed
            && window.pad == [0, 0]
            && reach[0] <= window.input[0]
            && reach[1] <= window.input[1]
            && channels % block::<L>() == 0;
        let columns = if as_it_is { window.input[1] } else { reach[1] };
        let images = inputs[0].chunks_exact(channels * window.input[0] * window.input[1]);
        for (x, y) in images.zip(y.chunks_exact_mut(channels * window.places())) {
            let plane = if as_it_is {
                x
            } else {
                let plane = room(&mut scratch.bytes, plane::size(window, *channels, word));
                plane::lay_out(x, *centre, window, *channels, word, plane);
                &*plane
            };
            let task = Strips { op: self, plane, line: columns * channels * word, pixel: channels * word, y };
            // SAFETY: a `Vectors<L>`, which alone makes these, is there only where the processor has these instructions.
            unsafe { L::enter(task) };
        }
    }
}

/// One image.
struct Strips<'a, L> {
    op: &'a Depthwise<L>,
    plane: &'a [u8],
    /// Bytes of a row and of a place of the plane.
    line: usize,
    pixel: usize,
    y: &'a mut [u8],
}

impl<L: Lanes> Task<L> for Strips<'_, L> {
    #[inline(always)]
    unsafe fn run(self) {
        // The usual shapes are compiled with their numbers.
        let Window { kernel, stride, dilation, .. } = self.op.window;
        // SAFETY: the caller's.
        unsafe {
            match (kernel[1], stride[1], dilation[1]) {
                (3, 1, 1) => self.rows::<3, 1>(),
                (3, 2, 1) => self.rows::<3, 2>(),
                (5, 1, 1) => self.rows::<5, 1>(),
                (5, 2, 1) => self.rows::<5, 2>(),
                _ => self.rows::<0, 0>(),
            }
        }
    }
}

/// What a strip reads and writes.
struct Strip<V> {
    /// The block's first channel at the first output's first tap.
    x: *const u8,
    quads: *const i32,
    begin: *const i32,
    scales: *const i32,
    y: *mut u8,
    /// Channels of the block that there are.
    width: usize,
    range: Range<V>,
}

impl<L: Lanes> Strips<'_, L> {
    /// # Safety
    /// The processor has the instructions of `L`.
    #[inline(always)]
    unsafe fn rows<const COLUMNS: usize, const STRIDE: usize>(self) {
        let Depthwise { window, channels, quads, begin, scales, range, .. } = self.op;
        let Window { kernel, stride, output, .. } = *window;
        let (blocks, tall) = (channels.div_ceil(block::<L>()), kernel[0].div_ceil(L::STEP));

        // What every pointer below stays within: the last block of the last tap of the last place, quads, outputs.
        let reach = window.reach();
        let last = (reach[0] - 1) * self.line + (reach[1] - 1) * self.pixel + blocks * block::<L>() * (4 / L::STEP);
        assert!(last <= self.plane.len(), "strips stay in their plane");
        assert!(blocks * kernel[1] * tall * block::<L>() <= quads.len(), "strips stay in their weights");
        assert!(blocks * block::<L>() <= begin.len().min(scales.len()), "there are parameters");
        assert!(window.places() * channels <= self.y.len(), "strips stay in their output");

        for row in 0..output[0] {
            for index in 0..blocks {
                let first = index * block::<L>();
                let mut column = 0;
                while column < output[1] {
                    // SAFETY: offsets are within what was asserted.
                    unsafe {
                        let from = row * stride[0] * self.line + column * stride[1] * self.pixel;
                        let strip = Strip {
                            x: self.plane.as_ptr().add(from + first * (4 / L::STEP)),
                            quads: quads.as_ptr().add(first * kernel[1] * tall),
                            begin: begin.as_ptr().add(first),
                            scales: scales.as_ptr().add(first),
                            y: self.y.as_mut_ptr().add((row * output[1] + column) * channels + first),
                            width: (channels - first).min(block::<L>()),
                            range: Range::new::<L>(*range),
                        };
                        if output[1] - column >= STRIP {
                            self.strip::<STRIP, COLUMNS, STRIDE>(&strip);
                            column += STRIP;
                        } else {
                            self.strip::<1, COLUMNS, STRIDE>(&strip);
                            column += 1;
                        }
                    }
                }
            }
        }
    }

    /// `P` outputs of a row, of one block. Without `COLUMNS` the window's own numbers are taken.
    ///
    /// # Safety
    /// The processor has the instructions of `L`, and the strip lies within plane, weights and output.
    #[inline(always)]
    unsafe fn strip<const P: usize, const COLUMNS: usize, const STRIDE: usize>(&self, strip: &Strip<L::V>) {
        let Window { kernel, stride, dilation, .. } = self.op.window;
        let (columns, stride, dilated) =
            if COLUMNS > 0 { (COLUMNS, STRIDE, 1) } else { (kernel[1], stride[1], dilation[1]) };
        let tall = kernel[0].div_ceil(L::STEP);
        // SAFETY: the caller's.
        unsafe {
            let mut sums = [[L::splat(0); 4]; P];
            for v in 0..L::STEP {
                let begin = L::load(strip.begin.add(v * L::LANES));
                for sums in &mut sums {
                    sums[v] = begin;
                }
            }
            let per_column = tall * L::STEP * L::LANES;
            let span = (P - 1) * stride + (columns - 1) * dilated + 1;
            for rows in 0..tall {
                // Taps below the window have no weight; they read the last row.
                let line = |tap: usize| (rows * L::STEP + tap).min(kernel[0] - 1) * dilation[0] * self.line;
                let mut taps = [0, 1, 2, 3].map(|tap| strip.x.add(line(tap)));
                let quads = strip.quads.add(rows * L::STEP * L::LANES);
                for at in 0..span {
                    let x = L::interleave(taps);
                    taps = taps.map(|tap| tap.wrapping_add(self.pixel));
                    for (p, sums) in sums.iter_mut().enumerate() {
                        // What lies before this output's window wraps, and is beyond its columns too.
                        let tap = at.wrapping_sub(p * stride);
                        let column = tap / dilated;
                        if column < columns && tap % dilated == 0 {
                            let quads = quads.add(column.wrapping_mul(per_column));
                            for v in 0..L::STEP {
                                sums[v] = L::dot(sums[v], x[v], L::load(quads.add(v * L::LANES)));
                            }
                        }
                    }
                }
            }
            // A copy, because what is indexed lies in memory, and the sums above must be in registers.
            let sums = black_box(sums);
            let mut scales = [L::splat(0); 4];
            for (v, scale) in scales.iter_mut().enumerate().take(L::STEP) {
                *scale = L::load(strip.scales.add(v * L::LANES));
            }
            for (p, &sums) in sums.iter().enumerate() {
                finish::<L>(sums, scales, &strip.range, strip.y.add(p * self.op.channels), strip.width);
            }
        }
    }
}

//! Convolutions: as matrix products over gathered windows, or directly where every channel has a window of its own.

use super::products::{Finish, Rows, TILE, products};
use crate::{
    formula::requantise,
    ir::{Centre, Conv, Requant, Window},
    kernels::{Form, Run, Scratch, centred, narrow, room},
    packed::{Field, Writer, fields},
};

pub(super) fn prepare(conv: Conv) -> Box<dyn Run> {
    if conv.is_depthwise() {
        return Box::new(Depthwise::new(&conv));
    }
    let finish = Finish::Bytes(conv.requant.clone());
    Box::new(Gathered::new(&conv, finish))
}

/// The convolution's sums as they are.
pub(super) fn sums(conv: &Conv) -> Box<dyn Run> {
    Box::new(Gathered::new(conv, Finish::Sums))
}

/// What is left of a convolution when its weights are packed.
#[derive(Debug)]
pub(super) struct Gathered {
    groups: usize,
    /// Input channels of one group.
    channels: usize,
    window: Window,
    x: Centre,
    finish: Finish,
    weights: Rows,
}

fields!(Gathered { groups, channels, window, x, finish, weights });

impl Gathered {
    fn new(conv: &Conv, finish: Finish) -> Self {
        let Conv { groups, channels, window, x, ref filter, .. } = *conv;
        Self { groups, channels, window, x, finish, weights: Rows::new(filter) }
    }

    /// What the window at `place` sees of a group's channels, `[tap][channel]`; padding is zero.
    fn gather(&self, x: &[u8], group: usize, place: usize, into: &mut [i16]) {
        let Self { groups, channels, window, .. } = *self;
        let pixel = groups * channels;
        let (row, column) = (place / window.output[1], place % window.output[1]);
        let mut taps = into.chunks_exact_mut(channels);
        for r in 0..window.kernel[0] {
            let line = window.source(0, row, r);
            for (c, to) in (0..window.kernel[1]).zip(&mut taps) {
                match line.zip(window.source(1, column, c)) {
                    Some((row, column)) => {
                        let from = &x[(row * window.input[1] + column) * pixel + group * channels..][..channels];
                        to.iter_mut().zip(centred(self.x, from)).for_each(|(to, from)| *to = from);
                    }
                    None => to.fill(0),
                }
            }
        }
    }
}

impl Run for Gathered {
    fn pack(&self, to: &mut Writer) -> bool {
        Form::Gathered.write(to);
        self.write(to);
        true
    }

    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let Self { groups, channels, window, weights, finish, .. } = self;
        let (depth, outputs, place) = (weights.depth, weights.rows() / groups, weights.rows() * finish.width());
        let (read, written) = (groups * channels * window.input[0] * window.input[1], place * window.places());
        let rows = room(&mut scratch.words, TILE * depth);
        let sums = room(&mut scratch.sums, TILE * outputs);
        // What lies behind a window's last number is multiplied by zero, and must not be left from elsewhere.
        rows.fill(0);
        for (x, y) in inputs[0].chunks_exact(read).zip(y.chunks_exact_mut(written)) {
            for group in 0..*groups {
                let of_group = &weights.words[group * outputs * depth..][..outputs * depth];
                for start in (0..window.places()).step_by(TILE) {
                    let places = TILE.min(window.places() - start);
                    for (at, row) in (start..start + places).zip(rows.chunks_exact_mut(depth)) {
                        self.gather(x, group, at, row);
                    }
                    products(rows, of_group, depth, places, sums);
                    let y = &mut y[start * place..][..places * place];
                    finish.write(sums, group * outputs, outputs, y.chunks_exact_mut(place));
                }
            }
        }
    }
}

/// A window of its own for every channel.
#[derive(Debug)]
pub(super) struct Depthwise {
    window: Window,
    x: Centre,
    requant: Requant,
    channels: usize,
    /// `[tap][channel]`, centred.
    weights: Vec<i16>,
}

fields!(Depthwise { window, x, requant, channels, weights });

impl Depthwise {
    fn new(conv: &Conv) -> Self {
        let channels = conv.groups;
        let rows = Rows::new(&conv.filter);
        let mut weights = vec![0; conv.filter.depth * channels];
        for (tap, weights) in weights.chunks_exact_mut(channels).enumerate() {
            for (channel, weight) in weights.iter_mut().enumerate() {
                *weight = rows.words[channel * rows.depth + tap];
            }
        }
        Self { window: conv.window, x: conv.x, requant: conv.requant.clone(), channels, weights }
    }
}

impl Run for Depthwise {
    fn pack(&self, to: &mut Writer) -> bool {
        Form::Single.write(to);
        self.write(to);
        true
    }

    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let Self { window, x: centre, requant, channels, weights } = self;
        let sums = room(&mut scratch.sums, *channels);
        let base = if centre.signed { 128 } else { 0 } + narrow(centre.zero);
        let flip = if centre.signed { 0x80 } else { 0 };
        let images = inputs[0].chunks_exact(channels * window.input[0] * window.input[1]);
        for (x, y) in images.zip(y.chunks_exact_mut(channels * window.places())) {
            for (place, y) in y.chunks_exact_mut(*channels).enumerate() {
                sums.fill(0);
                let (row, column) = (place / window.output[1], place % window.output[1]);
                for (tap, weights) in weights.chunks_exact(*channels).enumerate() {
                    let (r, c) = (tap / window.kernel[1], tap % window.kernel[1]);
                    let Some((row, column)) = window.source(0, row, r).zip(window.source(1, column, c)) else {
                        continue;
                    };
                    let x = &x[(row * window.input[1] + column) * channels..][..*channels];
                    for ((sum, &x), &weight) in sums.iter_mut().zip(x).zip(weights) {
                        let x = i16::from(x ^ flip).wrapping_sub(base);
                        *sum = sum.wrapping_add(i32::from(x).wrapping_mul(i32::from(weight)));
                    }
                }
                for (channel, (y, &sum)) in y.iter_mut().zip(&*sums).enumerate() {
                    let (bias, scale) = requant.of(channel);
                    *y = requantise(sum.wrapping_add(bias), scale, requant.range);
                }
            }
        }
    }
}

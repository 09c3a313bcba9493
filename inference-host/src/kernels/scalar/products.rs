//! Products of 16-bit rows with sums of 32 bits: the heart of convolutions and matrix products.
//!
//! Weights and inputs are rows of the same length, a multiple of [`LANES`], filled up with zeros. A tile of input rows
//! stays in the first cache while every row of weights meets it; the compiler turns [`dot`] into the processor's
//! pairwise multiply-and-add, which is exact.

use crate::{
    PackedError,
    formula::{Range, number, requantise},
    ir::{self, Centre, Filter, Order, Requant},
    kernels::{Form, Run, Scratch, centred, narrow, room},
    onnx::constant::Data,
    packed::{Field, Reader, Writer, fields},
};

/// Rows are padded to a multiple of this many numbers.
const LANES: usize = 16;
/// Input rows that are computed before they are written out.
pub(super) const TILE: usize = 16;

/// Weights, centred: rows of `depth` numbers, `[tap][channel]`.
#[derive(Debug)]
pub(in crate::kernels) struct Rows {
    /// Numbers in a row, padding included.
    pub(in crate::kernels) depth: usize,
    pub(in crate::kernels) words: Vec<i16>,
}

fields!(Rows { depth, words });

impl Rows {
    /// Numbers that a row of `depth` takes.
    pub(super) fn padded(depth: usize) -> usize {
        depth.next_multiple_of(LANES)
    }

    /// Each row is centred by its zero point.
    pub(in crate::kernels) fn new(filter: &Filter) -> Self {
        let depth = Self::padded(filter.depth);
        let mut words = vec![0; filter.rows * depth];
        let Data::Byte { signed, bytes } = &filter.source.data else { return Self { depth, words } };
        for (index, row) in words.chunks_exact_mut(depth).enumerate() {
            let zero = filter.zeros[index % filter.zeros.len()];
            let centre = |byte: u8| narrow(number(*signed, byte) - zero);
            match filter.order {
                Order::Columns => {
                    let column = bytes.iter().skip(index).step_by(filter.rows);
                    row.iter_mut().zip(column).for_each(|(word, &byte)| *word = centre(byte));
                }
                Order::Channels(channels) => {
                    let taps = filter.depth / channels;
                    let bytes = &bytes[index * filter.depth..][..filter.depth];
                    for (tap, words) in row.chunks_exact_mut(channels).take(taps).enumerate() {
                        let of_tap = bytes.iter().skip(tap).step_by(taps);
                        words.iter_mut().zip(of_tap).for_each(|(word, &byte)| *word = centre(byte));
                    }
                }
            }
        }
        Self { depth, words }
    }

    pub(in crate::kernels) fn rows(&self) -> usize {
        self.words.len() / self.depth
    }
}

/// `sums[r][p] = Σ x[p][k] · w[r][k]` for rows `r` of `w` and the `places` rows `p` of `x`; `sums` has rows of [`TILE`].
pub(super) fn products(x: &[i16], w: &[i16], depth: usize, places: usize, sums: &mut [i32]) {
    for (w, sums) in w.chunks_exact(depth).zip(sums.chunks_exact_mut(TILE)) {
        for (sum, x) in sums.iter_mut().take(places).zip(x.chunks_exact(depth)) {
            *sum = dot(x, w);
        }
    }
}

#[inline(always)]
fn dot(x: &[i16], w: &[i16]) -> i32 {
    let product = |(&x, &w): (&i16, &i16)| i32::from(x).wrapping_mul(i32::from(w));
    x.iter().zip(w).map(product).fold(0, i32::wrapping_add)
}

/// What becomes of sums.
#[derive(Debug)]
pub(super) enum Finish {
    Bytes(Requant),
    /// 32 bits each, as they are.
    Sums,
}

impl Field for Finish {
    fn write(&self, to: &mut Writer) {
        let requant = match self {
            Self::Bytes(requant) => Some(requant.clone()),
            Self::Sums => None,
        };
        requant.write(to);
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        Ok(Option::read(from)?.map_or(Self::Sums, Self::Bytes))
    }
}

impl Finish {
    /// Bytes of one result.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Bytes(_) => 1,
            Self::Sums => SUM,
        }
    }

    /// Writes the results of `count` channels from `first` on into the places of `y`.
    pub(super) fn write<'a>(&self, sums: &[i32], first: usize, count: usize, y: impl Iterator<Item = &'a mut [u8]>) {
        match self {
            Self::Bytes(requant) => finish(requant, sums, first, count, y),
            Self::Sums => as_they_are(sums, y.map(|y| &mut y[first * SUM..][..count * SUM])),
        }
    }
}

/// Bytes of a sum.
pub(super) const SUM: usize = size_of::<i32>();

/// Writes the sums of whole places.
pub(super) fn as_they_are<'a>(sums: &[i32], y: impl Iterator<Item = &'a mut [u8]>) {
    for (place, y) in y.enumerate() {
        for (y, sum) in y.as_chunks_mut::<SUM>().0.iter_mut().zip(sums.iter().skip(place).step_by(TILE)) {
            *y = sum.to_le_bytes();
        }
    }
}

/// Requantises the sums of `count` channels from `first` on into the places of `y`.
fn finish<'a>(requant: &Requant, sums: &[i32], first: usize, count: usize, y: impl Iterator<Item = &'a mut [u8]>) {
    for (place, y) in y.enumerate() {
        let of_place = sums.iter().skip(place).step_by(TILE);
        for (row, (y, &sum)) in y[first..first + count].iter_mut().zip(of_place).enumerate() {
            let (bias, scale) = requant.of(first + row);
            *y = requantise(sum.wrapping_add(bias), scale, requant.range);
        }
    }
}

/// Requantises the sums of whole places by one multiplier.
pub(super) fn requantised<'a>(sums: &[i32], scale: f32, range: Range, y: impl Iterator<Item = &'a mut [u8]>) {
    for (place, y) in y.enumerate() {
        for (y, &sum) in y.iter_mut().zip(sums.iter().skip(place).step_by(TILE)) {
            *y = requantise(sum, scale, range);
        }
    }
}

#[derive(Debug)]
pub(super) struct MatMul {
    x: Centre,
    /// Numbers in a row of the left side.
    depth: usize,
    finish: Finish,
    weights: Rows,
}

fields!(MatMul { x, depth, finish, weights });

impl MatMul {
    pub(super) fn new(matmul: &ir::MatMul) -> Self {
        Self::finished(matmul, Finish::Bytes(matmul.requant.clone()))
    }

    pub(super) fn finished(matmul: &ir::MatMul, finish: Finish) -> Self {
        let ir::MatMul { x, filter, .. } = matmul;
        Self { x: *x, depth: filter.depth, finish, weights: Rows::new(filter) }
    }
}

impl Run for MatMul {
    fn pack(&self, to: &mut Writer) -> bool {
        Form::Rows.write(to);
        self.write(to);
        true
    }

    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let (columns, depth) = (self.weights.rows(), self.weights.depth);
        let rows = room(&mut scratch.words, TILE * depth);
        let sums = room(&mut scratch.sums, TILE * columns);
        rows.fill(0);
        let line = columns * self.finish.width();
        for (x, y) in inputs[0].chunks(TILE * self.depth).zip(y.chunks_mut(TILE * line)) {
            for (row, x) in rows.chunks_exact_mut(depth).zip(x.chunks_exact(self.depth)) {
                row.iter_mut().zip(centred(self.x, x)).for_each(|(to, from)| *to = from);
            }
            products(rows, &self.weights.words, depth, x.len() / self.depth, sums);
            self.finish.write(sums, 0, columns, y.chunks_exact_mut(line));
        }
    }
}

//! Products of 16-bit rows with sums of 32 bits: the heart of convolutions and matrix products.
//!
//! Weights and inputs are rows of the same length, a multiple of [`LANES`], filled up with zeros. A tile of input rows
//! stays in the first cache while every row of weights meets it; the compiler turns [`dot`] into the processor's
//! pairwise multiply-and-add, which is exact.

use super::{centred, narrow};
use crate::{
    formula::{number, requantise},
    ir::{Filter, MatMul, Order, Requant},
    onnx::constant::Data,
};

/// Rows are padded to a multiple of this many numbers.
pub(super) const LANES: usize = 16;
/// Input rows that are computed before they are written out.
pub(super) const TILE: usize = 16;

/// Weights, centred: `rows` rows of `depth` numbers.
#[derive(Debug)]
pub(crate) struct Packed {
    /// Numbers in a row, padding included.
    pub(super) depth: usize,
    pub(super) words: Vec<i16>,
}

/// `depth` filled up to whole lanes.
pub(crate) fn padded(depth: usize) -> usize {
    depth.next_multiple_of(LANES)
}

impl Packed {
    /// `[row][tap][channel]`, centred by the row's zero point.
    pub(super) fn new(filter: &Filter) -> Self {
        let depth = padded(filter.depth);
        let mut words = vec![0; filter.rows * depth];
        let Data::Byte { signed, bytes } = &filter.source.data else { return Self { depth, words } };
        for (index, row) in words.chunks_exact_mut(depth).enumerate() {
            let zero = filter.zeros[index % filter.zeros.len()];
            let centre = |at: usize| narrow(number(*signed, bytes[at]) - zero);
            match filter.order {
                Order::Columns => {
                    for (k, word) in row.iter_mut().take(filter.depth).enumerate() {
                        *word = centre(k * filter.rows + index);
                    }
                }
                Order::Channels(channels) => {
                    let taps = filter.depth / channels;
                    for (tap, words) in row.chunks_exact_mut(channels).take(taps).enumerate() {
                        for (channel, word) in words.iter_mut().enumerate() {
                            *word = centre(index * filter.depth + channel * taps + tap);
                        }
                    }
                }
            }
        }
        Self { depth, words }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.words[..])
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

/// Row `row`'s part of a requantisation, over places that lie side by side.
pub(super) fn requantise_row(requant: &Requant, row: usize, sums: &[i32], y: &mut [u8]) {
    let (bias, scale) = parameters(requant, row);
    for (y, &sum) in y.iter_mut().zip(sums) {
        *y = requantise(sum.wrapping_add(bias), scale, requant.range);
    }
}

fn parameters(requant: &Requant, row: usize) -> (i32, f32) {
    let bias = requant.bias.get(row).copied().unwrap_or(0);
    (bias, requant.scales[row % requant.scales.len()])
}

/// Working memory of [`matmul`], in bytes.
pub(crate) fn scratch(matmul: &MatMul) -> u64 {
    let words = padded(matmul.filter.depth) as u64 * 2 + matmul.filter.rows as u64 * 4;
    words.saturating_mul(TILE as u64)
}

pub(super) fn matmul(matmul: &MatMul, weights: &Packed, x: &[u8], y: &mut [u8]) {
    let (columns, depth) = (matmul.filter.rows, matmul.filter.depth);
    let mut rows = vec![0i16; TILE * weights.depth];
    let mut sums = vec![0i32; columns * TILE];
    for (x, y) in x.chunks(TILE * depth).zip(y.chunks_mut(TILE * columns)) {
        for (row, x) in rows.chunks_exact_mut(weights.depth).zip(x.chunks_exact(depth)) {
            row.iter_mut().zip(centred(matmul.x, x)).for_each(|(to, from)| *to = from);
        }
        products(&rows, &weights.words, weights.depth, x.len() / depth, &mut sums);
        for (p, y) in y.chunks_exact_mut(columns).enumerate() {
            for (column, (y, sums)) in y.iter_mut().zip(sums.chunks_exact(TILE)).enumerate() {
                let (bias, scale) = parameters(&matmul.requant, column);
                *y = requantise(sums[p].wrapping_add(bias), scale, matmul.requant.range);
            }
        }
    }
}

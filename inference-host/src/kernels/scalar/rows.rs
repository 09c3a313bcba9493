//! What looks at a whole row before it writes one of its elements, and products of computed matrices.

use super::products::{Rows, TILE, products, requantised};
use crate::{
    formula::{self, requantise},
    ir::{Mul, Normalise, Product, Softmax},
    kernels::{Run, Scratch, centred, room},
};

impl Run for Mul {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let sides = centred(self.a, inputs[0]).zip(centred(self.b, inputs[1]));
        for (y, (a, b)) in y.iter_mut().zip(sides) {
            *y = requantise(i32::from(a) * i32::from(b), self.scale, self.range);
        }
    }
}

impl Run for Product {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        matrices(self, inputs, scratch, y.chunks_mut(self.columns), |sums, y| {
            requantised(sums, self.scale, self.range, y)
        });
    }
}

/// Columns of the right side become rows once for each matrix; after that it is a product like any other. Each row of the
/// result is one of `y`; `finish` takes a tile of them with their sums.
pub(super) fn matrices<'a>(
    op: &Product,
    inputs: &[&[u8]],
    scratch: &mut Scratch,
    mut y: impl Iterator<Item = &'a mut [u8]>,
    finish: impl Fn(&[i32], &mut dyn Iterator<Item = &'a mut [u8]>),
) {
    let Product { rows, depth, columns, .. } = *op;
    let padded = Rows::padded(depth);
    let [left, right] = [rows * depth, depth * columns];
    let (words, sums) = (&mut scratch.words, room(&mut scratch.sums, TILE * columns));
    let (weights, tile) = room(words, (columns + TILE) * padded).split_at_mut(columns * padded);
    weights.fill(0);
    tile.fill(0);
    for (a, b) in inputs[0].chunks_exact(left).zip(inputs[1].chunks_exact(right)) {
        for (k, b) in b.chunks_exact(columns).enumerate() {
            let column = weights.iter_mut().skip(k).step_by(padded);
            column.zip(centred(op.b, b)).for_each(|(to, from)| *to = from);
        }
        for a in a.chunks(TILE * depth) {
            for (row, a) in tile.chunks_exact_mut(padded).zip(a.chunks_exact(depth)) {
                row.iter_mut().zip(centred(op.a, a)).for_each(|(to, from)| *to = from);
            }
            products(tile, weights, padded, a.len() / depth, sums);
            finish(sums, &mut y.by_ref().take(a.len() / depth));
        }
    }
}

/// Step by step over the whole row, so that the compiler can take several elements at once.
impl Run for Softmax {
    #[inline(always)]
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        // With the top bit flipped, signed bytes sort like unsigned ones.
        let flip = if self.signed { 0x80 } else { 0 };
        let (weights, shares) = (room(&mut scratch.sums, self.size), room(&mut scratch.floats, self.size));
        for (x, y) in inputs[0].chunks_exact(self.size).zip(y.chunks_exact_mut(self.size)) {
            let most = x.iter().fold(0, |most, x| most.max(x ^ flip));
            for (weight, x) in weights.iter_mut().zip(x) {
                // At most 2^30.
                *weight = self.weights[usize::from(most.wrapping_sub(x ^ flip))].cast_signed();
            }
            let whole = weights.iter().fold(0, |sum: i64, weight| sum.wrapping_add(i64::from(*weight)));
            formula::shares(weights, whole, shares);
            formula::quantise_row(shares, self.scale, self.range, y);
        }
    }
}

/// Rows have at most 2^16 elements, so every sum fits 32 bits; wrapping, so that the compiler can take several at once.
impl Run for Normalise {
    #[inline(always)]
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let size = self.gamma.len();
        let (count, length) = (i64::try_from(size).unwrap_or(i64::MAX), i32::try_from(size).unwrap_or(i32::MAX));
        let (flip, base) = if self.signed { (0x80, 128) } else { (0, 0) };
        let (differences, values) = (room(&mut scratch.sums, size), room(&mut scratch.floats, size));
        for (x, y) in inputs[0].chunks_exact(size).zip(y.chunks_exact_mut(size)) {
            let numbers = || x.iter().map(|&x| i32::from(x ^ flip).wrapping_sub(base));
            let sum = numbers().fold(0, i32::wrapping_add);
            let square = |x: i32| x.wrapping_mul(x).cast_unsigned();
            let squares = numbers().fold(0, |sum: u32, x| sum.wrapping_add(square(x)));
            let variance = count * i64::from(squares) - i64::from(sum) * i64::from(sum);
            let deviation = formula::deviation(variance, self.epsilon);
            let difference = |x: i32| length.wrapping_mul(x).wrapping_sub(sum);
            differences.iter_mut().zip(numbers()).for_each(|(to, x)| *to = difference(x));
            formula::normalised(differences, deviation, (&self.gamma, &self.beta), values);
            formula::quantise_row(values, self.scale, self.range, y);
        }
    }
}

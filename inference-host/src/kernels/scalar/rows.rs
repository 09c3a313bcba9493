//! What looks at a whole row before it writes one of its elements, and products of computed matrices.

use super::products::{Rows, TILE, requantised};
use crate::{
    formula::{self, number, requantise},
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

/// Columns of the right side become rows once for each matrix; after that it is a product like any other.
impl Run for Product {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let Self { rows, depth, columns, .. } = *self;
        let padded = Rows::padded(depth);
        let [left, right] = [rows * depth, depth * columns];
        let (words, sums) = (&mut scratch.words, room(&mut scratch.sums, TILE * columns));
        let (weights, tile) = room(words, (columns + TILE) * padded).split_at_mut(columns * padded);
        weights.fill(0);
        tile.fill(0);
        let matrices = inputs[0].chunks_exact(left).zip(inputs[1].chunks_exact(right));
        for ((a, b), y) in matrices.zip(y.chunks_exact_mut(rows * columns)) {
            for (k, b) in b.chunks_exact(columns).enumerate() {
                let column = weights.iter_mut().skip(k).step_by(padded);
                column.zip(centred(self.b, b)).for_each(|(to, from)| *to = from);
            }
            for (a, y) in a.chunks(TILE * depth).zip(y.chunks_mut(TILE * columns)) {
                for (row, a) in tile.chunks_exact_mut(padded).zip(a.chunks_exact(depth)) {
                    row.iter_mut().zip(centred(self.a, a)).for_each(|(to, from)| *to = from);
                }
                super::products::products(tile, weights, padded, a.len() / depth, sums);
                requantised(sums, self.scale, self.range, y.chunks_exact_mut(columns));
            }
        }
    }
}

impl Run for Softmax {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        // With the top bit flipped, signed bytes sort like unsigned ones.
        let flip = if self.signed { 0x80 } else { 0 };
        for (x, y) in inputs[0].chunks_exact(self.size).zip(y.chunks_exact_mut(self.size)) {
            let most = x.iter().map(|x| x ^ flip).max().unwrap_or(0);
            let weight = |x: &u8| self.weights[usize::from(most - (x ^ flip))];
            let whole = x.iter().map(|x| u64::from(weight(x))).sum();
            for (y, x) in y.iter_mut().zip(x) {
                *y = formula::share(weight(x), whole, self.scale, self.range);
            }
        }
    }
}

impl Run for Normalise {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let size = self.gamma.len();
        let count = i64::try_from(size).unwrap_or(i64::MAX);
        for (x, y) in inputs[0].chunks_exact(size).zip(y.chunks_exact_mut(size)) {
            let numbers = || x.iter().map(|&x| i64::from(number(self.signed, x)));
            let (sum, squares) = numbers().fold((0, 0), |(sum, squares), x| (sum + x, squares + x * x));
            let deviation = formula::deviation(count * squares - sum * sum, self.epsilon);
            let parameters = self.gamma.iter().zip(&self.beta);
            for ((y, x), (&gamma, &beta)) in y.iter_mut().zip(numbers()).zip(parameters) {
                let value = formula::normalised(count * x - sum, deviation, gamma, beta);
                *y = formula::byte(formula::quantise(value, self.scale, self.range));
            }
        }
    }
}

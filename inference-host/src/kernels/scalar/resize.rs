//! Planes in another size, between their neighbours.

use crate::{
    formula,
    ir::{Between, Resize},
    kernels::{Run, Scratch},
};

impl Run for Resize {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let Self { channels, input: [height, width], rows, columns, .. } = self;
        let images = inputs[0].chunks_exact(channels * height * width);
        for (x, y) in images.zip(y.chunks_exact_mut(channels * rows.len() * columns.len())) {
            let at = |row: usize, column: usize| &x[(row * width + column) * channels..][..*channels];
            for (row, y) in rows.iter().zip(y.chunks_exact_mut(channels * columns.len())) {
                for (column, y) in columns.iter().zip(y.chunks_exact_mut(*channels)) {
                    self.place(row, column, at, y);
                }
            }
        }
    }
}

impl Resize {
    /// All channels of a place.
    fn place<'a>(&self, row: &Between, column: &Between, at: impl Fn(usize, usize) -> &'a [u8], y: &mut [u8]) {
        let upper = at(row.first, column.first).iter().zip(at(row.first, column.second));
        let lower = at(row.second, column.first).iter().zip(at(row.second, column.second));
        for ((y, (&a, &b)), (&c, &d)) in y.iter_mut().zip(upper).zip(lower) {
            let value = formula::between(&self.reals, [a, b, c, d], [row.share, column.share]);
            *y = formula::byte(formula::quantise(value, self.scale, self.range));
        }
    }
}

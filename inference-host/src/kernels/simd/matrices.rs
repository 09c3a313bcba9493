//! Products of two computed matrices.

use std::marker::PhantomData;

use super::lanes::{Lanes, Range, Task};
use crate::{
    ir::Product,
    kernels::{Run, Scratch, centred, room},
};

/// Rows of the left matrix that are taken at once, and vectors of columns of the right one.
const ROWS: usize = 4;
const VECTORS: usize = 2;

#[derive(Debug)]
struct Matrices<L> {
    op: Product,
    lanes: PhantomData<L>,
}

/// The product of matrices, ready to run, over vectors of 16-bit numbers.
pub(super) fn prepare<L: Lanes>(op: Product) -> Box<dyn Run> {
    const { assert!(L::STEP == 2, "numbers are multiplied in pairs") };
    Box::new(Matrices::<L> { op, lanes: PhantomData })
}

impl<L: Lanes> Run for Matrices<L> {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let Product { rows, depth, columns, .. } = self.op;
        let (pairs, wide) = (depth.div_ceil(2), columns.next_multiple_of(VECTORS * L::LANES));
        let (left, right) = room(&mut scratch.words, 2 * pairs * (rows + wide)).split_at_mut(2 * pairs * rows);
        left.fill(0);
        right.fill(0);
        let matrices = inputs[0].chunks_exact(rows * depth).zip(inputs[1].chunks_exact(depth * columns));
        for ((a, b), y) in matrices.zip(y.chunks_exact_mut(rows * columns)) {
            for (row, a) in left.chunks_exact_mut(2 * pairs).zip(a.chunks_exact(depth)) {
                row.iter_mut().zip(centred(self.op.a, a)).for_each(|(to, from)| *to = from);
            }
            // Two rows side by side, column by column.
            for (k, b) in b.chunks_exact(columns).enumerate() {
                let pair = right[k / 2 * 2 * wide..].iter_mut().skip(k % 2).step_by(2);
                pair.zip(centred(self.op.b, b)).for_each(|(to, from)| *to = from);
            }
            // SAFETY: as above.
            unsafe { L::enter(Tiles { op: &self.op, left: &*left, right: &*right, wide, y }) };
        }
    }
}

struct Tiles<'a> {
    op: &'a Product,
    /// Pairs of numbers, row by row.
    left: &'a [i16],
    /// Pairs of numbers, `wide` in each row of pairs.
    right: &'a [i16],
    wide: usize,
    y: &'a mut [u8],
}

impl<L: Lanes> Task<L> for Tiles<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        let Self { op: Product { rows, depth, columns, scale, range, .. }, left, right, wide, y } = self;
        let pairs = depth.div_ceil(2);
        assert!(left.len() >= rows * pairs * 2 && right.len() >= pairs * wide * 2, "tiles stay in their matrices");
        assert!(
            y.len() >= rows * columns && wide >= columns.next_multiple_of(VECTORS * L::LANES),
            "and in their output"
        );
        // SAFETY: the caller's; offsets stay within what was asserted.
        unsafe {
            let (range, scale) = (Range::new::<L>(*range), L::splat(scale.to_bits().cast_signed()));
            let (left, right): (*const i32, *const i32) = (left.as_ptr().cast(), right.as_ptr().cast());
            for first in (0..*columns).step_by(VECTORS * L::LANES) {
                for row in (0..*rows).step_by(ROWS) {
                    // The last tile may compute its last row more than once.
                    let of: [usize; ROWS] = std::array::from_fn(|at| (row + at).min(rows - 1));
                    let mut sums = [[L::splat(0); VECTORS]; ROWS];
                    for pair in 0..pairs {
                        let w: [L::V; VECTORS] =
                            std::array::from_fn(|v| L::load(right.add(pair * wide + first + v * L::LANES)));
                        for (sums, row) in sums.iter_mut().zip(of) {
                            let x = L::splat(left.add(row * pairs + pair).read_unaligned());
                            for (sum, w) in sums.iter_mut().zip(w) {
                                *sum = L::dot(*sum, x, w);
                            }
                        }
                    }
                    for (sums, row) in sums.iter().zip(of) {
                        for (v, &sum) in sums.iter().enumerate() {
                            let at = first + v * L::LANES;
                            let width = columns.saturating_sub(at).min(L::LANES);
                            if width > 0 {
                                let bytes = L::requantise(sum, scale, &range);
                                L::store_bytes(bytes, y.as_mut_ptr().add(row * columns + at), width);
                            }
                        }
                    }
                }
            }
        }
    }
}

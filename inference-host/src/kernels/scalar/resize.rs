//! Planes in another size, between their neighbours.

use crate::{
    formula,
    ir::Resize,
    kernels::{Run, Scratch, room},
};

/// What the bytes of two rows stand for is looked up once; neighbouring rows of the output lie between the same two.
impl Run for Resize {
    #[inline(always)]
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let Self { channels, input: [height, width], rows, columns, reals, scale, range } = self;
        let line = channels * width;
        let (lines, values) = room(&mut scratch.floats, 2 * line + channels).split_at_mut(2 * line);
        let (upper, lower) = lines.split_at_mut(line);
        let images = inputs[0].chunks_exact(line * height);
        for (x, y) in images.zip(y.chunks_exact_mut(channels * rows.len() * columns.len())) {
            let mut held = None;
            for (row, y) in rows.iter().zip(y.chunks_exact_mut(channels * columns.len())) {
                let wanted = Some((row.first, row.second));
                if held != wanted {
                    for (real, from) in [(&mut *upper, row.first), (&mut *lower, row.second)] {
                        let bytes = &x[from * line..][..line];
                        real.iter_mut().zip(bytes).for_each(|(real, &byte)| *real = reals[usize::from(byte)]);
                    }
                    held = wanted;
                }
                for (column, y) in columns.iter().zip(y.chunks_exact_mut(*channels)) {
                    let [left, right] = [column.first, column.second].map(|at| at * channels..(at + 1) * channels);
                    let above = [&upper[left.clone()], &upper[right.clone()]];
                    let below = [&lower[left], &lower[right]];
                    formula::between(above, below, [row.share, column.share], values);
                    formula::quantise_row(values, *scale, *range, y);
                }
            }
        }
    }
}

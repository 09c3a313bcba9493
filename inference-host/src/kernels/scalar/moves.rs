//! Operations that only move bytes.

use crate::{
    ir::{Concat, Pad, Pick, Transpose},
    kernels::{Run, Scratch},
};

/// Side of the squares in which rows and columns are swapped, so that both stay in the first cache.
const SQUARE: usize = 64;
/// More dimensions than a value can have.
const RANK_MAX: usize = 16;

/// Walks the output in order and the input by strides.
impl Run for Transpose {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let x = inputs[0];
        // The innermost dimensions that are computed at once.
        let (block, swap) = match (&self.dims[..], &self.strides[..]) {
            ([.., rows, columns], [.., 1, stride]) => (2, Some((*rows, *columns, *stride))),
            _ => (self.dims.len().min(1), None),
        };
        let outer = self.dims.len() - block;
        let Some(&stride) = self.strides.last() else {
            return y.copy_from_slice(x);
        };
        let mut counts = [0; RANK_MAX];
        let at = &mut counts[..outer];
        let mut begin = 0;
        for y in y.chunks_exact_mut(self.dims[outer..].iter().product()) {
            match swap {
                Some((rows, columns, stride)) => swapped(&x[begin..], y, rows, columns, stride),
                None => {
                    let from = x[begin..].iter().step_by(stride);
                    y.iter_mut().zip(from).for_each(|(y, &x)| *y = x);
                }
            }
            // The next block: count up from the innermost outer dimension.
            for d in (0..outer).rev() {
                at[d] += 1;
                begin += self.strides[d];
                if at[d] < self.dims[d] {
                    break;
                }
                begin -= self.strides[d] * at[d];
                at[d] = 0;
            }
        }
    }
}

/// `y[row][column] = x[column][row]`, where columns of `x` are `stride` bytes apart.
fn swapped(x: &[u8], y: &mut [u8], rows: usize, columns: usize, stride: usize) {
    for (first, y) in y.chunks_mut(SQUARE * columns).enumerate() {
        let from = &x[first * SQUARE..];
        let rows = SQUARE.min(rows - first * SQUARE);
        let (whole_rows, whole_columns) = (rows / EIGHT * EIGHT, columns / EIGHT * EIGHT);
        for column in (0..whole_columns).step_by(EIGHT) {
            for row in (0..whole_rows).step_by(EIGHT) {
                let read = |at: usize| {
                    from[(column + at) * stride + row..].first_chunk::<EIGHT>().copied().unwrap_or_default()
                };
                let turned = turned(std::array::from_fn(|at| u64::from_le_bytes(read(at))));
                for (y, bytes) in y[row * columns + column..].chunks_mut(columns).zip(turned) {
                    y[..EIGHT].copy_from_slice(&bytes.to_le_bytes());
                }
            }
        }
        // What is left to the right of whole squares, and below them.
        for column in 0..columns {
            let begin = if column < whole_columns { whole_rows } else { 0 };
            let x = &from[column * stride..][..rows];
            for row in begin..rows {
                y[row * columns + column] = x[row];
            }
        }
    }
}

/// Side of the squares that are turned in registers.
const EIGHT: usize = 8;

/// Byte `i` of row `j` of what is byte `j` of row `i`: halves of four rows, then of two, then of one change places.
#[inline(always)]
fn turned(mut rows: [u64; EIGHT]) -> [u64; EIGHT] {
    for (far, mask) in [(4, 0xffff_ffff), (2, 0x0000_ffff_0000_ffff), (1, 0x00ff_00ff_00ff_00ff)] {
        for at in (0..EIGHT).filter(|at| at & far == 0) {
            let (a, b, shift) = (rows[at], rows[at + far], 8 * far);
            rows[at] = a & mask | (b & mask) << shift;
            rows[at + far] = a >> shift & mask | b & !mask;
        }
    }
    rows
}

/// Positions that are taken; the last dimensions, as far as they are taken as they are, went into one run.
#[derive(Debug)]
pub(super) struct Picked(Pick);

impl Picked {
    pub(super) fn new(Pick { mut input, mut places }: Pick) -> Self {
        let whole = |(&width, own): (&usize, &Vec<usize>)| own.iter().copied().eq(0..width);
        let kept = input.iter().zip(&places).rposition(|one| !whole(one)).map_or(0, |last| last + 1);
        input.truncate(kept);
        places.truncate(kept);
        Self(Pick { input, places })
    }
}

impl Run for Picked {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        pick(&self.0.input, &self.0.places, inputs[0], y);
    }
}

/// Takes the positions `places` of a block of shape `input`, dimension by dimension; what is left then are runs.
fn pick(input: &[usize], places: &[Vec<usize>], x: &[u8], y: &mut [u8]) {
    let (Some((&width, input)), Some((own, places))) = (input.split_first(), places.split_first()) else {
        return y.copy_from_slice(x);
    };
    let (from, to) = (x.len() / width, y.len() / own.len());
    if input.is_empty() && from == 1 {
        y.iter_mut().zip(own).for_each(|(y, &at)| *y = x[at]);
        return;
    }
    let mut before: Option<(usize, usize)> = None;
    for (index, &at) in own.iter().enumerate() {
        match before {
            // The same again, as where planes are enlarged.
            Some((place, done)) if place == at => y.copy_within(done * to..(done + 1) * to, index * to),
            _ => {
                pick(input, places, &x[at * from..][..from], &mut y[index * to..][..to]);
                before = Some((at, index));
            }
        }
    }
}

impl Run for Concat {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let total: usize = self.runs.iter().sum();
        for (outer, y) in y.chunks_exact_mut(total).enumerate() {
            let mut rest = y;
            for (x, &run) in inputs.iter().zip(&self.runs) {
                let (to, left) = rest.split_at_mut(run);
                to.copy_from_slice(&x[outer * run..][..run]);
                rest = left;
            }
        }
    }
}

impl Run for Pad {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        y.fill(self.fill);
        place(&self.input, &self.output, &self.begin, inputs[0], y);
    }
}

/// Copies a block of shape `input` into one of shape `output`, from `begin` on.
fn place(input: &[usize], output: &[usize], begin: &[usize], x: &[u8], y: &mut [u8]) {
    let (Some((&width, input)), Some((_, output)), Some((&left, begin))) =
        (input.split_first(), output.split_first(), begin.split_first())
    else {
        return y.copy_from_slice(x);
    };
    let (run, step) = (input.iter().product::<usize>(), output.iter().product::<usize>());
    if input.is_empty() {
        y[left..left + width].copy_from_slice(x);
        return;
    }
    for (x, y) in x.chunks_exact(run).zip(y.chunks_exact_mut(step).skip(left)) {
        place(input, output, begin, x, y);
    }
}

//! Operations that only move bytes.

use crate::ir::{Concat, Pad, Transpose};

/// Walks the output in order and the input by strides.
pub(super) fn transpose(op: &Transpose, x: &[u8], y: &mut [u8]) {
    let Some((&inner, outer)) = op.dims.split_last() else {
        return y.copy_from_slice(x);
    };
    let stride = op.strides[outer.len()];
    let mut at = vec![0; outer.len()];
    let mut begin = 0;
    for y in y.chunks_exact_mut(inner) {
        for (i, y) in y.iter_mut().enumerate() {
            *y = x[begin + i * stride];
        }
        // The next row: count up from the innermost outer dimension.
        for d in (0..outer.len()).rev() {
            at[d] += 1;
            begin += op.strides[d];
            if at[d] < outer[d] {
                break;
            }
            begin -= op.strides[d] * at[d];
            at[d] = 0;
        }
    }
}

pub(super) fn concat(op: &Concat, inputs: &[&[u8]], y: &mut [u8]) {
    let total: usize = op.runs.iter().sum();
    for (outer, y) in y.chunks_exact_mut(total).enumerate() {
        let mut rest = y;
        for (x, &run) in inputs.iter().zip(&op.runs) {
            let (to, left) = rest.split_at_mut(run);
            to.copy_from_slice(&x[outer * run..][..run]);
            rest = left;
        }
    }
}

pub(super) fn pad(op: &Pad, x: &[u8], y: &mut [u8]) {
    y.fill(op.fill);
    place(&op.input, &op.output, &op.begin, x, y);
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

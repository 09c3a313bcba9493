//! The loops, behind one interface.
//!
//! [`Kernels`] has a method per operation that costs time, and each has the scalar code as its default: a set for a
//! processor's vectors overrides those it is faster at, keeps its weights in a layout of its own ([`Kernels::pack`]),
//! and is tested equal to [`Scalar`]. A set may change time, never bits: sums are exact in i32 whatever their order,
//! and what is float comes from [`crate::formula`].
//!
//! Sums here wrap, because admission has proved that they cannot leave 32 bits (see `lower/compute.rs`).

mod conv;
mod gemm;
mod layout;
mod pool;
#[cfg(test)]
mod tests;

use std::fmt::Debug;

use crate::{
    formula::AddTables,
    ir::{AveragePool, ChannelTable, Concat, Conv, Filter, GlobalAveragePool, MatMul, MaxPool, Pad, Transpose},
};

pub(crate) use self::{
    conv::scratch as conv_scratch,
    gemm::{Packed, padded, scratch as matmul_scratch},
};

/// One way of computing every operation. Slices have the lengths that the operation's own numbers say.
pub(crate) trait Kernels: Debug + Send + Sync {
    /// Weights in the layout that this set's products want.
    fn pack(&self, filter: &Filter) -> Packed {
        Packed::new(filter)
    }

    fn conv(&self, conv: &Conv, weights: &Packed, x: &[u8], y: &mut [u8]) {
        conv::conv(conv, weights, x, y);
    }

    fn matmul(&self, matmul: &MatMul, weights: &Packed, x: &[u8], y: &mut [u8]) {
        gemm::matmul(matmul, weights, x, y);
    }

    fn add(&self, tables: &AddTables, a: &[u8], b: &[u8], y: &mut [u8]) {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            *y = tables.sum(a, b);
        }
    }

    fn table(&self, table: &[u8; 256], x: &[u8], y: &mut [u8]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = table[usize::from(x)];
        }
    }

    fn channel_table(&self, op: &ChannelTable, x: &[u8], y: &mut [u8]) {
        let planes = x.chunks_exact(op.inner).zip(y.chunks_exact_mut(op.inner));
        for ((x, y), table) in planes.zip(op.tables.iter().cycle()) {
            self.table(table, x, y);
        }
    }

    fn max_pool(&self, pool: &MaxPool, x: &[u8], y: &mut [u8]) {
        pool::max(pool, x, y);
    }

    fn average_pool(&self, pool: &AveragePool, x: &[u8], y: &mut [u8]) {
        pool::average(pool, x, y);
    }

    fn global_average_pool(&self, pool: &GlobalAveragePool, x: &[u8], y: &mut [u8]) {
        pool::global_average(pool, x, y);
    }

    fn transpose(&self, op: &Transpose, x: &[u8], y: &mut [u8]) {
        layout::transpose(op, x, y);
    }

    fn concat(&self, op: &Concat, inputs: &[&[u8]], y: &mut [u8]) {
        layout::concat(op, inputs, y);
    }

    fn pad(&self, op: &Pad, x: &[u8], y: &mut [u8]) {
        layout::pad(op, x, y);
    }
}

/// The reference: portable code, which the compiler vectorises as far as it likes.
#[derive(Debug)]
pub(crate) struct Scalar;

impl Kernels for Scalar {}

/// Bytes as the numbers that are multiplied.
fn centred(x: crate::ir::Centre, bytes: &[u8]) -> impl Iterator<Item = i16> {
    let zero = narrow(x.zero);
    let flip = if x.signed { 0x80 } else { 0 };
    // A signed byte with its top bit flipped is an unsigned one, 128 higher.
    let base = if x.signed { 128 + zero } else { zero };
    bytes.iter().map(move |&byte| i16::from(byte ^ flip) - base)
}

/// Zero points and centred weights lie within ±255.
#[allow(clippy::cast_possible_truncation, reason = "values of 8 bits and their differences fit 16")]
fn narrow(value: i32) -> i16 {
    value as i16
}

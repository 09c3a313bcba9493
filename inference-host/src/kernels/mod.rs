//! The loops, behind one interface.
//!
//! A [`Set`] turns each operation into something that runs, with its weights in the layout that it computes with. There
//! is the portable code ([`scalar`], the reference) and sets for processors with vectors ([`simd`]), which take over
//! what they are faster at. [`Kernels`] chooses one by what the processor can do. A set may change time, never bits:
//! sums are exact in i32 whatever their order, and what is float is single operations of [`crate::formula`]. Each set is
//! tested equal to SPEC.md read literally (`tests`).
//!
//! Tensors of planes are `[n, h, w, c]` here (see [`crate::arrange`]). Sums wrap, because admission has proved that they
//! cannot leave 32 bits (see `lower/compute.rs`).

mod choice;
mod scalar;
mod simd;
#[cfg(test)]
mod tests;

use std::fmt::Debug;

use crate::{
    PackedError,
    ir::{Centre, Op},
    packed::{Reader, Writer, closed},
};

pub use self::choice::{KernelSet, Kernels, KernelsError};

/// One way of computing every operation.
pub(crate) trait Set: Debug + Send + Sync {
    /// The operation, ready to run as often as wanted.
    fn prepare(&self, op: Op) -> Box<dyn Run>;

    /// The operation, ready to run, of one that is written by its fields ([`Form::Fields`]): nothing is searched again.
    fn plain(&self, op: Op) -> Box<dyn Run> {
        self.prepare(op)
    }

    /// What [`Run::pack`] has written of an operation that this set has made ready, after its form.
    fn unpack(&self, form: Form, from: &mut Reader) -> Result<Box<dyn Run>, PackedError>;
}

/// How an operation is written once it is ready to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// By the fields that it had before: making it ready takes no time.
    Fields,
    /// Portable convolutions: over gathered windows, and with a window for each channel.
    Gathered,
    Single,
    /// Portable matrix products.
    Rows,
    /// Vectors: products over panels, convolutions with a window for each channel, tables that are lines.
    Panels,
    Strips,
    Lines,
}

closed!(Form { Fields, Gathered, Single, Rows, Panels, Strips, Lines });

/// An operation that is ready to run.
pub(crate) trait Run: Debug + Send + Sync {
    /// Computes `y` from its inputs; all have the lengths that the operation's numbers say. Writes every byte of `y`, and
    /// reads none of it, nor of the scratch, that it has not written.
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch);

    /// Writes its form and what it computes with, where making that took time; says whether it did.
    fn pack(&self, _: &mut Writer) -> bool {
        false
    }
}

/// Working memory that operations of a run take one after another.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    words: Vec<i16>,
    sums: Vec<i32>,
    floats: Vec<f32>,
    /// How many threads may share an operation's places; none are as many as one.
    pub(crate) threads: usize,
}

/// At least so many elements, of whatever is in them.
fn room<T: Copy + Default>(of: &mut Vec<T>, len: usize) -> &mut [T] {
    if of.len() < len {
        of.resize(len, T::default());
    }
    &mut of[..len]
}

/// Bytes as the numbers that are multiplied.
#[inline(always)]
fn centred(x: Centre, bytes: &[u8]) -> impl Iterator<Item = i16> {
    let zero = narrow(x.zero);
    let flip = if x.signed { 0x80 } else { 0 };
    // A signed byte with its top bit flipped is an unsigned one, 128 higher.
    let base = if x.signed { 128 + zero } else { zero };
    // Within ±255; wrapping, so that the compiler can take several at once.
    bytes.iter().map(move |&byte| i16::from(byte ^ flip).wrapping_sub(base))
}

/// Zero points and centred weights lie within ±255.
#[allow(clippy::cast_possible_truncation, reason = "values of 8 bits and their differences fit 16")]
fn narrow(value: i32) -> i16 {
    value as i16
}

//! Portable code, compiled for a processor's vectors: the same single operations, of which the compiler takes several at
//! once. It fuses and reorders nothing.

use std::marker::PhantomData;

use super::lanes::{Lanes, Task};
use crate::{
    ir::Op,
    kernels::{Run, Scratch, Set, scalar::Scalar},
};

/// The operation, ready to run.
pub(super) fn prepare<L: Lanes>(op: Op) -> Box<dyn Run> {
    match op {
        Op::ChannelTable(op) => compiled::<L>(op),
        Op::Pair(op) => compiled::<L>(op),
        Op::Chain(op) => compiled::<L>(op),
        Op::Arg(op) => compiled::<L>(op),
        Op::Cast(op) => compiled::<L>(op),
        Op::Softmax(op) => compiled::<L>(*op),
        Op::Normalise(op) => compiled::<L>(op),
        Op::Resize(op) => compiled::<L>(*op),
        Op::MaxPool(op) => compiled::<L>(op),
        Op::AveragePool(op) => compiled::<L>(op),
        Op::GlobalAveragePool(op) => compiled::<L>(op),
        op => Scalar.prepare(op),
    }
}

fn compiled<L: Lanes>(op: impl Run + 'static) -> Box<dyn Run> {
    Box::new(Compiled::<L, _> { op, lanes: PhantomData })
}

/// Implementations of [`Run`] that come here are `#[inline(always)]`.
#[derive(Debug)]
struct Compiled<L, R> {
    op: R,
    lanes: PhantomData<L>,
}

impl<L: Lanes, R: Run> Run for Compiled<L, R> {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        // SAFETY: a set of vectors, which alone makes these, is there only where the processor has the instructions.
        unsafe { L::enter(Work { op: &self.op, inputs, y, scratch }) };
    }
}

struct Work<'a, R> {
    op: &'a R,
    inputs: &'a [&'a [u8]],
    y: &'a mut [u8],
    scratch: &'a mut Scratch,
}

impl<L: Lanes, R: Run> Task<L> for Work<'_, R> {
    #[inline(always)]
    unsafe fn run(self) {
        self.op.run(self.inputs, self.y, self.scratch);
    }
}

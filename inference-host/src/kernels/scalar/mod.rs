//! The reference: portable code, which the compiler vectorises as far as it likes.

mod conv;
mod moves;
mod pool;
pub(super) mod products;
mod resize;
mod rows;
mod wide;

use super::{Form, Run, Scratch, Set};
use crate::{
    PackedError,
    formula::{self, AddTables},
    ir::{ChannelTable, Op, Pair, PairStep},
    packed::{Field, Reader},
};

#[derive(Debug)]
pub(super) struct Scalar;

impl Set for Scalar {
    fn prepare(&self, op: Op) -> Box<dyn Run> {
        match op {
            Op::Table(table) => Box::new(Table(table)),
            Op::ChannelTable(op) => Box::new(op),
            Op::Conv(conv) => conv::prepare(conv),
            Op::MatMul(matmul) => Box::new(products::MatMul::new(&matmul)),
            Op::Add(tables) => Box::new(Add(tables)),
            Op::Mul(op) => Box::new(op),
            Op::Pair(op) => Box::new(op),
            Op::Product(op) => Box::new(op),
            Op::Sums(op) => wide::sums(op),
            Op::Chain(op) => Box::new(op),
            Op::Arg(op) => Box::new(op),
            Op::Cast(op) => Box::new(op),
            Op::Softmax(op) => op,
            Op::Normalise(op) => Box::new(op),
            Op::Resize(op) => op,
            Op::MaxPool(op) => Box::new(op),
            Op::AveragePool(op) => Box::new(op),
            Op::GlobalAveragePool(op) => Box::new(op),
            Op::Transpose(op) => Box::new(op),
            Op::Pick(op) => Box::new(moves::Picked::new(op)),
            Op::Concat(op) => Box::new(op),
            Op::Pad(op) => Box::new(op),
        }
    }

    fn unpack(&self, form: Form, from: &mut Reader) -> Result<Box<dyn Run>, PackedError> {
        Ok(match form {
            Form::Gathered => Box::new(conv::Gathered::read(from)?),
            Form::Single => Box::new(conv::Depthwise::read(from)?),
            Form::Rows => Box::new(products::MatMul::read(from)?),
            Form::Fields | Form::Panels | Form::Strips | Form::Lines => {
                return Err(from.wrong("portable code has no such form"));
            }
        })
    }
}

#[derive(Debug)]
struct Table(Box<[u8; 256]>);

impl Run for Table {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        for (y, &x) in y.iter_mut().zip(inputs[0]) {
            *y = self.0[usize::from(x)];
        }
    }
}

impl Run for ChannelTable {
    #[inline(always)]
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        if self.inner == 1 {
            let places = inputs[0].chunks_exact(self.tables.len()).zip(y.chunks_exact_mut(self.tables.len()));
            for (x, y) in places {
                y.iter_mut().zip(x).zip(&self.tables).for_each(|((y, &x), table)| *y = table[usize::from(x)]);
            }
            return;
        }
        let planes = inputs[0].chunks_exact(self.inner).zip(y.chunks_exact_mut(self.inner));
        for ((x, y), table) in planes.zip(self.tables.iter().cycle()) {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = table[usize::from(x)];
            }
        }
    }
}

#[derive(Debug)]
struct Add(Box<AddTables>);

impl Run for Add {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        for ((y, &a), &b) in y.iter_mut().zip(inputs[0]).zip(inputs[1]) {
            *y = self.0.sum(a, b);
        }
    }
}

impl Run for Pair {
    #[inline(always)]
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let signed = self.signed;
        // A loop for each, so that none looks at the step again with every element.
        macro_rules! each {
            ($step:ident) => {
                for ((y, &a), &b) in y.iter_mut().zip(inputs[0]).zip(inputs[1]) {
                    *y = formula::pair(PairStep::$step, signed, a, b);
                }
            };
        }
        match self.step {
            PairStep::Add => each!(Add),
            PairStep::Sub => each!(Sub),
            PairStep::Mul => each!(Mul),
            PairStep::Div => each!(Div),
            PairStep::Modulo => each!(Modulo),
            PairStep::Remainder => each!(Remainder),
            PairStep::Min => each!(Min),
            PairStep::Max => each!(Max),
            PairStep::Left => each!(Left),
            PairStep::Right => each!(Right),
            PairStep::And => each!(And),
            PairStep::Or => each!(Or),
            PairStep::Xor => each!(Xor),
        }
    }
}

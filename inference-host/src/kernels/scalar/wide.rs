//! Integers of more than 8 bits: sums that stay sums, chains that quantise them, positions, casts.

use aceso_types::ElementType;

use super::{
    conv,
    products::{Finish, MatMul, SUM, as_they_are},
    rows::matrices,
};
use crate::{
    formula,
    ir::{Arg, Cast, Chain, Link, Product, Sums},
    kernels::{Run, Scratch},
};

pub(super) fn sums(op: Sums) -> Box<dyn Run> {
    match op {
        Sums::Conv(op) => conv::sums(&op),
        Sums::MatMul(op) => Box::new(MatMul::finished(&op, Finish::Sums)),
        Sums::Product(op) => Box::new(ProductSums(op)),
    }
}

#[derive(Debug)]
struct ProductSums(Product);

impl Run for ProductSums {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        matrices(&self.0, inputs, scratch, y.chunks_mut(self.0.columns * SUM), |sums, y| as_they_are(sums, y));
    }
}

/// Elements of a chain that go through one link after the other.
const BLOCK: usize = 256;

impl Run for Chain {
    #[inline(always)]
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let mut values = [0.0; BLOCK];
        let blocks = y.chunks_mut(BLOCK).zip(inputs[0].as_chunks::<SUM>().0.chunks(BLOCK));
        for (block, (y, x)) in blocks.enumerate() {
            let values = &mut values[..y.len()];
            values.iter_mut().zip(x).for_each(|(value, &x)| *value = formula::whole_number(i32::from_le_bytes(x)));
            self.links.iter().for_each(|link| link.chain(block * BLOCK, values));
            formula::quantise_row(values, self.scale, self.range, y);
        }
    }
}

impl Link {
    /// Takes the elements from this position on through the link, as many at a time as share an operand or have
    /// operands in a row.
    #[inline(always)]
    fn chain(&self, mut at: usize, mut values: &mut [f32]) {
        let positions = self.values.len();
        while !values.is_empty() {
            let place = at / self.inner % positions;
            let count = match (positions, self.inner) {
                (1, _) => values.len(),
                (_, 1) => positions - place,
                (_, inner) => inner - at % inner,
            };
            let (now, rest) = values.split_at_mut(count.min(values.len()));
            let chained = |value: &mut f32, operand| *value = formula::chained(self.step, *value, operand);
            if self.inner == 1 && positions > 1 {
                now.iter_mut().zip(&self.values[place..]).for_each(|(value, &operand)| chained(value, operand));
            } else {
                now.iter_mut().for_each(|value| chained(value, self.values[place]));
            }
            (at, values) = (at + now.len(), rest);
        }
    }
}

impl Run for Arg {
    #[inline(always)]
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        match self.ty {
            ElementType::U8 => self.places(inputs[0], y, u8::from_le_bytes),
            ElementType::I8 => self.places(inputs[0], y, i8::from_le_bytes),
            ElementType::I32 => self.places(inputs[0], y, i32::from_le_bytes),
            ElementType::I64 => self.places(inputs[0], y, i64::from_le_bytes),
        }
    }
}

impl Arg {
    #[inline(always)]
    fn places<const WIDTH: usize, T: Ord>(&self, x: &[u8], y: &mut [u8], number: impl Fn([u8; WIDTH]) -> T) {
        for (x, y) in x.as_chunks().0.chunks_exact(self.size).zip(y.as_chunks_mut().0) {
            let numbers = x.iter().map(|&x| number(x));
            let best = if self.least { numbers.min() } else { numbers.max() };
            let is_best = |&x: &[u8; WIDTH]| Some(number(x)) == best;
            let place = if self.last { x.iter().rposition(is_best) } else { x.iter().position(is_best) };
            // A row has an element, and one of them is the best.
            *y = (place.unwrap_or_default() as u64).to_le_bytes();
        }
    }
}

impl Run for Cast {
    #[inline(always)]
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        match self.from {
            ElementType::U8 => self.from(inputs[0], y, |x| i64::from(u8::from_le_bytes(x))),
            ElementType::I8 => self.from(inputs[0], y, |x| i64::from(i8::from_le_bytes(x))),
            ElementType::I32 => self.from(inputs[0], y, |x| i64::from(i32::from_le_bytes(x))),
            ElementType::I64 => self.from(inputs[0], y, i64::from_le_bytes),
        }
    }
}

impl Cast {
    #[inline(always)]
    fn from<const WIDTH: usize>(&self, x: &[u8], y: &mut [u8], number: impl Fn([u8; WIDTH]) -> i64) {
        let x = x.as_chunks().0.iter().map(|&x| number(x));
        match self.to {
            ElementType::U8 | ElementType::I8 => x.zip(y).for_each(|(x, y)| *y = x.to_le_bytes()[0]),
            ElementType::I32 => x.zip(y.as_chunks_mut().0).for_each(|(x, y)| *y = low(x)),
            ElementType::I64 => x.zip(y.as_chunks_mut().0).for_each(|(x, y)| *y = x.to_le_bytes()),
        }
    }
}

/// The low half of an integer.
#[inline(always)]
fn low(number: i64) -> [u8; 4] {
    let [a, b, c, d, ..] = number.to_le_bytes();
    [a, b, c, d]
}

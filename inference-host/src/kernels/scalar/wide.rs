//! Integers of more than 8 bits: sums that stay sums, chains that quantise them, positions, casts.

use aceso_types::ElementType;

use super::{
    conv,
    products::{Finish, MatMul, SUM, as_they_are},
    rows::matrices,
};
use crate::{
    formula,
    ir::{Arg, Cast, Chain, Product, Sums},
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

impl Run for Chain {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        for (at, (y, &x)) in y.iter_mut().zip(inputs[0].as_chunks::<SUM>().0).enumerate() {
            let mut value = formula::whole_number(i32::from_le_bytes(x));
            for link in &self.links {
                value = formula::chained(link.step, value, link.values[at / link.inner % link.values.len()]);
            }
            *y = formula::byte(formula::quantise(value, self.scale, self.range));
        }
    }
}

/// An integer of this type, from its bytes.
fn number(ty: ElementType, bytes: &[u8]) -> i64 {
    // Filled up with the sign, or with zeros.
    let top = bytes.last().copied().unwrap_or(0);
    let sign = if ty != ElementType::U8 && top >= 0x80 { 0xff } else { 0 };
    let mut whole = [sign; 8];
    whole.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
    i64::from_le_bytes(whole)
}

impl Run for Arg {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let width = self.ty.width();
        for (x, y) in inputs[0].chunks_exact(self.size * width).zip(y.as_chunks_mut().0) {
            let (mut place, mut best) = (0u64, None);
            for (at, x) in (0..).zip(x.chunks_exact(width)) {
                let number = number(self.ty, x);
                let better = best.is_none_or(|best| match (self.least, self.last) {
                    (false, false) => number > best,
                    (false, true) => number >= best,
                    (true, false) => number < best,
                    (true, true) => number <= best,
                });
                if better {
                    (place, best) = (at, Some(number));
                }
            }
            *y = place.to_le_bytes();
        }
    }
}

impl Run for Cast {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let places = inputs[0].chunks_exact(self.from.width()).zip(y.chunks_exact_mut(self.to.width()));
        for (x, y) in places {
            let whole = number(self.from, x).to_le_bytes();
            y.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
        }
    }
}

//! What is made of two tensors byte by byte: sums, with multiplication and addition fused as SPEC.md writes them, and
//! products.

use std::{fmt::Debug, marker::PhantomData};

use super::lanes::{Lanes, Range, Task};
use crate::{
    formula::{AddTables, requantise},
    ir::{Centre, Mul},
    kernels::{Run, Scratch, centred},
};

/// A function of two bytes.
pub(super) trait Pair: Debug + Send + Sync {
    /// The function over vectors: the bytes at both places go in, integers whose low bytes are the results come out.
    ///
    /// # Safety
    /// The processor has the instructions of `L`; at both places there are [`Lanes::LANES`] bytes.
    unsafe fn vectors<L: Lanes>(&self) -> impl Fn(*const u8, *const u8) -> L::V;

    /// The function itself.
    fn one(&self, a: u8, b: u8) -> u8;
}

/// The operation, ready to run.
pub(super) fn prepare<L: Lanes>(pair: impl Pair + 'static) -> Box<dyn Run> {
    Box::new(Pairs::<L, _> { pair, lanes: PhantomData })
}

#[derive(Debug)]
struct Pairs<L, P> {
    pair: P,
    lanes: PhantomData<L>,
}

impl<L: Lanes, P: Pair> Run for Pairs<L, P> {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let (a, b) = (inputs[0], inputs[1]);
        // SAFETY: a set of vectors, which alone makes these, is there only where the processor has the instructions.
        unsafe { L::enter(Whole { pair: &self.pair, a, b, y: &mut *y }) };
        let whole = y.len() / L::LANES * L::LANES;
        for ((y, &a), &b) in y[whole..].iter_mut().zip(&a[whole..]).zip(&b[whole..]) {
            *y = self.pair.one(a, b);
        }
    }
}

/// What fills whole vectors.
struct Whole<'a, P> {
    pair: &'a P,
    a: &'a [u8],
    b: &'a [u8],
    y: &'a mut [u8],
}

impl<L: Lanes, P: Pair> Task<L> for Whole<'_, P> {
    #[inline(always)]
    unsafe fn run(self) {
        let Self { pair, a, b, y } = self;
        assert!(a.len() >= y.len() && b.len() >= y.len(), "both sides have the result's length");
        // SAFETY: the caller's; whole vectors of `a`, `b` and `y` are read and written.
        unsafe {
            let of = pair.vectors::<L>();
            for at in (0..y.len() / L::LANES * L::LANES).step_by(L::LANES) {
                L::store_bytes(of(a.as_ptr().add(at), b.as_ptr().add(at)), y.as_mut_ptr().add(at), L::LANES);
            }
        }
    }
}

/// What is flipped in signed bytes, and what that adds: with its top bit flipped one is an unsigned byte, 128 higher.
fn side(signed: bool) -> (u8, i32) {
    if signed { (0x80, 128) } else { (0, 0) }
}

impl Pair for AddTables {
    #[inline(always)]
    unsafe fn vectors<L: Lanes>(&self) -> impl Fn(*const u8, *const u8) -> L::V {
        let bits = |value: f32| value.to_bits().cast_signed();
        let sides = self.signed.map(side);
        // SAFETY: the caller's.
        unsafe {
            let down = sides.map(|(_, up)| L::splat(-up));
            let ratios = self.ratios.map(|ratio| L::splat(bits(ratio)));
            let [constant, lo, hi] = [self.constant, self.lo, self.hi].map(|value| L::splat(bits(value)));
            move |a, b| {
                let a = L::float(L::add(L::load_bytes(a, sides[0].0), down[0]));
                let b = L::float(L::add(L::load_bytes(b, sides[1].0), down[1]));
                L::clamp_round(L::fma(a, ratios[0], L::fma(b, ratios[1], constant)), lo, hi)
            }
        }
    }

    fn one(&self, a: u8, b: u8) -> u8 {
        self.sum(a, b)
    }
}

impl Pair for Mul {
    #[inline(always)]
    unsafe fn vectors<L: Lanes>(&self) -> impl Fn(*const u8, *const u8) -> L::V {
        let of = |centre: Centre| (side(centre.signed).0, -centre.zero - side(centre.signed).1);
        let ((a_flip, a_base), (b_flip, b_base)) = (of(self.a), of(self.b));
        // SAFETY: the caller's.
        unsafe {
            let (a_base, b_base) = (L::splat(a_base), L::splat(b_base));
            let (range, scale) = (Range::new::<L>(self.range), L::splat(self.scale.to_bits().cast_signed()));
            move |a, b| {
                let a = L::float(L::add(L::load_bytes(a, a_flip), a_base));
                let b = L::float(L::add(L::load_bytes(b, b_flip), b_base));
                // Below 2^17, so the product of floats is that of the integers.
                let value = L::multiply(L::multiply(a, b), scale);
                L::add(L::clamp_round(value, range.lo, range.hi), range.zero)
            }
        }
    }

    fn one(&self, a: u8, b: u8) -> u8 {
        let product = centred(self.a, &[a]).zip(centred(self.b, &[b])).map(|(a, b)| i32::from(a) * i32::from(b)).sum();
        requantise(product, self.scale, self.range)
    }
}

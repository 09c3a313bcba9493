//! Sums of two tensors: multiplication and addition fused, as SPEC.md writes them.

use std::marker::PhantomData;

use super::lanes::{Lanes, Task};
use crate::{
    formula::AddTables,
    kernels::{Run, Scratch},
};

/// The sum, ready to run.
pub(super) fn prepare<L: Lanes>(tables: &AddTables) -> Box<dyn Run> {
    Box::new(Sum::<L> { tables: tables.clone(), lanes: PhantomData })
}

#[derive(Debug)]
struct Sum<L> {
    tables: AddTables,
    lanes: PhantomData<L>,
}

impl<L: Lanes> Run for Sum<L> {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let (a, b) = (inputs[0], inputs[1]);
        // SAFETY: a `Vectors<L>`, which alone makes sums, is there only where the processor has these instructions.
        unsafe { L::enter(Vectors { tables: &self.tables, a, b, y: &mut *y }) };
        let whole = y.len() / L::LANES * L::LANES;
        for ((y, &a), &b) in y[whole..].iter_mut().zip(&a[whole..]).zip(&b[whole..]) {
            *y = self.tables.sum(a, b);
        }
    }
}

/// What fills whole vectors.
struct Vectors<'a> {
    tables: &'a AddTables,
    a: &'a [u8],
    b: &'a [u8],
    y: &'a mut [u8],
}

impl<L: Lanes> Task<L> for Vectors<'_> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: the caller's.
        unsafe {
            match self.tables.signed {
                [false, false] => self.sum::<L, false>(),
                _ => self.sum::<L, true>(),
            }
        }
    }
}

impl Vectors<'_> {
    /// # Safety
    /// The processor has the instructions of `L`. Without `SIGNED` both sides are unsigned.
    #[inline(always)]
    unsafe fn sum<L: Lanes, const SIGNED: bool>(self) {
        let Self { tables, a, b, y } = self;
        let bits = |value: f32| value.to_bits().cast_signed();
        assert!(a.len() >= y.len() && b.len() >= y.len(), "both sides have the result's length");
        // SAFETY: the caller's; whole vectors of `a`, `b` and `y` are read and written.
        unsafe {
            // A signed byte with its top bit flipped is an unsigned one, 128 higher.
            let base = tables.signed.map(|signed| L::splat(if signed { -128 } else { 0 }));
            let flip = tables.signed.map(|signed| if signed { 0x80 } else { 0 });
            let number = |from: *const u8, side: usize| {
                if SIGNED { L::add(L::load_bytes(from, flip[side]), base[side]) } else { L::load_bytes(from, 0) }
            };
            let [ra, rb] = tables.ratios.map(|ratio| L::splat(bits(ratio)));
            let constant = L::splat(bits(tables.constant));
            let (lo, hi) = (L::splat(bits(tables.lo)), L::splat(bits(tables.hi)));
            for at in (0..y.len() / L::LANES * L::LANES).step_by(L::LANES) {
                let left = L::float(number(a.as_ptr().add(at), 0));
                let right = L::float(number(b.as_ptr().add(at), 1));
                let value = L::fma(left, ra, L::fma(right, rb, constant));
                L::store_bytes(L::clamp_round(value, lo, hi), y.as_mut_ptr().add(at), L::LANES);
            }
        }
    }
}

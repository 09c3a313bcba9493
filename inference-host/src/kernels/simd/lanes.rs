//! The vocabulary in which kernels are written: vectors of 32-bit lanes, and four bytes of `x` at a time.
//!
//! Four bytes of `x` are a *quad*: [`Lanes::STEP`] numbers, four of 8 bits or two of 16. A quad of weights lies in each
//! lane; a dot product multiplies both number by number and adds all products to the lane's sum.

use std::fmt::Debug;

use crate::{
    PackedError,
    packed::{Field, LINE, Reader, Share, Writer},
};

/// Work that is compiled for a processor's instructions as a whole.
pub(super) trait Task<L> {
    /// # Safety
    /// The processor has the instructions of `L`. Implementations are `#[inline(always)]`, so that [`Lanes::enter`]
    /// compiles them for these instructions.
    unsafe fn run(self);
}

/// A processor's vectors.
///
/// # Safety
/// Every function may be called only where the processor has the instructions. Those that take pointers read or write
/// there as many bytes as they say, at any alignment.
pub(super) trait Lanes: Copy + Debug + Send + Sync + 'static {
    /// [`Lanes::LANES`] numbers of 32 bits, integers or f32.
    type V: Copy;
    /// Lanes of a vector, at most 16.
    const LANES: usize;
    /// Numbers of a quad: 4 of 8 bits, unsigned in `x` and signed in weights, or 2 of 16 bits, signed.
    const STEP: usize;
    /// Whether there are 32 vector registers, or 16.
    const MANY_REGISTERS: bool;

    /// The same 32 bits in all lanes.
    unsafe fn splat(bits: i32) -> Self::V;
    /// Reads [`Lanes::LANES`] numbers of 32 bits.
    unsafe fn load(from: *const i32) -> Self::V;
    /// Reads [`Lanes::LANES`] bytes, flips the bits of `flip` in each, and widens them by zeros.
    unsafe fn load_bytes(from: *const u8, flip: u8) -> Self::V;
    /// `sum + x · w`, quad by quad; wraps.
    unsafe fn dot(sum: Self::V, x: Self::V, w: Self::V) -> Self::V;
    /// Integers as f32, rounded to nearest even.
    unsafe fn float(integers: Self::V) -> Self::V;
    /// `a · b` of f32.
    unsafe fn multiply(a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c` of f32, rounded once where the exact result fits the 53 bits of an f64.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// f32 clamped between `lo` and `hi`, then rounded to the nearest even integer. None is NaN.
    unsafe fn clamp_round(value: Self::V, lo: Self::V, hi: Self::V) -> Self::V;
    /// `a + b` of integers; wraps.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// Writes the low bytes of the first `count` lanes.
    unsafe fn store_bytes(v: Self::V, to: *mut u8, count: usize);
    /// Reads [`Lanes::STEP`] times a *block*, `STEP · LANES` numbers, and makes quads of one number of each. The order of
    /// quads is [`Lanes::lane_of`]; only the first `STEP` vectors count.
    unsafe fn interleave(taps: [*const u8; 4]) -> [Self::V; 4];
    /// Requantises a block that lies in `STEP` vectors in the order of [`Lanes::lane_of`], and writes its bytes in the
    /// order of memory.
    unsafe fn finish(sums: [Self::V; 4], scales: [Self::V; 4], range: &Range<Self::V>, to: *mut u8);
    /// The vector and the lane of a block's number `at`.
    fn lane_of(at: usize) -> (usize, usize);
    /// Runs a task that is compiled for these instructions.
    unsafe fn enter<T: Task<Self>>(task: T);

    /// `round(clamp(f32(sum) · scale, lo, hi)) + zero`: SPEC.md's requantisation, operation by operation.
    #[inline(always)]
    unsafe fn requantise(sum: Self::V, scale: Self::V, range: &Range<Self::V>) -> Self::V {
        // SAFETY: the caller's.
        unsafe {
            let value = Self::multiply(Self::float(sum), scale);
            Self::add(Self::clamp_round(value, range.lo, range.hi), range.zero)
        }
    }
}

/// [`crate::formula::Range`] in vectors: `lo − zero` and `hi − zero` as f32, and `zero`.
///
/// The rest serves those who narrow with saturation: bounds are integers and rounding never falls, so clamping to `lo`
/// after rounding is clamping before it, as long as `hi` was before: conversion to an integer turns whatever is too small
/// *and* whatever is too large into the least integer. There a result that can be negative is 128 higher in between.
pub(super) struct Range<V> {
    pub(super) lo: V,
    pub(super) hi: V,
    pub(super) zero: V,
    /// `zero` in words of 16 bits, 128 higher if `lo` is negative.
    pub(super) zero_words: V,
    /// `lo` in bytes, likewise.
    pub(super) lo_bytes: V,
    /// What takes the 128 away again: the top bit of each byte, or nothing.
    pub(super) flip: V,
}

impl<V: Copy> Range<V> {
    /// # Safety
    /// The processor has the instructions of `L`.
    #[inline(always)]
    pub(super) unsafe fn new<L: Lanes<V = V>>(range: crate::formula::Range) -> Self {
        let [lo, hi] = range.bounds().map(|bound| bound.to_bits().cast_signed());
        let (up, flip) = if range.lo < 0 { (128, 0x80) } else { (0, 0) };
        let words = crate::kernels::narrow(range.zero + up).to_le_bytes();
        // SAFETY: the caller's.
        unsafe {
            Self {
                lo: L::splat(lo),
                hi: L::splat(hi),
                zero: L::splat(range.zero),
                zero_words: L::splat(i32::from_le_bytes([words[0], words[1], words[0], words[1]])),
                lo_bytes: L::splat(i32::from_le_bytes([crate::formula::byte(range.lo + up); 4])),
                flip: L::splat(i32::from_le_bytes([flip; 4])),
            }
        }
    }
}

/// Numbers of 32 bits that begin at a cache line, so that no vector of them lies across two.
#[derive(Debug)]
pub(super) enum Lines {
    /// Written here, number by number.
    Made(Vec<Line>),
    /// Read where a packed model's bytes lie, in the order of this processor, which wrote them.
    Lying(Share),
}

#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Line([i32; NUMBERS]);

/// Numbers of a line.
const NUMBERS: usize = 16;
const _: () = assert!(size_of::<Line>() == LINE, "a line is what is written of it");

impl Lines {
    pub(super) fn zeros(len: usize) -> Self {
        Self::Made(vec![Line::default(); len.div_ceil(NUMBERS)])
    }

    /// The numbers of what is made here; what was read is finished, and has none to write to.
    pub(super) fn numbers(&mut self) -> &mut [i32] {
        let Self::Made(lines) = self else { return &mut [] };
        // SAFETY: a line is sixteen numbers and nothing else, and lines lie one after another.
        unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * NUMBERS) }
    }

    pub(super) fn set(&mut self, at: usize, value: i32) {
        if let Some(number) = self.numbers().get_mut(at) {
            *number = value;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len() / size_of::<i32>()
    }

    /// To be read at any alignment.
    pub(super) fn as_ptr(&self) -> *const i32 {
        self.bytes().as_ptr().cast()
    }

    fn bytes(&self) -> &[u8] {
        match self {
            // SAFETY: as above, and every byte of a number may be looked at.
            Self::Made(lines) => unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * LINE) },
            Self::Lying(share) => share.bytes(),
        }
    }
}

impl Field for Lines {
    fn write(&self, to: &mut Writer) {
        to.lines(self.bytes());
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        from.lines().map(Self::Lying)
    }
}

/// That what follows was packed for these vectors.
pub(super) fn write_lanes<L: Lanes>(to: &mut Writer) {
    [L::LANES, L::STEP].write(to);
}

/// A quad of numbers of 8 bits ([`Lanes::STEP`] 4) or 16 bits (2), little-endian: the first of them, filled up by zeros.
#[inline(always)]
pub(super) fn quad<L: Lanes>(numbers: &[i16]) -> i32 {
    let mut whole = [0i16; 4];
    let count = numbers.len().min(L::STEP);
    whole[..count].copy_from_slice(&numbers[..count]);
    if L::STEP == 4 {
        i32::from_le_bytes(whole.map(|number| number.to_le_bytes()[0]))
    } else {
        i32::from(whole[0]) & 0xffff | i32::from(whole[1]) << 16
    }
}

/// Numbers of a block.
pub(super) fn block<L: Lanes>() -> usize {
    L::STEP * L::LANES
}

/// [`Lanes::finish`], of which only the first `width` bytes are written.
///
/// # Safety
/// The processor has the instructions of `L`; there is room for as many bytes.
#[inline(always)]
pub(super) unsafe fn finish<L: Lanes>(
    sums: [L::V; 4],
    scales: [L::V; 4],
    range: &Range<L::V>,
    to: *mut u8,
    width: usize,
) {
    // SAFETY: the caller's; a block has at most 64 numbers.
    unsafe {
        if width >= block::<L>() {
            L::finish(sums, scales, range, to);
        } else {
            let mut whole = [0u8; 64];
            L::finish(sums, scales, range, whole.as_mut_ptr());
            to.copy_from_nonoverlapping(whole.as_ptr(), width);
        }
    }
}

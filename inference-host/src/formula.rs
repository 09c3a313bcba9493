//! Every floating-point operation that runs, as SPEC.md writes them down; the functions that admission makes tables of are
//! in `lower/curve.rs`.
//!
//! Single IEEE 754 operations in a fixed order, none fused with another, none reordered, rounding to nearest even.
//! Rust neither fuses nor reorders float operations by itself; [`rounding_is_default`] makes sure of the mode.

use crate::{
    error::NodeFault,
    ir::{ChainStep, PairStep},
    real,
};

/// Least and largest scale that a model may state: 2^−64 and 2^64.
pub(crate) const SCALE_MIN: f32 = f32::from_bits(0x1f80_0000);
pub(crate) const SCALE_MAX: f32 = f32::from_bits(0x5f80_0000);
/// Least and largest multiplier of a requantisation.
pub(crate) const MULTIPLIER_MIN: f32 = SCALE_MIN;
pub(crate) const MULTIPLIER_MAX: f32 = 256.0;
/// Least and largest ratio of scales in an addition: within it, [`AddTables`] computes without rounding in f64.
pub(crate) const RATIO_MIN: f32 = 1.0 / 4096.0;
pub(crate) const RATIO_MAX: f32 = 128.0;

/// One and a half times 2^23: adding it to a small float leaves the float's nearest integer in the low bits.
const SHIFT: f32 = 12_582_912.0;

/// What a quantised output may be: `lo ≤ q ≤ hi`, and which value stands for zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) zero: i32,
    pub(crate) lo: i32,
    pub(crate) hi: i32,
}

impl Range {
    /// All values of the type.
    pub(crate) fn of(signed: bool, zero: i32) -> Self {
        let (lo, hi) = limits(signed);
        Self { zero, lo, hi }
    }

    /// `lo − zero` and `hi − zero`, as requantisation clamps to them.
    pub(crate) fn bounds(self) -> [f32; 2] {
        [float(self.lo - self.zero), float(self.hi - self.zero)]
    }

    /// Only those also between `lo` and `hi`.
    pub(crate) fn within(self, lo: i32, hi: i32) -> Self {
        let low = self.lo.max(lo).min(self.hi);
        Self { lo: low, hi: self.hi.min(hi).max(low), ..self }
    }
}

/// The lowest and the highest value of an 8-bit type.
pub(crate) fn limits(signed: bool) -> (i32, i32) {
    if signed { (-128, 127) } else { (0, 255) }
}

/// The number that a byte is.
#[inline(always)]
pub(crate) fn number(signed: bool, byte: u8) -> i32 {
    if signed { i32::from(byte.cast_signed()) } else { i32::from(byte) }
}

/// The low byte of a number that fits 8 bits, signed or not.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number fits, in two's complement")]
#[inline(always)]
pub(crate) fn byte(number: i32) -> u8 {
    number as u8
}

/// The integer nearest to `value`, which must lie within ±2^22; of two equally near the even one.
#[inline(always)]
pub(crate) fn round_half_even(value: f32) -> i32 {
    (value + SHIFT).to_bits().cast_signed().wrapping_sub(SHIFT.to_bits().cast_signed())
}

/// `round_half_even(clamp(f32(acc) · scale, lo − zero, hi − zero)) + zero`.
#[inline(always)]
pub(crate) fn requantise(acc: i32, scale: f32, range: Range) -> u8 {
    byte(rounded(float(acc) * scale, range.bounds(), range.zero))
}

/// `round_half_even(clamp(value, lo, hi)) + zero`, where no value is NaN. Written so that the compiler can take several at once:
/// what it would have to check for an overflow or a NaN it takes one by one. The sum fits.
#[inline(always)]
fn rounded(value: f32, [lo, hi]: [f32; 2], zero: i32) -> i32 {
    let value = if value > lo { value } else { lo };
    let value = if value < hi { value } else { hi };
    round_half_even(value).wrapping_add(zero)
}

/// `round_half_even(clamp(value / scale, lo − zero, hi − zero)) + zero`: ONNX's QuantizeLinear.
#[inline(always)]
pub(crate) fn quantise(value: f32, scale: f32, range: Range) -> i32 {
    rounded(value / scale, range.bounds(), range.zero)
}

/// `scale · f32(q − zero)`: ONNX's DequantizeLinear.
pub(crate) fn dequantise(q: i32, scale: f32, zero: i32) -> f32 {
    scale * float(q - zero)
}

/// `(sum / f32(count)) / scale + f32(zero)`, clamped, then rounded: the mean of dequantised values.
#[inline(always)]
pub(crate) fn mean(sum: f32, count: usize, scale: f32, range: Range) -> u8 {
    let value = sum / float(count) / scale + float(range.zero);
    byte(rounded(value, [float(range.lo), float(range.hi)], 0))
}

/// `f32(weight) / f32(whole)` for each weight: the shares of softmax.
#[inline(always)]
pub(crate) fn shares(weights: &[i32], whole: i64, shares: &mut [f32]) {
    let whole = float(whole);
    shares.iter_mut().zip(weights).for_each(|(share, &weight)| *share = float(weight) / whole);
}

/// Each value quantised.
#[inline(always)]
pub(crate) fn quantise_row(values: &[f32], scale: f32, range: Range, y: &mut [u8]) {
    let bounds = range.bounds();
    for (y, &value) in y.iter_mut().zip(values) {
        *y = byte(rounded(value / scale, bounds, range.zero));
    }
}

/// What the weights of softmax are for elements `0..=255` steps below the largest.
pub(crate) fn softmax_weights(scale: f32) -> [u32; 256] {
    let mut weights = [0; 256];
    for (weight, below) in weights.iter_mut().zip(0..=u8::MAX) {
        *weight = real::softmax_weight(scale * f32::from(below));
    }
    weights
}

/// `f64(ε) · f64(n²) / (f64(s) · f64(s))`: what is added to a variance, in units of the integers' variance times `n²`.
pub(crate) fn steps(epsilon: f32, count: u32, scale: f32) -> f64 {
    f64::from(epsilon) * (f64::from(count) * f64::from(count)) / (f64::from(scale) * f64::from(scale))
}

/// `√(f64(variance) + ε)`; `variance` is below 2^53.
#[inline(always)]
#[allow(clippy::cast_precision_loss, reason = "admission bounds it")]
pub(crate) fn deviation(variance: i64, epsilon: f64) -> f64 {
    (variance as f64 + epsilon).sqrt()
}

/// `f32(f64(d) / deviation) · γ + β` for each element of a row.
#[inline(always)]
pub(crate) fn normalised(differences: &[i32], deviation: f64, (gamma, beta): (&[f32], &[f32]), values: &mut [f32]) {
    let parameters = gamma.iter().zip(beta);
    for ((value, &difference), (gamma, beta)) in values.iter_mut().zip(differences).zip(parameters) {
        *value = narrow(f64::from(difference) / deviation) * gamma + beta;
    }
}

/// Between neighbours in two rows, which are given as what they stand for, element by element:
/// `((a·(u·l) + b·(u·r)) + c·(d·l)) + d·(d·r)` with `u = 1 − d` and `l = 1 − r`.
#[inline(always)]
pub(crate) fn between([a, b]: [&[f32]; 2], [c, d]: [&[f32]; 2], [down, right]: [f32; 2], values: &mut [f32]) {
    let (up, left) = (1.0 - down, 1.0 - right);
    let shares = [up * left, up * right, down * left, down * right];
    for ((value, (a, b)), (c, d)) in values.iter_mut().zip(a.iter().zip(b)).zip(c.iter().zip(d)) {
        *value = a * shares[0] + b * shares[1] + c * shares[2] + d * shares[3];
    }
}

/// `(x · w) / y`, the multiplier of a requantisation. The product stays clear of subnormal numbers too.
pub(crate) fn multiplier(x: f32, w: f32, y: f32) -> Result<f32, NodeFault> {
    let product = check("the product of scales", x * w, SCALE_MIN, SCALE_MAX)?;
    check("the multiplier", product / y, MULTIPLIER_MIN, MULTIPLIER_MAX)
}

/// `x / (y · f32(count))`, the multiplier of a mean over integers.
pub(crate) fn mean_multiplier(x: f32, y: f32, count: usize) -> Result<f32, NodeFault> {
    check("the multiplier", x / (y * float(count)), MULTIPLIER_MIN, MULTIPLIER_MAX)
}

/// A scale from the file.
pub(crate) fn scale(operand: &'static str, value: f32) -> Result<f32, NodeFault> {
    check(operand, value, SCALE_MIN, SCALE_MAX)
}

fn check(operand: &'static str, value: f32, min: f32, max: f32) -> Result<f32, NodeFault> {
    // Also false for what is not a number.
    if value >= min && value <= max { Ok(value) } else { Err(NodeFault::Scale { operand, value, min, max }) }
}

/// Whether the scale of a bias is that of the products, within one part in 2^20: exporters compute it in f32 or f64.
pub(crate) fn check_bias(bias: f32, x: f32, w: f32) -> Result<(), NodeFault> {
    let want = x * w;
    let difference = (f64::from(bias) - f64::from(want)).abs();
    if difference <= f64::from(want) / 1_048_576.0 { Ok(()) } else { Err(NodeFault::BiasScale { want, got: bias }) }
}

/// The table of one channel of an image: `((f32(v) / 255 − mean) / deviation)`, quantised.
pub(crate) fn image_table(mean: i32, deviation: u32, scale: f32, range: Range) -> [u8; 256] {
    let unit = float(aceso_types::manifest::MICRO);
    let (mean, deviation) = (float(mean) / unit, float(deviation) / unit);
    from_bytes(|b| {
        let value = (f32::from(b) / 255.0 - mean) / deviation;
        byte(quantise(value, scale, range))
    })
}

/// The real value of each byte.
pub(crate) fn reals(signed: bool, scale: f32, zero: i32) -> Box<[f32; 256]> {
    let mut reals = Box::new([0.0; 256]);
    for (real, b) in reals.iter_mut().zip(0..=u8::MAX) {
        *real = dequantise(number(signed, b), scale, zero);
    }
    reals
}

/// `max(0, min(1, α·x + β))`.
pub(crate) fn hard_sigmoid(x: f32, alpha: f32, beta: f32) -> f32 {
    let line = alpha * x + beta;
    if line > 1.0 { 1.0 } else { line.max(0.0) }
}

/// `f32(n)`.
pub(crate) fn whole_number(n: i32) -> f32 {
    float(n)
}

/// One operation of a chain: SPEC.md's *Wide integers*.
#[inline(always)]
pub(crate) fn chained(step: ChainStep, v: f32, c: f32) -> f32 {
    match step {
        ChainStep::Mul => v * c,
        ChainStep::Add => v + c,
        ChainStep::Sub => v - c,
        ChainStep::SubFrom => c - v,
        ChainStep::Div => v / c,
        ChainStep::Least => v.max(c),
        ChainStep::Most => v.min(c),
    }
}

/// Two integers of 8 bits to one: SPEC.md's *Bytes*. No divisor is 0; if one were, the result would be.
#[inline(always)]
pub(crate) fn pair(step: PairStep, signed: bool, a: u8, b: u8) -> u8 {
    let (x, y) = (number(signed, a), number(signed, b));
    match step {
        PairStep::Add => a.wrapping_add(b),
        PairStep::Sub => a.wrapping_sub(b),
        PairStep::Mul => a.wrapping_mul(b),
        PairStep::Div => byte(x.checked_div(y).unwrap_or(0)),
        PairStep::Remainder => byte(x.checked_rem(y).unwrap_or(0)),
        PairStep::Modulo => {
            let left = x.checked_rem(y).unwrap_or(0);
            byte(if left != 0 && (left < 0) != (y < 0) { left + y } else { left })
        }
        PairStep::Min => byte(x.min(y)),
        PairStep::Max => byte(x.max(y)),
        PairStep::Left => a.checked_shl(u32::from(b)).unwrap_or(0),
        PairStep::Right => a.checked_shr(u32::from(b)).unwrap_or(0),
        PairStep::And => a & b,
        PairStep::Or => a | b,
        PairStep::Xor => a ^ b,
    }
}

/// A position as a coordinate.
pub(crate) fn whole(place: usize) -> f32 {
    float(place)
}

/// `(f32(place) + 0.5) / scale − 0.5`.
pub(crate) fn half_pixel(place: usize, scale: f32) -> f32 {
    (float(place) + 0.5) / scale - 0.5
}

/// `f32(to) / f32(from)`.
pub(crate) fn ratio(to: usize, from: usize) -> f32 {
    float(to) / float(from)
}

/// `⌊f32(from) · scale⌋`, if it is a size.
pub(crate) fn resized(from: usize, scale: f32) -> Option<usize> {
    let size = (float(from) * scale).floor();
    if scale > 0.0 && (1.0..=65_536.0).contains(&size) { Some(position(size)) } else { None }
}

/// `⌊f32(from) · scale + 0.5⌋`: a side that keeps its ratio to the others.
pub(crate) fn in_ratio(from: usize, scale: f32) -> usize {
    position((float(from) * scale + 0.5).floor())
}

/// The position of a coordinate that was rounded, within a side.
pub(crate) fn index(rounded: f32, side: usize) -> usize {
    position(rounded.max(0.0).min(float(side - 1)))
}

/// The positions on both sides of a coordinate, held within a side, and the share of the second.
pub(crate) fn neighbours(at: f32, side: usize) -> crate::ir::Between {
    let at = at.max(0.0).min(float(side - 1));
    let first = position(at.floor());
    crate::ir::Between { first, second: (first + 1).min(side - 1), share: at - at.floor() }
}

/// A whole number that is not negative and below 2^24.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "callers hold it within positions")]
fn position(whole: f32) -> usize {
    whole as usize
}

/// The table that quantises what each byte stands for.
pub(crate) fn quantised(reals: &[f32; 256], scale: f32, range: Range) -> [u8; 256] {
    from_bytes(|b| byte(quantise(reals[usize::from(b)], scale, range)))
}

fn from_bytes(each: impl Fn(u8) -> u8) -> [u8; 256] {
    let mut table = [0; 256];
    for (entry, b) in table.iter_mut().zip(0..=u8::MAX) {
        *entry = each(b);
    }
    table
}

/// The sum of two quantised values.
///
/// With `ra = sa / sy`, `rb = sb / sy` and `c = f32(zy) − fma(ra, za, rb·f32(zb))`, all in f32:
/// `q = clamp(round_half_even(fma(a, ra, fma(b, rb, c))))`, where `fma` is exact before its one rounding to f32.
///
/// Both ratios are multiples of 2^−35 and at most 2^7, so every intermediate is a multiple of 2^−35 below 2^18, and f64
/// holds it exactly: `f32(f64 sum)` *is* the fused operation, also where there is no instruction for it.
#[derive(Clone, Debug)]
pub(crate) struct AddTables {
    /// `a · ra`, exact.
    left: [f64; 256],
    /// `fma(b, rb, c)`, rounded to f32.
    right: [f64; 256],
    /// Whether the sides are signed, `ra` and `rb`, and `c`: what is left to do where the processor has the operation.
    pub(crate) signed: [bool; 2],
    pub(crate) ratios: [f32; 2],
    pub(crate) constant: f32,
    pub(crate) lo: f32,
    pub(crate) hi: f32,
}

/// One side of a sum: signed, scale, zero point.
pub(crate) type Addend = (bool, f32, i32);

impl AddTables {
    pub(crate) fn new(a: Addend, b: Addend, y_scale: f32, range: Range) -> Result<Self, NodeFault> {
        let ratio = |operand, addend: Addend| check(operand, addend.1 / y_scale, RATIO_MIN, RATIO_MAX);
        let (ra, rb) = (ratio("the ratio of scales A/C", a)?, ratio("the ratio of scales B/C", b)?);
        let zeros = narrow(f64::from(ra) * f64::from(a.2) + f64::from(rb * float(b.2)));
        let bounds = [float(range.lo), float(range.hi)];
        Ok(Self::of([a.0, b.0], [ra, rb], float(range.zero) - zeros, bounds))
    }

    /// Of `ra` and `rb`, `c`, and the least and the largest sum, for sides that are signed or not.
    pub(crate) fn of(signed: [bool; 2], ratios: [f32; 2], constant: f32, [lo, hi]: [f32; 2]) -> Self {
        let mut tables = Self { left: [0.0; 256], right: [0.0; 256], signed, ratios, constant, lo, hi };
        for (entry, byte) in tables.left.iter_mut().zip(0..=u8::MAX) {
            *entry = f64::from(number(signed[0], byte)) * f64::from(ratios[0]);
        }
        for (entry, byte) in tables.right.iter_mut().zip(0..=u8::MAX) {
            *entry = f64::from(narrow(f64::from(number(signed[1], byte)) * f64::from(ratios[1]) + f64::from(constant)));
        }
        tables
    }

    #[inline(always)]
    pub(crate) fn sum(&self, a: u8, b: u8) -> u8 {
        let value = narrow(self.left[usize::from(a)] + self.right[usize::from(b)]);
        byte(round_half_even(value.max(self.lo).min(self.hi)))
    }
}

/// To f32, once rounded.
#[allow(clippy::cast_possible_truncation, reason = "rounding to f32 is what is meant")]
#[inline(always)]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

/// Integers that are turned into f32, rounded to nearest even where they have more than 24 bits.
pub(crate) trait ToFloat {
    fn to_float(self) -> f32;
}

macro_rules! to_float {
    ($($ty:ty),*) => { $(
        impl ToFloat for $ty {
            #[inline(always)]
            #[allow(clippy::cast_precision_loss, reason = "SPEC.md rounds here")]
            fn to_float(self) -> f32 {
                self as f32
            }
        }
    )* };
}

to_float!(i32, u32, i64, usize);

#[inline(always)]
fn float(value: impl ToFloat) -> f32 {
    value.to_float()
}

/// Whether this thread rounds to nearest even, as SPEC.md and every compiler assume.
pub fn rounding_is_default() -> bool {
    use std::hint::black_box;
    let half_ulp = f32::EPSILON / 2.0;
    let (up, down) = (black_box(1.0 + f32::EPSILON), black_box(1.0f32));
    let bits = |value: f32| value.to_bits();
    bits(black_box(down) + black_box(half_ulp)) == bits(1.0)
        && bits(black_box(up) + black_box(half_ulp)) == bits(1.0 + 2.0 * f32::EPSILON)
        && bits(black_box(-down) - black_box(half_ulp)) == bits(-1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_agrees_with_the_standard_library() {
        for step in -4000..=4000i16 {
            let value = f32::from(step) / 8.0;
            assert_eq!(float(round_half_even(value)).to_bits(), (value.round_ties_even() + 0.0).to_bits(), "{value}");
        }
        assert!(rounding_is_default());
    }

    #[test]
    fn a_sum_is_the_fused_operation() {
        let range = Range::of(false, 131);
        for (a, b, y) in [
            ((false, 0.031, 7), (false, 0.0173, 200), 0.0291),
            ((true, 0.5, -128), (true, 0.0002, 127), 0.0041),
            ((false, 128.0, 255), (false, 0.000_244_140_63, 0), 1.0),
        ] {
            let tables = AddTables::new(a, b, y, range).unwrap();
            let (ra, rb) = (a.1 / y, b.1 / y);
            let c = float(range.zero) - ra.mul_add(float(a.2), rb * float(b.2));
            for (p, q) in (0..=255).flat_map(|p| (0..=255).map(move |q| (p, q))) {
                let inner = float(number(b.0, q)).mul_add(rb, c);
                let want = float(number(a.0, p)).mul_add(ra, inner).round_ties_even().clamp(0.0, 255.0);
                assert_eq!(float(u32::from(tables.sum(p, q))).to_bits(), want.to_bits(), "{p} {q}");
            }
        }
    }

    #[test]
    fn scales_out_of_range_are_refused() {
        for value in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-30, 1e30] {
            assert!(matches!(scale("x", value), Err(NodeFault::Scale { .. })), "{value}");
        }
        assert!(matches!(multiplier(1.0, 1.0, 1e-3), Err(NodeFault::Scale { .. })));
        assert!(matches!(multiplier(1e-12, 1e-12, 1e-12), Err(NodeFault::Scale { .. })));
        assert!(AddTables::new((false, 1.0, 0), (false, 1e-5, 0), 1.0, Range::of(false, 0)).is_err());
        assert!(check_bias(0.1 * 0.2, 0.1, 0.2).is_ok());
        assert!(matches!(check_bias(0.03, 0.1, 0.2), Err(NodeFault::BiasScale { .. })));
    }
}

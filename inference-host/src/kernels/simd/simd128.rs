//! WebAssembly's 128-bit vectors: 16-bit numbers in pairs, four lanes.

use std::arch::wasm32::*;

use super::lanes::{Lanes, Range, Task};

#[derive(Clone, Copy, Debug)]
pub(super) struct Simd128;

// SAFETY, for every block below: this is compiled only where the whole module has the instructions; whoever calls these
// functions has made sure of the memory that pointers lead to (see `Lanes`).
impl Lanes for Simd128 {
    type V = v128;
    const LANES: usize = 4;
    const STEP: usize = 2;
    const MANY_REGISTERS: bool = false;

    #[inline(always)]
    unsafe fn splat(bits: i32) -> v128 {
        i32x4_splat(bits)
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> v128 {
        unsafe { v128_load(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8, flip: u8) -> v128 {
        let bytes = v128_xor(unsafe { v128_load32_zero(from.cast()) }, u8x16_splat(flip));
        u32x4_extend_low_u16x8(u16x8_extend_low_u8x16(bytes))
    }

    #[inline(always)]
    unsafe fn dot(sum: v128, x: v128, w: v128) -> v128 {
        i32x4_add(sum, i32x4_dot_i16x8(x, w))
    }

    #[inline(always)]
    unsafe fn float(integers: v128) -> v128 {
        f32x4_convert_i32x4(integers)
    }

    #[inline(always)]
    unsafe fn multiply(a: v128, b: v128) -> v128 {
        f32x4_mul(a, b)
    }

    /// There is no such instruction: computed in f64, which holds the result, and rounded then.
    #[inline(always)]
    unsafe fn fma(a: v128, b: v128, c: v128) -> v128 {
        let half = |a: v128, b: v128, c: v128| {
            let product = f64x2_mul(f64x2_promote_low_f32x4(a), f64x2_promote_low_f32x4(b));
            f32x4_demote_f64x2_zero(f64x2_add(product, f64x2_promote_low_f32x4(c)))
        };
        let high = |v: v128| i64x2_shuffle::<1, 1>(v, v);
        i64x2_shuffle::<0, 2>(half(a, b, c), half(high(a), high(b), high(c)))
    }

    #[inline(always)]
    unsafe fn clamp_round(value: v128, lo: v128, hi: v128) -> v128 {
        i32x4_trunc_sat_f32x4(f32x4_nearest(f32x4_min(f32x4_max(value, lo), hi)))
    }

    #[inline(always)]
    unsafe fn add(a: v128, b: v128) -> v128 {
        i32x4_add(a, b)
    }

    #[inline(always)]
    unsafe fn store_bytes(v: v128, to: *mut u8, count: usize) {
        let low = v128_and(v, i32x4_splat(0xff));
        let words = u16x8_narrow_i32x4(low, low);
        let bytes = i32x4_extract_lane::<0>(u8x16_narrow_i16x8(words, words)).to_le_bytes();
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), count) }
    }

    #[inline(always)]
    unsafe fn interleave(taps: [*const u8; 4]) -> [v128; 4] {
        let [a, b] = [taps[0], taps[1]].map(|tap| unsafe { v128_load(tap.cast()) });
        let none = i32x4_splat(0);
        [i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(a, b), i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(a, b), none, none]
    }

    #[inline(always)]
    unsafe fn finish(sums: [v128; 4], scales: [v128; 4], range: &Range<v128>, to: *mut u8) {
        let whole = |v: usize| {
            let value = f32x4_mul(f32x4_convert_i32x4(sums[v]), scales[v]);
            i32x4_trunc_sat_f32x4(f32x4_nearest(f32x4_min(value, range.hi)))
        };
        let words = i16x8_add_sat(i16x8_narrow_i32x4(whole(0), whole(1)), range.zero_words);
        let bytes = v128_xor(u8x16_max(u8x16_narrow_i16x8(words, words), range.lo_bytes), range.flip);
        let bytes = i64x2_extract_lane::<0>(bytes).to_le_bytes();
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
    }

    fn lane_of(at: usize) -> (usize, usize) {
        (at / 4, at % 4)
    }

    #[inline(always)]
    unsafe fn enter<T: Task<Self>>(task: T) {
        unsafe { task.run() }
    }
}

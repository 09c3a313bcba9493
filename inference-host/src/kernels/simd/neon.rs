//! NEON: 16-bit numbers in pairs, four lanes.

use std::arch::aarch64::*;

use super::lanes::{Lanes, Range, Task};

#[derive(Clone, Copy, Debug)]
pub(super) struct Neon;

// SAFETY, for every block below: whoever calls these functions has made sure of the instructions, and of the memory that
// pointers lead to (see `Lanes`).
impl Lanes for Neon {
    type V = int32x4_t;
    const LANES: usize = 4;
    const STEP: usize = 2;
    const MANY_REGISTERS: bool = true;

    #[inline(always)]
    unsafe fn splat(bits: i32) -> int32x4_t {
        unsafe { vdupq_n_s32(bits) }
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> int32x4_t {
        unsafe { vld1q_s32(from) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8, flip: u8) -> int32x4_t {
        unsafe {
            let bytes = vcreate_u8(u64::from(from.cast::<u32>().read_unaligned()));
            let wide = vmovl_u8(veor_u8(bytes, vdup_n_u8(flip)));
            vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(wide)))
        }
    }

    #[inline(always)]
    unsafe fn dot(sum: int32x4_t, x: int32x4_t, w: int32x4_t) -> int32x4_t {
        unsafe {
            let (x, w) = (vreinterpretq_s16_s32(x), vreinterpretq_s16_s32(w));
            let (low, high) = (vmull_s16(vget_low_s16(x), vget_low_s16(w)), vmull_high_s16(x, w));
            vaddq_s32(sum, vpaddq_s32(low, high))
        }
    }

    #[inline(always)]
    unsafe fn float(integers: int32x4_t) -> int32x4_t {
        unsafe { vreinterpretq_s32_f32(vcvtq_f32_s32(integers)) }
    }

    #[inline(always)]
    unsafe fn multiply(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        unsafe { vreinterpretq_s32_f32(vmulq_f32(vreinterpretq_f32_s32(a), vreinterpretq_f32_s32(b))) }
    }

    #[inline(always)]
    unsafe fn fma(a: int32x4_t, b: int32x4_t, c: int32x4_t) -> int32x4_t {
        unsafe {
            let [a, b, c] = [a, b, c].map(|v| vreinterpretq_f32_s32(v));
            vreinterpretq_s32_f32(vfmaq_f32(c, a, b))
        }
    }

    #[inline(always)]
    unsafe fn clamp_round(value: int32x4_t, lo: int32x4_t, hi: int32x4_t) -> int32x4_t {
        unsafe {
            let [value, lo, hi] = [value, lo, hi].map(|v| vreinterpretq_f32_s32(v));
            vcvtnq_s32_f32(vminq_f32(vmaxq_f32(value, lo), hi))
        }
    }

    #[inline(always)]
    unsafe fn add(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        unsafe { vaddq_s32(a, b) }
    }

    #[inline(always)]
    unsafe fn store_bytes(v: int32x4_t, to: *mut u8, count: usize) {
        unsafe {
            let words = vmovn_s32(v);
            let bytes = vmovn_s16(vcombine_s16(words, words));
            let bytes = vget_lane_u64::<0>(vreinterpret_u64_s8(bytes)).to_le_bytes();
            to.copy_from_nonoverlapping(bytes.as_ptr(), count);
        }
    }

    #[inline(always)]
    unsafe fn interleave(taps: [*const u8; 4]) -> [int32x4_t; 4] {
        unsafe {
            let [a, b] = [taps[0], taps[1]].map(|tap| vreinterpretq_s16_u8(vld1q_u8(tap)));
            let quads = [vzip1q_s16(a, b), vzip2q_s16(a, b)].map(|v| vreinterpretq_s32_s16(v));
            [quads[0], quads[1], vdupq_n_s32(0), vdupq_n_s32(0)]
        }
    }

    #[inline(always)]
    unsafe fn finish(sums: [int32x4_t; 4], scales: [int32x4_t; 4], range: &Range<int32x4_t>, to: *mut u8) {
        unsafe {
            let whole = |v: usize| {
                let value = vmulq_f32(vcvtq_f32_s32(sums[v]), vreinterpretq_f32_s32(scales[v]));
                vqmovn_s32(vcvtnq_s32_f32(vminq_f32(value, vreinterpretq_f32_s32(range.hi))))
            };
            let words = vcombine_s16(whole(0), whole(1));
            let bytes = vqmovun_s16(vqaddq_s16(words, vreinterpretq_s16_s32(range.zero_words)));
            let least = vmax_u8(bytes, vget_low_u8(vreinterpretq_u8_s32(range.lo_bytes)));
            vst1_u8(to, veor_u8(least, vget_low_u8(vreinterpretq_u8_s32(range.flip))));
        }
    }

    fn lane_of(at: usize) -> (usize, usize) {
        (at / 4, at % 4)
    }

    #[inline(always)]
    unsafe fn enter<T: Task<Self>>(task: T) {
        unsafe { task.run() }
    }
}

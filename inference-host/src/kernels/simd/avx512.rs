//! AVX-512 with VNNI: 8-bit numbers in fours, sixteen lanes.

use std::arch::x86_64::*;

use super::lanes::{Lanes, Range, Task};

#[derive(Clone, Copy, Debug)]
pub(super) struct Vnni;

// SAFETY, for every block below: whoever calls these functions has made sure of the instructions, and of the memory that
// pointers lead to (see `Lanes`).
impl Lanes for Vnni {
    type V = __m512i;
    const LANES: usize = 16;
    const STEP: usize = 4;
    const MANY_REGISTERS: bool = true;

    #[inline(always)]
    unsafe fn splat(bits: i32) -> __m512i {
        unsafe { _mm512_set1_epi32(bits) }
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8, flip: u8) -> __m512i {
        unsafe {
            let bytes = _mm_xor_si128(_mm_loadu_si128(from.cast()), _mm_set1_epi8(flip.cast_signed()));
            _mm512_cvtepu8_epi32(bytes)
        }
    }

    /// `vpdpbusd`, the form that does not saturate.
    #[inline(always)]
    unsafe fn dot(sum: __m512i, x: __m512i, w: __m512i) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sum, x, w) }
    }

    #[inline(always)]
    unsafe fn float(integers: __m512i) -> __m512i {
        unsafe { _mm512_castps_si512(_mm512_cvtepi32_ps(integers)) }
    }

    #[inline(always)]
    unsafe fn multiply(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_castps_si512(_mm512_mul_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b))) }
    }

    #[inline(always)]
    unsafe fn fma(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        unsafe {
            let [a, b, c] = [_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), _mm512_castsi512_ps(c)];
            _mm512_castps_si512(_mm512_fmadd_ps(a, b, c))
        }
    }

    #[inline(always)]
    unsafe fn clamp_round(value: __m512i, lo: __m512i, hi: __m512i) -> __m512i {
        unsafe {
            let most = _mm512_max_ps(_mm512_castsi512_ps(value), _mm512_castsi512_ps(lo));
            _mm512_cvtps_epi32(_mm512_min_ps(most, _mm512_castsi512_ps(hi)))
        }
    }

    #[inline(always)]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn store_bytes(v: __m512i, to: *mut u8, count: usize) {
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(v);
            if count == Self::LANES {
                _mm_storeu_si128(to.cast(), bytes);
            } else {
                _mm_mask_storeu_epi8(to.cast(), (1 << count) - 1, bytes);
            }
        }
    }

    #[inline(always)]
    unsafe fn interleave(taps: [*const u8; 4]) -> [__m512i; 4] {
        unsafe {
            let [a, b, c, d] = taps.map(|tap| _mm512_loadu_si512(tap.cast()));
            let (low, high) = (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
            let (low_cd, high_cd) = (_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d));
            [
                _mm512_unpacklo_epi16(low, low_cd),
                _mm512_unpackhi_epi16(low, low_cd),
                _mm512_unpacklo_epi16(high, high_cd),
                _mm512_unpackhi_epi16(high, high_cd),
            ]
        }
    }

    #[inline(always)]
    unsafe fn finish(sums: [__m512i; 4], scales: [__m512i; 4], range: &Range<__m512i>, to: *mut u8) {
        unsafe {
            let whole = |v: usize| {
                let value = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[v]), _mm512_castsi512_ps(scales[v]));
                _mm512_cvtps_epi32(_mm512_min_ps(value, _mm512_castsi512_ps(range.hi)))
            };
            let words = |a, b| _mm512_adds_epi16(_mm512_packs_epi32(whole(a), whole(b)), range.zero_words);
            let bytes = _mm512_packus_epi16(words(0, 1), words(2, 3));
            let bytes = _mm512_xor_si512(_mm512_max_epu8(bytes, range.lo_bytes), range.flip);
            _mm512_storeu_si512(to.cast(), bytes);
        }
    }

    /// Quarters of a vector are interleaved by themselves, four numbers of each at a time.
    fn lane_of(at: usize) -> (usize, usize) {
        (at % 16 / 4, at / 16 * 4 + at % 4)
    }

    #[inline(always)]
    unsafe fn enter<T: Task<Self>>(task: T) {
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
        unsafe fn inner<T: Task<Vnni>>(task: T) {
            unsafe { task.run() }
        }
        unsafe { inner(task) }
    }
}

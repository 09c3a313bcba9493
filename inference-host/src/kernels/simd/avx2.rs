//! AVX2 with FMA: 16-bit numbers in pairs, eight lanes.

use std::arch::x86_64::*;

use super::lanes::{Lanes, Range, Task};

#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2;

// SAFETY, for every block below: whoever calls these functions has made sure of the instructions, and of the memory that
// pointers lead to (see `Lanes`).
impl Lanes for Avx2 {
    type V = __m256i;
    const LANES: usize = 8;
    const STEP: usize = 2;
    const MANY_REGISTERS: bool = false;

    #[inline(always)]
    unsafe fn splat(bits: i32) -> __m256i {
        unsafe { _mm256_set1_epi32(bits) }
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> __m256i {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8, flip: u8) -> __m256i {
        unsafe {
            let bytes = _mm_xor_si128(_mm_loadl_epi64(from.cast()), _mm_set1_epi8(flip.cast_signed()));
            _mm256_cvtepu8_epi32(bytes)
        }
    }

    #[inline(always)]
    unsafe fn dot(sum: __m256i, x: __m256i, w: __m256i) -> __m256i {
        unsafe { _mm256_add_epi32(sum, _mm256_madd_epi16(x, w)) }
    }

    #[inline(always)]
    unsafe fn float(integers: __m256i) -> __m256i {
        unsafe { _mm256_castps_si256(_mm256_cvtepi32_ps(integers)) }
    }

    #[inline(always)]
    unsafe fn multiply(a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_castps_si256(_mm256_mul_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b))) }
    }

    #[inline(always)]
    unsafe fn fma(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        unsafe {
            let [a, b, c] = [_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), _mm256_castsi256_ps(c)];
            _mm256_castps_si256(_mm256_fmadd_ps(a, b, c))
        }
    }

    #[inline(always)]
    unsafe fn clamp_round(value: __m256i, lo: __m256i, hi: __m256i) -> __m256i {
        unsafe {
            let most = _mm256_max_ps(_mm256_castsi256_ps(value), _mm256_castsi256_ps(lo));
            _mm256_cvtps_epi32(_mm256_min_ps(most, _mm256_castsi256_ps(hi)))
        }
    }

    #[inline(always)]
    unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn store_bytes(v: __m256i, to: *mut u8, count: usize) {
        unsafe {
            let low = _mm256_and_si256(v, _mm256_set1_epi32(0xff));
            let words = _mm_packs_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256::<1>(low));
            let bytes = _mm_packus_epi16(words, words);
            if count == Self::LANES {
                _mm_storel_epi64(to.cast(), bytes);
            } else {
                let bytes = _mm_cvtsi128_si64(bytes).to_le_bytes();
                to.copy_from_nonoverlapping(bytes.as_ptr(), count);
            }
        }
    }

    #[inline(always)]
    unsafe fn interleave(taps: [*const u8; 4]) -> [__m256i; 4] {
        unsafe {
            let [a, b] = [taps[0], taps[1]].map(|tap| _mm256_loadu_si256(tap.cast()));
            let none = _mm256_setzero_si256();
            [_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b), none, none]
        }
    }

    #[inline(always)]
    unsafe fn finish(sums: [__m256i; 4], scales: [__m256i; 4], range: &Range<__m256i>, to: *mut u8) {
        unsafe {
            let whole = |v: usize| {
                let value = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[v]), _mm256_castsi256_ps(scales[v]));
                _mm256_cvtps_epi32(_mm256_min_ps(value, _mm256_castsi256_ps(range.hi)))
            };
            let words = _mm256_adds_epi16(_mm256_packs_epi32(whole(0), whole(1)), range.zero_words);
            let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            let least = _mm_max_epu8(bytes, _mm256_castsi256_si128(range.lo_bytes));
            _mm_storeu_si128(to.cast(), _mm_xor_si128(least, _mm256_castsi256_si128(range.flip)));
        }
    }

    /// Halves of a vector are interleaved by themselves, four numbers of each at a time.
    fn lane_of(at: usize) -> (usize, usize) {
        (at % 8 / 4, at / 8 * 4 + at % 4)
    }

    #[inline(always)]
    unsafe fn enter<T: Task<Self>>(task: T) {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn inner<T: Task<Avx2>>(task: T) {
            unsafe { task.run() }
        }
        unsafe { inner(task) }
    }
}

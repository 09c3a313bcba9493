//! Tables of 256 bytes, looked up in registers.

use std::arch::x86_64::*;

use crate::kernels::{Run, Scratch};

/// Looks up each byte of the first in a table, and writes it to the second, which is as long.
type Lookup = unsafe fn(&[u8; 256], &[u8], &mut [u8]);

#[derive(Debug)]
struct Table {
    table: Box<[u8; 256]>,
    lookup: Lookup,
}

/// With AVX2, which the processor has.
pub(super) fn avx2(table: Box<[u8; 256]>) -> Box<dyn Run> {
    Box::new(Table { table, lookup: by_rows })
}

/// With AVX-512, which the processor has; the instruction that makes it fast came later than VNNI.
pub(super) fn avx512(table: Box<[u8; 256]>) -> Box<dyn Run> {
    let lookup: Lookup = if is_x86_feature_detected!("avx512vbmi") { by_halves } else { by_rows };
    Box::new(Table { table, lookup })
}

impl Run for Table {
    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        let x = &inputs[0][..y.len()];
        // SAFETY: whoever made this has made sure of the instructions.
        unsafe { (self.lookup)(&self.table, x, y) };
    }
}

fn one_by_one(table: &[u8; 256], x: &[u8], y: &mut [u8]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = table[usize::from(x)];
    }
}

/// Sixteen rows of sixteen bytes: a byte takes from the row of its upper half what its lower half names, and zero from the
/// others, since the shuffle gives zero where the top bit is set.
#[target_feature(enable = "avx2")]
fn by_rows(table: &[u8; 256], x: &[u8], y: &mut [u8]) {
    let (chunks, rest) = x.as_chunks::<32>();
    let (to, to_rest) = y.as_chunks_mut::<32>();
    let rows: [__m256i; 16] = std::array::from_fn(|row| {
        // SAFETY: a row has sixteen bytes.
        unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().add(row * 16).cast())) }
    });
    let (step, high) = (_mm256_set1_epi8(0x10), _mm256_set1_epi8(0x70));
    for (x, y) in chunks.iter().zip(to) {
        // SAFETY: a chunk has 32 bytes.
        let mut left = unsafe { _mm256_loadu_si256(x.as_ptr().cast()) };
        let mut all = _mm256_setzero_si256();
        for row in rows {
            // Only what was below 16 stays below 128.
            all = _mm256_or_si256(all, _mm256_shuffle_epi8(row, _mm256_adds_epu8(left, high)));
            left = _mm256_sub_epi8(left, step);
        }
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(y.as_mut_ptr().cast(), all) };
    }
    one_by_one(table, rest, to_rest);
}

/// Two halves of 128 bytes, of which the top bit chooses.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn by_halves(table: &[u8; 256], x: &[u8], y: &mut [u8]) {
    let (chunks, rest) = x.as_chunks::<64>();
    let (to, to_rest) = y.as_chunks_mut::<64>();
    let quarters: [__m512i; 4] = std::array::from_fn(|quarter| {
        // SAFETY: a quarter has 64 bytes.
        unsafe { _mm512_loadu_si512(table.as_ptr().add(quarter * 64).cast()) }
    });
    for (x, y) in chunks.iter().zip(to) {
        // SAFETY: a chunk has 64 bytes.
        let x = unsafe { _mm512_loadu_si512(x.as_ptr().cast()) };
        let low = _mm512_permutex2var_epi8(quarters[0], x, quarters[1]);
        let high = _mm512_permutex2var_epi8(quarters[2], x, quarters[3]);
        let all = _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(y.as_mut_ptr().cast(), all) };
    }
    one_by_one(table, rest, to_rest);
}

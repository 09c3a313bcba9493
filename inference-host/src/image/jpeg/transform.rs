//! The inverse cosine transform: Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with 11
//! multiplications" (1989), in its form with 12, in integers. `IMAGE.md` pins it.

/// Bits of fraction of the constants, and bits kept between the passes.
const CONSTANT: u32 = 13;
const BETWEEN: u32 = 2;

// Cosines and their sums, times 2¹³.
const C0_298: i64 = 2_446;
const C0_390: i64 = 3_196;
const C0_541: i64 = 4_433;
const C0_765: i64 = 6_270;
const C0_899: i64 = 7_373;
const C1_175: i64 = 9_633;
const C1_501: i64 = 12_299;
const C1_847: i64 = 15_137;
const C1_961: i64 = 16_069;
const C2_053: i64 = 16_819;
const C2_562: i64 = 20_995;
const C3_072: i64 = 25_172;

/// Samples of a block, in rows.
pub(super) fn inverse(block: &[i16; 64]) -> [u8; 64] {
    let mut columns = [[0_i64; 8]; 8];
    for (x, column) in columns.iter_mut().enumerate() {
        let mut line = [0; 8];
        for (value, row) in line.iter_mut().zip(block.chunks_exact(8)) {
            *value = row.get(x).copied().map_or(0, i64::from);
        }
        *column = pass(line, CONSTANT - BETWEEN);
    }
    let mut out = [0; 64];
    for (y, row) in out.chunks_exact_mut(8).enumerate() {
        let mut line = [0; 8];
        for (value, column) in line.iter_mut().zip(&columns) {
            *value = column.get(y).copied().unwrap_or_default();
        }
        for (sample, value) in row.iter_mut().zip(pass(line, CONSTANT + BETWEEN + 3)) {
            *sample = u8::try_from((value + 128).clamp(0, 255)).unwrap_or_default();
        }
    }
    out
}

/// Eight values along a line, divided by `2^shift` and rounded half up.
fn pass([v0, v1, v2, v3, v4, v5, v6, v7]: [i64; 8], shift: u32) -> [i64; 8] {
    // Even part.
    let z = (v2 + v6) * C0_541;
    let (t2, t3) = (z - v6 * C1_847, z + v2 * C0_765);
    let (t0, t1) = ((v0 + v4) << CONSTANT, (v0 - v4) << CONSTANT);
    let even = [t0 + t3, t1 + t2, t1 - t2, t0 - t3];
    // Odd part.
    let z5 = (v7 + v3 + v5 + v1) * C1_175;
    let z1 = -(v7 + v1) * C0_899;
    let z2 = -(v5 + v3) * C2_562;
    let z3 = z5 - (v7 + v3) * C1_961;
    let z4 = z5 - (v5 + v1) * C0_390;
    let odd = [v1 * C1_501 + z1 + z4, v3 * C3_072 + z2 + z3, v5 * C2_053 + z2 + z4, v7 * C0_298 + z1 + z3];
    let [e0, e1, e2, e3] = even;
    let [o0, o1, o2, o3] = odd;
    [e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0]
        .map(|value| (value + (1 << (shift - 1))) >> shift)
}

//! Luminance and chrominance to red, green and blue.

/// Pixels of `Y Cb Cr` to pixels of `R G B`, both of 8 bits, by JFIF's matrix in 16 bits of fraction.
pub(super) fn to_rgb(pixels: &mut [u8]) {
    for pixel in pixels.chunks_exact_mut(3) {
        if let [y, cb, cr] = pixel {
            let (luminance, b, r) = (i32::from(*y), i32::from(*cb) - 128, i32::from(*cr) - 128);
            let narrow = |weighted: i32| {
                u8::try_from((luminance + ((weighted + 32_768) >> 16)).clamp(0, 255)).unwrap_or_default()
            };
            (*y, *cb, *cr) = (narrow(91_881 * r), narrow(-22_554 * b - 46_802 * r), narrow(116_130 * b));
        }
    }
}

/// Native YBR_FULL_422 (PS3.3 section C.7.6.3.1.2), `Y Y Cb Cr` for two pixels, to `Y Cb Cr` for each.
pub(super) fn each(pairs: &[u8]) -> Vec<u8> {
    pairs
        .chunks_exact(4)
        .flat_map(|four| match *four {
            [left, right, cb, cr] => [left, cb, cr, right, cb, cr],
            _ => [0; 6],
        })
        .collect()
}

//! Crop and resize of one 8-bit plane. Both resizes are exact rational means, rounded once, half up.

use aceso_types::manifest::{Crop, Resize};

/// A part of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// What a crop keeps of a `width` × `height` image for an input of shape `to` (columns, rows).
pub(super) fn crop(crop: Crop, width: u32, height: u32, to: (u32, u32)) -> Rect {
    let scaled = |side: u32, by: u32, over: u32| {
        let part = u64::from(side) * u64::from(by) / u64::from(over.max(1));
        u32::try_from(part).unwrap_or(u32::MAX).max(1)
    };
    let (kept_width, kept_height) = match crop {
        Crop::None => (width, height),
        Crop::Center => (width.min(scaled(height, to.0, to.1)), height.min(scaled(width, to.1, to.0))),
    };
    Rect { left: (width - kept_width) / 2, top: (height - kept_height) / 2, width: kept_width, height: kept_height }
}

/// Resamples a plane of `from` (columns, rows) to `to`.
pub(super) fn resize(how: Resize, plane: &[u8], from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
    if from == to {
        return plane.to_vec();
    }
    let (columns, rows, whole) = match how {
        Resize::Area => (area(from.0, to.0), area(from.1, to.1), u64::from(from.0) * u64::from(from.1)),
        Resize::Bilinear => (bilinear(from.0, to.0), bilinear(from.1, to.1), 4 * u64::from(to.0) * u64::from(to.1)),
    };
    let width = from.0 as usize;
    let mut out = Vec::with_capacity(columns.len() * rows.len());
    let mut sums = vec![0; columns.len()];
    // Each source row is summed once: a row of the target shares at most its last source row with the next.
    let (mut held, mut held_sums) = (None, vec![0; columns.len()]);
    for row in &rows {
        sums.fill(0);
        for (y, weight) in row.taps() {
            if held != Some(y) {
                let line = plane.get(y * width..).unwrap_or_default();
                for (sum, column) in held_sums.iter_mut().zip(&columns) {
                    *sum = column.taps().map(|(x, weight)| weight * line.get(x).copied().map_or(0, u64::from)).sum();
                }
                held = Some(y);
            }
            sums.iter_mut().zip(&held_sums).for_each(|(sum, part)| *sum += weight * part);
        }
        out.extend(sums.iter().map(|sum| u8::try_from((2 * sum + whole) / (2 * whole)).unwrap_or(u8::MAX)));
    }
    out
}

/// The source pixels that make up one target pixel along one side, with their weights: `first` for the pixel at
/// `start`, `inner` for those between, `last` for the pixel at `end`. One pixel where `start` is `end`.
struct Part {
    start: usize,
    end: usize,
    first: u64,
    inner: u64,
    last: u64,
}

impl Part {
    fn taps(&self) -> impl Iterator<Item = (usize, u64)> {
        (self.start..=self.end).map(|place| {
            let weight = match place {
                place if place == self.start => self.first,
                place if place == self.end => self.last,
                _ => self.inner,
            };
            (place, weight)
        })
    }
}

/// Target pixel `i` covers `[i · from, (i + 1) · from)` where source pixel `k` covers `[k · to, (k + 1) · to)`; weights
/// are the overlaps and sum to `from`.
fn area(from: u32, to: u32) -> Vec<Part> {
    let (from, to) = (u64::from(from), u64::from(to));
    (0..to)
        .map(|i| {
            let (low, high) = (i * from, (i + 1) * from);
            let (start, end) = (low / to, (high - 1) / to);
            let (first, last) = if start == end { (from, 0) } else { ((start + 1) * to - low, high - end * to) };
            Part { start: place(start), end: place(end), first, inner: to, last }
        })
        .collect()
}

/// Half-pixel centres: target pixel `i` lies at `((2i + 1) · from − to) / 2·to` among the source's centres, between
/// two of them; weights are the distances and sum to `2·to`. Beyond the first and last centre the edge repeats.
fn bilinear(from: u32, to: u32) -> Vec<Part> {
    let (from, to) = (u64::from(from), u64::from(to));
    (0..to)
        .map(|i| {
            let at = ((2 * i + 1) * from).saturating_sub(to);
            let (start, above) = (at / (2 * to), at % (2 * to));
            if start + 1 < from {
                Part { start: place(start), end: place(start + 1), first: 2 * to - above, inner: 0, last: above }
            } else {
                Part { start: place(from - 1), end: place(from - 1), first: 2 * to, inner: 0, last: 0 }
            }
        })
        .collect()
}

fn place(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// The definition, pixel by pixel: every source pixel is cut into `to` by `to` equal bits.
    fn area_by_definition(plane: &[u8], from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
        let mut out = Vec::new();
        for y in 0..to.1 {
            for x in 0..to.0 {
                let mut sum = 0;
                for v in y * from.1..(y + 1) * from.1 {
                    for u in x * from.0..(x + 1) * from.0 {
                        sum += u32::from(plane[((v / to.1) * from.0 + u / to.0) as usize]);
                    }
                }
                let all = from.0 * from.1;
                out.push(u8::try_from((2 * sum + all) / (2 * all)).unwrap());
            }
        }
        out
    }

    #[test]
    fn area_is_the_mean_over_each_target_pixel() {
        let plane: Vec<u8> = (0..11 * 7).map(|i: u32| (i * 37 % 256) as u8).collect();
        for to in [(1, 1), (3, 2), (5, 7), (11, 3), (13, 9), (4, 20)] {
            assert_eq!(resize(Resize::Area, &plane, (11, 7), to), area_by_definition(&plane, (11, 7), to), "{to:?}");
        }
    }

    #[test]
    fn bilinear_meets_known_values() {
        assert_eq!(resize(Resize::Bilinear, &[0, 100], (2, 1), (4, 1)), [0, 25, 75, 100]);
        assert_eq!(resize(Resize::Bilinear, &[0, 100, 200, 255], (4, 1), (2, 1)), [50, 228]);
        assert_eq!(resize(Resize::Bilinear, &[7], (1, 1), (3, 2)), [7; 6]);
        assert_eq!(resize(Resize::Bilinear, &[0, 0, 255, 255], (2, 2), (2, 4)), [0, 0, 64, 64, 191, 191, 255, 255]);
    }

    #[test]
    fn a_constant_stays_what_it_is() {
        for how in [Resize::Area, Resize::Bilinear] {
            for to in [(1, 1), (28, 28), (100, 3)] {
                assert!(resize(how, &[201; 31 * 17], (31, 17), to).iter().all(|&v| v == 201), "{how:?} {to:?}");
            }
        }
    }

    #[test]
    fn the_middle_is_kept() {
        let rect = |left, top, width, height| Rect { left, top, width, height };
        assert_eq!(crop(Crop::Center, 300, 200, (28, 28)), rect(50, 0, 200, 200));
        assert_eq!(crop(Crop::Center, 201, 300, (28, 28)), rect(0, 49, 201, 201));
        assert_eq!(crop(Crop::Center, 100, 100, (64, 32)), rect(0, 25, 100, 50));
        assert_eq!(crop(Crop::Center, 1, 65_535, (4096, 1)), rect(0, 32_767, 1, 1));
        assert_eq!(crop(Crop::None, 300, 200, (28, 28)), rect(0, 0, 300, 200));
    }
}

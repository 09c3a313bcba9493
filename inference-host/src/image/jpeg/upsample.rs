//! Planes to pixels: chrominance that was sampled half as often is brought to the picture's size by a triangle.

use super::{Shape, baseline::Plane};

/// Components pixel by pixel.
pub(super) fn interleaved(planes: &[Plane], shape: Shape) -> Vec<u8> {
    let (width, height) = (shape.width as usize, shape.height as usize);
    let mut out = vec![0; width * height * planes.len()];
    let mut line = Vec::with_capacity(width);
    for (y, row) in out.chunks_exact_mut((width * planes.len()).max(1)).enumerate() {
        for (channel, plane) in planes.iter().enumerate() {
            stretched(plane, y, width, &mut line);
            for (slot, &sample) in row.iter_mut().skip(channel).step_by(planes.len()).zip(&line) {
                *slot = sample;
            }
        }
    }
    out
}

/// Row `y` of the picture from a plane.
fn stretched(plane: &Plane, y: usize, width: usize, line: &mut Vec<u8>) {
    line.clear();
    let narrow = |value: u16| u8::try_from(value).unwrap_or(u8::MAX);
    // The nearer of two rows counts three times, and so does the nearer of two columns.
    let beside =
        |at: usize, last: usize| if at.is_multiple_of(2) { (at / 2).saturating_sub(1) } else { (at / 2 + 1).min(last) };
    let (near, far) = match plane.down {
        1 => (plane.row(y), None),
        _ => (plane.row(y / 2), Some(plane.row(beside(y, plane.height - 1)))),
    };
    let column = |x: usize| -> u16 {
        let at = |row: &[u8]| row.get(x).copied().map_or(0, u16::from);
        far.map_or_else(|| at(near), |far| 3 * at(near) + at(far))
    };
    let wide = |x: usize| 3 * column(x / 2) + column(beside(x, plane.width - 1));
    match (plane.across, plane.down) {
        (1, 1) => line.extend_from_slice(near),
        (1, _) => {
            let bias = if y.is_multiple_of(2) { 1 } else { 2 };
            line.extend((0..width).map(|x| narrow((column(x) + bias) >> 2)));
        }
        (_, 1) => line.extend((0..width).map(|x| narrow((wide(x) + if x.is_multiple_of(2) { 1 } else { 2 }) >> 2))),
        _ => line.extend((0..width).map(|x| narrow((wide(x) + if x.is_multiple_of(2) { 8 } else { 7 }) >> 4))),
    }
}

//! The reversible 5/3 transform (T.800 annex F): bands to a plane of samples, resolution by resolution.

use super::{Rect, block::Coefficients, fault, tile::TileComponent};
use crate::image::ImageError;

/// The plane of a component, in rows.
pub(super) fn plane(component: &TileComponent<'_>, tile: Rect) -> Result<Vec<i32>, ImageError> {
    let (width, height) = (tile.width(), tile.height());
    let mut plane = vec![0; width * height];
    let mut room = Coefficients::new();
    // Each band lies behind the resolution below it, to the right or under it.
    let mut below = Rect::default();
    for resolution in &component.resolutions {
        for band in &resolution.bands {
            let left = if band.high.0 { below.width() } else { 0 };
            let top = if band.high.1 { below.height() } else { 0 };
            for block in band.cells.iter().flat_map(|cell| &cell.blocks).filter(|block| block.passes > 0) {
                room.decode(block, band.kind, band.planes, component.style)?;
                let x = left + (block.rect.x0 - band.rect.x0) as usize;
                let y = top + (block.rect.y0 - band.rect.y0) as usize;
                for (y, row) in (y..).zip(room.rows()) {
                    let start = y * width + x;
                    let slots =
                        plane.get_mut(start..).ok_or_else(|| fault(block.at, "a block lies outside of its tile"))?;
                    slots.iter_mut().zip(row).for_each(|(slot, value)| *slot = value);
                }
            }
        }
        below = resolution.rect;
    }
    drop(room);
    let mut line = Vec::new();
    let mut rows = Vec::new();
    for pair in component.resolutions.windows(2) {
        let [low, high] = pair else { continue };
        across(&mut plane, width, low.rect, high.rect, &mut line);
        down(&mut plane, width, low.rect, high.rect, &mut rows);
    }
    Ok(plane)
}

/// Rows of a resolution, from those of the one below and the high bands to their right.
fn across(plane: &mut [i32], stride: usize, low: Rect, high: Rect, line: &mut Vec<i32>) {
    let width = high.width();
    let odd = high.x0 as usize % 2;
    for row in plane.chunks_exact_mut(stride).take(high.height()) {
        let Some(row) = row.get_mut(..width) else { return };
        line.clear();
        line.resize(width, 0);
        let (lows, highs) = row.split_at(low.width().min(width));
        line.iter_mut().skip(odd).step_by(2).zip(lows).for_each(|(slot, value)| *slot = *value);
        line.iter_mut().skip(1 - odd).step_by(2).zip(highs).for_each(|(slot, value)| *slot = *value);
        let at = |line: &[i32], place: usize| line.get(place).copied().unwrap_or_default();
        let beside = |line: &[i32], place: usize| {
            let left = if place == 0 { 1 } else { place - 1 };
            let right = if place + 1 < width { place + 1 } else { place.saturating_sub(1) };
            (at(line, left), at(line, right))
        };
        if width == 1 {
            if odd == 1 {
                line.iter_mut().for_each(|value| *value >>= 1);
            }
        } else {
            for place in (odd..width).step_by(2) {
                let value = lowered(at(line, place), beside(line, place));
                line.iter_mut().skip(place).take(1).for_each(|slot| *slot = value);
            }
            for place in (1 - odd..width).step_by(2) {
                let value = raised(at(line, place), beside(line, place));
                line.iter_mut().skip(place).take(1).for_each(|slot| *slot = value);
            }
        }
        row.copy_from_slice(line);
    }
}

/// Columns of a resolution, a row at a time.
fn down(plane: &mut [i32], stride: usize, low: Rect, high: Rect, rows: &mut Vec<i32>) {
    let (width, height) = (high.width(), high.height());
    let odd = high.y0 as usize % 2;
    if width == 0 || height == 0 {
        return;
    }
    rows.clear();
    rows.resize(width * height, 0);
    let lows = (odd..height).step_by(2).zip(0..low.height());
    let highs = (1 - odd..height).step_by(2).zip(low.height()..height);
    for (to, from) in lows.chain(highs) {
        let from = plane.get(from * stride..).and_then(|rest| rest.get(..width));
        if let (Some(to), Some(from)) = (rows.get_mut(to * width..(to + 1) * width), from) {
            to.copy_from_slice(from);
        }
    }
    let mut lift = |first: usize, formula: fn(i32, (i32, i32)) -> i32| {
        for place in (first..height).step_by(2) {
            let above = if place == 0 { 1 } else { place - 1 };
            let under = if place + 1 < height { place + 1 } else { place - 1 };
            let (before, rest) = rows.split_at_mut(place * width);
            let (row, after) = rest.split_at_mut(width);
            let get = |number: usize| {
                if number < place {
                    before.get(number * width..(number + 1) * width).unwrap_or_default()
                } else {
                    let start = (number - place - 1) * width;
                    after.get(start..start + width).unwrap_or_default()
                }
            };
            for ((value, above), under) in row.iter_mut().zip(get(above)).zip(get(under)) {
                *value = formula(*value, (*above, *under));
            }
        }
    };
    if height == 1 {
        if odd == 1 {
            rows.iter_mut().for_each(|value| *value >>= 1);
        }
    } else {
        lift(odd, lowered);
        lift(1 - odd, raised);
    }
    for (row, values) in plane.chunks_exact_mut(stride).zip(rows.chunks_exact(width)) {
        row.iter_mut().zip(values).for_each(|(slot, value)| *slot = *value);
    }
}

/// An even sample from its low coefficient and the high ones beside it. What is no image's may wrap around.
fn lowered(value: i32, (before, after): (i32, i32)) -> i32 {
    value.wrapping_sub(before.wrapping_add(after).wrapping_add(2) >> 2)
}

/// An odd sample from its high coefficient and the even ones beside it.
fn raised(value: i32, (before, after): (i32, i32)) -> i32 {
    value.wrapping_add(before.wrapping_add(after) >> 1)
}

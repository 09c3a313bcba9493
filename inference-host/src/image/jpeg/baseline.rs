//! Scans of a baseline picture to planes of samples (T.81 annexes A and F).

use super::{
    bits::Bits,
    fault,
    huffman::Table,
    markers::{Frame, Reader, Scan, ZIGZAG},
    transform,
};
use crate::image::ImageError;

/// Samples of a component: rows of `stride`, of which `width` × `height` are the picture's.
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    /// How often luminance is sampled for one sample of this plane, where planes differ.
    pub(super) across: usize,
    pub(super) down: usize,
    stride: usize,
    data: Vec<u8>,
}

impl Plane {
    /// The samples of a row; nothing outside.
    pub(super) fn row(&self, y: usize) -> &[u8] {
        let start = y * self.stride;
        self.data.get(start..start + self.width).unwrap_or_default()
    }

    fn put(&mut self, column: usize, row: usize, block: &[u8; 64]) {
        for (y, samples) in (row * 8..).zip(block.chunks_exact(8)) {
            let start = y * self.stride + column * 8;
            if let Some(place) = self.data.get_mut(start..start + 8) {
                place.copy_from_slice(samples);
            }
        }
    }
}

/// The tables that a component of a scan is coded with, and what its next block is told from.
struct Coder<'a> {
    component: usize,
    dc: &'a Table,
    ac: &'a Table,
    quantisation: [u8; 64],
    last: i32,
}

/// Every component's plane.
pub(super) fn planes(reader: &mut Reader<'_>, frame: &Frame) -> Result<Vec<Plane>, ImageError> {
    let most = |of: fn(&super::markers::Component) -> u32| frame.components.iter().map(of).max().unwrap_or(1);
    let (across, down) = (most(|one| one.across), most(|one| one.down));
    let units = (frame.width.div_ceil(8 * across) as usize, frame.height.div_ceil(8 * down) as usize);
    let mut planes: Vec<Plane> = frame
        .components
        .iter()
        .map(|one| {
            let stride = units.0 * one.across as usize * 8;
            Plane {
                width: (frame.width * one.across).div_ceil(across) as usize,
                height: (frame.height * one.down).div_ceil(down) as usize,
                across: (across / one.across) as usize,
                down: (down / one.down) as usize,
                stride,
                data: vec![0; stride * units.1 * one.down as usize * 8],
            }
        })
        .collect();
    let mut seen = vec![false; planes.len()];
    while let Some(scan) = reader.scan(frame)? {
        for one in &scan.coded {
            if seen.get_mut(one.component).is_none_or(|seen| std::mem::replace(seen, true)) {
                return Err(fault(scan.at, "a component is coded twice"));
            }
        }
        decode(reader, frame, &scan, &mut planes, units)?;
    }
    if seen.contains(&false) {
        return Err(fault(reader.at, "a component is coded nowhere"));
    }
    Ok(planes)
}

fn decode(
    reader: &mut Reader<'_>,
    frame: &Frame,
    scan: &Scan,
    planes: &mut [Plane],
    units: (usize, usize),
) -> Result<(), ImageError> {
    if scan.selection != [0, 63, 0] {
        return Err(fault(scan.at, "a baseline scan has all coefficients at once"));
    }
    let missing = || fault(scan.at, "the scan names a table that was not defined");
    let mut coders = Vec::with_capacity(scan.coded.len());
    for one in &scan.coded {
        let number = frame.components.get(one.component).map(|component| component.quantisation);
        let quantisation = number.and_then(|number| reader.quantisation.get(number).copied().flatten());
        coders.push(Coder {
            component: one.component,
            dc: reader.dc.get(one.dc).and_then(Option::as_ref).ok_or_else(missing)?,
            ac: reader.ac.get(one.ac).and_then(Option::as_ref).ok_or_else(missing)?,
            quantisation: quantisation.ok_or_else(missing)?,
            last: 0,
        });
    }
    // Blocks of a unit, and units in a row and in all: a lone component's unit is one block of its own samples.
    let alone = coders.len() == 1;
    let (columns, rows) = match (alone, coders.first().and_then(|coder| planes.get(coder.component))) {
        (true, Some(plane)) => (plane.width.div_ceil(8), plane.height.div_ceil(8)),
        _ => units,
    };
    let mut bits = Bits::new(reader.bytes, reader.at);
    let (mut left, mut restarts) = (reader.restart, 0);
    for row in 0..rows {
        for column in 0..columns {
            if reader.restart > 0 {
                if left == 0 {
                    bits.restart(restarts)?;
                    restarts += 1;
                    left = reader.restart;
                    coders.iter_mut().for_each(|coder| coder.last = 0);
                }
                left -= 1;
            }
            for coder in &mut coders {
                let factors = frame.components.get(coder.component).map(|one| (one.across as usize, one.down as usize));
                let (across, down) = if alone { (1, 1) } else { factors.unwrap_or((1, 1)) };
                for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
                    let samples = transform::inverse(&block(&mut bits, coder)?);
                    if let Some(plane) = planes.get_mut(coder.component) {
                        plane.put(column * across + x, row * down + y, &samples);
                    }
                }
            }
        }
    }
    reader.at = bits.end()?;
    Ok(())
}

/// A block's coefficients, multiplied, in rows.
fn block(bits: &mut Bits<'_>, coder: &mut Coder<'_>) -> Result<[i16; 64], ImageError> {
    let mut out = [0; 64];
    let mut put = |k: usize, value: i32| {
        let (Some(&place), Some(&step)) = (ZIGZAG.get(k), coder.quantisation.get(k)) else { return };
        let scaled = value.saturating_mul(step.into()).clamp(i16::MIN.into(), i16::MAX.into());
        if let (Some(slot), Ok(scaled)) = (out.get_mut(usize::from(place)), i16::try_from(scaled)) {
            *slot = scaled;
        }
    };
    let wrong = |bits: &mut Bits<'_>, reason| Err(bits.fault(reason));
    let size = bits.symbol(coder.dc)?;
    if size > 11 {
        return wrong(bits, "a first coefficient has more than 11 bits");
    }
    coder.last = coder.last.saturating_add(bits.extended(size)?);
    put(0, coder.last);
    let mut k = 1;
    while k < 64 {
        let symbol = bits.symbol(coder.ac)?;
        let (zeros, size) = (usize::from(symbol >> 4), symbol & 15);
        match (zeros, size) {
            (15, 0) => k += 16,
            (0, 0) => break,
            (_, 1..=10) => {
                k += zeros;
                let value = bits.extended(size)?;
                if k > 63 {
                    return wrong(bits, "a block has more than 64 coefficients");
                }
                put(k, value);
                k += 1;
            }
            _ => return wrong(bits, "a coefficient is coded as none of a baseline picture"),
        }
    }
    if k > 64 {
        return wrong(bits, "a block has more than 64 coefficients");
    }
    Ok(out)
}

//! Lossless scans to samples (T.81 annex H).

use super::{
    bits::Bits,
    fault,
    huffman::Table,
    markers::{Frame, Reader, Scan},
};
use crate::image::ImageError;

/// Samples of all components, pixel by pixel.
pub(super) fn samples(reader: &mut Reader<'_>, frame: &Frame) -> Result<Vec<u16>, ImageError> {
    let channels = frame.components.len();
    let mut out = vec![0; frame.width as usize * frame.height as usize * channels];
    let mut seen = vec![false; channels];
    while let Some(scan) = reader.scan(frame)? {
        for one in &scan.coded {
            if seen.get_mut(one.component).is_none_or(|seen| std::mem::replace(seen, true)) {
                return Err(fault(scan.at, "a component is coded twice"));
            }
        }
        decode(reader, frame, &scan, &mut out)?;
    }
    if seen.contains(&false) {
        return Err(fault(reader.at, "a component is coded nowhere"));
    }
    Ok(out)
}

fn decode(reader: &mut Reader<'_>, frame: &Frame, scan: &Scan, out: &mut [u16]) -> Result<(), ImageError> {
    let [predictor @ 1..=7, 0, 0] = scan.selection else {
        return Err(fault(scan.at, "a lossless scan has a predictor of 1 to 7 and no point transform"));
    };
    let (width, channels) = (frame.width as usize, frame.components.len());
    if !reader.restart.is_multiple_of(frame.width) {
        return Err(fault(scan.at, "restarts of a lossless scan stand at the ends of rows"));
    }
    let rows_between = (reader.restart / frame.width) as usize;
    let mut coders: Vec<(usize, &Table)> = Vec::with_capacity(scan.coded.len());
    for one in &scan.coded {
        let table = reader.dc.get(one.dc).and_then(Option::as_ref);
        let table = table.ok_or_else(|| fault(scan.at, "the scan names a table that was not defined"))?;
        coders.push((one.component, table));
    }
    let half = 1_i32 << (frame.bits - 1);
    let mut bits = Bits::new(reader.bytes, reader.at);
    // The first row since a restart, or of the picture, is told from the left alone.
    let mut restarts = 0;
    for y in 0..frame.height as usize {
        let mut first = y == 0;
        if rows_between > 0 && y > 0 && y % rows_between == 0 {
            bits.restart(restarts)?;
            restarts += 1;
            first = true;
        }
        let start = y * width * channels;
        let (above, row) = out.split_at_mut(start);
        let above = above.get(start.saturating_sub(width * channels)..).unwrap_or_default();
        for x in 0..width {
            for &(component, table) in &coders {
                let place = x * channels + component;
                let at = |row: &[u16], place: usize| row.get(place).copied().map_or(0, i32::from);
                let predicted = match (first, x) {
                    (true, 0) => half,
                    (true, _) => at(row, place - channels),
                    (false, 0) => at(above, place),
                    (false, _) => {
                        let (a, b, c) = (at(row, place - channels), at(above, place), at(above, place - channels));
                        match predictor {
                            1 => a,
                            2 => b,
                            3 => c,
                            4 => a + b - c,
                            5 => a + ((b - c) >> 1),
                            6 => b + ((a - c) >> 1),
                            _ => (a + b) >> 1,
                        }
                    }
                };
                let difference = match bits.symbol(table)? {
                    16 => 1 << 15,
                    size @ 0..=15 => bits.extended(size)?,
                    _ => return Err(bits.fault("a difference has more than 16 bits")),
                };
                let value = (predicted + difference) & 0xffff;
                if value >> frame.bits != 0 {
                    return Err(bits.fault("a sample has more bits than the picture"));
                }
                if let (Some(slot), Ok(value)) = (row.get_mut(place), u16::try_from(value)) {
                    *slot = value;
                }
            }
        }
    }
    reader.at = bits.end()?;
    Ok(())
}

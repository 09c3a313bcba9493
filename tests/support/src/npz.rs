//! NumPy's `.npz`: a zip of `.npy` files, as far as `numpy.savez` and `savez_compressed` write it. One array of bytes at
//! a time, checked against its CRC.

use std::io::Read;

use anyhow::{Context, Result, bail, ensure};
use flate2::{Crc, read::DeflateDecoder};

/// Most bytes of one array.
const ARRAY_MAX: u64 = 1 << 30;

/// An array of unsigned bytes in row-major order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its elements.
    pub data: Vec<u8>,
}

/// Reads the array `name` (without `.npy`) of an archive.
pub fn read(archive: &[u8], name: &str) -> Result<Array> {
    let file = format!("{name}.npy");
    let npy = member(archive, &file).with_context(|| format!("reading {file}"))?;
    array(&npy).with_context(|| format!("reading {file}"))
}

/// A member of a zip archive, found in its central directory (APPNOTE 4.3.12).
fn member(archive: &[u8], name: &str) -> Result<Vec<u8>> {
    let end = archive.windows(4).rposition(|four| four == b"PK\x05\x06").context("this is not a zip archive")?;
    let mut at = number(archive, end + 16, 4)?;
    for _ in 0..number(archive, end + 10, 2)? {
        ensure!(archive.get(at..at + 4) == Some(b"PK\x01\x02"), "the directory is damaged at byte {at}");
        let [name_length, extra, comment] = [28, 30, 32].map(|offset| number(archive, at + offset, 2));
        let (name_length, skipped) = (name_length?, extra? + comment?);
        if archive.get(at + 46..at + 46 + name_length) != Some(name.as_bytes()) {
            at += 46 + name_length + skipped;
            continue;
        }
        let (method, crc) = (number(archive, at + 10, 2)?, number(archive, at + 16, 4)?);
        let (packed, local) = (number(archive, at + 20, 4)?, number(archive, at + 42, 4)?);
        let start = local + 30 + number(archive, local + 26, 2)? + number(archive, local + 28, 2)?;
        let packed = archive.get(start..start + packed).context("the member is longer than the archive")?;
        let mut bytes = Vec::new();
        match method {
            0 => bytes.extend_from_slice(packed),
            8 => drop(DeflateDecoder::new(packed).take(ARRAY_MAX).read_to_end(&mut bytes)?),
            other => bail!("compression method {other} is neither stored nor deflated"),
        }
        let mut sum = Crc::new();
        sum.update(&bytes);
        ensure!(sum.sum() as usize == crc, "the member's CRC does not match");
        return Ok(bytes);
    }
    bail!("the archive has no such member")
}

/// A little-endian number of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> Result<usize> {
    let field = bytes.get(at..at + width).context("the archive ends early")?;
    Ok(field.iter().rev().fold(0, |value, &byte| value << 8 | usize::from(byte)))
}

/// Format 1.0 of `.npy`: magic, header length, a Python dictionary, the data.
fn array(npy: &[u8]) -> Result<Array> {
    ensure!(npy.starts_with(b"\x93NUMPY\x01\x00"), "this is not an array of format 1.0");
    let start = 10 + number(npy, 8, 2)?;
    let header = str::from_utf8(npy.get(10..start).context("the header ends early")?)?;
    ensure!(header.contains("'descr': '|u1'"), "elements are not bytes: {header}");
    ensure!(header.contains("'fortran_order': False"), "elements are not in row-major order: {header}");
    let shape = header.split_once("'shape': (").and_then(|(_, rest)| rest.split_once(')')).context("no shape")?.0;
    let sides = shape.split(',').map(str::trim).filter(|side| !side.is_empty());
    let shape = sides.map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let data = npy.get(start..).unwrap_or_default().to_vec();
    let elements = shape.iter().try_fold(1_usize, |all, &side| all.checked_mul(side));
    ensure!(elements == Some(data.len()), "shape {shape:?} has other than {} elements", data.len());
    Ok(Array { shape, data })
}

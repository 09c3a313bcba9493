//! JPEG 2000 (ITU-T T.800), as far as it is reversible: what a lossless file decodes to, in integers.
//!
//! [`header`] reads the codestream's markers and finds each tile's data; [`tile`] lays out resolutions, bands, precincts and
//! code blocks; [`packets`] hands each block its coded bytes ([`tags`]); [`block`] decodes bit planes ([`arithmetic`]); [`wavelet`]
//! puts bands together. One tile is worked on at a time. Irreversible transforms, quantisation, regions of interest, parameters of
//! single tiles, packed headers and changes of progression are refused by name.

mod arithmetic;
mod block;
mod header;
mod packets;
mod tags;
mod tile;
mod wavelet;

use super::{ImageError, Limits, jpeg::Shape, samples_within};
use header::Codestream;
use tile::TileComponent;

/// What a sample takes beside its passes: the wavelet transform, the values and what is made of them.
const SAMPLE_EFFORT: u64 = 4;

/// A decoded frame.
pub(super) struct Decoded {
    /// Bits of a sample.
    pub(super) bits: u8,
    /// Whether samples have a sign.
    pub(super) signed: bool,
    /// Samples pixel by pixel, in the low bits and with the sign through all 16.
    pub(super) words: Vec<u16>,
    /// What it took (`IMAGE.md`, Effort).
    pub(super) effort: u64,
}

/// The frame of a DICOM file. A tile is decoded after all that it takes is known to be allowed.
pub(super) fn decode(bytes: &[u8], want: Shape, limits: Limits) -> Result<Decoded, ImageError> {
    let stream = Codestream::read(bytes)?;
    let samples = u8::try_from(stream.components.len()).unwrap_or(u8::MAX);
    for (field, want, got) in [
        ("columns", want.width, stream.width),
        ("rows", want.height, stream.height),
        ("samples", want.samples.into(), samples.into()),
    ] {
        if want != got {
            return Err(ImageError::Compressed { field, want, got });
        }
    }
    let all = samples_within(stream.width, stream.height, samples, limits)?;
    let mut out = vec![0; all];
    let mut visits = tile::VISITS_MAX;
    let mut effort = 0_u64;
    for (number, parts) in (0..).zip(&stream.tiles) {
        let rect = stream.tile(number);
        let at = parts.first().map_or(0, |(at, _)| *at);
        let mut components = tile::components(&stream, rect, at, &mut visits)?;
        packets::distribute(&stream, &mut components, parts)?;
        effort = components.iter().fold(effort, |effort, one| effort.saturating_add(takes(one, rect)));
        limits.afford(effort)?;
        let mut planes = Vec::with_capacity(components.len());
        for component in &components {
            planes.push(wavelet::plane(component, rect)?);
        }
        drop(components);
        store(&stream, rect, planes, &mut out);
    }
    Ok(Decoded { bits: stream.bits, signed: stream.signed, words: out, effort })
}

/// What a tile's component takes: each pass of a code block looks at each of its samples.
fn takes(component: &TileComponent<'_>, tile: Rect) -> u64 {
    let bands = component.resolutions.iter().flat_map(|resolution| &resolution.bands);
    let blocks = bands.flat_map(|band| &band.cells).flat_map(|cell| &cell.blocks);
    let passes: u64 = blocks.map(|block| block.rect.samples().saturating_mul(block.passes.into())).sum();
    passes.saturating_add(SAMPLE_EFFORT.saturating_mul(tile.samples()))
}

/// A part of a plane: left, top, and what is behind its right and lower end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rect {
    x0: u32,
    y0: u32,
    x1: u32,
    y1: u32,
}

impl Rect {
    fn width(self) -> usize {
        self.x1.saturating_sub(self.x0) as usize
    }

    fn height(self) -> usize {
        self.y1.saturating_sub(self.y0) as usize
    }

    fn samples(self) -> u64 {
        self.width() as u64 * self.height() as u64
    }

    fn is_empty(self) -> bool {
        self.x1 <= self.x0 || self.y1 <= self.y0
    }

    fn intersection(self, other: Self) -> Self {
        Self {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        }
    }
}

/// Undoes the component transform (T.800 annex G.2) and puts a tile's samples where they belong.
fn store(stream: &Codestream<'_>, rect: Rect, mut planes: Vec<Vec<i32>>, out: &mut [u16]) {
    if let ([first, second, third], true) = (&mut planes[..], stream.transformed) {
        for ((y, u), v) in first.iter_mut().zip(second).zip(third) {
            let green = y.wrapping_sub(u.wrapping_add(*v) >> 2);
            (*y, *u, *v) = (v.wrapping_add(green), green, u.wrapping_add(green));
        }
    }
    let half = 1_i32 << (stream.bits - 1);
    let (low, high, shift) = if stream.signed { (-half, half - 1, 0) } else { (0, 2 * half - 1, half) };
    let channels = planes.len();
    for (channel, plane) in planes.iter().enumerate() {
        for (y, row) in (rect.y0 as usize..).zip(plane.chunks_exact(rect.width().max(1))) {
            let start = (y * stream.width as usize + rect.x0 as usize) * channels + channel;
            let slots = out.get_mut(start..).unwrap_or_default().iter_mut().step_by(channels);
            for (slot, &value) in slots.zip(row) {
                let value = value.saturating_add(shift).clamp(low, high);
                *slot = u16::try_from(value & 0xffff).unwrap_or_default();
            }
        }
    }
}

fn fault(offset: usize, reason: &'static str) -> ImageError {
    ImageError::Jpeg2000 { offset, reason }
}

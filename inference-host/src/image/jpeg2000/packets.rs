//! Packets (T.800 annex B): in the order of the progression, each a header that says which blocks have bytes in it, then these.

use super::{
    fault,
    header::{Codestream, Style},
    tile::{Block, Segment, TileComponent},
};
use crate::image::ImageError;

/// Most bits that a length may be written in.
const LENGTH_BITS_MAX: u32 = 31;

/// A precinct of a component, and where it stands.
#[derive(Clone, Copy)]
struct Visit {
    component: usize,
    resolution: usize,
    precinct: usize,
    place: (u32, u32),
}

/// Hands every block its bytes.
pub(super) fn distribute<'a>(
    stream: &Codestream<'_>,
    components: &mut [TileComponent<'a>],
    parts: &[(usize, &'a [u8])],
) -> Result<(), ImageError> {
    let mut visits: Vec<Visit> = Vec::new();
    for (component, one) in components.iter().enumerate() {
        for (resolution, level) in one.resolutions.iter().enumerate() {
            let places = level.places.iter().enumerate();
            visits.extend(places.map(|(precinct, &place)| Visit { component, resolution, precinct, place }));
        }
    }
    match stream.progression {
        0 | 1 => visits.sort_by_key(|one| (one.resolution, one.component, one.precinct)),
        2 => visits.sort_by_key(|one| (one.resolution, one.place, one.component, one.precinct)),
        3 => visits.sort_by_key(|one| (one.place, one.component, one.resolution, one.precinct)),
        _ => visits.sort_by_key(|one| (one.component, one.place, one.resolution, one.precinct)),
    }
    let mut source = Source { parts: parts.iter(), bytes: &[], at: 0 };
    let layers = 0..u32::from(stream.layers);
    let mut packet = |visit: &Visit, layer| read(stream, components, visit, layer, &mut source);
    match stream.progression {
        0 => layers.clone().try_for_each(|layer| visits.iter().try_for_each(|visit| packet(visit, layer)))?,
        1 => visits.chunk_by(|a, b| a.resolution == b.resolution).try_for_each(|group| {
            layers.clone().try_for_each(|layer| group.iter().try_for_each(|visit| packet(visit, layer)))
        })?,
        _ => visits.iter().try_for_each(|visit| layers.clone().try_for_each(|layer| packet(visit, layer)))?,
    }
    if !source.bytes.is_empty() || source.parts.any(|(_, bytes)| !bytes.is_empty()) {
        return Err(fault(source.at, "there are bytes behind a tile's last packet"));
    }
    Ok(())
}

/// Bytes of a tile, part by part; a packet lies in one.
struct Source<'a, 'p> {
    parts: std::slice::Iter<'p, (usize, &'a [u8])>,
    bytes: &'a [u8],
    /// Where in the codestream they begin.
    at: usize,
}

impl<'a> Source<'a, '_> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], ImageError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(|| fault(self.at, "a packet ends early"))?;
        self.bytes = rest;
        self.at += count;
        Ok(taken)
    }
}

/// Bits of a packet's header: a byte behind `FF` has seven.
struct Bits<'s, 'a, 'p> {
    source: &'s mut Source<'a, 'p>,
    byte: u8,
    left: u32,
}

impl Bits<'_, '_, '_> {
    fn bit(&mut self) -> Result<bool, ImageError> {
        if self.left == 0 {
            self.left = if self.byte == 0xff { 7 } else { 8 };
            let [byte] = *self.source.take(1)? else { return Err(fault(self.source.at, "a packet ends early")) };
            self.byte = byte;
        }
        self.left -= 1;
        Ok(self.byte >> self.left & 1 == 1)
    }

    fn number(&mut self, bits: u32) -> Result<u32, ImageError> {
        (0..bits).try_fold(0, |number, _| Ok(number << 1 | u32::from(self.bit()?)))
    }

    /// Goes to the header's end: behind `FF` stands one more byte.
    fn finish(self) -> Result<(), ImageError> {
        if self.byte == 0xff { self.source.take(1).map(drop) } else { Ok(()) }
    }
}

fn read<'a>(
    stream: &Codestream<'_>,
    components: &mut [TileComponent<'a>],
    visit: &Visit,
    layer: u32,
    source: &mut Source<'a, '_>,
) -> Result<(), ImageError> {
    while source.bytes.is_empty() {
        let Some(&(at, bytes)) = source.parts.next() else { return Err(fault(source.at, "a packet is missing")) };
        (source.at, source.bytes) = (at, bytes);
    }
    if stream.begin_marked && source.bytes.starts_with(&[0xff, 0x91]) {
        source.take(6)?;
    }
    let Some(component) = components.get_mut(visit.component) else { return Ok(()) };
    let (style, coded_planes) = (component.style, component.coded_planes);
    let Some(resolution) = component.resolutions.get_mut(visit.resolution) else { return Ok(()) };

    // Which block, of which band, has how many bytes for which of its segments.
    let mut lengths: Vec<(usize, usize, usize, usize)> = Vec::new();
    let mut bits = Bits { source: &mut *source, byte: 0, left: 0 };
    if bits.bit()? {
        for (b, band) in resolution.bands.iter_mut().enumerate() {
            let planes = band.planes;
            let Some(cell) = band.cells.get_mut(visit.precinct) else { continue };
            for (n, block) in cell.blocks.iter_mut().enumerate() {
                let at = u32::try_from(n).unwrap_or(u32::MAX);
                let place = (at % cell.across, at / cell.across);
                if !block.included {
                    if cell.inclusion.value(place, layer + 1, || bits.bit())?.is_none() {
                        continue;
                    }
                    (block.included, block.at) = (true, bits.source.at);
                    let empty = cell.emptiness.value(place, u32::from(planes) + 1, || bits.bit())?;
                    let empty = empty.and_then(|empty| u8::try_from(empty).ok());
                    block.empty =
                        empty.ok_or_else(|| fault(bits.source.at, "a block has more empty planes than planes"))?;
                    if planes - block.empty > coded_planes {
                        return Err(fault(bits.source.at, "a block has more bit planes than its samples can need"));
                    }
                } else if !bits.bit()? {
                    continue;
                }
                let passes = passes(&mut bits)?;
                if block.passes + passes > (3 * u32::from(planes - block.empty)).saturating_sub(2) {
                    return Err(fault(bits.source.at, "a block has more passes than its planes take"));
                }
                while bits.bit()? {
                    block.length_bits += 1;
                    if block.length_bits > LENGTH_BITS_MAX {
                        return Err(fault(bits.source.at, "a length is longer than 31 bits"));
                    }
                }
                for (segment, count) in segments(block, style, passes) {
                    let length = bits.number((block.length_bits + count.ilog2()).min(32))?;
                    lengths.push((b, n, segment, usize::try_from(length).unwrap_or(usize::MAX)));
                }
            }
        }
    }
    bits.finish()?;
    if stream.end_marked && source.bytes.starts_with(&[0xff, 0x92]) {
        source.take(2)?;
    }
    for (band, block, segment, length) in lengths {
        let bytes = source.take(length)?;
        let cell = resolution.bands.get_mut(band).and_then(|band| band.cells.get_mut(visit.precinct));
        let block = cell.and_then(|cell| cell.blocks.get_mut(block));
        if let Some(segment) = block.and_then(|block| block.segments.get_mut(segment)) {
            segment.bytes.push(bytes);
        }
    }
    Ok(())
}

/// The number of passes (T.800 table B.4).
fn passes(bits: &mut Bits<'_, '_, '_>) -> Result<u32, ImageError> {
    if !bits.bit()? {
        return Ok(1);
    }
    if !bits.bit()? {
        return Ok(2);
    }
    Ok(match bits.number(2)? {
        3 => match bits.number(5)? {
            31 => 37 + bits.number(7)?,
            some => 6 + some,
        },
        some => 3 + some,
    })
}

/// Divides new passes among the block's segments; answers each segment's number and how many passes it is given.
fn segments(block: &mut Block<'_>, style: Style, mut passes: u32) -> Vec<(usize, u32)> {
    let mut given = Vec::new();
    while passes > 0 {
        // Where the segment that the next pass belongs to began, and how long it may become.
        let begun = block.segments.last().map_or(0, |last| block.passes - last.passes);
        let most = |begun: u32| match (style.terminate, style.bypass) {
            (true, _) => 1,
            (false, false) => u32::MAX,
            // Ten passes of the arithmetic coder; then two raw ones and one coded one in turn.
            (false, true) if begun == 0 => 10,
            (false, true) => {
                if (begun - 10).is_multiple_of(3) {
                    2
                } else {
                    1
                }
            }
        };
        if block.segments.last().is_none_or(|last| last.passes >= most(begun)) {
            block.segments.push(Segment { passes: 0, bytes: Vec::new() });
        }
        let number = block.segments.len() - 1;
        let Some(last) = block.segments.last_mut() else { break };
        let begun = block.passes - last.passes;
        let count = passes.min(most(begun) - last.passes);
        last.passes += count;
        block.passes += count;
        passes -= count;
        given.push((number, count));
    }
    given
}

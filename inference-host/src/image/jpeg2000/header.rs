//! The codestream's markers (T.800 annex A): sizes, coding styles, quantisation, and where each tile's packets lie.

use super::{Rect, fault};
use crate::image::ImageError;

/// Most tiles of an image: 64 × 64 of them, each a few hundred pixels wide.
const TILES_MAX: u32 = 4096;
/// Most times that the picture is halved.
const LEVELS_MAX: u8 = 10;
/// Most bit planes of a band.
const PLANES_MAX: u8 = 30;

const SOC: u16 = 0xff4f;
const SIZ: u16 = 0xff51;
const COD: u16 = 0xff52;
const COC: u16 = 0xff53;
const TLM: u16 = 0xff55;
const PLM: u16 = 0xff57;
const PLT: u16 = 0xff58;
const QCD: u16 = 0xff5c;
const QCC: u16 = 0xff5d;
const CRG: u16 = 0xff63;
const COM: u16 = 0xff64;
const SOT: u16 = 0xff90;
const SOD: u16 = 0xff93;
const EOC: u16 = 0xffd9;

/// How code blocks are coded (T.800 table A.19).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    pub(super) bypass: bool,
    pub(super) reset: bool,
    pub(super) terminate: bool,
    pub(super) causal: bool,
    pub(super) symbols: bool,
}

/// A component's coding style.
#[derive(Clone, Debug)]
pub(super) struct Coding {
    pub(super) levels: u8,
    /// Exponents of a code block's sides.
    pub(super) block: (u8, u8),
    pub(super) style: Style,
    /// Exponents of a precinct's sides, from the lowest resolution.
    precincts: Vec<(u8, u8)>,
}

impl Coding {
    /// Exponents of a precinct's sides at a resolution.
    pub(super) fn precinct(&self, resolution: u8) -> (u8, u8) {
        self.precincts.get(usize::from(resolution)).copied().unwrap_or((15, 15))
    }
}

/// A component: how it is coded, and the number of bit planes of each of its bands.
#[derive(Clone, Debug)]
pub(super) struct Component {
    pub(super) coding: Coding,
    planes: Vec<u8>,
}

impl Component {
    /// Bit planes of a band: 0 for LL, then HL, LH and HH of each resolution.
    pub(super) fn planes(&self, band: usize) -> Option<u8> {
        self.planes.get(band).copied()
    }
}

/// A codestream whose headers were read.
pub(super) struct Codestream<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bits: u8,
    pub(super) signed: bool,
    tile_width: u32,
    tile_height: u32,
    /// 0 to 4, as in T.800 table A.16.
    pub(super) progression: u8,
    pub(super) layers: u16,
    /// Whether three components are luminance and chrominance of the reversible transform.
    pub(super) transformed: bool,
    /// Whether packets may begin with a marker (SOP), and their headers end with one (EPH).
    pub(super) begin_marked: bool,
    pub(super) end_marked: bool,
    pub(super) components: Vec<Component>,
    /// For each tile, its parts: where in the codestream they begin, and their bytes.
    pub(super) tiles: Vec<Vec<(usize, &'a [u8])>>,
}

/// What the segments before the first tile say.
#[derive(Default)]
struct Said {
    style: Option<(u8, u8, u16, u8, Coding)>,
    quantisation: Option<Vec<u8>>,
    styles: [Option<Coding>; 3],
    quantisations: [Option<Vec<u8>>; 3],
}

impl Said {
    /// Keeps what a segment says of one component.
    fn own(&mut self, marker: u16, body: &[u8], count: usize) -> Result<(), &'static str> {
        let (&number, rest) = body.split_first().ok_or("a segment names no component")?;
        let number = usize::from(number);
        match (self.styles.get_mut(number), self.quantisations.get_mut(number)) {
            (Some(style), _) if marker == COC && number < count => *style = Some(coding_own(rest)?),
            (_, Some(planes)) if marker == QCC && number < count => *planes = Some(quantisation(rest)?),
            _ => return Err("a segment names a component that there is not"),
        }
        Ok(())
    }
}

impl<'a> Codestream<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.marker()? != SOC {
            return Err(fault(0, "it does not begin with SOC"));
        }
        if reader.marker()? != SIZ {
            return Err(fault(2, "the image's size belongs here"));
        }
        let start = reader.at;
        let mut stream = size(reader.segment()?).map_err(|reason| fault(start, reason))?;
        let count = stream.components.len();
        let mut said = Said::default();
        loop {
            let start = reader.at;
            let marker = reader.marker()?;
            if marker == SOT {
                stream.finish(said).map_err(|reason| fault(start, reason))?;
                stream.parts(&mut reader, start)?;
                return Ok(stream);
            }
            let body = reader.segment()?;
            let kept = match marker {
                COD => coding_default(body).map(|style| said.style = Some(style)),
                QCD => quantisation(body).map(|planes| said.quantisation = Some(planes)),
                COC | QCC => said.own(marker, body, count),
                TLM | PLM | CRG | COM => Ok(()),
                0xff50 => Err("it is of high throughput, or of part 2"),
                0xff5e => Err("it has a region of interest"),
                0xff5f => Err("its progression changes"),
                0xff60 => Err("its packet headers are packed"),
                _ => Err("the marker is not read"),
            };
            kept.map_err(|reason| fault(start, reason))?;
        }
    }

    /// A tile's place, by its number.
    pub(super) fn tile(&self, number: u32) -> Rect {
        let across = self.width.div_ceil(self.tile_width);
        let (x0, y0) = (number % across * self.tile_width, number / across * self.tile_height);
        Rect {
            x0,
            y0,
            x1: x0.saturating_add(self.tile_width).min(self.width),
            y1: y0.saturating_add(self.tile_height).min(self.height),
        }
    }

    /// Joins what is said of all components with what is said of one.
    fn finish(&mut self, said: Said) -> Result<(), &'static str> {
        let (marks, progression, layers, transform, coding) = said.style.ok_or("no coding style was named")?;
        let default = said.quantisation.ok_or("no quantisation was named")?;
        self.begin_marked = marks & 2 != 0;
        self.end_marked = marks & 4 != 0;
        (self.progression, self.layers) = (progression, layers);
        self.transformed = match (transform, self.components.len()) {
            (0, _) => false,
            (1, 3) => true,
            _ => return Err("the component transform is not read"),
        };
        for (component, (own, planes)) in
            self.components.iter_mut().zip(said.styles.into_iter().zip(said.quantisations))
        {
            component.coding = own.unwrap_or_else(|| coding.clone());
            component.planes = planes.unwrap_or_else(|| default.clone());
            if component.planes.len() <= 3 * usize::from(component.coding.levels) {
                return Err("a band has no quantisation");
            }
        }
        let [first, others @ ..] = &self.components[..] else { return Err("there is no component") };
        if self.transformed && others.iter().any(|one| one.coding.levels != first.coding.levels) {
            return Err("transformed components have different numbers of resolutions");
        }
        Ok(())
    }

    /// Tile-parts, from behind the first one's marker to the end of the codestream.
    fn parts(&mut self, reader: &mut Reader<'a>, first: usize) -> Result<(), ImageError> {
        let mut start = first;
        loop {
            let head = reader.segment()?;
            let Ok([i1, i0, l3, l2, l1, l0, part, _]) = <[u8; 8]>::try_from(head) else {
                return Err(fault(start, "a tile-part's header has 8 bytes"));
            };
            let tile = self.tiles.get_mut(usize::from(u16::from_be_bytes([i1, i0])));
            let tile = tile.ok_or_else(|| fault(start, "a tile-part is of a tile that there is not"))?;
            if usize::from(part) != tile.len() {
                return Err(fault(start, "a tile's parts are not in their order"));
            }
            let end = match u32::from_be_bytes([l3, l2, l1, l0]) {
                // Up to the end of the codestream.
                0 => reader.bytes.windows(2).rposition(|two| two == EOC.to_be_bytes()),
                length => usize::try_from(length).ok().and_then(|length| start.checked_add(length)),
            };
            loop {
                let at = reader.at;
                match reader.marker()? {
                    SOD => break,
                    COM | PLT => drop(reader.segment()?),
                    _ => return Err(fault(at, "parameters of a single tile are not read")),
                }
            }
            let body = end.and_then(|end| reader.bytes.get(reader.at..end));
            let body = body.ok_or_else(|| fault(start, "a tile-part is longer than the codestream"))?;
            tile.push((reader.at, body));
            reader.at += body.len();
            start = reader.at;
            match reader.marker()? {
                SOT => {}
                EOC => break,
                _ => return Err(fault(start, "a tile-part or the end of the codestream belongs here")),
            }
        }
        if self.tiles.iter().any(Vec::is_empty) {
            return Err(fault(start, "a tile is missing"));
        }
        Ok(())
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn marker(&mut self) -> Result<u16, ImageError> {
        let two = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk());
        let marker = u16::from_be_bytes(*two.ok_or_else(|| fault(self.at, "the codestream ends early"))?);
        self.at += 2;
        Ok(marker)
    }

    /// A segment behind its length.
    fn segment(&mut self) -> Result<&'a [u8], ImageError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.first_chunk().map(|&two| usize::from(u16::from_be_bytes(two)));
        let body = length.and_then(|length| rest.get(2..length));
        let body = body.ok_or_else(|| fault(self.at, "a segment is longer than the codestream, or shorter than 2"))?;
        self.at += 2 + body.len();
        Ok(body)
    }
}

fn size(body: &[u8]) -> Result<Codestream<'static>, &'static str> {
    let (numbers, components) = body.split_at_checked(36).ok_or("the image's size takes more bytes")?;
    let number =
        |at: usize| numbers.get(at..).and_then(|rest| rest.first_chunk()).map(|&four| u32::from_be_bytes(four));
    // Behind two bytes of capabilities: ends and origins of the image and of its tiles.
    let all = [2, 6, 10, 14, 18, 22, 26, 30].map(|at| number(at).unwrap_or_default());
    let [width, height, 0, 0, tile_width, tile_height, 0, 0] = all else {
        return Err("the image or its tiles do not begin at the origin");
    };
    if width == 0 || height == 0 || tile_width == 0 || tile_height == 0 {
        return Err("the image or its tiles have no width or no height");
    }
    let count = usize::from(numbers.last_chunk().map_or(0, |&two| u16::from_be_bytes(two)));
    if !matches!(count, 1 | 3) || components.len() != 3 * count {
        return Err("one or three components are read");
    }
    let Some((&[depth, 1, 1], others)) = components.split_first_chunk() else {
        return Err("subsampled components are not read");
    };
    if others.chunks_exact(3).any(|other| other != [depth, 1, 1]) {
        return Err("components with different bits or subsampled are not read");
    }
    let bits = (depth & 0x7f) + 1;
    if !(8..=16).contains(&bits) {
        return Err("8 to 16 bits are read");
    }
    let tiles = u64::from(width.div_ceil(tile_width)) * u64::from(height.div_ceil(tile_height));
    let tiles = u32::try_from(tiles).ok().filter(|&tiles| tiles <= TILES_MAX).ok_or("it has more than 4096 tiles")?;
    let unknown = Coding { levels: 0, block: (2, 2), style: Style::default(), precincts: Vec::new() };
    Ok(Codestream {
        width,
        height,
        bits,
        signed: depth & 0x80 != 0,
        tile_width,
        tile_height,
        progression: 0,
        layers: 0,
        transformed: false,
        begin_marked: false,
        end_marked: false,
        components: vec![Component { coding: unknown, planes: Vec::new() }; count],
        tiles: vec![Vec::new(); tiles as usize],
    })
}

fn coding_default(body: &[u8]) -> Result<(u8, u8, u16, u8, Coding), &'static str> {
    let (&[marks, progression, l1, l0, transform], rest) =
        body.split_first_chunk().ok_or("a coding style takes more bytes")?;
    let layers = u16::from_be_bytes([l1, l0]);
    if progression > 4 || layers == 0 {
        return Err("the progression is none of five, or there is no layer");
    }
    Ok((marks, progression, layers, transform, coding(marks, rest)?))
}

fn coding_own(body: &[u8]) -> Result<Coding, &'static str> {
    let (&marks, rest) = body.split_first().ok_or("a coding style takes more bytes")?;
    coding(marks, rest)
}

fn coding(marks: u8, body: &[u8]) -> Result<Coding, &'static str> {
    let (&[levels, x, y, style, transform], precincts) =
        body.split_first_chunk().ok_or("a coding style takes more bytes")?;
    if transform != 1 {
        return Err("its wavelet transform is not the reversible one");
    }
    if levels > LEVELS_MAX {
        return Err("it has more than 10 levels");
    }
    if x > 8 || y > 8 || x + y > 8 {
        return Err("a code block has more than 4096 samples, or a side above 1024");
    }
    if style & !0x3f != 0 {
        return Err("its code blocks are coded in a way that is not read");
    }
    let wanted = if marks & 1 == 0 { 0 } else { usize::from(levels) + 1 };
    if precincts.len() != wanted {
        return Err("a coding style has not one precinct for each resolution");
    }
    let precincts: Vec<(u8, u8)> = precincts.iter().map(|both| (both & 15, both >> 4)).collect();
    if precincts.iter().skip(1).any(|&(x, y)| x == 0 || y == 0) {
        return Err("a precinct is smaller than its bands");
    }
    Ok(Coding {
        levels,
        block: (x + 2, y + 2),
        style: Style {
            bypass: style & 1 != 0,
            reset: style & 2 != 0,
            terminate: style & 4 != 0,
            causal: style & 8 != 0,
            symbols: style & 32 != 0,
        },
        precincts,
    })
}

/// Bit planes of each band.
fn quantisation(body: &[u8]) -> Result<Vec<u8>, &'static str> {
    let (&style, exponents) = body.split_first().ok_or("a quantisation takes more bytes")?;
    if style & 0x1f != 0 {
        return Err("it is quantised");
    }
    let planes = exponents.iter().map(|exponent| match ((style >> 5) + (exponent >> 3)).checked_sub(1) {
        Some(planes) if planes <= PLANES_MAX => Ok(planes),
        _ => Err("a band has more than 30 bit planes, or less than none"),
    });
    planes.collect()
}

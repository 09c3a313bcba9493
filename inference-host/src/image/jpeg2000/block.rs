//! A code block's bit planes (T.800 annex D): three passes over each, in stripes of four rows.

use super::{
    arithmetic::{Context, Decoder, Raw},
    fault,
    header::Style,
    tile::{Block, Kind},
};
use crate::image::ImageError;

// What is known of a coefficient. The first eight are neighbours that are significant, then signs of the nearer four.
const WEST: u16 = 1;
const EAST: u16 = 1 << 1;
const NORTH: u16 = 1 << 2;
const SOUTH: u16 = 1 << 3;
const NORTH_WEST: u16 = 1 << 4;
const NORTH_EAST: u16 = 1 << 5;
const SOUTH_WEST: u16 = 1 << 6;
const SOUTH_EAST: u16 = 1 << 7;
const NEIGHBOURS: u16 = 0xff;
const WEST_MINUS: u16 = 1 << 8;
const EAST_MINUS: u16 = 1 << 9;
const NORTH_MINUS: u16 = 1 << 10;
const SOUTH_MINUS: u16 = 1 << 11;
const SIGNIFICANT: u16 = 1 << 12;
const VISITED: u16 = 1 << 13;
const REFINED: u16 = 1 << 14;
const MINUS: u16 = 1 << 15;
const BELOW: u16 = SOUTH | SOUTH_WEST | SOUTH_EAST;

const STRIPE: usize = 4;
/// Contexts: 0 to 8 significance, 9 to 13 signs, 14 to 16 refinement, then runs and what has no context.
const SIGNS: usize = 9;
const REFINEMENTS: usize = 14;
const RUN: usize = 17;
const UNIFORM: usize = 18;

/// Contexts of significance by neighbours (table D.1).
static SIGNIFICANCE: [[u8; 256]; 3] = [significance(false), mirrored(), significance(true)];

const fn count(bits: usize, mask: u16) -> u32 {
    (bits & mask as usize).count_ones()
}

const fn significance(both: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut bits = 0;
    while bits < 256 {
        let across = count(bits, WEST | EAST);
        let down = count(bits, NORTH | SOUTH);
        let aslant = count(bits, NORTH_WEST | NORTH_EAST | SOUTH_WEST | SOUTH_EAST);
        table[bits] = if both {
            match (aslant, across + down) {
                (3.., _) => 8,
                (2, 1..) => 7,
                (2, 0) => 6,
                (1, 2..) => 5,
                (1, 1) => 4,
                (1, 0) => 3,
                (0, 2..) => 2,
                (0, 1) => 1,
                (0, 0) => 0,
            }
        } else {
            single(across, down, aslant)
        };
        bits += 1;
    }
    table
}

/// Across and down have changed places.
const fn mirrored() -> [u8; 256] {
    let mut table = [0; 256];
    let mut bits = 0;
    while bits < 256 {
        let aslant = count(bits, NORTH_WEST | NORTH_EAST | SOUTH_WEST | SOUTH_EAST);
        table[bits] = single(count(bits, NORTH | SOUTH), count(bits, WEST | EAST), aslant);
        bits += 1;
    }
    table
}

const fn single(across: u32, down: u32, aslant: u32) -> u8 {
    match (across, down, aslant) {
        (2.., _, _) => 8,
        (1, 1.., _) => 7,
        (1, 0, 1..) => 6,
        (1, 0, 0) => 5,
        (0, 2.., _) => 4,
        (0, 1, _) => 3,
        (0, 0, 2..) => 2,
        (0, 0, 1) => 1,
        (0, 0, 0) => 0,
    }
}

/// Where bits of a pass come from.
enum Source<'a> {
    Coded(Decoder<'a>),
    Raw(Raw<'a>),
}

/// Room for any block, used again and again.
pub(super) struct Coefficients {
    width: usize,
    height: usize,
    /// With a border of one on each side.
    flags: Vec<u16>,
    magnitudes: Vec<u32>,
    contexts: [Context; 19],
    joined: Vec<u8>,
}

impl Coefficients {
    pub(super) fn new() -> Self {
        Self {
            width: 0,
            height: 0,
            flags: Vec::new(),
            magnitudes: Vec::new(),
            contexts: [Context::default(); 19],
            joined: Vec::new(),
        }
    }

    /// Rows of the block's coefficients.
    pub(super) fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = i32> + '_> + '_ {
        let flags = self.flags.chunks_exact(self.width + 2).skip(1);
        self.magnitudes.chunks_exact(self.width.max(1)).zip(flags).map(|(magnitudes, flags)| {
            magnitudes.iter().zip(flags.iter().skip(1)).map(|(&magnitude, flags)| {
                let value = magnitude.cast_signed();
                if flags & MINUS == 0 { value } else { -value }
            })
        })
    }

    /// Decodes a block that has bytes. All its planes must be there.
    pub(super) fn decode(&mut self, block: &Block<'_>, kind: Kind, planes: u8, style: Style) -> Result<(), ImageError> {
        (self.width, self.height) = (block.rect.width(), block.rect.height());
        self.flags.clear();
        self.flags.resize((self.width + 2) * (self.height + 2), 0);
        self.magnitudes.clear();
        self.magnitudes.resize(self.width * self.height, 0);
        self.reset();
        let planes = u32::from(planes.saturating_sub(block.empty));
        if block.passes != (3 * planes).saturating_sub(2) {
            return Err(fault(block.at, "a block ends before its last plane: it is not lossless"));
        }
        let mut pass = 0_u32;
        for segment in &block.segments {
            let mut joined = std::mem::take(&mut self.joined);
            joined.clear();
            segment.bytes.iter().for_each(|bytes| joined.extend_from_slice(bytes));
            // From the eleventh pass on, what is no clean-up pass is raw.
            let raw = style.bypass && pass >= 10 && (pass + 2) % 3 != 2;
            let mut source = if raw { Source::Raw(Raw::new(&joined)) } else { Source::Coded(Decoder::new(&joined)) };
            for _ in 0..segment.passes {
                let plane = planes.saturating_sub(1 + pass.div_ceil(3));
                match (pass + 2) % 3 {
                    0 => self.significance(&mut source, kind, plane, style.causal),
                    1 => self.refinement(&mut source, plane, style.causal),
                    _ if self.cleanup(&mut source, kind, plane, style) => {}
                    _ => return Err(fault(block.at, "a block's planes do not end as they should")),
                }
                if style.reset {
                    self.reset();
                }
                pass += 1;
            }
            self.joined = joined;
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.contexts = [Context::default(); 19];
        for (slot, state) in [(0, 4), (RUN, 3), (UNIFORM, 46)] {
            if let Some(context) = self.contexts.get_mut(slot) {
                context.state = state;
            }
        }
    }

    fn bit(&mut self, source: &mut Source<'_>, context: usize) -> bool {
        match (source, self.contexts.get_mut(context)) {
            (Source::Coded(decoder), Some(context)) => decoder.bit(context) == 1,
            (Source::Raw(raw), _) => raw.bit() == 1,
            (Source::Coded(_), None) => false,
        }
    }

    /// Flags of a coefficient. Where stripes are causal, the last row of one knows nothing of the next.
    #[inline]
    fn seen(&self, x: usize, y: usize, causal: bool) -> u16 {
        let flags = self.flags.get((y + 1) * (self.width + 2) + x + 1).copied().unwrap_or_default();
        if causal && y % STRIPE == STRIPE - 1 { flags & !BELOW } else { flags }
    }

    #[inline]
    fn mark(&mut self, x: usize, y: usize, bits: u16) {
        if let Some(flags) = self.flags.get_mut((y + 1) * (self.width + 2) + x + 1) {
            *flags |= bits;
        }
    }

    /// A coefficient becomes significant: its sign is read, its neighbours are told.
    fn begin(&mut self, source: &mut Source<'_>, (x, y): (usize, usize), plane: u32, causal: bool) {
        let flags = self.seen(x, y, causal);
        let one = |near: u16, minus: u16| match (flags & near != 0, flags & minus != 0) {
            (false, _) => 0_i32,
            (true, false) => 1,
            (true, true) => -1,
        };
        let across = (one(WEST, WEST_MINUS) + one(EAST, EAST_MINUS)).signum();
        let down = (one(NORTH, NORTH_MINUS) + one(SOUTH, SOUTH_MINUS)).signum();
        let (context, turned) = match (across, down) {
            (1, 1) => (4, false),
            (1, 0) => (3, false),
            (1, _) => (2, false),
            (0, 1) => (1, false),
            (0, 0) => (0, false),
            (0, _) => (1, true),
            (_, 1) => (2, true),
            (_, 0) => (3, true),
            _ => (4, true),
        };
        let minus = match source {
            Source::Coded(_) => self.bit(source, SIGNS + context) ^ turned,
            Source::Raw(raw) => raw.bit() == 1,
        };
        let stride = self.width + 2;
        let here = (y + 1) * stride + x + 1;
        let sign = |bit: u16| if minus { bit } else { 0 };
        for (place, bits) in [
            (here, SIGNIFICANT | sign(MINUS)),
            (here - 1, EAST | sign(EAST_MINUS)),
            (here + 1, WEST | sign(WEST_MINUS)),
            (here - stride, SOUTH | sign(SOUTH_MINUS)),
            (here + stride, NORTH | sign(NORTH_MINUS)),
            (here - stride - 1, SOUTH_EAST),
            (here - stride + 1, SOUTH_WEST),
            (here + stride - 1, NORTH_EAST),
            (here + stride + 1, NORTH_WEST),
        ] {
            if let Some(flags) = self.flags.get_mut(place) {
                *flags |= bits;
            }
        }
        self.add(x, y, plane);
    }

    #[inline]
    fn add(&mut self, x: usize, y: usize, plane: u32) {
        if let Some(magnitude) = self.magnitudes.get_mut(y * self.width + x) {
            *magnitude |= 1 << plane;
        }
    }

    fn context(kind: Kind, flags: u16) -> usize {
        let tables = match kind {
            Kind::LowAcross => 0,
            Kind::HighAcross => 1,
            Kind::HighBoth => 2,
        };
        let table = SIGNIFICANCE.get(tables);
        table.and_then(|table| table.get(usize::from(flags & NEIGHBOURS))).copied().unwrap_or_default().into()
    }

    /// Coefficients in stripes: columns of up to four.
    fn columns(&self) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> + use<> {
        let (width, height) = (self.width, self.height);
        (0..height).step_by(STRIPE).flat_map(move |y| (0..width).map(move |x| (x, y..(y + STRIPE).min(height))))
    }

    fn significance(&mut self, source: &mut Source<'_>, kind: Kind, plane: u32, causal: bool) {
        for (x, rows) in self.columns() {
            for y in rows {
                let flags = self.seen(x, y, causal);
                if flags & SIGNIFICANT != 0 || flags & NEIGHBOURS == 0 {
                    continue;
                }
                if self.bit(source, Self::context(kind, flags)) {
                    self.begin(source, (x, y), plane, causal);
                }
                self.mark(x, y, VISITED);
            }
        }
    }

    fn refinement(&mut self, source: &mut Source<'_>, plane: u32, causal: bool) {
        for (x, rows) in self.columns() {
            for y in rows {
                let flags = self.seen(x, y, causal);
                if flags & (SIGNIFICANT | VISITED) != SIGNIFICANT {
                    continue;
                }
                let context = match (flags & REFINED != 0, flags & NEIGHBOURS != 0) {
                    (false, false) => 0,
                    (false, true) => 1,
                    (true, _) => 2,
                };
                if self.bit(source, REFINEMENTS + context) {
                    self.add(x, y, plane);
                }
                self.mark(x, y, REFINED);
            }
        }
    }

    /// Whether it ends as it should.
    fn cleanup(&mut self, source: &mut Source<'_>, kind: Kind, plane: u32, style: Style) -> bool {
        let causal = style.causal;
        for (x, rows) in self.columns() {
            let mut from = rows.start;
            let quiet = SIGNIFICANT | VISITED | NEIGHBOURS;
            if rows.len() == STRIPE && rows.clone().all(|y| self.seen(x, y, causal) & quiet == 0) {
                if !self.bit(source, RUN) {
                    continue;
                }
                let place = usize::from(self.bit(source, UNIFORM)) << 1 | usize::from(self.bit(source, UNIFORM));
                from += place;
                self.begin(source, (x, from), plane, causal);
                from += 1;
            }
            for y in from..rows.end {
                let flags = self.seen(x, y, causal);
                if flags & (SIGNIFICANT | VISITED) == 0 && self.bit(source, Self::context(kind, flags)) {
                    self.begin(source, (x, y), plane, causal);
                }
            }
        }
        self.flags.iter_mut().for_each(|flags| *flags &= !VISITED);
        if style.symbols {
            return (0..4).fold(0, |symbol, _| symbol << 1 | u8::from(self.bit(source, UNIFORM))) == 0b1010;
        }
        true
    }
}

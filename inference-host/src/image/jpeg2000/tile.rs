//! How a tile is divided (T.800 annex B): resolutions into bands, bands by precincts into code blocks.

use super::{
    Rect, fault,
    header::{Codestream, Component, Style},
    tags::Tree,
};
use crate::image::ImageError;

/// Most code blocks of a tile, and what a precinct weighs among them.
const BLOCKS_MAX: usize = 1 << 20;
const PRECINCT: usize = 16;
/// Most times that a code block or a precinct is asked for in all layers of all tiles.
pub(super) const VISITS_MAX: usize = 1 << 22;

/// What may still be laid out.
struct Budget {
    /// In this tile.
    blocks: usize,
    /// In all.
    visits: usize,
    layers: usize,
    /// Where the tile begins, for errors.
    at: usize,
}

impl Budget {
    fn spend(&mut self, count: usize, weight: usize) -> Result<(), ImageError> {
        let left = self.blocks.checked_sub(count.saturating_mul(weight));
        let visits = self.visits.checked_sub(count.saturating_mul(self.layers));
        let (Some(left), Some(visits)) = (left, visits) else {
            return Err(fault(self.at, "it has too many precincts, code blocks and layers"));
        };
        (self.blocks, self.visits) = (left, visits);
        Ok(())
    }
}

/// What a band keeps of the two directions; its neighbours' weights follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Low in both, or high in the vertical one.
    LowAcross,
    /// High in the horizontal one.
    HighAcross,
    /// High in both.
    HighBoth,
}

/// A run of passes that is coded on its own.
#[derive(Debug)]
pub(super) struct Segment<'a> {
    pub(super) passes: u32,
    /// Its bytes, in pieces from several packets.
    pub(super) bytes: Vec<&'a [u8]>,
}

/// A code block.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// In the band's coordinates.
    pub(super) rect: Rect,
    pub(super) included: bool,
    /// Where in the codestream it was first spoken of.
    pub(super) at: usize,
    /// Bit planes at the top that hold nothing.
    pub(super) empty: u8,
    /// Bits of the next length.
    pub(super) length_bits: u32,
    pub(super) passes: u32,
    pub(super) segments: Vec<Segment<'a>>,
}

/// A precinct's part of a band: code blocks in rows, and what packets say of them.
#[derive(Debug)]
pub(super) struct Cell<'a> {
    pub(super) across: u32,
    pub(super) inclusion: Tree,
    pub(super) emptiness: Tree,
    pub(super) blocks: Vec<Block<'a>>,
}

/// A band of a resolution.
#[derive(Debug)]
pub(super) struct Band<'a> {
    pub(super) rect: Rect,
    pub(super) kind: Kind,
    /// Whether it is high across and down: where in its resolution it lies.
    pub(super) high: (bool, bool),
    pub(super) planes: u8,
    pub(super) cells: Vec<Cell<'a>>,
}

/// A resolution of a component.
#[derive(Debug)]
pub(super) struct Resolution<'a> {
    pub(super) rect: Rect,
    /// Where each precinct's packets stand in an order by position.
    pub(super) places: Vec<(u32, u32)>,
    pub(super) bands: Vec<Band<'a>>,
}

/// A component of a tile.
#[derive(Debug)]
pub(super) struct TileComponent<'a> {
    pub(super) style: Style,
    /// Most bit planes that a block may code.
    pub(super) coded_planes: u8,
    /// From the lowest.
    pub(super) resolutions: Vec<Resolution<'a>>,
}

/// The components of a tile that begins at `at`, without anything coded in them yet; `visits` are those that are left.
pub(super) fn components<'a>(
    stream: &Codestream<'_>,
    tile: Rect,
    at: usize,
    visits: &mut usize,
) -> Result<Vec<TileComponent<'a>>, ImageError> {
    let mut budget = Budget { blocks: BLOCKS_MAX, visits: *visits, layers: stream.layers.into(), at };
    let mut all = Vec::with_capacity(stream.components.len());
    for component in &stream.components {
        let mut resolutions = Vec::new();
        for level in 0..=component.coding.levels {
            resolutions.push(resolution(component, level, tile, &mut budget)?);
        }
        // Each direction's high band adds a bit, and so does the transform of components.
        all.push(TileComponent { style: component.coding.style, coded_planes: stream.bits + 4, resolutions });
    }
    *visits = budget.visits;
    Ok(all)
}

fn resolution<'a>(
    component: &Component,
    level: u8,
    tile: Rect,
    budget: &mut Budget,
) -> Result<Resolution<'a>, ImageError> {
    let coding = &component.coding;
    let halved = u32::from(coding.levels - level);
    let up = |value: u32, by: u32| value.div_ceil(1 << by);
    let rect =
        Rect { x0: up(tile.x0, halved), y0: up(tile.y0, halved), x1: up(tile.x1, halved), y1: up(tile.y1, halved) };
    let (px, py) = coding.precinct(level);
    let (px, py) = (u32::from(px), u32::from(py));
    let (columns, rows) =
        if rect.is_empty() { (0..0, 0..0) } else { (rect.x0 >> px..up(rect.x1, px), rect.y0 >> py..up(rect.y1, py)) };
    let count = columns.len().saturating_mul(rows.len());
    budget.spend(count, PRECINCT)?;
    // A precinct that begins before the tile stands at the tile's edge.
    let place = |number: u32, size: u32, low: u32, edge: u32| {
        let at = u64::from(number) << size;
        if at < u64::from(low) { edge } else { u32::try_from(at << halved).unwrap_or(u32::MAX) }
    };
    let places = rows
        .clone()
        .flat_map(|row| columns.clone().map(move |column| (row, column)))
        .map(|(row, column)| (place(row, py, rect.y0, tile.y0), place(column, px, rect.x0, tile.x0)))
        .collect();

    let kinds: &[(bool, bool)] =
        if level == 0 { &[(false, false)] } else { &[(true, false), (false, true), (true, true)] };
    let mut bands = Vec::with_capacity(kinds.len());
    for (number, &high) in kinds.iter().enumerate() {
        let below = if level == 0 { halved } else { halved + 1 };
        let edge = |value: u32, high: bool| {
            let offset = if high { 1_u32 << (below - 1) } else { 0 };
            value.saturating_sub(offset).div_ceil(1 << below)
        };
        let rect = Rect {
            x0: edge(tile.x0, high.0),
            y0: edge(tile.y0, high.1),
            x1: edge(tile.x1, high.0),
            y1: edge(tile.y1, high.1),
        };
        // A precinct is half as large in a band as in its resolution.
        let (bx, by) = if level == 0 { (px, py) } else { (px - 1, py - 1) };
        let block = (u32::from(coding.block.0).min(bx), u32::from(coding.block.1).min(by));
        let mut cells = Vec::with_capacity(count);
        for (row, column) in rows.clone().flat_map(|row| columns.clone().map(move |column| (row, column))) {
            let side = |number: u32, size: u32| {
                let low = u64::from(number) << size;
                let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
                (narrow(low), narrow(low + (1 << size)))
            };
            let ((x0, x1), (y0, y1)) = (side(column, bx), side(row, by));
            cells.push(cell(Rect { x0, y0, x1, y1 }.intersection(rect), block, budget)?);
        }
        let index = if level == 0 { 0 } else { 3 * usize::from(level) - 2 + number };
        let planes = component.planes(index).ok_or_else(|| fault(budget.at, "a band has no quantisation"))?;
        let kind = match high {
            (_, false) if high.0 => Kind::HighAcross,
            (true, true) => Kind::HighBoth,
            _ => Kind::LowAcross,
        };
        bands.push(Band { rect, kind, high, planes, cells });
    }
    Ok(Resolution { rect, places, bands })
}

fn cell<'a>(rect: Rect, (bx, by): (u32, u32), budget: &mut Budget) -> Result<Cell<'a>, ImageError> {
    let (columns, rows) = if rect.is_empty() {
        (0..0, 0..0)
    } else {
        (rect.x0 >> bx..rect.x1.div_ceil(1 << bx), rect.y0 >> by..rect.y1.div_ceil(1 << by))
    };
    let (across, down) = (columns.end - columns.start, rows.end - rows.start);
    budget.spend(columns.len().saturating_mul(rows.len()), 1)?;
    let blocks = rows.flat_map(|row| columns.clone().map(move |column| (row, column))).map(|(row, column)| Block {
        rect: Rect { x0: column << bx, y0: row << by, x1: (column + 1) << bx, y1: (row + 1) << by }.intersection(rect),
        included: false,
        at: 0,
        empty: 0,
        length_bits: 3,
        passes: 0,
        segments: Vec::new(),
    });
    let blocks = blocks.collect();
    Ok(Cell { across, inclusion: Tree::new(across, down), emptiness: Tree::new(across, down), blocks })
}

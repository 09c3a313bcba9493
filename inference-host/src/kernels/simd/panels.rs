//! Convolutions and matrix products, over weights in panels.
//!
//! A panel is the weights of up to four vectors of output channels, in the order in which a tile reads them:
//! `[run][step][vector][lane]`, a quad each. Whole blocks of channels lie in the order in which sums are narrowed to
//! bytes ([`Lanes::lane_of`]). A *run* is what a window reads side by side in the plane: a whole row of
//! taps, or one tap's channels where there are groups or dilation. Windows are not gathered: a tile reads the plane where
//! it is.
//!
//! The order of loops is that of the caches: a piece of the input that fits the second one, for it each panel, for it each
//! tile.

use std::{
    hint::black_box,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    lanes::{Lanes, Lines, Range, Task, block, finish, quad, write_lanes},
    plane::{self, SLACK},
};
use crate::{
    PackedError, formula,
    ir::{Centre, Conv, Filter, MatMul, Requant, Window},
    kernels::{Form, Run, Scratch, room, scalar::products::Rows},
    packed::{Field, Reader, Writer, fields},
};

/// Bytes of input that are taken through all panels before the next ones.
const PIECE: usize = 256 << 10;
/// How many times as large as reckoned packed weights may be, and by how many bytes more, for few channels that are filled up
/// to whole vectors; what would be larger is left to portable code.
const GROWTH_MAX: u64 = 2;
const FILL_MAX: u64 = 16 << 10;
/// Least multiplications that are shared among threads, which take some 30 µs to begin and to end.
const SHARED_MIN: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Product<L> {
    groups: usize,
    /// Input channels of a group; the length of the rows of a matrix.
    channels: usize,
    /// None for a matrix: its rows are places, as many as there are.
    window: Option<Window>,
    x: Centre,
    weights: Weights,
    /// Where each run begins, from a place's first number on.
    runs: Vec<usize>,
    range: formula::Range,
    lanes: PhantomData<L>,
}

#[derive(Debug)]
struct Weights {
    /// Output channels of a group.
    outputs: usize,
    /// Numbers of a run, and quads.
    run: usize,
    steps: usize,
    runs: usize,
    quads: Lines,
    /// For each output channel, groups filled up to whole vectors: what its sum begins with.
    begin: Lines,
    /// Likewise: its multiplier, an f32.
    scales: Lines,
}

fields!(for<L: Lanes> Product { groups, channels, window, x, weights, runs, range, lanes });
fields!(Weights { outputs, run, steps, runs, quads, begin, scales });

impl<L: Lanes> Product<L> {
    /// What was packed for these vectors.
    pub(super) fn unpack(from: &mut Reader) -> Result<Self, PackedError> {
        let product = Self::read(from)?;
        let Weights { outputs, steps, runs, quads, begin, scales, .. } = &product.weights;
        // What tiles rely on, and cannot count before they read.
        let whole = |numbers: &[usize]| numbers.iter().try_fold(1usize, |all, &one| all.checked_mul(one));
        let padded = outputs.checked_next_multiple_of(L::LANES).and_then(|padded| whole(&[padded, product.groups]));
        let quads_min = padded.and_then(|padded| whole(&[padded, *runs, *steps]));
        let has = |numbers: &Lines, least: Option<usize>| least.is_some_and(|least| numbers.len() >= least);
        if product.runs.len() != *runs || !has(quads, quads_min) || !has(begin, padded) || !has(scales, padded) {
            return Err(from.wrong("weights are missing"));
        }
        Ok(product)
    }

    pub(super) fn conv(conv: &Conv) -> Option<Self> {
        let Conv { groups, channels, window, x, ref filter, ref requant, .. } = *conv;
        // Reckoned with one group's channels: where groups make it much larger, portable code goes group by group.
        let input = groups * channels * window.input[0] * window.input[1];
        let plane = plane::size(&window, groups * channels, 4 / L::STEP) as u64;
        if groups > 1 && plane > 4 * input as u64 + (1 << 20) {
            return None;
        }
        let run = if groups == 1 && window.dilation[1] == 1 { window.kernel[1] * channels } else { channels };
        let weights = Weights::new::<L>(filter, requant, groups, run, plane::zero(x))?;
        let (word, pixel) = (4 / L::STEP, groups * channels);
        let Lie { line, .. } = Lie::of::<L>(&window, x, pixel, run);
        let each = if window.kernel[1] * channels == run { 1 } else { window.kernel[1] };
        let begin = |at: usize| at / each * window.dilation[0] * line + at % each * window.dilation[1] * pixel * word;
        let runs = (0..weights.runs).map(begin).collect();
        Some(Self {
            groups,
            channels,
            window: Some(window),
            x,
            weights,
            runs,
            range: requant.range,
            lanes: PhantomData,
        })
    }

    pub(super) fn matmul(matmul: &MatMul) -> Option<Self> {
        let MatMul { x, ref filter, ref requant } = *matmul;
        let weights = Weights::new::<L>(filter, requant, 1, filter.depth, plane::zero(x))?;
        let (channels, range, runs) = (filter.depth, requant.range, vec![0]);
        Some(Self { groups: 1, channels, window: None, x, weights, runs, range, lanes: PhantomData })
    }
}

/// How the plane lies that a product reads.
struct Lie {
    /// The image itself is the plane: nothing has to be padded, flipped, widened or filled up.
    as_it_is: bool,
    /// Bytes of a row.
    line: usize,
}

impl Lie {
    /// Of places of `pixel` numbers, of which `run` are read side by side.
    fn of<L: Lanes>(window: &Window, x: Centre, pixel: usize, run: usize) -> Self {
        let (word, reach) = (4 / L::STEP, window.reach());
        let as_it_is = word == 1
            && !x.signed
            && window.pad == [0, 0]
            && reach[0] <= window.input[0]
            && reach[1] <= window.input[1]
            && run.is_multiple_of(L::STEP);
        let columns = if as_it_is { window.input[1] } else { reach[1] };
        Self { as_it_is, line: columns * pixel * word }
    }
}

impl Weights {
    fn new<L: Lanes>(filter: &Filter, requant: &Requant, groups: usize, run: usize, zero: i32) -> Option<Self> {
        let (outputs, runs, steps) = (filter.rows / groups, filter.depth / run, run.div_ceil(L::STEP));
        let padded = outputs.next_multiple_of(L::LANES);
        let count = [groups, padded, runs, steps].into_iter().fold(1u64, |count, n| count.saturating_mul(n as u64));
        if count.saturating_mul(4) > GROWTH_MAX.saturating_mul(filter.packed()).saturating_add(FILL_MAX) {
            return None;
        }
        let rows = Rows::new(filter);
        if L::STEP == 4 && !rows.words.iter().all(|word| i8::try_from(*word).is_ok()) {
            return None;
        }
        let mut quads = Lines::zeros(usize::try_from(count).ok()?);
        let (mut begin, mut scales) = (Lines::zeros(groups * padded), Lines::zeros(groups * padded));
        let mut panels = quads.numbers();
        for group in 0..groups {
            for first in (0..padded).step_by(panel::<L>()) {
                let width = panel::<L>().min(padded - first);
                let (panel, rest) = panels.split_at_mut(width * runs * steps);
                panels = rest;
                for output in first..outputs.min(first + width) {
                    let row = &rows.words[(group * outputs + output) * rows.depth..][..filter.depth];
                    let numbers = row.chunks_exact(run).flat_map(|run| run.chunks(L::STEP));
                    let lanes = panel.iter_mut().skip(lane::<L>(output - first, width)).step_by(width);
                    lanes.zip(numbers).for_each(|(lane, numbers)| *lane = quad::<L>(numbers));
                }
            }
            for output in 0..outputs {
                let row = group * outputs + output;
                let first = output / panel::<L>() * panel::<L>();
                let place = group * padded + first + lane::<L>(output - first, panel::<L>().min(padded - first));
                let (bias, scale) = requant.of(row);
                let words = &rows.words[row * rows.depth..][..rows.depth];
                let sum = words.iter().fold(0i32, |sum, &word| sum.wrapping_add(i32::from(word)));
                begin.set(place, bias.wrapping_sub(sum.wrapping_mul(zero)));
                scales.set(place, scale.to_bits().cast_signed());
            }
        }
        Some(Self { outputs, run, steps, runs, quads, begin, scales })
    }
}

/// Where a panel of `width` lanes has its channel `at`.
fn lane<L: Lanes>(at: usize, width: usize) -> usize {
    let index = at / block::<L>();
    if (index + 1) * block::<L>() > width {
        return at;
    }
    let (vector, lane) = L::lane_of(at % block::<L>());
    (index * L::STEP + vector) * L::LANES + lane
}

/// Output channels of a whole panel.
fn panel<L: Lanes>() -> usize {
    if L::MANY_REGISTERS { 4 * L::LANES } else { 2 * L::LANES }
}

impl<L: Lanes> Run for Product<L> {
    fn pack(&self, to: &mut Writer) -> bool {
        Form::Panels.write(to);
        write_lanes::<L>(to);
        self.write(to);
        true
    }

    fn run(&self, inputs: &[&[u8]], y: &mut [u8], scratch: &mut Scratch) {
        let Self { groups, channels, x: centre, weights, runs, .. } = self;
        let (word, pixel) = (4 / L::STEP, groups * channels);
        let window = self.window.unwrap_or_else(|| {
            let places = [1, inputs[0].len() / channels];
            Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pad: [0, 0], input: places, output: places }
        });
        let (read, written) = (pixel * window.input[0] * window.input[1], groups * weights.outputs * window.places());
        let Lie { as_it_is, line } = Lie::of::<L>(&window, *centre, pixel, weights.run);
        let threads = scratch.threads.max(1);
        for (x, y) in inputs[0].chunks_exact(read).zip(y.chunks_exact_mut(written)) {
            let plane = if as_it_is {
                x
            } else {
                let plane = room(&mut scratch.bytes, plane::size(&window, pixel, word));
                plane::lay_out(x, *centre, &window, pixel, word, plane);
                &*plane
            };
            let geometry = &Geometry {
                output: window.output,
                down: window.stride[0] * line,
                right: window.stride[1] * pixel * word,
                group: channels * word,
            };
            let (places, pitch) = (window.places(), groups * weights.outputs);
            let factors = [places, pitch, weights.runs, weights.run];
            let macs = factors.into_iter().fold(1u64, |macs, factor| macs.saturating_mul(factor as u64));
            let shared = macs >= SHARED_MIN;
            let each = places.div_ceil(if shared { threads } else { 1 });
            let mut shares = y.chunks_mut(each * pitch).enumerate();
            let tiles = |(at, y)| Tiles::<L> { product: self, plane, runs, geometry, first: at * each, y };
            let own = shares.next().map(tiles);
            if shares.len() == 0 {
                own.into_iter().for_each(Tiles::enter);
                continue;
            }
            std::thread::scope(|scope| {
                for share in shares {
                    // Each share is there for who gets it: the thread, or this one where there is none to be had.
                    let share = Arc::new(Mutex::new(Some(tiles(share))));
                    let begun = std::thread::Builder::new().spawn_scoped(scope, {
                        let share = share.clone();
                        move || take(&share)
                    });
                    if begun.is_err() {
                        take(&share);
                    }
                }
                own.into_iter().for_each(Tiles::enter);
            });
        }
    }
}

/// Computes a share that nobody has begun.
fn take<L: Lanes>(share: &Mutex<Option<Tiles<'_, L>>>) {
    let share = share.lock().unwrap_or_else(PoisonError::into_inner).take();
    share.into_iter().for_each(Tiles::enter);
}

/// How far places and groups are apart in the plane, in bytes.
struct Geometry {
    output: [usize; 2],
    down: usize,
    right: usize,
    group: usize,
}

/// Places of one image through all panels.
struct Tiles<'a, L> {
    product: &'a Product<L>,
    plane: &'a [u8],
    /// Where each run begins, from a place's first number on.
    runs: &'a [usize],
    geometry: &'a Geometry,
    /// The first place; `y` has this and those that follow.
    first: usize,
    y: &'a mut [u8],
}

impl<L: Lanes> Tiles<'_, L> {
    fn enter(self) {
        // SAFETY: a `Vectors<L>`, which alone makes products, is there only where the processor has these instructions.
        unsafe { L::enter(self) };
    }
}

/// Weights of one panel and where its results go.
struct Panel {
    plane: *const u8,
    quads: *const i32,
    begin: *const i32,
    scales: *const i32,
    /// First output channel's place in a row of `y`.
    y: *mut u8,
    /// Bytes from a place of `y` to the next, and how many channels of the panel there are.
    pitch: usize,
    width: usize,
}

impl<L: Lanes> Task<L> for Tiles<'_, L> {
    #[inline(always)]
    unsafe fn run(self) {
        let Self { product, plane, runs, geometry, first: first_place, y } = self;
        let Product { groups, weights, range, .. } = product;
        let pitch = groups * weights.outputs;
        let places = y.len() / pitch;
        let padded = weights.outputs.next_multiple_of(L::LANES);
        let depth = weights.runs * weights.steps;

        // What every pointer below stays within.
        let last_place = (geometry.output[0] - 1) * geometry.down + (geometry.output[1] - 1) * geometry.right;
        let last_run = runs.iter().copied().max().unwrap_or(0) + (groups - 1) * geometry.group;
        assert!(last_place + last_run + weights.steps * 4 <= plane.len(), "tiles stay in their plane");
        assert!(groups * padded * depth <= weights.quads.len(), "tiles stay in their weights");
        assert!(groups * padded <= weights.begin.len().min(weights.scales.len()), "there are parameters");
        assert!(first_place + places <= geometry.output[0] * geometry.output[1], "there are so many places");

        let piece = (PIECE / geometry.right.max(1)).max(64);
        for start in (0..places).step_by(piece) {
            let span = start..places.min(start + piece);
            for group in 0..*groups {
                for first in (0..padded).step_by(panel::<L>()) {
                    let vectors = (padded - first).min(panel::<L>()) / L::LANES;
                    let channel = group * padded + first;
                    // SAFETY: offsets are within what was asserted: `channel` below `groups · padded`, the panel's first
                    // output below `pitch`, the group's first number below `last_run`.
                    unsafe {
                        let panel = Panel {
                            plane: plane.as_ptr().add(group * geometry.group),
                            quads: weights.quads.as_ptr().add(channel * depth),
                            begin: weights.begin.as_ptr().add(channel),
                            scales: weights.scales.as_ptr().add(channel),
                            y: y.as_mut_ptr().add(group * weights.outputs + first),
                            pitch,
                            width: weights.outputs - first,
                        };
                        let range = Range::new::<L>(*range);
                        let work =
                            Work { geometry, first_place, runs, steps: weights.steps, panel: &panel, range: &range };
                        match (vectors, L::MANY_REGISTERS) {
                            (4, true) => work.places::<L, 6, 3, 4>(span.clone()),
                            (3, true) => work.places::<L, 8, 4, 3>(span.clone()),
                            (2, true) => work.places::<L, 8, 4, 2>(span.clone()),
                            (2, false) => work.places::<L, 6, 3, 2>(span.clone()),
                            _ => work.places::<L, 8, 4, 1>(span.clone()),
                        }
                    }
                }
            }
        }
    }
}

struct Work<'a, V> {
    geometry: &'a Geometry,
    /// The place with which `y` begins.
    first_place: usize,
    runs: &'a [usize],
    steps: usize,
    panel: &'a Panel,
    range: &'a Range<V>,
}

/// A place of the output: which of those in `y`, and where.
struct Cursor {
    place: usize,
    row: usize,
    column: usize,
}

impl<V: Copy> Work<'_, V> {
    /// The panel's channels of some places, `M` at a time; a rest is computed in tiles of `M`, `H` or one place that may
    /// compute their last place more than once.
    ///
    /// # Safety
    /// That of [`Work::tile`], for each of the places.
    #[inline(always)]
    unsafe fn places<L: Lanes<V = V>, const M: usize, const H: usize, const N: usize>(
        &self,
        places: std::ops::Range<usize>,
    ) {
        let columns = self.geometry.output[1];
        let place = self.first_place + places.start;
        let mut cursor = Cursor { place: places.start, row: place / columns, column: place % columns };
        while cursor.place < places.end {
            let left = places.end - cursor.place;
            // SAFETY: the caller's.
            unsafe {
                match left {
                    1 => self.tile::<L, 1, N>(&mut cursor, 1),
                    left if left <= H => self.tile::<L, H, N>(&mut cursor, left),
                    left => self.tile::<L, M, N>(&mut cursor, left.min(M)),
                }
            }
        }
    }

    /// `count` places, at least one and at most `M`, times `N` vectors of channels.
    ///
    /// # Safety
    /// The processor has the instructions of `L`. The panel's pointers hold `N` vectors of begins and multipliers and
    /// `runs · steps · N` of quads; the plane what each place's runs read; `y` each place's channels.
    #[inline(always)]
    unsafe fn tile<L: Lanes<V = V>, const M: usize, const N: usize>(&self, cursor: &mut Cursor, count: usize) {
        let Self { geometry, panel, .. } = self;
        // SAFETY: the caller's.
        unsafe {
            let mut y = panel.y.add(cursor.place * panel.pitch);
            let mut x = [panel.plane; M];
            for (m, x) in x.iter_mut().enumerate() {
                *x = panel.plane.add(cursor.row * geometry.down + cursor.column * geometry.right);
                if m + 1 < count {
                    cursor.next(geometry.output[1]);
                }
            }
            cursor.next(geometry.output[1]);

            let mut sums = [[L::splat(0); N]; M];
            for n in 0..N {
                let begin = L::load(panel.begin.add(n * L::LANES));
                for sums in &mut sums {
                    sums[n] = begin;
                }
            }
            let mut quads = panel.quads;
            for &run in self.runs {
                let x = x.map(|x| x.add(run).cast::<i32>());
                for step in 0..self.steps {
                    let mut w = [L::splat(0); N];
                    for (n, w) in w.iter_mut().enumerate() {
                        *w = L::load(quads.add(n * L::LANES));
                    }
                    quads = quads.add(N * L::LANES);
                    for (x, sums) in x.iter().zip(&mut sums) {
                        let x = L::splat(x.add(step).read_unaligned());
                        for (sum, &w) in sums.iter_mut().zip(&w) {
                            *sum = L::dot(*sum, x, w);
                        }
                    }
                }
            }

            let mut scales = [L::splat(0); N];
            for (n, scale) in scales.iter_mut().enumerate() {
                *scale = L::load(panel.scales.add(n * L::LANES));
            }
            // A copy, because what is indexed lies in memory, and the sums above must be in registers.
            let sums = black_box(sums);
            for sums in sums.iter().take(count) {
                let blocks = N / L::STEP;
                for first in (0..blocks).map(|index| index * L::STEP) {
                    let of = |from: &[V; N]| [0, 1, 2, 3].map(|v| from[first + v.min(L::STEP - 1)]);
                    let width = panel.width - first * L::LANES;
                    finish::<L>(of(sums), of(&scales), self.range, y.add(first * L::LANES), width);
                }
                for n in blocks * L::STEP..N {
                    let bytes = L::requantise(sums[n], scales[n], self.range);
                    let width = (panel.width - n * L::LANES).min(L::LANES);
                    L::store_bytes(bytes, y.add(n * L::LANES), width);
                }
                y = y.add(panel.pitch);
            }
        }
    }
}

impl Cursor {
    #[inline(always)]
    fn next(&mut self, columns: usize) {
        self.place += 1;
        self.column += 1;
        if self.column == columns {
            (self.row, self.column) = (self.row + 1, 0);
        }
    }
}

const _: () = assert!(SLACK >= 4, "a run's last quad may reach beyond its last number");

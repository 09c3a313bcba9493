//! Tables per channel that are lines: normalisations, scaled and clamped.
//!
//! Channels lie side by side, each with a table of its own, so registers cannot hold the tables. Most are a line
//! nevertheless, rounded and clamped, which vectors compute. A line is looked for, and taken only if it gives what the
//! table says for every byte; so it does not matter how it was found. The few channels without one are looked up.

use std::marker::PhantomData;

use super::lanes::{Lanes, Lines, Task, write_lanes};
use crate::{
    formula,
    ir::ChannelTable,
    kernels::{Form, Run, Scratch},
    packed::{Field, Writer, fields},
};

/// How often the slopes between which a line's own lies are halved.
const HALVINGS: usize = 40;
/// How far a line keeps away from the places where rounding turns, of one step, if it can: more than what f32 errs by.
const CLEAR: f64 = 1e-3;

/// The operation, ready to run, if nearly all its tables are lines and fill vectors.
pub(super) fn prepare<L: Lanes>(op: &ChannelTable) -> Option<Box<dyn Run>> {
    if op.inner != 1 || op.tables.len() < L::LANES {
        return None;
    }
    let signs = [(false, false), (true, true), (false, true), (true, false)];
    let affine = signs.into_iter().find_map(|(from, to)| Affine::<L>::new(op, from, to))?;
    Some(Box::new(affine))
}

#[derive(Debug)]
pub(super) struct Affine<L> {
    op: ChannelTable,
    /// Channels that are looked up: those that fill no whole vector, and those whose table is no line.
    looked_up: Vec<usize>,
    /// For each channel an f32: the line's slope, and its value at zero.
    slopes: Lines,
    starts: Lines,
    /// What makes signed bytes unsigned.
    flip: u8,
    /// What results are clamped to.
    lo: i32,
    hi: i32,
    lanes: PhantomData<L>,
}

fields!(for<L: Lanes> Affine { op, looked_up, slopes, starts, flip, lo, hi, lanes });

impl<L: Lanes> Affine<L> {
    /// With inputs and results that are signed bytes or not.
    fn new(op: &ChannelTable, from: bool, to: bool) -> Option<Self> {
        let flip: u8 = if from { 0x80 } else { 0 };
        let values = |table: &[u8; 256]| -> [i32; 256] {
            let mut values = [0; 256];
            for (value, byte) in values.iter_mut().zip(0..=u8::MAX) {
                *value = formula::number(to, table[usize::from(byte ^ flip)]);
            }
            values
        };
        let all = || op.tables.iter().flat_map(&values);
        let (lo, hi) = (all().min()?, all().max()?);
        let channels = op.tables.len();
        let rest = channels / L::LANES * L::LANES..channels;
        let most = rest.len() + channels / 16;
        let mut looked_up: Vec<usize> = rest.clone().collect();
        let (mut slopes, mut starts) = (Lines::zeros(channels), Lines::zeros(channels));
        for (channel, table) in op.tables.iter().enumerate() {
            if rest.contains(&channel) {
                continue;
            }
            match line(&values(table), lo, hi) {
                Some((slope, start)) => {
                    slopes.set(channel, slope.to_bits().cast_signed());
                    starts.set(channel, start.to_bits().cast_signed());
                }
                None => looked_up.push(channel),
            }
            if looked_up.len() > most {
                return None;
            }
        }
        let mut affine = Self { op: op.clone(), looked_up, slopes, starts, flip, lo, hi, lanes: PhantomData };
        affine.compare();
        (affine.looked_up.len() <= most).then_some(affine)
    }

    /// Leaves those channels to their tables whose line does not give them, each once: what is looked up does not differ.
    fn compare(&mut self) {
        let mut y = vec![0; self.op.tables.len()];
        for byte in 0..=u8::MAX {
            self.run(&[&vec![byte; y.len()]], &mut y, &mut Scratch::default());
            for (channel, (y, table)) in y.iter().zip(&self.op.tables).enumerate() {
                if *y != table[usize::from(byte)] {
                    self.looked_up.push(channel);
                }
            }
        }
    }
}

/// Slope and start of a line that gives these values once rounded, and clamped to `lo` and `hi`; wherever it can, one that
/// keeps clear of the places where rounding turns.
///
/// For a slope, what a value says of the start is a range: half a step around it, open where it is clamped. All of them must
/// meet. How far they do is a concave function of the slope, and the two values that are the nearest to each other tell on
/// which side it rises.
pub(in crate::kernels) fn line(values: &[i32; 256], lo: i32, hi: i32) -> Option<(f32, f32)> {
    let inner: Vec<(f64, f64)> = points(values).filter(|&(_, value)| value > lo && value < hi).map(of_point).collect();
    let (mut low, mut high) = match (inner.first(), inner.last()) {
        (Some(&(x, y)), Some(&(last_x, last_y))) if last_x > x => {
            ((last_y - y - 1.0) / (last_x - x), (last_y - y + 1.0) / (last_x - x))
        }
        _ => (-256.0, 256.0),
    };
    let mut best = None;
    for _ in 0..HALVINGS {
        let slope = f64::midpoint(low, high);
        let over = |(x, y): (f64, f64)| (x, y + 0.5 - slope * x);
        let under = |(x, y): (f64, f64)| (x, y - 0.5 - slope * x);
        let most = points(values).filter(|&(_, value)| value < hi).map(of_point).map(over);
        let least = points(values).filter(|&(_, value)| value > lo).map(of_point).map(under);
        let (at_most, most) = most.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0.0, f64::from(hi) + 0.5));
        let (at_least, least) = least.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0.0, f64::from(lo) - 0.5));
        if most > least {
            best = Some((formula::narrow(slope), formula::narrow(f64::midpoint(most, least))));
            if most - least > CLEAR {
                break;
            }
        }
        if at_least > at_most { low = slope } else { high = slope }
    }
    best
}

fn points(values: &[i32; 256]) -> impl Iterator<Item = (i32, i32)> {
    (0..).zip(values.iter().copied())
}

fn of_point((x, y): (i32, i32)) -> (f64, f64) {
    (f64::from(x), f64::from(y))
}

impl<L: Lanes> Run for Affine<L> {
    fn pack(&self, to: &mut Writer) -> bool {
        Form::Lines.write(to);
        write_lanes::<L>(to);
        self.write(to);
        true
    }

    fn run(&self, inputs: &[&[u8]], y: &mut [u8], _: &mut Scratch) {
        // SAFETY: a set of vectors, which alone makes these, is there only where the processor has the instructions.
        unsafe { L::enter(Places { op: self, x: inputs[0], y }) };
    }
}

struct Places<'a, L> {
    op: &'a Affine<L>,
    x: &'a [u8],
    y: &'a mut [u8],
}

impl<L: Lanes> Task<L> for Places<'_, L> {
    #[inline(always)]
    unsafe fn run(self) {
        let Affine { op: ChannelTable { tables, .. }, looked_up, slopes, starts, flip, lo, hi, .. } = self.op;
        let Self { x, y, .. } = self;
        let whole = tables.len() / L::LANES * L::LANES;
        assert!(whole <= slopes.len().min(starts.len()), "there are parameters");
        for (x, y) in x.chunks_exact(tables.len()).zip(y.chunks_exact_mut(tables.len())) {
            // SAFETY: the caller's; whole vectors of a place and of the parameters are read and written.
            unsafe {
                let [lo, hi] = [*lo, *hi].map(|bound| L::float(L::splat(bound)));
                for at in (0..whole).step_by(L::LANES) {
                    let value = L::float(L::load_bytes(x.as_ptr().add(at), *flip));
                    let value = L::fma(value, L::load(slopes.as_ptr().add(at)), L::load(starts.as_ptr().add(at)));
                    L::store_bytes(L::clamp_round(value, lo, hi), y.as_mut_ptr().add(at), L::LANES);
                }
            }
            for &channel in looked_up {
                y[channel] = tables[channel][usize::from(x[channel])];
            }
        }
    }
}

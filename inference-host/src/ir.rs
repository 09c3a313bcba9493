//! What a model is once it is understood: a list of integer operations with fixed shapes.
//!
//! Every name, attribute and scale of ONNX has been resolved: an operation holds the numbers that its formula in
//! SPEC.md takes, and its tensors are rows of bytes. [`crate::lower`] writes this with ONNX's order of dimensions, channels
//! before places; [`crate::arrange`] puts channels last, which is how [`crate::kernels`] read it. A value is 8 bits wide,
//! signed or not; what it stands for in the real world (scale and zero point) is known to the operations alone.

use std::sync::Arc;

use crate::{
    error::Site,
    formula::{AddTables, Range},
    onnx::constant::Constant,
};

/// Position of a value in [`Graph::values`].
pub(crate) type ValueId = usize;

#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) values: Vec<Value>,
    /// In the order of computation.
    pub(crate) steps: Vec<Step>,
}

/// An 8-bit tensor.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) signed: bool,
    pub(crate) dims: Vec<usize>,
    /// The value whose bytes these are: itself, or another one of which this is another shape.
    pub(crate) storage: ValueId,
    pub(crate) constant: Option<Vec<u8>>,
}

impl Value {
    pub(crate) fn bytes(&self) -> usize {
        self.dims.iter().product()
    }
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) output: ValueId,
    /// The node of the file that it comes from.
    pub(crate) site: Arc<Site>,
}

/// Everything that runs. Closed: an operator of ONNX becomes one of these or is refused.
#[derive(Debug)]
pub(crate) enum Op {
    /// Each byte through one table.
    Table(Box<[u8; 256]>),
    /// Each byte through the table of its channel.
    ChannelTable(ChannelTable),
    Conv(Conv),
    MatMul(MatMul),
    Add(Box<AddTables>),
    /// The product, byte by byte.
    Mul(Mul),
    /// Products of matrices that are both computed.
    Product(Product),
    Softmax(Box<Softmax>),
    Normalise(Normalise),
    Resize(Box<Resize>),
    MaxPool(MaxPool),
    AveragePool(AveragePool),
    /// The mean of each plane.
    GlobalAveragePool(GlobalAveragePool),
    Transpose(Transpose),
    Pick(Pick),
    Concat(Concat),
    Pad(Pad),
}

/// `outer × channels × inner` bytes.
#[derive(Debug)]
pub(crate) struct ChannelTable {
    pub(crate) tables: Vec<[u8; 256]>,
    pub(crate) inner: usize,
}

/// How bytes become the numbers that are multiplied: `byte − zero`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Centre {
    pub(crate) signed: bool,
    pub(crate) zero: i32,
}

/// Rows of weights, still as they are in the file.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) source: Arc<Constant>,
    /// Outputs.
    pub(crate) rows: usize,
    /// Products in each sum.
    pub(crate) depth: usize,
    /// One zero point, or one per row.
    pub(crate) zeros: Vec<i32>,
    pub(crate) order: Order,
}

impl Filter {
    /// Memory that its weights and parameters take once packed, as reckoned for every set of kernels.
    pub(crate) fn held(&self) -> u64 {
        self.packed().saturating_add((self.rows as u64).saturating_mul(16))
    }

    /// Memory of its weights alone.
    pub(crate) fn packed(&self) -> u64 {
        reckoned_row(self.depth).saturating_mul(self.rows as u64)
    }
}

/// How the file orders weights; a kernel sees them as `[row][tap][channel]`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// `[row][channel][tap]`, of so many channels: convolutions. One channel: `[row][depth]`.
    Channels(usize),
    /// `[depth][row]`: the right side of a matrix product.
    Columns,
}

/// From sums to bytes.
#[derive(Clone, Debug)]
pub(crate) struct Requant {
    /// One multiplier, or one per row.
    pub(crate) scales: Vec<f32>,
    /// One bias per row, or none.
    pub(crate) bias: Vec<i32>,
    pub(crate) range: Range,
}

impl Requant {
    /// Bias and multiplier of a row.
    pub(crate) fn of(&self, row: usize) -> (i32, f32) {
        (self.bias.get(row).copied().unwrap_or(0), self.scales[row % self.scales.len()])
    }
}

/// The geometry of a window that moves over planes, rows first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) dilation: [usize; 2],
    /// Above and to the left.
    pub(crate) pad: [usize; 2],
    pub(crate) input: [usize; 2],
    pub(crate) output: [usize; 2],
}

impl Window {
    /// Rows and columns of input, with padding, that the windows reach.
    pub(crate) fn reach(&self) -> [usize; 2] {
        [0, 1].map(|d| (self.output[d] - 1) * self.stride[d] + (self.kernel[d] - 1) * self.dilation[d] + 1)
    }

    /// Positions in a window.
    pub(crate) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Positions of a window.
    pub(crate) fn places(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Columns, or rows, that tap `tap` of place `place` reads, if that is not padding.
    pub(crate) fn source(&self, d: usize, place: usize, tap: usize) -> Option<usize> {
        (place * self.stride[d] + tap * self.dilation[d]).checked_sub(self.pad[d]).filter(|&at| at < self.input[d])
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Conv {
    pub(crate) batch: usize,
    pub(crate) groups: usize,
    /// Input channels of one group.
    pub(crate) channels: usize,
    pub(crate) window: Window,
    pub(crate) x: Centre,
    pub(crate) filter: Filter,
    pub(crate) requant: Requant,
}

#[derive(Clone, Debug)]
pub(crate) struct MatMul {
    pub(crate) x: Centre,
    pub(crate) filter: Filter,
    pub(crate) requant: Requant,
}

/// `requantise((a − a_zero) · (b − b_zero))`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mul {
    pub(crate) a: Centre,
    pub(crate) b: Centre,
    pub(crate) scale: f32,
    pub(crate) range: Range,
}

/// `[batch, rows, depth] × [batch, depth, columns]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) a: Centre,
    pub(crate) b: Centre,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
    pub(crate) scale: f32,
    pub(crate) range: Range,
}

/// Shares of a whole, row by row.
#[derive(Debug)]
pub(crate) struct Softmax {
    pub(crate) signed: bool,
    /// Elements of a row.
    pub(crate) size: usize,
    /// What an element weighs that lies so far below its row's largest.
    pub(crate) weights: [u32; 256],
    pub(crate) scale: f32,
    pub(crate) range: Range,
}

/// Rows with their mean and deviation taken out.
#[derive(Debug)]
pub(crate) struct Normalise {
    pub(crate) signed: bool,
    /// What is added to the variance, in steps of the input's scale, squared and times the square of the row's length.
    pub(crate) epsilon: f64,
    /// One per element of a row: what it is multiplied by, and what is added.
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
    pub(crate) scale: f32,
    pub(crate) range: Range,
}

/// Planes in another size: each place lies between two rows and two columns of the input.
#[derive(Debug)]
pub(crate) struct Resize {
    pub(crate) channels: usize,
    pub(crate) input: [usize; 2],
    pub(crate) rows: Vec<Between>,
    pub(crate) columns: Vec<Between>,
    /// Real value of each byte.
    pub(crate) reals: [f32; 256],
    pub(crate) scale: f32,
    pub(crate) range: Range,
}

/// Two neighbours, and the share of the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Between {
    pub(crate) first: usize,
    pub(crate) second: usize,
    pub(crate) share: f32,
}

/// In each dimension of the input the positions that are taken.
#[derive(Clone, Debug)]
pub(crate) struct Pick {
    pub(crate) input: Vec<usize>,
    pub(crate) places: Vec<Vec<usize>>,
}

#[derive(Debug)]
pub(crate) struct MaxPool {
    pub(crate) signed: bool,
    pub(crate) channels: usize,
    pub(crate) window: Window,
}

#[derive(Clone, Debug)]
pub(crate) struct AveragePool {
    pub(crate) channels: usize,
    pub(crate) window: Window,
    /// Real value of each byte, in all channels or in each.
    pub(crate) reals: Vec<[f32; 256]>,
    pub(crate) scale: f32,
    pub(crate) range: Range,
    /// Whether padding counts as zeros.
    pub(crate) count_pad: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct GlobalAveragePool {
    pub(crate) channels: usize,
    /// Elements of a plane.
    pub(crate) size: usize,
    pub(crate) x: Centre,
    pub(crate) scale: f32,
    pub(crate) range: Range,
}

#[derive(Debug)]
pub(crate) struct Transpose {
    /// Dimensions of the output, and how far a step along each goes in the input.
    pub(crate) dims: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

/// `outer` times one run of each input.
#[derive(Debug)]
pub(crate) struct Concat {
    pub(crate) runs: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Pad {
    /// Dimensions of the input and of the output, and where the input begins in the output.
    pub(crate) input: Vec<usize>,
    pub(crate) output: Vec<usize>,
    pub(crate) begin: Vec<usize>,
    pub(crate) fill: u8,
}

impl Op {
    /// Multiplications with accumulation.
    pub(crate) fn macs(&self, output: usize) -> u64 {
        match self {
            Self::Conv(conv) => (output as u64).saturating_mul(conv.filter.depth as u64),
            Self::MatMul(matmul) => (output as u64).saturating_mul(matmul.filter.depth as u64),
            Self::Product(product) => (output as u64).saturating_mul(product.depth as u64),
            _ => 0,
        }
    }

    /// Bytes looked at or written otherwise, whichever is more.
    pub(crate) fn element_ops(&self, output: usize) -> u64 {
        let output = output as u64;
        match self {
            Self::MaxPool(pool) => output.saturating_mul(pool.window.taps() as u64),
            Self::AveragePool(pool) => output.saturating_mul(pool.window.taps() as u64),
            Self::GlobalAveragePool(pool) => output.saturating_mul(pool.size as u64),
            // Four neighbours; each element looked at twice and divided once.
            Self::Resize(_) | Self::Softmax(_) | Self::Normalise(_) => output.saturating_mul(4),
            // Both sides are brought into another form first.
            Self::Product(product) => {
                let read = product.depth.saturating_mul(product.rows.saturating_add(product.columns)) as u64;
                let matrices = output / (product.rows as u64 * product.columns as u64).max(1);
                output.saturating_add(read.saturating_mul(matrices))
            }
            // The input is brought into another form first.
            Self::Conv(conv) => {
                let factors = [conv.batch, conv.groups, conv.channels].into_iter().chain(conv.window.reach());
                let read = factors.fold(1u64, |read, factor| read.saturating_mul(factor as u64));
                output.saturating_add(read)
            }
            _ => output,
        }
    }

    /// The weights that it multiplies with.
    pub(crate) fn filter(&self) -> Option<&Filter> {
        match self {
            Self::Conv(conv) => Some(&conv.filter),
            Self::MatMul(matmul) => Some(&matmul.filter),
            _ => None,
        }
    }

    /// Memory that it keeps for weights and parameters.
    pub(crate) fn held(&self) -> u64 {
        match self {
            Self::Conv(conv) => conv.filter.held(),
            Self::MatMul(matmul) => matmul.filter.held(),
            Self::ChannelTable(op) => op.tables.len() as u64 * 256,
            Self::Add(_) => 4096,
            Self::AveragePool(op) => op.reals.len() as u64 * 1024,
            Self::Softmax(_) => 1024,
            Self::Normalise(op) => op.gamma.len() as u64 * 8,
            Self::Resize(op) => 1024 + (op.rows.len() + op.columns.len()) as u64 * 24,
            Self::Pick(op) => op.places.iter().map(|places| places.len() as u64 * 8).sum(),
            Self::Table(_) => 256,
            _ => 64,
        }
    }

    /// Working memory beside inputs and output, in bytes, as reckoned for every set of kernels: a plane of 16-bit numbers
    /// with its padding, and a tile of gathered windows with their sums.
    pub(crate) fn scratch(&self) -> u64 {
        let tile = |filter: &Filter, rows: usize| {
            RECKONED_TILE.saturating_mul(reckoned_row(filter.depth).saturating_add(rows as u64 * 4))
        };
        match self {
            Self::Conv(conv) => {
                let [rows, columns] = conv.window.reach().map(|reach| reach as u64);
                let plane = rows.saturating_mul(columns).saturating_mul(conv.channels as u64);
                plane.saturating_mul(2).saturating_add(tile(&conv.filter, conv.filter.rows))
            }
            Self::MatMul(matmul) => tile(&matmul.filter, matmul.filter.rows),
            // The right side turned, and a tile of rows of the left one.
            Self::Product(product) => {
                let row = reckoned_row(product.depth);
                let right = row.saturating_mul(product.columns as u64);
                right.saturating_add(RECKONED_TILE.saturating_mul(row.saturating_add(product.columns as u64 * 4)))
            }
            _ => 0,
        }
    }
}

/// Places that the reckoning of working memory takes to be computed at once.
const RECKONED_TILE: u64 = 16;

/// Bytes of one row of weights or of one gathered window in the reckoning: 16-bit numbers, filled up to 16 of them.
/// Prices and bounds are made of this, so it is the same whatever a set of kernels really takes.
fn reckoned_row(depth: usize) -> u64 {
    (depth as u64).next_multiple_of(16).saturating_mul(2)
}

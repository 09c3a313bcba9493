//! What a model is once it is understood: a list of integer operations with fixed shapes.
//!
//! Every name, attribute and scale of ONNX has been resolved: an operation holds the numbers that its formula in
//! SPEC.md takes, and its tensors are rows of bytes: integers, little-endian. [`crate::lower`] writes this with ONNX's order of dimensions, channels
//! before places; [`crate::arrange`] puts channels last, which is how [`crate::kernels`] read it. A value is mostly 8 bits wide,
//! signed or not; sums that stay sums and positions are wider. What it stands for in the real world (scale and zero point) is known to the operations alone.

use std::sync::Arc;

use aceso_types::ElementType;

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

/// A tensor of integers.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) ty: ElementType,
    pub(crate) dims: Vec<usize>,
    /// The value whose bytes these are: itself, or another one of which this is another shape.
    pub(crate) storage: ValueId,
    pub(crate) constant: Option<Vec<u8>>,
}

impl Value {
    pub(crate) fn elements(&self) -> usize {
        self.dims.iter().product()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.elements() * self.ty.width()
    }
}

/// The type of 8-bit integers.
pub(crate) fn byte_type(signed: bool) -> ElementType {
    if signed { ElementType::I8 } else { ElementType::U8 }
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
    /// Two integers of 8 bits to one, as they are.
    Pair(Pair),
    /// Products of matrices that are both computed.
    Product(Product),
    /// Sums of products as they are, 32 bits each.
    Sums(Sums),
    /// 32-bit integers through some float operations, quantised.
    Chain(Chain),
    /// The position of each row's largest or smallest element, 64 bits.
    Arg(Arg),
    /// The same numbers in another width.
    Cast(Cast),
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
#[derive(Clone, Debug)]
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

impl Conv {
    /// One input channel and one output channel in each group, and several groups.
    pub(crate) fn is_depthwise(&self) -> bool {
        self.channels == 1 && self.groups > 1 && self.filter.rows == self.groups
    }

    /// Elements of its input with padding, as far as windows reach.
    pub(crate) fn plane(&self) -> u64 {
        let factors = [self.batch, self.groups, self.channels].into_iter().chain(self.window.reach());
        factors.fold(1u64, |read, factor| read.saturating_mul(factor as u64))
    }
}

impl MatMul {
    /// Elements of its left side, for so many of the result.
    pub(crate) fn read(&self, output: u64) -> u64 {
        (output / (self.filter.rows as u64).max(1)).saturating_mul(self.filter.depth as u64)
    }
}

impl Product {
    /// Elements of both sides, for so many of the result.
    pub(crate) fn read(&self, output: u64) -> u64 {
        let each = self.depth.saturating_mul(self.rows.saturating_add(self.columns)) as u64;
        let matrices = output / (self.rows as u64 * self.columns as u64).max(1);
        each.saturating_mul(matrices)
    }
}

/// `requantise((a − a_zero) · (b − b_zero))`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mul {
    pub(crate) a: Centre,
    pub(crate) b: Centre,
    pub(crate) scale: f32,
    pub(crate) range: Range,
}

/// Element by element, both sides and the result of one type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) step: PairStep,
    pub(crate) signed: bool,
}

/// What [`crate::formula::pair`] does with two integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairStep {
    Add,
    Sub,
    Mul,
    /// Cut off towards 0.
    Div,
    /// What is left, with the divisor's sign, and with the dividend's.
    Modulo,
    Remainder,
    Min,
    Max,
    Left,
    Right,
    And,
    Or,
    Xor,
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

/// What [`Op::Conv`], [`Op::MatMul`] and [`Op::Product`] do before they requantise; how they would is not looked at.
#[derive(Clone, Debug)]
pub(crate) enum Sums {
    Conv(Conv),
    MatMul(MatMul),
    Product(Product),
}

impl Sums {
    /// Elements that it reads, with their padding, for so many of the result.
    pub(crate) fn read(&self, output: u64) -> u64 {
        match self {
            Self::Conv(conv) => conv.plane(),
            Self::MatMul(matmul) => matmul.read(output),
            Self::Product(product) => product.read(output),
        }
    }

    /// Products in a sum.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Conv(conv) => conv.filter.depth,
            Self::MatMul(matmul) => matmul.filter.depth,
            Self::Product(product) => product.depth,
        }
    }

    /// The operation that requantises.
    fn narrow(&self) -> Op {
        match self {
            Self::Conv(conv) => Op::Conv(conv.clone()),
            Self::MatMul(matmul) => Op::MatMul(matmul.clone()),
            Self::Product(product) => Op::Product(*product),
        }
    }
}

/// `quantise` of `f32(x)` after each link, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) links: Vec<Link>,
    pub(crate) scale: f32,
    pub(crate) range: Range,
}

/// One float operation on each element.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) step: ChainStep,
    /// One operand, or one for each position of a dimension.
    pub(crate) values: Vec<f32>,
    /// Elements from one position to the next.
    pub(crate) inner: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChainStep {
    Mul,
    Add,
    /// `v − c`, and `c − v`.
    Sub,
    SubFrom,
    Div,
    /// At least so much, and at most.
    Least,
    Most,
}

/// Rows of `size` elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arg {
    pub(crate) ty: ElementType,
    pub(crate) size: usize,
    /// The smallest instead of the largest.
    pub(crate) least: bool,
    /// The last of equal ones instead of the first.
    pub(crate) last: bool,
}

/// Low bits are kept; a wider number is the same number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast {
    pub(crate) from: ElementType,
    pub(crate) to: ElementType,
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
    /// What it is called where steps are listed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Table(_) => "table",
            Self::ChannelTable(_) => "table per channel",
            Self::Conv(conv) if conv.is_depthwise() => "depthwise convolution",
            Self::Conv(_) => "convolution",
            Self::MatMul(_) => "matrix product",
            Self::Add(_) => "sum",
            Self::Mul(_) => "product",
            Self::Pair(_) => "pair",
            Self::Product(_) => "product of matrices",
            Self::Sums(_) => "sums of products",
            Self::Chain(_) => "chain",
            Self::Arg(_) => "position",
            Self::Cast(_) => "cast",
            Self::Softmax(_) => "softmax",
            Self::Normalise(_) => "layer normalisation",
            Self::Resize(_) => "resize",
            Self::MaxPool(_) => "max pool",
            Self::AveragePool(_) => "average pool",
            Self::GlobalAveragePool(_) => "global average pool",
            Self::Transpose(_) => "transpose",
            Self::Pick(_) => "pick",
            Self::Concat(_) => "concat",
            Self::Pad(_) => "pad",
        }
    }

    /// Products in each of its sums.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Sums(sums) => sums.depth(),
            Self::Conv(conv) => conv.filter.depth,
            Self::MatMul(matmul) => matmul.filter.depth,
            Self::Product(product) => product.depth,
            _ => 0,
        }
    }

    /// Bytes of an element of the result, as far as the operation knows: what moves bytes does not ask what they are.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Sums(_) => ElementType::I32.width(),
            Self::Arg(_) => ElementType::I64.width(),
            Self::Cast(cast) => cast.to.width(),
            _ => 1,
        }
    }

    /// Multiplications with accumulation, for so many elements of output.
    pub(crate) fn macs(&self, output: usize) -> u64 {
        (output as u64).saturating_mul(self.depth() as u64)
    }

    /// Bytes looked at or written otherwise, whichever is more.
    pub(crate) fn element_ops(&self, output: usize) -> u64 {
        let output = output as u64;
        match self {
            Self::MaxPool(pool) => output.saturating_mul(pool.window.taps() as u64),
            Self::AveragePool(pool) => output.saturating_mul(pool.window.taps() as u64),
            Self::GlobalAveragePool(pool) => output.saturating_mul(pool.size as u64),
            // Sums are portable code, an eighth as fast as what requantises: each eighth product counts once more.
            Self::Sums(sums) => {
                let elements = output / 4;
                let products = elements.saturating_mul(sums.depth() as u64);
                let elements = usize::try_from(elements).unwrap_or(usize::MAX);
                sums.narrow().element_ops(elements).saturating_add(products / 8).saturating_add(output)
            }
            Self::Chain(chain) => output.saturating_mul(4 + 2 * chain.links.len() as u64),
            Self::Arg(arg) => output.saturating_add((output / 8).saturating_mul((arg.size * arg.ty.width()) as u64)),
            Self::Cast(cast) => output.saturating_mul(cast.from.width() as u64),
            // Four neighbours; each element looked at twice and divided once.
            Self::Resize(_) | Self::Softmax(_) | Self::Normalise(_) => output.saturating_mul(4),
            // Both sides are brought into another form first.
            Self::Product(product) => output.saturating_add(product.read(output)),
            // The input is brought into another form first.
            Self::Conv(conv) => output.saturating_add(conv.plane()),
            _ => output,
        }
    }

    /// The weights that it multiplies with.
    pub(crate) fn filter(&self) -> Option<&Filter> {
        match self {
            Self::Conv(conv) => Some(&conv.filter),
            Self::MatMul(matmul) => Some(&matmul.filter),
            Self::Sums(Sums::Conv(conv)) => Some(&conv.filter),
            Self::Sums(Sums::MatMul(matmul)) => Some(&matmul.filter),
            _ => None,
        }
    }

    /// Memory that it keeps for weights and parameters.
    pub(crate) fn held(&self) -> u64 {
        match self {
            Self::Conv(conv) => conv.filter.held(),
            Self::MatMul(matmul) => matmul.filter.held(),
            Self::Sums(Sums::Conv(conv)) => conv.filter.held(),
            Self::Sums(Sums::MatMul(matmul)) => matmul.filter.held(),
            Self::Chain(chain) => chain.links.iter().map(|link| 64 + link.values.len() as u64 * 4).sum(),
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
            Self::Sums(sums) => sums.narrow().scratch(),
            // The right side turned, and a tile of rows of the left one.
            Self::Product(product) => {
                let row = reckoned_row(product.depth);
                let right = row.saturating_mul(product.columns as u64);
                right.saturating_add(RECKONED_TILE.saturating_mul(row.saturating_add(product.columns as u64 * 4)))
            }
            // A row's weights and shares, or differences and values.
            Self::Softmax(op) => op.size as u64 * 8,
            Self::Normalise(op) => op.gamma.len() as u64 * 8,
            // What two rows and a place's results stand for.
            Self::Resize(op) => (op.channels as u64).saturating_mul(2 * op.input[1] as u64 + 1).saturating_mul(4),
            // A place's sums.
            Self::AveragePool(AveragePool { channels, .. })
            | Self::GlobalAveragePool(GlobalAveragePool { channels, .. }) => *channels as u64 * 4,
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

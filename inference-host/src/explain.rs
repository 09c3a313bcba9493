//! What a model is made of, for whoever has to decide about it: each operation with what it costs, and what its author
//! should look at again.
//!
//! Nothing here is needed to run a model. Numbers are those of the graph as it is written, before kernels choose layouts,
//! so they add up to its [`Facts`]; warnings are estimates for people, and never a reason to refuse.

use std::{collections::BTreeMap, fmt};

use aceso_types::{ElementType, Manifest, Tensor};

use crate::{
    admit::{Checked, check},
    error::{ModelRefused, Site},
    formula,
    ir::{Centre, Filter, Op, Order, Requant, Step, Window},
    meter,
    model::TensorSpec,
    onnx::constant::Data,
    plan::Facts,
};

/// Values of a table that may be its highest one before it counts as saturating.
const SATURATING: usize = 64;
/// Fewer different results than this are few.
const FEW: usize = 12;
/// Sums that can reach so many times further than the result have a scale that is seldom meant: of layers of trained
/// networks it is one to forty.
const FAR: f32 = 256.0;
/// An operation that takes this share of the price, in percent, in a model of several, is worth a look.
const LARGE_SHARE: u64 = 25;
const SEVERAL: usize = 8;

/// A model, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// What it takes.
    pub inputs: Vec<TensorSpec>,
    /// What it gives.
    pub outputs: Vec<TensorSpec>,
    /// What a run costs in all.
    pub facts: Facts,
    /// Its operations, in the order in which they run.
    pub operations: Vec<Operation>,
    /// How many float operators of each kind became integer ones.
    pub fused: BTreeMap<String, usize>,
    /// What its author should know.
    pub warnings: Vec<Warning>,
}

/// One integer operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The node of the file that it comes from.
    pub site: Site,
    /// What it does.
    pub kind: String,
    /// Dimensions of its result, in ONNX's order.
    pub dims: Vec<usize>,
    /// Type of its result's elements.
    pub ty: ElementType,
    /// Multiplications with accumulation.
    pub macs: u64,
    /// Other operations, in bytes looked at or written.
    pub element_ops: u64,
    /// Memory of its weights, in bytes, as they are computed with.
    pub weight_bytes: u64,
    /// Its result and its working memory, in bytes.
    pub bytes: u64,
    /// What it adds to the price of a run, in wasm gas.
    pub gas: u64,
}

/// Something that is allowed, and seldom meant.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Many inputs become the same highest output.
    Saturates {
        /// Where.
        site: Site,
        /// How many of the 256 values do.
        values: usize,
    },
    /// A table with few different results.
    Coarse {
        /// Where.
        site: Site,
        /// How many there are.
        values: usize,
    },
    /// Channels whose sums can reach very much further than the result.
    Exceeds {
        /// Where.
        site: Site,
        /// How many channels.
        channels: usize,
        /// Of how many.
        of: usize,
    },
    /// Channels that take few values, whatever the image.
    Flat {
        /// Where.
        site: Site,
        /// How many channels.
        channels: usize,
        /// Of how many.
        of: usize,
    },
    /// Weights that stand around another value than the middle of their type.
    ZeroPoint {
        /// Where.
        site: Site,
        /// The zero point of the first such channel.
        zero: i32,
    },
    /// One operation takes much of the price.
    Large {
        /// Which.
        site: Site,
        /// Its share, in percent.
        percent: u64,
    },
    /// Tensors beside the first, which alone the manifest describes.
    Undescribed {
        /// How many.
        outputs: usize,
        /// Their bytes together.
        bytes: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Saturates { site, values } => write!(
                f,
                "{site}: {values} of 256 values become the highest; calibrate with data that reach further, or take a larger \
                 scale"
            ),
            Self::Coarse { site, values } => {
                write!(f, "{site}: its result has {values} different values only; take a smaller scale")
            }
            Self::Exceeds { site, channels, of } => write!(
                f,
                "{site}: in {channels} of {of} channels sums can reach over {FAR} times what the result holds; calibrate with data \
                 that reach further, or take a larger scale"
            ),
            Self::Flat { site, channels, of } => write!(
                f,
                "{site}: {channels} of {of} channels have less than {FEW} values, whatever the image; the weights are all but \
                 zero, or the scale is too large"
            ),
            Self::ZeroPoint { site, zero } => write!(
                f,
                "{site}: weights with zero point {zero} may not fit 8 bits once centred, which makes them slow on processors \
                 with VNNI; quantise weights symmetrically"
            ),
            Self::Large { site, percent } => write!(f, "{site}: takes {percent} % of the price"),
            Self::Undescribed { outputs, bytes } => write!(
                f,
                "the manifest describes the first output; {outputs} more with {bytes} bytes are computed and handed out with \
                 every read"
            ),
        }
    }
}

/// Does what admission does, and tells of each operation.
///
/// # Errors
/// Those of [`crate::admit`].
pub fn explain(onnx: &[u8], manifest: &Manifest) -> Result<Explanation, ModelRefused> {
    let Checked { graph, facts, inputs, outputs, fused, .. } = check(onnx, manifest)?;
    let mut warnings = Vec::new();
    let operations: Vec<Operation> = graph
        .steps
        .iter()
        .map(|step| {
            let value = &graph.values[step.output];
            let (bytes, elements) = (value.bytes(), value.elements());
            warnings.extend(warnings_of(step));
            Operation {
                site: (*step.site).clone(),
                kind: kind(&step.op),
                dims: value.dims.clone(),
                ty: value.ty,
                macs: step.op.macs(elements),
                element_ops: step.op.element_ops(bytes),
                weight_bytes: step.op.filter().map_or(0, Filter::packed),
                bytes: (bytes as u64).saturating_add(step.op.scratch()),
                gas: meter::step(&step.op, elements),
            }
        })
        .collect();
    let price = meter::run(&facts).max(1);
    for operation in operations.iter().filter(|_| operations.len() >= SEVERAL) {
        let percent = operation.gas.saturating_mul(100) / price;
        if percent >= LARGE_SHARE {
            warnings.push(Warning::Large { site: operation.site.clone(), percent });
        }
    }
    if let [_, more @ ..] = &outputs[..]
        && !more.is_empty()
        && manifest.output.tensors.is_none()
    {
        let bytes =
            more.iter().filter_map(|spec| Tensor::bytes(spec.ty, &spec.dims).ok()).map(|bytes| bytes as u64).sum();
        warnings.push(Warning::Undescribed { outputs: more.len(), bytes });
    }
    Ok(Explanation { inputs, outputs, facts, operations, fused, warnings })
}

fn warnings_of(step: &Step) -> Vec<Warning> {
    let site = || (*step.site).clone();
    match &step.op {
        Op::Table(table) => {
            let mut seen = [0usize; 256];
            table.iter().for_each(|&byte| seen[usize::from(byte)] += 1);
            // Which of the two is highest depends on the type; a table that ends in a plateau does so at one of them.
            let (values, last) = (seen.iter().filter(|&&count| count > 0).count(), table[usize::from(u8::MAX)]);
            let mut found = Vec::new();
            if [u8::MAX, 0x7f].contains(&last) && seen[usize::from(last)] >= SATURATING && values >= FEW {
                found.push(Warning::Saturates { site: site(), values: seen[usize::from(last)] });
            }
            if values < FEW {
                found.push(Warning::Coarse { site: site(), values });
            }
            found
        }
        Op::Conv(conv) => products(&conv.filter, conv.x, &conv.requant, site()),
        Op::MatMul(matmul) => products(&matmul.filter, matmul.x, &matmul.requant, site()),
        _ => Vec::new(),
    }
}

/// What weights, scales and zero points of a product say about its channels.
#[allow(clippy::cast_precision_loss, reason = "an estimate for people")]
fn products(filter: &Filter, x: Centre, requant: &Requant, site: Site) -> Vec<Warning> {
    let Data::Byte { signed, bytes } = &filter.source.data else { return Vec::new() };
    let ((lo, hi), of) = (formula::limits(x.signed), filter.rows);
    let (lo, hi) = (i64::from(lo - x.zero), i64::from(hi - x.zero));
    let zero_of = |row: usize| filter.zeros[row % filter.zeros.len()];
    let middle = if *signed { 0 } else { 128 };
    let (mut exceeds, mut flat) = (0, 0);
    for row in 0..of {
        let weight = |at: usize| match filter.order {
            Order::Channels(_) => bytes[row * filter.depth + at],
            Order::Columns => bytes[at * of + row],
        };
        // How far the sum of the row can move.
        let span: i64 = (0..filter.depth)
            .map(|at| i64::from((formula::number(*signed, weight(at)) - zero_of(row)).unsigned_abs()) * (hi - lo))
            .sum();
        let (_, multiplier) = requant.of(row);
        let steps = span as f32 * multiplier;
        exceeds += usize::from(steps > FAR * 256.0);
        flat += usize::from(steps < FEW as f32 - 1.0);
    }
    let mut found = Vec::new();
    if exceeds > 0 {
        found.push(Warning::Exceeds { site: site.clone(), channels: exceeds, of });
    }
    if flat > 0 {
        found.push(Warning::Flat { site: site.clone(), channels: flat, of });
    }
    if let Some(&zero) = filter.zeros.iter().find(|&&zero| zero != middle) {
        found.push(Warning::ZeroPoint { site, zero });
    }
    found
}

/// An operation in a few words.
fn kind(op: &Op) -> String {
    let window = |name: &str, window: &Window| {
        let [h, w] = window.kernel;
        let mut text = format!("{name} {h}×{w}");
        if window.stride != [1, 1] {
            let [down, right] = window.stride;
            text += &if down == right { format!(" /{down}") } else { format!(" /{down}×{right}") };
        }
        if window.dilation != [1, 1] {
            text += &format!(" dilated {}×{}", window.dilation[0], window.dilation[1]);
        }
        text
    };
    match op {
        Op::Table(_) => "table".into(),
        Op::ChannelTable(op) if op.tables.len() == 1 => "table".into(),
        Op::ChannelTable(op) => format!("{} tables", op.tables.len()),
        Op::Conv(conv) if conv.is_depthwise() => window("depthwise", &conv.window),
        Op::Conv(conv) if conv.groups > 1 => window(&format!("convolution in {} groups", conv.groups), &conv.window),
        Op::Conv(conv) => window("convolution", &conv.window),
        Op::MatMul(matmul) => format!("matrix {}→{}", matmul.filter.depth, matmul.filter.rows),
        Op::Add(_) => "sum".into(),
        Op::Mul(_) => "product".into(),
        Op::Pair(op) => format!("{:?} of bytes", op.step).to_lowercase(),
        Op::Product(op) => format!("matrices {}×{}×{}", op.rows, op.depth, op.columns),
        Op::Sums(op) => format!("sums of {} products", op.depth()),
        Op::Chain(op) => format!("chain of {} steps", op.links.len() + 1),
        Op::Arg(op) => format!("position of the {}", if op.least { "least" } else { "largest" }),
        Op::Cast(op) => format!("cast {}→{}", op.from, op.to),
        Op::Softmax(op) => format!("softmax of {}", op.size),
        Op::Normalise(op) => format!("layer normalisation of {}", op.gamma.len()),
        Op::Resize(op) => format!("resize {}×{}→{}×{}", op.input[0], op.input[1], op.rows.len(), op.columns.len()),
        Op::MaxPool(pool) => window("maximum", &pool.window),
        Op::AveragePool(pool) => window("average", &pool.window),
        Op::GlobalAveragePool(pool) => format!("mean of {}", pool.size),
        Op::Transpose(_) => "transposition".into(),
        Op::Pick(_) => "pick".into(),
        Op::Concat(op) => format!("join of {}", op.runs.len()),
        Op::Pad(_) => "margin".into(),
    }
}

//! Computations whose result is requantised, and the admission bound of their sums.
//!
//! A QLinear operator knows its output's scale at once; a float operator between DequantizeLinear and QuantizeLinear
//! learns it from the latter. Both build a [`Compute`], and [`Compute::emit`] writes the operation.

use std::sync::Arc;

use aceso_types::ElementType;

use super::{
    builder::{Builder, broadcast},
    value::{Curve, Operand, Target, Weights},
    window,
};
use crate::{
    error::NodeFault,
    formula::{self, AddTables},
    ir::{self, Between, Centre, Filter, Op, Order, Requant, Sums, ValueId, Window},
    onnx::constant::Data,
};

/// Most elements of a plane whose mean is taken; f32 counts so far exactly.
const MEAN_MAX: usize = 1 << 24;

/// Most elements of a row that is normalised: sums of squares times its length stay below 2^53.
const ROW_MAX: u32 = 1 << 16;

/// Most moves of a float result: each is done from within the next one.
const MOVES_MAX: usize = 64;

pub(super) enum Compute {
    Conv {
        x: Operand,
        conv: ir::Conv,
        scales: Vec<f32>,
        dims: Vec<usize>,
    },
    MatMul {
        x: Operand,
        matmul: ir::MatMul,
        scales: Vec<f32>,
        dims: Vec<usize>,
    },
    Add {
        a: Operand,
        b: Operand,
    },
    Mul {
        a: Operand,
        b: Operand,
    },
    Product {
        a: Operand,
        b: Operand,
        sizes: [usize; 3],
        dims: Vec<usize>,
    },
    Rows {
        x: Operand,
        rows: Rows,
    },
    Resize {
        x: Operand,
        rows: Vec<Between>,
        columns: Vec<Between>,
    },
    /// A computation, and what becomes of the bytes that it gives.
    Moved {
        inner: Arc<Compute>,
        moved: Box<Moved>,
    },
    AveragePool {
        id: ValueId,
        reals: Vec<[f32; 256]>,
        window: Window,
        count_pad: bool,
        dims: Vec<usize>,
    },
    GlobalAveragePool {
        x: Operand,
        dims: Vec<usize>,
    },
    Concat {
        inputs: Vec<Operand>,
        axis: usize,
    },
}

/// What looks at whole rows: those of the last dimension.
pub(super) enum Rows {
    Softmax,
    Normalise { gamma: Vec<f32>, beta: Vec<f32>, epsilon: f32 },
}

/// Bytes in another order.
pub(super) type Moved = dyn Fn(&mut Builder, ValueId) -> Result<ValueId, NodeFault> + Send + Sync;

impl Compute {
    /// A convolution of `x` (`[n, c, h, w]` or `[n, c, l]`) with weights `[o, c / groups, kh, kw]` or `[o, c / groups, k]`.
    pub(super) fn conv(
        builder: &mut Builder,
        x: Operand,
        weights: Weights,
        bias: Vec<i32>,
        window: Window,
        groups: usize,
    ) -> Result<Self, NodeFault> {
        let (input, dims) = (builder.dims(x.id), &weights.source.dims);
        let (&[batch, channels, ..], &[outputs, depth, ..]) = (input, &dims[..]) else {
            return Err(shape("convolutions are of planes or signals", input));
        };
        if groups == 0 || channels % groups != 0 || outputs % groups != 0 || depth != channels / groups {
            return Err(shape("weights do not fit the input's channels and the groups", dims));
        }
        let filter = Filter {
            rows: outputs,
            depth: depth * window.taps(),
            order: Order::Channels(depth),
            zeros: weights.zeros,
            source: weights.source,
        };
        let x_centre = centre(builder, x);
        check_rows("w_scale", weights.scales.len(), outputs)?;
        check_filter(&filter, x_centre, &bias)?;
        let requant = Requant { scales: Vec::new(), bias, range: formula::Range::of(false, 0) };
        builder.hold(filter.held())?;
        let dims = window::output(input, outputs, &window);
        let conv = ir::Conv { batch, groups, channels: depth, window, x: x_centre, filter, requant };
        Ok(Self::Conv { x, conv, scales: weights.scales, dims })
    }

    /// `x` (`[…, m, k]`) times weights: `[k, n]`, or `[n, k]` when `transposed`.
    pub(super) fn matmul(
        builder: &mut Builder,
        x: Operand,
        weights: Weights,
        bias: Vec<i32>,
        transposed: bool,
    ) -> Result<Self, NodeFault> {
        let input = builder.dims(x.id);
        let &[first, second] = &weights.source.dims[..] else {
            return Err(shape("the right side must be a matrix", &weights.source.dims));
        };
        let (columns, depth, order) =
            if transposed { (first, second, Order::Channels(1)) } else { (second, first, Order::Columns) };
        let Some((&last, outer)) = input.split_last().filter(|(last, outer)| **last == depth && !outer.is_empty())
        else {
            return Err(shape("the left side's rows are not as long as the right side's columns", input));
        };
        let bias = if bias.len() == 1 { vec![bias[0]; columns] } else { bias };
        let filter = Filter { rows: columns, depth: last, order, zeros: weights.zeros, source: weights.source };
        let x_centre = centre(builder, x);
        check_rows("b_scale", weights.scales.len(), columns)?;
        check_filter(&filter, x_centre, &bias)?;
        let requant = Requant { scales: Vec::new(), bias, range: formula::Range::of(false, 0) };
        let dims = outer.iter().copied().chain([columns]).collect();
        builder.hold(filter.held())?;
        let matmul = ir::MatMul { x: x_centre, filter, requant };
        Ok(Self::MatMul { x, matmul, scales: weights.scales, dims })
    }

    pub(super) fn add(builder: &mut Builder, a: Operand, b: Operand) -> Result<Self, NodeFault> {
        let [left, right] = builder.broadcast(a.id, b.id)?;
        Ok(Self::Add { a: Operand { id: left, ..a }, b: Operand { id: right, ..b } })
    }

    pub(super) fn mul(builder: &mut Builder, a: Operand, b: Operand) -> Result<Self, NodeFault> {
        let [left, right] = builder.broadcast(a.id, b.id)?;
        Ok(Self::Mul { a: Operand { id: left, ..a }, b: Operand { id: right, ..b } })
    }

    /// `a` (`[…, m, k]`) times `b` (`[…, k, n]`), both computed; what lies before the matrices is repeated as needed.
    pub(super) fn product(builder: &mut Builder, a: Operand, b: Operand) -> Result<Self, NodeFault> {
        let (left, right) = (builder.dims(a.id).to_vec(), builder.dims(b.id).to_vec());
        let ([outer_a @ .., rows, depth], [outer_b @ .., below, columns]) = (&left[..], &right[..]) else {
            return Err(shape("both sides of a product of computed tensors must be matrices, and one is", &right));
        };
        let sizes = [*rows, *depth, *columns];
        if depth != below {
            return Err(shape("the left side's rows are not as long as the right side's columns", &left));
        }
        let reach = u64::from(reach(centre(builder, a))) * u64::from(reach(centre(builder, b)));
        let bound = (*depth as u64).saturating_mul(reach);
        if bound > i32::MAX as u64 {
            return Err(NodeFault::Accumulator { depth: *depth, bound });
        }
        let outer = broadcast(outer_a, outer_b)?;
        let whole = |matrix: [usize; 2]| outer.iter().copied().chain(matrix).collect::<Vec<_>>();
        let a = Operand { id: builder.expand(a.id, &whole([sizes[0], sizes[1]]))?, ..a };
        let b = Operand { id: builder.expand(b.id, &whole([sizes[1], sizes[2]]))?, ..b };
        Ok(Self::Product { a, b, sizes, dims: whole([sizes[0], sizes[2]]) })
    }

    /// Refuses another move where there were very many.
    pub(super) fn may_be_moved(&self) -> Result<(), NodeFault> {
        let (mut compute, mut moves) = (self, 0);
        while let Self::Moved { inner, .. } = compute {
            (compute, moves) = (inner, moves + 1);
        }
        if moves < MOVES_MAX { Ok(()) } else { Err(NodeFault::Moves(moves)) }
    }

    /// This, and then what it gives in another order.
    pub(super) fn then(
        self,
        moved: impl Fn(&mut Builder, ValueId) -> Result<ValueId, NodeFault> + Send + Sync + 'static,
    ) -> Self {
        Self::Moved { inner: Arc::new(self), moved: Box::new(moved) }
    }

    pub(super) fn average_pool(
        builder: &mut Builder,
        x: &Curve,
        window: Window,
        count_pad: bool,
    ) -> Result<Self, NodeFault> {
        let &[_, channels, ..] = builder.dims(x.id) else {
            return Err(shape("pools are of planes or signals", builder.dims(x.id)));
        };
        let dims = window::output(builder.dims(x.id), channels, &window);
        builder.hold(x.reals.len() as u64 * 1024)?;
        Ok(Self::AveragePool { id: x.id, reals: x.reals.clone(), window, count_pad, dims })
    }

    /// The mean of each plane of what is no line of the integers: a window as large as the plane.
    pub(super) fn mean_of(builder: &mut Builder, x: &Curve) -> Result<Self, NodeFault> {
        let (kernel, one) = (window::plane(builder.dims(x.id))?, [1; 2]);
        let window = Window { kernel, stride: one, dilation: one, pad: [0; 2], input: kernel, output: one };
        Self::average_pool(builder, x, window, false)
    }

    pub(super) fn global_average_pool(builder: &Builder, x: Operand) -> Result<Self, NodeFault> {
        let dims = builder.dims(x.id);
        let (&[batch, channels, ..], true) = (dims, dims.len() >= 3) else {
            return Err(shape("a mean over planes needs planes", dims));
        };
        let size: usize = dims[2..].iter().product();
        let bound = size as u64 * u64::from(reach(centre(builder, x)));
        if size > MEAN_MAX || bound > i32::MAX as u64 {
            return Err(NodeFault::Accumulator { depth: size, bound });
        }
        let ones = dims[2..].iter().map(|_| 1);
        Ok(Self::GlobalAveragePool { x, dims: [batch, channels].into_iter().chain(ones).collect() })
    }

    pub(super) fn concat(builder: &Builder, inputs: Vec<Operand>, axis: i64) -> Result<Self, NodeFault> {
        let first = inputs.first().map_or(&[][..], |input| builder.dims(input.id));
        let axis = axis_of(axis, first.len())?;
        for input in &inputs {
            let dims = builder.dims(input.id);
            let alike = |(d, (a, b)): (usize, (&usize, &usize))| d == axis || a == b;
            if dims.len() != first.len() || !dims.iter().zip(first).enumerate().all(alike) {
                return Err(shape("joined tensors must agree in all other dimensions, and one has", dims));
            }
        }
        Ok(Self::Concat { inputs, axis })
    }

    /// Writes the operation without requantising: its sums.
    pub(super) fn sums(&self, builder: &mut Builder) -> Result<ValueId, NodeFault> {
        let (sums, inputs, dims) = match self {
            Self::Conv { x, conv, dims, .. } => (Sums::Conv(conv.clone()), vec![x.id], dims),
            Self::MatMul { x, matmul, dims, .. } => (Sums::MatMul(matmul.clone()), vec![x.id], dims),
            Self::Product { a, b, sizes: [rows, depth, columns], dims } => {
                let product = ir::Product {
                    a: centre(builder, *a),
                    b: centre(builder, *b),
                    rows: *rows,
                    depth: *depth,
                    columns: *columns,
                    scale: 1.0,
                    range: formula::Range::of(false, 0),
                };
                (Sums::Product(product), vec![a.id, b.id], dims)
            }
            Self::Moved { inner, moved } => {
                let id = inner.sums(builder)?;
                return moved(builder, id);
            }
            _ => return Err(NodeFault::Float),
        };
        builder.push_as(Op::Sums(sums), inputs, ElementType::I32, dims.clone())
    }

    /// Writes the operation, requantised to `y`.
    pub(super) fn emit(&self, builder: &mut Builder, y: Target) -> Result<ValueId, NodeFault> {
        let scales_of = |x: Operand, scales: &[f32]| -> Result<Vec<f32>, NodeFault> {
            scales.iter().map(|&w| formula::multiplier(x.scale, w, y.scale)).collect()
        };
        let (op, inputs, dims) = match self {
            Self::Conv { x, conv, scales, dims } => {
                let requant =
                    Requant { scales: scales_of(*x, scales)?, range: y.range, bias: conv.requant.bias.clone() };
                (Op::Conv(ir::Conv { requant, ..conv.clone() }), vec![x.id], dims.clone())
            }
            Self::MatMul { x, matmul, scales, dims } => {
                let requant =
                    Requant { scales: scales_of(*x, scales)?, range: y.range, bias: matmul.requant.bias.clone() };
                (Op::MatMul(ir::MatMul { requant, ..matmul.clone() }), vec![x.id], dims.clone())
            }
            Self::Add { a, b } => {
                let side = |side: &Operand| (builder.signed(side.id), side.scale, side.zero);
                let tables = AddTables::new(side(a), side(b), y.scale, y.range)?;
                (Op::Add(Box::new(tables)), vec![a.id, b.id], builder.dims(a.id).to_vec())
            }
            Self::Mul { a, b } => {
                let scale = formula::multiplier(a.scale, b.scale, y.scale)?;
                let op = ir::Mul { a: centre(builder, *a), b: centre(builder, *b), scale, range: y.range };
                if let Some(table) = builder.own_product(*a, *b, op, y.signed) {
                    return table;
                }
                (Op::Mul(op), vec![a.id, b.id], builder.dims(a.id).to_vec())
            }
            Self::Product { a, b, sizes: [rows, depth, columns], dims } => {
                let op = ir::Product {
                    a: centre(builder, *a),
                    b: centre(builder, *b),
                    rows: *rows,
                    depth: *depth,
                    columns: *columns,
                    scale: formula::multiplier(a.scale, b.scale, y.scale)?,
                    range: y.range,
                };
                (Op::Product(op), vec![a.id, b.id], dims.clone())
            }
            Self::Rows { x, rows } => {
                let dims = builder.dims(x.id).to_vec();
                (rows.op(builder.signed(x.id), *x, dims.last().copied().unwrap_or(1), y)?, vec![x.id], dims)
            }
            Self::Resize { x, rows, columns } => {
                let &[batch, channels, height, width] = builder.dims(x.id) else {
                    return Err(shape("what is resized must be planes, [n, c, h, w]", builder.dims(x.id)));
                };
                let resize = ir::Resize {
                    channels,
                    input: [height, width],
                    rows: rows.clone(),
                    columns: columns.clone(),
                    reals: *formula::reals(builder.signed(x.id), x.scale, x.zero),
                    scale: y.scale,
                    range: y.range,
                };
                let dims = vec![batch, channels, rows.len(), columns.len()];
                (Op::Resize(Box::new(resize)), vec![x.id], dims)
            }
            Self::Moved { inner, moved } => {
                let id = inner.emit(builder, y)?;
                return moved(builder, id);
            }
            Self::AveragePool { id, reals, window, count_pad, dims } => {
                let pool = ir::AveragePool {
                    channels: dims[1],
                    window: *window,
                    reals: reals.clone(),
                    scale: y.scale,
                    range: y.range,
                    count_pad: *count_pad,
                };
                (Op::AveragePool(pool), vec![*id], dims.clone())
            }
            Self::GlobalAveragePool { x, dims } => {
                let size = builder.dims(x.id)[2..].iter().product();
                let pool = ir::GlobalAveragePool {
                    channels: dims[1],
                    size,
                    x: centre(builder, *x),
                    scale: formula::mean_multiplier(x.scale, y.scale, size)?,
                    range: y.range,
                };
                (Op::GlobalAveragePool(pool), vec![x.id], dims.clone())
            }
            Self::Concat { inputs, axis } => {
                let ids = inputs.iter().map(|&x| builder.requantise(x, y)).collect::<Result<Vec<_>, _>>()?;
                return builder.concat(&ids, *axis);
            }
        };
        builder.push(op, inputs, y.signed, dims)
    }
}

impl Rows {
    fn op(&self, signed: bool, x: Operand, size: usize, y: Target) -> Result<Op, NodeFault> {
        match self {
            Self::Softmax => {
                let weights = formula::softmax_weights(x.scale);
                Ok(Op::Softmax(Box::new(ir::Softmax { signed, size, weights, scale: y.scale, range: y.range })))
            }
            Self::Normalise { gamma, beta, epsilon } => {
                let count = u32::try_from(size).ok().filter(|&count| count <= ROW_MAX);
                let count =
                    count.ok_or_else(|| shape("a row that is normalised has at most 65536 elements", &[size]))?;
                Ok(Op::Normalise(ir::Normalise {
                    signed,
                    epsilon: formula::steps(*epsilon, count, x.scale),
                    gamma: gamma.clone(),
                    beta: beta.clone(),
                    scale: y.scale,
                    range: y.range,
                }))
            }
        }
    }
}

/// A dimension, counted from the end where negative.
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize, NodeFault> {
    let rank = i64::try_from(rank).unwrap_or(0);
    let axis = if axis < 0 { axis + rank } else { axis };
    usize::try_from(axis).ok().filter(|_| axis < rank).ok_or_else(|| NodeFault::Attribute {
        attribute: "axis".into(),
        reason: "must be one of the tensor's dimensions",
    })
}

pub(super) fn shape(reason: &'static str, dims: &[usize]) -> NodeFault {
    NodeFault::Shape { reason, dims: dims.to_vec() }
}

fn centre(builder: &Builder, x: Operand) -> Centre {
    Centre { signed: builder.signed(x.id), zero: x.zero }
}

/// How far a centred byte can lie from zero.
fn reach(centre: Centre) -> u32 {
    let (lo, hi) = formula::limits(centre.signed);
    (centre.zero - lo).unsigned_abs().max((hi - centre.zero).unsigned_abs())
}

fn check_rows(operand: &'static str, given: usize, rows: usize) -> Result<(), NodeFault> {
    if given == 1 || given == rows {
        Ok(())
    } else {
        Err(NodeFault::Operand { operand, reason: "must have one element, or one per output channel" })
    }
}

/// Proves that no sum can leave 32 bits, whatever the input and the weights.
fn check_filter(filter: &Filter, x: Centre, bias: &[i32]) -> Result<(), NodeFault> {
    let Data::Byte { signed, .. } = filter.source.data else {
        return Err(NodeFault::Operand { operand: "weights", reason: "must be uint8 or int8" });
    };
    check_rows("zero point of the weights", filter.zeros.len(), filter.rows)?;
    if !bias.is_empty() && bias.len() != filter.rows {
        return Err(NodeFault::Operand { operand: "bias", reason: "must have one element per output channel" });
    }
    let weight = filter.zeros.iter().map(|&zero| reach(Centre { signed, zero })).max().unwrap_or(0);
    let bias = bias.iter().map(|bias| bias.unsigned_abs()).max().unwrap_or(0);
    let products = (filter.depth as u64).saturating_mul(u64::from(reach(x)) * u64::from(weight));
    let bound = products.saturating_add(u64::from(bias));
    if bound > i32::MAX as u64 { Err(NodeFault::Accumulator { depth: filter.depth, bound }) } else { Ok(()) }
}

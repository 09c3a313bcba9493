//! Integers of more than 8 bits: sums that are not requantised, what casts make of them, positions of the largest, and
//! the chains of float operations that bring sums back to 8 bits.

use std::sync::Arc;

use aceso_types::ElementType;

use super::{
    builder::Builder,
    compute::{Compute, axis_of, shape},
    node::{Node, settle},
    qoperator,
    value::{Chained, Clip, Operand, Real, Target, Value, Weights},
};
use crate::{
    error::NodeFault,
    formula,
    ir::{Arg, Cast, Chain, ChainStep, Link, Op, ValueId},
    onnx::constant::{Constant, Data, data_type},
};

/// Largest number that a chain may reach: so far from the largest f32 that none of its operations overflows.
const REACH_MAX: f64 = (1u128 << 120) as f64;

/// ConvInteger(x, w, x_zero_point?, w_zero_point?)
pub(super) fn conv(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(4)?;
    let x = operand(node, builder, 0, 2, ["x", "x_zero_point"])?;
    let weights = weights(node, 1, 3, ["w", "w_zero_point"])?;
    qoperator::conv_of(node, builder, x, weights, Vec::new())?.sums(builder).map(Value::Wide)
}

/// MatMulInteger(A, B, a_zero_point?, b_zero_point?)
pub(super) fn matmul(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(4)?;
    let a = operand(node, builder, 0, 2, ["A", "a_zero_point"])?;
    let compute = match node.value(1, "B")? {
        Value::Constant(constant) if constant.dims.len() == 2 => {
            let weights = weights(node, 1, 3, ["B", "b_zero_point"])?;
            Compute::matmul(builder, a, weights, Vec::new(), false)?
        }
        _ => {
            let b = operand(node, builder, 1, 3, ["B", "b_zero_point"])?;
            Compute::product(builder, a, b)?
        }
    };
    compute.sums(builder).map(Value::Wide)
}

/// A tensor of 8 bits with one zero point, 0 where it is left out.
fn operand(
    node: &Node<'_>,
    builder: &mut Builder,
    at: usize,
    zero_at: usize,
    operand: [&'static str; 2],
) -> Result<Operand, NodeFault> {
    let id = node.int(builder, at, operand[0])?;
    let zero = match node.optional(zero_at) {
        None => 0,
        Some(_) => match node.zero(zero_at, operand[1])? {
            (signed, zero) if signed == builder.signed(id) => zero,
            _ => return Err(NodeFault::Operand { operand: operand[1], reason: "must have its tensor's type" }),
        },
    };
    Ok(Operand { id, scale: 1.0, zero })
}

fn weights(node: &Node<'_>, at: usize, zero_at: usize, operand: [&'static str; 2]) -> Result<Weights, NodeFault> {
    let source = node.constant(at, operand[0])?.clone();
    let Data::Byte { signed, .. } = source.data else {
        return Err(NodeFault::Operand { operand: operand[0], reason: "must be uint8 or int8" });
    };
    let zeros = match node.optional(zero_at) {
        None => vec![0],
        Some(_) => match node.zeros(zero_at, operand[1])? {
            (of_zeros, zeros) if of_zeros == signed => zeros,
            _ => return Err(NodeFault::Operand { operand: operand[1], reason: "must have its tensor's type" }),
        },
    };
    Ok(Weights { source, scales: vec![1.0], zeros })
}

/// ArgMax(data) and ArgMin(data)
pub(super) fn arg(node: &Node<'_>, builder: &mut Builder, least: bool) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    let id = match node.value(0, "data")? {
        Value::Int(id) | Value::Wide(id) => *id,
        _ => settle(builder, node.real(0, "data")?, "data")?.id,
    };
    let keep = node.attributes.int("keepdims")?.unwrap_or(1) != 0;
    let last = node.attributes.int("select_last_index")?.unwrap_or(0) != 0;
    let mut dims = builder.dims(id).to_vec();
    let axis = axis_of(node.attributes.int("axis")?.unwrap_or(0), dims.len())?;
    let rows = if axis + 1 == dims.len() {
        id
    } else {
        let order: Vec<usize> = (0..dims.len()).filter(|&d| d != axis).chain([axis]).collect();
        builder.transpose(id, &order)?
    };
    let arg = Arg { ty: builder.ty(id), size: dims.remove(axis), least, last };
    let id = builder.push_as(Op::Arg(arg), vec![rows], ElementType::I64, dims.clone())?;
    if !keep {
        return Ok(Value::Wide(id));
    }
    dims.insert(axis, 1);
    builder.view(id, dims).map(Value::Wide)
}

/// Cast(input)
pub(super) fn cast(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    // Of float8 alone.
    node.attributes.int("saturate")?;
    let to = match node.attributes.int("to")?.and_then(|to| i32::try_from(to).ok()) {
        Some(data_type::FLOAT) => None,
        Some(data_type::UINT8) => Some(ElementType::U8),
        Some(data_type::INT8) => Some(ElementType::I8),
        Some(data_type::INT32) => Some(ElementType::I32),
        Some(data_type::INT64) => Some(ElementType::I64),
        _ => {
            let reason = "must be float, uint8, int8, int32 or int64";
            return Err(NodeFault::Attribute { attribute: "to".into(), reason });
        }
    };
    match (node.value(0, "input")?, to) {
        (Value::Int(id) | Value::Wide(id), Some(to)) => integers(builder, *id, to),
        (Value::Int(id), None) => Ok(Value::Real(Real { id: *id, scale: 1.0, zero: 0, clip: Clip::NONE })),
        (Value::Wide(id), None) => chain(builder, *id),
        (float @ (Value::Real(_) | Value::Curve(_) | Value::Pending(_) | Value::Chain(_)), None) => Ok(float.clone()),
        (Value::Constant(_) | Value::RealConstant(_), _) => {
            Err(NodeFault::Operand { operand: "input", reason: "is a constant; store it in the type that is wanted" })
        }
        _ => Err(NodeFault::Float),
    }
}

fn integers(builder: &mut Builder, id: ValueId, to: ElementType) -> Result<Value, NodeFault> {
    let from = builder.ty(id);
    let wide = |id| if to.width() > 1 { Value::Wide(id) } else { Value::Int(id) };
    if from == to {
        return Ok(wide(id));
    }
    let dims = builder.dims(id).to_vec();
    builder.push_as(Op::Cast(Cast { from, to }), vec![id], to, dims).map(wide)
}

/// The float values of 32-bit integers.
fn chain(builder: &Builder, id: ValueId) -> Result<Value, NodeFault> {
    if builder.ty(id) != ElementType::I32 {
        return Err(NodeFault::Operand { operand: "input", reason: "is of 64 bits; cast it to int32 first" });
    }
    Ok(Value::Chain(Arc::new(Chained { id, links: Vec::new(), reach: f64::from(1u32 << 31) })))
}

/// DequantizeLinear(x, x_scale, x_zero_point?) of 32-bit integers, along `axis` where there are several scales.
pub(super) fn dequantise(node: &Node<'_>, builder: &Builder, id: ValueId, axis: i64) -> Result<Value, NodeFault> {
    if node.optional(2).is_some() {
        let zero = matches!(&node.constant(2, "x_zero_point")?.data, Data::I32(zeros) if zeros.iter().all(|&z| z == 0));
        if !zero {
            return Err(NodeFault::Operand { operand: "x_zero_point", reason: "must be 0, of the type of x" });
        }
    }
    let scales = node.scales(1, "x_scale")?;
    let dims = builder.dims(id);
    let inner = match scales.len() {
        1 => 1,
        count => match axis_of(axis, dims.len())? {
            axis if dims[axis] == count => dims[axis + 1..].iter().product(),
            _ => {
                let reason = "must have one element per position of axis";
                return Err(NodeFault::Operand { operand: "x_scale", reason });
            }
        },
    };
    match chain(builder, id)? {
        Value::Chain(chained) => chained.then(ChainStep::Mul, scales, inner),
        other => Ok(other),
    }
}

/// Add, Sub, Mul and Div(A, B) where a side is a chain; the product of two float constants. None for anything else.
pub(super) fn binary(node: &Node<'_>, builder: &Builder, op: &str) -> Result<Option<Value>, NodeFault> {
    let (chained, other, turned) = match (node.value(0, "A")?, node.value(1, "B")?) {
        (Value::Constant(a), Value::Constant(b)) if op == "Mul" => return product(a, b).map(Some),
        (Value::Chain(chained), _) => (chained, 1, false),
        (_, Value::Chain(chained)) => (chained, 0, true),
        _ => return Ok(None),
    };
    let step = match (op, turned) {
        ("Add", _) => ChainStep::Add,
        ("Sub", false) => ChainStep::Sub,
        ("Sub", true) => ChainStep::SubFrom,
        ("Mul", _) => ChainStep::Mul,
        ("Div", false) => ChainStep::Div,
        _ => return Err(NodeFault::Operand { operand: "B", reason: "must not be computed, but a float constant" }),
    };
    let dims = match node.value(other, "B")? {
        Value::Constant(constant) => &constant.dims,
        Value::RealConstant(constant) => &constant.source.dims,
        _ => return Err(NodeFault::Operand { operand: "B", reason: "must be a float constant" }),
    };
    let values = node.floats(other, "B")?;
    let inner = along(dims, builder.dims(chained.id)).ok_or(NodeFault::Operand {
        operand: "B",
        reason: "must be one number, or a list along one dimension of the other side",
    })?;
    chained.then(step, values, inner).map(Some)
}

/// For a constant that is aligned at a tensor's last dimension, and has one element or one for each position of one
/// dimension: how many elements of the tensor lie between positions.
fn along(constant: &[usize], tensor: &[usize]) -> Option<usize> {
    let before = tensor.len().checked_sub(constant.len())?;
    let mut long = constant.iter().enumerate().filter(|(_, dim)| **dim != 1);
    match (long.next(), long.next()) {
        (None, _) => Some(1),
        (Some((at, dim)), None) if tensor[before + at] == *dim => Some(tensor[before + at + 1..].iter().product()),
        _ => None,
    }
}

/// The product of float constants, one of which is one number or has the other's shape.
fn product(a: &Constant, b: &Constant) -> Result<Value, NodeFault> {
    let (Data::F32(left), Data::F32(right)) = (&a.data, &b.data) else {
        return Err(NodeFault::Operand { operand: "A", reason: "must be float where both sides are constants" });
    };
    let dims = if left.len() == 1 { &b.dims } else { &a.dims };
    if !(left.len() == 1 || right.len() == 1 || a.dims == b.dims) || left.is_empty() || right.is_empty() {
        return Err(shape("constants must have the same shape, or one of them one element", &b.dims));
    }
    let count = left.len().max(right.len());
    let data = (0..count).map(|at| left[at % left.len()] * right[at % right.len()]).collect();
    Ok(Value::Constant(Arc::new(Constant { dims: dims.clone(), data: Data::F32(data) })))
}

/// Relu or Clip of a chain.
pub(super) fn clip(chained: &Chained, clip: Clip) -> Result<Value, NodeFault> {
    let mut links = chained.links.clone();
    for (step, bound) in [(ChainStep::Least, clip.low), (ChainStep::Most, clip.high)] {
        if bound.is_finite() {
            links.push(Link { step, values: vec![bound], inner: 1 });
        }
    }
    let bound = |bound: f32| if bound.is_finite() { f64::from(bound.abs()) } else { 0.0 };
    let reach = chained.reach.max(bound(clip.low)).max(bound(clip.high));
    Ok(Value::Chain(Arc::new(Chained { links, reach, ..*chained })))
}

/// QuantizeLinear of a chain.
pub(super) fn quantise(chained: &Chained, builder: &mut Builder, y: Target) -> Result<ValueId, NodeFault> {
    let dims = builder.dims(chained.id).to_vec();
    let chain = Chain { links: chained.links.clone(), scale: y.scale, range: y.range };
    builder.push(Op::Chain(chain), vec![chained.id], y.signed, dims)
}

impl Chained {
    /// The chain with one more operation.
    fn then(&self, step: ChainStep, values: Vec<f32>, inner: usize) -> Result<Value, NodeFault> {
        let fault = |reason| Err(NodeFault::Operand { operand: "B", reason });
        let sizes = || values.iter().map(|value| f64::from(value.abs()));
        let (least, most) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
        let reach = match step {
            ChainStep::Mul => self.reach * most,
            ChainStep::Div if least < f64::from(formula::SCALE_MIN) => {
                return fault("must not be 0 or next to it");
            }
            ChainStep::Div => self.reach / least,
            _ => self.reach + most,
        };
        if reach > REACH_MAX {
            return fault("makes results larger than 2^120");
        }
        let mut links = self.links.clone();
        links.push(Link { step, values, inner });
        Ok(Value::Chain(Arc::new(Self { id: self.id, links, reach })))
    }

    /// The one scale that its integers have, if they were multiplied by it and nothing else was done.
    pub(super) fn scale(&self) -> Option<f32> {
        match &self.links[..] {
            [Link { step: ChainStep::Mul, values, .. }] if values.len() == 1 => formula::scale("scale", values[0]).ok(),
            _ => None,
        }
    }

    /// Whether each of its operations is the same for all elements.
    pub(super) fn is_even(&self) -> bool {
        self.links.iter().all(|link| link.values.len() == 1)
    }
}

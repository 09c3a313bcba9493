//! Quantised graphs in float clothes: operators between DequantizeLinear and QuantizeLinear.
//!
//! DequantizeLinear computes nothing here: it says what integers stand for. A float operator on such values waits
//! ([`Value::Pending`]), gathers Relu and Clip on its way, and becomes one integer operation at the QuantizeLinear
//! that ends it. What does not end in one is float, and refused where it is needed.

use std::sync::Arc;

use super::{
    ImageInput,
    builder::Builder,
    compute::{Compute, axis_of},
    curve,
    node::{Node, WIDE, settle},
    qoperator, rows,
    value::{Clip, Curve, Pending, Real, RealConstant, Target, Value},
    wide,
};
use crate::{
    error::{NodeFault, Site},
    formula::{self, Range},
    ir::{ChannelTable, Op},
    onnx::constant::{Constant, Data, data_type},
};

/// A fault, and the node to blame where it is not the one that is looked at.
pub(super) struct Blamed {
    pub(super) site: Option<Site>,
    pub(super) fault: NodeFault,
}

impl From<NodeFault> for Blamed {
    fn from(fault: NodeFault) -> Self {
        Self { site: None, fault }
    }
}

/// DequantizeLinear(x, x_scale, x_zero_point?)
pub(super) fn dequantise(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(3)?;
    let axis = axis_attributes(node)?;
    let scales = node.scales(1, "x_scale")?;
    if let Value::Constant(source) = node.value(0, "x")? {
        let zeros = match (&source.data, node.optional(2)) {
            (Data::Byte { .. } | Data::I32(_), None) => vec![0],
            (Data::Byte { signed, .. }, Some(_)) => match node.zeros(2, "x_zero_point")? {
                (zero_signed, zeros) if zero_signed == *signed => zeros,
                _ => return Err(NodeFault::Operand { operand: "x_zero_point", reason: "must have the type of x" }),
            },
            (Data::I32(_), Some(_)) => match &node.constant(2, "x_zero_point")?.data {
                Data::I32(zeros) if !zeros.is_empty() => zeros.clone(),
                _ => return Err(NodeFault::Operand { operand: "x_zero_point", reason: "must have the type of x" }),
            },
            _ => return Err(NodeFault::Operand { operand: "x", reason: "must be uint8, int8 or int32" }),
        };
        let rank = source.dims.len();
        let axis = if scales.len() > 1 { axis_of(axis, rank)? } else { 0 };
        let along = if scales.len() > 1 { source.dims[axis] } else { 1 };
        if scales.len() != along || (zeros.len() != 1 && zeros.len() != along) {
            return Err(NodeFault::Operand {
                operand: "x_scale",
                reason: "must have one element per position of axis",
            });
        }
        builder.hold(4 * (scales.len() + zeros.len()) as u64)?;
        return Ok(Value::RealConstant(Arc::new(RealConstant { source: source.clone(), scales, zeros, axis })));
    }
    if let Value::Wide(id) = *node.value(0, "x")? {
        return wide::dequantise(node, builder, id, axis);
    }
    let Value::Int(id) = *node.value(0, "x")? else {
        return Err(NodeFault::Operand { operand: "x", reason: "must be quantised, and is float" });
    };
    if node.scales(1, "x_scale")?.len() > 1 {
        return by_channel(node, builder, id, axis);
    }
    let scale = node.scale(1, "x_scale")?;
    let zero = match node.optional(2) {
        None => 0,
        Some(_) => {
            let (signed, zero) = node.zero(2, "x_zero_point")?;
            if signed != builder.signed(id) {
                return Err(NodeFault::Operand { operand: "x_zero_point", reason: "must have the type of x" });
            }
            zero
        }
    };
    Ok(Value::Real(Real { id, scale, zero, clip: Clip::NONE }))
}

/// DequantizeLinear of a tensor whose channels have scales of their own.
fn by_channel(node: &Node<'_>, builder: &mut Builder, id: usize, axis: i64) -> Result<Value, NodeFault> {
    let (scales, signed) = (node.scales(1, "x_scale")?, builder.signed(id));
    let zeros = match node.optional(2) {
        None => vec![0],
        Some(_) => match node.zeros(2, "x_zero_point")? {
            (of_zeros, zeros) if of_zeros == signed => zeros,
            _ => return Err(NodeFault::Operand { operand: "x_zero_point", reason: "must have the type of x" }),
        },
    };
    let dims = builder.dims(id);
    if axis_of(axis, dims.len())? != 1 || dims[1] != scales.len() || ![1, scales.len()].contains(&zeros.len()) {
        let reason = "must be one number, or one for each channel (dimension 1)";
        return Err(NodeFault::Operand { operand: "x_scale", reason });
    }
    builder.hold(scales.len() as u64 * 1024)?;
    let reals =
        scales.iter().enumerate().map(|(channel, &scale)| *formula::reals(signed, scale, zeros[channel % zeros.len()]));
    Ok(Value::Curve(Arc::new(Curve { id, reals: reals.collect() })))
}

/// QuantizeLinear(x, y_scale, y_zero_point?)
pub(super) fn quantise(node: &Node<'_>, builder: &mut Builder, image: &ImageInput) -> Result<Value, Blamed> {
    node.at_most(3)?;
    let axis = axis_attributes(node)?;
    let signed = match node.attributes.int("output_dtype")?.unwrap_or(0) {
        0 => None,
        given if given == i64::from(data_type::UINT8) => Some(false),
        given if given == i64::from(data_type::INT8) => Some(true),
        _ => {
            let attribute = "output_dtype".into();
            return Err(NodeFault::Attribute { attribute, reason: "must be uint8 or int8" }.into());
        }
    };
    let (of_zero, zeros) = match node.optional(2) {
        Some(_) => node.zeros(2, "y_zero_point")?,
        None => (signed.unwrap_or(false), vec![0]),
    };
    if signed.is_some_and(|signed| signed != of_zero) {
        return Err(NodeFault::Operand { operand: "y_zero_point", reason: "must have the type of output_dtype" }.into());
    }
    let value = node.value(0, "x")?;
    if let Value::Constant(constant) = value {
        let scales = node.scales(1, "y_scale")?;
        builder.hold(constant.dims.iter().product::<usize>() as u64)?;
        return Ok(Value::Constant(Arc::new(quantise_constant(constant, &scales, of_zero, &zeros, axis)?)));
    }
    let scale = node.scale(1, "y_scale")?;
    let &[zero] = &zeros[..] else {
        return Err(NodeFault::Operand { operand: "y_zero_point", reason: "must be one number" }.into());
    };
    let target = Target::new(of_zero, scale, zero);
    let id = match value {
        Value::Image => {
            let tables = image.channels.iter();
            let tables = tables.map(|one| formula::image_table(one.mean, one.deviation, scale, target.range)).collect();
            let dims = builder.dims(image.id).to_vec();
            let op = Op::ChannelTable(ChannelTable { tables, inner: image.inner });
            builder.push(op, vec![image.id], of_zero, dims)?
        }
        Value::Real(real) => builder.quantise(*real, target)?,
        Value::Curve(curve) => builder.curve(curve, target)?,
        Value::Pending(Pending { site, compute, clip }) => {
            builder.site = Arc::new(site.clone());
            compute.emit(builder, target.clipped(*clip)).map_err(|fault| Blamed { site: Some(site.clone()), fault })?
        }
        Value::Chain(chained) => wide::quantise(chained, builder, target)?,
        Value::Int(_) | Value::Wide(_) | Value::Constant(_) | Value::RealConstant(_) => {
            return Err(NodeFault::Operand { operand: "x", reason: "must be float, and not a constant" }.into());
        }
    };
    Ok(Value::Int(id))
}

/// Weights that are still float in the file, quantised by the same formula.
fn quantise_constant(
    constant: &Constant,
    scales: &[f32],
    signed: bool,
    zeros: &[i32],
    axis: i64,
) -> Result<Constant, NodeFault> {
    let Data::F32(values) = &constant.data else {
        return Err(NodeFault::Operand { operand: "x", reason: "must be float" });
    };
    let dims = constant.dims.clone();
    let (along, inner) = if scales.len() > 1 {
        let axis = axis_of(axis, dims.len())?;
        (dims[axis], dims[axis + 1..].iter().product::<usize>())
    } else {
        (1, values.len())
    };
    if scales.len() != along || (zeros.len() != 1 && zeros.len() != along) {
        return Err(NodeFault::Operand { operand: "y_scale", reason: "must have one element per position of axis" });
    }
    if values.iter().any(|value| !value.is_finite()) {
        return Err(NodeFault::Operand { operand: "x", reason: "must be finite" });
    }
    let mut bytes = Vec::with_capacity(values.len());
    for (run, &scale) in values.chunks(inner.max(1)).zip(scales.iter().cycle()) {
        let row = (bytes.len() / inner.max(1)) % along;
        let range = Range::of(signed, zeros.get(row).or(zeros.first()).copied().unwrap_or(0));
        bytes.extend(run.iter().map(|&value| formula::byte(formula::quantise(value, scale, range))));
    }
    Ok(Constant { dims, data: Data::Byte { signed, bytes } })
}

fn axis_attributes(node: &Node<'_>) -> Result<i64, NodeFault> {
    node.attributes.only("block_size", 0, "must be 0")?;
    node.attributes.only("saturate", 1, "must be 1")?;
    Ok(node.attributes.int("axis")?.unwrap_or(1))
}

/// Conv(X, W, B?)
pub(super) fn conv(node: &Node<'_>, builder: &mut Builder, site: Site) -> Result<Value, NodeFault> {
    node.at_most(3)?;
    let x = node.operand(builder, 0, "X")?;
    let weights = node.real_weights(1, 0)?;
    let bias = node.real_bias(2, x.scale, &weights)?;
    Ok(pending(site, qoperator::conv_of(node, builder, x, weights, bias)?))
}

/// Gemm(A, B, C?)
pub(super) fn gemm(node: &Node<'_>, builder: &mut Builder, site: Site) -> Result<Value, NodeFault> {
    node.at_most(3)?;
    let transposed = qoperator::gemm_attributes(node, true)?;
    let x = node.operand(builder, 0, "A")?;
    let x = qoperator::left(node, builder, x)?;
    let weights = node.real_weights(1, usize::from(!transposed))?;
    let bias = node.real_bias(2, x.scale, &weights)?;
    Ok(pending(site, Compute::matmul(builder, x, weights, bias, transposed)?))
}

/// MatMul(A, B)
pub(super) fn matmul(node: &Node<'_>, builder: &mut Builder, site: Site) -> Result<Value, NodeFault> {
    node.at_most(2)?;
    let x = node.operand(builder, 0, "A")?;
    if !qoperator::is_matrix(node.value(1, "B")?) {
        let b = node.operand(builder, 1, "B")?;
        return Ok(pending(site, Compute::product(builder, x, b)?));
    }
    let weights = node.real_weights(1, 1)?;
    Ok(pending(site, Compute::matmul(builder, x, weights, Vec::new(), false)?))
}

/// Add, Sub, Mul and Div(A, B): of two tensors the first and the third, of one tensor and numbers all.
pub(super) fn binary(node: &Node<'_>, builder: &mut Builder, site: Site) -> Result<Value, NodeFault> {
    node.at_most(2)?;
    let function: fn(f32, f32) -> f32 = match site.op.as_str() {
        "Add" => |a, b| a + b,
        "Sub" => |a, b| a - b,
        "Mul" => |a, b| a * b,
        _ => |a, b| a / b,
    };
    for (index, operand) in [(0, "A"), (1, "B")] {
        if matches!(node.value(index, operand)?, Value::Wide(_)) {
            return Err(NodeFault::Operand { operand, reason: WIDE });
        }
    }
    if let Some(value) = wide::binary(node, builder, &site.op)? {
        return Ok(value);
    }
    if let Some(value) = curve::binary(node, builder, function)? {
        return Ok(value);
    }
    let (a, b) = (node.operand(builder, 0, "A")?, node.operand(builder, 1, "B")?);
    let compute = match site.op.as_str() {
        "Add" => Compute::add(builder, a, b)?,
        "Mul" => Compute::mul(builder, a, b)?,
        _ => return Err(NodeFault::Operand { operand: "B", reason: "must be a float constant" }),
    };
    Ok(pending(site, compute))
}

/// Softmax(input)
pub(super) fn softmax(node: &Node<'_>, builder: &mut Builder, site: Site) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    let x = node.operand(builder, 0, "input")?;
    Ok(pending(site, rows::softmax(node, builder, x, node.opset)?))
}

/// AveragePool(X)
pub(super) fn average_pool(node: &Node<'_>, builder: &mut Builder, site: Site) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    let x = curve::curve(node, builder, 0)?;
    Ok(pending(site, qoperator::average_pool_of(node, builder, &x)?))
}

/// GlobalAveragePool(X)
pub(super) fn global_average_pool(node: &Node<'_>, builder: &mut Builder, site: Site) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    if let Value::Curve(x) = node.value(0, "X")? {
        return Ok(pending(site, Compute::mean_of(builder, x)?));
    }
    let x = node.operand(builder, 0, "X")?;
    Ok(pending(site, Compute::global_average_pool(builder, x)?))
}

/// Concat of dequantised tensors, whose scales may differ.
pub(super) fn concat(node: &Node<'_>, builder: &mut Builder, axis: i64, site: Site) -> Result<Value, NodeFault> {
    let inputs = (0..node.count()).map(|at| node.operand(builder, at, "inputs")).collect::<Result<_, _>>()?;
    Ok(pending(site, Compute::concat(builder, inputs, axis)?))
}

/// Relu or Clip of floats.
pub(super) fn clip(value: &Value, builder: &Builder, next: Clip) -> Result<Value, NodeFault> {
    match value {
        Value::Real(real) => Ok(Value::Real(Real { clip: real.clip.then(next), ..*real })),
        Value::Curve(of) => curve::clip(of, builder, next),
        Value::Chain(of) => wide::clip(of, next),
        Value::Wide(_) => Err(NodeFault::Operand { operand: "input", reason: WIDE }),
        Value::Pending(pending) => Ok(Value::Pending(Pending { clip: pending.clip.then(next), ..pending.clone() })),
        _ => Err(NodeFault::Float),
    }
}

/// An output of the graph: integers, and what they stand for.
pub(super) fn output(value: &Value, builder: &mut Builder) -> Option<(usize, Option<(f32, i32)>)> {
    match value {
        Value::Int(id) | Value::Wide(id) => Some((*id, None)),
        Value::Chain(chained) => Some((chained.id, Some((chained.scale()?, 0)))),
        Value::Real(real) => {
            let settled = settle(builder, *real, "output").ok()?;
            Some((settled.id, Some((settled.scale, settled.zero))))
        }
        _ => None,
    }
}

pub(super) fn pending(site: Site, compute: Compute) -> Value {
    Value::Pending(Pending { site, compute: Arc::new(compute), clip: Clip::NONE })
}

//! Operators that keep values and change shapes, or pick among values: they run on integers and dequantised integers
//! alike, because what an integer stands for does not change.

use std::sync::Arc;

use super::{
    builder::Builder,
    compute::{Compute, axis_of, shape},
    node::{Node, WIDE, settle},
    pick, qdq,
    value::{Chained, Clip, Operand, Pending, Real, Value},
    window,
};
use crate::{
    error::{NodeFault, Site},
    formula::{self, Range},
    ir::{MaxPool, Op, Pad, ValueId},
    onnx::constant::Data,
};

/// Runs `op` on the integers below input 0, and gives its result the same meaning. A float result is moved once it is
/// integers.
pub(super) fn moved(
    node: &Node<'_>,
    builder: &mut Builder,
    op: impl Fn(&mut Builder, ValueId) -> Result<ValueId, NodeFault> + Send + Sync + 'static,
) -> Result<Value, NodeFault> {
    match node.value(0, "input")? {
        Value::Pending(Pending { site, compute, clip }) => {
            compute.may_be_moved()?;
            let compute = Arc::new(Compute::Moved { inner: compute.clone(), moved: Box::new(op) });
            Ok(Value::Pending(Pending { site: site.clone(), compute, clip: *clip }))
        }
        _ => through(node, builder, op),
    }
}

/// The same where it is to be done at once.
pub(super) fn through(
    node: &Node<'_>,
    builder: &mut Builder,
    op: impl FnOnce(&mut Builder, ValueId) -> Result<ValueId, NodeFault>,
) -> Result<Value, NodeFault> {
    match node.value(0, "input")? {
        Value::Int(id) => return op(builder, *id).map(Value::Int),
        Value::Wide(id) => return op(builder, *id).map(Value::Wide),
        Value::Chain(chained) if chained.is_even() => {
            let (id, links) = (op(builder, chained.id)?, chained.links.clone());
            return Ok(Value::Chain(Arc::new(Chained { id, links, ..**chained })));
        }
        _ => (),
    }
    if let Value::Curve(curve) = node.value(0, "input")? {
        return pick::curve(curve, builder, op);
    }
    let real = node.real(0, "input")?;
    Ok(Value::Real(Real { id: op(builder, real.id)?, ..real }))
}

/// Reshape(data, shape)
pub(super) fn reshape(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(2)?;
    let wanted = node.list(1, "shape")?.to_vec();
    let literal = node.attributes.int("allowzero")?.unwrap_or(0) != 0;
    moved(node, builder, move |builder, id| {
        let given = builder.dims(id);
        let fault = || shape("the shape does not fit the tensor's", given);
        let mut dims = Vec::with_capacity(wanted.len());
        let mut open = None;
        for (at, &dim) in wanted.iter().enumerate() {
            dims.push(match dim {
                -1 if open.is_none() => {
                    open = Some(at);
                    1
                }
                0 if !literal => given.get(at).copied().ok_or_else(fault)?,
                dim => usize::try_from(dim).map_err(|_| fault())?,
            });
        }
        if let Some(at) = open {
            let known = dims.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim)).filter(|&count| count > 0);
            dims[at] = given.iter().product::<usize>() / known.ok_or_else(fault)?;
        }
        builder.view(id, dims)
    })
}

/// Flatten(input)
pub(super) fn flatten(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    let axis = node.attributes.int("axis")?.unwrap_or(1);
    moved(node, builder, move |builder, id| {
        let dims = builder.dims(id);
        // The axis may also be the end.
        let axis = if axis == dims.len() as i64 { dims.len() } else { axis_of(axis, dims.len())? };
        let (outer, inner) = dims.split_at(axis);
        let dims = vec![outer.iter().product(), inner.iter().product()];
        builder.view(id, dims)
    })
}

/// Transpose(data)
pub(super) fn transpose(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    let perm = node.attributes.ints("perm")?;
    moved(node, builder, move |builder, id| {
        let given = builder.dims(id).to_vec();
        let perm = perm.clone().unwrap_or_else(|| (0..given.len() as i64).rev().collect());
        let mut sorted = perm.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..given.len() as i64) {
            return Err(NodeFault::Attribute { attribute: "perm".into(), reason: "must name each dimension once" });
        }
        let order: Vec<usize> = perm.into_iter().filter_map(|d| usize::try_from(d).ok()).collect();
        builder.transpose(id, &order)
    })
}

/// MaxPool(X)
pub(super) fn max_pool(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    node.attributes.only("storage_order", 0, "must be 0")?;
    through(node, builder, |builder, id| {
        if builder.ty(id).width() > 1 {
            return Err(NodeFault::Operand { operand: "X", reason: WIDE });
        }
        let (window, _) = window::pool_window(node, builder.dims(id))?;
        let &[_, channels, ..] = builder.dims(id) else {
            return Err(shape("pools are of planes or signals", builder.dims(id)));
        };
        let (signed, dims) = (builder.signed(id), window::output(builder.dims(id), channels, &window));
        builder.push(Op::MaxPool(MaxPool { signed, channels, window }), vec![id], signed, dims)
    })
}

/// Concat(inputs…)
pub(super) fn concat(node: &Node<'_>, builder: &mut Builder, site: Site) -> Result<Value, NodeFault> {
    let axis = node.attributes.int("axis")?;
    let axis = axis.ok_or(NodeFault::Attribute { attribute: "axis".into(), reason: "is left out" })?;
    let wide = matches!(node.value(0, "inputs")?, Value::Wide(_));
    // A constant may stand before integers.
    let integers = |at| matches!(node.optional(at), Some(Value::Int(_) | Value::Wide(_)));
    if !(0..node.count()).any(integers) {
        return qdq::concat(node, builder, axis, site);
    }
    let input = |at| match node.value(at, "inputs")? {
        Value::Wide(id) => Ok(*id),
        _ => node.int(builder, at, "inputs"),
    };
    let inputs: Vec<Operand> = (0..node.count())
        .map(input)
        .map(|id| id.map(|id| Operand { id, scale: 1.0, zero: 0 }))
        .collect::<Result<_, NodeFault>>()?;
    // The shapes are checked there; integers are joined as they are.
    Compute::concat(builder, inputs.clone(), axis)?;
    let ids: Vec<ValueId> = inputs.iter().map(|input| input.id).collect();
    let axis = axis_of(axis, ids.first().map_or(0, |&id| builder.dims(id).len()))?;
    builder.concat(&ids, axis).map(if wide { Value::Wide } else { Value::Int })
}

/// Pad(data, pads, value?, axes?); before operator set 11 with attributes.
pub(super) fn pad(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(4)?;
    let mode = node.attributes.text("mode")?.unwrap_or("constant");
    let (pads, value) = if node.opset < 11 {
        (node.attributes.ints("pads")?.unwrap_or_default(), node.attributes.float("value")?)
    } else {
        (node.list(1, "pads")?.to_vec(), None)
    };
    if mode != "constant" {
        return pick::pad(node, builder, mode, pads);
    }
    let (id, fill, real) = match node.value(0, "data")? {
        Value::Int(id) => {
            let fill = match node.optional(2) {
                None => 0,
                Some(Value::Constant(constant)) => match &constant.data {
                    Data::Byte { signed, bytes } if *signed == builder.signed(*id) && bytes.len() == 1 => bytes[0],
                    _ => return Err(NodeFault::Operand { operand: "constant_value", reason: "must have data's type" }),
                },
                Some(_) => return Err(NodeFault::Operand { operand: "constant_value", reason: "must be a constant" }),
            };
            (*id, fill, None)
        }
        _ => {
            let settled = settle(builder, node.real(0, "data")?, "data")?;
            let value = node.number(2, "constant_value")?.or(value).unwrap_or(0.0);
            let range = Range::of(builder.signed(settled.id), settled.zero);
            let q = formula::quantise(value, settled.scale, range);
            if (formula::dequantise(q, settled.scale, settled.zero) - value).abs() != 0.0 {
                return Err(NodeFault::Operand { operand: "constant_value", reason: "must be a step of data's scale" });
            }
            (settled.id, formula::byte(q), Some(settled))
        }
    };
    let id = pad_bytes(node, builder, id, &pads, fill)?;
    Ok(match real {
        None => Value::Int(id),
        Some(Operand { scale, zero, .. }) => Value::Real(Real { id, scale, zero, clip: Clip::NONE }),
    })
}

fn pad_bytes(
    node: &Node<'_>,
    builder: &mut Builder,
    id: ValueId,
    pads: &[i64],
    fill: u8,
) -> Result<ValueId, NodeFault> {
    let input = builder.dims(id).to_vec();
    let axes = node.optional(3).map(|_| node.list(3, "axes")).transpose()?;
    let (mut output, mut begin) = (input.clone(), vec![0; input.len()]);
    for (axis, [before, after]) in padding(&input, pads, axes)? {
        begin[axis] += before;
        output[axis] += before + after;
    }
    let signed = builder.signed(id);
    let op = Op::Pad(Pad { input, output: output.clone(), begin, fill });
    builder.push(op, vec![id], signed, output)
}

/// How much is put before and behind which dimension.
pub(super) fn padding(
    input: &[usize],
    pads: &[i64],
    axes: Option<&[i64]>,
) -> Result<Vec<(usize, [usize; 2])>, NodeFault> {
    let axes: Vec<usize> = match axes {
        Some(axes) => axes.iter().map(|&axis| axis_of(axis, input.len())).collect::<Result<_, _>>()?,
        None => (0..input.len()).collect(),
    };
    let fault = NodeFault::Operand { operand: "pads", reason: "must be two counts per axis, none negative or large" };
    if pads.len() != 2 * axes.len() {
        return Err(fault);
    }
    let (before, after) = pads.split_at(axes.len());
    let count = |&pad: &i64| u16::try_from(pad).ok().map(usize::from);
    let sides: Option<Vec<_>> =
        before.iter().zip(after).map(|(before, after)| Some([count(before)?, count(after)?])).collect();
    Ok(axes.into_iter().zip(sides.ok_or(fault)?).collect())
}

/// Relu(X)
pub(super) fn relu(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    match node.value(0, "X")? {
        Value::Int(id) if builder.signed(*id) => builder.clamp(*id, 0, i32::MAX).map(Value::Int),
        Value::Int(_) => Err(NodeFault::Operand { operand: "X", reason: "must be int8 or dequantised" }),
        value => qdq::clip(value, builder, Clip { low: 0.0, high: f32::INFINITY }),
    }
}

/// Clip(input, min?, max?); before operator set 11 with attributes.
pub(super) fn clip(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(3)?;
    let value = node.value(0, "input")?;
    if let Value::Int(id) = value {
        let signed = builder.signed(*id);
        let bound = |index, operand, open| match node.optional(index) {
            None => Ok(open),
            Some(_) => match node.zero(index, operand)? {
                (of_bound, bound) if of_bound == signed => Ok(bound),
                _ => Err(NodeFault::Operand { operand, reason: "must have the input's type" }),
            },
        };
        let (lo, hi) = formula::limits(signed);
        let (lo, hi) = (bound(1, "min", lo)?, bound(2, "max", hi)?);
        return builder.clamp(*id, lo.min(hi), hi).map(Value::Int);
    }
    let (low, high) = if node.opset < 11 {
        (node.attributes.float("min")?, node.attributes.float("max")?)
    } else {
        (node.number(1, "min")?, node.number(2, "max")?)
    };
    let clip = Clip { low: low.unwrap_or(f32::NEG_INFINITY), high: high.unwrap_or(f32::INFINITY) };
    if clip.low > clip.high {
        return Err(NodeFault::Operand { operand: "min", reason: "must not be above max" });
    }
    qdq::clip(value, builder, clip)
}

//! Softmax, LayerNormalization and ReduceMean: what looks at a whole row, or at all of some dimensions.

use super::{
    builder::Builder,
    compute::{Compute, Rows, axis_of, shape},
    node::Node,
    value::Operand,
};
use crate::{error::NodeFault, ir::ValueId};

/// Softmax(input): along one dimension, or before operator set 13 along all from it on.
pub(super) fn softmax(node: &Node<'_>, builder: &mut Builder, x: Operand, opset: i64) -> Result<Compute, NodeFault> {
    let rank = builder.dims(x.id).len();
    let axis = node.attributes.int("axis")?.unwrap_or(if opset < 13 { 1 } else { -1 });
    let axis = axis_of(axis, rank)?;
    if opset < 13 { from(builder, x, axis, Rows::Softmax) } else { along(builder, x, axis, Rows::Softmax) }
}

/// LayerNormalization(X, Scale, B?): over all dimensions from one on.
pub(super) fn layer_normalization(node: &Node<'_>, builder: &mut Builder) -> Result<Compute, NodeFault> {
    node.at_most(3)?;
    node.attributes.only("stash_type", 1, "must be 1")?;
    let epsilon = node.attributes.float("epsilon")?.unwrap_or(1e-5);
    if !(epsilon > 0.0 && epsilon <= 1.0) {
        return Err(NodeFault::Attribute { attribute: "epsilon".into(), reason: "must be above 0 and at most 1" });
    }
    let x = node.operand(builder, 0, "X")?;
    let axis = axis_of(node.attributes.int("axis")?.unwrap_or(-1), builder.dims(x.id).len())?;
    let size: usize = builder.dims(x.id)[axis..].iter().product();
    let gamma = node.floats(1, "Scale")?;
    let beta = if node.optional(2).is_some() { node.floats(2, "B")? } else { vec![0.0; gamma.len()] };
    if gamma.len() != size || beta.len() != size {
        return Err(shape("Scale and B must have an element for each that is normalised together", &[gamma.len()]));
    }
    from(builder, x, axis, Rows::Normalise { gamma, beta, epsilon })
}

/// Rows of all dimensions from `axis` on.
fn from(builder: &mut Builder, x: Operand, axis: usize, rows: Rows) -> Result<Compute, NodeFault> {
    let dims = builder.dims(x.id).to_vec();
    let (outer, inner) = dims.split_at(axis);
    if inner.len() == 1 {
        return Ok(Compute::Rows { x, rows });
    }
    let id = builder.view(x.id, vec![outer.iter().product(), inner.iter().product()])?;
    let whole = Compute::Rows { x: Operand { id, ..x }, rows };
    Ok(whole.then(move |builder, id| builder.view(id, dims.clone())))
}

/// Rows along one dimension, which is brought to the end and back.
fn along(builder: &mut Builder, x: Operand, axis: usize, rows: Rows) -> Result<Compute, NodeFault> {
    let rank = builder.dims(x.id).len();
    if axis + 1 == rank {
        return Ok(Compute::Rows { x, rows });
    }
    let order: Vec<usize> = (0..rank).filter(|&d| d != axis).chain([axis]).collect();
    let id = builder.transpose(x.id, &order)?;
    let back: Vec<usize> = (0..rank).map(|d| order.iter().position(|&from| from == d).unwrap_or(d)).collect();
    let whole = Compute::Rows { x: Operand { id, ..x }, rows };
    Ok(whole.then(move |builder, id| builder.transpose(id, &back)))
}

/// ReduceMean(data, axes?); before operator set 18 with attributes.
pub(super) fn reduce_mean(node: &Node<'_>, builder: &mut Builder) -> Result<Compute, NodeFault> {
    node.at_most(2)?;
    let x = node.operand(builder, 0, "data")?;
    let dims = builder.dims(x.id).to_vec();
    let given = if node.opset < 18 {
        node.attributes.ints("axes")?
    } else {
        node.attributes.only("noop_with_empty_axes", 0, "must be 0")?;
        node.optional(1).map(|_| node.list(1, "axes").map(<[i64]>::to_vec)).transpose()?
    };
    let keep = node.attributes.int("keepdims")?.unwrap_or(1) != 0;
    let axes = match given.filter(|axes| !axes.is_empty()) {
        None => (0..dims.len()).collect(),
        Some(axes) => axes.into_iter().map(|axis| axis_of(axis, dims.len())).collect::<Result<Vec<_>, _>>()?,
    };
    let (reduced, kept): (Vec<usize>, Vec<usize>) = (0..dims.len()).partition(|d| axes.contains(d));
    let [size, count]: [usize; 2] = [&reduced, &kept].map(|of| of.iter().map(|&d| dims[d]).product());
    let result = (0..dims.len()).filter(|d| keep || kept.contains(d));
    let result: Vec<usize> = result.map(|d| if reduced.contains(&d) { 1 } else { dims[d] }).collect();
    let order: Vec<usize> = kept.into_iter().chain(reduced).collect();
    let id = if order.iter().copied().eq(0..dims.len()) { x.id } else { builder.transpose(x.id, &order)? };
    let id = builder.view(id, vec![1, count, size])?;
    let mean = Compute::global_average_pool(builder, Operand { id, ..x })?;
    Ok(mean.then(move |builder: &mut Builder, id: ValueId| builder.view(id, result.clone())))
}

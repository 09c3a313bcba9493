//! Slice, Split, Gather, Expand, Squeeze, Unsqueeze, DepthToSpace and SpaceToDepth: bytes taken from where they are.

use super::{
    builder::{Builder, check_places},
    compute::{axis_of, shape},
    layout::{moved, padding, through},
    node::Node,
    value::{Curve, Real, Value},
};
use crate::{error::NodeFault, ir::ValueId, onnx::constant::Data};

/// Most positions that one constant may name.
const PLACES_MAX: usize = 1 << 16;

fn whole(dims: &[usize]) -> Result<Vec<Vec<usize>>, NodeFault> {
    check_places(dims)?;
    Ok(dims.iter().map(|&dim| (0..dim).collect()).collect())
}

/// Slice(data, starts, ends, axes?, steps?)
pub(super) fn slice(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(5)?;
    let (starts, ends) = (node.list(1, "starts")?.to_vec(), node.list(2, "ends")?.to_vec());
    let list = |at, operand| node.optional(at).map(|_| node.list(at, operand).map(<[i64]>::to_vec)).transpose();
    let (axes, steps) = (list(3, "axes")?, list(4, "steps")?);
    moved(node, builder, move |builder, id| {
        let dims = builder.dims(id).to_vec();
        let axes = match &axes {
            Some(axes) => axes.iter().map(|&axis| axis_of(axis, dims.len())).collect::<Result<Vec<_>, _>>()?,
            None => (0..starts.len().min(dims.len())).collect(),
        };
        let given = [starts.len(), ends.len(), steps.as_ref().map_or(axes.len(), Vec::len)];
        if given != [axes.len(); 3] {
            return Err(NodeFault::Operand { operand: "starts", reason: "must be as many as ends, axes and steps" });
        }
        let mut places = whole(&dims)?;
        for (at, &axis) in axes.iter().enumerate() {
            let step = steps.as_ref().map_or(1, |steps| steps[at]);
            places[axis] = range(dims[axis], starts[at], ends[at], step)
                .ok_or_else(|| shape("the slice takes nothing, or its step is 0", &dims))?;
        }
        builder.pick(id, places)
    })
}

/// The positions of a slice, if there is one at least.
fn range(dim: usize, start: i64, end: i64, step: i64) -> Option<Vec<usize>> {
    let dim = i64::try_from(dim).ok()?;
    let from_end = |at: i64| if at < 0 { at.saturating_add(dim) } else { at };
    let (start, end) = (from_end(start), from_end(end));
    let places: Vec<usize> = if step > 0 {
        let (start, end) = (start.clamp(0, dim), end.clamp(0, dim));
        let by = usize::try_from(step).ok()?;
        (start..end).step_by(by).filter_map(|at| usize::try_from(at).ok()).collect()
    } else {
        let (start, end) = (start.clamp(-1, dim - 1), end.clamp(-1, dim - 1));
        let by = usize::try_from(step.checked_neg().filter(|by| *by > 0)?).ok()?;
        (end + 1..=start).rev().step_by(by).filter_map(|at| usize::try_from(at).ok()).collect()
    };
    Some(places).filter(|places| !places.is_empty())
}

/// Pad(data, pads, value?, axes?) with numbers that are there already.
pub(super) fn pad(node: &Node<'_>, builder: &mut Builder, mode: &str, pads: Vec<i64>) -> Result<Value, NodeFault> {
    // Where the number at a distance from the first one comes from.
    let source: fn(isize, isize) -> isize = match mode {
        "edge" => |at, dim| at.clamp(0, dim - 1),
        // The first and the last are not repeated.
        "reflect" => |at, dim| if at < dim { at.abs() } else { 2 * (dim - 1) - at },
        "wrap" if node.opset >= 19 => isize::rem_euclid,
        _ => {
            let reason = "must be constant, edge, reflect, or from operator set 19 on wrap";
            return Err(NodeFault::Attribute { attribute: "mode".into(), reason });
        }
    };
    let reflects = mode == "reflect";
    let axes = node.optional(3).map(|_| node.list(3, "axes").map(<[i64]>::to_vec)).transpose()?;
    moved(node, builder, move |builder, id| {
        let dims = builder.dims(id).to_vec();
        let mut places = whole(&dims)?;
        for (axis, [before, after]) in padding(&dims, &pads, axes.as_deref())? {
            let dim = dims[axis];
            if reflects && before.max(after) >= dim {
                return Err(NodeFault::Operand { operand: "pads", reason: "must be smaller than what is reflected" });
            }
            // Sides and padding are small, so none of these leaves the type.
            let signed = |n: usize| isize::try_from(n).unwrap_or(isize::MAX);
            let at = -signed(before)..signed(dim + after);
            places[axis] = at.filter_map(|at| usize::try_from(source(at, signed(dim))).ok()).collect();
        }
        builder.pick(id, places)
    })
}

/// Split(input, split?): as many values as the node has outputs.
pub(super) fn split(node: &Node<'_>, builder: &mut Builder, outputs: usize) -> Result<Vec<Value>, NodeFault> {
    node.at_most(2)?;
    let given = if node.opset < 13 {
        node.attributes.ints("split")?
    } else {
        node.attributes.int("num_outputs")?;
        node.optional(1).map(|_| node.list(1, "split").map(<[i64]>::to_vec)).transpose()?
    };
    let axis = node.attributes.int("axis")?.unwrap_or(0);
    let fault = || NodeFault::Operand { operand: "split", reason: "must divide the dimension among the outputs" };
    let mut begin = 0;
    let mut part = |at: usize| {
        through(node, builder, |builder, id| {
            let dims = builder.dims(id).to_vec();
            let axis = axis_of(axis, dims.len())?;
            let size = match &given {
                Some(sizes) if sizes.len() == outputs && sizes.iter().sum::<i64>() == dims[axis] as i64 => {
                    usize::try_from(sizes[at]).ok().filter(|&size| size > 0 && begin + size <= dims[axis])
                }
                Some(_) => None,
                // The last is smaller where they cannot all be equal.
                None => Some(dims[axis].div_ceil(outputs).min(dims[axis].saturating_sub(begin))),
            };
            let size = size.filter(|&size| size > 0).ok_or_else(fault)?;
            let mut places = whole(&dims)?;
            places[axis] = (begin..begin + size).collect();
            begin += size;
            builder.pick(id, places)
        })
    };
    (0..outputs).map(&mut part).collect()
}

/// Gather(data, indices): constant indices, whose dimensions take the place of the one that they are about.
pub(super) fn gather(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(2)?;
    let axis = node.attributes.int("axis")?.unwrap_or(0);
    let indices = node.constant(1, "indices")?;
    let listed = match &indices.data {
        Data::I64(values) if values.len() <= PLACES_MAX => values.clone(),
        Data::I32(values) if values.len() <= PLACES_MAX => values.iter().copied().map(i64::from).collect(),
        _ => {
            return Err(NodeFault::Operand { operand: "indices", reason: "must be int64 or int32, and not very many" });
        }
    };
    let shape_of_indices = indices.dims.clone();
    moved(node, builder, move |builder, id| {
        let mut dims = builder.dims(id).to_vec();
        let axis = axis_of(axis, dims.len())?;
        let mut places = whole(&dims)?;
        places[axis] = listed
            .iter()
            .map(|&at| axis_of(at, dims[axis]))
            .collect::<Result<_, _>>()
            .map_err(|_| NodeFault::Operand { operand: "indices", reason: "must lie in the dimension" })?;
        let id = builder.pick(id, places)?;
        if shape_of_indices.len() == 1 {
            return Ok(id);
        }
        dims.splice(axis..=axis, shape_of_indices.iter().copied());
        builder.view(id, dims)
    })
}

/// Expand(input, shape)
pub(super) fn expand(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(2)?;
    let wanted = node.list(1, "shape")?.to_vec();
    moved(node, builder, move |builder, id| {
        let wanted = wanted.iter().map(|&dim| usize::try_from(dim)).collect::<Result<Vec<_>, _>>();
        let wanted = wanted.map_err(|_| NodeFault::Operand { operand: "shape", reason: "must not be negative" })?;
        let dims = super::builder::broadcast(builder.dims(id), &wanted)?;
        builder.expand(id, &dims)
    })
}

/// Squeeze(data, axes?) and Unsqueeze(data, axes); before operator set 13 with attributes.
pub(super) fn squeeze(node: &Node<'_>, builder: &mut Builder, un: bool) -> Result<Value, NodeFault> {
    node.at_most(2)?;
    let axes = if node.opset < 13 {
        node.attributes.ints("axes")?
    } else {
        node.optional(1).map(|_| node.list(1, "axes").map(<[i64]>::to_vec)).transpose()?
    };
    moved(node, builder, move |builder, id| {
        let given = builder.dims(id).to_vec();
        let rank = if un { given.len() + axes.as_ref().map_or(0, Vec::len) } else { given.len() };
        let axes = match &axes {
            Some(axes) => axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Result<Vec<_>, _>>()?,
            None if un => return Err(NodeFault::Operand { operand: "axes", reason: "is left out" }),
            None => (0..rank).filter(|&d| given[d] == 1).collect(),
        };
        if un {
            let mut rest = given.iter().copied();
            let dims = (0..rank).map(|d| if axes.contains(&d) { 1 } else { rest.next().unwrap_or(1) }).collect();
            return builder.view(id, dims);
        }
        if axes.iter().any(|&axis| given[axis] != 1) {
            return Err(shape("only dimensions of one element can go", &given));
        }
        builder.view(id, (0..rank).filter(|d| !axes.contains(d)).map(|d| given[d]).collect())
    })
}

/// DepthToSpace(input): blocks of channels become blocks of places.
pub(super) fn depth_to_space(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    let block = block_size(node)?;
    let first = match node.attributes.text("mode")?.unwrap_or("DCR") {
        "DCR" => true,
        "CRD" => false,
        _ => return Err(NodeFault::Attribute { attribute: "mode".into(), reason: "must be DCR or CRD" }),
    };
    moved(node, builder, move |builder, id| {
        let &[n, c, h, w] = builder.dims(id) else {
            return Err(shape("blocks are of planes, [n, c, h, w]", builder.dims(id)));
        };
        if c % (block * block) != 0 {
            return Err(shape("the channels are not whole blocks", builder.dims(id)));
        }
        let left = c / (block * block);
        let (split, order) = if first {
            (vec![n, block, block, left, h, w], [0, 3, 4, 1, 5, 2])
        } else {
            (vec![n, left, block, block, h, w], [0, 1, 4, 2, 5, 3])
        };
        let id = builder.view(id, split)?;
        let id = builder.transpose(id, &order)?;
        builder.view(id, vec![n, left, h * block, w * block])
    })
}

/// SpaceToDepth(input): blocks of places become blocks of channels.
pub(super) fn space_to_depth(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    let block = block_size(node)?;
    moved(node, builder, move |builder, id| {
        let &[n, c, h, w] = builder.dims(id) else {
            return Err(shape("blocks are of planes, [n, c, h, w]", builder.dims(id)));
        };
        if h % block != 0 || w % block != 0 {
            return Err(shape("the planes are not whole blocks", builder.dims(id)));
        }
        let id = builder.view(id, vec![n, c, h / block, block, w / block, block])?;
        let id = builder.transpose(id, &[0, 3, 5, 1, 2, 4])?;
        builder.view(id, vec![n, c * block * block, h / block, w / block])
    })
}

fn block_size(node: &Node<'_>) -> Result<usize, NodeFault> {
    let given = node.attributes.int("blocksize")?.and_then(|block| usize::try_from(block).ok());
    given
        .filter(|block| (1..=64).contains(block))
        .ok_or(NodeFault::Attribute { attribute: "blocksize".into(), reason: "must be from 1 to 64" })
}

/// What moves the bytes of a tensor whose meaning does not depend on the channel.
pub(super) fn curve(
    curve: &Curve,
    builder: &mut Builder,
    op: impl FnOnce(&mut Builder, ValueId) -> Result<ValueId, NodeFault>,
) -> Result<Value, NodeFault> {
    if curve.reals.len() > 1 {
        return Err(NodeFault::Operand {
            operand: "input",
            reason: "differs by channel; quantise it before it is moved",
        });
    }
    let id = op(builder, curve.id)?;
    Ok(Value::Curve(std::sync::Arc::new(Curve { id, reals: curve.reals.clone() })))
}

/// The integers below a value that moves may look through; for those that need a shape first.
pub(super) fn below(node: &Node<'_>, index: usize) -> Option<ValueId> {
    match node.optional(index)? {
        Value::Int(id) | Value::Real(Real { id, .. }) => Some(*id),
        Value::Curve(curve) => Some(curve.id),
        _ => None,
    }
}

//! Resize: planes in another size. Where a place lies in the input is worked out here, in f32, step by step as ONNX's
//! operator page writes it; a run looks the numbers up.

use super::{
    builder::{Builder, check_places},
    compute::{Compute, shape},
    layout::through,
    node::Node,
    pick::below,
    qdq::pending,
    value::Value,
};
use crate::{
    error::{NodeFault, Site},
    formula,
    ir::Between,
    onnx::constant::Data,
};

/// Longest side of what is resized.
const SIDE_MAX: usize = 1 << 16;

/// Where the coordinates of the output lie in the input.
#[derive(Clone, Copy)]
enum Mapping {
    HalfPixel,
    PytorchHalfPixel,
    Asymmetric,
    AlignCorners,
}

/// Resize(X, roi?, scales?, sizes?)
pub(super) fn resize(node: &Node<'_>, builder: &mut Builder, site: Site) -> Result<Value, NodeFault> {
    node.at_most(4)?;
    let text = |name: &str, missing| node.attributes.text(name).map(|given| given.unwrap_or(missing));
    let fault = |attribute: &str, reason| NodeFault::Attribute { attribute: attribute.into(), reason };
    let mapping = match text("coordinate_transformation_mode", "half_pixel")? {
        // Before operator set 11 there was one.
        _ if node.opset < 11 => Mapping::Asymmetric,
        "half_pixel" => Mapping::HalfPixel,
        "pytorch_half_pixel" => Mapping::PytorchHalfPixel,
        "asymmetric" => Mapping::Asymmetric,
        "align_corners" => Mapping::AlignCorners,
        _ => {
            let reason = "must be half_pixel, pytorch_half_pixel, asymmetric or align_corners";
            return Err(fault("coordinate_transformation_mode", reason));
        }
    };
    let nearest = text("nearest_mode", if node.opset < 11 { "floor" } else { "round_prefer_floor" })?;
    let round: fn(f32) -> f32 = match nearest {
        "round_prefer_floor" => |x| (x - 0.5).ceil(),
        "round_prefer_ceil" => |x| (x + 0.5).floor(),
        "floor" => f32::floor,
        "ceil" => f32::ceil,
        _ => return Err(fault("nearest_mode", "is none of ONNX's four")),
    };
    node.attributes.only("antialias", 0, "must be 0")?;
    node.attributes.only("exclude_outside", 0, "must be 0")?;
    // What only cubes and cut-outs look at.
    node.attributes.float("cubic_coeff_a")?;
    node.attributes.float("extrapolation_value")?;
    let keep: Option<Keep> = match text("keep_aspect_ratio_policy", "stretch")? {
        "stretch" => None,
        "not_larger" => Some(f32::min),
        "not_smaller" => Some(f32::max),
        _ => return Err(fault("keep_aspect_ratio_policy", "must be stretch, not_larger or not_smaller")),
    };
    let Some(dims) = below(node, 0).map(|id| builder.dims(id).to_vec()) else { return Err(NodeFault::Float) };
    let sides = sides(node, &dims, keep)?;
    check_places(&sides.iter().map(|side| side.to).collect::<Vec<_>>())?;
    let at = |side: &Side| (0..side.to).map(|place| mapping.source(side, place)).collect::<Vec<_>>();
    match text("mode", "nearest")? {
        "nearest" => through(node, builder, |builder, id| {
            let pick = |side: &Side| at(side).into_iter().map(|x| formula::index(round(x), side.from)).collect();
            builder.pick(id, sides.iter().map(pick).collect())
        }),
        "linear" => {
            let x = node.operand(builder, 0, "X")?;
            let [batch, channels, rows, columns] = &sides[..] else {
                return Err(shape("what is resized must be planes, [n, c, h, w]", &dims));
            };
            if batch.from != batch.to || channels.from != channels.to {
                return Err(shape("only rows and columns are resized between their neighbours", &dims));
            }
            let between = |side: &Side| at(side).into_iter().map(|x| formula::neighbours(x, side.from)).collect();
            let (rows, columns): (Vec<Between>, Vec<Between>) = (between(rows), between(columns));
            Ok(pending(site, Compute::Resize { x, rows, columns }))
        }
        _ => Err(fault("mode", "must be nearest or linear")),
    }
}

/// Which of two ratios holds for all sides.
type Keep = fn(f32, f32) -> f32;

/// One dimension: elements before and after, and their ratio.
struct Side {
    from: usize,
    to: usize,
    scale: f32,
}

fn sides(node: &Node<'_>, dims: &[usize], keep: Option<Keep>) -> Result<Vec<Side>, NodeFault> {
    let (scales, sizes) = if node.opset < 11 { (1, usize::MAX) } else { (2, 3) };
    let given = |index: usize| match node.optional(index) {
        Some(Value::Constant(constant)) if constant.dims.iter().product::<usize>() == 0 => None,
        other => other,
    };
    // Which dimensions the lists are about.
    let axes = match node.attributes.ints("axes")? {
        Some(axes) => {
            axes.into_iter().map(|axis| super::compute::axis_of(axis, dims.len())).collect::<Result<_, _>>()?
        }
        None => (0..dims.len()).collect::<Vec<_>>(),
    };
    let mut sides: Vec<Side> = dims.iter().map(|&dim| Side { from: dim, to: dim, scale: 1.0 }).collect();
    let fault = |operand| NodeFault::Operand { operand, reason: "must have a sensible number for each dimension" };
    if given(sizes).is_some() {
        let wanted = node.list(sizes, "sizes")?;
        if wanted.len() != axes.len() {
            return Err(fault("sizes"));
        }
        for (&axis, &size) in axes.iter().zip(wanted) {
            let to =
                usize::try_from(size).ok().filter(|to| (1..=SIDE_MAX).contains(to)).ok_or_else(|| fault("sizes"))?;
            sides[axis] = Side { from: dims[axis], to, scale: formula::ratio(to, dims[axis]) };
        }
        let Some(keep) = keep else { return Ok(sides) };
        if let Some(scale) = axes.iter().map(|&axis| sides[axis].scale).reduce(keep) {
            for &axis in &axes {
                let to = Some(formula::in_ratio(dims[axis], scale)).filter(|to| (1..=SIDE_MAX).contains(to));
                sides[axis] = Side { from: dims[axis], to: to.ok_or_else(|| fault("sizes"))?, scale };
            }
        }
        return Ok(sides);
    }
    let constant = node.constant(scales, "scales")?;
    let Data::F32(values) = &constant.data else { return Err(fault("scales")) };
    if values.len() != axes.len() {
        return Err(fault("scales"));
    }
    for (&axis, &scale) in axes.iter().zip(values) {
        let to = formula::resized(dims[axis], scale).filter(|to| (1..=SIDE_MAX).contains(to));
        sides[axis] = Side { from: dims[axis], to: to.ok_or_else(|| fault("scales"))?, scale };
    }
    Ok(sides)
}

impl Mapping {
    /// The coordinate in the input.
    fn source(self, side: &Side, place: usize) -> f32 {
        match self {
            _ if side.from == side.to => formula::whole(place),
            Self::HalfPixel => formula::half_pixel(place, side.scale),
            Self::PytorchHalfPixel if side.to > 1 => formula::half_pixel(place, side.scale),
            Self::PytorchHalfPixel => 0.0,
            Self::Asymmetric => formula::whole(place) / side.scale,
            Self::AlignCorners if side.to == 1 => 0.0,
            Self::AlignCorners => formula::whole(place * (side.from - 1)) / formula::whole(side.to - 1),
        }
    }
}

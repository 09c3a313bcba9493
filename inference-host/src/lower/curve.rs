//! Functions of one number: whatever their float steps, on 8 bits they are a table.
//!
//! After DequantizeLinear a function changes what each of 256 bytes stands for ([`Curve`]); the QuantizeLinear that reads
//! the last of them makes the table. So a sigmoid, an approximation of it in four steps, and a batch normalisation cost the
//! same, and no float is computed in a run. A function of a float *result* would need a table of 2^32 entries: the graph
//! must quantise in between.

use std::sync::Arc;

use super::{
    builder::Builder,
    node::Node,
    value::{Clip, Curve, Value},
};
use crate::{error::NodeFault, formula, onnx::constant::Data, real};

/// What an operand stands for, byte by byte.
pub(super) fn curve(node: &Node<'_>, builder: &Builder, index: usize) -> Result<Arc<Curve>, NodeFault> {
    match node.value(index, "X")? {
        Value::Curve(curve) => Ok(curve.clone()),
        _ => {
            let real = node.real(index, "X")?;
            Ok(Arc::new(Curve::of(real, builder.signed(real.id))))
        }
    }
}

/// A function of input 0.
pub(super) fn unary(node: &Node<'_>, builder: &Builder, function: impl Fn(f32) -> f32) -> Result<Value, NodeFault> {
    map(&*curve(node, builder, 0)?, builder, |_, x| function(x))
}

/// The curve through a function that knows the channel.
fn map(curve: &Curve, builder: &Builder, function: impl Fn(usize, f32) -> f32) -> Result<Value, NodeFault> {
    builder.hold_reals(curve.reals.len())?;
    let through = |(channel, reals): (usize, &[f32; 256])| reals.map(|real| function(channel, real));
    finished(curve.id, curve.reals.iter().enumerate().map(through).collect())
}

fn finished(id: usize, reals: Vec<[f32; 256]>) -> Result<Value, NodeFault> {
    if reals.iter().flatten().any(|real| real.is_nan()) {
        return Err(NodeFault::Operand { operand: "X", reason: "has values for which this is no number" });
    }
    Ok(Value::Curve(Arc::new(Curve { id, reals })))
}

/// The operators of one input and no constant but their attributes.
pub(super) fn function(node: &Node<'_>, builder: &Builder, op: &str) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    let parameter = |name: &str, missing: f32| match node.attributes.float(name)?.unwrap_or(missing) {
        value if value.is_finite() => Ok(value),
        _ => Err(NodeFault::Attribute { attribute: name.into(), reason: "must be finite" }),
    };
    if matches!(op, "Sigmoid" | "Tanh" | "Erf" | "Exp" | "Elu" | "Gelu" | "QuickGelu") {
        builder.compute(curve(node, builder, 0)?.reals.len())?;
    }
    match op {
        "Sigmoid" => unary(node, builder, real::sigmoid),
        "Tanh" => unary(node, builder, real::tanh),
        "Erf" => unary(node, builder, real::erf),
        "Exp" => unary(node, builder, real::exp),
        "Sqrt" => unary(node, builder, f32::sqrt),
        "Abs" => unary(node, builder, f32::abs),
        "Neg" => unary(node, builder, |x| -x),
        "Reciprocal" => unary(node, builder, |x| 1.0 / x),
        "HardSigmoid" => {
            let (alpha, beta) = (parameter("alpha", 0.2)?, parameter("beta", 0.5)?);
            unary(node, builder, |x| formula::hard_sigmoid(x, alpha, beta))
        }
        "HardSwish" => unary(node, builder, |x| x * formula::hard_sigmoid(x, 1.0 / 6.0, 0.5)),
        "LeakyRelu" => {
            let alpha = parameter("alpha", 0.01)?;
            unary(node, builder, |x| leaky(x, alpha))
        }
        "Elu" => {
            let alpha = parameter("alpha", 1.0)?;
            unary(node, builder, |x| if x < 0.0 { alpha * (real::exp(x) - 1.0) } else { x })
        }
        "Gelu" => match node.attributes.text("approximate")?.unwrap_or("none") {
            "none" => unary(node, builder, gelu),
            _ => Err(NodeFault::Attribute { attribute: "approximate".into(), reason: "must be none" }),
        },
        // Of com.microsoft.
        _ => {
            let alpha = parameter("alpha", 1.702)?;
            unary(node, builder, |x| x * real::sigmoid(alpha * x))
        }
    }
}

pub(super) fn leaky(x: f32, alpha: f32) -> f32 {
    if x < 0.0 { alpha * x } else { x }
}

fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + real::erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// Relu and Clip of a curve.
pub(super) fn clip(curve: &Curve, builder: &Builder, clip: Clip) -> Result<Value, NodeFault> {
    map(curve, builder, |_, x| clip.of(x))
}

/// PRelu(X, slope): with a constant slope, for all or for each channel.
pub(super) fn prelu(node: &Node<'_>, builder: &Builder) -> Result<Value, NodeFault> {
    node.at_most(2)?;
    let x = curve(node, builder, 0)?;
    let slopes = constants(node, builder, 1, x.id)?.ok_or(NodeFault::Float)?;
    with_constants(&x, builder, &slopes, leaky)
}

/// Pow(X, Y) for the exponents that are products and roots.
pub(super) fn pow(node: &Node<'_>, builder: &Builder) -> Result<Value, NodeFault> {
    node.at_most(2)?;
    match node.number(1, "Y")? {
        Some(2.0) => unary(node, builder, |x| x * x),
        Some(3.0) => unary(node, builder, |x| x * x * x),
        Some(0.5) => unary(node, builder, f32::sqrt),
        _ => Err(NodeFault::Operand { operand: "Y", reason: "must be 2, 3 or 0.5" }),
    }
}

/// BatchNormalization(X, scale, B, input_mean, input_var): `x·a + b` for each channel.
pub(super) fn batch_normalization(node: &Node<'_>, builder: &Builder) -> Result<Value, NodeFault> {
    node.at_most(5)?;
    node.attributes.only("training_mode", 0, "must be 0")?;
    node.attributes.float("momentum")?;
    let epsilon = node.attributes.float("epsilon")?.unwrap_or(1e-5);
    let x = curve(node, builder, 0)?;
    let channels = builder.dims(x.id).get(1).copied().unwrap_or(1);
    let list = |index, operand| match node.floats(index, operand)? {
        values if values.len() == channels => Ok(values),
        _ => Err(NodeFault::Operand { operand, reason: "must have a number for each channel" }),
    };
    let (gamma, beta) = (list(1, "scale")?, list(2, "B")?);
    let (mean, variance) = (list(3, "input_mean")?, list(4, "input_var")?);
    let of = |channel: usize| {
        let a = gamma[channel] / (variance[channel] + epsilon).sqrt();
        (a, beta[channel] - mean[channel] * a)
    };
    builder.hold_reals(channels)?;
    let line = |reals: &[f32; 256], (a, b): (f32, f32)| reals.map(|x| x * a + b);
    let reals = (0..channels).map(|channel| line(&x.reals[channel % x.reals.len()], of(channel))).collect();
    finished(x.id, reals)
}

/// What Add, Sub, Mul and Div do with a curve, or with a dequantised tensor and a float constant. None where both sides are
/// quantised tensors of their own, for which there are integer formulas.
pub(super) fn binary(
    node: &Node<'_>,
    builder: &Builder,
    function: fn(f32, f32) -> f32,
) -> Result<Option<Value>, NodeFault> {
    let (a, b) = (node.value(0, "A")?, node.value(1, "B")?);
    for (x, other, turned) in [(0, 1, false), (1, 0, true)] {
        if let Some(values) = constants(node, builder, other, tensor(node.value(x, "A")?))? {
            let x = curve(node, builder, x)?;
            return with_constants(&x, builder, &values, |x, c| if turned { function(c, x) } else { function(x, c) })
                .map(Some);
        }
    }
    if !matches!(a, Value::Curve(_)) && !matches!(b, Value::Curve(_)) {
        return Ok(None);
    }
    let (a, b) = (curve(node, builder, 0)?, curve(node, builder, 1)?);
    if a.id != b.id {
        return Err(NodeFault::Operand {
            operand: "B",
            reason: "is a function of another tensor; QuantizeLinear and DequantizeLinear must lie between",
        });
    }
    let tables = a.reals.len().max(b.reals.len());
    builder.hold_reals(tables)?;
    let both = |channel: usize| {
        let (a, b) = (&a.reals[channel % a.reals.len()], &b.reals[channel % b.reals.len()]);
        std::array::from_fn(|byte| function(a[byte], b[byte]))
    };
    finished(a.id, (0..tables).map(both).collect()).map(Some)
}

fn tensor(value: &Value) -> usize {
    match value {
        Value::Real(real) => real.id,
        Value::Curve(curve) => curve.id,
        _ => usize::MAX,
    }
}

/// A float constant that is one number, or one for each channel of `id`; none if it is something else than a float constant.
fn constants(node: &Node<'_>, builder: &Builder, index: usize, id: usize) -> Result<Option<Vec<f32>>, NodeFault> {
    let Value::Constant(constant) = node.value(index, "B")? else { return Ok(None) };
    let Data::F32(values) = &constant.data else { return Err(NodeFault::Float) };
    let Some(dims) = builder.graph.values.get(id).map(|value| &value.dims) else { return Ok(None) };
    // The place of the channels in the constant's own shape, which is aligned at the last dimension.
    let own = (1 + constant.dims.len()).checked_sub(dims.len());
    let by_channel = || {
        let own = own?;
        let alone = constant.dims.iter().enumerate().all(|(at, &dim)| at == own || dim == 1);
        (alone && constant.dims.get(own) == dims.get(1)).then_some(())
    };
    if values.len() == 1 || by_channel().is_some() {
        return Ok(Some(values.clone()));
    }
    Err(NodeFault::Operand { operand: "B", reason: "is float, and neither one number nor one for each channel" })
}

fn with_constants(
    x: &Curve,
    builder: &Builder,
    values: &[f32],
    function: impl Fn(f32, f32) -> f32,
) -> Result<Value, NodeFault> {
    if values.iter().any(|value| !value.is_finite()) {
        return Err(NodeFault::Operand { operand: "B", reason: "must be finite" });
    }
    let tables = x.reals.len().max(values.len());
    builder.hold_reals(tables)?;
    let of = |channel: usize| x.reals[channel % x.reals.len()].map(|x| function(x, values[channel % values.len()]));
    finished(x.id, (0..tables).map(of).collect())
}

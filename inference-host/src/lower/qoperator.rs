//! Operators that take integers with their scales: ONNX's QLinear family and that of `com.microsoft`.

use super::{
    builder::Builder,
    compute::{Compute, shape},
    curve,
    node::Node,
    rows,
    value::{Curve, Operand, Value, Weights},
    window,
};
use crate::{error::NodeFault, formula};

const X: [&str; 3] = ["x", "x_scale", "x_zero_point"];
const A: [&str; 3] = ["A", "A_scale", "A_zero_point"];
const B: [&str; 3] = ["B", "B_scale", "B_zero_point"];

/// QLinearConv(x, x_scale, x_zp, w, w_scale, w_zp, y_scale, y_zp, bias?)
pub(super) fn conv(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(9)?;
    let x = node.quantised(builder, [0, 1, 2], X)?;
    let weights = node.weights([3, 4, 5])?;
    let y = node.target([6, 7])?;
    let bias = node.bias(8)?;
    let compute = conv_of(node, builder, x, weights, bias)?;
    compute.emit(builder, y).map(Value::Int)
}

/// The convolution itself, for Conv as well.
pub(super) fn conv_of(
    node: &Node<'_>,
    builder: &mut Builder,
    x: Operand,
    weights: Weights,
    bias: Vec<i32>,
) -> Result<Compute, NodeFault> {
    let kernel = match weights.source.dims[..] {
        [_, _, height, width] if height > 0 && width > 0 => [height, width],
        [_, _, length] if length > 0 => [1, length],
        _ => return Err(shape("weights must be [o, c, h, w], or [o, c, l]", &weights.source.dims)),
    };
    if weights.source.dims.len() != builder.dims(x.id).len() {
        return Err(shape("the weights' dimensions must be as many as the input's", &weights.source.dims));
    }
    let window = window::window(node, builder.dims(x.id), Some(kernel))?;
    let groups = node.attributes.int("group")?.unwrap_or(1);
    let groups = usize::try_from(groups).unwrap_or(0);
    Compute::conv(builder, x, weights, bias, window, groups)
}

/// QLinearMatMul(a, a_scale, a_zp, b, b_scale, b_zp, y_scale, y_zp)
pub(super) fn matmul(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(8)?;
    let a = node.quantised(builder, [0, 1, 2], A)?;
    let y = node.target([6, 7])?;
    if !is_matrix(node.value(3, "B")?) {
        let b = node.quantised(builder, [3, 4, 5], B)?;
        return Compute::product(builder, a, b)?.emit(builder, y).map(Value::Int);
    }
    let weights = node.weights([3, 4, 5])?;
    Compute::matmul(builder, a, weights, Vec::new(), false)?.emit(builder, y).map(Value::Int)
}

/// Whether the right side of a product is a constant of two dimensions.
pub(super) fn is_matrix(value: &Value) -> bool {
    match value {
        Value::Constant(constant) => constant.dims.len() == 2,
        Value::RealConstant(constant) => constant.source.dims.len() == 2,
        _ => false,
    }
}

/// com.microsoft QGemm(A, a_scale, a_zp, B, b_scale, b_zp, C?, y_scale, y_zp)
pub(super) fn gemm(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(9)?;
    let a = node.quantised(builder, [0, 1, 2], A)?;
    let a = left(node, builder, a)?;
    let weights = node.weights([3, 4, 5])?;
    let bias = node.bias(6)?;
    let y = node.target([7, 8])?;
    let transposed = gemm_attributes(node, false)?;
    Compute::matmul(builder, a, weights, bias, transposed)?.emit(builder, y).map(Value::Int)
}

/// The left side of Gemm, turned where `transA` says so.
pub(super) fn left(node: &Node<'_>, builder: &mut Builder, a: Operand) -> Result<Operand, NodeFault> {
    let dims = builder.dims(a.id);
    if dims.len() != 2 {
        return Err(shape("the left side must be a matrix", dims));
    }
    if node.attributes.int("transA")?.unwrap_or(0) == 0 {
        return Ok(a);
    }
    Ok(Operand { id: builder.transpose(a.id, &[1, 0])?, ..a })
}

/// Whether the right side is transposed; the rest of Gemm's generality is not needed by exporters.
pub(super) fn gemm_attributes(node: &Node<'_>, beta: bool) -> Result<bool, NodeFault> {
    for name in ["alpha", "beta"].into_iter().take(1 + usize::from(beta)) {
        if node.attributes.float(name)?.is_some_and(|value| value.to_bits() != 1f32.to_bits()) {
            return Err(NodeFault::Attribute { attribute: name.into(), reason: "must be 1" });
        }
    }
    Ok(node.attributes.int("transB")?.unwrap_or(0) != 0)
}

/// com.microsoft QLinearAdd(A, A_scale, A_zp, B, B_scale, B_zp, C_scale, C_zp)
pub(super) fn add(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(8)?;
    let a = node.quantised(builder, [0, 1, 2], A)?;
    let b = node.quantised(builder, [3, 4, 5], B)?;
    let y = node.target([6, 7])?;
    Compute::add(builder, a, b)?.emit(builder, y).map(Value::Int)
}

/// com.microsoft QLinearMul(A, A_scale, A_zp, B, B_scale, B_zp, C_scale, C_zp)
pub(super) fn mul(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(8)?;
    let a = node.quantised(builder, [0, 1, 2], A)?;
    let b = node.quantised(builder, [3, 4, 5], B)?;
    let y = node.target([6, 7])?;
    Compute::mul(builder, a, b)?.emit(builder, y).map(Value::Int)
}

/// com.microsoft QLinearSigmoid and QLinearLeakyRelu(X, X_scale, X_zp, Y_scale, Y_zp)
pub(super) fn function(
    node: &Node<'_>,
    builder: &mut Builder,
    function: impl Fn(f32) -> f32,
) -> Result<Value, NodeFault> {
    node.at_most(5)?;
    let x = node.quantised(builder, [0, 1, 2], X)?;
    let y = node.target([3, 4])?;
    let reals = formula::reals(builder.signed(x.id), x.scale, x.zero).map(function);
    builder.curve(&Curve { id: x.id, reals: vec![reals] }, y).map(Value::Int)
}

/// com.microsoft QLinearLeakyRelu
pub(super) fn leaky_relu(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    let alpha = node.attributes.float("alpha")?.unwrap_or(0.01);
    if !alpha.is_finite() {
        return Err(NodeFault::Attribute { attribute: "alpha".into(), reason: "must be finite" });
    }
    function(node, builder, |x| curve::leaky(x, alpha))
}

/// com.microsoft QLinearSoftmax(X, X_scale, X_zp, Y_scale, Y_zp), which says of which operator set it is.
pub(super) fn softmax(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(5)?;
    let x = node.quantised(builder, [0, 1, 2], X)?;
    let y = node.target([3, 4])?;
    let opset = node.attributes.int("opset")?.unwrap_or(13);
    rows::softmax(node, builder, x, opset)?.emit(builder, y).map(Value::Int)
}

/// com.microsoft QLinearGlobalAveragePool(X, x_scale, x_zp, y_scale, y_zp)
pub(super) fn global_average_pool(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(5)?;
    node.attributes.only("channels_last", 0, "must be 0")?;
    let x = node.quantised(builder, [0, 1, 2], X)?;
    let y = node.target([3, 4])?;
    Compute::global_average_pool(builder, x)?.emit(builder, y).map(Value::Int)
}

/// com.microsoft QLinearAveragePool(X, x_scale, x_zp, y_scale, y_zp)
pub(super) fn average_pool(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    node.at_most(5)?;
    node.attributes.only("channels_last", 0, "must be 0")?;
    let x = node.quantised(builder, [0, 1, 2], X)?;
    let y = node.target([3, 4])?;
    let x = Curve { id: x.id, reals: vec![*formula::reals(builder.signed(x.id), x.scale, x.zero)] };
    average_pool_of(node, builder, &x)?.emit(builder, y).map(Value::Int)
}

/// The pool itself, for AveragePool as well.
pub(super) fn average_pool_of(node: &Node<'_>, builder: &mut Builder, x: &Curve) -> Result<Compute, NodeFault> {
    let (window, exact) = window::pool_window(node, builder.dims(x.id))?;
    if window.dilation != [1, 1] && node.opset < 19 {
        return Err(NodeFault::Attribute { attribute: "dilations".into(), reason: "must be 1 before operator set 19" });
    }
    let count_pad = node.attributes.int("count_include_pad")?.unwrap_or(0) != 0;
    if count_pad && !exact {
        let reason = "must be 0 with count_include_pad, where the strides do not divide the input";
        return Err(NodeFault::Attribute { attribute: "ceil_mode".into(), reason });
    }
    Compute::average_pool(builder, x, window, count_pad)
}

/// com.microsoft QLinearConcat(y_scale, y_zp, (x, x_scale, x_zp)+)
pub(super) fn concat(node: &Node<'_>, builder: &mut Builder) -> Result<Value, NodeFault> {
    let y = node.target([0, 1])?;
    let axis = node.attributes.int("axis")?;
    let axis = axis.ok_or(NodeFault::Attribute { attribute: "axis".into(), reason: "is left out" })?;
    if node.count() < 5 || node.count() % 3 != 2 {
        return Err(NodeFault::Operand { operand: "inputs", reason: "must be tensors with scale and zero point each" });
    }
    let inputs = (2..node.count()).step_by(3);
    let inputs = inputs.map(|at| node.quantised(builder, [at, at + 1, at + 2], X)).collect::<Result<_, _>>()?;
    Compute::concat(builder, inputs, axis)?.emit(builder, y).map(Value::Int)
}

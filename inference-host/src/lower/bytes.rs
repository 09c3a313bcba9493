//! Integers of 8 bits that stand for themselves: sums, products and the like that wrap, as ONNX's operators do where
//! nothing says what their inputs mean.
//!
//! With one number on a side, and with one side, an operation is a table.

use super::{
    builder::{Builder, broadcast},
    node::Node,
    value::Value,
};
use crate::{
    error::NodeFault,
    formula,
    ir::{Op, Pair, PairStep, ValueId},
};

/// Whether some input of a node is such integers.
pub(super) fn reads(node: &Node<'_>) -> bool {
    (0..node.count()).any(|at| matches!(node.optional(at), Some(Value::Int(_))))
}

/// BitwiseNot, Abs, Neg and Sign(X)
pub(super) fn function(node: &Node<'_>, builder: &mut Builder, op: &str) -> Result<Value, NodeFault> {
    node.at_most(1)?;
    let x = node.int(builder, 0, "X")?;
    let signed = builder.signed(x);
    let number = |byte| formula::number(signed, byte);
    match op {
        "BitwiseNot" => table(builder, x, |byte| !byte),
        "Abs" => table(builder, x, |byte| formula::byte(number(byte).abs())),
        "Neg" if !signed => Err(NodeFault::Operand { operand: "X", reason: "must be int8" }),
        "Neg" => table(builder, x, u8::wrapping_neg),
        // Sign.
        _ => table(builder, x, |byte| formula::byte(number(byte).signum())),
    }
    .map(Value::Int)
}

/// Operators of two inputs, and Min and Max of any number, from the first on.
pub(super) fn pairs(node: &Node<'_>, builder: &mut Builder, op: &str) -> Result<Value, NodeFault> {
    let step = step(node, op)?;
    let many = matches!(step, PairStep::Min | PairStep::Max);
    node.at_most(if many { node.count() } else { 2 })?;
    let mut result = node.int(builder, 0, "A")?;
    for at in 1..node.count().max(if many { 1 } else { 2 }) {
        let other = node.int(builder, at, "B")?;
        result = pair(builder, step, result, other)?;
    }
    Ok(Value::Int(result))
}

fn step(node: &Node<'_>, op: &str) -> Result<PairStep, NodeFault> {
    Ok(match op {
        "Add" => PairStep::Add,
        "Sub" => PairStep::Sub,
        "Mul" => PairStep::Mul,
        "Div" => PairStep::Div,
        "Mod" if node.attributes.int("fmod")?.unwrap_or(0) == 0 => PairStep::Modulo,
        "Mod" => PairStep::Remainder,
        "Min" => PairStep::Min,
        "Max" => PairStep::Max,
        "BitwiseAnd" => PairStep::And,
        "BitwiseOr" => PairStep::Or,
        "BitwiseXor" => PairStep::Xor,
        // BitShift.
        _ => match node.attributes.text("direction")? {
            Some("LEFT") => PairStep::Left,
            Some("RIGHT") => PairStep::Right,
            _ => return Err(NodeFault::Attribute { attribute: "direction".into(), reason: "must be LEFT or RIGHT" }),
        },
    })
}

fn pair(builder: &mut Builder, step: PairStep, a: ValueId, b: ValueId) -> Result<ValueId, NodeFault> {
    let fault = |operand, reason| Err(NodeFault::Operand { operand, reason });
    let signed = builder.signed(a);
    if builder.signed(b) != signed {
        return fault("B", "must have A's type");
    }
    if signed && matches!(step, PairStep::Left | PairStep::Right) {
        return fault("A", "must be uint8: signed integers are not shifted");
    }
    let constant = |id: ValueId| builder.graph.values[id].constant.as_deref();
    let divides = matches!(step, PairStep::Div | PairStep::Modulo | PairStep::Remainder);
    if divides && constant(b).is_none_or(|divisors| divisors.contains(&0)) {
        return fault("B", "must be a constant without 0");
    }
    let one = |id| match constant(id) {
        Some(&[byte]) => Some(byte),
        _ => None,
    };
    let (left, right) = (one(a), one(b));
    let dims = broadcast(builder.dims(a), builder.dims(b))?;
    match (left, right) {
        (_, Some(b)) => {
            let a = builder.expand(a, &dims)?;
            table(builder, a, |a| formula::pair(step, signed, a, b))
        }
        (Some(a), None) => {
            let b = builder.expand(b, &dims)?;
            table(builder, b, |b| formula::pair(step, signed, a, b))
        }
        (None, None) => {
            let inputs = [builder.expand(a, &dims)?, builder.expand(b, &dims)?].to_vec();
            builder.push(Op::Pair(Pair { step, signed }), inputs, signed, dims)
        }
    }
}

fn table(builder: &mut Builder, id: ValueId, of: impl Fn(u8) -> u8) -> Result<ValueId, NodeFault> {
    let mut table = [0; 256];
    for (entry, byte) in table.iter_mut().zip(0..=u8::MAX) {
        *entry = of(byte);
    }
    let signed = builder.signed(id);
    builder.table(id, signed, table)
}

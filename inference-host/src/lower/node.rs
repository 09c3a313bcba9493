//! A node as its lowering reads it: inputs by position, attributes by name, constants checked.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    builder::Builder,
    value::{Operand, Real, RealConstant, Target, Value, Weights},
};
use crate::{
    error::NodeFault,
    formula::{self, Range},
    onnx::{
        attributes::Attributes,
        constant::{Constant, Data},
        pb::NodeProto,
    },
};

/// Why an operand of 32 or 64 bits does not do.
pub(super) const WIDE: &str = "must be of 8 bits; integers of 32 and 64 bits are moved, cast, compared and handed out";

pub(super) struct Node<'a> {
    proto: &'a NodeProto,
    values: &'a BTreeMap<String, Value>,
    pub(super) attributes: Attributes<'a>,
    /// Version of the default operator set.
    pub(super) opset: i64,
}

impl<'a> Node<'a> {
    pub(super) fn new(
        proto: &'a NodeProto,
        values: &'a BTreeMap<String, Value>,
        opset: i64,
    ) -> Result<Self, NodeFault> {
        Ok(Self { proto, values, attributes: Attributes::new(&proto.attribute)?, opset })
    }

    /// Inputs, left-out ones included.
    pub(super) fn count(&self) -> usize {
        self.proto.input.len()
    }

    /// The value at a position, unless it is left out.
    pub(super) fn optional(&self, index: usize) -> Option<&'a Value> {
        self.proto.input.get(index).filter(|name| !name.is_empty()).and_then(|name| self.values.get(name))
    }

    pub(super) fn value(&self, index: usize, operand: &'static str) -> Result<&'a Value, NodeFault> {
        self.optional(index).ok_or(NodeFault::Operand { operand, reason: "is left out" })
    }

    /// Refuses more inputs than the operator has.
    pub(super) fn at_most(&self, count: usize) -> Result<(), NodeFault> {
        if self.count() > count {
            return Err(NodeFault::Operand { operand: "inputs", reason: "are more than this operator has" });
        }
        Ok(())
    }

    pub(super) fn constant(&self, index: usize, operand: &'static str) -> Result<&'a Arc<Constant>, NodeFault> {
        match self.value(index, operand)? {
            Value::Constant(constant) => Ok(constant),
            _ => Err(NodeFault::Operand { operand, reason: "must be a constant" }),
        }
    }

    /// One scale, or several.
    pub(super) fn scales(&self, index: usize, operand: &'static str) -> Result<Vec<f32>, NodeFault> {
        let constant = self.constant(index, operand)?;
        let Data::F32(values) = &constant.data else {
            return Err(NodeFault::Operand { operand, reason: "must be float" });
        };
        if constant.dims.len() > 1 || values.is_empty() {
            return Err(NodeFault::Operand { operand, reason: "must be a number or a list of numbers" });
        }
        values.iter().map(|&value| formula::scale(operand, value)).collect()
    }

    pub(super) fn scale(&self, index: usize, operand: &'static str) -> Result<f32, NodeFault> {
        match self.scales(index, operand)?[..] {
            [scale] => Ok(scale),
            _ => Err(NodeFault::Operand { operand, reason: "must be one number" }),
        }
    }

    /// 8-bit zero points, and whether they are signed.
    pub(super) fn zeros(&self, index: usize, operand: &'static str) -> Result<(bool, Vec<i32>), NodeFault> {
        let constant = self.constant(index, operand)?;
        let Data::Byte { signed, bytes } = &constant.data else {
            return Err(NodeFault::Operand { operand, reason: "must be uint8 or int8" });
        };
        if constant.dims.len() > 1 || bytes.is_empty() {
            return Err(NodeFault::Operand { operand, reason: "must be a number or a list of numbers" });
        }
        Ok((*signed, bytes.iter().map(|&byte| formula::number(*signed, byte)).collect()))
    }

    pub(super) fn zero(&self, index: usize, operand: &'static str) -> Result<(bool, i32), NodeFault> {
        match self.zeros(index, operand)? {
            (signed, zeros) if zeros.len() == 1 => Ok((signed, zeros[0])),
            _ => Err(NodeFault::Operand { operand, reason: "must be one number" }),
        }
    }

    /// A tensor of 8 bits; a constant one becomes a value.
    pub(super) fn int(&self, builder: &mut Builder, index: usize, operand: &'static str) -> Result<usize, NodeFault> {
        match self.value(index, operand)? {
            Value::Int(id) => Ok(*id),
            Value::Constant(constant) => match &constant.data {
                Data::Byte { signed, bytes } => builder.value(*signed, constant.dims.clone(), Some(bytes.clone())),
                _ => Err(NodeFault::Operand { operand, reason: "must be uint8 or int8" }),
            },
            Value::Wide(_) => Err(NodeFault::Operand { operand, reason: WIDE }),
            _ => Err(NodeFault::Operand { operand, reason: "must be quantised, and is float" }),
        }
    }

    /// Tensor, scale and zero point at three positions: the triple of QLinear operators.
    pub(super) fn quantised(
        &self,
        builder: &mut Builder,
        at: [usize; 3],
        operand: [&'static str; 3],
    ) -> Result<Operand, NodeFault> {
        let id = self.int(builder, at[0], operand[0])?;
        let scale = self.scale(at[1], operand[1])?;
        let (signed, zero) = self.zero(at[2], operand[2])?;
        if signed != builder.signed(id) {
            return Err(NodeFault::Operand { operand: operand[2], reason: "must have its tensor's type" });
        }
        Ok(Operand { id, scale, zero })
    }

    /// Scale and zero point of a result.
    pub(super) fn target(&self, at: [usize; 2]) -> Result<Target, NodeFault> {
        let scale = self.scale(at[0], "y_scale")?;
        let (signed, zero) = self.zero(at[1], "y_zero_point")?;
        Ok(Target::new(signed, scale, zero))
    }

    /// Constant weights with scales and zero points at three positions.
    pub(super) fn weights(&self, at: [usize; 3]) -> Result<Weights, NodeFault> {
        let source = self.constant(at[0], "weights")?.clone();
        let scales = self.scales(at[1], "scale of the weights")?;
        let (signed, zeros) = self.zeros(at[2], "zero point of the weights")?;
        match source.data {
            Data::Byte { signed: of_weights, .. } if of_weights == signed => Ok(Weights { source, scales, zeros }),
            _ => {
                Err(NodeFault::Operand { operand: "zero point of the weights", reason: "must have the weights' type" })
            }
        }
    }

    /// A bias of 32 bits, if there is one.
    pub(super) fn bias(&self, index: usize) -> Result<Vec<i32>, NodeFault> {
        if self.optional(index).is_none() {
            return Ok(Vec::new());
        }
        bias(self.constant(index, "bias")?)
    }

    /// A dequantised tensor that was not computed in float.
    pub(super) fn real(&self, index: usize, operand: &'static str) -> Result<Real, NodeFault> {
        match self.value(index, operand)? {
            Value::Real(real) => Ok(*real),
            Value::Int(_) => Err(NodeFault::Operand { operand, reason: "must be dequantised first" }),
            Value::Pending(_) => Err(NodeFault::Operand {
                operand,
                reason: "is a float result; QuantizeLinear and DequantizeLinear must lie between",
            }),
            Value::RealConstant(_) => Err(NodeFault::Operand { operand, reason: "must not be a constant" }),
            Value::Wide(_) => Err(NodeFault::Operand { operand, reason: WIDE }),
            Value::Chain(_) => Err(NodeFault::Operand {
                operand,
                reason: "is a sum in float; QuantizeLinear and DequantizeLinear must lie between",
            }),
            Value::Curve(_) => Err(NodeFault::Operand {
                operand,
                reason: "is a function of a tensor; QuantizeLinear and DequantizeLinear must lie between",
            }),
            Value::Constant(_) | Value::Image => Err(NodeFault::Float),
        }
    }

    /// A dequantised tensor, constant or not, in integers and what they stand for.
    pub(super) fn operand(
        &self,
        builder: &mut Builder,
        index: usize,
        operand: &'static str,
    ) -> Result<Operand, NodeFault> {
        if let Value::RealConstant(constant) = self.value(index, operand)? {
            let RealConstant { source, scales, zeros, .. } = &**constant;
            let (Data::Byte { signed, bytes }, &[scale], &[zero]) = (&source.data, &scales[..], &zeros[..]) else {
                return Err(NodeFault::Operand { operand, reason: "must be of 8 bits with one scale" });
            };
            let id = builder.value(*signed, source.dims.clone(), Some(bytes.clone()))?;
            return Ok(Operand { id, scale, zero });
        }
        settle(builder, self.real(index, operand)?, operand)
    }

    /// Dequantised constant weights whose outputs lie along `axis`.
    pub(super) fn real_weights(&self, index: usize, axis: usize) -> Result<Weights, NodeFault> {
        let operand = "weights";
        let RealConstant { source, scales, zeros, axis: given } = match self.value(index, operand)? {
            Value::RealConstant(constant) => &**constant,
            Value::Constant(_) => return Err(NodeFault::Float),
            _ => return Err(NodeFault::Operand { operand, reason: "must be a quantised constant" }),
        };
        if scales.len() > 1 && *given != axis {
            return Err(NodeFault::Operand { operand, reason: "must be scaled per tensor or per output channel" });
        }
        Ok(Weights { source: source.clone(), scales: scales.clone(), zeros: zeros.clone() })
    }

    /// A dequantised bias, whose scales must be those of the products.
    pub(super) fn real_bias(&self, index: usize, x: f32, weights: &Weights) -> Result<Vec<i32>, NodeFault> {
        let operand = "bias";
        let RealConstant { source, scales, zeros, .. } = match self.optional(index) {
            None => return Ok(Vec::new()),
            Some(Value::RealConstant(constant)) => &**constant,
            Some(Value::Constant(_)) => return Err(NodeFault::Float),
            Some(_) => return Err(NodeFault::Operand { operand, reason: "must be a quantised constant" }),
        };
        let values = bias(source)?;
        if zeros.iter().any(|&zero| zero != 0) {
            return Err(NodeFault::Operand { operand, reason: "must have zero point 0" });
        }
        let rows = scales.len().max(weights.scales.len());
        let of = |scales: &[f32], row: usize| scales.get(row).or(scales.first()).copied().unwrap_or(0.0);
        for row in 0..rows {
            formula::check_bias(of(scales, row), x, of(&weights.scales, row))?;
        }
        Ok(values)
    }

    /// A float constant of one element, dequantised or not.
    pub(super) fn number(&self, index: usize, operand: &'static str) -> Result<Option<f32>, NodeFault> {
        let fault = NodeFault::Operand { operand, reason: "must be one constant number" };
        match self.optional(index) {
            None => Ok(None),
            Some(Value::Constant(constant)) => match &constant.data {
                Data::F32(values) if values.len() == 1 && !values[0].is_nan() => Ok(Some(values[0])),
                _ => Err(fault),
            },
            Some(Value::RealConstant(constant)) => match (&constant.source.data, &constant.scales[..]) {
                (Data::Byte { signed, bytes }, &[scale]) if bytes.len() == 1 => {
                    Ok(Some(formula::dequantise(formula::number(*signed, bytes[0]), scale, constant.zeros[0])))
                }
                _ => Err(fault),
            },
            Some(_) => Err(fault),
        }
    }

    /// Float constants, as they are or dequantised.
    pub(super) fn floats(&self, index: usize, operand: &'static str) -> Result<Vec<f32>, NodeFault> {
        let values = match self.value(index, operand)? {
            Value::Constant(constant) => match &constant.data {
                Data::F32(values) => values.clone(),
                _ => return Err(NodeFault::Operand { operand, reason: "must be float" }),
            },
            Value::RealConstant(constant) => constant.reals(operand)?,
            _ => return Err(NodeFault::Operand { operand, reason: "must be a constant" }),
        };
        if values.iter().all(|value| value.is_finite()) {
            return Ok(values);
        }
        Err(NodeFault::Operand { operand, reason: "must be finite" })
    }

    /// A constant list of integers.
    pub(super) fn list(&self, index: usize, operand: &'static str) -> Result<&'a [i64], NodeFault> {
        match &self.constant(index, operand)?.data {
            Data::I64(values) if values.len() <= 2 * aceso_types::tensor::RANK_MAX => Ok(values),
            _ => Err(NodeFault::Operand { operand, reason: "must be a short list of int64" }),
        }
    }
}

fn bias(constant: &Constant) -> Result<Vec<i32>, NodeFault> {
    match &constant.data {
        // One row: [n], [1, n], or a single number.
        Data::I32(values) if constant.dims.iter().filter(|&&dim| dim != 1).count() <= 1 => Ok(values.clone()),
        Data::F32(_) => Err(NodeFault::Float),
        _ => Err(NodeFault::Operand { operand: "bias", reason: "must be a list of int32" }),
    }
}

/// Does what Relu or Clip asked for, if integers can do it exactly.
pub(super) fn settle(builder: &mut Builder, real: Real, operand: &'static str) -> Result<Operand, NodeFault> {
    let Real { id, scale, zero, clip } = real;
    let range = Range::of(builder.signed(id), zero);
    let exact = |bound: f32, end: i32| {
        let real = |q: i32| formula::dequantise(q, scale, zero);
        // A bound beyond all values binds none of them.
        let inert = if end == range.lo { bound <= real(end) } else { bound >= real(end) };
        let q = formula::quantise(bound, scale, range);
        if inert {
            Ok(end)
        } else if (real(q) - bound).abs() == 0.0 {
            Ok(q)
        } else {
            Err(NodeFault::Operand { operand, reason: "is clipped between two steps of its scale; quantise it" })
        }
    };
    let (lo, hi) = (exact(clip.low, range.lo)?, exact(clip.high, range.hi)?);
    Ok(Operand { id: builder.clamp(id, lo, hi)?, scale, zero })
}

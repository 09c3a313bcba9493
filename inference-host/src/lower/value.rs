//! What a name of the graph stands for while the graph is read.

use std::sync::Arc;

use super::compute::Compute;
use crate::{
    error::{NodeFault, Site},
    formula::{self, Range},
    ir::{Link, ValueId},
    onnx::constant::{Constant, Data},
};

#[derive(Clone)]
pub(super) enum Value {
    /// A constant as it is in the file.
    Constant(Arc<Constant>),
    /// The image as floats: only QuantizeLinear may read it.
    Image,
    /// 8-bit integers.
    Int(ValueId),
    /// Integers of 32 or 64 bits.
    Wide(ValueId),
    /// 32-bit integers on their way back to 8 bits.
    Chain(Arc<Chained>),
    /// Dequantised integers.
    Real(Real),
    /// A function of dequantised integers.
    Curve(Arc<Curve>),
    /// A dequantised constant.
    RealConstant(Arc<RealConstant>),
    /// The float result of a node, which becomes integers at the QuantizeLinear that reads it.
    Pending(Pending),
}

/// `clamp(scale · (q − zero))` of an integer tensor.
#[derive(Clone, Copy)]
pub(super) struct Real {
    pub(super) id: ValueId,
    pub(super) scale: f32,
    pub(super) zero: i32,
    pub(super) clip: Clip,
}

/// `f32(x)` of 32-bit integers after some float operations.
pub(super) struct Chained {
    pub(super) id: ValueId,
    pub(super) links: Vec<Link>,
    /// The largest that it can become, of either sign.
    pub(super) reach: f64,
}

/// What each byte of an 8-bit tensor stands for after some functions of one number.
pub(super) struct Curve {
    pub(super) id: ValueId,
    /// One for the whole tensor, or one per position of its dimension 1. None is NaN.
    pub(super) reals: Vec<[f32; 256]>,
}

impl Curve {
    /// What dequantised integers of a type stand for, clipped.
    pub(super) fn of(Real { id, scale, zero, clip }: Real, signed: bool) -> Self {
        let mut reals = *formula::reals(signed, scale, zero);
        reals.iter_mut().for_each(|real| *real = clip.of(*real));
        Self { id, reals: vec![reals] }
    }
}

/// A constant with its scales.
pub(super) struct RealConstant {
    pub(super) source: Arc<Constant>,
    /// One, or one per position along `axis`.
    pub(super) scales: Vec<f32>,
    pub(super) zeros: Vec<i32>,
    pub(super) axis: usize,
}

impl RealConstant {
    /// What its elements stand for.
    pub(super) fn reals(&self, operand: &'static str) -> Result<Vec<f32>, NodeFault> {
        let (&[scale], &[zero]) = (&self.scales[..], &self.zeros[..]) else {
            return Err(NodeFault::Operand { operand, reason: "must have one scale" });
        };
        match &self.source.data {
            Data::Byte { signed, bytes } => {
                Ok(bytes.iter().map(|&byte| formula::dequantise(formula::number(*signed, byte), scale, zero)).collect())
            }
            Data::I32(values) if zero == 0 => Ok(values.iter().map(|&q| formula::dequantise(q, scale, 0)).collect()),
            _ => Err(NodeFault::Operand { operand, reason: "must be of 8 bits, or of 32 with zero point 0" }),
        }
    }
}

#[derive(Clone)]
pub(super) struct Pending {
    pub(super) site: Site,
    pub(super) compute: Arc<Compute>,
    pub(super) clip: Clip,
}

/// What Relu and Clip did to a float: `low ≤ value ≤ high`.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Clip {
    pub(super) low: f32,
    pub(super) high: f32,
}

impl Clip {
    pub(super) const NONE: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };

    /// A number within it.
    pub(super) fn of(self, value: f32) -> f32 {
        value.max(self.low).min(self.high)
    }

    /// This one first, then `next`.
    pub(super) fn then(self, next: Self) -> Self {
        Self { low: next.of(self.low), high: next.of(self.high) }
    }
}

/// An 8-bit tensor and what it stands for.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) id: ValueId,
    pub(super) scale: f32,
    pub(super) zero: i32,
}

/// What a result is quantised to.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) signed: bool,
    pub(super) scale: f32,
    pub(super) range: Range,
}

impl Target {
    pub(super) fn new(signed: bool, scale: f32, zero: i32) -> Self {
        Self { signed, scale, range: Range::of(signed, zero) }
    }

    /// Clamping before quantising is clamping after it, because quantising never falls.
    pub(super) fn clipped(self, clip: Clip) -> Self {
        let bound = |value| formula::quantise(value, self.scale, self.range);
        Self { range: self.range.within(bound(clip.low), bound(clip.high)), ..self }
    }
}

/// Weights of a convolution or matrix product.
pub(super) struct Weights {
    pub(super) source: Arc<Constant>,
    pub(super) scales: Vec<f32>,
    pub(super) zeros: Vec<i32>,
}

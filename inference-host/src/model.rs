//! An admitted model, and its run.

use aceso_types::{ElementType, Tensor};

use crate::{
    error::InferError,
    formula,
    ir::{Op, Value},
    kernels::{Kernels, Scalar},
    plan::{Facts, Plan},
};

/// Name, type and shape of a tensor that a model takes or gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name in the graph.
    pub name: String,
    /// Its element type.
    pub ty: ElementType,
    /// Its dimensions.
    pub dims: Vec<u32>,
}

/// What the integers of an output stand for: `scale · (q − zero_point)`. For people; nothing here computes with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantisation {
    /// The real difference between neighbouring integers.
    pub scale: f32,
    /// The integer that stands for zero.
    pub zero_point: i32,
}

/// A model that was admitted: immutable, and the same function of its input on every machine.
#[derive(Debug)]
pub struct Model {
    pub(crate) plan: Plan,
    pub(crate) facts: Facts,
    pub(crate) inputs: Vec<TensorSpec>,
    pub(crate) outputs: Vec<TensorSpec>,
    pub(crate) quantisations: Vec<Option<Quantisation>>,
}

/// The set of kernels that models are planned for and run with.
pub(crate) const KERNELS: &dyn Kernels = &Scalar;

impl Model {
    /// What [`Model::run`] takes.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// What [`Model::run`] gives.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    /// What the graph says its outputs stand for, where it ends in DequantizeLinear.
    pub fn quantisations(&self) -> &[Option<Quantisation>] {
        &self.quantisations
    }

    /// What a run costs.
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// Computes the outputs.
    ///
    /// Takes one tensor per [`Model::inputs`] and gives one per [`Model::outputs`]. Takes [`Facts::peak_bytes`] of
    /// memory and a time that depends on the model alone.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, InferError> {
        if !formula::rounding_is_default() {
            return Err(InferError::Rounding);
        }
        let [input] = self.check(inputs)?;
        let Plan { values, steps, dying, input: first, outputs } = &self.plan;
        let mut buffers: Vec<Vec<u8>> = values.iter().map(|_| Vec::new()).collect();
        buffers[*first] = input.data().to_vec();
        for (step, dying) in steps.iter().zip(dying) {
            let mut y = vec![0; values[step.output].bytes()];
            let read = |at: usize| bytes(values, &buffers, step.inputs[at]);
            match &step.op {
                Op::Conv(conv, weights) => KERNELS.conv(conv, weights, read(0), &mut y),
                Op::MatMul(matmul, weights) => KERNELS.matmul(matmul, weights, read(0), &mut y),
                Op::Table(table) => KERNELS.table(table, read(0), &mut y),
                Op::ChannelTable(op) => KERNELS.channel_table(op, read(0), &mut y),
                Op::Add(tables) => KERNELS.add(tables, read(0), read(1), &mut y),
                Op::MaxPool(pool) => KERNELS.max_pool(pool, read(0), &mut y),
                Op::AveragePool(pool) => KERNELS.average_pool(pool, read(0), &mut y),
                Op::GlobalAveragePool(pool) => KERNELS.global_average_pool(pool, read(0), &mut y),
                Op::Transpose(op) => KERNELS.transpose(op, read(0), &mut y),
                Op::Concat(op) => {
                    let inputs: Vec<&[u8]> = (0..step.inputs.len()).map(read).collect();
                    KERNELS.concat(op, &inputs, &mut y);
                }
                Op::Pad(op) => KERNELS.pad(op, read(0), &mut y),
            }
            buffers[step.output] = y;
            for &id in dying {
                buffers[id] = Vec::new();
            }
        }
        let tensors = self.outputs.iter().zip(outputs).map(|(spec, &id)| {
            let data = bytes(values, &buffers, id).to_vec();
            Tensor::new(spec.ty, spec.dims.clone(), data).map_err(InferError::Tensor)
        });
        tensors.collect()
    }

    fn check<'a>(&self, inputs: &'a [Tensor]) -> Result<[&'a Tensor; 1], InferError> {
        let want = self.inputs.len();
        let ([input], [spec]) = (inputs, &self.inputs[..]) else {
            return Err(InferError::Count { want, got: inputs.len() });
        };
        if input.ty() != spec.ty {
            return Err(InferError::Type { index: 0, want: spec.ty, got: input.ty() });
        }
        if input.dims() != spec.dims {
            return Err(InferError::Shape { index: 0, want: spec.dims.clone(), got: input.dims().to_vec() });
        }
        Ok([input])
    }
}

fn bytes<'a>(values: &'a [Value], buffers: &'a [Vec<u8>], id: usize) -> &'a [u8] {
    let storage = values[id].storage;
    values[storage].constant.as_deref().unwrap_or(&buffers[storage])
}

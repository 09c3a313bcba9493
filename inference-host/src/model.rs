//! An admitted model, and its run.

use std::sync::{Mutex, PoisonError};

use aceso_types::{ElementType, Tensor};

use crate::{
    error::InferError,
    formula,
    kernels::{KernelSet, Kernels, Scratch},
    plan::{Facts, Place, Plan},
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
    pub(crate) kernels: Kernels,
    /// Memory of the last run, for the next one.
    pub(crate) idle: Mutex<Option<Memory>>,
}

/// What a run writes to. What an earlier run left there is written over before it is read.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    slots: Vec<Vec<u8>>,
    scratch: Scratch,
}

impl Model {
    /// What [`Model::run`] takes: one tensor, of u8 or i8.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// What [`Model::run`] gives: tensors of u8, i8, i32 or i64, little-endian. The first has what the manifest's labels name.
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

    /// The set of kernels that it runs with.
    pub fn kernels(&self) -> KernelSet {
        self.kernels.set()
    }

    /// Computes the outputs.
    ///
    /// Takes one tensor per [`Model::inputs`] and gives one per [`Model::outputs`]. Takes about [`Facts::peak_bytes`] of
    /// memory, which one run leaves to the next, and a time that depends on the model alone.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, InferError> {
        if !formula::rounding_is_default() {
            return Err(InferError::Rounding);
        }
        let [input] = self.check(inputs)?;
        // Whoever runs beside another brings memory of its own.
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = idle().take().unwrap_or_default();
        let outputs = self.compute(input.data(), &mut memory);
        *idle() = Some(memory);
        outputs
    }

    /// Gives back the memory that the last run has left, and with it what of its input is in there.
    pub fn forget(&self) {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn compute(&self, input: &[u8], Memory { slots, scratch }: &mut Memory) -> Result<Vec<Tensor>, InferError> {
        slots.resize_with(self.plan.slots.len(), Vec::new);
        for step in &self.plan.steps {
            // Taken out, so that the inputs can be read meanwhile: no value is computed in its input's slot.
            let mut y = std::mem::take(&mut slots[step.slot]);
            y.resize(self.plan.slots[step.slot], 0);
            let inputs: Vec<&[u8]> = step.inputs.iter().map(|&place| self.read(place, input, slots)).collect();
            step.op.run(&inputs, &mut y[..step.bytes], scratch);
            slots[step.slot] = y;
            for &slot in &step.dropped {
                slots[slot] = Vec::new();
            }
        }
        let tensors = self.outputs.iter().zip(&self.plan.outputs).enumerate().map(|(index, (spec, &place))| {
            let mut data = self.read(place, input, slots).to_vec();
            if let (0, Some(after)) = (index, self.kernels.after) {
                after(&mut data);
            }
            Tensor::new(spec.ty, spec.dims.clone(), data).map_err(InferError::Tensor)
        });
        tensors.collect()
    }

    fn read<'a>(&'a self, place: Place, input: &'a [u8], slots: &'a [Vec<u8>]) -> &'a [u8] {
        match place {
            Place::Input => input,
            Place::Constant(at) => &self.plan.constants[at],
            Place::Slot { slot, bytes } => &slots[slot][..bytes],
        }
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

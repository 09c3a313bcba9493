//! Admitted models as bytes, in the form in which they run, and back.
//!
//! What takes time before a first run is understanding the file, searching tables for lines, and bringing weights into the
//! order of one set of kernels. A packed model is what that came to: its steps one after another, each with its weights as
//! they are computed with, then the plan and what the model says of itself. Reading one is bounds and copies; the large
//! sections are not even copied, kernels read them where they lie.
//!
//! ```text
//! magic 16 │ source 8 │ model 32 │ kernels, text │ steps, count │ step … │ plan │ facts │ inputs │ outputs │ meanings
//! step: name, text │ form 1 │ fields, or weights
//! ```
//!
//! It holds for one build of this crate ([`SOURCE`]), one set of kernels and one model, which the header names; another one
//! is refused, and packs anew. Whether the bytes are those that were written is for whoever keeps them to know: what a
//! step computes is not proved a second time, so a file that was changed would compute something else, without a trace.
//! Nothing that is read here makes this panic, allocate without a bound, or read beyond the bytes; a *run* of a model from
//! bytes that nobody wrote may panic.

mod field;
mod ops;

use aceso_types::{Digest, ModelId, Tensor};

pub(crate) use self::field::{Field, LINE, Reader, Share, Writer, closed, fields};
use crate::{
    ir::Op,
    kernels::{Form, KernelSet, Kernels, Run, Set},
    model::{Model, Quantisation, TensorSpec},
    plan::{Facts, Place, Plan, Planned, StepFacts},
};

const MAGIC: &[u8; 16] = b"aceso packed one";

/// Names the source that this was built from (`build.rs`).
const SOURCE: &str = env!("ACESO_INFERENCE_SOURCE");

/// Why bytes are no packed model that this build runs with these kernels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackedError {
    /// They begin like something else.
    #[error("these are not the bytes of a packed model")]
    Magic,
    /// Another build wrote them.
    #[error("they were packed by build {got:016x}, and this is {want:016x}")]
    Build {
        /// Which.
        got: u64,
        /// This one.
        want: u64,
    },
    /// They are another model.
    #[error("they are model {got}, not {want}")]
    Model {
        /// Which.
        got: Box<ModelId>,
        /// What was asked for.
        want: Box<ModelId>,
    },
    /// They were packed for other kernels.
    #[error("they were packed for the kernels {got:?}, not {want}")]
    Kernels {
        /// Which.
        got: String,
        /// What was asked for.
        want: KernelSet,
    },
    /// Something ends too early.
    #[error("what begins at byte {at} is not there as a whole")]
    Short {
        /// Where.
        at: usize,
    },
    /// Something follows the end.
    #[error("{left} bytes follow the end")]
    Long {
        /// How many.
        left: usize,
    },
    /// Something is not what it has to be.
    #[error("before byte {at}: {what}")]
    Field {
        /// Where it ends.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// Bytes of a packed model, which begin at a cache line, as kernels like them.
#[derive(Debug)]
pub struct Packed {
    room: Vec<u8>,
    begin: usize,
    len: usize,
}

impl Packed {
    /// Room for so many bytes, all zero. They are not touched before something is written to them.
    pub fn zeros(len: usize) -> Self {
        let room = vec![0; len.saturating_add(LINE)];
        let begin = room.as_ptr().align_offset(LINE).min(LINE);
        Self { room, begin, len }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.room.get(self.begin..self.begin + self.len).unwrap_or_default()
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.room.get_mut(self.begin..self.begin + self.len).unwrap_or_default()
    }

    /// The first `len` of them.
    #[must_use]
    pub fn first(self, len: usize) -> Self {
        Self { len: self.len.min(len), ..self }
    }
}

impl From<&[u8]> for Packed {
    fn from(bytes: &[u8]) -> Self {
        let mut packed = Self::zeros(bytes.len());
        packed.bytes_mut().copy_from_slice(bytes);
        packed
    }
}

/// Writes a model while its operations are made ready.
#[derive(Debug)]
pub(crate) struct Packing {
    to: Writer,
    /// Where the number of steps stands, and how many there are.
    count_at: usize,
    steps: u64,
}

impl Packing {
    pub(crate) fn new(id: &ModelId, kernels: Kernels) -> Self {
        let mut to = Writer::default();
        to.bytes(MAGIC);
        source().write(&mut to);
        to.bytes(id.as_bytes());
        kernels.set().name().to_string().write(&mut to);
        let count_at = to.0.len();
        0u64.write(&mut to);
        Self { to, count_at, steps: 0 }
    }

    /// Makes an operation ready, and writes it.
    pub(crate) fn prepare(&mut self, op: Op, set: &dyn Set) -> Box<dyn Run> {
        self.steps += 1;
        op.name().to_string().write(&mut self.to);
        let mut fields = Writer::default();
        ops::write(&op, &mut fields);
        let ready = set.prepare(op);
        if !ready.pack(&mut self.to) {
            Form::Fields.write(&mut self.to);
            self.to.bytes(&fields.0);
        }
        ready
    }

    /// All bytes, with what is known of the model once it is planned.
    pub(crate) fn finish(self, model: &Model) -> Vec<u8> {
        let Self { mut to, count_at, steps } = self;
        if let Some(count) = to.0.get_mut(count_at..count_at + 8) {
            count.copy_from_slice(&steps.to_le_bytes());
        }
        let Plan { steps, slots, constants, outputs } = &model.plan;
        slots.write(&mut to);
        constants.write(&mut to);
        outputs.write(&mut to);
        for Planned { inputs, slot, bytes, dropped, facts, .. } in steps {
            inputs.write(&mut to);
            [*slot, *bytes].write(&mut to);
            dropped.write(&mut to);
            [facts.macs, facts.depth, facts.bytes, facts.gas].write(&mut to);
        }
        model.facts.write(&mut to);
        model.inputs.write(&mut to);
        model.outputs.write(&mut to);
        model.quantisations.write(&mut to);
        to.0
    }
}

fn source() -> u64 {
    // What the build script writes is a number.
    SOURCE.parse().unwrap_or_default()
}

/// A model from its packed bytes, for the kernels that they were packed for. It gives the same outputs, and costs the same, as
/// the model that was packed.
///
/// The bytes must be those that were written for this model; see the module's first lines.
///
/// # Errors
/// Where they are of another build, model or set of kernels, end early, or are none.
pub fn unpack(packed: Packed, id: &ModelId, kernels: Kernels) -> Result<Model, PackedError> {
    let mut reader = Reader::new(packed);
    let from = &mut reader;
    header(from, id, kernels)?;
    let count = u64::read(from)?;
    let mut ready = Vec::new();
    for _ in 0..count {
        ready.push(step(from, kernels)?);
    }
    let plan = plan(ready, from)?;
    let (facts, inputs) = (Facts::read(from)?, Vec::<TensorSpec>::read(from)?);
    let (outputs, quantisations) = (Vec::<TensorSpec>::read(from)?, Vec::<Option<Quantisation>>::read(from)?);
    if from.left() > 0 {
        return Err(PackedError::Long { left: from.left() });
    }
    if outputs.len() != plan.outputs.len() || quantisations.len() != outputs.len() || inputs.len() != 1 {
        return Err(from.wrong("there are other inputs and outputs than planned"));
    }
    if inputs.iter().chain(&outputs).any(|spec| Tensor::bytes(spec.ty, &spec.dims).is_err()) {
        return Err(from.wrong("no tensor has this shape"));
    }
    Ok(Model { plan, facts, inputs, outputs, quantisations, kernels, idle: Default::default() })
}

fn header(from: &mut Reader, id: &ModelId, kernels: Kernels) -> Result<(), PackedError> {
    if from.take(MAGIC.len()).map_err(|_| PackedError::Magic)? != MAGIC {
        return Err(PackedError::Magic);
    }
    let (got, want) = (u64::read(from)?, source());
    if got != want {
        return Err(PackedError::Build { got, want });
    }
    let got = <[u8; 32]>::read(from)?;
    if got != *id.as_bytes() {
        return Err(PackedError::Model { got: Box::new(ModelId(Digest(got))), want: Box::new(*id) });
    }
    let got = String::read(from)?;
    if got != kernels.set().name() {
        return Err(PackedError::Kernels { got: got.chars().take(40).collect(), want: kernels.set() });
    }
    Ok(())
}

/// What a step is called, and the step, ready.
fn step(from: &mut Reader, kernels: Kernels) -> Result<(&'static str, Box<dyn Run>), PackedError> {
    let name = String::read(from)?;
    Ok(match Form::read(from)? {
        Form::Fields => {
            let op = ops::read(&name, from)?;
            (op.name(), kernels.chosen().plain(op))
        }
        Form::Lines => ("table per channel", kernels.chosen().unpack(Form::Lines, from)?),
        form => (ops::packed_name(&name, from)?, kernels.chosen().unpack(form, from)?),
    })
}

fn plan(ready: Vec<(&'static str, Box<dyn Run>)>, from: &mut Reader) -> Result<Plan, PackedError> {
    let (slots, constants) = (Vec::<usize>::read(from)?, Vec::<Vec<u8>>::read(from)?);
    let lies = |place: &Place| match *place {
        Place::Input => true,
        Place::Constant(at) => at < constants.len(),
        Place::Slot { slot, bytes } => slots.get(slot).is_some_and(|has| bytes <= *has),
    };
    let outputs = Vec::<Place>::read(from)?;
    let mut steps = Vec::with_capacity(ready.len());
    for (name, op) in ready {
        let inputs = Vec::<Place>::read(from)?;
        let [slot, bytes] = Field::read(from)?;
        let dropped = Vec::<usize>::read(from)?;
        let [macs, depth, of_result, gas] = Field::read(from)?;
        let itself = |place: &Place| matches!(place, Place::Slot { slot: of, .. } if *of == slot);
        if !inputs.iter().all(lies) || inputs.iter().any(itself) || !lies(&Place::Slot { slot, bytes }) {
            return Err(from.wrong("a step reads or writes what is not there"));
        }
        if dropped.iter().any(|&slot| slot >= slots.len()) {
            return Err(from.wrong("a step lets go of what is not there"));
        }
        let facts = StepFacts { name, macs, depth, bytes: of_result, gas };
        steps.push(Planned { op, inputs, slot, bytes, dropped, facts });
    }
    if !outputs.iter().all(lies) {
        return Err(from.wrong("an output lies where nothing is"));
    }
    Ok(Plan { steps, slots, constants, outputs })
}

fields!(Facts { macs, element_ops, peak_bytes, weight_bytes, nodes, gas });
fields!(TensorSpec { name, ty, dims });
fields!(Quantisation { scale, zero_point });

impl Field for Place {
    fn write(&self, to: &mut Writer) {
        match *self {
            Self::Input => 0u8.write(to),
            Self::Constant(at) => {
                1u8.write(to);
                at.write(to);
            }
            Self::Slot { slot, bytes } => {
                2u8.write(to);
                [slot, bytes].write(to);
            }
        }
    }

    fn read(from: &mut Reader) -> Result<Self, PackedError> {
        Ok(match u8::read(from)? {
            0 => Self::Input,
            1 => Self::Constant(usize::read(from)?),
            2 => {
                let [slot, bytes] = Field::read(from)?;
                Self::Slot { slot, bytes }
            }
            _ => return Err(from.wrong("nothing lies there")),
        })
    }
}

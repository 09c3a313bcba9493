//! `wasi_ephemeral_nn`: models, in the shape of wasi-nn's witx interface.
//!
//! A graph is a registered model, named by the 64 hexadecimal digits of its id; models in bytes are not taken. A context
//! is filled, computed once, and asked for its outputs; setting an input again begins a new round. Several graphs and
//! contexts live beside each other. Handles count up from 0 in each frame and die with it. Elements are the witx's u8, i32
//! and i64, and as an extension i8 under the number 6, the first that the witx leaves free.
//!
//! Results are errno numbers of the witx: a wrong handle, shape, pointer or order is answered with one of them and the
//! contract goes on; a refusal by the chain ends the frame. `missing_memory` is never answered: what has no memory is not
//! stored. Each call costs [`price::HOST_CALL`], and what it copies, loads or runs is paid before it is done.

use aceso_types::tensor::RANK_MAX;
use aceso_types::{ElementType, ModelId, Tensor};

use super::declare;
use crate::limits::{CONTEXTS_MAX, GRAPHS_MAX, TENSORS_BYTES_MAX};
use crate::memory::Host;
use crate::{HostError, ModelFacts, TensorSpec, VmError, price};

/// The name that a contract imports it under.
pub(super) const MODULE: &str = "wasi_ephemeral_nn";

/// wasi-nn's error numbers (`witx/wasi-nn.witx`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errno {
    Success = 0,
    InvalidArgument = 1,
    InvalidEncoding = 2,
    Busy = 4,
    RuntimeError = 5,
    UnsupportedOperation = 6,
    TooLarge = 7,
    NotFound = 8,
}

impl From<Errno> for u32 {
    fn from(errno: Errno) -> Self {
        errno as Self
    }
}

declare! { MODULE;
    "load" = load(builders: u32, count: u32, encoding: u32, target: u32, graph: u32) -> u32;
    "load_by_name" = load_by_name(name: u32, length: u32, graph: u32) -> u32;
    "init_execution_context" = init_execution_context(graph: u32, context: u32) -> u32;
    "set_input" = set_input(context: u32, index: u32, tensor: u32) -> u32;
    "compute" = compute(context: u32) -> u32;
    "get_output" = get_output(context: u32, index: u32, out: u32, room: u32, written: u32) -> u32;
}

/// Digits of a model's name.
const NAME: u32 = 64;

/// The graphs and contexts of one frame.
#[derive(Default)]
pub(super) struct Inference {
    graphs: Vec<ModelFacts>,
    contexts: Vec<Context>,
}

/// A context: its graph, and how far it has come.
struct Context {
    graph: usize,
    stage: Stage,
}

/// How far a context has come.
enum Stage {
    /// Inputs are being set.
    Filling {
        inputs: Vec<Option<Tensor>>,
        /// The read that the input came from, if one did: then nothing may be set in its place.
        read: Option<u32>,
    },
    /// The model has run.
    Computed {
        outputs: Vec<Tensor>,
        /// What is to be known of the read, in JSON, if an input came from one.
        info: Option<Vec<u8>>,
    },
}

impl Stage {
    fn empty(inputs: usize) -> Self {
        Self::Filling { inputs: vec![None; inputs], read: None }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Filling { inputs, .. } => inputs.iter().flatten().map(|tensor| tensor.data().len()).sum(),
            Self::Computed { outputs, .. } => outputs.iter().map(|tensor| tensor.data().len()).sum(),
        }
    }

    /// Bytes of one input.
    fn bytes_of(&self, index: u32) -> usize {
        match self {
            Self::Filling { inputs, .. } => {
                let input = usize::try_from(index).ok().and_then(|index| inputs.get(index));
                input.and_then(Option::as_ref).map_or(0, |tensor| tensor.data().len())
            }
            // Setting one drops them all.
            Self::Computed { .. } => self.bytes(),
        }
    }
}

/// `load(builders: *{*u8, u32}, count: u32, encoding: u32, target: u32, graph: *u32) -> errno`
///
/// Models are registered with the chain, not handed over by contracts.
fn load(_: &mut Host<'_>, _: u32, _: u32, _: u32, _: u32, _: u32) -> Result<u32, VmError> {
    Ok(Errno::UnsupportedOperation.into())
}

/// `load_by_name(name: *u8, length: u32, graph: *u32) -> errno`
///
/// Makes a registered model a graph of this frame, at the price of a cold load.
fn load_by_name(host: &mut Host<'_>, name: u32, length: u32, graph: u32) -> Result<u32, VmError> {
    if length != NAME {
        return Ok(Errno::InvalidArgument.into());
    }
    let name = host.read(name, length)?.and_then(|name| String::from_utf8(name).ok());
    let (Some(name), true) = (name, host.holds(graph, 4)?) else { return Ok(Errno::InvalidArgument.into()) };
    if host.frame().inference.graphs.len() >= GRAPHS_MAX {
        return Ok(Errno::TooLarge.into());
    }
    host.charge(price::MODEL)?;

    let (limit, left) = (host.frame().limit, host.gas_left()?);
    let facts = match host.ask_gently(|backend| backend.model(&name, left))? {
        Ok(facts) => facts,
        Err(HostError::NotFound) => return Ok(Errno::NotFound.into()),
        Err(error) => return Err(VmError::from_host(error, limit)),
    };
    host.charge(facts.load_gas)?;

    let graphs = &mut host.frame().inference.graphs;
    graphs.push(facts);
    let handle = handle(graphs.len());
    host.write(graph, &handle)?;
    Ok(Errno::Success.into())
}

/// `init_execution_context(graph: u32, context: *u32) -> errno`
///
/// Opens a context in which no input is set.
fn init_execution_context(host: &mut Host<'_>, graph: u32, context: u32) -> Result<u32, VmError> {
    let holds = host.holds(context, 4)?;
    let inference = &mut host.frame().inference;
    let graph = usize::try_from(graph).unwrap_or(usize::MAX);
    let (Some(facts), true) = (inference.graphs.get(graph), holds) else {
        return Ok(Errno::InvalidArgument.into());
    };
    if inference.contexts.len() >= CONTEXTS_MAX {
        return Ok(Errno::TooLarge.into());
    }
    let stage = Stage::empty(facts.inputs.len());
    inference.contexts.push(Context { graph, stage });
    let handle = handle(inference.contexts.len());
    host.write(context, &handle)?;
    Ok(Errno::Success.into())
}

/// `set_input(context: u32, index: u32, tensor: *{*u32, u32, u8, *u8, u32}) -> errno`
///
/// Copies a tensor, whose type and shape must be the model's.
fn set_input(host: &mut Host<'_>, context: u32, index: u32, tensor: u32) -> Result<u32, VmError> {
    let spec = match host.frame().inference.settable(context, index) {
        Ok((spec, _)) => spec,
        Err(errno) => return Ok(errno.into()),
    };
    let Some(record) = Record::read(host, tensor)? else { return Ok(Errno::InvalidArgument.into()) };
    let Some(ty) = record.ty else { return Ok(Errno::InvalidEncoding.into()) };
    if spec.ty != ty || spec.dims != record.dims {
        return Ok(Errno::InvalidArgument.into());
    }
    host.charge(price::BYTES_IN.saturating_mul(u64::from(record.length)))?;

    let room = host.frame().inference.room_for(context, index);
    if usize::try_from(record.length).map_or(true, |length| length > room) {
        return Ok(Errno::TooLarge.into());
    }
    let Some(data) = host.read(record.data, record.length)? else { return Ok(Errno::InvalidArgument.into()) };
    let Ok(tensor) = Tensor::new(ty, record.dims, data) else { return Ok(Errno::InvalidArgument.into()) };
    host.frame().inference.fill(context, index, tensor, None);
    Ok(Errno::Success.into())
}

/// `compute(context: u32) -> errno`
///
/// Runs the model once, on inputs that are all set. Its price, which depends on no input, is paid first, and so is the
/// receipt if an input came from a read.
fn compute(host: &mut Host<'_>, context: u32) -> Result<u32, VmError> {
    let (facts, inputs, read) = match host.frame().inference.ready(context) {
        Ok(ready) => ready,
        Err(errno) => return Ok(errno.into()),
    };
    host.charge(facts.run_gas)?;
    if read.is_some() {
        host.charge(price::RECEIPT)?;
    }

    let outputs = host.ask(|backend| backend.run(&facts.id, &inputs, read))?;
    let info = match read {
        Some(read) => Some(host.ask(|backend| backend.finish(read, &outputs))?),
        None => None,
    };
    host.frame().inference.computed(context, outputs, info);
    Ok(Errno::Success.into())
}

/// `get_output(context: u32, index: u32, out: *u8, room: u32, written: *u32) -> errno`
///
/// Copies an output tensor's bytes. With too little room it says how much it takes.
fn get_output(
    host: &mut Host<'_>,
    context: u32,
    index: u32,
    out: u32,
    room: u32,
    written: u32,
) -> Result<u32, VmError> {
    answer(host, |inference| inference.output(context, index), (out, room, written))
}

/// Copies bytes out and says how many there are; with too little room it says only that. Nothing is copied unpaid.
pub(super) fn answer(
    host: &mut Host<'_>,
    found: impl Fn(&mut Inference) -> Result<&[u8], Errno>,
    (out, room, written): (u32, u32, u32),
) -> Result<u32, VmError> {
    let length = match found(&mut host.frame().inference) {
        Ok(bytes) => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        Err(errno) => return Ok(errno.into()),
    };
    if !host.write(written, &length.to_le_bytes())? {
        return Ok(Errno::InvalidArgument.into());
    }
    if length > room {
        return Ok(Errno::TooLarge.into());
    }
    host.charge(price::BYTES_OUT.saturating_mul(u64::from(length)))?;
    let bytes = found(&mut host.frame().inference).map(<[u8]>::to_vec).unwrap_or_default();
    let done = host.write(out, &bytes)?;
    Ok(if done { Errno::Success } else { Errno::InvalidArgument }.into())
}

impl Inference {
    fn context(&mut self, context: u32) -> Result<(&mut Context, &ModelFacts), Errno> {
        let context = usize::try_from(context).ok().and_then(|index| self.contexts.get_mut(index));
        let context = context.ok_or(Errno::InvalidArgument)?;
        let facts = self.graphs.get(context.graph).ok_or(Errno::InvalidArgument)?;
        Ok((context, facts))
    }

    /// What an input must be that may be set now, and the model. One that came from a read stays as it is until the
    /// model has run: the receipt vouches for it.
    pub(super) fn settable(&mut self, context: u32, index: u32) -> Result<(TensorSpec, &ModelFacts), Errno> {
        let (context, facts) = self.context(context)?;
        if let Stage::Filling { read: Some(_), .. } = context.stage {
            return Err(Errno::Busy);
        }
        let spec = usize::try_from(index).ok().and_then(|index| facts.inputs.get(index));
        Ok((spec.cloned().ok_or(Errno::InvalidArgument)?, facts))
    }

    /// What the only input of a model must be, and the model: a receipt names one image and nothing beside it.
    pub(super) fn readable(&mut self, context: u32, index: u32) -> Result<(TensorSpec, ModelId), Errno> {
        match self.settable(context, index)? {
            (spec, facts) if facts.inputs.len() == 1 => Ok((spec, facts.id)),
            _ => Err(Errno::UnsupportedOperation),
        }
    }

    /// Bytes that an input may have without all contexts holding too many.
    pub(super) fn room_for(&self, context: u32, index: u32) -> usize {
        let context = usize::try_from(context).ok().and_then(|context| self.contexts.get(context));
        let replaced = context.map_or(0, |context| context.stage.bytes_of(index));
        TENSORS_BYTES_MAX.saturating_sub(self.held().saturating_sub(replaced))
    }

    fn held(&self) -> usize {
        self.contexts.iter().map(|context| context.stage.bytes()).sum()
    }

    /// Sets an input. A computed context begins a new round.
    pub(super) fn fill(&mut self, context: u32, index: u32, tensor: Tensor, from: Option<u32>) {
        let Ok((context, facts)) = self.context(context) else { return };
        if matches!(context.stage, Stage::Computed { .. }) {
            context.stage = Stage::empty(facts.inputs.len());
        }
        if let Stage::Filling { inputs, read } = &mut context.stage {
            if let Some(input) = usize::try_from(index).ok().and_then(|index| inputs.get_mut(index)) {
                *input = Some(tensor);
            }
            *read = read.or(from);
        }
    }

    /// Model, inputs and read of a context whose inputs are all set. Taking them empties the context: if the model does
    /// not run, the frame ends.
    fn ready(&mut self, context: u32) -> Result<(ModelFacts, Vec<Tensor>, Option<u32>), Errno> {
        let held = self.held();
        let (context, facts) = self.context(context)?;
        let outputs = facts.outputs.iter().map(|spec| Tensor::bytes(spec.ty, &spec.dims).unwrap_or(TENSORS_BYTES_MAX));
        let outputs = outputs.fold(0usize, usize::saturating_add);
        if outputs.saturating_add(held.saturating_sub(context.stage.bytes())) > TENSORS_BYTES_MAX {
            return Err(Errno::TooLarge);
        }
        match &mut context.stage {
            Stage::Filling { inputs, read } if inputs.iter().all(Option::is_some) => {
                Ok((facts.clone(), inputs.iter_mut().filter_map(Option::take).collect(), *read))
            }
            _ => Err(Errno::RuntimeError),
        }
    }

    fn computed(&mut self, context: u32, outputs: Vec<Tensor>, info: Option<Vec<u8>>) {
        if let Ok((context, _)) = self.context(context) {
            context.stage = Stage::Computed { outputs, info };
        }
    }

    fn output(&mut self, context: u32, index: u32) -> Result<&[u8], Errno> {
        match &self.context(context)?.0.stage {
            Stage::Computed { outputs, .. } => {
                let output = usize::try_from(index).ok().and_then(|index| outputs.get(index));
                output.map(Tensor::data).ok_or(Errno::InvalidArgument)
            }
            Stage::Filling { .. } => Err(Errno::RuntimeError),
        }
    }

    /// What is to be known of the read that a computed context's input came from.
    pub(super) fn info(&mut self, context: u32) -> Result<&[u8], Errno> {
        match &self.context(context)?.0.stage {
            Stage::Computed { info: Some(info), .. } => Ok(info),
            Stage::Computed { info: None, .. } => Err(Errno::NotFound),
            Stage::Filling { .. } => Err(Errno::RuntimeError),
        }
    }
}

/// The handle of the last of so many, as the contract reads it.
fn handle(count: usize) -> [u8; 4] {
    u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX).to_le_bytes()
}

/// A tensor as a contract describes it: 20 bytes, `dims: *u32, rank: u32, type: u8, pad: [u8; 3], data: *u8, length: u32`.
struct Record {
    dims: Vec<u32>,
    /// None for the floats and for unknown numbers.
    ty: Option<ElementType>,
    data: u32,
    length: u32,
}

impl Record {
    /// Reads the description and the dimensions; none if a pointer leads outside or there are too many dimensions.
    fn read(host: &mut Host<'_>, pointer: u32) -> Result<Option<Self>, VmError> {
        let Some(record) = host.read(pointer, 20)? else { return Ok(None) };
        let words: Vec<u32> =
            record.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_le_bytes)).collect();
        let [dims, rank, ty, data, length] = words[..] else { return Ok(None) };
        if usize::try_from(rank).map_or(true, |rank| rank > RANK_MAX) {
            return Ok(None);
        }
        let Some(dims) = host.read(dims, rank.saturating_mul(4))? else { return Ok(None) };
        let dims = dims.chunks_exact(4).map(|dim| dim.try_into().map_or(0, u32::from_le_bytes)).collect();
        let [ty, ..] = ty.to_le_bytes();
        Ok(Some(Self { dims, ty: ElementType::from_tag(ty), data, length }))
    }
}

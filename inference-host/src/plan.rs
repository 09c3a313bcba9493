//! What a run costs whatever the image, and where each value lies while it runs.

use crate::{
    arrange::arrange,
    error::ModelRefused,
    ir::{Filter, Graph, Op, Step, Value, ValueId},
    kernels::Run,
    meter,
};

/// Most multiplications of a run: eight times ResNet-50, some seconds of scalar code.
const MACS_MAX: u64 = 1 << 35;
/// Most other byte operations of a run.
const ELEMENT_OPS_MAX: u64 = 1 << 32;
/// Most memory that values take at once in a run.
const PEAK_MAX: u64 = 256 << 20;

/// What a run costs, the same for every input and on every machine.
///
/// Reckoned from the graph as it is written. What a set of kernels really takes depends on its layouts: packed weights are
/// at most twice as large, and the input of a product may exist a second time with its padding, in numbers of 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Multiplications with accumulation.
    pub macs: u64,
    /// Other operations, counted in bytes looked at or written.
    pub element_ops: u64,
    /// Most memory that a run takes at once, in bytes, beside the weights.
    pub peak_bytes: u64,
    /// Memory of weights and constants, in bytes, as they are computed with.
    pub weight_bytes: u64,
    /// Operations.
    pub nodes: u32,
    /// Wasm gas of the operations ([`meter`]).
    pub gas: u64,
}

/// What a step of a plan is and costs, for benches. Steps that put bytes into another order are among them.
#[derive(Clone, Copy, Debug)]
pub struct StepFacts {
    /// The operation's name.
    pub name: &'static str,
    /// Multiplications with accumulation.
    pub macs: u64,
    /// Products in each sum of such.
    pub depth: u64,
    /// Bytes of the result.
    pub bytes: u64,
    /// Wasm gas.
    pub gas: u64,
}

impl Facts {
    /// Bytes that a model takes while it is ready, for whoever keeps several: its weights, and what a run takes.
    pub fn resident(&self) -> u64 {
        self.weight_bytes.saturating_add(self.peak_bytes)
    }

    pub(crate) fn of(graph: &Graph, input: ValueId, outputs: &[ValueId]) -> Result<Self, ModelRefused> {
        let (mut macs, mut element_ops, mut weight_bytes, mut gas) = (0u64, 0u64, 0u64, 0u64);
        for step in &graph.steps {
            let output = &graph.values[step.output];
            gas = gas.saturating_add(meter::step(&step.op, output.elements()));
            macs = macs.saturating_add(step.op.macs(output.elements()));
            element_ops = element_ops.saturating_add(step.op.element_ops(output.bytes()));
            weight_bytes = weight_bytes.saturating_add(step.op.filter().map_or(0, Filter::packed));
        }
        for constant in graph.values.iter().filter_map(|value| value.constant.as_ref()) {
            weight_bytes = weight_bytes.saturating_add(constant.len() as u64);
        }
        let peak_bytes = peak(graph, input, &dying(graph, outputs));
        bound("multiplications", macs, MACS_MAX)?;
        bound("element operations", element_ops, ELEMENT_OPS_MAX)?;
        bound("bytes of values at once", peak_bytes, PEAK_MAX)?;
        let nodes = u32::try_from(graph.steps.len()).unwrap_or(u32::MAX);
        Ok(Self { macs, element_ops, peak_bytes, weight_bytes, nodes, gas })
    }
}

/// Operations with their weights, ready to run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// In the order of computation.
    pub(crate) steps: Vec<Planned>,
    /// Bytes of each slot. Values that are not alive at the same time share slots.
    pub(crate) slots: Vec<usize>,
    pub(crate) constants: Vec<Vec<u8>>,
    pub(crate) outputs: Vec<Place>,
}

#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) op: Box<dyn Run>,
    pub(crate) inputs: Vec<Place>,
    /// Slot of the result, and its bytes.
    pub(crate) slot: usize,
    pub(crate) bytes: usize,
    /// Slots whose memory goes after this step, because nobody reads them again and nobody shares them.
    pub(crate) dropped: Vec<usize>,
    pub(crate) facts: StepFacts,
}

/// Where a value lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// It is what the run was given.
    Input,
    /// Position in [`Plan::constants`].
    Constant(usize),
    Slot {
        slot: usize,
        bytes: usize,
    },
}

impl Plan {
    /// Plans a graph, whose operations `prepare` makes ready.
    pub(crate) fn new(
        graph: Graph,
        input: ValueId,
        outputs: &[ValueId],
        mut prepare: impl FnMut(Op) -> Box<dyn Run>,
    ) -> Self {
        let (graph, outputs) = arrange(graph, input, outputs);
        let dying = dying(&graph, &outputs);
        let Graph { values, steps } = graph;
        let (mut constants, mut places) = (Vec::new(), vec![Place::Input; values.len()]);
        let bytes: Vec<usize> = values.iter().map(Value::bytes).collect();
        for (id, value) in values.into_iter().enumerate() {
            if let Some(constant) = value.constant {
                places[id] = Place::Constant(constants.len());
                constants.push(constant);
            }
        }
        let peak = values_at_once(&steps, &bytes, &dying);
        let mut slots = Slots::new(true);
        let mut assigned = slots.assign(&steps, &bytes, &dying);
        if slots.bytes.iter().sum::<usize>() > peak.saturating_mul(2) {
            slots = Slots::new(false);
            assigned = slots.assign(&steps, &bytes, &dying);
        }
        let mut planned = Vec::with_capacity(steps.len());
        for ((Step { op, inputs, output, .. }, slot), dying) in steps.into_iter().zip(assigned).zip(&dying) {
            places[output] = Place::Slot { slot, bytes: bytes[output] };
            let inputs = inputs.into_iter().map(|id| places[id]).collect();
            let slot_of = |&id: &ValueId| match places[id] {
                Place::Slot { slot, .. } if !slots.shared => Some(slot),
                _ => None,
            };
            let dropped = dying.iter().filter_map(slot_of).collect();
            let bytes = bytes[output];
            let elements = bytes / op.width();
            let facts = StepFacts {
                name: op.name(),
                macs: op.macs(elements),
                depth: op.depth() as u64,
                bytes: bytes as u64,
                gas: meter::step(&op, elements),
            };
            planned.push(Planned { op: prepare(op), inputs, slot, bytes, dropped, facts });
        }
        let outputs = outputs.into_iter().map(|id| places[id]).collect();
        Self { steps: planned, slots: slots.bytes, constants, outputs }
    }
}

/// Slots of computed values, which are kept from run to run.
struct Slots {
    /// Whether values share slots. If not, each has its own, whose memory goes when it dies.
    shared: bool,
    bytes: Vec<usize>,
    free: Vec<usize>,
}

impl Slots {
    fn new(shared: bool) -> Self {
        Self { shared, bytes: Vec::new(), free: Vec::new() }
    }

    /// The slot of each step's result.
    fn assign(&mut self, steps: &[Step], bytes: &[usize], dying: &[Vec<ValueId>]) -> Vec<usize> {
        let mut slot_of = vec![None; bytes.len()];
        let mut assigned = Vec::with_capacity(steps.len());
        for (step, dying) in steps.iter().zip(dying) {
            let slot = self.take(bytes[step.output]);
            slot_of[step.output] = Some(slot);
            assigned.push(slot);
            if self.shared {
                // The input and constants have none.
                self.free.extend(dying.iter().filter_map(|&id| slot_of[id]));
            }
        }
        assigned
    }

    /// A free slot: the smallest that is large enough, else the largest, which grows.
    fn take(&mut self, bytes: usize) -> usize {
        let fit = |&at: &usize| {
            let has = self.bytes[self.free[at]];
            if has >= bytes { (false, has - bytes) } else { (true, bytes - has) }
        };
        let Some(at) = (0..self.free.len()).min_by_key(fit) else {
            self.bytes.push(bytes);
            return self.bytes.len() - 1;
        };
        let slot = self.free.swap_remove(at);
        self.bytes[slot] = self.bytes[slot].max(bytes);
        slot
    }
}

/// Most bytes of computed values that are alive together.
fn values_at_once(steps: &[Step], bytes: &[usize], dying: &[Vec<ValueId>]) -> usize {
    let mut computed = vec![false; bytes.len()];
    let (mut live, mut peak) = (0, 0);
    for (step, dying) in steps.iter().zip(dying) {
        computed[step.output] = true;
        live += bytes[step.output];
        peak = peak.max(live);
        live -= dying.iter().filter(|&&id| computed[id]).map(|&id| bytes[id]).sum::<usize>();
    }
    peak
}

/// For each step the storages that are read there for the last time, and no output of the graph.
fn dying(graph: &Graph, outputs: &[ValueId]) -> Vec<Vec<ValueId>> {
    let storage = |id: ValueId| graph.values[id].storage;
    let mut last = vec![None; graph.values.len()];
    for (at, step) in graph.steps.iter().enumerate() {
        for &id in step.inputs.iter().chain([&step.output]) {
            last[storage(id)] = Some(at);
        }
    }
    for &output in outputs {
        last[storage(output)] = None;
    }
    let mut dying = vec![Vec::new(); graph.steps.len()];
    for (id, at) in last.into_iter().enumerate() {
        if let Some(at) = at.filter(|_| graph.values[id].constant.is_none()) {
            dying[at].push(id);
        }
    }
    dying
}

fn peak(graph: &Graph, input: ValueId, dying: &[Vec<ValueId>]) -> u64 {
    let bytes = |id: ValueId| graph.values[id].bytes() as u64;
    let mut live = bytes(input);
    let mut peak = live;
    for (step, dying) in graph.steps.iter().zip(dying) {
        live += bytes(step.output);
        peak = peak.max(live + step.op.scratch());
        live -= dying.iter().map(|&id| bytes(id)).sum::<u64>();
    }
    peak
}

fn bound(what: &'static str, got: u64, max: u64) -> Result<(), ModelRefused> {
    if got > max { Err(ModelRefused::Bound { what, got, max }) } else { Ok(()) }
}

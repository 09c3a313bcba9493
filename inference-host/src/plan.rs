//! When each value is born and dies, and what a run costs whatever the image.

use crate::{
    error::ModelRefused,
    ir::{Filter, Graph, Step, Value, ValueId},
    kernels::{Kernels, Packed},
};

/// Most multiplications of a run: eight times ResNet-50, some seconds of scalar code.
const MACS_MAX: u64 = 1 << 35;
/// Most other byte operations of a run.
const ELEMENT_OPS_MAX: u64 = 1 << 32;
/// Most memory that values take at once in a run.
const PEAK_MAX: u64 = 256 << 20;

/// What a run costs, the same for every input.
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
}

/// Operations with their weights, ready to run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) values: Vec<Value>,
    /// In the order of computation, each with its weights.
    pub(crate) steps: Vec<Step<Packed>>,
    /// Values whose bytes nobody reads after a step.
    pub(crate) dying: Vec<Vec<ValueId>>,
    pub(crate) input: ValueId,
    pub(crate) outputs: Vec<ValueId>,
}

impl Plan {
    /// Plans a graph for a set of kernels.
    pub(crate) fn new(
        graph: Graph,
        input: ValueId,
        outputs: Vec<ValueId>,
        kernels: &dyn Kernels,
    ) -> Result<(Self, Facts), ModelRefused> {
        let dying = dying(&graph, &outputs);
        let (mut macs, mut element_ops) = (0u64, 0u64);
        for step in &graph.steps {
            let output = graph.values[step.output].bytes();
            macs = macs.saturating_add(step.op.macs(output));
            element_ops = element_ops.saturating_add(step.op.element_ops(output));
        }
        let peak_bytes = peak(&graph, input, &dying);
        bound("multiplications", macs, MACS_MAX)?;
        bound("element operations", element_ops, ELEMENT_OPS_MAX)?;
        bound("bytes of values at once", peak_bytes, PEAK_MAX)?;

        let Graph { values, steps } = graph;
        let mut held = 0u64;
        let mut pack = |filter: &Filter| {
            let packed = kernels.pack(filter);
            held += packed.bytes() as u64;
            packed
        };
        let step = |Step { op, inputs, output }: Step| Step { op: op.pack(&mut pack), inputs, output };
        let steps: Vec<Step<Packed>> = steps.into_iter().map(step).collect();
        let constants = values.iter().filter_map(|value| value.constant.as_ref());
        let weight_bytes = held + constants.map(|bytes| bytes.len() as u64).sum::<u64>();
        let nodes = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        let facts = Facts { macs, element_ops, peak_bytes, weight_bytes, nodes };
        Ok((Self { values, steps, dying, input, outputs }, facts))
    }
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

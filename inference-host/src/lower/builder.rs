//! The growing list of operations.

use std::{cell::Cell, sync::Arc};

use aceso_types::ElementType;

use super::{
    compute::shape,
    value::{Clip, Curve, Operand, Real, Target},
};
use crate::{
    error::{NodeFault, Site, TOO_MANY_PLACES},
    formula::{self, Range},
    ir::{Centre, ChannelTable, Concat, Graph, Mul, Op, Pick, Step, Transpose, Value, ValueId, byte_type},
};

/// Most bytes of one value, and of one operation's working memory.
const VALUE_MAX: u64 = 64 << 20;
/// Most bytes of weights and parameters, in the form in which they are computed with. One constant may be read by many
/// nodes, and each keeps its own.
const HELD_MAX: u64 = 384 << 20;
/// What of it every file may have, and how much more with each of its bytes: a weight alone in its row takes 48.
const HELD_BASE: u64 = 64 << 20;
const HELD_PER_BYTE: u64 = 64;
/// Most values of functions that are summed up from series, some microseconds each.
const FUNCTIONS_MAX: u64 = 1 << 22;
/// What of it every file may have, and for how many of its bytes one more: 512 tables, and one for each KiB.
const FUNCTIONS_BASE: u64 = 512 * TABLE;
const BYTES_PER_FUNCTION: u64 = 4;
/// Values of a table.
const TABLE: u64 = 256;
/// Most tensors: eight for each node.
const VALUES_MAX: usize = 1 << 16;
/// Most positions that one operation picks, all dimensions together.
const PLACES_MAX: usize = 1 << 18;

pub(super) struct Builder {
    pub(super) graph: Graph,
    /// The node that operations are added for.
    pub(super) site: Arc<Site>,
    held: Cell<u64>,
    held_max: u64,
    functions: Cell<u64>,
    functions_max: u64,
}

impl Builder {
    /// For a file of so many bytes: what it may ask for grows with its length.
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            graph: Graph::default(),
            site: Arc::default(),
            held: Cell::new(0),
            held_max: bytes.saturating_mul(HELD_PER_BYTE).saturating_add(HELD_BASE).min(HELD_MAX),
            functions: Cell::new(0),
            functions_max: (bytes / BYTES_PER_FUNCTION).saturating_add(FUNCTIONS_BASE).min(FUNCTIONS_MAX),
        }
    }

    pub(super) fn dims(&self, id: ValueId) -> &[usize] {
        &self.graph.values[id].dims
    }

    pub(super) fn ty(&self, id: ValueId) -> ElementType {
        self.graph.values[id].ty
    }

    /// Whether an 8-bit value is signed.
    pub(super) fn signed(&self, id: ValueId) -> bool {
        self.ty(id) == ElementType::I8
    }

    /// Sets memory aside for weights and parameters.
    pub(super) fn hold(&self, bytes: u64) -> Result<(), NodeFault> {
        let (held, max) = (self.held.get().saturating_add(bytes), self.held_max);
        self.held.set(held);
        if held > max { Err(NodeFault::TooLarge { bytes: held, max }) } else { Ok(()) }
    }

    /// Sets memory aside for tables of reals.
    pub(super) fn hold_reals(&self, tables: usize) -> Result<(), NodeFault> {
        self.hold((tables as u64).saturating_mul(4 * TABLE))
    }

    /// Sets time aside for tables of a function that is summed up from a series.
    pub(super) fn compute(&self, tables: usize) -> Result<(), NodeFault> {
        let (values, max) =
            (self.functions.get().saturating_add((tables as u64).saturating_mul(TABLE)), self.functions_max);
        self.functions.set(values);
        if values > max { Err(NodeFault::Functions { values, max }) } else { Ok(()) }
    }

    /// A value that no operation computes: the input, or a constant.
    pub(super) fn value(
        &mut self,
        signed: bool,
        dims: Vec<usize>,
        constant: Option<Vec<u8>>,
    ) -> Result<ValueId, NodeFault> {
        self.value_of(byte_type(signed), dims, constant)
    }

    fn value_of(&mut self, ty: ElementType, dims: Vec<usize>, constant: Option<Vec<u8>>) -> Result<ValueId, NodeFault> {
        let bytes = check_size(&dims, ty)?;
        if constant.is_some() {
            self.hold(bytes as u64)?;
        }
        let id = self.next()?;
        self.graph.values.push(Value { ty, dims, storage: id, constant });
        Ok(id)
    }

    /// The place of the next value.
    fn next(&self) -> Result<ValueId, NodeFault> {
        Some(self.graph.values.len()).filter(|&id| id < VALUES_MAX).ok_or(NodeFault::Values(VALUES_MAX))
    }

    /// The same bytes in another shape.
    pub(super) fn view(&mut self, id: ValueId, dims: Vec<usize>) -> Result<ValueId, NodeFault> {
        let value = &self.graph.values[id];
        if check_size(&dims, value.ty)? != value.bytes() {
            return Err(shape("the shape has another number of elements", &dims));
        }
        let (id, view) = (self.next()?, Value { dims, constant: None, ..*value });
        self.graph.values.push(view);
        Ok(id)
    }

    pub(super) fn push(
        &mut self,
        op: Op,
        inputs: Vec<ValueId>,
        signed: bool,
        dims: Vec<usize>,
    ) -> Result<ValueId, NodeFault> {
        self.push_as(op, inputs, byte_type(signed), dims)
    }

    pub(super) fn push_as(
        &mut self,
        op: Op,
        inputs: Vec<ValueId>,
        ty: ElementType,
        dims: Vec<usize>,
    ) -> Result<ValueId, NodeFault> {
        let scratch = op.scratch();
        if scratch > VALUE_MAX {
            return Err(NodeFault::TooLarge { bytes: scratch, max: VALUE_MAX });
        }
        self.hold(op.held())?;
        let output = self.value_of(ty, dims, None)?;
        self.graph.steps.push(Step { op, inputs, output, site: self.site.clone() });
        Ok(output)
    }

    /// The tensor of which `id` is a table, byte by byte, and the table.
    fn as_table(&self, id: ValueId) -> Option<(ValueId, &[u8; 256])> {
        // Steps stand in the order of their outputs.
        let at = self.graph.steps.binary_search_by_key(&id, |step| step.output).ok()?;
        let step = &self.graph.steps[at];
        match (&step.op, &step.inputs[..]) {
            (Op::Table(table), &[input]) => Some((input, table)),
            _ => None,
        }
    }

    /// The product of a tensor and a table of the same tensor, which is a table: `x · sigmoid(x)`, for one.
    pub(super) fn own_product(
        &mut self,
        a: Operand,
        b: Operand,
        mul: Mul,
        signed: bool,
    ) -> Option<Result<ValueId, NodeFault>> {
        let (x, first, second) = match (self.as_table(a.id), self.as_table(b.id)) {
            (_, Some((input, table))) if input == a.id => (a.id, None, Some(*table)),
            (Some((input, table)), _) if input == b.id => (b.id, Some(*table), None),
            _ => return None,
        };
        let of = |side: Option<[u8; 256]>, centre: Centre, byte: u8| {
            formula::number(centre.signed, side.map_or(byte, |table| table[usize::from(byte)])) - centre.zero
        };
        let mut table = [0; 256];
        for (entry, byte) in table.iter_mut().zip(0..=u8::MAX) {
            *entry = formula::requantise(of(first, mul.a, byte) * of(second, mul.b, byte), mul.scale, mul.range);
        }
        Some(self.table(x, signed, table))
    }

    /// Takes out what no output of the graph is made of.
    pub(super) fn prune(&mut self, outputs: &[ValueId]) {
        let storage = |graph: &Graph, id: ValueId| graph.values[id].storage;
        let mut needed = vec![false; self.graph.values.len()];
        for &output in outputs {
            needed[storage(&self.graph, output)] = true;
        }
        for step in self.graph.steps.iter().rev() {
            if needed[storage(&self.graph, step.output)] {
                step.inputs.iter().for_each(|&input| needed[storage(&self.graph, input)] = true);
            }
        }
        let values = &self.graph.values;
        self.graph.steps.retain(|step| needed[values[step.output].storage]);
    }

    /// Each value of `id` through a table.
    pub(super) fn table(&mut self, id: ValueId, signed: bool, table: [u8; 256]) -> Result<ValueId, NodeFault> {
        let dims = self.dims(id).to_vec();
        self.push(Op::Table(Box::new(table)), vec![id], signed, dims)
    }

    /// The same reals in another quantisation.
    pub(super) fn requantise(&mut self, x: Operand, y: Target) -> Result<ValueId, NodeFault> {
        self.quantise(Real { id: x.id, scale: x.scale, zero: x.zero, clip: Clip::NONE }, y)
    }

    pub(super) fn quantise(&mut self, x: Real, y: Target) -> Result<ValueId, NodeFault> {
        let signed = self.signed(x.id);
        let same = signed == y.signed && x.scale.to_bits() == y.scale.to_bits() && x.zero == y.range.zero;
        if same && x.clip == Clip::NONE && y.range == Range::of(signed, x.zero) {
            return Ok(x.id);
        }
        self.curve(&Curve::of(x, signed), y)
    }

    /// The positions `places` of each dimension.
    pub(super) fn pick(&mut self, id: ValueId, places: Vec<Vec<usize>>) -> Result<ValueId, NodeFault> {
        let (mut input, mut places, ty) = (self.dims(id).to_vec(), places, self.ty(id));
        let whole = |(&dim, places): (&usize, &Vec<usize>)| places.iter().copied().eq(0..dim);
        if input.iter().zip(&places).all(whole) {
            return Ok(id);
        }
        let dims = places.iter().map(Vec::len).collect();
        // The bytes of a wide number are one more dimension.
        if ty.width() > 1 {
            input.push(ty.width());
            places.push((0..ty.width()).collect());
        }
        self.push_as(Op::Pick(Pick { input, places }), vec![id], ty, dims)
    }

    /// The tensor repeated along dimensions of one element, after dimensions of one element were put before it.
    pub(super) fn expand(&mut self, id: ValueId, dims: &[usize]) -> Result<ValueId, NodeFault> {
        let given = self.dims(id);
        let before = dims.len().saturating_sub(given.len());
        let padded: Vec<usize> = std::iter::repeat_n(1, before).chain(given.iter().copied()).collect();
        let fits = |(&from, &to): (&usize, &usize)| from == to || from == 1;
        if padded.len() != dims.len() || !padded.iter().zip(dims).all(fits) {
            return Err(shape("a tensor cannot be repeated to this shape", dims));
        }
        check_size(dims, self.ty(id))?;
        check_places(dims)?;
        let places = padded.iter().zip(dims).map(|(&from, &to)| (0..to).map(|at| at.min(from - 1)).collect()).collect();
        let id = if padded == given { id } else { self.view(id, padded)? };
        self.pick(id, places)
    }

    /// Both tensors in the shape that they have together (ONNX's multidirectional broadcasting).
    pub(super) fn broadcast(&mut self, a: ValueId, b: ValueId) -> Result<[ValueId; 2], NodeFault> {
        let dims = broadcast(self.dims(a), self.dims(b))?;
        Ok([self.expand(a, &dims)?, self.expand(b, &dims)?])
    }

    /// The dimensions in another order.
    pub(super) fn transpose(&mut self, id: ValueId, order: &[usize]) -> Result<ValueId, NodeFault> {
        let (given, ty) = (self.dims(id), self.ty(id));
        let (dims, strides): (Vec<usize>, Vec<usize>) =
            order.iter().map(|&d| (given[d], given[d + 1..].iter().product::<usize>() * ty.width())).unzip();
        let mut transpose = Transpose { dims: dims.clone(), strides };
        if ty.width() > 1 {
            transpose.dims.push(ty.width());
            transpose.strides.push(1);
        }
        self.push_as(Op::Transpose(transpose), vec![id], ty, dims)
    }

    /// Each value through what it stands for, quantised.
    pub(super) fn curve(&mut self, curve: &Curve, y: Target) -> Result<ValueId, NodeFault> {
        let tables = curve.reals.iter().map(|reals| formula::quantised(reals, y.scale, y.range)).collect::<Vec<_>>();
        if let &[table] = &tables[..] {
            return self.table(curve.id, y.signed, table);
        }
        let dims = self.dims(curve.id).to_vec();
        let inner = dims.iter().skip(2).product();
        self.push(Op::ChannelTable(ChannelTable { tables, inner }), vec![curve.id], y.signed, dims)
    }

    /// Only the integers `lo ..= hi` of `id`.
    pub(super) fn clamp(&mut self, id: ValueId, lo: i32, hi: i32) -> Result<ValueId, NodeFault> {
        let signed = self.signed(id);
        let range = Range::of(signed, 0).within(lo, hi);
        if range == Range::of(signed, 0) {
            return Ok(id);
        }
        let mut table = [0; 256];
        for (entry, byte) in table.iter_mut().zip(0..=u8::MAX) {
            *entry = formula::byte(formula::number(signed, byte).max(range.lo).min(range.hi));
        }
        self.table(id, signed, table)
    }

    /// Tensors one after another along `axis`; their other dimensions agree.
    pub(super) fn concat(&mut self, inputs: &[ValueId], axis: usize) -> Result<ValueId, NodeFault> {
        let Some(&first) = inputs.first() else {
            return Err(NodeFault::Operand { operand: "inputs", reason: "must be at least one" });
        };
        let (ty, mut dims) = (self.ty(first), self.dims(first).to_vec());
        if inputs.iter().any(|&input| self.ty(input) != ty) {
            return Err(NodeFault::Operand { operand: "inputs", reason: "must be of one type" });
        }
        let run = |&input: &ValueId| self.dims(input)[axis..].iter().product::<usize>() * ty.width();
        let runs = inputs.iter().map(run).collect();
        dims[axis] = inputs.iter().map(|&input| self.dims(input)[axis]).fold(0, usize::saturating_add);
        self.push_as(Op::Concat(Concat { runs }), inputs.to_vec(), ty, dims)
    }
}

/// The shape of two tensors together: aligned at the last dimension, where one of two may be 1.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, NodeFault> {
    let rank = a.len().max(b.len());
    let dim = |dims: &[usize], at: usize| (at + dims.len()).checked_sub(rank).map_or(1, |at| dims[at]);
    let both = |at| match (dim(a, at), dim(b, at)) {
        (a, b) if a == b || b == 1 => Ok(a),
        (1, b) => Ok(b),
        _ => Err(shape("both sides must have the same shape or repeat along it, and one has", b)),
    };
    (0..rank).map(both).collect()
}

/// Whether positions along all of these dimensions may be written down.
pub(super) fn check_places(dims: &[usize]) -> Result<(), NodeFault> {
    let places = dims.iter().fold(0, |sum: usize, &dim| sum.saturating_add(dim));
    if places > PLACES_MAX { Err(shape(TOO_MANY_PLACES, dims)) } else { Ok(()) }
}

/// How many bytes, if there are some and not too many.
fn check_size(dims: &[usize], ty: ElementType) -> Result<usize, NodeFault> {
    if dims.len() > aceso_types::tensor::RANK_MAX || dims.contains(&0) {
        return Err(shape("a shape has up to eight dimensions, none of them 0", dims));
    }
    let bytes = dims.iter().fold(ty.width() as u64, |bytes, &dim| bytes.saturating_mul(dim as u64));
    match usize::try_from(bytes) {
        Ok(count) if bytes <= VALUE_MAX => Ok(count),
        _ => Err(NodeFault::TooLarge { bytes, max: VALUE_MAX }),
    }
}

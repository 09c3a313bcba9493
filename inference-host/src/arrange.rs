//! Channels last: the order of bytes in which kernels compute.
//!
//! ONNX lays planes out one after another, `[n, c, h, w]`. Products and pools want what belongs to one place side by side,
//! `[n, h, w, c]`. Operations are rewritten one by one: each takes its inputs in the [`Form`] that it wants, and where a
//! value does not exist in that form yet, a transposition makes it. Element-wise operations take what there is. Outputs
//! of the graph are in ONNX's order.
//!
//! Only bytes are moved, so nothing here can change a result; prices and bounds were reckoned before.

use std::sync::Arc;

use aceso_types::ElementType;

use crate::{
    error::Site,
    ir::{ChannelTable, Concat, Graph, Op, Pad, Pick, Step, Sums, Transpose, Value, ValueId},
};

/// An order of a value's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// ONNX's.
    Plain,
    /// `[…, inner, channels]` where ONNX has `[…, channels, inner]`; both numbers are more than one.
    Last { channels: usize, inner: usize },
}

impl Form {
    /// Channels last, for a value of these dimensions in ONNX's order.
    fn last(dims: &[usize]) -> Self {
        let (Some(&channels), inner) = (dims.get(1), dims.iter().skip(2).product()) else { return Self::Plain };
        if channels == 1 || inner == 1 { Self::Plain } else { Self::Last { channels, inner } }
    }
}

struct Arranging {
    /// Before: values in ONNX's order.
    old: Vec<Value>,
    /// After.
    graph: Graph,
    /// For each storage of before the values of after that hold its bytes; the form in which it was computed first.
    forms: Vec<Vec<(Form, ValueId)>>,
}

/// Rewrites a graph, and says where its outputs are. Its input keeps ONNX's order.
pub(crate) fn arrange(graph: Graph, input: ValueId, outputs: &[ValueId]) -> (Graph, Vec<ValueId>) {
    let Graph { values, steps } = graph;
    let forms = vec![Vec::new(); values.len()];
    let mut arranging = Arranging { old: values, graph: Graph::default(), forms };
    arranging.define(input, Form::Plain);
    for id in 0..arranging.old.len() {
        if let Some(bytes) = arranging.old[id].constant.take() {
            let new = arranging.define(id, Form::Plain);
            arranging.graph.values[new].constant = Some(bytes);
        }
    }
    for step in steps {
        arranging.step(step);
    }
    let end = arranging.graph.steps.last().map(|step| step.site.clone()).unwrap_or_default();
    let outputs = outputs.iter().map(|&id| arranging.get(id, Form::Plain, &end)).collect();
    (arranging.graph, outputs)
}

/// What stands for the dimensions `[n, c, h, w]`, for `[n, h, w, c]`.
fn turned<T>(mut list: Vec<T>) -> Vec<T> {
    if let Some(channels) = list.get_mut(1..) {
        channels.rotate_left(1);
    }
    list
}

impl Arranging {
    /// A new value that holds the bytes of `id`.
    fn define(&mut self, id: ValueId, form: Form) -> ValueId {
        let storage = self.old[id].storage;
        let new = self.graph.values.len();
        let dims = vec![self.old[id].bytes()];
        // Bytes from here on: whoever reads them knows what numbers they are.
        self.graph.values.push(Value { ty: ElementType::U8, dims, storage: new, constant: None });
        self.forms[storage].push((form, new));
        new
    }

    /// The form in which `id` was computed.
    fn first(&self, id: ValueId) -> Form {
        self.forms[self.old[id].storage].first().map_or(Form::Plain, |&(form, _)| form)
    }

    fn find(&self, id: ValueId, form: Form) -> Option<ValueId> {
        self.forms[self.old[id].storage].iter().find(|(has, _)| *has == form).map(|&(_, new)| new)
    }

    /// The value that holds the bytes of `id` in this form, made if need be.
    fn get(&mut self, id: ValueId, form: Form, site: &Arc<Site>) -> ValueId {
        if let Some(found) = self.find(id, form) {
            return found;
        }
        // From one order of channels to another it goes by way of ONNX's.
        let (from, [rows, columns]) = match (form, self.first(id)) {
            (Form::Last { channels, inner }, _) => (self.get(id, Form::Plain, site), [channels, inner]),
            (Form::Plain, first @ Form::Last { channels, inner }) => (self.get(id, first, site), [inner, channels]),
            (Form::Plain, Form::Plain) => return self.define(id, Form::Plain),
        };
        let (size, width) = (rows * columns, self.old[id].ty.width());
        let (mut dims, mut strides) = (vec![self.old[id].elements() / size, columns, rows], vec![size, 1, columns]);
        if width > 1 {
            dims.push(width);
            strides.iter_mut().for_each(|stride| *stride *= width);
            strides.push(1);
        }
        let op = Op::Transpose(Transpose { dims, strides });
        let output = self.define(id, form);
        self.graph.steps.push(Step { op, inputs: vec![from], output, site: site.clone() });
        output
    }

    fn step(&mut self, Step { op, inputs, output, site }: Step) {
        let last = |this: &Self, id: ValueId| Form::last(&this.old[id].dims);
        let (op, wanted, form) = match op {
            Op::Conv(_) | Op::MaxPool(_) | Op::AveragePool(_) | Op::Resize(_) => {
                (op, vec![last(self, inputs[0])], last(self, output))
            }
            Op::GlobalAveragePool(_) => (op, vec![last(self, inputs[0])], Form::Plain),
            Op::Sums(Sums::Conv(_)) => (op, vec![last(self, inputs[0])], last(self, output)),
            Op::MatMul(_)
            | Op::Sums(Sums::MatMul(_))
            | Op::Softmax(_)
            | Op::Normalise(_)
            | Op::Chain(_)
            | Op::Arg(_) => (op, vec![Form::Plain], Form::Plain),
            Op::Product(_) | Op::Sums(Sums::Product(_)) => (op, vec![Form::Plain; 2], Form::Plain),
            Op::Table(_) | Op::Cast(_) => {
                let form = self.first(inputs[0]);
                (op, vec![form], form)
            }
            Op::ChannelTable(ChannelTable { tables, inner }) => {
                let form = match (tables.len(), inner) {
                    (1, _) | (_, 1) => Form::Plain,
                    (channels, inner) => Form::Last { channels, inner },
                };
                let inner = if form == Form::Plain { inner } else { 1 };
                (Op::ChannelTable(ChannelTable { tables, inner }), vec![form], form)
            }
            Op::Add(_) | Op::Mul(_) | Op::Pair(_) => {
                let firsts = [self.first(inputs[0]), self.first(inputs[1])];
                // Whoever reads a sum of planes mostly wants channels last.
                let form = firsts.into_iter().find(|form| *form != Form::Plain).unwrap_or(Form::Plain);
                (op, vec![form; 2], form)
            }
            Op::Concat(concat) => self.concat(concat, &inputs, output),
            Op::Pad(pad) => self.pad(pad, inputs[0], output),
            Op::Pick(pick) => self.pick(pick, inputs[0], output),
            Op::Transpose(transpose) => {
                if let Some(from) = self.turned(&transpose, inputs[0], output) {
                    let form = last(self, output);
                    self.forms[self.old[output].storage].push((form, from));
                    return;
                }
                (Op::Transpose(transpose), vec![Form::Plain], Form::Plain)
            }
        };
        let inputs = inputs.iter().zip(wanted).map(|(&id, form)| self.get(id, form, &site)).collect();
        let output = self.define(output, form);
        self.graph.steps.push(Step { op, inputs, output, site });
    }

    /// Joins channels place by place, where some input has its channels last already.
    fn concat(&self, concat: Concat, inputs: &[ValueId], output: ValueId) -> (Op, Vec<Form>, Form) {
        let dims = |id: ValueId| &self.old[id].dims;
        let by_channel = dims(output).len() > 2
            && inputs.iter().zip(&concat.runs).all(|(&id, &run)| run == dims(id)[1..].iter().product::<usize>())
            && inputs.iter().all(|&id| dims(id)[2..] == dims(output)[2..]);
        if by_channel && inputs.iter().any(|&id| self.first(id) != Form::Plain) {
            let runs = inputs.iter().map(|&id| dims(id)[1]).collect();
            let wanted = inputs.iter().map(|&id| Form::last(dims(id))).collect();
            return (Op::Concat(Concat { runs }), wanted, Form::last(dims(output)));
        }
        (Op::Concat(concat), vec![Form::Plain; inputs.len()], Form::Plain)
    }

    fn pad(&self, pad: Pad, input: ValueId, output: ValueId) -> (Op, Vec<Form>, Form) {
        let form = Form::last(&self.old[input].dims);
        if pad.input.len() != 4 || form == Form::Plain || self.first(input) != form {
            return (Op::Pad(pad), vec![Form::Plain], Form::Plain);
        }
        let Pad { input, output: padded, begin, fill } = pad;
        let pad = Pad { input: turned(input), output: turned(padded), begin: turned(begin), fill };
        (Op::Pad(pad), vec![form], Form::last(&self.old[output].dims))
    }

    /// Planes whose channels are last already are taken from where they are; so is what becomes planes by repeating one
    /// number for each channel.
    fn pick(&self, pick: Pick, input: ValueId, output: ValueId) -> (Op, Vec<Form>, Form) {
        let (form, becomes) = (Form::last(&self.old[input].dims), Form::last(&self.old[output].dims));
        let planes = pick.input.len() == 4 && self.old[output].dims.len() == 4 && becomes != Form::Plain;
        if !planes || self.first(input) != form {
            return (Op::Pick(pick), vec![Form::Plain], Form::Plain);
        }
        let Pick { input, places } = pick;
        (Op::Pick(Pick { input: turned(input), places: turned(places) }), vec![form], becomes)
    }

    /// The value that already is this transposition's result with channels last, as the image of a model is that
    /// begins by turning `[n, h, w, c]` into `[n, c, h, w]`.
    fn turned(&self, transpose: &Transpose, input: ValueId, output: ValueId) -> Option<ValueId> {
        let &[_, c, h, w] = &transpose.dims[..] else { return None };
        let same = transpose.strides == [c * h * w, 1, w * c, c] && Form::last(&self.old[output].dims) != Form::Plain;
        if same { self.find(input, Form::Plain) } else { None }
    }
}

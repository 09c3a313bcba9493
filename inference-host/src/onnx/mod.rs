//! From a file to a graph whose structure holds.
//!
//! In this order: what decoding would cost ([`scan`]), decoding ([`pb`]), versions and domains, parts of ONNX that have
//! no place here, constants ([`constant`]), names, order. What a node means is not looked at: that is
//! [`crate::lower`]'s. `value_info` is not read at all: shapes are worked out, not believed. What the file declares of its
//! outputs is kept, to be compared with what was worked out.

pub(crate) mod attributes;
pub(crate) mod constant;
pub(crate) mod pb;
mod scan;

use std::collections::{BTreeMap, BTreeSet};

use aceso_types::manifest::ONNX_BYTES_MAX;
use prost::Message;

use self::{
    constant::Constant,
    pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto},
};
use crate::error::{InputFault, ModelRefused, NodeFault, OutputFault, Site};

/// Most nodes: a QDQ graph of 150 layers has some 1,500.
const NODES_MAX: usize = 8192;
/// Most constants: four a layer, and twice that in QDQ graphs.
const CONSTANTS_MAX: usize = 4 * NODES_MAX;
/// Most inputs or outputs of one node.
const OPERANDS_MAX: usize = 256;
/// Most outputs of a graph.
const OUTPUTS_MAX: usize = 16;
/// Operator sets that were looked into.
const OPSET: std::ops::RangeInclusive<i64> = 10..=21;

/// The default domain, by its long name.
pub(crate) const ONNX: &str = "ai.onnx";
/// The domain of ONNX Runtime's own operators.
pub(crate) const MICROSOFT: &str = "com.microsoft";

/// A graph: every name is unique, every read comes after its write.
pub(crate) struct Source {
    /// Length of the file, to which what it may ask for is held.
    pub(crate) bytes: u64,
    /// Version of the default operator set.
    pub(crate) opset: i64,
    /// Whether `com.microsoft` is imported.
    pub(crate) microsoft: bool,
    pub(crate) nodes: Vec<NodeProto>,
    pub(crate) constants: BTreeMap<String, Constant>,
    pub(crate) input: Input,
    pub(crate) outputs: Vec<Declared>,
}

/// An output as the file declares it.
pub(crate) struct Declared {
    pub(crate) name: String,
    /// ONNX's number of the element type; 0 where the file says none.
    pub(crate) data_type: i32,
    /// Where the file says a shape: its dimensions, none for those that are not numbers.
    pub(crate) dims: Option<Vec<Option<i64>>>,
}

impl Declared {
    fn new(info: ValueInfoProto) -> Self {
        let tensor = info.r#type.and_then(|ty| ty.tensor_type);
        let data_type = tensor.as_ref().map_or(0, |tensor| tensor.elem_type);
        let shape = tensor.and_then(|tensor| tensor.shape);
        let dims = shape.map(|shape| shape.dim.into_iter().map(|dim| dim.dim_value).collect());
        Self { name: info.name, data_type, dims }
    }
}

/// The graph's one input that is not a constant.
pub(crate) struct Input {
    pub(crate) name: String,
    /// ONNX's number of the element type.
    pub(crate) data_type: i32,
    pub(crate) dims: Vec<i64>,
}

/// Decodes a model and checks its structure.
pub(crate) fn decode(file: &[u8]) -> Result<Source, ModelRefused> {
    if file.len() as u64 > ONNX_BYTES_MAX {
        return Err(ModelRefused::Bound { what: "bytes", got: file.len() as u64, max: ONNX_BYTES_MAX });
    }
    scan::check(file).map_err(|fault| match fault {
        scan::Fault::Wire(reason) => ModelRefused::Malformed(reason.into()),
        scan::Fault::Cost { got, max } => ModelRefused::Bound { what: "bytes when decoded", got, max },
    })?;
    let model = ModelProto::decode(file).map_err(|e| ModelRefused::Malformed(e.to_string()))?;
    let (opset, microsoft) = opsets(&model)?;
    features(&model)?;
    let Some(graph) = model.graph else {
        return Err(ModelRefused::Malformed("there is no graph".into()));
    };
    let GraphProto { node: nodes, initializer, input, output, .. } = graph;
    bound("nodes", nodes.len(), NODES_MAX)?;
    bound("constants", initializer.len(), CONSTANTS_MAX)?;
    bound("outputs", output.len(), OUTPUTS_MAX)?;

    let mut constants = BTreeMap::new();
    for tensor in initializer {
        let name = tensor.name.clone();
        let refused = |fault| ModelRefused::Constant { name: shown(&name), fault };
        let constant = Constant::read(tensor).map_err(refused)?;
        if name.is_empty() || constants.insert(name.clone(), constant).is_some() {
            return Err(ModelRefused::Name { name: shown(&name) });
        }
    }
    let input = graph_input(input, &constants)?;
    let outputs: Vec<Declared> = output.into_iter().map(Declared::new).collect();
    order(&nodes, &constants, &input.name, &outputs)?;
    Ok(Source { bytes: file.len() as u64, opset, microsoft, nodes, constants, input, outputs })
}

/// The node's name, or its position.
pub(crate) fn site(index: usize, node: &NodeProto) -> Site {
    Site {
        node: if node.name.is_empty() { format!("#{index}") } else { shown(&node.name) },
        op: shown(&node.op_type),
        domain: domain(&node.domain),
    }
}

/// The domain by its long name.
pub(crate) fn domain(given: &str) -> String {
    if given.is_empty() { ONNX.into() } else { shown(given) }
}

/// A name from the file as far as it is repeated in a sentence: its beginning, and nothing that moves a terminal's cursor.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(128).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn bound(what: &'static str, got: usize, max: usize) -> Result<(), ModelRefused> {
    if got > max { Err(ModelRefused::Bound { what, got: got as u64, max: max as u64 }) } else { Ok(()) }
}

fn opsets(model: &ModelProto) -> Result<(i64, bool), ModelRefused> {
    let version = |wanted: &str| {
        let mut found = model.opset_import.iter().filter(|import| domain(&import.domain) == wanted);
        let first = found.next().map(|import| import.version);
        // The same domain twice leaves the version open.
        if found.next().is_some() { Some(0) } else { first }
    };
    let (min, max) = OPSET.into_inner();
    let onnx = version(ONNX).unwrap_or(0);
    if !OPSET.contains(&onnx) {
        return Err(ModelRefused::Opset { domain: ONNX.into(), got: onnx, min, max });
    }
    match version(MICROSOFT) {
        None => Ok((onnx, false)),
        Some(1) => Ok((onnx, true)),
        Some(got) => Err(ModelRefused::Opset { domain: MICROSOFT.into(), got, min: 1, max: 1 }),
    }
}

fn features(model: &ModelProto) -> Result<(), ModelRefused> {
    let graph = model.graph.as_ref();
    let found = [
        (!model.functions.is_empty(), "functions"),
        (!model.training_info.is_empty(), "training information"),
        (graph.is_some_and(|graph| !graph.sparse_initializer.is_empty()), "sparse constants"),
        (graph.is_some_and(|graph| !graph.quantization_annotation.is_empty()), "quantisation annotations"),
    ];
    match found.into_iter().find(|(is, _)| *is) {
        Some((_, what)) => Err(ModelRefused::Feature { what }),
        None => Ok(()),
    }
}

/// Older files list constants among the inputs as well; those are not inputs here, and cannot be overridden.
fn graph_input(infos: Vec<ValueInfoProto>, constants: &BTreeMap<String, Constant>) -> Result<Input, ModelRefused> {
    let mut inputs: Vec<ValueInfoProto> =
        infos.into_iter().filter(|info| !constants.contains_key(&info.name)).collect();
    let count = inputs.len();
    let Some(info) = inputs.pop().filter(|_| count == 1) else {
        return Err(ModelRefused::Input { name: String::new(), fault: InputFault::Count(count) });
    };
    let refused = |fault| ModelRefused::Input { name: shown(&info.name), fault };
    let tensor = info.r#type.and_then(|ty| ty.tensor_type).ok_or_else(|| refused(InputFault::Type(0)))?;
    let dims = tensor
        .shape
        .and_then(|shape| {
            let fixed = |dim: pb::DimensionProto| dim.dim_value.filter(|_| dim.dim_param.is_none());
            shape.dim.into_iter().map(fixed).collect::<Option<Vec<i64>>>()
        })
        .ok_or_else(|| refused(InputFault::Dynamic))?;
    if dims.iter().any(|&dim| dim < 1) {
        return Err(refused(InputFault::Empty(dims.into_iter().take(16).collect())));
    }
    Ok(Input { name: info.name, data_type: tensor.elem_type, dims })
}

/// Names are unique, and whatever is read was written before.
fn order(
    nodes: &[NodeProto],
    constants: &BTreeMap<String, Constant>,
    input: &str,
    outputs: &[Declared],
) -> Result<(), ModelRefused> {
    let mut later = BTreeSet::new();
    for name in nodes.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty()) {
        if name == input || constants.contains_key(name) || !later.insert(name.as_str()) {
            return Err(ModelRefused::Name { name: shown(name) });
        }
    }
    let mut written = BTreeSet::new();
    for (index, node) in nodes.iter().enumerate() {
        bound("operands of one node", node.input.len().max(node.output.len()), OPERANDS_MAX)?;
        for name in node.input.iter().filter(|name| !name.is_empty()) {
            let fault = if later.contains(name.as_str()) {
                NodeFault::Order { input: shown(name) }
            } else if name == input || constants.contains_key(name) || written.contains(name.as_str()) {
                continue;
            } else {
                NodeFault::Missing { input: shown(name) }
            };
            return Err(ModelRefused::Node { site: site(index, node), fault });
        }
        for name in &node.output {
            later.remove(name.as_str());
            written.insert(name.as_str());
        }
    }
    let refused = |name: &str, fault| Err(ModelRefused::Output { name: shown(name), fault });
    if outputs.is_empty() {
        return refused("", OutputFault::None);
    }
    let mut seen = BTreeSet::new();
    for Declared { name, .. } in outputs {
        if !seen.insert(name) {
            return Err(ModelRefused::Name { name: shown(name) });
        }
        if !written.contains(name.as_str()) {
            return refused(name, OutputFault::Missing);
        }
    }
    Ok(())
}

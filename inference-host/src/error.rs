//! Why a model is not admitted, and why an admitted one does not run.
//!
//! Every sentence here is for the author of a model: which node, which operator of which domain, what is wrong; and
//! [`ModelRefused::hint`] says how to mend it. All of it is deterministic: same bytes, same refusal.

use std::fmt;

use aceso_types::{Digest, ElementType, ManifestError, TensorError};

/// A node, as its author can find it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// The node's name; its position, such as `#17`, where it has none.
    pub node: String,
    /// Its operator.
    pub op: String,
    /// The operator's domain; `ai.onnx` for the default one.
    pub domain: String,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, op, domain } = self;
        write!(f, "node {node:?} (op {op}, domain {domain})")
    }
}

/// Why a model is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelRefused {
    /// The manifest breaks a rule of its own.
    #[error("{0}")]
    Manifest(ManifestError),
    /// The file has another length than the manifest says.
    #[error("the ONNX file has {got} bytes, and the manifest says {want}")]
    Size {
        /// What the manifest says.
        want: u64,
        /// What there is.
        got: u64,
    },
    /// The file is another one than the manifest names.
    #[error("the ONNX file has digest {got}, and the manifest says {want}")]
    Digest {
        /// What the manifest says.
        want: Digest,
        /// What there is.
        got: Digest,
    },
    /// Not a protobuf of ONNX.
    #[error("the file is not ONNX: {0}")]
    Malformed(String),
    /// More of something than is looked at.
    #[error("the model has {got} {what}, and at most {max} are admitted")]
    Bound {
        /// Of what.
        what: &'static str,
        /// How many there are.
        got: u64,
        /// How many there may be.
        max: u64,
    },
    /// An operator set of a version that was not looked into.
    #[error("operator set {domain} has version {got}, and versions {min} to {max} are admitted")]
    Opset {
        /// The domain.
        domain: String,
        /// The version that the model imports; 0 where it imports none.
        got: i64,
        /// The oldest that is admitted.
        min: i64,
        /// The newest that is admitted.
        max: i64,
    },
    /// A part of ONNX that has no place in a quantised classifier.
    #[error("the model uses {what}, which is not admitted")]
    Feature {
        /// Which part.
        what: &'static str,
    },
    /// A name that two values share, or an empty one.
    #[error("two values of the graph have the name {name:?}")]
    Name {
        /// The name.
        name: String,
    },
    /// A constant that cannot be read.
    #[error("constant {name:?}: {fault}")]
    Constant {
        /// Its name.
        name: String,
        /// What is wrong.
        fault: ConstantFault,
    },
    /// The graph's input is not the manifest's image.
    #[error("input {name:?}: {fault}")]
    Input {
        /// Its name.
        name: String,
        /// What is wrong.
        fault: InputFault,
    },
    /// The graph's output is not what the manifest says.
    #[error("output {name:?}: {fault}")]
    Output {
        /// Its name.
        name: String,
        /// What is wrong.
        fault: OutputFault,
    },
    /// A node that cannot run here, or not alike everywhere.
    #[error("{site}: {fault}")]
    Node {
        /// The node.
        site: Site,
        /// What is wrong.
        fault: NodeFault,
    },
}

/// What is wrong with a constant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConstantFault {
    /// An element type that has no place here.
    #[error("element type {0} of ONNX is not read; float, uint8, int8, int32 and int64 are")]
    Type(i32),
    /// A negative dimension, or more elements than can be counted.
    #[error("dimensions {0:?} are negative or too many")]
    Dims(Vec<i64>),
    /// The data do not fill the dimensions.
    #[error("dimensions take {want} bytes and there are {got}")]
    Length {
        /// Bytes that the dimensions take.
        want: u64,
        /// Bytes that there are.
        got: u64,
    },
    /// The data lie in another file or in segments.
    #[error("its data are not in the file")]
    External,
    /// A number that does not fit the element type.
    #[error("an element does not fit its type")]
    Range,
}

/// What is wrong with the graph's input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputFault {
    /// Not exactly one input.
    #[error("a model has one input beside its constants, not {0}")]
    Count(usize),
    /// No shape, or one with a dimension that is not a number.
    #[error("its shape is not fixed")]
    Dynamic,
    /// A dimension that no tensor can have.
    #[error("its shape {0:?} has a dimension that is zero or negative")]
    Empty(Vec<i64>),
    /// Another shape than the manifest's pipeline makes.
    #[error("shape {got:?} is not {want:?}, which the manifest's pipeline makes")]
    Shape {
        /// What the pipeline makes.
        want: Vec<u32>,
        /// What the graph takes.
        got: Vec<i64>,
    },
    /// Neither float nor 8 bits.
    #[error("element type {0} of ONNX is not float, uint8 or int8")]
    Type(i32),
    /// Integers that the manifest would normalise.
    #[error("it takes integers, and the manifest normalises")]
    Normalise,
}

/// What is wrong with an output of the graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputFault {
    /// The graph has none.
    #[error("a model has at least one output")]
    None,
    /// No node computes it.
    #[error("no node computes it")]
    Missing,
    /// The file declares another element type than is computed.
    #[error("the file declares element type {declared} of ONNX, and the graph computes {computed}")]
    DeclaredType {
        /// As the file says; 1 is float, 2 uint8, 3 int8.
        declared: i32,
        /// As the graph computes.
        computed: i32,
    },
    /// The file declares another shape than is computed.
    #[error("the file declares shape {declared}, and the graph computes {computed:?}")]
    DeclaredShape {
        /// As the file says; `?` stands for what is no number.
        declared: String,
        /// As the graph computes.
        computed: Vec<usize>,
    },
    /// It comes out of a computation in float.
    #[error("it is computed in float: no QuantizeLinear follows")]
    Float,
    /// Another number of elements than labels.
    #[error("it has {elements} elements, and the manifest has {labels} labels")]
    Labels {
        /// Labels of the manifest.
        labels: usize,
        /// Elements of the output.
        elements: usize,
    },
    /// Another number of outputs than the manifest lists.
    #[error("the model has {outputs} outputs, and the manifest lists {listed}")]
    Listed {
        /// Of the model.
        outputs: usize,
        /// Of the manifest.
        listed: usize,
    },
    /// Elements of a type that cannot mean that.
    #[error("it is {ty}, and the manifest calls it {meaning}, which takes {takes}")]
    Meaning {
        /// The output's element type.
        ty: ElementType,
        /// What the manifest calls it.
        meaning: &'static str,
        /// What that takes.
        takes: &'static str,
    },
    /// A shape that cannot mean that.
    #[error(
        "its shape {dims:?} is not {want:?}, which the manifest's {meaning} takes, whatever dimensions of 1 there are"
    )]
    Plane {
        /// The output's shape.
        dims: Vec<u32>,
        /// What the manifest says.
        want: Vec<u32>,
        /// What the manifest calls it.
        meaning: &'static str,
    },
    /// A quantity that an element of this type takes too far.
    #[error("quantity {quantity:?} goes beyond 2^53 millionths for an element of {ty}")]
    Quantity {
        /// What is measured.
        quantity: String,
        /// The output's element type.
        ty: ElementType,
    },
    /// A table of probabilities for more than 8 bits, or none for 8.
    #[error(
        "label {label:?} must have a table of probabilities where the output has 8 bits, else none, and it is {ty}"
    )]
    Probabilities {
        /// The label's name.
        label: String,
        /// The output's element type.
        ty: ElementType,
    },
    /// A threshold that no value of the output's type can be compared with.
    #[error("finding {finding:?} asks for {at_least}, which is no {ty}")]
    Threshold {
        /// The finding's id.
        finding: String,
        /// Its threshold.
        at_least: i32,
        /// The output's element type.
        ty: ElementType,
    },
    /// A tensor that cannot be handed out.
    #[error("{0}")]
    Tensor(TensorError),
}

/// Why a shape is too long to pick from.
pub(crate) const TOO_MANY_PLACES: &str = "these are too many positions to pick from";

/// What is wrong with a node.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeFault {
    /// A domain of which nothing runs here.
    #[error("no operator of this domain runs here")]
    Domain,
    /// An operator that does not run here.
    #[error("this operator does not run here")]
    Unsupported,
    /// An operator that would compute in float.
    #[error("it computes in float, which differs between machines")]
    Float,
    /// An operator that finds scales in the data.
    #[error("it works scales out while it runs, in float")]
    Dynamic,
    /// The operator's set is not imported.
    #[error("the model does not import the operator set of this domain")]
    NotImported,
    /// An operator overload, which only functions have.
    #[error("it names the overload {0:?}")]
    Overload(String),
    /// An input that nothing provides.
    #[error("it reads {input:?}, which is no input, no constant and no node's output")]
    Missing {
        /// The input's name.
        input: String,
    },
    /// An input that comes later.
    #[error("it reads {input:?}, which is computed only afterwards: the graph has a cycle or is not sorted")]
    Order {
        /// The input's name.
        input: String,
    },
    /// An operand that is not as this operator needs it.
    #[error("operand {operand}: {reason}")]
    Operand {
        /// Which one.
        operand: &'static str,
        /// What it must be.
        reason: &'static str,
    },
    /// A scale that is zero, negative, not finite or extreme.
    #[error("{operand} is {value:?}, and must be at least {min:?} and at most {max:?}")]
    Scale {
        /// Which one.
        operand: &'static str,
        /// Its value.
        value: f32,
        /// The least that is admitted.
        min: f32,
        /// The most that is admitted.
        max: f32,
    },
    /// A bias whose scale is not that of the products it is added to.
    #[error("the bias has scale {got:?}, and the products have {want:?}")]
    BiasScale {
        /// Scale of the input times scale of the weight.
        want: f32,
        /// Scale of the bias.
        got: f32,
    },
    /// An attribute that is not as this operator needs it.
    #[error("attribute {attribute:?}: {reason}")]
    Attribute {
        /// Its name.
        attribute: String,
        /// What it must be.
        reason: &'static str,
    },
    /// Shapes that do not go together.
    #[error("{reason}: {dims:?}")]
    Shape {
        /// What does not fit.
        reason: &'static str,
        /// The shape in question.
        dims: Vec<usize>,
    },
    /// A result that is larger than is admitted.
    #[error("its result or its working memory takes {bytes} bytes, and at most {max} are admitted")]
    TooLarge {
        /// Bytes it takes.
        bytes: u64,
        /// Bytes it may take.
        max: u64,
    },
    /// More values of functions that are summed up from series than are computed at admission.
    #[error("it makes {values} values of functions to compute, and at most {max} are admitted")]
    Functions {
        /// Values up to and with this node.
        values: u64,
        /// Values there may be.
        max: u64,
    },
    /// A result that was moved again and again before it is quantised.
    #[error("it moves a float result that was moved {0} times already")]
    Moves(usize),
    /// More values than are kept track of.
    #[error("it is the {0}th tensor to be computed, and that is too many")]
    Values(usize),
    /// Sums that could leave 32 bits.
    #[error("sums of {depth} products could reach {bound}, beyond 32 bits")]
    Accumulator {
        /// Products in a sum.
        depth: usize,
        /// What a sum could reach.
        bound: u64,
    },
    /// A number of outputs that the operator cannot have here.
    #[error("it has {0} outputs, and one is computed here")]
    Outputs(usize),
}

impl ModelRefused {
    /// What the author of the model can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Manifest(_) | Self::Size { .. } | Self::Digest { .. } => "make the manifest anew for this file",
            Self::Malformed(_) => "export the model again, as a binary ONNX file",
            Self::Bound { .. } => "take a smaller model, and store weights as raw_data",
            Self::Opset { .. } => "export for an operator set between 10 and 21 (onnx.version_converter converts)",
            Self::Feature { .. } => "export the plain inference graph, all in one file",
            Self::Name { .. } => "give every value its own name (onnx.checker finds such graphs)",
            Self::Constant { .. } => "store weights inside the file as float, uint8, int8, int32 or int64",
            Self::Input { fault, .. } => match fault {
                InputFault::Empty(_) => "export with the shape that the manifest's pipeline makes, the batch 1",
                InputFault::Dynamic => "fix the shape, the batch to 1 (onnxruntime.tools.make_dynamic_shape_fixed)",
                InputFault::Normalise => "leave normalise out of the manifest",
                _ => "let the graph take the manifest's image: float or uint8, one tensor",
            },
            Self::Output { fault, .. } => match fault {
                OutputFault::Float => {
                    "end the graph with QuantizeLinear; leave softmax or sigmoid to the manifest's probability table"
                }
                OutputFault::None | OutputFault::Missing => {
                    "name a tensor that a node computes as the graph's output (onnx.checker finds such graphs)"
                }
                OutputFault::Tensor(_) => "let the graph give tensors of up to 8 MiB",
                OutputFault::DeclaredType { .. } | OutputFault::DeclaredShape { .. } => {
                    "export the model again, or let onnx.shape_inference write what the graph computes"
                }
                _ => "let labels, findings and output.tensors of the manifest describe what the graph computes",
            },
            Self::Node { fault, .. } => fault.hint(),
        }
    }
}

impl NodeFault {
    fn hint(&self) -> &'static str {
        match self {
            Self::NotImported => "add the domain to the model's opset_import, com.microsoft with version 1",
            Self::Overload(_) => "export the plain inference graph, without functions",
            Self::Domain | Self::Unsupported => {
                "SPEC.md lists the operators; fold the others away before quantising (onnxsim, quant_pre_process)"
            }
            Self::Float => {
                "quantise it with its neighbours (DequantizeLinear before, QuantizeLinear after); leave a final softmax \
                 or sigmoid out, the manifest's probability table does that"
            }
            Self::Dynamic => {
                "quantise statically, with data to calibrate on (onnxruntime.quantization.quantize_static)"
            }
            Self::Missing { .. } | Self::Order { .. } => "export the model again (onnx.checker finds such graphs)",
            Self::Operand { reason: "must be a constant" | "must be a quantised constant", .. } => {
                "let constants be folded into the file (onnxsim, quant_pre_process)"
            }
            Self::Operand { reason, .. } if reason.contains("QuantizeLinear") || reason.contains("quantise") => {
                "let DequantizeLinear and QuantizeLinear stand around every operator: quantise the whole graph, leave no node out"
            }
            Self::Attribute { .. } | Self::Operand { .. } | Self::Outputs(_) => {
                "SPEC.md says what this operator takes; where the exporter writes it otherwise, let onnxsim or quant_pre_process \
                 rewrite it before quantising"
            }
            Self::Scale { .. } => "calibrate again with data that reach this node",
            Self::BiasScale { .. } => "quantise the bias to int32 with the input's scale times the weight's",
            Self::Shape { reason: TOO_MANY_PLACES, .. } => {
                "pick from smaller dimensions: let Slice, Split, Gather or Resize come before the tensor is flattened"
            }
            Self::Shape { .. } => "export with fixed shapes and check the graph with onnx.checker",
            Self::TooLarge { .. } | Self::Values(_) => "take a smaller input or a smaller model",
            Self::Functions { .. } => {
                "fold batch normalisation into the layer before, so that one function serves all channels"
            }
            Self::Moves(_) => "quantise it before it is moved, or join the moves (onnxsim)",
            Self::Accumulator { .. } => "split the layer, so that fewer products are summed",
        }
    }
}

/// Why an admitted model does not run. Every variant is deterministic but [`InferError::Rounding`], which says that
/// this process may not compute at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InferError {
    /// Another number of inputs than the model has.
    #[error("the model takes {want} input tensors, not {got}")]
    Count {
        /// What it takes.
        want: usize,
        /// What was given.
        got: usize,
    },
    /// An input of another element type.
    #[error("input {index} is {got}, and the model takes {want}")]
    Type {
        /// Which input.
        index: usize,
        /// What the model takes.
        want: ElementType,
        /// What was given.
        got: ElementType,
    },
    /// An input of another shape.
    #[error("input {index} has shape {got:?}, and the model takes {want:?}")]
    Shape {
        /// Which input.
        index: usize,
        /// What the model takes.
        want: Vec<u32>,
        /// What was given.
        got: Vec<u32>,
    },
    /// Outputs that are not what the manifest says of them.
    #[error("output {index}: {fault}")]
    Output {
        /// Which, from 0.
        index: usize,
        /// What is wrong.
        fault: OutputFault,
    },
    /// An element that is the number of no class.
    #[error("output {index} answers class {class}, and the manifest has {classes}")]
    Class {
        /// Which output, from 0.
        index: usize,
        /// The element.
        class: i64,
        /// Classes of the manifest.
        classes: usize,
    },
    /// An element that is too large to be told exactly.
    #[error("output {index} answers {element}, beyond 2^53 millionths")]
    Beyond {
        /// Which output, from 0.
        index: usize,
        /// The element.
        element: i64,
    },
    /// A result that makes no tensor: never so for an admitted model.
    #[error("{0}")]
    Tensor(TensorError),
    /// Somebody has changed the processor's rounding mode.
    #[error("this process does not round to nearest even, so it cannot compute what other nodes compute")]
    Rounding,
}

//! From ONNX's nodes to integer operations.
//!
//! Nodes are read in their order. Each name stands for a [`value::Value`]; a node looks its inputs up, checks them, adds
//! operations to the [`builder`] and says what its outputs stand for. QLinear operators are in [`qoperator`], float
//! operators between DequantizeLinear and QuantizeLinear in [`qdq`] (functions of one number in [`curve`], what looks at
//! rows in [`rows`]), what is wider than 8 bits in [`wide`], what only moves or picks integers in [`layout`] and [`pick`].
//! Whatever is not in [`Lowering::node`]'s match does not run.

mod builder;
mod bytes;
mod compute;
mod curve;
mod layout;
mod node;
mod pick;
mod qdq;
mod qoperator;
mod resize;
mod rows;
mod transposed;
mod value;
mod wide;
mod window;

use std::{collections::BTreeMap, sync::Arc};

use aceso_types::{
    ElementType,
    manifest::{Layout, MICRO, Normalise, Pipeline},
};

use self::{builder::Builder, node::Node, qdq::Blamed, value::Value};
use crate::{
    error::{InputFault, ModelRefused, NodeFault, OutputFault, Site},
    ir::{Graph, ValueId},
    onnx::{
        self, MICROSOFT, ONNX, Source,
        constant::{Constant, data_type},
        pb::NodeProto,
    },
    real,
};

/// A graph of integer operations with its ends.
pub(crate) struct Lowered {
    pub(crate) graph: Graph,
    pub(crate) input: ValueId,
    pub(crate) input_name: String,
    pub(crate) outputs: Vec<Output>,
    /// How many float operators of each kind became integer ones.
    pub(crate) fused: BTreeMap<String, usize>,
}

pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) id: ValueId,
    /// Scale and zero point, where DequantizeLinear states them.
    pub(crate) meaning: Option<(f32, i32)>,
}

/// The image as the graph takes it, and how its bytes become floats.
struct ImageInput {
    id: ValueId,
    /// One per channel.
    channels: Vec<Normalise>,
    /// Bytes from one channel's element to the next channel's.
    inner: usize,
}

struct Lowering {
    builder: Builder,
    values: BTreeMap<String, Value>,
    image: ImageInput,
    opset: i64,
    microsoft: bool,
}

/// Lowers a graph whose input is the image that `pipeline` makes.
pub(crate) fn lower(source: Source, pipeline: &Pipeline) -> Result<Lowered, ModelRefused> {
    let Source { bytes, opset, microsoft, nodes, constants, input, outputs } = source;
    let mut builder = Builder::new(bytes);
    let (image, first) = image_input(&mut builder, &input, pipeline)?;
    let mut values: BTreeMap<String, Value> =
        constants.into_iter().map(|(name, constant)| (name, Value::Constant(Arc::new(constant)))).collect();
    values.insert(input.name.clone(), first);
    let mut lowering = Lowering { builder, values, image, opset, microsoft };
    let mut fused = BTreeMap::new();
    for (index, proto) in nodes.iter().enumerate() {
        let site = onnx::site(index, proto);
        lowering.builder.site = Arc::new(site.clone());
        let values = lowering
            .node(proto, &site)
            .map_err(|blamed| ModelRefused::Node { site: blamed.site.unwrap_or(site), fault: blamed.fault })?;
        let float = |value: &Value| matches!(value, Value::Pending(_) | Value::Curve(_) | Value::Real(_));
        if proto.op_type != "DequantizeLinear" && values.iter().any(float) {
            *fused.entry(onnx::shown(&proto.op_type)).or_default() += 1;
        }
        for (name, value) in proto.output.iter().zip(values) {
            lowering.values.insert(name.clone(), value);
        }
    }
    let Lowering { mut builder, values, image, .. } = lowering;
    let outputs = outputs
        .into_iter()
        .map(|declared| {
            let refused = |fault| ModelRefused::Output { name: onnx::shown(&declared.name), fault };
            let value = values.get(&declared.name).and_then(|value| qdq::output(value, &mut builder));
            let (id, meaning) = value.ok_or_else(|| refused(OutputFault::Float))?;
            let computed = builder.graph.values.get(id).ok_or_else(|| refused(OutputFault::Missing))?;
            let data_type = match (meaning, computed.ty) {
                (Some(_), _) => data_type::FLOAT,
                (None, ElementType::U8) => data_type::UINT8,
                (None, ElementType::I8) => data_type::INT8,
                (None, ElementType::I32) => data_type::INT32,
                (None, ElementType::I64) => data_type::INT64,
            };
            compare(&declared, data_type, &computed.dims).map_err(refused)?;
            Ok(Output { name: declared.name, id, meaning })
        })
        .collect::<Result<Vec<_>, ModelRefused>>()?;
    builder.prune(&outputs.iter().map(|output| output.id).collect::<Vec<_>>());
    Ok(Lowered { graph: builder.graph, input: image.id, input_name: input.name, outputs, fused })
}

/// What the file declares of an output must be what is computed, as far as it says anything: whoever reads the file
/// elsewhere believes it.
fn compare(declared: &onnx::Declared, data_type: i32, dims: &[usize]) -> Result<(), OutputFault> {
    if ![0, data_type].contains(&declared.data_type) {
        return Err(OutputFault::DeclaredType { declared: declared.data_type, computed: data_type });
    }
    let Some(said) = &declared.dims else { return Ok(()) };
    let same = |(said, dim): (&Option<i64>, &usize)| said.is_none_or(|said| usize::try_from(said) == Ok(*dim));
    if said.len() == dims.len() && said.iter().zip(dims).all(same) {
        return Ok(());
    }
    let words: Vec<_> = said.iter().take(16).map(|said| said.map_or("?".into(), |said| said.to_string())).collect();
    Err(OutputFault::DeclaredShape { declared: format!("[{}]", words.join(", ")), computed: dims.to_vec() })
}

/// The graph's input must be what the pipeline makes of an image.
fn image_input(
    builder: &mut Builder,
    input: &onnx::Input,
    pipeline: &Pipeline,
) -> Result<(ImageInput, Value), ModelRefused> {
    let refused = |fault| ModelRefused::Input { name: onnx::shown(&input.name), fault };
    let (channels, [height, width]) = (pipeline.channels.count(), [pipeline.height, pipeline.width]);
    let want = match pipeline.layout {
        Layout::Nchw => vec![1, channels, height, width],
        Layout::Nhwc => vec![1, height, width, channels],
    };
    if !input.dims.iter().copied().eq(want.iter().copied().map(i64::from)) {
        let got = input.dims.iter().copied().take(16).collect();
        return Err(refused(InputFault::Shape { want, got }));
    }
    let (signed, float) = match input.data_type {
        data_type::FLOAT => (false, true),
        data_type::UINT8 => (false, false),
        data_type::INT8 => (true, false),
        other => return Err(refused(InputFault::Type(other))),
    };
    if !float && pipeline.normalise.is_some() {
        return Err(refused(InputFault::Normalise));
    }
    let dims: Vec<usize> = want.iter().map(|&dim| dim as usize).collect();
    let id =
        builder.value(signed, dims, None).map_err(|_| refused(InputFault::Shape { want, got: input.dims.clone() }))?;
    // Without a word on normalisation the graph sees values from 0 to 1.
    let plain = || vec![Normalise { mean: 0, deviation: MICRO }; channels as usize];
    let image = ImageInput {
        id,
        channels: pipeline.normalise.clone().unwrap_or_else(plain),
        inner: match pipeline.layout {
            Layout::Nchw => height as usize * width as usize,
            Layout::Nhwc => 1,
        },
    };
    Ok((image, if float { Value::Image } else { Value::Int(id) }))
}

impl Lowering {
    /// What a node's outputs stand for.
    fn node(&mut self, proto: &NodeProto, site: &Site) -> Result<Vec<Value>, Blamed> {
        if !proto.overload.is_empty() {
            return Err(NodeFault::Overload(onnx::shown(&proto.overload)).into());
        }
        if site.domain == ONNX && proto.op_type == "DynamicQuantizeLinear" {
            return Err(NodeFault::Dynamic.into());
        }
        let outputs = proto.output.iter().filter(|name| !name.is_empty()).count();
        let split = site.domain == ONNX && proto.op_type == "Split" && outputs == proto.output.len();
        if !(outputs == 1 || split && outputs > 0) || proto.output.first().is_none_or(String::is_empty) {
            return Err(NodeFault::Outputs(outputs).into());
        }
        if site.domain == MICROSOFT && !self.microsoft {
            return Err(NodeFault::NotImported.into());
        }
        let node = Node::new(proto, &self.values, self.opset)?;
        let builder = &mut self.builder;
        let own = site.clone();
        let value = match (site.domain.as_str(), proto.op_type.as_str()) {
            (ONNX, "Split") => {
                let values = pick::split(&node, builder, outputs)?;
                node.attributes.finish()?;
                return Ok(values);
            }
            (ONNX | MICROSOFT, "QuantizeLinear") => qdq::quantise(&node, builder, &self.image)?,
            (ONNX | MICROSOFT, "DequantizeLinear") => qdq::dequantise(&node, builder)?,
            (ONNX, "QLinearConv") => qoperator::conv(&node, builder)?,
            (ONNX, "ConvInteger") => wide::conv(&node, builder)?,
            (ONNX, "MatMulInteger") => wide::matmul(&node, builder)?,
            (ONNX, "ArgMax") => wide::arg(&node, builder, false)?,
            (ONNX, "ArgMin") => wide::arg(&node, builder, true)?,
            (ONNX, "Cast") => wide::cast(&node, builder)?,
            (ONNX, "QLinearMatMul") => qoperator::matmul(&node, builder)?,
            (MICROSOFT, "QGemm") => qoperator::gemm(&node, builder)?,
            (MICROSOFT, "QLinearAdd") => qoperator::add(&node, builder)?,
            (MICROSOFT, "QLinearMul") => qoperator::mul(&node, builder)?,
            (MICROSOFT, "QLinearSigmoid") => qoperator::function(&node, builder, real::sigmoid)?,
            (MICROSOFT, "QLinearLeakyRelu") => qoperator::leaky_relu(&node, builder)?,
            (MICROSOFT, "QLinearSoftmax") => qoperator::softmax(&node, builder)?,
            (MICROSOFT, "QLinearGlobalAveragePool") => qoperator::global_average_pool(&node, builder)?,
            (MICROSOFT, "QLinearAveragePool") => qoperator::average_pool(&node, builder)?,
            (MICROSOFT, "QLinearConcat") => qoperator::concat(&node, builder)?,
            (ONNX, "Conv") => qdq::conv(&node, builder, own)?,
            (ONNX, "Gemm") => qdq::gemm(&node, builder, own)?,
            (ONNX, "MatMul") => qdq::matmul(&node, builder, own)?,
            (ONNX, "ConvTranspose") => transposed::conv_transpose(&node, builder, own)?,
            (
                ONNX,
                op @ ("Add" | "Sub" | "Mul" | "Div" | "Mod" | "Min" | "Max" | "BitShift" | "BitwiseAnd" | "BitwiseOr"
                | "BitwiseXor"),
            ) if bytes::reads(&node) => bytes::pairs(&node, builder, op)?,
            (ONNX, op @ ("BitwiseNot" | "Abs" | "Neg" | "Sign")) if bytes::reads(&node) => {
                bytes::function(&node, builder, op)?
            }
            (ONNX, "Add" | "Sub" | "Mul" | "Div") => qdq::binary(&node, builder, own)?,
            (ONNX, "Softmax") => qdq::softmax(&node, builder, own)?,
            (ONNX, "LayerNormalization") => qdq::pending(own, rows::layer_normalization(&node, builder)?),
            (ONNX, "ReduceMean") => qdq::pending(own, rows::reduce_mean(&node, builder)?),
            (ONNX, "BatchNormalization") => curve::batch_normalization(&node, builder)?,
            (ONNX, "PRelu") => curve::prelu(&node, builder)?,
            (ONNX, "Pow") => curve::pow(&node, builder)?,
            (
                ONNX,
                op @ ("Sigmoid" | "Tanh" | "Erf" | "Exp" | "Sqrt" | "Abs" | "Neg" | "Reciprocal" | "HardSigmoid"
                | "HardSwish" | "LeakyRelu" | "Elu" | "Gelu"),
            ) => curve::function(&node, builder, op)?,
            (MICROSOFT, op @ ("Gelu" | "QuickGelu")) => curve::function(&node, builder, op)?,
            (ONNX, "AveragePool") => qdq::average_pool(&node, builder, own)?,
            (ONNX, "GlobalAveragePool") => qdq::global_average_pool(&node, builder, own)?,
            (ONNX, "Relu") => layout::relu(&node, builder)?,
            (ONNX, "Clip") => layout::clip(&node, builder)?,
            (ONNX, "MaxPool") => layout::max_pool(&node, builder)?,
            (ONNX, "Reshape") => layout::reshape(&node, builder)?,
            (ONNX, "Flatten") => layout::flatten(&node, builder)?,
            (ONNX, "Transpose") => layout::transpose(&node, builder)?,
            (ONNX, "Concat") => layout::concat(&node, builder, own)?,
            (ONNX, "Pad") => layout::pad(&node, builder)?,
            (ONNX, "Slice") => pick::slice(&node, builder)?,
            (ONNX, "Gather") => pick::gather(&node, builder)?,
            (ONNX, "Expand") => pick::expand(&node, builder)?,
            (ONNX, "Squeeze") => pick::squeeze(&node, builder, false)?,
            (ONNX, "Unsqueeze") => pick::squeeze(&node, builder, true)?,
            (ONNX, "DepthToSpace") => pick::depth_to_space(&node, builder)?,
            (ONNX, "SpaceToDepth") => pick::space_to_depth(&node, builder)?,
            (ONNX, "Resize") => resize::resize(&node, builder, own)?,
            (ONNX, "Identity") => {
                node.at_most(1)?;
                node.value(0, "input")?.clone()
            }
            (ONNX, "Constant") => constant(&node)?,
            (ONNX | MICROSOFT, _) => return Err(unknown(&node).into()),
            _ => return Err(NodeFault::Domain.into()),
        };
        node.attributes.finish()?;
        Ok(vec![value])
    }
}

/// Constant: a tensor in an attribute.
fn constant(node: &Node<'_>) -> Result<Value, NodeFault> {
    node.at_most(0)?;
    let fault = |reason| NodeFault::Attribute { attribute: "value".into(), reason };
    let tensor = node.attributes.tensor("value")?.ok_or_else(|| fault("is left out; other forms are not read"))?;
    let constant = Constant::read(tensor.clone())
        .map_err(|_| fault("must be a tensor of float, uint8, int8, int32 or int64, inside the file"))?;
    Ok(Value::Constant(Arc::new(constant)))
}

/// An operator that does not run here: because it computes in float, or at all.
fn unknown(node: &Node<'_>) -> NodeFault {
    let float = |at| {
        matches!(
            node.optional(at),
            Some(Value::Image | Value::Real(_) | Value::Curve(_) | Value::Pending(_) | Value::Chain(_))
        )
    };
    if (0..node.count()).any(float) { NodeFault::Float } else { NodeFault::Unsupported }
}

//! The door: from a file and its manifest to a model that computes the same bits everywhere, or a refusal.

use std::{collections::BTreeMap, sync::Mutex};

use aceso_types::{Manifest, Tensor, manifest::Onnx};

use crate::{
    answers,
    error::{ModelRefused, OutputFault},
    ir::{Graph, Op, ValueId},
    kernels::{Kernels, Run},
    lower::{self, Lowered},
    model::{Model, Quantisation, TensorSpec},
    onnx,
    packed::Packing,
    plan::{Facts, Plan},
};

/// Admits a model.
///
/// Checks that the file is the one that `manifest` names, decodes it, proves that every operation is one that SPEC.md
/// defines and stays within its bounds, and that input and output are what the manifest says. Takes memory in
/// proportion to the file, and does not run the model. The model will run with the fastest kernels that this processor
/// has.
pub fn admit(onnx: &[u8], manifest: &Manifest) -> Result<Model, ModelRefused> {
    admit_with(onnx, manifest, Kernels::default())
}

/// Admits a model that will run with these kernels. They change the time of a run and nothing else.
pub fn admit_with(onnx: &[u8], manifest: &Manifest, kernels: Kernels) -> Result<Model, ModelRefused> {
    Ok(check(onnx, manifest)?.planned(kernels))
}

/// Admits a model again, from where its bytes were put when they were found to be those that `manifest` names: their digest
/// takes longer than all the rest, and is not looked at.
pub fn admit_known(onnx: &[u8], manifest: &Manifest, kernels: Kernels) -> Result<Model, ModelRefused> {
    Ok(understand(onnx, manifest)?.planned(kernels))
}

/// The same, and the model as [`crate::unpack`] takes it: what takes time here is done there.
pub fn admit_packed(onnx: &[u8], manifest: &Manifest, kernels: Kernels) -> Result<(Model, Vec<u8>), ModelRefused> {
    let mut packing = Packing::new(&manifest.id(), kernels);
    let set = kernels.chosen();
    let model = understand(onnx, manifest)?.prepared(kernels, |op| packing.prepare(op, set));
    let packed = packing.finish(&model);
    Ok((model, packed))
}

/// A model that would be admitted, before it is planned for kernels.
pub(crate) struct Checked {
    pub(crate) graph: Graph,
    pub(crate) input: ValueId,
    /// Outputs in the graph.
    pub(crate) ids: Vec<ValueId>,
    pub(crate) facts: Facts,
    pub(crate) inputs: Vec<TensorSpec>,
    pub(crate) outputs: Vec<TensorSpec>,
    pub(crate) quantisations: Vec<Option<Quantisation>>,
    /// How many float operators of each kind became integer ones.
    pub(crate) fused: BTreeMap<String, usize>,
}

impl Checked {
    fn planned(self, kernels: Kernels) -> Model {
        let set = kernels.chosen();
        self.prepared(kernels, |op| set.prepare(op))
    }

    fn prepared(self, kernels: Kernels, prepare: impl FnMut(Op) -> Box<dyn Run>) -> Model {
        let Self { graph, input, ids, facts, inputs, outputs, quantisations, .. } = self;
        let plan = Plan::new(graph, input, &ids, prepare);
        Model { plan, facts, inputs, outputs, quantisations, kernels, idle: Mutex::default() }
    }
}

/// All checks of admission.
pub(crate) fn check(onnx: &[u8], manifest: &Manifest) -> Result<Checked, ModelRefused> {
    manifest.check().map_err(ModelRefused::Manifest)?;
    check_file(onnx, &manifest.onnx)?;
    understand(onnx, manifest)
}

fn understand(onnx: &[u8], manifest: &Manifest) -> Result<Checked, ModelRefused> {
    let source = onnx::decode(onnx)?;
    let Lowered { graph, input, input_name, outputs, fused } = lower::lower(source, &manifest.pipeline)?;

    let spec = |name: &str, id: usize| {
        let value = &graph.values[id];
        let ty = value.ty;
        let refused = |fault| ModelRefused::Output { name: onnx::shown(name), fault };
        let dims: Option<Vec<u32>> = value.dims.iter().map(|&dim| u32::try_from(dim).ok()).collect();
        let dims = dims.ok_or_else(|| refused(OutputFault::Missing))?;
        Tensor::bytes(ty, &dims).map_err(|e| refused(OutputFault::Tensor(e)))?;
        Ok(TensorSpec { name: name.into(), ty, dims })
    };
    let inputs = vec![spec(&input_name, input)?];
    let specs = outputs.iter().map(|output| spec(&output.name, output.id)).collect::<Result<Vec<_>, _>>()?;
    check_meaning(&specs, manifest)?;

    let quantisations = outputs
        .iter()
        .map(|output| output.meaning.map(|(scale, zero_point)| Quantisation { scale, zero_point }))
        .collect();
    let ids: Vec<_> = outputs.iter().map(|output| output.id).collect();
    let facts = Facts::of(&graph, input, &ids)?;
    Ok(Checked { graph, input, ids, facts, inputs, outputs: specs, quantisations, fused })
}

fn check_file(onnx: &[u8], named: &Onnx) -> Result<(), ModelRefused> {
    let got = onnx.len() as u64;
    if got != named.size {
        return Err(ModelRefused::Size { want: named.size, got });
    }
    let digest = Onnx::digest_of(onnx);
    if digest != named.digest {
        return Err(ModelRefused::Digest { want: named.digest, got: digest });
    }
    Ok(())
}

/// What the manifest says of the outputs must describe them.
fn check_meaning(outputs: &[TensorSpec], manifest: &Manifest) -> Result<(), ModelRefused> {
    let shapes: Vec<_> = outputs.iter().map(|spec| (spec.ty, &spec.dims[..])).collect();
    answers::check(&shapes, &manifest.output).map_err(|(index, fault)| {
        let name = outputs.get(index).map(|spec| onnx::shown(&spec.name)).unwrap_or_default();
        ModelRefused::Output { name, fault }
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::onnx::pb::{DimensionProto, ModelProto, TensorTypeProto};

    /// The bundled model with other words about its input and its output.
    fn refusal(edit: impl FnOnce(&mut TensorTypeProto, &mut TensorTypeProto)) -> Option<String> {
        fn tensor(infos: &mut [onnx::pb::ValueInfoProto]) -> &mut TensorTypeProto {
            infos[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap()
        }
        let mut manifest: Manifest =
            serde_json::from_slice(include_bytes!("../../models/pneumonia/manifest.json")).unwrap();
        let mut model = ModelProto::decode(&include_bytes!("../../models/pneumonia/model.onnx")[..]).unwrap();
        let graph = model.graph.as_mut().unwrap();
        edit(tensor(&mut graph.input), tensor(&mut graph.output));
        let onnx = model.encode_to_vec();
        manifest.onnx = Onnx::of(manifest.onnx.blob, &onnx);
        admit(&onnx, &manifest).err().map(|refused| refused.to_string())
    }

    fn dims(tensor: &mut TensorTypeProto) -> &mut Vec<DimensionProto> {
        &mut tensor.shape.get_or_insert_default().dim
    }

    #[test]
    fn what_a_file_declares_of_its_outputs_is_compared() {
        assert_eq!(refusal(|_, _| ()), None);
        assert_eq!(refusal(|_, output| output.shape = None), None);
        assert_eq!(refusal(|_, output| output.elem_type = 0), None);
        assert_eq!(refusal(|_, output| dims(output)[0].dim_value = None), None);
        expect_test::expect![[r#"
            output "logit": the file declares element type 7 of ONNX, and the graph computes 1
            output "logit": the file declares shape [1, 3], and the graph computes [1, 1]
            output "logit": the file declares shape [1, 1, ?], and the graph computes [1, 1]
            input "image": its shape [1, 1, 0, 28] has a dimension that is zero or negative
            input "image": its shape [1, 1, -224, 28] has a dimension that is zero or negative
            input "image": its shape is not fixed
        "#]]
        .assert_eq(
            &[
                refusal(|_, output| output.elem_type = 7),
                refusal(|_, output| dims(output)[1].dim_value = Some(3)),
                refusal(|_, output| dims(output).push(DimensionProto { dim_value: None, dim_param: Some("n".into()) })),
                refusal(|input, _| dims(input)[2].dim_value = Some(0)),
                refusal(|input, _| dims(input)[2].dim_value = Some(-224)),
                refusal(|input, _| dims(input)[2].dim_value = None),
            ]
            .map(|refused| refused.unwrap() + "\n")
            .concat(),
        );
    }
}

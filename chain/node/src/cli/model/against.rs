//! `aceso model check --against onnxruntime`: are the bits those of another engine?
//!
//! The same seeded inputs go through both. Tensors inside the graph are compared by copies of the model that hand them out;
//! a difference is shown where it is first seen. SPEC.md ("Beside ONNX Runtime") says which differences are known.

use std::{fs, path::Path};

use aceso_inference::{Model, admit};
use aceso_types::{
    ElementType, Manifest, Tensor,
    manifest::{Layout, Onnx},
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::python::Python;

const SCRIPT: &str = include_str!("../../../../../models/tools/compare.py");
/// Inputs that are compared: zeros, the highest bytes, and noise.
const INPUTS: usize = 4;

/// What came of a comparison.
pub(super) struct Compared {
    version: String,
    tensors: Vec<Of>,
    /// Parts that could not be compared, and why.
    left_out: Vec<String>,
}

/// One tensor, over all inputs.
struct Of {
    name: String,
    elements: usize,
    differing: usize,
    largest: i32,
    /// Input, element, ours, theirs.
    first: Option<(usize, usize, i32, i32)>,
}

/// Compares a model with ONNX Runtime.
pub(super) fn compare(
    file: &Path,
    onnx: &[u8],
    model: &Model,
    manifest: &Manifest,
    python: &Python,
) -> Result<Compared> {
    let [spec] = model.inputs() else { anyhow::bail!("the model has {} inputs", model.inputs().len()) };
    let inputs = inputs(spec.ty, &spec.dims)?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let at = |name: &str| folder.path().join(name);
    let raw: Vec<u8> = inputs.iter().flat_map(|input| input.data().iter().copied()).collect();
    fs::write(at("inputs.bin"), raw).context("cannot write a temporary file")?;
    fs::write(at("model.onnx"), onnx).context("cannot write a temporary file")?;
    let pipeline = &manifest.pipeline;
    let request = json!({
        "model": at("model.onnx"),
        "dims": spec.dims,
        "normalise": pipeline.normalise,
        "layout": if pipeline.layout == Layout::Nchw { "nchw" } else { "nhwc" },
    });
    let answer =
        python.run(SCRIPT, folder.path(), &request).with_context(|| format!("cannot compare {}", file.display()))?;
    let mut compared = Compared {
        version: answer["onnxruntime"].as_str().unwrap_or("?").to_owned(),
        tensors: Vec::new(),
        left_out: Vec::new(),
    };
    for (part, names) in answer["parts"].as_array().into_iter().flatten().enumerate() {
        let names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let graph = fs::read(at(&format!("part-{part}.onnx"))).context("the comparison left no model")?;
        let theirs = fs::read(at(&format!("part-{part}.bin"))).context("the comparison left no tensors")?;
        let named = Manifest { onnx: Onnx::of(manifest.onnx.blob, &graph), ..manifest.clone() };
        match admit(&graph, &named) {
            Ok(part) => compared.tensors.extend(differences(&part, &inputs, &names, &theirs)?),
            Err(refused) => compared.left_out.push(format!("{}: {refused}", names.join(", "))),
        }
    }
    Ok(compared)
}

/// Tensors for all to compute with, the same each time.
fn inputs(ty: ElementType, dims: &[u32]) -> Result<Vec<Tensor>> {
    let zeros = Tensor::zeros(ty, dims.to_vec())?;
    let mut seed = 1u64;
    let mut noise = || {
        // Knuth's linear congruential generator.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[0]
    };
    let mut all = vec![zeros.clone(), Tensor::new(ty, dims.to_vec(), vec![0x7f; zeros.data().len()])?];
    while all.len() < INPUTS {
        all.push(Tensor::new(ty, dims.to_vec(), zeros.data().iter().map(|_| noise()).collect())?);
    }
    Ok(all)
}

/// How the named outputs of a model differ from what the other engine gave, input by input.
fn differences(model: &Model, inputs: &[Tensor], names: &[&str], theirs: &[u8]) -> Result<Vec<Of>> {
    let mut found: Vec<Of> = names
        .iter()
        .map(|&name| Of { name: name.into(), elements: 0, differing: 0, largest: 0, first: None })
        .collect();
    let mut rest = theirs;
    for (index, input) in inputs.iter().enumerate() {
        let outputs = model.run(std::slice::from_ref(input))?;
        for of in &mut found {
            let at = model.outputs().iter().position(|spec| spec.name == of.name);
            let ours = at.and_then(|at| outputs.get(at)).context("a tensor is missing in the comparison")?;
            ensure!(rest.len() >= ours.data().len(), "the comparison left fewer bytes than there are elements");
            let (own, left) = rest.split_at(ours.data().len());
            rest = left;
            of.add(index, ours, own);
        }
    }
    ensure!(rest.is_empty(), "the comparison left more bytes than there are elements");
    Ok(found)
}

impl Of {
    fn add(&mut self, input: usize, ours: &Tensor, theirs: &[u8]) {
        let number =
            |byte: u8| if ours.ty() == ElementType::I8 { i32::from(byte.cast_signed()) } else { i32::from(byte) };
        self.elements += theirs.len();
        for (at, (&a, &b)) in ours.data().iter().zip(theirs).enumerate().filter(|(_, (a, b))| a != b) {
            let (a, b) = (number(a), number(b));
            self.differing += 1;
            self.largest = self.largest.max((a - b).abs());
            self.first.get_or_insert((input, at, a, b));
        }
    }
}

impl Compared {
    fn differing(&self) -> impl Iterator<Item = &Of> {
        self.tensors.iter().filter(|of| of.differing > 0)
    }

    pub(super) fn object(&self) -> Value {
        let rows = self.differing().map(|of| {
            let first = of.first.map(|(input, element, ours, theirs)| {
                json!({"input": input, "element": element, "ours": ours, "theirs": theirs})
            });
            json!({"tensor": of.name, "elements": of.elements, "differing": of.differing, "largest": of.largest, "first": first})
        });
        json!({
            "engine": "onnxruntime",
            "version": self.version,
            "inputs": INPUTS,
            "tensors": self.tensors.len(),
            "equal": self.differing().count() == 0 && self.left_out.is_empty(),
            "differences": rows.collect::<Vec<_>>(),
            "left_out": self.left_out,
        })
    }

    pub(super) fn text(&self) -> String {
        let elements: usize = self.tensors.iter().map(|of| of.elements).sum();
        let (all, differing) = (self.tensors.len(), self.differing().count());
        let mut text = format!("against ONNX Runtime {}, {INPUTS} inputs: ", self.version);
        text += &match differing {
            0 => format!("all {elements} elements of {all} tensors are the same"),
            _ => format!("{differing} of {all} tensors differ; SPEC.md says which differences are known"),
        };
        for of in self.differing() {
            let (input, element, ours, theirs) = of.first.unwrap_or_default();
            text += &format!(
                "\n  {}: {} of {} elements by up to {}; the first is element {element} of input {input}, {ours} here and {theirs} \
                 there",
                of.name, of.differing, of.elements, of.largest
            );
        }
        for reason in &self.left_out {
            text += &format!("\n  not compared: {reason}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_kept() {
        let mut of = Of { name: "y".into(), elements: 0, differing: 0, largest: 0, first: None };
        let ours = Tensor::new(ElementType::I8, vec![4], vec![1, 0xff, 3, 4]).unwrap();
        of.add(0, &ours, &[1, 0xff, 3, 4]);
        assert_eq!((of.elements, of.differing, of.first), (4, 0, None));
        of.add(1, &ours, &[1, 1, 3, 0x80]);
        of.add(2, &ours, &[0, 0xff, 3, 4]);
        assert_eq!((of.elements, of.differing, of.largest, of.first), (12, 3, 132, Some((1, 1, -1, 1))));
        let compared = Compared { version: "1".into(), tensors: vec![of], left_out: vec!["z: why".into()] };
        assert!(!compared.object()["equal"].as_bool().unwrap());
        assert_eq!(
            compared.text(),
            "against ONNX Runtime 1, 4 inputs: 1 of 1 tensors differ; SPEC.md says which differences are known\n  y: 3 of 12 \
             elements by up to 132; the first is element 1 of input 1, -1 here and 1 there\n  not compared: z: why"
        );
    }
}

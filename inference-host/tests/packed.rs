//! A packed model is the model: the same outputs, costs and words, and nothing else is taken for it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{fs, path::Path};

use aceso_inference::{KernelSet, Kernels, Model, Packed, PackedError, admit_packed, admit_with, unpack};
use aceso_types::{Digest, Manifest, ModelId, Tensor};

/// Every set of kernels of this machine.
fn sets() -> Vec<Kernels> {
    Kernels::available().into_iter().map(|set| Kernels::new(set).unwrap()).collect()
}

fn read(bytes: &[u8], id: &ModelId, kernels: Kernels) -> Result<Model, PackedError> {
    unpack(Packed::from(bytes), id, kernels)
}

/// Images of every shade, and some that are not.
fn images(model: &Model) -> Vec<Tensor> {
    let spec = &model.inputs()[0];
    let count = Tensor::bytes(spec.ty, &spec.dims).unwrap();
    let image = |byte: &dyn Fn(usize) -> usize| {
        let data = (0..count).map(|at| u8::try_from(byte(at) & 0xff).unwrap()).collect();
        Tensor::new(spec.ty, spec.dims.clone(), data).unwrap()
    };
    vec![image(&|_| 0), image(&|_| 255), image(&|at| at), image(&|at| at * 31 + (at >> 8) * 7)]
}

fn is_the_same(name: &str, onnx: &[u8], manifest: &Manifest, kernels: Kernels) {
    let fresh = admit_with(onnx, manifest, kernels).unwrap();
    let (packing, bytes) = admit_packed(onnx, manifest, kernels).unwrap();
    let again = read(&bytes, &manifest.id(), kernels).unwrap();
    let name = format!("{name}, {}", kernels.set());
    for model in [&packing, &again] {
        assert_eq!(model.facts(), fresh.facts(), "{name}");
        assert_eq!((model.inputs(), model.outputs()), (fresh.inputs(), fresh.outputs()), "{name}");
        assert_eq!(model.quantisations(), fresh.quantisations(), "{name}");
        assert_eq!(model.kernels(), fresh.kernels(), "{name}");
    }
    let steps = |model: &Model, image: &Tensor| {
        let mut steps = Vec::new();
        let outputs = model.run_watched(std::slice::from_ref(image), &mut |step| steps.push(format!("{step:?}")));
        (outputs.unwrap(), steps)
    };
    for image in images(&fresh) {
        assert_eq!(steps(&again, &image), steps(&fresh, &image), "{name}");
        // In the memory of the run before.
        assert_eq!(steps(&again, &image), steps(&fresh, &image), "{name}");
    }
}

#[test]
fn every_operation_is_the_same_with_every_kernel() {
    let mut names = std::collections::BTreeSet::new();
    for case in common::cases() {
        for kernels in sets() {
            is_the_same(&case.name, &case.onnx, &case.manifest, kernels);
        }
        let model = admit_with(&case.onnx, &case.manifest, Kernels::default()).unwrap();
        model.run_watched(&images(&model)[..1], &mut |step| names.extend([step.name])).unwrap();
    }
    assert!(names.len() >= 20, "the cases have these operations alone: {names:?}");
}

#[test]
fn bundled_models_are_the_same_with_every_kernel() {
    let mut count = 0;
    for entry in fs::read_dir("../models").unwrap() {
        let folder = entry.unwrap().path();
        let Some((onnx, manifest)) = bundled(&folder) else { continue };
        for kernels in sets() {
            is_the_same(&folder.display().to_string(), &onnx, &manifest, kernels);
        }
        count += 1;
    }
    assert!(count >= 4, "{count} models");
}

fn bundled(folder: &Path) -> Option<(Vec<u8>, Manifest)> {
    let onnx = fs::read(folder.join("model.onnx")).ok()?;
    Some((onnx, serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap()))
}

/// A packed model for the header's refusals, and what `edit` makes of it.
fn refusal(edit: impl FnOnce(&mut Vec<u8>), kernels: Kernels) -> String {
    let (onnx, manifest) = bundled(Path::new("../models/pneumonia")).unwrap();
    let (_, mut bytes) = admit_packed(&onnx, &manifest, Kernels::new(KernelSet::Scalar).unwrap()).unwrap();
    edit(&mut bytes);
    read(&bytes, &manifest.id(), kernels).unwrap_err().to_string()
}

#[test]
fn another_build_model_or_set_of_kernels_is_refused() {
    let scalar = || Kernels::new(KernelSet::Scalar).unwrap();
    assert_eq!(refusal(|bytes| bytes[0] ^= 1, scalar()), "these are not the bytes of a packed model");
    assert_eq!(refusal(Vec::clear, scalar()), "these are not the bytes of a packed model");
    let build = refusal(|bytes| bytes[16] ^= 1, scalar());
    assert!(build.starts_with("they were packed by build "), "{build}");
    let model = refusal(|bytes| bytes[24..56].fill(7), scalar());
    assert!(model.starts_with(&format!("they are model {}, not ", ModelId(Digest([7; 32])))), "{model}");
    for kernels in sets().into_iter().filter(|kernels| kernels.set() != KernelSet::Scalar) {
        let refused = refusal(|_| (), kernels);
        assert_eq!(refused, format!("they were packed for the kernels \"scalar\", not {}", kernels.set()));
    }
    assert_eq!(refusal(|bytes| bytes.push(0), scalar()), "1 bytes follow the end");
}

#[test]
fn what_is_cut_off_is_refused_wherever() {
    for kernels in sets() {
        let (onnx, manifest) = bundled(Path::new("../models/pneumonia")).unwrap();
        let (_, bytes) = admit_packed(&onnx, &manifest, kernels).unwrap();
        let id = manifest.id();
        for length in (0..bytes.len()).rev().step_by(97).chain(0..200) {
            assert!(read(&bytes[..length], &id, kernels).is_err(), "{length} of {}", bytes.len());
        }
    }
}

/// Whoever keeps packed models knows what was changed. Read without looking, no byte makes this panic or take memory
/// without a bound; what is read then is not run.
#[test]
fn no_byte_makes_reading_fail_otherwise_than_by_saying_so() {
    for kernels in sets() {
        let (onnx, manifest) = bundled(Path::new("../models/pneumonia")).unwrap();
        let (_, bytes) = admit_packed(&onnx, &manifest, kernels).unwrap();
        let (id, mut refused) = (manifest.id(), 0);
        let sparse = (0..bytes.len()).step_by(1 + bytes.len() / 4000);
        for at in sparse.chain(0..400).chain(bytes.len() - 2000..bytes.len()) {
            for value in [0, 0xff, bytes[at] ^ 0x80, bytes[at].wrapping_add(1)] {
                let mut changed = bytes.clone();
                changed[at] = value;
                refused += u32::from(read(&changed, &id, kernels).is_err());
            }
        }
        assert!(refused > 500, "{refused}");
    }
}

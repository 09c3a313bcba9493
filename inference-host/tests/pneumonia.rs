//! Outputs of `models/pneumonia` from image files on. A difference here forks the chain.
//!
//! The recorded values were computed by ONNX Runtime when the model was made, so that they are not our own word. Record
//! anew only together with a new model id: `models/pneumonia/tools/publish.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "the environment names the folder of data that the project does not carry"
)]

use aceso_test_support::npz;
#[allow(dead_code, reason = "shared with the journey, which uses the rest")]
#[path = "../../tests/journey/src/phantom.rs"]
mod phantom;

use std::path::{Path, PathBuf};

use aceso_inference::{
    KernelSet, Kernels, Model, admit, admit_with,
    image::{Limits, Stated, decode},
};
use aceso_types::{BlobId, Digest, Manifest, guest::Answers, manifest::Onnx};
use expect_test::expect;
use phantom::{COUNT, EXPLICIT, Picture, Stored, chest, dicom, phantom};

fn folder() -> PathBuf {
    Path::new("../models/pneumonia").to_path_buf()
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn text(name: &str) -> String {
    String::from_utf8(read(name)).unwrap()
}

fn manifest() -> Manifest {
    serde_json::from_slice(&read("manifest.json")).unwrap()
}

/// The lines of a golden file, without its header, split at spaces.
fn golden(name: &str) -> Vec<Vec<String>> {
    let lines = text(&format!("golden/{name}"));
    let lines = lines.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

fn output(model: &Model, manifest: &Manifest, file: &[u8]) -> u8 {
    let stated = Stated { modality: "DX".into(), body_part: "CHEST".into() };
    let tensor = decode(file, Limits::default()).unwrap().to_tensor(&manifest.pipeline, &stated).unwrap();
    model.run(&[tensor]).unwrap()[0].data()[0]
}

#[test]
fn the_manifest_names_the_model() {
    let (manifest, onnx) = (manifest(), read("model.onnx"));
    assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest.clone()));
    assert_eq!(manifest.onnx, Onnx::of(BlobId::of_raw(&onnx), &onnx));
    expect!["73a8b279c85c15825e0d27e845ba49e8b75a8b4085e13e8de0a56096c4588b9e"].assert_eq(&manifest.id().to_string());
    let model = admit(&onnx, &manifest).unwrap();
    let specs = format!("{:?} {:?} {} MACs", model.inputs(), model.outputs(), model.facts().macs);
    expect![[r#"[TensorSpec { name: "image", ty: U8, dims: [1, 1, 28, 28] }] [TensorSpec { name: "logit", ty: U8, dims: [1, 1] }] 5193280 MACs"#]].assert_eq(&specs);
}

#[test]
fn synthetic_samples_give_the_recorded_outputs() {
    let manifest = manifest();
    // Computed with every set of kernels that this machine has.
    let with = |set| admit_with(&read("model.onnx"), &manifest, Kernels::new(set).unwrap()).unwrap();
    let models: Vec<Model> = Kernels::available().into_iter().map(with).collect();
    let lines = golden("phantoms.txt");
    assert_eq!(lines.len(), COUNT as usize);
    for (index, line) in (0..).zip(lines) {
        let phantom = phantom(index);
        let files = [
            phantom::png(&phantom.picture).unwrap(),
            dicom(&chest(&phantom.picture, Stored::Eight, 1), EXPLICIT),
            dicom(&chest(&phantom.picture, Stored::Twelve, 1), EXPLICIT),
        ];
        for file in files {
            for model in &models {
                let got = output(model, &manifest, &file);
                let got = [index.to_string(), u8::from(phantom.pneumonia).to_string(), got.to_string()];
                assert_eq!(got, line[..], "{}", model.kernels());
            }
        }
    }
}

#[test]
fn opacities_answer_yes_and_clear_lungs_no() {
    let manifest = manifest();
    let model = admit(&read("model.onnx"), &manifest).unwrap();
    for index in 0..COUNT {
        let phantom = phantom(index);
        let stated = Stated { modality: "CR".into(), body_part: "CHEST".into() };
        let image = decode(&phantom::png(&phantom.picture).unwrap(), Limits::default()).unwrap();
        let outputs = model.run(&[image.to_tensor(&manifest.pipeline, &stated).unwrap()]).unwrap();
        let Answers { scores: labels, findings: answers, .. } = aceso_inference::answers(&manifest, &outputs).unwrap();
        assert_eq!((labels[0].label.as_str(), answers[0].id.as_str()), ("pneumonia", "pneumonia"));
        assert_eq!(answers[0].present, phantom.pneumonia, "{index}: {labels:?}");
    }
}

#[test]
fn the_test_split_gives_the_recorded_outputs() {
    let beside = "../../shared/data";
    let data = std::env::var_os("ACESO_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let Ok(archive) = std::fs::read(data.join("pneumoniamnist.npz")) else {
        println!("skipped: pneumoniamnist.npz is not in {}", data.display());
        return;
    };
    let images = npz::read(&archive, "test_images").unwrap();
    assert_eq!(images.shape, [624, 28, 28]);
    let manifest = manifest();
    let model = admit(&read("model.onnx"), &manifest).unwrap();
    let scalar = Kernels::new(KernelSet::Scalar).unwrap();
    let scalar = admit_with(&read("model.onnx"), &manifest, scalar).unwrap();
    let got: Vec<u8> = images
        .data
        .chunks(28 * 28)
        .map(|pixels| {
            let picture = Picture { width: 28, height: 28, pixels: pixels.to_vec() };
            let picture = phantom::png(&picture).unwrap();
            let got = output(&model, &manifest, &picture);
            assert_eq!(got, output(&scalar, &manifest, &picture));
            got
        })
        .collect();
    let (named, all) = golden("test-split.txt").into_iter().partition::<Vec<_>, _>(|line| line[0] != "all");
    assert_eq!((named.len(), all.len()), (64, 1));
    for line in named {
        assert_eq!(got[line[0].parse::<usize>().unwrap()].to_string(), line[1], "image {}", line[0]);
    }
    assert_eq!(Digest::sha3("aceso/golden/v1", &[&got]).to_string(), all[0][1]);

    // Beside its float parent: AUC in millionths, by counting pairs.
    let labels = npz::read(&archive, "test_labels").unwrap().data;
    let ours: Vec<i64> = got.iter().map(|&q| i64::from(q)).collect();
    let parent: Vec<i64> = golden("float-parent.txt").iter().map(|line| line[0].parse().unwrap()).collect();
    let (ours, parent) = (auc_micro(&ours, &labels), auc_micro(&parent, &labels));
    let at_least = manifest.output.findings[0].at_least;
    let right = got.iter().zip(&labels).filter(|&(&q, &label)| (i32::from(q) >= at_least) == (label == 1)).count();
    expect!["975646 976879 583"].assert_eq(&format!("{ours} {parent} {right}"));
    assert!(ours >= 950_000 && ours.abs_diff(parent) <= 5_000);
}

fn auc_micro(scores: &[i64], labels: &[u8]) -> i64 {
    let of = |wanted: u8| {
        let chosen = scores.iter().zip(labels).filter(move |&(_, &label)| label == wanted);
        chosen.map(|(&score, _)| score).collect::<Vec<i64>>()
    };
    let (healthy, sick) = (of(0), of(1));
    let halves: i64 = sick.iter().flat_map(|&s| healthy.iter().map(move |&h| 1 + (s - h).signum())).sum();
    let pairs = i64::try_from(2 * healthy.len() * sick.len()).unwrap();
    halves * 1_000_000 / pairs
}

//! Outputs of `models/pneumonia` from image files on. A difference here forks the chain.
//!
//! The recorded values were computed by ONNX Runtime when the model was made, so that they are not our own word. Record
//! anew only together with a new model id: `models/tools/publish.py`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/bundled.rs"]
mod bundled;
#[allow(dead_code, reason = "shared with the journey, which uses the rest")]
#[path = "../../tests/journey/src/phantom.rs"]
mod phantom;

use aceso_inference::{
    answers,
    image::{Limits, Stated, decode},
};
use aceso_types::guest::Answers;
use bundled::Bundled;
use expect_test::expect;
use phantom::{COUNT, EXPLICIT, Stored, chest, dicom, phantom};

const PNEUMONIA: Bundled = Bundled { name: "pneumonia", modality: "DX", body_part: "CHEST" };

#[test]
fn the_manifest_names_the_model() {
    let [id, specs] = PNEUMONIA.identity();
    expect!["73a8b279c85c15825e0d27e845ba49e8b75a8b4085e13e8de0a56096c4588b9e"].assert_eq(&id);
    expect![[r#"[TensorSpec { name: "image", ty: U8, dims: [1, 1, 28, 28] }] [TensorSpec { name: "logit", ty: U8, dims: [1, 1] }] 5193280 MACs"#]].assert_eq(&specs);
}

#[test]
fn synthetic_samples_give_the_recorded_outputs() {
    let (manifest, models, lines) = (PNEUMONIA.manifest(), PNEUMONIA.models(), PNEUMONIA.golden("phantoms.txt"));
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
                let got = PNEUMONIA.output(model, &manifest, &file);
                let got = [index.to_string(), u8::from(phantom.pneumonia).to_string(), got.to_string()];
                assert_eq!(got, line[..], "{}", model.kernels());
            }
        }
    }
}

#[test]
fn opacities_answer_yes_and_clear_lungs_no() {
    let (manifest, model) = (PNEUMONIA.manifest(), PNEUMONIA.model());
    for index in 0..COUNT {
        let phantom = phantom(index);
        let stated = Stated { modality: "CR".into(), body_part: "CHEST".into() };
        let image = decode(&phantom::png(&phantom.picture).unwrap(), Limits::default()).unwrap();
        let outputs = model.run(&[image.to_tensor(&manifest.pipeline, &stated).unwrap()]).unwrap();
        let Answers { scores: labels, findings, .. } = answers(&manifest, &outputs).unwrap();
        assert_eq!((labels[0].label.as_str(), findings[0].id.as_str()), ("pneumonia", "pneumonia"));
        assert_eq!(findings[0].present, phantom.pneumonia, "{index}: {labels:?}");
    }
}

#[test]
fn the_test_split_gives_the_recorded_outputs() {
    let Some((ours, parent, right)) = PNEUMONIA.test_split("pneumoniamnist.npz", 1) else { return };
    expect!["975646 976879 583"].assert_eq(&format!("{ours} {parent} {right}"));
    assert!(ours >= 960_000 && ours.abs_diff(parent) <= 5_000);
}

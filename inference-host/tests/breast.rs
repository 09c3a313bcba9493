//! Outputs of `models/breast` from image files on. A difference here forks the chain.
//!
//! The recorded values were computed by ONNX Runtime when the model was made, so that they are not our own word. Record
//! anew only together with a new model id: `models/tools/publish.py`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/bundled.rs"]
mod bundled;

use bundled::{Bundled, png};
use expect_test::expect;

const BREAST: Bundled = Bundled { name: "breast", modality: "US", body_part: "BREAST" };

/// Pixels of picture `i` of sixteen that show nothing: `synthetic` in `models/tools/publish.py`.
fn synthetic(i: u32) -> Vec<u8> {
    let pixel = |at: u32| {
        let (y, x) = (at / 28, at % 28);
        u8::try_from((37 * i + 7 * x * (i % 5 + 1) + y * y) % 256).unwrap()
    };
    (0..28 * 28).map(pixel).collect()
}

#[test]
fn the_manifest_names_the_model() {
    let [id, specs] = BREAST.identity();
    expect!["909442b600ef5198646ea7de637b23911ac22c0421b8c9b0f7387c5b774a85f6"].assert_eq(&id);
    expect![[r#"[TensorSpec { name: "image", ty: U8, dims: [1, 1, 28, 28] }] [TensorSpec { name: "logit", ty: U8, dims: [1, 1] }] 5193280 MACs"#]].assert_eq(&specs);
}

#[test]
fn pictures_of_nothing_give_the_recorded_outputs() {
    let (manifest, models, lines) = (BREAST.manifest(), BREAST.models(), BREAST.golden("synthetic.txt"));
    assert_eq!(lines.len(), 16);
    for (i, line) in (0..).zip(lines) {
        let file = png(28, &synthetic(i));
        for model in &models {
            let got = BREAST.output(model, &manifest, &file);
            assert_eq!([i.to_string(), got.to_string()], line[..], "{}", model.kernels());
        }
    }
}

#[test]
fn the_test_split_gives_the_recorded_outputs() {
    let Some((ours, parent, right)) = BREAST.test_split("breastmnist.npz", 0) else { return };
    expect!["913847 913533 138"].assert_eq(&format!("{ours} {parent} {right}"));
    assert!(ours >= 895_000 && ours.abs_diff(parent) <= 5_000);
}

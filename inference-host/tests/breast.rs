//! Outputs of `models/breast` from image files on. A difference here forks the chain.
//!
//! The recorded values were computed by ONNX Runtime when the model was made, so that they are not our own word. Record
//! anew only together with a new model id: `models/tools/publish.py`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/bundled.rs"]
mod bundled;

use bundled::Bundled;
use expect_test::expect;

const BREAST: Bundled = Bundled { name: "breast", modality: "US", body_part: "BREAST" };

#[test]
fn the_manifest_names_the_model() {
    let [id, specs] = BREAST.identity();
    expect!["909442b600ef5198646ea7de637b23911ac22c0421b8c9b0f7387c5b774a85f6"].assert_eq(&id);
    expect![[r#"[TensorSpec { name: "image", ty: U8, dims: [1, 1, 28, 28] }] [TensorSpec { name: "logit", ty: U8, dims: [1, 1] }] 5193280 MACs"#]].assert_eq(&specs);
}

#[test]
fn pictures_of_nothing_give_the_recorded_outputs() {
    BREAST.gives_the_recorded_outputs(28);
}

#[test]
fn the_test_split_gives_the_recorded_outputs() {
    let Some((ours, parent, right)) = BREAST.test_split("breastmnist.npz", 0) else { return };
    expect!["913847 913533 138"].assert_eq(&format!("{ours} {parent} {right}"));
    assert!(ours >= 895_000 && ours.abs_diff(parent) <= 5_000);
}

//! Outputs of `models/breast-ultrasound` from image files on. A difference here forks the chain.
//!
//! The recorded values were computed by ONNX Runtime when the model was made, so that they are not our own word. Record
//! anew only together with a new model id: `models/tools/ultrasound_publish.py`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/bundled.rs"]
mod bundled;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use aceso_inference::{KernelSet, Kernels, admit, admit_with};
use aceso_types::{Digest, manifest::Onnx};
use bundled::{Bundled, auc_micro, data, words};
use expect_test::expect;

const ULTRASOUND: Bundled = Bundled { name: "breast-ultrasound", modality: "US", body_part: "BREAST" };
const CLASSES: [&str; 3] = ["benign", "malignant", "normal"];

#[test]
fn the_manifest_names_the_model() {
    let [id, specs] = ULTRASOUND.identity();
    expect!["426aa1397def70e060d79366b823e3e108c75804f49fa89336ad18a70215a816"].assert_eq(&id);
    expect![[r#"[TensorSpec { name: "image", ty: U8, dims: [1, 1, 224, 224] }] [TensorSpec { name: "logit", ty: U8, dims: [1, 3] }] 40718208 MACs"#]].assert_eq(&specs);
}

#[test]
fn pictures_of_nothing_give_the_recorded_outputs() {
    ULTRASOUND.gives_the_recorded_outputs(224);
}

/// The file's name may have spaces.
fn folds() -> Vec<(usize, usize, String)> {
    let lines = ULTRASOUND.golden("folds.txt").into_iter();
    lines.map(|line| (line[0].parse().unwrap(), line[1].parse().unwrap(), line[2..].join(" "))).collect()
}

#[test]
fn what_looks_alike_is_in_one_fold() {
    let files = folds();
    assert_eq!(files.len(), 780);
    let mut groups = BTreeMap::<usize, BTreeSet<usize>>::new();
    let mut sizes = BTreeMap::<(usize, &str), usize>::new();
    for (fold, group, file) in &files {
        groups.entry(*group).or_default().insert(*fold);
        *sizes.entry((*fold, file.split_once('/').unwrap().0)).or_default() += 1;
    }
    assert!(groups.values().all(|folds| folds.len() == 1));
    assert_eq!(groups.len(), 598);
    // Each class is spread evenly.
    for (class, all) in CLASSES.into_iter().zip([437, 210, 133]) {
        let counts: Vec<usize> = (1..=5).map(|fold| sizes[&(fold, class)]).collect();
        assert_eq!(counts.iter().sum::<usize>(), all);
        assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
    }
}

#[test]
fn pictures_that_they_have_not_seen_are_read_as_recorded() {
    let pictures = data().join("busi");
    if !pictures.is_dir() {
        println!("skipped: there is no {}", pictures.display());
        return;
    }
    let rows: serde_json::Value = serde_json::from_slice(&ULTRASOUND.read("folds/folds.json")).unwrap();
    let (mut areas, mut parents) = (vec![], vec![]);
    for row in rows.as_array().unwrap() {
        let held = |(fold, _, file): (usize, usize, String)| (row["fold"] == fold).then_some(file);
        let files: Vec<String> = folds().into_iter().filter_map(held).collect();
        let outputs = outputs(row["model"].as_str().unwrap(), &pictures, &files);
        if row["fold"] == 1 {
            as_recorded(&files, &outputs);
        }
        let of = |(class, name): (usize, &str)| {
            let scores: Vec<i64> = outputs.iter().map(|output| i64::from(output[class])).collect();
            auc_micro(&scores, &files.iter().map(|file| file.starts_with(name)).collect::<Vec<_>>())
        };
        areas.push(CLASSES.into_iter().enumerate().map(of).sum::<i64>() / 3);
        parents.push(row["float_auc_micro"].as_i64().unwrap());
    }
    expect!["[920493, 899582, 853629, 888963, 830724]"].assert_eq(&format!("{areas:?}"));
    let mean = |areas: &[i64]| areas.iter().sum::<i64>() / 5;
    assert!(mean(&areas) >= 870_000);
    assert!(areas.iter().zip(&parents).all(|(ours, parent)| ours.abs_diff(*parent) <= 5_000));
}

/// What a network of one fold says of files; now and then portable kernels are asked as well.
fn outputs(network: &str, pictures: &Path, files: &[String]) -> Vec<Vec<u8>> {
    let (onnx, mut manifest) = (ULTRASOUND.read(network), ULTRASOUND.manifest());
    manifest.onnx = Onnx::of(manifest.onnx.blob, &onnx);
    let model = admit(&onnx, &manifest).unwrap();
    let scalar = admit_with(&onnx, &manifest, Kernels::new(KernelSet::Scalar).unwrap()).unwrap();
    let one = |(at, file): (usize, &String)| {
        let picture = std::fs::read(pictures.join(file)).unwrap();
        let got = ULTRASOUND.outputs(&model, &manifest, &picture);
        if at % 50 == 0 {
            assert_eq!(got, ULTRASOUND.outputs(&scalar, &manifest, &picture), "{file}");
        }
        got
    };
    files.iter().enumerate().map(one).collect()
}

/// Of the network that is shipped every output is recorded.
fn as_recorded(files: &[String], outputs: &[Vec<u8>]) {
    let (all, lines): (Vec<_>, Vec<_>) =
        ULTRASOUND.golden("held-out.txt").into_iter().partition(|line| line[0] == "all");
    assert_eq!(lines.len(), files.len());
    for ((file, got), line) in files.iter().zip(outputs).zip(lines) {
        assert_eq!(words(got), line, "{file}");
    }
    assert_eq!(Digest::sha3("aceso/golden/v1", &[&outputs.concat()]).to_string(), all[0][1]);
}

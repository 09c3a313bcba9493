//! `aceso model` as authors of models meet it: reports, comparisons, and a float model that becomes an integer one.
//!
//! What needs onnxruntime is tried with the `python3` that is there: where that has none, the sentence that says so is what
//! is tested.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

mod common;

use std::{fs, path::Path};

use common::run;
use serde_json::Value;

const MODEL: &str = "../../models/pneumonia/model.onnx";
const MANIFEST: &str = "../../models/pneumonia/manifest.json";

fn told(arguments: &[&str]) -> Value {
    let (code, out, error) = run(arguments);
    assert_eq!(code, 0, "{arguments:?}: {error}");
    serde_json::from_str(&out).unwrap()
}

fn refused(arguments: &[&str]) -> String {
    let (code, out, error) = run(arguments);
    assert_eq!((code, out.as_str()), (1, ""), "{arguments:?}: {error}");
    error.lines().last().unwrap().strip_prefix("error: ").unwrap().to_owned()
}

/// The end of a refusal where there is no onnxruntime; none where there is.
fn without_onnxruntime() -> Option<String> {
    let tried = std::process::Command::new("python3").args(["-c", "import onnx, onnxruntime"]).output();
    match tried {
        Ok(run) if run.status.success() => None,
        Ok(_) => Some("-m pip install onnx==1.23.0 onnxruntime==1.31.0".into()),
        Err(_) => {
            Some("there is no program \"python3\": install Python 3.10 or newer, or name it with --python".into())
        }
    }
}

fn float(name: &str) -> String {
    format!("../../inference-host/tests/vectors/float/{name}/model.onnx")
}

/// A folder of so many tensors of noise for a grey image of 28 × 28.
fn noise(folder: &Path, count: u64) -> String {
    for index in 0..count {
        let mut seed = index;
        let mut byte = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed.to_be_bytes()[0]
        };
        // Some brighter than others.
        let tensor: Vec<u8> = (0..784).map(|_| byte() >> (index % 3)).collect();
        fs::write(folder.join(format!("{index}.u8")), tensor).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

#[test]
fn a_model_is_explained() {
    let report = told(&["model", "check", MODEL, "--manifest", MANIFEST, "--json"]);
    let operations = report["operations"].as_array().unwrap();
    assert_eq!(operations.len() as u64, report["facts"]["nodes"].as_u64().unwrap());
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(operations.iter().map(|one| number(&one["macs"])).sum::<u64>(), number(&report["facts"]["macs"]));
    // What operations cost and what every run costs.
    assert!(operations.iter().map(|one| number(&one["gas"])).sum::<u64>() <= number(&report["gas"]["run"]));
    let (_, text, _) = run(&["model", "check", MODEL, "--manifest", MANIFEST]);
    for words in ["admitted: ", "node ", "MACs", "conv0", "convolution 3×3", "wasm gas"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_refusal_names_the_file_the_reason_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.onnx");
    fs::write(&path, "<!DOCTYPE html>").unwrap();
    let sentence = refused(&["model", "check", path.to_str().unwrap(), "--manifest", MANIFEST]);
    assert!(sentence.contains("page.onnx is refused: the ONNX file has 15 bytes"), "{sentence}");
    assert!(sentence.ends_with("; make the manifest anew for this file"), "{sentence}");
}

#[test]
fn another_engine_computes_the_same_bits() {
    let check = ["model", "check", MODEL, "--manifest", MANIFEST, "--against", "onnxruntime", "--json"];
    if let Some(missing) = without_onnxruntime() {
        let (code, out, _) = run(&check);
        assert!(code == 1 && out.contains(&missing), "{out}");
    } else {
        let against = &told(&check)["against"];
        assert_eq!(against["equal"], true, "{against}");
        assert!(against["tensors"].as_u64().unwrap() > 5, "{against}");
    }
    let sentence = refused(&[&check[..7], &["--python", "/nowhere/python"]].concat());
    assert!(sentence.contains("there is no program \"/nowhere/python\": install Python"), "{sentence}");
    // A program that is no Python.
    let sentence = refused(&[&check[..7], &["--python", "false"]].concat());
    assert!(sentence.contains("\"false\" did not finish (exit status: 1)"), "{sentence}");
}

#[test]
fn a_float_model_becomes_one_that_is_admitted() {
    let (folder, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let noise = noise(folder.path(), 24);
    let out = work.path().join("small.onnx");
    let (out, labels) = (out.to_str().unwrap(), work.path().join("labels.csv"));
    let lines: String = (0..24).map(|index| format!("{index}.u8,{}\n", u8::from(index % 3 == 0))).collect();
    fs::write(&labels, format!("file,class\n{lines}")).unwrap();
    let model = float("one");
    let quantize = ["model", "quantize", &model, "--manifest", MANIFEST, "--calibrate", &noise, "--out", out];
    let labelled = [&quantize[..], &["--labels", labels.to_str().unwrap(), "--json"]].concat();
    if let Some(missing) = without_onnxruntime() {
        let (code, told, _) = run(&labelled);
        assert!(code == 1 && told.contains(&missing), "{told}");
        assert!(!Path::new(out).exists());
        return;
    }
    let report = told(&labelled);
    assert_eq!(report["taken_off"], "Sigmoid");
    let cost = &report["cost"];
    let number = |value: &Value| value.as_f64().unwrap();
    assert!(number(&cost["mean_difference"]) <= number(&cost["largest_difference"]), "{cost}");
    // Within three steps of the output.
    assert!(number(&cost["largest_difference"]) < 3.0 * number(&cost["scale"]), "{cost}");
    for kind in ["float", "int8"] {
        assert!((0.0..=1.0).contains(&number(&cost[kind]["auc"])), "{cost}");
    }
    assert!((number(&cost["float"]["auc"]) - number(&cost["int8"]["auc"])).abs() < 0.1, "{cost}");
    let manifest = work.path().join("small.json");
    let manifest = manifest.to_str().unwrap();
    assert_eq!(told(&["model", "check", out, "--manifest", manifest, "--json"])["ok"], true);
    let against = told(&["model", "check", out, "--manifest", manifest, "--against", "onnxruntime", "--json"]);
    assert_eq!(against["against"]["equal"], true, "{}", against["against"]);
    // As integer operators it is admitted too.
    let (_, text, error) = run(&[&quantize[..], &["--format", "qoperator"]].concat());
    assert!(text.contains("both models answer the same for"), "{text}{error}");

    // What onnxruntime leaves float is refused by name, and nothing is written.
    fs::remove_file(out).unwrap();
    let sine = float("sine");
    let sentence = refused(&[&["model", "quantize", &sine], &quantize[3..]].concat());
    assert!(sentence.contains("the result is refused: node \"last\" (op Sin, domain ai.onnx)"), "{sentence}");
    assert!(!Path::new(out).exists());
    // Three outputs, and a manifest of one label.
    let three = float("three");
    let sentence = refused(&[&["model", "quantize", &three], &quantize[3..]].concat());
    assert!(sentence.contains("it has 3 elements, and the manifest has 1 labels"), "{sentence}");
    // Quantised already; no model at all; another shape.
    let sentence = refused(&[&["model", "quantize", MODEL], &quantize[3..]].concat());
    assert!(sentence.contains("is quantised already"), "{sentence}");
    let sentence = refused(&[&["model", "quantize", MANIFEST], &quantize[3..]].concat());
    assert!(sentence.contains("is not an ONNX model"), "{sentence}");
}

#[test]
fn what_cannot_be_quantised_is_said_before_python_runs() {
    let folder = tempfile::tempdir().unwrap();
    let calibrate = folder.path().join("calibrate");
    fs::create_dir(&calibrate).unwrap();
    let at = calibrate.to_str().unwrap();
    let out = folder.path().join("out.onnx");
    let model = float("one");
    let with = |more: &[&str]| {
        let all = ["model", "quantize", &model, "--calibrate", at, "--out", out.to_str().unwrap()];
        refused(&[&all[..], more].concat())
    };
    assert!(with(&["--manifest", MANIFEST]).contains("has no files: put some hundred images in it"));
    assert!(with(&["--manifest", MODEL]).contains("is not a manifest in JSON"));
    fs::write(calibrate.join("short.u8"), [0; 3]).unwrap();
    assert!(
        with(&["--manifest", MANIFEST]).contains("short.u8 has 3 bytes, and a tensor of shape [1, 1, 28, 28] has 784")
    );
    fs::remove_file(calibrate.join("short.u8")).unwrap();
    fs::write(calibrate.join("notes.txt"), "no picture").unwrap();
    assert!(with(&["--manifest", MANIFEST]).contains("notes.txt is no file that this model reads; move it away"));
    fs::remove_file(calibrate.join("notes.txt")).unwrap();
    fs::write(calibrate.join("a.u8"), [7; 784]).unwrap();
    let labels = folder.path().join("labels.csv");
    let labelled = |text: &str| {
        fs::write(&labels, text).unwrap();
        with(&["--manifest", MANIFEST, "--labels", labels.to_str().unwrap()])
    };
    assert!(labelled("file,class\nb.u8,1\n").contains("has no line for a.u8"));
    assert!(labelled("a.u8,1\na.u8,sick\n").contains("\"sick\" is no class from 0 to 1 and no label of the manifest"));
    assert!(labelled("a.u8\n").contains("line 1 of"));
    let sentence = with(&["--manifest", MANIFEST, "--python", "/nowhere/python"]);
    assert!(sentence.contains("cannot be quantised: there is no program"), "{sentence}");
}

//! Outputs of `models/wdbc` from files on. A difference here forks the chain.
//!
//! The recorded values were computed by ONNX Runtime when the model was made, so that they are not our own word. Record
//! anew only together with a new model id: `models/tools/wdbc.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use aceso_inference::{
    Kernels, Model, Record, RecordError, admit, admit_with, answers,
    image::{Limits, Stated},
};
use aceso_types::{BlobId, Manifest, Tensor, manifest::Onnx};
use expect_test::expect;

fn read(name: &str) -> Vec<u8> {
    std::fs::read(Path::new("../models/wdbc").join(name)).unwrap()
}

fn manifest() -> Manifest {
    serde_json::from_slice(&read("manifest.json")).unwrap()
}

fn stated() -> Stated {
    Stated { modality: "TABLE".into(), body_part: "BREAST".into() }
}

fn opened(file: &[u8], manifest: &Manifest, stated: &Stated) -> Result<Tensor, RecordError> {
    Record::decode(file, &manifest.pipeline, Limits::default())?.to_tensor(&manifest.pipeline, stated)
}

fn output(model: &Model, manifest: &Manifest, file: &[u8]) -> u8 {
    let tensor = opened(file, manifest, &stated()).unwrap();
    model.run(&[tensor]).unwrap()[0].data()[0]
}

/// The sixteen rows of `models/tools/wdbc.py`, which nobody has.
fn synthetic(manifest: &Manifest, row: i64) -> String {
    let columns = manifest.pipeline.table.as_ref().unwrap();
    let value = |(at, column): (usize, &aceso_types::manifest::Column)| {
        let part = (37 * row + 101 * i64::try_from(at).unwrap()) % 256;
        let value = column.low + (column.high - column.low) * part / 255;
        format!("{}.{:06}", value / 1_000_000, value % 1_000_000)
    };
    let values: Vec<String> = columns.iter().enumerate().map(value).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    format!("{}\n{}\n", names.join(","), values.join(","))
}

#[test]
fn the_manifest_names_the_model() {
    let (manifest, onnx) = (manifest(), read("model.onnx"));
    assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest.clone()));
    assert_eq!(manifest.onnx, Onnx::of(BlobId::of_raw(&onnx), &onnx));
    expect!["644592a61034d28727c3dafe1722728ecef7f5dc18e38a31a0e3897c1726db84"].assert_eq(&manifest.id().to_string());
    let model = admit(&onnx, &manifest).unwrap();
    expect![[r#"[TensorSpec { name: "record", ty: U8, dims: [1, 1, 1, 30] }] [TensorSpec { name: "logit", ty: U8, dims: [1, 1] }] 496 MACs"#]].assert_eq(&format!("{:?} {:?} {} MACs", model.inputs(), model.outputs(), model.facts().macs));
}

#[test]
fn rows_that_nobody_has_give_the_recorded_outputs() {
    let manifest = manifest();
    let with = |set| admit_with(&read("model.onnx"), &manifest, Kernels::new(set).unwrap()).unwrap();
    let models: Vec<Model> = Kernels::available().into_iter().map(with).collect();
    let golden = String::from_utf8(read("golden/synthetic.txt")).unwrap();
    let lines: Vec<&str> = golden.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), 16);
    for (row, line) in (0..).zip(lines) {
        for model in &models {
            let got = output(model, &manifest, synthetic(&manifest, row).as_bytes());
            assert_eq!(format!("{row} {got}"), line, "{}", model.kernels());
        }
    }
}

#[test]
fn the_typical_rows_answer_no_and_yes() {
    let manifest = manifest();
    let model = admit(&read("model.onnx"), &manifest).unwrap();
    for (file, present) in [("golden/benign.csv", false), ("golden/malignant.csv", true)] {
        let tensor = opened(&read(file), &manifest, &stated()).unwrap();
        let outputs = model.run(&[tensor]).unwrap();
        let findings = answers(&manifest, &outputs).unwrap().findings;
        assert_eq!((findings[0].id.as_str(), findings[0].present), ("malignant", present));
    }
}

#[test]
fn what_cannot_be_read_is_told_from_what_is_not_taken() {
    let manifest = manifest();
    let decode = |file: &[u8]| Record::decode(file, &manifest.pipeline, Limits::default());
    assert!(matches!(decode(b"\x89PNG\r\n\x1a\n"), Err(RecordError::Table(_))));
    assert!(decode(b"a,b\n1,x").is_err());
    let other = decode(b"a,b\n1,2").unwrap();
    assert!(other.to_tensor(&manifest.pipeline, &stated()).is_err());
    let benign = decode(&read("golden/benign.csv")).unwrap();
    assert!(benign.to_tensor(&manifest.pipeline, &Stated::default()).is_err());
    assert_eq!((benign.modality(), benign.body_part()), (None, None));
    let second = Record::decode_frame(
        &read("golden/benign.csv"),
        aceso_types::Frame::of_wire(2),
        &manifest.pipeline,
        Limits::default(),
    );
    assert_eq!(second.unwrap_err().to_string(), "frame 2 is asked for, and the file has frames 1 to 1");
    // The other way round: an image's pipeline takes no table.
    let images = aceso_types::manifest::Pipeline { table: None, ..manifest.pipeline.clone() };
    let refused = Record::decode(&read("golden/benign.csv"), &images, Limits::default());
    assert!(matches!(refused, Err(RecordError::Image(_))));
}

/// Those rows of scikit-learn's table that the model has not seen, where the package's file is at hand.
#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "the environment names the folder of data that the project does not carry"
)]
fn held_out_rows_give_the_recorded_outputs() {
    let folder = std::env::var_os("ACESO_DATA").map_or_else(|| "../../shared/data".into(), std::path::PathBuf::from);
    let Ok(table) = std::fs::read_to_string(folder.join("breast_cancer.csv")) else {
        println!("skipped: scikit-learn's breast_cancer.csv is not in {}", folder.display());
        return;
    };
    let rows: Vec<&str> = table.lines().skip(1).collect();
    let manifest = manifest();
    let model = admit(&read("model.onnx"), &manifest).unwrap();
    let columns = manifest.pipeline.table.as_ref().unwrap();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let golden = String::from_utf8(read("golden/held-out.txt")).unwrap();
    let (mut right, mut all) = (0, 0);
    for line in golden.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let (values, target) = rows[fields[0].parse::<usize>().unwrap()].rsplit_once(',').unwrap();
        let got = output(&model, &manifest, format!("{}\n{values}\n", names.join(",")).as_bytes());
        let malignant = u8::from(target == "0");
        assert_eq!([fields[0], &malignant.to_string(), &got.to_string()], fields[..]);
        right += u32::from((i32::from(got) >= manifest.output.findings[0].at_least) == (malignant == 1));
        all += 1;
    }
    expect!["110 of 114"].assert_eq(&format!("{right} of {all}"));
}

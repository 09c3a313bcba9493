//! What the tests of models share: a manifest for a graph, and the cases of `tests/vectors`.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test uses a part, and a test fails by panicking"
)]

use std::{fs, path::PathBuf};

use aceso_types::{
    BlobId, ElementType, Manifest, Tensor,
    manifest::{
        Channels, Crop, Finding, Label, Layout, Normalise, Onnx, Output, Pipeline, Price, Resize, VERSION, Window,
    },
};

/// A manifest for these bytes: `labels` labels, an image of `[channels, height, width]`.
pub fn manifest(onnx: &[u8], image: [u32; 3], labels: usize) -> Manifest {
    let [channels, height, width] = image;
    Manifest {
        version: VERSION,
        name: "case".into(),
        author: None,
        onnx: Onnx::of(BlobId::of_raw(onnx), onnx),
        pipeline: Pipeline {
            modalities: vec!["DX".into()],
            body_parts: vec![],
            channels: if channels == 1 { Channels::Grey } else { Channels::Rgb },
            window: Window::Full,
            crop: Crop::None,
            width,
            height,
            resize: Resize::Area,
            layout: Layout::Nchw,
            normalise: None,
            table: None,
        },
        output: Output {
            labels: (0..labels)
                .map(|l| Label { name: format!("label {l}"), probability: (0..256).map(|q| q * 3900).collect() })
                .collect(),
            findings: vec![Finding { id: "finding".into(), output: None, label: 0, at_least: 100 }],
            tensors: None,
        },
        intended_use: "tests".into(),
        licence: "CC0-1.0".into(),
        card: None,
        price: Price { denom: "uaceso".into(), amount: 1 },
    }
}

/// A graph with what ONNX Runtime makes of some images.
pub struct Case {
    pub name: String,
    pub onnx: Vec<u8>,
    pub manifest: Manifest,
    /// Image first, outputs after it.
    pub runs: Vec<Vec<Tensor>>,
}

pub fn vectors(kind: &str) -> Vec<PathBuf> {
    let root = PathBuf::from("tests/vectors").join(kind);
    let mut paths: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

pub fn cases() -> Vec<Case> {
    vectors("accepted").into_iter().map(case).collect()
}

pub fn case(path: PathBuf) -> Case {
    let onnx = fs::read(path.join("model.onnx")).unwrap();
    let text = fs::read_to_string(path.join("case.txt")).unwrap();
    let (mut layout, mut normalise, mut runs) = (Layout::Nchw, None, Vec::<Vec<Tensor>>::new());
    for line in text.lines() {
        let mut words = line.split(' ');
        match words.next().unwrap() {
            "layout" if words.next() == Some("nhwc") => layout = Layout::Nhwc,
            "layout" => (),
            "normalise" => normalise = Some(words.map(pair).collect()),
            "run" => runs.push(vec![]),
            ty => runs.last_mut().unwrap().push(tensor(ty, words.next().unwrap(), words.next().unwrap())),
        }
    }
    let (image, first) = (runs[0][0].dims(), &runs[0][1]);
    let labels = first.data().len() / first.ty().width();
    let shape = match layout {
        Layout::Nchw => [image[1], image[2], image[3]],
        Layout::Nhwc => [image[3], image[1], image[2]],
    };
    let mut manifest = manifest(&onnx, shape, labels);
    if first.ty().width() > 1 {
        manifest.output.labels.iter_mut().for_each(|label| label.probability.clear());
    }
    manifest.pipeline.layout = layout;
    manifest.pipeline.normalise = normalise;
    Case { name: path.file_name().unwrap().to_str().unwrap().into(), onnx, manifest, runs }
}

fn pair(word: &str) -> Normalise {
    let (mean, deviation) = word.split_once('/').unwrap();
    Normalise { mean: mean.parse().unwrap(), deviation: deviation.parse().unwrap() }
}

fn tensor(ty: &str, dims: &str, data: &str) -> Tensor {
    let types = [ElementType::U8, ElementType::I8, ElementType::I32, ElementType::I64];
    let ty = types.into_iter().find(|known| known.to_string() == ty).unwrap();
    let dims = dims.split('x').map(|dim| dim.parse().unwrap()).collect();
    let digits = data.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    Tensor::new(ty, dims, digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()).unwrap()
}

//! Does the pneumonia model, as computed by our engine, read X-rays as well as its float parent does?
//!
//! `cargo xtask bench accuracy`: PneumoniaMNIST's whole test split, each image wrapped as PNG and taken through decoding,
//! pre-processing and the integer graph. Thresholds and the seed were chosen on validation (`models/pneumonia/CARD.md`).

use std::path::{Path, PathBuf};

use aceso_inference::{
    Model, admit,
    image::{Limits, Stated, decode},
};
use aceso_types::{Manifest, manifest::Onnx};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use aceso_test_support::npz;

/// The published accuracy of a ResNet-18 at 28 pixels: MedMNIST v2, Yang et al. 2023, table 3.
const RESNET: (f64, &str) = (0.854, "ResNet-18, 28 px");
/// What the model must reach.
const AUC_TARGET: f64 = 0.95;
const SHUFFLES: u64 = 200;

/// A row of `seeds/seeds.json`.
#[derive(Deserialize)]
struct Seed {
    seed: u32,
    model: PathBuf,
    at_least: u8,
    float_auc_micro: u32,
}

/// Images and labels of the test split.
pub(crate) struct Split {
    images: Vec<Vec<u8>>,
    labels: Vec<u8>,
}

impl Split {
    /// Reads the split from MedMNIST's `pneumoniamnist.npz`.
    pub(crate) fn read(npz: &[u8]) -> Result<Self> {
        let images = npz::read(npz, "test_images")?;
        let labels = npz::read(npz, "test_labels")?.data;
        ensure!(images.shape == [labels.len(), 28, 28], "images are {:?}, labels {}", images.shape, labels.len());
        Ok(Self { images: images.data.chunks(28 * 28).map(<[u8]>::to_vec).collect(), labels })
    }
}

/// The archive: in `data` if given, else in `$ACESO_DATA`, else beside the repository `root`.
#[allow(clippy::disallowed_methods, reason = "a bench is at the rim")]
pub(crate) fn archive(root: &Path, data: Option<PathBuf>) -> Result<Vec<u8>> {
    let folder = data.or_else(|| std::env::var_os("ACESO_DATA").map(PathBuf::from));
    let path = folder.unwrap_or_else(|| root.join("../shared/data")).join("pneumoniamnist.npz");
    std::fs::read(&path).with_context(|| {
        format!(
            "{} is not there: download https://zenodo.org/records/10519652/files/pneumoniamnist.npz and name its folder \
             with --data",
            path.display()
        )
    })
}

/// Runs the bench and hands out one JSON object per case. `root` is the repository, `data` the archive's folder.
pub(crate) fn run(root: &Path, data: Option<PathBuf>, mut emit: impl FnMut(Value)) -> Result<()> {
    let split = Split::read(&archive(root, data)?)?;
    let folder = root.join("models/pneumonia");
    let read = |name: &Path| std::fs::read(folder.join(name)).with_context(|| format!("reading {}", name.display()));
    let manifest: Manifest = serde_json::from_slice(&read(Path::new("manifest.json"))?)?;
    let seeds: Vec<Seed> = serde_json::from_slice(&read(Path::new("seeds/seeds.json"))?)?;

    let mut row = |case: &str, ours: f64, peer: f64, peer_name: &str, unit: &str| {
        let ratio = ours / peer;
        emit(json!({
            "bench": "accuracy", "case": case, "ours": ours, "peer": peer, "peer_name": peer_name, "unit": unit,
            "ratio": ratio,
        }));
    };
    let mut accuracies = Vec::new();
    for seed in seeds {
        let onnx = read(&seed.model)?;
        let mut manifest = manifest.clone();
        let chosen = manifest.onnx.digest == Onnx::digest_of(&onnx);
        manifest.onnx = Onnx::of(manifest.onnx.blob, &onnx);
        let scores = outputs(&admit(&onnx, &manifest)?, &manifest, &split)?;
        let name = if chosen { format!("seed {}, chosen", seed.seed) } else { format!("seed {}", seed.seed) };
        let area = auc(&scores, &split.labels);
        let accuracy = accuracy(&scores, &split.labels, seed.at_least);
        accuracies.push(accuracy);
        row(&format!("auc, {name}"), area, f64::from(seed.float_auc_micro) / 1e6, "float parent", "auc");
        row(&format!("accuracy at the validation threshold, {name}"), accuracy, RESNET.0, RESNET.1, "fraction");
        if chosen {
            row("auc, chosen", area, AUC_TARGET, "target", "auc");
            let chance = shuffled_auc(&scores, &split.labels);
            row("auc on shuffled labels", chance, 0.5, "target", "auc");
            ensure!((chance - 0.5).abs() <= 0.05, "labels shuffled, and still the scores know them: {chance}");
        }
    }
    let mean = accuracies.iter().sum::<f64>() / accuracies.len().max(1) as f64;
    row("accuracy at the validation threshold, mean of seeds", mean, RESNET.0, RESNET.1, "fraction");
    Ok(())
}

/// The quantised output for every image, from its file on.
fn outputs(model: &Model, manifest: &Manifest, split: &Split) -> Result<Vec<u8>> {
    let stated = Stated { modality: "DX".into(), body_part: "CHEST".into() };
    let one = |pixels: &Vec<u8>| -> Result<u8> {
        let tensor = decode(&png(pixels)?, Limits::default())?.to_tensor(&manifest.pipeline, &stated)?;
        let output = model.run(&[tensor])?;
        output.first().and_then(|tensor| tensor.data().first()).copied().context("the model has no output")
    };
    split.images.iter().map(one).collect()
}

fn png(pixels: &[u8]) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let encoder = png::Encoder::new(&mut file, 28, 28);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(file)
}

fn accuracy(scores: &[u8], labels: &[u8], at_least: u8) -> f64 {
    let right = scores.iter().zip(labels).filter(|&(&score, &label)| (score >= at_least) == (label == 1)).count();
    right as f64 / labels.len() as f64
}

/// The share of (sick, healthy) pairs in which the sick one scores higher; ties count one half.
fn auc(scores: &[u8], labels: &[u8]) -> f64 {
    let mut count = [[0_u64; 256]; 2];
    for (&score, &label) in scores.iter().zip(labels) {
        count[usize::from(label == 1)][usize::from(score)] += 1;
    }
    let [healthy, sick] = &count;
    let (mut below, mut halves) = (0, 0);
    for (&healthy, &sick) in healthy.iter().zip(sick) {
        halves += sick * (2 * below + healthy);
        below += healthy;
    }
    halves as f64 / (2 * below * sick.iter().sum::<u64>()) as f64
}

/// The mean AUC over fixed shuffles of the labels: a leak of labels into scores would show as more than one half.
fn shuffled_auc(scores: &[u8], labels: &[u8]) -> f64 {
    let mut labels = labels.to_vec();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut sum = 0.0;
    for _ in 0..SHUFFLES {
        for place in (1..labels.len()).rev() {
            // xorshift64*, Vigna 2016
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            let drawn = (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize;
            labels.swap(place, drawn % (place + 1));
        }
        sum += auc(scores, &labels);
    }
    sum / SHUFFLES as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_counts_pairs() {
        let known = [([0, 0, 1, 1], 1.0), ([1, 1, 0, 0], 0.0), ([0, 1, 0, 1], 0.75), ([0, 1, 1, 0], 0.5)];
        for (labels, want) in known {
            assert!((auc(&[1, 2, 3, 4], &labels) - want).abs() < 1e-12, "{labels:?}");
        }
        assert!((auc(&[1, 2, 2, 9], &[0, 1, 0, 1]) - 0.875).abs() < 1e-12);
        assert!((auc(&[5; 4], &[1, 0, 1, 0]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn chance_is_one_half() {
        let scores: Vec<u8> = (0..=255).collect();
        let labels: Vec<u8> = scores.iter().map(|&score| u8::from(score > 99)).collect();
        assert!((shuffled_auc(&scores, &labels) - 0.5).abs() < 0.01);
    }
}

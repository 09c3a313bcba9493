//! Do the bundled models, as computed by our engine, read as well as their float parents do?
//!
//! `cargo xtask bench accuracy`: every held-out file goes from its bytes on through decoding, pre-processing and the
//! integer graph. Thresholds and seeds were chosen on validation (each model's `CARD.md`). The pictures of the cards
//! ([`picture`]) are made of the very outputs: the bench fails where they show others, `--record` draws them anew.

mod folds;
mod held_out;
mod picture;

use std::path::{Path, PathBuf};

use aceso_inference::{
    Model, Record, admit, answers,
    image::{Limits, Stated},
};
use aceso_types::{Manifest, guest::Answers, manifest::Onnx};
use anyhow::{Context, Result, ensure};
use folds::Folds;
use held_out::{Sample, Source};
use serde::Deserialize;
use serde_json::{Value, json};

/// A model, what it is measured on, and what it must reach.
struct Case {
    folder: &'static str,
    source: Source,
    modality: &'static str,
    body_part: &'static str,
    /// Names of the two classes: the finding, and its absence.
    classes: [&'static str; 2],
    auc_must: Option<f64>,
    /// The published accuracy of a ResNet-18 at 28 pixels: MedMNIST v2, Yang et al. 2023, table 3.
    resnet: Option<f64>,
}

const CASES: [Case; 3] = [
    Case {
        folder: "pneumonia",
        source: Source::Mnist { archive: "pneumoniamnist.npz", sick: 1 },
        modality: "DX",
        body_part: "CHEST",
        classes: ["pneumonia", "normal"],
        auc_must: Some(0.96),
        resnet: Some(0.854),
    },
    Case {
        folder: "breast",
        source: Source::Mnist { archive: "breastmnist.npz", sick: 0 },
        modality: "US",
        body_part: "BREAST",
        classes: ["malignant", "other"],
        auc_must: Some(0.895),
        resnet: Some(0.863),
    },
    Case {
        folder: "wdbc",
        source: Source::Rows,
        modality: "TABLE",
        body_part: "BREAST",
        classes: ["malignant", "benign"],
        auc_must: None,
        resnet: None,
    },
];
const ULTRASOUND: Folds = Folds {
    folder: "breast-ultrasound",
    data: "busi",
    origin: "https://scholar.cu.edu.eg/?q=afahmy/pages/dataset (resized to 256 × 256)",
    modality: "US",
    body_part: "BREAST",
    classes: ["benign", "malignant", "normal"],
    auc_must: 0.87,
    apart: 0.005,
};
/// Other labels than the true ones, so many times.
const SHUFFLES: u64 = 200;

/// A row of `seeds/seeds.json`.
#[derive(Deserialize)]
struct Seed {
    seed: u32,
    model: PathBuf,
    at_least: u8,
    float_auc_micro: u32,
}

/// Runs the bench and hands out one JSON object per case. `root` is the repository, `data` the folder of the archives: if
/// not given, `$ACESO_DATA`, else beside the repository. What is not there is named and left out.
#[allow(clippy::disallowed_methods, reason = "a bench is at the rim")]
pub(crate) fn run(root: &Path, data: Option<PathBuf>, record: bool, mut emit: impl FnMut(Value)) -> Result<()> {
    let data = data.or_else(|| std::env::var_os("ACESO_DATA").map(PathBuf::from));
    let data = data.unwrap_or_else(|| root.join("../shared/data"));
    let mut measured = 0;
    for case in &CASES {
        let file = data.join(case.source.file());
        match std::fs::read(&file) {
            Ok(bytes) => {
                case.measure(root, &bytes, record, &mut emit)
                    .with_context(|| format!("measuring models/{}", case.folder))?;
                measured += 1;
            }
            Err(_) => missing(case.folder, &file, &case.source.origin()),
        }
    }
    let pictures = data.join(ULTRASOUND.data);
    if pictures.is_dir() {
        ULTRASOUND.measure(root, &pictures, record, &mut emit).context("measuring models/breast-ultrasound")?;
        measured += 1;
    } else {
        missing(ULTRASOUND.folder, &pictures, ULTRASOUND.origin);
    }
    ensure!(measured > 0, "there was nothing to measure on in {}", data.display());
    Ok(())
}

fn missing(model: &str, file: &Path, origin: &str) {
    let file = file.display();
    eprintln!(
        "models/{model} is not measured: {file} is not there; get it from {origin} and name its folder with --data"
    );
}

/// Compares a card's picture with what is drawn of these outputs, or keeps it anew.
fn compare(folder: &Path, name: &str, drawn: &str, record: bool) -> Result<()> {
    let path = folder.join(name);
    if record {
        return std::fs::write(&path, drawn).with_context(|| format!("writing {}", path.display()));
    }
    let kept = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    ensure!(kept == drawn, "{} shows other outputs than these: draw it anew with --record", path.display());
    Ok(())
}

impl Case {
    fn measure(&self, root: &Path, data: &[u8], record: bool, emit: &mut impl FnMut(Value)) -> Result<()> {
        let folder = root.join("models").join(self.folder);
        let read =
            |name: &Path| std::fs::read(folder.join(name)).with_context(|| format!("reading {}", name.display()));
        let manifest: Manifest = serde_json::from_slice(&read(Path::new("manifest.json"))?)?;
        let samples = self.source.samples(data, &folder, &manifest)?;
        let labels: Vec<u8> = samples.iter().map(|sample| u8::from(sample.class == 0)).collect();
        let mut row = |case: &str, ours: f64, peer: Option<(f64, &str)>, unit: &str| {
            emit(json!({
                "bench": "accuracy", "case": format!("{}: {case}", self.folder), "ours": ours, "unit": unit,
                "peer": peer.map(|(peer, _)| peer), "peer_name": peer.map(|(_, name)| name),
                "ratio": peer.map(|(peer, _)| ours / peer),
            }));
        };
        let resnet = self.resnet.map(|accuracy| (accuracy, "ResNet-18, 28 px"));

        let onnx = read(Path::new("model.onnx"))?;
        let model = admit(&onnx, &manifest)?;
        let answers = self.answers(&model, &manifest, &samples)?;
        let outputs: Vec<u8> = answers.iter().map(|answer| answer.output).collect();
        row("auc", auc(&outputs, &labels), self.auc_must.map(|must| (must, "target")), "auc");
        let right = answers.iter().zip(&labels).filter(|&(answer, &label)| answer.present == (label == 1)).count();
        row("accuracy at the chosen threshold", right as f64 / labels.len() as f64, resnet, "fraction");
        let chance = shuffled_auc(&outputs, &labels);
        row("auc on shuffled labels", chance, Some((0.5, "target")), "auc");
        ensure!((chance - 0.5).abs() <= 0.05, "labels shuffled, and still the scores know them: {chance}");
        self.draw(&folder, &manifest, &answers, &labels, record)?;

        let seeds = folder.join("seeds/seeds.json");
        if !seeds.exists() {
            return Ok(());
        }
        let mut accuracies = Vec::new();
        for seed in serde_json::from_slice::<Vec<Seed>>(&std::fs::read(seeds)?)? {
            let onnx = read(&seed.model)?;
            let mut manifest = manifest.clone();
            let chosen = manifest.onnx.digest == Onnx::digest_of(&onnx);
            manifest.onnx = Onnx::of(manifest.onnx.blob, &onnx);
            let answers = self.answers(&admit(&onnx, &manifest)?, &manifest, &samples)?;
            let outputs: Vec<u8> = answers.iter().map(|answer| answer.output).collect();
            let name = if chosen { format!("seed {}, chosen", seed.seed) } else { format!("seed {}", seed.seed) };
            let parent = f64::from(seed.float_auc_micro) / 1e6;
            row(&format!("auc, {name}"), auc(&outputs, &labels), Some((parent, "float parent")), "auc");
            let accuracy = accuracy(&outputs, &labels, seed.at_least);
            row(&format!("accuracy at the validation threshold, {name}"), accuracy, resnet, "fraction");
            accuracies.push(accuracy);
        }
        let mean = accuracies.iter().sum::<f64>() / accuracies.len().max(1) as f64;
        row("accuracy at the validation threshold, mean of seeds", mean, resnet, "fraction");
        Ok(())
    }

    /// What the model says of every sample, from its file on.
    fn answers(&self, model: &Model, manifest: &Manifest, samples: &[Sample]) -> Result<Vec<Answer>> {
        let stated = Stated { modality: self.modality.into(), body_part: self.body_part.into() };
        let one = |sample: &Sample| -> Result<Answer> {
            let opened = Record::decode(&sample.file, &manifest.pipeline, Limits::default())?;
            let outputs = model.run(&[opened.to_tensor(&manifest.pipeline, &stated)?])?;
            let Answers { scores, findings, .. } = answers(manifest, &outputs)?;
            let output = outputs.first().context("the model has no output")?;
            let (label, finding) = scores.first().zip(findings.first()).context("the manifest has no finding")?;
            let output = output.data().first().copied().context("the model's output is empty")?;
            Ok(Answer { output, probability: label.probability, present: finding.present })
        };
        samples.iter().map(one).collect()
    }

    /// Compares the card's pictures with the answers, or draws them anew.
    fn draw(&self, folder: &Path, manifest: &Manifest, answers: &[Answer], labels: &[u8], record: bool) -> Result<()> {
        let truth = || answers.iter().zip(labels).map(|(answer, &label)| (answer, label == 1));
        let read = truth().map(|(answer, there)| (answer.probability, there)).collect();
        let mut counts = vec![vec![0_u64; 2]; 2];
        for (answer, there) in truth() {
            counts[usize::from(!there)][usize::from(!answer.present)] += 1;
        }
        let about = |what: &str| format!("{}: {what}, {} held-out files", manifest.name, labels.len());
        let pictures = [
            ("calibration.svg", picture::calibration(&about("calibration"), &[(self.classes[0], read)])),
            ("confusion.svg", picture::confusion(&about("confusion"), &self.classes, &counts)),
        ];
        pictures.into_iter().try_for_each(|(name, drawn)| compare(folder, name, &drawn, record))
    }
}

/// What a model says of one file.
struct Answer {
    /// The quantised output.
    output: u8,
    /// In millionths.
    probability: u32,
    present: bool,
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

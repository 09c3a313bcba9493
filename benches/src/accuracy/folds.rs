//! A model of which each fold of a collection of pictures has a network of its own, measured on the pictures of that fold:
//! none of them, and nothing that looks like one, was there when it learned.

use std::{collections::BTreeMap, path::Path};

use aceso_inference::{
    Model, Record, admit, answers,
    image::{Limits, Stated},
};
use aceso_types::{Manifest, manifest::Onnx};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{auc, compare, picture, shuffled_auc};

/// A collection: a folder for each class, and in `golden/folds.txt` of the model the fold of each file.
pub(super) struct Folds {
    pub(super) folder: &'static str,
    /// The folder of the pictures within that of the data, and where to get it.
    pub(super) data: &'static str,
    pub(super) origin: &'static str,
    pub(super) modality: &'static str,
    pub(super) body_part: &'static str,
    /// The manifest's labels, which are also the folders' names.
    pub(super) classes: [&'static str; 3],
    /// Mean over folds, and how far the integer networks may lie from their float parents.
    pub(super) auc_must: f64,
    pub(super) apart: f64,
}

/// Two-sided 95 % of Student's t with four degrees of freedom: five folds.
const STUDENT_T: f64 = 2.776;

/// A row of `folds/folds.json`.
#[derive(Deserialize)]
struct Fold {
    fold: usize,
    model: String,
    float_auc_micro: u32,
}

/// What a fold's network says of its pictures.
#[derive(Default)]
struct Read {
    /// Positions of the classes.
    truth: Vec<usize>,
    /// A quantised logit for each class, picture by picture.
    outputs: Vec<Vec<u8>>,
    /// Probabilities in millionths, of the network whose table the manifest has.
    probabilities: Vec<Vec<u32>>,
}

impl Folds {
    /// `pictures` is the folder with the classes' folders.
    pub(super) fn measure(
        &self,
        root: &Path,
        pictures: &Path,
        record: bool,
        emit: &mut impl FnMut(Value),
    ) -> Result<()> {
        let folder = root.join("models").join(self.folder);
        let read = |name: &str| std::fs::read(folder.join(name)).with_context(|| format!("reading {name}"));
        let manifest: Manifest = serde_json::from_slice(&read("manifest.json")?)?;
        let named: Vec<&str> = manifest.output.labels.iter().map(|label| label.name.as_str()).collect();
        ensure!(named == self.classes, "the manifest's labels are {named:?}");
        let mut row = |case: &str, ours: f64, peer: Option<(f64, &str)>, unit: &str| {
            emit(json!({
                "bench": "accuracy", "case": format!("{}: {case}", self.folder), "ours": ours, "unit": unit,
                "peer": peer.map(|(peer, _)| peer), "peer_name": peer.map(|(_, name)| name),
                "ratio": peer.map(|(peer, _)| ours / peer),
            }));
        };

        let golden = String::from_utf8(read("golden/folds.txt")?)?;
        let files = files(&golden)?;
        let (mut aucs, mut parents, mut accuracies, mut chances) = (vec![], vec![], vec![], vec![]);
        let mut each = vec![vec![]; self.classes.len()];
        let mut counts = vec![vec![0_u64; self.classes.len()]; self.classes.len()];
        for fold in serde_json::from_slice::<Vec<Fold>>(&read("folds/folds.json")?)? {
            let onnx = read(&fold.model)?;
            let shipped = manifest.onnx.digest == Onnx::digest_of(&onnx);
            let mut manifest = manifest.clone();
            manifest.onnx = Onnx::of(manifest.onnx.blob, &onnx);
            let model = admit(&onnx, &manifest)?;
            let held = files.get(&fold.fold).with_context(|| format!("fold {} has no pictures", fold.fold))?;
            let said = self.read(&model, &manifest, pictures, held)?;

            let name = if shipped { format!("fold {}, shipped", fold.fold) } else { format!("fold {}", fold.fold) };
            let areas: Vec<f64> = (0..self.classes.len()).map(|class| area(&said, class, auc)).collect();
            let (ours, parent) = (mean(&areas), f64::from(fold.float_auc_micro) / 1e6);
            row(&format!("macro auc, {name}"), ours, Some((parent, "float parent")), "auc");
            areas.iter().zip(&mut each).for_each(|(area, each)| each.push(*area));
            let mut right = 0;
            for (output, &truth) in said.outputs.iter().zip(&said.truth) {
                let answered = largest(output);
                counts[truth][answered] += 1;
                right += usize::from(answered == truth);
            }
            let accuracy = right as f64 / said.truth.len() as f64;
            row(&format!("accuracy, {name}"), accuracy, None, "fraction");
            let shuffled: Vec<f64> = (0..self.classes.len()).map(|class| area(&said, class, shuffled_auc)).collect();
            aucs.push(ours);
            parents.push(parent);
            accuracies.push(accuracy);
            chances.push(mean(&shuffled));
            if shipped {
                let there = |class: usize| -> Vec<(u32, bool)> {
                    let both = said.probabilities.iter().zip(&said.truth);
                    both.map(|(stated, &truth)| (stated[class], truth == class)).collect()
                };
                let curves: Vec<_> = self.classes.iter().zip(0..).map(|(&name, class)| (name, there(class))).collect();
                let title = format!("{}: calibration, {} held-out files", manifest.name, held.len());
                compare(&folder, "calibration.svg", &picture::calibration(&title, &curves), record)?;
            }
        }

        row("macro auc, mean of folds", mean(&aucs), Some((self.auc_must, "target")), "auc");
        row("macro auc, half of the 95 % interval over folds", half(&aucs), None, "auc");
        for (class, areas) in self.classes.iter().zip(&each) {
            row(&format!("auc of {class} against the rest, mean of folds"), mean(areas), None, "auc");
        }
        row("accuracy, mean of folds", mean(&accuracies), None, "fraction");
        row("accuracy, half of the 95 % interval over folds", half(&accuracies), None, "fraction");
        let chance = mean(&chances);
        row("macro auc on shuffled labels", chance, Some((0.5, "target")), "auc");
        ensure!((chance - 0.5).abs() <= 0.05, "labels shuffled, and still the scores know them: {chance}");
        let (ours, parents) = (mean(&aucs), mean(&parents));
        ensure!((ours - parents).abs() <= self.apart, "integers give {ours}, their float parents {parents}");
        let all: usize = files.values().map(Vec::len).sum();
        let title = format!("{}: confusion, {all} files, each by the network that has not seen it", manifest.name);
        compare(&folder, "confusion.svg", &picture::confusion(&title, &self.classes, &counts), record)
    }

    /// From the files on.
    fn read(&self, model: &Model, manifest: &Manifest, pictures: &Path, files: &[&str]) -> Result<Read> {
        let stated = Stated { modality: self.modality.into(), body_part: self.body_part.into() };
        let mut said = Read::default();
        for name in files {
            let (class, _) = name.split_once('/').with_context(|| format!("{name} has no class"))?;
            let truth = self.classes.iter().position(|known| *known == class);
            let file = std::fs::read(pictures.join(name)).with_context(|| format!("reading {name}"))?;
            let opened = Record::decode(&file, &manifest.pipeline, Limits::default())?;
            let outputs = model.run(&[opened.to_tensor(&manifest.pipeline, &stated)?])?;
            let scores = answers(manifest, &outputs)?.scores;
            said.truth.push(truth.with_context(|| format!("{name} is of no known class"))?);
            said.outputs.push(outputs.first().context("the model has no output")?.data().to_vec());
            said.probabilities.push(scores.iter().map(|score| score.probability).collect());
        }
        Ok(said)
    }
}

/// Files by fold, from lines of fold, group and file.
fn files(golden: &str) -> Result<BTreeMap<usize, Vec<&str>>> {
    let mut files: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for line in golden.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let (fold, file) = (words.next().context("a line is empty")?, words.nth(1).context("a line has no file")?);
        files.entry(fold.parse()?).or_default().push(file);
    }
    Ok(files)
}

/// The area of one class against the rest.
fn area(said: &Read, class: usize, of: fn(&[u8], &[u8]) -> f64) -> f64 {
    let scores: Vec<u8> = said.outputs.iter().map(|output| output[class]).collect();
    let labels: Vec<u8> = said.truth.iter().map(|&truth| u8::from(truth == class)).collect();
    of(&scores, &labels)
}

/// The position of the largest, the first of equal ones.
fn largest(output: &[u8]) -> usize {
    let best = output.iter().max();
    output.iter().position(|q| Some(q) == best).unwrap_or(0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Half of the 95 % interval of the mean.
fn half(values: &[f64]) -> f64 {
    let (mean, count) = (mean(values), values.len() as f64);
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    STUDENT_T * (variance / count.max(1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_read_and_means_taken() {
        let golden =
            "# fold group file\n1 0 benign/benign (1).png\n2 7 normal/normal (3).png\n1 9 normal/normal (4).png\n";
        let read = files(golden).unwrap();
        assert_eq!(read[&1], ["benign/benign (1).png", "normal/normal (4).png"]);
        assert_eq!(read[&2], ["normal/normal (3).png"]);
        assert!(files("1 2").is_err() && files("x 1 a/b.png").is_err());
        assert_eq!((largest(&[3, 9, 9]), largest(&[1])), (1, 0));
        // Deviation 0.01, of five: 0.01 / √5 · t.
        let half = half(&[0.9, 0.9 + 0.01 * 2f64.sqrt(), 0.9, 0.9 - 0.01 * 2f64.sqrt(), 0.9]);
        assert!((half - 2.776 * 0.01 / 5f64.sqrt()).abs() < 1e-9, "{half}");
        let said =
            Read { truth: vec![0, 1, 0], outputs: vec![vec![9, 1], vec![3, 4], vec![2, 2]], probabilities: vec![] };
        assert!((area(&said, 0, auc) - 0.5).abs() < 1e-12 && (area(&said, 1, auc) - 1.0).abs() < 1e-12);
    }
}

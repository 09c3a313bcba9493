//! The files that a model has not learned from, and what they show.

use std::path::Path;

use aceso_types::Manifest;
use anyhow::{Context, Result, ensure};

use aceso_test_support::npz;

/// Where a model's held-out files come from.
pub(super) enum Source {
    /// The test split of a MedMNIST archive, 28×28; its label `sick` is the finding.
    Mnist { archive: &'static str, sick: u8 },
    /// Rows of scikit-learn's bundled table; which, stands in `golden/held-out.txt`.
    Rows,
}

/// A file and the position of its class.
pub(super) struct Sample {
    pub(super) file: Vec<u8>,
    pub(super) class: usize,
}

impl Source {
    /// The file that must lie in the folder of data.
    pub(super) fn file(&self) -> &'static str {
        match self {
            Self::Mnist { archive, .. } => archive,
            Self::Rows => "breast_cancer.csv",
        }
    }

    /// Where to get [`Self::file`].
    pub(super) fn origin(&self) -> String {
        match self {
            Self::Mnist { archive, .. } => format!("https://zenodo.org/records/10519652/files/{archive}"),
            Self::Rows => "the folder sklearn/datasets/data of scikit-learn's wheel".to_string(),
        }
    }

    /// The samples, from [`Self::file`]'s bytes. Class 0 is the finding, 1 its absence. `model` is the model's folder.
    pub(super) fn samples(&self, data: &[u8], model: &Path, manifest: &Manifest) -> Result<Vec<Sample>> {
        match *self {
            Self::Mnist { sick, .. } => mnist(data, sick),
            Self::Rows => rows(data, &std::fs::read_to_string(model.join("golden/held-out.txt"))?, manifest),
        }
    }
}

/// The test split, each image wrapped as PNG.
fn mnist(archive: &[u8], sick: u8) -> Result<Vec<Sample>> {
    let images = npz::read(archive, "test_images")?;
    let labels = npz::read(archive, "test_labels")?.data;
    ensure!(images.shape == [labels.len(), 28, 28], "images are {:?}, labels {}", images.shape, labels.len());
    let files = images.data.chunks(28 * 28).map(png);
    files.zip(labels).map(|(file, label)| Ok(Sample { file: file?, class: usize::from(label != sick) })).collect()
}

fn png(pixels: &[u8]) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let encoder = png::Encoder::new(&mut file, 28, 28);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(file)
}

/// The rows that `golden` names, each as a table of its own under the manifest's names.
fn rows(table: &[u8], golden: &str, manifest: &Manifest) -> Result<Vec<Sample>> {
    let table: Vec<&str> = std::str::from_utf8(table)?.lines().skip(1).collect();
    let columns = manifest.pipeline.table.as_ref().context("the manifest has no columns")?;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let positions = golden.lines().filter(|line| !line.starts_with('#'));
    let one = |line: &str| {
        let position: usize = line.split(' ').next().context("a line of golden/held-out.txt is empty")?.parse()?;
        let row = table.get(position).with_context(|| format!("the table has no row {position}"))?;
        let (values, target) = row.rsplit_once(',').with_context(|| format!("row {position} has one column"))?;
        // In scikit-learn's file 0 is malignant.
        Ok(Sample { file: format!("{}\n{values}\n", names.join(",")).into_bytes(), class: usize::from(target != "0") })
    };
    positions.map(one).collect()
}

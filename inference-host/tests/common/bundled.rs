//! What the tests of the bundled models that read pictures share: a model's folder, and its outputs on MedMNIST's test split.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each test uses a part, and a test fails by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the environment names the folder of data that the project does not carry"
)]

use std::path::{Path, PathBuf};

use aceso_inference::{
    KernelSet, Kernels, Model, admit, admit_with,
    image::{Limits, Stated, decode},
};
use aceso_test_support::npz;
use aceso_types::{BlobId, Digest, Manifest, manifest::Onnx};

/// A folder of `models/`, and what the one who registers a picture for it states.
pub struct Bundled {
    pub name: &'static str,
    pub modality: &'static str,
    pub body_part: &'static str,
}

impl Bundled {
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(Path::new("../models").join(self.name).join(name)).unwrap()
    }

    pub fn manifest(&self) -> Manifest {
        serde_json::from_slice(&self.read("manifest.json")).unwrap()
    }

    /// The lines of a golden file, without its header, split at spaces.
    pub fn golden(&self, name: &str) -> Vec<Vec<String>> {
        let lines = String::from_utf8(self.read(&format!("golden/{name}"))).unwrap();
        let lines = lines.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split(' ').map(str::to_owned).collect()).collect()
    }

    pub fn model(&self) -> Model {
        admit(&self.read("model.onnx"), &self.manifest()).unwrap()
    }

    /// The model with every set of kernels that this machine has.
    pub fn models(&self) -> Vec<Model> {
        let with = |set| admit_with(&self.read("model.onnx"), &self.manifest(), Kernels::new(set).unwrap()).unwrap();
        Kernels::available().into_iter().map(with).collect()
    }

    /// The quantised output for a picture's file, the first where there are several.
    pub fn output(&self, model: &Model, manifest: &Manifest, file: &[u8]) -> u8 {
        self.outputs(model, manifest, file)[0]
    }

    /// The quantised outputs for a picture's file.
    pub fn outputs(&self, model: &Model, manifest: &Manifest, file: &[u8]) -> Vec<u8> {
        let stated = Stated { modality: self.modality.into(), body_part: self.body_part.into() };
        let tensor = decode(file, Limits::default()).unwrap().to_tensor(&manifest.pipeline, &stated).unwrap();
        model.run(&[tensor]).unwrap()[0].data().to_vec()
    }

    /// Checks that sixteen square pictures that show nothing give what `golden/synthetic.txt` has, with every set of kernels.
    pub fn gives_the_recorded_outputs(&self, side: u32) {
        let (manifest, models, lines) = (self.manifest(), self.models(), self.golden("synthetic.txt"));
        assert_eq!(lines.len(), 16);
        for (i, line) in (0..).zip(lines) {
            let file = png(side, &synthetic(side, i));
            for model in &models {
                let got = words(&self.outputs(model, &manifest, &file));
                assert_eq!([vec![i.to_string()], got].concat(), line, "{}", model.kernels());
            }
        }
    }

    /// Checks that the manifest names the model's file, and gives its id and the graph's shape.
    pub fn identity(&self) -> [String; 2] {
        let (manifest, onnx, model) = (self.manifest(), self.read("model.onnx"), self.model());
        assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest.clone()));
        assert_eq!(manifest.onnx, Onnx::of(BlobId::of_raw(&onnx), &onnx));
        let specs = format!("{:?} {:?} {} MACs", model.inputs(), model.outputs(), model.facts().macs);
        [manifest.id().to_string(), specs]
    }

    /// Compares the outputs for the archive's test split with the recorded ones. Gives AUC in millionths, of ours and of the
    /// float parent, and how many pictures the finding is right for; `None` where the archive is not at hand. `sick` is
    /// the archive's label of the finding.
    pub fn test_split(&self, archive: &str, sick: u8) -> Option<(i64, i64, usize)> {
        let data = data();
        let Ok(bytes) = std::fs::read(data.join(archive)) else {
            println!("skipped: {archive} is not in {}", data.display());
            return None;
        };
        let images = npz::read(&bytes, "test_images").unwrap();
        let sick: Vec<bool> =
            npz::read(&bytes, "test_labels").unwrap().data.iter().map(|&label| label == sick).collect();
        assert_eq!(images.shape, [sick.len(), 28, 28]);
        let (manifest, model) = (self.manifest(), self.model());
        let scalar = Kernels::new(KernelSet::Scalar).unwrap();
        let scalar = admit_with(&self.read("model.onnx"), &manifest, scalar).unwrap();
        let one = |pixels: &[u8]| {
            let picture = png(28, pixels);
            let got = self.output(&model, &manifest, &picture);
            assert_eq!(got, self.output(&scalar, &manifest, &picture));
            got
        };
        let got: Vec<u8> = images.data.chunks(28 * 28).map(one).collect();
        let (named, all) = self.golden("test-split.txt").into_iter().partition::<Vec<_>, _>(|line| line[0] != "all");
        assert_eq!((named.len(), all.len()), (64, 1));
        for line in named {
            assert_eq!(got[line[0].parse::<usize>().unwrap()].to_string(), line[1], "image {}", line[0]);
        }
        assert_eq!(Digest::sha3("aceso/golden/v1", &[&got]).to_string(), all[0][1]);

        // Beside its float parent: AUC in millionths, by counting pairs.
        let ours: Vec<i64> = got.iter().map(|&q| i64::from(q)).collect();
        let parent: Vec<i64> = self.golden("float-parent.txt").iter().map(|line| line[0].parse().unwrap()).collect();
        let at_least = manifest.output.findings[0].at_least;
        let right = got.iter().zip(&sick).filter(|&(&q, &sick)| (i32::from(q) >= at_least) == sick).count();
        Some((auc_micro(&ours, &sick), auc_micro(&parent, &sick), right))
    }
}

/// The folder of data that the project does not carry.
pub fn data() -> PathBuf {
    let beside = "../../shared/data";
    std::env::var_os("ACESO_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from)
}

/// Pixels of picture `i` of sixteen that show nothing: `synthetic` in `models/tools/publish.py`.
fn synthetic(side: u32, i: u32) -> Vec<u8> {
    let pixel = |at: u32| {
        let (y, x) = (at / side, at % side);
        u8::try_from((37 * i + 7 * x * (i % 5 + 1) + y * y) % 256).unwrap()
    };
    (0..side * side).map(pixel).collect()
}

/// Outputs as a golden file has them.
pub fn words(outputs: &[u8]) -> Vec<String> {
    outputs.iter().map(u8::to_string).collect()
}

/// A square grey picture of 8 bits as PNG.
pub fn png(side: u32, pixels: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    file
}

/// AUC in millionths, by counting pairs.
pub fn auc_micro(scores: &[i64], sick: &[bool]) -> i64 {
    let of = |wanted: bool| {
        let chosen = scores.iter().zip(sick).filter(move |&(_, &sick)| sick == wanted);
        chosen.map(|(&score, _)| score).collect::<Vec<i64>>()
    };
    let (healthy, sick) = (of(false), of(true));
    let halves: i64 = sick.iter().flat_map(|&s| healthy.iter().map(move |&h| 1 + (s - h).signum())).sum();
    let pairs = i64::try_from(2 * healthy.len() * sick.len()).unwrap();
    halves * 1_000_000 / pairs
}

//! `aceso model quantize`: from a float model to one that is admitted, and what that cost.
//!
//! Files of the calibration folder become tensors by the manifest's own pipeline, so that the quantiser sees what the chain
//! will. onnxruntime quantises (`models/tools/quantize.py`), admission has the last word, and both models are run on
//! the same files: differences and, with labels, accuracies are printed side by side.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use aceso_inference::{
    Model, Record, admit,
    image::{Limits, Stated},
};
use aceso_types::{
    ElementType, Manifest, Tensor,
    manifest::{Layout, Onnx},
};
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{
    python::Python,
    score::{self, Scores},
};
use crate::cli::Output;

const SCRIPT: &str = include_str!("../../../../../models/tools/quantize.py");
/// Most bytes of calibration tensors: they are in memory, ours and Python's.
const TENSORS_MAX: usize = 256 << 20;
/// What files have that hold a tensor as it is: the bytes of the model's input, row by row.
const TENSOR: &str = "u8";

/// Makes an integer model.
#[derive(Args)]
pub(crate) struct Quantize {
    /// The float model.
    file: PathBuf,
    /// The manifest, in JSON: its pipeline makes tensors of the files, its labels name the outputs. What it says of the
    /// ONNX file is not looked at.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Folder of images, or tables, such as the model will read; or of tensors, raw, with names that end in `.u8`.
    #[arg(long, value_name = "DIR")]
    calibrate: PathBuf,
    /// Where the integer model goes; its manifest goes beside it, with the ending `.json`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The classes of these files: a CSV of `file,class`, where a class is its number or its label in the manifest.
    #[arg(long, value_name = "CSV")]
    labels: Option<PathBuf>,
    /// How the model is written.
    #[arg(long, value_enum, default_value_t = Format::Qdq)]
    format: Format,
    /// How the range of activations is found.
    #[arg(long, value_enum, default_value_t = Method::Minmax)]
    method: Method,
    #[command(flatten)]
    python: Python,
}

/// ONNX's two ways of writing integers.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Float operators between DequantizeLinear and QuantizeLinear: takes most models.
    Qdq,
    /// Integer operators.
    Qoperator,
}

/// onnxruntime's ways of calibrating.
#[derive(Clone, Copy, ValueEnum)]
enum Method {
    /// The least and the most that was seen.
    Minmax,
    /// The range that loses least information.
    Entropy,
    /// All but the outermost values.
    Percentile,
}

impl Quantize {
    pub(super) fn run(self, output: Output) -> Result<()> {
        let template = template(&self.manifest)?;
        let files = files(&self.calibrate)?;
        let shape = shape(&template);
        let tensors = files.iter().map(|file| tensor(file, &template, &shape)).collect::<Result<Vec<_>>>()?;
        let bytes: usize = tensors.iter().map(Vec::len).sum();
        ensure!(
            bytes <= TENSORS_MAX,
            "the calibration tensors take {bytes} bytes, more than {TENSORS_MAX}: take fewer files"
        );
        let classes = self.labels.as_deref().map(|path| classes(path, &files, &template)).transpose()?;

        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let at = |name: &str| folder.path().join(name);
        fs::write(at("inputs.bin"), tensors.concat()).context("cannot write a temporary file")?;
        let float = fs::canonicalize(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        let request = json!({
            "model": float,
            "dims": shape,
            "normalise": template.pipeline.normalise,
            "layout": if template.pipeline.layout == Layout::Nchw { "nchw" } else { "nhwc" },
            "format": word(self.format),
            "method": word(self.method),
        });
        let answer = self
            .python
            .run(SCRIPT, folder.path(), &request)
            .with_context(|| format!("{} cannot be quantised", self.file.display()))?;
        let onnx = fs::read(at("model.onnx")).context("the quantiser left no model")?;
        let put = aceso_blobs::import(&onnx[..], u64::MAX, |_, _| Ok(()))?;
        let manifest = Manifest { onnx: Onnx::of(put.id, &onnx), ..template };
        let model = admit(&onnx, &manifest).map_err(|refused| {
            anyhow!(
                "onnxruntime quantised {}, and the result is refused: {refused}; {}",
                self.file.display(),
                refused.hint()
            )
        })?;
        let floats = floats(&fs::read(at("floats.bin")).context("the quantiser left no numbers")?, tensors.len())?;
        let report = Report::of(&model, &tensors, floats, classes.as_deref())?;

        let beside = self.out.with_extension("json");
        ensure!(beside != self.out, "the model cannot be called {}, as its manifest is", self.out.display());
        let write = |path: &Path, bytes: &[u8]| {
            fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
        };
        write(&self.out, &onnx)?;
        write(&beside, serde_json::to_string_pretty(&manifest)?.as_bytes())?;
        let taken_off = answer["taken_off"].as_str();
        let object = json!({
            "ok": true,
            "model": manifest.id().to_string(),
            "onnx": manifest.onnx,
            "files": [self.out.display().to_string(), beside.display().to_string()],
            "onnxruntime": answer["onnxruntime"],
            "taken_off": taken_off,
            "calibrated_on": tensors.len(),
            "bytes": {"float": fs::metadata(&float)?.len(), "int8": onnx.len()},
            "cost": report.object(),
        });
        output.print(&object, || {
            let mut text = format!("{} and {} are written\n", self.out.display(), beside.display());
            if let Some(op) = taken_off {
                text += &format!("  the final {op} was taken off: the manifest's table of probabilities does that\n");
            }
            text + &report.text()
        })
    }
}

/// The word of an option's value, as it is written on the command line.
fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// A manifest whose word on the ONNX file may be missing or old.
fn template(path: &Path) -> Result<Manifest> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut value: Value =
        serde_json::from_slice(&text).with_context(|| format!("{} is not a manifest in JSON", path.display()))?;
    if let Some(fields) = value.as_object_mut() {
        let nothing = Onnx::of(aceso_types::BlobId::of_raw(&[]), &[0]);
        fields.insert("onnx".into(), serde_json::to_value(nothing)?);
    }
    let manifest: Manifest =
        serde_json::from_value(value).with_context(|| format!("{} is not a manifest", path.display()))?;
    manifest.check().with_context(|| format!("{} is not a manifest to register", path.display()))?;
    Ok(manifest)
}

/// Dimensions of the tensor that the pipeline makes.
fn shape(manifest: &Manifest) -> [u32; 4] {
    let pipeline = &manifest.pipeline;
    let channels = pipeline.channels.count();
    match pipeline.layout {
        Layout::Nchw => [1, channels, pipeline.height, pipeline.width],
        Layout::Nhwc => [1, pipeline.height, pipeline.width, channels],
    }
}

/// The files of a folder, by name; not what lies deeper, and nothing hidden.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read the folder {}", folder.display()))?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.is_file() && !hidden {
            files.push(path);
        }
    }
    files.sort();
    ensure!(
        !files.is_empty(),
        "the folder {} has no files: put some hundred images in it, such as the model will read",
        folder.display()
    );
    Ok(files)
}

/// A file as the model will see it.
fn tensor(file: &Path, manifest: &Manifest, shape: &[u32]) -> Result<Vec<u8>> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    if file.extension().is_some_and(|ending| ending == TENSOR) {
        let want = shape.iter().map(|&dim| dim as usize).product::<usize>();
        let got = bytes.len();
        ensure!(got == want, "{} has {got} bytes, and a tensor of shape {shape:?} has {want}", file.display());
        return Ok(bytes);
    }
    let pipeline = &manifest.pipeline;
    let record = Record::decode(&bytes, pipeline, Limits::default());
    // Who calibrates knows that these are the model's own kind.
    let own = |of: Option<&str>, all: &[String]| match of {
        Some(_) => String::new(),
        None => all.first().cloned().unwrap_or_default(),
    };
    let made = record.and_then(|record| {
        let modality = own(record.modality(), &pipeline.modalities);
        let body_part = match &record {
            Record::Image(image) => own(image.body_part(), &pipeline.body_parts),
            Record::Table(_) => own(None, &pipeline.body_parts),
        };
        record.to_tensor(pipeline, &Stated { modality, body_part })
    });
    let tensor = made.with_context(|| format!("{} is no file that this model reads; move it away", file.display()))?;
    Ok(tensor.data().to_vec())
}

/// The class of each file.
fn classes(path: &Path, files: &[PathBuf], manifest: &Manifest) -> Result<Vec<usize>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let labels = &manifest.output.labels;
    let most = labels.len().max(2);
    let mut given = BTreeMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("line {} of {}", at + 1, path.display());
        let (file, class) = line.rsplit_once(',').with_context(|| format!("{} is not `file,class`", place()))?;
        let class = class.trim();
        let named = || labels.iter().position(|label| label.name == class).filter(|_| labels.len() > 1);
        match class.parse().ok().or_else(named).filter(|&class: &usize| class < most) {
            Some(class) => drop(given.insert(file.trim().to_owned(), class)),
            // A first line of names.
            None if at == 0 => (),
            None => bail!("{}: {class:?} is no class from 0 to {} and no label of the manifest", place(), most - 1),
        }
    }
    let of = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        given.get(name.as_ref()).copied().with_context(|| format!("{} has no line for {name}", path.display()))
    };
    files.iter().map(of).collect()
}

/// What the float model said of each file.
fn floats(bytes: &[u8], files: usize) -> Result<Vec<Scores>> {
    let values: Vec<f64> = bytes.as_chunks::<4>().0.iter().map(|&four| f64::from(f32::from_le_bytes(four))).collect();
    let each = values.len() / files.max(1);
    ensure!(
        each > 0 && each * files == values.len(),
        "the float model gave {} numbers for {files} files",
        values.len()
    );
    ensure!(values.iter().all(|value| value.is_finite()), "the float model gives values that are no finite numbers");
    Ok(values.chunks(each).map(<[f64]>::to_vec).collect())
}

/// What quantising cost.
struct Report {
    /// The real difference between neighbouring integers of the output, and the integer for zero.
    scale: f64,
    zero: i32,
    mean: f64,
    largest: f64,
    /// Share of files of which both models say the same.
    agreed: f64,
    /// Of float and integer model: area under the curve, accuracy.
    labelled: Option<[(Option<f64>, f64); 2]>,
}

impl Report {
    fn of(model: &Model, tensors: &[Vec<u8>], floats: Vec<Scores>, classes: Option<&[usize]>) -> Result<Self> {
        let [spec] = model.inputs() else { bail!("the model has {} inputs", model.inputs().len()) };
        let meaning = model.quantisations().first().copied().flatten();
        let meaning = meaning.context("the output has no scale; quantise as QDQ, whose outputs have one")?;
        let (scale, zero) = (f64::from(meaning.scale), meaning.zero_point);
        let integers = tensors.iter().map(|bytes| {
            let input = Tensor::new(ElementType::U8, spec.dims.clone(), bytes.clone())?;
            let outputs = model.run(&[input])?;
            let output = outputs.first().context("the model has no output")?;
            let signed = output.ty() == ElementType::I8;
            let number = |&byte: &u8| if signed { i32::from(byte.cast_signed()) } else { i32::from(byte) };
            Ok(output.data().iter().map(|byte| scale * f64::from(number(byte) - zero)).collect())
        });
        let integers = integers.collect::<Result<Vec<Scores>>>()?;
        ensure!(
            floats.iter().map(Vec::len).eq(integers.iter().map(Vec::len)),
            "the two models have outputs of other lengths"
        );
        let apart: Vec<f64> =
            floats.iter().flatten().zip(integers.iter().flatten()).map(|(float, int)| (float - int).abs()).collect();
        let same = floats.iter().zip(&integers).filter(|(float, int)| score::class(float) == score::class(int)).count();
        let of = |scores: &[Scores], classes: &[usize]| (score::auc(scores, classes), score::accuracy(scores, classes));
        Ok(Self {
            scale,
            zero,
            mean: apart.iter().sum::<f64>() / f64::from(u32::try_from(apart.len().max(1))?),
            largest: apart.iter().copied().fold(0.0, f64::max),
            agreed: score::ratio(same, floats.len()),
            labelled: classes.map(|classes| [of(&floats, classes), of(&integers, classes)]),
        })
    }

    fn object(&self) -> Value {
        let of = |(auc, accuracy): (Option<f64>, f64)| json!({"auc": auc, "accuracy": accuracy});
        json!({
            "scale": self.scale,
            "zero_point": self.zero,
            "mean_difference": self.mean,
            "largest_difference": self.largest,
            "same_answer": self.agreed,
            "float": self.labelled.map(|both| of(both[0])),
            "int8": self.labelled.map(|both| of(both[1])),
        })
    }

    fn text(&self) -> String {
        let steps = |value: f64| value / self.scale;
        let mut text = format!(
            "  outputs are {:.6} · (q − {}); from the float model they differ by {:.4} in the mean and {:.4} at most ({:.2} and {:.2} \
             steps)\n  both models answer the same for {:.2} % of the files",
            self.scale,
            self.zero,
            self.mean,
            self.largest,
            steps(self.mean),
            steps(self.largest),
            100.0 * self.agreed
        );
        if let Some(both) = self.labelled {
            for (name, (auc, accuracy)) in ["float", "int8"].into_iter().zip(both) {
                let auc = auc.map_or("none (one class only)".into(), |auc| format!("{auc:.4}"));
                text += &format!("\n  {name}: AUC {auc}, accuracy {accuracy:.4}");
            }
        }
        text + "\n  thresholds and probabilities of the manifest are those it had: calibrate them on this model's outputs"
    }
}

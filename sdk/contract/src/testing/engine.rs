//! What opens images and runs models for the test's host.

use aceso_types::{
    BlobId, Digest, ElementType, Frame, Manifest, PixelDigest, Tensor,
    guest::{Answered, Answers, Score},
    manifest::{self, Channels, Crop, Finding, Label, Layout, Onnx, Output, Pipeline, Price, Resize, Window},
};

/// What the registrant says of an image whose file may not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// The modality (DICOM CS); empty where the file must say.
    pub modality: String,
    /// The body part, likewise.
    pub body_part: String,
}

/// An image that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its identity for payment.
    pub pixels: PixelDigest,
    /// The model's input.
    pub input: Tensor,
}

/// Opens images and runs models. Errors are sentences for people.
pub trait Engine {
    /// Admits a model's bytes under a manifest.
    ///
    /// # Errors
    /// Where the chain would not register them.
    fn admit(&mut self, manifest: &Manifest, onnx: &[u8]) -> Result<(), String>;

    /// Decodes a frame of an image and makes it a model's input.
    ///
    /// # Errors
    /// Where the image is not one that the model takes, or has no such frame.
    fn open(&self, image: &[u8], frame: Frame, stated: &Stated, manifest: &Manifest) -> Result<Opened, String>;

    /// Runs an admitted model.
    ///
    /// # Errors
    /// Where the inputs are not what the model takes.
    fn run(&self, manifest: &Manifest, inputs: &[Tensor]) -> Result<Vec<Tensor>, String>;

    /// Reads the outputs as the manifest says.
    ///
    /// # Errors
    /// Where the outputs are not what the manifest says of them.
    fn answer(&self, manifest: &Manifest, outputs: &[Tensor]) -> Result<Answers, String>;
}

/// An engine that a test scripts: an image is a text `pixels|wrapping`, whose identity is the part before the bar, and
/// every model answers each label with the first byte of the pixels, as i8. Where there are several frames, `/` stands
/// between the pixels of one and the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Script;

impl Script {
    /// The identity of an image of this engine, or of its first frame.
    pub fn pixels(image: &[u8]) -> PixelDigest {
        PixelDigest(Digest::sha3("aceso/script/v1", &[Self::frames(image).next().unwrap_or_default()]))
    }

    /// A manifest for this engine's models, whose bytes are `onnx`: takes images of modality DX and answers one label
    /// and the finding `finding`, present from 0 on. The price is in `uaceso`.
    pub fn manifest(name: &str, price: u64) -> Manifest {
        let onnx = b"onnx";
        Manifest {
            version: manifest::VERSION,
            name: name.into(),
            author: None,
            onnx: Onnx::of(BlobId::of_raw(onnx), onnx),
            pipeline: Pipeline {
                modalities: vec!["DX".into()],
                body_parts: vec![],
                channels: Channels::Grey,
                window: Window::Full,
                crop: Crop::None,
                width: 1,
                height: 1,
                resize: Resize::Area,
                layout: Layout::Nchw,
                normalise: None,
                table: None,
            },
            output: Output {
                labels: vec![Label { name: "finding".into(), probability: (0..256).map(|row| row * 3906).collect() }],
                findings: vec![Finding { id: "finding".into(), output: None, label: 0, at_least: 0 }],
                tensors: None,
            },
            intended_use: "tests of contracts".into(),
            licence: "Apache-2.0".into(),
            card: None,
            price: Price { denom: "uaceso".into(), amount: price },
        }
    }

    fn frames(image: &[u8]) -> impl Iterator<Item = &[u8]> {
        image.split(|&byte| byte == b'|').next().unwrap_or_default().split(|&byte| byte == b'/')
    }
}

impl Engine for Script {
    fn admit(&mut self, manifest: &Manifest, onnx: &[u8]) -> Result<(), String> {
        manifest.check().map_err(|e| e.to_string())?;
        let named = manifest.onnx.size == onnx.len() as u64;
        named
            .then_some(())
            .ok_or_else(|| format!("the manifest names {} bytes, not {}", manifest.onnx.size, onnx.len()))
    }

    fn open(&self, image: &[u8], frame: Frame, stated: &Stated, manifest: &Manifest) -> Result<Opened, String> {
        let accepted = &manifest.pipeline.modalities;
        if !accepted.contains(&stated.modality) {
            return Err(format!("the image is {}, and the model takes {}", stated.modality, accepted.join(", ")));
        }
        let seen = usize::try_from(frame.number() - 1).ok().and_then(|at| Self::frames(image).nth(at));
        let seen = seen.ok_or_else(|| format!("the image has no frame {frame}"))?;
        let first = seen.first().copied().ok_or("the image is empty")?;
        let input = Tensor::new(ElementType::U8, vec![1], vec![first]).map_err(|e| e.to_string())?;
        Ok(Opened { pixels: Self::pixels(seen), input })
    }

    fn run(&self, manifest: &Manifest, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let first = inputs.first().and_then(|input| input.data().first()).copied().ok_or("the model has one input")?;
        let labels = manifest.output.labels.len();
        let dims = vec![1, u32::try_from(labels).map_err(|e| e.to_string())?];
        Tensor::new(ElementType::I8, dims, vec![first; labels]).map(|output| vec![output]).map_err(|e| e.to_string())
    }

    fn answer(&self, manifest: &Manifest, outputs: &[Tensor]) -> Result<Answers, String> {
        let output = outputs.first().ok_or("the model has one output")?;
        let values: Vec<i32> = output.data().iter().map(|&byte| i32::from(byte.cast_signed())).collect();
        let probability = |table: &[u32], value: i32| {
            usize::try_from(value + 128).ok().and_then(|row| table.get(row)).copied().ok_or("the table is short")
        };
        let score = |(label, &value): (&Label, &i32)| {
            Ok(Score { label: label.name.clone(), value, probability: probability(&label.probability, value)? })
        };
        let scores = manifest.output.labels.iter().zip(&values).map(score).collect::<Result<_, String>>()?;
        let present = |label: u32, at_least| values.get(label as usize).is_some_and(|&value| value >= at_least);
        let findings = manifest.output.findings.iter();
        let findings =
            findings.map(|one| Answered { id: one.id.clone(), present: present(one.label, one.at_least) }).collect();
        Ok(Answers { scores, findings, readings: Vec::new() })
    }
}

//! Models that stay ready between calls, and compute what validators compute.
//!
//! A model is asked for by its number (u32, big-endian) until it is given back. Admission and kernels are the chain's own;
//! where the module was built with vectors, so are these.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aceso_inference::{Model, Record, TensorSpec, admit, image::Limits};
use aceso_types::{Manifest, Tensor, receipt::outputs_digest};
use aceso_verify::compute;
use serde_json::{Value, json};

use crate::{Answer, images::named};

/// Most models at a time; each takes up to its file's size twice over, and what a run takes.
const MODELS_MAX: usize = 4;

struct Held {
    manifest: Manifest,
    model: Model,
}

struct Models {
    next: u32,
    held: BTreeMap<u32, Held>,
}

static MODELS: Mutex<Models> = Mutex::new(Models { next: 1, held: BTreeMap::new() });

fn models() -> MutexGuard<'static, Models> {
    // Each change is a single insertion or removal.
    MODELS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Admits a model: a manifest in dag-cbor and the ONNX file that it names.
pub(crate) fn load(manifest: &[u8], onnx: &[u8]) -> Result<Answer, String> {
    let manifest = Manifest::decode(manifest).map_err(|e| e.to_string())?;
    let mut models = models();
    if models.held.len() >= MODELS_MAX {
        return Err(format!("{MODELS_MAX} models are ready, which is the most: close one first"));
    }
    let model = admit(onnx, &manifest).map_err(|refused| format!("{refused} ({})", refused.hint()))?;
    let number = models.next;
    let about = json!({
        "model": number,
        "id": manifest.id(),
        "kernels": model.kernels().name(),
        "inputs": model.inputs().iter().map(spec).collect::<Vec<_>>(),
        "outputs": model.outputs().iter().map(spec).collect::<Vec<_>>(),
    });
    models.next = number.wrapping_add(1).max(1);
    models.held.insert(number, Held { manifest, model });
    Answer::json(&about)
}

/// The outcome of a record: a frame of an image, or a table of one row.
pub(crate) fn run(number: &[u8], file: &[u8], frame: &[u8]) -> Result<Answer, String> {
    let frame = named(frame)?;
    with(number, |Held { manifest, model }| {
        let record = Record::decode_frame(file, frame, &manifest.pipeline, Limits::default());
        let record = record.map_err(|e| e.to_string())?;
        Answer::json(&compute(manifest, model, &record).map_err(|e| e.to_string())?)
    })
}

/// The outputs for the bytes of the input tensor, one after another.
pub(crate) fn run_tensor(number: &[u8], bytes: &[u8]) -> Result<Answer, String> {
    with(number, |Held { model, .. }| {
        let spec = model.inputs().first().ok_or("the model has no input")?;
        let input = Tensor::new(spec.ty, spec.dims.clone(), bytes.to_vec()).map_err(|e| e.to_string())?;
        let outputs = model.run(&[input]).map_err(|e| e.to_string())?;
        let digest = outputs_digest(&outputs);
        Answer::with(&json!({"digest": digest}), outputs.into_iter().flat_map(Tensor::into_data).collect())
    })
}

/// Gives a model back.
pub(crate) fn close(number: &[u8]) -> Result<Answer, String> {
    let number = read(number)?;
    models().held.remove(&number).map(|_| Answer::bytes([])).ok_or_else(|| unknown(number))
}

fn with<T>(number: &[u8], work: impl FnOnce(&Held) -> Result<T, String>) -> Result<T, String> {
    let number = read(number)?;
    work(models().held.get(&number).ok_or_else(|| unknown(number))?)
}

fn read(number: &[u8]) -> Result<u32, String> {
    number.try_into().map(u32::from_be_bytes).map_err(|_| "a model's number has four bytes".to_owned())
}

fn unknown(number: u32) -> String {
    format!("there is no model {number} here: it was closed")
}

fn spec(spec: &TensorSpec) -> Value {
    let elements: usize = spec.dims.iter().map(|&dim| dim as usize).product();
    json!({"name": spec.name, "type": spec.ty.to_string(), "dims": spec.dims, "bytes": elements * spec.ty.width()})
}

#[cfg(test)]
mod tests {
    use aceso_types::{Digest, ElementType};

    use super::*;
    use crate::answer;

    fn parts(result: Result<Answer, String>) -> (Value, Vec<u8>) {
        let bytes = answer::encode(result);
        let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        (serde_json::from_slice(&bytes[4..4 + length]).unwrap(), bytes[4 + length..].to_vec())
    }

    #[test]
    fn a_model_stays_until_it_is_closed() {
        let manifest: Manifest =
            serde_json::from_slice(include_bytes!("../../../../models/pneumonia/manifest.json")).unwrap();
        let onnx = include_bytes!("../../../../models/pneumonia/model.onnx");
        let load = || parts(load(&manifest.encode(), onnx)).0;
        let numbers: Vec<[u8; 4]> = (0..MODELS_MAX)
            .map(|_| u32::try_from(load()["ok"]["model"].as_u64().unwrap()).unwrap().to_be_bytes())
            .collect();
        assert!(load()["error"].as_str().unwrap().contains("close one first"));

        let input = Tensor::new(ElementType::U8, vec![1, 1, 28, 28], vec![77; 784]).unwrap();
        let want = admit(onnx, &manifest).unwrap().run(&[input]).unwrap();
        let (said, bytes) = parts(run_tensor(&numbers[1], &[77; 784]));
        assert_eq!(bytes, want[0].data());
        assert_eq!(said["ok"]["digest"], json!(Digest::to_string(&outputs_digest(&want))));
        assert!(parts(run_tensor(&numbers[1], &[77; 783])).0["error"].is_string());
        assert!(parts(run(&numbers[1], b"no picture", &[])).0["error"].is_string());

        let picture = crate::images::tests::png(28, 28, png::ColorType::Grayscale, &[77; 784]);
        let of = |frame: &[u8]| parts(run(&numbers[1], &picture, frame)).0;
        assert_eq!(of(&[]), of(&1_u32.to_be_bytes()));
        assert!(of(&[])["ok"]["digest"].is_string());
        let refused = [(&2_u32.to_be_bytes()[..], "frame 2 is asked for"), (&[0; 4], "no frame 0"), (b"2", "4 bytes")];
        for (frame, words) in refused {
            assert!(of(frame)["error"].as_str().unwrap().contains(words), "{}", of(frame));
        }

        for number in &numbers {
            assert!(parts(close(number)).0.get("ok").is_some());
        }
        assert!(parts(close(&numbers[0])).0["error"].as_str().unwrap().contains("it was closed"));
        assert!(parts(run(b"abc", b"", &[])).0["error"].as_str().unwrap().contains("four bytes"));
        assert!(parts(super::load(&manifest.encode(), b"another file")).0["error"].is_string());
    }
}

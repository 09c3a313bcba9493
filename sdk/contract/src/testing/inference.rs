//! The chain's own engine.

use std::collections::BTreeMap;

use aceso_inference::{Model, Record, image};
use aceso_types::{Frame, Manifest, ModelId, Tensor, guest::Answers};

use super::engine::{Engine, Opened, Stated};

/// Runs models and opens images just as validators do.
#[derive(Default)]
pub struct Inference {
    models: BTreeMap<ModelId, Model>,
}

impl Engine for Inference {
    fn admit(&mut self, manifest: &Manifest, onnx: &[u8]) -> Result<(), String> {
        let model = aceso_inference::admit(onnx, manifest).map_err(|e| e.to_string())?;
        self.models.insert(manifest.id(), model);
        Ok(())
    }

    fn open(&self, bytes: &[u8], frame: Frame, stated: &Stated, manifest: &Manifest) -> Result<Opened, String> {
        let stated = image::Stated { modality: stated.modality.clone(), body_part: stated.body_part.clone() };
        let record = Record::decode_frame(bytes, frame, &manifest.pipeline, image::Limits::default());
        let record = record.map_err(|e| e.to_string())?;
        let input = record.to_tensor(&manifest.pipeline, &stated).map_err(|e| e.to_string())?;
        Ok(Opened { pixels: record.identity(), input })
    }

    fn run(&self, manifest: &Manifest, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let model = self.models.get(&manifest.id()).ok_or("the model is not admitted")?;
        model.run(inputs).map_err(|e| e.to_string())
    }

    fn answer(&self, manifest: &Manifest, outputs: &[Tensor]) -> Result<Answers, String> {
        aceso_inference::answers(manifest, outputs).map_err(|e| e.to_string())
    }
}

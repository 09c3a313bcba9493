//! Models that are ready to run, the latest of them, as many as there is memory for.

use std::sync::{Arc, Mutex, PoisonError};

use aceso_app::Shelf;
use aceso_inference::{Kernels, Model, ModelRefused, admit_with};
use aceso_types::{Manifest, ModelId};

/// Bytes of models that stay in memory, where nothing else is said.
const BYTES_MAX: u64 = 1 << 30;

/// Why a model is not to be had here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    /// Its bytes are not.
    #[error("the bytes of model {model} are not to be had: {reason}")]
    Bytes {
        /// Which.
        model: Box<ModelId>,
        /// Why.
        reason: String,
    },
    /// This build admits it no more, or the bytes are others.
    #[error("model {model}: {reason}")]
    Refused {
        /// Which.
        model: Box<ModelId>,
        /// Why.
        reason: Box<ModelRefused>,
    },
}

/// See the module.
pub(crate) struct Models {
    kernels: Kernels,
    bytes_max: u64,
    shelf: Option<Arc<dyn Shelf>>,
    /// The latest last.
    ready: Mutex<Vec<(ModelId, Arc<Model>)>>,
}

impl Models {
    /// None yet; they will run with these kernels.
    pub(crate) fn new(kernels: Kernels) -> Self {
        Self { kernels, bytes_max: BYTES_MAX, shelf: None, ready: Mutex::default() }
    }

    /// The same with as many bytes of models in memory.
    pub(crate) fn within(self, bytes_max: u64) -> Self {
        Self { bytes_max, ..self }
    }

    /// The same, but that what lies on a shelf is taken from there.
    pub(crate) fn beside(self, shelf: Option<Arc<dyn Shelf>>) -> Self {
        Self { shelf, ..self }
    }

    /// The model of a manifest; its bytes are asked for where it is nowhere ready. One is made ready at a time.
    pub(crate) fn get(
        &self,
        manifest: &Manifest,
        onnx: impl FnOnce() -> Result<Vec<u8>, String>,
    ) -> Result<Arc<Model>, ModelError> {
        let id = manifest.id();
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match ready.iter().position(|(known, _)| *known == id) {
            Some(place) => ready.remove(place).1,
            None => match self.shelf.as_ref().and_then(|shelf| shelf.get(&id, self.kernels)) {
                Some(model) => Arc::new(model),
                None => {
                    let onnx = onnx().map_err(|reason| ModelError::Bytes { model: Box::new(id), reason })?;
                    let refused = |reason| ModelError::Refused { model: Box::new(id), reason: Box::new(reason) };
                    Arc::new(admit_with(&onnx, manifest, self.kernels).map_err(refused)?)
                }
            },
        };
        ready.push((id, Arc::clone(&found)));
        // However large the latest is, it stays: somebody reads with it now.
        let mut bytes = 0_u64;
        let fits = ready.iter().rev().skip(1).take_while(|(_, model)| {
            bytes = bytes.saturating_add(model.facts().resident());
            bytes.saturating_add(found.facts().resident()) <= self.bytes_max
        });
        let kept = 1 + fits.count();
        let surplus = ready.len().saturating_sub(kept);
        ready.drain(..surplus);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use aceso_test_support::repository;

    use super::*;

    #[test]
    fn the_latest_models_that_fit_stay_and_always_the_last() {
        let folder = repository().join("models/pneumonia");
        let bytes = std::fs::read(folder.join("model.onnx")).unwrap();
        let first: Manifest = serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        let named = |name: &str| Manifest { name: name.into(), ..first.clone() };
        let all = [named("a"), named("b"), named("c")];
        let one = aceso_inference::admit(&bytes, &first).unwrap().facts().resident();
        let loads = |models: &Models, which: usize| {
            let mut loaded = false;
            let onnx = || {
                loaded = true;
                Ok(bytes.clone())
            };
            models.get(&all[which], onnx).unwrap();
            loaded
        };
        let two = Models::new(Kernels::default()).within(2 * one);
        let asked = [0, 1, 0, 2, 0, 1].map(|which| loads(&two, which));
        assert_eq!(asked, [true, true, false, true, false, true], "the least recently used goes");
        let none = Models::new(Kernels::default()).within(0);
        assert_eq!([0, 0, 1, 0].map(|which| loads(&none, which)), [true, false, true, true]);
    }
}

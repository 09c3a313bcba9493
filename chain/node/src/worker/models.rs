//! Models that are ready to run, the latest few of them.

use std::sync::{Arc, Mutex, PoisonError};

use aceso_inference::{Kernels, Model, ModelRefused, admit_with};
use aceso_types::{Manifest, ModelId};

/// Models that stay in memory. A committee reads with a handful.
const KEPT: usize = 4;

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
    /// The latest last.
    ready: Mutex<Vec<(ModelId, Arc<Model>)>>,
}

impl Models {
    /// None yet; they will run with these kernels.
    pub(crate) fn new(kernels: Kernels) -> Self {
        Self { kernels, ready: Mutex::default() }
    }

    /// The model of a manifest; its bytes are asked for where it is not ready. One is made ready at a time.
    pub(crate) fn get(
        &self,
        manifest: &Manifest,
        onnx: impl FnOnce() -> Result<Vec<u8>, String>,
    ) -> Result<Arc<Model>, ModelError> {
        let id = manifest.id();
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match ready.iter().position(|(known, _)| *known == id) {
            Some(place) => ready.remove(place).1,
            None => {
                let onnx = onnx().map_err(|reason| ModelError::Bytes { model: Box::new(id), reason })?;
                let refused = |reason| ModelError::Refused { model: Box::new(id), reason: Box::new(reason) };
                Arc::new(admit_with(&onnx, manifest, self.kernels).map_err(refused)?)
            }
        };
        ready.push((id, Arc::clone(&found)));
        let surplus = ready.len().saturating_sub(KEPT);
        ready.drain(..surplus);
        Ok(found)
    }
}

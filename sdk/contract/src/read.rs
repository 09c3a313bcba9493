//! A read in one call, and what stands around it: the guard's answer, a blob's size.

use aceso_types::{
    BlobId, Frame, ModelId,
    guest::{PERMIT_BYTES_MAX, PermitRequest, ReadInfo},
};

use crate::{Context, Errno, Graph, sys};

/// Why a read came to nothing. A read that is *refused* does not come back at all: it ends the contract's call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The model cannot be had.
    #[error("model {model} cannot be loaded: {errno}")]
    Model {
        /// The model.
        model: ModelId,
        /// The host's answer.
        errno: Errno,
    },
    /// The image cannot be had, or is not one for this model.
    #[error("image {image} cannot be the model's input: {errno}")]
    Image {
        /// The image.
        image: BlobId,
        /// The host's answer.
        errno: Errno,
    },
    /// The model did not run.
    #[error("model {model} did not run: {errno}")]
    Compute {
        /// The model.
        model: ModelId,
        /// The host's answer.
        errno: Errno,
    },
    /// There is no outcome to tell.
    #[error("the read has no outcome: {errno}")]
    Outcome {
        /// The host's answer.
        errno: Errno,
    },
    /// The outcome is not in the form that this library knows.
    #[error("the read's outcome does not decode: {0}")]
    Malformed(String),
}

/// Runs a model on an image and tells what came out. A guarded image needs a permit for just this contract, image,
/// model and purpose; the permit is used up. The contract pays the model's price.
///
/// # Errors
/// Where model or image cannot be had. Without a permit the contract's call ends.
pub fn read(model: &ModelId, image: &BlobId, purpose: &str) -> Result<ReadInfo, ReadError> {
    with_input(model, image, |context| context.set_input_blob(0, image, purpose))
}

/// Like [`read`], of a frame of a file that has several. Each frame has pixels of its own, and so a
/// [`ReadInfo::pixels`] of its own.
///
/// # Errors
/// Those of [`read`]. Where the file has no such frame the contract's call ends.
pub fn read_frame(model: &ModelId, image: &BlobId, frame: Frame, purpose: &str) -> Result<ReadInfo, ReadError> {
    with_input(model, image, |context| context.set_input_frame(0, image, frame, purpose))
}

fn with_input(
    model: &ModelId,
    image: &BlobId,
    set: impl FnOnce(&mut Context) -> Result<(), Errno>,
) -> Result<ReadInfo, ReadError> {
    let (model, image) = (*model, *image);
    let of_model = |errno| ReadError::Model { model, errno };
    let mut context = Graph::load_by_name(&model).and_then(|graph| graph.context()).map_err(of_model)?;
    set(&mut context).map_err(|errno| ReadError::Image { image, errno })?;
    context.compute().map_err(|errno| ReadError::Compute { model, errno })?;
    context.read_info()
}

/// For guards only: answers a contract that asked to read an image. A yes lets that contract read once in this
/// transaction; a no is journalled whatever becomes of the transaction, and the guard errors after it.
///
/// The host ends the call where this contract is not the image's guard, where the actor has not signed, and where the
/// grant's uses are spent.
///
/// # Errors
/// [`Errno::TooLarge`] for a request longer than [`PERMIT_BYTES_MAX`] in JSON.
pub fn permit(request: &PermitRequest) -> Result<(), Errno> {
    let json = serde_json::to_vec(request).map_err(|_| Errno::InvalidEncoding)?;
    if json.len() > PERMIT_BYTES_MAX {
        return Err(Errno::TooLarge);
    }
    sys::permit(&json)
}

/// The length of an available blob in bytes.
///
/// # Errors
/// [`Errno::NotFound`] where it is not registered or not available.
pub fn blob_size(blob: &BlobId) -> Result<u64, Errno> {
    sys::blob_size(&blob.to_string())
}

//! wasi-nn's objects: a graph is a model that was found, a context is one run of it.

use aceso_types::{BlobId, Frame, ModelId, Tensor, guest::ReadInfo, tensor};

use crate::{Errno, ReadError, sys};

/// What is offered for an answer of unknown length at first: most classifiers and all but the longest
/// [`ReadInfo`] fit.
const ANSWER_BYTES: usize = 4 << 10;

/// A registered model, ready to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Graph(u32);

impl Graph {
    /// Finds a model by its id.
    ///
    /// # Errors
    /// [`Errno::NotFound`] where nobody registered it, or it is not admitted yet.
    pub fn load_by_name(model: &ModelId) -> Result<Self, Errno> {
        sys::load_by_name(&model.to_string()).map(Self)
    }

    /// A graph by the number that the host gave it in this call.
    pub fn from_handle(handle: u32) -> Self {
        Self(handle)
    }

    /// The host's number.
    pub fn handle(&self) -> u32 {
        self.0
    }

    /// Begins a run.
    ///
    /// # Errors
    /// [`Errno::InvalidArgument`] for a graph that the host did not give.
    pub fn context(&self) -> Result<Context, Errno> {
        sys::init_execution_context(self.0).map(Context)
    }
}

/// One run of a model: inputs, then [`Context::compute`], then outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context(u32);

impl Context {
    /// A context by the number that the host gave it in this call.
    pub fn from_handle(handle: u32) -> Self {
        Self(handle)
    }

    /// The host's number.
    pub fn handle(&self) -> u32 {
        self.0
    }

    /// Hands over the input at a position, from 0.
    ///
    /// # Errors
    /// [`Errno::InvalidArgument`] for a position, type or shape that the model does not take, [`Errno::Busy`] where the
    /// input came from an image and the model has not run since.
    pub fn set_input(&mut self, index: u32, tensor: &Tensor) -> Result<(), Errno> {
        sys::set_input(self.0, index, tensor)
    }

    /// Lets the host open an image and make it the input at a position, from 0. A guarded image needs a permit for
    /// just this contract, image, model and purpose; without one the call ends here, before any work. From here on the
    /// use counts and the model's price is paid, out of what the contract held before the transaction.
    ///
    /// # Errors
    /// [`Errno::NotFound`] where the image is not registered or not available, [`Errno::UnsupportedOperation`] for a
    /// model with several inputs.
    pub fn set_input_blob(&mut self, index: u32, image: &BlobId, purpose: &str) -> Result<(), Errno> {
        sys::set_input_blob(self.0, index, &image.to_string(), purpose)
    }

    /// Like [`Context::set_input_blob`], of a frame of a file that has several. The permit is the same: it is for one read,
    /// of any frame. The call ends where the file has no such frame.
    ///
    /// # Errors
    /// Those of [`Context::set_input_blob`].
    pub fn set_input_frame(&mut self, index: u32, image: &BlobId, frame: Frame, purpose: &str) -> Result<(), Errno> {
        sys::set_input_frame(self.0, index, &image.to_string(), frame, purpose)
    }

    /// Runs the model. Its price in gas is charged before.
    ///
    /// # Errors
    /// [`Errno::RuntimeError`] where an input is missing.
    pub fn compute(&mut self) -> Result<(), Errno> {
        sys::compute(self.0)
    }

    /// The bytes of the output at a position, from 0: row-major, little-endian.
    ///
    /// # Errors
    /// [`Errno::RuntimeError`] before [`Context::compute`], [`Errno::InvalidArgument`] for a position that the model
    /// does not have.
    pub fn get_output(&self, index: u32) -> Result<Vec<u8>, Errno> {
        grow(|buffer| sys::get_output(self.0, index, buffer))
    }

    /// Like [`Context::get_output`], into a buffer: answers how many bytes were written.
    ///
    /// # Errors
    /// Also [`Errno::TooLarge`] where the buffer is short.
    pub fn get_output_into(&self, index: u32, buffer: &mut [u8]) -> Result<usize, Errno> {
        sys::get_output(self.0, index, buffer).map_err(|short| short.errno)
    }

    /// What the read has come to: receipt number, identity of the image, scores.
    ///
    /// # Errors
    /// [`Errno::RuntimeError`] before [`Context::compute`], [`Errno::NotFound`] where the input came from no image.
    pub fn read_info(&self) -> Result<ReadInfo, ReadError> {
        let json = grow(|buffer| sys::read_info(self.0, buffer)).map_err(|errno| ReadError::Outcome { errno })?;
        serde_json::from_slice(&json).map_err(|e| ReadError::Malformed(e.to_string()))
    }
}

/// An import that could not write its answer, with the length it needs where it said so.
pub(crate) struct Short {
    pub(crate) errno: Errno,
    pub(crate) needed: usize,
}

impl From<Errno> for Short {
    fn from(errno: Errno) -> Self {
        Self { errno, needed: 0 }
    }
}

/// Asks again with a larger buffer as long as the answer is that it is too short.
fn grow(mut ask: impl FnMut(&mut [u8]) -> Result<usize, Short>) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; ANSWER_BYTES];
    loop {
        match ask(&mut buffer) {
            Ok(written) => {
                buffer.truncate(written);
                return Ok(buffer);
            }
            Err(Short { errno: Errno::TooLarge, needed }) if buffer.len() < tensor::BYTES_MAX => {
                let length = needed.max(buffer.len().saturating_mul(2)).min(tensor::BYTES_MAX);
                buffer = vec![0; length];
            }
            Err(Short { errno, .. }) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_grows_until_the_answer_fits() {
        let answer = |length: usize, tells: bool| {
            let mut asked = Vec::new();
            let got = grow(|buffer| {
                asked.push(buffer.len());
                let needed = if tells { length } else { 0 };
                if buffer.len() < length { Err(Short { errno: Errno::TooLarge, needed }) } else { Ok(length) }
            });
            (got.map(|bytes| bytes.len()), asked)
        };
        assert_eq!(answer(0, true), (Ok(0), vec![4096]));
        assert_eq!(answer(4096, true), (Ok(4096), vec![4096]));
        assert_eq!(answer(20_000, true), (Ok(20_000), vec![4096, 20_000]));
        assert_eq!(answer(20_000, false), (Ok(20_000), vec![4096, 8192, 16384, 32768]));
        assert_eq!(answer(tensor::BYTES_MAX + 1, true), (Err(Errno::TooLarge), vec![4096, tensor::BYTES_MAX]));
    }
}

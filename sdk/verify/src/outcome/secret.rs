//! Outputs for who holds the record's key.
//!
//! Blinding key and cipher key follow from the record's point and the job, so every member makes the same bytes:
//!
//! ```text
//! blind      = K("aceso/blind/1" ‖ job)                            K as in ContentPoint::key, job 8 bytes
//! key        = K("aceso/result/1" ‖ length ‖ chain ‖ job)          length of the chain's name, 8 bytes
//! ciphertext = AES-256-GCM-SIV(key, nonce 0, dag-cbor of the outputs)
//! ```
//!
//! The nonce is the same because the key is used for one job only. Members whose machine errs encrypt other outputs under
//! the same key and nonce; with this cipher (RFC 8452) that tells nobody anything but that they differ, where plain GCM
//! would give away both and its authentication key. A model's outputs always have the same shapes and so the ciphertext
//! has always the same length. One that is too long for an outcome is a file of its own, named by the outcome that members
//! sign: members that differ in one bit differ in the name.

use alloc::vec::Vec;

use aceso_types::{
    BlobId, Digest, Tensor,
    sealed::{Outcome, RESULT_BYTES_MAX, Statement, commitment},
};
use aes_gcm_siv::{Aes256GcmSiv, KeyInit, Nonce, aead::Aead};
use zeroize::{Zeroize, Zeroizing};

use crate::grant::ContentPoint;

const BLIND: &[u8] = b"aceso/blind/1";
const RESULT: &[u8] = b"aceso/result/1";
/// Why a sealed outcome does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputsError {
    /// Longer than outputs may be.
    #[error("a sealed outcome has at most {most} bytes, and this one has {got}")]
    Long {
        /// How many it may have.
        most: usize,
        /// How many there are.
        got: usize,
    },
    /// The outcome is open, a predicate's, or a failure.
    #[error("the outcome has nothing that was kept for who holds the key")]
    NotSealed,
    /// The outputs are in a file that was not given.
    #[error("the outputs are in {0}, which members of the committee keep")]
    Elsewhere(BlobId),
    /// The file was cut, or is another one.
    #[error("the result has {want} bytes, and the file has {got}")]
    Size {
        /// What the outcome says.
        want: u64,
        /// What was given.
        got: u64,
    },
    /// The key, the chain or the job is another one, or a byte was changed.
    #[error("the outcome is not of this job, the key is not the record's, or a byte was changed")]
    Cipher,
    /// What was encrypted are no tensors in their one spelling.
    #[error("what was encrypted are no outputs")]
    Outputs,
    /// The members committed to other outputs than they encrypted.
    #[error("the outputs are not those that the members committed to, {want}")]
    Commitment {
        /// What stands in the outcome.
        want: Digest,
    },
}

/// What blinds the commitment to a job's outputs.
pub fn blind(content: &ContentPoint, job: u64) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(content.key(&[BLIND, &job.to_be_bytes()].concat()))
}

/// Encrypts a job's outputs for who holds the record's key.
pub fn seal_outputs(content: &ContentPoint, about: &Statement, outputs: &[Tensor]) -> Vec<u8> {
    // Writing into a `Vec` fails only for values that dag-cbor cannot hold, of which tensors have none.
    let plain = Zeroizing::new(serde_ipld_dagcbor::to_vec(outputs).unwrap_or_default());
    // Encrypting fails beyond 64 GiB only.
    cipher(content, about).encrypt(&Nonce::default(), plain.as_slice()).unwrap_or_default()
}

/// Opens what [`seal_outputs`] has made, and checks that the members committed to it.
///
/// # Errors
/// [`OutputsError`].
pub fn open_outputs(
    content: &ContentPoint,
    about: &Statement,
    want: &Digest,
    ciphertext: &[u8],
) -> Result<Vec<Tensor>, OutputsError> {
    if ciphertext.len() > RESULT_BYTES_MAX {
        return Err(OutputsError::Long { most: RESULT_BYTES_MAX, got: ciphertext.len() });
    }
    let plain = cipher(content, about).decrypt(&Nonce::default(), ciphertext).map_err(|_| OutputsError::Cipher)?;
    let plain = Zeroizing::new(plain);
    let outputs: Vec<Tensor> = serde_ipld_dagcbor::from_slice(&plain).map_err(|_| OutputsError::Outputs)?;
    if serde_ipld_dagcbor::to_vec(&outputs).ok().as_deref() != Some(plain.as_slice()) {
        return Err(OutputsError::Outputs);
    }
    if commitment(&blind(content, about.job), &outputs) == *want {
        Ok(outputs)
    } else {
        Err(OutputsError::Commitment { want: *want })
    }
}

/// Opens what an outcome has kept for who holds the record's key. `file` is the blob that a [`Outcome::Stored`] names; of a
/// result that stands in the outcome there is none.
///
/// # Errors
/// [`OutputsError`]. Bytes of another file, or of another job, are [`OutputsError::Cipher`].
pub fn open_result(
    content: &ContentPoint,
    about: &Statement,
    outcome: &Outcome,
    file: Option<&[u8]>,
) -> Result<Vec<Tensor>, OutputsError> {
    match (outcome, file) {
        (Outcome::Sealed { commitment, ciphertext, .. }, _) => open_outputs(content, about, commitment, ciphertext),
        (Outcome::Stored { blob, .. }, None) => Err(OutputsError::Elsewhere(*blob)),
        (Outcome::Stored { size, .. }, Some(file)) if file.len() as u64 != *size => {
            Err(OutputsError::Size { want: *size, got: file.len() as u64 })
        }
        (Outcome::Stored { commitment, .. }, Some(file)) => open_outputs(content, about, commitment, file),
        _ => Err(OutputsError::NotSealed),
    }
}

fn cipher(content: &ContentPoint, about: &Statement) -> Aes256GcmSiv {
    let chain = about.chain_id.as_bytes();
    let length = u64::try_from(chain.len()).unwrap_or(u64::MAX).to_be_bytes();
    let mut key = content.key(&[RESULT, &length, chain, &about.job.to_be_bytes()].concat());
    let cipher = Aes256GcmSiv::new(&key.into());
    key.zeroize();
    cipher
}

//! A job as whoever computes it needs it: nothing in it is secret, all of it stands on the chain.

use aceso_app::Task;
use aceso_types::{BlobId, Digest, Manifest, PixelDigest, sealed::Statement};
use serde::{Deserialize, Serialize};

/// Why a task of the application's is none that can be worked on. Says that state and node are of different minds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TaskError {
    /// A field has another length.
    #[error("the {0} has another length")]
    Length(&'static str),
    /// The file's CID in the record is not the statement's.
    #[error("the statement names another file than the record")]
    File,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Job {
    /// What is signed together with the outcome.
    pub(crate) statement: Statement,
    /// Bytes of the sealed file, as its bytes have it and not as its owner has registered it.
    pub(crate) size: u64,
    /// What the registration commits to.
    pub(crate) commitment: Digest,
    /// The epoch of the operator's key for which the record's key is wrapped.
    pub(crate) epoch: u64,
    /// That key as it is registered, 48 bytes.
    #[serde(with = "aceso_types::cbor_bytes")]
    pub(crate) reader_key: Vec<u8>,
    /// The wrap, 96 bytes.
    #[serde(with = "aceso_types::cbor_bytes")]
    pub(crate) ciphertext: Vec<u8>,
    /// What the registration states.
    pub(crate) modality: String,
    pub(crate) body_part: String,
    pub(crate) effort: u64,
    /// The pixels that an institution vouches for.
    pub(crate) vouched: Option<PixelDigest>,
    /// The model.
    pub(crate) manifest: Manifest,
}

impl Job {
    /// The job of a task, which is wrapped for a reader's key of this kind.
    pub(crate) fn of(task: &Task, reader_key: &[u8]) -> Result<Self, TaskError> {
        let digest = |bytes: &[u8], what| match bytes.try_into() {
            Ok(bytes) => Ok(Digest(bytes)),
            Err(_) => Err(TaskError::Length(what)),
        };
        if task.file.cid != task.statement.image.to_string() {
            return Err(TaskError::File);
        }
        let vouched = task.record.origin.as_ref().map(|origin| digest(&origin.pixels, "origin's pixel digest"));
        Ok(Self {
            statement: task.statement.clone(),
            size: task.file.size,
            commitment: digest(&task.record.commitment, "record's commitment")?,
            epoch: task.opener.epoch,
            reader_key: reader_key.into(),
            ciphertext: task.ciphertext.clone(),
            modality: task.file.modality.clone(),
            body_part: task.file.body_part.clone(),
            effort: task.file.effort,
            vouched: vouched.transpose()?.map(PixelDigest),
            manifest: task.manifest.clone(),
        })
    }

    /// Its number.
    pub(crate) fn number(&self) -> u64 {
        self.statement.job
    }

    /// The sealed file.
    pub(crate) fn file(&self) -> &BlobId {
        &self.statement.image
    }
}

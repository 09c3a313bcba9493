//! From a job's bytes to its outcome: the wrap is opened, and the rest is [`aceso_seal::outcome`], which disputes compute
//! as well.

use aceso_inference::Model;
use aceso_seal::{Registered, outcome, sealed_bytes_max};
use aceso_types::msg::Recipient;
use aceso_verify::{
    grant::{Ciphertext, GrantError, SecretKey},
    outcome::{Came, Case, RECORD_BYTES_MAX},
};

use super::{
    job::{Job, TaskError},
    models::ModelError,
    wipe::privately,
};
use crate::{abci::query::QueryError, home::HomeError};

/// Why this machine has no outcome of a job. Another one may have, so it is no outcome; the job is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unable {
    /// The application does not say what the job is.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Nor for which key it is wrapped.
    #[error("the state has no key of epoch {} of {}", .0.epoch, .0.account)]
    NoReader(Box<Recipient>),
    /// What it says is no job.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The key is not here.
    #[error("this home has no opener key of epoch {0}; it is in config/opener of the home that registered it")]
    NoKey(u64),
    /// Another key is here.
    #[error("the opener key of epoch {0} is not the one that is registered; restore the right file in config/opener")]
    OtherKey(u64),
    /// The keys cannot be read.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// What the chain has checked is no wrap.
    #[error("the job's wrap: {0}")]
    Wrap(#[from] GrantError),
    /// The model cannot be had.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The sealed file is not here, and nobody sends it.
    #[error("the sealed file is not to be had: {0}")]
    File(String),
    /// A worker process does not know how, or cannot.
    #[error("a worker process says: {0}")]
    Told(String),
    /// The worker process is gone.
    #[error("the connection to a worker process broke off: {0}")]
    Gone(std::io::Error),
}

/// Most bytes of a sealed file that are looked at.
pub(super) fn file_bytes_max() -> u64 {
    sealed_bytes_max(RECORD_BYTES_MAX)
}

/// Computes a job's outcome, with the file that it may name, from the sealed file. All memory that it frees is wiped.
pub(crate) fn compute(job: &Job, key: &SecretKey, model: &Model, file: &[u8]) -> Result<Came, Unable> {
    privately(|| {
        // A wrong key would attest that the wrap is wrong.
        if key.public().to_bytes()[..] != job.reader_key[..] {
            return Err(Unable::OtherKey(job.epoch));
        }
        let content = Ciphertext::from_bytes(&job.ciphertext)?.open(key);
        let about = Registered { owner: &job.statement.owner, commitment: &job.commitment };
        let case = Case {
            statement: &job.statement,
            manifest: &job.manifest,
            model,
            modality: &job.modality,
            body_part: &job.body_part,
            effort: job.effort,
            vouched: job.vouched,
        };
        let computed = outcome(&about, &case, &content, file, job.size);
        model.forget();
        Ok(computed)
    })
}

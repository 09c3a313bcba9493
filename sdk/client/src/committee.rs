//! Asking a committee: the request, and waiting for what it comes to.

use aceso_types::{
    BlobId, Frame, ModelId,
    msg::{Disclose, MsgRequestRead},
    query::{JobRow, JobStatus, QueryJob},
    sealed::{Disclosure, Terms},
};

use crate::{Client, ClientError, wait::Wait};

/// A read that a committee is asked for, without a callback.
#[derive(Clone, Debug)]
pub struct SealedRead<'a> {
    /// Who asks and pays.
    pub requester: &'a str,
    /// For whom; signs the transaction.
    pub actor: &'a str,
    /// The model.
    pub model: ModelId,
    /// Whose record it is.
    pub owner: &'a str,
    /// The file.
    pub image: BlobId,
    /// Which frame of what is sealed in it.
    pub frame: Frame,
    /// Who gave the committee's grant, and its number.
    pub grant: (&'a str, u64),
    /// Its terms.
    pub terms: &'a Terms,
    /// Why: a code of HL7 v3 ActReason.
    pub purpose: &'a str,
    /// Who may know the outcome.
    pub disclosure: &'a Disclosure,
    /// The first height at which it is too late.
    pub deadline: u64,
}

impl SealedRead<'_> {
    /// The message.
    pub fn message(&self) -> MsgRequestRead {
        let (disclose, findings) = match self.disclosure {
            Disclosure::Open => (Disclose::Open, Vec::new()),
            Disclosure::Predicate(findings) => (Disclose::Predicate, findings.clone()),
            Disclosure::Sealed => (Disclose::Sealed, Vec::new()),
        };
        MsgRequestRead {
            requester: self.requester.into(),
            actor: self.actor.into(),
            model: self.model.as_bytes().to_vec(),
            owner: self.owner.into(),
            image: self.image.to_string(),
            granter: self.grant.0.into(),
            grant: self.grant.1,
            terms: self.terms.encode(),
            purpose: self.purpose.into(),
            disclose: disclose.into(),
            findings,
            deadline: self.deadline,
            frame: self.frame.to_wire(),
            ..MsgRequestRead::default()
        }
    }
}

impl Client {
    /// Waits until a job is closed, and answers what became of it.
    ///
    /// # Errors
    /// [`ClientError::Open`] if it is open for longer than a minute; those of asking.
    pub fn wait_job(&self, job: u64) -> Result<JobRow, ClientError> {
        let wait = Wait::begin();
        loop {
            let row = self.ask(&QueryJob { job })?;
            if let Some(row) = row.filter(|row| row.status() != JobStatus::Open) {
                return Ok(row);
            }
            if !wait.goes_on() {
                return Err(ClientError::Open { job, seconds: Wait::seconds() });
            }
        }
    }
}

/// Random bytes of this machine, for keys, salts and proofs.
///
/// # Errors
/// [`ClientError::Key`] where it gives none.
pub fn random<const N: usize>() -> Result<[u8; N], ClientError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| ClientError::Key(e.to_string()))?;
    Ok(bytes)
}

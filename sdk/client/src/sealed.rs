//! Sealed records: what a patient registers and grants, and what a reader asks a committee for.
//!
//! Points and proofs are made here, on the caller's machine; only what the chain may know goes into a message.
//! `sdk/seal` makes the bytes of a record, `sdk/verify` has the protocol.

use aceso_types::{
    BlobId, ModelId,
    msg::{
        Disclose, MsgGrant, MsgRegisterReader, MsgRegisterSealed, MsgRequestRead, PassedOn, Recipient, SealedFile,
        SignedOrigin,
    },
    query::{JobRow, JobStatus, QueryJob, ReaderRow, RecordRow},
    sealed::{Disclosure, Terms, VERSION, reader_context, recipients_digest, record_name, source_digest},
};
use aceso_verify::grant::{
    Ciphertext, ContentPoint, Entropy, GrantError, Granted, PublicKey, Registered, Registration, SecretKey, Wrap,
};
use cosmos_sdk_proto::Any;

use crate::{Client, ClientError, tx::any, wait::Wait};

/// Blocks within which a committee has to answer, unless a request says otherwise.
const BLOCKS: u64 = 200;

/// A file that is sealed, as its owner registers it.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its CID, as the blob store named it.
    pub cid: BlobId,
    /// The sealed file's length in bytes.
    pub size: u64,
    /// The modality, where the sealed file does not carry it (DICOM CS); may be empty.
    pub modality: String,
    /// The body part, likewise.
    pub body_part: String,
}

/// What somebody holds of a record: her own registration, or a wrap that was made for her.
#[derive(Clone, Copy, Debug)]
pub enum Holding<'a> {
    /// The owner's registration.
    Registration,
    /// A grant, and her place among its recipients.
    Wrap(&'a MsgGrant, u32),
}

/// A grant that is to be given.
#[derive(Clone, Debug)]
pub struct Grant<'a> {
    /// Who grants.
    pub granter: &'a str,
    /// How many grants it has given before, plus 1.
    pub number: u64,
    /// The record.
    pub record: &'a RecordRow,
    /// What of it the granter holds.
    pub from: Holding<'a>,
    /// For whom, by the keys that they have registered.
    pub recipients: &'a [ReaderRow],
    /// Whether they answer together.
    pub committee: bool,
    /// The second (Unix time) from which on it no longer holds.
    pub expires: u64,
    /// What it allows.
    pub terms: &'a Terms,
    /// The terms of what is passed on, opened; none for the owner.
    pub source_terms: Option<&'a Terms>,
}

/// A read that a committee is asked for.
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
    /// Who gave the committee's grant, and its number.
    pub grant: (&'a str, u64),
    /// Its terms.
    pub terms: &'a Terms,
    /// Why: a code of HL7 v3 ActReason.
    pub purpose: &'a str,
    /// Who may know the outcome.
    pub disclosure: Disclosure,
    /// Why, in words, where the grant is for emergencies.
    pub reason: &'a str,
}

fn entropy() -> Result<Entropy, ClientError> {
    let mut bytes = [0; 64];
    getrandom::fill(&mut bytes).map_err(|e| ClientError::Key(e.to_string()))?;
    Ok(bytes)
}

fn refused(error: GrantError) -> ClientError {
    ClientError::Key(error.to_string())
}

/// A point that nobody else knows, for a new record.
///
/// # Errors
/// [`ClientError::Key`] where this machine gives no randomness.
pub fn content_point() -> Result<ContentPoint, ClientError> {
    Ok(ContentPoint::generate(&entropy()?))
}

impl Client {
    /// Registers a reader's key for an epoch, until a second of Unix time.
    ///
    /// # Errors
    /// [`ClientError::Key`] where this machine gives no randomness.
    pub fn msg_register_reader(
        &self,
        account: &str,
        epoch: u64,
        key: &SecretKey,
        expires: u64,
    ) -> Result<Any, ClientError> {
        let context = reader_context(&self.chain().id, account, epoch, expires);
        let possession = key.possession(&context.0, &entropy()?).to_bytes().to_vec();
        let key = key.public().to_bytes().to_vec();
        Ok(any(&MsgRegisterReader { account: account.into(), epoch, key, expires, possession }))
    }

    /// Registers files that are sealed under one point, for their owner's key of this record. `guard` may be empty.
    ///
    /// # Errors
    /// [`ClientError::Key`] where this machine gives no randomness.
    pub fn msg_register_sealed(
        &self,
        owner: &str,
        files: &[Sealed],
        guard: &str,
        (key, content): (&SecretKey, &ContentPoint),
        origin: Option<SignedOrigin>,
    ) -> Result<Any, ClientError> {
        let cids: Vec<String> = files.iter().map(|file| file.cid.to_string()).collect();
        let commitment = content.commitment();
        let name = record_name(&cids);
        let about = Registered { chain_id: &self.chain().id, cid: &name, owner, commitment: &commitment };
        let registration = Registration::new(&about, key, content, &entropy()?).to_bytes().to_vec();
        let file = |file: &Sealed| SealedFile {
            cid: file.cid.to_string(),
            size: file.size,
            modality: file.modality.clone(),
            body_part: file.body_part.clone(),
        };
        Ok(any(&MsgRegisterSealed {
            owner: owner.into(),
            files: files.iter().map(file).collect(),
            guard: guard.into(),
            registration,
            commitment: commitment.0.to_vec(),
            origin,
        }))
    }

    /// Grants: wraps what the granter holds for the recipients, with a proof for everybody.
    ///
    /// # Errors
    /// [`ClientError::Key`] where this machine gives no randomness, or where row or keys are none.
    pub fn msg_grant(&self, grant: &Grant<'_>, secret: &SecretKey) -> Result<Any, ClientError> {
        let Grant { record, recipients, .. } = grant;
        let entropy = entropy()?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|e| ClientError::Key(e.to_string()))?;
        let (source, held, from) = match grant.from {
            Holding::Registration => {
                let registration = Registration::from_bytes(&record.registration).map_err(refused)?;
                (source_digest(&record.registration), registration.sealed, None)
            }
            Holding::Wrap(given, place) => {
                let from = PassedOn { granter: given.granter.clone(), grant: given.grant, place };
                (source_digest(&given.wrap), wrapped(given, place)?, Some(from))
            }
        };
        let keys = recipients.iter().map(|one| PublicKey::from_bytes(&one.key));
        let keys: Vec<PublicKey> = keys.collect::<Result<_, _>>().map_err(refused)?;
        let rows = recipients.iter().map(|one| (one.account.as_str(), one.epoch, one.key.as_slice()));
        let cids: Vec<String> = record.files.iter().map(|file| file.cid.clone()).collect();
        let about = Granted {
            chain_id: &self.chain().id,
            version: VERSION,
            source: &source,
            cid: &record_name(&cids),
            owner: &record.owner,
            grant: grant.number,
            nonce: &nonce,
            epoch: recipients.first().map_or(0, |one| one.epoch),
            committee: &recipients_digest(rows),
            terms: &grant.terms.digest(grant.expires),
        };
        let wrap = Wrap::new(&about, secret, &held, &keys, &entropy).map_err(refused)?;
        let named = recipients.iter().map(|one| Recipient { account: one.account.clone(), epoch: one.epoch });
        Ok(any(&MsgGrant {
            granter: grant.granter.into(),
            grant: grant.number,
            record: record.record,
            from,
            recipients: named.collect(),
            committee: grant.committee,
            nonce: nonce.to_vec(),
            expires: grant.expires,
            terms: about.terms.0.to_vec(),
            wrap: wrap.to_bytes(),
            source_terms: grant.source_terms.map(Terms::encode).unwrap_or_default(),
        }))
    }

    /// Asks a committee for a read, to be answered within 200 blocks, without a callback.
    ///
    /// # Errors
    /// Those of asking for the height.
    pub fn msg_request_read(&self, read: &SealedRead<'_>) -> Result<Any, ClientError> {
        let (disclose, findings) = match &read.disclosure {
            Disclosure::Open => (Disclose::Open, Vec::new()),
            Disclosure::Predicate(findings) => (Disclose::Predicate, findings.clone()),
            Disclosure::Sealed => (Disclose::Sealed, Vec::new()),
        };
        Ok(any(&MsgRequestRead {
            requester: read.requester.into(),
            actor: read.actor.into(),
            model: read.model.as_bytes().to_vec(),
            owner: read.owner.into(),
            image: read.image.to_string(),
            granter: read.grant.0.into(),
            grant: read.grant.1,
            terms: read.terms.encode(),
            purpose: read.purpose.into(),
            disclose: disclose.into(),
            findings,
            accept: None,
            deadline: self.height()?.saturating_add(BLOCKS),
            callback_gas: 0,
            reason: read.reason.into(),
        }))
    }

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

/// What a grant holds for one of its recipients, by the place.
///
/// # Errors
/// [`ClientError::Key`] where it is no wrap, or has no such place.
pub fn wrapped(grant: &MsgGrant, place: u32) -> Result<Ciphertext, ClientError> {
    let wrap = Wrap::from_bytes(&grant.wrap).map_err(refused)?;
    let place = usize::try_from(place).unwrap_or(usize::MAX);
    wrap.of(place).ok_or_else(|| ClientError::Key(format!("the grant is for {}, not {place}", wrap.members())))
}

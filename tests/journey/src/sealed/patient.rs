//! The patient's own device: it has her key store, seals, registers and grants. Nothing of the store leaves it unsealed.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use aceso_client::{
    TxResult, any, random,
    sealed::{Giving, register},
};
use aceso_inference::image::{self, Limits};
use aceso_seal::KeyStore;
use aceso_types::{
    BlobId, Digest, ModelId,
    msg::{MsgRegisterSealed, MsgRegisterSealedResponse, SealedFile, SignedOrigin},
    query::{QueryReader, QueryRecord, QueryValidators, ReaderRow, RecordRow},
    sealed::Terms,
};
use aceso_verify::grant::{ContentPoint, SecretKey};
use anyhow::{Context, Result, ensure};

use crate::parties::Party;

/// How long a grant holds, in seconds.
const DAY: u64 = 24 * 3600;

/// A patient with her device.
pub(super) struct Patient<'a> {
    pub(super) party: &'a Party,
    pub(super) store: KeyStore,
    grants: u64,
}

/// A sealed file that its owner has stored.
pub(super) struct Stored {
    pub(super) image: BlobId,
    pub(super) size: u64,
    /// What decoding it takes.
    effort: u64,
    pub(super) content: ContentPoint,
}

/// One that is registered.
pub(super) struct Record {
    pub(super) image: BlobId,
    pub(super) content: ContentPoint,
    pub(super) row: RecordRow,
}

/// A grant with what it says, which the chain has as a digest only.
pub(super) struct Granted {
    pub(super) number: u64,
    pub(super) terms: Terms,
}

impl<'a> Patient<'a> {
    /// A new device, with an empty store.
    pub(super) fn new(party: &'a Party) -> Result<Self> {
        Ok(Self { party, store: KeyStore::new(random()?), grants: 0 })
    }

    /// Seals a file under a new point, and stores what came of it with the node.
    pub(super) fn seal(&self, media: &str, tags: &[(&str, &str)], file: &[u8]) -> Result<Stored> {
        let content = ContentPoint::generate(&random()?);
        let tags: BTreeMap<String, String> =
            tags.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let (owner, length) = (&self.party.address, file.len() as u64);
        let sealed = aceso_seal::seal(&content, owner, random()?, (media, tags), file, length, Vec::new())?;
        let (image, size) = self.party.put_blob(&sealed[..])?;
        // What is no picture takes nothing.
        let effort = image::effort(file, Limits::default()).unwrap_or_default();
        Ok(Stored { image, size, effort, content })
    }

    /// Registers a file, with the proof that she has its key: one that follows from a new number in her store.
    pub(super) fn register(
        &mut self,
        stored: Stored,
        guard: &str,
        origin: Option<SignedOrigin>,
    ) -> Result<(Record, TxResult)> {
        let Stored { image, size, effort, content } = stored;
        self.store.add(&image.to_string(), random()?)?;
        let key = self.store.key(&image.to_string())?;
        let files = vec![SealedFile { cid: image.to_string(), size, effort, ..SealedFile::default() }];
        let proven = register(&self.party.chain().id, &self.party.address, files, &key, &content, &random()?);
        let tx = self.party.tx(any(&MsgRegisterSealed { guard: guard.into(), origin, ..proven }))?;
        let record = tx.response::<MsgRegisterSealedResponse>(0)?.record;
        let row = self.party.ask(&QueryRecord { record, ..QueryRecord::default() })?;
        let row = row.context("there is no such record")?;
        Ok((Record { image, content, row }, tx))
    }

    /// Wraps a record's key for readers.
    pub(super) fn grant(
        &mut self,
        record: &Record,
        terms: Terms,
        to: &[ReaderRow],
        committee: bool,
    ) -> Result<(Granted, TxResult)> {
        let number = self.grants + 1;
        let key = self.store.key(&record.image.to_string())?;
        let giving = Giving {
            chain_id: &self.party.chain().id,
            granter: &self.party.address,
            number,
            record: &record.row,
            from: None,
            to,
            committee,
            expires: now()? + DAY,
            terms: &terms,
        };
        let tx = self.party.tx(any(&giving.prove(&key, random()?, &random()?)?))?;
        self.grants = number;
        Ok((Granted { number, terms }, tx))
    }
}

/// The key of every validator whose operator has one to open with.
pub(super) fn committee(asks: &Party) -> Result<Vec<ReaderRow>> {
    let validators = asks.ask(&QueryValidators::default())?.context("there are no validators")?;
    let reader = |account: &String| asks.ask(&QueryReader { account: account.clone(), epoch: 0, latest: true });
    let operators = validators.rows.iter().map(|row| &row.operator).filter(|operator| !operator.is_empty());
    let readers = operators.map(reader).collect::<Result<Vec<_>, _>>()?;
    let readers: Vec<ReaderRow> = readers.into_iter().flatten().collect();
    ensure!(!readers.is_empty(), "no operator has registered a key to open with");
    Ok(readers)
}

/// Reads by a committee for one physician, TREAT, one model: as many as wanted, one bit of it for everyone.
pub(super) fn terms(physician: &str, model: ModelId, finding: &str, uses: u32) -> Result<Terms> {
    Ok(Terms {
        salt: Digest(random()?),
        models: vec![model],
        not_before: now()? - 3600,
        uses,
        open: false,
        findings: vec![finding.into()],
        bits: 1,
        rewrap: false,
        ..aceso_test_support::terms(&[physician])
    })
}

/// A key of somebody's for just one purpose.
pub(super) fn secret() -> Result<SecretKey> {
    Ok(SecretKey::derive(&random()?, b"aceso/journey/1", &random::<16>()?)?)
}

pub(super) fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

//! The block store: every decided block with its commit, results and validators, in one file.
//!
//! A height is written in one durable transaction *before* the application commits it ([`Store::append`]) and shown to
//! readers only *after* ([`Store::show`]). A crash in between leaves a block that the application has not seen; the
//! engine hands it over again at the next start. Indexes are written in the same transaction, so that they never lag.
//!
//! What is searched for, and how, is in [`super::index`].

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use prost::Message;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition};
use tendermint::{AppHash, block, block::Block, consensus, v0_38::abci::response, validator};
use tendermint_proto::v0_38 as pb;

use super::{commit::ExtendedCommit, header, index};

pub(super) const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
pub(super) const COMMITS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("commits");
pub(super) const RESULTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("results");
/// The set in force at a height; written two heights ahead.
pub(super) const VALIDATORS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("validators");
/// The parameters in force at a height; written one height ahead.
pub(super) const PARAMS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("params");
/// Block hash → height.
pub(super) const HASHES: TableDefinition<'_, &[u8], u64> = TableDefinition::new("hashes");
/// The application's answer to InitChain: its first app hash.
const GENESIS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("genesis");

/// Memory that the database may use for pages.
const CACHE_BYTES: usize = 64 << 20;

/// Why the block store cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The file system or the database refuses.
    #[error("block store {path}: {source}{hint}")]
    Database {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: Box<redb::Error>,
        /// What to do about it, where that is known.
        hint: &'static str,
    },
    /// A record is not what it was when it was written.
    #[error("block store {path}: {what} of height {height} does not decode ({reason}); restore the home from a copy")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Which record.
        what: &'static str,
        /// Of which height.
        height: u64,
        /// What is wrong.
        reason: String,
    },
    /// A search would look at too many entries.
    #[error("the query looks at more than {0} index entries; add a condition that narrows it")]
    TooBroad(usize),
}

/// A block as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredBlock {
    /// The block.
    pub(crate) block: Block,
    /// Its name.
    pub(crate) id: block::Id,
    /// Its length as encoded, in bytes.
    pub(crate) bytes: usize,
}

/// All that one height adds.
pub(crate) struct Decided<'a> {
    /// The encoded block.
    pub(crate) encoded: &'a [u8],
    /// The block.
    pub(crate) block: &'a Block,
    /// The votes for it.
    pub(crate) commit: &'a ExtendedCommit,
    /// What its execution gave.
    pub(crate) results: &'a response::FinalizeBlock,
    /// The set in force two heights later.
    pub(crate) validators_later: &'a [validator::Info],
    /// The parameters in force one height later.
    pub(crate) params_next: &'a consensus::Params,
}

/// The block store.
pub(crate) struct Store {
    database: Database,
    path: PathBuf,
    visible: AtomicU64,
}

impl Store {
    /// Opens or creates the store. Shows nothing until [`Store::show`].
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let fail = |e: redb::Error| failed(path, e);
        let database = redb::Builder::new().set_cache_size(CACHE_BYTES).create(path).map_err(|e| fail(e.into()))?;
        let txn = database.begin_write().map_err(|e| fail(e.into()))?;
        for table in [BLOCKS, COMMITS, RESULTS, VALIDATORS, PARAMS] {
            txn.open_table(table).map_err(|e| fail(e.into()))?;
        }
        txn.open_table(HASHES).map_err(|e| fail(e.into()))?;
        txn.open_table(GENESIS).map_err(|e| fail(e.into()))?;
        index::create(&txn).map_err(fail)?;
        txn.commit().map_err(|e| fail(e.into()))?;
        Ok(Self { database, path: path.into(), visible: AtomicU64::new(0) })
    }

    /// The highest block that was decided, committed by the application or not; 0 for none.
    pub(crate) fn decided(&self) -> Result<u64, StoreError> {
        let txn = self.begin_read()?;
        let table = txn.open_table(BLOCKS).map_err(|e| self.fail(e))?;
        let last = table.last().map_err(|e| self.fail(e))?;
        Ok(last.map_or(0, |(height, _)| height.value()))
    }

    /// The highest height that readers see; 0 for none.
    pub(crate) fn height(&self) -> u64 {
        self.visible.load(Ordering::Acquire)
    }

    /// Lets readers see everything up to a height.
    pub(crate) fn show(&self, height: u64) {
        self.visible.store(height, Ordering::Release);
    }

    /// Remembers what InitChain answered, and with whom the chain starts.
    pub(crate) fn start(
        &self,
        first: u64,
        app_hash: &AppHash,
        validators: &[validator::Info],
        params: &consensus::Params,
    ) -> Result<(), StoreError> {
        let txn = self.begin_write()?;
        {
            let mut genesis = txn.open_table(GENESIS).map_err(|e| self.fail(e))?;
            genesis.insert("app_hash", app_hash.as_bytes()).map_err(|e| self.fail(e))?;
            let mut sets = txn.open_table(VALIDATORS).map_err(|e| self.fail(e))?;
            let set = encode_validators(validators);
            for height in [first, first + 1] {
                sets.insert(height, set.as_slice()).map_err(|e| self.fail(e))?;
            }
            let mut table = txn.open_table(PARAMS).map_err(|e| self.fail(e))?;
            table.insert(first, encode_params(params).as_slice()).map_err(|e| self.fail(e))?;
        }
        txn.commit().map_err(|e| self.fail(e))
    }

    /// The app hash before the first block; nothing when the chain has not been started.
    pub(crate) fn genesis_app_hash(&self) -> Result<Option<AppHash>, StoreError> {
        let txn = self.begin_read()?;
        let table = txn.open_table(GENESIS).map_err(|e| self.fail(e))?;
        let Some(bytes) = table.get("app_hash").map_err(|e| self.fail(e))? else { return Ok(None) };
        let hash = AppHash::try_from(bytes.value().to_vec()).map_err(|e| self.corrupt("the app hash", 0, e))?;
        Ok(Some(hash))
    }

    /// Adds one height, durably when it returns.
    pub(crate) fn append(&self, decided: &Decided<'_>) -> Result<(), StoreError> {
        let height = decided.block.header.height.value();
        let txn = self.begin_write()?;
        {
            let insert = |definition, at: u64, bytes: &[u8]| -> Result<(), StoreError> {
                let mut table = txn.open_table(definition).map_err(|e| self.fail(e))?;
                table.insert(at, bytes).map_err(|e| self.fail(e))?;
                Ok(())
            };
            insert(BLOCKS, height, decided.encoded)?;
            insert(COMMITS, height, &decided.commit.encode())?;
            let results = pb::abci::ResponseFinalizeBlock::from(decided.results.clone());
            insert(RESULTS, height, &results.encode_to_vec())?;
            insert(VALIDATORS, height + 2, &encode_validators(decided.validators_later))?;
            insert(PARAMS, height + 1, &encode_params(decided.params_next))?;
            let mut hashes = txn.open_table(HASHES).map_err(|e| self.fail(e))?;
            hashes.insert(decided.commit.block_id.hash.as_bytes(), height).map_err(|e| self.fail(e))?;
        }
        index::write(&txn, height, &decided.block.data, decided.results).map_err(|e| self.fail(e))?;
        txn.commit().map_err(|e| self.fail(e))
    }

    /// A block that readers may see.
    pub(crate) fn block(&self, height: u64) -> Result<Option<StoredBlock>, StoreError> {
        if self.is_visible(height) { self.decided_block(height) } else { Ok(None) }
    }

    /// A block, whether or not readers may see it.
    pub(crate) fn decided_block(&self, height: u64) -> Result<Option<StoredBlock>, StoreError> {
        let Some(bytes) = self.get(BLOCKS, height)? else { return Ok(None) };
        let raw = pb::types::Block::decode(bytes.as_slice()).map_err(|e| self.corrupt("the block", height, e))?;
        let block = Block::try_from(raw).map_err(|e| self.corrupt("the block", height, e))?;
        let id = header::block_id(&block.header, &bytes).map_err(|e| self.corrupt("the block", height, e))?;
        Ok(Some(StoredBlock { block, id, bytes: bytes.len() }))
    }

    /// The votes for a block.
    pub(crate) fn commit(&self, height: u64) -> Result<Option<ExtendedCommit>, StoreError> {
        let Some(bytes) = self.get(COMMITS, height)? else { return Ok(None) };
        ExtendedCommit::decode(&bytes).map(Some).map_err(|e| self.corrupt("the commit", height, e))
    }

    /// What a block's execution gave.
    pub(crate) fn results(&self, height: u64) -> Result<Option<response::FinalizeBlock>, StoreError> {
        let Some(bytes) = self.get(RESULTS, height)? else { return Ok(None) };
        let raw = pb::abci::ResponseFinalizeBlock::decode(bytes.as_slice())
            .map_err(|e| self.corrupt("the results", height, e))?;
        response::FinalizeBlock::try_from(raw).map(Some).map_err(|e| self.corrupt("the results", height, e))
    }

    /// The validators in force at a height.
    pub(crate) fn validators(&self, height: u64) -> Result<Option<Vec<validator::Info>>, StoreError> {
        let Some(bytes) = self.get(VALIDATORS, height)? else { return Ok(None) };
        let raw =
            pb::types::ValidatorSet::decode(bytes.as_slice()).map_err(|e| self.corrupt("the validators", height, e))?;
        let infos: Result<Vec<_>, _> = raw.validators.into_iter().map(validator::Info::try_from).collect();
        infos.map(Some).map_err(|e| self.corrupt("the validators", height, e))
    }

    /// The consensus parameters in force at a height.
    pub(crate) fn params(&self, height: u64) -> Result<Option<consensus::Params>, StoreError> {
        let Some(bytes) = self.get(PARAMS, height)? else { return Ok(None) };
        let raw = pb::types::ConsensusParams::decode(bytes.as_slice())
            .map_err(|e| self.corrupt("the parameters", height, e))?;
        consensus::Params::try_from(raw).map(Some).map_err(|e| self.corrupt("the parameters", height, e))
    }

    /// The height of the block with this hash.
    pub(crate) fn height_of(&self, hash: &[u8]) -> Result<Option<u64>, StoreError> {
        let txn = self.begin_read()?;
        let table = txn.open_table(HASHES).map_err(|e| self.fail(e))?;
        let height = table.get(hash).map_err(|e| self.fail(e))?.map(|height| height.value());
        Ok(height.filter(|height| self.is_visible(*height)))
    }

    /// Whether readers see a height.
    pub(crate) fn is_visible(&self, height: u64) -> bool {
        height <= self.height()
    }

    /// A read transaction, for [`super::index`].
    pub(super) fn begin_read(&self) -> Result<ReadTransaction, StoreError> {
        self.database.begin_read().map_err(|e| self.fail(e))
    }

    /// Names the file in an error of the database.
    pub(super) fn fail(&self, error: impl Into<redb::Error>) -> StoreError {
        failed(&self.path, error.into())
    }

    /// The database, for [`super::trim`].
    pub(super) fn database_mut(&mut self) -> &mut Database {
        &mut self.database
    }

    pub(super) fn begin_write(&self) -> Result<redb::WriteTransaction, StoreError> {
        self.database.begin_write().map_err(|e| self.fail(e))
    }

    fn get(
        &self,
        definition: TableDefinition<'_, u64, &'static [u8]>,
        height: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let txn = self.begin_read()?;
        let table = txn.open_table(definition).map_err(|e| self.fail(e))?;
        let bytes = table.get(height).map_err(|e| self.fail(e))?;
        Ok(bytes.map(|bytes| bytes.value().to_vec()))
    }

    fn corrupt(&self, what: &'static str, height: u64, reason: impl ToString) -> StoreError {
        StoreError::Corrupt { path: self.path.clone(), what, height, reason: reason.to_string() }
    }
}

fn failed(path: &Path, source: redb::Error) -> StoreError {
    let hint = match &source {
        redb::Error::DatabaseAlreadyOpen => "; another node uses this home, stop it or choose another --home",
        redb::Error::Io(e) => match e.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                "; the disk is full, free some space and start again: nothing committed is lost"
            }
            _ => "",
        },
        _ => "",
    };
    StoreError::Database { path: path.into(), source: Box::new(source), hint }
}

fn encode_validators(validators: &[validator::Info]) -> Vec<u8> {
    let validators = validators.iter().cloned().map(pb::types::Validator::from).collect();
    pb::types::ValidatorSet { validators, proposer: None, total_voting_power: 0 }.encode_to_vec()
}

fn encode_params(params: &consensus::Params) -> Vec<u8> {
    pb::types::ConsensusParams::from(params.clone()).encode_to_vec()
}

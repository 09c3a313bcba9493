//! The ABCI methods, each the sentence that CometBFT's specification would use.
//!
//! Nothing reaches the disk before Commit. CometBFT may crash between FinalizeBlock and Commit; it then replays the
//! block, and the same changes are staged again.

mod execute;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use aceso_blobs::BlobStore;
use aceso_inference::Kernels;
use aceso_state::{Delta, FailPoint, Options, Staged, Store};
use aceso_types::{BlobId, Digest, Height, genesis::Params, msg::Reads, transcript};
use aceso_vm::{Tier, Vm, VmConfig};
use bytes::Bytes;
use tendermint::{
    AppHash, block,
    v0_38::abci::{request, response},
};

use self::execute::{Executed, Scene};
use crate::{
    COMPONENTS,
    attest::AttestError,
    block::{self as blocks, after},
    chain::{self, Chain},
    components::{
        blobs, models,
        reads::{script::Written, told},
        sealed, validators,
    },
    divergence::{Divergence, Witnesses},
    error::{AppError, Stop},
    gas::Meter,
    genesis::{Start, nanos},
    host::{Fetch, Host, ModelCache, Reopen, Shelf},
    query,
    run::{Block, Mode, Run},
    snapshots::Snapshots,
    store::{Bare, View},
    tasks::{self, OpenJob, Task},
    transcripts::Transcripts,
    tx::{self, ahead, signed},
    upgrade::{self, Upgrade},
};

/// The version of the rules. Another number means that old blocks cannot be replayed.
pub const APP_VERSION: u64 = 1;
/// Rows that are read to answer what a validator should attest.
const WANTED_MAX: usize = blobs::PENDING_MAX;

/// Processors from which on signatures are verified ahead of checks. With two, engine and checks have both, and looking at each
/// transaction twice takes a fifth more of the application's time.
const SPARE_THREADS: usize = 4;

/// What an application is opened with.
#[derive(Clone)]
pub struct Config {
    /// Directory of the state.
    pub state_dir: PathBuf,
    /// Directory of the contract engine's compiled code.
    pub vm_cache_dir: PathBuf,
    /// The blobs on this machine.
    pub blobs: Arc<BlobStore>,
    /// Where bytes are fetched that should be on this machine and are not.
    pub fetch: Option<Arc<dyn Fetch>>,
    /// What disputes open sealed records with. Part of the rules: the same on every node.
    pub reopen: &'static dyn Reopen,
    /// How many heights back stay readable and provable.
    pub keep_heights: u64,
    /// Bytes of the state's files that stay in memory.
    pub state_cache_bytes: u64,
    /// Bytes of contracts' machine code that stay in memory.
    pub code_cache_bytes: usize,
    /// Bytes of models that stay ready in memory.
    pub model_cache_bytes: u64,
    /// What models are computed with. Changes time, never results.
    pub kernels: Kernels,
    /// Where models lie packed between two starts. Changes time, never results.
    pub shelf: Option<Arc<dyn Shelf>>,
    /// Directory of what is known of snapshots.
    pub snapshot_dir: PathBuf,
    /// Heights between two snapshots for state sync; 0 for none. [`crate::SNAPSHOTS_OFFERED`] of them must fit into the
    /// heights that are kept.
    pub snapshot_interval: u64,
    /// Directory of the transcripts of blocks that have read.
    pub transcript_dir: PathBuf,
    /// Blocks that the engine is told to keep, counted back from the latest; 0 for all.
    pub keep_blocks: u64,
    /// The engine's compiler. Changes time, never results.
    pub tier: Tier,
    /// Threads that verify signatures ahead of a block, or of checks that wait. Changes time, never results.
    pub threads: usize,
    /// The upgrades that this binary knows.
    pub upgrades: &'static [Upgrade],
    /// Called in the middle of commits, by tests of crashes.
    pub fail_point: Option<FailPoint>,
}

impl Config {
    /// The usual settings under a directory.
    pub fn new(home: &std::path::Path, blobs: Arc<BlobStore>, reopen: &'static dyn Reopen) -> Self {
        Self {
            state_dir: home.join("state"),
            vm_cache_dir: home.join("wasm"),
            blobs,
            fetch: None,
            reopen,
            keep_heights: 10_000,
            state_cache_bytes: aceso_state::CACHE_BYTES,
            code_cache_bytes: 256 << 20,
            model_cache_bytes: 1 << 30,
            kernels: Kernels::default(),
            shelf: None,
            snapshot_dir: home.join("snapshots"),
            snapshot_interval: 0,
            transcript_dir: home.join("transcripts"),
            keep_blocks: 0,
            tier: Tier::default(),
            threads: 1,
            upgrades: upgrade::KNOWN,
            fail_point: None,
        }
    }
}

/// A registration, as a node has to know it to fetch the blob and a validator to attest it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedBlob {
    /// The blob.
    pub id: BlobId,
    /// The file's length in bytes.
    pub size: u64,
    /// The height at which the term is over.
    pub expires: u64,
}

/// What the application holds in memory and on disk at this moment. It decides nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Contracts whose machine code is in memory.
    pub codes: u64,
    /// Bytes of it.
    pub code_bytes: u64,
    /// Contracts that run at this moment.
    pub instances: u64,
    /// Instances of contracts that wait for another call.
    pub instances_kept: u64,
    /// Contracts that run on a draft until their better machine code is there.
    pub drafts: u64,
    /// Models in memory.
    pub models: u64,
    /// Bytes of them.
    pub model_bytes: u64,
    /// Blobs on this machine.
    pub blobs: u64,
    /// Bytes of their packs.
    pub blob_bytes: u64,
    /// Registered blobs that too few validators have said to hold; no more than are looked at in one go.
    pub blobs_pending: u64,
    /// Calls whose machine code was in memory, and calls for which it was read from disk or compiled.
    pub code_asked: Asked,
    /// Calls that found an instance of their contract waiting, and calls that had one made.
    pub instance_asked: Asked,
    /// Uses of a model that was ready in memory, and of one that was made ready first.
    pub model_asked: Asked,
    /// Signatures that were verified before, and those that were verified now.
    pub signature_asked: Asked,
    /// Calls that found all instances of contracts taken.
    pub instances_refused: u64,
    /// Snapshots that others are offered.
    pub snapshots: u64,
}

/// How often a cache had what it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// It had it.
    pub hits: u64,
    /// It had not.
    pub misses: u64,
}

/// The chain that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainInfo {
    /// Its name.
    pub chain_id: String,
    /// The human-readable part of addresses.
    pub prefix: String,
    /// The coin in which fees are paid.
    pub denom: String,
    /// The latest committed height; 0 before the first block.
    pub height: u64,
    /// Most gas of a block; none for no bound.
    pub block_gas: Option<u64>,
    /// The parameters as they stand.
    pub params: Params,
}

/// The application. Its methods may be called from any thread; queries run beside blocks.
pub struct App {
    store: Store,
    host: Host,
    upgrades: &'static [Upgrade],
    chain: RwLock<Option<Arc<Chain>>>,
    /// The block in progress.
    block: Mutex<Progress>,
    /// The state that the mempool's transactions have made of the latest one.
    mempool: Mutex<Option<Delta>>,
    snapshots: Snapshots,
    transcripts: Transcripts,
    /// What others say of reads.
    witnesses: Mutex<Witnesses>,
}

#[derive(Default)]
struct Progress {
    /// Between InitChain and the first Commit: the first height, and what genesis says.
    begun: Option<(u64, Delta)>,
    /// Between FinalizeBlock and Commit.
    staged: Option<(Staged, Option<Written>)>,
}

impl App {
    /// Opens the application at the height that was committed last.
    pub fn open(config: Config) -> Result<Self, AppError> {
        let mut options = Options::new(COMPONENTS, config.keep_heights);
        (options.cache_bytes, options.fail) = (config.state_cache_bytes, config.fail_point);
        let store = Store::open(&config.state_dir, options)?;
        let snapshots = Snapshots::open(&config.snapshot_dir, config.snapshot_interval, config.keep_heights, &store)?;
        let transcripts = Transcripts::open(&config.transcript_dir, config.keep_blocks)?;
        let mut engine = VmConfig::new(config.vm_cache_dir);
        (engine.tier, engine.code_bytes) = (config.tier, config.code_cache_bytes);
        // What contracts ask of staking and of IBC is answered, what they send there is refused by name.
        engine.capabilities.extend(["staking", "stargate"].map(Into::into));
        let host = Host {
            vm: Vm::new(engine)?,
            blobs: config.blobs,
            fetch: config.fetch,
            reopen: config.reopen,
            models: ModelCache::new(config.model_cache_bytes, config.kernels, config.shelf),
            signatures: Default::default(),
            decoded: Default::default(),
            threads: config.threads,
            looking: Default::default(),
        };
        upgrade::check_start(&mut View(store.snapshot()), store.latest().0, config.upgrades)?;
        let chain = Chain::load(&mut View(store.snapshot())).map_err(halted)?;
        let (block, mempool, witnesses) = (Mutex::default(), Mutex::default(), Mutex::default());
        let upgrades = config.upgrades;
        let app = Self {
            store,
            host,
            upgrades,
            chain: RwLock::new(chain),
            block,
            mempool,
            snapshots,
            transcripts,
            witnesses,
        };
        app.reset_mempool(None);
        Ok(app)
    }

    /// Where the application stands.
    pub fn info(&self) -> response::Info {
        let (height, root) = self.store.latest();
        let app_hash = if height == 0 { Vec::new() } else { root.to_vec() };
        response::Info {
            data: "aceso".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            app_version: APP_VERSION,
            last_block_height: height_of(height),
            last_block_app_hash: hash_of(&app_hash),
        }
    }

    /// Starts a chain. What genesis says reaches the disk together with the first block.
    pub fn init_chain(&self, request: request::InitChain) -> Result<response::InitChain, AppError> {
        let (height, _) = self.store.latest();
        if let (Some(chain), true) = (self.current(), height > 0) {
            return Err(AppError::Started(chain.id.clone(), height));
        }
        let start = Start::new(&request)?;
        self.snapshots.abandon();
        let mut delta = Delta::new(self.store.snapshot());
        start.write(&self.host, self.upgrades, &mut delta)?;
        let chain = Chain::load(&mut Bare(&mut delta)).map_err(halted)?;
        let root = self.store.stage(start.height, &delta.clone().into_changes())?.root();
        start.check_root(&root)?;
        *self.chain.write().unwrap_or_else(PoisonError::into_inner) = chain;
        self.reset_mempool(Some(&delta));
        self.progress().begun = Some((start.height, delta));
        Ok(response::InitChain { consensus_params: None, validators: Vec::new(), app_hash: hash_of(&root) })
    }

    /// Whether a transaction may enter the mempool, or stay in it.
    pub fn check_tx(&self, request: request::CheckTx) -> response::CheckTx {
        let mode = match request.kind {
            request::CheckTxKind::New => Mode::Check,
            request::CheckTxKind::Recheck => Mode::Recheck,
        };
        let mut mempool = self.mempool.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(chain), Some(delta)) = (self.current(), mempool.as_mut()) else {
            return unchecked("the chain has not started".into());
        };
        let outcome = self.host.decoded.tx(&request.tx).map_or_else(
            |fault| Ok(tx::Done::refused(fault)),
            |tx| {
                let block = self.next_block(delta)?;
                let done = tx::check(&mut Run::new(&self.host, chain, block, mode, delta, Meter::new(0)), &tx)?;
                if mode == Mode::Check && done.fault.is_none() {
                    self.host.decoded.keep(tx);
                }
                Ok(done)
            },
        );
        match outcome {
            Ok(done) => checked(done),
            Err(stop) => unchecked(halted(stop).to_string()),
        }
    }

    /// Verifies signatures of transactions that [`App::check_tx`] will be asked about, beside checks and blocks that run: a
    /// single one on this thread, several together where there are processors to spare. Changes time, never an answer.
    pub fn foresee(&self, txs: &[Bytes]) {
        if txs.len() > 1 && self.host.threads < SPARE_THREADS {
            return;
        }
        let Some(chain) = self.current() else { return };
        let mut delta = Delta::new(self.store.snapshot());
        // A state that cannot be read, or is not there yet, is told of in the checks.
        let Ok(block) = self.next_block(&mut delta) else { return };
        match txs {
            [tx] => ahead::verify_one(&self.host, &chain, block, &mut delta, tx),
            txs => ahead::verify(&self.host, &chain, block, &delta, txs),
        }
    }

    /// The block that this node proposes.
    pub fn prepare_proposal(&self, request: request::PrepareProposal) -> response::PrepareProposal {
        let Some((chain, mut state)) = self.committed() else {
            return response::PrepareProposal { txs: Vec::new() };
        };
        let bytes_max = u64::try_from(request.max_tx_bytes).unwrap_or(u64::MAX);
        let commit = request.local_last_commit.as_ref();
        let height = request.height.value();
        let built =
            blocks::proposal::build(&mut state, (&chain, &self.host.decoded), height, bytes_max, commit, request.txs);
        let txs = built.unwrap_or_else(|stop| {
            tracing::error!(error = %halted(stop), "no proposal");
            Vec::new()
        });
        response::PrepareProposal { txs }
    }

    /// Whether a proposal may be a block.
    pub fn process_proposal(&self, request: request::ProcessProposal) -> response::ProcessProposal {
        let Some((chain, mut state)) = self.committed() else { return response::ProcessProposal::Reject };
        let decoded = &self.host.decoded;
        match blocks::proposal::review(&mut state, (&chain, decoded), request.height.value(), &request.txs) {
            Ok(Ok(())) => response::ProcessProposal::Accept,
            Ok(Err(unfit)) => {
                tracing::warn!(%unfit, "proposal rejected");
                response::ProcessProposal::Reject
            }
            Err(stop) => {
                tracing::error!(error = %halted(stop), "proposal not reviewed");
                response::ProcessProposal::Reject
            }
        }
    }

    /// Executes a decided block. An error means that this node must halt; it is never because of a transaction.
    pub fn finalize_block(&self, request: request::FinalizeBlock) -> Result<response::FinalizeBlock, AppError> {
        let mut progress = self.progress();
        let mut chain = self.current().ok_or(AppError::Order("a block came before the genesis"))?;
        let (committed, _) = self.store.latest();
        let want = match (&progress.begun, committed) {
            (Some((first, _)), 0) => *first,
            _ => committed + 1,
        };
        let height = request.height.value();
        if height != want {
            return Err(AppError::Height { got: height, want });
        }
        let begun = progress.begun.as_ref().map(|(_, delta)| delta);
        let mut delta = self.fresh(begun);
        let upgraded = upgrade::begin_block(&mut delta, height, self.upgrades)?;
        if upgraded.is_some() {
            let migrated = Chain::load(&mut Bare(&mut delta)).map_err(halted)?;
            chain = migrated.ok_or(AppError::Order("an upgrade removed the chain's settings"))?;
        }
        let block = Block { height: Height(height), nanos: nanos(request.time) };
        let scene = Scene { chain, block, delta, request: &request, upgraded };
        let Executed { staged, answer, transcript } = self.execute_or_replay(&scene)?;
        progress.staged = Some((staged, transcript));
        Ok(answer)
    }

    /// Makes the finalized block durable.
    pub fn commit(&self) -> Result<response::Commit, AppError> {
        let mut progress = self.progress();
        let (staged, transcript) = progress.staged.take().ok_or(AppError::Order("a commit came before its block"))?;
        if let Some(written) = &transcript {
            // Before the state that knows of it: after a crash between the two it is written again.
            self.transcripts.write(staged.version(), written)?;
        }
        self.store.commit(staged)?;
        progress.begun = None;
        self.reload()?;
        let retain = self.retain_height();
        self.transcripts.prune(retain);
        Ok(response::Commit { data: Bytes::new(), retain_height: height_of(retain) })
    }

    /// The first block that the engine has to keep; 0 for all. Never beyond what a node needs that restores the oldest
    /// snapshot on offer, nor beyond the age at which evidence is no longer taken.
    fn retain_height(&self) -> u64 {
        let height = self.store.latest().0;
        let age = self.current().map_or(height, |chain| chain.consensus.evidence_age_blocks);
        let snapshot = self.snapshots.oldest_offered(&self.store).unwrap_or(height);
        self.transcripts.retain(height, snapshot.min(height.saturating_sub(age)))
    }

    /// The encoded transcript of a committed block's open reads; none if it has not read, or not here.
    pub fn transcript(&self, height: u64) -> Result<Option<Vec<u8>>, AppError> {
        let Some((_, mut state)) = self.committed() else { return Ok(None) };
        let Some(digest) = told::digest(&mut state, height).map_err(halted)? else { return Ok(None) };
        Ok(self.transcripts.read(height)?.filter(|bytes| transcript::digest(bytes) == digest))
    }

    /// The digest of a block's transcript; none if it has not read.
    pub fn transcript_digest(&self, height: u64) -> Result<Option<Digest>, AppError> {
        let Some((_, mut state)) = self.committed() else { return Ok(None) };
        told::digest(&mut state, height).map_err(halted)
    }

    /// The latest committed block that has read, and the digest of its transcript.
    pub fn latest_reads(&self) -> Option<(u64, Digest)> {
        told::latest(&mut self.committed()?.1).unwrap_or_default()
    }

    /// Takes in what a validator says of its reads, by its signed word. Answers once more than two thirds of the power say
    /// that they came to something else than here; who has not signed what it says is refused.
    pub fn hear_reads(&self, reads: &Reads) -> Result<Option<Divergence>, AttestError> {
        let Some((chain, mut state)) = self.committed() else { return Ok(None) };
        let mut witnesses = self.witnesses.lock().unwrap_or_else(PoisonError::into_inner);
        // A state that cannot be read tells of itself at the next block.
        witnesses.hear(&mut state, &chain.id, self.store.latest().0, reads).unwrap_or(Ok(None))
    }

    /// The snapshots that others can restore from here, oldest first.
    pub fn list_snapshots(&self) -> response::ListSnapshots {
        self.snapshots.list(&self.store)
    }

    /// Takes a snapshot of the latest height, whatever the interval, before it returns.
    pub fn take_snapshot(&self) -> Result<(), AppError> {
        self.snapshots.take_now(&self.store)
    }

    /// The app hash of a height that is kept.
    pub fn app_hash(&self, height: u64) -> Result<AppHash, AppError> {
        Ok(hash_of(&self.store.snapshot_at(height)?.root()))
    }

    /// A chunk of a listed snapshot; empty if it is not to be had.
    pub fn load_snapshot_chunk(&self, request: &request::LoadSnapshotChunk) -> response::LoadSnapshotChunk {
        self.snapshots.chunk(&self.store, request)
    }

    /// Whether a snapshot that others offer is restored. Its roots make the trusted app hash, or it is rejected.
    pub fn offer_snapshot(&self, request: &request::OfferSnapshot) -> Result<response::OfferSnapshot, AppError> {
        self.snapshots.offer(&self.store, request)
    }

    /// Takes over a chunk of the accepted snapshot. With the last one the application stands at the snapshot's height.
    pub fn apply_snapshot_chunk(
        &self,
        request: &request::ApplySnapshotChunk,
    ) -> Result<response::ApplySnapshotChunk, AppError> {
        let mut progress = self.progress();
        let (answer, restored) = self.snapshots.apply(&self.store, request)?;
        if restored {
            *progress = Progress::default();
            self.reload()?;
        }
        Ok(answer)
    }

    /// Answers a question from a committed height.
    pub fn query(&self, request: request::Query) -> response::Query {
        query::answer(&self.store, &self.host, self.current(), &request)
    }

    /// Pending registrations, oldest first: what a validator that holds the bytes should attest.
    pub fn wanted_blobs(&self) -> Vec<WantedBlob> {
        let Some((_, mut state)) = self.committed() else { return Vec::new() };
        let pending = blobs::pending(&mut state, WANTED_MAX).unwrap_or_default();
        pending.into_iter().map(|(id, row)| WantedBlob { id, size: row.size, expires: row.expires }).collect()
    }

    /// What a node should hold: blobs whose term is not over and those of admitted models, in the order of their names. A
    /// page of at most `limit` and the name after which the next one begins.
    pub fn live_blobs(&self, after: Option<&BlobId>, limit: usize) -> (Vec<WantedBlob>, Option<BlobId>) {
        let Some((_, mut state)) = self.committed() else { return Default::default() };
        let height = self.store.latest().0;
        blobs::live(&mut state, height, after, limit).unwrap_or_default()
    }

    /// The open jobs after a number that wait for the share of the holder of this attestation key, oldest first: a page of
    /// at most [`crate::TASKS_PAGE`], the last of them where it is shorter.
    pub fn open_jobs(&self, bls_key: &[u8; 48], after: Option<u64>) -> Vec<OpenJob> {
        let Some((_, mut state)) = self.committed() else { return Vec::new() };
        tasks::open(&mut state, bls_key, after).unwrap_or_default()
    }

    /// What it takes to work on one of [`App::open_jobs`]; none if it is closed meanwhile.
    pub fn task(&self, job: u64, bls_key: &[u8; 48]) -> Option<Task> {
        let (_, mut state) = self.committed()?;
        tasks::task(&mut state, job, bls_key).unwrap_or_default()
    }

    /// Roots that too few have signed: number and digest of those that the holder of this attestation key should sign
    /// ([`crate::attest::AttestKey::sign`]).
    pub fn unsigned_roots(&self, bls_key: &[u8; 48]) -> Vec<(u64, Digest)> {
        let Some((_, mut state)) = self.committed() else { return Vec::new() };
        tasks::unsigned(&mut state, bls_key).unwrap_or_default()
    }

    /// The attestation keys that count in votes of a height, which is the one after the latest block or before.
    pub fn attests(&self, height: u64) -> Vec<Vec<u8>> {
        let Some((_, mut state)) = self.committed() else { return Vec::new() };
        let table = validators::signing(&mut state, height).unwrap_or_default();
        table.members.into_iter().map(|member| member.bls_key).filter(|key| !key.is_empty()).collect()
    }

    /// The kernels that models run with here: whoever computes for committees on this machine takes the same.
    pub fn kernels(&self) -> Kernels {
        self.host.models.kernels()
    }

    /// Makes models ready that were admitted before this start, those of the latest reads first, as many as there is memory
    /// for; answers how many. For a thread of its own: it changes when a read is done, and nothing else.
    ///
    /// # Errors
    /// Where the state cannot be read, or a model of it is refused here.
    pub fn warm_models(&self) -> Result<u64, AppError> {
        models::warm(&mut View(self.store.snapshot()), &self.host).map_err(halted)
    }

    /// Puts models onto the shelf that lie not there yet, so that they are ready sooner after the next start; answers how many.
    /// For a thread of its own, now and then.
    ///
    /// # Errors
    /// Where the state cannot be read, or a model of it is refused here.
    pub fn shelve_models(&self) -> Result<u64, AppError> {
        models::shelve(&mut View(self.store.snapshot()), &self.host).map_err(halted)
    }

    /// What is held at this moment, for whoever watches the node.
    pub fn stats(&self) -> Stats {
        let engine = self.host.vm.stats();
        let models = self.host.models.stats();
        let (hits, misses) = self.host.signatures.asked();
        // A store that cannot be read says so where it is needed.
        let (blobs, blob_bytes) = self.host.blobs.usage().map_or((0, 0), |usage| (usage.blobs, usage.pack_bytes));
        Stats {
            codes: engine.codes as u64,
            code_bytes: engine.code_bytes as u64,
            instances: engine.instances.into(),
            instances_kept: engine.kept as u64,
            drafts: engine.drafts as u64,
            models: models.models,
            model_bytes: models.bytes,
            blobs,
            blob_bytes,
            blobs_pending: self.wanted_blobs().len() as u64,
            code_asked: Asked { hits: engine.code_hits, misses: engine.code_misses },
            instance_asked: Asked { hits: engine.kept_hits, misses: engine.kept_misses },
            model_asked: Asked { hits: models.hits, misses: models.misses },
            signature_asked: Asked { hits, misses },
            instances_refused: engine.refused,
            snapshots: self.snapshots.offered(&self.store).count() as u64,
        }
    }

    /// Whether empty blocks would make progress: attestations that this node could make, delays, waiting admissions.
    pub fn expects_blocks(&self) -> bool {
        let Some((_, mut state)) = self.committed() else { return false };
        let held = |blob: &WantedBlob| {
            self.host.blobs.stat(&blob.id).ok().flatten().is_some_and(|stat| stat.size == blob.size)
        };
        blobs::is_delayed(&mut state).unwrap_or(false)
            || models::is_queued(&mut state).unwrap_or(false)
            || blobs::is_sweeping(&mut state).unwrap_or(false)
            || self.closes_jobs(&mut state).unwrap_or(false)
            || self.wanted_blobs().iter().any(held)
    }

    /// Whether jobs close or contracts are told of it without anybody doing anything.
    fn closes_jobs(&self, state: &mut View) -> Result<bool, Stop> {
        let next = self.store.latest().0.saturating_add(1);
        Ok(sealed::tell::is_due(state)? || sealed::sweep::is_running(state)? || sealed::close::is_late(state, next)?)
    }

    /// The chain that runs; none before the genesis.
    pub fn chain(&self) -> Option<ChainInfo> {
        let chain = self.current()?;
        Some(ChainInfo {
            chain_id: chain.id.clone(),
            prefix: chain.prefix.clone(),
            denom: chain.denom.clone(),
            height: self.store.latest().0,
            block_gas: chain.block_gas,
            params: chain.params.clone(),
        })
    }

    /// Follows the store to the height that it has now.
    fn reload(&self) -> Result<(), AppError> {
        let chain = Chain::load(&mut View(self.store.snapshot())).map_err(halted)?;
        *self.chain.write().unwrap_or_else(PoisonError::into_inner) = chain;
        self.reset_mempool(None);
        self.snapshots.take_due(&self.store);
        Ok(())
    }

    fn current(&self) -> Option<Arc<Chain>> {
        self.chain.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.block.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn committed(&self) -> Option<(Arc<Chain>, View)> {
        Some((self.current()?, View(self.store.snapshot())))
    }

    /// A delta over the committed state; before the first block what genesis says.
    fn fresh(&self, begun: Option<&Delta>) -> Delta {
        match begun.filter(|_| self.store.latest().0 == 0) {
            Some(begun) => begun.clone(),
            None => Delta::new(self.store.snapshot()),
        }
    }

    fn reset_mempool(&self, begun: Option<&Delta>) {
        let delta = self.fresh(begun);
        *self.mempool.lock().unwrap_or_else(PoisonError::into_inner) = Some(delta);
    }

    fn next_block(&self, delta: &mut Delta) -> Result<Block, Stop> {
        let nanos = chain::time(&mut Bare(delta))?;
        Ok(after(self.store.latest().0, nanos))
    }
}

/// A refusal where only a failure of the machine can be.
pub(crate) fn halted(stop: Stop) -> AppError {
    match stop {
        Stop::Halt(error) => *error,
        Stop::Refused(fault) => AppError::Host(fault.text),
    }
}

fn checked(done: tx::Done) -> response::CheckTx {
    let result: tendermint::abci::types::ExecTxResult = done.into();
    response::CheckTx {
        code: result.code,
        data: result.data,
        log: result.log,
        gas_wanted: result.gas_wanted,
        gas_used: result.gas_used,
        events: result.events,
        codespace: result.codespace,
        ..response::CheckTx::default()
    }
}

/// A transaction that could not be looked at, for a reason of this machine.
fn unchecked(log: String) -> response::CheckTx {
    let code = crate::code::Code::Internal;
    response::CheckTx {
        code: code.number().into(),
        log,
        codespace: code.space().into(),
        gas_wanted: signed(0),
        ..response::CheckTx::default()
    }
}

/// Heights fit: CometBFT counts them in signed numbers.
fn height_of(height: u64) -> block::Height {
    block::Height::try_from(height).unwrap_or_default()
}

pub(crate) fn hash_of(root: &[u8]) -> AppHash {
    AppHash::try_from(root.to_vec()).unwrap_or_default()
}

//! What a node counts and times, for Prometheus.
//!
//! The application below has no clock, so the times are taken here: [`Metrics`] is the application, with a watch held
//! to every call, and a span around it ([`crate::trace`]). What other parts count by themselves is in [`meters`]; what
//! the application holds is asked at the moment when somebody reads the page. Nothing here changes an answer.

pub(crate) mod meters;

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Instant,
};

use aceso_app::{App, Asked, WantedBlob};
use aceso_types::BlobId;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tendermint::{
    abci::response::ApplySnapshotChunkResult,
    v0_38::abci::{request, response},
};
use tracing::{Span, field::Empty};

use self::meters::{Meters, times};
use crate::application::{Application, Fault};

/// The content type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a block goes through, and a question.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "as the labels are written")]
enum Stage {
    check,
    prepare,
    process,
    execute,
    commit,
    query,
}

impl Stage {
    const ALL: [Self; 6] = [Self::check, Self::prepare, Self::process, Self::execute, Self::commit, Self::query];
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Of {
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Cache {
    cache: &'static str,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Way {
    way: &'static str,
}

/// The application under watch.
pub(crate) struct Metrics {
    app: App,
    registry: Registry,
    /// In the order of [`Stage::ALL`].
    stages: [Histogram; Stage::ALL.len()],
    done: Counter,
    failed: Counter,
    gas: Counter,
    reads: Counter,
    chunks: Family<Way, Counter>,
    senders_banned: Counter,
    hits: Family<Cache, Counter>,
    misses: Family<Cache, Counter>,
    held: Held,
    /// The block in progress.
    block: Mutex<Option<Block>>,
}

/// A block between its proposal and its commit.
struct Block {
    height: u64,
    span: Span,
    tally: Tally,
}

/// What is told of an executed block.
#[derive(Clone, Copy, Default)]
struct Tally {
    txs: usize,
    failed: u64,
    gas: u64,
    reads: u64,
}

/// What is asked when the metrics are read.
#[derive(Default)]
struct Held {
    height: Gauge,
    codes: Gauge,
    code_bytes: Gauge,
    instances: Gauge,
    instances_refused: Counter,
    models: Gauge,
    model_bytes: Gauge,
    blobs: Gauge,
    blob_bytes: Gauge,
    blobs_pending: Gauge,
    uploads: Gauge,
    downloads: Gauge,
    unregistered: Gauge,
    unregistered_bytes: Gauge,
    snapshots: Gauge,
    resident: Gauge,
    descriptors: Gauge,
}

/// What goes through the REST port, and what came through it and waits to be registered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// Uploads that run.
    pub(crate) uploads: u64,
    /// Downloads that run.
    pub(crate) downloads: u64,
    /// Blobs that nobody has registered yet.
    pub(crate) unregistered: u64,
    /// Bytes of them, and those that uploads in flight may still bring.
    pub(crate) unregistered_bytes: u64,
}

impl Metrics {
    /// Watches an application; what other parts count goes onto the same page.
    pub(crate) fn new(app: App, meters: &Meters) -> Self {
        let mut registry = Registry::with_prefix("aceso");
        let (stages, outcomes) = (times::<Of>(), Family::<Outcome, Counter>::default());
        let (gas, reads, senders_banned) = (Counter::default(), Counter::default(), Counter::default());
        let (chunks, hits, misses) = (Family::default(), Family::default(), Family::default());
        let held = Held::default();
        let help = "Time of the ABCI calls by stage";
        registry.register_with_unit("stage", help, Unit::Seconds, stages.clone());
        registry.register("transactions", "Transactions in executed blocks", outcomes.clone());
        registry.register("gas_used", "SDK gas that transactions in blocks have used", gas.clone());
        registry.register("reads", "Reads that were made and charged in blocks", reads.clone());
        let help = "Chunks of snapshots that were served, restored or refused";
        registry.register("snapshot_chunks", help, Family::clone(&chunks));
        let help = "Senders that the engine was told to ban, for chunks of snapshots";
        registry.register("snapshot_senders_banned", help, senders_banned.clone());
        registry.register("cache_hits", "Times that a cache had what was asked for", Family::clone(&hits));
        registry.register("cache_misses", "Times that it had not", Family::clone(&misses));
        let help = "Calls that found all instances of contracts taken";
        registry.register("instances_refused", help, held.instances_refused.clone());
        for (name, help, gauge) in [
            ("height", "The latest committed block", &held.height),
            ("codes_loaded", "Contracts whose machine code is in memory", &held.codes),
            ("codes_loaded_bytes", "Bytes of machine code in memory", &held.code_bytes),
            ("instances", "Contracts that run at this moment", &held.instances),
            ("models_loaded", "Models in memory", &held.models),
            ("models_loaded_bytes", "Bytes of models in memory", &held.model_bytes),
            ("blobs", "Blobs on this machine", &held.blobs),
            ("blobs_bytes", "Bytes of the blobs' packs", &held.blob_bytes),
            ("blobs_pending", "Registered blobs that too few validators have said to hold", &held.blobs_pending),
            ("uploads", "Uploads that run", &held.uploads),
            ("downloads", "Downloads that run", &held.downloads),
            ("blobs_unregistered", "Blobs that nobody has registered yet", &held.unregistered),
            ("blobs_unregistered_bytes", "Bytes of them and of uploads in flight", &held.unregistered_bytes),
            ("snapshots", "Snapshots that other nodes are offered", &held.snapshots),
            ("process_resident_memory_bytes", "Resident memory of this process", &held.resident),
            ("process_open_fds", "Open file descriptors of this process", &held.descriptors),
        ] {
            registry.register(name, help, gauge.clone());
        }
        meters.register(&mut registry);
        let outcome = |outcome| outcomes.get_or_create_owned(&Outcome { outcome });
        Self {
            app,
            stages: Stage::ALL.map(|stage| stages.get_or_create_owned(&Of { stage })),
            done: outcome("done"),
            failed: outcome("failed"),
            gas,
            reads,
            chunks,
            senders_banned,
            hits,
            misses,
            held,
            block: Mutex::default(),
            registry,
        }
    }

    /// Everything, in the OpenMetrics text format.
    pub(crate) fn text(&self, traffic: Traffic) -> Result<String, fmt::Error> {
        let (stats, held) = (self.app.stats(), &self.held);
        let (resident, descriptors) = process();
        for (gauge, value) in [
            (&held.height, self.app.info().last_block_height.value()),
            (&held.codes, stats.codes),
            (&held.code_bytes, stats.code_bytes),
            (&held.instances, stats.instances),
            (&held.models, stats.models),
            (&held.model_bytes, stats.model_bytes),
            (&held.blobs, stats.blobs),
            (&held.blob_bytes, stats.blob_bytes),
            (&held.blobs_pending, stats.blobs_pending),
            (&held.uploads, traffic.uploads),
            (&held.downloads, traffic.downloads),
            (&held.unregistered, traffic.unregistered),
            (&held.unregistered_bytes, traffic.unregistered_bytes),
            (&held.snapshots, stats.snapshots),
            (&held.resident, resident),
            (&held.descriptors, descriptors),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        // The application counts these itself; they never go back while it is open.
        held.instances_refused.inner().store(stats.instances_refused, Ordering::Relaxed);
        for (cache, Asked { hits, misses }) in
            [("code", stats.code_asked), ("model", stats.model_asked), ("signature", stats.signature_asked)]
        {
            self.hits.get_or_create(&Cache { cache }).inner().store(hits, Ordering::Relaxed);
            self.misses.get_or_create(&Cache { cache }).inner().store(misses, Ordering::Relaxed);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn timed<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        if let Some(times) = self.stages.get(stage as usize) {
            times.observe(begun.elapsed().as_secs_f64());
        }
        done
    }

    /// Does a part of a block's way in its span, which opens with the first one.
    fn in_block<T>(&self, height: u64, stage: impl FnOnce() -> Span, work: impl FnOnce() -> T) -> T {
        let span = {
            let mut block = self.block();
            if block.as_ref().is_none_or(|block| block.height != height) {
                let span = tracing::info_span!("block", height, hash = Empty, txs = Empty, gas = Empty);
                *block = Some(Block { height, span, tally: Tally::default() });
            }
            block.as_ref().map_or_else(Span::none, |block| block.span.clone())
        };
        span.in_scope(|| stage().in_scope(work))
    }

    // What is in it is replaced as a whole.
    fn block(&self) -> MutexGuard<'_, Option<Block>> {
        self.block.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, results: &response::FinalizeBlock) -> Tally {
        let mut tally = Tally { txs: results.tx_results.len(), ..Tally::default() };
        for result in &results.tx_results {
            tally.failed += u64::from(result.code.is_err());
            tally.gas = tally.gas.saturating_add(u64::try_from(result.gas_used).unwrap_or_default());
            tally.reads += result.events.iter().filter(|event| event.kind == "read").count() as u64;
        }
        self.done.inc_by(tally.txs as u64 - tally.failed);
        self.failed.inc_by(tally.failed);
        self.gas.inc_by(tally.gas);
        self.reads.inc_by(tally.reads);
        tally
    }

    fn chunk(&self, way: &'static str) {
        self.chunks.get_or_create(&Way { way }).inc();
    }
}

/// Resident bytes and open files of this process; zero where the system does not tell.
fn process() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    let files = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
    (kib.unwrap_or_default().saturating_mul(1024), files)
}

impl Application for Metrics {
    fn chain_id(&self) -> Option<String> {
        self.app.chain_id()
    }

    fn info(&self) -> response::Info {
        self.app.info()
    }

    fn init_chain(&self, request: request::InitChain) -> Result<response::InitChain, Fault> {
        Application::init_chain(&self.app, request)
    }

    fn check_tx(&self, request: request::CheckTx) -> response::CheckTx {
        self.timed(Stage::check, || self.app.check_tx(request))
    }

    fn prepare_proposal(&self, request: request::PrepareProposal) -> response::PrepareProposal {
        self.in_block(
            request.height.value(),
            || tracing::info_span!("prepare"),
            || self.timed(Stage::prepare, || self.app.prepare_proposal(request)),
        )
    }

    fn process_proposal(&self, request: request::ProcessProposal) -> response::ProcessProposal {
        self.in_block(
            request.height.value(),
            || tracing::info_span!("process"),
            || self.timed(Stage::process, || self.app.process_proposal(request)),
        )
    }

    fn finalize_block(&self, request: request::FinalizeBlock) -> Result<response::FinalizeBlock, Fault> {
        let (height, hash) = (request.height.value(), request.hash);
        let results = self.in_block(
            height,
            || tracing::info_span!("execute"),
            || self.timed(Stage::execute, || Application::finalize_block(&self.app, request)),
        )?;
        let tally = self.count(&results);
        if let Some(block) = self.block().as_mut() {
            block.tally = tally;
            block.span.record("hash", tracing::field::display(hash));
            block.span.record("txs", tally.txs);
            block.span.record("gas", tally.gas);
        }
        Ok(results)
    }

    fn commit(&self) -> Result<response::Commit, Fault> {
        let block = self.block().take();
        let _in_block = block.as_ref().map(|block| block.span.enter());
        let committed =
            tracing::info_span!("commit").in_scope(|| self.timed(Stage::commit, || Application::commit(&self.app)))?;
        if let Some(Block { height, tally: Tally { txs, failed, gas, reads }, .. }) = &block {
            let app_hash = self.app.info().last_block_app_hash;
            tracing::info!(height, txs, failed, gas, reads, %app_hash, "committed block");
        }
        Ok(committed)
    }

    fn query(&self, request: request::Query) -> response::Query {
        /// As much of a path as is worth a span's room.
        const PATH: usize = 100;
        let path: String = request.path.chars().take(PATH).collect();
        let span = tracing::info_span!("query", path, code = Empty).entered();
        let answer = self.timed(Stage::query, || self.app.query(request));
        span.record("code", u32::from(answer.code));
        answer
    }

    fn list_snapshots(&self) -> response::ListSnapshots {
        Application::list_snapshots(&self.app)
    }

    fn load_snapshot_chunk(&self, request: request::LoadSnapshotChunk) -> response::LoadSnapshotChunk {
        let answer = Application::load_snapshot_chunk(&self.app, request);
        if !answer.chunk.is_empty() {
            self.chunk("served");
        }
        answer
    }

    fn offer_snapshot(&self, request: request::OfferSnapshot) -> Result<response::OfferSnapshot, Fault> {
        let answer = Application::offer_snapshot(&self.app, request)?;
        if answer == response::OfferSnapshot::RejectSender {
            self.senders_banned.inc();
        }
        Ok(answer)
    }

    fn apply_snapshot_chunk(
        &self,
        request: request::ApplySnapshotChunk,
    ) -> Result<response::ApplySnapshotChunk, Fault> {
        let answer = Application::apply_snapshot_chunk(&self.app, request)?;
        let taken = answer.result == ApplySnapshotChunkResult::Accept;
        self.chunk(if taken { "restored" } else { "refused" });
        self.senders_banned.inc_by(answer.reject_senders.len() as u64);
        Ok(answer)
    }

    fn wanted_blobs(&self) -> Vec<WantedBlob> {
        self.app.wanted_blobs()
    }

    fn live_blobs(&self, after: Option<&BlobId>, limit: usize) -> (Vec<WantedBlob>, Option<BlobId>) {
        self.app.live_blobs(after, limit)
    }

    fn attests(&self, height: u64) -> Vec<Vec<u8>> {
        self.app.attests(height)
    }

    fn expects_blocks(&self) -> bool {
        self.app.expects_blocks()
    }
}

#[cfg(test)]
mod tests;

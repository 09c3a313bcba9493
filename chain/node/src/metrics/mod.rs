//! What a node counts and times, for Prometheus.
//!
//! The application below has no clock, so the times are taken here: [`Metrics`] is the application, with a watch held
//! to every call, and a span around it ([`crate::trace`]). What other parts count by themselves is in [`meters`]; what
//! is held is asked at the moment when somebody reads the page ([`held`]). Nothing here changes an answer.

mod held;
pub(crate) mod meters;

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use aceso_app::{App, ChainInfo, Divergence, OpenJob, Task, WantedBlob, attest::AttestError};
use aceso_types::{BlobId, Digest, msg::Reads};
use bytes::Bytes;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text::encode},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use tendermint::{
    abci::response::ApplySnapshotChunkResult,
    v0_38::abci::{request, response},
};
use tracing::{Span, field::Empty};

pub(crate) use self::held::Traffic;
use self::{
    held::Held,
    meters::{Meters, times},
};
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

impl Metrics {
    /// Watches an application; what other parts count goes onto the same page.
    pub(crate) fn new(app: App, meters: &Meters) -> Self {
        let mut registry = Registry::with_prefix("aceso");
        let (stages, outcomes) = (times::<Of>(), Family::<Outcome, Counter>::default());
        let (gas, reads, senders_banned) = (Counter::default(), Counter::default(), Counter::default());
        let (chunks, held) = (Family::default(), Held::default());
        let help = "Time of the ABCI calls by stage";
        registry.register_with_unit("stage", help, Unit::Seconds, stages.clone());
        registry.register("transactions", "Transactions in executed blocks", outcomes.clone());
        registry.register("gas_used", "SDK gas that transactions in blocks have used", gas.clone());
        registry.register("reads", "Reads that were made and charged in blocks", reads.clone());
        let help = "Chunks of snapshots that were served, restored or refused";
        registry.register("snapshot_chunks", help, Family::clone(&chunks));
        let help = "Senders that the engine was told to ban, for chunks of snapshots";
        registry.register("snapshot_senders_banned", help, senders_banned.clone());
        held.register(&mut registry);
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
            held,
            block: Mutex::default(),
            registry,
        }
    }

    /// See [`App::warm_models`].
    pub(crate) fn warm_models(&self) -> Result<u64, aceso_app::AppError> {
        self.app.warm_models()
    }

    /// See [`App::shelve_models`].
    pub(crate) fn shelve_models(&self) -> Result<u64, aceso_app::AppError> {
        self.app.shelve_models()
    }

    /// Everything, in the OpenMetrics text format.
    pub(crate) fn text(&self, traffic: Traffic) -> Result<String, fmt::Error> {
        self.held.set(self.app.info().last_block_height.value(), &self.app.stats(), traffic);
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

impl Application for Metrics {
    fn chain_id(&self) -> Option<String> {
        self.app.chain_id()
    }

    fn chain(&self) -> Option<ChainInfo> {
        self.app.chain()
    }

    fn info(&self) -> response::Info {
        self.app.info()
    }

    fn init_chain(&self, request: request::InitChain) -> Result<response::InitChain, Fault> {
        Application::init_chain(&self.app, request)
    }

    fn foresee(&self, txs: &[Bytes]) {
        self.app.foresee(txs);
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

    fn latest_reads(&self) -> Option<(u64, Digest)> {
        self.app.latest_reads()
    }

    fn hear_reads(&self, reads: &Reads) -> Result<Option<Divergence>, AttestError> {
        self.app.hear_reads(reads)
    }

    fn transcript_digest(&self, height: u64) -> Result<Option<Digest>, Fault> {
        Application::transcript_digest(&self.app, height)
    }

    fn transcript(&self, height: u64) -> Result<Option<Vec<u8>>, Fault> {
        Application::transcript(&self.app, height)
    }

    fn open_jobs(&self, bls_key: &[u8; 48], after: Option<u64>) -> Vec<OpenJob> {
        self.app.open_jobs(bls_key, after)
    }

    fn task(&self, job: u64, bls_key: &[u8; 48]) -> Option<Task> {
        self.app.task(job, bls_key)
    }

    fn unsigned_roots(&self, bls_key: &[u8; 48]) -> Vec<(u64, Digest)> {
        self.app.unsigned_roots(bls_key)
    }

    fn expects_blocks(&self) -> bool {
        self.app.expects_blocks()
    }
}

#[cfg(test)]
mod tests;

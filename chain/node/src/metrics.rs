//! What a node counts and times, for Prometheus.
//!
//! The application below has no clock, so the times are taken here: [`Metrics`] is the application, with a watch held
//! to every call. What it holds is asked at the moment when somebody reads the metrics. Nothing here changes an answer.

use std::{
    fmt,
    time::{Duration, Instant},
};

use aceso_app::{App, Divergence, WantedBlob};
use aceso_types::{BlobId, Digest};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tendermint::v0_38::abci::{request, response};

use crate::application::{Application, Fault};

/// The content type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Upper ends of the times that are told apart, in seconds: from a check to a block that is far too slow.
const SECONDS: [f64; 12] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// What a block goes through.
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

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Of {
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "as the labels are written")]
enum Kind {
    done,
    failed,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: Kind,
}

/// The application under watch.
pub(crate) struct Metrics {
    app: App,
    registry: Registry,
    stages: Family<Of, Histogram>,
    transactions: Family<Outcome, Counter>,
    gas: Counter,
    reads: Counter,
    held: Held,
}

/// What is asked when the metrics are read.
#[derive(Default)]
struct Held {
    height: Gauge,
    codes: Gauge,
    code_bytes: Gauge,
    instances: Gauge,
    models: Gauge,
    model_bytes: Gauge,
    blobs: Gauge,
    blob_bytes: Gauge,
    blobs_pending: Gauge,
    resident: Gauge,
    descriptors: Gauge,
}

impl Metrics {
    /// Watches an application.
    pub(crate) fn new(app: App) -> Self {
        let mut registry = Registry::with_prefix("aceso");
        let stages = Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
        let (transactions, gas, reads) = (Family::default(), Counter::default(), Counter::default());
        let held = Held::default();
        let help = "Time of the ABCI calls by stage";
        registry.register_with_unit("stage", help, Unit::Seconds, stages.clone());
        registry.register("transactions", "Transactions in executed blocks", transactions.clone());
        registry.register("gas_used", "SDK gas that transactions in blocks have used", gas.clone());
        registry.register("reads", "Reads that were made and charged in blocks", reads.clone());
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
            ("process_resident_memory_bytes", "Resident memory of this process", &held.resident),
            ("process_open_fds", "Open file descriptors of this process", &held.descriptors),
        ] {
            registry.register(name, help, gauge.clone());
        }
        Self { app, registry, stages, transactions, gas, reads, held }
    }

    /// Everything, in the OpenMetrics text format.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
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
            (&held.resident, resident),
            (&held.descriptors, descriptors),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn timed<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.took(stage, begun.elapsed());
        done
    }

    fn took(&self, stage: Stage, time: Duration) {
        self.stages.get_or_create(&Of { stage }).observe(time.as_secs_f64());
    }

    fn count(&self, block: &response::FinalizeBlock) {
        for result in &block.tx_results {
            let outcome = if result.code.is_ok() { Kind::done } else { Kind::failed };
            self.transactions.get_or_create(&Outcome { outcome }).inc();
            self.gas.inc_by(u64::try_from(result.gas_used).unwrap_or_default());
            self.reads.inc_by(result.events.iter().filter(|event| event.kind == "read").count() as u64);
        }
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
        self.timed(Stage::prepare, || self.app.prepare_proposal(request))
    }

    fn process_proposal(&self, request: request::ProcessProposal) -> response::ProcessProposal {
        self.timed(Stage::process, || self.app.process_proposal(request))
    }

    fn finalize_block(&self, request: request::FinalizeBlock) -> Result<response::FinalizeBlock, Fault> {
        let block = self.timed(Stage::execute, || Application::finalize_block(&self.app, request))?;
        self.count(&block);
        Ok(block)
    }

    fn commit(&self) -> Result<response::Commit, Fault> {
        self.timed(Stage::commit, || Application::commit(&self.app))
    }

    fn query(&self, request: request::Query) -> response::Query {
        self.timed(Stage::query, || self.app.query(request))
    }

    fn list_snapshots(&self) -> response::ListSnapshots {
        Application::list_snapshots(&self.app)
    }

    fn load_snapshot_chunk(&self, request: request::LoadSnapshotChunk) -> response::LoadSnapshotChunk {
        Application::load_snapshot_chunk(&self.app, request)
    }

    fn offer_snapshot(&self, request: request::OfferSnapshot) -> Result<response::OfferSnapshot, Fault> {
        Application::offer_snapshot(&self.app, request)
    }

    fn apply_snapshot_chunk(
        &self,
        request: request::ApplySnapshotChunk,
    ) -> Result<response::ApplySnapshotChunk, Fault> {
        Application::apply_snapshot_chunk(&self.app, request)
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

    fn hear_vote(&self, request: &request::VerifyVoteExtension) -> Option<Divergence> {
        self.app.hear_vote(request)
    }

    fn transcript(&self, height: u64) -> Result<Option<Vec<u8>>, Fault> {
        Application::transcript(&self.app, height)
    }

    fn expects_blocks(&self) -> bool {
        self.app.expects_blocks()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_done_is_counted() {
        let home = tempfile::tempdir().unwrap();
        let blobs = aceso_blobs::BlobStore::open(&home.path().join("blobs"), Default::default()).unwrap();
        let app = App::open(aceso_app::Config::new(home.path(), Arc::new(blobs))).unwrap();
        let metrics = Metrics::new(app);
        let kind = request::CheckTxKind::New;
        assert!(metrics.check_tx(request::CheckTx { tx: "x".into(), kind }).code.is_err());
        let mut result = tendermint::abci::types::ExecTxResult { gas_used: 70, ..Default::default() };
        result.events.push(tendermint::abci::Event { kind: "read".into(), attributes: Vec::new() });
        let failed = tendermint::abci::types::ExecTxResult { code: 5.into(), gas_used: 3, ..Default::default() };
        metrics.count(&response::FinalizeBlock {
            events: Vec::new(),
            tx_results: vec![result, failed],
            validator_updates: Vec::new(),
            consensus_param_updates: None,
            app_hash: Default::default(),
        });
        let text = metrics.text().unwrap();
        for line in [
            "aceso_stage_seconds_count{stage=\"check\"} 1",
            "aceso_transactions_total{outcome=\"done\"} 1",
            "aceso_transactions_total{outcome=\"failed\"} 1",
            "aceso_gas_used_total 73",
            "aceso_reads_total 1",
            "aceso_height 0",
            "aceso_blobs 0",
        ] {
            assert!(text.contains(line), "no {line} in\n{text}");
        }
        assert!(process().0 > 1 << 20 && process().1 > 2);
    }
}

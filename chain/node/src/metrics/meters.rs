//! What parts of the node count by themselves: queues, peers, votes, reads, spans.
//!
//! [`Meters`] is handed out by its fields, before the application that the page also tells of is open. Each owner keeps
//! its own handle and sets or raises a number: where work is done nothing is looked up.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Upper ends of the times that are told apart, in seconds: from a check to a block that is far too slow.
const SECONDS: [f64; 12] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
/// Upper ends of the sizes of vote extensions, in bytes. The last is the most that one may have.
const EXTENSION_BYTES: [f64; 5] = [0.0, 1024.0, 8192.0, 32768.0, 65536.0];

/// Times by a label.
pub(super) type Times<L> = Family<L, Histogram, fn() -> Histogram>;

/// No times yet.
pub(super) fn times<L: Clone + std::hash::Hash + Eq>() -> Times<L> {
    Family::new_with_constructor(|| Histogram::new(SECONDS))
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Connection {
    connection: &'static str,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReadStep {
    step: &'static str,
    mode: &'static str,
}

/// Failures, each with its reason.
#[derive(Clone, Default)]
pub(crate) struct Failures(Family<Why, Counter>);

impl Failures {
    /// Counts some for a reason, one word.
    pub(crate) fn count(&self, reason: &'static str, more: u64) {
        self.0.get_or_create(&Why { reason }).inc_by(more);
    }

    /// How many there were for a reason.
    #[cfg(test)]
    pub(crate) fn counted(&self, reason: &'static str) -> u64 {
        self.0.get_or_create(&Why { reason }).get()
    }
}

/// What waits in the embedded chain's mempool.
#[derive(Clone, Default)]
pub(crate) struct Waiting {
    pub(crate) txs: Gauge,
    pub(crate) bytes: Gauge,
}

/// Requests of CometBFT that wait, by its connections.
#[derive(Clone, Default)]
pub(crate) struct Queues(Family<Connection, Gauge>);

impl Queues {
    /// The gauge of one.
    pub(crate) fn of(&self, connection: &'static str) -> Gauge {
        self.0.get_or_create_owned(&Connection { connection })
    }
}

/// What peers do for this node.
#[derive(Clone, Default)]
pub(crate) struct Fetching {
    /// Blobs that were missing at the last look.
    pub(crate) missing: Gauge,
    pub(crate) fetched: Counter,
    pub(crate) failed: Failures,
    pub(crate) banned: Counter,
}

/// The steps of reads.
#[derive(Clone)]
pub(crate) struct Reads(Times<ReadStep>);

impl Reads {
    /// Notes how long a step took: `open`, `infer` or, both at once of a sealed file, `dispute`, for a `block`, a `simulation` or a `query`. Others are not known.
    pub(crate) fn took(&self, step: &str, mode: &str, seconds: f64) {
        let known = |names: &[&'static str], name: &str| names.iter().copied().find(|known| *known == name);
        let (step, mode) = (known(&["open", "infer", "dispute"], step), known(&["block", "simulation", "query"], mode));
        if let (Some(step), Some(mode)) = (step, mode) {
            self.0.get_or_create(&ReadStep { step, mode }).observe(seconds);
        }
    }
}

/// Sealed reads in this validator's committees.
#[derive(Clone)]
pub(crate) struct Sealed {
    /// Jobs that wait or are worked on.
    pub(crate) queue: Gauge,
    /// Jobs whose share goes into votes.
    pub(crate) signed: Gauge,
    /// Worker processes that are connected.
    pub(crate) processes: Gauge,
    /// Outcomes by what came of them, one word.
    pub(crate) outcomes: Failures,
    /// Times that this machine had another outcome than before.
    pub(crate) conflicts: Counter,
    pub(crate) times: Histogram,
}

impl Default for Sealed {
    fn default() -> Self {
        Self {
            queue: Gauge::default(),
            signed: Gauge::default(),
            processes: Gauge::default(),
            outcomes: Failures::default(),
            conflicts: Counter::default(),
            times: Histogram::new(SECONDS),
        }
    }
}

/// Models in the form in which they run, on the disk.
#[derive(Clone, Default)]
pub(crate) struct Packing {
    /// Taken from there.
    pub(crate) taken: Counter,
    /// Put there.
    pub(crate) made: Counter,
    /// Files that were not run, by one word.
    pub(crate) refused: Failures,
}

/// The way of spans to a collector.
#[derive(Clone, Default)]
pub(crate) struct Spans {
    pub(crate) exported: Counter,
    pub(crate) dropped: Failures,
}

/// See the module.
#[derive(Clone)]
pub(crate) struct Meters {
    pub(crate) waiting: Waiting,
    pub(crate) queues: Queues,
    pub(crate) fetching: Fetching,
    pub(crate) extension: Histogram,
    pub(crate) reads: Reads,
    pub(crate) sealed: Sealed,
    pub(crate) packing: Packing,
    pub(crate) spans: Spans,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            waiting: Waiting::default(),
            queues: Queues::default(),
            fetching: Fetching::default(),
            extension: Histogram::new(EXTENSION_BYTES),
            reads: Reads(times()),
            sealed: Sealed::default(),
            packing: Packing::default(),
            spans: Spans::default(),
        }
    }
}

impl Meters {
    /// Names them all.
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self { waiting, queues, fetching, extension, reads, sealed, packing, spans } = self;
        for (name, help, gauge) in [
            ("mempool_transactions", "Transactions in the embedded chain's mempool", &waiting.txs),
            ("mempool_tx_bytes", "Bytes of transactions in the embedded chain's mempool", &waiting.bytes),
            ("blobs_missing", "Wanted blobs that this node lacked when it last looked", &fetching.missing),
            ("sealed_queue", "Jobs of committees that wait for this node or are worked on", &sealed.queue),
            ("sealed_signed", "Open jobs of which this node has signed an outcome", &sealed.signed),
            ("sealed_processes", "Worker processes that are connected", &sealed.processes),
        ] {
            registry.register(name, help, gauge.clone());
        }
        for (name, help, counter) in [
            ("blobs_fetched", "Blobs that peers have sent", &fetching.fetched),
            ("blob_peers_banned", "Times that a peer was left alone for an hour, for other bytes", &fetching.banned),
            ("sealed_conflicts", "Outcomes that were not signed, for another one stood", &sealed.conflicts),
            ("packed_models_taken", "Models that were ready on the disk", &packing.taken),
            ("packed_models_made", "Models that were put there for the next start", &packing.made),
            ("spans_exported", "Spans that the collector has taken", &spans.exported),
        ] {
            registry.register(name, help, counter.clone());
        }
        let help = "Requests of CometBFT that wait, by its connections";
        registry.register("abci_queue", help, queues.0.clone());
        let help = "Attempts to fetch a blob from a peer that came to nothing";
        registry.register("blob_fetch_failures", help, fetching.failed.0.clone());
        let help = "Packed models that were not run, and were made anew";
        registry.register("packed_models_refused", help, packing.refused.0.clone());
        let help = "Sizes of this validator's vote extensions";
        registry.register_with_unit("vote_extension", help, Unit::Bytes, extension.clone());
        let help = "Jobs of committees by what came of them here";
        registry.register("sealed_jobs", help, sealed.outcomes.0.clone());
        registry.register_with_unit("sealed", "Time of jobs in a lane", Unit::Seconds, sealed.times.clone());
        registry.register_with_unit("read", "Time of the steps of reads", Unit::Seconds, reads.0.clone());
        registry.register("spans_dropped", "Spans that were not exported", spans.dropped.0.clone());
    }
}

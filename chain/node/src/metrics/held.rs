//! What is held at the moment when somebody reads the page: asked then, and nowhere counted before.

use std::sync::atomic::Ordering;

use aceso_app::{Asked, Stats};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Cache {
    cache: &'static str,
}

/// What is asked when the metrics are read.
#[derive(Default)]
pub(super) struct Held {
    height: Gauge,
    codes: Gauge,
    code_bytes: Gauge,
    instances: Gauge,
    instances_kept: Gauge,
    drafts: Gauge,
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
    hits: Family<Cache, Counter>,
    misses: Family<Cache, Counter>,
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

impl Held {
    /// Names them all.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("cache_hits", "Times that a cache had what was asked for", self.hits.clone());
        registry.register("cache_misses", "Times that it had not", self.misses.clone());
        let help = "Calls that found all instances of contracts taken";
        registry.register("instances_refused", help, self.instances_refused.clone());
        for (name, help, gauge) in [
            ("height", "The latest committed block", &self.height),
            ("codes_loaded", "Contracts whose machine code is in memory", &self.codes),
            ("codes_loaded_bytes", "Bytes of machine code in memory", &self.code_bytes),
            ("instances", "Contracts that run at this moment", &self.instances),
            ("instances_kept", "Instances of contracts that wait for another call", &self.instances_kept),
            ("codes_drafts", "Contracts that wait for better machine code", &self.drafts),
            ("models_loaded", "Models in memory", &self.models),
            ("models_loaded_bytes", "Bytes of models in memory", &self.model_bytes),
            ("blobs", "Blobs on this machine", &self.blobs),
            ("blobs_bytes", "Bytes of the blobs' packs", &self.blob_bytes),
            ("blobs_pending", "Registered blobs that too few validators have said to hold", &self.blobs_pending),
            ("uploads", "Uploads that run", &self.uploads),
            ("downloads", "Downloads that run", &self.downloads),
            ("blobs_unregistered", "Blobs that nobody has registered yet", &self.unregistered),
            ("blobs_unregistered_bytes", "Bytes of them and of uploads in flight", &self.unregistered_bytes),
            ("snapshots", "Snapshots that other nodes are offered", &self.snapshots),
            ("process_resident_memory_bytes", "Resident memory of this process", &self.resident),
            ("process_open_fds", "Open file descriptors of this process", &self.descriptors),
        ] {
            registry.register(name, help, gauge.clone());
        }
    }

    /// Takes over what the application and the REST port hold now.
    pub(super) fn set(&self, height: u64, stats: &Stats, traffic: Traffic) {
        let (resident, descriptors) = process();
        for (gauge, value) in [
            (&self.height, height),
            (&self.codes, stats.codes),
            (&self.code_bytes, stats.code_bytes),
            (&self.instances, stats.instances),
            (&self.instances_kept, stats.instances_kept),
            (&self.drafts, stats.drafts),
            (&self.models, stats.models),
            (&self.model_bytes, stats.model_bytes),
            (&self.blobs, stats.blobs),
            (&self.blob_bytes, stats.blob_bytes),
            (&self.blobs_pending, stats.blobs_pending),
            (&self.uploads, traffic.uploads),
            (&self.downloads, traffic.downloads),
            (&self.unregistered, traffic.unregistered),
            (&self.unregistered_bytes, traffic.unregistered_bytes),
            (&self.snapshots, stats.snapshots),
            (&self.resident, resident),
            (&self.descriptors, descriptors),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        // The application counts these itself; they never go back while it is open.
        self.instances_refused.inner().store(stats.instances_refused, Ordering::Relaxed);
        for (cache, Asked { hits, misses }) in [
            ("code", stats.code_asked),
            ("instance", stats.instance_asked),
            ("model", stats.model_asked),
            ("signature", stats.signature_asked),
        ] {
            self.hits.get_or_create(&Cache { cache }).inner().store(hits, Ordering::Relaxed);
            self.misses.get_or_create(&Cache { cache }).inner().store(misses, Ordering::Relaxed);
        }
    }
}

/// Resident bytes and open files of this process; zero where the system does not tell.
pub(super) fn process() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    let files = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
    (kib.unwrap_or_default().saturating_mul(1024), files)
}

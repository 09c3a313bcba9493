//! Follows the chain: what it waits for goes into the queue, what was computed into the votes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::Builder,
    time::{Duration, Instant},
};

use aceso_app::{Fetch, OpenJob, Shelf, TASKS_PAGE, attest::AttestKey};
use aceso_blobs::BlobStore;
use aceso_inference::Kernels;
use aceso_types::{
    BlobId, Digest,
    msg::{Recipient, RootShare, Share},
    query::{JobStatus, QueryJob, QueryReader},
    sealed::{Outcome, Statement},
};
use aceso_verify::outcome::Came;

use super::{
    chores::Chores,
    compute::Unable,
    job::Job,
    lane::{self, Here},
    models::Models,
    queue::Queue,
    shares::{ShareError, Shares},
    socket,
};
use crate::{
    abci::query::Queries,
    application::Application,
    engine::pulse::Pulse,
    home::{Home, config::Config},
    metrics::meters,
};

/// The longest time between two looks at the chain: the bell may be missed.
const PERIOD: Duration = Duration::from_secs(1);
/// How often the files of attestation keys are read: a rotated key is found within this time.
const KEYS_PERIOD: Duration = Duration::from_secs(10);

/// What the work is made of.
pub(crate) struct Parts {
    pub(crate) app: Arc<dyn Application>,
    pub(crate) blobs: Arc<BlobStore>,
    /// Where bytes come from that are not here.
    pub(crate) fetch: Option<Arc<dyn Fetch>>,
    pub(crate) home: Home,
    /// What computes here: the application's.
    pub(crate) kernels: Kernels,
    /// Where models lie that were packed for them.
    pub(crate) shelf: Option<Arc<dyn Shelf>>,
    pub(crate) meters: meters::Sealed,
    /// Wakes the embedded engine when there is something to say.
    pub(crate) pulse: Option<Arc<Pulse>>,
}

/// See the module.
pub(crate) struct Work {
    app: Arc<dyn Application>,
    queries: Queries,
    pub(super) blobs: Arc<BlobStore>,
    fetch: Option<Arc<dyn Fetch>>,
    pub(super) queue: Queue,
    kernels: Kernels,
    shelf: Option<Arc<dyn Shelf>>,
    shares: Shares,
    pub(super) meters: meters::Sealed,
    pulse: Option<Arc<Pulse>>,
    read_keys: Box<dyn Fn() -> Vec<AttestKey> + Send + Sync>,
    keys: Mutex<Option<(Instant, Vec<AttestKey>)>>,
    /// Roots that wait for signatures, as this node signs them.
    roots: Mutex<BTreeMap<(u64, Digest), RootShare>>,
    bell: Bell,
    stopped: AtomicBool,
}

/// Rings when something happened that the chain, or this node's share of it, changes by.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn wait(&self, limit: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(rung, limit, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

impl Work {
    /// Takes up what an earlier run has left.
    pub(crate) fn open(parts: Parts, config: &Config) -> anyhow::Result<Arc<Self>> {
        let Parts { app, blobs, fetch, home, kernels, shelf, meters, pulse } = parts;
        Ok(Arc::new(Self {
            queries: Queries::new(Arc::clone(&app)),
            app,
            blobs,
            fetch,
            queue: Queue::new(config.worker_queue.max(1)),
            kernels,
            shelf,
            shares: Shares::open(&home.shares_dir())?,
            meters,
            pulse,
            read_keys: Box::new(home.attest_key_reader()),
            keys: Mutex::default(),
            roots: Mutex::default(),
            bell: Bell::default(),
            stopped: AtomicBool::new(false),
        }))
    }

    /// Starts its threads: one that follows the chain, the lanes, one that listens to worker processes, one for chores.
    pub(crate) fn start(self: &Arc<Self>, home: &Home, config: &Config, chores: Chores) -> anyhow::Result<()> {
        let models = Models::new(self.kernels).within(config.model_cache_bytes).beside(self.shelf.clone());
        let models = Arc::new(models);
        for number in 0..config.worker_threads {
            let (work, mut here) = (Arc::clone(self), Here::new(home.clone(), Arc::clone(&models)));
            let lane = move || {
                if let Err(e) = lane::run(&work, &mut here) {
                    tracing::error!("a lane of this process ended: {e}");
                }
            };
            Builder::new().name(format!("sealed-{number}")).spawn(lane)?;
        }
        if let Some(path) = config.worker_socket(home) {
            let listener = socket::listen(&path)
                .map_err(|e| anyhow::anyhow!("worker_socket {}: {e}; a path has at most 107 bytes", path.display()))?;
            let work = Arc::clone(self);
            Builder::new().name("worker-socket".into()).spawn(move || socket::serve(&work, &listener))?;
        }
        let work = Arc::clone(self);
        Builder::new().name("sealed".into()).spawn(move || {
            while !work.is_stopped() {
                work.look();
                work.bell.wait(PERIOD);
            }
        })?;
        let work = Arc::clone(self);
        Builder::new().name("chores".into()).spawn(move || chores.run(|| work.is_stopped()))?;
        Ok(())
    }

    /// A block was committed.
    pub(crate) fn committed(&self) {
        self.bell.ring();
    }

    /// What goes into the next vote: shares, the oldest job first, and words for roots.
    pub(crate) fn word(&self) -> (Vec<Share>, Vec<RootShare>) {
        let roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        (self.shares.all(), roots.values().cloned().collect())
    }

    /// Whether there is anything of that.
    pub(crate) fn has_word(&self) -> bool {
        let (shares, roots) = self.word();
        !shares.is_empty() || !roots.is_empty()
    }

    /// Ends the threads.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.queue.stop();
        self.bell.ring();
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Writes an outcome down, keeps the file that it names, and has it signed. Answers false where another one stands: then
    /// nothing of what came now is kept, so that of one job there is one text whatever this machine computes.
    pub(super) fn settle(&self, statement: &Statement, came: &Came) -> bool {
        let settled = self.shares.settle(statement, &came.outcome).and_then(|()| self.store(came));
        match &settled {
            Ok(()) => self.bell.ring(),
            Err(error @ (ShareError::Another { .. } | ShareError::Damaged(_))) => {
                self.meters.conflicts.inc();
                tracing::error!("{error}");
            }
            Err(error) => tracing::error!(job = statement.job, "nothing is signed: {error}"),
        }
        settled.is_ok()
    }

    /// Keeps the file that an outcome names.
    fn store(&self, came: &Came) -> Result<(), ShareError> {
        let Came { outcome: Outcome::Stored { blob, size, .. }, file } = came else { return Ok(()) };
        let file = file.as_deref().ok_or(ShareError::NoFile(*blob))?;
        self.blobs.put_as(blob, *size, file)?;
        Ok(())
    }

    /// Whether the file that an outcome names is here, without which nothing is signed.
    fn has_file_of(&self, job: u64) -> bool {
        match self.shares.file_of(job) {
            Some(blob) => self.blobs.has(&blob).unwrap_or(false),
            None => true,
        }
    }

    /// Looks for a blob here and, if it is not, with others.
    pub(super) fn bring(&self, id: &BlobId, size: u64) -> Result<(), String> {
        match (self.blobs.has(id), &self.fetch) {
            (Ok(true), _) => Ok(()),
            (_, Some(fetch)) => fetch.fetch(id, size),
            (Ok(false), None) => Err(format!("{id} is not here, and this node has no peers")),
            (Err(e), None) => Err(e.to_string()),
        }
    }

    /// Looks at what the chain waits for.
    pub(super) fn look(&self) {
        if self.app.chain_id().is_none() {
            return;
        }
        self.with_keys(|keys| {
            let (mut open, mut wanted, mut roots) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
            let before = self.shares.all().len();
            for key in keys {
                let public = key.public();
                for OpenJob { job, fee } in self.open_jobs(&public) {
                    open.insert(job);
                    if self.shares.has(job) && self.has_file_of(job) {
                        self.shares.sign(job, key);
                    } else {
                        // Also where this node was stopped between the two: it computes the same once more.
                        wanted.insert(job, fee);
                    }
                }
                roots.extend(self.app.unsigned_roots(&public).into_iter().map(|root| (root, key)));
            }
            self.queue.follow(&wanted);
            self.shares.keep(|job| open.contains(&job) || self.may_be_open(job));
            let more = self.sign_roots(&roots) | (self.shares.all().len() > before);
            self.meters.queue.set(i64::try_from(self.queue.len()).unwrap_or(i64::MAX));
            self.meters.signed.set(i64::try_from(self.shares.all().len()).unwrap_or(i64::MAX));
            if let (true, Some(pulse)) = (more, &self.pulse) {
                pulse.beat();
            }
        });
    }

    /// Whether the chain does not say that a job is closed. What was signed of it must not be forgotten before.
    fn may_be_open(&self, job: u64) -> bool {
        match self.queries.ask(&QueryJob { job }) {
            Ok(Some(row)) => row.status == JobStatus::Open as i32,
            Ok(None) => true,
            Err(e) => {
                tracing::debug!(job, "what was signed is kept: {e}");
                true
            }
        }
    }

    /// All open jobs of the holder of an attestation key, page by page. The chain bounds how many there are.
    fn open_jobs(&self, bls_key: &[u8; 48]) -> impl Iterator<Item = OpenJob> {
        let page = |after| self.app.open_jobs(bls_key, after);
        let first = page(None);
        let pages = std::iter::successors(Some(first), move |page_before: &Vec<OpenJob>| {
            let last = page_before.last().filter(|_| page_before.len() >= TASKS_PAGE)?;
            Some(page(Some(last.job)))
        });
        pages.flatten()
    }

    /// What it takes to do a job; nothing if it is closed.
    pub(super) fn job(&self, number: u64) -> Result<Option<Job>, Unable> {
        let mut task = None;
        self.with_keys(|keys| task = keys.iter().find_map(|key| self.app.task(number, &key.public())));
        let Some(task) = task else { return Ok(None) };
        let Recipient { account, epoch } = task.opener.clone();
        let reader = self.queries.ask(&QueryReader { account, epoch, latest: false })?;
        let reader = reader.ok_or_else(|| Unable::NoReader(Box::new(task.opener.clone())))?;
        Ok(Some(Job::of(&task, &reader.key)?))
    }

    /// Signs the roots that were not signed before, and forgets the others. Answers whether there were any.
    fn sign_roots(&self, roots: &[((u64, Digest), &AttestKey)]) -> bool {
        let mut signed = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        signed.retain(|root, _| roots.iter().any(|(one, _)| one == root));
        let before = signed.len();
        for ((number, digest), key) in roots {
            let sign = || RootShare { number: *number, signature: key.sign(digest).to_vec() };
            signed.entry((*number, *digest)).or_insert_with(sign);
        }
        signed.len() > before
    }

    /// Works with this node's attestation keys, which are read again now and then; not at all where there is none.
    fn with_keys(&self, work: impl FnOnce(&[AttestKey])) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |(since, _): &(Instant, Vec<AttestKey>)| since.elapsed() >= KEYS_PERIOD;
        if keys.as_ref().is_none_or(is_old) {
            *keys = Some((Instant::now(), (self.read_keys)()));
        }
        if let Some((_, keys)) = keys.as_ref().filter(|(_, keys)| !keys.is_empty()) {
            work(keys);
        }
    }
}

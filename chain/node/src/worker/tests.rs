//! Jobs from a state to signed shares: in this process, over the socket, and after everything that can go wrong between.

use std::{
    collections::BTreeMap,
    fs,
    ops::Bound,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::Path,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aceso_app::{OpenJob, TASKS_PAGE, Task, WantedBlob, attest::AttestKey};
use aceso_blobs::BlobStore;
use aceso_inference::{Kernels, image};
use aceso_test_support::{picture, repository, with_maps};
use aceso_types::{
    BlobId, Digest, Frame, Height, Manifest,
    manifest::Onnx,
    msg::{Recipient, SealedFile, Share},
    query::{
        Asked, GrantRows, JobRow, JobStatus, QueryGrants, QueryJob, QueryReader, QueryRecord, QueryResults,
        QueryValidator, ReaderRow, RecordRow, ResultRow, ResultRows, ValidatorRow,
    },
    sealed::{Disclosure, Failure, Outcome, Statement},
};
use aceso_verify::{
    grant::{ContentPoint, Granted, PublicKey, Registered, Registration, SecretKey, Wrap},
    outcome::{Came, open_outputs},
};
use prost::Message;
use tendermint::v0_38::abci::{request, response};

use super::{
    chores::{Chores, Pins},
    compute::{Unable, compute},
    frame::{Kind, VERSION, receive, send},
    job::Job,
    lane::Here,
    models::Models,
    process::converse,
    work::{Parts, Work},
};
use crate::{
    abci::query::Queries,
    application::{Application, Fault},
    home::{Home, config::Config},
    metrics::meters,
    peers::{
        Peers,
        tests::{peer_with, sends},
    },
};

const OWNER: &str = "aceso1patient";
const OPERATOR: &str = "aceso1operator";
/// A record whose owner has ended it.
const ENDED: u64 = 2;
/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(60);

static MODEL: LazyLock<(Manifest, Vec<u8>)> = LazyLock::new(|| {
    let folder = repository().join("models/pneumonia");
    let manifest = fs::read(folder.join("manifest.json")).unwrap();
    (serde_json::from_slice(&manifest).unwrap(), fs::read(folder.join("model.onnx")).unwrap())
});

fn content() -> ContentPoint {
    ContentPoint::generate(&[5; 64])
}

fn opener() -> SecretKey {
    SecretKey::derive(&[6; 32], b"test", b"0").unwrap()
}

/// What is under the key, as its owner has sealed it.
fn sealed(owner: &str, record: &[u8]) -> Vec<u8> {
    let tags = [("modality".to_owned(), "DX".to_owned()), ("body_part".to_owned(), "CHEST".to_owned())].into();
    let length = record.len() as u64;
    aceso_seal::seal(&content(), owner, [7; 32], ("image/png", tags), record, length, Vec::new()).unwrap()
}

/// K for this reader's key, by way of a registration and a grant.
fn wrapped(reader: &PublicKey) -> Vec<u8> {
    let (patient, commitment) = (SecretKey::derive(&[8; 32], b"test", b"patient").unwrap(), content().commitment());
    let about = Registered { chain_id: "test-1", cid: "cid", owner: OWNER, commitment: &commitment };
    let registered = Registration::new(&about, &patient, &content(), &[1; 64]);
    let nothing = Digest([0; 32]);
    let granted = Granted {
        chain_id: "test-1",
        version: 1,
        source: &nothing,
        cid: "cid",
        owner: OWNER,
        grant: 1,
        nonce: &[0; 16],
        epoch: 0,
        committee: &nothing,
        terms: &nothing,
    };
    let wrap = Wrap::new(&granted, &patient, &registered.sealed, &[*reader], &[2; 64]).unwrap();
    wrap.of(0).unwrap().to_bytes().into()
}

/// A job over a sealed picture.
pub(super) fn job(number: u64) -> Job {
    let file = sealed(OWNER, &picture(1));
    Job {
        statement: Statement {
            chain_id: "test-1".into(),
            job: number,
            requested: Height(3),
            committee: Digest([1; 32]),
            model: MODEL.0.id(),
            pipeline: MODEL.0.pipeline.digest(),
            image: BlobId::of_raw(&file),
            frame: Frame::FIRST,
            owner: OWNER.into(),
            requester: "aceso1insurance".into(),
            consent: Digest([2; 32]),
            disclosure: Disclosure::Sealed,
        },
        size: file.len() as u64,
        commitment: content().commitment(),
        epoch: 0,
        reader_key: opener().public().to_bytes().into(),
        ciphertext: wrapped(&opener().public()),
        modality: String::new(),
        body_part: String::new(),
        effort: 0,
        vouched: None,
        manifest: MODEL.0.clone(),
    }
}

fn computed(job: &Job, key: &SecretKey, file: &[u8]) -> Result<Outcome, Unable> {
    let models = Models::new(Kernels::default());
    let model = models.get(&job.manifest, || Ok(MODEL.1.clone())).unwrap();
    compute(&Job { size: file.len() as u64, ..job.clone() }, key, &model, file).map(|came| came.outcome)
}

#[test]
fn a_member_computes_what_the_keys_holder_reads() {
    let job = job(7);
    let outcome = computed(&job, &opener(), &sealed(OWNER, &picture(1))).unwrap();
    let Outcome::Sealed { commitment, ciphertext, .. } = &outcome else { panic!("{outcome:?}") };
    let outputs = open_outputs(&content(), &job.statement, commitment, ciphertext).unwrap();
    assert_eq!(outputs[0].data().len(), MODEL.0.output.labels.len());
    assert_eq!(computed(&job, &opener(), &sealed(OWNER, &picture(1))).unwrap(), outcome);
}

#[test]
fn every_failure_is_an_outcome_and_what_is_wrong_here_is_none() {
    let job = job(7);
    let failed = |job: &Job, file: &[u8]| match computed(job, &opener(), file) {
        Ok(Outcome::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    };
    let good = sealed(OWNER, &picture(1));
    assert_eq!(failed(&Job { commitment: Digest([9; 32]), ..job.clone() }, &good), Failure::Key);
    assert_eq!(failed(&job, b"no sealed file"), Failure::Header);
    assert_eq!(failed(&job, &sealed("aceso1other", &picture(1))), Failure::Owner);
    assert_eq!(failed(&job, &good[..good.len() - 1]), Failure::Leaf);
    assert_eq!(failed(&job, &sealed(OWNER, b"no picture")), Failure::Undecodable);
    assert_eq!(failed(&Job { modality: "MG".into(), ..job.clone() }, &good), Failure::Unsuitable);
    let gout = Statement { disclosure: Disclosure::Predicate(vec!["gout".into()]), ..job.statement.clone() };
    assert_eq!(failed(&Job { statement: gout, ..job.clone() }, &good), Failure::Inference);
    let huge = Job { size: 1 << 30, ..job.clone() };
    let models = Models::new(Kernels::default());
    let model = models.get(&job.manifest, || Ok(MODEL.1.clone())).unwrap();
    assert_eq!(compute(&huge, &opener(), &model, &good).unwrap(), Outcome::Failed(Failure::Record).into());

    // A member whose key file is another one says nothing: it would say that the patient's wrap is wrong.
    let other = SecretKey::derive(&[9; 32], b"test", b"1").unwrap();
    assert!(matches!(computed(&job, &other, &good), Err(Unable::OtherKey(0))));
    let bent = Job { ciphertext: vec![0; 96], ..job.clone() };
    assert!(matches!(computed(&bent, &opener(), &good), Err(Unable::Wrap(_))));
    let lost = models.get(&Manifest { name: "other".into(), ..MODEL.0.clone() }, || Err("gone".into()));
    assert!(lost.err().unwrap().to_string().contains("gone"));
}

/// A state that has some jobs and nothing else.
#[derive(Default)]
struct State {
    open: Mutex<BTreeMap<u64, Task>>,
    expired: Mutex<Vec<u64>>,
    /// The jobs that were begun, one after the other.
    begun: Mutex<Vec<u64>>,
    /// Results that the operator has signed; of nobody else is anything known.
    results: Mutex<Vec<ResultRow>>,
    /// Whether it knows the operator's reader key.
    knows: AtomicBool,
}

impl State {
    fn with(numbers: &[u64]) -> Arc<Self> {
        let state = Self { knows: AtomicBool::new(true), ..Self::default() };
        state.open.lock().unwrap().extend(numbers.iter().map(|number| (*number, task(&job(*number)))));
        Arc::new(state)
    }

    fn close(&self, number: u64) {
        self.open.lock().unwrap().remove(&number);
        self.expired.lock().unwrap().push(number);
    }
}

fn task(job: &Job) -> Task {
    let file = SealedFile { cid: job.statement.image.to_string(), size: job.size, ..SealedFile::default() };
    Task {
        job: JobRow { job: job.number(), reward: "100".into(), ..JobRow::default() },
        statement: job.statement.clone(),
        member: 0,
        record: RecordRow { commitment: job.commitment.0.into(), ..RecordRow::default() },
        file,
        opener: Recipient { account: OPERATOR.into(), epoch: 0 },
        ciphertext: job.ciphertext.clone(),
        manifest: job.manifest.clone(),
    }
}

impl Application for State {
    fn chain_id(&self) -> Option<String> {
        Some("test-1".into())
    }
    fn info(&self) -> response::Info {
        response::Info::default()
    }
    fn init_chain(&self, _: request::InitChain) -> Result<response::InitChain, Fault> {
        unreachable!("no block is made")
    }
    fn check_tx(&self, _: request::CheckTx) -> response::CheckTx {
        unreachable!()
    }
    fn prepare_proposal(&self, _: request::PrepareProposal) -> response::PrepareProposal {
        unreachable!()
    }
    fn process_proposal(&self, _: request::ProcessProposal) -> response::ProcessProposal {
        unreachable!()
    }
    fn finalize_block(&self, _: request::FinalizeBlock) -> Result<response::FinalizeBlock, Fault> {
        unreachable!()
    }
    fn commit(&self) -> Result<response::Commit, Fault> {
        unreachable!()
    }
    fn query(&self, request: request::Query) -> response::Query {
        let row = match request.path.as_str() {
            QueryReader::PATH if self.knows.load(Ordering::Relaxed) => {
                let key = opener().public().to_bytes().into();
                Some(ReaderRow { account: OPERATOR.into(), key, ..ReaderRow::default() }.encode_to_vec())
            }
            QueryJob::PATH => {
                let job = QueryJob::decode(request.data).unwrap().job;
                let is_closed = self.expired.lock().unwrap().contains(&job);
                let status = if is_closed { JobStatus::Expired } else { JobStatus::Open } as i32;
                Some(JobRow { job, status, ..JobRow::default() }.encode_to_vec())
            }
            QueryValidator::PATH if !self.results.lock().unwrap().is_empty() => {
                Some(ValidatorRow { operator: OPERATOR.into(), ..ValidatorRow::default() }.encode_to_vec())
            }
            QueryGrants::PATH => Some(GrantRows::default().encode_to_vec()),
            QueryResults::PATH => {
                assert_eq!(QueryResults::decode(request.data).unwrap().operator, OPERATOR);
                let rows = self.results.lock().unwrap().clone();
                Some(ResultRows { rows, ..ResultRows::default() }.encode_to_vec())
            }
            QueryRecord::PATH => {
                let record = QueryRecord::decode(request.data).unwrap().record;
                let retired = if record == ENDED { 9 } else { 0 };
                Some(RecordRow { record, retired, ..RecordRow::default() }.encode_to_vec())
            }
            _ => None,
        };
        match row {
            Some(value) => response::Query { value: value.into(), ..Default::default() },
            None => response::Query { code: 22.into(), codespace: "sdk".into(), ..Default::default() },
        }
    }
    fn wanted_blobs(&self) -> Vec<WantedBlob> {
        Vec::new()
    }
    fn live_blobs(&self, _: Option<&BlobId>, _: usize) -> (Vec<WantedBlob>, Option<BlobId>) {
        Default::default()
    }
    fn attests(&self, _: u64) -> Vec<Vec<u8>> {
        Vec::new()
    }
    fn open_jobs(&self, _: &[u8; 48], after: Option<u64>) -> Vec<OpenJob> {
        let open = self.open.lock().unwrap();
        let later = open.range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
        let fee = |task: &Task| task.job.reward.parse().unwrap();
        later.map(|(job, task)| OpenJob { job: *job, fee: fee(task) }).take(TASKS_PAGE).collect()
    }
    fn task(&self, job: u64, _: &[u8; 48]) -> Option<Task> {
        self.begun.lock().unwrap().push(job);
        self.open.lock().unwrap().get(&job).cloned()
    }
    fn unsigned_roots(&self, _: &[u8; 48]) -> Vec<(u64, Digest)> {
        vec![(1, Digest([4; 32]))]
    }
    fn expects_blocks(&self) -> bool {
        false
    }
}

/// A node's home with the opener key, the model's bytes and the sealed file.
struct Place {
    home: Home,
    blobs: Arc<BlobStore>,
    _lock: crate::home::Lock,
    _dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        let lock = home.lock().unwrap();
        let made = home.make_opener(0).unwrap();
        // The tests' key, so that outcomes can be told beforehand.
        let (path, text) = (home.openers_dir().join("00000000000000000000.json"), |key: &SecretKey| {
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key.to_bytes())
        });
        let file = fs::read_to_string(&path).unwrap().replace(&text(&made), &text(&opener()));
        fs::write(&path, file).unwrap();
        let blobs = Arc::new(BlobStore::open(&home.blobs_dir(), Default::default()).unwrap());
        blobs.put(&MODEL.1[..], 1 << 30).unwrap();
        blobs.put(&sealed(OWNER, &picture(1))[..], 1 << 30).unwrap();
        home.attester().unwrap();
        Self { home, blobs, _lock: lock, _dir: dir }
    }

    fn work(&self, state: &Arc<State>, config: &Config) -> Arc<Work> {
        let app: Arc<dyn Application> = Arc::clone(state) as _;
        let parts = Parts {
            app: Arc::clone(&app),
            blobs: Arc::clone(&self.blobs),
            fetch: None,
            home: self.home.clone(),
            kernels: Kernels::default(),
            shelf: None,
            meters: meters::Sealed::default(),
            pulse: None,
        };
        let chores = Chores {
            home: self.home.clone(),
            queries: Queries::new(app),
            blobs: Arc::clone(&self.blobs),
            fetch: None,
            pins: Arc::new(Pins::default()),
        };
        let work = Work::open(parts, config).unwrap();
        work.start(&self.home, config, chores).unwrap();
        work
    }
}

fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !until() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn check(key: &AttestKey, share: &Share) {
    let job = job(share.job);
    let outcome = Outcome::decode(&share.outcome).unwrap();
    assert_eq!(outcome, computed(&job, &opener(), &sealed(OWNER, &picture(1))).unwrap());
    assert_eq!(share.signature, key.sign(&job.statement.sign_bytes(&outcome)));
}

#[test]
fn jobs_become_shares_until_they_are_closed() {
    let (place, state) = (Place::new(), State::with(&[8, 7]));
    let key = place.home.attester().unwrap();
    let work = place.work(&state, &Config::default());
    wait("both shares", || work.word().0.len() == 2);
    let (shares, roots) = work.word();
    assert_eq!(shares.iter().map(|share| share.job).collect::<Vec<_>>(), [7, 8]);
    shares.iter().for_each(|share| check(&key, share));
    assert_eq!((roots[0].number, &roots[0].signature), (1, &key.sign(&Digest([4; 32])).to_vec()));
    assert_eq!((work.meters.outcomes.counted("opened"), work.meters.queue.get()), (2, 0));

    state.close(7);
    work.committed();
    wait("the end of a share", || work.word().0.len() == 1);
    work.stop();
    // The next run says the same, without computing it again.
    let again = place.work(&state, &Config { worker_threads: 0, ..Config::default() });
    wait("the share of before", || again.word().0.len() == 1);
    assert_eq!(again.word().0, shares[1..]);
    again.stop();
}

/// A job whose model answers with more than an outcome holds.
fn long_job(number: u64) -> Job {
    let (usual, onnx) = (job(number), with_maps(&MODEL.1));
    let manifest = Manifest { onnx: Onnx::of(BlobId::of_raw(&onnx), &onnx), ..MODEL.0.clone() };
    Job { statement: Statement { model: manifest.id(), ..usual.statement }, manifest, ..usual }
}

/// What every good machine makes of it.
fn long_result(job: &Job) -> Came {
    let models = Models::new(Kernels::default());
    let model = models.get(&job.manifest, || Ok(with_maps(&MODEL.1))).unwrap();
    compute(job, &opener(), &model, &sealed(OWNER, &picture(1))).unwrap()
}

#[test]
fn a_long_result_is_kept_before_its_name_is_signed_and_a_second_one_never() {
    let (place, state) = (Place::new(), State::with(&[]));
    let job = long_job(7);
    state.open.lock().unwrap().insert(7, task(&job));
    let came = long_result(&job);
    let Outcome::Stored { blob, size, .. } = came.outcome else { panic!("{:?}", came.outcome) };
    // Stopped when the outcome was written down and the file was not: nothing is signed of what is not here.
    let idle = Config { worker_threads: 0, ..Config::default() };
    let work = place.work(&state, &idle);
    let nothing = Came { outcome: came.outcome.clone(), file: None };
    assert!(!work.settle(&job.statement, &nothing));
    work.look();
    assert!(work.word().0.is_empty() && work.queue.len() == 1 && !place.blobs.has(&blob).unwrap());
    work.stop();
    // The next run computes the same once more.
    place.blobs.put(&with_maps(&MODEL.1)[..], 1 << 30).unwrap();
    let work = place.work(&state, &Config::default());
    wait("the share", || work.word().0.len() == 1);
    assert_eq!(Outcome::decode(&work.word().0[0].outcome).unwrap(), came.outcome);
    assert_eq!(place.blobs.read(&blob, size).unwrap(), came.file.clone().unwrap());

    // A machine that errs the second time keeps nothing of it, and says what it has said.
    let mut second = came.file.clone().unwrap();
    second[0] ^= 1;
    let other = BlobId::of_raw(&second);
    let input = *came.outcome.input().unwrap();
    let outcome = Outcome::Stored { input, commitment: Digest([9; 32]), blob: other, size };
    assert!(!work.settle(&job.statement, &Came { outcome, file: Some(second.clone()) }));
    // Neither does one that was handed another file than its outcome names.
    let lied = Came { outcome: came.outcome.clone(), file: Some(second) };
    place.blobs.remove(&blob).unwrap();
    assert!(!work.settle(&job.statement, &lied));
    assert!(!place.blobs.has(&other).unwrap() && !place.blobs.has(&blob).unwrap());
    assert_eq!(Outcome::decode(&work.word().0[0].outcome).unwrap(), came.outcome);
    work.stop();
}

#[test]
fn a_worker_process_hands_a_long_result_over() {
    let (place, state) = (Place::new(), State::with(&[]));
    let job = long_job(7);
    state.open.lock().unwrap().insert(7, task(&job));
    place.blobs.put(&with_maps(&MODEL.1)[..], 1 << 30).unwrap();
    let config = Config { worker_threads: 0, worker_socket: "w.sock".into(), ..Config::default() };
    let work = place.work(&state, &config);
    let path = place.home.path().join("w.sock");
    // One that names a file and does not send it is no worker.
    let mut liar = &connect(&path);
    send(&mut liar, Kind::Hello, &[VERSION]).unwrap();
    (0..2).for_each(|_| drop(receive(&mut liar).unwrap()));
    let came = long_result(&job);
    send(&mut liar, Kind::Outcome, &came.outcome.encode()).unwrap();
    send(&mut liar, Kind::Unable, b"no").unwrap();
    wait("its end", || work.meters.outcomes.counted("gone") == 1);
    assert!(work.word().0.is_empty());
    let mut here = Here::new(place.home.clone(), Arc::new(Models::new(Kernels::default())));
    let worker = std::thread::spawn(move || converse(&connect(&path), &mut here));
    wait("the share", || work.word().0.len() == 1);
    let Outcome::Stored { blob, size, .. } = came.outcome else { panic!("{:?}", came.outcome) };
    assert_eq!(place.blobs.read(&blob, size).unwrap(), came.file.unwrap());
    work.stop();
    drop(worker);
}

/// What this operator has signed for lies here again, whatever became of its disk. Who sends something else is not believed,
/// and of a record that has ended nothing is asked for.
#[test]
fn a_result_that_was_lost_is_fetched_from_another_member() {
    let (place, state) = (Place::new(), State::with(&[]));
    let [kept, ended] = [&b"a result"[..], b"of a record that has ended"].map(|file| (BlobId::of_raw(file), file));
    let row = |(id, file): (BlobId, &[u8]), record| ResultRow {
        job: record,
        record,
        cid: id.to_string(),
        size: file.len() as u64,
        ..ResultRow::default()
    };
    state.results.lock().unwrap().extend([row(kept, 1), row(ended, ENDED)]);
    let honest =
        move |line: &str| sends([kept, ended].iter().find(|(id, _)| line.contains(&id.to_string())).unwrap().1);
    let urls = [peer_with(|_| sends(b"another!")), peer_with(honest)];
    let keys = || vec![AttestKey::generate(&[1; 32]).unwrap()];
    let peers = Peers::new(&urls, "test-1", keys, Arc::clone(&place.blobs), Duration::ZERO);
    let pins = Arc::new(Pins::default());
    let app: Arc<dyn Application> = Arc::clone(&state) as _;
    let chores = Chores {
        home: place.home.clone(),
        queries: Queries::new(app),
        blobs: Arc::clone(&place.blobs),
        fetch: Some(Arc::new(peers)),
        pins: Arc::clone(&pins),
    };
    for _ in 0..2 {
        chores.round(0).unwrap();
        assert_eq!(place.blobs.read(&kept.0, 100).unwrap(), kept.1);
        assert!(pins.knows(&kept.0) && !pins.knows(&ended.0));
        assert!(!place.blobs.has(&ended.0).unwrap());
        place.blobs.remove(&kept.0).unwrap();
    }
}

#[test]
fn what_is_missing_may_come_later() {
    let (place, state) = (Place::new(), State::with(&[7]));
    let file = BlobId::of_raw(&sealed(OWNER, &picture(1)));
    place.blobs.remove(&file).unwrap();
    state.knows.store(false, Ordering::Relaxed);
    let work = place.work(&state, &Config::default());
    wait("an attempt", || work.meters.outcomes.counted("unable") > 0);
    assert_eq!(work.queue.len(), 1, "nobody knows for which key it is wrapped");
    state.knows.store(true, Ordering::Relaxed);
    wait("another attempt", || work.meters.outcomes.counted("unable") > 1);
    place.blobs.put(&sealed(OWNER, &picture(1))[..], 1 << 30).unwrap();
    wait("the share", || work.word().0.len() == 1);
    work.stop();
}

#[test]
fn a_dear_job_goes_before_a_thousand_that_nobody_can_read() {
    let (place, state) = (Place::new(), State::with(&[]));
    // More of them than a page has, older, and of a file that nobody sends.
    let mut unreadable = job(1);
    unreadable.statement.image = BlobId::of_raw(b"nowhere");
    let count = TASKS_PAGE as u64 + 100;
    let cheap = (1..=count).map(|number| {
        let statement = Statement { job: number, ..unreadable.statement.clone() };
        (number, task(&Job { statement, ..unreadable.clone() }))
    });
    state.open.lock().unwrap().extend(cheap);
    let work = place.work(&state, &Config::default());
    wait("some attempts", || work.meters.outcomes.counted("unable") > 10);
    let mut dear = task(&job(count + 1));
    dear.job.reward = "101".into();
    state.open.lock().unwrap().insert(count + 1, dear);
    work.look();
    let before = state.begun.lock().unwrap().len();
    wait("the share", || !work.word().0.is_empty());
    assert_eq!(work.word().0[0].job, count + 1);
    // One may have been begun while this one came in, and no other was.
    let begun = state.begun.lock().unwrap().clone();
    let place = begun.iter().position(|job| *job == count + 1).unwrap();
    assert!(place <= before + 1, "{} went before it", place - before);
    assert_eq!(work.queue.len() as u64, count, "the others still wait");
    work.stop();
}

/// Connects as a worker process does.
fn connect(path: &Path) -> UnixStream {
    let mut stream = None;
    wait("the socket", || {
        stream = UnixStream::connect(path).ok();
        stream.is_some()
    });
    stream.unwrap()
}

#[test]
fn worker_processes_may_come_and_die() {
    let (place, state) = (Place::new(), State::with(&[7]));
    let config = Config { worker_threads: 0, worker_socket: "w.sock".into(), ..Config::default() };
    let work = place.work(&state, &config);
    let path = place.home.path().join("w.sock");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    wait("the socket", || path.exists());
    assert_eq!(mode(&path), 0o600);

    // One that takes the job and dies.
    let mut dying = &connect(&path);
    send(&mut dying, Kind::Hello, &[VERSION]).unwrap();
    assert_eq!(receive(&mut dying).unwrap().0, Kind::Job);
    dying.shutdown(std::net::Shutdown::Both).unwrap();
    wait("its end", || work.meters.outcomes.counted("gone") == 1);
    // Some that say what no worker says.
    for lie in [
        (Kind::Outcome, b"no outcome".to_vec()),
        (Kind::Outcome, Outcome::Open { input: input(), outputs: Vec::new() }.encode()),
        (Kind::Job, Vec::new()),
    ] {
        let gone = work.meters.outcomes.counted("gone");
        let mut liar = &connect(&path);
        send(&mut liar, Kind::Hello, &[VERSION]).unwrap();
        receive(&mut liar).unwrap();
        receive(&mut liar).unwrap();
        send(&mut liar, lie.0, &lie.1).unwrap();
        wait("its end", || work.meters.outcomes.counted("gone") == gone + 1);
    }
    // Another program at the wrong door, and another version.
    for hello in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[1, 0, 0, 0, 1, VERSION + 1]] {
        use std::io::{Read, Write};
        let mut stranger = connect(&path);
        stranger.write_all(hello).unwrap();
        let mut told = Vec::new();
        // It may be cut off before it was heard out.
        let _ = stranger.read_to_end(&mut told);
        assert!(told.is_empty(), "a stranger is told nothing");
    }
    assert!(work.word().0.is_empty() && work.queue.len() == 1);

    let mut here = Here::new(place.home.clone(), Arc::new(Models::new(Kernels::default())));
    let worker = std::thread::spawn(move || converse(&connect(&path), &mut here));
    wait("the share", || work.word().0.len() == 1);
    check(&place.home.attester().unwrap(), &work.word().0[0]);
    work.stop();
    drop(worker);
}

#[test]
fn a_worker_process_without_the_key_says_so() {
    let (place, state) = (Place::new(), State::with(&[7]));
    let config = Config { worker_threads: 0, worker_socket: "w.sock".into(), ..Config::default() };
    let work = place.work(&state, &config);
    let path = place.home.path().join("w.sock");
    let empty = tempfile::tempdir().unwrap();
    let mut here = Here::new(Home::at(empty.path()), Arc::new(Models::new(Kernels::default())));
    let worker = std::thread::spawn(move || converse(&connect(&path), &mut here));
    wait("its word", || work.meters.outcomes.counted("unable") > 0);
    assert!(work.word().0.is_empty() && work.meters.outcomes.counted("gone") == 0);
    work.stop();
    drop(worker);
}

fn input() -> aceso_types::sealed::Input {
    aceso_types::sealed::Input { claim: Digest([0; 32]), vouched: false }
}

/// Whether some file below a folder has one of these.
fn holds(folder: &Path, needles: &[Vec<u8>]) -> Option<String> {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = if path.is_dir() {
            holds(&path, needles)
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            let found = needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle));
            found.then(|| path.display().to_string())
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[test]
fn nothing_that_was_opened_is_on_the_disk() {
    let (place, state) = (Place::new(), State::with(&[7]));
    let work = place.work(&state, &Config::default());
    wait("the share", || work.word().0.len() == 1);
    work.stop();
    let decoded = image::decode(&picture(1), image::Limits::default()).unwrap();
    let statement = job(7).statement;
    let outcome = Outcome::decode(&work.word().0[0].outcome).unwrap();
    let Outcome::Sealed { commitment, ciphertext, .. } = outcome else { panic!("sealed") };
    let outputs = open_outputs(&content(), &statement, &commitment, &ciphertext).unwrap();
    assert_eq!(outputs.len(), 1);
    // The picture's rows, what is derived of the record's key, and what a model says of it.
    let row = |row: u32| (0..40).map(|at| ((row * 40 + at).wrapping_mul(31) % 251) as u8 ^ 1).collect::<Vec<u8>>();
    let job = 7_u64.to_be_bytes();
    let salt = [7; 32];
    let purposes = [[&b"aceso/seal/file/1"[..], &salt].concat(), [&b"aceso/blind/1"[..], &job].concat()];
    let keys = purposes.iter().map(|purpose| content().key(purpose).to_vec());
    let told = [picture(1)[60..100].to_vec(), decoded.pixel_digest().as_bytes().to_vec()];
    let needles: Vec<Vec<u8>> = (0..32).map(row).chain(keys).chain(told).collect();
    assert_eq!(holds(place.home.path(), &needles), None);
    // The test would see it.
    fs::write(place.home.path().join("data/leak"), picture(1)).unwrap();
    assert!(holds(place.home.path(), &needles).unwrap().ends_with("leak"));
}

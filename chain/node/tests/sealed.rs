//! A committee of one: an image that only its patient can open is registered, granted, asked for, computed and receipted by
//! an embedded chain; nothing of it is anywhere on the disk; and a node that is killed while it computes says the same
//! when it comes again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

mod common;

use std::{
    fs,
    io::Read,
    path::Path,
    time::{Duration, Instant},
};

use aceso_client::{
    Client, GasLimit, Key, SealedRead, TxResult, any, random,
    sealed::{Giving, register},
};
use aceso_test_support::{picture, repository, terms, with_maps};
use aceso_types::{
    BlobId, Frame, Manifest,
    manifest::Onnx,
    msg::{MsgRegisterBlob, MsgRegisterModel, MsgRequestReadResponse, MsgRetireSealed, SealedFile},
    query::{JobStatus, ModelStatus, QueryConduct, QueryModel, QueryReader, QueryRecord, QueryValidators},
    sealed::{Disclosure, Outcome, Statement, Terms},
};
use aceso_verify::{
    grant::{ContentPoint, SecretKey},
    outcome::{OutputsError, open_outputs, open_result},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use common::Node;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

fn wait<T>(what: &str, mut until: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = until() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Registers the pneumonia model, changed like this, and waits until it is admitted.
fn model(client: &Client, key: &Key, change: fn(&[u8]) -> Vec<u8>) -> Manifest {
    let folder = repository().join("models/pneumonia");
    let manifest: Manifest = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let onnx = change(&fs::read(folder.join("model.onnx")).unwrap());
    let (stored, size) = client.put_blob(&onnx[..]).unwrap();
    let manifest = Manifest { onnx: Onnx::of(stored, &onnx), ..manifest };
    let owner = client.address(key);
    let blob = MsgRegisterBlob { owner: owner.clone(), cid: stored.to_string(), size, term: 10_000 };
    client.send(key, vec![any(&blob)], GasLimit::Auto).unwrap();
    client.wait_available(&stored).unwrap();
    let model = MsgRegisterModel { author: owner, manifest: manifest.encode() };
    client.send(key, vec![any(&model)], GasLimit::Fixed(50_000_000)).unwrap();
    wait("the model", || {
        let question = QueryModel { model: manifest.id().to_string() };
        client.ask(&question).unwrap().filter(|row| row.status() == ModelStatus::Admitted)
    });
    manifest
}

/// How bytes may be written: as they are, in hexadecimal digits, in base64.
fn forms(bytes: &[u8]) -> [Vec<u8>; 3] {
    let whole = &bytes[..bytes.len() / 3 * 3];
    [bytes.into(), hex::encode(bytes).into_bytes(), STANDARD.encode(whole).into_bytes()]
}

/// The files below a folder that have one of these in them.
fn holding(folder: &Path, needles: &[Vec<u8>], found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, needles, found);
            continue;
        }
        // A socket is no file.
        let bytes = fs::read(&path).unwrap_or_default();
        let mut forms = needles.iter().flat_map(|needle| forms(needle));
        if forms.any(|form| bytes.windows(form.len()).any(|window| window == form)) {
            found.push(path.display().to_string());
        }
    }
}

/// A node whose operator is the only member of a committee, and a patient who has sealed an image for it.
struct Clinic {
    home: TempDir,
    fund: String,
    node: Option<Node>,
    log: String,
    client: Client,
    key: Key,
    owner: String,
    manifest: Manifest,
    content: ContentPoint,
    patient: SecretKey,
    record: Vec<u8>,
    file: Vec<u8>,
    image: BlobId,
    terms: Terms,
}

impl Clinic {
    fn open() -> Self {
        Self::with(<[u8]>::to_vec)
    }

    /// One whose model was changed.
    fn with(change: fn(&[u8]) -> Vec<u8>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let fund = common::alice(home.path());
        let words = fs::read_to_string(fund.split('=').next().unwrap()).unwrap();
        let (node, client) = Self::run(home.path(), &fund);
        let key = Key::from_mnemonic(&words).unwrap();
        let owner = client.address(&key);
        let manifest = model(&client, &key, change);

        // The patient's own machine: a picture under a point that only she knows.
        let content = ContentPoint::generate(&random().unwrap());
        let patient = SecretKey::derive(&[7; 32], b"test", b"image").unwrap();
        let tags = [("modality".to_owned(), "DX".to_owned()), ("body_part".to_owned(), "CHEST".to_owned())].into();
        let record = picture(3);
        let length = record.len() as u64;
        let file =
            aceso_seal::seal(&content, &owner, [9; 32], ("image/png", tags), &record[..], length, Vec::new()).unwrap();
        let (image, size) = client.put_blob(&file[..]).unwrap();
        assert_eq!((image, size), (BlobId::of_raw(&file), file.len() as u64));
        let files = vec![SealedFile { cid: image.to_string(), size, ..SealedFile::default() }];
        let registered = register(&client.chain().id, &owner, files, &patient, &content, &random().unwrap());
        client.send(&key, vec![any(&registered)], GasLimit::Auto).unwrap();
        let terms = Terms { findings: vec![manifest.output.findings[0].id.clone()], bits: 1, ..terms(&[&owner]) };
        let (node, log) = (Some(node), String::new());
        let clinic =
            Self { home, fund, node, log, client, key, owner, manifest, content, patient, record, file, image, terms };
        clinic.grant();
        clinic
    }

    fn run(home: &Path, fund: &str) -> (Node, Client) {
        let node = Node::run(common::aceso(&common::dev(home, &["--fund", fund, "--log", "debug"]))).unwrap();
        let client = Client::connect(&node.rpc, &node.rest).unwrap();
        (node, client)
    }

    /// She grants it to the only committee that there is.
    fn grant(&self) {
        let client = &self.client;
        let question = QueryRecord { owner: self.owner.clone(), cid: self.image.to_string(), ..QueryRecord::default() };
        let row = client.ask(&question).unwrap().unwrap();
        let operator = client.ask(&QueryValidators::default()).unwrap().unwrap().rows[0].operator.clone();
        let latest = QueryReader { account: operator, epoch: 0, latest: true };
        let reader = wait("the operator's reader key", || client.ask(&latest).unwrap());
        let giving = Giving {
            chain_id: &client.chain().id,
            granter: &self.owner,
            number: 1,
            record: &row,
            from: None,
            expires: 4_000_000_000.min(reader.expires),
            to: &[reader],
            committee: true,
            terms: &self.terms,
        };
        let granted = giving.prove(&self.patient, random().unwrap(), &random().unwrap()).unwrap();
        client.send(&self.key, vec![any(&granted)], GasLimit::Auto).unwrap();
    }

    /// Asks so often in one transaction, and does not wait for the committee.
    fn ask(&self, disclosure: &Disclosure, times: usize) -> TxResult {
        let request = SealedRead {
            requester: &self.owner,
            actor: &self.owner,
            model: self.manifest.id(),
            owner: &self.owner,
            image: self.image,
            frame: Frame::FIRST,
            grant: (&self.owner, 1),
            terms: &self.terms,
            purpose: "TREAT",
            disclosure,
            deadline: self.client.height().unwrap() + 400,
        };
        let messages = vec![any(&request.message()); times];
        self.client.send(&self.key, messages, GasLimit::Auto).unwrap()
    }

    fn read(&self, disclosure: &Disclosure) -> (Statement, Outcome) {
        let answer: MsgRequestReadResponse = self.ask(disclosure, 1).response(0).unwrap();
        let job = self.client.wait_job(answer.job).unwrap();
        assert_eq!(job.status(), JobStatus::Done, "{job:?}");
        let outcome = Outcome::decode(&job.outcome.as_ref().unwrap().outcome).unwrap();
        (Statement::decode(&job.statement).unwrap(), outcome)
    }

    /// Keeps what a node has said, which has ended.
    fn hear(&mut self, node: &mut Node) {
        node.child.stderr.take().unwrap().read_to_string(&mut self.log).unwrap();
    }

    /// `kill -9`, and another start.
    fn kill(&mut self) {
        let mut node = self.node.take().unwrap();
        node.child.kill().unwrap();
        node.child.wait().unwrap();
        self.hear(&mut node);
    }

    fn start(&mut self) {
        let (node, client) = Self::run(self.home.path(), &self.fund);
        (self.node, self.client) = (Some(node), client);
    }

    /// The home, the log and all that was sealed: nothing of it is anywhere.
    fn searched(&mut self, statement: &Statement) {
        let mut node = self.node.take().unwrap();
        let mut log = node.child.stderr.take().unwrap();
        assert_eq!(node.stop(), 0);
        log.read_to_string(&mut self.log).unwrap();
        let home = self.home.path();
        fs::write(home.join("log"), &self.log).unwrap();
        let content = &self.content;
        let needles = [
            self.record[60..100].to_vec(),
            content.to_bytes().to_vec(),
            self.patient.to_bytes().to_vec(),
            content.key(&[&b"aceso/seal/file/1"[..], &[9; 32]].concat()).to_vec(),
            content.key(&[&b"aceso/blind/1"[..], &statement.job.to_be_bytes()].concat()).to_vec(),
        ];
        let pixel = |at: u32| (at.wrapping_mul(31) % 251) as u8 ^ 3;
        let rows = (0..32_u32).map(|row| (0..40).map(|at| pixel(row * 40 + at)).collect());
        let needles: Vec<Vec<u8>> = needles.into_iter().chain(rows).collect();
        let mut found = Vec::new();
        holding(home, &needles, &mut found);
        assert!(found.is_empty(), "{found:?}");
        assert!(fs::read_dir(home.join("data/shares")).unwrap().count() <= 1, "shares of closed jobs stay");
        for needle in &needles {
            fs::write(home.join("leak"), STANDARD.encode(needle)).unwrap();
            holding(home, std::slice::from_ref(needle), &mut found);
        }
        assert_eq!(found.len(), needles.len(), "the test sees nothing");
    }
}

#[test]
fn a_sealed_image_is_read_and_stays_sealed() {
    let mut clinic = Clinic::open();
    // What everybody may know of another image is known; what is kept for her she opens, and it is the same.
    let (statement, sealed_outcome) = clinic.read(&Disclosure::Sealed);
    let Outcome::Sealed { commitment, ciphertext, .. } = &sealed_outcome else { panic!("{sealed_outcome:?}") };
    let outputs = open_outputs(&clinic.content, &statement, commitment, ciphertext).unwrap();
    let finding = clinic.manifest.output.findings[0].id.clone();
    let (_, predicate) = clinic.read(&Disclosure::Predicate(vec![finding]));
    assert!(matches!(predicate, Outcome::Predicate { .. }), "{predicate:?}");
    let (_, open) = clinic.read(&Disclosure::Open);
    let Outcome::Open { outputs: disclosed, .. } = open else { panic!("{open:?}") };
    assert_eq!(disclosed, outputs);
    clinic.searched(&statement);

    // Later she doubts what was signed, and shows the key: everybody computes it again.
    let (home, fund, owner) = (clinic.home.path(), &clinic.fund, clinic.owner.as_str());
    let node = Node::start(home, &["--fund", fund]);
    let path = |name: &str| home.join(name).to_str().unwrap().to_owned();
    let (job, words, file_path, key_path) =
        (statement.job.to_string(), fund.split('=').next().unwrap(), path("sealed"), path("record.key"));
    fs::write(&file_path, &clinic.file).unwrap();
    fs::write(&key_path, hex::encode(clinic.patient.to_bytes())).unwrap();
    let at = ["--node", node.rpc.as_str(), "--rest", node.rest.as_str(), "--from", words, "--json"];
    let said = |arguments: &[&str]| common::run(&[arguments, &at[..]].concat());
    let ok = |arguments: &[&str]| -> serde_json::Value {
        let (code, told, error) = said(arguments);
        assert_eq!(code, 0, "{arguments:?}: {error}");
        serde_json::from_str(&told).unwrap()
    };
    let disputing = ["sealed", "dispute", &job, "--key", &key_path];
    let refused = said(&disputing);
    assert!(refused.0 != 0 && refused.2.contains("say --reveal if it shall"), "{refused:?}");
    let revealing = [&disputing[..], &["--reveal"]].concat();
    let refused = said(&revealing);
    assert!(refused.0 != 0 && refused.2.contains("blob not registered"), "{refused:?}");
    assert_eq!(ok(&["sealed", "job", &job])["disputed"], serde_json::Value::Null);
    ok(&["blob", "put", &file_path]);
    let found = ok(&revealing);
    assert_eq!((&found["wrong"], &found["marked"]), (&false.into(), &0.into()), "{found}");
    let row = ok(&["sealed", "job", &job]);
    assert_eq!((&row["status"], &row["outcome"]), (&"done".into(), &found["outcome"]), "{row}");
    assert_eq!((&row["disputed"]["wrong"], &row["disputed"]["sender"]), (&false.into(), &owner.into()), "{row}");
    assert_eq!(ok(&["sealed", "conduct", "1"])["wrong"], 0);
    assert_eq!(node.stop(), 0);
}

/// What no outcome holds lies with the member as a file: whoever knows its name fetches it, and who holds the key opens it.
#[test]
fn a_long_result_is_fetched_by_its_name_and_opened_with_the_key() {
    let mut clinic = Clinic::with(with_maps);
    let (statement, outcome) = clinic.read(&Disclosure::Sealed);
    let Outcome::Stored { blob, size, .. } = outcome else { panic!("{outcome:?}") };
    let file = clinic.client.get_blob(&blob).unwrap().expect("the node has signed it");
    assert_eq!((file.len() as u64, BlobId::of_raw(&file)), (size, blob));
    let outputs = open_result(&clinic.content, &statement, &outcome, Some(&file)).unwrap();
    assert_eq!(outputs.len(), 2);
    assert!(outputs[1].data().len() > 4_096);
    let cut = open_result(&clinic.content, &statement, &outcome, Some(&file[..file.len() - 1]));
    assert_eq!(cut, Err(OutputsError::Size { want: size, got: size - 1 }));
    // A second job of the same record is another file, and says the same.
    let (again, other) = clinic.read(&Disclosure::Sealed);
    let Outcome::Stored { blob: second, .. } = other else { panic!("{other:?}") };
    assert_ne!(second, blob);
    let file = clinic.client.get_blob(&second).unwrap().expect("the node has signed it");
    assert_eq!(open_result(&clinic.content, &again, &other, Some(&file)), Ok(outputs));
    // Once its owner has ended the record, nobody is handed anything of it any more.
    let retire = MsgRetireSealed { owner: clinic.owner.clone(), record: 1 };
    clinic.client.send(&clinic.key, vec![any(&retire)], GasLimit::Auto).unwrap();
    assert!(clinic.client.get_blob(&second).map_or(true, |got| got.is_none()));
    clinic.searched(&statement);
}

#[test]
fn a_member_that_is_killed_in_the_middle_of_its_jobs_says_the_same_when_it_comes_again() {
    let mut clinic = Clinic::open();
    let (mut jobs, mut noted) = (Vec::new(), 0);
    for round in 0..4_u64 {
        let asked = clinic.ask(&Disclosure::Sealed, 8);
        for at in 0..8 {
            jobs.push(asked.response::<MsgRequestReadResponse>(at).unwrap().job);
        }
        std::thread::sleep(Duration::from_millis(round * 4));
        clinic.kill();
        // What stood on the disk when it died is what it will have said.
        let mut notes = Vec::new();
        for entry in fs::read_dir(clinic.home.path().join("data/shares")).unwrap() {
            let path = entry.unwrap().path();
            let job = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u64>().ok());
            notes.extend(job.map(|job| (job, fs::read(&path).unwrap())));
        }
        clinic.start();
        for &job in &jobs {
            let row = clinic.client.wait_job(job).unwrap();
            assert_eq!(row.status(), JobStatus::Done, "{row:?}");
            let outcome = row.outcome.unwrap().outcome;
            for (_, note) in notes.iter().filter(|(noted, _)| *noted == job) {
                assert!(note.windows(outcome.len()).any(|part| part == outcome), "job {job} came to something else");
                noted += 1;
            }
        }
    }
    println!("{noted} shares lay on the disk when the node was killed");
    let row = wait("a job", || clinic.client.ask(&aceso_types::query::QueryJob { job: jobs[0] }).unwrap());
    let conduct = clinic.client.ask(&QueryConduct { number: row.members[0].number }).unwrap().unwrap();
    assert_eq!((conduct.signed, conduct.wrong), (jobs.len() as u64, 0));
    let statement = Statement::decode(&row.statement).unwrap();
    clinic.searched(&statement);
}

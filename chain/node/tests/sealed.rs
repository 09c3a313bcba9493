//! A committee of one: an image that only its patient can open is registered, granted, asked for, computed and receipted by
//! an embedded chain; and nothing of it is anywhere on the disk.

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
    Client, GasLimit, Key, SealedRead, any, random,
    sealed::{Giving, register},
};
use aceso_test_support::{picture, repository};
use aceso_types::{
    BlobId, Digest, Manifest,
    msg::{MsgRegisterBlob, MsgRegisterModel, MsgRequestReadResponse, SealedFile},
    query::{JobStatus, ModelStatus, QueryModel, QueryReader, QueryRecord, QueryValidators},
    sealed::{Disclosure, Outcome, Statement, Terms},
};
use aceso_verify::{
    grant::{ContentPoint, SecretKey},
    outcome::open_outputs,
};
use common::Node;

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

/// Registers the pneumonia model and waits until it is admitted.
fn model(client: &Client, key: &Key) -> Manifest {
    let folder = repository().join("models/pneumonia");
    let manifest: Manifest = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let onnx = fs::read(folder.join("model.onnx")).unwrap();
    let (stored, size) = client.put_blob(&onnx[..]).unwrap();
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
        if needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle)) {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn a_sealed_image_is_read_and_stays_sealed() {
    let home = tempfile::tempdir().unwrap();
    let fund = common::alice(home.path());
    let words = fs::read_to_string(fund.split('=').next().unwrap()).unwrap();
    let mut node = Node::run(common::aceso(&common::dev(home.path(), &["--fund", &fund, "--log", "debug"]))).unwrap();
    let mut log = node.child.stderr.take().unwrap();
    let (client, key) = (Client::connect(&node.rpc, &node.rest).unwrap(), Key::from_mnemonic(&words).unwrap());
    let owner = client.address(&key);
    let manifest = model(&client, &key);

    // The patient's own machine: a picture under a point that only she knows.
    let content = ContentPoint::generate(&random().unwrap());
    let patient = SecretKey::derive(&[7; 32], b"test", b"image").unwrap();
    let tags = [("modality".to_owned(), "DX".to_owned()), ("body_part".to_owned(), "CHEST".to_owned())].into();
    let record = picture(3);
    let length = record.len() as u64;
    let file =
        aceso_seal::seal(&content, &owner, [9; 32], ("image/png", tags), &record[..], length, Vec::new()).unwrap();
    let (cid, size) = client.put_blob(&file[..]).unwrap();
    assert_eq!((cid, size), (BlobId::of_raw(&file), file.len() as u64));
    let files = vec![SealedFile { cid: cid.to_string(), size, ..SealedFile::default() }];
    let chain = &client.chain().id;
    let registered = register(chain, &owner, files, &patient, &content, &random().unwrap());
    client.send(&key, vec![any(&registered)], GasLimit::Auto).unwrap();
    let question = QueryRecord { owner: owner.clone(), cid: cid.to_string(), ..QueryRecord::default() };
    let row = client.ask(&question).unwrap().unwrap();

    // She grants it to the only committee that there is.
    let operator = client.ask(&QueryValidators::default()).unwrap().unwrap().rows[0].operator.clone();
    let latest = QueryReader { account: operator, epoch: 0, latest: true };
    let reader = wait("the operator's reader key", || client.ask(&latest).unwrap());
    let terms = Terms {
        version: 1,
        salt: Digest([5; 32]),
        actors: vec![owner.clone()],
        anybody: false,
        via: vec![],
        purposes: vec!["TREAT".into()],
        models: vec![],
        not_before: 0,
        uses: 5,
        open: true,
        sealed: true,
        findings: vec![manifest.output.findings[0].id.clone()],
        bits: 1,
        rewrap: false,
        emergency: false,
    };
    let giving = Giving {
        chain_id: chain,
        granter: &owner,
        number: 1,
        record: &row,
        from: None,
        expires: 4_000_000_000.min(reader.expires),
        to: &[reader],
        committee: true,
        terms: &terms,
    };
    let granted = giving.prove(&patient, random().unwrap(), &random().unwrap()).unwrap();
    client.send(&key, vec![any(&granted)], GasLimit::Auto).unwrap();

    let ask = |disclosure: Disclosure| {
        let request = SealedRead {
            requester: &owner,
            actor: &owner,
            model: manifest.id(),
            owner: &owner,
            image: cid,
            grant: (&owner, 1),
            terms: &terms,
            purpose: "TREAT",
            disclosure: &disclosure,
            deadline: client.height().unwrap() + 200,
        };
        let asked = client.send(&key, vec![any(&request.message())], GasLimit::Auto).unwrap();
        let answer: MsgRequestReadResponse = asked.response(0).unwrap();
        let job = client.wait_job(answer.job).unwrap();
        assert_eq!(job.status(), JobStatus::Done, "{job:?}");
        let outcome = Outcome::decode(&job.outcome.as_ref().unwrap().outcome).unwrap();
        (Statement::decode(&job.statement).unwrap(), outcome)
    };
    // What everybody may know of another image is known; what is kept for her she opens, and it is the same.
    let (statement, sealed_outcome) = ask(Disclosure::Sealed);
    let Outcome::Sealed { commitment, ciphertext, .. } = &sealed_outcome else { panic!("{sealed_outcome:?}") };
    let outputs = open_outputs(&content, &statement, commitment, ciphertext).unwrap();
    let needles = [
        record[60..100].to_vec(),
        content.key(&[&b"aceso/seal/file/1"[..], &[9; 32]].concat()).to_vec(),
        content.key(&[&b"aceso/blind/1"[..], &statement.job.to_be_bytes()].concat()).to_vec(),
    ];
    let rows = (0..32_u32).map(|row| (0..40).map(|at| ((row * 40 + at).wrapping_mul(31) % 251) as u8 ^ 3).collect());
    let needles: Vec<Vec<u8>> = needles.into_iter().chain(rows).collect();
    let (_, predicate) = ask(Disclosure::Predicate(vec![manifest.output.findings[0].id.clone()]));
    assert!(matches!(predicate, Outcome::Predicate { .. }), "{predicate:?}");
    let (_, open) = ask(Disclosure::Open);
    let Outcome::Open { outputs: disclosed, .. } = open else { panic!("{open:?}") };
    assert_eq!(disclosed, outputs);

    assert_eq!(node.stop(), 0);
    let mut said = String::new();
    log.read_to_string(&mut said).unwrap();
    fs::write(home.path().join("log"), &said).unwrap();
    let mut found = Vec::new();
    holding(home.path(), &needles, &mut found);
    assert!(found.is_empty(), "{found:?}");
    assert!(fs::read_dir(home.path().join("data/shares")).unwrap().count() <= 1, "shares of closed jobs stay");
    fs::write(home.path().join("leak"), &record).unwrap();
    holding(home.path(), &needles, &mut found);
    assert_eq!(found.len(), 1, "the test sees nothing");

    // Later she doubts what was signed, and shows the key: everybody computes it again.
    let node = Node::start(home.path(), &["--fund", &fund]);
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let (job, words, file_path, key_path) =
        (statement.job.to_string(), fund.split('=').next().unwrap(), path("sealed"), path("record.key"));
    fs::write(&file_path, &file).unwrap();
    fs::write(&key_path, hex::encode(patient.to_bytes())).unwrap();
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

//! A sealed read by four validators while somebody listens on every line and reads every disk.
//!
//! The patient gives her file to one validator, the others fetch it from there; all open it, and nothing of what they open,
//! nor a key, is in a packet, a file or a log, in bytes, hexadecimal or base64. That the listener hears is shown by the
//! sealed bytes themselves.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use aceso_client::{
    GasLimit, SealedRead, any, random,
    sealed::{Giving, register},
};
use aceso_seal::KeyStore;
use aceso_test_support::picture;
use aceso_types::{
    Digest,
    msg::{MsgRequestReadResponse, SealedFile},
    query::{JobStatus, QueryReader, QueryRecord, QueryValidators, ReaderRow},
    sealed::{Disclosure, Terms, VERSION},
};
use aceso_verify::grant::ContentPoint;
use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::prepared;
use crate::{
    clinic::{Clinic, Visitor},
    net::{Net, Node, POLL, Programs},
    random::Random,
    space::address,
    wire::Wire,
};

/// Pixels of a row of the picture.
const WIDTH: usize = 40;
const PATIENCE: Duration = Duration::from_secs(60);

/// Something that must not be seen.
struct Needle {
    name: String,
    bytes: Vec<u8>,
}

pub(crate) fn run(programs: &Programs, _quick: bool, _random: &mut Random) -> Result<Vec<String>> {
    let (mut net, accounts) = prepared(programs, true)?;
    let wire = Wire::tap()?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, PATIENCE)?;
    let patient = Visitor::new(&net.nodes[0], accounts.authority.clone())?;
    let clinic = Clinic::found(&patient, &accounts.keys)?;
    for node in &net.nodes {
        register_opener(node)?;
    }

    // On the patient's own machine.
    let (master, nonce): ([u8; 32], [u8; 32]) = (random()?, random()?);
    let mut store = KeyStore::new(master);
    store.add("image", nonce)?;
    let (secret, content) = (store.key("image")?, ContentPoint::generate(&random()?));
    let (record, salt): (_, [u8; 32]) = (picture(77), random()?);
    let tags = [("modality".to_owned(), "DX".to_owned()), ("body_part".to_owned(), "CHEST".to_owned())].into();
    let about = ("image/png", tags);
    let file = aceso_seal::seal(&content, &patient.address, salt, about, &record[..], record.len() as u64, Vec::new())?;

    let (client, owner) = (&patient.client, patient.address.as_str());
    let (cid, size) = client.put_blob(&file[..])?;
    let files = vec![SealedFile { cid: cid.to_string(), size, ..SealedFile::default() }];
    patient.tx(any(&register(&client.chain().id, owner, files, &secret, &content, &random()?)))?;
    let question = QueryRecord { owner: owner.into(), cid: cid.to_string(), ..QueryRecord::default() };
    let row = client.ask(&question)?.context("there is no such record")?;
    let readers = committee(&patient)?;
    ensure!(readers.len() == net.nodes.len(), "{} operators have registered a key", readers.len());
    let terms = terms(owner)?;
    let giving = Giving {
        chain_id: &client.chain().id,
        granter: owner,
        number: 1,
        record: &row,
        from: None,
        expires: readers.iter().map(|reader| reader.expires).min().unwrap_or_default(),
        to: &readers,
        committee: true,
        terms: &terms,
    };
    patient.tx(any(&giving.prove(&secret, random()?, &random()?)?))?;
    let read = SealedRead {
        requester: owner,
        actor: owner,
        model: clinic.model,
        owner,
        image: cid,
        grant: (owner, 1),
        terms: &terms,
        purpose: "TREAT",
        disclosure: &Disclosure::Sealed,
        deadline: client.height()? + 200,
    };
    let asked = client.send(&patient.key, vec![any(&read.message())], GasLimit::Auto)?;
    let job = client.wait_job(asked.response::<MsgRequestReadResponse>(0)?.job)?;
    ensure!(job.status() == JobStatus::Done, "the job is {:?}", job.status());

    let mut needles = vec![
        Needle { name: "the picture's file".into(), bytes: record[60..100].to_vec() },
        Needle { name: "K".into(), bytes: content.to_bytes().to_vec() },
        Needle { name: "the patient's key of the image".into(), bytes: secret.to_bytes().to_vec() },
        Needle { name: "the patient's master secret".into(), bytes: master.to_vec() },
        Needle { name: "the image's nonce".into(), bytes: nonce.to_vec() },
        Needle { name: "the image's account".into(), bytes: store.account("image")?.to_vec() },
    ];
    let file_key = content.key(&[&b"aceso/seal/file/1"[..], &salt].concat());
    needles.push(Needle { name: "the file's key".into(), bytes: file_key.to_vec() });
    let pixel = |at: usize| u8::try_from((at * 31) % 251).unwrap_or_default() ^ 77;
    needles.extend((0..32).map(|row| Needle {
        name: format!("row {row} of the pixels"),
        bytes: (0..WIDTH).map(|at| pixel(row * WIDTH + at)).collect(),
    }));
    // What a home holds of its own must be in no packet, and in no other file.
    let own: Vec<Needle> =
        net.nodes.iter().map(own_secrets).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();

    let lines = wire.end()?;
    let bytes: usize = lines.values().map(Vec::len).sum();
    for needle in needles.iter().chain(&own) {
        for form in forms(&needle.bytes) {
            if let Some((line, _)) = lines.iter().find(|(_, stream)| holds(stream, &form)) {
                bail!("{} went over {line:?}", needle.name);
            }
        }
    }
    // The listener has heard the sealed bytes on their way from one validator to another.
    let sealed = &file[file.len() / 2..][..64];
    let validators: Vec<String> = (0..net.nodes.len()).map(address).collect();
    let between = |line: &crate::wire::Line| [line.0, line.2].iter().all(|at| validators.contains(&at.to_string()));
    let fetched = lines.iter().filter(|(line, stream)| between(line) && holds(stream, sealed)).count();
    ensure!(fetched > 0, "nobody was heard fetching the sealed file, so nothing was heard");

    let (mut searched, mut found) = (0, Vec::new());
    for node in &net.nodes {
        search(&node.home, &needles, &mut searched, &mut found)?;
    }
    ensure!(found.is_empty(), "{}", found.join("; "));
    search_control(&net, &needles)?;
    Ok(vec![
        format!("{bytes} bytes of {} connections and {searched} files hold nothing of it", lines.len()),
        format!("the sealed file was fetched {fetched} times"),
    ])
}

/// Registers a validator's opener key by its own operator.
fn register_opener(node: &Node) -> Result<()> {
    let mut command = Command::new(&node.program);
    command.args(["opener", "register", "--home"]).arg(&node.home);
    command.arg("--from").arg(node.home.join("keys/operator.mnemonic"));
    command.args(["--node", &node.rpc, "--rest", &node.rest]);
    let output = command.output()?;
    ensure!(output.status.success(), "no opener key: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The keys of all operators, once they have them.
fn committee(patient: &Visitor) -> Result<Vec<ReaderRow>> {
    let begun = Instant::now();
    loop {
        let validators = patient.client.ask(&QueryValidators::default())?.context("there are no validators")?;
        let operators = validators.rows.iter().map(|row| row.operator.clone());
        let readers = operators.map(|account| patient.client.ask(&QueryReader { account, epoch: 0, latest: true }));
        let readers: Option<Vec<ReaderRow>> = readers.collect::<std::result::Result<_, _>>()?;
        if let Some(readers) = readers {
            return Ok(readers);
        }
        ensure!(begun.elapsed() < PATIENCE, "not all operators have a key");
        std::thread::sleep(POLL);
    }
}

fn terms(actor: &str) -> Result<Terms> {
    Ok(Terms {
        version: VERSION,
        salt: Digest(random()?),
        actors: vec![actor.into()],
        anybody: false,
        via: Vec::new(),
        purposes: vec!["TREAT".into()],
        models: Vec::new(),
        not_before: 0,
        uses: 2,
        open: false,
        sealed: true,
        findings: Vec::new(),
        bits: 0,
        rewrap: false,
        emergency: false,
    })
}

/// The secrets that a validator keeps in files of its own.
fn own_secrets(node: &Node) -> Result<Vec<Needle>> {
    let mut own = Vec::new();
    let mut files = vec![node.home.join("config/attest_key.json")];
    for entry in fs::read_dir(node.home.join("config/opener"))? {
        files.push(entry?.path());
    }
    for file in files {
        let text = fs::read(&file).with_context(|| file.display().to_string())?;
        let key: Value = serde_json::from_slice(&text)?;
        let secret = key["priv_key"]["value"].as_str().with_context(|| format!("no secret in {}", file.display()))?;
        own.push(Needle { name: format!("the secret of {}", file.display()), bytes: STANDARD.decode(secret)? });
    }
    Ok(own)
}

/// How bytes may be written: as they are, in hexadecimal digits, in base64 wherever a group of three begins.
fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![bytes.to_vec(), hex::encode(bytes).into_bytes(), hex::encode_upper(bytes).into_bytes()];
    for at in 0..3 {
        let rest = bytes.get(at..).unwrap_or_default();
        let whole = rest.get(..rest.len() / 3 * 3).unwrap_or_default();
        forms.push(STANDARD.encode(whole).into_bytes());
    }
    forms
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(bytes, needle).is_some()
}

/// Looks into every file below a folder.
fn search(folder: &Path, needles: &[Needle], searched: &mut usize, found: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            search(&path, needles, searched, found)?;
            continue;
        }
        // A file may go while it is looked for, and a socket is none.
        let Ok(bytes) = fs::read(&path) else { continue };
        *searched += 1;
        for needle in needles {
            if forms(&needle.bytes).iter().any(|form| holds(&bytes, form)) {
                found.push(format!("{} is in {}", needle.name, path.display()));
            }
        }
    }
    Ok(())
}

/// The search would have found it.
fn search_control(net: &Net, needles: &[Needle]) -> Result<()> {
    let folder = net.folder("control");
    fs::create_dir(&folder)?;
    let spelt: Vec<u8> = needles.iter().flat_map(|needle| STANDARD.encode(&needle.bytes).into_bytes()).collect();
    fs::write(folder.join("leak"), spelt)?;
    let (mut searched, mut found) = (0, Vec::new());
    search(&folder, needles, &mut searched, &mut found)?;
    ensure!(found.len() == needles.len(), "the search finds {} of {}", found.len(), needles.len());
    Ok(())
}

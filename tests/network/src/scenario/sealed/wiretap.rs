//! Somebody listens on every line and reads every disk while two sealed reads are asked for, one of them with a result that
//! is a file.
//!
//! The patient gives her file to one validator, the others fetch it from there; all open it, and nothing of what they open,
//! nor a key, nor what comes out, is in a packet, a file or a log, in bytes, hexadecimal or base64. That the listener hears
//! is shown by the sealed bytes themselves.

use std::{collections::BTreeSet, fs, path::Path, thread::sleep};

use aceso_test_support::picture;
use aceso_types::{
    ModelId,
    sealed::{Disclosure, Outcome},
};
use aceso_verify::outcome::open_result;
use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{SEED, SOON};
use crate::{
    clinic::Visitor,
    net::{Net, Node, POLL},
    space::address,
    ward::{Said, Ward},
    wire::Wire,
};

/// Pixels of a row of the picture.
const WIDTH: usize = 40;
/// Bytes of a result that are looked for, and how many of them have to differ: others have none like them.
const PIECE: usize = 48;
const DIFFERENT: usize = 16;

/// Something that must not be seen.
struct Needle {
    name: String,
    bytes: Vec<u8>,
}

/// Asks both models, listens until the long result was fetched, and answers with it.
pub(super) fn run(
    net: &Net,
    wire: Wire,
    physician: &Visitor,
    ward: &Ward,
    models: [ModelId; 2],
) -> Result<(Said, Vec<String>)> {
    let client = &physician.client;
    let read = |model: ModelId| -> Result<Said> {
        let deadline = client.height()? + SOON;
        let job = *ward.ask(physician, model, &Disclosure::Sealed, 1, deadline)?.end();
        Said::of(client.wait_job(job)?)
    };
    let [short, long] = models;
    let (short, long) = (read(short)?, read(long)?);
    ensure!(matches!(short.outcome, Outcome::Sealed { .. }), "the short read came to {:?}", short.outcome);
    let Outcome::Stored { blob, .. } = &long.outcome else { bail!("the long read came to {:?}", long.outcome) };
    let mut kept = net.nodes.iter().filter_map(|node| client.at(&node.rest).get_blob(blob).ok().flatten());
    let result = kept.next().context("nobody has the long result")?;
    let outputs = open_result(&ward.content, &long.statement, &long.outcome, Some(&result))?;

    let mut needles = vec![Needle { name: "the picture's file".into(), bytes: picture(SEED)[60..100].to_vec() }];
    needles.extend(ward.secrets.iter().map(|(name, bytes)| Needle { name: (*name).into(), bytes: bytes.clone() }));
    let pixel = |at: usize| u8::try_from((at * 31) % 251).unwrap_or_default() ^ SEED;
    needles.extend((0..32).map(|row| Needle {
        name: format!("row {row} of the pixels"),
        bytes: (0..WIDTH).map(|at| pixel(row * WIDTH + at)).collect(),
    }));
    let is_telling = |piece: &&[u8]| piece.iter().collect::<BTreeSet<_>>().len() >= DIFFERENT;
    let telling = outputs.iter().find_map(|output| output.data().chunks_exact(PIECE).find(is_telling));
    let telling = telling.context("the long result has no piece that is like no other")?;
    needles.push(Needle { name: "the long result".into(), bytes: telling.to_vec() });
    // What a home holds of its own must be in no packet, and in no other file.
    let own: Vec<Needle> =
        net.nodes.iter().map(own_secrets).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();

    // Who listens may be some packets behind.
    sleep(POLL);
    let lines = wire.end()?;
    let bytes: usize = lines.values().map(Vec::len).sum();
    for needle in needles.iter().chain(&own) {
        for form in forms(&needle.bytes) {
            if let Some((line, _)) = lines.iter().find(|(_, stream)| holds(stream, &form)) {
                bail!("{} went over {line:?}", needle.name);
            }
        }
    }
    // The listener has heard the result's sealed bytes on their way here, and the file's from one validator to another.
    let middle = &result[result.len() / 2..][..64];
    ensure!(lines.values().any(|stream| holds(stream, middle)), "nobody was heard fetching the long result");
    let sealed = &ward.file[ward.file.len() / 2..][..64];
    let validators: Vec<String> = (0..net.nodes.len()).map(address).collect();
    let between = |line: &crate::wire::Line| [line.0, line.2].iter().all(|at| validators.contains(&at.to_string()));
    let fetched = lines.iter().filter(|(line, stream)| between(line) && holds(stream, sealed)).count();
    ensure!(fetched > 0, "nobody was heard fetching the sealed file, so nothing was heard");

    let (mut searched, mut found) = (0, Vec::new());
    for node in &net.nodes {
        search(&node.home, &needles, &mut searched, &mut found)?;
    }
    ensure!(found.is_empty(), "{}", found.join("; "));
    search_control(net, &needles)?;
    let facts = vec![
        format!("{bytes} bytes of {} connections and {searched} files hold nothing of it", lines.len()),
        format!("the sealed file was fetched {fetched} times"),
    ];
    Ok((long, facts))
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

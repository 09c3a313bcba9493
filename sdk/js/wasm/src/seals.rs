//! Records sealed and opened piece by piece.
//!
//! A piece belongs to a *task*, which stays here between calls and is asked for by its number (u32, big-endian). A task that
//! is finished, given up or refused something is gone, with its keys.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aceso_seal::{Header, Inner, Opener, RecordSealer, Unsealer};
use aceso_verify::grant::ContentPoint;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Answer, Refusal,
    grants::{decimal, place, read, sized},
};

/// Most tasks at a time: each holds a leaf, and a piece or two of the record.
const TASKS_MAX: usize = 16;
/// Bytes of the record that one call answers at most.
const PIECE: usize = 1 << 20;

type Result = std::result::Result<Answer, Refusal>;

enum Task {
    Sealing(Box<RecordSealer<Vec<u8>>>),
    Opening(Box<Unsealer>),
}

struct Tasks {
    next: u32,
    held: BTreeMap<u32, Task>,
}

static TASKS: Mutex<Tasks> = Mutex::new(Tasks { next: 1, held: BTreeMap::new() });

/// What is sealed; the length as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    owner: String,
    media: String,
    #[serde(deserialize_with = "decimal")]
    length: u64,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// A file of which a leaf is opened; the size as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AboutLeaf {
    #[serde(deserialize_with = "decimal")]
    size: u64,
    leaf: u32,
}

/// A file that is opened, and the longest record that is wanted; both as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AboutFile {
    #[serde(deserialize_with = "decimal")]
    size: u64,
    #[serde(deserialize_with = "decimal")]
    most: u64,
}

/// [`Inner`] in JSON: the length as text.
#[derive(Serialize)]
struct InnerJson<'a> {
    media: &'a str,
    length: String,
    deflated: bool,
    tags: &'a BTreeMap<String, String>,
}

pub(crate) fn begin(point: &[u8], about: &[u8], salt: &[u8]) -> Result {
    let (content, about): (_, About) = (ContentPoint::from_bytes(point)?, read(about)?);
    let (salt, kind) = (*sized(salt, "a salt")?, (about.media.as_str(), about.tags));
    let sealer = RecordSealer::new(&content, &about.owner, salt, kind, about.length, Vec::new())?;
    add(Task::Sealing(Box::new(sealer)), json!({}))
}

pub(crate) fn write(task: &[u8], bytes: &[u8]) -> Result {
    with(task, |task| match task {
        Task::Sealing(mut sealer) => {
            sealer.write_all(bytes)?;
            let complete = std::mem::take(sealer.out());
            Ok((Answer::bytes(complete), Some(Task::Sealing(sealer))))
        }
        Task::Opening(_) => Err("this task opens a file".to_owned().into()),
    })
}

pub(crate) fn finish(task: &[u8]) -> Result {
    with(task, |task| match task {
        Task::Sealing(sealer) => Ok((Answer::bytes(sealer.finish()?), None)),
        Task::Opening(_) => Err("this task opens a file".to_owned().into()),
    })
}

pub(crate) fn header(file: &[u8]) -> Result {
    let (header, length) = Header::decode(file)?;
    let Header { owner, salt, commitment } = header;
    Ok(Answer::json(&json!({"owner": owner, "salt": salt, "commitment": commitment, "bytes": length}))?)
}

pub(crate) fn leaf(point: &[u8], first: &[u8], about: &[u8], leaf: &[u8]) -> Result {
    let (content, about): (_, AboutLeaf) = (ContentPoint::from_bytes(point)?, read(about)?);
    let opener = Opener::new(&content, first, about.size)?;
    Ok(Answer::with(&json!({"leaves": opener.leaves()}), opener.leaf(about.leaf, leaf)?)?)
}

pub(crate) fn unseal_begin(point: &[u8], first: &[u8], about: &[u8]) -> Result {
    let (content, about): (_, AboutFile) = (ContentPoint::from_bytes(point)?, read(about)?);
    let unsealer = Unsealer::new(&content, first, about.size, about.most)?;
    let owner = unsealer.header().owner.clone();
    add(Task::Opening(Box::new(unsealer)), json!({"owner": owner}))
}

pub(crate) fn unseal_leaf(task: &[u8], leaf: &[u8]) -> Result {
    with(task, |task| match task {
        Task::Opening(mut unsealer) => {
            unsealer.leaf(leaf)?;
            let inner = Answer::json(&unsealer.inner().map(inner_json))?;
            Ok((inner, Some(Task::Opening(unsealer))))
        }
        Task::Sealing(_) => Err("this task seals a record".to_owned().into()),
    })
}

pub(crate) fn unseal_read(task: &[u8]) -> Result {
    with(task, |task| match task {
        Task::Opening(mut unsealer) => {
            let mut piece = vec![0; PIECE];
            let got = unsealer.read(&mut piece)?;
            piece.truncate(got);
            Ok((Answer::bytes(piece), Some(Task::Opening(unsealer))))
        }
        Task::Sealing(_) => Err("this task seals a record".to_owned().into()),
    })
}

pub(crate) fn unseal_finish(task: &[u8]) -> Result {
    with(task, |task| match task {
        Task::Opening(unsealer) => {
            let (header, inner) = unsealer.finish()?;
            Ok((Answer::json(&json!({"owner": header.owner, "inner": inner_json(&inner)}))?, None))
        }
        Task::Sealing(_) => Err("this task seals a record".to_owned().into()),
    })
}

pub(crate) fn give_up(task: &[u8]) -> Result {
    with(task, |_| Ok((Answer::bytes([]), None)))
}

fn inner_json(inner: &Inner) -> InnerJson<'_> {
    let Inner { media, length, deflated, tags } = inner;
    InnerJson { media, length: length.to_string(), deflated: *deflated, tags }
}

fn tasks() -> MutexGuard<'static, Tasks> {
    // Each change is a single insertion or removal.
    TASKS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add(task: Task, mut json: serde_json::Value) -> Result {
    let mut tasks = tasks();
    if tasks.held.len() >= TASKS_MAX {
        return Err(format!("{TASKS_MAX} files are in progress already: finish one first").into());
    }
    let number = tasks.next;
    tasks.next = tasks.next.wrapping_add(1);
    tasks.held.insert(number, task);
    if let Some(json) = json.as_object_mut() {
        json.insert("task".into(), number.into());
    }
    Ok(Answer::json(&json)?)
}

/// Takes a task out, lets it do something, and puts it back if it goes on.
fn with(number: &[u8], act: impl FnOnce(Task) -> std::result::Result<(Answer, Option<Task>), Refusal>) -> Result {
    let number = place(number)?;
    let task = tasks().held.remove(&number);
    let (answer, goes_on) = act(task.ok_or_else(|| format!("no file is in progress under number {number}"))?)?;
    if let Some(task) = goes_on {
        tasks().held.insert(number, task);
    }
    Ok(answer)
}

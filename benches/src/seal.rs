//! What does it cost to seal a record and put it where validators look, beside boxo's import of the same bytes unsealed? And
//! what does it cost to check a grant?
//!
//! `cargo xtask bench seal [--boxo PATH]`. One thread seals what it reads from a file, with others that compress, another cuts,
//! hashes and writes, with one flush at the end; between them are two leaves. `PATH` is the program of `benches/peers/boxo`,
//! built by the task where there is Go, which takes turns with ours on the same file; without it the stated figure stands
//! in its place. Memory is the peak of this process after sealing and importing, which comes first.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Instant,
};

use aceso_blobs::{BlobStore, Options};
use aceso_seal::{LEAF, Opener, seal};
use aceso_test_support::random::Random;
use aceso_types::Digest;
use aceso_verify::grant::{ContentPoint, Granted, PublicKey, Registered, Registration, SecretKey, Wrap};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// What boxo was seen to take for 500 MB, synced, in seconds; what we may take of it, and of memory, in MB.
const PEER_SECONDS: f64 = 2.2;
const PEER_FACTOR: f64 = 1.5;
const RSS_MAX: f64 = 96.0;
/// Megabytes of the record.
const RECORD: u64 = 500;
/// How often the two take turns.
const ROUNDS: usize = 3;

/// Runs all cases in `dir`.
pub(crate) fn run(dir: &Path, boxo: Option<PathBuf>, quick: bool, mut emit: impl FnMut(Value)) -> Result<()> {
    let mut row = |case: &str, ours: f64, unit: &str, peer: Option<(f64, &str)>| {
        let better = |peer: f64| if unit.ends_with("/s") { ours / peer } else { peer / ours };
        emit(json!({
            "bench": "seal", "case": case, "ours": ours, "unit": unit, "peer": peer.map(|(peer, _)| peer),
            "peer_name": peer.map(|(_, name)| name), "ratio": peer.map(|(peer, _)| better(peer)),
        }));
    };
    let megabytes = if quick { RECORD / 5 } else { RECORD };
    let record = dir.join("record");
    let stated = (PEER_SECONDS * PEER_FACTOR * megabytes as f64 / RECORD as f64, "target");
    for (what, media, fill) in RECORDS {
        write_record(&record, megabytes, fill)?;
        let (mut ours, mut peer, mut left) = (Vec::new(), Vec::new(), 0.0);
        for _ in 0..if quick { 1 } else { ROUNDS } {
            let (took, size) = import(dir, &record, media)?;
            ours.push(took);
            left = 100.0 * size as f64 / fs::metadata(&record)?.len() as f64;
            if let Some(boxo) = &boxo {
                peer.push(beside(boxo, &record, dir)?);
            }
        }
        let case = format!("seal and import of {megabytes} MB {what}, one fsync");
        let peer = if boxo.is_some() { (median(&mut peer), "boxo, unsealed") } else { stated };
        row(&case, median(&mut ours), "s", Some(peer));
        row(&format!("what is left {what}"), left, "%", None);
    }
    row("peak RSS of all that", peak_rss()?, "MB", Some((RSS_MAX, "target")));
    fs::remove_file(&record)?;

    let (seal, open) = one_leaf(if quick { 50 } else { 300 })?;
    row("sealing in memory, one thread", seal, "MB/s", None);
    row("opening leaves at random places, one thread", open, "MB/s", None);
    grants(if quick { 20 } else { 100 }, row)
}

/// Seals a file and imports what comes of it: the seconds, and how many bytes are stored.
fn import(dir: &Path, record: &Path, media: &str) -> Result<(f64, u64)> {
    let folder = tempfile::tempdir_in(dir)?;
    let store = BlobStore::open(folder.path(), Options::default())?;
    let length = fs::metadata(record)?.len();
    let (send, leaves) = sync_channel(2);
    let start = Instant::now();
    let put = thread::scope(|scope| -> Result<_> {
        let sealing = scope.spawn(move || -> io::Result<()> {
            let about = (media, BTreeMap::new());
            let content = ContentPoint::generate(&[1; 64]);
            seal(&content, "aceso1patient", [7; 32], about, File::open(record)?, length, Leaves(send)).map(drop)
        });
        let put = store.put(Arriving { leaves, leaf: Vec::new(), at: 0 }, u64::MAX)?;
        sealing.join().map_err(|_| anyhow::anyhow!("the sealing thread died"))??;
        Ok(put)
    })?;
    let took = start.elapsed().as_secs_f64();
    ensure!(media != "application/pdf" || put.size > length, "the store has {} of {length} bytes", put.size);
    Ok((took, put.size))
}

/// Runs the peer on the same file in a folder of its own; its seconds.
fn beside(boxo: &Path, file: &Path, dir: &Path) -> Result<f64> {
    let folder = tempfile::tempdir_in(dir)?;
    let said = Command::new(boxo).arg(file).arg(folder.path().join("flatfs")).output().context("cannot start boxo")?;
    ensure!(said.status.success(), "boxo failed: {}", String::from_utf8_lossy(&said.stderr));
    let said: Value = serde_json::from_slice(&said.stdout)?;
    said["seconds"].as_f64().context("boxo says no time")
}

/// Megabytes a second of sealing, and of opening single leaves.
fn one_leaf(leaves: usize) -> Result<(f64, f64)> {
    let content = ContentPoint::generate(&[1; 64]);
    let megabytes = leaves as f64 * LEAF as f64 / 1e6;
    let mut record = vec![0; leaves * LEAF];
    Random::new(3).fill(&mut record);
    let about = ("application/pdf", BTreeMap::new());
    let start = Instant::now();
    let file = seal(&content, "aceso1patient", [7; 32], about, &record[..], record.len() as u64, Vec::new())?;
    let sealed = megabytes / start.elapsed().as_secs_f64();

    let opener = Opener::new(&content, &file, file.len() as u64)?;
    let (mut noise, mut opened) = (Random::new(4), 0);
    let start = Instant::now();
    for _ in 0..leaves {
        let number = u32::try_from(noise.next() % u64::from(opener.leaves()))?;
        let leaf = file.chunks(LEAF).nth(number as usize).context("no such leaf")?;
        opened += opener.leaf(number, leaf)?.len();
    }
    Ok((sealed, opened as f64 / 1e6 / start.elapsed().as_secs_f64()))
}

/// Making and checking by `sdk/verify`, which takes the same time whatever the secrets; validators check with another library.
fn grants(runs: u32, mut row: impl FnMut(&str, f64, &str, Option<(f64, &str)>)) -> Result<()> {
    let digest = Digest([1; 32]);
    let about = Registered { chain_id: "clinic-1", cid: "bafy", owner: "aceso1patient", commitment: &digest };
    let granted = Granted {
        chain_id: "clinic-1",
        version: 1,
        source: &digest,
        cid: "bafy",
        owner: "aceso1patient",
        grant: 1,
        nonce: &[1; 16],
        epoch: 1,
        committee: &digest,
        terms: &digest,
    };
    let key = |number: u8| SecretKey::derive(&[number; 32], b"bench", &[]);
    let (patient, content) = (key(200)?, ContentPoint::generate(&[1; 64]));
    let registration = Registration::new(&about, &patient, &content, &[2; 64]);
    let bytes = registration.to_bytes();
    let took = timed(runs, || Ok(Registration::from_bytes(&bytes)?.check(&about)?))?;
    row("check of a registration, bytes to yes", took, "ms", None);
    for count in [1, 5, 128] {
        let members: Vec<PublicKey> = (0..count)
            .map(|number| Ok(key(number)?.public()))
            .collect::<Result<_, aceso_verify::grant::GrantError>>()?;
        let make = || Wrap::new(&granted, &patient, &registration.sealed, &members, &[3; 64]);
        let took = timed(runs.div_ceil(count.into()), || {
            make()?;
            Ok(())
        })?;
        row(&format!("making a wrap for {count}"), took, "ms", None);
        let bytes = make()?.to_bytes();
        let check =
            || Ok(Wrap::from_bytes(&bytes)?.check(&granted, &patient.public(), &registration.sealed, &members)?);
        let took = timed(runs.div_ceil(count.into()), check)?;
        row(&format!("check of a wrap for {count}, bytes to yes"), took, "ms", None);
    }
    Ok(())
}

/// Milliseconds of a run, the median.
fn timed(runs: u32, run: impl Fn() -> Result<()>) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..runs.max(3) {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(&mut times))
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Writes megabytes and leaves them in the page cache.
fn write_record(path: &Path, megabytes: u64, fill: Fill) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let (mut noise, mut piece) = (Random::new(1), vec![0; 1_000_000]);
    for at in 0..megabytes {
        fill(&mut noise, at * 1_000_000, &mut piece);
        file.write_all(&piece)?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(())
}

/// Makes a piece of a record that begins at a byte.
type Fill = fn(&mut Random, u64, &mut [u8]);

/// What is sealed: of which media type, and how it is made.
const RECORDS: [(&str, &str, Fill); 3] = [
    ("of noise that is not compressed", "application/pdf", |noise, _, piece| noise.fill(piece)),
    ("of noise of 12 bits in 16", "application/dicom", |noise, _, piece| {
        noise.fill(piece);
        piece.iter_mut().skip(1).step_by(2).for_each(|high| *high &= 0x0f);
    }),
    ("of slices like a scanner's", "application/dicom", slices),
];

/// 512 by 512 pixels of 16 bits, little-endian: nothing around a round body in which values rise evenly, with 6 bits of noise.
fn slices(noise: &mut Random, at: u64, piece: &mut [u8]) {
    const SIDE: u64 = 512;
    const RADIUS: u64 = 200;
    for (pixel, bytes) in (at / 2..).zip(piece.chunks_exact_mut(2)) {
        let (x, y) = (pixel % SIDE, pixel / SIDE % SIDE);
        let inside = x.abs_diff(SIDE / 2).pow(2) + y.abs_diff(SIDE / 2).pow(2) < RADIUS * RADIUS;
        let value = if inside { 600 + x + y / 2 + noise.next() % 64 } else { 0 };
        bytes.copy_from_slice(&u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes());
    }
}

/// This process's largest resident memory so far, in MB.
fn peak_rss() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<f64>()? / 1024.0)
}

/// Hands leaves to another thread.
struct Leaves(SyncSender<Vec<u8>>);

impl Write for Leaves {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.into()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Leaves of another thread, one after another.
struct Arriving {
    leaves: Receiver<Vec<u8>>,
    leaf: Vec<u8>,
    at: usize,
}

impl Read for Arriving {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.leaf.len() {
            let Ok(leaf) = self.leaves.recv() else { return Ok(0) };
            (self.leaf, self.at) = (leaf, 0);
        }
        let got = (&self.leaf[self.at..]).read(out)?;
        self.at += got;
        Ok(got)
    }
}

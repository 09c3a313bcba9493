//! What is left after a writer was killed, and after the disk changed what was written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a child is told where to work, and killed after a while")]

#[allow(dead_code, reason = "each file of tests uses its part")]
mod common;

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use aceso_blobs::{BlobError, BlobStore, Put, Recovery};
use aceso_types::blob::BlobId;
use common::{bytes, open, packs};

/// Set for the process that the kill test starts: where to write, and from which seed on.
const DIR: &str = "ACESO_BLOBS_KILLED_DIR";
const FIRST: &str = "ACESO_BLOBS_KILLED_FIRST";

/// Length of the blob with this seed; one in four has several leaves.
fn length(seed: u64) -> usize {
    let size = usize::try_from(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44).unwrap();
    if seed.is_multiple_of(4) { size * 3 } else { size / 8 }
}

/// Puts, removes and compacts until it is killed. Says what it begins to remove and what is acknowledged.
fn write_until_killed(dir: &str) {
    let store = open(Path::new(dir));
    let mut out = std::io::stdout();
    for seed in env::var(FIRST).unwrap().parse::<u64>().unwrap().. {
        let put = store.put(&bytes(seed, length(seed))[..], u64::MAX).unwrap();
        writeln!(out, "put {seed} {}", put.id).unwrap();
        if seed % 3 == 1 {
            let old = name(&bytes(seed - 1, length(seed - 1)));
            if store.has(&old).unwrap() {
                writeln!(out, "removing {} {old}", seed - 1).unwrap();
                store.remove(&old).unwrap();
                writeln!(out, "removed {} {old}", seed - 1).unwrap();
            }
        }
        if seed % 5 == 4 {
            store.compact().unwrap();
        }
    }
}

/// Which blobs the writers said are here; those whose put or removal was begun may be either.
#[derive(Default)]
struct Said {
    here: BTreeMap<BlobId, u64>,
    perhaps: BTreeMap<BlobId, u64>,
    next: u64,
}

impl Said {
    fn hear(&mut self, line: &str) {
        let [verb, seed, id] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (seed, id) = (seed.parse().unwrap(), id.parse().unwrap());
        self.next = self.next.max(seed + 1);
        match verb {
            "put" => drop(self.here.insert(id, seed)),
            "removing" => self.perhaps.extend(self.here.remove_entry(&id)),
            "removed" => drop(self.perhaps.remove(&id)),
            _ => panic!("{line}"),
        }
    }

    fn check(&self, store: &BlobStore) {
        for (id, seed) in &self.here {
            assert!(store.read(id, u64::MAX).unwrap() == bytes(*seed, length(*seed)), "blob {seed}");
        }
        for row in store.list(None, usize::MAX) {
            let read = store.read(&row.id, u64::MAX).unwrap();
            assert_eq!(name(&read), row.id);
            let known = self.here.contains_key(&row.id) || self.perhaps.contains_key(&row.id);
            assert!(known, "{} was neither put nor about to be", row.id);
        }
    }
}

fn name(bytes: &[u8]) -> BlobId {
    aceso_blobs::import(bytes, u64::MAX, |_, _| Ok(())).unwrap().id
}

#[test]
fn a_killed_writer_loses_nothing_it_acknowledged() {
    if let Ok(dir) = env::var(DIR) {
        return write_until_killed(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut said = Said::default();
    let mut random = 0x2545_f491_u32;
    for kill in 0..20 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "a_killed_writer_loses_nothing_it_acknowledged", "--nocapture"])
            .env(DIR, dir.path())
            .env(FIRST, said.next.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        // The clock starts with the first line, so that every kill meets a store at work.
        let first = lines.by_ref().find(|line| line.contains("put ")).unwrap();
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        thread::sleep(Duration::from_micros(u64::from(random % 60_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        said.hear(first.split_once("put ").map(|(_, rest)| format!("put {rest}")).as_deref().unwrap());
        // The last line may have been cut; its words are then too few or its identifier is broken.
        for line in lines {
            let whole = line.split(' ').nth(2).is_some_and(|id| id.parse::<BlobId>().is_ok());
            if whole {
                said.hear(&line);
            }
        }
        // The put that was killed may be whole.
        said.perhaps.insert(name(&bytes(said.next, length(said.next))), said.next);
        let store = open(dir.path());
        assert_eq!(store.recovery().damaged_roots, 0, "kill {kill}");
        assert_eq!(store.recovery().damaged_bytes, 0, "kill {kill}");
        said.check(&store);
        said.next += 1;
    }
    assert!(said.here.len() > 20, "{} blobs", said.here.len());
}

struct Filled {
    dir: tempfile::TempDir,
    blobs: Vec<(Put, Vec<u8>)>,
    /// Length of the last pack and of the roots after each put.
    ends: Vec<(u64, u64)>,
}

/// A store with blobs of several packs, the last pack holding some of them.
fn filled() -> Filled {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (mut blobs, mut ends) = (Vec::new(), Vec::new());
    for seed in 0..12 {
        let blob = bytes(seed, if seed == 3 { 3 << 20 } else { 150_000 });
        blobs.push((store.put(&blob[..], u64::MAX).unwrap(), blob));
        let length = |path: &Path| fs::metadata(path).unwrap().len();
        ends.push((length(packs(dir.path()).last().unwrap()), length(&dir.path().join("roots"))));
    }
    drop(store);
    Filled { dir, blobs, ends }
}

impl Filled {
    fn forget_indexes(&self) {
        for pack in packs(self.dir.path()) {
            fs::remove_file(pack.with_extension("index")).unwrap();
        }
    }

    fn check_all(&self, store: &BlobStore) {
        for (put, blob) in &self.blobs {
            assert!(store.read(&put.id, u64::MAX).unwrap() == *blob, "blob {}", put.id);
        }
    }
}

#[test]
fn missing_and_wrong_indexes_are_made_again() {
    let filled = filled();
    let count = packs(filled.dir.path()).len() as u64;
    assert!(count >= 4);
    filled.forget_indexes();
    let store = open(filled.dir.path());
    assert_eq!(store.recovery().indexes_rebuilt, count);
    filled.check_all(&store);
    drop(store);

    let all = packs(filled.dir.path());
    fs::copy(all[1].with_extension("index"), all[2].with_extension("index")).unwrap();
    File::create(all[0].with_extension("index")).unwrap();
    fs::write(all[0].with_extension("new"), b"half an index").unwrap();
    let store = open(filled.dir.path());
    assert!(!all[0].with_extension("new").exists());
    assert_eq!(store.recovery().indexes_rebuilt, 2);
    filled.check_all(&store);
    drop(store);
    assert_eq!(open(filled.dir.path()).recovery(), Recovery::default());
}

/// The disk loses everything after some moment: blocks reach it before the roots' row, so the last pack is cut first.
#[test]
fn a_power_cut_at_any_length_keeps_what_was_acknowledged() {
    let filled = filled();
    let last_pack = packs(filled.dir.path()).pop().unwrap();
    let start = filled.ends.windows(2).rposition(|pair| pair[1].0 < pair[0].0).unwrap() + 1;
    assert!(filled.blobs.len() - start >= 3, "several blobs lie in the last pack");
    let (pack, roots) = (fs::read(&last_pack).unwrap(), fs::read(filled.dir.path().join("roots")).unwrap());
    let mut cut = usize::try_from(filled.ends[start].0).unwrap();
    let mut step = 1;
    while cut <= pack.len() {
        let known = filled.ends.iter().skip(start).take_while(|end| end.0 <= cut as u64).count() + start;
        let torn_row = if known < filled.blobs.len() { 17 } else { 0 };
        for tail in [&b""[..], &[0; 5000], &[0xa5; 77]] {
            let tail = if cut == pack.len() { b"" } else { tail };
            fs::write(&last_pack, [&pack[..cut], tail].concat()).unwrap();
            let rows = usize::try_from(filled.ends[known - 1].1).unwrap();
            fs::write(filled.dir.path().join("roots"), &roots[..rows + torn_row]).unwrap();
            let _ = fs::remove_file(last_pack.with_extension("index"));
            let store = open(filled.dir.path());
            assert_eq!((store.recovery().damaged_bytes, store.recovery().damaged_roots), (0, 0));
            let expected = cut as u64 - filled.ends[known - 1].0 + tail.len() as u64 + torn_row as u64;
            assert!(store.recovery().torn_bytes <= expected, "{:?} at {cut}", store.recovery());
            for (i, (put, blob)) in filled.blobs.iter().enumerate() {
                assert_eq!(store.has(&put.id).unwrap(), i < known, "blob {i}, cut at {cut}");
                if i < known {
                    assert!(store.read(&put.id, u64::MAX).unwrap() == *blob);
                }
            }
            let (put, blob) = filled.blobs.last().unwrap();
            assert_eq!(store.put(&blob[..], u64::MAX).unwrap(), *put);
            assert!(store.read(&put.id, u64::MAX).unwrap() == *blob);
        }
        step = step * 3 + 1;
        cut = if cut < pack.len() { (cut + step % 40_000).min(pack.len()) } else { cut + 1 };
    }
}

fn flip(path: &Path, at: u64) {
    use std::os::unix::fs::FileExt;
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn a_flipped_byte_is_an_error_that_names_the_blob() {
    for (indexes, at) in [(true, 44), (true, 100_000), (true, 2), (true, 20), (false, 44), (false, 100_000)] {
        let filled = filled();
        let (put, blob) = &filled.blobs[0];
        flip(&packs(filled.dir.path())[0], at);
        if !indexes {
            filled.forget_indexes();
        }
        let store = open(filled.dir.path());
        let refused = store.read(&put.id, u64::MAX).unwrap_err();
        assert!(matches!(&refused, BlobError::Corrupt(place) if place.id == put.id && place.block == put.id));
        assert_eq!(
            refused.to_string(),
            format!("blob {0} is damaged: the bytes kept for its block {0} have another hash", put.id)
        );
        let mut streamed = Vec::new();
        assert!(store.open_file(&put.id).unwrap().read_to_end(&mut streamed).is_err());
        assert_eq!(streamed, b"", "no byte of it leaves");
        for (put, blob) in &filled.blobs[1..] {
            assert!(store.read(&put.id, u64::MAX).unwrap() == *blob);
        }

        store.remove(&filled.blobs[1].0.id).unwrap();
        assert_eq!(store.compact().unwrap().damaged, [put.id], "and its pack stays");
        assert_eq!(store.put(&blob[..], u64::MAX).unwrap(), *put);
        assert!(store.read(&put.id, u64::MAX).unwrap() == *blob, "a put mends it");
        assert_eq!(store.compact().unwrap().damaged, []);
        drop(store);
        assert!(open(filled.dir.path()).read(&put.id, u64::MAX).unwrap() == *blob);
    }
}

/// Without its header and without an index a block cannot be found, but all others are.
#[test]
fn a_broken_header_costs_one_block_even_without_indexes() {
    let filled = filled();
    flip(&packs(filled.dir.path())[0], 20);
    filled.forget_indexes();
    let store = open(filled.dir.path());
    assert_eq!(store.recovery().damaged_bytes, 150_044);
    let (put, _) = &filled.blobs[0];
    assert_eq!(store.stat(&put.id).unwrap(), None);
    let refused = store.read(&put.id, u64::MAX);
    assert!(matches!(&refused, Err(BlobError::Incomplete(place)) if place.id == put.id), "{refused:?}");
    for (put, blob) in &filled.blobs[1..] {
        assert!(store.read(&put.id, u64::MAX).unwrap() == *blob);
    }
    assert!(matches!(store.compact(), Err(BlobError::Incomplete(_))), "nobody knows what a broken blob needs");
}

#[test]
fn a_damaged_node_and_a_lost_pack_are_named() {
    let filled = filled();
    let (put, _) = &filled.blobs[3];
    let node = put.id.sha256();
    let (pack, at) = packs(filled.dir.path())
        .into_iter()
        .find_map(|pack| {
            let bytes = fs::read(&pack).unwrap();
            bytes.windows(32).position(|part| part == node).map(|at| (pack, at as u64))
        })
        .unwrap();
    flip(&pack, at + 40);
    let store = open(filled.dir.path());
    assert!(matches!(store.stat(&put.id), Err(BlobError::Corrupt(place)) if place.block == put.id));
    assert!(matches!(store.compact(), Err(BlobError::Corrupt(place)) if place.block == put.id));
    drop(store);
    fs::remove_file(&pack).unwrap();
    let store = open(filled.dir.path());
    assert!(!store.has(&put.id).unwrap());
    assert!(matches!(store.read(&put.id, u64::MAX), Err(BlobError::Incomplete(_))));
}

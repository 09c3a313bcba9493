//! A process that dies at any moment, and a machine that loses power, leave the last committed height.
//!
//! The test runs itself again as a child that commits a deterministic chain and tells each height once its commit
//! has returned. Killed children are random in time, or end before a block is written, before it is flushed, or with the power in the middle of that. After each, the
//! folder must hold the last height told, or the one that was being committed, with the root of a replay.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aceso_state::{FailPoint, Moment, Options, Order, StateError, Store};
use common::{COMPONENTS, Model, Random, block, open};

/// Where the child finds the folder; without it the child's test does nothing.
const HOME: &str = "ACESO_STATE_TEST_HOME";
/// The height in whose commit the child ends, or after it the first that can be torn; 0 for never.
const DIE_AT: &str = "ACESO_STATE_TEST_DIE_AT";
/// When in it: `begun`, `written`, or `torn` if power goes with it in the middle of the flush.
const DIE_WHEN: &str = "ACESO_STATE_TEST_DIE_WHEN";
/// Heights the child commits if nobody stops it.
const HEIGHTS: u64 = 5_000;

fn options(fail: Option<FailPoint>) -> Options {
    Options { cache_bytes: 8 << 20, fail, ..Options::new(COMPONENTS, 20) }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the environment tells the child from the test")]
fn child() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let die_at: u64 = std::env::var(DIE_AT).unwrap().parse().unwrap();
    let die_when = std::env::var(DIE_WHEN).unwrap();
    let fail: FailPoint = Arc::new(move |version, moment| {
        let now = || match (moment, die_when.as_str()) {
            (Moment::Begun, "begun") | (Moment::Written(_), "written") => true,
            (Moment::Written(written), "torn") => written.tear().unwrap(),
            _ => false,
        };
        if die_at != 0 && version >= die_at && now() {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        }
    });
    let store = Store::open(Path::new(&home), options(Some(fail))).unwrap();
    let mut out = std::io::stderr();
    for version in store.latest().0 + 1..=HEIGHTS {
        store.commit(store.stage(version, &block(version)).unwrap()).unwrap();
        writeln!(out, "committed {version}").unwrap();
    }
}

/// Runs a child until it dies; the last height that it told.
#[allow(clippy::disallowed_methods, reason = "the test waits before it kills")]
fn run_child(home: &Path, (die_at, die_when): (u64, &str), kill_after: Duration) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(HOME, home)
        .env(DIE_AT, die_at.to_string())
        .env(DIE_WHEN, die_when)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || {
        let lines = told.lines().map_while(Result::ok);
        lines.filter_map(|line| line.strip_prefix("committed ")?.parse().ok()).last()
    });
    if die_at == 0 {
        std::thread::sleep(kill_after);
        child.kill().unwrap();
    }
    assert!(!child.wait().unwrap().success(), "the child ended by itself");
    reader.join().unwrap()
}

#[test]
fn thirty_kills_lose_nothing_that_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random::new(20);
    let (mut model, mut height) = (Model::default(), 0);
    for kill in 0..30 {
        let die_at = if kill % 2 == 1 { height + 1 + random.below(4) } else { 0 };
        let die_when = ["begun", "written", "torn"][kill / 2 % 3];
        let told = run_child(dir.path(), (die_at, die_when), Duration::from_millis(20 + random.below(250)));

        let store = open(dir.path(), 20);
        let (latest, root) = store.latest();
        let told = told.unwrap_or(height);
        assert!(latest == told || latest == told + 1, "told {told}, found {latest}");
        if die_at != 0 {
            // A block is there once all its rows were in the journal, and power stayed.
            let want = match die_when {
                "begun" => die_at - 1,
                "written" => die_at,
                _ => told,
            };
            assert_eq!(latest, want, "{die_when}");
            assert!(latest + 1 >= die_at, "it died at {latest}, before {die_at}");
        }
        for version in height + 1..=latest {
            model.apply(&block(version));
        }
        height = latest;
        if height > 0 {
            assert_eq!(root, model.root(), "height {height}");
        }
        for component in COMPONENTS {
            let entries = store.snapshot().range(component, None, None, Order::Ascending);
            let entries: Vec<_> = entries.map(Result::unwrap).collect();
            assert_eq!(entries, model.range(component, None, None, Order::Ascending));
        }
    }
    assert!(height >= 5, "every third fail point comes after its block");

    let replayed = tempfile::tempdir().unwrap();
    let replay = open(replayed.path(), 20);
    for version in 1..=height {
        replay.commit(replay.stage(version, &block(version)).unwrap()).unwrap();
    }
    assert_eq!(replay.latest(), open(dir.path(), 20).latest());
}

/// All files below a folder, by path.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&file, target).unwrap();
    }
}

/// The bytes of a preallocated file up to its last one that is not zero.
fn written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

#[test]
fn power_lost_before_the_flush_leaves_the_height_before() {
    let dir = tempfile::tempdir().unwrap();
    let (home, flushed, unflushed) =
        (dir.path().join("home"), dir.path().join("flushed"), dir.path().join("unflushed"));
    let images = Arc::new(Mutex::new(0));
    let fail: FailPoint = {
        let (home, unflushed, images) = (home.clone(), unflushed.clone(), Arc::clone(&images));
        Arc::new(move |version, moment| {
            if version == 8 && matches!(moment, Moment::Written(_)) {
                copy(&home, &unflushed);
                *images.lock().unwrap() += 1;
            }
        })
    };
    let store = Store::open(&home, options(Some(fail))).unwrap();
    let mut roots = Vec::new();
    for version in 1..=8 {
        store.commit(store.stage(version, &block(version)).unwrap()).unwrap();
        roots.push(store.latest());
        if version == 7 {
            copy(&home, &flushed);
        }
    }
    drop(store);
    assert_eq!(*images.lock().unwrap(), 1);

    // Only the journal differs between the two images: what lies past its flushed end may be on the medium or not.
    let mut differing = files(&unflushed);
    differing.retain(|file| {
        let before = flushed.join(file.strip_prefix(&unflushed).unwrap());
        std::fs::read(before).ok() != std::fs::read(file).ok()
    });
    let [journal] = differing.as_slice() else { panic!("these differ: {differing:?}") };
    let name = journal.strip_prefix(&unflushed).unwrap();
    let after = std::fs::read(journal).unwrap();
    let (begin, end) = (written(&std::fs::read(flushed.join(name)).unwrap()), written(&after));
    assert!(end > begin + 1_000);

    let mut random = Random::new(8);
    for attempt in 0..12 {
        let image = dir.path().join(format!("image-{attempt}"));
        copy(&flushed, &image);
        let cut = begin + usize::try_from(random.below((end - begin) as u64)).unwrap();
        let mut bytes = after.clone();
        if attempt % 2 == 0 {
            bytes[cut..].fill(0);
        } else {
            bytes.truncate(cut);
        }
        std::fs::write(image.join(name), bytes).unwrap();
        let store = Store::open(&image, options(None)).unwrap();
        assert_eq!(store.latest(), roots[6], "cut at {cut} of {begin}..{end}");
        store.commit(store.stage(8, &block(8)).unwrap()).unwrap();
        assert_eq!(store.latest(), roots[7]);
        drop(store);
        assert_eq!(Store::open(&image, options(None)).unwrap().latest(), roots[7]);
    }
    assert_eq!(Store::open(&unflushed, options(None)).unwrap().latest(), roots[7]);
}

#[test]
fn altered_bytes_are_never_taken_for_the_committed_height() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let store = open(&home, 5);
    for version in 1..=5 {
        store.commit(store.stage(version, &block(version)).unwrap()).unwrap();
    }
    let (_, root) = store.latest();
    drop(store);
    let mut altered = 0;
    for file in files(&home) {
        let mut bytes = std::fs::read(&file).unwrap();
        let places: Vec<usize> =
            (0..bytes.len().saturating_sub(31)).filter(|at| bytes[*at..*at + 32] == root).collect();
        for at in places {
            bytes[at] ^= 1;
            altered += 1;
        }
        std::fs::write(&file, bytes).unwrap();
    }
    assert!(altered > 0, "the root is nowhere in the files");
    match Store::open(&home, options(None)) {
        Err(StateError::Corrupt { .. }) => {}
        Err(other) => panic!("{other}"),
        Ok(store) => assert!(store.latest().0 < 5, "altered bytes were taken for height 5"),
    }
}

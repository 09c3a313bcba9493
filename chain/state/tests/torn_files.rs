//! Files that end too early, or whose ends are not what was written: a height that was committed, or a sentence.
//!
//! The folder is as `kill -9` leaves it, with rows in files and in the journal, since closing a store writes nothing. Each
//! file of it is damaged at its end in many ways. Whatever a store over it then answers is what was committed at the
//! height that it says it has.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use aceso_state::{Options, Order, StateError, Store};
use common::{COMPONENTS, Model, Random, block};

/// The last height of the folder, and the one whose rows are the last in files.
const HEIGHT: u64 = 12;
const IN_FILES: u64 = 8;

fn options() -> Options {
    Options { cache_bytes: 8 << 20, ..Options::new(COMPONENTS, 5) }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

/// The folder, and the model at every height.
fn home(dir: &Path) -> (PathBuf, Vec<Model>) {
    let (home, image) = (dir.join("home"), dir.join("image"));
    let store = Store::open(&home, options()).unwrap();
    let mut models = vec![Model::default()];
    for version in 1..=HEIGHT {
        store.commit(store.stage(version, &block(version)).unwrap()).unwrap();
        let mut model = models.last().unwrap().clone();
        model.apply(&block(version));
        models.push(model);
        if version == IN_FILES {
            store.compact().unwrap();
        }
    }
    // Files come and go under an open one.
    drop(store);
    copy(&home, &image);
    (image, models)
}

/// Looks at all that a store holds: its height, or why it cannot say.
fn look(dir: &Path, models: &[Model]) -> Result<u64, StateError> {
    let store = Store::open(dir, options())?;
    let (height, root) = store.latest();
    let model = &models[usize::try_from(height).unwrap()];
    if height > 0 {
        assert_eq!(root, model.root(), "height {height}");
    }
    for component in COMPONENTS {
        let entries = store.snapshot().range(component, None, None, Order::Ascending).collect::<Result<Vec<_>, _>>()?;
        assert_eq!(entries, model.range(component, None, None, Order::Ascending), "{component} at {height}");
    }
    // It goes on as if nothing had been: the next block finds all nodes that it needs, or says that it does not.
    let next = store.stage(height + 1, &block(height + 1))?;
    if let Some(model) = models.get(usize::try_from(height + 1).unwrap()) {
        assert_eq!(next.root(), model.root(), "the block after {height}");
    }
    Ok(height)
}

/// The bytes of a file up to its last one that is not zero: journals are longer than what is in them.
fn written(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// Ways to damage the end of a file, each by name.
fn damages(bytes: &[u8], random: &mut Random) -> Vec<(String, Vec<u8>)> {
    let end = written(bytes);
    let mut all = Vec::new();
    let mut cuts = vec![1, 2, 8, 64, end / 2, end];
    cuts.push(usize::try_from(random.below(end.max(1) as u64)).unwrap());
    for cut in cuts.into_iter().filter(|cut| *cut <= end && *cut > 0) {
        all.push((format!("cut by {cut}"), bytes[..end - cut].to_vec()));
        let mut zeroed = bytes.to_vec();
        zeroed[end - cut..].fill(0);
        all.push((format!("last {cut} zeroed"), zeroed));
    }
    let mut flips = vec![1, 2, 5, 9, 16, 33];
    flips.extend((0..6).map(|_| usize::try_from(1 + random.below(end.clamp(1, 4096) as u64)).unwrap()));
    for back in flips.into_iter().filter(|back| *back <= end) {
        let mut flipped = bytes.to_vec();
        flipped[end - back] ^= 1 << random.below(8);
        all.push((format!("bit flipped {back} before the end"), flipped));
    }
    all
}

#[test]
fn a_damaged_end_is_a_committed_height_or_a_sentence() {
    let dir = common::dir();
    let (image, models) = home(dir.path());
    assert_eq!(look(&image, &models).unwrap(), HEIGHT);
    let damaged = dir.path().join("damaged");
    let mut random = Random::new(6);
    let (mut back, mut refused) = (0, 0);
    for file in files(&image) {
        let name = file.strip_prefix(&image).unwrap();
        let whole = fs::read(&file).unwrap();
        for (what, bytes) in damages(&whole, &mut random) {
            let _ = fs::remove_dir_all(&damaged);
            copy(&image, &damaged);
            fs::write(damaged.join(name), bytes).unwrap();
            eprintln!("{} {what}", name.display());
            match look(&damaged, &models) {
                // What was in files before the last flush stays.
                Ok(height) if height < HEIGHT => {
                    assert!(height >= IN_FILES, "{} {what}: back to {height}", name.display());
                    back += 1;
                }
                Ok(_) => {}
                Err(error) => {
                    refused += 1;
                    let words = error.to_string();
                    assert!(words.contains("state is corrupt") || words.contains("failed"), "{words}");
                }
            }
        }
    }
    assert!(back > 3 && refused > 10, "{back} went back and {refused} were refused: the damage was no test");
}

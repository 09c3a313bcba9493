//! Drives functions of bytes without a fuzzer: every file of a corpus, then spoiled ones.
//!
//! Spoiled files come from a seed, so a failure comes again; the file that failed is named and kept. The long form takes
//! twenty seconds. The environment may ask for more: `ACESO_FUZZ_SECONDS=600 ACESO_FUZZ_SEED=8 cargo xtask test --only fuzz`.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A function that must answer whatever bytes it is given, and panics where it finds a fault.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and its corpus's.
    pub name: &'static str,
    /// The crate whose folder `fuzz` it is in.
    pub home: &'static str,
    /// The function.
    pub run: fn(&[u8]),
}

impl Target {
    /// Hands over the corpus and spoiled files: some hundreds, or as many as the long form has time for.
    ///
    /// # Panics
    /// Where the target does, with the file's name.
    pub fn drive(self, corpus: &[Vec<u8>], long: bool) {
        let end = Instant::now() + Duration::from_secs(asked("ACESO_FUZZ_SECONDS", LONG));
        let (mut seed, mut count) = (asked("ACESO_FUZZ_SEED", SEED), 0);
        corpus.iter().for_each(|file| self.attempt(file));
        let small: Vec<&Vec<u8>> = corpus.iter().filter(|file| file.len() <= SPOILED_MAX).collect();
        while if long { Instant::now() < end } else { count < SHORT } {
            let mut file = small[below(&mut seed, small.len())].clone();
            spoil(&mut file, small[below(&mut seed, small.len())], &mut seed);
            self.attempt(&file);
            count += 1;
        }
        eprintln!("{}: {} files, {count} spoiled ones", self.name, corpus.len());
    }

    /// Hands over a file; where the target fails, the file is kept.
    fn attempt(self, file: &[u8]) {
        let Self { name, home, run } = self;
        if catch_unwind(AssertUnwindSafe(|| run(file))).is_err() {
            let path = std::env::temp_dir().join(format!("aceso-fuzz-{name}"));
            let kept = fs::write(&path, file);
            panic!(
                "target {name} fails on {} ({kept:?}): mend it, and keep the file in {home}/fuzz/corpus/{name}",
                path.display()
            );
        }
    }
}

/// Longest file that is spoiled: what is large is mostly weights.
const SPOILED_MAX: usize = 16 << 10;
/// Seconds of the long form, and the seed, where the environment names no others.
const LONG: u64 = 20;
const SEED: u64 = 7;
/// Spoiled files of the short form.
const SHORT: usize = 300;

/// Numbers that formats trip over.
const TELLING: [u8; 10] = [0x00, 0x01, 0x02, 0x08, 0x12, 0x3a, 0x7f, 0x80, 0xfe, 0xff];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap_or_else(|e| panic!("{}: {e}", folder.display())).path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The files below these folders whose names end so.
///
/// # Panics
/// If there are fewer than five.
pub fn corpus(folders: &[&str], ending: &str) -> Vec<Vec<u8>> {
    let there = folders.iter().map(Path::new).filter(|folder| folder.is_dir());
    let paths = there.flat_map(files);
    let wanted = paths.filter(|path| path.to_string_lossy().ends_with(ending));
    let read: Vec<_> =
        wanted.map(|path| fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).collect();
    assert!(read.len() >= 5, "the corpus {folders:?} is not there");
    read
}

/// A linear congruential generator (Knuth's constants), from 0 to below `below`.
fn below(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap_or_default() % below.max(1)
}

/// One to six changes: bits, telling bytes, pieces taken out, doubled, or taken from another file.
fn spoil(file: &mut Vec<u8>, other: &[u8], seed: &mut u64) {
    for _ in 0..=below(seed, 6) {
        let (at, length) = (below(seed, file.len() + 1), below(seed, 24));
        let end = (at + length).min(file.len());
        match below(seed, 6) {
            0 if at < file.len() => file[at] ^= 1 << below(seed, 8),
            1 if at < file.len() => file[at] = TELLING[below(seed, TELLING.len())],
            2 => drop(file.drain(at..end)),
            3 => {
                let piece = file[at..end].to_vec();
                file.splice(at..at, piece);
            }
            4 => {
                let from = below(seed, other.len() + 1);
                let piece = other[from..(from + length).min(other.len())].to_vec();
                file.splice(at..end, piece);
            }
            _ => file.insert(at, TELLING[below(seed, TELLING.len())]),
        }
    }
}

/// A number from the environment.
fn asked(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, no number")))
}

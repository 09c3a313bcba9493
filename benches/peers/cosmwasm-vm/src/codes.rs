//! The contracts: those in the published crate's tests, and those of wasmd's and wasmvm's.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use crate::Options;

/// The crate that they come with.
const CRATE: &str = "cosmwasm-vm-3.0.10";

/// A contract and the name of its file.
#[derive(Clone)]
pub(crate) struct Contract {
    pub(crate) name: String,
    pub(crate) wasm: Vec<u8>,
}

/// One of the published crate's contracts.
pub(crate) fn published(name: &str) -> Result<Vec<u8>> {
    let file = folder()?.join(name);
    fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// The token contract of wasmd's own benchmark, if its module is here.
pub(crate) fn token(wasmd: Option<&Path>) -> Option<Vec<u8>> {
    fs::read(wasmd?.join("benchmarks/testdata/cw20_base.wasm")).ok()
}

/// Where wasmd keeps contracts.
const WASMD: [&str; 5] = [
    "benchmarks/testdata",
    "tests/e2e/testdata",
    "tests/integration/testdata",
    "x/wasm/keeper/testdata",
    "x/wasm/types/testdata",
];

/// All of them, by name; of equal files the first.
pub(crate) fn all(options: &Options) -> Result<Vec<Contract>> {
    let mut files = files_in(&folder()?)?;
    if let Some(wasmd) = &options.wasmd {
        for more in WASMD {
            files.extend(files_in(&wasmd.join(more))?);
        }
    }
    if let Some(wasmvm) = &options.wasmvm {
        files.extend(files_in(&wasmvm.join("testdata"))?);
    }
    let mut seen = BTreeSet::new();
    let mut contracts = Vec::new();
    for file in files {
        let wasm = fs::read(&file)?;
        if seen.insert(wasm.clone()) {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let twice = contracts.iter().any(|known: &Contract| known.name == stem);
            let module =
                if options.wasmvm.as_ref().is_some_and(|wasmvm| file.starts_with(wasmvm)) { "wasmvm" } else { "wasmd" };
            contracts.push(Contract { name: if twice { format!("{module}/{stem}") } else { stem }, wasm });
        }
    }
    ensure!(!contracts.is_empty(), "there are no contracts");
    Ok(contracts)
}

/// A copy with another checksum that does the same: a custom section at its end.
pub(crate) fn variant(wasm: &[u8], number: u64) -> Vec<u8> {
    let mut copy = wasm.to_vec();
    copy.extend([0, 10, 1, b'v']);
    copy.extend(number.to_be_bytes());
    copy
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|end| end == "wasm"));
    files.sort();
    Ok(files)
}

/// Where cargo has unpacked the crate that this program is built with.
fn folder() -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"))).context("HOME is not set")?;
    let registries = home.join("registry/src");
    let entries = fs::read_dir(&registries).with_context(|| format!("cannot list {}", registries.display()))?;
    let found = entries.flatten().map(|entry| entry.path().join(CRATE).join("testdata")).find(|path| path.is_dir());
    found.with_context(|| format!("{CRATE} is not in {}", registries.display()))
}

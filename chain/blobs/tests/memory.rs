//! How much memory does storing and reading a large blob take? This file has one test, so the process is its alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "each file of tests uses its part")]
mod common;

use std::{fs, io::Read};

use aceso_blobs::{BlobStore, Options, import};
use common::Stream;

const MIB: u64 = 1 << 20;

fn high_water_mark() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_large_blob_passes_through_little_memory() {
    let size = 256 * MIB;
    let dir = tempfile::tempdir().unwrap();
    let before = high_water_mark();

    let store = BlobStore::open(dir.path(), Options::default()).unwrap();
    let put = store.put(Stream::new(1, size), size).unwrap();
    assert_eq!(store.put(Stream::new(1, size), size).unwrap(), put, "compared with what is kept");
    let mut file = store.open_file(&put.id).unwrap();
    assert_eq!(import(&mut file, size, |_, _| Ok(())).unwrap(), put);
    assert_eq!(file.read(&mut [0]).unwrap(), 0);
    store.remove(&put.id).unwrap();
    store.compact().unwrap();

    let grown = high_water_mark() - before;
    assert!(grown < 64 * MIB, "grew by {grown} bytes");
}

//! Names the source that plans are made by.
//!
//! A packed model is what this crate has made of an ONNX file, so another build of it must not take the file for its own:
//! what it would compute differently would part this machine from the others. Nobody has to remember a version for that.

#![allow(clippy::disallowed_methods, reason = "cargo speaks to a build script through the environment")]

use std::{env, fs, io, path::Path};

/// This crate, and the crate that says what a manifest's words mean.
const SOURCES: [&str; 3] = ["build.rs", "src", "../chain/types/src"];

fn main() -> io::Result<()> {
    let mut digest = Fnv(0xcbf2_9ce4_8422_2325);
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        digest.path(Path::new(source))?;
    }
    // What a processor's features turn on and off, and which set of vectors there is.
    digest.bytes(env::var("TARGET").unwrap_or_default().as_bytes());
    println!("cargo::rustc-env=ACESO_INFERENCE_SOURCE={}", digest.0);
    Ok(())
}

/// FNV-1a, 64 bits: it has to tell builds apart, not to withstand anybody.
struct Fnv(u64);

impl Fnv {
    fn path(&mut self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            let mut inside = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
            inside.sort();
            return inside.iter().try_for_each(|path| self.path(path));
        }
        self.bytes(path.to_string_lossy().as_bytes());
        self.bytes(&fs::read(path)?);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

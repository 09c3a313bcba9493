//! What tests across the workspace share: where built contracts and sample data lie, contracts, pictures and terms that need
//! no build, numbers from a seed, spoiled files, and how a node is started.
//!
//! The test command says so in the environment, `ACESO_CONTRACTS` and `ACESO_DATA`. Nothing is built, fetched or
//! guessed here.

#![allow(clippy::panic, reason = "a test fails by panicking, and says what to do")]
#![allow(clippy::disallowed_methods, reason = "tests are told by the environment where things lie")]

pub mod dev;
pub mod fuzz;
pub mod guests;
pub mod npz;
pub mod random;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use aceso_types::{
    Digest,
    sealed::{Terms, VERSION},
};

/// Terms that let these accounts do whatever terms can let somebody do, for ever; a test takes away what it is about.
pub fn terms(actors: &[&str]) -> Terms {
    Terms {
        version: VERSION,
        salt: Digest([5; 32]),
        actors: actors.iter().map(ToString::to_string).collect(),
        anybody: false,
        via: Vec::new(),
        purposes: vec!["TREAT".into()],
        models: Vec::new(),
        not_before: 0,
        uses: 1_000,
        open: true,
        sealed: true,
        findings: Vec::new(),
        bits: 8,
        rewrap: true,
        emergency: false,
    }
}

/// A contract's code, `<name>.wasm`, from the folder that `ACESO_CONTRACTS` names.
///
/// # Panics
/// With an instruction, where it is not there.
pub fn contract(name: &str) -> Vec<u8> {
    let Some(folder) = env::var_os("ACESO_CONTRACTS") else {
        panic!("no contract {name:?}: ACESO_CONTRACTS is not set, run `cargo xtask test`");
    };
    contract_in(Path::new(&folder), name)
}

fn contract_in(folder: &Path, name: &str) -> Vec<u8> {
    let file = folder.join(name).with_extension("wasm");
    fs::read(&file).unwrap_or_else(|error| panic!("no contract {}: {error}, run `cargo xtask test`", file.display()))
}

/// A grey picture of 40 × 32 pixels, as PNG; every `seed` another one.
pub fn picture(seed: u8) -> Vec<u8> {
    png_of(seed, png::Compression::default())
}

/// The pixels of [`picture`] in another file.
pub fn rewrapped(seed: u8) -> Vec<u8> {
    png_of(seed, png::Compression::NoCompression)
}

/// A picture that takes more effort than every image may take, in a few kilobytes: 2048 × 1100 pixels of one grey.
pub fn large(seed: u8) -> Vec<u8> {
    encoded((2048, 1100), &[seed].repeat(2048 * 1100), png::Compression::default())
}

/// A radiograph of a chest of several frames, as DICOM: the pixels of [`picture`] of each seed.
pub fn film(seeds: &[u8]) -> Vec<u8> {
    let number = |number: u16| (b"US", number.to_le_bytes().to_vec());
    let text = |vr, text: &str| (vr, text.as_bytes().to_vec());
    let pixels = seeds.iter().flat_map(|&seed| pixels(seed)).collect();
    let frames = format!("{:2}", seeds.len());
    let elements = [
        ((0x0008, 0x0060), text(b"CS", "DX")),
        ((0x0018, 0x0015), text(b"CS", "CHEST ")),
        ((0x0028, 0x0002), number(1)),
        ((0x0028, 0x0004), text(b"CS", "MONOCHROME2 ")),
        ((0x0028, 0x0008), text(b"IS", &frames)),
        ((0x0028, 0x0010), number(HEIGHT)),
        ((0x0028, 0x0011), number(WIDTH)),
        ((0x0028, 0x0100), number(8)),
        ((0x0028, 0x0101), number(8)),
        ((0x0028, 0x0102), number(7)),
        ((0x0028, 0x0103), number(0)),
        ((0x7fe0, 0x0010), (b"OB", pixels)),
    ];
    // Explicit VR Little Endian.
    let syntax = element((0x0002, 0x0010), b"UI", b"1.2.840.10008.1.2.1\0");
    let length = u32::try_from(syntax.len()).unwrap_or_default().to_le_bytes();
    let mut file = [&[0; 128][..], b"DICM", &element((0x0002, 0x0000), b"UL", &length), &syntax].concat();
    for (tag, (vr, value)) in elements {
        file.extend(element(tag, vr, &value));
    }
    file
}

/// An element of a DICOM file; its value has an even length.
fn element((group, number): (u16, u16), vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let head = [&group.to_le_bytes()[..], &number.to_le_bytes(), vr].concat();
    let length = u32::try_from(value.len()).unwrap_or_default().to_le_bytes();
    if vr == b"OB" { [&head[..], &[0, 0], &length, value].concat() } else { [&head[..], &length[..2], value].concat() }
}

/// Columns and rows of [`picture`].
const WIDTH: u16 = 40;
const HEIGHT: u16 = 32;

fn pixels(seed: u8) -> Vec<u8> {
    (0..u32::from(WIDTH) * u32::from(HEIGHT)).map(|n| (n.wrapping_mul(31) % 251) as u8 ^ seed).collect()
}

fn png_of(seed: u8, compression: png::Compression) -> Vec<u8> {
    encoded((WIDTH.into(), HEIGHT.into()), &pixels(seed), compression)
}

fn encoded((width, height): (u32, u32), pixels: &[u8], compression: png::Compression) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(compression);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(pixels));
    if let Err(error) = written {
        panic!("no picture: {error}");
    }
    bytes
}

/// The bundled model `models/pneumonia`, made to answer with what its first layer sees as well: 16 maps of 28 × 28,
/// too much for an outcome. Protobuf merges what is appended, so one more output of the graph is all there is to add.
pub fn with_maps(onnx: &[u8]) -> Vec<u8> {
    /// `ModelProto.graph`, `GraphProto.output`, `ValueInfoProto.name`, each length-delimited.
    const TAGS: [u8; 3] = [7 << 3 | 2, 12 << 3 | 2, 1 << 3 | 2];
    let length = |inner: &[u8]| u8::try_from(inner.len()).unwrap_or(u8::MAX);
    let wrap = |inner: Vec<u8>, tag: u8| [vec![tag, length(&inner)], inner].concat();
    let output = TAGS.into_iter().rev().fold(b"r0".to_vec(), wrap);
    [onnx, &output].concat()
}

/// The folder of sample data, if there is one: what `ACESO_DATA` names, else `shared/data` beside the repository.
pub fn data_dir() -> Option<PathBuf> {
    let named = env::var_os("ACESO_DATA").map(PathBuf::from);
    named.or_else(|| Some(repository().parent()?.join("shared/data"))).filter(|folder| folder.is_dir())
}

/// The root of this repository.
///
/// Looked for when it runs, from the working directory upwards: a target folder may be shared by clones, and what was
/// compiled in one of them is taken as it is in the next.
pub fn repository() -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    here.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap_or(&here).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_root() {
        assert!(repository().join("tests/support/src/lib.rs").is_file());
    }

    #[test]
    fn a_contract_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("aceso_consent.wasm"), b"\0asm").unwrap();
        assert_eq!(contract_in(folder.path(), "aceso_consent"), b"\0asm");
    }

    #[test]
    #[should_panic(expected = "run `cargo xtask test`")]
    fn a_contract_that_is_not() {
        let folder = tempfile::tempdir().unwrap();
        contract_in(folder.path(), "aceso_consent");
    }
}

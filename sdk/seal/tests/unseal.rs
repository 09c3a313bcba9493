//! Records opened from the beginning, leaf by leaf, as a stream.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, io::Write};

use aceso_seal::{LEAF, SealError, Sealer, Unsealer, seal};
use aceso_verify::grant::ContentPoint;
use proptest::prelude::*;

fn content() -> ContentPoint {
    ContentPoint::generate(&[1; 64])
}

fn sealed(media: &str, record: &[u8]) -> Vec<u8> {
    seal(&content(), "aceso1patient", [7; 32], (media, BTreeMap::new()), record, record.len() as u64, Vec::new())
        .unwrap()
}

/// Bytes that compress a little, so that several leaves remain.
fn record(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0] & 0x7f
    };
    (0..length).map(|_| next()).collect()
}

fn drain(unsealer: &mut Unsealer, piece: usize) -> Result<Vec<u8>, SealError> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        match unsealer.read(&mut buffer)? {
            0 => return Ok(all),
            got => all.extend(&buffer[..got]),
        }
    }
}

fn unseal(file: &[u8], most: u64, piece: usize) -> Result<Vec<u8>, SealError> {
    let mut unsealer = Unsealer::new(&content(), &file[..file.len().min(LEAF)], file.len() as u64, most)?;
    let mut all = Vec::new();
    for leaf in file.chunks(LEAF) {
        unsealer.leaf(leaf)?;
        all.extend(drain(&mut unsealer, piece)?);
    }
    unsealer.finish().map(|_| all)
}

#[test]
fn a_stream_gives_what_was_sealed() {
    for length in [0, 1, LEAF - 200, LEAF, 3 * LEAF + 17] {
        let record = record(length);
        for media in ["application/dicom", "application/pdf"] {
            let file = sealed(media, &record);
            for piece in [777, 1 << 20] {
                assert!(unseal(&file, u64::MAX, piece).unwrap() == record, "{media} {length} {piece}");
            }
        }
    }
}

#[test]
fn what_was_cut_off_is_noticed_at_the_end() {
    let file = sealed("application/pdf", &record(3 * LEAF));
    let opening = |size: usize| {
        let mut unsealer = Unsealer::new(&content(), &file[..LEAF], size as u64, u64::MAX).unwrap();
        for leaf in file[..2 * LEAF].chunks(LEAF) {
            unsealer.leaf(leaf)?;
            drain(&mut unsealer, 1 << 20)?;
        }
        unsealer.finish()
    };
    // Whoever knows the true size sees what is missing, and with a false one the last leaf is not marked as one.
    assert_eq!(opening(file.len()).unwrap_err(), SealError::Leaf(2));
    assert_eq!(opening(2 * LEAF).unwrap_err(), SealError::Leaf(1));
}

#[test]
fn a_leaf_waits_until_the_one_before_was_read() {
    let file = sealed("application/pdf", &record(2 * LEAF));
    let mut unsealer = Unsealer::new(&content(), &file[..LEAF], file.len() as u64, u64::MAX).unwrap();
    assert!(unsealer.inner().is_none());
    assert_eq!(unsealer.read(&mut [0; 10]), Ok(0));
    unsealer.leaf(&file[..LEAF]).unwrap();
    assert_eq!(unsealer.inner().unwrap().length, 2 * LEAF as u64);
    assert_eq!(unsealer.read(&mut []), Ok(0));
    assert_eq!(unsealer.leaf(&file[LEAF..2 * LEAF]), Err(SealError::Unread(0)));
    assert_eq!(unsealer.finish().unwrap_err(), SealError::Leaf(1));
}

#[test]
fn what_was_sealed_wrongly() {
    let small = sealed("text/plain", b"a small record");
    let header = aceso_seal::Header::decode(&small).unwrap().1;
    assert_eq!(unseal(&small, 13, 99).unwrap_err(), SealError::Record { got: 14, most: 13 });
    let mut leaf = Unsealer::new(&content(), &small, small.len() as u64, 100).unwrap();
    leaf.leaf(&small).unwrap();
    assert_eq!(leaf.finish().unwrap_err(), SealError::Unread(0));
    let plain = aceso_seal::Opener::new(&content(), &small, small.len() as u64).unwrap().leaf(0, &small).unwrap();
    assert_eq!(plain.len(), small.len() - header - 16);
    let again = |plain: &[u8]| {
        let mut sealer = Sealer::new(&content(), "aceso1patient", [7; 32], Vec::new()).unwrap();
        sealer.write_all(plain).unwrap();
        unseal(&sealer.finish().unwrap(), u64::MAX, 99).unwrap_err()
    };
    let changed = |at: usize, byte: u8| {
        let mut plain = plain.clone();
        plain[at] = byte;
        again(&plain)
    };
    // The length's one byte in the map, behind its name.
    let length = plain.windows(6).position(|window| window == b"length").unwrap() + 6;
    assert_eq!(plain[length], 14);
    let another = SealError::Inner("the record has another length");
    assert_eq!((changed(length, 15), changed(length, 13)), (another.clone(), another.clone()));
    let follows = SealError::Inner("something follows the record");
    assert_eq!(again(&[&plain[..], &[0]].concat()), follows);
    assert_eq!(again(&plain[..plain.len() - 1]), another);
    let map = usize::try_from(u32::from_be_bytes(plain[..4].try_into().unwrap())).unwrap();
    assert_eq!(changed(4 + map, 0xff), SealError::Inner("the record does not decompress"));
}

#[test]
fn a_record_of_another_length_is_not_sealed() {
    for media in ["application/dicom", "application/pdf"] {
        let seal = |length| {
            let about = (media, BTreeMap::new());
            seal(&content(), "aceso1patient", [7; 32], about, &b"a small record"[..], length, Vec::new())
        };
        assert_eq!(seal(13).unwrap_err().to_string(), "more bytes came than the record's length");
        assert_eq!(seal(16).unwrap_err().to_string(), "the record ended 2 bytes before its length");
        assert!(seal(14).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever the pieces in which a record is written, the file is the same: other writers can seal it again.
    #[test]
    fn pieces_do_not_matter(cuts in prop::collection::vec(1_usize..200_000, 1..20), pdf in any::<bool>()) {
        struct Pieces<'a>(&'a [u8], std::iter::Cycle<std::vec::IntoIter<usize>>);
        impl std::io::Read for Pieces<'_> {
            fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
                let most = self.1.next().unwrap_or(1).min(out.len());
                std::io::Read::read(&mut self.0, &mut out[..most])
            }
        }
        let (media, record) = (if pdf { "application/pdf" } else { "application/dicom" }, record(LEAF + 50_000));
        let pieces = Pieces(&record, cuts.into_iter().cycle());
        let about = (media, BTreeMap::new());
        let length = record.len() as u64;
        let file = seal(&content(), "aceso1patient", [7; 32], about, pieces, length, Vec::new()).unwrap();
        prop_assert!(file == sealed(media, &record));
    }
}

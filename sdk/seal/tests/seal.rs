//! Sealed files as their users meet them, and everything that must not open.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, io::Write};

use aceso_seal::{Header, LEAF, Opener, SealError, Sealer, TAG, open, seal};
use aceso_verify::grant::ContentPoint;
use expect_test::expect;
use proptest::prelude::*;

fn content(number: u8) -> ContentPoint {
    ContentPoint::generate(&[number; 64])
}

fn sealed(media: &str, record: &[u8]) -> Vec<u8> {
    let tags = BTreeMap::from([("patient".to_owned(), "Doe^Jane".to_owned())]);
    seal(&content(1), "aceso1patient", [7; 32], (media, tags), record, record.len() as u64, Vec::new()).unwrap()
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn what_was_sealed_opens_again() {
    for (media, record) in [
        ("application/dicom", noise(100)),
        ("application/fhir+json", br#"{"resourceType":"Observation"}"#.repeat(50_000)),
        ("application/pdf", noise(3 * LEAF)),
        ("text/vcf", Vec::new()),
    ] {
        let file = sealed(media, &record);
        let (header, inner, opened) = open(&content(1), &file, u64::MAX).unwrap();
        assert_eq!((header.owner.as_str(), inner.media.as_str()), ("aceso1patient", media));
        assert_eq!(inner.tags["patient"], "Doe^Jane");
        assert!(opened == record, "{media}");
        assert!(!file.windows(8).any(|window| window == b"Doe^Jane"), "what identifies is inside");
    }
    // Text is compressed before it is sealed.
    assert!(sealed("application/fhir+json", &br#"{"resourceType":"Observation"}"#.repeat(50_000)).len() < 100_000);
}

#[test]
fn leaves_open_by_themselves_and_lie_where_blobs_are_cut() {
    let record = noise(3 * LEAF);
    let mut sealer = Sealer::new(&content(1), "aceso1patient", [7; 32], Vec::new()).unwrap();
    sealer.write_all(&record).unwrap();
    let file = sealer.finish().unwrap();
    let header = Header::decode(&file).unwrap().1;
    assert_eq!(file.len(), header + record.len() + 4 * TAG);
    let opener = Opener::new(&content(1), &file[..header], file.len() as u64).unwrap();
    assert_eq!(opener.leaves(), 4);
    let leaves: Vec<&[u8]> = file.chunks(LEAF).collect();
    let mut at = record.len();
    for number in (0..4).rev() {
        let plain = opener.leaf(number, leaves[number as usize]).unwrap();
        at -= plain.len();
        assert!(plain == record[at..at + plain.len()], "leaf {number}");
    }
    assert_eq!(at, 0);
    assert_eq!(opener.leaf(4, leaves[3]), Err(SealError::Range { wanted: 4, leaves: 4 }));
    // Another leaf at its place, and one that is not whole.
    assert_eq!(opener.leaf(1, leaves[2]), Err(SealError::Leaf(1)));
    assert_eq!(opener.leaf(1, &leaves[1][1..]), Err(SealError::Leaf(1)));
}

#[test]
fn a_file_that_ends_where_a_leaf_ends() {
    let header = Header::decode(&sealed("x", b"")).unwrap().1;
    for more in [0, 1, TAG, TAG + 1] {
        let record = noise(LEAF - header - TAG + more);
        let mut sealer = Sealer::new(&content(1), "aceso1patient", [7; 32], Vec::new()).unwrap();
        sealer.write_all(&record).unwrap();
        let file = sealer.finish().unwrap();
        let opener = Opener::new(&content(1), &file, file.len() as u64).unwrap();
        assert_eq!(opener.leaves(), if more == 0 { 1 } else { 2 });
        let plain: Vec<u8> =
            (0..).zip(file.chunks(LEAF)).flat_map(|(number, leaf)| opener.leaf(number, leaf).unwrap()).collect();
        assert!(plain == record);
    }
}

#[test]
fn nothing_that_was_changed_opens() {
    let file = sealed("application/dicom", b"a small record");
    for at in 0..file.len() {
        for bit in [1, 0x80] {
            let mut other = file.clone();
            other[at] ^= bit;
            assert!(open(&content(1), &other, u64::MAX).is_err(), "byte {at}");
        }
    }
    for length in 0..file.len() {
        assert!(open(&content(1), &file[..length], u64::MAX).is_err(), "{length} bytes");
    }
    assert!(open(&content(1), &[&file[..], &[0]].concat(), u64::MAX).is_err());
    // Leaves that are exchanged or cut off.
    let large = sealed("application/pdf", &noise(3 * LEAF));
    let mut exchanged = large.clone();
    exchanged[LEAF..2 * LEAF].copy_from_slice(&large[2 * LEAF..3 * LEAF]);
    assert_eq!(open(&content(1), &exchanged, u64::MAX).unwrap_err(), SealError::Leaf(1));
    assert_eq!(open(&content(1), &large[..3 * LEAF], u64::MAX).unwrap_err(), SealError::Leaf(2));
}

#[test]
fn another_key_is_named() {
    let file = sealed("application/dicom", b"a small record");
    assert_eq!(open(&content(2), &file, u64::MAX).unwrap_err(), SealError::Key);
    // A header that commits to another key cannot be put before the same leaves.
    let (mut header, length) = Header::decode(&file).unwrap();
    header.commitment = Header::decode(&{
        let sealer = Sealer::new(&content(2), "aceso1patient", [7; 32], Vec::new()).unwrap();
        sealer.finish().unwrap()
    })
    .unwrap()
    .0
    .commitment;
    let forged = [header.encode().unwrap(), file[length..].to_vec()].concat();
    assert_eq!(open(&content(2), &forged, u64::MAX).unwrap_err(), SealError::Leaf(0));
    // Nor can another owner.
    let (mut header, length) = Header::decode(&file).unwrap();
    header.owner = "aceso1thief".into();
    let forged = [header.encode().unwrap(), file[length..].to_vec()].concat();
    assert_eq!(open(&content(1), &forged, u64::MAX).unwrap_err(), SealError::Leaf(0));
}

#[test]
fn what_is_no_sealed_file() {
    let refused = |bytes: &[u8]| open(&content(1), bytes, u64::MAX).unwrap_err();
    let file = sealed("x", b"");
    assert_eq!(refused(b""), SealError::Header("it is too short"));
    assert_eq!(refused(&[b'x'; 100]), SealError::Header("it does not begin as one"));
    let changed = |at: usize, byte: u8| {
        let mut other = file.clone();
        other[at] = byte;
        refused(&other)
    };
    assert_eq!(changed(7, 2), SealError::Version(2));
    assert!(matches!(changed(8, 0xff), SealError::Long { what: "the header", most: 1024, .. }));
    assert_eq!(changed(10, 0xff), SealError::Header("its header is malformed"));
    assert_eq!(refused(&file[..20]), SealError::Header("it ends within its header"));
    let long = Sealer::new(&content(1), &"a".repeat(2000), [7; 32], Vec::new()).map(drop).unwrap_err();
    assert!(matches!(long, SealError::Long { what: "the header", .. }));
    assert_eq!(open(&content(1), &sealed("x", &[1; 100]), 99).unwrap_err(), SealError::Record { got: 100, most: 99 });
}

#[test]
fn what_was_sealed_wrongly_is_refused_and_stays_small() {
    let seal_raw = |plain: &[u8]| {
        let mut sealer = Sealer::new(&content(1), "aceso1patient", [7; 32], Vec::new()).unwrap();
        sealer.write_all(plain).unwrap();
        open(&content(1), &sealer.finish().unwrap(), 1 << 30).unwrap_err()
    };
    assert_eq!(seal_raw(b""), SealError::Inner("there is nothing in it"));
    assert_eq!(seal_raw(&[0, 0, 0, 9, 1]), SealError::Inner("it ends early"));
    assert_eq!(seal_raw(&[0, 0, 0, 1, 1]), SealError::Inner("its map is malformed"));
    assert!(matches!(seal_raw(&[0xff; 8]), SealError::Long { what: "what stands inside", .. }));
    // A bomb: it says 10 bytes and decompresses to a megabyte.
    let honest = sealed("text/plain", &vec![0; 1 << 20]);
    let opener = Opener::new(&content(1), &honest, honest.len() as u64).unwrap();
    let mut plain = opener.leaf(0, &honest).unwrap();
    let at = plain
        .windows(7)
        .position(|window| window == b"flength")
        .unwrap_or_else(|| plain.windows(6).position(|window| window == b"length").unwrap() - 1);
    // dag-cbor: a text of 6, then 0x1a and four bytes.
    plain[at + 8..at + 12].copy_from_slice(&10_u32.to_be_bytes());
    let refused = seal_raw(&plain);
    assert!(matches!(refused, SealError::Inner(_)), "{refused:?}");
}

#[test]
fn vectors() {
    let file = sealed("application/dicom", b"a small record");
    expect!["616365736f0073010069a36473616c7458200707070707070707070707070707070707070707070707070707070707070707656f776e65726d616365736f3170617469656e746a636f6d6d69746d656e7458207a34759438945516a5b1effd1cf67faac7f85610cbcfd49165ddb099b3e0a695073b498f36f96d067162ef7a0aed5ce754844f3cf40e1c0d94f8a185825fee0efa5da5a2a7229c3edc8eef8080030be3fa4ab18af0b3eb09307511f96bfafd6aaeb9c7d214034404881bcf5bc91776cc75e0759b896471561bab697c65b9d069125e3155abc8"].assert_eq(&hex::encode(&file));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_record(record in prop::collection::vec(any::<u8>(), 0..5000), pdf in any::<bool>()) {
        let file = sealed(if pdf { "application/pdf" } else { "text/plain" }, &record);
        prop_assert!(open(&content(1), &file, u64::MAX).unwrap().2 == record);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = open(&content(1), &bytes, u64::MAX);
        let _ = open(&content(1), &[b"aceso\0s\x01", &bytes[..]].concat(), u64::MAX);
    }
}

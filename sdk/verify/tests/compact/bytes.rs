//! Every byte counts: no receipt and no root but the one that was signed is believed.

use aceso_types::sealed::{Compact, Root, SignedRoot};
use aceso_verify::{Roots, verify_compact};
use proptest::prelude::*;

use crate::rig::{Draft, ROOTS, follow, key};

/// What a byte is changed by.
const MASKS: [u8; 2] = [0x01, 0x80];

fn specimens() -> [Vec<u8>; 5] {
    [Draft::of(0, [2], [0]), Draft::default(), Draft::sealed(), Draft::open(), Draft::failed()]
        .map(|draft| draft.file())
}

#[test]
fn every_flipped_byte_of_a_receipt_is_refused() {
    for file in specimens() {
        assert!(verify_compact(&file, &ROOTS).is_ok());
        for (at, mask) in (0..file.len()).flat_map(|at| MASKS.map(|mask| (at, mask))) {
            let mut other = file.clone();
            other[at] ^= mask;
            assert!(verify_compact(&other, &ROOTS).is_err(), "byte {at} of {}, mask {mask:#x}", file.len());
        }
    }
}

#[test]
fn every_shorter_and_longer_receipt_is_refused() {
    for file in specimens() {
        for length in 0..file.len() {
            assert!(verify_compact(&file[..length], &ROOTS).is_err(), "{length} bytes");
        }
        for more in [&[0][..], &[0xf6], &file] {
            assert!(verify_compact(&[&file, more].concat(), &ROOTS).is_err());
        }
    }
}

/// A root that follows is held by its signature, a first one by its digest.
#[test]
fn every_flipped_byte_of_a_root_is_refused() {
    let first = ROOTS.get(0).unwrap().clone();
    let roots = Roots::trust(first.clone()).unwrap();
    let next = follow(&first, vec![key(1, 10, 0), key(9, 5, 0)], 15, &[0, 1, 2]);
    roots.clone().advance(next.clone()).unwrap();
    let bytes = next.root.encode();
    for (at, mask) in (0..bytes.len()).flat_map(|at| MASKS.map(|mask| (at, mask))) {
        let mut other = bytes.clone();
        other[at] ^= mask;
        let Ok(root) = Root::decode(&other) else { continue };
        assert_ne!(root.digest(), next.root.digest());
        assert!(roots.clone().advance(SignedRoot { root, ..next.clone() }).is_err(), "byte {at} mask {mask:#x}");
    }
    for part in [0, 1] {
        let length = [next.signers.len(), next.signature.len()][part];
        for (at, mask) in (0..length).flat_map(|at| MASKS.map(|mask| (at, mask))) {
            let mut other = next.clone();
            [&mut other.signers, &mut other.signature][part][at] ^= mask;
            assert!(roots.clone().advance(other).is_err(), "part {part} byte {at} mask {mask:#x}");
        }
    }
}

#[test]
fn every_flipped_byte_of_a_roots_file_is_refused() {
    let first = ROOTS.get(0).unwrap().clone();
    let mut roots = Roots::trust(first.clone()).unwrap();
    roots.advance(follow(&first, vec![key(1, 10, 0), key(9, 5, 0)], 15, &[0, 1, 2])).unwrap();
    let file = roots.encode();
    assert_eq!(Roots::decode(&file).unwrap().encode(), file);
    for at in 0..file.len() {
        for mask in MASKS {
            let mut other = file.clone();
            other[at] ^= mask;
            assert!(Roots::decode(&other).is_err(), "byte {at} of {}, mask {mask:#x}", file.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(5),
        ..ProptestConfig::default()
    })]

    /// Bytes replaced, runs cut out or put in: an answer each time, and never a yes.
    #[test]
    fn spoiled_receipts_are_answered(
        which in 0_usize..5,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, prop::collection::vec(any::<u8>(), 0..40)), 1..6),
    ) {
        let file = &specimens()[which];
        let mut other = file.clone();
        for (at, cut, put) in changes {
            let at = at.index(other.len() + 1);
            let end = (at + cut).min(other.len());
            other.splice(at..end, put);
        }
        prop_assert!(other == *file || verify_compact(&other, &ROOTS).is_err());
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(verify_compact(&bytes, &ROOTS).is_err());
        prop_assert!(Roots::decode(&bytes).is_err());
        let _ = (Compact::decode(&bytes), Root::decode(&bytes));
    }
}

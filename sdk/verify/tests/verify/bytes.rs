//! Every byte counts: no file but the one that was made says what it says.

use std::sync::LazyLock;

use aceso_verify::{Evidence, Trust, VerifyError, verify};
use proptest::prelude::*;

use crate::rig::{Draft, Vote};

/// A file of a chain with one validator, and one of a chain with four, of which one was absent and one voted nil.
static SPECIMENS: LazyLock<[(Vec<u8>, Trust); 2]> = LazyLock::new(|| {
    let votes = [Vote::Commit, Vote::Commit, Vote::Absent, Vote::Commit];
    [Draft::default(), Draft::of_four(votes)].map(|draft| (draft.evidence(3).encode(), draft.trust()))
});

#[test]
fn every_flipped_byte_is_refused() {
    for (file, trust) in &*SPECIMENS {
        assert!(verify(file, trust).is_ok());
        for at in 0..file.len() {
            for mask in [0x01, 0x80] {
                let mut other = file.clone();
                other[at] ^= mask;
                assert!(verify(&other, trust).is_err(), "byte {at} of {}, mask {mask:#x}", file.len());
            }
        }
    }
}

#[test]
fn every_shorter_and_longer_file_is_refused() {
    for (file, trust) in &*SPECIMENS {
        for length in 0..file.len() {
            assert!(verify(&file[..length], trust).is_err(), "{length} bytes");
        }
        for more in [&[0][..], &[0xf6], file] {
            assert!(matches!(verify(&[file, more].concat(), trust), Err(VerifyError::Malformed(_))));
        }
        let large = vec![0; (4 << 20) + 1];
        let refused = VerifyError::TooLarge { got: (4 << 20) + 1, max: 4 << 20 };
        assert_eq!(verify(&large, trust), Err(refused));
    }
}

/// The same content in other bytes is another file: lists in another order, fields that mean nothing.
#[test]
fn parts_are_spelled_in_one_way() {
    let (file, trust) = &SPECIMENS[1];
    let evidence = Evidence::decode(file).unwrap();
    // A field that nobody knows: number 100, the number 1.
    let padded = |part: &[u8]| [part, &[0xa0, 0x06, 0x01]].concat();
    for (other, part) in [
        (Evidence { signed_header: padded(&evidence.signed_header), ..evidence.clone() }, "header"),
        (Evidence { validators: padded(&evidence.validators), ..evidence.clone() }, "validator set"),
        (Evidence { component_proof: padded(&evidence.component_proof), ..evidence.clone() }, "component"),
        (Evidence { app_proof: padded(&evidence.app_proof), ..evidence.clone() }, "state"),
    ] {
        let error = verify(&other.encode(), trust).unwrap_err();
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(3),
        ..ProptestConfig::default()
    })]

    /// Bytes replaced, runs cut out or put in: an answer each time, and never a yes.
    #[test]
    fn spoiled_files_are_answered(
        which in 0_usize..2,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, prop::collection::vec(any::<u8>(), 0..40)), 1..6),
    ) {
        let (file, trust) = &SPECIMENS[which];
        let mut other = file.clone();
        for (at, cut, put) in changes {
            let at = at.index(other.len() + 1);
            let end = (at + cut).min(other.len());
            other.splice(at..end, put);
        }
        prop_assert!(other == *file || verify(&other, trust).is_err());
    }

    /// The same within one part, so that what stands around it holds.
    #[test]
    fn spoiled_parts_are_answered(
        which in 0_usize..2,
        part in 0_usize..5,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..8, prop::collection::vec(any::<u8>(), 0..8)), 1..4),
    ) {
        let (file, trust) = &SPECIMENS[which];
        let mut evidence = Evidence::decode(file).unwrap();
        let Evidence { receipt, component_proof, app_proof, signed_header, validators, .. } = &mut evidence;
        let part = [receipt, component_proof, app_proof, signed_header, validators].into_iter().nth(part).unwrap();
        for (at, cut, put) in changes {
            let at = at.index(part.len() + 1);
            let end = (at + cut).min(part.len());
            part.splice(at..end, put);
        }
        let other = evidence.encode();
        prop_assert!(other == *file || verify(&other, trust).is_err());
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (_, trust) = &SPECIMENS[0];
        prop_assert!(verify(&bytes, trust).is_err());
        let _ = Trust::decode(&bytes);
    }
}

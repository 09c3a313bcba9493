//! Broken files of every kind: an answer each time, never a panic.

use aceso_inference::image::{Limits, Stated, decode};
use aceso_types::manifest::{Channels, Pipeline, Window};
use proptest::prelude::*;

use crate::{
    chest_pipeline,
    phantom::{self, EXPLICIT, IMPLICIT, Stored, chest, dicom},
    small, stated,
};

fn specimens() -> Vec<Vec<u8>> {
    vec![
        phantom::png(&small()).unwrap(),
        dicom(&chest(&small(), Stored::Eight, 1), EXPLICIT),
        dicom(&chest(&small(), Stored::Twelve, 1), IMPLICIT),
    ]
}

/// Decodes under small limits and, where that works, goes through every kind of pipeline.
fn try_all(file: &[u8]) {
    let Ok(image) = decode(file, Limits { bytes: 1 << 16, samples: 1 << 16 }) else { return };
    let _ = image.pixel_digest();
    for window in [Window::Full, Window::Image, Window::Fixed { center: i32::MIN, width: u32::MAX }] {
        for channels in [Channels::Grey, Channels::Rgb] {
            let pipeline = Pipeline { window, channels, width: 7, height: 5, ..chest_pipeline() };
            let _ = image.to_tensor(&pipeline, &stated("DX", "CHEST"));
            let _ = image.to_tensor(&pipeline, &Stated::default());
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    for file in specimens() {
        assert!(decode(&file, Limits::default()).is_ok());
        for length in 0..file.len() {
            assert!(decode(&file[..length], Limits::default()).is_err(), "{length} of {}", file.len());
        }
    }
}

#[test]
fn every_flipped_byte_is_answered() {
    for file in specimens() {
        for at in 0..file.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut broken = file.clone();
                broken[at] ^= mask;
                try_all(&broken);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(7),
        ..ProptestConfig::default()
    })]

    #[test]
    fn many_changed_bytes_are_answered(which in 0_usize..3, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut file = specimens().swap_remove(which);
        let length = file.len();
        for (place, byte) in changes {
            file[place.index(length)] = byte;
        }
        try_all(&file);
    }

    #[test]
    fn any_bytes_behind_a_signature_are_answered(mut bytes in prop::collection::vec(any::<u8>(), 0..600), png in any::<bool>()) {
        let head = if png { b"\x89PNG\r\n\x1a\n".to_vec() } else { [&[0; 128][..], b"DICM"].concat() };
        bytes.splice(0..0, head);
        try_all(&bytes);
    }
}

//! Broken files of every kind: an answer each time, never a panic.

use std::sync::OnceLock;

use aceso_inference::image::{Limits, Stated, decode};
use aceso_types::manifest::{Channels, Pipeline, Window};
use proptest::prelude::*;

use crate::{
    chest_pipeline,
    compressed::{Golden, golden, goldens},
    phantom::{self, EXPLICIT, IMPLICIT, Stored, chest, dicom},
    small, stated,
};

static GOLDENS: OnceLock<Vec<Golden>> = OnceLock::new();

fn specimens() -> Vec<Vec<u8>> {
    let compressed = ["colour_420.jpg", "restarts.ljp", "narrow.j2k", "flat.j2k", "bits_8.rle"];
    let mut all = vec![
        phantom::png(&small()).unwrap(),
        dicom(&chest(&small(), Stored::Eight, 1), EXPLICIT),
        dicom(&chest(&small(), Stored::Twelve, 1), IMPLICIT),
        golden("grey_restarts.jpg").bytes,
    ];
    all.extend(compressed.map(|name| golden(name).wrapped()));
    all
}

/// Decodes under small limits and, where that works, goes through every kind of pipeline.
fn try_all(file: &[u8]) {
    let Ok(image) = decode(file, Limits { bytes: 1 << 16, samples: 1 << 16, ..Limits::default() }) else { return };
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
            // What is compressed is longer, and takes longer.
            let masks = if file.len() < 1000 { &[0x01, 0x80, 0xff][..] } else { &[0x11][..] };
            for mask in masks {
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
    fn many_changed_bytes_are_answered(which in 0_usize..9, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut file = specimens().swap_remove(which);
        let length = file.len();
        for (place, byte) in changes {
            file[place.index(length)] = byte;
        }
        try_all(&file);
    }

    /// The markers of larger files stay whole more often than not, so their coded data is reached.
    #[test]
    fn changed_frames_are_answered(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let all = GOLDENS.get_or_init(goldens);
        let mut file = which.get(all).wrapped();
        let from = file.len() - which.get(all).bytes.len();
        for (place, byte) in changes {
            let at = from + place.index(file.len() - from);
            file[at] = byte;
        }
        try_all(&file);
    }

    #[test]
    fn any_bytes_behind_a_signature_are_answered(mut bytes in prop::collection::vec(any::<u8>(), 0..600), kind in 0_usize..3) {
        let head = [&b"\x89PNG\r\n\x1a\n"[..], b"\xff\xd8\xff", &[&[0; 128][..], b"DICM"].concat()][kind].to_vec();
        bytes.splice(0..0, head);
        try_all(&bytes);
    }
}

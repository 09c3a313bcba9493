//! A receipt that a node gave out, kept: it is believed for ever.
//!
//! `read.receipt` and `trust.json` were written by `cargo xtask demo --keep`, then `aceso read show 1 --out` and
//! `aceso read trust --out` at its RPC port; the image is the first bundled phantom. The signing key was thrown away
//! with the chain. A red test here means that receipts which people keep are believed no longer: that takes a new
//! version of the format beside this one, never a new recording.

use aceso_verify::{Evidence, Trust, verify};
use expect_test::expect;

use crate::rig::Draft;

const FILE: &[u8] = include_bytes!("../golden/read.receipt");
const TRUST: &[u8] = include_bytes!("../golden/trust.json");

#[test]
fn a_nodes_receipt_is_believed() {
    let trust = Trust::decode(TRUST).unwrap();
    let verified = verify(FILE, &trust).unwrap();
    expect![[r#"
        Verified {
            receipt: Receipt {
                version: 1,
                chain_id: "aceso-demo-12967",
                height: Height(
                    27,
                ),
                tx: TxIndex(
                    0,
                ),
                read: ReadId(
                    1,
                ),
                reader: "aceso1nc5tatafv6eyq7llkr2gv50ff9e22mnf70qgjlv737ktmt4eswrqrtjc3z",
                model: ModelId(
                    73a8b279c85c15825e0d27e845ba49e8b75a8b4085e13e8de0a56096c4588b9e,
                ),
                pipeline: 6bed664b0a943055582c5ea771312c15730f21c46743835ea57d8013426a92f9,
                image: Cid {
                    version: V1,
                    codec: 85,
                    hash: Multihash {
                        code: 18,
                        size: 32,
                        digest: [
                            184,
                            155,
                            83,
                            61,
                            178,
                            130,
                            202,
                            188,
                            15,
                            67,
                            157,
                            92,
                            109,
                            26,
                            157,
                            117,
                            146,
                            180,
                            229,
                            126,
                            120,
                            118,
                            132,
                            181,
                            190,
                            163,
                            135,
                            177,
                            59,
                            65,
                            96,
                            99,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                        ],
                    },
                },
                frame: Frame(
                    1,
                ),
                pixels: Some(
                    PixelDigest(
                        a6eaa4e018549a2761e9a584d7c130d196789bcf0f9628d1fe6a09efa2fc5f6e,
                    ),
                ),
                consent: Some(
                    Consent {
                        guard: "aceso14hj2tavq8fpesdwxxcu44rty3hh90vhujrvcmstl4zr3txmfvw9s07h6ny",
                        grant: "1",
                        actor: "aceso16qk2e22y9jw4r8vfkgmtxec20636sj3kde8kjl",
                        purpose: "TREAT",
                        use: 1,
                    },
                ),
                disclosure: Open,
                outcome: Outcome {
                    digest: 11f18ef445f869e21de8988d6dd208b3ed039ef2889f229e4b31c0cc028e8b55,
                    scores: [
                        Score {
                            label: "pneumonia",
                            value: 135,
                            probability: 979407,
                        },
                    ],
                    findings: [
                        Answered {
                            id: "pneumonia",
                            present: true,
                        },
                    ],
                    readings: [],
                },
                committee: Committee {
                    digest: 75f2544b314769d6e562837331178dd389f0469c3333ea821aef8ae085f3ece4,
                    power: 10,
                    total: 10,
                },
                sealed: None,
            },
            height: 182,
            time: "2026-11-21T05:50:28.769Z",
            power: 10,
        }"#]]
    .assert_eq(&format!("{verified:#?}"));
    assert_eq!(Evidence::decode(FILE).unwrap().encode(), FILE);
    assert_eq!(trust.encode(), TRUST.trim_ascii_end());
}

#[test]
fn every_flipped_byte_of_it_is_refused() {
    let trust = Trust::decode(TRUST).unwrap();
    for at in 0..FILE.len() {
        for mask in [0x01, 0x80] {
            let mut other = FILE.to_vec();
            other[at] ^= mask;
            assert!(verify(&other, &trust).is_err(), "byte {at}, mask {mask:#x}");
        }
    }
}

/// Files of the tests' own chain, byte for byte: headers, votes and proofs have one encoding.
#[test]
fn the_format_does_not_change() {
    let digest = |file: &[u8]| aceso_types::Digest::sha3("golden", &[file]).to_string();
    expect!["ecbd80741b9ea0a0bf7bef20fed2a96365b78f5d36da052d5fc0ab7df1bb3aaf"]
        .assert_eq(&digest(&Draft::default().evidence(3).encode()));
}

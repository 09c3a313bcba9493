//! What the host works out for contracts, outside of a chain: the answers are the chain's, by other libraries where there
//! are some. The vectors are those of `chain/vm/tests/engine/work.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use aceso_contract::{
    Errno, NotBelieved, ReceiptError, blake3, g1_msm, g2_msm, keccak256, sha3_256, sha256, verify_receipt,
};
use aceso_types::{
    Digest,
    guest::{HASHED_MAX, MULTIPLY_MAX},
    sealed::{Acceptance, Compact, SignedRoot},
};
use expect_test::expect;
use serde_json::Value;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn hashes_are_the_published_ones() {
    let hashes = [keccak256, sha256, sha3_256, blake3];
    let told = hashes.map(|hash| hex(&hash(b"abc").unwrap()));
    assert_eq!(
        told,
        [
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
        ]
    );
    let most = vec![0; HASHED_MAX + 1];
    for hash in hashes {
        assert_eq!((hash(&most), hash(&most[1..]).is_ok()), (Err(Errno::TooLarge), true));
    }
}

#[test]
fn receipts_are_believed_by_a_digest_that_is_trusted() {
    let vectors: Value = serde_json::from_str(include_str!("../../verify/tests/vectors/compact.json")).unwrap();
    let roots: Vec<SignedRoot> = serde_json::from_value(vectors["roots"]["roots"].clone()).unwrap();
    let check = |vector: &Value| {
        let receipt = unhex(vector["compact"].as_str().unwrap());
        let number = Compact::decode(&receipt).map_or(0, |compact| usize::try_from(compact.root).unwrap());
        let root = &roots.get(number).unwrap_or(&roots[0]).root;
        verify_receipt(&receipt, &root.encode(), &root.digest())
    };
    for vector in vectors["believed"].as_array().unwrap() {
        let verified = check(vector).unwrap();
        assert_eq!(verified.compact.encode(), unhex(vector["compact"].as_str().unwrap()));
        let backing = verified.backing;
        let want = ["signed", "power", "total"].map(|field| vector[field].as_u64().unwrap());
        assert_eq!([backing.signed, backing.power, backing.total], want, "{}", vector["name"]);
        let members = usize::try_from(backing.members).unwrap();
        assert_eq!(members, vector["members"].as_array().unwrap().len());
        let demanded = |members_min| Acceptance { members_min, power_min_bps: 1 };
        assert!(backing.accept(&demanded(members)).is_ok() && backing.accept(&demanded(members + 1)).is_err());
    }
    let reason = |vector: &Value| match check(vector) {
        Err(ReceiptError::NotBelieved(reason)) => reason.number(),
        other => panic!("{other:?}"),
    };
    // As on the chain.
    let told: Vec<u32> = vectors["refused"].as_array().unwrap().iter().map(reason).collect();
    assert_eq!(told, [39, 39, 39, 39, 38, 41, 37, 37, 36, 41, 41, 41, 41, 41, 35, 41, 41, 41, 34]);

    let receipt = unhex(vectors["believed"][2]["compact"].as_str().unwrap());
    let other = verify_receipt(&receipt, &roots[0].root.encode(), &Digest([1; 32])).unwrap_err();
    assert_eq!(other, ReceiptError::NotBelieved(NotBelieved::Trusted));
    assert_eq!(verify_receipt(&vec![0; 1 << 20], b"", &Digest([1; 32])), Err(ReceiptError::Errno(Errno::TooLarge)));
}

#[test]
fn reasons_have_numbers_of_their_own() {
    for reason in NotBelieved::ALL {
        assert_eq!(NotBelieved::from_number(reason.number()), Some(reason));
        assert!(reason.number() >= 32, "{reason}: the numbers below are errno's");
    }
    assert_eq!([0, 8, 31, 42].map(NotBelieved::from_number), [None; 4]);
}

/// The points of `chain/vm/tests/engine/work.rs`: the first numbers, hashed to the curve.
#[test]
fn multiples_are_those_of_the_chain() {
    let scalars: Vec<[u8; 32]> = (0..40)
        .map(|at: u8| {
            let mut scalar = [at + 1; 32];
            scalar[31] = 7;
            scalar
        })
        .collect();
    let tag = b"aceso/test";
    let function = cosmwasm_crypto::HashFunction::Sha256;
    let ones: Vec<[u8; 48]> =
        (0..40_u32).map(|at| cosmwasm_crypto::bls12_381_hash_to_g1(function, &at.to_be_bytes(), tag)).collect();
    let twos: Vec<[u8; 96]> =
        (0..40_u32).map(|at| cosmwasm_crypto::bls12_381_hash_to_g2(function, &at.to_be_bytes(), tag)).collect();
    expect!["a5739ea747fe6977d43e1794aaeb8652f1c91581309a1511bf84f3bef89a57e03c60dfd2ac528a914db4b89f0e025d16"]
        .assert_eq(&hex(&g1_msm(&ones, &scalars).unwrap()));
    expect!["b72313297d7ee20ffedf76a80a9ff5f64231f1c0b7c8663ffdca250c05699c4149c1d141be70190f021494002cdecb820d5ea6e1da622e651b6e249d3dddbd9014781eb9908e42425cf57b479fc8048db4a48092eb5867745e0ce53185b5994d"].assert_eq(&hex(&g2_msm(&twos, &scalars).unwrap()));

    let identity = [&[0xc0][..], &[0; 47]].concat();
    assert_eq!(g1_msm(&[], &[]).unwrap()[..], identity);
    assert_eq!(g1_msm(&ones, &scalars[1..]), Err(Errno::InvalidArgument));
    assert_eq!(g2_msm(&twos[1..], &scalars), Err(Errno::InvalidArgument));
    assert_eq!(g1_msm(&[[0xff; 48]], &scalars[..1]), Err(Errno::InvalidEncoding));
    assert_eq!(g1_msm(&ones[..1], &[[0xff; 32]]), Err(Errno::InvalidEncoding));
    let many = (vec![ones[0]; MULTIPLY_MAX + 1], vec![scalars[0]; MULTIPLY_MAX + 1]);
    assert_eq!(g1_msm(&many.0, &many.1), Err(Errno::TooLarge));
}

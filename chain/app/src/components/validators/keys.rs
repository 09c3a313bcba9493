//! Every key of the component `validators`. Renaming one is a state migration.

/// `decided`: the table as the authority has made it so far.
pub(super) fn decided() -> Vec<u8> {
    b"decided".to_vec()
}

/// `signing/00000000000000001234`: the table that signs from this height on.
pub(super) fn signing(height: u64) -> Vec<u8> {
    format!("signing/{height:020}").into_bytes()
}

/// `signing/`
pub(super) fn all_signing() -> Vec<u8> {
    b"signing/".to_vec()
}

/// The height in a key of [`signing`].
pub(super) fn height_of(key: &[u8]) -> Option<u64> {
    std::str::from_utf8(key).ok()?.rsplit('/').next()?.parse().ok()
}

/// `validator/d75a980182b1…` — the consensus key, 64 hexadecimal digits
pub(crate) fn validator(key: &[u8]) -> Vec<u8> {
    format!("validator/{}", hex::encode(key)).into_bytes()
}

/// `address/7ce5…` — the address that CometBFT has for a validator, 40 hexadecimal digits; its consensus key
pub(super) fn address(address: &[u8]) -> Vec<u8> {
    format!("address/{}", hex::encode(address)).into_bytes()
}

/// `attester/b5de…` — an attestation key, 96 hexadecimal digits; the consensus key of the validator that registered it
pub(super) fn attester(bls_key: &[u8]) -> Vec<u8> {
    format!("attester/{}", hex::encode(bls_key)).into_bytes()
}

/// `missed/0000000007`: the latest blocks that a validator did not vote for, by its number.
pub(super) fn missed(number: u32) -> Vec<u8> {
    format!("missed/{number:010}").into_bytes()
}

/// `missed/`
pub(super) fn all_missed() -> Vec<u8> {
    b"missed/".to_vec()
}

/// The number in a key of [`missed`].
pub(super) fn number_of(key: &[u8]) -> Option<u32> {
    std::str::from_utf8(key).ok()?.rsplit('/').next()?.parse().ok()
}

/// `misbehavior/d75a980182b1…/00000000000000001234/duplicate_vote` — consensus key, height, kind
pub(super) fn misbehavior(key: &[u8], height: u64, kind: &str) -> Vec<u8> {
    format!("misbehavior/{}/{height:020}/{kind}", hex::encode(key)).into_bytes()
}

/// `misbehavior/d75a980182b1…/`
pub(super) fn misbehavior_of(key: &[u8]) -> Vec<u8> {
    format!("misbehavior/{}/", hex::encode(key)).into_bytes()
}

/// `numbers`: the number that was given last.
pub(super) fn numbers() -> Vec<u8> {
    b"numbers".to_vec()
}

#[test]
fn keys_do_not_change() {
    let text = |key: Vec<u8>| String::from_utf8(key).unwrap();
    let all = [
        decided(),
        signing(1234),
        all_signing(),
        validator(&[0xd7, 0x5a]),
        address(&[0x7c]),
        attester(&[0xb5]),
        missed(7),
        all_missed(),
        misbehavior(&[0xd7], 1234, "duplicate_vote"),
        misbehavior_of(&[0xd7]),
        numbers(),
    ];
    expect_test::expect![[r#"
        decided
        signing/00000000000000001234
        signing/
        validator/d75a
        address/7c
        attester/b5
        missed/0000000007
        missed/
        misbehavior/d7/00000000000000001234/duplicate_vote
        misbehavior/d7/
        numbers"#]]
    .assert_eq(&all.map(text).join("\n"));
    assert_eq!((height_of(&signing(1234)), number_of(&missed(7))), (Some(1234), Some(7)));
}

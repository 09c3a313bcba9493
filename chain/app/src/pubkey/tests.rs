//! Keys and addresses are CosmJS 0.38's (`encodePubkey`, `pubkeyToAddress`), signatures those of the RFCs.

use k256::ecdsa::{Signature as Made, SigningKey, signature::Signer};

use super::*;

const ONE: &str = "0a21031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f";
const TWO: &str = "0a21024d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766";
const ED: &str = "0a20ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1";
const PASSKEY: &str = "0a210307810ea974cea5773e63b897f37e3be9a09e7a5fe9b971a44d1065ac2a3a9311";

fn any(url: &str, value: &str) -> Any {
    Any { type_url: format!("/cosmos.crypto.{url}"), value: hex::decode(value).unwrap() }
}

fn one() -> Any {
    any("secp256k1.PubKey", ONE)
}

fn multi(threshold: u32, public_keys: Vec<Any>) -> Any {
    let multi = LegacyAminoPubKey { threshold, public_keys };
    Any { type_url: LegacyAminoPubKey::type_url(), value: multi.encode_to_vec() }
}

fn three() -> Any {
    multi(2, vec![one(), any("secp256k1.PubKey", TWO), any("ed25519.PubKey", ED)])
}

#[test]
fn urls_are_those_of_the_messages() {
    let single = [
        crypto::secp256k1::PubKey::type_url(),
        crypto::ed25519::PubKey::type_url(),
        crypto::secp256r1::PubKey::type_url(),
    ];
    assert_eq!(Kind::ALL.map(Kind::url), single.each_ref().map(String::as_str));
    assert_eq!(MULTISIG_URL, LegacyAminoPubKey::type_url());
}

#[test]
fn accounts_are_where_cosmjs_puts_them() {
    let nested = multi(1, vec![three(), one()]);
    for (any, address, count) in [
        (one(), "aceso10xcqpzrky6eff2g52qdye53xkk9jxkvrlnu7gx", 1),
        (any("ed25519.PubKey", ED), "aceso1kchgvlaz7va0uck466ckgtsky825xvrcmlxu2h", 1),
        (three(), "aceso10pnhnnvt6lg3yhdswzt96zmcza7dylk2nres92", 3),
        (nested, "aceso1wmcz7x74pzm9hntrr8trd6pxmepv67z6g2jc4j", 4),
    ] {
        let key = PublicKey::of_any(&any).unwrap();
        assert_eq!((key.address("aceso").unwrap().as_str(), key.count()), (address, count));
        assert_eq!(key.to_any(), any);
        key.check().unwrap();
    }
    // ADR-028, reckoned with Python's hashlib.
    let passkey = PublicKey::of_any(&any("secp256r1.PubKey", PASSKEY)).unwrap();
    let address = hex::encode(passkey.address("aceso").unwrap().bytes());
    assert_eq!(address, "aa285e4c47385c5f365f299f8b686be4066bea63df61a03e524b30adbe67b04a");
}

#[test]
fn keys_that_cannot_be_are_refused_by_kind() {
    let refused = |any: &Any| PublicKey::of_any(any).unwrap_err().to_string();
    assert_eq!(
        refused(&any("sr25519.PubKey", ED)),
        "public keys of type \"/cosmos.crypto.sr25519.PubKey\" do not sign here: feature not supported"
    );
    assert_eq!(refused(&any("ed25519.PubKey", ONE)), "a ed25519 public key has 32 bytes: invalid pubkey");
    assert_eq!(refused(&any("secp256r1.PubKey", ED)), "a secp256r1 public key has 33 bytes: invalid pubkey");
    assert!(refused(&any("secp256k1.PubKey", &format!("{ONE}1200"))).ends_with("tx parse error"));
    let pair = || vec![one(), one()];
    assert_eq!(refused(&multi(0, pair())), "0 of 2 keys have to sign, not 1 to all: invalid pubkey");
    assert_eq!(refused(&multi(3, pair())), "3 of 2 keys have to sign, not 1 to all: invalid pubkey");
    assert_eq!(refused(&multi(1, vec![])), "1 of 0 keys have to sign, not 1 to all: invalid pubkey");
    assert_eq!(
        refused(&multi(1, vec![one(), any("secp256r1.PubKey", PASSKEY)])),
        "amino has no name for secp256r1 keys, so none is in a key of several: invalid pubkey"
    );
    assert_eq!(refused(&multi(1, vec![one(); 100])), "more than 100 keys in one: invalid pubkey");
    assert!(PublicKey::of_any(&multi(1, vec![one(); 99])).is_ok());
    let nest = |times: usize| (0..times).fold(one(), |inner, _| multi(1, vec![inner]));
    assert!(PublicKey::of_any(&nest(9)).is_ok());
    assert_eq!(refused(&nest(10)), "more than 10 keys inside each other: invalid pubkey");
}

#[test]
fn bytes_that_are_no_point_are_refused() {
    let key = |url: &str, bytes: Vec<u8>| {
        let value = crypto::secp256k1::PubKey { key: bytes }.encode_to_vec();
        PublicKey::of_any(&any(url, &hex::encode(value))).unwrap()
    };
    for (url, bytes, kind) in [
        ("secp256k1.PubKey", vec![5; 33], "secp256k1"),
        ("secp256r1.PubKey", [&[2][..], &[0xff; 32]].concat(), "secp256r1"),
        ("ed25519.PubKey", [&[2][..], &[0; 31]].concat(), "ed25519"),
    ] {
        let key = key(url, bytes);
        assert_eq!(key.check().unwrap_err().to_string(), format!("not a point of {kind}: invalid pubkey"));
        let PublicKey::Single(single) = &key else { panic!("one key") };
        assert!(!single.has_signed(b"", &[1; 64]));
        assert!(PublicKey::Multi(MultiKey { threshold: 1, members: vec![key] }).check().is_err());
    }
}

#[test]
fn only_the_low_one_of_two_secp256k1_signatures_counts() {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let public = SingleKey::secp256k1(key.verifying_key().to_encoded_point(true).as_bytes());
    let made: Made = key.sign(b"bytes");
    let low = made.normalize_s().unwrap_or(made);
    assert!(public.has_signed(b"bytes", &low.to_bytes()));
    assert!(!public.has_signed(b"other", &low.to_bytes()));
    let (r, s) = low.split_scalars();
    let high = Made::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
    assert!(!public.has_signed(b"bytes", &high.to_bytes()));
    assert!(!public.has_signed(b"bytes", &low.to_bytes()[..63]));
    assert!(!SingleKey::secp256k1(&public.bytes[..32]).has_signed(b"bytes", &low.to_bytes()));
}

/// RFC 6979, A.2.5, SHA-256 of "sample": its s is the high one.
#[test]
fn only_the_low_one_of_two_secp256r1_signatures_counts() {
    let bytes = hex::decode("0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6").unwrap();
    let key = SingleKey { kind: Kind::Secp256r1, bytes };
    let r = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
    let s = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    let high = p256::ecdsa::Signature::from_slice(&hex::decode(format!("{r}{s}")).unwrap()).unwrap();
    let low = high.normalize_s().unwrap();
    assert!(key.has_signed(b"sample", &low.to_bytes()));
    assert!(!key.has_signed(b"sample", &high.to_bytes()));
    assert!(!key.has_signed(b"simple", &low.to_bytes()));
    assert!(!key.has_signed(b"sample", &low.to_bytes()[..63]));
}

/// RFC 8032, 7.1, test 2.
#[test]
fn ed25519_signs_the_bytes_themselves() {
    let bytes = hex::decode("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c").unwrap();
    let key = SingleKey { kind: Kind::Ed25519, bytes };
    let mut signature = hex::decode(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    )
    .unwrap();
    assert!(key.has_signed(&[0x72], &signature));
    assert!(!key.has_signed(&[0x73], &signature));
    assert!(!key.has_signed(&[0x72], &signature[..63]));
    signature[3] ^= 1;
    assert!(!key.has_signed(&[0x72], &signature));
}

//! A patient's key store: it derives, forgets, travels sealed, and comes back through guardians.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use aceso_seal::{KeyStore, SealError, StoreError, seal};
use aceso_types::Digest;
use aceso_verify::grant::{
    ContentPoint, Deal, Dealt, GrantError, PublicKey, Registered, Registration, SecretKey, Share,
};

const OWNER: &str = "aceso1patient";

fn point(number: u8) -> ContentPoint {
    ContentPoint::generate(&[number; 64])
}

fn store() -> KeyStore {
    let mut store = KeyStore::new([5; 32]);
    store.add("bafyone", [1; 32]).unwrap();
    store.add("bafytwo", [2; 32]).unwrap();
    store
}

#[test]
fn keys_follow_from_master_and_nonce() {
    let store = store();
    assert_eq!((store.version(), store.images().collect::<Vec<_>>()), (3, vec!["bafyone", "bafytwo"]));
    let key = store.key("bafyone").unwrap();
    assert_eq!(key.public(), SecretKey::derive(&[5; 32], b"aceso/patient/image/1", &[1; 32]).unwrap().public());
    assert_ne!(key.public(), store.key("bafytwo").unwrap().public());
    assert_eq!(store.key("bafythree").unwrap_err(), StoreError::Unknown("bafythree".into()));
    // The account is known before the image has a name, is its own for each, and says nothing of the key.
    let account = store.account("bafyone").unwrap();
    assert_eq!((&account, account.len()), (&store.account_of(&[1; 32]), 32));
    assert!(account != store.account("bafytwo").unwrap() && account[..] != key.to_bytes());
    assert_ne!(account, KeyStore::new([6; 32]).account_of(&[1; 32]));
    assert_eq!(store.account("bafythree").unwrap_err(), StoreError::Unknown("bafythree".into()));
    assert_eq!(format!("{store:?}"), "KeyStore(version 3, 2 images)");
}

#[test]
fn a_nonce_is_never_replaced_and_names_are_bounded() {
    let mut store = store();
    assert_eq!(store.add("bafyone", [9; 32]), Err(StoreError::Known("bafyone".into())));
    assert_eq!(store.add("", [9; 32]), Err(StoreError::Full));
    assert_eq!(store.add(&"a".repeat(129), [9; 32]), Err(StoreError::Full));
    assert_eq!(store.version(), 3, "a refusal changes nothing");
    store.add(&"a".repeat(128), [9; 32]).unwrap();
    let mut full = KeyStore::new([5; 32]);
    for number in 0..10_000 {
        full.add(&format!("{number:0>128}"), [9; 32]).unwrap();
    }
    assert_eq!(full.add("one more", [9; 32]), Err(StoreError::Full));
    assert_eq!(KeyStore::decode(&full.encode().unwrap()).unwrap(), full, "the largest fits");
}

#[test]
fn what_waits_for_an_image_gets_its_name() {
    let mut store = store();
    let (key, account) = (store.key("bafyone").unwrap().public(), store.account("bafyone").unwrap());
    let unknown = StoreError::Unknown("bafythree".into());
    for (from, to, error) in [
        ("bafythree", "bafyfour", unknown),
        ("bafyone", "bafytwo", StoreError::Known("bafytwo".into())),
        ("bafyone", "bafyone", StoreError::Known("bafyone".into())),
        ("bafyone", "", StoreError::Full),
        ("bafyone", &"a".repeat(129), StoreError::Full),
    ] {
        assert_eq!(store.rename(from, to), Err(error));
    }
    assert_eq!(store.version(), 3, "a refusal changes nothing");
    store.rename("bafyone", "bafythree").unwrap();
    assert_eq!((store.version(), store.images().collect::<Vec<_>>()), (4, vec!["bafythree", "bafytwo"]));
    assert!(store.key("bafythree").unwrap().public() == key && store.account("bafythree").unwrap() == account);
    assert_eq!(store.key("bafyone").unwrap_err(), StoreError::Unknown("bafyone".into()));
}

#[test]
fn a_store_travels_sealed() {
    let (store, content) = (store(), point(1));
    let file = store.seal(&content, OWNER, [7; 32]).unwrap();
    assert_eq!(KeyStore::open(&content, &file, 3).unwrap(), store);
    for secret in [&[5; 32], &[1; 32], &[2; 32]] {
        assert!(!file.windows(32).any(|window| window == secret));
    }
    assert_eq!(KeyStore::open(&content, &file, 4).unwrap_err(), StoreError::Old { got: 3, least: 4 });
    assert_eq!(KeyStore::open(&point(2), &file, 1).unwrap_err(), StoreError::Seal(SealError::Key));
    for at in 0..file.len() {
        let mut other = file.clone();
        other[at] ^= 1;
        assert!(KeyStore::open(&content, &other, 1).is_err(), "byte {at}");
    }
    let kind = seal(&content, OWNER, [7; 32], ("text/plain", BTreeMap::new()), &b"x"[..], 1, Vec::new()).unwrap();
    let another = StoreError::Record("it is a record of another kind");
    assert_eq!(KeyStore::open(&content, &kind, 1).unwrap_err(), another);
    assert!(store.seal(&content, &"a".repeat(2000), [7; 32]).is_err());
}

#[test]
fn a_record_has_one_spelling() {
    let record = store().encode().unwrap();
    assert_eq!(KeyStore::decode(&record).unwrap(), store());
    assert!(KeyStore::decode(&record[1..]).is_err() && KeyStore::decode(&[&record[..], &[0]].concat()).is_err());
    // `version` as 0, and as a longer number of the same value.
    let at = record.len() - 1;
    assert_eq!((record[at], &record[at - 8..at]), (3, &b"gversion"[..]));
    let zero = [&record[..at], &[0]].concat();
    assert_eq!(KeyStore::decode(&zero).unwrap_err(), StoreError::Record("it has another spelling"));
    assert!(KeyStore::decode(&[&record[..at], &[0x18, 3]].concat()).is_err());
    assert_eq!(KeyStore::decode(&vec![0; 3 << 20]).unwrap_err(), StoreError::Record("it is too long"));
}

/// A store that guardians can bring back: sealed under a point that is registered for a key whose secret is dealt.
struct Kept {
    file: Vec<u8>,
    registration: Registration,
    deal: Deal,
    version: u64,
}

const COMMITMENT: Digest = Digest([4; 32]);

fn registered() -> Registered<'static> {
    Registered { chain_id: "clinic-1", cid: "bafystore", owner: OWNER, commitment: &COMMITMENT }
}

fn dealt(version: u64) -> Dealt<'static> {
    Dealt { chain_id: "clinic-1", owner: OWNER, version }
}

fn guardians() -> Vec<SecretKey> {
    (0..3).map(|number| SecretKey::derive(&[number; 32], b"guardian", b"").unwrap()).collect()
}

fn keep(store: &KeyStore, number: u8) -> Kept {
    let (content, key) = (point(number), SecretKey::derive(&[number; 32], b"store", b"").unwrap());
    let keys: Vec<PublicKey> = guardians().iter().map(SecretKey::public).collect();
    Kept {
        file: store.seal(&content, OWNER, [number; 32]).unwrap(),
        registration: Registration::new(&registered(), &key, &content, &[number; 64]),
        deal: Deal::new(&dealt(store.version()), &key, 2, &keys, &[number; 64]).unwrap(),
        version: store.version(),
    }
}

impl Kept {
    fn share(&self, place: u8) -> Share {
        self.deal.open(&dealt(self.version), place, &guardians()[usize::from(place) - 1]).unwrap()
    }

    fn recover(&self, shares: &[Share]) -> Result<KeyStore, StoreError> {
        self.registration.check(&registered())?;
        let secret = self.deal.recover(shares)?;
        assert_eq!(secret.public(), self.registration.key);
        KeyStore::open(&self.registration.sealed.open(&secret), &self.file, self.version)
    }
}

#[test]
fn two_of_three_guardians_bring_the_store_back() {
    let store = store();
    let kept = keep(&store, 1);
    for places in [[1, 2], [2, 3], [3, 1]] {
        assert_eq!(kept.recover(&places.map(|place| kept.share(place))).unwrap(), store);
    }
    let alone = kept.recover(&[kept.share(1)]);
    assert_eq!(alone.unwrap_err(), StoreError::Grant(GrantError::Shares { want: 2, got: 1 }));
}

#[test]
fn an_erased_image_is_gone_from_every_later_version() {
    let mut store = store();
    let before = keep(&store, 1);
    let key = store.key("bafyone").unwrap().to_bytes();
    store.erase("bafyone").unwrap();
    assert_eq!(store.version(), 4);
    let unknown = StoreError::Unknown("bafyone".into());
    assert_eq!(
        (store.key("bafyone").unwrap_err(), store.account("bafyone").unwrap_err()),
        (unknown.clone(), unknown.clone())
    );
    assert_eq!(store.erase("bafyone").unwrap_err(), unknown);
    let after = keep(&store, 2);

    // What the guardians bring back of the new version has the other image only.
    let back = after.recover(&[after.share(1), after.share(2)]).unwrap();
    assert_eq!(back.images().collect::<Vec<_>>(), ["bafytwo"]);
    assert!(back.key("bafyone").is_err() && back.account("bafyone").is_err());
    // Their old shares do not open the new version, nor do the new ones the old, nor a mixture either.
    let mixed = [after.share(1), before.share(2)];
    assert_eq!(after.recover(&mixed).unwrap_err(), StoreError::Grant(GrantError::Share(2)));
    assert_eq!(before.recover(&mixed).unwrap_err(), StoreError::Grant(GrantError::Share(1)));
    // Who hands out the old file for the new one is noticed by its version and by its key.
    let old = Kept { file: before.file.clone(), ..keep(&store, 2) };
    let refused = old.recover(&[after.share(1), after.share(2)]).unwrap_err();
    assert_eq!(refused, StoreError::Seal(SealError::Key));
    assert_eq!(KeyStore::open(&point(1), &before.file, 4).unwrap_err(), StoreError::Old { got: 3, least: 4 });
    // What is honest about it: with the old file and enough old shares it is all there again.
    let all = before.recover(&[before.share(1), before.share(2)]).unwrap();
    assert_eq!(all.key("bafyone").unwrap().to_bytes(), key);
}

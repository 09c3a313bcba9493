//! Sealed files and key stores, in `vectors/sealed.json`. Small ones stand there whole, large ones as SHA-256 of each leaf.
//! Other implementations read the same file.
//!
//! Records of type `application/pdf` are not compressed, so every implementation writes the same file. What a compressor
//! writes is its own affair: such a file is there to be opened.
//!
//! A difference here is another format (`chain/blobs/FORMAT.md`), not only a new record (`cargo xtask golden`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use aceso_seal::{Header, KeyStore, LEAF, SealError, TAG, open, seal};
use aceso_verify::grant::ContentPoint;
use expect_test::expect_file;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const OWNER: &str = "aceso1patient";

fn entropy() -> [u8; 64] {
    [1; 64]
}

/// Byte i of a record is `(i ^ i >> 8 ^ i >> 16) & 0xff`.
fn record(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at ^ (at >> 8) ^ (at >> 16)) & 0xff).unwrap()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn file(name: &str, media: &str, length: usize, salt: u8) -> (Vec<u8>, Value) {
    let tags = BTreeMap::from([("patient".to_owned(), "Doe^Jane".to_owned()), ("study".to_owned(), "7".to_owned())]);
    let (content, record) = (ContentPoint::generate(&entropy()), record(length));
    let about = (media, tags.clone());
    let file = seal(&content, OWNER, [salt; 32], about, &record[..], length as u64, Vec::new()).unwrap();
    assert!(open(&content, &file, u64::MAX).unwrap().2 == record);
    let mut vector = json!({
        "name": name, "point": hex::encode(content.to_bytes()), "owner": OWNER, "salt": hex::encode([salt; 32]),
        "media": media, "tags": tags, "length": length, "record": sha256(&record), "size": file.len(),
        "leaves": file.chunks(LEAF).map(sha256).collect::<Vec<_>>(),
    });
    let header = Header::decode(&file).unwrap().1;
    vector["header"] = hex::encode(&file[..header]).into();
    if file.len() < 4096 {
        vector["file"] = hex::encode(&file).into();
    }
    (file, vector)
}

#[test]
fn sealed_files_do_not_change() {
    // What stands before the record in the first leaf: header, length and map.
    let (empty, _) = file("", "application/pdf", 0, 7);
    // The length of a large record takes four bytes more than 0 does.
    let whole = LEAF - empty.len() - 4;
    let pdf = "application/pdf";
    let files = [
        file("empty", pdf, 0, 7),
        file("one byte", pdf, 1, 7),
        file("another salt", pdf, 1, 8),
        file("exactly one leaf", pdf, whole, 7),
        file("one leaf and a byte", pdf, whole + 1, 7),
        file("two leaves", pdf, whole + LEAF - TAG, 7),
        file("two leaves and a byte", pdf, whole + LEAF - TAG + 1, 7),
        file("compressed", "application/fhir+json", 1000, 7),
        file("compressed, empty", "application/dicom", 0, 7),
    ];
    let leaves: Vec<usize> = files.iter().map(|(file, _)| file.len().div_ceil(LEAF)).collect();
    assert_eq!(leaves, [1, 1, 1, 1, 2, 2, 3, 1, 1]);
    assert_eq!((files[3].0.len(), files[5].0.len()), (LEAF, 2 * LEAF));

    // Headers that say the same and are no header: one spelling only.
    let (small, _) = &files[1];
    let wrong = |name: &str, bytes: Vec<u8>| {
        let refused = open(&ContentPoint::generate(&entropy()), &bytes, u64::MAX).unwrap_err();
        assert!(matches!(refused, SealError::Header(_) | SealError::Long { .. } | SealError::Version(_)), "{name}");
        json!({"what": name, "file": hex::encode(bytes)})
    };
    let map = |change: &dyn Fn(&mut Vec<u8>)| {
        let header = Header::decode(small).unwrap().1;
        let mut map = small[10..header].to_vec();
        change(&mut map);
        let length = u16::try_from(map.len()).unwrap().to_be_bytes();
        [&small[..8], &length, &map, &small[header..]].concat()
    };
    let owner = small.windows(6).position(|window| window == b"eowner").unwrap() - 10 + 6;
    let refused = [
        wrong("another magic", [&[b'A'][..], &small[1..]].concat()),
        wrong("another version", [&small[..7], &[2], &small[8..]].concat()),
        wrong("ends in its header", small[..100].to_vec()),
        wrong("a length in two bytes that fits in one", map(&|map| drop(map.splice(owner..=owner, [0x78, 13])))),
        wrong(
            "a map of indefinite length",
            map(&|map| {
                map[0] = 0xbf;
                map.push(0xff);
            }),
        ),
        wrong(
            "a field more",
            map(&|map| {
                map[0] = 0xa4;
                map.extend([0x61, b'z', 0]);
            }),
        ),
        wrong(
            "fields in another order",
            map(&|map| {
                let salt = map.drain(1..1 + 5 + 2 + 32).collect::<Vec<_>>();
                map.extend(salt);
            }),
        ),
        wrong("something behind the map", map(&|map| map.push(0))),
        wrong("longer than a header may be", [&small[..8], &[0x04, 0x01], &[0; 2000][..]].concat()),
    ];

    let mut store = KeyStore::new([5; 32]);
    store.add("bafytwo", [2; 32]).unwrap();
    store.add("bafyone", [1; 32]).unwrap();
    store.add("bafy", [3; 32]).unwrap();
    let content = ContentPoint::generate(&entropy());
    let keys: BTreeMap<&str, String> =
        store.images().map(|image| (image, hex::encode(store.key(image).unwrap().to_bytes()))).collect();
    let accounts: BTreeMap<&str, String> =
        store.images().map(|image| (image, hex::encode(&store.account(image).unwrap()[..]))).collect();
    let store = json!({
        "point": hex::encode(content.to_bytes()), "owner": OWNER, "salt": hex::encode([9; 32]),
        "master": hex::encode([5; 32]), "version": store.version(),
        "images": {"bafytwo": hex::encode([2; 32]), "bafyone": hex::encode([1; 32]), "bafy": hex::encode([3; 32])},
        "keys": keys, "accounts": accounts, "record": hex::encode(&store.encode().unwrap()[..]),
        "file": hex::encode(store.seal(&content, OWNER, [9; 32]).unwrap()),
    });
    let files: Vec<Value> = files.into_iter().map(|(_, vector)| vector).collect();
    let text = serde_json::to_string_pretty(&json!({"files": files, "refused": refused, "store": store})).unwrap();
    expect_file!["vectors/sealed.json"].assert_eq(&(text + "\n"));
}

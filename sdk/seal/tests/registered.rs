//! Every reason why a registered record does not open, in the order in which they are looked for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, io::Write};

use aceso_seal::{Header, LEAF, Registered, Sealer, open_registered, seal, sealed_bytes_max};
use aceso_types::sealed::Failure;
use aceso_verify::grant::ContentPoint;

const OWNER: &str = "aceso1patient";
const MOST: u64 = 3 << 20;

fn content(number: u8) -> ContentPoint {
    ContentPoint::generate(&[number; 64])
}

fn sealed(owner: &str, record: &[u8]) -> Vec<u8> {
    let tags = BTreeMap::from([("modality".to_owned(), "DX".to_owned())]);
    let about = ("image/png", tags);
    seal(&content(1), owner, [7; 32], about, record, record.len() as u64, Vec::new()).unwrap()
}

fn opened(key: &ContentPoint, file: &[u8]) -> Result<Vec<u8>, Failure> {
    let commitment = content(1).commitment();
    let about = Registered { owner: OWNER, commitment: &commitment };
    open_registered(&about, key, file, file.len() as u64, MOST).map(|(inner, record)| {
        assert_eq!(inner.tags["modality"], "DX");
        record.to_vec()
    })
}

#[test]
fn what_was_registered_opens() {
    for record in [&b""[..], b"a record", &vec![3; 2 * LEAF + 5]] {
        assert_eq!(opened(&content(1), &sealed(OWNER, record)).unwrap(), record);
    }
}

#[test]
fn the_first_reason_counts() {
    let record = vec![3; LEAF + 5];
    let good = sealed(OWNER, &record);
    let failed = |file: &[u8]| opened(&content(1), file).unwrap_err();

    // The wrap held another key: nothing else is looked at.
    assert_eq!(opened(&content(2), &good), Err(Failure::Key));
    assert_eq!(opened(&content(2), b"no sealed file"), Err(Failure::Key));

    for (at, what) in [(0, "magic"), (7, "version"), (8, "length")] {
        let mut file = good.clone();
        file[at] ^= 0x40;
        assert_eq!(failed(&file), Failure::Header, "{what}");
    }
    assert_eq!((failed(b""), failed(&good[..20])), (Failure::Header, Failure::Header));
    // A header that commits to another key, of another owner at that.
    let (mut header, before) = Header::decode(&good).unwrap();
    header.commitment.0[0] ^= 1;
    header.owner = "aceso1other".into();
    assert_eq!(failed(&[&header.encode().unwrap()[..], &good[before..]].concat()), Failure::Header);

    let other = sealed("aceso1other", &record);
    assert_eq!(failed(&other), Failure::Owner);
    assert_eq!(failed(&other[..other.len() - 1]), Failure::Owner);

    for at in [before, LEAF - 1, LEAF, good.len() - 1] {
        let mut file = good.clone();
        file[at] ^= 1;
        assert_eq!(failed(&file), Failure::Leaf, "byte {at}");
    }
    assert_eq!((failed(&good[..LEAF]), failed(&good[..before])), (Failure::Leaf, Failure::Leaf));
    assert_eq!(failed(&[&good[..], b"more"].concat()), Failure::Leaf);

    // Longer than what is read, by what it says of itself and by its bytes alone.
    assert_eq!(failed(&sealed(OWNER, &vec![3; (3 << 20) + 1])), Failure::Record);
    let commitment = content(1).commitment();
    let about = Registered { owner: OWNER, commitment: &commitment };
    let first = |size| open_registered(&about, &content(1), &good[..LEAF], size, MOST).unwrap_err();
    assert_eq!((first(sealed_bytes_max(MOST)), first(sealed_bytes_max(MOST) + 1)), (Failure::Leaf, Failure::Record));
    // Something that is no record was sealed.
    let mut sealer = Sealer::new(&content(1), OWNER, [7; 32], Vec::new()).unwrap();
    sealer.write_all(b"\0\0\0\x04none").unwrap();
    assert_eq!(failed(&sealer.finish().unwrap()), Failure::Record);
}

//! `tests/vectors/compact.json`: receipts and roots for whoever checks them by other means. The page's verifier, noble's
//! curves and a contract answer the same. A red test here means that receipts which people keep are believed no
//! longer: that takes a new version of the format beside this one, never a new recording.

use aceso_types::{
    Frame,
    sealed::{Compact, SIGNATURE_DOMAIN},
};
use aceso_verify::{Roots, verify_compact};
use serde_json::{Value, json};

use crate::rig::{Draft, ROOTS, asked, bits, findings, outside};

fn believed() -> Vec<(&'static str, Draft)> {
    let two = Draft {
        disclosure: asked(&["pneumonia", "effusion"]),
        outcome: findings(&[("pneumonia", true), ("effusion", false)]),
        ..Draft::of(0, [1, 2, 4], [0, 1, 2])
    };
    vec![
        ("one of one", Draft::of(0, [2], [0])),
        ("three of three, two findings", two),
        ("three of four", Draft::default()),
        ("three of four, open", Draft::open()),
        ("three of four, sealed", Draft::sealed()),
        ("three of four, failed", Draft::failed()),
        ("with a new key", Draft::of(2, [1, 2, 3], [0, 1, 2])),
        ("three of four, of a frame", Draft { frame: Frame::of_wire(300), ..Draft::default() }),
        ("86 of 128", Draft::of(1, 3..=130, 42..128)),
    ]
}

fn refused() -> Vec<(&'static str, Compact)> {
    let good = || Draft::default().compact();
    let with = |change: &dyn Fn(&mut Compact)| {
        let mut other = good();
        change(&mut other);
        other
    };
    vec![
        ("two of three", Draft::of(0, [1, 2, 3], [0, 1]).compact()),
        ("half", Draft::of(0, [1, 2, 3, 4], [0, 3]).compact()),
        ("85 of 128", Draft::of(1, 3..=130, 0..85).compact()),
        ("nobody", with(&|c| c.signers = vec![0])),
        ("a bit for a fifth", with(&|c| c.signers = vec![0b1_1011])),
        ("one said to have signed who has not", with(&|c| c.signers = bits(4, &[0, 1, 2, 3]))),
        ("a member that is in no root", with(&|c| c.members[3] = 5)),
        ("a member of a later root", with(&|c| c.members = vec![1, 2, 3, 130])),
        ("a root that is not known", with(&|c| c.root = 3)),
        ("the keys of another root", with(&|c| c.root = 1)),
        ("the signers as a committee of their own", with(&|c| (c.members, c.signers) = (vec![1, 2, 4], vec![7]))),
        ("another finding", with(&|c| c.outcome = findings(&[("pneumonia", false)]))),
        ("another patient", with(&|c| c.statement.owner.push('x'))),
        ("another frame", with(&|c| c.statement.frame = Frame::of_wire(2))),
        ("another chain", with(&|c| c.statement.chain_id = "aceso-2".into())),
        ("the identity as signature", with(&|c| c.signature = [&[0xc0_u8][..], &[0; 95]].concat())),
        ("a signature outside of the subgroup", with(&|c| c.signature = outside())),
        ("a signature that is no point", with(&|c| c.signature = vec![0xff; 96])),
        ("members out of order", with(&|c| c.members.swap(0, 1))),
    ]
}

fn receipt((name, draft): (&str, Draft)) -> Value {
    let compact = draft.compact();
    let file = compact.encode();
    let verified = verify_compact(&file, &ROOTS).unwrap();
    let signed = compact.signed(ROOTS.get(compact.root).unwrap()).unwrap();
    json!({
        "name": name,
        "compact": hex::encode(&file),
        "bytes": file.len(),
        "message": signed.message,
        "committee": verified.committee,
        "members": compact.members,
        "signers": verified.members.iter().filter(|member| member.signed).map(|member| member.number).collect::<Vec<_>>(),
        "signature": hex::encode(&compact.signature),
        "signed": verified.signed,
        "power": verified.power,
        "total": verified.total,
    })
}

fn no_receipt((name, compact): (&str, Compact)) -> Value {
    let file = compact.encode();
    let error = verify_compact(&file, &ROOTS).unwrap_err();
    json!({"name": name, "compact": hex::encode(&file), "error": error.to_string()})
}

#[test]
fn vectors_do_not_change() {
    let roots: Value = serde_json::from_slice(&ROOTS.encode()).unwrap();
    let of_root = |number| {
        let root = ROOTS.get(number).unwrap();
        json!({"number": number, "root": hex::encode(root.encode()), "digest": root.digest()})
    };
    let vectors = json!({
        "domain": std::str::from_utf8(SIGNATURE_DOMAIN).unwrap(),
        "roots": roots,
        "encoded": [of_root(0), of_root(1), of_root(2)],
        "believed": believed().into_iter().map(receipt).collect::<Vec<_>>(),
        "refused": refused().into_iter().map(no_receipt).collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&vectors).unwrap() + "\n";
    expect_test::expect_file!["../vectors/compact.json"].assert_eq(&text);
    Roots::decode(&serde_json::to_vec(&roots).unwrap()).unwrap();
}

/// The files that the documentation checks.
#[test]
fn the_kept_files_are_these() {
    expect_test::expect_file!["../golden/roots.json"].assert_eq(std::str::from_utf8(&ROOTS.encode()).unwrap());
    // Tests run in their crate's folder, wherever that was compiled.
    let path = "tests/golden/read.compact";
    assert_eq!(std::fs::read(path).unwrap(), Draft::default().file());
}

/// A committee of three or four fits into 500 bytes, with chain, accounts and contract named as they are.
#[test]
fn receipts_are_small() {
    for (name, draft) in believed() {
        let bytes = draft.file().len();
        assert!(bytes <= if draft.members.len() > 4 { 700 } else { 500 }, "{name}: {bytes} bytes");
    }
}

//! One compact receipt for each reason not to believe it.

use aceso_types::{
    Digest,
    sealed::{COMPACT_BYTES_MAX, Compact, Key, Outcome, ProofError, Root, SealedError, SignedRoot},
};
use aceso_verify::{
    Roots,
    compact::{Acceptance, CompactError, NotAccepted},
    verify_compact,
};
use blst::{blst_p1, blst_p1_affine, min_pk::PublicKey};

use crate::rig::{Draft, ROOTS, asked, bits, findings, follow, key, outside, root, secret, sign};

fn refused(compact: &Compact) -> CompactError {
    verify_compact(&compact.encode(), &ROOTS).unwrap_err()
}

fn with(change: impl FnOnce(&mut Compact)) -> CompactError {
    let mut other = Draft::default().compact();
    change(&mut other);
    refused(&other)
}

const OTHER: CompactError = CompactError::Signature("read");

#[test]
fn whoever_signed_something_else_did_not_sign_this() {
    assert_eq!(with(|c| c.statement.job += 1), OTHER);
    assert_eq!(with(|c| c.statement.requested.0 += 1), OTHER);
    assert_eq!(with(|c| c.statement.model.0.0[0] ^= 1), OTHER);
    assert_eq!(with(|c| c.statement.pipeline.0[0] ^= 1), OTHER);
    assert_eq!(with(|c| c.statement.image = aceso_types::BlobId::of_raw(b"other")), OTHER);
    assert_eq!(with(|c| c.statement.frame = aceso_types::Frame::of_wire(2)), OTHER);
    assert_eq!(with(|c| c.statement.owner.push('x')), OTHER);
    assert_eq!(with(|c| c.statement.requester.push('x')), OTHER);
    assert_eq!(with(|c| c.statement.consent.0[0] ^= 1), OTHER);
    assert_eq!(with(|c| c.outcome = findings(&[("pneumonia", false)])), OTHER);
    assert_eq!(with(|c| (c.statement.disclosure, c.outcome) = (asked(&["x"]), findings(&[("x", true)]))), OTHER);
    // All four are said to have signed, and three have.
    assert_eq!(with(|c| c.signers = bits(4, &[0, 1, 2, 3])), OTHER);
    assert_eq!(with(|c| c.signers = bits(4, &[0, 1, 2])), OTHER);
    // The same three as a committee of their own: another committee than they signed for.
    assert_eq!(with(|c| (c.members, c.signers) = (vec![1, 2, 4], bits(3, &[0, 1, 2]))), OTHER);
    // The same members with the keys of another root.
    assert_eq!(with(|c| c.root = 1), OTHER);
    let other = Draft { outcome: findings(&[("pneumonia", false)]), ..Draft::default() }.compact();
    assert_eq!(with(|c| c.signature = other.signature), OTHER);
}

#[test]
fn points_are_in_their_group_and_not_the_identity() {
    let identity = [&[0xc0_u8][..], &[0; 95]].concat();
    assert_eq!(with(|c| c.signature = identity), CompactError::Point);
    assert_eq!(with(|c| c.signature = vec![0; 96]), CompactError::Point);
    assert_eq!(with(|c| c.signature = vec![0xff; 96]), CompactError::Point);
    assert_eq!(with(|c| c.signature = outside()), CompactError::Point);
    let uncompressed = blst::min_pk::Signature::from_bytes(&Draft::default().compact().signature).unwrap().serialize();
    let long = Compact { signature: uncompressed.into(), ..Draft::default().compact() };
    assert!(matches!(refused(&long), CompactError::Sealed(SealedError::Field { what: "signature", .. })));
}

#[test]
fn a_root_has_points_of_the_subgroup_only() {
    let spoiled =
        |bytes: Vec<u8>| Roots::trust(root(0, Digest::default(), vec![Key { key: bytes, ..key(3, 10, 0) }], 10));
    let refused = CompactError::Key { root: 0, number: 3 };
    assert_eq!(spoiled([&[0xc0][..], &[0; 47]].concat()).unwrap_err(), refused);
    assert_eq!(spoiled(vec![0; 48]).unwrap_err(), refused);
    let outside = (0_u8..)
        .map(|x| [&[0x80][..], &[0; 46], &[x]].concat())
        .find(|bytes| PublicKey::uncompress(bytes).is_ok_and(|point| point.validate().is_err()))
        .unwrap();
    assert_eq!(spoiled(outside).unwrap_err(), refused);
}

/// A key made of others' keys lets its maker sign for all of them. It stands in no root, since nobody can show that he
/// possesses it; and one that cancels the others out is refused even if it did.
#[test]
fn rogue_keys_sign_for_nobody() {
    let mut negated = blst_p1::default();
    let honest = secret(1, 0).sk_to_pk();
    #[allow(unsafe_code, reason = "only the C interface subtracts")]
    let rogue = unsafe {
        let affine: &blst_p1_affine = (&honest).into();
        blst::blst_p1_from_affine(&mut negated, affine);
        blst::blst_p1_cneg(&mut negated, true);
        let mut bytes = [0; 48];
        blst::blst_p1_compress(bytes.as_mut_ptr(), &negated);
        bytes
    };
    let cancelling = Key { number: 2, key: rogue.into(), power: 10, epoch: 0 };
    let roots = Roots::trust(root(0, Digest::default(), vec![key(1, 10, 0), cancelling], 20)).unwrap();
    let mut compact = Draft::of(0, [1, 2], [0, 1]).unsigned();
    compact.signature = Draft::default().compact().signature;
    assert_eq!(verify_compact(&compact.encode(), &roots).unwrap_err(), CompactError::Cancelled);
    // Numbers say who signed; a key that is not in the root has none.
    assert_eq!(with(|c| c.members[3] = 5), ProofError::Member { number: 5, root: 0 }.into());
    assert_eq!(with(|c| c.members = vec![0, 2, 3, 4]), ProofError::Member { number: 0, root: 0 }.into());
}

#[test]
fn two_thirds_are_not_more_than_two_thirds() {
    let power = |signed, of| CompactError::Proof(ProofError::Power { signed, of });
    assert_eq!(refused(&Draft::of(0, [1, 2, 3], [0, 1]).compact()), power(20, 30));
    assert_eq!(refused(&Draft::of(0, [1, 2, 3, 4], [2, 3]).compact()), power(20, 40));
    assert_eq!(refused(&Draft::of(1, 1..=128, 0..85).compact()), power(850, 1_280));
    assert_eq!(with(|c| c.signers = vec![0]), power(0, 40));
    assert!(verify_compact(&Draft::of(1, 1..=128, 0..86).file(), &ROOTS).is_ok());
    assert!(verify_compact(&Draft::of(0, [3], [0]).file(), &ROOTS).is_ok());
    // By power, not by heads: one of three has most of it.
    let heavy = root(0, Digest::default(), vec![key(1, 90, 0), key(2, 10, 0), key(3, 10, 0)], 110);
    let roots = Roots::trust(heavy).unwrap();
    assert!(matches!(
        verify_compact(&Draft::of(0, [1, 2, 3], [1, 2]).file(), &roots),
        Err(CompactError::Proof(ProofError::Power { signed: 20, of: 110 }))
    ));
}

#[test]
fn bits_fit_the_members() {
    let signers = |got, of| CompactError::Proof(ProofError::Signers { got, of });
    assert_eq!(with(|c| c.signers = vec![0b1_1011]), signers(1, 4));
    assert_eq!(with(|c| c.signers = vec![0b1011, 0]), signers(2, 4));
    assert_eq!(with(|c| c.signers = Vec::new()), signers(0, 4));
}

#[test]
fn members_chain_and_version_are_in_order() {
    let field = |error| match error {
        CompactError::Sealed(SealedError::Field { what, .. }) => what,
        other => panic!("{other}"),
    };
    assert_eq!(field(with(|c| c.members.swap(0, 1))), "members");
    assert_eq!(field(with(|c| c.members[1] = 1)), "members");
    assert_eq!(field(with(|c| c.members.clear())), "members");
    assert_eq!(field(with(|c| c.members = (0..129).collect())), "members");
    assert_eq!(field(with(|c| c.version = 2)), "version");
    assert_eq!(field(with(|c| c.outcome = Outcome::Open { input: crate::rig::input(), outputs: vec![] })), "outcome");
    let elsewhere = ProofError::Chain { what: "receipt", got: "aceso-2".into(), want: "aceso-1".into() };
    assert_eq!(with(|c| c.statement.chain_id = "aceso-2".into()), elsewhere.into());
    assert_eq!(with(|c| c.root = 9), CompactError::Unknown { got: 9, first: 0, last: 2 });
    let large = vec![0; COMPACT_BYTES_MAX + 1];
    assert!(matches!(verify_compact(&large, &ROOTS), Err(CompactError::Sealed(SealedError::TooLarge { .. }))));
}

#[test]
fn roots_follow_each_other_or_are_not_believed() {
    let first = ROOTS.get(0).unwrap().clone();
    let good = follow(&first, vec![key(1, 10, 0)], 10, &[0, 1, 2]);
    let advance = |next: SignedRoot| {
        Roots::trust(first.clone()).unwrap().advance(next).map_err(|error| match error {
            CompactError::Proof(error) => error,
            other => panic!("{other}"),
        })
    };
    advance(good.clone()).unwrap();
    let changed = |change: fn(&mut Root)| {
        let mut next = good.clone();
        change(&mut next.root);
        advance(next).unwrap_err()
    };
    assert_eq!(changed(|root| root.number = 2), ProofError::Order { got: 2, want: 0 });
    assert_eq!(changed(|root| root.number = 0), ProofError::Order { got: 0, want: 0 });
    assert!(matches!(changed(|root| root.previous = Digest([1; 32])), ProofError::Previous { number: 1, .. }));
    assert!(matches!(changed(|root| root.chain_id = "aceso-2".into()), ProofError::Chain { what: "root", .. }));
    // The power of all counts, of those without a key too.
    let three = follow(&first, vec![key(1, 10, 0)], 10, &[0, 1]);
    assert_eq!(advance(three).unwrap_err(), ProofError::Power { signed: 20, of: 41 });
    let beyond = SignedRoot { signers: vec![0b1_0111], ..good.clone() };
    assert_eq!(advance(beyond).unwrap_err(), ProofError::Signers { got: 1, of: 4 });

    let mut roots = Roots::trust(first.clone()).unwrap();
    let forged = SignedRoot { signature: sign(&first.keys[..3], &first.digest()), ..good.clone() };
    assert_eq!(roots.advance(forged).unwrap_err(), CompactError::Signature("root"));
    assert_eq!(roots.latest().number, 0);
    // A read's signature is no root's, whatever it is about.
    let read = Draft::default().compact();
    let borrowed = SignedRoot { signers: read.signers, signature: read.signature, ..good };
    assert_eq!(roots.advance(borrowed).unwrap_err(), CompactError::Signature("root"));
}

#[test]
fn a_roots_file_is_one_or_is_not_believed() {
    let file: serde_json::Value = serde_json::from_slice(&ROOTS.encode()).unwrap();
    let read = |change: fn(&mut serde_json::Value)| {
        let mut other = file.clone();
        change(&mut other);
        Roots::decode(&serde_json::to_vec(&other).unwrap()).unwrap_err()
    };
    assert!(matches!(read(|f| f["trusted"] = Digest([1; 32]).to_string().into()), CompactError::Trusted { .. }));
    assert!(matches!(read(|f| f["roots"] = serde_json::json!([])), CompactError::Roots(_)));
    assert!(matches!(read(|f| f["more"] = 1.into()), CompactError::Roots(_)));
    assert!(matches!(read(|f| f["roots"][0]["signers"] = "0f".into()), CompactError::Roots(_)));
    assert!(matches!(
        read(|f| drop(f["roots"].as_array_mut().unwrap().remove(1))),
        CompactError::Proof(ProofError::Order { .. })
    ));
    assert!(matches!(read(|f| f["roots"][1]["signature"] = "00".into()), CompactError::Point));
    assert!(matches!(read(|f| f["roots"][0]["root"]["total"] = 39.into()), CompactError::Trusted { .. }));
    let upper = String::from_utf8(ROOTS.encode()).unwrap().replace("\"signers\": \"0d\"", "\"signers\": \"0D\"");
    assert!(matches!(Roots::decode(upper.as_bytes()), Err(CompactError::Roots(_))));
    assert!(matches!(Roots::decode(&vec![b' '; (16 << 20) + 1]), Err(CompactError::Roots(_))));
}

/// What holds is not yet enough: one hospital may be its own committee.
#[test]
fn whoever_relies_on_a_read_says_on_whom() {
    let of_one = verify_compact(&Draft::of(0, [2], [0]).file(), &ROOTS).unwrap();
    let of_four = verify_compact(&Draft::default().file(), &ROOTS).unwrap();
    let demanded = Acceptance { members_min: 3, power_min_bps: 9_000 };
    assert_eq!(of_one.accept(&Acceptance::default()), Ok(()));
    assert_eq!(of_one.accept(&demanded), Err(NotAccepted::Members { got: 1, want: 3 }));
    assert_eq!(of_four.accept(&demanded), Ok(()));
    let all = Acceptance { power_min_bps: 10_000, ..demanded };
    assert_eq!(of_four.accept(&all), Err(NotAccepted::Power { got: 40, of: 41, want_bps: 10_000 }));
    let signed: Vec<bool> = of_four.members.iter().map(|member| member.signed).collect();
    assert_eq!((signed, of_four.signed, of_four.power, of_four.total), (vec![true, true, false, true], 30, 40, 41));
}

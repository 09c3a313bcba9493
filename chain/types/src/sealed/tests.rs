use alloc::collections::BTreeMap;

use super::*;
use crate::ElementType;

fn terms() -> Terms {
    Terms {
        version: VERSION,
        salt: Digest([9; 32]),
        actors: vec!["aceso1doctor".into()],
        anybody: false,
        via: Vec::new(),
        purposes: vec!["TREAT".into()],
        models: vec![ModelId(Digest([1; 32]))],
        not_before: 0,
        uses: 3,
        open: false,
        sealed: true,
        findings: vec!["pneumonia".into()],
        bits: 2,
        rewrap: false,
        emergency: false,
    }
}

fn statement() -> Statement {
    Statement {
        chain_id: "aceso-test".into(),
        job: 7,
        requested: Height(40),
        committee: Digest([2; 32]),
        model: ModelId(Digest([1; 32])),
        pipeline: Digest([3; 32]),
        image: BlobId::of_raw(b"image"),
        frame: Frame::FIRST,
        owner: "aceso1patient".into(),
        requester: "aceso1insurer".into(),
        consent: Digest([4; 32]),
        disclosure: Disclosure::Predicate(vec!["pneumonia".into()]),
    }
}

fn outcome() -> Outcome {
    let input = Input { claim: Digest([5; 32]), vouched: true };
    Outcome::Predicate { input, findings: vec![Answered { id: "pneumonia".into(), present: true }] }
}

fn root() -> Root {
    let key = |number: u32| Key { number, key: vec![u8::try_from(number).unwrap(); 48], power: 10, epoch: 0 };
    Root {
        version: VERSION,
        chain_id: "aceso-test".into(),
        number: 0,
        previous: Digest::default(),
        keys: vec![key(1), key(2), key(4)],
        total: 40,
    }
}

#[test]
fn everything_comes_back_and_nothing_else_decodes() {
    let (terms, outcome, root) = (terms(), outcome(), root());
    assert_eq!(Terms::decode(&terms.encode()), Ok(terms.clone()));
    assert_eq!(Outcome::decode(&outcome.encode()), Ok(outcome));
    assert_eq!(Root::decode(&root.encode()), Ok(root));
    for most in 0..terms.encode().len() {
        assert!(Terms::decode(&terms.encode()[..most]).is_err());
    }
    assert!(matches!(Terms::decode(&[0; 9000]), Err(SealedError::TooLarge { got: 9000, .. })));
    // The same map with another key's order.
    let mut loose: BTreeMap<String, ipld_core::ipld::Ipld> = serde_ipld_dagcbor::from_slice(&terms.encode()).unwrap();
    loose.insert("more".into(), ipld_core::ipld::Ipld::Null);
    assert!(matches!(
        Terms::decode(&serde_ipld_dagcbor::to_vec(&loose).unwrap()),
        Err(SealedError::Malformed { what: "terms", .. })
    ));
}

#[test]
fn terms_that_mean_nothing_are_refused() {
    let with = |change: fn(&mut Terms)| {
        let mut other = terms();
        change(&mut other);
        Terms::decode(&other.encode())
    };
    for (change, field) in [
        ((|terms| terms.version = 2) as fn(&mut Terms), "version"),
        (|terms| terms.anybody = true, "anybody"),
        (|terms| terms.uses = 0, "purposes"),
        (|terms| terms.purposes.clear(), "purposes"),
        (|terms| terms.actors.push(String::new()), "actors"),
        (|terms| terms.actors.push("x".repeat(129)), "actors"),
        (|terms| terms.via = vec!["x".into(); 33], "via"),
        (|terms| terms.models = vec![ModelId::default(); 33], "models"),
        (|terms| (terms.sealed, terms.findings) = (false, Vec::new()), "open"),
    ] {
        assert!(matches!(with(change), Err(SealedError::Field { what, .. }) if what == field), "{field}");
    }
    with(|terms| (terms.emergency, terms.anybody) = (true, true)).unwrap();
    // For who opens alone nothing needs to be asked.
    with(|terms| (terms.actors, terms.purposes, terms.uses, terms.sealed) = (vec![], vec![], 0, false)).unwrap();
}

#[test]
fn what_is_signed_does_not_change_and_takes_every_field() {
    let (first, signed) = (statement(), statement().sign_bytes(&outcome()));
    expect_test::expect!["ab70ea7ceefcc5f7062045c7cbe357eb41951561200289916822f8e82cd7a453"]
        .assert_eq(&signed.to_string());
    let with = |change: fn(&mut Statement)| {
        let mut other = first.clone();
        change(&mut other);
        other.sign_bytes(&outcome())
    };
    assert_ne!(signed, with(|s| s.chain_id.push('x')));
    assert_ne!(signed, with(|s| s.job += 1));
    assert_ne!(signed, with(|s| s.requested.0 += 1));
    assert_ne!(signed, with(|s| s.committee.0[0] ^= 1));
    assert_ne!(signed, with(|s| s.model = ModelId::default()));
    assert_ne!(signed, with(|s| s.pipeline.0[0] ^= 1));
    assert_ne!(signed, with(|s| s.image = BlobId::of_raw(b"other")));
    assert_ne!(signed, with(|s| s.frame = Frame::of_wire(2)));
    assert_ne!(signed, with(|s| s.owner.push('x')));
    assert_ne!(signed, with(|s| s.requester.push('x')));
    assert_ne!(signed, with(|s| s.consent.0[0] ^= 1));
    assert_ne!(signed, with(|s| s.disclosure = Disclosure::Sealed));
    assert_ne!(signed, first.sign_bytes(&Outcome::Failed(Failure::Key)));
}

#[test]
fn outcomes_fit_what_was_asked_for() {
    let asked = |ids: &[&str]| Disclosure::Predicate(ids.iter().map(|id| (*id).into()).collect());
    assert!(outcome().fits(&asked(&["pneumonia"])));
    assert!(!outcome().fits(&asked(&["effusion"])) && !outcome().fits(&asked(&["pneumonia", "effusion"])));
    assert!(!outcome().fits(&Disclosure::Open) && !outcome().fits(&Disclosure::Sealed));
    assert!(Outcome::Failed(Failure::Leaf).fits(&Disclosure::Sealed));
    let input = Input { claim: Digest::default(), vouched: false };
    let tensor = |bytes: u32| Tensor::zeros(ElementType::U8, vec![bytes]).unwrap();
    let open = |outputs| Outcome::Open { input, outputs };
    assert!(open(vec![tensor(4096)]).fits(&Disclosure::Open));
    assert!(
        !open(vec![tensor(4096), tensor(300)]).fits(&Disclosure::Open) && !open(Vec::new()).fits(&Disclosure::Open)
    );
    // What a request is let pass by is what fits: to the byte, and the outcome has room for it.
    for bytes in 4_000..4_400 {
        let outputs = vec![tensor(bytes)];
        let passes = result_bytes(&outputs) <= INLINE_BYTES_MAX as u64;
        assert_eq!((open(outputs.clone()).fits(&Disclosure::Open), passes), (passes, bytes <= 4_311), "{bytes}");
        assert!(!passes || open(outputs).encode().len() <= OUTCOME_BYTES_MAX);
    }
    assert_eq!(open(vec![tensor(3)]).digest(), outputs_digest(&[tensor(3)]));
    let sealed = |length| Outcome::Sealed { input, commitment: Digest::default(), ciphertext: vec![0; length] };
    assert!(sealed(100).fits(&Disclosure::Sealed) && !sealed(0).fits(&Disclosure::Sealed));
    assert!(!sealed(5000).fits(&Disclosure::Sealed));
    // A length has one place: what stands in the outcome, or a file that it names.
    let stored = |size| Outcome::Stored { input, commitment: Digest::default(), blob: BlobId::of_raw(b"r"), size };
    let (inline, most) = (INLINE_BYTES_MAX, RESULT_BYTES_MAX as u64);
    assert!(sealed(inline).fits(&Disclosure::Sealed) && !sealed(inline + 1).fits(&Disclosure::Sealed));
    assert!(!stored(inline as u64).fits(&Disclosure::Sealed) && stored(inline as u64 + 1).fits(&Disclosure::Sealed));
    assert!(stored(most).fits(&Disclosure::Sealed) && !stored(most + 1).fits(&Disclosure::Sealed));
    assert!(!stored(most).fits(&Disclosure::Open));
    assert_eq!(Outcome::decode(&stored(most).encode()), Ok(stored(most)));
}

fn compact(outcome: Outcome, disclosure: Disclosure) -> Compact {
    let Statement { chain_id, job, requested, model, pipeline, image, frame, owner, requester, consent, .. } =
        statement();
    let statement = CompactStatement {
        chain_id,
        job,
        requested,
        model,
        pipeline,
        image,
        frame,
        owner,
        requester,
        consent,
        disclosure,
    };
    let (signers, signature) = (vec![0b111], vec![8; 96]);
    Compact { version: VERSION, root: 0, members: vec![1, 2, 4], statement, outcome, signers, signature }
}

fn compacts() -> [Compact; 5] {
    let input = Input { claim: Digest([5; 32]), vouched: false };
    let outputs = vec![Tensor::new(ElementType::I8, vec![1, 2], vec![1, 2]).unwrap()];
    let (commitment, ciphertext) = (Digest([6; 32]), vec![7; 40]);
    [
        compact(outcome(), Disclosure::Predicate(vec!["pneumonia".into()])),
        compact(Outcome::Open { input, outputs }, Disclosure::Open),
        compact(Outcome::Sealed { input, commitment, ciphertext }, Disclosure::Sealed),
        compact(Outcome::Failed(Failure::Unsuitable), Disclosure::Sealed),
        compact(
            Outcome::Stored { input, commitment, blob: BlobId::of_raw(b"result"), size: 1 << 20 },
            Disclosure::Sealed,
        ),
    ]
}

#[test]
fn compact_receipts_come_back_in_both_encodings() {
    let lengths = compacts().map(|compact| {
        let bytes = compact.encode();
        assert_eq!(Compact::decode(&bytes), Ok(compact.clone()));
        assert_eq!(compact.statement.of(Digest([2; 32])).chain_id, statement().chain_id);
        let json = serde_json::to_string(&compact).unwrap();
        assert!(json.contains(&"08".repeat(96)), "{json}");
        assert_eq!(serde_json::from_str::<Compact>(&json).unwrap(), compact);
        bytes.len()
    });
    expect_test::expect!["[358, 357, 409, 308]"].assert_eq(&format!("{:?}", &lengths[..4]));
    // A result that is kept as a file is named in fewer bytes than one that stands here may have.
    assert!(lengths[4] < 500, "{lengths:?}");
    let digest = compacts()[..4].iter().map(Compact::encode).collect::<Vec<_>>().concat();
    expect_test::expect!["6d95ca0bd6646cdb228bd3b77cbd44e4e8549ce1cadb98267922207969708b05"]
        .assert_eq(&Digest::sha3("golden", &[&digest]).to_string());
}

#[test]
fn another_frame_is_another_statement_and_the_first_one_spelling() {
    let named = |frame| Statement { frame, ..statement() };
    assert_eq!(named(Frame::FIRST).encode(), statement().encode());
    let second = named(Frame::of_wire(2));
    assert_eq!(Statement::decode(&second.encode()), Ok(second.clone()));
    // What names the first, or one that there is none of, is not how it is written.
    for number in [0, 1] {
        let mut loose: BTreeMap<String, ipld_core::ipld::Ipld> =
            serde_ipld_dagcbor::from_slice(&second.encode()).unwrap();
        loose.insert("frame".into(), ipld_core::ipld::Ipld::Integer(number));
        assert!(Statement::decode(&serde_ipld_dagcbor::to_vec(&loose).unwrap()).is_err(), "{number}");
    }
    for compact in compacts() {
        let mut other = compact.clone();
        other.statement.frame = Frame::of_wire(300);
        let (bytes, first) = (other.encode(), compact.encode());
        assert_eq!((bytes.len(), bytes[0]), (first.len() + 4, 0x82));
        assert_eq!(Compact::decode(&bytes), Ok(other.clone()));
        assert_eq!(other.statement.of(Digest([2; 32])).frame, Frame::of_wire(300));
        let json = serde_json::to_string(&other).unwrap();
        assert_eq!(serde_json::from_str::<Compact>(&json).unwrap(), other);
        assert!(!serde_json::to_string(&compact).unwrap().contains("frame"));
        for frame in [&[0_u8][..], &[1], &[0x18, 2], &[0x20], &[0xf6], &[]] {
            let bytes = [&[0x82][..], &first, frame].concat();
            assert!(Compact::decode(&bytes).is_err(), "{frame:?}");
        }
    }
}

#[test]
fn what_is_no_compact_receipt_is_refused() {
    let field = |change: fn(&mut Compact)| {
        let [mut compact, ..] = compacts();
        change(&mut compact);
        match Compact::decode(&compact.encode()) {
            Err(SealedError::Field { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(field(|c| c.version = 2), "version");
    assert_eq!(field(|c| c.members = vec![1, 1]), "members");
    assert_eq!(field(|c| c.members.clear()), "members");
    assert_eq!(field(|c| c.signature.truncate(95)), "signature");
    assert_eq!(field(|c| c.statement.disclosure = Disclosure::Sealed), "outcome");
    let many = vec![0; COMPACT_BYTES_MAX + 1];
    assert!(matches!(Compact::decode(&many), Err(SealedError::TooLarge { .. })));
    // A number that is written longer than it need be.
    let bytes = compacts()[0].encode();
    let longer = [&[bytes[0], 0x18, 1][..], &bytes[2..]].concat();
    assert!(matches!(Compact::decode(&longer), Err(SealedError::NotCanonical(_) | SealedError::Malformed { .. })));
    let json = serde_json::to_string(&compacts()[0]).unwrap();
    for other in ["0g", "7", "0F"] {
        let other = json.replace("\"signers\":\"07\"", &format!("\"signers\":\"{other}\""));
        assert!(serde_json::from_str::<Compact>(&other).is_err(), "{other}");
    }
}

#[test]
fn roots_and_committees_have_one_order() {
    let good = root();
    expect_test::expect!["756ef6d6ac30fd0884155ade67c9faf9f8dbb7f9ef8c2e621a64d27a74c5931a"]
        .assert_eq(&good.digest().to_string());
    expect_test::expect!["70cf006fba774e5149b0975575bb302c2280d7caa269b194979877c075a55d8d"]
        .assert_eq(&committee_digest(3, &good.keys).to_string());
    assert_ne!(committee_digest(3, &good.keys), committee_digest(4, &good.keys));
    assert_ne!(committee_digest(3, &good.keys), committee_digest(3, &good.keys[1..]));
    let with = |change: fn(&mut Root)| {
        let mut other = root();
        change(&mut other);
        Root::decode(&other.encode())
    };
    with(|root| root.keys.swap(0, 1)).unwrap_err();
    with(|root| root.keys[1].number = 1).unwrap_err();
    with(|root| root.keys[0].key.push(0)).unwrap_err();
    with(|root| root.keys[0].power = 0).unwrap_err();
    with(|root| root.version = 0).unwrap_err();
    with(|root| root.total = 29).unwrap_err();
    with(|root| root.total = 30).unwrap();
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<Root>(&json).unwrap(), good);
}

#[test]
fn names_and_digests_keep_things_apart() {
    let cids = |all: &[&str]| record_name(&all.iter().map(|one| String::from(*one)).collect::<Vec<_>>());
    assert_eq!(cids(&["bafk"]), "bafk");
    assert_ne!(cids(&["a", "b"]), cids(&["b", "a"]));
    let one = |account: &'static str, epoch, key: &'static [u8]| recipients_digest([(account, epoch, key)]);
    assert_ne!(one("ab", 1, b"c"), one("a", 1, b"bc"));
    assert_ne!(one("ab", 1, b"c"), one("ab", 2, b"c"));
    assert_ne!(terms().digest(1), terms().digest(2));
    let pixels = PixelDigest(Digest([7; 32]));
    assert_ne!(claim("chain", "insurer", &pixels), claim("chain", "other", &pixels));
    assert_ne!(reader_context("c", "a", 0, 1), reader_context("c", "a", 1, 0));
}

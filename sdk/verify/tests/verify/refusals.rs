//! Whom a verifier does not believe: sound files with one thing wrong, each with its error.

use aceso_types::{Height, ReadId, ReceiptError, receipt::state_key};
use aceso_verify::{Evidence, Trust, VerifyError, verify};
use expect_test::{Expect, expect};
use prost::Message;
use tendermint_proto::v0_38::types as wire;

use crate::rig::{CHAIN, Draft, ELSEWHERE, FOREIGN, HEADER, NEWER, NOBODYS, READ, Vote, prove, receipt, trust};

/// The error of a file that is otherwise sound.
fn refused(evidence: &Evidence, trust: &Trust) -> VerifyError {
    match verify(&evidence.encode(), trust) {
        Err(error) => error,
        Ok(verified) => panic!("believed: {verified:?}"),
    }
}

#[track_caller]
fn check(evidence: &Evidence, trust: &Trust, expected: Expect) {
    expected.assert_eq(&refused(evidence, trust).to_string());
}

fn sound() -> Evidence {
    Draft::default().evidence(3)
}

fn trusted() -> Trust {
    Draft::default().trust()
}

#[test]
fn a_sound_file_is_believed() {
    let verified = verify(&sound().encode(), &trusted()).unwrap();
    assert_eq!(verified.receipt, receipt(3));
    assert_eq!((verified.height, verified.power, verified.time.as_str()), (HEADER, 10, "2027-01-15T08:00:00Z"));
    // A later header of the same state is as good.
    let later = Draft { height: 1_000_000, ..Draft::default() };
    assert_eq!(verify(&later.evidence(4).encode(), &trusted()).unwrap().height, 1_000_000);
}

#[test]
fn a_key_that_is_not_trusted() {
    let stranger = Draft { votes: vec![((2, 10), Vote::Commit)], ..Draft::default() };
    check(
        &stranger.evidence(3),
        &trusted(),
        expect![
            "the trusted validators did not sign the header: insufficient signers overlap: VotingPower(total=10 tallied=0 trust_threshold=2/3)"
        ],
    );
    assert!(verify(&stranger.evidence(3).encode(), &stranger.trust()).is_ok());
}

#[test]
fn a_signature_of_somebody_else() {
    // The trusted validator's address, and a signature over another chain's vote.
    let elsewhere = Draft { votes: vec![((1, 10), Vote::Elsewhere)], ..Draft::default() };
    let error = refused(&elsewhere.evidence(3), &trusted());
    assert!(matches!(&error, VerifyError::Power(why) if why.starts_with("failed to verify signature")), "{error}");
}

#[test]
fn another_chain() {
    let theirs = Draft { chain_id: "another-1".into(), ..Draft::default() };
    let chain = |what, got: &str, want: &str| VerifyError::Chain { what, got: got.into(), want: want.into() };
    assert_eq!(refused(&theirs.evidence(3), &trusted()), chain("header", "another-1", CHAIN));
    assert_eq!(refused(&Draft::default().evidence(FOREIGN), &trusted()), chain("receipt", "another-1", CHAIN));
    let trust = Trust { chain_id: "another-1".into(), ..trusted() };
    assert_eq!(refused(&sound(), &trust), chain("receipt", CHAIN, "another-1"));
}

#[test]
fn a_header_of_another_height() {
    let early = |height| refused(&Draft { height, ..Draft::default() }.evidence(3), &trusted());
    assert_eq!(early(READ), VerifyError::Height { header: READ, read: Height(READ) });
    assert_eq!(early(1), VerifyError::Height { header: 1, read: Height(READ) });
    // Signed by the trusted, late enough, and it commits another state.
    let other = Draft { height: 12, app_hash: vec![9; 32], ..Draft::default() };
    assert_eq!(refused(&other.evidence(3), &trusted()), VerifyError::Proof { level: "state", read: ReadId(3) });
    // Its commit is for another block.
    let (mut mixed, other) = (Draft::default().sign().0, Draft { height: 12, ..Draft::default() }.sign().0);
    mixed.header = other.header;
    let evidence = Evidence { signed_header: wire::SignedHeader::from(mixed).encode_to_vec(), ..sound() };
    assert_eq!(refused(&evidence, &trusted()), VerifyError::Malformed("the header does not decode".into()));
    let (mut mixed, other) = (Draft::default().sign().0, Draft { app_hash: vec![9; 32], ..Draft::default() }.sign().0);
    mixed.header = other.header;
    let evidence = Evidence { signed_header: wire::SignedHeader::from(mixed).encode_to_vec(), ..sound() };
    let error = refused(&evidence, &trusted());
    assert!(matches!(&error, VerifyError::Header(why) if why.contains("header_hash")), "{error}");
}

#[test]
fn a_proof_of_something_else() {
    let component = VerifyError::Proof { level: "component", read: ReadId(3) };
    let state = VerifyError::Proof { level: "state", read: ReadId(3) };
    let (sound, other) = (sound(), Draft::default().evidence(4));
    let swap = |evidence: Evidence, error: &VerifyError| assert_eq!(&refused(&evidence, &trusted()), error);
    // Of another read, of these bytes under another key, of nothing.
    swap(Evidence { component_proof: other.component_proof, ..sound.clone() }, &component);
    swap(Draft::default().evidence(ELSEWHERE), &component);
    let absent = prove(NOBODYS);
    assert_eq!(absent.value, None, "{} is not there", state_key(ReadId(NOBODYS)));
    swap(Evidence { component_proof: absent.component.encode_to_vec(), ..sound.clone() }, &component);
    swap(Evidence { component_proof: vec![], ..sound.clone() }, &component);
    // Of the component in another place, and the other way round.
    swap(Evidence { app_proof: sound.component_proof.clone(), ..sound.clone() }, &state);
    swap(Evidence { component_proof: sound.app_proof.clone(), ..sound.clone() }, &component);
    swap(Evidence { app_proof: vec![], ..sound.clone() }, &state);
    // Under a specification that the trusted chain does not have.
    let mut trust = trusted();
    trust.proof_spec.max_depth = 1;
    assert_eq!(refused(&sound, &trust), component);
}

#[test]
fn another_receipt_under_the_same_proof() {
    let mut altered = receipt(3);
    altered.outcome.scores[0].probability = 10_000;
    let evidence = Evidence { receipt: altered.encode(), ..sound() };
    check(&evidence, &trusted(), expect!["the proof that the component holds the receipt of read 3 does not hold"]);
}

#[test]
fn nobody_or_too_few_signed() {
    use Vote::{Absent, Commit, Elsewhere, Nil};
    let verified = |votes| {
        let draft = Draft::of_four(votes);
        verify(&draft.evidence(3).encode(), &draft.trust()).map(|verified| verified.power)
    };
    assert_eq!(verified([Commit; 4]), Ok(40));
    assert_eq!(verified([Commit, Absent, Commit, Commit]), Ok(40));
    assert_eq!(verified([Nil, Commit, Commit, Commit]), Ok(40));
    for votes in [[Absent; 4], [Nil; 4], [Commit, Commit, Absent, Absent], [Commit, Commit, Nil, Absent]] {
        assert!(matches!(verified(votes), Err(VerifyError::Power(_))));
    }
    let forged = verified([Commit, Commit, Commit, Elsewhere]).unwrap_err();
    assert!(matches!(&forged, VerifyError::Header(why) if why.ends_with("does not hold")), "{forged}");

    // Two thirds exactly are not more than two thirds.
    let votes = |third| vec![((1, 10), Commit), ((2, 10), Commit), ((3, 10), third)];
    let draft = Draft { votes: votes(Absent), ..Draft::default() };
    check(
        &draft.evidence(3),
        &draft.trust(),
        expect![
            "the trusted validators did not sign the header: insufficient signers overlap: VotingPower(total=30 tallied=20 trust_threshold=2/3)"
        ],
    );
    let draft = Draft { votes: vec![((1, 10), Commit), ((2, 11), Commit), ((3, 10), Absent)], ..Draft::default() };
    assert!(verify(&draft.evidence(3).encode(), &draft.trust()).is_ok());

    // No signature at all, not even that of the absent.
    let (mut header, _) = Draft::default().sign();
    header.commit.signatures.clear();
    let evidence = Evidence { signed_header: wire::SignedHeader::from(header).encode_to_vec(), ..sound() };
    assert!(matches!(refused(&evidence, &trusted()), VerifyError::Power(_)));
}

#[test]
fn a_minority_among_strangers() {
    use Vote::{Absent, Commit};
    // The header's own validators all signed; of the trusted it has one of three.
    let theirs = Draft { votes: vec![((1, 10), Commit), ((8, 10), Commit), ((9, 10), Commit)], ..Draft::default() };
    let evidence = theirs.evidence(3);
    assert!(matches!(refused(&evidence, &trust(&[(1, 10), (2, 10), (3, 10)])), VerifyError::Power(_)));
    // The trusted signed, and the header's own validators did not.
    let mut votes = vec![((1, 10), Commit)];
    votes.extend((20..23).map(|seed| ((seed, 10), Absent)));
    let outvoted = Draft { votes, ..Draft::default() };
    let error = refused(&outvoted.evidence(3), &trusted());
    assert!(matches!(error, VerifyError::Power(_) | VerifyError::Header(_)), "{error}");
    // Another list of validators than the header names.
    let evidence = Evidence { validators: theirs.evidence(3).validators, ..sound() };
    let error = refused(&evidence, &trusted());
    assert!(matches!(&error, VerifyError::Header(why) if why.contains("validator set")), "{error}");
}

#[test]
fn a_version_that_is_still_to_come() {
    let evidence = Draft::default().evidence(NEWER);
    assert_eq!(refused(&evidence, &trusted()), VerifyError::Receipt(ReceiptError::Version(2)));
    let evidence = Evidence { version: 2, ..sound() };
    assert_eq!(refused(&evidence, &trusted()), VerifyError::Malformed("version 2 is not known here".into()));
}

#[test]
fn parts_that_are_something_else() {
    let malformed = |evidence: Evidence| match refused(&evidence, &trusted()) {
        VerifyError::Malformed(what) => what,
        other => panic!("{other}"),
    };
    for part in [vec![], b"garbage".to_vec(), vec![0xff; 100]] {
        assert_eq!(malformed(Evidence { signed_header: part.clone(), ..sound() }), "the header does not decode");
        let want = "the validator set does not decode";
        if !part.is_empty() {
            assert_eq!(malformed(Evidence { validators: part.clone(), ..sound() }), want);
        }
        let evidence = Evidence { receipt: part, ..sound() };
        assert!(matches!(refused(&evidence, &trusted()), VerifyError::Receipt(ReceiptError::Malformed(_))));
    }
    // Powers whose sum would overflow.
    let mut set = wire::ValidatorSet::from(Draft::default().sign().1);
    set.validators[0].voting_power = i64::MAX;
    set.validators = vec![set.validators[0].clone(); 3];
    set.total_voting_power = 0;
    assert_eq!(malformed(Evidence { validators: set.encode_to_vec(), ..sound() }), "the validator set does not decode");
    let large = Evidence { receipt: vec![0; 64 << 10 | 1], ..sound() };
    assert_eq!(refused(&large, &trusted()), VerifyError::Receipt(ReceiptError::TooLarge(65_537)));
}

fn inner(trust: &mut Trust) -> &mut ics23::InnerSpec {
    trust.proof_spec.inner_spec.as_mut().unwrap()
}

#[test]
fn trust_files_that_are_none() {
    let good = trusted();
    assert_eq!(Trust::decode(&good.encode()), Ok(good.clone()));
    let refused = |change: &dyn Fn(&mut Trust)| {
        let mut trust = trusted();
        change(&mut trust);
        let said = Trust::decode(&trust.encode()).unwrap_err();
        // Whoever makes a trust without reading one gets the same answer.
        let verified = verify(&sound().encode(), &trust).unwrap_err();
        assert_eq!(said, verified);
        said.to_string().replace(&good.validators[0].public_key, "KEY")
    };
    let sentences = [
        refused(&|trust| trust.validators.clear()),
        refused(&|trust| trust.validators[0].power = 0),
        refused(&|trust| trust.validators[0].power = u64::MAX),
        refused(&|trust| trust.validators[0].power = (i64::MAX / 8) as u64 + 1),
        refused(&|trust| trust.validators[0].public_key = "zz".into()),
        refused(&|trust| trust.validators[0].public_key.truncate(62)),
        refused(&|trust| trust.validators.push(trust.validators[0].clone())),
        refused(&|trust| trust.proof_spec.leaf_spec = None),
        refused(&|trust| trust.proof_spec.inner_spec = None),
        refused(&|trust| inner(trust).child_order.clear()),
        refused(&|trust| inner(trust).child_size = 0),
        refused(&|trust| inner(trust).child_size = i32::MAX),
        refused(&|trust| inner(trust).min_prefix_length = -1),
        refused(&|trust| inner(trust).max_prefix_length = i32::MAX),
        refused(&|trust| inner(trust).max_prefix_length = 0),
        refused(&|trust| trust.proof_spec.max_depth = 0),
        refused(&|trust| trust.proof_spec.min_depth = 257),
    ];
    expect![[r#"
        the trust file does not decode: there is no validator
        the trust file does not decode: validator KEY: the power is zero or too large
        the trust file does not decode: validator KEY: the power is too large
        the trust file does not decode: validator KEY: the power is zero or too large
        the trust file does not decode: validator zz: the key is not hexadecimal
        the trust file does not decode: validator 8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f: the key is not ed25519
        the trust file does not decode: validator KEY: it is listed twice
        the trust file does not decode: the proof specification describes no leaf or no inner node
        the trust file does not decode: the proof specification describes no leaf or no inner node
        the trust file does not decode: the proof specification has inner nodes of other than 2 to 256 children of 1 to 256 bytes
        the trust file does not decode: the proof specification has inner nodes of other than 2 to 256 children of 1 to 256 bytes
        the trust file does not decode: the proof specification has inner nodes of other than 2 to 256 children of 1 to 256 bytes
        the trust file does not decode: the proof specification has prefixes of no length or too long ones
        the trust file does not decode: the proof specification has prefixes of no length or too long ones
        the trust file does not decode: the proof specification has prefixes of no length or too long ones
        the trust file does not decode: the proof specification has no depth that a tree can have
        the trust file does not decode: the proof specification has no depth that a tree can have"#]].assert_eq(&sentences.join("\n"));
    for bytes in
        [&b""[..], b"{}", b"[]", b"\xff", b"{\"chain_id\":\"c\",\"validators\":[],\"proof_spec\":{},\"more\":1}"]
    {
        assert!(matches!(Trust::decode(bytes), Err(VerifyError::Trust(_))));
    }
    let large = vec![b' '; (1 << 20) + 1];
    assert_eq!(Trust::decode(&large), Err(VerifyError::TooLarge { got: (1 << 20) + 1, max: 1 << 20 }));
}

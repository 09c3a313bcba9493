//! The closed list of what refuses a request, a share or a dispute, and that a test provokes each of them.
//!
//! A check that no test stands behind can be taken out without anybody noticing. So the sentences of refusals are read out of
//! the modules that make them, and each has to stand in the list below with the test that provokes it, in the words that the
//! test looks for: a new refusal without a test fails here, and so does a test that is gone.

use std::{collections::BTreeSet, fs};

use aceso_types::{
    ModelId,
    msg::{MsgRequestRead, MsgSubmitShare},
    sealed::Terms,
};

use crate::{
    fixture::{alice, bob, code, ours},
    hospital::{Hospital, eve, usual},
    ward::{Kept, cid, dave},
};

/// A sentence as it stands in the module, the test, and its words for it.
type Refusal = (&'static str, &'static str, &'static str);

const AUTHORISE: &[Refusal] = &[
    (
        "grant {name} is for readers, not for a committee",
        "requests_that_are_refused",
        "is for readers, not for a committee",
    ),
    ("grant {name} is not of file {image} of {owner}", "requests_that_are_refused", "is not of file"),
    ("actor {actor:?}", "requests_that_are_refused", "actor "),
    ("model: {e}", "requests_that_are_refused", "model: 31 bytes"),
    ("grant {name}: {words}", "what_the_terms_do_not_allow_is_refused_by_name", "912"),
    (
        "grant {name} allows {} uses and has had {}",
        "a_grant_is_used_as_often_as_its_terms_allow",
        "allows 1 uses and has had 1",
    ),
    ("model {model} is not admitted", "requests_that_are_refused", "is not admitted"),
    (
        "the model's outputs of {bytes} bytes {words}",
        "what_cannot_be_read_is_not_kept_and_what_is_too_long_not_asked_for",
        "921",
    ),
    (
        "are more than an outcome tells everyone; ask for them sealed",
        "what_cannot_be_read_is_not_kept_and_what_is_too_long_not_asked_for",
        "ask for them sealed",
    ),
    (
        "a sealed result of the model has {bytes} bytes, and at most {sealed} are kept",
        "what_cannot_be_read_is_not_kept_and_what_is_too_long_not_asked_for",
        "and at most 5000 are kept",
    ),
    ("{actor} is not named", "requests_that_are_refused", "is not named"),
    (
        "it is for emergencies and needs a reason that everybody may read",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "needs a reason that everybody may read",
    ),
    (
        "it is not for emergencies and takes no reason",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "takes no reason",
    ),
    (
        "a reason has at most {REASON_MAX} bytes, not {}",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "a reason has at most 1024 bytes",
    ),
    (
        "{requester} is not named among those that may make the request",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "among those that may make the request",
    ),
    (
        "{purpose:?} is not among its purposes",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "is not among its purposes",
    ),
    (
        "model {model} is not among its models",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "is not among its models",
    ),
    ("it begins at {}, and it is {now}", "what_the_terms_do_not_allow_is_refused_by_name", "it begins at"),
    ("there is no disclosure {}", "what_the_terms_do_not_allow_is_refused_by_name", "there is no disclosure 3"),
    (
        "findings are named where they are not what is disclosed",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "findings are named where they are not what is disclosed",
    ),
    (
        "outcomes may not be known to everyone",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "may not be known to everyone",
    ),
    (
        "outcomes may not be kept for who holds the key",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "kept for who holds the key",
    ),
    (
        "{count} findings are asked for, and 1 to {PREDICATE_MAX} are allowed",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "3 findings are asked for, and 1 to 2 are allowed",
    ),
    (
        "finding {other:?} may not be disclosed",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "may not be disclosed",
    ),
    (
        "finding {other:?} is not the model's, or not in the order of its findings",
        "what_the_terms_do_not_allow_is_refused_by_name",
        "not in the order of its findings",
    ),
    ("a deadline at height {}, and {} to {last} are allowed", "requests_that_are_refused", "a deadline at height"),
    ("a callback of {} gas, and at most {most} are allowed", "requests_that_are_refused", "a callback of"),
    ("{requester} is no contract and hears no callback", "requests_that_are_refused", "hears no callback"),
];

const REQUEST: &[Refusal] = &[("{most} are open", "what_the_terms_do_not_allow_is_refused_by_name", "1 are open")];

const COMMITTEE: &[Refusal] = &[
    // Before the end of the first block, in which nothing is registered yet.
    ("the chain has no table of keys yet", "", ""),
    (
        "{} of those whom the grant names are validators with a key",
        "a_committee_of_which_nobody_is_left_is_none",
        "0 of those whom the grant names are validators with a key",
    ),
    (
        "{} operators are {what}, and at most {OPERATORS_MAX} can be",
        "a_payer_that_trusts_no_hospital_alone_is_not_served_by_one",
        "33 operators are excluded",
    ),
    (
        "it has {count} members, and {members_min} are demanded",
        "a_payer_that_trusts_no_hospital_alone_is_not_served_by_one",
        "it has 1 members, and 2 are demanded",
    ),
    (
        "it has {power} of {} power, and {power_min_bps} bps are demanded",
        "a_payer_that_trusts_no_hospital_alone_is_not_served_by_one",
        "it has 10 of 40 power, and 2501 bps are demanded",
    ),
    (
        "{absent} is demanded and no member",
        "a_payer_that_trusts_no_hospital_alone_is_not_served_by_one",
        "is demanded and no member",
    ),
    (
        "{present} is a member and excluded",
        "a_payer_that_trusts_no_hospital_alone_is_not_served_by_one",
        "is a member and excluded",
    ),
];

const SHARE: &[Refusal] = &[
    (
        "a share comes in a transaction of its own",
        "shares_that_are_refused",
        "a share comes in a transaction of its own",
    ),
    ("there is none", "shares_that_are_refused", "there is none"),
    ("job {}: {what}", "shares_that_are_refused", "job 9: not open"),
    ("not open", "a_member_that_left_submits_its_share_without_a_fee", "not open"),
    ("{operator} is no member", "a_member_that_left_submits_its_share_without_a_fee", "is no member"),
    (
        "{operator} is a validator, whose share comes with its vote",
        "shares_that_are_refused",
        "is a validator, whose share comes with its vote",
    ),
    (
        "the outcome is no answer to what was asked",
        "a_member_that_left_submits_its_share_without_a_fee",
        "no answer to what was asked",
    ),
    (
        "{operator} has submitted one already",
        "a_member_that_left_submits_its_share_without_a_fee",
        "has submitted one already",
    ),
    (
        "the signature is not that of {operator}'s key in the committee",
        "a_member_that_left_submits_its_share_without_a_fee",
        "the signature is not that of",
    ),
];

/// Closing refuses nothing: what could be refused was, before.
const CLOSE: &[Refusal] = &[];

const DISPUTE: &[Refusal] = &[
    ("job {job}", "what_cannot_be_disputed_is_refused_by_name", "job 99"),
    ("job {job}: {what}", "what_cannot_be_disputed_is_refused_by_name", "927"),
    ("it has no outcome yet", "what_cannot_be_disputed_is_refused_by_name", "it has no outcome yet"),
    (
        "it has no outcome, and everything was given back",
        "what_cannot_be_disputed_is_refused_by_name",
        "everything was given back",
    ),
    (
        "{sender} disputed it at height {height}, and its members were {found}",
        "members_above_two_thirds_that_lied_are_marked_once_each",
        "its members were wrong",
    ),
    ("record {number}: {what}", "what_cannot_be_disputed_is_refused_by_name", "record 2"),
    ("grant {granter}/{grant} is of record {}", "what_cannot_be_disputed_is_refused_by_name", "/1 is of record 1"),
    (
        "grant {granter}/{grant} has {count} places, and no place {place}",
        "what_cannot_be_disputed_is_refused_by_name",
        "/2 has 4 places, and no place 4",
    ),
    ("this thread does not round to the nearest even number", "", ""),
];

/// The sentences in a module's code: texts with a space that are neither a comment's nor the name of what gas was spent on.
fn sentences(module: &str) -> BTreeSet<String> {
    let source = fs::read_to_string(format!("src/components/sealed/{module}.rs")).unwrap();
    let code: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let spent: BTreeSet<&str> =
        code.split("spend").skip(1).filter_map(|rest| rest.split(';').next()?.split('"').nth(1)).collect();
    let texts = code.split('"').skip(1).step_by(2);
    texts.filter(|text| text.contains(' ') && !spent.contains(text)).map(str::to_owned).collect()
}

/// Whether words have something of a sentence that stands in it whatever it is filled in with.
fn says(sentence: &str, words: &str) -> bool {
    let mut fixed = sentence.split(['{', '}']).step_by(2).flat_map(str::split_whitespace).filter(|one| one.len() > 2);
    fixed.clone().next().is_none() || fixed.any(|one| words.contains(one))
}

#[test]
fn every_refusal_has_a_test_that_provokes_it() {
    let tests: String = fs::read_dir("tests/app")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sealed_")))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for (module, list) in [
        ("authorise", AUTHORISE),
        ("request", REQUEST),
        ("committee", COMMITTEE),
        ("share", SHARE),
        ("close", CLOSE),
        ("dispute", DISPUTE),
    ] {
        let listed: BTreeSet<String> = list.iter().map(|(sentence, ..)| (*sentence).to_owned()).collect();
        assert_eq!(sentences(module), listed, "{module}: left is what it says, right is what is tested");
        for (sentence, test, words) in list.iter().filter(|(_, test, _)| !test.is_empty()) {
            let body = tests.split(&format!("fn {test}()")).nth(1);
            let body = body.unwrap_or_else(|| panic!("{module}: {sentence:?} names no test: {test}"));
            let body = body.split("\n}\n").next().unwrap();
            assert!(body.contains(words), "{module}: {test} does not look for {words:?}");
            assert!(says(sentence, words) || words.parse::<u32>().is_ok(), "{words:?} is not in {sentence:?}");
        }
    }
}

#[test]
fn requests_that_are_refused() {
    let mut hospital = Hospital::open(1);
    // A grant of record 1 to somebody who reads it herself; a record that the committee's grant is not of.
    let mut giving = hospital.ward.give(&hospital.kept, 1, 2, &[&bob()]);
    giving.msg.terms = hospital.terms.digest(giving.msg.expires).0.into();
    hospital.net().ok(&alice(), vec![ours(&giving.made())]);
    hospital.net().ok(&alice(), vec![ours(&Kept::new(&alice(), 2).register(&[cid(2)]))]);
    let good = hospital.asking();
    let change = |change: &dyn Fn(&mut MsgRequestRead)| {
        let mut msg = good.clone();
        change(&mut msg);
        msg
    };
    let block_gas = 200_000_000;
    for (msg, number, words) in [
        (change(&|msg| msg.grant = 2), 921, "is for readers, not for a committee"),
        (change(&|msg| msg.image = cid(2)), 921, "is not of file"),
        (change(&|msg| msg.owner = bob().address()), 921, "is not of file"),
        (change(&|msg| msg.actor = dave().address()), 203, "actor "),
        (change(&|msg| msg.model.truncate(31)), 921, "model: 31 bytes"),
        (change(&|msg| msg.model = ModelId::default().as_bytes().into()), 921, "is not admitted"),
        (change(&|msg| msg.deadline = 1), 921, "a deadline at height"),
        (change(&|msg| msg.deadline = u64::MAX), 921, "a deadline at height"),
        (change(&|msg| msg.callback_gas = 1), 921, "hears no callback"),
        (change(&|msg| msg.callback_gas = block_gas + 1), 921, "a callback of"),
    ] {
        hospital.ward.refused(&eve(), &msg, ("aceso", number), words);
    }
    // Somebody whom the terms do not name has signed.
    let theirs = change(&|msg| {
        msg.requester = dave().address();
        msg.actor = dave().address();
    });
    hospital.ward.refused(&dave(), &theirs, ("aceso", 912), "is not named");
    assert_eq!((hospital.opened(), hospital.ward.grant(&alice(), 1).uses), (0, 0));
    hospital.ask(&good);
}

#[test]
fn a_grant_is_used_as_often_as_its_terms_allow() {
    let mut hospital = Hospital::with(1, |_| {}, |terms: &mut Terms| terms.uses = 1);
    let asking = hospital.asking();
    hospital.ask(&asking);
    hospital.ward.refused(&eve(), &asking, ("aceso", 204), "allows 1 uses and has had 1");
    // That the job has come to its end changes nothing of it.
    hospital.block(vec![]);
    hospital.ward.refused(&eve(), &asking, ("aceso", 204), "allows 1 uses and has had 1");
}

#[test]
fn a_committee_of_which_nobody_is_left_is_none() {
    let mut hospital = Hospital::open(2);
    let mut giving = hospital.ward.give(&hospital.kept, 1, 2, &[&hospital.seats[1].operator]);
    giving.msg.committee = true;
    giving.msg.terms = hospital.terms.digest(giving.msg.expires).0.into();
    hospital.net().ok(&alice(), vec![ours(&giving.made())]);
    let leaves = aceso_types::msg::MsgSetValidator {
        authority: alice().address(),
        consensus_key: hospital.seats[1].consensus.to_vec(),
        power: 0,
        operator: String::new(),
        name: String::new(),
    };
    hospital.net().ok(&alice(), vec![ours(&leaves)]);
    let asking = MsgRequestRead { grant: 2, ..hospital.asking() };
    let words = "0 of those whom the grant names are validators with a key";
    hospital.ward.refused(&eve(), &asking, ("aceso", 922), words);
}

#[test]
fn shares_that_are_refused() {
    let mut hospital = Hospital::open(4);
    let asking = hospital.asking();
    let job = hospital.ask(&asking);
    let seat = &hospital.seats[3];
    let statement = aceso_types::sealed::Statement::decode(&hospital.job(job).statement).unwrap();
    let (operator, share) = (seat.operator.clone(), seat.share(&statement, &usual(&statement.disclosure)));
    let msg = MsgSubmitShare { operator: operator.address(), share: Some(share) };
    let mut refused = |msgs: Vec<MsgSubmitShare>, words: &str| {
        let result = hospital.net().run(&operator, msgs.iter().map(ours).collect());
        assert_eq!(code(&result), ("aceso", 925), "{}", result.log);
        assert!(result.log.contains(words), "{}", result.log);
    };
    refused(vec![msg.clone(), msg.clone()], "a share comes in a transaction of its own");
    refused(vec![MsgSubmitShare { share: None, ..msg.clone() }], "there is none");
    refused(vec![msg.clone()], "is a validator, whose share comes with its vote");
    let mut other = msg;
    other.share.as_mut().unwrap().job = 9;
    refused(vec![other], "job 9: not open");
}

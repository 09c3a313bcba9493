//! Jobs that end in another way: at their deadline, called off, broken, or by the word of members that have left.

use aceso_types::{
    guest::{Ended, ReadDone},
    msg::{MsgRequestRead, MsgRetireSealed, MsgRevokeGrant, MsgSetValidator, MsgSubmitShare, Share},
    query::JobStatus,
    sealed::{Failure, Outcome, Statement},
};
use tendermint::abci::{Event, types::ExecTxResult};

use crate::{
    fixture::{Key, alice, code, ours},
    guests::NOTHING,
    hospital::{Hospital, eve, item, kinds, usual},
};

fn ended(done: &ReadDone) -> (u64, Ended, Option<u64>, &str) {
    (done.job, done.ended.clone(), done.read.map(|read| read.0), &done.fee)
}

fn revoke() -> MsgRevokeGrant {
    MsgRevokeGrant { sender: alice().address(), granter: alice().address(), grant: 1 }
}

/// Takes a validator out.
fn removed(hospital: &Hospital, seat: usize) -> MsgSetValidator {
    MsgSetValidator {
        authority: alice().address(),
        consensus_key: hospital.seats[seat].consensus.to_vec(),
        power: 0,
        operator: String::new(),
        name: String::new(),
    }
}

fn statement(hospital: &Hospital, job: u64) -> Statement {
    Statement::decode(&hospital.job(job).statement).unwrap()
}

fn log_of(events: &[Event], kind: &str) -> String {
    let event = events.iter().find(|event| event.kind == kind).unwrap();
    event.attributes.iter().map(|one| format!("{}={} ", one.key_str().unwrap(), one.value_str().unwrap())).collect()
}

#[test]
fn at_its_deadline_everything_goes_back() {
    let mut hospital = Hospital::open(4);
    for seat in &mut hospital.seats[2..] {
        seat.speaks = false;
    }
    let contract = hospital.listener(NOTHING);
    let before = hospital.ward.net.balance(&contract);
    let deadline = hospital.ward.net.height + 4;
    let asking = MsgRequestRead { callback_gas: 400_000, deadline, ..hospital.asking_bits() };
    assert!(hospital.through(&contract, &asking).code.is_ok());
    assert!(hospital.ward.net.balance(&contract) < before);
    while hospital.ward.net.height + 1 < deadline {
        assert!(hospital.block(vec![]).tx_results.is_empty());
    }
    assert!(hospital.ward.net.app.expects_blocks());
    // Now all have signed, and it is too late.
    hospital.seats.iter_mut().for_each(|seat| seat.speaks = true);
    assert!(hospital.propose(vec![]).is_empty());
    let done = hospital.block(vec![]);
    assert!(kinds(&done.events).is_superset(&["sealed_read", "transfer", "sudo"].into()));
    assert_eq!(hospital.ward.net.height, deadline);
    let told = hospital.told(&contract).unwrap();
    assert_eq!(ended(&told), (1, Ended::Expired, None, "0"));
    assert_eq!((hospital.ward.net.balance(&contract), hospital.opened()), (before, 0));
    assert_eq!((hospital.job(1).status(), hospital.job(1).closed), (JobStatus::Expired, deadline));
    assert!(!hospital.ward.net.app.expects_blocks());
    // The bit was given back, the use was not.
    let asking = MsgRequestRead { deadline: deadline + 10, ..hospital.asking_bits() };
    hospital.ask(&asking);
    assert_eq!(hospital.ward.grant(&alice(), 1).uses, 2);
}

#[test]
fn what_is_taken_back_is_called_off_and_told() {
    for retire in [false, true] {
        let mut hospital = Hospital::open(4);
        let contract = hospital.listener(NOTHING);
        let before = hospital.ward.net.balance(&contract);
        let asking = MsgRequestRead { callback_gas: 400_000, ..hospital.asking() };
        assert!(hospital.through(&contract, &asking).code.is_ok());
        let msg = match retire {
            true => ours(&MsgRetireSealed { owner: alice().address(), record: 1 }),
            false => ours(&revoke()),
        };
        hospital.net().ok(&alice(), vec![msg]);
        assert_eq!(ended(&hospital.told(&contract).unwrap()), (1, Ended::Cancelled, None, "0"));
        assert_eq!((hospital.ward.net.balance(&contract), hospital.job(1).status()), (before, JobStatus::Cancelled));
        // The members have signed in vain.
        assert!(hospital.propose(vec![]).is_empty());
        let asking = hospital.asking();
        hospital.ward.refused(&eve(), &asking, ("aceso", if retire { 906 } else { 910 }), "");
    }
}

#[test]
fn an_outcome_goes_before_a_revocation_in_the_same_block_and_a_request_after_it_finds_nothing() {
    let mut hospital = Hospital::open(4);
    let asking = hospital.asking();
    hospital.ask(&asking);
    let revoking = hospital.ward.net.draft(&[&alice()], vec![ours(&revoke())]).sign();
    let requesting = hospital.ward.net.draft(&[&eve()], vec![ours(&asking)]).sign();
    let done = hospital.block(vec![revoking, requesting]);
    let codes: Vec<u32> = done.tx_results.iter().map(|result| result.code.value()).collect();
    assert_eq!(codes, [0, 0, 910]);
    assert_eq!((hospital.job(1).status(), hospital.opened()), (JobStatus::Done, 0));
    // The other way round the job is called off in the block that made it.
    let mut hospital = Hospital::open(4);
    let asking = hospital.asking();
    let requesting = hospital.ward.net.draft(&[&eve()], vec![ours(&asking)]).sign();
    let revoking = hospital.ward.net.draft(&[&alice()], vec![ours(&revoke())]).sign();
    let done = hospital.block(vec![requesting, revoking]);
    assert!(done.tx_results.iter().all(|result| result.code.is_ok()));
    assert_eq!((hospital.job(1).status(), hospital.opened()), (JobStatus::Cancelled, 0));
}

#[test]
fn a_committee_that_lost_too_many_gives_back_at_once() {
    let mut hospital = Hospital::open(4);
    let contract = hospital.listener(NOTHING);
    let before = hospital.ward.net.balance(&contract);
    let asking = MsgRequestRead { callback_gas: 400_000, ..hospital.asking() };
    assert!(hospital.through(&contract, &asking).code.is_ok());
    let (third, fourth) = (removed(&hospital, 2), removed(&hospital, 3));
    hospital.net().ok(&alice(), vec![ours(&third)]);
    assert_eq!(hospital.job(1).status(), JobStatus::Open);
    hospital.net().ok(&alice(), vec![ours(&fourth)]);
    assert_eq!(ended(&hospital.told(&contract).unwrap()), (1, Ended::Broken, None, "0"));
    assert_eq!((hospital.job(1).status(), hospital.ward.net.balance(&contract)), (JobStatus::Broken, before));
    // A new job has those that are left.
    let asking = hospital.asking();
    let job = hospital.ask(&asking);
    assert_eq!(hospital.job(job).members.len(), 2);
}

fn submit(hospital: &mut Hospital, by: &Key, share: Share) -> ExecTxResult {
    let msg = MsgSubmitShare { operator: by.address(), share: Some(share) };
    let mut draft = hospital.ward.net.draft(&[by], vec![ours(&msg)]);
    (draft.fee, draft.gas) = (vec![], 400_000);
    let tx = draft.sign();
    let checked = hospital.ward.net.check(tx.clone());
    let result = hospital.ward.net.deliver(tx);
    assert_eq!(checked.code, result.code, "{} and {}", checked.log, result.log);
    result
}

#[test]
fn a_member_that_left_submits_its_share_without_a_fee() {
    let mut hospital = Hospital::open(4);
    let asking = hospital.asking();
    let job = hospital.ask(&asking);
    let statement = statement(&hospital, job);
    let outcome = usual(&statement.disclosure);
    let operators: Vec<Key> = hospital.seats.iter().map(|seat| seat.operator.clone()).collect();
    let share = |hospital: &Hospital, seat: usize, outcome: &Outcome| hospital.seats[seat].share(&statement, outcome);
    // As long as it is a validator it speaks by its vote.
    let early = share(&hospital, 3, &outcome);
    let result = submit(&mut hospital, &operators[3], early.clone());
    assert_eq!(code(&result), ("aceso", 925), "{}", result.log);
    let leaves = removed(&hospital, 3);
    hospital.net().ok(&alice(), vec![ours(&leaves)]);
    hospital.seats[2].speaks = false;
    let other = share(&hospital, 2, &outcome);
    let failed = Outcome::Failed(Failure::Key);
    let mut flipped = early.clone();
    flipped.signature[95] ^= 1;
    for (by, share, words) in [
        (&operators[3], other, "the signature is not that of"),
        (&operators[3], flipped, "the signature is not that of"),
        (&operators[3], Share { job: 9, ..early.clone() }, "not open"),
        (&operators[3], Share { outcome: vec![1], ..early.clone() }, "does not decode"),
        (
            &operators[3],
            Share { outcome: usual(&aceso_types::sealed::Disclosure::Sealed).encode(), ..early.clone() },
            "no answer to what was asked",
        ),
        (&alice(), early.clone(), "is no member"),
    ] {
        let result = submit(&mut hospital, by, share);
        assert_eq!(code(&result), ("aceso", 925), "{}", result.log);
        assert!(result.log.contains(words), "{}", result.log);
    }
    let before = hospital.balance(&operators[3]);
    assert!(submit(&mut hospital, &operators[3], early.clone()).code.is_ok());
    assert_eq!(hospital.balance(&operators[3]), before);
    let again = share(&hospital, 3, &failed);
    let result = submit(&mut hospital, &operators[3], again);
    assert!(result.log.contains("has submitted one already"), "{}", result.log);
    // Two votes and what was submitted are three of four.
    let proposed = hospital.propose(vec![]);
    assert_eq!(item(&proposed).outcomes.len(), 1);
    hospital.decide(proposed);
    assert_eq!((hospital.job(job).status(), hospital.balance(&operators[3])), (JobStatus::Done, before + 100));
    let result = submit(&mut hospital, &operators[3], early);
    assert!(result.log.contains("not open"), "{}", result.log);
}

#[test]
fn free_transactions_are_shares_and_nothing_else() {
    let mut hospital = Hospital::open(4);
    let asking = hospital.asking();
    let job = hospital.ask(&asking);
    let statement = statement(&hospital, job);
    let leaves = removed(&hospital, 3);
    hospital.net().ok(&alice(), vec![ours(&leaves)]);
    let seat = &hospital.seats[3];
    let (operator, share) = (seat.operator.clone(), seat.share(&statement, &usual(&statement.disclosure)));
    let msg = MsgSubmitShare { operator: operator.address(), share: Some(share) };
    let check = |msgs, gas| {
        let mut draft = hospital.ward.net.draft(&[&operator], msgs);
        (draft.fee, draft.gas) = (vec![], gas);
        hospital.ward.net.check(draft.sign())
    };
    assert_eq!(check(vec![ours(&msg)], 600_000).code.value(), 13);
    assert_eq!(check(vec![ours(&msg), ours(&msg)], 400_000).code.value(), 13);
    // In the mempool too it is one for each job.
    assert!(check(vec![ours(&msg)], 400_000).code.is_ok());
    let mut draft = hospital.ward.net.draft(&[&operator], vec![ours(&msg)]);
    (draft.fee, draft.gas) = (vec![], 400_000);
    draft.signers[0].2 += 1;
    assert_eq!(hospital.ward.net.check(draft.sign()).code.value(), 925);
    let together = hospital.ward.net.run(&operator, vec![ours(&msg), ours(&msg)]);
    assert_eq!(code(&together), ("aceso", 925), "{}", together.log);
}

#[test]
fn who_signs_against_the_others_is_wrong_once() {
    let mut hospital = Hospital::open(4);
    hospital.seats[1].lie = Some(Outcome::Failed(Failure::Owner));
    let asking = hospital.asking();
    let job = hospital.ask(&asking);
    let members = hospital.job(job).members;
    let wrong = members.iter().find(|one| one.bls_key == hospital.seats[1].attest.public()).unwrap().number;
    let lying = hospital.seats[1].share(&statement(&hospital, job), &Outcome::Failed(Failure::Owner));
    // Its word stands in the block that has the outcome.
    let proposed = hospital.propose(vec![]);
    assert_eq!((item(&proposed).outcomes.len(), item(&proposed).conflicts.len()), (1, 1));
    let done = hospital.decide(proposed);
    assert!(log_of(&done.tx_results[0].events, "member_wrong").contains(&format!("number={wrong}")));
    let row = hospital.conduct(wrong);
    assert_eq!((row.signed, row.missed, row.wrong, row.last_wrong), (0, 1, 1, job));
    // Repeated later it is known.
    let repeat = |at: usize, vote: Vec<u8>| -> Vec<u8> {
        use prost::Message;
        let mut extension = aceso_types::msg::Extension::decode(&vote[..]).unwrap();
        extension.shares.extend((at == 1).then(|| lying.clone()));
        extension.encode_to_vec()
    };
    assert!(hospital.propose_after(vec![], repeat).is_empty());
    // Somebody else's word makes nobody wrong.
    let forge = |at: usize, vote: Vec<u8>| -> Vec<u8> { repeat(at + 1, vote) };
    assert!(hospital.propose_after(vec![], forge).is_empty());
    assert_eq!((1..=4).map(|number| hospital.conduct(number).wrong).sum::<u64>(), 1);
}

#[test]
fn a_callback_that_fails_takes_nothing_with_it() {
    for (answer, gas, codespace) in [
        (r#"{"error":"I will not hear it"}"#, 400_000, "codespace=wasm code=5"),
        (NOTHING, 10_000, "codespace=sdk code=11"),
        ("{}", 400_000, "codespace=wasm code=29"),
    ] {
        let mut hospital = Hospital::open(1);
        let contract = hospital.listener(answer);
        let asking = MsgRequestRead { callback_gas: gas, ..hospital.asking() };
        assert!(hospital.through(&contract, &asking).code.is_ok());
        let done = hospital.block(vec![]);
        let result = &done.tx_results[0];
        assert!(result.code.is_ok() && result.gas_used <= result.gas_wanted, "{}", result.log);
        assert!(log_of(&result.events, "callback_failed").contains(codespace), "{answer}: {:?}", result.events);
        assert_eq!((hospital.told(&contract), hospital.job(1).status()), (None, JobStatus::Done));
        assert_eq!(hospital.receipt(1).read.0, 1);
        assert_eq!(hospital.conduct(1).signed, 1);
    }
}

#[test]
fn ten_thousand_deadlines_in_one_block_are_worked_off_a_bounded_number_a_block() {
    let count = 10_000_u64;
    let mut hospital =
        Hospital::with(1, |genesis| genesis.params.sealed_closed_max = 1_000, |terms| terms.uses = 20_000);
    hospital.seats[0].speaks = false;
    let before = hospital.balance(&eve());
    let deadline = hospital.ward.net.height + 70;
    let asking = MsgRequestRead { deadline, ..hospital.asking_bits() };
    let mut asked = 0;
    let idle = (0..5).map(|_| timed(&mut hospital)).min().unwrap();
    let mut fees = 0;
    while asked < count {
        let mut draft = hospital.ward.net.draft(&[&eve()], vec![ours(&asking); 250]);
        draft.gas = 190_000_000;
        let tx = draft.sign();
        let done = hospital.block(vec![tx]);
        assert!(done.tx_results[0].code.is_ok(), "{}", done.tx_results[0].log);
        fees += 250_000;
        asked += 250;
    }
    assert!(hospital.ward.net.height < deadline - 8);
    let queued = (0..5).map(|_| timed(&mut hospital)).min().unwrap();
    let (walked, took) = walked(&hospital);
    assert_eq!(walked as u64, count);
    println!("idle {idle:?}, with {count} jobs queued {queued:?}; a member walks them in {took:?}");
    while hospital.ward.net.height + 1 < deadline {
        hospital.block(vec![]);
    }
    for blocks in 1..=10_u64 {
        let done = hospital.block(vec![]);
        let closed = done.events.iter().filter(|event| event.kind == "sealed_read").count();
        assert_eq!(closed, 1_000, "block {blocks}");
    }
    assert_eq!((hospital.opened(), hospital.balance(&eve())), (0, before - fees));
    assert_eq!(hospital.job(count).status(), JobStatus::Expired);
}

/// How many open jobs a member finds, and how long it takes.
#[allow(clippy::disallowed_methods, reason = "what is measured is shown and decides nothing")]
fn walked(hospital: &Hospital) -> (usize, std::time::Duration) {
    let start = std::time::Instant::now();
    let open = hospital.open_jobs(&hospital.seats[0]);
    (open.len(), start.elapsed())
}

#[allow(clippy::disallowed_methods, reason = "what is measured is shown and decides nothing")]
fn timed(hospital: &mut Hospital) -> std::time::Duration {
    let start = std::time::Instant::now();
    hospital.block(vec![]);
    start.elapsed()
}

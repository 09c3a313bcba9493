//! Jobs that come to an outcome: by one hospital or four, disclosed to everyone, bit by bit, or to nobody.

use aceso_app::attest::check_together;
use aceso_types::{
    Digest, ModelId, ReadId,
    guest::{Answer, Ended, PermitRequest},
    journal::{Entry, Event},
    msg::{Acceptance, Disclose, MsgRequestRead, MsgRequestReadResponse},
    query::{JobStatus, QueryJobs, QueryJournal, QueryReviews, QueryRoot},
    sealed::{Compact, Disclosure, Failure, Key as RootKey, Outcome, Root, Terms, committee_digest},
};
use cosmos_sdk_proto::{cosmos::tx::v1beta1::SimulateRequest, cosmwasm::wasm::v1::MsgExecuteContract};
use prost::Message;

use crate::{
    contracts::{make, store},
    fixture::{CHAIN, alice, bob, code, ours, responses, sdk},
    guests::{self, NOTHING},
    hospital::{Hospital, author, eve, item, kinds, usual},
    ward::{LATER, carol, cid, dave},
};

fn root(hospital: &Hospital) -> Root {
    let row = hospital.ward.net.ask(&QueryRoot { number: 0, latest: true });
    Root::decode(&row.root).unwrap()
}

/// Checks a compact receipt as whoever trusts a root does.
fn holds(compact: &Compact, root: &Root) -> bool {
    let members: Vec<RootKey> = root.keys.iter().filter(|key| compact.members.contains(&key.number)).cloned().collect();
    let statement = compact.statement.of(committee_digest(root.number, &members));
    let signers: Vec<Vec<u8>> = aceso_types::signers::places(&compact.signers, members.len())
        .unwrap()
        .into_iter()
        .map(|place| members[place].key.clone())
        .collect();
    check_together(&signers, &statement.sign_bytes(&compact.outcome), &compact.signature).is_ok()
}

#[test]
fn a_committee_of_one_reads_for_everyone_and_is_paid() {
    let mut hospital = Hospital::open(1);
    let (before, reward) = (hospital.balance(&eve()), 100);
    let price = u128::from(hospital.manifest.price.amount);
    let (author_had, bob_had) = (hospital.balance(&author()), hospital.balance(&bob()));
    let asking = hospital.asking();
    let job = hospital.ask(&asking);
    assert_eq!((job, hospital.opened(), hospital.job(job).status()), (1, 1, JobStatus::Open));
    assert_eq!(before - hospital.balance(&eve()), 250_000 + price + reward);
    let done = hospital.block(vec![]);
    assert!(kinds(&done.tx_results[0].events).is_superset(&["read", "sealed_read", "transfer"].into()));
    let row = hospital.job(job);
    assert_eq!(
        (row.status(), row.read, row.closed, hospital.opened()),
        (JobStatus::Done, 1, hospital.ward.net.height, 0)
    );
    assert_eq!(hospital.balance(&author()), author_had + price);
    assert_eq!(hospital.balance(&bob()), bob_had + reward);
    let receipt = hospital.receipt(1);
    assert_eq!((receipt.reader.clone(), receipt.pixels, receipt.read), (eve().address(), None, ReadId(1)));
    assert_eq!((receipt.outcome.scores.len(), receipt.outcome.findings.is_empty()), (1, false));
    assert_eq!(receipt.outcome.digest, usual(&Disclosure::Open).digest());
    let consent = receipt.consent.clone().unwrap();
    assert_eq!((consent.grant, consent.actor, consent.r#use), (format!("{}/1", alice().address()), eve().address(), 1));
    assert_eq!((receipt.committee.power, receipt.committee.total), (10, 10));
    let compact = receipt.compact().unwrap();
    assert!(compact.encode().len() < 900 && holds(&compact, &root(&hospital)));
    let mut other = compact;
    other.statement.job += 1;
    assert!(!holds(&other, &root(&hospital)));
    assert_eq!((hospital.conduct(1).signed, hospital.conduct(1).missed), (1, 0));
    let journal = hospital.ward.net.ask(&QueryJournal { image: cid(1), page: None });
    let entries: Vec<Event> = journal.entries.iter().map(|bytes| Entry::decode(bytes).unwrap().event).collect();
    assert!(matches!(&entries[..], [Event::Requested { job: 1, r#use: 1, grant: 1, .. }]), "{entries:?}");
    assert_eq!(hospital.ward.grant(&alice(), 1).uses, 1);
    // Nothing is left for the next block.
    let (app, key) = (&hospital.ward.net.app, hospital.seats[0].attest.public());
    assert!(hospital.propose(vec![]).is_empty() && app.open_jobs(&key, None).is_empty() && app.task(1, &key).is_none());
}

#[test]
fn three_of_four_tell_a_contract_a_bit_and_it_is_known_from_then_on() {
    let mut hospital = Hospital::open(4);
    let contract = hospital.listener(NOTHING);
    hospital.seats[3].speaks = false;
    let asking = MsgRequestRead { callback_gas: 400_000, ..hospital.asking_bits() };
    let result = hospital.through(&contract, &asking);
    assert!(result.code.is_ok(), "{}", result.log);
    assert!(result.gas_used > 400_000 && hospital.told(&contract).is_none());
    let done = hospital.block(vec![]);
    let item_result = &done.tx_results[0];
    assert_eq!((item_result.gas_wanted, item_result.gas_used > 60_000), (400_000, true));
    let told = hospital.told(&contract).unwrap();
    assert_eq!((told.job, told.ended, told.read, told.members), (1, Ended::Done, Some(ReadId(1)), 4));
    assert_eq!((told.power, told.total, told.findings.len(), told.findings[0].present), (40, 40, 1, true));
    assert_eq!((told.claim, told.scores.is_empty(), told.actor), (Some(Digest([1; 32])), true, eve().address()));
    // Three were paid, the fourth missed it, and its reward went back.
    let price = hospital.manifest.price.amount;
    assert_eq!((told.fee, told.author), ((price + 300).to_string(), author().address()));
    assert_eq!(hospital.ward.net.balance(&contract), 10_000_000 - u128::from(price) - 300);
    let signed: Vec<(u64, u64)> = (1..=4).map(|n| hospital.conduct(n)).map(|row| (row.signed, row.missed)).collect();
    assert_eq!(signed.iter().filter(|one| **one == (1, 0)).count(), 3);
    assert_eq!(signed.iter().filter(|one| **one == (0, 1)).count(), 1);
    assert!(holds(&hospital.receipt(1).compact().unwrap(), &root(&hospital)));

    // Asked again the answer is known: no job, no price, and the contract hears of it in the same block.
    let before = hospital.ward.net.balance(&contract);
    let result = hospital.through(&contract, &asking);
    assert!(result.code.is_ok(), "{}", result.log);
    let told = hospital.told(&contract).unwrap();
    assert_eq!((told.job, told.read, told.fee.as_str(), told.findings[0].present), (0, Some(ReadId(1)), "0", true));
    assert_eq!((told.claim, hospital.ward.net.balance(&contract)), (Some(Digest([1; 32])), before));
    // Another asker learns the bit, but not by which name the first knows the input.
    let other = hospital.listener(NOTHING);
    assert!(hospital.through(&other, &asking).code.is_ok());
    let told = hospital.told(&other).unwrap();
    assert_eq!((told.job, told.claim, told.findings.len()), (0, None, 1));
    assert_eq!(hospital.ward.net.ask(&QueryJobs::default()).rows.len(), 1);
}

#[test]
fn what_is_sealed_stays_a_commitment() {
    let mut hospital = Hospital::open(4);
    let contract = hospital.listener(NOTHING);
    let asking = MsgRequestRead { disclose: Disclose::Sealed.into(), callback_gas: 400_000, ..hospital.asking() };
    assert!(hospital.through(&contract, &asking).code.is_ok());
    hospital.block(vec![]);
    let told = hospital.told(&contract).unwrap();
    assert_eq!((told.commitment, told.scores.len(), told.findings.len()), (Some(Digest([2; 32])), 0, 0));
    let receipt = hospital.receipt(1);
    assert_eq!((receipt.disclosure.clone(), receipt.outcome.scores.len()), (Disclosure::Sealed, 0));
    assert_eq!(receipt.outcome.digest, usual(&Disclosure::Sealed).digest());
    assert!(holds(&receipt.compact().unwrap(), &root(&hospital)));
}

#[test]
fn what_cannot_be_read_costs_the_members_work_and_no_bits() {
    let mut hospital = Hospital::open(4);
    let contract = hospital.listener(NOTHING);
    hospital.answers.insert(1, Outcome::Failed(Failure::Leaf));
    let (before, had) = (hospital.ward.net.balance(&contract), hospital.balance(&author()));
    let asking = MsgRequestRead { callback_gas: 400_000, ..hospital.asking_bits() };
    assert!(hospital.through(&contract, &asking).code.is_ok());
    hospital.block(vec![]);
    let told = hospital.told(&contract).unwrap();
    assert_eq!((told.ended, told.read, told.claim), (Ended::Failed(Failure::Leaf), Some(ReadId(1)), None));
    assert_eq!((before - hospital.ward.net.balance(&contract), hospital.balance(&author())), (400, had));
    // The bit was given back: it is asked for again, and so is the other.
    for job in [2, 3] {
        assert!(hospital.through(&contract, &asking).code.is_ok());
        hospital.answers.insert(job, Outcome::Failed(Failure::Leaf));
        hospital.block(vec![]);
    }
}

#[test]
fn bits_are_counted_over_all_requests_and_bisection_ends() {
    let mut hospital = Hospital::with(1, |_| {}, |terms| terms.bits = 1);
    let findings: Vec<String> = hospital.manifest.output.findings.iter().map(|one| one.id.clone()).collect();
    let asking = hospital.asking_bits();
    hospital.ask(&asking);
    // While it is open the same finding costs nothing more, however often it is asked for.
    assert_eq!(hospital.ask(&asking), 2);
    hospital.block(vec![]);
    assert_eq!(hospital.ask(&asking), 0);
    // A grant with other terms does not begin anew.
    let grant = hospital.grant(2);
    hospital.net().ok(&alice(), vec![grant]);
    assert_eq!(hospital.ask(&MsgRequestRead { grant: 2, ..asking.clone() }), 0);
    // Whoever wants to know whose pixels it was asks members again, and no bit is counted for it.
    assert_eq!(hospital.ask(&MsgRequestRead { identify: true, ..asking.clone() }), 3);
    hospital.block(vec![]);
    assert_eq!(hospital.ask(&asking), 0);
    assert_eq!(findings.len(), 4);
    for other in findings.iter().skip(1) {
        let asking = MsgRequestRead { findings: vec![other.clone()], ..asking.clone() };
        let result = hospital.net().run(&eve(), vec![ours(&asking)]);
        assert_eq!(code(&result), ("aceso", 923), "{}", result.log);
    }
    let none = Hospital::with(1, |_| {}, |terms| terms.bits = 0);
    let mut hospital = none;
    let asking = hospital.asking_bits();
    let result = hospital.net().run(&eve(), vec![ours(&asking)]);
    assert_eq!(code(&result), ("aceso", 923));
    assert!(result.log.contains("0 bits"), "{}", result.log);
}

#[test]
fn nobody_looks_for_free() {
    let mut hospital = Hospital::open(1);
    let asking = hospital.asking_bits();
    let before = (hospital.balance(&eve()), hospital.ward.grant(&alice(), 1));
    // Undone with its transaction: no job, no use, no bit, no entry, and nothing was computed.
    let mut late = asking.clone();
    late.deadline = 1;
    let result = hospital.net().run(&eve(), vec![ours(&asking), ours(&late)]);
    assert_eq!(code(&result), ("aceso", 921));
    assert_eq!((hospital.opened(), hospital.ward.grant(&alice(), 1)), (0, before.1));
    assert_eq!(before.0 - hospital.balance(&eve()), 250_000);
    assert!(hospital.ward.net.ask(&QueryJournal { image: cid(1), page: None }).entries.is_empty());
    assert!(hospital.propose(vec![]).is_empty());
    // A simulation makes no job that stays.
    let tx = hospital.ward.net.draft(&[&eve()], vec![ours(&asking)]).sign();
    let request = SimulateRequest { tx_bytes: tx, ..SimulateRequest::default() };
    assert!(hospital.ward.net.raw_query("/cosmos.tx.v1beta1.Service/Simulate", request.encode_to_vec()).code.is_ok());
    assert_eq!(hospital.opened(), 0);
}

#[test]
fn an_emergency_leaves_an_item_for_the_patient() {
    let mut hospital = Hospital::with(
        1,
        |_| {},
        |terms| {
            (terms.emergency, terms.anybody, terms.actors) = (true, true, vec![]);
        },
    );
    let asking = hospital.asking();
    let result = hospital.net().run(&eve(), vec![ours(&asking)]);
    assert_eq!(code(&result), ("aceso", 912), "{}", result.log);
    let asking = MsgRequestRead { reason: "unconscious".into(), ..asking };
    let job = hospital.ask(&asking);
    let rows = hospital.ward.net.ask(&QueryReviews { record: 1, page: None }).rows;
    assert_eq!((rows[0].job, rows[0].reason.as_str(), rows[0].actor.clone()), (job, "unconscious", eve().address()));
}

#[test]
fn a_guarded_record_needs_a_permit_for_each_request() {
    let mut hospital = Hospital::open(1);
    let code_id = store(hospital.net(), guests::guard(NOTHING));
    let guard = make(hospital.net(), code_id, NOTHING);
    let kept = crate::ward::Kept::new(&alice(), 2);
    let register = aceso_types::msg::MsgRegisterSealed { guard: guard.clone(), ..kept.register(&[cid(2)]) };
    hospital.net().ok(&alice(), vec![ours(&register)]);
    let operators: Vec<_> = hospital.seats.iter().map(|seat| seat.operator.clone()).collect();
    let mut giving = hospital.ward.give(&kept, 2, 2, &operators.iter().collect::<Vec<_>>());
    giving.msg.committee = true;
    giving.msg.terms = hospital.terms.digest(giving.msg.expires).0.into();
    hospital.net().ok(&alice(), vec![ours(&giving.made())]);
    let asking = MsgRequestRead { grant: 2, image: cid(2), ..hospital.asking() };
    let result = hospital.net().run(&eve(), vec![ours(&asking)]);
    assert_eq!(code(&result), ("aceso", 205), "{}", result.log);
    let permit = |max_uses| {
        let request = PermitRequest {
            caller: eve().address(),
            actor: eve().address(),
            image: cid(2).parse().unwrap(),
            owner: alice().address(),
            model: hospital.model,
            purpose: "TREAT".into(),
            grant: "g".into(),
            answer: Answer::Permit { max_uses },
        };
        let msg = serde_json::to_vec(&request).unwrap();
        sdk(&MsgExecuteContract { sender: eve().address(), contract: guard.clone(), msg, funds: vec![] })
    };
    let (once, again) = (permit(1), permit(1));
    let result = hospital.net().ok(&eve(), vec![once, ours(&asking)]);
    let response = responses(&result)[1].clone();
    assert_eq!(MsgRequestReadResponse::decode(&response.value[..]).unwrap().job, 1);
    let result = hospital.net().run(&eve(), vec![again, ours(&asking)]);
    assert_eq!(code(&result), ("aceso", 204), "{}", result.log);
    hospital.block(vec![]);
    assert_eq!(hospital.receipt(1).consent.unwrap().guard, guard);
}

#[test]
fn a_payer_that_trusts_no_hospital_alone_is_not_served_by_one() {
    // One hospital asks through a contract, is its own committee and would be paid for it.
    let mut hospital = Hospital::open(4);
    let mut giving = hospital.ward.give(&hospital.kept, 1, 2, &[&carol()]);
    giving.msg.committee = true;
    giving.msg.terms = hospital.terms.digest(giving.msg.expires).0.into();
    hospital.net().ok(&alice(), vec![ours(&giving.made())]);
    let asking = MsgRequestRead { grant: 2, ..hospital.asking() };
    let accept = Acceptance::default();
    let (dave, carol) = (dave().address(), carol().address());
    for (accept, words) in [
        (Acceptance { members_min: 2, ..accept.clone() }, "it has 1 members, and 2 are demanded"),
        (Acceptance { power_min_bps: 2_501, ..accept.clone() }, "it has 10 of 40 power, and 2501 bps are demanded"),
        (Acceptance { required: vec![dave], ..accept.clone() }, "is demanded and no member"),
        (Acceptance { excluded: vec![carol.clone()], ..accept.clone() }, "is a member and excluded"),
        (Acceptance { excluded: vec![carol; 33], ..accept.clone() }, "33 operators are excluded"),
    ] {
        let msg = MsgRequestRead { accept: Some(accept), ..asking.clone() };
        hospital.ward.refused(&eve(), &msg, ("aceso", 922), words);
    }
    let enough = Acceptance { members_min: 1, power_min_bps: 2_500, ..accept };
    let job = hospital.ask(&MsgRequestRead { accept: Some(enough.clone()), ..asking });
    hospital.block(vec![]);
    let row = hospital.job(job);
    assert_eq!((row.status(), row.accept, row.members.len()), (JobStatus::Done, Some(enough), 1));
    let receipt = hospital.receipt(row.read);
    assert_eq!((receipt.committee.power, receipt.committee.total, receipt.chain_id.as_str()), (10, 40, CHAIN));
}

#[test]
fn each_root_is_signed_by_those_of_the_one_before() {
    let mut hospital = Hospital::open(4);
    let first = root(&hospital);
    assert_eq!((first.number, first.keys.len(), first.total, first.previous), (0, 4, 40, Digest::default()));
    let leaves = aceso_types::msg::MsgSetValidator {
        authority: alice().address(),
        consensus_key: hospital.seats[3].consensus.to_vec(),
        power: 0,
        operator: String::new(),
        name: String::new(),
    };
    hospital.net().ok(&alice(), vec![ours(&leaves)]);
    let second = root(&hospital);
    assert_eq!((second.number, second.keys.len(), second.previous), (1, 3, first.digest()));
    let unsigned = hospital.ward.net.ask(&QueryRoot { number: 1, latest: false });
    assert_eq!(unsigned.signed, None);
    let proposed = hospital.propose(vec![]);
    assert_eq!(item(&proposed).roots.len(), 1);
    hospital.decide(proposed);
    let signed = hospital.ward.net.ask(&QueryRoot { number: 1, latest: false }).signed.unwrap();
    let keys: Vec<Vec<u8>> = aceso_types::signers::places(&signed.signers, 4)
        .unwrap()
        .into_iter()
        .map(|place| first.keys[place].key.clone())
        .collect();
    assert_eq!(check_together(&keys, &second.digest(), &signed.signature), Ok(()));
    assert!(hospital.propose(vec![]).is_empty());
}

#[test]
fn what_the_terms_do_not_allow_is_refused_by_name() {
    let refused = |change: fn(&mut Terms), ask: &dyn Fn(MsgRequestRead) -> MsgRequestRead, number, words: &str| {
        let mut hospital = Hospital::with(1, |genesis| genesis.params.sealed_jobs_max = 1, change);
        let msg = ask(hospital.asking());
        hospital.ward.refused(&eve(), &msg, ("aceso", number), words);
        assert_eq!((hospital.opened(), hospital.ward.grant(&alice(), 1).uses), (0, 0), "{words}");
    };
    let asked = |msg: MsgRequestRead| msg;
    let because = |reason: &str| {
        let reason = reason.to_owned();
        move |msg: MsgRequestRead| MsgRequestRead { reason: reason.clone(), ..msg }
    };
    refused(|terms| terms.via = vec![dave().address()], &asked, 912, "among those that may make the request");
    refused(|terms| terms.models = vec![ModelId::default()], &asked, 912, "is not among its models");
    refused(|terms| terms.not_before = LATER, &asked, 912, "it begins at");
    refused(|terms| terms.purposes = vec!["HRESCH".into()], &asked, 912, "is not among its purposes");
    refused(|terms| terms.open = false, &asked, 912, "may not be known to everyone");
    refused(|terms| terms.emergency = true, &because(&"x".repeat(1_025)), 912, "a reason has at most 1024 bytes");
    refused(|terms| terms.emergency = true, &because(" "), 912, "needs a reason that everybody may read");
    refused(|_| {}, &because("I wonder"), 912, "takes no reason");
    let disclosing = |disclose| move |msg: MsgRequestRead| MsgRequestRead { disclose, ..msg };
    refused(|_| {}, &disclosing(3), 921, "there is no disclosure 3");
    refused(|_| {}, &disclosing(-1), 921, "there is no disclosure -1");
    refused(|terms| terms.sealed = false, &disclosing(Disclose::Sealed.into()), 912, "kept for who holds the key");
    let finding = |hospital: &Hospital, at: usize| hospital.manifest.output.findings[at].id.clone();
    let mut hospital = Hospital::with(1, |genesis| genesis.params.sealed_jobs_max = 1, |_| {});
    let (first, second, third) = (finding(&hospital, 0), finding(&hospital, 1), finding(&hospital, 2));
    let asking = hospital.asking_bits();
    for (findings, number, words) in [
        (vec![second.clone(), first.clone()], 921, "not in the order of its findings"),
        (vec![first.clone(), first.clone()], 921, "not in the order of its findings"),
        (vec![first.clone(), second, third], 921, "3 findings are asked for, and 1 to 2 are allowed"),
        (vec![], 921, "0 findings are asked for"),
        (vec!["gout".into()], 912, "may not be disclosed"),
    ] {
        let msg = MsgRequestRead { findings, ..asking.clone() };
        hospital.ward.refused(&eve(), &msg, ("aceso", number), words);
    }
    let msg = MsgRequestRead { findings: vec![first], ..hospital.asking() };
    hospital.ward.refused(&eve(), &msg, ("aceso", 921), "findings are named where they are not what is disclosed");
    // One job is all that this chain has open at a time.
    hospital.ask(&asking);
    let another = hospital.asking();
    hospital.ward.refused(&eve(), &another, ("aceso", 924), "1 are open");
    hospital.block(vec![]);
    assert_eq!(hospital.ask(&another), 2);
}

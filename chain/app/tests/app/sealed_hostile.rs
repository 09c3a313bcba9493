//! Parties that change a byte, come too late, or lie together and are too few.

use aceso_app::attest::add_up;
use aceso_types::{
    Manifest,
    manifest::Price,
    msg::{
        JobOutcome, MsgAttest, MsgBreakGlass, MsgGrant, MsgRegisterModel, MsgRegisterReader, MsgRegisterSealed,
        MsgRequestRead, Named,
    },
    query::JobStatus,
    sealed::{Failure, Outcome, Statement, Terms},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::{Any, cosmos::tx::v1beta1::SimulateRequest, cosmwasm::wasm::v1::MsgExecuteContract};
use prost::Message;
use serde_json::json;
use tendermint::v0_38::abci::response::ProcessProposal;

use crate::{
    contracts::raw,
    fixture::{Key, Net, alice, bob, code, ours},
    guests::NOTHING,
    hospital::{Hospital, author, erin, eve, framed, model, usual},
    ward::{Kept, LATER, START, Ward, carol, cid, dave, reader, register_reader, terms},
};

/// Whether a message would be taken, with the words where it would not.
fn tried<M: Named>(net: &Net, key: &Key, msg: &M) -> Result<(), String> {
    let tx_bytes = net.draft(&[key], vec![ours(msg)]).sign();
    let request = SimulateRequest { tx_bytes, ..SimulateRequest::default() };
    let answer = net.raw_query("/cosmos.tx.v1beta1.Service/Simulate", request.encode_to_vec());
    if answer.code.is_ok() { Ok(()) } else { Err(answer.log) }
}

#[test]
fn every_byte_of_a_key_a_registration_and_a_grant_counts() {
    let (mut ward, kept) = Ward::sealed();
    let net = &ward.net;
    let key = register_reader(&alice(), 0, LATER);
    assert_eq!(tried(net, &alice(), &key), Ok(()));
    let fields: [fn(&mut MsgRegisterReader) -> &mut Vec<u8>; 2] = [|msg| &mut msg.key, |msg| &mut msg.possession];
    for field in fields {
        for at in 0..field(&mut key.clone()).len() {
            let mut other = key.clone();
            field(&mut other)[at] ^= 1;
            assert!(tried(net, &alice(), &other).is_err(), "byte {at} of a key's registration");
        }
    }
    let record = Kept::new(&alice(), 2).register(&[cid(2)]);
    assert_eq!(tried(net, &alice(), &record), Ok(()));
    let fields: [fn(&mut MsgRegisterSealed) -> &mut Vec<u8>; 2] =
        [|msg| &mut msg.registration, |msg| &mut msg.commitment];
    for field in fields {
        for at in 0..field(&mut record.clone()).len() {
            let mut other = record.clone();
            field(&mut other)[at] ^= 1;
            assert!(tried(net, &alice(), &other).is_err(), "byte {at} of a registration");
        }
    }
    let grant = ward.give(&kept, 1, 1, &[&bob(), &carol()]).made();
    assert_eq!(tried(net, &alice(), &grant), Ok(()));
    let fields: [fn(&mut MsgGrant) -> &mut Vec<u8>; 3] =
        [|msg| &mut msg.wrap, |msg| &mut msg.nonce, |msg| &mut msg.terms];
    for field in fields {
        for at in 0..field(&mut grant.clone()).len() {
            let mut other = grant.clone();
            field(&mut other)[at] ^= 1;
            assert!(tried(net, &alice(), &other).is_err(), "byte {at} of a grant");
        }
    }
    // What the terms' digest speaks of, and who is meant.
    let turned = MsgGrant { recipients: grant.recipients.iter().rev().cloned().collect(), ..grant.clone() };
    let fewer = MsgGrant { recipients: grant.recipients[..1].to_vec(), ..grant.clone() };
    for other in [turned, fewer] {
        assert!(tried(net, &alice(), &other).is_err());
    }
    ward.net.ok(&alice(), vec![ours(&grant)]);
}

#[test]
fn an_epoch_that_is_over_is_granted_nothing_and_breaks_no_glass() {
    let (mut ward, kept) = Ward::sealed();
    let emergency = Terms { emergency: true, anybody: true, rewrap: false, ..terms() };
    let mut giving = ward.give(&kept, 1, 1, &[&bob()]);
    giving.msg.terms = emergency.digest(giving.msg.expires).0.into();
    giving.msg.committee = true;
    ward.net.ok(&alice(), vec![ours(&giving.made())]);
    let soon = START + ward.net.height + 4;
    ward.net.ok(&dave(), vec![ours(&register_reader(&dave(), 1, soon))]);
    // While it lasts, a grant that ends with it is given; a second longer is not.
    let of_epoch = |ward: &Ward, expires: u64| {
        let mut giving = ward.give(&kept, 1, 2, &[&dave()]);
        giving.msg.recipients[0].epoch = 1;
        giving.keys[0] = reader(&dave(), 1).public();
        (giving.msg.expires, giving.msg.terms) = (expires, terms().digest(expires).0.into());
        giving.made()
    };
    assert_eq!(tried(&ward.net, &alice(), &of_epoch(&ward, soon)), Ok(()));
    let longer = of_epoch(&ward, soon + 1);
    ward.refused(&alice(), &longer, ("aceso", 901), &format!("ends at {soon}, before {}", soon + 1));
    let glass = |epoch| MsgBreakGlass {
        actor: dave().address(),
        epoch,
        granter: alice().address(),
        grant: 1,
        terms: emergency.encode(),
        reason: "unconscious".into(),
    };
    assert_eq!(tried(&ward.net, &dave(), &glass(1)), Ok(()));
    while START + ward.net.height < soon {
        ward.net.block(vec![]);
    }
    let late = of_epoch(&ward, soon + 100);
    ward.refused(&alice(), &late, ("aceso", 901), &format!("ends at {soon}"));
    ward.refused(&dave(), &glass(1), ("aceso", 901), &format!("of epoch 1 ends at {soon}"));
    ward.net.ok(&dave(), vec![ours(&glass(0))]);
}

#[test]
fn a_grant_that_has_ended_asks_for_nothing() {
    let mut hospital = Hospital::open(1);
    let soon = START + hospital.ward.net.height + 3;
    let mut giving = hospital.ward.give(&hospital.kept, 1, 2, &[&bob()]);
    giving.msg.committee = true;
    (giving.msg.expires, giving.msg.terms) = (soon, hospital.terms.digest(soon).0.into());
    hospital.net().ok(&alice(), vec![ours(&giving.made())]);
    let mut asking = hospital.asking();
    asking.grant = 2;
    assert_eq!(tried(&hospital.ward.net, &eve(), &asking), Ok(()));
    while START + hospital.ward.net.height < soon {
        hospital.block(vec![]);
    }
    hospital.ward.refused(&eve(), &asking, ("aceso", 910), &format!("ended at {soon}"));
}

/// An item in which these members have really signed.
fn signed_by(hospital: &Hospital, seats: &[usize], outcome: &Outcome) -> MsgAttest {
    let job = hospital.job(1);
    let statement = Statement::decode(&job.statement).unwrap();
    let mut signers = vec![0_u8];
    let mut signatures = Vec::new();
    for &seat in seats {
        let key = hospital.seats[seat].attest.public();
        signers[0] |= 1 << job.members.iter().position(|one| one.bls_key == key).unwrap();
        signatures.push(hospital.seats[seat].share(&statement, outcome).signature);
    }
    let signature = add_up(&signatures).unwrap().to_vec();
    let outcome = JobOutcome { job: 1, outcome: outcome.encode(), signers, signature };
    MsgAttest { outcomes: vec![outcome], ..MsgAttest::default() }
}

#[test]
fn two_thirds_of_a_committee_are_not_enough_for_a_proposer() {
    let mut hospital = Hospital::open(3);
    let asking = hospital.asking();
    hospital.ask(&asking);
    let outcome = usual(&Statement::decode(&hospital.job(1).statement).unwrap().disclosure);
    let review = |seats: &[usize]| hospital.ward.net.review(&[framed(&signed_by(&hospital, seats, &outcome))]);
    assert_eq!(review(&[0, 1]), ProcessProposal::Reject);
    assert_eq!(review(&[1, 2]), ProcessProposal::Reject);
    assert_eq!(review(&[0, 1, 2]), ProcessProposal::Accept);
    hospital.seats[2].speaks = false;
    assert!(hospital.propose(vec![]).is_empty());
}

#[test]
fn members_who_lie_together_below_the_threshold_only_delay() {
    let mut hospital = Hospital::open(4);
    let contract = hospital.listener(NOTHING);
    let before = hospital.ward.net.balance(&contract);
    let lie = Outcome::Failed(Failure::Key);
    for seat in &mut hospital.seats[2..] {
        seat.lie = Some(lie.clone());
    }
    let deadline = hospital.ward.net.height + 5;
    let asking = MsgRequestRead { callback_gas: 400_000, deadline, ..hospital.asking() };
    assert!(hospital.through(&contract, &asking).code.is_ok());
    let truth = usual(&Statement::decode(&hospital.job(1).statement).unwrap().disclosure);
    // A proposer who is one of them has two signatures for the lie and two for the truth, and can use neither.
    for (seats, outcome) in [(&[2, 3][..], &lie), (&[0, 1][..], &truth)] {
        let item = framed(&signed_by(&hospital, seats, outcome));
        assert_eq!(hospital.ward.net.review(&[item]), ProcessProposal::Reject);
    }
    while hospital.ward.net.height < deadline {
        assert!(hospital.propose(vec![]).is_empty());
        hospital.block(vec![]);
    }
    assert_eq!((hospital.job(1).status(), hospital.ward.net.balance(&contract)), (JobStatus::Expired, before));
    let conduct: Vec<(u64, u64)> = (1..=4).map(|n| hospital.conduct(n)).map(|row| (row.missed, row.wrong)).collect();
    assert_eq!(conduct, [(0, 0); 4], "who was right is not known without an outcome");
    // A third of them more, and it is signed: that is what the threshold is for.
    hospital.seats[1].lie = Some(lie.clone());
    let asking = hospital.asking();
    let job = hospital.ask(&asking);
    hospital.block(vec![]);
    assert_eq!(hospital.job(job).outcome.unwrap().outcome, lie.encode());
}

#[test]
fn nobody_but_the_chain_tells_a_contract_of_a_read() {
    let mut hospital = Hospital::open(1);
    let contract = hospital.listener(NOTHING);
    let forged = json!({"aceso_read": {"job": 1}}).to_string().into_bytes();
    // wasmd's message has the fields of this one, under the same numbers.
    let sudo = |sender: &Key| {
        let (sender, contract) = (sender.address(), contract.clone());
        let msg = MsgExecuteContract { sender, contract, msg: forged.clone(), funds: vec![] };
        Any { type_url: "/cosmwasm.wasm.v1.MsgSudoContract".into(), value: msg.encode_to_vec() }
    };
    for key in [alice(), eve()] {
        let net = hospital.net();
        let tx = net.draft(&[&key], vec![sudo(&key)]).sign();
        assert_eq!(net.check(tx.clone()).code.value(), 14);
        // A block that holds it all the same does nothing of it.
        let done = net.finalize(vec![tx.into()]);
        net.app.commit().unwrap();
        assert_eq!(code(&done.tx_results[0]), ("wasm", 14));
    }
    // The authority's contract could not, nor can one in its own name.
    let any = json!({"any": {"type_url": sudo(&eve()).type_url, "value": STANDARD.encode(sudo(&eve()).value)}});
    let sub = json!({"id": 0, "msg": any, "gas_limit": null, "reply_on": "never", "payload": ""});
    let answer = json!({"ok": {"messages": [sub], "attributes": [], "events": [], "data": null}});
    let result = crate::contracts::execute(hospital.net(), &contract, &answer.to_string());
    assert!(result.code.is_err());
    assert!(result.log.contains("only the chain itself tells of reads"), "{}", result.log);
    assert!(raw(&hospital.ward.net, &contract, b"got").is_empty());
}

#[test]
fn a_dear_job_behind_a_thousand_that_nobody_can_read_is_done_in_two_blocks() {
    let mut hospital = Hospital::with(4, |_| {}, |terms| terms.uses = 2_000);
    let (_, cheap) = model();
    let price = Price { amount: cheap.price.amount + 1, ..cheap.price.clone() };
    let dear = Manifest { name: "dear".into(), price, ..cheap };
    let register = MsgRegisterModel { author: author().address(), manifest: dear.encode() };
    hospital.net().ok(&author(), vec![ours(&register)]);
    // A record whose file nobody has.
    let kept = Kept::new(&alice(), 2);
    hospital.net().ok(&alice(), vec![ours(&kept.register(&[cid(2)]))]);
    let grant = hospital.grant_of(&kept, 2, 2, &[&bob(), &carol(), &dave(), &erin()]);
    hospital.net().ok(&alice(), vec![grant]);
    hospital.unreadable.insert(cid(2).parse().unwrap());
    let asking = MsgRequestRead { image: cid(2), grant: 2, ..hospital.asking_bits() };
    for _ in 0..11 {
        let mut draft = hospital.ward.net.draft(&[&eve()], vec![ours(&asking); 100]);
        draft.gas = 190_000_000;
        let done = hospital.block(vec![draft.sign()]);
        assert!(done.tx_results[0].code.is_ok(), "{}", done.tx_results[0].log);
    }
    assert_eq!(hospital.open_jobs(&hospital.seats[0]).len(), 1_100);
    let asking = MsgRequestRead { model: dear.id().as_bytes().into(), ..hospital.asking() };
    let job = hospital.ask(&asking);
    // Every member is told of all, and which of them pays best.
    for seat in &hospital.seats {
        let open = hospital.open_jobs(seat);
        assert_eq!((open.len(), open.iter().max_by_key(|open| open.fee).unwrap().job), (1_101, job));
    }
    hospital.block(vec![]);
    let row = hospital.job(job);
    assert_eq!((row.status(), row.closed, hospital.opened() > 0), (JobStatus::Done, hospital.ward.net.height, true));
}

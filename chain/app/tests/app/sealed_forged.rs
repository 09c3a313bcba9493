//! Items that a proposer has changed, votes that somebody has, and proposers that leave things out.

use aceso_types::{
    ElementType, Tensor,
    msg::{Conflict, Extension, JobOutcome, MsgAttest, MsgRequestRead, RootSigned, Share},
    query::JobStatus,
    sealed::{Disclosure, Failure, Input, Outcome, Statement},
};
use bytes::Bytes;
use prost::Message;
use tendermint::v0_38::abci::response::ProcessProposal;

use crate::{
    fixture::{alice, ours},
    hospital::{Hospital, eve, framed, item, usual},
};

/// A hospital with one job, and what is proposed about it.
fn proposed() -> (Hospital, MsgAttest) {
    let mut hospital = Hospital::open(4);
    let asking = hospital.asking();
    hospital.ask(&asking);
    let item = item(&hospital.propose(vec![]));
    (hospital, item)
}

fn review(hospital: &Hospital, attest: &MsgAttest) -> ProcessProposal {
    hospital.ward.net.review(&[framed(attest)])
}

fn with(attest: &MsgAttest, change: impl FnOnce(&mut JobOutcome)) -> MsgAttest {
    let mut other = attest.clone();
    change(&mut other.outcomes[0]);
    other
}

fn open(input: Input, value: u8) -> Outcome {
    Outcome::Open { input, outputs: vec![Tensor::new(ElementType::U8, vec![1, 1], vec![value]).unwrap()] }
}

#[test]
fn every_field_of_an_outcome_is_signed() {
    let (hospital, attest) = proposed();
    assert_eq!(review(&hospital, &attest), ProcessProposal::Accept);
    let Outcome::Open { input, .. } = Outcome::decode(&attest.outcomes[0].outcome).unwrap() else { panic!() };
    let others = [
        open(input, 101),
        open(Input { vouched: true, ..input }, 100),
        open(Input { claim: Default::default(), ..input }, 100),
        Outcome::Failed(Failure::Key),
        usual(&Disclosure::Sealed),
        usual(&Disclosure::Predicate(vec!["pneumonia".into()])),
        Outcome::Open { input, outputs: vec![] },
    ];
    for other in &others {
        let forged = with(&attest, |said| said.outcome = other.encode());
        assert_eq!(review(&hospital, &forged), ProcessProposal::Reject, "{other:?}");
    }
    let forged: Vec<MsgAttest> = vec![
        with(&attest, |said| said.job = 2),
        with(&attest, |said| said.job = 0),
        with(&attest, |said| said.outcome.push(0)),
        with(&attest, |said| said.outcome.clear()),
        with(&attest, |said| said.signers = vec![0b0111]),
        with(&attest, |said| said.signers = vec![0b0011]),
        with(&attest, |said| said.signers = vec![0b1_1111]),
        with(&attest, |said| said.signers = vec![]),
        with(&attest, |said| said.signers.push(0)),
        with(&attest, |said| said.signature[40] ^= 1),
        with(&attest, |said| said.signature = vec![0; 96]),
        with(&attest, |said| said.signature = [&[0xc0][..], &[0; 95]].concat()),
        with(&attest, |said| said.signature.truncate(95)),
        MsgAttest { outcomes: vec![attest.outcomes[0].clone(); 2], ..attest.clone() },
        MsgAttest { outcomes: vec![attest.outcomes[0].clone(); 200], ..attest.clone() },
        MsgAttest::default(),
    ];
    for (number, forged) in forged.iter().enumerate() {
        assert_eq!(review(&hospital, forged), ProcessProposal::Reject, "{number}");
    }
    // Every bit of the signed bytes, too.
    let outcome = &attest.outcomes[0].outcome;
    for at in 0..outcome.len() {
        let forged = with(&attest, |said| said.outcome[at] ^= 1);
        assert_eq!(review(&hospital, &forged), ProcessProposal::Reject, "byte {at}");
    }
}

#[test]
fn two_jobs_cannot_lend_each_other_signatures() {
    let mut hospital = Hospital::open(4);
    let asking = hospital.asking();
    hospital.ask(&asking);
    hospital.ask(&asking);
    let attest = item(&hospital.propose(vec![]));
    assert_eq!((attest.outcomes.len(), review(&hospital, &attest)), (2, ProcessProposal::Accept));
    let mut swapped = attest.clone();
    let first = swapped.outcomes[0].signature.clone();
    swapped.outcomes[0].signature = std::mem::replace(&mut swapped.outcomes[1].signature, first);
    assert_eq!(review(&hospital, &swapped), ProcessProposal::Reject);
    let mut turned = attest.clone();
    turned.outcomes.reverse();
    assert_eq!(review(&hospital, &turned), ProcessProposal::Reject);
    // What was accepted once is not accepted again.
    hospital.decide(vec![framed(&attest)]);
    assert_eq!(review(&hospital, &attest), ProcessProposal::Reject);
}

#[test]
fn roots_and_conflicts_hold_or_the_block_does_not() {
    let (hospital, attest) = proposed();
    let share = |seat: usize, outcome: &Outcome| {
        let statement = Statement::decode(&hospital.job(1).statement).unwrap();
        hospital.seats[seat].share(&statement, outcome)
    };
    let place = |seat: usize| {
        let key = hospital.seats[seat].attest.public();
        u32::try_from(hospital.job(1).members.iter().position(|one| one.bls_key == key).unwrap()).unwrap()
    };
    let other = Outcome::Failed(Failure::Leaf);
    let conflict = |place, share: Share| Conflict { place, share: Some(share) };
    let with = |conflicts: Vec<Conflict>| MsgAttest { conflicts, ..attest.clone() };
    let good = conflict(place(1), share(1, &other));
    assert_eq!(review(&hospital, &with(vec![good.clone()])), ProcessProposal::Accept);
    let agreed = usual(&Disclosure::Open);
    for conflicts in [
        vec![good.clone(), good.clone()],
        vec![conflict(place(0), share(1, &other))],
        vec![conflict(place(1), share(1, &agreed))],
        vec![conflict(9, share(1, &other))],
        vec![conflict(place(1), Share { job: 7, ..share(1, &other) })],
        vec![Conflict { place: 0, share: None }],
        vec![good; 40],
    ] {
        assert_eq!(review(&hospital, &with(conflicts.clone())), ProcessProposal::Reject, "{conflicts:?}");
    }
    let root = RootSigned { number: 0, signers: vec![15], signature: attest.outcomes[0].signature.clone() };
    for number in [0, 1] {
        let forged = MsgAttest { roots: vec![RootSigned { number, ..root.clone() }], ..attest.clone() };
        assert_eq!(review(&hospital, &forged), ProcessProposal::Reject);
    }
}

#[test]
fn who_leaves_shares_out_only_delays() {
    let (mut hospital, attest) = proposed();
    hospital.decide(vec![]);
    assert_eq!(hospital.job(1).status(), JobStatus::Open);
    let later = item(&hospital.propose(vec![]));
    assert_eq!(later, attest);
    hospital.decide(vec![framed(&later)]);
    assert_eq!(hospital.job(1).status(), JobStatus::Done);
}

#[test]
fn a_bad_share_is_left_out_and_the_rest_is_enough() {
    let mut hospital = Hospital::open(4);
    let asking = hospital.asking();
    for _ in 0..3 {
        hospital.ask(&asking);
    }
    let spoil = |how: fn(&mut Share)| {
        move |at: usize, vote: Vec<u8>| -> Vec<u8> {
            let mut extension = Extension::decode(&vote[..]).unwrap();
            extension.shares.iter_mut().filter(|_| at == 2).for_each(how);
            extension.encode_to_vec()
        }
    };
    let spoils: [fn(&mut Share); 5] = [
        |share| share.signature[95] ^= 1,
        |share| share.signature = vec![],
        |share| share.signature = [&[0xc0][..], &[0; 95]].concat(),
        |share| share.outcome = vec![0xff],
        |share| share.job += 1_000,
    ];
    for how in spoils {
        let proposed = hospital.propose_after(vec![], spoil(how));
        let said = item(&proposed).outcomes;
        assert_eq!(said.len(), 3);
        assert!(said.iter().all(|one| one.signers[0].count_ones() == 3));
        assert_eq!(hospital.ward.net.review(&proposed), ProcessProposal::Accept);
    }
    // An extension that is too long, or none at all, says nothing.
    for whole in [vec![0; (64 << 10) + 1], vec![0xff; 100]] {
        let proposed = hospital.propose_after(vec![], |at, vote| if at == 2 { whole.clone() } else { vote });
        assert!(item(&proposed).outcomes.iter().all(|one| one.signers[0].count_ones() == 3));
    }
    // Two that say nothing good are too many.
    let silence = |at: usize, vote: Vec<u8>| if at > 1 { vec![] } else { vote };
    assert!(hospital.propose_after(vec![], silence).is_empty());
}

#[test]
fn callbacks_are_declared_as_gas_and_no_more_are_taken_than_a_block_has() {
    let mut hospital = Hospital::with(1, |genesis| genesis.params.sealed_callback_gas_max = 200_000_000, |_| {});
    let contract = hospital.listener(crate::guests::NOTHING);
    for _ in 0..3 {
        let msg = MsgRequestRead { requester: contract.clone(), callback_gas: 90_000_000, ..hospital.asking() };
        let execute = hospital.executing(&contract, &msg);
        let mut draft = hospital.ward.net.draft(&[&eve()], vec![execute]);
        draft.gas = 100_000_000;
        let tx = draft.sign();
        let result = hospital.ward.net.deliver(tx);
        assert!(result.code.is_ok(), "{}", result.log);
    }
    let filler = hospital.ward.net.draft(&[&alice()], vec![ours(&hospital_send())]);
    let filler = crate::fixture::Draft { gas: 30_000_000, ..filler }.sign();
    let proposed = hospital.propose(vec![filler.clone()]);
    // 180 of 200 million are for two of them, and nothing is left for a transaction of 30.
    assert_eq!((item(&proposed).outcomes.len(), proposed.len()), (2, 1));
    let crowded: Vec<Bytes> = proposed.iter().cloned().chain([filler.into()]).collect();
    assert_eq!(hospital.ward.net.review(&crowded), ProcessProposal::Reject);
    hospital.decide(proposed);
    assert_eq!(item(&hospital.propose(vec![])).outcomes.len(), 1);
}

fn hospital_send() -> aceso_types::msg::MsgRevokeGrant {
    aceso_types::msg::MsgRevokeGrant { sender: alice().address(), granter: alice().address(), grant: 9 }
}

//! Proposals, replays and restarts.

use std::sync::Arc;

use aceso_app::{App, AppError, Config};
use aceso_blobs::{BlobStore, Options};
use aceso_types::{
    genesis::Coin,
    msg::{Availability, MsgAttest, Named},
};
use bytes::Bytes;
use cosmos_sdk_proto::{
    Any,
    cosmos::tx::v1beta1::{TxBody, TxRaw},
};
use prost::Message;
use tendermint::v0_38::abci::response;

use crate::fixture::{Members, Net, alice, block_of, bob, coins, send};

fn transfers(net: &Net, count: u64) -> Vec<Bytes> {
    let mut draft = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]);
    let mut sign = |sequence| {
        draft.signers[0].2 = sequence;
        Bytes::from(draft.sign())
    };
    (0..count).map(&mut sign).collect()
}

#[test]
fn the_same_blocks_give_the_same_hashes() {
    let (mut one, mut two) = (Net::start(), Net::start());
    let txs = transfers(&one, 5);
    let (first, second) = (one.finalize(txs.clone()), two.finalize(txs));
    assert_eq!(first, second);
    assert!(first.tx_results.iter().all(|result| result.code.is_ok()));
}

#[test]
fn a_block_can_be_finalized_again_after_a_crash() {
    let mut net = Net::start();
    let txs = transfers(&net, 2);
    let first = net.finalize(txs.clone());
    let again = net.app.finalize_block(block_of(net.height, txs.clone())).unwrap();
    assert_eq!(first, again);
    // The process dies before Commit: the height is still the last one, and the block gives the same hash.
    let Net { app, blobs, height, dir, .. } = net;
    drop((app, blobs));
    let blobs = Arc::new(BlobStore::open(&dir.path().join("blobs"), Options::default()).unwrap());
    let app = App::open(Config::new(dir.path(), blobs, &Members)).unwrap();
    assert_eq!(app.info().last_block_height.value(), height - 1);
    assert_eq!(app.finalize_block(block_of(height, txs)).unwrap(), first);
    app.commit().unwrap();
    assert_eq!(app.info().last_block_height.value(), height);
    assert_eq!(app.info().last_block_app_hash, first.app_hash);
    assert_eq!(app.chain().unwrap().chain_id, "aceso-test");
}

#[test]
fn blocks_come_in_turn() {
    let mut net = Net::start();
    assert!(matches!(net.app.finalize_block(block_of(7, vec![])), Err(AppError::Height { got: 7, want: 2 })));
    assert!(matches!(net.app.commit(), Err(AppError::Order(_))));
    assert!(matches!(net.app.init_chain(net.genesis(|_| {})), Err(AppError::Started(_, 1))));
    net.block(vec![]);
}

#[test]
fn a_genesis_that_is_wrong_starts_no_chain() {
    let net = Net::start();
    let dir = tempfile::tempdir().unwrap();
    let blobs = Arc::new(BlobStore::open(&dir.path().join("blobs"), Options::default()).unwrap());
    let app = App::open(Config::new(dir.path(), blobs, &Members)).unwrap();
    let refused = |change: fn(&mut aceso_types::genesis::Genesis)| match app.init_chain(net.genesis(change)) {
        Err(AppError::Genesis(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(refused(|g| g.proof_spec = serde_json::Value::Null).contains("proof_spec"));
    assert!(refused(|g| g.attesters[0].possession[5] ^= 1).contains("signature is not valid"));
    assert!(refused(|g| g.attesters[0].consensus_key = vec![1; 32]).contains("is no validator"));
    assert!(refused(|g| g.balances[0].address = "x".into()).contains("balances"));
    assert!(refused(|g| g.balances[0].coins = vec![Coin { denom: "1".into(), amount: "1".into() }]).contains("denom"));
    assert!(app.chain().is_none());
    assert!(app.finalize_block(block_of(1, vec![])).is_err());
}

#[test]
fn a_proposal_is_refused_for_its_form_only() {
    let net = Net::start();
    let txs = transfers(&net, 2);
    assert_eq!(net.review(&txs), response::ProcessProposal::Accept);
    let twice = vec![txs[0].clone(), txs[0].clone()];
    assert_eq!(net.review(&twice), response::ProcessProposal::Reject);
    assert_eq!(net.review(&[Bytes::from_static(b"garbage")]), response::ProcessProposal::Reject);
    let mut greedy = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]);
    greedy.gas = 150_000_000;
    let first = Bytes::from(greedy.sign());
    greedy.memo = "another".into();
    let both = vec![first, Bytes::from(greedy.sign())];
    assert_eq!(net.review(&both), response::ProcessProposal::Reject);
    // A wrong signature is a result, not a reason.
    let mut unsigned = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]);
    unsigned.chain_id = "other".into();
    assert_eq!(net.review(&[unsigned.sign().into()]), response::ProcessProposal::Accept);
}

#[test]
fn what_does_not_fit_waits() {
    let net = Net::start();
    let mut greedy = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]);
    greedy.gas = 150_000_000;
    let first = greedy.sign();
    greedy.memo = "another".into();
    let second = greedy.sign();
    let small = net.draft(&[&bob()], vec![send(&bob(), &alice().address(), 1)]).sign();
    let proposed = net.propose(vec![first.clone(), second, first.clone(), b"garbage".to_vec(), small.clone()]);
    assert_eq!(proposed, vec![Bytes::from(first), Bytes::from(small)]);
}

#[test]
fn a_block_beyond_its_gas_refuses_the_rest() {
    let mut net = Net::start();
    let mut draft = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]);
    draft.gas = 199_990_000;
    draft.fee = coins(5_000_000);
    let big = draft.sign();
    draft.signers[0].2 = 1;
    let done = net.finalize(vec![big.into(), draft.sign().into()]);
    assert!(done.tx_results[0].code.is_ok());
    assert_eq!(done.tx_results[1].code.value(), 11);
    assert!(done.tx_results[1].log.contains("no block gas left"), "{}", done.tx_results[1].log);
}

#[test]
fn an_attestation_that_does_not_hold_is_no_block() {
    let mut net = Net::start();
    let item = |available: Vec<Availability>| {
        let any = Any {
            type_url: MsgAttest::TYPE_URL.into(),
            value: MsgAttest { available, ..MsgAttest::default() }.encode_to_vec(),
        };
        let body = TxBody { messages: vec![any], ..TxBody::default() };
        Bytes::from(TxRaw { body_bytes: body.encode_to_vec(), ..TxRaw::default() }.encode_to_vec())
    };
    let unknown = Availability {
        cid: "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e".into(),
        size: 1,
        expires: 9,
        signers: vec![1],
        signature: vec![0; 96],
    };
    for txs in [vec![item(vec![])], vec![item(vec![unknown.clone()])]] {
        assert_eq!(net.review(&txs), response::ProcessProposal::Reject);
    }
    let done = net.finalize(vec![item(vec![unknown])]);
    assert_eq!((done.tx_results[0].codespace.as_str(), done.tx_results[0].code.value()), ("aceso", 602));
}

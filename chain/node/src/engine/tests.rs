//! Chains of the small application: what a light client says about them, and what a crash leaves.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use tendermint::{
    Time,
    block::signed_header::SignedHeader,
    crypto::{default::signature, signature::Verifier as _},
};
use tendermint_light_client_verifier::{
    ProdVerifier, Verdict, Verifier,
    options::Options,
    types::{LightBlock, TrustThreshold, ValidatorSet},
};

use super::{EngineError, header, replay, store::Store};
use crate::{
    abci::consensus::Consensus,
    rpc::query_grammar::Query,
    testing::{Counter, Here, Rig},
};

fn light_block(store: &Store, height: u64) -> LightBlock {
    let stored = store.block(height).unwrap().unwrap();
    let commit = store.commit(height).unwrap().unwrap().plain();
    let set = |at| ValidatorSet::without_proposer(store.validators(at).unwrap().unwrap());
    LightBlock {
        signed_header: SignedHeader::new(stored.block.header, commit).unwrap(),
        validators: set(height),
        next_validators: set(height + 1),
        provider: "1111111111111111111111111111111111111111".parse().unwrap(),
    }
}

fn verify(trusted: &LightBlock, untrusted: &LightBlock) -> Verdict {
    let options = Options {
        trust_threshold: TrustThreshold::default(),
        trusting_period: Duration::from_secs(1 << 32),
        clock_drift: Duration::from_secs(5),
    };
    let (trusted, untrusted) = (trusted.as_trusted_state(), untrusted.as_untrusted_state());
    ProdVerifier::default().verify_update_header(untrusted, trusted, &options, Time::now())
}

#[test]
fn a_light_client_verifies_every_header() {
    let home = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(home.path(), Counter::default()).unwrap();
    for n in 0..4 {
        rig.block(&[&format!("a={n}"), &format!("b={n}")]).unwrap();
        rig.block(&[]).unwrap();
    }
    let store = &rig.node.store;
    assert_eq!(store.height(), 9);
    for trusted in 1..9 {
        for height in trusted + 1..=9 {
            let verdict = verify(&light_block(store, trusted), &light_block(store, height));
            assert!(matches!(verdict, Verdict::Success), "{trusted} → {height}: {verdict:?}");
        }
    }
    // The same verifier refuses a header of which anything was changed.
    let (trusted, good) = (light_block(store, 1), light_block(store, 3));
    let mut forged = good.clone();
    forged.signed_header.header.app_hash = vec![0; 32].try_into().unwrap();
    assert!(matches!(verify(&trusted, &forged), Verdict::Invalid(_)));
    let mut forged = good;
    forged.signed_header.commit.block_id.part_set_header = Default::default();
    assert!(matches!(verify(&trusted, &forged), Verdict::Invalid(_)));
}

#[test]
fn headers_commit_to_what_came_before() {
    let home = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(home.path(), Counter::default()).unwrap();
    rig.block(&["a=1"]).unwrap();
    rig.block(&["b=2"]).unwrap();
    let store = &rig.node.store;
    for height in 2..=3 {
        let (before, after) = (store.block(height - 1).unwrap().unwrap(), store.block(height).unwrap().unwrap());
        let results = store.results(height - 1).unwrap().unwrap();
        let header = after.block.header;
        assert_eq!(header.last_block_id, Some(before.id));
        assert_eq!(header.app_hash, results.app_hash);
        assert_eq!(header.last_results_hash, Some(header::results_hash(&results.tx_results)));
        assert_eq!(header.data_hash, Some(header::data_hash(&after.block.data)));
        assert_eq!(after.block.last_commit, Some(store.commit(height - 1).unwrap().unwrap().plain()));
        assert!(header.time > before.block.header.time);
    }
}

#[test]
fn extensions_are_signed() {
    let home = tempfile::tempdir().unwrap();
    let rig = Rig::start(home.path(), Counter::default()).unwrap();
    let vote = rig.node.store.commit(1).unwrap().unwrap().signatures.remove(0);
    assert_eq!(vote.extension, "here on test-1");
    // CanonicalVoteExtension by hand: extension, height and chain id; a round of 0 is left out.
    let mut signed = vec![0x0a, 14];
    signed.extend(b"here on test-1\x11\x01\0\0\0\0\0\0\0\x22\x06test-1");
    signed.insert(0, u8::try_from(signed.len()).unwrap());
    let verified = signature::Verifier::verify(rig.node.public, &signed, &vote.extension_signature.unwrap());
    assert!(verified.is_ok());
}

#[test]
fn a_crash_before_the_commit_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(home.path(), Counter::default()).unwrap();
    rig.block(&["a=1"]).unwrap();
    rig.app.dies_in_commit.store(true, Ordering::Relaxed);
    let died = rig.block(&["b=2"]);
    assert!(matches!(died, Err(EngineError::Application { stage: "Commit", height: 3, .. })));
    // The block is decided, but nobody has seen it: the application is at height 2.
    assert_eq!((rig.app.height(), rig.node.store.height()), (2, 2));
    assert_eq!(rig.node.store.tx(&header::tx_hash(b"b=2")).unwrap(), None);

    let disk = rig.app.disk.clone();
    drop(rig);
    let rig = Rig::start(home.path(), Counter::over(&disk)).unwrap();
    assert_eq!((rig.app.height(), rig.node.store.height()), (3, 3));
    assert_eq!(rig.node.store.tx(&header::tx_hash(b"b=2")).unwrap(), Some((3, 0)));
}

#[test]
fn a_new_state_is_built_from_the_blocks() {
    let home = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(home.path(), Counter::default()).unwrap();
    rig.block(&["a=1", "b=2"]).unwrap();
    rig.block(&["a=3"]).unwrap();
    let old = rig.app.disk.lock().unwrap().clone();
    drop(rig);
    let rig = Rig::start(home.path(), Counter::default()).unwrap();
    assert_eq!(*rig.app.disk.lock().unwrap(), old);
}

#[test]
fn a_state_of_another_home_is_refused() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut rig = Rig::start(home.path(), Counter::default()).unwrap();
    rig.block(&["a=1"]).unwrap();
    let disk = rig.app.disk.clone();
    let refused = Rig::start(other.path(), Counter::over(&disk)).err().unwrap();
    assert!(matches!(refused, EngineError::Ahead { app: 2, store: 0 }));

    // And blocks that give another state than they gave the first time.
    let mut short = Rig::start(other.path(), Counter::default()).unwrap();
    short.block(&["z=1"]).unwrap();
    let behind = short.app.disk.clone();
    drop((short, rig));
    let mut rig = Rig::start(home.path(), Counter::over(&disk)).unwrap();
    rig.block(&["c=1"]).unwrap();
    drop(rig);
    let refused = Rig::start(home.path(), Counter::over(&behind)).err().unwrap();
    assert!(matches!(refused, EngineError::Diverged { height: 3, .. }), "{refused}");
}

#[test]
fn two_engines_cannot_share_a_store() {
    let home = tempfile::tempdir().unwrap();
    let _rig = Rig::start(home.path(), Counter::default()).unwrap();
    let refused = Rig::start(home.path(), Counter::default()).err().unwrap();
    assert!(refused.to_string().contains("another node uses this home"), "{refused}");
}

#[test]
fn a_transaction_gets_its_block_and_an_empty_one_behind_it() {
    let home = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(home.path(), Counter::default()).unwrap();
    let running = rig.run();
    rig.node.mempool.add("a=1".into()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let found = loop {
        if let Some((height, _)) = rig.node.store.tx(&header::tx_hash(b"a=1")).unwrap()
            && rig.node.store.height() > height
        {
            break height;
        }
        assert!(Instant::now() < deadline, "no block came");
        std::thread::sleep(Duration::from_millis(1));
    };
    // Nothing else is made as long as nothing else happens.
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(rig.node.store.height(), (found + 1).max(2));
    rig.pulse.stop();
    assert!(running.join().unwrap().is_ok());
}

#[test]
fn empty_blocks_come_at_the_pace_that_is_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let every = Duration::from_millis(20);
    let mut rig = Rig::start_with(home.path(), Counter::default(), Some(every)).unwrap();
    let begun = Instant::now();
    let running = rig.run();
    while rig.node.store.height() < 7 {
        assert!(begun.elapsed() < Duration::from_secs(20), "height {}", rig.node.store.height());
        std::thread::sleep(Duration::from_millis(1));
    }
    // Blocks 1 and 2 come at once, then one each time.
    assert!(begun.elapsed() >= every * 4);
    rig.pulse.stop();
    running.join().unwrap().unwrap();
}

#[test]
fn replaying_gives_the_same_hashes_at_every_height() {
    let home = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(home.path(), Counter::default()).unwrap();
    for n in 0..5 {
        rig.block(&[&format!("k{n}={n}")]).unwrap();
    }
    let store = &rig.node.store;
    let app = std::sync::Arc::new(Counter::default());
    let consensus = Consensus::new(app, std::sync::Arc::new(Here));
    for height in 1..=store.height() {
        let results = replay::replay(&consensus, store, height).unwrap();
        assert_eq!(results.app_hash, store.results(height).unwrap().unwrap().app_hash);
        consensus.commit().unwrap();
    }
}

#[test]
fn heights_are_taken_out_whole() {
    let home = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(home.path(), Counter::default()).unwrap();
    for n in 2..=250 {
        rig.block(&[&format!("k{n}={n}")]).unwrap();
    }
    let store = &rig.node.store;
    let tx = |n: u64| store.tx(&header::tx_hash(format!("k{n}={n}").as_bytes())).unwrap();
    let found = |query: &str| store.search_txs(&Query::parse(query).unwrap()).unwrap().len();
    assert_eq!((store.decided().unwrap(), store.earliest().unwrap(), tx(250)), (250, 1, Some((250, 0))));
    let hash = store.decided_block(250).unwrap().unwrap().id.hash;

    assert_eq!((store.drop_latest().unwrap(), store.drop_latest().unwrap()), (249, 248));
    assert_eq!((store.decided().unwrap(), tx(250), tx(249), tx(248)), (248, None, None, Some((248, 0))));
    assert_eq!((found("pair.key = 'k250'"), found("pair.key = 'k248'")), (0, 1));
    assert_eq!(store.height_of(hash.as_bytes()).unwrap(), None);
    // What the next block needs is there, and nothing that the dropped ones said.
    assert!(store.validators(249).unwrap().is_some() && store.params(249).unwrap().is_some());
    assert!(store.validators(251).unwrap().is_none() && store.params(250).unwrap().is_none());

    // More heights than one transaction takes out.
    assert_eq!((store.drop_below(220).unwrap(), store.earliest().unwrap()), (220, 220));
    assert_eq!((tx(219), tx(220), found("tx.height < 220"), found("pair.key = 'k100'")), (None, Some((220, 0)), 0, 0));
    assert!(store.results(219).unwrap().is_none() && store.commit(219).unwrap().is_none());
    assert!(store.validators(219).unwrap().is_none() && store.validators(220).unwrap().is_some());
    assert_eq!((store.drop_below(100).unwrap(), store.drop_below(1_000).unwrap()), (220, 248));
    // One block stays whatever is asked for.
    assert_eq!(store.drop_latest().unwrap(), 248);
}

//! Validators: changed by the authority, heard of by the engine, checked with the table that signed; how they behave, and
//! what becomes of blobs that they attested.

use std::collections::{BTreeMap, BTreeSet};

use aceso_app::attest::{AttestKey, extension};
use aceso_types::{
    BlobId,
    genesis::{Genesis, Params},
    msg::{MsgRegisterAttester, MsgRegisterBlob, MsgSetValidator},
    query::{BlobStatus, MisbehaviorRow, QueryBlob, QueryValidator, QueryValidators, ValidatorRow},
};
use bytes::Bytes;
use cosmos_sdk_proto::Any;
use prost::Message;
use sha2::{Digest, Sha256};
use tendermint::{
    abci::types::{
        BlockSignatureInfo, CommitInfo, ExecTxResult, ExtendedCommitInfo, ExtendedVoteInfo, Misbehavior,
        MisbehaviorKind, Validator, VoteInfo,
    },
    block::BlockIdFlag,
    v0_38::abci::{request, response},
};

use crate::fixture::{CHAIN, Net, alice, block_of, bob, code, consensus_key, height, ours, told};

type Key = [u8; 32];

/// The validator that is not in the genesis.
const SECOND: Key = [0x22; 32];
const THIRD: Key = [0x33; 32];

/// What CometBFT does around the application: which set signs which height, and who attests with which key.
struct Engine {
    net: Net,
    sets: BTreeMap<u64, BTreeMap<Key, u64>>,
    /// Validator, first height → key, by the rule that a key holds from the height after its block on.
    keys: BTreeMap<Key, BTreeMap<u64, u8>>,
    absent: BTreeSet<Key>,
    /// Votes of the latest height.
    votes: Vec<(Key, Bytes)>,
    misbehavior: Vec<Misbehavior>,
}

fn address(key: &Key) -> [u8; 20] {
    Sha256::digest(key)[..20].try_into().unwrap()
}

fn attest_key(seed: u8) -> AttestKey {
    AttestKey::generate(&[seed; 32]).unwrap()
}

impl Engine {
    /// A chain of one validator of power 10 whose authority is alice.
    fn start(change: impl FnOnce(&mut Genesis)) -> Self {
        let net = Net::with(|genesis| {
            genesis.authority = alice().address();
            genesis.attesters[0].operator = alice().address();
            change(genesis);
        });
        let first = BTreeMap::from([(consensus_key(), 10)]);
        Self {
            sets: (1..4).map(|at| (at, first.clone())).collect(),
            keys: BTreeMap::from([(consensus_key(), BTreeMap::from([(1, 7)]))]),
            net,
            absent: BTreeSet::new(),
            votes: vec![],
            misbehavior: vec![],
        }
    }

    /// Votes of a height, with the key that its rule says.
    fn vote(&self, at: u64) -> Vec<(Key, Bytes)> {
        let one = |key: &Key| {
            let held = self.net.app.wanted_blobs().into_iter().filter(|blob| self.net.blobs.has(&blob.id).unwrap());
            let seed = self.keys.get(key).and_then(|keys| keys.range(..=at).next_back());
            let said = seed.map(|(_, seed)| extension(&attest_key(*seed), CHAIN, held, [], []).encode_to_vec());
            (*key, said.unwrap_or_default().into())
        };
        self.sets[&at].keys().map(one).collect()
    }

    fn commit(&self, at: u64) -> (Vec<VoteInfo>, Vec<ExtendedVoteInfo>) {
        let flag = |key: &Key| match self.absent.contains(key) {
            true => BlockSignatureInfo::Flag(BlockIdFlag::Absent),
            false => BlockSignatureInfo::Flag(BlockIdFlag::Commit),
        };
        let power = |key: &Key| u32::try_from(self.sets[&at][key]).unwrap().into();
        let plain = |(key, _): &(Key, Bytes)| VoteInfo {
            validator: Validator { address: address(key), power: power(key) },
            sig_info: flag(key),
        };
        let extended = |(key, vote_extension): &(Key, Bytes)| ExtendedVoteInfo {
            validator: Validator { address: address(key), power: power(key) },
            sig_info: flag(key),
            vote_extension: vote_extension.clone(),
            extension_signature: None,
        };
        (self.votes.iter().map(plain).collect(), self.votes.iter().map(extended).collect())
    }

    /// One block as CometBFT drives it. Updates sign from the height after the next on.
    fn block(&mut self, txs: Vec<Vec<u8>>) -> response::FinalizeBlock {
        let at = self.net.height + 1;
        let next_votes = self.vote(at);
        let (plain, extended) = self.commit(at - 1);
        let template = block_of(at, vec![]);
        let proposed = self.net.app.prepare_proposal(request::PrepareProposal {
            max_tx_bytes: 4 << 20,
            txs: txs.into_iter().map(Bytes::from).collect(),
            local_last_commit: Some(ExtendedCommitInfo { round: 0_u16.into(), votes: extended }),
            misbehavior: vec![],
            height: height(at),
            time: template.time,
            next_validators_hash: template.next_validators_hash,
            proposer_address: template.proposer_address,
        });
        assert_eq!(self.net.review(&proposed.txs), response::ProcessProposal::Accept);
        let mut request = block_of(at, proposed.txs);
        request.decided_last_commit = CommitInfo { round: 0_u16.into(), votes: plain };
        request.misbehavior = std::mem::take(&mut self.misbehavior);
        self.net.height = at;
        let done = self.net.app.finalize_block(request).unwrap();
        self.net.app.commit().unwrap();
        let mut later = self.sets[&(at + 1)].clone();
        for update in &done.validator_updates {
            let key: Key = update.pub_key.to_bytes().try_into().unwrap();
            match update.power.value() {
                0 => later.remove(&key),
                power => later.insert(key, power),
            };
        }
        self.sets.insert(at + 2, later);
        self.votes = next_votes;
        done
    }

    /// A block with one transaction of alice's; its result is the last one.
    fn run(&mut self, msgs: Vec<Any>) -> (ExecTxResult, response::FinalizeBlock) {
        let tx = self.net.draft(&[&alice()], msgs).sign();
        let done = self.block(vec![tx]);
        (done.tx_results.last().unwrap().clone(), done)
    }

    fn ok(&mut self, msgs: Vec<Any>) -> response::FinalizeBlock {
        let (result, done) = self.run(msgs);
        assert!(result.code.is_ok(), "{}", result.log);
        done
    }

    fn refused(&mut self, msg: Any) -> (String, u32) {
        let (result, done) = self.run(vec![msg]);
        assert!(done.validator_updates.is_empty());
        assert!(!result.code.is_ok());
        (code(&result).0.into(), code(&result).1)
    }

    fn register(&mut self, bytes: &[u8]) -> (BlobId, Any) {
        let id = self.net.put(bytes);
        let (owner, size) = (alice().address(), bytes.len() as u64);
        (id, ours(&MsgRegisterBlob { owner, cid: id.to_string(), size, term: 1_000 }))
    }

    fn status(&self, id: &BlobId) -> BlobStatus {
        self.net.ask(&QueryBlob { cid: id.to_string() }).status()
    }

    fn validator(&self, key: &Key) -> ValidatorRow {
        self.net.ask(&QueryValidator { validator: hex::encode(key) })
    }
}

fn set(key: Key, power: u64) -> MsgSetValidator {
    MsgSetValidator {
        authority: alice().address(),
        consensus_key: key.to_vec(),
        power,
        operator: alice().address(),
        name: "clinic".into(),
    }
}

fn attester(key: Key, seed: u8, epoch: u64) -> MsgRegisterAttester {
    let bls = attest_key(seed);
    MsgRegisterAttester {
        operator: alice().address(),
        consensus_key: key.to_vec(),
        bls_key: bls.public().to_vec(),
        epoch,
        possession: bls.possession(&key, epoch).to_vec(),
    }
}

fn attributes(events: &[tendermint::abci::Event], kind: &str) -> Vec<String> {
    let result = ExecTxResult { events: events.to_vec(), ..ExecTxResult::default() };
    told(&result).into_iter().filter(|line| line.split(' ').next() == Some(kind)).collect()
}

/// A blob is registered in every block, and each is attested by the votes of a height that comes after, whoever signs it
/// with whichever key: so in every block the table that checks is the one that signed.
#[test]
fn every_height_is_checked_with_the_table_that_signed_it() {
    let mut engine = Engine::start(|_| {});
    let mut blobs = Vec::new();
    for round in 0..14_u8 {
        let (id, register) = engine.register(&[round; 9]);
        blobs.push(id);
        let at = engine.net.height + 1;
        let mut msgs = vec![register];
        match round {
            // The newcomer holds most of the power, and attests with a key of its own.
            2 => {
                msgs.push(ours(&set(SECOND, 100)));
                msgs.push(ours(&attester(SECOND, 20, 0)));
                engine.keys.entry(SECOND).or_default().insert(at + 1, 20);
            }
            // It takes another key.
            6 => {
                msgs.push(ours(&attester(SECOND, 21, 1)));
                engine.keys.entry(SECOND).or_default().insert(at + 1, 21);
            }
            // It weighs nothing much any more, and then it goes.
            9 => msgs.push(ours(&set(SECOND, 1))),
            11 => msgs.push(ours(&set(SECOND, 0))),
            _ => {}
        }
        let done = engine.ok(msgs);
        let updates: Vec<u64> = done.validator_updates.iter().map(|one| one.power.value()).collect();
        assert_eq!(
            updates,
            match round {
                2 => vec![100],
                9 => vec![1],
                11 => vec![0],
                _ => vec![],
            }
        );
        // Registered in block h − 2, voted for in h − 1, attested in h. What the first says alone is not enough from the
        // moment that the second is decided, and the second has no vote before two heights later.
        let front = attributes(&done.tx_results[0].events, "blob_available");
        assert_eq!(front.is_empty(), round < 2 || round == 3 || round == 4, "round {round}");
    }
    for _ in 0..6 {
        engine.block(vec![]);
    }
    for id in blobs {
        assert_eq!(engine.status(&id), BlobStatus::Available, "{id}");
    }
    let signs: Vec<_> = (1..=16).map(|at| engine.sets[&at].get(&SECOND).copied().unwrap_or(0)).collect();
    assert_eq!(signs, [0, 0, 0, 0, 0, 100, 100, 100, 100, 100, 100, 100, 1, 1, 0, 0]);
}

#[test]
fn a_statement_of_too_few_is_no_block() {
    let mut engine = Engine::start(|_| {});
    engine.ok(vec![ours(&set(SECOND, 10)), ours(&attester(SECOND, 20, 0))]);
    engine.keys.entry(SECOND).or_default().insert(engine.net.height + 1, 20);
    engine.block(vec![]);
    engine.block(vec![]);
    let (id, register) = engine.register(b"held by one");
    engine.ok(vec![register]);
    engine.keys.remove(&SECOND);
    for _ in 0..3 {
        assert!(engine.block(vec![]).tx_results.is_empty());
    }
    assert_eq!(engine.status(&id), BlobStatus::Pending);
}

#[test]
fn a_blob_is_pending_again_in_the_block_that_takes_its_attesters_power() {
    let mut engine = Engine::start(|_| {});
    let (id, register) = engine.register(b"held by the first");
    engine.ok(vec![register]);
    for _ in 0..3 {
        engine.block(vec![]);
    }
    assert_eq!(engine.status(&id), BlobStatus::Available);
    // Half of the power is somebody's who has not said that it holds the blob.
    engine.keys.entry(SECOND).or_default().insert(engine.net.height + 2, 20);
    let done = engine.ok(vec![ours(&set(SECOND, 10)), ours(&attester(SECOND, 20, 0))]);
    assert_eq!(attributes(&done.events, "blob_pending"), [format!("blob_pending cid={id}")]);
    assert_eq!(engine.status(&id), BlobStatus::Pending);
    assert_eq!(engine.net.app.wanted_blobs().len(), 1);
    // Once it signs, both say so.
    let until = engine.net.height + 6;
    while engine.status(&id) != BlobStatus::Available {
        assert!(engine.net.height < until);
        engine.block(vec![]);
    }
    // The first one goes: what is left has attested everything, and holds it all.
    engine.ok(vec![ours(&set(consensus_key(), 0))]);
    assert_eq!(engine.status(&id), BlobStatus::Available);
    // One that comes back has not attested anything yet, though it has its key again.
    engine.ok(vec![ours(&set(consensus_key(), 10)), ours(&attester(consensus_key(), 7, 1))]);
    assert_eq!(engine.status(&id), BlobStatus::Pending);
}

#[test]
fn more_blobs_than_one_block_looks_at_are_pending_at_once() {
    let mut engine = Engine::start(|_| {});
    let mut blobs = Vec::new();
    for part in 0..3_u8 {
        let made: Vec<_> = (0..100_u8).map(|one| engine.register(&[part, one])).collect();
        let (ids, msgs): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        blobs.extend(ids);
        engine.ok(msgs);
    }
    for _ in 0..14 {
        engine.block(vec![]);
    }
    assert!(blobs.iter().all(|id| engine.status(id) == BlobStatus::Available));
    let done = engine.ok(vec![ours(&set(SECOND, 10))]);
    assert_eq!(attributes(&done.events, "blob_pending").len(), 256);
    assert!(engine.net.app.expects_blocks());
    assert!(blobs.iter().all(|id| engine.status(id) == BlobStatus::Pending));
    let done = engine.block(vec![]);
    assert_eq!(attributes(&done.events, "blob_pending").len(), 44);
    let done = engine.block(vec![]);
    assert!(attributes(&done.events, "blob_pending").is_empty());
}

#[test]
fn a_change_that_may_not_be_is_refused() {
    let mut engine = Engine::start(|genesis| genesis.params.power_share_max_bps = 10_000);
    let by_bob = |msg: Any, engine: &mut Engine| {
        let tx = engine.net.draft(&[&bob()], vec![msg]).sign();
        let result = engine.block(vec![tx]).tx_results.remove(0);
        (code(&result).0.to_string(), code(&result).1)
    };
    let stranger = MsgSetValidator { authority: bob().address(), ..set(SECOND, 1) };
    assert_eq!(by_bob(ours(&stranger), &mut engine), ("aceso".into(), 701));
    assert_eq!(engine.refused(ours(&set(SECOND, 0))), ("aceso".into(), 702));
    let short = MsgSetValidator { consensus_key: vec![1; 31], ..set(SECOND, 1) };
    assert_eq!(engine.refused(ours(&short)), ("aceso".into(), 703));
    let loud = MsgSetValidator { name: "x".repeat(65), ..set(SECOND, 1) };
    assert_eq!(engine.refused(ours(&loud)), ("aceso".into(), 703));
    let nowhere = MsgSetValidator { operator: "aceso1x".into(), ..set(SECOND, 1) };
    assert_eq!(engine.refused(ours(&nowhere)).0, "sdk");
    // The last one stays, and nobody gets more power than the engine can count.
    assert_eq!(engine.refused(ours(&set(consensus_key(), 0))), ("aceso".into(), 704));
    assert_eq!(engine.refused(ours(&set(SECOND, u64::MAX))), ("aceso".into(), 704));

    engine.ok(vec![ours(&set(SECOND, 5)), ours(&attester(SECOND, 20, 0))]);
    for (wrong, want) in [
        (attester(SECOND, 21, 0), 705),
        (attester(SECOND, 21, 2), 705),
        // A proof for another validator, a proof by another key, another one's key, and somebody who is no validator.
        (MsgRegisterAttester { possession: attester(THIRD, 21, 1).possession, ..attester(SECOND, 21, 1) }, 705),
        (MsgRegisterAttester { possession: attester(SECOND, 22, 1).possession, ..attester(SECOND, 21, 1) }, 705),
        (attester(SECOND, 7, 1), 705),
        (attester(THIRD, 21, 0), 702),
        (MsgRegisterAttester { bls_key: vec![], ..attester(SECOND, 21, 1) }, 705),
    ] {
        assert_eq!(engine.refused(ours(&wrong)), ("aceso".into(), want));
    }
    let stranger = MsgRegisterAttester { operator: bob().address(), ..attester(SECOND, 21, 1) };
    assert_eq!(by_bob(ours(&stranger), &mut engine), ("sdk".into(), 4));
    engine.ok(vec![ours(&attester(SECOND, 21, 1))]);
    assert_eq!(engine.validator(&SECOND).next_epoch, 2);
}

#[test]
fn misbehavior_is_recorded_once_and_cuts_power() {
    let mut engine = Engine::start(|genesis| genesis.params.misbehavior_power_cut_bps = 2_500);
    let proven = |kind, at| Misbehavior {
        kind,
        validator: Validator { address: address(&consensus_key()), power: 10_u32.into() },
        height: height(at),
        time: block_of(at, vec![]).time,
        total_voting_power: 10_u32.into(),
    };
    let double = proven(MisbehaviorKind::DuplicateVote, 1);
    engine.misbehavior = vec![double.clone()];
    let done = engine.block(vec![]);
    let name = hex::encode(consensus_key());
    assert_eq!(
        attributes(&done.events, "misbehavior"),
        [format!("misbehavior validator={name} kind=duplicate_vote height=1 power_cut=2")]
    );
    assert_eq!(done.validator_updates[0].power.value(), 8);
    // The same again, and one of somebody unknown: nothing. Another kind counts.
    let mut unknown = double.clone();
    unknown.validator.address = [9; 20];
    engine.misbehavior = vec![double, unknown];
    assert!(attributes(&engine.block(vec![]).events, "misbehavior").is_empty());
    engine.misbehavior = vec![proven(MisbehaviorKind::LightClientAttack, 2)];
    engine.block(vec![]);
    let row = engine.validator(&consensus_key());
    assert_eq!((row.power, row.misbehaviors), (6, 2));
    let first = MisbehaviorRow { kind: "duplicate_vote".into(), height: 1, seen: 2, power: 10, cut: 2 };
    assert_eq!(row.latest_misbehaviors[1], first);
    let by_address = QueryValidator { validator: row.address.clone() };
    assert_eq!(engine.net.ask(&by_address), row);
    assert_eq!(engine.net.ask(&QueryValidators { page: None }).total, 6);
}

#[test]
fn downtime_is_counted_in_a_window_and_cuts_power_if_it_shall() {
    let mut engine = Engine::start(|genesis| {
        let params = &mut genesis.params;
        *params =
            Params { downtime_window: 8, downtime_missed_max: 3, downtime_power_cut_bps: 5_000, ..params.clone() };
    });
    engine.ok(vec![ours(&set(SECOND, 4))]);
    engine.block(vec![]);
    engine.block(vec![]);
    engine.absent.insert(SECOND);
    for missed in 1..=3 {
        assert!(attributes(&engine.block(vec![]).events, "downtime").is_empty());
        assert_eq!(engine.validator(&SECOND).missed, missed);
    }
    engine.absent.clear();
    for _ in 0..8 {
        engine.block(vec![]);
    }
    assert_eq!(engine.validator(&SECOND).missed, 0);
    engine.absent.insert(SECOND);
    for _ in 0..3 {
        engine.block(vec![]);
    }
    let done = engine.block(vec![]);
    let name = hex::encode(SECOND);
    assert_eq!(
        attributes(&done.events, "downtime"),
        [format!("downtime validator={name} missed=4 window=8 power_cut=2")]
    );
    let row = engine.validator(&SECOND);
    assert_eq!((row.power, row.missed, row.downtimes, row.last_downtime), (2, 0, 1, engine.net.height));
    assert_eq!(engine.validator(&consensus_key()).downtimes, 0);
    // Removed, it is known still, and what it misses is counted no more.
    engine.ok(vec![ours(&set(SECOND, 0))]);
    engine.block(vec![]);
    let row = engine.validator(&SECOND);
    assert_eq!((row.power, row.signing_power, row.missed, row.name.as_str()), (0, 0, 0, "clinic"));
}

//! A chain in a few lines: receipts in a state of the chain's own kind, and headers signed by any validators.

use std::{collections::BTreeMap, sync::LazyLock};

use aceso_state::{Changes, Options, Proof, Store};
use aceso_types::{
    BlobId, Digest, Frame, Height, ModelId, PixelDigest, ReadId, Receipt, TxIndex,
    guest::{Answered, Score},
    receipt::{self, Committee, Consent, Disclosure, Outcome, committee_digest, state_key},
};
use aceso_verify::{Evidence, Trust, TrustedValidator};
use ed25519_consensus::SigningKey;
use prost::Message;
use tendermint::{
    AppHash, Hash, PublicKey, Signature, Time, account,
    block::{Commit, CommitSig, Header, Id, Round, header::Version, parts, signed_header::SignedHeader},
    validator::{Info, Set},
};
use tendermint_proto::v0_38::types as wire;

pub(crate) const CHAIN: &str = "clinic-1";
/// The height of the reads, and of the header that commits them.
pub(crate) const READ: u64 = 7;
pub(crate) const HEADER: u64 = 8;

/// A receipt.
pub(crate) fn receipt(read: u64) -> Receipt {
    Receipt {
        version: receipt::VERSION,
        chain_id: CHAIN.into(),
        height: Height(READ),
        tx: TxIndex(1),
        read: ReadId(read),
        reader: "aceso1reader".into(),
        model: ModelId(Digest([1; 32])),
        pipeline: Digest([2; 32]),
        image: BlobId::of_raw(b"image"),
        frame: Frame::FIRST,
        pixels: Some(PixelDigest(Digest([3; 32]))),
        consent: Some(Consent {
            guard: "aceso1guard".into(),
            grant: "1".into(),
            actor: "aceso1actor".into(),
            purpose: "TREAT".into(),
            r#use: 1,
        }),
        disclosure: Disclosure::Open,
        outcome: Outcome {
            digest: Digest([4; 32]),
            scores: vec![Score { label: "pneumonia".into(), value: -3, probability: 910_000 }],
            findings: vec![Answered { id: "pneumonia".into(), present: true }],
            readings: vec![],
        },
        sealed: None,
        committee: Committee { digest: committee_digest([(&[5_u8; 32][..], 10)]), power: 10, total: 10 },
    }
}

/// Rows of `reads` beside the receipts of reads 3 and 4: read 3's under a key that is not its own, one of a version
/// that is still to come, one of another chain.
pub(crate) const ELSEWHERE: u64 = 50;
pub(crate) const NEWER: u64 = 60;
pub(crate) const FOREIGN: u64 = 70;
/// A read that never was.
pub(crate) const NOBODYS: u64 = 5;

/// The state at the height of the reads: its root, and rows of `reads` with their proofs.
struct State {
    root: [u8; 32],
    proofs: BTreeMap<u64, Proof>,
}

static STATE: LazyLock<State> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), Options::new(&["bank", receipt::COMPONENT], 10)).unwrap();
    let mut changes = Changes::new();
    let rows = [
        (3, receipt(3)),
        (4, receipt(4)),
        (ELSEWHERE, receipt(3)),
        (NEWER, Receipt { version: 2, ..receipt(NEWER) }),
        (FOREIGN, Receipt { chain_id: "another-1".into(), ..receipt(FOREIGN) }),
    ];
    for (read, row) in &rows {
        changes.set(receipt::COMPONENT, state_key(ReadId(*read)).into_bytes(), row.encode()).unwrap();
    }
    for account in 0..20_u8 {
        changes.set("bank", vec![b'a', account], vec![account; 9]).unwrap();
    }
    store.commit(store.stage(READ, &changes).unwrap()).unwrap();
    let snapshot = store.snapshot();
    let prove = |read| snapshot.prove(receipt::COMPONENT, state_key(ReadId(read)).as_bytes()).unwrap();
    let reads = rows.iter().map(|(read, _)| *read).chain([NOBODYS]);
    State { root: snapshot.root(), proofs: reads.map(|read| (read, prove(read))).collect() }
});

/// A row of `reads` with its proofs.
pub(crate) fn prove(read: u64) -> Proof {
    STATE.proofs[&read].clone()
}

/// The key of a validator.
pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from([seed; 32])
}

fn info(&(seed, power): &(u8, u64)) -> Info {
    let key = PublicKey::from_ed25519_consensus(key(seed).verification_key());
    Info::new(key, power.try_into().unwrap())
}

/// How a validator votes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Vote {
    Commit,
    Nil,
    Absent,
    /// Signs for another chain.
    Elsewhere,
}

/// A header with its votes, before it is signed.
pub(crate) struct Draft {
    pub(crate) chain_id: String,
    pub(crate) height: u64,
    pub(crate) app_hash: Vec<u8>,
    /// Seed and power of each validator, and how it votes.
    pub(crate) votes: Vec<((u8, u64), Vote)>,
}

impl Default for Draft {
    /// The header that commits the state, signed by its only validator.
    fn default() -> Self {
        Self {
            chain_id: CHAIN.into(),
            height: HEADER,
            app_hash: STATE.root.to_vec(),
            votes: vec![((1, 10), Vote::Commit)],
        }
    }
}

impl Draft {
    /// Four validators of the same power.
    pub(crate) fn of_four(votes: [Vote; 4]) -> Self {
        let votes = (1..).zip(votes).map(|(seed, vote)| ((seed, 10), vote)).collect();
        Self { votes, ..Self::default() }
    }

    fn set(&self) -> Set {
        Set::without_proposer(self.votes.iter().map(|(validator, _)| info(validator)).collect())
    }

    /// Signed header and validators.
    pub(crate) fn sign(&self) -> (SignedHeader, Set) {
        let (set, time) = (self.set(), Time::from_unix_timestamp(1_800_000_000, 0).unwrap());
        let header = Header {
            version: Version { block: 11, app: 1 },
            chain_id: self.chain_id.parse().unwrap(),
            height: self.height.try_into().unwrap(),
            time,
            last_block_id: None,
            last_commit_hash: Some(Hash::Sha256([6; 32])),
            data_hash: Some(Hash::Sha256([7; 32])),
            validators_hash: set.hash(),
            next_validators_hash: set.hash(),
            consensus_hash: Hash::Sha256([8; 32]),
            app_hash: AppHash::try_from(self.app_hash.clone()).unwrap(),
            last_results_hash: Some(Hash::Sha256([9; 32])),
            evidence_hash: Some(Hash::Sha256([10; 32])),
            proposer_address: account::Id::new([11; 20]),
        };
        let part_set_header = parts::Header::new(1, Hash::Sha256([12; 32])).unwrap();
        let block_id = Id { hash: header.hash(), part_set_header };
        let signatures = set.validators().iter().map(|validator| self.vote(validator, block_id, time)).collect();
        let commit = Commit { height: header.height, round: Round::default(), block_id, signatures };
        (SignedHeader::new(header, commit).unwrap(), set)
    }

    fn vote(&self, validator: &Info, block_id: Id, timestamp: Time) -> CommitSig {
        let ((seed, _), vote) = self.votes.iter().find(|(one, _)| info(one).address == validator.address).unwrap();
        let signature = |block_id: Option<Id>, chain_id: &str| {
            let canonical = wire::CanonicalVote {
                r#type: wire::SignedMsgType::Precommit.into(),
                height: self.height.try_into().unwrap(),
                round: 0,
                block_id: block_id.map(Into::into),
                timestamp: Some(timestamp.into()),
                chain_id: chain_id.into(),
            };
            Signature::new(key(*seed).sign(&canonical.encode_length_delimited_to_vec()).to_bytes()).unwrap()
        };
        let validator_address = validator.address;
        let commit = |signature| CommitSig::BlockIdFlagCommit { validator_address, timestamp, signature };
        match vote {
            Vote::Commit => commit(signature(Some(block_id), &self.chain_id)),
            Vote::Elsewhere => commit(signature(Some(block_id), "another-1")),
            Vote::Nil => {
                CommitSig::BlockIdFlagNil { validator_address, timestamp, signature: signature(None, &self.chain_id) }
            }
            Vote::Absent => CommitSig::BlockIdFlagAbsent,
        }
    }

    /// The receipt file of a row of `reads`, under this header.
    pub(crate) fn evidence(&self, read: u64) -> Evidence {
        let (proof, (header, set)) = (prove(read), self.sign());
        Evidence {
            version: 1,
            receipt: proof.value.unwrap(),
            component_proof: proof.component.encode_to_vec(),
            app_proof: proof.app.encode_to_vec(),
            signed_header: wire::SignedHeader::from(header).encode_to_vec(),
            validators: wire::ValidatorSet::from(set).encode_to_vec(),
        }
    }

    /// Trust in its validators.
    pub(crate) fn trust(&self) -> Trust {
        let validators: Vec<(u8, u64)> = self.votes.iter().map(|(validator, _)| *validator).collect();
        trust(&validators)
    }
}

/// Trust in validators by seed and power.
pub(crate) fn trust(validators: &[(u8, u64)]) -> Trust {
    let trusted = |(seed, power): &(u8, u64)| TrustedValidator {
        public_key: hex::encode(key(*seed).verification_key().to_bytes()),
        power: *power,
    };
    Trust {
        chain_id: CHAIN.into(),
        validators: validators.iter().map(trusted).collect(),
        proof_spec: aceso_state::proof_spec(),
    }
}

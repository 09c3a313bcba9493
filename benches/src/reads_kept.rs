//! How much of all sealed studies does one validator keep? Simulated: 1,000 studies, each granted to a committee of 5 of 100
//! validators, and every validator asked with the rule that its node goes by ([`aceso_app::kept`]).
//!
//! Studies have the files and sizes of [`KINDS`], each size up to a half more or less. Committees are drawn evenly, and once more
//! unevenly: validator i with weight 1 / (i + 10), as large hospitals see more patients. What all keep alike is in the
//! figure: the rows of registrations and grants as they are encoded, and what a key costs on the disk (`bench state`). Run
//! with `cargo xtask bench reads`.

use std::collections::BTreeSet;

use aceso_app::kept;
use aceso_client::sealed::{Giving, register, register_reader};
use aceso_test_support::random::Random;
use aceso_types::{
    BlobId, Digest,
    msg::{MsgGrant, MsgRegisterSealed, SealedFile},
    query::{GrantRow, ReaderRow, RecordRow},
};
use aceso_verify::grant::{ContentPoint, SecretKey};
use anyhow::{Context, Result};
use prost::Message;
use serde_json::Value;

use crate::beside_must;

const VALIDATORS: usize = 100;
const STUDIES: usize = 1_000;
const COMMITTEE: usize = 5;
/// Hundredths of all bytes that a validator may keep.
const SHARE_MUST: f64 = 6.0;
/// Of 1,000 studies: what, how many, files of each, bytes of a file.
const KINDS: [(&str, usize, usize, u64); 6] = [
    ("radiographs", 400, 2, 8_000_000),
    ("CT", 200, 400, 525_000),
    ("MR", 150, 300, 260_000),
    ("ultrasound", 100, 30, 2_000_000),
    ("mammographies", 100, 4, 27_000_000),
    ("tables, ECGs, reports", 50, 1, 100_000),
];
/// Bytes that a key takes on the disk beside its value, with its nodes of the tree.
const KEY_BYTES: u64 = 536;
/// Seconds: when it is looked, and when grants end.
const NOW: u64 = 1_000;
const LATER: u64 = 2_000;

/// Runs the cases and hands out one JSON object for each.
pub(crate) fn run(mut emit: impl FnMut(Value)) -> Result<()> {
    let (record, grant) = rows()?;
    let even = |_: usize| 1.0;
    let uneven = |validator: usize| 1.0 / (validator + 10) as f64;
    let draws: [(&str, &dyn Fn(usize) -> f64); 2] = [("evenly", &even), ("unevenly", &uneven)];
    for (drawn, weight) in draws {
        let mut town = Town::new(&record, &grant, weight)?;
        let mut row = |case: String, ours: f64, unit: &str, must: Option<f64>| {
            emit(beside_must("reads", &case, ours, unit, must));
        };
        let (mean, most) = town.shares();
        if drawn == "evenly" {
            row(format!("all bytes of {STUDIES} sealed studies"), town.bytes as f64 / 1e9, "GB", None);
            row("of that in the state, at every validator".into(), town.state as f64 / 1e6, "MB", None);
        }
        row(format!("a validator of {VALIDATORS} keeps, committees drawn {drawn}, mean"), mean, "%", Some(SHARE_MUST));
        row(format!("the one that keeps most, committees drawn {drawn}"), most, "%", Some(SHARE_MUST));
        if drawn == "evenly" {
            // A tenth taken back, a fifth over, a tenth retired.
            town.end();
            row(
                "a validator keeps after four of ten grants or records have ended, mean".into(),
                town.shares().0,
                "%",
                None,
            );
        }
    }
    Ok(())
}

/// A network's records and grants.
struct Town {
    /// Each with its committee.
    studies: Vec<(RecordRow, GrantRow, Vec<usize>)>,
    /// Bytes of all sealed files, each once.
    bytes: u64,
    /// Bytes of the state about them.
    state: u64,
}

impl Town {
    fn new(record: &RecordRow, grant: &GrantRow, weight: &dyn Fn(usize) -> f64) -> Result<Self> {
        let mut draw = Draw(Random::new(7));
        let (mut studies, mut bytes, mut state) = (Vec::with_capacity(STUDIES), 0, 0);
        let kinds = KINDS.iter().flat_map(|kind| std::iter::repeat_n(kind, kind.1));
        for (number, (_, _, files, size)) in (1..).zip(kinds) {
            let file = |at: usize, draw: &mut Draw| {
                let name = Digest::sha3("file", &[&u64::to_be_bytes(number), &at.to_be_bytes()]);
                let size = size / 2 + draw.0.next() % size;
                SealedFile { cid: BlobId::of_raw(&name.0).to_string(), size, ..SealedFile::default() }
            };
            let files: Vec<SealedFile> = (0..*files).map(|at| file(at, &mut draw)).collect();
            bytes += files.iter().map(|file| file.size).sum::<u64>();
            let record = RecordRow { record: number, files, ..record.clone() };
            let mut grant = grant.clone();
            grant.grant.as_mut().context("a grant")?.record = number;
            // Record and owner's list, each file's owner, the grant and its two lists.
            let keys = 2 + record.files.len() + 2 + COMMITTEE;
            state += (record.encoded_len() + grant.encoded_len()) as u64 + keys as u64 * KEY_BYTES;
            studies.push((record, grant, draw.committee(weight)));
        }
        Ok(Self { studies, bytes: bytes + state, state })
    }

    /// What a validator keeps in hundredths of all bytes: the mean and the most.
    fn shares(&self) -> (f64, f64) {
        let of = |validator: usize| {
            let mine = self.studies.iter().filter(|(_, _, committee)| committee.contains(&validator));
            let files: BTreeSet<(BlobId, u64)> = mine.flat_map(|(record, grant, _)| kept(grant, record, NOW)).collect();
            let bytes = self.state + files.iter().map(|(_, size)| size).sum::<u64>();
            100.0 * bytes as f64 / self.bytes as f64
        };
        let shares: Vec<f64> = (0..VALIDATORS).map(of).collect();
        (shares.iter().sum::<f64>() / VALIDATORS as f64, shares.iter().copied().fold(0.0, f64::max))
    }

    /// Lets grants and records end.
    fn end(&mut self) {
        for (number, (record, grant, _)) in self.studies.iter_mut().enumerate() {
            match (number % 10, &mut grant.grant) {
                (0, _) => grant.revoked = 1,
                (1 | 2, Some(grant)) => grant.expires = NOW,
                (3, _) => record.retired = 1,
                _ => {}
            }
        }
    }
}

/// A registration and a grant to a committee as the state has them, with files still to come.
fn rows() -> Result<(RecordRow, GrantRow)> {
    let (chain_id, owner) = ("clinic-1", "aceso1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq");
    let key = |number: u8| SecretKey::derive(&[number; 32], b"bench", b"kept");
    let (patient, content) = (key(0)?, ContentPoint::generate(&[1; 64]));
    let MsgRegisterSealed { registration, commitment, .. } =
        register(chain_id, owner, Vec::new(), &patient, &content, &[2; 64]);
    let record = RecordRow { owner: owner.into(), registration, commitment, ..RecordRow::default() };
    let member = |number: u8| -> Result<ReaderRow> {
        let msg = register_reader(chain_id, owner, number.into(), LATER, &key(number)?, &[3; 64]);
        Ok(ReaderRow { account: msg.account, epoch: msg.epoch, key: msg.key, expires: msg.expires })
    };
    let members: Vec<ReaderRow> = (1..=u8::try_from(COMMITTEE)?).map(member).collect::<Result<_>>()?;
    let terms = aceso_test_support::terms(&[owner]);
    let giving = Giving {
        chain_id,
        granter: owner,
        number: 1,
        record: &record,
        from: None,
        to: &members,
        committee: true,
        expires: LATER,
        terms: &terms,
    };
    let given: MsgGrant = giving.prove(&patient, [4; 16], &[5; 64])?;
    Ok((record, GrantRow { grant: Some(given), ..GrantRow::default() }))
}

/// Draws what differs between studies.
struct Draw(Random);

impl Draw {
    /// In [0, 1].
    fn unit(&mut self) -> f64 {
        self.0.next() as f64 / u64::MAX as f64
    }

    /// Different validators, each drawn by its weight.
    fn committee(&mut self, weight: &dyn Fn(usize) -> f64) -> Vec<usize> {
        let mut members = Vec::with_capacity(COMMITTEE);
        while members.len() < COMMITTEE {
            let free: Vec<usize> = (0..VALIDATORS).filter(|one| !members.contains(one)).collect();
            let mut left = self.unit() * free.iter().map(|one| weight(*one)).sum::<f64>();
            let drawn = free.iter().find(|one| {
                left -= weight(**one);
                left < 0.0
            });
            members.extend(drawn.or(free.last()).copied());
        }
        members
    }
}

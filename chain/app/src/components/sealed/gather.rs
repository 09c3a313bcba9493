//! What a proposer makes of shares: outcomes that more than two thirds of a committee have signed, signatures of roots,
//! and members' words against outcomes.
//!
//! Shares come from everywhere, so each counts only if it is of a member of an open job; whose signature is not good is
//! left out of everything else in the block. A proposer that gathers less only delays.

use std::collections::{BTreeMap, BTreeSet};

use aceso_types::{
    msg::{Conflict, Extension, JobOutcome, MsgAttest, RootSigned, Share},
    query::{JobRow, MemberRow},
    sealed::{Outcome as Came, Statement},
    signers::{bits, is_enough},
};
use prost::Message;

use crate::{
    attest::{self, Signed},
    chain::Chain,
    components::{
        SEALED,
        sealed::{jobs, keys, outcomes, roots},
    },
    error::Outcome,
    store::{Part, Read, damaged, decode},
};

/// Submitted shares that are looked at: those of the oldest jobs.
const SUBMITTED_MAX: usize = 1_024;
/// Conflicts whose signature is looked at.
const LOOKED_AT_MAX: usize = 4 * outcomes::CONFLICTS_MAX;
/// Bytes of an outcome's frame, signature and number in an item, at most.
const FRAME: usize = 96 + 32;

/// The votes that count: number of the validator, and what it says.
pub(crate) type Votes = [(u32, Extension)];

/// Adds what the votes say of sealed reads to an item, in no more than so many bytes. Answers the gas that it declares.
pub(crate) fn gather(
    state: &mut impl Read,
    chain: &Chain,
    height: u64,
    votes: &Votes,
    bytes_max: u64,
    attest: &mut MsgAttest,
) -> Outcome<u64> {
    let mut shares: BTreeMap<u64, BTreeMap<u32, Share>> = BTreeMap::new();
    for (number, extension) in votes {
        for share in &extension.shares {
            shares.entry(share.job).or_default().entry(*number).or_insert_with(|| share.clone());
        }
    }
    let submitted = submitted(state)?;
    let jobs: BTreeSet<u64> = shares.keys().chain(submitted.keys()).copied().collect();
    let (mut groups, mut against) = (Vec::new(), Vec::new());
    let mut bound = Bound::new(chain, bytes_max);
    for job in jobs {
        let voted = shares.remove(&job).unwrap_or_default();
        if let Some((row, statement)) = outcomes::closable(state, chain, height, job)? {
            let words = words(&row, voted, submitted.get(&job));
            if let Some(group) = Group::of(row, statement, words)
                && bound.admits(&group)
            {
                groups.push(group);
            }
        } else if against.len() < outcomes::CONFLICTS_MAX
            && let Some(row) = jobs::get(state, job)?.filter(|row| outcomes::is_recent(row, height))
        {
            against.extend(differing(state, &row, voted)?);
        }
    }
    let (mut liars, mut gas) = (BTreeSet::new(), 0_u64);
    for group in good(groups, &mut liars) {
        let callback_gas = group.row.callback_gas;
        let Some((said, others)) = group.finish() else { continue };
        gas = gas.saturating_add(callback_gas);
        attest.outcomes.push(said);
        against.extend(others);
    }
    against.sort_by_key(|(conflict, _)| (conflict.share.as_ref().map(|share| share.job), conflict.place));
    for (conflict, signed) in against.into_iter().take(LOOKED_AT_MAX) {
        let room = attest.conflicts.len() < outcomes::CONFLICTS_MAX && bound.has_bytes(conflict.encoded_len());
        if room && attest::check_all(&[signed]).is_ok() {
            attest.conflicts.push(conflict);
        }
    }
    attest.roots = signed_roots(state, votes)?;
    Ok(gas)
}

/// What members that have left submitted, by job and place.
fn submitted(state: &mut impl Read) -> Outcome<BTreeMap<u64, BTreeMap<u32, Share>>> {
    let mut all: BTreeMap<u64, BTreeMap<u32, Share>> = BTreeMap::new();
    for (key, row) in state.page(SEALED, &Part::first(keys::all_shares(), SUBMITTED_MAX))? {
        let place = keys::job_of(&key).and_then(|place| u32::try_from(place).ok());
        let (Some(job), Some(place)) = (keys::second_of(&key), place) else {
            return Err(damaged(SEALED, &key).into());
        };
        all.entry(job).or_default().insert(place, decode(SEALED, &key, &row)?);
    }
    Ok(all)
}

/// The members' words on a job by place: what a vote says goes before what was submitted.
fn words(row: &JobRow, voted: BTreeMap<u32, Share>, submitted: Option<&BTreeMap<u32, Share>>) -> BTreeMap<u32, Share> {
    let mut words = submitted.cloned().unwrap_or_default();
    for (place, member) in (0..).zip(&row.members) {
        words.extend(voted.get(&member.number).map(|share| (place, share.clone())));
    }
    words
}

/// How much of a block outcomes may take.
struct Bound {
    count: u64,
    gas: u64,
    bytes: u64,
}

impl Bound {
    fn new(chain: &Chain, bytes: u64) -> Self {
        Self { count: chain.params.sealed_closed_max, gas: chain.block_gas.unwrap_or(u64::MAX), bytes }
    }

    /// Takes the job in if there is room for it.
    fn admits(&mut self, group: &Group) -> bool {
        let bytes = (group.bytes.len() + group.row.members.len().div_ceil(8) + FRAME) as u64;
        let left =
            (self.count.checked_sub(1), self.gas.checked_sub(group.row.callback_gas), self.bytes.checked_sub(bytes));
        let (Some(count), Some(gas), Some(bytes)) = left else { return false };
        *self = Self { count, gas, bytes };
        true
    }

    /// Takes bytes and their frame if there is room for them.
    fn has_bytes(&mut self, bytes: usize) -> bool {
        let left = self.bytes.checked_sub((bytes + FRAME) as u64);
        self.bytes = left.unwrap_or(self.bytes);
        left.is_some()
    }
}

/// Members of a job that say the same, and those that say something else.
struct Group {
    row: JobRow,
    statement: Statement,
    outcome: Came,
    bytes: Vec<u8>,
    /// Signatures by place.
    signatures: BTreeMap<u32, Vec<u8>>,
    others: BTreeMap<u32, Share>,
}

impl Group {
    /// The outcome for which there is enough power, if the signatures are good.
    fn of(row: JobRow, statement: Statement, words: BTreeMap<u32, Share>) -> Option<Self> {
        let mut powers: BTreeMap<&[u8], u64> = BTreeMap::new();
        for (place, share) in &words {
            let power = member(&row, *place).map_or(0, |one| one.power);
            *powers.entry(&share.outcome).or_default() += power;
        }
        let bytes = powers.into_iter().find(|(_, power)| jobs::is_enough(&row, *power))?.0.to_vec();
        let outcome = Came::decode(&bytes).ok().filter(|outcome| outcomes::is_answer(&row, &statement, outcome))?;
        let (same, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            words.into_iter().partition(|(_, share)| share.outcome == bytes);
        let signatures = same.into_iter().map(|(place, share)| (place, share.signature)).collect();
        Some(Self { row, statement, outcome, bytes, signatures, others })
    }

    fn signed(&self, places: impl Iterator<Item = u32>) -> Option<Signed> {
        let places: Vec<u32> = places.collect();
        let members: Vec<&MemberRow> = places.iter().filter_map(|place| member(&self.row, *place)).collect();
        let signatures: Vec<Vec<u8>> = places.iter().filter_map(|place| self.signatures.get(place)).cloned().collect();
        let signature = attest::add_up(&signatures).ok()?.to_vec();
        let keys = members.into_iter().map(|one| one.bls_key.clone()).collect();
        Some(Signed { keys, message: self.statement.sign_bytes(&self.outcome), signature })
    }

    fn all(&self) -> Option<Signed> {
        self.signed(self.signatures.keys().copied())
    }

    fn is_enough(&self) -> bool {
        let powers = self.signatures.keys().filter_map(|place| member(&self.row, *place)).map(|one| one.power);
        jobs::is_enough(&self.row, powers.sum())
    }

    /// Leaves validators out.
    fn without(&mut self, liars: &BTreeSet<u32>) {
        let row = &self.row;
        self.signatures.retain(|place, _| member(row, *place).is_some_and(|one| !liars.contains(&one.number)));
    }

    /// Finds out whose signature is not good.
    fn find_liars(&self, liars: &mut BTreeSet<u32>) {
        for place in self.signatures.keys() {
            let good = self.signed([*place].into_iter()).is_some_and(|one| attest::check_all(&[one]).is_ok());
            if let Some(member) = member(&self.row, *place).filter(|_| !good) {
                liars.insert(member.number);
            }
        }
    }

    /// The statement, and what others say against it.
    fn finish(self) -> Option<(JobOutcome, Vec<(Conflict, Signed)>)> {
        let signature = self.all()?.signature;
        let places = self.signatures.keys().filter_map(|place| usize::try_from(*place).ok());
        let signers = bits(places, self.row.members.len());
        let others =
            self.others.into_iter().filter_map(|(place, share)| conflict(&self.row, &self.statement, place, share));
        let others = others.collect();
        Some((JobOutcome { job: self.row.job, outcome: self.bytes, signers, signature }, others))
    }
}

fn member(row: &JobRow, place: u32) -> Option<&MemberRow> {
    row.members.get(usize::try_from(place).ok()?)
}

/// The groups whose signatures are good, found with one product of pairings where all are.
fn good(groups: Vec<Group>, liars: &mut BTreeSet<u32>) -> Vec<Group> {
    let all: Option<Vec<Signed>> = groups.iter().map(Group::all).collect();
    if all.is_some_and(|all| attest::check_all(&all).is_ok()) {
        return groups;
    }
    let mut good = Vec::with_capacity(groups.len());
    for mut group in groups {
        group.without(liars);
        let holds = |group: &Group| group.all().is_some_and(|all| attest::check_all(&[all]).is_ok());
        if group.is_enough() && !holds(&group) {
            group.find_liars(liars);
            group.without(liars);
        }
        if group.is_enough() && holds(&group) {
            good.push(group);
        }
    }
    good
}

/// A member's word against an outcome, if it is the word on an outcome at all.
fn conflict(row: &JobRow, statement: &Statement, place: u32, share: Share) -> Option<(Conflict, Signed)> {
    let outcome = Came::decode(&share.outcome).ok()?;
    let keys = vec![member(row, place)?.bls_key.clone()];
    let signed = Signed { keys, message: statement.sign_bytes(&outcome), signature: share.signature.clone() };
    Some((Conflict { place, share: Some(share) }, signed))
}

/// What votes say against the outcome of a job that has one.
fn differing(state: &mut impl Read, row: &JobRow, mut voted: BTreeMap<u32, Share>) -> Outcome<Vec<(Conflict, Signed)>> {
    let agreed = row.outcome.as_ref().map(|said| said.outcome.clone()).unwrap_or_default();
    let statement = jobs::statement(row)?;
    let mut all = Vec::new();
    for (place, one) in (0..).zip(&row.members) {
        let differs = |share: &Share| share.outcome != agreed && !outcomes::is_true(row, &share.outcome);
        let Some(share) = voted.remove(&one.number).filter(differs) else { continue };
        if state.get(SEALED, &keys::wrong(row.job, place))?.is_none() {
            all.extend(conflict(row, &statement, place, share));
        }
    }
    Ok(all)
}

/// Roots that more than two thirds of the one before have signed.
fn signed_roots(state: &mut impl Read, votes: &Votes) -> Outcome<Vec<RootSigned>> {
    let mut all = Vec::new();
    for (root, before) in roots::unsigned(state)? {
        let mut signatures: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for (number, extension) in votes {
            let place = before.keys.iter().position(|one| one.number == *number);
            let word = extension.roots.iter().find(|word| word.number == root.number);
            let (Some(place), Some(word)) = (place, word) else { continue };
            let keys = before.keys.get(place).map(|one| one.key.clone()).into_iter().collect();
            let signed = Signed { keys, message: root.digest(), signature: word.signature.clone() };
            if attest::check_all(&[signed]).is_ok() {
                signatures.insert(place, word.signature.clone());
            }
        }
        let powers = signatures.keys().filter_map(|place| before.keys.get(*place)).map(|one| one.power);
        if !is_enough(powers.sum(), before.total) {
            continue;
        }
        let Ok(signature) = attest::add_up(&signatures.values().cloned().collect::<Vec<_>>()) else { continue };
        let signers = bits(signatures.keys().copied(), before.keys.len());
        all.push(RootSigned { number: root.number, signers, signature: signature.into() });
    }
    Ok(all)
}

/// Reads a vote's extension; none if it is none, or too long.
pub(crate) fn extension(bytes: &[u8]) -> Option<Extension> {
    if bytes.len() > attest::EXTENSION_BYTES_MAX {
        return None;
    }
    Extension::decode(bytes).ok()
}

//! A table of validators: who has which power.

use std::collections::{BTreeMap, BTreeSet};

use aceso_types::{
    Digest,
    receipt::{Committee, committee_digest},
    signers::is_enough,
};

use crate::{
    components::{
        VALIDATORS,
        validators::{keys, last_at, record},
    },
    error::Outcome,
    store::{Read, Write, damaged, decode},
};

/// One validator.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Validator {
    /// The consensus key, ed25519.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) key: Vec<u8>,
    /// The voting power.
    #[prost(uint64, tag = "2")]
    pub(crate) power: u64,
    /// The attestation key; empty for a validator that does not attest.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) bls_key: Vec<u8>,
    /// Its number, never given again.
    #[prost(uint32, tag = "4")]
    pub(crate) number: u32,
    /// How many attestation keys it had before this one.
    #[prost(uint64, tag = "5")]
    pub(crate) epoch: u64,
}

/// The whole table, sorted by consensus key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Table {
    #[prost(message, repeated, tag = "1")]
    pub(crate) members: Vec<Validator>,
}

impl Table {
    /// The power of all.
    pub(crate) fn total(&self) -> u64 {
        self.members.iter().map(|one| one.power).sum()
    }

    /// Who computes an open read: everyone.
    pub(crate) fn committee(&self) -> Committee {
        let digest: Digest = committee_digest(self.members.iter().map(|one| (one.key.as_slice(), one.power)));
        Committee { digest, power: self.total(), total: self.total() }
    }

    /// Whether a power is more than two thirds of all.
    pub(crate) fn is_enough(&self, power: u64) -> bool {
        is_enough(power, self.total())
    }

    /// Whether validators with these numbers hold more than two thirds.
    pub(crate) fn are_enough(&self, numbers: &[u32]) -> bool {
        let numbers: BTreeSet<u32> = numbers.iter().copied().collect();
        let theirs = self.members.iter().filter(|one| numbers.contains(&one.number));
        self.is_enough(theirs.map(|one| one.power).sum())
    }

    /// The slot of a validator by the address that CometBFT has for it.
    pub(crate) fn slot_of(&self, address: &[u8; 20]) -> Option<usize> {
        self.members.iter().position(|one| address_of(&one.key) == *address)
    }

    /// The validator with a consensus key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<&Validator> {
        self.members.iter().find(|one| one.key == key)
    }

    /// The same, to be changed.
    pub(super) fn find_mut(&mut self, key: &[u8]) -> Option<&mut Validator> {
        self.members.iter_mut().find(|one| one.key == key)
    }
}

/// The address that CometBFT has for a validator: the first 20 bytes of its key's SHA-256.
pub(super) fn address_of(key: &[u8]) -> [u8; 20] {
    use sha2::{Digest as _, Sha256};
    let hash: [u8; 32] = Sha256::digest(key).into();
    let mut address = [0; 20];
    address.copy_from_slice(&hash[..20]);
    address
}

/// The table as the authority has made it so far.
pub(crate) fn decided(state: &mut impl Read) -> Outcome<Table> {
    Ok(state.row(VALIDATORS, &keys::decided())?.unwrap_or_default())
}

/// Who operates the validators of a table, by their numbers; those whom nobody operates are left out.
pub(crate) fn operators(state: &mut impl Read, table: &Table) -> Outcome<BTreeMap<u32, String>> {
    let mut operators = BTreeMap::new();
    for member in &table.members {
        let known = record::get(state, &member.key)?.filter(|known| !known.operator.is_empty());
        operators.extend(known.map(|known| (member.number, known.operator)));
    }
    Ok(operators)
}

/// The table that signs a height: known for every height up to the second after the latest block. Empty before the
/// chain's first height.
pub(crate) fn signing(state: &mut impl Read, height: u64) -> Outcome<Table> {
    match last_at(state, keys::all_signing(), keys::signing(height))? {
        Some((key, row)) => decode(VALIDATORS, &key, &row),
        None => Ok(Table::default()),
    }
}

pub(super) fn put_decided(state: &mut impl Write, table: &Table) -> Outcome<()> {
    state.put(VALIDATORS, keys::decided(), table)
}

pub(super) fn put_signing(state: &mut impl Write, height: u64, table: &Table) -> Outcome<()> {
    state.put(VALIDATORS, keys::signing(height), table)
}

/// A number that no validator has had.
pub(super) fn next_number(state: &mut impl Write) -> Outcome<u32> {
    let number = state.count(VALIDATORS, keys::numbers())?;
    Ok(u32::try_from(number).map_err(|_| damaged(VALIDATORS, &keys::numbers()))?)
}

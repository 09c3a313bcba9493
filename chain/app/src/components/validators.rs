//! The validators: who may vote with which power, and with which key they attest.
//!
//! The table is sorted by consensus key, and its order is that of the bits in an attestation. It is written in genesis.

use aceso_types::{
    Digest,
    genesis::Attester,
    receipt::{Committee, committee_digest},
};

use crate::{
    attest,
    components::VALIDATORS,
    error::{AppError, Outcome},
    store::{Part, Read, Write},
};

/// Most validators that a table holds.
const TABLE_MAX: usize = 1_000;

/// Every key of the component. Renaming one is a state migration.
mod keys {
    /// `table/00007`: the validator in this slot.
    pub(super) fn slot(index: usize) -> Vec<u8> {
        format!("table/{index:05}").into_bytes()
    }

    /// `table/`
    pub(super) fn table() -> Vec<u8> {
        b"table/".to_vec()
    }

    #[test]
    fn keys_do_not_change() {
        assert_eq!((slot(7), table()), (b"table/00007".to_vec(), b"table/".to_vec()));
    }
}

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
}

/// The whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table(pub(crate) Vec<Validator>);

impl Table {
    pub(crate) fn load(state: &mut impl Read) -> Outcome<Self> {
        let rows = state.page(VALIDATORS, &Part::first(keys::table(), TABLE_MAX))?;
        let decoded = rows.iter().map(|(key, row)| crate::store::decode(VALIDATORS, key, row));
        Ok(Self(decoded.collect::<Outcome<_>>()?))
    }

    /// The power of all.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|one| one.power).sum()
    }

    /// Who computes an open read: everyone.
    pub(crate) fn committee(&self) -> Committee {
        let digest: Digest = committee_digest(self.0.iter().map(|one| (one.key.as_slice(), one.power)));
        Committee { digest, power: self.total(), total: self.total() }
    }

    /// Whether a power is more than two thirds of all.
    pub(crate) fn is_enough(&self, power: u64) -> bool {
        u128::from(power) * 3 > u128::from(self.total()) * 2
    }

    /// The slot of a validator by the address that CometBFT has for it: the first 20 bytes of its key's SHA-256.
    pub(crate) fn slot_of(&self, address: &[u8; 20]) -> Option<usize> {
        use sha2::{Digest as _, Sha256};
        self.0.iter().position(|one| Sha256::digest(&one.key).starts_with(address))
    }
}

/// Writes the table, once, in genesis. Every attestation key must come with the proof that its operator holds it.
pub(crate) fn found(state: &mut impl Write, powers: &[(Vec<u8>, u64)], attesters: &[Attester]) -> Outcome<()> {
    let refuse =
        |reason: String| AppError::from(aceso_types::genesis::GenesisError::Field { field: "attesters", reason });
    let mut table: Vec<Validator> =
        powers.iter().map(|(key, power)| Validator { key: key.clone(), power: *power, bls_key: Vec::new() }).collect();
    table.sort_by(|a, b| a.key.cmp(&b.key));
    if table.len() > TABLE_MAX {
        return Err(refuse(format!("there are {} validators, and at most {TABLE_MAX} fit", table.len())).into());
    }
    for attester in attesters {
        let name = hex::encode(&attester.consensus_key);
        let Some(slot) = table.iter_mut().find(|one| one.key == attester.consensus_key) else {
            return Err(refuse(format!("{name} is no validator")).into());
        };
        attest::check_possession(&attester.bls_key, &attester.consensus_key, 0, &attester.possession)
            .map_err(|e| refuse(format!("{name}: {e}")))?;
        slot.bls_key = attester.bls_key.clone();
    }
    for (index, row) in table.iter().enumerate() {
        state.put(VALIDATORS, keys::slot(index), row)?;
    }
    Ok(())
}

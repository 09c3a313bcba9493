//! Questions about validators and upgrades.

use alloc::{string::String, vec::Vec};

use super::{Asked, Page};

asked! {
    QueryValidators => "/aceso.validators.v1.Query/Validators", ValidatorRows;
    QueryValidator => "/aceso.validators.v1.Query/Validator", ValidatorRow;
    QueryUpgrade => "/aceso.validators.v1.Query/Upgrade", UpgradeRow;
}

/// All validators in the order of their consensus keys, also those that were removed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryValidators {
    /// Which part.
    #[prost(message, optional, tag = "1")]
    pub page: Option<Page>,
}

/// One validator.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryValidator {
    /// Its consensus key (64 hexadecimal digits) or its address (40).
    #[prost(string, tag = "1")]
    pub validator: String,
}

/// A validator as the state knows it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ValidatorRow {
    /// The consensus key, ed25519.
    #[prost(bytes = "vec", tag = "1")]
    pub consensus_key: Vec<u8>,
    /// The address that CometBFT has for it, 40 hexadecimal digits.
    #[prost(string, tag = "2")]
    pub address: String,
    /// The power as decided; 0 for one that was removed.
    #[prost(uint64, tag = "3")]
    pub power: u64,
    /// The power with which it signs the block after the one that is asked about.
    #[prost(uint64, tag = "4")]
    pub signing_power: u64,
    /// The account that may register its attestation keys.
    #[prost(string, tag = "5")]
    pub operator: String,
    /// A name for people.
    #[prost(string, tag = "6")]
    pub name: String,
    /// The attestation key; empty for a validator that does not attest.
    #[prost(bytes = "vec", tag = "7")]
    pub bls_key: Vec<u8>,
    /// The epoch that the next attestation key must have.
    #[prost(uint64, tag = "8")]
    pub next_epoch: u64,
    /// Votes that it missed in the latest blocks, those that are counted.
    #[prost(uint64, tag = "9")]
    pub missed: u64,
    /// How often it missed too many.
    #[prost(uint64, tag = "10")]
    pub downtimes: u64,
    /// Where it last did; 0 for never.
    #[prost(uint64, tag = "11")]
    pub last_downtime: u64,
    /// How often misbehavior was proven against it.
    #[prost(uint64, tag = "12")]
    pub misbehaviors: u64,
    /// The latest of them, newest first; in lists none.
    #[prost(message, repeated, tag = "13")]
    pub latest_misbehaviors: Vec<MisbehaviorRow>,
}

/// Misbehavior that was proven.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MisbehaviorRow {
    /// `duplicate_vote` or `light_client_attack`.
    #[prost(string, tag = "1")]
    pub kind: String,
    /// The height at which it happened.
    #[prost(uint64, tag = "2")]
    pub height: u64,
    /// The block that held the evidence.
    #[prost(uint64, tag = "3")]
    pub seen: u64,
    /// The validator's power at that height.
    #[prost(uint64, tag = "4")]
    pub power: u64,
    /// The power that it lost for it.
    #[prost(uint64, tag = "5")]
    pub cut: u64,
}

/// Validators.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ValidatorRows {
    /// The rows.
    #[prost(message, repeated, tag = "1")]
    pub rows: Vec<ValidatorRow>,
    /// What to ask after; empty at the end.
    #[prost(bytes = "vec", tag = "2")]
    pub next: Vec<u8>,
    /// The power of all, as decided.
    #[prost(uint64, tag = "3")]
    pub total: u64,
}

/// The upgrade that is scheduled, and those that are done.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct QueryUpgrade {}

/// Answer to [`QueryUpgrade`].
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct UpgradeRow {
    /// The upgrade that is scheduled; empty for none.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The first block by its rules.
    #[prost(uint64, tag = "2")]
    pub height: u64,
    /// For operators.
    #[prost(string, tag = "3")]
    pub info: String,
    /// Those that are done, by name; the first 200.
    #[prost(message, repeated, tag = "4")]
    pub done: Vec<UpgradeDone>,
}

/// An upgrade that is done.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct UpgradeDone {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The first block by its rules.
    #[prost(uint64, tag = "2")]
    pub height: u64,
}

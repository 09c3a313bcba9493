//! What is kept. Renaming a key is a migration.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, CosmosMsg, Empty};
use cw_storage_plus::{Item, Map, SnapshotMap, Strategy};
use cw_utils::{Duration, Expiration, Threshold};

use crate::{
    msg::{Status, Vote},
    tally::Votes,
};

/// The rules of proposals to come.
#[cw_serde]
pub struct Rules {
    /// When one has passed.
    pub threshold: Threshold,
    /// How long one is open at most.
    pub max_voting_period: Duration,
}

/// A proposal.
#[cw_serde]
pub struct Proposal {
    /// For people.
    pub title: String,
    /// For people.
    pub description: String,
    /// What the contract is to send.
    pub msgs: Vec<CosmosMsg<Empty>>,
    /// As it was written last; see [`crate::tally`] for where it stands.
    pub status: Status,
    /// When voting ends.
    pub expires: Expiration,
    /// When it has passed.
    pub threshold: Threshold,
    /// The weight of those who may vote.
    pub total_weight: u64,
    /// The state of [`VOTERS`] that says who may.
    pub members: u64,
    /// The votes so far.
    pub votes: Votes,
    /// Who made it.
    pub proposer: Addr,
}

/// A vote.
#[cw_serde]
pub struct Ballot {
    /// What.
    pub vote: Vote,
    /// How much it weighs.
    pub weight: u64,
}

/// The rules.
pub const RULES: Item<Rules> = Item::new("rules");

/// The weight of all members.
pub const TOTAL: Item<u64> = Item::new("total");

/// How often the members have changed. A change has the number that this becomes with it.
pub const CHANGES: Item<u64> = Item::new("changes");

/// Member → weight, now and before each change. "Height" is the number of a change, not of a block, so that a proposal
/// and a change in one block do not blur.
pub const VOTERS: SnapshotMap<&Addr, u64> =
    SnapshotMap::new("voters", "voters__checkpoints", "voters__changelog", Strategy::EveryBlock);

/// The number of the proposal that was made last.
pub const LAST: Item<u64> = Item::new("last");

/// Number → proposal. Never removed.
pub const PROPOSALS: Map<u64, Proposal> = Map::new("proposals");

/// Proposal, voter → vote.
pub const BALLOTS: Map<(u64, &Addr), Ballot> = Map::new("ballots");

/// Most members.
pub const VOTERS_MAX: usize = 200;

/// Most messages of a proposal.
pub const MSGS_MAX: usize = 32;

/// Most bytes of a proposal's messages, in JSON.
pub const MSGS_BYTES_MAX: usize = 64 * 1024;

/// Longest title in bytes.
pub const TITLE_MAX: usize = 140;

/// Longest description in bytes.
pub const DESCRIPTION_MAX: usize = 10_000;

/// Longest voting period, in blocks or in seconds: some thirty years.
pub const PERIOD_MAX: u64 = 1_000_000_000;

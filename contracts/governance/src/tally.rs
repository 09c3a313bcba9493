//! How votes are weighed: what a proposal needs, and where it stands.
//!
//! A proposal has passed as soon as no vote to come can stop it, and is rejected as soon as none can save it; where a
//! quorum decides, an end of voting counts only who took part. Nothing passes without a yes.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{BlockInfo, Decimal, Uint128};
use cw_utils::Threshold;

use crate::{
    msg::{Status, Vote},
    state::Proposal,
};

/// The weights of the votes so far.
#[cw_serde]
#[derive(Copy, Default, Eq)]
pub struct Votes {
    /// For it.
    pub yes: u64,
    /// Against it.
    pub no: u64,
    /// For neither.
    pub abstain: u64,
    /// Against it, loudly.
    pub veto: u64,
}

impl Votes {
    /// Adds a vote. Weights add up to the total at most, which is checked where members come in.
    pub fn add(&mut self, vote: Vote, weight: u64) {
        let sum = match vote {
            Vote::Yes => &mut self.yes,
            Vote::No => &mut self.no,
            Vote::Abstain => &mut self.abstain,
            Vote::Veto => &mut self.veto,
        };
        *sum = sum.saturating_add(weight);
    }

    /// The weight of all who took part.
    pub fn total(&self) -> u64 {
        self.yes.saturating_add(self.no).saturating_add(self.abstain).saturating_add(self.veto)
    }
}

/// Where a proposal stands at a block.
pub fn status(proposal: &Proposal, block: &BlockInfo) -> Status {
    if proposal.status != Status::Open {
        return proposal.status;
    }
    let over = proposal.expires.is_expired(block);
    let left = if over { 0 } else { proposal.total_weight.saturating_sub(proposal.votes.total()) };
    let mut worst = proposal.votes;
    worst.add(Vote::No, left);
    let mut best = proposal.votes;
    best.add(Vote::Yes, left);
    if reached(proposal, &worst) && quorum(proposal) {
        Status::Passed
    } else if over || !reached(proposal, &best) {
        Status::Rejected
    } else {
        Status::Open
    }
}

/// Whether these votes, if they were all, would be enough.
fn reached(proposal: &Proposal, votes: &Votes) -> bool {
    let total = proposal.total_weight;
    let needed = match proposal.threshold {
        Threshold::AbsoluteCount { weight } => weight,
        Threshold::AbsolutePercentage { percentage } => share(total.saturating_sub(votes.abstain), percentage),
        Threshold::ThresholdQuorum { threshold, .. } => share(votes.total().saturating_sub(votes.abstain), threshold),
    };
    votes.yes > 0 && votes.yes >= needed
}

/// Whether enough have taken part.
fn quorum(proposal: &Proposal) -> bool {
    match proposal.threshold {
        Threshold::ThresholdQuorum { quorum, .. } => proposal.votes.total() >= share(proposal.total_weight, quorum),
        _ => true,
    }
}

/// A share of a weight, rounded up. Shares are at most one, so it fits.
fn share(weight: u64, share: Decimal) -> u64 {
    let whole = Uint128::from(weight).mul_ceil(share);
    u64::try_from(whole.u128()).unwrap_or(u64::MAX)
}

//! What the contract is told and asked: the wire of cw3.

use cosmwasm_schema::{QueryResponses, cw_serde};
use cosmwasm_std::{Addr, CosmosMsg, Empty};
use cw_utils::{Duration, Expiration, Threshold, ThresholdResponse};

/// Sent once, by whoever sets the contract up.
#[cw_serde]
pub struct InstantiateMsg {
    /// The members; 1 to 200, each once.
    pub voters: Vec<Voter>,
    /// When a proposal has passed.
    pub threshold: Threshold,
    /// How long a proposal is open at most, in blocks or in seconds.
    pub max_voting_period: Duration,
}

/// A member and what its vote weighs.
#[cw_serde]
pub struct Voter {
    /// The member's account, or a contract.
    pub addr: String,
    /// At least 1.
    pub weight: u64,
}

/// Sent by the contract itself, with new code.
#[cw_serde]
pub struct MigrateMsg {}

/// What changes something. No message takes coins.
#[cw_serde]
pub enum ExecuteMsg {
    /// For members. Proposes messages, and votes yes. Answers the proposal's number as attribute `proposal_id`.
    Propose {
        /// For people; 1 to 140 bytes.
        title: String,
        /// For people; at most 10000 bytes.
        description: String,
        /// What the contract is to send; 1 to 32.
        msgs: Vec<CosmosMsg<Empty>>,
        /// When voting ends, not later than the rules say; as late as they say if left out.
        latest: Option<Expiration>,
    },
    /// For those who were members when the proposal was made. Each votes once, as long as voting is open.
    Vote {
        /// The proposal.
        proposal_id: u64,
        /// What the member thinks.
        vote: Vote,
    },
    /// For anybody. Sends the messages of a proposal that has passed; if one fails, nothing has happened.
    Execute {
        /// The proposal.
        proposal_id: u64,
    },
    /// For anybody. Notes that a proposal whose time is over did not pass.
    Close {
        /// The proposal.
        proposal_id: u64,
    },
    /// For the contract itself. Removes members, then adds some or gives them other weights. Proposals that are open go on
    /// with the members that they have.
    UpdateMembers {
        /// Who leaves.
        remove: Vec<String>,
        /// Who comes, or weighs something else.
        add: Vec<Voter>,
    },
    /// For the contract itself. Other rules for proposals to come.
    UpdateRules {
        /// When a proposal has passed.
        threshold: Threshold,
        /// How long one is open at most.
        max_voting_period: Duration,
    },
}

/// What a member thinks of a proposal.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum Vote {
    /// It shall be done.
    Yes,
    /// It shall not.
    No,
    /// Takes part, and counts for neither.
    Abstain,
    /// Counts as no.
    Veto,
}

/// Where a proposal stands.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum Status {
    /// Not here; part of the wire.
    Pending,
    /// It can be voted on, and nothing is settled.
    Open,
    /// It cannot pass any more.
    Rejected,
    /// It can be executed.
    Passed,
    /// It was.
    Executed,
}

/// What can be asked.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// The rules and the weight of all members, as a proposal made now would have them.
    #[returns(ThresholdResponse)]
    Threshold {},
    /// One proposal.
    #[returns(ProposalResponse)]
    Proposal {
        /// Its number.
        proposal_id: u64,
    },
    /// Proposals, oldest first.
    #[returns(ProposalListResponse)]
    ListProposals {
        /// Only those with a higher number.
        start_after: Option<u64>,
        /// How many; 30 if not said, at most 100.
        limit: Option<u32>,
    },
    /// Proposals, newest first.
    #[returns(ProposalListResponse)]
    ReverseProposals {
        /// Only those with a lower number.
        start_before: Option<u64>,
        /// How many; 30 if not said, at most 100.
        limit: Option<u32>,
    },
    /// How a member voted.
    #[returns(VoteResponse)]
    Vote {
        /// The proposal.
        proposal_id: u64,
        /// The member.
        voter: String,
    },
    /// All votes for a proposal, by address.
    #[returns(VoteListResponse)]
    ListVotes {
        /// The proposal.
        proposal_id: u64,
        /// Only voters behind this one.
        start_after: Option<String>,
        /// How many; 30 if not said, at most 100.
        limit: Option<u32>,
    },
    /// What a member weighs now.
    #[returns(VoterResponse)]
    Voter {
        /// The account.
        address: String,
    },
    /// All members, by address.
    #[returns(VoterListResponse)]
    ListVoters {
        /// Only members behind this one.
        start_after: Option<String>,
        /// How many; 30 if not said, at most 100.
        limit: Option<u32>,
    },
}

/// Answer to [`QueryMsg::Proposal`].
#[cw_serde]
pub struct ProposalResponse {
    /// Its number.
    pub id: u64,
    /// For people.
    pub title: String,
    /// For people.
    pub description: String,
    /// What the contract is to send.
    pub msgs: Vec<CosmosMsg<Empty>>,
    /// Where it stands at this block.
    pub status: Status,
    /// When voting ends.
    pub expires: Expiration,
    /// Its rules, and the weight of those who may vote on it.
    pub threshold: ThresholdResponse,
    /// Who made it.
    pub proposer: Addr,
    /// Nothing is to be deposited here.
    pub deposit: Option<Empty>,
}

/// Answer to [`QueryMsg::ListProposals`] and [`QueryMsg::ReverseProposals`].
#[cw_serde]
pub struct ProposalListResponse {
    /// The page.
    pub proposals: Vec<ProposalResponse>,
}

/// A vote.
#[cw_serde]
pub struct VoteInfo {
    /// The proposal.
    pub proposal_id: u64,
    /// Who.
    pub voter: String,
    /// What.
    pub vote: Vote,
    /// How much it weighs.
    pub weight: u64,
}

/// Answer to [`QueryMsg::Vote`].
#[cw_serde]
pub struct VoteResponse {
    /// None where the account has not voted.
    pub vote: Option<VoteInfo>,
}

/// Answer to [`QueryMsg::ListVotes`].
#[cw_serde]
pub struct VoteListResponse {
    /// The page.
    pub votes: Vec<VoteInfo>,
}

/// Answer to [`QueryMsg::Voter`].
#[cw_serde]
pub struct VoterResponse {
    /// None for an account that is no member.
    pub weight: Option<u64>,
}

/// Answer to [`QueryMsg::ListVoters`].
#[cw_serde]
pub struct VoterListResponse {
    /// The page.
    pub voters: Vec<Voter>,
}

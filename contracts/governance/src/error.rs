//! Why a message did nothing.

use cosmwasm_std::StdError;
use cw_utils::ThresholdError;

use crate::msg::Status;

/// Why a message did nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// Storage or JSON.
    #[error(transparent)]
    Std(#[from] StdError),
    /// Rules that no votes could keep, or any.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// A text that is not an address of this chain.
    #[error("{0:?} is not an address of this chain")]
    NotAnAddress(String),
    /// Coins came with the message.
    #[error("governance takes no coins")]
    Coins,
    /// The code of another contract is to be replaced.
    #[error("the stored contract is {stored}, not {expected}")]
    OtherContract {
        /// The name in the version record.
        stored: String,
        /// This contract's name.
        expected: &'static str,
    },
    /// Too few or too many of something.
    #[error("{got} {what}, not {min} to {max}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many there are at least.
        min: usize,
        /// How many there are at most.
        max: usize,
    },
    /// A member is named twice.
    #[error("{0} is named twice")]
    Twice(String),
    /// A member without weight.
    #[error("{0} weighs nothing; a member weighs at least 1")]
    Weightless(String),
    /// The weights do not add up to a number.
    #[error("the weights of all add up to more than {}", u64::MAX)]
    Overflow,
    /// No such member.
    #[error("{0} is no member")]
    NotMember(String),
    /// Who speaks was no member when the proposal was made.
    #[error("{voter} was no member when proposal {proposal} was made")]
    NotVoter {
        /// Who.
        voter: String,
        /// On which.
        proposal: u64,
    },
    /// Only the contract itself may.
    #[error("{sender} asks, and only the contract itself may; make a proposal")]
    NotItself {
        /// Who asks.
        sender: String,
    },
    /// A period in which nobody can vote, or one without end.
    #[error("a voting period of {got}, not 1 to {max}")]
    Period {
        /// Blocks or seconds.
        got: u64,
        /// Most of them.
        max: u64,
    },
    /// Voting ends later than the rules say, or in another measure, or is over already.
    #[error("voting cannot end with {asked}; the rules say {latest} at the latest")]
    Expiration {
        /// What was asked for.
        asked: String,
        /// The latest end.
        latest: String,
    },
    /// No such proposal.
    #[error("proposal {0} does not exist")]
    UnknownProposal(u64),
    /// Voting is over.
    #[error("proposal {proposal} cannot be voted on: {}", word(*status))]
    NotOpen {
        /// The proposal.
        proposal: u64,
        /// Where it stands.
        status: Status,
    },
    /// A second vote.
    #[error("{voter} has voted on proposal {proposal}")]
    Voted {
        /// Who.
        voter: String,
        /// On which.
        proposal: u64,
    },
    /// It has not passed, or was executed.
    #[error("proposal {proposal} cannot be executed: {}", word(*status))]
    NotPassed {
        /// The proposal.
        proposal: u64,
        /// Where it stands.
        status: Status,
    },
    /// It is open, has passed, or is closed.
    #[error("proposal {proposal} cannot be closed: {}", word(*status))]
    NotClosable {
        /// The proposal.
        proposal: u64,
        /// Where it stands.
        status: Status,
    },
}

/// A status in a sentence.
pub(crate) fn word(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Open => "open",
        Status::Rejected => "rejected",
        Status::Passed => "passed",
        Status::Executed => "executed",
    }
}

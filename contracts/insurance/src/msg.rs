//! What the counter is told and asked.

use aceso_interface::{
    Frame, Image, Model,
    consent::Opening,
    insurance::{Claim, Policy, Refused, SealedClaim, Terms},
};
use cosmwasm_schema::{QueryResponses, cw_serde};
use cosmwasm_std::{Binary, Uint128};

/// Sent once, by whoever opens the counter.
#[cw_serde]
pub struct InstantiateMsg {
    /// Who makes policies and may withdraw; the sender if not said.
    pub insurer: Option<String>,
    /// Who gets the treasury's share and what rounding leaves.
    pub treasury: String,
    /// The coin of escrows and prices: the chain's, in which models are priced.
    pub denom: String,
}

/// Sent by whoever was named admin, with new code.
#[cw_serde]
pub struct MigrateMsg {}

/// What changes something. Only [`ExecuteMsg::Fund`] takes coins.
#[cw_serde]
pub enum ExecuteMsg {
    /// For the insurer. Makes a policy, which cannot be changed. Answers its number, as data and as attribute `policy`.
    CreatePolicy {
        /// What it promises.
        terms: Terms,
    },
    /// For anybody. Puts the coins that are sent into a policy's escrow.
    Fund {
        /// The policy.
        policy: u64,
    },
    /// For the insurer, once the policy's period is over. Sends what its escrow holds to the insurer.
    Withdraw {
        /// The policy.
        policy: u64,
    },
    /// For physicians, or whomever else the image's guard lets read. Reads the image, pays by the policy, and answers as
    /// data an [`Answer`](aceso_interface::insurance::Answer): the claim, or why what was read is not paid for. Then the
    /// policy bears what the chain took for the read, and nothing else. The sender is the actor whom the guard is asked about.
    RequestRead {
        /// The policy.
        policy: u64,
        /// The image, registered by the policy's member.
        image: Image,
        /// Which frame of it, from 1; the first if not said.
        #[serde(default, skip_serializing_if = "Frame::is_first")]
        frame: Frame,
        /// The model, one that the policy covers.
        model: Model,
        /// Why: a code of HL7 v3 ActReason, such as `TREAT`.
        purpose: String,
    },
    /// For physicians, or whomever else the patient's grant names. Has a committee read a sealed image, and sets aside what
    /// the policy pays for it. The claim is decided when the chain tells what became of the read. Answers the job's
    /// number, as data and as attribute `job`.
    Claim {
        /// The policy, one that pays for sealed images.
        policy: u64,
        /// The sealed image, registered by the policy's member.
        image: Image,
        /// Which frame of it, from 1; the first if not said.
        #[serde(default, skip_serializing_if = "Frame::is_first")]
        frame: Frame,
        /// The model, one that the policy covers.
        model: Model,
        /// Why: a code of HL7 v3 ActReason.
        purpose: String,
        /// Who gave the grant that wraps the image's key for a committee.
        granter: String,
        /// Its number.
        grant: u64,
        /// Its terms, opened, in dag-cbor.
        terms: Binary,
        /// A hidden grant of the image's guard, opened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opening: Option<Box<Opening>>,
    },
    /// For anybody. Sends what is owed for sealed claims, in the order of accounts.
    Settle {
        /// Only accounts after this one: past one to whom nothing can be sent.
        start_after: Option<String>,
        /// To how many; 30 if not said, at most 100.
        limit: Option<u32>,
    },
    /// For the insurer, long after a claim's deadline. Closes a claim whose callback has failed, and frees what is kept
    /// for it but for what the chain took.
    Release {
        /// The job.
        job: u64,
    },
}

/// What can be asked.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// Who runs the counter.
    #[returns(Config)]
    Config {},
    /// One policy.
    #[returns(Policy)]
    Policy {
        /// Its number.
        policy: u64,
    },
    /// Policies in the order of their numbers.
    #[returns(PoliciesResponse)]
    Policies {
        /// Only this member's.
        member: Option<String>,
        /// Only policies with a higher number than this.
        start_after: Option<u64>,
        /// How many; 30 if not said, at most 100.
        limit: Option<u32>,
    },
    /// What a policy's escrow holds, and what is kept for its open claims.
    #[returns(EscrowResponse)]
    Escrow {
        /// The policy.
        policy: u64,
    },
    /// One claim.
    #[returns(Claim)]
    Claim {
        /// The policy.
        policy: u64,
        /// The read's number on the chain.
        read: u64,
    },
    /// One read that was refused after it was made.
    #[returns(Refused)]
    RefusedRead {
        /// The policy.
        policy: u64,
        /// The read's number on the chain.
        read: u64,
    },
    /// A policy's reads that were refused after they were made, in their order.
    #[returns(RefusedReadsResponse)]
    RefusedReads {
        /// The policy.
        policy: u64,
        /// Only reads with a higher number than this.
        start_after: Option<u64>,
        /// How many; 30 if not said, at most 100.
        limit: Option<u32>,
    },
    /// What the chain has taken for reads of a member's images in transactions that failed, and none of her policies has
    /// borne yet. The next policy of hers that is used or emptied does.
    #[returns(LostResponse)]
    Lost {
        /// The member.
        member: String,
    },
    /// One claim for a sealed image.
    #[returns(SealedClaim)]
    SealedClaim {
        /// The job's number on the chain.
        job: u64,
    },
    /// A policy's claims for sealed images in the order of their jobs.
    #[returns(SealedClaimsResponse)]
    SealedClaims {
        /// The policy.
        policy: u64,
        /// Only jobs with a higher number than this.
        start_after: Option<u64>,
        /// How many; 30 if not said, at most 100.
        limit: Option<u32>,
    },
    /// What is owed to an account for sealed claims and was not sent yet.
    #[returns(DueResponse)]
    Due {
        /// The account.
        account: String,
    },
    /// A policy's claims in the order of their reads.
    #[returns(ClaimsResponse)]
    Claims {
        /// The policy.
        policy: u64,
        /// Only reads with a higher number than this.
        start_after: Option<u64>,
        /// How many; 30 if not said, at most 100.
        limit: Option<u32>,
    },
}

/// Who runs the counter.
#[cw_serde]
pub struct Config {
    /// Makes policies and withdraws.
    pub insurer: String,
    /// Gets the treasury's share and what rounding leaves.
    pub treasury: String,
    /// The coin of escrows and prices.
    pub denom: String,
}

/// Answer to [`QueryMsg::Policies`].
#[cw_serde]
pub struct PoliciesResponse {
    /// The page.
    pub policies: Vec<Policy>,
}

/// Answer to [`QueryMsg::Escrow`].
#[cw_serde]
pub struct EscrowResponse {
    /// What it holds for claims to come, in the contract's coin.
    pub amount: Uint128,
    /// What is kept for claims that are open.
    pub reserved: Uint128,
}

/// Answer to [`QueryMsg::SealedClaims`].
#[cw_serde]
pub struct SealedClaimsResponse {
    /// The page.
    pub claims: Vec<SealedClaim>,
}

/// Answer to [`QueryMsg::Due`].
#[cw_serde]
pub struct DueResponse {
    /// How much, in the contract's coin.
    pub amount: Uint128,
}

/// Answer to [`QueryMsg::Claims`].
#[cw_serde]
pub struct ClaimsResponse {
    /// The page.
    pub claims: Vec<Claim>,
}

/// Answer to [`QueryMsg::RefusedReads`].
#[cw_serde]
pub struct RefusedReadsResponse {
    /// The page.
    pub refused: Vec<Refused>,
}

/// Answer to [`QueryMsg::Lost`].
#[cw_serde]
pub struct LostResponse {
    /// How much, in the contract's coin.
    pub amount: Uint128,
}

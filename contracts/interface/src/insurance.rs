//! Policies and claims: what an insurer pays for, and what was paid.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::Uint128;

use crate::{Image, Model, Pixels, Study};

/// Parts in a whole: shares are counted in ten-thousandths.
pub const WHOLE: u32 = 10_000;

/// What a policy promises.
#[cw_serde]
pub struct Terms {
    /// The insured patient; claims are for images that this account registered.
    pub member: String,
    /// In force from this second on (Unix time, by the block's clock).
    pub not_before: u64,
    /// Until this second, which is the first at which it is no longer in force.
    pub not_after: u64,
    /// Which models are paid for, and how much.
    pub covers: Vec<Cover>,
    /// Institutions whose word for an image is accepted, one of which is needed; empty asks for none.
    pub origin: Vec<String>,
    /// Who gets which share of the price; together 10000. What rounding leaves goes to the treasury.
    pub split: Vec<Share>,
}

/// A model that is paid for.
#[cw_serde]
pub struct Cover {
    /// The model.
    pub model: Model,
    /// What one read pays in all, in the contract's coin.
    pub price: Uint128,
}

/// A share of the price.
#[cw_serde]
pub struct Share {
    /// Who gets it.
    pub to: Party,
    /// How many ten-thousandths; at least 1.
    pub bps: u32,
}

/// Who may get a share.
#[cw_serde]
pub enum Party {
    /// The institution that vouches for the image; only where the policy asks for one.
    Institution {},
    /// The model's author. What the read itself cost is part of this share.
    Author {},
    /// The data subject: the account that registered the image.
    Subject {},
    /// The contract's treasury.
    Treasury {},
    /// Anybody else.
    Account {
        /// The account.
        address: String,
    },
}

/// A policy.
#[cw_serde]
pub struct Policy {
    /// Its number at this contract, from 1.
    pub id: u64,
    /// What it promises.
    pub terms: Terms,
}

/// A read that was paid for.
#[cw_serde]
pub struct Claim {
    /// The policy.
    pub policy: u64,
    /// The receipt's number on the chain.
    pub read: u64,
    /// The image.
    pub image: Image,
    /// Its identity for payment.
    pub pixels: Pixels,
    /// The study that it was made in, where an institution vouches for it.
    pub study: Option<Study>,
    /// The institution, likewise.
    pub institution: Option<String>,
    /// The model.
    pub model: Model,
    /// Who asked for the read.
    pub actor: String,
    /// Why.
    pub purpose: String,
    /// The model's findings.
    pub findings: Vec<Finding>,
    /// The model's scores.
    pub scores: Vec<Score>,
    /// What the chain took for the read and gave to the model's author.
    pub fee: Uint128,
    /// What was paid on top.
    pub paid: Vec<Payment>,
    /// The block's height.
    pub height: u64,
    /// The block's time (Unix time in seconds).
    pub time: u64,
}

/// A yes-or-no question, answered.
#[cw_serde]
pub struct Finding {
    /// Its name in the model's manifest.
    pub id: String,
    /// The answer.
    pub present: bool,
}

/// One element of the model's output.
#[cw_serde]
pub struct Score {
    /// The label's name.
    pub label: String,
    /// The quantised value as computed.
    pub value: i32,
    /// The calibrated probability, in millionths.
    pub probability: u32,
}

/// A payment.
#[cw_serde]
pub struct Payment {
    /// For whom.
    pub party: Party,
    /// To which account.
    pub to: String,
    /// How much.
    pub amount: Uint128,
}

//! Policies and claims: what an insurer pays for, and what was paid.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::Uint128;

use crate::{Frame, Hash, Image, Model, Pixels, Study};

/// Parts in a whole: shares are counted in ten-thousandths.
pub const WHOLE: u32 = 10_000;

/// SDK gas of the callback that closes a claim, where a policy says nothing else: half as much again as the dearest costs,
/// one of sixteen shares that are sent at once (`chain/app/tests/app/insured.rs` measures it).
pub const CALLBACK_GAS: u64 = 800_000;

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
    /// What is asked of reads of sealed images; absent where they are not paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
}

/// On which terms a policy pays for reads of sealed images.
#[cw_serde]
pub struct Sealed {
    /// Which committees are believed.
    pub accept: Acceptance,
    /// What the insurer wants to know.
    pub disclosure: Disclosure,
    /// For how many blocks a committee may work on a claim; at least 1.
    pub blocks: u64,
    /// SDK gas of the callback that closes a claim, paid by the transaction that asks; at least 1, and enough for any policy
    /// if not said. Where it does not suffice a claim stays open until the insurer releases it.
    #[serde(default = "callback_gas")]
    pub callback_gas: u64,
    /// When shares are sent.
    #[serde(default)]
    pub payout: Payout,
}

fn callback_gas() -> u64 {
    CALLBACK_GAS
}

/// Which committees are believed: the patient chooses who may see, the payer whom it trusts.
#[cw_serde]
pub struct Acceptance {
    /// Fewest members; at least 1.
    pub members_min: u32,
    /// Smallest share of all validators' power that the members have together, in ten-thousandths.
    pub power_min_bps: u32,
    /// Operators that must be members, at most 32.
    pub required: Vec<String>,
    /// Operators that must not be, at most 32.
    pub excluded: Vec<String>,
}

/// What the insurer wants to know of a sealed image, and with it everybody.
#[cw_serde]
pub enum Disclosure {
    /// Whether these findings are there: 1 or 2, in the order of every covered model's manifest.
    Predicate {
        /// The findings.
        findings: Vec<String>,
    },
    /// Only that it was read: the outcome is kept for who holds the image's key.
    Sealed {},
}

/// When the shares of a sealed claim are sent.
#[cw_serde]
#[derive(Default)]
pub enum Payout {
    /// When somebody settles, all that an account is owed in one transfer. No transfer stands in the block of a read, and
    /// a callback is short whatever the split.
    #[default]
    Batched,
    /// In the block in which the claim is decided.
    PerClaim,
}

/// A claim for a read of a sealed image.
#[cw_serde]
pub struct SealedClaim {
    /// The policy.
    pub policy: u64,
    /// The job's number on the chain.
    pub job: u64,
    /// The sealed image, which belongs to the policy's member.
    pub image: Image,
    /// Its frame; the first where it names none.
    #[serde(default, skip_serializing_if = "Frame::is_first")]
    pub frame: Frame,
    /// The model.
    pub model: Model,
    /// Who asked for the read.
    pub actor: String,
    /// Why.
    pub purpose: String,
    /// What the policy pays for it.
    pub price: Uint128,
    /// What the chain took for it.
    pub held: Uint128,
    /// What of that goes to the model's author.
    pub author_fee: Uint128,
    /// What of the escrow is kept for it while it is open.
    pub reserved: Uint128,
    /// The first height at which it is too late for an outcome.
    pub deadline: u64,
    /// When it was made (Unix time in seconds).
    pub time: u64,
    /// Where it stands.
    pub status: ClaimStatus,
}

/// Where a claim for a sealed read stands.
#[cw_serde]
pub enum ClaimStatus {
    /// The committee works on it.
    Open {},
    /// It was paid.
    Paid(Box<Paid>),
    /// Nothing is paid for it.
    Closed {
        /// Why.
        reason: Closed,
        /// The receipt's number, where there is one.
        read: Option<u64>,
        /// What the read cost all the same.
        fee: Uint128,
    },
}

/// A sealed claim that was paid.
#[cw_serde]
pub struct Paid {
    /// The receipt's number on the chain.
    pub read: u64,
    /// The image's identity for this contract.
    pub claim: Hash,
    /// The study that it was made in, where an institution vouches for it.
    pub study: Option<Study>,
    /// The institution, likewise.
    pub institution: Option<String>,
    /// The findings that were disclosed.
    pub findings: Vec<Finding>,
    /// What the outcome is committed to, where it is sealed.
    pub commitment: Option<Hash>,
    /// Members of the committee.
    pub members: u32,
    /// Their power.
    pub power: u64,
    /// The power of all validators.
    pub total: u64,
    /// What the chain took for the read.
    pub fee: Uint128,
    /// What is paid on top.
    pub paid: Vec<Payment>,
}

/// Why nothing is paid for a claim.
#[cw_serde]
pub enum Closed {
    /// The committee saw that the image cannot be read.
    Failed {
        /// Why, in the chain's word for it.
        failure: String,
    },
    /// There was no outcome in time.
    Expired {},
    /// The patient took the grant back, or ended the record.
    Cancelled {},
    /// Too few members were left.
    Broken {},
    /// The chain does not say which pixels were read.
    Unidentified {},
    /// No accepted institution vouches for what was read.
    Unvouched {},
    /// The same pixels or the same study were paid for.
    PaidBefore {
        /// By this read.
        read: u64,
    },
    /// The insurer let go of it, since it heard nothing.
    Released {},
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
    /// Its frame; the first where it names none.
    #[serde(default, skip_serializing_if = "Frame::is_first")]
    pub frame: Frame,
    /// The frame's identity for payment.
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

/// What came of a request for an open read that was made.
#[cw_serde]
pub enum Answer {
    /// It was paid.
    Paid(Box<Claim>),
    /// What the read has shown is not paid for.
    Refused(Box<Refused>),
}

/// A read after which nothing was paid, since it showed why. The policy bears what the chain took for it.
#[cw_serde]
pub struct Refused {
    /// The policy.
    pub policy: u64,
    /// The receipt's number on the chain.
    pub read: u64,
    /// The image.
    pub image: Image,
    /// Its frame; the first where it names none.
    #[serde(default, skip_serializing_if = "Frame::is_first")]
    pub frame: Frame,
    /// The frame's identity for payment.
    pub pixels: Pixels,
    /// The model.
    pub model: Model,
    /// Who asked for the read.
    pub actor: String,
    /// Why it was asked for.
    pub purpose: String,
    /// Why it is not paid for.
    pub reason: Refusal,
    /// What the chain took for the read and gave to the model's author.
    pub fee: Uint128,
    /// The block's height.
    pub height: u64,
    /// The block's time (Unix time in seconds).
    pub time: u64,
}

/// Why a read is not paid for.
#[cw_serde]
pub enum Refusal {
    /// The same pixels were paid for, under whatever CID.
    PixelsPaid {
        /// By this read.
        read: u64,
    },
    /// The same study was paid for.
    StudyPaid {
        /// The hashed study.
        study: Study,
        /// By this read.
        read: u64,
    },
    /// The institution's word is about other pixels, or no longer there.
    Unvouched {},
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

//! What is kept. Renaming a key is a migration.

use aceso_interface::{
    Frame, Image, Model,
    insurance::{Claim, Policy, Refused, SealedClaim},
};
use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, Empty, Uint128};
use cw_storage_plus::{Item, Map};

use crate::msg::Config;

/// Who runs the counter.
pub const CONFIG: Item<Config> = Item::new("config");

/// The number of the policy that was made last.
pub const LAST: Item<u64> = Item::new("last");

/// Number → policy.
pub const POLICIES: Map<u64, Policy> = Map::new("policies");

/// Member, number.
pub const BY_MEMBER: Map<(&Addr, u64), Empty> = Map::new("by_member");

/// Number → what the policy's escrow holds for claims to come. With [`RESERVED`] and [`DUE`] that is what the contract
/// holds, what the chain holds for its open jobs, and what the chain took that is not in [`BORNE`].
pub const ESCROW: Map<u64, Uint128> = Map::new("escrow");

/// Number → what is kept for the policy's open claims.
pub const RESERVED: Map<u64, Uint128> = Map::new("reserved");

/// Account → what it is owed for sealed claims.
pub const DUE: Map<&str, Uint128> = Map::new("due");

/// Job → claim for a sealed image.
pub const SEALED: Map<u64, SealedClaim> = Map::new("sealed");

/// Policy, job.
pub const SEALED_BY_POLICY: Map<(u64, u64), Empty> = Map::new("sealed_by_policy");

/// Member, model, frame of a sealed image ([`Picture::key`]) → the job of the claim that is open.
///
/// [`Picture::key`]: crate::Picture::key
pub const OPEN_IMAGES: Map<(&str, &[u8], &[u8]), u64> = Map::new("open_images");

/// Policy, read → claim.
pub const CLAIMS: Map<(u64, u64), Claim> = Map::new("claims");

/// Policy, read → why it was not paid for.
pub const REFUSED: Map<(u64, u64), Refused> = Map::new("refused");

/// Member → what of the chain's fees for reads of her open images her policies have borne.
pub const BORNE: Map<&str, Uint128> = Map::new("borne");

/// Member, model, frame of an image ([`Picture::key`]) → what was paid.
///
/// [`Picture::key`]: crate::Picture::key
pub const PAID_IMAGES: Map<(&str, &[u8], &[u8]), Paid> = Map::new("paid_images");

/// Member, model, the pixels' identity for this contract → what was paid. Open and sealed reads of the same pixels meet
/// here.
pub const PAID_CLAIMS: Map<(&str, &[u8], &[u8]), Paid> = Map::new("paid_claims");

/// Member, model, hashed study → what was paid.
pub const PAID_STUDIES: Map<(&str, &[u8], &[u8]), Paid> = Map::new("paid_studies");

/// Most models or institutions of a policy.
pub const LIST_MAX: usize = 64;

/// Most operators that are required or excluded: what the chain takes.
pub const OPERATORS_MAX: usize = 32;

/// Blocks after a claim's deadline until which the chain has surely told what became of it.
pub const RELEASE_BLOCKS: u64 = 1_000;

/// Most shares of a split.
pub const SHARES_MAX: usize = 16;

/// A payment that must not be made again before the paying policy's end.
#[cw_serde]
pub struct Paid {
    /// The read that was paid.
    pub read: u64,
    /// The first second after the paying policy.
    pub until: u64,
}

/// A request between the guard's permit and the read: the payload of the message to the guard.
#[cw_serde]
pub struct Request {
    /// The policy.
    pub policy: u64,
    /// The image.
    pub image: Image,
    /// Its frame.
    pub frame: Frame,
    /// The model.
    pub model: Model,
    /// Why.
    pub purpose: String,
    /// Who asked.
    pub actor: String,
    /// What the claim pays.
    pub price: Uint128,
    /// What the chain will take for the read.
    pub fee: Uint128,
}

/// A sealed claim between the request and the chain's answer to it: the payload of the message to the chain.
#[cw_serde]
pub struct Asked {
    /// The policy.
    pub policy: u64,
    /// The sealed image.
    pub image: Image,
    /// Its frame.
    pub frame: Frame,
    /// The model.
    pub model: Model,
    /// Why.
    pub purpose: String,
    /// Who asked.
    pub actor: String,
    /// What the claim pays.
    pub price: Uint128,
    /// What of the chain's fee goes to the model's author.
    pub author_fee: Uint128,
    /// The first height at which it is too late.
    pub deadline: u64,
}

//! What is kept. Renaming a key is a migration.

use aceso_interface::{
    Image, Model,
    insurance::{Claim, Policy},
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

/// Number → what the policy's escrow holds. Together they are what the contract holds.
pub const ESCROW: Map<u64, Uint128> = Map::new("escrow");

/// Policy, read → claim.
pub const CLAIMS: Map<(u64, u64), Claim> = Map::new("claims");

/// Member, model, image (binary CID) → what was paid.
pub const PAID_IMAGES: Map<(&str, &[u8], &[u8]), Paid> = Map::new("paid_images");

/// Member, model, pixel digest → what was paid.
pub const PAID_PIXELS: Map<(&str, &[u8], &[u8]), Paid> = Map::new("paid_pixels");

/// Member, model, hashed study → what was paid.
pub const PAID_STUDIES: Map<(&str, &[u8], &[u8]), Paid> = Map::new("paid_studies");

/// Most models or institutions of a policy.
pub const LIST_MAX: usize = 64;

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

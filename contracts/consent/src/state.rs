//! What is kept. Renaming a key is a migration.

use aceso_interface::consent::{Grant, HiddenGrant};
use cosmwasm_std::{Addr, Empty};
use cw_storage_plus::{Item, Map};

/// The number of the grant that was given last.
pub const LAST: Item<u64> = Item::new("last");

/// Number → grant. Never removed: receipts refer to it.
pub const GRANTS: Map<u64, Grant> = Map::new("grants");

/// Owner of a sealed image, empty for an open one; image (binary CID), number. The grants that are weighed; at most
/// [`PER_IMAGE_MAX`] for an image.
pub const BY_IMAGE: Map<(&str, &[u8], u64), Empty> = Map::new("by_image");

/// Number → grant of which only digests are known. Never removed.
pub const HIDDEN: Map<u64, HiddenGrant> = Map::new("hidden");

/// Patient, number of a hidden grant.
pub const HIDDEN_BY_PATIENT: Map<(&Addr, u64), Empty> = Map::new("hidden_by_patient");

/// Patient, number.
pub const BY_PATIENT: Map<(&Addr, u64), Empty> = Map::new("by_patient");

/// Account that a grant speaks of, number.
pub const BY_ACTOR: Map<(&Addr, u64), Empty> = Map::new("by_actor");

/// Most grants that are weighed when an image is asked for.
pub const PER_IMAGE_MAX: usize = 256;

/// Most images of a grant.
pub const IMAGES_MAX: usize = 64;

/// Most actors, contracts, purposes or models of a rule.
pub const LIST_MAX: usize = 32;

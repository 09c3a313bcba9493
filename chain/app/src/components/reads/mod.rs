//! Images, permits, the journal and receipts: who may read what, who did, and what came out.
//!
//! An image is registered once, by one owner, with or without a guard ([`images`]). A guard's answer becomes a permit
//! that lives as long as the transaction ([`permits`]); a read consumes it, counts the use and owes the fee
//! ([`read`](mod@read)). Answers, uses and fees go to the [`Journal`], which survives the failure of the frame and of the
//! transaction; the receipt does not, because nothing was computed that anybody could use. What a block's reads took
//! from bytes and what came out of them is its transcript ([`script`]), whose digest is in the state ([`told`]).

mod images;
mod keys;
mod permits;
mod read;
pub(crate) mod script;
pub(crate) mod told;

pub(crate) use images::{
    check_origin, get as image, guard, info as image_info, is_code_string, origin_of, register as register_image,
};
pub(crate) use permits::{Journal, Permit, SealedUse, consume_sealed, permit, spent, uses, write_journal};
pub(crate) use read::{
    OpenRead, compute, covered, finish, latest_models, note_open, opening, price, receipt, record, span, start,
};

/// Prefixes and keys of lists, for queries.
pub(crate) mod lists {
    pub(crate) use super::keys::{images, images_of, journal_of, receipt, receipts, receipts_of};
}

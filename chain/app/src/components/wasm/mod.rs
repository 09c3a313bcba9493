//! Contracts: code, instances, calls, the messages they send and the questions they ask.
//!
//! Everything that a client or a contract can see follows wasmd (`x/wasm/keeper`): ids, addresses, permissions, events,
//! codes, submessages and replies. Code is stored once by checksum ([`code`]), who may store and use it is told by [`access`]; instances have a row and a history
//! ([`instance`]), entry points are called through [`call`], and what a contract answers is carried out by [`respond`].

mod absent;
pub(crate) mod access;
mod ask;
mod backend;
mod call;
mod code;
mod instance;
mod keys;
mod outgoing;
mod respond;
mod verbs;

pub use code::unpacked;
pub(crate) use code::{
    CodeRow, bytes as code_bytes, everybody, get as code_row, is_within, permission_name, pin, set_pinned,
    store as store_code, store_as, unpack, update_permission,
};
pub(crate) use instance::get as contract;
pub(crate) use verbs::{
    execute_msg, instantiate_msg, instantiate2_msg, migrate_msg, smart, store_and_instantiate_msg,
    store_and_migrate_msg, sudo, sudo_msg, update_admin, update_label,
};

/// Prefixes and keys of lists, for queries.
pub(crate) mod lists {
    pub(crate) use super::keys::{all_pinned, by_code, by_creator, codes, history_of, state};
}

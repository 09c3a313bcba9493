//! The parts of the state and the rules that guard them.
//!
//! Each component owns the keys under its name, spelled in its `keys` and nowhere else. Functions that read take a
//! [`Read`](crate::store::Read), those that change something a [`Write`](crate::store::Write) or the whole
//! [`Run`](crate::run::Run).

pub(crate) mod accounts;
pub(crate) mod authz;
pub(crate) mod bank;
pub(crate) mod blobs;
pub(crate) mod models;
pub(crate) mod params;
pub(crate) mod reads;
pub(crate) mod sealed;
pub(crate) mod sponsor;
pub(crate) mod validators;
pub(crate) mod vesting;
pub(crate) mod wasm;

/// Accounts: keys and sequences.
pub(crate) const ACCOUNTS: &str = "accounts";
/// Coins.
pub(crate) const BANK: &str = "bank";
/// Registered blobs.
pub(crate) const BLOBS: &str = "blobs";
/// What is true of the chain as a whole: settings, parameters, upgrades, time.
pub(crate) const CHAIN: &str = "chain";
/// Models.
pub(crate) const MODELS: &str = "models";
/// Images, permits used, the journal and receipts.
pub(crate) const READS: &str = "reads";
/// Sealed records, grants and jobs.
pub(crate) const SEALED: &str = "sealed";
/// Allowances by which one account pays the fees of another, and authorisations by which it lets another act for it.
pub(crate) const SPONSOR: &str = "sponsor";
/// The validators' keys and powers, and how they behaved.
pub(crate) const VALIDATORS: &str = "validators";
/// Contracts.
pub(crate) const WASM: &str = "wasm";

/// All of them: the leaves of the app hash. Changing the list is a change of protocol.
pub const COMPONENTS: &[&str] = &[ACCOUNTS, BANK, BLOBS, CHAIN, MODELS, READS, SEALED, SPONSOR, VALIDATORS, WASM];

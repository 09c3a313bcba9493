//! Sealed records: readers' keys, registrations, grants, and the jobs in which committees read what nobody else can open.

mod keys;
mod records;

pub(crate) use records::info;

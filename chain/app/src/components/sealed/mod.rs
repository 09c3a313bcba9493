//! Sealed records: readers' keys, registrations, grants, and the jobs in which committees read what nobody else can open.

pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod records;
pub(crate) mod roots;

pub(crate) use records::info;

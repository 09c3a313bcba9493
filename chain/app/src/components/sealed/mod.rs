//! Sealed records: readers' keys, registrations, grants, and the jobs in which committees read what nobody else can open.
//!
//! A request ([`request`]) is checked against the grant that it names ([`authorise`]), gets a committee ([`committee`]) and
//! becomes a job ([`jobs`]). The members' shares come with votes or, from those who have left, in transactions
//! ([`share`]); a proposer adds them up ([`gather`]), everyone checks them ([`outcomes`]), and a block puts them into
//! effect ([`close`]), tells the contract that asked ([`tell`]) and notes how members behaved ([`conduct`]). A result that is
//! too long for its outcome is kept by those who signed it ([`results`]). Members' keys stand in [`roots`]. Whether members have signed the truth shows when somebody opens the record ([`dispute`]).

mod authorise;
mod bits;
pub(crate) mod close;
mod committee;
pub(crate) mod conduct;
pub(crate) mod dispute;
pub(crate) mod gather;
pub(crate) mod grants;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod outcomes;
pub(crate) mod readers;
pub(crate) mod records;
pub(crate) mod request;
pub(crate) mod results;
pub(crate) mod reviews;
pub(crate) mod roots;
pub(crate) mod share;
pub(crate) mod sweep;
pub(crate) mod tell;

pub(crate) use close::cancelled;
pub(crate) use records::info;

/// Prefixes of lists, for queries.
pub(crate) mod lists {
    pub(crate) use super::keys::{
        all_jobs, all_open, all_records, asked_by, grants_for, grants_of, job_of, owned_by, results_of, reviews_of,
    };
}

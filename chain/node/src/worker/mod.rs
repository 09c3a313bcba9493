//! What a committee member's node does with its jobs.
//!
//! After every block the node asks the application which open jobs wait for its share ([`work`]). They wait in a bounded
//! [`queue`], the best paid first, and are taken by lanes ([`lane`]): threads of this process, or connections of worker
//! processes of the same operator ([`socket`], [`process`]). A lane opens the wrap and the sealed file, computes the
//! outcome ([`compute`]) and hands it back. Before anything is signed the outcome's digest is on the disk ([`shares`]):
//! whatever happens to this machine, it signs one outcome of a job and no other. Shares go into every vote until the job
//! is closed ([`crate::abci::vote`]). At leisure sealed files that grants name this operator for are fetched and kept, and
//! keys that nothing is wrapped for any more are destroyed ([`chores`]).
//!
//! The same function is given to the application, for disputes over what was signed ([`reopen`]).
//!
//! What was opened never leaves memory: it is wiped when it is given back ([`wipe`]), cores are not dumped, and neither a
//! line of the log nor a metric says anything of it.

pub(crate) mod chores;
mod compute;
mod frame;
mod job;
mod lane;
mod models;
pub(crate) mod process;
mod queue;
mod reopen;
mod shares;
mod socket;
mod wipe;
pub(crate) mod work;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    reopen::Reopening,
    wipe::{give_memory_back, keep_memory_private},
    work::Work,
};

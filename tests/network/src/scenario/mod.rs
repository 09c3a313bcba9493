//! What happens to a network, one file per kind of trouble.

mod byzantine;
mod disk;
mod kills;
mod partitions;
mod replay;
pub(crate) mod soak;

use anyhow::Result;

use crate::{
    load::Accounts,
    net::{Net, Plan, Programs},
    random::Random,
};

/// A kind of trouble.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Answers with facts to show.
    pub(crate) run: fn(&Programs, quick: bool, &mut Random) -> Result<Vec<String>>,
}

/// In the order in which they run.
pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: "kills", about: "kill -9 of application, engine or both under load", run: kills::run },
    Scenario { name: "partitions", about: "2|2, 3|1, flapping, a slow line", run: partitions::run },
    Scenario { name: "disk", about: "a validator's disk is full, then read-only", run: disk::run },
    Scenario { name: "replay", about: "a node begins at the genesis when images are gone", run: replay::run },
    Scenario {
        name: "byzantine",
        about: "a validator that lies: proposals, extensions, signatures",
        run: byzantine::run,
    },
    Scenario { name: "soak", about: "transfers, contract calls, reads and blobs side by side", run: soak::run },
];

/// Validators of every scenario: one may fail.
const VALIDATORS: usize = 4;
/// Accounts that send.
const WORKERS: usize = 4;

/// A network with a funded load, running.
fn running(programs: &Programs, spaces: bool) -> Result<(Net, Accounts)> {
    let (mut net, accounts) = prepared(programs, spaces)?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, std::time::Duration::from_secs(60))?;
    Ok((net, accounts))
}

/// The same without namespaces, for these accounts.
fn running_with(programs: &Programs, accounts: &Accounts) -> Result<Net> {
    let plan = Plan { validators: VALIDATORS, spaces: false, block_time: 200, funds: accounts.funds() };
    let mut net = Net::prepare(programs, &plan)?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, std::time::Duration::from_secs(60))?;
    Ok(net)
}

/// The same, with nothing started yet.
fn prepared(programs: &Programs, spaces: bool) -> Result<(Net, Accounts)> {
    let accounts = Accounts::new(WORKERS)?;
    let plan = Plan { validators: VALIDATORS, spaces, block_time: 200, funds: accounts.funds() };
    Ok((Net::prepare(programs, &plan)?, accounts))
}

//! What happens to a network, one file per kind of trouble.

mod byzantine;
mod catchup;
mod disk;
mod drill;
mod fill;
mod kills;
mod liars;
mod partitions;
mod replay;
mod rollback;
mod sealed;
pub(crate) mod soak;
mod statesync;
mod torn;
mod upgrade;

use aceso_types::BlobId;
use anyhow::Result;

use fill::Fill;

use crate::{
    clinic::Visitor,
    load::Accounts,
    net::{Net, Node, Plan, Programs, Which},
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
    Scenario { name: "rollback", about: "a validator goes back some heights and comes again", run: rollback::run },
    Scenario { name: "torn", about: "kill -9, and files that end too early or wrong", run: torn::run },
    Scenario { name: "partitions", about: "2|2, 3|1, flapping, a slow line", run: partitions::run },
    Scenario { name: "disk", about: "a validator's disk is full, then read-only", run: disk::run },
    Scenario { name: "replay", about: "a node begins at the genesis when images are gone", run: replay::run },
    Scenario {
        name: "byzantine",
        about: "a validator that lies: proposals, extensions, signatures",
        run: byzantine::run,
    },
    Scenario { name: "statesync", about: "a fifth node joins by state sync and validates", run: statesync::run },
    Scenario { name: "liars", about: "a node joins among peers that lie of snapshots and blobs", run: liars::run },
    Scenario { name: "upgrade", about: "halt at a height, another binary, go on", run: upgrade::run },
    Scenario { name: "catchup", about: "a node executes the chain from its first block on", run: catchup::run },
    Scenario {
        name: "drill",
        about: "validators that differ in all that may differ; one errs in one bit",
        run: drill::run,
    },
    Scenario {
        name: "sealed",
        about: "sealed reads: lines and disks are searched, members lose a result or err, cheap jobs before a dear one",
        run: sealed::run,
    },
    Scenario { name: "soak", about: "transfers, contract calls, reads and blobs side by side", run: soak::run },
];

/// Validators of every scenario: one may fail.
const VALIDATORS: usize = 4;
/// Milliseconds between two blocks while something is measured: the nodes that go on leave room for the one that joins.
const PACE: u64 = 1000;
/// Bytes of a blob.
const BLOB: u64 = 300_000;
/// For how many blocks it is kept.
const TERM: u64 = 100_000;
/// Accounts that send.
const WORKERS: usize = 4;

/// A network with a funded load, running.
fn running(programs: &Programs, spaces: bool) -> Result<(Net, Accounts)> {
    let (mut net, accounts) = prepared(programs, spaces)?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, std::time::Duration::from_secs(60))?;
    Ok((net, accounts))
}

/// The same, with nothing started yet.
fn prepared(programs: &Programs, spaces: bool) -> Result<(Net, Accounts)> {
    paced(programs, spaces, 200)
}

/// The same, with so many milliseconds between two blocks.
fn paced(programs: &Programs, spaces: bool, block_time: u64) -> Result<(Net, Accounts)> {
    let accounts = Accounts::new(WORKERS)?;
    Ok((Net::prepare(programs, &plan(&accounts, spaces, block_time))?, accounts))
}

fn plan(accounts: &Accounts, spaces: bool, block_time: u64) -> Plan {
    let authority = accounts.authority.address("aceso");
    Plan { validators: VALIDATORS, spaces, block_time, funds: accounts.funds(), authority }
}

/// Ends all engines and starts them at the pace of a network that is watched instead of rushed.
fn slow_down(net: &mut Net) -> Result<()> {
    let top = net.top();
    net.pace(PACE)?;
    net.all().into_iter().for_each(|number| net.kill(number, Which::Engine));
    net.start_all()?;
    net.wait_for(&net.all(), top + 1, std::time::Duration::from_secs(60))
}

/// Publishes a small blob at a node, until it is available; the seed makes its bytes.
fn publish(node: &Node, accounts: &Accounts, seed: u64) -> Result<BlobId> {
    let mut random = Random::new(seed);
    let bytes: Vec<u8> = (0..BLOB / 8).flat_map(|_| random.next().to_le_bytes()).collect();
    Visitor::new(node, accounts.authority.clone())?.publish(&bytes, TERM)
}

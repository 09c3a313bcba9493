//! What a network of four validators takes for things: `cargo xtask bench net`, and the part of `cargo xtask bench reads`
//! that needs one.

use std::time::Duration;

use aceso_client::Key;
use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    load::Accounts,
    net::{Net, Plan, Programs},
};

mod net;
mod reads;

const VALIDATORS: usize = 4;
/// Milliseconds that a proposer waits after a block: what the peers were measured with.
const BLOCK_TIME: u64 = 100;
/// Pause between two looks for something that is to come.
const LOOK: Duration = Duration::from_millis(3);
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs all cases of a bench.
pub(crate) fn run(name: &str, programs: &Programs, quick: bool, emit: &mut dyn FnMut(Value)) -> Result<()> {
    match name {
        "net" => net::run(programs, quick, emit),
        "reads" => reads::run(programs, quick, emit),
        other => bail!("there is no bench {other:?} of networks: net and reads are"),
    }
}

/// A network that runs, and so many accounts that own something.
fn network(programs: &Programs, guests: u32) -> Result<(Net, Vec<Key>)> {
    let mut accounts = Accounts::new(0)?;
    accounts.guests = (0..guests).map(|_| Ok(Key::generate()?.0)).collect::<Result<_>>()?;
    let authority = accounts.authority.address("aceso");
    let plan =
        Plan { validators: VALIDATORS, spaces: false, block_time: BLOCK_TIME, funds: accounts.funds(), authority };
    let mut net = Net::prepare(programs, &plan)?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, PATIENCE)?;
    Ok((net, accounts.guests))
}

//! The operator of an embedded chain's validator: where nobody is named, an account of the home, so that a committee of one
//! works from the start.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aceso_client::{Client, Key};

use super::{init::Chain, remote::opener};
use crate::home::{
    Home,
    genesis::{Beginning, OPERATOR_KEY},
    keys,
};

/// Days for which the embedded chain's opener key is registered.
const DAYS: u64 = 3650;
/// Seconds before its end at which another one is.
const EARLY: u64 = 30 * 86_400;
/// Attempts, and the pause between them.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(2);

/// How an embedded chain begins.
pub(super) fn beginning(chain: &Chain) -> anyhow::Result<Beginning> {
    Ok(Beginning { own_operators: true, ..chain.beginning()? })
}

/// Registers the home's opener key by the home's operator, if there is one; in a thread of its own, since it waits for a
/// block.
pub(super) fn register_opener(home: &Home, rpc: SocketAddr, rest: SocketAddr) -> anyhow::Result<()> {
    let Some(operator) = keys::list(home)?.into_iter().find(|key| key.name == OPERATOR_KEY) else { return Ok(()) };
    let key = Key::from_mnemonic(keys::load(&operator.file)?.phrase())?;
    let home = home.clone();
    std::thread::Builder::new().name("opener".into()).spawn(move || {
        for _ in 0..TRIES {
            match registered(&home, &key, rpc, rest) {
                Ok(()) => return,
                Err(e) => tracing::warn!("the opener key is not registered: {e:#}"),
            }
            std::thread::sleep(PAUSE);
        }
    })?;
    Ok(())
}

fn registered(home: &Home, key: &Key, rpc: SocketAddr, rest: SocketAddr) -> anyhow::Result<()> {
    let client = Client::connect(&format!("http://{rpc}"), &format!("http://{rest}"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let latest = opener::latest(&client, &client.address(key))?;
    let holds = match latest {
        Some(row) => row.expires > now.saturating_add(EARLY) && home.opener(row.epoch)?.is_some(),
        None => false,
    };
    if !holds {
        let registered = opener::register(home, &client, key, DAYS)?;
        tracing::info!(epoch = registered.epoch, "the opener key is registered");
    }
    Ok(())
}

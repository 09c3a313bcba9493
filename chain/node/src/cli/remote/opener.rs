//! `aceso opener …`: the keys with which an operator's nodes open what committees are asked to read.

use std::time::{SystemTime, UNIX_EPOCH};

use aceso_client::{Client, GasLimit, Key, TxResult, any, random, sealed::register_reader};
use aceso_types::query::{QueryReader, ReaderRow};
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{At, Signer, tx::report};
use crate::{
    cli::{HomeArg, Output},
    home::Home,
};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Shows and registers the keys with which committee work is opened.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso opener show --home node
  aceso opener register --home node --from operator.words
  aceso opener register --home node --from operator.words --days 30

Each registration is a new epoch with a key of its own. What was wrapped for earlier ones is opened with their keys, which a
running node destroys once they have expired and no grant that holds names them.")]
pub(crate) struct Opener {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    home: HomeArg,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    signer: Signer,
}

#[derive(Clone, Copy, Subcommand, Debug)]
enum Verb {
    /// Lists the keys of this home.
    Show,
    /// Registers the key of the next epoch; makes it where there is none.
    Register {
        /// After how many days nothing is wrapped for it any more.
        #[arg(long, default_value_t = 365, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
        days: u64,
    },
}

impl Opener {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let home = self.home.home()?;
        match self.verb {
            Verb::Show => show(&home, output),
            Verb::Register { days } => {
                let (client, key) = (self.at.connect()?, self.signer.key()?);
                let registered = register(&home, &client, &key, days)?;
                let epoch = registered.epoch.to_string();
                report(output, &registered.tx, Some(("epoch", epoch.as_str())))
            }
        }
    }
}

fn show(home: &Home, output: Output) -> Result<()> {
    let mut rows = Vec::new();
    for epoch in home.openers()? {
        let key = home.opener(epoch)?.with_context(|| format!("the key of epoch {epoch} went while it was read"))?;
        rows.push((epoch, STANDARD.encode(key.public().to_bytes())));
    }
    let shown: Vec<_> = rows.iter().map(|(epoch, key)| json!({"epoch": epoch.to_string(), "key": key})).collect();
    output.print(&json!({"ok": true, "home": home.path(), "openers": shown}), || match rows.as_slice() {
        [] => format!("{} holds no opener key", home.path().display()),
        rows => rows.iter().map(|(epoch, key)| format!("epoch {epoch}  {key}")).collect::<Vec<_>>().join("\n"),
    })
}

/// A key that is registered now.
pub(crate) struct Registered {
    pub(crate) epoch: u64,
    pub(crate) tx: TxResult,
}

/// Registers the key of an account's next epoch, which is made in this home first: a key that is registered and lost opens
/// nothing.
pub(crate) fn register(home: &Home, client: &Client, key: &Key, days: u64) -> Result<Registered> {
    let account = client.address(key);
    let epoch = latest(client, &account)?.map_or(0, |row| row.epoch.saturating_add(1));
    let opener = home.make_opener(epoch)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock of this machine is before 1970")?;
    let expires = now.as_secs().saturating_add(days.saturating_mul(DAY));
    let message = register_reader(&client.chain().id, &account, epoch, expires, &opener, &random()?);
    Ok(Registered { epoch, tx: client.send(key, vec![any(&message)], GasLimit::Auto)? })
}

/// The key that an account has registered last.
pub(crate) fn latest(client: &Client, account: &str) -> Result<Option<ReaderRow>> {
    Ok(client.ask(&QueryReader { account: account.into(), epoch: 0, latest: true })?)
}

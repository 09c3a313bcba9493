//! `aceso keys`: accounts for tests and demonstrations, in files that are not encrypted.

use std::{io::Read, path::PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{HomeArg, Output};
use crate::{
    address::{new_mnemonic, parse_mnemonic},
    home::{
        Home,
        keys::{self, Key},
    },
};

/// Options of the verb.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  aceso keys add alice\n  aceso keys recover bob --from words.txt\n  aceso keys list --json\n\
    \nThe files under keys/ hold 24 words each and are NOT encrypted: use them for tests only."
)]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    /// What addresses begin with [default: the home's chain's, else aceso].
    #[arg(long, global = true, value_name = "P")]
    prefix: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a new account.
    Add {
        /// Its name.
        name: String,
    },
    /// Keep an account whose words are known.
    Recover {
        /// Its name.
        name: String,
        /// File of the 24 words; without it they are read from standard input.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Print all accounts.
    List,
    /// Print one account.
    Show {
        /// Its name.
        name: String,
    },
}

/// Runs the verb.
pub(crate) fn run(args: Args, output: Output) -> anyhow::Result<()> {
    let home = args.home.home()?;
    let prefix = match args.prefix {
        Some(prefix) => prefix,
        None if home.has_genesis() => home.genesis()?.app.prefix,
        None => "aceso".into(),
    };
    match args.verb {
        Verb::Add { name } => {
            made(&keys::add(&home, &name, &new_mnemonic().map_err(crate::home::HomeError::Random)?)?, &prefix, output)
        }
        Verb::Recover { name, from } => made(&recover(&home, &name, from)?, &prefix, output),
        Verb::Show { name } => {
            let key = keys::show(&home, &name)?;
            output.print(&object(&key, &prefix), || line(&key, &prefix))
        }
        Verb::List => {
            let all = keys::list(&home)?;
            let objects: Vec<_> = all.iter().map(|key| object(key, &prefix)).collect();
            output.print(&json!({"ok": true, "keys": objects}), || {
                if all.is_empty() {
                    return "no keys; make one with `aceso keys add NAME`".into();
                }
                all.iter().map(|key| line(key, &prefix)).collect::<Vec<_>>().join("\n")
            })
        }
    }
}

fn recover(home: &Home, name: &str, from: Option<PathBuf>) -> anyhow::Result<Key> {
    /// More than any 24 words have.
    const TEXT_MAX: u64 = 4096;
    let mnemonic = match from {
        Some(file) => keys::load(&file)?,
        None => {
            let mut text = String::new();
            std::io::stdin().lock().take(TEXT_MAX).read_to_string(&mut text)?;
            parse_mnemonic(&text)?
        }
    };
    Ok(keys::add(home, name, &mnemonic)?)
}

fn made(key: &Key, prefix: &str, output: Output) -> anyhow::Result<()> {
    output.print(&object(key, prefix), || {
        format!("{}\nthe 24 words are in {}, NOT encrypted", line(key, prefix), key.file.display())
    })
}

fn object(key: &Key, prefix: &str) -> Value {
    json!({
        "ok": true,
        "name": key.name,
        "address": key.address(prefix),
        "public_key": crate::rpc::json::base64(&key.public),
        "file": key.file,
        "encrypted": false,
    })
}

fn line(key: &Key, prefix: &str) -> String {
    format!("{}  {}", key.address(prefix), key.name)
}

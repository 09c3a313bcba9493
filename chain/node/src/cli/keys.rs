//! `aceso keys`: accounts in files, encrypted ones and plain ones for tests.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use bip32::Mnemonic;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{HomeArg, Output, passphrase::PassphraseArg};
use crate::{
    address::{new_mnemonic, parse_mnemonic},
    home::{
        Home,
        keys::{self, Key},
        locked::Locked,
        write_new,
    },
};

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  aceso keys add alice --keyring-backend file      encrypted; asks for a passphrase
  aceso keys add alice                             NOT encrypted: for tests only
  aceso keys recover bob --from words.txt
  aceso keys export alice --out alice.json
  aceso keys import alice alice.json --home other --keyring-backend file
  aceso keys list --json

Files lie under keys/: NAME.key holds 24 words encrypted (Argon2id, AES-256-GCM), NAME.mnemonic holds them as they are.
A passphrase comes from --passphrase-file, from ACESO_PASSPHRASE, or from the terminal.")]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    /// What addresses begin with [default: the home's chain's, else aceso].
    #[arg(long, global = true, value_name = "P")]
    prefix: Option<String>,
    /// How new keys are kept.
    #[arg(long, global = true, value_enum, default_value_t = Backend::Test)]
    keyring_backend: Backend,
    #[command(flatten)]
    passphrase: PassphraseArg,
    #[command(subcommand)]
    verb: Verb,
}

/// How keys are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// Encrypted by a passphrase.
    File,
    /// Plain, for tests.
    Test,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a new account.
    Add {
        /// Its name.
        name: String,
        /// Bring an account back from its 24 words, read from standard input.
        #[arg(long)]
        recover: bool,
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
        /// Print the address alone.
        #[arg(long, short)]
        address: bool,
    },
    /// Write an account's words, encrypted by a passphrase of the file's own.
    Export {
        /// Its name.
        name: String,
        /// The file to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The passphrase of the exported file, in a file [default: the same as the key's].
        #[arg(long, value_name = "FILE")]
        export_passphrase_file: Option<PathBuf>,
    },
    /// Keep an account that was exported.
    Import {
        /// Its name.
        name: String,
        /// The exported file.
        file: PathBuf,
    },
    /// Remove an account's file. Without its words or an export the account is lost.
    Delete {
        /// Its name.
        name: String,
        /// Do it.
        #[arg(long, short = 'y')]
        yes: bool,
    },
}

/// Runs the verb.
pub(crate) fn run(args: Args, output: Output) -> Result<()> {
    let home = args.home.home()?;
    let prefix = match args.prefix {
        Some(prefix) => prefix,
        None if home.has_genesis() => home.genesis()?.app.prefix,
        None => "aceso".into(),
    };
    let keep = |name: &str, words: &Mnemonic| -> Result<()> {
        let key = match args.keyring_backend {
            Backend::File => keys::add_encrypted(&home, name, words, &args.passphrase.choose(name)?)?,
            Backend::Test => keys::add(&home, name, words)?,
        };
        made(&key, &prefix, output)
    };
    match args.verb {
        Verb::Add { name, recover: false } => keep(&name, &new_mnemonic().map_err(crate::home::HomeError::Random)?),
        Verb::Add { name, recover: true } => keep(&name, &recovered(None)?),
        Verb::Recover { name, from } => keep(&name, &recovered(from.as_deref())?),
        Verb::Import { name, file } => {
            let words = keys::words(&file, || args.passphrase.ask(&file.display().to_string()))?;
            keep(&name, &words)
        }
        Verb::Show { name, address } => {
            let key = keys::show(&home, &name)?;
            output.print(&object(&key, &prefix), || match address {
                true => key.address(&prefix),
                false => line(&key, &prefix),
            })
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
        Verb::Export { name, out, export_passphrase_file } => {
            let key = keys::show(&home, &name)?;
            export(&key, &out, export_passphrase_file, &args.passphrase)?;
            let object = json!({"ok": true, "name": name, "file": out, "encrypted": true});
            output.print(&object, || format!("{name} is in {}, encrypted", out.display()))
        }
        Verb::Delete { name, yes } => {
            let key = keys::show(&home, &name)?;
            ensure!(yes, "{} holds the words of {name}; say --yes to remove it for good", key.file.display());
            keys::remove(&home, &name)?;
            output.print(&object(&key, &prefix), || format!("{name} is gone"))
        }
    }
}

fn export(key: &Key, out: &Path, other: Option<PathBuf>, passphrase: &PassphraseArg) -> Result<()> {
    ensure!(!out.exists(), "{} is there already; name another file", out.display());
    let words = keys::words(&key.file, || passphrase.ask(&key.name))?;
    let chosen = match other {
        Some(file) => PassphraseArg::of(file),
        None => passphrase.clone(),
    };
    let locked = Locked::seal(&words, &chosen.choose(&out.display().to_string())?)?;
    Ok(write_new(out, &locked.to_bytes(), true)?)
}

fn recovered(from: Option<&Path>) -> Result<Mnemonic> {
    /// More than any 24 words have.
    const TEXT_MAX: u64 = 4096;
    match from {
        Some(file) => Ok(keys::load(file)?),
        None => {
            let mut text = String::new();
            std::io::stdin().lock().take(TEXT_MAX).read_to_string(&mut text)?;
            Ok(parse_mnemonic(&text)?)
        }
    }
}

/// The words of a key: of a file of words, or of a name in a home.
pub(super) fn words_of(
    from: &str,
    home: impl FnOnce() -> Result<Home>,
    passphrase: &PassphraseArg,
) -> Result<Mnemonic> {
    let path = Path::new(from);
    if path.is_file() {
        return keys::words(path, || passphrase.ask(from)).with_context(|| format!("cannot use {from}"));
    }
    // A name has no slash and no dot; what has is a file that is not there.
    ensure!(!from.contains(['/', '.']), "cannot read {from}: there is no such file");
    let key = keys::show(&home()?, from)?;
    keys::words(&key.file, || passphrase.ask(from)).with_context(|| format!("cannot use {}", key.file.display()))
}

fn made(key: &Key, prefix: &str, output: Output) -> Result<()> {
    output.print(&object(key, prefix), || {
        let kept = if key.encrypted { "encrypted" } else { "NOT encrypted" };
        format!("{}\nthe 24 words are in {}, {kept}", line(key, prefix), key.file.display())
    })
}

fn object(key: &Key, prefix: &str) -> Value {
    json!({
        "ok": true,
        "name": key.name,
        "address": key.address(prefix),
        "public_key": crate::rpc::json::base64(&key.public),
        "file": key.file,
        "encrypted": key.encrypted,
    })
}

fn line(key: &Key, prefix: &str) -> String {
    format!("{}  {}", key.address(prefix), key.name)
}

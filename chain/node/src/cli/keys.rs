//! `aceso keys`: accounts in files, encrypted ones and plain ones for tests.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use aceso_app::paper;
use aceso_client::cosmos_any;
use anyhow::{Context, Result, anyhow, ensure};
use bip32::Mnemonic;
use clap::{Subcommand, ValueEnum};
use cosmos_sdk_proto::{Any, cosmos::crypto::multisig::LegacyAminoPubKey};
use serde_json::{Value, json};

use super::{HomeArg, Output, passphrase::PassphraseArg};
use crate::{
    address::{new_mnemonic, parse_mnemonic},
    home::{
        Home,
        keys::{self, Kept, Key},
        locked::Locked,
        write_new,
    },
};

/// What whoever wants no passphrase should know.
const UNSAID: &str = "a new key is encrypted; one for tests is not, with --keyring-backend test";

/// Options of the verb.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  aceso keys add alice                             encrypted; asks for a passphrase
  aceso keys add alice --keyring-backend test      NOT encrypted: for tests only
  aceso keys recover bob --from words.txt
  aceso keys export alice --out alice.json
  aceso keys import alice alice.json --home other
  aceso keys add group --multisig alice,bob,carol --multisig-threshold 2
  aceso keys add carol --pubkey \"$(cat carol.pub)\"   carol shows it: aceso keys show carol --pubkey
  aceso keys list --json

Files lie under keys/: NAME.key holds 24 words encrypted (Argon2id, AES-256-GCM), NAME.mnemonic holds them as they are, NAME.pub
holds a public key alone.
A passphrase comes from --passphrase-file, from ACESO_PASSPHRASE, or from the terminal.")]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    /// What addresses begin with [default: the home's chain's, else aceso].
    #[arg(long, global = true, value_name = "P")]
    prefix: Option<String>,
    /// How new keys are kept.
    #[arg(long, global = true, value_enum, default_value_t = Backend::File)]
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

impl Backend {
    /// Whether a key is kept so.
    pub(super) fn is(self, kept: Kept) -> bool {
        kept == match self {
            Self::File => Kept::Encrypted,
            Self::Test => Kept::Plain,
        }
    }
}

#[derive(Subcommand)]
enum Verb {
    /// Make a new account, or give a public key a name.
    Add {
        /// Its name.
        name: String,
        /// Bring an account back from its 24 words, read from standard input.
        #[arg(long, conflicts_with_all = ["multisig", "pubkey"])]
        recover: bool,
        /// An account of several: the names of its keys, with commas.
        #[arg(long, value_delimiter = ',', value_name = "NAMES", conflicts_with = "pubkey")]
        multisig: Vec<String>,
        /// How many of them have to sign.
        #[arg(long, default_value_t = 1, value_name = "K", requires = "multisig")]
        multisig_threshold: u32,
        /// Take the keys in the order in which they are named, not by their addresses: that makes another account.
        #[arg(long, requires = "multisig")]
        nosort: bool,
        /// Somebody else's public key in JSON, as `aceso keys show NAME --pubkey` prints it.
        #[arg(long, value_name = "JSON")]
        pubkey: Option<String>,
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
        /// Print the public key alone, in JSON.
        #[arg(long, short, conflicts_with = "address")]
        pubkey: bool,
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
            Backend::File => {
                let passphrase = args.passphrase.choose(name).context(UNSAID)?;
                keys::add_encrypted(&home, name, words, &passphrase)?
            }
            Backend::Test => keys::add(&home, name, words)?,
        };
        made(&key, &prefix, output)
    };
    match args.verb {
        Verb::Add { name, recover: true, .. } => keep(&name, &recovered(None)?),
        Verb::Add { name, pubkey: Some(json), .. } => {
            let key = keys::read_public(&json).map_err(|reason| anyhow!("{json:?} is no public key: {reason}"))?;
            made(&keys::add_public(&home, &name, &key)?, &prefix, output)
        }
        Verb::Add { name, multisig, multisig_threshold, nosort, .. } if !multisig.is_empty() => {
            let key = several(&home, &multisig, multisig_threshold, nosort)?;
            made(&keys::add_public(&home, &name, &key)?, &prefix, output)
        }
        Verb::Add { name, .. } => keep(&name, &new_mnemonic().map_err(crate::home::HomeError::Random)?),
        Verb::Recover { name, from } => keep(&name, &recovered(from.as_deref())?),
        Verb::Import { name, file } => {
            let words = keys::words(&file, || args.passphrase.ask(&file.display().to_string()))?;
            keep(&name, &words)
        }
        Verb::Show { name, address, pubkey } => {
            let key = keys::show(&home, &name)?;
            output.print(&object(&key, &prefix), || match (address, pubkey) {
                (true, _) => key.address(&prefix),
                (_, true) => public(&key).to_string(),
                _ => line(&key, &prefix),
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
    let words = key.words(|| passphrase.ask(&key.name))?;
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
    key.words(|| passphrase.ask(from)).with_context(|| format!("cannot use {}", key.file.display()))
}

/// The key of several accounts of a home, in the order of their addresses as the Cosmos SDK has it.
fn several(home: &Home, names: &[String], threshold: u32, nosort: bool) -> Result<Any> {
    let mut members = Vec::new();
    for name in names {
        let key = keys::show(home, name)?;
        let (_, bytes) = bech32::decode(&key.address("aceso"))?;
        members.push((bytes, key.public));
    }
    if !nosort {
        members.sort_by(|one, other| one.0.cmp(&other.0));
    }
    let public_keys = members.into_iter().map(|(_, key)| key).collect();
    let key = cosmos_any(&LegacyAminoPubKey { threshold, public_keys });
    paper::address_of(&key, "aceso").map_err(anyhow::Error::msg)?;
    Ok(key)
}

fn made(key: &Key, prefix: &str, output: Output) -> Result<()> {
    output.print(&object(key, prefix), || {
        let said = match key.kept {
            Kept::Encrypted => "the 24 words are encrypted",
            Kept::Plain => "the 24 words are NOT encrypted",
            Kept::Public => "the public key is there, without words",
        };
        format!("{}\n{said}: {}", line(key, prefix), key.file.display())
    })
}

/// The public key in JSON.
fn public(key: &Key) -> Value {
    keys::public_json(&key.public).ok().and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
}

fn object(key: &Key, prefix: &str) -> Value {
    let public = public(key);
    json!({
        "ok": true,
        "name": key.name,
        "address": key.address(prefix),
        "public_key": public["key"],
        "pubkey": public,
        "file": key.file,
        "encrypted": key.kept == Kept::Encrypted,
    })
}

fn line(key: &Key, prefix: &str) -> String {
    format!("{}  {}", key.address(prefix), key.name)
}

//! Verbs that speak to a running node as any other client does, through the public client SDK.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use aceso_client::{Client, Key};
use aceso_types::Frame;
use anyhow::{Context, Result, ensure};
use clap::Args;
use cosmos_sdk_proto::Any;

use super::{
    HomeArg,
    keys::{Backend, words_of},
    passphrase::PassphraseArg,
};
use crate::{address::is_address, home::keys};

mod allow;
pub(crate) mod attester;
pub(crate) mod authority;
pub(crate) mod authz;
pub(crate) mod blob;
mod chain;
mod compact;
pub(crate) mod image;
pub(crate) mod insurance;
mod job;
pub(crate) mod model;
mod offline;
pub(crate) mod opener;
pub(crate) mod patient;
pub(crate) mod query;
pub(crate) mod read;
pub(crate) mod sealed;
pub(crate) mod sponsor;
pub(crate) mod tx;
mod verbs;

/// Where the node is.
#[derive(Args, Clone, Debug)]
pub(crate) struct At {
    /// The node's RPC port.
    #[arg(long, alias = "rpc", default_value = "http://127.0.0.1:26657", value_name = "URL", global = true)]
    node: String,
    /// The node's REST port.
    #[arg(long, default_value = "http://127.0.0.1:1317", value_name = "URL", global = true)]
    rest: String,
}

/// Whose key signs.
#[derive(Args, Clone, Debug)]
pub(crate) struct Signer {
    /// The key that signs: a name of `aceso keys`, or a file with its 24 words.
    #[arg(long, value_name = "KEY", global = true)]
    from: Option<String>,
    /// The home whose keys/ has that name [default: ~/.aceso].
    #[arg(long, value_name = "DIR", global = true)]
    keyring_dir: Option<PathBuf>,
    /// How it has to be kept there; the home knows by itself how it is.
    #[arg(long, value_enum, value_name = "HOW", global = true)]
    keyring_backend: Option<Backend>,
    #[command(flatten)]
    passphrase: PassphraseArg,
}

impl At {
    pub(crate) fn connect(&self) -> Result<Client> {
        Ok(Client::connect(&self.node, &self.rest)?)
    }
}

impl Signer {
    /// Whether a key is named.
    pub(crate) fn is_named(&self) -> bool {
        self.from.is_some()
    }

    /// The same, where `--from` names nobody, of the key that a verb names.
    pub(crate) fn or(self, from: &str) -> Self {
        Self { from: self.from.or_else(|| Some(from.to_owned())), ..self }
    }

    /// The public key of that name, where it is known without asking for a passphrase.
    fn public(&self) -> Option<Any> {
        self.named(self.from.as_ref()?).ok().map(|key| key.public)
    }

    /// What a name stands for: the address that it is, or that of the key with this name.
    fn account(&self, name: &str, prefix: &str) -> Result<String> {
        if is_address(name, prefix) { Ok(name.to_owned()) } else { Ok(self.named(name)?.address(prefix)) }
    }

    /// The key of a name.
    fn named(&self, name: &str) -> Result<keys::Key> {
        Ok(keys::show(&HomeArg::of(self.keyring_dir.clone()).home()?, name)?)
    }

    pub(crate) fn key(&self) -> Result<Key> {
        let from = self.from.as_ref().context("say whose key signs: --from KEY, a name or a file of 24 words")?;
        let home = || HomeArg::of(self.keyring_dir.clone()).home();
        if let Some(backend) = self.keyring_backend.filter(|_| !Path::new(from).is_file()) {
            let kept = self.named(from)?.kept;
            ensure!(backend.is(kept), "{from} is kept otherwise than --keyring-backend says; leave it out");
        }
        let words = words_of(from, home, &self.passphrase)?;
        Key::from_mnemonic(words.phrase()).with_context(|| format!("cannot use {from}"))
    }

    /// Who sends: the address that `--from` is, or that of its key. No passphrase is asked for.
    pub(crate) fn address(&self, prefix: &str) -> Result<String> {
        let from = self.from.as_ref().context("say who sends: --from KEY, or an address where nothing is signed")?;
        if Path::new(from).is_file() {
            return Ok(self.key()?.address(prefix));
        }
        self.account(from, prefix)
    }
}

/// Names the frame in a contract's message, where it is not the first: contracts that know of no frames are told of none.
fn name_frame(fields: &mut serde_json::Value, frame: Frame) {
    if !frame.is_first() {
        fields["frame"] = frame.number().into();
    }
}

/// A file's bytes; `-` is standard input.
pub(crate) fn file(path: &PathBuf) -> Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
        return Ok(bytes);
    }
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// JSON that a user has typed, or a file that holds it after `@`.
pub(crate) fn typed(text: &str) -> Result<serde_json::Value> {
    let bytes = match text.strip_prefix('@') {
        Some(path) => file(&path.into())?,
        None => text.as_bytes().to_vec(),
    };
    serde_json::from_slice(&bytes).with_context(|| format!("{text} is not JSON"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_contract_is_told_of_frames_where_it_has_to_know() {
        let message = |frame: &str| {
            let mut fields = json!({"policy": 1});
            name_frame(&mut fields, frame.parse().unwrap());
            fields
        };
        assert_eq!(message("1"), json!({"policy": 1}));
        assert_eq!(message("3"), json!({"policy": 1, "frame": 3}));
    }
}

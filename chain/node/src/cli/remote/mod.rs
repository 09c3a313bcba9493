//! Verbs that speak to a running node as any other client does, through the public client SDK.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use aceso_app::paper;
use aceso_client::{Client, Key};
use aceso_types::Frame;
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use cosmos_sdk_proto::Any;
use serde::de::IgnoredAny;

use super::{
    HomeArg,
    keys::{Backend, words_of},
    passphrase::PassphraseArg,
};
use crate::{
    address::{is_address, prefix_of},
    home::keys,
};

mod allow;
pub(crate) mod attester;
pub(crate) mod authority;
pub(crate) mod authz;
mod batch;
pub(crate) mod blob;
mod chain;
mod compact;
mod grant;
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
mod signatures;
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
    /// The key that signs: a name of `aceso keys`, its address, or a file with its 24 words.
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

    /// The same of the sender that a verb names. `--from` beside it has to name the same account.
    fn or(self, sender: &str, prefix: &str) -> Result<Self> {
        let from = match self.from.as_deref() {
            None => sender,
            Some(from) if from == sender => from,
            Some(from) => {
                let (said, named) = (self.account(from, prefix)?, self.account(sender, prefix)?);
                ensure!(
                    said == named,
                    "{sender} ({named}) is named as the sender, and --from names {from} ({said}); leave --from out, or \
                     name the same account"
                );
                // An address does not say where its key is.
                if is_address(from, prefix) { sender } else { from }
            }
        };
        let from = Some(from.to_owned());
        Ok(Self { from, ..self })
    }

    /// The public key of `--from`, where it is known without asking for a passphrase.
    fn public(&self) -> Option<Any> {
        self.public_of(self.from.as_ref()?).ok()
    }

    fn public_of(&self, name: &str) -> Result<Any> {
        let path = Path::new(name);
        if path.is_file() { Ok(keys::public_of(path)?) } else { Ok(self.named(name)?.public) }
    }

    /// What a name stands for: the address that it is, or that of the key with this name or in this file. No passphrase is
    /// asked for.
    fn account(&self, name: &str, prefix: &str) -> Result<String> {
        if is_address(name, prefix) {
            return Ok(name.to_owned());
        }
        paper::address_of(&self.public_of(name)?, prefix).map_err(anyhow::Error::msg)
    }

    /// The key of a name, or of an address.
    fn named(&self, name: &str) -> Result<keys::Key> {
        let home = HomeArg::of(self.keyring_dir.clone()).home()?;
        let prefix = prefix_of(name);
        if !is_address(name, prefix) {
            return Ok(keys::show(&home, name)?);
        }
        let found = keys::list(&home)?.into_iter().find(|key| key.address(prefix) == name);
        found.with_context(|| format!("no key in {} has the address {name}", home.keys_dir().display()))
    }

    pub(crate) fn key(&self) -> Result<Key> {
        let from = self.from.as_ref().context("say whose key signs: --from KEY, a name or a file of 24 words")?;
        let home = || HomeArg::of(self.keyring_dir.clone()).home();
        let is_path = Path::new(from).is_file() || from.contains(['/', '.']);
        let name = if is_path {
            from.clone()
        } else {
            let key = self.named(from)?;
            let fits = self.keyring_backend.is_none_or(|backend| backend.is(key.kept));
            ensure!(fits, "{from} is kept otherwise than --keyring-backend says; leave it out");
            key.name
        };
        let words = words_of(&name, home, &self.passphrase)?;
        Key::from_mnemonic(words.phrase()).with_context(|| format!("cannot use {from}"))
    }

    /// Who sends: the address that `--from` is, or that of its key. No passphrase is asked for.
    pub(crate) fn address(&self, prefix: &str) -> Result<String> {
        let from = self.from.as_ref().context("say who sends: --from KEY, or an address where nothing is signed")?;
        self.account(from, prefix)
    }
}

/// How a text stands for bytes.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Encoding {
    /// The bytes are those of the text.
    #[arg(long, conflicts_with_all = ["hex", "b64"])]
    ascii: bool,
    /// They are in hexadecimal.
    #[arg(long, conflicts_with = "b64")]
    hex: bool,
    /// They are in base64.
    #[arg(long)]
    b64: bool,
}

impl Encoding {
    /// Whether nothing is said.
    fn is_unsaid(self) -> bool {
        !(self.ascii || self.hex || self.b64)
    }

    /// The bytes; hexadecimal where nothing is said. `what` is their name in a sentence.
    fn bytes(self, what: &str, text: &str) -> Result<Vec<u8>> {
        match self {
            Self { ascii: true, .. } => Ok(text.as_bytes().to_vec()),
            Self { b64: true, .. } => {
                STANDARD.decode(text).with_context(|| format!("the {what} {text:?} is not base64"))
            }
            _ => hex::decode(text)
                .with_context(|| format!("the {what} {text:?} is not hexadecimal; --ascii takes it as text")),
        }
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
    serde_json::from_slice(&at(text)?).with_context(|| format!("{text} is not JSON"))
}

/// The same as it was typed, byte for byte: a grant may be for these bytes alone, and an address be made of them.
fn verbatim(text: &str) -> Result<Vec<u8>> {
    let bytes = String::from_utf8(at(text)?).with_context(|| format!("{text} is not text"))?;
    let trimmed = bytes.trim();
    serde_json::from_str::<IgnoredAny>(trimmed).with_context(|| format!("{text} is not JSON"))?;
    Ok(trimmed.as_bytes().to_vec())
}

fn at(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix('@') {
        Some(path) => file(&path.into()),
        None => Ok(text.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_sent_as_it_was_typed() {
        assert_eq!(verbatim(" {\"b\":1, \"a\":1e400}\n").unwrap(), b"{\"b\":1, \"a\":1e400}");
        for wrong in ["", "{", "{} {}", "@/nowhere"] {
            assert!(verbatim(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_are_hexadecimal_unless_said_otherwise() {
        let as_said = |ascii, hex, b64| Encoding { ascii, hex, b64 };
        let unsaid = Encoding::default();
        assert!(unsaid.is_unsaid() && !as_said(false, true, false).is_unsaid());
        let seven = |encoding: Encoding, text: &str| encoding.bytes("key", text).unwrap() == b"7";
        assert!(seven(unsaid, "37") && seven(as_said(false, true, false), "37"));
        assert!(seven(as_said(true, false, false), "7") && seven(as_said(false, false, true), "Nw=="));
        let refused = as_said(false, false, true).bytes("key", "*").unwrap_err().to_string();
        assert_eq!(refused, "the key \"*\" is not base64");
    }

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

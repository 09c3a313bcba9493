//! Transactions in files: read, signed, shown.

use std::path::{Path, PathBuf};

use aceso_client::{Account, Draft};
use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use cosmos_sdk_proto::cosmos::tx::v1beta1::Tx;
use prost::Message;

use super::{At, Signer, file, tx::print_tx};
use crate::{cli::Output, rest::gateway};

/// Signs a transaction of a file.
#[derive(Args, Debug)]
pub(super) struct Sign {
    /// The transaction in JSON; - is standard input.
    tx: PathBuf,
    /// Ask no node: the chain's name, the account's number and its sequence are named.
    #[arg(long, requires_all = ["account_number", "sequence"])]
    offline: bool,
    /// The account's number.
    #[arg(long, value_name = "N", requires = "offline")]
    account_number: Option<u64>,
    /// The sequence of the account's next transaction.
    #[arg(long, value_name = "N", requires = "offline")]
    sequence: Option<u64>,
}

impl Sign {
    pub(super) fn run(&self, at: &At, signer: &Signer, chain_id: Option<&str>, output: Output) -> Result<()> {
        let draft = Draft::of(&read(&self.tx)?);
        let draft = draft.with_context(|| format!("{} has no body or no fee", self.tx.display()))?;
        let key = signer.key()?;
        let (chain, account) = match (chain_id, self.account_number, self.sequence) {
            (Some(chain), Some(number), Some(sequence)) => (chain.to_owned(), Account { number, sequence }),
            (None, Some(_), Some(_)) => bail!("say for which chain: --chain-id ID"),
            _ => {
                let client = at.connect()?;
                let id = client.chain().id.clone();
                if chain_id.is_some_and(|wanted| wanted != id) {
                    bail!("the node is on {id}, not on {}", chain_id.unwrap_or_default());
                }
                (id, client.account(&client.address(&key))?)
            }
        };
        let signed = draft.sign(&chain, &key, &account);
        print_tx(output, &Tx::decode(&signed[..])?)
    }
}

/// Reads a transaction in JSON.
pub(super) fn read(path: &PathBuf) -> Result<Tx> {
    let text = String::from_utf8(file(path)?).with_context(|| format!("{} is not text", path.display()))?;
    let named = |reason: String| anyhow::anyhow!("{} is no transaction in JSON: {reason}", Path::display(path));
    let bytes = gateway::from_json("cosmos.tx.v1beta1.Tx", &text).map_err(named)?;
    Ok(Tx::decode(&bytes[..])?)
}

/// Reads a transaction in base64.
pub(super) fn decoded(text: &str) -> Result<Tx> {
    let bytes = STANDARD.decode(text.trim()).context("this is not base64")?;
    Tx::decode(&bytes[..]).context("this is no transaction")
}

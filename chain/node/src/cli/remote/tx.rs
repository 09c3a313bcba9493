//! `aceso tx …`: transactions.

use std::path::PathBuf;

use aceso_client::{GasLimit, TxResult};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{At, Signer, file, typed};
use crate::cli::Output;

/// Sends a transaction and waits until it is in a block.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso tx send aceso1… 1000uaceso --from alice.words
  aceso tx store contract.wasm --from alice.words
  aceso tx instantiate 1 '{}' --label consent --from alice.words
  aceso tx execute aceso1… '{\"revoke\":{\"grant\":1}}' --from alice.words")]
pub(crate) struct Tx {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    signer: Signer,
    /// Gas limit; simulated if not given.
    #[arg(long, global = true)]
    gas: Option<u64>,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Sends coins to an address.
    Send {
        /// To whom.
        to: String,
        /// How many, such as 1000uaceso.
        coins: String,
    },
    /// Uploads a contract.
    Store {
        /// The wasm file.
        wasm: PathBuf,
    },
    /// Makes a contract of uploaded code.
    Instantiate {
        /// The code's number.
        code: u64,
        /// The message in JSON, or @FILE.
        msg: String,
        /// A name for people.
        #[arg(long)]
        label: String,
    },
    /// Executes a contract.
    Execute {
        /// The contract's address.
        contract: String,
        /// The message in JSON, or @FILE.
        msg: String,
        /// Coins for the contract, such as 1000uaceso.
        #[arg(long)]
        amount: Option<String>,
    },
}

impl Tx {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let (client, key) = (self.at.connect()?, self.signer.key()?);
        let sender = client.address(&key);
        let coins = |text: &str| amount(text, &client.chain().denom);
        let message = match &self.verb {
            Verb::Send { to, coins: text } => client.msg_send(&sender, to, coins(text)?),
            Verb::Store { wasm } => client.msg_store(&sender, &file(wasm)?),
            Verb::Instantiate { code, msg, label } => client.msg_instantiate(&sender, *code, label, &typed(msg)?),
            Verb::Execute { contract, msg, amount } => {
                let funds = amount.as_deref().map_or(Ok(0), coins)?;
                client.msg_execute(&sender, contract, &typed(msg)?, funds)
            }
        };
        let gas = self.gas.map_or(GasLimit::Auto, GasLimit::Fixed);
        let tx = client.send(&key, vec![message], gas)?;
        let created = match self.verb {
            Verb::Store { .. } => tx.attribute("store_code", "code_id").map(|code| ("code_id", code)),
            Verb::Instantiate { .. } => {
                tx.attribute("instantiate", "_contract_address").map(|contract| ("contract", contract))
            }
            Verb::Send { .. } | Verb::Execute { .. } => None,
        };
        report(output, &tx, created)
    }
}

/// Says where a transaction is, and what it made.
pub(super) fn report(output: Output, tx: &TxResult, created: Option<(&str, &str)>) -> Result<()> {
    let mut object = json!({"ok": true, "tx": tx.hash, "height": tx.height, "gas_used": tx.gas_used});
    if let Some((name, value)) = created {
        object[name] = value.into();
    }
    output.print(&object, || {
        let made = created.map(|(name, value)| format!("{name} {value}\n")).unwrap_or_default();
        format!("{made}in block {} as {} for {} gas", tx.height, tx.hash, tx.gas_used)
    })
}

/// `1000uaceso`, in the chain's coin.
pub(super) fn amount(text: &str, denom: &str) -> Result<u128> {
    let digits = text.strip_suffix(denom).with_context(|| format!("{text} is not an amount of {denom}"))?;
    match digits.parse() {
        Ok(amount) => Ok(amount),
        Err(_) => bail!("{text} is not an amount, such as 1000{denom}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        assert_eq!(amount("1000uaceso", "uaceso").unwrap(), 1000);
        for text in ["1000", "uaceso", "-1uaceso", "1.5uaceso", "1 uaceso", "5uother"] {
            assert!(amount(text, "uaceso").is_err(), "{text}");
        }
    }
}

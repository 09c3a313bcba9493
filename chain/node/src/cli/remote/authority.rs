//! `aceso authority …`: what the chain's authority says, signed by its key or written down for a contract to say.

use aceso_client::{GasLimit, any};
use aceso_types::msg::{MsgCancelUpgrade, MsgScheduleUpgrade, MsgSetValidator, MsgUpdateParams, Named};
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{At, Signer, tx::report, typed};
use crate::cli::Output;

/// Changes validators, parameters and upgrades, as the chain's authority.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso authority validator 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= 10 --from authority.words
  aceso authority params '{\"downtime_power_cut_bps\":100}' --from authority.words
  aceso authority upgrade second-opinion 120000 --as aceso1…   the message, for a proposal of that contract")]
pub(crate) struct Authority {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    signer: Signer,
    /// Sends nothing, and prints the message as a contract that is the authority sends it.
    #[arg(long = "as", value_name = "CONTRACT", global = true, conflicts_with = "from")]
    contract: Option<String>,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Adds a validator, or gives one another power.
    Validator {
        /// Its consensus key (ed25519) in base64, as CometBFT writes it.
        key: String,
        /// Its power; 0 removes it.
        power: u64,
        /// The account that may register its attestation keys.
        #[arg(long, default_value = "", hide_default_value = true)]
        operator: String,
        /// A name for people.
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
    },
    /// Changes parameters; what is not named stays.
    Params {
        /// Parameters with their new values: a JSON object, or @FILE.
        params: String,
        /// Consensus parameters with theirs, such as {"block_gas":100000000}.
        #[arg(long, value_name = "JSON")]
        consensus: Option<String>,
    },
    /// Schedules an upgrade.
    Upgrade {
        /// Its name.
        name: String,
        /// The first block by its rules.
        height: u64,
        /// For operators, such as where the binary is.
        #[arg(long, default_value = "", hide_default_value = true)]
        info: String,
    },
    /// Takes the scheduled upgrade back.
    CancelUpgrade,
}

impl Authority {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        if let Some(contract) = &self.contract {
            let (type_url, value) = self.verb.message(contract)?;
            let object = json!({"any": {"type_url": type_url, "value": STANDARD.encode(value)}});
            return output.print(&object, || object.to_string());
        }
        let (client, key) = (self.at.connect()?, self.signer.key()?);
        let (type_url, value) = self.verb.message(&client.address(&key))?;
        let message = cosmos_sdk_proto::Any { type_url: type_url.into(), value };
        report(output, &client.send(&key, vec![message], GasLimit::Auto)?, None)
    }
}

impl Verb {
    /// The message of an authority: its type URL and its bytes.
    fn message(&self, authority: &str) -> Result<(&'static str, Vec<u8>)> {
        let authority = authority.to_owned();
        Ok(match self {
            Self::Validator { key, power, operator, name } => {
                let consensus_key = STANDARD.decode(key).ok().filter(|key| key.len() == 32);
                let consensus_key = consensus_key.with_context(|| format!("{key} is not 32 bytes in base64"))?;
                let (power, operator, name) = (*power, operator.clone(), name.clone());
                packed(&MsgSetValidator { authority, consensus_key, power, operator, name })
            }
            Self::Params { params, consensus } => {
                let params = typed(params)?.to_string().into_bytes();
                let consensus = consensus.as_deref().map(typed).transpose()?;
                let consensus = consensus.map(|changes| changes.to_string().into_bytes()).unwrap_or_default();
                packed(&MsgUpdateParams { authority, params, consensus })
            }
            Self::Upgrade { name, height, info } => {
                let (name, height, info) = (name.clone(), *height, info.clone());
                packed(&MsgScheduleUpgrade { authority, name, height, info })
            }
            Self::CancelUpgrade => packed(&MsgCancelUpgrade { authority }),
        })
    }
}

fn packed<M: Named>(message: &M) -> (&'static str, Vec<u8>) {
    (M::TYPE_URL, any(message).value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_checked_before_it_is_sent() {
        let verb = |key: &str| Verb::Validator { key: key.into(), power: 1, operator: "".into(), name: "".into() };
        assert!(verb(&STANDARD.encode([1; 32])).message("a").is_ok());
        for key in ["", "x", &STANDARD.encode([1; 31])] {
            assert!(verb(key).message("a").is_err(), "{key}");
        }
        assert!(Verb::Params { params: "{".into(), consensus: None }.message("a").is_err());
    }
}

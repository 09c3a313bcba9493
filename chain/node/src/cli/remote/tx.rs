//! `aceso tx …`: transactions, by the names that wasmd has for them.

use std::path::PathBuf;

use aceso_client::{Client, GasLimit, GasPrice, Pays, Terms, TxResult};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use cosmos_sdk_proto::{Any, cosmos::base::v1beta1::Coin};
use prost::Message as _;
use serde_json::json;

use super::{
    At, Signer,
    allow::{Authz, Feegrant},
    batch, offline,
    verbs::{Bank, Wasm},
};
use crate::{cli::Output, home::genesis::parse_coins, rest::gateway};

/// Sends a transaction and waits until it is in a block.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso tx bank send alice aceso1… 1000uaceso
  aceso tx wasm store contract.wasm --from alice
  aceso tx wasm instantiate 1 '{}' --label consent --no-admin --from alice --gas-prices 0.025uaceso
  aceso tx wasm execute aceso1… '{\"revoke\":{\"grant\":1}}' --amount 5uaceso --from alice.words --note hello
  aceso tx wasm execute aceso1… '{}' --from alice --dry-run
  aceso tx bank send aceso1… aceso1… 5uaceso --generate-only > unsigned.json
  aceso tx sign unsigned.json --from alice > signed.json
  aceso tx sign unsigned.json --from alice --output-document signed.json
  aceso tx validate-signatures signed.json
  aceso tx broadcast signed.json
  aceso tx sign unsigned.json --multisig group --from alice > alice.json
  aceso tx multisign unsigned.json group alice.json bob.json > signed.json
  aceso tx sign-batch many.json --from alice --output-document signed.json
  aceso tx bank send alice aceso1… 5uaceso --fee-payer aceso1… --generate-only > unsigned.json
  aceso tx sign unsigned.json --from alice > half.json
  aceso tx sign half.json --from payer > signed.json
  aceso tx authz grant aceso1… send --spend-limit 1000000uaceso --from alice
  aceso tx wasm grant contract aceso1… execution CONTRACT --allow-msg-keys claim --max-calls 5 --no-token-transfer \\
    --expiration 1893456000 --from alice
  aceso tx wasm grant store-code aceso1… 13a1…:everybody --from alice
  aceso tx feegrant grant alice aceso1… --spend-limit 1000000uaceso

`send`, `store`, `instantiate` and `execute` are short for those of bank and wasm.")]
pub(crate) struct Tx {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    terms: Asked,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Send coins.
    Bank {
        #[command(subcommand)]
        verb: Bank,
    },
    /// Store, make, run and change contracts.
    Wasm {
        #[command(subcommand)]
        verb: Wasm,
    },
    /// Let others send messages for you, and send messages for others.
    Authz {
        #[command(subcommand)]
        verb: Authz,
    },
    /// Pay the fees of others.
    Feegrant {
        #[command(subcommand)]
        verb: Feegrant,
    },
    /// Send coins to an address.
    Send {
        /// To whom.
        to: String,
        /// How many, such as 1000uaceso.
        coins: String,
    },
    /// Upload a contract.
    Store {
        /// The wasm file.
        wasm: PathBuf,
    },
    /// Make a contract of uploaded code; its admin is the sender.
    Instantiate {
        /// The code's number.
        code: u64,
        /// The message in JSON, or @FILE.
        msg: String,
        /// A name for people.
        #[arg(long)]
        label: String,
    },
    /// Execute a contract.
    Execute {
        /// The contract's address.
        contract: String,
        /// The message in JSON, or @FILE.
        msg: String,
        /// Coins for the contract, such as 1000uaceso.
        #[arg(long)]
        amount: Option<String>,
    },
    /// Sign a transaction that --generate-only has written.
    Sign(offline::Sign),
    /// Put the signatures of several keys into the transaction of their account.
    #[command(visible_alias = "multi-sign")]
    Multisign(offline::Multisign),
    /// Sign many transactions, each for the sequence after the one before.
    SignBatch(batch::SignBatch),
    /// Put the signatures of several keys into many transactions of their account.
    #[command(visible_alias = "multi-sign-batch")]
    MultisignBatch(batch::MultisignBatch),
    /// Say what gas a transaction of a file would use, signed or not.
    Simulate {
        /// The transaction in JSON; - is standard input.
        tx: PathBuf,
    },
    /// Check that all have signed who have to.
    ValidateSignatures(offline::Validate),
    /// Send a signed transaction.
    Broadcast {
        /// Its file; - is standard input.
        tx: PathBuf,
    },
    /// Print a transaction in base64, as it travels.
    Encode {
        /// Its file in JSON; - is standard input.
        tx: PathBuf,
    },
    /// Print a transaction in JSON.
    Decode {
        /// The transaction in base64.
        tx: String,
    },
}

/// The terms of a transaction.
#[derive(Args, Clone, Debug)]
struct Asked {
    /// Gas limit: a number, or auto to simulate first.
    #[arg(long, global = true, default_value = "auto", value_name = "GAS", value_parser = gas)]
    gas: GasLimit,
    /// What simulated gas is multiplied by.
    #[arg(long, global = true, default_value = "1.4", value_name = "FACTOR", value_parser = hundredths)]
    gas_adjustment: u64,
    /// What a unit of gas costs, such as 0.025uaceso [default: the chain's price].
    #[arg(long, global = true, value_name = "PRICE", conflicts_with = "fees")]
    gas_prices: Option<String>,
    /// What the transaction costs, such as 5000uaceso, whatever its gas.
    #[arg(long, global = true, value_name = "COINS")]
    fees: Option<String>,
    /// Who pays and signs too; only with --generate-only, unless it is the sender.
    #[arg(long, global = true, default_value = "", value_name = "ADDRESS", hide_default_value = true)]
    fee_payer: String,
    /// Who pays by an allowance.
    #[arg(long, global = true, default_value = "", value_name = "ADDRESS", hide_default_value = true)]
    fee_granter: String,
    /// A sentence that everybody may read.
    #[arg(long, alias = "memo", global = true, default_value = "", value_name = "TEXT", hide_default_value = true)]
    note: String,
    /// The last block that may have it.
    #[arg(long, global = true, default_value_t = 0, value_name = "H", hide_default_value = true)]
    timeout_height: u64,
    /// Say what it would cost, and send nothing.
    #[arg(long, global = true)]
    dry_run: bool,
    /// Print it unsigned, and send nothing; --from may be an address.
    #[arg(long, global = true, conflicts_with = "dry_run")]
    generate_only: bool,
    /// How long to wait: until a block has it, until the mempool has checked it, or not at all.
    #[arg(long, short = 'b', global = true, value_enum, default_value_t = Mode::Block)]
    broadcast_mode: Mode,
    /// Send nothing unless the node is on this chain.
    #[arg(long, global = true, value_name = "ID")]
    chain_id: Option<String>,
    /// Ask nothing before sending; nothing is asked without it either.
    #[arg(long, short = 'y', global = true)]
    yes: bool,
}

/// How long a sender waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Until it is in a block.
    Block,
    /// Until it is checked.
    Sync,
    /// Not at all.
    Async,
}

fn gas(text: &str) -> Result<GasLimit, String> {
    match text {
        "auto" => Ok(GasLimit::Auto),
        number => number.parse().map(GasLimit::Fixed).map_err(|_| format!("{text:?} is neither auto nor a number")),
    }
}

/// `1.4` as 140.
fn hundredths(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no factor such as 1.4, of two digits behind the point at most");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = [whole, part].concat();
    if part.len() > 2 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = format!("{whole}{part:0<2}").parse().map_err(|_| wrong())?;
    if (1..=10_000).contains(&number) { Ok(number) } else { Err(wrong()) }
}

impl Asked {
    fn terms(&self) -> Result<Terms> {
        let pays = match (&self.fees, &self.gas_prices) {
            (Some(fees), _) => Pays::Coins(coins(fees).context("--fees")?),
            (None, Some(prices)) => {
                let price = |text: &str| {
                    GasPrice::parse(text)
                        .with_context(|| format!("--gas-prices {text:?} is no price such as 0.025uaceso"))
                };
                Pays::Prices(prices.split(',').map(price).collect::<Result<_>>()?)
            }
            (None, None) => Pays::Price,
        };
        Ok(Terms {
            gas: if self.dry_run { GasLimit::Auto } else { self.gas },
            adjustment: self.gas_adjustment,
            pays,
            payer: self.fee_payer.clone(),
            granter: self.fee_granter.clone(),
            memo: self.note.clone(),
            timeout_height: self.timeout_height,
            key: None,
        })
    }

    fn check(&self, client: &Client) -> Result<()> {
        let id = &client.chain().id;
        match self.chain_id.as_ref().filter(|wanted| *wanted != id) {
            Some(wanted) => bail!("the node is on {id}, not on {wanted}; name another --node or --chain-id"),
            None => Ok(()),
        }
    }
}

impl Tx {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let Self { verb, at, signer, terms } = self;
        let chain_id = terms.chain_id.as_deref();
        let said = match verb {
            Verb::Encode { tx } => {
                let text = crate::rpc::json::base64(&offline::read(&tx)?.encode_to_vec());
                return output.print(&json!({"ok": true, "tx": text}), || text.clone());
            }
            Verb::Decode { tx } => return print_tx(&offline::decoded(&tx)?),
            Verb::Sign(sign) => return sign.run(&at, &signer, chain_id, output),
            Verb::Multisign(multisign) => return multisign.run(&at, &signer, chain_id, output),
            Verb::SignBatch(batch) => return batch.run(&at, &signer, chain_id, output),
            Verb::MultisignBatch(batch) => return batch.run(&at, &signer, chain_id, output),
            Verb::ValidateSignatures(validate) => return validate.run(&at, chain_id, output),
            Verb::Simulate { tx } => {
                let client = at.connect()?;
                terms.check(&client)?;
                return offline::simulate(&client, &tx, output);
            }
            Verb::Broadcast { tx } => {
                let client = at.connect()?;
                terms.check(&client)?;
                return broadcast(&client, &offline::read(&tx)?.encode_to_vec(), terms.broadcast_mode, output);
            }
            Verb::Bank { verb } => Said::Bank(verb),
            Verb::Wasm { verb } => Said::Wasm(verb),
            Verb::Authz { verb } => Said::Authz(verb),
            Verb::Feegrant { verb } => Said::Feegrant(verb),
            Verb::Send { to, coins } => Said::Bank(Bank::to(to, coins)),
            Verb::Store { wasm } => Said::Wasm(Wasm::code(wasm)),
            Verb::Instantiate { code, msg, label } => Said::Wasm(Wasm::of_code(code, msg, label)),
            Verb::Execute { contract, msg, amount } => Said::Wasm(Wasm::Execute { contract, msg, amount }),
        };
        let client = at.connect()?;
        terms.check(&client)?;
        let signer = match said.sender() {
            Some(sender) => signer.or(sender, &client.chain().prefix)?,
            None => signer,
        };
        send(&client, &signer, &terms, |sender| said.message(&client, &signer, sender), output)
    }
}

/// What a transaction says.
enum Said {
    Bank(Bank),
    Wasm(Wasm),
    Authz(Authz),
    Feegrant(Feegrant),
}

impl Said {
    /// Who says it, where the verb names it.
    fn sender(&self) -> Option<&str> {
        match self {
            Self::Bank(verb) => verb.sender(),
            Self::Feegrant(verb) => Some(verb.sender()),
            Self::Wasm(_) | Self::Authz(_) => None,
        }
    }

    fn message(&self, client: &Client, signer: &Signer, sender: &str) -> Result<Any> {
        match self {
            Self::Bank(verb) => verb.message(sender, &client.chain().prefix),
            Self::Wasm(verb) => verb.message(client, signer, sender),
            Self::Authz(verb) => verb.message(sender),
            Self::Feegrant(verb) => verb.message(sender),
        }
    }
}

/// Makes the transaction of a message, and does with it what the terms say.
fn send(
    client: &Client,
    signer: &Signer,
    asked: &Asked,
    message: impl FnOnce(&str) -> Result<Any>,
    output: Output,
) -> Result<()> {
    let terms = Terms { key: signer.public(), ..asked.terms()? };
    if asked.dry_run || asked.generate_only {
        let sender = signer.address(&client.chain().prefix)?;
        let (draft, used) = client.draft(&sender, vec![message(&sender)?], &terms)?;
        if asked.generate_only {
            return print_tx(&draft.unsigned());
        }
        let fee: Vec<String> = draft.fee.amount.iter().map(|coin| format!("{}{}", coin.amount, coin.denom)).collect();
        let object = json!({"ok": true, "gas_used": used, "gas_limit": draft.fee.gas_limit, "fee": fee});
        return output.print(&object, || {
            format!("uses {used} gas now; with {} it costs {}", draft.fee.gas_limit, fee.join(","))
        });
    }
    let key = signer.key()?;
    let sender = client.address(&key);
    let payer = &terms.payer;
    ensure!(
        payer.is_empty() || *payer == sender,
        "{payer} has to sign too: make the transaction with --generate-only, and both sign it with `aceso tx sign`"
    );
    let (draft, _) = client.draft(&sender, vec![message(&sender)?], &terms)?;
    let tx = draft.sign(&client.chain().id, &key, &client.account(&sender)?);
    broadcast(client, &tx, asked.broadcast_mode, output)
}

/// Hands a signed transaction over, and waits as long as the sender wants.
fn broadcast(client: &Client, tx: &[u8], mode: Mode, output: Output) -> Result<()> {
    let hash = match mode {
        Mode::Block => {
            let tx = client.broadcast(tx)?;
            // A contract that was made tells more than the code that it came with.
            let contract = tx.attribute("instantiate", "_contract_address").map(|contract| ("contract", contract));
            let created = contract.or_else(|| tx.attribute("store_code", "code_id").map(|code| ("code_id", code)));
            return report(output, &tx, created);
        }
        Mode::Sync => client.submit(tx)?,
        Mode::Async => client.submit_unseen(tx)?,
    };
    output.print(&json!({"ok": true, "tx": hash}), || format!("sent as {hash}; see `aceso query tx {hash}`"))
}

/// A transaction in JSON as stock clients read it.
fn print_tx(tx: &cosmos_sdk_proto::cosmos::tx::v1beta1::Tx) -> Result<()> {
    Output::document(&shown(tx)?)
}

/// A message of the Cosmos SDK in the same JSON. Messages of contracts stand in it byte for byte, as they are signed.
pub(super) fn shown<M: prost::Name>(message: &M) -> Result<String> {
    gateway::to_json(&M::full_name(), &message.encode_to_vec()).map_err(anyhow::Error::msg)
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

/// `1000uaceso,5ustake`, of any coins.
pub(super) fn coins(text: &str) -> Result<Vec<Coin>> {
    let coins = parse_coins(text).map_err(|reason| anyhow::anyhow!("{text:?}: {reason}"))?;
    Ok(coins.into_iter().map(|coin| Coin { denom: coin.denom, amount: coin.amount }).collect())
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
        assert_eq!(coins("2uother,1uaceso").unwrap().len(), 2);
        assert!(coins("1uaceso,2uaceso").is_err() && coins("").is_err());
    }

    #[test]
    fn gas_and_factors() {
        assert_eq!((gas("auto"), gas("7")), (Ok(GasLimit::Auto), Ok(GasLimit::Fixed(7))));
        assert!(gas("much").is_err());
        assert_eq!([hundredths("1.4"), hundredths("2"), hundredths("0.25")], [Ok(140), Ok(200), Ok(25)]);
        for wrong in ["", "-1", "1.234", "x", "0", "101", "1.x"] {
            assert!(hundredths(wrong).is_err(), "{wrong}");
        }
    }
}

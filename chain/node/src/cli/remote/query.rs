//! `aceso query …`: questions to a node.

use aceso_types::{
    journal::{Entry, Event},
    query::{
        ModelStatus, Page, QueryBlob, QueryImage, QueryJournal, QueryModel, QueryModels, QueryUpgrade, QueryValidators,
        ValidatorRow,
    },
};
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{At, chain, typed};
use crate::cli::Output;

/// Asks a node.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso query balance aceso1…
  aceso query smart aceso1… '{\"config\":{}}'
  aceso query bank balances aceso1…
  aceso query wasm contract-state smart aceso1… '{\"config\":{}}'
  aceso query wasm list-contract-by-code 1 --limit 10
  aceso query tx 5F3A…
  aceso query txs --query \"message.sender='aceso1…'\" --order-by desc
  aceso query journal bafkrei…")]
pub(crate) struct Query {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    at: At,
    /// The height that auth, authz, bank, feegrant and wasm are asked about [default: the latest].
    #[arg(long, global = true, default_value_t = 0, hide_default_value = true, value_name = "H")]
    height: u64,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Accounts.
    Auth {
        #[command(subcommand)]
        what: chain::Auth,
    },
    /// What accounts let others do.
    Authz {
        #[command(subcommand)]
        what: chain::Authz,
    },
    /// Coins.
    Bank {
        #[command(subcommand)]
        what: chain::Bank,
    },
    /// Who pays fees for whom.
    Feegrant {
        #[command(subcommand)]
        what: chain::Feegrant,
    },
    /// Codes and contracts.
    Wasm {
        #[command(subcommand)]
        what: chain::Wasm,
    },
    /// A transaction.
    Tx {
        /// Its hash.
        hash: String,
    },
    /// Transactions by what their events say.
    Txs(chain::Txs),
    /// The chain and its height.
    Status,
    /// What an account owns.
    Balance {
        /// The account.
        address: String,
    },
    /// What a contract answers.
    Smart {
        /// The contract's address.
        contract: String,
        /// The question in JSON, or @FILE.
        question: String,
    },
    /// A blob's standing.
    Blob {
        /// Its CID.
        cid: String,
    },
    /// An image's registration.
    Image {
        /// Its CID.
        cid: String,
    },
    /// A model's registration.
    Model {
        /// Its id.
        model: String,
    },
    /// All models.
    Models,
    /// All validators, also those that were removed.
    Validators,
    /// The upgrade that is scheduled, and those that are done.
    Upgrade,
    /// Who asked for an image, and what came of it.
    Journal {
        /// The image's CID.
        image: String,
    },
}

impl Query {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let client = self.at.connect()?;
        let height = self.height;
        match self.verb {
            Verb::Auth { what } => chain::show(&client, height, what.question(), output),
            Verb::Authz { what } => chain::show(&client, height, what.question(), output),
            Verb::Bank { what } => chain::show(&client, height, what.question(), output),
            Verb::Feegrant { what } => chain::show(&client, height, what.question(), output),
            Verb::Wasm { what } => what.run(&client, height, output),
            Verb::Tx { hash } => chain::tx(&client, &hash, output),
            Verb::Txs(asked) => chain::txs(&client, &asked, output),
            Verb::Status => {
                let (chain, height) = (client.chain(), client.height()?);
                output.print(&json!({"chain_id": chain.id, "height": height, "denom": chain.denom}), || {
                    format!("{} at height {height}", chain.id)
                })
            }
            Verb::Balance { address } => {
                let (amount, denom) = (client.balance(&address)?, &client.chain().denom);
                output.print(&json!({"amount": amount.to_string(), "denom": denom}), || format!("{amount}{denom}"))
            }
            Verb::Smart { contract, question } => {
                let answer: Value = client.smart(&contract, &typed(&question)?)?;
                output.print(&answer, || format!("{answer:#}"))
            }
            Verb::Blob { cid } => {
                let row =
                    client.ask(&QueryBlob { cid: cid.clone() })?.with_context(|| format!("nobody registered {cid}"))?;
                let status = format!("{:?}", row.status()).to_lowercase();
                let object = json!({"cid": row.cid, "size": row.size, "expires": row.expires, "status": status});
                output.print(&object, || format!("{status}, {} bytes, until block {}", row.size, row.expires))
            }
            Verb::Image { cid } => {
                let row = client
                    .ask(&QueryImage { cid: cid.clone() })?
                    .with_context(|| format!("nobody registered {cid}"))?;
                let origin = row.origin.map(|origin| origin.institution);
                let object = json!({"cid": row.cid, "owner": row.owner, "guard": row.guard, "origin": origin});
                output.print(&object, || {
                    let guard = if row.guard.is_empty() { "nobody: it is public" } else { &row.guard };
                    let origin = origin.as_deref().unwrap_or("nobody");
                    format!("registered by {}\nguarded by {guard}\nvouched for by {origin}", row.owner)
                })
            }
            Verb::Model { model } => {
                let row = client.ask(&QueryModel { model: model.clone() })?;
                let row = row.with_context(|| format!("nobody registered model {model}"))?;
                let object = model_object(&row);
                output.print(&object, || format!("{object:#}"))
            }
            Verb::Models => {
                let rows = client.ask(&QueryModels { page: None })?.unwrap_or_default().rows;
                let objects: Vec<Value> = rows.iter().map(model_object).collect();
                output.print(&Value::from(objects.clone()), || {
                    let lines = objects.iter().map(|row| format!("{} {} {}", row["model"], row["status"], row["name"]));
                    lines.collect::<Vec<_>>().join("\n").replace('"', "")
                })
            }
            Verb::Validators => {
                let (mut rows, mut after) = (Vec::new(), Vec::new());
                loop {
                    let page = Some(Page { after, limit: 200, reverse: false });
                    let answer = client.ask(&QueryValidators { page })?.unwrap_or_default();
                    rows.extend(answer.rows);
                    after = answer.next;
                    if after.is_empty() {
                        break;
                    }
                }
                let objects: Vec<Value> = rows.iter().map(validator_object).collect();
                output.print(&Value::from(objects), || rows.iter().map(validator_line).collect::<Vec<_>>().join("\n"))
            }
            Verb::Upgrade => {
                let row = client.ask(&QueryUpgrade {})?.unwrap_or_default();
                let done: Vec<Value> =
                    row.done.iter().map(|one| json!({"name": one.name, "height": one.height})).collect();
                let object = json!({"name": row.name, "height": row.height, "info": row.info, "done": done});
                output.print(&object, || match row.name.as_str() {
                    "" => "no upgrade is scheduled".into(),
                    name => format!("{name} at block {} {}", row.height, row.info),
                })
            }
            Verb::Journal { image } => {
                let page = Some(Page { after: Vec::new(), limit: 200, reverse: false });
                let rows = client.ask(&QueryJournal { image, page })?.unwrap_or_default();
                let entries: Vec<Entry> = rows.entries.iter().filter_map(|bytes| Entry::decode(bytes)).collect();
                output
                    .print(&serde_json::to_value(&entries)?, || entries.iter().map(line).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

fn model_object(row: &aceso_types::query::ModelRow) -> Value {
    let manifest = aceso_types::Manifest::decode(&row.manifest).ok();
    let status = match row.status() {
        ModelStatus::Pending => "pending",
        ModelStatus::Admitted => "admitted",
        ModelStatus::Refused => "refused",
    };
    json!({
        "model": row.model,
        "status": status,
        "reason": row.reason,
        "name": manifest.as_ref().map(|manifest| manifest.name.clone()),
        "author": row.author,
        "price": manifest.map(|manifest| manifest.price.to_string()),
        "macs": row.macs,
        "load_gas": row.load_gas,
        "run_gas": row.run_gas,
    })
}

fn validator_object(row: &ValidatorRow) -> Value {
    json!({
        "consensus_key": STANDARD.encode(&row.consensus_key),
        "address": row.address,
        "power": row.power,
        "signing_power": row.signing_power,
        "operator": row.operator,
        "name": row.name,
        "attester": hex::encode(&row.bls_key),
        "next_epoch": row.next_epoch,
        "missed": row.missed,
        "downtimes": row.downtimes,
        "misbehaviors": row.misbehaviors,
    })
}

fn validator_line(row: &ValidatorRow) -> String {
    let name = if row.name.is_empty() { &row.address } else { &row.name };
    let attests = if row.bls_key.is_empty() { ", attests nothing" } else { "" };
    let ValidatorRow { power, signing_power, missed, misbehaviors, .. } = row;
    format!("{name}: power {power}, signs with {signing_power}, missed {missed}, misbehaved {misbehaviors}{attests}")
}

fn line(entry: &Entry) -> String {
    let (height, caller) = (entry.height, &entry.caller);
    match &entry.event {
        Event::Permitted { actor, purpose, grant, .. } => {
            format!("block {height}: {actor} may read for {purpose} by grant {grant}, through {caller}")
        }
        Event::Refused { actor, purpose, reason, .. } => {
            format!("block {height}: {actor} may not read for {purpose}, through {caller}: {reason}")
        }
        Event::Requested { job, frame, granter, grant, actor, purpose, r#use, .. } => {
            let what = format!("{actor} asked for {purpose} by use {use} of key grant {granter}/{grant}");
            let what = if frame.is_first() { what } else { format!("{what}, of frame {frame}") };
            format!("block {height}: {what}, through {caller}: job {job}")
        }
        Event::Read { grant, r#use, frame, fee, .. } => {
            let what = if frame.is_first() { "read".into() } else { format!("frame {frame} read") };
            format!("block {height}: {what} with model {} by use {} of grant {grant}, fee {fee}", entry.model, r#use)
        }
    }
}

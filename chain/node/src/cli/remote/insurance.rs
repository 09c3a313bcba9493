//! `aceso insurance …`: plans that pay for reads, also of sealed images; claims, and what is owed.
//!
//! The contract is `contracts/insurance`; it is spoken to in its own JSON, as any other client does.

use std::path::PathBuf;

use aceso_client::{Client, GasLimit, Key, TxResult};
use aceso_types::{BlobId, Frame, ModelId};
use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    At, Signer, file, name_frame,
    patient::{DAY, now},
    sealed::named,
    tx::{amount, report},
};
use crate::cli::Output;

/// SDK gas of the callback that closes a claim: enough for any plan.
const CALLBACK_GAS: u64 = 800_000;
/// Claims that are asked for at once.
const PAGE: usize = 100;

/// Plans that pay for reads, and claims.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso insurance plan --contract aceso1… --member aceso1… --model 5f… --price 1000000uaceso --fund 5000000uaceso \\
      --share subject=2500 --share author=7500 --members-min 3 --power-min-bps 6667 --from insurer.words
  aceso insurance claim --contract aceso1… --policy 1 --image bafkrei… --model 5f… --grant aceso1…/3 --terms 7.terms --from physician.words
  aceso insurance claims --contract aceso1… --policy 1
  aceso insurance due --contract aceso1… --account aceso1…
  aceso insurance settle --contract aceso1… --from physician.words

The committee's members are chosen by the patient's grant; a plan says which committees it believes.")]
pub(crate) struct Insurance {
    #[command(subcommand)]
    verb: Verb,
    /// The insurance contract.
    #[arg(long, value_name = "ADDRESS", global = true)]
    contract: Option<String>,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    signer: Signer,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// For the insurer: makes a plan for a member, which cannot be changed. It pays for open reads and for sealed ones.
    Plan(Box<Plan>),
    /// Has a committee read a sealed image at a plan's cost, and waits for what is decided.
    Claim(Claim),
    /// The claims of a plan for sealed images, with what was decided and why.
    Claims {
        /// The plan's number.
        #[arg(long)]
        policy: u64,
    },
    /// What is owed to an account for sealed claims and was not sent yet.
    Due {
        /// Whose.
        #[arg(long, value_name = "ADDRESS")]
        account: String,
    },
    /// Sends what is owed: one transfer for each account. Anybody may.
    Settle,
    /// For the insurer: lets go of a claim of which nothing was heard, long after its deadline.
    Release {
        /// The job's number.
        job: u64,
    },
}

#[derive(Args, Debug)]
struct Plan {
    /// The insured patient.
    #[arg(long, value_name = "ADDRESS")]
    member: String,
    /// A model that is paid for; may be given several times.
    #[arg(long, value_name = "ID", required = true)]
    model: Vec<ModelId>,
    /// What one read pays in all, such as 1000000uaceso.
    #[arg(long, value_name = "COINS")]
    price: String,
    /// Who gets which share, in ten-thousandths, 10000 together: institution, author, subject, treasury or an address.
    #[arg(long, value_name = "WHO=SHARE", required = true)]
    share: Vec<String>,
    /// An institution whose word for an image is accepted, one of which is then needed; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    origin: Vec<String>,
    /// For how many days from now on.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=36_500))]
    days: u64,
    /// Coins for its escrow.
    #[arg(long, value_name = "COINS")]
    fund: Option<String>,
    /// Fewest members of a committee that is believed.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    members_min: u32,
    /// Smallest share of all validators' power that they have together, in ten-thousandths.
    #[arg(long, default_value_t = 6_667, value_parser = clap::value_parser!(u32).range(..=10_000))]
    power_min_bps: u32,
    /// An operator that must be a member; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    required: Vec<String>,
    /// An operator that must not be; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    excluded: Vec<String>,
    /// What is to be known of an image, and by everybody: one or two findings [default: only that it was read].
    #[arg(long, value_name = "FINDING")]
    finding: Vec<String>,
    /// For how many blocks a committee may work on a claim.
    #[arg(long, default_value_t = 200)]
    blocks: u64,
    /// Send the shares of a claim in the block in which it is decided, instead of when somebody settles.
    #[arg(long)]
    per_claim: bool,
}

#[derive(Args, Debug)]
struct Claim {
    /// The plan's number.
    #[arg(long)]
    policy: u64,
    /// The sealed image's CID.
    #[arg(long)]
    image: BlobId,
    /// Which frame of it, from 1, where it has several.
    #[arg(long, default_value_t)]
    frame: Frame,
    /// The model's id.
    #[arg(long)]
    model: ModelId,
    /// The committee's grant, such as aceso1…/3.
    #[arg(long)]
    grant: String,
    /// Its terms: the file that whoever granted has handed over.
    #[arg(long, value_name = "FILE")]
    terms: PathBuf,
    /// Why: a code of HL7 v3 ActReason.
    #[arg(long, default_value = "TREAT")]
    purpose: String,
}

/// Somebody at a contract.
struct Counter {
    client: Client,
    contract: String,
    output: Output,
}

impl Insurance {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let contract = self.contract.context("say which contract: --contract ADDRESS")?;
        let counter = Counter { client: self.at.connect()?, contract, output };
        let key = || self.signer.key();
        match self.verb {
            Verb::Plan(plan) => plan.make(&counter, &key()?),
            Verb::Claim(claim) => claim.make(&counter, &key()?),
            Verb::Claims { policy } => claims(&counter, policy),
            Verb::Due { account } => {
                let answer: Value = counter.client.smart(&counter.contract, &json!({"due": {"account": account}}))?;
                let (due, denom) = (text(&answer["amount"]), &counter.client.chain().denom);
                let object = json!({"ok": true, "account": account, "amount": due});
                output.print(&object, || format!("{due}{denom} are owed to {account}"))
            }
            Verb::Settle => {
                let tx = counter.say(&key()?, &json!({"settle": {"start_after": null, "limit": null}}), 0)?;
                report(output, &tx, None)
            }
            Verb::Release { job } => {
                let tx = counter.say(&key()?, &json!({"release": {"job": job}}), 0)?;
                report(output, &tx, None)
            }
        }
    }
}

impl Counter {
    fn say(&self, key: &Key, msg: &Value, funds: u128) -> Result<TxResult> {
        let message = self.client.msg_execute(&self.client.address(key), &self.contract, msg, funds);
        Ok(self.client.send(key, vec![message], GasLimit::Auto)?)
    }

    fn coins(&self, text: &str) -> Result<u128> {
        amount(text, &self.client.chain().denom)
    }

    fn claim(&self, job: u64) -> Result<Value> {
        Ok(self.client.smart(&self.contract, &json!({"sealed_claim": {"job": job}}))?)
    }
}

impl Plan {
    fn make(&self, counter: &Counter, key: &Key) -> Result<()> {
        let (begin, price) = (now()?, counter.coins(&self.price)?.to_string());
        let funds = self.fund.as_deref().map(|coins| counter.coins(coins)).transpose()?;
        let disclosure = match self.finding.as_slice() {
            [] => json!({"sealed": {}}),
            findings => json!({"predicate": {"findings": findings}}),
        };
        let terms = json!({
            "member": self.member,
            // A block's clock may be behind this machine's.
            "not_before": begin.saturating_sub(3_600),
            "not_after": begin.saturating_add(self.days.saturating_mul(DAY)),
            "covers": self.model.iter().map(|model| json!({"model": model, "price": price})).collect::<Vec<_>>(),
            "origin": self.origin,
            "split": self.share.iter().map(|share| split(share)).collect::<Result<Vec<_>>>()?,
            "sealed": {
                "accept": {
                    "members_min": self.members_min, "power_min_bps": self.power_min_bps, "required": self.required,
                    "excluded": self.excluded,
                },
                "disclosure": disclosure,
                "blocks": self.blocks,
                "callback_gas": CALLBACK_GAS,
                "payout": if self.per_claim { "per_claim" } else { "batched" },
            },
        });
        let tx = counter.say(key, &json!({"create_policy": {"terms": terms}}), 0)?;
        let policy = tx.attribute("wasm", "policy").context("the contract names no policy")?;
        let number: u64 = policy.parse().context("the contract's policy has no number")?;
        if let Some(funds) = funds {
            let funded = counter.say(key, &json!({"fund": {"policy": number}}), funds);
            funded.with_context(|| format!("policy {number} is made, and its escrow is empty"))?;
        }
        report(counter.output, &tx, Some(("policy", policy)))
    }
}

/// `subject=2500` as the contract has it.
fn split(share: &str) -> Result<Value> {
    let hint = || format!("{share} is no share, such as subject=2500 or aceso1…=100");
    let (who, bps) = share.split_once('=').with_context(hint)?;
    let bps: u32 = bps.parse().ok().filter(|bps| (1..=10_000).contains(bps)).with_context(hint)?;
    let to = match who {
        "institution" | "author" | "subject" | "treasury" => json!({who: {}}),
        "" => bail!(hint()),
        address => json!({"account": {"address": address}}),
    };
    Ok(json!({"to": to, "bps": bps}))
}

impl Claim {
    fn make(&self, counter: &Counter, key: &Key) -> Result<()> {
        let (granter, number) = named(&self.grant)?;
        let mut msg = json!({"claim": {
            "policy": self.policy, "image": self.image, "model": self.model, "purpose": self.purpose,
            "granter": granter, "grant": number, "terms": STANDARD.encode(file(&self.terms)?),
        }});
        name_frame(&mut msg["claim"], self.frame);
        let tx = counter.say(key, &msg, 0)?;
        let job: u64 = tx.attribute("wasm", "job").context("the contract names no job")?.parse()?;
        counter.client.wait_job(job)?;
        let claim = counter.claim(job)?;
        let (decided, words) = decided(&claim["status"]);
        let object = json!({
            "ok": true, "tx": tx.hash, "height": tx.height, "gas_used": tx.gas_used, "job": job, "decided": decided,
            "claim": claim,
        });
        counter.output.print(&object, || format!("job {job}: {words}"))
    }
}

fn claims(counter: &Counter, policy: u64) -> Result<()> {
    // What the escrow says names the policy where there is none.
    let escrow: Value = counter.client.smart(&counter.contract, &json!({"escrow": {"policy": policy}}))?;
    let mut all: Vec<Value> = Vec::new();
    loop {
        let after = all.last().map(|claim| claim["job"].clone());
        let question = json!({"sealed_claims": {"policy": policy, "start_after": after, "limit": PAGE}});
        let mut answer: Value = counter.client.smart(&counter.contract, &question)?;
        let page = answer["claims"].take();
        let Value::Array(page) = page else { bail!("{} answers no list of claims", counter.contract) };
        let count = page.len();
        ensure!(page.iter().all(|claim| claim["job"].is_u64()), "{} answers claims without jobs", counter.contract);
        all.extend(page);
        if count < PAGE {
            break;
        }
    }
    let object = json!({
        "ok": true, "policy": policy, "escrow": escrow["amount"], "reserved": escrow["reserved"], "claims": all,
    });
    counter.output.print(&object, || {
        let head = format!(
            "policy {policy}: {} for claims to come, {} kept for open ones",
            text(&escrow["amount"]),
            text(&escrow["reserved"])
        );
        let line = |claim: &Value| format!("job {}: {}", claim["job"], decided(&claim["status"]).1);
        std::iter::once(head).chain(all.iter().map(line)).collect::<Vec<_>>().join("\n")
    })
}

/// Where a claim stands, in one word and in a sentence.
fn decided(status: &Value) -> (&'static str, String) {
    if let Some(paid) = status.get("paid") {
        let shares: Vec<String> = paid["paid"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| format!("{} to {}", text(&one["amount"]), text(&one["to"])))
            .collect();
        let findings: Vec<String> = paid["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| format!("{} is {}", text(&one["id"]), if one["present"] == true { "present" } else { "absent" }))
            .collect();
        let told = if findings.is_empty() { String::new() } else { format!("; {}", findings.join(", ")) };
        let noun = if paid["members"] == 1 { "member" } else { "members" };
        let committee = format!("{} {noun} with {} of {} power", paid["members"], paid["power"], paid["total"]);
        let fee = text(&paid["fee"]);
        let words =
            format!("paid for read {}, by {committee}: {fee} for the read, {}{told}", paid["read"], shares.join(", "));
        return ("paid", words);
    }
    let Some(closed) = status.get("closed") else {
        let words = "open: nothing was heard of it; after its deadline the insurer lets go of it with `aceso insurance release`";
        return ("open", words.into());
    };
    let fee = text(&closed["fee"]);
    ("refused", format!("nothing is paid, {}; the read cost {fee}", reason(&closed["reason"])))
}

/// Why nothing is paid.
fn reason(reason: &Value) -> String {
    let (word, about) = match reason {
        Value::Object(one) => one.iter().next().map_or(("", &Value::Null), |(word, about)| (word.as_str(), about)),
        _ => ("", &Value::Null),
    };
    match word {
        "failed" => format!("the committee could not read the image: {}", text(&about["failure"])),
        "expired" => "there was no outcome in time".into(),
        "cancelled" => "the patient took the grant back, or ended the record".into(),
        "broken" => "too few members of the committee were left".into(),
        "unidentified" => "the chain does not say which pixels were read".into(),
        "unvouched" => "no accepted institution vouches for what was read".into(),
        "paid_before" => format!("the same pixels or the same study were paid for with read {}", about["read"]),
        "released" => "the insurer let go of it".into(),
        _ => format!("for a reason that this program does not know: {reason}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_parties_or_accounts() {
        assert_eq!(split("subject=2500").unwrap(), json!({"to": {"subject": {}}, "bps": 2500}));
        assert_eq!(split("aceso1x=1").unwrap(), json!({"to": {"account": {"address": "aceso1x"}}, "bps": 1}));
        for wrong in ["", "subject", "=5", "subject=", "subject=0", "subject=10001", "subject=-1", "subject=x"] {
            let refused = split(wrong).unwrap_err().to_string();
            assert!(refused.contains("is no share, such as"), "{wrong}: {refused}");
        }
    }

    #[test]
    fn what_was_decided_is_said_in_words() {
        let paid = json!({"paid": {
            "read": 4, "members": 3, "power": 30, "total": 40, "fee": "7", "findings": [{"id": "f", "present": true}],
            "paid": [{"amount": "5", "to": "aceso1a"}, {"amount": "6", "to": "aceso1b"}],
        }});
        let words = "paid for read 4, by 3 members with 30 of 40 power: 7 for the read, 5 to aceso1a, 6 to aceso1b; f is present";
        assert_eq!(decided(&paid), ("paid", words.into()));
        assert_eq!(decided(&json!({"open": {}})).0, "open");
        for (reason, words) in [
            (json!({"failed": {"failure": "leaf"}}), "could not read the image: leaf"),
            (json!({"expired": {}}), "in time"),
            (json!({"cancelled": {}}), "took the grant back"),
            (json!({"broken": {}}), "too few members"),
            (json!({"unidentified": {}}), "which pixels"),
            (json!({"unvouched": {}}), "vouches"),
            (json!({"paid_before": {"read": 9}}), "paid for with read 9"),
            (json!({"released": {}}), "let go of it"),
            (json!({"later": {}}), "does not know: {\"later\":{}}"),
            (json!("later"), "does not know"),
        ] {
            let (word, told) = decided(&json!({"closed": {"reason": reason, "read": null, "fee": "3"}}));
            assert!(word == "refused" && told.contains(words) && told.ends_with("the read cost 3"), "{told}");
        }
    }
}

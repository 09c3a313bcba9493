//! `aceso authz …`: letting another account act for one's own within limits, and acting for others.

use aceso_client::{Authorization, Authorized, Calls, GasLimit, Messages, authorize, for_others, no_more};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{At, Signer, patient::now, tx, typed};
use crate::cli::Output;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Lets others act for you within limits, and acts for others.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso authz grant send aceso1… 1000000uaceso --to aceso1… --days 30 --from clinic.words
  aceso authz grant execute aceso1… CONTRACT --calls 5 --key claim --from clinic.words
  aceso authz grant any aceso1… /aceso.blobs.v1.MsgRegisterBlob --from clinic.words
  aceso authz exec execute GRANTER CONTRACT '{\"claim\":{}}' --from clerk.words
  aceso authz list aceso1…
  aceso authz revoke aceso1… /cosmos.bank.v1beta1.MsgSend --from clinic.words

`aceso tx authz` and `aceso query authz` have the Cosmos SDK's names for it. Who acts for you signs in its own name and pays the fees. What is said of records, keys and grants of records nobody says
for another, and reads ask for the signature of who is named as reading.")]
pub(crate) struct Authz {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    signer: Signer,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Lets an account act for yours; takes the place of what it was let do of the same kind.
    Grant {
        #[command(subcommand)]
        what: What,
        /// For how many days from now on; for ever if not given.
        #[arg(long, global = true)]
        days: Option<u64>,
    },
    /// Takes back what an account may send of a type.
    Revoke {
        /// From whom.
        grantee: String,
        /// The messages' type URL.
        url: String,
    },
    /// Acts for another account.
    Exec {
        #[command(subcommand)]
        act: Act,
    },
    /// What an account lets others do, and what it may do for others.
    List {
        /// Whose.
        account: String,
    },
}

#[derive(Subcommand, Debug)]
enum What {
    /// Send coins.
    Send {
        /// Who may.
        grantee: String,
        /// How many in all, such as 1000uaceso.
        limit: String,
        /// Only to this account; may be repeated.
        #[arg(long)]
        to: Vec<String>,
    },
    /// Execute a contract.
    Execute {
        /// Who may.
        grantee: String,
        /// The contract's address.
        contract: String,
        /// How often.
        #[arg(long, required_unless_present = "amount")]
        calls: Option<u64>,
        /// With how many coins in all, such as 1000uaceso; with none if not given.
        #[arg(long)]
        amount: Option<String>,
        /// Only with messages of this name; may be repeated.
        #[arg(long)]
        key: Vec<String>,
    },
    /// Send any message of a type.
    Any {
        /// Who may.
        grantee: String,
        /// The messages' type URL.
        url: String,
    },
}

#[derive(Subcommand, Debug)]
enum Act {
    /// Sends another's coins.
    Send {
        /// Whose.
        granter: String,
        /// To whom.
        to: String,
        /// How many, such as 1000uaceso.
        coins: String,
    },
    /// Executes a contract as another.
    Execute {
        /// As whom.
        granter: String,
        /// The contract's address.
        contract: String,
        /// The message in JSON, or @FILE.
        msg: String,
        /// Coins of the granter's for the contract, such as 1000uaceso.
        #[arg(long)]
        amount: Option<String>,
    },
}

impl Authz {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let client = self.at.connect()?;
        let denom = client.chain().denom.clone();
        let amount = |text: &str| tx::amount(text, &denom);
        if let Verb::List { account } = &self.verb {
            let rows = client.authorized(account)?;
            let shown: Vec<Value> = rows.iter().map(object).collect();
            return output.print(&json!({"ok": true, "account": account, "grants": shown}), || match &rows[..] {
                [] => format!("{account} lets nobody act for it, and acts for nobody"),
                rows => rows.iter().map(line).collect::<Vec<_>>().join("\n"),
            });
        }
        let key = self.signer.key()?;
        let me = client.address(&key);
        let message = match &self.verb {
            Verb::Grant { what, days } => {
                let (grantee, authorization) = what.read()?;
                let until = days.map(|days| Ok::<_, anyhow::Error>(now()?.saturating_add(days.saturating_mul(DAY))));
                let until = until.transpose()?.map(|until| i64::try_from(until).unwrap_or(i64::MAX));
                authorize(&me, grantee, &authorization, until).context("say how often: --calls N")?
            }
            Verb::Revoke { grantee, url } => no_more(&me, grantee, url),
            Verb::Exec { act: Act::Send { granter, to, coins } } => {
                for_others(&me, vec![client.msg_send(granter, to, amount(coins)?)])
            }
            Verb::Exec { act: Act::Execute { granter, contract, msg, amount: funds } } => {
                let funds = funds.as_deref().map_or(Ok(0), amount)?;
                for_others(&me, vec![client.msg_execute(granter, contract, &typed(msg)?, funds)])
            }
            Verb::List { .. } => return Ok(()),
        };
        tx::report(output, &client.send(&key, vec![message], GasLimit::Auto)?, None)
    }
}

impl What {
    /// Who may do what.
    fn read(&self) -> Result<(&str, Authorization)> {
        Ok(match self {
            Self::Send { grantee, limit, to } => {
                (grantee, Authorization::Send { limit: tx::coins(limit)?, to: to.clone() })
            }
            Self::Execute { grantee, contract, calls, amount: coins, key } => {
                let coins = coins.as_deref().map(tx::coins).transpose()?;
                let messages = if key.is_empty() { Messages::Any } else { Messages::Keys(key.clone()) };
                let contract = contract.clone();
                (grantee, Authorization::Execute(Calls { contract, calls: *calls, coins, messages }))
            }
            Self::Any { grantee, url } => (grantee, Authorization::Generic(url.clone())),
        })
    }
}

fn object(one: &Authorized) -> Value {
    json!({
        "granter": one.granter, "grantee": one.grantee, "kind": one.kind, "url": one.url, "expires": one.expires,
    })
}

fn line(one: &Authorized) -> String {
    let what = if one.url.is_empty() { &one.kind } else { &one.url };
    let until = one.expires.map(|end| format!(" until {end}")).unwrap_or_default();
    format!("{} lets {} send {what}{until}", one.granter, one.grantee)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read() {
        let one = Authorized {
            granter: "aceso1r".into(),
            grantee: "aceso1e".into(),
            kind: "/x.Authorization".into(),
            url: "/x.Msg".into(),
            expires: Some(9),
        };
        assert_eq!(line(&one), "aceso1r lets aceso1e send /x.Msg until 9");
        let one = Authorized { url: String::new(), expires: None, ..one };
        assert_eq!(line(&one), "aceso1r lets aceso1e send /x.Authorization");
    }
}

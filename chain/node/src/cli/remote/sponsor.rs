//! `aceso sponsor …`: paying the fees of others' accounts, such as those of a patient's records, which have no coins.

use aceso_client::{GasLimit, allowance, no_allowance};
use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{At, Signer, patient::now, tx::amount};
use crate::cli::Output;

/// Most coins of a sponsor's for an account's fees, where no other limit is named: some dozens of transactions.
const LIMIT: u128 = 1_000_000;

/// Pays the fees of other accounts.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso sponsor pay aceso1… --limit 1000000uaceso --from hospital.words
  aceso sponsor of aceso1…
  aceso sponsor stop aceso1… --from hospital.words

Everybody may see for whom you pay. Pay for accounts of several people at a time: the order says nothing of whose they are.")]
pub(crate) struct Sponsor {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    signer: Signer,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Pays from now on; each account begins to exist with it.
    Pay {
        /// For whom.
        #[arg(required = true)]
        accounts: Vec<String>,
        /// Most coins for each of them in all [default: 1000000 of the chain's coin].
        #[arg(long, value_name = "COINS")]
        limit: Option<String>,
    },
    /// Pays no more.
    Stop {
        /// For whom.
        #[arg(required = true)]
        accounts: Vec<String>,
    },
    /// Who pays for an account.
    Of {
        /// Whose fees.
        account: String,
    },
}

impl Sponsor {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let client = self.at.connect()?;
        let denom = client.chain().denom.clone();
        let (mut accounts, limit) = match self.verb {
            Verb::Of { account } => {
                let now = i64::try_from(now()?).unwrap_or(i64::MAX);
                let rows = client.sponsors(&account)?;
                let shown: Vec<Value> = rows.iter().map(|one| object(one, now)).collect();
                return output.print(&json!({"ok": true, "account": account, "sponsors": shown}), || match &rows[..] {
                    [] => format!("nobody pays for {account}"),
                    rows => rows.iter().map(|one| line(one, now, &denom)).collect::<Vec<_>>().join("\n"),
                });
            }
            Verb::Stop { accounts } => (accounts, None),
            Verb::Pay { accounts, limit } => (accounts, Some(limit.map_or(Ok(LIMIT), |limit| amount(&limit, &denom))?)),
        };
        let key = self.signer.key()?;
        let me = client.address(&key);
        // One after the other, in an order that does not tell who has asked for which.
        accounts.sort();
        accounts.dedup();
        let mut shown = Vec::new();
        for account in &accounts {
            let message = match limit {
                Some(limit) => allowance(&me, account, &denom, limit),
                None => no_allowance(&me, account),
            };
            let tx = client.send(&key, vec![message], GasLimit::Auto)?;
            shown.push(json!({"account": account, "tx": tx.hash, "height": tx.height}));
        }
        output.print(&json!({"ok": true, "sponsor": me, "accounts": shown}), || {
            let said = if limit.is_some() { "pays" } else { "pays no more" };
            accounts.iter().map(|one| format!("{me} {said} for {one}")).collect::<Vec<_>>().join("\n")
        })
    }
}

fn object(one: &aceso_client::Sponsor, now: i64) -> Value {
    json!({
        "sponsor": one.address, "left": one.left.map(|left| left.to_string()), "expires": one.expires, "only": one.only,
        "holds": one.pays(now, &[]),
    })
}

fn line(one: &aceso_client::Sponsor, now: i64, denom: &str) -> String {
    let left = one.left.map_or("without a limit".into(), |left| format!("{left}{denom} left"));
    let over = if one.pays(now, &[]) { "" } else { ", over" };
    format!("{} pays, {left}{over}", one.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read() {
        let one = aceso_client::Sponsor { address: "aceso1h".into(), left: Some(5), expires: Some(9), only: None };
        assert_eq!(line(&one, 9, "uaceso"), "aceso1h pays, 5uaceso left");
        assert_eq!(line(&one, 10, "uaceso"), "aceso1h pays, 5uaceso left, over");
        let one = aceso_client::Sponsor { left: None, ..one };
        assert_eq!(line(&one, 9, "uaceso"), "aceso1h pays, without a limit");
    }
}

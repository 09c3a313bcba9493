//! `aceso sealed accounts|collect|execute`: the accounts in whose names records stand, one for each, which follow from the
//! keyring and have no words of their own.
//!
//! A sponsor pays their fees, so they need no coins. Coins that come to them, such as a policy's shares, are collected before the
//! record is erased: its key and its account are forgotten together.

use aceso_client::{GasLimit, TxResult};
use aceso_types::query::{Page, QueryRecords, RecordRow};
use anyhow::{Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::{
    Desk,
    keyring::{Keyring, KeyringArg},
    seal::name_of,
};
use crate::cli::remote::{
    sealed::all,
    tx::{amount, report},
    typed,
};

/// SDK gas of a transfer: enough for one, with room.
const TRANSFER_GAS: u64 = 200_000;

/// The accounts of your records, and those that wait for one: what they hold, and who pays their fees.
#[derive(Args, Debug)]
pub(crate) struct Accounts {
    /// Make so many more that wait for a record, to hand their addresses to a sponsor in advance.
    #[arg(long, default_value_t = 0, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(..=100))]
    more: u32,
    #[command(flatten)]
    keyring: KeyringArg,
}

/// Sends the coins of a record's account to another account of yours.
#[derive(Args, Debug)]
pub(crate) struct Collect {
    /// The record's number.
    record: u64,
    /// To whom [default: the account that signs].
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// That everybody may see that the two accounts belong together.
    #[arg(long)]
    link: bool,
    #[command(flatten)]
    keyring: KeyringArg,
}

/// Executes a contract in the name of the account that owns a record: a guard hears of consent from nobody else.
#[derive(Args, Debug)]
pub(crate) struct Execute {
    /// The record's number.
    record: u64,
    /// The contract's address.
    contract: String,
    /// The message in JSON, or @FILE.
    msg: String,
    /// Coins for the contract, such as 1000uaceso.
    #[arg(long)]
    amount: Option<String>,
    #[command(flatten)]
    keyring: KeyringArg,
}

impl Accounts {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let mut ring = self.keyring.open(desk)?;
        for _ in 0..self.more {
            ring.fresh()?;
        }
        if self.more > 0 {
            ring.save(&desk.address)?;
        }
        // What stands in the name of the account that signs needs no other.
        let mine: Vec<String> = records_of(desk, &desk.address)?.iter().map(name_of).collect();
        let mut shown = Vec::new();
        for name in ring.records().filter(|name| !mine.iter().any(|one| one == name)) {
            shown.push(account(&desk.named(ring.account(name)?), Some(name))?);
        }
        for name in ring.waiting() {
            shown.push(account(&desk.named(ring.account(name)?), None)?);
        }
        desk.output.print(&json!({"ok": true, "accounts": shown}), || match shown.as_slice() {
            [] => "no record has an account of its own yet".into(),
            all => all.iter().map(line).collect::<Vec<_>>().join("\n"),
        })
    }
}

impl Collect {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let ring = self.keyring.open(desk)?;
        let record = desk.record(self.record)?;
        let own = desk.owning(&ring, &record)?;
        let to = self.to.as_ref().unwrap_or(&desk.address);
        ensure!(own.address != *to, "record {} stands in the name of {to} already", self.record);
        let held = own.client.balance(&own.address)?;
        ensure!(held > 0, "{}, the account of record {}, has no coins", own.address, self.record);
        if !self.link {
            bail!(
                "everybody may see from then on that {}, the account of record {}, and {to} belong together; say --link if \
                 they may",
                own.address,
                self.record
            );
        }
        let tx = own.transfer(to, held)?;
        report(desk.output, &tx, None)
    }
}

impl Execute {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let ring = self.keyring.open(desk)?;
        let own = desk.owning(&ring, &desk.record(self.record)?)?;
        let funds = self.amount.as_deref().map_or(Ok(0), |text| amount(text, &desk.client.chain().denom))?;
        let message = desk.client.msg_execute(&own.address, &self.contract, &typed(&self.msg)?, funds);
        report(desk.output, &own.send_all(vec![message])?, None)
    }
}

impl Desk<'_> {
    /// Sends all that this account holds; what it has to pay itself stays behind.
    fn transfer(&self, to: &str, held: u128) -> Result<TxResult> {
        let all = self.client.msg_send(&self.address, to, held);
        let payer = self.payer(std::slice::from_ref(&all))?;
        if !payer.is_empty() {
            return Ok(self.client.send_sponsored(&payer, &self.key, vec![all], GasLimit::Auto)?);
        }
        let fee = (u128::from(TRANSFER_GAS) * u128::from(self.client.chain().gas_price_micro)).div_ceil(1_000_000);
        let Some(rest) = held.checked_sub(fee).filter(|rest| *rest > 0) else {
            bail!("{} has {held}, less than a transfer costs, and no sponsor pays for it", self.address)
        };
        let rest = self.client.msg_send(&self.address, to, rest);
        Ok(self.client.send(&self.key, vec![rest], GasLimit::Fixed(TRANSFER_GAS))?)
    }
}

/// What waits for a record that is to be sealed: one for which somebody pays, else any, else a new one.
pub(super) fn ready(desk: &Desk<'_>, ring: &mut Keyring) -> Result<String> {
    if let Some(name) = paid(desk, ring)? {
        return Ok(name);
    }
    let any = ring.waiting().next().map(str::to_owned);
    any.map_or_else(|| ring.fresh(), Ok)
}

/// What waits for a record, and somebody pays for.
pub(super) fn paid(desk: &Desk<'_>, ring: &Keyring) -> Result<Option<String>> {
    for name in ring.waiting() {
        if !desk.named(ring.account(name)?).sponsors(&[])?.is_empty() {
            return Ok(Some(name.into()));
        }
    }
    Ok(None)
}

/// The records of an owner.
pub(super) fn records_of(desk: &Desk<'_>, owner: &str) -> Result<Vec<RecordRow>> {
    all(|page: Option<Page>| {
        let answer = desk.client.ask(&QueryRecords { owner: owner.into(), page })?.unwrap_or_default();
        Ok((answer.rows, answer.next))
    })
}

/// All records of a person: in her own name, and in those of their accounts.
pub(in crate::cli::remote) fn records(desk: &Desk<'_>, keyring: &KeyringArg) -> Result<Vec<RecordRow>> {
    let ring = keyring.open(desk)?;
    let mut rows = records_of(desk, &desk.address)?;
    for name in ring.records() {
        rows.extend(records_of(desk, &desk.named(ring.account(name)?).address)?);
    }
    rows.sort_by_key(|row| row.record);
    Ok(rows)
}

fn account(own: &Desk<'_>, name: Option<&str>) -> Result<Value> {
    let record = records_of(own, &own.address)?.first().map(|row| row.record);
    Ok(json!({
        "address": own.address, "files": name, "record": record, "coins": own.client.balance(&own.address)?.to_string(),
        "sponsors": own.sponsors(&[])?,
    }))
}

fn line(account: &Value) -> String {
    let text = |name: &str| account[name].as_str().unwrap_or_default();
    let what = match (account["record"].as_u64(), account["files"].as_str()) {
        (Some(record), _) => format!("record {record}"),
        (None, Some(name)) => format!("sealed and not registered: {name}"),
        (None, None) => "waits for a record".into(),
    };
    let pays: Vec<&str> = account["sponsors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let paid = if pays.is_empty() { "nobody pays for it".into() } else { format!("{} pays", pays.join(", ")) };
    let held = if text("coins") == "0" { String::new() } else { format!(", holds {}", text("coins")) };
    format!("{}  {what}; {paid}{held}", text("address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read() {
        let one = json!({"address": "aceso1a", "files": "bafy", "record": 3, "coins": "7", "sponsors": ["aceso1h"]});
        assert_eq!(line(&one), "aceso1a  record 3; aceso1h pays, holds 7");
        let one = json!({"address": "aceso1a", "files": "bafy", "record": null, "coins": "0", "sponsors": []});
        assert_eq!(line(&one), "aceso1a  sealed and not registered: bafy; nobody pays for it");
        let one = json!({"address": "aceso1a", "files": null, "record": null, "coins": "0", "sponsors": ["b", "c"]});
        assert_eq!(line(&one), "aceso1a  waits for a record; b, c pays");
    }
}

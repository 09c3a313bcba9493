//! Many transactions of one account in files, signed at once: each is for the sequence after the one before.

use std::{collections::BTreeMap, path::PathBuf};

use aceso_client::Account;
use anyhow::{Context, Result, ensure};
use clap::Args;
use cosmos_sdk_proto::cosmos::{
    base::v1beta1::Coin,
    tx::{
        signing::v1beta1::SignatureDescriptors,
        v1beta1::{AuthInfo, Fee, Tx, TxBody},
    },
};

use super::{
    At, Signer,
    offline::{Document, Group, Manner, Place, messages},
    signatures::Gathered,
};
use crate::cli::Output;

/// Signs transactions of files, one after the other.
#[derive(Args, Debug)]
pub(super) struct SignBatch {
    /// Files of transactions in JSON, one in each line; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Sign one transaction that has the messages, the gas and the fees of all.
    #[arg(long)]
    append: bool,
    #[command(flatten)]
    manner: Manner,
    #[command(flatten)]
    document: Document,
    #[command(flatten)]
    place: Place,
}

/// Puts signatures of several together for transactions of a file.
#[derive(Args, Debug)]
pub(super) struct MultisignBatch {
    /// The file of transactions in JSON, one in each line; - is standard input.
    txs: PathBuf,
    /// The name of the key of several, as `aceso keys add --multisig` has made it.
    name: String,
    /// Files of their signatures, as `aceso tx sign-batch --multisig` has printed them: one in each line.
    #[arg(required = true)]
    signatures: Vec<PathBuf>,
    /// Take all transactions to be for the same sequence.
    #[arg(long)]
    no_auto_increment: bool,
    /// Leave out the signatures that they have of other accounts.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    document: Document,
    #[command(flatten)]
    place: Place,
}

impl SignBatch {
    pub(super) fn run(&self, at: &At, signer: &Signer, chain_id: Option<&str>, output: Output) -> Result<()> {
        let mut txs = Vec::new();
        for file in &self.files {
            txs.extend(messages::<Tx>(file, "transaction")?);
        }
        if self.append {
            txs = vec![appended(&txs)?];
        }
        let batch = gathered(&txs, |tx| self.manner.gathered(tx))?;
        let key = signer.key()?;
        let who = self.manner.who(signer, &key, prefix(&batch))?;
        check(&batch, &who)?;
        let ground = self.place.find(at, chain_id)?;
        let first = ground.account(&who)?;
        let mut lines = Vec::with_capacity(batch.len());
        for (number, gathered) in (0..).zip(batch) {
            let signed = self.manner.sign(gathered, &key, &who, &ground.chain_id, &later(&first, number));
            lines.push(signed.with_context(|| format!("transaction {}", number + 1))?);
        }
        self.document.put(&lines.join("\n"), output)
    }
}

impl MultisignBatch {
    pub(super) fn run(&self, at: &At, signer: &Signer, chain_id: Option<&str>, output: Output) -> Result<()> {
        let txs = messages::<Tx>(&self.txs, "transaction")?;
        let batch = gathered(&txs, |tx| Gathered::of(tx, self.overwrite))?;
        let group = Group::of(signer, &self.name, prefix(&batch))?;
        check(&batch, group.who())?;
        let mut files = Vec::new();
        for path in &self.signatures {
            let found = messages::<SignatureDescriptors>(path, "signatures")?;
            ensure!(
                found.len() == batch.len(),
                "{} has signatures of {} transactions, and there are {}",
                path.display(),
                found.len(),
                batch.len()
            );
            files.push((path, found.into_iter()));
        }
        let ground = self.place.find(at, chain_id)?;
        let first = ground.account(group.who())?;
        let mut lines = Vec::with_capacity(batch.len());
        for (number, gathered) in (0..).zip(batch) {
            let account = later(&first, if self.no_auto_increment { 0 } else { number });
            let signatures = files.iter_mut().filter_map(|(path, found)| Some((*path, found.next()?)));
            let signed = group.put(gathered, signatures, &ground.chain_id, &account);
            lines.push(signed.with_context(|| format!("transaction {}", number + 1))?);
        }
        self.document.put(&lines.join("\n"), output)
    }
}

/// The transactions of a batch, of which there are some.
fn gathered(txs: &[Tx], read: impl Fn(&Tx) -> Result<Gathered>) -> Result<Vec<Gathered>> {
    ensure!(!txs.is_empty(), "there is no transaction in it");
    let numbered = (1..).zip(txs);
    numbered.map(|(number, tx)| read(tx).with_context(|| format!("transaction {number} cannot be signed"))).collect()
}

fn prefix(batch: &[Gathered]) -> &str {
    batch.first().map_or("", Gathered::prefix)
}

/// Whether an account signs all of them.
fn check(batch: &[Gathered], who: &str) -> Result<()> {
    (1..).zip(batch).try_for_each(|(number, one)| {
        one.place(who).with_context(|| format!("transaction {number}"))?;
        Ok(())
    })
}

/// An account after so many more transactions.
fn later(account: &Account, count: u64) -> Account {
    Account { number: account.number, sequence: account.sequence.saturating_add(count) }
}

/// One transaction of the messages of all, with their gas and their fees together.
///
/// # Errors
/// Where one has something else, which one transaction of all cannot have.
fn appended(txs: &[Tx]) -> Result<Tx> {
    let (mut messages, mut gas, mut fees) = (Vec::new(), 0_u64, BTreeMap::<String, u128>::new());
    for (number, tx) in (1..).zip(txs) {
        let body = tx.body.clone().unwrap_or_default();
        let fee = tx.auth_info.clone().unwrap_or_default().fee.unwrap_or_default();
        let bare = TxBody { messages: body.messages.clone(), ..TxBody::default() };
        let plain = Fee { amount: fee.amount.clone(), gas_limit: fee.gas_limit, ..Fee::default() };
        ensure!(
            body == bare && fee == plain,
            "transaction {number} has a note, a timeout, or somebody who pays its fee, which one of all cannot have"
        );
        messages.extend(body.messages);
        let too_much = || format!("transaction {number}: all fees together are more than there can be");
        gas = gas.checked_add(fee.gas_limit).with_context(too_much)?;
        for coin in fee.amount {
            let amount: u128 = coin.amount.parse().with_context(|| format!("transaction {number}: its fee"))?;
            let sum = fees.entry(coin.denom).or_default();
            *sum = sum.checked_add(amount).with_context(too_much)?;
        }
    }
    let amount = fees.into_iter().map(|(denom, amount)| Coin { denom, amount: amount.to_string() }).collect();
    let fee = Fee { amount, gas_limit: gas, ..Fee::default() };
    Ok(Tx {
        body: Some(TxBody { messages, ..TxBody::default() }),
        auth_info: Some(AuthInfo { fee: Some(fee), ..AuthInfo::default() }),
        signatures: vec![],
    })
}

//! `aceso sealed grant|pass`: a record's key is wrapped for readers or a committee, by its owner or by who was given it, with
//! terms that the chain sees as a digest.

use std::path::PathBuf;

use aceso_client::{Client, any, random, sealed::Giving};
use aceso_types::{
    ModelId,
    query::{GrantRow, QueryGrant, QueryReader, QueryValidators, ReaderRow, RecordRow},
    sealed::{Terms, VERSION},
};
use aceso_verify::grant::SecretKey;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;

use super::{
    DAY, Desk,
    keyring::KeyringArg,
    now,
    open::{Held, terms_of},
    seal::name_of,
    write_fresh,
};
use crate::home::Home;

/// Seconds by which the chain's clock may be behind this machine's.
const BEHIND: u64 = 3_600;

/// Grants a record of yours to readers, or to the validators as a committee that reads for others.
#[derive(Args, Debug)]
pub(crate) struct Grant {
    /// The record's number.
    record: u64,
    #[command(flatten)]
    offer: Offer,
    #[command(flatten)]
    keyring: KeyringArg,
}

/// Passes the key of a record that was granted to you on to others. Its terms must allow that (`grant --rewrap`), or somebody
/// must have broken its glass and asked for the key.
#[derive(Args, Debug)]
pub(crate) struct Pass {
    /// The grant that names you, such as aceso1…/3.
    grant: String,
    /// Its terms: the file that whoever granted has handed over. Not needed for who has broken the glass.
    #[arg(long, value_name = "FILE")]
    terms: Option<PathBuf>,
    /// For a validator's operator, whose committee was granted it: the home of the node that has the opener key.
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    #[command(flatten)]
    offer: Offer,
    #[command(flatten)]
    keyring: KeyringArg,
}

/// For whom, and what it allows.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("whom").required(true).args(["to", "committee"]))]
struct Offer {
    /// A reader, who has registered a key; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    to: Vec<String>,
    /// Instead of readers: operators of validators as a committee; all that have a key, where none is named.
    #[arg(long, value_name = "ADDRESS", num_args = 0..)]
    committee: Option<Vec<String>>,
    /// Who may ask the committee; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    actor: Vec<String>,
    /// Anybody may ask.
    #[arg(long, conflicts_with = "actor")]
    anybody: bool,
    /// Why it may be asked: codes of HL7 v3 ActReason.
    #[arg(long, default_value = "TREAT")]
    purpose: Vec<String>,
    /// With which models; any, where none is named.
    #[arg(long, value_name = "ID")]
    model: Vec<ModelId>,
    /// How often.
    #[arg(long, default_value_t = 1)]
    uses: u32,
    /// For how many days; what is passed on ends with what it comes from.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=36_500))]
    days: u64,
    /// Everybody may know all that comes out.
    #[arg(long)]
    open: bool,
    /// Who holds the key may know all that comes out.
    #[arg(long)]
    sealed: bool,
    /// A yes-or-no finding of the models that everybody may know; may be given several times.
    #[arg(long, value_name = "FINDING")]
    finding: Vec<String>,
    /// How many findings of an image and a model may be told in all [default: as many as are named].
    #[arg(long)]
    bits: Option<u32>,
    /// Readers may pass the key on.
    #[arg(long)]
    rewrap: bool,
    /// Only in an emergency, with a reason that everybody may read; leaves an item for you to review.
    #[arg(long)]
    emergency: bool,
    /// Where the terms go: whoever asks under the grant needs this file.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

impl Grant {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let ring = self.keyring.open(desk)?;
        let record = desk.record(self.record)?;
        let desk = desk.owning(&ring, &record)?;
        let key = ring.store.key(&name_of(&record))?;
        self.offer.give(&desk, &record, &key, None)
    }
}

impl Pass {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let held = match &self.home {
            Some(home) => {
                let opener = |epoch| {
                    let found = Home::at(home).opener(epoch)?;
                    found.with_context(|| format!("{} has no opener key of epoch {epoch}", home.display()))
                };
                Held::find(desk, &self.grant, opener)?
            }
            None => {
                let ring = self.keyring.open(desk)?;
                Held::find(desk, &self.grant, |epoch| ring.reader(epoch))?
            }
        };
        let terms = self.terms.as_ref().map(|path| terms_of(path, &self.grant, &held.said)).transpose()?;
        if terms.as_ref().is_some_and(|terms| !terms.rewrap) {
            bail!("grant {} is not to be passed on: its terms do not say so", self.grant);
        }
        let place = u32::try_from(held.place).context("there are no so many recipients")?;
        let from = Source { row: &held.row, place, terms: terms.as_ref(), ends: held.said.expires };
        self.offer.give(desk, &held.record, &held.key, Some(&from))
    }
}

/// What is passed on.
struct Source<'a> {
    row: &'a GrantRow,
    /// The granter's place in it.
    place: u32,
    /// Its terms; none where a glass was broken.
    terms: Option<&'a Terms>,
    /// The second at which it ends.
    ends: u64,
}

impl Offer {
    /// Wraps what this key opens, the record's registration or what was granted, and tells the chain.
    fn give(self, desk: &Desk<'_>, record: &RecordRow, key: &SecretKey, from: Option<&Source<'_>>) -> Result<()> {
        let to = self.recipients(desk)?;
        let terms = Terms {
            version: VERSION,
            salt: aceso_types::Digest(random()?),
            actors: self.actor.clone(),
            anybody: self.anybody,
            via: Vec::new(),
            purposes: self.purpose.clone(),
            models: self.model.clone(),
            not_before: now()?.saturating_sub(BEHIND),
            uses: self.uses,
            open: self.open,
            sealed: self.sealed,
            findings: self.finding.clone(),
            bits: self.bits.unwrap_or(u32::try_from(self.finding.len()).unwrap_or(u32::MAX)),
            rewrap: self.rewrap,
            emergency: self.emergency,
        };
        // The chain sees a digest only, and would take one of terms that nobody can use.
        let encoded = terms.encode();
        Terms::decode(&encoded).context("these terms are none")?;
        let number = next(desk.client, &desk.address)?;
        let until = now()?.saturating_add(self.days.saturating_mul(DAY));
        let giving = Giving {
            chain_id: &desk.client.chain().id,
            granter: &desk.address,
            number,
            record,
            from: from.map(|from| (from.row, from.place, from.terms)),
            to: &to,
            committee: self.committee.is_some(),
            expires: from.map_or(until, |from| until.min(from.ends)),
            terms: &terms,
        };
        let message = giving.prove(key, random()?, &random()?)?;
        desk.payer(&[any(&message)])?;
        // Written first: under a grant whose terms are lost nobody can ask.
        write_fresh(&self.out, &encoded)?;
        let tx = desk.send(&message)?;
        let grant = format!("{}/{number}", desk.address);
        let accounts: Vec<&str> = to.iter().map(|row| row.account.as_str()).collect();
        let object = json!({
            "ok": true, "tx": tx.hash, "height": tx.height, "gas_used": tx.gas_used, "grant": grant, "terms": self.out,
            "recipients": accounts,
        });
        desk.output.print(&object, || {
            format!("grant {grant} to {}; its terms are in {}", accounts.join(" "), self.out.display())
        })
    }

    fn recipients(&self, desk: &Desk<'_>) -> Result<Vec<ReaderRow>> {
        let Some(named) = &self.committee else {
            return self.to.iter().map(|account| desk.reader(account)).collect();
        };
        if !named.is_empty() {
            return named.iter().map(|operator| desk.reader(operator)).collect();
        }
        let validators = desk.client.ask(&QueryValidators::default())?.unwrap_or_default().rows;
        let latest = |account: String| desk.client.ask(&QueryReader { account, epoch: 0, latest: true });
        let operators = validators.into_iter().map(|row| row.operator).filter(|operator| !operator.is_empty());
        let rows = operators.map(latest).collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<ReaderRow> = rows.into_iter().flatten().collect();
        ensure!(!rows.is_empty(), "no operator of a validator has registered a key: `aceso opener register`");
        Ok(rows)
    }
}

/// The number of an account's next grant: those that there are have all numbers below.
fn next(client: &Client, granter: &str) -> Result<u64> {
    first_free(|grant| Ok(client.ask(&QueryGrant { granter: granter.into(), grant })?.is_some()))
}

/// The first number from 1 that is not taken, in about twice its logarithm of questions.
fn first_free(mut taken: impl FnMut(u64) -> Result<bool>) -> Result<u64> {
    let mut above = 1_u64;
    while taken(above)? {
        above = above.saturating_mul(2);
    }
    let mut below = above / 2;
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        if taken(middle)? { below = middle } else { above = middle }
    }
    Ok(above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_number_is_found() {
        for taken in [0, 1, 2, 3, 4, 7, 8, 9, 1000] {
            let mut asked = 0;
            let found = first_free(|number| {
                asked += 1;
                Ok(number <= taken)
            });
            assert_eq!(found.unwrap(), taken + 1);
            assert!(asked <= 22, "{asked}");
        }
    }
}

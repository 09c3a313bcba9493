//! `aceso sealed break-glass`: in an emergency a reader asks those who hold a record's key to pass it on.

use std::path::PathBuf;

use aceso_types::msg::{MsgBreakGlass, MsgBreakGlassResponse};
use anyhow::{Result, bail, ensure};
use clap::Args;
use serde_json::json;

use super::{Desk, open::terms_of};

/// Asks for a record's key in an emergency, for a reason that everybody may read for good. Whom the grant names passes it on
/// with `aceso sealed pass`; its owner finds an item to review.
#[derive(Args, Debug)]
pub(crate) struct BreakGlass {
    /// The grant for emergencies, such as aceso1…/3.
    grant: String,
    /// Its terms: the file that whoever granted has handed over.
    #[arg(long, value_name = "FILE")]
    terms: PathBuf,
    /// Why; 1 to 1024 bytes.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// That all of it shall be public from now on.
    #[arg(long)]
    public: bool,
}

impl BreakGlass {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let (_, said) = desk.grant(&self.grant)?;
        let terms = terms_of(&self.terms, &self.grant, &said)?;
        ensure!(terms.emergency, "grant {} is not for emergencies", self.grant);
        ensure!(!self.reason.trim().is_empty(), "say why in words: --reason TEXT, which everybody may read");
        let (reader, record) = (desk.reader(&desk.address)?, desk.record(said.record)?);
        if !self.public {
            bail!(
                "everybody may read from then on, for good: that {} asks for the key of record {} ({} files) of {}, when, \
                 the terms of grant {}, and this reason: {}; say --public if it shall be so",
                desk.address,
                record.record,
                record.files.len(),
                record.owner,
                self.grant,
                self.reason
            );
        }
        let message = MsgBreakGlass {
            actor: desk.address.clone(),
            epoch: reader.epoch,
            granter: said.granter,
            grant: said.grant,
            terms: terms.encode(),
            reason: self.reason,
        };
        let tx = desk.send(&message)?;
        let review = tx.response::<MsgBreakGlassResponse>(0)?.review;
        let holders: Vec<&str> = said.recipients.iter().map(|one| one.account.as_str()).collect();
        let object = json!({
            "ok": true, "tx": tx.hash, "height": tx.height, "gas_used": tx.gas_used, "record": record.record,
            "owner": record.owner, "review": review, "holders": holders,
        });
        desk.output.print(&object, || {
            format!(
                "the glass of record {} is broken; {} finds item {review} to review\nwho may pass the key on now, each with \
                 `aceso sealed pass {} --to {}`: {}",
                record.record,
                record.owner,
                self.grant,
                desk.address,
                holders.join(" ")
            )
        })
    }
}

//! `aceso sealed revoke|retire`: grants and records end, in the name of the account that gave them or owns them.

use aceso_types::msg::{MsgRetireSealed, MsgRevokeGrant};
use anyhow::Result;
use clap::Args;

use super::{Desk, keyring::KeyringArg};
use crate::cli::remote::tx::report;

/// Takes a grant back, and with it all that were passed on from it.
#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// The grant: who gave it and its number, such as aceso1…/3.
    grant: String,
    #[command(flatten)]
    keyring: KeyringArg,
}

/// Ends a record and all its grants.
#[derive(Args, Debug)]
pub(crate) struct Retire {
    /// The record's number.
    record: u64,
    #[command(flatten)]
    keyring: KeyringArg,
}

impl Revoke {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let (_, said) = desk.grant(&self.grant)?;
        let own = if said.granter == desk.address { desk.clone() } else { owner(desk, said.record, &self.keyring)? };
        let message = MsgRevokeGrant { sender: own.address.clone(), granter: said.granter, grant: said.grant };
        report(desk.output, &own.send(&message)?, None)
    }
}

impl Retire {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let own = owner(desk, self.record, &self.keyring)?;
        let message = MsgRetireSealed { owner: own.address.clone(), record: self.record };
        report(desk.output, &own.send(&message)?, None)
    }
}

/// The desk of a record's owner. Without a keyring there is no other account than this one, and the chain says what it may not.
fn owner<'a>(desk: &Desk<'a>, record: u64, keyring: &KeyringArg) -> Result<Desk<'a>> {
    let row = desk.record(record)?;
    if row.owner == desk.address || !keyring.path().exists() {
        return Ok(desk.clone());
    }
    desk.owning(&keyring.open(desk)?, &row)
}

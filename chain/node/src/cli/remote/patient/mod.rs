//! `aceso sealed keys|accounts|seal|register|grant|pass|break-glass|request|result|dispute|open|…` and `aceso guardians`: what
//! patients, readers and guardians do with keys of their own, which stay on their machine.
//!
//! All keys of a person follow from one file, her [`keyring`], and so do the [`accounts`] in whose names her records stand: one
//! for each, whose fees a sponsor pays. Files are sealed and opened here ([`seal`], [`open`]), the chain gets registrations and
//! wraps with their proofs ([`grant`]) and hears when they end ([`ending`]), what was granted is asked for in [`request`],
//! what came of it is opened in [`result`], and who doubts it has it computed again ([`dispute`]). In an emergency a key is asked for in public ([`glass`]). [`guardians`] deal the
//! keyring's key. Nothing that a verb writes replaces a file that is there, but the keyring itself.

pub(crate) mod accounts;
pub(crate) mod dispute;
pub(crate) mod ending;
pub(crate) mod glass;
pub(crate) mod grant;
pub(crate) mod guardians;
pub(crate) mod keyring;
pub(crate) mod open;
pub(crate) mod request;
pub(crate) mod reseal;
pub(crate) mod result;
pub(crate) mod seal;

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use aceso_client::{Client, GasLimit, Key, TxResult, any};
use aceso_types::{
    msg::{MsgGrant, Named},
    query::{GrantRow, QueryGrant, QueryReader, QueryRecord, ReaderRow, RecordRow},
};
use anyhow::{Context, Result, bail};
use cosmos_sdk_proto::Any;

use self::{keyring::Keyring, seal::name_of};
use super::{Signer, sealed::named};
use crate::cli::Output;

/// Seconds of a day.
pub(super) const DAY: u64 = 86_400;

/// Somebody at a node, with her account, or with that of a record of hers.
#[derive(Clone)]
pub(crate) struct Desk<'a> {
    client: &'a Client,
    key: Key,
    address: String,
    output: Output,
    /// Whose allowance pays the fees; looked for where nobody is named.
    sponsor: Option<String>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(client: &'a Client, signer: &Signer, output: Output, sponsor: Option<String>) -> Result<Self> {
        let key = signer.key()?;
        Ok(Self { client, address: client.address(&key), key, output, sponsor })
    }

    /// The desk of the account that owns a record: this one, or the record's own, which the keyring has.
    fn owning(&self, ring: &Keyring, row: &RecordRow) -> Result<Self> {
        if row.owner == self.address {
            return Ok(self.clone());
        }
        let own = ring.account(&name_of(row)).ok().filter(|key| self.client.address(key) == row.owner);
        let own = own.with_context(|| {
            format!(
                "record {} belongs to {}, not to {} nor to an account of these keys",
                row.record, row.owner, self.address
            )
        })?;
        Ok(self.named(own))
    }

    /// The desk of another account of the same person.
    fn named(&self, key: Key) -> Self {
        Self { address: self.client.address(&key), key, ..self.clone() }
    }

    fn send<M: Named>(&self, message: &M) -> Result<TxResult> {
        self.send_all(vec![any(message)])
    }

    /// Sends messages in one transaction, on the fee of who pays for this account.
    fn send_all(&self, messages: Vec<Any>) -> Result<TxResult> {
        let payer = self.payer(&messages)?;
        Ok(self.client.send_sponsored(&payer, &self.key, messages, GasLimit::Auto)?)
    }

    /// Who pays for these messages: a sponsor; or nobody else, where the account has coins.
    fn payer(&self, messages: &[Any]) -> Result<String> {
        if let Some(named) = &self.sponsor {
            return Ok(named.clone());
        }
        let urls: Vec<&str> = messages.iter().map(|message| message.type_url.as_str()).collect();
        if let Some(sponsor) = self.sponsors(&urls)?.into_iter().next() {
            return Ok(sponsor);
        }
        if self.client.chain().gas_price_micro > 0 && self.client.balance(&self.address)? == 0 {
            bail!(
                "nobody pays the fees of {}: have a sponsor run `aceso sponsor pay {}`, then repeat this",
                self.address,
                self.address
            );
        }
        Ok(String::new())
    }

    /// Who pays fees for this account now.
    fn sponsors(&self, type_urls: &[&str]) -> Result<Vec<String>> {
        let now = i64::try_from(now()?).unwrap_or(i64::MAX);
        let all = self.client.sponsors(&self.address)?.into_iter();
        Ok(all.filter(|one| one.pays(now, type_urls)).map(|one| one.address).collect())
    }

    fn record(&self, record: u64) -> Result<RecordRow> {
        let row = self.client.ask(&QueryRecord { record, ..QueryRecord::default() })?;
        row.with_context(|| format!("there is no record {record}"))
    }

    /// A grant by its name, such as aceso1…/3.
    fn grant(&self, grant: &str) -> Result<(GrantRow, MsgGrant)> {
        let (granter, number) = named(grant)?;
        let row = self.client.ask(&QueryGrant { granter: granter.into(), grant: number })?;
        let row = row.with_context(|| format!("there is no grant {grant}"))?;
        let said = row.grant.clone().with_context(|| format!("there is no grant {grant}"))?;
        Ok((row, said))
    }

    /// The key that an account has registered last.
    fn reader(&self, account: &str) -> Result<ReaderRow> {
        let row = self.client.ask(&QueryReader { account: account.into(), epoch: 0, latest: true })?;
        row.with_context(|| format!("{account} has registered no key to read with: `aceso sealed keys register`"))
    }
}

/// Seconds since 1970 by this machine's clock.
pub(super) fn now() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock of this machine is before 1970")?;
    Ok(now.as_secs())
}

/// Writes a file that only its owner may read. One that is there stays as it is.
fn write_fresh(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = fresh(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// A new file that only its owner may read.
fn fresh(path: &Path) -> Result<std::fs::File> {
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    match file {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            anyhow::bail!("{} is there already, and is not written over", path.display())
        }
        file => file.with_context(|| format!("cannot write {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_fresh(&path, b"one").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = write_fresh(&path, b"two").unwrap_err().to_string();
        assert!(refused.ends_with("is there already, and is not written over"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
    }
}

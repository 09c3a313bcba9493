//! `aceso sealed reseal`: records under new keys, which nobody has who had the old ones.

use std::path::PathBuf;

use aceso_client::{TxResult, any};
use aceso_types::{
    msg::{MsgRegisterSealed, MsgRegisterSealedResponse, MsgRetireSealed, SealedFile},
    query::RecordRow,
    sealed::record_name,
};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use cosmos_sdk_proto::Any;
use serde_json::{Value, json};

use super::{
    Desk,
    accounts::paid,
    keyring::{Keyring, KeyringArg, content},
    open::{owned, unsealed},
    seal::{SUFFIX, Sealing, name_of, proven, stat, store},
};

/// Encrypts records of yours under new keys, and ends the old ones: who had their keys does not have the new ones. Records in the
/// name of the account that signs change in one transaction, or none of them. One with an account of its own gets another one,
/// for which a sponsor pays already (`aceso sealed accounts`), by transactions of its own, so that nothing shows that several
/// are of one person.
#[derive(Args, Debug)]
pub(crate) struct Reseal {
    /// The old records' numbers.
    #[arg(required = true)]
    records: Vec<u64>,
    /// A sealed file of these records, in the order of records and of the files in each; once for each file, or never: then
    /// the node is asked.
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Where the new sealed files go: record-7-1.sealed and so on, by the old record's number and the file's place in it.
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    keyring: KeyringArg,
}

/// A record that is sealed anew and not registered yet.
struct Anew<'a> {
    old: RecordRow,
    /// In whose name the old one stands, and the new one will.
    owners: (Desk<'a>, Desk<'a>),
    files: Vec<SealedFile>,
    paths: Vec<PathBuf>,
}

impl Anew<'_> {
    fn registers(&self, ring: &Keyring) -> Result<Any> {
        let registered = proven(&self.owners.1, ring, self.files.clone())?;
        let (guard, origin) = (self.old.guard.clone(), self.old.origin.clone());
        Ok(any(&MsgRegisterSealed { guard, origin, ..registered }))
    }

    fn retires(&self) -> Any {
        any(&MsgRetireSealed { owner: self.owners.0.address.clone(), record: self.old.record })
    }
}

impl Reseal {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let mut ring = self.keyring.open(desk)?;
        let rows = self.records.iter().map(|&record| desk.record(record)).collect::<Result<Vec<_>>>()?;
        for (at, row) in rows.iter().enumerate() {
            owned(desk, &ring, row)?;
            ensure!(row.retired == 0, "record {} has ended at block {}", row.record, row.retired);
            let before = rows.get(..at).unwrap_or_default();
            ensure!(before.iter().all(|one| one.record != row.record), "record {} is named twice", row.record);
        }
        let count: usize = rows.iter().map(|row| row.files.len()).sum();
        let given = self.file.len();
        ensure!(given == 0 || given == count, "these records have {count} files, and --file names {given}");
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;

        let mut sources = self.file.iter();
        let mut anew = Vec::new();
        for row in rows {
            anew.push(self.sealed(desk, &mut ring, row, &mut sources)?);
        }
        // The new keys are kept before the chain hears of them, the old ones until the old records have ended.
        ring.save(&desk.address)?;
        for path in anew.iter().flat_map(|one| &one.paths) {
            store(desk, path)?;
        }
        let (mine, others): (Vec<Anew<'_>>, Vec<Anew<'_>>) =
            anew.into_iter().partition(|one| one.owners.0.address == desk.address);
        let mut shown = Vec::new();
        if !mine.is_empty() {
            let messages = mine.iter().map(|one| Ok([one.registers(&ring)?, one.retires()]));
            let tx = desk.send_all(messages.collect::<Result<Vec<_>>>()?.concat())?;
            for (at, one) in mine.iter().enumerate() {
                shown.push(changed(one, tx.response::<MsgRegisterSealedResponse>(2 * at)?.record, &tx));
            }
            self.forget(desk, &mut ring, &mine)?;
        }
        for one in others {
            let (before, after) = &one.owners;
            let registered = after.send_all(vec![one.registers(&ring)?])?;
            let record = registered.response::<MsgRegisterSealedResponse>(0)?.record;
            let ended = before.send_all(vec![one.retires()]).with_context(|| {
                let old = one.old.record;
                format!("record {record} is there, and record {old} has not ended: `aceso sealed retire {old}`")
            })?;
            shown.push(changed(&one, record, &ended));
            self.forget(desk, &mut ring, &[one])?;
        }
        if let Some(words) = ring.behind() {
            eprintln!("note: {words}");
        }
        let mut object = json!({"ok": true, "records": shown});
        if let [one] = shown.as_slice() {
            object["record"] = one["record"].clone();
        }
        desk.output.print(&object, || {
            let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
            let line = |one: &Value| {
                format!(
                    "record {} is record {} now, in block {} as {}",
                    one["old"],
                    text(one, "record"),
                    one["height"],
                    text(one, "tx")
                )
            };
            shown.iter().map(line).collect::<Vec<_>>().join("\n")
        })
    }

    /// Erases the keys of what has ended.
    fn forget(&self, desk: &Desk<'_>, ring: &mut Keyring, ended: &[Anew<'_>]) -> Result<()> {
        for one in ended {
            ring.store.erase(&name_of(&one.old))?;
        }
        ring.rekey(&desk.key)?;
        ring.save(&desk.address)
    }

    /// For whom a record is sealed anew, and what its key and account are called until then. Nothing of an account may be lost
    /// with it.
    fn owners<'a>(desk: &Desk<'a>, ring: &mut Keyring, old: &RecordRow) -> Result<(Desk<'a>, Desk<'a>, String)> {
        let before = desk.owning(ring, old)?;
        if before.address == desk.address {
            return Ok((before.clone(), before, ring.fresh()?));
        }
        empty(&before, old)?;
        let Some(name) = paid(desk, ring)? else {
            bail!(
                "record {} has an account of its own, and no other waits for it that somebody pays for: \
                 `aceso sealed accounts --more 1`, then have a sponsor run `aceso sponsor pay` for it",
                old.record
            )
        };
        let after = desk.named(ring.account(&name)?);
        Ok((before, after, name))
    }

    /// Seals the files of a record under a new point, whose number is in the keyring then.
    fn sealed<'a, 'b>(
        &self,
        desk: &Desk<'b>,
        ring: &mut Keyring,
        old: RecordRow,
        sources: &mut impl Iterator<Item = &'a PathBuf>,
    ) -> Result<Anew<'b>> {
        let before = owned(desk, ring, &old)?;
        let (owner, next, name) = Self::owners(desk, ring, &old)?;
        let content = content(&ring.store.key(&name)?);
        let (mut files, mut paths, mut cids) = (Vec::new(), Vec::new(), Vec::new());
        for (place, stated) in old.files.iter().enumerate() {
            let (inner, record) = unsealed(desk, &old, place, &before, sources.next().map(PathBuf::as_path))?;
            let path = self.out.join(format!("record-{}-{}.{SUFFIX}", old.record, place + 1));
            let about = Sealing { content: &content, owner: &next.address, media: &inner.media, tags: &inner.tags };
            let (cid, _) = about.write(&record[..], record.len() as u64, &path)?;
            let SealedFile { modality, body_part, effort, .. } = stated.clone();
            files.push(SealedFile { modality, body_part, effort, ..stat(&path)? });
            paths.push(path);
            cids.push(cid);
        }
        ring.store.rename(&name, &record_name(&cids))?;
        Ok(Anew { old, owners: (owner, next), files, paths })
    }
}

/// That an account has nothing which would be lost with its key.
fn empty(account: &Desk<'_>, record: &RecordRow) -> Result<()> {
    let held = account.client.balance(&account.address)?;
    ensure!(
        held == 0,
        "{}, the account of record {}, has {held} coins, which would be lost with its key: `aceso sealed collect {}`",
        account.address,
        record.record,
        record.record
    );
    Ok(())
}

fn changed(one: &Anew<'_>, record: u64, tx: &TxResult) -> Value {
    json!({
        "old": one.old.record, "record": record.to_string(), "files": one.paths, "owner": one.owners.1.address,
        "tx": tx.hash, "height": tx.height,
    })
}

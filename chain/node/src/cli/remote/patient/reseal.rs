//! `aceso sealed reseal`: records under new keys, which nobody has who had the old ones.

use std::path::PathBuf;

use aceso_client::{GasLimit, any};
use aceso_types::{
    msg::{MsgRegisterSealed, MsgRegisterSealedResponse, MsgRetireSealed, SealedFile},
    query::RecordRow,
    sealed::record_name,
};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;

use super::{
    Desk,
    keyring::{Keyring, KeyringArg},
    open::{owned, unsealed},
    seal::{SUFFIX, Sealing, name_of, proven, stat, store},
};

/// Encrypts records of yours under new keys, and ends the old ones: who had their keys does not have the new ones. All of them
/// change in one transaction, or none.
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
struct Anew {
    old: RecordRow,
    files: Vec<SealedFile>,
    paths: Vec<PathBuf>,
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
        let mut messages = Vec::new();
        for one in &anew {
            let registered = proven(desk, &ring, one.files.clone())?;
            let (guard, origin) = (one.old.guard.clone(), one.old.origin.clone());
            messages.push(any(&MsgRegisterSealed { guard, origin, ..registered }));
            messages.push(any(&MsgRetireSealed { owner: desk.address.clone(), record: one.old.record }));
        }
        let tx = desk.client.send(&desk.key, messages, GasLimit::Auto)?;
        let mut shown = Vec::new();
        for (at, one) in anew.iter().enumerate() {
            let record = tx.response::<MsgRegisterSealedResponse>(2 * at)?.record;
            shown.push(json!({"old": one.old.record, "record": record.to_string(), "files": one.paths}));
            ring.store.erase(&name_of(&one.old))?;
        }
        ring.rekey(&desk.key)?;
        ring.save(&desk.address)?;
        if let Some(words) = ring.behind() {
            eprintln!("note: {words}");
        }
        let mut object = json!({
            "ok": true, "tx": tx.hash, "height": tx.height, "gas_used": tx.gas_used, "records": shown,
        });
        if let [one] = shown.as_slice() {
            object["record"] = one["record"].clone();
        }
        desk.output.print(&object, || {
            let line = |one: &serde_json::Value| {
                format!("record {} is record {} now", one["old"], one["record"].as_str().unwrap_or_default())
            };
            let lines: Vec<String> = shown.iter().map(line).collect();
            format!("{}\nin block {} as {} for {} gas", lines.join("\n"), tx.height, tx.hash, tx.gas_used)
        })
    }

    /// Seals the files of a record under a new point, whose number is in the keyring then.
    fn sealed<'a>(
        &self,
        desk: &Desk<'_>,
        ring: &mut Keyring,
        old: RecordRow,
        sources: &mut impl Iterator<Item = &'a PathBuf>,
    ) -> Result<Anew> {
        let before = owned(desk, ring, &old)?;
        let (number, content) = ring.draft()?;
        let (mut files, mut paths, mut cids) = (Vec::new(), Vec::new(), Vec::new());
        for (place, stated) in old.files.iter().enumerate() {
            let (inner, record) = unsealed(desk, &old, place, &before, sources.next().map(PathBuf::as_path))?;
            let path = self.out.join(format!("record-{}-{}.{SUFFIX}", old.record, place + 1));
            let about = Sealing { content: &content, owner: &desk.address, media: &inner.media, tags: &inner.tags };
            let (cid, _) = about.write(&record[..], record.len() as u64, &path)?;
            let SealedFile { modality, body_part, .. } = stated.clone();
            files.push(SealedFile { modality, body_part, ..stat(&path)? });
            paths.push(path);
            cids.push(cid);
        }
        ring.store.add(&record_name(&cids), number)?;
        Ok(Anew { old, files, paths })
    }
}

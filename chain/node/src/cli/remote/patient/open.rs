//! `aceso sealed open` and `open-result`: what was granted to a reader, or is one's own, is decrypted into files; and what a
//! committee has kept for who holds the key.

use std::path::{Path, PathBuf};

use aceso_blobs::import;
use aceso_seal::{Inner, Registered, open_registered, sealed_bytes_max};
use aceso_types::{
    BlobId, Digest, Receipt,
    query::{GrantRow, JobStatus, QueryGrant, QueryJob, QueryReceipt, RecordRow},
    sealed::{Failure, Outcome, RESULT_BYTES_MAX},
};
use aceso_verify::{
    grant::{ContentPoint, Registration, Wrap},
    outcome::open_result,
};
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    Desk,
    keyring::{Keyring, KeyringArg},
    seal::name_of,
    write_fresh,
};
use crate::{cli::remote::sealed::named, home};

/// Most bytes of a record that is opened in memory.
const RECORD_MAX: u64 = 1 << 30;

/// Decrypts a file of a record that was granted to you, or of one of yours.
#[derive(Args, Debug)]
pub(crate) struct Open {
    /// The grant, such as aceso1…/3; or the number of a record of yours.
    which: String,
    /// Which of the record's files, from 1.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    number: u64,
    /// The sealed file; asked of the node where it is not given.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where the record goes.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    keyring: KeyringArg,
}

impl Open {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let ring = self.keyring.open(desk)?;
        let (row, content) = match self.which.parse() {
            Ok(record) => {
                let row = desk.record(record)?;
                let content = owned(desk, &ring, &row)?;
                (row, content)
            }
            Err(_) => granted(desk, &ring, &self.which)?,
        };
        let place = usize::try_from(self.number.saturating_sub(1)).unwrap_or(usize::MAX);
        let (inner, record) = unsealed(desk, &row, place, &content, self.file.as_deref())?;
        write_fresh(&self.out, &record)?;
        let object = json!({
            "ok": true, "file": self.out, "record": row.record, "owner": row.owner, "media": inner.media,
            "bytes": record.len(), "tags": inner.tags,
        });
        desk.output.print(&object, || {
            format!("{} bytes of {} from {} in {}", record.len(), inner.media, row.owner, self.out.display())
        })
    }
}

/// Decrypts what a committee has computed of a record of yours, or of one that was granted to you, and has kept for who holds
/// its key.
#[derive(Args, Debug)]
pub(crate) struct OpenResult {
    /// The job's number.
    job: u64,
    /// A grant by which you hold the record's key, such as aceso1…/3; without it the record is yours.
    #[arg(long)]
    grant: Option<String>,
    /// The file that the outcome names, where it names one; asked of the node where it is not given.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where the outputs go: FOLDER/1, FOLDER/2 and so on, each tensor's elements row by row, little-endian.
    #[arg(long, short, value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten)]
    keyring: KeyringArg,
}

impl OpenResult {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let Self { job, .. } = self;
        let row = desk.client.ask(&QueryJob { job })?.with_context(|| format!("there is no job {job}"))?;
        ensure!(row.status() == JobStatus::Done, "job {job} has no outcome: it is {:?}", row.status());
        let receipt = desk.client.ask(&QueryReceipt { read: row.read })?;
        let receipt = receipt.with_context(|| format!("there is no read {}", row.read))?.receipt;
        let receipt = Receipt::decode(&receipt).with_context(|| format!("read {}", row.read))?;
        receipt.check_sealed()?;
        let (Some(sealed), Some(compact)) = (&receipt.sealed, receipt.compact()) else {
            bail!("read {} is an open one", row.read)
        };
        ensure!(sealed.job == job, "read {} is of job {}, not of job {job}", row.read, sealed.job);
        let ring = self.keyring.open(desk)?;
        let (record, content) = match &self.grant {
            Some(grant) => granted(desk, &ring, grant)?,
            None => {
                let record = desk.record(row.record)?;
                let content = owned(desk, &ring, &record)?;
                (record, content)
            }
        };
        ensure!(record.record == row.record, "job {job} is on record {}, not on {}", row.record, record.record);
        let file = match &sealed.outcome {
            Outcome::Stored { blob, size, .. } => Some(kept(desk, blob, *size, self.file.as_deref())?),
            _ => None,
        };
        let about = compact.statement.of(receipt.committee.digest);
        let outputs = open_result(&content, &about, &sealed.outcome, file.as_deref())
            .with_context(|| format!("the result of job {job} does not open"))?;
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        let mut shown = Vec::with_capacity(outputs.len());
        for (number, output) in (1_u32..).zip(&outputs) {
            let path = self.out.join(number.to_string());
            write_fresh(&path, output.data())?;
            shown.push(json!({"file": path, "type": output.ty(), "dims": output.dims(), "bytes": output.data().len()}));
        }
        let object = json!({"ok": true, "job": job, "read": row.read, "record": row.record, "outputs": shown});
        desk.output.print(&object, || {
            let lines = outputs.iter().map(|one| format!("{} {:?}", one.ty(), one.dims())).collect::<Vec<_>>();
            format!("read {}, as its committee signed it: {} in {}", row.read, lines.join(", "), self.out.display())
        })
    }
}

/// The file of a result: from this machine, else from the node, which has to be the one that its committee has named.
fn kept(desk: &Desk<'_>, blob: &BlobId, size: u64, file: Option<&Path>) -> Result<Vec<u8>> {
    let bytes = match file {
        Some(path) => home::read(path, RESULT_BYTES_MAX as u64)?,
        None => {
            let got = desk.client.get_blob(blob);
            let hint =
                || format!("the node does not hand out {blob}: those who signed it do, for its term; or give --file");
            got.with_context(hint)?.with_context(hint)?
        }
    };
    let named = import(bytes.as_slice(), RESULT_BYTES_MAX as u64, |_, _| Ok(()))?;
    ensure!(
        named.id == *blob,
        "the file is {}, of {} bytes, and the outcome names {blob}, of {size}",
        named.id,
        named.size
    );
    Ok(bytes)
}

/// The point of a record of this desk's own.
pub(super) fn owned(desk: &Desk<'_>, ring: &Keyring, row: &RecordRow) -> Result<ContentPoint> {
    ensure!(row.owner == desk.address, "record {} belongs to {}, not to {}", row.record, row.owner, desk.address);
    let key = ring.store.key(&name_of(row))?;
    Ok(Registration::from_bytes(&row.registration)?.sealed.open(&key))
}

/// The record of a grant that names this desk, and its point.
fn granted(desk: &Desk<'_>, ring: &Keyring, grant: &str) -> Result<(RecordRow, ContentPoint)> {
    let (granter, number) = named(grant)?;
    let row = desk.client.ask(&QueryGrant { granter: granter.into(), grant: number })?;
    let GrantRow { grant: Some(said), revoked, .. } = row.with_context(|| format!("there is no grant {grant}"))? else {
        bail!("there is no grant {grant}")
    };
    let place = said.recipients.iter().position(|one| one.account == desk.address);
    let place = place.with_context(|| format!("grant {grant} does not name {}", desk.address))?;
    // Who has opened it before has the key for good; an honest reader does not open what was taken back.
    ensure!(revoked == 0, "grant {grant} was taken back at block {revoked}");
    let epoch = said.recipients.get(place).map(|one| one.epoch).unwrap_or_default();
    let wrap = Wrap::from_bytes(&said.wrap)?;
    let sealed = wrap.of(place).with_context(|| format!("grant {grant} wraps nothing for {}", desk.address))?;
    Ok((desk.record(said.record)?, sealed.open(&ring.reader(epoch)?)))
}

/// A file of a record, opened: from this machine, else from the node.
pub(super) fn unsealed(
    desk: &Desk<'_>,
    row: &RecordRow,
    place: usize,
    content: &ContentPoint,
    file: Option<&Path>,
) -> Result<(Inner, Zeroizing<Vec<u8>>)> {
    let known = row.files.get(place).with_context(|| format!("record {} has {} files", row.record, row.files.len()))?;
    let bytes = match file {
        Some(path) => home::read(path, sealed_bytes_max(RECORD_MAX))?,
        None => {
            let cid: BlobId = known.cid.parse()?;
            let got = desk.client.get_blob(&cid);
            let hint = || format!("the node does not hand out {cid}: members of its committees do; or give --file");
            got.with_context(hint)?.with_context(hint)?
        }
    };
    let commitment = Digest::try_from(row.commitment.as_slice()).ok().context("the record's commitment is damaged")?;
    let about = Registered { owner: &row.owner, commitment: &commitment };
    let opened = open_registered(&about, content, &bytes, bytes.len() as u64, RECORD_MAX);
    opened.map_err(|failure| anyhow!("file {} of record {} does not open: {}", known.cid, row.record, why(failure)))
}

/// Why a sealed file cannot be read, for people.
pub(super) fn why(failure: Failure) -> &'static str {
    match failure {
        Failure::Key => "the key is not the one that the record was registered with",
        Failure::Header => "it is no file that was sealed under this record's key",
        Failure::Owner => "it names another owner",
        Failure::Leaf => "it was changed or cut",
        Failure::Record => "what was sealed is no record, or too long",
        Failure::Undecodable => "it is no image that can be decoded",
        Failure::Unsuitable => "it is not what the model reads: its modality, body part or shape is another",
        Failure::Inference => "the model ran into what it refuses",
    }
}

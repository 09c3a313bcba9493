//! `aceso sealed result`: what a committee has kept for who holds a record's key is opened, be it in the outcome or in a file
//! that the outcome names.
//!
//! Such a file is asked for where the desk is, then of each member that was named: what has not the name that the committee
//! has signed is not believed, whoever sends it.

use std::path::{Path, PathBuf};

use aceso_blobs::import;
use aceso_inference::answers;
use aceso_types::{
    BlobId, Manifest, Tensor,
    query::{JobRow, JobStatus, QueryGrants, QueryJob, QueryModel, RecordRow},
    sealed::{Outcome, RESULT_BYTES_MAX, Statement},
};
use aceso_verify::{grant::ContentPoint, outcome::open_result};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;

use super::{
    Desk,
    keyring::{Keyring, KeyringArg},
    open::{Held, brought, owned, why},
    write_fresh,
};
use crate::cli::remote::read::lines_of;

/// Opens what a committee found, for you who hold the record's key: as its owner, or as a reader to whom it was granted.
#[derive(Args, Debug)]
#[command(name = "result")]
pub(crate) struct Opened {
    /// The job's number, as `aceso sealed request` has told it.
    job: u64,
    /// The grant by which you hold the key, such as aceso1…/3; looked for where it is not given.
    #[arg(long)]
    grant: Option<String>,
    /// The file that the outcome names, where it names one; asked of the node where it is not given.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The REST port of a member that signed, such as http://10.0.0.2:1317, asked for the file where the node does not give
    /// it; may be given more than once.
    #[arg(long, value_name = "URL", conflicts_with = "file")]
    member: Vec<String>,
    /// Where the outputs go: FOLDER/1.npy, FOLDER/2.npy and so on, each with its type and shape, as NumPy reads it.
    #[arg(long, short, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    keyring: KeyringArg,
}

impl Opened {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let job = self.job;
        let row = desk.client.ask(&QueryJob { job })?.with_context(|| format!("there is no job {job}"))?;
        ensure!(row.status() == JobStatus::Done, "job {job} has no outcome: it is {:?}", row.status());
        let said = row.outcome.as_ref().with_context(|| format!("job {job} has no outcome"))?;
        let statement = Statement::decode(&row.statement)?;
        let outputs = match Outcome::decode(&said.outcome)? {
            outcome @ (Outcome::Sealed { .. } | Outcome::Stored { .. }) => {
                let content = self.content(desk, &row)?;
                let file = match &outcome {
                    Outcome::Stored { blob, size, .. } => Some(self.kept(desk, blob, *size)?),
                    _ => None,
                };
                open_result(&content, &statement, &outcome, file.as_deref())
                    .with_context(|| format!("job {job} does not open"))?
            }
            Outcome::Open { outputs, .. } => outputs,
            Outcome::Predicate { .. } => {
                bail!("job {job} tells findings and nothing else, to everybody: `aceso sealed job {job}`")
            }
            Outcome::Failed(failure) => bail!("job {job} could not be read: {}", why(failure)),
        };
        let model = statement.model.to_string();
        let known = desk.client.ask(&QueryModel { model: model.clone() })?;
        let known = known.with_context(|| format!("the chain has no model {model}"))?;
        let files = self.out.as_deref().map(|folder| written(folder, &outputs)).transpose()?.unwrap_or_default();
        show(desk, &row, &Manifest::decode(&known.manifest)?, &outputs, &files)
    }

    /// The point of the job's record, by whatever this desk has.
    fn content(&self, desk: &Desk<'_>, row: &JobRow) -> Result<ContentPoint> {
        let (ring, record) = (self.keyring.open(desk)?, desk.record(row.record)?);
        let content = match &self.grant {
            Some(grant) => granted(desk, &ring, &record, grant)?,
            None if desk.owning(&ring, &record).is_ok() => owned(desk, &ring, &record)?,
            None => granted(desk, &ring, &record, &naming(desk, &record)?)?,
        };
        let same = content.commitment().0 == record.commitment[..];
        ensure!(same, "the key is not the one that record {} was registered with", record.record);
        Ok(content)
    }

    /// The file of a result: from this machine, else from the node, else from the first member that has it.
    fn kept(&self, desk: &Desk<'_>, blob: &BlobId, size: u64) -> Result<Vec<u8>> {
        const OTHERS: &str = "those who signed it do, for its term; ask one with --member";
        let first = brought(desk, blob, RESULT_BYTES_MAX as u64, self.file.as_deref(), OTHERS);
        let mut refused = match first.and_then(|bytes| named(bytes, blob, size)) {
            Ok(bytes) => return Ok(bytes),
            Err(error) if self.member.is_empty() => return Err(error),
            Err(error) => format!("{error:#}"),
        };
        for member in &self.member {
            let sent = desk.client.at(member).get_blob(blob).map_err(anyhow::Error::from);
            match sent.and_then(|bytes| named(bytes.context("it has not got the file")?, blob, size)) {
                Ok(bytes) => return Ok(bytes),
                Err(error) => refused.push_str(&format!("; {member}: {error:#}")),
            }
        }
        bail!("nobody who was asked gives the file of job {}: {refused}", self.job)
    }
}

/// These bytes, which have to be the file that a committee has named.
fn named(bytes: Vec<u8>, blob: &BlobId, size: u64) -> Result<Vec<u8>> {
    let got = import(bytes.as_slice(), RESULT_BYTES_MAX as u64, |_, _| Ok(()))?;
    ensure!(got.id == *blob, "the file is {}, of {} bytes, and the outcome names {blob}, of {size}", got.id, got.size);
    Ok(bytes)
}

/// Writes each output to a file of its own, and answers which.
fn written(folder: &Path, outputs: &[Tensor]) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let each = (1_u32..).zip(outputs).map(|(number, output)| {
        let path = folder.join(format!("{number}.npy"));
        write_fresh(&path, &output.to_npy())?;
        Ok(path)
    });
    each.collect()
}

fn granted(desk: &Desk<'_>, ring: &Keyring, record: &RecordRow, grant: &str) -> Result<ContentPoint> {
    let held = Held::find(desk, grant, |epoch| ring.reader(epoch))?;
    let (got, want) = (held.record.record, record.record);
    ensure!(got == want, "grant {grant} is of record {got}, and the job is of record {want}");
    held.content()
}

/// The latest grant of a record that names this desk and was not taken back.
fn naming(desk: &Desk<'_>, record: &RecordRow) -> Result<String> {
    let rows = super::super::sealed::all(|page| {
        let question = QueryGrants { record: record.record, recipient: String::new(), page };
        let answer = desk.client.ask(&question)?.unwrap_or_default();
        Ok((answer.rows, answer.next))
    })?;
    let named = rows.into_iter().filter(|row| row.revoked == 0).filter_map(|row| row.grant);
    let mut mine =
        named.filter(|said| !said.committee && said.recipients.iter().any(|one| one.account == desk.address));
    let latest = mine.next_back().map(|said| format!("{}/{}", said.granter, said.grant));
    latest.with_context(|| {
        format!(
            "no grant that holds gives {} the key of record {}: its owner grants it with `aceso sealed grant {} --to {}`",
            desk.address, record.record, record.record, desk.address
        )
    })
}

fn show(desk: &Desk<'_>, row: &JobRow, manifest: &Manifest, outputs: &[Tensor], files: &[PathBuf]) -> Result<()> {
    let answers = answers(manifest, outputs)?;
    // In full where they are short, or where nobody asked for files.
    let shown = outputs.iter().enumerate().map(|(at, one)| {
        let mut object = json!({"type": one.ty(), "dims": one.dims(), "bytes": one.data().len()});
        match files.get(at) {
            Some(file) => object["file"] = json!(file),
            None => object["data"] = json!(hex::encode(one.data())),
        }
        object
    });
    let object = json!({
        "ok": true, "job": row.job, "read": row.read, "record": row.record, "model": manifest.name, "scores": answers.scores,
        "findings": answers.findings, "readings": answers.readings, "outputs": shown.collect::<Vec<_>>(),
    });
    desk.output.print(&object, || {
        let head = format!("read {} by {}, as its committee has committed to it", row.read, manifest.name);
        let places =
            files.iter().zip(outputs).map(|(file, one)| format!("{} {:?} in {}", one.ty(), one.dims(), file.display()));
        let lines = std::iter::once(head).chain(lines_of(&answers)).chain(places);
        lines.collect::<Vec<_>>().join("\n")
    })
}

//! `aceso sealed result`: what a committee has kept for who holds a record's key is opened.

use aceso_inference::scores;
use aceso_types::{
    Manifest, Tensor,
    query::{JobRow, JobStatus, QueryGrants, QueryJob, QueryModel, RecordRow},
    sealed::{Outcome, Statement},
};
use aceso_verify::{grant::ContentPoint, outcome::open_outputs};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;

use super::{
    Desk,
    keyring::{Keyring, KeyringArg},
    open::{Held, owned, why},
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
            Outcome::Sealed { commitment, ciphertext, .. } => {
                let content = self.content(desk, &row)?;
                open_outputs(&content, &statement, &commitment, &ciphertext)
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
        show(desk, &row, &Manifest::decode(&known.manifest)?, &outputs)
    }

    /// The point of the job's record, by whatever this desk has.
    fn content(&self, desk: &Desk<'_>, row: &JobRow) -> Result<ContentPoint> {
        let (ring, record) = (self.keyring.open(desk)?, desk.record(row.record)?);
        let content = match &self.grant {
            Some(grant) => granted(desk, &ring, &record, grant)?,
            None if record.owner == desk.address => owned(desk, &ring, &record)?,
            None => granted(desk, &ring, &record, &naming(desk, &record)?)?,
        };
        let same = content.commitment().0 == record.commitment[..];
        ensure!(same, "the key is not the one that record {} was registered with", record.record);
        Ok(content)
    }
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
    let mine = named.filter(|said| !said.committee && said.recipients.iter().any(|one| one.account == desk.address));
    let latest = mine.last().map(|said| format!("{}/{}", said.granter, said.grant));
    latest.with_context(|| {
        format!(
            "no grant that holds gives {} the key of record {}: its owner grants it with `aceso sealed grant {} --to {}`",
            desk.address, record.record, record.record, desk.address
        )
    })
}

fn show(desk: &Desk<'_>, row: &JobRow, manifest: &Manifest, outputs: &[Tensor]) -> Result<()> {
    let (scores, findings) = match outputs.first() {
        Some(output) => scores(manifest, output)?,
        None => Default::default(),
    };
    let object = json!({
        "ok": true, "job": row.job, "read": row.read, "record": row.record, "model": manifest.name, "scores": scores,
        "findings": findings, "outputs": outputs.iter().map(|one| hex::encode(one.data())).collect::<Vec<_>>(),
    });
    desk.output.print(&object, || {
        let head = format!("read {} by {}, as its committee has committed to it", row.read, manifest.name);
        std::iter::once(head).chain(lines_of(&scores, &findings)).collect::<Vec<_>>().join("\n")
    })
}

//! `aceso sealed request`: a committee is asked under a grant, and what comes of it is waited for.

use std::path::PathBuf;

use aceso_client::SealedRead;
use aceso_types::{
    BlobId, Frame, ModelId,
    msg::{Acceptance, MsgRequestRead, MsgRequestReadResponse},
    query::JobStatus,
    sealed::{Disclosure, Outcome},
};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{
    Desk,
    open::{terms_of, why},
};

/// Asks the committee of a grant to read a sealed image, and waits for the outcome.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("disclosure").required(true).args(["finding", "open", "sealed"]))]
pub(crate) struct Request {
    /// The grant, such as aceso1…/3.
    grant: String,
    /// Its terms: the file that whoever granted has handed over.
    #[arg(long, value_name = "FILE")]
    terms: PathBuf,
    /// The sealed image's CID.
    #[arg(long)]
    image: BlobId,
    /// Which frame of it, from 1, where it has several.
    #[arg(long, default_value_t)]
    frame: Frame,
    /// The model's id.
    #[arg(long)]
    model: ModelId,
    /// Why: a code of HL7 v3 ActReason.
    #[arg(long, default_value = "TREAT")]
    purpose: String,
    /// Tell everybody whether this finding is there; one or two.
    #[arg(long, value_name = "FINDING")]
    finding: Vec<String>,
    /// Tell everybody all that comes out.
    #[arg(long)]
    open: bool,
    /// Tell only who holds the record's key.
    #[arg(long)]
    sealed: bool,
    /// For how many blocks the committee may work on it.
    #[arg(long, default_value_t = 200)]
    blocks: u64,
    /// Fewest members that the committee must have.
    #[arg(long, default_value_t = 1)]
    members_min: u32,
    /// Smallest share of all validators' power that it must have, in hundredths of a percent.
    #[arg(long, default_value_t = 0)]
    power_min_bps: u32,
    /// Why, in words that everybody may read, where the grant is for emergencies.
    #[arg(long, default_value = "")]
    reason: String,
}

impl Request {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let (_, said) = desk.grant(&self.grant)?;
        let terms = terms_of(&self.terms, &self.grant, &said)?;
        let record = desk.record(said.record)?;
        let disclosure = match (self.open, self.sealed) {
            (true, _) => Disclosure::Open,
            (_, true) => Disclosure::Sealed,
            _ => Disclosure::Predicate(self.finding.clone()),
        };
        let read = SealedRead {
            requester: &desk.address,
            actor: &desk.address,
            model: self.model,
            owner: &record.owner,
            image: self.image,
            frame: self.frame,
            grant: (&said.granter, said.grant),
            terms: &terms,
            purpose: &self.purpose,
            disclosure: &disclosure,
            deadline: desk.client.height()?.saturating_add(self.blocks),
        };
        let accept =
            Acceptance { members_min: self.members_min, power_min_bps: self.power_min_bps, ..Acceptance::default() };
        let tx = desk.send(&MsgRequestRead { reason: self.reason.clone(), accept: Some(accept), ..read.message() })?;
        let job = tx.response::<MsgRequestReadResponse>(0)?.job;
        if job == 0 {
            // A known bit makes no job; it stands in the receipt of the read that told it.
            let object = json!({"ok": true, "tx": tx.hash, "height": tx.height, "job": null});
            return desk
                .output
                .print(&object, || "the answer is known from an earlier read: no committee is asked".into());
        }
        let row = desk.client.wait_job(job)?;
        if row.status() != JobStatus::Done {
            bail!("job {job} has ended without an outcome: {:?}", row.status());
        }
        let outcome = row.outcome.with_context(|| format!("job {job} has no outcome"))?;
        let (shown, text) = told(job, &Outcome::decode(&outcome.outcome)?);
        let object = json!({
            "ok": true, "tx": tx.hash, "height": tx.height, "gas_used": tx.gas_used, "job": job, "read": row.read,
            "members": row.members.len(), "outcome": shown,
        });
        desk.output
            .print(&object, || format!("job {job}, read {}, by a committee of {}: {text}", row.read, row.members.len()))
    }
}

/// What an outcome tells, for programs and for people.
fn told(job: u64, outcome: &Outcome) -> (Value, String) {
    match outcome {
        Outcome::Open { outputs, .. } => {
            let bytes: Vec<String> = outputs.iter().map(|output| hex::encode(output.data())).collect();
            (json!({"kind": "open", "outputs": bytes}), format!("outputs {}", bytes.join(" ")))
        }
        Outcome::Predicate { findings, .. } => {
            let shown: Vec<Value> = findings.iter().map(|one| json!({"id": one.id, "present": one.present})).collect();
            let lines: Vec<String> = findings
                .iter()
                .map(|one| format!("{} is {}", one.id, if one.present { "present" } else { "absent" }))
                .collect();
            (json!({"kind": "predicate", "findings": shown}), lines.join(", "))
        }
        Outcome::Sealed { commitment, .. } => {
            let shown = json!({"kind": "sealed", "commitment": commitment});
            (shown, format!("committed to {commitment}; who holds the key opens it with `aceso sealed result {job}`"))
        }
        Outcome::Stored { commitment, blob, size, .. } => {
            let shown = json!({"kind": "sealed", "commitment": commitment, "file": blob, "bytes": size});
            (shown, format!("for who holds the key, in {blob} ({size} bytes); committed to {commitment}"))
        }
        Outcome::Failed(failure) => {
            (json!({"kind": "failed", "failure": failure}), format!("it cannot be read: {}", why(*failure)))
        }
    }
}

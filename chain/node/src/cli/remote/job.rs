//! Jobs of committees: what became of one, how members behave, and how one is disputed.

use std::path::Path;

use aceso_client::{Client, sealed::Opens};
use aceso_types::{
    msg::Recipient,
    query::{GrantRow, JobRow, JobStatus, QueryConduct, QueryJob, QueryReader, QueryRecord, RecordRow},
    sealed::Outcome,
    signers::places,
};
use aceso_verify::grant::SecretKey;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::file;
use crate::cli::Output;

/// Prints a job.
pub(super) fn show(output: Output, client: &Client, job: u64) -> Result<()> {
    let row = get(client, job)?;
    output.print(&object(&row), || text(&row))
}

/// Prints how a validator behaved in committees.
pub(super) fn conduct(output: Output, client: &Client, number: u32) -> Result<()> {
    // Who has been in no committee is told like one that did nothing there.
    let row = client.ask(&QueryConduct { number })?.unwrap_or_default();
    let object = json!({
        "number": number, "signed": row.signed, "missed": row.missed, "wrong": row.wrong, "last_wrong": row.last_wrong,
    });
    output.print(&object, || {
        let last = if row.last_wrong == 0 { String::new() } else { format!(", last of job {}", row.last_wrong) };
        format!("signed {}, missed {}, wrong {}{last}", row.signed, row.missed, row.wrong)
    })
}

/// The record of a job that has an outcome.
pub(super) fn disputable(client: &Client, job: u64) -> Result<RecordRow> {
    let row = get(client, job)?;
    if row.status() != JobStatus::Done {
        bail!("job {job} is {}: there is no outcome to dispute", word(row.status()));
    }
    let question = QueryRecord { record: row.record, ..QueryRecord::default() };
    client.ask(&question)?.with_context(|| format!("there is no sealed record {}", row.record))
}

/// The secret key in a file.
pub(super) fn key(path: &Path) -> Result<SecretKey> {
    secret(&file(&path.into())?).with_context(|| format!("{} is no secret key", path.display()))
}

/// What of a record is for a key: the registration, or a place of a grant.
pub(super) fn opens<'a>(
    client: &Client,
    record: &RecordRow,
    grant: Option<&'a GrantRow>,
    key: &'a SecretKey,
) -> Result<Opens<'a>> {
    let key_of = |one: &Recipient| {
        let question = QueryReader { account: one.account.clone(), epoch: one.epoch, latest: false };
        Ok(client.ask(&question)?.map(|reader| reader.key).unwrap_or_default())
    };
    let wraps = if grant.is_some() { "grant" } else { "registration" };
    Opens::find(record, grant, key, key_of)?
        .with_context(|| format!("the key does not open that {wraps} of record {}", record.record))
}

/// A secret key as a file has it: 32 bytes, or 64 hexadecimal digits.
fn secret(bytes: &[u8]) -> Result<SecretKey> {
    let digits = std::str::from_utf8(bytes).ok().map(str::trim).filter(|text| text.len() == 64);
    let raw = Zeroizing::new(match digits {
        Some(digits) => hex::decode(digits).context("64 characters that are no hexadecimal digits")?,
        None => bytes.to_vec(),
    });
    let length = raw.len();
    let raw: &[u8; 32] = raw.as_slice().try_into().ok().with_context(|| format!("it has {length} bytes, not 32"))?;
    Ok(SecretKey::from_bytes(raw)?)
}

fn get(client: &Client, job: u64) -> Result<JobRow> {
    client.ask(&QueryJob { job })?.with_context(|| format!("there is no job {job}"))
}

fn word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Open => "open",
        JobStatus::Done => "done",
        JobStatus::Expired => "expired",
        JobStatus::Cancelled => "called off",
        JobStatus::Broken => "broken off",
    }
}

/// The operators that have signed the outcome.
fn signers(row: &JobRow) -> Vec<&str> {
    let said = row.outcome.as_ref().and_then(|said| places(&said.signers, row.members.len())).unwrap_or_default();
    said.into_iter().filter_map(|place| row.members.get(place)).map(|one| one.operator.as_str()).collect()
}

fn object(row: &JobRow) -> Value {
    let outcome = |bytes: &[u8]| Outcome::decode(bytes).ok().and_then(|one| serde_json::to_value(one).ok());
    json!({
        "job": row.job, "status": word(row.status()), "record": row.record, "read": row.read, "closed": row.closed,
        "grant": format!("{}/{}", row.granter, row.grant),
        "members": row.members.iter().map(|one| one.operator.as_str()).collect::<Vec<_>>(),
        "signers": signers(row),
        "outcome": row.outcome.as_ref().and_then(|said| outcome(&said.outcome)),
        "disputed": row.disputed.as_ref().map(|found| json!({
            "sender": found.sender, "height": found.height, "wrong": found.wrong, "marked": found.marked,
            "outcome": outcome(&found.outcome),
        })),
    })
}

fn text(row: &JobRow) -> String {
    let head = format!("job {} on record {} is {}", row.job, row.record, word(row.status()));
    let read = if row.read == 0 { String::new() } else { format!(", read {} at block {}", row.read, row.closed) };
    let signed = match signers(row)[..] {
        [] => String::new(),
        ref signers => format!("\nsigned by {} of {}: {}", signers.len(), row.members.len(), signers.join(" ")),
    };
    let disputed = row.disputed.as_ref().map(|found| match found.wrong {
        true => format!("\nFALSE, as everybody found at block {}: {} members are marked", found.height, found.marked),
        false => format!("\ndisputed at block {}, and true", found.height),
    });
    format!("{head}{read}{signed}{}", disputed.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use aceso_types::{
        msg::JobOutcome,
        query::{Disputed, MemberRow},
        sealed::Failure,
    };

    use super::*;

    #[test]
    fn keys_are_bytes_or_digits() {
        let digits = format!("{}07\n", "00".repeat(31));
        let raw = [vec![0; 31], vec![7]].concat();
        let public = |bytes: &[u8]| secret(bytes).unwrap().public().to_bytes();
        assert_eq!(public(digits.as_bytes()), public(&raw));
        for (bytes, words) in [(vec![], "0 bytes"), (vec![1; 33], "33 bytes"), (b"g".repeat(64), "no hexadecimal")] {
            let refused = format!("{:#}", secret(&bytes).unwrap_err());
            assert!(refused.contains(words), "{refused}");
        }
        assert!(secret(&[0; 32]).is_err() && secret(&[255; 32]).is_err());
    }

    #[test]
    fn what_people_read_of_a_job() {
        let member = |operator: &str| MemberRow { operator: operator.into(), ..MemberRow::default() };
        let outcome = Outcome::Failed(Failure::Leaf).encode();
        let row = JobRow {
            job: 5,
            status: JobStatus::Done.into(),
            record: 7,
            read: 3,
            closed: 40,
            members: vec![member("a"), member("b"), member("c")],
            outcome: Some(JobOutcome { job: 5, outcome: outcome.clone(), signers: vec![0b101], signature: vec![] }),
            ..JobRow::default()
        };
        assert_eq!(text(&row), "job 5 on record 7 is done, read 3 at block 40\nsigned by 2 of 3: a c");
        let found = Disputed { sender: "d".into(), height: 50, wrong: true, outcome, marked: 2 };
        let row = JobRow { disputed: Some(found.clone()), ..row };
        assert!(text(&row).ends_with("FALSE, as everybody found at block 50: 2 members are marked"));
        assert_eq!(object(&row)["disputed"]["outcome"], serde_json::json!({"failed": "leaf"}));
        let row = JobRow { disputed: Some(Disputed { wrong: false, ..found }), ..row };
        assert!(text(&row).ends_with("disputed at block 50, and true"));
        assert_eq!(text(&JobRow { job: 6, record: 1, ..JobRow::default() }), "job 6 on record 1 is open");
    }
}

//! `aceso sealed …`: which records are sealed, who was granted their keys, how that ends, and what became of jobs.

use aceso_types::query::{GrantRow, Page, QueryGrants, QueryRecords, QueryReviews, RecordRow, ReviewRow};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    At, Signer, job,
    patient::{
        Desk,
        accounts::{Accounts, Collect, Execute, records},
        dispute::Dispute,
        ending::{Retire, Revoke},
        glass::BreakGlass,
        grant::{Grant, Pass},
        keyring::{KeyringArg, Keys},
        open::Open,
        request::Request,
        reseal::Reseal,
        result::Opened,
        seal,
    },
};
use crate::cli::Output;

/// Sealed records and their grants.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso sealed keys new --from patient.words
  aceso sealed seal scan.dcm --from patient.words
  aceso sponsor pay aceso1… --from hospital.words
  aceso sealed register scan.dcm.sealed --from patient.words
  aceso sealed grant 7 --committee --actor aceso1… --finding pneumonia --out 7.terms --from patient.words
  aceso sealed result 12 --from physician.words
  aceso sealed pass aceso1…/3 --to aceso1… --terms 7.terms --out on.terms --from physician.words
  aceso sealed break-glass aceso1…/4 --terms help.terms --reason \"unconscious\" --public --from physician.words
  aceso sealed reseal 7 8 9 --out sealed --from patient.words
  aceso sealed accounts --more 5 --from patient.words
  aceso sealed collect 7 --link --from patient.words
  aceso sealed records --from patient.words
  aceso sealed records aceso1…
  aceso sealed grants --record 7
  aceso sealed grants --to aceso1…
  aceso sealed revoke aceso1…/3 --from patient.words
  aceso sealed retire 7 --from patient.words
  aceso sealed job 12
  aceso sealed dispute 12 --reveal --from patient.words

Each record has an account of its own, which follows from your keys; a sponsor pays its fees.
What was taken back is not wrapped again and no committee reads under it; whoever opened it before still has what she saw.")]
pub(crate) struct Sealed {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    signer: Signer,
    /// Whose allowance pays the fees [default: whoever pays for the account, else itself].
    #[arg(long, value_name = "ADDRESS", global = true)]
    sponsor: Option<String>,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Keys(Keys),
    Accounts(Accounts),
    Collect(Collect),
    Execute(Execute),
    Seal(seal::Seal),
    Register(seal::Register),
    Grant(Box<Grant>),
    Pass(Box<Pass>),
    Request(Box<Request>),
    Result(Opened),
    Open(Open),
    BreakGlass(BreakGlass),
    Reseal(Reseal),
    Revoke(Revoke),
    Retire(Retire),
    /// The records of an owner; all of yours where none is named, in whatever account's name.
    Records {
        /// Whose.
        owner: Option<String>,
        #[command(flatten)]
        keyring: KeyringArg,
    },
    /// The grants of a record, or those that name an account.
    #[command(group = clap::ArgGroup::new("which").required(true).args(["record", "to"]))]
    Grants {
        /// The record's number.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        record: Option<u64>,
        /// The reader's or operator's account.
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
    },
    /// Emergencies in which a record's glass was broken.
    Reviews {
        /// The record's number.
        record: u64,
    },
    /// What became of a job: who signed its outcome, and whether a dispute has found it false.
    Job {
        /// Its number.
        job: u64,
    },
    /// How a validator behaved in committees.
    Conduct {
        /// The validator's number.
        number: u32,
    },
    Dispute(Dispute),
}

impl Sealed {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let client = self.at.connect()?;
        let desk = || Desk::new(&client, &self.signer, output, self.sponsor.clone());
        match self.verb {
            Verb::Keys(keys) => keys.run(&desk()?),
            Verb::Accounts(accounts) => accounts.run(&desk()?),
            Verb::Collect(collect) => collect.run(&desk()?),
            Verb::Execute(execute) => execute.run(&desk()?),
            Verb::Revoke(revoke) => revoke.run(&desk()?),
            Verb::Retire(retire) => retire.run(&desk()?),
            Verb::Seal(seal) => seal.run(&desk()?),
            Verb::Register(register) => register.run(&desk()?),
            Verb::Grant(grant) => grant.run(&desk()?),
            Verb::Pass(pass) => pass.run(&desk()?),
            Verb::Request(request) => request.run(&desk()?),
            Verb::Result(opened) => opened.run(&desk()?),
            Verb::BreakGlass(glass) => glass.run(&desk()?),
            Verb::Open(open) => open.run(&desk()?),
            Verb::Reseal(reseal) => reseal.run(&desk()?),
            Verb::Records { owner: None, keyring } => {
                show(output, &records(&desk()?, &keyring)?, record_object, record_line)
            }
            Verb::Records { owner: Some(owner), .. } => {
                let rows = all(|page| {
                    let answer = client.ask(&QueryRecords { owner: owner.clone(), page })?.unwrap_or_default();
                    Ok((answer.rows, answer.next))
                })?;
                show(output, &rows, record_object, record_line)
            }
            Verb::Grants { record, to } => {
                let (record, recipient) = (record.unwrap_or_default(), to.unwrap_or_default());
                let rows = all(|page| {
                    let question = QueryGrants { record, recipient: recipient.clone(), page };
                    let answer = client.ask(&question)?.unwrap_or_default();
                    Ok((answer.rows, answer.next))
                })?;
                show(output, &rows, grant_object, grant_line)
            }
            Verb::Reviews { record } => {
                let rows = all(|page| {
                    let answer = client.ask(&QueryReviews { record, page })?.unwrap_or_default();
                    Ok((answer.rows, answer.next))
                })?;
                show(output, &rows, review_object, review_line)
            }
            Verb::Job { job } => job::show(output, &client, job),
            Verb::Conduct { number } => job::conduct(output, &client, number),
            Verb::Dispute(dispute) => dispute.run(&desk()?),
        }
    }
}

/// `aceso1…/3`
pub(super) fn named(grant: &str) -> Result<(&str, u64)> {
    let (granter, number) =
        grant.rsplit_once('/').with_context(|| format!("{grant} is no grant, such as aceso1…/3"))?;
    match number.parse() {
        Ok(number) if !granter.is_empty() => Ok((granter, number)),
        _ => bail!("{grant} is no grant, such as aceso1…/3"),
    }
}

/// All pages of a list.
pub(super) fn all<T>(mut ask: impl FnMut(Option<Page>) -> Result<(Vec<T>, Vec<u8>)>) -> Result<Vec<T>> {
    let (mut rows, mut after) = (Vec::new(), Vec::new());
    loop {
        let (more, next) = ask(Some(Page { after, limit: 200, reverse: false }))?;
        rows.extend(more);
        after = next;
        if after.is_empty() {
            return Ok(rows);
        }
    }
}

fn show<T>(output: Output, rows: &[T], object: fn(&T) -> Value, line: fn(&T) -> String) -> Result<()> {
    let objects: Vec<Value> = rows.iter().map(object).collect();
    output.print(&Value::from(objects), || rows.iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn record_object(row: &RecordRow) -> Value {
    json!({
        "record": row.record, "owner": row.owner, "guard": row.guard, "height": row.height, "retired": row.retired,
        "reviews": row.reviews, "files": row.files.iter().map(|file| file.cid.as_str()).collect::<Vec<_>>(),
    })
}

fn record_line(row: &RecordRow) -> String {
    let files = match &row.files[..] {
        [one] => one.cid.clone(),
        several => format!("{} files", several.len()),
    };
    let ended = if row.retired == 0 { String::new() } else { format!(", ended at block {}", row.retired) };
    format!("{} {files}, sealed at block {}{ended}", row.record, row.height)
}

fn grant_object(row: &GrantRow) -> Value {
    let said = row.grant.clone().unwrap_or_default();
    json!({
        "granter": said.granter, "grant": said.grant, "record": said.record, "committee": said.committee,
        "recipients": said.recipients.iter().map(|one| one.account.as_str()).collect::<Vec<_>>(),
        "expires": said.expires, "height": row.height, "revoked": row.revoked, "uses": row.uses, "depth": row.depth,
        "from": said.from.map(|from| format!("{}/{}", from.granter, from.grant)),
    })
}

fn grant_line(row: &GrantRow) -> String {
    let said = row.grant.clone().unwrap_or_default();
    let to: Vec<&str> = said.recipients.iter().map(|one| one.account.as_str()).collect();
    let who = if said.committee { "the committee of " } else { "" };
    let from = said.from.map(|from| format!(", passed on from {}/{}", from.granter, from.grant)).unwrap_or_default();
    let ended = if row.revoked == 0 { String::new() } else { format!(", taken back at block {}", row.revoked) };
    format!("{}/{} record {} to {who}{}{from}{ended}", said.granter, said.grant, said.record, to.join(" "))
}

fn review_object(row: &ReviewRow) -> Value {
    json!({
        "review": row.review, "record": row.record, "actor": row.actor, "granter": row.granter, "grant": row.grant,
        "reason": row.reason, "height": row.height, "job": row.job, "passed_on_by": row.passed_on_by,
    })
}

fn review_line(row: &ReviewRow) -> String {
    let given = match (row.passed_on_by.as_str(), row.job) {
        ("", 0) => String::new(),
        ("", job) => format!(", for job {job}"),
        (by, _) => format!(", key passed on by {by}"),
    };
    format!("{} {} at block {}{given}: {}", row.review, row.actor, row.height, row.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_named_by_granter_and_number() {
        assert_eq!(named("aceso1a/3").unwrap(), ("aceso1a", 3));
        for text in ["", "aceso1a", "/3", "aceso1a/", "aceso1a/-1", "aceso1a/x"] {
            assert!(named(text).is_err(), "{text}");
        }
    }

    #[test]
    fn all_pages_are_asked_for() {
        let mut asked = Vec::new();
        let rows = all(|page| {
            let after = page.unwrap_or_default().after;
            asked.push(after.clone());
            Ok(match after.first() {
                None => (vec![1, 2], vec![2]),
                Some(_) => (vec![3], vec![]),
            })
        });
        assert_eq!((rows.unwrap(), asked), (vec![1, 2, 3], vec![vec![], vec![2]]));
    }

    #[test]
    fn what_people_read() {
        let grant = aceso_types::msg::MsgGrant {
            granter: "aceso1p".into(),
            grant: 2,
            record: 7,
            recipients: vec![aceso_types::msg::Recipient { account: "aceso1r".into(), epoch: 0 }],
            ..Default::default()
        };
        let row = GrantRow { grant: Some(grant), revoked: 9, ..GrantRow::default() };
        assert_eq!(grant_line(&row), "aceso1p/2 record 7 to aceso1r, taken back at block 9");
        let row =
            ReviewRow { review: 1, actor: "aceso1d".into(), reason: "why".into(), height: 5, ..ReviewRow::default() };
        assert_eq!(review_line(&row), "1 aceso1d at block 5: why");
    }
}

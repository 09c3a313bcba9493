//! `aceso sealed dispute`: a record's key is shown, so that everybody computes a job again.

use std::path::PathBuf;

use aceso_client::random;
use aceso_types::{
    msg::MsgDisputeResponse,
    query::{GrantRow, RecordRow},
    sealed::Outcome,
};
use aceso_verify::grant::SecretKey;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use super::{Desk, keyring::KeyringArg, open::Held, seal::name_of};
use crate::cli::remote::job;

/// Shows a record's key, so that everybody computes a job again and marks who signed something else.
#[derive(Args, Debug)]
#[command(after_help = "The sealed file must be an available blob: `aceso blob put FILE --from WORDS` makes it one.
The key is that of a record of yours, in whose account's name it is shown; with --grant the one that was granted to you. With
--key it is one that your keyring does not have: 32 bytes, or 64 hexadecimal digits. The account in whose name it is shown pays
what the model costs once more. Whoever sees the transaction can open every file of the record from then on, for good.")]
pub(crate) struct Dispute {
    /// The job's number.
    job: u64,
    /// A file with the secret key by which the record opens, instead of your keyring.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The grant that wraps it, such as aceso1…/3; without it the owner's registration is opened.
    #[arg(long)]
    grant: Option<String>,
    /// That the record shall be open to everybody from now on.
    #[arg(long)]
    reveal: bool,
    #[command(flatten)]
    keyring: KeyringArg,
}

impl Dispute {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let record = job::disputable(desk.client, self.job)?;
        let (shown_by, grant, secret) = self.opener(desk, &record)?;
        let opens = job::opens(desk.client, &record, grant.as_ref(), &secret)?;
        if !self.reveal {
            let (number, count) = (record.record, record.files.len());
            bail!("this opens record {number} ({count} files) to everybody, for good; say --reveal if it shall");
        }
        let tx = shown_by.send(&opens.dispute(&desk.client.chain().id, &shown_by.address, self.job, &random()?))?;
        let answer: MsgDisputeResponse = tx.response(0)?;
        let found = Outcome::decode(&answer.outcome)?;
        let object = json!({
            "ok": true, "tx": tx.hash, "height": tx.height, "gas_used": tx.gas_used, "job": self.job, "wrong": answer.wrong,
            "marked": answer.marked, "outcome": serde_json::to_value(&found)?, "sender": shown_by.address,
        });
        desk.output.print(&object, || {
            let found = match answer.wrong {
                true => {
                    format!("the members of job {} have signed a false outcome: {} are marked", self.job, answer.marked)
                }
                false => format!("the members of job {} have signed the true outcome", self.job),
            };
            format!("{found}\nin block {} as {} for {} gas", tx.height, tx.hash, tx.gas_used)
        })
    }

    /// In whose name the key is shown, the grant that wraps it if one does, and the key.
    fn opener<'a>(&self, desk: &Desk<'a>, record: &RecordRow) -> Result<(Desk<'a>, Option<GrantRow>, SecretKey)> {
        let grant = self.grant.as_ref();
        if let Some(path) = &self.key {
            let row = grant.map(|grant| desk.grant(grant)).transpose()?.map(|(row, _)| row);
            return Ok((desk.clone(), row, job::key(path)?));
        }
        let ring = self.keyring.open(desk)?;
        if let Some(grant) = grant {
            let held = Held::find(desk, grant, |epoch| ring.reader(epoch))?;
            return Ok((desk.clone(), Some(held.row), held.key));
        }
        let own = desk.owning(&ring, record)?;
        let key =
            ring.store.key(&name_of(record)).with_context(|| format!("your keys lack record {}", record.record))?;
        Ok((own, None, key))
    }
}

//! Compact receipts of sealed reads, and the roots that they are checked against.

use std::{fs, path::Path};

use aceso_client::Client;
use aceso_types::{
    Receipt,
    query::{QueryRoot, RootRow},
    sealed::{Acceptance, Outcome, SignedRoot},
};
use aceso_verify::{
    Evidence, Roots, Trust,
    compact::{self, Verified},
};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::file;

/// What a check found: an object and the same in words.
pub(super) struct Checked {
    pub(super) object: Value,
    pub(super) text: String,
}

/// Checks a receipt of either kind with a trust of the kind that it needs, and says which it was.
pub(super) fn verify(receipt: &Path, trust: &Path, demanded: &Acceptance) -> Result<Checked> {
    let (bytes, trusted) = (file(&receipt.into())?, file(&trust.into())?);
    let roots = is_roots(&trusted);
    match (compact::is_compact(&bytes), roots) {
        (true, true) => checked(&compact::verify(&bytes, &Roots::decode(&trusted)?)?, demanded),
        (true, false) => bail!(
            "{} is a compact receipt and {} names validators; it is checked with a roots file, see `aceso read roots --help`",
            receipt.display(),
            trust.display()
        ),
        (false, true) => {
            let receipt = Evidence::decode(&bytes)?.receipt()?;
            let proven = compact::verify_receipt(&receipt, &Roots::decode(&trusted)?)?;
            checked(&proven, demanded)
        }
        (false, false) if *demanded != Acceptance::default() => {
            bail!("demands on a committee are checked with a roots file, and {} names validators", trust.display())
        }
        (false, false) => by_header(&bytes, &Trust::decode(&trusted)?),
    }
}

/// A trust in roots names the digest that is trusted.
fn is_roots(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_ok_and(|value| value.get("trusted").is_some())
}

fn by_header(bytes: &[u8], trust: &Trust) -> Result<Checked> {
    let verified = aceso_verify::verify(bytes, trust)?;
    let object = json!({
        "ok": true,
        "kind": "light",
        "height": verified.height,
        "time": verified.time,
        "receipt": serde_json::to_value(&verified.receipt)?,
    });
    let validators = trust.validators.len();
    let signed = format!("signed by the trusted validators ({validators}) at height {}", verified.height);
    let text = format!("verified: {signed}, {}\n{}", verified.time, super::read::text(&verified.receipt));
    Ok(Checked { object, text })
}

fn checked(verified: &Verified, demanded: &Acceptance) -> Result<Checked> {
    verified.accept(demanded)?;
    let statement = &verified.compact.statement;
    let members: Vec<Value> = verified
        .members
        .iter()
        .map(|one| json!({"number": one.number, "power": one.power, "signed": one.signed}))
        .collect();
    let object = json!({
        "ok": true,
        "kind": "compact",
        "read": serde_json::to_value(&verified.compact)?,
        "committee": verified.committee,
        "members": members,
        "signed": verified.signed,
        "power": verified.power,
        "total": verified.total,
    });
    let signers = verified.members.iter().filter(|member| member.signed).count();
    let head = format!(
        "verified: signed by {signers} of a committee of {}, {} of {} in power, in root {} of {}",
        verified.members.len(),
        verified.signed,
        verified.power,
        verified.compact.root,
        statement.chain_id
    );
    let asked = format!(
        "job {}, asked for in block {} by {}\n  image {} of {}\n  model {}",
        statement.job, statement.requested, statement.requester, statement.image, statement.owner, statement.model
    );
    let told = match &verified.compact.outcome {
        Outcome::Failed(failure) => vec![format!("  could not be read: {failure:?}").to_lowercase()],
        Outcome::Open { outputs, .. } => vec![format!("  open to everyone: {} outputs", outputs.len())],
        Outcome::Predicate { findings, .. } => findings
            .iter()
            .map(|finding| format!("  {} is {}", finding.id, if finding.present { "present" } else { "absent" }))
            .collect(),
        Outcome::Sealed { commitment, .. } => vec![format!("  kept for who holds the key, commitment {commitment}")],
        Outcome::Stored { commitment, blob, size, .. } => {
            vec![format!("  kept for who holds the key in {blob} ({size} bytes), commitment {commitment}")]
        }
    };
    Ok(Checked { object, text: [vec![head, asked], told].concat().join("\n") })
}

/// The compact receipt inside of a receipt file. Proves nothing: that is for whoever has the roots.
pub(super) fn of(receipt: &Receipt) -> Result<Vec<u8>> {
    receipt.check_sealed()?;
    let compact = receipt.compact().context("the receipt is of an open read, which has no committee")?;
    Ok(compact.encode())
}

/// The roots from number `first` on, or what has come since the file was written. Each is checked against the one before;
/// the first is for the reader to compare.
pub(super) fn follow(client: &Client, path: &Path, first: u64) -> Result<Roots> {
    let ask = |number: u64| -> Result<Option<SignedRoot>> {
        let row: Option<RootRow> = client.ask(&QueryRoot { number, latest: false })?;
        row.map(|row| SignedRoot::read(&row).map_err(Into::into)).transpose()
    };
    let mut roots = match path.exists() {
        true => Roots::decode(&file(&path.into())?)?,
        false => Roots::trust(ask(first)?.with_context(|| format!("the chain has no root {first}"))?.root)?,
    };
    // A root that too few have signed yet can be used by nobody who does not trust it for itself.
    while let Some(next) = ask(roots.latest().number.saturating_add(1))?.filter(|next| !next.signature.is_empty()) {
        roots.advance(next)?;
    }
    fs::write(path, roots.encode()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(roots)
}

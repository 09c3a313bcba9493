//! `aceso sealed open`: what was granted to a reader, or is one's own, is decrypted into a file.

use std::path::{Path, PathBuf};

use aceso_seal::{Inner, Registered, open_registered, sealed_bytes_max};
use aceso_types::{
    BlobId, Digest,
    msg::MsgGrant,
    query::{GrantRow, RecordRow},
    sealed::{Failure, Terms},
};
use aceso_verify::grant::{ContentPoint, Registration, SecretKey, Wrap};
use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    Desk,
    keyring::{Keyring, KeyringArg},
    seal::name_of,
    write_fresh,
};
use crate::{cli::remote::file, home};

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
            Err(_) => {
                let held = Held::find(desk, &self.which, |epoch| ring.reader(epoch))?;
                let content = held.content()?;
                (held.record, content)
            }
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

/// The point of a record of this person's own.
pub(super) fn owned(desk: &Desk<'_>, ring: &Keyring, row: &RecordRow) -> Result<ContentPoint> {
    desk.owning(ring, row)?;
    let key = ring.store.key(&name_of(row))?;
    Ok(Registration::from_bytes(&row.registration)?.sealed.open(&key))
}

/// What was granted to this desk.
pub(super) struct Held {
    pub(super) row: GrantRow,
    pub(super) said: MsgGrant,
    pub(super) record: RecordRow,
    /// Which of the recipients it is.
    pub(super) place: usize,
    /// Its key of the epoch for which it was wrapped.
    pub(super) key: SecretKey,
}

impl Held {
    /// The grant of a name, such as aceso1…/3, if it names this desk; `key` knows this desk's keys by their epochs.
    pub(super) fn find(desk: &Desk<'_>, grant: &str, key: impl FnOnce(u64) -> Result<SecretKey>) -> Result<Self> {
        let (row, said) = desk.grant(grant)?;
        let place = said.recipients.iter().position(|one| one.account == desk.address);
        let place = place.with_context(|| format!("grant {grant} does not name {}", desk.address))?;
        // Who has opened it before has the key for good; an honest reader does not open what was taken back.
        ensure!(row.revoked == 0, "grant {grant} was taken back at block {}", row.revoked);
        let key = key(said.recipients.get(place).map(|one| one.epoch).unwrap_or_default())?;
        Ok(Self { record: desk.record(said.record)?, row, said, place, key })
    }

    /// The record's point.
    pub(super) fn content(&self) -> Result<ContentPoint> {
        let wrap = Wrap::from_bytes(&self.said.wrap)?;
        let sealed = wrap.of(self.place).context("the grant wraps nothing for its own recipient")?;
        Ok(sealed.open(&self.key))
    }
}

/// The terms in a file, if they are those of a grant.
pub(super) fn terms_of(path: &PathBuf, grant: &str, said: &MsgGrant) -> Result<Terms> {
    let terms = Terms::decode(&file(path)?).with_context(|| path.display().to_string())?;
    let same = terms.digest(said.expires).0 == said.terms.as_slice();
    ensure!(same, "{} is not what grant {grant} says", path.display());
    Ok(terms)
}

/// A file's bytes: from this machine, else from the node, or a sentence that says who else has it.
pub(super) fn brought(desk: &Desk<'_>, id: &BlobId, most: u64, file: Option<&Path>, others: &str) -> Result<Vec<u8>> {
    if let Some(path) = file {
        return Ok(home::read(path, most)?);
    }
    let hint = || format!("the node does not hand out {id}: {others}; or give --file");
    desk.client.get_blob(id).with_context(hint)?.with_context(hint)
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
    let cid: BlobId = known.cid.parse()?;
    let bytes = brought(desk, &cid, sealed_bytes_max(RECORD_MAX), file, "members of its committees do")?;
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
        Failure::Frame => "it has no frame of the number that was asked for",
        Failure::Unsuitable => "it is not what the model reads: its modality, body part or shape is another",
        Failure::Inference => "the model ran into what it refuses",
    }
}

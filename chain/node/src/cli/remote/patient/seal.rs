//! `aceso sealed seal|register`: files are encrypted here, and what comes of them is stored and registered.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, BufWriter, Read as _, Write},
    path::{Path, PathBuf},
};

use aceso_client::{any, random, sealed::register};
use aceso_inference::image::{self, Limits};
use aceso_seal::Header;
use aceso_types::{
    msg::{MsgRegisterSealed, MsgRegisterSealedResponse, Named as _, SealedFile},
    query::RecordRow,
    sealed::record_name,
};
use aceso_verify::{
    grant::ContentPoint,
    outcome::{BODY_PART, MODALITY, RECORD_BYTES_MAX},
};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    Desk, accounts, fresh,
    keyring::{Keyring, KeyringArg, content},
};

/// Bytes of a sealed file in which its header ends.
const HEAD: u64 = 2048;
/// What a sealed file is called: this is put behind the name of what was sealed.
pub(super) const SUFFIX: &str = "sealed";

/// Encrypts files under one new key; a study of many is one record. It gets an account of its own, whose fees a sponsor pays,
/// so that nobody sees which records are of one person.
#[derive(Args, Debug)]
pub(crate) struct Seal {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the sealed files go.
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Their media type [default: by the name, such as application/dicom for scan.dcm].
    #[arg(long, value_name = "TYPE")]
    media: Option<String>,
    /// What the files do not say of themselves: the modality (DICOM), sealed with them.
    #[arg(long)]
    modality: Option<String>,
    /// Likewise the body part.
    #[arg(long)]
    body_part: Option<String>,
    /// In the name of the account that signs, which links it to all others there: no account of its own.
    #[arg(long)]
    as_me: bool,
    #[command(flatten)]
    keyring: KeyringArg,
}

/// Stores sealed files with the node, and registers them as a record of yours.
#[derive(Args, Debug)]
pub(crate) struct Register {
    /// All files that were sealed together, in that order.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A contract whose permit every read needs besides a grant.
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    guard: String,
    #[command(flatten)]
    keyring: KeyringArg,
}

impl Seal {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let mut ring = self.keyring.open(desk)?;
        let me = &desk.address;
        let named = [(MODALITY, &self.modality), (BODY_PART, &self.body_part)];
        let tags = named.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.as_ref()?.clone())));
        let tags: BTreeMap<String, String> = tags.collect();
        // Looked at before anything is written.
        let mut media = Vec::new();
        for path in &self.files {
            media.push(kind(path, self.media.as_deref())?);
        }
        let waits = if self.as_me { ring.fresh()? } else { accounts::ready(desk, &mut ring)? };
        let desk = &if self.as_me { desk.clone() } else { desk.named(ring.account(&waits)?) };
        let content = content(&ring.store.key(&waits)?);
        let (mut shown, mut cids) = (Vec::new(), Vec::new());
        for (path, media) in self.files.iter().zip(media) {
            let name = path.file_name().with_context(|| format!("{} is no file", path.display()))?;
            let out = self.out.join(format!("{}.{SUFFIX}", name.to_string_lossy()));
            let opened = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            let length = opened.metadata()?.len();
            let about = Sealing { content: &content, owner: &desk.address, media: &media, tags: &tags };
            let (cid, size) = about.write(BufReader::new(opened), length, &out)?;
            shown.push(json!({"file": out, "cid": cid, "size": size, "media": media}));
            cids.push(cid);
        }
        ring.store.rename(&waits, &record_name(&cids))?;
        ring.save(me)?;
        let sponsor = if self.as_me { None } else { desk.sponsors(&[MsgRegisterSealed::TYPE_URL])?.into_iter().next() };
        let object = json!({"ok": true, "files": shown, "account": desk.address, "sponsor": sponsor});
        desk.output.print(&object, || match (&sponsor, self.as_me) {
            (_, true) => lines(&shown),
            (Some(sponsor), _) => format!("{}\nits account {}, paid for by {sponsor}", lines(&shown), desk.address),
            (None, _) => format!(
                "{}\nits account {}, for which nobody pays yet: have a sponsor run `aceso sponsor pay {}`",
                lines(&shown),
                desk.address,
                desk.address
            ),
        })
    }
}

impl Register {
    pub(crate) fn run(self, desk: &Desk<'_>) -> Result<()> {
        let ring = self.keyring.open(desk)?;
        let mut files = self.files.iter().map(|path| stat(path)).collect::<Result<Vec<SealedFile>>>()?;
        let name = record_name(&files.iter().map(|file| file.cid.clone()).collect::<Vec<_>>());
        let own = ring.account(&name).context("these files were not sealed together with these keys")?;
        let sealed_for = self.files.first().map(|path| owner_of(path)).transpose()?.unwrap_or_default();
        let own = desk.named(own);
        let desk = if sealed_for == desk.address { desk } else { &own };
        ensure!(sealed_for == desk.address, "these files were sealed for {sealed_for}, which is no account of yours");
        let content = content(&ring.store.key(&name)?);
        for (file, path) in files.iter_mut().zip(&self.files) {
            file.effort = effort(&content, path)?;
        }
        let message = proven(desk, &ring, files)?;
        // Asked before anything is stored: without a payer nothing of it would be registered.
        desk.payer(&[any(&message)])?;
        for path in &self.files {
            store(desk, path)?;
        }
        let tx = desk.send(&MsgRegisterSealed { guard: self.guard, ..message })?;
        let record = tx.response::<MsgRegisterSealedResponse>(0)?.record.to_string();
        let object = json!({
            "ok": true, "tx": tx.hash, "height": tx.height, "gas_used": tx.gas_used, "record": record, "owner": desk.address,
        });
        desk.output.print(&object, || {
            format!(
                "record {record} of {}\nin block {} as {} for {} gas",
                desk.address, tx.height, tx.hash, tx.gas_used
            )
        })
    }
}

/// What a file is sealed with.
pub(super) struct Sealing<'a> {
    pub(super) content: &'a ContentPoint,
    pub(super) owner: &'a str,
    pub(super) media: &'a str,
    pub(super) tags: &'a BTreeMap<String, String>,
}

impl Sealing<'_> {
    /// Seals into a new file; answers its CID and size.
    pub(super) fn write(&self, record: impl std::io::Read, length: u64, out: &Path) -> Result<(String, u64)> {
        let file = BufWriter::new(fresh(out)?);
        let about = (self.media, self.tags.clone());
        let written = aceso_seal::seal(self.content, self.owner, random()?, about, record, length, file)
            .and_then(|mut file| file.flush().and_then(|()| file.get_ref().sync_all()));
        written.with_context(|| format!("cannot seal into {}", out.display()))?;
        let SealedFile { cid, size, .. } = stat(out)?;
        Ok((cid, size))
    }
}

/// The registration of files that this keyring has the key of.
pub(super) fn proven(desk: &Desk<'_>, ring: &Keyring, files: Vec<SealedFile>) -> Result<MsgRegisterSealed> {
    let cids: Vec<String> = files.iter().map(|file| file.cid.clone()).collect();
    let key = ring.store.key(&record_name(&cids)).context("these files were not sealed together with these keys")?;
    Ok(register(&desk.client.chain().id, &desk.address, files, &key, &content(&key), &random()?))
}

/// Stores a sealed file with the node.
pub(super) fn store(desk: &Desk<'_>, path: &Path) -> Result<()> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    desk.client.put_blob(BufReader::new(file))?;
    Ok(())
}

/// Under which name a keyring has a record's key.
pub(super) fn name_of(row: &RecordRow) -> String {
    let cids: Vec<String> = row.files.iter().map(|file| file.cid.clone()).collect();
    record_name(&cids)
}

/// A sealed file as it is registered.
pub(super) fn stat(path: &Path) -> Result<SealedFile> {
    let opened = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let put = aceso_blobs::import(BufReader::new(opened), u64::MAX, |_, _| Ok(()))?;
    Ok(SealedFile { cid: put.id.to_string(), size: put.size, ..SealedFile::default() })
}

/// What decoding the picture in a sealed file takes; nothing where it is none.
fn effort(content: &ContentPoint, path: &Path) -> Result<u64> {
    let sealed = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    // A record that no model reads is kept and handed over all the same.
    let Ok((_, inner, record)) = aceso_seal::open(content, &sealed, RECORD_BYTES_MAX) else { return Ok(0) };
    let record = Zeroizing::new(record);
    Ok(if is_picture(&inner.media) { image::effort(&record, Limits::default()).unwrap_or_default() } else { 0 })
}

fn is_picture(media: &str) -> bool {
    matches!(media, "application/dicom" | "image/png" | "image/jpeg")
}

/// Whose a sealed file is, by its header.
fn owner_of(path: &Path) -> Result<String> {
    let (mut head, opened) = (Vec::new(), File::open(path).with_context(|| format!("cannot read {}", path.display()))?);
    opened.take(HEAD).read_to_end(&mut head)?;
    let (header, _) = Header::decode(&head).with_context(|| format!("{} is no sealed file", path.display()))?;
    Ok(header.owner)
}

/// What a file is, by its name. What calls itself a picture must be one that can be read.
fn kind(path: &Path, stated: Option<&str>) -> Result<String> {
    let extension = path.extension().map(|one| one.to_string_lossy().to_lowercase()).unwrap_or_default();
    let media = stated.unwrap_or(match extension.as_str() {
        "dcm" => "application/dicom",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "csv" => "text/csv",
        "json" => "application/fhir+json",
        "pdf" => "application/pdf",
        "vcf" => "text/vcf",
        _ => "application/octet-stream",
    });
    if is_picture(media) {
        let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
        ensure!(
            size <= RECORD_BYTES_MAX,
            "{} has {size} bytes, and models read {RECORD_BYTES_MAX} at most",
            path.display()
        );
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let bytes = Zeroizing::new(bytes);
        image::decode(&bytes, Limits::default()).with_context(|| {
            format!("{} is no {media} that can be read; say what it is with --media", path.display())
        })?;
    }
    Ok(media.into())
}

fn lines(files: &[Value]) -> String {
    let line = |file: &Value| format!("{}  {} bytes in {}", text(&file["cid"]), file["size"], text(&file["file"]));
    files.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_itself_a_picture_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        for name in ["scan.dcm", "scan.DCM", "scan.png", "scan.jpg"] {
            let refused = format!("{:#}", kind(&file(name, b"no picture"), None).unwrap_err());
            assert!(refused.contains("that can be read; say what it is with --media"), "{refused}");
        }
        let picture = aceso_test_support::picture(1);
        assert_eq!(kind(&file("one.png", &picture), None).unwrap(), "image/png");
        assert_eq!(kind(&file("row.csv", b"a\n1\n"), None).unwrap(), "text/csv");
        assert_eq!(kind(&file("letter", b"text"), None).unwrap(), "application/octet-stream");
        assert_eq!(kind(&file("scan.dcm", b"text"), Some("text/plain")).unwrap(), "text/plain");
        assert!(kind(&folder.path().join("nowhere.dcm"), None).is_err());
    }
}

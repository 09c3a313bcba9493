//! `aceso guardians …`: a keyring's key in shares, so that some guardians bring the keyring back and fewer learn nothing.
//!
//! A deal's file holds all but the shares: the sealed store, whose secret was dealt, and for whom. It says nothing to who
//! has fewer shares than it takes, so it can lie with every guardian.

use std::path::{Path, PathBuf};

use aceso_client::random;
use aceso_seal::KeyStore;
use aceso_verify::grant::{Deal, Dealt, Handed, PublicKey, SecretKey, Share};
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Desk,
    keyring::{BYTES_MAX, Keyring, KeyringArg, SALT, opened},
    write_fresh,
};
use crate::{
    cli::{
        Output,
        remote::{At, Signer},
    },
    home,
};

/// What the key is derived for with which shares are collected.
const COLLECT: &[u8] = b"aceso/guardians/collect/1";
/// Most bytes of a deal's file: a keyring in base64, and the deal.
const DEAL_MAX: u64 = 2 * BYTES_MAX;

/// Keys in the hands of several guardians.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso guardians split --threshold 2 --guardian aceso1a… --guardian aceso1b… --guardian aceso1c… --out keys.deal --from patient.words
  aceso guardians key --from patient.words
  aceso guardians hand keys.deal --to KEY --out a.share --from guardian.words
  aceso guardians recover keys.deal a.share b.share --keys new.keys --from patient.words

Guardians have registered a key: `aceso sealed keys register`. What comes into your keys after a deal is brought back by it too,
from a later copy of the file. Deal again after something was erased, which is then said.")]
pub(crate) struct Guardians {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    keyring: KeyringArg,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    signer: Signer,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Deals your keys to guardians.
    Split {
        /// How many of them bring it back.
        #[arg(long)]
        threshold: usize,
        /// A guardian, who has registered a key; once for each.
        #[arg(long, value_name = "ADDRESS", required = true)]
        guardian: Vec<String>,
        /// Where the deal goes; give every guardian a copy.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
    /// Shows the key with which you collect shares.
    Key,
    /// For a guardian: hands your share to who collects, and to nobody else.
    Hand {
        /// The deal.
        deal: PathBuf,
        /// The key of who collects, as `aceso guardians key` shows it.
        #[arg(long, value_name = "KEY")]
        to: String,
        /// Where the share goes.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
    /// Brings the keys back into a new file.
    Recover {
        /// The deal.
        deal: PathBuf,
        /// The shares that guardians have handed over.
        #[arg(required = true)]
        shares: Vec<PathBuf>,
        /// A later copy of the file of your keys than the deal has.
        #[arg(long, value_name = "FILE")]
        latest: Option<PathBuf>,
    },
}

/// A deal as it lies in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    chain_id: String,
    owner: String,
    version: u64,
    guardians: Vec<Guardian>,
    /// [`Deal`] in base64.
    deal: String,
    /// The keyring behind its salt, in base64.
    store: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Guardian {
    account: String,
    epoch: u64,
    /// Her key in base64.
    key: String,
}

impl Kept {
    /// A deal that holds for those whom it names.
    fn read(path: &Path) -> Result<(Self, Deal)> {
        let kept: Self = serde_json::from_slice(&home::read(path, DEAL_MAX)?)
            .with_context(|| format!("{} is no deal", path.display()))?;
        let checked = || -> Result<Deal> {
            let keys = kept.guardians.iter().map(|one| public(&one.key)).collect::<Result<Vec<_>>>()?;
            let deal = Deal::from_bytes(&STANDARD.decode(&kept.deal)?)?;
            deal.check(&kept.about(), &keys)?;
            Ok(deal)
        };
        let deal = checked().with_context(|| format!("{} does not hold", path.display()))?;
        Ok((kept, deal))
    }

    fn about(&self) -> Dealt<'_> {
        Dealt { chain_id: &self.chain_id, owner: &self.owner, version: self.version }
    }
}

fn public(text: &str) -> Result<PublicKey> {
    let bytes = STANDARD.decode(text).with_context(|| format!("{text} is no key in base64"))?;
    PublicKey::from_bytes(&bytes).with_context(|| format!("{text} is no key"))
}

fn collecting(desk: &Desk<'_>) -> Result<SecretKey> {
    Ok(desk.key.derive(COLLECT, desk.address.as_bytes())?)
}

impl Guardians {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let client = self.at.connect()?;
        let desk = Desk::new(&client, &self.signer, output, None)?;
        match self.verb {
            Verb::Split { threshold, guardian, out } => {
                let mut ring = self.keyring.open(&desk)?;
                let rows = guardian.iter().map(|one| desk.reader(one)).collect::<Result<Vec<_>>>()?;
                let keys = rows.iter().map(|row| PublicKey::from_bytes(&row.key)).collect::<Result<Vec<_>, _>>()?;
                let names = rows.into_iter().map(|row| Guardian {
                    account: row.account,
                    epoch: row.epoch,
                    key: STANDARD.encode(row.key),
                });
                ensure!(!out.exists(), "{} is there already, and is not written over", out.display());
                // Those who were dealt the key before may be others.
                ring.rekey(&desk.key)?;
                let mut kept = Kept {
                    chain_id: client.chain().id.clone(),
                    owner: desk.address.clone(),
                    version: ring.store.version(),
                    guardians: names.collect(),
                    deal: String::new(),
                    store: String::new(),
                };
                // Nothing is written for a deal that cannot be made.
                let deal = Deal::new(&kept.about(), &ring.secret, threshold, &keys, &random()?)?;
                ring.save(&desk.address)?;
                (kept.deal, kept.store) = (STANDARD.encode(deal.to_bytes()), STANDARD.encode(ring.sealed()?));
                write_fresh(&out, format!("{:#}\n", json!(kept)).as_bytes())?;
                ring.dealt()?;
                let object = json!({
                    "ok": true, "deal": out, "version": kept.version, "threshold": threshold, "guardians": guardian,
                });
                output.print(&object, || {
                    let count = kept.guardians.len();
                    format!("{threshold} of {count} guardians bring version {} back: {}", kept.version, out.display())
                })
            }
            Verb::Key => {
                let key = STANDARD.encode(collecting(&desk)?.public().to_bytes());
                output.print(&json!({"ok": true, "owner": desk.address, "key": key}), || key.clone())
            }
            Verb::Hand { deal, to, out } => {
                let ring = self.keyring.open(&desk)?;
                let (kept, deal) = Kept::read(&deal)?;
                let place = kept.guardians.iter().position(|one| one.account == desk.address);
                let place = place.with_context(|| format!("{} is no guardian of this deal", desk.address))?;
                let epoch = kept.guardians.get(place).map(|one| one.epoch).unwrap_or_default();
                let number = u8::try_from(place + 1).context("there are no so many guardians")?;
                let share = deal.open(&kept.about(), number, &ring.reader(epoch)?)?;
                let handed = deal.hand(&kept.about(), &share, &public(&to)?, &random()?);
                write_fresh(&out, STANDARD.encode(handed.to_bytes()).as_bytes())?;
                let object = json!({"ok": true, "share": out, "owner": kept.owner, "version": kept.version});
                output.print(&object, || format!("your share of the keys of {} is in {}", kept.owner, out.display()))
            }
            Verb::Recover { deal, shares, latest } => {
                let (kept, deal) = Kept::read(&deal)?;
                let collects = collecting(&desk)?;
                let received = shares.iter().map(|path| share(path, &deal, &kept, &collects));
                let secret = deal.recover(&received.collect::<Result<Vec<_>>>()?)?;
                let store = match latest {
                    None => opened(&STANDARD.decode(&kept.store)?, &secret)?,
                    Some(file) => later(&file, &secret)?,
                };
                let version = store.version();
                ensure!(
                    version >= kept.version,
                    "the deal is of version {}, and the keys are of version {version}",
                    kept.version
                );
                let path = self.keyring.path();
                let ring = Keyring::create(path, &desk.key, &desk.address, store)?;
                let count = ring.store.images().count();
                let object = json!({"ok": true, "keys": path, "version": version, "names": count});
                output.print(&object, || format!("{count} keys of {} are in {}", kept.owner, path.display()))
            }
        }
    }
}

/// What is in a later copy of a keyring than the deal has.
fn later(path: &Path, secret: &SecretKey) -> Result<KeyStore> {
    let bytes = home::read(path, BYTES_MAX)?;
    let rest = bytes.get(SALT..).with_context(|| format!("{} is too short for a keyring", path.display()))?;
    opened(rest, secret).with_context(|| {
        format!(
            "{} does not open with the key that was dealt: something was erased or dealt anew between them",
            path.display()
        )
    })
}

/// A share that was handed over, compared with what was dealt.
fn share(path: &Path, deal: &Deal, kept: &Kept, collects: &SecretKey) -> Result<Share> {
    let text = home::read(path, 1024)?;
    let bytes = STANDARD.decode(text.trim_ascii()).with_context(|| format!("{} is no share", path.display()))?;
    let handed = Handed::from_bytes(&bytes).with_context(|| format!("{} is no share", path.display()))?;
    deal.receive(&kept.about(), &handed, collects).with_context(|| path.display().to_string())
}

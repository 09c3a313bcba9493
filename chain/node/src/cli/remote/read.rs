//! `aceso read …`: asking for a read, and checking one without trusting anybody.

use std::{fs, path::PathBuf};

use aceso_client::GasLimit;
use aceso_types::{
    BlobId, Frame, ModelId, ReadId, Receipt,
    guest::{Answers, Reading},
    receipt::Outcome,
    sealed::Acceptance,
};
use aceso_verify::Evidence;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{At, Signer, compact, file, name_frame, tx::report};
use crate::cli::{Output, model::read_manifest};

/// Reads and their receipts.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso read request --contract aceso1… --policy 1 --image bafkrei… --model 5f… --from physician.words
  aceso read show 1 --out read-1.receipt
  aceso read trust --out trust.json
  aceso read verify read-1.receipt --trust trust.json
  aceso read compact read-2.receipt --out read-2.compact
  aceso read roots --out roots.json
  aceso read verify read-2.compact --trust roots.json --members-min 3
  aceso read recompute read-1.receipt --image scan.dcm --manifest manifest.json --onnx model.onnx")]
pub(crate) struct Read {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant, reason = "a command line is read once")]
enum Verb {
    /// Asks an insurance contract for a read.
    Request {
        /// The insurance contract.
        #[arg(long)]
        contract: String,
        /// The policy that pays.
        #[arg(long)]
        policy: u64,
        /// The image's CID.
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
        #[command(flatten)]
        signer: Signer,
        #[command(flatten)]
        at: At,
    },
    /// Fetches a receipt with all that proves it.
    Show {
        /// The read's number.
        read: u64,
        /// Where to put the receipt file; without it only the receipt is printed.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        at: At,
    },
    /// Writes down whom this node trusts now, for checking receipts elsewhere.
    Trust {
        /// Where to put it.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Checks a receipt file against trusted validators, or what a committee has signed against trusted roots. Uses no
    /// network.
    Verify {
        /// The receipt file, or a compact receipt.
        receipt: PathBuf,
        /// The trust file, or a roots file.
        #[arg(long, value_name = "FILE")]
        trust: PathBuf,
        /// Fewest members that the committee must have.
        #[arg(long, default_value_t = 0)]
        members_min: usize,
        /// Smallest share of all validators' power that the committee must have, in hundredths of a percent.
        #[arg(long, default_value_t = 0)]
        power_min_bps: u32,
    },
    /// Takes what a committee has signed out of a receipt file: a few hundred bytes. Uses no network.
    Compact {
        /// The receipt file.
        receipt: PathBuf,
        /// Where to put the compact receipt.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
    /// Writes down the roots, for checking compact receipts elsewhere; a file that is there is brought up to date.
    Roots {
        /// Where to put them.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// The number of the root that a new file begins with, and trusts.
        #[arg(long, default_value_t = 0, value_name = "NUMBER")]
        first: u64,
        #[command(flatten)]
        at: At,
    },
    /// Computes a receipt's outcome again from image and model. Uses no network.
    Recompute {
        /// The receipt file.
        receipt: PathBuf,
        /// The image file.
        #[arg(long, value_name = "FILE")]
        image: PathBuf,
        /// The model's manifest, in JSON or dag-cbor.
        #[arg(long, value_name = "FILE")]
        manifest: PathBuf,
        /// The model's ONNX file.
        #[arg(long, value_name = "FILE")]
        onnx: PathBuf,
    },
}

impl Read {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        match self.verb {
            Verb::Request { contract, policy, image, frame, model, purpose, signer, at } => {
                let (client, key) = (at.connect()?, signer.key()?);
                let mut msg = json!({"request_read": {
                    "policy": policy, "image": image, "model": model, "purpose": purpose,
                }});
                name_frame(&mut msg["request_read"], frame);
                let message = client.msg_execute(&client.address(&key), &contract, &msg, 0);
                let tx = client.send(&key, vec![message], GasLimit::Auto)?;
                let read = tx.attribute("wasm", "read").map(String::from);
                report(output, &tx, read.as_deref().map(|read| ("read", read)))
            }
            Verb::Show { read, out, at } => {
                let evidence = at.connect()?.evidence(ReadId(read))?;
                if let Some(path) = out {
                    fs::write(&path, evidence.encode()).with_context(|| format!("cannot write {}", path.display()))?;
                }
                let receipt = evidence.receipt()?;
                output.print(&serde_json::to_value(&receipt)?, || text(&receipt))
            }
            Verb::Trust { out, at } => {
                let trust = at.connect()?.trust()?;
                fs::write(&out, trust.encode()).with_context(|| format!("cannot write {}", out.display()))?;
                let count = trust.validators.len();
                output.print(&json!({"ok": true, "chain_id": trust.chain_id, "validators": count}), || {
                    format!("{count} validators of {} in {}", trust.chain_id, out.display())
                })
            }
            Verb::Verify { receipt, trust, members_min, power_min_bps } => {
                let checked = compact::verify(&receipt, &trust, &Acceptance { members_min, power_min_bps })?;
                output.print(&checked.object, || checked.text.clone())
            }
            Verb::Compact { receipt, out } => {
                let bytes = compact::of(&Evidence::decode(&file(&receipt)?)?.receipt()?)?;
                fs::write(&out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
                let length = bytes.len();
                output.print(&json!({"ok": true, "bytes": length}), || format!("{length} bytes in {}", out.display()))
            }
            Verb::Roots { out, first, at } => {
                let roots = compact::follow(&at.connect()?, &out, first)?;
                let (trusted, latest) = (roots.trusted(), roots.latest());
                let object = json!({
                    "ok": true, "chain_id": latest.chain_id, "trusted": trusted, "latest": latest.number,
                });
                output.print(&object, || {
                    let head = format!("roots of {} to number {} in {}", latest.chain_id, latest.number, out.display());
                    format!("{head}\ncompare the first one's digest with somebody whom you trust: {trusted}")
                })
            }
            Verb::Recompute { receipt, image, manifest, onnx } => {
                let receipt = Evidence::decode(&file(&receipt)?)?.receipt()?;
                let manifest = read_manifest(&manifest)?.encode();
                let outcome = aceso_verify::recompute(&receipt, &manifest, &file(&onnx)?, &file(&image)?)?;
                output.print(&json!({"ok": true, "digest": outcome.digest}), || {
                    format!("recomputed: the same outcome to the bit, {}", outcome.digest)
                })
            }
        }
    }
}

/// What a model says, in lines for people.
pub(super) fn lines_of(answers: &Answers) -> Vec<String> {
    let scores = answers
        .scores
        .iter()
        .map(|score| format!("  {}: {}.{:04} %", score.label, score.probability / 10_000, score.probability % 10_000));
    let findings = answers
        .findings
        .iter()
        .map(|one| format!("  {} is {}", one.id, if one.present { "present" } else { "absent" }));
    let readings = answers.readings.iter().map(|one| match one {
        Reading::Class { name, class } => format!("  {name}: {class}"),
        Reading::Quantity { name, micro, unit } => format!("  {name}: {} {unit}", decimal(*micro)),
        Reading::Mask { name, output, width, height, areas } => {
            let areas: Vec<_> = areas.iter().map(|area| format!("{} of {}", area.pixels, area.class)).collect();
            format!("  {name}: a mask of {width} × {height} pixels, output {}: {}", output + 1, areas.join(", "))
        }
        Reading::Maps { name, output, width, height, channels } => {
            let channels = channels.join(", ");
            format!("  {name}: maps of {width} × {height} values, output {}: {channels}", output + 1)
        }
    });
    findings.chain(scores).chain(readings).collect()
}

/// Millionths as people write them, exactly.
fn decimal(micro: i64) -> String {
    let (sign, micro) = (if micro < 0 { "-" } else { "" }, micro.unsigned_abs());
    let text = format!("{sign}{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').into()
}

pub(super) fn text(receipt: &Receipt) -> String {
    let head = format!(
        "read {} on {}, block {}\n  image {}{}\n  model {}",
        receipt.read,
        receipt.chain_id,
        receipt.height,
        receipt.image,
        if receipt.frame.is_first() { String::new() } else { format!(", frame {}", receipt.frame) },
        receipt.model
    );
    let consent = receipt.consent.iter().map(|consent| {
        let (actor, purpose, grant) = (&consent.actor, &consent.purpose, &consent.grant);
        format!("  for {actor}, purpose {purpose}, by use {} of grant {grant} at {}", consent.r#use, consent.guard)
    });
    let Outcome { scores, findings, readings, .. } = receipt.outcome.clone();
    let told = lines_of(&Answers { scores, findings, readings });
    std::iter::once(head).chain(consent).chain(told).collect::<Vec<_>>().join("\n")
}

//! `aceso image register`: from a file to an image that contracts can read.

use std::path::PathBuf;

use aceso_client::{GasLimit, any};
use aceso_inference::image::{Limits, decode, effort};
use aceso_types::msg::MsgRegisterImage;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{At, Signer, file};
use crate::cli::Output;

/// Images.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso image register scan.dcm --guard aceso1… --from patient.words
  aceso image register scan.png --modality DX --body-part CHEST --from patient.words")]
pub(crate) struct Image {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Uploads an image, registers it and waits until the validators hold it.
    Register {
        /// The file: DICOM, PNG or JPEG.
        image: PathBuf,
        /// The contract whose permit every read needs; without it the image is public.
        #[arg(long, default_value = "")]
        guard: String,
        /// The modality (DICOM CS, such as DX); needed where the file does not carry it, as no PNG or JPEG does.
        #[arg(long, default_value = "")]
        modality: String,
        /// The body part, likewise (such as CHEST).
        #[arg(long, default_value = "")]
        body_part: String,
        /// For how many blocks it is kept.
        #[arg(long, default_value_t = 100_000)]
        term: u64,
        #[command(flatten)]
        signer: Signer,
        #[command(flatten)]
        at: At,
    },
}

impl Image {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let Verb::Register { image, guard, modality, body_part, term, signer, at } = self.verb;
        let bytes = file(&image)?;
        // What no read could decode is not worth its fee.
        let decoded =
            decode(&bytes, Limits::default()).with_context(|| format!("{} is no image to read", image.display()))?;
        if decoded.modality().is_none() && modality.is_empty() {
            bail!(
                "{} names no modality, no model would read it, and a registration cannot be changed: say --modality (DX, CR, …)",
                image.display()
            );
        }
        let (client, key) = (at.connect()?, signer.key()?);
        let (cid, size) = client.put_blob(&bytes[..])?;
        let owner = client.address(&key);
        let message = MsgRegisterImage {
            owner,
            cid: cid.to_string(),
            size,
            term,
            guard,
            modality,
            body_part,
            origin: None,
            effort: effort(&bytes, Limits::default())?,
        };
        let tx = client.send(&key, vec![any(&message)], GasLimit::Auto)?;
        client.wait_available(&cid)?;
        output.print(&json!({"ok": true, "cid": cid, "tx": tx.hash, "height": tx.height}), || cid.to_string())
    }
}

//! `aceso model register`: from a manifest and an ONNX file to a model that can be read with.

use std::path::PathBuf;

use aceso_client::{GasLimit, any};
use aceso_types::{
    manifest::Onnx,
    msg::{MsgRegisterBlob, MsgRegisterModel},
    query::{BlobRow, BlobStatus, ModelStatus, QueryBlob, QueryModel},
};
use anyhow::{Context, Result, bail};
use clap::Args;

use super::{At, Signer, file, tx::report};
use crate::cli::{Output, model::read_manifest};

/// Checks a model here, uploads it, registers it and waits until it is admitted.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  aceso model register model.onnx --manifest manifest.json --from author.words")]
pub(crate) struct Register {
    /// The ONNX file.
    onnx: PathBuf,
    /// The manifest, in JSON or dag-cbor.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// For how many blocks the ONNX file is kept as a blob; the model itself stays.
    #[arg(long, default_value_t = 100_000)]
    term: u64,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    at: At,
}

impl Register {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let onnx = file(&self.onnx)?;
        let manifest = read_manifest(&self.manifest)?;
        aceso_inference::admit(&onnx, &manifest)?;
        let (client, key) = (self.at.connect()?, self.signer.key()?);
        let author = client.address(&key);
        let (blob, size) = client.put_blob(&onnx[..])?;
        if manifest.onnx != Onnx::of(blob, &onnx) {
            bail!("the manifest names {}, and the file is {blob}", manifest.onnx.blob);
        }
        let registered = client.ask(&QueryBlob { cid: blob.to_string() })?;
        if !is_registered(registered.as_ref(), size)? {
            let message = MsgRegisterBlob { owner: author.clone(), cid: blob.to_string(), size, term: self.term };
            client.send(&key, vec![any(&message)], GasLimit::Auto)?;
        }
        client.wait_available(&blob)?;
        let message = MsgRegisterModel { author, manifest: manifest.encode() };
        let tx = client.send(&key, vec![any(&message)], GasLimit::Auto)?;
        let model = manifest.id().to_string();
        let row = client.ask(&QueryModel { model: model.clone() })?.context("the model is not there")?;
        if row.status() != ModelStatus::Admitted {
            bail!("the chain did not admit the model: {}", row.reason);
        }
        report(output, &tx, Some(("model", &model)))
    }
}

/// Whether a registration can be joined: by another model over the same file, or by an attempt that got no further.
fn is_registered(row: Option<&BlobRow>, size: u64) -> Result<bool> {
    match row.filter(|row| row.status() != BlobStatus::Expired) {
        None => Ok(false),
        Some(row) if row.size == size => Ok(true),
        Some(row) => bail!("{} is registered by {} with {} bytes, and has {size}", row.cid, row.owner, row.size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_blob_in_its_term_is_joined() {
        let row = |status: BlobStatus| BlobRow { size: 7, status: status.into(), ..Default::default() };
        assert!(!is_registered(None, 7).unwrap());
        assert!(!is_registered(Some(&row(BlobStatus::Expired)), 7).unwrap());
        assert!(is_registered(Some(&row(BlobStatus::Pending)), 7).unwrap());
        assert!(is_registered(Some(&row(BlobStatus::Available)), 7).unwrap());
        assert!(is_registered(Some(&row(BlobStatus::Available)), 8).is_err());
    }
}

//! `aceso blob put|get`: bytes to and from a node's blob store.

use std::{fs, io::Write as _, io::stdout, path::PathBuf};

use aceso_types::{BlobId, msg::MsgRegisterBlob};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use super::{At, Signer};
use crate::cli::Output;

/// Uploads a file; with `--from` also registers it and waits until the validators hold it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  aceso blob put scan.dcm
  aceso blob put model.onnx --from author.words")]
pub(crate) struct Put {
    /// The file; - is standard input.
    file: PathBuf,
    /// Whose key pays for keeping the blob; without it the node keeps it for an hour.
    #[command(flatten)]
    signer: Signer,
    /// For how many blocks it is kept.
    #[arg(long, default_value_t = 100_000)]
    term: u64,
    #[command(flatten)]
    at: At,
}

impl Put {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let client = self.at.connect()?;
        let (id, size) = if self.file.as_os_str() == "-" {
            client.put_blob(std::io::stdin())?
        } else {
            let opened = fs::File::open(&self.file);
            client.put_blob(opened.with_context(|| format!("cannot read {}", self.file.display()))?)?
        };
        if self.signer.is_named() {
            let key = self.signer.key()?;
            let owner = client.address(&key);
            let message = MsgRegisterBlob { owner, cid: id.to_string(), size, term: self.term };
            client.send(&key, vec![aceso_client::any(&message)], aceso_client::GasLimit::Auto)?;
            client.wait_available(&id)?;
        }
        output.print(&json!({"ok": true, "cid": id, "size": size}), || id.to_string())
    }
}

/// Downloads a blob.
#[derive(Args, Debug)]
pub(crate) struct Get {
    /// Its CID.
    cid: BlobId,
    /// Where to put it; standard output if not given.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    at: At,
}

impl Get {
    pub(crate) fn run(self, output: Output) -> Result<()> {
        let bytes = self.at.connect()?.get_blob(&self.cid)?.with_context(|| format!("the node has no {}", self.cid))?;
        let put = aceso_blobs::import(&bytes[..], u64::MAX, |_, _| Ok(()))?;
        if put.id != self.cid {
            bail!("the node sent other bytes: they are {}, not {}", put.id, self.cid);
        }
        match &self.out {
            Some(path) => {
                fs::write(path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
                let object = json!({"ok": true, "cid": self.cid, "size": bytes.len()});
                output.print(&object, || format!("{} bytes in {}", bytes.len(), path.display()))
            }
            None => Ok(stdout().write_all(&bytes)?),
        }
    }
}

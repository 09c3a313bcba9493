//! The auditor: another process, an empty home, no network, only files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use aceso_types::{Manifest, ReadId, query::QueryRoot, sealed::SignedRoot};
use aceso_verify::Roots;
use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{parties::Party, report::Came};

/// Somebody who has the node's binary and the trusted validators' keys, and nothing else.
pub(crate) struct Auditor {
    folder: TempDir,
    binary: PathBuf,
    alone: bool,
}

impl Auditor {
    /// Sets an auditor up with what she trusts.
    pub(crate) fn new(node: &Path, trusts: &Party) -> Result<Self> {
        let folder = TempDir::new()?;
        fs::write(folder.path().join("trust.json"), trusts.trust()?.encode())?;
        // Without the right to make a network namespace she is only trusted not to use the network.
        let alone = Command::new("unshare").args(["-rn", "true"]).output().is_ok_and(|output| output.status.success());
        Ok(Self { folder, binary: node.to_path_buf(), alone })
    }

    /// Whether she is cut off from every network.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone
    }

    /// Hands her a receipt file.
    pub(crate) fn receive(&self, from: &Party, read: ReadId) -> Result<PathBuf> {
        let path = self.folder.path().join(format!("read-{read}.receipt"));
        fs::write(&path, from.evidence(read)?.encode())?;
        Ok(path)
    }

    /// Checks a receipt against the trusted validators.
    pub(crate) fn verify(&self, receipt: &Path) -> Result<()> {
        let trust = self.folder.path().join("trust.json");
        self.run(&["verify".as_ref(), receipt.as_os_str(), "--trust".as_ref(), trust.as_os_str()]).and_then(accepted)
    }

    /// Checks what a sealed read's committee has signed, against the table of keys that somebody handed her.
    pub(crate) fn compact(&self, from: &Party, read: ReadId) -> Result<()> {
        let receipt = self.receive(from, read)?;
        let row = from.ask(&QueryRoot { number: 0, latest: true })?.context("there is no root")?;
        let (compact, roots) = (receipt.with_extension("compact"), self.folder.path().join("roots.json"));
        fs::write(&roots, Roots::trust(SignedRoot::read(&row)?.root)?.encode())?;
        let out = ["compact".as_ref(), receipt.as_os_str(), "--out".as_ref(), compact.as_os_str()];
        self.run(&out).and_then(accepted)?;
        self.run(&["verify".as_ref(), compact.as_os_str(), "--trust".as_ref(), roots.as_os_str()]).and_then(accepted)
    }

    /// Computes the receipt's outcome again from the image and the model.
    pub(crate) fn recompute(&self, receipt: &Path, image: &[u8], manifest: &Manifest, onnx: &[u8]) -> Result<()> {
        let file = |name: &str, bytes: &[u8]| {
            let path = self.folder.path().join(name);
            fs::write(&path, bytes).map(|()| path)
        };
        let (image, onnx) = (file("image", image)?, file("model.onnx", onnx)?);
        let manifest = file("manifest.cbor", &manifest.encode())?;
        let arguments = [
            "recompute".as_ref(),
            receipt.as_os_str(),
            "--image".as_ref(),
            image.as_os_str(),
            "--manifest".as_ref(),
            manifest.as_os_str(),
            "--onnx".as_ref(),
            onnx.as_os_str(),
        ];
        self.run(&arguments).and_then(accepted)
    }

    /// What she says to a receipt with one flipped bit.
    pub(crate) fn tampered(&self, receipt: &Path, position: usize) -> Result<Came> {
        let mut bytes = fs::read(receipt)?;
        *bytes.get_mut(position).context("the receipt file is shorter")? ^= 1;
        let path = self.folder.path().join("tampered.receipt");
        fs::write(&path, bytes)?;
        let trust = self.folder.path().join("trust.json");
        let (success, words) =
            self.run(&["verify".as_ref(), path.as_os_str(), "--trust".as_ref(), trust.as_os_str()])?;
        Ok(Came { code: None, message: if success { "it was believed".into() } else { words } })
    }

    fn run(&self, arguments: &[&std::ffi::OsStr]) -> Result<(bool, String)> {
        let mut command = if self.alone {
            let mut command = Command::new("unshare");
            command.args(["-rn", "--"]).arg(&self.binary);
            command
        } else {
            Command::new(&self.binary)
        };
        let home = self.folder.path().join("home");
        fs::create_dir_all(&home)?;
        command.arg("read").args(arguments).current_dir(&home).env_clear().env("HOME", &home);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let output = command.output().context("cannot start the auditor's process")?;
        let words = if output.status.success() { output.stdout } else { output.stderr };
        Ok((output.status.success(), String::from_utf8_lossy(&words).trim().into()))
    }
}

fn accepted((success, words): (bool, String)) -> Result<()> {
    if success { Ok(()) } else { bail!("{words}") }
}

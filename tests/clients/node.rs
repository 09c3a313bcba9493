// Starts `aceso dev` for a test and stops it again; ports are chosen by the node and read from its first line.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::Context;

/// A running node over a folder of its own.
pub struct Node {
    child: Child,
    /// Where CometBFT's RPC listens.
    pub rpc: String,
    /// Where gRPC listens.
    pub grpc: String,
    home: tempfile::TempDir,
}

impl Node {
    /// Starts it; `more` are options of `aceso dev`.
    pub fn start(more: &[&str]) -> anyhow::Result<Self> {
        let binary = std::env::var("ACESO_NODE").context("ACESO_NODE names no binary; run `cargo xtask test`")?;
        let home = tempfile::tempdir()?;
        let mut command = Command::new(binary);
        command.args(["dev", "--json", "--home"]).arg(home.path().join("node"));
        command.args(["--rpc", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--rest", "127.0.0.1:0"]).args(more);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let told: serde_json::Value = serde_json::from_str(&line).context("the node does not say where it is")?;
        let at = |name: &str| told[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {line}"));
        Ok(Self { rpc: at("rpc")?, grpc: at("grpc")?, child, home })
    }

    /// A folder that goes with the node.
    pub fn folder(&self) -> &std::path::Path {
        self.home.path()
    }

    /// The file of words whose account has coins where no `--fund` names another.
    pub fn words(&self) -> std::path::PathBuf {
        self.home.path().join("node/keys/dev.mnemonic")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The file of a contract of ours.
pub fn contract(name: &str) -> anyhow::Result<std::path::PathBuf> {
    let folder = std::env::var("ACESO_CONTRACTS").context("ACESO_CONTRACTS names no folder; run `cargo xtask test`")?;
    Ok(std::path::Path::new(&folder).join(format!("{name}.wasm")))
}

//! A node for a test: `aceso dev` as a child process on ports that it chooses.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Where a node listens, in the words of its first line.
#[derive(Clone, Debug, Deserialize)]
pub struct Endpoints {
    /// JSON-RPC over HTTP.
    pub rpc: String,
    /// REST and the page.
    pub rest: String,
}

/// Starts `aceso dev --home HOME/node` with further arguments; its log is `HOME/node.log`.
///
/// # Errors
/// With the log, if the node ends before it says where it listens.
pub fn start<A: AsRef<OsStr>>(
    binary: &Path,
    home: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Result<(Child, Endpoints)> {
    let log = home.join("node.log");
    let mut command = Command::new(binary);
    command
        .args(["dev", "--json", "--rpc", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--grpc", "off", "--home"])
        .arg(home.join("node"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("the node has no output")?).read_line(&mut line)?;
    let endpoints = serde_json::from_str(&line)
        .with_context(|| format!("the node did not start:\n{}", fs::read_to_string(&log).unwrap_or_default()));
    match endpoints {
        Ok(endpoints) => Ok((child, endpoints)),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

//! A stage of several validators: the homes that `aceso localnet --prepare` writes, and a pair of processes over each.
//!
//! Of four or more the last one works for no committee: what the others sign has to be enough.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
};

use aceso_test_support::dev::Endpoints;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::stage::{Stage, answered, folder, page, spawn};

/// Milliseconds between a block and the proposal of the next one.
const BLOCK_TIME: &str = "10";
/// From how many validators on one is silent: more than two thirds are left.
const SILENT_FROM: usize = 4;

/// What `localnet --prepare` says of a validator.
#[derive(Deserialize)]
struct Node {
    name: String,
    home: PathBuf,
    rpc: String,
    rest: String,
    abci: String,
}

#[derive(Deserialize)]
struct Prepared {
    nodes: Vec<Node>,
}

impl Stage {
    /// Real CometBFT validators, each operated by an account of its own.
    pub(crate) fn network(
        (node, engine): (&Path, &Path),
        validators: u16,
        home: Option<&Path>,
        chain_id: &str,
        funds: &[String],
        ui: Option<&Path>,
    ) -> Result<Self> {
        let (home, path) = folder(home)?;
        let mut command = Command::new(node);
        command.args(["--json", "localnet", "--prepare", "--port", "0", "--block-time", BLOCK_TIME]);
        command.args(["--validators", &validators.to_string(), "--chain-id", chain_id]);
        command.args(funds.iter().flat_map(|fund| ["--fund", fund])).arg("--home").arg(path.join("net"));
        let Prepared { nodes } = serde_json::from_slice(&answered(command)?).context("localnet says something else")?;
        let first = nodes.first().context("there are no validators")?;
        let endpoints = Endpoints { rpc: first.rpc.clone(), rest: first.rest.clone() };
        if let Some(last) = nodes.last().filter(|_| nodes.len() >= SILENT_FROM) {
            silence(&last.home)?;
        }
        let operators = nodes.iter().map(|node| (node.home.clone(), node.home.join("keys/operator.mnemonic")));
        let mut stage = Self::empty(home, path, endpoints, operators.collect());
        for (number, one) in nodes.iter().enumerate() {
            let log = |program: &str| stage.path().join(format!("{}-{program}.log", one.name));
            let (app_log, engine_log) = (log("node"), log("cometbft"));
            let mut app = Command::new(node);
            app.args(["start", "--home"]).arg(&one.home).args(["--abci", &one.abci, "--rpc", &one.rpc]);
            app.args(["--rest", one.rest.trim_start_matches("http://"), "--grpc", "off"]);
            app.args(page(ui.filter(|_| number == 0)));
            stage.children.push(spawn(app, &app_log)?);
            let socket = one.abci.trim_start_matches("unix://");
            stage.wait_for(socket, || UnixStream::connect(socket).is_ok())?;
            let mut command = Command::new(engine);
            command.args(["start", "--home"]).arg(&one.home);
            stage.children.push(spawn(command, &engine_log)?);
        }
        let port = first.rpc.rsplit_once(':').context("the RPC has no port")?.1.parse()?;
        stage.wait_for_port(port)?;
        Ok(stage)
    }
}

/// Lets a validator vote and compute nothing for committees.
fn silence(home: &Path) -> Result<()> {
    let path = home.join("config/aceso.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let silent = text.replacen("worker_threads = 1", "worker_threads = 0", 1);
    ensure!(silent != text, "{} does not say how many worker threads there are", path.display());
    Ok(fs::write(&path, silent)?)
}

//! One validator each of what is compared, with the same pause between blocks: our application behind our build of
//! CometBFT and behind CometBFT as it comes, wasmd, and CometBFT's own key-value store, which costs next to nothing and so
//! shows what the engine allows.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use aceso_client::{Account, Chain};
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::{
    cosmos::auth::v1beta1::{BaseAccount, QueryAccountRequest, QueryAccountResponse},
    traits::Message,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    drive,
    load::{FUNDS, People},
    process,
    wire::Wire,
};

/// Milliseconds between a block and the next proposal.
const BLOCK_TIME: u64 = 100;
/// Heights that our application keeps readable.
const KEEP: u64 = 100;
/// How long a node may take to start, and a transaction into a block.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is run.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) aceso: PathBuf,
    /// CometBFT with our client of the application.
    pub(crate) cometbft: PathBuf,
    /// CometBFT as it comes.
    pub(crate) stock: Option<PathBuf>,
    pub(crate) wasmd: Option<PathBuf>,
}

impl Programs {
    fn stock(&self) -> Result<&Path> {
        self.stock.as_deref().context("--stock is missing: CometBFT as it comes")
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Aceso,
    /// The same behind CometBFT as it comes.
    Stock,
    Wasmd,
    Kvstore,
}

/// A validator that runs. Dropping it ends it.
pub(crate) struct Node {
    home: tempfile::TempDir,
    /// `host:port`
    pub(crate) rpc: String,
    /// Its processes.
    pub(crate) pids: Vec<u32>,
    /// What the application keeps.
    data: PathBuf,
    child: Child,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// The chain that accounts sign for: the same everywhere.
pub(crate) fn chain() -> Chain {
    Chain { id: "bench".into(), prefix: "wasm".into(), denom: "ucosm".into(), gas_price_micro: 25_000 }
}

impl Node {
    /// Starts a validator at which these people own coins.
    pub(crate) fn start(kind: Kind, programs: &Programs, people: &People) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let node = match kind {
            Kind::Aceso => Self::aceso(home, programs, &programs.cometbft, people),
            Kind::Stock => Self::aceso(home, programs, programs.stock()?, people),
            Kind::Wasmd => Self::wasmd(home, programs, people),
            Kind::Kvstore => Self::kvstore(home, programs),
        }?;
        let begun = Instant::now();
        while Wire::connect(&node.rpc).and_then(|mut wire| drive::height(&mut wire)).unwrap_or(0) < 2 {
            ensure!(begun.elapsed() < PATIENCE, "{kind:?} makes no blocks:\n{}", log_of(node.home.path()));
            sleep(Duration::from_millis(20));
        }
        Ok(node)
    }

    fn aceso(home: tempfile::TempDir, programs: &Programs, engine: &Path, people: &People) -> Result<Self> {
        let chain = &people.chain;
        let net = home.path().join("net");
        let block_time = BLOCK_TIME.to_string();
        let localnet = |arguments: &[&str]| {
            let mut command = Command::new(&programs.aceso);
            command.args(["localnet", "--json", "--home"]).arg(&net).args(arguments);
            command
        };
        let mut prepare = localnet(&["--prepare", "--validators", "1", "--port", "0", "--block-time", &block_time]);
        prepare.args(["--chain-id", &chain.id, "--prefix", &chain.prefix, "--denom", &chain.denom]);
        for address in &people.addresses {
            prepare.arg("--fund").arg(format!("{address}={FUNDS}{}", chain.denom));
        }
        quiet(prepare)?;
        let config = net.join("node0/config/aceso.toml");
        let text = fs::read_to_string(&config)?;
        let kept = text.lines().map(|line| match line.split('=').next().map(str::trim) {
            Some("keep_heights") => format!("keep_heights = {KEEP}"),
            // The heights that snapshots need would not be kept.
            Some("snapshot_interval") => "snapshot_interval = 0".to_owned(),
            _ => line.to_owned(),
        });
        fs::write(&config, kept.collect::<Vec<_>>().join("\n") + "\n")?;
        let mut run = localnet(&["--cometbft"]);
        run.arg(engine).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log(home.path())?);
        let mut child = run.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line)
            .with_context(|| format!("the network did not start:\n{}", log_of(home.path())))?;
        let node = &said["nodes"][0];
        let pid = |program: &str| node["pids"][program].as_u64().and_then(|pid| u32::try_from(pid).ok());
        let pids = [pid("aceso"), pid("cometbft")].into_iter().flatten().collect();
        let rpc = node["rpc"]
            .as_str()
            .with_context(|| format!("the network did not start: {said}"))?
            .trim_start_matches("http://")
            .to_owned();
        Ok(Self { home, rpc, pids, data: net.join("node0/data/state"), child })
    }

    fn wasmd(home: tempfile::TempDir, programs: &Programs, people: &People) -> Result<Self> {
        let (wasmd, chain) = (programs.wasmd.as_ref().context("there is no wasmd")?, &people.chain);
        let at = home.path().join("wasmd");
        let run = |arguments: &[&str]| {
            let mut command = Command::new(wasmd);
            command.args(arguments).arg("--home").arg(&at);
            quiet(command)
        };
        let keyring = ["--keyring-backend", "test"];
        run(&["init", "bench", "--chain-id", &chain.id, "--default-denom", &chain.denom])?;
        run(&[&["keys", "add", "validator"][..], &keyring].concat())?;
        let validator = run(&[&["keys", "show", "validator", "-a"][..], &keyring].concat())?;
        let coins = json!([{"denom": chain.denom, "amount": FUNDS.to_string()}]);
        let rich: Vec<Value> = std::iter::once(validator.trim())
            .chain(people.addresses.iter().map(String::as_str))
            .map(|address| json!({"address": address, "coins": coins}))
            .collect();
        let file = home.path().join("accounts.json");
        fs::write(&file, serde_json::to_vec(&rich)?)?;
        run(&["genesis", "bulk-add-genesis-account", &file.to_string_lossy()])?;
        let stake = format!("1000000000{}", chain.denom);
        run(&[&["genesis", "gentx", "validator", &stake, "--chain-id", &chain.id][..], &keyring].concat())?;
        run(&["genesis", "collect-gentxs"])?;
        pause(&at)?;
        let [rpc, p2p] = free_ports()?;
        let mut start = Command::new(wasmd);
        start.arg("start").arg("--home").arg(&at).args(["--minimum-gas-prices", &format!("0{}", chain.denom)]);
        start.args(["--grpc.enable=false", "--api.enable=false", "--rpc.laddr", &format!("tcp://{rpc}")]);
        start.args(["--p2p.laddr", &format!("tcp://{p2p}"), "--rpc.pprof_laddr", ""]);
        Self::run(home, start, rpc, at.join("data/application.db"))
    }

    fn kvstore(home: tempfile::TempDir, programs: &Programs) -> Result<Self> {
        let (at, engine) = (home.path().join("kvstore"), programs.stock()?);
        let mut init = Command::new(engine);
        init.arg("init").arg("--home").arg(&at);
        quiet(init)?;
        pause(&at)?;
        let [rpc, p2p] = free_ports()?;
        let mut start = Command::new(engine);
        start.args(["start", "--proxy_app", "kvstore", "--home"]).arg(&at);
        start.args(["--rpc.laddr", &format!("tcp://{rpc}"), "--p2p.laddr", &format!("tcp://{p2p}")]);
        Self::run(home, start, rpc, at.join("data"))
    }

    /// A validator in one process.
    fn run(home: tempfile::TempDir, mut command: Command, rpc: String, data: PathBuf) -> Result<Self> {
        let log = log(home.path())?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Self { rpc, pids: vec![child.id()], data, child, home })
    }

    /// Stores the token's code and makes the token; its address.
    pub(crate) fn token(&self, people: &mut People, wasm: &[u8]) -> Result<String> {
        people.learn(|address| self.account(address))?;
        let code = self.done(&people.store(wasm)?, "store_code", "code_id")?.parse()?;
        self.done(&people.instantiate(code)?, "instantiate", "_contract_address")
    }

    /// Bytes of what the application keeps.
    pub(crate) fn kept(&self) -> Result<u64> {
        process::size(&self.data)
    }

    /// Megabytes that each of its processes has in memory.
    pub(crate) fn memory(&self) -> Result<Vec<f64>> {
        self.pids.iter().map(|pid| process::memory(*pid)).collect()
    }

    pub(crate) fn account(&self, address: &str) -> Result<Account> {
        let data = hex::encode(QueryAccountRequest { address: address.into() }.encode_to_vec());
        let params = json!({"path": "/cosmos.auth.v1beta1.Query/Account", "data": data});
        let answer = Wire::connect(&self.rpc)?.call("abci_query", &params)?;
        let value = answer["response"]["value"].as_str().with_context(|| format!("{address}: {answer}"))?;
        let account = QueryAccountResponse::decode(&STANDARD.decode(value)?[..])?.account.context("no account")?;
        let account = BaseAccount::decode(&account.value[..])?;
        Ok(Account { number: account.account_number, sequence: account.sequence })
    }

    /// Sends a transaction, waits until it is in a block, and takes an attribute of an event of it.
    fn done(&self, tx: &[u8], kind: &str, key: &str) -> Result<String> {
        let (mut wire, begun) = (Wire::connect(&self.rpc)?, Instant::now());
        let sent = wire.call("broadcast_tx_sync", &json!({"tx": STANDARD.encode(tx)}))?;
        ensure!(sent["code"] == 0, "a transaction was refused: {}", sent["log"]);
        let hash = STANDARD.encode(Sha256::digest(tx));
        let found = loop {
            if let Ok(found) = wire.call("tx", &json!({"hash": hash})) {
                break found;
            }
            ensure!(begun.elapsed() < PATIENCE, "a transaction is in no block");
            sleep(Duration::from_millis(20));
        };
        let result = &found["tx_result"];
        ensure!(result["code"] == 0, "a transaction failed: {}", result["log"]);
        let events = result["events"].as_array().into_iter().flatten().filter(|event| event["type"] == kind);
        let mut attributes = events.flat_map(|event| event["attributes"].as_array().into_iter().flatten());
        let found = attributes.find(|one| one["key"] == key).and_then(|one| one["value"].as_str());
        Ok(found.with_context(|| format!("no {kind}.{key}"))?.to_owned())
    }
}

/// Transactions of the key-value store, each of a key of its own.
pub(crate) fn pairs(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| format!("key{number}={number}").into_bytes()).collect()
}

/// Shortens the pause between blocks, as our networks have it.
fn pause(home: &Path) -> Result<()> {
    let config = home.join("config/config.toml");
    let set = |line: &str| match line.split('=').next().map(str::trim) {
        Some("timeout_commit") => format!("timeout_commit = \"{BLOCK_TIME}ms\""),
        Some("pprof_laddr") => "pprof_laddr = \"\"".to_owned(),
        _ => line.to_owned(),
    };
    let text = fs::read_to_string(&config)?;
    Ok(fs::write(&config, text.lines().map(set).collect::<Vec<_>>().join("\n") + "\n")?)
}

fn free_ports() -> Result<[String; 2]> {
    // Both are held until both are known, so that they differ.
    let (one, other) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    Ok([one.local_addr()?.to_string(), other.local_addr()?.to_string()])
}

fn log(home: &Path) -> Result<File> {
    Ok(File::create(home.join("log"))?)
}

/// The end of a node's log.
fn log_of(home: &Path) -> String {
    let text = fs::read_to_string(home.join("log")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn quiet(mut command: Command) -> Result<String> {
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

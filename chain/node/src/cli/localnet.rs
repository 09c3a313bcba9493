//! `aceso localnet`: a network of real CometBFT validators on this machine, each with its application.
//!
//! Keys, genesis and configurations are written once; a later start over the same home goes on. Every validator is a
//! pair of processes in a home of its own, so that each can be stopped and started by hand as well. This process only
//! watches: if one of them ends, all are stopped and the end of its log is shown.

use std::{
    fs::File,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    HomeArg, Output,
    init::{Chain, proof_spec},
    operator,
};
use crate::home::{Home, cometbft::Engine, config::Config, write_new};

/// CometBFT's releases that are driven.
const ENGINE: &str = "0.38.";
/// How long the network may take to its second block.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a process may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// The REST port of a validator with a machine of its own.
const REST: u16 = 1317;
/// Its gRPC port.
const GRPC: u16 = 9090;
/// Distance between the ports of two validators.
const STRIDE: u16 = 10;
/// Lines of a log that are shown.
const TAIL: usize = 8;

/// Options of the verb.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  aceso localnet --validators 4 --home net\n  aceso localnet --home net            (goes on where it stopped)\n  \
    aceso localnet --home net --prepare --host 10.0.0.1 --host 10.0.0.2   (homes for two machines; starts nothing)\n\nStop it with Ctrl-C. Logs lie in the validators' homes."
)]
pub(crate) struct Args {
    #[command(flatten)]
    home: HomeArg,
    #[command(flatten)]
    chain: Chain,
    /// How many validators; CometBFT tolerates the failure of less than a third of them.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    validators: u16,
    /// First of the ports: P2P is there, RPC one above, REST two above; the next validator's are ten further. 0 takes
    /// free ones.
    #[arg(long, default_value_t = 26656, value_name = "PORT")]
    port: u16,
    /// Pause between a block and the proposal of the next one, in milliseconds.
    #[arg(long, default_value_t = 1000, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    block_time: u64,
    /// The CometBFT v0.38 program [default: the one in PATH].
    #[arg(long, value_name = "FILE")]
    cometbft: Option<PathBuf>,
    /// A machine of its own for each validator, instead of all on this one: its address, once per validator. Listens on
    /// PORT (P2P), the next (RPC), the one after (ABCI) and 1317 (REST). Only with --prepare; each machine then gets
    /// its folder and runs `aceso start` and `cometbft start` over it.
    #[arg(long, value_name = "HOST", requires = "prepare", conflicts_with = "validators")]
    host: Vec<String>,
    /// Write keys, genesis and configurations, and start nothing.
    #[arg(long)]
    prepare: bool,
}

/// One validator, as `localnet.json` keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Node {
    name: String,
    home: PathBuf,
    p2p: String,
    rpc: String,
    rest: String,
    /// Of a network that was written before there was gRPC: none.
    #[serde(default = "no_grpc")]
    grpc: String,
    abci: String,
}

fn no_grpc() -> String {
    "off".into()
}

/// Runs the verb.
pub(crate) fn run(args: &Args, output: Output) -> anyhow::Result<()> {
    let home = args.home.home()?;
    let _lock = home.lock()?;
    let nodes = prepare(args, &home)?;
    if args.prepare {
        let object = json!({"ok": true, "nodes": nodes});
        return output.print(&object, || told(&nodes, "is written; start it with `aceso localnet`"));
    }
    let engine = args.cometbft.clone().unwrap_or_else(|| "cometbft".into());
    check_version(&engine)?;
    let mut network = Network::default();
    for node in &nodes {
        network.start(node, &engine)?;
    }
    network.wait_for_blocks(&nodes)?;
    let shown: Vec<Value> = nodes.iter().map(|node| network.shown(node)).collect();
    output.print(&json!({"ok": true, "nodes": shown}), || told(&nodes, "runs; stop it with Ctrl-C"))?;
    let stop = stop_flag()?;
    while !stop.load(Ordering::Relaxed) {
        network.check()?;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn told(nodes: &[Node], what: &str) -> String {
    let lines = nodes.iter().map(|node| {
        format!("  {}  rpc {}  rest {}  grpc {}  {}", node.name, node.rpc, node.rest, node.grpc, node.home.display())
    });
    format!("a network of {} validators {what}\n{}", nodes.len(), lines.collect::<Vec<_>>().join("\n"))
}

/// Writes everything that the validators start from, or reads what was written.
fn prepare(args: &Args, home: &Home) -> anyhow::Result<Vec<Node>> {
    let file = home.path().join("localnet.json");
    if file.exists() {
        let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        return serde_json::from_slice(&text).with_context(|| file.display().to_string());
    }
    let count = if args.host.is_empty() { usize::from(args.validators) } else { args.host.len() };
    let names: Vec<String> = (0..count).map(|number| format!("node{number}")).collect();
    let homes: Vec<Home> = names.iter().map(|name| Home::at(home.path().join(name))).collect();
    let beginning = operator::beginning(&args.chain)?;
    let mut founders = Vec::new();
    let mut ids = Vec::new();
    for (name, home) in names.iter().zip(&homes) {
        let _lock = home.lock()?;
        founders.push(home.founder(name.clone(), beginning.own_operator())?);
        ids.push(home.node_id()?);
    }
    let genesis = home.found(&beginning, proof_spec()?, &founders)?;
    let node = |(name, home): (&String, &Home), host: &str, [p2p, rpc, rest, grpc]: [u16; 4], abci| Node {
        name: name.clone(),
        home: home.path().into(),
        p2p: format!("{host}:{p2p}"),
        rpc: format!("http://{host}:{rpc}"),
        rest: format!("http://{host}:{rest}"),
        grpc: format!("{host}:{grpc}"),
        abci,
    };
    let named = names.iter().zip(&homes);
    let nodes: Vec<Node> = if args.host.is_empty() {
        let socket = |home: &Home| format!("unix://{}", home.path().join("abci.sock").display());
        let ports = ports(args.port, args.validators)?;
        named.zip(ports).map(|(named, ports)| node(named, "127.0.0.1", ports, socket(named.1))).collect()
    } else {
        let (Some(rpc), Some(abci)) = (args.port.checked_add(1), args.port.checked_add(2)) else {
            bail!("--port {}: the ports pass 65535", args.port)
        };
        let abci = format!("tcp://127.0.0.1:{abci}");
        named
            .zip(&args.host)
            .map(|(named, host)| node(named, host, [args.port, rpc, REST, GRPC], abci.clone()))
            .collect()
    };
    for (node, home) in nodes.iter().zip(&homes) {
        let others = || nodes.iter().zip(&ids).filter(|(other, _)| other.name != node.name);
        home.write_engine(&Engine {
            moniker: node.name.clone(),
            app: node.abci.clone(),
            rpc: node.rpc.trim_start_matches("http://").into(),
            p2p: node.p2p.clone(),
            peers: others().map(|(other, id)| format!("{id}@{}", other.p2p)).collect(),
            block_time: args.block_time,
            local: true,
        })?;
        let peers: Vec<String> = others().map(|(other, _)| other.rest.clone()).collect();
        write_new(&home.config_file(), Config::with_peers(&peers).as_bytes(), false)?;
        write_new(&home.genesis_file(), genesis.as_bytes(), false)?;
    }
    // Written last: what has it is complete.
    write_new(&file, format!("{:#}\n", json!(nodes)).as_bytes(), false)?;
    Ok(nodes)
}

/// Four ports for each of `count` validators. Free ones are held until all are found, so that they differ.
fn ports(first: u16, count: u16) -> anyhow::Result<Vec<[u16; 4]>> {
    if first != 0 {
        let of = |number: u16| first.checked_add(number.checked_mul(STRIDE)?);
        return (0..count)
            .map(|number| match of(number).and_then(|p2p| p2p.checked_add(3).map(|last| (p2p, last))) {
                Some((p2p, last)) => Ok([p2p, p2p + 1, p2p + 2, last]),
                None => bail!("--port {first}: the ports of {count} validators pass 65535"),
            })
            .collect();
    }
    let listeners: Vec<TcpListener> =
        (0..count * 4).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>().context("no free port")?;
    let free: Vec<u16> = listeners.iter().map(|one| one.local_addr().map(|at| at.port())).collect::<Result<_, _>>()?;
    Ok(free.chunks_exact(4).filter_map(|four| four.try_into().ok()).collect())
}

fn check_version(engine: &Path) -> anyhow::Result<()> {
    let missing = "CometBFT v0.38 is needed: name the program with --cometbft, or put it into PATH; `cargo xtask cometbft` \
        builds it, or `go install github.com/cometbft/cometbft/cmd/cometbft@v0.38.26`";
    let answer = Command::new(engine).arg("version").stdin(Stdio::null()).output();
    let answer = answer.map_err(|e| anyhow::anyhow!("{}: {e}; {missing}", engine.display()))?;
    let version = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    if !answer.status.success() || !version.starts_with(ENGINE) {
        bail!("{} is version {version:?}; {missing}", engine.display());
    }
    Ok(())
}

/// The running processes. Dropping it ends them, the engines first.
#[derive(Default)]
struct Network {
    processes: Vec<Process>,
}

struct Process {
    /// Of which validator.
    node: String,
    program: &'static str,
    log: PathBuf,
    child: Child,
}

impl Network {
    /// Starts a validator: the application, and when it listens the engine.
    fn start(&mut self, node: &Node, engine: &Path) -> anyhow::Result<()> {
        let mut app = Command::new(std::env::current_exe().context("cannot find this program")?);
        app.args(["--log", "info", "start", "--home"]).arg(&node.home).args(["--abci", &node.abci]);
        app.args(["--rest", node.rest.trim_start_matches("http://"), "--rpc", &node.rpc, "--grpc", &node.grpc]);
        self.spawn(node, "aceso", app)?;
        let socket = node.abci.trim_start_matches("unix://");
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            self.check()?;
            if begun.elapsed() > PATIENCE {
                bail!("{}: the application does not listen at {socket}", node.name);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut command = Command::new(engine);
        command.args(["start", "--home"]).arg(&node.home);
        self.spawn(node, "cometbft", command)
    }

    fn spawn(&mut self, node: &Node, program: &'static str, mut command: Command) -> anyhow::Result<()> {
        let log = node.home.join(format!("{program}.log"));
        let file = File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        self.processes.push(Process { node: node.name.clone(), program, log, child });
        Ok(())
    }

    /// Fails if one of the processes has ended.
    fn check(&mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            if let Some(status) = process.child.try_wait()? {
                let (node, program, log) = (&process.node, process.program, process.log.display());
                bail!(
                    "{program} of {node} ended ({status}), so all are stopped; {log} ends with:\n{}",
                    tail(&process.log)
                );
            }
        }
        Ok(())
    }

    /// Returns when every validator has seen block 2.
    fn wait_for_blocks(&mut self, nodes: &[Node]) -> anyhow::Result<()> {
        let begun = Instant::now();
        for node in nodes {
            while height(&node.rest).unwrap_or_default() < 2 {
                self.check()?;
                if begun.elapsed() > PATIENCE {
                    bail!(
                        "{} has no second block after {} s; see {}",
                        node.name,
                        PATIENCE.as_secs(),
                        node.home.display()
                    );
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    /// A validator with its processes, for scripts.
    fn shown(&self, node: &Node) -> Value {
        let pid = |program| {
            let mut processes = self.processes.iter();
            processes.find(|one| one.node == node.name && one.program == program).map(|one| one.child.id())
        };
        let mut shown = json!(node);
        shown["pids"] = json!({"aceso": pid("aceso"), "cometbft": pid("cometbft")});
        shown
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // An engine without its application complains; an application without its engine only waits.
        for program in ["cometbft", "aceso"] {
            let mut ending: Vec<&mut Process> =
                self.processes.iter_mut().filter(|one| one.program == program).collect();
            for process in &ending {
                let pid = i32::try_from(process.child.id()).ok().and_then(rustix::process::Pid::from_raw);
                if let Some(pid) = pid {
                    // It may have ended by itself.
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
                }
            }
            let begun = Instant::now();
            for process in &mut ending {
                while process.child.try_wait().is_ok_and(|status| status.is_none()) {
                    if begun.elapsed() > GRACE {
                        let _ = process.child.kill();
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }
}

/// The height that a REST port tells.
fn height(rest: &str) -> Option<u64> {
    let mut stream = TcpStream::connect(rest.trim_start_matches("http://")).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).ok()?;
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1)?).ok()?;
    body["height"].as_str()?.parse().ok()
}

/// Becomes true with SIGINT or SIGTERM.
fn stop_flag() -> anyhow::Result<std::sync::Arc<AtomicBool>> {
    let flag = std::sync::Arc::new(AtomicBool::new(false));
    let raised = std::sync::Arc::clone(&flag);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(async {
                // Without signals it ends at once, with its children.
                if let Ok(stopping) = super::start::stop_signal() {
                    stopping.await;
                }
            });
        }
        raised.store(true, Ordering::Relaxed);
    })?;
    Ok(flag)
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(TAIL).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_do_not_meet() {
        assert_eq!(ports(26656, 2).unwrap(), [[26656, 26657, 26658, 26659], [26666, 26667, 26668, 26669]]);
        assert!(ports(65500, 5).unwrap_err().to_string().contains("pass 65535"));
        let free = ports(0, 3).unwrap();
        let mut flat: Vec<u16> = free.iter().flatten().copied().collect();
        flat.sort_unstable();
        flat.dedup();
        assert_eq!(flat.len(), 12);
    }

    #[test]
    fn another_engine_is_refused() {
        let refused = |program: &str| check_version(Path::new(program)).unwrap_err().to_string();
        assert!(refused("/nowhere/cometbft").contains("go install"));
        assert!(refused("echo").contains("is version \"version\""));
        assert!(refused("false").contains("CometBFT v0.38 is needed"));
    }
}

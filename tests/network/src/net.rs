//! The validators: homes that `aceso localnet --prepare` writes, and their pairs of processes, started and killed here.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use aceso_client::{Client, Key};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use ureq::Agent;

use crate::space::{Spaces, address};

/// Pause between two looks at something that takes its time.
pub(crate) const POLL: Duration = Duration::from_millis(100);
/// How long a process may take until it listens.
const START: Duration = Duration::from_secs(60);
/// The application's log in a home.
const LOG: &str = "aceso.log";
/// Lines of a log that are shown.
const TAIL: usize = 12;

/// What is run.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) node: PathBuf,
    /// The same as a next release, which knows an upgrade.
    pub(crate) next: PathBuf,
    /// The same on a processor that errs.
    pub(crate) faulty: PathBuf,
    pub(crate) engine: PathBuf,
    /// CometBFT as it comes.
    pub(crate) stock: PathBuf,
}

impl Programs {
    /// What runs before a validator. The last of four has CometBFT as it comes: the others must not notice.
    fn engine(&self, number: usize) -> &Path {
        if number % 4 == 3 { &self.stock } else { &self.engine }
    }
}

/// How a network is made.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) validators: usize,
    /// Whether each validator has a network namespace of its own.
    pub(crate) spaces: bool,
    /// Milliseconds between two blocks.
    pub(crate) block_time: u64,
    /// `WHO=COINS`.
    pub(crate) funds: Vec<String>,
    /// Who decides on validators and upgrades.
    pub(crate) authority: String,
}

/// A network. Dropping it kills its processes.
pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) spaces: Option<Spaces>,
    pub(crate) programs: Programs,
    home: TempDir,
}

/// A validator: the application and the engine in front of it.
pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) home: PathBuf,
    /// The application's program.
    pub(crate) program: PathBuf,
    pub(crate) rpc: String,
    pub(crate) rest: String,
    /// Where the application listens.
    pub(crate) socket: PathBuf,
    /// Where the engine connects, if that is somebody between the two.
    pub(crate) between: Option<PathBuf>,
    app: Option<Child>,
    engine: Option<Child>,
}

/// Which process of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    App,
    Engine,
    Both,
}

#[derive(Deserialize)]
struct Prepared {
    nodes: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    home: PathBuf,
    rpc: String,
    rest: String,
}

impl Net {
    /// Writes the homes; nothing runs yet.
    pub(crate) fn prepare(programs: &Programs, plan: &Plan) -> Result<Self> {
        let home = TempDir::new()?;
        let spaces = plan.spaces.then(|| Spaces::new(plan.validators)).transpose()?;
        let mut command = Command::new(&programs.node);
        command.args(["--json", "localnet", "--prepare", "--chain-id", "faults-1", "--home"]).arg(home.path());
        command.args(["--block-time", &plan.block_time.to_string(), "--authority", &plan.authority]);
        command.args(plan.funds.iter().flat_map(|fund| ["--fund", fund]));
        if plan.spaces {
            command.args((0..plan.validators).flat_map(|number| ["--host".to_owned(), address(number)]));
        } else {
            command.args(["--port", "0", "--validators", &plan.validators.to_string()]);
        }
        let output = command.stdin(Stdio::null()).output().context("cannot start the node")?;
        let prepared: Prepared = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("no network: {}", String::from_utf8_lossy(&output.stderr)))?;
        let node = |(number, written): (usize, Written)| {
            Node::new(number, written.home, programs.node.clone(), written.rpc, written.rest)
        };
        let nodes = prepared.nodes.into_iter().enumerate().map(node).collect();
        Ok(Self { nodes, spaces, programs: programs.clone(), home })
    }

    /// The folder of a home in this network.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Starts what does not run of a validator.
    pub(crate) fn start(&mut self, number: usize) -> Result<()> {
        self.start_app(number, &[])?;
        self.start_engine(number, &[])
    }

    /// Starts all validators.
    pub(crate) fn start_all(&mut self) -> Result<()> {
        (0..self.nodes.len()).try_for_each(|number| self.start(number))
    }

    /// Starts the application with further arguments and waits until it listens.
    pub(crate) fn start_app(&mut self, number: usize, arguments: &[&str]) -> Result<()> {
        let node = &mut self.nodes[number];
        if node.app.is_some() {
            return Ok(());
        }
        let mut command = command(self.spaces.as_ref(), number, &node.program);
        command.args(["--log", "info", "start", "--home"]).arg(&node.home);
        command.arg("--abci").arg(format!("unix://{}", node.socket.display()));
        command.args(["--rest", node.rest.trim_start_matches("http://"), "--rpc", &node.rpc]);
        command.args(["--grpc", "off"]).args(arguments);
        node.app = Some(spawn(command, &node.home.join(LOG))?);
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(&node.socket).is_err() {
            if begun.elapsed() > START || node.app_ended() {
                bail!("the application of validator {number} does not listen: {}", tail(&node.home.join(LOG)));
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Waits until a condition holds.
    pub(crate) fn wait_until(&self, what: &str, patience: Duration, holds: impl Fn(&Self) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !holds(self) {
            if begun.elapsed() > patience {
                bail!("{what}: not within {} s; {}", patience.as_secs(), self.tails());
            }
            sleep(POLL / 2);
        }
        Ok(())
    }

    /// The ends of the applications' logs.
    pub(crate) fn tails(&self) -> String {
        self.nodes.iter().map(|node| format!("node {}: {}\n", node.number, tail(&node.home.join(LOG)))).collect()
    }

    /// Starts the engine with further arguments.
    pub(crate) fn start_engine(&mut self, number: usize, arguments: &[&str]) -> Result<()> {
        let node = &mut self.nodes[number];
        if node.engine.is_some() {
            return Ok(());
        }
        let socket = node.between.as_ref().unwrap_or(&node.socket);
        let mut command = command(self.spaces.as_ref(), number, self.programs.engine(number));
        command.args(["start", "--home"]).arg(&node.home);
        command.args(["--proxy_app", &format!("unix://{}", socket.display())]).args(arguments);
        node.engine = Some(spawn(command, &node.home.join("cometbft.log"))?);
        Ok(())
    }

    /// Ends processes without a word, as `kill -9` and a loss of power do.
    pub(crate) fn kill(&mut self, number: usize, which: Which) {
        let node = &mut self.nodes[number];
        if which != Which::App {
            end(&mut node.engine);
        }
        if which != Which::Engine {
            end(&mut node.app);
        }
    }

    /// Starts a validator whose application will die in one of its next commits, and waits until it has.
    pub(crate) fn doom(&mut self, number: usize, commit: u64, when: &str, patience: Duration) -> Result<()> {
        self.kill(number, Which::Both);
        self.start_app(number, &["--die-in-commit", &commit.to_string(), "--die-when", when])?;
        self.start_engine(number, &[])?;
        let begun = Instant::now();
        while !self.nodes[number].app_ended() {
            if begun.elapsed() > patience {
                bail!("validator {number} has not died in its commit {commit} ({when})");
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// Runs a verb of the node, or else of its engine, over the home of a validator that is stopped.
    pub(crate) fn over(&self, number: usize, which: Which, arguments: &[&str]) -> Result<String> {
        let program = if which == Which::App { &self.programs.node } else { self.programs.engine(number) };
        let mut command = command(self.spaces.as_ref(), number, program);
        command.args(arguments).arg("--home").arg(&self.nodes[number].home).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("cannot start {}", program.display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if !output.status.success() {
            bail!("{} of validator {number}: {}", arguments.join(" "), text(&output.stderr));
        }
        Ok(text(&output.stdout))
    }

    /// Starts again whatever has ended: an engine ends by itself when its application has gone.
    pub(crate) fn revive(&mut self) -> Result<()> {
        for number in 0..self.nodes.len() {
            let node = &mut self.nodes[number];
            if node.engine.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_some())) {
                end(&mut node.engine);
            }
            if node.app_ended() {
                end(&mut node.app);
            }
            if self.nodes[number].app.is_none() {
                // An engine whose application has gone does not come to itself.
                end(&mut self.nodes[number].engine);
            }
            self.start(number)?;
        }
        Ok(())
    }

    /// Waits until these validators have executed a block.
    pub(crate) fn wait_for(&self, numbers: &[usize], height: u64, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        for &number in numbers {
            while self.nodes[number].height().unwrap_or_default() < height {
                if begun.elapsed() > patience {
                    let heights: Vec<_> = self.nodes.iter().map(Node::height).collect();
                    bail!(
                        "validator {number} is not at block {height} after {} s (heights {heights:?}); {}\n{}",
                        patience.as_secs(),
                        tail(&self.nodes[number].home.join(LOG)),
                        tail(&self.nodes[number].home.join("cometbft.log"))
                    );
                }
                sleep(POLL);
            }
        }
        Ok(())
    }

    /// The highest block that any validator has executed.
    pub(crate) fn top(&self) -> u64 {
        self.nodes.iter().filter_map(Node::height).max().unwrap_or_default()
    }

    /// The numbers of all validators.
    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.nodes.len()).collect()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for number in 0..self.nodes.len() {
            self.kill(number, Which::Both);
        }
    }
}

impl Node {
    /// A node that does not run yet.
    pub(crate) fn new(number: usize, home: PathBuf, program: PathBuf, rpc: String, rest: String) -> Self {
        let socket = home.join("abci.sock");
        Self { number, home, program, rpc, rest, socket, between: None, app: None, engine: None }
    }

    /// Speaks to it as clients do.
    pub(crate) fn client(&self) -> Result<Client> {
        Ok(Client::connect(&self.rpc, &self.rest)?)
    }

    /// The account of its operator.
    pub(crate) fn operator(&self) -> Result<String> {
        let words = std::fs::read_to_string(self.home.join("keys/operator.mnemonic"))?;
        Ok(Key::from_mnemonic(&words)?.address("aceso"))
    }

    /// Whether the application's log has a line with these words.
    pub(crate) fn logs(&self, words: &str) -> bool {
        let log = std::fs::read(self.home.join(LOG)).unwrap_or_default();
        String::from_utf8_lossy(&log).contains(words)
    }

    /// What the engine answers to a GET.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        ask(&self.rpc, path, Duration::from_secs(5))
    }

    /// The height of the application and its hash.
    pub(crate) fn state(&self) -> Option<(u64, String)> {
        let answer = self.get("abci_info").ok()?;
        let response = &answer["response"];
        let height = response["last_block_height"].as_str()?.parse().ok()?;
        Some((height, response["last_block_app_hash"].as_str()?.to_owned()))
    }

    /// The height of the application.
    pub(crate) fn height(&self) -> Option<u64> {
        self.state().map(|(height, _)| height)
    }

    /// The end of the application's log, once it has ended by itself.
    pub(crate) fn last_words(&mut self) -> Option<String> {
        self.app_ended().then(|| tail(&self.home.join(LOG)))
    }

    /// The processes that run: what each is, and its number.
    pub(crate) fn processes(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let of = |child: &Option<Child>, name| child.as_ref().map(|child| (name, child.id()));
        of(&self.app, "application").into_iter().chain(of(&self.engine, "engine"))
    }

    fn app_ended(&mut self) -> bool {
        self.app.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_some()))
    }
}

/// What an engine answers to a GET within a time.
pub(crate) fn ask(rpc: &str, path: &str, patience: Duration) -> Result<Value> {
    let agent: Agent =
        Agent::config_builder().timeout_global(Some(patience)).http_status_as_error(false).build().into();
    let text = agent.get(format!("{rpc}/{path}")).call()?.body_mut().read_to_string()?;
    let mut answer: Value = serde_json::from_str(&text)?;
    match answer.get_mut("result").map(Value::take) {
        Some(result) => Ok(result),
        None => bail!("{path}: {}", answer["error"]),
    }
}

fn command(spaces: Option<&Spaces>, number: usize, program: &Path) -> Command {
    spaces.map_or_else(|| Command::new(program), |spaces| spaces.command(number, program))
}

fn spawn(mut command: Command, log: &Path) -> Result<Child> {
    let file = File::options().create(true).append(true).open(log)?;
    let child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn();
    child.with_context(|| format!("cannot start {:?}", command.get_program()))
}

fn end(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The end of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(TAIL).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

//! The stage: a node in a temporary home, embedded or under a real CometBFT, started and ended here. Several validators are
//! in [`crate::validators`].

use std::{
    ffi::OsStr,
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use aceso_test_support::dev::{self, Endpoints};
use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// How long a node may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Milliseconds between two blocks under CometBFT: a network of one waits for nobody's votes.
const BLOCK_TIME: &str = "10";

/// A running node. Ends with its owner, unless it is kept.
pub(crate) struct Stage {
    /// What goes with the stage, if it has to.
    home: Option<TempDir>,
    path: PathBuf,
    pub(crate) children: Vec<Child>,
    pub(crate) endpoints: Endpoints,
    /// Homes of validators that do not register what they open with by themselves, and their operators' words.
    operators: Vec<(PathBuf, PathBuf)>,
}

impl Stage {
    /// A stage without processes yet.
    pub(crate) fn empty(
        home: Option<TempDir>,
        path: PathBuf,
        endpoints: Endpoints,
        operators: Vec<(PathBuf, PathBuf)>,
    ) -> Self {
        Self { home, path, children: Vec::new(), endpoints, operators }
    }

    /// An embedded chain of one validator: `aceso dev`.
    pub(crate) fn dev(
        node: &Path,
        home: Option<&Path>,
        chain_id: &str,
        funds: &[String],
        ui: Option<&Path>,
    ) -> Result<Self> {
        let (home, path) = folder(home)?;
        let chain = [OsStr::new("--chain-id"), OsStr::new(chain_id)];
        let funds = funds.iter().flat_map(|fund| [OsStr::new("--fund"), OsStr::new(fund)]);
        let (child, endpoints) = dev::start(node, &path, chain.into_iter().chain(funds).chain(page(ui)))?;
        let mut stage = Self::empty(home, path, endpoints, Vec::new());
        stage.children.push(child);
        Ok(stage)
    }

    /// One real CometBFT validator that drives `aceso start` over ABCI, operated by an account with these words.
    pub(crate) fn cometbft(
        (node, engine): (&Path, &Path),
        home: Option<&Path>,
        chain_id: &str,
        (operator, words): (&str, &str),
        funds: &[String],
        ui: Option<&Path>,
    ) -> Result<Self> {
        let (home, folder) = folder(home)?;
        let path = folder.join("node");
        let mut init = Command::new(node);
        init.args(["init", "--chain-id", chain_id, "--block-time", BLOCK_TIME, "--operator", operator]);
        init.arg("--home").arg(&path);
        init.args(funds.iter().flat_map(|fund| ["--fund", fund]));
        answered(init)?;
        let mut init = Command::new(engine);
        init.arg("init").arg("--home").arg(&path);
        answered(init)?;

        let [abci, rpc, p2p, rest] = free_ports()?;
        let mut app = Command::new(node);
        app.args(["start", "--home"]).arg(&path).args(["--abci", &format!("tcp://127.0.0.1:{abci}")]);
        app.args([
            "--rest",
            &format!("127.0.0.1:{rest}"),
            "--rpc",
            &format!("http://127.0.0.1:{rpc}"),
            "--grpc",
            "off",
        ]);
        app.args(page(ui));
        let app = spawn(app, &folder.join("node.log"))?;
        let file = folder.join("operator.words");
        std::fs::write(&file, words)?;
        let endpoints = Endpoints { rpc: format!("http://127.0.0.1:{rpc}"), rest: format!("http://127.0.0.1:{rest}") };
        let mut stage = Self::empty(home, folder, endpoints, vec![(path.clone(), file)]);
        stage.children.push(app);
        stage.wait_for_port(abci)?;

        let mut command = Command::new(engine);
        command.args(["start", "--home"]).arg(&path);
        command.args(["--proxy_app", &format!("tcp://127.0.0.1:{abci}")]);
        command.args(["--rpc.laddr", &format!("tcp://127.0.0.1:{rpc}")]);
        command.args(["--p2p.laddr", &format!("tcp://127.0.0.1:{p2p}")]);
        let engine = spawn(command, &stage.path.join("cometbft.log"))?;
        stage.children.push(engine);
        stage.wait_for_port(rpc)?;
        Ok(stage)
    }

    /// Registers the keys with which the validators' operators open what patients grant them. An embedded node does so by
    /// itself.
    pub(crate) fn register_openers(&self, node: &Path) -> Result<()> {
        for (home, words) in &self.operators {
            let mut command = Command::new(node);
            command.args(["opener", "register", "--home"]).arg(home).arg("--from").arg(words);
            command.args(["--node", &self.endpoints.rpc, "--rest", &self.endpoints.rest]);
            answered(command)?;
        }
        Ok(())
    }

    /// A folder that goes with the node.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the node run on after this process, and says which processes those are.
    pub(crate) fn keep(mut self) -> Vec<u32> {
        if let Some(home) = self.home.take() {
            let _ = home.keep();
        }
        std::mem::take(&mut self.children).iter().map(Child::id).collect()
    }

    pub(crate) fn wait_for_port(&mut self, port: u16) -> Result<()> {
        self.wait_for(&format!("port {port}"), || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    /// Waits until something listens at a place; no longer once a process has ended.
    pub(crate) fn wait_for(&mut self, place: &str, listens: impl Fn() -> bool) -> Result<()> {
        let start = Instant::now();
        while !listens() {
            let ended = self.children.iter_mut().any(|child| child.try_wait().is_ok_and(|status| status.is_some()));
            if ended || start.elapsed() > PATIENCE {
                bail!("nothing listens on {place}:\n{}", tails(&self.path));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The folder of a stage: the one that is wanted, or one that goes with the stage.
pub(crate) fn folder(wanted: Option<&Path>) -> Result<(Option<TempDir>, PathBuf)> {
    match wanted {
        Some(path) => {
            std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
            Ok((None, path.into()))
        }
        None => {
            let home = TempDir::new()?;
            let path = home.path().into();
            Ok((Some(home), path))
        }
    }
}

/// `--ui FOLDER`, where there is a page.
pub(crate) fn page(ui: Option<&Path>) -> impl Iterator<Item = &OsStr> {
    ui.into_iter().flat_map(|folder| [OsStr::new("--ui"), folder.as_os_str()])
}

pub(crate) fn spawn(mut command: Command, log: &Path) -> Result<Child> {
    let program = command.get_program().to_os_string();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?).spawn();
    child.with_context(|| format!("cannot start {}", program.display()))
}

/// What a program prints; an error where it fails.
pub(crate) fn answered(mut command: Command) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

/// Ports that were free a moment ago; all are held until the last is found, so that they differ.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// The ends of the logs in a folder.
fn tails(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut logs: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    logs.sort();
    let texts = logs.iter().filter_map(|log| std::fs::read_to_string(log).ok());
    let tails = texts
        .map(|text| text.lines().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n"));
    tails.collect::<Vec<_>>().join("\n")
}

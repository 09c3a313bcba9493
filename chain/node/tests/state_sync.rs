//! A node that joins a running chain by state sync, under a real CometBFT: two nodes on this machine, one validator.
//!
//! Needs CometBFT v0.38 (`cargo xtask cometbft`), in `ACESO_COMETBFT` or in the `tools` of the target directory:
//! `cargo xtask test --only state-sync` sees to both.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait, look at the clock and are told where CometBFT is")]

mod common;

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aceso_types::msg::{MsgRegisterBlob, Named};
use base64::{Engine, engine::general_purpose::STANDARD};
use common::{Node, Wallet, alice};
use serde_json::{Value, json};

const CHAIN: &str = "sync-1";
/// What everyone holds.
const BLOB: &[u8] = b"bytes that were registered before the snapshot";
/// How long anything may take: two processes start, the engine looks for snapshots for five seconds and more.
const PATIENCE: Duration = Duration::from_secs(120);

fn cometbft() -> PathBuf {
    if let Some(named) = std::env::var_os("ACESO_COMETBFT") {
        return named.into();
    }
    let beside = Path::new(env!("CARGO_BIN_EXE_aceso")).ancestors().nth(2).unwrap().join("tools/cometbft");
    assert!(beside.exists(), "{} is missing; install it with `cargo xtask cometbft`", beside.display());
    beside
}

/// The application and the engine of one node. The application's log is `app.log` in its home, the engine's
/// `engine.log`.
struct Full {
    node: Node,
    engine: Child,
    home: PathBuf,
    p2p: String,
}

impl Full {
    fn start(home: &Path, environment: &[(&str, String)]) -> Self {
        let listeners: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = listeners.iter().map(|one| one.local_addr().unwrap().port()).collect();
        drop(listeners);
        let rpc = format!("http://127.0.0.1:{}", ports[0]);
        let socket = format!("unix://{}", home.join("abci.sock").display());
        let app = Command::new(env!("CARGO_BIN_EXE_aceso"))
            .args([
                "start",
                "--rest",
                &format!("127.0.0.1:{}", ports[1]),
                "--rpc",
                &rpc,
                "--grpc",
                "off",
                "--log",
                "info",
            ])
            .args(["--abci", &socket, "--home"])
            .arg(home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(home.join("app.log")).unwrap())
            .spawn()
            .unwrap();
        let node = Node { child: app, rpc, rest: format!("http://127.0.0.1:{}", ports[1]), told: json!({}) };
        wait("the application's socket", || home.join("abci.sock").exists().then_some(()));
        let engine = Command::new(cometbft())
            .args(["start", "--proxy_app", &socket, "--rpc.laddr", &format!("tcp://127.0.0.1:{}", ports[0])])
            .args(["--p2p.laddr", &format!("tcp://127.0.0.1:{}", ports[2]), "--home"])
            .arg(home)
            .env("CMT_CONSENSUS_TIMEOUT_COMMIT", "200ms")
            .env("CMT_P2P_ALLOW_DUPLICATE_IP", "true")
            .env("CMT_P2P_ADDR_BOOK_STRICT", "false")
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(File::create(home.join("engine.log")).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { node, engine, home: home.into(), p2p: format!("127.0.0.1:{}", ports[2]) }
    }

    fn sync_info(&self) -> Option<Value> {
        Some(self.node.call("status", json!({})).ok()?["sync_info"].take())
    }

    fn height(&self) -> u64 {
        let info = self.sync_info().unwrap_or_default();
        info["latest_block_height"].as_str().and_then(|height| height.parse().ok()).unwrap_or(0)
    }

    fn logs(&self, line: &str) -> bool {
        std::fs::read_to_string(self.home.join("app.log")).unwrap().contains(line)
    }

    /// A row or an answer at a height.
    fn ask(&self, path: &str, data: &str, height: u64, prove: bool) -> Value {
        let params = json!({"path": path, "data": hex::encode(data), "height": height.to_string(), "prove": prove});
        self.node.call("abci_query", params).unwrap()["response"].take()
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        let _ = self.engine.kill();
        let _ = self.engine.wait();
        if std::thread::panicking() {
            for name in ["app.log", "engine.log"] {
                let text = std::fs::read_to_string(self.home.join(name)).unwrap_or_default();
                let lines: Vec<_> = text.lines().collect();
                eprintln!("{name} in {}:\n{}", self.home.display(), lines[lines.len().saturating_sub(60)..].join("\n"));
            }
        }
    }
}

fn wait<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn init(home: &Path) {
    let done = Command::new(cometbft()).args(["init", "--home"]).arg(home).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Uploads [`BLOB`] and registers it; answers its name.
fn register_blob(validator: &Full, wallet: &Wallet, number: u64, sequence: u64) -> String {
    let mut put = ureq::post(format!("{}/aceso/blobs/v1", validator.node.rest)).send(BLOB).unwrap();
    let told: Value = serde_json::from_str(&put.body_mut().read_to_string().unwrap()).unwrap();
    let cid = told["cid"].as_str().unwrap().to_owned();
    let message =
        MsgRegisterBlob { owner: wallet.address.clone(), cid: cid.clone(), size: BLOB.len() as u64, term: 100_000 };
    let tx = STANDARD.encode(wallet.sign(CHAIN, number, sequence, MsgRegisterBlob::TYPE_URL, &message));
    let sent = validator.node.call("broadcast_tx_commit", json!({ "tx": tx })).unwrap();
    assert_eq!(sent["tx_result"]["code"], 0, "{sent}");
    cid
}

#[test]
#[ignore = "needs CometBFT; run by `cargo xtask test --only state-sync`"]
fn a_node_joins_by_state_sync_and_follows() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("first"), directory.path().join("second"));
    let fund = alice(&first);
    let arguments = ["init", "--home", first.to_str().unwrap(), "--chain-id", CHAIN, "--fund", &fund];
    let (code, _, error) = common::run(&arguments);
    assert_eq!(code, 0, "{error}");
    std::fs::write(first.join("config/aceso.toml"), "snapshot_interval = 20").unwrap();
    init(&first);
    let validator = Full::start(&first, &[]);
    wait("block 3", || (validator.height() >= 3).then_some(()));
    let wallet = Wallet::open(&first.join("keys/alice.mnemonic"));
    let account = wallet.account(&validator.node).unwrap();
    let tx = STANDARD.encode(wallet.send(CHAIN, account.account_number, account.sequence));
    let sent = validator.node.call("broadcast_tx_commit", json!({ "tx": tx })).unwrap();
    assert_eq!(sent["tx_result"]["code"], 0, "{sent}");
    let held = register_blob(&validator, &wallet, account.account_number, account.sequence + 1);
    wait("block 43", || (validator.height() >= 43).then_some(()));
    assert!(validator.logs("snapshot taken"));

    // The second node has the genesis file, and a height with its hash from somebody that it trusts.
    std::fs::create_dir_all(second.join("config")).unwrap();
    std::fs::copy(first.join("config/genesis.json"), second.join("config/genesis.json")).unwrap();
    let peers = format!("blob_peers = [{:?}]", validator.node.rest);
    std::fs::write(second.join("config/aceso.toml"), peers).unwrap();
    init(&second);
    let trusted = validator.node.call("block", json!({"height": "10"})).unwrap();
    let name = Command::new(cometbft()).args(["show-node-id", "--home"]).arg(&first).output().unwrap();
    let name = String::from_utf8(name.stdout).unwrap();
    let began = Instant::now();
    let joined = Full::start(
        &second,
        &[
            ("CMT_STATESYNC_ENABLE", "true".into()),
            ("CMT_STATESYNC_RPC_SERVERS", format!("{0},{0}", validator.node.rpc)),
            ("CMT_STATESYNC_TRUST_HEIGHT", "10".into()),
            ("CMT_STATESYNC_TRUST_HASH", trusted["block_id"]["hash"].as_str().unwrap().into()),
            ("CMT_STATESYNC_TRUST_PERIOD", "168h0m0s".into()),
            ("CMT_STATESYNC_DISCOVERY_TIME", "5s".into()),
            ("CMT_P2P_PERSISTENT_PEERS", format!("{}@{}", name.trim(), validator.p2p)),
        ],
    );
    let there = validator.height();
    wait("the validator's height", || (joined.height() >= there).then_some(()));
    println!("joined after {:.1} s", began.elapsed().as_secs_f32());
    assert!(joined.logs("snapshot restored"));
    let info = joined.sync_info().unwrap();
    let earliest: u64 = info["earliest_block_height"].as_str().unwrap().parse().unwrap();
    assert!(earliest > 15, "{info}");

    let height = joined.height() - 1;
    for (path, data, prove) in [("/store/chain/key", "settings", true), ("/store/chain/key", "time", false)] {
        let answer = joined.ask(path, data, height, prove);
        assert_eq!((&answer["code"], answer["value"].is_string()), (&json!(0), true), "{answer}");
        assert_eq!(answer, validator.ask(path, data, height, prove));
    }
    assert_eq!(wallet.account(&joined.node).unwrap().sequence, 2);
    // Bytes are no part of a snapshot: the node fetches what it should hold.
    let path = format!("{}/ipfs/{held}", joined.node.rest);
    let fetched = wait("the blob", || ureq::get(&path).call().ok());
    assert_eq!(fetched.into_body().read_to_vec().unwrap(), BLOB);
    let hash = |node: &Full| node.node.call("commit", json!({"height": height.to_string()})).unwrap();
    assert_eq!(hash(&joined)["signed_header"], hash(&validator)["signed_header"]);
    // What came before the snapshot is not here, and says so.
    let before = joined.ask("/store/chain/key", "settings", 2, false);
    assert!(before["log"].as_str().unwrap().contains("height 2 is pruned"), "{before}");
    // It follows.
    wait("three more blocks", || (joined.height() >= there + 3).then_some(()));
}

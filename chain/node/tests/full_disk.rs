//! A disk on which there is no room, or nothing may be written: a sentence each time, and nothing is lost by it.
//!
//! The disk is a small tmpfs in a mount namespace of its own. Where namespaces are not allowed, a limit on the size of
//! files (`ulimit -f`) takes its place; one of the tests always goes that way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test says to its own copy where the small disk is")]

mod common;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, atomic::AtomicBool},
};

use aceso_blobs::BlobStore;
use aceso_types::msg::{MsgRegisterBlob, Named};
use base64::{Engine, engine::general_purpose::STANDARD};
use common::{
    Ended, Node, Wallet, aceso, alice, dev,
    load::{assert_all_there, assert_nothing_lost, load},
    run,
};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Says to the copy of a test where its small disk is.
const INSIDE: &str = "ACESO_TEST_SMALL_DISK";
/// Room on the small disk.
const DISK_KIB: u64 = 24 << 10;
/// Room that is left when it is full for a large blob: some blocks of a few transactions.
const LEFT: u64 = 96 << 10;
/// Longest file under the limit: beyond what the block store has at once.
const FILE_BYTES: u64 = 1_200_000;

/// Where a test runs.
enum Place {
    /// Here, with a small disk at this path.
    Inside(PathBuf),
    /// It has run, in a copy of this process.
    Ran,
    /// Namespaces are not for this user.
    Forbidden,
}

/// Runs the test of this name again, in a namespace in which a small disk is mounted.
fn on_a_small_disk(test: &str) -> Place {
    if let Some(path) = env::var_os(INSIDE) {
        return Place::Inside(path.into());
    }
    match Command::new("unshare").args(["-rm", "true"]).stderr(Stdio::null()).status() {
        Err(e) => panic!("unshare cannot be started ({e}); Debian: `apt-get install util-linux`"),
        Ok(status) if !status.success() => return Place::Forbidden,
        Ok(_) => {}
    }
    let disk = tempfile::tempdir().unwrap();
    let script = format!("mount -t tmpfs -o size={DISK_KIB}k small \"$0\" && exec \"$@\"");
    let ran = Command::new("unshare")
        .args(["-rm", "sh", "-c", &script])
        .arg(disk.path())
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, disk.path())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}{}", text(&ran.stdout), text(&ran.stderr));
    assert!(text(&ran.stdout).contains("1 passed"), "the copy ran another test: {}", text(&ran.stdout));
    Place::Ran
}

/// A disk that can be full under a running node.
enum Disk {
    /// Of its own.
    Small(PathBuf),
    /// One with room, and nodes whose files may not grow.
    Limited(TempDir),
}

impl Disk {
    fn home(&self) -> PathBuf {
        match self {
            Self::Small(path) => path.join("home"),
            Self::Limited(directory) => directory.path().join("home"),
        }
    }

    /// Starts a node that may come to be without room, or is so from the start.
    fn start(&self, full: bool, more: &[&str]) -> Result<Node, Ended> {
        let home = self.home();
        let arguments = dev(&home, more);
        match self {
            Self::Small(_) => Node::run(aceso(&arguments)),
            Self::Limited(_) => {
                // The signal of a file that may not grow would end the node; ignored, it is an error of the write.
                let limit = if full { "ulimit -S -f 0;" } else { "" };
                let mut command = Command::new("sh");
                command.args(["-c", &format!("trap '' XFSZ; {limit} exec \"$0\" \"$@\"")]);
                command.arg(env!("CARGO_BIN_EXE_aceso")).args(arguments);
                Node::run({
                    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
                    command
                })
            }
        }
    }

    /// Leaves some room only.
    fn fill(&self, node: &Node, left: u64) {
        match self {
            Self::Small(path) => {
                // Never all of it: what the node still writes of its last block must find its place.
                let stat = rustix::fs::statvfs(path).unwrap();
                let room = stat.f_bavail * stat.f_frsize;
                fs::write(path.join("ballast"), vec![7; usize::try_from(room - left).unwrap()]).unwrap();
            }
            Self::Limited(_) => {
                let pid = Pid::from_child(&node.child);
                let limit = Rlimit { current: Some(FILE_BYTES), maximum: None };
                prlimit(Some(pid), Resource::Fsize, limit).unwrap();
            }
        }
    }

    /// Makes room again.
    fn free(&self) {
        if let Self::Small(path) = self {
            fs::remove_file(path.join("ballast")).unwrap();
        }
    }
}

/// Puts a blob: status and answer.
fn put(node: &Node, bytes: &[u8]) -> (u16, Value) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.post(format!("{}/aceso/blobs/v1", node.rest)).send(bytes).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
}

/// Registers a blob, so that it is kept; the transaction's hash.
fn register(node: &Node, wallet: &Wallet, cid: &Value, size: usize) -> String {
    let cid = cid.as_str().unwrap().to_owned();
    let message = MsgRegisterBlob { owner: wallet.address.clone(), cid, size: size as u64, term: 1_000_000 };
    let (account, chain_id) = (wallet.account(node).unwrap(), node.told["chain_id"].as_str().unwrap());
    let tx = wallet.sign(chain_id, account.account_number, account.sequence, MsgRegisterBlob::TYPE_URL, &message);
    let answer = node.call("broadcast_tx_commit", json!({"tx": STANDARD.encode(&tx)})).unwrap();
    assert_eq!(answer["tx_result"]["code"], 0, "{answer}");
    // An empty block comes behind it, which must not find the disk full: the node would end over it.
    let number = |height: &Value| height.as_str().unwrap().parse::<u64>().unwrap();
    while number(&node.call("status", json!({})).unwrap()["sync_info"]["latest_block_height"])
        <= number(&answer["height"])
    {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    answer["hash"].as_str().unwrap().into()
}

/// The store of a home that no node is using holds these bytes.
fn assert_stored(home: &Path, cid: &Value, bytes: &[u8]) {
    let store = BlobStore::open(&home.join("data/blobs"), aceso_blobs::Options::default()).unwrap();
    assert!(store.read(&cid.as_str().unwrap().parse().unwrap(), u64::MAX).unwrap() == bytes);
}

/// It ended with a sentence that says what to do.
fn assert_full(ended: &Ended) {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let last = ended.said.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains("free some"), "{ended:?}");
    assert!(!ended.said.contains("panicked"), "{ended:?}");
}

fn scenario(disk: &Disk) {
    let home = disk.home();
    let fund = alice(&home);
    let wallet = Wallet::open(&home.join("keys/alice.mnemonic"));
    let committed = Mutex::new(Vec::new());
    let sending = || AtomicBool::new(false);

    let node = disk.start(false, &["--fund", &fund]).unwrap();
    let small: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let (status, kept) = put(&node, &small);
    assert_eq!(status, 200, "{kept}");
    committed.lock().unwrap().push(register(&node, &wallet, &kept["cid"], small.len()));

    // A blob that does not fit is refused.
    disk.fill(&node, LEFT);
    let large: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let (status, refused) = put(&node, &large);
    assert_eq!((status, &refused["code"]), (507, &json!(8)), "{refused}");
    assert!(refused["message"].as_str().unwrap().starts_with("no space left to write "), "{refused}");

    // Blocks go on as long as they fit; then the node ends.
    load(&node, &wallet, &committed, &sending());
    assert_full(&node.end());
    assert_stored(&home, &kept["cid"], &small);

    // Started again it says the same, at once or with the next block.
    match disk.start(true, &[]) {
        Err(ended) => assert_full(&ended),
        Ok(node) => {
            assert_all_there(&node, &committed.lock().unwrap());
            load(&node, &wallet, &committed, &sending());
            assert_full(&node.end());
        }
    }

    // With room again everything is there and everything works.
    disk.free();
    let node = disk.start(false, &[]).unwrap();
    assert_all_there(&node, &committed.lock().unwrap());
    let (status, stored) = put(&node, &large);
    assert_eq!(status, 200, "{stored}");
    assert_eq!(node.stop(), 0);
    assert_stored(&home, &kept["cid"], &small);
    assert_stored(&home, &stored["cid"], &large);
    assert_nothing_lost(&home, &wallet, &committed.into_inner().unwrap());
}

#[test]
fn a_full_disk_is_a_sentence_and_loses_nothing() {
    match on_a_small_disk("a_full_disk_is_a_sentence_and_loses_nothing") {
        Place::Inside(path) => scenario(&Disk::Small(path)),
        Place::Ran => {}
        Place::Forbidden => scenario(&Disk::Limited(tempfile::tempdir().unwrap())),
    }
}

#[test]
fn files_that_may_not_grow_are_a_sentence_and_lose_nothing() {
    scenario(&Disk::Limited(tempfile::tempdir().unwrap()));
}

/// Every verb that writes says what it cannot write and what to do.
fn assert_refused(home: &Path) {
    let home = home.to_str().unwrap();
    let verbs: [&[&str]; 4] = [
        &["dev", "--home", home, "--rpc", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--grpc", "off"],
        &["start", "--home", home, "--abci", "tcp://127.0.0.1:0", "--rest", "127.0.0.1:0", "--grpc", "off"],
        &["init", "--home", home],
        &["keys", "add", "bob", "--keyring-backend", "test", "--home", home],
    ];
    for verb in verbs {
        let (code, out, error) = run(verb);
        assert_eq!((code, out.as_str(), error.lines().count()), (1, "", 1), "{verb:?}: {error}");
        assert!(error.starts_with("error: cannot ") && error.contains(home), "{verb:?}: {error}");
        assert!(error.trim_end().ends_with("; choose a --home that you may write to"), "{verb:?}: {error}");
    }
}

#[test]
fn a_home_that_cannot_be_written_is_a_sentence() {
    // Nobody makes directories there, whoever he is.
    assert_refused(Path::new("/sys/kernel/aceso"));
    let begin = |home: &Path| {
        alice(home);
        let (code, _, error) = run(&["init", "--home", home.to_str().unwrap()]);
        assert_eq!(code, 0, "{error}");
    };
    match on_a_small_disk("a_home_that_cannot_be_written_is_a_sentence") {
        Place::Inside(path) => {
            let home = path.join("home");
            begin(&home);
            let closed = Command::new("mount").args(["-o", "remount,ro"]).arg(&path).status().unwrap();
            assert!(closed.success());
            assert_refused(&home);
        }
        Place::Ran => {}
        Place::Forbidden if rustix::process::geteuid().is_root() => {
            // The rights of a directory do not stop this user, and mounting is not allowed.
        }
        Place::Forbidden => {
            let directory = tempfile::tempdir().unwrap();
            let home = directory.path().join("home");
            begin(&home);
            use std::os::unix::fs::PermissionsExt;
            for closed in [home.join("keys"), home.join("LOCK"), home.clone()] {
                fs::set_permissions(closed, fs::Permissions::from_mode(0o500)).unwrap();
            }
            assert_refused(&home);
            fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        }
    }
}

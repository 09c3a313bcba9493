//! Worker processes beside a real node, and what the operator has of opener keys.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

mod common;

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Child,
    time::{Duration, Instant},
};

use common::{Node, aceso, run};
use serde_json::Value;

fn configure(home: &Path, text: &str) {
    fs::create_dir_all(home.join("config")).unwrap();
    fs::write(home.join("config/aceso.toml"), text).unwrap();
}

fn refused(arguments: &[&str]) -> String {
    let (code, _, error) = run(arguments);
    assert_eq!(code, 1, "{error}");
    error
}

/// Starts a worker process and waits for its line.
fn worker(home: &Path, more: &[&str]) -> (Child, Value) {
    let mut arguments = vec!["worker", "--json", "--home", home.to_str().unwrap()];
    arguments.extend(more);
    let mut child = aceso(&arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

/// Waits until so many lanes of worker processes are connected.
fn connected(node: &Node, want: u32) {
    let begun = Instant::now();
    let line = format!("aceso_sealed_processes {want}");
    loop {
        let page = ureq::get(format!("{}/metrics", node.rest)).call().unwrap().body_mut().read_to_string().unwrap();
        if page.lines().any(|one| one == line) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no {line} in\n{page}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn processes_come_and_go_and_find_the_node_again() {
    let home = tempfile::tempdir().unwrap();
    configure(home.path(), "worker_threads = 0\nworker_socket = \"w.sock\"\n");
    let node = Node::start(home.path(), &[]);
    let (mut first, told) = worker(home.path(), &["--threads", "2"]);
    assert_eq!((&told["threads"], &told["epochs"][0]), (&Value::from(2), &Value::from(0)));
    connected(&node, 2);
    let keys = tempfile::tempdir().unwrap();
    fs::create_dir_all(keys.path().join("config")).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(home.path().join("config/opener"))
        .arg(keys.path().join("config"))
        .status();
    assert!(copied.unwrap().success());
    let socket = home.path().join("w.sock");
    let (mut second, _) = worker(keys.path(), &["--socket", socket.to_str().unwrap()]);
    connected(&node, 3);
    second.kill().unwrap();
    second.wait().unwrap();
    connected(&node, 2);
    assert_eq!(node.stop(), 0);
    let node = Node::start(home.path(), &[]);
    connected(&node, 2);
    first.kill().unwrap();
    first.wait().unwrap();
    connected(&node, 0);
    assert_eq!(node.stop(), 0);
}

#[test]
fn a_home_has_an_opener_key_and_its_operator_an_account() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_str().unwrap();
    let node = Node::start(home.path(), &[]);
    assert_eq!(node.stop(), 0);
    let (code, shown, _) = run(&["opener", "show", "--home", path, "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, shown["openers"][0]["epoch"].as_str()), (0, Some("0")));
    assert_eq!(shown["openers"][0]["key"].as_str().unwrap().len(), 64);
    for secret in ["config/opener/00000000000000000000.json", "keys/operator.mnemonic"] {
        assert_eq!(fs::metadata(home.path().join(secret)).unwrap().permissions().mode() & 0o777, 0o600, "{secret}");
    }
    let file = fs::read_to_string(home.path().join("config/genesis.json")).unwrap();
    let genesis: Value = serde_json::from_str(&file).unwrap();
    let operator = genesis["app_state"]["attesters"][0]["operator"].as_str().unwrap();
    let (_, account, _) = run(&["keys", "show", "operator", "--home", path, "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&account).unwrap()["address"], operator);
    // Started again it is the same chain.
    assert_eq!(Node::start(home.path(), &[]).stop(), 0);
}

#[test]
fn a_worker_that_could_do_nothing_says_why() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_str().unwrap();
    let error = refused(&["worker", "--home", path]);
    assert!(error.contains("worker_socket") && error.contains("--socket"), "{error}");
    let error = refused(&["worker", "--home", path, "--socket", "w.sock"]);
    assert!(error.contains("holds no opener key"), "{error}");
    configure(home.path(), &format!("worker_socket = {:?}\n", "x".repeat(200)));
    let error = refused(&common::dev(home.path(), &[]));
    assert!(error.contains("worker_socket") && error.contains("107 bytes"), "{error}");
}

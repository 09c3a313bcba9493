//! The command line as scripts and people meet it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

mod common;

use common::{Node, alice, run};
use serde_json::Value;

fn refused(arguments: &[&str]) -> String {
    let (code, out, error) = run(arguments);
    assert_eq!((code, out.as_str()), (1, ""), "{arguments:?}: {error}");
    let line = error.lines().last().unwrap().to_owned();
    assert!(line.starts_with("error: "), "{error}");
    line
}

#[test]
fn help_has_examples() {
    for verb in [vec![], vec!["dev"], vec!["init"], vec!["start"], vec!["keys"], vec!["model"], vec!["blob"]] {
        let mut arguments = verb.clone();
        arguments.push("--help");
        let (code, out, _) = run(&arguments);
        assert_eq!(code, 0);
        assert!(out.contains("Example"), "{verb:?}");
    }
    assert_eq!(run(&["nothing"]).0, 2);
}

#[test]
fn keys_are_kept() {
    let home = tempfile::tempdir().unwrap();
    let at = ["--home", home.path().to_str().unwrap()];
    let (_, told, _) = run(&["keys", "add", "alice", at[0], at[1], "--json"]);
    let alice: Value = serde_json::from_str(&told).unwrap();
    assert!(alice["address"].as_str().unwrap().starts_with("aceso1"));
    assert_eq!(alice["encrypted"], false);
    let file = alice["file"].as_str().unwrap();
    let (_, told, _) = run(&["keys", "recover", "same", "--from", file, at[0], at[1], "--json"]);
    let same: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(same["address"], alice["address"]);
    let (_, told, _) = run(&["keys", "list", at[0], at[1], "--json", "--prefix", "cosmos"]);
    let all: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(all["keys"].as_array().unwrap().len(), 2);
    assert!(all["keys"][0]["address"].as_str().unwrap().starts_with("cosmos1"));
    assert!(refused(&["keys", "add", "alice", at[0], at[1]]).contains("exists"));
    assert!(refused(&["keys", "show", "bob", at[0], at[1]]).contains("those of this home: alice, same"));
    assert!(refused(&["keys", "recover", "bob", at[0], at[1]]).contains("24 words"));
}

#[test]
fn a_file_has_the_name_that_it_has_everywhere() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hello world").unwrap();
    let (code, told, _) = run(&["blob", "stat", file.path().to_str().unwrap(), "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(code, 0);
    assert_eq!(told["cid"], "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
    assert_eq!(told["size"], "11");
    assert!(refused(&["blob", "stat", "/nowhere"]).contains("cannot read /nowhere"));
}

#[test]
fn models_are_refused_by_name() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{}").unwrap();
    let path = file.path().to_str().unwrap();
    assert!(refused(&["model", "check", path, "--manifest", path]).contains("is not a manifest"));
    assert!(refused(&["model", "check", path, "--manifest", "/nowhere"]).contains("cannot read /nowhere"));
}

#[test]
fn a_home_begins_like_cometbft_wants_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_str().unwrap();
    let (code, told, error) = run(&["init", "--home", path, "--chain-id", "clinic-1", "--json"]);
    assert_eq!(code, 0, "{error}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["chain_id"], "clinic-1");
    for file in ["genesis.json", "priv_validator_key.json", "attest_key.json"] {
        assert!(home.path().join("config").join(file).is_file(), "{file}");
    }
    assert!(home.path().join("data/priv_validator_state.json").is_file());
    let other = refused(&["init", "--home", path, "--chain-id", "clinic-2"]);
    assert!(other.contains("whose id is clinic-1, not clinic-2"), "{other}");
    let (_, told, _) = run(&["init", "--home", path, "--chain-id", "clinic-2", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["ok"], false);
}

#[test]
fn one_node_per_home_and_per_port() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_str().unwrap();
    let fund = alice(home.path());
    let node = Node::start(home.path(), &["--fund", &fund]);
    for verb in [vec!["dev", "--rpc", "127.0.0.1:0"], vec!["start", "--abci", "tcp://127.0.0.1:0"], vec!["init"]] {
        let rest = if verb[0] == "init" { vec![] } else { vec!["--rest", "127.0.0.1:0"] };
        let second = refused(&[verb, rest, vec!["--home", path]].concat());
        assert!(second.contains("another node is using") && second.contains(path), "{second}");
    }
    let other = tempfile::tempdir().unwrap();
    let other = other.path().to_str().unwrap();
    let taken = |url: &str| url.strip_prefix("http://").unwrap().to_owned();
    let (rpc, rest) = (taken(&node.rpc), taken(&node.rest));
    for (flag, address, ports) in [
        ("--rpc", &rpc, ["--rpc", &rpc, "--rest", "127.0.0.1:0"]),
        ("--rest", &rest, ["--rpc", "127.0.0.1:0", "--rest", &rest]),
    ] {
        let occupied = refused(&[&["dev", "--home", other][..], &ports].concat());
        let said = format!("error: {flag} {address} is in use; stop the other program or choose another port");
        assert!(occupied.starts_with(&said), "{occupied}");
    }
    // The first of these has a genesis by now, so that REST is served beside the application too.
    let occupied = refused(&["start", "--home", other, "--abci", &format!("tcp://{rpc}"), "--rest", "127.0.0.1:0"]);
    assert!(occupied.starts_with("error: cannot listen at tcp://127.0.0.1:"), "{occupied}");
    assert!(occupied.ends_with("is another node running? choose another --abci"), "{occupied}");
    let occupied = refused(&["start", "--home", other, "--abci", "tcp://127.0.0.1:0", "--rest", &rest]);
    assert!(occupied.starts_with(&format!("error: --rest {rest} is in use")), "{occupied}");
    let sockets = tempfile::tempdir().unwrap();
    let socket = sockets.path().join("abci.sock");
    let _listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let occupied = refused(&["start", "--home", other, "--abci", &format!("unix://{}", socket.display())]);
    assert!(occupied.starts_with(&format!("error: cannot listen at unix://{}", socket.display())), "{occupied}");
    assert_eq!(node.stop(), 0);

    let grpc = Node::start(home.path(), &["--grpc", "127.0.0.1:0"]);
    assert!(grpc.told["grpc"].is_null());
    assert_eq!(grpc.stop(), 0);
    let start = refused(&["start", "--home", path]);
    assert!(start.contains("belongs to an embedded chain"), "{start}");
    let ui = refused(&["dev", "--home", path, "--ui", "/nowhere"]);
    assert!(ui.contains("holds no index.html"), "{ui}");
    assert!(refused(&["start", "--home", path, "--abci", "nowhere"]).contains("is not tcp://HOST:PORT"));
    assert!(refused(&["dev", "--home", path, "--rpc", "nowhere"]).contains("is not HOST:PORT"));
}

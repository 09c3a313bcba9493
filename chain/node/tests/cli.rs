//! The command line as scripts and people meet it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]

mod common;

use base64::{Engine, engine::general_purpose::STANDARD};
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
    for verb in ["", "dev init genesis start keys tx query completions model sealed authz blob snapshot status rollback prune compact export"]
        .into_iter()
        .flat_map(|verbs| verbs.split(' '))
    {
        let (code, out, _) = run(&[verb, "--help"].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>());
        assert_eq!(code, 0);
        assert!(out.contains("Example"), "{verb:?}");
    }
    assert_eq!(run(&["nothing"]).0, 2);
}

#[test]
fn keys_are_kept() {
    let home = tempfile::tempdir().unwrap();
    let at = ["--home", home.path().to_str().unwrap()];
    // Who says nothing else keeps it encrypted, and nobody is at the terminal to choose a passphrase.
    let unsaid = refused(&["keys", "add", "alice", at[0], at[1]]);
    assert!(unsaid.contains("--keyring-backend test") && unsaid.contains("ACESO_PASSPHRASE"), "{unsaid}");
    let plain = ["--keyring-backend", "test", "--json"];
    let (_, told, _) = run(&[&["keys", "add", "alice", at[0], at[1]], &plain[..]].concat());
    let alice: Value = serde_json::from_str(&told).unwrap();
    assert!(alice["address"].as_str().unwrap().starts_with("aceso1"));
    assert_eq!(alice["encrypted"], false);
    let file = alice["file"].as_str().unwrap();
    let (_, told, _) = run(&[&["keys", "recover", "same", "--from", file, at[0], at[1]], &plain[..]].concat());
    let same: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(same["address"], alice["address"]);
    let (_, told, _) = run(&["keys", "list", at[0], at[1], "--json", "--prefix", "cosmos"]);
    let all: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(all["keys"].as_array().unwrap().len(), 2);
    assert!(all["keys"][0]["address"].as_str().unwrap().starts_with("cosmos1"));
    assert!(refused(&["keys", "add", "alice", at[0], at[1], "--keyring-backend", "test"]).contains("exists"));
    assert!(refused(&["keys", "show", "bob", at[0], at[1]]).contains("those of this home: alice, same"));
    assert!(refused(&["keys", "recover", "bob", at[0], at[1]]).contains("24 words"));
    // Encrypted by default, where a passphrase is said.
    let words = home.path().join("passphrase");
    std::fs::write(&words, "correct horse").unwrap();
    let said = ["--passphrase-file", words.to_str().unwrap(), "--json"];
    let (_, told, error) = run(&[&["keys", "add", "carol", at[0], at[1]], &said[..]].concat());
    let carol: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{error}"));
    assert!(carol["encrypted"] == true && carol["file"].as_str().unwrap().ends_with("carol.key"), "{carol}");
}

#[test]
fn public_keys_and_keys_of_several_are_kept() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let told = |home: &tempfile::TempDir, arguments: &[&str]| {
        let at = ["--home", home.path().to_str().unwrap(), "--json"];
        let (code, told, error) = run(&[&["keys"], arguments, &at[..]].concat());
        assert_eq!(code, 0, "{error}");
        serde_json::from_str::<Value>(&told).unwrap()
    };
    let failed =
        |arguments: &[&str]| refused(&[&["keys"], arguments, &["--home", home.path().to_str().unwrap()]].concat());
    for name in ["alice", "bob", "carol"] {
        told(&home, &["add", name, "--keyring-backend", "test"]);
    }
    let add = |name: &str, names: &str, more: &[&str]| {
        told(&home, &[&["add", name, "--multisig", names, "--multisig-threshold", "2"], more].concat())
    };
    let group = add("group", "alice,bob,carol", &[]);
    assert_eq!(group["pubkey"]["@type"], "/cosmos.crypto.multisig.LegacyAminoPubKey");
    assert_eq!((&group["pubkey"]["threshold"], &group["encrypted"]), (&2.into(), &false.into()));
    // The order of names makes no other account unless it is asked for.
    assert_eq!(add("same", "carol,alice,bob", &[])["address"], group["address"]);
    let other_order = [("one", "alice,bob,carol"), ("two", "carol,bob,alice")];
    let [one, two] = other_order.map(|(name, names)| add(name, names, &["--nosort"])["address"].clone());
    assert_ne!(one, two);
    // A public key goes to somebody else, who makes the same account of it.
    for name in ["alice", "bob", "carol"] {
        let (_, json, _) = run(&["keys", "show", name, "--pubkey", "--home", home.path().to_str().unwrap()]);
        let kept = told(&other, &["add", name, "--pubkey", json.trim()]);
        assert_eq!(kept["address"], told(&home, &["show", name])["address"]);
    }
    let there = told(&other, &["add", "group", "--multisig", "alice,bob,carol", "--multisig-threshold", "2"]);
    assert_eq!(there["address"], group["address"]);
    for (arguments, words) in [
        (&["add", "x", "--multisig", "alice,dora"][..], "there is no key named dora"),
        (&["add", "x", "--multisig", "alice,bob", "--multisig-threshold", "3"], "3 of 2 keys have to sign"),
        (&["add", "x", "--multisig", "alice,bob", "--multisig-threshold", "0"], "0 of 2 keys have to sign"),
        (&["add", "group", "--multisig", "alice,bob"], "exists"),
        (&["add", "x", "--pubkey", "{}"], "is no public key"),
        (&["export", "group", "--out", "/nowhere"], "is a public key alone"),
    ] {
        let refused = failed(arguments);
        assert!(refused.contains(words), "{arguments:?}: {refused}");
    }
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

const GOLDEN: &str = "../../sdk/verify/tests/golden";

#[test]
fn receipts_of_both_kinds_are_checked_with_what_they_need() {
    let golden = |name: &str| format!("{GOLDEN}/{name}");
    let (light, trust) = (golden("read.receipt"), golden("trust.json"));
    let (compact, roots) = (golden("read.compact"), golden("roots.json"));
    let told = |receipt: &str, trust: &str| -> Value {
        let (code, out, error) = run(&["read", "verify", receipt, "--trust", trust, "--json"]);
        assert_eq!(code, 0, "{error}");
        serde_json::from_str(&out).unwrap()
    };
    assert_eq!(told(&light, &trust)["kind"], "light");
    let read = told(&compact, &roots);
    assert_eq!((&read["kind"], &read["signed"], &read["power"]), (&"compact".into(), &30.into(), &40.into()));
    let (_, out, _) = run(&["read", "verify", &compact, "--trust", &roots]);
    assert!(
        out.starts_with("verified: signed by 3 of a committee of 4") && out.contains("pneumonia is present"),
        "{out}"
    );

    let verify = |receipt: &str, trust: &str| refused(&["read", "verify", receipt, "--trust", trust]);
    assert!(verify(&compact, &trust).contains("is checked with a roots file"));
    assert!(verify(&light, &roots).contains("open read, which has no committee"));
    assert!(verify(&roots, &roots).contains("does not decode"));
    let demanding = ["read", "verify", &compact, "--trust", &roots, "--members-min", "5"];
    assert!(refused(&demanding).contains("has 4 members, and 5 are demanded"));
    let misplaced = ["read", "verify", &light, "--trust", &trust, "--power-min-bps", "5000"];
    assert!(refused(&misplaced).contains("demands on a committee"));
    assert!(refused(&["read", "compact", &light, "--out", "/nowhere/x"]).contains("open read"));
}

const MODEL: &str = "../../models/pneumonia";

#[test]
fn a_check_prints_the_digest() {
    let (onnx, manifest) = (format!("{MODEL}/model.onnx"), format!("{MODEL}/manifest.json"));
    let want: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    let (_, told, error) = run(&["model", "check", &onnx, "--manifest", &manifest, "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{error}"));
    assert_eq!(told["onnx"]["digest"], want["onnx"]["digest"]);
    let (_, told, _) = run(&["model", "check", &onnx, "--manifest", &manifest]);
    assert!(told.contains(want["onnx"]["digest"].as_str().unwrap()), "{told}");
}

#[test]
fn an_image_is_not_registered_without_a_modality() {
    let picture = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAADElEQVR4nGNgoA4AAABIAAEuuDx+AAAAAElFTkSuQmCC";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), STANDARD.decode(picture).unwrap()).unwrap();
    let path = file.path().to_str().unwrap();
    let told = refused(&["image", "register", path, "--from", "/nowhere"]);
    assert!(told.contains("a registration cannot be changed: say --modality"), "{told}");
    // With it the next thing is looked at.
    let told = refused(&["image", "register", path, "--modality", "DX", "--from", "/nowhere", "--node", "127.0.0.1:1"]);
    assert!(!told.contains("--modality"), "{told}");
}

#[test]
fn one_file_serves_many_models_and_ports_are_told_apart() {
    let home = tempfile::tempdir().unwrap();
    let fund = alice(home.path());
    let words = fund.split('=').next().unwrap();
    let node = Node::start(home.path(), &["--fund", &fund]);
    let onnx = format!("{MODEL}/model.onnx");
    let mut manifest: Value =
        serde_json::from_slice(&std::fs::read(format!("{MODEL}/manifest.json")).unwrap()).unwrap();
    let file = home.path().join("manifest.json");
    let mut register = |name: &str| {
        manifest["name"] = name.into();
        std::fs::write(&file, manifest.to_string()).unwrap();
        let manifest = file.to_str().unwrap();
        let at = ["--node", node.rpc.as_str(), "--rest", node.rest.as_str(), "--json"];
        let (_, told, error) =
            run(&[&["model", "register", &onnx, "--manifest", manifest, "--from", words], &at[..]].concat());
        let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{error}"));
        assert_eq!(told["ok"], true, "{told}");
        told["model"].as_str().unwrap().to_owned()
    };
    assert_ne!(register("one"), register("another"));
    let told = refused(&["query", "status", "--node", &node.rest]);
    assert!(told.contains(&format!("{} is no RPC port", node.rest)), "{told}");
    assert_eq!(node.stop(), 0);
}

#[test]
fn sealed_records_are_asked_for_and_their_refusals_told() {
    let home = tempfile::tempdir().unwrap();
    let fund = alice(home.path());
    let words = fund.split('=').next().unwrap();
    let node = Node::start(home.path(), &["--fund", &fund]);
    let at = ["--node", node.rpc.as_str(), "--rest", node.rest.as_str()];
    let asked = |arguments: &[&str]| run(&[&["sealed"], arguments, &at[..], &["--json"]].concat());
    for none in [&["records", "aceso1nobody"][..], &["grants", "--record", "1"], &["reviews", "1"]] {
        let (code, told, error) = asked(none);
        assert_eq!((code, told.trim()), (0, "[]"), "{none:?}: {error}");
    }
    assert_eq!(asked(&["grants"]).0, 2);
    let signed = |arguments: &[&str]| refused(&[&["sealed"], arguments, &["--from", words], &at[..]].concat());
    let told = signed(&["revoke", "aceso1nobody"]);
    assert!(told.contains("aceso1nobody is no grant, such as aceso1…/3"), "{told}");
    let told = signed(&["retire", "7"]);
    assert!(told.contains("there is no record 7"), "{told}");
    let told = signed(&["dispute", "7", "--key", words, "--reveal"]);
    assert!(told.contains("there is no job 7"), "{told}");
    let (code, told, error) = asked(&["conduct", "1"]);
    assert!(code == 0 && told.contains(r#""wrong":0"#), "{told}{error}");
    assert_eq!(node.stop(), 0);
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
    // CometBFT's own configuration is written where another pace is asked for, and nowhere else.
    let config = home.path().join("config/config.toml");
    assert!(told["cometbft"].is_null() && !config.exists());
    let (_, told, _) = run(&["init", "--home", path, "--block-time", "20", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["cometbft"].as_str(), config.to_str());
    assert!(std::fs::read_to_string(&config).unwrap().contains("timeout_commit = \"20ms\""));
    assert!(refused(&["init", "--home", path, "--block-time", "30"]).contains("set timeout_commit in it"));
    let other = refused(&["init", "--home", path, "--chain-id", "clinic-2"]);
    assert!(other.contains("whose id is clinic-1, not clinic-2"), "{other}");
    let elsewhere = tempfile::tempdir().unwrap();
    let bad = refused(&["init", "--home", elsewhere.path().to_str().unwrap(), "--chain-id", "bad id!"]);
    assert!(
        bad.ends_with("\"bad id!\": the name of a chain is 1 to 50 letters, digits, dots, hyphens and underscores"),
        "{bad}"
    );
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
    let address = taken(grpc.told["grpc"].as_str().unwrap());
    let ports = ["--rpc", "127.0.0.1:0", "--rest", "127.0.0.1:0", "--grpc", &address];
    let occupied = refused(&[&["dev", "--home", other][..], &ports].concat());
    assert!(occupied.starts_with(&format!("error: --grpc {address} is in use")), "{occupied}");
    assert_eq!(grpc.stop(), 0);
    let off = Node::start(home.path(), &["--grpc", "off"]);
    assert!(off.told["grpc"].is_null());
    assert_eq!(off.stop(), 0);
    let start = refused(&["start", "--home", path]);
    assert!(start.contains("belongs to an embedded chain"), "{start}");
    let ui = refused(&["dev", "--home", path, "--ui", "/nowhere"]);
    assert!(ui.contains("holds no index.html"), "{ui}");
    assert!(refused(&["start", "--home", path, "--abci", "nowhere"]).contains("is not tcp://HOST:PORT"));
    assert!(refused(&["dev", "--home", path, "--rpc", "nowhere"]).contains("is not HOST:PORT"));
}

#[test]
fn snapshots_of_a_stopped_node_are_taken_and_checked() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("node");
    let at = ["--home", home.to_str().unwrap()];
    let node = Node::start(&home, &[]);
    assert!(refused(&["snapshot", "take", at[0], at[1]]).contains("another node is using"));
    assert_eq!(node.stop(), 0);
    let told = |verb: &str| {
        let (code, out, error) = run(&["snapshot", verb, at[0], at[1], "--json"]);
        assert_eq!(code, 0, "{error}");
        serde_json::from_str::<Value>(&out).unwrap()
    };
    assert_eq!(told("list")["snapshots"], serde_json::json!([]));
    let taken = told("take");
    assert_eq!(taken["snapshots"][0]["chunks"], 1);
    assert_eq!(told("take"), taken);
    assert_eq!(told("list"), taken);
    let checked = told("check");
    assert_eq!((&checked["snapshots"], &checked["checked"]), (&taken["snapshots"], &Value::Bool(true)));
    let (_, text, _) = run(&["snapshot", "check", at[0], at[1]]);
    assert!(text.ends_with("restores to the same state\n"), "{text}");
    assert!(!home.join("data/snapshot-check").exists());
    let file = std::fs::read_dir(home.join("data/snapshots")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    // The digest of the chunk stands before the 38 bytes that say where it begins.
    let digest = bytes.len() - 39;
    bytes[digest] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert!(refused(&["snapshot", "check", at[0], at[1]]).contains("chunk 0 of 1"));
}

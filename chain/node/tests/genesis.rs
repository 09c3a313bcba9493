//! `aceso genesis`: a beginning put together step by step, a chain that runs from it, and what cannot be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, reason = "what is missing of an answer fails the test")]

mod common;

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use aceso_test_support::guests::{NOTHING, asker, echo};
use common::{Node, alice, file, new_key, run};
use cosmos_sdk_proto::{
    cosmos::{
        auth::v1beta1::{QueryAccountRequest, QueryAccountResponse},
        bank::v1beta1::{
            QueryAllBalancesRequest, QueryAllBalancesResponse, QueryDenomMetadataRequest, QueryDenomMetadataResponse,
        },
    },
    cosmwasm::wasm::v1::{
        QueryCodesRequest, QueryCodesResponse, QueryContractInfoRequest, QueryContractInfoResponse,
        QueryPinnedCodesRequest, QueryPinnedCodesResponse,
    },
};
use flate2::{Compression, read::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A home that is being prepared.
struct Draft {
    folder: tempfile::TempDir,
    alice: String,
}

impl Draft {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fund = alice(folder.path());
        let draft = Self { alice: fund.split_once('=').unwrap().0.to_owned(), folder };
        draft.ok(&["init", "--chain-id", "draft-1", "--fund", &fund]);
        draft
    }

    fn home(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        file(self.folder.path(), name, bytes)
    }

    fn genesis(&self) -> PathBuf {
        self.folder.path().join("config/genesis.json")
    }

    fn ok(&self, arguments: &[&str]) -> Value {
        let (code, told, error) = run(&[&["genesis"], arguments, &["--home", self.home(), "--json"]].concat());
        assert_eq!(code, 0, "{arguments:?}: {error}");
        serde_json::from_str(&told).unwrap()
    }

    /// The sentence of a refusal; the file stays as it was.
    fn refused(&self, arguments: &[&str]) -> String {
        let before = std::fs::read(self.genesis()).unwrap();
        let (code, _, error) = run(&[&["genesis"], arguments, &["--home", self.home()]].concat());
        assert_eq!(code, 1, "{arguments:?}: {error}");
        assert_eq!(std::fs::read(self.genesis()).unwrap(), before, "{arguments:?}");
        error.lines().last().unwrap().to_owned()
    }
}

fn address(home: &Path, name: &str) -> String {
    new_key(home, name)["address"].as_str().unwrap().to_owned()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    GzEncoder::new(bytes, Compression::best()).read_to_end(&mut packed).unwrap();
    packed
}

fn checksum(wasm: &[u8]) -> String {
    hex::encode(Sha256::digest(wasm))
}

const STAKE: &str = r#"{"description":"","denom_units":[{"denom":"ustake","exponent":0,"aliases":[]},{"denom":"stake","exponent":6,"aliases":[]}],"base":"ustake","display":"stake","name":"Stake","symbol":"STAKE"}"#;

#[test]
fn a_beginning_is_put_together_and_runs() {
    let draft = Draft::new();
    let folder = draft.folder.path();
    let [bob, carol, dora, emil] = ["bob", "carol", "dora", "emil"].map(|name| address(folder, name));
    draft.ok(&["add-account", &bob, "5ustake,7uaceso"]);
    assert!(draft.refused(&["add-account", &bob, "1uaceso"]).contains("--append adds the coins"));
    draft.ok(&["add-account", &bob, "1uaceso,3uother", "--append"]);
    let end = "4000000000";
    let vesting = ["--vesting-amount", "60uaceso", "--vesting-end-time", end];
    draft.ok(&[&["add-account", &carol, "100uaceso"], &vesting[..]].concat());
    draft.ok(&[&["add-account", &dora, "100uaceso"], &vesting[..], &["--vesting-start-time", "1000"]].concat());
    let periods = json!([{ "length": "10", "amount": [{ "denom": "uaceso", "amount": "60" }] }]).to_string();
    let (periodic, locked) = (draft.file("periods.json", periods.as_bytes()), "--vesting-locked");
    let vesting = ["--vesting-amount", "60uaceso"];
    let at = format!("@{periodic}");
    let more = ["--vesting-start-time", "1000", "--vesting-periods", &at];
    draft.ok(&[&["add-account", &emil, "100uaceso"], &vesting[..], &more[..]].concat());
    let fritz = address(folder, "fritz");
    let told = draft.ok(&[&["add-account", &fritz, "100uaceso", locked], &vesting[..]].concat());
    assert_eq!((told["address"].as_str(), &told["vests"]), (Some(fritz.as_str()), &json!(true)));

    let [echoes, packed, asks] =
        [("echo.wasm", echo()), ("echo.wasm.gz", gzip(&echo())), ("asker.wasm.gz", gzip(&asker()))]
            .map(|(name, wasm)| draft.file(name, &wasm));
    let told = draft.ok(&["add-code", &echoes, "--permission", "nobody", "--pin"]);
    assert_eq!((&told["code_id"], told["checksum"].as_str().unwrap().len()), (&json!(1), 64));
    // What is packed is known by its wasm, as everywhere.
    let asking = draft.ok(&["add-code", &asks, "--permission", &bob]);
    assert_eq!((&asking["code_id"], asking["checksum"].as_str()), (&json!(2), Some(&*checksum(&asker()))));
    assert_eq!(told["checksum"].as_str(), Some(&*checksum(&echo())));
    let one = draft.ok(&["add-contract", "one", NOTHING, "--code-id", "1", "--admin", "self"])["contract"].clone();
    let own = draft.ok(&["add-contract", "own", NOTHING, "--code", &packed])["contract"].clone();
    assert_ne!(one, own);
    draft.ok(&["add-metadata", STAKE]);
    draft.ok(&["set-params", r#"{"memo_bytes_max": 512}"#]);
    draft.ok(&["set-authority", one.as_str().unwrap()]);
    let valid = draft.ok(&["validate"]);
    assert_eq!((&valid["accounts"], &valid["vesting"], &valid["codes"]), (&json!(6), &json!(4), &json!(2)));
    assert_eq!((&valid["contracts"], &valid["authority"], &valid["chain_id"]), (&json!(2), &one, &json!("draft-1")));

    let node = Node::start(folder, &[]);
    let block = node.call("block", json!({ "height": "1" })).unwrap();
    assert_eq!(block["block"]["header"]["app_hash"], valid["app_hash"]);
    let balances: QueryAllBalancesResponse = node
        .query(
            "/cosmos.bank.v1beta1.Query/AllBalances",
            &QueryAllBalancesRequest { address: bob.clone(), ..Default::default() },
        )
        .unwrap();
    let held: Vec<String> = balances.balances.iter().map(|coin| format!("{}{}", coin.amount, coin.denom)).collect();
    assert_eq!(held, ["8uaceso", "3uother", "5ustake"]);
    for (who, kind) in [
        (&carol, "DelayedVestingAccount"),
        (&dora, "ContinuousVestingAccount"),
        (&emil, "PeriodicVestingAccount"),
        (&fritz, "PermanentLockedAccount"),
    ] {
        let question = QueryAccountRequest { address: who.clone() };
        let answer: QueryAccountResponse = node.query("/cosmos.auth.v1beta1.Query/Account", &question).unwrap();
        assert_eq!(answer.account.unwrap().type_url, format!("/cosmos.vesting.v1beta1.{kind}"));
    }
    let known: QueryDenomMetadataResponse = node
        .query("/cosmos.bank.v1beta1.Query/DenomMetadata", &QueryDenomMetadataRequest { denom: "ustake".into() })
        .unwrap();
    assert_eq!(known.metadata.unwrap().symbol, "STAKE");
    let codes: QueryCodesResponse =
        node.query("/cosmwasm.wasm.v1.Query/Codes", &QueryCodesRequest { pagination: None }).unwrap();
    assert_eq!(codes.code_infos.len(), 3, "two that were preloaded, and one that a contract came with");
    let hashes: Vec<String> = codes.code_infos.iter().map(|code| hex::encode(&code.data_hash)).collect();
    assert_eq!(hashes, [checksum(&echo()), checksum(&asker()), checksum(&echo())]);
    let pinned: QueryPinnedCodesResponse =
        node.query("/cosmwasm.wasm.v1.Query/PinnedCodes", &QueryPinnedCodesRequest { pagination: None }).unwrap();
    assert_eq!(pinned.code_ids, [1]);
    for (contract, code) in [(&one, 1), (&own, 3)] {
        let question = QueryContractInfoRequest { address: contract.as_str().unwrap().to_owned() };
        let info: QueryContractInfoResponse = node.query("/cosmwasm.wasm.v1.Query/ContractInfo", &question).unwrap();
        assert_eq!(info.contract_info.unwrap().code_id, code);
    }
    assert_eq!(node.stop(), 0);
    // What a chain began with is settled.
    assert!(draft.refused(&["add-account", &carol, "1uaceso", "--append"]).contains("has begun"));

    // All of it goes on elsewhere.
    let exported = folder.join("exported.json");
    let at = exported.to_str().unwrap();
    let told = draft.ok(&["export", "--out", at]);
    let other = tempfile::tempdir().unwrap();
    let (code, valid, error) = run(&["genesis", "validate", at, "--json"]);
    assert_eq!(code, 0, "{error}");
    let valid: Value = serde_json::from_str(&valid).unwrap();
    assert_eq!(valid["app_hash"], told["app_hash"]);
    let home = other.path().to_str().unwrap();
    assert_eq!(run(&["init", "--home", home, "--genesis", at]).0, 0);
    let (_, told, error) = run(&["genesis", "add-account", &bob, "1uaceso", "--append", "--home", home]);
    assert!(error.contains("beside a state there can be no balances"), "{told}{error}");
    for file in ["priv_validator_key.json", "attest_key.json"] {
        std::fs::copy(folder.join("config").join(file), other.path().join("config").join(file)).unwrap();
    }
    let node = Node::start(other.path(), &[]);
    let again: QueryDenomMetadataResponse = node
        .query("/cosmos.bank.v1beta1.Query/DenomMetadata", &QueryDenomMetadataRequest { denom: "ustake".into() })
        .unwrap();
    assert_eq!(again.metadata.unwrap().display, "stake");
    let question = QueryAccountRequest { address: emil };
    let answer: QueryAccountResponse = node.query("/cosmos.auth.v1beta1.Query/Account", &question).unwrap();
    assert_eq!(answer.account.unwrap().type_url, "/cosmos.vesting.v1beta1.PeriodicVestingAccount");
    assert_eq!(node.stop(), 0);
}

#[test]
fn validators_of_several_homes_begin_together() {
    let draft = Draft::new();
    let other = tempfile::tempdir().unwrap();
    let home = other.path().to_str().unwrap();
    let (code, shown, error) = run(&["genesis", "show-validator", "--home", home, "--name", "north", "--power", "7"]);
    assert_eq!(code, 0, "{error}");
    let statement = draft.file("north.json", shown.as_bytes());
    let told = draft.ok(&["add-validator", &statement]);
    assert_eq!((&told["name"], &told["power"]), (&json!("north"), &json!(7)));
    assert!(draft.refused(&["add-validator", &statement]).contains("in the genesis already"));
    let told = draft.ok(&["validate"]);
    assert_eq!(told["validators"], 2);
    let genesis: Value = serde_json::from_slice(&std::fs::read(draft.genesis()).unwrap()).unwrap();
    assert_eq!((&genesis["validators"][1]["power"], &genesis["validators"][1]["name"]), (&json!("7"), &json!("north")));
    // The other home takes the file over as it is, and its validator is in it.
    let at = draft.genesis();
    let (code, told, error) = run(&["init", "--home", home, "--genesis", at.to_str().unwrap(), "--json"]);
    assert_eq!(code, 0, "{error}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["validators"].as_array().unwrap().len(), 2);

    // A key that attests for somebody else is found before the chain begins.
    let mut forged: Value = serde_json::from_str(&shown).unwrap();
    forged["consensus_key"] = json!("PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=");
    let forged = draft.file("forged.json", forged.to_string().as_bytes());
    draft.ok(&["add-validator", &forged]);
    let refused = draft.refused(&["validate"]);
    assert!(refused.contains("begins no chain"), "{refused}");
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence() {
    let draft = Draft::new();
    let bob = address(draft.folder.path(), "bob");
    let wasm = draft.file("echo.wasm", &echo());
    let broken = draft.file("broken.wasm.gz", &[0x1f, 0x8b, 8, 0]);
    let bomb = draft.file("bomb.wasm.gz", &gzip(&vec![0; (3 << 20) + 1]));
    let long = draft.file("long.wasm", &vec![0; (3 << 20) + 1]);
    let vesting = |more: &[&'static str]| [&["add-account", &bob, "5uaceso", "--vesting-amount"], more].concat();
    for (arguments, words) in [
        (vec!["add-account", "cosmos1nobody", "5uaceso"], "is neither an address that begins with aceso1"),
        (vec!["add-account", &bob, "five"], "coins are such as 1000uaceso,5ustake"),
        (vec!["add-account", &bob, "5uaceso,6uaceso"], "a denomination is named twice"),
        (vesting(&["4uaceso"]), "say when --vesting-amount becomes the account's own"),
        (vesting(&["6uaceso", "--vesting-locked"]), "has 5uaceso in the genesis, and of that 6uaceso cannot vest"),
        (
            vesting(&["4uaceso", "--vesting-start-time", "9", "--vesting-end-time", "9"]),
            "what vests from 9 on cannot have vested at 9",
        ),
        (vec!["add-code", &broken], "broken.wasm.gz: uploaded code does not unpack"),
        (vec!["add-code", &bomb], "bomb.wasm.gz: unpacked code has more than 3145728 bytes"),
        (vec!["add-code", &long], "uploaded code has 3145729 bytes, the limit is 3145728"),
        (vec!["add-contract", "one", "{}", "--code", &bomb], "unpacked code has more than 3145728 bytes"),
        (vec!["add-code", "/nowhere"], "cannot read /nowhere"),
        (vec!["add-code", &wasm, "--permission", "everyone"], "--permission"),
        (vec!["add-contract", "one", "{}", "--code-id", "1"], "there is no code 1 in the genesis"),
        (vec!["add-contract", "one", "no json", "--code", &wasm], "is not JSON"),
        (vec!["add-metadata", "{}"], "no metadata of a coin"),
        (vec!["set-params", r#"{"memo_max": 1}"#], "there is no parameter memo_max"),
        (vec!["set-params", r#"{"memo_bytes_max": "long"}"#], "a parameter has no value of its kind"),
        (vec!["set-params", "[]"], "parameters are named in JSON"),
        (vec!["set-params", r#"{"power_share_max_bps": 0}"#], "app_state.params"),
        (vec!["set-authority", "the boss"], "is neither an address that begins with aceso1"),
        (vec!["add-validator", &wasm], "is not JSON"),
        (vec!["add-validator", "/nowhere"], "cannot read /nowhere"),
        (vec!["validate", "/nowhere"], "cannot read /nowhere"),
    ] {
        let refused = draft.refused(&arguments);
        assert!(refused.contains(words), "{arguments:?}: {refused}");
    }
    assert_eq!(run(&["genesis", "add-account", &bob]).0, 2, "an argument is missing");
    let empty = tempfile::tempdir().unwrap();
    let (code, _, error) = run(&["genesis", "set-params", "{}", "--home", empty.path().to_str().unwrap()]);
    assert!(code == 1 && error.contains("holds no chain"), "{error}");
    // A contract that is not made is named before the chain begins.
    draft.ok(&["add-contract", "broken", r#"{"error":"it will not"}"#, "--code", &wasm]);
    let refused = draft.refused(&["validate"]);
    assert!(refused.contains("broken: it will not"), "{refused}");
    assert!(Path::new(&draft.alice).is_file());
}

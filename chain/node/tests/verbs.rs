//! Transactions, questions and keys by the names that wasmd's command line has for them, over a real chain.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::indexing_slicing, reason = "what is missing of an answer fails the test")]

mod common;
#[path = "verbs/grants.rs"]
mod grants;
#[path = "verbs/signing.rs"]
mod signing;

use aceso_test_support::guests::{NOTHING, echo, keeper};
use common::{Node, aceso, alice, file, new_key, run};
use serde_json::{Value, json};

/// A chain, and the homes of two people.
struct Chain {
    folder: tempfile::TempDir,
    node: Node,
}

impl Chain {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fund = alice(folder.path());
        let node = Node::start(folder.path(), &["--fund", &fund, "--chain-id", "verbs-1"]);
        Self { folder, node }
    }

    fn home(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        file(self.folder.path(), name, bytes)
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let at = ["--node", self.node.rpc.as_str(), "--rest", self.node.rest.as_str()];
        run(&[arguments, &at[..], &["--output", "json"]].concat())
    }

    /// `aceso tx`, signed by a key of the home.
    fn tx(&self, arguments: &[&str]) -> Value {
        let (code, told, error) = self.run(&[&["tx"], arguments, &["--keyring-dir", self.home()]].concat());
        assert_eq!(code, 0, "{arguments:?}: {error}");
        serde_json::from_str(&told).unwrap()
    }

    fn query(&self, arguments: &[&str]) -> Value {
        let (code, told, error) = self.run(&[&["query"], arguments].concat());
        assert_eq!(code, 0, "{arguments:?}: {error}");
        serde_json::from_str(&told).unwrap()
    }

    /// The sentence of a refusal.
    fn refused(&self, arguments: &[&str]) -> String {
        let mut arguments = arguments.to_vec();
        if arguments[0] == "tx" {
            arguments.extend(["--keyring-dir", self.home()]);
        }
        let (code, _, error) = self.run(&arguments);
        assert_eq!(code, 1, "{arguments:?}: {error}");
        error.lines().last().unwrap().to_owned()
    }

    fn keys(&self, arguments: &[&str]) -> Value {
        let (code, told, error) = run(&[&["keys"], arguments, &["--home", self.home(), "--json"]].concat());
        assert_eq!(code, 0, "{arguments:?}: {error}");
        serde_json::from_str(&told).unwrap()
    }

    /// A new key in a plain file; its address.
    fn add(&self, name: &str) -> String {
        new_key(self.folder.path(), name)["address"].as_str().unwrap().to_owned()
    }

    fn address(&self, name: &str) -> String {
        self.keys(&["show", name])["address"].as_str().unwrap().to_owned()
    }

    fn balance(&self, address: &str) -> String {
        let told = self.query(&["bank", "balance", address, "uaceso"]);
        told["balance"]["amount"].as_str().unwrap().to_owned()
    }
}

#[test]
fn an_encrypted_key_signs_for_whoever_knows_its_passphrase() {
    let chain = Chain::start();
    let [right, wrong, other] = ["correct horse", "correct horsf", "another one here"]
        .map(|words| chain.file(&words.replace(' ', "-"), format!("{words}\n").as_bytes()));
    let add = ["add", "bob", "--keyring-backend", "file", "--passphrase-file", &right];
    let made = chain.keys(&add);
    assert_eq!(made["encrypted"], true);
    let file = std::fs::read_to_string(made["file"].as_str().unwrap()).unwrap();
    assert!(file.contains("argon2id") && file.contains("aes-256-gcm"), "{file}");
    let bob = made["address"].as_str().unwrap();
    assert_eq!(chain.address("bob"), bob, "no passphrase is asked for to show it");
    chain.tx(&["bank", "send", "alice", bob, "1000000uaceso"]);
    let send = ["bank", "send", "bob", &chain.address("alice"), "5uaceso", "--passphrase-file"];
    chain.tx(&[&send[..], &[right.as_str()]].concat());
    let refused = chain.refused(&[&["tx"], &send[..], &[wrong.as_str()]].concat());
    assert!(refused.contains("this passphrase does not open the key"), "{refused}");
    // Nobody is at the terminal.
    let refused = chain.refused(&["tx", "bank", "send", "bob", bob, "5uaceso"]);
    assert!(refused.contains("--passphrase-file FILE or in ACESO_PASSPHRASE"), "{refused}");
    let at = ["--node", chain.node.rpc.as_str(), "--rest", chain.node.rest.as_str()];
    let arguments = [&["tx", "bank", "send", "bob", bob, "5uaceso", "--keyring-dir", chain.home()], &at[..]].concat();
    let sent = aceso(&arguments).env("ACESO_PASSPHRASE", "correct horse").output().unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));

    // Out, away, and back in.
    let out = chain.folder.path().join("bob.json");
    let at = out.to_str().unwrap();
    let export = ["export", "bob", "--out", at, "--passphrase-file", &right, "--export-passphrase-file", &other];
    chain.keys(&export);
    let home = ["--home", chain.home()];
    let (code, _, error) = run(&[&["keys", "delete", "bob"], &home[..]].concat());
    assert!(code == 1 && error.contains("say --yes to remove it for good"), "{error}");
    chain.keys(&["delete", "bob", "-y"]);
    let (code, _, error) = run(&[&["keys", "show", "bob"], &home[..]].concat());
    assert!(code == 1 && error.contains("there is no key named bob"), "{error}");
    let import = [&["keys", "import", "bob", at, "--passphrase-file", &right], &home[..]].concat();
    let (code, _, error) = run(&import);
    assert!(code == 1 && error.contains("does not open the key"), "{error}");
    let back = chain.keys(&["import", "bob", at, "--keyring-backend", "file", "--passphrase-file", &other]);
    assert_eq!((&back["address"], &back["encrypted"]), (&made["address"], &json!(true)));
    let short = chain.file("short", b"seven77");
    let add = ["keys", "add", "carol", "--keyring-backend", "file", "--passphrase-file", &short];
    let (code, _, error) = run(&[&add[..], &home[..]].concat());
    assert!(code == 1 && error.contains("has 8 bytes at least, this one 7"), "{error}");
}

#[test]
fn terms_are_kept_and_nothing_is_sent_where_nothing_should_be() {
    let chain = Chain::start();
    let bob = chain.add("bob");
    let send = |more: &[&str]| chain.tx(&[&["bank", "send", "alice", &bob, "7uaceso"], more].concat());
    let asked = send(&["--dry-run"]);
    assert!(asked["gas_used"].as_u64().unwrap() > 20_000, "{asked}");
    assert_eq!(chain.balance(&bob), "0");
    let sent = send(&["--note", "hello", "--gas-prices", "0.05uaceso", "--gas-adjustment", "1.5", "-y"]);
    let shown = chain.query(&["tx", sent["tx"].as_str().unwrap()]);
    assert_eq!((&shown["tx"]["body"]["memo"], &shown["tx_response"]["code"]), (&json!("hello"), &json!(0)));
    let fee = &shown["tx"]["auth_info"]["fee"];
    let gas: u64 = fee["gas_limit"].as_str().unwrap().parse().unwrap();
    assert_eq!(fee["amount"][0]["amount"].as_str().unwrap(), gas.div_ceil(20).to_string());
    let sent = send(&["--fees", "9000uaceso", "--gas", "150000", "--timeout-height", "100000"]);
    let shown = chain.query(&["tx", sent["tx"].as_str().unwrap()]);
    let fee = &shown["tx"]["auth_info"]["fee"];
    assert_eq!((&fee["amount"][0]["amount"], &fee["gas_limit"]), (&json!("9000"), &json!("150000")));
    assert_eq!(shown["tx"]["body"]["timeout_height"], "100000");
    for mode in ["sync", "async"] {
        let told = send(&["--broadcast-mode", mode]);
        assert!(told["tx"].as_str().unwrap().len() == 64 && told["height"].is_null(), "{told}");
        // The next one has the next sequence only when this one is in a block.
        while chain.run(&["query", "tx", told["tx"].as_str().unwrap()]).0 != 0 {}
    }
    assert_eq!(chain.balance(&bob), "28");
    // Somebody else pays.
    let at = ["--node", chain.node.rpc.as_str(), "--rest", chain.node.rest.as_str()];
    let words = chain.folder.path().join("keys/alice.mnemonic");
    let pay = ["sponsor", "pay", &bob, "--from", words.to_str().unwrap()];
    assert_eq!(run(&[&pay[..], &at[..]].concat()).0, 0);
    let alice = chain.address("alice");
    chain.tx(&["bank", "send", "bob", &alice, "28uaceso", "--fee-granter", &alice]);
    assert_eq!(chain.balance(&bob), "0");
    let given = chain.query(&["feegrant", "grants-by-grantee", &bob]);
    assert_eq!(given["allowances"][0]["granter"], json!(alice));

    let carol = chain.add("carol");
    chain.tx(&["bank", "multi-send", "alice", &bob, &carol, "9uaceso", "--split"]);
    assert_eq!((chain.balance(&bob), chain.balance(&carol)), ("4".into(), "4".into()));
    chain.tx(&["bank", "multi-send", "alice", &bob, &carol, "3uaceso"]);
    assert_eq!((chain.balance(&bob), chain.balance(&carol)), ("7".into(), "7".into()));
    let found = chain.query(&["txs", "--query", &format!("message.sender='{alice}'"), "--order-by", "desc"]);
    assert!(found["total"].as_str().unwrap().parse::<u64>().unwrap() >= 6, "{}", found["total"]);
    let heights: Vec<i64> = found["tx_responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["height"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(heights.is_sorted_by(|a, b| a >= b), "{heights:?}");
}

#[test]
fn a_transaction_is_made_signed_and_sent_in_three_places() {
    let chain = Chain::start();
    let bob = chain.add("bob");
    let alice = chain.address("alice");
    // Whoever makes it has no key.
    let made = chain.tx(&["bank", "send", &alice, &bob, "11uaceso", "--generate-only", "--note", "later"]);
    assert_eq!((&made["signatures"], &made["body"]["memo"]), (&json!([]), &json!("later")));
    assert_eq!(made["body"]["messages"][0]["@type"], "/cosmos.bank.v1beta1.MsgSend");
    let unsigned = chain.file("unsigned.json", made.to_string().as_bytes());
    // Whoever signs it has no node.
    let account = chain.query(&["auth", "account", &alice]);
    let [number, sequence] = ["account_number", "sequence"].map(|name| account["account"][name].as_str().unwrap());
    let offline = ["tx", "sign", &unsigned, "--from", "alice", "--keyring-dir", chain.home(), "--offline", "--json"];
    let place = ["--account-number", number, "--sequence", sequence];
    let (code, _, error) = run(&[&offline[..], &place[..]].concat());
    assert!(code == 1 && error.contains("say for which chain: --chain-id ID"), "{error}");
    let (code, signed, error) = run(&[&offline[..], &place[..], &["--chain-id", "verbs-1"]].concat());
    assert_eq!(code, 0, "{error}");
    let online: Value = chain.tx(&["sign", &unsigned, "--from", "alice"]);
    assert_eq!(serde_json::from_str::<Value>(&signed).unwrap(), online);
    let file = chain.file("signed.json", signed.as_bytes());
    let encoded = chain.tx(&["encode", &file]);
    assert_eq!(chain.tx(&["decode", encoded["tx"].as_str().unwrap()]), online);
    let refused = chain.refused(&["tx", "broadcast", &unsigned]);
    assert!(refused.contains("no signatures"), "{refused}");
    let sent = chain.tx(&["broadcast", &file]);
    assert!(sent["height"].as_u64().unwrap() > 0);
    assert_eq!(chain.balance(&bob), "11");
    assert!(chain.refused(&["tx", "broadcast", &file]).contains("already"));
}

/// What the Cosmos SDK's program prints and takes: its names of fields, in every file that goes from one to another.
#[test]
fn two_of_three_send_coins() {
    let chain = Chain::start();
    let [bob, carol] = ["bob", "carol"].map(|name| chain.add(name));
    let add = ["add", "group", "--multisig", "alice,bob,carol", "--multisig-threshold", "2"];
    let group = chain.keys(&add)["address"].as_str().unwrap().to_owned();
    chain.tx(&["bank", "send", "alice", &group, "10000000uaceso"]);
    let made = chain.tx(&["bank", "send", "group", &bob, "7uaceso", "--generate-only", "--note", "of two"]);
    let unsigned = chain.file("unsigned.json", made.to_string().as_bytes());
    let sign = |who: &str| {
        let signed = chain.tx(&["sign", &unsigned, "--multisig", "group", "--from", who]);
        let one = &signed["signatures"][0];
        assert_eq!(one["public_key"]["@type"], "/cosmos.crypto.secp256k1.PubKey");
        assert_eq!(one["data"]["single"]["mode"], "SIGN_MODE_LEGACY_AMINO_JSON");
        assert_eq!((&one["sequence"], &signed["body"]), (&json!("0"), &Value::Null));
        chain.file(&format!("{who}.json"), signed.to_string().as_bytes())
    };
    let [alice, carols] = ["alice", "carol"].map(sign);
    let refused = chain.refused(&["tx", "multisign", &unsigned, "group", &alice]);
    assert!(refused.contains("signature size is incorrect 1"), "{refused}");
    let refused = chain.refused(&["tx", "multisign", &unsigned, "group", &alice, &alice]);
    assert!(refused.contains("signature size is incorrect 1"), "{refused}");
    let signed = chain.tx(&["multisign", &unsigned, "group", &carols, &alice]);
    let info = &signed["auth_info"]["signer_infos"][0];
    assert_eq!(info["public_key"]["@type"], "/cosmos.crypto.multisig.LegacyAminoPubKey");
    assert_eq!(info["mode_info"]["multi"]["bitarray"]["extra_bits_stored"], 3);
    assert_eq!(info["mode_info"]["multi"]["mode_infos"].as_array().unwrap().len(), 2);
    let file = chain.file("signed.json", signed.to_string().as_bytes());
    assert_eq!(chain.tx(&["validate-signatures", &file])["signers"], json!([group]));
    let offline = ["tx", "validate-signatures", &file, "--offline", "--chain-id", "verbs-1", "--account-number"];
    let number = chain.query(&["auth", "account", &group])["account"]["account_number"].clone();
    let place = [number.as_str().unwrap(), "--sequence", "0"];
    assert_eq!(run(&[&offline[..], &place[..]].concat()).0, 0);
    let (code, _, error) = run(&[&offline[..], &["77", "--sequence", "0"]].concat());
    assert!(code == 1 && error.contains(&format!("signature 0, of {group}: unable to verify")), "{error}");
    // What a simulation of the account has found is enough for two signatures.
    let sent = chain.tx(&["broadcast", &file]);
    assert!(sent["height"].as_u64().unwrap() > 0);
    assert_eq!(chain.balance(&bob), "7");

    // Somebody else's signature, one for the transaction before, and a key that is not of several.
    let dora = chain.add("dora");
    let strange = chain.tx(&["sign", &unsigned, "--multisig", &group, "--from", "dora"]);
    let strange = chain.file("dora.json", strange.to_string().as_bytes());
    for (arguments, words) in [
        (["multisign", &unsigned, "group", &strange], "is signed by no key of group"),
        (["multisign", &unsigned, "group", &alice], "is for sequence 0, and the next one of group is 1"),
        (["multisign", &unsigned, "bob", &alice], "bob is no key of several"),
        (["multisign", &unsigned, "group", &unsigned], "is no signatures in JSON"),
    ] {
        let refused = chain.refused(&[&["tx"], &arguments[..]].concat());
        assert!(refused.contains(words), "{arguments:?}: {refused}");
    }
    let refused = chain.refused(&["tx", "validate-signatures", &unsigned]);
    assert!(refused.contains("it is not signed"), "{refused}");
    let refused = chain.refused(&["tx", "validate-signatures", &file]);
    assert!(refused.contains("account sequence mismatch, expected 1, got 0"), "{refused}");
    let refused = chain.refused(&["tx", "bank", "send", "group", &carol, "1uaceso"]);
    assert!(refused.contains("aceso tx sign --multisig group"), "{refused}");
    // One alone signs the document of hardware wallets too.
    let made = chain.tx(&["bank", "send", "alice", &dora, "9uaceso", "--generate-only"]);
    let unsigned = chain.file("unsigned.json", made.to_string().as_bytes());
    let signed = chain.tx(&["sign", &unsigned, "--from", "alice", "--sign-mode", "amino-json"]);
    assert_eq!(
        signed["auth_info"]["signer_infos"][0]["mode_info"],
        json!({"single": {"mode": "SIGN_MODE_LEGACY_AMINO_JSON"}})
    );
    let file = chain.file("signed.json", signed.to_string().as_bytes());
    chain.tx(&["validate-signatures", &file]);
    chain.tx(&["broadcast", &file]);
    assert_eq!(chain.balance(&dora), "9");
    let alone = chain.tx(&["sign", &unsigned, "--from", "alice", "--signature-only"]);
    assert_eq!(alone["signatures"][0]["data"]["single"]["mode"], "SIGN_MODE_DIRECT");
}

#[test]
fn others_act_and_pay_by_the_names_of_the_sdk() {
    let chain = Chain::start();
    let (alice, bob, dora) = (chain.address("alice"), chain.add("bob"), chain.add("dora"));
    let carol = chain.add("carol");
    chain.tx(&["bank", "multi-send", "alice", &bob, &dora, "5000000uaceso"]);
    let grant = ["authz", "grant", &bob, "send", "--spend-limit", "100uaceso", "--allow-list", &carol];
    chain.tx(&[&grant[..], &["--expiration", "4000000000", "--from", "alice"]].concat());
    let given = chain.query(&["authz", "grants", &alice, &bob]);
    let authorization = &given["grants"][0]["authorization"];
    assert_eq!(authorization["@type"], "/cosmos.bank.v1beta1.SendAuthorization");
    assert_eq!(
        (&authorization["allow_list"], &given["grants"][0]["expiration"]),
        (&json!([carol]), &json!("2096-10-02T07:06:40Z"))
    );
    let made = chain.tx(&["bank", "send", &alice, &carol, "30uaceso", "--generate-only", "--gas", "200000"]);
    let unsigned = chain.file("unsigned.json", made.to_string().as_bytes());
    chain.tx(&["authz", "exec", &unsigned, "--from", "bob"]);
    assert_eq!(chain.balance(&carol), "30");
    let url = "/cosmos.bank.v1beta1.MsgSend";
    chain.tx(&["authz", "revoke", &bob, url, "--from", "alice"]);
    assert!(chain.refused(&["tx", "authz", "exec", &unsigned, "--from", "bob"]).contains("authorization not found"));
    chain.tx(&["authz", "grant", &bob, "generic", "--msg-type", url, "--from", "alice"]);
    assert_eq!(chain.query(&["authz", "grants-by-grantee", &bob])["grants"].as_array().unwrap().len(), 1);
    chain.tx(&["authz", "exec", &unsigned, "--from", "bob"]);
    assert_eq!(chain.balance(&carol), "60");

    let pay = ["feegrant", "grant", "alice", &carol, "--spend-limit", "9000000uaceso"];
    let period = ["--expiration", "2096-10-02T07:06:40Z", "--period", "3600", "--period-limit", "1000000uaceso"];
    chain.tx(&[&pay[..], &period[..], &["--allowed-messages", url]].concat());
    let paid = chain.query(&["feegrant", "grant", &alice, &carol])["allowance"]["allowance"].clone();
    assert_eq!(paid["@type"], "/cosmos.feegrant.v1beta1.AllowedMsgAllowance");
    assert_eq!((&paid["allowed_messages"], &paid["allowance"]["period"]), (&json!([url]), &json!("3600s")));
    assert_eq!(paid["allowance"]["basic"]["expiration"], "2096-10-02T07:06:40Z");
    chain.tx(&["bank", "send", "carol", &bob, "60uaceso", "--fee-granter", &alice]);
    assert_eq!(chain.balance(&carol), "0");
    chain.tx(&["feegrant", "revoke", "alice", &carol]);
    assert!(chain.refused(&["query", "feegrant", "grant", &alice, &carol]).contains("not found"));
    for (arguments, words) in [
        (vec!["feegrant", "grant", "alice", &carol, "--expiration", "tomorrow"], "is no time such as"),
        (vec!["feegrant", "grant", "alice", &carol, "--spend-limit", "many"], "coins are such as"),
        (vec!["authz", "grant", &bob, "send", "--spend-limit", "few", "--from", "alice"], "coins are such as"),
        (vec!["authz", "exec", "/nowhere", "--from", "bob"], "cannot read /nowhere"),
    ] {
        let refused = chain.refused(&[&["tx"], &arguments[..]].concat());
        assert!(refused.contains(words), "{arguments:?}: {refused}");
    }
    for wrong in [
        &["tx", "authz", "grant", &bob, "send", "--from", "alice"][..],
        &["tx", "authz", "grant", &bob, "generic", "--from", "alice"],
        &["tx", "authz", "grant", &bob, "delegate", "--from", "alice"],
        &["tx", "feegrant", "grant", "alice", &carol, "--period", "5"],
    ] {
        assert_eq!(run(wrong).0, 2, "{wrong:?}");
    }
    // Scripts of other chains say how a key is kept.
    let kept = |how: &str| ["bank", "send", "alice", &bob, "1uaceso", "--keyring-backend", how].map(str::to_owned);
    chain.tx(&kept("test").each_ref().map(String::as_str));
    let refused = chain.refused(&[&["tx"], &kept("file").each_ref().map(String::as_str)[..]].concat());
    assert!(refused.contains("kept otherwise than --keyring-backend says"), "{refused}");
}

#[test]
fn contracts_live_by_the_verbs_of_wasmd() {
    let chain = Chain::start();
    let alice = chain.address("alice");
    let bob = chain.add("bob");
    let [echoes, keeps] =
        [("echo", echo()), ("keeper", keeper())].map(|(name, wasm)| chain.file(&format!("{name}.wasm"), &wasm));
    let from = ["--from", "alice"];
    let tx = |arguments: &[&str]| chain.tx(&[&["wasm"], arguments, &from[..]].concat());
    assert_eq!(tx(&["store", &echoes])["code_id"], "1");
    assert_eq!(tx(&["store", &keeps, "--instantiate-anyof-addresses", &alice])["code_id"], "2");
    let made = tx(&["instantiate", "1", NOTHING, "--label", "one", "--admin", &alice, "--amount", "5uaceso"]);
    let contract = made["contract"].as_str().unwrap();
    assert_eq!(chain.balance(contract), "5");
    tx(&["execute", contract, NOTHING, "--amount", "4uaceso"]);
    assert_eq!(chain.balance(contract), "9");

    let codes = chain.query(&["wasm", "list-code", "--limit", "1"]);
    let hash = codes["code_infos"][0]["data_hash"].as_str().unwrap();
    let rest = chain.query(&["wasm", "list-code", "--page-key", codes["pagination"]["next_key"].as_str().unwrap()]);
    assert_eq!(rest["code_infos"][0]["code_id"], "2");
    let [salt, text] = ["73616c74", "salt"];
    let built = chain.query(&["wasm", "build-address", hash, &alice, salt]);
    let second = ["instantiate2", "1", NOTHING, text, "--ascii", "--label", "two", "--no-admin"];
    assert_eq!(tx(&second)["contract"], built["address"]);
    let fixed = chain.query(&["wasm", "build-address", hash, &alice, salt, NOTHING]);
    let third = ["instantiate2", "1", NOTHING, salt, "--fix-msg", "--label", "three", "--no-admin"];
    assert_eq!(tx(&third)["contract"], fixed["address"]);
    let listed = chain.query(&["wasm", "list-contract-by-code", "1"]);
    assert_eq!(listed["contracts"].as_array().unwrap().len(), 3);
    let listed = chain.query(&["wasm", "list-contracts-by-creator", &alice, "--limit", "2"]);
    assert_eq!(listed["contract_addresses"].as_array().unwrap().len(), 2);

    tx(&["set-contract-label", contract, "renamed"]);
    tx(&["migrate", contract, "1", NOTHING]);
    let info = chain.query(&["wasm", "contract", contract]);
    assert_eq!((&info["contract_info"]["label"], &info["contract_info"]["admin"]), (&json!("renamed"), &json!(alice)));
    let history = chain.query(&["wasm", "contract-history", contract]);
    assert_eq!(history["entries"].as_array().unwrap().len(), 2);
    tx(&["set-contract-admin", contract, &bob]);
    assert!(
        chain.refused(&["tx", "wasm", "clear-contract-admin", contract, "--from", "alice"]).contains("unauthorized")
    );
    let pays = ["--fee-granter", &alice];
    let words = chain.folder.path().join("keys/alice.mnemonic");
    let at = ["--node", chain.node.rpc.as_str(), "--rest", chain.node.rest.as_str()];
    assert_eq!(run(&[&["sponsor", "pay", &bob, "--from", words.to_str().unwrap()], &at[..]].concat()).0, 0);
    chain.tx(&[&["wasm", "clear-contract-admin", contract, "--from", "bob"], &pays[..]].concat());
    assert_eq!(chain.query(&["wasm", "contract", contract])["contract_info"]["admin"], "");

    let kept = tx(&["instantiate", "2", "{}", "--label", "keeper", "--no-admin"])["contract"].clone();
    let kept = kept.as_str().unwrap();
    tx(&["execute", kept, "7"]);
    let raw = |key: &[&str]| chain.query(&[&["wasm", "contract-state", "raw", kept], key].concat());
    assert_eq!(raw(&["37"])["data"], "Nw==");
    assert_eq!((raw(&["7", "--ascii"]), raw(&["Nw==", "--b64"])), (raw(&["37"]), raw(&["37"])));
    let all = chain.query(&["wasm", "contract-state", "all", kept]);
    assert_eq!(all["models"], json!([{ "key": "37", "value": "Nw==" }]));
    let answer = chain.query(&["wasm", "contract-state", "smart", contract, r#"{"ok":"eyJhIjoxfQ=="}"#]);
    assert_eq!(answer, json!({ "data": { "a": 1 } }));
    tx(&["update-instantiate-config", "2", "--instantiate-nobody"]);
    let info = chain.query(&["wasm", "code-info", "2"]);
    assert_eq!(info["instantiate_permission"]["permission"], "ACCESS_TYPE_NOBODY");
    let out = chain.folder.path().join("code.wasm");
    chain.query(&["wasm", "code", "1", out.to_str().unwrap()]);
    assert_eq!(std::fs::read(&out).unwrap(), echo());
    assert_eq!(chain.query(&["wasm", "pinned"])["code_ids"], json!([]));
    assert_eq!(chain.query(&["wasm", "params"])["code_upload_access"]["permission"], "ACCESS_TYPE_EVERYBODY");
    assert!(chain.query(&["wasm", "wasm-limits-config"])["config"].as_str().unwrap().contains("max_imports"));

    // Coins and accounts, and what they were before.
    let balances = chain.query(&["bank", "balances", &alice]);
    assert_eq!(balances["balances"][0]["denom"], "uaceso");
    let total = chain.query(&["bank", "total"])["supply"][0].clone();
    assert_eq!(chain.query(&["bank", "total", "--denom", "uaceso"])["amount"], total);
    assert_eq!(chain.query(&["bank", "denom-metadata"])["metadatas"][0]["base"], "uaceso");
    assert_eq!(chain.query(&["bank", "denom-metadata", "uaceso"])["metadata"]["display"], "aceso");
    assert_eq!(
        chain.query(&["bank", "denom-owners", "uaceso", "--limit", "1"])["denom_owners"].as_array().unwrap().len(),
        1
    );
    assert_eq!(chain.query(&["bank", "balances", &alice, "--height", "1"])["balances"][0]["amount"], "1000000000000");
    let account = chain.query(&["auth", "account", &alice]);
    let number = account["account"]["account_number"].as_str().unwrap();
    assert_eq!(chain.query(&["auth", "address-by-acc-num", number])["account_address"], json!(alice));
    assert_eq!(chain.query(&["auth", "module-account", "fee_collector"])["account"]["name"], "fee_collector");
    assert_eq!(chain.query(&["authz", "grants-by-granter", &alice])["grants"], json!([]));
}

#[test]
fn what_is_mistyped_gets_a_sentence() {
    let chain = Chain::start();
    let alice = chain.address("alice");
    let nowhere = "aceso1qqqq";
    for (arguments, words) in [
        (
            vec!["tx", "bank", "send", "nobody", &alice, "1uaceso"],
            "there is no key named nobody; those of this home: alice",
        ),
        (vec!["tx", "bank", "send", "no/body", &alice, "1uaceso"], "cannot read no/body: there is no such file"),
        (
            vec!["tx", "bank", "send", "alice", nowhere, "1uaceso"],
            "is no address of this chain, which begins with aceso1",
        ),
        (vec!["tx", "bank", "send", "alice", &alice, "one"], "coins are such as 1000uaceso,5ustake"),
        (vec!["tx", "bank", "multi-send", "alice", &alice, &alice, "1uaceso", "--split"], "cannot be divided among 2"),
        (vec!["tx", "wasm", "store", "/nowhere", "--from", "alice"], "cannot read /nowhere"),
        (vec!["tx", "wasm", "execute", &alice, "no json", "--from", "alice"], "no json is not JSON"),
        (vec!["tx", "wasm", "execute", &alice, "{}", "--from", "alice"], "no such contract"),
        (vec!["tx", "wasm", "execute", &alice, "{}"], "say whose key signs: --from KEY"),
        (
            vec!["tx", "wasm", "instantiate2", "1", "{}", "salt", "--label", "l", "--no-admin", "--from", "alice"],
            "is not hexadecimal; --ascii takes it as text",
        ),
        (
            vec!["tx", "wasm", "update-instantiate-config", "1", "--from", "alice"],
            "say who may: --instantiate-everybody",
        ),
        (
            vec!["tx", "bank", "send", "alice", &alice, "1uaceso", "--gas-prices", "cheap"],
            "--gas-prices \"cheap\" is no price such as 0.025uaceso",
        ),
        (vec!["tx", "bank", "send", "alice", &alice, "1uaceso", "--fees", "few"], "--fees"),
        (
            vec!["tx", "bank", "send", "alice", &alice, "1uaceso", "--chain-id", "other"],
            "the node is on verbs-1, not on other",
        ),
        (vec!["tx", "bank", "send", "alice", &alice, "1uaceso", "--timeout-height", "1"], "tx timeout height"),
        (vec!["tx", "bank", "send", "alice", &alice, "1uaceso", "--fees", "1uaceso"], "insufficient fee"),
        (vec!["tx", "decode", "!"], "this is not base64"),
        (vec!["tx", "decode", "AAAA"], "this is no transaction"),
        (vec!["tx", "encode", "/nowhere"], "cannot read /nowhere"),
        (vec!["query", "tx", "abc"], "is no hash of a transaction, which has 64 hexadecimal digits"),
        (vec!["query", "tx", &"00".repeat(32)], "tx not found"),
        (vec!["query", "txs", "--query", "a.b="], "failed to search for txs"),
        (vec!["query", "wasm", "contract", &alice], "no such contract"),
        (vec!["query", "wasm", "contract-state", "raw", &alice, "zz"], "is not hexadecimal; --ascii takes it as text"),
        (vec!["query", "wasm", "code-info", "9"], "no such code"),
        (vec!["query", "bank", "balances", nowhere], "invalid address"),
        (vec!["query", "bank", "balances", &alice, "--page-key", "*"], "is not base64"),
        (vec!["query", "auth", "account", &alice, "--height", "999999"], "999999"),
    ] {
        let refused = chain.refused(&arguments);
        assert!(refused.contains(words), "{arguments:?}: {refused}");
    }
    for wrong in [
        &["tx", "bank", "send", "alice", &alice, "1uaceso", "--gas", "much"][..],
        &["tx", "bank", "send", "alice", &alice, "1uaceso", "--gas-adjustment", "0"],
        &["tx", "bank", "send", "alice", &alice, "1uaceso", "--fees", "1uaceso", "--gas-prices", "1uaceso"],
        &["tx", "wasm", "instantiate", "1", "{}", "--label", "l"],
        &["tx", "wasm", "fly"],
        &["query", "wasm", "contract-state"],
        &["completions", "tcsh"],
    ] {
        assert_eq!(run(wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn shells_complete_the_verbs() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, error) = run(&["completions", shell]);
        assert_eq!(code, 0, "{error}");
        for word in ["output-document", "instantiate2", "contract-state", "add-account", "broadcast-mode"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
}

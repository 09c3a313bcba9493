//! `tx wasm grant`, and the short names of wasmd's verbs.

use aceso_test_support::guests::roomy_echo;
use sha2::{Digest, Sha256};

use super::*;

/// Alice owns a contract that keeps messages, and bob acts for her.
struct Act {
    chain: Chain,
    bob: String,
    kept: String,
}

impl Act {
    fn start() -> Self {
        let chain = Chain::start();
        let bob = chain.add("bob");
        chain.tx(&["bank", "send", "alice", &bob, "50000000uaceso"]);
        let [keeps, echoes] = [("keeper", keeper()), ("echo", echo())].map(|(name, wasm)| chain.file(name, &wasm));
        for wasm in [&keeps, &echoes] {
            chain.tx(&["wasm", "upload", wasm, "--from", "alice"]);
        }
        let made = chain.tx(&["wasm", "i", "1", "{}", "--label", "k", "--admin", "alice", "--from", "alice"]);
        let kept = made["contract"].as_str().unwrap().to_owned();
        Self { chain, bob, kept }
    }

    /// Grants by alice; the authorisation as the chain shows it.
    fn grant(&self, arguments: &[&str]) -> Value {
        self.chain.tx(&[&["wasm", "grant"], arguments, &["--from", "alice"]].concat());
        let (alice, bob) = (self.chain.address("alice"), &self.bob);
        let given = self.chain.query(&["authz", "grants", &alice, bob]);
        let kind = match arguments {
            ["store-code", ..] => "StoreCode",
            [_, _, "migration", ..] => "ContractMigration",
            _ => "ContractExecution",
        };
        let url = format!("/cosmwasm.wasm.v1.{kind}Authorization");
        let mut all = given["grants"].as_array().unwrap().iter();
        all.find(|one| one["authorization"]["@type"] == json!(url)).unwrap().clone()
    }

    /// What alice would send, sent by bob: the sentence of a refusal.
    fn acts(&self, arguments: &[&str]) -> Result<(), String> {
        let alice = self.chain.address("alice");
        let make = [arguments, &["--from", &alice, "--generate-only", "--gas", "3000000"]].concat();
        let (code, made, error) = self.chain.run(&[&["tx", "wasm"], &make[..]].concat());
        assert_eq!(code, 0, "{arguments:?}: {error}");
        let file = self.chain.file("act.json", made.as_bytes());
        let act = ["tx", "authz", "exec", &file, "--from", "bob", "--keyring-dir", self.chain.home()];
        let (code, _, error) = self.chain.run(&act);
        if code == 0 { Ok(()) } else { Err(error) }
    }
}

#[test]
fn others_call_and_migrate_a_contract_within_limits() {
    let act = Act::start();
    let (bob, kept) = (act.bob.as_str(), act.kept.as_str());
    let until = ["--expiration", "4000000000"];
    let grant = |kind: &str, more: &[&str]| act.grant(&[&["contract", bob, kind, kept], more, &until[..]].concat());
    let execute = |message: &str, amount: &str| {
        let call = ["execute", kept, message, "--amount", amount];
        act.acts(if amount.is_empty() { &call[..3] } else { &call })
    };

    // Just these bytes, twice in all.
    let raw = r#"{"b": 1,"a":2},8"#;
    let given = grant("execution", &["--allow-raw-msgs", raw, "--max-calls", "2", "--no-token-transfer"]);
    let one = &given["authorization"]["grants"][0];
    assert_eq!((&one["contract"], &given["expiration"]), (&json!(kept), &json!("2096-10-02T07:06:40Z")));
    assert_eq!(one["limit"], json!({"@type": "/cosmwasm.wasm.v1.MaxCallsLimit", "remaining": "2"}));
    assert_eq!(one["filter"]["@type"], "/cosmwasm.wasm.v1.AcceptedMessagesFilter");
    execute(r#"{"b": 1,"a":2}"#, "").unwrap();
    for other in [r#"{"b":1,"a":2}"#, r#"{"a":2,"b": 1}"#, "9"] {
        assert!(execute(other, "").unwrap_err().contains("unauthorized"), "{other}");
    }
    execute("8", "").unwrap();
    assert!(execute("8", "").unwrap_err().contains("authorization not found"));

    // Objects of one field, with coins.
    let given = grant("execution", &["--allow-msg-keys", "claim,ask", "--max-funds", "5uaceso"]);
    let one = &given["authorization"]["grants"][0];
    let amounts = json!([{"denom": "uaceso", "amount": "5"}]);
    assert_eq!(one["limit"], json!({"@type": "/cosmwasm.wasm.v1.MaxFundsLimit", "amounts": amounts}));
    let filter = json!({"@type": "/cosmwasm.wasm.v1.AcceptedMessageKeysFilter", "keys": ["claim", "ask"]});
    assert_eq!(one["filter"], filter);
    assert!(execute(r#"{"burn":{}}"#, "1uaceso").is_err() && execute(r#"{"ask":{}}"#, "6uaceso").is_err());
    execute(r#"{"ask":{}}"#, "3uaceso").unwrap();
    assert_eq!(act.chain.balance(kept), "3");

    // Both limits, of other code.
    let both = ["--allow-all-messages", "--max-calls", "1", "--max-funds", "5uaceso"];
    let given = grant("migration", &both);
    let limit = &given["authorization"]["grants"][0]["limit"];
    let combined = json!({"@type": "/cosmwasm.wasm.v1.CombinedLimit", "calls_remaining": "1", "amounts": amounts});
    assert_eq!(limit, &combined);
    act.acts(&["mig", kept, "2", NOTHING]).unwrap();
    assert!(act.acts(&["mig", kept, "2", NOTHING]).unwrap_err().contains("authorization not found"));
    assert_eq!(act.chain.query(&["wasm", "c", kept])["contract_info"]["code_id"], "2");
}

#[test]
fn others_upload_the_code_that_they_were_let() {
    let act = Act::start();
    let bob = act.bob.as_str();
    let roomy = roomy_echo();
    let hash = hex::encode(Sha256::digest(&roomy));
    let [may, other] = [("roomy", roomy), ("other", echo())].map(|(name, wasm)| act.chain.file(name, &wasm));
    let of = |permission: &str| format!("{hash}:{permission}");
    let given = act.grant(&["store-code", bob, &of("nobody"), &format!("{}:*", "00".repeat(32))]);
    let kinds = given["authorization"]["grants"].clone();
    assert_eq!(kinds[0]["instantiate_permission"]["permission"], "ACCESS_TYPE_NOBODY");
    assert_eq!((&kinds[1]["instantiate_permission"], &given["expiration"]), (&Value::Null, &Value::Null));
    assert!(act.acts(&["store", &may]).unwrap_err().contains("unauthorized"), "everybody is more than nobody");
    assert!(act.acts(&["store", &other, "--instantiate-nobody"]).unwrap_err().contains("unauthorized"));
    act.acts(&["store", &may, "--instantiate-nobody"]).unwrap();
    act.grant(&["store-code", bob, &format!("*:{bob}"), "--expiration", "4000000000"]);
    assert!(act.acts(&["store", &other]).is_err());
    act.acts(&["store", &other, "--instantiate-anyof-addresses", bob]).unwrap();
    act.grant(&["store-code", bob, "*:*"]);
    act.acts(&["store", &other]).unwrap();
    assert_eq!(act.chain.query(&["wasm", "codes"])["code_infos"].as_array().unwrap().len(), 5);
}

#[test]
fn grants_that_say_too_little_or_too_much_get_a_sentence() {
    let chain = Chain::start();
    let alice = chain.address("alice");
    let contract = ["tx", "wasm", "grant", "contract", &alice, "execution", &alice, "--from", "alice"];
    let all = [&contract[..], &["--expiration", "4000000000", "--allow-all-messages"]].concat();
    let raw =
        [&contract[..], &["--expiration", "4000000000", "--max-funds", "1uaceso", "--allow-raw-msgs", "{"]].concat();
    let code = ["tx", "wasm", "grant", "store-code", &alice];
    for (arguments, words) in [
        (all.clone(), "say how often and with how many coins: --max-calls N --no-token-transfer"),
        ([&all[..], &["--max-calls", "1"]].concat(), "say how often and with how many coins"),
        ([&all[..], &["--max-funds", "few"]].concat(), "coins are such as"),
        (raw, "these are no messages in JSON with commas between them"),
        ([&code[..], &["abc:nobody", "--from", "alice"]].concat(), "is no HASH:PERMISSION"),
        ([&code[..], &["*:cosmos1", "--from", "alice"]].concat(), "is no address of this chain"),
        (
            vec!["tx", "wasm", "grant", "store-code", "bob", "*:*", "--from", "alice"],
            "\"bob\" is no address of this chain",
        ),
        ([&all[..], &["--max-funds", "1uaceso"]].concat(), "grantee and granter should be different"),
    ] {
        let refused = chain.refused(&arguments);
        assert!(refused.contains(words), "{arguments:?}: {refused}");
    }
    let limited = [&contract[..], &["--max-calls", "1", "--no-token-transfer"]].concat();
    for wrong in [
        [&limited[..], &["--expiration", "4000000000"]].concat(),
        [&limited[..], &["--allow-all-messages"]].concat(),
        [&limited[..], &["--allow-all-messages", "--expiration", "0"]].concat(),
        [&limited[..], &["--expiration", "4000000000", "--allow-all-messages", "--allow-msg-keys", "a"]].concat(),
        [&limited[..], &["--expiration", "4000000000", "--allow-raw-msgs", "1", "--allow-msg-keys", "a"]].concat(),
        [&all[..], &["--max-funds", "1uaceso", "--no-token-transfer"]].concat(),
        code.to_vec(),
    ] {
        assert_eq!(run(&wrong).0, 2, "{wrong:?}");
    }
}

/// Each is the same verb, as its help says.
#[test]
fn verbs_have_the_short_names_of_wasmd() {
    for (parents, verb, names) in [
        (&["tx", "wasm"][..], "store", &["upload", "st", "s"][..]),
        (&["tx", "wasm"], "instantiate", &["start", "init", "inst", "i"]),
        (&["tx", "wasm"], "execute", &["run", "call", "exec", "ex", "e"]),
        (&["tx", "wasm"], "migrate", &["update", "mig", "m"]),
        (&["tx", "wasm"], "set-contract-admin", &["new-admin", "admin", "set-adm", "sa"]),
        (&["tx", "wasm"], "clear-contract-admin", &["clear-admin", "clr-adm"]),
        (&["tx"], "multisign", &["multi-sign"]),
        (&["tx"], "multisign-batch", &["multi-sign-batch"]),
        (&["query", "wasm"], "list-code", &["list-codes", "codes", "lco"]),
        (&["q", "wasm"], "list-contract-by-code", &["list-contracts-by-code", "list-contracts", "contracts", "lca"]),
        (&["q", "wasm"], "code", &["source-code", "source"]),
        (&["q", "wasm"], "contract", &["meta", "c"]),
        (&["q", "wasm"], "contract-state", &["state", "cs", "s"]),
        (&["q", "wasm"], "contract-history", &["history", "hist", "ch"]),
        (&["q", "wasm"], "build-address", &["address"]),
    ] {
        let help = |name: &str| run(&[parents, &[name, "--help"]].concat());
        let (code, said, _) = help(verb);
        assert_eq!(code, 0, "{verb}");
        for name in names {
            let (code, same, _) = help(name);
            assert!(code == 0 && same == said, "{name} is not {verb}");
        }
    }
}

//! Records in the names of accounts of their own, over an embedded chain: two of one patient have no account in common, a sponsor
//! pays, and what comes when nobody does; and accounts that act for others. Each refusal leaves everything as it was.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]
#![allow(clippy::indexing_slicing, reason = "what is missing of an answer fails the test")]

mod common;

use std::fs;

use aceso_test_support::{contract, picture};
use common::ward::Ward;
use serde_json::{Value, json};

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn two_records_of_one_patient_have_accounts_of_their_own_that_a_sponsor_pays_for() {
    let ward = Ward::open();
    ward.readers(&["physician"]);
    ward.ok("patient", &["sealed", "keys", "new"]);
    let patient = ward.address("patient");
    let none = ward.ok("patient", &["sealed", "accounts"]);
    assert_eq!(none["accounts"], json!([]));

    // Sealed, and nobody pays: nothing is registered, and the sentence says what to do.
    let told = ward.seal("one.png", 1, &[]);
    let account = text(&told["account"]);
    assert!(account != patient && told["sponsor"].is_null());
    let sealed = ward.text("one.png.sealed");
    let refused = ward.refused("patient", &["sealed", "register", &sealed]);
    assert!(refused.contains(&format!("have a sponsor run `aceso sponsor pay {account}`")), "{refused}");
    let shown = ward.ok("patient", &["sealed", "accounts"])["accounts"][0].clone();
    assert_eq!((&shown["record"], &shown["sponsors"]), (&Value::Null, &json!([])));
    let other = ward.refused("friend", &["sealed", "register", &sealed, "--keys", &ward.text("physician.keys")]);
    assert!(other.contains("does not open with the words of"), "{other}");
    ward.ok("sister", &["sponsor", "pay", &account]);
    let paying = ward.ok("friend", &["sponsor", "of", &account])["sponsors"].clone();
    assert_eq!((text(&paying[0]["sponsor"]), text(&paying[0]["left"])), (ward.address("sister"), "1000000".into()));
    let row = ward.ok("patient", &["sealed", "register", &sealed]);
    assert_eq!((text(&row["owner"]), text(&row["record"])), (account.clone(), "1".into()));

    // One that was paid for in advance is taken for the next record.
    let next = ward.waiting();
    let told = ward.seal("two.png", 2, &[]);
    assert_eq!((text(&told["account"]), text(&told["sponsor"])), (next.clone(), ward.address("sister")));
    ward.ok("patient", &["sealed", "register", &ward.text("two.png.sealed")]);
    let rows = ward.ok("patient", &["sealed", "records"]);
    let owners: Vec<String> = rows.as_array().unwrap().iter().map(|row| text(&row["owner"])).collect();
    assert_eq!(owners, [account.clone(), next.clone()]);
    assert_eq!(ward.ok("patient", &["sealed", "records", &patient]), json!([]));

    // Granted, opened and taken back in that name.
    let physician = ward.address("physician");
    let (grant, _) = ward.grant("see", "1", &["--to", &physician]);
    assert_eq!(grant, format!("{account}/1"));
    let (second, _) = ward.grant("see-too", "2", &["--to", &physician]);
    assert_eq!(second, format!("{next}/1"));
    let seen = ward.text("seen.png");
    ward.ok("physician", &["sealed", "open", &grant, "--file", &sealed, "--out", &seen]);
    assert_eq!(fs::read(&seen).unwrap(), picture(1));
    let theirs = ward.refused("physician", &["sealed", "retire", "1"]);
    assert!(theirs.contains("belongs to"), "{theirs}");
    ward.ok("patient", &["sealed", "revoke", &grant]);
    let ended = ["sealed", "open", &grant, "--file", &sealed, "--out", &ward.text("again.png")];
    assert!(ward.refused("physician", &ended).contains("was taken back"));

    // Whoever reads all blocks finds no transaction that names two of the three.
    let names = [&patient, &account, &next].map(|name| name.as_bytes());
    let all = ward.transactions();
    let within = |tx: &[u8], name: &[u8]| tx.windows(name.len()).any(|at| at == name);
    let counts: Vec<usize> = all.iter().map(|tx| names.iter().filter(|name| within(tx, name)).count()).collect();
    assert!(counts.contains(&1) && counts.iter().all(|&count| count < 2), "{counts:?}");
    ward.ok("patient", &["sealed", "retire", "2"]);
    assert!(ward.refused("sister", &["sponsor", "stop", &patient]).contains("fee-grant not found"));
}

#[test]
fn a_sponsor_who_stops_is_replaced_and_coins_find_their_way_back() {
    let ward = Ward::open();
    ward.readers(&["physician"]);
    ward.ok("patient", &["sealed", "keys", "new"]);
    let (record, _) = ward.record("scan.png", 1);
    let (account, patient) = (text(&ward.ok("patient", &["sealed", "records"])[0]["owner"]), ward.address("patient"));
    let (physician, friend) = (ward.address("physician"), ward.address("friend"));
    ward.ok("sister", &["sponsor", "stop", &account]);
    let terms = ward.text("see.terms");
    let grant = ["sealed", "grant", &record, "--to", &physician, "--out", &terms];
    let refused = ward.refused("patient", &grant);
    assert!(refused.contains("nobody pays the fees of"), "{refused}");
    let named = ward.refused("patient", &[&grant[..], &["--sponsor", &friend]].concat());
    assert!(named.contains("fee-grant not found"), "{named}");
    fs::remove_file(&terms).unwrap();
    ward.ok("friend", &["sponsor", "pay", &account, "--limit", "50000uaceso"]);
    ward.ok("patient", &[&grant[..], &["--sponsor", &friend]].concat());

    // A share of a policy's, say. It goes to whom she likes, and not before she has said that it may be seen.
    let collect = ["sealed", "collect", &record];
    assert!(ward.refused("patient", &collect).contains("has no coins"));
    ward.ok("friend", &["tx", "send", &account, "70000uaceso"]);
    assert_eq!(ward.ok("patient", &["sealed", "accounts"])["accounts"][0]["coins"], "70000");
    let told = ward.refused("patient", &collect);
    assert!(told.contains(&account) && told.contains(&patient) && told.contains("--link"), "{told}");
    ward.waiting();
    let anew = ["sealed", "reseal", &record, "--file", &ward.text("scan.png.sealed"), "--out", &ward.text("anew")];
    let kept = ward.refused("patient", &anew);
    assert!(kept.contains("has 70000 coins, which would be lost with its key"), "{kept}");
    ward.ok("patient", &[&collect[..], &["--link", "--to", &friend]].concat());
    assert_eq!(ward.ok("patient", &["sealed", "accounts"])["accounts"][0]["coins"], "0");

    // Without a sponsor its own coins pay, and the rest goes back.
    ward.ok("friend", &["sponsor", "stop", &account]);
    ward.ok("friend", &["tx", "send", &account, "9000uaceso"]);
    ward.ok("patient", &[&collect[..], &["--link"]].concat());
    assert_eq!(ward.ok("patient", &["sealed", "accounts"])["accounts"][0]["coins"], "0");
}

#[test]
fn a_record_is_sealed_anew_for_another_account_and_a_guard_hears_its_owner() {
    let ward = Ward::open();
    ward.ok("patient", &["sealed", "keys", "new"]);
    let wasm = ward.text("consent.wasm");
    fs::write(&wasm, contract("consent")).unwrap();
    let code = text(&ward.ok("sister", &["tx", "store", &wasm])["code_id"]);
    let consent = text(&ward.ok("sister", &["tx", "instantiate", &code, "{}", "--label", "consent"])["contract"]);
    let (record, cid) = ward.guarded("scan.png", 1, &consent, &[]);
    let before = text(&ward.ok("patient", &["sealed", "records"])[0]["owner"]);

    let rule = json!({
        "decision": {"permit": {"max_uses": 5}}, "actors": [ward.address("physician")], "via": [], "purposes": ["TREAT"],
        "models": [], "not_before": 0, "not_after": 4_000_000_000_u64,
    });
    let msg = json!({"grant": {"images": [cid], "rule": rule, "sealed": true}}).to_string();
    let mine = ward.refused("patient", &["tx", "execute", &consent, &msg]);
    assert!(mine.contains("has no sealed image"), "{mine}");
    ward.ok("patient", &["sealed", "execute", &record, &consent, &msg]);
    // It was given in that name, and is taken back in it alone.
    let back = json!({"revoke": {"grant": 1}}).to_string();
    ward.refused("patient", &["tx", "execute", &consent, &back]);
    ward.ok("patient", &["sealed", "execute", &record, &consent, &back]);

    let anew = ["sealed", "reseal", &record, "--file", &ward.text("scan.png.sealed"), "--out", &ward.text("anew")];
    let none = ward.refused("patient", &anew);
    assert!(none.contains("`aceso sealed accounts --more 1`"), "{none}");
    let next = ward.waiting();
    let told = ward.ok("patient", &anew);
    assert_eq!(text(&told["records"][0]["owner"]), next);
    let rows = ward.ok("patient", &["sealed", "records"]);
    assert_eq!((rows.as_array().unwrap().len(), text(&rows[0]["owner"])), (1, next.clone()));
    let old = ward.ok("patient", &["sealed", "records", &before]);
    assert_ne!(old[0]["retired"], 0);
    let fresh = ward.text(&format!("anew/record-{record}-1.sealed"));
    let seen = ward.text("seen.png");
    let again = text(&told["record"]);
    ward.ok("patient", &["sealed", "open", &again, "--file", &fresh, "--out", &seen]);
    assert_eq!(fs::read(&seen).unwrap(), picture(1));
    let both = |tx: &[u8], name: &str| tx.windows(name.len()).any(|at| at == name.as_bytes());
    let all = ward.transactions();
    assert!(
        all.iter().all(|tx| !(both(tx, &before) && both(tx, &next))),
        "nothing ties the new account to the old one"
    );
}

#[test]
fn one_account_acts_for_another_within_what_it_was_let() {
    let ward = Ward::open();
    let [physician, friend, sister] = ["physician", "friend", "sister"].map(|who| ward.address(who));
    let listed = |who: &str| ward.ok("friend", &["authz", "list", who])["grants"].as_array().unwrap().clone();
    assert_eq!(listed(&physician), Vec::<Value>::new());
    let send = ["authz", "grant", "send", &friend, "100uaceso", "--to", &sister, "--days", "1"];
    ward.ok("physician", &send);
    let held = listed(&friend);
    assert_eq!((held.len(), text(&held[0]["url"])), (1, "/cosmos.bank.v1beta1.MsgSend".into()));
    assert_eq!((text(&held[0]["granter"]), held[0]["expires"].is_number()), (physician.clone(), true));
    ward.ok("friend", &["authz", "exec", "send", &physician, &sister, "60uaceso"]);
    let more = ward.refused("friend", &["authz", "exec", "send", &physician, &sister, "60uaceso"]);
    assert!(more.contains("requested amount is more than spend limit"), "{more}");
    let other = ward.refused("friend", &["authz", "exec", "send", &physician, &friend, "1uaceso"]);
    assert!(other.contains("cannot send to"), "{other}");
    ward.ok("physician", &["authz", "revoke", &friend, "/cosmos.bank.v1beta1.MsgSend"]);
    assert_eq!(listed(&physician), Vec::<Value>::new());

    let wasm = ward.text("token.wasm");
    fs::write(&wasm, contract("token")).unwrap();
    let code = text(&ward.ok("sister", &["tx", "store", &wasm])["code_id"]);
    let balances = json!([{"address": physician, "amount": "9"}]);
    let made = json!({"name": "test", "initial_balances": balances}).to_string();
    let token = text(&ward.ok("sister", &["tx", "instantiate", &code, &made, "--label", "token"])["contract"]);
    let (endless, _, _) = ward.run("physician", &["authz", "grant", "execute", &friend, &token]);
    assert_eq!(endless, 2, "without a limit there is no such grant");
    ward.ok("physician", &["authz", "grant", "execute", &friend, &token, "--calls", "1", "--key", "transfer"]);
    let transfer = json!({"transfer": {"recipient": friend, "amount": "4"}}).to_string();
    let burn = json!({"burn": {"amount": "4"}}).to_string();
    let act = |msg: &str| ["authz", "exec", "execute", &physician, &token, msg].map(str::to_owned);
    let refused = |msg: &str| ward.refused("friend", &act(msg).each_ref().map(String::as_str));
    assert!(refused(&burn).contains("unauthorized"));
    ward.ok("friend", &act(&transfer).each_ref().map(String::as_str));
    assert!(refused(&transfer).contains("authorization not found"));
    let records = ward.refused("physician", &["authz", "grant", "any", &friend, "/aceso.reads.v1.MsgRequestRead"]);
    assert!(records.contains("nobody else may send it"), "{records}");
}

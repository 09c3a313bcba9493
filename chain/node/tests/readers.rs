//! What readers, emergency committees, insurers and a patient with several records do with the verbs for sealed reads; and what
//! they are refused, with everything as it was.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]
#![allow(clippy::indexing_slicing, reason = "what is missing of an answer fails the test")]

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
};

use aceso_test_support::{contract, picture};
use common::ward::Ward;
use serde_json::{Value, json};

#[test]
fn a_sealed_result_is_opened_by_who_holds_the_key_and_the_key_is_passed_on() {
    let ward = Ward::open();
    let (model, finding) = ward.model();
    ward.readers(&["physician", "friend", "sister"]);
    ward.ok("patient", &["sealed", "keys", "new"]);
    let (record, cid) = ward.record("scan.png", 3);
    let [physician, friend, sister] = ["physician", "friend", "sister"].map(|who| ward.address(who));
    let committee = ["--committee", "--actor", &physician, "--sealed", "--finding", &finding, "--uses", "2"];
    let (asked, terms) = ward.grant("ask", &record, &committee);
    let ask = ["sealed", "request", &asked, "--terms", &terms, "--image", &cid, "--model", &model];
    let bit = ward.ok("physician", &[&ask[..], &["--finding", &finding]].concat())["job"].to_string();
    let job = ward.ok("physician", &[&ask[..], &["--sealed"]].concat());
    assert_eq!(job["outcome"]["kind"], "sealed");
    let job = job["job"].to_string();

    // The asker has no key of the record yet; a finding is told to everybody already.
    let result = ["sealed", "result", &job];
    let keyless = ward.refused("physician", &result);
    assert!(keyless.contains("gives") && keyless.contains("`aceso sealed grant"), "{keyless}");
    let told = ward.refused("physician", &["sealed", "result", &bit]);
    assert!(told.contains("tells findings and nothing else"), "{told}");
    assert!(ward.refused("physician", &["sealed", "result", "99"]).contains("there is no job 99"));

    let (seen, see) = ward.grant("see", &record, &["--to", &physician, "--rewrap"]);
    let (opened, own) = (ward.ok("physician", &result), ward.ok("patient", &result));
    assert_eq!(opened["outputs"], own["outputs"]);
    let said = ward.ok("physician", &["sealed", "job", &bit])["outcome"]["predicate"]["findings"][0].clone();
    let same = opened["findings"].as_array().unwrap().iter().find(|one| one["id"] == *finding).unwrap();
    assert_eq!(same["present"], said["present"]);
    assert!(!opened["scores"].as_array().unwrap().is_empty());
    let by = |grant: &str| ward.refused("physician", &["sealed", "result", &job, "--grant", grant]);
    assert!(by(&asked).contains("does not name"), "{}", by(&asked));
    assert!(by("nonsense").contains("is no grant, such as"));
    let (other, _) = ward.record("other.png", 9);
    let (elsewhere, _) = ward.grant("elsewhere", &other, &["--to", &physician]);
    assert!(by(&elsewhere).contains(&format!("is of record {other}, and the job is of record {record}")));

    // The physician passes the key on to a colleague, who opens file and result; the next has it not to give.
    let on = ward.text("on.terms");
    let pass = ["sealed", "pass", &seen, "--to", &friend, "--out", &on];
    let passed = ward.ok("physician", &[&pass[..], &["--terms", &see]].concat());
    let passed = passed["grant"].as_str().unwrap();
    let (sealed, copy) = (ward.text("scan.png.sealed"), ward.text("copy.png"));
    ward.ok("friend", &["sealed", "open", passed, "--file", &sealed, "--out", &copy]);
    assert_eq!(fs::read(&copy).unwrap(), picture(3));
    assert_eq!(ward.ok("friend", &result)["outputs"], own["outputs"]);
    let next = ward.text("next.terms");
    let refused = |who: &str, grant: &str, more: &[&str]| {
        let pass = ["sealed", "pass", grant, "--to", &sister, "--out", &next];
        ward.refused(who, &[&pass[..], more].concat())
    };
    assert!(refused("friend", passed, &["--terms", &on]).contains("is not to be passed on"));
    assert!(refused("friend", passed, &["--terms", &see]).contains("is not what grant"));
    assert!(refused("sister", passed, &["--terms", &on]).contains("does not name"));
    let home = ward.text("nowhere");
    assert!(refused("physician", &seen, &["--terms", &see, "--home", &home]).contains("has no opener key of epoch"));
    assert!(!ward.file("next.terms").exists());
    // Without terms it is an emergency, and nobody has asked.
    let whole = refused("physician", &seen, &[]);
    assert!(whole.contains("has not asked for the key"), "{whole}");

    // What was passed on ends with what it came from.
    ward.ok("patient", &["sealed", "revoke", &seen]);
    let ended = ward.refused("physician", &["sealed", "result", &job, "--grant", &seen]);
    assert!(ended.contains("was taken back"), "{ended}");
}

/// A REST port that answers everything with the same.
fn port(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // The other side may have had enough of it.
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(&answer));
        }
    });
    url
}

#[test]
fn a_long_result_is_asked_of_the_next_where_a_member_has_lost_it_or_sends_another() {
    let ward = Ward::open();
    let model = ward.long_model();
    ward.readers(&["physician"]);
    ward.ok("patient", &["sealed", "keys", "new"]);
    let (record, cid) = ward.record("scan.png", 3);
    let physician = ward.address("physician");
    let (asked, terms) = ward.grant("ask", &record, &["--committee", "--actor", &physician, "--sealed"]);
    ward.grant("see", &record, &["--to", &physician]);
    let ask = ["sealed", "request", &asked, "--terms", &terms, "--image", &cid, "--model", &model, "--sealed"];
    let job = ward.ok("physician", &ask);
    assert!(job["outcome"]["file"].is_string(), "{job}");
    let job = job["job"].to_string();
    let result = ["sealed", "result", &job];
    let opened = ward.ok("physician", &result)["outputs"].clone();
    assert_eq!(opened.as_array().unwrap().len(), 2);

    let http = |status: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let (lost, other) = (port(http("404 Not Found", b"")), port(http("200 OK", &[7; 5_000])));
    let refused = |more: &[&str]| ward.refused("physician", &[&result[..], more].concat());
    let none = refused(&["--rest", &lost]);
    assert!(none.contains("those who signed it do, for its term; ask one with --member"), "{none}");
    let lied = refused(&["--rest", &other]);
    assert!(lied.contains("of 5000 bytes, and the outcome names"), "{lied}");
    let nobody = refused(&["--rest", &lost, "--member", &other, "--member", &lost]);
    assert!(nobody.contains("nobody who was asked gives the file of job"), "{nobody}");
    assert!(nobody.contains(&format!("{other}: the file is")), "{nobody}");
    assert!(nobody.contains(&format!("{lost}: it has not got the file")), "{nobody}");
    for first in [&lost, &other] {
        let asked = ["--rest", first, "--member", &lost, "--member", &other, "--member", ward.rest()];
        assert_eq!(ward.ok("physician", &[&result[..], &asked].concat())["outputs"], opened);
    }
}

#[test]
fn a_glass_is_broken_in_public_and_the_key_passed_on_by_a_reader_or_an_operator() {
    let ward = Ward::open();
    ward.readers(&["physician", "friend"]);
    ward.ok("patient", &["sealed", "keys", "new"]);
    let (record, _) = ward.record("scan.png", 3);
    let [physician, friend] = ["physician", "friend"].map(|who| ward.address(who));
    let emergency = ["--emergency", "--anybody", "--purpose", "ETREAT", "--sealed"];
    let (held, help) = ward.grant("help", &record, &[&emergency[..], &["--to", &friend]].concat());
    let (plain, see) = ward.grant("see", &record, &["--to", &friend]);

    let reviews = || ward.ok("patient", &["sealed", "reviews", &record]).as_array().unwrap().clone();
    let glass = ["sealed", "break-glass", &held, "--terms", &help];
    let why = ["--reason", "unconscious, no relative reached"];
    let told = ward.refused("physician", &[&glass[..], &why].concat());
    let said =
        format!("everybody may read from then on, for good: that {physician} asks for the key of record {record}");
    assert!(told.contains(&said) && told.contains(why[1]) && told.contains("--public"), "{told}");
    let blank = ward.refused("physician", &[&glass[..], &["--reason", "  ", "--public"]].concat());
    assert!(blank.contains("say why in words"), "{blank}");
    let other = ["sealed", "break-glass", &plain, "--terms", &see, "--public"];
    assert!(ward.refused("physician", &[&other[..], &why].concat()).contains("is not for emergencies"));
    let other = ["sealed", "break-glass", &held, "--terms", &see, "--public"];
    assert!(ward.refused("physician", &[&other[..], &why].concat()).contains("is not what grant"));
    let keyless = ward.refused("sister", &[&glass[..], &why, &["--public"]].concat());
    assert!(keyless.contains("has registered no key to read with"), "{keyless}");
    assert!(reviews().is_empty());

    let broken = ward.ok("physician", &[&glass[..], &why, &["--public"]].concat());
    assert_eq!((&broken["review"], &broken["holders"]), (&json!(1), &json!([friend])));
    let pass = |who: &str, held: &str, name: &str, more: &[&str]| {
        let out = ward.text(name);
        let pass = ["sealed", "pass", held, "--to", &physician, "--out", &out];
        ward.ok(who, &[&pass[..], more].concat())["grant"].as_str().unwrap().to_owned()
    };
    let passed = pass("friend", &held, "passed.terms", &[]);
    let open = |grant: &str, out: &str| {
        let (sealed, out) = (ward.text("scan.png.sealed"), ward.text(out));
        ward.ok("physician", &["sealed", "open", grant, "--file", &sealed, "--out", &out]);
        assert_eq!(fs::read(out).unwrap(), picture(3));
    };
    open(&passed, "first.png");
    let item = &reviews()[0];
    assert_eq!((item["reason"].as_str(), item["passed_on_by"].as_str()), (Some(why[1]), Some(friend.as_str())));

    // The same with the validators as holders: an operator has the key in a node's home.
    let (held, help) = ward.grant("committee", &record, &[&emergency[..], &["--committee"]].concat());
    let glass = ["sealed", "break-glass", &held, "--terms", &help, "--public"];
    ward.ok("physician", &[&glass[..], &why].concat());
    let home = ward.home.path().to_str().unwrap();
    let passed = pass("operator", &held, "operator.terms", &["--home", home]);
    open(&passed, "second.png");
    assert_eq!(reviews().len(), 2);
}

#[test]
fn several_records_are_sealed_anew_in_one_transaction_or_none_is() {
    let ward = Ward::open();
    ward.ok("patient", &["sealed", "keys", "new"]);
    let (one, _) = ward.guarded("one.png", 1, "", &["--as-me"]);
    let files = ["two.png", "three.png"].map(|name| ward.text(name));
    files.iter().zip(2..).for_each(|(path, seed)| fs::write(path, picture(seed)).unwrap());
    let out = ward.home.path().to_str().unwrap();
    ward.ok("patient", &["sealed", "seal", &files[0], &files[1], "--out", out, "--as-me"]);
    let sealed = files.each_ref().map(|path| format!("{path}.sealed"));
    let study = ward.ok("patient", &["sealed", "register", &sealed[0], &sealed[1]]);
    let study = study["record"].as_str().unwrap();

    let (anew, first) = (ward.text("anew"), ward.text("one.png.sealed"));
    let named = ["--file", &first, "--file", &sealed[0], "--file", &sealed[1]];
    fn reseal<'a>(out: &'a str, records: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
        [&["sealed", "reseal"][..], records, &["--out", out], more].concat()
    }
    let refused = |records: &[&str], more: &[&str]| ward.refused("patient", &reseal(&anew, records, more));
    assert!(refused(&[&one, &one], &named).contains("is named twice"));
    assert!(refused(&[&one, study], &named[..2]).contains("have 3 files, and --file names 1"));
    assert!(refused(&[&one, "77"], &named).contains("there is no record 77"));
    let mixed = ["--file", &sealed[0], "--file", &first, "--file", &sealed[1]];
    assert!(refused(&[&one, study], &mixed).contains("no file that was sealed under"));
    let keys = ward.ok("patient", &["sealed", "keys", "show"])["names"].clone();
    fs::remove_dir_all(&anew).unwrap();

    let told = ward.ok("patient", &reseal(&anew, &[&one, study], &named));
    let records = told["records"].as_array().unwrap();
    assert_eq!(records.iter().map(|one| one["files"].as_array().unwrap().len()).collect::<Vec<_>>(), [1, 2]);
    let fresh = ward.ok("patient", &["sealed", "keys", "show"])["names"].clone();
    assert_eq!((fresh.as_array().unwrap().len(), keys.as_array().unwrap().len()), (2, 2));
    assert_ne!(fresh, keys);
    let again = records[1]["record"].as_str().unwrap();
    for (number, seed) in [("1", 2), ("2", 3)] {
        let (file, out) = (format!("{anew}/record-{study}-{number}.sealed"), ward.text(&format!("again-{number}.png")));
        ward.ok("patient", &["sealed", "open", again, "--number", number, "--file", &file, "--out", &out]);
        assert_eq!(fs::read(out).unwrap(), picture(seed));
    }
    let rows = ward.ok("patient", &["sealed", "records", &ward.address("patient")]);
    let ended: Vec<bool> = rows.as_array().unwrap().iter().map(|row| row["retired"] != 0).collect();
    assert_eq!(ended, [true, true, false, false]);
    let old = ward.refused("patient", &reseal(&anew, &[&one], &named[..2]));
    assert!(old.contains("there is no key of image"), "{old}");
}

#[test]
fn an_insurer_pays_once_for_a_sealed_image_and_says_why_not_twice() {
    let ward = Ward::open();
    let (model, _) = ward.model();
    let open = |name: &str, opening: Value| {
        let wasm = ward.text(&format!("{name}.wasm"));
        fs::write(&wasm, contract(name)).unwrap();
        let code = ward.ok("sister", &["tx", "store", &wasm])["code_id"].as_str().unwrap().to_owned();
        let made = ward.ok("sister", &["tx", "instantiate", &code, &opening.to_string(), "--label", name]);
        made["contract"].as_str().unwrap().to_owned()
    };
    let consent = &open("consent", json!({}));
    let counter = &open("insurance", json!({"insurer": null, "treasury": ward.address("friend"), "denom": "uaceso"}));
    let [patient, physician] = ["patient", "physician"].map(|who| ward.address(who));
    let plan = ["insurance", "plan", "--contract", counter, "--member", &patient, "--model", &model];
    let priced = ["--price", "1000000uaceso", "--fund", "9000000uaceso"];
    let shares = ["--share", "subject=2500", "--share", "author=7500"];
    let made = ward.ok("sister", &[&plan[..], &priced, &shares].concat());
    let policy = made["policy"].as_str().unwrap();
    let refused = |more: &[&str]| ward.refused("sister", &[&plan[..], more].concat());
    assert!(refused(&["--price", "5", "--share", "subject=10000"]).contains("is not an amount of uaceso"));
    assert!(refused(&["--price", "5uaceso", "--share", "subject"]).contains("is no share, such as subject=2500"));
    assert!(refused(&["--price", "5000000uaceso", "--share", "subject=1"]).contains("10000"));
    let stranger = ward.refused("friend", &[&plan[..], &priced, &shares].concat());
    assert!(stranger.to_lowercase().contains("insurer"), "{stranger}");

    ward.ok("patient", &["sealed", "keys", "new"]);
    let claim = |record: &str, cid: &str, name: &str, policy: &str| {
        let (grant, terms) = ward.grant(name, record, &["--committee", "--actor", &physician, "--sealed"]);
        let claim = ["insurance", "claim", "--contract", counter, "--policy", policy, "--image", cid];
        let under = ["--model", &model, "--grant", &grant, "--terms", &terms];
        ward.run("physician", &[&claim[..], &under].concat())
    };
    let said = |told: (i32, String, String)| -> Value {
        assert_eq!(told.0, 0, "{}", told.2);
        serde_json::from_str(&told.1).unwrap()
    };
    // A claim needs a guard who consents to it.
    let (bare, bare_cid) = ward.guarded("bare.png", 7, "", &["--as-me"]);
    let (code, told, _) = claim(&bare, &bare_cid, "bare", policy);
    assert!(code == 1 && told.contains("has no guard who could consent"), "{told}");
    let permit = |cid: &str| {
        let rule = json!({
            "decision": {"permit": {"max_uses": 5}}, "actors": [physician], "via": [counter], "purposes": ["TREAT"],
            "models": [model], "not_before": 0, "not_after": 4_000_000_000_u64,
        });
        let msg = json!({"grant": {"images": [cid], "rule": rule, "sealed": true}}).to_string();
        ward.ok("patient", &["tx", "execute", consent, &msg]);
    };
    let (record, cid) = ward.guarded("scan.png", 3, consent, &["--as-me"]);
    permit(&cid);
    let first = said(claim(&record, &cid, "first", policy));
    assert_eq!(first["decided"], "paid", "{first}");
    let due = ["insurance", "due", "--contract", counter, "--account", &patient];
    assert_eq!(ward.ok("patient", &due)["amount"], "250000");
    ward.ok("friend", &["insurance", "settle", "--contract", counter]);
    assert_eq!(ward.ok("patient", &due)["amount"], "0");

    // Under another key and CID it has the same pixels.
    let (anew, sealed) = (ward.text("anew"), ward.text("scan.png.sealed"));
    let again = ward.ok("patient", &["sealed", "reseal", &record, "--file", &sealed, "--out", &anew]);
    let again = again["record"].as_str().unwrap();
    let names = ward.ok("patient", &["sealed", "keys", "show"])["names"].clone();
    let mut named = names.as_array().unwrap().iter().filter_map(Value::as_str);
    let fresh = named.find(|one| ![bare_cid.as_str(), cid.as_str()].contains(one)).unwrap().to_owned();
    permit(&fresh);
    let second = said(claim(again, &fresh, "second", policy));
    assert_eq!(second["decided"], "refused");
    assert!(second["claim"]["status"]["closed"]["reason"]["paid_before"]["read"].is_u64(), "{second}");

    let list = ["insurance", "claims", "--contract", counter, "--policy"];
    let claims = ward.ok("sister", &[&list[..], &[policy]].concat());
    assert_eq!((claims["claims"].as_array().unwrap().len(), claims["reserved"].as_str()), (2, Some("0")));
    let none = ward.refused("sister", &[&list[..], &["99"]].concat());
    assert!(none.contains("99"), "{none}");
    let early = ward.refused("sister", &["insurance", "release", "--contract", counter, &first["job"].to_string()]);
    assert!(!early.is_empty());
    assert!(ward.refused("sister", &["insurance", "settle"]).contains("--contract ADDRESS"));

    // A plan that believes other committees only.
    let strict = ward.ok("sister", &[&plan[..], &priced, &shares, &["--members-min", "2"]].concat());
    let (code, told, _) = claim(again, &fresh, "third", strict["policy"].as_str().unwrap());
    assert!(code == 1 && told.contains("are demanded"), "{told}");
}

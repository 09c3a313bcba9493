//! The verbs of patients, readers and guardians over an embedded chain: from an empty keyring to a record that was read,
//! handed on, sealed anew and brought back; and what they refuse, with everything as it was.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]
#![allow(clippy::indexing_slicing, reason = "what is missing of an answer fails the test")]

mod common;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use aceso_test_support::{large, picture};
use aceso_types::msg::{MsgRegisterImage, MsgRegisterSealed, Named};
use common::ward::Ward;
use cosmos_sdk_proto::cosmos::tx::v1beta1::{TxBody, TxRaw};
use prost::Message;
use serde_json::Value;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_patient_seals_grants_opens_and_seals_anew() {
    let ward = Ward::open();
    let (model, finding) = &ward.model();

    ward.ok("patient", &["sealed", "keys", "new"]);
    assert_eq!(mode(&ward.file("patient.keys")), 0o600);
    let (record, cid) = ward.record("scan.png", 3);
    assert_eq!(mode(&ward.file("scan.png.sealed")), 0o600);
    let names = ward.ok("patient", &["sealed", "keys", "show"])["names"].clone();
    assert_eq!(names, serde_json::json!([cid]));

    // A committee reads one bit for the physician.
    let physician = ward.address("physician");
    let terms = ward.text("bit.terms");
    let grant =
        ["sealed", "grant", &record, "--committee", "--actor", &physician, "--finding", finding, "--out", &terms];
    let grant = ward.ok("patient", &grant)["grant"].as_str().unwrap().to_owned();
    assert!(grant.ends_with("/1"), "{grant}");
    let ask = ["sealed", "request", &grant, "--terms", &terms, "--image", &cid, "--model", model, "--finding", finding];
    let told = ward.ok("physician", &ask);
    assert_eq!(told["outcome"]["findings"][0]["id"], *finding);
    assert_eq!((&told["read"], &told["members"]), (&Value::from(1), &Value::from(1)));

    // The patient doubts it. The key is shown in the name of the record's account, which nothing ties to her.
    let (job, file) = (told["job"].to_string(), ward.text("scan.png.sealed"));
    let asking = ward.refused("patient", &["sealed", "dispute", &job]);
    assert!(asking.contains("say --reveal if it shall"), "{asking}");
    let others = ward.refused("physician", &["sealed", "dispute", &job, "--reveal"]);
    assert!(others.contains("physician.keys"), "{others}");
    ward.ok("sister", &["blob", "put", &file]);
    let poor = ward.refused("patient", &["sealed", "dispute", &job, "--reveal"]);
    assert!(poor.contains("read fee not covered"), "{poor}");
    let owner = ward.ok("patient", &["sealed", "records"])[0]["owner"].as_str().unwrap().to_owned();
    ward.ok("sister", &["tx", "send", &owner, "1000uaceso"]);
    let found = ward.ok("patient", &["sealed", "dispute", &job, "--reveal"]);
    let said = &found["outcome"]["predicate"]["findings"];
    assert_eq!((&found["wrong"], said), (&Value::from(false), &told["outcome"]["findings"]), "{found}");
    assert_eq!(found["sender"], owner);
    assert_ne!(found["sender"], ward.address("patient"));

    // The physician opens the record herself: the patient hands the sealed file over.
    ward.ok("physician", &["sealed", "keys", "new"]);
    ward.ok("physician", &["sealed", "keys", "register", "--days", "400"]);
    let (seen, sealed) = (ward.text("seen.png"), ward.text("scan.png.sealed"));
    let terms = ward.text("see.terms");
    let grant = ward.ok("patient", &["sealed", "grant", &record, "--to", &physician, "--out", &terms]);
    let grant = grant["grant"].as_str().unwrap().to_owned();
    ward.ok("physician", &["sealed", "open", &grant, "--file", &sealed, "--out", &seen]);
    assert_eq!((fs::read(&seen).unwrap(), mode(Path::new(&seen))), (picture(3), 0o600));
    let own = ward.text("own.png");
    ward.ok("patient", &["sealed", "open", &record, "--file", &sealed, "--out", &own]);
    assert_eq!(fs::read(&own).unwrap(), picture(3));

    // Under another key it is another record, and the old grants end with the old one.
    let (folder, fresh) = (ward.text("anew"), ward.text(&format!("anew/record-{record}-1.sealed")));
    ward.waiting();
    let again = ward.ok("patient", &["sealed", "reseal", &record, "--file", &sealed, "--out", &folder]);
    let again = again["record"].as_str().unwrap();
    assert_ne!(again, record);
    assert_eq!(ward.ok("patient", &["sealed", "keys", "show"])["names"].as_array().unwrap().len(), 1);
    let (_, _, asked) = ward.run("physician", &ask);
    assert!(asked.contains("sealed record has ended"), "{asked}");
    let old = ward.refused("patient", &["sealed", "open", &record, "--file", &sealed, "--out", &ward.text("old.png")]);
    assert!(old.contains("belongs to"), "{old}");
    let mixed = ["sealed", "open", again, "--file", &sealed, "--out", &ward.text("mixed.png")];
    assert!(ward.refused("patient", &mixed).contains("no file that was sealed under"));
    ward.ok("patient", &["sealed", "open", again, "--file", &fresh, "--out", &ward.text("new.png")]);
    assert_eq!(fs::read(ward.file("new.png")).unwrap(), picture(3));
    assert!(!ward.file("old.png").exists() && !ward.file("mixed.png").exists());
}

#[test]
fn two_of_three_guardians_bring_lost_keys_back() {
    let ward = Ward::open();
    let guardians = ["physician", "friend", "sister"];
    for who in guardians {
        ward.ok(who, &["sealed", "keys", "new"]);
        ward.ok(who, &["sealed", "keys", "register"]);
    }
    ward.ok("patient", &["sealed", "keys", "new"]);
    let (record, _) = ward.record("scan.png", 5);
    let (deal, [one, two, three]) = (ward.text("keys.deal"), guardians.map(|who| ward.address(who)));
    let split = ["guardians", "split", "--threshold", "2", "--out", &deal];
    let named = ["--guardian", &one, "--guardian", &two, "--guardian", &three];
    let many = ["guardians", "split", "--threshold", "4", "--out", &deal];
    let before = fs::read(ward.file("patient.keys")).unwrap();
    let refused = ward.refused("patient", &[&many[..], &named[..]].concat());
    assert!(refused.contains('4') && refused.contains('3'), "{refused}");
    assert!(fs::read(ward.file("patient.keys")).unwrap() == before && !ward.file("keys.deal").exists());
    let told = ward.ok("patient", &[&split[..], &named[..]].concat());
    assert_eq!(told["threshold"], 2);
    let shown = ward.ok("patient", &["sealed", "keys", "show"]);
    assert_eq!(shown["guarded"], true);
    // What comes in afterwards is brought back by the same deal, from a later copy.
    let (second, _) = ward.record("later.png", 6);
    let copy = ward.text("copy.keys");
    fs::copy(ward.file("patient.keys"), &copy).unwrap();

    // Her machine is gone; she has the words of her account.
    let (kept, lost) = (fs::read(ward.file("patient.keys")).unwrap(), ward.file("patient.keys"));
    fs::remove_file(&lost).unwrap();
    let key = ward.ok("patient", &["guardians", "key"])["key"].as_str().unwrap().to_owned();
    let [a, b] = ["friend.share", "sister.share"].map(|name| ward.text(name));
    ward.ok("friend", &["guardians", "hand", &deal, "--to", &key, "--out", &a]);
    ward.ok("sister", &["guardians", "hand", &deal, "--to", &key, "--out", &b]);
    let too_few = ward.refused("patient", &["guardians", "recover", &deal, &a]);
    assert!(too_few.contains("2 guardians bring the secret back, and 1"), "{too_few}");
    let twice = ward.refused("patient", &["guardians", "recover", &deal, &a, &a]);
    assert!(twice.contains("2 guardians bring the secret back, and 1"), "{twice}");
    // A share is masked for who collects.
    let stranger = ward.refused("physician", &["guardians", "recover", &deal, &a, &b, "--keys", &ward.text("x.keys")]);
    assert!(stranger.contains("is not the one that was dealt"), "{stranger}");
    assert!(!lost.exists() && !ward.file("x.keys").exists());
    let early = ward.ok("patient", &["guardians", "recover", &deal, &a, &b, "--keys", &ward.text("early.keys")]);
    assert_eq!(early["names"], 1, "without a later copy it is what was dealt");
    let note = ward.text("note.txt");
    fs::write(&note, "no keyring").unwrap();
    let recover = ["guardians", "recover", &deal, &a, &b, "--latest"];
    assert!(ward.refused("patient", &[&recover[..], &[&note]].concat()).contains("is too short for a keyring"));
    let theirs = ward.text("friend.keys");
    let other = ward.refused("patient", &[&recover[..], &[&theirs]].concat());
    assert!(other.contains("does not open with the key that was dealt"), "{other}");
    assert!(!lost.exists());
    ward.ok("patient", &[&recover[..], &[&copy]].concat());
    assert!(fs::read(&lost).unwrap() != kept && mode(&lost) == 0o600);
    let (sealed, seen) = (ward.text("scan.png.sealed"), ward.text("seen.png"));
    ward.ok("patient", &["sealed", "open", &record, "--file", &sealed, "--out", &seen]);
    assert_eq!(fs::read(&seen).unwrap(), picture(5));
    // So are the accounts in whose names they stand.
    let rows = ward.ok("patient", &["sealed", "records"]);
    let numbers: Vec<String> = rows.as_array().unwrap().iter().map(|row| row["record"].to_string()).collect();
    assert_eq!(numbers, [record.clone(), second.clone()]);
    assert!(rows[0]["owner"] != rows[1]["owner"] && rows[0]["owner"] != *ward.address("patient"));
    ward.grant("found", &second, &["--to", &one]);
    let (sealed, seen) = (ward.text("later.png.sealed"), ward.text("later-seen.png"));
    ward.ok("patient", &["sealed", "open", &second, "--file", &sealed, "--out", &seen]);
    assert_eq!(fs::read(&seen).unwrap(), picture(6));

    let stranger = ward.refused("patient", &["guardians", "hand", &deal, "--to", &key, "--out", &ward.text("p.share")]);
    assert!(stranger.contains("is no guardian of this deal"), "{stranger}");
    let mut changed: Value = serde_json::from_str(&fs::read_to_string(&deal).unwrap()).unwrap();
    changed["version"] = 99.into();
    fs::write(ward.file("changed.deal"), changed.to_string()).unwrap();
    let refused = ward.refused("patient", &["guardians", "recover", &ward.text("changed.deal"), &a, &b]);
    assert!(refused.contains("does not hold"), "{refused}");
    fs::write(ward.file("none.deal"), "{}").unwrap();
    assert!(ward.refused("patient", &["guardians", "recover", &ward.text("none.deal"), &a]).contains("is no deal"));
    let none = ward.refused("patient", &["guardians", "recover", &deal, &deal]);
    assert!(none.contains("is no share") || none.contains("at most 1024"), "{none}");
}

#[test]
fn what_is_wrong_is_refused_and_nothing_is_lost() {
    let ward = Ward::open();
    let none = ward.refused("patient", &["sealed", "keys", "show"]);
    assert!(none.contains("make it with `aceso sealed keys new`"), "{none}");
    ward.ok("patient", &["sealed", "keys", "new"]);
    let keys = fs::read(ward.file("patient.keys")).unwrap();
    assert!(ward.refused("patient", &["sealed", "keys", "new"]).contains("is not written over"));
    let stolen = ward.refused("friend", &["sealed", "keys", "show", "--keys", &ward.text("patient.keys")]);
    assert!(stolen.contains("does not open with the words of"), "{stolen}");

    fs::write(ward.file("letter.dcm"), b"no picture").unwrap();
    let out = ward.home.path().to_str().unwrap();
    let seal = |path: &str| ward.refused("patient", &["sealed", "seal", path, "--out", out]);
    assert!(seal(&ward.text("letter.dcm")).contains("say what it is with --media"));
    assert!(seal(&ward.text("nowhere.txt")).contains("cannot read"));
    assert!(!ward.file("letter.dcm.sealed").exists());
    fs::write(ward.file("note.txt"), b"a note").unwrap();
    fs::write(ward.file("note.txt.sealed"), b"precious").unwrap();
    assert!(seal(&ward.text("note.txt")).contains("is not written over"));
    assert_eq!(fs::read(ward.file("note.txt.sealed")).unwrap(), b"precious");
    let other = ward.refused("patient", &["sealed", "register", &ward.text("note.txt.sealed")]);
    assert!(other.contains("were not sealed together with these keys"), "{other}");
    assert_eq!(fs::read(ward.file("patient.keys")).unwrap(), keys);

    let terms = ward.text("terms");
    let grant = |arguments: &[&str]| {
        ward.refused("patient", &[&["sealed", "grant"][..], arguments, &["--out", &terms][..]].concat())
    };
    let friend = ward.address("friend");
    assert!(grant(&["7", "--to", &friend]).contains("there is no record 7"));
    let (record, _) = ward.record("scan.png", 1);
    assert!(grant(&[&record, "--to", &friend]).contains("has registered no key to read with"));
    ward.ok("friend", &["sealed", "keys", "new"]);
    ward.ok("friend", &["sealed", "keys", "register"]);
    let theirs = ["sealed", "grant", &record, "--to", &friend, "--out", &terms];
    assert!(ward.refused("friend", &theirs).contains("belongs to"));
    assert!(grant(&[&record, "--to", &friend, "--purpose", ""]).contains("these terms are none"));
    assert!(!ward.file("terms").exists());
    fs::write(ward.file("terms"), b"other terms").unwrap();
    assert!(grant(&[&record, "--to", &friend]).contains("is not written over"));
    fs::remove_file(ward.file("terms")).unwrap();
    let granted = ward.ok("patient", &["sealed", "grant", &record, "--to", &friend, "--out", &terms]);
    let granted = granted["grant"].as_str().unwrap().to_owned();

    let (sealed, seen) = (ward.text("scan.png.sealed"), ward.text("seen.png"));
    let open = |who: &str, which: &str, file: &str| {
        ward.refused(who, &["sealed", "open", which, "--file", file, "--out", &seen])
    };
    assert!(open("friend", "no-grant", &sealed).contains("is no grant, such as"));
    let nine = format!("{}/9", granted.split('/').next().unwrap());
    assert!(open("friend", &nine, &sealed).contains("there is no grant"));
    assert!(open("friend", &record, &sealed).contains("belongs to"));
    ward.ok("sister", &["sealed", "keys", "new"]);
    assert!(open("sister", &granted, &sealed).contains("does not name"));
    assert!(open("friend", &granted, &ward.text("note.txt")).contains("no file that was sealed under"));
    let mut damaged = fs::read(&sealed).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(ward.file("damaged"), damaged).unwrap();
    assert!(open("friend", &granted, &ward.text("damaged")).contains("it was changed or cut"));
    fs::write(&seen, b"mine").unwrap();
    assert!(open("friend", &granted, &sealed).contains("is not written over"));
    assert_eq!(fs::read(&seen).unwrap(), b"mine");
    ward.ok("patient", &["sealed", "revoke", &granted]);
    assert!(open("friend", &granted, &sealed).contains("was taken back"));

    let ask = ["sealed", "request", &granted, "--terms", &ward.text("note.txt"), "--model", &"0".repeat(64), "--open"];
    let image = ["--image", "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"];
    let refused = ward.refused("friend", &[&ask[..], &image[..]].concat());
    assert!(refused.contains("note.txt"), "{refused}");
}

/// The latest message of a kind on the chain.
fn latest<M: Message + Default + Named>(ward: &Ward) -> M {
    let bodies = ward.transactions().into_iter().map(|tx| {
        let raw = TxRaw::decode(&tx[..]).unwrap();
        TxBody::decode(&raw.body_bytes[..]).unwrap()
    });
    let found = bodies.flat_map(|body| body.messages).rfind(|any| any.type_url == M::TYPE_URL).unwrap();
    M::decode(&found.value[..]).unwrap()
}

#[test]
fn a_large_picture_is_registered_with_what_it_takes() {
    let ward = Ward::open();
    fs::write(ward.file("large.png"), large(7)).unwrap();
    let picture = ward.text("large.png");
    ward.ok("patient", &["image", "register", &picture, "--modality", "DX", "--term", "1000"]);
    assert_eq!(latest::<MsgRegisterImage>(&ward).effort, 1 << 23);

    ward.ok("patient", &["sealed", "keys", "new"]);
    let seal = ["sealed", "seal", &picture, "--as-me", "--modality", "DX", "--out", &ward.text("")];
    ward.ok("patient", &seal);
    ward.ok("patient", &["sealed", "register", &ward.text("large.png.sealed")]);
    assert_eq!(latest::<MsgRegisterSealed>(&ward).files[0].effort, 1 << 23);
    // A record that is no picture takes nothing.
    fs::write(ward.file("note.txt"), b"a note").unwrap();
    ward.ok("patient", &["sealed", "seal", &ward.text("note.txt"), "--as-me", "--out", &ward.text("")]);
    ward.ok("patient", &["sealed", "register", &ward.text("note.txt.sealed")]);
    assert_eq!(latest::<MsgRegisterSealed>(&ward).files[0].effort, 0);
}

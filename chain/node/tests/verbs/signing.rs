//! Who sends, who signs, and where what is signed goes.

use super::*;

/// A chain whose first account has given coins to others.
fn funded<const N: usize>(names: [&str; N]) -> (Chain, [String; N]) {
    let chain = Chain::start();
    let addresses = names.map(|name| chain.add(name));
    let to: Vec<&str> = addresses.iter().map(String::as_str).collect();
    chain.tx(&[&["bank", "multi-send", "alice"][..], &to, &["5000000uaceso"]].concat());
    (chain, addresses)
}

/// Scripts of other chains name the sender twice: the first argument there takes the place of `--from`.
#[test]
fn a_sender_may_be_named_twice_and_not_otherwise() {
    let (chain, [bob, carol]) = funded(["bob", "carol"]);
    let alice = chain.address("alice");
    let words = chain.folder.path().join("keys/alice.mnemonic");
    let words = words.to_str().unwrap();
    let mut sent = 5_000_000;
    for (sender, from) in
        [("alice", "alice"), (&alice, "alice"), ("alice", &alice), (words, "alice"), ("alice", words), (&alice, words)]
    {
        chain.tx(&["bank", "send", sender, &bob, "3uaceso", "--from", from]);
        sent += 3;
        assert_eq!(chain.balance(&bob), sent.to_string(), "{sender} {from}");
    }
    chain.tx(&["bank", "multi-send", "alice", &bob, &carol, "1uaceso", "--from", &alice]);
    chain.tx(&["feegrant", "grant", "alice", &bob, "--from", "alice"]);
    chain.tx(&["feegrant", "revoke", &alice, &bob, "--from", "alice"]);
    chain.tx(&["send", &bob, "1uaceso", "--from", &alice]);
    let made = chain.tx(&["bank", "send", &alice, &bob, "1uaceso", "--from", &alice, "--generate-only"]);
    assert_eq!(made["body"]["messages"][0]["from_address"], json!(alice));

    let had = chain.balance(&bob);
    for verb in [
        &["tx", "bank", "send", "alice", &carol, "1uaceso"][..],
        &["tx", "bank", "send", &alice, &carol, "1uaceso", "--generate-only"],
        &["tx", "bank", "multi-send", "alice", &carol, &carol, "1uaceso"],
        &["tx", "feegrant", "grant", "alice", &carol],
        &["tx", "feegrant", "revoke", "alice", &carol],
    ] {
        let refused = chain.refused(&[verb, &["--from", "bob"]].concat());
        let words = format!("({alice}) is named as the sender, and --from names bob ({bob}); leave --from out");
        assert!(refused.contains(&words), "{verb:?}: {refused}");
    }
    assert_eq!(chain.balance(&bob), had);
    let refused = chain.refused(&["tx", "bank", "send", "alice", &bob, "1uaceso", "--from", "nobody"]);
    assert!(refused.contains("there is no key named nobody"), "{refused}");
    chain.keys(&["delete", "carol", "--yes"]);
    let refused = chain.refused(&["tx", "send", &bob, "1uaceso", "--from", &carol]);
    assert!(refused.contains(&format!("has the address {carol}")), "{refused}");
}

#[test]
fn several_accounts_sign_one_transaction() {
    let (chain, [bob, carol, dora]) = funded(["bob", "carol", "dora"]);
    let pay = ["bank", "send", "bob", &dora, "7uaceso", "--fee-payer", &carol];
    let refused = chain.refused(&[&["tx"], &pay[..]].concat());
    assert!(refused.contains(&format!("{carol} has to sign too")), "{refused}");
    assert!(chain.tx(&[&pay[..], &["--dry-run"]].concat())["gas_used"].as_u64().unwrap() > 20_000);
    let unsigned = |arguments: &[&str]| {
        let made = chain.tx(&[arguments, &["--generate-only"]].concat());
        chain.file("unsigned.json", made.to_string().as_bytes())
    };
    let [half, whole] = ["half.json", "whole.json"].map(|name| chain.file(name, b""));
    let sign = |file: &str, who: &str, out: &str, more: &[&str]| {
        let told = chain.tx(&[&["sign", file, "--from", who, "--output-document", out], more].concat());
        assert_eq!(told, json!({"ok": true, "file": out}));
        let bytes = std::fs::read(out).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    };
    let send = |file: &str, signers: &[&String]| {
        assert_eq!(chain.tx(&["validate-signatures", file])["signers"], json!(signers));
        chain.tx(&["broadcast", file]);
    };

    // In both orders by the document of hardware wallets, and at last directly.
    let (amino, direct) = ("SIGN_MODE_LEGACY_AMINO_JSON", "SIGN_MODE_DIRECT");
    for (number, (one, other, more, modes)) in [
        ("carol", "bob", &[][..], [amino, amino]),
        ("bob", "carol", &[], [amino, amino]),
        ("carol", "bob", &["--sign-mode", "direct"], [direct, amino]),
    ]
    .into_iter()
    .enumerate()
    {
        let file = unsigned(&pay);
        let before: u64 = chain.balance(&bob).parse().unwrap();
        assert_eq!(sign(&file, one, &half, &[])["signatures"].as_array().unwrap().len(), 1);
        let lacks = chain.refused(&["tx", "validate-signatures", &half]);
        assert!(lacks.contains("it is not signed"), "{lacks}");
        assert!(chain.run(&["tx", "broadcast", &half]).0 == 1);
        let signed = sign(&half, other, &whole, more);
        let infos = signed["auth_info"]["signer_infos"].as_array().unwrap();
        let found: Vec<&str> = infos.iter().map(|info| info["mode_info"]["single"]["mode"].as_str().unwrap()).collect();
        assert_eq!(found, modes);
        send(&whole, &[&bob, &carol]);
        assert_eq!(chain.balance(&dora), (5_000_000 + 7 * (number + 1)).to_string());
        assert_eq!(chain.balance(&bob), (before - 7).to_string(), "carol has paid");
    }

    let file = unsigned(&pay);
    let used = |file: &str| {
        let told = chain.tx(&["simulate", file])["gas_info"]["gas_used"].clone();
        told.as_str().unwrap().parse::<u64>().unwrap()
    };
    assert!(used(&file) > 20_000);
    sign(&file, "carol", &half, &[]);
    assert_eq!(used(&half), used(&file));
    for (arguments, words) in [
        (vec![&file[..], "--from", "dora"], "does not sign this transaction"),
        (
            vec![&file, "--from", "carol", "--sign-mode", "direct"],
            "has not signed yet, and who signs directly is the last",
        ),
    ] {
        let refused = chain.refused(&[&["tx", "sign"], &arguments[..]].concat());
        assert!(refused.contains(words), "{arguments:?}: {refused}");
    }
    sign(&half, "bob", &whole, &["--sign-mode", "direct"]);
    let refused = chain.refused(&["tx", "sign", &whole, "--from", "carol", "--sign-mode", "direct"]);
    assert!(refused.contains("has signed directly"), "{refused}");
    let alone = sign(&half, "bob", &whole, &["--overwrite"]);
    assert_eq!(alone["signatures"].as_array().unwrap().len(), 1);

    // One of them is of several; what it is put together of goes beside the other.
    let add = ["add", "group", "--multisig", "alice,dora", "--multisig-threshold", "2"];
    let group = chain.keys(&add)["address"].as_str().unwrap().to_owned();
    chain.tx(&["bank", "send", "alice", &group, "100uaceso"]);
    let file = unsigned(&["bank", "send", "group", &bob, "60uaceso", "--fee-payer", &carol]);
    sign(&file, "carol", &half, &[]);
    let parts = ["alice", "dora"].map(|who| {
        let part = chain.file(&format!("{who}.json"), b"");
        sign(&half, who, &part, &["--multisig", "group"]);
        part
    });
    let put = ["multisign", &half, "group", &parts[0], &parts[1], "--output-document", &whole];
    assert_eq!(chain.tx(&put)["file"], json!(whole));
    send(&whole, &[&group, &carol]);
    assert_eq!(chain.balance(&group), "40");
}

#[test]
fn a_key_of_several_is_in_another() {
    let (chain, [bob, _, dora]) = funded(["bob", "carol", "dora"]);
    let several = |name: &str, of: &str| {
        let add = ["add", name, "--multisig", of, "--multisig-threshold", "2"];
        chain.keys(&add)["address"].as_str().unwrap().to_owned()
    };
    several("inner", "alice,bob");
    let outer = several("outer", "inner,carol,dora");
    chain.tx(&["bank", "send", "alice", &outer, "5000000uaceso"]);
    let made = chain.tx(&["bank", "send", "outer", &dora, "5uaceso", "--generate-only"]);
    let unsigned = chain.file("unsigned.json", made.to_string().as_bytes());
    let [alices, bobs, carols] = ["alice", "bob", "carol"].map(|who| {
        let one = chain.tx(&["sign", &unsigned, "--multisig", "outer", "--from", who]);
        chain.file(&format!("{who}.json"), one.to_string().as_bytes())
    });
    // One of the inner two is none of the outer ones.
    let refused = chain.refused(&["tx", "multisign", &unsigned, "outer", &alices, &carols]);
    assert!(refused.contains("signature size is incorrect 1"), "{refused}");
    let signed = chain.tx(&["multi-sign", &unsigned, "outer", &alices, &bobs, &carols]);
    let file = chain.file("signed.json", signed.to_string().as_bytes());
    chain.tx(&["validate-signatures", &file]);
    chain.tx(&["broadcast", &file]);
    assert_eq!((chain.balance(&dora), chain.balance(&bob)), ("5000005".into(), "5000000".into()));
}

#[test]
fn a_document_is_written_whole_and_its_messages_stay_as_they_are() {
    let chain = Chain::start();
    let keeps = chain.file("keeper.wasm", &keeper());
    chain.tx(&["store", &keeps, "--from", "alice"]);
    let kept = chain.tx(&["wasm", "start", "1", "{}", "--label", "k", "--admin", "alice", "--from", "alice"]);
    let kept = kept["contract"].as_str().unwrap();
    let admin = chain.query(&["wasm", "contract", kept])["contract_info"]["admin"].clone();
    assert_eq!(admin, json!(chain.address("alice")), "a name stands for its address");
    let message = r#"{"b": 1,"a":2}"#;
    let home = ["--keyring-dir", chain.home()];
    let make = ["tx", "wasm", "run", kept, message, "--from", "alice", "--generate-only"];
    let (code, made, error) = chain.run(&[&make[..], &home].concat());
    assert!(code == 0 && made.contains(message), "{error}{made}");
    chain.file("unsigned.json", made.as_bytes());

    // A bare name, an older file, a link to one, what is no file, and a folder.
    let at = ["--node", chain.node.rpc.as_str(), "--rest", chain.node.rest.as_str(), "--json"];
    let sign = |document: &str| {
        let sign = ["tx", "sign", "unsigned.json", "--from", "alice", "--output-document", document];
        aceso(&[&sign[..], &home, &at].concat()).current_dir(chain.folder.path()).output().unwrap()
    };
    let path = |name: &str| chain.folder.path().join(name);
    assert!(sign("signed.json").status.success());
    let signed = std::fs::read_to_string(path("signed.json")).unwrap();
    assert!(signed.contains(message) && signed.ends_with("}\n"), "{signed}");
    std::fs::write(path("older.json"), [b' '; 100_000]).unwrap();
    std::os::unix::fs::symlink("older.json", path("link.json")).unwrap();
    assert!(sign("link.json").status.success() && path("link.json").is_symlink());
    assert_eq!(std::fs::read_to_string(path("older.json")).unwrap(), signed);
    let piped = sign("/dev/stdout");
    assert!(String::from_utf8(piped.stdout).unwrap().starts_with(&signed));
    let refused = sign("keys");
    assert!(String::from_utf8(refused.stderr).unwrap().contains("cannot write keys"));
    let drafts = std::fs::read_dir(chain.folder.path()).unwrap().filter_map(Result::ok);
    assert!(drafts.into_iter().all(|one| one.path().extension().is_none_or(|extension| extension != "draft")));

    let file = path("signed.json");
    let file = file.to_str().unwrap();
    chain.tx(&["validate-signatures", file]);
    chain.tx(&["broadcast", file]);
    let all = chain.query(&["wasm", "state", "all", kept]);
    assert_eq!(all["models"][0]["key"].as_str().unwrap().to_lowercase(), hex::encode(message));
}

/// Each transaction of a batch is for the sequence after the one before.
#[test]
fn a_batch_is_signed_at_once() {
    let (chain, [_, carol]) = funded(["bob", "carol"]);
    let run = |arguments: &[&str]| chain.run(&[&["tx"], arguments, &["--keyring-dir", chain.home()]].concat());
    let lines = |arguments: &[&str]| {
        let (code, said, error) = run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {error}");
        said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let sequences = |signed: &[Value]| {
        let of = |tx: &Value| tx["auth_info"]["signer_infos"][0]["sequence"].as_str().unwrap().to_owned();
        signed.iter().map(of).collect::<Vec<_>>().join(" ")
    };
    let mut had = 5_000_000;
    let mut send = |signed: &[Value], coins: u64| {
        for one in signed {
            chain.tx(&["broadcast", &chain.file("one.json", one.to_string().as_bytes())]);
        }
        had += coins;
        assert_eq!(chain.balance(&carol), had.to_string());
    };
    let pay = |from: &str, coins: &str, more: &[&str]| {
        chain.tx(&[&["bank", "send", from, &carol, coins, "--generate-only"], more].concat())
    };
    // One in each line, and one over several.
    let two = format!("{}\n{}\n", pay("bob", "1uaceso", &[]), pay("bob", "2uaceso", &[]));
    let two = chain.file("two.json", two.as_bytes());
    let third = chain.file("third.json", format!("{:#}", pay("bob", "3uaceso", &[])).as_bytes());
    let offline = ["--offline", "--chain-id", "verbs-1", "--account-number", "9", "--sequence", "7"];
    let signed = lines(&[&["sign-batch", &two, &third, "--from", "bob"], &offline[..]].concat());
    assert_eq!(sequences(&signed), "7 8 9");
    let signed = lines(&["sign-batch", &two, &third, "--from", "bob"]);
    assert_eq!(sequences(&signed), "0 1 2");
    send(&signed, 6);
    let parts = lines(&["sign-batch", &two, "--from", "bob", "--signature-only"]);
    assert_eq!((&parts[1]["signatures"][0]["sequence"], parts.len()), (&json!("4"), 2));

    // All of them as one.
    let whole = lines(&["sign-batch", &two, &third, "--append", "--from", "bob"]);
    assert_eq!((whole.len(), whole[0]["body"]["messages"].as_array().unwrap().len()), (1, 3));
    let gas = |tx: &Value| tx["auth_info"]["fee"]["gas_limit"].as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(gas(&whole[0]), signed.iter().map(gas).sum::<u64>());
    send(&whole, 6);

    // Of an account of several.
    let add = ["add", "group", "--multisig", "alice,bob", "--multisig-threshold", "2"];
    let group = chain.keys(&add)["address"].as_str().unwrap().to_owned();
    chain.tx(&["bank", "send", "alice", &group, "5000000uaceso"]);
    let both = format!("{}{}", pay("group", "4uaceso", &[]), pay("group", "5uaceso", &[]));
    let both = chain.file("both.json", both.as_bytes());
    let [alices, bobs] = ["alice", "bob"].map(|who| {
        let signatures = chain.file(&format!("{who}.json"), b"");
        let sign = ["sign-batch", &both, "--multisig", "group", "--from", who, "--output-document", &signatures];
        assert_eq!(chain.tx(&sign)["file"], json!(signatures));
        signatures
    });
    let signed = lines(&["multi-sign-batch", &both, "group", &alices, &bobs]);
    assert_eq!(sequences(&signed), "0 1");
    let refused = run(&["multisign-batch", &both, "group", &alices, &bobs, "--no-auto-increment"]).2;
    assert!(refused.contains("transaction 2") && refused.contains("is for sequence 1, and the next one"), "{refused}");
    send(&signed, 9);

    let noted = [pay("bob", "1uaceso", &[]), pay("bob", "1uaceso", &["--note", "mine"])].map(|tx| tx.to_string());
    let [noted, cut, empty, strange] = [
        ("noted", noted.join("\n")),
        ("cut", noted.join("\n").chars().take(noted[0].len() + 20).collect()),
        ("empty", " \n".into()),
        ("strange", format!("{}\n[1]", noted[0])),
    ]
    .map(|(name, text)| chain.file(name, text.as_bytes()));
    for (arguments, words) in [
        (&["sign-batch", &noted, "--append", "--from", "bob"][..], "transaction 2 has a note"),
        (&["sign-batch", &cut, "--from", "bob"], "transaction 2 of"),
        (&["sign-batch", &strange, "--from", "bob"], "is no transaction in JSON"),
        (&["sign-batch", &empty, "--from", "bob"], "there is no transaction in it"),
        (&["sign-batch", &two, &both, "--from", "bob"], "transaction 3: "),
        (&["multisign-batch", &both, "group", &alices, &two], "is no signatures in JSON"),
        (&["multisign-batch", &two, "group", &alices], "does not sign this transaction"),
        (&["multisign-batch", &both, "bob", &alices], "bob is no key of several"),
    ] {
        let (code, said, error) = run(arguments);
        assert!(code == 1 && !said.contains("signer_infos") && error.contains(words), "{arguments:?}: {error}{said}");
    }
    let one = std::fs::read_to_string(&alices).unwrap().lines().next().unwrap().to_owned();
    let one = chain.file("one-signature.json", one.as_bytes());
    let refused = run(&["multisign-batch", &both, "group", &one]).2;
    assert!(refused.contains("has signatures of 1 transactions, and there are 2"), "{refused}");
}

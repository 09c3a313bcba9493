//! The `env` imports: storage, iterators, addresses, queries, messages, cryptography; and regions that do not hold.

use aceso_vm::{Call, DB_KEY_MAX, DB_VALUE_MAX, Entry, ITERATORS_MAX, Lane, VmError, price};
use expect_test::{Expect, expect};

use crate::fixture::{Contract, PLENTY, Tiers, told};
use crate::mock::Mock;

const IMPORTS: &str = r#"
  (import "env" "db_read" (func $db_read (param i32) (result i32)))
  (import "env" "db_write" (func $db_write (param i32 i32)))
  (import "env" "db_remove" (func $db_remove (param i32)))
  (import "env" "db_scan" (func $db_scan (param i32 i32 i32) (result i32)))
  (import "env" "db_next" (func $db_next (param i32) (result i32)))
  (import "env" "db_next_key" (func $db_next_key (param i32) (result i32)))
  (import "env" "db_next_value" (func $db_next_value (param i32) (result i32)))
  (import "env" "addr_validate" (func $addr_validate (param i32) (result i32)))
  (import "env" "addr_canonicalize" (func $addr_canonicalize (param i32 i32) (result i32)))
  (import "env" "addr_humanize" (func $addr_humanize (param i32 i32) (result i32)))
  (import "env" "query_chain" (func $query_chain (param i32) (result i32)))
  (import "env" "debug" (func $debug (param i32)))
  (import "env" "abort" (func $abort (param i32)))"#;

fn contract(execute: &str) -> Vec<u8> {
    Contract { imports: IMPORTS, execute, ..Contract::default() }.wasm()
}

fn mock() -> Mock {
    let store = [("a", "1"), ("b", "22"), ("c", "333")].map(|(key, value)| (key.into(), value.into()));
    Mock { store: store.into(), answer: br#"{"ok":{"ok":"e30="}}"#.to_vec(), query_gas: 1_000, ..Mock::default() }
}

/// Executes with three arguments of the test's choice.
fn run(execute: &str, args: [&[u8]; 3], mock: impl Fn() -> Mock) -> (aceso_vm::Report, Mock) {
    Tiers::new().call(&contract(execute), Entry::Execute, &args, PLENTY, mock)
}

#[track_caller]
fn check(execute: &str, args: [&str; 3], expected: Expect) {
    let (report, _) = run(execute, args.map(str::as_bytes), mock);
    expected.assert_eq(&told(&report));
}

#[test]
fn storage() {
    check("(call $db_read (local.get 0))", ["b", "", ""], expect!["156469600 ok 22"]);
    // Null for a key without a value: then the contract answers with its third argument.
    let or_third = "(local $r i32) (select (local.tee $r (call $db_read (local.get 0))) (local.get 2) (local.get $r))";
    check(or_third, ["nothing", "", "none"], expect!["157923585 ok none"]);
    check(or_third, ["c", "", "none"], expect!["156893025 ok 333"]);

    let (report, left) =
        run("(call $db_write (local.get 0) (local.get 1)) (call $db_read (local.get 0))", [b"k", b"v", b""], mock);
    assert_eq!(report.result.unwrap(), b"v");
    assert_eq!(left.store[&b"k".to_vec()], b"v");
    let (report, left) = run("(call $db_remove (local.get 0)) (local.get 0)", [b"a", b"", b""], mock);
    assert!(report.result.is_ok() && !left.store.contains_key(b"a".as_slice()));
}

#[test]
fn queries_do_not_write() {
    for write in ["(call $db_write (local.get 0) (local.get 1))", "(call $db_remove (local.get 0))"] {
        let (report, left) =
            run(&format!("{write} (local.get 0)"), [b"a", b"x", b""], || Mock { read_only: true, ..mock() });
        assert_eq!(report.result, Err(VmError::ReadOnly));
        assert_eq!(left.store, mock().store);
    }
}

#[test]
fn keys_and_values_have_limits() {
    let write = "(call $db_write (local.get 0) (local.get 1)) (local.get 2)";
    let grown = |execute: &str| {
        Contract { imports: IMPORTS, memory: r#"(memory (export "memory") 16)"#, execute, ..Contract::default() }.wasm()
    };
    let run = |key: usize, value: usize| {
        let (key, value) = (vec![1; key], vec![2; value]);
        Tiers::new().call(&grown(write), Entry::Execute, &[&key, &value, b""], PLENTY, mock).0.result
    };
    assert!(run(DB_KEY_MAX, DB_VALUE_MAX).is_ok());
    assert_eq!(
        run(DB_KEY_MAX + 1, 1),
        Err(VmError::TooLong { what: "key", length: DB_KEY_MAX + 1, limit: DB_KEY_MAX })
    );
    let error = VmError::TooLong { what: "value", length: DB_VALUE_MAX + 1, limit: DB_VALUE_MAX };
    assert_eq!(run(1, DB_VALUE_MAX + 1), Err(error));
}

#[test]
fn storage_costs_what_the_sdk_says() {
    let cost = |execute: &str, args: [&[u8]; 3]| {
        let (report, _) = run(execute, args, mock);
        report.result.unwrap();
        report.gas_used
    };
    let write = "(call $db_write (local.get 0) (local.get 1)) (local.get 0)";
    let [short, long] = [b"1".repeat(10), b"1".repeat(110)].map(|value| cost(write, [b"key", &value, b""]));
    let sdk = aceso_types::gas::WASM_PER_SDK;
    assert_eq!(long - short, 100 * (30 * sdk + price::READ_REGION.each + price::WRITE_REGION.each));
    check(write, ["key", "value", ""], expect!["453521645 ok key"]);
    check("(call $db_remove (local.get 0)) (local.get 0)", ["key", "", ""], expect!["141118105 ok key"]);
}

#[test]
fn iterators() {
    let collect = |next: &str, order: u32| {
        // Walks to the end and answers the last region that was not null.
        format!(
            "(local $it i32) (local $r i32) (local $last i32)
             (local.set $it (call $db_scan (local.get 0) (i32.const 0) (i32.const {order})))
             (block $end (loop $l (br_if $end (i32.eqz (local.tee $r (call ${next} (local.get $it))))) (local.set $last (local.get $r)) (br $l)))
             (local.get $last)"
        )
    };
    check(&collect("db_next_key", 1), ["b", "", ""], expect!["49111885 ok c"]);
    check(&collect("db_next_value", 2), ["b", "", ""], expect!["49113710 ok 22"]);
    // The pair as sections, and two empty ones at the end.
    let next = |times: usize| {
        format!(
            "(local $it i32) (local.set $it (call $db_scan (i32.const 0) (local.get 0) (i32.const 1))) {} (call $db_next (local.get $it))",
            "(drop (call $db_next (local.get $it)))".repeat(times)
        )
    };
    let pair = |times| run(&next(times), [b"b", b"", b""], mock).0.result.unwrap();
    assert_eq!(pair(0), b"a\0\0\0\x011\0\0\0\x01");
    assert_eq!(pair(1), [0; 8]);
    assert_eq!(pair(2), [0; 8]);

    check(
        "(call $db_scan (i32.const 0) (i32.const 0) (i32.const 3))",
        ["", "", ""],
        expect!["715820 err an iterator's order is 1 or 2, not 3"],
    );
    check("(call $db_next (i32.const 1))", ["", "", ""], expect!["4915590 err there is no iterator 1"]);
    check("(call $db_next_key (i32.const -1))", ["", "", ""], expect!["4915590 err there is no iterator 4294967295"]);
    check(
        "(loop $l (drop (call $db_scan (i32.const 0) (i32.const 0) (i32.const 1))) (br $l)) (local.get 0)",
        ["", "", ""],
        expect!["17296920435 err a call opens at most 4096 iterators"],
    );
    assert_eq!(ITERATORS_MAX, 4096);
}

#[test]
fn addresses() {
    let or_text = |call: &str| {
        format!("(local $r i32) (local.set $r {call}) (select (local.get $r) (local.get 1) (local.get $r))")
    };
    let validate = or_text("(call $addr_validate (local.get 0))");
    check(&validate, ["addrjoe", "fine", ""], expect!["2422200 ok fine"]);
    check(&validate, ["joe", "fine", ""], expect!["2659740 ok joe is not an address"]);
    check(&validate, ["", "fine", ""], expect!["1359990 ok Input is empty"]);
    let (report, _) = run(&validate, [&[0xff], b"fine", b""], mock);
    expect!["1397625 ok Input is not valid UTF-8"].assert_eq(&told(&report));
    check(&validate, [&"x".repeat(257), "", ""], expect!["1092210 err address too long: 257 bytes, the limit is 256"]);
    // Into the second region, which has room for nine bytes.
    let canonicalize = or_text("(call $addr_canonicalize (local.get 0) (local.get 1))");
    check(&canonicalize, ["addrjoe", "123456789", ""], expect!["1956760 ok eoj"]);
    check(
        &canonicalize,
        ["addr1234567890", "123456789", ""],
        expect!["1775000 err bad region: region at 4122 of capacity 9 does not take 10 bytes"],
    );
    check(&canonicalize, ["joe", "123456789", ""], expect!["1962705 ok joe is not an address"]);
    let humanize = or_text("(call $addr_humanize (local.get 0) (local.get 1))");
    check(&humanize, ["eoj", "123456789", ""], expect!["2058260 ok addrjoe"]);
    let (report, _) = run(&humanize, [&[0xff], b"123456789", b""], mock);
    expect!["2059530 ok not text"].assert_eq(&told(&report));
    check(&humanize, [&"x".repeat(65), "", ""], expect!["960805 err address too long: 65 bytes, the limit is 64"]);
}

#[test]
fn queries() {
    let query = "(call $query_chain (local.get 0))";
    check(query, ["{}", "", ""], expect![[r#"1363615 ok {"ok":{"ok":"e30="}}"#]]);
    let (dear, _) = run(query, [b"{}", b"", b""], || Mock { query_gas: 1_001_000, ..mock() });
    let (cheap, _) = run(query, [b"{}", b"", b""], mock);
    assert_eq!(dear.gas_used - cheap.gas_used, 1_000_000);
    let (report, _) = run(query, [b"{}", b"", b""], || Mock { query_gas: PLENTY, ..mock() });
    assert_eq!((report.gas_used, report.result), (PLENTY, Err(VmError::OutOfGas { limit: PLENTY })));
    check(
        query,
        ["too much", "", ""],
        expect!["1000000000000 err out of gas: the limit of 1000000000000 wasm gas is used up"],
    );
    let (report, _) = run(query, [b"broken", b"", b""], mock);
    assert!(report.result.unwrap_err().is_local());
}

#[test]
fn messages() {
    check("(call $debug (local.get 0)) (local.get 1)", ["psst", "done", ""], expect!["1121185 ok done"]);
    check("(call $abort (local.get 0)) (local.get 1)", ["it broke", "", ""], expect!["961085 err aborted: it broke"]);
    let (report, _) = run("(call $abort (local.get 0)) (local.get 1)", [b"b\xffd", b"", b""], mock);
    expect!["950660 err aborted: b�d"].assert_eq(&told(&report));

    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = std::sync::Arc::clone(&heard);
    let tiers = Tiers::with(|config| {
        let sink = std::sync::Arc::clone(&sink);
        config.debug = Some(std::sync::Arc::new(move |text: &str| sink.lock().unwrap().push(text.to_owned())));
    });
    let wasm = contract("(call $debug (local.get 0)) (local.get 1)");
    let loud = tiers.call(&wasm, Entry::Execute, &[b"psst", b"done", b""], PLENTY, mock).0;
    assert_eq!(*heard.lock().unwrap(), ["psst", "psst"]);
    let silent = Tiers::new().call(&wasm, Entry::Execute, &[b"psst", b"done", b""], PLENTY, mock).0;
    assert_eq!(loud, silent);
}

#[test]
fn regions_that_do_not_hold() {
    check("(i32.const 0)", ["", "", ""], expect!["695980 err bad region: null pointer"]);
    check(
        "(i32.const 65530)",
        ["", "", ""],
        expect!["695980 err bad region: no region at 65530: the memory has 65536 bytes"],
    );
    check(
        "(i32.const -1)",
        ["", "", ""],
        expect!["695980 err bad region: no region at 4294967295: the memory has 65536 bytes"],
    );
    // All zeros.
    check("(i32.const 1000)", ["", "", ""], expect!["695980 err bad region: region at 1000 begins at zero"]);
    let region = |offset: i64, capacity: i64, length: i64| {
        format!(
            "(i32.store (i32.const 1000) (i32.const {offset})) (i32.store (i32.const 1004) (i32.const {capacity})) (i32.store (i32.const 1008) (i32.const {length})) (i32.const 1000)"
        )
    };
    check(&region(16, 0, 0), ["", "", ""], expect!["897015 ok "]);
    check(
        &region(16, 4, 5),
        ["", "", ""],
        expect!["697015 err bad region: region at 1000 of capacity 4 holds 5 bytes"],
    );
    check(
        &region(65_530, 7, 7),
        ["", "", ""],
        expect!["897820 err bad region: region at 1000: 7 bytes at 65530 end outside the memory of 65536 bytes"],
    );
    check(
        &region(-1, -1, 1),
        ["", "", ""],
        expect!["897130 err bad region: region at 1000: 1 bytes at 4294967295 end outside the memory of 65536 bytes"],
    );
    check(
        &region(16, -1, 9 << 20),
        ["", "", ""],
        expect!["1086173175 err result too long: 9437184 bytes, the limit is 8388608"],
    );
    check(
        &region(16, -1, -1),
        ["", "", ""],
        expect!["493922135940 err result too long: 4294967295 bytes, the limit is 8388608"],
    );
    // One that the host should fill.
    check(
        &format!(
            "(drop {}) (drop (call $addr_canonicalize (local.get 0) (i32.const 1000))) (local.get 0)",
            region(65_535, 64, 0)
        ),
        ["addrjoe", "", ""],
        expect!["1752205 err bad region: region at 1000: 3 bytes at 65535 end outside the memory of 65536 bytes"],
    );
}

#[test]
fn allocate_that_misbehaves() {
    let allocate = |body: &str| {
        let allocate = format!("(func $allocate (export \"allocate\") (param i32) (result i32) {body})");
        let wasm =
            Contract { imports: IMPORTS, allocate: &allocate, execute: "(local.get 2)", ..Contract::default() }.wasm();
        told(&Tiers::new().run(&wasm, PLENTY, mock).0)
    };
    expect!["115 err bad region: null pointer"].assert_eq(&allocate("(i32.const 0)"));
    expect!["115 err wasm trap: unreachable executed"].assert_eq(&allocate("unreachable"));
    expect!["1000000000000 err out of gas: the limit of 1000000000000 wasm gas is used up"]
        .assert_eq(&allocate("(loop $l (br $l)) (i32.const 0)"));
    // Regions of no room.
    expect!["235590 err bad region: region at 500 of capacity 0 does not take 9 bytes"]
        .assert_eq(&allocate("(i32.store (i32.const 500) (i32.const 16)) (i32.const 500)"));
    // The host calls `allocate`, which calls the host, which would call `allocate`.
    expect!["19725 err bad region: null pointer"].assert_eq(&allocate("(call $query_chain (i32.const 0))"));
    expect!["221875 err `allocate` may not call imports that allocate"].assert_eq(&allocate(
        "(i32.store (i32.const 500) (i32.const 16)) (i32.store (i32.const 504) (i32.const 16)) (i32.store (i32.const 508) (i32.const 1)) (call $query_chain (i32.const 500))",
    ));
}

#[test]
fn entries_and_arguments() {
    let extra = r#"(func (export "migrate") (param i32 i32) (result i32) local.get 1)"#;
    let two = Contract { extra, ..Contract::default() }.wasm();
    let three =
        Contract { extra: &extra.replace("i32 i32", "i32 i32 i32").replace("get 1", "get 2"), ..Contract::default() }
            .wasm();
    let tiers = Tiers::new();
    let migrate = |wasm: &[u8], args: &[&[u8]]| tiers.call(wasm, Entry::Migrate, args, PLENTY, mock).0.result;
    assert_eq!(migrate(&two, &[b"env", b"msg"]).unwrap(), b"msg");
    // The migrate info is left away where it is not taken.
    assert_eq!(migrate(&two, &[b"env", b"msg", b"info"]).unwrap(), b"msg");
    assert_eq!(migrate(&three, &[b"env", b"msg", b"info"]).unwrap(), b"info");
    let error = VmError::Arguments { entry: Entry::Migrate, want: 3, got: 2 };
    assert_eq!(migrate(&three, &[b"env", b"msg"]), Err(error));
    let (report, _) = tiers.call(&two, Entry::Query, &[b"env", b"msg"], PLENTY, mock);
    assert_eq!((report.gas_used, report.result), (0, Err(VmError::MissingEntry { entry: Entry::Query })));
    let (report, _) = tiers.call(&two, Entry::Execute, &[], PLENTY, mock);
    assert_eq!(report.result, Err(VmError::Arguments { entry: Entry::Execute, want: 3, got: 0 }));
}

#[test]
fn unknown_code_is_this_nodes_problem() {
    let tiers = Tiers::new();
    let checksum = aceso_types::Digest([1; 32]);
    let call = Call { checksum: &checksum, entry: Entry::Query, args: &[], gas_limit: 1, lane: Lane::Block };
    for vm in &tiers.vms {
        assert!(!vm.has(&checksum));
        assert!(vm.call(&call, &mut mock()).result.unwrap_err().is_local());
    }
}

/// What `import` answers to these regions: the digits of its code, then what it allocated or wrote into the last region.
fn crypto(import: &str, regions: &[&[u8]], scalars: &str) -> String {
    let [a, b, c] = [0, 1, 2].map(|i| regions.get(i).copied().unwrap_or(b"spare"));
    let params = (import.contains("hash_to").then_some("(i32.const 0)"), regions.len());
    let gets: String = (0..params.1).map(|i| format!("(local.get {i})")).collect();
    let wide = import.contains("recover");
    let count = params.1 + usize::from(params.0.is_some()) + usize::from(!scalars.is_empty());
    let declared = format!(
        r#"(import "env" "{import}" (func $f (param {}) (result {})))"#,
        "i32 ".repeat(count),
        if wide { "i64" } else { "i32" }
    );
    let call = format!("(call $f {} {gets} {scalars})", params.0.unwrap_or_default());
    let execute = if wide {
        // The region in the lower half, or the code in the upper as one letter in the third argument.
        format!(
            "(local $r i64) (local.set $r {call})
             (if (i64.ne (i64.shr_u (local.get $r) (i64.const 32)) (i64.const 0)) (then
               (i32.store8 offset=12 (local.get 2) (i32.wrap_i64 (i64.add (i64.const 48) (i64.shr_u (local.get $r) (i64.const 32)))))
               (i32.store offset=8 (local.get 2) (i32.const 1)) (return (local.get 2))))
             (i32.wrap_i64 (local.get $r))"
        )
    } else {
        format!(
            "(local $r i32) (local.set $r {call})
             (i32.store8 offset=12 (local.get 2) (i32.add (i32.const 48) (local.get $r))) (i32.store offset=8 (local.get 2) (i32.const 1)) (local.get 2)"
        )
    };
    let wasm = Contract { imports: &declared, execute: &execute, ..Contract::default() }.wasm();
    let (report, _) = Tiers::new().call(&wasm, Entry::Execute, &[a, b, c], PLENTY, mock);
    match report.result {
        Ok(bytes) if bytes.len() == 1 => String::from_utf8(bytes).unwrap(),
        Ok(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Err(error) => error.to_string(),
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn secp256k1() {
    // Ethereum's example in cosmwasm-crypto's documentation of recovery (EIP-712 of a mail to Bob).
    let hash = hex("5ae8317d34d1e595e3fa7247db80c0af4320cce1116de187f8f7e2e099c0d8d0");
    let signature = hex(
        "45c0b7f8c09a9e1f1cea0c25785594427b6bf8f9f878a8af0b1abbb48e16d0920d8becd0c220f67c51217eecfd7184ef0732481c843857e6bc7fc095c4f6b788",
    );
    let key = crypto("secp256k1_recover_pubkey", &[&hash, &signature], "(i32.const 1)");
    expect!["044a071e8a6e10aada2b8cf39fa3b5fb3400b04e99ea8ae64ceea1a977dbeaf5d5f8c8fbd10b71ab14cd561f7df8eb6da50f8a8d81ba564342244d26d1d4211595"].assert_eq(&key);
    let key = hex(&key);
    assert_eq!(crypto("secp256k1_verify", &[&hash, &signature, &key], ""), "0");
    let mut other = hash.clone();
    other[0] ^= 1;
    assert_eq!(crypto("secp256k1_verify", &[&other, &signature, &key], ""), "1");
    assert_eq!(crypto("secp256k1_verify", &[&hash[1..], &signature, &key], ""), "3");
    assert_eq!(crypto("secp256k1_verify", &[&hash, &signature[1..], &key], ""), "4");
    assert_eq!(crypto("secp256k1_verify", &[&hash, &signature, &key[1..]], ""), "5");
    assert_eq!(crypto("secp256k1_recover_pubkey", &[&hash, &signature], "(i32.const 2)"), "6");
    assert_eq!(crypto("secp256k1_recover_pubkey", &[&hash, &signature], "(i32.const 256)"), "6");
    expect!["hash too long: 33 bytes, the limit is 32"].assert_eq(&crypto(
        "secp256k1_verify",
        &[&[0; 33], &signature, &key],
        "",
    ));
}

#[test]
fn ed25519() {
    // RFC 8032, 7.1, test 2.
    let message = hex("72");
    let key = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    let signature = hex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    assert_eq!(crypto("ed25519_verify", &[&message, &signature, &key], ""), "0");
    assert_eq!(crypto("ed25519_verify", &[b"other", &signature, &key], ""), "1");
    assert_eq!(crypto("ed25519_verify", &[&message, &signature[1..], &key], ""), "4");

    let section = |part: &[u8]| [part, &(part.len() as u32).to_be_bytes()].concat();
    let [messages, signatures, keys] = [&message, &signature, &key].map(|part| section(part).repeat(3));
    assert_eq!(crypto("ed25519_batch_verify", &[&messages, &signatures, &keys], ""), "0");
    assert_eq!(crypto("ed25519_batch_verify", &[&section(&message), &signatures, &keys], ""), "0");
    assert_eq!(crypto("ed25519_batch_verify", &[&section(b"other"), &signatures, &keys], ""), "1");
    assert_eq!(crypto("ed25519_batch_verify", &[&messages, &signatures, &keys[..72]], ""), "7");
    expect!["messages are not a list of at most 256 sections in 3 bytes"].assert_eq(&crypto(
        "ed25519_batch_verify",
        &[b"odd", &signatures, &keys],
        "",
    ));
    expect!["messages are not a list of at most 256 sections in 1028 bytes"].assert_eq(&crypto(
        "ed25519_batch_verify",
        &[&[0; 4 * 257], &signatures, &keys],
        "",
    ));
}

#[test]
fn other_curves() {
    let hash = [7; 32];
    assert_eq!(crypto("secp256r1_verify", &[&hash, &[1; 64], &[4; 65]], ""), ":"); // 10: not on the curve
    assert_eq!(crypto("secp256r1_recover_pubkey", &[&hash, &[1; 64]], "(i32.const 300)"), "6");
    // The generator of G1, and it added to itself through the points at hand.
    let g1 = hex("97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb");
    assert_eq!(crypto("bls12_381_aggregate_g1", &[&g1, &[0; 48]], ""), "0");
    assert_eq!(crypto("bls12_381_aggregate_g1", &[b"", &[0; 48]], ""), ">"); // 14: no points
    assert_eq!(crypto("bls12_381_aggregate_g1", &[&g1[1..], &[0; 48]], ""), "?"); // 15: not a multiple
    assert_eq!(crypto("bls12_381_aggregate_g2", &[&[0; 96], &[0; 96]], ""), "8");
    assert_eq!(crypto("bls12_381_hash_to_g1", &[b"message", b"tag", &[0; 48]], ""), "0");
    assert_eq!(crypto("bls12_381_hash_to_g2", &[b"message", b"tag", &[0; 96]], ""), "0");
    expect!["bad region: region at 4130 of capacity 47 does not take 48 bytes"].assert_eq(&crypto(
        "bls12_381_hash_to_g1",
        &[b"message", b"tag", &[0; 47]],
        "",
    ));
    let pairing = r#"(import "env" "bls12_381_pairing_equality" (func $f (param i32 i32 i32 i32) (result i32)))"#;
    // No pairs on the left: the right must be one.
    let execute = "(i32.store8 offset=12 (local.get 2) (i32.add (i32.const 48) (call $f (local.get 0) (local.get 0) (local.get 1) (local.get 2)))) (i32.store offset=8 (local.get 2) (i32.const 1)) (local.get 2)";
    let wasm = Contract { imports: pairing, execute, ..Contract::default() }.wasm();
    let answer = |g1: &[u8], g2: &[u8]| told(&Tiers::new().call(&wasm, Entry::Execute, &[&[], g1, g2], PLENTY, mock).0);
    let (mut zero1, mut zero2) = ([0; 48], [0; 96]);
    (zero1[0], zero2[0]) = (0xc0, 0xc0);
    expect!["1639815610 ok 0"].assert_eq(&answer(&zero1, &zero2));
    expect!["1639815610 ok 8"].assert_eq(&answer(&g1, &[0; 96]));
}

//! Where a call failed, for people; and that nothing else depends on it.

use aceso_vm::{BACKTRACE_FRAMES_MAX, BACKTRACE_NAME_MAX, Call, Entry, Lane, Report};
use wasm_encoder::{CustomSection, Encode, Section};

use crate::fixture::{Contract, PLENTY, Tiers, execute};
use crate::mock::Mock;

/// Traps three functions deep.
const NESTED: &str = "(func $inner (param i32) (drop (i32.div_u (i32.const 1) (local.get 0))))
    (func $outer (param i32) (call $inner (local.get 0)) (call $inner (i32.const 0)))";

fn nested() -> Vec<u8> {
    Contract { extra: NESTED, execute: "(call $outer (i32.const 1)) (local.get 2)", ..Contract::default() }.wasm()
}

/// What both tiers say of a call that fails.
#[track_caller]
fn failed(wasm: &[u8]) -> Report {
    let tiers = Tiers::new();
    let [first, second] = tiers.vms.each_ref().map(|vm| {
        let checksum = vm.put(wasm).unwrap().checksum;
        let args: [&[u8]; 3] = [b"env", b"info", b"msg"];
        let call =
            Call { checksum: &checksum, entry: Entry::Execute, args: &args, gas_limit: PLENTY, lane: Lane::Block };
        vm.call(&call, &mut Mock::default())
    });
    assert_eq!(first, second);
    assert_eq!(first.backtrace, second.backtrace);
    assert!(first.result.is_err());
    first
}

#[track_caller]
fn frames(wasm: &[u8]) -> Vec<String> {
    failed(wasm).backtrace.unwrap().frames().to_vec()
}

/// The module without what it says behind its code and data.
fn nameless(wasm: &[u8]) -> Vec<u8> {
    let mut bare = wasm[..8].to_vec();
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        if let Some((id, range)) = payload.unwrap().as_section()
            && id != 0
        {
            wasm_encoder::RawSection { id, data: &wasm[range] }.append_to(&mut bare);
        }
    }
    bare
}

/// The module with a name section of these bytes, and no other.
fn named(wasm: &[u8], data: &[u8]) -> Vec<u8> {
    let mut wasm = nameless(wasm);
    CustomSection { name: "name".into(), data: data.into() }.append_to(&mut wasm);
    wasm
}

/// A part of a name section that names functions.
fn function_names(names: &[(u32, &[u8])]) -> Vec<u8> {
    let mut map = Vec::new();
    names.len().encode(&mut map);
    for (index, name) in names {
        index.encode(&mut map);
        name.encode(&mut map);
    }
    let mut part = vec![1];
    map.encode(&mut part);
    part
}

#[test]
fn a_trap_shows_the_functions_it_came_through() {
    let report = failed(&nested());
    let backtrace = report.backtrace.unwrap();
    // `execute` has no name in the module, and its index is behind four others.
    assert_eq!(backtrace.frames(), ["inner", "outer", "function 5"]);
    assert_eq!(backtrace.to_string(), "inner < outer < function 5");
}

#[test]
fn a_refusal_by_the_host_shows_where_it_was_asked() {
    let imports = r#"(import "env" "abort" (func $abort (param i32)))"#;
    let extra = "(func $give_up (param i32) (call $abort (local.get 0)))";
    let execute = "(call $give_up (local.get 2)) (local.get 2)";
    let report = failed(&Contract { imports, extra, execute, ..Contract::default() }.wasm());
    assert_eq!(report.result.unwrap_err().to_string(), "aborted: msg");
    assert_eq!(report.backtrace.unwrap().frames(), ["give_up", "function 5"]);
}

#[test]
fn a_trap_inside_of_allocate_shows_who_had_the_host_call_it() {
    let imports = r#"(import "env" "db_read" (func $db_read (param i32) (result i32)))"#;
    let allocate = format!("(global $calls (mut i32) (i32.const 0)) {}", crate::fixture::ALLOCATE).replace(
        "(local.set $r (global.get $heap))",
        "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
         (if (i32.gt_u (global.get $calls) (i32.const 3)) (then unreachable))
         (local.set $r (global.get $heap))",
    );
    let extra = "(func $look (param i32) (drop (call $db_read (local.get 0))))";
    let execute = "(call $look (local.get 2)) (local.get 2)";
    let wasm = Contract { imports, allocate: &allocate, extra, execute, ..Contract::default() }.wasm();
    let tiers = Tiers::new();
    let [first, second] = tiers.vms.each_ref().map(|vm| {
        let checksum = vm.put(&wasm).unwrap().checksum;
        let mut mock = Mock::default();
        mock.store.insert(b"msg".to_vec(), b"value".to_vec());
        let args: [&[u8]; 3] = [b"env", b"info", b"msg"];
        let call =
            Call { checksum: &checksum, entry: Entry::Execute, args: &args, gas_limit: PLENTY, lane: Lane::Block };
        vm.call(&call, &mut mock).backtrace.unwrap()
    });
    assert_eq!(first, second);
    assert_eq!(first.frames(), ["allocate", "look", "function 5"]);
}

#[test]
fn a_call_that_ends_well_or_never_began_shows_nothing() {
    let tiers = Tiers::new();
    assert_eq!(tiers.run(&execute("(local.get 2)"), PLENTY, Mock::default).0.backtrace, None);
    assert_eq!(tiers.call(&execute("unreachable"), Entry::Query, &[b"", b""], PLENTY, Mock::default).0.backtrace, None);
    // The code ran well, and what it answered is no region.
    assert_eq!(failed(&execute("(i32.const 0)")).backtrace, None);
}

#[test]
fn names_change_nothing_but_the_backtrace() {
    let (with, without) = (failed(&nested()), failed(&nameless(&nested())));
    assert_eq!(with, without);
    assert_eq!(without.backtrace.unwrap().frames(), ["function 3", "function 4", "function 5"]);
}

#[test]
fn deep_recursion_shows_its_innermost_frames() {
    let extra = "(func $down (call $down))";
    let wasm = Contract { extra, execute: "(call $down) (local.get 2)", ..Contract::default() }.wasm();
    assert_eq!(frames(&wasm), vec!["down"; BACKTRACE_FRAMES_MAX]);
}

#[test]
fn running_out_of_gas_shows_where() {
    let extra = "(func $spin (loop $l (br $l)))";
    let wasm = Contract { extra, execute: "(call $spin) (local.get 2)", ..Contract::default() }.wasm();
    let (report, _) = Tiers::new().run(&wasm, 10_000_000, Mock::default);
    assert_eq!(report.backtrace.unwrap().frames(), ["spin", "function 4"]);
}

/// Whatever stands in a name section: the same result, and no name that is long or tampers with a terminal.
#[test]
fn hostile_names_are_cut_left_out_or_overruled() {
    let plain = failed(&nameless(&nested()));
    let unnamed = ["function 3", "function 4", "function 5"];
    let long = "x".repeat(1 << 20);
    let cut = "x".repeat(BACKTRACE_NAME_MAX);
    let all = |name: &'static [u8]| function_names(&[(3, name), (4, name), (5, name)]);
    let mut twice = function_names(&[(3, b"first"), (3, b"second")]);
    twice.extend(function_names(&[(4, b"third"), (3, b"fourth")]));
    let mut overlong = function_names(&[(3, b"kept"), (4, b"lost")]);
    overlong[1] += 100;
    let mut torn = function_names(&[(3, b"kept"), (4, b"lost")]);
    torn[2] = 200;
    let many: Vec<(u32, &[u8])> = (0..200_000).map(|index| (index, b"n".as_slice())).collect();
    let cases: [(&str, Vec<u8>, [&str; 3]); 11] = [
        ("nothing", vec![], unnamed),
        ("garbage", b"\x01\xff\xff\xff\xff\xff\xff".to_vec(), unnamed),
        ("no text", function_names(&[(3, b"kept"), (4, b"\xff\xfe"), (5, b"lost")]), ["kept", unnamed[1], unnamed[2]]),
        ("long", function_names(&[(3, long.as_bytes())]), [&cut, unnamed[1], unnamed[2]]),
        ("a terminal's language", all(b"\x1b[2J\nline"), ["?[2J?line"; 3]),
        ("empty", all(b""), [""; 3]),
        ("twice", twice, ["first", "third", unnamed[2]]),
        ("out of order", function_names(&[(5, b"c"), (3, b"a"), (4, b"b")]), ["a", "b", "c"]),
        ("no such function", function_names(&[(6, b"six"), (u32::MAX, b"max")]), unnamed),
        ("many", function_names(&many), ["n"; 3]),
        ("part that ends behind the section", overlong, unnamed),
    ];
    for (case, section, expected) in cases {
        let report = failed(&named(&nested(), &section));
        assert_eq!(report, plain, "{case}");
        assert_eq!(report.backtrace.unwrap().frames(), expected, "{case}");
    }
    assert_eq!(failed(&named(&nested(), &torn)), plain);
}

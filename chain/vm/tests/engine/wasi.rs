//! The subset of WASI, and `_initialize`.

use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};

use crate::fixture::{Contract, PLENTY, Tiers, told};
use crate::mock::Mock;

const IMPORTS: &str = r#"
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))"#;

/// Answers the sum of this number and 48 as one character.
fn digit(number: &str) -> String {
    format!(
        "(i32.store8 offset=12 (local.get 2) (i32.add (i32.const 48) {number})) (i32.store offset=8 (local.get 2) (i32.const 1)) (local.get 2)"
    )
}

#[track_caller]
fn check(extra: &str, execute: &str, expected: Expect) {
    let wasm = Contract { imports: IMPORTS, extra, execute, ..Contract::default() }.wasm();
    let heard = Arc::new(Mutex::new(String::new()));
    let tiers = Tiers::with(|config| {
        let heard = Arc::clone(&heard);
        config.debug = Some(Arc::new(move |text: &str| heard.lock().unwrap().push_str(text)));
    });
    let (report, _) = tiers.run(&wasm, PLENTY, Mock::default);
    expected.assert_eq(&format!("{} {:?}", told(&report), heard.lock().unwrap()));
}

#[test]
fn there_is_no_environment() {
    let body = "(i32.store (i32.const 100) (i32.const 9)) (i32.store (i32.const 104) (i32.const 9))
      (drop (call $args_sizes_get (i32.const 100) (i32.const 104)))
      (drop (call $environ_sizes_get (i32.const 100) (i32.const 104)))
      (drop (call $environ_get (i32.const 0) (i32.const 0))) (drop (call $args_get (i32.const -1) (i32.const -1)))";
    check(
        "",
        &format!("{body} {}", digit("(i32.add (i32.load (i32.const 100)) (i32.load (i32.const 104)))")),
        expect![[r#"993945 ok 0 """#]],
    );
    check("", &digit("(call $environ_sizes_get (i32.const 65533) (i32.const 0))"), expect![[r#"932700 ok E """#]]);
}

#[test]
fn printing() {
    let extra = r#"(data (i32.const 200) "hello world") (data (i32.const 300) "\c8\00\00\00\05\00\00\00\cd\00\00\00\06\00\00\00")"#;
    check(
        extra,
        &digit("(call $fd_write (i32.const 1) (i32.const 300) (i32.const 2) (i32.const 400))"),
        expect![[r#"934195 ok 0 "hello worldhello world""#]],
    );
    check(
        extra,
        &format!(
            "(drop (call $fd_write (i32.const 2) (i32.const 300) (i32.const 1) (i32.const 400))) {}",
            digit("(i32.load (i32.const 400))")
        ),
        expect![[r#"933850 ok 5 "hellohello""#]],
    );
    // No such file, too many buffers, a list and a buffer that lead outside, a result that has no place.
    check(
        extra,
        &digit("(call $fd_write (i32.const 3) (i32.const 300) (i32.const 2) (i32.const 400))"),
        expect![[r#"932930 ok 8 """#]],
    );
    check(
        extra,
        &digit("(call $fd_write (i32.const 1) (i32.const 300) (i32.const 65) (i32.const 400))"),
        expect![[r#"932930 ok L """#]],
    );
    check(
        extra,
        &digit("(call $fd_write (i32.const 1) (i32.const -4) (i32.const 1) (i32.const 400))"),
        expect![[r#"932930 ok E """#]],
    );
    check(
        extra,
        &digit("(call $fd_write (i32.const 1) (i32.const 308) (i32.const 1) (i32.const 65534))"),
        expect![[r#"933620 ok E """#]],
    );
    let wild = r#"(data (i32.const 300) "\ff\ff\00\00\ff\00\00\00\00\00\00\00\ff\ff\ff\0f")"#;
    check(
        wild,
        &digit("(call $fd_write (i32.const 1) (i32.const 300) (i32.const 1) (i32.const 400))"),
        expect![[r#"962255 ok E """#]],
    );
    check(
        wild,
        &digit("(call $fd_write (i32.const 1) (i32.const 308) (i32.const 1) (i32.const 400))"),
        expect![[r#"30871010255 ok L """#]],
    );
}

#[test]
fn exit_ends_the_call() {
    check(
        "",
        "(call $proc_exit (i32.const 3)) (local.get 2)",
        expect![[r#"731665 err the contract exited with status 3 """#]],
    );
}

#[test]
fn initialize_runs_once_before_all() {
    let extra = r#"(global $ran (mut i32) (i32.const 0))
      (func (export "_initialize") (global.set $ran (i32.add (global.get $ran) (i32.const 1))))"#;
    check(extra, &digit("(global.get $ran)"), expect![[r#"913435 ok 1 """#]]);
    check(
        r#"(func (export "_initialize") unreachable)"#,
        "(local.get 2)",
        expect![[r#"115 err wasm trap: unreachable executed """#]],
    );
}

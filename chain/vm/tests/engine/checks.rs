//! What the static checks refuse, and in which words.

use std::collections::BTreeSet;

use aceso_vm::{CheckError, Entry, Vm, VmConfig, VmError};
use expect_test::{Expect, expect};

use crate::fixture::{ALLOCATE, Contract, checksum};

fn vm() -> (tempfile::TempDir, Vm) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = VmConfig::new(dir.path());
    (config.instances, config.block_instances) = (1, 1);
    let vm = Vm::new(config).unwrap();
    (dir, vm)
}

#[track_caller]
fn check_wasm(wasm: &[u8], expected: Expect) {
    let (_dir, vm) = vm();
    let found = match (vm.check(wasm), vm.put(wasm)) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first, second);
            format!("{:?} {:?} {:?}", first.entry_points, first.capabilities, first.migrate_version)
        }
        (Err(first), Err(second)) => {
            assert_eq!(first, second);
            assert!(!vm.has(&checksum(wasm)));
            first.to_string()
        }
        (check, put) => panic!("check says {check:?}, put says {put:?}"),
    };
    expected.assert_eq(&found);
}

#[track_caller]
fn check(contract: &Contract<'_>, expected: Expect) {
    check_wasm(&contract.wasm(), expected);
}

#[track_caller]
fn check_extra(extra: &str, expected: Expect) {
    check(&Contract { extra, ..Contract::default() }, expected);
}

#[track_caller]
fn check_body(execute: &str, expected: Expect) {
    check(&Contract { execute, ..Contract::default() }, expected);
}

#[test]
fn a_sound_contract_passes() {
    check(&Contract::default(), expect!["{Execute} {} None"]);
    let extra = r#"(func (export "query") (param i32 i32) (result i32) local.get 0)
        (func (export "migrate") (param i32 i32 i32) (result i32) local.get 0)
        (func (export "requires_iterator")) (func (export "requires_aceso"))
        (@custom "cw_migrate_version" "17") (@custom "name" "ignored")"#;
    check_extra(extra, expect![[r#"{Execute, Query, Migrate} {"aceso", "iterator"} Some(17)"#]]);
}

#[test]
fn garbage() {
    check_wasm(b"", expect!["invalid wasm at offset 0x0: the bytes do not begin as wasm does"]);
    check_wasm(b"\0asm", expect!["invalid wasm at offset 0x4: unexpected end-of-file"]);
    check_wasm(b"not wasm at all", expect!["invalid wasm at offset 0x0: the bytes do not begin as wasm does"]);
    check_wasm(&[0x1f, 0x8b, 8, 0], expect!["invalid wasm at offset 0x0: the bytes do not begin as wasm does"]);
    let wasm = Contract::default().wasm();
    check_wasm(&wasm[..wasm.len() - 1], expect!["invalid wasm at offset 0xad: unexpected end-of-file"]);
    check_wasm(&wat::parse_str("(component)").unwrap(), expect!["components not allowed: header at offset 0x0"]);
    check_wasm(&vec![0; (3 << 20) + 1], expect!["too many bytes of wasm: 3145729, the limit is 3145728"]);
}

#[test]
fn refused_instructions_are_named() {
    check_body(
        "(drop (v128.const i64x2 1 2)) (local.get 2)",
        expect!["SIMD not allowed: `v128_const` in function 3 at offset 0xa8"],
    );
    check_body(
        "(drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 1 2))) (local.get 2)",
        expect!["SIMD not allowed: `v128_const` in function 3 at offset 0xa8"],
    );
    check_body(
        "(drop (i32.atomic.load (i32.const 0))) (local.get 2)",
        expect!["threads not allowed: `i32_atomic_load` in function 3 at offset 0xaa"],
    );
    check_body(
        "(return_call $allocate (local.get 2))",
        expect!["tail calls not allowed: `return_call` in function 3 at offset 0xaa"],
    );
    check_body(
        "(drop (ref.null func)) (local.get 2)",
        expect!["reference types not allowed: `ref_null` in function 3 at offset 0xa8"],
    );
    check_body(
        "(drop (ref.func $allocate)) (local.get 2)",
        expect!["reference types not allowed: `ref_func` in function 3 at offset 0xa8"],
    );
    check_body(
        "(drop (ref.i31 (i32.const 1))) (local.get 2)",
        expect!["garbage collection not allowed: `ref_i31` in function 3 at offset 0xaa"],
    );
    check_body(
        "(drop (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0))) drop (local.get 2)",
        expect!["wide arithmetic not allowed: `i64_add128` in function 3 at offset 0xb0"],
    );
    check_body(
        "(memory.discard (i32.const 0) (i32.const 0)) (local.get 2)",
        expect!["memory control not allowed: `memory_discard` in function 3 at offset 0xac"],
    );
    check_body(
        "(block (try_table (catch_all 0))) (local.get 2)",
        expect!["exceptions not allowed: `try_table` in function 3 at offset 0xaa"],
    );
    check_body("(local v128) (local.get 2)", expect!["SIMD not allowed: `local` in function 3 at offset 0xa7"]);
    check_body(
        "(local externref) (local.get 2)",
        expect!["reference types not allowed: `local` in function 3 at offset 0xa7"],
    );
    check_body(
        "(i32.const 1) (block (param i32) drop) (local.get 2)",
        expect!["multiple values in blocks not allowed: `block` in function 3 at offset 0xaa"],
    );
    let table = |execute| Contract { extra: "(table 1 1 funcref)", execute, ..Contract::default() };
    check(
        &table("(drop (table.get (i32.const 0))) (local.get 2)"),
        expect!["reference types not allowed: `table_get` in function 3 at offset 0xb1"],
    );
    check(
        &table("(drop (table.grow (ref.null func) (i32.const 1))) (local.get 2)"),
        expect!["reference types not allowed: `ref_null` in function 3 at offset 0xaf"],
    );
    check(
        &table("(table.copy (i32.const 0) (i32.const 0) (i32.const 0)) (local.get 2)"),
        expect!["bulk table operations not allowed: `table_copy` in function 3 at offset 0xb5"],
    );
}

#[test]
fn refused_parts_are_named() {
    check_extra("(func (param v128))", expect!["SIMD not allowed: function type at offset 0x17"]);
    check_extra(
        "(func (result externref) unreachable)",
        expect!["reference types not allowed: function type at offset 0x17"],
    );
    check_extra("(global v128 (v128.const i64x2 0 0))", expect!["SIMD not allowed: global at offset 0x33"]);
    check_extra("(table 1 1 externref)", expect!["reference types not allowed: table at offset 0x28"]);
    check_extra("(table i64 1 1 funcref)", expect!["memory64 not allowed: table at offset 0x28"]);
    check_extra("(tag)", expect!["exceptions not allowed: tag section at offset 0x2c"]);
    check_extra("(memory 1)", expect!["multiple memories not allowed: memory at offset 0x2a"]);
    check_extra(
        "(type (struct))",
        expect!["invalid wasm at offset 0xb: struct indexed types not supported without the gc feature"],
    );
    check_extra(
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
        expect!["invalid wasm at offset 0x39: constant expression required: non-constant operator: i32.add"],
    );
    check_extra("(func $f) (start $f)", expect!["a start function is not allowed: function 3"]);
    check_extra(
        "(func (result i32 i32) unreachable)",
        expect!["too many results of a function type: 2, the limit is 1"],
    );
}

#[test]
fn memories() {
    let memory = |memory| Contract { memory, ..Contract::default() };
    check(&memory(r#"(memory (export "memory") 512)"#), expect!["{Execute} {} None"]);
    check(&memory(r#"(memory (export "memory") 513)"#), expect!["too many pages of memory: 513, the limit is 512"]);
    check(&memory(r#"(memory (export "memory") 1 512)"#), expect!["{Execute} {} None"]);
    check(&memory(r#"(memory (export "memory") 1 513)"#), expect!["too many pages of memory: 513, the limit is 512"]);
    check(&memory(r#"(memory (export "memory") i64 1)"#), expect!["memory64 not allowed: memory at offset 0x28"]);
    check(&memory(r#"(memory (export "memory") 1 1 shared)"#), expect!["threads not allowed: memory at offset 0x28"]);
    check(
        &memory(r#"(memory (export "memory") 1 (pagesize 1))"#),
        expect!["custom page sizes not allowed: memory at offset 0x28"],
    );
    check(&memory("(memory 1)"), expect!["missing export `memory`: the memory"]);
    check(
        &Contract {
            memory: "",
            allocate: "(func $allocate (export \"allocate\") (param i32) (result i32) local.get 0)",
            ..Contract::default()
        },
        expect!["a contract has exactly one memory, not 0"],
    );
    check(
        &Contract { memory: "", imports: r#"(import "env" "memory" (memory 1))"#, ..Contract::default() },
        expect!["a contract has exactly one memory, not 0"],
    );
}

#[test]
fn tables() {
    check_extra("(table 2500 2500 funcref)", expect!["{Execute} {} None"]);
    check_extra("(table 2501 2501 funcref)", expect!["too many table elements: 2501, the limit is 2500"]);
    check_extra("(table 1 2501 funcref)", expect!["too many table elements: 2501, the limit is 2500"]);
    check_extra("(table 1 funcref)", expect!["the table needs a maximum of at most 2500 elements"]);
    check_extra("(table 1 1 funcref) (table 1 1 funcref)", expect!["too many tables: 2, the limit is 1"]);
    check(
        &Contract { imports: r#"(import "env" "table" (table 1 1 funcref))"#, ..Contract::default() },
        expect!["unknown import `env.table`"],
    );
}

#[test]
fn segments() {
    check_extra(r#"(data (i32.const 65535) "x")"#, expect!["{Execute} {} None"]);
    check_extra(r#"(data (i32.const 65535) "xy")"#, expect!["data segment 0: it ends outside the initial memory"]);
    check_extra(r#"(data (i32.const -1) "x")"#, expect!["data segment 0: it ends outside the initial memory"]);
    check_extra(
        "(table 1 1 funcref) (elem (i32.const 1) $allocate)",
        expect!["element segment 0: it ends outside the table"],
    );
    check_extra(
        "(table 1 1 funcref) (elem func $allocate)",
        expect!["element segment 0: only active segments are allowed"],
    );
    check_extra("(elem declare func $allocate)", expect!["element segment 0: only active segments are allowed"]);
    let bomb = format!(
        "(table 2500 2500 funcref) (elem (i32.const 0) {}) (elem (i32.const 0) $allocate)",
        "$allocate ".repeat(2500)
    );
    check_extra(&bomb, expect!["too many elements in segments: 2501, the limit is 2500"]);
}

#[test]
fn counts() {
    let import = r#"(import "env" "db_read" (func (param i32) (result i32)))"#;
    check(&Contract { imports: &import.repeat(100), ..Contract::default() }, expect!["{Execute} {} None"]);
    check(
        &Contract { imports: &import.repeat(101), ..Contract::default() },
        expect!["too many imports: 101, the limit is 100"],
    );
    check_extra(&"(func)".repeat(19_996), expect!["{Execute} {} None"]);
    check_extra(&"(func)".repeat(19_997), expect!["too many functions: 20001, the limit is 20000"]);
    check_extra(&format!("(func (param {}))", "i32 ".repeat(100)), expect!["{Execute} {} None"]);
    check_extra(
        &format!("(func (param {}))", "i32 ".repeat(101)),
        expect!["too many parameters of a function type: 101, the limit is 100"],
    );
    check_extra(&format!("(func (local {}))", "i32 ".repeat(100)), expect!["{Execute} {} None"]);
    check_extra(
        &format!("(func (local {}))", "i32 ".repeat(101)),
        expect!["too many locals in function 3: 101, the limit is 100"],
    );
    // The fixture has five parameters and one local of its own.
    check_extra(
        &format!("(func (param {}))", "i32 ".repeat(100)).repeat(100),
        expect!["too many parameters in total: 10002, the limit is 10000"],
    );
    check_extra(
        &format!("(func (local {}))", "i32 ".repeat(100)).repeat(100),
        expect!["too many locals in total: 10001, the limit is 10000"],
    );
    check_extra(&"(global i32 (i32.const 0))".repeat(1_000), expect!["too many globals: 1001, the limit is 1000"]);
    check_extra(
        &(0..1_000).map(|i| format!("(export \"e{i}\" (func $allocate))")).collect::<String>(),
        expect!["too many exports: 1005, the limit is 1000"],
    );
    let table = |targets: usize| format!("(block $a (br_table {} (local.get 0))) (local.get 2)", "$a ".repeat(targets));
    check_body(&table(16_385), expect!["{Execute} {} None"]);
    check_body(&table(16_386), expect!["too many targets of a br_table in function 3: 16385, the limit is 16384"]);
    check_body(
        &format!("{} (local.get 2)", "nop ".repeat(256 << 10)),
        expect!["too many bytes in function 3: 262148, the limit is 262144"],
    );
}

#[test]
fn a_huge_count_of_locals_is_refused_at_once() {
    // One group of 2^32 - 1 locals: five bytes.
    let mut wasm = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x0a\x01\x08\x01".to_vec();
    wasm.extend(b"\xff\xff\xff\xff\x0f\x7f\x0b");
    check_wasm(&wasm, expect!["too many locals in function 0: 4294967295, the limit is 100"]);
}

#[test]
fn imports() {
    let import = |imports| Contract { imports, ..Contract::default() };
    check(&import(r#"(import "env" "db_erase" (func))"#), expect!["unknown import `env.db_erase`"]);
    check(
        &import(r#"(import "env" "db_read" (func (param i64) (result i32)))"#),
        expect!["import `env.db_read` is declared as (i64) -> i32, it is (i32) -> i32"],
    );
    check(
        &import(r#"(import "env" "db_read" (func))"#),
        expect!["import `env.db_read` is declared as (), it is (i32) -> i32"],
    );
    check(
        &import(r#"(import "env" "secp256k1_recover_pubkey" (func (param i32 i32 i32) (result i64)))"#),
        expect!["{Execute} {} None"],
    );
    check(
        &import(r#"(import "env" "db_read" (global i32))"#),
        expect!["import `env.db_read` is declared as a global, it is (i32) -> i32"],
    );
    check(&import(r#"(import "wbg" "describe" (func))"#), expect!["unknown import `wbg.describe`"]);
    for name in [
        "random_get",
        "clock_time_get",
        "path_open",
        "fd_read",
        "sock_send",
        "sched_yield",
        "proc_raise",
        "thread_spawn",
    ] {
        let (_dir, vm) = vm();
        let imports = format!(r#"(import "wasi_snapshot_preview1" "{name}" (func))"#);
        let error = vm.check(&Contract { imports: &imports, ..Contract::default() }.wasm()).unwrap_err();
        let VmError::Check(CheckError::UnknownImport { hint, .. }) = &error else { panic!("{error}") };
        assert_eq!(hint.is_empty(), name == "thread_spawn", "{error}");
    }
    check(
        &import(r#"(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))"#),
        expect![
            "unknown import `wasi_snapshot_preview1.random_get`: a random number would differ between nodes; use BTreeMap and BTreeSet, or a hasher with fixed keys, where std's HashMap draws one"
        ],
    );
    let nn = r#"(import "wasi_ephemeral_nn" "compute" (func (param i32) (result i32)))"#;
    check(
        &import(nn),
        expect!["the contract imports `wasi_ephemeral_nn` but does not export the marker `requires_aceso`"],
    );
    check(
        &import(r#"(import "aceso" "permit" (func (param i32 i32) (result i32)))"#),
        expect!["the contract imports `aceso` but does not export the marker `requires_aceso`"],
    );
    check(
        &Contract { imports: nn, extra: r#"(func (export "requires_aceso"))"#, ..Contract::default() },
        expect![[r#"{Execute} {"aceso"} None"#]],
    );
}

#[test]
fn exports() {
    let marker = |marker| Contract { marker, ..Contract::default() };
    check(
        &marker(""),
        expect!["a contract exports the marker `interface_version_8` and no other, this one exports []"],
    );
    check(
        &marker(r#"(func (export "interface_version_7"))"#),
        expect![[
            r#"a contract exports the marker `interface_version_8` and no other, this one exports ["interface_version_7"]"#
        ]],
    );
    check(
        &marker(r#"(func (export "interface_version_8") (export "interface_version_9"))"#),
        expect![[
            r#"a contract exports the marker `interface_version_8` and no other, this one exports ["interface_version_8", "interface_version_9"]"#
        ]],
    );
    check(
        &Contract { allocate: "(func $allocate)", ..Contract::default() },
        expect!["missing export `allocate`: a function"],
    );
    check(
        &Contract {
            allocate: &ALLOCATE.replace("(param $n i32)", "(param $n i32) (param i32)"),
            ..Contract::default()
        },
        expect!["export `allocate` is (i32, i32) -> i32, must be (i32) -> i32"],
    );
    check_extra(
        r#"(func (export "query") (param i32) (result i32) local.get 0)"#,
        expect!["export `query` is (i32) -> i32, must be (i32, i32) -> i32"],
    );
    check_extra(
        r#"(func (export "migrate") (param i32) (result i32) local.get 0)"#,
        expect!["export `migrate` is (i32) -> i32, must be (i32, i32) -> i32 or (i32, i32, i32) -> i32"],
    );
    check_extra(r#"(global (export "query") i32 (i32.const 0))"#, expect!["{Execute} {} None"]);
    check_extra(r#"(func (export "_initialize") (param i32))"#, expect!["export `_initialize` is (i32), must be ()"]);
    check_extra(r#"(func (export "aceso:gas"))"#, expect!["the export name `aceso:gas` is reserved"]);
    check_extra(
        r#"(func (export "requires_staking") (export "requires_magic") (export "requires_iterator"))"#,
        expect!["the contract requires capabilities that this chain does not have: magic, staking"],
    );
    check_extra(
        r#"(@custom "cw_migrate_version" "one")"#,
        expect![[r#"the section cw_migrate_version holds "one", not a number"#]],
    );
}

#[test]
fn capabilities_are_the_owners() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = VmConfig::new(dir.path());
    (config.instances, config.block_instances, config.capabilities) = (1, 1, BTreeSet::from(["magic".to_owned()]));
    let vm = Vm::new(config).unwrap();
    let requires =
        |what: &str| Contract { extra: &format!(r#"(func (export "requires_{what}"))"#), ..Contract::default() }.wasm();
    assert_eq!(vm.check(&requires("magic")).unwrap().capabilities, BTreeSet::from(["magic".to_owned()]));
    let refused = vm.check(&requires("iterator")).unwrap_err();
    assert_eq!(refused, VmError::Check(CheckError::Capabilities { missing: vec!["iterator".into()] }));
}

#[test]
fn entry_points_have_the_abis_names() {
    let names: Vec<_> = Entry::ALL.iter().map(|entry| entry.name()).collect();
    expect!["instantiate execute query migrate sudo reply ibc_channel_open ibc_channel_connect ibc_channel_close ibc_packet_receive ibc_packet_ack ibc_packet_timeout ibc_source_callback ibc_destination_callback ibc2_packet_receive ibc2_packet_ack ibc2_packet_timeout ibc2_packet_send"].assert_eq(&names.join(" "));
}

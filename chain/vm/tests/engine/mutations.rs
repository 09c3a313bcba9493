//! Spoiled modules: whatever byte is wrong, there is an answer, and both tiers give the same.

use aceso_vm::{Call, Entry, Lane, VmError};

use crate::fixture::{Contract, Tiers};
use crate::mock::Mock;

/// How many spoiled modules are tried.
const ROUNDS: u32 = 3_000;
/// Gas for each, enough for the sound module many times over.
const GAS: u64 = 500_000_000;

/// A module with something of everything.
fn sound() -> Vec<u8> {
    let imports = r#"(import "env" "db_read" (func $db_read (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#;
    let extra = r#"(type $f (func (param i32) (result i32))) (table 4 4 funcref) (elem (i32.const 0) $one $two $allocate)
        (func $one (type $f) (i32.add (local.get 0) (i32.load offset=4 (local.get 0))))
        (func $two (type $f) (local $i i64) (loop $l (result i32)
           (local.set $i (i64.add (local.get $i) (i64.const 3)))
           (br_if $l (i64.lt_u (local.get $i) (i64.const 30)))
           (i32.wrap_i64 (i64.rem_u (local.get $i) (i64.const 7)))))
        (data (i32.const 16) "some data that lies here") (data $d "more")
        (func (export "query") (param i32 i32) (result i32) (local.get 1))"#;
    let execute = "(local $f f64)
        (local.set $f (f64.div (f64.convert_i32_s (local.get 0)) (f64.const 3)))
        (memory.init $d (i32.const 64) (i32.const 0) (i32.const 4))
        (memory.fill (i32.const 80) (i32.const 1) (i32.const 9))
        (drop (call_indirect (type $f) (i32.const 4) (i32.trunc_sat_f64_s (f64.sub (local.get $f) (local.get $f)))))
        (block $a (block $b (br_table $a $b (i32.load8_u (i32.const 16)))))
        (if (i32.eqz (call $db_read (local.get 1))) (then (drop (call $two (i32.const 1)))) (else (return (local.get 0))))
        (local.get 2)";
    Contract { imports, extra, execute, ..Contract::default() }.wasm()
}

#[test]
fn spoiled_modules_are_answered() {
    let sound = sound();
    let tiers = Tiers::new();
    // A fixed sequence: Knuth's multiplier, the upper bits.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) % below as u64) as usize
    };
    let (mut refused, mut ran, mut trapped) = (0, 0, 0);
    for round in 0..ROUNDS {
        let mut wasm = sound.clone();
        for _ in 0..=draw(2) {
            let at = draw(wasm.len());
            match draw(16) {
                0 => wasm.truncate(at),
                1 => wasm.insert(at, draw(256) as u8),
                2..8 => wasm[at] = draw(256) as u8,
                _ => wasm[at] ^= 1 << draw(8),
            }
            if wasm.is_empty() {
                break;
            }
        }
        let reports = tiers.vms.each_ref().map(|vm| {
            let checksum = match vm.put(&wasm) {
                Ok(report) => report.checksum,
                Err(error) => return Err(error),
            };
            let args: [&[u8]; 3] = [b"env", b"info", b"msg"];
            let call =
                Call { checksum: &checksum, entry: Entry::Execute, args: &args, gas_limit: GAS, lane: Lane::Block };
            Ok(vm.call(&call, &mut Mock::default()))
        });
        assert_eq!(reports[0], reports[1], "round {round}");
        match &reports[0] {
            Err(error) => {
                assert!(matches!(error, VmError::Check(_)), "round {round}: {error}");
                refused += 1;
            }
            Ok(report) => {
                assert!(report.gas_used <= GAS);
                match &report.result {
                    Ok(_) => ran += 1,
                    Err(error) => {
                        assert!(!error.is_local(), "round {round}: {error}");
                        trapped += 1;
                    }
                }
            }
        }
    }
    // All three happen, or the test says nothing.
    assert!(refused > 100 && ran > 100 && trapped > 15, "{refused} refused, {ran} ran, {trapped} trapped");
}

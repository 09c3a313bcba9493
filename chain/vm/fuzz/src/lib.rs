//! What contracts are and hand over, as functions of bytes: each must be answered, and in the same words in both tiers.
//!
//! libFuzzer drives them where it is installed (`cargo install cargo-fuzz --locked`), for as long as one likes, without a
//! sanitizer and with stable Rust. In `chain/vm`, or with `regions` and `fuzz/corpus` of that name, or with `generated`
//! and no corpus:
//!
//! ```sh
//! mkdir -p /tmp/found
//! cargo fuzz run --sanitizer none module /tmp/found fuzz/corpus/module -- -max_total_time=600 -max_len=16384
//! ```
//!
//! Without `cargo fuzz` it goes as `inference-host/fuzz/src/lib.rs` says. What it finds goes into `corpus/`, where
//! `tests/fuzz.rs` replays it for ever.

#[path = "../../tests/engine/mock.rs"]
#[allow(dead_code, clippy::cast_possible_truncation, reason = "the backend of the engine's other tests")]
mod mock;

mod generate;

use std::cell::RefCell;

use aceso_vm::{Call, Entry, Lane, Report, Tier, Vm, VmConfig, VmError};
use mock::Mock;
use tempfile::TempDir;

/// Wasm gas of a call: milliseconds.
const GAS: u64 = 2_000_000_000;
/// Modules after which the engines begin anew, so that their directory stays small.
const MODULES_MAX: u32 = 512;
/// Longest module that is tried; a compiler takes its time for one.
const MODULE_BYTES_MAX: usize = 64 << 10;

/// An engine of each tier.
struct Tiers {
    vms: [Vm; 2],
    modules: u32,
    _dir: TempDir,
}

impl Tiers {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let vms = [Tier::Cranelift, Tier::Winch].map(|tier| {
            let mut config = VmConfig::new(dir.path());
            (config.instances, config.block_instances, config.tier) = (2, 1, tier);
            config.code_bytes = 8 << 20;
            Vm::new(config).expect("an engine")
        });
        Self { vms, modules: 0, _dir: dir }
    }

    /// Puts a module and calls what it has. The tiers must agree, and nothing may be this machine's fault.
    fn agree(&mut self, wasm: &[u8], args: &[&[u8]]) -> Option<Vec<Report>> {
        let [first, second] = self.vms.each_ref().map(|vm| vm.put(wasm));
        assert_eq!(first, second, "the tiers disagree on the module");
        let report = match first {
            Ok(report) => report,
            Err(error) => {
                assert!(matches!(error, VmError::Check(_)), "{error}");
                return None;
            }
        };
        self.modules += 1;
        let reports = report.entry_points.iter().filter_map(|&entry| {
            let args = args.get(..if matches!(entry, Entry::Instantiate | Entry::Execute) { 3 } else { 2 })?;
            let call = Call { checksum: &report.checksum, entry, args, gas_limit: GAS, lane: Lane::Block };
            let [first, second] = self.vms.each_ref().map(|vm| {
                let mut mock = backend();
                (vm.call(&call, &mut mock), mock)
            });
            assert_eq!(first.0, second.0, "the tiers disagree on {entry}");
            assert_eq!((&first.1.store, &first.1.log), (&second.1.store, &second.1.log), "other states after {entry}");
            assert!(first.0.gas_used <= GAS);
            if let Err(error) = &first.0.result {
                assert!(!error.is_local() && !error.to_string().is_empty(), "{error}");
            }
            Some(first.0)
        });
        Some(reports.collect())
    }
}

/// Some keys to find, and whatever else a frame may ask for.
fn backend() -> Mock {
    let store = [(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), vec![0; 300])].into();
    Mock { store, permitted: true, answer: br#"{"ok":{"ok":"e30="}}"#.to_vec(), query_gas: 1_000, ..Mock::default() }
}

/// What both tiers say of a module's calls; none if it is refused.
fn agree(wasm: &[u8], args: &[&[u8]]) -> Option<Vec<Report>> {
    thread_local!(static TIERS: RefCell<Option<Tiers>> = const { RefCell::new(None) });
    TIERS.with_borrow_mut(|tiers| {
        if tiers.as_ref().is_none_or(|tiers| tiers.modules >= MODULES_MAX) {
            *tiers = None;
        }
        tiers.get_or_insert_with(Tiers::new).agree(wasm, args)
    })
}

/// Bytes of a module, or its text: refused with words, or called, with the same report in both tiers.
pub fn module(bytes: &[u8]) {
    if let Ok(wasm) = wat::parse_bytes(bytes)
        && wasm.len() <= MODULE_BYTES_MAX
    {
        agree(&wasm, &[b"env", b"info", b"msg"]);
    }
}

/// A module of the instructions that contracts may use, chosen by the bytes. Answers whether it came to its end.
pub fn generated(bytes: &[u8]) -> bool {
    let reports = agree(&generate::module(bytes), &[b"e", b"in", b"0123456789abcdefghijklmn"]);
    reports.expect("generated modules are sound").iter().any(|report| report.result.is_ok())
}

/// Name, parameters, result.
type Import = (&'static str, &'static str, &'static str);

/// Every import, by its module.
const IMPORTS: &[(&str, &[Import])] = &[
    (
        "env",
        &[
            ("db_read", "i32", "i32"),
            ("db_write", "i32 i32", ""),
            ("db_remove", "i32", ""),
            ("db_scan", "i32 i32 i32", "i32"),
            ("db_next", "i32", "i32"),
            ("db_next_key", "i32", "i32"),
            ("db_next_value", "i32", "i32"),
            ("addr_validate", "i32", "i32"),
            ("addr_canonicalize", "i32 i32", "i32"),
            ("addr_humanize", "i32 i32", "i32"),
            ("query_chain", "i32", "i32"),
            ("debug", "i32", ""),
            ("abort", "i32", ""),
            ("secp256k1_verify", "i32 i32 i32", "i32"),
            ("secp256k1_recover_pubkey", "i32 i32 i32", "i64"),
            ("secp256r1_verify", "i32 i32 i32", "i32"),
            ("secp256r1_recover_pubkey", "i32 i32 i32", "i64"),
            ("ed25519_verify", "i32 i32 i32", "i32"),
            ("ed25519_batch_verify", "i32 i32 i32", "i32"),
            ("bls12_381_aggregate_g1", "i32 i32", "i32"),
            ("bls12_381_aggregate_g2", "i32 i32", "i32"),
            ("bls12_381_pairing_equality", "i32 i32 i32 i32", "i32"),
            ("bls12_381_hash_to_g1", "i32 i32 i32 i32", "i32"),
            ("bls12_381_hash_to_g2", "i32 i32 i32 i32", "i32"),
        ],
    ),
    (
        "wasi_snapshot_preview1",
        &[
            ("environ_sizes_get", "i32 i32", "i32"),
            ("environ_get", "i32 i32", "i32"),
            ("args_sizes_get", "i32 i32", "i32"),
            ("args_get", "i32 i32", "i32"),
            ("fd_write", "i32 i32 i32 i32", "i32"),
            ("proc_exit", "i32", ""),
        ],
    ),
    (
        "wasi_ephemeral_nn",
        &[
            ("load", "i32 i32 i32 i32 i32", "i32"),
            ("load_by_name", "i32 i32 i32", "i32"),
            ("init_execution_context", "i32 i32", "i32"),
            ("set_input", "i32 i32 i32", "i32"),
            ("compute", "i32", "i32"),
            ("get_output", "i32 i32 i32 i32 i32", "i32"),
        ],
    ),
    (
        "aceso",
        &[
            ("permit", "i32 i32", "i32"),
            ("set_input_blob", "i32 i32 i32 i32 i32 i32", "i32"),
            ("set_input_frame", "i32 i32 i32 i32 i32 i32 i32", "i32"),
            ("blob_size", "i32 i32 i32", "i32"),
            ("read_info", "i32 i32 i32 i32", "i32"),
            ("keccak256", "i32 i32 i32", "i32"),
            ("sha256", "i32 i32 i32", "i32"),
            ("sha3_256", "i32 i32 i32", "i32"),
            ("blake3", "i32 i32 i32", "i32"),
            ("bls12_381_g1_msm", "i32 i32 i32 i32", "i32"),
            ("bls12_381_g2_msm", "i32 i32 i32 i32", "i32"),
            ("verify_receipt", "i32 i32 i32 i32 i32 i32", "i32"),
        ],
    ),
];

fn imports() -> String {
    let of = |module: &str, (name, params, result): &(&str, &str, &str)| {
        format!(r#"(import "{module}" "{name}" (func (param {params}) (result {result})))"#)
    };
    IMPORTS.iter().flat_map(|(module, imports)| imports.iter().map(|import| of(module, import))).collect()
}

/// Bytes of a step: what is done, then seven words.
const STEP: usize = 29;

/// A contract that does what its message says, step by step: stores a word, or calls an import with words.
fn puppet() -> Vec<u8> {
    let all: Vec<_> = IMPORTS.iter().flat_map(|(_, imports)| imports.iter()).collect();
    let mut arms = String::new();
    for (index, (_, params, result)) in all.iter().enumerate() {
        let words: String =
            (0..params.split(' ').count()).map(|word| format!("(call $word (i32.const {word}))")).collect();
        let drop = if result.is_empty() { "" } else { "drop" };
        arms.push_str(&format!("(call {index} {words}) {drop} (br $next))"));
    }
    let labels = "(block ".repeat(all.len());
    let table: String = (0..all.len()).map(|index| format!("{index} ")).collect();
    let last = all.len();
    let text = format!(
        r#"(module {imports}
          (memory (export "memory") 2)
          (global $at (mut i32) (i32.const 0)) (global $heap (mut i32) (i32.const 4096))
          (func (export "interface_version_8")) (func (export "requires_aceso"))
          (func (export "deallocate") (param i32))
          (func (export "allocate") (param $n i32) (result i32) (local $r i32)
            (local.set $r (global.get $heap))
            (i32.store (local.get $r) (i32.add (local.get $r) (i32.const 12)))
            (i32.store offset=4 (local.get $r) (local.get $n))
            (global.set $heap (i32.add (local.get $r) (i32.add (local.get $n) (i32.const 12))))
            (local.get $r))
          (func $word (param $n i32) (result i32)
            (i32.load offset=1 (i32.add (global.get $at) (i32.mul (local.get $n) (i32.const 4)))))
          (func (export "execute") (param i32) (param i32) (param $msg i32) (result i32) (local $end i32)
            (global.set $at (i32.load (local.get $msg)))
            (local.set $end (i32.add (global.get $at) (i32.load offset=8 (local.get $msg))))
            (block $out (loop $step
              (br_if $out (i32.gt_u (i32.add (global.get $at) (i32.const {STEP})) (local.get $end)))
              (block $next
                (block $store {labels} (br_table {table} {last} (i32.load8_u (global.get $at))) ) {arms}
                (i32.store (i32.and (call $word (i32.const 0)) (i32.const 0xffff)) (call $word (i32.const 1))))
              (global.set $at (i32.add (global.get $at) (i32.const {STEP})))
              (br $step)))
            (call $word (i32.const 0))))"#,
        imports = imports(),
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// Steps of a contract that hands over whatever numbers it likes, through every import: the same end in both tiers.
pub fn regions(bytes: &[u8]) {
    thread_local!(static PUPPET: Vec<u8> = puppet());
    PUPPET.with(|puppet| agree(puppet, &[b"env", b"info", bytes]).expect("the contract is sound"));
}

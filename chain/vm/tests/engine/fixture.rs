//! Contracts in text, and calls of them in both tiers.

use aceso_vm::{Call, Checksum, Entry, Lane, Report, Tier, Vm, VmConfig};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::mock::Mock;

/// Plenty for every fixture that should end by itself.
pub(crate) const PLENTY: u64 = 1_000_000_000_000;

/// The parts of a contract that is sound unless a test spoils one of them.
pub(crate) struct Contract<'a> {
    pub(crate) imports: &'a str,
    pub(crate) memory: &'a str,
    pub(crate) marker: &'a str,
    pub(crate) allocate: &'a str,
    /// Functions, globals, tables, data.
    pub(crate) extra: &'a str,
    /// What `execute` does; its parameters are regions, and so is its result.
    pub(crate) execute: &'a str,
}

impl Default for Contract<'_> {
    fn default() -> Self {
        Self {
            imports: "",
            memory: r#"(memory (export "memory") 1)"#,
            marker: r#"(func (export "interface_version_8"))"#,
            allocate: ALLOCATE,
            extra: "",
            execute: "(local.get 2)",
        }
    }
}

/// A region right behind the last one.
pub(crate) const ALLOCATE: &str = r#"
  (global $heap (mut i32) (i32.const 4096))
  (func $allocate (export "allocate") (param $n i32) (result i32)
    (local $r i32)
    (local.set $r (global.get $heap))
    (i32.store (local.get $r) (i32.add (local.get $r) (i32.const 12)))
    (i32.store offset=4 (local.get $r) (local.get $n))
    (global.set $heap (i32.add (local.get $r) (i32.add (local.get $n) (i32.const 12))))
    (local.get $r))"#;

impl Contract<'_> {
    pub(crate) fn text(&self) -> String {
        format!(
            "(module {} {} {} {} (func (export \"deallocate\") (param i32)) {} \
             (func (export \"execute\") (param i32 i32 i32) (result i32) {}))",
            self.imports, self.memory, self.marker, self.allocate, self.extra, self.execute
        )
    }

    pub(crate) fn wasm(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap()
    }
}

/// A contract whose `execute` is this.
pub(crate) fn execute(body: &str) -> Vec<u8> {
    Contract { execute: body, ..Contract::default() }.wasm()
}

/// One engine for each tier.
pub(crate) struct Tiers {
    pub(crate) vms: [Vm; 2],
    _dir: TempDir,
}

impl Tiers {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(adapt: impl Fn(&mut VmConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vms = [Tier::Cranelift, Tier::Winch].map(|tier| {
            let mut config = VmConfig::new(dir.path());
            (config.instances, config.block_instances, config.tier) = (4, 2, tier);
            adapt(&mut config);
            Vm::new(config).unwrap()
        });
        Self { vms, _dir: dir }
    }

    /// Executes the contract in both tiers; what they report and leave behind must be the same.
    pub(crate) fn run(&self, wasm: &[u8], gas_limit: u64, mock: impl Fn() -> Mock) -> (Report, Mock) {
        self.call(wasm, Entry::Execute, &[b"{\"env\":1}", b"{\"info\":2}", b"{\"msg\":3}"], gas_limit, mock)
    }

    pub(crate) fn call(
        &self,
        wasm: &[u8],
        entry: Entry,
        args: &[&[u8]],
        gas_limit: u64,
        mock: impl Fn() -> Mock,
    ) -> (Report, Mock) {
        let [first, second] = self.vms.each_ref().map(|vm| {
            let checksum = vm.put(wasm).unwrap().checksum;
            let mut mock = mock();
            let call = Call { checksum: &checksum, entry, args, gas_limit, lane: Lane::Block };
            (vm.call(&call, &mut mock), mock)
        });
        assert_eq!(first.0, second.0, "the tiers disagree");
        assert_eq!((&first.1.store, &first.1.log), (&second.1.store, &second.1.log), "the tiers left different states");
        first
    }
}

pub(crate) fn checksum(wasm: &[u8]) -> Checksum {
    aceso_types::Digest(Sha256::digest(wasm).into())
}

/// A report in one line.
pub(crate) fn told(report: &Report) -> String {
    match &report.result {
        Ok(bytes) => format!("{} ok {}", report.gas_used, String::from_utf8_lossy(bytes)),
        Err(error) => format!("{} err {error}", report.gas_used),
    }
}

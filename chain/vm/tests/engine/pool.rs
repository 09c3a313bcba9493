//! Instances in use, calls inside calls, and who may take the last ones.

use aceso_types::{ModelId, Tensor};
use aceso_vm::{
    Addresses, Answer, Blobs, Call, Checksum, Entry, HostError, HostResult, Lane, LocalError, ModelFacts, Models,
    Order, Querier, Storage, Vm, VmError, with_stack,
};

use crate::fixture::{Contract, PLENTY, Tiers};
use crate::mock::Mock;

/// A backend whose queries call the contract again, as a chain does.
struct Nested<'a> {
    vm: &'a Vm,
    checksum: &'a Checksum,
    lane: Lane,
    /// Calls that may still be made inside this one.
    left: u32,
    state: Mock,
    /// What the innermost call came to.
    innermost: Option<Result<Vec<u8>, VmError>>,
}

fn call(vm: &Vm, checksum: &Checksum, lane: Lane, backend: &mut Nested<'_>) -> aceso_vm::Report {
    let args: [&[u8]; 3] = [b"{}", b"{}", b"{}"];
    let call = Call { checksum, entry: Entry::Execute, args: &args, gas_limit: PLENTY, lane };
    vm.call(&call, backend)
}

impl Querier for Nested<'_> {
    fn query(&mut self, _: &[u8], _: u64) -> HostResult<Answer> {
        if self.left > 0 {
            let mut inner = Nested {
                vm: self.vm,
                checksum: self.checksum,
                lane: self.lane,
                left: self.left - 1,
                state: Mock::default(),
                innermost: None,
            };
            let report = call(self.vm, self.checksum, self.lane, &mut inner);
            self.innermost = inner.innermost.or(Some(report.result));
        }
        Ok(Answer { json: b"inner".to_vec(), gas_used: 0 })
    }
}

impl Storage for Nested<'_> {
    fn get(&mut self, key: &[u8]) -> HostResult<Option<Vec<u8>>> {
        self.state.get(key)
    }
    fn set(&mut self, key: &[u8], value: &[u8]) -> HostResult<()> {
        self.state.set(key, value)
    }
    fn remove(&mut self, key: &[u8]) -> HostResult<()> {
        self.state.remove(key)
    }
    fn scan(&mut self, start: Option<&[u8]>, end: Option<&[u8]>, order: Order) -> HostResult<u32> {
        self.state.scan(start, end, order)
    }
    fn next(&mut self, iterator: u32) -> HostResult<Option<(Vec<u8>, Vec<u8>)>> {
        self.state.next(iterator)
    }
}

impl Addresses for Nested<'_> {
    fn canonicalize(&self, human: &str) -> Result<Vec<u8>, String> {
        self.state.canonicalize(human)
    }
    fn humanize(&self, canonical: &[u8]) -> Result<String, String> {
        self.state.humanize(canonical)
    }
    fn validate(&self, human: &str) -> Result<(), String> {
        self.state.validate(human)
    }
}

impl Models for Nested<'_> {
    fn model(&mut self, _: &str, _: u64) -> HostResult<ModelFacts> {
        Err(HostError::NotFound)
    }
    fn run(&mut self, _: &ModelId, _: &[Tensor], _: Option<u32>) -> HostResult<Vec<Tensor>> {
        Err(HostError::NotFound)
    }
}

impl Blobs for Nested<'_> {
    fn blob_size(&mut self, _: &str) -> HostResult<Option<u64>> {
        Ok(None)
    }
    fn permit(&mut self, _: &[u8]) -> HostResult<()> {
        Ok(())
    }
    fn read_price(&mut self, _: &ModelId, _: &str, _: &str) -> HostResult<u64> {
        Err(HostError::NotFound)
    }
    fn read(&mut self, _: &ModelId, _: &str, _: aceso_types::Frame, _: &str) -> HostResult<(u32, Tensor)> {
        Err(HostError::NotFound)
    }
    fn finish(&mut self, _: u32, _: &[Tensor]) -> HostResult<Vec<u8>> {
        Err(HostError::NotFound)
    }
}

fn asks() -> Vec<u8> {
    let imports = r#"(import "env" "query_chain" (func $query_chain (param i32) (result i32)))"#;
    Contract { imports, execute: "(call $query_chain (local.get 2))", ..Contract::default() }.wasm()
}

/// Calls inside calls until something gives; how deep it went and what gave.
fn dive(lane: Lane, depth: u32) -> Option<Result<Vec<u8>, VmError>> {
    let wasm = asks();
    with_stack(depth, || {
        let tiers = Tiers::new();
        let outcomes = tiers.vms.each_ref().map(|vm| {
            let checksum = vm.put(&wasm).unwrap().checksum;
            let state = Mock::default();
            let mut outer = Nested { vm, checksum: &checksum, lane, left: depth, state, innermost: None };
            let report = call(vm, &checksum, lane, &mut outer);
            assert_eq!(report.result.as_deref(), Ok(&b"inner"[..]));
            assert_eq!(vm.stats().instances, 0);
            outer.innermost
        });
        assert_eq!(outcomes[0], outcomes[1]);
        outcomes[0].clone()
    })
    .unwrap()
}

#[test]
fn calls_nest_up_to_the_pool() {
    assert_eq!(dive(Lane::Block, 0), None);
    assert_eq!(dive(Lane::Block, 3), Some(Ok(b"inner".to_vec())));
    assert_eq!(dive(Lane::Block, 4), Some(Err(VmError::Local(LocalError::Busy { limit: 4 }))));
}

#[test]
fn outside_calls_leave_room_for_blocks() {
    assert_eq!(dive(Lane::Side, 1), Some(Ok(b"inner".to_vec())));
    assert_eq!(dive(Lane::Side, 2), Some(Err(VmError::Local(LocalError::Busy { limit: 2 }))));
}

#[test]
fn threads_share_one_engine() {
    fn shared<T: Send + Sync>(_: &T) {}
    let tiers = Tiers::new();
    let wasm = asks();
    for vm in &tiers.vms {
        shared(vm);
        let checksum = vm.put(&wasm).unwrap().checksum;
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let state = Mock::default();
                        let mut backend =
                            Nested { vm, checksum: &checksum, lane: Lane::Block, left: 0, state, innermost: None };
                        assert!(call(vm, &checksum, Lane::Block, &mut backend).result.is_ok());
                    }
                });
            }
        });
    }
}

#[test]
fn a_backend_that_panics_leaves_the_engine_sound() {
    let tiers = Tiers::new();
    let imports = r#"(import "env" "db_read" (func $db_read (param i32) (result i32)))"#;
    let wasm = Contract { imports, execute: "(call $db_read (local.get 2))", ..Contract::default() }.wasm();
    for vm in &tiers.vms {
        let checksum = vm.put(&wasm).unwrap().checksum;
        let args: [&[u8]; 3] = [b"{}", b"{}", b"{}"];
        let the_call =
            Call { checksum: &checksum, entry: Entry::Execute, args: &args, gas_limit: PLENTY, lane: Lane::Block };
        let mut mock = Mock { panics: true, ..Mock::default() };
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| vm.call(&the_call, &mut mock)));
        assert!(caught.is_err());
        let mut calm = Mock::default();
        calm.store.insert(b"{}".to_vec(), b"fine".to_vec());
        assert_eq!(vm.call(&the_call, &mut calm).result.unwrap(), b"fine");
        assert_eq!(vm.stats().instances, 0);
    }
}

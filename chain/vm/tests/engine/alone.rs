//! The backend without a chain: a map, and refusals.

use aceso_vm::{Alone, Call, Entry, HostError, Lane, Order, Storage, VmError};

use crate::fixture::{Contract, PLENTY, Tiers};

#[test]
fn a_map_is_walked_both_ways() {
    let mut alone = Alone::default();
    for key in ["a", "b", "c", "d"] {
        alone.set(key.as_bytes(), b"value").unwrap();
    }
    alone.remove(b"c").unwrap();
    let mut walk = |start: Option<&[u8]>, end: Option<&[u8]>, order| {
        let iterator = alone.scan(start, end, order).unwrap();
        let keys = std::iter::from_fn(|| alone.next(iterator).unwrap().map(|(key, _)| key));
        keys.flatten().map(char::from).collect::<String>()
    };
    assert_eq!(walk(None, None, Order::Ascending), "abd");
    assert_eq!(walk(Some(b"b"), None, Order::Descending), "db");
    assert_eq!(walk(Some(b"a"), Some(b"d"), Order::Ascending), "ab");
    assert_eq!(walk(Some(b"d"), Some(b"a"), Order::Descending), "");
    assert_eq!(alone.next(0), Err(HostError::NotFound));
    assert_eq!(alone.next(5), Err(HostError::NotFound));
}

#[test]
fn there_is_nobody_to_ask() {
    let imports = r#"(import "env" "query_chain" (func $query (param i32) (result i32)))"#;
    let wasm = Contract { imports, execute: "(call $query (local.get 2))", ..Contract::default() }.wasm();
    let tiers = Tiers::new();
    for vm in &tiers.vms {
        let checksum = vm.put(&wasm).unwrap().checksum;
        let args: [&[u8]; 3] = [b"{}"; 3];
        let call =
            Call { checksum: &checksum, entry: Entry::Execute, args: &args, gas_limit: PLENTY, lane: Lane::Block };
        let report = vm.call(&call, &mut Alone::default());
        assert!(matches!(report.result, Err(VmError::Refused(_))), "{:?}", report.result);
    }
}

//! The contract engine alone: a token contract over rows in memory, so that nothing but the engine is measured.

use std::time::Instant;

use aceso_test_support::contract;
use aceso_vm::{Alone, Call, Checksum, Entry, Lane, Vm, VmConfig};
use anyhow::{Context, Result, ensure};

const ENV: &[u8] = br#"{"block":{"height":1,"time":"1571797419879305533","chain_id":"bench"},"transaction":null,"contract":{"address":"token"}}"#;
const INFO: &[u8] = br#"{"sender":"alice","funds":[]}"#;
const INIT: &[u8] = br#"{"name":"bench","initial_balances":[{"address":"alice","amount":"1000000000"}]}"#;
const TRANSFER: &[u8] = br#"{"transfer":{"recipient":"bob","amount":"1"}}"#;
/// Wasm gas of a million SDK gas.
const LIMIT: u64 = 140_000_000_000;

/// Microseconds of a token transfer with a fresh instance of a contract that was called before: the median of `runs`.
pub(crate) fn warm_call(runs: usize) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let vm = Vm::new(VmConfig::new(folder.path()))?;
    let checksum = vm.put(&contract("token"))?.checksum;
    let mut rows = Alone::default();
    call(&vm, &checksum, Entry::Instantiate, INIT, &mut rows)?;
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        call(&vm, &checksum, Entry::Execute, TRANSFER, &mut rows)?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    times.get(runs / 2).copied().context("nothing was run")
}

fn call(vm: &Vm, checksum: &Checksum, entry: Entry, msg: &[u8], rows: &mut Alone) -> Result<()> {
    let call = Call { checksum, entry, args: &[ENV, INFO, msg], gas_limit: LIMIT, lane: Lane::Block };
    let json = vm.call(&call, rows).result?;
    ensure!(json.starts_with(b"{\"ok\""), "the contract said {}", String::from_utf8_lossy(&json));
    Ok(())
}

//! The contract engine alone: a token contract over rows in memory, so that nothing but the engine is measured.

use std::{collections::BTreeMap, time::Instant};

use aceso_test_support::contract;
use aceso_types::{ModelId, Tensor};
use aceso_vm::{
    Addresses, Answer, Blobs, Call, Checksum, Entry, HostError, HostResult, Lane, ModelFacts, Models, Order, Querier,
    Storage, Vm, VmConfig,
};
use anyhow::{Context, Result, ensure};

const ENV: &[u8] = br#"{"block":{"height":1,"time":"1571797419879305533","chain_id":"bench"},"transaction":null,"contract":{"address":"token"}}"#;
const INFO: &[u8] = br#"{"sender":"alice","funds":[]}"#;
const INIT: &[u8] = br#"{"name":"bench","initial_balances":[{"address":"alice","amount":"1000000000"}]}"#;
const TRANSFER: &[u8] = br#"{"transfer":{"recipient":"bob","amount":"1"}}"#;
/// Wasm gas of a million SDK gas.
const LIMIT: u64 = 140_000_000_000;

/// The contract's rows; there is nothing else in this world.
#[derive(Default)]
struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);

impl Storage for Rows {
    fn get(&mut self, key: &[u8]) -> HostResult<Option<Vec<u8>>> {
        Ok(self.0.get(key).cloned())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> HostResult<()> {
        self.0.insert(key.into(), value.into());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> HostResult<()> {
        self.0.remove(key);
        Ok(())
    }

    fn scan(&mut self, _: Option<&[u8]>, _: Option<&[u8]>, _: Order) -> HostResult<u32> {
        Err(HostError::NotFound)
    }

    fn next(&mut self, _: u32) -> HostResult<Option<(Vec<u8>, Vec<u8>)>> {
        Err(HostError::NotFound)
    }
}

impl Querier for Rows {
    fn query(&mut self, _: &[u8], _: u64) -> HostResult<Answer> {
        Err(HostError::NotFound)
    }
}

impl Addresses for Rows {
    fn canonicalize(&self, human: &str) -> Result<Vec<u8>, String> {
        Ok(human.into())
    }

    fn humanize(&self, canonical: &[u8]) -> Result<String, String> {
        String::from_utf8(canonical.into()).map_err(|error| error.to_string())
    }

    fn validate(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
}

impl Models for Rows {
    fn model(&mut self, _: &str, _: u64) -> HostResult<ModelFacts> {
        Err(HostError::NotFound)
    }

    fn run(&mut self, _: &ModelId, _: &[Tensor], _: Option<u32>) -> HostResult<Vec<Tensor>> {
        Err(HostError::NotFound)
    }
}

impl Blobs for Rows {
    fn blob_size(&mut self, _: &str) -> HostResult<Option<u64>> {
        Ok(None)
    }

    fn permit(&mut self, _: &[u8]) -> HostResult<()> {
        Err(HostError::NotFound)
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

/// Microseconds of a token transfer with a fresh instance of a contract that was called before: the median of `runs`.
pub(crate) fn warm_call(runs: usize) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let vm = Vm::new(VmConfig::new(folder.path()))?;
    let checksum = vm.put(&contract("token"))?.checksum;
    let mut rows = Rows::default();
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

fn call(vm: &Vm, checksum: &Checksum, entry: Entry, msg: &[u8], rows: &mut Rows) -> Result<()> {
    let call = Call { checksum, entry, args: &[ENV, INFO, msg], gas_limit: LIMIT, lane: Lane::Block };
    let json = vm.call(&call, rows).result?;
    ensure!(json.starts_with(b"{\"ok\""), "the contract said {}", String::from_utf8_lossy(&json));
    Ok(())
}

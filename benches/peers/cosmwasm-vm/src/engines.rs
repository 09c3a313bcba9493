//! The two engines behind one face: keep a contract, call it.

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aceso_vm::{Call, Entry, Lane, Report, Tier, Vm, VmConfig, VmError, default_capabilities};
use anyhow::{Result, anyhow};
use cosmwasm_std::Checksum;
use cosmwasm_vm::{Backend, Cache, CacheOptions, Instance, InstanceOptions, Size, VmResult, testing::MockApi};

use crate::{
    calls,
    world::{Chain, Rows, World, querier},
};

/// Linear memory that either gives a contract.
const MEMORY: Size = Size::mebi(32);

/// What contracts said by `env.debug`.
pub(crate) type Said = Arc<Mutex<Vec<String>>>;

/// One entry point with its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) entry: Entry,
    pub(crate) args: Vec<Vec<u8>>,
}

/// Our engine.
pub(crate) struct Ours {
    pub(crate) vm: Vm,
    said: Said,
}

impl Ours {
    /// In a folder of its own, with so many bytes of machine code in memory.
    pub(crate) fn new(folder: &Path, code_bytes: usize) -> Result<Self> {
        Self::compiled_by(Tier::default(), folder, code_bytes)
    }

    /// The same with a compiler of choice.
    pub(crate) fn compiled_by(tier: Tier, folder: &Path, code_bytes: usize) -> Result<Self> {
        let said = Said::default();
        let mut config = VmConfig::new(folder);
        (config.tier, config.code_bytes) = (tier, code_bytes);
        // What the peer has in addition, so that neither refuses a contract for it.
        config.capabilities.extend(["staking", "stargate", "ibc2"].map(String::from));
        let heard = Arc::clone(&said);
        config.debug = Some(Arc::new(move |text| keep(&heard, text)));
        Ok(Self { vm: Vm::new(config)?, said })
    }

    pub(crate) fn put(&self, wasm: &[u8]) -> Result<aceso_vm::Checksum, VmError> {
        self.vm.put(wasm).map(|report| report.checksum)
    }

    /// Waits until nothing is compiled behind a draft any more.
    pub(crate) fn settle(&self) {
        while self.vm.stats().drafts > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn call(&self, code: &aceso_vm::Checksum, ask: &Ask, world: &mut World, gas_limit: u64) -> Report {
        world.reads_only = ask.entry == Entry::Query;
        let args: Vec<&[u8]> = ask.args.iter().map(Vec::as_slice).collect();
        let call = Call { checksum: code, entry: ask.entry, args: &args, gas_limit, lane: Lane::Block };
        self.vm.call(&call, world)
    }

    /// What was said since it was last asked.
    pub(crate) fn said(&self) -> Vec<String> {
        take(&self.said)
    }
}

/// The peer's instance.
pub(crate) type Peer = Instance<MockApi, Rows, Chain>;

/// The peer.
pub(crate) struct Theirs {
    pub(crate) cache: Cache<MockApi, Rows, Chain>,
}

impl Theirs {
    /// In a folder of its own, with so many bytes of machine code in memory apart from what is pinned.
    pub(crate) fn new(folder: &Path, code_bytes: usize) -> Result<Self> {
        let names = default_capabilities().into_iter().filter(|name| name != "aceso");
        let names = names.chain(["staking", "stargate", "ibc2"].map(String::from));
        let options = CacheOptions::new(folder, names.collect::<HashSet<_>>(), Size::new(code_bytes), MEMORY);
        // SAFETY: the folder is a new one that nobody else writes to.
        let cache = unsafe { Cache::new(options) };
        Ok(Self { cache: cache.map_err(|error| anyhow!("{error}"))? })
    }

    pub(crate) fn put(&self, wasm: &[u8]) -> VmResult<Checksum> {
        self.cache.store_code(wasm, true, true)
    }

    pub(crate) fn instance(&self, code: &Checksum, rows: Rows, gas_limit: u64) -> VmResult<Peer> {
        let backend = Backend { api: MockApi::default(), storage: rows, querier: querier() };
        self.cache.get_instance(code, backend, InstanceOptions { gas_limit })
    }

    /// The rows come back for a next call.
    pub(crate) fn call(&self, code: &Checksum, ask: &Ask, rows: Rows, gas_limit: u64) -> Result<TheirReport> {
        let said = Said::default();
        let mut instance = self.instance(code, rows, gas_limit).map_err(|error| anyhow!("{error}"))?;
        let heard = Arc::clone(&said);
        instance.set_debug_handler(move |text, _| keep(&heard, text));
        let result = calls::run(&mut instance, ask);
        let gas = gas_limit - instance.get_gas_left();
        let rows = instance.recycle().ok_or_else(|| anyhow!("the peer kept the rows"))?.storage;
        Ok(TheirReport { result, rows, gas, said: take(&said) })
    }
}

/// What a call of the peer came to.
pub(crate) struct TheirReport {
    pub(crate) result: VmResult<Vec<u8>>,
    pub(crate) rows: Rows,
    pub(crate) gas: u64,
    pub(crate) said: Vec<String>,
}

fn keep(said: &Said, text: &str) {
    said.lock().unwrap_or_else(PoisonError::into_inner).push(text.into());
}

fn take(said: &Said) -> Vec<String> {
    std::mem::take(&mut said.lock().unwrap_or_else(PoisonError::into_inner))
}

//! The world that a contract finds itself in, the same for both engines: rows in memory, the published mock's addresses and
//! balances.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicBool, Ordering},
};

use aceso_types::{Frame, ModelId, Tensor};
use aceso_vm::{Addresses, Answer, Blobs, HostError, HostResult, ModelFacts, Models, Order, Querier};
use cosmwasm_std::{BalanceResponse, Coin, ContractResult, Decimal, SystemResult, Validator, coins};
use cosmwasm_vm::{
    BackendApi, BackendError, BackendResult, GasInfo, Querier as _,
    testing::{MOCK_CONTRACT_ADDR, MockApi, MockQuerier},
};
use serde_json::{Value, json};

/// A key and its value.
type Pair = (Vec<u8>, Vec<u8>);

/// A contract's rows.
#[derive(Clone, Default)]
pub(crate) struct Rows {
    pub(crate) map: BTreeMap<Vec<u8>, Vec<u8>>,
    /// How many were set.
    pub(crate) sets: u64,
    iterators: Vec<VecDeque<Pair>>,
}

impl Rows {
    /// Rows as a next call finds them: without the iterators of the last one.
    pub(crate) fn of(map: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        Self { map, ..Self::default() }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.sets += 1;
        self.map.insert(key.into(), value.into());
    }

    fn open(&mut self, start: Option<&[u8]>, end: Option<&[u8]>, descending: bool) -> u32 {
        let inside = |key: &[u8]| start.is_none_or(|start| key >= start) && end.is_none_or(|end| key < end);
        let pairs = self.map.iter().filter(|(key, _)| inside(key)).map(|(key, value)| (key.clone(), value.clone()));
        let mut pairs: VecDeque<Pair> = pairs.collect();
        if descending {
            pairs.make_contiguous().reverse();
        }
        self.iterators.push(pairs);
        self.iterators.len() as u32
    }

    fn step(&mut self, iterator: u32) -> Option<Option<Pair>> {
        let index = (iterator as usize).checked_sub(1)?;
        self.iterators.get_mut(index).map(VecDeque::pop_front)
    }
}

/// The peer's storage charges nothing, so that only the engines are compared.
impl cosmwasm_vm::Storage for Rows {
    fn get(&self, key: &[u8]) -> BackendResult<Option<Vec<u8>>> {
        (Ok(self.map.get(key).cloned()), GasInfo::free())
    }

    fn scan(&mut self, start: Option<&[u8]>, end: Option<&[u8]>, order: cosmwasm_std::Order) -> BackendResult<u32> {
        (Ok(self.open(start, end, order == cosmwasm_std::Order::Descending)), GasInfo::free())
    }

    fn next(&mut self, iterator: u32) -> BackendResult<Option<Pair>> {
        (self.step(iterator).ok_or(BackendError::IteratorDoesNotExist { id: iterator }), GasInfo::free())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> BackendResult<()> {
        self.put(key, value);
        (Ok(()), GasInfo::free())
    }

    fn remove(&mut self, key: &[u8]) -> BackendResult<()> {
        self.map.remove(key);
        (Ok(()), GasInfo::free())
    }
}

/// The mock that the contracts' own tests ask, and the one question that contracts of 1.x ask and it has forgotten.
pub(crate) struct Chain(MockQuerier);

impl cosmwasm_vm::Querier for Chain {
    fn query_raw(
        &self,
        request: &[u8],
        gas_limit: u64,
    ) -> BackendResult<SystemResult<ContractResult<cosmwasm_std::Binary>>> {
        let asked: Option<Value> = serde_json::from_slice(request).ok();
        match asked.as_ref().and_then(|asked| asked.pointer("/bank/all_balances/address")?.as_str()) {
            Some(address) => {
                let amounts: Vec<Coin> =
                    ["earth", "mars"].into_iter().filter_map(|of| self.balance(address, of)).collect();
                let answer = json!({"amount": amounts}).to_string().into_bytes();
                (Ok(SystemResult::Ok(ContractResult::Ok(answer.into()))), GasInfo::free())
            }
            None => self.0.query_raw(request, gas_limit),
        }
    }
}

impl Chain {
    /// So much of a coin; none where there is none.
    fn balance(&self, address: &str, denom: &str) -> Option<Coin> {
        let question = json!({"bank": {"balance": {"address": address, "denom": denom}}}).to_string();
        let answer = self.0.query_raw(question.as_bytes(), u64::MAX).0.ok()?.into_result().ok()?.into_result().ok()?;
        let answer: BalanceResponse = cosmwasm_std::from_json(answer).ok()?;
        (!answer.amount.amount.is_zero()).then_some(answer.amount)
    }
}

/// Balances, as the mock answers for them: the contract's own and one account's.
pub(crate) fn querier() -> Chain {
    let (own, rich): (Vec<Coin>, Vec<Coin>) = (coins(1_000, "earth"), coins(7, "mars"));
    let rich_one = MockApi::default().addr_make("rich");
    let mut querier = MockQuerier::new(&[(MOCK_CONTRACT_ADDR, &own[..]), (&rich_one, &rich[..])]);
    if VALIDATORS.load(Ordering::Relaxed) {
        let rate = Decimal::percent;
        let validator = |name: &str| Validator::create(name.into(), rate(3), rate(10), rate(1));
        querier.update_staking("ustake", &["john", "mary", "my-validator"].map(validator), &[]);
    }
    Chain(querier)
}

/// Whether the chain has validators to stake with. The benches leave them out: each of the peer's calls makes a querier.
pub(crate) static VALIDATORS: AtomicBool = AtomicBool::new(false);

/// The same world for our engine.
pub(crate) struct World {
    pub(crate) rows: Rows,
    pub(crate) querier: Chain,
    /// Whether the call is a query, which may not write.
    pub(crate) reads_only: bool,
}

impl World {
    pub(crate) fn new(rows: Rows) -> Self {
        Self { rows, querier: querier(), reads_only: false }
    }

    fn writable(&mut self) -> HostResult<&mut Rows> {
        if self.reads_only { Err(HostError::ReadOnly) } else { Ok(&mut self.rows) }
    }
}

impl aceso_vm::Storage for World {
    fn get(&mut self, key: &[u8]) -> HostResult<Option<Vec<u8>>> {
        Ok(self.rows.map.get(key).cloned())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> HostResult<()> {
        self.writable().map(|rows| rows.put(key, value))
    }

    fn remove(&mut self, key: &[u8]) -> HostResult<()> {
        self.writable().map(|rows| drop(rows.map.remove(key)))
    }

    fn scan(&mut self, start: Option<&[u8]>, end: Option<&[u8]>, order: Order) -> HostResult<u32> {
        Ok(self.rows.open(start, end, order == Order::Descending))
    }

    fn next(&mut self, iterator: u32) -> HostResult<Option<Pair>> {
        self.rows.step(iterator).ok_or(HostError::NotFound)
    }
}

impl Querier for World {
    fn query(&mut self, request: &[u8], gas_limit: u64) -> HostResult<Answer> {
        let (answer, gas) = self.querier.query_raw(request, gas_limit);
        let answer = answer.map_err(|error| HostError::Failed(error.to_string()))?;
        let json = cosmwasm_std::to_json_vec(&answer).map_err(|error| HostError::Failed(error.to_string()))?;
        Ok(Answer { json, gas_used: gas.cost + gas.externally_used })
    }
}

/// What the mock says; its errors are all sentences for the contract.
fn said<T>((answer, _): BackendResult<T>) -> Result<T, String> {
    answer.map_err(|error| match error {
        BackendError::UserErr { msg } => msg,
        other => other.to_string(),
    })
}

impl Addresses for World {
    fn canonicalize(&self, human: &str) -> Result<Vec<u8>, String> {
        said(MockApi::default().addr_canonicalize(human))
    }

    fn humanize(&self, canonical: &[u8]) -> Result<String, String> {
        said(MockApi::default().addr_humanize(canonical))
    }

    fn validate(&self, human: &str) -> Result<(), String> {
        said(MockApi::default().addr_validate(human))
    }
}

/// No contract of the family knows models or images.
impl Models for World {
    fn model(&mut self, _: &str, _: u64) -> HostResult<ModelFacts> {
        Err(HostError::NotFound)
    }

    fn run(&mut self, _: &ModelId, _: &[Tensor], _: Option<u32>) -> HostResult<Vec<Tensor>> {
        Err(HostError::NotFound)
    }
}

impl Blobs for World {
    fn blob_size(&mut self, _: &str) -> HostResult<Option<u64>> {
        Ok(None)
    }

    fn permit(&mut self, _: &[u8]) -> HostResult<()> {
        Err(HostError::NotFound)
    }

    fn read_price(&mut self, _: &ModelId, _: &str, _: &str) -> HostResult<u64> {
        Err(HostError::NotFound)
    }

    fn read(&mut self, _: &ModelId, _: &str, _: Frame, _: &str) -> HostResult<(u32, Tensor)> {
        Err(HostError::NotFound)
    }

    fn finish(&mut self, _: u32, _: &[Tensor]) -> HostResult<Vec<u8>> {
        Err(HostError::NotFound)
    }
}

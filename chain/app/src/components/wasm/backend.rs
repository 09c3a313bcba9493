//! What a contract reaches while it runs: its rows, the chain's answers, models and images.
//!
//! The engine charges for everything here but the prices that only this side knows. A refusal is set aside with its
//! code and words ([`Frame::stopped`]) before the engine is told to stop, and so is a failure of this machine.

use std::collections::VecDeque;

use aceso_state::Order as StateOrder;
use aceso_types::{Frame as Picture, Gas, ModelId, Tensor};
use aceso_vm::{Addresses, Answer, Blobs, HostError, HostResult, ModelFacts, Models, Order, Querier, Refusal, Storage};

use crate::{
    address::{self, Address},
    code::Code,
    components::{
        WASM, blobs, models, reads,
        wasm::{ask, keys},
    },
    error::{AppError, Outcome, Stop},
    run::Run,
    store::{Bare, Entry},
};

/// Longest key of a contract: the state's own limit, less the address in front.
const KEY_MAX: usize = 30_000;
/// Pairs that an iterator reads ahead.
const AHEAD: usize = 32;

/// One running entry point.
pub(super) struct Frame<'r, 'a> {
    run: &'r mut Run<'a>,
    contract: String,
    /// What stands before the contract's own keys.
    prefix: Vec<u8>,
    writes_allowed: bool,
    /// Writes so far; an iterator that has read ahead reads again after one.
    writes: u64,
    iterators: Vec<Walk>,
    /// Why the call was stopped from this side.
    pub(super) stopped: Option<Stop>,
}

/// An open iterator.
struct Walk {
    start: Vec<u8>,
    end: Option<Vec<u8>>,
    order: StateOrder,
    after: Option<Vec<u8>>,
    ahead: VecDeque<Entry>,
    /// [`Frame::writes`] when it read ahead.
    seen: u64,
}

impl<'r, 'a> Frame<'r, 'a> {
    pub(super) fn new(run: &'r mut Run<'a>, contract: &Address, writes_allowed: bool) -> Self {
        Self {
            run,
            contract: contract.to_string(),
            prefix: keys::state(contract.as_str()),
            writes_allowed,
            writes: 0,
            iterators: Vec::new(),
            stopped: None,
        }
    }

    fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.prefix, key].concat()
    }

    /// Sets a failure aside and tells the engine in its own words.
    fn stop<T>(&mut self, stop: Stop) -> HostResult<T> {
        let error = match &stop {
            Stop::Halt(error) => HostError::Failed(error.to_string()),
            Stop::Refused(fault) if fault.code == Code::OutOfGas => return Err(HostError::OutOfGas),
            Stop::Refused(fault) => {
                HostError::Refused(Refusal { code: fault.code.number(), message: fault.text.clone() })
            }
        };
        self.stopped = Some(stop);
        Err(error)
    }

    fn told<T>(&mut self, outcome: Outcome<T>) -> HostResult<T> {
        match outcome {
            Ok(value) => Ok(value),
            Err(stop) => self.stop(stop),
        }
    }

    fn check_write(&mut self, key: &[u8]) -> HostResult<()> {
        if !self.writes_allowed {
            return Err(HostError::ReadOnly);
        }
        if key.len() > KEY_MAX {
            let words = format_args!("a key of {} bytes, the limit is {KEY_MAX}", key.len());
            return self.stop(Code::Limit.because(words).into());
        }
        Ok(())
    }
}

impl Storage for Frame<'_, '_> {
    fn get(&mut self, key: &[u8]) -> HostResult<Option<Vec<u8>>> {
        if key.len() > KEY_MAX {
            return Ok(None);
        }
        let outcome = self.run.delta.get(WASM, &self.key(key));
        self.told(outcome.map_err(Stop::from))
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> HostResult<()> {
        self.check_write(key)?;
        if value.is_empty() {
            return self.stop(Code::Empty.because("contracts must not store empty values").into());
        }
        self.writes += 1;
        let key = self.key(key);
        let outcome = self.run.delta.set(WASM, key, value.into());
        self.told(outcome.map_err(Stop::from))
    }

    fn remove(&mut self, key: &[u8]) -> HostResult<()> {
        self.check_write(key)?;
        self.writes += 1;
        let key = self.key(key);
        let outcome = self.run.delta.remove(WASM, &key);
        self.told(outcome.map_err(Stop::from))
    }

    fn scan(&mut self, start: Option<&[u8]>, end: Option<&[u8]>, order: Order) -> HostResult<u32> {
        let bound = |key: &[u8]| self.key(key.get(..KEY_MAX).unwrap_or(key));
        let start = start.map_or_else(|| self.prefix.clone(), bound);
        // Every key of the contract is below its prefix with the last `/` one higher.
        let behind = || self.prefix.strip_suffix(b"/").map(|head| [head, b"0"].concat());
        let end = end.map(bound).or_else(behind);
        let order = match order {
            Order::Ascending => StateOrder::Ascending,
            Order::Descending => StateOrder::Descending,
        };
        let seen = self.writes;
        self.iterators.push(Walk { start, end, order, after: None, ahead: VecDeque::new(), seen });
        u32::try_from(self.iterators.len()).map_err(|_| HostError::NotFound)
    }

    fn next(&mut self, iterator: u32) -> HostResult<Option<(Vec<u8>, Vec<u8>)>> {
        let writes = self.writes;
        let slot = usize::try_from(iterator).ok().and_then(|id| id.checked_sub(1));
        let Some(walk) = slot.and_then(|slot| self.iterators.get_mut(slot)) else { return Err(HostError::NotFound) };
        if walk.seen != writes {
            walk.ahead.clear();
        }
        if walk.ahead.is_empty() {
            walk.seen = writes;
            let (start, end, after) = (Some(&walk.start[..]), walk.end.as_deref(), walk.after.as_deref());
            match self.run.delta.page(WASM, start, end, walk.order, after, AHEAD) {
                Ok(entries) => walk.ahead = entries.into(),
                Err(error) => return self.stop(error.into()),
            }
        }
        let Some((key, value)) = walk.ahead.pop_front() else { return Ok(None) };
        let own = key.get(self.prefix.len()..).unwrap_or_default().to_vec();
        walk.after = Some(key);
        Ok(Some((own, value)))
    }
}

impl Querier for Frame<'_, '_> {
    fn query(&mut self, request: &[u8], gas_limit: u64) -> HostResult<Answer> {
        let limit = gas_limit / aceso_types::gas::WASM_PER_SDK;
        let (outcome, meter) = self.run.limited(limit, |run| ask::answer(run, request));
        let answer = self.told(outcome)?;
        let gas_used = Gas(meter.used()).to_wasm().min(gas_limit);
        match serde_json::to_vec(&answer) {
            Ok(json) => Ok(Answer { json, gas_used }),
            Err(error) => self.stop(AppError::Host(error.to_string()).into()),
        }
    }
}

impl Addresses for Frame<'_, '_> {
    fn canonicalize(&self, human: &str) -> Result<Vec<u8>, String> {
        address::decode(human, &self.run.chain.prefix).map_err(|fault| fault.text)
    }

    fn humanize(&self, canonical: &[u8]) -> Result<String, String> {
        Address::of_bytes(canonical, &self.run.chain.prefix).map(String::from).map_err(|fault| fault.text)
    }

    fn validate(&self, human: &str) -> Result<(), String> {
        match Address::parse(human, &self.run.chain.prefix) {
            Ok(address) if address.as_str() == human => Ok(()),
            Ok(address) => Err(format!("address is not in its normal form {address}")),
            Err(fault) => Err(fault.text),
        }
    }
}

impl Models for Frame<'_, '_> {
    fn model(&mut self, name: &str, gas_left: u64) -> HostResult<ModelFacts> {
        let Ok(id) = name.parse::<ModelId>() else { return Err(HostError::NotFound) };
        let known = models::get(&mut Bare(self.run.delta), &id);
        if self.told(known)?.is_some_and(|row| Gas::from_wasm(gas_left).0 < row.load_gas) {
            return Err(HostError::OutOfGas);
        }
        let loaded = models::load(self.run, &id);
        match self.told(loaded)? {
            Some((_, model)) => Ok(models::facts(&id, &model)),
            None => Err(HostError::NotFound),
        }
    }

    fn run(&mut self, model: &ModelId, inputs: &[Tensor], read: Option<u32>) -> HostResult<Vec<Tensor>> {
        let loaded = models::load(self.run, model);
        let Some((_, ready)) = self.told(loaded)? else { return Err(HostError::NotFound) };
        let _span = reads::span("infer", self.run.mode, model, None).entered();
        let outputs = reads::compute(self.run, &self.contract, model, &ready, inputs, read);
        self.told(outputs)
    }
}

impl Blobs for Frame<'_, '_> {
    fn blob_size(&mut self, cid: &str) -> HostResult<Option<u64>> {
        let size = self.run.limited(u64::MAX, |run| blobs::size(run, cid)).0;
        self.told(size)
    }

    fn permit(&mut self, request: &[u8]) -> HostResult<()> {
        if !self.writes_allowed {
            return Err(HostError::ReadOnly);
        }
        let outcome = reads::permit(self.run, &self.contract, request);
        self.told(outcome)
    }

    fn read_price(&mut self, model: &ModelId, cid: &str, purpose: &str) -> HostResult<u64> {
        let outcome = reads::price(self.run, &self.contract, model, cid, purpose);
        self.told(outcome)
    }

    fn read(&mut self, model: &ModelId, cid: &str, frame: Picture, purpose: &str) -> HostResult<(u32, Tensor)> {
        let span = reads::span("open", self.run.mode, model, Some(cid)).entered();
        let outcome = reads::start(self.run, &self.contract, model, (cid, frame), purpose);
        drop(span);
        self.told(outcome)
    }

    fn finish(&mut self, read: u32, outputs: &[Tensor]) -> HostResult<Vec<u8>> {
        let outcome = reads::finish(self.run, &self.contract, read, outputs);
        let info = self.told(outcome)?;
        match serde_json::to_vec(&info) {
            Ok(json) => Ok(json),
            Err(error) => self.stop(AppError::Host(error.to_string()).into()),
        }
    }
}

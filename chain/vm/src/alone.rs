//! A backend without a chain.

use std::collections::{BTreeMap, VecDeque};

use aceso_types::{Frame, ModelId, Tensor};

use crate::{Addresses, Answer, Blobs, HostError, HostResult, ModelFacts, Models, Order, Querier, Refusal, Storage};

/// A map as a contract's storage, and nothing around it: addresses are any text, there is nobody to ask and there are no
/// models and no images. For tests of contracts, and to see what one does.
#[derive(Clone, Debug, Default)]
pub struct Alone {
    /// The contract's keys and values. A call that fails leaves behind what it had written; who wants it undone keeps a
    /// copy.
    pub map: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What each iterator has not answered yet.
    iterators: Vec<VecDeque<(Vec<u8>, Vec<u8>)>>,
}

impl Storage for Alone {
    fn get(&mut self, key: &[u8]) -> HostResult<Option<Vec<u8>>> {
        Ok(self.map.get(key).cloned())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> HostResult<()> {
        self.map.insert(key.into(), value.into());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> HostResult<()> {
        self.map.remove(key);
        Ok(())
    }

    fn scan(&mut self, start: Option<&[u8]>, end: Option<&[u8]>, order: Order) -> HostResult<u32> {
        let from = self.map.iter().skip_while(|(key, _)| start.is_some_and(|start| key.as_slice() < start));
        let inside = from.take_while(|(key, _)| end.is_none_or(|end| key.as_slice() < end));
        let pairs = inside.map(|(key, value)| (key.clone(), value.clone()));
        self.iterators.push(match order {
            Order::Ascending => pairs.collect(),
            Order::Descending => pairs.collect::<Vec<_>>().into_iter().rev().collect(),
        });
        Ok(u32::try_from(self.iterators.len()).unwrap_or(u32::MAX))
    }

    fn next(&mut self, iterator: u32) -> HostResult<Option<(Vec<u8>, Vec<u8>)>> {
        let index = usize::try_from(iterator).unwrap_or(usize::MAX).checked_sub(1);
        let pairs = index.and_then(|index| self.iterators.get_mut(index)).ok_or(HostError::NotFound)?;
        Ok(pairs.pop_front())
    }
}

impl Querier for Alone {
    fn query(&mut self, _: &[u8], _: u64) -> HostResult<Answer> {
        Err(nobody())
    }
}

impl Addresses for Alone {
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

impl Models for Alone {
    fn model(&mut self, _: &str, _: u64) -> HostResult<ModelFacts> {
        Err(HostError::NotFound)
    }

    fn run(&mut self, _: &ModelId, _: &[Tensor], _: Option<u32>) -> HostResult<Vec<Tensor>> {
        Err(nobody())
    }
}

impl Blobs for Alone {
    fn blob_size(&mut self, _: &str) -> HostResult<Option<u64>> {
        Ok(None)
    }

    fn permit(&mut self, _: &[u8]) -> HostResult<()> {
        Err(nobody())
    }

    fn read_price(&mut self, _: &ModelId, _: &str, _: &str) -> HostResult<u64> {
        Err(nobody())
    }

    fn read(&mut self, _: &ModelId, _: &str, _: Frame, _: &str) -> HostResult<(u32, Tensor)> {
        Err(nobody())
    }

    fn finish(&mut self, _: u32, _: &[Tensor]) -> HostResult<Vec<u8>> {
        Err(nobody())
    }
}

fn nobody() -> HostError {
    HostError::Refused(Refusal { code: 0, message: "there is no chain around this contract".into() })
}

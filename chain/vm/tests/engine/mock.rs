//! A backend in memory, with two tiny models: one adds 1 to each byte, wrapping, and one takes and gives every type.

use std::collections::{BTreeMap, VecDeque};

use aceso_types::{Digest, ElementType, Frame, ModelId, Tensor};
use aceso_vm::{
    Addresses, Answer, Blobs, HostError, HostResult, ModelFacts, Models, Order, Querier, Refusal, Storage, TensorSpec,
};

/// The model's input and output: one image of 2×2 bytes.
pub(crate) const DIMS: [u32; 4] = [1, 1, 2, 2];
/// The only image that there is.
pub(crate) const CID: &str = "bafkimage";
pub(crate) const LOAD_GAS: u64 = 1_000_000;
pub(crate) const RUN_GAS: u64 = 5_000_000;
pub(crate) const READ_GAS: u64 = 3_000_000;

#[derive(Default)]
pub(crate) struct Mock {
    pub(crate) store: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) read_only: bool,
    /// Whether storage panics.
    pub(crate) panics: bool,
    /// Whether a permit is there to be consumed.
    pub(crate) permitted: bool,
    /// Whether loads are told.
    pub(crate) tells_loads: bool,
    /// Gas that a query takes.
    pub(crate) query_gas: u64,
    /// What happened, in order.
    pub(crate) log: Vec<String>,
    /// The answer to every query.
    pub(crate) answer: Vec<u8>,
    pub(crate) iterators: Vec<VecDeque<(Vec<u8>, Vec<u8>)>>,
}

pub(crate) fn model() -> ModelId {
    ModelId(Digest([7; 32]))
}

impl Storage for Mock {
    fn get(&mut self, key: &[u8]) -> HostResult<Option<Vec<u8>>> {
        assert!(!self.panics, "as it was told");
        Ok(self.store.get(key).cloned())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> HostResult<()> {
        if self.read_only {
            return Err(HostError::ReadOnly);
        }
        self.store.insert(key.into(), value.into());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> HostResult<()> {
        if self.read_only {
            return Err(HostError::ReadOnly);
        }
        self.store.remove(key);
        Ok(())
    }

    fn scan(&mut self, start: Option<&[u8]>, end: Option<&[u8]>, order: Order) -> HostResult<u32> {
        let inside = |key: &[u8]| start.is_none_or(|start| key >= start) && end.is_none_or(|end| key < end);
        let mut pairs: VecDeque<_> =
            self.store.iter().filter(|(key, _)| inside(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
        if order == Order::Descending {
            pairs.make_contiguous().reverse();
        }
        self.iterators.push(pairs);
        Ok(self.iterators.len() as u32)
    }

    fn next(&mut self, iterator: u32) -> HostResult<Option<(Vec<u8>, Vec<u8>)>> {
        let pairs = (iterator as usize).checked_sub(1).and_then(|index| self.iterators.get_mut(index));
        Ok(pairs.ok_or(HostError::NotFound)?.pop_front())
    }
}

impl Querier for Mock {
    fn query(&mut self, request: &[u8], gas_limit: u64) -> HostResult<Answer> {
        match request {
            b"too much" => Err(HostError::OutOfGas),
            b"broken" => Err(HostError::Failed("the disk is gone".into())),
            _ if self.query_gas > gas_limit => Err(HostError::OutOfGas),
            _ => Ok(Answer { json: self.answer.clone(), gas_used: self.query_gas }),
        }
    }
}

impl Addresses for Mock {
    fn canonicalize(&self, human: &str) -> Result<Vec<u8>, String> {
        let name = human.strip_prefix("addr").ok_or_else(|| format!("{human} is not an address"))?;
        Ok(name.bytes().rev().collect())
    }

    fn humanize(&self, canonical: &[u8]) -> Result<String, String> {
        let name = String::from_utf8(canonical.iter().rev().copied().collect()).map_err(|_| "not text".to_owned())?;
        Ok(format!("addr{name}"))
    }

    fn validate(&self, human: &str) -> Result<(), String> {
        self.canonicalize(human).map(|_| ())
    }
}

/// The model of every type: an i32, an i64 and an i8 in, their sum as i64, i32 and i8 out.
pub(crate) fn typed() -> ModelId {
    ModelId(Digest([8; 32]))
}

/// The number in a tensor of one element.
fn number(tensor: &Tensor) -> i64 {
    let sign = if tensor.data().last().is_some_and(|byte| *byte >= 128) { 255 } else { 0 };
    let mut bytes = [sign; 8];
    bytes[..tensor.data().len()].copy_from_slice(tensor.data());
    i64::from_le_bytes(bytes)
}

fn one(ty: ElementType, number: i64) -> Tensor {
    Tensor::new(ty, vec![1], number.to_le_bytes()[..ty.width()].into()).unwrap()
}

impl Models for Mock {
    fn model(&mut self, name: &str, gas_left: u64) -> HostResult<ModelFacts> {
        let spec = |ty| TensorSpec { ty, dims: vec![1] };
        if name == typed().to_string() {
            return Ok(ModelFacts {
                id: typed(),
                load_gas: LOAD_GAS,
                run_gas: RUN_GAS,
                inputs: [ElementType::I32, ElementType::I64, ElementType::I8].map(spec).into(),
                outputs: [ElementType::I64, ElementType::I32, ElementType::I8].map(spec).into(),
            });
        }
        if name != model().to_string() {
            return Err(HostError::NotFound);
        }
        if gas_left < LOAD_GAS {
            return Err(HostError::OutOfGas);
        }
        self.log.extend(self.tells_loads.then(|| "load".into()));
        let spec = TensorSpec { ty: ElementType::U8, dims: DIMS.into() };
        Ok(ModelFacts {
            id: model(),
            load_gas: LOAD_GAS,
            run_gas: RUN_GAS,
            inputs: vec![spec.clone()],
            outputs: vec![spec],
        })
    }

    fn run(&mut self, id: &ModelId, inputs: &[Tensor], _: Option<u32>) -> HostResult<Vec<Tensor>> {
        if *id == typed() {
            self.log.push(format!("sum {:?}", inputs.iter().map(number).collect::<Vec<_>>()));
            let sum = inputs.iter().map(number).sum();
            return Ok([ElementType::I64, ElementType::I32, ElementType::I8].map(|ty| one(ty, sum)).into());
        }
        assert_eq!(*id, model());
        let [input] = inputs else { panic!("one input was announced") };
        self.log.push(format!("run {:?}", input.data()));
        let data = input.data().iter().map(|byte| byte.wrapping_add(1)).collect();
        Ok(vec![Tensor::new(input.ty(), input.dims().into(), data).unwrap()])
    }
}

impl Blobs for Mock {
    fn blob_size(&mut self, cid: &str) -> HostResult<Option<u64>> {
        Ok((cid == CID).then_some(4_000_000_007))
    }

    fn permit(&mut self, request: &[u8]) -> HostResult<()> {
        if request != b"let them" {
            return Err(HostError::Refused(Refusal { code: 12, message: "not the guard of this image".into() }));
        }
        self.permitted = true;
        Ok(())
    }

    fn read_price(&mut self, id: &ModelId, cid: &str, purpose: &str) -> HostResult<u64> {
        assert_eq!(*id, model());
        self.log.push(format!("price {cid} {purpose}"));
        match cid {
            CID if self.permitted => Ok(READ_GAS),
            CID => Err(HostError::Refused(Refusal { code: 11, message: "no permit for this read".into() })),
            _ => Err(HostError::NotFound),
        }
    }

    fn read(&mut self, _: &ModelId, cid: &str, frame: Frame, purpose: &str) -> HostResult<(u32, Tensor)> {
        self.permitted = false;
        self.log.push(match frame {
            Frame::FIRST => format!("read {cid} {purpose}"),
            frame => format!("read frame {frame} of {cid} {purpose}"),
        });
        Ok((5, Tensor::new(ElementType::U8, DIMS.into(), vec![10, 20, 30, 255]).unwrap()))
    }

    fn finish(&mut self, read: u32, outputs: &[Tensor]) -> HostResult<Vec<u8>> {
        self.log.push(format!("finish {read} {:?}", outputs[0].data()));
        Ok(br#"{"read":1}"#.to_vec())
    }
}

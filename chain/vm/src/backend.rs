//! What a frame may reach outside its own memory.
//!
//! The chain joins its storage, queries, addresses, models and blobs to these traits; one object implements them all,
//! so that they share one borrow of the state. Prices are charged by this crate, except for the figures that only the
//! other side can know: [`ModelFacts`], [`Answer::gas_used`] and [`Blobs::read_price`].

use aceso_types::{ElementType, Frame, ModelId, Tensor};

/// Why a backend did not do what a frame asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The work would take more gas than was left. The frame ends as out of gas.
    #[error("out of gas")]
    OutOfGas,
    /// A query frame tried to change something.
    #[error("a query may not write")]
    ReadOnly,
    /// There is no such model, blob or iterator.
    #[error("not found")]
    NotFound,
    /// The chain's rules forbid it. The frame ends with the refusal.
    #[error(transparent)]
    Refused(Refusal),
    /// This node could not do it, and another might. The frame ends and the node must not go on.
    #[error("{0}")]
    Failed(String),
}

/// A refusal by the chain's rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The refusal's number in the chain's own codespace.
    pub code: u32,
    /// The sentence for the user.
    pub message: String,
}

/// A backend's answer.
pub type HostResult<T> = Result<T, HostError>;

/// The order in which an iterator walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the lowest key up; 1 in the ABI.
    Ascending,
    /// From the highest key down; 2 in the ABI.
    Descending,
}

/// The contract's own keys and values.
pub trait Storage {
    /// The value of a key.
    fn get(&mut self, key: &[u8]) -> HostResult<Option<Vec<u8>>>;
    /// Sets a key. A query frame answers [`HostError::ReadOnly`].
    fn set(&mut self, key: &[u8], value: &[u8]) -> HostResult<()>;
    /// Removes a key, present or not. A query frame answers [`HostError::ReadOnly`].
    fn remove(&mut self, key: &[u8]) -> HostResult<()>;
    /// Opens an iterator over `start..end` and answers its id; ids count up from 1 in each frame.
    fn scan(&mut self, start: Option<&[u8]>, end: Option<&[u8]>, order: Order) -> HostResult<u32>;
    /// The iterator's next pair, none at its end, [`HostError::NotFound`] if there is no such iterator.
    fn next(&mut self, iterator: u32) -> HostResult<Option<(Vec<u8>, Vec<u8>)>>;
}

/// What a query came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// JSON of `SystemResult<ContractResult<Binary>>`.
    pub json: Vec<u8>,
    /// Wasm gas that it took.
    pub gas_used: u64,
}

/// Questions to the rest of the chain.
pub trait Querier {
    /// Answers the JSON of a `QueryRequest` within so much wasm gas.
    fn query(&mut self, request: &[u8], gas_limit: u64) -> HostResult<Answer>;
}

/// Addresses in text and in bytes. Their errors are sentences for the contract, which goes on.
pub trait Addresses {
    /// The bytes of an address in text.
    fn canonicalize(&self, human: &str) -> Result<Vec<u8>, String>;
    /// The text of an address in bytes.
    fn humanize(&self, canonical: &[u8]) -> Result<String, String>;
    /// Whether the text is an address in its normal form.
    fn validate(&self, human: &str) -> Result<(), String>;
}

/// Type and shape of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// The type of its elements.
    pub ty: ElementType,
    /// Its dimensions, outermost first.
    pub dims: Vec<u32>,
}

impl TensorSpec {
    /// Whether the tensor has this type and shape.
    pub fn fits(&self, tensor: &Tensor) -> bool {
        self.ty == tensor.ty() && self.dims == tensor.dims()
    }
}

/// What a model is and costs, whatever its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFacts {
    /// The model.
    pub id: ModelId,
    /// Wasm gas of loading it, always as if it were cold.
    pub load_gas: u64,
    /// Wasm gas of running it once.
    pub run_gas: u64,
    /// Its inputs, in order.
    pub inputs: Vec<TensorSpec>,
    /// Its outputs, in order.
    pub outputs: Vec<TensorSpec>,
}

/// Registered models.
pub trait Models {
    /// Looks a model up by its name, the 64 hexadecimal digits of its id; [`HostError::NotFound`] if nobody registered it,
    /// [`HostError::OutOfGas`] where loading it takes more wasm gas than is left, which is known without loading it.
    fn model(&mut self, name: &str, gas_left: u64) -> HostResult<ModelFacts>;
    /// Runs a model that [`Models::model`] has answered, on inputs that fit its facts. The gas is already paid. `read`
    /// is the handle of [`Blobs::read`] that the input came from, if it came from one.
    fn run(&mut self, model: &ModelId, inputs: &[Tensor], read: Option<u32>) -> HostResult<Vec<Tensor>>;
}

/// Images and the permission to read them.
pub trait Blobs {
    /// Bytes of an available blob, none if it is not.
    fn blob_size(&mut self, cid: &str) -> HostResult<Option<u64>>;
    /// Takes a guard's answer, the JSON of [`aceso_types::guest::PermitRequest`].
    fn permit(&mut self, request: &[u8]) -> HostResult<()>;
    /// Wasm gas of fetching the image and decoding a frame of it for the model; refuses when there is no permit for this
    /// read. A permit is for one read, of any frame.
    fn read_price(&mut self, model: &ModelId, cid: &str, purpose: &str) -> HostResult<u64>;
    /// Consumes the permit, counts the use, charges the fee, and answers the read's handle and the model's first input.
    fn read(&mut self, model: &ModelId, cid: &str, frame: Frame, purpose: &str) -> HostResult<(u32, Tensor)>;
    /// Ends a read with the model's outputs, writes its receipt, and answers the JSON of
    /// [`aceso_types::guest::ReadInfo`].
    fn finish(&mut self, read: u32, outputs: &[Tensor]) -> HostResult<Vec<u8>>;
}

/// All that a frame may reach.
pub trait Backend: Storage + Querier + Addresses + Models + Blobs {}

impl<T: Storage + Querier + Addresses + Models + Blobs> Backend for T {}

//! The stage of a test: what is registered, who signs, which contract runs.

use std::{
    any::Any,
    cell::RefCell,
    collections::BTreeMap,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
};

use aceso_types::{
    BlobId, Frame as Picture, Height, Manifest, ModelId, PixelDigest, ReadId, Tensor, TxIndex,
    guest::{AcesoQuery, ImageInfo, ModelInfo, Origin, PermitRequest},
    journal::Entry,
};
use cosmwasm_std::{
    ContractResult, OwnedDeps, SystemError, SystemResult,
    testing::{MockApi, MockQuerier, MockStorage},
    to_json_binary,
};

use super::{
    engine::{Engine, Stated},
    sealed::Jobs,
};
use crate::{Errno, Query};

/// The `Deps` of a contract under test: the host answers its [`Query`]s.
pub type MockDeps = OwnedDeps<MockStorage, MockApi, MockQuerier<Query>, Query>;

/// Why the chain ended a call: a refusal that a contract cannot handle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Trap(pub String);

/// How an image is registered.
#[derive(Clone, Debug, Default)]
pub struct Registration {
    /// The account that registers it.
    pub owner: String,
    /// The contract that guards it; empty for a public image.
    pub guard: String,
    /// Who made the image of whom in which study, if an institution says so.
    pub origin: Option<Origin>,
    /// What the registrant says of it.
    pub stated: Stated,
}

impl Registration {
    fn info(&self) -> ImageInfo {
        let Self { owner, guard, origin, stated } = self.clone();
        ImageInfo { owner, guard, origin, modality: stated.modality, body_part: stated.body_part }
    }
}

pub(crate) struct Model {
    pub(crate) manifest: Manifest,
    pub(crate) author: String,
}

pub(crate) struct Image {
    pub(crate) bytes: Vec<u8>,
    pub(crate) registration: Registration,
}

/// One run of a model.
pub(crate) struct Run {
    pub(crate) model: ModelId,
    pub(crate) inputs: BTreeMap<u32, Tensor>,
    pub(crate) outputs: Option<Vec<Tensor>>,
    pub(crate) read: Option<(ReadId, BlobId, Picture, PixelDigest)>,
}

/// One call of a contract: its handles die with it.
#[derive(Default)]
pub(crate) struct Frame {
    pub(crate) contract: String,
    pub(crate) graphs: Vec<ModelId>,
    pub(crate) runs: Vec<Run>,
}

pub(crate) struct Chain {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) models: BTreeMap<ModelId, Model>,
    pub(crate) images: BTreeMap<BlobId, Image>,
    pub(crate) uses: BTreeMap<(String, String), u32>,
    /// What contracts were charged, by contract and the image's owner.
    pub(crate) spent: BTreeMap<(String, String), u128>,
    /// What each contract may still pay reads with in this transaction.
    pub(crate) coins: BTreeMap<String, u64>,
    pub(crate) journal: Vec<Entry>,
    pub(crate) reads: u64,
    pub(crate) height: Height,
    pub(crate) tx: TxIndex,
    pub(crate) signers: Vec<String>,
    /// Guard and what it permitted.
    pub(crate) permits: Vec<(String, PermitRequest)>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) jobs: Jobs,
}

/// A host for the contracts under test. Clones are the same host.
#[derive(Clone)]
pub struct Host(Rc<RefCell<Chain>>);

thread_local! {
    /// The hosts that are being called, innermost last.
    static CALLED: RefCell<Vec<Host>> = const { RefCell::new(Vec::new()) };
}

/// How an import ends.
pub(crate) enum Stop {
    /// The contract sees a number.
    Errno(Errno),
    /// The contract sees nothing more.
    Trap(Trap),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// Lets the host of the innermost call answer an import.
pub(crate) fn current<R>(import: impl FnOnce(&mut Chain) -> Result<R, Stop>) -> Result<R, Errno> {
    let host = CALLED.with_borrow(|hosts| hosts.last().cloned()).ok_or(Errno::UnsupportedOperation)?;
    let answer = import(&mut host.0.borrow_mut());
    match answer {
        Ok(value) => Ok(value),
        Err(Stop::Errno(errno)) => Err(errno),
        // Unwinds to `Host::call`, past whatever the contract would do about an error, and without a panic's message.
        Err(Stop::Trap(trap)) => resume_unwind(Box::new(trap)),
    }
}

impl Host {
    /// A host with nothing registered.
    pub fn new(engine: impl Engine + 'static) -> Self {
        Self(Rc::new(RefCell::new(Chain {
            engine: Box::new(engine),
            models: BTreeMap::new(),
            images: BTreeMap::new(),
            uses: BTreeMap::new(),
            spent: BTreeMap::new(),
            coins: BTreeMap::new(),
            journal: Vec::new(),
            reads: 0,
            height: Height(1),
            tx: TxIndex(0),
            signers: Vec::new(),
            permits: Vec::new(),
            frames: Vec::new(),
            jobs: Jobs::default(),
        })))
    }

    /// Registers a model, whose author earns its price.
    ///
    /// # Errors
    /// The engine's sentence, where it does not admit the model.
    pub fn model(&self, manifest: &Manifest, onnx: &[u8], author: &str) -> Result<ModelId, String> {
        let mut chain = self.0.borrow_mut();
        chain.engine.admit(manifest, onnx)?;
        let id = manifest.id();
        chain.models.insert(id, Model { manifest: manifest.clone(), author: author.into() });
        Ok(id)
    }

    /// Registers an image and makes it available at once. Its id is that of a single raw leaf.
    pub fn image(&self, bytes: &[u8], registration: Registration) -> BlobId {
        let id = BlobId::of_raw(bytes);
        self.0.borrow_mut().images.insert(id, Image { bytes: bytes.into(), registration });
        id
    }

    /// Says what a contract has to pay reads with: on a chain, its balance before the transaction.
    pub fn set_coins(&self, contract: &str, amount: u64) {
        self.0.borrow_mut().coins.insert(contract.into(), amount);
    }

    /// Begins a transaction: permits of the last one are gone.
    pub fn transaction(&self, signers: &[&str]) {
        let mut chain = self.0.borrow_mut();
        chain.signers = signers.iter().map(ToString::to_string).collect();
        chain.permits.clear();
        chain.tx = TxIndex(chain.tx.0.saturating_add(1));
    }

    /// Runs a contract's entry point as this contract.
    ///
    /// # Errors
    /// [`Trap`] where the host ended the call. A panic of the contract goes on.
    pub fn call<R>(&self, contract: &str, entry: impl FnOnce() -> R) -> Result<R, Trap> {
        self.0.borrow_mut().frames.push(Frame { contract: contract.into(), ..Frame::default() });
        CALLED.with_borrow_mut(|hosts| hosts.push(self.clone()));
        let result = catch_unwind(AssertUnwindSafe(entry));
        CALLED.with_borrow_mut(Vec::pop);
        self.0.borrow_mut().frames.pop();
        result.map_err(|payload: Box<dyn Any + Send>| match payload.downcast::<Trap>() {
            Ok(trap) => *trap,
            Err(other) => resume_unwind(other),
        })
    }

    /// What is written down so far.
    pub fn journal(&self) -> Vec<Entry> {
        self.0.borrow().journal.clone()
    }

    /// How often a guard's grant was used.
    pub fn uses(&self, guard: &str, grant: &str) -> u32 {
        self.0.borrow().uses_of(guard, grant)
    }

    /// What a contract has left to pay reads with.
    pub fn coins(&self, contract: &str) -> u64 {
        self.0.borrow().coins.get(contract).copied().unwrap_or_default()
    }

    /// Looks at the chain, or changes it.
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut Chain) -> R) -> R {
        change(&mut self.0.borrow_mut())
    }

    /// Mock `Deps` whose custom queries this host answers.
    pub fn deps(&self) -> MockDeps {
        let host = self.clone();
        let querier =
            MockQuerier::new(&[]).with_custom_handler(move |query: &Query| host.0.borrow().answer_query(&query.0));
        OwnedDeps { storage: MockStorage::default(), api: MockApi::default(), querier, custom_query_type: PhantomData }
    }
}

impl Chain {
    pub(crate) fn uses_of(&self, guard: &str, grant: &str) -> u32 {
        self.uses.get(&(guard.into(), grant.into())).copied().unwrap_or_default()
    }

    fn answer_query(&self, query: &AcesoQuery) -> SystemResult<ContractResult<cosmwasm_std::Binary>> {
        let json = match query {
            AcesoQuery::Image { image } => {
                to_json_binary(&self.images.get(image).map(|image| image.registration.info()))
            }
            AcesoQuery::Sealed { owner, image } => {
                let record = self.jobs.records.get(&(owner.clone(), *image));
                to_json_binary(&record.map(|record| record.registration.info()))
            }
            AcesoQuery::Model { model } => to_json_binary(&self.models.get(model).map(|model| ModelInfo {
                name: model.manifest.name.clone(),
                author: model.author.clone(),
                price: model.manifest.price.clone(),
                findings: model.manifest.output.findings.iter().map(|finding| finding.id.clone()).collect(),
            })),
            AcesoQuery::Uses { guard, grant } => to_json_binary(&self.uses_of(guard, grant)),
            AcesoQuery::Spent { payer, owner } => {
                let spent = self.spent.get(&(payer.clone(), owner.clone())).copied().unwrap_or_default();
                to_json_binary(&spent.to_string())
            }
        };
        match json {
            Ok(json) => SystemResult::Ok(ContractResult::Ok(json)),
            Err(e) => {
                SystemResult::Err(SystemError::InvalidRequest { error: e.to_string(), request: Default::default() })
            }
        }
    }
}

/// The chain's number of a read, from 1.
pub(crate) fn next_read(chain: &mut Chain) -> ReadId {
    chain.reads = chain.reads.saturating_add(1);
    ReadId(chain.reads)
}

/// Whether an origin statement speaks of these pixels.
pub(crate) fn vouched(origin: Option<&Origin>, pixels: &PixelDigest) -> Option<Origin> {
    origin.filter(|origin| origin.pixels == *pixels).cloned()
}

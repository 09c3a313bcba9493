//! A small application for the tests of the engine and the rim: it keeps `key=value` pairs and counts blocks.
//!
//! What it has committed survives in [`Counter::disk`], so that a test can stop an engine at any point and start
//! another over the same disk.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use aceso_app::WantedBlob;
use aceso_types::BlobId;
use sha2::{Digest, Sha256};
use tendermint::{
    abci::{Event, EventAttributeIndexExt, types::ExecTxResult},
    v0_38::abci::{request, response},
};

use crate::application::{Application, Fault};

/// What is on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    height: u64,
    pairs: BTreeMap<String, String>,
    started: bool,
}

impl Disk {
    fn hash(&self) -> Vec<u8> {
        let mut hasher = Sha256::new();
        for (key, value) in &self.pairs {
            hasher.update(format!("{key}={value};"));
        }
        hasher.finalize().to_vec()
    }
}

/// The application.
#[derive(Default)]
pub(crate) struct Counter {
    /// What survives.
    pub(crate) disk: Arc<Mutex<Disk>>,
    pending: Mutex<Option<Disk>>,
    /// When set, Commit fails: the process "dies" between execution and commit.
    pub(crate) dies_in_commit: std::sync::atomic::AtomicBool,
    /// The block that an upgrade is due at which nobody knows; 0 for none.
    upgrade_at: u64,
}

impl Counter {
    /// The application over a disk that another one has written.
    pub(crate) fn over(disk: &Arc<Mutex<Disk>>) -> Self {
        Self { disk: Arc::clone(disk), ..Self::default() }
    }

    /// The application that does not know the upgrade of a block.
    pub(crate) fn halting(upgrade_at: u64) -> Self {
        Self { upgrade_at, ..Self::default() }
    }

    /// The height on the disk.
    pub(crate) fn height(&self) -> u64 {
        self.disk.lock().unwrap().height
    }
}

fn pair(tx: &[u8]) -> Option<(String, String)> {
    let (key, value) = std::str::from_utf8(tx).ok()?.split_once('=')?;
    (!key.is_empty()).then(|| (key.into(), value.into()))
}

impl Application for Counter {
    fn chain_id(&self) -> Option<String> {
        self.disk.lock().unwrap().started.then(|| "test-1".into())
    }

    fn info(&self) -> response::Info {
        let disk = self.disk.lock().unwrap();
        response::Info {
            app_version: 1,
            last_block_height: disk.height.try_into().unwrap(),
            last_block_app_hash: disk.hash().try_into().unwrap(),
            ..Default::default()
        }
    }

    fn init_chain(&self, _: request::InitChain) -> Result<response::InitChain, Fault> {
        let mut disk = self.disk.lock().unwrap();
        disk.started = true;
        Ok(response::InitChain { app_hash: disk.hash().try_into().unwrap(), ..Default::default() })
    }

    fn check_tx(&self, request: request::CheckTx) -> response::CheckTx {
        match pair(&request.tx) {
            Some(_) => response::CheckTx { gas_wanted: 1, ..Default::default() },
            None => response::CheckTx {
                code: 2.into(),
                codespace: "sdk".into(),
                log: "tx parse error".into(),
                ..Default::default()
            },
        }
    }

    fn prepare_proposal(&self, request: request::PrepareProposal) -> response::PrepareProposal {
        assert_eq!(request.height.value() > 1, !request.local_last_commit.unwrap().votes.is_empty());
        response::PrepareProposal { txs: request.txs }
    }

    fn process_proposal(&self, _: request::ProcessProposal) -> response::ProcessProposal {
        response::ProcessProposal::Accept
    }

    fn finalize_block(&self, request: request::FinalizeBlock) -> Result<response::FinalizeBlock, Fault> {
        let height = request.height.value();
        if height == self.upgrade_at {
            return Err(aceso_app::AppError::UpgradeDue { name: "unknown".into(), height, info: String::new() }.into());
        }
        let mut next = self.disk.lock().unwrap().clone();
        if next.height + 1 != request.height.value() {
            return Err(format!("block {} after {}", request.height, next.height).into());
        }
        next.height += 1;
        let mut results = response::FinalizeBlock {
            events: vec![Event::new("app_block", [("height", next.height.to_string()).index()])],
            tx_results: Vec::new(),
            validator_updates: Vec::new(),
            consensus_param_updates: None,
            app_hash: Default::default(),
        };
        for tx in &request.txs {
            let mut result = ExecTxResult { gas_wanted: 1, gas_used: 1, ..Default::default() };
            match pair(tx) {
                Some((key, value)) => {
                    let attributes = [("key", key.clone()).index(), ("value", value.clone()).index()];
                    result.events.push(Event::new("pair", attributes));
                    next.pairs.insert(key, value);
                }
                None => result.code = 2.into(),
            }
            results.tx_results.push(result);
        }
        results.app_hash = next.hash().try_into()?;
        *self.pending.lock().unwrap() = Some(next);
        Ok(results)
    }

    fn commit(&self) -> Result<response::Commit, Fault> {
        if self.dies_in_commit.load(std::sync::atomic::Ordering::Relaxed) {
            return Err("killed".into());
        }
        *self.disk.lock().unwrap() = self.pending.lock().unwrap().take().ok_or("commit without a block")?;
        Ok(response::Commit::default())
    }

    fn query(&self, request: request::Query) -> response::Query {
        let disk = self.disk.lock().unwrap();
        let key = String::from_utf8_lossy(&request.data).into_owned();
        let height = disk.height.try_into().unwrap();
        match disk.pairs.get(&key) {
            Some(value) if request.path == "/pair" => {
                response::Query { key: request.data, value: value.clone().into(), height, ..Default::default() }
            }
            _ => response::Query {
                code: 6.into(),
                codespace: "sdk".into(),
                log: "unknown query path".into(),
                height,
                ..Default::default()
            },
        }
    }

    fn wanted_blobs(&self) -> Vec<WantedBlob> {
        Vec::new()
    }

    fn live_blobs(&self, _: Option<&BlobId>, _: usize) -> (Vec<WantedBlob>, Option<BlobId>) {
        Default::default()
    }

    fn attests(&self, _: u64) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn expects_blocks(&self) -> bool {
        false
    }
}

/// A voter that says "here" with the chain's id.
pub(crate) struct Here;

impl crate::abci::vote::Extend for Here {
    fn extension(&self, chain_id: &str, _: Vec<WantedBlob>, _: &[Vec<u8>]) -> bytes::Bytes {
        format!("here on {chain_id}").into()
    }
}

/// An engine over a [`Counter`], and what answers for it.
pub(crate) struct Rig {
    pub(crate) app: Arc<Counter>,
    pub(crate) engine: Option<crate::engine::Engine>,
    pub(crate) node: Arc<crate::rpc::Node>,
    pub(crate) pulse: Arc<crate::engine::pulse::Pulse>,
}

/// What a test chain starts from; the key is always the same.
pub(crate) fn origin() -> crate::engine::Origin {
    let signer = signer();
    crate::engine::Origin {
        chain_id: "test-1".parse().unwrap(),
        initial_height: 1,
        time: tendermint::Time::from_unix_timestamp(1_700_000_000, 0).unwrap(),
        params: serde_json::from_value(serde_json::json!({
            "block": {"max_bytes": "4194304", "max_gas": "200000000"},
            "evidence": {"max_age_num_blocks": "100000", "max_age_duration": "172800000000000", "max_bytes": "1048576"},
            "validator": {"pub_key_types": ["ed25519"]},
            "abci": {"vote_extensions_enable_height": "1"},
        }))
        .unwrap(),
        validators: vec![tendermint::validator::Info::new(signer.public(), 10u32.into())],
        app_state: "{}".into(),
    }
}

fn signer() -> crate::engine::commit::Signer {
    crate::engine::commit::Signer::new(ed25519_consensus::SigningKey::from([7; 32]))
}

impl Rig {
    /// Starts an engine over a home and the application's disk; fails as the engine does.
    pub(crate) fn start(home: &std::path::Path, app: Counter) -> Result<Self, crate::engine::EngineError> {
        Self::start_with(home, app, None)
    }

    /// The same, with empty blocks at a pace.
    pub(crate) fn start_with(
        home: &std::path::Path,
        app: Counter,
        empty_blocks: Option<std::time::Duration>,
    ) -> Result<Self, crate::engine::EngineError> {
        let app = Arc::new(app);
        let pulse = Arc::new(crate::engine::pulse::Pulse::default());
        let store = Arc::new(crate::engine::store::Store::open(&home.join("blocks.redb"))?);
        let limits = crate::engine::mempool::Limits { count: 100, bytes: 1 << 20, tx_bytes: 1 << 16, remembered: 100 };
        let checks = crate::abci::mempool::Mempool::new(app.clone());
        let mempool = Arc::new(crate::engine::mempool::Mempool::new(checks, limits, Arc::clone(&pulse)));
        let hub = Arc::new(crate::engine::events::Hub::default());
        let limits = crate::rpc::Limits { commit_timeout: std::time::Duration::from_secs(5), ..Default::default() };
        let node = Arc::new(crate::rpc::Node {
            origin: origin(),
            genesis: serde_json::json!({"chain_id": "test-1"}),
            store: Arc::clone(&store),
            mempool: Arc::clone(&mempool),
            hub: Arc::clone(&hub),
            info: crate::abci::info::Info::new(app.clone()),
            queries: crate::abci::query::Queries::new(app.clone()),
            public: signer().public(),
            rpc_address: "127.0.0.1:26657".into(),
            keep_heights: 100,
            limits,
            workers: Arc::new(crate::net::turns::Turns::new(limits.workers)),
            suspects: Arc::default(),
            // Two for each address.
            websockets: Arc::new(crate::net::places::Places::new("websockets", 4)),
        });
        let parts = crate::engine::Parts {
            consensus: crate::abci::consensus::Consensus::new(app.clone(), Arc::new(Here)),
            app: app.clone(),
            store,
            mempool,
            hub,
            signer: signer(),
            pulse: Arc::clone(&pulse),
            interval: std::time::Duration::ZERO,
            empty_blocks,
        };
        let engine = Some(crate::engine::Engine::start(parts, origin())?);
        Ok(Self { app, engine, node, pulse })
    }

    /// Puts transactions into the mempool and makes one block.
    pub(crate) fn block(&mut self, txs: &[&str]) -> Result<(), crate::engine::EngineError> {
        for tx in txs {
            self.node.mempool.add(tx.to_string().into()).unwrap();
        }
        self.engine.as_mut().unwrap().step()
    }

    /// Lets the engine run by itself.
    pub(crate) fn run(&mut self) -> std::thread::JoinHandle<Result<(), crate::engine::EngineError>> {
        let engine = self.engine.take().unwrap();
        std::thread::spawn(move || engine.run())
    }
}

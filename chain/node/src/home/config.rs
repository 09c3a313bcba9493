//! What an operator may change: bounds of the node. Everything that validators must agree upon is in the genesis.

use std::{path::PathBuf, time::Duration};

use aceso_app::Tier;
use aceso_inference::{KernelSet, Kernels};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tokio::runtime::Runtime;

use super::{Home, HomeError, read, write_new};
use crate::{engine::mempool, grpc, rest::ledger, rpc, trace::Collector};

const FILE_MAX: u64 = 64 << 10;

/// What a home gets that has no configuration yet: every key with its default.
const TEMPLATE: &str = include_str!("aceso.toml");

/// `config/aceso.toml`, whose keys are explained there. One that is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) keep_heights: u64,
    pub(crate) keep_blocks: u64,
    pub(crate) snapshot_interval: u64,
    pub(crate) mempool_txs: usize,
    pub(crate) mempool_bytes: usize,
    pub(crate) rpc_body_bytes: usize,
    pub(crate) rpc_websockets: usize,
    pub(crate) grpc_message_bytes: usize,
    pub(crate) grpc_requests: usize,
    pub(crate) blob_bytes: u64,
    pub(crate) blob_unregistered_bytes: u64,
    pub(crate) blob_unregistered_seconds: u64,
    pub(crate) blob_peers: Vec<String>,
    pub(crate) blob_readers: Vec<String>,
    pub(crate) blob_fetch_seconds: u64,
    pub(crate) otlp_endpoint: String,
    pub(crate) worker_threads: u16,
    pub(crate) worker_queue: usize,
    pub(crate) worker_socket: String,
    pub(crate) threads: u16,
    pub(crate) compiler: Compiler,
    pub(crate) state_cache_bytes: u64,
    pub(crate) code_cache_bytes: usize,
    pub(crate) model_cache_bytes: u64,
    pub(crate) packed_model_bytes: u64,
    pub(crate) inference_kernels: String,
}

/// Which compiler makes machine code of contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compiler {
    Tiered,
    Cranelift,
    Winch,
}

impl Default for Config {
    fn default() -> Self {
        let (rpc, grpc, blobs) = (rpc::Limits::default(), grpc::Limits::default(), ledger::Limits::default());
        Self {
            keep_heights: 100_000,
            keep_blocks: 0,
            snapshot_interval: 1000,
            mempool_txs: 5000,
            mempool_bytes: 64 << 20,
            rpc_body_bytes: rpc.body_bytes,
            rpc_websockets: rpc.websockets,
            grpc_message_bytes: grpc.message_bytes,
            grpc_requests: grpc.requests,
            blob_bytes: blobs.blob_bytes,
            blob_unregistered_bytes: blobs.unregistered_bytes,
            blob_unregistered_seconds: blobs.keep.as_secs(),
            blob_peers: Vec::new(),
            blob_readers: Vec::new(),
            blob_fetch_seconds: 60,
            otlp_endpoint: String::new(),
            worker_threads: 1,
            worker_queue: 100_000,
            worker_socket: String::new(),
            threads: 0,
            compiler: Compiler::Tiered,
            state_cache_bytes: 256 << 20,
            code_cache_bytes: 256 << 20,
            model_cache_bytes: 1 << 30,
            packed_model_bytes: 4 << 30,
            inference_kernels: KernelSet::Auto.to_string(),
        }
    }
}

impl Config {
    /// Reads the file, or writes the defaults where there is none.
    pub(crate) fn load_or_create(home: &Home) -> Result<Self, HomeError> {
        let path = home.config_file();
        if !path.exists() {
            write_new(&path, TEMPLATE.as_bytes(), false)?;
        }
        let malformed = |reason: String| HomeError::Malformed { path: path.clone(), reason };
        let text = String::from_utf8(read(&path, FILE_MAX)?).map_err(|e| malformed(e.to_string()))?;
        toml::from_str(&text).map_err(|e| malformed(e.to_string().trim().replace('\n', " ")))
    }

    /// The configuration's text with the blobs' peers in it.
    pub(crate) fn with_peers(urls: &[String]) -> String {
        TEMPLATE.replacen("blob_peers = []", &format!("blob_peers = {urls:?}"), 1)
    }

    /// What the application is opened with.
    pub(crate) fn apply(&self, options: &mut aceso_app::Config) {
        options.keep_heights = self.keep_heights;
        options.tier = match self.compiler {
            Compiler::Tiered => Tier::Tiered,
            Compiler::Cranelift => Tier::Cranelift,
            Compiler::Winch => Tier::Winch,
        };
        options.state_cache_bytes = self.state_cache_bytes;
        options.code_cache_bytes = self.code_cache_bytes;
        options.model_cache_bytes = self.model_cache_bytes;
    }

    /// The threads that serve sockets; blocks are executed by one, whatever this says.
    pub(crate) fn runtime(&self) -> std::io::Result<Runtime> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if self.threads > 0 {
            builder.worker_threads(self.threads.into());
        }
        builder.enable_all().build()
    }

    /// Attestation keys of nodes that may fetch guarded blobs.
    pub(crate) fn blob_readers(&self, home: &Home) -> Result<Vec<[u8; 48]>, HomeError> {
        let key = |text: &String| {
            let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
            bytes.ok_or_else(|| HomeError::Malformed {
                path: home.config_file(),
                reason: format!("blob_readers: {text:?} is no BLS12-381 key of 48 bytes in base64"),
            })
        };
        self.blob_readers.iter().map(key).collect()
    }

    /// What models are computed with.
    pub(crate) fn kernels(&self, home: &Home) -> Result<Kernels, HomeError> {
        let chosen = self.inference_kernels.parse().and_then(Kernels::new);
        chosen.map_err(|e| HomeError::Malformed { path: home.config_file(), reason: format!("inference_kernels: {e}") })
    }

    /// Where worker processes connect, if anywhere; a relative path begins in the home.
    pub(crate) fn worker_socket(&self, home: &Home) -> Option<PathBuf> {
        (!self.worker_socket.is_empty()).then(|| home.path().join(&self.worker_socket))
    }

    /// Where spans of a chain go, if anywhere.
    pub(crate) fn collector(&self, home: &Home, chain_id: &str) -> Result<Option<Collector>, HomeError> {
        Collector::at(&self.otlp_endpoint, chain_id)
            .map_err(|reason| HomeError::Malformed { path: home.config_file(), reason })
    }

    /// Bounds of the mempool for blocks of so many bytes.
    pub(crate) fn mempool(&self, block_bytes: u64) -> mempool::Limits {
        mempool::Limits {
            count: self.mempool_txs,
            bytes: self.mempool_bytes,
            // Header, commit and frames take less than this beside one transaction.
            tx_bytes: usize::try_from(block_bytes.saturating_sub(2048)).unwrap_or(usize::MAX),
            remembered: self.mempool_txs.saturating_mul(4),
        }
    }

    /// Bounds of the RPC.
    pub(crate) fn rpc(&self) -> rpc::Limits {
        rpc::Limits { body_bytes: self.rpc_body_bytes, websockets: self.rpc_websockets, ..Default::default() }
    }

    /// Bounds of gRPC.
    pub(crate) fn grpc(&self) -> grpc::Limits {
        grpc::Limits { message_bytes: self.grpc_message_bytes, requests: self.grpc_requests, ..Default::default() }
    }

    /// Bounds of uploads.
    pub(crate) fn uploads(&self) -> ledger::Limits {
        ledger::Limits {
            blob_bytes: self.blob_bytes,
            unregistered_bytes: self.blob_unregistered_bytes,
            keep: Duration::from_secs(self.blob_unregistered_seconds),
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_once_then_read() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let _lock = home.lock().unwrap();
        assert_eq!(Config::load_or_create(&home).unwrap(), Config::default());
        std::fs::write(home.config_file(), "mempool_txs = 7").unwrap();
        assert_eq!(Config::load_or_create(&home).unwrap().mempool_txs, 7);
        for (wrong, word) in [
            ("mempol_txs = 7", "mempol_txs"),
            ("compiler = \"gcc\"", "gcc"),
            ("threads = 70000", "70000"),
            ("mempool_txs = -1", "-1"),
            ("=", "line 1"),
            ("\u{0}", "line 1"),
        ] {
            std::fs::write(home.config_file(), wrong).unwrap();
            let refused = Config::load_or_create(&home).unwrap_err().to_string();
            assert!(refused.contains(word) && refused.contains("aceso.toml") && !refused.contains('\n'), "{refused}");
        }
    }

    #[test]
    fn kernels_that_this_machine_has() {
        let home = Home::at("/nowhere");
        let kernels = |name: &str| {
            let config = Config { inference_kernels: name.into(), ..Config::default() };
            config.kernels(&home).map(|kernels| kernels.set()).map_err(|e| e.to_string())
        };
        assert_eq!(kernels("scalar"), Ok(KernelSet::Scalar));
        assert_eq!(kernels("auto").ok(), Kernels::available().last().copied());
        for wrong in ["simd128", "fast", ""] {
            let refused = kernels(wrong).unwrap_err();
            assert!(refused.contains("aceso.toml") && refused.contains("inference_kernels: "), "{refused}");
        }
    }

    #[test]
    fn peers_and_readers() {
        let home = Home::at("/nowhere");
        let text = Config::with_peers(&["http://10.0.0.2:1317".into()]);
        let mut config: Config = toml::from_str(&text).unwrap();
        assert_eq!(config.blob_peers, ["http://10.0.0.2:1317"]);
        config.blob_readers = vec![STANDARD.encode([7; 48])];
        assert_eq!(config.blob_readers(&home).unwrap(), [[7; 48]]);
        config.blob_readers.push("AAAA".into());
        assert!(config.blob_readers(&home).unwrap_err().to_string().contains("blob_readers: \"AAAA\""));
    }

    #[test]
    fn a_collector_has_a_url() {
        let home = Home::at("/nowhere");
        let at = |endpoint: &str| {
            let config = Config { otlp_endpoint: endpoint.into(), ..Config::default() };
            config.collector(&home, "chain-1").map(|collector| collector.is_some()).map_err(|e| e.to_string())
        };
        assert_eq!(
            (at(""), at("http://127.0.0.1:4318"), at("https://collector/otlp/")),
            (Ok(false), Ok(true), Ok(true))
        );
        for wrong in ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", "http:// x"] {
            let refused = at(wrong).unwrap_err();
            assert!(
                refused.contains("aceso.toml") && refused.contains(&format!("otlp_endpoint {wrong:?}")),
                "{refused}"
            );
        }
    }
}

//! What an operator may change: bounds of the node. Everything that validators must agree upon is in the genesis.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Home, HomeError, read, write_new};
use crate::{engine::mempool, rest::ledger, rpc};

const FILE_MAX: u64 = 64 << 10;

/// `config/aceso.json`. A member that is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Heights that can be queried and proven, counted back from the latest.
    pub(crate) keep_heights: u64,
    /// Heights between two snapshots for state sync under CometBFT; 0 for none. The last two are offered.
    pub(crate) snapshot_interval: u64,
    /// Most transactions in the mempool.
    pub(crate) mempool_txs: usize,
    /// Most bytes in the mempool.
    pub(crate) mempool_bytes: usize,
    /// Most bytes of one request to the RPC.
    pub(crate) rpc_body_bytes: usize,
    /// Most websockets.
    pub(crate) rpc_websockets: usize,
    /// Most bytes of an uploaded blob.
    pub(crate) blob_bytes: u64,
    /// Most uploaded bytes that nobody has registered.
    pub(crate) blob_unregistered_bytes: u64,
    /// Seconds that they stay.
    pub(crate) blob_unregistered_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        let (rpc, blobs) = (rpc::Limits::default(), ledger::Limits::default());
        Self {
            keep_heights: 100_000,
            snapshot_interval: 1000,
            mempool_txs: 5000,
            mempool_bytes: 64 << 20,
            rpc_body_bytes: rpc.body_bytes,
            rpc_websockets: rpc.websockets,
            blob_bytes: blobs.blob_bytes,
            blob_unregistered_bytes: blobs.unregistered_bytes,
            blob_unregistered_seconds: blobs.keep.as_secs(),
        }
    }
}

impl Config {
    /// Reads the file, or writes the defaults where there is none.
    pub(crate) fn load_or_create(home: &Home) -> Result<Self, HomeError> {
        let path = home.config_file();
        if !path.exists() {
            let config = Self::default();
            let mut json = serde_json::to_vec_pretty(&config).unwrap_or_default();
            json.push(b'\n');
            write_new(&path, &json, false)?;
            return Ok(config);
        }
        serde_json::from_slice(&read(&path, FILE_MAX)?)
            .map_err(|e| HomeError::Malformed { path, reason: e.to_string() })
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
        std::fs::write(home.config_file(), br#"{"mempool_txs": 7}"#).unwrap();
        assert_eq!(Config::load_or_create(&home).unwrap().mempool_txs, 7);
        std::fs::write(home.config_file(), br#"{"mempol_txs": 7}"#).unwrap();
        assert!(Config::load_or_create(&home).unwrap_err().to_string().contains("mempol_txs"));
    }
}

//! CometBFT's own configuration, as far as a network of this software wants it other than CometBFT's defaults.

use super::{Home, HomeError, write_new};

/// Where a CometBFT node listens and whom it calls.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    /// What others call it.
    pub(crate) moniker: String,
    /// The application, `unix://PATH` or `tcp://HOST:PORT`.
    pub(crate) app: String,
    /// Where the RPC listens, `HOST:PORT`.
    pub(crate) rpc: String,
    /// Where other nodes connect, `HOST:PORT`.
    pub(crate) p2p: String,
    /// Nodes that it keeps calling, `ID@HOST:PORT`.
    pub(crate) peers: Vec<String>,
    /// Pause between a block and the proposal of the next one, in milliseconds.
    pub(crate) block_time: u64,
    /// Whether other nodes are on this machine: addresses that are no public ones, several behind one address.
    pub(crate) local: bool,
}

impl Home {
    /// Writes `config/config.toml` where there is none. What is not named in it has CometBFT's default.
    pub(crate) fn write_engine(&self, engine: &Engine) -> Result<(), HomeError> {
        let path = self.engine_file();
        if path.exists() { Ok(()) } else { write_new(&path, engine.toml().as_bytes(), false) }
    }
}

impl Engine {
    fn toml(&self) -> String {
        let Self { moniker, app, rpc, p2p, peers, block_time, local } = self;
        let peers = peers.join(",");
        // A network of one machine has no delays to wait for.
        let propose = (block_time * 3).clamp(500, 3000);
        format!(
            r#"# CometBFT v0.38. A key that is left out has CometBFT's default.
proxy_app = {app:?}
moniker = {moniker:?}

[rpc]
laddr = "tcp://{rpc}"
# Contracts are larger than the default lets in.
max_body_bytes = 6291456

[p2p]
laddr = "tcp://{p2p}"
persistent_peers = {peers:?}
addr_book_strict = {strict}
allow_duplicate_ip = {local}

[mempool]
max_tx_bytes = 4194304

[consensus]
timeout_propose = "{propose}ms"
timeout_commit = "{block_time}ms"

[instrumentation]
# Prometheus metrics of the engine; those of the application are on its REST port under /metrics.
prometheus = false
"#,
            strict = !local
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cometbft_can_read_it() {
        let engine = Engine {
            moniker: "a \"b\"".into(),
            app: "unix:///a b/abci.sock".into(),
            rpc: "127.0.0.1:1".into(),
            p2p: "127.0.0.1:2".into(),
            peers: vec!["aa@127.0.0.1:3".into(), "bb@127.0.0.1:4".into()],
            block_time: 1000,
            local: true,
        };
        let read: toml::Table = engine.toml().parse().unwrap();
        assert_eq!(read["moniker"].as_str(), Some("a \"b\""));
        assert_eq!(read["p2p"]["persistent_peers"].as_str(), Some("aa@127.0.0.1:3,bb@127.0.0.1:4"));
        assert_eq!(read["p2p"]["addr_book_strict"].as_bool(), Some(false));
        assert_eq!(read["consensus"]["timeout_commit"].as_str(), Some("1000ms"));
        assert_eq!(read["consensus"]["timeout_propose"].as_str(), Some("3000ms"));
    }
}

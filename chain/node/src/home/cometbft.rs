//! CometBFT's own configuration, as far as this node has something to say about it.
//!
//! CometBFT writes `config/config.toml` itself when there is none, with values for a network across sites. Only a home
//! that is asked for another pace, or is one of a network made here, gets a file from here, which says that and nothing
//! more: what a file leaves out CometBFT takes from its defaults.

use std::path::PathBuf;

use super::{Home, HomeError, read, write_new};

const FILE_MAX: u64 = 1 << 20;
/// Most bytes a second of one connection between engines.
const RATE: u64 = 51_200_000;

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
    pub(crate) fn cometbft_file(&self) -> PathBuf {
        self.config().join("config.toml")
    }

    /// Where CometBFT's RPC listens by its configuration, as a URL; none if that does not say.
    pub(crate) fn engine_rpc(&self) -> Option<String> {
        let text = String::from_utf8(read(&self.cometbft_file(), FILE_MAX).ok()?).ok()?;
        let table: toml::Table = text.parse().ok()?;
        let at = table.get("rpc")?.get("laddr")?.as_str()?.strip_prefix("tcp://")?.to_owned();
        // Where it listens everywhere it listens here.
        Some(format!("http://{}", at.replace("0.0.0.0", "127.0.0.1")))
    }

    /// Makes CometBFT rest for so many milliseconds between two blocks, and answers with the file that says so.
    ///
    /// The next block's header, which commits the state of this one, is no later: every block moves the application's
    /// root, and CometBFT does not wait for transactions while a root is not committed.
    ///
    /// # Errors
    ///
    /// A file that says something else is not touched.
    pub(crate) fn set_block_time(&self, milliseconds: u64) -> Result<PathBuf, HomeError> {
        let path = self.cometbft_file();
        let text = format!(
            "# Written by `aceso init --block-time {milliseconds}`. What is left out has CometBFT's default.\n\
             [consensus]\n\
             timeout_commit = \"{milliseconds}ms\"\n"
        );
        if !path.exists() {
            write_new(&path, text.as_bytes(), false)?;
        } else if read(&path, FILE_MAX)? != text.as_bytes() {
            let reason = format!("{} is there already; set timeout_commit in it", path.display());
            return Err(HomeError::Option { option: "--block-time", value: milliseconds.to_string(), reason });
        }
        Ok(path)
    }

    /// Writes `config/config.toml` where there is none. What is not named in it has CometBFT's default.
    pub(crate) fn write_engine(&self, engine: &Engine) -> Result<(), HomeError> {
        let path = self.cometbft_file();
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
# Small messages are not collected for a tenth of a second, as they are by default: each step of a block waits for some.
flush_throttle_timeout = "10ms"
# Most bytes a second of one connection. The default is a tenth of it: a node that joins by state sync would wait for it.
send_rate = {RATE}
recv_rate = {RATE}

[mempool]
max_tx_bytes = 4194304

[consensus]
timeout_propose = "{propose}ms"
timeout_commit = "{block_time}ms"
# How long a thread that has nothing to tell a peer sleeps before it looks again; the default is a tenth of a second.
peer_gossip_sleep_duration = "10ms"

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
    use std::fs;

    use super::*;

    #[test]
    fn a_pace_is_written_once_and_never_over_another() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let _lock = home.lock().unwrap();
        let path = home.set_block_time(10).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("[consensus]\ntimeout_commit = \"10ms\"\n"), "{text}");
        assert_eq!(home.set_block_time(10).unwrap(), path);
        assert_eq!(home.engine_rpc(), None);
        let refused = home.set_block_time(20).unwrap_err().to_string();
        assert!(refused.starts_with("--block-time \"20\":") && refused.contains("config.toml"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

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
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let _lock = home.lock().unwrap();
        home.write_engine(&engine).unwrap();
        assert_eq!(home.engine_rpc().as_deref(), Some("http://127.0.0.1:1"));
        let read: toml::Table = engine.toml().parse().unwrap();
        assert_eq!(read["moniker"].as_str(), Some("a \"b\""));
        assert_eq!(read["p2p"]["persistent_peers"].as_str(), Some("aa@127.0.0.1:3,bb@127.0.0.1:4"));
        assert_eq!(read["p2p"]["addr_book_strict"].as_bool(), Some(false));
        assert_eq!(read["consensus"]["timeout_commit"].as_str(), Some("1000ms"));
        assert_eq!(read["consensus"]["timeout_propose"].as_str(), Some("3000ms"));
        assert_eq!(read["consensus"]["peer_gossip_sleep_duration"].as_str(), Some("10ms"));
        assert_eq!(read["p2p"]["send_rate"].as_integer(), Some(51_200_000));
        assert_eq!(read["p2p"]["recv_rate"].as_integer(), Some(51_200_000));
        assert_eq!(read["p2p"]["flush_throttle_timeout"].as_str(), Some("10ms"));
    }
}

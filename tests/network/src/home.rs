//! Homes that are made or changed after a network was prepared: of nodes that come later, and of ones with other bounds.
//!
//! For networks without namespaces.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::net::{Net, Node};

/// The engine's and the application's configuration in a home.
const ENGINE: &str = "config/config.toml";
const APP: &str = "config/aceso.toml";

impl Net {
    /// Adds a validator with the keys of another one and a home, application and connections of its own; answers its
    /// number.
    pub(crate) fn twin(&mut self, of: usize) -> Result<usize> {
        let files = ["genesis.json", "aceso.toml", "priv_validator_key.json", "attest_key.json"];
        let number = self.add(&format!("twin{of}"), of, &files)?;
        let state = "data/priv_validator_state.json";
        fs::copy(self.nodes[of].home.join(state), self.nodes[number].home.join(state))?;
        Ok(number)
    }

    /// Adds a node that has nothing but the genesis and the addresses of all others; answers its number. `engine` is
    /// more for the engine's configuration.
    pub(crate) fn join(&mut self, name: &str, engine: &str) -> Result<usize> {
        let peers = self.peers()?;
        let rests: Vec<String> = self.nodes.iter().map(|node| node.rest.clone()).collect();
        let number = self.add(name, 0, &["genesis.json", "aceso.toml"])?;
        let home = &self.nodes[number].home;
        replace(&home.join(ENGINE), "persistent_peers", &format!("{peers:?}"))?;
        replace(&home.join(APP), "blob_peers", &format!("{rests:?}"))?;
        let toml = fs::read_to_string(home.join(ENGINE))?;
        fs::write(home.join(ENGINE), format!("{toml}\n{engine}"))?;
        Ok(number)
    }

    /// Sets a key of a node's `aceso.toml`.
    pub(crate) fn configure(&self, number: usize, key: &str, value: &str) -> Result<()> {
        replace(&self.nodes[number].home.join(APP), key, value)
    }

    /// Lets every engine rest for so many milliseconds between two blocks, from its next start on, and look for
    /// something to tell its peers as seldom as it does by default: hundreds of its threads look.
    pub(crate) fn pace(&self, milliseconds: u64) -> Result<()> {
        let keys = [("timeout_commit", milliseconds), ("peer_gossip_sleep_duration", 100)];
        let set = |node: &Node, (key, value)| replace(&node.home.join(ENGINE), key, &format!("\"{value}ms\""));
        self.nodes.iter().try_for_each(|node| keys.into_iter().try_for_each(|key| set(node, key)))
    }

    /// Ends the last node for good.
    pub(crate) fn forget(&mut self, number: usize) {
        self.kill(number, crate::net::Which::Both);
        self.nodes.truncate(number);
    }

    /// How all nodes are reached by others: each knows all but itself.
    fn peers(&self) -> Result<String> {
        let mut peers = BTreeSet::new();
        for node in self.nodes.iter().take(2) {
            let toml = fs::read_to_string(node.home.join(ENGINE))?;
            let known = toml.lines().find_map(|line| line.strip_prefix("persistent_peers = "));
            let known = known.context("an engine has no peers")?;
            peers.extend(known.trim_matches('"').split(',').map(str::to_owned));
        }
        Ok(peers.into_iter().collect::<Vec<_>>().join(","))
    }

    /// A node with files of another one's configuration, and the same peers and pace under another name and at other
    /// ports. CometBFT makes what keys it lacks.
    fn add(&mut self, name: &str, of: usize, files: &[&str]) -> Result<usize> {
        let number = self.nodes.len();
        let home = self.folder(name);
        fs::create_dir_all(home.join("config"))?;
        fs::create_dir_all(home.join("data"))?;
        for file in files {
            fs::copy(self.nodes[of].home.join("config").join(file), home.join("config").join(file))?;
        }
        let ports = (0..3).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
        let at = ports.iter().map(|one| one.local_addr().map(|at| at.to_string())).collect::<Result<Vec<_>, _>>()?;
        let toml = fs::read_to_string(self.nodes[of].home.join(ENGINE))?;
        let replaced = toml.lines().map(|line| match line.split(" = ").next() {
            Some("laddr") if line.contains(self.nodes[of].rpc.trim_start_matches("http://")) => {
                format!("laddr = \"tcp://{}\"", at[0])
            }
            Some("laddr") => format!("laddr = \"tcp://{}\"", at[1]),
            Some("moniker") => format!("moniker = {name:?}"),
            _ => line.to_owned(),
        });
        fs::write(home.join(ENGINE), replaced.collect::<Vec<_>>().join("\n"))?;
        let program = self.nodes[of].program.clone();
        self.nodes.push(Node::new(number, home, program, format!("http://{}", at[0]), format!("http://{}", at[2])));
        Ok(number)
    }
}

/// What a home's consensus key is: its public half in base64, and the address that signatures name.
pub(crate) fn consensus_key(home: &Path) -> Result<(String, String)> {
    let path: PathBuf = home.join("config/priv_validator_key.json");
    let key: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let found = text(&key["pub_key"]["value"]).zip(text(&key["address"]));
    found.with_context(|| format!("{} is no consensus key", path.display()))
}

/// Gives a key of a TOML file another value.
fn replace(path: &Path, key: &str, value: &str) -> Result<()> {
    let (text, wanted) = (fs::read_to_string(path)?, format!("{key} = "));
    anyhow::ensure!(text.contains(&wanted), "{} has no {key}", path.display());
    let line = |line: &str| if line.starts_with(&wanted) { format!("{wanted}{value}") } else { line.to_owned() };
    Ok(fs::write(path, text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n")?)
}

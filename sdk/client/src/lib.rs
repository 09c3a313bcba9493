//! Aceso from Rust, over a node's RPC and REST ports: keys, transactions, queries, blobs, receipts.
//!
//! Start at [`Client::connect`]. A [`Key`] signs; [`Client::send`] simulates, signs, broadcasts and waits for the
//! block; [`Client::ask`] and [`Client::smart`] query; [`Client::put_blob`] uploads; [`Client::evidence`] makes the
//! receipt file that anybody can check offline with `aceso-verify`. Messages about sealed records are made in [`sealed`].
//!
//! Blocking on purpose: a party acts one step after the other. No key ever leaves the process.

#![allow(clippy::disallowed_methods, reason = "a client waits for blocks by the clock of its own machine")]

mod authz;
mod committee;
mod error;
mod evidence;
mod http;
mod key;
mod query;
pub mod sealed;
mod sponsor;
mod terms;
mod tx;
mod wait;

pub use authz::{Authorization, Authorized, Calls, Messages, authorize, for_others, no_more};
pub use committee::{SealedRead, random};
pub use error::ClientError;
pub use key::Key;
pub use query::Account;
pub use sponsor::Sponsor;
pub use terms::{Draft, GasPrice, Pays, Terms};
pub use tx::{GasLimit, TxResult, allowance, any, cosmos_any, no_allowance};

use http::Endpoint;

/// What a client must know of a chain to speak to it; read from its genesis file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The chain's id, part of every signature.
    pub id: String,
    /// The human-readable part of addresses.
    pub prefix: String,
    /// The coin of fees and prices.
    pub denom: String,
    /// What a unit of gas costs, in millionths of that coin.
    pub gas_price_micro: u64,
}

/// A connection to one node.
#[derive(Clone, Debug)]
pub struct Client {
    rpc: Endpoint,
    rest: Endpoint,
    chain: Chain,
}

impl Client {
    /// Connects to a node's RPC port, such as `http://127.0.0.1:26657`, and REST port, such as
    /// `http://127.0.0.1:1317`, and reads what chain it is on.
    pub fn connect(rpc: &str, rest: &str) -> Result<Self, ClientError> {
        let rpc = Endpoint::new(rpc);
        let chain = query::chain(&rpc)?;
        Ok(Self { rpc, rest: Endpoint::new(rest), chain })
    }

    /// The same chain, with another node's REST port: a member's, say, that keeps what the first node has not got. Whatever
    /// comes from there has to be there within minutes, since the next one can be asked.
    pub fn at(&self, rest: &str) -> Self {
        Self { rest: Endpoint::hasty(rest), ..self.clone() }
    }

    /// The chain that the node is on.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The address of a key on this chain.
    pub fn address(&self, key: &Key) -> String {
        key.address(&self.chain.prefix)
    }
}

//! What can go wrong between a client and a node.

use aceso_types::BlobIdError;
use aceso_verify::{VerifyError, grant::GrantError};

/// Every way, with what a user needs to do something about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The node does not answer, or not in HTTP as it should.
    #[error("{url} does not answer: {reason}; is the node running there?")]
    Unreachable {
        /// Where it was asked.
        url: String,
        /// What the connection said.
        reason: String,
    },
    /// Something answers there that is no RPC.
    #[error("{url} is no RPC port: it answers with status {status} and not in JSON-RPC (CometBFT's port is 26657)")]
    NoRpc {
        /// Where it was asked.
        url: String,
        /// HTTP's status.
        status: u16,
    },
    /// The node answered with an error of its own.
    #[error("the node refused {method}: {message}")]
    Rpc {
        /// What was asked.
        method: String,
        /// JSON-RPC's or HTTP's number.
        code: i64,
        /// The node's words.
        message: String,
    },
    /// A query was answered with a code.
    #[error("{path}: {log} (code {code}, {codespace})")]
    Query {
        /// The query's path.
        path: String,
        /// Whose code it is.
        codespace: String,
        /// The code.
        code: u32,
        /// The node's words.
        log: String,
    },
    /// A transaction was refused, before or in a block.
    #[error("{log} (code {code}, {codespace}{})", if *height == 0 { String::new() } else { format!(", block {height}") })]
    Refused {
        /// Whose code it is.
        codespace: String,
        /// The code.
        code: u32,
        /// The chain's words.
        log: String,
        /// The transaction's hash, 64 upper-case hexadecimal digits; empty where it was only simulated.
        hash: String,
        /// The block it is in; 0 where it is in none.
        height: u64,
        /// SDK gas that it used.
        gas_used: u64,
    },
    /// The node's answer has not the shape that it should have.
    #[error("the node's answer to {what} cannot be read: {reason}")]
    Answer {
        /// What was asked.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// What a grant is made of is no key or ciphertext.
    #[error("{0}")]
    Grant(#[from] GrantError),
    /// The transaction did not get into a block in time.
    #[error("transaction {hash} is in no block after {seconds} s")]
    Late {
        /// Its hash.
        hash: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A price that no amount of coins pays.
    #[error("no account has what {0} gas cost at this price; name a lower --gas-prices or --gas")]
    Price(u64),
    /// A blob did not become available in time.
    #[error("blob {cid} is not available after {seconds} s; do the validators hold it?")]
    Unavailable {
        /// The blob.
        cid: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A committee did not answer in time.
    #[error("job {job} is still open after {seconds} s; do the nodes of its committee run?")]
    Open {
        /// The job.
        job: u64,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The words are no mnemonic, or the bytes no key.
    #[error("this is not a key: {0}")]
    Key(String),
    /// The account has never received anything.
    #[error("account {0} is not known to the chain; send it a coin first")]
    UnknownAccount(String),
    /// What the node calls a blob is none.
    #[error("{0}")]
    Blob(#[from] BlobIdError),
    /// What the node gave as evidence does not hold.
    #[error("{0}")]
    Verify(#[from] VerifyError),
}

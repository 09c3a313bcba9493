//! The embedded engine: one validator that makes real blocks in this process.
//!
//! It drives the same ABCI switchboards as CometBFT does and in the same order: PrepareProposal, ProcessProposal,
//! ExtendVote, VerifyVoteExtension, FinalizeBlock, Commit ([`block`]). Headers, commits and vote extensions are hashed
//! and signed as CometBFT 0.38 does ([`header`], [`commit`]), so that a light client verifies them like any other's.
//!
//! A block is made as soon as a transaction waits ([`mempool`]), then one empty block, whose header commits to the
//! state that the first one left; empty blocks go on while the application expects them, or for ever at the pace that
//! the operator asks for ([`Parts::empty_blocks`]); so does what this validator has to say in committees. Between a block's execution
//! and its commit it is written to the [`store`] with its results and [`index`]; [`replay`] hands over at start what a
//! crash kept from the application. Only here is a clock read for the chain: a block's time is the proposer's, later
//! than the block before it. (CometBFT 0.38 takes the median of the last votes, which on a chain that rests between
//! blocks would be the time of the last activity.)
//!
//! Absent: rounds, gossip, evidence, a validator that is somebody else. Start at [`Engine::run`].

pub(crate) mod announce;
pub(crate) mod block;
pub(crate) mod commit;
pub(crate) mod events;
pub(crate) mod header;
pub(crate) mod index;
pub(crate) mod mempool;
pub(crate) mod pulse;
pub(crate) mod replay;
pub(crate) mod store;
mod trim;

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tendermint::{AppHash, Hash, Time, block as tm, chain, consensus, v0_38::abci::request, validator};

use self::{
    commit::ExtendedCommit, commit::Signer, events::Hub, mempool::Mempool, pulse::Pulse, pulse::Woken, store::Store,
};
use crate::{
    abci::consensus::Consensus,
    application::{Application, Fault},
};

/// Longest pause between empty blocks that the application expects and that have not helped so far.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Why the engine stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// The block store fails.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The application fails.
    #[error("the application stopped in {stage} at height {height}: {source}")]
    Application {
        /// The ABCI method.
        stage: &'static str,
        /// The block.
        height: u64,
        /// What it said.
        source: Fault,
    },
    /// The application refuses what it has proposed itself.
    #[error("the application rejected its own proposal for height {0}")]
    Rejected(u64),
    /// The application proposes more than it was given room for.
    #[error("the proposal for height {height} has {got} bytes of transactions, and {max} fit")]
    Oversized {
        /// The block.
        height: u64,
        /// Its bytes.
        got: usize,
        /// Most bytes.
        max: usize,
    },
    /// Another number of results than of transactions.
    #[error("block {height} has {txs} transactions and {results} results")]
    Results {
        /// The block.
        height: u64,
        /// How many went in.
        txs: usize,
        /// How many came out.
        results: usize,
    },
    /// Too little power is ours to commit a block.
    #[error(
        "this node signs with power {ours} of {total}, and a commit needs more than two thirds; \
         an embedded chain has one validator, run more under CometBFT (aceso start)"
    )]
    Power {
        /// This validator's.
        ours: u64,
        /// Everyone's.
        total: u64,
    },
    /// The application asks for a validator that cannot be.
    #[error("a validator update of height {height} cannot be applied: {reason}")]
    Update {
        /// The block.
        height: u64,
        /// Why.
        reason: String,
    },
    /// The application knows more blocks than the store.
    #[error(
        "the state is at height {app} and the block store at {store}: they are not of one home; restore both from one copy"
    )]
    Ahead {
        /// The application's height.
        app: u64,
        /// The store's height.
        store: u64,
    },
    /// Replaying gives another state than the first time.
    #[error(
        "replaying height {height} gives app hash {got}, and {want} was agreed upon; the state is damaged, restore the home from a copy"
    )]
    Diverged {
        /// The block.
        height: u64,
        /// As executed now.
        got: AppHash,
        /// As stored.
        want: AppHash,
    },
    /// A record that must be there is not.
    #[error("the block store lacks {what} of height {height}; restore the home from a copy")]
    Missing {
        /// Which record.
        what: &'static str,
        /// Of which height.
        height: u64,
    },
    /// A header cannot be built.
    #[error("height {height}: {source}")]
    Header {
        /// The block.
        height: u64,
        /// What is wrong.
        source: tendermint::Error,
    },
    /// The operating system gave no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
}

/// What a chain starts from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The chain's id.
    pub(crate) chain_id: chain::Id,
    /// The first block: 1, but where a chain goes on with the state of another.
    pub(crate) initial_height: u64,
    /// The time of the first block.
    pub(crate) time: Time,
    /// The parameters of the first block.
    pub(crate) params: consensus::Params,
    /// The validators of the first block.
    pub(crate) validators: Vec<validator::Info>,
    /// The application's part, as JSON.
    pub(crate) app_state: Bytes,
}

impl Origin {
    /// What the application is told of it.
    pub(crate) fn request(&self) -> Result<request::InitChain, EngineError> {
        let update = |info: &validator::Info| validator::Update { pub_key: info.pub_key, power: info.power };
        Ok(request::InitChain {
            time: self.time,
            chain_id: self.chain_id.to_string(),
            consensus_params: self.params.clone(),
            validators: self.validators.iter().map(update).collect(),
            app_state_bytes: self.app_state.clone(),
            initial_height: block::at(self.initial_height)?,
        })
    }
}

/// What the next block builds on.
#[derive(Clone, Debug)]
pub(crate) struct Tip {
    height: u64,
    id: Option<tm::Id>,
    time: Time,
    app_hash: AppHash,
    results_hash: Hash,
    commit: Option<ExtendedCommit>,
    app_version: u64,
    /// Whether the last block held transactions, so that the next one is needed to commit to what they did.
    busy: bool,
}

/// What the engine is made of.
pub(crate) struct Parts {
    /// The application.
    pub(crate) app: Arc<dyn Application>,
    /// Its consensus connection.
    pub(crate) consensus: Consensus,
    /// The block store.
    pub(crate) store: Arc<Store>,
    /// Waiting transactions.
    pub(crate) mempool: Arc<Mempool>,
    /// Where events go.
    pub(crate) hub: Arc<Hub>,
    /// The validator's key.
    pub(crate) signer: Signer,
    /// Wakes the engine.
    pub(crate) pulse: Arc<Pulse>,
    /// Least time between the beginnings of two blocks.
    pub(crate) interval: Duration,
    /// Most time between them, though there is nothing to put into a block; unbounded if none.
    pub(crate) empty_blocks: Option<Duration>,
}

/// The embedded engine.
pub(crate) struct Engine {
    parts: Parts,
    origin: Origin,
    tip: Tip,
}

impl Engine {
    /// Brings the application to where the store is, and makes the first block if there is none yet.
    pub(crate) fn start(parts: Parts, origin: Origin) -> Result<Self, EngineError> {
        let tip = replay::handshake(&parts, &origin)?;
        let mut engine = Self { parts, origin, tip };
        engine.parts.store.show(engine.tip.height);
        if engine.tip.id.is_none() {
            engine.make_block()?;
        }
        Ok(engine)
    }

    /// Makes blocks until [`Pulse::stop`].
    pub(crate) fn run(mut self) -> Result<(), EngineError> {
        let interval = self.parts.interval;
        let mut pause = interval;
        let mut owed = self.tip.busy || self.tip.height <= self.origin.initial_height;
        let mut begun = Instant::now();
        loop {
            let expected = self.expects_blocks();
            if self.parts.mempool.size().count == 0 && !owed {
                let due = self.parts.empty_blocks.map(|every| every.saturating_sub(begun.elapsed()));
                let limit = due.into_iter().chain(expected.then_some(pause)).min();
                match self.parts.pulse.wait(limit) {
                    Woken::Stopped => return Ok(()),
                    Woken::Beaten => pause = interval,
                    Woken::Elapsed => pause = (pause * 2).clamp(Duration::from_millis(1), PAUSE_MAX),
                }
                let is_due = self.parts.empty_blocks.is_some_and(|every| begun.elapsed() >= every);
                if self.parts.mempool.size().count == 0 && !is_due && !self.expects_blocks() {
                    continue;
                }
            }
            begun = Instant::now();
            self.make_block()?;
            // What an expected block has brought about is committed to by the header of the one behind it.
            owed = self.tip.busy || (expected && !self.expects_blocks());
            if self.tip.busy {
                pause = interval;
            }
            if !self.parts.pulse.rest(interval.saturating_sub(begun.elapsed())) {
                return Ok(());
            }
        }
    }

    /// Whether an empty block would make progress: by what the application has to do, or this validator has to say.
    fn expects_blocks(&self) -> bool {
        self.parts.app.expects_blocks() || self.parts.consensus.has_word()
    }

    #[cfg(test)]
    pub(crate) fn step(&mut self) -> Result<(), EngineError> {
        self.make_block()
    }
}

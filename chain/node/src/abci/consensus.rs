//! The consensus connection: everything that a block goes through, in the order in which it does.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tendermint::v0_38::abci::{ConsensusRequest, ConsensusResponse, request, response};
use tokio::sync::Notify;

use super::vote::Extend;
use crate::application::{Application, Fault};

/// The switchboard of the consensus connection.
#[derive(Clone)]
pub(crate) struct Consensus {
    app: Arc<dyn Application>,
    voter: Arc<dyn Extend>,
    gate: Arc<Gate>,
}

/// How long a stopping node waits for the commit of a block that it has executed. The engine may be gone.
pub(crate) const COMMIT_WAIT: Duration = Duration::from_secs(10);

/// Lets a node stop between two blocks.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    committed: Notify,
}

#[derive(Default)]
struct State {
    /// From FinalizeBlock to Commit.
    in_block: bool,
    closed: bool,
}

impl Gate {
    fn enter(&self) -> Result<(), Fault> {
        let mut state = self.state();
        if state.closed {
            return Err("the node is stopping".into());
        }
        state.in_block = true;
        Ok(())
    }

    fn leave(&self) {
        self.state().in_block = false;
        self.committed.notify_waiters();
    }

    /// Returns when no block is between its execution and its commit, or after `wait`; none is executed from then on.
    pub(crate) async fn closed(&self, wait: Duration) {
        let between = async {
            loop {
                let committed = self.committed.notified();
                {
                    let mut state = self.state();
                    if !state.in_block {
                        state.closed = true;
                        return;
                    }
                }
                committed.await;
            }
        };
        if tokio::time::timeout(wait, between).await.is_err() {
            self.state().closed = true;
            tracing::warn!("stopping before the engine has asked for a commit; the block will be executed again");
        }
    }

    // Two flags, each set on its own.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consensus {
    /// The switchboard over an application and what extends this validator's votes.
    pub(crate) fn new(app: Arc<dyn Application>, voter: Arc<dyn Extend>) -> Self {
        Self { app, voter, gate: Arc::default() }
    }

    /// What tells when the node may stop.
    pub(crate) fn between_blocks(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// Whether this validator has something to say in a vote that the chain waits for.
    pub(crate) fn has_word(&self) -> bool {
        self.voter.has_word()
    }

    /// Answers one request. An error stops the node.
    pub(crate) fn answer(&self, request: ConsensusRequest) -> Result<ConsensusResponse, Fault> {
        Ok(match request {
            ConsensusRequest::InitChain(r) => ConsensusResponse::InitChain(self.init_chain(r)?),
            ConsensusRequest::PrepareProposal(r) => ConsensusResponse::PrepareProposal(self.prepare_proposal(r)),
            ConsensusRequest::ProcessProposal(r) => ConsensusResponse::ProcessProposal(self.process_proposal(r)),
            ConsensusRequest::ExtendVote(r) => ConsensusResponse::ExtendVote(self.extend_vote(r)),
            ConsensusRequest::VerifyVoteExtension(r) => {
                ConsensusResponse::VerifyVoteExtension(self.verify_vote_extension(r))
            }
            ConsensusRequest::FinalizeBlock(r) => ConsensusResponse::FinalizeBlock(self.finalize_block(r)?),
            ConsensusRequest::Commit => ConsensusResponse::Commit(self.commit()?),
        })
    }

    pub(crate) fn init_chain(&self, request: request::InitChain) -> Result<response::InitChain, Fault> {
        self.app.init_chain(request)
    }

    pub(crate) fn prepare_proposal(&self, request: request::PrepareProposal) -> response::PrepareProposal {
        self.app.prepare_proposal(request)
    }

    pub(crate) fn process_proposal(&self, request: request::ProcessProposal) -> response::ProcessProposal {
        self.app.process_proposal(request)
    }

    /// Says which wanted blobs this validator holds, and what it has to say in committees. What a vote is extended with
    /// never depends on the block.
    pub(crate) fn extend_vote(&self, request: request::ExtendVote) -> response::ExtendVote {
        let chain_id = self.app.chain_id().unwrap_or_default();
        let counted = self.app.attests(request.height.value());
        response::ExtendVote { vote_extension: self.voter.extension(&chain_id, self.app.wanted_blobs(), &counted) }
    }

    /// Accepts every extension: a vote that is refused here costs the chain its liveness, a bad entry costs nothing,
    /// since the proposer drops it.
    pub(crate) fn verify_vote_extension(&self, _: request::VerifyVoteExtension) -> response::VerifyVoteExtension {
        response::VerifyVoteExtension::Accept
    }

    pub(crate) fn finalize_block(&self, request: request::FinalizeBlock) -> Result<response::FinalizeBlock, Fault> {
        self.gate.enter()?;
        self.app.finalize_block(request)
    }

    pub(crate) fn commit(&self) -> Result<response::Commit, Fault> {
        let committed = self.app.commit();
        self.gate.leave();
        self.voter.committed();
        committed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_node_stops_between_two_blocks() {
        let gate = Arc::new(Gate::default());
        gate.enter().unwrap();
        let stopping = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.closed(COMMIT_WAIT).await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!stopping.is_finished());
        gate.leave();
        stopping.await.unwrap();
        assert!(gate.enter().unwrap_err().to_string().contains("stopping"));
    }

    #[tokio::test]
    async fn an_engine_that_is_gone_keeps_no_node_from_stopping() {
        let (gate, begun) = (Gate::default(), Instant::now());
        gate.enter().unwrap();
        gate.closed(Duration::from_millis(20)).await;
        assert!(begun.elapsed() < COMMIT_WAIT && gate.enter().is_err());
    }
}

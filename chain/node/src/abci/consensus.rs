//! The consensus connection: everything that a block goes through, in the order in which it does.

use std::sync::Arc;

use tendermint::v0_38::abci::{ConsensusRequest, ConsensusResponse, request, response};

use aceso_app::Divergence;

use super::vote::Extend;
use crate::application::{Application, Fault};

/// What a node says, and stops with, that has computed other reads than the others.
pub(crate) type Alarm = Arc<dyn Fn(Divergence) -> Fault + Send + Sync>;

/// The switchboard of the consensus connection.
#[derive(Clone)]
pub(crate) struct Consensus {
    app: Arc<dyn Application>,
    voter: Arc<dyn Extend>,
    alarm: Alarm,
}

impl Consensus {
    /// The switchboard over an application and what extends this validator's votes.
    pub(crate) fn new(app: Arc<dyn Application>, voter: Arc<dyn Extend>) -> Self {
        Self { app, voter, alarm: Arc::new(|divergence| divergence.into()) }
    }

    /// The same with more to say about a divergence.
    pub(crate) fn with_alarm(self, alarm: Alarm) -> Self {
        Self { alarm, ..self }
    }

    /// Answers one request. An error stops the node.
    pub(crate) fn answer(&self, request: ConsensusRequest) -> Result<ConsensusResponse, Fault> {
        Ok(match request {
            ConsensusRequest::InitChain(r) => ConsensusResponse::InitChain(self.init_chain(r)?),
            ConsensusRequest::PrepareProposal(r) => ConsensusResponse::PrepareProposal(self.prepare_proposal(r)),
            ConsensusRequest::ProcessProposal(r) => ConsensusResponse::ProcessProposal(self.process_proposal(r)),
            ConsensusRequest::ExtendVote(r) => ConsensusResponse::ExtendVote(self.extend_vote(r)),
            ConsensusRequest::VerifyVoteExtension(r) => {
                ConsensusResponse::VerifyVoteExtension(self.verify_vote_extension(&r)?)
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

    /// Says what the latest reads came to and which wanted blobs this validator holds. What a vote is extended with never
    /// depends on the block.
    pub(crate) fn extend_vote(&self, request: request::ExtendVote) -> response::ExtendVote {
        let chain_id = self.app.chain_id().unwrap_or_default();
        let counted = self.app.attests(request.height.value());
        let (reads, wanted) = (self.app.latest_reads(), self.app.wanted_blobs());
        response::ExtendVote { vote_extension: self.voter.extension(&chain_id, reads, wanted, &counted) }
    }

    /// Accepts every extension: a vote that is refused here costs the chain its liveness, a bad entry costs nothing,
    /// since the proposer drops it. What it says of reads is compared with this node's own; if that is what errs, it
    /// stops here, before the engine meets a header that it cannot follow.
    pub(crate) fn verify_vote_extension(
        &self,
        request: &request::VerifyVoteExtension,
    ) -> Result<response::VerifyVoteExtension, Fault> {
        match self.app.hear_vote(request) {
            None => Ok(response::VerifyVoteExtension::Accept),
            Some(divergence) => Err((self.alarm)(divergence)),
        }
    }

    pub(crate) fn finalize_block(&self, request: request::FinalizeBlock) -> Result<response::FinalizeBlock, Fault> {
        self.app.finalize_block(request)
    }

    pub(crate) fn commit(&self) -> Result<response::Commit, Fault> {
        self.app.commit()
    }
}

//! What the node asks of the state machine: ABCI 2.0 plus what only an embedded engine and a voting validator need.
//!
//! The methods are synchronous and take `&self`; whoever calls them from asynchronous code moves to a blocking thread
//! first. [`aceso_app::App`] is the one implementation in the binary; tests also drive the engine with a small one of
//! their own.

use bytes::Bytes;
use tendermint::v0_38::abci::{request, response};

use aceso_app::{ChainInfo, Divergence, OpenJob, Task, WantedBlob, attest::AttestError};
use aceso_types::{BlobId, Digest, msg::Reads};

/// Why the node must stop: never because of a transaction, always because of this machine (its disk, its memory) or
/// because the state differs from what was agreed upon.
pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// The state machine.
pub(crate) trait Application: Send + Sync + 'static {
    /// The chain's id; nothing before InitChain.
    fn chain_id(&self) -> Option<String>;
    /// The chain that runs; nothing before the genesis.
    fn chain(&self) -> Option<ChainInfo> {
        None
    }
    /// Where the state stands.
    fn info(&self) -> response::Info;
    /// Starts the chain from genesis. May be asked again as long as no block was committed.
    fn init_chain(&self, request: request::InitChain) -> Result<response::InitChain, Fault>;
    /// Does beforehand what of the checks of these transactions needs no order. Changes time, never an answer.
    fn foresee(&self, _: &[Bytes]) {}
    /// Whether a transaction may wait for a block.
    fn check_tx(&self, request: request::CheckTx) -> response::CheckTx;
    /// Chooses and orders the transactions of a block.
    fn prepare_proposal(&self, request: request::PrepareProposal) -> response::PrepareProposal;
    /// Whether a proposed block is well formed.
    fn process_proposal(&self, request: request::ProcessProposal) -> response::ProcessProposal;
    /// Executes a decided block; nothing reaches the disk.
    fn finalize_block(&self, request: request::FinalizeBlock) -> Result<response::FinalizeBlock, Fault>;
    /// Makes the executed block durable.
    fn commit(&self) -> Result<response::Commit, Fault>;
    /// Answers from committed state, beside blocks that run.
    fn query(&self, request: request::Query) -> response::Query;
    /// The snapshots that other nodes can restore from this one. Unless all four methods of state sync are given,
    /// there is none: nothing is offered, and what others offer is declined.
    fn list_snapshots(&self) -> response::ListSnapshots {
        response::ListSnapshots::default()
    }
    /// A chunk of one of them; empty if it is not to be had.
    fn load_snapshot_chunk(&self, _: request::LoadSnapshotChunk) -> response::LoadSnapshotChunk {
        response::LoadSnapshotChunk::default()
    }
    /// Whether a snapshot of others is restored, given the app hash that a light client trusts.
    fn offer_snapshot(&self, _: request::OfferSnapshot) -> Result<response::OfferSnapshot, Fault> {
        Ok(response::OfferSnapshot::Abort)
    }
    /// Takes over a chunk of it.
    fn apply_snapshot_chunk(&self, _: request::ApplySnapshotChunk) -> Result<response::ApplySnapshotChunk, Fault> {
        Err("no snapshot was accepted".into())
    }
    /// Registered blobs that wait for validators to say that they hold them, oldest first.
    fn wanted_blobs(&self) -> Vec<WantedBlob>;
    /// A page of the blobs that a node should hold, and after which name the next page begins.
    fn live_blobs(&self, after: Option<&BlobId>, limit: usize) -> (Vec<WantedBlob>, Option<BlobId>);
    /// The attestation keys that count in votes of a height.
    fn attests(&self, height: u64) -> Vec<Vec<u8>>;
    /// The latest committed block with open reads, and the digest of what they came to.
    fn latest_reads(&self) -> Option<(u64, Digest)> {
        None
    }
    /// Takes in what a validator says of its reads; answers once this node is found to have computed others.
    fn hear_reads(&self, _: &Reads) -> Result<Option<Divergence>, AttestError> {
        Ok(None)
    }
    /// The digest of what a block's open reads came to; none if it has not read.
    fn transcript_digest(&self, _: u64) -> Result<Option<Digest>, Fault> {
        Ok(None)
    }
    /// The encoded transcript of a block's open reads, if it has read and the transcript is here.
    fn transcript(&self, _: u64) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }
    /// A page of the open jobs after a number that wait for the share of an attestation key's holder, oldest first. One of
    /// fewer than [`aceso_app::TASKS_PAGE`] is the last.
    fn open_jobs(&self, _: &[u8; 48], _after: Option<u64>) -> Vec<OpenJob> {
        Vec::new()
    }
    /// What it takes to work on one of them; none if it is closed.
    fn task(&self, _: u64, _: &[u8; 48]) -> Option<Task> {
        None
    }
    /// Roots that the holder of an attestation key should sign: numbers and digests.
    fn unsigned_roots(&self, _: &[u8; 48]) -> Vec<(u64, Digest)> {
        Vec::new()
    }
    /// Whether an empty block would make progress.
    fn expects_blocks(&self) -> bool;
}

impl Application for aceso_app::App {
    fn chain_id(&self) -> Option<String> {
        self.chain().map(|chain| chain.chain_id)
    }

    fn chain(&self) -> Option<ChainInfo> {
        self.chain()
    }

    fn info(&self) -> response::Info {
        self.info()
    }

    fn init_chain(&self, request: request::InitChain) -> Result<response::InitChain, Fault> {
        Ok(self.init_chain(request)?)
    }

    fn foresee(&self, txs: &[Bytes]) {
        self.foresee(txs);
    }

    fn check_tx(&self, request: request::CheckTx) -> response::CheckTx {
        self.check_tx(request)
    }

    fn prepare_proposal(&self, request: request::PrepareProposal) -> response::PrepareProposal {
        self.prepare_proposal(request)
    }

    fn process_proposal(&self, request: request::ProcessProposal) -> response::ProcessProposal {
        self.process_proposal(request)
    }

    fn finalize_block(&self, request: request::FinalizeBlock) -> Result<response::FinalizeBlock, Fault> {
        Ok(self.finalize_block(request)?)
    }

    fn commit(&self) -> Result<response::Commit, Fault> {
        Ok(self.commit()?)
    }

    fn query(&self, request: request::Query) -> response::Query {
        self.query(request)
    }

    fn list_snapshots(&self) -> response::ListSnapshots {
        self.list_snapshots()
    }

    fn load_snapshot_chunk(&self, request: request::LoadSnapshotChunk) -> response::LoadSnapshotChunk {
        self.load_snapshot_chunk(&request)
    }

    fn offer_snapshot(&self, request: request::OfferSnapshot) -> Result<response::OfferSnapshot, Fault> {
        Ok(self.offer_snapshot(&request)?)
    }

    fn apply_snapshot_chunk(
        &self,
        request: request::ApplySnapshotChunk,
    ) -> Result<response::ApplySnapshotChunk, Fault> {
        Ok(self.apply_snapshot_chunk(&request)?)
    }

    fn wanted_blobs(&self) -> Vec<WantedBlob> {
        self.wanted_blobs()
    }

    fn live_blobs(&self, after: Option<&BlobId>, limit: usize) -> (Vec<WantedBlob>, Option<BlobId>) {
        self.live_blobs(after, limit)
    }

    fn attests(&self, height: u64) -> Vec<Vec<u8>> {
        self.attests(height)
    }

    fn latest_reads(&self) -> Option<(u64, Digest)> {
        self.latest_reads()
    }

    fn hear_reads(&self, reads: &Reads) -> Result<Option<Divergence>, AttestError> {
        self.hear_reads(reads)
    }

    fn transcript_digest(&self, height: u64) -> Result<Option<Digest>, Fault> {
        Ok(self.transcript_digest(height)?)
    }

    fn transcript(&self, height: u64) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.transcript(height)?)
    }

    fn open_jobs(&self, bls_key: &[u8; 48], after: Option<u64>) -> Vec<OpenJob> {
        self.open_jobs(bls_key, after)
    }

    fn task(&self, job: u64, bls_key: &[u8; 48]) -> Option<Task> {
        self.task(job, bls_key)
    }

    fn unsigned_roots(&self, bls_key: &[u8; 48]) -> Vec<(u64, Digest)> {
        self.unsigned_roots(bls_key)
    }

    fn expects_blocks(&self) -> bool {
        self.expects_blocks()
    }
}

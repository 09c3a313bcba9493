//! One block, from the proposal to the event.

use std::time::Duration;

use bytes::Bytes;
use tendermint::{
    Hash, Time,
    abci::types::{CommitInfo, ExtendedCommitInfo},
    account,
    block::{self, Block, Header, Round, header::Version},
    consensus, evidence,
    v0_38::abci::{
        request,
        response::{self, ProcessProposal, VerifyVoteExtension},
    },
    validator,
};

use super::{
    Engine, EngineError, Tip, announce,
    header::{self, BLOCK_PROTOCOL},
    mempool::encoded_len,
    store::Decided,
};
use crate::application::Fault;

/// What a block has beside transactions and commit, CometBFT's `MaxHeaderBytes` and `MaxOverheadForBlock`.
const HEADER_BYTES: usize = 626 + 11;
/// What a commit has beside signatures and what each signature has, CometBFT's `MaxCommitBytes`.
const COMMIT_BYTES: usize = 94;
const COMMIT_SIG_BYTES: usize = 109;
/// Least time between two blocks' times.
const TICK: Duration = Duration::from_millis(1);

/// What holds while one block is made.
struct Scene {
    height: u64,
    time: Time,
    validators: Vec<validator::Info>,
    validators_next: Vec<validator::Info>,
    params: consensus::Params,
    last_commit: Option<CommitInfo>,
    last_commit_extended: Option<ExtendedCommitInfo>,
    next_validators_hash: Hash,
    proposer: account::Id,
}

impl Engine {
    /// Makes the next block: durable, committed, visible and announced when this returns.
    pub(super) fn make_block(&mut self) -> Result<(), EngineError> {
        let scene = self.scene()?;
        let height = scene.height;
        let txs = self.propose(&scene)?;
        let header = self.header(&scene, &txs)?;
        let last_commit = self.tip.commit.as_ref().map(super::commit::ExtendedCommit::plain);
        let encoded = header::encode_block(&header, &txs, last_commit.as_ref());
        let failed = |source| EngineError::Header { height, source };
        let id = header::block_id(&header, &encoded).map_err(failed)?;

        self.accept(&scene, &txs, id.hash)?;
        let extension = self.extend(&scene, &txs, id.hash)?;
        let results = self.execute(&scene, &txs, id.hash)?;

        let signed_at = now().max(header.time);
        let commit = self.parts.signer.commit(
            &self.origin.chain_id,
            &scene.validators,
            header.height,
            id,
            signed_at,
            &extension,
        );
        let data = txs.iter().map(|tx| tx.to_vec()).collect();
        let block = Block::new(header, data, evidence::List::default(), last_commit);
        let validators_later = updated(&scene.validators_next, &results, height)?;
        let params_next = next_params(&scene.params, &results);
        self.parts.store.append(&Decided {
            encoded: &encoded,
            block: &block,
            commit: &commit,
            results: &results,
            validators_later: &validators_later,
            params_next: &params_next,
        })?;
        self.parts
            .mempool
            .commit_with(&txs, &results.tx_results, || self.parts.consensus.commit())
            .map_err(|source| EngineError::Application { stage: "Commit", height, source })?;
        self.parts.store.show(height);

        self.tip = Tip {
            height,
            id: Some(id),
            time: block.header.time,
            app_hash: results.app_hash.clone(),
            results_hash: header::results_hash(&results.tx_results),
            commit: Some(commit),
            app_version: app_version(&results, self.tip.app_version),
            busy: !txs.is_empty(),
        };
        announce::block(&self.parts.hub, &block, id, &results);
        Ok(())
    }

    fn scene(&self) -> Result<Scene, EngineError> {
        let store = &self.parts.store;
        let height = self.tip.height + 1;
        let set = |at: u64| store.validators(at)?.ok_or(EngineError::Missing { what: "the validators", height: at });
        let validators = set(height)?;
        let validators_next = set(height + 1)?;
        let params = store.params(height)?.ok_or(EngineError::Missing { what: "the parameters", height })?;
        let proposer = self.parts.signer.address();
        let total: u64 = validators.iter().map(validator::Info::power).sum();
        let ours = validators.iter().find(|v| v.address == proposer).map_or(0, validator::Info::power);
        if u128::from(ours) * 3 <= u128::from(total) * 2 {
            return Err(EngineError::Power { ours, total });
        }
        let (last_commit, last_commit_extended) = match &self.tip.commit {
            Some(commit) => {
                let signers = set(self.tip.height)?;
                (commit.info(&signers), commit.extended_info(&signers))
            }
            None => {
                let round = Round::default();
                (CommitInfo { round, votes: vec![] }, ExtendedCommitInfo { round, votes: vec![] })
            }
        };
        // The first block has the genesis time, as under CometBFT.
        let time = match self.tip.id {
            None => self.origin.time,
            Some(_) => now().max(self.tip.time.checked_add(TICK).unwrap_or(self.tip.time)),
        };
        Ok(Scene {
            height,
            time,
            next_validators_hash: header::validators_hash(&validators_next),
            validators,
            validators_next,
            params,
            last_commit: Some(last_commit),
            last_commit_extended: Some(last_commit_extended),
            proposer,
        })
    }

    fn propose(&self, scene: &Scene) -> Result<Vec<Bytes>, EngineError> {
        let height = scene.height;
        let taken = HEADER_BYTES + COMMIT_BYTES + COMMIT_SIG_BYTES * scene.validators.len();
        let max = usize::try_from(scene.params.block.max_bytes).unwrap_or(usize::MAX).saturating_sub(taken);
        let proposal = self.parts.consensus.prepare_proposal(request::PrepareProposal {
            max_tx_bytes: i64::try_from(max).unwrap_or(i64::MAX),
            txs: self.parts.mempool.reap(max, scene.params.block.max_gas),
            local_last_commit: scene.last_commit_extended.clone(),
            misbehavior: Vec::new(),
            height: at(height)?,
            time: scene.time,
            next_validators_hash: scene.next_validators_hash,
            proposer_address: scene.proposer,
        });
        let got = proposal.txs.iter().map(|tx| encoded_len(tx.len())).sum();
        if got > max { Err(EngineError::Oversized { height, got, max }) } else { Ok(proposal.txs) }
    }

    fn header(&self, scene: &Scene, txs: &[Bytes]) -> Result<Header, EngineError> {
        let last_commit = self.tip.commit.as_ref().map(super::commit::ExtendedCommit::plain);
        Ok(Header {
            version: Version { block: BLOCK_PROTOCOL, app: self.tip.app_version },
            chain_id: self.origin.chain_id.clone(),
            height: at(scene.height)?,
            time: scene.time,
            last_block_id: self.tip.id,
            last_commit_hash: Some(header::commit_hash(last_commit.as_ref())),
            data_hash: Some(header::data_hash(txs)),
            validators_hash: header::validators_hash(&scene.validators),
            next_validators_hash: scene.next_validators_hash,
            consensus_hash: header::consensus_hash(&scene.params),
            app_hash: self.tip.app_hash.clone(),
            last_results_hash: Some(self.tip.results_hash),
            evidence_hash: Some(header::root::<[u8; 0]>(&[])),
            proposer_address: scene.proposer,
        })
    }

    fn accept(&self, scene: &Scene, txs: &[Bytes], hash: Hash) -> Result<(), EngineError> {
        let verdict = self.parts.consensus.process_proposal(request::ProcessProposal {
            txs: txs.to_vec(),
            proposed_last_commit: scene.last_commit.clone(),
            misbehavior: Vec::new(),
            hash,
            height: at(scene.height)?,
            time: scene.time,
            next_validators_hash: scene.next_validators_hash,
            proposer_address: scene.proposer,
        });
        if verdict == ProcessProposal::Accept { Ok(()) } else { Err(EngineError::Rejected(scene.height)) }
    }

    fn extend(&self, scene: &Scene, txs: &[Bytes], hash: Hash) -> Result<Bytes, EngineError> {
        let height = at(scene.height)?;
        let extension = self.parts.consensus.extend_vote(request::ExtendVote {
            hash,
            height,
            time: scene.time,
            txs: txs.to_vec(),
            proposed_last_commit: scene.last_commit.clone(),
            misbehavior: Vec::new(),
            next_validators_hash: scene.next_validators_hash,
            proposer_address: scene.proposer,
        });
        let verdict = self.parts.consensus.verify_vote_extension(request::VerifyVoteExtension {
            hash,
            validator_address: scene.proposer,
            height,
            vote_extension: extension.vote_extension.clone(),
        });
        match verdict {
            VerifyVoteExtension::Accept => Ok(extension.vote_extension),
            _ => Err(EngineError::Rejected(scene.height)),
        }
    }

    fn execute(&self, scene: &Scene, txs: &[Bytes], hash: Hash) -> Result<response::FinalizeBlock, EngineError> {
        let empty = || CommitInfo { round: Round::default(), votes: Vec::new() };
        let request = request::FinalizeBlock {
            txs: txs.to_vec(),
            decided_last_commit: scene.last_commit.clone().unwrap_or_else(empty),
            misbehavior: Vec::new(),
            hash,
            height: at(scene.height)?,
            time: scene.time,
            next_validators_hash: scene.next_validators_hash,
            proposer_address: scene.proposer,
        };
        finalize(scene.height, txs.len(), || self.parts.consensus.finalize_block(request))
    }
}

/// Executes a block and checks that there is a result for each transaction.
pub(super) fn finalize(
    height: u64,
    txs: usize,
    run: impl FnOnce() -> Result<response::FinalizeBlock, Fault>,
) -> Result<response::FinalizeBlock, EngineError> {
    let results = run().map_err(|source| EngineError::Application { stage: "FinalizeBlock", height, source })?;
    match results.tx_results.len() {
        same if same == txs => Ok(results),
        other => Err(EngineError::Results { height, txs, results: other }),
    }
}

/// A height as tendermint's type.
pub(super) fn at(height: u64) -> Result<block::Height, EngineError> {
    block::Height::try_from(height).map_err(|source| EngineError::Header { height, source })
}

/// The set after a block's updates.
fn updated(
    set: &[validator::Info],
    results: &response::FinalizeBlock,
    height: u64,
) -> Result<Vec<validator::Info>, EngineError> {
    let refuse = |reason: String| Err(EngineError::Update { height, reason });
    let mut infos = set.to_vec();
    for update in &results.validator_updates {
        let info = validator::Info::new(update.pub_key, update.power);
        infos.retain(|other| other.address != info.address);
        if update.power.value() > 0 {
            infos.push(info);
        } else if infos.len() == set.len() {
            return refuse(format!("{} is not a validator and cannot be removed", info.address));
        }
    }
    if infos.is_empty() {
        return refuse("nobody would be left".into());
    }
    let total = infos.iter().try_fold(0u64, |sum, info| sum.checked_add(info.power()));
    if total.is_none_or(|total| total > validator::Set::MAX_TOTAL_VOTING_POWER) {
        return refuse("the total power would overflow".into());
    }
    Ok(sorted(infos))
}

/// Validators in the order in which they are hashed and vote: by power, then by address.
pub(crate) fn sorted(mut infos: Vec<validator::Info>) -> Vec<validator::Info> {
    infos.sort_by_key(|info| (std::cmp::Reverse(info.power), info.address));
    infos
}

fn next_params(params: &consensus::Params, results: &response::FinalizeBlock) -> consensus::Params {
    results.consensus_param_updates.clone().unwrap_or_else(|| params.clone())
}

/// The application's version after a block: as before, unless the block changed the parameters.
pub(super) fn app_version(results: &response::FinalizeBlock, before: u64) -> u64 {
    let version = results.consensus_param_updates.as_ref().and_then(|params| params.version.as_ref());
    version.map_or(before, |version| version.app)
}

/// The clock, in whole milliseconds.
fn now() -> Time {
    let now = Time::now();
    let nanos = u32::try_from(now.unix_timestamp_nanos().rem_euclid(1_000_000_000)).unwrap_or(0);
    Time::from_unix_timestamp(now.unix_timestamp(), nanos / 1_000_000 * 1_000_000).unwrap_or(now)
}

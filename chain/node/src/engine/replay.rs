//! The handshake at start: what the store has decided and the application has not committed is executed again.
//!
//! The application is never ahead, since a block is in the store before it is committed. It is behind by one block
//! after a crash between the two, and by all of them when its state was deleted to be built anew from the blocks.

use tendermint::{abci::types::CommitInfo, v0_38::abci::request, validator};

use super::{
    EngineError, Origin, Parts, Tip,
    block::{app_version, finalize, sorted},
    header,
    store::Store,
};
use crate::{abci::consensus::Consensus, application::Fault};

/// Brings the application to where the store is and returns what the next block builds on.
pub(super) fn handshake(parts: &Parts, origin: &Origin) -> Result<Tip, EngineError> {
    let info = parts.app.info();
    let app = info.last_block_height.value();
    let decided = parts.store.decided()?;
    if app > decided {
        return Err(EngineError::Ahead { app, store: decided });
    }
    if app == 0 {
        init_chain(parts, origin)?;
    }
    for height in origin.initial_height.max(app + 1)..=decided {
        tracing::info!(height, "executing again what was decided before the last stop");
        let results = replay(&parts.consensus, &parts.store, height)?;
        let want = parts.store.results(height)?.ok_or(EngineError::Missing { what: "the results", height })?;
        if results.app_hash != want.app_hash {
            return Err(EngineError::Diverged { height, got: results.app_hash, want: want.app_hash });
        }
        parts.consensus.commit().map_err(|source| EngineError::Application { stage: "Commit", height, source })?;
    }
    tip(parts, origin, info.app_version, decided)
}

fn init_chain(parts: &Parts, origin: &Origin) -> Result<(), EngineError> {
    let started = parts.consensus.init_chain(origin.request()?).map_err(|source| EngineError::Application {
        stage: "InitChain",
        height: 0,
        source,
    })?;
    // The application may choose others than the genesis file names.
    let chosen: Vec<_> = started.validators.iter().map(|u| validator::Info::new(u.pub_key, u.power)).collect();
    let validators = sorted(if chosen.is_empty() { origin.validators.clone() } else { chosen });
    let params = started.consensus_params.unwrap_or_else(|| origin.params.clone());
    if parts.store.genesis_app_hash()?.is_none() {
        parts.store.start(origin.initial_height, &started.app_hash, &validators, &params)?;
    }
    Ok(())
}

/// Executes a stored block; the caller commits it.
pub(crate) fn replay(
    consensus: &Consensus,
    store: &Store,
    height: u64,
) -> Result<tendermint::v0_38::abci::response::FinalizeBlock, EngineError> {
    let request = finalize_request(store, height)?;
    finalize(height, request.txs.len(), || -> Result<_, Fault> { consensus.finalize_block(request) })
}

/// FinalizeBlock as it was asked when the block was made.
pub(crate) fn finalize_request(store: &Store, height: u64) -> Result<request::FinalizeBlock, EngineError> {
    let missing = |what| EngineError::Missing { what, height };
    let stored = store.decided_block(height)?.ok_or(missing("the block"))?;
    // The first block follows none.
    let decided_last_commit = if stored.block.header.last_block_id.is_none() {
        CommitInfo { round: Default::default(), votes: Vec::new() }
    } else {
        let signers = store.validators(height - 1)?.ok_or(missing("the validators"))?;
        store.commit(height - 1)?.ok_or(missing("the commit"))?.info(&signers)
    };
    Ok(request::FinalizeBlock {
        txs: stored.block.data.into_iter().map(Into::into).collect(),
        decided_last_commit,
        misbehavior: Vec::new(),
        hash: stored.id.hash,
        height: stored.block.header.height,
        time: stored.block.header.time,
        next_validators_hash: stored.block.header.next_validators_hash,
        proposer_address: stored.block.header.proposer_address,
    })
}

fn tip(parts: &Parts, origin: &Origin, first_version: u64, height: u64) -> Result<Tip, EngineError> {
    let missing = |what| EngineError::Missing { what, height };
    if height == 0 {
        return Ok(Tip {
            height: origin.initial_height - 1,
            id: None,
            time: origin.time,
            app_hash: parts.store.genesis_app_hash()?.ok_or(missing("the genesis app hash"))?,
            results_hash: header::results_hash(&[]),
            commit: None,
            app_version: first_version,
            busy: false,
        });
    }
    let stored = parts.store.decided_block(height)?.ok_or(missing("the block"))?;
    let results = parts.store.results(height)?.ok_or(missing("the results"))?;
    let commit = parts.store.commit(height)?.ok_or(missing("the commit"))?;
    Ok(Tip {
        height,
        id: Some(stored.id),
        time: stored.block.header.time,
        results_hash: header::results_hash(&results.tx_results),
        app_version: app_version(&results, stored.block.header.version.app),
        app_hash: results.app_hash,
        commit: Some(commit),
        busy: !stored.block.data.is_empty(),
    })
}

//! How a decided block becomes a staged state: from bytes, or from what others say of its reads.

use std::sync::Arc;

use aceso_state::{Delta, Staged};
use aceso_types::Transcript;
use tendermint::v0_38::abci::{request, response};

use super::{App, halted, hash_of};
use crate::{
    block as blocks,
    chain::Chain,
    components::{
        reads::script::{Script, Written},
        validators,
    },
    error::AppError,
    event::{self, Event},
    host::{Verdict, on_deep_stack},
    replay::{self, Testimony},
    run::Block,
    store::Bare,
};

/// A block that is about to be executed, and what it is executed on.
pub(super) struct Scene<'a> {
    pub(super) chain: Arc<Chain>,
    pub(super) block: Block,
    pub(super) delta: Delta,
    pub(super) request: &'a request::FinalizeBlock,
    pub(super) upgraded: Option<Event>,
}

/// A block that was executed.
pub(super) struct Executed {
    pub(super) staged: Staged,
    pub(super) answer: response::FinalizeBlock,
    pub(super) transcript: Option<Written>,
}

impl App {
    /// Executes a block. Where bytes are not here that it reads, others are asked for them, and for what they say of the
    /// block's reads.
    pub(super) fn execute_or_replay(&self, scene: &Scene<'_>) -> Result<Executed, AppError> {
        let mut lacking = None;
        loop {
            let (id, size) = match self.execute(scene, Script::default()) {
                Err(AppError::Fetch { id, size, .. }) if lacking.as_ref() != Some(&id) => (id, size),
                executed => return executed,
            };
            lacking = Some(id.clone());
            let Some(fetch) = &self.host.fetch else { continue };
            let (mut accepted, mut failed) = (None, None);
            let height = scene.block.height.0;
            let fetched = fetch.fetch_for(&id, size, height, &mut |testimony| match self.replay(scene, testimony) {
                Ok(Ok(executed)) => {
                    accepted = Some(executed);
                    Verdict::Accepted
                }
                Ok(Err(verdict)) => verdict,
                Err(error) => {
                    failed = Some(error);
                    Verdict::Failed
                }
            });
            if let Some(executed) = accepted {
                tracing::info!(height, blob = %id, "executed with a transcript of its reads: the bytes are gone");
                return Ok(executed);
            }
            if let Some(error) = failed {
                return Err(error);
            }
            fetched.map_err(|reason| AppError::Replay { height, id, reason })?;
        }
    }

    /// Executes a block with what somebody says of its reads. It is true if the next header says so; else nothing is left.
    fn replay(&self, scene: &Scene<'_>, testimony: &[u8]) -> Result<Result<Executed, Verdict>, AppError> {
        let lie = |reason: String| Ok(Err(Verdict::Lie(reason)));
        let Testimony { transcript, signed_header } = match prost::Message::decode(testimony) {
            Ok(testimony) => testimony,
            Err(error) => return lie(format!("the answer does not decode: {error}")),
        };
        if signed_header.is_empty() {
            return Ok(Err(Verdict::Unjudged("the next block is not signed yet".into())));
        }
        let (id, height) = (&scene.chain.id, scene.block.height);
        // Who signs the next height was settled by the block before this one.
        let table =
            validators::signing(&mut Bare(&mut scene.delta.clone()), height.0.saturating_add(1)).map_err(halted)?;
        let header = match replay::next_header(&signed_header, id, &table, scene.request) {
            Ok(signed) => signed.header,
            Err(reason) => return lie(reason),
        };
        let transcript = match Transcript::decode(&transcript) {
            Ok(transcript) if (&transcript.chain_id, transcript.height) == (id, height) => transcript,
            Ok(other) => return lie(format!("the transcript is of block {} of {}", other.height, other.chain_id)),
            Err(reason) => return lie(reason),
        };
        match self.execute(scene, Script::of(transcript)) {
            Ok(executed) if executed.answer.app_hash == header.app_hash => Ok(Ok(executed)),
            Ok(executed) => {
                lie(format!("it makes app hash {}, and {} was agreed upon", executed.answer.app_hash, header.app_hash))
            }
            Err(error @ AppError::Transcript { .. }) => lie(error.to_string()),
            // A model's bytes, which no transcript stands in for.
            Err(error @ AppError::Fetch { .. }) => Ok(Err(Verdict::Unjudged(error.to_string()))),
            Err(error) => Err(error),
        }
    }

    fn execute(&self, scene: &Scene<'_>, script: Script) -> Result<Executed, AppError> {
        let Scene { chain, block, request, upgraded, .. } = scene;
        let mut delta = scene.delta.clone();
        let results = on_deep_stack(|| blocks::execute(&self.host, chain, *block, &mut delta, request, script))?
            .map_err(halted)?;
        // CometBFT may crash between this answer and Commit, so nothing reaches disk yet.
        let staged = self.store.stage(block.height.0, &delta.into_changes())?;
        let answer = response::FinalizeBlock {
            events: event::to_abci(upgraded.iter().cloned().chain(results.events).collect()),
            tx_results: results.txs,
            validator_updates: results.validators,
            consensus_param_updates: results.consensus,
            app_hash: hash_of(&staged.root()),
        };
        Ok(Executed { staged, answer, transcript: results.transcript })
    }
}

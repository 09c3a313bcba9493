//! One block: begin → deliver → end, and what may be proposed as one.

pub(crate) mod proposal;

use std::sync::Arc;

use aceso_state::Delta;
use aceso_types::{Height, TxIndex, msg::MsgAttest};
use bytes::Bytes;
use prost::Message;
use tendermint::{abci::types::ExecTxResult, consensus, v0_38::abci::request::FinalizeBlock, validator::Update};
use tracing::{Span, field::Empty};

use crate::{
    chain::{self, Chain},
    code::Code,
    components::{
        authz, blobs, models,
        reads::{
            script::{Script, Written},
            told,
        },
        sealed::{self, tell::Caller},
        sponsor, validators,
    },
    error::Outcome,
    event::Event,
    gas::Meter,
    host::Host,
    run::{Block, Mode, Run},
    store::Bare,
    tx::{self, Done, decode::Tx, decode::attestation},
};

/// What a block leaves behind besides its changes.
pub(crate) struct Results {
    pub(crate) events: Vec<Event>,
    pub(crate) txs: Vec<ExecTxResult>,
    pub(crate) validators: Vec<Update>,
    /// The engine's parameters, if they change.
    pub(crate) consensus: Option<consensus::Params>,
    /// What its open reads came to, if it has read.
    pub(crate) transcript: Option<Written>,
}

/// Executes a decided block on top of `delta`. Infallible by contract: a bad transaction yields a result with a code,
/// a bad machine stops. `script` takes down what the block reads, and may know it beforehand.
pub(crate) fn execute(
    host: &Host,
    chain: &Arc<Chain>,
    block: Block,
    delta: &mut Delta,
    request: &FinalizeBlock,
    mut script: Script,
) -> Outcome<Results> {
    let mut events = begin(chain, block, delta, request)?;
    tx::ahead::verify(host, chain, block, delta, &request.txs);
    let mut results = Vec::with_capacity(request.txs.len());
    let mut gas_used: u64 = 0;
    for (index, bytes) in request.txs.iter().enumerate() {
        let span = tracing::info_span!("tx", index, hash = Empty, code = Empty, gas = Empty).entered();
        let done = match (index == 0).then(|| attestation(bytes)).flatten() {
            Some(attest) => attested((host, &mut script), chain, block, delta, &attest)?,
            None => {
                let index = TxIndex(u32::try_from(index).unwrap_or(u32::MAX));
                deliver((host, &mut script), chain, block, delta, bytes, index, gas_used)?
            }
        };
        note(&span, &done);
        gas_used = gas_used.saturating_add(done.gas_used.min(done.gas_wanted));
        results.push(done.into());
    }
    let index = TxIndex(u32::try_from(request.txs.len()).unwrap_or(u32::MAX));
    let caller = Caller { host, chain, block, index };
    let (validators, consensus) = end(&caller, &mut script, delta, &mut events)?;
    let transcript = script.finish(&chain.id, block.height)?;
    if let Some(written) = &transcript {
        told::put(&mut Bare(delta), block.height.0, &written.digest)?;
    }
    Ok(Results { events, txs: results, validators, consensus, transcript })
}

/// What is due before the transactions: the clock of the state, authorisations that are over, how validators behaved, and
/// blobs whose delay or term is over.
fn begin(chain: &Chain, block: Block, delta: &mut Delta, request: &FinalizeBlock) -> Outcome<Vec<Event>> {
    let (state, height) = (&mut Bare(delta), block.height.0);
    chain::put_time(state, block.nanos)?;
    authz::begin_block(state, block.nanos)?;
    let (commit, misbehavior) = (&request.decided_last_commit, &request.misbehavior);
    let mut events = validators::begin_block(state, &chain.params, height, commit, misbehavior)?;
    events.extend(blobs::begin_block(state, height)?);
    Ok(events)
}

/// What is due after them: who signs from now on, blobs that lost their attesters, models that waited for their blobs,
/// jobs that end without an outcome and contracts that are told of it. Answers what the engine has to change.
fn end(
    caller: &Caller<'_>,
    script: &mut Script,
    delta: &mut Delta,
    events: &mut Vec<Event>,
) -> Outcome<(Vec<Update>, Option<consensus::Params>)> {
    let Caller { host, chain, block, .. } = *caller;
    let (state, height) = (&mut Bare(delta), block.height.0);
    sponsor::end_block(state, block.nanos)?;
    let changed = validators::end_block(state, height)?;
    if changed.shares {
        blobs::begin_sweep(state)?;
        sealed::sweep::begin(state)?;
    }
    events.extend(blobs::end_block(state, height)?);
    events.extend(models::end_block(state, host, script, height)?);
    events.extend(sealed::close::expire(state, chain, height)?);
    sealed::results::expire(state, chain, height)?;
    events.extend(sealed::sweep::end_block(state, chain, height)?);
    events.extend(sealed::roots::end_block(state, chain, changed.table)?);
    // Last, so that whatever contracts do to it is settled with the next block.
    events.extend(caller.end_block(script, delta)?);
    let consensus = Some(chain::consensus(&mut Bare(delta))?).filter(|new| *new != chain.consensus);
    Ok((changed.updates, consensus.map(|new| new.to_engine())))
}

/// The item that the proposer put first. Its statements hold or do not hold together. Contracts that asked for what it
/// brings are told when all of it is settled.
fn attested(
    (host, script): (&Host, &mut Script),
    chain: &Arc<Chain>,
    block: Block,
    delta: &mut Delta,
    attest: &MsgAttest,
) -> Outcome<Done> {
    let height = block.height.0;
    let state = &mut Bare(delta);
    let checked = match proposal::check(state, chain, height, attest)? {
        Ok(checked) => checked,
        Err(unfit) => return Ok(Done::refused(Code::AttestInvalid.because(unfit))),
    };
    let gas_wanted = checked.sealed.gas();
    let mut events = Vec::new();
    for (said, attesters) in attest.available.iter().zip(checked.attesters) {
        events.push(blobs::attested(state, chain, height, said, attesters)?);
    }
    let tellings = sealed::close::settle(state, chain, height, checked.sealed, &mut events)?;
    let caller = Caller { host, chain, block, index: TxIndex(0) };
    let mut gas_used: u64 = 0;
    for telling in tellings {
        gas_used = gas_used.saturating_add(caller.tell(script, delta, &telling, &mut events)?);
    }
    Ok(Done { fault: None, data: Vec::new(), events, gas_wanted, gas_used })
}

/// Tells whoever traces what became of a transaction, without the text of a refusal.
fn note(span: &Span, done: &Done) {
    span.record("gas", done.gas_used);
    match &done.fault {
        Some(fault) => {
            span.record("code", fault.code.number());
            tracing::debug!(codespace = fault.code.space(), "refused");
        }
        None => {
            span.record("code", 0);
        }
    }
}

fn deliver(
    (host, script): (&Host, &mut Script),
    chain: &Arc<Chain>,
    block: Block,
    delta: &mut Delta,
    bytes: &[u8],
    index: TxIndex,
    gas_used: u64,
) -> Outcome<Done> {
    let tx = match host.decoded.take(bytes) {
        Ok(tx) => tx,
        Err(fault) => return Ok(Done::refused(fault)),
    };
    if !Span::current().is_disabled() {
        Span::current().record("hash", hex::encode_upper(tx.hash));
    }
    // More than any block has is refused by the transaction's own checks.
    let (wanted, most) = (tx.gas_limit(), chain.block_gas.unwrap_or(u64::MAX));
    if wanted <= most && wanted > most.saturating_sub(gas_used) {
        return Ok(Done::refused(tx::no_block_gas()));
    }
    let mut run = Run::new(host, chain.clone(), block, Mode::Deliver, delta, Meter::new(0));
    run.tx.index = index;
    run.script = std::mem::take(script);
    let done = tx::deliver(&mut run, &tx);
    *script = run.script;
    done
}

/// Runs a transaction as a block would, for its gas and its events only.
pub(crate) fn simulate(host: &Host, chain: &Arc<Chain>, block: Block, delta: &mut Delta, tx: &Tx) -> Outcome<Done> {
    let mut run = Run::new(host, chain.clone(), block, Mode::Simulate, delta, Meter::new(0));
    tx::deliver(&mut run, tx)
}

/// The block after `height`, as far as it can be known before it comes.
pub(crate) fn after(height: u64, nanos: u64) -> Block {
    Block { height: Height(height.saturating_add(1)), nanos }
}

/// Bytes that a transaction takes in a block: its own and its frame's.
pub(crate) fn framed(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    (length + 1 + prost::encoding::encoded_len_varint(length as u64)) as u64
}

/// The bytes of an attestation item; none where there is nothing to say.
pub(crate) fn item(attest: &MsgAttest) -> Option<Bytes> {
    (attest.encoded_len() > 0).then(|| Bytes::from(tx::decode::encode_attestation(attest)))
}

//! What contracts are told of the jobs that they asked for, through their entry point `sudo`.
//!
//! The gas is paid with the request. Outcomes are told in the block's first item, whose declared gas theirs is;
//! everything else waits in a line for the end of a block, which takes a bounded number and no more gas than a block
//! has. What fails is undone and leaves an event: receipt and fees stand.

use std::sync::Arc;

use aceso_state::Delta;
use aceso_types::{
    ReadId, TxIndex,
    guest::{Answered, Callback, Ended, ReadDone, Vouched},
    query::JobRow,
    receipt::{Consent, Receipt},
    sealed::Statement,
};

use crate::{
    chain::Chain,
    components::{
        SEALED, models,
        reads::{self, script::Script},
        sealed::{authorise::Allowed, jobs, keys, records},
        wasm,
    },
    error::{AppError, Outcome, Stop},
    event::Event,
    gas::Meter,
    host::Host,
    run::{Block, Mode, Run},
    store::{Bare, Part, Read, Write, damaged, decode},
    tx::journal,
};

/// A callback that is paid for.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Telling {
    #[prost(string, tag = "1")]
    pub(super) contract: String,
    /// [`Callback`] in JSON.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) message: Vec<u8>,
    /// SDK gas.
    #[prost(uint64, tag = "3")]
    pub(super) gas: u64,
    /// The job; 0 where there was none.
    #[prost(uint64, tag = "4")]
    pub(super) job: u64,
}

impl Telling {
    pub(super) fn new(contract: &str, gas: u64, done: ReadDone) -> Outcome<Self> {
        let job = done.job;
        let message = serde_json::to_vec(&Callback::AcesoRead(done)).map_err(|e| AppError::Host(e.to_string()))?;
        Ok(Self { contract: contract.into(), message, gas, job })
    }
}

/// What there is to say of a job, whatever became of it.
pub(super) fn done(
    state: &mut impl Read,
    row: &JobRow,
    statement: &Statement,
    ended: Ended,
    fee: u128,
) -> Outcome<ReadDone> {
    let Consent { actor, purpose, .. } = jobs::consent(row)?;
    let author = models::get(state, &statement.model)?.map(|row| row.author).unwrap_or_default();
    Ok(ReadDone {
        job: row.job,
        ended,
        read: None,
        image: statement.image,
        frame: statement.frame,
        owner: statement.owner.clone(),
        actor,
        purpose,
        model: statement.model,
        author,
        fee: fee.to_string(),
        claim: None,
        origin: None,
        members: u32::try_from(row.members.len()).unwrap_or(u32::MAX),
        power: jobs::power(row),
        total: row.total,
        scores: Vec::new(),
        findings: Vec::new(),
        readings: Vec::new(),
        commitment: None,
    })
}

/// Who vouches for a record's image, as far as it may be known.
pub(super) fn vouched(state: &mut impl Read, record: u64) -> Outcome<Option<Vouched>> {
    let origin = records::get(state, record)?.and_then(|row| row.origin);
    let origin = origin.as_ref().map(reads::origin_of).transpose()?;
    Ok(origin.map(|origin| Vouched { institution: origin.institution, study: origin.study }))
}

/// Bits that were disclosed before.
pub(super) struct Known<'a> {
    pub(super) findings: Vec<Answered>,
    /// The latest read that disclosed one of them.
    pub(super) read: u64,
    pub(super) consent: &'a Consent,
}

/// Puts the answer of a request that needed no job into the line. What is known of the input is told only to whom it
/// was told before: it goes by another name for others.
pub(super) fn known(run: &mut Run<'_>, allowed: &Allowed, known: Known<'_>, gas: u64) -> Outcome<()> {
    let Known { findings, read, consent } = known;
    let wrong = || damaged(SEALED, format!("bit/…/{read}").as_bytes());
    let receipt: Receipt = reads::receipt(run, read)?.ok_or_else(wrong)?;
    let sealed = receipt.sealed.as_ref().ok_or_else(wrong)?;
    let theirs = receipt.reader == allowed.requester.as_str();
    let input = sealed.outcome.input().filter(|_| theirs);
    let vouched = match input.is_some_and(|input| input.vouched) {
        true => vouched(run, allowed.record.record)?,
        false => None,
    };
    let done = ReadDone {
        job: 0,
        ended: Ended::Done,
        read: Some(ReadId(read)),
        image: allowed.image,
        frame: allowed.frame,
        owner: allowed.record.owner.clone(),
        actor: consent.actor.clone(),
        purpose: consent.purpose.clone(),
        model: allowed.model,
        author: allowed.row.author.clone(),
        fee: 0.to_string(),
        claim: input.map(|input| input.claim),
        origin: vouched,
        members: u32::try_from(sealed.members.len()).unwrap_or(u32::MAX),
        power: receipt.committee.power,
        total: receipt.committee.total,
        scores: Vec::new(),
        findings,
        readings: Vec::new(),
        commitment: None,
    };
    queue(run, &Telling::new(allowed.requester.as_str(), gas, done)?)
}

/// Puts a callback into the line.
pub(super) fn queue(state: &mut impl Write, telling: &Telling) -> Outcome<()> {
    let number = state.count(SEALED, keys::tellings())?;
    state.put(SEALED, keys::told(number), telling)
}

/// Whether callbacks wait for the end of a block.
pub(crate) fn is_due(state: &mut impl Read) -> Outcome<bool> {
    Ok(!state.page(SEALED, &Part::first(keys::all_told(), 1))?.is_empty())
}

/// From where in a block contracts are called.
pub(crate) struct Caller<'a> {
    pub(crate) host: &'a Host,
    pub(crate) chain: &'a Arc<Chain>,
    pub(crate) block: Block,
    /// The position of the item; at a block's end that after the last transaction.
    pub(crate) index: TxIndex,
}

impl Caller<'_> {
    /// Calls a contract. Answers the gas that it used.
    pub(crate) fn tell(
        &self,
        script: &mut Script,
        delta: &mut Delta,
        telling: &Telling,
        events: &mut Vec<Event>,
    ) -> Outcome<u64> {
        let Self { host, chain, block, index } = self;
        let contract = chain.address(&telling.contract)?;
        let mut run = Run::new(host, Arc::clone(chain), *block, Mode::Deliver, delta, Meter::new(telling.gas));
        run.tx.index = *index;
        run.script = std::mem::take(script);
        let outcome = run.frame(|run| wasm::sudo(run, &contract, &telling.message).map(drop));
        journal::write(&mut run)?;
        *script = std::mem::take(&mut run.script);
        events.append(&mut run.events);
        match outcome {
            Ok(()) => {}
            Err(Stop::Refused(fault)) => events.push(
                Event::new("callback_failed")
                    .with("job", telling.job.to_string())
                    .with("_contract_address", contract.as_str())
                    .with("codespace", fault.code.space())
                    .with("code", fault.code.number().to_string())
                    .with("log", fault.text),
            ),
            Err(halt) => return Err(halt),
        }
        Ok(run.meter.used().min(telling.gas))
    }

    /// Calls the next contracts in the line.
    pub(crate) fn end_block(&self, script: &mut Script, delta: &mut Delta) -> Outcome<Vec<Event>> {
        let most = usize::try_from(self.chain.params.sealed_closed_max).unwrap_or(usize::MAX);
        let mut gas_left = self.chain.block_gas.unwrap_or(u64::MAX);
        let mut events = Vec::new();
        for (number, (key, row)) in Bare(delta).page(SEALED, &Part::first(keys::all_told(), most))?.iter().enumerate() {
            let telling: Telling = decode(SEALED, key, row)?;
            // The first is told in any case: a line may not stand still.
            match gas_left.checked_sub(telling.gas) {
                Some(left) => gas_left = left,
                None if number == 0 => gas_left = 0,
                None => break,
            }
            Bare(delta).remove(SEALED, key)?;
            self.tell(script, delta, &telling, &mut events)?;
        }
        Ok(events)
    }
}

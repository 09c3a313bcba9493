//! One transaction: decode → authenticate → charge → dispatch → journal.
//!
//! The first steps are the SDK's ante handler in its order: what they take, fee and sequence, stays taken. Then the
//! messages run, all or none. Whatever became of them, the journal is written last.

pub(crate) mod ahead;
pub(crate) mod amino;
pub(crate) mod authenticate;
mod charge;
pub(crate) mod decode;
pub(crate) mod decoded;
pub(crate) mod dispatch;
pub(crate) mod journal;
mod limits;
pub(crate) mod msg;
pub(crate) mod signature;

use bytes::Bytes;
use prost::Message;
use tendermint::abci::types::ExecTxResult;

use crate::{
    code::{Code, Fault},
    components::sealed::share,
    error::{Outcome, Stop},
    event::{self, Event},
    gas::Meter,
    run::{Mode, Run},
    tx::{authenticate::Signers, decode::Tx},
};

/// What became of a transaction.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) fault: Option<Fault>,
    pub(crate) data: Vec<u8>,
    pub(crate) events: Vec<Event>,
    pub(crate) gas_wanted: u64,
    pub(crate) gas_used: u64,
}

impl Done {
    /// A transaction that was refused before it cost anything.
    pub(crate) fn refused(fault: Fault) -> Self {
        Self { fault: Some(fault), data: Vec::new(), events: Vec::new(), gas_wanted: 0, gas_used: 0 }
    }
}

/// Gas as results carry it.
pub(crate) fn signed(gas: u64) -> i64 {
    i64::try_from(gas).unwrap_or(i64::MAX)
}

/// The log is empty on success, as CosmJS wants it, and the full text otherwise. It is not hashed.
impl From<Done> for ExecTxResult {
    fn from(done: Done) -> Self {
        let (code, codespace, log) = match &done.fault {
            Some(fault) => (fault.code.number(), fault.code.space().into(), fault.text.clone()),
            None => (0, String::new(), String::new()),
        };
        Self {
            code: code.into(),
            data: Bytes::from(done.data),
            log,
            info: String::new(),
            gas_wanted: signed(done.gas_wanted),
            gas_used: signed(done.gas_used),
            events: event::to_abci(done.events),
            codespace,
        }
    }
}

/// Gas that a transaction may use: its own limit, in a simulation the chain's.
fn limit(run: &Run<'_>, tx: &Tx) -> u64 {
    match run.mode {
        Mode::Simulate => run.chain.params.simulate_gas_max,
        _ => tx.gas_limit(),
    }
}

/// Checks a transaction for the mempool: everything but the messages' work.
pub(crate) fn check(run: &mut Run<'_>, tx: &Tx) -> Result<Done, Stop> {
    run.meter = Meter::new(limit(run, tx));
    let outcome = run.frame(|run| ante(run, tx));
    finish(run, tx, outcome.map(|()| Vec::new()))
}

/// Executes a transaction. Only a failure of this machine is an error.
pub(crate) fn deliver(run: &mut Run<'_>, tx: &Tx) -> Result<Done, Stop> {
    run.meter = Meter::new(limit(run, tx));
    run.tx.hash = tx.hash;
    if let Err(stop) = run.frame(|run| ante(run, tx)) {
        return finish(run, tx, Err(stop));
    }
    // Fees are moved; what accounts hold from here on is what they held before the messages began.
    run.tx.before.clear();
    let outcome = run.frame(|run| dispatch::all(run, &tx.msgs));
    let outcome = outcome.map(|responses| responses.encode_to_vec());
    journal::write(run)?;
    finish(run, tx, outcome)
}

fn ante(run: &mut Run<'_>, tx: &Tx) -> Outcome<()> {
    let signers = Signers::of(tx, &run.chain.prefix)?;
    limits::check(run, tx, &signers)?;
    limits::charge_size(run, tx)?;
    charge::fee(run, tx, &signers)?;
    let signed = authenticate::read(run, tx, &signers)?;
    authenticate::charge(run, tx, &signed)?;
    authenticate::verify(run, tx, &signed)?;
    run.tx.signers = signers.required.into_iter().map(String::from).collect();
    share::take(run, tx)
}

fn finish(run: &mut Run<'_>, tx: &Tx, outcome: Outcome<Vec<u8>>) -> Result<Done, Stop> {
    let (fault, data) = match outcome {
        Ok(data) => (None, data),
        Err(Stop::Refused(fault)) => (Some(fault), Vec::new()),
        Err(halt) => return Err(halt),
    };
    Ok(Done {
        fault,
        data,
        events: std::mem::take(&mut run.events),
        gas_wanted: tx.gas_limit(),
        gas_used: run.meter.used(),
    })
}

/// Refuses a transaction that the block has no gas left for.
pub(crate) fn no_block_gas() -> Fault {
    Code::OutOfGas.because("no block gas left to run tx")
}

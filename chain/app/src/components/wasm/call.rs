//! One call of an entry point: its price, its environment, what its failures mean.

use aceso_vm::{Backtrace, Call, Checksum, Entry, LocalError, VmError};
use cosmwasm_std::{Addr, BlockInfo, ContractInfo, ContractResult, Env, Timestamp, TransactionInfo};
use serde::{Serialize, de::DeserializeOwned};
use tracing::field::Empty;

use crate::{
    address::Address,
    code::Code,
    components::{
        WASM,
        wasm::{backend::Frame, code::CodeRow, keys},
    },
    error::{AppError, Outcome, Stop},
    gas,
    run::{Mode, Run},
    store::damaged,
};

/// Calls an entry point of a contract and reads its answer. The error inside is the contract's own sentence.
///
/// `args` follow the environment. A `writes` of false makes every write of the contract a trap.
pub(super) fn call<T: DeserializeOwned>(
    run: &mut Run<'_>,
    contract: &Address,
    code: &CodeRow,
    entry: Entry,
    args: &[&[u8]],
    writes: bool,
) -> Outcome<Result<T, String>> {
    let checksum = code.checksum()?;
    prepare(run, &checksum, code.pinned)?;
    let env = json(&env(run, contract, writes))?;
    let args: Vec<&[u8]> = std::iter::once(env.as_slice()).chain(args.iter().copied()).collect();
    let call = Call { checksum: &checksum, entry, args: &args, gas_limit: run.meter.left_wasm(), lane: run.lane() };
    let host = run.host;
    let span = tracing::info_span!("call", contract = contract.as_str(), %entry, gas = Empty).entered();
    let mut frame = Frame::new(run, contract, writes);
    let report = host.vm.call(&call, &mut frame);
    let stopped = frame.stopped.take();
    span.record("gas", report.gas_used / aceso_types::gas::WASM_PER_SDK);
    drop(span);
    if let Some(halt @ Stop::Halt(_)) = stopped {
        return Err(halt);
    }
    let answer = match report.result {
        Ok(answer) => answer,
        Err(error) => {
            note(run, contract, entry, report.backtrace.as_ref());
            if matches!(error, VmError::OutOfGas { .. }) {
                return Err(run.meter.exhaust("wasm contract").at(report.backtrace).into());
            }
            run.meter.spend_wasm(report.gas_used, "wasm contract")?;
            return Err(match failure(run, error, stopped) {
                Stop::Refused(fault) => fault.at(report.backtrace).into(),
                halt => halt,
            });
        }
    };
    run.meter.spend_wasm(report.gas_used, "wasm contract")?;
    let answer: ContractResult<T> = serde_json::from_slice(&answer).map_err(|e| {
        Code::Vm.because(format_args!("Error executing Wasm: the contract's answer to `{entry}` does not decode: {e}"))
    })?;
    Ok(answer.into())
}

/// Tells whoever runs the node where a contract's code failed, without what the contract said. What people ask without
/// paying is told on request only.
fn note(run: &Run<'_>, contract: &Address, entry: Entry, backtrace: Option<&Backtrace>) {
    let Some(backtrace) = backtrace else { return };
    let contract = contract.as_str();
    if run.mode == Mode::Deliver {
        tracing::info!(contract, %entry, %backtrace, "contract failed");
    } else {
        tracing::debug!(contract, %entry, %backtrace, "contract failed");
    }
}

/// What a failed call means to whoever made it.
fn failure(run: &Run<'_>, error: VmError, stopped: Option<Stop>) -> Stop {
    match (error, stopped) {
        (VmError::Refused(_), Some(stop)) => stop,
        // Questions from outside may find the engine busy; blocks may not.
        (VmError::Local(LocalError::Busy { limit }), _) if run.mode != Mode::Deliver => {
            Code::Internal.because(format_args!("the node runs {limit} contracts already, ask again")).into()
        }
        (error @ VmError::Local(_), _) => AppError::Vm(error).into(),
        (error, _) => Code::Vm.because(format_args!("Error executing Wasm: {error}")).into(),
    }
}

/// Pays for an instance, and compiles code whose machine code is gone from this machine.
fn prepare(run: &mut Run<'_>, checksum: &Checksum, pinned: bool) -> Outcome<()> {
    let known = !run.tx.warm.insert(*checksum) || pinned;
    let price = if known { gas::INSTANCE_AGAIN } else { gas::INSTANCE };
    run.meter.spend(price, "Loading CosmWasm module")?;
    if !run.host.vm.has(checksum) {
        let key = keys::bytes(&checksum.to_string());
        let wasm = run.delta.get(WASM, &key)?.ok_or_else(|| damaged(WASM, &key))?;
        run.host.vm.put(&wasm).map_err(AppError::Vm)?;
    }
    Ok(())
}

/// What a contract may know of where it runs.
fn env(run: &Run<'_>, contract: &Address, writes: bool) -> Env {
    let transaction = TransactionInfo::new(run.tx.index.0, run.tx.hash.to_vec().into());
    Env {
        block: BlockInfo {
            height: run.block.height.0,
            time: Timestamp::from_nanos(run.block.nanos),
            chain_id: run.chain.id.clone(),
        },
        transaction: (writes && run.mode != Mode::Query).then_some(transaction),
        contract: ContractInfo { address: Addr::unchecked(contract.as_str()) },
    }
}

/// JSON for a contract.
pub(super) fn json<T: Serialize>(value: &T) -> Outcome<Vec<u8>> {
    Ok(serde_json::to_vec(value).map_err(|e| AppError::Host(e.to_string()))?)
}

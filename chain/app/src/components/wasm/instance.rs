//! Instances of code: who made them, who may change them, which code they run and have run.
//!
//! Rows are wasmd's own protobuf types, so queries hand them out as they are.

use cosmos_sdk_proto::cosmwasm::wasm::v1::{
    AbsoluteTxPosition, ContractCodeHistoryEntry, ContractCodeHistoryOperationType as Operation, ContractInfo,
};

use crate::{
    address::Address,
    code::Code,
    components::{WASM, wasm::keys},
    error::Outcome,
    run::Run,
    store::{Part, Read, Write, decode},
};

/// Most entries of a history that are read at once.
const HISTORY_MAX: usize = 10_000;

/// A contract, if there is one.
pub(crate) fn get(state: &mut impl Read, address: &Address) -> Outcome<Option<ContractInfo>> {
    state.row(WASM, &keys::contract(address.as_str()))
}

/// A contract that there must be.
pub(super) fn need(state: &mut impl Read, address: &Address) -> Outcome<ContractInfo> {
    get(state, address)?.ok_or_else(|| Code::NoSuchContract.because(format_args!("address {address}")).into())
}

/// A contract that is to be changed; wasmd calls the request invalid where there is none.
pub(super) fn known(state: &mut impl Read, address: &Address) -> Outcome<ContractInfo> {
    get(state, address)?.ok_or_else(|| Code::InvalidRequest.because("unknown contract").into())
}

/// Writes a contract's row.
pub(super) fn put(state: &mut impl Write, address: &Address, info: &ContractInfo) -> Outcome<()> {
    state.put(WASM, keys::contract(address.as_str()), info)
}

/// A contract's history, oldest first.
fn history(state: &mut impl Read, address: &Address) -> Outcome<Vec<ContractCodeHistoryEntry>> {
    let rows = state.page(WASM, &Part::first(keys::history_of(address.as_str()), HISTORY_MAX))?;
    rows.iter().map(|(key, row)| decode(WASM, key, row)).collect()
}

/// Where the running transaction stands.
pub(super) fn position(run: &Run<'_>) -> AbsoluteTxPosition {
    AbsoluteTxPosition { block_height: run.block.height.0, tx_index: u64::from(run.tx.index.0) }
}

/// Makes a contract: its row, its history, its places in the lists.
pub(super) fn create(run: &mut Run<'_>, address: &Address, info: &ContractInfo, msg: &[u8]) -> Outcome<()> {
    let at = position(run);
    put(run, address, info)?;
    append(run, address, Operation::Init, info.code_id, &at, msg)?;
    let placed = keys::placed(at.block_height, at.tx_index, address.as_str());
    let key = [keys::by_creator(&info.creator), placed].concat();
    run.set(WASM, key, address.as_str().into())
}

/// Puts a contract on another code.
pub(super) fn change_code(
    run: &mut Run<'_>,
    address: &Address,
    info: &ContractInfo,
    code_id: u64,
    msg: &[u8],
) -> Outcome<()> {
    let at = position(run);
    let last = history(run, address)?.pop().and_then(|entry| entry.updated).unwrap_or_default();
    let placed = keys::placed(last.block_height, last.tx_index, address.as_str());
    run.remove(WASM, &[keys::by_code(info.code_id), placed].concat())?;
    put(run, address, &ContractInfo { code_id, ..info.clone() })?;
    append(run, address, Operation::Migrate, code_id, &at, msg)
}

fn append(
    run: &mut Run<'_>,
    address: &Address,
    operation: Operation,
    code_id: u64,
    at: &AbsoluteTxPosition,
    msg: &[u8],
) -> Outcome<()> {
    let index = u32::try_from(history(run, address)?.len()).unwrap_or(u32::MAX);
    let entry =
        ContractCodeHistoryEntry { operation: operation.into(), code_id, updated: Some(at.clone()), msg: msg.into() };
    run.put(WASM, keys::history(address.as_str(), index), &entry)?;
    let placed = keys::placed(at.block_height, at.tx_index, address.as_str());
    run.set(WASM, [keys::by_code(code_id), placed].concat(), address.as_str().into())
}

//! What can be done to contracts, by people and by other contracts.

use aceso_vm::Entry;
use cosmos_sdk_proto::cosmwasm::wasm::v1::{
    ContractInfo, MsgExecuteContract, MsgExecuteContractResponse, MsgInstantiateContract, MsgInstantiateContract2,
    MsgInstantiateContract2Response, MsgInstantiateContractResponse, MsgMigrateContract, MsgMigrateContractResponse,
    MsgStoreAndInstantiateContract, MsgStoreAndInstantiateContractResponse, MsgStoreAndMigrateContract,
    MsgStoreAndMigrateContractResponse, MsgSudoContract, MsgSudoContractResponse, MsgUpdateContractLabel,
};
use cosmwasm_std::{Addr, Binary, MessageInfo, MigrateInfo};

use crate::{
    address::{Address, GENESIS},
    code::Code,
    coin::Coins,
    components::{
        WASM, accounts, bank,
        wasm::{
            call::{call, json},
            code, instance, keys, respond,
        },
    },
    error::Outcome,
    event::Event,
    host::QUERIES_MAX,
    run::Run,
    store::Write,
};

/// What a contract is made with.
pub(super) struct Making<'a> {
    pub(super) creator: &'a Address,
    /// Text of an address, or empty.
    pub(super) admin: &'a str,
    pub(super) code_id: u64,
    pub(super) label: &'a str,
    pub(super) msg: &'a [u8],
    pub(super) funds: Coins,
    /// The salt of an address that can be known before, and whether the message is a part of it.
    pub(super) salt: Option<(&'a [u8], bool)>,
}

/// `MsgInstantiateContract`.
pub(crate) fn instantiate_msg(
    run: &mut Run<'_>,
    msg: &MsgInstantiateContract,
) -> Outcome<MsgInstantiateContractResponse> {
    let creator = run.chain.address(&msg.sender)?;
    let (address, data) = instantiate(
        run,
        &Making {
            creator: &creator,
            admin: &msg.admin,
            code_id: msg.code_id,
            label: &msg.label,
            msg: &msg.msg,
            funds: Coins::of_wire(&msg.funds)?,
            salt: None,
        },
    )?;
    Ok(MsgInstantiateContractResponse { address: address.into(), data: data.unwrap_or_default() })
}

/// `MsgInstantiateContract2`.
pub(crate) fn instantiate2_msg(
    run: &mut Run<'_>,
    msg: &MsgInstantiateContract2,
) -> Outcome<MsgInstantiateContract2Response> {
    let creator = run.chain.address(&msg.sender)?;
    let (address, data) = instantiate(
        run,
        &Making {
            creator: &creator,
            admin: &msg.admin,
            code_id: msg.code_id,
            label: &msg.label,
            msg: &msg.msg,
            funds: Coins::of_wire(&msg.funds)?,
            salt: Some((&msg.salt, msg.fix_msg)),
        },
    )?;
    Ok(MsgInstantiateContract2Response { address: address.into(), data: data.unwrap_or_default() })
}

/// `MsgStoreAndInstantiateContract`: whoever may upload makes a contract of it at once. The code is pinned where the authority
/// asks and does not say otherwise, as in a proposal; where a digest of the code is named it must be that.
pub(crate) fn store_and_instantiate_msg(
    run: &mut Run<'_>,
    msg: &MsgStoreAndInstantiateContract,
) -> Outcome<MsgStoreAndInstantiateContractResponse> {
    let creator = run.chain.address(&msg.authority)?;
    let stored = code::upload(run, &creator, &msg.wasm_byte_code, msg.instantiate_permission.clone())?;
    if !msg.code_hash.is_empty() && msg.code_hash != stored.checksum {
        return Err(Code::Invalid.because("code-hash mismatch").into());
    }
    if !msg.unpin_code && run.chain.authority == creator.as_str() {
        code::pin(run, &msg.authority, &[stored.code_id], true)?;
    }
    let (address, data) = instantiate(
        run,
        &Making {
            creator: &creator,
            admin: &msg.admin,
            code_id: stored.code_id,
            label: &msg.label,
            msg: &msg.msg,
            funds: Coins::of_wire(&msg.funds)?,
            salt: None,
        },
    )?;
    Ok(MsgStoreAndInstantiateContractResponse { address: address.into(), data: data.unwrap_or_default() })
}

/// `MsgStoreAndMigrateContract`: a contract's admin, who may upload, puts it on new code at once.
pub(crate) fn store_and_migrate_msg(
    run: &mut Run<'_>,
    msg: &MsgStoreAndMigrateContract,
) -> Outcome<MsgStoreAndMigrateContractResponse> {
    let (sender, contract) = (run.chain.address(&msg.authority)?, run.chain.address(&msg.contract)?);
    let stored = code::upload(run, &sender, &msg.wasm_byte_code, msg.instantiate_permission.clone())?;
    let data = migrate(run, &sender, &contract, stored.code_id, &msg.msg)?.unwrap_or_default();
    Ok(MsgStoreAndMigrateContractResponse { code_id: stored.code_id, checksum: stored.checksum, data })
}

/// `MsgExecuteContract`.
pub(crate) fn execute_msg(run: &mut Run<'_>, msg: &MsgExecuteContract) -> Outcome<MsgExecuteContractResponse> {
    let (sender, contract) = (run.chain.address(&msg.sender)?, run.chain.address(&msg.contract)?);
    let data = execute(run, &sender, &contract, &msg.msg, &Coins::of_wire(&msg.funds)?)?;
    Ok(MsgExecuteContractResponse { data: data.unwrap_or_default() })
}

/// `MsgMigrateContract`.
pub(crate) fn migrate_msg(run: &mut Run<'_>, msg: &MsgMigrateContract) -> Outcome<MsgMigrateContractResponse> {
    let (sender, contract) = (run.chain.address(&msg.sender)?, run.chain.address(&msg.contract)?);
    let data = migrate(run, &sender, &contract, msg.code_id, &msg.msg)?;
    Ok(MsgMigrateContractResponse { data: data.unwrap_or_default() })
}

/// Makes a contract and answers its address and what it returned.
pub(super) fn instantiate(run: &mut Run<'_>, making: &Making<'_>) -> Outcome<(Address, Option<Vec<u8>>)> {
    run.deeper(|run| {
        let chain = run.chain.clone();
        let Making { creator, code_id, .. } = *making;
        let code = code::need(run, code_id)?;
        // Whoever a code admits is of no matter to the contracts that are there from the start.
        if !code.admits(creator) && *creator != Address::of_module(GENESIS, &chain.prefix)? {
            return Err(Code::Unauthorized.because("can not instantiate").into());
        }
        let admin = match making.admin {
            "" => String::new(),
            admin => chain.address(admin)?.into(),
        };
        let address = match making.salt {
            None => {
                let instance = run.count(WASM, keys::instance_count())?;
                Address::of_instance(code_id, instance, &chain.prefix)?
            }
            Some((salt, fix)) => {
                let fixed = if fix { making.msg } else { &[] };
                Address::of_salt(&code.checksum, &creator.bytes(), salt, fixed, &chain.prefix)?
            }
        };
        if instance::get(run, &address)?.is_some() {
            let words = "instance with this code id, sender, salt and label exists: try a different salt";
            return Err(Code::Duplicate.because(words).into());
        }
        accounts::ensure(run, &address)?;
        if !making.funds.is_empty() {
            bank::send(run, creator, &address, &making.funds)?;
        }
        let info = ContractInfo {
            code_id,
            creator: creator.to_string(),
            admin,
            label: making.label.into(),
            created: Some(instance::position(run)),
            ..ContractInfo::default()
        };
        // The row comes first: the contract may be asked about while it is being made.
        instance::create(run, &address, &info, making.msg)?;
        run.emit(
            Event::new("instantiate").with("_contract_address", address.as_str()).with("code_id", code_id.to_string()),
        );
        let sender = message_info(creator, &making.funds)?;
        let answer = call(run, &address, &code, Entry::Instantiate, &[&sender, making.msg], true)?;
        let answer = answer.map_err(|e| Code::InstantiateFailed.spoken(e))?;
        let data = respond::carry_out(run, &address, &code, answer).map_err(|stop| stop.within("dispatch"))?;
        Ok((address, data))
    })
}

/// Runs a contract and answers what it returned.
pub(super) fn execute(
    run: &mut Run<'_>,
    sender: &Address,
    contract: &Address,
    msg: &[u8],
    funds: &Coins,
) -> Outcome<Option<Vec<u8>>> {
    run.deeper(|run| {
        let info = instance::need(run, contract)?;
        let code = code::need(run, info.code_id)?;
        if !funds.is_empty() {
            bank::send(run, sender, contract, funds)?;
        }
        run.emit(Event::new("execute").with("_contract_address", contract.as_str()));
        let sender = message_info(sender, funds)?;
        let answer = call(run, contract, &code, Entry::Execute, &[&sender, msg], true)?;
        let answer = answer.map_err(|e| Code::ExecuteFailed.spoken(e))?;
        respond::carry_out(run, contract, &code, answer)
    })
}

/// Puts a contract on another code. Its `migrate` runs unless both codes state the same migrate version.
pub(super) fn migrate(
    run: &mut Run<'_>,
    sender: &Address,
    contract: &Address,
    code_id: u64,
    msg: &[u8],
) -> Outcome<Option<Vec<u8>>> {
    run.deeper(|run| {
        let info = instance::known(run, contract)?;
        if info.admin != sender.as_str() {
            return Err(Code::Unauthorized.because("can not migrate").into());
        }
        let old = code::need(run, info.code_id)?;
        let new = code::need(run, code_id)?;
        if !new.admits(sender) {
            return Err(Code::Unauthorized.because("to use new code").into());
        }
        let same = new.migrate_version.is_some() && new.migrate_version == old.migrate_version;
        let answer = if same {
            None
        } else {
            let who =
                MigrateInfo { sender: Addr::unchecked(sender.as_str()), old_migrate_version: old.migrate_version };
            let answer = call(run, contract, &new, Entry::Migrate, &[msg, &json(&who)?], true)?;
            Some(answer.map_err(|e| Code::MigrationFailed.spoken(e))?)
        };
        instance::change_code(run, contract, &info, code_id, msg)?;
        run.emit(
            Event::new("migrate").with("code_id", code_id.to_string()).with("_contract_address", contract.as_str()),
        );
        match answer {
            Some(answer) => respond::carry_out(run, contract, &new, answer).map_err(|stop| stop.within("dispatch")),
            None => Ok(None),
        }
    })
}

/// The contract that its admin is about to modify.
fn modified(run: &mut Run<'_>, sender: &str, contract: &str) -> Outcome<(Address, ContractInfo)> {
    let (sender, contract) = (run.chain.address(sender)?, run.chain.address(contract)?);
    let info = instance::known(run, &contract)?;
    if info.admin == sender.as_str() {
        return Ok((contract, info));
    }
    Err(Code::Unauthorized.because("can not modify contract").into())
}

/// `MsgUpdateAdmin`, and with an empty admin `MsgClearAdmin`.
pub(crate) fn update_admin(run: &mut Run<'_>, sender: &str, contract: &str, admin: &str) -> Outcome<()> {
    let (contract, info) = modified(run, sender, contract)?;
    let admin = match admin {
        "" => String::new(),
        admin => run.chain.address(admin)?.into(),
    };
    instance::put(run, &contract, &ContractInfo { admin: admin.clone(), ..info })?;
    run.emit(
        Event::new("update_contract_admin")
            .with("_contract_address", contract.as_str())
            .with("new_admin_address", admin),
    );
    Ok(())
}

/// `MsgUpdateContractLabel`.
pub(crate) fn update_label(run: &mut Run<'_>, msg: &MsgUpdateContractLabel) -> Outcome<()> {
    let (contract, info) = modified(run, &msg.sender, &msg.contract)?;
    instance::put(run, &contract, &ContractInfo { label: msg.new_label.clone(), ..info })?;
    run.emit(
        Event::new("update_contract_label")
            .with("_contract_address", contract.as_str())
            .with("new_label", msg.new_label.as_str()),
    );
    Ok(())
}

/// `MsgSudoContract`: the authority tells a contract something in the chain's name.
pub(crate) fn sudo_msg(run: &mut Run<'_>, msg: &MsgSudoContract) -> Outcome<MsgSudoContractResponse> {
    run.chain.need_authority(&msg.authority)?;
    let contract = run.chain.address(&msg.contract)?;
    let data = sudo(run, &contract, &msg.msg)?;
    Ok(MsgSudoContractResponse { data: data.unwrap_or_default() })
}

/// Tells a contract something in the chain's own name; answers what it returned.
pub(crate) fn sudo(run: &mut Run<'_>, contract: &Address, msg: &[u8]) -> Outcome<Option<Vec<u8>>> {
    run.deeper(|run| {
        let info = instance::need(run, contract)?;
        let code = code::need(run, info.code_id)?;
        run.emit(Event::new("sudo").with("_contract_address", contract.as_str()));
        let answer = call(run, contract, &code, Entry::Sudo, &[msg], true)?;
        let answer = answer.map_err(|e| Code::ExecuteFailed.spoken(e))?;
        respond::carry_out(run, contract, &code, answer).map_err(|stop| stop.within("dispatch"))
    })
}

/// Asks a contract.
pub(crate) fn smart(run: &mut Run<'_>, contract: &Address, msg: &[u8]) -> Outcome<Vec<u8>> {
    if run.queries >= QUERIES_MAX {
        return Err(Code::QueryStack.because(format_args!("{QUERIES_MAX} queries inside each other")).into());
    }
    let info = instance::need(run, contract)?;
    let code = code::need(run, info.code_id)?;
    run.queries += 1;
    let answer = call::<Binary>(run, contract, &code, Entry::Query, &[msg], false);
    run.queries -= 1;
    Ok(answer?.map_err(|e| Code::QueryFailed.spoken(e))?.into())
}

fn message_info(sender: &Address, funds: &Coins) -> Outcome<Vec<u8>> {
    json(&MessageInfo { sender: Addr::unchecked(sender.as_str()), funds: funds.to_contract() })
}

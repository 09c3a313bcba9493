//! Messages that contracts send.
//!
//! Banks and contracts are reached by CosmWasm's own kinds; a few native messages through `any`, by an accept-list. All
//! else is refused by name, with the numbers of wasmd's `handler_plugin.go` on a chain without the module.

use cosmos_sdk_proto::{
    Any,
    cosmos::bank::v1beta1::MsgSendResponse,
    cosmwasm::wasm::v1::{
        MsgClearAdminResponse, MsgExecuteContractResponse, MsgInstantiateContract2Response,
        MsgInstantiateContractResponse, MsgMigrateContractResponse, MsgUpdateAdminResponse,
    },
};
use cosmwasm_std::{AnyMsg, BankMsg, CosmosMsg, WasmMsg};
use prost::{Message, Name};

use crate::{
    address::Address,
    code::{Code, Fault},
    coin::Coins,
    components::{
        bank,
        wasm::verbs::{self, Making},
    },
    error::Outcome,
    run::Run,
    tx::{
        decode::any,
        dispatch,
        msg::{self, Msg},
    },
};

/// What a message came to.
pub(super) struct Sent {
    /// The response as transactions carry it.
    pub(super) response: Any,
    /// The same for contracts from before CosmWasm 2; none where the response is empty.
    pub(super) data: Option<Vec<u8>>,
}

fn sent<M: Message + Name>(response: &M) -> Sent {
    of_any(any(response))
}

fn of_any(response: Any) -> Sent {
    Sent { data: (!response.value.is_empty()).then(|| response.value.clone()), response }
}

/// Most bytes of a native message (wasmd `MaxAnyMsgValueSize`).
const ANY_BYTES_MAX: usize = 512 << 10;

/// Sends a message in a contract's name.
pub(super) fn send(run: &mut Run<'_>, contract: &Address, msg: &serde_json::Value) -> Outcome<Sent> {
    let kind = msg.as_object().and_then(|map| map.keys().next()).map_or("", String::as_str);
    match kind {
        "bank" | "wasm" | "any" => {}
        // The name that `any` had before CosmWasm 2.
        "stargate" => {
            let any = msg.get(kind).cloned().unwrap_or_default();
            let any: AnyMsg = serde_json::from_value(any).map_err(|e| Code::InvalidMsg.because(e))?;
            return native(run, contract, any);
        }
        other => return Err(absent(other, msg).into()),
    }
    let msg: CosmosMsg<serde_json::Value> =
        serde_json::from_value(msg.clone()).map_err(|e| Code::InvalidMsg.because(e))?;
    match msg {
        CosmosMsg::Bank(msg) => bank(run, contract, msg),
        CosmosMsg::Wasm(msg) => wasm(run, contract, msg),
        CosmosMsg::Any(any) => native(run, contract, any),
        _ => Err(Code::UnknownMsg.plain().into()),
    }
}

/// Why a message of a kind that nobody carries out is refused.
fn absent(kind: &str, msg: &serde_json::Value) -> Fault {
    let sent = msg.get(kind).and_then(|msg| msg.as_object()).and_then(|map| map.keys().next());
    match (kind, sent.map_or("", String::as_str)) {
        ("staking" | "distribution" | "gov", _) | ("ibc", "transfer" | "close_channel") | ("ibc2", "send_packet") => {
            Code::UnknownRequest
                .because(format_args!("can't route message: this chain carries out no message of kind {kind:?}"))
        }
        // What only a contract with a port may send; here none has one.
        ("ibc" | "ibc2", _) => Code::UnsupportedForContract.because(format_args!("{kind} not supported")),
        ("custom", _) => Code::UnknownMsg.because("custom variant not supported"),
        _ => {
            let kind: String = kind.chars().take(64).collect();
            Code::UnknownMsg.because(format_args!("contracts do not send messages of kind {kind:?}"))
        }
    }
}

fn bank(run: &mut Run<'_>, contract: &Address, msg: BankMsg) -> Outcome<Sent> {
    match msg {
        BankMsg::Send { to_address, amount } => {
            let to = run.chain.address(&to_address)?;
            bank::refuse_modules(run, &to)?;
            let coins = Coins::of_contract(&amount)?;
            if !coins.is_empty() {
                bank::send(run, contract, &to, &coins)?;
            }
            Ok(sent(&MsgSendResponse {}))
        }
        BankMsg::Burn { amount } => {
            let coins = Coins::of_contract(&amount)?;
            if coins.is_empty() {
                return Err(Code::InvalidCoins.because("no coins").into());
            }
            bank::burn(run, contract, &coins)?;
            Ok(of_any(Any { type_url: "/cosmos.bank.v1beta1.MsgBurnResponse".into(), value: Vec::new() }))
        }
        _ => Err(Code::UnknownMsg.because("bank").into()),
    }
}

fn wasm(run: &mut Run<'_>, contract: &Address, msg: WasmMsg) -> Outcome<Sent> {
    match msg {
        WasmMsg::Execute { contract_addr, msg, funds } => {
            let target = run.chain.address(&contract_addr)?;
            msg::json(&msg)?;
            let data = verbs::execute(run, contract, &target, &msg, &Coins::of_contract(&funds)?)?;
            Ok(sent(&MsgExecuteContractResponse { data: data.unwrap_or_default() }))
        }
        WasmMsg::Instantiate { admin, code_id, msg, funds, label } => {
            let funds = Coins::of_contract(&funds)?;
            let admin = admin.unwrap_or_default();
            let (address, data) = instantiate(run, contract, &admin, code_id, &label, &msg, funds, None)?;
            Ok(sent(&MsgInstantiateContractResponse { address, data }))
        }
        WasmMsg::Instantiate2 { admin, code_id, label, msg, funds, salt } => {
            msg::salt(&salt)?;
            let funds = Coins::of_contract(&funds)?;
            let admin = admin.unwrap_or_default();
            let (address, data) =
                instantiate(run, contract, &admin, code_id, &label, &msg, funds, Some((&salt, false)))?;
            Ok(sent(&MsgInstantiateContract2Response { address, data }))
        }
        WasmMsg::Migrate { contract_addr, new_code_id, msg } => {
            let target = run.chain.address(&contract_addr)?;
            msg::json(&msg)?;
            let data = verbs::migrate(run, contract, &target, new_code_id, &msg)?;
            Ok(sent(&MsgMigrateContractResponse { data: data.unwrap_or_default() }))
        }
        WasmMsg::UpdateAdmin { contract_addr, admin } => {
            if admin == contract.as_str() {
                return Err(Code::Invalid.because("new admin is the same as the old").into());
            }
            run.chain.address(&admin)?;
            verbs::update_admin(run, contract.as_str(), &contract_addr, &admin)?;
            Ok(sent(&MsgUpdateAdminResponse {}))
        }
        WasmMsg::ClearAdmin { contract_addr } => {
            verbs::update_admin(run, contract.as_str(), &contract_addr, "")?;
            Ok(sent(&MsgClearAdminResponse {}))
        }
        _ => Err(Code::UnknownMsg.because("wasm").into()),
    }
}

#[allow(clippy::too_many_arguments, reason = "the fields of two messages that differ in the salt only")]
fn instantiate(
    run: &mut Run<'_>,
    creator: &Address,
    admin: &str,
    code_id: u64,
    label: &str,
    msg: &[u8],
    funds: Coins,
    salt: Option<(&[u8], bool)>,
) -> Outcome<(String, Vec<u8>)> {
    msg::label(label)?;
    msg::json(msg)?;
    let (address, data) = verbs::instantiate(run, &Making { creator, admin, code_id, label, msg, funds, salt })?;
    Ok((address.into(), data.unwrap_or_default()))
}

/// Native messages that contracts may send in their own name.
fn native(run: &mut Run<'_>, contract: &Address, any: AnyMsg) -> Outcome<Sent> {
    if any.value.len() > ANY_BYTES_MAX {
        let words = format_args!("AnyMsg value size {} exceeds limit {ANY_BYTES_MAX}", any.value.len());
        return Err(Code::Limit.because(words).into());
    }
    let msg =
        Msg::decode(&Any { type_url: any.type_url, value: any.value.into() }).map_err(|fault| match fault.code {
            Code::TxDecode => Code::InvalidMsg.because(format_args!("cannot unpack proto message: {fault}")),
            _ => fault,
        })?;
    check_kind(contract, &msg)?;
    msg.check(&run.chain.prefix)?;
    if run.chain.address(msg.signer())? != *contract {
        return Err(Code::Unauthorized.because("contract doesn't have permission").into());
    }
    Ok(of_any(dispatch::one(run, &msg)?))
}

/// Refuses what contracts do not send. Of what others have allowed them it is for those to say.
fn check_kind(contract: &Address, msg: &Msg) -> Result<(), Fault> {
    match msg {
        Msg::Exec(exec) => {
            let own = |msg: &&Msg| msg.signer().eq_ignore_ascii_case(contract.as_str());
            exec.msgs.iter().filter(own).try_for_each(|msg| check_kind(contract, msg))?;
        }
        Msg::Authorize(_) | Msg::Revoke(_) => {}
        Msg::GrantAllowance(_) | Msg::RevokeAllowance(_) => {}
        Msg::Send(_) | Msg::RegisterBlob(_) | Msg::RegisterModel(_) | Msg::RegisterImage(_) => {}
        // What a contract says that owns sealed records, or that a key is wrapped for. An emergency is a person's to
        // declare.
        Msg::RegisterReader(_)
        | Msg::RegisterSealed(_)
        | Msg::RetireSealed(_)
        | Msg::Grant(_)
        | Msg::RevokeGrant(_)
        | Msg::RequestRead(_)
        | Msg::Dispute(_) => {}
        // What a contract says that is the chain's authority, or a validator's operator.
        Msg::SetValidator(_)
        | Msg::RegisterAttester(_)
        | Msg::UpdateParams(_)
        | Msg::ScheduleUpgrade(_)
        | Msg::CancelUpgrade(_)
        | Msg::Sudo(_)
        | Msg::PinCodes(_)
        | Msg::UnpinCodes(_) => {}
        other => {
            let words = format_args!("contracts do not send {} as a native message", other.url());
            return Err(Code::UnknownRequest.because(words));
        }
    }
    Ok(())
}

//! What an authorisation says, and whether it covers a message (SDK `x/authz/generic_authorization.go`,
//! `x/bank/types/send_authorization.go`, wasmd `x/wasm/types/authz.go`).

use std::collections::BTreeSet;

use cosmos_sdk_proto::{
    Any,
    cosmos::{authz::v1beta1::GenericAuthorization, bank::v1beta1::SendAuthorization},
    cosmwasm::wasm::v1::{
        AccessConfig, CodeGrant, ContractExecutionAuthorization, ContractMigrationAuthorization, MsgStoreCode,
        StoreCodeAuthorization,
    },
};
use prost::Name;
use sha2::{Digest, Sha256};

use crate::{
    code::{Code, Fault},
    coin::Coins,
    components::{
        authz::contract::{self, ContractGrant},
        wasm,
    },
    error::Outcome,
    run::Run,
    tx::{
        decode::{any, canonical},
        msg::{self, Msg},
    },
};

/// SDK gas of each account that a recipient is compared with.
const RECIPIENT: u64 = 10;
/// The code hash that stands for any code.
const ANY_CODE: &[u8] = b"*";

/// One account's word that another may send a message for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Authorization {
    /// Any message of a type.
    Generic(GenericAuthorization),
    /// Coins, so many in all.
    Send(SendAuthorization),
    /// Code that it names.
    StoreCode(StoreCodeAuthorization),
    /// Calls of contracts.
    Execution(Vec<ContractGrant>),
    /// Migrations of contracts.
    Migration(Vec<ContractGrant>),
}

/// What a message leaves of an authorisation.
#[derive(Debug, PartialEq)]
pub(super) enum Left {
    /// All of it.
    Same,
    /// This.
    Less(Authorization),
    /// Nothing.
    Nothing,
}

impl Authorization {
    /// Reads an authorisation.
    pub(crate) fn decode(packed: Option<&Any>) -> Result<Self, Fault> {
        let Some(packed) = packed else { return Err(Code::InvalidType.because("authorization is nil")) };
        let contracts = |grants: &[_]| grants.iter().map(ContractGrant::decode).collect::<Result<Vec<_>, _>>();
        match packed.type_url.as_str() {
            url if url == GenericAuthorization::type_url() => canonical(&packed.value, url).map(Self::Generic),
            url if url == SendAuthorization::type_url() => canonical(&packed.value, url).map(Self::Send),
            url if url == StoreCodeAuthorization::type_url() => canonical(&packed.value, url).map(Self::StoreCode),
            url if url == ContractExecutionAuthorization::type_url() => {
                let one: ContractExecutionAuthorization = canonical(&packed.value, url)?;
                contracts(&one.grants).map(Self::Execution)
            }
            url if url == ContractMigrationAuthorization::type_url() => {
                let one: ContractMigrationAuthorization = canonical(&packed.value, url)?;
                contracts(&one.grants).map(Self::Migration)
            }
            other => Err(unknown("authorization", other)),
        }
    }

    /// The authorisation as it travels.
    pub(crate) fn encode(&self) -> Any {
        let wire = |grants: &[ContractGrant]| grants.iter().map(ContractGrant::encode).collect();
        match self {
            Self::Generic(one) => any(one),
            Self::Send(one) => any(one),
            Self::StoreCode(one) => any(one),
            Self::Execution(grants) => any(&ContractExecutionAuthorization { grants: wire(grants) }),
            Self::Migration(grants) => any(&ContractMigrationAuthorization { grants: wire(grants) }),
        }
    }

    /// The type URL of the messages that it is about.
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Generic(one) => &one.msg,
            Self::Send(_) => msg::SEND,
            Self::StoreCode(_) => msg::STORE_CODE,
            Self::Execution(_) => msg::EXECUTE,
            Self::Migration(_) => msg::MIGRATE,
        }
    }

    /// Checks all that can be checked without the state (`ValidateBasic`), and that there are such messages.
    pub(crate) fn check(&self, prefix: &str) -> Result<(), Fault> {
        match self {
            Self::Generic(one) if one.msg.is_empty() => Err(Code::InvalidType.because("msg type cannot be empty")),
            Self::Generic(one) if !msg::is_known(&one.msg) => {
                let url: String = one.msg.chars().take(128).collect();
                Err(Code::InvalidType.because(format_args!("{url:?} doesn't exist.")))
            }
            Self::Generic(one) => msg::refuse_in_person(&one.msg),
            Self::Send(one) => {
                if Coins::of_wire(&one.spend_limit)?.is_empty() {
                    return Err(Code::InvalidCoins.because("spend limit cannot be nil"));
                }
                let mut seen = BTreeSet::new();
                let twice = one.allow_list.iter().any(|address| !seen.insert(address));
                if twice { Err(Code::DuplicateEntry.plain()) } else { Ok(()) }
            }
            Self::StoreCode(one) => check_codes(&one.grants, prefix),
            Self::Execution(grants) | Self::Migration(grants) => {
                if grants.is_empty() {
                    return Err(Code::Empty.because("grants"));
                }
                grants.iter().enumerate().try_for_each(|(index, grant)| {
                    grant.check(prefix).map_err(|fault| fault.within(format_args!("position {index}")))
                })
            }
        }
    }

    /// What a message leaves of it, or why it does not cover the message.
    pub(super) fn accept(&self, run: &mut Run<'_>, msg: &Msg) -> Outcome<Left> {
        let none = Coins::default();
        match (self, msg) {
            (Self::Generic(one), msg) if one.msg == msg.url() => Ok(Left::Same),
            (Self::Send(one), Msg::Send(msg)) => {
                let left = Coins::of_wire(&one.spend_limit)?.minus(&Coins::of_wire(&msg.amount)?);
                let Some(left) = left else {
                    return Err(Code::InsufficientFunds.because("requested amount is more than spend limit").into());
                };
                let at = one.allow_list.iter().position(|address| *address == msg.to_address);
                let looks = at.map_or(one.allow_list.len(), |at| at + 1);
                run.meter.spend(RECIPIENT.saturating_mul(looks as u64), "send authorization")?;
                if at.is_none() && !one.allow_list.is_empty() {
                    let words = format_args!("cannot send to {} address", msg.to_address);
                    return Err(Code::Unauthorized.because(words).into());
                }
                if left.is_empty() {
                    return Ok(Left::Nothing);
                }
                Ok(Left::Less(Self::Send(SendAuthorization { spend_limit: left.to_wire(), ..one.clone() })))
            }
            (Self::StoreCode(one), Msg::StoreCode(msg)) => {
                if accepts_code(run, &one.grants, msg)? {
                    Ok(Left::Same)
                } else {
                    Err(Code::Unauthorized.plain().into())
                }
            }
            (Self::Execution(grants), Msg::Execute(msg)) => {
                let funds = Coins::of_wire(&msg.funds)?;
                accept_call(run, grants, &msg.contract, &msg.msg, &funds, Self::Execution)
            }
            (Self::Migration(grants), Msg::Migrate(msg)) => {
                accept_call(run, grants, &msg.contract, &msg.msg, &none, Self::Migration)
            }
            _ => Err(Code::InvalidType.because("type mismatch").into()),
        }
    }
}

/// A thing of a kind that nobody knows here.
pub(super) fn unknown(what: &str, url: &str) -> Fault {
    let url: String = url.chars().take(128).collect();
    Code::TxDecode.because(format_args!("no {what} known here: {url:?}"))
}

/// The first grant of the contract whose limit and filter both take the call is the one that it is counted on.
fn accept_call(
    run: &mut Run<'_>,
    grants: &[ContractGrant],
    contract: &str,
    msg: &[u8],
    funds: &Coins,
    made: fn(Vec<ContractGrant>) -> Authorization,
) -> Outcome<Left> {
    for (index, grant) in grants.iter().enumerate().filter(|(_, grant)| grant.contract == contract) {
        let Some(left) = grant.accept(&mut run.meter, msg, funds)? else { continue };
        let mut grants = grants.to_vec();
        match left {
            contract::Left::Same => return Ok(Left::Same),
            contract::Left::Less(limit) => {
                if let Some(grant) = grants.get_mut(index) {
                    grant.limit = limit;
                }
            }
            contract::Left::Nothing => drop(grants.remove(index)),
        }
        return Ok(if grants.is_empty() { Left::Nothing } else { Left::Less(made(grants)) });
    }
    Err(Code::Unauthorized.plain().into())
}

fn accepts_code(run: &mut Run<'_>, grants: &[CodeGrant], msg: &MsgStoreCode) -> Outcome<bool> {
    let checksum: [u8; 32] = Sha256::digest(wasm::unpack(run, &msg.wasm_byte_code)?).into();
    let wanted = msg.instantiate_permission.clone().unwrap_or_else(wasm::everybody);
    let is_code = |hash: &[u8]| hash == ANY_CODE || hash == checksum;
    let may = |most: &AccessConfig| wasm::is_within(&wanted, most);
    let fits = |grant: &CodeGrant| is_code(&grant.code_hash) && grant.instantiate_permission.as_ref().is_none_or(may);
    Ok(grants.iter().any(fits))
}

fn check_codes(grants: &[CodeGrant], prefix: &str) -> Result<(), Fault> {
    if grants.is_empty() {
        return Err(Code::Empty.because("grants"));
    }
    let mut seen = BTreeSet::new();
    for (index, grant) in grants.iter().enumerate() {
        if grants.len() > 1 && grant.code_hash == ANY_CODE {
            let words = "cannot have multiple grants when wildcard grant is one of them";
            return Err(Code::InvalidRequest.because(words));
        }
        let place = format_args!("position {index}");
        if grant.code_hash.is_empty() {
            return Err(Code::Empty.because("code hash").within(place));
        }
        let checked = grant.instantiate_permission.as_ref().map_or(Ok(()), |config| msg::access(config, prefix));
        checked.map_err(|fault| fault.within(place))?;
        if !seen.insert(&grant.code_hash) {
            return Err(Code::InvalidRequest.because("cannot have multiple grants with same code hash"));
        }
    }
    Ok(())
}

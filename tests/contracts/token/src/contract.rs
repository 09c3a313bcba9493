//! Entry points, then the functions in the order of their match.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{
    Addr, Binary, Deps, DepsMut, Env, MessageInfo, Response, StdResult, Storage, Uint128, WasmMsg, to_json_binary,
};

use crate::{
    BalanceResponse, ContractError, ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg, TokenInfoResponse,
    state::{BALANCES, TOKEN, Token},
};

const NAME: &str = "crates.io:aceso-test-token";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Creates the token with its first balances.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn instantiate(deps: DepsMut, _: Env, _: MessageInfo, msg: InstantiateMsg) -> Result<Response, ContractError> {
    cw2::set_contract_version(deps.storage, NAME, VERSION)?;
    let mut total_supply = Uint128::zero();
    for row in msg.initial_balances {
        total_supply = total_supply.checked_add(row.amount)?;
        BALANCES.save(deps.storage, &deps.api.addr_validate(&row.address)?, &row.amount)?;
    }
    TOKEN.save(deps.storage, &Token { name: msg.name, total_supply })?;
    Ok(Response::new())
}

/// Moves or destroys tokens.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn execute(deps: DepsMut, _: Env, info: MessageInfo, msg: ExecuteMsg) -> Result<Response, ContractError> {
    match msg {
        ExecuteMsg::Transfer { recipient, amount } => {
            let recipient = deps.api.addr_validate(&recipient)?;
            transfer(deps.storage, &info.sender, &recipient, amount)?;
            Ok(moved("transfer", &info.sender, &recipient, amount))
        }
        ExecuteMsg::Send { contract, amount, msg } => {
            let recipient = deps.api.addr_validate(&contract)?;
            transfer(deps.storage, &info.sender, &recipient, amount)?;
            let call = WasmMsg::Execute { contract_addr: contract, msg, funds: vec![] };
            Ok(moved("send", &info.sender, &recipient, amount).add_message(call))
        }
        ExecuteMsg::Burn { amount } => burn(deps.storage, &info.sender, amount),
    }
}

/// Answers about balances.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn query(deps: Deps, _: Env, msg: QueryMsg) -> StdResult<Binary> {
    match msg {
        QueryMsg::Balance { address } => {
            let address = deps.api.addr_validate(&address)?;
            let balance = BALANCES.may_load(deps.storage, &address)?.unwrap_or_default();
            to_json_binary(&BalanceResponse { balance })
        }
        QueryMsg::TokenInfo {} => {
            let Token { name, total_supply } = TOKEN.load(deps.storage)?;
            to_json_binary(&TokenInfoResponse { name, total_supply })
        }
    }
}

/// Keeps the balances and may rename the token.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn migrate(deps: DepsMut, _: Env, msg: MigrateMsg) -> Result<Response, ContractError> {
    cw2::set_contract_version(deps.storage, NAME, VERSION)?;
    if let Some(name) = msg.name {
        TOKEN.update(deps.storage, |token| -> StdResult<_> { Ok(Token { name, ..token }) })?;
    }
    Ok(Response::new())
}

fn transfer(storage: &mut dyn Storage, from: &Addr, to: &Addr, amount: Uint128) -> Result<(), ContractError> {
    take(storage, from, amount)?;
    BALANCES.update(storage, to, |balance| -> Result<_, ContractError> {
        Ok(balance.unwrap_or_default().checked_add(amount)?)
    })?;
    Ok(())
}

fn burn(storage: &mut dyn Storage, from: &Addr, amount: Uint128) -> Result<Response, ContractError> {
    take(storage, from, amount)?;
    TOKEN.update(storage, |token| -> Result<_, ContractError> {
        Ok(Token { total_supply: token.total_supply.checked_sub(amount)?, ..token })
    })?;
    Ok(Response::new().add_attribute("action", "burn").add_attribute("amount", amount))
}

fn take(storage: &mut dyn Storage, from: &Addr, amount: Uint128) -> Result<(), ContractError> {
    if amount.is_zero() {
        return Err(ContractError::Zero);
    }
    BALANCES.update(storage, from, |balance| -> Result<_, ContractError> {
        Ok(balance.unwrap_or_default().checked_sub(amount)?)
    })?;
    Ok(())
}

fn moved(action: &str, from: &Addr, to: &Addr, amount: Uint128) -> Response {
    Response::new()
        .add_attribute("action", action)
        .add_attribute("from", from)
        .add_attribute("to", to)
        .add_attribute("amount", amount)
}

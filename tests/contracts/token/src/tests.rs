//! The token's arithmetic, and what it refuses.

use cosmwasm_std::{
    Uint128, from_json,
    testing::{message_info, mock_dependencies, mock_env},
};

use crate::{
    Balance, BalanceResponse, ContractError, ExecuteMsg, InstantiateMsg, QueryMsg, execute, instantiate, query,
};

#[test]
fn tokens_move_and_never_multiply() {
    let mut deps = mock_dependencies();
    let (alice, bob) = (deps.api.addr_make("alice"), deps.api.addr_make("bob"));
    let initial_balances = vec![Balance { address: alice.to_string(), amount: Uint128::new(10) }];
    let init = InstantiateMsg { name: "test".into(), initial_balances };
    instantiate(deps.as_mut(), mock_env(), message_info(&alice, &[]), init).unwrap();

    let mut transfer = |amount: u128| {
        let msg = ExecuteMsg::Transfer { recipient: bob.to_string(), amount: Uint128::new(amount) };
        execute(deps.as_mut(), mock_env(), message_info(&alice, &[]), msg)
    };
    transfer(4).unwrap();
    assert!(matches!(transfer(0), Err(ContractError::Zero)));
    assert!(matches!(transfer(7), Err(ContractError::Overflow(_))));

    let balance = |address: &cosmwasm_std::Addr| {
        let msg = QueryMsg::Balance { address: address.to_string() };
        from_json::<BalanceResponse>(query(deps.as_ref(), mock_env(), msg).unwrap()).unwrap().balance.u128()
    };
    assert_eq!((balance(&alice), balance(&bob)), (6, 4));
}

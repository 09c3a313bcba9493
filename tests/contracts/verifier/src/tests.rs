//! The vectors of `sdk/verify`, over the standard library's mock of the host.

use aceso_types::sealed::{Root, SignedRoot};
use cosmwasm_std::{
    DepsMut, OwnedDeps, from_json,
    testing::{MockApi, MockQuerier, MockStorage, message_info, mock_dependencies, mock_env},
};
use serde_json::Value;

use crate::{
    ContractError, ExecuteMsg, InstantiateMsg, QueryMsg, RecordedResponse, RootResponse, execute, instantiate, query,
};

type World = OwnedDeps<MockStorage, MockApi, MockQuerier>;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../sdk/verify/tests/vectors/compact.json")).unwrap()
}

fn roots(vectors: &Value) -> Vec<SignedRoot> {
    serde_json::from_value(vectors["roots"]["roots"].clone()).unwrap()
}

fn bytes(hexadecimal: &Value) -> Vec<u8> {
    hex::decode(hexadecimal.as_str().unwrap()).unwrap()
}

fn begin(root: &Root, members_min: u32) -> World {
    let mut deps = mock_dependencies();
    let init = InstantiateMsg { root: root.encode().into(), members_min, power_min_bps: 1 };
    let sender = message_info(&deps.api.addr_make("anybody"), &[]);
    instantiate(deps.as_mut(), mock_env(), sender, init).unwrap();
    deps
}

fn send(deps: DepsMut<'_>, msg: ExecuteMsg) -> Result<(), ContractError> {
    let sender = message_info(&MockApi::default().addr_make("anybody"), &[]);
    execute(deps, mock_env(), sender, msg).map(drop)
}

fn advance(next: &SignedRoot) -> ExecuteMsg {
    let SignedRoot { root, signers, signature } = next.clone();
    ExecuteMsg::Advance { root: root.encode().into(), signers: signers.into(), signature: signature.into() }
}

fn all() -> World {
    let roots = roots(&vectors());
    let mut deps = begin(&roots[0].root, 1);
    roots[1..].iter().for_each(|next| send(deps.as_mut(), advance(next)).unwrap());
    deps
}

#[test]
fn what_a_committee_signed_is_recorded_once() {
    for vector in vectors()["believed"].as_array().unwrap() {
        let mut deps = all();
        let record = || ExecuteMsg::Record { compact: bytes(&vector["compact"]).into() };
        send(deps.as_mut(), record()).unwrap();
        assert!(matches!(send(deps.as_mut(), record()), Err(ContractError::Recorded(1_207))));
        let asked = QueryMsg::Recorded { job: 1_207 };
        let recorded: RecordedResponse = from_json(query(deps.as_ref(), mock_env(), asked).unwrap()).unwrap();
        assert_eq!(Value::from(recorded.signed), vector["signed"], "{}", vector["name"]);
        assert_eq!(u64::from(recorded.members), vector["members"].as_array().unwrap().len() as u64);
        let name = vector["name"].as_str().unwrap();
        assert_eq!(recorded.failed.as_deref(), name.contains("failed").then_some("leaf"), "{name}");
    }
}

#[test]
fn nothing_else_is() {
    for vector in vectors()["refused"].as_array().unwrap() {
        let mut deps = all();
        let record = ExecuteMsg::Record { compact: bytes(&vector["compact"]).into() };
        send(deps.as_mut(), record).expect_err(vector["name"].as_str().unwrap());
        query(deps.as_ref(), mock_env(), QueryMsg::Recorded { job: 1_207 }).unwrap_err();
    }
}

#[test]
fn committees_are_as_large_as_demanded() {
    let vectors = vectors();
    let mut deps = begin(&roots(&vectors)[0].root, 2);
    let record = ExecuteMsg::Record { compact: bytes(&vectors["believed"][0]["compact"]).into() };
    assert!(matches!(send(deps.as_mut(), record), Err(ContractError::NotAccepted(_))));
}

#[test]
fn roots_follow_each_other() {
    let roots = roots(&vectors());
    let mut deps = begin(&roots[0].root, 1);
    assert!(matches!(send(deps.as_mut(), advance(&roots[2])), Err(ContractError::Proof(_))));
    let forged = SignedRoot { signature: roots[2].signature.clone(), ..roots[1].clone() };
    assert!(matches!(send(deps.as_mut(), advance(&forged)), Err(ContractError::Signature)));
    let identity = SignedRoot { signature: [&[0xc0_u8][..], &[0; 95]].concat(), ..roots[1].clone() };
    assert!(matches!(send(deps.as_mut(), advance(&identity)), Err(ContractError::Identity(_))));
    let no_point = SignedRoot { signature: vec![0; 96], ..roots[1].clone() };
    assert!(matches!(send(deps.as_mut(), advance(&no_point)), Err(ContractError::Point(_))));
    send(deps.as_mut(), advance(&roots[1])).unwrap();
    let answer = query(deps.as_ref(), mock_env(), QueryMsg::Root {}).unwrap();
    let latest = RootResponse { number: 1, digest: roots[1].root.digest().to_string() };
    assert_eq!(from_json::<RootResponse>(answer).unwrap(), latest);
}

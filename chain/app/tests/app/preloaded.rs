//! What a genesis may have beside accounts and validators: what coins are called, codes, and contracts of them.

use aceso_app::{AppError, genesis_contract};
use aceso_types::{
    access::{Access, Permission},
    genesis::{Genesis, GenesisCode, GenesisContract, GenesisError},
    metadata::{DenomMetadata, DenomUnit},
};
use cosmos_sdk_proto::{
    cosmos::{
        bank::v1beta1::{
            QueryDenomMetadataRequest, QueryDenomMetadataResponse, QueryDenomsMetadataRequest,
            QueryDenomsMetadataResponse,
        },
        base::query::v1beta1::PageRequest,
    },
    cosmwasm::wasm::v1::{
        AccessType, MsgInstantiateContract, QueryCodesRequest, QueryCodesResponse, QueryContractsByCodeRequest,
        QueryContractsByCodeResponse, QueryPinnedCodesRequest, QueryPinnedCodesResponse,
    },
};
use serde_json::{Value, json};

use crate::{
    contracts::{execute, got, make, store},
    export::export,
    fixture::{DENOM, Net, PREFIX, alice, bob, code, sdk},
    guests::{NOTHING, asker, echo},
};

fn stake() -> DenomMetadata {
    let unit = |denom: &str, exponent| DenomUnit { denom: denom.into(), exponent, aliases: vec!["st".repeat(2)] };
    DenomMetadata {
        description: "a share".into(),
        denom_units: vec![unit("ustake", 0), DenomUnit { aliases: vec![], ..unit("stake", 6) }],
        base: "ustake".into(),
        display: "stake".into(),
        name: "Stake".into(),
        symbol: "STAKE".into(),
        ..DenomMetadata::default()
    }
}

fn preloaded(genesis: &mut Genesis) {
    genesis.denom_metadata = vec![stake()];
    genesis.codes = vec![
        GenesisCode { code: echo(), instantiate_permission: Some(Access::plain(Permission::Nobody)), pinned: true },
        GenesisCode {
            code: asker(),
            instantiate_permission: Some(Access {
                permission: Permission::AnyOfAddresses,
                addresses: vec![bob().address()],
            }),
            pinned: false,
        },
    ];
    genesis.contracts = vec![GenesisContract {
        code: vec![],
        code_id: 1,
        label: "of a code".into(),
        admin: alice().address(),
        msg: serde_json::from_str(NOTHING).unwrap(),
        salt: "s".into(),
    }];
}

fn look(net: &Net) -> Value {
    let codes: QueryCodesResponse = net.query("/cosmwasm.wasm.v1.Query/Codes", &QueryCodesRequest { pagination: None });
    let codes = codes.code_infos.iter().map(|info| (info.code_id, info.creator.clone()));
    let pinned: QueryPinnedCodesResponse =
        net.query("/cosmwasm.wasm.v1.Query/PinnedCodes", &QueryPinnedCodesRequest { pagination: None });
    let of: QueryContractsByCodeResponse = net.query(
        "/cosmwasm.wasm.v1.Query/ContractsByCode",
        &QueryContractsByCodeRequest { code_id: 1, pagination: None },
    );
    let known = metadata(net, PageRequest::default()).0;
    json!([codes.collect::<Vec<_>>(), pinned.code_ids, of.contracts, known])
}

/// The bases of a page, and the next key.
fn metadata(net: &Net, page: PageRequest) -> (Vec<String>, Vec<u8>) {
    let request = QueryDenomsMetadataRequest { pagination: Some(page) };
    let answer: QueryDenomsMetadataResponse = net.query("/cosmos.bank.v1beta1.Query/DenomsMetadata", &request);
    (answer.metadatas.into_iter().map(|one| one.base).collect(), answer.pagination.unwrap().next_key)
}

#[test]
fn codes_contracts_and_names_of_coins_are_there_from_the_first_block_on() {
    let mut net = Net::with(preloaded);
    let contract = genesis_contract(&echo(), b"s", PREFIX).unwrap();
    let seen = look(&net);
    assert_eq!((&seen[1], &seen[2]), (&json!([1]), &json!([contract])));
    assert_eq!(seen[0].as_array().unwrap().len(), 2);
    assert!(execute(&mut net, &contract, NOTHING).code.is_ok());

    // The ids go on where the genesis has stopped, and its permissions hold.
    assert_eq!(store(&mut net, echo()), 3);
    let making = |key: &crate::fixture::Key, code_id| {
        let (sender, label, msg) = (key.address(), "label".into(), b"{}".to_vec());
        sdk(&MsgInstantiateContract { sender, code_id, label, msg, ..MsgInstantiateContract::default() })
    };
    assert_eq!(code(&net.run(&alice(), vec![making(&alice(), 2)])), ("sdk", 4));
    assert_eq!(code(&net.run(&alice(), vec![making(&alice(), 1)])), ("sdk", 4));
    net.ok(&bob(), vec![making(&bob(), 2)]);
    let codes: QueryCodesResponse = net.query("/cosmwasm.wasm.v1.Query/Codes", &QueryCodesRequest { pagination: None });
    let permission = codes.code_infos[1].instantiate_permission.clone().unwrap();
    assert_eq!((permission.permission(), permission.addresses), (AccessType::AnyOfAddresses, vec![bob().address()]));

    // What is known of coins, page by page; the chain's own is among them.
    assert_eq!(metadata(&net, PageRequest::default()).0, [DENOM, "ustake"]);
    let (first, next) = metadata(&net, PageRequest { limit: 1, ..PageRequest::default() });
    assert_eq!((first, &next[..]), (vec![DENOM.to_owned()], &b"ustake"[..]));
    assert_eq!(metadata(&net, PageRequest { key: next, ..PageRequest::default() }), (vec!["ustake".into()], vec![]));
    let request = QueryDenomMetadataRequest { denom: "ustake".into() };
    let one: QueryDenomMetadataResponse = net.query("/cosmos.bank.v1beta1.Query/DenomMetadata", &request);
    let one = one.metadata.unwrap();
    assert_eq!((one.symbol.as_str(), one.denom_units[1].exponent), ("STAKE", 6));

    // A contract hears the same.
    let asker = store(&mut net, asker());
    let asker = make(&mut net, asker, "{}");
    let mut ask = |pagination: Value| -> Value {
        let question = json!({ "bank": { "all_denom_metadata": { "pagination": pagination } } });
        assert!(execute(&mut net, &asker, &question.to_string()).code.is_ok());
        use base64::{Engine, engine::general_purpose::STANDARD};
        let heard = got(&net, &asker);
        serde_json::from_slice(&STANDARD.decode(heard["ok"]["ok"].as_str().unwrap()).unwrap()).unwrap()
    };
    let all = ask(Value::Null);
    assert_eq!(all["metadata"][1], serde_json::to_value(stake()).unwrap());
    assert_eq!((all["metadata"].as_array().unwrap().len(), &all["next_key"]), (2, &Value::Null));
    let first = ask(json!({ "key": null, "limit": 1, "reverse": false }));
    assert_eq!(first["metadata"][0]["base"], DENOM);
    let rest = ask(json!({ "key": first["next_key"], "limit": 9, "reverse": false }));
    assert_eq!((&rest["metadata"][0]["base"], &rest["next_key"]), (&json!("ustake"), &Value::Null));
    let back = ask(json!({ "key": null, "limit": 1, "reverse": true }));
    assert_eq!(back["metadata"][0]["base"], "ustake");
}

#[test]
fn what_was_preloaded_goes_on_in_another_chain() {
    let mut net = Net::with(preloaded);
    let seen = look(&net);
    let exported = export(&mut net, None, None);
    let mut other = net.joining();
    assert_eq!(other.app.init_chain(exported.request).unwrap().app_hash, exported.app_hash);
    other.block(vec![]);
    assert_eq!(look(&other), seen);
    assert!(execute(&mut other, &genesis_contract(&echo(), b"s", PREFIX).unwrap(), NOTHING).code.is_ok());
}

#[test]
fn codes_that_cannot_be_start_no_chain() {
    let net = Net::start();
    let refused = |change: fn(&mut Genesis)| {
        let request = net.genesis(|genesis| {
            preloaded(genesis);
            change(genesis);
        });
        match net.joining().app.init_chain(request) {
            Err(AppError::Genesis(GenesisError::Field { field, reason })) => (field, reason),
            other => panic!("{other:?}"),
        }
    };
    for (change, field, words) in [
        ((|g| g.codes[1].code = b"no wasm".to_vec()) as fn(&mut Genesis), "contracts", "code 2: "),
        (|g| g.contracts[0].code_id = 3, "contracts.code", "\"of a code\""),
        (|g| g.denom_metadata[0].symbol.clear(), "denom_metadata", "symbol"),
        (
            |g| g.codes[0].instantiate_permission = Some(Access::plain(Permission::AnyOfAddresses)),
            "contracts",
            "instantiate permission",
        ),
    ] {
        let (said, reason) = refused(change);
        assert!(said == field && reason.contains(words), "{said}: {reason}");
    }
}

//! Messages about code and contracts beyond those that every client sends: labels, permissions, two steps in one, and what
//! the authority alone may say.

use aceso_types::{
    access::{Access, Permission},
    genesis::Genesis,
    msg,
};
use cosmos_sdk_proto::{
    Any,
    cosmwasm::wasm::v1::{
        AccessConfig, AccessType, MsgAddCodeUploadParamsAddresses, MsgInstantiateContract,
        MsgRemoveCodeUploadParamsAddresses, MsgStoreAndInstantiateContract, MsgStoreAndInstantiateContractResponse,
        MsgStoreAndMigrateContract, MsgStoreAndMigrateContractResponse, MsgStoreCode, MsgSudoContract,
        MsgSudoContractResponse, MsgUpdateContractLabel, MsgUpdateInstantiateConfig, MsgUpdateParams, Params,
        QueryContractInfoRequest, QueryContractInfoResponse, QueryParamsRequest, QueryParamsResponse,
        QueryPinnedCodesRequest, QueryPinnedCodesResponse,
    },
};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::{
    contracts::{make, raw, store},
    fixture::{Key, Net, alice, bob, code, nobody, responses, sdk, told},
    guests::{NOTHING, echo, listener},
};

/// Alice is the authority, and nobody else uploads.
fn governed(genesis: &mut Genesis) {
    genesis.params.code_upload_access = Access::plain(Permission::Nobody);
    genesis.authority = alice().address();
}

fn label(net: &Net, contract: &str) -> (String, u64) {
    let request = QueryContractInfoRequest { address: contract.into() };
    let answer: QueryContractInfoResponse = net.query("/cosmwasm.wasm.v1.Query/ContractInfo", &request);
    let info = answer.contract_info.unwrap();
    (info.label, info.code_id)
}

#[test]
fn a_label_is_changed_by_the_admin_alone() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let contract = make(&mut net, id, NOTHING);
    let update = |sender: &Key, new_label: &str, contract: &str| {
        sdk(&MsgUpdateContractLabel {
            sender: sender.address(),
            new_label: new_label.into(),
            contract: contract.into(),
        })
    };
    for (new_label, want) in [("", ("wasm", 12)), (" padded ", ("wasm", 14)), (&"x".repeat(129)[..], ("wasm", 13))] {
        assert_eq!(code(&net.run(&alice(), vec![update(&alice(), new_label, &contract)])), want, "{new_label}");
    }
    let unknown = net.run(&alice(), vec![update(&alice(), "new", &bob().address())]);
    assert_eq!((code(&unknown), unknown.log.contains("unknown contract")), (("sdk", 18), true));
    let refused = net.run(&bob(), vec![update(&bob(), "new", &contract)]);
    assert_eq!((code(&refused), refused.log.contains("can not modify contract: unauthorized")), (("sdk", 4), true));
    assert_eq!(label(&net, &contract).0, "label");
    let result = net.ok(&alice(), vec![update(&alice(), "new", &contract)]);
    let line = format!("update_contract_label _contract_address={contract} new_label=new msg_index=0");
    assert!(told(&result).contains(&line), "{:?}", told(&result));
    assert_eq!(label(&net, &contract), ("new".into(), id));
}

#[test]
fn who_stored_a_code_says_who_may_use_it() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let update = |sender: &Key, code_id: u64, permission: Option<(AccessType, Vec<String>)>| {
        let config = |(permission, addresses): (AccessType, Vec<String>)| AccessConfig {
            permission: permission.into(),
            addresses,
        };
        let new_instantiate_permission = permission.map(config);
        sdk(&MsgUpdateInstantiateConfig { sender: sender.address(), code_id, new_instantiate_permission })
    };
    let bobs = Some((AccessType::AnyOfAddresses, vec![bob().address()]));
    for (msg, want) in [
        (update(&alice(), 0, bobs.clone()), ("sdk", 18)),
        (update(&alice(), id, None), ("sdk", 18)),
        (update(&alice(), id, Some((AccessType::AnyOfAddresses, vec![]))), ("wasm", 12)),
        (update(&alice(), 99, bobs.clone()), ("wasm", 28)),
    ] {
        let result = net.run(&alice(), vec![msg]);
        assert_eq!(code(&result), want, "{}", result.log);
    }
    let refused = net.run(&bob(), vec![update(&bob(), id, bobs.clone())]);
    assert_eq!(code(&refused), ("sdk", 4));
    assert!(refused.log.contains("can not modify code access config: unauthorized"), "{}", refused.log);
    let result = net.ok(&alice(), vec![update(&alice(), id, bobs)]);
    let line = format!(
        "update_code_access_config code_permission=AnyOfAddresses code_id={id} authorized_addresses={} msg_index=0",
        bob().address()
    );
    assert!(told(&result).contains(&line), "{:?}", told(&result));
    let makes = |key: &Key| {
        let (sender, label, msg) = (key.address(), "label".into(), NOTHING.into());
        sdk(&MsgInstantiateContract { sender, code_id: id, label, msg, ..MsgInstantiateContract::default() })
    };
    assert_eq!(code(&net.run(&alice(), vec![makes(&alice())])), ("sdk", 4));
    net.ok(&bob(), vec![makes(&bob())]);
    net.ok(&alice(), vec![update(&alice(), id, Some((AccessType::Nobody, vec![])))]);
    assert_eq!(code(&net.run(&bob(), vec![makes(&bob())])), ("sdk", 4));
}

#[test]
fn code_is_stored_and_used_in_one_step() {
    let mut net = Net::with(governed);
    let step = |sender: &Key, code_hash: Vec<u8>, unpin_code: bool| {
        sdk(&MsgStoreAndInstantiateContract {
            authority: sender.address(),
            wasm_byte_code: echo(),
            admin: alice().address(),
            label: "made at once".into(),
            msg: NOTHING.into(),
            code_hash,
            unpin_code,
            ..MsgStoreAndInstantiateContract::default()
        })
    };
    let refused = net.run(&bob(), vec![step(&bob(), vec![], false)]);
    assert_eq!((code(&refused), refused.log.contains("can not create code")), (("sdk", 4), true));
    let other = net.run(&alice(), vec![step(&alice(), vec![1; 32], false)]);
    assert_eq!((code(&other), other.log.contains("code-hash mismatch")), (("wasm", 14), true));
    let result = net.ok(&alice(), vec![step(&alice(), Sha256::digest(echo()).to_vec(), false)]);
    let made = MsgStoreAndInstantiateContractResponse::decode(&responses(&result)[0].value[..]).unwrap();
    assert_eq!(label(&net, &made.address), ("made at once".into(), 1), "what was refused has left no code");
    let result = net.ok(&alice(), vec![step(&alice(), vec![], true)]);
    let second = MsgStoreAndInstantiateContractResponse::decode(&responses(&result)[0].value[..]).unwrap();
    assert_eq!(label(&net, &second.address).1, 2);
    let pinned: QueryPinnedCodesResponse =
        net.query("/cosmwasm.wasm.v1.Query/PinnedCodes", &QueryPinnedCodesRequest::default());
    assert_eq!(pinned.code_ids, [1]);

    // The same for a contract that is there.
    let next = [echo(), vec![0, 2, 1, b'x']].concat();
    let migrate = |sender: &Key| {
        let (authority, contract, msg) = (sender.address(), made.address.clone(), NOTHING.into());
        sdk(&MsgStoreAndMigrateContract {
            authority,
            contract,
            msg,
            wasm_byte_code: next.clone(),
            ..MsgStoreAndMigrateContract::default()
        })
    };
    assert_eq!(code(&net.run(&bob(), vec![migrate(&bob())])), ("sdk", 4));
    let result = net.ok(&alice(), vec![migrate(&alice())]);
    let moved = MsgStoreAndMigrateContractResponse::decode(&responses(&result)[0].value[..]).unwrap();
    assert_eq!((moved.code_id, &moved.checksum[..]), (3, &Sha256::digest(&next)[..]));
    assert_eq!(label(&net, &made.address).1, 3);
}

#[test]
fn who_uploads_and_is_no_admin_migrates_nothing() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let contract = make(&mut net, id, NOTHING);
    let (authority, msg) = (bob().address(), NOTHING.into());
    let wasm_byte_code = [echo(), vec![0, 2, 1, b'y']].concat();
    let message = MsgStoreAndMigrateContract {
        authority,
        contract: contract.clone(),
        msg,
        wasm_byte_code,
        ..MsgStoreAndMigrateContract::default()
    };
    let refused = net.run(&bob(), vec![sdk(&message)]);
    assert_eq!((code(&refused), refused.log.contains("can not migrate")), (("sdk", 4), true));
    assert_eq!(store(&mut net, echo()), id + 1, "the code that came with it is gone too");
}

#[test]
fn the_authority_speaks_to_contracts_in_the_chains_name() {
    let mut net = Net::with(governed);
    let id = store(&mut net, listener(r#"{"ok":{"messages":[],"attributes":[],"events":[],"data":"aGVhcmQ="}}"#));
    let contract = make(&mut net, id, NOTHING);
    let sudo = |sender: &Key, contract: &str, msg: &str| -> Any {
        sdk(&MsgSudoContract { authority: sender.address(), contract: contract.into(), msg: msg.into() })
    };
    for key in [bob(), nobody()] {
        let refused = net.run(&bob(), vec![sudo(&key, &contract, "{}")]);
        assert!(!refused.code.is_ok());
    }
    assert_eq!(code(&net.run(&bob(), vec![sudo(&bob(), &contract, "{}")])), ("aceso", 701));
    assert_eq!(code(&net.run(&alice(), vec![sudo(&alice(), &contract, "no json")])), ("wasm", 14));
    // What tells of a read comes from the chain alone, however it is spelled.
    for forged in [r#"{"aceso_read":{}}"#, r#"{"aceso\u005fread":{"job":1}}"#, r#" { "x": 1, "aceso_read": null } "#] {
        let refused = net.run(&alice(), vec![sudo(&alice(), &contract, forged)]);
        assert_eq!((code(&refused), refused.log.contains("only the chain itself")), (("wasm", 14), true), "{forged}");
    }
    assert_eq!(code(&net.run(&alice(), vec![sudo(&alice(), &bob().address(), "{}")])), ("wasm", 22));
    let result = net.ok(&alice(), vec![sudo(&alice(), &contract, r#"{"steal":{}}"#)]);
    let answer = MsgSudoContractResponse::decode(&responses(&result)[0].value[..]).unwrap();
    assert_eq!(answer.data, b"heard");
    assert!(told(&result).contains(&format!("sudo _contract_address={contract} msg_index=0")));
    assert_eq!(raw(&net, &contract, b"got"), br#"{"steal":{}}"#);
}

fn params(net: &Net) -> Params {
    let answer: QueryParamsResponse = net.query("/cosmwasm.wasm.v1.Query/Params", &QueryParamsRequest {});
    answer.params.unwrap()
}

fn access(permission: AccessType, addresses: Vec<String>) -> AccessConfig {
    AccessConfig { permission: permission.into(), addresses }
}

fn update(sender: &Key, upload: AccessConfig, default: AccessType) -> Any {
    let params = Params { code_upload_access: Some(upload), instantiate_default_permission: default.into() };
    sdk(&MsgUpdateParams { authority: sender.address(), params: Some(params) })
}

fn stores(sender: &Key, instantiate_permission: Option<AccessConfig>) -> Any {
    sdk(&MsgStoreCode { sender: sender.address(), wasm_byte_code: echo(), instantiate_permission })
}

#[test]
fn the_authority_says_who_may_upload_and_who_may_instantiate() {
    let mut net = Net::with(governed);
    assert_eq!(params(&net).code_upload_access, Some(access(AccessType::Nobody, vec![])));
    let bobs = || access(AccessType::AnyOfAddresses, vec![bob().address()]);
    let everybody = AccessType::Everybody;
    assert_eq!(code(&net.run(&bob(), vec![update(&bob(), bobs(), everybody)])), ("aceso", 701));
    for (upload, default, want, words) in [
        (bobs(), AccessType::Unspecified, ("wasm", 12), "instantiate default permission: type: empty"),
        (access(AccessType::Unspecified, vec![]), everybody, ("wasm", 12), "upload access: type: empty"),
        (
            access(AccessType::AnyOfAddresses, vec![]),
            everybody,
            ("wasm", 12),
            "upload access: addresses: addresses: empty",
        ),
        (
            access(AccessType::AnyOfAddresses, vec![bob().address(), bob().address().to_uppercase()]),
            everybody,
            ("wasm", 15),
            "upload access: addresses: duplicate addresses: duplicate",
        ),
        (access(AccessType::AnyOfAddresses, vec!["x".into()]), everybody, ("sdk", 7), "address: x: "),
        (
            access(AccessType::AnyOfAddresses, vec![bob().address(); 51]),
            everybody,
            ("sdk", 18),
            "total number of addresses is greater than 50",
        ),
        (access(AccessType::Nobody, vec![bob().address()]), everybody, ("wasm", 14), "not allowed for this type"),
    ] {
        let refused = net.run(&alice(), vec![update(&alice(), upload, default)]);
        assert_eq!(code(&refused), want, "{}", refused.log);
        assert!(refused.log.contains(words), "{}", refused.log);
    }
    let unknown = MsgUpdateParams {
        authority: alice().address(),
        params: Some(Params { code_upload_access: Some(bobs()), instantiate_default_permission: 9 }),
    };
    assert_eq!(code(&net.run(&alice(), vec![sdk(&unknown)])), ("wasm", 14));
    // Addresses are kept in their normal form.
    let upper = access(AccessType::AnyOfAddresses, vec![bob().address().to_uppercase()]);
    net.ok(&alice(), vec![update(&alice(), upper, AccessType::AnyOfAddresses)]);
    assert_eq!(params(&net).code_upload_access, Some(bobs()));
    assert_eq!(params(&net).instantiate_default_permission, i32::from(AccessType::AnyOfAddresses));

    // Bob uploads for himself, and for nobody else; the authority uploads for whom it likes.
    let wide = net.run(&bob(), vec![stores(&bob(), Some(access(everybody, vec![])))]);
    assert_eq!((code(&wide), wide.log.contains("can not create code")), (("sdk", 4), true));
    let foreign = Some(access(AccessType::AnyOfAddresses, vec![alice().address()]));
    assert_eq!(code(&net.run(&bob(), vec![stores(&bob(), foreign)])), ("sdk", 4));
    net.ok(&bob(), vec![stores(&bob(), None)]);
    net.ok(&alice(), vec![stores(&alice(), Some(access(everybody, vec![])))]);
    let makes = |sender: &Key, code_id: u64| {
        let (sender, label, msg) = (sender.address(), "label".into(), NOTHING.into());
        sdk(&MsgInstantiateContract { sender, code_id, label, msg, ..MsgInstantiateContract::default() })
    };
    assert_eq!(code(&net.run(&alice(), vec![makes(&alice(), 1)])), ("sdk", 4));
    net.ok(&bob(), vec![makes(&bob(), 1)]);
    net.ok(&bob(), vec![makes(&bob(), 2)]);
    // What he has said of a code he may change within the same bound.
    let permits = |new: AccessConfig| {
        let (sender, new_instantiate_permission) = (bob().address(), Some(new));
        sdk(&MsgUpdateInstantiateConfig { sender, code_id: 1, new_instantiate_permission })
    };
    assert_eq!(code(&net.run(&bob(), vec![permits(access(everybody, vec![]))])), ("sdk", 4));
    net.ok(&bob(), vec![permits(access(AccessType::Nobody, vec![]))]);
}

#[test]
fn who_may_upload_is_added_and_removed() {
    let mut net = Net::with(governed);
    let add = |sender: &Key, who: &[String]| {
        sdk(&MsgAddCodeUploadParamsAddresses { authority: sender.address(), addresses: who.into() })
    };
    let remove = |sender: &Key, who: &[String]| {
        sdk(&MsgRemoveCodeUploadParamsAddresses { authority: sender.address(), addresses: who.into() })
    };
    let (one, two) = (bob().address(), nobody().address());
    for msg in [add(&alice(), std::slice::from_ref(&one)), remove(&alice(), std::slice::from_ref(&one))] {
        let refused = net.run(&alice(), vec![msg]);
        assert_eq!((code(&refused), refused.log.contains("permission: invalid")), (("wasm", 14), true));
    }
    let named = access(AccessType::AnyOfAddresses, vec![one.clone()]);
    net.ok(&alice(), vec![update(&alice(), named, AccessType::Everybody)]);
    for msg in [add(&bob(), std::slice::from_ref(&two)), remove(&bob(), std::slice::from_ref(&two))] {
        assert_eq!(code(&net.run(&bob(), vec![msg])), ("aceso", 701));
    }
    for (who, want) in [(vec![], ("wasm", 12)), (vec![two.clone(), two.clone()], ("wasm", 15))] {
        assert_eq!(code(&net.run(&alice(), vec![add(&alice(), &who)])), want);
        assert_eq!(code(&net.run(&alice(), vec![remove(&alice(), &who)])), want);
    }
    // Both in one transaction: the second sees what the first has done.
    net.ok(
        &alice(),
        vec![add(&alice(), &[two.to_uppercase(), one.clone()]), remove(&alice(), std::slice::from_ref(&one))],
    );
    let left = |net: &Net| params(net).code_upload_access.unwrap().addresses;
    assert_eq!(left(&net), std::slice::from_ref(&two));
    assert_eq!(code(&net.run(&bob(), vec![stores(&bob(), None)])), ("sdk", 4));
    let most: Vec<String> = (100..150).map(|seed| Key::new(seed).address()).collect();
    let refused = net.run(&alice(), vec![add(&alice(), &most)]);
    assert_eq!((code(&refused), refused.log.contains("names 51 addresses, not 0 to 50")), (("aceso", 801), true));
    net.ok(&alice(), vec![remove(&alice(), &[two])]);
    assert_eq!(left(&net), Vec::<String>::new());

    // The chain's own message changes the same parameter, and is held to the same rules.
    let own = |changes: &str| {
        let (authority, params) = (alice().address(), changes.as_bytes().to_vec());
        crate::fixture::ours(&msg::MsgUpdateParams { authority, params, consensus: vec![] })
    };
    let twice = format!(r#"{{"code_upload_access":{{"permission":"AnyOfAddresses","addresses":["{one}","{one}"]}}}}"#);
    assert_eq!(code(&net.run(&alice(), vec![own(&twice)])), ("aceso", 801));
    net.ok(&alice(), vec![own(r#"{"code_upload_access":{"permission":"Everybody"},"memo_bytes_max":300}"#)]);
    assert_eq!(params(&net).code_upload_access, Some(access(AccessType::Everybody, vec![])));
    net.ok(&bob(), vec![stores(&bob(), None)]);
}

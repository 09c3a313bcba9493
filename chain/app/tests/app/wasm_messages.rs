//! Messages about code and contracts beyond those that every client sends: labels, permissions, two steps in one, and what
//! the authority alone may say.

use aceso_types::genesis::Genesis;
use cosmos_sdk_proto::{
    Any,
    cosmwasm::wasm::v1::{
        AccessConfig, AccessType, MsgInstantiateContract, MsgStoreAndInstantiateContract,
        MsgStoreAndInstantiateContractResponse, MsgStoreAndMigrateContract, MsgStoreAndMigrateContractResponse,
        MsgSudoContract, MsgSudoContractResponse, MsgUpdateContractLabel, MsgUpdateInstantiateConfig,
        QueryContractInfoRequest, QueryContractInfoResponse, QueryPinnedCodesRequest, QueryPinnedCodesResponse,
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
    genesis.params.upload_everybody = false;
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
        (update(&alice(), id, Some((AccessType::AnyOfAddresses, vec![]))), ("wasm", 14)),
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

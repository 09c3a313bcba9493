//! Transactions with some bytes changed, cut out or put in: whatever is wrong, there is an answer, and nobody's
//! signature is taken for other bytes than the signed ones.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use aceso_test_support::contract;
use aceso_types::msg::{MsgRegisterBlob, MsgRegisterModel};
use aceso_vm::{Vm, VmConfig, VmError};
use cosmos_sdk_proto::{
    cosmos::tx::signing::v1beta1::SignMode,
    cosmwasm::wasm::v1::{MsgExecuteContract, MsgStoreCode},
};
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{RngSeed, TestRunner},
};

use crate::{
    contracts,
    fixture::{Net, alice, bob, ours, sdk, send},
    guests,
    reads::model_files,
};

/// Places, how many bytes go there, and what comes in their stead.
type Edits = Vec<(Index, usize, Vec<u8>)>;

fn edits() -> impl Strategy<Value = Edits> {
    let edit = (any::<Index>(), 0_usize..6, prop::collection::vec(any::<u8>(), 0..6));
    prop::collection::vec(edit, 1..4)
}

fn spoil(bytes: &[u8], edits: Edits) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, cut, put) in edits {
        let at = at.index(bytes.len() + 1);
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put);
    }
    bytes
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(11),
        ..ProptestConfig::default()
    })
}

/// Signed transactions of several kinds, each of which the mempool takes.
fn specimens(net: &Net) -> Vec<Vec<u8>> {
    let (_, manifest) = model_files();
    let address = alice().address();
    let blob =
        MsgRegisterBlob { owner: address.clone(), cid: manifest.onnx.blob.to_string(), size: 1 << 20, term: 1_000 };
    let model = MsgRegisterModel { author: address.clone(), manifest: manifest.encode() };
    let run = MsgExecuteContract {
        sender: address.clone(),
        contract: address.clone(),
        msg: br#"{"take":{}}"#.to_vec(),
        funds: vec![],
    };
    let code = MsgStoreCode { sender: address, wasm_byte_code: guests::echo(), ..MsgStoreCode::default() };
    let mut drafts = [
        net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]),
        net.draft(&[&alice()], vec![ours(&blob), ours(&model)]),
        net.draft(&[&alice()], vec![sdk(&run)]),
        net.draft(&[&alice()], vec![sdk(&code)]),
        net.draft(&[&alice(), &bob()], vec![send(&alice(), &bob().address(), 1), send(&bob(), &alice().address(), 1)]),
    ];
    drafts[2].memo = "memo".into();
    drafts[2].timeout = 1_000;
    drafts[4].payer = bob().address();
    let mut all: Vec<Vec<u8>> = drafts.iter().map(|draft| draft.sign()).collect();
    let mut amino = net.draft(&[&alice()], vec![send(&alice(), &bob().address(), 1)]);
    amino.mode = SignMode::LegacyAminoJson;
    all.push(amino.with(vec![vec![1; 64]]));
    all
}

#[test]
fn spoiled_transactions_are_answered_and_refused() {
    let mut net = Net::start();
    let specimens = specimens(&net);
    for (which, tx) in specimens.iter().take(5).enumerate() {
        let net = Net::start();
        let checked = net.check(tx.clone());
        assert!(checked.code.is_ok(), "specimen {which}: {}", checked.log);
    }
    let codes = RefCell::new(BTreeSet::new());
    let strategy = (0..specimens.len(), edits());
    net.height += 1;
    let height = net.height;
    let outcome = runner(768).run(&strategy, |(which, edits)| {
        let tx = spoil(&specimens[which], edits);
        prop_assume!(tx != specimens[which]);
        let checked = net.check(tx.clone());
        prop_assert!(checked.code.is_err(), "the mempool took it: {}", hex::encode(&tx));
        prop_assert!(!checked.log.is_empty() && !checked.codespace.is_empty());
        // A block that holds it all the same has a result for it. The same height may be finalized again.
        let done = net.app.finalize_block(crate::fixture::block_of(height, vec![tx.into()])).unwrap();
        prop_assert!(done.tx_results[0].code.is_err());
        codes.borrow_mut().insert((checked.codespace, checked.code.value()));
        Ok(())
    });
    outcome.unwrap();
    let codes = codes.into_inner();
    // The edits reach further than the outermost layer.
    for code in [2, 4, 8] {
        assert!(codes.contains(&("sdk".to_owned(), code)), "{codes:?}");
    }
}

#[test]
fn any_bytes_are_no_transaction() {
    let net = Net::start();
    let strategy = prop::collection::vec(any::<u8>(), 0..200);
    let outcome = runner(512).run(&strategy, |tx| {
        let checked = net.check(tx);
        prop_assert!(checked.code.is_err() && !checked.log.is_empty());
        Ok(())
    });
    outcome.unwrap();
}

/// What contracts answer and ask: JSON of their own making, which everybody's node reads.
fn sayings(me: &str, contract: &str) -> [Vec<String>; 2] {
    let sub = |id: u64, reply_on: &str, msg: &str| {
        format!(r#"{{"id":{id},"payload":"cGF5","msg":{msg},"gas_limit":70000,"reply_on":"{reply_on}"}}"#)
    };
    let coins = r#"[{"denom":"uaceso","amount":"1"}]"#;
    let run = format!(r#"{{"wasm":{{"execute":{{"contract_addr":"{contract}","msg":"e30=","funds":{coins}}}}}}}"#);
    let send = format!(r#"{{"bank":{{"send":{{"to_address":"{me}","amount":{coins}}}}}}}"#);
    let make =
        format!(r#"{{"wasm":{{"instantiate":{{"admin":"{me}","code_id":1,"msg":"e30=","funds":[],"label":"l"}}}}}}"#);
    let any = r#"{"any":{"type_url":"/cosmos.bank.v1beta1.MsgSend","value":"CgNhYmM="}}"#.to_owned();
    let ok = |messages: &str| {
        let event = r#"{"type":"said","attributes":[{"key":"a","value":"b"}]}"#;
        format!(
            r#"{{"ok":{{"messages":[{messages}],"attributes":[{{"key":"k","value":"v"}}],"events":[{event}],"data":"AAE="}}}}"#
        )
    };
    let answers = [
        ok(""),
        ok(&sub(1, "always", &send)),
        ok(&[sub(2, "error", &run), sub(3, "never", &make)].join(",")),
        ok(&[sub(4, "success", &any), sub(5, "error", r#"{"custom":{}}"#)].join(",")),
        r#"{"error":"no"}"#.to_owned(),
    ];
    let smart = format!(r#"{{"wasm":{{"smart":{{"contract_addr":"{contract}","msg":"e30="}}}}}}"#);
    let raw = format!(r#"{{"wasm":{{"raw":{{"contract_addr":"{contract}","key":"Z290"}}}}}}"#);
    let balance = format!(r#"{{"bank":{{"balance":{{"address":"{me}","denom":"uaceso"}}}}}}"#);
    let grpc = r#"{"grpc":{"path":"/cosmos.bank.v1beta1.Query/Balance","data":"CgNhYmM="}}"#.to_owned();
    [answers.into(), vec![smart, raw, balance, grpc]]
}

#[test]
fn spoiled_answers_and_questions_of_contracts_are_answered() {
    let mut net = Net::start();
    let [echo, asker] = [guests::echo(), guests::asker()].map(|wasm| {
        let code = contracts::store(&mut net, wasm);
        contracts::make(&mut net, code, guests::NOTHING)
    });
    let [answers, questions] = sayings(&bob().address(), &asker);
    let cases: Vec<(&str, String)> = answers
        .into_iter()
        .map(|answer| (echo.as_str(), answer))
        .chain(questions.into_iter().map(|question| (asker.as_str(), question)))
        .collect();
    net.height += 1;
    let height = net.height;
    let outcomes = RefCell::new(BTreeSet::new());
    let outcome = runner(1_024).run(&(0..cases.len(), edits()), |(which, edits)| {
        let (contract, said) = &cases[which];
        let msg = spoil(said.as_bytes(), edits);
        let msg = MsgExecuteContract {
            sender: alice().address(),
            contract: (*contract).into(),
            msg,
            funds: crate::fixture::coins(5),
        };
        let tx = net.draft(&[&alice()], vec![sdk(&msg)]).sign();
        // The node goes on, and does the same again. The same height may be finalized again.
        let [first, second] = [(); 2].map(|()| {
            let block = crate::fixture::block_of(height, vec![tx.clone().into()]);
            net.app.finalize_block(block).unwrap()
        });
        prop_assert_eq!(&first.app_hash, &second.app_hash);
        prop_assert_eq!(&first.tx_results, &second.tx_results);
        let result = &first.tx_results[0];
        prop_assert!(result.code.is_ok() || !result.log.is_empty());
        outcomes.borrow_mut().insert((result.codespace.clone(), result.code.value()));
        Ok(())
    });
    outcome.unwrap();
    let outcomes = outcomes.into_inner();
    // Some still hold, some do not decode, some name what is not there.
    for known in [("", 0), ("wasm", 5), ("wasm", 29)] {
        assert!(outcomes.contains(&(known.0.to_owned(), known.1)), "{outcomes:?}");
    }
}

/// The engine's own tests spoil small modules; this is what a compiler writes.
#[test]
fn spoiled_contracts_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = VmConfig::new(dir.path());
    (config.instances, config.block_instances) = (1, 1);
    let vm = Vm::new(config).unwrap();
    let wasms = ["token", "wasip1"].map(contract);
    let refused = Cell::new(0);
    let outcome = runner(192).run(&(0..wasms.len(), edits()), |(which, edits)| {
        match vm.check(&spoil(&wasms[which], edits)) {
            Ok(_) => {}
            Err(VmError::Check(error)) => {
                prop_assert!(!error.to_string().is_empty());
                refused.set(refused.get() + 1);
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(refused.get() > 50, "{} were refused", refused.get());
}

//! The contracts of this repository as they are built from source: they pass the checks, and those of both wasm targets
//! come to the same reads.

use aceso_inference::image;
use aceso_test_support::contract;
use aceso_types::{
    Manifest, Receipt,
    msg::MsgRegisterModel,
    query::{QueryReceipt, QueryReceipts},
};
use aceso_vm::{Vm, VmConfig};
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::cosmwasm::wasm::v1::{
    MsgExecuteContractResponse, MsgStoreCode, MsgStoreCodeResponse, QuerySmartContractStateRequest,
    QuerySmartContractStateResponse,
};
use expect_test::{Expect, expect};
use prost::Message;
use serde_json::{Value, json};
use tendermint::abci::types::ExecTxResult;

use crate::{
    contracts::{execute, make},
    fixture::{Net, alice, code, ours, responses, sdk, send},
    reads::{Clinic, PURPOSE, model_files, picture},
};

/// Bytes of the model's output: one signed byte for its only label.
const ROOM: u32 = 16;

/// Stores a contract of the repository; its number.
pub(crate) fn upload(net: &mut Net, name: &str) -> u64 {
    let msg = MsgStoreCode { sender: alice().address(), wasm_byte_code: contract(name), ..MsgStoreCode::default() };
    let mut draft = net.draft(&[&alice()], vec![sdk(&msg)]);
    draft.gas = 190_000_000;
    let result = net.deliver(draft.sign());
    assert!(result.code.is_ok(), "{}", result.log);
    MsgStoreCodeResponse::decode(&responses(&result)[0].value[..]).unwrap().code_id
}

/// Stores a contract of the repository and makes it with a message.
pub(crate) fn ship(net: &mut Net, name: &str, with: &str) -> String {
    let id = upload(net, name);
    make(net, id, with)
}

/// What the last message of a transaction answered.
pub(crate) fn answered(result: &ExecTxResult) -> Vec<u8> {
    assert!(result.code.is_ok(), "{}", result.log);
    let last = responses(result).pop().unwrap();
    MsgExecuteContractResponse::decode(&last.value[..]).unwrap().data
}

#[test]
fn every_contract_passes_the_checks() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = VmConfig::new(dir.path());
    (config.instances, config.block_instances) = (1, 1);
    let vm = Vm::new(config).unwrap();
    let mut told = String::new();
    for name in ["consent", "insurance", "probe", "token", "freelook", "wasip1"] {
        let report = vm.check(&contract(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        told += &format!("{name}: {:?} {:?}\n", report.entry_points, report.capabilities);
    }
    expect![[r#"
        consent: {Instantiate, Execute, Query, Migrate} {"aceso", "cosmwasm_1_1", "cosmwasm_1_2", "cosmwasm_1_3", "cosmwasm_1_4", "cosmwasm_2_0", "cosmwasm_2_1", "cosmwasm_2_2", "iterator"}
        insurance: {Instantiate, Execute, Query, Migrate, Sudo, Reply} {"aceso", "cosmwasm_1_1", "cosmwasm_1_2", "cosmwasm_1_3", "cosmwasm_1_4", "cosmwasm_2_0", "cosmwasm_2_1", "cosmwasm_2_2", "iterator"}
        probe: {Instantiate, Execute, Query, Sudo, Reply} {"aceso", "cosmwasm_1_1", "cosmwasm_1_2", "cosmwasm_1_3", "cosmwasm_1_4", "cosmwasm_2_0", "cosmwasm_2_1", "cosmwasm_2_2", "iterator"}
        token: {Instantiate, Execute, Query, Migrate} {"cosmwasm_1_1", "cosmwasm_1_2", "cosmwasm_1_3", "cosmwasm_1_4", "cosmwasm_2_0", "cosmwasm_2_1", "cosmwasm_2_2", "iterator"}
        freelook: {Instantiate, Execute, Reply} {"aceso", "cosmwasm_1_1", "cosmwasm_1_2", "cosmwasm_1_3", "cosmwasm_1_4", "cosmwasm_2_0", "cosmwasm_2_1", "cosmwasm_2_2", "iterator"}
        wasip1: {Instantiate, Execute, Query} {"aceso"}
    "#]].assert_eq(&told);
}

/// A clinic with the two contracts, each of which owns what some reads cost.
fn clinic() -> (Clinic, String, String) {
    let mut clinic = Clinic::open();
    let [wasip1, probe] = ["wasip1", "probe"].map(|name| ship(&mut clinic.net, name, "{}"));
    for reader in [&wasip1, &probe] {
        clinic.net.ok(&alice(), vec![send(&alice(), reader, 10 * clinic.price)]);
    }
    (clinic, wasip1, probe)
}

#[test]
fn contracts_of_both_targets_read_the_same() {
    let (mut clinic, wasip1, probe) = clinic();
    let (model, image) = (clinic.model.clone(), clinic.image.to_string());

    // wasm32-wasip1, over the published guest crate.
    let read = json!({"read": {"model": model, "image": image, "purpose": PURPOSE, "room": ROOM}}).to_string();
    let result = execute(&mut clinic.net, &wasip1, &read);
    assert_eq!(code(&result), ("aceso", 205), "{}", result.log);
    let permit = clinic.permit(|request| (request.caller, request.grant) = (wasip1.clone(), "one".into()));
    let result = clinic.run(vec![permit, Clinic::message(&wasip1, read)]);
    let first = answered(&result);
    assert_eq!(first.len(), 1);

    // wasm32-unknown-unknown, over our own.
    let steps = json!([
        {"load_by_name": {"model": model}},
        {"context": {"graph": 0}},
        {"set_input_blob": {"context": 0, "index": 0, "image": image, "purpose": PURPOSE}},
        {"compute": {"context": 0}},
        {"get_output": {"context": 0, "index": 0, "max": ROOM}},
    ]);
    let take = json!({"take": {"steps": steps}}).to_string();
    let permit = clinic.permit(|request| (request.caller, request.grant) = (probe.clone(), "two".into()));
    let result = clinic.run(vec![permit, Clinic::message(&probe, take)]);
    let outcomes: Value = serde_json::from_slice(&answered(&result)).unwrap();
    assert_eq!(outcomes[4], json!({"bytes": STANDARD.encode(&first)}), "{outcomes}");

    // Each left a receipt, and they say the same.
    let rows = clinic.net.ask(&QueryReceipts { image: image.clone(), page: None }).rows;
    let outcomes: Vec<_> = rows
        .iter()
        .map(|row| clinic.net.ask(&QueryReceipt { read: row.read }).receipt)
        .map(|receipt| Receipt::decode(&receipt).unwrap())
        .map(|receipt| (receipt.reader, receipt.outcome))
        .collect();
    let [(one, left), (two, right)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!((one, two, left), (&wasip1, &probe, right));
    assert_eq!(left.scores[0].value.to_le_bytes()[0], first[0]);

    // The same pixels as a tensor, which the contract holds itself: in a transaction and in a query.
    let (_, manifest) = model_files();
    let stated = image::Stated { modality: "DX".into(), body_part: "CHEST".into() };
    let tensor = image::decode(&picture(0), image::Limits::default()).unwrap();
    let tensor = tensor.to_tensor(&manifest.pipeline, &stated).unwrap();
    let infer = json!({"infer": {
        "model": clinic.model, "dims": tensor.dims(), "data": STANDARD.encode(tensor.data()), "room": ROOM,
    }})
    .to_string();
    assert_eq!(answered(&execute(&mut clinic.net, &wasip1, &infer)), first);
    let request = QuerySmartContractStateRequest { address: wasip1.clone(), query_data: infer.into_bytes() };
    let answer: QuerySmartContractStateResponse =
        clinic.net.query("/cosmwasm.wasm.v1.Query/SmartContractState", &request);
    assert_eq!(serde_json::from_slice::<Value>(&answer.data).unwrap(), json!(STANDARD.encode(&first)));

    // Two models in one call, and every mistake that the guest crate lets a program make.
    let (_, usual) = model_files();
    let other = Manifest { name: "the other".into(), ..usual };
    let register = MsgRegisterModel { author: alice().address(), manifest: other.encode() };
    clinic.net.ok(&alice(), vec![ours(&register)]);
    let beside = json!({"beside": {
        "models": [clinic.model, other.id()], "dims": tensor.dims(), "data": STANDARD.encode(tensor.data()), "room": ROOM,
    }});
    let told = answered(&execute(&mut clinic.net, &wasip1, &beside.to_string()));
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["outputs"], json!([STANDARD.encode(&first), STANDARD.encode(&first)]));
    let mistakes: Vec<&str> = told["mistakes"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let (names, calls) = mistakes.split_at(2);
    let (one, two) = calls.split_at(calls.len() / 2);
    assert_eq!(one, two);
    expect![[r#"
        Backend Error: WASI-NN Backend Error: Caller module passed an invalid argument
        Backend Error: WASI-NN Backend Error: Not Found
        Backend Error: WASI-NN Backend Error: Runtime Error
        Backend Error: WASI-NN Backend Error: Invalid Encoding
        Backend Error: WASI-NN Backend Error: Caller module passed an invalid argument
        Backend Error: WASI-NN Backend Error: Caller module passed an invalid argument
        Backend Error: WASI-NN Backend Error: Caller module passed an invalid argument
        Backend Error: WASI-NN Backend Error: Runtime Error
        Backend Error: WASI-NN Backend Error: Too Large
        Backend Error: WASI-NN Backend Error: Caller module passed an invalid argument"#]]
    .assert_eq(&[names, one].concat().join("\n"));
}

#[test]
fn a_wasip1_program_finds_no_machine() {
    let (mut clinic, wasip1, _) = clinic();
    let mut say = |msg: Value| execute(&mut clinic.net, &wasip1, &msg.to_string());
    assert_eq!(answered(&say(json!({"say": {"line": "nobody hears this"}}))), b"0", "variables of the environment");
    let mut refused = |msg: Value, expected: Expect| {
        let result = say(msg);
        expected.assert_eq(&format!("{:?} {}", code(&result), result.log));
    };
    refused(
        json!({"exit": {}}),
        expect![[
            r#"("wasm", 29) failed to execute message; message index: 0: Error executing Wasm: the contract exited with status 7: wasmvm error"#
        ]],
    );
    refused(
        json!({"load": {"bytes": "b25ueA=="}}),
        expect![[
            r#"("wasm", 5) failed to execute message; message index: 0: kind: Other, error: Backend Error: WASI-NN Backend Error: Unsupported Operation: execute wasm contract failed"#
        ]],
    );
    let (_, manifest) = model_files();
    let infer = |model: String, dims: &[u32], data: &[u8]| json!({"infer": {"model": model, "dims": dims, "data": STANDARD.encode(data), "room": ROOM}});
    refused(
        infer("0".repeat(64), &[1], &[0]),
        expect![[
            r#"("wasm", 5) failed to execute message; message index: 0: kind: Other, error: Backend Error: WASI-NN Backend Error: Not Found: execute wasm contract failed"#
        ]],
    );
    refused(
        infer(manifest.id().to_string(), &[1], &[0]),
        expect![[
            r#"("wasm", 5) failed to execute message; message index: 0: kind: Other, error: Backend Error: WASI-NN Backend Error: Caller module passed an invalid argument: execute wasm contract failed"#
        ]],
    );
    refused(
        infer(manifest.id().to_string(), &[2], &[0]),
        expect![[
            r#"("wasm", 5) failed to execute message; message index: 0: kind: Other, error: Backend Error: WASI-NN Backend Error: Caller module passed an invalid argument: execute wasm contract failed"#
        ]],
    );
}

/// Calls of imports in any order, with any numbers, and with pointers that lead nowhere: an errno each time, and the
/// contract goes on.
#[test]
fn the_host_answers_any_order_of_calls() {
    let (mut clinic, _, probe) = clinic();
    let (model, image) = (clinic.model.clone(), clinic.image.to_string());
    let outcomes = |clinic: &mut Clinic, steps: Value| -> String {
        let result = execute(&mut clinic.net, &probe, &json!({"take": {"steps": steps}}).to_string());
        if result.code.is_err() {
            return format!("{:?} {}\n", code(&result), result.log);
        }
        let outcomes: Vec<Value> = serde_json::from_slice(&answered(&result)).unwrap();
        outcomes.iter().zip(steps.as_array().unwrap()).map(|(came, step)| format!("{step}: {came}\n")).collect()
    };
    let input = |context: u32, dims: Value| json!({"set_input": {"context": context, "index": 0, "ty": 3, "dims": dims, "data": "AA=="}});
    let told = outcomes(
        &mut clinic,
        json!([
            {"compute": {"context": 0}},
            {"get_output": {"context": 0, "index": 0, "max": 4}},
            {"read_info": {"context": 0}},
            {"context": {"graph": 0}},
            input(0, json!([1])),
            {"load": {"bytes": "AA=="}},
            {"load_by_name": {"model": model}},
            {"context": {"graph": 1}},
            {"context": {"graph": 4294967295_u32}},
            {"context": {"graph": 0}},
            {"compute": {"context": 0}},
            {"get_output": {"context": 0, "index": 0, "max": 4}},
            input(0, json!([1])),
            input(7, json!([1])),
            {"set_input": {"context": 0, "index": 9, "ty": 3, "dims": [1], "data": "AA=="}},
            {"set_input": {"context": 0, "index": 0, "ty": 4, "dims": [1], "data": "AAAAAA=="}},
            {"compute": {"context": 0}},
            {"compute": {"context": 9}},
            {"read_info": {"context": 0}},
            {"blob_size": {"blob": image}},
        ]),
    );
    expect![[r#"
        {"compute":{"context":0}}: {"errno":1}
        {"get_output":{"context":0,"index":0,"max":4}}: {"errno":1}
        {"read_info":{"context":0}}: {"errno":1}
        {"context":{"graph":0}}: {"errno":1}
        {"set_input":{"context":0,"data":"AA==","dims":[1],"index":0,"ty":3}}: {"errno":1}
        {"load":{"bytes":"AA=="}}: {"errno":6}
        {"load_by_name":{"model":"73a8b279c85c15825e0d27e845ba49e8b75a8b4085e13e8de0a56096c4588b9e"}}: {"number":0}
        {"context":{"graph":1}}: {"errno":1}
        {"context":{"graph":4294967295}}: {"errno":1}
        {"context":{"graph":0}}: {"number":0}
        {"compute":{"context":0}}: {"errno":5}
        {"get_output":{"context":0,"index":0,"max":4}}: {"errno":5}
        {"set_input":{"context":0,"data":"AA==","dims":[1],"index":0,"ty":3}}: {"errno":1}
        {"set_input":{"context":7,"data":"AA==","dims":[1],"index":0,"ty":3}}: {"errno":1}
        {"set_input":{"context":0,"data":"AA==","dims":[1],"index":9,"ty":3}}: {"errno":1}
        {"set_input":{"context":0,"data":"AAAAAA==","dims":[1],"index":0,"ty":4}}: {"errno":1}
        {"compute":{"context":0}}: {"errno":5}
        {"compute":{"context":9}}: {"errno":1}
        {"read_info":{"context":0}}: {"errno":5}
        {"blob_size":{"blob":"bafkreicodd2xqi6klwdpr44o74bd26nhh24dameuay6eg5oont7sl4awty"}}: {"number":178}
    "#]]
    .assert_eq(&told);

    let prepared = [json!({"load_by_name": {"model": model}}), json!({"context": {"graph": 0}})];
    let mut told = String::new();
    for call in [
        "load_by_name",
        "context",
        "set_input",
        "get_output",
        "set_input_blob",
        "read_info",
        "blob_size",
        "permit",
        "hash",
        "g1_msm",
        "verify_receipt",
    ] {
        let [load, context] = prepared.clone();
        let wild = json!({"wild": {"call": {call: {}}}});
        // Before there is anything, and when everything else is as it should be.
        let steps = json!([wild, load, context, wild]);
        told += &outcomes(&mut clinic, steps)
            .lines()
            .filter(|line| line.contains("wild") || line.contains("(\""))
            .map(|line| format!("{line}\n"))
            .collect::<String>();
    }
    expect![[r#"
        {"wild":{"call":{"load_by_name":{}}}}: {"errno":1}
        {"wild":{"call":{"load_by_name":{}}}}: {"errno":1}
        {"wild":{"call":{"context":{}}}}: {"errno":1}
        {"wild":{"call":{"context":{}}}}: {"errno":1}
        {"wild":{"call":{"set_input":{}}}}: {"errno":1}
        {"wild":{"call":{"set_input":{}}}}: {"errno":1}
        {"wild":{"call":{"get_output":{}}}}: {"errno":1}
        {"wild":{"call":{"get_output":{}}}}: {"errno":5}
        {"wild":{"call":{"set_input_blob":{}}}}: {"errno":1}
        {"wild":{"call":{"set_input_blob":{}}}}: {"errno":1}
        {"wild":{"call":{"read_info":{}}}}: {"errno":1}
        {"wild":{"call":{"read_info":{}}}}: {"errno":5}
        {"wild":{"call":{"blob_size":{}}}}: {"errno":1}
        {"wild":{"call":{"blob_size":{}}}}: {"errno":1}
        {"wild":{"call":{"permit":{}}}}: {"errno":1}
        {"wild":{"call":{"permit":{}}}}: {"errno":1}
        {"wild":{"call":{"hash":{}}}}: {"errno":1}
        {"wild":{"call":{"hash":{}}}}: {"errno":1}
        {"wild":{"call":{"g1_msm":{}}}}: {"errno":1}
        {"wild":{"call":{"g1_msm":{}}}}: {"errno":1}
        {"wild":{"call":{"verify_receipt":{}}}}: {"errno":1}
        {"wild":{"call":{"verify_receipt":{}}}}: {"errno":1}
    "#]]
    .assert_eq(&told);
}

/// What is no message of the contract's is refused by it with a sentence, whatever its size and depth.
#[test]
fn messages_that_are_none() {
    let mut clinic = Clinic::open();
    let consent = ship(&mut clinic.net, "consent", "{}");
    let good = r#"{"revoke":{"grant":1}}"#;
    let mut told = String::new();
    let mut refused = |name: &str, msg: &[u8]| {
        let msg = cosmos_sdk_proto::cosmwasm::wasm::v1::MsgExecuteContract {
            sender: alice().address(),
            contract: consent.clone(),
            msg: msg.into(),
            funds: vec![],
        };
        let mut draft = clinic.net.draft(&[&alice()], vec![sdk(&msg)]);
        draft.gas = 150_000_000;
        let result = clinic.net.deliver(draft.sign());
        assert!(result.code.is_err(), "{name}");
        let log = result.log.replace(&consent, "CONSENT");
        let log: String = log.chars().take(220).collect();
        told += &format!("{name}: {:?} {log}\n", code(&result));
    };
    refused("whole", good.as_bytes());
    for cut in [0, 1, 9, 10, 20, 21] {
        refused(&format!("cut at {cut}"), &good.as_bytes()[..cut]);
    }
    refused("longer", format!("{good}}}").as_bytes());
    refused("garbage", &[0xff, 0, 0xfe, 7]);
    refused("text", b"revoke");
    refused("another message", br#"{"transfer":{"to":"x"}}"#);
    refused("another field", br#"{"revoke":{"grant":1,"now":true}}"#);
    refused("no field", br#"{"revoke":{}}"#);
    refused("a field twice", br#"{"revoke":{"grant":1,"grant":2}}"#);
    refused("two messages", br#"{"revoke":{"grant":1},"revoke":{"grant":1}}"#);
    refused("a number that is too large", br#"{"revoke":{"grant":18446744073709551616}}"#);
    refused("a float", br#"{"revoke":{"grant":1.5}}"#);
    refused("a negative number", br#"{"revoke":{"grant":-1}}"#);
    refused("deep", "[".repeat(20_000).as_bytes());
    refused("deep inside", format!(r#"{{"revoke":{{"grant":{}"#, r#"{"a":"#.repeat(20_000)).as_bytes());
    let nested = format!("{}{}", "[".repeat(9_990), "]".repeat(9_990));
    refused("deep and closed", nested.as_bytes());
    refused("deep and closed inside", format!(r#"{{"revoke":{{"grant":{nested}}}}}"#).as_bytes());
    refused("deep where nothing is looked for", format!(r#"{{"revoke":{{"more":{nested},"grant":1}}}}"#).as_bytes());
    refused("long", format!(r#"{{"revoke":{{"grant":"{}"}}}}"#, "x".repeat(300_000)).as_bytes());
    expect![[r#"
        whole: ("wasm", 5) failed to execute message; message index: 0: grant 1 does not exist: execute wasm contract failed
        cut at 0: ("wasm", 14) payload msg: EOF while parsing a value at line 1 column 0: invalid
        cut at 1: ("wasm", 14) payload msg: EOF while parsing an object at line 1 column 1: invalid
        cut at 9: ("wasm", 14) payload msg: EOF while parsing an object at line 1 column 9: invalid
        cut at 10: ("wasm", 14) payload msg: EOF while parsing a value at line 1 column 10: invalid
        cut at 20: ("wasm", 14) payload msg: EOF while parsing an object at line 1 column 20: invalid
        cut at 21: ("wasm", 14) payload msg: EOF while parsing an object at line 1 column 21: invalid
        longer: ("wasm", 14) payload msg: trailing characters at line 1 column 23: invalid
        garbage: ("wasm", 14) payload msg: expected value at line 1 column 1: invalid
        text: ("wasm", 14) payload msg: expected value at line 1 column 1: invalid
        another message: ("wasm", 5) failed to execute message; message index: 0: kind: Serialization, error: unknown variant `transfer`, expected one of `grant`, `grant_hidden`, `revoke`, `use` at line 1 column 11: execute wasm contract failed
        another field: ("wasm", 5) failed to execute message; message index: 0: grant 1 does not exist: execute wasm contract failed
        no field: ("wasm", 5) failed to execute message; message index: 0: kind: Serialization, error: missing field `grant` at line 1 column 12: execute wasm contract failed
        a field twice: ("wasm", 5) failed to execute message; message index: 0: kind: Serialization, error: duplicate field `grant` at line 1 column 28: execute wasm contract failed
        two messages: ("wasm", 5) failed to execute message; message index: 0: kind: Serialization, error: expected value at line 1 column 21: execute wasm contract failed
        a number that is too large: ("wasm", 5) failed to execute message; message index: 0: kind: Serialization, error: invalid type: floating point `1.8446744073709552e+19`, expected u64 at line 1 column 39: execute wasm contract failed
        a float: ("wasm", 5) failed to execute message; message index: 0: kind: Serialization, error: invalid type: floating point `1.5`, expected u64 at line 1 column 22: execute wasm contract failed
        a negative number: ("wasm", 5) failed to execute message; message index: 0: kind: Serialization, error: invalid value: integer `-1`, expected u64 at line 1 column 21: execute wasm contract failed
        deep: ("wasm", 14) payload msg: EOF while parsing a list at line 1 column 20000: invalid
        deep inside: ("wasm", 14) payload msg: EOF while parsing a value at line 1 column 100019: invalid
        deep and closed: ("wasm", 5) failed to execute message; message index: 0: kind: Serialization, error: expected value at line 1 column 1: execute wasm contract failed
        deep and closed inside: ("wasm", 5) failed to execute message; message index: 0: kind: Serialization, error: invalid type: sequence, expected u64 at line 1 column 19: execute wasm contract failed
        deep where nothing is looked for: ("wasm", 5) failed to execute message; message index: 0: grant 1 does not exist: execute wasm contract failed
        long: ("wasm", 5) failed to execute message; message index: 0: kind: Serialization, error: invalid type: string "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    "#]].assert_eq(&told);
}

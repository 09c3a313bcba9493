//! Contracts: storing, making, running, changing; submessages and replies.

use std::io::Write;

use aceso_types::access::{Access, Permission};
use cosmos_sdk_proto::cosmos::tx::v1beta1::SimulateRequest;
use cosmos_sdk_proto::cosmwasm::wasm::v1::{
    AccessConfig, AccessType, MsgClearAdmin, MsgExecuteContract, MsgExecuteContractResponse, MsgInstantiateContract,
    MsgInstantiateContract2, MsgInstantiateContractResponse, MsgMigrateContract, MsgStoreCode, MsgStoreCodeResponse,
    MsgUpdateAdmin, QueryRawContractStateRequest, QueryRawContractStateResponse, QuerySmartContractStateRequest,
};
use prost::Message;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tendermint::abci::types::ExecTxResult;

use crate::{
    fixture::{Key, Net, RICH, alice, bob, code, coins, nobody, responses, sdk, told},
    guests::{NOTHING, asker, echo, endless, faulty, keeper, roomy_echo},
};

pub(crate) fn store(net: &mut Net, wasm: Vec<u8>) -> u64 {
    let msg = MsgStoreCode { sender: alice().address(), wasm_byte_code: wasm, ..MsgStoreCode::default() };
    let result = net.ok(&alice(), vec![sdk(&msg)]);
    MsgStoreCodeResponse::decode(&responses(&result)[0].value[..]).unwrap().code_id
}

fn making(code_id: u64, msg: &str) -> MsgInstantiateContract {
    MsgInstantiateContract {
        sender: alice().address(),
        admin: alice().address(),
        code_id,
        label: "label".into(),
        msg: msg.into(),
        funds: vec![],
    }
}

pub(crate) fn make(net: &mut Net, code_id: u64, msg: &str) -> String {
    let result = net.ok(&alice(), vec![sdk(&making(code_id, msg))]);
    MsgInstantiateContractResponse::decode(&responses(&result)[0].value[..]).unwrap().address
}

/// Runs a contract; alice sends.
pub(crate) fn execute(net: &mut Net, contract: &str, msg: &str) -> ExecTxResult {
    let msg =
        MsgExecuteContract { sender: alice().address(), contract: contract.into(), msg: msg.into(), funds: vec![] };
    net.run(&alice(), vec![sdk(&msg)])
}

pub(crate) fn raw(net: &Net, contract: &str, key: &[u8]) -> Vec<u8> {
    let request = QueryRawContractStateRequest { address: contract.into(), query_data: key.into() };
    net.query::<QueryRawContractStateResponse>("/cosmwasm.wasm.v1.Query/RawContractState", &request).data
}

fn echoes(net: &mut Net) -> (u64, String) {
    let code = store(net, echo());
    let address = make(net, code, NOTHING);
    (code, address)
}

pub(crate) fn answer(messages: Value) -> String {
    json!({ "ok": { "messages": messages, "attributes": [], "events": [], "data": null } }).to_string()
}

/// A submessage.
pub(crate) fn sub(id: u64, reply_on: &str, msg: Value, gas_limit: Option<u64>) -> Value {
    json!({ "id": id, "payload": "cGF5", "msg": msg, "gas_limit": gas_limit, "reply_on": reply_on })
}

pub(crate) fn base64(text: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

fn call_of(contract: &str, msg: &str) -> Value {
    json!({ "wasm": { "execute": { "contract_addr": contract, "msg": base64(msg), "funds": [] } } })
}

pub(crate) fn got(net: &Net, contract: &str) -> Value {
    serde_json::from_slice(&raw(net, contract, b"got")).unwrap()
}

#[test]
fn code_may_come_packed_and_is_named_by_what_is_inside() {
    let mut net = Net::start();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&echo()).unwrap();
    let msg = MsgStoreCode {
        sender: alice().address(),
        wasm_byte_code: packed.finish().unwrap(),
        instantiate_permission: None,
    };
    let result = net.ok(&alice(), vec![sdk(&msg)]);
    let checksum = hex::encode(Sha256::digest(echo()));
    let told = told(&result);
    assert!(told.contains(&format!("store_code code_checksum={checksum} code_id=1 msg_index=0")), "{told:?}");
    let answer = MsgStoreCodeResponse::decode(&responses(&result)[0].value[..]).unwrap();
    assert_eq!((answer.code_id, hex::encode(answer.checksum)), (1, checksum));
}

#[test]
fn code_that_is_none_is_refused() {
    let mut net = Net::start();
    let mut refused = |wasm: Vec<u8>| {
        let msg = MsgStoreCode { sender: alice().address(), wasm_byte_code: wasm, ..MsgStoreCode::default() };
        let result = net.run(&alice(), vec![sdk(&msg)]);
        (code(&result).0.to_string(), code(&result).1)
    };
    assert_eq!(refused(vec![]), ("sdk".into(), 18));
    assert_eq!(refused(b"\0asm garbage".to_vec()), ("wasm".into(), 2));
    assert_eq!(refused(vec![0x1f, 0x8b, 0x08, 0, 0]), ("wasm".into(), 2));
    assert_eq!(refused(wat::parse_str("(module)").unwrap()), ("wasm".into(), 2));
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![0; 4 << 20]).unwrap();
    assert_eq!(refused(bomb.finish().unwrap()), ("wasm".into(), 2));
}

#[test]
fn only_those_who_may_upload_and_instantiate() {
    let mut net = Net::with(|genesis| {
        genesis.params.code_upload_access = Access::plain(Permission::Nobody);
        genesis.authority = alice().address();
    });
    let msg = |sender: &Key, permission: AccessType, addresses: Vec<String>| {
        let instantiate_permission = Some(AccessConfig { permission: permission.into(), addresses });
        sdk(&MsgStoreCode { sender: sender.address(), wasm_byte_code: echo(), instantiate_permission })
    };
    let result = net.run(&bob(), vec![msg(&bob(), AccessType::Everybody, vec![])]);
    assert_eq!((code(&result), result.log.contains("can not create code")), (("sdk", 4), true));
    net.ok(&alice(), vec![msg(&alice(), AccessType::Nobody, vec![])]);
    net.ok(&alice(), vec![msg(&alice(), AccessType::AnyOfAddresses, vec![bob().address()])]);
    let making =
        |sender: &Key, code_id| MsgInstantiateContract { sender: sender.address(), ..making(code_id, NOTHING) };
    for (key, id, allowed) in [(alice(), 1, false), (alice(), 2, false), (bob(), 2, true)] {
        let result = net.run(&key, vec![sdk(&making(&key, id))]);
        assert_eq!(result.code.is_ok(), allowed, "{}", result.log);
        assert!(allowed || result.log.contains("can not instantiate: unauthorized"), "{}", result.log);
    }
    let bad = net.run(&alice(), vec![msg(&alice(), AccessType::AnyOfAddresses, vec![])]);
    assert_eq!(code(&bad), ("wasm", 12));
}

#[test]
fn a_contract_is_made_where_clients_expect_it() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let result = net.ok(&alice(), vec![sdk(&making(id, NOTHING))]);
    let told = told(&result);
    let made = told.iter().find(|line| line.starts_with("instantiate ")).unwrap();
    assert!(made.contains("code_id=1"), "{made}");
    // The bytes of the published address of code 1, instance 1.
    let mut hasher = Sha256::new();
    hasher.update(Sha256::digest(b"module"));
    hasher.update(b"wasm\0");
    hasher.update([1_u64.to_be_bytes(), 1_u64.to_be_bytes()].concat());
    let address = crate::fixture::text(&hasher.finalize());
    assert!(made.contains(&format!("_contract_address={address}")), "{made}");
    // CosmJS execute simulates between 70,000 and 140,000 gas.
    let run = execute(&mut net, &address, NOTHING);
    assert!((70_000..140_000).contains(&run.gas_used), "{}", run.gas_used);
}

#[test]
fn a_contract_with_a_salt_is_made_once() {
    let mut net = Net::start();
    let code_id = store(&mut net, echo());
    let msg = |salt: &[u8]| {
        sdk(&MsgInstantiateContract2 {
            sender: alice().address(),
            code_id,
            label: "l".into(),
            msg: NOTHING.into(),
            salt: salt.into(),
            ..MsgInstantiateContract2::default()
        })
    };
    net.ok(&alice(), vec![msg(b"salt")]);
    assert_eq!(code(&net.run(&alice(), vec![msg(b"salt")])), ("wasm", 15));
    net.ok(&alice(), vec![msg(b"other")]);
    assert_eq!(code(&net.run(&alice(), vec![msg(b"")])), ("wasm", 12));
    assert_eq!(code(&net.run(&alice(), vec![msg(&[1; 65])])), ("wasm", 13));
}

#[test]
fn bad_input_to_a_contract_has_wasmds_codes() {
    let mut net = Net::start();
    let (id, address) = echoes(&mut net);
    let mut refused = |msg| {
        let result = net.run(&alice(), vec![msg]);
        (result.codespace.clone(), result.code.value(), result.log)
    };
    let (space, number, log) = refused(sdk(&making(77, NOTHING)));
    assert_eq!((space.as_str(), number), ("wasm", 28), "{log}");
    let (space, number, log) = refused(sdk(&making(0, NOTHING)));
    assert_eq!((space.as_str(), number), ("sdk", 18), "{log}");
    assert!(log.ends_with("code id is required: invalid request"), "{log}");
    let (space, number, _) = refused(sdk(&MsgInstantiateContract { label: String::new(), ..making(id, NOTHING) }));
    assert_eq!((space.as_str(), number), ("wasm", 12));
    let (space, number, _) = refused(sdk(&making(id, "no json")));
    assert_eq!((space.as_str(), number), ("wasm", 14));
    let run = |contract: String, msg: &str| {
        sdk(&MsgExecuteContract { sender: alice().address(), contract, msg: msg.into(), funds: vec![] })
    };
    let (space, number, log) = refused(run(alice().address(), "{}"));
    assert_eq!((space.as_str(), number), ("wasm", 22));
    assert!(log.contains("no such contract"), "{log}");
    let (_, number, log) = refused(run(address.clone(), r#"{"error":"I will not"}"#));
    assert_eq!((number, log.ends_with("I will not: execute wasm contract failed")), (5, true), "{log}");
    let (_, number, log) = refused(run(address.clone(), r#"{"neither":1}"#));
    assert_eq!(number, 29, "{log}");
    let funds = coins(10_000_000_000_000);
    let poor = sdk(&MsgExecuteContract { sender: alice().address(), contract: address, msg: NOTHING.into(), funds });
    assert_eq!(refused(poor).1, 5);
}

#[test]
fn events_are_told_as_wasmd_tells_them() {
    let mut net = Net::start();
    let (_, address) = echoes(&mut net);
    let msg = json!({ "ok": {
        "messages": [],
        "attributes": [{ "key": "b", "value": "1" }, { "key": "a", "value": "2" }],
        "events": [{ "type": "opened", "attributes": [{ "key": "k", "value": "v" }] }],
        "data": "AQI=",
    }});
    let result = execute(&mut net, &address, &msg.to_string());
    let told = told(&result);
    let from = told.iter().position(|line| line.starts_with("message action=")).unwrap();
    assert_eq!(
        told[from..],
        [
            format!(
                "message action=/cosmwasm.wasm.v1.MsgExecuteContract sender={} module=wasm msg_index=0",
                alice().address()
            ),
            format!("execute _contract_address={address} msg_index=0"),
            format!("wasm _contract_address={address} b=1 a=2 msg_index=0"),
            format!("wasm-opened _contract_address={address} k=v msg_index=0"),
        ]
    );
    let response = MsgExecuteContractResponse::decode(&responses(&result)[0].value[..]).unwrap();
    assert_eq!(response.data, [1, 2]);
    for (key, kind) in [("_contract_address", "fine"), ("", "fine"), ("k", "no")] {
        let attributes = json!([{ "key": key, "value": "v" }]);
        let event = json!({ "type": kind, "attributes": attributes });
        let msg = json!({ "ok": { "messages": [], "attributes": [], "events": [event], "data": null } });
        assert_eq!(code(&execute(&mut net, &address, &msg.to_string())), ("wasm", 21), "{key} {kind}");
    }
}

#[test]
fn a_reply_hears_of_success() {
    let mut net = Net::start();
    let (id, inner) = echoes(&mut net);
    let outer = make(&mut net, id, NOTHING);
    let inside = json!({ "ok": {
        "messages": [],
        "attributes": [{ "key": "z", "value": "1" }, { "key": "a", "value": "2" }],
        "events": [],
        "data": "AQI=",
    }});
    let msg = answer(json!([sub(7, "success", call_of(&inner, &inside.to_string()), None)]));
    let result = execute(&mut net, &outer, &msg);
    assert!(result.code.is_ok(), "{}", result.log);
    let reply = got(&net, &outer);
    assert_eq!((&reply["id"], &reply["payload"]), (&json!(7), &json!("cGF5")));
    let ok = &reply["result"]["ok"];
    assert_eq!(ok["msg_responses"][0]["type_url"], "/cosmwasm.wasm.v1.MsgExecuteContractResponse");
    let events = ok["events"].as_array().unwrap();
    assert_eq!(events.iter().map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>(), ["execute", "wasm"]);
    let keys: Vec<_> = events[1]["attributes"].as_array().unwrap().iter().map(|one| one["key"].clone()).collect();
    assert_eq!(keys, ["_contract_address", "a", "z"]);
    assert!(told(&result).contains(&format!("reply _contract_address={outer} msg_index=0")));
}

#[test]
fn a_reply_hears_what_the_contract_said_that_failed_and_nothing_of_it_stays() {
    let mut net = Net::start();
    let (id, inner) = echoes(&mut net);
    let outer = make(&mut net, id, NOTHING);
    let failing = call_of(&inner, r#"{"error":"its words"}"#);
    let msg = answer(json!([sub(1, "error", failing.clone(), None)]));
    let result = execute(&mut net, &outer, &msg);
    assert!(result.code.is_ok(), "{}", result.log);
    assert_eq!(got(&net, &outer)["result"], json!({ "error": "its words: execute wasm contract failed" }));
    assert!(told(&result).iter().all(|line| !line.contains(&inner)));
    let msg = answer(json!([sub(1, "never", failing, None)]));
    let result = execute(&mut net, &outer, &msg);
    assert_eq!(code(&result), ("wasm", 5));
    assert!(result.log.ends_with("message index: 0: its words: execute wasm contract failed"), "{}", result.log);
}

#[test]
fn only_a_contracts_own_words_reach_another() {
    let mut net = Net::start();
    let (id, outer) = echoes(&mut net);
    let failing = call_of(&outer, r#"{"error":"inside"}"#);
    // A contract that is made and sends what fails. That is not its own answer, so a number has to do.
    let inside = answer(json!([sub(1, "never", failing, None)]));
    let (msg, funds) = (base64(&inside), json!([]));
    let made = json!({ "wasm": { "instantiate": {
        "admin": null, "code_id": id, "msg": msg, "funds": funds, "label": "l",
    } } });
    let result = execute(&mut net, &outer, &answer(json!([sub(2, "error", made.clone(), None)])));
    assert!(result.code.is_ok(), "{}", result.log);
    assert_eq!(got(&net, &outer)["result"], json!({ "error": "codespace: wasm, code: 5" }));
    let result = execute(&mut net, &outer, &answer(json!([sub(2, "never", made, None)])));
    assert!(result.log.ends_with(" 0: dispatch: inside: execute wasm contract failed"), "{}", result.log);
    // However deep it was, it is said once.
    let mut msg = r#"{"error":"deep down"}"#.to_string();
    for _ in 0..4 {
        msg = answer(json!([sub(1, "never", call_of(&outer, &msg), None)]));
    }
    let result = execute(&mut net, &outer, &msg);
    assert!(result.log.ends_with("message index: 0: deep down: execute wasm contract failed"), "{}", result.log);
}

#[test]
fn contracts_ask_the_bank_and_each_other() {
    let mut net = Net::start();
    let code_id = store(&mut net, asker());
    let contract = make(&mut net, code_id, "{}");
    let mut ask = |question: Value| -> Value {
        let result = execute(&mut net, &contract, &question.to_string());
        assert!(result.code.is_ok(), "{question}: {}", result.log);
        got(&net, &contract)
    };
    let typed = |heard: &Value| -> Value {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let data = heard["ok"]["ok"].as_str().unwrap_or_else(|| panic!("{heard}"));
        serde_json::from_slice(&STANDARD.decode(data).unwrap()).unwrap()
    };
    let all = |address: String| json!({ "bank": { "all_balances": { "address": address } } });
    assert_eq!(typed(&ask(all(nobody().address()))), json!({ "amount": [] }));
    let rich = typed(&ask(all(bob().address())));
    assert_eq!(rich["amount"], json!([{ "denom": "uaceso", "amount": RICH.to_string() }]));
    assert_eq!(ask(all("x".into())), json!({ "ok": { "error": "codespace: sdk, code: 7" } }));
    let known = typed(&ask(json!({ "bank": { "all_denom_metadata": { "pagination": null } } })));
    assert_eq!((&known["metadata"][0]["base"], &known["next_key"]), (&json!("uaceso"), &Value::Null));
    let one = typed(&ask(json!({ "bank": { "denom_metadata": { "denom": "uaceso" } } })));
    assert_eq!(one["metadata"], known["metadata"][0]);
    // The contract's `query` answers with its own message.
    let smart = |msg: &str| json!({ "wasm": { "smart": { "contract_addr": contract, "msg": base64(msg) } } });
    let said = ask(smart(r#"{"error":"what it says"}"#));
    assert_eq!(said, json!({ "ok": { "error": "what it says: query wasm contract failed" } }));
    let trapped = ask(smart(r#""no answer""#));
    assert_eq!(trapped, json!({ "ok": { "error": "codespace: wasm, code: 29" } }));
    assert_eq!(ask(smart("no json")), json!({ "ok": { "error": "codespace: wasm, code: 14" } }));
}

/// As wasmd's `QueryRawRange` (x/wasm/keeper/keeper.go).
#[test]
fn contracts_look_through_the_rows_of_others() {
    let mut net = Net::start();
    let [code, other] = [asker(), keeper()].map(|wasm| store(&mut net, wasm));
    let (contract, keeper) = (make(&mut net, code, "{}"), make(&mut net, other, "{}"));
    for key in ["5", "30", "12", "4", "31"] {
        assert!(execute(&mut net, &keeper, key).code.is_ok());
    }
    let mut heard = |of: &str, start: Value, end: Value, limit: u16, order: &str| -> Value {
        let bound = |text: Value| text.as_str().map(base64);
        let range = json!({
            "contract_addr": of, "start": bound(start), "end": bound(end), "limit": limit, "order": order,
        });
        let result = execute(&mut net, &contract, &json!({ "wasm": { "raw_range": range } }).to_string());
        assert!(result.code.is_ok(), "{}", result.log);
        got(&net, &contract)
    };
    let mut rows = |start: Value, end: Value, limit: u16, order: &str| -> (Vec<String>, Option<String>) {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let text = |value: &Value| String::from_utf8(STANDARD.decode(value.as_str().unwrap()).unwrap()).unwrap();
        let heard = heard(&keeper, start, end, limit, order);
        let data = STANDARD.decode(heard["ok"]["ok"].as_str().unwrap_or_else(|| panic!("{heard}"))).unwrap();
        let answer: Value = serde_json::from_slice(&data).unwrap();
        let row = |row: &Value| {
            assert_eq!(row[0], row[1]);
            text(&row[0])
        };
        let next = Some(&answer["next_key"]).filter(|key| !key.is_null()).map(text);
        (answer["data"].as_array().unwrap().iter().map(row).collect(), next)
    };
    let none = Value::Null;
    let all = ["12", "30", "31", "4", "5"].map(String::from);
    assert_eq!(rows(none.clone(), none.clone(), 100, "ascending"), (all.to_vec(), None));
    let down: Vec<String> = all.iter().rev().cloned().collect();
    assert_eq!(rows(none.clone(), none.clone(), 5, "descending"), (down, None));
    assert_eq!(rows(none.clone(), none.clone(), 2, "ascending"), (all[..2].to_vec(), Some("31".into())));
    assert_eq!(rows("31".into(), none.clone(), 2, "ascending"), (all[2..4].to_vec(), Some("5".into())));
    assert_eq!(rows("30".into(), "4".into(), 9, "ascending"), (all[1..3].to_vec(), None));
    assert_eq!(
        rows("30".into(), "5".into(), 2, "descending"),
        (["4", "31"].map(String::from).to_vec(), Some("30".into()))
    );
    assert_eq!(rows(none.clone(), none.clone(), 0, "ascending"), (vec![], Some("12".into())));
    for (start, end) in [("4", "30"), ("4", "4"), ("6", "7"), ("", "")] {
        assert_eq!(rows(start.into(), end.into(), 9, "descending"), (vec![], None), "{start} {end}");
    }
    let answer = heard(&nobody().address(), none.clone(), none.clone(), 9, "ascending");
    assert_eq!(answer, json!({ "ok": { "ok": base64(r#"{"data":[],"next_key":null}"#) } }));
    let answer = heard("x", none.clone(), none.clone(), 9, "ascending");
    assert_eq!(answer, json!({ "ok": { "error": "codespace: sdk, code: 7" } }));
    let answer = heard(&keeper, none.clone(), none, 9, "sideways");
    assert!(answer["error"]["invalid_request"]["error"].as_str().unwrap().contains("sideways"), "{answer}");
}

/// What one read costs is paid before the next.
#[test]
fn a_range_is_paid_row_by_row() {
    let mut net = Net::start();
    let [code, other] = [asker(), keeper()].map(|wasm| store(&mut net, wasm));
    let (contract, keeper) = (make(&mut net, code, "{}"), make(&mut net, other, "{}"));
    for key in 100..140 {
        assert!(execute(&mut net, &keeper, &key.to_string()).code.is_ok());
    }
    let mut gas = |limit: u16| {
        let range =
            json!({ "contract_addr": keeper, "start": null, "end": null, "limit": limit, "order": "ascending" });
        execute(&mut net, &contract, &json!({ "wasm": { "raw_range": range } }).to_string()).gas_used
    };
    let [none, ten, forty] = [0, 10, 40].map(&mut gas);
    assert!(ten - none >= 10 * 30 && forty - ten >= 30 * 30, "{none} {ten} {forty}");
}

#[test]
fn a_native_message_has_no_events_for_its_sender() {
    let mut net = Net::start();
    let (_, contract) = echoes(&mut net);
    net.ok(&alice(), vec![crate::fixture::send(&alice(), &contract, 10)]);
    let pay = |amount: &str| {
        let coin = json!([{ "denom": "uaceso", "amount": amount }]);
        json!({ "bank": { "send": { "to_address": nobody().address(), "amount": coin } } })
    };
    let result = execute(&mut net, &contract, &answer(json!([sub(1, "always", pay("4"), None)])));
    assert!(result.code.is_ok(), "{}", result.log);
    assert_eq!((net.balance(&contract), net.balance(&nobody().address())), (6, 4));
    let ok = got(&net, &contract)["result"]["ok"].clone();
    assert_eq!(ok["events"], json!([]));
    assert_eq!(ok["msg_responses"][0]["type_url"], "/cosmos.bank.v1beta1.MsgSendResponse");
    let result = execute(&mut net, &contract, &answer(json!([sub(1, "error", pay("7"), None)])));
    assert!(result.code.is_ok(), "{}", result.log);
    assert_eq!(got(&net, &contract)["result"], json!({ "error": "codespace: sdk, code: 5" }));
    let burn = json!({ "bank": { "burn": { "amount": [{ "denom": "uaceso", "amount": "6" }] } } });
    assert!(execute(&mut net, &contract, &answer(json!([sub(1, "never", burn, None)]))).code.is_ok());
    assert_eq!(net.balance(&contract), 0);
}

#[test]
fn gas_that_a_contract_limits_is_its_own_to_lose() {
    let mut net = Net::start();
    let (_, outer) = echoes(&mut net);
    let code_id = store(&mut net, endless());
    let inner = make(&mut net, code_id, "{}");
    let limited = sub(1, "error", call_of(&inner, "{}"), Some(200_000));
    let result = execute(&mut net, &outer, &answer(json!([limited])));
    assert!(result.code.is_ok(), "{}", result.log);
    assert_eq!(got(&net, &outer)["result"], json!({ "error": "codespace: sdk, code: 11" }));
    assert!(result.gas_used > 200_000 && result.gas_used < 700_000, "{}", result.gas_used);
    // Without a limit the whole transaction is out of gas, and no reply can help.
    let endless = sub(1, "error", call_of(&inner, "{}"), None);
    let result = execute(&mut net, &outer, &answer(json!([endless])));
    assert_eq!(code(&result), ("sdk", 11));
    assert!(result.log.contains("out of gas in location: wasm contract; gasWanted: 10000000"), "{}", result.log);
}

#[test]
fn messages_of_unknown_kinds_are_refused_by_name() {
    let mut net = Net::start();
    let (_, contract) = echoes(&mut net);
    let mut refused = |msg: Value| {
        let result = execute(&mut net, &contract, &answer(json!([sub(1, "never", msg, None)])));
        (result.codespace.clone(), result.code.value(), result.log)
    };
    for kind in [
        json!({ "staking": { "delegate": { "validator": "v", "amount": { "denom": "uaceso", "amount": "1" } } } }),
        json!({ "distribution": { "fund_community_pool": { "amount": [] } } }),
        json!({ "gov": { "vote": { "proposal_id": 1, "option": "yes" } } }),
        json!({ "ibc": { "transfer": {} } }),
        json!({ "ibc": { "close_channel": { "channel_id": "channel-0" } } }),
        json!({ "ibc2": { "send_packet": {} } }),
    ] {
        let (space, number, log) = refused(kind.clone());
        assert_eq!((space.as_str(), number), ("sdk", 6), "{kind}");
        let named = kind.as_object().unwrap().keys().next().unwrap();
        assert!(log.contains(&format!("no message of kind {named:?}")), "{log}");
    }
    for packet in [
        json!({ "ibc": { "send_packet": { "channel_id": "channel-0" } } }),
        json!({ "ibc": { "write_acknowledgement": {} } }),
        json!({ "ibc": {} }),
        json!({ "ibc2": { "write_acknowledgement": {} } }),
    ] {
        let (space, number, log) = refused(packet.clone());
        assert_eq!((space.as_str(), number), ("wasm", 17), "{packet}");
        assert!(log.contains("not supported: unsupported for this contract"), "{log}");
    }
    for unknown in [json!({ "custom": {} }), json!({ "teleport": {} }), json!({}), json!(7), json!("staking")] {
        let (space, number, _) = refused(unknown.clone());
        assert_eq!((space.as_str(), number), ("wasm", 20), "{unknown}");
    }
    let any = |url: &str| json!({ "any": { "type_url": url, "value": "" } });
    assert_eq!(refused(any("/cosmos.gov.v1.MsgVote")).1, 10);
    assert_eq!(refused(any("/cosmwasm.wasm.v1.MsgStoreCode")).1, 6);
    assert_eq!(refused(json!({ "wasm": { "execute": {} } })).1, 10);
    for any in ["any", "stargate"] {
        assert_eq!(refused(json!({ any: { "type_url": "/cosmos.bank.v1beta1.MsgSend" } })).1, 10);
    }
    let foreign = sdk_any(&crate::fixture::send(&bob(), &alice().address(), 1));
    let (_, number, log) = refused(foreign);
    assert_eq!((number, log.contains("contract doesn't have permission")), (4, true), "{log}");
}

#[test]
fn a_native_message_has_half_a_megabyte_at_most() {
    let mut net = Net::start();
    let id = store(&mut net, roomy_echo());
    let contract = make(&mut net, id, NOTHING);
    let mut sent = |length: usize, kind: &str| {
        let msg = json!({ kind: { "type_url": "/cosmos.bank.v1beta1.MsgSend", "value": base64(&"x".repeat(length)) } });
        let msg = answer(json!([sub(1, "never", msg, None)]));
        let msg = MsgExecuteContract {
            sender: alice().address(),
            contract: contract.clone(),
            msg: msg.into(),
            funds: vec![],
        };
        let mut draft = net.draft(&[&alice()], vec![sdk(&msg)]);
        (draft.gas, draft.fee) = (100_000_000, coins(2_500_000));
        net.deliver(draft.sign())
    };
    for kind in ["any", "stargate"] {
        let long = sent((512 << 10) + 1, kind);
        assert_eq!(code(&long), ("wasm", 13), "{}", long.log);
        assert!(long.log.contains("AnyMsg value size 524289 exceeds limit 524288"), "{}", long.log);
        let whole = sent(512 << 10, kind);
        assert_ne!(code(&whole), ("wasm", 13), "{}", whole.log);
    }
}

pub(crate) fn sdk_any(any: &cosmos_sdk_proto::Any) -> Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    json!({ "any": { "type_url": any.type_url, "value": STANDARD.encode(&any.value) } })
}

#[test]
fn contracts_do_not_call_each_other_for_ever() {
    let mut net = Net::start();
    let (_, contract) = echoes(&mut net);
    // Each message holds the next one.
    let mut msg = NOTHING.to_string();
    for _ in 0..6 {
        msg = answer(json!([sub(1, "never", call_of(&contract, &msg), None)]));
    }
    assert!(execute(&mut net, &contract, &msg).code.is_ok());
}

#[test]
fn replies_that_never_end_are_ended() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let nothing = json!({ "bank": { "send": { "to_address": alice().address(), "amount": [] } } });
    let again = answer(json!([sub(1, "success", nothing, None)]));
    let result = net.run(&alice(), vec![sdk(&making(id, &again))]);
    assert_eq!(code(&result), ("wasm", 30), "{}", result.log);
}

#[test]
fn the_admin_and_nobody_else_changes_a_contract() {
    let mut net = Net::start();
    let (id, contract) = echoes(&mut net);
    let next = store(&mut net, [echo(), vec![0, 2, 1, b'x']].concat());
    let migrate = |key: &Key, code_id| {
        sdk(&MsgMigrateContract { sender: key.address(), contract: contract.clone(), code_id, msg: NOTHING.into() })
    };
    let sender = alice().address();
    for msg in [
        sdk(&MsgMigrateContract { sender: sender.clone(), contract: sender.clone(), code_id: id, msg: NOTHING.into() }),
        sdk(&MsgUpdateAdmin { sender: sender.clone(), new_admin: bob().address(), contract: sender.clone() }),
        sdk(&MsgClearAdmin { sender: sender.clone(), contract: sender.clone() }),
    ] {
        let result = net.run(&alice(), vec![msg]);
        assert_eq!(code(&result), ("sdk", 18), "{}", result.log);
        assert!(result.log.ends_with("unknown contract: invalid request"), "{}", result.log);
    }
    assert_eq!(code(&net.run(&alice(), vec![migrate(&alice(), 0)])), ("sdk", 18));
    let result = net.run(&bob(), vec![migrate(&bob(), next)]);
    assert_eq!((code(&result), result.log.contains("can not migrate: unauthorized")), (("sdk", 4), true));
    let result = net.ok(&alice(), vec![migrate(&alice(), next)]);
    assert!(told(&result).contains(&format!("migrate code_id={next} _contract_address={contract} msg_index=0")));
    assert_eq!(code(&net.run(&alice(), vec![migrate(&alice(), 99)])), ("wasm", 28));
    let admin = |sender: &Key, to: &Key| {
        sdk(&MsgUpdateAdmin { sender: sender.address(), new_admin: to.address(), contract: contract.clone() })
    };
    assert_eq!(code(&net.run(&alice(), vec![admin(&alice(), &alice())])), ("wasm", 14));
    assert_eq!(code(&net.run(&bob(), vec![admin(&bob(), &alice())])), ("sdk", 4));
    net.ok(&alice(), vec![admin(&alice(), &bob())]);
    assert_eq!(code(&net.run(&alice(), vec![migrate(&alice(), id)])), ("sdk", 4));
    let clear = sdk(&MsgClearAdmin { sender: bob().address(), contract: contract.clone() });
    net.ok(&bob(), vec![clear]);
    assert_eq!(code(&net.run(&bob(), vec![migrate(&bob(), id)])), ("sdk", 4));
}

#[test]
fn a_migration_to_the_same_version_does_not_run() {
    let mut net = Net::start();
    let section = |name: &[u8], text: &[u8]| {
        let sizes = [name.len(), text.len()].map(|size| u8::try_from(size).unwrap());
        [&[0, 1 + sizes[0] + sizes[1], sizes[0]], name, text].concat()
    };
    let version = section(b"cw_migrate_version", b"3");
    let old = store(&mut net, [echo(), version.clone()].concat());
    let same = store(&mut net, [echo(), version, section(b"x", b"")].concat());
    let other = store(&mut net, echo());
    let contract = make(&mut net, old, NOTHING);
    let mut migrate = |code_id| {
        let (sender, contract, msg) = (alice().address(), contract.clone(), br#"{"error":"it ran"}"#.to_vec());
        net.run(&alice(), vec![sdk(&MsgMigrateContract { sender, contract, code_id, msg })])
    };
    let skipped = migrate(same);
    assert!(skipped.code.is_ok(), "{}", skipped.log);
    let run = migrate(other);
    assert_eq!(code(&run), ("wasm", 11));
    assert!(run.log.ends_with("it ran: migrate wasm contract failed"), "{}", run.log);
}

#[test]
fn questions_are_answered_within_the_query_gas() {
    let mut net = Net::start();
    let (_, contract) = echoes(&mut net);
    let id = store(&mut net, endless());
    let stuck = make(&mut net, id, "{}");
    let ask = |net: &Net, address: &str, msg: &str| {
        let request = QuerySmartContractStateRequest { address: address.into(), query_data: msg.into() };
        net.raw_query("/cosmwasm.wasm.v1.Query/SmartContractState", request.encode_to_vec())
    };
    let answer = ask(&net, &contract, r#"{"ok":"eyJhIjoxfQ=="}"#);
    assert!(answer.code.is_ok(), "{}", answer.log);
    assert!(answer.value.ends_with(br#"{"a":1}"#));
    let answer = ask(&net, &contract, r#"{"error":"Error parsing into type"}"#);
    assert_eq!((answer.codespace.as_str(), answer.code.value()), ("sdk", 6));
    assert!(answer.log.contains("codespace wasm code 9: Error parsing into type"), "{}", answer.log);
    let answer = ask(&net, &stuck, "{}");
    assert!(answer.log.contains("out of gas"), "{}", answer.log);
    let answer = ask(&net, &alice().address(), "{}");
    assert!(answer.log.contains("no such contract"), "{}", answer.log);
    assert_eq!(ask(&net, "x", "{}").code.value(), 18);
}

/// Two chains that differ only in whether a contract's functions have names.
#[test]
fn who_simulates_sees_where_a_contract_trapped_and_results_do_not() {
    let tried = |inner, outer| {
        let mut net = Net::start();
        let code = store(&mut net, faulty(inner, outer));
        let faulty = make(&mut net, code, NOTHING);
        let (_, echo) = echoes(&mut net);
        let sent = |reply_on: &str| answer(json!([sub(1, reply_on, call_of(&faulty, "{}"), None)]));
        let simulated = |contract: &str, msg: &str| {
            let (contract, msg) = (contract.into(), msg.into());
            let msg = MsgExecuteContract { sender: alice().address(), contract, msg, funds: vec![] };
            #[allow(deprecated, reason = "the field is left empty")]
            let request = SimulateRequest { tx: None, tx_bytes: net.draft(&[&alice()], vec![sdk(&msg)]).sign() };
            net.raw_query("/cosmos.tx.v1beta1.Service/Simulate", request.encode_to_vec()).log
        };
        let shown = [simulated(&faulty, "{}"), simulated(&echo, &sent("never"))];
        let failed = [execute(&mut net, &faulty, "{}"), execute(&mut net, &echo, &sent("never"))];
        let caught = execute(&mut net, &echo, &sent("error"));
        (shown, failed, caught, got(&net, &echo))
    };
    let (shown, failed, caught, told) = tried("$inner", "$outer");
    let (nameless, failed_too, caught_too, told_too) = tried("", "");
    for log in shown {
        assert!(
            log.contains("unreachable executed") && log.contains("; backtrace: inner < outer < function 8"),
            "{log}"
        );
    }
    for log in nameless {
        assert!(log.contains("; backtrace: function 5 < function 6 < function 8"), "{log}");
    }
    assert_eq!((&failed, &caught, &told), (&failed_too, &caught_too, &told_too));
    assert!(failed.iter().all(|result| result.code.is_err() && !result.log.contains("inner")));
    assert!(caught.code.is_ok() && told.to_string().contains("codespace: wasm, code: 29"), "{told}");
}

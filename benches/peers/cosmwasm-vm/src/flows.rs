//! What each published contract is for, step by step, as the tests of its authors have it: on both engines, with the same end.
//!
//! `diff` calls at random; here every step has a stated end, so that a flow which stops working on both is seen too.

use std::{collections::BTreeMap, process::ExitCode, sync::atomic::Ordering};

use aceso_vm::Entry;
use anyhow::{Result, anyhow};
use cosmwasm_std::{IbcOrder, testing as mocks};
use cosmwasm_vm::testing::{MockApi, mock_env, mock_info};
use serde_json::{Value, json};

use crate::{
    Options,
    classes::{self, End},
    codes,
    diff::{GAS, Seen, compare},
    engines::{Ask, Ours, Theirs},
    world::{Rows, VALIDATORS, World},
};

/// How a step must end.
enum Want {
    /// Well, and the answer has these words; bytes inside are shown in base64.
    Good(&'static str),
    /// With an error of the contract's own that has these words.
    Refused(&'static str),
    /// With a panic that says so.
    Aborted(&'static str),
    /// With a trap.
    Trap(&'static str),
    /// Without gas.
    Gas,
}

/// One call: what is called, by whom, with how much of `earth`, what is said.
struct Step(Entry, &'static str, u128, Value, Want);

/// A query.
fn asks(message: Value, want: Want) -> Step {
    Step(Entry::Query, "", 0, message, want)
}

/// A call of the entry point by Alice, who makes all contracts.
fn calls(entry: Entry, message: Value, want: Want) -> Step {
    Step(entry, "alice", 0, message, want)
}

/// A message from Alice.
fn says(message: Value, want: Want) -> Step {
    calls(Entry::Execute, message, want)
}

/// The making of the contract.
fn makes(message: Value, want: Want) -> Step {
    Step(Entry::Instantiate, "alice", 1_000, message, want)
}

fn account(name: &str) -> String {
    MockApi::default().addr_make(name)
}

fn ibc(message: impl serde::Serialize) -> Value {
    serde_json::to_value(message).unwrap_or_default()
}

use Want::{Aborted, Gas, Good, Refused, Trap};

fn hackatom(name: &str) -> Vec<Step> {
    let (alice, bob) = (account("alice"), account("bob"));
    let denom = if NO_DENOM.contains(&name) { json!({}) } else { json!({"denom": "earth"}) };
    let release = json!({"release": denom});
    // Those of before 1.2 cannot say why they panic, those of before 1.3 do not expect a chain to take short addresses.
    let panics = if name == "hackatom_1.0" { Trap("unreachable") } else { Aborted("This page intentionally faulted") };
    let surprised = match name {
        "hackatom_1.0" => Trap("unreachable"),
        "hackatom_1.2" | "wasmd/hackatom" => Aborted("unwrap_err"),
        _ => Good(""),
    };
    vec![
        makes(json!({"panic": {}}), Refused("")),
        makes(json!({"verifier": alice, "beneficiary": bob}), Good("hacking begin")),
        asks(json!({"verifier": {}}), Good("")),
        asks(json!({"nothing": {}}), Refused("unknown variant")),
        asks(json!({"recurse": {"depth": 0, "work": 3}}), Good("")),
        Step(Entry::Execute, "mallory", 0, release.clone(), Refused("nauthorized")),
        says(release, Good("destination")),
        calls(Entry::Migrate, json!({"verifier": bob}), Good("")),
        calls(
            Entry::Sudo,
            json!({"steal_funds": {"recipient": bob, "amount": [{"denom": "gold", "amount": "700"}]}}),
            Good("gold"),
        ),
        says(json!({"cpu_loop": {}}), Gas),
        says(json!({"storage_loop": {}}), Gas),
        says(json!({"allocate_large_memory": {"pages": 48}}), Good("")),
        says(json!({"allocate_large_memory": {"pages": 1_600}}), Refused("memory.grow failed")),
        says(json!({"panic": {}}), panics),
        says(json!({"user_errors_in_api_calls": {}}), surprised),
    ]
}

fn cyberpunk(name: &str) -> Vec<Step> {
    let known = |is: bool| if is { Good("") } else { Refused("unknown variant") };
    vec![
        makes(json!({}), Good("")),
        says(json!({"noop": {}}), known(name != "cyberpunk_rust170" && name != "wasmd/cyberpunk")),
        says(json!({"argon2": {"mem_cost": 64, "time_cost": 1}}), Good("")),
        says(json!({"mirror_env": {}}), Good("")),
        asks(json!({"mirror_env": {}}), Good("")),
        says(json!({"debug": {}}), known(name != "cyberpunk_rust170")),
        says(json!({"unreachable": {}}), Trap("unreachable")),
        says(json!({"panic": {}}), Aborted("This page intentionally faulted")),
        says(json!({"message_loop": {}}), Good("execute")),
        says(json!({"cpu_loop": {}}), Gas),
        says(json!({"storage_loop": {}}), Gas),
        says(json!({"allocate_large_memory": {"pages": 1_600}}), Refused("memory.grow failed")),
    ]
}

fn queue() -> Vec<Step> {
    let put = |value: i32| says(json!({"enqueue": {"value": value}}), Good(""));
    vec![
        makes(json!({}), Good("")),
        put(40),
        put(15),
        put(85),
        put(-10),
        // {"count":4}
        asks(json!({"count": {}}), Good("eyJjb3VudCI6NH0=")),
        // {"sum":130}
        asks(json!({"sum": {}}), Good("eyJzdW0iOjEzMH0=")),
        // {"counters":[[40,85],[15,125],[85,0],[-10,140]]}
        asks(json!({"reducer": {}}), Good("eyJjb3VudGVycyI6W1s0MCw4NV0sWzE1LDEyNV0sWzg1LDBdLFstMTAsMTQwXV19")),
        // {"value":40}
        says(json!({"dequeue": {}}), Good("eyJ2YWx1ZSI6NDB9")),
        asks(json!({"list": {}}), Good("")),
        asks(json!({"open_iterators": {"count": 20}}), Good("")),
        calls(Entry::Migrate, json!({}), Good("")),
        // {"count":3}
        asks(json!({"count": {}}), Good("eyJjb3VudCI6M30=")),
    ]
}

fn reflect() -> Vec<Step> {
    let send = json!({"bank": {"send": {"to_address": "friend", "amount": [{"denom": "token", "amount": "1"}]}}});
    let custom = json!({"custom": {"debug": "Hi, Dad!"}});
    let msgs = json!({"reflect_msg": {"msgs": [send, custom]}});
    let sub = json!({"id": 123, "msg": send, "gas_limit": null, "reply_on": "always"});
    let result = json!({"ok": {"events": [], "data": "Zm9vYmFy", "msg_responses": []}});
    vec![
        makes(json!({}), Good("")),
        asks(json!({"owner": {}}), Good("")),
        says(msgs.clone(), Good("friend")),
        Step(Entry::Execute, "mallory", 0, msgs, Refused("ermission denied")),
        says(json!({"reflect_msg": {"msgs": []}}), Refused("ust reflect at least one message")),
        says(json!({"reflect_sub_msg": {"msgs": [sub]}}), Good("\"always\"")),
        calls(Entry::Reply, json!({"id": 123, "payload": "", "gas_used": 1_234_567, "result": result}), Good("")),
        asks(json!({"sub_msg_result": {"id": 65_432}}), Refused("not found")),
        asks(json!({"sub_msg_result": {"id": 123}}), Good("")),
        asks(
            json!({"chain": {"request": {"bank": {"balance": {"address": account("rich"), "denom": "mars"}}}}}),
            Good(""),
        ),
        says(json!({"change_owner": {"owner": account("bob")}}), Good("change_owner")),
        says(json!({"change_owner": {"owner": account("bob")}}), Refused("ermission denied")),
    ]
}

fn burner() -> Vec<Step> {
    vec![makes(json!({}), Refused("migrations")), says(json!({}), Refused(""))]
}

fn staking() -> Vec<Step> {
    let make = |validator: &str| {
        json!({
            "name": "Cool Derivative", "symbol": "DRV", "decimals": 9, "validator": validator, "exit_tax": "0.02",
            "min_withdrawal": "50",
        })
    };
    let alice = account("alice");
    vec![
        makes(make("nobody"), Refused("nobody is not in the current validator set")),
        makes(make("my-validator"), Good("")),
        asks(json!({"token_info": {}}), Good("")),
        asks(json!({"balance": {"address": alice}}), Good("")),
        asks(json!({"claims": {"address": alice}}), Good("")),
        asks(json!({"investment": {}}), Good("")),
        says(json!({"transfer": {"recipient": account("bob"), "amount": "1"}}), Refused("")),
        says(json!({"bond": {}}), Refused("No ustake tokens sent")),
    ]
}

/// hackatom with floats in it.
fn floaty() -> Vec<Step> {
    let (alice, bob) = (account("alice"), account("bob"));
    vec![
        makes(json!({}), Refused("missing field")),
        makes(json!({"verifier": alice, "beneficiary": bob}), Good("")),
        Step(Entry::Execute, "mallory", 0, json!({"release": {}}), Refused("nauthorized")),
        says(json!({"release": {}}), Good("amount")),
    ]
}

fn floaty_2() -> Vec<Step> {
    let run = |instruction: &str, args: Value| json!({"run": {"instruction": instruction, "args": args}});
    let float = |bits: u64| json!({"f64": bits});
    vec![
        asks(json!({"instructions": {}}), Good("")),
        asks(json!({"random_args_for": {"instruction": "f64.add", "seed": 42}}), Good("")),
        // 1.0 + 2.0, and infinity - infinity, whose bits no engine may choose.
        asks(run("f64.add", json!([float(0x3ff0_0000_0000_0000), float(0x4000_0000_0000_0000)])), Good("")),
        asks(run("f64.sub", json!([float(0x7ff0_0000_0000_0000), float(0x7ff0_0000_0000_0000)])), Good("")),
        asks(run("f64.nothing", json!([])), Aborted("unknown instruction")),
    ]
}

fn ibc_reflect() -> Vec<Step> {
    let open = |order, version| ibc(mocks::mock_ibc_channel_open_try("channel-432", order, version));
    let reply = |account: &str| {
        let attributes = json!([{"key": "_contract_address", "value": account}]);
        let events = json!([{"type": "instantiate", "attributes": attributes}]);
        json!({
            // "channel-432", which the submessage carried.
            "id": 7_890, "payload": "Y2hhbm5lbC00MzI=", "gas_used": 1_234_567,
            "result": {"ok": {"events": events, "data": null, "msg_responses": []}},
        })
    };
    let packet = |message: Value| ibc(mocks::mock_ibc_packet_recv("channel-432", &message).ok());
    let send = json!({"bank": {"send": {"to_address": "my-friend", "amount": [{"denom": "uatom", "amount": "7"}]}}});
    vec![
        makes(json!({"reflect_code_id": 17}), Good("")),
        calls(Entry::IbcChannelOpen, open(IbcOrder::Unordered, "ibc-reflect-v1"), Refused("Only supports ordered")),
        calls(Entry::IbcChannelOpen, open(IbcOrder::Ordered, "reflect"), Refused("ibc-reflect-v1")),
        calls(Entry::IbcChannelOpen, open(IbcOrder::Ordered, "ibc-reflect-v1"), Good("")),
        calls(
            Entry::IbcChannelConnect,
            ibc(mocks::mock_ibc_channel_connect_ack("channel-432", IbcOrder::Ordered, "ibc-reflect-v1")),
            Good("instantiate"),
        ),
        asks(json!({"list_accounts": {}}), Good("")),
        calls(Entry::IbcPacketReceive, packet(json!({"who_am_i": {}})), Good("acknowledgement")),
        calls(Entry::Reply, reply(&account("reflect")), Good("")),
        asks(json!({"account": {"channel_id": "channel-432"}}), Good("")),
        calls(Entry::IbcPacketReceive, packet(json!({"dispatch": {"msgs": [send]}})), Good("execute")),
        calls(Entry::IbcPacketReceive, packet(json!({"who_am_i": {}})), Good("acknowledgement")),
        calls(Entry::IbcPacketReceive, packet(json!({"nonsense": {}})), Good("acknowledgement")),
        calls(
            Entry::IbcChannelClose,
            ibc(mocks::mock_ibc_channel_close_confirm("channel-432", IbcOrder::Ordered, "ibc-reflect-v1")),
            Good(""),
        ),
        asks(json!({"list_accounts": {}}), Good("")),
    ]
}

fn ibc_reflect_send() -> Vec<Step> {
    let open = |order, version| ibc(mocks::mock_ibc_channel_open_init("channel-1", order, version));
    let who = ibc(mocks::mock_ibc_packet_ack(
        "channel-1",
        &json!({"who_am_i": {}}),
        cosmwasm_std::IbcAcknowledgement::new(json!({"ok": {"account": "account-789"}}).to_string().into_bytes()),
    )
    .ok());
    let funds =
        |channel: &str| json!({"send_funds": {"reflect_channel_id": channel, "transfer_channel_id": "transfer-2"}});
    let send = json!({"bank": {"send": {"to_address": "my-friend", "amount": [{"denom": "uatom", "amount": "7"}]}}});
    vec![
        makes(json!({}), Good("")),
        asks(json!({"admin": {}}), Good("")),
        calls(Entry::IbcChannelOpen, open(IbcOrder::Unordered, "ibc-reflect-v1"), Refused("Only supports ordered")),
        calls(Entry::IbcChannelOpen, open(IbcOrder::Ordered, "ibc-reflect-v1"), Good("")),
        calls(
            Entry::IbcChannelConnect,
            ibc(mocks::mock_ibc_channel_connect_ack("channel-1", IbcOrder::Ordered, "ibc-reflect-v1")),
            Good("send_packet"),
        ),
        asks(json!({"account": {"channel_id": "channel-1"}}), Good("")),
        calls(Entry::IbcPacketAck, who, Good("")),
        asks(json!({"list_accounts": {}}), Good("")),
        says(json!({"send_msgs": {"channel_id": "channel-1", "msgs": [send]}}), Good("send_packet")),
        says(json!({"check_remote_balance": {"channel_id": "channel-1"}}), Good("send_packet")),
        Step(Entry::Execute, "alice", 12_344, funds("random-channel"), Refused("")),
        says(funds("channel-1"), Refused("")),
        Step(Entry::Execute, "alice", 12_344, funds("channel-1"), Good("transfer-2")),
        calls(
            Entry::IbcPacketTimeout,
            ibc(mocks::mock_ibc_packet_timeout("channel-1", &json!({"balances": {}})).ok()),
            Good(""),
        ),
        says(json!({"update_admin": {"admin": account("bob")}}), Good("")),
        says(json!({"update_admin": {"admin": account("bob")}}), Refused("")),
    ]
}

fn ibc_callbacks() -> Vec<Step> {
    let transfer = json!({"transfer": {"to_address": "far", "channel_id": "channel-1", "timeout_seconds": 60}});
    vec![
        makes(json!({}), Good("")),
        asks(json!({"callback_stats": {}}), Good("")),
        Step(Entry::Execute, "alice", 5, transfer, Good("channel-1")),
    ]
}

fn ibc2() -> Vec<Step> {
    let payload = json!({"response_without_ack": false, "send_async_ack_for_prev_msg": false});
    vec![
        makes(json!({}), Good("")),
        asks(json!({"query_state": {}}), Good("")),
        calls(Entry::Ibc2PacketReceive, ibc(mocks::mock_ibc2_packet_recv(&payload).ok()), Good("")),
        calls(Entry::Ibc2PacketAck, ibc(mocks::mock_ibc2_packet_ack(&payload).ok()), Good("")),
        calls(Entry::Ibc2PacketTimeout, ibc(mocks::mock_ibc2_packet_timeout(&payload).ok()), Good("")),
        asks(json!({"query_state": {}}), Good("")),
    ]
}

fn cw20_base() -> Vec<Step> {
    let (alice, bob) = (account("alice"), account("bob"));
    let make = json!({
        "name": "token", "symbol": "TOKEN", "decimals": 6,
        "initial_balances": [{"address": alice, "amount": "1000"}],
        "mint": {"minter": alice, "cap": "2000"},
    });
    let amount = |verb: &str, who: &str, amount: &str| json!({verb: {"recipient": who, "amount": amount}});
    let from = |amount: &str| json!({"transfer_from": {"owner": alice, "recipient": bob, "amount": amount}});
    vec![
        makes(json!({"name": "x"}), Refused("missing field")),
        makes(make, Good("")),
        asks(json!({"token_info": {}}), Good("")),
        says(amount("transfer", &bob, "10"), Good("transfer")),
        says(amount("transfer", &bob, "100000"), Refused("verflow")),
        // {"balance":"10"}
        asks(json!({"balance": {"address": bob}}), Good("eyJiYWxhbmNlIjoiMTAifQ==")),
        says(amount("mint", &bob, "1000"), Good("mint")),
        says(amount("mint", &bob, "1"), Refused("Minting cannot exceed the cap")),
        Step(Entry::Execute, "bob", 0, amount("mint", &bob, "1"), Refused("Unauthorized")),
        says(json!({"increase_allowance": {"spender": bob, "amount": "25"}}), Good("increase_allowance")),
        Step(Entry::Execute, "bob", 0, from("20"), Good("transfer_from")),
        Step(Entry::Execute, "bob", 0, from("20"), Refused("verflow")),
        asks(json!({"all_accounts": {}}), Good("")),
        says(json!({"burn": {"amount": "5"}}), Good("burn")),
        says(json!({"send": {"contract": bob, "amount": "5", "msg": "e30="}}), Good("execute")),
    ]
}

fn replier() -> Vec<Step> {
    let message = |id: u8, fails: bool, messages: Value| {
        json!({
            "msg_id": id, "set_data_in_exec_and_reply": true, "return_order_in_reply": false, "exec_error": fails,
            "reply_error": false, "reply_on_never": false, "messages": messages,
        })
    };
    let inner = json!([message(2, false, json!([])), message(3, true, json!([]))]);
    let said = json!({"ok": {"events": [], "data": null, "msg_responses": []}});
    vec![
        makes(json!({}), Good("")),
        says(message(1, false, inner), Good("\"reply_on\"")),
        says(message(1, true, json!([])), Refused("Err in exec")),
        says(json!({"msg_id": 1}), Refused("missing field")),
        calls(Entry::Reply, json!({"id": 2, "payload": "", "gas_used": 1, "result": said}), Good("")),
    ]
}

fn cw1_whitelist() -> Vec<Step> {
    let alice = account("alice");
    let send = json!({"bank": {"send": {"to_address": "friend", "amount": [{"denom": "token", "amount": "1"}]}}});
    let run = json!({"execute": {"msgs": [send]}});
    vec![
        makes(json!({"admins": [alice], "mutable": true}), Good("")),
        asks(json!({"admin_list": {}}), Good("")),
        says(run.clone(), Good("friend")),
        Step(Entry::Execute, "mallory", 0, run, Refused("Unauthorized")),
        says(json!({"freeze": {}}), Good("freeze")),
        says(json!({"update_admins": {"admins": []}}), Refused("Unauthorized")),
    ]
}

/// Versions of hackatom that release all that they have.
const NO_DENOM: [&str; 3] = ["hackatom_1.0", "hackatom_1.2", "wasmd/hackatom"];

/// The flow of a contract by the name of its file.
fn flow(name: &str) -> Option<Vec<Step>> {
    let flows: [(&str, fn() -> Vec<Step>); 13] = [
        ("queue", queue),
        ("reflect", reflect),
        ("burner", burner),
        ("staking", staking),
        ("ibc_reflect_send", ibc_reflect_send),
        ("ibc_reflect", ibc_reflect),
        ("ibc_callbacks", ibc_callbacks),
        ("ibc2", ibc2),
        ("cw20_base", cw20_base),
        ("cw1_whitelist", cw1_whitelist),
        ("replier", replier),
        ("floaty_2.0", floaty_2),
        ("floaty", floaty),
    ];
    match name.rsplit('/').next().unwrap_or(name) {
        file if file.starts_with("hackatom") => Some(hackatom(name)),
        file if file.starts_with("cyberpunk") => Some(cyberpunk(name)),
        file => flows.iter().find(|(prefix, _)| file.starts_with(prefix)).map(|(_, steps)| steps()),
    }
}

/// Runs every flow; a line for each contract, and each step that ends otherwise than stated or than on the peer.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    VALIDATORS.store(true, Ordering::Relaxed);
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let (ours, theirs) = (Ours::new(folders[0].path(), 256 << 20)?, Theirs::new(folders[1].path(), 256 << 20)?);
    let (mut wrong, mut steps) = (0, 0);
    for contract in codes::all(options)? {
        let name = &contract.name;
        let (Ok(code), Ok(other)) = (ours.put(&contract.wasm), theirs.put(&contract.wasm)) else { continue };
        theirs.cache.pin(&other).map_err(|error| anyhow!("{error}"))?;
        let Some(flow) = flow(name) else {
            println!("{name:<28} no flow");
            continue;
        };
        let (mut rows, mut seen, mut faults) = (BTreeMap::new(), Seen::default(), 0);
        for (number, step) in flow.iter().enumerate() {
            let ask = ask(step)?;
            let report = ours.call(&code, &ask, &mut World::new(Rows::of(rows.clone())), GAS);
            ours.said();
            let end = classes::ours(&report.result);
            let mut fault = (!meets(&end, &step.4)).then(|| format!("{end:?}"));
            match compare(&ours, &theirs, (&code, &other), &ask, &rows, false, &mut seen)? {
                Ok(left) => rows = left,
                Err(difference) => fault = Some(difference),
            }
            if let Some(fault) = fault {
                faults += 1;
                println!("{name}, step {number}, {} {}:\n  {fault}", step.0, step.3);
            }
        }
        steps += flow.len();
        wrong += faults;
        println!("{name:<28} {} steps{}", flow.len(), if faults == 0 { "" } else { ", NOT all as stated" });
    }
    println!("{steps} steps, {wrong} not as stated");
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn meets(end: &End, want: &Want) -> bool {
    match (want, end) {
        (Good(words), End::Returned(json)) => json.starts_with("{\"ok\"") && json.contains(words),
        (Refused(words), End::Returned(json)) => json.starts_with("{\"error\"") && json.contains(words),
        (Aborted(words), End::Aborted(message)) => message.contains(words),
        (Trap(kind), End::Trap(trap)) => kind == trap,
        (Gas, End::OutOfGas) => true,
        _ => false,
    }
}

fn ask(Step(entry, who, funds, message, _): &Step) -> Result<Ask> {
    let mut args = vec![serde_json::to_vec(&mock_env())?];
    if matches!(entry, Entry::Instantiate | Entry::Execute) {
        let funds = if *funds == 0 { Vec::new() } else { cosmwasm_std::coins(*funds, "earth") };
        args.push(serde_json::to_vec(&mock_info(&account(who), &funds))?);
    }
    args.push(serde_json::to_vec(message)?);
    if *entry == Entry::Migrate {
        args.push(serde_json::to_vec(&json!({"sender": account(who), "old_migrate_version": null}))?);
    }
    Ok(Ask { entry: *entry, args })
}

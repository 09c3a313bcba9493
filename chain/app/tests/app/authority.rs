//! What the authority says, by itself or by a contract that is there from the start: parameters, pins, upgrades.

use std::sync::Arc;

use aceso_app::{
    App, AppError, Config, genesis_contract,
    upgrade::{Migration, Rules, Upgrade},
};
use aceso_blobs::{BlobStore, Options};
use aceso_types::{
    genesis::{Genesis, GenesisContract},
    msg::{MsgCancelUpgrade, MsgScheduleUpgrade, MsgSetValidator, MsgUpdateParams},
    query::{QueryUpgrade, QueryValidators},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::{
    Any,
    cosmwasm::wasm::v1::{
        MsgPinCodes, MsgUnpinCodes, QueryContractInfoRequest, QueryContractInfoResponse, QueryPinnedCodesRequest,
        QueryPinnedCodesResponse,
    },
};
use serde_json::{Value, json};

use crate::{
    contracts::{execute, make, store},
    fixture::{Members, Net, PREFIX, alice, block_of, bob, code, ours, sdk, send},
    guests::{NOTHING, echo},
};

fn by_alice(genesis: &mut Genesis) {
    genesis.authority = alice().address();
}

fn params(params: &Value, consensus: &Value) -> Any {
    let bytes = |value: &Value| if value.is_null() { vec![] } else { value.to_string().into_bytes() };
    let (params, consensus) = (bytes(params), bytes(consensus));
    ours(&MsgUpdateParams { authority: alice().address(), params, consensus })
}

fn schedule(name: &str, height: u64) -> Any {
    let (name, info) = (name.into(), "https://example.org".into());
    ours(&MsgScheduleUpgrade { authority: alice().address(), name, height, info })
}

#[test]
fn parameters_hold_from_the_next_block_on() {
    let mut net = Net::with(by_alice);
    let before = net.app.chain().unwrap();
    let change = params(&json!({"memo_bytes_max": 3}), &json!({"block_gas": 20_000_000, "evidence_bytes": 5}));
    let tx = net.draft(&[&alice()], vec![change]).sign();
    let done = net.block(vec![tx]);
    assert!(done.tx_results[0].code.is_ok(), "{}", done.tx_results[0].log);
    let engine = done.consensus_param_updates.unwrap();
    assert_eq!((engine.block.max_gas, engine.block.max_bytes, engine.evidence.max_bytes), (20_000_000, 4 << 20, 5));
    assert_eq!(engine.abci.vote_extensions_enable_height.unwrap().value(), 1);
    assert_eq!(engine.version.unwrap().app, net.app.info().app_version);
    let after = net.app.chain().unwrap();
    assert_eq!((after.block_gas, after.params.memo_bytes_max), (Some(20_000_000), 3));
    assert_eq!(after.params.signatures_max, before.params.signatures_max);
    assert!(net.block(vec![]).consensus_param_updates.is_none());
    let mut talkative = net.draft(&[&bob()], vec![send(&bob(), &alice().address(), 1)]);
    talkative.memo = "four".into();
    let tx = talkative.sign();
    assert_eq!(code(&net.deliver(tx)), ("sdk", 12));
}

#[test]
fn parameters_that_may_not_be_are_refused_and_nothing_changes() {
    let mut net = Net::with(by_alice);
    let before = net.app.chain().unwrap().params;
    let none = Value::Null;
    for (changes, consensus) in [
        (json!({"no_such_thing": 1}), none.clone()),
        (json!({"memo_bytes_max": "3"}), none.clone()),
        (json!({"signatures_max": 0}), none.clone()),
        (json!({"power_share_max_bps": 10_001}), none.clone()),
        (json!([1]), none.clone()),
        (none.clone(), json!({"block_gas": 1})),
        (none.clone(), json!({"block_bytes": 1})),
        (none.clone(), json!({"evidence_bytes": 5_000_000})),
        (none.clone(), json!({"evidence_age_seconds": 0})),
        (none.clone(), json!({"extensions_from": 9})),
    ] {
        let result = net.run(&alice(), vec![params(&changes, &consensus)]);
        assert_eq!(code(&result), ("aceso", 801), "{}", result.log);
    }
    // One validator cannot hold half of the power, and be the only one.
    let result = net.run(&alice(), vec![params(&json!({"power_share_max_bps": 5_000}), &none)]);
    assert_eq!(code(&result), ("aceso", 704), "{}", result.log);
    let msg = MsgUpdateParams { authority: bob().address(), params: b"{}".to_vec(), consensus: vec![] };
    assert_eq!(code(&net.run(&bob(), vec![ours(&msg)])), ("aceso", 701));
    assert_eq!(net.app.chain().unwrap().params, before);
}

#[test]
fn pinned_code_costs_less_and_only_the_authority_pins() {
    let mut net = Net::with(by_alice);
    let id = store(&mut net, echo());
    let contract = make(&mut net, id, NOTHING);
    let gas = execute(&mut net, &contract, NOTHING).gas_used;
    let pin = |authority: String| sdk(&MsgPinCodes { authority, code_ids: vec![id] });
    assert_eq!(code(&net.run(&bob(), vec![pin(bob().address())])), ("aceso", 701));
    net.ok(&alice(), vec![pin(alice().address())]);
    let pinned = |net: &Net| {
        let request = QueryPinnedCodesRequest { pagination: None };
        net.query::<QueryPinnedCodesResponse>("/cosmwasm.wasm.v1.Query/PinnedCodes", &request).code_ids
    };
    assert_eq!(pinned(&net), [id]);
    // What getting ready costs, but for a byte more of the code's row.
    let saved = gas - execute(&mut net, &contract, NOTHING).gas_used;
    assert!((57_900..=58_000).contains(&saved), "{saved}");
    net.ok(&alice(), vec![sdk(&MsgUnpinCodes { authority: alice().address(), code_ids: vec![id] })]);
    assert!(pinned(&net).is_empty());
    let unknown = sdk(&MsgPinCodes { authority: alice().address(), code_ids: vec![id, 9] });
    assert_eq!(code(&net.run(&alice(), vec![unknown])), ("wasm", 28));
    assert!(pinned(&net).is_empty());
}

fn any(msg: &Any) -> Value {
    json!({ "any": { "type_url": msg.type_url, "value": STANDARD.encode(&msg.value) } })
}

/// The answer of a contract that sends a message.
fn sends(msg: &Any) -> String {
    let sub = json!({ "id": 0, "payload": "", "msg": any(msg), "gas_limit": null, "reply_on": "never" });
    json!({ "ok": { "messages": [sub], "attributes": [], "events": [], "data": null } }).to_string()
}

fn by_echo(genesis: &mut Genesis) {
    genesis.authority = genesis_contract(&echo(), b"gov", PREFIX).unwrap();
    genesis.contracts.push(GenesisContract {
        code: echo(),
        code_id: 0,
        label: "governance".into(),
        admin: "self".into(),
        msg: serde_json::from_str(NOTHING).unwrap(),
        salt: "gov".into(),
    });
}

#[test]
fn a_contract_of_the_genesis_is_the_authority_from_the_first_block_on() {
    let mut net = Net::with(by_echo);
    let contract = genesis_contract(&echo(), b"gov", PREFIX).unwrap();
    let request = QueryContractInfoRequest { address: contract.clone() };
    let info: QueryContractInfoResponse = net.query("/cosmwasm.wasm.v1.Query/ContractInfo", &request);
    assert_eq!(info.contract_info.unwrap().admin, contract);
    let set = |authority: &str| {
        ours(&MsgSetValidator {
            authority: authority.into(),
            consensus_key: vec![5; 32],
            power: 3,
            operator: String::new(),
            name: String::new(),
        })
    };
    let result = execute(&mut net, &contract, &sends(&set(&contract)));
    assert!(result.code.is_ok(), "{}", result.log);
    assert_eq!(net.ask(&QueryValidators { page: None }).total, 13);
    let pin = sdk(&MsgPinCodes { authority: contract.clone(), code_ids: vec![1] });
    assert!(execute(&mut net, &contract, &sends(&pin)).code.is_ok());
    // It speaks for itself only, and another contract does not speak for it.
    assert_eq!(code(&execute(&mut net, &contract, &sends(&set(&alice().address())))), ("sdk", 4));
    let other = make(&mut net, 1, NOTHING);
    assert_eq!(code(&execute(&mut net, &other, &sends(&set(&contract)))), ("sdk", 4));
    assert_eq!(code(&execute(&mut net, &other, &sends(&set(&other)))), ("aceso", 701));
    // Who signs does not matter, so nobody can sign in its name.
    assert_ne!(code(&net.run(&alice(), vec![set(&contract)])).1, 0);
    assert_eq!(net.ask(&QueryValidators { page: None }).total, 13);
    let banned = Any { type_url: "/cosmwasm.wasm.v1.MsgStoreCode".into(), value: vec![] };
    assert_eq!(code(&execute(&mut net, &contract, &sends(&banned))), ("sdk", 6));
}

#[test]
fn a_genesis_whose_contracts_cannot_be_made_starts_no_chain() {
    let net = Net::start();
    let dir = tempfile::tempdir().unwrap();
    let app = open(dir.path(), &[]).unwrap();
    let refused = |change: fn(&mut Genesis)| {
        let changed = net.genesis(|genesis| {
            by_echo(genesis);
            change(genesis);
        });
        match app.init_chain(changed) {
            Err(AppError::Genesis(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(|g| g.contracts[0].code.clear()).contains("contracts"));
    assert!(refused(|g| g.contracts[0].label.clear()).contains("contracts"));
    assert!(refused(|g| g.contracts[0].msg = json!("nonsense")).contains("contracts"));
    assert!(refused(|g| g.contracts[0].salt = "another".into()).contains("none of the contracts"));
    assert!(refused(|g| g.contracts.push(g.contracts[0].clone())).contains("try a different salt"));
    assert!(app.chain().is_none());
}

fn open(dir: &std::path::Path, upgrades: &'static [Upgrade]) -> Result<App, AppError> {
    let blobs = Arc::new(BlobStore::open(&dir.join("blobs"), Options::default()).unwrap());
    App::open(Config { upgrades, ..Config::new(dir, blobs, &Members) })
}

fn migrate(state: &mut Migration<'_>) -> Result<(), AppError> {
    let params = state.get("chain", b"params")?.unwrap();
    let mut params: Value = serde_json::from_slice(&params).unwrap();
    params["memo_bytes_max"] = 7.into();
    state.set("chain", b"params", params.to_string().as_bytes())
}

static GATED: &[Upgrade] = &[Upgrade { name: "v2", rules: Rules::Gated, migrate }];
static CHANGED: &[Upgrade] = &[Upgrade { name: "v2", rules: Rules::Changed, migrate }];

/// A chain at height 2 with an upgrade that is due at 4, its application closed.
fn scheduled(upgrades: &'static [Upgrade]) -> (tempfile::TempDir, Net) {
    let dir = tempfile::tempdir().unwrap();
    let mut net = Net::over(open(dir.path(), upgrades).unwrap(), by_alice);
    net.ok(&alice(), vec![schedule("v2", 4)]);
    (dir, net)
}

#[test]
fn the_old_binary_stops_and_the_new_one_goes_on() {
    let (dir, mut net) = scheduled(&[]);
    let row = net.ask(&QueryUpgrade {});
    assert_eq!((row.name.as_str(), row.height, row.info.as_str()), ("v2", 4, "https://example.org"));
    net.block(vec![]);
    let due = net.app.finalize_block(block_of(4, vec![])).unwrap_err();
    expect_test::expect![[r#"upgrade "v2" is due at block 4 and this binary does not know it; install the one that does and start again (info: "https://example.org")"#]].assert_eq(&due.to_string());
    let old = net.app;
    drop((old, net.blobs));
    // Started again it says so at once.
    let again = open(dir.path(), &[]).err().unwrap();
    assert_eq!(again.to_string(), due.to_string());
    // The new one does block 4 by the new rules, also after a crash before its commit.
    let first = {
        let app = open(dir.path(), GATED).unwrap();
        let done = app.finalize_block(block_of(4, vec![])).unwrap();
        assert_eq!(done.events[0].kind, "upgrade");
        done.app_hash
    };
    let app = open(dir.path(), CHANGED).unwrap();
    assert_eq!(app.chain().unwrap().params.memo_bytes_max, 256);
    assert_eq!(app.finalize_block(block_of(4, vec![])).unwrap().app_hash, first);
    app.commit().unwrap();
    assert_eq!(app.chain().unwrap().params.memo_bytes_max, 7);
    app.finalize_block(block_of(5, vec![])).unwrap();
    app.commit().unwrap();
    drop(app);
    // From now on it is the one that runs.
    assert!(open(dir.path(), CHANGED).is_ok());
}

#[test]
fn a_binary_that_knows_the_upgrade_replays_the_chain_to_the_same_hashes() {
    let blocks = |upgrades| {
        let (_dir, mut net) = scheduled(upgrades);
        let hashes: Vec<_> = (0..4).map(|_| net.block(vec![]).app_hash).collect();
        assert_eq!(net.ask(&QueryUpgrade {}).done[0].height, 4);
        assert_eq!(net.ask(&QueryUpgrade {}).name, "");
        hashes
    };
    assert_eq!(blocks(GATED), blocks(GATED));
}

#[test]
fn a_binary_with_other_rules_does_not_start_early() {
    let (dir, net) = scheduled(&[]);
    drop((net.app, net.blobs));
    let early = open(dir.path(), CHANGED).err().unwrap().to_string();
    expect_test::expect![[r#"this binary has the rules of upgrade "v2", which is due at block 4, and the chain is at block 2; run the binary before it until then"#]].assert_eq(&early);
    assert!(open(dir.path(), GATED).is_ok());
    // A chain that it begins has its rules from the start.
    let fresh = tempfile::tempdir().unwrap();
    let net = Net::over(open(fresh.path(), CHANGED).unwrap(), by_alice);
    assert_eq!(net.ask(&QueryUpgrade {}).done[0].height, 1);
    drop((net.app, net.blobs));
    assert!(open(fresh.path(), CHANGED).is_ok());
}

#[test]
fn upgrades_that_may_not_be_are_refused() {
    let mut net = Net::with(by_alice);
    for (name, at) in [("", 9), ("V2", 9), ("a b", 9), (&"x".repeat(65)[..], 9), ("v2", 2), ("v2", 0)] {
        assert_eq!(code(&net.run(&alice(), vec![schedule(name, at)])), ("aceso", 802), "{name} at {at}");
        assert_eq!(net.ask(&QueryUpgrade {}).name, "");
    }
    let cancel = || ours(&MsgCancelUpgrade { authority: alice().address() });
    assert_eq!(code(&net.run(&alice(), vec![cancel()])), ("aceso", 802));
    let by_bob = MsgScheduleUpgrade { authority: bob().address(), name: "v2".into(), height: 99, info: String::new() };
    assert_eq!(code(&net.run(&bob(), vec![ours(&by_bob)])), ("aceso", 701));
    net.ok(&alice(), vec![schedule("v2", 99)]);
    assert_eq!(code(&net.run(&alice(), vec![schedule("v3", 100)])), ("aceso", 802));
    net.ok(&alice(), vec![cancel(), schedule("v3", 100)]);
    assert_eq!(net.ask(&QueryUpgrade {}).name, "v3");
}

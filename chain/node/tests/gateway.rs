//! The REST gateway of `aceso dev`: what it answers is what `abci_query` answers, in the gateway's JSON; Keplr's requests
//! in Keplr's order; and every path of the OpenAPI document.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests wait and look at the clock")]
#![allow(clippy::indexing_slicing, reason = "what is missing of an answer fails the test")]

mod common;

use std::time::{Duration, Instant};

use aceso_types::query::{QueryUpgrade, QueryValidators, UpgradeRow, ValidatorRows};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use common::{Node, Wallet, alice};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        auth::v1beta1::{QueryAccountRequest, QueryAccountResponse},
        bank::v1beta1::{
            MsgSend, QueryAllBalancesRequest, QueryAllBalancesResponse, QueryTotalSupplyRequest,
            QueryTotalSupplyResponse,
        },
        base::{query::v1beta1::PageRequest, v1beta1::Coin},
        tx::v1beta1::{AuthInfo, Fee, ModeInfo, SignerInfo, TxBody, TxRaw, mode_info},
    },
    cosmwasm::wasm::v1::{QueryParamsRequest, QueryParamsResponse},
};
use prost::Message;
use serde_json::{Value, json};

const CHAIN: &str = "gateway-1";

/// A chain on which alice has coins.
struct Chain {
    node: Node,
    alice: Wallet,
    _home: tempfile::TempDir,
}

impl Chain {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let fund = alice(home.path());
        let node = Node::start(home.path(), &["--fund", &fund, "--chain-id", CHAIN, "--grpc", "off"]);
        let alice = Wallet::open(&home.path().join("keys/alice.mnemonic"));
        Self { node, alice, _home: home }
    }

    /// Status and JSON of a request; a body makes it a POST.
    fn ask(&self, path: &str, body: Option<Value>) -> (u16, Value) {
        self.ask_at(path, body, None).0
    }

    /// The same about a height, and the height that was answered about.
    fn ask_at(&self, path: &str, body: Option<Value>, height: Option<u64>) -> ((u16, Value), Option<u64>) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("{}{path}", self.node.rest);
        let height = height.map(|height| height.to_string());
        let header = |name: &'static str| height.iter().map(move |value| (name, value.clone()));
        let mut answer = match body {
            Some(body) => agent.post(&url).header("content-type", "application/json").send(body.to_string()).unwrap(),
            None => {
                let asked = header("x-cosmos-block-height").fold(agent.get(&url), |ask, (name, v)| ask.header(name, v));
                asked.call().unwrap()
            }
        };
        let height =
            answer.headers().get("x-cosmos-block-height").map(|value| value.to_str().unwrap().parse().unwrap());
        let text = answer.body_mut().read_to_string().unwrap();
        let status = answer.status().as_u16();
        ((status, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}: {text}"))), height)
    }

    fn ok(&self, path: &str) -> Value {
        let (status, json) = self.ask(path, None);
        assert_eq!(status, 200, "{path}: {json}");
        json
    }

    fn abci<A: Message + Default>(&self, path: &str, question: &impl Message) -> A {
        self.node.query(path, question).unwrap()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

#[test]
fn answers_are_those_of_abci_query() {
    let chain = Chain::start();
    let address = chain.alice.address.clone();

    let account = chain.alice.account(&chain.node).unwrap();
    let told = chain.ok(&format!("/cosmos/auth/v1beta1/accounts/{address}"));
    let any: QueryAccountResponse =
        chain.abci("/cosmos.auth.v1beta1.Query/Account", &QueryAccountRequest { address: address.clone() });
    assert_eq!(text(&told["account"]["@type"]), any.account.unwrap().type_url);
    assert_eq!(
        told["account"],
        json!({"@type": "/cosmos.auth.v1beta1.BaseAccount", "address": address, "pub_key": null,
               "account_number": account.account_number.to_string(), "sequence": "0"})
    );
    let info = chain.ok(&format!("/cosmos/auth/v1beta1/account_info/{address}"));
    assert_eq!(info["info"]["account_number"], told["account"]["account_number"]);
    let all = chain.ok("/cosmos/auth/v1beta1/accounts?pagination.limit=1000");
    assert!(all["accounts"].as_array().unwrap().contains(&told["account"]));
    assert_eq!(chain.ok("/cosmos/auth/v1beta1/bech32"), json!({"bech32_prefix": "aceso"}));
    assert_eq!(chain.ok("/cosmos/auth/v1beta1/params")["params"]["tx_size_cost_per_byte"], "10");

    let question = QueryAllBalancesRequest { address: address.clone(), ..Default::default() };
    let coins: QueryAllBalancesResponse = chain.abci("/cosmos.bank.v1beta1.Query/AllBalances", &question);
    let coin = |coin: &Coin| json!({"denom": coin.denom, "amount": coin.amount});
    let coins: Vec<Value> = coins.balances.iter().map(coin).collect();
    for path in ["balances", "spendable_balances"] {
        let told = chain.ok(&format!("/cosmos/bank/v1beta1/{path}/{address}?pagination.limit=1000"));
        assert_eq!(told, json!({"balances": coins, "pagination": {"next_key": null, "total": "0"}}));
        let told = chain.ok(&format!("/cosmos/bank/v1beta1/{path}/{address}/by_denom?denom=uaceso"));
        assert_eq!(told["balance"], coins[0]);
    }
    let question = QueryTotalSupplyRequest { pagination: Some(PageRequest { limit: 0, ..Default::default() }) };
    let supply: QueryTotalSupplyResponse = chain.abci("/cosmos.bank.v1beta1.Query/TotalSupply", &question);
    let told = chain.ok("/cosmos/bank/v1beta1/supply?pagination.count_total=true");
    assert_eq!(told["supply"], json!(supply.supply.iter().map(coin).collect::<Vec<_>>()));
    assert_eq!(told["pagination"]["total"], supply.supply.len().to_string());
    let denoms = chain.ok("/cosmos/bank/v1beta1/denoms_metadata/uaceso");
    assert_eq!(denoms["metadata"]["base"], "uaceso");
    assert_eq!(chain.ok("/cosmos/bank/v1beta1/denoms_metadata_by_query_string?denom=uaceso"), denoms);
    assert_eq!(chain.ask("/cosmos/bank/v1beta1/denoms_metadata/ibc%2Fnone", None).0, 404);
    let owners = chain.ok("/cosmos/bank/v1beta1/denom_owners/uaceso?pagination.limit=1000");
    assert!(owners["denom_owners"].as_array().unwrap().iter().any(|one| one["address"] == json!(address)));
    assert_eq!(chain.ok("/cosmos/bank/v1beta1/denom_owners_by_query?denom=uaceso&pagination.limit=1000"), owners);
    let number = info["info"]["account_number"].as_str().unwrap();
    let found = chain.ok(&format!("/cosmos/auth/v1beta1/address_by_id/0?account_id={number}"));
    assert_eq!(found["account_address"], json!(address));
    let bytes = chain.ok(&format!("/cosmos/auth/v1beta1/bech32/{address}"));
    assert_eq!(STANDARD.decode(bytes["address_bytes"].as_str().unwrap()).unwrap().len(), 20);
    // The wasm that the chain has was paid for; nothing sealed was.
    let modules = chain.ok("/cosmos/auth/v1beta1/module_accounts");
    let [collector] = &modules["accounts"].as_array().unwrap()[..] else { panic!("{modules}") };
    assert_eq!(
        (text(&collector["@type"]), text(&collector["name"])),
        ("/cosmos.auth.v1beta1.ModuleAccount", "fee_collector")
    );
    assert_eq!(&chain.ok("/cosmos/auth/v1beta1/module_accounts/fee_collector")["account"], collector);
    assert_eq!(chain.ask("/cosmos/auth/v1beta1/module_accounts/gov", None).0, 404);
    let limits = chain.ok("/cosmwasm/wasm/v1/wasm-limits-config");
    assert!(limits["config"].as_str().unwrap().starts_with('{'), "{limits}");

    let wasm: QueryParamsResponse = chain.abci("/cosmwasm.wasm.v1.Query/Params", &QueryParamsRequest {});
    let told = chain.ok("/cosmwasm/wasm/v1/codes/params")["params"].clone();
    let upload = wasm.params.unwrap().code_upload_access.unwrap();
    assert_eq!(told["code_upload_access"]["addresses"], json!(upload.addresses));
    assert_eq!(text(&told["code_upload_access"]["permission"]), upload.permission().as_str_name());
    assert_eq!(
        chain.ok("/cosmwasm/wasm/v1/code"),
        json!({"code_infos": [], "pagination": {"next_key": null, "total": "0"}})
    );
    let issued = chain.ok(&format!("/cosmos/feegrant/v1beta1/issued/{address}"));
    assert_eq!(issued["allowances"], json!([]));

    let rows: ValidatorRows = chain.abci("/aceso.validators.v1.Query/Validators", &QueryValidators::default());
    let told = chain.ok("/aceso/validators/v1/validators");
    assert_eq!(told["total"], rows.total.to_string());
    let (row, told) = (&rows.rows[0], &told["rows"][0]);
    assert_eq!(told["consensus_key"], STANDARD.encode(&row.consensus_key));
    assert_eq!((text(&told["power"]), text(&told["address"])), (&*row.power.to_string(), &*row.address));
    assert_eq!(chain.ok(&format!("/aceso/validators/v1/validators/{}", row.address))["power"], told["power"]);
    let upgrade: UpgradeRow = chain.abci("/aceso.validators.v1.Query/Upgrade", &QueryUpgrade {});
    assert_eq!(chain.ok("/aceso/validators/v1/upgrade")["name"], upgrade.name);
    for path in ["/aceso/models/v1/models", "/aceso/reads/v1/images?page.limit=1", "/aceso/reads/v1/jobs?open=true"] {
        assert_eq!(chain.ok(path)["rows"], json!([]), "{path}");
    }

    // The engine's services.
    let latest = chain.ok("/cosmos/base/tendermint/v1beta1/blocks/latest");
    let height = text(&latest["block"]["header"]["height"]).to_owned();
    let block = chain.node.call("block", json!({"height": height})).unwrap();
    let hash = STANDARD.decode(text(&latest["block_id"]["hash"])).unwrap();
    assert_eq!(text(&block["block_id"]["hash"]), hex::encode_upper(hash));
    // The gateway writes thousandths by threes, CometBFT as few as there are.
    let moment = |time: &Value| text(time).trim_end_matches('Z').trim_end_matches('0').to_owned();
    assert_eq!(moment(&latest["block"]["header"]["time"]), moment(&block["block"]["header"]["time"]));
    let again = chain.ok(&format!("/cosmos/base/tendermint/v1beta1/blocks/{height}"));
    assert_eq!(again["block_id"], latest["block_id"]);
    let set = chain.ok("/cosmos/base/tendermint/v1beta1/validatorsets/latest");
    assert_eq!(set["validators"][0]["pub_key"]["@type"], "/cosmos.crypto.ed25519.PubKey");
    assert_eq!(chain.ok("/cosmos/base/tendermint/v1beta1/syncing"), json!({"syncing": false}));
    assert!(chain.ok("/cosmos/base/node/v1beta1/config")["minimum_gas_price"].is_string());

    // A height that is named is the one that is answered about.
    let ((status, _), at) = chain.ask_at("/cosmos/bank/v1beta1/supply", None, Some(1));
    assert_eq!((status, at), (200, Some(1)));
    let ((status, told), _) = chain.ask_at("/cosmos/bank/v1beta1/supply", None, Some(1_000_000));
    assert!(status == 400 && text(&told["message"]).contains("1000000"), "{status} {told}");
}

/// The transaction that Keplr simulates: no public key, an amino signature of zeros.
fn unsigned(address: &str) -> Vec<u8> {
    let coin = Coin { denom: "uaceso".into(), amount: "1".into() };
    let message = MsgSend { from_address: address.into(), to_address: address.into(), amount: vec![coin] };
    let any = Any { type_url: "/cosmos.bank.v1beta1.MsgSend".into(), value: message.encode_to_vec() };
    let single = mode_info::Sum::Single(mode_info::Single { mode: 127 });
    let auth_info = AuthInfo {
        signer_infos: vec![SignerInfo {
            public_key: None,
            mode_info: Some(ModeInfo { sum: Some(single) }),
            sequence: 0,
        }],
        fee: Some(Fee::default()),
        ..Default::default()
    };
    let body = TxBody { messages: vec![any], ..Default::default() };
    let (body_bytes, auth_info_bytes) = (body.encode_to_vec(), auth_info.encode_to_vec());
    TxRaw { body_bytes, auth_info_bytes, signatures: vec![vec![0; 64]] }.encode_to_vec()
}

#[test]
fn keplrs_requests_in_keplrs_order() {
    let chain = Chain::start();
    let address = &chain.alice.address;
    // Suggesting the chain.
    let status = chain.node.call("status", json!({})).unwrap();
    let (mut socket, _) = tungstenite::connect(format!("{}/websocket", chain.node.rpc.replace("http", "ws"))).unwrap();
    let info = chain.ok("/cosmos/base/tendermint/v1beta1/node_info");
    assert_eq!(info["default_node_info"]["network"], status["node_info"]["network"]);
    assert_eq!(info["default_node_info"]["network"], CHAIN);
    // Which features there are.
    for (path, status) in [
        ("/cosmwasm/wasm/v1/contract/test/smart/test", 400),
        ("/cosmos/bank/v1beta1/spendable_balances/test", 400),
        ("/wasm/v1/contract/test/smart/test", 501),
        ("/ibc/apps/transfer/v1/params", 501),
        ("/cosmos/staking/v1beta1/params", 501),
    ] {
        let (told, json) = chain.ask(path, None);
        assert_eq!(told, status, "{path}: {json}");
        assert!(json["code"].is_u64() && json["message"].is_string() && json["details"] == json!([]), "{json}");
    }
    // An account that there is, and one that there is not.
    let account = chain.ok(&format!("/cosmos/auth/v1beta1/accounts/{address}"))["account"].clone();
    let nobody = chain.node.told["validator"].as_str().unwrap().to_owned();
    let (status, told) = chain.ask(&format!("/cosmos/auth/v1beta1/accounts/{}", nobody_of(&nobody)), None);
    assert_eq!((status, &told["code"]), (404, &json!(5)), "{told}");
    let balances = chain.ok(&format!("/cosmos/bank/v1beta1/balances/{address}?pagination.limit=1000"));
    assert_eq!(balances["balances"][0]["amount"], "1000000000000");
    // What a transfer takes, then the transfer itself.
    let body = json!({"tx_bytes": STANDARD.encode(unsigned(address))});
    let (status, simulated) = chain.ask("/cosmos/tx/v1beta1/simulate", Some(body));
    assert_eq!(status, 200, "{simulated}");
    let gas: u64 = text(&simulated["gas_info"]["gas_used"]).parse().unwrap();
    assert!((30_000..200_000).contains(&gas), "{gas}");
    assert!(simulated["result"]["events"].as_array().unwrap().iter().any(|event| event["type"] == "transfer"));
    let number = text(&account["account_number"]).parse().unwrap();
    let tx = chain.alice.send(CHAIN, number, 0);
    let hash = hex::encode_upper(<sha2::Sha256 as sha2::Digest>::digest(&tx));
    let query = format!("tm.event='Tx' AND tx.hash='{hash}'");
    let subscribe = json!({"jsonrpc": "2.0", "id": "1", "method": "subscribe", "params": [query]});
    socket.send(subscribe.to_string().into()).unwrap();
    let body = json!({"tx_bytes": STANDARD.encode(&tx), "mode": "BROADCAST_MODE_SYNC"});
    let (status, sent) = chain.ask("/cosmos/tx/v1beta1/txs", Some(body));
    assert_eq!((status, &sent["tx_response"]["code"]), (200, &json!(0)), "{sent}");
    assert_eq!(sent["tx_response"]["txhash"], hash);
    let told = loop {
        let message = socket.read().unwrap();
        if !message.is_text() {
            continue;
        }
        let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if message["result"]["data"].is_object() {
            break message["result"]["data"]["value"]["TxResult"].clone();
        }
    };
    assert_eq!(told["tx"], STANDARD.encode(&tx));
    // The transaction, with its parts spelled out.
    let began = Instant::now();
    let found = loop {
        let (status, found) = chain.ask(&format!("/cosmos/tx/v1beta1/txs/{hash}"), None);
        if status == 200 {
            break found;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{status} {found}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let message = json!({"@type": "/cosmos.bank.v1beta1.MsgSend", "from_address": address, "to_address": address,
                         "amount": [{"denom": "uaceso", "amount": "1"}]});
    assert_eq!(found["tx"]["body"]["messages"], json!([message]));
    assert_eq!(found["tx_response"]["tx"]["@type"], "/cosmos.tx.v1beta1.Tx");
    let signer = &found["tx"]["auth_info"]["signer_infos"][0];
    assert_eq!(signer["mode_info"], json!({"single": {"mode": "SIGN_MODE_DIRECT"}}));
    assert_eq!(signer["public_key"]["@type"], "/cosmos.crypto.secp256k1.PubKey");
    assert_eq!((&found["tx_response"]["height"], &found["tx_response"]["code"]), (&told["height"], &json!(0)));
    let query = format!("tx.hash='{hash}'").replace('\'', "%27").replace('=', "%3D");
    let list = chain.ok(&format!("/cosmos/tx/v1beta1/txs?query={query}"));
    assert_eq!(list["tx_responses"][0]["txhash"], hash);
    assert_eq!(chain.ask(&format!("/cosmos/tx/v1beta1/txs/{}", "0".repeat(64)), None).0, 404);
    assert!(chain.ok(&format!("/cosmos/auth/v1beta1/accounts/{address}"))["account"]["pub_key"]["key"].is_string());
    // There and back.
    let (_, decoded) = chain.ask("/cosmos/tx/v1beta1/decode", Some(json!({"tx_bytes": STANDARD.encode(&tx)})));
    assert_eq!(decoded["tx"], found["tx"]);
    let (status, encoded) = chain.ask("/cosmos/tx/v1beta1/encode", Some(json!({"tx": decoded["tx"]})));
    assert_eq!((status, &encoded["tx_bytes"]), (200, &json!(STANDARD.encode(&tx))), "{encoded}");
    for (path, asked) in [("encode", json!({"amino_json": "{}"})), ("decode", json!({"amino_binary": "AQ=="}))] {
        let (status, refused) = chain.ask(&format!("/cosmos/tx/v1beta1/{path}/amino"), Some(asked));
        assert_eq!((status, &refused["code"]), (501, &json!(12)), "{refused}");
    }
}

/// An address that nobody has, of a validator's 20 bytes.
fn nobody_of(hex_address: &str) -> String {
    let bytes = hex::decode(hex_address).unwrap();
    bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("aceso").unwrap(), &bytes).unwrap()
}

#[test]
fn every_path_of_the_document_is_served() {
    let chain = Chain::start();
    let document = chain.ok("/openapi.json");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 60, "{}", paths.len());
    for (path, verbs) in paths {
        let asked: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        let asked = asked.join("/");
        for verb in verbs.as_object().unwrap().keys() {
            let (status, json) = chain.ask(&asked, (verb == "post").then(|| json!({})));
            assert!(status != 501 && status != 405, "{verb} {path}: {status} {json}");
        }
    }
}

#[test]
fn contracts_answer_in_json_and_in_both_alphabets() {
    let chain = Chain::start();
    let query = br#"{"a":"??>>"}"#;
    for word in [URL_SAFE.encode(query), STANDARD.encode(query).replace('/', "%2F").replace('+', "%2B")] {
        let address = &chain.alice.address;
        let (status, told) = chain.ask(&format!("/cosmwasm/wasm/v1/contract/{address}/smart/{word}"), None);
        // It is a question, to an address that is no contract.
        assert!(status == 500 && text(&told["message"]).contains("no such contract"), "{status} {told}");
    }
    let (status, told) = chain.ask("/cosmwasm/wasm/v1/contract/x/smart/*", None);
    assert_eq!((status, &told["code"]), (400, &json!(3)));
}

#[test]
fn the_chain_info_of_the_documentation_fits_the_chain_that_dev_starts() {
    let page = include_str!("../../../docs/keplr.md");
    let block = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let info: Value = serde_json::from_str(block).unwrap();
    let home = tempfile::tempdir().unwrap();
    let fund = alice(home.path());
    let node = Node::start(home.path(), &["--fund", &fund]);
    assert_eq!(info["chainId"], node.told["chain_id"]);
    let prefix = text(&node.told["prefix"]);
    for (name, rest) in [
        ("AccAddr", ""),
        ("AccPub", "pub"),
        ("ValAddr", "valoper"),
        ("ValPub", "valoperpub"),
        ("ConsAddr", "valcons"),
        ("ConsPub", "valconspub"),
    ] {
        assert_eq!(info["bech32Config"][format!("bech32Prefix{name}")], format!("{prefix}{rest}"));
    }
    for name in ["currencies", "feeCurrencies"] {
        assert_eq!(info[name][0]["coinMinimalDenom"], node.told["denom"]);
        assert_eq!(info[name][0]["coinDecimals"], 6);
    }
    let metadata = ureq::get(format!("{}/cosmos/bank/v1beta1/denoms_metadata", node.rest)).call().unwrap();
    let metadata: Value = serde_json::from_str(&metadata.into_body().read_to_string().unwrap()).unwrap();
    assert_eq!(metadata["metadatas"][0]["symbol"], info["currencies"][0]["coinDenom"]);
    assert!(info["feeCurrencies"][0]["gasPriceStep"]["low"].as_f64().unwrap() >= 0.025);
}

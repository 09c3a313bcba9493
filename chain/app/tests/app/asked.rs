//! What contracts ask beside other contracts, and what clients ask about accounts and coins, each as the Cosmos SDK and
//! wasmd answer it.

use aceso_types::genesis::Genesis;
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::cosmos::{
    auth::v1beta1::{
        AddressBytesToStringRequest, AddressBytesToStringResponse, AddressStringToBytesRequest,
        AddressStringToBytesResponse, ModuleAccount, QueryAccountAddressByIdRequest, QueryAccountAddressByIdResponse,
        QueryAccountRequest, QueryAccountResponse, QueryModuleAccountByNameRequest, QueryModuleAccountByNameResponse,
        QueryModuleAccountsRequest, QueryModuleAccountsResponse,
    },
    bank::v1beta1::{
        QueryBalanceRequest, QueryDenomMetadataRequest, QueryDenomOwnersRequest, QueryDenomOwnersResponse,
        QueryDenomsMetadataRequest, QueryDenomsMetadataResponse, QuerySpendableBalanceByDenomRequest,
        QuerySpendableBalanceByDenomResponse, QuerySupplyOfRequest,
    },
    base::query::v1beta1::PageRequest,
};
use prost::{Message, Name};
use serde_json::{Value, json};

use crate::{
    contracts::{base64 as encoded, execute, got, make, store},
    fixture::{CHAIN, DENOM, Key, Net, RICH, alice, bob, nobody, sdk, send, text},
    guests::asker,
    vesting::{BEGIN, HELD, carol, holds, vests},
};

/// A chain with a contract that asks.
struct Asks {
    net: Net,
    contract: String,
}

impl Asks {
    fn on(mut net: Net) -> Self {
        let code = store(&mut net, asker());
        let contract = make(&mut net, code, "{}");
        Self { net, contract }
    }

    /// What the contract hears.
    fn heard(&mut self, question: &Value) -> Value {
        let result = execute(&mut self.net, &self.contract, &question.to_string());
        assert!(result.code.is_ok(), "{question}: {}", result.log);
        got(&self.net, &self.contract)
    }

    /// The bytes of an answer.
    fn bytes(&mut self, question: &Value) -> Vec<u8> {
        let heard = self.heard(question);
        STANDARD.decode(heard["ok"]["ok"].as_str().unwrap_or_else(|| panic!("{question}: {heard}"))).unwrap()
    }

    /// An answer in JSON.
    fn told(&mut self, question: &Value) -> Value {
        serde_json::from_slice(&self.bytes(question)).unwrap()
    }
}

fn refused(space: &str, code: u32) -> Value {
    json!({ "ok": { "error": format!("codespace: {space}, code: {code}") } })
}

#[test]
fn where_nobody_stakes_lists_are_empty() {
    let mut asks = Asks::on(Net::start());
    let (delegator, validator) = (alice().address(), operator(&bob()));
    for (question, answer) in [
        (json!({ "staking": { "bonded_denom": {} } }), json!({ "denom": DENOM })),
        (json!({ "staking": { "all_validators": {} } }), json!({ "validators": [] })),
        (json!({ "staking": { "validator": { "address": validator } } }), json!({ "validator": null })),
        (json!({ "staking": { "all_delegations": { "delegator": delegator } } }), json!({ "delegations": [] })),
        (
            json!({ "staking": { "delegation": { "delegator": delegator, "validator": validator } } }),
            json!({ "delegation": null }),
        ),
        (
            json!({ "distribution": { "delegator_withdraw_address": { "delegator_address": delegator } } }),
            json!({ "withdraw_address": delegator }),
        ),
        (
            json!({ "distribution": { "delegation_rewards": {
                "delegator_address": delegator, "validator_address": validator,
            } } }),
            json!({ "rewards": [] }),
        ),
        (
            json!({ "distribution": { "delegation_total_rewards": { "delegator_address": delegator } } }),
            json!({ "rewards": [], "total": [] }),
        ),
        (
            json!({ "distribution": { "delegator_validators": { "delegator_address": delegator } } }),
            json!({ "validators": [] }),
        ),
        (json!({ "ibc": { "port_id": {} } }), json!({ "port_id": "" })),
        (json!({ "ibc": { "list_channels": { "port_id": null } } }), json!({ "channels": [] })),
        (json!({ "ibc": { "channel": { "channel_id": "channel-0", "port_id": null } } }), json!({ "channel": null })),
        (json!({ "ibc": { "fee_enabled_channel": { "channel_id": "channel-0" } } }), json!({ "fee_enabled": false })),
    ] {
        assert_eq!(asks.told(&question), answer, "{question}");
    }
    for question in [
        json!({ "staking": { "validator": { "address": delegator } } }),
        json!({ "staking": { "all_delegations": { "delegator": "x" } } }),
        json!({ "staking": { "delegation": { "delegator": validator, "validator": validator } } }),
        json!({ "staking": { "delegation": { "delegator": delegator, "validator": "" } } }),
        json!({ "distribution": { "delegator_withdraw_address": { "delegator_address": "x" } } }),
        json!({ "distribution": { "delegation_rewards": {
            "delegator_address": delegator, "validator_address": delegator,
        } } }),
        json!({ "distribution": { "delegation_total_rewards": { "delegator_address": "" } } }),
        json!({ "distribution": { "delegator_validators": { "delegator_address": "x" } } }),
    ] {
        assert_eq!(asks.heard(&question), refused("sdk", 7), "{question}");
    }
    for question in [
        json!({ "staking": { "shares": {} } }),
        json!({ "staking": 1 }),
        json!({ "ibc": { "channel": {} } }),
        json!({ "distribution": {} }),
        json!({ "bank": { "burned": {} } }),
        json!({ "bank": {}, "wasm": {} }),
        json!({}),
        json!([]),
    ] {
        let heard = asks.heard(&question);
        assert!(heard["error"]["invalid_request"]["error"].is_string(), "{question}: {heard}");
    }
    for (question, kind) in [
        (json!({ "custom": { "dex": { "price": {} } } }), "custom"),
        (json!({ "gov": {} }), "gov"),
        (json!({ "x".repeat(100): {} }), &"x".repeat(64)[..]),
    ] {
        assert_eq!(asks.heard(&question), json!({ "error": { "unsupported_request": { "kind": kind } } }));
    }
}

/// A validator's operator as chains with staking write it.
fn operator(key: &Key) -> String {
    let bytes = bech32::decode(&key.address()).unwrap().1;
    bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("acesovaloper").unwrap(), &bytes).unwrap()
}

#[test]
fn a_contract_knows_what_is_locked() {
    let net = Net::with(|genesis| {
        holds(genesis, &carol());
        genesis.vesting = vec![vests("DelayedVestingAccount", &carol().address(), BEGIN + 60, "")];
    });
    let mut asks = Asks::on(net);
    let (address, denom) = (carol().address(), DENOM.to_owned());
    let whole = json!({ "denom": DENOM, "amount": HELD.to_string() });
    let balance = json!({ "bank": { "balance": { "address": address, "denom": DENOM } } });
    assert_eq!(asks.told(&balance), json!({ "amount": whole }));
    let all = json!({ "bank": { "all_balances": { "address": address } } });
    assert_eq!(asks.told(&all), json!({ "amount": [whole] }));
    let path = "/cosmos.bank.v1beta1.Query/SpendableBalanceByDenom";
    let data = STANDARD.encode(QuerySpendableBalanceByDenomRequest { address, denom }.encode_to_vec());
    let free = asks.bytes(&json!({ "grpc": { "path": path, "data": data } }));
    let free = QuerySpendableBalanceByDenomResponse::decode(&free[..]).unwrap().balance.unwrap();
    assert_eq!(free.amount, "1000000");
    let printed = asks.told(&json!({ "stargate": { "path": path, "data": data } }));
    assert_eq!(printed, json!({ "balance": { "denom": DENOM, "amount": "1000000" } }));
}

#[test]
fn some_questions_may_be_asked_by_their_path() {
    let mut asks = Asks::on(Net::start());
    let ask = |kind: &str, path: &str, data: Vec<u8>| json!({ kind: { "path": path, "data": STANDARD.encode(data) } });
    let balance = QueryBalanceRequest { address: bob().address(), denom: DENOM.into() }.encode_to_vec();
    let supply = QuerySupplyOfRequest { denom: DENOM.into() }.encode_to_vec();
    let metadata = QueryDenomMetadataRequest { denom: DENOM.into() }.encode_to_vec();
    let bank = |method: &str| format!("/cosmos.bank.v1beta1.Query/{method}");
    for (method, data) in
        [("Balance", balance.clone()), ("SupplyOf", supply), ("DenomMetadata", metadata), ("Params", vec![])]
    {
        let answer = asks.net.raw_query(&bank(method), data.clone()).value;
        assert_eq!(asks.bytes(&ask("grpc", &bank(method), data.clone())), answer.to_vec(), "{method}");
        let printed = asks.told(&ask("stargate", &bank(method), data));
        match method {
            "Balance" => assert_eq!(printed["balance"], json!({ "denom": DENOM, "amount": RICH.to_string() })),
            "SupplyOf" => assert_eq!(printed["amount"]["amount"], (2 * RICH).to_string()),
            "DenomMetadata" => {
                assert_eq!(
                    printed["metadata"]["denom_units"][1],
                    json!({
                        "denom": "aceso", "exponent": 6, "aliases": [],
                    })
                );
                assert_eq!(
                    (&printed["metadata"]["base"], &printed["metadata"]["uri_hash"]),
                    (&json!(DENOM), &json!(""))
                );
            }
            _ => assert_eq!(printed, json!({ "params": { "send_enabled": [], "default_send_enabled": true } })),
        }
    }
    for kind in ["grpc", "stargate"] {
        let heard = asks.heard(&ask(kind, &bank("Balance"), vec![0xff]));
        assert_eq!(heard, refused("sdk", 18));
        for path in [&bank("AllBalances"), "/cosmos.auth.v1beta1.Query/Account", "", &"x".repeat(300)] {
            let named: String = path.chars().take(128).collect();
            let kind_said = format!("'{named}' path is not allowed from the contract");
            let heard = asks.heard(&ask(kind, path, balance.clone()));
            assert_eq!(heard, json!({ "error": { "unsupported_request": { "kind": kind_said } } }));
        }
    }
    // Our own are answered in protobuf alone.
    let models = aceso_types::query::QueryModels::default().encode_to_vec();
    let path = "/aceso.models.v1.Query/Models";
    let answer = asks.net.raw_query(path, models.clone()).value;
    assert_eq!(asks.bytes(&ask("grpc", path, models.clone())), answer.to_vec());
    assert!(asks.heard(&ask("stargate", path, models))["error"]["unsupported_request"].is_object());
}

#[test]
fn a_contract_looks_codes_contracts_and_rows_up() {
    let mut asks = Asks::on(Net::start());
    let of = asks.contract.clone();
    let info = json!({ "wasm": { "contract_info": { "contract_addr": of } } });
    let told = asks.told(&info);
    assert_eq!(
        (&told["code_id"], &told["creator"], &told["pinned"]),
        (&json!(1), &json!(alice().address()), &json!(false))
    );
    assert_eq!((&told["ibc_port"], &told["ibc2_port"]), (&Value::Null, &Value::Null));
    let code = asks.told(&json!({ "wasm": { "code_info": { "code_id": 1 } } }));
    assert_eq!((&code["code_id"], code["checksum"].as_str().map(str::len)), (&json!(1), Some(64)));
    let ask = |id: u64| json!({ "wasm": { "code_info": { "code_id": id } } });
    assert_eq!(asks.heard(&ask(0)), refused("wasm", 12));
    assert_eq!(asks.heard(&ask(9)), json!({ "error": { "no_such_code": { "code_id": 9 } } }));
    let nobody = nobody().address();
    let missing = json!({ "error": { "no_such_contract": { "addr": nobody } } });
    assert_eq!(asks.heard(&json!({ "wasm": { "contract_info": { "contract_addr": nobody } } })), missing);
    let smart = json!({ "wasm": { "smart": { "contract_addr": nobody, "msg": encoded("{}") } } });
    assert_eq!(asks.heard(&smart), missing);
    // A row that is not there is empty, and so is one of no contract.
    for of in [&of, &nobody] {
        let raw = json!({ "wasm": { "raw": { "contract_addr": of, "key": encoded("nothing") } } });
        assert_eq!(asks.bytes(&raw), b"");
    }
    let raw = json!({ "wasm": { "raw": { "contract_addr": of, "key": encoded("got") } } });
    assert!(!asks.bytes(&raw).is_empty());
}

#[test]
fn a_pinned_code_is_told_as_pinned() {
    let mut asks = Asks::on(Net::with(|genesis| genesis.authority = alice().address()));
    let pin = cosmos_sdk_proto::cosmwasm::wasm::v1::MsgPinCodes { authority: alice().address(), code_ids: vec![1] };
    asks.net.ok(&alice(), vec![sdk(&pin)]);
    let info = json!({ "wasm": { "contract_info": { "contract_addr": asks.contract } } });
    assert_eq!(asks.told(&info)["pinned"], true);
}

const AUTH: &str = "/cosmos.auth.v1beta1.Query/";

#[test]
fn accounts_are_found_by_number_name_and_bytes() {
    let mut net = Net::start();
    net.ok(&alice(), vec![send(&alice(), &nobody().address(), 5)]);
    for key in [alice(), bob(), nobody()] {
        let account_id = net.account(&key.address()).unwrap().account_number;
        let path = format!("{AUTH}AccountAddressByID");
        #[allow(deprecated, reason = "the number of before is not looked at")]
        let request = QueryAccountAddressByIdRequest { id: 0, account_id };
        let found: QueryAccountAddressByIdResponse = net.query(&path, &request);
        assert_eq!(found.account_address, key.address());
    }
    #[allow(deprecated, reason = "the number of before is refused")]
    for (request, code) in [
        (QueryAccountAddressByIdRequest { id: 0, account_id: 999 }, 22),
        (QueryAccountAddressByIdRequest { id: 1, account_id: 0 }, 18),
    ] {
        let answer = net.raw_query(&format!("{AUTH}AccountAddressByID"), request.encode_to_vec());
        assert_eq!(answer.code.value(), code, "{}", answer.log);
    }

    let all: QueryModuleAccountsResponse = net.query(&format!("{AUTH}ModuleAccounts"), &QueryModuleAccountsRequest {});
    let [collector] = &all.accounts[..] else { panic!("{all:?}") };
    assert_eq!(collector.type_url, ModuleAccount::type_url());
    let module = ModuleAccount::decode(&collector.value[..]).unwrap();
    assert_eq!(module.name, "fee_collector");
    let address = module.base_account.unwrap().address;
    let by_address: QueryAccountResponse = net.query(&format!("{AUTH}Account"), &QueryAccountRequest { address });
    assert_eq!(by_address.account.as_ref(), Some(collector));
    let named = |name: &str| QueryModuleAccountByNameRequest { name: name.into() };
    let path = format!("{AUTH}ModuleAccountByName");
    let one: QueryModuleAccountByNameResponse = net.query(&path, &named("fee_collector"));
    assert_eq!(one.account.as_ref(), Some(collector));
    for (name, code) in [("gov", 22), ("sealed", 22), ("", 18)] {
        assert_eq!(net.raw_query(&path, named(name).encode_to_vec()).code.value(), code, "{name}");
    }

    let bytes: AddressStringToBytesResponse = net.query(
        &format!("{AUTH}AddressStringToBytes"),
        &AddressStringToBytesRequest { address_string: alice().address() },
    );
    assert_eq!(text(&bytes.address_bytes), alice().address());
    let path = format!("{AUTH}AddressBytesToString");
    let address_bytes = bytes.address_bytes;
    let back: AddressBytesToStringResponse = net.query(&path, &AddressBytesToStringRequest { address_bytes });
    assert_eq!(back.address_string, alice().address());
    assert_eq!(net.raw_query(&path, vec![]).code.value(), 18);
    assert_eq!(net.raw_query(&format!("{AUTH}AddressStringToBytes"), vec![]).code.value(), 18);
}

#[test]
fn who_has_a_coin_is_told_page_by_page() {
    let stake = |genesis: &mut Genesis| {
        let coin =
            |denom: &str, amount: &str| aceso_types::genesis::Coin { denom: denom.into(), amount: amount.into() };
        for (balance, amount) in genesis.balances.iter_mut().zip(["7", "8"]) {
            balance.coins.push(coin("ustake/x", amount));
        }
        let coins = vec![coin("ustake/x", "9")];
        genesis.balances.push(aceso_types::genesis::Balance { address: carol().address(), coins });
    };
    let net = Net::with(stake);
    let ask = |denom: &str, limit: u64, key: Vec<u8>| -> QueryDenomOwnersResponse {
        let pagination = Some(PageRequest { limit, key, ..PageRequest::default() });
        let request = QueryDenomOwnersRequest { denom: denom.into(), pagination };
        let answer = net.query("/cosmos.bank.v1beta1.Query/DenomOwners", &request);
        assert_eq!(answer, net.query("/cosmos.bank.v1beta1.Query/DenomOwnersByQuery", &request));
        answer
    };
    let mut want: Vec<(String, &str)> =
        [(alice(), "7"), (bob(), "8"), (carol(), "9")].map(|(key, amount)| (key.address(), amount)).into();
    want.sort();
    let (mut key, mut found) = (Vec::new(), Vec::new());
    for owner in &want {
        let answer = ask("ustake/x", 1, key);
        let balance = answer.denom_owners[0].balance.clone().unwrap();
        assert_eq!(balance.denom, "ustake/x");
        found.push((answer.denom_owners[0].address.clone(), balance.amount));
        assert_eq!(found.last().map(|(address, amount)| (address, amount.as_str())), Some((&owner.0, owner.1)));
        key = answer.pagination.unwrap().next_key;
    }
    assert!(key.is_empty());
    assert_eq!(ask(DENOM, 0, vec![]).pagination.unwrap().total, 2);
    assert!(ask("unknown", 0, vec![]).denom_owners.is_empty());
    let wrong = QueryDenomOwnersRequest { denom: "?".into(), pagination: None };
    let answer = net.raw_query("/cosmos.bank.v1beta1.Query/DenomOwners", wrong.encode_to_vec());
    assert_eq!(answer.code.value(), 18, "{}", answer.log);
}

#[test]
fn the_limits_of_codes_are_told() {
    let net = Net::start();
    let answer = net.raw_query("/cosmwasm.wasm.v1.Query/WasmLimitsConfig", vec![]);
    assert!(answer.code.is_ok(), "{}", answer.log);
    let length = usize::from(answer.value[2]) << 7 | usize::from(answer.value[1] & 0x7f);
    let config: Value = serde_json::from_slice(&answer.value[3..]).unwrap();
    assert_eq!((answer.value[0], length), (10, answer.value.len() - 3));
    assert_eq!((&config["max_functions"], &config["initial_memory_limit_pages"]), (&json!(20_000), &json!(512)));
    assert_eq!(config.as_object().unwrap().len(), 9);
    assert_eq!(net.app.chain().unwrap().chain_id, CHAIN);
}

#[test]
fn what_is_known_of_coins_is_told() {
    let net = Net::start();
    let all = |net: &Net| -> Vec<String> {
        let request = QueryDenomsMetadataRequest { pagination: None };
        let answer: QueryDenomsMetadataResponse = net.query("/cosmos.bank.v1beta1.Query/DenomsMetadata", &request);
        assert_eq!(answer.pagination.unwrap().total, answer.metadatas.len() as u64);
        answer.metadatas.into_iter().map(|one| one.base).collect()
    };
    assert_eq!(all(&net), [DENOM]);
    for (denom, code) in [("unknown", 22), ("?", 18)] {
        let request = QueryDenomMetadataRequest { denom: denom.into() };
        let answer = net.raw_query("/cosmos.bank.v1beta1.Query/DenomMetadata", request.encode_to_vec());
        assert_eq!(answer.code.value(), code, "{}", answer.log);
    }
    let mut asks = Asks::on(net);
    let unknown = json!({ "bank": { "denom_metadata": { "denom": "unknown" } } });
    assert_eq!(asks.heard(&unknown), refused("sdk", 38));
}

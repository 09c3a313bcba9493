//! What one account lets another send for it.

use aceso_types::{
    guest::Answer,
    journal::Event,
    msg::{MsgAttest, MsgRegisterBlob, MsgRequestRead, MsgRetireSealed, MsgRevokeGrant, MsgUpdateParams},
};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        authz::v1beta1::{
            GenericAuthorization, Grant, MsgExec, MsgExecResponse, MsgGrant, MsgRevoke, QueryGranteeGrantsRequest,
            QueryGranteeGrantsResponse, QueryGranterGrantsRequest, QueryGranterGrantsResponse, QueryGrantsRequest,
            QueryGrantsResponse,
        },
        bank::v1beta1::{MsgSend, MsgSendResponse, SendAuthorization},
        base::{query::v1beta1::PageRequest, v1beta1::Coin},
        feegrant::v1beta1::{AllowedMsgAllowance, BasicAllowance, MsgGrantAllowance},
    },
    cosmwasm::wasm::v1::{
        AcceptedMessageKeysFilter, AcceptedMessagesFilter, AccessConfig, AccessType, AllowAllMessagesFilter, CodeGrant,
        CombinedLimit, ContractExecutionAuthorization, ContractGrant, ContractMigrationAuthorization, MaxCallsLimit,
        MaxFundsLimit, MsgExecuteContract, MsgMigrateContract, MsgStoreCode, StoreCodeAuthorization,
    },
};
use prost::Message;
use serde_json::json;
use sha2::{Digest, Sha256};
use tendermint::abci::types::ExecTxResult;
use tendermint_proto::google::protobuf::Timestamp;

use crate::{
    contracts::{execute, make, sdk_any, store},
    fixture::{DENOM, Key, Net, alice, bob, code, coins, nobody, ours, responses, sdk, send, told},
    guests::{NOTHING, echo},
    reads::Clinic,
    signing::by_ledger,
};

const SEND: &str = "/cosmos.bank.v1beta1.MsgSend";
const EXECUTE: &str = "/cosmwasm.wasm.v1.MsgExecuteContract";
const EXEC: &str = "/cosmos.authz.v1beta1.MsgExec";

fn grant_until(from: &str, to: &str, authorization: Any, seconds: Option<i64>) -> Any {
    let expiration = seconds.map(|seconds| Timestamp { seconds, nanos: 0 });
    let grant = Some(Grant { authorization: Some(authorization), expiration });
    sdk(&MsgGrant { granter: from.into(), grantee: to.into(), grant })
}

/// Alice lets bob do it.
fn allow(authorization: Any) -> Any {
    grant_until(&alice().address(), &bob().address(), authorization, None)
}

fn generic(url: &str) -> Any {
    sdk(&GenericAuthorization { msg: url.into() })
}

fn spending(amount: u128, allow_list: &[String]) -> Any {
    sdk(&SendAuthorization { spend_limit: coins(amount), allow_list: allow_list.into() })
}

fn revoke(url: &str) -> Any {
    sdk(&MsgRevoke { granter: alice().address(), grantee: bob().address(), msg_type_url: url.into() })
}

fn exec(grantee: &str, msgs: Vec<Any>) -> Any {
    sdk(&MsgExec { grantee: grantee.into(), msgs })
}

/// What becomes of messages that bob sends for others.
fn by_bob(net: &mut Net, msgs: Vec<Any>) -> ExecTxResult {
    net.run(&bob(), vec![exec(&bob().address(), msgs)])
}

fn refused(net: &mut Net, msgs: Vec<Any>, want: (&str, u32), words: &str) {
    let result = by_bob(net, msgs);
    assert_eq!(code(&result), want, "{}", result.log);
    assert!(result.log.contains(words), "{}", result.log);
}

fn query<A: Message + Default>(net: &Net, method: &str, question: &impl Message) -> Result<A, (u32, String)> {
    let path = format!("/cosmos.authz.v1beta1.Query/{method}");
    let answer = net.raw_query(&path, question.encode_to_vec());
    if answer.code.is_ok() { Ok(A::decode(&answer.value[..]).unwrap()) } else { Err((answer.code.value(), answer.log)) }
}

/// What alice lets bob send of a type.
fn granted(net: &Net, url: &str) -> Result<Grant, (u32, String)> {
    let (granter, grantee) = (alice().address(), bob().address());
    let asked = QueryGrantsRequest { granter, grantee, msg_type_url: url.into(), pagination: None };
    Ok(query::<QueryGrantsResponse>(net, "Grants", &asked)?.grants.remove(0))
}

fn authorization<A: Message + Default>(net: &Net, url: &str) -> A {
    A::decode(&granted(net, url).unwrap().authorization.unwrap().value[..]).unwrap()
}

/// The block's clock.
fn seconds(net: &Net) -> i64 {
    1_800_000_000 + i64::try_from(net.height).unwrap()
}

#[test]
fn coins_are_sent_for_another_until_the_limit_is_spent() {
    let mut net = Net::start();
    let (granter, grantee) = (alice().address(), bob().address());
    let result = net.ok(&alice(), vec![allow(spending(100, &[]))]);
    let line = format!(
        "cosmos.authz.v1beta1.EventGrant grantee=\"{grantee}\" granter=\"{granter}\" msg_type_url=\"{SEND}\" msg_index=0"
    );
    assert!(told(&result).contains(&line), "{:?}", told(&result));
    let (mine, hers) = (net.balance(&grantee), net.balance(&granter));
    let result = by_bob(&mut net, vec![send(&alice(), &nobody().address(), 40)]);
    assert!(result.code.is_ok(), "{}", result.log);
    // The grantee pays the fee, the granter sends.
    let held = [&grantee, &granter, &nobody().address()].map(|address| net.balance(address));
    assert_eq!(held, [mine - 250_000, hers - 40, 40]);
    let response = MsgExecResponse::decode(&responses(&result)[0].value[..]).unwrap();
    assert_eq!(response.results, [MsgSendResponse {}.encode_to_vec()]);
    let told = told(&result);
    let moved = format!(
        "transfer recipient={} sender={granter} amount=40{DENOM} authz_msg_index=0 msg_index=0",
        nobody().address()
    );
    assert!(told.contains(&moved), "{told:?}");
    assert!(told.contains(&format!("message action={EXEC} sender={grantee} module=authz msg_index=0")), "{told:?}");
    assert_eq!(authorization::<SendAuthorization>(&net, SEND).spend_limit, coins(60));
    // More than is left, of another coin, and all that is left.
    let words = "requested amount is more than spend limit: insufficient funds";
    refused(&mut net, vec![send(&alice(), &nobody().address(), 61)], ("sdk", 5), words);
    let other = Coin { denom: "ubtc".into(), amount: "1".into() };
    let other = MsgSend { from_address: granter.clone(), to_address: grantee.clone(), amount: vec![other] };
    refused(&mut net, vec![sdk(&other)], ("sdk", 5), words);
    let result = by_bob(&mut net, vec![send(&alice(), &nobody().address(), 60)]);
    let gone = format!("cosmos.authz.v1beta1.EventRevoke grantee=\"{grantee}\"");
    assert!(crate::fixture::told(&result).iter().any(|line| line.starts_with(&gone)));
    let missing = format!("authorization not found for {SEND} type: authorization not found");
    assert_eq!(granted(&net, SEND).unwrap_err().1, missing);
    let words = format!(
        "failed to get grant with given granter: {granter}, grantee: {grantee} & msgType: {SEND} : authorization not found"
    );
    refused(&mut net, vec![send(&alice(), &nobody().address(), 1)], ("authz", 2), &words);
}

#[test]
fn coins_go_only_where_they_may() {
    let mut net = Net::start();
    net.ok(&alice(), vec![allow(spending(100, &[nobody().address()]))]);
    let words = format!("cannot send to {} address: unauthorized", bob().address());
    refused(&mut net, vec![send(&alice(), &bob().address(), 1)], ("sdk", 4), &words);
    assert!(by_bob(&mut net, vec![send(&alice(), &nobody().address(), 1)]).code.is_ok());
    let left: SendAuthorization = authorization(&net, SEND);
    assert_eq!((left.spend_limit, left.allow_list), (coins(99), vec![nobody().address()]));
    // A grant for one type is none for another, and a new one takes its place.
    refused(&mut net, vec![exec(&alice().address(), vec![])], ("sdk", 18), "messages cannot be empty");
    net.ok(&alice(), vec![allow(generic(SEND))]);
    assert!(by_bob(&mut net, vec![send(&alice(), &bob().address(), 500)]).code.is_ok());
    assert_eq!(authorization::<GenericAuthorization>(&net, SEND).msg, SEND);
}

#[test]
fn all_messages_run_or_none_and_own_ones_need_no_grant() {
    let mut net = Net::start();
    net.ok(&alice(), vec![allow(spending(100, &[]))]);
    let (to, before) = (nobody().address(), net.balance(&alice().address()));
    let result = by_bob(&mut net, vec![send(&alice(), &to, 10), send(&bob(), &to, 5), send(&alice(), &to, 20)]);
    assert!(result.code.is_ok(), "{}", result.log);
    assert_eq!(MsgExecResponse::decode(&responses(&result)[0].value[..]).unwrap().results.len(), 3);
    assert!(told(&result).iter().any(|line| line.contains("amount=20uaceso authz_msg_index=2")));
    assert_eq!((net.balance(&to), net.balance(&alice().address())), (35, before - 30));
    let words = "requested amount is more than spend limit";
    refused(&mut net, vec![send(&alice(), &to, 10), send(&alice(), &to, 61)], ("sdk", 5), words);
    assert_eq!((net.balance(&to), authorization::<SendAuthorization>(&net, SEND).spend_limit), (35, coins(70)));
    let words = "failed to execute message; message /cosmos.bank.v1beta1.MsgSend: ";
    refused(&mut net, vec![send(&bob(), &to, u128::from(u64::MAX))], ("sdk", 5), words);
}

#[test]
fn a_grant_ends_when_it_is_taken_back_or_over() {
    let mut net = Net::start();
    let (granter, grantee) = (alice().address(), bob().address());
    let message = || vec![send(&alice(), &nobody().address(), 1)];
    net.ok(&alice(), vec![allow(generic(SEND))]);
    let result = net.ok(&alice(), vec![revoke(SEND)]);
    let line = format!(
        "cosmos.authz.v1beta1.EventRevoke grantee=\"{grantee}\" granter=\"{granter}\" msg_type_url=\"{SEND}\" msg_index=0"
    );
    assert!(told(&result).contains(&line), "{:?}", told(&result));
    refused(&mut net, message(), ("authz", 2), "authorization not found");
    assert_eq!(code(&net.run(&alice(), vec![revoke(SEND)])), ("authz", 2));

    let end = seconds(&net) + 4;
    let until = |end| grant_until(&alice().address(), &bob().address(), generic(SEND), Some(end));
    let late = net.run(&alice(), vec![until(seconds(&net) + 1)]);
    assert_eq!(code(&late), ("authz", 3));
    let words = "expiration must be after the current block time (2027-01-15T08:";
    assert!(late.log.contains(words) && late.log.contains("Z), got 2027-01-15T08:"), "{}", late.log);
    net.ok(&alice(), vec![until(end)]);
    // The last second still counts, and what is over is swept.
    while seconds(&net) < end - 1 {
        net.block(vec![]);
    }
    assert!(by_bob(&mut net, message()).code.is_ok());
    assert_eq!(seconds(&net), end);
    assert!(granted(&net, SEND).is_ok());
    refused(&mut net, message(), ("authz", 2), "authorization not found");
    assert!(granted(&net, SEND).is_err());
    // A grant that takes another's place has its own end.
    let end = seconds(&net) + 4;
    net.ok(&alice(), vec![until(end)]);
    net.ok(&alice(), vec![allow(generic(SEND))]);
    while seconds(&net) <= end {
        net.block(vec![]);
    }
    assert!(by_bob(&mut net, message()).code.is_ok());
}

#[test]
fn many_that_end_together_are_swept_over_several_blocks_and_hold_no_longer() {
    let mut net = Net::start();
    let end = seconds(&net) + 3;
    let until =
        |seed: u8, url: &str| grant_until(&alice().address(), &Key::new(seed).address(), generic(url), Some(end));
    let urls = [SEND, EXECUTE, EXEC];
    let mut grants: Vec<Any> = (100..170).flat_map(|seed| urls.map(|url| until(seed, url))).collect();
    // The last of the queue: the same end, and bob's address or type sort behind others or not.
    grants.push(grant_until(&alice().address(), &bob().address(), generic(SEND), Some(end)));
    let mut draft = net.draft(&[&alice()], grants);
    (draft.gas, draft.fee) = (60_000_000, coins(1_500_000));
    let result = net.deliver(draft.sign());
    assert!(result.code.is_ok(), "{}", result.log);
    let count = |net: &Net| {
        let pagination = Some(PageRequest { limit: 1, count_total: true, ..PageRequest::default() });
        let asked = QueryGranterGrantsRequest { granter: alice().address(), pagination };
        query::<QueryGranterGrantsResponse>(net, "GranterGrants", &asked).unwrap().pagination.unwrap().total
    };
    assert_eq!(count(&net), 211);
    while seconds(&net) < end {
        net.block(vec![]);
    }
    assert_eq!(count(&net), 211);
    let result = by_bob(&mut net, vec![send(&alice(), &nobody().address(), 1)]);
    assert_eq!((result.codespace.as_str(), count(&net)), ("authz", 11));
    assert!([2, 6].contains(&result.code.value()), "gone, or over and still there: {}", result.log);
    net.block(vec![]);
    assert_eq!(count(&net), 0);
}

#[test]
fn a_grant_that_is_over_and_not_swept_yet_holds_no_longer() {
    let mut net = Net::start();
    let end = seconds(&net) + 2;
    // All of them sort before this one, by the granter's address.
    let first = (1..=250).map(Key::new).filter(|key| key.address() < alice().address()).nth(3).unwrap();
    net.ok(&alice(), vec![send(&alice(), &first.address(), 10_000_000)]);
    let end = end + 2;
    let until = |seed: u8, url: &str| grant_until(&first.address(), &Key::new(seed).address(), generic(url), Some(end));
    let before: Vec<Any> = (60..160).flat_map(|seed| [until(seed, SEND), until(seed, EXECUTE)]).collect();
    let mut draft = net.draft(&[&first], before);
    (draft.gas, draft.fee) = (60_000_000, coins(1_500_000));
    let hers = grant_until(&alice().address(), &bob().address(), generic(SEND), Some(end));
    let hers = net.draft(&[&alice()], vec![hers]).sign();
    let results = net.block(vec![draft.sign(), hers]).tx_results;
    assert!(results.iter().all(|result| result.code.is_ok()), "{results:?}");
    while seconds(&net) < end {
        net.block(vec![]);
    }
    let message = vec![send(&alice(), &nobody().address(), 1)];
    refused(&mut net, message.clone(), ("authz", 6), "authorization expired");
    refused(&mut net, message, ("authz", 2), "authorization not found");
}

#[test]
fn grants_are_checked_before_they_are_given() {
    let mut net = Net::start();
    let mut refused = |msg: Any, want: (&str, u32), words: &str| {
        let result = net.run(&alice(), vec![msg]);
        assert_eq!(code(&result), want, "{}", result.log);
        assert!(result.log.contains(words), "{}", result.log);
    };
    let to_herself = grant_until(&alice().address(), &alice().address(), generic(SEND), None);
    refused(to_herself, ("authz", 7), "grantee and granter should be different");
    let shouted = grant_until(&alice().address(), &alice().address().to_uppercase(), generic(SEND), None);
    refused(shouted, ("authz", 7), "should be different");
    let nil = sdk(&MsgGrant { granter: alice().address(), grantee: bob().address(), grant: None });
    refused(nil, ("sdk", 29), "authorization is nil: invalid type");
    refused(allow(generic("")), ("sdk", 29), "msg type cannot be empty");
    refused(allow(generic("/cosmos.gov.v1.MsgVote")), ("sdk", 29), "doesn't exist.: invalid type");
    let stranger = Any { type_url: "/cosmos.staking.v1beta1.StakeAuthorization".into(), value: vec![] };
    refused(allow(stranger), ("sdk", 2), "no authorization known here");
    let garbage = Any { value: vec![0xff; 9], ..generic(SEND) };
    refused(allow(garbage), ("sdk", 2), "tx parse error");
    let twice = Any { value: [generic(SEND).value, generic(SEND).value].concat(), ..generic(SEND) };
    refused(allow(twice), ("sdk", 2), "another than the canonical encoding");
    refused(allow(spending(0, &[])), ("sdk", 10), "0uaceso: invalid coins");
    refused(allow(sdk(&SendAuthorization::default())), ("sdk", 10), "spend limit cannot be nil");
    refused(allow(spending(1, &[bob().address(), bob().address()])), ("bank", 8), "duplicate entry");
    refused(revoke(""), ("sdk", 18), "missing msg method name");
    let module = grant_until(&alice().address(), &bob().address().replace("aceso1", "wasm1"), generic(SEND), None);
    refused(module, ("sdk", 7), "invalid grantee address");
    let never = Timestamp { seconds: i64::MAX, nanos: 0 };
    let never = Grant { authorization: Some(generic(SEND)), expiration: Some(never) };
    let never = MsgGrant { granter: alice().address(), grantee: bob().address(), grant: Some(never) };
    refused(sdk(&never), ("authz", 3), "no time");
    refused(grant_until(&alice().address(), &bob().address(), generic(SEND), Some(-1)), ("authz", 3), "1969-12-31");
}

#[test]
fn messages_may_lie_in_each_other_ten_deep_and_a_hundred_in_all() {
    let mut net = Net::start();
    let to = nobody().address();
    let nested = |depth: usize| (1..depth).fold(send(&bob(), &to, 1), |inner, _| exec(&bob().address(), vec![inner]));
    net.ok(&bob(), vec![nested(10)]);
    assert_eq!(net.balance(&to), 1);
    let deep = net.draft(&[&bob()], vec![nested(11)]).sign();
    let checked = net.check(deep);
    assert_eq!((checked.codespace.as_str(), checked.code.value()), ("sdk", 2), "{}", checked.log);
    assert!(checked.log.contains("max depth exceeded"), "{}", checked.log);
    let wide = |many: usize| vec![exec(&bob().address(), vec![send(&bob(), &to, 1); many])];
    net.ok(&bob(), wide(99));
    assert_eq!(net.balance(&to), 100);
    let checked = net.check(net.draft(&[&bob()], wide(100)).sign());
    assert!(checked.log.contains("call limit exceeded"), "{}", checked.log);
    // Whose turn it is stands in each of them: one who was not asked does not act, however deep.
    let inner = exec(&nobody().address(), vec![send(&alice(), &bob().address(), 1)]);
    refused(&mut net, vec![inner.clone()], ("authz", 2), "granter: ");
    net.ok(&alice(), vec![send(&alice(), &to, 1_000_000)]);
    net.ok(&nobody(), vec![grant_until(&to, &bob().address(), generic(EXEC), None)]);
    refused(&mut net, vec![inner.clone()], ("authz", 2), "authorization not found");
    net.ok(&alice(), vec![grant_until(&alice().address(), &to, spending(7, &[]), None)]);
    assert!(by_bob(&mut net, vec![inner]).code.is_ok());
}

/// Authorisations, their limits and filters, and allowances count like messages.
#[test]
fn what_is_packed_in_a_grant_counts_like_messages() {
    let net = Net::start();
    let me = bob().address();
    let within = |depth: usize, msg: Any| (1..depth).fold(msg, |inner, _| exec(&me, vec![inner]));
    let to_alice = |authorization: Any| grant_until(&me, &alice().address(), authorization, None);
    let contract = |many: usize| {
        let grants = vec![contract_grant(&alice().address(), calls(1), any_message()); many];
        to_alice(sdk(&ContractExecutionAuthorization { grants }))
    };
    let basic = sdk(&BasicAllowance { spend_limit: coins(1), expiration: None });
    let pays = |allowance: Any| {
        sdk(&MsgGrantAllowance { granter: me.clone(), grantee: alice().address(), allowance: Some(allowance) })
    };
    let only = |inner: Any| {
        let allowed_messages = vec![SEND.to_owned()];
        sdk(&AllowedMsgAllowance { allowance: Some(inner), allowed_messages })
    };
    let told = |msg: Any| {
        let checked = net.check(net.draft(&[&bob()], vec![msg]).sign());
        let packed = ["max depth exceeded", "call limit exceeded"].into_iter().find(|one| checked.log.contains(one));
        if packed.is_some() {
            assert_eq!((checked.codespace.as_str(), checked.code.value()), ("sdk", 2), "{}", checked.log);
        }
        packed
    };
    let (deep, many) = (Some("max depth exceeded"), Some("call limit exceeded"));
    // A grant at the ninth place has an authorisation at the tenth; a contract's has a limit behind that.
    assert_eq!([told(within(9, to_alice(generic(SEND)))), told(within(10, to_alice(generic(SEND))))], [None, deep]);
    assert_eq!([told(within(8, contract(1))), told(within(9, contract(1)))], [None, deep]);
    assert_eq!([told(within(9, pays(basic.clone()))), told(within(10, pays(basic.clone())))], [None, deep]);
    assert_eq!([told(within(8, pays(only(basic.clone())))), told(within(9, pays(only(basic.clone()))))], [None, deep]);
    let deepest = (0..8).fold(basic.clone(), |inner, _| only(inner));
    assert_eq!([told(pays(deepest.clone())), told(pays(only(deepest)))], [None, deep]);
    // The message, its authorisation, and two things for each contract.
    assert_eq!([told(contract(49)), told(contract(50))], [None, many]);
    assert_eq!([told(within(1, contract(49))), told(within(2, contract(49)))], [None, many]);
}

#[test]
fn strangers_bytes_in_an_exec_are_refused() {
    let mut net = Net::start();
    let good = send(&bob(), &nobody().address(), 1);
    let mut refused = |inner: Any, want: (&str, u32), words: &str| {
        let tx = net.draft(&[&bob()], vec![exec(&bob().address(), vec![good.clone(), inner])]).sign();
        let checked = net.check(tx.clone());
        assert_eq!((checked.codespace.as_str(), checked.code.value()), want, "{}", checked.log);
        assert!(checked.log.contains(words), "{}", checked.log);
        // A block that holds it all the same says so too.
        let delivered = net.finalize(vec![tx.into()]).tx_results.remove(0);
        net.app.commit().unwrap();
        assert_eq!(code(&delivered), want, "{}", delivered.log);
    };
    refused(Any { value: vec![0xff; 9], ..good.clone() }, ("sdk", 2), "tx parse error");
    refused(Any { value: [&good.value[..], &[0x7a, 0]].concat(), ..good.clone() }, ("sdk", 2), "unknown fields");
    refused(Any { type_url: "/cosmos.gov.v1.MsgVote".into(), value: vec![] }, ("sdk", 2), "unable to resolve type URL");
    refused(ours(&MsgAttest::default()), ("aceso", 601), "");
    refused(send(&bob(), &nobody().address(), 0), ("sdk", 10), "msg 1: ");
    refused(exec("nobody", vec![good.clone()]), ("sdk", 7), "msg 1: invalid grantee address");
    assert_eq!(net.balance(&nobody().address()), 0);
}

fn contract_grant(contract: &str, limit: Any, filter: Any) -> ContractGrant {
    ContractGrant { contract: contract.into(), limit: Some(limit), filter: Some(filter) }
}

fn calls(remaining: u64) -> Any {
    sdk(&MaxCallsLimit { remaining })
}

fn funds(amount: u128) -> Any {
    sdk(&MaxFundsLimit { amounts: coins(amount) })
}

fn any_message() -> Any {
    sdk(&AllowAllMessagesFilter {})
}

fn keys(keys: &[&str]) -> Any {
    sdk(&AcceptedMessageKeysFilter { keys: keys.iter().map(|&key| key.into()).collect() })
}

fn executions(grants: Vec<ContractGrant>) -> Any {
    allow(sdk(&ContractExecutionAuthorization { grants }))
}

fn call(contract: &str, msg: &str, amount: u128) -> Vec<Any> {
    let funds = if amount == 0 { vec![] } else { coins(amount) };
    vec![sdk(&MsgExecuteContract { sender: alice().address(), contract: contract.into(), msg: msg.into(), funds })]
}

fn left(net: &Net) -> Vec<ContractGrant> {
    authorization::<ContractExecutionAuthorization>(net, EXECUTE).grants
}

#[test]
fn calls_of_a_contract_are_counted() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let (one, other) = (make(&mut net, id, NOTHING), make(&mut net, id, NOTHING));
    net.ok(&alice(), vec![executions(vec![contract_grant(&one, calls(2), any_message())])]);
    refused(&mut net, call(&other, NOTHING, 0), ("sdk", 4), "unauthorized");
    refused(&mut net, call(&one, NOTHING, 1), ("sdk", 4), "unauthorized");
    // A call that fails is not counted.
    refused(&mut net, call(&one, r#"{"error":"no"}"#, 0), ("wasm", 5), "no: execute wasm contract failed");
    let result = by_bob(&mut net, call(&one, NOTHING, 0));
    assert!(result.code.is_ok(), "{}", result.log);
    assert_eq!(left(&net), [contract_grant(&one, calls(1), any_message())]);
    assert!(by_bob(&mut net, call(&one, NOTHING, 0)).code.is_ok());
    refused(&mut net, call(&one, NOTHING, 0), ("authz", 2), "authorization not found");
}

#[test]
fn coins_for_a_contract_are_counted() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let contract = make(&mut net, id, NOTHING);
    net.ok(&alice(), vec![executions(vec![contract_grant(&contract, funds(10), any_message())])]);
    assert!(by_bob(&mut net, call(&contract, NOTHING, 0)).code.is_ok());
    refused(&mut net, call(&contract, NOTHING, 11), ("sdk", 4), "unauthorized");
    let before = net.balance(&alice().address());
    assert!(by_bob(&mut net, call(&contract, NOTHING, 4)).code.is_ok());
    assert_eq!((net.balance(&contract), net.balance(&alice().address())), (4, before - 4));
    assert_eq!(left(&net), [contract_grant(&contract, funds(6), any_message())]);
    assert!(by_bob(&mut net, call(&contract, NOTHING, 6)).code.is_ok());
    assert!(granted(&net, EXECUTE).is_err());
    let both = |calls_remaining, amount| sdk(&CombinedLimit { calls_remaining, amounts: coins(amount) });
    net.ok(&alice(), vec![executions(vec![contract_grant(&contract, both(3, 10), any_message())])]);
    refused(&mut net, call(&contract, NOTHING, 11), ("sdk", 4), "unauthorized");
    assert!(by_bob(&mut net, call(&contract, NOTHING, 0)).code.is_ok());
    assert_eq!(left(&net), [contract_grant(&contract, both(2, 10), any_message())]);
    assert!(by_bob(&mut net, call(&contract, NOTHING, 10)).code.is_ok());
    assert!(granted(&net, EXECUTE).is_err());
}

#[test]
fn messages_to_a_contract_are_filtered() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let contract = make(&mut net, id, NOTHING);
    let same = sdk(&AcceptedMessagesFilter { messages: vec![br#"{"error":"just so"}"#.to_vec()] });
    let grants = vec![
        contract_grant(&contract, calls(1), keys(&["ok"])),
        contract_grant(&contract, calls(5), same.clone()),
        contract_grant(&contract, funds(5), keys(&["ok"])),
    ];
    net.ok(&alice(), vec![executions(grants)]);
    refused(&mut net, call(&contract, r#"{"error":"other"}"#, 0), ("sdk", 4), "unauthorized");
    refused(&mut net, call(&contract, r#"{"error":"just so"}"#, 0), ("wasm", 5), "just so");
    refused(&mut net, call(&contract, r#"{"ok":1,"error":"x"}"#, 0), ("sdk", 4), "unauthorized");
    // The first that fits is the one that counts; when it has ended the next is looked at.
    assert!(by_bob(&mut net, call(&contract, NOTHING, 0)).code.is_ok());
    let rest = vec![contract_grant(&contract, calls(5), same), contract_grant(&contract, funds(5), keys(&["ok"]))];
    assert_eq!(left(&net), rest);
    assert!(by_bob(&mut net, call(&contract, NOTHING, 0)).code.is_ok());
    assert_eq!(left(&net), rest);
}

#[test]
fn what_is_granted_of_contracts_is_checked() {
    let mut net = Net::start();
    let contract = bob().address();
    let mut refused = |grants: Vec<ContractGrant>, want: (&str, u32), words: &str| {
        for authorization in [executions(grants.clone()), allow(sdk(&ContractMigrationAuthorization { grants }))] {
            let result = net.run(&alice(), vec![authorization]);
            assert_eq!(code(&result), want, "{}", result.log);
            assert!(result.log.contains(words), "{}", result.log);
        }
    };
    refused(vec![], ("wasm", 12), "grants: empty");
    let good = || contract_grant(&contract, calls(1), any_message());
    let with = |change: fn(&mut ContractGrant)| {
        let mut grant = good();
        change(&mut grant);
        vec![good(), grant]
    };
    refused(with(|grant| grant.contract.clear()), ("sdk", 7), "position 1: contract: ");
    refused(with(|grant| grant.limit = None), ("sdk", 29), "undefined limit");
    refused(with(|grant| grant.filter = None), ("sdk", 29), "undefined filter");
    refused(with(|grant| grant.limit = Some(any_message())), ("sdk", 2), "no limit known here");
    refused(with(|grant| grant.filter = Some(calls(1))), ("sdk", 2), "no filter known here");
    refused(with(|grant| grant.limit = Some(calls(0))), ("wasm", 12), "position 1: limit: remaining calls: empty");
    refused(with(|grant| grant.limit = Some(funds(0))), ("sdk", 10), "position 1: limit: 0uaceso: invalid coins");
    refused(
        with(|grant| grant.limit = Some(sdk(&MaxFundsLimit { amounts: vec![] }))),
        ("wasm", 12),
        "position 1: limit: amounts: empty",
    );
    refused(with(|grant| grant.filter = Some(keys(&["a", "a"]))), ("wasm", 15), "position 1: filter: key \"a\"");
}

#[test]
fn a_contract_is_migrated_for_its_admin() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let contract = make(&mut net, id, NOTHING);
    let url = "/cosmwasm.wasm.v1.MsgMigrateContract";
    let grants = vec![contract_grant(&contract, calls(1), keys(&["ok"]))];
    net.ok(&alice(), vec![allow(sdk(&ContractMigrationAuthorization { grants }))]);
    let migrate = |msg: &str| {
        let (sender, contract, msg) = (alice().address(), contract.clone(), msg.into());
        vec![sdk(&MsgMigrateContract { sender, contract, code_id: id, msg })]
    };
    refused(&mut net, migrate("{}"), ("sdk", 4), "unauthorized");
    refused(&mut net, call(&contract, NOTHING, 0), ("authz", 2), "authorization not found");
    let result = by_bob(&mut net, migrate(NOTHING));
    assert!(result.code.is_ok(), "{}", result.log);
    assert!(told(&result).iter().any(|line| line.starts_with("migrate ")), "{:?}", told(&result));
    assert!(granted(&net, url).is_err());
}

#[test]
fn code_is_stored_for_another_if_it_is_the_one_that_was_meant() {
    let mut net = Net::start();
    let config = |permission: AccessType, addresses: &[String]| AccessConfig {
        permission: permission.into(),
        addresses: addresses.into(),
    };
    let grants = |grants: &[(&[u8], Option<AccessConfig>)]| {
        let grant = |(hash, permission): &(&[u8], Option<AccessConfig>)| CodeGrant {
            code_hash: hash.to_vec(),
            instantiate_permission: permission.clone(),
        };
        allow(sdk(&StoreCodeAuthorization { grants: grants.iter().map(grant).collect() }))
    };
    let upload = |wasm: Vec<u8>, permission: Option<AccessConfig>| {
        let msg = MsgStoreCode { sender: alice().address(), wasm_byte_code: wasm, instantiate_permission: permission };
        vec![sdk(&msg)]
    };
    let hash = Sha256::digest(echo());
    let both = [alice().address(), bob().address()];
    let bobs = config(AccessType::AnyOfAddresses, &both[1..]);
    net.ok(&alice(), vec![grants(&[(&hash, Some(config(AccessType::AnyOfAddresses, &both)))])]);
    let other = [echo(), vec![0, 2, 1, b'x']].concat();
    for (wasm, permission) in [
        (other.clone(), Some(bobs.clone())),
        (echo(), None),
        (echo(), Some(config(AccessType::Everybody, &[]))),
        (echo(), Some(config(AccessType::AnyOfAddresses, &[nobody().address()]))),
    ] {
        refused(&mut net, upload(wasm, permission), ("sdk", 4), "unauthorized");
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, &echo()).unwrap();
    let packed = packed.finish().unwrap();
    for permission in [bobs, config(AccessType::Nobody, &[])] {
        let result = by_bob(&mut net, upload(packed.clone(), Some(permission)));
        assert!(result.code.is_ok(), "{}", result.log);
    }
    net.ok(&alice(), vec![grants(&[(b"*", None)])]);
    assert!(by_bob(&mut net, upload(other, None)).code.is_ok());
    refused(&mut net, upload(vec![0x1f, 0x8b, 8, 0], None), ("wasm", 2), "does not unpack");
    let mut unfit = |grants: Any, want: (&str, u32), words: &str| {
        let result = net.run(&alice(), vec![grants]);
        assert_eq!((code(&result), result.log.contains(words)), (want, true), "{}", result.log);
    };
    unfit(grants(&[]), ("wasm", 12), "grants");
    unfit(grants(&[(b"", None)]), ("wasm", 12), "position 0: code hash");
    unfit(grants(&[(b"*", None), (b"a", None)]), ("sdk", 18), "wildcard");
    unfit(grants(&[(b"a", None), (b"a", None)]), ("sdk", 18), "same code hash");
    let unspecified = config(AccessType::Unspecified, &[]);
    unfit(grants(&[(b"a", Some(unspecified))]), ("wasm", 12), "position 0: instantiate permission");
}

/// Who has a person's word for everything still does not count as her where her own signature is asked for.
#[test]
fn whoever_acts_for_a_patient_is_not_the_patient() {
    let mut clinic = Clinic::open();
    clinic.net.ok(&alice(), vec![allow(generic(EXECUTE))]);
    let read = clinic.read();
    let as_her = vec![clinic.permit(|_| {}), read.clone()];
    let result = by_bob(&mut clinic.net, as_her);
    assert_eq!(code(&result), ("aceso", 203), "{}", result.log);
    assert_eq!(clinic.journal(), []);
    let denied = clinic.permit(|request| request.answer = Answer::Deny { reason: "no".into() });
    assert_eq!(code(&by_bob(&mut clinic.net, vec![denied])), ("aceso", 203));
    // In his own name the guard may let him.
    let as_himself = vec![clinic.permit(|request| request.actor = bob().address()), read];
    let result = by_bob(&mut clinic.net, as_himself);
    assert!(result.code.is_ok(), "{}", result.log);
    let [Event::Permitted { actor, .. }, Event::Read { .. }] = &clinic.journal()[..] else { panic!() };
    assert_eq!(*actor, bob().address());
}

#[test]
fn what_people_say_of_their_records_nobody_says_for_them() {
    let mut net = Net::start();
    let me = alice().address();
    let request = MsgRequestRead { requester: me.clone(), actor: me.clone(), ..MsgRequestRead::default() };
    let messages = [
        ours(&MsgRetireSealed { owner: me.clone(), record: 1 }),
        ours(&MsgRevokeGrant { sender: me.clone(), granter: me.clone(), grant: 1 }),
        ours(&request),
    ];
    let urls =
        ["RegisterImage", "RegisterReader", "RegisterSealed", "RetireSealed", "Grant", "RevokeGrant", "BreakGlass"];
    let more = ["RequestRead", "SubmitShare", "Dispute"];
    for name in urls.iter().chain(&more) {
        let url = format!("/aceso.reads.v1.Msg{name}");
        let result = net.run(&alice(), vec![allow(generic(&url))]);
        assert_eq!(code(&result), ("aceso", 207), "{}", result.log);
        assert!(result.log.contains(&format!("{url}: nobody else may send it")), "{}", result.log);
    }
    for message in messages {
        let words = format!("msg 0: {}: nobody else may send it", message.type_url);
        refused(&mut net, vec![message.clone()], ("aceso", 207), &words);
        // Not even her own, or deeper: who has signed what is said without one.
        let own = net.run(&alice(), vec![exec(&me, vec![exec(&me, vec![message])])]);
        assert_eq!(code(&own), ("aceso", 207), "{}", own.log);
    }
    // Files and what the chain's authority says are nobody's health.
    net.ok(&alice(), vec![allow(generic("/aceso.blobs.v1.MsgRegisterBlob"))]);
    let cid = net.put(b"bytes").to_string();
    let blob = MsgRegisterBlob { owner: me.clone(), cid, size: 5, term: 1_000 };
    let result = by_bob(&mut net, vec![ours(&blob)]);
    assert!(result.code.is_ok(), "{}", result.log);
    let update = MsgUpdateParams { authority: me, params: b"{}".to_vec(), consensus: vec![] };
    net.ok(&alice(), vec![allow(generic("/aceso.validators.v1.MsgUpdateParams"))]);
    refused(&mut net, vec![ours(&update)], ("aceso", 701), "");
}

/// What a contract answers that sends these messages.
fn sends(messages: Vec<Any>) -> String {
    let one =
        |any: &Any| json!({ "id": 0, "payload": "", "msg": sdk_any(any), "gas_limit": null, "reply_on": "never" });
    let messages: Vec<_> = messages.iter().map(one).collect();
    json!({ "ok": { "messages": messages, "attributes": [], "events": [], "data": null } }).to_string()
}

#[test]
fn contracts_grant_and_act_in_their_own_name() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let contract = make(&mut net, id, NOTHING);
    net.ok(&alice(), vec![send(&alice(), &contract, 100)]);
    // It lets bob send its coins, and takes it back.
    let allows = grant_until(&contract, &bob().address(), spending(50, &[]), None);
    let result = execute(&mut net, &contract, &sends(vec![allows]));
    assert!(result.code.is_ok(), "{}", result.log);
    let spend = |amount| {
        let (from_address, to_address) = (contract.clone(), nobody().address());
        vec![sdk(&MsgSend { from_address, to_address, amount: coins(amount) })]
    };
    assert!(by_bob(&mut net, spend(20)).code.is_ok());
    let revokes = sdk(&MsgRevoke { granter: contract.clone(), grantee: bob().address(), msg_type_url: SEND.into() });
    assert!(execute(&mut net, &contract, &sends(vec![revokes])).code.is_ok());
    refused(&mut net, spend(1), ("authz", 2), "authorization not found");
    // It acts for alice, who has asked it to; not for bob, nor as another grantee.
    net.ok(&alice(), vec![grant_until(&alice().address(), &contract, spending(9, &[]), None)]);
    let act = |grantee: &str, msgs: Vec<Any>| sends(vec![exec(grantee, msgs)]);
    let hers = vec![send(&alice(), &nobody().address(), 4)];
    let result = execute(&mut net, &contract, &act(&contract, hers.clone()));
    assert!(result.code.is_ok(), "{}", result.log);
    assert_eq!(net.balance(&nobody().address()), 24);
    let his = act(&contract, vec![send(&bob(), &nobody().address(), 1)]);
    assert_eq!(code(&execute(&mut net, &contract, &his)), ("authz", 2));
    assert_eq!(code(&execute(&mut net, &contract, &act(&bob().address(), hers))), ("sdk", 4));
    let foreign = sends(vec![allow(generic(SEND))]);
    assert_eq!(code(&execute(&mut net, &contract, &foreign)), ("sdk", 4));
    // What contracts do not send by themselves they do not send to themselves either.
    let upload = MsgStoreCode { sender: contract.clone(), wasm_byte_code: echo(), ..MsgStoreCode::default() };
    let result = execute(&mut net, &contract, &act(&contract, vec![sdk(&upload)]));
    assert_eq!(code(&result), ("sdk", 6), "{}", result.log);
    assert!(result.log.contains("contracts do not send /cosmwasm.wasm.v1.MsgStoreCode"), "{}", result.log);
}

#[test]
fn contracts_act_for_others_inside_each_other() {
    let mut net = Net::start();
    let id = store(&mut net, echo());
    let contract = make(&mut net, id, NOTHING);
    let mut message = NOTHING.to_owned();
    for _ in 0..3 {
        let call = MsgExecuteContract {
            sender: alice().address(),
            contract: contract.clone(),
            msg: message.into(),
            funds: vec![],
        };
        message = sends(vec![exec(&contract, vec![sdk(&call)])]);
    }
    net.ok(&alice(), vec![grant_until(&alice().address(), &contract, generic(EXECUTE), None)]);
    let result = execute(&mut net, &contract, &message);
    assert!(result.code.is_ok(), "{}", result.log);
    let runs = told(&result).iter().filter(|line| line.starts_with("execute ")).count();
    assert_eq!(runs, 4);
}

#[test]
fn lists_come_in_pages_both_ways() {
    let mut net = Net::start();
    let urls = [SEND, EXECUTE, EXEC];
    let to = [bob().address(), nobody().address()];
    let all: Vec<Any> = to
        .iter()
        .flat_map(|to| urls.map(|url| grant_until(&alice().address(), to, generic(url), None)))
        .chain([grant_until(&alice().address(), &Key::new(77).address(), spending(5, &[]), Some(1_900_000_000))])
        .collect();
    net.ok(&alice(), all);
    net.ok(&bob(), vec![grant_until(&bob().address(), &nobody().address(), generic(SEND), None)]);
    let page = |limit, key: Vec<u8>, reverse| {
        Some(PageRequest { key, limit, count_total: true, reverse, ..PageRequest::default() })
    };
    let given = |pagination| {
        let asked = QueryGranterGrantsRequest { granter: alice().address(), pagination };
        query::<QueryGranterGrantsResponse>(&net, "GranterGrants", &asked).unwrap()
    };
    let held = |pagination| {
        let asked = QueryGranteeGrantsRequest { grantee: nobody().address(), pagination };
        query::<QueryGranteeGrantsResponse>(&net, "GranteeGrants", &asked).unwrap()
    };
    let whole = given(None);
    assert_eq!((whole.grants.len(), whole.pagination.unwrap().total), (7, 7));
    for reverse in [false, true] {
        let (mut seen, mut key) = (Vec::new(), Vec::new());
        loop {
            let part = given(page(3, key, reverse));
            seen.extend(part.grants);
            let next = part.pagination.unwrap();
            key = next.next_key;
            if key.is_empty() {
                break;
            }
        }
        if reverse {
            seen.reverse();
        }
        assert_eq!(seen, whole.grants);
    }
    let with_end = whole.grants.iter().find(|grant| grant.grantee == Key::new(77).address()).unwrap();
    assert_eq!(with_end.expiration, Some(Timestamp { seconds: 1_900_000_000, nanos: 0 }));
    let mine = held(page(2, vec![], false));
    assert_eq!((mine.grants.len(), mine.pagination.as_ref().unwrap().total), (2, 4));
    let rest = held(page(9, mine.pagination.unwrap().next_key, false));
    let mut granters: Vec<String> = mine.grants.into_iter().chain(rest.grants).map(|grant| grant.granter).collect();
    granters.sort();
    let mut want = vec![alice().address(), alice().address(), alice().address(), bob().address()];
    want.sort();
    assert_eq!(granters, want);
    let between = |grantee: String, msg_type_url: &str| {
        let asked = QueryGrantsRequest {
            granter: alice().address(),
            grantee,
            msg_type_url: msg_type_url.into(),
            pagination: page(2, vec![], false),
        };
        query::<QueryGrantsResponse>(&net, "Grants", &asked)
    };
    let both = between(bob().address(), "").unwrap();
    assert_eq!((both.grants.len(), both.pagination.unwrap().total), (2, 3));
    assert_eq!(between(bob().address(), "/x").unwrap_err().0, 2);
    assert_eq!(between("nobody".into(), "").unwrap_err().0, 18);
    assert_eq!(net.raw_query("/cosmos.authz.v1beta1.Query/Other", vec![]).code.value(), 6);
}

#[test]
fn a_ledger_signs_grants_and_what_is_sent_for_others() {
    let mut net = Net::start();
    let (granter, grantee) = (alice().address(), bob().address());
    let limit = format!(r#"[{{"amount":"5","denom":"{DENOM}"}}]"#);
    let shown = format!(
        r#"{{"type":"cosmos-sdk/MsgGrant","value":{{"grant":{{"authorization":{{"type":"cosmos-sdk/SendAuthorization","value":{{"spend_limit":{limit}}}}},"expiration":"2030-03-17T17:46:40Z"}},"grantee":"{grantee}","granter":"{granter}"}}}}"#
    );
    let msg = grant_until(&granter, &grantee, spending(5, &[]), Some(1_900_000_000));
    let bad = by_ledger(&mut net, &alice(), msg.clone(), &shown.replace("2030", "2031"));
    assert_eq!(code(&bad), ("sdk", 4));
    let good = by_ledger(&mut net, &alice(), msg, &shown);
    assert!(good.code.is_ok(), "{}", good.log);
    let to = nobody().address();
    let sent = format!(
        r#"{{"type":"cosmos-sdk/MsgSend","value":{{"amount":{limit},"from_address":"{granter}","to_address":"{to}"}}}}"#
    );
    let shown = format!(r#"{{"type":"cosmos-sdk/MsgExec","value":{{"grantee":"{grantee}","msgs":[{sent}]}}}}"#);
    let msg = exec(&grantee, vec![send(&alice(), &to, 5)]);
    let bad = by_ledger(&mut net, &bob(), msg.clone(), &shown.replace(&to, &grantee));
    assert_eq!(code(&bad), ("sdk", 4));
    let good = by_ledger(&mut net, &bob(), msg, &shown);
    assert!(good.code.is_ok(), "{}", good.log);
    assert_eq!(net.balance(&to), 5);
}

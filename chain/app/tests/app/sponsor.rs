//! Fees that somebody else pays.

use cosmos_sdk_proto::{
    Any,
    cosmos::feegrant::v1beta1::{
        AllowedMsgAllowance, BasicAllowance, MsgGrantAllowance, MsgPruneAllowances, MsgRevokeAllowance,
        PeriodicAllowance, QueryAllowanceRequest, QueryAllowanceResponse, QueryAllowancesByGranterRequest,
        QueryAllowancesByGranterResponse, QueryAllowancesRequest, QueryAllowancesResponse,
    },
};
use prost::Message;
use tendermint_proto::google::protobuf::{Duration, Timestamp};

use crate::fixture::{Key, Net, RICH, alice, bob, code, coins, nobody, sdk, send, told};

/// What a transaction costs here.
const FEE: u128 = 250_000;

fn basic(limit: u128, expiration: Option<i64>) -> Any {
    let expiration = expiration.map(|seconds| Timestamp { seconds, nanos: 0 });
    let spend_limit = if limit == 0 { Vec::new() } else { coins(limit) };
    sdk(&BasicAllowance { spend_limit, expiration })
}

fn grant(from: &Key, to: &Key, allowance: Any) -> Any {
    sdk(&MsgGrantAllowance { granter: from.address(), grantee: to.address(), allowance: Some(allowance) })
}

/// What becomes of a transaction of `nobody`, whose fee the granter is asked for.
fn sponsored(net: &mut Net, granter: &Key, msgs: Vec<Any>) -> tendermint::abci::types::ExecTxResult {
    let mut draft = net.draft(&[&nobody()], msgs);
    (draft.granter, draft.fee) = (granter.address(), coins(FEE));
    net.deliver(draft.sign())
}

fn revoke() -> Vec<Any> {
    vec![sdk(&MsgRevokeAllowance { granter: nobody().address(), grantee: bob().address() })]
}

/// A message that `nobody` can send without a coin: it lets bob use what she has, which is nothing.
fn harmless() -> Vec<Any> {
    vec![grant(&nobody(), &bob(), basic(0, None))]
}

/// The block's clock.
fn seconds(net: &Net) -> i64 {
    1_800_000_000 + i64::try_from(net.height).unwrap()
}

fn query<Q: Message, A: Message + Default>(net: &Net, method: &str, question: &Q) -> Result<A, (u32, String)> {
    let path = format!("/cosmos.feegrant.v1beta1.Query/{method}");
    let answer = net.raw_query(&path, question.encode_to_vec());
    if answer.code.is_ok() { Ok(A::decode(&answer.value[..]).unwrap()) } else { Err((answer.code.value(), answer.log)) }
}

fn allowance(net: &Net) -> Result<BasicAllowance, (u32, String)> {
    let asked = QueryAllowanceRequest { granter: alice().address(), grantee: nobody().address() };
    let answer: QueryAllowanceResponse = query(net, "Allowance", &asked)?;
    Ok(BasicAllowance::decode(&answer.allowance.unwrap().allowance.unwrap().value[..]).unwrap())
}

#[test]
fn an_account_without_coins_acts_on_a_sponsors_fee() {
    let mut net = Net::start();
    net.ok(&alice(), vec![grant(&alice(), &nobody(), basic(FEE * 2, None))]);
    let before = net.balance(&alice().address());
    let done = sponsored(&mut net, &alice(), harmless());
    assert!(done.code.is_ok(), "{}", done.log);
    assert_eq!(net.balance(&alice().address()), before - FEE);
    assert_eq!(allowance(&net).unwrap().spend_limit, coins(FEE));
    let kinds: Vec<&str> = done.events.iter().map(|event| event.kind.as_str()).collect();
    assert!(kinds.starts_with(&["use_feegrant", "update_feegrant"]), "{kinds:?}");
    let payer = format!("fee_payer={}", alice().address());
    assert!(told(&done).iter().any(|event| event.contains(&payer)), "{:?}", told(&done));
    // The last of it goes with the second fee, also if the message fails; the allowance is gone then.
    let failed = sponsored(&mut net, &alice(), vec![send(&nobody(), &bob().address(), 1)]);
    assert_eq!(code(&failed), ("sdk", 5));
    assert_eq!(net.balance(&alice().address()), before - 2 * FEE);
    assert_eq!(allowance(&net).unwrap_err().1, "fee-grant not found: not found");
    let refused = sponsored(&mut net, &alice(), revoke());
    let words = format!(
        "{} does not allow to pay fees for {}: fee-grant not found: not found",
        alice().address(),
        nobody().address()
    );
    assert_eq!((code(&refused), &refused.log), (("sdk", 38), &words));
    assert_eq!(net.balance(&alice().address()), before - 2 * FEE);
}

#[test]
fn what_an_allowance_does_not_cover_is_refused_and_costs_nobody() {
    let mut net = Net::start();
    net.ok(&alice(), vec![grant(&alice(), &nobody(), basic(FEE - 1, None))]);
    let before = net.balance(&alice().address());
    let refused = sponsored(&mut net, &alice(), harmless());
    assert_eq!(code(&refused), ("feegrant", 2));
    assert!(refused.log.ends_with("basic allowance: fee limit exceeded"), "{}", refused.log);
    // Nobody else's allowance is a sponsor's.
    assert_eq!(code(&sponsored(&mut net, &bob(), harmless())), ("sdk", 38));
    assert_eq!(net.balance(&alice().address()), before);

    let filter = AllowedMsgAllowance {
        allowance: Some(basic(0, None)),
        allowed_messages: vec!["/cosmos.feegrant.v1beta1.MsgGrantAllowance".into()],
    };
    net.ok(&bob(), vec![grant(&bob(), &nobody(), sdk(&filter))]);
    let refused = sponsored(&mut net, &bob(), revoke());
    assert_eq!(code(&refused), ("feegrant", 7));
    assert!(sponsored(&mut net, &bob(), harmless()).code.is_ok());
    // The sponsor's coins are what counts.
    let poor = Key::new(10);
    net.ok(&alice(), vec![send(&alice(), &poor.address(), FEE * 2)]);
    let mut draft = net.draft(&[&poor], vec![grant(&poor, &nobody(), basic(0, None))]);
    draft.fee = coins(FEE * 2 - 1);
    assert!(net.deliver(draft.sign()).code.is_ok());
    let refused = sponsored(&mut net, &poor, revoke());
    assert_eq!(code(&refused), ("sdk", 5), "{}", refused.log);
}

#[test]
fn grants_are_checked_before_they_are_given() {
    let mut net = Net::start();
    let refused = |net: &mut Net, allowance: Any| {
        let result = net.run(&alice(), vec![grant(&alice(), &nobody(), allowance)]);
        let (space, number) = code(&result);
        ((space.to_owned(), number), result.log.clone())
    };
    let self_grant = net.run(&alice(), vec![grant(&alice(), &alice(), basic(1, None))]);
    assert_eq!(code(&self_grant), ("sdk", 7));
    let gone = basic(1, Some(1));
    assert_eq!(refused(&mut net, gone).0, ("sdk".into(), 18));
    let unknown = Any { type_url: "/cosmos.feegrant.v1beta1.Other".into(), value: vec![] };
    assert_eq!(refused(&mut net, unknown).0, ("sdk".into(), 2));
    let empty = AllowedMsgAllowance { allowance: Some(basic(0, None)), allowed_messages: vec![] };
    assert_eq!(refused(&mut net, sdk(&empty)).0, ("feegrant".into(), 6));
    let clock = PeriodicAllowance {
        basic: None,
        period: Some(Duration { seconds: -1, nanos: 0 }),
        period_spend_limit: coins(1),
        period_can_spend: vec![],
        period_reset: None,
    };
    assert_eq!(refused(&mut net, sdk(&clock)).0, ("feegrant".into(), 4));
    net.ok(&alice(), vec![grant(&alice(), &nobody(), basic(0, None))]);
    let (twice, words) = refused(&mut net, basic(0, None));
    assert_eq!(twice, ("sdk".into(), 18));
    assert!(words.contains("fee allowance already exists"), "{words}");
    let nothing =
        net.run(&bob(), vec![sdk(&MsgRevokeAllowance { granter: bob().address(), grantee: nobody().address() })]);
    assert_eq!(code(&nothing), ("sdk", 38));
}

#[test]
fn what_is_over_is_swept_and_lists_come_in_pages() {
    let mut net = Net::start();
    let now = seconds(&net);
    net.ok(&alice(), vec![grant(&alice(), &nobody(), basic(0, Some(now + 4)))]);
    net.ok(&bob(), vec![grant(&bob(), &nobody(), basic(0, None))]);
    net.ok(&alice(), vec![grant(&alice(), &bob(), basic(7, None))]);
    let for_nobody = QueryAllowancesRequest { grantee: nobody().address(), pagination: None };
    let by_alice = QueryAllowancesByGranterRequest { granter: alice().address(), pagination: None };
    let count = |net: &Net| {
        let all: QueryAllowancesResponse = query(net, "Allowances", &for_nobody).unwrap();
        let given: QueryAllowancesByGranterResponse = query(net, "AllowancesByGranter", &by_alice).unwrap();
        (all.allowances.len(), given.allowances.len())
    };
    assert_eq!(count(&net), (2, 2));
    while seconds(&net) <= now + 6 {
        net.block(vec![]);
    }
    assert_eq!(count(&net), (1, 1));
    net.ok(&alice(), vec![sdk(&MsgPruneAllowances { pruner: alice().address() })]);
    let revoked = vec![sdk(&MsgRevokeAllowance { granter: alice().address(), grantee: bob().address() })];
    net.ok(&alice(), revoked);
    assert_eq!(count(&net), (1, 0));
    assert!(net.balance(&alice().address()) < RICH);
}

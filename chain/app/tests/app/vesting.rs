//! Accounts that cannot spend all that they have yet.

use aceso_types::{
    genesis::{Balance, Coin as GenesisCoin, Genesis},
    vesting::VestingAccount,
};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        auth::v1beta1::{QueryAccountRequest, QueryAccountResponse},
        bank::v1beta1::{
            QuerySpendableBalanceByDenomRequest, QuerySpendableBalanceByDenomResponse, QuerySpendableBalancesRequest,
            QuerySpendableBalancesResponse,
        },
        vesting::v1beta1::{
            ContinuousVestingAccount, DelayedVestingAccount, PeriodicVestingAccount, PermanentLockedAccount,
        },
    },
};
use prost::{Message, Name};

use crate::{
    export::export,
    fixture::{DENOM, Key, Net, alice, bob, code, nobody, send},
    guests,
    reads::{Clinic, picture},
};

/// When the genesis is; a block is a second later than the one before.
pub(crate) const BEGIN: i64 = 1_800_000_000;
/// What each of them has, a million more than what vests.
pub(crate) const HELD: u128 = 5_000_000;

pub(crate) fn carol() -> Key {
    Key::new(51)
}

/// An account of this kind whose four million vest.
pub(crate) fn vests(kind: &str, address: &str, end: i64, more: &str) -> VestingAccount {
    let text = format!(
        r#"{{"@type":"/cosmos.vesting.v1beta1.{kind}","base_vesting_account":{{"base_account":{{"address":"{address}"}},"original_vesting":[{{"denom":"{DENOM}","amount":"4000000"}}],"end_time":"{end}"}}{more}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn holds(genesis: &mut Genesis, who: &Key) {
    let coins = vec![GenesisCoin { denom: DENOM.into(), amount: HELD.to_string() }];
    genesis.balances.push(Balance { address: who.address(), coins });
}

pub(crate) fn net_with(account: VestingAccount) -> Net {
    Net::with(|genesis| {
        holds(genesis, &carol());
        genesis.vesting = vec![account];
    })
}

fn account(net: &Net) -> Any {
    let request = QueryAccountRequest { address: carol().address() };
    let answer: QueryAccountResponse = net.query("/cosmos.auth.v1beta1.Query/Account", &request);
    answer.account.unwrap()
}

fn decoded<M: Message + Name + Default>(any: &Any) -> M {
    assert_eq!(any.type_url, M::type_url());
    M::decode(&any.value[..]).unwrap()
}

fn spendable(net: &Net) -> u128 {
    let request = QuerySpendableBalancesRequest { address: carol().address(), pagination: None };
    let all: QuerySpendableBalancesResponse = net.query("/cosmos.bank.v1beta1.Query/SpendableBalances", &request);
    let request = QuerySpendableBalanceByDenomRequest { address: carol().address(), denom: DENOM.into() };
    let one: QuerySpendableBalanceByDenomResponse =
        net.query("/cosmos.bank.v1beta1.Query/SpendableBalanceByDenom", &request);
    assert_eq!(all.balances, [one.balance.clone().unwrap()]);
    one.balance.unwrap().amount.parse().unwrap()
}

#[test]
fn what_has_not_vested_is_there_and_is_not_spent() {
    let mut net = net_with(vests("DelayedVestingAccount", &carol().address(), BEGIN + 7, ""));
    assert_eq!([net.balance(&carol().address()), spendable(&net)], [HELD, 1_000_000]);
    let base = decoded::<DelayedVestingAccount>(&account(&net)).base_vesting_account.unwrap();
    assert_eq!((base.base_account.unwrap().address, base.end_time), (carol().address(), BEGIN + 7));
    let refused = net.run(&carol(), vec![send(&carol(), &nobody().address(), 750_001)]);
    assert_eq!(code(&refused), ("sdk", 5));
    let words = format!("spendable balance 750000{DENOM} is smaller than 750001{DENOM}: insufficient funds");
    assert!(refused.log.ends_with(&words), "{}", refused.log);
    // What comes later is free at once.
    net.ok(&bob(), vec![send(&bob(), &carol().address(), 1)]);
    net.ok(&carol(), vec![send(&carol(), &nobody().address(), 500_001)]);
    assert_eq!([net.balance(&carol().address()), spendable(&net)], [4_000_000, 0]);
    let base = decoded::<DelayedVestingAccount>(&account(&net)).base_vesting_account.unwrap();
    assert_eq!(base.base_account.unwrap().sequence, 2);
    // The fee is a coin as any other.
    let refused = net.run(&carol(), vec![send(&carol(), &nobody().address(), 1)]);
    assert_eq!(code(&refused), ("sdk", 5));
    assert_eq!(net.account(&alice().address()).unwrap().sequence, 0, "others are plain accounts");
    while net.height < 7 {
        net.block(vec![]);
    }
    assert_eq!(spendable(&net), 4_000_000);
    net.ok(&carol(), vec![send(&carol(), &nobody().address(), 3_750_000)]);
    assert_eq!(net.balance(&carol().address()), 0);
}

#[test]
fn accounts_vest_by_the_second_by_periods_and_never() {
    let start = format!(r#","start_time":"{BEGIN}""#);
    let mut net = net_with(vests("ContinuousVestingAccount", &carol().address(), BEGIN + 4, &start));
    let mut seen = vec![spendable(&net)];
    for _ in 0..4 {
        net.block(vec![]);
        seen.push(spendable(&net));
    }
    assert_eq!(seen, [2_000_000, 3_000_000, 4_000_000, HELD, HELD]);
    assert_eq!(decoded::<ContinuousVestingAccount>(&account(&net)).start_time, BEGIN);

    let period = |seconds: u64, amount: u64| {
        format!(r#"{{"length":"{seconds}","amount":[{{"denom":"{DENOM}","amount":"{amount}"}}]}}"#)
    };
    let more = format!(r#"{start},"vesting_periods":[{},{}]"#, period(2, 3_000_000), period(2, 1_000_000));
    let mut net = net_with(vests("PeriodicVestingAccount", &carol().address(), BEGIN + 4, &more));
    let mut seen = vec![spendable(&net)];
    for _ in 0..3 {
        net.block(vec![]);
        seen.push(spendable(&net));
    }
    assert_eq!(seen, [1_000_000, 4_000_000, 4_000_000, HELD]);
    assert_eq!(decoded::<PeriodicVestingAccount>(&account(&net)).vesting_periods.len(), 2);

    let mut net = net_with(vests("PermanentLockedAccount", &carol().address(), 0, ""));
    decoded::<PermanentLockedAccount>(&account(&net));
    assert_eq!(spendable(&net), 1_000_000);
    assert_eq!(code(&net.run(&carol(), vec![send(&carol(), &nobody().address(), 1_000_000)])), ("sdk", 5));
}

#[test]
fn what_has_not_vested_pays_for_no_read() {
    // Where the contract will be is known before.
    let Clinic { reader, price, .. } = Clinic::open();
    let net = Net::with(|genesis| {
        let coins = vec![GenesisCoin { denom: DENOM.into(), amount: "4000000".into() }];
        genesis.balances.push(Balance { address: reader.clone(), coins });
        genesis.vesting = vec![vests("PermanentLockedAccount", &reader, 0, "")];
    });
    let mut clinic = Clinic::on(net, guests::reader(guests::NOTHING), &picture(0), 1);
    assert_eq!((&clinic.reader, clinic.net.balance(&reader)), (&reader, 4_000_000 + price));
    let read = |clinic: &mut Clinic, grant: &str| {
        let msgs = vec![clinic.permit(|request| request.grant = grant.into()), clinic.read()];
        clinic.run(msgs)
    };
    let paid = read(&mut clinic, "g1");
    assert!(paid.code.is_ok(), "{}", paid.log);
    let refused = read(&mut clinic, "g2");
    assert_eq!(code(&refused), ("aceso", 501));
    assert!(refused.log.contains(&format!("{reader} could spend 0{DENOM}")), "{}", refused.log);
    assert_eq!(clinic.net.balance(&reader), 4_000_000);
}

#[test]
fn accounts_that_vest_go_on_in_another_chain_and_after_a_restart() {
    let start = format!(r#","start_time":"{BEGIN}""#);
    let mut net = net_with(vests("ContinuousVestingAccount", &carol().address(), BEGIN + 8, &start));
    net.ok(&bob(), vec![send(&bob(), &carol().address(), 5)]);
    let (shown, left) = (account(&net), spendable(&net));
    assert_eq!(left, 2_000_005);
    net.reopen(|_| {});
    assert_eq!((account(&net), spendable(&net)), (shown.clone(), left));
    let exported = export(&mut net, None, None);
    let mut other = net.joining();
    assert_eq!(other.app.init_chain(exported.request).unwrap().app_hash, exported.app_hash);
    for chain in [&mut net, &mut other] {
        chain.block(vec![]);
    }
    assert_eq!((account(&other), spendable(&other)), (shown, 2_500_005));
    assert_eq!(spendable(&net), 2_500_005);
    // What is locked is locked there too, and vests on.
    let refused = other.run(&carol(), vec![send(&carol(), &nobody().address(), 3_000_000)]);
    assert_eq!(code(&refused), ("sdk", 5), "{}", refused.log);
    while other.height < 9 {
        other.block(vec![]);
    }
    other.ok(&carol(), vec![send(&carol(), &nobody().address(), 3_000_000)]);
}

#[test]
fn a_genesis_with_an_account_that_cannot_be_starts_no_chain() {
    let net = Net::start();
    let delayed = |who: &Key| vests("DelayedVestingAccount", &who.address(), BEGIN, "");
    for (vesting, words) in [
        (vec![delayed(&carol()), delayed(&carol())], "an account vests twice"),
        (vec![delayed(&nobody())], "vesting amount 4000000uaceso cannot be greater than 0uaceso"),
        (vec![vests("PermanentLockedAccount", &carol().address(), 1, "")], "cannot have an end-time"),
        (vec![vests("DelayedVestingAccount", &carol().address(), -1, "")], "times cannot be negative"),
    ] {
        let request = net.genesis(|genesis| {
            holds(genesis, &carol());
            genesis.vesting = vesting;
        });
        let error = net.joining().app.init_chain(request).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

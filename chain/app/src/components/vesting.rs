//! Accounts whose coins become theirs to spend over time.
//!
//! A genesis makes them; what such an account has besides its row in [`accounts`](super::accounts) is a row of its own.
//! How much is locked at a block's time is reckoned as in the SDK (`x/auth/vesting/types`), to the last unit. Nothing
//! is delegated on this chain.

use aceso_types::vesting::{BaseVesting, VestingAccount};
use cosmos_sdk_proto::{
    Any,
    cosmos::{
        auth::v1beta1::BaseAccount,
        base::v1beta1::Coin,
        vesting::v1beta1::{
            BaseVestingAccount, ContinuousVestingAccount, DelayedVestingAccount, Period, PeriodicVestingAccount,
            PermanentLockedAccount,
        },
    },
};
use cosmwasm_std::{Uint128, Uint256};
use prost::{Message, Name};

use crate::{
    code::{Code, Fault},
    coin::Coins,
    components::ACCOUNTS,
    error::Outcome,
    store::{Part, Read, Write},
};

/// Periods of one account.
const PERIODS_MAX: usize = 1_000;
/// The SDK's decimal numbers are whole numbers of this part.
const ONE: u128 = 1_000_000_000_000_000_000;

/// Every key of these rows. Renaming one is a state migration.
mod keys {
    /// `vesting/aceso1qyqszqgpqyqszqgpqyqszqgpqyqszqgp2uv78a`
    pub(super) fn vesting(address: &str) -> Vec<u8> {
        format!("vesting/{address}").into_bytes()
    }

    #[test]
    fn keys_do_not_change() {
        assert_eq!(vesting("a"), b"vesting/a");
    }
}

/// The kinds of accounts that vest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Kind {
    Base = 0,
    Continuous = 1,
    Delayed = 2,
    Periodic = 3,
    Locked = 4,
}

/// What vests, and when.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Vesting {
    #[prost(enumeration = "Kind", tag = "1")]
    kind: i32,
    /// Without its account.
    #[prost(message, required, tag = "2")]
    base: BaseVestingAccount,
    /// Seconds since the Unix epoch, of those that have a start.
    #[prost(int64, tag = "3")]
    start: i64,
    #[prost(message, repeated, tag = "4")]
    periods: Vec<Period>,
}

/// What an account has to do with vesting, if it does.
pub(crate) fn get(state: &mut impl Read, address: &str) -> Outcome<Option<Vesting>> {
    state.row(ACCOUNTS, &keys::vesting(address))
}

/// Whether there is any such account.
pub(crate) fn is_used(state: &mut impl Read) -> Outcome<bool> {
    Ok(!state.page(ACCOUNTS, &Part::first(keys::vesting(""), 1))?.is_empty())
}

/// Notes that an account vests. Genesis only.
pub(crate) fn put(state: &mut impl Write, address: &str, vesting: &Vesting) -> Outcome<()> {
    state.put(ACCOUNTS, keys::vesting(address), vesting)
}

impl Vesting {
    /// Checks what a genesis says, by the SDK's rules (`Validate` of each kind).
    pub(crate) fn of_genesis(account: &VestingAccount) -> Result<Self, Fault> {
        let refuse = |what: &str| Err(Code::InvalidRequest.because(what));
        let (kind, start, periods) = match account {
            VestingAccount::Base(_) => (Kind::Base, 0, &[][..]),
            VestingAccount::Continuous { start_time, .. } => (Kind::Continuous, *start_time, &[][..]),
            VestingAccount::Delayed { .. } => (Kind::Delayed, 0, &[][..]),
            VestingAccount::Periodic { start_time, vesting_periods, .. } => {
                (Kind::Periodic, *start_time, &vesting_periods[..])
            }
            VestingAccount::PermanentLocked { .. } => (Kind::Locked, 0, &[][..]),
        };
        let BaseVesting { base_account, original_vesting, delegated_free, delegated_vesting, end_time } =
            account.base();
        if base_account.sequence != 0 {
            return refuse("an account that vests has signed nothing yet");
        }
        let [original, delegated, free] =
            [original_vesting, delegated_vesting, delegated_free].map(|coins| wire(coins));
        let (whole, without) = (Coins::of_wire(&original)?, Coins::of_wire(&delegated)?);
        Coins::of_wire(&free)?;
        if without.iter().any(|(denom, amount)| amount > whole.amount_of(denom)) {
            return refuse("delegated vesting amount cannot be greater than original vesting amount");
        }
        if start < 0 || *end_time < 0 {
            return refuse("times cannot be negative");
        }
        if matches!(kind, Kind::Continuous | Kind::Periodic) && start >= *end_time {
            return refuse("vesting start-time cannot be before end-time");
        }
        if kind == Kind::Locked && *end_time > 0 {
            return refuse("permanently vested accounts cannot have an end-time");
        }
        if periods.len() > PERIODS_MAX {
            return refuse("more than 1000 periods");
        }
        let base = BaseVestingAccount {
            base_account: None,
            original_vesting: original,
            delegated_free: free,
            delegated_vesting: delegated,
            end_time: *end_time,
        };
        let period = |one: &aceso_types::vesting::Period| Period { length: one.length, amount: wire(&one.amount) };
        let vesting = Self { kind: kind.into(), base, start, periods: periods.iter().map(period).collect() };
        if kind == Kind::Periodic {
            vesting.check_periods(&whole)?;
        }
        Ok(vesting)
    }

    /// The periods end where the account does, and together they are all of it.
    fn check_periods(&self, whole: &Coins) -> Result<(), Fault> {
        let refuse = |what: &str| Err(Code::InvalidRequest.because(what));
        let (mut end, mut sum) = (self.start, Vec::new());
        for period in &self.periods {
            let Some(next) = end.checked_add(period.length).filter(|_| period.length >= 0) else {
                return refuse("a period has a length that cannot be");
            };
            end = next;
            sum.extend(Coins::of_wire(&period.amount)?.iter().map(|(denom, amount)| (denom.to_owned(), amount)));
        }
        if end != self.base.end_time {
            return refuse("vesting end time does not match length of all vesting periods");
        }
        let total = |denom: &str| {
            let parts = sum.iter().filter(|(one, _)| one == denom);
            parts.fold(0_u128, |total, (_, amount)| total.saturating_add(*amount))
        };
        let known = |denom: &str| whole.amount_of(denom) == total(denom);
        if whole.iter().all(|(denom, _)| known(denom)) && sum.iter().all(|(denom, _)| known(denom)) {
            return Ok(());
        }
        refuse("original vesting coins do not match the sum of all coins in vesting periods")
    }

    /// What may not be spent, of a denomination, at a time in seconds since the Unix epoch.
    pub(crate) fn locked(&self, denom: &str, now: u64) -> u128 {
        let whole = amount_of(&self.base.original_vesting, denom);
        let vesting = whole.saturating_sub(self.vested(denom, whole, i64::try_from(now).unwrap_or(i64::MAX)));
        vesting.saturating_sub(amount_of(&self.base.delegated_vesting, denom))
    }

    /// Whether an account that holds `held` of each denomination has less of one than is locked.
    pub(crate) fn exceeds(&self, now: u64, mut held: impl FnMut(&str) -> Outcome<u128>) -> Outcome<bool> {
        for coin in &self.base.original_vesting {
            if self.locked(&coin.denom, now) > held(&coin.denom)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn vested(&self, denom: &str, whole: u128, now: i64) -> u128 {
        let (start, end) = (self.start, self.base.end_time);
        match self.kind() {
            Kind::Base => whole,
            Kind::Locked => 0,
            Kind::Delayed => {
                if now >= end {
                    whole
                } else {
                    0
                }
            }
            Kind::Continuous | Kind::Periodic if now <= start => 0,
            Kind::Continuous | Kind::Periodic if now >= end => whole,
            Kind::Continuous => part_of(whole, now.abs_diff(start), end.abs_diff(start)),
            Kind::Periodic => {
                let (mut vested, mut begun) = (0_u128, start);
                for period in &self.periods {
                    if now.saturating_sub(begun) < period.length {
                        break;
                    }
                    vested = vested.saturating_add(amount_of(&period.amount, denom));
                    begun = begun.saturating_add(period.length);
                }
                vested
            }
        }
    }

    /// The account as clients know it.
    pub(crate) fn shown(self, account: BaseAccount) -> Any {
        let kind = self.kind();
        let base = BaseVestingAccount { base_account: Some(account), ..self.base };
        let base_vesting_account = Some(base.clone());
        match kind {
            Kind::Base => any(&base),
            Kind::Continuous => any(&ContinuousVestingAccount { base_vesting_account, start_time: self.start }),
            Kind::Delayed => any(&DelayedVestingAccount { base_vesting_account }),
            Kind::Periodic => any(&PeriodicVestingAccount {
                base_vesting_account,
                start_time: self.start,
                vesting_periods: self.periods,
            }),
            Kind::Locked => any(&PermanentLockedAccount { base_vesting_account }),
        }
    }
}

fn any<M: Message + Name>(account: &M) -> Any {
    Any { type_url: M::type_url(), value: account.encode_to_vec() }
}

fn wire(coins: &[aceso_types::genesis::Coin]) -> Vec<Coin> {
    coins.iter().map(|coin| Coin { denom: coin.denom.clone(), amount: coin.amount.clone() }).collect()
}

/// How much of a denomination; amounts were checked when the row was made.
fn amount_of(coins: &[Coin], denom: &str) -> u128 {
    let found = coins.iter().find(|coin| coin.denom == denom);
    found.and_then(|coin| coin.amount.parse().ok()).unwrap_or_default()
}

/// `whole · passed / total`, as the SDK's decimals come to it: the quotient to 18 digits first, then the product to a whole
/// number, each time to the even one of two that are as near. `passed` is less than `total`.
fn part_of(whole: u128, passed: u64, total: u64) -> u128 {
    let one = Uint256::from(ONE);
    // Less than 2^64 · 10^36, and than 2^128 · 10^18.
    let share = half_even(Uint256::from(passed) * one * one / Uint256::from(total));
    Uint128::try_from(half_even(Uint256::from(whole) * share)).map_or(whole, |part| part.u128())
}

fn half_even(decimal: Uint256) -> Uint256 {
    let (one, half) = (Uint256::from(ONE), Uint256::from(ONE / 2));
    let (floor, rest) = (decimal / one, decimal % one);
    let odd = !(floor % Uint256::from(2_u8)).is_zero();
    if rest > half || (rest == half && odd) { floor + Uint256::one() } else { floor }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(json: &str) -> Result<Vesting, Fault> {
        Vesting::of_genesis(&serde_json::from_str(json).unwrap())
    }

    fn of(kind: &str, end: i64, more: &str) -> String {
        format!(
            r#"{{"@type":"/cosmos.vesting.v1beta1.{kind}","base_vesting_account":{{"base_account":{{"address":"a"}},"original_vesting":[{{"denom":"fee","amount":"1000"}},{{"denom":"stake","amount":"100"}}],"end_time":"{end}"}}{more}}}"#
        )
    }

    fn locked(vesting: &Vesting, now: u64) -> [u128; 3] {
        ["fee", "stake", "other"].map(|denom| vesting.locked(denom, now))
    }

    /// The cases of the SDK's `vesting_account_test.go`: a day from 1,000 on, half a day, and what is beyond.
    #[test]
    fn continuous_accounts_vest_every_second() {
        let (start, end) = (1_000, 1_000 + 86_400);
        let vesting = account(&of("ContinuousVestingAccount", 87_400, r#","start_time":"1000""#)).unwrap();
        assert_eq!(locked(&vesting, start), [1000, 100, 0]);
        assert_eq!(locked(&vesting, start + 43_200), [500, 50, 0]);
        assert_eq!(locked(&vesting, start + 1), [1000, 100, 0]);
        assert_eq!(locked(&vesting, start + 86_400 / 3), [667, 67, 0]);
        assert_eq!([locked(&vesting, end), locked(&vesting, u64::MAX)], [[0; 3]; 2]);
    }

    #[test]
    fn delayed_accounts_vest_at_once_and_locked_ones_never() {
        let delayed = account(&of("DelayedVestingAccount", 5_000, "")).unwrap();
        assert_eq!([locked(&delayed, 4_999), locked(&delayed, 5_000)], [[1000, 100, 0], [0; 3]]);
        let permanent = account(&of("PermanentLockedAccount", 0, "")).unwrap();
        assert_eq!(locked(&permanent, u64::MAX), [1000, 100, 0]);
    }

    #[test]
    fn periodic_accounts_vest_at_the_end_of_each_period() {
        let period = |length: i64, fee: u64, stake: u64| {
            format!(
                r#"{{"length":"{length}","amount":[{{"denom":"fee","amount":"{fee}"}},{{"denom":"stake","amount":"{stake}"}}]}}"#
            )
        };
        let of = |end, periods: [String; 3]| {
            let more = format!(r#","start_time":"1000","vesting_periods":[{}]"#, periods.join(","));
            account(&of("PeriodicVestingAccount", end, &more))
        };
        let good = [period(12, 500, 50), period(6, 250, 25), period(6, 250, 25)];
        let vesting = of(1_024, good.clone()).unwrap();
        let at = [1_000, 1_011, 1_012, 1_017, 1_018, 1_023, 1_024].map(|now| locked(&vesting, now)[0]);
        assert_eq!(at, [1000, 1000, 500, 500, 250, 250, 0]);
        for (end, periods, words) in [
            (1_025, good, "does not match length"),
            (1_024, [period(12, 500, 50), period(6, 250, 25), period(6, 250, 24)], "do not match the sum"),
            (1_024, [period(30, 500, 50), period(-12, 250, 25), period(6, 250, 25)], "a length that cannot be"),
        ] {
            let fault = of(end, periods).unwrap_err();
            assert!(fault.text.contains(words), "{fault}");
        }
    }

    #[test]
    fn what_was_delegated_is_not_locked() {
        let json = of("DelayedVestingAccount", 5_000, "");
        let with = |amount: u32| {
            let delegated = format!(r#""end_time":"5000","delegated_vesting":[{{"denom":"fee","amount":"{amount}"}}]"#);
            account(&json.replace(r#""end_time":"5000""#, &delegated))
        };
        assert_eq!(locked(&with(300).unwrap(), 1), [700, 100, 0]);
        assert!(with(1_001).is_err());
    }

    #[test]
    fn accounts_that_cannot_be_are_refused() {
        for json in [
            of("ContinuousVestingAccount", 10, r#","start_time":"10""#),
            of("ContinuousVestingAccount", 10, r#","start_time":"-1""#),
            of("DelayedVestingAccount", -1, ""),
            of("PermanentLockedAccount", 1, ""),
            of("DelayedVestingAccount", 1, "").replace("1000", "0"),
            of("DelayedVestingAccount", 1, "").replace("stake", "fee"),
            of("DelayedVestingAccount", 1, "").replace(r#""a""#, r#""a","sequence":"1""#),
        ] {
            assert!(account(&json).is_err(), "{json}");
        }
    }

    #[test]
    fn parts_are_rounded_as_the_sdk_rounds() {
        // 1/3 is 0.333333333333333333; of 3·10^18 that is a whole number, one less than a third of it and no more.
        assert_eq!(part_of(3 * ONE, 1, 3), ONE - 1);
        assert_eq!([part_of(1, 1, 2), part_of(3, 1, 2), part_of(5, 1, 2)], [0, 2, 2]);
        assert_eq!(part_of(u128::MAX, u64::MAX - 1, u64::MAX), u128::MAX);
    }
}

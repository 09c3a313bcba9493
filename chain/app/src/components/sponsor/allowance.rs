//! What an allowance says, and whether it covers a fee (SDK `x/feegrant`: `basic_fee.go`, `periodic_fee.go`,
//! `filtered_fee.go`).

use cosmos_sdk_proto::{
    Any,
    cosmos::{
        base::v1beta1::Coin,
        feegrant::v1beta1::{AllowedMsgAllowance, BasicAllowance, PeriodicAllowance},
    },
};
use prost::Name;
use tendermint_proto::google::protobuf::{Duration, Timestamp};

use crate::{
    code::{Code, Fault},
    coin::Coins,
    tx::decode::{any, canonical},
};

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;
/// The last second that a timestamp can name, 9999-12-31T23:59:59Z (protobuf `timestamp.proto`).
const LAST_SECOND: i64 = 253_402_300_799;

/// An allowance that covers some fees.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Allowance {
    /// So much in all.
    Basic(BasicAllowance),
    /// So much in each period.
    Periodic(PeriodicAllowance),
    /// Only for some messages; the allowance inside is one of the two.
    AllowedMsg(AllowedMsgAllowance, Box<Self>),
}

/// What is left of an allowance after a fee.
#[derive(Debug, PartialEq)]
pub(crate) enum Left {
    /// This.
    Some(Allowance),
    /// Nothing: it is used up.
    Nothing,
}

impl Allowance {
    /// Reads an allowance; one that filters may hold one that does not.
    pub(crate) fn decode(any: Option<&Any>) -> Result<Self, Fault> {
        Self::within(any, true)
    }

    fn within(any: Option<&Any>, may_filter: bool) -> Result<Self, Fault> {
        let Some(any) = any else { return Err(Code::NoAllowance.because("allowance should not be empty")) };
        match any.type_url.as_str() {
            url if url == BasicAllowance::type_url() => canonical(&any.value, url).map(Self::Basic),
            url if url == PeriodicAllowance::type_url() => canonical(&any.value, url).map(Self::Periodic),
            url if url == AllowedMsgAllowance::type_url() && may_filter => {
                let filter: AllowedMsgAllowance = canonical(&any.value, url)?;
                let inner = Self::within(filter.allowance.as_ref(), false)?;
                Ok(Self::AllowedMsg(filter, Box::new(inner)))
            }
            other => {
                let other: String = other.chars().take(128).collect();
                Err(Code::TxDecode.because(format_args!("no allowance known here: {other:?}")))
            }
        }
    }

    /// The allowance as it travels.
    pub(crate) fn encode(&self) -> Any {
        match self {
            Self::Basic(basic) => any(basic),
            Self::Periodic(periodic) => any(periodic),
            Self::AllowedMsg(filter, inner) => {
                any(&AllowedMsgAllowance { allowance: Some(inner.encode()), ..filter.clone() })
            }
        }
    }

    /// Checks all that can be checked without the state (SDK `ValidateBasic`).
    pub(crate) fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Basic(basic) => check_basic(basic),
            Self::Periodic(periodic) => {
                let basic = periodic.basic.clone().unwrap_or_default();
                check_basic(&basic)?;
                let each = Coins::of_wire(&periodic.period_spend_limit)?;
                if each.is_empty() {
                    return Err(Code::InvalidCoins.because("spend limit must be positive"));
                }
                Coins::of_wire(&periodic.period_can_spend)?;
                let all = Coins::of_wire(&basic.spend_limit)?;
                if !all.is_empty() && each.iter().any(|(denom, _)| all.amount_of(denom) == 0) {
                    let words = "period spend limit has different currency than basic spend limit";
                    return Err(Code::InvalidCoins.because(words));
                }
                duration(periodic.period.as_ref())?;
                periodic.period_reset.as_ref().map(timestamp).transpose().map(|_| ())
            }
            Self::AllowedMsg(filter, inner) => {
                if filter.allowed_messages.is_empty() {
                    return Err(Code::NoMessages.because("allowed messages shouldn't be empty"));
                }
                inner.check()
            }
        }
    }

    /// The nanosecond of Unix time after which it no longer holds; none for never.
    pub(crate) fn expires(&self) -> Option<u128> {
        let basic = match self {
            Self::Basic(basic) => basic,
            Self::Periodic(periodic) => periodic.basic.as_ref()?,
            Self::AllowedMsg(_, inner) => return inner.expires(),
        };
        timestamp(basic.expiration.as_ref()?).ok().and_then(|nanos| u128::try_from(nanos).ok())
    }

    /// How many entries are looked at to say whether messages are allowed.
    pub(crate) fn filters(&self) -> usize {
        match self {
            Self::AllowedMsg(filter, _) => filter.allowed_messages.len(),
            _ => 0,
        }
    }

    /// Takes a fee for these messages at this time, in nanoseconds of Unix time.
    pub(crate) fn accept(self, fee: &Coins, urls: &[&str], now: u64) -> Result<Left, Fault> {
        match self {
            Self::Basic(mut basic) => {
                if is_over(&basic, now) {
                    return Err(Code::FeeLimitExpired.because("basic allowance"));
                }
                if basic.spend_limit.is_empty() {
                    return Ok(Left::Some(Self::Basic(basic)));
                }
                basic.spend_limit = minus(&basic.spend_limit, fee, "basic allowance")?;
                Ok(if basic.spend_limit.is_empty() { Left::Nothing } else { Left::Some(Self::Basic(basic)) })
            }
            Self::Periodic(mut periodic) => {
                let mut basic = periodic.basic.take().unwrap_or_default();
                if is_over(&basic, now) {
                    return Err(Code::FeeLimitExpired.because("absolute limit"));
                }
                begin_period(&mut periodic, &basic, now)?;
                periodic.period_can_spend = minus(&periodic.period_can_spend, fee, "period limit")?;
                let limited = !basic.spend_limit.is_empty();
                if limited {
                    basic.spend_limit = minus(&basic.spend_limit, fee, "absolute limit")?;
                }
                let used_up = limited && basic.spend_limit.is_empty();
                periodic.basic = Some(basic);
                Ok(if used_up { Left::Nothing } else { Left::Some(Self::Periodic(periodic)) })
            }
            Self::AllowedMsg(filter, inner) => {
                if !urls.iter().all(|url| filter.allowed_messages.iter().any(|allowed| allowed == url)) {
                    return Err(Code::MessageNotAllowed.because("message does not exist in allowed messages"));
                }
                Ok(match inner.accept(fee, urls, now)? {
                    Left::Some(inner) => Left::Some(Self::AllowedMsg(filter, Box::new(inner))),
                    Left::Nothing => Left::Nothing,
                })
            }
        }
    }
}

fn check_basic(basic: &BasicAllowance) -> Result<(), Fault> {
    Coins::of_wire(&basic.spend_limit)?;
    match basic.expiration.as_ref().map(timestamp).transpose()? {
        Some(nanos) if nanos < 0 => Err(Code::InvalidDuration.because("expiration time cannot be negative")),
        _ => Ok(()),
    }
}

/// Nanoseconds of Unix time; none where protobuf knows no such time.
pub(crate) fn unix_nanos(time: &Timestamp) -> Option<i128> {
    let known = (0..1_000_000_000).contains(&time.nanos) && (-62_135_596_800..=LAST_SECOND).contains(&time.seconds);
    known.then(|| i128::from(time.seconds) * SECOND + i128::from(time.nanos))
}

fn timestamp(time: &Timestamp) -> Result<i128, Fault> {
    let refuse = || Code::InvalidDuration.because(format_args!("no time: {}s {}ns", time.seconds, time.nanos));
    unix_nanos(time).ok_or_else(refuse)
}

/// Nanoseconds; at most ten thousand years (protobuf `duration.proto`).
fn duration(duration: Option<&Duration>) -> Result<i128, Fault> {
    let Duration { seconds, nanos } = duration.cloned().unwrap_or_default();
    if seconds < 0 || nanos < 0 {
        return Err(Code::InvalidDuration.because("negative clock step"));
    }
    if seconds > 315_576_000_000 || nanos >= 1_000_000_000 {
        return Err(Code::InvalidDuration.because(format_args!("no duration: {seconds}s {nanos}ns")));
    }
    Ok(i128::from(seconds) * SECOND + i128::from(nanos))
}

fn is_over(basic: &BasicAllowance, now: u64) -> bool {
    let end = basic.expiration.as_ref().and_then(|time| timestamp(time).ok());
    end.is_some_and(|end| i128::from(now) > end)
}

/// Begins another period where one is over. Who always spends within a period keeps its rhythm; after a longer pause it
/// begins now.
fn begin_period(periodic: &mut PeriodicAllowance, basic: &BasicAllowance, now: u64) -> Result<(), Fault> {
    let now = i128::from(now);
    let reset = periodic.period_reset.as_ref().map(timestamp).transpose()?.unwrap_or(0);
    if now < reset {
        return Ok(());
    }
    let (all, each) = (Coins::of_wire(&basic.spend_limit)?, Coins::of_wire(&periodic.period_spend_limit)?);
    let less = !all.is_empty() && each.iter().any(|(denom, amount)| all.amount_of(denom) < amount);
    periodic.period_can_spend = if less { basic.spend_limit.clone() } else { periodic.period_spend_limit.clone() };
    let period = duration(periodic.period.as_ref())?;
    let next = if now > reset + period { now + period } else { reset + period };
    let (seconds, nanos) = (next.div_euclid(SECOND), next.rem_euclid(SECOND));
    let seconds = i64::try_from(seconds).unwrap_or(LAST_SECOND).min(LAST_SECOND);
    periodic.period_reset = Some(Timestamp { seconds, nanos: i32::try_from(nanos).unwrap_or(0) });
    Ok(())
}

/// What is left of an amount; a denomination of which there is not enough, or none, is not covered.
fn minus(amount: &[Coin], fee: &Coins, what: &str) -> Result<Vec<Coin>, Fault> {
    let left = Coins::of_wire(amount)?.minus(fee).ok_or_else(|| Code::FeeLimitExceeded.because(what))?;
    Ok(left.to_wire())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000_000;

    fn coins(amount: u128) -> Vec<Coin> {
        if amount == 0 { Vec::new() } else { vec![Coin { denom: "uaceso".into(), amount: amount.to_string() }] }
    }

    fn fee(amount: u128) -> Coins {
        Coins::one("uaceso", amount)
    }

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos: 0 })
    }

    fn basic(limit: u128, expiration: Option<Timestamp>) -> Allowance {
        Allowance::Basic(BasicAllowance { spend_limit: coins(limit), expiration })
    }

    fn periodic(limit: u128, each: u128, left: u128, reset: i64) -> PeriodicAllowance {
        PeriodicAllowance {
            basic: Some(BasicAllowance { spend_limit: coins(limit), expiration: None }),
            period: Some(Duration { seconds: 60, nanos: 0 }),
            period_spend_limit: coins(each),
            period_can_spend: coins(left),
            period_reset: at(reset),
        }
    }

    fn text(result: Result<Left, Fault>) -> String {
        result.unwrap_err().text
    }

    #[test]
    fn a_basic_one_ends_by_amount_or_time() {
        assert_eq!(basic(10, None).accept(&fee(4), &[], NOW), Ok(Left::Some(basic(6, None))));
        assert_eq!(basic(10, None).accept(&fee(10), &[], NOW), Ok(Left::Nothing));
        assert_eq!(text(basic(10, None).accept(&fee(11), &[], NOW)), "basic allowance: fee limit exceeded");
        assert_eq!(
            text(basic(10, None).accept(&Coins::one("ubtc", 1), &[], NOW)),
            "basic allowance: fee limit exceeded"
        );
        // No limit is no limit, and the last nanosecond still counts.
        assert_eq!(basic(0, at(1000)).accept(&fee(u128::MAX), &[], NOW), Ok(Left::Some(basic(0, at(1000)))));
        assert_eq!(text(basic(0, at(1000)).accept(&fee(1), &[], NOW + 1)), "basic allowance: fee allowance expired");
    }

    #[test]
    fn a_periodic_one_fills_up_again() {
        let accept = |one: PeriodicAllowance, amount, now| Allowance::Periodic(one).accept(&fee(amount), &[], now);
        // Within the period.
        let left = accept(periodic(100, 10, 5, 1060), 5, NOW);
        assert_eq!(left, Ok(Left::Some(Allowance::Periodic(periodic(95, 10, 0, 1060)))));
        assert_eq!(text(accept(periodic(100, 10, 5, 1060), 6, NOW)), "period limit: fee limit exceeded");
        // It is over: the rhythm stays, or begins anew after a pause.
        let left = accept(periodic(100, 10, 0, 990), 10, NOW);
        assert_eq!(left, Ok(Left::Some(Allowance::Periodic(periodic(90, 10, 0, 1050)))));
        let left = accept(periodic(100, 10, 0, 10), 1, NOW);
        assert_eq!(left, Ok(Left::Some(Allowance::Periodic(periodic(99, 10, 9, 1060)))));
        // Never more than there is in all; then nothing is left.
        assert_eq!(text(accept(periodic(3, 10, 0, 990), 4, NOW)), "period limit: fee limit exceeded");
        assert_eq!(accept(periodic(3, 10, 0, 990), 3, NOW), Ok(Left::Nothing));
    }

    #[test]
    fn a_filter_lets_only_some_messages_through() {
        let filter = |inner: Allowance| {
            let filter = AllowedMsgAllowance {
                allowance: Some(inner.encode()),
                allowed_messages: vec!["/a".into(), "/b".into()],
            };
            Allowance::AllowedMsg(filter, Box::new(inner))
        };
        let accept = |urls: &[&str]| filter(basic(10, None)).accept(&fee(4), urls, NOW);
        let Ok(Left::Some(left)) = accept(&["/b", "/a", "/b"]) else { panic!() };
        let again = Allowance::decode(Some(&left.encode())).unwrap();
        assert_eq!(again.accept(&fee(6), &["/a"], NOW), Ok(Left::Nothing));
        let refused = "message does not exist in allowed messages: message not allowed";
        assert_eq!(text(accept(&["/a", "/c"])), refused);
        let twice = filter(filter(basic(10, None))).encode();
        assert_eq!(Allowance::decode(Some(&twice)).unwrap_err().code, Code::TxDecode);
    }

    #[test]
    fn allowances_that_mean_nothing_are_refused() {
        let refused = |one: Allowance| one.check().unwrap_err().code;
        let mut zero = BasicAllowance { spend_limit: coins(1), expiration: None };
        zero.spend_limit[0].amount = "0".into();
        assert_eq!(refused(Allowance::Basic(zero)), Code::InvalidCoins);
        assert_eq!(refused(basic(1, at(-1))), Code::InvalidDuration);
        assert_eq!(refused(basic(1, at(i64::MAX))), Code::InvalidDuration);
        let with = |change: fn(&mut PeriodicAllowance)| {
            let mut one = periodic(100, 10, 5, 0);
            change(&mut one);
            Allowance::Periodic(one).check().map_err(|fault| fault.code)
        };
        assert_eq!(with(|_| {}), Ok(()));
        assert_eq!(with(|one| one.basic = None), Ok(()));
        assert_eq!(with(|one| one.period_spend_limit.clear()), Err(Code::InvalidCoins));
        assert_eq!(with(|one| one.period_spend_limit[0].denom = "ubtc".into()), Err(Code::InvalidCoins));
        assert_eq!(with(|one| one.period = Some(Duration { seconds: -1, nanos: 0 })), Err(Code::InvalidDuration));
        assert_eq!(with(|one| one.period = Some(Duration { seconds: i64::MAX, nanos: 0 })), Err(Code::InvalidDuration));
        assert_eq!(with(|one| one.period_reset = at(i64::MIN)), Err(Code::InvalidDuration));
        assert_eq!(Allowance::decode(None).unwrap_err().code, Code::NoAllowance);
        let filter = AllowedMsgAllowance { allowance: Some(basic(1, None).encode()), allowed_messages: vec![] };
        assert_eq!(refused(Allowance::decode(Some(&any(&filter))).unwrap()), Code::NoMessages);
    }
}

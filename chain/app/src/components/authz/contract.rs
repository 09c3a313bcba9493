//! What is allowed of one contract: how often and for how many coins, and with which messages (wasmd
//! `x/wasm/types/authz.go`).

use std::collections::{BTreeMap, BTreeSet};

use cosmos_sdk_proto::{
    Any,
    cosmwasm::wasm::v1::{
        AcceptedMessageKeysFilter, AcceptedMessagesFilter, AllowAllMessagesFilter, CombinedLimit,
        ContractGrant as Wire, MaxCallsLimit, MaxFundsLimit,
    },
};
use prost::Name;
use serde::de::IgnoredAny;

use crate::{
    address::Address,
    code::{Code, Fault},
    coin::Coins,
    components::authz::authorization::unknown,
    gas::Meter,
    tx::{
        decode::{any, canonical},
        msg,
    },
};

/// SDK gas for each byte of a message whose keys are looked at.
const KEYS_BYTE: u64 = 1;

/// What is allowed of one contract.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ContractGrant {
    pub(crate) contract: String,
    pub(crate) limit: Limit,
    pub(crate) filter: Filter,
}

/// How often, and for how many coins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Limit {
    /// So many calls, none of which brings coins.
    Calls(MaxCallsLimit),
    /// So many coins in all.
    Funds(MaxFundsLimit),
    /// So many calls, and so many coins in all.
    Combined(CombinedLimit),
}

/// With which messages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Filter {
    /// With any.
    All(AllowAllMessagesFilter),
    /// With objects whose one field has one of these names.
    Keys(AcceptedMessageKeysFilter),
    /// With just these bytes.
    Messages(AcceptedMessagesFilter),
}

/// What a call leaves of a limit.
#[derive(Debug, PartialEq)]
pub(super) enum Left {
    /// All of it.
    Same,
    /// This.
    Less(Limit),
    /// Nothing.
    Nothing,
}

impl ContractGrant {
    pub(super) fn decode(wire: &Wire) -> Result<Self, Fault> {
        let limit = Limit::decode(wire.limit.as_ref()).map_err(|fault| fault.within("limit"))?;
        let filter = Filter::decode(wire.filter.as_ref()).map_err(|fault| fault.within("filter"))?;
        Ok(Self { contract: wire.contract.clone(), limit, filter })
    }

    pub(super) fn encode(&self) -> Wire {
        let Self { contract, limit, filter } = self;
        Wire { contract: contract.clone(), limit: Some(limit.encode()), filter: Some(filter.encode()) }
    }

    /// Checks all that can be checked without the state.
    pub(super) fn check(&self, prefix: &str) -> Result<(), Fault> {
        Address::parse(&self.contract, prefix).map_err(|fault| fault.within("contract"))?;
        self.limit.check().map_err(|fault| fault.within("limit"))?;
        self.filter.check().map_err(|fault| fault.within("filter"))
    }

    /// What a call with a message and coins leaves; none where it is not allowed.
    pub(super) fn accept(&self, meter: &mut Meter, msg: &[u8], funds: &Coins) -> Result<Option<Left>, Fault> {
        let Some(left) = self.limit.accept(funds).map_err(|fault| fault.within("limit"))? else { return Ok(None) };
        let fits = self.filter.accept(meter, msg).map_err(|fault| fault.within("filter"))?;
        Ok(fits.then_some(left))
    }
}

impl Limit {
    fn decode(packed: Option<&Any>) -> Result<Self, Fault> {
        let packed = defined(packed, "undefined limit")?;
        match packed.type_url.as_str() {
            url if url == MaxCallsLimit::type_url() => canonical(&packed.value, url).map(Self::Calls),
            url if url == MaxFundsLimit::type_url() => canonical(&packed.value, url).map(Self::Funds),
            url if url == CombinedLimit::type_url() => canonical(&packed.value, url).map(Self::Combined),
            other => Err(unknown("limit", other)),
        }
    }

    fn encode(&self) -> Any {
        match self {
            Self::Calls(limit) => any(limit),
            Self::Funds(limit) => any(limit),
            Self::Combined(limit) => any(limit),
        }
    }

    fn check(&self) -> Result<(), Fault> {
        let calls = |calls: u64| if calls == 0 { Err(Code::Empty.because("remaining calls")) } else { Ok(()) };
        let amounts = |amounts: &[_]| match Coins::of_wire(amounts)?.is_empty() {
            true => Err(Code::Empty.because("amounts")),
            false => Ok(()),
        };
        match self {
            Self::Calls(limit) => calls(limit.remaining),
            Self::Funds(limit) => amounts(&limit.amounts),
            Self::Combined(limit) => {
                calls(limit.calls_remaining)?;
                amounts(&limit.amounts)
            }
        }
    }

    /// What a call that brings coins leaves of it; none where it does not apply.
    fn accept(&self, funds: &Coins) -> Result<Option<Left>, Fault> {
        let called = |calls: u64| calls.checked_sub(1).ok_or_else(|| Code::Unauthorized.because("no calls left"));
        Ok(match self {
            Self::Calls(_) if !funds.is_empty() => None,
            Self::Calls(limit) => Some(match called(limit.remaining)? {
                0 => Left::Nothing,
                remaining => Left::Less(Self::Calls(MaxCallsLimit { remaining })),
            }),
            Self::Funds(_) if funds.is_empty() => Some(Left::Same),
            Self::Funds(limit) => Coins::of_wire(&limit.amounts)?.minus(funds).map(|left| match left.is_empty() {
                true => Left::Nothing,
                false => Left::Less(Self::Funds(MaxFundsLimit { amounts: left.to_wire() })),
            }),
            Self::Combined(limit) => {
                let Some(left) = Coins::of_wire(&limit.amounts)?.minus(funds) else { return Ok(None) };
                let (calls_remaining, amounts) = (called(limit.calls_remaining)?, left.to_wire());
                let over = calls_remaining == 0 || left.is_empty();
                let less = Self::Combined(CombinedLimit { calls_remaining, amounts });
                Some(if over { Left::Nothing } else { Left::Less(less) })
            }
        })
    }
}

impl Filter {
    fn decode(packed: Option<&Any>) -> Result<Self, Fault> {
        let packed = defined(packed, "undefined filter")?;
        match packed.type_url.as_str() {
            url if url == AllowAllMessagesFilter::type_url() => canonical(&packed.value, url).map(Self::All),
            url if url == AcceptedMessageKeysFilter::type_url() => canonical(&packed.value, url).map(Self::Keys),
            url if url == AcceptedMessagesFilter::type_url() => canonical(&packed.value, url).map(Self::Messages),
            other => Err(unknown("filter", other)),
        }
    }

    fn encode(&self) -> Any {
        match self {
            Self::All(filter) => any(filter),
            Self::Keys(filter) => any(filter),
            Self::Messages(filter) => any(filter),
        }
    }

    fn check(&self) -> Result<(), Fault> {
        match self {
            Self::All(_) => Ok(()),
            Self::Keys(filter) => {
                if filter.keys.is_empty() {
                    return Err(Code::Empty.because("keys"));
                }
                let mut seen = BTreeSet::new();
                filter.keys.iter().try_for_each(|key| {
                    let shown: String = key.chars().take(64).collect();
                    match key.as_str() {
                        "" => Err(Code::Empty.because("key")),
                        key if key.trim() != key => {
                            Err(Code::Invalid.because(format_args!("key {shown:?} contains whitespaces")))
                        }
                        key if !seen.insert(key) => Err(Code::Duplicate.because(format_args!("key {shown:?}"))),
                        _ => Ok(()),
                    }
                })
            }
            Self::Messages(filter) => {
                if filter.messages.is_empty() {
                    return Err(Code::Empty.because("messages"));
                }
                let mut seen = BTreeSet::new();
                filter.messages.iter().try_for_each(|message| {
                    if message.is_empty() {
                        return Err(Code::Empty.because("message"));
                    }
                    msg::json(message)?;
                    if seen.insert(message) { Ok(()) } else { Err(Code::Duplicate.because("message")) }
                })
            }
        }
    }

    /// Whether a message is one of those that are meant. A field that is written twice is one field, as for wasmd: no
    /// contract of `cosmwasm-std` reads such a message.
    fn accept(&self, meter: &mut Meter, message: &[u8]) -> Result<bool, Fault> {
        match self {
            Self::All(_) => Ok(true),
            Self::Keys(filter) => {
                meter.spend(KEYS_BYTE.saturating_mul(message.len() as u64), "contract authorization")?;
                let Ok(fields) = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(message) else {
                    return Ok(false);
                };
                let mut names = fields.into_keys();
                Ok(match (names.next(), names.next()) {
                    (Some(name), None) => filter.keys.contains(&name),
                    _ => false,
                })
            }
            Self::Messages(filter) => Ok(filter.messages.iter().any(|one| one == message)),
        }
    }
}

fn defined<'a>(packed: Option<&'a Any>, missing: &str) -> Result<&'a Any, Fault> {
    packed.ok_or_else(|| Code::InvalidType.because(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coins(amount: u128) -> Coins {
        Coins::one("uaceso", amount)
    }

    fn calls(remaining: u64) -> Limit {
        Limit::Calls(MaxCallsLimit { remaining })
    }

    fn funds(amount: u128) -> Limit {
        Limit::Funds(MaxFundsLimit { amounts: coins(amount).to_wire() })
    }

    fn both(calls_remaining: u64, amount: u128) -> Limit {
        Limit::Combined(CombinedLimit { calls_remaining, amounts: coins(amount).to_wire() })
    }

    #[test]
    fn limits_count_down_and_end() {
        let call = |limit: Limit, amount: u128| limit.accept(&coins(amount)).unwrap();
        assert_eq!(call(calls(2), 0), Some(Left::Less(calls(1))));
        assert_eq!((call(calls(1), 0), call(calls(2), 1)), (Some(Left::Nothing), None));
        assert_eq!(calls(0).accept(&coins(0)).unwrap_err().text, "no calls left: unauthorized");
        assert_eq!((call(funds(5), 0), call(funds(5), 2)), (Some(Left::Same), Some(Left::Less(funds(3)))));
        assert_eq!((call(funds(5), 5), call(funds(5), 6)), (Some(Left::Nothing), None));
        assert_eq!(funds(5).accept(&Coins::one("ubtc", 1)).unwrap(), None);
        assert_eq!(call(both(2, 5), 0), Some(Left::Less(both(1, 5))));
        assert_eq!(call(both(2, 5), 2), Some(Left::Less(both(1, 3))));
        assert_eq!((call(both(1, 5), 0), call(both(2, 5), 5)), (Some(Left::Nothing), Some(Left::Nothing)));
        assert_eq!(call(both(2, 5), 6), None);
        assert_eq!(both(0, 5).accept(&coins(0)).unwrap_err().code, Code::Unauthorized);
    }

    #[test]
    fn limits_that_mean_nothing_are_refused() {
        let code = |limit: Limit| limit.check().map_err(|fault| fault.code);
        assert_eq!((code(calls(1)), code(funds(1)), code(both(1, 1))), (Ok(()), Ok(()), Ok(())));
        assert_eq!((code(calls(0)), code(funds(0))), (Err(Code::Empty), Err(Code::Empty)));
        assert_eq!((code(both(0, 1)), code(both(1, 0))), (Err(Code::Empty), Err(Code::Empty)));
        let mut zero = coins(1).to_wire();
        zero[0].amount = "0".into();
        assert_eq!(code(Limit::Funds(MaxFundsLimit { amounts: zero })), Err(Code::InvalidCoins));
    }

    #[test]
    fn filters_let_through_what_they_name() {
        let mut meter = Meter::new(1_000);
        let keys = Filter::Keys(AcceptedMessageKeysFilter { keys: vec!["claim".into(), "ask".into()] });
        let mut paid = 0;
        for (message, fits) in [
            (r#"{"claim":{}}"#, true),
            (r#" {"a\u0073k":null} "#, true),
            (r#"{"ask":1,"ask":2}"#, true),
            (r#"{"claim":{},"ask":{}}"#, false),
            (r#"{"Claim":{}}"#, false),
            (r#"{"steal":{"claim":{}}}"#, false),
            ("{}", false),
            (r#""claim""#, false),
            (r#"["claim"]"#, false),
            ("no json", false),
        ] {
            assert_eq!(keys.accept(&mut meter, message.as_bytes()), Ok(fits), "{message}");
            paid += message.len() as u64;
        }
        assert_eq!(meter.used(), paid);
        let same = Filter::Messages(AcceptedMessagesFilter { messages: vec![b"{\"a\":1}".to_vec(), b"{}".to_vec()] });
        let fits = |filter: &Filter, message: &str| filter.accept(&mut Meter::new(0), message.as_bytes());
        assert_eq!((fits(&same, "{\"a\":1}"), fits(&same, "{\"a\": 1}")), (Ok(true), Ok(false)));
        assert_eq!(fits(&Filter::All(AllowAllMessagesFilter {}), "[]"), Ok(true));
        assert_eq!(fits(&keys, "{}").unwrap_err().code, Code::OutOfGas);
    }

    #[test]
    fn filters_that_mean_nothing_are_refused() {
        let keys = |keys: &[&str]| {
            let keys = keys.iter().map(|&key| key.into()).collect();
            Filter::Keys(AcceptedMessageKeysFilter { keys }).check().map_err(|fault| fault.code)
        };
        assert_eq!((keys(&["a", "b"]), keys(&[]), keys(&[""])), (Ok(()), Err(Code::Empty), Err(Code::Empty)));
        assert_eq!((keys(&["a", "a"]), keys(&[" a"])), (Err(Code::Duplicate), Err(Code::Invalid)));
        let messages = |messages: &[&str]| {
            let messages = messages.iter().map(|&one| one.into()).collect();
            Filter::Messages(AcceptedMessagesFilter { messages }).check().map_err(|fault| fault.code)
        };
        assert_eq!((messages(&["{}"]), messages(&[]), messages(&[""])), (Ok(()), Err(Code::Empty), Err(Code::Empty)));
        assert_eq!((messages(&["{}", "{}"]), messages(&["{"])), (Err(Code::Duplicate), Err(Code::Invalid)));
    }

    #[test]
    fn what_is_not_defined_or_not_known_is_refused() {
        let full =
            ContractGrant { contract: "c".into(), limit: calls(1), filter: Filter::All(AllowAllMessagesFilter {}) };
        assert_eq!(ContractGrant::decode(&full.encode()), Ok(full.clone()));
        let refused = |change: fn(&mut Wire)| {
            let mut wire = full.encode();
            change(&mut wire);
            let fault = ContractGrant::decode(&wire).unwrap_err();
            (fault.code, fault.text)
        };
        let undefined = |what: &str| (Code::InvalidType, format!("{what}: undefined {what}: invalid type"));
        assert_eq!(refused(|wire| wire.limit = None), undefined("limit"));
        assert_eq!(refused(|wire| wire.filter = None), undefined("filter"));
        assert_eq!(refused(|wire| wire.limit = wire.filter.clone()).0, Code::TxDecode);
        assert_eq!(refused(|wire| wire.filter = wire.limit.clone()).0, Code::TxDecode);
        assert_eq!(refused(|wire| wire.limit.as_mut().unwrap().value = vec![8, 0]).0, Code::TxDecode);
    }
}

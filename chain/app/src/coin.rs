//! Amounts of coins, as the Cosmos SDK writes and orders them.

use std::fmt;

use aceso_types::genesis::is_denom;
use cosmos_sdk_proto::cosmos::base::v1beta1::Coin as Wire;

use crate::code::{Code, Fault};

/// Most denominations in one list: a bound on work, far above what anybody sends.
const DENOMS_MAX: usize = 64;

/// A list of positive amounts, each denomination once, sorted by denomination. May be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coins(Vec<(String, u128)>);

impl Coins {
    /// One amount; none of it is the empty list.
    pub(crate) fn one(denom: &str, amount: u128) -> Self {
        Self(if amount == 0 { Vec::new() } else { vec![(denom.into(), amount)] })
    }

    /// Checks what a client sent: known form, positive, sorted, no denomination twice.
    pub(crate) fn of_wire(coins: &[Wire]) -> Result<Self, Fault> {
        Self::of_pairs(coins.iter().map(|coin| (coin.denom.as_str(), coin.amount.as_str())))
    }

    /// The same from a contract, whose list may be in any order.
    pub(crate) fn of_contract(coins: &[cosmwasm_std::Coin]) -> Result<Self, Fault> {
        let mut pairs: Vec<_> = coins.iter().map(|coin| (coin.denom.as_str(), coin.amount.to_string())).collect();
        pairs.sort();
        pairs.retain(|(_, amount)| amount != "0");
        Self::of_pairs(pairs.iter().map(|(denom, amount)| (*denom, amount.as_str())))
    }

    fn of_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Fault> {
        let mut list: Vec<(String, u128)> = Vec::new();
        for (denom, amount) in pairs {
            // What is no number does not even decode for the SDK.
            let code = match amount.bytes().all(|b| b.is_ascii_digit() || b"+-".contains(&b)) {
                true => Code::InvalidCoins,
                false => Code::TxDecode,
            };
            let refuse = || code.because(format_args!("{}{}", shorten(amount), shorten(denom)));
            let digits = !amount.is_empty() && amount.bytes().all(|b| b.is_ascii_digit());
            let value = if digits { amount.parse::<u128>().map_err(|_| refuse())? } else { return Err(refuse()) };
            let sorted = list.last().is_none_or(|(last, _)| last.as_str() < denom);
            if !is_denom(denom) || value == 0 || !sorted || list.len() == DENOMS_MAX {
                return Err(refuse());
            }
            list.push((denom.into(), value));
        }
        Ok(Self(list))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u128)> {
        self.0.iter().map(|(denom, amount)| (denom.as_str(), *amount))
    }

    /// How much of a denomination.
    pub(crate) fn amount_of(&self, denom: &str) -> u128 {
        self.iter().find(|(one, _)| *one == denom).map_or(0, |(_, amount)| amount)
    }

    /// The sum of two lists; refused beyond 2^128 − 1.
    pub(crate) fn plus(mut self, other: &Self) -> Result<Self, Fault> {
        for (denom, amount) in other.iter() {
            match self.0.binary_search_by(|(one, _)| one.as_str().cmp(denom)) {
                Ok(at) => {
                    let slot = &mut self.0[at].1;
                    *slot = slot
                        .checked_add(amount)
                        .ok_or_else(|| Code::InvalidCoins.because(format_args!("{amount}{denom} is too much")))?;
                }
                Err(at) => self.0.insert(at, (denom.into(), amount)),
            }
        }
        Ok(self)
    }

    /// What is left of it without `other`; none where it is not enough.
    pub(crate) fn minus(&self, other: &Self) -> Option<Self> {
        if other.iter().any(|(denom, wanted)| self.amount_of(denom) < wanted) {
            return None;
        }
        let left = self.iter().map(|(denom, has)| (denom.to_owned(), has - other.amount_of(denom)));
        Some(Self(left.filter(|(_, left)| *left > 0).collect()))
    }

    pub(crate) fn to_wire(&self) -> Vec<Wire> {
        self.iter().map(|(denom, amount)| Wire { denom: denom.into(), amount: amount.to_string() }).collect()
    }

    pub(crate) fn to_contract(&self) -> Vec<cosmwasm_std::Coin> {
        self.iter().map(|(denom, amount)| cosmwasm_std::coin(amount, denom)).collect()
    }
}

/// `5uaceso,7ubtc`; nothing for the empty list.
impl fmt::Display for Coins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(index, (denom, amount))| {
            f.write_str(if index == 0 { "" } else { "," })?;
            write!(f, "{amount}{denom}")
        })
    }
}

/// Text of a stranger, short enough to be shown.
fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(pairs: &[(&str, &str)]) -> Vec<Wire> {
        pairs.iter().map(|(amount, denom)| Wire { denom: (*denom).into(), amount: (*amount).into() }).collect()
    }

    #[test]
    fn sums_and_text() {
        let coins = Coins::of_wire(&wire(&[("5", "uaceso"), ("7", "ubtc")])).unwrap();
        assert_eq!(coins.to_string(), "5uaceso,7ubtc");
        let more = coins.plus(&Coins::one("aaa", 1)).unwrap().plus(&Coins::one("ubtc", 1)).unwrap();
        assert_eq!(more.to_string(), "1aaa,5uaceso,8ubtc");
        assert_eq!((more.amount_of("ubtc"), more.amount_of("none")), (8, 0));
        let less = more.minus(&Coins::one("aaa", 1)).and_then(|less| less.minus(&Coins::one("ubtc", 3))).unwrap();
        assert_eq!(less.to_string(), "5uaceso,5ubtc");
        assert_eq!(Coins::of_wire(&less.to_wire()), Ok(less.clone()));
        assert_eq!((less.minus(&Coins::one("ubtc", 6)), less.minus(&Coins::one("aaa", 1))), (None, None));
        assert!(Coins::one("abc", u128::MAX).plus(&Coins::one("abc", 1)).is_err());
        assert_eq!(Coins::default().to_string(), "");
    }

    #[test]
    fn bad_lists_are_refused() {
        for pairs in [
            &[("0", "uaceso")][..],
            &[("-1", "uaceso")],
            &[("+1", "uaceso")],
            &[("", "uaceso")],
            &[("1", "x")],
            &[("1", "ubtc"), ("1", "uaceso")],
            &[("1", "uaceso"), ("1", "uaceso")],
            &[("340282366920938463463374607431768211456", "uaceso")],
        ] {
            assert_eq!(Coins::of_wire(&wire(pairs)).unwrap_err().code, Code::InvalidCoins, "{pairs:?}");
        }
        assert_eq!(Coins::of_wire(&wire(&[("five", "uaceso")])).unwrap_err().code, Code::TxDecode);
    }
}

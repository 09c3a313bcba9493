//! Who pays an account's fees (SDK `x/feegrant`).

use cosmos_sdk_proto::{
    Any,
    cosmos::{
        base::v1beta1::Coin,
        feegrant::v1beta1::{
            AllowedMsgAllowance, BasicAllowance, Grant, PeriodicAllowance, QueryAllowancesRequest,
            QueryAllowancesResponse,
        },
    },
    traits::Name,
};
use prost::Message;

use crate::{Client, ClientError};

/// An allowance, as far as whoever wants to use it has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sponsor {
    /// Who pays.
    pub address: String,
    /// How many of the chain's coins are left in all; none where there is no limit.
    pub left: Option<u128>,
    /// The second of Unix time after which nothing is paid; none for never.
    pub expires: Option<i64>,
    /// The only messages that are paid for, by their type URLs; none for all.
    pub only: Option<Vec<String>>,
}

impl Sponsor {
    /// Whether it pays at a second of Unix time for a transaction of these messages.
    pub fn pays(&self, now: i64, type_urls: &[&str]) -> bool {
        let allowed = |only: &Vec<String>| type_urls.iter().all(|url| only.iter().any(|one| one == url));
        self.left != Some(0) && self.expires.is_none_or(|end| now <= end) && self.only.as_ref().is_none_or(allowed)
    }

    fn of(grant: &Grant, denom: &str) -> Option<Self> {
        let allowance = grant.allowance.as_ref()?;
        let (left, expires, only) = read(allowance, denom)?;
        Some(Self { address: grant.granter.clone(), left, expires, only })
    }
}

type Parts = (Option<u128>, Option<i64>, Option<Vec<String>>);

/// What an allowance says; none of a kind that is not known here.
fn read(any: &Any, denom: &str) -> Option<Parts> {
    let basic = |basic: BasicAllowance| {
        let left = (!basic.spend_limit.is_empty()).then(|| amount(&basic.spend_limit, denom));
        (left, basic.expiration.map(|end| end.seconds))
    };
    if any.type_url == BasicAllowance::type_url() {
        let (left, expires) = basic(BasicAllowance::decode(&any.value[..]).ok()?);
        return Some((left, expires, None));
    }
    if any.type_url == PeriodicAllowance::type_url() {
        // What it pays now follows from the block's time; the chain says so.
        let (left, expires) = basic(PeriodicAllowance::decode(&any.value[..]).ok()?.basic.unwrap_or_default());
        return Some((left, expires, None));
    }
    if any.type_url == AllowedMsgAllowance::type_url() {
        let filter = AllowedMsgAllowance::decode(&any.value[..]).ok()?;
        let inner = filter.allowance.as_ref().filter(|inner| inner.type_url != any.type_url)?;
        let (left, expires, _) = read(inner, denom)?;
        return Some((left, expires, Some(filter.allowed_messages)));
    }
    None
}

fn amount(coins: &[Coin], denom: &str) -> u128 {
    let coin = coins.iter().find(|coin| coin.denom == denom);
    coin.and_then(|coin| coin.amount.parse().ok()).unwrap_or_default()
}

impl Client {
    /// Who pays fees for an account, at most a page of a hundred.
    pub fn sponsors(&self, account: &str) -> Result<Vec<Sponsor>, ClientError> {
        let path = "/cosmos.feegrant.v1beta1.Query/Allowances";
        let request = QueryAllowancesRequest { grantee: account.into(), pagination: None };
        let answer: QueryAllowancesResponse = self.query(path, &request)?;
        Ok(answer.allowances.iter().filter_map(|grant| Sponsor::of(grant, &self.chain.denom)).collect())
    }
}

#[cfg(test)]
mod tests {
    use tendermint_proto::google::protobuf::Timestamp;

    use super::*;
    use crate::tx::cosmos_any;

    fn basic(limit: &str, end: Option<i64>) -> Any {
        let coin = Coin { denom: "uaceso".into(), amount: limit.into() };
        let expiration = end.map(|seconds| Timestamp { seconds, nanos: 0 });
        cosmos_any(&BasicAllowance { spend_limit: if limit.is_empty() { vec![] } else { vec![coin] }, expiration })
    }

    fn pays(allowance: Any) -> Option<bool> {
        let grant = Grant { granter: "aceso1h".into(), grantee: "aceso1r".into(), allowance: Some(allowance) };
        Sponsor::of(&grant, "uaceso").map(|one| one.pays(100, &["/a", "/b"]))
    }

    #[test]
    fn an_allowance_pays_while_it_holds_for_what_it_names() {
        assert_eq!((pays(basic("5", None)), pays(basic("", Some(100)))), (Some(true), Some(true)));
        assert_eq!((pays(basic("5", Some(99))), pays(basic("0", None))), (Some(false), Some(false)));
        let filter = |allowance: Any, only: &[&str]| {
            let allowed_messages = only.iter().map(|&url| url.into()).collect();
            cosmos_any(&AllowedMsgAllowance { allowance: Some(allowance), allowed_messages })
        };
        assert_eq!(pays(filter(basic("5", None), &["/b", "/a"])), Some(true));
        assert_eq!(pays(filter(basic("5", None), &["/b"])), Some(false));
        assert_eq!(pays(filter(basic("5", Some(1)), &["/b", "/a"])), Some(false));
        let period = PeriodicAllowance { basic: None, ..PeriodicAllowance::default() };
        assert_eq!(pays(cosmos_any(&period)), Some(true));
        // What is not known here pays nothing here.
        assert_eq!(pays(filter(filter(basic("5", None), &["/a"]), &["/a"])), None);
        assert_eq!(pays(Any { type_url: "/cosmos.feegrant.v1beta1.Other".into(), value: vec![] }), None);
        assert_eq!(pays(Any { value: vec![1], ..basic("5", None) }), None);
    }
}

//! What one account lets another send for it (SDK `x/authz`).

use cosmos_sdk_proto::{
    Any,
    cosmos::{
        authz::v1beta1::{
            GenericAuthorization, Grant, GrantAuthorization, MsgExec, MsgGrant, MsgRevoke, QueryGranteeGrantsRequest,
            QueryGranteeGrantsResponse, QueryGranterGrantsRequest, QueryGranterGrantsResponse,
        },
        bank::v1beta1::SendAuthorization,
        base::v1beta1::Coin,
    },
    cosmwasm::wasm::v1::{
        AcceptedMessageKeysFilter, AllowAllMessagesFilter, CombinedLimit, ContractExecutionAuthorization,
        ContractGrant, MaxCallsLimit, MaxFundsLimit,
    },
    traits::Name,
};
use prost::Message;
use tendermint_proto::google::protobuf::Timestamp;

use crate::{Client, ClientError, tx::cosmos_any};

/// What a grantee may send.
#[derive(Clone, Debug, PartialEq)]
pub enum Authorization {
    /// Any message of a type, by its type URL.
    Generic(String),
    /// Coins.
    Send {
        /// So many in all.
        limit: Vec<Coin>,
        /// To these accounts only; to any where there are none.
        to: Vec<String>,
    },
    /// Calls of one contract; without limits there are none.
    Execute {
        /// The contract.
        contract: String,
        /// So many.
        calls: Option<u64>,
        /// With so many coins in all; without them none are sent.
        coins: Option<Vec<Coin>>,
        /// Messages with one of these fields; any where there are none.
        keys: Vec<String>,
    },
}

impl Authorization {
    /// As it travels; none without a limit where there has to be one.
    fn encode(&self) -> Option<Any> {
        Some(match self {
            Self::Generic(url) => cosmos_any(&GenericAuthorization { msg: url.clone() }),
            Self::Send { limit, to } => {
                cosmos_any(&SendAuthorization { spend_limit: limit.clone(), allow_list: to.clone() })
            }
            Self::Execute { contract, calls, coins: most, keys } => {
                let limit = match (*calls, most.clone()) {
                    (Some(remaining), None) => cosmos_any(&MaxCallsLimit { remaining }),
                    (None, Some(amounts)) => cosmos_any(&MaxFundsLimit { amounts }),
                    (Some(calls_remaining), Some(amounts)) => cosmos_any(&CombinedLimit { calls_remaining, amounts }),
                    (None, None) => return None,
                };
                let filter = match keys.is_empty() {
                    true => cosmos_any(&AllowAllMessagesFilter {}),
                    false => cosmos_any(&AcceptedMessageKeysFilter { keys: keys.clone() }),
                };
                let grant = ContractGrant { contract: contract.clone(), limit: Some(limit), filter: Some(filter) };
                cosmos_any(&ContractExecutionAuthorization { grants: vec![grant] })
            }
        })
    }
}

/// The message by which `granter` lets `grantee` act until a second of Unix time, or for ever. None for calls of a
/// contract without any limit.
pub fn authorize(granter: &str, grantee: &str, authorization: &Authorization, until: Option<i64>) -> Option<Any> {
    let expiration = until.map(|seconds| Timestamp { seconds, nanos: 0 });
    let grant = Some(Grant { authorization: Some(authorization.encode()?), expiration });
    Some(cosmos_any(&MsgGrant { granter: granter.into(), grantee: grantee.into(), grant }))
}

/// The message by which `granter` takes back what `grantee` may send of a type.
pub fn no_more(granter: &str, grantee: &str, url: &str) -> Any {
    cosmos_any(&MsgRevoke { granter: granter.into(), grantee: grantee.into(), msg_type_url: url.into() })
}

/// The message by which `grantee` sends what others have allowed.
pub fn for_others(grantee: &str, msgs: Vec<Any>) -> Any {
    cosmos_any(&MsgExec { grantee: grantee.into(), msgs })
}

/// A grant, as far as people have to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorized {
    /// For whom something may be sent.
    pub granter: String,
    /// Who may send it.
    pub grantee: String,
    /// What kind of authorisation it is, by its type URL.
    pub kind: String,
    /// The type URL of the messages that it is about; empty where the kind is not known here.
    pub url: String,
    /// The second of Unix time after which it holds no longer; none for never.
    pub expires: Option<i64>,
}

impl Authorized {
    fn of(grant: GrantAuthorization) -> Self {
        let any = grant.authorization.unwrap_or_default();
        let url = if any.type_url == GenericAuthorization::type_url() {
            GenericAuthorization::decode(&any.value[..]).map(|one| one.msg).unwrap_or_default()
        } else if any.type_url == SendAuthorization::type_url() {
            "/cosmos.bank.v1beta1.MsgSend".into()
        } else {
            match any.type_url.strip_prefix("/cosmwasm.wasm.v1.") {
                Some("StoreCodeAuthorization") => "/cosmwasm.wasm.v1.MsgStoreCode".into(),
                Some("ContractExecutionAuthorization") => "/cosmwasm.wasm.v1.MsgExecuteContract".into(),
                Some("ContractMigrationAuthorization") => "/cosmwasm.wasm.v1.MsgMigrateContract".into(),
                _ => String::new(),
            }
        };
        let expires = grant.expiration.map(|end| end.seconds);
        Self { granter: grant.granter, grantee: grant.grantee, kind: any.type_url, url, expires }
    }
}

impl Client {
    /// What an account lets others send, and what it may send for others; at most a page of a hundred of each.
    pub fn authorized(&self, account: &str) -> Result<Vec<Authorized>, ClientError> {
        let asked = QueryGranterGrantsRequest { granter: account.into(), pagination: None };
        let given: QueryGranterGrantsResponse = self.query("/cosmos.authz.v1beta1.Query/GranterGrants", &asked)?;
        let asked = QueryGranteeGrantsRequest { grantee: account.into(), pagination: None };
        let held: QueryGranteeGrantsResponse = self.query("/cosmos.authz.v1beta1.Query/GranteeGrants", &asked)?;
        Ok(given.grants.into_iter().chain(held.grants).map(Authorized::of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_said_in_the_types_of_wasmd() {
        let execute = |calls, coins: Option<u64>, keys: &[&str]| {
            let keys = keys.iter().map(|&key| key.into()).collect();
            let coins = coins.map(|amount| vec![Coin { denom: "uaceso".into(), amount: amount.to_string() }]);
            let one = Authorization::Execute { contract: "c".into(), calls, coins, keys }.encode()?;
            let grant = ContractExecutionAuthorization::decode(&one.value[..]).unwrap().grants.remove(0);
            let name = |any: Option<Any>| any.unwrap().type_url.rsplit('.').next().unwrap().to_owned();
            Some((name(grant.limit), name(grant.filter)))
        };
        let names = |limit: &str, filter: &str| Some((limit.to_owned(), filter.to_owned()));
        assert_eq!(execute(Some(1), None, &[]), names("MaxCallsLimit", "AllowAllMessagesFilter"));
        assert_eq!(execute(None, Some(1), &["a"]), names("MaxFundsLimit", "AcceptedMessageKeysFilter"));
        assert_eq!(execute(Some(1), Some(1), &[]), names("CombinedLimit", "AllowAllMessagesFilter"));
        assert_eq!(execute(None, None, &[]), None);
    }

    #[test]
    fn a_grant_says_which_messages_it_is_about() {
        let about = |authorization: Any| {
            let grant = GrantAuthorization { authorization: Some(authorization), ..GrantAuthorization::default() };
            Authorized::of(grant).url
        };
        assert_eq!(about(cosmos_any(&GenericAuthorization { msg: "/m.M".into() })), "/m.M");
        assert_eq!(about(cosmos_any(&SendAuthorization::default())), "/cosmos.bank.v1beta1.MsgSend");
        let execution = ContractExecutionAuthorization::default();
        assert_eq!(about(cosmos_any(&execution)), "/cosmwasm.wasm.v1.MsgExecuteContract");
        assert_eq!(about(Any { type_url: "/x.Y".into(), value: vec![] }), "");
    }
}

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
        AcceptedMessageKeysFilter, AcceptedMessagesFilter, AllowAllMessagesFilter, CodeGrant, CombinedLimit,
        ContractExecutionAuthorization, ContractGrant, ContractMigrationAuthorization, MaxCallsLimit, MaxFundsLimit,
        StoreCodeAuthorization,
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
    /// Calls of one contract.
    Execute(Calls),
    /// Migrations of one contract.
    Migrate(Calls),
    /// Code, each by its SHA-256, or any by `*`, and who may make contracts of it at most.
    Store(Vec<CodeGrant>),
}

/// Calls or migrations of one contract; without limits there are none.
#[derive(Clone, Debug, PartialEq)]
pub struct Calls {
    /// The contract.
    pub contract: String,
    /// So many.
    pub calls: Option<u64>,
    /// With so many coins in all; without them none are sent.
    pub coins: Option<Vec<Coin>>,
    /// With these messages.
    pub messages: Messages,
}

/// Which messages a contract may be called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Messages {
    /// Any.
    Any,
    /// Objects with one of these fields and no other.
    Keys(Vec<String>),
    /// Just these bytes of JSON.
    Just(Vec<Vec<u8>>),
}

impl Calls {
    fn encode(&self) -> Option<ContractGrant> {
        let limit = match (self.calls, self.coins.clone()) {
            (Some(remaining), None) => cosmos_any(&MaxCallsLimit { remaining }),
            (None, Some(amounts)) => cosmos_any(&MaxFundsLimit { amounts }),
            (Some(calls_remaining), Some(amounts)) => cosmos_any(&CombinedLimit { calls_remaining, amounts }),
            (None, None) => return None,
        };
        let filter = match self.messages.clone() {
            Messages::Any => cosmos_any(&AllowAllMessagesFilter {}),
            Messages::Keys(keys) => cosmos_any(&AcceptedMessageKeysFilter { keys }),
            Messages::Just(messages) => cosmos_any(&AcceptedMessagesFilter { messages }),
        };
        Some(ContractGrant { contract: self.contract.clone(), limit: Some(limit), filter: Some(filter) })
    }
}

impl Authorization {
    /// As it travels; none without a limit where there has to be one.
    fn encode(&self) -> Option<Any> {
        Some(match self {
            Self::Generic(url) => cosmos_any(&GenericAuthorization { msg: url.clone() }),
            Self::Send { limit, to } => {
                cosmos_any(&SendAuthorization { spend_limit: limit.clone(), allow_list: to.clone() })
            }
            Self::Execute(calls) => cosmos_any(&ContractExecutionAuthorization { grants: vec![calls.encode()?] }),
            Self::Migrate(calls) => cosmos_any(&ContractMigrationAuthorization { grants: vec![calls.encode()?] }),
            Self::Store(grants) => cosmos_any(&StoreCodeAuthorization { grants: grants.clone() }),
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
        let contract = || "c".to_owned();
        let coins =
            |coins: Option<u64>| coins.map(|one| vec![Coin { denom: "uaceso".into(), amount: one.to_string() }]);
        let execute = |calls, most, keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|&key| key.into()).collect();
            let messages = if keys.is_empty() { Messages::Any } else { Messages::Keys(keys) };
            let calls = Calls { contract: contract(), calls, coins: coins(most), messages };
            let one = Authorization::Execute(calls).encode()?;
            let grant = ContractExecutionAuthorization::decode(&one.value[..]).unwrap().grants.remove(0);
            let name = |any: Option<Any>| any.unwrap().type_url.rsplit('.').next().unwrap().to_owned();
            Some((name(grant.limit), name(grant.filter)))
        };
        let names = |limit: &str, filter: &str| Some((limit.to_owned(), filter.to_owned()));
        assert_eq!(execute(Some(1), None, &[]), names("MaxCallsLimit", "AllowAllMessagesFilter"));
        assert_eq!(execute(None, Some(1), &["a"]), names("MaxFundsLimit", "AcceptedMessageKeysFilter"));
        assert_eq!(execute(Some(1), Some(1), &[]), names("CombinedLimit", "AllowAllMessagesFilter"));
        assert_eq!(execute(None, None, &[]), None);

        let just = Messages::Just(vec![b"{}".to_vec()]);
        let calls = Calls { contract: contract(), calls: Some(1), coins: None, messages: just };
        let one = Authorization::Migrate(calls).encode().unwrap();
        let grant = ContractMigrationAuthorization::decode(&one.value[..]).unwrap().grants.remove(0);
        let filter = AcceptedMessagesFilter::decode(&grant.filter.unwrap().value[..]).unwrap();
        assert_eq!((grant.contract, filter.messages), (contract(), vec![b"{}".to_vec()]));
        let any = CodeGrant { code_hash: b"*".to_vec(), instantiate_permission: None };
        let one = Authorization::Store(vec![any.clone()]).encode().unwrap();
        assert_eq!(StoreCodeAuthorization::decode(&one.value[..]).unwrap().grants, [any]);
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

//! Authorisations as amino JSON has them. Grants and coins are there even where there are none.

use cosmos_sdk_proto::cosmos::authz::v1beta1::MsgGrant;
use serde_json::{Value, json};

use super::{Fields, inline, permission, time};
use crate::{
    code::Fault,
    components::authz::{Authorization, ContractGrant, Filter, Limit},
};

pub(super) fn grant(m: &MsgGrant) -> Result<Fields, Fault> {
    let grant = m.grant.clone().unwrap_or_default();
    let fields = Fields::new()
        .value("authorization", authorization(&Authorization::decode(grant.authorization.as_ref())?)?)
        .optional("expiration", grant.expiration.as_ref().map(time));
    Ok(Fields::new().text("granter", &m.granter).text("grantee", &m.grantee).value("grant", fields.into_value()))
}

fn authorization(authorization: &Authorization) -> Result<Value, Fault> {
    let contracts = |grants: &[ContractGrant]| {
        let grants = grants.iter().map(contract).collect::<Result<Value, Fault>>()?;
        Ok::<_, Fault>(Fields::new().value("grants", grants))
    };
    let (name, fields) = match authorization {
        Authorization::Generic(one) => ("cosmos-sdk/GenericAuthorization", Fields::new().text("msg", &one.msg)),
        Authorization::Send(one) => (
            "cosmos-sdk/SendAuthorization",
            Fields::new().coins("spend_limit", &one.spend_limit).texts("allow_list", &one.allow_list),
        ),
        Authorization::StoreCode(one) => {
            let grants = one.grants.iter().map(|grant| {
                let permission = grant.instantiate_permission.as_ref().map(permission);
                Fields::new()
                    .bytes("code_hash", &grant.code_hash)
                    .optional("instantiate_permission", permission)
                    .into_value()
            });
            ("wasm/StoreCodeAuthorization", Fields::new().value("grants", grants.collect()))
        }
        Authorization::Execution(grants) => ("wasm/ContractExecutionAuthorization", contracts(grants)?),
        Authorization::Migration(grants) => ("wasm/ContractMigrationAuthorization", contracts(grants)?),
    };
    Ok(typed(name, fields))
}

fn contract(grant: &ContractGrant) -> Result<Value, Fault> {
    let (name, fields) = match &grant.limit {
        Limit::Calls(limit) => ("wasm/MaxCallsLimit", Fields::new().number("remaining", limit.remaining)),
        Limit::Funds(limit) => ("wasm/MaxFundsLimit", Fields::new().coins("amounts", &limit.amounts)),
        Limit::Combined(limit) => (
            "wasm/CombinedLimit",
            Fields::new().number("calls_remaining", limit.calls_remaining).coins("amounts", &limit.amounts),
        ),
    };
    let limit = typed(name, fields);
    let (name, fields) = match &grant.filter {
        Filter::All(_) => ("wasm/AllowAllMessagesFilter", Fields::new()),
        Filter::Keys(filter) => ("wasm/AcceptedMessageKeysFilter", Fields::new().texts("keys", &filter.keys)),
        Filter::Messages(filter) => {
            let messages = filter.messages.iter().map(|msg| inline("messages", msg)).collect::<Result<_, _>>()?;
            ("wasm/AcceptedMessagesFilter", Fields::new().value("messages", messages))
        }
    };
    let filter = typed(name, fields);
    Ok(Fields::new().text("contract", &grant.contract).value("limit", limit).value("filter", filter).into_value())
}

fn typed(name: &str, fields: Fields) -> Value {
    json!({ "type": name, "value": fields.into_value() })
}

#[cfg(test)]
mod tests {
    use cosmos_sdk_proto::{
        Any,
        cosmos::{
            authz::v1beta1::{GenericAuthorization, Grant, MsgRevoke},
            bank::v1beta1::{MsgSend, SendAuthorization},
            base::v1beta1::Coin,
        },
        cosmwasm::wasm::v1::{
            AcceptedMessageKeysFilter, AcceptedMessagesFilter, AccessType, AllowAllMessagesFilter, CodeGrant,
            CombinedLimit, MaxCallsLimit, MaxFundsLimit, StoreCodeAuthorization,
        },
    };
    use tendermint_proto::google::protobuf::Timestamp;

    use super::*;
    use crate::{
        components::wasm,
        tx::{
            amino::{message, write},
            decode::any,
            msg::{Exec, Msg},
        },
    };

    fn text(msg: &Msg) -> String {
        let mut out = Vec::new();
        write(&message(msg).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn shown(authorization: Any, expiration: Option<Timestamp>) -> String {
        let grant = Some(Grant { authorization: Some(authorization), expiration });
        text(&Msg::Authorize(MsgGrant { granter: "r".into(), grantee: "e".into(), grant }))
    }

    fn coin(amount: &str) -> Vec<Coin> {
        vec![Coin { denom: "ucosm".into(), amount: amount.into() }]
    }

    #[test]
    fn grants_of_the_sdk() {
        let generic = any(&GenericAuthorization { msg: "/cosmos.bank.v1beta1.MsgSend".into() });
        let end = Timestamp { seconds: 1_800_000_000, nanos: 500_000_000 };
        expect_test::expect![[r#"{"type":"cosmos-sdk/MsgGrant","value":{"grant":{"authorization":{"type":"cosmos-sdk/GenericAuthorization","value":{"msg":"/cosmos.bank.v1beta1.MsgSend"}}},"grantee":"e","granter":"r"}}"#]].assert_eq(&shown(generic.clone(), None));
        expect_test::expect![[r#"{"type":"cosmos-sdk/MsgGrant","value":{"grant":{"authorization":{"type":"cosmos-sdk/GenericAuthorization","value":{"msg":"/cosmos.bank.v1beta1.MsgSend"}},"expiration":"2027-01-15T08:00:00.5Z"},"grantee":"e","granter":"r"}}"#]].assert_eq(&shown(generic, Some(end)));
        let send = |allow_list: &[&str]| {
            let allow_list = allow_list.iter().map(|&one| one.into()).collect();
            any(&SendAuthorization { spend_limit: coin("5"), allow_list })
        };
        expect_test::expect![[r#"{"type":"cosmos-sdk/MsgGrant","value":{"grant":{"authorization":{"type":"cosmos-sdk/SendAuthorization","value":{"spend_limit":[{"amount":"5","denom":"ucosm"}]}}},"grantee":"e","granter":"r"}}"#]].assert_eq(&shown(send(&[]), None));
        expect_test::expect![[r#"{"type":"cosmos-sdk/MsgGrant","value":{"grant":{"authorization":{"type":"cosmos-sdk/SendAuthorization","value":{"allow_list":["a","b"],"spend_limit":[{"amount":"5","denom":"ucosm"}]}}},"grantee":"e","granter":"r"}}"#]].assert_eq(&shown(send(&["a", "b"]), None));
    }

    #[test]
    fn grants_of_wasmd() {
        let nobody = wasm::everybody();
        let nobody =
            cosmos_sdk_proto::cosmwasm::wasm::v1::AccessConfig { permission: AccessType::Nobody.into(), ..nobody };
        let code = |code_hash: &[u8], instantiate_permission| CodeGrant {
            code_hash: code_hash.into(),
            instantiate_permission,
        };
        let store = StoreCodeAuthorization { grants: vec![code(b"*", None), code(&[1, 2], Some(nobody))] };
        expect_test::expect![[r#"{"type":"cosmos-sdk/MsgGrant","value":{"grant":{"authorization":{"type":"wasm/StoreCodeAuthorization","value":{"grants":[{"code_hash":"Kg=="},{"code_hash":"AQI=","instantiate_permission":{"permission":"Nobody"}}]}}},"grantee":"e","granter":"r"}}"#]].assert_eq(&shown(any(&store), None));
        let calls = Limit::Calls(MaxCallsLimit { remaining: 3 });
        let funds = Limit::Funds(MaxFundsLimit { amounts: coin("7") });
        let both = Limit::Combined(CombinedLimit { calls_remaining: 2, amounts: coin("9") });
        let keys = Filter::Keys(AcceptedMessageKeysFilter { keys: vec!["claim".into(), "a<b".into()] });
        let messages = vec![br#"{"z":1,"a":{}}"#.to_vec(), b"null".to_vec()];
        let messages = Filter::Messages(AcceptedMessagesFilter { messages });
        let grant = |limit, filter| ContractGrant { contract: "c".into(), limit, filter };
        let all = Filter::All(AllowAllMessagesFilter {});
        let execution = Authorization::Execution(vec![grant(calls, all), grant(funds, keys)]);
        expect_test::expect![[r#"{"type":"cosmos-sdk/MsgGrant","value":{"grant":{"authorization":{"type":"wasm/ContractExecutionAuthorization","value":{"grants":[{"contract":"c","filter":{"type":"wasm/AllowAllMessagesFilter","value":{}},"limit":{"type":"wasm/MaxCallsLimit","value":{"remaining":"3"}}},{"contract":"c","filter":{"type":"wasm/AcceptedMessageKeysFilter","value":{"keys":["claim","a\u003cb"]}},"limit":{"type":"wasm/MaxFundsLimit","value":{"amounts":[{"amount":"7","denom":"ucosm"}]}}}]}}},"grantee":"e","granter":"r"}}"#]].assert_eq(&shown(execution.encode(), None));
        let migration = Authorization::Migration(vec![grant(both, messages)]);
        expect_test::expect![[r#"{"type":"cosmos-sdk/MsgGrant","value":{"grant":{"authorization":{"type":"wasm/ContractMigrationAuthorization","value":{"grants":[{"contract":"c","filter":{"type":"wasm/AcceptedMessagesFilter","value":{"messages":[{"a":{},"z":1},null]}},"limit":{"type":"wasm/CombinedLimit","value":{"amounts":[{"amount":"9","denom":"ucosm"}],"calls_remaining":"2"}}}]}}},"grantee":"e","granter":"r"}}"#]].assert_eq(&shown(migration.encode(), None));
    }

    #[test]
    fn what_is_sent_for_others_and_what_is_taken_back() {
        let send = MsgSend { from_address: "r".into(), to_address: "b".into(), amount: coin("5") };
        let inner = Msg::Exec(Exec { grantee: "x".into(), msgs: vec![Msg::Send(send.clone())] });
        let exec = Msg::Exec(Exec { grantee: "e".into(), msgs: vec![Msg::Send(send), inner] });
        expect_test::expect![[r#"{"type":"cosmos-sdk/MsgExec","value":{"grantee":"e","msgs":[{"type":"cosmos-sdk/MsgSend","value":{"amount":[{"amount":"5","denom":"ucosm"}],"from_address":"r","to_address":"b"}},{"type":"cosmos-sdk/MsgExec","value":{"grantee":"x","msgs":[{"type":"cosmos-sdk/MsgSend","value":{"amount":[{"amount":"5","denom":"ucosm"}],"from_address":"r","to_address":"b"}}]}}]}}"#]].assert_eq(&text(&exec));
        let revoke = MsgRevoke { granter: "r".into(), grantee: "e".into(), msg_type_url: "/m.M".into() };
        expect_test::expect![[
            r#"{"type":"cosmos-sdk/MsgRevoke","value":{"grantee":"e","granter":"r","msg_type_url":"/m.M"}}"#
        ]]
        .assert_eq(&text(&Msg::Revoke(revoke)));
    }
}

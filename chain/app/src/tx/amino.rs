//! Sign bytes of `SIGN_MODE_LEGACY_AMINO_JSON`: what a Ledger shows and signs.
//!
//! One JSON object with sorted keys and no white space, in which `&`, `<` and `>` are escaped as Go does. Each message
//! is `{"type", "value"}`; empty optional fields are left out, 64-bit numbers are text, bytes are base64 and a
//! contract's message stands inline (SDK `x/tx/signing/aminojson`; CosmJS `packages/amino`, `packages/cosmwasm`).

mod authz;
mod sealed;

use aceso_types::msg::SignedOrigin;
use base64::{Engine, engine::general_purpose::STANDARD};
use cosmos_sdk_proto::{
    cosmos::{base::v1beta1::Coin, feegrant::v1beta1::BasicAllowance, tx::v1beta1::Fee},
    cosmwasm::wasm::v1::AccessConfig,
};
use serde_json::{Map, Value, json};
use tendermint_proto::google::protobuf::Timestamp;

use crate::{
    code::{Code, Fault},
    components::{sponsor::Allowance, wasm::permission_name},
    tx::{decode::Tx, msg::Msg},
};

/// The sign bytes of a transaction for one signer.
pub(crate) fn sign_bytes(tx: &Tx, chain_id: &str, account: u64, sequence: u64) -> Result<Vec<u8>, Fault> {
    let msgs = tx.msgs.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    let mut doc = json!({
        "account_number": account.to_string(),
        "chain_id": chain_id,
        "fee": fee(&tx.fee()),
        "memo": tx.body.memo,
        "msgs": msgs,
        "sequence": sequence.to_string(),
    });
    if tx.body.timeout_height != 0 {
        doc["timeout_height"] = tx.body.timeout_height.to_string().into();
    }
    let mut out = Vec::new();
    write(&doc, &mut out);
    Ok(out)
}

fn fee(fee: &Fee) -> Value {
    let mut value = json!({ "amount": coins(&fee.amount), "gas": fee.gas_limit.to_string() });
    for (name, text) in [("payer", &fee.payer), ("granter", &fee.granter)] {
        if !text.is_empty() {
            value[name] = text.as_str().into();
        }
    }
    value
}

fn coins(coins: &[Coin]) -> Value {
    coins.iter().map(|coin| json!({ "denom": coin.denom, "amount": coin.amount })).collect()
}

/// A message as amino JSON has it.
fn message(msg: &Msg) -> Result<Value, Fault> {
    let (name, fields) = match msg {
        Msg::Send(m) => (
            "cosmos-sdk/MsgSend",
            Fields::new()
                .text("from_address", &m.from_address)
                .text("to_address", &m.to_address)
                .coins("amount", &m.amount),
        ),
        Msg::MultiSend(m) => {
            let side = |address: &str, amount: &[Coin]| json!({ "address": address, "coins": coins(amount) });
            let inputs = m.inputs.iter().map(|input| side(&input.address, &input.coins)).collect();
            let outputs = m.outputs.iter().map(|output| side(&output.address, &output.coins)).collect();
            ("cosmos-sdk/MsgMultiSend", Fields::new().value("inputs", inputs).value("outputs", outputs))
        }
        Msg::StoreCode(m) => (
            "wasm/MsgStoreCode",
            Fields::new()
                .text("sender", &m.sender)
                .bytes("wasm_byte_code", &m.wasm_byte_code)
                .optional("instantiate_permission", m.instantiate_permission.as_ref().map(permission)),
        ),
        Msg::Instantiate(m) => (
            "wasm/MsgInstantiateContract",
            Fields::new()
                .text("sender", &m.sender)
                .text("admin", &m.admin)
                .number("code_id", m.code_id)
                .text("label", &m.label)
                .inline("msg", &m.msg)?
                .coins("funds", &m.funds),
        ),
        Msg::Instantiate2(m) => (
            "wasm/MsgInstantiateContract2",
            Fields::new()
                .text("sender", &m.sender)
                .text("admin", &m.admin)
                .number("code_id", m.code_id)
                .text("label", &m.label)
                .inline("msg", &m.msg)?
                .coins("funds", &m.funds)
                .bytes("salt", &m.salt)
                .flag("fix_msg", m.fix_msg),
        ),
        Msg::Execute(m) => (
            "wasm/MsgExecuteContract",
            Fields::new()
                .text("sender", &m.sender)
                .text("contract", &m.contract)
                .inline("msg", &m.msg)?
                .coins("funds", &m.funds),
        ),
        Msg::Migrate(m) => (
            "wasm/MsgMigrateContract",
            Fields::new()
                .text("sender", &m.sender)
                .text("contract", &m.contract)
                .number("code_id", m.code_id)
                .inline("msg", &m.msg)?,
        ),
        Msg::UpdateAdmin(m) => (
            "wasm/MsgUpdateAdmin",
            Fields::new().text("sender", &m.sender).text("new_admin", &m.new_admin).text("contract", &m.contract),
        ),
        Msg::ClearAdmin(m) => {
            ("wasm/MsgClearAdmin", Fields::new().text("sender", &m.sender).text("contract", &m.contract))
        }
        Msg::UpdateLabel(m) => (
            "wasm/MsgUpdateContractLabel",
            Fields::new().text("sender", &m.sender).text("new_label", &m.new_label).text("contract", &m.contract),
        ),
        Msg::UpdatePermission(m) => (
            "wasm/MsgUpdateInstantiateConfig",
            Fields::new()
                .text("sender", &m.sender)
                .number("code_id", m.code_id)
                .optional("new_instantiate_permission", m.new_instantiate_permission.as_ref().map(permission)),
        ),
        Msg::StoreAndInstantiate(m) => (
            "wasm/MsgStoreAndInstantiateContract",
            Fields::new()
                .text("authority", &m.authority)
                .bytes("wasm_byte_code", &m.wasm_byte_code)
                .optional("instantiate_permission", m.instantiate_permission.as_ref().map(permission))
                .flag("unpin_code", m.unpin_code)
                .text("admin", &m.admin)
                .text("label", &m.label)
                .inline("msg", &m.msg)?
                .coins("funds", &m.funds)
                .text("source", &m.source)
                .text("builder", &m.builder)
                .bytes("code_hash", &m.code_hash),
        ),
        Msg::StoreAndMigrate(m) => (
            "wasm/MsgStoreAndMigrateContract",
            Fields::new()
                .text("authority", &m.authority)
                .bytes("wasm_byte_code", &m.wasm_byte_code)
                .optional("instantiate_permission", m.instantiate_permission.as_ref().map(permission))
                .text("contract", &m.contract)
                .inline("msg", &m.msg)?,
        ),
        Msg::Sudo(m) => (
            "wasm/MsgSudoContract",
            Fields::new().text("authority", &m.authority).text("contract", &m.contract).inline("msg", &m.msg)?,
        ),
        Msg::UpdateWasmParams(m) => {
            let params = m.params.clone().unwrap_or_default();
            let default = AccessConfig { permission: params.instantiate_default_permission, addresses: Vec::new() };
            let params = json!({
                "code_upload_access": permission(&params.code_upload_access.unwrap_or_default()),
                "instantiate_default_permission": permission_name(&default),
            });
            ("wasm/MsgUpdateParams", Fields::new().text("authority", &m.authority).value("params", params))
        }
        Msg::AddUploaders(m) => ("wasm/MsgAddCodeUploadParamsAddresses", uploaders(&m.authority, &m.addresses)),
        Msg::RemoveUploaders(m) => ("wasm/MsgRemoveCodeUploadParamsAddresses", uploaders(&m.authority, &m.addresses)),
        Msg::GrantAllowance(m) => (
            "cosmos-sdk/MsgGrantAllowance",
            Fields::new()
                .text("granter", &m.granter)
                .text("grantee", &m.grantee)
                .value("allowance", allowance(&Allowance::decode(m.allowance.as_ref())?)),
        ),
        Msg::RevokeAllowance(m) => {
            ("cosmos-sdk/MsgRevokeAllowance", Fields::new().text("granter", &m.granter).text("grantee", &m.grantee))
        }
        Msg::PruneAllowances(m) => ("cosmos-sdk/MsgPruneAllowances", Fields::new().text("pruner", &m.pruner)),
        Msg::Authorize(m) => ("cosmos-sdk/MsgGrant", authz::grant(m)?),
        Msg::Revoke(m) => (
            "cosmos-sdk/MsgRevoke",
            Fields::new().text("granter", &m.granter).text("grantee", &m.grantee).text("msg_type_url", &m.msg_type_url),
        ),
        Msg::Exec(m) => {
            let msgs = m.msgs.iter().map(message).collect::<Result<_, _>>()?;
            ("cosmos-sdk/MsgExec", Fields::new().text("grantee", &m.grantee).value("msgs", msgs))
        }
        Msg::RegisterBlob(m) => (
            "aceso/MsgRegisterBlob",
            Fields::new().text("owner", &m.owner).text("cid", &m.cid).number("size", m.size).number("term", m.term),
        ),
        Msg::RegisterModel(m) => {
            ("aceso/MsgRegisterModel", Fields::new().text("author", &m.author).bytes("manifest", &m.manifest))
        }
        Msg::RegisterImage(m) => {
            let origin = m.origin.as_ref().map(origin);
            (
                "aceso/MsgRegisterImage",
                Fields::new()
                    .text("owner", &m.owner)
                    .text("cid", &m.cid)
                    .number("size", m.size)
                    .number("term", m.term)
                    .text("guard", &m.guard)
                    .text("modality", &m.modality)
                    .text("body_part", &m.body_part)
                    .optional("origin", origin)
                    .number("effort", m.effort),
            )
        }
        Msg::RegisterReader(m) => ("aceso/MsgRegisterReader", sealed::register_reader(m)),
        Msg::RegisterSealed(m) => ("aceso/MsgRegisterSealed", sealed::register_sealed(m)),
        Msg::RetireSealed(m) => {
            ("aceso/MsgRetireSealed", Fields::new().text("owner", &m.owner).number("record", m.record))
        }
        Msg::Grant(m) => ("aceso/MsgGrant", sealed::grant(m)),
        Msg::RevokeGrant(m) => (
            "aceso/MsgRevokeGrant",
            Fields::new().text("sender", &m.sender).text("granter", &m.granter).number("grant", m.grant),
        ),
        Msg::BreakGlass(m) => ("aceso/MsgBreakGlass", sealed::break_glass(m)),
        Msg::RequestRead(m) => ("aceso/MsgRequestRead", sealed::request_read(m)),
        Msg::SubmitShare(m) => ("aceso/MsgSubmitShare", sealed::submit_share(m)),
        Msg::Dispute(m) => ("aceso/MsgDispute", sealed::dispute(m)),
        Msg::PinCodes(m) => ("wasm/MsgPinCodes", pins(&m.authority, &m.code_ids)),
        Msg::UnpinCodes(m) => ("wasm/MsgUnpinCodes", pins(&m.authority, &m.code_ids)),
        Msg::SetValidator(m) => (
            "aceso/MsgSetValidator",
            Fields::new()
                .text("authority", &m.authority)
                .bytes("consensus_key", &m.consensus_key)
                .number("power", m.power)
                .text("operator", &m.operator)
                .text("name", &m.name),
        ),
        Msg::RegisterAttester(m) => (
            "aceso/MsgRegisterAttester",
            Fields::new()
                .text("operator", &m.operator)
                .bytes("consensus_key", &m.consensus_key)
                .bytes("bls_key", &m.bls_key)
                .number("epoch", m.epoch)
                .bytes("possession", &m.possession),
        ),
        Msg::UpdateParams(m) => {
            let mut fields = Fields::new().text("authority", &m.authority);
            for (name, changes) in [("params", &m.params), ("consensus", &m.consensus)] {
                if !changes.is_empty() {
                    fields = fields.inline(name, changes)?;
                }
            }
            ("aceso/MsgUpdateParams", fields)
        }
        Msg::ScheduleUpgrade(m) => (
            "aceso/MsgScheduleUpgrade",
            Fields::new()
                .text("authority", &m.authority)
                .text("name", &m.name)
                .number("height", m.height)
                .text("info", &m.info),
        ),
        Msg::CancelUpgrade(m) => ("aceso/MsgCancelUpgrade", Fields::new().text("authority", &m.authority)),
    };
    Ok(json!({ "type": name, "value": fields.into_value() }))
}

/// An allowance, whose coins and times are there even where there are none.
fn allowance(allowance: &Allowance) -> Value {
    let basic = |basic: &BasicAllowance| {
        let fields = Fields::new().coins("spend_limit", &basic.spend_limit);
        fields.optional("expiration", basic.expiration.as_ref().map(time)).into_value()
    };
    match allowance {
        Allowance::Basic(one) => json!({ "type": "cosmos-sdk/BasicAllowance", "value": basic(one) }),
        Allowance::Periodic(one) => {
            let period = one.period.unwrap_or_default();
            let nanos = i128::from(period.seconds) * 1_000_000_000 + i128::from(period.nanos);
            json!({ "type": "cosmos-sdk/PeriodicAllowance", "value": {
                "basic": basic(&one.basic.clone().unwrap_or_default()),
                "period": nanos.to_string(),
                "period_spend_limit": coins(&one.period_spend_limit),
                "period_can_spend": coins(&one.period_can_spend),
                "period_reset": time(&one.period_reset.unwrap_or_default()),
            } })
        }
        Allowance::AllowedMsg(filter, inner) => json!({ "type": "cosmos-sdk/AllowedMsgAllowance", "value": {
            "allowance": self::allowance(inner),
            "allowed_messages": filter.allowed_messages,
        } }),
    }
}

/// A time as Go's RFC 3339 has it, with as many decimals as it needs.
fn time(time: &Timestamp) -> Value {
    let nanos = u32::try_from(time.nanos).unwrap_or_default();
    tendermint::Time::from_unix_timestamp(time.seconds, nanos).map_or(Value::Null, |time| time.to_rfc3339().into())
}

fn origin(signed: &SignedOrigin) -> Value {
    Fields::new()
        .text("institution", &signed.institution)
        .bytes("pixels", &signed.pixels)
        .bytes("study", &signed.study)
        .bytes("subject", &signed.subject)
        .bytes("public_key", &signed.public_key)
        .bytes("signature", &signed.signature)
        .into_value()
}

fn pins(authority: &str, codes: &[u64]) -> Fields {
    let codes: Vec<Value> = codes.iter().map(|code| code.to_string().into()).collect();
    Fields::new().text("authority", authority).value("code_ids", codes.into())
}

fn uploaders(authority: &str, addresses: &[String]) -> Fields {
    Fields::new().text("authority", authority).value("addresses", addresses.into())
}

fn permission(config: &AccessConfig) -> Value {
    let fields = Fields::new().value("permission", permission_name(config).into());
    fields.texts("addresses", &config.addresses).into_value()
}

/// A contract's message as it stands in a document.
fn inline(name: &str, msg: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(msg).map_err(|e| Code::Invalid.because(format_args!("{name}: {e}")))
}

/// The fields of an object; the empty ones are left out.
struct Fields(Map<String, Value>);

impl Fields {
    fn new() -> Self {
        Self(Map::new())
    }

    fn value(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.into(), value);
        self
    }

    fn optional(self, name: &str, value: Option<Value>) -> Self {
        match value {
            Some(value) => self.value(name, value),
            None => self,
        }
    }

    fn text(self, name: &str, text: &str) -> Self {
        self.optional(name, (!text.is_empty()).then(|| text.into()))
    }

    fn texts(self, name: &str, texts: &[String]) -> Self {
        self.optional(name, (!texts.is_empty()).then(|| texts.iter().cloned().collect()))
    }

    fn number(self, name: &str, number: u64) -> Self {
        self.optional(name, (number != 0).then(|| number.to_string().into()))
    }

    fn flag(self, name: &str, flag: bool) -> Self {
        self.optional(name, flag.then_some(Value::Bool(true)))
    }

    fn bytes(self, name: &str, bytes: &[u8]) -> Self {
        self.optional(name, (!bytes.is_empty()).then(|| STANDARD.encode(bytes).into()))
    }

    /// Coins are there even if there are none.
    fn coins(self, name: &str, amount: &[Coin]) -> Self {
        self.value(name, coins(amount))
    }

    fn inline(self, name: &str, msg: &[u8]) -> Result<Self, Fault> {
        Ok(self.value(name, inline(name, msg)?))
    }

    fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// Writes JSON with sorted keys, whatever order the map keeps.
fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.push(b'{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                text(key, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
        Value::Array(list) => {
            out.push(b'[');
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(value, out);
            }
            out.push(b']');
        }
        Value::String(string) => text(string, out),
        other => out.extend(other.to_string().as_bytes()),
    }
}

/// Writes a string; `&`, `<`, `>` and the line separators are escaped as Go's `encoding/json` does.
fn text(string: &str, out: &mut Vec<u8>) {
    let plain = Value::from(string).to_string();
    for character in plain.chars() {
        match character {
            '&' => out.extend(b"\\u0026"),
            '<' => out.extend(b"\\u003c"),
            '>' => out.extend(b"\\u003e"),
            '\u{2028}' => out.extend(b"\\u2028"),
            '\u{2029}' => out.extend(b"\\u2029"),
            other => out.extend(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use cosmos_sdk_proto::{
        cosmos::{
            bank::v1beta1::MsgSend,
            tx::v1beta1::{AuthInfo, TxBody},
        },
        cosmwasm::wasm::v1::{AccessType, MsgExecuteContract, MsgInstantiateContract2, MsgStoreCode},
    };

    use super::*;

    fn tx(msgs: Vec<Msg>, memo: &str) -> Tx {
        let coin = Coin { denom: "ucosm".into(), amount: "2000".into() };
        Tx {
            hash: [0; 32],
            bytes: 0,
            body_bytes: vec![],
            auth_bytes: vec![],
            signatures: vec![],
            body: TxBody { memo: memo.into(), ..TxBody::default() },
            auth: AuthInfo {
                fee: Some(Fee { amount: vec![coin], gas_limit: 200_000, ..Fee::default() }),
                ..AuthInfo::default()
            },
            msgs,
        }
    }

    fn signed(tx: &Tx) -> String {
        String::from_utf8(sign_bytes(tx, "testing", 7, 3).unwrap()).unwrap()
    }

    #[test]
    fn a_send() {
        let msg = MsgSend {
            from_address: "a".into(),
            to_address: "b".into(),
            amount: vec![Coin { denom: "ucosm".into(), amount: "5".into() }],
        };
        let mut tx = tx(vec![Msg::Send(msg)], "ham & <eggs>");
        expect_test::expect![[r#"{"account_number":"7","chain_id":"testing","fee":{"amount":[{"amount":"2000","denom":"ucosm"}],"gas":"200000"},"memo":"ham \u0026 \u003ceggs\u003e","msgs":[{"type":"cosmos-sdk/MsgSend","value":{"amount":[{"amount":"5","denom":"ucosm"}],"from_address":"a","to_address":"b"}}],"sequence":"3"}"#]].assert_eq(&signed(&tx));
        tx.body.timeout_height = 9;
        assert!(signed(&tx).ends_with(r#""sequence":"3","timeout_height":"9"}"#));
    }

    #[test]
    fn messages_of_the_authority() {
        use aceso_types::msg::{MsgSetValidator, MsgUpdateParams};
        use cosmos_sdk_proto::cosmwasm::wasm::v1::MsgPinCodes;
        let set = MsgSetValidator {
            authority: "a".into(),
            consensus_key: vec![1, 2],
            power: 3,
            operator: String::new(),
            name: "n".into(),
        };
        let params = br#"{"b":1,"a":true}"#.to_vec();
        let update = MsgUpdateParams { authority: "a".into(), params, consensus: vec![] };
        let pin = MsgPinCodes { authority: "a".into(), code_ids: vec![1, 2] };
        let doc = signed(&tx(vec![Msg::SetValidator(set), Msg::UpdateParams(update), Msg::PinCodes(pin)], ""));
        let msgs = &doc[doc.find("\"msgs\"").unwrap()..];
        expect_test::expect![[r#""msgs":[{"type":"aceso/MsgSetValidator","value":{"authority":"a","consensus_key":"AQI=","name":"n","power":"3"}},{"type":"aceso/MsgUpdateParams","value":{"authority":"a","params":{"a":true,"b":1}}},{"type":"wasm/MsgPinCodes","value":{"authority":"a","code_ids":["1","2"]}}],"sequence":"3"}"#]].assert_eq(msgs);
    }

    /// Inline message with sorted keys at every depth; CosmJS `modules/wasm/aminomessages.spec.ts` has the shapes.
    #[test]
    fn contract_messages() {
        let execute = MsgExecuteContract {
            sender: "s".into(),
            contract: "c".into(),
            msg: br#"{"z":{"b":[1,"<"],"a":null},"a":true}"#.to_vec(),
            funds: vec![],
        };
        let instantiate = MsgInstantiateContract2 {
            sender: "s".into(),
            code_id: 12_345,
            label: "sticky".into(),
            msg: b"{}".to_vec(),
            salt: vec![1, 2],
            ..MsgInstantiateContract2::default()
        };
        let store = MsgStoreCode {
            sender: "s".into(),
            wasm_byte_code: b"wasm".to_vec(),
            instantiate_permission: Some(AccessConfig {
                permission: AccessType::AnyOfAddresses.into(),
                addresses: vec!["x".into()],
            }),
        };
        let tx = tx(vec![Msg::Execute(execute), Msg::Instantiate2(instantiate), Msg::StoreCode(store)], "");
        let doc = signed(&tx);
        let msgs = &doc[doc.find("\"msgs\"").unwrap()..];
        expect_test::expect![[r#""msgs":[{"type":"wasm/MsgExecuteContract","value":{"contract":"c","funds":[],"msg":{"a":true,"z":{"a":null,"b":[1,"\u003c"]}},"sender":"s"}},{"type":"wasm/MsgInstantiateContract2","value":{"code_id":"12345","funds":[],"label":"sticky","msg":{},"salt":"AQI=","sender":"s"}},{"type":"wasm/MsgStoreCode","value":{"instantiate_permission":{"addresses":["x"],"permission":"AnyOfAddresses"},"sender":"s","wasm_byte_code":"d2FzbQ=="}}],"sequence":"3"}"#]].assert_eq(msgs);
    }
}

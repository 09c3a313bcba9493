//! The gateway over a socket, JSON there and back for every message that is declared, and what strangers send.

#![allow(clippy::cast_possible_truncation, reason = "dice are cut to whatever a field takes")]

use proptest::prelude::*;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value};
use serde_json::{Value as Json, json};

use super::{
    ANSWER_MAX, Asked, print,
    print::PrintError,
    question, read,
    read::ReadError,
    route::{self, Route, Verb},
    shape::{self, Cast},
};
use crate::{
    rest::tests::{Server, limits},
    services::latest,
};

fn kind(name: &str) -> MessageDescriptor {
    aceso_proto::pool().get_message_by_name(name).unwrap()
}

fn parsed(name: &str, text: &str) -> Result<DynamicMessage, ReadError> {
    read::read(kind(name), text)
}

/// The JSON that a message of this JSON is shown as.
fn shown(name: &str, text: &str) -> Json {
    let text = print::print(&parsed(name, text).unwrap(), ANSWER_MAX).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn route(template: &str, verb: Verb) -> Route {
    let routes = route::routes(aceso_proto::pool()).0;
    routes.into_iter().find(|route| route.template == template && route.verb == verb).unwrap()
}

#[test]
fn defaults_are_printed_as_the_sdk_prints_them() {
    assert_eq!(
        shown("cosmos.base.abci.v1beta1.TxResponse", "{}"),
        json!({"height": "0", "txhash": "", "codespace": "", "code": 0, "data": "", "raw_log": "", "logs": [], "info": "",
               "gas_wanted": "0", "gas_used": "0", "tx": null, "timestamp": "", "events": []})
    );
    assert_eq!(shown("cosmos.base.query.v1beta1.PageResponse", "{}"), json!({"next_key": null, "total": "0"}));
    assert_eq!(shown("cosmos.base.v1beta1.Coin", "{}"), json!({"denom": "", "amount": "0"}));
    // What is never absent in Go is never null, and a time that was never set is year 1.
    assert_eq!(
        shown("tendermint.types.CommitSig", "{}"),
        json!({"block_id_flag": "BLOCK_ID_FLAG_UNKNOWN", "validator_address": null,
               "timestamp": "0001-01-01T00:00:00Z", "signature": null})
    );
    assert_eq!(
        shown("tendermint.types.BlockID", "{}"),
        json!({"hash": null, "part_set_header": {"total": 0, "hash": null}})
    );
    // Of alternatives only the one that is there.
    assert_eq!(shown("cosmos.tx.v1beta1.ModeInfo", "{}"), json!({}));
    assert_eq!(
        shown("cosmos.tx.v1beta1.ModeInfo", r#"{"single": {"mode": 127}}"#),
        json!({"single": {"mode": "SIGN_MODE_LEGACY_AMINO_JSON"}})
    );
}

#[test]
fn messages_to_contracts_are_json_inside_json() {
    let name = "cosmwasm.wasm.v1.MsgExecuteContract";
    let message = parsed(name, r#"{"sender":"a","msg":{"z":1e400, "a":18446744073709551616}}"#).unwrap();
    let raw = message.get_field_by_name("msg").unwrap().into_owned();
    assert_eq!(raw, Value::Bytes(r#"{"z":1e400, "a":18446744073709551616}"#.into()));
    let text = print::print(&message, ANSWER_MAX).unwrap();
    assert!(text.contains(r#""msg":{"z":1e400, "a":18446744073709551616}"#), "{text}");
    // Bytes that are no JSON were put there by somebody; they are shown all the same.
    let mut odd = DynamicMessage::new(kind(name));
    odd.set_field_by_name("msg", Value::Bytes(b"{".as_slice().into()));
    let text = print::print(&odd, ANSWER_MAX).unwrap();
    assert!(text.contains(r#""msg":"ew==""#), "{text}");
    assert_eq!(shown("cosmwasm.wasm.v1.Model", r#"{"key":"00ff"}"#), json!({"key": "00FF", "value": null}));
}

#[test]
fn what_any_holds_is_spelled_out_where_it_is_known() {
    let tx = json!({"messages": [
        {"@type": "/cosmos.authz.v1beta1.MsgExec", "grantee": "g", "msgs": [
            {"@type": "/cosmos.bank.v1beta1.MsgSend", "from_address": "a", "to_address": "b",
             "amount": [{"denom": "u", "amount": "1"}]}]},
        {"@type": "/google.protobuf.Duration", "value": "1.500s"}],
        "memo": "\u{1f9ec}", "timeout_height": "7", "unordered": false, "timeout_timestamp": "2026-11-22T00:00:00.000001Z",
        "extension_options": [], "non_critical_extension_options": []});
    assert_eq!(shown("cosmos.tx.v1beta1.TxBody", &tx.to_string()), tx);

    let any = |url: &str, value: &[u8]| {
        let mut any = DynamicMessage::new(kind("google.protobuf.Any"));
        any.set_field_by_number(1, Value::String(url.into()));
        any.set_field_by_number(2, Value::Bytes(value.to_vec().into()));
        any
    };
    let text = |any: &DynamicMessage| print::print(any, ANSWER_MAX).unwrap();
    let send = "/cosmos.bank.v1beta1.MsgSend";
    assert_eq!(text(&any("/nobody.knows.It", b"x")), r#"{"@type":"/nobody.knows.It","value":"eA=="}"#);
    assert_eq!(text(&any(send, b"\xff")), format!(r#"{{"@type":"{send}","value":"/w=="}}"#));
    // A time that has no name does not take its list with it.
    let wild = any("/cosmos.authz.v1beta1.Grant", &[0x12, 11, 8, 255, 255, 255, 255, 255, 255, 255, 255, 127, 16]);
    assert!(text(&wild).contains("\"value\":"), "{}", text(&wild));
    // Nobody makes the printer dig for ever.
    let mut deep = any(send, b"");
    for _ in 0..200 {
        deep = any("/google.protobuf.Any", &deep.encode_to_vec());
    }
    let text = text(&deep);
    assert_eq!(text.matches("@type").count(), 17, "{text}");
}

#[test]
fn an_answer_that_is_too_long_is_refused() {
    let message = parsed("cosmos.tx.v1beta1.TxBody", &json!({"memo": "x".repeat(200)}).to_string()).unwrap();
    assert_eq!(print::print(&message, 100), Err(PrintError::Long(100)));
    let mut raw = DynamicMessage::new(kind("cosmos.tx.v1beta1.TxRaw"));
    raw.set_field_by_name("body_bytes", Value::Bytes(vec![0; 1000].into()));
    assert_eq!(print::print(&raw, 1000), Err(PrintError::Long(1000)));
}

#[test]
fn bodies_that_are_none_are_named() {
    let name = "cosmos.tx.v1beta1.SimulateRequest";
    for (text, said) in [
        ("", "invalid JSON at byte 0: an object was expected"),
        ("[]", "invalid JSON at byte 0: an object was expected"),
        ("{", "invalid JSON at byte 1: a string was expected"),
        (r#"{"tx_bytes":"AA=="} x"#, "invalid JSON at byte 20: the end was expected"),
        (r#"{"tx_bytes":"AA==""#, "invalid JSON at byte 18: the end of an object was expected"),
        (r#"{"tx_bytes":"\"#, "invalid JSON at byte 14: the end of a string was expected"),
        (r#"{"tx_bytes":"\x"}"#, "invalid JSON at byte 12: a string was expected"),
        (r#"{"tx_bytes":7}"#, "invalid JSON at byte 12: a string was expected"),
        (r#"{"tx_bytes":"*"}"#, "cosmos.tx.v1beta1.SimulateRequest.tx_bytes: \"*\" is not base64"),
        (r#"{"nobody":1}"#, "unknown field \"nobody\" in cosmos.tx.v1beta1.SimulateRequest"),
        (r#"{"tx":{"body":{"messages":[{}]}}}"#, "Any JSON doesn't have '@type'"),
        (r#"{"tx":{"body":{"messages":[{"@type":"/x.Y"}]}}}"#, "unable to resolve type URL \"/x.Y\""),
        (r#"{"tx":{"body":{"timeout_height":-1}}}"#, "cosmos.tx.v1beta1.TxBody.timeout_height: \"-1\" is no uint64"),
        (
            r#"{"tx":{"body":{"timeout_timestamp":"now"}}}"#,
            "google.protobuf.Timestamp: bad Timestamp: \"now\" is not RFC 3339",
        ),
        (
            r#"{"tx":{"body":{"messages":[{"@type":"/cosmwasm.wasm.v1.MsgExecuteContract","msg":{a}}]}}}"#,
            "invalid JSON at byte 82: a string was expected",
        ),
    ] {
        assert_eq!(parsed(name, text).map_err(|e| e.to_string()).unwrap_err(), said, "{text}");
    }
    // Both names of a field, null for nothing, the last word counts.
    let request = parsed(name, r#" {"txBytes":null,"tx":null,"tx_bytes":"AA==","txBytes":"_w=="} "#).unwrap();
    assert_eq!(request.encode_to_vec(), [0x12, 1, 0xff]);

    let deep = format!(r#"{{"tx":{}1{}}}"#, r#"{"body":{"messages":["#.repeat(40), "]}}".repeat(40));
    assert!(parsed(name, &deep).is_err());
    let inner = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let message = format!(r#"{{"msg":{inner}}}"#);
    assert_eq!(parsed("cosmwasm.wasm.v1.MsgExecuteContract", &message), Err(ReadError::Deep));
    let nested = r#"{"@type":"/cosmos.authz.v1beta1.MsgExec","msgs":["#;
    let nested = format!("{}{}", nested.repeat(100), "]}".repeat(100));
    assert_eq!(parsed("google.protobuf.Any", &nested), Err(ReadError::Deep));
    let many = format!(r#"{{"signatures":[{}"AA=="]}}"#, "\"AA==\",".repeat(60_000));
    assert_eq!(parsed("cosmos.tx.v1beta1.Tx", &many), Err(ReadError::Many));
}

#[test]
fn wrong_requests_have_the_gateways_statuses() {
    let server = Server::start(limits());
    let code = |path: &str, headers: &[(&str, &str)]| {
        let answer = server.get(path, headers);
        (answer.status, answer.json()["code"].as_u64().unwrap())
    };
    // What a path or a query cannot say.
    for path in [
        "/cosmwasm/wasm/v1/code/x",
        "/cosmwasm/wasm/v1/contract/a/raw/*",
        "/cosmos/bank/v1beta1/supply?pagination.limit=-1",
        "/cosmos/bank/v1beta1/supply?pagination.key=*",
        "/cosmos/bank/v1beta1/supply?pagination.count_total=perhaps",
        "/cosmos/tx/v1beta1/txs?order_by=SIDEWAYS",
        "/cosmos/auth/v1beta1/accounts/%ff",
    ] {
        assert_eq!(code(path, &[]), (400, 3), "{path}");
    }
    for height in ["x", "-1", "9223372036854775808", ""] {
        assert_eq!(code("/cosmos/bank/v1beta1/supply", &[("x-cosmos-block-height", height)]), (400, 3), "{height}");
    }
    let many = format!("/cosmos/bank/v1beta1/supply?{}", "a=b&".repeat(200));
    assert_eq!(code(&many, &[]), (400, 3));
    assert_eq!(code(&format!("/cosmwasm/wasm/v1/contract/a/smart/{}", "A".repeat(40_000)), &[]), (414, 3));
    // What nobody has declared: the old path of wasmd among it, and other methods of a path that is.
    for (method, path) in [
        ("GET", "/wasm/v1/contract/test/smart/test"),
        ("GET", "/cosmos/staking/v1beta1/validators"),
        ("GET", "/cosmos/tx/v1beta1/simulate"),
        ("POST", "/cosmos/bank/v1beta1/supply"),
        ("PUT", "/cosmos/bank/v1beta1/supply"),
        ("DELETE", "/cosmos/tx/v1beta1/txs"),
    ] {
        let answer = server.ask(method, path, &[("content-length", "0")], b"");
        assert_eq!((answer.status, &answer.json()["code"]), (501, &json!(12)), "{method} {path}");
    }
    // What the application says it does not have.
    let absent = server.get("/cosmos/auth/v1beta1/accounts/a?nobody=knows", &[]);
    assert_eq!((absent.status, &absent.json()["code"], &absent.json()["details"]), (404, &json!(5), &json!([])));
    assert_eq!(absent.headers["access-control-allow-origin"], "*");
    let asked = server.ask("OPTIONS", "/cosmos/tx/v1beta1/txs", &[("origin", "https://a.example")], b"");
    assert_eq!(asked.status, 204);
    assert!(asked.headers["access-control-allow-headers"].contains("x-cosmos-block-height"));
}

#[test]
fn bodies_are_bounded_before_they_are_read() {
    let server = Server::start(limits());
    let post = |length: &str, body: &[u8]| {
        let answer = server.ask("POST", "/cosmos/tx/v1beta1/simulate", &[("content-length", length)], body);
        (answer.status, answer.json()["code"].as_u64().unwrap())
    };
    assert_eq!(post("1000000000", b""), (413, 3));
    let chunked = [b"700000\r\n".as_slice(), &vec![b' '; 7 << 20], b"\r\n0\r\n\r\n"].concat();
    let answer = server.ask("POST", "/cosmos/tx/v1beta1/simulate", &[("transfer-encoding", "chunked")], &chunked);
    assert_eq!(answer.status, 413);
    assert_eq!(post("1", b"{"), (400, 3));
    assert_eq!(post("2", b"\xff\xff"), (400, 3));
    let deep = [b"{\"tx\":".as_slice(), &vec![b'['; 1 << 20]].concat();
    assert_eq!(post(&deep.len().to_string(), &deep), (400, 3));
}

#[test]
fn the_document_names_every_route_and_every_reference_leads_somewhere() {
    let server = Server::start(limits());
    let document = server.get("/openapi.json", &[]).json();
    for route in route::routes(aceso_proto::pool()).0 {
        let verb = if route.verb == Verb::Get { "get" } else { "post" };
        let operation = &document["paths"][route.template.replace("=**", "")][verb];
        assert!(operation["responses"]["200"].is_object(), "{}", route.template);
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    let balances = &document["paths"]["/cosmos/bank/v1beta1/balances/{address}"]["get"];
    let names: Vec<_> =
        balances["parameters"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["address", "pagination.key", "pagination.offset"]);
    assert_eq!(balances["summary"], "What an account has.");
}

/// Numbers that decide what a made message looks like, one after the other.
struct Dice<'a>(&'a [u8], usize);

impl Dice<'_> {
    fn roll(&mut self) -> u64 {
        self.1 += 1;
        u64::from(self.0[self.1 % self.0.len()])
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(7 * (self.1 as u32 % 9))
    }

    fn message(&mut self, kind: MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(kind.clone());
        match kind.full_name() {
            "google.protobuf.Timestamp" => {
                message.set_field_by_number(1, Value::I64((self.roll() % 200_000_000_000) as i64 - 60_000_000_000));
                message.set_field_by_number(2, Value::I32((self.roll() % 1_000_000_000) as i32));
                return message;
            }
            "google.protobuf.Duration" => {
                let sign = if self.roll().is_multiple_of(2) { 1 } else { -1 };
                message.set_field_by_number(1, Value::I64(sign * (self.roll() % 300_000_000_000) as i64));
                message.set_field_by_number(2, Value::I32(sign as i32 * (self.roll() % 1_000_000_000) as i32));
                return message;
            }
            "google.protobuf.Any" => {
                let names = [
                    "cosmos.bank.v1beta1.MsgSend",
                    "cosmwasm.wasm.v1.MsgExecuteContract",
                    "cosmos.crypto.secp256k1.PubKey",
                    "google.protobuf.Timestamp",
                ];
                let name = names[self.roll() as usize % names.len()];
                let inner = self.message(super::tests::kind(name), depth + 1);
                message.set_field_by_number(1, Value::String(format!("/{name}")));
                message.set_field_by_number(2, Value::Bytes(inner.encode_to_vec().into()));
                return message;
            }
            _ => {}
        }
        for field in kind.fields() {
            let taken = field.containing_oneof().is_some_and(|oneof| oneof.fields().any(|f| message.has_field(&f)));
            let shape = shape::of(&field);
            // What JSON shows also where it is absent.
            let message_always = shape.always && !field.is_list() && field.kind().as_message().is_some();
            let always = message_always || shape.cast == Cast::Int;
            if taken || !always && (depth > 4 || self.roll().is_multiple_of(3)) {
                continue;
            }
            let value = if field.is_list() {
                Value::List((0..1 + self.roll() % 3).map(|_| self.value(&field, depth)).collect())
            } else {
                self.value(&field, depth)
            };
            message.set_field(&field, value);
        }
        message
    }

    /// A value that is not its type's default, which JSON cannot tell from nothing.
    fn value(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let n = self.roll() | 1;
        let shape = shape::of(field);
        match field.kind() {
            Kind::Message(kind) => Value::Message(self.message(kind, depth + 1)),
            Kind::Bool => Value::Bool(true),
            Kind::String => Value::String(format!("\"\\\n\u{7}{n}\u{1f9ec}<&>")),
            Kind::Bytes if shape.cast == Cast::Json => Value::Bytes(format!("{{\"n\": [{n}, null]}}").into()),
            Kind::Bytes => Value::Bytes(n.to_le_bytes()[..1 + (n % 8) as usize].to_vec().into()),
            Kind::Enum(names) => {
                let last = names.values().last().unwrap().number();
                Value::EnumNumber(if last == 0 { 77 } else { last })
            }
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(n as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(n as i64),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(n as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(n),
            Kind::Float => Value::F32((n as u32 as f32) / 8.0),
            Kind::Double => Value::F64((n as u32 as f64) / 8.0),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn every_message_survives_json(seed in proptest::collection::vec(any::<u8>(), 1..64)) {
        for kind in aceso_proto::pool().all_messages().filter(|kind| !kind.is_map_entry()) {
            if ["google.protobuf.", "google.api."].iter().any(|package| kind.full_name().starts_with(package)) {
                continue;
            }
            let message = Dice(&seed, 0).message(kind.clone(), 0);
            let text = print::print(&message, ANSWER_MAX).unwrap();
            prop_assert!(serde_json::from_str::<Json>(&text).is_ok(), "{}: {text}", kind.full_name());
            let again = read::read(kind.clone(), &text);
            prop_assert!(again.is_ok(), "{}: {again:?} of {text}", kind.full_name());
            // A field that is set to nothing is one that is absent.
            prop_assert_eq!(again.unwrap().encode_to_vec(), message.encode_to_vec(), "{}: {}", kind.full_name(), text);
        }
    }

    #[test]
    fn bytes_of_strangers_are_shown_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for kind in aceso_proto::pool().all_messages() {
            if let Ok(message) = DynamicMessage::decode(kind.clone(), bytes.as_slice())
                && let Ok(text) = print::print(&message, 100_000)
            {
                prop_assert!(serde_json::from_str::<Json>(&text).is_ok(), "{}: {text}", kind.full_name());
            }
        }
    }

    #[test]
    fn words_of_strangers_make_a_question_or_a_refusal(
        words in proptest::collection::vec(("[a-z_.\\[\\]]{0,20}", ".{0,20}"), 0..6),
        body in "[\\[\\]{}\",:a@t0\\\\ .-]{0,60}",
    ) {
        for route in route::routes(aceso_proto::pool()).0 {
            let mut pairs = words.clone();
            // Names that there are, so that words get somewhere.
            let names = route.method.input().fields().map(|field| field.name().to_owned()).collect::<Vec<_>>();
            pairs.extend(names.into_iter().zip(words.iter().map(|(_, word)| word.clone())));
            let asked = Asked { height: latest(), pairs, body: body.clone().into_bytes().into() };
            if let Ok(message) = question(&route, &words, &asked) {
                prop_assert!(print::print(&message, ANSWER_MAX).is_ok());
            }
        }
    }
}

#[test]
fn a_question_is_made_of_path_query_and_body() {
    let asked = |pairs: &[(&str, &str)], body: &str| Asked {
        height: latest(),
        pairs: pairs.iter().map(|(name, word)| ((*name).to_owned(), (*word).to_owned())).collect(),
        body: body.to_owned().into(),
    };
    let words = [("p0".to_owned(), "aceso1x".to_owned()), ("p1".to_owned(), "eyJhIjoxfQ==".to_owned())];
    let smart = route("/cosmwasm/wasm/v1/contract/{address}/smart/{query_data}", Verb::Get);
    let made = question(&smart, &words, &asked(&[("address", "other")], "")).ok().unwrap();
    assert_eq!(made.encode_to_vec(), b"\x0a\x07aceso1x\x12\x07{\"a\":1}");
    let simulate = route("/cosmos/tx/v1beta1/simulate", Verb::Post);
    let made = question(&simulate, &[], &asked(&[("tx_bytes", "/w==")], r#"{"tx_bytes":"AA=="}"#)).ok().unwrap();
    assert_eq!(made.encode_to_vec(), [0x12, 1, 0]);
    assert!(question(&simulate, &[], &asked(&[], " ")).ok().unwrap().encode_to_vec().is_empty());
    assert_eq!(made.descriptor().full_name(), "cosmos.tx.v1beta1.SimulateRequest");
}

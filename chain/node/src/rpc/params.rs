//! Parameters of a method, from JSON or from a URI.
//!
//! In JSON, 64-bit integers may be text or numbers, byte strings are base64 and hex strings hexadecimal. In a URI,
//! text stands in double quotes and bytes begin with `0x`; bytes in quotes are the text's own. Source: CometBFT 0.38's
//! `rpc/jsonrpc/server/http_json_handler.go` and `http_uri_handler.go`.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::Value;

use super::RpcError;

enum Arg {
    Json(Value),
    Uri(String),
}

/// Named parameters.
pub(crate) struct Params(BTreeMap<String, Arg>);

impl Params {
    /// From a request's `params`: an object, or a list in the order of `names`.
    pub(crate) fn from_json(params: Value, names: &[&str]) -> Result<Self, RpcError> {
        let convert = "error converting json params to arguments";
        match params {
            Value::Null => Ok(Self(BTreeMap::new())),
            Value::Object(members) => Ok(Self(members.into_iter().map(|(name, v)| (name, Arg::Json(v))).collect())),
            Value::Array(values) if values.len() > names.len() => Err(RpcError::invalid_params(format!(
                "{convert}: expected {} parameters ({names:?}), got {}",
                names.len(),
                values.len()
            ))),
            Value::Array(values) => {
                Ok(Self(names.iter().zip(values).map(|(name, v)| ((*name).into(), Arg::Json(v))).collect()))
            }
            _ => Err(RpcError::invalid_params(format!("{convert}: params is neither an object nor a list"))),
        }
    }

    /// From a URI's query; an empty value counts as absent.
    pub(crate) fn from_uri(pairs: Vec<(String, String)>) -> Self {
        let present = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        Self(present.map(|(name, value)| (name, Arg::Uri(value))).collect())
    }

    /// Text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, RpcError> {
        match self.0.get(name) {
            None | Some(Arg::Json(Value::Null)) => Ok(None),
            Some(Arg::Json(Value::String(text))) => Ok(Some(text.clone())),
            Some(Arg::Json(other)) => Err(wrong(name, "text", other)),
            Some(Arg::Uri(text)) if text.starts_with('"') => {
                serde_json::from_str(text).map(Some).map_err(|_| wrong(name, "text in double quotes", text))
            }
            Some(Arg::Uri(text)) => Ok(Some(text.clone())),
        }
    }

    /// An integer.
    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, RpcError> {
        let text = match self.0.get(name) {
            None | Some(Arg::Json(Value::Null)) => return Ok(None),
            Some(Arg::Json(Value::Number(number))) => number.to_string(),
            Some(Arg::Json(Value::String(text))) if text.is_empty() => return Ok(None),
            Some(Arg::Json(Value::String(text))) => text.clone(),
            Some(Arg::Json(other)) => return Err(wrong(name, "an integer", other)),
            Some(Arg::Uri(text)) => text.trim_matches('"').to_owned(),
        };
        text.parse().map(Some).map_err(|_| wrong(name, "an integer", text))
    }

    /// Yes or no; absent is no.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, RpcError> {
        match self.0.get(name) {
            None | Some(Arg::Json(Value::Null)) => Ok(false),
            Some(Arg::Json(Value::Bool(flag))) => Ok(*flag),
            Some(Arg::Uri(text)) if text == "true" => Ok(true),
            Some(Arg::Uri(text)) if text == "false" => Ok(false),
            Some(Arg::Json(other)) => Err(wrong(name, "true or false", other)),
            Some(Arg::Uri(text)) => Err(wrong(name, "true or false", text)),
        }
    }

    /// Bytes, in base64 where JSON carries them.
    pub(crate) fn bytes(&self, name: &str) -> Result<Option<Bytes>, RpcError> {
        self.decoded(name, "base64", |text| STANDARD.decode(text).ok())
    }

    /// Bytes, in hexadecimal where JSON carries them.
    pub(crate) fn hex(&self, name: &str) -> Result<Option<Bytes>, RpcError> {
        self.decoded(name, "hexadecimal", |text| hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok())
    }

    /// A hash: base64 as CometBFT has it, or 64 hexadecimal digits, which no base64 of 32 bytes can be.
    pub(crate) fn hash(&self, name: &str) -> Result<Option<Bytes>, RpcError> {
        self.decoded(
            name,
            "a hash",
            |text| {
                if text.len() == 64 { hex::decode(text).ok() } else { STANDARD.decode(text).ok() }
            },
        )
    }

    fn decoded(
        &self,
        name: &str,
        encoding: &str,
        decode: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Option<Bytes>, RpcError> {
        match self.0.get(name) {
            None | Some(Arg::Json(Value::Null)) => Ok(None),
            Some(Arg::Json(Value::String(text))) => match decode(text) {
                Some(bytes) => Ok(Some(bytes.into())),
                None => Err(wrong(name, encoding, text)),
            },
            Some(Arg::Json(other)) => Err(wrong(name, encoding, other)),
            Some(Arg::Uri(text)) => match (text.strip_prefix("0x"), text.starts_with('"')) {
                (Some(digits), _) => {
                    hex::decode(digits).map(|bytes| Some(bytes.into())).map_err(|_| wrong(name, "hexadecimal", text))
                }
                (None, true) => match serde_json::from_str::<String>(text) {
                    Ok(inner) => Ok(Some(inner.into())),
                    Err(_) => Err(wrong(name, "text in double quotes", text)),
                },
                (None, false) => {
                    decode(text).map(|bytes| Some(bytes.into())).ok_or_else(|| wrong(name, encoding, text))
                }
            },
        }
    }
}

/// What a parameter is and should be, cut to a line's length.
fn wrong(name: &str, want: &str, got: impl std::fmt::Display) -> RpcError {
    let got: String = got.to_string().chars().take(80).collect();
    RpcError::invalid_params(format!("error converting json params to arguments: {name} is not {want}: {got}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_uri_say_the_same() {
        let from_json = Params::from_json(
            json!({"height": "7", "page": 2, "tx": "YT0x", "data": "613d31", "path": "/x", "prove": true}),
            &[],
        )
        .unwrap();
        let uri = [
            ("height", "7"),
            ("page", "\"2\""),
            ("tx", "0x613d31"),
            ("data", "0x613d31"),
            ("path", "\"/x\""),
            ("prove", "true"),
        ];
        let from_uri = Params::from_uri(uri.map(|(k, v)| (k.into(), v.into())).into());
        for params in [from_json, from_uri] {
            assert_eq!(params.int("height").unwrap(), Some(7));
            assert_eq!(params.int("page").unwrap(), Some(2));
            assert_eq!(params.bytes("tx").unwrap().unwrap(), "a=1");
            assert_eq!(params.hex("data").unwrap().unwrap(), "a=1");
            assert_eq!(params.text("path").unwrap().unwrap(), "/x");
            assert!(params.flag("prove").unwrap());
            assert_eq!(params.int("absent").unwrap(), None);
        }
        let listed = Params::from_json(json!(["YT0x"]), &["tx"]).unwrap();
        assert_eq!(listed.bytes("tx").unwrap().unwrap(), "a=1");
    }

    #[test]
    fn wrong_types_are_named() {
        let params = Params::from_json(json!({"height": [], "tx": "?", "prove": 1, "path": 2}), &[]).unwrap();
        assert_eq!(params.int("height").unwrap_err().code, -32602);
        assert!(params.bytes("tx").unwrap_err().data.contains("tx is not base64"));
        assert!(params.flag("prove").is_err() && params.text("path").is_err());
        assert!(Params::from_json(json!([1, 2]), &["tx"]).is_err());
        assert!(Params::from_json(json!(3), &["tx"]).is_err());
    }
}

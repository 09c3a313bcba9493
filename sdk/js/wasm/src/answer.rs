//! What a call answers: a JSON object and bytes beside it.

use std::io;

use aceso_seal::{SealError, StoreError};
use aceso_verify::grant::GrantError;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The answer of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    json: Value,
    /// They may be secret; JSON never is.
    bytes: Zeroizing<Vec<u8>>,
}

/// Why a call answers nothing: a sentence, and for programs what refused and one word why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    sentence: String,
    from: Option<(&'static str, &'static str)>,
}

impl From<String> for Refusal {
    fn from(sentence: String) -> Self {
        Self { sentence, from: None }
    }
}

impl From<GrantError> for Refusal {
    fn from(error: GrantError) -> Self {
        Self { sentence: error.to_string(), from: Some(("grant", error.kind())) }
    }
}

impl From<SealError> for Refusal {
    fn from(error: SealError) -> Self {
        Self { sentence: error.to_string(), from: Some(("seal", error.kind())) }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self { sentence: error.to_string(), from: Some(("store", error.kind())) }
    }
}

/// Sealing writes to memory, so whatever fails is the seal's own, or a record of another length.
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<SealError>()) {
            Some(inner) => inner.clone().into(),
            None => Self { sentence: error.to_string(), from: Some(("seal", "length")) },
        }
    }
}

impl Answer {
    /// JSON alone.
    pub(crate) fn json(value: &impl Serialize) -> Result<Self, String> {
        Self::with(value, Vec::new())
    }

    /// JSON with bytes that have no place in it.
    pub(crate) fn with(value: &impl Serialize, bytes: Vec<u8>) -> Result<Self, String> {
        let bytes = Zeroizing::new(bytes);
        serde_json::to_value(value).map(|json| Self { json, bytes }).map_err(|e| e.to_string())
    }

    /// Bytes alone.
    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { json: Value::Null, bytes: Zeroizing::new(bytes.into()) }
    }
}

/// Writes a call's result down: the length of the JSON as little-endian u32, the JSON, the bytes. The JSON is
/// `{"ok": …}` or `{"error": sentence}`; grants, seals and key stores say by `from` and `kind` what refused, and why.
pub(crate) fn encode(result: Result<Answer, impl Into<Refusal>>) -> Vec<u8> {
    let (json, bytes) = match result.map_err(Into::into) {
        Ok(Answer { json, bytes }) => (json!({ "ok": json }), bytes),
        Err(Refusal { sentence, from: None }) => (json!({ "error": sentence }), Zeroizing::default()),
        Err(Refusal { sentence, from: Some((from, kind)) }) => {
            (json!({ "error": sentence, "from": from, "kind": kind }), Zeroizing::default())
        }
    };
    let json = json.to_string();
    // A sentence or a record of a few KiB: it always fits.
    let length = u32::try_from(json.len()).unwrap_or_default();
    [&length.to_le_bytes(), json.as_bytes(), &bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_bytes_do_not_run_together() {
        let answer = Answer::with(&json!({"a": 1}), vec![7, 8]).unwrap();
        assert_eq!(encode(Ok::<_, String>(answer)), [&[14, 0, 0, 0][..], br#"{"ok":{"a":1}}"#, &[7, 8]].concat());
        assert_eq!(encode(Err("no".to_owned())), [&[14, 0, 0, 0][..], br#"{"error":"no"}"#].concat());
        let zero = br#"{"error":"a secret key is a scalar other than zero","from":"grant","kind":"zero"}"#;
        assert_eq!(encode(Err(GrantError::Zero))[4..], zero[..]);
    }
}

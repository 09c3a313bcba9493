//! What a call answers: a JSON object and bytes beside it.

use serde::Serialize;
use serde_json::{Value, json};

/// The answer of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    json: Value,
    bytes: Vec<u8>,
}

impl Answer {
    /// JSON alone.
    pub(crate) fn json(value: &impl Serialize) -> Result<Self, String> {
        Self::with(value, Vec::new())
    }

    /// JSON with bytes that have no place in it.
    pub(crate) fn with(value: &impl Serialize, bytes: Vec<u8>) -> Result<Self, String> {
        serde_json::to_value(value).map(|json| Self { json, bytes }).map_err(|e| e.to_string())
    }

    /// Bytes alone.
    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { json: Value::Null, bytes: bytes.into() }
    }
}

/// Writes a call's result down: the length of the JSON as little-endian u32, the JSON, the bytes. The JSON is
/// `{"ok": …}` or `{"error": sentence}`.
pub(crate) fn encode(result: Result<Answer, String>) -> Vec<u8> {
    let (json, bytes) = match result {
        Ok(Answer { json, bytes }) => (json!({ "ok": json }), bytes),
        Err(sentence) => (json!({ "error": sentence }), Vec::new()),
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
        assert_eq!(encode(Ok(answer)), [&[14, 0, 0, 0][..], br#"{"ok":{"a":1}}"#, &[7, 8]].concat());
        assert_eq!(encode(Err("no".into())), [&[14, 0, 0, 0][..], br#"{"error":"no"}"#].concat());
    }
}

//! HTTP to one port of a node: JSON-RPC 2.0 and plain GET and POST.

use std::{io::Read, time::Duration};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ureq::{Agent, Body, http::Response};

use crate::ClientError;

/// Most bytes of one answer: a block of 4 MiB in base64 with room around it.
const ANSWER_MAX: u64 = 64 << 20;
/// Most characters of a refusal's body that are shown.
const SHOWN: usize = 2000;

/// How long the body of an answer may take from a node that others can stand in for.
const HASTE: Duration = Duration::from_secs(300);

/// One port of a node.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    url: String,
    agent: Agent,
}

impl Endpoint {
    /// `http://host:port`, or `host:port`.
    pub(crate) fn new(url: &str) -> Self {
        Self::with(url, None)
    }

    /// One that has to send its answers within a time.
    pub(crate) fn hasty(url: &str) -> Self {
        Self::with(url, Some(HASTE))
    }

    fn with(url: &str, body: Option<Duration>) -> Self {
        let scheme = if url.contains("://") { "" } else { "http://" };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_recv_body(body)
            .build();
        Self { url: format!("{scheme}{}", url.trim_end_matches('/')), agent: config.into() }
    }

    /// A JSON-RPC call.
    pub(crate) fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, ClientError> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let response = self.agent.post(&self.url).content_type("application/json").send(request.as_bytes());
        let (status, text) = self.body(response)?;
        let answer = serde_json::from_slice(&text).ok().filter(|answer: &Value| answer.get("jsonrpc").is_some());
        let Some(mut answer) = answer else {
            return Err(ClientError::NoRpc { url: self.url.clone(), status });
        };
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let words = |field| error.get(field).and_then(Value::as_str).unwrap_or_default();
            let message = [words("message"), words("data")].join(": ");
            let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
            return Err(ClientError::Rpc { method: method.into(), code, message });
        }
        let result = answer.get_mut("result").map(Value::take).unwrap_or_default();
        serde_json::from_value(result).map_err(|e| unreadable(method, &e.to_string()))
    }

    /// A GET; none where the node answers 404.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, String)]) -> Result<Option<Vec<u8>>, ClientError> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let (status, body) = self.body(request.call())?;
        match status {
            404 => Ok(None),
            200..=299 => Ok(Some(body)),
            _ => Err(refused(path, status, &body)),
        }
    }

    /// A POST of bytes.
    pub(crate) fn post(&self, path: &str, body: impl Read) -> Result<Vec<u8>, ClientError> {
        let mut body = body;
        let request = self.agent.post(format!("{}{path}", self.url)).content_type("application/octet-stream");
        let (status, body) = self.body(request.send(ureq::SendBody::from_reader(&mut body)))?;
        if (200..=299).contains(&status) { Ok(body) } else { Err(refused(path, status, &body)) }
    }

    fn body(&self, response: Result<Response<Body>, ureq::Error>) -> Result<(u16, Vec<u8>), ClientError> {
        let unreachable =
            |error: ureq::Error| ClientError::Unreachable { url: self.url.clone(), reason: error.to_string() };
        let mut response = response.map_err(unreachable)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_MAX).read_to_vec().map_err(unreachable)?;
        Ok((status, body))
    }
}

pub(crate) fn unreadable(what: &str, reason: &str) -> ClientError {
    ClientError::Answer { what: what.into(), reason: reason.into() }
}

/// A REST refusal: the `message` of its JSON, else its text.
fn refused(path: &str, status: u16, body: &[u8]) -> ClientError {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| json.get("message")?.as_str()).map(String::from);
    let text = || String::from_utf8_lossy(body).chars().take(SHOWN).collect();
    ClientError::Rpc { method: path.into(), code: status.into(), message: message.unwrap_or_else(text) }
}

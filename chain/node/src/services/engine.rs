//! What makes the blocks, asked as CometBFT's RPC is asked: in this process, or over HTTP.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::status::Status;
use crate::rpc::{Node, methods, params::Params};

/// How long CometBFT may take for an answer, which is as long as a query of CometBFT's own connection is held up by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The same for somebody who asks again soon, or does without.
pub(crate) const HASTE: Duration = Duration::from_secs(2);
/// Most bytes of an answer of CometBFT: a block of the largest size in base64, and its frame.
const ANSWER_MAX: u64 = 160 << 20;

/// Who serves the RPC.
#[derive(Clone)]
pub(crate) enum Rpc {
    /// This process: an embedded chain.
    Here(Arc<Node>),
    /// CometBFT, at this URL.
    CometBft(String),
}

/// Why the engine has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The engine refuses, in its words.
    #[error("{0}")]
    Refused(String),
    /// The engine cannot be asked.
    #[error("the engine does not answer: {0}")]
    Unreachable(String),
    /// The answer has another shape than CometBFT 0.38's.
    #[error("the engine's answer has another shape: {0}")]
    Shape(String),
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let code = match failure {
            Failure::Refused(_) => tonic::Code::Unknown,
            Failure::Unreachable(_) => tonic::Code::Unavailable,
            Failure::Shape(_) => tonic::Code::Internal,
        };
        Self::new(code, failure.to_string())
    }
}

impl Rpc {
    /// Calls a method with named parameters. Blocks for as long as the answer takes.
    pub(crate) fn call(&self, method: &'static str, params: Value) -> Result<Value, Failure> {
        self.call_within(PATIENCE, method, params)
    }

    /// The same, for as long as CometBFT may take.
    pub(crate) fn call_within(
        &self,
        patience: Duration,
        method: &'static str,
        params: Value,
    ) -> Result<Value, Failure> {
        match self {
            Self::Here(node) => {
                let params = Params::from_json(params, &[]).map_err(|e| Failure::Refused(e.data))?;
                methods::answer(node, method, &params).map_err(|e| Failure::Refused(e.data))
            }
            Self::CometBft(url) => post(url, patience, method, &params),
        }
    }

    /// Whether the engine is behind the chain, as it says itself.
    pub(crate) fn is_catching_up(&self, patience: Duration) -> Result<bool, Failure> {
        let status = self.call_within(patience, "status", json!({}))?;
        let behind = status["sync_info"]["catching_up"].as_bool();
        behind.ok_or_else(|| Failure::Shape("sync_info has no catching_up".into()))
    }
}

fn post(url: &str, patience: Duration, method: &str, params: &Value) -> Result<Value, Failure> {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(patience)).build();
    let agent: ureq::Agent = config.into();
    let request = json!({"jsonrpc": "2.0", "id": 0, "method": method, "params": params}).to_string();
    let unreachable = |e: ureq::Error| Failure::Unreachable(e.to_string());
    let mut answer =
        agent.post(url).header("content-type", "application/json").send(request.as_str()).map_err(unreachable)?;
    let text = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_string().map_err(unreachable)?;
    let mut answer: Value = serde_json::from_str(&text).map_err(|e| Failure::Shape(e.to_string()))?;
    match answer.get_mut("result").map(Value::take) {
        Some(result) => Ok(result),
        None => match &answer["error"] {
            Value::Null => Err(Failure::Shape("neither a result nor an error".into())),
            error => Err(Failure::Refused(error["data"].as_str().map_or_else(|| error.to_string(), str::to_owned))),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use super::*;

    /// An engine that answers one request after the other with these, and what it was asked.
    fn engine(answers: &'static [&'static str]) -> (Rpc, std::sync::mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let rpc = Rpc::CometBft(format!("http://{}/", listener.local_addr().unwrap()));
        let (told, asked) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, mut request, mut piece) = (listener.accept().unwrap().0, Vec::new(), [0; 1024]);
                while !request.ends_with(b"}") {
                    let count = stream.read(&mut piece).unwrap();
                    request.extend(&piece[..count]);
                }
                told.send(String::from_utf8(request).unwrap()).unwrap();
                let length = answer.len();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                stream.write_all(&[head.as_bytes(), answer.as_bytes()].concat()).unwrap();
            }
        });
        (rpc, asked)
    }

    #[test]
    fn cometbft_is_asked_and_what_it_says_is_told_apart() {
        let (rpc, asked) = engine(&[
            r#"{"result":{"sync_info":{"catching_up":true}}}"#,
            r#"{"result":{"sync_info":{}}}"#,
            r#"{"error":{"code":-32603,"data":"height 9 must be less"}}"#,
            "{}",
            "no JSON",
        ]);
        let behind = || rpc.is_catching_up(HASTE);
        assert_eq!(behind(), Ok(true));
        let request = asked.recv().unwrap();
        assert!(request.starts_with("POST / ") && request.contains(r#""method":"status""#), "{request}");
        assert!(matches!(behind(), Err(Failure::Shape(words)) if words.contains("catching_up")));
        assert_eq!(behind(), Err(Failure::Refused("height 9 must be less".into())));
        assert!(matches!(behind(), Err(Failure::Shape(_))));
        assert!(matches!(behind(), Err(Failure::Shape(_))));
    }

    #[test]
    fn an_engine_that_says_nothing_is_waited_for_as_long_as_was_said() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let rpc = Rpc::CometBft(format!("http://{}", silent.local_addr().unwrap()));
        let refused = rpc.call_within(Duration::from_millis(50), "commit", json!({"height": "1"}));
        assert!(matches!(refused, Err(Failure::Unreachable(_))), "{refused:?}");
    }
}

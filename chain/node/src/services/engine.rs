//! What makes the blocks, asked as CometBFT's RPC is asked: in this process, or over HTTP.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::status::Status;
use crate::rpc::{Node, methods, params::Params};

/// How long CometBFT may take for an answer, which is as long as a query of CometBFT's own connection is held up by it.
const PATIENCE: Duration = Duration::from_secs(10);
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
        match self {
            Self::Here(node) => {
                let params = Params::from_json(params, &[]).map_err(|e| Failure::Refused(e.data))?;
                methods::answer(node, method, &params).map_err(|e| Failure::Refused(e.data))
            }
            Self::CometBft(url) => post(url, method, &params),
        }
    }
}

fn post(url: &str, method: &str, params: &Value) -> Result<Value, Failure> {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
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

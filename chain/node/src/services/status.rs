//! gRPC's status and the ABCI code that stands for it, both ways (the SDK's `baseapp/abci.go`, `gRPCErrorToSDKError`).
//!
//! ABCI has no status, so the SDK writes it into the log: `rpc error: code = NotFound desc = WHAT: key not found`. What is
//! not written so is an error of the SDK's own, which gRPC tells as `Unknown`.

use tendermint::{block::Height, v0_38::abci::response};
use tonic::Code;

/// Codes of the codespace `sdk` by which ABCI tells a status, with their words.
const UNAUTHORIZED: (u32, &str) = (4, "unauthorized");
const UNKNOWN_REQUEST: (u32, &str) = (6, "unknown request");
const INVALID_REQUEST: (u32, &str) = (18, "invalid request");
const KEY_NOT_FOUND: (u32, &str) = (crate::abci::query::NOT_FOUND, "key not found");

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Status {
    /// A status of a kind.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The question is not one.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// What is not this node's doing, or has no kind.
    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::new(Code::Unknown, message)
    }

    /// Reads the status out of a refusal; none if the answer is none.
    pub(crate) fn of(answer: &response::Query) -> Option<Self> {
        if answer.code.is_ok() {
            return None;
        }
        Some(Self::written(&answer.log).unwrap_or_else(|| Self::unknown(answer.log.clone())))
    }

    fn written(log: &str) -> Option<Self> {
        let (code, message) = named(log)?;
        let message = message.strip_suffix(root(code?).1)?.strip_suffix(": ")?;
        Some(Self::new(code?, message))
    }

    /// The refusal that ABCI tells.
    pub(crate) fn to_abci(&self, height: Height) -> response::Query {
        let (code, words) = root(self.code);
        response::Query {
            code: code.into(),
            codespace: "sdk".into(),
            log: format!("rpc error: code = {:?} desc = {}: {words}", self.code, self.message),
            height,
            ..Default::default()
        }
    }
}

/// The status that is written into a log and the words behind it: no status where its name is none of gRPC's.
pub(crate) fn named(log: &str) -> Option<(Option<Code>, &str)> {
    let (name, message) = log.strip_prefix("rpc error: code = ")?.split_once(" desc = ")?;
    Some(((1..=16).map(Code::from).find(|code| format!("{code:?}") == name), message))
}

/// The SDK's error for a status.
fn root(code: Code) -> (u32, &'static str) {
    match code {
        Code::NotFound => KEY_NOT_FOUND,
        Code::InvalidArgument | Code::FailedPrecondition => INVALID_REQUEST,
        Code::Unauthenticated => UNAUTHORIZED,
        _ => UNKNOWN_REQUEST,
    }
}

impl From<Status> for tonic::Status {
    fn from(status: Status) -> Self {
        Self::new(status.code, status.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_abci_tells_is_read_again() {
        for code in (1..=16).map(Code::from) {
            let status = Status::new(code, "tx not found: 00: key not found");
            let told = status.to_abci(7u32.into());
            assert_eq!((Status::of(&told), told.height.value()), (Some(status), 7));
        }
        let told = Status::new(Code::NotFound, "tx not found: 00").to_abci(7u32.into());
        assert_eq!(told.log, "rpc error: code = NotFound desc = tx not found: 00: key not found");
        assert_eq!(told.code, KEY_NOT_FOUND.0.into());
    }

    #[test]
    fn other_errors_are_unknown_and_keep_their_words() {
        let of = |code: u32, log: &str| {
            Status::of(&response::Query { code: code.into(), log: log.into(), ..Default::default() })
        };
        assert_eq!(of(0, ""), None);
        for log in ["fee-grant not found: not found", "rpc error: code = Nowhere desc = x: y", "rpc error: ", ""] {
            assert_eq!(of(1, log), Some(Status::unknown(log)), "{log}");
        }
    }
}

//! How a query fails: gRPC's status, as the SDK turns it into an ABCI code (`baseapp/grpcrouter.go`, `types/errors`).

use crate::{
    code::{Code, Fault},
    error::Stop,
};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Status {
    /// There is no such thing.
    NotFound(String),
    /// The question is not one.
    Invalid(String),
    /// Refused by a rule that has a number of its own.
    Registered(Fault),
    /// Anything else that a handler says.
    Unknown(String),
    /// An error that is not gRPC's: the fault stands for itself.
    Plain(Fault),
}

impl Status {
    /// The code and the log of an ABCI answer.
    pub(crate) fn to_abci(&self) -> (Code, String) {
        let (name, description, code) = match self {
            Self::Plain(fault) => return (fault.code, fault.text.clone()),
            Self::NotFound(text) => ("NotFound", text.clone(), Code::KeyNotFound),
            Self::Invalid(text) => ("InvalidArgument", text.clone(), Code::InvalidRequest),
            Self::Unknown(text) => ("Unknown", text.clone(), Code::UnknownRequest),
            Self::Registered(fault) => {
                let text = format!("codespace {} code {}: {}", fault.code.space(), fault.code.number(), fault.text);
                ("Unknown", text, Code::UnknownRequest)
            }
        };
        (code, format!("rpc error: code = {name} desc = {description}: {}", code.root()))
    }
}

/// A refusal keeps its number; what this machine cannot do is said, and is no reason to halt: nothing was changed.
impl From<Stop> for Status {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(fault) => Self::Registered(fault),
            Stop::Halt(error) => Self::Plain(Code::Internal.because(error)),
        }
    }
}

/// For contracts that ask: the refusal itself.
impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        match status {
            Status::Registered(fault) | Status::Plain(fault) => fault.into(),
            other => {
                let (code, text) = other.to_abci();
                code.because(text).into()
            }
        }
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        Self::Registered(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_are_the_sdks() {
        let (code, text) = Status::NotFound("account a not found".into()).to_abci();
        assert_eq!(code.number(), 22);
        assert_eq!(text, "rpc error: code = NotFound desc = account a not found: key not found");
        let (code, text) = Status::Registered(Code::NoSuchContract.because("address a")).to_abci();
        assert_eq!(code.number(), 6);
        assert_eq!(
            text,
            "rpc error: code = Unknown desc = codespace wasm code 22: address a: no such contract: unknown request"
        );
        assert_eq!(Status::Invalid("x".into()).to_abci().0.number(), 18);
    }
}

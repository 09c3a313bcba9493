//! What a call came to, in terms that both engines share.

use aceso_vm::{Trap, VmError};

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// What the contract returned: data, events and messages, or an error of its own, to the byte.
    Returned(String),
    /// It aborted with these words.
    Aborted(String),
    /// The gas ended.
    OutOfGas,
    /// A trap of wasm.
    Trap(&'static str),
    /// Regions, sections or lengths that do not hold.
    Communication,
    /// It wrote where it may only read.
    ReadOnly,
    /// An iterator that does not exist.
    NoIterator,
    /// An entry point that it does not have.
    NoEntry,
    /// Anything else, in the engine's own words.
    Other(String),
}

/// Ours.
pub(crate) fn ours(result: &Result<Vec<u8>, VmError>) -> End {
    match result {
        Ok(json) => End::Returned(String::from_utf8_lossy(json).into_owned()),
        Err(VmError::Aborted { message }) => End::Aborted(message.clone()),
        Err(VmError::OutOfGas { .. }) => End::OutOfGas,
        Err(VmError::Trap(trap)) => End::Trap(match trap {
            Trap::Unreachable => "unreachable",
            Trap::Memory => "memory",
            Trap::Table | Trap::NullFunction => "table",
            Trap::Signature => "signature",
            Trap::Overflow => "overflow",
            Trap::DivisionByZero => "division",
            Trap::Conversion => "conversion",
            Trap::Stack => "stack",
            _ => "another",
        }),
        Err(VmError::Region(_) | VmError::TooLong { .. } | VmError::Sections { .. } | VmError::Order(_)) => {
            End::Communication
        }
        Err(VmError::ReadOnly) => End::ReadOnly,
        Err(VmError::UnknownIterator(_)) => End::NoIterator,
        Err(VmError::MissingEntry { .. }) => End::NoEntry,
        Err(other) => End::Other(other.to_string()),
    }
}

/// How the peer's sentences begin, and what they mean. An import's error reaches its caller as a sentence alone.
const SENTENCES: [(&str, End); 17] = [
    ("unreachable", End::Trap("unreachable")),
    ("out of bounds memory access", End::Trap("memory")),
    ("misaligned memory access", End::Trap("memory")),
    ("undefined element: out of bounds table access", End::Trap("table")),
    ("uninitialized element", End::Trap("table")),
    ("indirect call type mismatch", End::Trap("signature")),
    ("integer overflow", End::Trap("overflow")),
    ("integer divide by zero", End::Trap("division")),
    ("invalid conversion to integer", End::Trap("conversion")),
    ("call stack exhausted", End::Trap("stack")),
    ("Error in guest/host communication", End::Communication),
    ("Generic error: Key too big", End::Communication),
    ("Generic error: Value too big", End::Communication),
    ("Must not call a writing storage function", End::ReadOnly),
    ("Error calling into the VM's backend: Iterator with ID", End::NoIterator),
    ("Ran out of gas", End::OutOfGas),
    ("Error resolving Wasm function", End::NoEntry),
];

/// The peer's.
pub(crate) fn theirs(result: &Result<Vec<u8>, cosmwasm_vm::VmError>) -> End {
    let error = match result {
        Ok(json) => return End::Returned(String::from_utf8_lossy(json).into_owned()),
        Err(error) => error.to_string(),
    };
    let sentence = error.strip_prefix("Error executing Wasm: Wasmer runtime error: RuntimeError: ").unwrap_or(&error);
    if let Some(message) = sentence.strip_prefix("Aborted: ") {
        return End::Aborted(message.into());
    }
    let known = SENTENCES.iter().find(|(begin, _)| sentence.starts_with(begin));
    known.map_or_else(|| End::Other(sentence.into()), |(_, end)| end.clone())
}

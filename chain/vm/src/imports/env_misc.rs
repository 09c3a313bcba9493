//! `env`: addresses, queries, messages.

use super::declare;
use crate::limits::{ABORT_MAX, ADDRESS_BYTES_MAX, ADDRESS_TEXT_MAX, DEBUG_MAX, QUERY_MAX};
use crate::memory::Host;
use crate::{VmError, price};

declare! { "env";
    "addr_validate" = addr_validate(human: u32) -> u32;
    "addr_canonicalize" = addr_canonicalize(human: u32, canonical: u32) -> u32;
    "addr_humanize" = addr_humanize(canonical: u32, human: u32) -> u32;
    "query_chain" = query_chain(request: u32) -> u32;
    "debug" = debug(message: u32) -> ();
    "abort" = abort(message: u32) -> ();
}

/// `addr_validate(human: region) -> region`
///
/// Returns null if the text is an address in its normal form, else a sentence, which the contract owns.
fn addr_validate(host: &mut Host<'_>, human: u32) -> Result<u32, VmError> {
    let human = match read_address(host, human)? {
        Ok(human) => human,
        Err(sentence) => return host.hand_over(sentence.as_bytes()),
    };
    host.charge(price::VALIDATE)?;

    match host.ask_gently(|backend| backend.validate(&human))? {
        Ok(()) => Ok(0),
        Err(sentence) => host.hand_over(sentence.as_bytes()),
    }
}

/// `addr_canonicalize(human: region, canonical: region) -> region`
///
/// Fills the prepared region and returns null, or returns a sentence, which the contract owns.
fn addr_canonicalize(host: &mut Host<'_>, human: u32, canonical: u32) -> Result<u32, VmError> {
    let human = match read_address(host, human)? {
        Ok(human) => human,
        Err(sentence) => return host.hand_over(sentence.as_bytes()),
    };
    host.charge(price::CANONICALIZE)?;

    match host.ask_gently(|backend| backend.canonicalize(&human))? {
        Ok(bytes) => host.write_region(canonical, &bytes).map(|()| 0),
        Err(sentence) => host.hand_over(sentence.as_bytes()),
    }
}

/// `addr_humanize(canonical: region, human: region) -> region`
///
/// Fills the prepared region and returns null, or returns a sentence, which the contract owns.
fn addr_humanize(host: &mut Host<'_>, canonical: u32, human: u32) -> Result<u32, VmError> {
    let canonical = host.read_region("address", canonical, ADDRESS_BYTES_MAX)?;
    host.charge(price::HUMANIZE)?;

    match host.ask_gently(|backend| backend.humanize(&canonical))? {
        Ok(text) => host.write_region(human, text.as_bytes()).map(|()| 0),
        Err(sentence) => host.hand_over(sentence.as_bytes()),
    }
}

/// `query_chain(request: region) -> region`
///
/// Returns the answer's JSON, which the contract owns. What the query uses is taken from the same gas.
fn query_chain(host: &mut Host<'_>, request: u32) -> Result<u32, VmError> {
    let request = host.read_region("query", request, QUERY_MAX)?;
    let gas = host.gas_left()?;

    let answer = host.ask(|backend| backend.query(&request, gas))?;
    host.charge(answer.gas_used)?;

    host.hand_over(&answer.json)
}

/// `debug(message: region)`
///
/// Shows a message to whoever runs the node, if the node listens. It costs the same when nobody does.
fn debug(host: &mut Host<'_>, message: u32) -> Result<(), VmError> {
    let message = host.read_region("debug message", message, DEBUG_MAX)?;
    host.frame().say(&message);
    Ok(())
}

/// `abort(message: region)`
///
/// Ends the call with a message. Does not return.
fn abort(host: &mut Host<'_>, message: u32) -> Result<(), VmError> {
    let message = host.read_region("abort message", message, ABORT_MAX)?;
    host.charge_for(price::TEXT, message.len())?;

    Err(VmError::Aborted { message: String::from_utf8_lossy(&message).into_owned() })
}

/// An address in text, or what is wrong with it as cosmwasm-vm says it.
fn read_address(host: &mut Host<'_>, pointer: u32) -> Result<Result<String, &'static str>, VmError> {
    let bytes = host.read_region("address", pointer, ADDRESS_TEXT_MAX)?;
    if bytes.is_empty() {
        return Ok(Err("Input is empty"));
    }
    host.charge_for(price::TEXT, bytes.len())?;
    Ok(String::from_utf8(bytes).map_err(|_| "Input is not valid UTF-8"))
}

//! Carries out what a contract answered: its events, then its submessages in order, each with its reply.
//!
//! Source: wasmd `x/wasm/keeper/msg_dispatcher.go` and `events.go`. A submessage runs in a frame of its own; a contract
//! that asked for a reply hears of its failure in the words of the contract that failed, else by codespace and number
//! only, while the log has every word.

use aceso_vm::Entry;
use cosmwasm_std::{
    Attribute, Binary, Event as ContractEvent, MsgResponse, Reply, ReplyOn, SubMsgResponse, SubMsgResult,
};
use serde::Deserialize;

use crate::{
    address::Address,
    code::{Code, Fault, Reach},
    components::wasm::{
        call::{call, json},
        code::CodeRow,
        outgoing::{self, Sent},
    },
    error::{Outcome, Stop},
    event::Event,
    gas,
    run::{Run, fault},
};

/// An event's type that is a contract's own is longer than this.
const TYPE_MIN: usize = 2;

/// What `instantiate`, `execute`, `migrate`, `sudo` and `reply` answer. Messages are read when their turn comes, so that
/// one of an unknown kind is refused by name.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    messages: Vec<Sub>,
    attributes: Vec<Attribute>,
    events: Vec<ContractEvent>,
    data: Option<Binary>,
}

#[derive(Debug, Deserialize)]
struct Sub {
    id: u64,
    #[serde(default)]
    payload: Binary,
    msg: serde_json::Value,
    gas_limit: Option<u64>,
    reply_on: ReplyOn,
}

/// Carries an answer out. Gives back the data of the last reply that had some, else the answer's own.
pub(super) fn carry_out(
    run: &mut Run<'_>,
    contract: &Address,
    code: &CodeRow,
    answer: Answer,
) -> Outcome<Option<Vec<u8>>> {
    tell(run, contract, &answer)?;
    let mut data = answer.data;
    for sub in answer.messages {
        data = dispatch(run, contract, code, sub)?.or(data);
    }
    Ok(data.map(Into::into))
}

/// Sends one submessage and calls `reply` where the contract wants it.
fn dispatch(run: &mut Run<'_>, contract: &Address, code: &CodeRow, sub: Sub) -> Outcome<Option<Binary>> {
    let Sub { id, payload, msg, gas_limit, reply_on } = sub;
    let mark = run.events.len();
    let used = run.meter.used();
    let outcome = send(run, contract, &msg, gas_limit);
    let gas_used = run.meter.used() - used;
    let result = match outcome {
        Ok(sent) => {
            let told = sort_events(run, mark, &msg);
            if matches!(reply_on, ReplyOn::Never | ReplyOn::Error) {
                return Ok(None);
            }
            SubMsgResult::Ok(succeeded(sent, told))
        }
        Err(stop) => {
            let fault = fault(stop)?;
            if fault.reach == Reach::Tx || matches!(reply_on, ReplyOn::Never | ReplyOn::Success) {
                return Err(fault.into());
            }
            SubMsgResult::Err(fault.told())
        }
    };
    reply(run, contract, code, &Reply { id, payload, gas_used, result }).map_err(|stop| stop.within("reply"))
}

/// Runs a message in a frame, on a meter of its own if the contract limits its gas.
fn send(run: &mut Run<'_>, contract: &Address, msg: &serde_json::Value, gas_limit: Option<u64>) -> Outcome<Sent> {
    let Some(limit) = gas_limit else { return run.frame(|run| outgoing::send(run, contract, msg)) };
    let (outcome, inner) = run.limited(limit, |run| run.frame(|run| outgoing::send(run, contract, msg)));
    match outcome {
        Err(Stop::Refused(Fault { code: Code::OutOfGas, reach: Reach::Tx, .. })) => {
            run.meter.spend(limit, "Sub-Message OutOfGas panic")?;
            Err(Code::OutOfGas.because("SubMsg hit gas limit").into())
        }
        outcome => {
            run.meter.spend(inner.used(), "From limited Sub-Message")?;
            outcome
        }
    }
}

/// Drops the `message` events of a submessage and sorts the attributes of those of contracts. Gives back what the
/// sender may hear: nothing of a native message.
fn sort_events(run: &mut Run<'_>, mark: usize, msg: &serde_json::Value) -> Vec<Event> {
    let mut told = run.events.split_off(mark);
    told.retain(|event| event.kind != "message");
    let is_wasm = msg.get("wasm").is_some();
    if is_wasm {
        for event in &mut told {
            event.attributes.sort_by(|a, b| a.0.cmp(&b.0));
        }
    }
    run.events.extend(told.iter().cloned());
    if is_wasm { told } else { Vec::new() }
}

#[allow(deprecated, reason = "contracts from before CosmWasm 2 read the data here")]
fn succeeded(sent: Sent, told: Vec<Event>) -> SubMsgResponse {
    let events = told.into_iter().map(|event| {
        let attributes = event.attributes.into_iter().map(|(key, value)| Attribute { key, value });
        ContractEvent::new(event.kind).add_attributes(attributes)
    });
    SubMsgResponse {
        events: events.collect(),
        data: sent.data.map(Into::into),
        msg_responses: vec![MsgResponse { type_url: sent.response.type_url, value: sent.response.value.into() }],
    }
}

fn reply(run: &mut Run<'_>, contract: &Address, code: &CodeRow, reply: &Reply) -> Outcome<Option<Binary>> {
    if let SubMsgResult::Ok(response) = &reply.result {
        let attributes: usize = response.events.iter().map(|event| event.attributes.len()).sum();
        charge_events(run, response.events.len(), attributes, 0)?;
    }
    run.emit(Event::new("reply").with("_contract_address", contract.as_str()));
    run.deeper(|run| {
        let answer = call::<Answer>(run, contract, code, Entry::Reply, &[&json(reply)?], true)?;
        let answer = answer.map_err(|e| Code::ExecuteFailed.spoken(e))?;
        let data = carry_out(run, contract, code, answer).map_err(|stop| stop.within("dispatch"))?;
        Ok(data.map(Into::into))
    })
}

/// Emits a contract's events: its attributes as `wasm`, its own events under `wasm-`, always with its address first.
fn tell(run: &mut Run<'_>, contract: &Address, answer: &Answer) -> Outcome<()> {
    let own = answer.events.iter().flat_map(|event| &event.attributes);
    let all = || answer.attributes.iter().chain(own.clone());
    let bytes = all().map(|one| one.key.len() + one.value.len()).sum::<usize>();
    charge_events(run, answer.events.len(), all().count(), bytes)?;
    if !answer.attributes.is_empty() {
        let event = signed_event("wasm".into(), contract, &answer.attributes)?;
        run.emit(event);
    }
    for event in &answer.events {
        let kind = event.ty.trim();
        if kind.len() <= TYPE_MIN {
            return Err(Code::InvalidEvent.because(format_args!("Event type too short: '{kind}'")).into());
        }
        let event = signed_event(format!("wasm-{kind}"), contract, &event.attributes)?;
        run.emit(event);
    }
    Ok(())
}

fn charge_events(run: &mut Run<'_>, events: usize, attributes: usize, bytes: usize) -> Result<(), Fault> {
    let bytes = (bytes as u64).saturating_sub(gas::ATTRIBUTE_BYTES_FREE);
    let price = (events as u64)
        .saturating_mul(gas::EVENT)
        .saturating_add((attributes as u64).saturating_mul(gas::ATTRIBUTE))
        .saturating_add(bytes);
    run.meter.spend(price, "Custom contract events")
}

/// A contract may neither leave a key empty nor claim one that is the chain's.
fn signed_event(kind: String, contract: &Address, attributes: &[Attribute]) -> Result<Event, Fault> {
    let mut event = Event::new(kind).with("_contract_address", contract.as_str());
    for Attribute { key, value } in attributes {
        let key = key.trim();
        if key.is_empty() {
            return Err(Code::InvalidEvent.because(format_args!("Empty attribute key. Value: {value}")));
        }
        if key.starts_with('_') {
            let words = format_args!("Attribute key starts with reserved prefix _: '{key}'");
            return Err(Code::InvalidEvent.because(words));
        }
        event = event.with(key, value.trim());
    }
    Ok(event)
}

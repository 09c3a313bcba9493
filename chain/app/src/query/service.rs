//! `cosmos.tx.v1beta1.Service/Simulate`, `/app/simulate` and `/app/version`.

use aceso_state::Delta;
use cosmos_sdk_proto::cosmos::{
    base::abci::v1beta1::{GasInfo, Result as TxResult, SimulationResponse},
    tx::v1beta1::{SimulateRequest, SimulateResponse},
};
use prost::Message;
use tendermint_proto::v0_38::abci as wire;

use crate::{
    block::{after, simulate},
    code::Code,
    event::{Event, to_abci},
    host::on_deep_stack,
    query::{Answered, Asked, decode, encode, status::Status, unknown},
    tx::{Done, decode::Tx},
};

pub(super) fn answer(asked: &Asked<'_>, method: &str, data: &[u8]) -> Answered {
    match method {
        "Simulate" => {
            let request: SimulateRequest = decode(data)?;
            #[allow(deprecated, reason = "old clients send the parsed transaction")]
            let bytes = match request.tx {
                Some(tx) if request.tx_bytes.is_empty() => tx.encode_to_vec(),
                _ => request.tx_bytes,
            };
            if bytes.is_empty() {
                return Err(Status::Invalid("empty txBytes is not allowed".into()));
            }
            let (info, result) = run(asked, &bytes)?;
            encode(&SimulateResponse { gas_info: Some(info), result: Some(result) })
        }
        "simulate" => {
            let (info, result) = run(asked, data)?;
            encode(&SimulationResponse { gas_info: Some(info), result: Some(result) })
        }
        "version" => Ok(env!("CARGO_PKG_VERSION").into()),
        other => Err(unknown(&format!("/cosmos.tx.v1beta1.Service/{other}"))),
    }
}

/// Runs a transaction on a state that is thrown away.
fn run(asked: &Asked<'_>, bytes: &[u8]) -> Result<(GasInfo, TxResult), Status> {
    let tx = Tx::decode(bytes).map_err(|fault| Status::Invalid(fault.text))?;
    let mut delta = Delta::new(asked.snapshot.clone());
    let block = after(asked.block.height.0, asked.block.nanos);
    let done = on_deep_stack(|| simulate(asked.host, &asked.chain, block, &mut delta, &tx))
        .map_err(|error| Status::Plain(Code::Internal.because(error)))??;
    let Done { fault, data, events, gas_used, .. } = done;
    if let Some(fault) = fault {
        let place = fault.backtrace.map_or_else(String::new, |backtrace| format!("; backtrace: {backtrace}"));
        return Err(Status::Unknown(format!("{} with gas used: '{gas_used}'{place}", fault.text)));
    }
    let info = GasInfo { gas_wanted: asked.chain.params.simulate_gas_max, gas_used };
    #[allow(deprecated, reason = "the field is left empty")]
    let result =
        TxResult { data: Vec::new(), log: String::new(), events: wire(events), msg_responses: responses(&data) };
    Ok((info, result))
}

fn responses(data: &[u8]) -> Vec<cosmos_sdk_proto::Any> {
    use cosmos_sdk_proto::cosmos::base::abci::v1beta1::TxMsgData;
    TxMsgData::decode(data).map(|data| data.msg_responses).unwrap_or_default()
}

fn wire(events: Vec<Event>) -> Vec<wire::Event> {
    to_abci(events).into_iter().map(Into::into).collect()
}

//! Entry points.

use aceso_contract::{Query, ReadError};
use aceso_interface::{Image, Model, consent::GuardExecuteMsg};
use cosmwasm_schema::cw_serde;
use cosmwasm_std::{
    DepsMut, Env, MessageInfo, Reply, Response, StdError, StdResult, SubMsg, entry_point, from_json, to_json_binary,
    wasm_execute,
};

/// Sent once; nothing is kept.
#[cw_serde]
pub struct InstantiateMsg {}

/// What it does.
#[cw_serde]
pub enum ExecuteMsg {
    /// Asks `guard` for a permit in the sender's name, reads, tells what it saw in its error, and fails. The contract
    /// must hold the model's price.
    Look {
        /// The image's guard.
        guard: String,
        /// The image.
        image: Image,
        /// The model.
        model: Model,
        /// Why.
        purpose: String,
    },
}

/// What it keeps in mind between permit and read.
#[cw_serde]
struct Look {
    image: Image,
    model: Model,
    purpose: String,
}

/// How it ends.
#[derive(Debug)]
pub enum FreeLook {
    /// JSON.
    Std(StdError),
    /// The chain did not read.
    Read(ReadError),
    /// It has seen what it wanted.
    Seen(String),
}

impl std::fmt::Display for FreeLook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Std(error) => error.fmt(f),
            Self::Read(error) => error.fmt(f),
            Self::Seen(findings) => write!(f, "saw {findings} and would rather not pay"),
        }
    }
}

impl From<StdError> for FreeLook {
    fn from(error: StdError) -> Self {
        Self::Std(error)
    }
}

/// Keeps nothing.
#[entry_point]
pub fn instantiate(_: DepsMut<'_, Query>, _: Env, _: MessageInfo, _: InstantiateMsg) -> StdResult<Response> {
    Ok(Response::new())
}

/// Asks the guard.
#[entry_point]
pub fn execute(_: DepsMut<'_, Query>, _: Env, info: MessageInfo, msg: ExecuteMsg) -> StdResult<Response> {
    let ExecuteMsg::Look { guard, image, model, purpose } = msg;
    let ask = GuardExecuteMsg::Use {
        image,
        model,
        purpose: purpose.clone(),
        actor: info.sender.into(),
        owner: None,
        opening: None,
    };
    let payload = to_json_binary(&Look { image, model, purpose })?;
    Ok(Response::new()
        .add_submessage(SubMsg::reply_on_success(wasm_execute(guard, &ask, vec![])?, 1).with_payload(payload)))
}

/// Reads and fails.
#[entry_point]
pub fn reply(_: DepsMut<'_, Query>, _: Env, reply: Reply) -> Result<Response, FreeLook> {
    let Look { image, model, purpose } = from_json(&reply.payload)?;
    let read = aceso_contract::read(&model, &image, &purpose).map_err(FreeLook::Read)?;
    let seen = read.findings.iter().map(|finding| format!("{}: {}", finding.id, finding.present));
    Err(FreeLook::Seen(seen.collect::<Vec<_>>().join(", ")))
}

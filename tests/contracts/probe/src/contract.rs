//! Entry points.

use aceso_contract::{Callback, Query};
use aceso_interface::consent::GuardExecuteMsg;
use aceso_types::msg::{MsgRequestRead, Named};
use cosmwasm_std::{
    AnyMsg, Binary, Deps, DepsMut, Env, MessageInfo, Reply, Response, StdError, StdResult, SubMsg, entry_point,
    from_json, to_json_binary, wasm_execute,
};

use crate::{
    msg::{After, ExecuteMsg, InstantiateMsg, QueryMsg},
    steps::take,
};

/// Keeps nothing.
#[entry_point]
pub fn instantiate(_: DepsMut<'_, Query>, _: Env, _: MessageInfo, _: InstantiateMsg) -> StdResult<Response> {
    Ok(Response::new())
}

/// Takes steps, now or after a guard's yes.
#[entry_point]
pub fn execute(deps: DepsMut<'_, Query>, _: Env, info: MessageInfo, msg: ExecuteMsg) -> StdResult<Response> {
    match msg {
        ExecuteMsg::Take { steps } => Ok(Response::new().set_data(to_json_binary(&take(steps))?)),
        ExecuteMsg::Use { guard, image, model, purpose, after } => {
            let ask =
                GuardExecuteMsg::Use { image, model, purpose, actor: info.sender.into(), owner: None, opening: None };
            let ask = SubMsg::reply_on_success(wasm_execute(guard, &ask, vec![])?, 1);
            Ok(Response::new().add_submessage(ask.with_payload(to_json_binary(&after)?)))
        }
        ExecuteMsg::Ask { request } => {
            let request = AnyMsg { type_url: MsgRequestRead::TYPE_URL.into(), value: request };
            Ok(Response::new().add_message(request))
        }
        ExecuteMsg::Fill { from, rows, bytes } => {
            (from..from.saturating_add(rows)).for_each(|row| deps.storage.set(&row.to_be_bytes(), &noise(row, bytes)));
            Ok(Response::new())
        }
    }
}

/// Bytes that look random and come again with their number (SplitMix64, Steele et al. 2014).
fn noise(number: u64, bytes: u32) -> Vec<u8> {
    let mix = |word: u32| {
        let mut z = (number << 32 | u64::from(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    };
    let mut noise: Vec<u8> = (0..bytes.div_ceil(8)).flat_map(mix).collect();
    noise.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
    noise
}

/// Takes the steps that come after a guard's yes.
#[entry_point]
pub fn reply(_: DepsMut<'_, Query>, _: Env, reply: Reply) -> StdResult<Response> {
    let After { steps, fail } = from_json(&reply.payload)?;
    let outcomes = take(steps);
    if fail {
        return Err(StdError::msg(format_args!("failed as told, after {outcomes:?}")));
    }
    Ok(Response::new().set_data(to_json_binary(&outcomes)?))
}

/// Notes in which block it hears of a job.
#[entry_point]
pub fn sudo(deps: DepsMut<'_, Query>, env: Env, msg: Callback) -> StdResult<Response> {
    let Callback::AcesoRead(done) = msg;
    deps.storage.set(&told(done.job), &env.block.height.to_be_bytes());
    Ok(Response::new())
}

/// Where the block of a job's end stands; rows of [`ExecuteMsg::Fill`] have shorter keys.
fn told(job: u64) -> Vec<u8> {
    [&b"told"[..], &job.to_be_bytes()].concat()
}

/// Answers, or takes steps where nothing may be changed.
#[entry_point]
pub fn query(deps: Deps<'_, Query>, _: Env, msg: QueryMsg) -> StdResult<Binary> {
    match msg {
        QueryMsg::Take { steps } => to_json_binary(&take(steps)),
        QueryMsg::Told { job } => {
            let height = deps.storage.get(&told(job)).and_then(|row| row.try_into().ok());
            to_json_binary(&height.map(u64::from_be_bytes))
        }
    }
}

//! A test contract over the published guest crate `wasi-nn`, built for wasm32-wasip1.
//!
//! It runs a model on a tensor that it was handed, or on an image by its CID, for which it declares the one import of
//! Aceso's that `wasi-nn` does not have. It touches what a wasip1 program may touch: standard output, the environment,
//! the process's exit.

#![deny(missing_docs)]

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{
    Binary, Deps, DepsMut, Env, MessageInfo, Response, StdError, StdResult, entry_point, to_json_binary,
};
use wasi_nn::{ExecutionTarget, GraphBuilder, GraphEncoding, GraphExecutionContext, TensorType};

/// Tells a chain that stores the contract that it needs wasi-nn.
#[unsafe(no_mangle)]
extern "C" fn requires_aceso() {}

/// Sent once.
#[cw_serde]
pub struct InstantiateMsg {}

/// What it does.
#[cw_serde]
pub enum ExecuteMsg {
    /// Runs a model on one tensor of unsigned bytes; answers the first output's bytes as data.
    Infer {
        /// The model's id.
        model: String,
        /// The tensor's shape.
        dims: Vec<u32>,
        /// Its elements.
        data: Binary,
        /// Room for the output in bytes.
        room: u32,
    },
    /// Runs a model on an image, which takes a permit if the image is guarded; answers the first output's bytes as data.
    Read {
        /// The model's id.
        model: String,
        /// The image's CID.
        image: String,
        /// Why: a code of HL7 v3 ActReason.
        purpose: String,
        /// Room for the output in bytes.
        room: u32,
    },
    /// Runs several models on one tensor of unsigned bytes, all loaded before the first is run, and makes the mistakes that a
    /// program can make; answers [`Beside`] as data.
    Beside {
        /// The models' ids.
        models: Vec<String>,
        /// The tensor's shape.
        dims: Vec<u32>,
        /// Its elements.
        data: Binary,
        /// Room for each output in bytes.
        room: u32,
    },
    /// Loads a model from bytes, which no chain offers.
    Load {
        /// The bytes.
        bytes: Binary,
    },
    /// Writes a line to standard output and answers how many variables the environment has.
    Say {
        /// The line.
        line: String,
    },
    /// Ends the process.
    Exit {},
}

/// What several models answered.
#[cw_serde]
pub struct Beside {
    /// The first output of each, in the order of their runs: the last loaded runs first.
    pub outputs: Vec<Binary>,
    /// What wasi-nn said to each mistake.
    pub mistakes: Vec<String>,
}

/// What can be asked.
#[cw_serde]
pub enum QueryMsg {
    /// [`ExecuteMsg::Infer`], where nothing may be changed.
    Infer {
        /// The model's id.
        model: String,
        /// The tensor's shape.
        dims: Vec<u32>,
        /// Its elements.
        data: Binary,
        /// Room for the output in bytes.
        room: u32,
    },
}

/// Keeps nothing.
#[entry_point]
pub fn instantiate(_: DepsMut<'_>, _: Env, _: MessageInfo, _: InstantiateMsg) -> StdResult<Response> {
    Ok(Response::new())
}

/// Does what a message says.
#[entry_point]
pub fn execute(_: DepsMut<'_>, _: Env, _: MessageInfo, msg: ExecuteMsg) -> StdResult<Response> {
    match msg {
        ExecuteMsg::Infer { model, dims, data, room } => {
            Ok(Response::new().set_data(infer(&model, &dims, &data, room)?))
        }
        ExecuteMsg::Read { model, image, purpose, room } => {
            Ok(Response::new().set_data(read(&model, &image, &purpose, room)?))
        }
        ExecuteMsg::Beside { models, dims, data, room } => {
            Ok(Response::new().set_data(to_json_binary(&beside(&models, &dims, &data, room)?)?))
        }
        ExecuteMsg::Load { bytes } => {
            GraphBuilder::new(GraphEncoding::Onnx, ExecutionTarget::CPU).build_from_bytes([&bytes]).map_err(said)?;
            Ok(Response::new())
        }
        ExecuteMsg::Say { line } => {
            println!("{line}");
            Ok(Response::new().set_data(to_json_binary(&std::env::vars().count())?))
        }
        ExecuteMsg::Exit {} => std::process::exit(7),
    }
}

/// Answers a question.
#[entry_point]
pub fn query(_: Deps<'_>, _: Env, msg: QueryMsg) -> StdResult<Binary> {
    let QueryMsg::Infer { model, dims, data, room } = msg;
    to_json_binary(&infer(&model, &dims, &data, room)?)
}

fn infer(model: &str, dims: &[u32], data: &[u8], room: u32) -> StdResult<Binary> {
    let dims = dims.iter().map(|&dim| dim as usize).collect::<Vec<_>>();
    let graph = GraphBuilder::new(GraphEncoding::Onnx, ExecutionTarget::CPU).build_from_cache(model).map_err(said)?;
    let mut context = graph.init_execution_context().map_err(said)?;
    context.set_input(0, TensorType::U8, &dims, data).map_err(said)?;
    finish(context, room)
}

fn beside(models: &[String], dims: &[u32], data: &[u8], room: u32) -> StdResult<Beside> {
    let dims = dims.iter().map(|&dim| dim as usize).collect::<Vec<_>>();
    let builder = || GraphBuilder::new(GraphEncoding::Onnx, ExecutionTarget::CPU);
    let graphs = models.iter().map(|model| builder().build_from_cache(model));
    let graphs = graphs.collect::<Result<Vec<_>, _>>().map_err(said)?;
    let contexts = graphs.iter().map(|graph| graph.init_execution_context());
    let mut contexts = contexts.collect::<Result<Vec<_>, _>>().map_err(said)?;
    let mut mistakes = Vec::new();
    let mut mistake = |result: Result<(), wasi_nn::Error>| {
        mistakes.push(result.map_or_else(|error| error.to_string(), |()| "no mistake".into()));
    };
    mistake(builder().build_from_cache("nobody").map(|_| ()));
    mistake(builder().build_from_cache(&"0".repeat(64)).map(|_| ()));
    let mut outputs = Vec::new();
    for context in contexts.iter_mut().rev() {
        let mut output = vec![0_u8; room as usize];
        mistake(context.compute());
        mistake(context.set_input(0, TensorType::F32, &dims, data));
        mistake(context.set_input(0, TensorType::I32, &dims, data));
        mistake(context.set_input(0, TensorType::U8, &dims[1..], data));
        mistake(context.set_input(1, TensorType::U8, &dims, data));
        context.set_input(0, TensorType::U8, &dims, data).map_err(said)?;
        mistake(context.get_output(0, &mut output).map(|_| ()));
        context.compute().map_err(said)?;
        mistake(context.get_output(0, &mut output[..0]).map(|_| ()));
        mistake(context.get_output(1, &mut output).map(|_| ()));
        let written = context.get_output(0, &mut output).map_err(said)?;
        output.truncate(written);
        outputs.push(output.into());
    }
    Ok(Beside { outputs, mistakes })
}

// The blob instead of a tensor: all else is wasi-nn.
#[link(wasm_import_module = "aceso")]
unsafe extern "C" {
    fn set_input_blob(
        context: u32,
        index: u32,
        cid: *const u8,
        cid_len: usize,
        purpose: *const u8,
        purpose_len: usize,
    ) -> i32;
}

fn read(model: &str, image: &str, purpose: &str, room: u32) -> StdResult<Binary> {
    let graph = GraphBuilder::new(GraphEncoding::Onnx, ExecutionTarget::CPU).build_from_cache(model).map_err(said)?;
    let context = graph.init_execution_context().map_err(said)?;
    // SAFETY: both texts outlive the call. The first context of a call has number 0, which the guest crate keeps to
    // itself.
    let errno = unsafe { set_input_blob(0, 0, image.as_ptr(), image.len(), purpose.as_ptr(), purpose.len()) };
    if errno != 0 {
        return Err(StdError::msg(format_args!("set_input_blob answers {errno}")));
    }
    finish(context, room)
}

fn finish(mut context: GraphExecutionContext<'_>, room: u32) -> StdResult<Binary> {
    context.compute().map_err(said)?;
    let mut output = vec![0_u8; room as usize];
    let written = context.get_output(0, &mut output).map_err(said)?;
    output.truncate(written);
    Ok(output.into())
}

fn said(error: wasi_nn::Error) -> StdError {
    StdError::msg(error)
}

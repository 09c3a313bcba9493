//! Steps and what they come to.

use aceso_contract::{Context, Errno, Graph, ReadError};
use aceso_types::{Digest, ElementType, Tensor};
use cosmwasm_std::{Binary, to_json_binary};

use crate::{
    msg::{Hash, Outcome, Step},
    raw,
};

/// Takes each step, whatever came of the ones before.
pub(crate) fn take(steps: Vec<Step>) -> Vec<Outcome> {
    steps.into_iter().map(step).collect()
}

fn step(step: Step) -> Outcome {
    match step {
        Step::Read { model, image, purpose } => match aceso_contract::read(&model, &image, &purpose) {
            Ok(read) => json(&read),
            Err(error) => Outcome::Error(error.to_string()),
        },
        Step::Load { bytes } => errno(raw::load(&bytes)),
        Step::LoadByName { model } => number(Graph::load_by_name(&model).map(|graph| graph.handle())),
        Step::Context { graph } => number(Graph::from_handle(graph).context().map(|context| context.handle())),
        Step::SetInput { context, index, ty, dims, data } => {
            let Some(ty) = ElementType::from_tag(ty) else { return Outcome::Error(format!("type {ty}")) };
            match Tensor::new(ty, dims, data.into()) {
                Ok(tensor) => nothing(Context::from_handle(context).set_input(index, &tensor)),
                Err(error) => Outcome::Error(error.to_string()),
            }
        }
        Step::SetInputBlob { context, index, image, purpose } => {
            nothing(Context::from_handle(context).set_input_blob(index, &image, &purpose))
        }
        Step::Compute { context } => nothing(Context::from_handle(context).compute()),
        Step::GetOutput { context, index, max } => {
            let mut buffer = vec![0; usize::try_from(max).unwrap_or_default()];
            match Context::from_handle(context).get_output_into(index, &mut buffer) {
                Ok(written) => {
                    buffer.truncate(written);
                    Outcome::Bytes(buffer.into())
                }
                Err(error) => Outcome::Errno(error.number()),
            }
        }
        Step::ReadInfo { context } => match Context::from_handle(context).read_info() {
            Ok(read) => json(&read),
            Err(ReadError::Outcome { errno }) => Outcome::Errno(errno.number()),
            Err(error) => Outcome::Error(error.to_string()),
        },
        Step::BlobSize { blob } => match aceso_contract::blob_size(&blob) {
            Ok(size) => Outcome::Number(size),
            Err(error) => Outcome::Errno(error.number()),
        },
        Step::Permit { request } => errno(raw::permit(&request)),
        Step::Hash { function, data } => bytes(match function {
            Hash::Keccak256 => aceso_contract::keccak256(&data),
            Hash::Sha256 => aceso_contract::sha256(&data),
            Hash::Sha3 => aceso_contract::sha3_256(&data),
            Hash::Blake3 => aceso_contract::blake3(&data),
        }),
        Step::G1Msm { points, scalars } => bytes(aceso_contract::g1_msm(points.as_chunks().0, scalars.as_chunks().0)),
        Step::G2Msm { points, scalars } => bytes(aceso_contract::g2_msm(points.as_chunks().0, scalars.as_chunks().0)),
        Step::VerifyReceipt { compact, root, trusted } => {
            let trusted = Digest(trusted.as_slice().try_into().unwrap_or_default());
            match aceso_contract::verify_receipt(&compact, &root, &trusted) {
                Ok(verified) => Outcome::Number(verified.backing.signed),
                Err(error) => Outcome::Error(error.to_string()),
            }
        }
        Step::Wild { call } => errno(raw::wild(&call)),
    }
}

fn number(result: Result<u32, Errno>) -> Outcome {
    result.map_or_else(|errno| Outcome::Errno(errno.number()), |number| Outcome::Number(number.into()))
}

fn bytes<const N: usize>(result: Result<[u8; N], Errno>) -> Outcome {
    result.map_or_else(|errno| Outcome::Errno(errno.number()), |bytes| Outcome::Bytes(bytes.into()))
}

fn nothing(result: Result<(), Errno>) -> Outcome {
    number(result.map(|()| 0))
}

fn errno(number: i32) -> Outcome {
    if number == 0 { Outcome::Number(0) } else { Outcome::Errno(number) }
}

fn json<T: cosmwasm_schema::serde::Serialize>(value: &T) -> Outcome {
    Outcome::Bytes(to_json_binary(value).unwrap_or_else(|_| Binary::default()))
}

//! Constants: initialisers and the values of Constant nodes, checked and brought into one form.

use super::pb::TensorProto;
use crate::error::ConstantFault;

/// Most elements of one constant: a weight tensor that fills the largest file.
const ELEMENTS_MAX: usize = 128 << 20;

/// ONNX's numbers of element types (`TensorProto.DataType`).
pub(crate) mod data_type {
    pub(crate) const FLOAT: i32 = 1;
    pub(crate) const UINT8: i32 = 2;
    pub(crate) const INT8: i32 = 3;
    pub(crate) const INT32: i32 = 6;
    pub(crate) const INT64: i32 = 7;
}

/// A constant tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    pub(crate) dims: Vec<usize>,
    pub(crate) data: Data,
}

/// The elements of a constant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    F32(Vec<f32>),
    /// 8 bits, as bytes.
    Byte {
        signed: bool,
        bytes: Vec<u8>,
    },
    I32(Vec<i32>),
    I64(Vec<i64>),
}

impl Constant {
    pub(crate) fn read(tensor: TensorProto) -> Result<Self, ConstantFault> {
        if !tensor.external_data.is_empty() || tensor.data_location != 0 || tensor.segment.is_some() {
            return Err(ConstantFault::External);
        }
        let dims = dims(&tensor.dims)?;
        let count = dims.iter().product::<usize>();
        let data = match tensor.data_type {
            data_type::FLOAT => Data::F32(numbers(tensor.raw_data, tensor.float_data, count, f32::from_le_bytes)?),
            data_type::INT32 => Data::I32(numbers(tensor.raw_data, tensor.int32_data, count, i32::from_le_bytes)?),
            data_type::INT64 => Data::I64(numbers(tensor.raw_data, tensor.int64_data, count, i64::from_le_bytes)?),
            data_type::UINT8 => Data::Byte {
                signed: false,
                bytes: bytes(tensor.raw_data, &tensor.int32_data, count, |value| u8::try_from(value).ok())?,
            },
            data_type::INT8 => Data::Byte {
                signed: true,
                bytes: bytes(tensor.raw_data, &tensor.int32_data, count, |value| {
                    i8::try_from(value).ok().map(i8::cast_unsigned)
                })?,
            },
            other => return Err(ConstantFault::Type(other)),
        };
        Ok(Self { dims, data })
    }
}

/// Dimensions whose product can be counted and is at most [`ELEMENTS_MAX`].
fn dims(given: &[i64]) -> Result<Vec<usize>, ConstantFault> {
    let fault = || ConstantFault::Dims(given.iter().copied().take(16).collect());
    if given.len() > aceso_types::tensor::RANK_MAX {
        return Err(fault());
    }
    let dims: Vec<usize> =
        given.iter().map(|&dim| usize::try_from(dim).map_err(|_| fault())).collect::<Result<_, _>>()?;
    // A dimension of 0 does not hide the others: whatever part of a shape is multiplied later can be counted.
    dims.iter()
        .try_fold(1usize, |count, &dim| count.checked_mul(dim.max(1)).filter(|&count| count <= ELEMENTS_MAX))
        .ok_or_else(fault)?;
    Ok(dims)
}

fn numbers<T, const WIDTH: usize>(
    raw: Option<Vec<u8>>,
    typed: Vec<T>,
    count: usize,
    read: fn([u8; WIDTH]) -> T,
) -> Result<Vec<T>, ConstantFault> {
    let values = match raw {
        Some(raw) => {
            check_length(count * WIDTH, raw.len())?;
            raw.as_chunks::<WIDTH>().0.iter().copied().map(read).collect()
        }
        None => typed,
    };
    check_length(count * WIDTH, values.len() * WIDTH)?;
    Ok(values)
}

fn bytes(
    raw: Option<Vec<u8>>,
    typed: &[i32],
    count: usize,
    fit: fn(i32) -> Option<u8>,
) -> Result<Vec<u8>, ConstantFault> {
    let bytes = match raw {
        Some(raw) => raw,
        None => typed.iter().map(|&value| fit(value)).collect::<Option<_>>().ok_or(ConstantFault::Range)?,
    };
    check_length(count, bytes.len())?;
    Ok(bytes)
}

fn check_length(want: usize, got: usize) -> Result<(), ConstantFault> {
    if want == got { Ok(()) } else { Err(ConstantFault::Length { want: want as u64, got: got as u64 }) }
}

//! Tensors of integers, row-major, as they cross the border between contracts and models.
//!
//! Element types and their numbers are wasi-nn's (`witx/wasi-nn.witx`), of which the integer ones are carried, with
//! one documented extension for 8-bit signed data.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Serialize};

/// Most dimensions a tensor may have.
pub const RANK_MAX: usize = 8;
/// Most bytes a tensor may have: four 1024×1024 images of 16-bit grey.
pub const BYTES_MAX: usize = 8 << 20;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// Unsigned, 8 bits.
    U8,
    /// Signed, 8 bits: our extension, tag 6.
    I8,
    /// Signed, 32 bits, little-endian.
    I32,
    /// Signed, 64 bits, little-endian.
    I64,
}

impl ElementType {
    /// The element's width in bytes.
    pub fn width(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I32 => 4,
            Self::I64 => 8,
        }
    }

    /// The number wasi-nn gives this type.
    pub fn tag(self) -> u8 {
        match self {
            Self::U8 => 3,
            Self::I32 => 4,
            Self::I64 => 5,
            Self::I8 => 6,
        }
    }

    /// The type with this wasi-nn number; none for the floats (0 to 2) and for unknown numbers.
    pub fn from_tag(tag: u8) -> Option<Self> {
        [Self::U8, Self::I8, Self::I32, Self::I64].into_iter().find(|ty| ty.tag() == tag)
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::I32 => "i32",
            Self::I64 => "i64",
        })
    }
}

/// Why bytes and dimensions do not make a tensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// More dimensions than [`RANK_MAX`].
    #[error("a tensor has at most 8 dimensions, not {0}")]
    Rank(usize),
    /// More bytes than [`BYTES_MAX`], or more than can be counted.
    #[error("a tensor of shape {dims:?} is larger than 8388608 bytes")]
    TooLarge {
        /// Its dimensions.
        dims: Vec<u32>,
    },
    /// The bytes do not fill the shape.
    #[error("shape {dims:?} of {ty} takes {want} bytes, not {got}")]
    Length {
        /// The dimensions.
        dims: Vec<u32>,
        /// The element type.
        ty: ElementType,
        /// Bytes that the shape takes.
        want: usize,
        /// Bytes that were given.
        got: usize,
    },
}

/// A dense tensor: `data` holds the elements of `dims` in row-major order, little-endian.
///
/// In dag-cbor a map of the three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Tensor {
    ty: ElementType,
    dims: Vec<u32>,
    #[serde(with = "crate::cbor_bytes")]
    data: Vec<u8>,
}

/// A tensor as somebody has written it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    ty: ElementType,
    dims: Vec<u32>,
    #[serde(with = "crate::cbor_bytes")]
    data: Vec<u8>,
}

impl TryFrom<Unchecked> for Tensor {
    type Error = TensorError;

    fn try_from(Unchecked { ty, dims, data }: Unchecked) -> Result<Self, TensorError> {
        Self::new(ty, dims, data)
    }
}

impl Tensor {
    /// Checks that rank, size and length agree.
    pub fn new(ty: ElementType, dims: Vec<u32>, data: Vec<u8>) -> Result<Self, TensorError> {
        let want = Self::bytes(ty, &dims)?;
        if data.len() != want {
            return Err(TensorError::Length { dims, ty, want, got: data.len() });
        }
        Ok(Self { ty, dims, data })
    }

    /// A tensor of zeros.
    pub fn zeros(ty: ElementType, dims: Vec<u32>) -> Result<Self, TensorError> {
        let data = alloc::vec![0; Self::bytes(ty, &dims)?];
        Ok(Self { ty, dims, data })
    }

    /// Bytes that a tensor of this type and shape takes, if it may exist.
    pub fn bytes(ty: ElementType, dims: &[u32]) -> Result<usize, TensorError> {
        if dims.len() > RANK_MAX {
            return Err(TensorError::Rank(dims.len()));
        }
        dims.iter()
            .try_fold(ty.width(), |bytes, &dim| bytes.checked_mul(usize::try_from(dim).ok()?))
            .filter(|&bytes| bytes <= BYTES_MAX)
            .ok_or_else(|| TensorError::TooLarge { dims: dims.into() })
    }

    /// The type of the elements.
    pub fn ty(&self) -> ElementType {
        self.ty
    }

    /// The dimensions, outermost first.
    pub fn dims(&self) -> &[u32] {
        &self.dims
    }

    /// The elements' bytes, row-major, little-endian.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// A file of it in the format NPY 1.0: type and shape in text, then the elements as they are. NumPy and whatever reads
    /// its files open it, and nothing is converted.
    pub fn to_npy(&self) -> Vec<u8> {
        let descr = match self.ty {
            ElementType::U8 => "|u1",
            ElementType::I8 => "|i1",
            ElementType::I32 => "<i4",
            ElementType::I64 => "<i8",
        };
        let dims: String = self.dims.iter().map(|dim| format!("{dim}, ")).collect();
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
        // Magic, version and length take ten bytes; spaces and a newline fill up to a multiple of 64.
        let filled = (10 + header.len() + 1).next_multiple_of(64) - 10;
        let length = u16::try_from(filled).unwrap_or(u16::MAX).to_le_bytes();
        let padded = format!("{header:width$}\n", width = filled - 1);
        [b"\x93NUMPY\x01\x00", &length[..], padded.as_bytes(), &self.data].concat()
    }

    /// The elements' bytes, taken out.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_and_bytes_must_agree() {
        assert!(Tensor::new(ElementType::I32, vec![1, 2], vec![0; 8]).is_ok());
        assert!(matches!(
            Tensor::new(ElementType::I32, vec![1, 2], vec![0; 7]),
            Err(TensorError::Length { want: 8, got: 7, .. })
        ));
        assert_eq!(Tensor::new(ElementType::U8, vec![1; 9], vec![0]), Err(TensorError::Rank(9)));
        for dims in [vec![u32::MAX; 8], vec![(8 << 20) + 1]] {
            assert!(matches!(Tensor::zeros(ElementType::U8, dims), Err(TensorError::TooLarge { .. })));
        }
    }

    #[test]
    fn only_a_tensor_decodes_as_one() {
        let tensor = Tensor::new(ElementType::I32, vec![1, 2], vec![7; 8]).unwrap();
        let bytes = serde_ipld_dagcbor::to_vec(&tensor).unwrap();
        assert_eq!(serde_ipld_dagcbor::from_slice::<Tensor>(&bytes).unwrap(), tensor);
        let wrong = Tensor { dims: vec![1, 3], ..tensor };
        let bytes = serde_ipld_dagcbor::to_vec(&wrong).unwrap();
        assert!(serde_ipld_dagcbor::from_slice::<Tensor>(&bytes).is_err());
    }

    #[test]
    fn a_file_says_its_type_and_its_shape() {
        let file = Tensor::new(ElementType::I32, vec![1, 2], vec![7; 8]).unwrap().to_npy();
        let (head, data) = file.split_at(128);
        assert_eq!((&head[..10], head[127], data), (&b"\x93NUMPY\x01\x00\x76\x00"[..], b'\n', &[7; 8][..]));
        let text = core::str::from_utf8(&head[10..]).unwrap().trim_end();
        assert_eq!(text, "{'descr': '<i4', 'fortran_order': False, 'shape': (1, 2, ), }");
        let scalar = Tensor::zeros(ElementType::U8, vec![]).unwrap().to_npy();
        assert!(scalar.len() % 64 == 1 && scalar.windows(11).any(|text| text == b"'shape': ()"));
    }

    #[test]
    fn tags_are_wasi_nns() {
        for ty in [ElementType::U8, ElementType::I8, ElementType::I32, ElementType::I64] {
            assert_eq!(ElementType::from_tag(ty.tag()), Some(ty));
        }
        assert_eq!([0, 1, 2, 7, 255].map(ElementType::from_tag), [None; 5]);
    }
}

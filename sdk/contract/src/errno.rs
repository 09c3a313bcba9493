//! The answers that the imports give besides success.

/// Why an import did not do what it was asked. Source: `$nn_errno` of wasi-nn's `witx/wasi-nn.witx`; the imports of
/// module `aceso` answer with the same numbers.
///
/// Everything here can be handled. What must not be handled, such as a read without a permit, ends the contract's call
/// instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Errno {
    /// An argument does not fit: an unknown handle, another shape, type or position than the model takes.
    #[error("invalid argument")]
    InvalidArgument,
    /// The bytes are not in an encoding that is known.
    #[error("invalid encoding")]
    InvalidEncoding,
    /// A pointer leaves the contract's memory.
    #[error("missing memory")]
    MissingMemory,
    /// An input that came from an image stays as it is until the model has run.
    #[error("busy")]
    Busy,
    /// A call came before the one it needs, such as an output before the computation.
    #[error("runtime error")]
    RuntimeError,
    /// Not offered by this host.
    #[error("unsupported operation")]
    UnsupportedOperation,
    /// More bytes than the limit, or than the buffer holds.
    #[error("too large")]
    TooLarge,
    /// No model or blob of that name.
    #[error("not found")]
    NotFound,
    /// A number that wasi-nn does not define.
    #[error("unknown error number {0}")]
    Unknown(i32),
}

impl Errno {
    /// What an import's result says.
    ///
    /// # Errors
    /// Every number but 0.
    pub(crate) fn check(number: i32) -> Result<(), Self> {
        Err(match number {
            0 => return Ok(()),
            1 => Self::InvalidArgument,
            2 => Self::InvalidEncoding,
            3 => Self::MissingMemory,
            4 => Self::Busy,
            5 => Self::RuntimeError,
            6 => Self::UnsupportedOperation,
            7 => Self::TooLarge,
            8 => Self::NotFound,
            other => Self::Unknown(other),
        })
    }

    /// The number that the import answered with.
    pub fn number(self) -> i32 {
        match self {
            Self::InvalidArgument => 1,
            Self::InvalidEncoding => 2,
            Self::MissingMemory => 3,
            Self::Busy => 4,
            Self::RuntimeError => 5,
            Self::UnsupportedOperation => 6,
            Self::TooLarge => 7,
            Self::NotFound => 8,
            Self::Unknown(number) => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        assert_eq!(Errno::check(0), Ok(()));
        for number in [1, 2, 3, 4, 5, 6, 7, 8, 9, -1, i32::MAX] {
            assert_eq!(Errno::check(number).map_err(Errno::number), Err(number));
        }
    }
}

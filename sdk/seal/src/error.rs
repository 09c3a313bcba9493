//! What can be wrong with a sealed file, or with what is to be sealed.

/// Why something is not sealed, or does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The bytes do not begin as a sealed file does.
    #[error("no sealed file: {0}")]
    Header(&'static str),
    /// Another version of the format.
    #[error("sealed by version {0} of the format, and this opens version 1")]
    Version(u8),
    /// A header or what stands inside is longer than it may be.
    #[error("{what} has {got} bytes, and at most {most} fit")]
    Long {
        /// Which.
        what: &'static str,
        /// How long it is.
        got: usize,
        /// How long it may be.
        most: usize,
    },
    /// The key is another one than the header commits to.
    #[error("the key is not the one that this file was sealed under")]
    Key,
    /// A leaf was changed, moved, or cut off.
    #[error("leaf {0} is not what was sealed")]
    Leaf(u32),
    /// Another leaf came before all of the last was read.
    #[error("leaf {0} was not read to its end")]
    Unread(u32),
    /// A place beyond the end.
    #[error("there is no leaf {wanted}: the file has {leaves}")]
    Range {
        /// Which was wanted.
        wanted: u32,
        /// How many there are.
        leaves: u32,
    },
    /// More than the format can count.
    #[error("a file has at most {most} leaves")]
    Large {
        /// Most leaves.
        most: u32,
    },
    /// What was sealed is not what the format says: whoever sealed it erred.
    #[error("what was sealed is malformed: {0}")]
    Inner(&'static str),
    /// The record is longer than the caller wants to hold.
    #[error("the record has {got} bytes, and {most} were asked for")]
    Record {
        /// Its length.
        got: u64,
        /// What the caller allows.
        most: u64,
    },
}

impl SealError {
    /// One word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Version(_) => "version",
            Self::Long { .. } => "long",
            Self::Key => "key",
            Self::Leaf(_) => "leaf",
            Self::Unread(_) => "unread",
            Self::Range { .. } => "range",
            Self::Large { .. } => "large",
            Self::Inner(_) => "inner",
            Self::Record { .. } => "record",
        }
    }
}

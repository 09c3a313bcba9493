//! Which picture of a file is read, where a file has several.

use core::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Serialize};

/// A frame of an image file, counted from 1. Files of one picture, and tables, have the first only.
///
/// Naming the first is the same as naming none, and has one spelling: in dag-cbor and in what is served as JSON the field
/// is left out, in protobuf it is 0. So whatever is of the first frame has the bytes, digests and signatures that it had
/// before a frame could be named. A 1 that stands in strict dag-cbor is not canonical; in protobuf, and in the messages of
/// contracts, it is read as what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Frame(NonZeroU32);

impl Frame {
    /// What is read where nobody names a frame.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The frame of this number; none has 0.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// Its number, from 1.
    pub fn number(self) -> u32 {
        self.0.get()
    }

    /// Whether it need not be named.
    pub fn is_first(&self) -> bool {
        *self == Self::FIRST
    }

    /// From a field of protobuf, where 0 names none.
    pub fn of_wire(field: u32) -> Self {
        Self::new(field).unwrap_or(Self::FIRST)
    }

    /// As a field of protobuf: 0 for the first.
    pub fn to_wire(self) -> u32 {
        if self.is_first() { 0 } else { self.number() }
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text names no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame is a number from 1 to 4294967295")]
pub struct FrameError;

impl FromStr for Frame {
    type Err = FrameError;

    fn from_str(text: &str) -> Result<Self, FrameError> {
        text.parse().map(Self).map_err(|_| FrameError)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_first_has_one_spelling_on_the_wire() {
        for (number, field) in [(1, 0), (2, 2), (u32::MAX, u32::MAX)] {
            let frame = Frame::new(number).unwrap();
            assert_eq!((frame.to_wire(), Frame::of_wire(field), Frame::of_wire(number)), (field, frame, frame));
            assert_eq!((frame.number(), frame.to_string().parse()), (number, Ok(frame)));
            assert_eq!(serde_json::to_string(&frame).unwrap(), number.to_string());
        }
        assert_eq!((Frame::default(), Frame::of_wire(0)), (Frame::FIRST, Frame::FIRST));
        assert!(Frame::FIRST.is_first() && !Frame::of_wire(2).is_first());
    }

    #[test]
    fn there_is_no_frame_0() {
        assert_eq!(Frame::new(0), None);
        for text in ["0", "", "-1", "1.0", "4294967296", "first"] {
            assert_eq!(text.parse::<Frame>(), Err(FrameError), "{text}");
            assert!(serde_json::from_str::<Frame>(text).is_err(), "{text}");
        }
        assert!(serde_ipld_dagcbor::from_slice::<Frame>(&[0]).is_err());
        assert_eq!(serde_ipld_dagcbor::from_slice::<Frame>(&[2]).unwrap(), Frame::of_wire(2));
    }
}

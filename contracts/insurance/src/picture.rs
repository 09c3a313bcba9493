//! What is paid for once, by its name: a frame of a file. What counts in the end are its pixels.

use std::fmt;

use aceso_interface::{Frame, Image};

/// A frame of a file, open or sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The file.
    pub image: Image,
    /// The frame.
    pub frame: Frame,
}

impl Picture {
    /// As keys of the state have it: the binary CID, and for another frame than the first its number in four bytes behind. No
    /// binary CID of this chain is four bytes longer than another.
    pub(crate) fn key(&self) -> Vec<u8> {
        let mut key = self.image.to_bytes();
        if !self.frame.is_first() {
            key.extend(self.frame.number().to_be_bytes());
        }
        key
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, frame } = self;
        if frame.is_first() { write!(f, "{image}") } else { write!(f, "{image}, frame {}", frame.number()) }
    }
}

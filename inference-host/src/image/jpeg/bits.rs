//! Bits of entropy-coded data (T.81 section F.2.2.5): `FF 00` is a byte `FF`, any other `FF` begins a marker and ends them.

use super::{fault, huffman::Table};
use crate::image::ImageError;

/// A place in entropy-coded data.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits from the left.
    next: u64,
    have: u32,
    /// How many of them, at the end, are not in the data.
    missing: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, next: 0, have: 0, missing: 0 }
    }

    #[inline]
    fn fill(&mut self) {
        while self.have <= 48 {
            let byte = match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(0xff), Some(0)) => {
                    self.at += 2;
                    0xff
                }
                (Some(&byte), _) if byte != 0xff => {
                    self.at += 1;
                    byte
                }
                _ => {
                    self.missing += 8;
                    0
                }
            };
            self.next |= u64::from(byte) << (56 - self.have);
            self.have += 8;
        }
    }

    /// Takes at most 32 bits that were filled in.
    #[inline]
    fn take(&mut self, count: u32) -> Result<(), ImageError> {
        self.next <<= count;
        self.have -= count;
        if self.have < self.missing {
            return Err(fault(self.at, "the coded data ends early"));
        }
        Ok(())
    }

    /// The symbol of the next code.
    #[inline]
    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8, ImageError> {
        self.fill();
        let found = table.find(u32::try_from(self.next >> 48).unwrap_or_default());
        let (length, symbol) = found.ok_or_else(|| fault(self.at, "a code is not in its table"))?;
        self.take(length)?;
        Ok(symbol)
    }

    /// The number of `count` bits, at most 15, in the order of T.81's EXTEND: the lower half is negative.
    #[inline]
    pub(super) fn extended(&mut self, count: u8) -> Result<i32, ImageError> {
        let count = u32::from(count.min(15));
        if count == 0 {
            return Ok(0);
        }
        self.fill();
        let raw = i32::try_from(self.next >> (64 - count)).unwrap_or_default();
        self.take(count)?;
        Ok(if raw < 1 << (count - 1) { raw - (1 << count) + 1 } else { raw })
    }

    /// Goes over a restart marker, the `number`-th of the scan from 0.
    pub(super) fn restart(&mut self, number: u32) -> Result<(), ImageError> {
        let at = self.end()?;
        let want = 0xd0 | u8::try_from(number % 8).unwrap_or_default();
        if self.bytes.get(at..at + 2) != Some(&[0xff, want]) {
            return Err(fault(at, "the next restart marker belongs here"));
        }
        *self = Self::new(self.bytes, at + 2);
        Ok(())
    }

    /// An error at this place.
    pub(super) fn fault(&self, reason: &'static str) -> ImageError {
        fault(self.at, reason)
    }

    /// Where the data ends: less than a byte of it is left.
    pub(super) fn end(&mut self) -> Result<usize, ImageError> {
        self.fill();
        if self.missing == 0 || self.have - self.missing >= 8 {
            return Err(fault(self.at, "there is more coded data than the picture takes"));
        }
        Ok(self.at)
    }
}

//! Stored values and the digest that is an image's identity.

use aceso_types::{Digest, PixelDigest};

use super::Image;

const DOMAIN: &str = "aceso/pixels/v1";
/// A 16-bit sample that repeats its byte is this many times the 8-bit sample.
const REPEATED: i32 = 257;

/// Samples in rows from the top, pixels from the left, red before green before blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// Up to 8 bits, unsigned.
    U8(Vec<u8>),
    /// Up to 16 bits, unsigned.
    U16(Vec<u16>),
    /// Up to 16 bits, signed.
    I16(Vec<i16>),
}

impl Values {
    /// The sample at `index`; zero past the end.
    pub(super) fn at(&self, index: usize) -> i32 {
        match self {
            Self::U8(all) => all.get(index).copied().map_or(0, i32::from),
            Self::U16(all) => all.get(index).copied().map_or(0, i32::from),
            Self::I16(all) => all.get(index).copied().map_or(0, i32::from),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::U8(all) => all.len(),
            Self::U16(all) => all.len(),
            Self::I16(all) => all.len(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = i32> {
        (0..self.len()).map(|index| self.at(index))
    }

    /// The lowest and the highest value that `bits` can store.
    pub(super) fn range(&self, bits: u8) -> (i32, i32) {
        let bits = u32::from(bits.clamp(1, 16));
        match self {
            Self::I16(_) => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
            Self::U8(_) | Self::U16(_) => (0, (1 << bits) - 1),
        }
    }

    /// Turns dark into bright within the range of `bits`: what MONOCHROME1 means.
    pub(super) fn inverted(self, bits: u8) -> Self {
        let (low, high) = self.range(bits);
        let flip = |value: i32| low + high - value;
        match self {
            Self::U8(all) => Self::U8(all.into_iter().map(|v| narrow(flip(v.into()))).collect()),
            Self::U16(all) => Self::U16(all.into_iter().map(|v| narrow(flip(v.into()))).collect()),
            Self::I16(all) => Self::I16(all.into_iter().map(|v| narrow(flip(v.into()))).collect()),
        }
    }
}

/// SHA3-256, domain `aceso/pixels/v1`, of two parts: `width ‖ height ‖ samples ‖ kind` and the values.
///
/// Before that, what wrapping can change without changing a pixel is taken away: three equal samples everywhere
/// become one; values that are all multiples of 257 (8 bits blown up to 16) are divided by it; and each value is
/// written in the fewest bytes that hold all of them, whatever the number of bits the file announces.
pub(super) fn digest(image: &Image) -> PixelDigest {
    let values = &image.values;
    let three = image.samples == 3;
    let grey = three
        && (0..values.len() / 3).all(|p| {
            let first = values.at(3 * p);
            values.at(3 * p + 1) == first && values.at(3 * p + 2) == first
        });
    let (samples, step) = if grey { (1, 3) } else { (image.samples, 1) };
    let blown_up = values.iter().all(|value| value >= 0 && value % REPEATED == 0);
    let divisor = if blown_up { REPEATED } else { 1 };
    let all = || values.iter().step_by(step).map(move |value| value / divisor);
    let (low, high) = all().fold((0, 0), |(low, high), value| (value.min(low), value.max(high)));
    let (kind, bytes): (u8, Vec<u8>) = if low < 0 {
        (2, all().flat_map(|value| narrow::<i16>(value).to_be_bytes()).collect())
    } else if high > 255 {
        (1, all().flat_map(|value| narrow::<u16>(value).to_be_bytes()).collect())
    } else {
        (0, all().map(narrow::<u8>).collect())
    };
    let head = [&image.width.to_be_bytes()[..], &image.height.to_be_bytes(), &[samples, kind]].concat();
    PixelDigest(Digest::sha3(DOMAIN, &[&head, &bytes]))
}

/// The value in a narrower type, which its range fits; the type's zero if it did not.
pub(super) fn narrow<T: TryFrom<i32> + Default>(value: i32) -> T {
    T::try_from(value).unwrap_or_default()
}

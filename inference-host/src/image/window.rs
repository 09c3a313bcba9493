//! Windows: how stored values become 8 bits. One table per image, computed exactly, looked up per pixel.

use aceso_types::manifest::Window;

use super::{Image, ImageError, pixels::narrow};

/// Fixed-point unit of window centres and widths, which DICOM writes as decimals.
pub(super) const MICRO: i64 = 1_000_000;

/// What the file says about its window (DICOM "values of interest"), in millionths of rescaled units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voi {
    /// Nothing.
    Absent,
    /// Centre and width by PS3.3 C.11.2.1.2.1; width at least 1.
    Linear { center: i64, width: i64 },
    /// Centre and width by PS3.3 C.11.2.1.3.2; width above 0.
    Exact { center: i64, width: i64 },
    /// Something that is not computed here, by name.
    Unsupported(&'static str),
}

impl Voi {
    /// The window that does to inverted values what this one does to the others, inverted. `mirror` is the sum of a
    /// rescaled value and its inverse.
    pub(super) fn inverted(self, mirror: i64) -> Self {
        let mirrored = |center: i64| mirror * MICRO - center;
        match self {
            // The linear function is symmetric about its centre less one half.
            Self::Linear { center, width } => Self::Linear { center: mirrored(center) + MICRO, width },
            Self::Exact { center, width } => Self::Exact { center: mirrored(center), width },
            other => other,
        }
    }
}

/// Stored values to 8 bits: entry `i` is for the value `low + i`.
pub(super) struct Table {
    low: i32,
    bytes: Vec<u8>,
}

impl Table {
    /// The table of a pipeline's window for an image.
    pub(super) fn of(image: &Image, window: Window) -> Result<Self, ImageError> {
        let linear = |center: i64, width: i64| Ramp { start: 2 * center - width, span: 2 * (width - MICRO) };
        let (low, high) = image.values.range(image.bits);
        let rescaled = |value: i32| i64::from(value) * image.slope + image.intercept;
        let full = Ramp { start: 2 * rescaled(low) * MICRO, span: 2 * (rescaled(high) - rescaled(low)) * MICRO };
        let ramp = match (window, image.voi) {
            (Window::Full, _) | (Window::Image, Voi::Absent) => full,
            (Window::Image, Voi::Linear { center, width }) => linear(center, width),
            (Window::Image, Voi::Exact { center, width }) => Ramp { start: 2 * center - width, span: 2 * width },
            (Window::Image, Voi::Unsupported(name)) => return Err(ImageError::Window(name)),
            (Window::Fixed { center, width }, _) => linear(i64::from(center) * MICRO, i64::from(width) * MICRO),
        };
        Ok(Self { low, bytes: (low..=high).map(|value| ramp.at(rescaled(value))).collect() })
    }

    /// The 8 bits of a stored value.
    pub(super) fn at(&self, value: i32) -> u8 {
        usize::try_from(value - self.low).ok().and_then(|place| self.bytes.get(place)).copied().unwrap_or(0)
    }
}

/// A line from 0 at `start` to 255 at `start + span`, both in half-millionths.
struct Ramp {
    start: i64,
    span: i64,
}

impl Ramp {
    /// `round_half_up(255 · (2·10⁶·value − start) / span)` within 0…255; a step just above `start` where the span is 0.
    fn at(&self, value: i64) -> u8 {
        let above = i128::from(2 * value) * i128::from(MICRO) - i128::from(self.start);
        let span = i128::from(self.span);
        if above <= 0 {
            0
        } else if above >= span {
            u8::MAX
        } else {
            let rounded = (2 * 255 * above + span) / (2 * span);
            i32::try_from(rounded).map_or(u8::MAX, narrow)
        }
    }
}

//! Palettes (PS3.3 section C.7.6.3.1.5): a stored value names an entry of three tables.

use super::{
    super::{ImageError, pixels::Values},
    Attributes, Tag,
};

const DESCRIPTORS: [Tag; 3] = [Tag(0x0028, 0x1101), Tag(0x0028, 0x1102), Tag(0x0028, 0x1103)];
const DATA: [Tag; 3] = [Tag(0x0028, 0x1201), Tag(0x0028, 0x1202), Tag(0x0028, 0x1203)];
const SEGMENTED: Tag = Tag(0x0028, 0x1221);

/// Red, green and blue.
pub(super) struct Palette {
    /// The value that takes the first entry.
    first: u16,
    /// 8 or 16.
    pub(super) bits: u8,
    tables: [Vec<u16>; 3],
}

impl Palette {
    pub(super) fn of(attributes: &Attributes<'_>) -> Result<Self, ImageError> {
        if attributes.has(SEGMENTED) {
            return Err(attributes.wrong(SEGMENTED, "segmented palettes are not read"));
        }
        let [red, green, blue] = DESCRIPTORS;
        let want = attributes.value(red, &[b"US", b"SS"])?.ok_or(ImageError::MissingTag(red))?;
        for tag in [green, blue] {
            if attributes.value(tag, &[b"US", b"SS"])?.ok_or(ImageError::MissingTag(tag))? != want {
                return Err(attributes.wrong(tag, "it must be the same for red, green and blue"));
            }
        }
        let three = "it must be three 16-bit numbers: entries, the first value, and 8 or 16 bits";
        let &[e0, e1, f0, f1, b0, b1] = want else { return Err(attributes.wrong(red, three)) };
        let entries = match u16::from_le_bytes([e0, e1]) {
            0 => 1 << 16,
            some => usize::from(some),
        };
        let bits = match u16::from_le_bytes([b0, b1]) {
            8 => 8,
            16 => 16,
            _ => return Err(attributes.wrong(red, three)),
        };
        let table = |tag: Tag| {
            let data = attributes.value(tag, &[b"OW", b"US"])?.ok_or(ImageError::MissingTag(tag))?;
            let (words, rest) = data.as_chunks::<2>();
            if words.len() == entries && rest.is_empty() {
                let words = words.iter().map(|&word| u16::from_le_bytes(word));
                return Ok(if bits == 8 { words.map(|word| word & 0xff).collect() } else { words.collect() });
            }
            if bits == 8 && (data.len() == entries || data.len() == entries + entries % 2) {
                return Ok(data.iter().take(entries).map(|&byte| byte.into()).collect());
            }
            Err(attributes.wrong(tag, "it must have as many entries as the descriptor says"))
        };
        let [red, green, blue] = DATA;
        Ok(Self { first: u16::from_le_bytes([f0, f1]), bits, tables: [table(red)?, table(green)?, table(blue)?] })
    }

    /// The colours of stored values, pixel by pixel.
    pub(super) fn colours(&self, stored: &Values) -> Values {
        let first = i32::from(self.first);
        let colours = stored.iter().flat_map(|value| {
            let place = usize::try_from(value - first).unwrap_or(0);
            self.tables.iter().map(move |table| table.get(place).or(table.last()).copied().unwrap_or(0))
        });
        if self.bits == 8 {
            Values::U8(colours.map(|colour| u8::try_from(colour).unwrap_or(u8::MAX)).collect())
        } else {
            Values::U16(colours.collect())
        }
    }
}

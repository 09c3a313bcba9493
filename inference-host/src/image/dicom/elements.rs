//! The elements of a DICOM file (PS3.10 section 7, PS3.5 section 7), as slices of it.
//!
//! One pass, no recursion and nothing allocated by what a file claims: a length is believed only as far as there are
//! bytes, nesting stops at [`DEPTH_MAX`], and every step moves forward. Only the wanted elements of the outermost data
//! set are kept; sequences are walked over. The pass ends at the pixel data; what lies in it where it is encapsulated is
//! for [`super::fragments`].

use std::{collections::BTreeMap, fmt};

use super::super::ImageError;

/// Most sequences that may lie in one another. Structured reports, the deepest objects in practice, need about 10.
const DEPTH_MAX: usize = 64;
const UNDEFINED: u32 = u32::MAX;
pub(super) const ITEM: Tag = Tag(0xfffe, 0xe000);
const ITEM_END: Tag = Tag(0xfffe, 0xe00d);
pub(super) const SEQUENCE_END: Tag = Tag(0xfffe, 0xe0dd);
const PREAMBLE: usize = 128;

/// A DICOM attribute's group and element number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub u16, pub u16);

/// The attributes that are looked at, with their names in PS3.6.
const NAMES: &[(Tag, &str)] = &[
    (Tag(0x0002, 0x0010), "Transfer Syntax UID"),
    (Tag(0x0008, 0x0060), "Modality"),
    (Tag(0x0018, 0x0015), "Body Part Examined"),
    (Tag(0x0028, 0x0002), "Samples per Pixel"),
    (Tag(0x0028, 0x0004), "Photometric Interpretation"),
    (Tag(0x0028, 0x0006), "Planar Configuration"),
    (Tag(0x0028, 0x0008), "Number of Frames"),
    (Tag(0x0028, 0x0010), "Rows"),
    (Tag(0x0028, 0x0011), "Columns"),
    (Tag(0x0028, 0x0100), "Bits Allocated"),
    (Tag(0x0028, 0x0101), "Bits Stored"),
    (Tag(0x0028, 0x0102), "High Bit"),
    (Tag(0x0028, 0x0103), "Pixel Representation"),
    (Tag(0x0028, 0x0301), "Burned In Annotation"),
    (Tag(0x0028, 0x1050), "Window Center"),
    (Tag(0x0028, 0x1051), "Window Width"),
    (Tag(0x0028, 0x1052), "Rescale Intercept"),
    (Tag(0x0028, 0x1053), "Rescale Slope"),
    (Tag(0x0028, 0x1056), "VOI LUT Function"),
    (Tag(0x0028, 0x1101), "Red Palette Color Lookup Table Descriptor"),
    (Tag(0x0028, 0x1102), "Green Palette Color Lookup Table Descriptor"),
    (Tag(0x0028, 0x1103), "Blue Palette Color Lookup Table Descriptor"),
    (Tag(0x0028, 0x1201), "Red Palette Color Lookup Table Data"),
    (Tag(0x0028, 0x1202), "Green Palette Color Lookup Table Data"),
    (Tag(0x0028, 0x1203), "Blue Palette Color Lookup Table Data"),
    (Tag(0x0028, 0x1221), "Segmented Red Palette Color Lookup Table Data"),
    (Tag(0x0028, 0x3000), "Modality LUT Sequence"),
    (Tag(0x0028, 0x3010), "VOI LUT Sequence"),
    (PIXEL_DATA, "Pixel Data"),
];

/// Where the pass ends.
pub(super) const PIXEL_DATA: Tag = Tag(0x7fe0, 0x0010);

impl Tag {
    fn is_wanted(self) -> bool {
        NAMES.iter().any(|(tag, _)| *tag == self)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(tag, _)| tag == self).map_or("attribute", |(_, name)| name);
        write!(f, "{name} ({:04X},{:04X})", self.0, self.1)
    }
}

/// How the elements are written; little-endian in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vr {
    Explicit,
    Implicit,
}

/// The wanted elements: value representation (`None` where it is implicit) and value.
pub(super) type Elements<'a> = BTreeMap<Tag, (Option<[u8; 2]>, &'a [u8])>;

/// Does the file begin as PS3.10 files do?
pub(in super::super) fn is_dicom(bytes: &[u8]) -> bool {
    bytes.get(PREAMBLE..PREAMBLE + 4) == Some(b"DICM")
}

/// The file meta information, and the reader set behind it.
pub(super) fn meta(bytes: &[u8]) -> Result<(Elements<'_>, Reader<'_>), ImageError> {
    let mut reader = Reader { bytes, at: PREAMBLE + 4 };
    let elements = reader.elements(Vr::Explicit, false, |tag| tag.0 != 0x0002)?;
    Ok((elements, reader))
}

/// A place in the file.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// An element's head.
pub(super) struct Header {
    pub(super) tag: Tag,
    vr: Option<[u8; 2]>,
    pub(super) length: u32,
}

impl<'a> Reader<'a> {
    /// The bytes behind `at`.
    pub(super) fn at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Where it stands.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// The outermost data set, up to and including the pixel data. Of encapsulated pixel data the value is all that is
    /// left of the file.
    pub(super) fn data_set(mut self, vr: Vr, encapsulated: bool) -> Result<Elements<'a>, ImageError> {
        self.elements(vr, encapsulated, |tag| tag > PIXEL_DATA)
    }

    /// Elements in rising order until `end` says so, or the file is over.
    fn elements(&mut self, vr: Vr, encapsulated: bool, end: impl Fn(Tag) -> bool) -> Result<Elements<'a>, ImageError> {
        let mut kept = Elements::new();
        let mut last = None;
        while self.at < self.bytes.len() {
            let start = self.at;
            if self.peek_tag().is_some_and(&end) {
                break;
            }
            let header = self.header(vr)?;
            if last >= Some(header.tag) {
                return Err(malformed(start, "elements are not in rising order"));
            }
            last = Some(header.tag);
            if header.tag == PIXEL_DATA && encapsulated != (header.length == UNDEFINED) {
                let native = "native pixel data has no length";
                return Err(malformed(
                    start,
                    if encapsulated { "encapsulated pixel data has a length" } else { native },
                ));
            }
            if header.tag == PIXEL_DATA && encapsulated {
                kept.insert(header.tag, (header.vr, self.bytes.get(self.at..).unwrap_or_default()));
                break;
            }
            if header.length == UNDEFINED {
                self.skip_undefined(nested(vr, header.vr))?;
                if header.tag.is_wanted() {
                    kept.insert(header.tag, (header.vr, &[0]));
                }
                continue;
            }
            let value = self.take(header.length)?;
            if header.tag.is_wanted() {
                kept.insert(header.tag, (header.vr, value));
            }
            if header.tag == PIXEL_DATA {
                break;
            }
        }
        Ok(kept)
    }

    /// Walks to the end of a sequence without a length, whose start has been read.
    fn skip_undefined(&mut self, vr: Vr) -> Result<(), ImageError> {
        // Open sequences (`true`) and items (`false`), with how their elements are written.
        let mut open = vec![(true, vr)];
        while let Some(&(is_sequence, vr)) = open.last() {
            let start = self.at;
            if open.len() > 2 * DEPTH_MAX {
                return Err(malformed(start, "sequences lie too deep in one another"));
            }
            if is_sequence {
                let header = self.delimiter()?;
                match (header.tag, header.length) {
                    (ITEM, UNDEFINED) => open.push((false, vr)),
                    (ITEM, length) => drop(self.take(length)?),
                    (SEQUENCE_END, 0) => drop(open.pop()),
                    _ => return Err(malformed(start, "an item or the end of a sequence belongs here")),
                }
            } else if self.peek_tag() == Some(ITEM_END) {
                self.delimiter()?;
                open.pop();
            } else {
                let header = self.header(vr)?;
                match header.length {
                    UNDEFINED => open.push((true, nested(vr, header.vr))),
                    length => drop(self.take(length)?),
                }
            }
        }
        Ok(())
    }

    fn header(&mut self, vr: Vr) -> Result<Header, ImageError> {
        let start = self.at;
        let tag = self.tag()?;
        if tag.0 == 0xfffe {
            return Err(malformed(start, "an item or a delimiter stands outside of a sequence"));
        }
        if vr == Vr::Implicit {
            return Ok(Header { tag, vr: None, length: self.u32()? });
        }
        let code = self.array::<2>()?;
        let length = match &code {
            b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT" | b"UV" => {
                self.array::<2>()?;
                self.u32()?
            }
            b"AE" | b"AS" | b"AT" | b"CS" | b"DA" | b"DS" | b"DT" | b"FD" | b"FL" | b"IS" | b"LO" | b"LT" | b"PN"
            | b"SH" | b"SL" | b"SS" | b"ST" | b"TM" | b"UI" | b"UL" | b"US" => {
                u32::from(u16::from_le_bytes(self.array()?))
            }
            _ => return Err(malformed(start, "the value representation is not one of PS3.5")),
        };
        Ok(Header { tag, vr: Some(code), length })
    }

    /// Tag and length of an item, or of an end.
    pub(super) fn delimiter(&mut self) -> Result<Header, ImageError> {
        Ok(Header { tag: self.tag()?, vr: None, length: self.u32()? })
    }

    fn peek_tag(&self) -> Option<Tag> {
        Reader { bytes: self.bytes, at: self.at }.tag().ok()
    }

    fn tag(&mut self) -> Result<Tag, ImageError> {
        let [a, b, c, d] = self.array()?;
        Ok(Tag(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])))
    }

    fn u32(&mut self) -> Result<u32, ImageError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ImageError> {
        let found = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let array = *found.ok_or_else(|| malformed(self.bytes.len(), "the file ends inside an element's head"))?;
        self.at += N;
        Ok(array)
    }

    pub(super) fn take(&mut self, length: u32) -> Result<&'a [u8], ImageError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let value = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        let value = value.ok_or_else(|| malformed(self.at, "a value is longer than the file"))?;
        self.at += value.len();
        Ok(value)
    }
}

/// An unknown sequence (VR UN without a length) is written implicitly inside (PS3.5 section 6.2.2).
fn nested(vr: Vr, code: Option<[u8; 2]>) -> Vr {
    if code == Some(*b"UN") { Vr::Implicit } else { vr }
}

pub(super) fn malformed(offset: usize, reason: &'static str) -> ImageError {
    ImageError::Malformed { offset, reason }
}

//! Segments between markers: tables, the frame's header, where scans begin (T.81 annex B).

use super::{Said, Shape, fault, huffman::Table};
use crate::image::{ImageError, Limits, samples_within};

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;
const APP0: u8 = 0xe0;
const APP14: u8 = 0xee;

/// Place in a block of the n-th coefficient in zigzag order.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// A frame's process, by its marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Process {
    Baseline,
    Lossless,
    Other(u8),
}

impl Process {
    /// Its name in T.81.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline DCT",
            Self::Lossless => "lossless",
            Self::Other(0xc1) => "extended sequential DCT",
            Self::Other(0xc2) => "progressive DCT",
            Self::Other(0xc5..=0xc7) => "differential",
            Self::Other(0xf7) => "JPEG-LS",
            Self::Other(_) => "arithmetic coding",
        }
    }
}

/// A component of the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Sampling factors across and down, as often as the chrominance's: 1 or 2.
    pub(super) across: u32,
    pub(super) down: u32,
    pub(super) quantisation: usize,
}

/// The frame's header.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) process: Process,
    pub(super) bits: u8,
    pub(super) width: u32,
    pub(super) height: u32,
    /// One or three.
    pub(super) components: Vec<Component>,
}

impl Frame {
    /// The shape, if it may exist and is the one that is wanted.
    pub(super) fn shape(&self, want: Option<Shape>, limits: Limits) -> Result<Shape, ImageError> {
        let samples = u8::try_from(self.components.len()).unwrap_or(u8::MAX);
        let shape = Shape { width: self.width, height: self.height, samples };
        if let Some(want) = want {
            for (field, want, got) in [
                ("columns", want.width, shape.width),
                ("rows", want.height, shape.height),
                ("samples", want.samples.into(), shape.samples.into()),
            ] {
                if want != got {
                    return Err(ImageError::Compressed { field, want, got });
                }
            }
        }
        samples_within(shape.width, shape.height, samples, limits)?;
        Ok(shape)
    }
}

/// A component in a scan, with the numbers of its tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coded {
    pub(super) component: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// A scan's header.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub(super) coded: Vec<Coded>,
    /// Ss, Se, Ah and Al: what they mean depends on the process.
    pub(super) selection: [u8; 3],
    /// Where its header stands, for errors.
    pub(super) at: usize,
}

/// A place between segments, and what the segments before it have said.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// In zigzag order.
    pub(super) quantisation: [Option<[u8; 64]>; 4],
    pub(super) dc: [Option<Table>; 4],
    pub(super) ac: [Option<Table>; 4],
    /// Units between restart markers; 0 for none.
    pub(super) restart: u32,
    jfif: bool,
    /// The transform that Adobe's segment names.
    adobe: Option<u8>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, ImageError> {
        if bytes.get(..2) != Some(&[0xff, SOI]) {
            return Err(fault(0, "it does not begin with SOI"));
        }
        let tables = || [const { None }; 4];
        Ok(Self {
            bytes,
            at: 2,
            quantisation: [None; 4],
            dc: tables(),
            ac: tables(),
            restart: 0,
            jfif: false,
            adobe: None,
        })
    }

    /// The frame's header, with all that stands before it.
    pub(super) fn frame(&mut self) -> Result<Frame, ImageError> {
        loop {
            let start = self.at;
            let process = match self.marker()? {
                0xc0 => Process::Baseline,
                0xc3 => Process::Lossless,
                other @ (0xc1 | 0xc2 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xf7) => {
                    return Err(ImageError::JpegProcess(Process::Other(other).name()));
                }
                SOS | EOI => return Err(fault(start, "a frame's header belongs here")),
                other => {
                    self.table(other)?;
                    continue;
                }
            };
            let body = self.segment()?;
            return frame(process, body).map_err(|reason| fault(start, reason));
        }
    }

    /// The next scan's header; none at the end of the picture.
    pub(super) fn scan(&mut self, frame: &Frame) -> Result<Option<Scan>, ImageError> {
        loop {
            let start = self.at;
            match self.marker()? {
                EOI => return Ok(None),
                SOS => {
                    let body = self.segment()?;
                    return scan(frame, body, start).map(Some).map_err(|reason| fault(start, reason));
                }
                other => self.table(other)?,
            }
        }
    }

    /// What three components are.
    pub(super) fn said(&self, frame: &Frame) -> Said {
        let ids: Vec<u8> = frame.components.iter().map(|one| one.id).collect();
        match (self.adobe, self.jfif) {
            (Some(0), _) => Said::Rgb,
            (Some(_), _) | (None, true) => Said::Chrominance,
            (None, false) if ids == *b"RGB" => Said::Rgb,
            (None, false) => Said::Nothing,
        }
    }

    /// A marker's second byte; the first may be repeated before it.
    fn marker(&mut self) -> Result<u8, ImageError> {
        let start = self.at;
        if self.bytes.get(start) != Some(&0xff) {
            return Err(fault(start, self.missing("a marker belongs here")));
        }
        while self.bytes.get(self.at) == Some(&0xff) {
            self.at += 1;
        }
        let code = *self.bytes.get(self.at).ok_or_else(|| fault(self.at, "the picture ends early"))?;
        self.at += 1;
        if code == 0 { Err(fault(start, "a marker belongs here")) } else { Ok(code) }
    }

    fn missing(&self, reason: &'static str) -> &'static str {
        if self.at >= self.bytes.len() { "the picture ends early" } else { reason }
    }

    /// A segment behind its length.
    fn segment(&mut self) -> Result<&'a [u8], ImageError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.first_chunk().map(|&two| usize::from(u16::from_be_bytes(two)));
        let body = length.and_then(|length| rest.get(2..length));
        let body = body.ok_or_else(|| fault(self.at, "a segment is longer than the picture, or shorter than 2"))?;
        self.at += 2 + body.len();
        Ok(body)
    }

    /// Keeps a table, or walks over a segment that is not looked at.
    fn table(&mut self, code: u8) -> Result<(), ImageError> {
        let start = self.at;
        match code {
            DQT | DHT | DRI | APP0 | APP14 => {}
            // Application data, comments, and JPG0 to JPG13 are not looked at.
            0xe1..=0xed | 0xef..=0xf6 | 0xf8..=0xfe => return self.segment().map(drop),
            0xc0..=0xcf => return Err(fault(start, "a second frame, or a process that is not read, begins here")),
            _ => return Err(fault(start, "the marker does not belong here")),
        }
        let body = self.segment()?;
        let kept = match code {
            DQT => self.quantise(body),
            DHT => self.codes(body),
            DRI => match body {
                [high, low] => {
                    self.restart = u32::from(u16::from_be_bytes([*high, *low]));
                    Ok(())
                }
                _ => Err("a restart interval has two bytes"),
            },
            APP0 => {
                self.jfif |= body.starts_with(b"JFIF\0");
                Ok(())
            }
            _ => {
                if body.starts_with(b"Adobe") {
                    self.adobe = body.get(11).copied();
                }
                Ok(())
            }
        };
        kept.map_err(|reason| fault(start, reason))
    }

    fn quantise(&mut self, mut body: &[u8]) -> Result<(), &'static str> {
        while let Some((&head, rest)) = body.split_first() {
            let slot = self
                .quantisation
                .get_mut(usize::from(head))
                .ok_or("a quantisation table has 8 bits and a number below 4")?;
            let (table, rest) = rest.split_first_chunk::<64>().ok_or("a quantisation table has 64 entries")?;
            if table.contains(&0) {
                return Err("a quantisation table has an entry of 0");
            }
            *slot = Some(*table);
            body = rest;
        }
        Ok(())
    }

    fn codes(&mut self, mut body: &[u8]) -> Result<(), &'static str> {
        while let Some((&head, rest)) = body.split_first() {
            let tables = match head >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err("a code table is of class 0 or 1"),
            };
            let slot = tables.get_mut(usize::from(head & 15)).ok_or("a code table has a number below 4")?;
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or("a code table has 16 counts")?;
            let symbols = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols).ok_or("a code table has a symbol for each code")?;
            *slot = Some(Table::new(counts, symbols).ok_or("a code table has more codes than there can be")?);
            body = rest;
        }
        Ok(())
    }
}

fn frame(process: Process, body: &[u8]) -> Result<Frame, &'static str> {
    let (&[bits, y1, y0, x1, x0, count], rest) = body.split_first_chunk().ok_or("the frame's header is too short")?;
    let (height, width) = (u16::from_be_bytes([y1, y0]).into(), u16::from_be_bytes([x1, x0]).into());
    if height == 0 {
        return Err("the number of rows stands behind the first scan, which is not read");
    }
    match process {
        Process::Lossless if !(2..=16).contains(&bits) => return Err("a lossless picture has 2 to 16 bits"),
        Process::Baseline if bits != 8 => return Err("a baseline picture has 8 bits"),
        _ => {}
    }
    if !matches!(count, 1 | 3) {
        return Err("one or three components are read");
    }
    if rest.len() != 3 * usize::from(count) {
        return Err("the frame's header has another length than its components take");
    }
    let mut components: Vec<Component> = rest
        .chunks_exact(3)
        .filter_map(|three| match *three {
            [id, factors, quantisation] => Some(Component {
                id,
                across: u32::from(factors >> 4),
                down: u32::from(factors & 15),
                quantisation: quantisation.into(),
            }),
            _ => None,
        })
        .collect();
    let one = |at: &Component| (at.across, at.down) == (1, 1);
    let read = match (process, &mut components[..]) {
        // A lone component is coded block by block, whatever its factors.
        (_, [only]) if (1..=4).contains(&only.across) && (1..=4).contains(&only.down) => {
            (only.across, only.down) = (1, 1);
            true
        }
        (Process::Baseline, [first, second, third]) => {
            one(second) && one(third) && (1..=2).contains(&first.across) && (1..=2).contains(&first.down)
        }
        (_, all) => all.iter().all(one),
    };
    if !read {
        return Err("the sampling factors are not read: the first component's may be 1 or 2, the others' are 1");
    }
    Ok(Frame { process, bits, width, height, components })
}

fn scan(frame: &Frame, body: &[u8], at: usize) -> Result<Scan, &'static str> {
    let (&count, rest) = body.split_first().ok_or("the scan's header is empty")?;
    let (coded, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or("the scan's header is too short")?;
    let selection = rest.try_into().map_err(|_| "the scan's header has another length than its components take")?;
    let coded: Option<Vec<Coded>> = coded
        .chunks_exact(2)
        .map(|two| match *two {
            [id, tables] => {
                let component = frame.components.iter().position(|one| one.id == id)?;
                Some(Coded { component, dc: usize::from(tables >> 4), ac: usize::from(tables & 15) })
            }
            _ => None,
        })
        .collect();
    let coded = coded.ok_or("the scan names a component that the frame does not have")?;
    let rising = coded.windows(2).all(|two| matches!(two, [a, b] if a.component < b.component));
    if !rising || !(coded.len() == 1 || coded.len() == frame.components.len()) {
        return Err("a scan has one component, or all in their order");
    }
    Ok(Scan { coded, selection, at })
}

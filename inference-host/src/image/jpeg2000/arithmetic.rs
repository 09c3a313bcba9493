//! The MQ decoder (T.800 annex C), and raw bits of the bypass (section D.6).

/// A context's state in [`STATES`], and its more probable symbol.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    pub(super) state: u8,
    pub(super) likely: u8,
}

/// Probability, next state after the more and after the less probable symbol, whether the symbols change places (table C.2).
const STATES: [(u16, u8, u8, bool); 47] = [
    (0x5601, 1, 1, true),
    (0x3401, 2, 6, false),
    (0x1801, 3, 9, false),
    (0x0ac1, 4, 12, false),
    (0x0521, 5, 29, false),
    (0x0221, 38, 33, false),
    (0x5601, 7, 6, true),
    (0x5401, 8, 14, false),
    (0x4801, 9, 14, false),
    (0x3801, 10, 14, false),
    (0x3001, 11, 17, false),
    (0x2401, 12, 18, false),
    (0x1c01, 13, 20, false),
    (0x1601, 29, 21, false),
    (0x5601, 15, 14, true),
    (0x5401, 16, 14, false),
    (0x5101, 17, 15, false),
    (0x4801, 18, 16, false),
    (0x3801, 19, 17, false),
    (0x3401, 20, 18, false),
    (0x3001, 21, 19, false),
    (0x2801, 22, 19, false),
    (0x2401, 23, 20, false),
    (0x2201, 24, 21, false),
    (0x1c01, 25, 22, false),
    (0x1801, 26, 23, false),
    (0x1601, 27, 24, false),
    (0x1401, 28, 25, false),
    (0x1201, 29, 26, false),
    (0x1101, 30, 27, false),
    (0x0ac1, 31, 28, false),
    (0x09c1, 32, 29, false),
    (0x08a1, 33, 30, false),
    (0x0521, 34, 31, false),
    (0x0441, 35, 32, false),
    (0x02a1, 36, 33, false),
    (0x0221, 37, 34, false),
    (0x0141, 38, 35, false),
    (0x0111, 39, 36, false),
    (0x0085, 40, 37, false),
    (0x0049, 41, 38, false),
    (0x0025, 42, 39, false),
    (0x0015, 43, 40, false),
    (0x0009, 44, 41, false),
    (0x0005, 45, 42, false),
    (0x0001, 45, 43, false),
    (0x5601, 46, 46, false),
];

/// A decoder over one segment. Behind its end there are ones for ever.
pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    code: u32,
    interval: u32,
    count: u32,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let first = bytes.first().copied().unwrap_or(0xff);
        let mut decoder = Self { bytes, at: 0, code: u32::from(first) << 16, interval: 0, count: 0 };
        decoder.byte();
        decoder.code <<= 7;
        decoder.count -= 7;
        decoder.interval = 0x8000;
        decoder
    }

    fn peek(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0xff)
    }

    #[inline]
    fn byte(&mut self) {
        let next = self.peek(self.at + 1);
        if self.peek(self.at) != 0xff {
            self.at += 1;
            self.code += u32::from(next) << 8;
            self.count = 8;
        } else if next > 0x8f {
            self.code += 0xff00;
            self.count = 8;
        } else {
            self.at += 1;
            self.code += u32::from(next) << 9;
            self.count = 7;
        }
    }

    #[inline]
    pub(super) fn bit(&mut self, context: &mut Context) -> u8 {
        let Some(&(probability, more, less, exchange)) = STATES.get(usize::from(context.state)) else { return 0 };
        let part = u32::from(probability);
        self.interval -= part;
        let likely = context.likely;
        let chosen = if self.code >> 16 < part {
            // The lower part; it is the less probable symbol's unless it is the larger one.
            let swapped = self.interval < part;
            self.interval = part;
            !swapped
        } else {
            self.code -= part << 16;
            if self.interval & 0x8000 != 0 {
                return likely;
            }
            self.interval < part
        };
        let bit = if chosen {
            context.state = less;
            if exchange {
                context.likely = 1 - likely;
            }
            1 - likely
        } else {
            context.state = more;
            likely
        };
        while self.interval & 0x8000 == 0 {
            if self.count == 0 {
                self.byte();
            }
            self.interval <<= 1;
            self.code <<= 1;
            self.count -= 1;
        }
        bit
    }
}

/// Raw bits: a byte behind `FF` has seven. Behind the end there are ones.
pub(super) struct Raw<'a> {
    bytes: std::slice::Iter<'a, u8>,
    byte: u8,
    left: u32,
}

impl<'a> Raw<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), byte: 0, left: 0 }
    }

    pub(super) fn bit(&mut self) -> u8 {
        if self.left == 0 {
            self.left = if self.byte == 0xff { 7 } else { 8 };
            self.byte = self.bytes.next().copied().unwrap_or(0xff);
        }
        self.left -= 1;
        self.byte >> self.left & 1
    }
}

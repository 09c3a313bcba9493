//! Codes of T.81 annex C: canonical, of 1 to 16 bits.

/// Codes up to this long are found at once.
const FAST: u32 = 8;

/// A table of codes.
pub(super) struct Table {
    /// By the next [`FAST`] bits: length and symbol; length 0 where the code is longer.
    fast: [(u8, u8); 1 << FAST],
    /// By length: one more than the last code, moved to the left of 16 bits; and the place of the symbol of the
    /// length's first code, less that code.
    ends: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl Table {
    /// The table of `counts` codes of each length; none where they are more than there can be. There is a symbol for each.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = Self { fast: [(0, 0); 1 << FAST], ends: [(0, 0); 17], symbols: symbols.to_vec() };
        let (mut code, mut place) = (0_u32, 0_usize);
        for (length, &count) in (1_u8..).zip(counts) {
            let bits = u32::from(length);
            let first = i32::try_from(place).ok()? - i32::try_from(code).ok()?;
            for _ in 0..count {
                let &symbol = symbols.get(place)?;
                if bits <= FAST {
                    let from = usize::try_from(code << (FAST - bits)).ok()?;
                    table.fast.get_mut(from..from + (1 << (FAST - bits)))?.fill((length, symbol));
                }
                code += 1;
                place += 1;
            }
            if code > 1 << bits {
                return None;
            }
            *table.ends.get_mut(usize::from(length))? = (code << (16 - bits), first);
            code <<= 1;
        }
        Some(table)
    }

    /// Length and symbol of the code that the 16 bits begin with.
    pub(super) fn find(&self, next: u32) -> Option<(u32, u8)> {
        let (length, symbol) = *self.fast.get(usize::try_from(next >> (16 - FAST)).ok()?)?;
        if length > 0 {
            return Some((length.into(), symbol));
        }
        let (length, &(_, first)) = (0_u32..).zip(&self.ends).find(|(_, (end, _))| next < *end)?;
        let code = i32::try_from(next >> (16 - length)).ok()?;
        let symbol = self.symbols.get(usize::try_from(first + code).ok()?)?;
        Some((length, *symbol))
    }
}

//! Numbers that look random and are the same on every machine: SplitMix64.

/// A stream of numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.next() as u8).collect()
    }

    /// Text with letters, quotes, controls and characters of several bytes.
    pub(crate) fn text(&mut self, most: usize) -> String {
        const ALPHABET: [char; 24] = [
            'a', 'b', 'z', 'A', '0', '9', ' ', '_', '-', '"', '\\', '/', '\n', '\0', '\u{7f}', 'é', 'ß', '€', '漢',
            '🦀', '{', '}', ':', '1',
        ];
        (0..self.below(most + 1)).map(|_| *self.pick(&ALPHABET)).collect()
    }
}

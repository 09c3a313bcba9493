//! Who of a list has signed, one bit each, and how much power is enough.

use alloc::{vec, vec::Vec};

/// The places whose bits are set, lowest bit of the first byte first, if the bits fit a list of `of` exactly.
pub fn places(signers: &[u8], of: usize) -> Option<Vec<usize>> {
    let bit = |place: usize| signers.get(place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1);
    let fits = signers.len() == of.div_ceil(8) && !(of..signers.len() * 8).any(bit);
    fits.then(|| (0..of).filter(|place| bit(*place)).collect())
}

/// The bits of these places in a list of `of`; what [`places`] reads. Places beyond the list have none.
pub fn bits(places: impl IntoIterator<Item = usize>, of: usize) -> Vec<u8> {
    let mut signers = vec![0_u8; of.div_ceil(8)];
    for place in places.into_iter().filter(|place| *place < of) {
        if let Some(byte) = signers.get_mut(place / 8) {
            *byte |= 1 << (place % 8);
        }
    }
    signers
}

/// Whether a power is more than two thirds of another.
pub fn is_enough(power: u64, of: u64) -> bool {
    u128::from(power) * 3 > u128::from(of) * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_as_places() {
        for (set, of) in [(vec![], 0), (vec![], 3), (vec![0, 2], 3), (vec![7, 8], 9), ((0..16).collect(), 16)] {
            assert_eq!(places(&bits(set.iter().copied(), of), of), Some(set));
        }
        assert_eq!(bits([0, 3], 3), [0b1]);
    }

    #[test]
    fn two_thirds_are_not_enough() {
        assert!(!is_enough(2, 3) && is_enough(3, 4) && !is_enough(0, 0));
        assert!(is_enough(u64::MAX, u64::MAX));
    }

    #[test]
    fn bits_fit_their_list() {
        assert_eq!(places(&[0b101], 3), Some(vec![0, 2]));
        assert_eq!(places(&[0b1101], 3), None);
        assert_eq!(places(&[0, 1], 3), None);
        assert_eq!(places(&[], 3), None);
        assert_eq!(places(&[0, 1], 9), Some(vec![8]));
    }
}

//! The arithmetic of G1 and of scalars modulo its order, and hashing to G2, as blst has them. Nothing here is secret.
//!
//! blst shows the curve's arithmetic to Rust as foreign functions only. Each of them reads and writes fixed structures
//! through pointers that are borrowed for the call, so that every call below is sound whatever the values are. This is
//! the only file of the crate with unsafe code.

#![allow(unsafe_code, reason = "blst has no safe face for arithmetic on points")]

use blst::{
    BLS12_381_G1, blst_fr, blst_fr_cneg, blst_fr_from_scalar, blst_hash_to_g2, blst_p1, blst_p1_add_or_double,
    blst_p1_affine, blst_p1_compress, blst_p1_from_affine, blst_p1_generator, blst_p1_mult, blst_p2, blst_scalar,
    blst_scalar_from_be_bytes, blst_scalar_from_fr, min_pk::PublicKey,
};

/// The group's order, the most significant byte first.
const ORDER: [u8; 32] = [
    0x73, 0xed, 0xa7, 0x53, 0x29, 0x9d, 0x7d, 0x48, 0x33, 0x39, 0xd8, 0x08, 0x09, 0xa1, 0xd8, 0x05, 0x53, 0xbd, 0xa4,
    0x02, 0xff, 0xfe, 0x5b, 0xfe, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
];
/// Bits of a scalar.
const BITS: usize = 255;

/// A message's point of G2 under a domain (RFC 9380: BLS12381G2_XMD:SHA-256_SSWU_RO).
pub(crate) fn hash_to_g2(message: &[u8], domain: &[u8]) -> blst_p2 {
    let mut out = blst_p2::default();
    let (message, domain) = ((message.as_ptr(), message.len()), (domain.as_ptr(), domain.len()));
    unsafe { blst_hash_to_g2(&raw mut out, message.0, message.1, domain.0, domain.1, std::ptr::null(), 0) };
    out
}

/// The point of G1 that keys are multiples of.
pub(crate) fn generator() -> blst_p1_affine {
    // A constant of the library.
    unsafe { BLS12_381_G1 }
}

/// A point of the subgroup.
#[derive(Clone, Copy)]
pub(super) struct Point(blst_p1);

impl Point {
    /// Decodes 48 bytes from outside: of the curve, of the subgroup, not the identity.
    pub(super) fn checked(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 48] = bytes.try_into().ok()?;
        PublicKey::key_validate(bytes).ok().map(Self::of)
    }

    /// Decodes 48 bytes that were checked when they came.
    pub(super) fn known(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 48] = bytes.try_into().ok()?;
        PublicKey::uncompress(bytes).ok().map(Self::of)
    }

    fn of(key: PublicKey) -> Self {
        let affine: blst_p1_affine = key.into();
        let mut point = blst_p1::default();
        unsafe { blst_p1_from_affine(&raw mut point, &raw const affine) };
        Self(point)
    }

    /// The point that everybody begins with.
    pub(super) fn generator() -> Self {
        // A constant of the library.
        Self(unsafe { *blst_p1_generator() })
    }

    /// The point as many times.
    pub(super) fn times(&self, scalar: &Scalar) -> Self {
        let mut out = blst_p1::default();
        unsafe { blst_p1_mult(&raw mut out, &raw const self.0, scalar.0.as_ptr(), BITS) };
        Self(out)
    }

    /// The sum of two points.
    pub(super) fn plus(&self, other: &Self) -> Self {
        let mut out = blst_p1::default();
        unsafe { blst_p1_add_or_double(&raw mut out, &raw const self.0, &raw const other.0) };
        Self(out)
    }

    /// Its 48 bytes.
    pub(super) fn bytes(&self) -> [u8; 48] {
        let mut out = [0; 48];
        unsafe { blst_p1_compress(out.as_mut_ptr(), &raw const self.0) };
        out
    }
}

/// A number below the order, the least significant byte first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Scalar([u8; 32]);

impl Scalar {
    /// Decodes a scalar in its one spelling, the most significant byte first.
    pub(super) fn checked(bytes: &[u8; 32]) -> Option<Self> {
        let mut little = *bytes;
        little.reverse();
        (*bytes < ORDER).then_some(Self(little))
    }

    /// Its bytes, the most significant first.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> [u8; 32] {
        let mut big = self.0;
        big.reverse();
        big
    }

    /// What 64 bytes, the most significant first, come to modulo the order.
    pub(super) fn reduced(wide: &[u8; 64]) -> Self {
        let mut out = blst_scalar::default();
        unsafe { blst_scalar_from_be_bytes(&raw mut out, wide.as_ptr(), wide.len()) };
        Self(out.b)
    }

    /// What has to be added to it to make zero.
    pub(super) fn negative(&self) -> Self {
        let (mut field, mut out) = (blst_fr::default(), blst_scalar::default());
        let scalar = blst_scalar { b: self.0 };
        unsafe {
            blst_fr_from_scalar(&raw mut field, &raw const scalar);
            blst_fr_cneg(&raw mut field, &raw const field, true);
            blst_scalar_from_fr(&raw mut out, &raw const field);
        }
        Self(out.b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(number: u8) -> Scalar {
        let mut bytes = [0; 32];
        bytes[31] = number;
        Scalar::checked(&bytes).unwrap()
    }

    #[test]
    fn the_edges_of_arithmetic() {
        let (g, zero) = (Point::generator(), small(0));
        let identity = [&[0xc0][..], &[0; 47]].concat();
        assert_eq!(g.times(&zero).bytes()[..], identity);
        assert_eq!(g.times(&small(1)).bytes(), g.bytes());
        assert_eq!(g.plus(&g).bytes(), g.times(&small(2)).bytes());
        assert_eq!(g.plus(&g.times(&small(1).negative())).bytes()[..], identity);
        assert_eq!(g.times(&zero).plus(&g).bytes(), g.bytes());
        assert!(small(0).negative() == zero && small(5).negative().negative() == small(5));
    }

    #[test]
    fn a_scalar_has_one_spelling() {
        assert!(Scalar::checked(&ORDER).is_none() && Scalar::checked(&[0xff; 32]).is_none());
        let mut last = ORDER;
        last[31] = 0;
        assert!(Scalar::checked(&last).is_some_and(|one| one == small(1).negative()));
        let mut wide = [0; 64];
        wide[32..].copy_from_slice(&ORDER);
        wide[63] = 8;
        assert!(Scalar::reduced(&wide) == small(7));
    }
}

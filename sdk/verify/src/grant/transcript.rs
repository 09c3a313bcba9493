//! What a challenge is computed from: SHA3-512 over fields, each with its length, under a domain of its own.

use alloc::vec::Vec;

use bls12_381::{G1Affine, G1Projective, Scalar};
use group::Curve;
use sha3::{Digest, Sha3_512};

/// A transcript. Two that took other fields, or the same bytes cut in another way, never meet.
pub(super) struct Transcript(Sha3_512);

impl Transcript {
    /// A transcript of this kind of statement.
    pub(super) fn new(domain: &'static [u8]) -> Self {
        let mut new = Self(Sha3_512::new());
        new.field(domain);
        new
    }

    pub(super) fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    pub(super) fn fields<'a>(mut self, all: impl IntoIterator<Item = &'a [u8]>) -> Self {
        all.into_iter().for_each(|bytes| self.field(bytes));
        self
    }

    pub(super) fn points<'a>(mut self, all: impl IntoIterator<Item = &'a G1Affine>) -> Self {
        all.into_iter().for_each(|point| self.field(&point.to_compressed()));
        self
    }

    /// The commitments of a proof, which are taken last.
    pub(super) fn commitments(self, all: &[G1Projective]) -> Self {
        let affine: Vec<G1Affine> = all.iter().map(Curve::to_affine).collect();
        self.points(&affine)
    }

    /// The scalar that all of it comes to: 64 bytes, the most significant first, reduced by the group's order.
    pub(super) fn scalar(self) -> Scalar {
        let mut wide: [u8; 64] = self.0.finalize().into();
        wide.reverse();
        Scalar::from_bytes_wide(&wide)
    }
}

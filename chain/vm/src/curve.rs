//! BLS12-381 as the imports of module `aceso` need it, by blst: one signature of many keys, sums of multiples of points.
//!
//! Public so that a bench can hold each function against its price. blst shows the arithmetic of points to Rust as foreign
//! functions only, beside a face that uses a pool of threads; each of them reads and writes fixed structures through
//! pointers that are borrowed for the call. In one thread, so that the price says how long it takes.

#![allow(unsafe_code, reason = "blst has no safe face for multiples of points in one thread")]

use aceso_types::{Digest, sealed::SIGNATURE_DOMAIN};
use blst::{
    BLST_ERROR, blst_p1, blst_p1_affine, blst_p1_affine_in_g1, blst_p1_compress, blst_p1_uncompress,
    blst_p1s_mult_pippenger, blst_p1s_mult_pippenger_scratch_sizeof, blst_p2, blst_p2_affine, blst_p2_affine_in_g2,
    blst_p2_compress, blst_p2_uncompress, blst_p2s_mult_pippenger, blst_p2s_mult_pippenger_scratch_sizeof, blst_scalar,
    blst_scalar_fr_check, blst_scalar_from_bendian,
    min_pk::{AggregatePublicKey, PublicKey, Signature},
};

/// Bytes of a compressed point of G1.
pub const G1: usize = 48;
/// Bytes of a compressed point of G2.
pub const G2: usize = 96;
/// Bytes of a scalar.
pub const SCALAR: usize = 32;
/// Bits of the largest scalar.
const BITS: usize = 255;

/// An attestation key: compressed, in its subgroup, not the identity.
pub fn public_key(bytes: &[u8]) -> Option<PublicKey> {
    PublicKey::key_validate(bytes).ok()
}

/// Whether all of `keys` have signed `message` as validators do, all in one signature of 96 bytes. The keys' possession must
/// be proven; nobody signs for keys that add up to the identity.
pub fn signed_together(keys: &[PublicKey], message: &Digest, signature: &[u8]) -> bool {
    let Ok(sum) = AggregatePublicKey::aggregate(&keys.iter().collect::<Vec<_>>(), false) else { return false };
    let Ok(signature) = Signature::sig_validate(signature, true) else { return false };
    let verdict = signature.verify(false, &message.0, SIGNATURE_DOMAIN, &[], &sum.to_public_key(), true);
    verdict == BLST_ERROR::BLST_SUCCESS
}

/// A sum of multiples, in one group.
macro_rules! msm {
    (
        $(#[$doc:meta])*
        $name:ident, $bytes:ident, $affine:ident, $point:ident,
        $uncompress:ident, $is_in_group:ident, $room:ident, $multiply:ident, $compress:ident
    ) => {
        $(#[$doc])*
        pub fn $name(points: &[[u8; $bytes]], scalars: &[[u8; SCALAR]]) -> Option<[u8; $bytes]> {
            let point = |bytes: &[u8; $bytes]| {
                let mut point = $affine::default();
                // SAFETY: reads as many bytes as there are, writes one point.
                let is_on_curve = unsafe { $uncompress(&raw mut point, bytes.as_ptr()) } == BLST_ERROR::BLST_SUCCESS;
                // SAFETY: reads one point.
                (is_on_curve && unsafe { $is_in_group(&raw const point) }).then_some(point)
            };
            let points: Vec<$affine> = points.iter().map(point).collect::<Option<_>>()?;
            let scalars: Vec<[u8; SCALAR]> = scalars.iter().map(little_endian).collect::<Option<_>>()?;
            let (mut sum, mut bytes) = ($point::default(), [0; $bytes]);
            let count = points.len().min(scalars.len());
            if count > 0 {
                // SAFETY: takes no pointer.
                let mut room = vec![0_u64; unsafe { $room(count) }.div_ceil(8)];
                // A list of one pointer and null says that the rest follows behind the first.
                let (points, scalars) = ([points.as_ptr(), std::ptr::null()], [scalars.as_ptr().cast(), std::ptr::null()]);
                // SAFETY: reads `count` points and scalars of 32 bytes, writes one point and the room that it has asked for.
                unsafe {
                    $multiply(&raw mut sum, points.as_ptr(), count, scalars.as_ptr(), BITS, room.as_mut_ptr());
                }
            }
            // SAFETY: reads one point, writes as many bytes as there are.
            unsafe { $compress(bytes.as_mut_ptr(), &raw const sum) };
            Some(bytes)
        }
    };
}

msm! {
    /// The sum of points of G1, each as many times as its scalar says; none where a point is not in the group or a scalar,
    /// the most significant byte first, is not below its order. No points make the identity.
    g1_msm, G1, blst_p1_affine, blst_p1, blst_p1_uncompress, blst_p1_affine_in_g1,
    blst_p1s_mult_pippenger_scratch_sizeof, blst_p1s_mult_pippenger, blst_p1_compress
}

msm! {
    /// [`g1_msm`] in G2.
    g2_msm, G2, blst_p2_affine, blst_p2, blst_p2_uncompress, blst_p2_affine_in_g2,
    blst_p2s_mult_pippenger_scratch_sizeof, blst_p2s_mult_pippenger, blst_p2_compress
}

/// A scalar as blst multiplies by it; none where it is not below the order.
fn little_endian(bytes: &[u8; SCALAR]) -> Option<[u8; SCALAR]> {
    let mut scalar = blst_scalar::default();
    // SAFETY: reads 32 bytes, writes a scalar, reads it.
    let is_below = unsafe {
        blst_scalar_from_bendian(&raw mut scalar, bytes.as_ptr());
        blst_scalar_fr_check(&raw const scalar)
    };
    is_below.then_some(scalar.b)
}

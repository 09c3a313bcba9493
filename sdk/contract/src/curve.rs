//! Sums of multiples of points of BLS12-381 by the host: what Groth16 takes of its public inputs.
//!
//! Pairings, sums of points and hashes to the curve are `cosmwasm_std::Api`'s, in the same encoding: compressed points, 48
//! bytes in G1 and 96 in G2. Scalars have 32 bytes, the most significant first.

use crate::{Errno, sys};

/// The sum of points of G1, each as many times as the scalar at its place says. No points make the identity.
///
/// # Errors
/// [`Errno::InvalidArgument`] where there are not as many scalars as points, [`Errno::InvalidEncoding`] for a point that is
/// not in the subgroup or a scalar that is not below the group's order, [`Errno::TooLarge`] for more than
/// [`aceso_types::guest::MULTIPLY_MAX`] points.
pub fn g1_msm(points: &[[u8; 48]], scalars: &[[u8; 32]]) -> Result<[u8; 48], Errno> {
    if points.len() == scalars.len() { sys::g1_msm(points, scalars) } else { Err(Errno::InvalidArgument) }
}

/// The same in G2.
///
/// # Errors
/// As [`g1_msm`].
pub fn g2_msm(points: &[[u8; 96]], scalars: &[[u8; 32]]) -> Result<[u8; 96], Errno> {
    if points.len() == scalars.len() { sys::g2_msm(points, scalars) } else { Err(Errno::InvalidArgument) }
}

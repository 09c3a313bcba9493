//! Outside wasm32 multiples of points are computed in pure Rust, by another library than the chain's.

use aceso_types::guest::MULTIPLY_MAX;
use bls12_381::{G1Affine, G1Projective, G2Affine, G2Projective, Scalar};

use crate::Errno;

pub(crate) fn g1_msm(points: &[[u8; 48]], scalars: &[[u8; 32]]) -> Result<[u8; 48], Errno> {
    let multiples = multiples(points, scalars, |point| Option::<G1Affine>::from(G1Affine::from_compressed(point)))?;
    let sum = multiples.iter().fold(G1Projective::identity(), |sum, (point, scalar)| sum + point * scalar);
    Ok(G1Affine::from(sum).to_compressed())
}

pub(crate) fn g2_msm(points: &[[u8; 96]], scalars: &[[u8; 32]]) -> Result<[u8; 96], Errno> {
    let multiples = multiples(points, scalars, |point| Option::<G2Affine>::from(G2Affine::from_compressed(point)))?;
    let sum = multiples.iter().fold(G2Projective::identity(), |sum, (point, scalar)| sum + point * scalar);
    Ok(G2Affine::from(sum).to_compressed())
}

/// Points and scalars, decoded as strictly as the chain does.
fn multiples<B, P>(
    points: &[B],
    scalars: &[[u8; 32]],
    decode: impl Fn(&B) -> Option<P>,
) -> Result<Vec<(P, Scalar)>, Errno> {
    if points.len() > MULTIPLY_MAX {
        return Err(Errno::TooLarge);
    }
    let one = |(point, scalar): (&B, &[u8; 32])| {
        let mut little = *scalar;
        little.reverse();
        Some((decode(point)?, Option::<Scalar>::from(Scalar::from_bytes(&little))?))
    };
    points.iter().zip(scalars).map(one).collect::<Option<_>>().ok_or(Errno::InvalidEncoding)
}

//! `aceso`: sums of multiples of points of BLS12-381, which Groth16 takes of its public inputs. Pairings, sums of points
//! and hashes to the curve are `env`'s ([`super::env_crypto`]), as on every CosmWasm chain.
//!
//! Points are compressed as there, 48 bytes in G1 and 96 in G2, and must lie in their subgroup; the identity may. Scalars
//! have 32 bytes, the most significant first, and are below the group's order: each has one spelling, so that nobody passes
//! a public input twice under two.

use aceso_types::guest::MULTIPLY_MAX;

use super::aceso::MODULE;
use super::declare;
use super::nn::Errno;
use crate::curve::{self, SCALAR};
use crate::memory::Host;
use crate::price::Linear;
use crate::{VmError, price};

declare! { MODULE;
    "bls12_381_g1_msm" = g1_msm(points: u32, scalars: u32, count: u32, out: u32) -> u32;
    "bls12_381_g2_msm" = g2_msm(points: u32, scalars: u32, count: u32, out: u32) -> u32;
}

/// `bls12_381_g1_msm(points: *[u8; 48], scalars: *[u8; 32], count: u32, out: *[u8; 48]) -> errno`
///
/// The sum of each point as many times as its scalar says.
fn g1_msm(host: &mut Host<'_>, points: u32, scalars: u32, count: u32, out: u32) -> Result<u32, VmError> {
    multiply(host, price::G1_MSM, (points, scalars, count, out), curve::g1_msm)
}

/// `bls12_381_g2_msm(points: *[u8; 96], scalars: *[u8; 32], count: u32, out: *[u8; 96]) -> errno`
///
/// The same in G2.
fn g2_msm(host: &mut Host<'_>, points: u32, scalars: u32, count: u32, out: u32) -> Result<u32, VmError> {
    multiply(host, price::G2_MSM, (points, scalars, count, out), curve::g2_msm)
}

fn multiply<const POINT: usize>(
    host: &mut Host<'_>,
    price: Linear,
    (points, scalars, count, out): (u32, u32, u32, u32),
    work: impl FnOnce(&[[u8; POINT]], &[[u8; SCALAR]]) -> Option<[u8; POINT]>,
) -> Result<u32, VmError> {
    if usize::try_from(count).map_or(true, |count| count > MULTIPLY_MAX) {
        return Ok(Errno::TooLarge.into());
    }
    host.charge(price.of(u64::from(count)))?;

    let bytes = |each: usize| count.saturating_mul(u32::try_from(each).unwrap_or(u32::MAX));
    let (points, scalars) = (host.read(points, bytes(POINT))?, host.read(scalars, bytes(SCALAR))?);
    let (Some(points), Some(scalars)) = (points, scalars) else { return Ok(Errno::InvalidArgument.into()) };
    let Some(sum) = work(points.as_chunks().0, scalars.as_chunks().0) else {
        return Ok(Errno::InvalidEncoding.into());
    };
    let done = host.write(out, &sum)?;
    Ok(if done { Errno::Success } else { Errno::InvalidArgument }.into())
}

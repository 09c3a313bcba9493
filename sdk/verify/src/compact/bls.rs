//! One aggregated BLS12-381 signature over one message: keys in G1, the signature in G2.

use aceso_types::{Digest, sealed::SIGNATURE_DOMAIN};
use bls12_381::{
    G1Affine, G1Projective, G2Affine, G2Prepared, G2Projective, Gt,
    hash_to_curve::{ExpandMsgXmd, HashToCurve},
    multi_miller_loop,
};
use sha2::Sha256;

use super::CompactError;

/// A public key: compressed, in its subgroup, not the identity.
pub(super) fn key(bytes: &[u8]) -> Option<G1Affine> {
    let point = Option::<G1Affine>::from(G1Affine::from_compressed(bytes.try_into().ok()?))?;
    (!bool::from(point.is_identity())).then_some(point)
}

/// Whether all of `keys` have signed `message`: e(Σ keys, H(message)) = e(G, signature), in one Miller loop. `what` is
/// for the error.
pub(super) fn check<'a>(
    keys: impl Iterator<Item = &'a G1Affine>,
    message: &Digest,
    signature: &[u8],
    what: &'static str,
) -> Result<(), CompactError> {
    let signature =
        signature.try_into().ok().and_then(|bytes| Option::<G2Affine>::from(G2Affine::from_compressed(bytes)));
    let signature = signature.filter(|point| !bool::from(point.is_identity())).ok_or(CompactError::Point)?;
    let sum = G1Affine::from(keys.fold(G1Projective::identity(), |sum, key| sum + key));
    if bool::from(sum.is_identity()) {
        return Err(CompactError::Cancelled);
    }
    let hash = <G2Projective as HashToCurve<ExpandMsgXmd<Sha256>>>::hash_to_curve([message.0], SIGNATURE_DOMAIN);
    let (hash, signature) = (G2Prepared::from(G2Affine::from(hash)), G2Prepared::from(signature));
    let paired = multi_miller_loop(&[(&sum, &hash), (&-G1Affine::generator(), &signature)]).final_exponentiation();
    if paired == Gt::identity() { Ok(()) } else { Err(CompactError::Signature(what)) }
}

//! From a value to a root: ICS23 existence, once per level of the state.

use alloc::vec::Vec;

use ics23::{CommitmentProof, HostFunctionsManager, ProofSpec, commitment_proof::Proof, verify_membership};
use prost::Message;

/// The root that an existence proof leads to, if it is one and spelled as it would be written again; proves nothing by
/// itself.
pub(crate) fn root_of(proof: &[u8]) -> Option<(CommitmentProof, Vec<u8>)> {
    let bytes = proof;
    let proof = CommitmentProof::decode(bytes).ok()?;
    if proof.encode_to_vec() != bytes {
        return None;
    }
    let Some(Proof::Exist(existence)) = &proof.proof else { return None };
    let root = ics23::calculate_existence_root::<HostFunctionsManager>(existence).ok()?;
    Some((proof, root))
}

/// Whether the proof shows that the tree under `root` holds `value` under `key`.
pub(crate) fn holds(spec: &ProofSpec, proof: &CommitmentProof, root: &[u8], key: &[u8], value: &[u8]) -> bool {
    // The library reads the specification's depths and asks for none of them.
    let depth = match &proof.proof {
        Some(Proof::Exist(existence)) => i32::try_from(existence.path.len()).unwrap_or(i32::MAX),
        _ => return false,
    };
    if depth < spec.min_depth || depth > spec.max_depth {
        return false;
    }
    let root = root.to_vec();
    verify_membership::<HostFunctionsManager>(proof, spec, &root, key, value)
}

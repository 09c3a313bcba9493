//! From a value to a root: ICS23 existence, once per level of the state.

use alloc::vec::Vec;

use ics23::{CommitmentProof, HostFunctionsManager, ProofSpec, commitment_proof::Proof, verify_membership};
use prost::Message;

/// The root that an existence proof leads to, if it is one; proves nothing by itself.
pub(crate) fn root_of(proof: &[u8]) -> Option<(CommitmentProof, Vec<u8>)> {
    let proof = CommitmentProof::decode(proof).ok()?;
    let Some(Proof::Exist(existence)) = &proof.proof else { return None };
    let root = ics23::calculate_existence_root::<HostFunctionsManager>(existence).ok()?;
    Some((proof, root))
}

/// Whether the proof shows that the tree under `root` holds `value` under `key`.
pub(crate) fn holds(spec: &ProofSpec, proof: &CommitmentProof, root: &[u8], key: &[u8], value: &[u8]) -> bool {
    let root = root.to_vec();
    verify_membership::<HostFunctionsManager>(proof, spec, &root, key, value)
}

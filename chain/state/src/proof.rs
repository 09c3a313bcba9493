//! Proofs in two steps: the key under its component's root, the component's root under the app hash.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ics23::commitment_proof::Proof as Kind;
use ics23::{CommitmentProof, HostFunctionsManager, ProofSpec};

use crate::disk::View;
use crate::error::StateError;
use crate::keys;
use crate::snapshot::component_id;
use crate::tree::{Prover, Reader, SENTINEL_KEY, Values, root_at};

/// Deepest leaf of a tree over 256-bit hashes. The tree library's own spec says 64, less than its trees can have.
const DEPTH_MAX: i32 = 256;

/// What a key had at a height, and why that is so.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// The value, or none if the key was absent.
    pub value: Option<Vec<u8>>,
    /// The key, or its absence, under the component's root.
    pub component: CommitmentProof,
    /// The component's name with its root as value, under the app hash.
    pub app: CommitmentProof,
}

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofRefused {
    /// The app level names no component root.
    #[error("the proof of the component's root is not an existence proof")]
    NoComponentRoot,
    /// The component's root is not under the app hash.
    #[error("the component's root is not under the app hash")]
    Component,
    /// The key's value, or its absence, is not under the component's root.
    #[error("the entry is not under the component's root")]
    Entry,
}

/// How to check a proof, the same at both levels: SHA-256 over key hash and value hash, a binary tree with a
/// placeholder for empty branches, neighbours compared by the hashes of their keys.
pub fn proof_spec() -> ProofSpec {
    ProofSpec { max_depth: DEPTH_MAX, ..jmt::ics23_spec() }
}

/// [`proof_spec`] as JSON with the field names of `cosmos.ics23.v1`, for genesis.
pub fn proof_spec_json() -> String {
    let spec = proof_spec();
    let (leaf, inner) = (spec.leaf_spec.unwrap_or_default(), spec.inner_spec.unwrap_or_default());
    serde_json::json!({
        "leaf_spec": {
            "hash": leaf.hash().as_str_name(),
            "prehash_key": leaf.prehash_key().as_str_name(),
            "prehash_value": leaf.prehash_value().as_str_name(),
            "length": leaf.length().as_str_name(),
            "prefix": STANDARD.encode(&leaf.prefix),
        },
        "inner_spec": {
            "child_order": inner.child_order,
            "child_size": inner.child_size,
            "min_prefix_length": inner.min_prefix_length,
            "max_prefix_length": inner.max_prefix_length,
            "empty_child": STANDARD.encode(&inner.empty_child),
            "hash": inner.hash().as_str_name(),
        },
        "max_depth": spec.max_depth,
        "min_depth": spec.min_depth,
        "prehash_key_before_comparison": spec.prehash_key_before_comparison,
    })
    .to_string()
}

/// Checks both levels of a proof against an app hash.
pub fn verify(app_hash: &[u8; 32], component: &str, key: &[u8], proof: &Proof) -> Result<(), ProofRefused> {
    let spec = proof_spec();
    let Some(Kind::Exist(named)) = &proof.app.proof else { return Err(ProofRefused::NoComponentRoot) };
    let (app_hash, root) = (app_hash.to_vec(), &named.value);
    let named = component.as_bytes();
    if !ics23::verify_membership::<HostFunctionsManager>(&proof.app, &spec, &app_hash, named, root) {
        return Err(ProofRefused::Component);
    }
    let holds = match &proof.value {
        Some(value) => ics23::verify_membership::<HostFunctionsManager>(&proof.component, &spec, root, key, value),
        None => ics23::verify_non_membership::<HostFunctionsManager>(&proof.component, &spec, root, key),
    };
    if holds { Ok(()) } else { Err(ProofRefused::Entry) }
}

/// Proves a key of the component with byte `id`, one of `names`, at `version`.
pub(crate) fn prove(
    view: &View,
    version: u64,
    names: &[&str],
    id: u8,
    key: &[u8],
    values: Values<'_>,
) -> Result<Proof, StateError> {
    let unproven = || StateError::Unproven { version };
    let (base, _) = root_at(view, id, version)?.ok_or_else(unproven)?;
    let (app_base, _) = root_at(view, keys::APP, version)?.ok_or_else(unproven)?;

    let name = names.get(usize::from(id).saturating_sub(1)).copied().unwrap_or_default();
    let entries = |key: &[u8]| {
        if key == SENTINEL_KEY { Ok(Some(name.as_bytes().to_vec())) } else { values(key) }
    };
    let reader = Reader::new(view, id, version, Some(base), &entries);
    let (value, component) = Prover::new(reader).prove(key, version)?;

    let roots = |key: &[u8]| {
        let id = component_id(names, &String::from_utf8_lossy(key))?;
        Ok(root_at(view, id, version)?.map(|(_, root)| root.to_vec()))
    };
    let reader = Reader::new(view, keys::APP, version, Some(app_base), &roots);
    let (_, app) = Prover::new(reader).prove(name.as_bytes(), version)?;
    Ok(Proof { value, component, app })
}

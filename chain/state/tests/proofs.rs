//! Proofs of existence and absence at both levels, checked by the ics23 crate; nothing altered is accepted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use aceso_state::{Changes, Proof, ProofRefused, StateError, proof_spec, verify};
use common::{COMPONENTS, Model, block, open};
use ics23::commitment_proof::Proof as Kind;
use ics23::{ExistenceProof, HostFunctionsManager};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_key_is_proven_present_or_absent(
        first in prop::collection::btree_map(0u16..400, any::<u8>(), 0..60),
        removed in prop::collection::vec(0u16..400, 0..40),
        probes in prop::collection::vec(0u16..400, 12),
        component in 0..2usize,
    ) {
        let component = COMPONENTS[component];
        let dir = common::dir();
        let store = open(dir.path(), 10);
        let (mut one, mut two) = (Changes::new(), Changes::new());
        for (key, value) in &first {
            one.set(component, key.to_be_bytes().to_vec(), vec![*value]).unwrap();
        }
        for key in &removed {
            two.remove(component, &key.to_be_bytes());
        }
        let mut models = vec![Model::default()];
        for (version, changes) in [(1, one), (2, two)] {
            let mut model = models.last().unwrap().clone();
            model.apply(&changes);
            models.push(model);
            store.commit(store.stage(version, &changes).unwrap()).unwrap();
        }
        for version in [1, 2] {
            let snapshot = store.snapshot_at(version).unwrap();
            let model = &models[usize::try_from(version).unwrap()];
            for component in COMPONENTS {
                for probe in &probes {
                    let key = probe.to_be_bytes();
                    let proof = snapshot.prove(component, &key).unwrap();
                    prop_assert_eq!(&proof.value, &model.get(component, &key));
                    prop_assert_eq!(verify(&model.root(), component, &key, &proof), Ok(()));
                    refuses_what_is_altered(&model.root(), component, &key, &proof);
                }
            }
        }
    }
}

/// Each alteration of an honest proof must be refused.
fn refuses_what_is_altered(root: &[u8; 32], component: &str, key: &[u8], honest: &Proof) {
    let refused = |root: &[u8; 32], component: &str, key: &[u8], proof: &Proof| {
        assert!(verify(root, component, key, proof).is_err(), "an altered proof was accepted: {proof:?}");
    };
    let mut other_root = *root;
    other_root[7] ^= 1;
    refused(&other_root, component, key, honest);
    refused(root, "other", key, honest);
    refused(root, if component == "bank" { "wasm" } else { "bank" }, key, honest);
    if honest.value.is_some() {
        refused(root, component, b"other key", honest);
    }

    let mut lie = honest.clone();
    lie.value = match &honest.value {
        Some(value) => Some(value.iter().map(|byte| byte ^ 1).collect()),
        None => Some(b"made up".to_vec()),
    };
    refused(root, component, key, &lie);
    if honest.value.is_some() {
        lie.value = None;
        refused(root, component, key, &lie);
    }

    let mut swapped = honest.clone();
    swapped.component = honest.app.clone();
    refused(root, component, key, &swapped);

    let mut altered = honest.clone();
    alter(altered.app.proof.as_mut().unwrap());
    refused(root, component, key, &altered);
    let mut altered = honest.clone();
    alter(altered.component.proof.as_mut().unwrap());
    refused(root, component, key, &altered);
}

/// Flips one bit where it counts.
fn alter(kind: &mut Kind) {
    let existence: &mut ExistenceProof = match kind {
        Kind::Exist(existence) => existence,
        Kind::Nonexist(absence) => absence.left.as_mut().or(absence.right.as_mut()).unwrap(),
        _ => panic!("no such proof is made here"),
    };
    match existence.path.last_mut() {
        Some(step) if !step.suffix.is_empty() => step.suffix[3] ^= 1,
        Some(step) => *step.prefix.last_mut().unwrap() ^= 1,
        None => existence.value[0] ^= 1,
    }
}

#[test]
fn absence_is_provable_in_a_component_that_nobody_wrote_to() {
    let dir = common::dir();
    let store = open(dir.path(), 10);
    assert!(matches!(store.snapshot().prove("bank", b"k"), Err(StateError::Unproven { version: 0 })));
    store.commit(store.stage(1, &Changes::new()).unwrap()).unwrap();
    let (_, root) = store.latest();
    assert_eq!(root, Model::default().root());
    let proof = store.snapshot().prove("bank", b"k").unwrap();
    assert_eq!(proof.value, None);
    assert_eq!(verify(&root, "bank", b"k", &proof), Ok(()));
}

#[test]
fn absence_is_provable_after_everything_was_removed() {
    let dir = common::dir();
    let store = open(dir.path(), 10);
    let mut changes = Changes::new();
    (0..50u8).for_each(|key| changes.set("bank", vec![1, key], vec![1]).unwrap());
    store.commit(store.stage(1, &changes).unwrap()).unwrap();
    (0..50u8).for_each(|key| changes.remove("bank", &[1, key]));
    store.commit(store.stage(2, &changes).unwrap()).unwrap();
    assert_eq!(store.latest().1, Model::default().root());
    let proof = store.snapshot().prove("bank", &[1, 7]).unwrap();
    assert_eq!((proof.value.clone(), verify(&store.latest().1, "bank", &[1, 7], &proof)), (None, Ok(())));
    let before = store.snapshot_at(1).unwrap();
    let proof = before.prove("bank", &[1, 7]).unwrap();
    assert_eq!((proof.value.clone(), verify(&before.root(), "bank", &[1, 7], &proof)), (Some(vec![1]), Ok(())));
}

#[test]
fn the_two_levels_verify_with_the_published_spec_alone() {
    let dir = common::dir();
    let store = open(dir.path(), 10);
    for version in 1..=3 {
        store.commit(store.stage(version, &block(version)).unwrap()).unwrap();
    }
    let snapshot = store.snapshot();
    let (key, value) = snapshot.range("wasm", None, None, aceso_state::Order::Ascending).next().unwrap().unwrap();
    let proof = snapshot.prove("wasm", &key).unwrap();
    let Some(Kind::Exist(named)) = &proof.app.proof else { panic!("the component is there") };
    let spec = proof_spec();
    let check = ics23::verify_membership::<HostFunctionsManager>;
    assert!(check(&proof.app, &spec, &snapshot.root().to_vec(), b"wasm", &named.value));
    assert!(check(&proof.component, &spec, &named.value, &key, &value));
}

#[test]
fn a_proof_without_a_component_root_is_refused_by_name() {
    let dir = common::dir();
    let store = open(dir.path(), 10);
    store.commit(store.stage(1, &block(1)).unwrap()).unwrap();
    let mut proof = store.snapshot().prove("bank", b"nobody").unwrap();
    proof.app = proof.component.clone();
    assert_eq!(verify(&store.latest().1, "bank", b"nobody", &proof), Err(ProofRefused::NoComponentRoot));
    proof.app = ics23::CommitmentProof::default();
    assert_eq!(verify(&store.latest().1, "bank", b"nobody", &proof), Err(ProofRefused::NoComponentRoot));
}

//! The store and its deltas against a naive model: every read, every range, every root, at every height.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use aceso_state::{Changes, Delta, EMPTY_ROOT, Order, StateError};
use common::{COMPONENTS, Model, block, open};
use proptest::prelude::*;

/// What a transaction does to a delta.
#[derive(Clone, Debug)]
enum Step {
    Set(usize, Vec<u8>, u8),
    Remove(usize, Vec<u8>),
    Checkpoint,
    Keep,
    Discard,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255)], 1..4).prop_filter("reserved", |key| key != &[0])
}

fn bound() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255)], 0..4))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2usize, key(), any::<u8>()).prop_map(|(c, k, v)| Step::Set(c, k, v)),
        3 => (0..2usize, key()).prop_map(|(c, k)| Step::Remove(c, k)),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Keep),
        1 => Just(Step::Discard),
    ]
}

/// Runs the steps on a delta and on copies of the model, one per open checkpoint.
fn run(delta: &mut Delta, models: &mut Vec<Model>, steps: &[Step]) {
    for step in steps {
        let top = models.last_mut().unwrap();
        match step.clone() {
            Step::Set(component, key, value) => {
                delta.set(COMPONENTS[component], key.clone(), vec![value]).unwrap();
                top.entries.entry(COMPONENTS[component]).or_default().insert(key, vec![value]);
            }
            Step::Remove(component, key) => {
                delta.remove(COMPONENTS[component], &key).unwrap();
                top.entries.entry(COMPONENTS[component]).or_default().remove(&key);
            }
            Step::Checkpoint => {
                delta.checkpoint();
                let copy = top.clone();
                models.push(copy);
            }
            Step::Keep => {
                assert_eq!(delta.keep(), models.len() > 1);
                if models.len() > 1 {
                    let top = models.pop().unwrap();
                    *models.last_mut().unwrap() = top;
                }
            }
            Step::Discard => {
                assert_eq!(delta.discard(), models.len() > 1);
                if models.len() > 1 {
                    models.pop();
                }
            }
        }
        assert_eq!(delta.depth(), models.len() - 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn store_and_delta_agree_with_the_model(
        blocks in prop::collection::vec(prop::collection::vec(step(), 0..40), 1..6),
        bounds in prop::collection::vec((bound(), bound()), 4),
        probes in prop::collection::vec(key(), 8),
    ) {
        let dir = common::dir();
        let store = open(dir.path(), 2);
        let mut heights = vec![Model::default()];
        let held = store.snapshot();
        for (version, steps) in (1..).zip(&blocks) {
            let mut delta = Delta::new(store.snapshot());
            let mut models = vec![heights.last().unwrap().clone()];
            run(&mut delta, &mut models, steps);
            let top = models.pop().unwrap();
            for (start, end) in &bounds {
                for (component, order) in [("bank", Order::Ascending), ("wasm", Order::Descending)] {
                    let (start, end) = (start.as_deref(), end.as_deref());
                    let want = top.range(component, start, end, order);
                    let got: Vec<_> = delta.range(component, start, end, order).map(Result::unwrap).collect();
                    prop_assert_eq!(&got, &want);
                    let (mut paged, mut after) = (Vec::new(), None);
                    loop {
                        let page = delta.page(component, start, end, order, after.as_deref(), 2).unwrap();
                        let Some((last, _)) = page.last() else { break };
                        after = Some(last.clone());
                        paged.extend(page);
                    }
                    prop_assert_eq!(&paged, &want);
                }
            }
            for probe in &probes {
                prop_assert_eq!(delta.get("bank", probe).unwrap(), top.get("bank", probe));
            }
            let staged = store.stage(version, &delta.into_changes()).unwrap();
            prop_assert_eq!(staged.root(), top.root());
            store.commit(staged).unwrap();
            heights.push(top);

            let latest = u64::try_from(heights.len() - 1).unwrap();
            prop_assert_eq!(store.latest(), (latest, heights.last().unwrap().root()));
            for (height, model) in (0..).zip(&heights) {
                let snapshot = match store.snapshot_at(height) {
                    Ok(snapshot) => snapshot,
                    Err(StateError::Pruned { version, oldest }) => {
                        prop_assert_eq!((version, oldest), (height, latest - 2));
                        prop_assert!(height + 2 < latest);
                        continue;
                    }
                    Err(other) => panic!("{other}"),
                };
                prop_assert_eq!(snapshot.root(), if height == 0 { EMPTY_ROOT } else { model.root() });
                for probe in &probes {
                    prop_assert_eq!(snapshot.get("wasm", probe).unwrap(), model.get("wasm", probe));
                }
                for (start, end) in &bounds {
                    for order in [Order::Ascending, Order::Descending] {
                        let (start, end) = (start.as_deref(), end.as_deref());
                        let got: Vec<_> = snapshot.range("bank", start, end, order).map(Result::unwrap).collect();
                        prop_assert_eq!(got, model.range("bank", start, end, order));
                    }
                }
            }
        }
        prop_assert_eq!(held.range("bank", None, None, Order::Ascending).count(), 0);
    }
}

#[test]
fn a_chain_of_blocks_survives_restarts_and_prunes_all_it_should() {
    let dir = common::dir();
    let mut model = Model::default();
    let mut models = vec![model.clone()];
    for version in 1..=60 {
        let store = open(dir.path(), 5);
        assert_eq!(store.latest().0, version - 1);
        model.apply(&block(version));
        store.commit(store.stage(version, &block(version)).unwrap()).unwrap();
        assert_eq!(store.latest(), (version, model.root()));
        assert_eq!(store.oldest(), version.saturating_sub(5));
        models.push(model.clone());
    }
    let store = open(dir.path(), 5);
    for version in 55..=60 {
        let snapshot = store.snapshot_at(version).unwrap();
        let model = &models[usize::try_from(version).unwrap()];
        assert_eq!(snapshot.root(), model.root());
        for component in COMPONENTS {
            let got: Vec<_> = snapshot.range(component, None, None, Order::Ascending).map(Result::unwrap).collect();
            assert_eq!(got, model.range(component, None, None, Order::Ascending));
        }
    }
    assert!(matches!(store.snapshot_at(54), Err(StateError::Pruned { version: 54, oldest: 55 })));
}

#[test]
fn snapshots_stand_still_while_other_threads_commit() {
    let dir = common::dir();
    let store = open(dir.path(), 2);
    store.commit(store.stage(1, &block(1)).unwrap()).unwrap();
    let mut model = Model::default();
    model.apply(&block(1));
    let held = store.snapshot();
    let want = model.range("bank", None, None, Order::Ascending);
    std::thread::scope(|scope| {
        let readers = [0, 1].map(|_| {
            let (held, want) = (held.clone(), &want);
            scope.spawn(move || {
                for _ in 0..50 {
                    let got: Vec<_> = held.range("bank", None, None, Order::Ascending).map(Result::unwrap).collect();
                    assert_eq!(&got, want);
                }
            })
        });
        for version in 2..=30 {
            store.commit(store.stage(version, &block(version)).unwrap()).unwrap();
        }
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(store.oldest(), 28);
    let (key, value) = want.first().unwrap();
    assert_eq!(held.get("bank", key).unwrap().as_ref(), Some(value));
    let proof = held.prove("bank", key).unwrap();
    assert_eq!(aceso_state::verify(&model.root(), "bank", key, &proof), Ok(()));
}

#[test]
fn a_shorter_window_is_caught_up_with_two_heights_a_block() {
    let dir = common::dir();
    let store = open(dir.path(), 100);
    for version in 1..=20 {
        store.commit(store.stage(version, &block(version)).unwrap()).unwrap();
    }
    assert_eq!(store.oldest(), 0);
    drop(store);
    let store = open(dir.path(), 4);
    let mut oldest = Vec::new();
    for version in 21..=40 {
        store.commit(store.stage(version, &block(version)).unwrap()).unwrap();
        oldest.push(store.oldest());
    }
    assert_eq!(oldest[..4], [2, 4, 6, 8]);
    assert_eq!(oldest[16..], [33, 34, 35, 36]);
    let mut model = Model::default();
    (1..=36).for_each(|version| model.apply(&block(version)));
    assert_eq!(store.snapshot_at(36).unwrap().root(), model.root());
}

#[test]
fn a_block_without_real_changes_keeps_the_root() {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    store.commit(store.stage(1, &block(1)).unwrap()).unwrap();
    let root = store.latest().1;
    let mut same = Changes::new();
    let (key, value) = store.snapshot().range("bank", None, None, Order::Ascending).next().unwrap().unwrap();
    same.set("bank", key.clone(), value).unwrap();
    same.remove("bank", b"nobody wrote this");
    for version in 2..=20 {
        store.commit(store.stage(version, &same).unwrap()).unwrap();
        assert_eq!(store.latest(), (version, root));
        assert_eq!(store.snapshot_at(version).unwrap().root(), root);
        assert!(store.snapshot_at(version).unwrap().prove("bank", &key).is_ok());
    }
    assert_eq!(store.oldest(), 15);
}

#[test]
fn a_chain_may_begin_above_height_one() {
    let dir = common::dir();
    let store = open(dir.path(), 5);
    store.commit(store.stage(1000, &block(1)).unwrap()).unwrap();
    assert_eq!((store.latest().0, store.oldest()), (1000, 999));
    assert_eq!(store.snapshot_at(999).unwrap().root(), EMPTY_ROOT);
    assert_eq!(store.snapshot_at(999).unwrap().range("bank", None, None, Order::Ascending).count(), 0);
    store.commit(store.stage(1001, &block(2)).unwrap()).unwrap();
    let mut model = Model::default();
    model.apply(&block(1));
    assert_eq!(store.snapshot_at(1000).unwrap().root(), model.root());
    model.apply(&block(2));
    assert_eq!(store.latest(), (1001, model.root()));
}

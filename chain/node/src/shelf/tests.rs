use std::os::unix::fs::PermissionsExt;

use aceso_app::Shelf as _;
use aceso_inference::{KernelSet, admit_packed};
use aceso_test_support::repository;
use aceso_types::{Manifest, Tensor};

use super::*;

/// A home, and a bundled model that was packed.
struct Place {
    home: Home,
    config: Config,
    id: ModelId,
    model: Model,
    packed: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        drop(home.lock().unwrap());
        let (id, model, packed) = packed(Kernels::default());
        Self { home, config: Config::default(), id, model, packed, _folder: folder }
    }

    fn open(&self) -> Shelf {
        Shelf::open(&self.home, &self.config, Packing::default()).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.home.models_dir().join(format!("{}.packed", self.id))
    }

    fn get(&self, shelf: &Shelf) -> Option<Model> {
        shelf.get(&self.id, Kernels::default())
    }
}

fn packed(kernels: Kernels) -> (ModelId, Model, Vec<u8>) {
    let folder = repository().join("models/breast");
    let manifest: Manifest = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let (model, packed) = admit_packed(&fs::read(folder.join("model.onnx")).unwrap(), &manifest, kernels).unwrap();
    (manifest.id(), model, packed)
}

fn run(model: &Model) -> Vec<Tensor> {
    let spec = &model.inputs()[0];
    let count = Tensor::bytes(spec.ty, &spec.dims).unwrap();
    let image =
        Tensor::new(spec.ty, spec.dims.clone(), (0..count).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect())
            .unwrap();
    model.run(&[image]).unwrap()
}

#[test]
fn what_was_put_is_there_after_a_restart_and_gives_the_same() {
    let place = Place::new();
    let shelf = place.open();
    assert!(shelf.wants(&place.id) && place.get(&shelf).is_none());
    shelf.put(&place.id, &place.packed);
    assert!(!shelf.wants(&place.id));
    fs::write(place.home.models_dir().join("left.draft"), b"half").unwrap();
    drop(shelf);
    let shelf = place.open();
    let again = place.get(&shelf).unwrap();
    assert_eq!((again.facts(), run(&again)), (place.model.facts(), run(&place.model)));
    assert_eq!((shelf.meters.taken.get(), shelf.meters.made.get()), (1, 0));
    assert_eq!(fs::read_dir(place.home.models_dir()).unwrap().count(), 1, "what was left half is gone");
    for secret in [place.home.packing_key_file(), place.file()] {
        assert_eq!(fs::metadata(secret).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let beside = Shelf::beside(&place.home).unwrap();
    assert!(place.get(&beside).is_some() && !beside.wants(&ModelId::default()));
}

#[test]
fn no_byte_of_a_file_can_be_changed() {
    let place = Place::new();
    let shelf = place.open();
    shelf.put(&place.id, &place.packed);
    let good = fs::read(place.file()).unwrap();
    let check = |bytes: &[u8], what: &str| {
        fs::write(place.file(), bytes).unwrap();
        assert!(place.get(&shelf).is_none(), "{what}");
        assert!(!place.file().exists(), "{what}: it is gone");
        assert!(shelf.wants(&place.id), "{what}: it is made anew");
    };
    let last = good.len() - 1;
    for at in (0..good.len()).step_by(97).chain([last - SEAL, last]) {
        let mut changed = good.clone();
        changed[at] ^= 1 << (at % 8);
        check(&changed, &format!("byte {at}"));
    }
    for length in [0, 1, SEAL - 1, SEAL, SEAL + 1, good.len() / 2, last] {
        check(&good[..length], &format!("cut to {length}"));
    }
    check(&[&good[..], b"x"].concat(), "one byte more");
    let refused = shelf.meters.refused.counted("seal");
    assert!(refused > 500, "{refused}");
    // What its seal holds for is still not taken for another model, nor by other kernels.
    fs::write(place.file(), &good).unwrap();
    let other = ModelId::default();
    fs::copy(place.file(), place.home.models_dir().join(format!("{other}.packed"))).unwrap();
    assert!(shelf.get(&other, Kernels::default()).is_none());
    assert_eq!(shelf.meters.refused.counted("form"), 1);
    if KernelSet::Scalar != Kernels::default().set() {
        assert!(shelf.get(&place.id, Kernels::new(KernelSet::Scalar).unwrap()).is_none());
        assert_eq!(shelf.meters.refused.counted("build"), 1);
        assert!(!place.file().exists());
    }
}

#[test]
fn another_key_holds_for_nothing() {
    let place = Place::new();
    place.open().put(&place.id, &place.packed);
    fs::remove_file(place.home.packing_key_file()).unwrap();
    let shelf = place.open();
    assert!(place.get(&shelf).is_none() && !place.file().exists());
    shelf.put(&place.id, &place.packed);
    assert!(place.get(&shelf).is_some());
    fs::write(place.home.packing_key_file(), "no key").unwrap();
    assert!(Shelf::open(&place.home, &place.config, Packing::default()).is_none(), "the node goes on without");
}

#[test]
fn a_full_shelf_lets_go_of_what_nobody_has_asked_for() {
    let mut place = Place::new();
    let bytes = (place.packed.len() + SEAL) as u64;
    let ids = [1u8, 2, 3].map(|byte| ModelId(aceso_types::Digest([byte; 32])));
    let there = |place: &Place| ids.map(|id| place.home.models_dir().join(format!("{id}.packed")).exists());
    place.config.packed_model_bytes = 2 * bytes;
    let shelf = place.open();
    ids.iter().for_each(|id| shelf.put(id, &place.packed));
    assert_eq!(there(&place), [true, true, false], "both were put since the start");
    assert!(!shelf.wants(&ids[2]), "it is not packed again and again");
    // After a start one is asked for, by its right name; the other makes room.
    shelf.put(&place.id, &place.packed);
    let shelf = place.open();
    shelf.remove(&ids[0]);
    shelf.put(&place.id, &place.packed);
    assert_eq!(there(&place), [false, true, false]);
    shelf.put(&ids[2], &place.packed);
    assert_eq!(there(&place), [false, false, true]);
    assert!(place.get(&shelf).is_some());
    shelf.retain(&mut |id| *id == place.id);
    assert_eq!(there(&place), [false; 3]);
    assert!(place.file().exists());
    place.config.packed_model_bytes = bytes - 1;
    assert!(shelf.wants(&ids[0]));
    fs::remove_file(place.file()).unwrap();
    let small = place.open();
    small.put(&ids[0], &place.packed);
    assert!(!small.wants(&ids[0]));
    place.config.packed_model_bytes = 0;
    assert!(Shelf::open(&place.home, &place.config, Packing::default()).is_none());
}

#[test]
fn a_folder_that_takes_nothing_is_tried_once() {
    let place = Place::new();
    let shelf = place.open();
    // Whoever may write everywhere, as root may, cannot write into a folder that is none.
    fs::remove_dir_all(place.home.models_dir()).unwrap();
    fs::write(place.home.models_dir(), b"").unwrap();
    shelf.put(&place.id, &place.packed);
    assert!(!shelf.wants(&place.id) && place.get(&shelf).is_none());
    assert!(shelf.meters.refused.counted("disk") >= 1);
    assert!(Shelf::open(&place.home, &place.config, Packing::default()).is_none());
}

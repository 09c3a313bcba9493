//! The two implementations against each other: what `sdk/verify` makes and checks, and what is checked here.

use std::fmt::Display;

use aceso_types::Digest;
use aceso_verify::grant::{
    Ciphertext, ContentPoint, Entropy, GrantError, Opening, Possession, PublicKey, Registration, SecretKey, Wrap,
};
use proptest::prelude::*;

use super::*;

const COMMITMENT: Digest = Digest([7; 32]);
const SOURCE: Digest = Digest([1; 32]);
const COMMITTEE: Digest = Digest([2; 32]);
const TERMS: Digest = Digest([3; 32]);
const OTHER: Digest = Digest([9; 32]);
const CONTEXT: &[u8] = b"the key of aceso1reader in epoch 4";

const REGISTERED: Registered<'_> =
    Registered { chain_id: "clinic-1", cid: "bafyimage", owner: "aceso1patient", commitment: &COMMITMENT };
const GRANTED: Granted<'_> = Granted {
    chain_id: "clinic-1",
    version: 1,
    source: &SOURCE,
    cid: "bafyimage",
    owner: "aceso1patient",
    grant: 5,
    nonce: &[9; 16],
    epoch: 4,
    committee: &COMMITTEE,
    terms: &TERMS,
};

/// What both say; they must say the same, in the same words.
fn both(ours: Result<(), ProofError>, theirs: Result<(), GrantError>) -> Result<(), ProofError> {
    let words = |said: Option<&dyn Display>| said.map_or("holds".into(), ToString::to_string);
    let (one, other) = (ours.as_ref().err(), theirs.as_ref().err());
    assert_eq!(words(one.map(|e| e as &dyn Display)), words(other.map(|e| e as &dyn Display)));
    ours
}

fn possession(key: &[u8], context: &[u8], proof: &[u8]) -> Result<(), ProofError> {
    let theirs = || {
        let proof = Possession::from_bytes(proof)?;
        PublicKey::from_bytes(key)?.check_possession(context, &proof)
    };
    both(check_possession(key, context, proof), theirs())
}

fn registration(about: &Registered<'_>, bytes: &[u8]) -> Result<(), ProofError> {
    let theirs = Registration::from_bytes(bytes).and_then(|one| one.check(about));
    both(check_registration(about, bytes), theirs)
}

const OPENED: Opened<'_> = Opened { chain_id: "clinic-1", job: 12 };

fn opening(
    about: &Opened<'_>,
    key: &PublicKey,
    from: &Ciphertext,
    point: &[u8],
    proof: &[u8],
) -> Result<(), ProofError> {
    let theirs = || {
        let proof = Opening::from_bytes(proof)?;
        proof.check(about, key, from, &ContentPoint::from_bytes(point)?)
    };
    let (key, from) = (key.to_bytes(), from.to_bytes());
    let source = Source { key: &key, c1: &from[..48], c2: &from[48..] };
    both(check_opening(about, &source, point, proof), theirs())
}

/// A patient, what she sealed, and what she wrapped for some members.
struct Scene {
    patient: SecretKey,
    registration: Registration,
    members: Vec<PublicKey>,
    wrap: Vec<u8>,
}

fn entropy(number: u8) -> Entropy {
    [number; 64]
}

fn key(number: u8) -> SecretKey {
    SecretKey::derive(&[number; 32], b"test", b"context").unwrap()
}

impl Scene {
    fn of(patient: SecretKey, members: Vec<PublicKey>, entropy: &Entropy) -> Self {
        let content = ContentPoint::generate(entropy);
        let registration = Registration::new(&REGISTERED, &patient, &content, entropy);
        let wrap = Wrap::new(&GRANTED, &patient, &registration.sealed, &members, entropy).unwrap();
        Self { patient, registration, members, wrap: wrap.to_bytes() }
    }

    fn with(count: u8) -> Self {
        Self::of(key(1), (0..count).map(|number| key(10 + number).public()).collect(), &entropy(3))
    }

    fn check(&self, about: &Granted<'_>, wrap: &[u8]) -> Result<(), ProofError> {
        self.check_for(about, &self.registration.key, &self.registration.sealed, &self.members, wrap)
    }

    fn check_for(
        &self,
        about: &Granted<'_>,
        key: &PublicKey,
        from: &Ciphertext,
        members: &[PublicKey],
        wrap: &[u8],
    ) -> Result<(), ProofError> {
        let theirs = Wrap::from_bytes(wrap).and_then(|wrap| wrap.check(about, key, from, members));
        let (key, from) = (key.to_bytes(), from.to_bytes());
        let members: Vec<[u8; 48]> = members.iter().map(PublicKey::to_bytes).collect();
        let members: Vec<&[u8]> = members.iter().map(|member| &member[..]).collect();
        let source = Source { key: &key, c1: &from[..48], c2: &from[48..] };
        both(check_wrap(about, &source, &members, wrap), theirs)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn what_one_makes_the_other_believes(
        master in any::<[u8; 32]>(),
        seed in any::<[u8; 32]>(),
        count in 1_u8..6,
        flipped in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let mut entropy = [0; 64];
        entropy[..32].copy_from_slice(&seed);
        let patient = SecretKey::derive(&master, b"patient", &seed).unwrap();
        let reader = |number| SecretKey::derive(&seed, b"reader", &[number]).unwrap();
        let scene = Scene::of(patient, (0..count).map(|number| reader(number).public()).collect(), &entropy);
        prop_assert_eq!(registration(&REGISTERED, &scene.registration.to_bytes()), Ok(()));
        prop_assert_eq!(scene.check(&GRANTED, &scene.wrap), Ok(()));
        let proof = reader(0).possession(CONTEXT, &entropy).to_bytes();
        prop_assert_eq!(possession(&scene.members[0].to_bytes(), CONTEXT, &proof), Ok(()));
        let sealed = Wrap::from_bytes(&scene.wrap).unwrap().of(0).unwrap();
        let (content, proof) = Opening::new(&OPENED, &reader(0), &sealed, &entropy);
        let point = content.to_bytes();
        prop_assert_eq!(opening(&OPENED, &scene.members[0], &sealed, &point[..], &proof.to_bytes()), Ok(()));
        let mut wrap = scene.wrap.clone();
        let at = flipped.index(wrap.len());
        wrap[at] ^= 1 << bit;
        prop_assert!(scene.check(&GRANTED, &wrap).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), key in any::<[u8; 48]>()) {
        let _ = registration(&REGISTERED, &bytes);
        let _ = possession(&key, CONTEXT, &bytes);
        let _ = check_opening(&OPENED, &Source { key: &key, c1: &bytes, c2: &key }, &bytes, &bytes);
        let _ = check_wrap(&GRANTED, &Source { key: &key, c1: &bytes, c2: &key }, &[&bytes], &bytes);
        let _ = Source::of_wrap(&bytes, bytes.len(), &key);
    }
}

#[test]
fn every_byte_counts() {
    let scene = Scene::with(2);
    let flipped = |bytes: &[u8], at: usize| {
        let mut other = bytes.to_vec();
        other[at] ^= 1;
        other
    };
    let bytes = scene.registration.to_bytes();
    for at in 0..bytes.len() {
        assert!(registration(&REGISTERED, &flipped(&bytes, at)).is_err(), "byte {at}");
    }
    for at in 0..scene.wrap.len() {
        assert!(scene.check(&GRANTED, &flipped(&scene.wrap, at)).is_err(), "byte {at}");
    }
    let (public, proof) = (key(1).public().to_bytes(), key(1).possession(CONTEXT, &entropy(1)).to_bytes());
    for at in 0..proof.len() {
        assert!(possession(&public, CONTEXT, &flipped(&proof, at)).is_err(), "byte {at}");
    }
    for length in [0, 1, 63, 65, 96] {
        let mut other = proof.to_vec();
        other.resize(length, 0);
        assert!(matches!(possession(&public, CONTEXT, &other), Err(ProofError::Length { .. })));
        let mut other = bytes.to_vec();
        other.resize(length, 0);
        assert!(matches!(registration(&REGISTERED, &other), Err(ProofError::Length { .. })));
    }
}

#[test]
fn a_registration_is_about_one_record_of_one_owner_on_one_chain() {
    let bytes = Scene::with(1).registration.to_bytes();
    for wrong in [
        Registered { chain_id: "clinic-2", ..REGISTERED },
        Registered { cid: "bafyother", ..REGISTERED },
        Registered { owner: "aceso1thief", ..REGISTERED },
        Registered { commitment: &OTHER, ..REGISTERED },
        // The same bytes, cut in another way.
        Registered { chain_id: "clinic-1b", cid: "afyimage", ..REGISTERED },
    ] {
        assert_eq!(registration(&wrong, &bytes), Err(ProofError::Proof("registration")), "{wrong:?}");
    }
}

#[test]
fn a_wrap_is_about_one_grant_one_source_and_its_members() {
    let scene = Scene::with(2);
    let refused = Err(ProofError::Proof("wrap"));
    for wrong in [
        Granted { chain_id: "clinic-2", ..GRANTED },
        Granted { version: 2, ..GRANTED },
        Granted { source: &OTHER, ..GRANTED },
        Granted { cid: "bafyother", ..GRANTED },
        Granted { owner: "aceso1other", ..GRANTED },
        Granted { grant: 6, ..GRANTED },
        Granted { nonce: &[8; 16], ..GRANTED },
        Granted { epoch: 5, ..GRANTED },
        Granted { committee: &OTHER, ..GRANTED },
        Granted { terms: &OTHER, ..GRANTED },
    ] {
        assert_eq!(scene.check(&wrong, &scene.wrap), refused, "{wrong:?}");
    }
    let (key, sealed) = (&scene.registration.key, &scene.registration.sealed);
    let swapped = [scene.members[1], scene.members[0]];
    assert_eq!(scene.check_for(&GRANTED, key, sealed, &swapped, &scene.wrap), refused);
    assert_eq!(scene.check_for(&GRANTED, &scene.members[0], sealed, &scene.members, &scene.wrap), refused);
    let content = ContentPoint::generate(&entropy(77));
    let stranger = Registration::new(&REGISTERED, &scene.patient, &content, &entropy(3));
    assert_eq!(scene.check_for(&GRANTED, key, &stranger.sealed, &scene.members, &scene.wrap), refused);
}

#[test]
fn an_opening_is_about_one_ciphertext_one_point_one_job_and_one_chain() {
    let scene = Scene::with(2);
    let (key, sealed) = (&scene.registration.key, &scene.registration.sealed);
    let (content, proof) = Opening::new(&OPENED, &scene.patient, sealed, &entropy(5));
    let (point, proof) = (content.to_bytes(), proof.to_bytes());
    assert_eq!(opening(&OPENED, key, sealed, &point[..], &proof), Ok(()));
    let refused = Err(ProofError::Proof("opening"));
    for wrong in [
        Opened { chain_id: "clinic-2", ..OPENED },
        Opened { job: 13, ..OPENED },
        Opened { chain_id: "clinic-1\0", job: 12 },
    ] {
        assert_eq!(opening(&wrong, key, sealed, &point[..], &proof), refused, "{wrong:?}");
    }
    // Another key, another ciphertext of the same point, another point.
    assert_eq!(opening(&OPENED, &scene.members[0], sealed, &point[..], &proof), refused);
    let wrapped = Wrap::from_bytes(&scene.wrap).unwrap().of(0).unwrap();
    assert_eq!(opening(&OPENED, key, &wrapped, &point[..], &proof), refused);
    let other = ContentPoint::generate(&entropy(78)).to_bytes();
    assert_eq!(opening(&OPENED, key, sealed, &other[..], &proof), refused);
    // Whoever has another key opens another point, and proves it of her own key only.
    let (theirs, proof_of_theirs) = Opening::new(&OPENED, &self::key(10), sealed, &entropy(5));
    let theirs = theirs.to_bytes();
    assert_eq!(opening(&OPENED, key, sealed, &theirs[..], &proof_of_theirs.to_bytes()), refused);
    for hostile in hostile() {
        let refused = opening(&OPENED, key, sealed, &hostile, &proof);
        assert_eq!(refused, Err(ProofError::Point("a content point")), "{hostile:?}");
    }
    let flipped = |bytes: &[u8], at: usize| {
        let mut other = bytes.to_vec();
        other[at] ^= 1;
        other
    };
    for at in 0..64 {
        assert!(opening(&OPENED, key, sealed, &point[..], &flipped(&proof, at)).is_err(), "byte {at}");
    }
    for at in 0..48 {
        assert!(opening(&OPENED, key, sealed, &flipped(&point[..], at), &proof).is_err(), "byte {at} of the point");
    }
    for length in [0, 63, 65] {
        let mut other = proof.to_vec();
        other.resize(length, 0);
        assert!(matches!(opening(&OPENED, key, sealed, &point[..], &other), Err(ProofError::Length { .. })));
    }
    let spelled = [&[0xff; 32][..], &proof[32..]].concat();
    assert_eq!(opening(&OPENED, key, sealed, &point[..], &spelled), Err(ProofError::Scalar("an opening's proof")));
}

/// The identity; a point of order 3; one on the curve and outside the subgroup; one beyond the field; one off the curve.
fn hostile() -> Vec<[u8; 48]> {
    let at = |first: u8, last: u8| {
        let mut bytes = [0; 48];
        (bytes[0], bytes[47]) = (first, last);
        bytes
    };
    vec![at(0xc0, 0), at(0x80, 0), at(0x80, 4), [0xff; 48], at(0x80, 1), at(0, 4), at(0xe0, 0)]
}

#[test]
fn hostile_points() {
    let scene = Scene::with(2);
    let bytes = scene.registration.to_bytes();
    let proof = key(1).possession(CONTEXT, &entropy(1)).to_bytes();
    for point in hostile() {
        assert_eq!(possession(&point, CONTEXT, &proof), Err(ProofError::Point("a public key")), "{point:?}");
        for place in 0..3 {
            let mut other = bytes;
            other[place * 48..][..48].copy_from_slice(&point);
            let refused = registration(&REGISTERED, &other);
            assert!(matches!(refused, Err(ProofError::Point(_))), "{place}: {refused:?}");
            let mut other = scene.wrap.clone();
            other[place * 48..][..48].copy_from_slice(&point);
            let refused = scene.check(&GRANTED, &other);
            assert!(matches!(refused, Err(ProofError::Point(_))), "{place}: {refused:?}");
        }
    }
}

#[test]
fn scalars_have_one_spelling() {
    let scene = Scene::with(1);
    let order = hex::decode("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001").unwrap();
    for scalar in [order, vec![0xff; 32]] {
        for place in 0..3 {
            let mut other = scene.registration.to_bytes();
            other[144 + place * 32..][..32].copy_from_slice(&scalar);
            assert_eq!(registration(&REGISTERED, &other), Err(ProofError::Scalar("a registration's proof")));
            let mut other = scene.wrap.clone();
            other[96 + place * 32..][..32].copy_from_slice(&scalar);
            assert_eq!(scene.check(&GRANTED, &other), Err(ProofError::Scalar("a wrap's proof")));
        }
        let proof = [&scalar[..], &[0; 32]].concat();
        let refused = possession(&key(1).public().to_bytes(), CONTEXT, &proof);
        assert_eq!(refused, Err(ProofError::Scalar("a proof of possession")));
    }
}

#[test]
fn a_key_that_is_made_of_others_has_no_proof() {
    let (mine, yours) = (key(1), key(2).public().to_bytes());
    let proof = mine.possession(CONTEXT, &entropy(1)).to_bytes();
    let minus = Scalar::checked(&[&[0; 31][..], &[1]].concat().try_into().unwrap()).unwrap().negative();
    let rogue = known(&mine.public().to_bytes(), "mine").unwrap().plus(&known(&yours, "yours").unwrap().times(&minus));
    for key in [yours, rogue.bytes()] {
        assert_eq!(possession(&key, CONTEXT, &proof), Err(ProofError::Proof("key's possession")));
    }
    assert_eq!(possession(&mine.public().to_bytes(), b"another", &proof), Err(ProofError::Proof("key's possession")));
}

/// A commitment may be the identity: whoever knows the secret 1 may draw 0. Both implementations hash it alike.
#[test]
fn a_commitment_that_is_the_identity() {
    let generator = Point::generator().bytes();
    let mut identity = [0; 48];
    identity[0] = 0xc0;
    let transcript = Transcript::new(POSSESSION).field(&generator).field(CONTEXT).field(&identity);
    let challenge = Scalar::reduced(&transcript.0.finalize().into()).bytes();
    assert_eq!(possession(&generator, CONTEXT, &[challenge, challenge].concat()), Ok(()));
}

#[test]
fn a_committee_of_all_and_no_larger_one() {
    let scene = Scene::with(128);
    assert_eq!(scene.check(&GRANTED, &scene.wrap), Ok(()));
    let mut other = scene.wrap.clone();
    let last = 48 * 128;
    let before: Vec<u8> = other[last - 48..last].to_vec();
    other[last..last + 48].copy_from_slice(&before);
    assert_eq!(scene.check(&GRANTED, &other), Err(ProofError::Proof("wrap")));
    let point = scene.members[0].to_bytes();
    let source = Source { key: &point, c1: &point, c2: &point };
    for count in [0, 129] {
        let members = vec![&point[..]; count];
        let refused = check_wrap(&GRANTED, &source, &members, &scene.wrap);
        assert_eq!(refused, Err(ProofError::Members { most: 128, got: count }));
    }
    let refused = check_wrap(&GRANTED, &source, &[&point[..]; 127], &scene.wrap);
    assert_eq!(refused, Err(ProofError::Length { what: "a wrap", want: wrap_len(127), got: wrap_len(128) }));
}

#[test]
fn a_place_of_a_wrap() {
    let scene = Scene::with(2);
    let wrap = Wrap::from_bytes(&scene.wrap).unwrap();
    for place in 0..2 {
        let source = Source::of_wrap(&scene.wrap, place, &[]).unwrap();
        assert_eq!([source.c1, source.c2].concat(), wrap.of(place).unwrap().to_bytes());
    }
    for place in [2, 3, usize::MAX] {
        assert!(Source::of_wrap(&scene.wrap, place, &[]).is_none());
    }
    assert!(Source::of_registration(&[0; 143]).is_none());
}

/// What `sdk/verify` has written down for other implementations holds here too, and what it refuses is refused.
#[test]
fn the_vectors_hold() {
    let text = std::fs::read_to_string("../../sdk/verify/tests/vectors/grants.json").unwrap();
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    let list = |name: &str| all[name].as_array().filter(|list| !list.is_empty()).unwrap().clone();
    let text = |one: &serde_json::Value, name: &str| one[name].as_str().unwrap().to_owned();
    let bytes = |one: &serde_json::Value, name: &str| hex::decode(text(one, name)).unwrap();
    let digest = |one: &serde_json::Value, name: &str| Digest::try_from(&bytes(one, name)[..]).unwrap();
    let public = |secret: &[u8]| SecretKey::from_bytes(secret.try_into().unwrap()).unwrap().public().to_bytes();
    for one in list("possessions") {
        check_possession(&public(&bytes(&one, "secret")), &bytes(&one, "context"), &bytes(&one, "proof")).unwrap();
    }
    for one in list("registrations") {
        let (chain_id, cid, owner) = (text(&one, "chain_id"), text(&one, "cid"), text(&one, "owner"));
        let commitment = digest(&one, "commitment");
        let about = Registered { chain_id: &chain_id, cid: &cid, owner: &owner, commitment: &commitment };
        check_registration(&about, &bytes(&one, "registration")).unwrap();
    }
    for one in list("wraps") {
        let (chain_id, cid, owner) = (text(&one, "chain_id"), text(&one, "cid"), text(&one, "owner"));
        let (source, committee, terms) = (digest(&one, "source"), digest(&one, "committee"), digest(&one, "terms"));
        let nonce = bytes(&one, "nonce");
        let about = Granted {
            chain_id: &chain_id,
            version: one["version"].as_u64().unwrap().try_into().unwrap(),
            source: &source,
            cid: &cid,
            owner: &owner,
            grant: text(&one, "grant").parse().unwrap(),
            nonce: nonce[..].try_into().unwrap(),
            epoch: text(&one, "epoch").parse().unwrap(),
            committee: &committee,
            terms: &terms,
        };
        let members = one["members"].as_array().unwrap().iter();
        let members: Vec<[u8; 48]> =
            members.map(|secret| public(&hex::decode(secret.as_str().unwrap()).unwrap())).collect();
        let members: Vec<&[u8]> = members.iter().map(|member| &member[..]).collect();
        let (key, from) = (public(&bytes(&one, "secret")), bytes(&one, "from"));
        let source = Source { key: &key, c1: &from[..48], c2: &from[48..] };
        check_wrap(&about, &source, &members, &bytes(&one, "wrap")).unwrap();
    }
    let points = all["refused"]["points"].as_array().unwrap();
    assert!(points.len() > 10);
    for point in points {
        assert!(Point::checked(&bytes(point, "bytes")).is_none(), "{}", text(point, "what"));
    }
}

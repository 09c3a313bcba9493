//! Grants as their users meet them: registered, wrapped, opened, passed on; and everything that must not hold.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use aceso_types::Digest;
use aceso_verify::grant::{
    Ciphertext, ContentPoint, Entropy, GrantError, Granted, MEMBERS_MAX, Opened, Opening, Possession, PublicKey,
    Registered, Registration, SecretKey, Wrap,
};
use expect_test::expect;
use proptest::prelude::*;

fn entropy(number: u8) -> Entropy {
    [number; 64]
}

fn key(number: u8) -> SecretKey {
    SecretKey::derive(&[number; 32], b"test", b"context").unwrap()
}

const COMMITMENT: Digest = Digest([7; 32]);

fn about() -> Registered<'static> {
    Registered { chain_id: "clinic-1", cid: "bafyimage", owner: "aceso1patient", commitment: &COMMITMENT }
}

const SOURCE: Digest = Digest([1; 32]);
const COMMITTEE: Digest = Digest([2; 32]);
const TERMS: Digest = Digest([3; 32]);

fn granted() -> Granted<'static> {
    Granted {
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
    }
}

struct Scene {
    patient: SecretKey,
    content: ContentPoint,
    registration: Registration,
    secrets: Vec<SecretKey>,
    members: Vec<PublicKey>,
    wrap: Wrap,
}

fn scene(count: u8) -> Scene {
    let (patient, content) = (key(1), ContentPoint::generate(&entropy(2)));
    let registration = Registration::new(&about(), &patient, &content, &entropy(3));
    let secrets: Vec<SecretKey> = (0..count).map(|number| key(10 + number)).collect();
    let members: Vec<PublicKey> = secrets.iter().map(SecretKey::public).collect();
    let wrap = Wrap::new(&granted(), &patient, &registration.sealed, &members, &entropy(4)).unwrap();
    Scene { patient, content, registration, secrets, members, wrap }
}

#[test]
fn a_committee_opens_what_the_patient_sealed() {
    let scene = scene(5);
    scene.registration.check(&about()).unwrap();
    assert_eq!(scene.registration.sealed.open(&scene.patient), scene.content);
    scene.wrap.check(&granted(), &scene.registration.key, &scene.registration.sealed, &scene.members).unwrap();
    for (place, secret) in scene.secrets.iter().enumerate() {
        let opened = scene.wrap.of(place).unwrap().open(secret);
        assert_eq!(opened, scene.content);
        assert_eq!(
            (opened.key(b"image 1"), opened.commitment()),
            (scene.content.key(b"image 1"), scene.content.commitment())
        );
    }
    assert!(scene.wrap.of(5).is_none());
    // Another member's secret, and another purpose, give something else.
    assert_ne!(scene.wrap.of(0).unwrap().open(&scene.secrets[1]).commitment(), scene.content.commitment());
    assert_ne!(scene.content.key(b"image 1"), scene.content.key(b"image 2"));
}

#[test]
fn a_reader_passes_it_on() {
    let scene = scene(2);
    let (from, secret) = (scene.wrap.of(1).unwrap(), &scene.secrets[1]);
    let newcomer = key(99);
    let on = Granted { source: &Digest([8; 32]), grant: 6, ..granted() };
    let wrap = Wrap::new(&on, secret, &from, &[newcomer.public()], &entropy(5)).unwrap();
    wrap.check(&on, &secret.public(), &from, &[newcomer.public()]).unwrap();
    assert_eq!(wrap.of(0).unwrap().open(&newcomer), scene.content);
}

#[test]
fn every_spelling_comes_back_and_no_other_byte_holds() {
    let scene = scene(3);
    let bytes = scene.registration.to_bytes();
    assert_eq!(Registration::from_bytes(&bytes).unwrap(), scene.registration);
    let wrap = scene.wrap.to_bytes();
    assert_eq!(Wrap::from_bytes(&wrap).unwrap(), scene.wrap);
    for at in 0..bytes.len() {
        let mut other = bytes;
        other[at] ^= 1;
        assert!(Registration::from_bytes(&other).and_then(|one| one.check(&about())).is_err(), "byte {at}");
    }
    for at in 0..wrap.len() {
        let mut other = wrap.clone();
        other[at] ^= 1;
        let held = Wrap::from_bytes(&other).and_then(|wrap| {
            wrap.check(&granted(), &scene.registration.key, &scene.registration.sealed, &scene.members)
        });
        assert!(held.is_err(), "byte {at}");
    }
    for length in [0, 1, 47, 48, 143, 144, wrap.len() - 1, wrap.len() + 1, wrap.len() + 48] {
        let mut other = wrap.clone();
        other.resize(length, 0);
        assert!(Wrap::from_bytes(&other).is_err(), "{length} bytes");
        other.resize(length % (bytes.len() + 1), 0);
        assert!(other.len() == bytes.len() || Registration::from_bytes(&other).is_err());
    }
}

#[test]
fn a_registration_is_about_one_image_of_one_owner_on_one_chain() {
    let scene = scene(1);
    let other = Digest([8; 32]);
    for wrong in [
        Registered { chain_id: "clinic-2", ..about() },
        Registered { cid: "bafyother", ..about() },
        // Somebody who saw it first registers it as hers.
        Registered { owner: "aceso1thief", ..about() },
        Registered { commitment: &other, ..about() },
        // The same bytes, cut in another way.
        Registered { chain_id: "clinic-1b", cid: "afyimage", ..about() },
    ] {
        assert_eq!(scene.registration.check(&wrong), Err(GrantError::Proof("registration")), "{wrong:?}");
    }
}

#[test]
fn a_wrap_is_about_one_grant() {
    let scene = scene(2);
    let (other, nonce) = (Digest([9; 32]), [8; 16]);
    let (key, from) = (&scene.registration.key, &scene.registration.sealed);
    let proof = Err(GrantError::Proof("wrap"));
    for wrong in [
        Granted { chain_id: "clinic-2", ..granted() },
        Granted { version: 2, ..granted() },
        Granted { source: &other, ..granted() },
        Granted { cid: "bafyother", ..granted() },
        Granted { owner: "aceso1other", ..granted() },
        Granted { grant: 6, ..granted() },
        Granted { nonce: &nonce, ..granted() },
        Granted { epoch: 5, ..granted() },
        Granted { committee: &other, ..granted() },
        Granted { terms: &other, ..granted() },
    ] {
        assert_eq!(scene.wrap.check(&wrong, key, from, &scene.members), proof, "{wrong:?}");
    }
    let swapped = [scene.members[1], scene.members[0]];
    assert_eq!(scene.wrap.check(&granted(), key, from, &swapped), proof);
    assert_eq!(scene.wrap.check(&granted(), &scene.members[0], from, &scene.members), proof);
    let stranger = Registration::new(&about(), &scene.patient, &ContentPoint::generate(&entropy(77)), &entropy(3));
    assert_eq!(scene.wrap.check(&granted(), key, &stranger.sealed, &scene.members), proof);
    let fewer = scene.wrap.check(&granted(), key, from, &scene.members[..1]);
    assert_eq!(fewer, Err(GrantError::Members { most: 2, got: 1 }));
}

#[test]
fn a_member_who_got_something_else_is_noticed() {
    // A wrap whose second member gets another K: its bytes put into an honest one.
    let scene = scene(2);
    let lie = Wrap::new(&granted(), &key(50), &scene.registration.sealed, &scene.members, &entropy(4)).unwrap();
    let (honest, lie) = (scene.wrap.to_bytes(), lie.to_bytes());
    for part in [0..48, 48..96, 96..144, 144..176, 176..208, 208..240] {
        let mut mixed = honest.clone();
        mixed[part.clone()].copy_from_slice(&lie[part.clone()]);
        if mixed == honest {
            continue;
        }
        let wrap = Wrap::from_bytes(&mixed).unwrap();
        let held = wrap.check(&granted(), &scene.registration.key, &scene.registration.sealed, &scene.members);
        assert_eq!(held, Err(GrantError::Proof("wrap")), "{part:?}");
    }
}

#[test]
fn hostile_points_and_scalars() {
    let identity = {
        let mut bytes = [0; 48];
        bytes[0] = 0xc0;
        bytes
    };
    // x = 4 lies on the curve and not in the subgroup.
    let outside = {
        let mut bytes = [0; 48];
        bytes[0] = 0x80;
        bytes[47] = 4;
        bytes
    };
    for bytes in [identity, outside, [0; 48], [0xff; 48]] {
        assert_eq!(PublicKey::from_bytes(&bytes), Err(GrantError::Point("a public key")), "{bytes:?}");
    }
    assert!(matches!(PublicKey::from_bytes(&[0; 47]), Err(GrantError::Length { want: 48, got: 47, .. })));
    assert!(matches!(Ciphertext::from_bytes(&[0; 95]), Err(GrantError::Length { want: 96, got: 95, .. })));
    assert_eq!(SecretKey::from_bytes(&[0; 32]).unwrap_err(), GrantError::Zero);
    // The order itself, and everything above.
    let order = hex::decode("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001").unwrap();
    assert_eq!(SecretKey::from_bytes(&order.try_into().unwrap()).unwrap_err(), GrantError::Scalar("the secret key"));
    assert_eq!(SecretKey::from_bytes(&[0xff; 32]).unwrap_err(), GrantError::Scalar("the secret key"));
    let scene = scene(1);
    let mut bytes = scene.wrap.to_bytes();
    let end = bytes.len();
    bytes[end - 32..].fill(0xff);
    assert_eq!(Wrap::from_bytes(&bytes), Err(GrantError::Scalar("a wrap's proof")));
    let many = vec![key(1).public(); MEMBERS_MAX + 1];
    for members in [&[][..], &many] {
        let refused = Wrap::new(&granted(), &scene.patient, &scene.registration.sealed, members, &entropy(1));
        assert_eq!(refused, Err(GrantError::Members { most: MEMBERS_MAX, got: members.len() }));
    }
}

#[test]
fn possession_is_of_one_key_in_one_context() {
    let key = key(1);
    let proof = key.possession(b"aceso1reader/epoch 4", &entropy(1));
    key.public().check_possession(b"aceso1reader/epoch 4", &proof).unwrap();
    assert_eq!(Possession::from_bytes(&proof.to_bytes()), Ok(proof));
    let wrong = Err(GrantError::Proof("key's possession"));
    assert_eq!(key.public().check_possession(b"aceso1reader/epoch 5", &proof), wrong);
    // A rogue key: the sum of mine and yours has no proof.
    assert_eq!(self::key(2).public().check_possession(b"aceso1reader/epoch 4", &proof), wrong);
}

#[test]
fn what_was_opened_can_be_shown_and_nothing_else() {
    let scene = scene(3);
    let about = Opened { chain_id: "clinic-1", job: 4 };
    let wrong = Err(GrantError::Proof("opening"));
    let other = ContentPoint::generate(&entropy(8));
    // Who registered it and each who was let in show the same point.
    let owner = (&scene.patient, scene.registration.sealed);
    let members = scene.secrets.iter().enumerate().map(|(place, key)| (key, scene.wrap.of(place).unwrap()));
    for (key, sealed) in members.chain([owner]) {
        let (content, opening) = Opening::new(&about, key, &sealed, &entropy(6));
        assert_eq!(content, scene.content);
        assert_eq!(opening.check(&about, &key.public(), &sealed, &content), Ok(()));
        assert_eq!(Opening::from_bytes(&opening.to_bytes()), Ok(opening));
        assert_eq!(opening.check(&about, &key.public(), &sealed, &other), wrong);
        assert_eq!(opening.check(&Opened { job: 5, ..about }, &key.public(), &sealed, &content), wrong);
        assert_eq!(opening.check(&Opened { chain_id: "clinic-2", ..about }, &key.public(), &sealed, &content), wrong);
        // The same randomness for another job draws another nonce.
        let again = Opening::new(&Opened { job: 5, ..about }, key, &sealed, &entropy(6)).1;
        assert_ne!(again.to_bytes()[..32], opening.to_bytes()[..32]);
    }
    // A stranger's key opens a point as well, and he cannot say that it is hers.
    let (theirs, opening) = Opening::new(&about, &key(9), &scene.registration.sealed, &entropy(6));
    assert_ne!(theirs, scene.content);
    assert_eq!(opening.check(&about, &scene.patient.public(), &scene.registration.sealed, &theirs), wrong);
}

#[test]
fn the_same_randomness_twice_gives_no_secret_away() {
    // Two proofs with one nonce and two challenges would solve for the secret: nonces follow from statements too.
    let key = key(1);
    let (one, two) = (key.possession(b"one", &entropy(1)), key.possession(b"two", &entropy(1)));
    assert_ne!(one.to_bytes()[..32], two.to_bytes()[..32]);
    let scene = scene(1);
    let again = Granted { grant: 6, ..granted() };
    let second = Wrap::new(&again, &scene.patient, &scene.registration.sealed, &scene.members, &entropy(4)).unwrap();
    assert_ne!(scene.wrap.to_bytes()[..48], second.to_bytes()[..48], "s is drawn again");
}

#[test]
fn vectors() {
    let scene = scene(2);
    let digest = |bytes: &[u8]| {
        use sha2::Digest;
        hex::encode(sha2::Sha256::digest(bytes))
    };
    let lines = [
        format!("patient {}", hex::encode(scene.patient.public().to_bytes())),
        format!("content key {}", hex::encode(scene.content.key(b"seal"))),
        format!("commitment {}", hex::encode(scene.content.commitment().0)),
        format!("registration {}", digest(&scene.registration.to_bytes())),
        format!("wrap {}", digest(&scene.wrap.to_bytes())),
        format!("possession {}", digest(&scene.patient.possession(b"context", &entropy(1)).to_bytes())),
        format!("opening {}", {
            let about = Opened { chain_id: "clinic-1", job: 4 };
            digest(&Opening::new(&about, &scene.patient, &scene.registration.sealed, &entropy(1)).1.to_bytes())
        }),
    ];
    expect![[r#"
        patient 80508df43c411e496f260cecdb3a740f8dc3be922ce7369d8924666ac6e35ec6a42555a91871acfe2353c034d7df2f9a
        content key 47d96a5bba2a7616f0969539effd5a0ab2c28934a5b31d23f333080974187cfd
        commitment 132d20d34e49a87f4e0a8b7fa4b739a92fb165e201bec4f357be85bd1d6de837
        registration 1734c57aada1ff0724d0043d83759161cfe97121ffa197bc145a137694de7336
        wrap d81daf9429a894a5d2bff637b96122bfc6c078a90e836e4ef9520cf8126bfc5b
        possession 17da8d1175de21a55fa524e81e22121010a239a181cc8d0b930b922f6315c9cc
        opening 6a30cbb4b16e2aad5a15d6a26a3b1211edd687cebc8f59ce241124f89347a238"#]]
    .assert_eq(&lines.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn whatever_the_keys(master in any::<[u8; 32]>(), seed in any::<[u8; 32]>(), count in 1_u8..6) {
        let mut entropy = [0; 64];
        entropy[..32].copy_from_slice(&seed);
        let patient = SecretKey::derive(&master, b"patient", &seed).unwrap();
        let content = ContentPoint::generate(&entropy);
        let registration = Registration::new(&about(), &patient, &content, &entropy);
        prop_assert!(registration.check(&about()).is_ok());
        let secrets: Vec<SecretKey> =
            (0..count).map(|number| SecretKey::derive(&seed, b"reader", &[number]).unwrap()).collect();
        let members: Vec<PublicKey> = secrets.iter().map(SecretKey::public).collect();
        let wrap = Wrap::new(&granted(), &patient, &registration.sealed, &members, &entropy).unwrap();
        prop_assert!(wrap.check(&granted(), &registration.key, &registration.sealed, &members).is_ok());
        for (place, secret) in secrets.iter().enumerate() {
            prop_assert!(wrap.of(place).unwrap().open(secret) == content);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Registration::from_bytes(&bytes);
        let _ = Wrap::from_bytes(&bytes);
        let _ = Ciphertext::from_bytes(&bytes);
        let _ = Possession::from_bytes(&bytes);
        let _ = PublicKey::from_bytes(&bytes);
    }
}

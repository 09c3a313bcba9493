//! Secrets dealt to guardians: brought back by enough of them, by fewer not, and every liar found.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use aceso_verify::grant::{Deal, Dealt, GUARDIANS_MAX, GrantError, Handed, PublicKey, SecretKey, Share};
use proptest::prelude::*;

fn key(number: u8) -> SecretKey {
    SecretKey::derive(&[number; 32], b"test", b"context").unwrap()
}

const ABOUT: Dealt<'static> = Dealt { chain_id: "clinic-1", owner: "aceso1patient", version: 3 };

struct Scene {
    secret: SecretKey,
    guardians: Vec<SecretKey>,
    keys: Vec<PublicKey>,
    deal: Deal,
}

fn scene(threshold: usize, count: u8) -> Scene {
    let guardians: Vec<SecretKey> = (0..count).map(|number| key(20 + number)).collect();
    let keys: Vec<PublicKey> = guardians.iter().map(SecretKey::public).collect();
    let deal = Deal::new(&ABOUT, &key(1), threshold, &keys, &[7; 64]).unwrap();
    Scene { secret: key(1), guardians, keys, deal }
}

impl Scene {
    fn share(&self, place: u8) -> Share {
        self.deal.open(&ABOUT, place, &self.guardians[usize::from(place) - 1]).unwrap()
    }

    fn shares(&self, places: &[u8]) -> Vec<Share> {
        places.iter().map(|place| self.share(*place)).collect()
    }
}

#[test]
fn enough_guardians_bring_it_back_and_fewer_do_not() {
    let scene = scene(3, 5);
    scene.deal.check(&ABOUT, &scene.keys).unwrap();
    assert_eq!((scene.deal.key(), scene.deal.threshold(), scene.deal.guardians()), (scene.secret.public(), 3, 5));
    for places in [[1, 2, 3], [3, 4, 5], [5, 1, 3]] {
        let back = scene.deal.recover(&scene.shares(&places)).unwrap();
        assert_eq!(back.to_bytes(), scene.secret.to_bytes(), "{places:?}");
    }
    let all = scene.deal.recover(&scene.shares(&[1, 2, 3, 4, 5])).unwrap();
    assert_eq!(all.to_bytes(), scene.secret.to_bytes());
    for places in [&[][..], &[1], &[1, 2], &[4, 4, 4, 2]] {
        let got = places.iter().collect::<std::collections::BTreeSet<_>>().len();
        let refused = scene.deal.recover(&scene.shares(places)).unwrap_err();
        assert_eq!(refused, GrantError::Shares { want: 3, got }, "{places:?}");
    }
}

#[test]
fn shares_are_handed_to_who_collects_and_to_nobody_else() {
    let scene = scene(2, 3);
    let phone = key(90);
    let handed: Vec<Handed> = [1, 3]
        .map(|place| scene.deal.hand(&ABOUT, &scene.share(place), &phone.public(), &[place; 64]))
        .into_iter()
        .collect();
    let shares: Vec<Share> = handed.iter().map(|handed| scene.deal.receive(&ABOUT, handed, &phone).unwrap()).collect();
    assert_eq!(scene.deal.recover(&shares).unwrap().to_bytes(), scene.secret.to_bytes());
    // Another phone, another guardian's place, another version.
    assert_eq!(scene.deal.receive(&ABOUT, &handed[0], &key(91)).unwrap_err(), GrantError::Share(1));
    let bytes = handed[1].to_bytes();
    assert_eq!(Handed::from_bytes(&bytes).unwrap(), handed[1]);
    let moved = Handed::from_bytes(&[&[2][..], &bytes[1..]].concat()).unwrap();
    assert_eq!(scene.deal.receive(&ABOUT, &moved, &phone).unwrap_err(), GrantError::Share(2));
    let later = Dealt { version: 4, ..ABOUT };
    assert_eq!(scene.deal.receive(&later, &handed[0], &phone).unwrap_err(), GrantError::Share(1));
}

#[test]
fn a_guardian_who_lies_is_named() {
    let scene = scene(2, 3);
    let mut shares = scene.shares(&[1, 2]);
    let mut lie = shares.remove(1).to_bytes();
    lie[32] ^= 1;
    shares.push(Share::from_bytes(&lie).unwrap());
    assert_eq!(scene.deal.recover(&shares).unwrap_err(), GrantError::Share(2));
    // With the honest third it goes on.
    shares.pop();
    shares.push(scene.share(3));
    assert_eq!(scene.deal.recover(&shares).unwrap().to_bytes(), scene.secret.to_bytes());
    // Places that nobody has.
    for place in [0, 4, 255] {
        let mut nobody = scene.share(1).to_bytes();
        nobody[0] = place;
        let nobody = [Share::from_bytes(&nobody).unwrap()];
        assert_eq!(scene.deal.recover(&nobody).unwrap_err(), GrantError::Share(place));
        assert_eq!(scene.deal.open(&ABOUT, place, &scene.guardians[0]).unwrap_err(), GrantError::Share(place));
    }
}

#[test]
fn a_dealer_who_lies_is_found_by_whom_he_cheated() {
    // He deals one polynomial to some and another to the rest: the proof holds, the share does not.
    let honest = scene(2, 3);
    let other = Deal::new(&ABOUT, &key(2), 2, &honest.keys, &[8; 64]).unwrap().to_bytes();
    let bytes = honest.deal.to_bytes();
    let mut mixed = bytes.clone();
    let third = 2 + 3 * 48 + 2 * 32..2 + 3 * 48 + 3 * 32;
    mixed[third.clone()].copy_from_slice(&other[third]);
    let mixed = Deal::from_bytes(&mixed).unwrap();
    assert_eq!(mixed.check(&ABOUT, &honest.keys), Err(GrantError::Proof("deal")), "the proof is about the shares too");
    assert_eq!(mixed.open(&ABOUT, 3, &honest.guardians[2]).unwrap_err(), GrantError::Share(3));
    mixed.open(&ABOUT, 1, &honest.guardians[0]).unwrap();
}

#[test]
fn what_was_dealt_before_does_not_mix_with_what_came_after() {
    let before = scene(2, 3);
    let later = Dealt { version: 4, ..ABOUT };
    let after = Deal::new(&later, &key(5), 2, &before.keys, &[7; 64]).unwrap();
    let fresh = after.open(&later, 1, &before.guardians[0]).unwrap();
    let shares = [fresh, before.share(2)];
    assert_eq!(after.recover(&shares).unwrap_err(), GrantError::Share(2));
    assert_eq!(before.deal.recover(&shares).unwrap_err(), GrantError::Share(1));
    // Even one secret that is dealt again has other shares.
    let again = Deal::new(&later, &before.secret, 2, &before.keys, &[7; 64]).unwrap();
    assert_eq!(again.recover(&before.shares(&[1, 2])).unwrap_err(), GrantError::Share(1));
}

#[test]
fn a_deal_is_about_one_version_of_one_owner_on_one_chain() {
    let scene = scene(2, 3);
    for wrong in [
        Dealt { chain_id: "clinic-2", ..ABOUT },
        Dealt { owner: "aceso1thief", ..ABOUT },
        Dealt { version: 2, ..ABOUT },
        Dealt { chain_id: "clinic-1a", owner: "ceso1patient", ..ABOUT },
    ] {
        assert_eq!(scene.deal.check(&wrong, &scene.keys), Err(GrantError::Proof("deal")), "{wrong:?}");
        let opened = scene.deal.open(&wrong, 1, &scene.guardians[0]);
        assert_eq!(opened.unwrap_err(), GrantError::Share(1), "{wrong:?}");
    }
    let swapped = [scene.keys[1], scene.keys[0], scene.keys[2]];
    assert_eq!(scene.deal.check(&ABOUT, &swapped), Err(GrantError::Proof("deal")));
    let fewer = scene.deal.check(&ABOUT, &scene.keys[..2]);
    assert_eq!(fewer, Err(GrantError::Guardians { most: 3, threshold: 2, got: 2 }));
    assert_eq!(scene.deal.open(&ABOUT, 2, &scene.guardians[0]).unwrap_err(), GrantError::Share(2));
}

#[test]
fn every_spelling_comes_back_and_no_other_byte_holds() {
    let scene = scene(2, 3);
    let bytes = scene.deal.to_bytes();
    assert_eq!(Deal::from_bytes(&bytes).unwrap(), scene.deal);
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert!(Deal::from_bytes(&other).and_then(|deal| deal.check(&ABOUT, &scene.keys)).is_err(), "byte {at}");
    }
    for length in [0, 1, 2, 50, bytes.len() - 1, bytes.len() + 1, bytes.len() + 32] {
        let mut other = bytes.clone();
        other.resize(length, 0);
        assert!(Deal::from_bytes(&other).is_err(), "{length} bytes");
    }
    let handed = scene.deal.hand(&ABOUT, &scene.share(1), &key(90).public(), &[1; 64]).to_bytes();
    for at in 0..handed.len() {
        let mut other = handed;
        other[at] ^= 1;
        let held = Handed::from_bytes(&other).and_then(|handed| scene.deal.receive(&ABOUT, &handed, &key(90)));
        assert!(held.is_err(), "byte {at}");
    }
    assert!(Handed::from_bytes(&handed[1..]).is_err());
}

#[test]
fn counts_that_make_no_sense() {
    let keys = vec![key(1).public(); GUARDIANS_MAX + 1];
    for (threshold, got) in [(0, 3), (4, 3), (1, 0), (0, 0), (2, GUARDIANS_MAX + 1)] {
        let refused = Deal::new(&ABOUT, &key(1), threshold, &keys[..got], &[1; 64]);
        let want = GrantError::Guardians { most: GUARDIANS_MAX, threshold, got };
        assert_eq!(refused.unwrap_err(), want);
        let counts = [u8::try_from(threshold).unwrap(), u8::try_from(got).unwrap()];
        assert_eq!(Deal::from_bytes(&[&counts[..], &[0; 400]].concat()).unwrap_err(), want);
    }
    let most = Deal::new(&ABOUT, &key(1), GUARDIANS_MAX, &keys[..GUARDIANS_MAX], &[1; 64]).unwrap();
    assert_eq!(Deal::from_bytes(&most.to_bytes()).unwrap(), most);
}

#[test]
fn a_share_shows_nothing_in_a_log() {
    assert_eq!(format!("{:?}", scene(1, 1).share(1)), "Share(1)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_the_counts(
        (count, threshold) in (1_u8..8).prop_flat_map(|count| (Just(count), 1..=count)),
        seed in any::<[u8; 32]>(),
        order in Just((1_u8..8).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let guardians: Vec<SecretKey> =
            (0..count).map(|number| SecretKey::derive(&seed, b"guardian", &[number]).unwrap()).collect();
        let keys: Vec<PublicKey> = guardians.iter().map(SecretKey::public).collect();
        let secret = SecretKey::derive(&seed, b"secret", b"").unwrap();
        let mut entropy = [0; 64];
        entropy[..32].copy_from_slice(&seed);
        let deal = Deal::new(&ABOUT, &secret, threshold.into(), &keys, &entropy).unwrap();
        let places = order.into_iter().filter(|place| *place <= count).take(threshold.into());
        let shares: Vec<Share> =
            places.map(|place| deal.open(&ABOUT, place, &guardians[usize::from(place) - 1]).unwrap()).collect();
        prop_assert_eq!(deal.recover(&shares).unwrap().to_bytes(), secret.to_bytes());
        prop_assert!(deal.recover(&shares[1..]).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let _ = Deal::from_bytes(&bytes);
        let _ = Handed::from_bytes(&bytes);
    }
}

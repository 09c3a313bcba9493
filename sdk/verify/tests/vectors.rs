//! Grants byte by byte, in `vectors/grants.json`: what comes out of which keys and which randomness, and what no key,
//! point or scalar is. Other implementations read the same file.
//!
//! A difference here is another protocol: it needs new domains in `src/grant`, not only a new record
//! (`cargo xtask golden`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use aceso_types::Digest;
use aceso_verify::grant::{
    Ciphertext, ContentPoint, Deal, Dealt, Entropy, Granted, Opened, Opening, PublicKey, Registered, Registration,
    SecretKey, Wrap,
};
use expect_test::expect_file;
use serde_json::{Value, json};

const REGISTERED: Registered<'static> =
    Registered { chain_id: "clinic-1", cid: "bafyimage", owner: "aceso1patient", commitment: &Digest([7; 32]) };

const GRANTED: Granted<'static> = Granted {
    chain_id: "clinic-1",
    version: 1,
    source: &Digest([1; 32]),
    cid: "bafyimage",
    owner: "aceso1patient",
    grant: 5,
    nonce: &[9; 16],
    epoch: 4,
    committee: &Digest([2; 32]),
    terms: &Digest([3; 32]),
};

const DEALT: Dealt<'static> = Dealt { chain_id: "clinic-1", owner: "aceso1patient", version: 3 };

fn entropy(number: u8) -> Entropy {
    std::array::from_fn(|at| number.wrapping_add(u8::try_from(at).unwrap()))
}

fn derived(purpose: &str, number: u8) -> SecretKey {
    SecretKey::derive(&[number; 32], purpose.as_bytes(), &[number, 0, 0xff]).unwrap()
}

fn derivations() -> Value {
    let one = |(purpose, number): (&str, u8)| {
        let secret = derived(purpose, number);
        json!({
            "master": hex::encode([number; 32]), "purpose": purpose, "context": hex::encode([number, 0, 0xff]),
            "secret": hex::encode(secret.to_bytes()), "public": hex::encode(secret.public().to_bytes()),
        })
    };
    [("aceso/patient/image/1", 1), ("reader", 0), ("reader", 255), ("", 3)].map(one).into_iter().collect()
}

fn points() -> Value {
    let one = |number: u8| {
        let content = ContentPoint::generate(&entropy(number));
        assert_eq!(ContentPoint::from_bytes(&content.to_bytes()[..]).unwrap(), content);
        json!({
            "entropy": hex::encode(entropy(number)), "point": hex::encode(content.to_bytes()),
            "purpose": hex::encode("seal"), "key": hex::encode(content.key(b"seal")),
            "commitment": hex::encode(content.commitment().0),
        })
    };
    [0, 2, 200].map(one).into_iter().collect()
}

fn registration(number: u8) -> Registration {
    let (content, patient) = (ContentPoint::generate(&entropy(number)), derived("patient", number));
    Registration::new(&REGISTERED, &patient, &content, &entropy(3))
}

fn registrations() -> Value {
    let one = |number: u8| {
        let registration = registration(number);
        registration.check(&REGISTERED).unwrap();
        json!({
            "chain_id": REGISTERED.chain_id, "cid": REGISTERED.cid, "owner": REGISTERED.owner,
            "commitment": hex::encode(REGISTERED.commitment.0),
            "secret": hex::encode(derived("patient", number).to_bytes()),
            "point": hex::encode(ContentPoint::generate(&entropy(number)).to_bytes()),
            "entropy": hex::encode(entropy(3)), "registration": hex::encode(registration.to_bytes()),
        })
    };
    [1, 2].map(one).into_iter().collect()
}

fn wrap(about: &Granted<'_>, secret: &SecretKey, from: &Ciphertext, count: u8) -> (Wrap, Value) {
    let secrets: Vec<SecretKey> = (0..count).map(|number| derived("member", number)).collect();
    let members: Vec<PublicKey> = secrets.iter().map(SecretKey::public).collect();
    let wrap = Wrap::new(about, secret, from, &members, &entropy(4)).unwrap();
    wrap.check(about, &secret.public(), from, &members).unwrap();
    let vector = json!({
        "chain_id": about.chain_id, "version": about.version, "source": hex::encode(about.source.0),
        "cid": about.cid, "owner": about.owner, "grant": about.grant.to_string(), "nonce": hex::encode(about.nonce),
        "epoch": about.epoch.to_string(), "committee": hex::encode(about.committee.0), "terms": hex::encode(about.terms.0),
        "secret": hex::encode(secret.to_bytes()), "from": hex::encode(from.to_bytes()),
        "point": hex::encode(from.open(secret).to_bytes()),
        "members": secrets.iter().map(|secret| hex::encode(secret.to_bytes())).collect::<Vec<_>>(),
        "entropy": hex::encode(entropy(4)), "wrap": hex::encode(wrap.to_bytes()),
    });
    (wrap, vector)
}

/// For one, three and as many as a committee can have; then the third member passes it on.
fn wraps() -> Value {
    let (patient, registration) = (derived("patient", 1), registration(1));
    let [one, three, many] = [1, 3, 128].map(|count| wrap(&GRANTED, &patient, &registration.sealed, count));
    let again = Granted { source: &Digest([8; 32]), grant: 6, epoch: u64::MAX, version: u32::MAX, ..GRANTED };
    let (_, on) = wrap(&again, &derived("member", 2), &three.0.of(2).unwrap(), 2);
    json!([one.1, three.1, many.1, on])
}

fn openings() -> Value {
    let one = |about: Opened<'_>, key: SecretKey, sealed: Ciphertext| {
        let (content, proof) = Opening::new(&about, &key, &sealed, &entropy(6));
        proof.check(&about, &key.public(), &sealed, &content).unwrap();
        json!({
            "chain_id": about.chain_id, "job": about.job.to_string(), "secret": hex::encode(key.to_bytes()),
            "ciphertext": hex::encode(sealed.to_bytes()), "entropy": hex::encode(entropy(6)),
            "point": hex::encode(&content.to_bytes()[..]), "proof": hex::encode(proof.to_bytes()),
        })
    };
    let (patient, registration) = (derived("patient", 1), registration(1));
    let (wrap, _) = wrap(&GRANTED, &patient, &registration.sealed, 3);
    json!([
        one(Opened { chain_id: "clinic-1", job: 7 }, patient, registration.sealed),
        one(Opened { chain_id: "", job: u64::MAX }, derived("member", 2), wrap.of(2).unwrap()),
    ])
}

fn possessions() -> Value {
    let one = |context: &str| {
        let key = derived("reader", 9);
        let proof = key.possession(context.as_bytes(), &entropy(5));
        key.public().check_possession(context.as_bytes(), &proof).unwrap();
        json!({
            "secret": hex::encode(key.to_bytes()), "context": hex::encode(context), "entropy": hex::encode(entropy(5)),
            "proof": hex::encode(proof.to_bytes()),
        })
    };
    ["aceso1reader/epoch 4", ""].map(one).into_iter().collect()
}

fn deals() -> Value {
    let one = |(threshold, count): (usize, u8)| {
        let secret = derived("store", 1);
        let guardians: Vec<SecretKey> = (0..count).map(|number| derived("guardian", number)).collect();
        let keys: Vec<PublicKey> = guardians.iter().map(SecretKey::public).collect();
        let deal = Deal::new(&DEALT, &secret, threshold, &keys, &entropy(6)).unwrap();
        deal.check(&DEALT, &keys).unwrap();
        let collector = derived("phone", 1);
        let (shares, handed): (Vec<_>, Vec<_>) = (1..=count)
            .zip(&guardians)
            .map(|(place, guardian)| {
                let share = deal.open(&DEALT, place, guardian).unwrap();
                let handed = deal.hand(&DEALT, &share, &collector.public(), &entropy(place));
                (hex::encode(share.to_bytes()), hex::encode(handed.to_bytes()))
            })
            .unzip();
        json!({
            "chain_id": DEALT.chain_id, "owner": DEALT.owner, "version": DEALT.version.to_string(),
            "secret": hex::encode(secret.to_bytes()), "threshold": threshold,
            "guardians": guardians.iter().map(|secret| hex::encode(secret.to_bytes())).collect::<Vec<_>>(),
            "entropy": hex::encode(entropy(6)), "deal": hex::encode(deal.to_bytes()), "shares": shares,
            "collector": hex::encode(collector.to_bytes()),
            // Guardian j hands hers over with the entropy that begins with j.
            "handed": handed,
        })
    };
    [(1, 1), (2, 3), (5, 9)].map(one).into_iter().collect()
}

/// Encodings that nobody may take, with the reason.
fn refused() -> Value {
    let point = |first: u8, last: u8| {
        let mut bytes = [0; 48];
        (bytes[0], bytes[47]) = (first, last);
        hex::encode(bytes)
    };
    let modulus = "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";
    let (mut above, mut beyond) = (hex::decode(modulus).unwrap(), hex::decode(modulus).unwrap());
    above[0] |= 0x80;
    beyond[0] |= 0x80;
    beyond[47] += 2;
    let generator = {
        // The multiple of the generator by one.
        let mut one = [0; 32];
        one[31] = 1;
        SecretKey::from_bytes(&one).unwrap().public().to_bytes()
    };
    let mut uncompressed = generator;
    uncompressed[0] &= 0x7f;
    let points = [
        ("the identity", point(0xc0, 0)),
        ("the identity with a sign", point(0xe0, 0)),
        ("the identity with something behind it", point(0xc0, 1)),
        ("of order 3: x = 0", point(0x80, 0)),
        ("of order 3, the other sign", point(0xa0, 0)),
        ("on the curve, outside of the subgroup: x = 4", point(0x80, 4)),
        ("not on the curve: x = 1", point(0x80, 1)),
        ("x is the modulus", hex::encode(above)),
        ("x is above the modulus", hex::encode(beyond)),
        ("without the mark of compression", hex::encode(uncompressed)),
        ("zeros", point(0, 0)),
        ("ones", hex::encode([0xff; 48])),
        ("too short", hex::encode(&generator[..47])),
        ("too long", format!("{}00", hex::encode(generator))),
    ];
    let order = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
    let scalars = [
        ("zero", "00".repeat(32)),
        ("the order", order.to_owned()),
        ("one above the order", order.replace("00000001", "00000002")),
        ("ones", "ff".repeat(32)),
    ];
    for (what, bytes) in &points {
        assert!(PublicKey::from_bytes(&hex::decode(bytes).unwrap()).is_err(), "{what}");
        assert!(ContentPoint::from_bytes(&hex::decode(bytes).unwrap()).is_err(), "{what}");
    }
    for (what, bytes) in &scalars {
        assert!(SecretKey::from_bytes(&hex::decode(bytes).unwrap().try_into().unwrap()).is_err(), "{what}");
    }
    let list = |all: &[(&str, String)]| -> Value {
        all.iter().map(|(what, bytes)| json!({"what": what, "bytes": bytes})).collect()
    };
    json!({"points": list(&points), "secrets": list(&scalars)})
}

#[test]
fn grants_do_not_change() {
    let vectors = json!({
        "derivations": derivations(), "points": points(), "registrations": registrations(), "wraps": wraps(),
        "openings": openings(), "possessions": possessions(), "deals": deals(), "refused": refused(),
    });
    let text = serde_json::to_string_pretty(&vectors).unwrap() + "\n";
    expect_file!["vectors/grants.json"].assert_eq(&text);
}

//! What does the chain pay to check a grant, against the prices in `chain/app/src/gas.rs`?
//!
//! A possession, a registration, and wraps for 1, 5 and 128 members, made by `sdk/verify` and checked with blst; beside
//! them what a grant may cost a block. Least times, since what else the machine does only adds. Run with
//! `cargo xtask bench grants`.

use std::time::{Duration, Instant};

use aceso_app::grants::{self, Granted, Registered, Source};
use aceso_types::Digest;
use aceso_verify::grant::{ContentPoint, PublicKey, Registration, SecretKey, Wrap};
use anyhow::Result;
use serde_json::Value;

use crate::beside_must;

const COMMITMENT: Digest = Digest([7; 32]);
const DIGEST: Digest = Digest([1; 32]);
/// Milliseconds that a grant to one may take.
const ONE_MS: f64 = 1.5;

/// Runs the bench and hands out one JSON object per case.
pub(crate) fn run(quick: bool, mut emit: impl FnMut(Value)) -> Result<()> {
    let rounds = if quick { 30 } else { 300 };
    let secret = |number: u8| SecretKey::derive(&[number; 32], b"bench", b"grants");
    let (patient, entropy) = (secret(1)?, [3; 64]);
    let content = ContentPoint::generate(&entropy);
    let about = Registered { chain_id: "clinic-1", cid: "bafy", owner: "aceso1", commitment: &COMMITMENT };
    let registration = Registration::new(&about, &patient, &content, &entropy).to_bytes();
    let possession = patient.possession(b"context", &entropy).to_bytes();
    let key = patient.public().to_bytes();
    let case = |name: &str, took: f64, must: Option<f64>| beside_must("grants", name, took, "ms", must);
    let took = least(rounds, || grants::check_possession(&key, b"context", &possession))?;
    emit(case("a reader's key", took, None));
    let took = least(rounds, || grants::check_registration(&about, &registration))?;
    emit(case("a registration", took, None));
    for (count, must) in [(1, Some(ONE_MS)), (5, None), (128, None)] {
        let members: Vec<PublicKey> =
            (0..count).map(|number| secret(number + 9).map(|one| one.public())).collect::<Result<_, _>>()?;
        let about = Granted {
            chain_id: "clinic-1",
            version: 1,
            source: &DIGEST,
            cid: "bafy",
            owner: "aceso1",
            grant: 1,
            nonce: &[9; 16],
            epoch: 0,
            committee: &DIGEST,
            terms: &DIGEST,
        };
        let sealed = Registration::from_bytes(&registration)?.sealed;
        let wrap = Wrap::new(&about, &patient, &sealed, &members, &entropy)?.to_bytes();
        let sealed = sealed.to_bytes();
        let source = Source { key: &key, c1: &sealed[..48], c2: &sealed[48..] };
        let keys: Vec<[u8; 48]> = members.iter().map(PublicKey::to_bytes).collect();
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let rounds = (rounds / usize::from(count)).max(5);
        let took = least(rounds, || grants::check_wrap(&about, &source, &keys, &wrap))?;
        emit(case(&format!("a wrap for {count}"), took, must));
    }
    Ok(())
}

/// Milliseconds of the quickest of several rounds.
pub(crate) fn least<E>(rounds: usize, work: impl Fn() -> Result<(), E>) -> Result<f64>
where
    anyhow::Error: From<E>,
{
    let mut best = Duration::MAX;
    for _ in 0..rounds {
        let started = Instant::now();
        work()?;
        best = best.min(started.elapsed());
    }
    Ok(best.as_secs_f64() * 1e3)
}

//! What does a block's item of outcomes cost each validator, against the milliseconds that it may take?
//!
//! A hundred jobs, each signed by four of a committee of five: of the same one, and of as many committees among a hundred
//! validators. The last case is an item in which one signature is bad, which is looked for. Least times, since what else
//! the machine does only adds. Run with `cargo xtask bench reads`.

use std::time::{Duration, Instant};

use aceso_app::attest::{AttestError, AttestKey, Signed, add_up, check_all};
use aceso_types::Digest;
use anyhow::{Result, ensure};
use serde_json::Value;

use crate::beside_must;

/// Milliseconds that a hundred jobs may take.
const HUNDRED_MS: f64 = 60.0;
const JOBS: usize = 100;
const VALIDATORS: usize = 100;
const SIGNERS: usize = 4;

/// Runs the bench and hands out one JSON object per case.
pub(crate) fn run(quick: bool, mut emit: impl FnMut(Value)) -> Result<()> {
    let rounds = if quick { 10 } else { 50 };
    let entropy = |number: usize| Digest::sha3("bench", &[&number.to_be_bytes()]).0;
    let keys: Vec<AttestKey> =
        (0..VALIDATORS).map(|number| AttestKey::generate(&entropy(number))).collect::<Result<_, _>>()?;
    let same = item(&keys, |_| 0)?;
    let spread = item(&keys, |job| job)?;
    let mut bad = spread.clone();
    if let Some(last) = bad.last_mut() {
        last.message = Digest::default();
    }
    for (name, item, holds) in [
        ("100 jobs of one committee", &same, true),
        ("100 jobs of 100 committees", &spread, true),
        ("the same with one bad signature", &bad, false),
    ] {
        let took = least(rounds, item, holds)?;
        let must = holds.then_some(HUNDRED_MS);
        emit(beside_must("reads", name, took, "ms", must));
    }
    Ok(())
}

/// A statement for each job, by members that begin where `first` says.
fn item(keys: &[AttestKey], first: impl Fn(usize) -> usize) -> Result<Vec<Signed>> {
    let one = |job: usize| {
        let message = Digest::sha3("job", &[&job.to_be_bytes()]);
        let members = keys.iter().cycle().skip(first(job)).take(SIGNERS);
        let (mut public, mut signatures) = (Vec::new(), Vec::new());
        for member in members {
            public.push(member.public().to_vec());
            signatures.push(member.sign(&message).to_vec());
        }
        Ok(Signed { keys: public, message, signature: add_up(&signatures)?.into() })
    };
    (0..JOBS).map(one).collect()
}

/// Least milliseconds of a check that comes out as it should.
fn least(rounds: usize, item: &[Signed], holds: bool) -> Result<f64> {
    let mut least = Duration::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        let checked: Result<(), (usize, AttestError)> = check_all(item);
        least = least.min(start.elapsed());
        ensure!(checked.is_ok() == holds, "the item was judged wrongly: {checked:?}");
    }
    Ok(least.as_secs_f64() * 1_000.0)
}

//! Sealed reads by a committee of four validators: nothing of them is on a line or a disk ([`wiretap`]), a long result is had
//! from whichever member still has it ([`keepers`]), one whose processor errs is marked by its own word ([`errs`]), and what
//! pays better goes first in a crowd ([`crowd`]). In the end one of them is disputed, and all validators compute it again.

mod crowd;
mod errs;
mod keepers;
mod wiretap;

use std::time::Duration;

use aceso_test_support::picture;
use aceso_types::{msg::MsgDisputeResponse, sealed::Outcome};
use anyhow::{Result, ensure};

use super::prepared;
use crate::{
    clinic::{Clinic, Visitor},
    judge::agree,
    net::Programs,
    random::Random,
    ward::{Ward, staff},
    wire::Wire,
};

/// How long a network may take for one thing.
const PATIENCE: Duration = Duration::from_secs(60);
/// Blocks in which a job is answered.
const SOON: u64 = 200;
/// What tells the picture's pixels from others'.
const SEED: u8 = 77;

pub(crate) fn run(programs: &Programs, quick: bool, _random: &mut Random) -> Result<Vec<String>> {
    let (mut net, accounts) = prepared(programs, true)?;
    let wire = Wire::tap()?;
    net.start_all()?;
    net.wait_for(&net.all(), 2, PATIENCE)?;
    // She is physician and patient: what matters here goes between validators.
    let [physician, patient] = [(); 2].map(|()| Visitor::new(&net.nodes[0], accounts.authority.clone()));
    let (physician, patient) = (physician?, patient?);
    let clinic = Clinic::found(&physician, &accounts.keys)?;
    let dear = Clinic::dear(&physician)?;
    staff(&net)?;
    let ward = Ward::open(patient, &physician.address, &clinic, &picture(SEED))?;
    ward.store()?;

    let (long, mut facts) = wiretap::run(&net, wire, &physician, &ward, [clinic.model, dear])?;
    facts.push(keepers::run(&mut net, &ward, &long)?);
    // All connections of before are gone.
    let physician = Visitor::new(&net.nodes[0], accounts.authority.clone())?;
    facts.push(errs::run(&mut net, &physician, &ward, dear)?);
    facts.extend(crowd::run(&net, &accounts, &clinic, dear, quick)?);
    let MsgDisputeResponse { wrong, marked, outcome } = ward.dispute(&physician, long.row.job)?;
    ensure!(!wrong && marked == 0, "a dispute over what was right has marked {marked}");
    ensure!(Outcome::decode(&outcome)? == long.outcome, "a dispute came to {:?}", Outcome::decode(&outcome)?);
    facts.push(format!(
        "the long read was disputed: everybody finds the same; the validators agree at block {}",
        agree(&net)?
    ));
    Ok(facts)
}

//! An insurer pays for a sealed read: she learns that a committee which she believes has read an image that nobody was paid
//! for before, and nothing of what it shows.

use aceso_client::{ClientError, TxResult, any};
use aceso_consent::msg as consent;
use aceso_insurance::msg as insurance;
use aceso_interface::{
    consent::{Decision, Rule},
    insurance::{Acceptance, CALLBACK_GAS, ClaimStatus, Closed, Disclosure, Payout, Sealed, SealedClaim},
};
use aceso_types::{
    BlobId, ReadId,
    msg::MsgRetireSealed,
    query::{QueryReceipts, QueryRecord},
};
use anyhow::{Context, Result, bail, ensure};

use super::patient::{Granted, Patient, Record, committee, terms};
use crate::{
    play::{PRICE, SPLIT, Scene, create_policy, origin, rule},
    report::{Expected, Report, came},
    sample,
};

/// Which synthetic image is insured, and the study that it was made in.
const IMAGE: u32 = 41;
const STUDY: &str = "2.25.4";
/// Blocks that a committee gets for a claim.
const TERM: u64 = 200;

/// Plays the claim, the same image under another key, and a policy that wants another committee.
pub(super) fn play(report: &mut Report, scene: &Scene, patient: &mut Patient<'_>) -> Result<()> {
    let (insurer, physician, hospital) = (&scene.cast.insurer, &scene.cast.physician, &scene.cast.hospital);
    let name = patient.party.name;
    let file = sample::synthetic(IMAGE)?.file;
    let word = || origin(hospital, &file, STUDY);
    let members = u32::try_from(committee(insurer)?.len())?;
    let policy = report.step(insurer.name, "makes a policy for sealed reads by this committee", || {
        make_policy(scene, members).map(|(policy, tx)| (policy, Some(tx)))
    })?;
    let (first, granted) = report.step(name, "seals an image with consent as its guard, and grants it", || {
        let (record, granted, tx) = sealed_for(scene, patient, &file, word()?)?;
        Ok(((record, granted), Some(tx)))
    })?;
    let job = report.step(physician.name, "claims a sealed read: consent and request in one go", || {
        let tx = claim(scene, policy, &first, &granted)?;
        Ok((job_of(&tx)?, Some(tx)))
    })?;
    report.step(insurer.name, "owes every share as soon as the committee has signed", || {
        let ClaimStatus::Paid(paid) = decided(scene, job)?.status else { bail!("the claim is not paid") };
        ensure!(paid.commitment.is_some() && paid.findings.is_empty(), "it says more than that it was read");
        ensure!(paid.institution.as_deref() == Some(hospital.address.as_str()), "nobody vouches for it");
        scene.auditor.compact(insurer, ReadId(paid.read))?;
        let due: insurance::DueResponse =
            insurer.smart(&scene.insurance, &insurance::QueryMsg::Due { account: patient.party.address.clone() })?;
        let [_, _, (_, share), _] = SPLIT;
        ensure!(due.amount.u128() == PRICE * u128::from(share) / 10_000, "the patient is owed {}", due.amount);
        Ok(((), None))
    })?;
    report.step(physician.name, "settles: one transfer for each who is owed something", || {
        let before = patient.party.balance(&patient.party.address)?;
        let msg = insurance::ExecuteMsg::Settle { start_after: None, limit: None };
        let tx = physician.tx(physician.msg_execute(&physician.address, &scene.insurance, &msg, 0))?;
        ensure!(patient.party.balance(&patient.party.address)? > before, "the patient got nothing");
        Ok(((), Some(tx)))
    })?;
    let (again, granted) = report.step(name, "seals it anew: another key, another CID; the old record ends", || {
        let msg = MsgRetireSealed { owner: patient.party.address.clone(), record: first.row.record };
        patient.party.tx(any(&msg))?;
        patient.store.erase(&first.image.to_string())?;
        let (record, granted, tx) = sealed_for(scene, patient, &file, word()?)?;
        let old = QueryRecord { record: first.row.record, ..QueryRecord::default() };
        let old = patient.party.ask(&old)?.context("there is no old record")?;
        ensure!(old.retired > 0 && record.image != first.image, "the old one goes on");
        Ok(((record, granted), Some(tx)))
    })?;
    report.step(physician.name, "claims it again: it is read, and not paid a second time", || {
        let tx = claim(scene, policy, &again, &granted)?;
        match decided(scene, job_of(&tx)?)?.status {
            ClaimStatus::Closed { reason: Closed::PaidBefore { .. }, .. } => Ok(((), Some(tx))),
            other => bail!("the claim is {other:?}"),
        }
    })?;
    let (strict, _) = make_policy(scene, members + 1)?;
    let receipts = || Ok(physician.ask(&QueryReceipts::default())?.map(|answer| answer.rows.len()));
    let expected = Expected { code: Some(("aceso", 922)), words: "are demanded" };
    report.refusal("a claim with a committee that is not believed", &expected, receipts, || {
        came(claim(scene, strict, &again, &granted))
    })
}

fn make_policy(scene: &Scene, members_min: u32) -> Result<(u64, TxResult)> {
    let sealed = Sealed {
        accept: Acceptance { members_min, power_min_bps: 6_667, required: Vec::new(), excluded: Vec::new() },
        disclosure: Disclosure::Sealed {},
        blocks: TERM,
        callback_gas: CALLBACK_GAS,
        payout: Payout::Batched,
    };
    create_policy(&scene.cast, &scene.insurance, &[scene.model], PRICE, 10 * PRICE, &SPLIT, Some(sealed))
}

/// The patient seals, registers and grants an image, and lets the guard say yes.
fn sealed_for(
    scene: &Scene,
    patient: &mut Patient<'_>,
    file: &[u8],
    origin: aceso_types::msg::SignedOrigin,
) -> Result<(Record, Granted, TxResult)> {
    let stored = patient.seal("application/dicom", &[], file)?;
    let (record, _) = patient.register(stored, &scene.consent, Some(origin))?;
    let finding = scene.manifest.output.findings.first().context("the model has no finding")?;
    let terms = terms(&scene.cast.physician.address, scene.model, &finding.id, 2)?;
    let (granted, tx) = patient.grant(&record, terms, &committee(patient.party)?, true)?;
    let rule = Rule {
        decision: Decision::Permit { max_uses: 10 },
        via: vec![scene.insurance.clone()],
        ..rule(&scene.cast.physician, &[scene.model])?
    };
    let msg = consent::ExecuteMsg::Grant { images: vec![record.image.into()], rule, sealed: true };
    patient.party.tx(patient.party.msg_execute(&patient.party.address, &scene.consent, &msg, 0))?;
    Ok((record, granted, tx))
}

fn claim(scene: &Scene, policy: u64, record: &Record, granted: &Granted) -> Result<TxResult, ClientError> {
    let image: BlobId = record.image;
    let msg = insurance::ExecuteMsg::Claim {
        policy,
        image: image.into(),
        frame: Default::default(),
        model: scene.model.into(),
        purpose: "TREAT".into(),
        granter: record.row.owner.clone(),
        grant: granted.number,
        terms: granted.terms.encode().into(),
        opening: None,
    };
    scene.cast.physician.try_execute(&scene.insurance, &msg)
}

fn job_of(tx: &TxResult) -> Result<u64> {
    Ok(tx.attribute("wasm", "job").context("there is no job in the answer")?.parse()?)
}

/// The claim once its job is closed.
fn decided(scene: &Scene, job: u64) -> Result<SealedClaim> {
    scene.cast.insurer.wait_job(job)?;
    Ok(scene.cast.insurer.smart(&scene.insurance, &insurance::QueryMsg::SealedClaim { job })?)
}

//! An emergency: a grant for whoever is there, which works only with a public reason and leaves an item for the patient.

use aceso_client::{GasLimit, any};
use aceso_types::{
    msg::{MsgRequestRead, MsgRequestReadResponse},
    query::{JobStatus, QueryReceipts, QueryReviews},
    sealed::{Disclosure, Terms},
};
use anyhow::{Context, Result, ensure};

use super::{
    patient::{Granted, Patient, Record, committee, terms},
    read,
};
use crate::{
    play::Scene,
    report::{Expected, Report, came},
};

/// Why the glass is broken.
const REASON: &str = "unconscious, no relative reached";

/// Plays it for a record that its owner has.
pub(super) fn play(report: &mut Report, scene: &Scene, patient: &mut Patient<'_>, record: &Record) -> Result<()> {
    let hospital = &scene.cast.hospital;
    let granted = report.step(patient.party.name, "names a committee for emergencies, in advance", || {
        let finding = scene.manifest.output.findings.first().context("the model has no finding")?;
        let terms = Terms {
            actors: Vec::new(),
            anybody: true,
            emergency: true,
            purposes: vec!["ETREAT".into()],
            ..terms(&hospital.address, scene.model, &finding.id, 1)?
        };
        let (granted, tx) = patient.grant(record, terms, &committee(patient.party)?, true)?;
        Ok((granted, Some(tx)))
    })?;
    let receipts = || Ok(hospital.ask(&QueryReceipts::default())?.map(|answer| answer.rows.len()));
    let expected = Expected { code: Some(("aceso", 912)), words: "reason" };
    report.refusal("an emergency without a reason", &expected, receipts, || {
        let message = any(&emergency(scene, record, &granted, "")?);
        came(hospital.send(&hospital.key, vec![message], GasLimit::Fixed(2_000_000)))
    })?;
    let job = report.step(hospital.name, "breaks the glass with a public reason, and has it read", || {
        let tx = hospital.tx(any(&emergency(scene, record, &granted, REASON)?))?;
        let job = hospital.wait_job(tx.response::<MsgRequestReadResponse>(0)?.job)?;
        ensure!(job.status() == JobStatus::Done, "the job is {:?}", job.status());
        Ok((job.job, Some(tx)))
    })?;
    report.step(patient.party.name, "finds who broke it, why, and for which read", || {
        let reviews = QueryReviews { record: record.row.record, page: None };
        let reviews = patient.party.ask(&reviews)?.context("there are no reviews")?.rows;
        let told: Vec<_> = reviews.iter().map(|row| (row.actor.as_str(), row.reason.as_str(), row.job)).collect();
        ensure!(told == [(hospital.address.as_str(), REASON, job)], "the reviews are {told:?}");
        Ok(((), None))
    })
}

fn emergency(scene: &Scene, record: &Record, granted: &Granted, reason: &str) -> Result<MsgRequestRead> {
    let asked = read(scene, &scene.cast.hospital, record, granted, &Disclosure::Sealed)?;
    Ok(MsgRequestRead { purpose: "ETREAT".into(), reason: reason.into(), ..asked })
}

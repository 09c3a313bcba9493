//! The sealed part of the job: an image that is encrypted before it leaves the patient, read by a committee that she
//! names, with an outcome that anybody can check.

use std::path::Path;

use aceso_client::{GasLimit, SealedRead, TxResult, any};
use aceso_inference::image::{Limits, Stated, decode};
use aceso_types::{
    Digest, Frame, Manifest, ReadId,
    guest::Answered,
    msg::{MsgRequestRead, MsgRequestReadResponse, MsgRevokeGrant},
    query::{JobRow, JobStatus, QueryReceipts},
    receipt::outputs_digest,
    sealed::{Disclosure, Outcome, Statement},
};
use aceso_verify::outcome::open_outputs;
use anyhow::{Context, Result, bail, ensure};

use crate::{
    parties::Party,
    play::{Scene, model_files},
    report::{Expected, Report, came},
    sample,
};

mod claims;
mod glass;
mod guardians;
mod patient;
mod table;

use patient::{Granted, Patient, Record, committee, terms};

/// Which synthetic image is sealed.
const IMAGE: u32 = 40;
/// Blocks within which the committee has to answer.
const TERM: u64 = 200;

/// Plays the sealed journey, and what must be refused of it.
pub(crate) fn play(report: &mut Report, scene: &Scene, models: &Path) -> Result<()> {
    let (_, onnx) = model_files(models, "pneumonia")?;
    let physician = &scene.cast.physician;
    let mut patient = Patient::new(&scene.cast.patient)?;
    let name = patient.party.name;
    let file = sample::synthetic(IMAGE)?.file;
    let finding = scene.manifest.output.findings.first().context("the model has no finding")?.id.clone();

    let stored = report.step(name, "seals another chest X-ray on her own device, and stores it", || {
        Ok((patient.seal("application/dicom", &[], &file)?, None))
    })?;
    let record = report.step(name, "registers it, with a proof that she holds the key", || {
        let (record, tx) = patient.register(stored, "", None)?;
        Ok((record, Some(tx)))
    })?;
    let granted = report.step(name, "grants a committee two reads, TREAT, this model, a day", || {
        let terms = terms(&physician.address, scene.model, &finding, 2)?;
        let (granted, tx) = patient.grant(&record, terms, &committee(patient.party)?, true)?;
        Ok((granted, Some(tx)))
    })?;

    let bit = report.step(physician.name, "asks the committee for one bit: is the finding there?", || {
        let disclosure = Disclosure::Predicate(vec![finding.clone()]);
        let (job, tx) = ask(scene, &record, &granted, &disclosure)?;
        match outcome(&job)?.1 {
            Outcome::Predicate { findings, .. } => Ok((findings, Some(tx))),
            other => bail!("it came to {other:?}"),
        }
    })?;
    let (job, secret) = report.step(physician.name, "asks for all of it, for who holds the key", || {
        let (job, tx) = ask(scene, &record, &granted, &Disclosure::Sealed)?;
        let outcome = outcome(&job)?;
        Ok(((job, outcome), Some(tx)))
    })?;
    report.step(name, "opens the result, and computes the same from the image", || {
        let Outcome::Sealed { commitment, ciphertext, .. } = &secret.1 else { bail!("it came to {:?}", secret.1) };
        let outputs = open_outputs(&record.content, &secret.0, commitment, ciphertext)?;
        let (digest, findings) = computed(&file, &scene.manifest, &onnx)?;
        ensure!(outputs_digest(&outputs) == digest, "other outputs than this machine computes");
        let told: Vec<&Answered> = findings.iter().filter(|one| one.id == finding).collect();
        ensure!(told.iter().copied().eq(&bit), "the bit is {bit:?}, and the image says {told:?}");
        Ok(((), None))
    })?;
    report.step("auditor", "verifies both committees' signatures without network", || {
        for read in [job.read, job.read - 1] {
            scene.auditor.compact(physician, ReadId(read))?;
        }
        let (members, signed) = signers(&job)?;
        let enough = signed * 3 > members * 2;
        ensure!(enough && (members < 4 || signed < members), "{signed} of {members} have signed");
        Ok(((), None))
    })?;
    glass::play(report, scene, &mut patient, &record)?;
    report.step(name, "takes the committee's grant back", || {
        let owner = patient.party.address.clone();
        let msg = MsgRevokeGrant { sender: owner.clone(), granter: owner, grant: granted.number };
        Ok(((), Some(patient.party.tx(any(&msg))?)))
    })?;
    refused(report, scene, &record, &granted)?;
    claims::play(report, scene, &mut patient)?;
    table::play(report, scene, &mut patient, models)?;
    guardians::play(report, scene, &mut patient, &record)
}

/// What nobody may do with a sealed image.
fn refused(report: &mut Report, scene: &Scene, record: &Record, granted: &Granted) -> Result<()> {
    let (physician, patient) = (&scene.cast.physician, &scene.cast.patient);
    let receipts = || Ok(physician.ask(&QueryReceipts::default())?.map(|answer| answer.rows.len()));
    let expected = Expected { code: Some(("aceso", 910)), words: "was taken back" };
    report.refusal("a sealed read after the grant was taken back", &expected, receipts, || {
        let read = read(scene, physician, record, granted, &Disclosure::Sealed)?;
        came(physician.send(&physician.key, vec![any(&read)], GasLimit::Fixed(2_000_000)))
    })?;
    // A node hands sealed bytes to its committee only; whoever got them otherwise has no image.
    let stranger = patient.get_blob(&record.image)?;
    ensure!(stranger.is_none_or(|bytes| decode(&bytes, Limits::default()).is_err()), "the stored bytes are an image");
    Ok(())
}

/// Somebody's request.
fn read(
    scene: &Scene,
    asks: &Party,
    record: &Record,
    granted: &Granted,
    disclosure: &Disclosure,
) -> Result<MsgRequestRead> {
    let read = SealedRead {
        requester: &asks.address,
        actor: &asks.address,
        model: granted.terms.models.first().copied().unwrap_or(scene.model),
        owner: &record.row.owner,
        image: record.image,
        frame: Frame::FIRST,
        grant: (&record.row.owner, granted.number),
        terms: &granted.terms,
        purpose: "TREAT",
        disclosure,
        deadline: asks.height()? + TERM,
    };
    Ok(read.message())
}

/// The physician asks, and waits for the committee.
fn ask(scene: &Scene, record: &Record, granted: &Granted, disclosure: &Disclosure) -> Result<(JobRow, TxResult)> {
    let physician = &scene.cast.physician;
    let tx = physician.tx(any(&read(scene, physician, record, granted, disclosure)?))?;
    let job = physician.wait_job(tx.response::<MsgRequestReadResponse>(0)?.job)?;
    ensure!(job.status() == JobStatus::Done, "the job is {:?}", job.status());
    Ok((job, tx))
}

/// What the committee said, and what it was asked.
fn outcome(job: &JobRow) -> Result<(Statement, Outcome)> {
    let said = job.outcome.as_ref().context("the job has no outcome")?;
    Ok((Statement::decode(&job.statement)?, Outcome::decode(&said.outcome)?))
}

/// How many members a committee has, and how many of them have signed. Of four or more one is silent.
fn signers(job: &JobRow) -> Result<(usize, usize)> {
    let said = job.outcome.as_ref().context("the job has no outcome")?;
    let places = aceso_types::signers::places(&said.signers, job.members.len()).context("nobody has such a place")?;
    Ok((job.members.len(), places.len()))
}

/// The outputs' digest and the findings, as this machine computes them from the picture itself.
fn computed(file: &[u8], manifest: &Manifest, onnx: &[u8]) -> Result<(Digest, Vec<Answered>)> {
    let model = aceso_inference::admit(onnx, manifest)?;
    let input = decode(file, Limits::default())?.to_tensor(&manifest.pipeline, &Stated::default())?;
    let outputs = model.run(&[input])?;
    Ok((outputs_digest(&outputs), aceso_inference::answers(manifest, &outputs)?.findings))
}

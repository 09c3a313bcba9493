//! The sealed part of the job: an image that is encrypted before it leaves the patient, read by a committee that she
//! names, with an outcome that anybody can check.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use aceso_client::{
    GasLimit, SealedRead, TxResult, any, random,
    sealed::{Giving, register},
};
use aceso_inference::image::{Limits, Stated, decode};
use aceso_types::{
    BlobId, Digest, Manifest, ModelId, ReadId,
    guest::Answered,
    msg::{MsgRegisterSealedResponse, MsgRequestReadResponse, MsgRevokeGrant, SealedFile},
    query::{JobRow, JobStatus, QueryReader, QueryReceipts, QueryRecord, QueryValidators, ReaderRow, RecordRow},
    receipt::outputs_digest,
    sealed::{Disclosure, Outcome, Statement, Terms, VERSION},
};
use aceso_verify::{
    grant::{ContentPoint, SecretKey},
    outcome::open_outputs,
};
use anyhow::{Context, Result, bail, ensure};
use cosmos_sdk_proto::Any;

use crate::{
    play::{Scene, model_files},
    report::{Expected, Report, came},
    sample,
};

/// Which synthetic image is sealed.
const IMAGE: u32 = 40;
/// Blocks within which the committee has to answer.
const TERM: u64 = 200;
/// How long the grant holds, in seconds.
const DAY: u64 = 24 * 3600;

/// What the patient keeps: nobody else has it.
struct Kept {
    content: ContentPoint,
    key: SecretKey,
}

/// A sealed image that is registered and granted.
struct Granted {
    image: BlobId,
    record: RecordRow,
    terms: Terms,
    number: u64,
}

/// Plays the sealed journey, and what must be refused of it.
pub(crate) fn play(report: &mut Report, scene: &Scene, models: &Path) -> Result<()> {
    let (_, onnx) = model_files(models)?;
    let (patient, physician) = (&scene.cast.patient, &scene.cast.physician);
    let file = sample::synthetic(IMAGE)?.file;
    let kept = Kept { content: ContentPoint::generate(&random()?), key: secret()? };
    let finding = scene.manifest.output.findings.first().context("the model has no finding")?.id.clone();

    let (image, size) =
        report.step(patient.name, "seals another chest X-ray on her own device, and stores it", || {
            Ok((patient.put_blob(&seal(&patient.address, &kept, &file)?[..])?, None))
        })?;
    let record = report.step(patient.name, "registers it, with a proof that she holds the key", || {
        let files = vec![SealedFile { cid: image.to_string(), size, ..SealedFile::default() }];
        let chain = &patient.chain().id;
        let msg = register(chain, &patient.address, files, &kept.key, &kept.content, &random()?);
        let tx = patient.tx(any(&msg))?;
        let number = tx.response::<MsgRegisterSealedResponse>(0)?.record;
        let record = QueryRecord { record: number, ..QueryRecord::default() };
        Ok((patient.ask(&record)?.context("there is no such record")?, Some(tx)))
    })?;
    let granted =
        report.step(patient.name, "grants the hospitals' committee two reads, TREAT, this model, a day", || {
            let terms = terms(&physician.address, scene.model, &finding)?;
            let granted = Granted { image, record, terms, number: 1 };
            let tx = grant(scene, &kept, &granted)?;
            Ok((granted, Some(tx)))
        })?;

    let bit = report.step(physician.name, "asks the committee for one bit: is the finding there?", || {
        let disclosure = Disclosure::Predicate(vec![finding.clone()]);
        let (job, tx) = ask(scene, &granted, &disclosure)?;
        match outcome(&job)?.1 {
            Outcome::Predicate { findings, .. } => Ok((findings, Some(tx))),
            other => bail!("it came to {other:?}"),
        }
    })?;
    let (job, secret) = report.step(physician.name, "asks for all of it, for who holds the key", || {
        let (job, tx) = ask(scene, &granted, &Disclosure::Sealed)?;
        let outcome = outcome(&job)?;
        Ok(((job, outcome), Some(tx)))
    })?;
    report.step(patient.name, "opens the result, and computes the same from the image", || {
        let Outcome::Sealed { commitment, ciphertext, .. } = &secret.1 else { bail!("it came to {:?}", secret.1) };
        let outputs = open_outputs(&kept.content, &secret.0, commitment, ciphertext)?;
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
        Ok(((), None))
    })?;
    report.step(patient.name, "takes the grant back", || {
        let msg = MsgRevokeGrant { sender: patient.address.clone(), granter: patient.address.clone(), grant: 1 };
        Ok(((), Some(patient.tx(any(&msg))?)))
    })?;
    refused(report, scene, &granted)
}

/// What nobody may do with a sealed image.
fn refused(report: &mut Report, scene: &Scene, granted: &Granted) -> Result<()> {
    let (physician, patient) = (&scene.cast.physician, &scene.cast.patient);
    let receipts = || Ok(physician.ask(&QueryReceipts::default())?.map(|answer| answer.rows.len()));
    let expected = Expected { code: Some(("aceso", 910)), words: "was taken back" };
    report.refusal("a sealed read after the grant was taken back", &expected, receipts, || {
        let read = read(scene, granted, &Disclosure::Sealed)?;
        came(physician.send(&physician.key, vec![read], GasLimit::Fixed(2_000_000)))
    })?;
    // A node hands sealed bytes to its committee only; whoever got them otherwise has no image.
    let stranger = patient.get_blob(&granted.image)?;
    ensure!(stranger.is_none_or(|bytes| decode(&bytes, Limits::default()).is_err()), "the stored bytes are an image");
    Ok(())
}

fn seal(owner: &str, kept: &Kept, file: &[u8]) -> Result<Vec<u8>> {
    let about = ("application/dicom", BTreeMap::new());
    Ok(aceso_seal::seal(&kept.content, owner, random()?, about, file, file.len() as u64, Vec::new())?)
}

/// The patient's key of this image: from her master secret and a number that she can forget.
fn secret() -> Result<SecretKey> {
    Ok(SecretKey::derive(&random()?, b"aceso/image/1", &random::<16>()?)?)
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

fn terms(physician: &str, model: ModelId, finding: &str) -> Result<Terms> {
    Ok(Terms {
        version: VERSION,
        salt: Digest(random()?),
        actors: vec![physician.into()],
        anybody: false,
        via: Vec::new(),
        purposes: vec!["TREAT".into()],
        models: vec![model],
        not_before: now()? - 3600,
        uses: 2,
        open: false,
        sealed: true,
        findings: vec![finding.into()],
        bits: 1,
        rewrap: false,
        emergency: false,
    })
}

/// Wraps the key for every validator whose operator has a key to open with.
fn grant(scene: &Scene, kept: &Kept, granted: &Granted) -> Result<TxResult> {
    let patient = &scene.cast.patient;
    let validators = patient.ask(&QueryValidators::default())?.context("there are no validators")?;
    let reader = |account: &String| patient.ask(&QueryReader { account: account.clone(), epoch: 0, latest: true });
    let operators = validators.rows.iter().map(|row| &row.operator).filter(|operator| !operator.is_empty());
    let readers: Vec<Option<ReaderRow>> = operators.map(reader).collect::<Result<_, _>>()?;
    let readers: Vec<ReaderRow> = readers.into_iter().flatten().collect();
    ensure!(!readers.is_empty(), "no operator has registered a key to open with");
    let giving = Giving {
        chain_id: &patient.chain().id,
        granter: &patient.address,
        number: granted.number,
        record: &granted.record,
        from: None,
        to: &readers,
        committee: true,
        expires: now()? + DAY,
        terms: &granted.terms,
    };
    patient.tx(any(&giving.prove(&kept.key, random()?, &random()?)?))
}

/// The physician's request.
fn read(scene: &Scene, granted: &Granted, disclosure: &Disclosure) -> Result<Any> {
    let (patient, physician) = (&scene.cast.patient, &scene.cast.physician);
    let read = SealedRead {
        requester: &physician.address,
        actor: &physician.address,
        model: scene.model,
        owner: &patient.address,
        image: granted.image,
        grant: (&patient.address, granted.number),
        terms: &granted.terms,
        purpose: "TREAT",
        disclosure,
        deadline: physician.height()? + TERM,
    };
    Ok(any(&read.message()))
}

/// The physician asks, and waits for the committee.
fn ask(scene: &Scene, granted: &Granted, disclosure: &Disclosure) -> Result<(JobRow, TxResult)> {
    let physician = &scene.cast.physician;
    let tx = physician.tx(read(scene, granted, disclosure)?)?;
    let job = physician.wait_job(tx.response::<MsgRequestReadResponse>(0)?.job)?;
    ensure!(job.status() == JobStatus::Done, "the job is {:?}", job.status());
    Ok((job, tx))
}

/// What the committee said, and what it was asked.
fn outcome(job: &JobRow) -> Result<(Statement, Outcome)> {
    let said = job.outcome.as_ref().context("the job has no outcome")?;
    Ok((Statement::decode(&job.statement)?, Outcome::decode(&said.outcome)?))
}

/// The outputs' digest and the findings, as this machine computes them from the picture itself.
fn computed(file: &[u8], manifest: &Manifest, onnx: &[u8]) -> Result<(Digest, Vec<Answered>)> {
    let model = aceso_inference::admit(onnx, manifest)?;
    let input = decode(file, Limits::default())?.to_tensor(&manifest.pipeline, &Stated::default())?;
    let outputs = model.run(&[input])?;
    let (_, findings) = aceso_inference::scores(manifest, outputs.first().context("the model has no output")?)?;
    Ok((outputs_digest(&outputs), findings))
}

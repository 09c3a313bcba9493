//! Disputes: whoever knows a record's key shows it, and everybody computes what the committee should have signed.
//!
//! No game is played and nobody is asked. Whoever can open one of the record's ciphertexts, the registration or what a grant
//! has wrapped, shows the point in it with the proof that it is just that one ([`grants::check_opening`]). Every wrap was
//! taken with the proof that it holds what its source holds, so this is the key that each member had. The sealed file, which
//! has to be an available blob like any that is read in the open, is opened by the function that members use ([`Reopen`]),
//! which first compares the key with what the registration commits to, and the outcome is compared. Whoever has signed
//! another one is wrong, and who was held to be wrong for saying the truth is cleared. All of it is paid before it is done,
//! at a price that does not depend on what is found; a simulation opens nothing.
//!
//! The point alone would not do. An owner could wrap one key and commit to another: members who say so tell the truth, and
//! the other key, which opens the file just as well, would make them look like liars.
//!
//! [`grants::check_opening`]: crate::grants::check_opening
//! [`Reopen`]: crate::host::Reopen

use aceso_inference::{image::Limits, rounding_is_default};
use aceso_types::{
    BlobId, Digest, Height,
    msg::{MsgDispute, MsgDisputeResponse, PassedOn},
    query::{Disputed, JobRow, JobStatus, RecordRow},
    sealed::{Disclosure, Outcome as Came, Statement},
    signers::places,
};

use crate::{
    code::{Code, Fault},
    components::{
        SEALED, blobs, models, reads,
        reads::script::{OUTCOME_WEIGHT, Who},
        sealed::{
            bits::{self, About},
            conduct::Notes,
            grants, jobs, keys, readers, records,
        },
    },
    error::{AppError, Outcome},
    event::Event,
    gas,
    grants::{Opened, Source, check_opening},
    host::Shown,
    run::{Mode, Run},
    store::{Bare, Write, damaged},
};

/// A job that may be disputed.
struct Case {
    row: JobRow,
    statement: Statement,
    /// What its members have signed.
    signed: Came,
    /// Who has: places among the members.
    signers: Vec<usize>,
}

/// `MsgDispute`.
pub(crate) fn dispute(run: &mut Run<'_>, msg: &MsgDispute) -> Outcome<MsgDisputeResponse> {
    let sender = run.chain.address(&msg.sender)?.to_string();
    let case = open_to_dispute(run, msg.job)?;
    let found = reopened(run, &sender, &case, msg)?;
    let Some(found) = found else { return Ok(MsgDisputeResponse::default()) };
    settle(run, sender, case, &found)
}

/// The job, if it has an outcome that can still be looked into.
fn open_to_dispute(run: &mut Run<'_>, job: u64) -> Outcome<Case> {
    let Some(row) = jobs::get(run, job)? else {
        return Err(Code::JobUnknown.because(format_args!("job {job}")).into());
    };
    let refuse =
        |what: std::fmt::Arguments<'_>| -> Fault { Code::DisputeRefused.because(format_args!("job {job}: {what}")) };
    let said = match (row.status(), &row.outcome) {
        (JobStatus::Done, Some(said)) => said.clone(),
        (JobStatus::Open, _) => return Err(refuse(format_args!("it has no outcome yet")).into()),
        _ => return Err(refuse(format_args!("it has no outcome, and everything was given back")).into()),
    };
    if let Some(Disputed { sender, height, wrong, .. }) = &row.disputed {
        let found = if *wrong { "wrong" } else { "right" };
        return Err(
            refuse(format_args!("{sender} disputed it at height {height}, and its members were {found}")).into()
        );
    }
    let damage = || damaged(SEALED, &keys::job(job));
    let signed = Came::decode(&said.outcome).map_err(|_| damage())?;
    let signers = places(&said.signers, row.members.len()).ok_or_else(damage)?;
    let statement = jobs::statement(&row)?;
    Ok(Case { row, statement, signed, signers })
}

/// What the members should have signed; nothing in a simulation, which pays and looks at nothing.
fn reopened(run: &mut Run<'_>, sender: &str, case: &Case, msg: &MsgDispute) -> Outcome<Option<Came>> {
    let Case { row, statement, signers, .. } = case;
    let damage = || damaged(SEALED, &keys::record(row.record));
    let record = records::get(run, row.record)?.ok_or_else(damage)?;
    let commitment = Digest::try_from(record.commitment.as_slice()).map_err(|_| damage())?;
    let cid = statement.image;
    let name = cid.to_string();
    let file = record.files.iter().find(|file| file.cid == name).ok_or_else(damage)?;
    let vouched = record.origin.as_ref().map(reads::origin_of).transpose()?.map(|origin| origin.pixels);
    let (host, point) = (run.host, msg.point.as_slice());
    opened(run, &record, msg)?;
    let (size, ends) = held(run, &cid)?;
    let id = statement.model;
    // Who was asked to read with it has found it admitted, and a model stays.
    let model_row = models::get(run, &id)?.ok_or_else(|| damaged(SEALED, &keys::job(row.job)))?;
    let manifest = models::manifest(&model_row)?;
    reads::covered(run, sender, &manifest)?;
    run.script.need_room(OUTCOME_WEIGHT)?;
    // What was sealed may unpack to as much as a record may have, whatever the file's own length.
    let record_bytes = Limits::default().bytes as u64;
    let opening = reads::opening(size.saturating_add(record_bytes), file.effort);
    run.meter.spend_wasm(opening, "opening a sealed file")?;
    run.meter.spend(model_row.load_gas.saturating_add(model_row.run_gas), "model")?;
    run.meter
        .spend(gas::DISPUTE.saturating_add(gas::DISPUTE_SIGNER.saturating_mul(signers.len() as u64)), "dispute")?;
    if run.mode != Mode::Deliver {
        return Ok(None);
    }
    let Some((_, model)) = models::load(run, &id)? else { return Err(damaged(SEALED, &keys::job(row.job)).into()) };
    let who = Who { tx: Some(run.tx.index), caller: sender.into(), model: id };
    let look = || {
        let bytes = blobs::bytes(host, &cid, size)?;
        // Else the model would refuse here what it computes elsewhere.
        if !rounding_is_default() {
            return Err(AppError::Host("this thread does not round to the nearest even number".into()).into());
        }
        let shown = Shown {
            statement,
            manifest: &manifest,
            model: &model,
            commitment: &commitment,
            modality: &file.modality,
            body_part: &file.body_part,
            effort: file.effort,
            vouched,
            point,
            file: &bytes,
        };
        Ok(host.reopen.outcome(&shown))
    };
    let span = reads::span("dispute", run.mode, &id, Some(&name)).entered();
    let found = run.script.dispute(who, cid, ends, look);
    drop(span);
    let found = found?;
    reads::note_open(run, sender, (cid, statement.frame), &model_row, &manifest);
    Ok(Some(found))
}

/// Whether the point is what the record's ciphertexts hold. One speaks for all: each was taken with the proof that it holds
/// what the registration holds, whatever became of its grant afterwards.
fn opened(run: &mut Run<'_>, record: &RecordRow, msg: &MsgDispute) -> Outcome<()> {
    run.meter.spend(gas::OPENING, "point of a dispute")?;
    let number = record.record;
    let refuse = |what: std::fmt::Arguments<'_>| Code::DisputePoint.because(format_args!("record {number}: {what}"));
    let check = |source: Option<Source<'_>>, chain_id: &str| -> Outcome<()> {
        let source = source.ok_or_else(|| damaged(SEALED, &keys::record(number)))?;
        let about = Opened { chain_id, job: msg.job };
        Ok(check_opening(&about, &source, &msg.point, &msg.proof).map_err(|e| refuse(format_args!("{e}")))?)
    };
    let chain = run.chain.clone();
    let Some(PassedOn { granter, grant, place }) = &msg.from else {
        return check(Source::of_registration(&record.registration), &chain.id);
    };
    let granter = chain.address(granter)?;
    let row = grants::need(run, granter.as_str(), *grant)?;
    let said = grants::said(&row)?;
    if said.record != number {
        return Err(refuse(format_args!("grant {granter}/{grant} is of record {}", said.record)).into());
    }
    let at = usize::try_from(*place).unwrap_or(usize::MAX);
    let Some(reader) = said.recipients.get(at) else {
        let count = said.recipients.len();
        return Err(refuse(format_args!("grant {granter}/{grant} has {count} places, and no place {place}")).into());
    };
    let key = readers::get(run, &reader.account, reader.epoch)?;
    let key = key.ok_or_else(|| damaged(SEALED, &keys::reader(&reader.account, reader.epoch)))?.key;
    check(Source::of_wrap(&said.wrap, at, &key), &chain.id)
}

/// Bytes of the sealed file, and the first height at which nodes need not hold them any more.
fn held(run: &mut Run<'_>, cid: &BlobId) -> Outcome<(u64, Height)> {
    let (height, mode) = (run.block.height.0, run.mode);
    let state = &mut Bare(run.delta);
    let row = match (mode, blobs::get(state, cid)?) {
        // Bytes that nobody holds yet cost what they will cost.
        (Mode::Simulate, Some(row)) => row,
        _ => blobs::available(state, cid, height)?,
    };
    Ok((row.size, Height(row.held_until(&run.chain.params))))
}

/// Holds what was found against what was signed. All that is written here was paid before.
fn settle(run: &mut Run<'_>, sender: String, case: Case, found: &Came) -> Outcome<MsgDisputeResponse> {
    let Case { row, statement, signed, signers } = case;
    let (chain, height) = (run.chain.clone(), run.block.height.0);
    let (wrong, outcome) = (*found != signed, found.encode());
    let agreed = row.outcome.as_ref().map(|said| said.outcome.clone()).unwrap_or_default();
    let (mut notes, mut events, mut marked) = (Notes::default(), Vec::new(), 0_u32);
    let state = &mut Bare(run.delta);
    for (place, member) in (0_u32..).zip(&row.members).filter(|_| wrong) {
        let at = (row.job, place);
        events.extend(if signers.iter().any(|one| u32::try_from(*one) == Ok(place)) {
            let told = notes.against(state, &chain.params, member.number, at, &agreed)?;
            marked += u32::from(!told.is_empty());
            told
        } else {
            notes.clear(state, member.number, at, &outcome)?
        });
    }
    notes.write(state)?;
    if let (true, Disclosure::Predicate(asked)) = (wrong, &statement.disclosure) {
        let (cid, model) = (statement.image.to_string(), statement.model.to_string());
        let about = About { owner: &statement.owner, cid: &cid, frame: statement.frame, model: &model };
        bits::forget(state, about, asked, row.read)?;
    }
    let told = Event::new("dispute")
        .with("job", row.job.to_string())
        .with("read", row.read.to_string())
        .with("sender", sender.as_str())
        .with("found", if wrong { "wrong" } else { "upheld" })
        .with("outcome", found.digest().to_string())
        .with("marked", marked.to_string());
    let kept = if wrong { outcome.clone() } else { Vec::new() };
    let disputed = Some(Disputed { sender, height, wrong, outcome: kept, marked });
    state.put(SEALED, keys::job(row.job), &JobRow { disputed, ..row })?;
    run.emit(told);
    events.into_iter().for_each(|event| run.emit(event));
    Ok(MsgDisputeResponse { wrong, outcome, marked })
}

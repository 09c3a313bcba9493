//! Disputes: whoever knows a record's key shows it, and everybody computes what the committee should have signed.
//!
//! No game is played and nobody is asked: the point is held against the registration, the sealed file, which has to be an
//! available blob like any that is read in the open, is opened by the function that members use ([`Reopen`]), and the
//! outcome is compared. Whoever has signed another one is wrong, and who was held to be wrong for saying the truth is
//! cleared. All of it is paid before it is done, at a price that does not depend on what is found; a simulation opens
//! nothing.
//!
//! One word cannot be looked into: that the wrap holds another key than the registration commits to. The point alone does
//! not show what the wrap holds, and an owner could have registered one key and committed to another to make honest
//! members look like liars.
//!
//! [`Reopen`]: crate::host::Reopen

use aceso_inference::{image::Limits, rounding_is_default};
use aceso_types::{
    BlobId, Digest, Height,
    msg::{MsgDispute, MsgDisputeResponse},
    query::{Disputed, JobRow, JobStatus},
    sealed::{Disclosure, Failure, Outcome as Came, Statement},
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
            jobs, keys, records,
        },
    },
    error::{AppError, Outcome},
    event::Event,
    gas,
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
    let found = reopened(run, &sender, &case, &msg.point)?;
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
    if signed == Came::Failed(Failure::Key) {
        let words =
            "its members say that the wrap holds another key than is committed to; the point does not show which";
        return Err(refuse(format_args!("{words}")).into());
    }
    let signers = places(&said.signers, row.members.len()).ok_or_else(damage)?;
    let statement = jobs::statement(&row)?;
    Ok(Case { row, statement, signed, signers })
}

/// What the members should have signed; nothing in a simulation, which pays and looks at nothing.
fn reopened(run: &mut Run<'_>, sender: &str, case: &Case, point: &[u8]) -> Outcome<Option<Came>> {
    let Case { row, statement, signers, .. } = case;
    let damage = || damaged(SEALED, &keys::record(row.record));
    let record = records::get(run, row.record)?.ok_or_else(damage)?;
    let commitment = Digest::try_from(record.commitment.as_slice()).map_err(|_| damage())?;
    let cid = statement.image;
    let name = cid.to_string();
    let file = record.files.iter().find(|file| file.cid == name).ok_or_else(damage)?;
    let vouched = record.origin.as_ref().map(reads::origin_of).transpose()?.map(|origin| origin.pixels);
    let host = run.host;
    run.meter.spend(gas::POSSESSION, "point of a dispute")?;
    host.reopen
        .check_point(point, &commitment)
        .map_err(|e| Code::DisputePoint.because(format_args!("record {}: {e}", row.record)))?;
    let (size, ends) = held(run, &cid)?;
    let id = statement.model;
    // Who was asked to read with it has found it admitted, and a model stays.
    let model_row = models::get(run, &id)?.ok_or_else(|| damaged(SEALED, &keys::job(row.job)))?;
    let manifest = models::manifest(&model_row)?;
    reads::covered(run, sender, &manifest)?;
    run.script.need_room(OUTCOME_WEIGHT)?;
    // What was sealed may unpack to as much as a record may have, whatever the file's own length.
    let record_bytes = Limits::default().bytes as u64;
    run.meter.spend_wasm(reads::opening(size.saturating_add(record_bytes)), "opening a sealed file")?;
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
    reads::note_open(run, sender, cid, &model_row, &manifest);
    Ok(Some(found))
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
        let event = if signers.iter().any(|one| u32::try_from(*one) == Ok(place)) {
            let event = notes.against(state, member.number, at, &agreed)?;
            marked += u32::from(event.is_some());
            event
        } else {
            notes.clear(state, member.number, at, &outcome)?
        };
        events.extend(event);
    }
    events.extend(notes.write(state, &chain.params)?);
    if let (true, Disclosure::Predicate(asked)) = (wrong, &statement.disclosure) {
        let (cid, model) = (statement.image.to_string(), statement.model.to_string());
        bits::forget(state, About { owner: &statement.owner, cid: &cid, model: &model }, asked, row.read)?;
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

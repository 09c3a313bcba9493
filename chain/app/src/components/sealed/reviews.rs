//! Emergencies: a glass is broken in public, and the patient finds an item to review.

use aceso_types::{
    msg::{MsgBreakGlass, MsgBreakGlassResponse},
    query::{RecordRow, ReviewRow},
    sealed::Terms,
};

use crate::{
    code::Code,
    components::{
        SEALED,
        sealed::{grants, keys, readers, records},
    },
    error::Outcome,
    event::Event,
    run::Run,
    store::{Read, Write, damaged},
};

/// Writes an item down; its number, which it must not have yet, is the record's next.
pub(crate) fn add(run: &mut Run<'_>, record: &mut RecordRow, item: ReviewRow) -> Outcome<u64> {
    record.reviews = record.reviews.saturating_add(1);
    let item = ReviewRow { review: record.reviews, record: record.record, height: run.block.height.0, ..item };
    run.put(SEALED, keys::review(item.record, item.review), &item)?;
    records::put(run, record)?;
    run.emit(
        Event::new("break_glass")
            .with("record", item.record.to_string())
            .with("owner", record.owner.as_str())
            .with("review", item.review.to_string())
            .with("actor", item.actor)
            .with("granter", item.granter)
            .with("grant", item.grant.to_string())
            .with("job", item.job.to_string())
            .with("reason", item.reason),
    );
    Ok(item.review)
}

/// Whether a sender may act under an emergency grant's terms: named, or anybody.
pub(crate) fn may(terms: &Terms, actor: &str) -> bool {
    terms.anybody || terms.actors.iter().any(|one| one == actor)
}

/// `MsgBreakGlass`.
pub(crate) fn break_glass(run: &mut Run<'_>, msg: &MsgBreakGlass) -> Outcome<MsgBreakGlassResponse> {
    let actor = run.chain.address(&msg.actor)?.to_string();
    let granter = run.chain.address(&msg.granter)?.to_string();
    let now = run.block.seconds();
    let (row, mut record) = grants::holding(run, &granter, msg.grant, now)?;
    let terms = grants::opened(&row, &msg.terms)?;
    let forbid =
        |words: String| Err(Code::TermsForbid.because(format_args!("{granter}/{}: {words}", msg.grant)).into());
    if !terms.emergency {
        return forbid("it is not for emergencies".into());
    }
    if !may(&terms, &actor) {
        return forbid(format!("{actor} is not named"));
    }
    if now < terms.not_before {
        return forbid(format!("it begins at {}, and it is {now}", terms.not_before));
    }
    readers::usable(run, &actor, msg.epoch, now.saturating_add(1))?;
    let item = ReviewRow {
        actor,
        epoch: msg.epoch,
        granter,
        grant: msg.grant,
        reason: msg.reason.clone(),
        ..ReviewRow::default()
    };
    let waiting = keys::broken(record.record, &item.granter, item.grant, &item.actor, item.epoch);
    let review = add(run, &mut record, item)?;
    run.set(SEALED, waiting, review.to_be_bytes().into())?;
    Ok(MsgBreakGlassResponse { review })
}

/// Takes up the item by which a reader asked for the key that a grant holds, and notes who passes it on.
pub(super) fn take_up(
    run: &mut Run<'_>,
    record: u64,
    (granter, grant): (&str, u64),
    (actor, epoch): (&str, u64),
    by: &str,
) -> Outcome<()> {
    let waiting = keys::broken(record, granter, grant, actor, epoch);
    let Some(number) = run.get(SEALED, &waiting)? else {
        let words = format_args!("{actor} has not asked for the key of epoch {epoch} under {granter}/{grant}");
        return Err(Code::GlassWhole.because(words).into());
    };
    let number = <[u8; 8]>::try_from(number.as_slice()).map_err(|_| damaged(SEALED, &waiting))?;
    let key = keys::review(record, u64::from_be_bytes(number));
    let item: Option<ReviewRow> = run.row(SEALED, &key)?;
    let mut item = item.ok_or_else(|| damaged(SEALED, &key))?;
    item.passed_on_by = by.into();
    run.put(SEALED, key, &item)?;
    run.remove(SEALED, &waiting)
}

//! Permits live as long as a transaction; what was answered, used and owed outlives it.

use std::collections::BTreeMap;

use aceso_types::{
    BlobId, ModelId,
    guest::{Answer, GRANT_MAX, PERMIT_BYTES_MAX, PURPOSE_MAX, PermitRequest, REASON_MAX},
    journal::{Entry, Event as What},
};

use crate::{
    code::{Code, Fault},
    components::{
        READS,
        reads::{images, keys},
        sealed,
    },
    error::Outcome,
    event::Event,
    run::{Mode, Run},
    store::{Bare, Read, Write, damaged},
};

/// Permits that one transaction may hold.
const PERMITS_MAX: usize = 256;

/// A guard's yes to one read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permit {
    pub(crate) caller: String,
    pub(crate) image: BlobId,
    /// Whose sealed file it is; empty for an open image.
    pub(crate) owner: String,
    pub(crate) model: ModelId,
    pub(crate) purpose: String,
    pub(crate) guard: String,
    pub(crate) grant: String,
    pub(crate) actor: String,
    pub(crate) max_uses: u32,
    pub(crate) consumed: bool,
}

/// What the running transaction leaves behind whatever becomes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Journal {
    entries: Vec<Entry>,
    /// Uses on top of those in the state, by guard and grant.
    uses: BTreeMap<(String, String), u32>,
    /// What is owed for reads, by payer.
    owed: BTreeMap<String, u128>,
    /// The same by payer and the image's owner.
    spent: BTreeMap<(String, String), u128>,
}

impl Journal {
    /// What an account owes for reads.
    pub(crate) fn owed(&self, payer: &str) -> u128 {
        self.owed.get(payer).copied().unwrap_or(0)
    }

    /// All that is owed.
    pub(crate) fn fees(&self) -> Vec<(&str, u128)> {
        self.owed.iter().map(|(payer, fee)| (payer.as_str(), *fee)).collect()
    }

    /// Payer, author and fee of every read.
    pub(crate) fn payments(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.entries.iter().filter_map(|entry| match &entry.event {
            What::Read { fee, author, .. } => Some((entry.caller.as_str(), author.as_str(), *fee)),
            _ => None,
        })
    }

    /// Writes an entry down; a read counts its use and owes its fee from here on.
    pub(crate) fn note(&mut self, entry: Entry) {
        if let What::Read { guard, grant, fee, .. } = &entry.event {
            if !guard.is_empty() {
                *self.uses.entry((guard.clone(), grant.clone())).or_default() += 1;
            }
            *self.owed.entry(entry.caller.clone()).or_default() += u128::from(*fee);
        }
        self.entries.push(entry);
    }

    /// Remembers whose image it was that a payer owes a fee for.
    pub(crate) fn spend(&mut self, payer: &str, owner: &str, fee: u64) {
        if fee > 0 {
            *self.spent.entry((payer.into(), owner.into())).or_default() += u128::from(fee);
        }
    }
}

/// What reads of an owner's images were charged to a contract, up to and within the running transaction.
pub(crate) fn spent(state: &mut impl Read, journal: &Journal, payer: &str, owner: &str) -> Outcome<u128> {
    let fresh = journal.spent.get(&(payer.into(), owner.into())).copied().unwrap_or(0);
    Ok(stored(state, &keys::spent(payer, owner))?.saturating_add(fresh))
}

fn stored(state: &mut impl Read, key: &[u8]) -> Outcome<u128> {
    let Some(row) = state.get(READS, key)? else { return Ok(0) };
    Ok(row.as_slice().try_into().map(u128::from_be_bytes).map_err(|_| damaged(READS, key))?)
}

/// How often a grant was used, up to and within the running transaction.
pub(crate) fn uses(state: &mut impl Read, journal: &Journal, guard: &str, grant: &str) -> Outcome<u32> {
    let stored = state.counter(READS, &keys::uses(guard, grant))?;
    let fresh = journal.uses.get(&(guard.into(), grant.into())).copied().unwrap_or(0);
    Ok(u32::try_from(stored).unwrap_or(u32::MAX).saturating_add(fresh))
}

/// Takes the answer of `guard`, the contract that runs, to somebody who wants to read.
///
/// Only the image's own guard may answer, only for a person who signed the transaction, and only within the grant's
/// uses. Then the answer is journalled, and a yes becomes a permit for one read.
pub(crate) fn permit(run: &mut Run<'_>, guard: &str, request: &[u8]) -> Outcome<()> {
    if run.queries > 0 || run.mode == Mode::Query {
        return Err(Code::PermitField.because("a query answers for nobody").into());
    }
    let request = decode(request)?;
    let prefix = run.chain.prefix.clone();
    let caller = crate::address::Address::parse(&request.caller, &prefix)?.to_string();
    let PermitRequest { actor, image, owner, model, purpose, grant, answer, .. } = request;
    let owner = if owner.is_empty() { owner } else { run.chain.address(&owner)?.into() };
    let (image_guard, name) = guard_of(&mut Bare(run.delta), &owner, &image)?;
    if image_guard != guard {
        let who = if image_guard.is_empty() { "nobody" } else { image_guard.as_str() };
        return Err(Code::NotTheGuard.because(format_args!("{name} is guarded by {who}, not by {guard}")).into());
    }
    let denied = matches!(answer, Answer::Deny { .. });
    if !(run.tx.signers.contains(&actor) || denied && actor.is_empty()) {
        return Err(Code::ActorNotSigner.because(format_args!("actor {actor:?}")).into());
    }
    let event = match &answer {
        Answer::Permit { max_uses } => {
            check_uses(run, guard, &grant, *max_uses)?;
            if run.tx.permits.len() == PERMITS_MAX {
                return Err(Code::PermitField.because(format_args!("more than {PERMITS_MAX} permits")).into());
            }
            let (guard, grant, actor, purpose) = (guard.into(), grant.clone(), actor.clone(), purpose.clone());
            What::Permitted { guard, grant, actor, purpose }
        }
        Answer::Deny { reason } => What::Refused {
            guard: guard.into(),
            grant: grant.clone(),
            actor: actor.clone(),
            purpose: purpose.clone(),
            reason: reason.clone(),
        },
    };
    let (height, tx) = (run.block.height, run.tx.index);
    run.tx.journal.note(Entry { height, tx, image, model, caller: caller.clone(), event });
    if let Answer::Permit { max_uses } = answer {
        let guard = guard.into();
        let consumed = false;
        run.tx.permits.push(Permit { caller, image, owner, model, purpose, guard, grant, actor, max_uses, consumed });
    }
    Ok(())
}

/// Who guards an open image, or a sealed file of an owner; and how refusals name it.
fn guard_of(state: &mut impl Read, owner: &str, image: &BlobId) -> Outcome<(String, String)> {
    let (guard, name) = if owner.is_empty() {
        (images::get(state, image)?.map(|row| row.guard), image.to_string())
    } else {
        (sealed::info(state, owner, image)?.map(|info| info.guard), format!("{image} of {owner}"))
    };
    match guard {
        Some(guard) => Ok((guard, name)),
        None => Err(Code::ImageUnknown.because(name).into()),
    }
}

/// Refuses a use beyond the cap.
pub(super) fn check_uses(run: &mut Run<'_>, guard: &str, grant: &str, max_uses: u32) -> Outcome<u32> {
    let used = uses(&mut Bare(run.delta), &run.tx.journal, guard, grant)?;
    if used >= max_uses {
        let words = format_args!("grant {grant:?} of {guard} allows {max_uses} uses and has had {used}");
        return Err(Code::UsesExceeded.because(words).into());
    }
    Ok(used)
}

fn decode(bytes: &[u8]) -> Result<PermitRequest, Fault> {
    if bytes.len() > PERMIT_BYTES_MAX {
        let words = format_args!("{} bytes, the limit is {PERMIT_BYTES_MAX}", bytes.len());
        return Err(Code::PermitMalformed.because(words));
    }
    let request: PermitRequest = serde_json::from_slice(bytes).map_err(|e| Code::PermitMalformed.because(e))?;
    let reason = match &request.answer {
        Answer::Deny { reason } => reason.len(),
        Answer::Permit { .. } => 0,
    };
    let fields = [
        ("purpose", request.purpose.len(), PURPOSE_MAX),
        ("grant", request.grant.len(), GRANT_MAX),
        ("reason", reason, REASON_MAX),
    ];
    match fields.into_iter().find(|(_, length, most)| length > most) {
        None => Ok(request),
        Some((name, length, most)) => {
            Err(Code::PermitField.because(format_args!("{name}: {length} bytes, the limit is {most}")))
        }
    }
}

/// A request for a read of a sealed file that somebody guards.
pub(crate) struct SealedUse<'a> {
    pub(crate) caller: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) image: &'a BlobId,
    pub(crate) owner: &'a str,
    pub(crate) model: &'a ModelId,
    pub(crate) purpose: &'a str,
    pub(crate) guard: &'a str,
}

/// Uses up the permit of a sealed file's guard. The use counts with the request: nobody has seen anything yet, so both
/// are undone together.
pub(crate) fn consume_sealed(run: &mut Run<'_>, wanted: &SealedUse<'_>) -> Outcome<()> {
    let SealedUse { caller, actor, image, owner, model, purpose, guard } = wanted;
    let fits = |permit: &Permit| {
        !permit.consumed
            && permit.caller == *caller
            && permit.actor == *actor
            && permit.image == **image
            && permit.owner == *owner
            && permit.model == **model
            && permit.purpose == *purpose
            && permit.guard == *guard
    };
    let Some(slot) = run.tx.permits.iter().position(fits) else {
        let words = format_args!(
            "{guard} has not permitted {caller} to read {image} of {owner} with model {model} for {purpose} for {actor}"
        );
        return Err(Code::NoPermit.because(words).into());
    };
    let Some(Permit { grant, max_uses, .. }) = run.tx.permits.get(slot).cloned() else { return Ok(()) };
    check_uses(run, guard, &grant, max_uses)?;
    if let Some(permit) = run.tx.permits.get_mut(slot) {
        permit.consumed = true;
    }
    run.count(READS, keys::uses(guard, &grant)).map(drop)
}

/// Writes a transaction's journal and says what is in it.
pub(crate) fn write_journal(state: &mut impl Write, journal: &Journal, events: &mut Vec<Event>) -> Outcome<()> {
    for ((guard, grant), fresh) in &journal.uses {
        let key = keys::uses(guard, grant);
        let used = state.counter(READS, &key)?.saturating_add(u64::from(*fresh));
        state.set(READS, key, used.to_be_bytes().into())?;
    }
    for ((payer, owner), fresh) in &journal.spent {
        let key = keys::spent(payer, owner);
        let total = stored(state, &key)?.saturating_add(*fresh);
        state.set(READS, key, total.to_be_bytes().into())?;
    }
    for entry in &journal.entries {
        let number = state.count(READS, keys::entries())?;
        state.set(READS, keys::journal(&entry.image.to_string(), number), entry.encode())?;
        events.push(event(entry, number));
    }
    Ok(())
}

fn event(entry: &Entry, number: u64) -> Event {
    let (answer, guard, grant, more) = match &entry.event {
        What::Permitted { guard, grant, actor, purpose } => {
            ("permitted", guard, grant, vec![("actor", actor.clone()), ("purpose", purpose.clone())])
        }
        What::Refused { guard, grant, actor, purpose, reason } => {
            let more = vec![("actor", actor.clone()), ("purpose", purpose.clone()), ("reason", reason.clone())];
            ("refused", guard, grant, more)
        }
        What::Requested { job, owner, frame, granter, grant, actor, purpose, r#use } => {
            let event = Event::new("journal").with("answer", "requested").with("entry", number.to_string());
            return event
                .with("image", entry.image.to_string())
                .with_frame(*frame)
                .with("model", entry.model.to_string())
                .with("caller", entry.caller.as_str())
                .with("job", job.to_string())
                .with("owner", owner.as_str())
                .with("grant", format!("{granter}/{grant}"))
                .with("actor", actor.as_str())
                .with("purpose", purpose.as_str())
                .with("use", r#use.to_string());
        }
        What::Read { guard, grant, r#use, frame, fee, author } => {
            let mut more = vec![("use", r#use.to_string()), ("fee", fee.to_string()), ("author", author.clone())];
            more.extend((!frame.is_first()).then(|| ("frame", frame.to_string())));
            ("read", guard, grant, more)
        }
    };
    let event = Event::new("journal")
        .with("answer", answer)
        .with("entry", number.to_string())
        .with("image", entry.image.to_string())
        .with("model", entry.model.to_string())
        .with("caller", entry.caller.as_str())
        .with("guard", guard.as_str())
        .with("grant", grant.as_str());
    more.into_iter().fold(event, |event, (key, value)| event.with(key, value))
}

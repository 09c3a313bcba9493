//! Grants: a record's key wrapped for readers or a committee, by its owner or by somebody for whom it was wrapped.
//!
//! A grant holds while it and all that it was passed on from do, and the record with them: taking one back needs no list
//! of what came of it. What it allows stands here as a digest; whoever relies on it opens it ([`opened`]).

use std::collections::BTreeSet;

use aceso_types::{
    Digest,
    msg::{MsgGrant, MsgGrantResponse, MsgRevokeGrant, MsgRevokeGrantResponse, PassedOn, Recipient},
    query::{GrantRow, ReaderRow, RecordRow},
    sealed::{DEPTH_MAX, Terms, VERSION, recipients_digest, source_digest},
};

use crate::{
    code::{Code, Fault},
    components::{
        SEALED,
        sealed::{cancelled, keys, readers, records, reviews},
        validators,
    },
    error::Outcome,
    event::Event,
    gas,
    grants::{Granted, Source, check_wrap},
    run::Run,
    store::{Read, Write, damaged},
};

/// A grant by its granter and number.
pub(crate) fn get(state: &mut impl Read, granter: &str, number: u64) -> Outcome<Option<GrantRow>> {
    state.row(SEALED, &keys::grant(granter, number))
}

/// Writes a grant's row.
pub(crate) fn put(state: &mut impl Write, row: &GrantRow) -> Outcome<()> {
    let said = said(row)?;
    state.put(SEALED, keys::grant(&said.granter, said.grant), row)
}

/// What was granted: the message, without the terms that it opened.
pub(crate) fn said(row: &GrantRow) -> Outcome<&MsgGrant> {
    Ok(row.grant.as_ref().ok_or_else(|| damaged(SEALED, b"grant/"))?)
}

/// The grant and its record, if it holds at this second.
///
/// Refused in words that name what no longer holds: the grant, one that it was passed on from, or the record.
pub(crate) fn holding(state: &mut impl Read, granter: &str, number: u64, now: u64) -> Outcome<(GrantRow, RecordRow)> {
    let row = need(state, granter, number)?;
    let record = records::holding(state, said(&row)?.record)?;
    for one in lineage(state, row.clone())? {
        check_lasts(&one, now)?;
    }
    Ok((row, record))
}

/// A grant and all that it was passed on from, the latest first.
pub(crate) fn lineage(state: &mut impl Read, row: GrantRow) -> Outcome<Vec<GrantRow>> {
    let mut from = said(&row)?.from.clone();
    let mut all = vec![row];
    while let Some(PassedOn { granter, grant, .. }) = from {
        let row = need(state, &granter, grant)?;
        from = said(&row)?.from.clone();
        all.push(row);
    }
    Ok(all)
}

/// A grant's terms, as opened by who relies on them.
pub(crate) fn opened(row: &GrantRow, terms: &[u8]) -> Outcome<Terms> {
    let said = said(row)?;
    let name = format!("{}/{}", said.granter, said.grant);
    let refuse = |words: String| Code::TermsRefused.because(format_args!("of grant {name}: {words}"));
    let terms = Terms::decode(terms).map_err(|e| refuse(e.to_string()))?;
    if terms.digest(said.expires).0[..] != said.terms {
        return Err(refuse("these are other terms than it was given with".into()).into());
    }
    Ok(terms)
}

/// `MsgGrant`.
pub(crate) fn grant(run: &mut Run<'_>, msg: &MsgGrant) -> Outcome<MsgGrantResponse> {
    run.meter.spend_linear(gas::WRAP, msg.recipients.len(), "proof of a wrap")?;
    let chain = run.chain.clone();
    let granter = chain.address(&msg.granter)?.to_string();
    let next = run.counter(SEALED, &keys::grants(&granter))?.saturating_add(1);
    if msg.grant != next {
        let words = format_args!("grant {} of {granter}, and {next} is next", msg.grant);
        return Err(Code::GrantRefused.because(words).into());
    }
    let now = run.block.seconds();
    if msg.expires <= now {
        let words = format_args!("a grant that ends at {}, and it is {now}", msg.expires);
        return Err(Code::GrantRefused.because(words).into());
    }
    let mut given = MsgGrant { granter, source_terms: Vec::new(), ..msg.clone() };
    for one in &mut given.recipients {
        one.account = chain.address(&one.account)?.into();
    }
    if let Some(from) = &mut given.from {
        from.granter = chain.address(&from.granter)?.into();
    }
    let members = recipients(run, &given)?;
    let record = records::holding(run, given.record)?;
    let depth = match given.from.clone() {
        None => own(run, &given, &record, &members)?,
        Some(from) => passed_on(run, &given, &from, &record, &members, &msg.source_terms)?,
    };
    write(run, GrantRow { grant: Some(given), height: run.block.height.0, revoked: 0, uses: 0, depth }, &record)?;
    Ok(MsgGrantResponse {})
}

/// `MsgRevokeGrant`.
pub(crate) fn revoke(run: &mut Run<'_>, msg: &MsgRevokeGrant) -> Outcome<MsgRevokeGrantResponse> {
    let sender = run.chain.address(&msg.sender)?;
    let granter = run.chain.address(&msg.granter)?.to_string();
    let mut row = need(run, &granter, msg.grant)?;
    let number = said(&row)?.record;
    let owner = records::get(run, number)?.map(|record| record.owner).unwrap_or_default();
    if sender.as_str() != granter && sender.as_str() != owner {
        let words =
            format_args!("{sender} asks, and grant {granter}/{} is for {granter} or {owner} to take back", msg.grant);
        return Err(Code::Unauthorized.because(words).into());
    }
    if row.revoked > 0 {
        return Err(taken_back(&row)?.into());
    }
    row.revoked = run.block.height.0;
    put(run, &row)?;
    run.emit(
        Event::new("revoke_grant")
            .with("granter", granter.as_str())
            .with("grant", msg.grant.to_string())
            .with("record", number.to_string())
            .with("owner", owner),
    );
    cancelled(run, number, Some((&granter, msg.grant)))?;
    Ok(MsgRevokeGrantResponse {})
}

/// The grant, whether it holds or not; refused where there is none.
pub(super) fn need(state: &mut impl Read, granter: &str, number: u64) -> Outcome<GrantRow> {
    get(state, granter, number)?.ok_or_else(|| Code::GrantUnknown.because(format_args!("{granter}/{number}")).into())
}

fn check_lasts(row: &GrantRow, now: u64) -> Outcome<()> {
    let said = said(row)?;
    if row.revoked > 0 {
        return Err(taken_back(row)?.into());
    }
    if now >= said.expires {
        let words = format_args!("{}/{} ended at {}, and it is {now}", said.granter, said.grant, said.expires);
        return Err(Code::GrantEnded.because(words).into());
    }
    Ok(())
}

fn taken_back(row: &GrantRow) -> Outcome<Fault> {
    let said = said(row)?;
    let words = format_args!("{}/{} was taken back at height {}", said.granter, said.grant, row.revoked);
    Ok(Code::GrantEnded.because(words))
}

/// The keys of those who are meant, in their order. Each is named once, and has a key that lasts as long as the grant;
/// a committee is made of validators' operators.
fn recipients(run: &mut Run<'_>, given: &MsgGrant) -> Outcome<Vec<ReaderRow>> {
    let attesting = match given.committee {
        true => Some(validators::attesting(run)?),
        false => None,
    };
    let mut seen = BTreeSet::new();
    let mut all = Vec::with_capacity(given.recipients.len());
    for Recipient { account, epoch } in &given.recipients {
        if !seen.insert(account) {
            return Err(Code::GrantRefused.because(format_args!("{account} is named twice")).into());
        }
        if attesting.as_ref().is_some_and(|operators| !operators.contains(account)) {
            let words = format_args!("{account} operates no validator that attests");
            return Err(Code::GrantRefused.because(words).into());
        }
        all.push(readers::usable(run, account, *epoch, given.expires)?);
    }
    Ok(all)
}

/// A grant that the record's owner makes of her registration.
fn own(run: &mut Run<'_>, given: &MsgGrant, record: &RecordRow, members: &[ReaderRow]) -> Outcome<u32> {
    if given.granter != record.owner {
        let words = format_args!("{} grants, and record {} is {}'s", given.granter, record.record, record.owner);
        return Err(Code::Unauthorized.because(words).into());
    }
    let source = Source::of_registration(&record.registration);
    let source = source.ok_or_else(|| damaged(SEALED, &keys::record(record.record)))?;
    prove(run, given, record, members, &source, &record.registration)?;
    Ok(0)
}

/// A grant that a recipient makes of what was wrapped for her. The terms must allow it, or somebody must have asked for
/// it in an emergency.
fn passed_on(
    run: &mut Run<'_>,
    given: &MsgGrant,
    from: &PassedOn,
    record: &RecordRow,
    members: &[ReaderRow],
    terms: &[u8],
) -> Outcome<u32> {
    let refuse = |words: String| {
        let name = format!("{}/{}", from.granter, from.grant);
        Code::GrantRefused.because(format_args!("passed on from {name}: {words}"))
    };
    let now = run.block.seconds();
    let (row, _) = holding(run, &from.granter, from.grant, now)?;
    let source = said(&row)?;
    if source.record != given.record {
        return Err(refuse(format!("it is of record {}, not {}", source.record, given.record)).into());
    }
    let place = usize::try_from(from.place).unwrap_or(usize::MAX);
    let holder = source.recipients.get(place).filter(|one| one.account == given.granter);
    let Some(holder) = holder else {
        return Err(refuse(format!("{} is not at place {} of it", given.granter, from.place)).into());
    };
    if row.depth >= DEPTH_MAX {
        return Err(refuse(format!("it was passed on {DEPTH_MAX} times already")).into());
    }
    if given.expires > source.expires {
        return Err(refuse(format!("it ends at {}, before {}", source.expires, given.expires)).into());
    }
    if terms.is_empty() {
        for one in &given.recipients {
            let asked = (one.account.as_str(), one.epoch);
            reviews::take_up(run, given.record, (&from.granter, from.grant), asked, &given.granter)?;
        }
    } else if !opened(&row, terms)?.rewrap {
        let words = format_args!("{}/{} is not to be passed on", from.granter, from.grant);
        return Err(Code::TermsForbid.because(words).into());
    }
    let key = readers::get(run, &holder.account, holder.epoch)?;
    let key = key.ok_or_else(|| damaged(SEALED, &keys::reader(&holder.account, holder.epoch)))?;
    let wrap = Source::of_wrap(&source.wrap, place, &key.key);
    let wrap = wrap.ok_or_else(|| damaged(SEALED, &keys::grant(&from.granter, from.grant)))?;
    prove(run, given, record, members, &wrap, &source.wrap)?;
    Ok(row.depth.saturating_add(1))
}

fn prove(
    run: &Run<'_>,
    given: &MsgGrant,
    record: &RecordRow,
    members: &[ReaderRow],
    source: &Source<'_>,
    bytes: &[u8],
) -> Outcome<()> {
    let field = |what: &str| Code::GrantRefused.because(format_args!("{what} has another length"));
    let committee = recipients_digest(members.iter().map(|one| (one.account.as_str(), one.epoch, one.key.as_slice())));
    let about = Granted {
        chain_id: &run.chain.id,
        version: VERSION,
        source: &source_digest(bytes),
        cid: &records::name(record),
        owner: &record.owner,
        grant: given.grant,
        nonce: given.nonce.as_slice().try_into().map_err(|_| field("the nonce"))?,
        epoch: members.first().map_or(0, |one| one.epoch),
        committee: &committee,
        terms: &Digest::try_from(given.terms.as_slice()).map_err(|_| field("the digest of the terms"))?,
    };
    let keys: Vec<&[u8]> = members.iter().map(|one| one.key.as_slice()).collect();
    Ok(check_wrap(&about, source, &keys, &given.wrap).map_err(|e| Code::ProofRefused.because(e))?)
}

fn write(run: &mut Run<'_>, row: GrantRow, record: &RecordRow) -> Outcome<()> {
    put(run, &row)?;
    let given = said(&row)?;
    run.count(SEALED, keys::grants(&given.granter))?;
    run.set(SEALED, keys::grant_of(given.record, &given.granter, given.grant), b"1".to_vec())?;
    let mut event = Event::new("grant")
        .with("granter", given.granter.as_str())
        .with("grant", given.grant.to_string())
        .with("record", given.record.to_string())
        .with("owner", record.owner.as_str())
        .with("committee", given.committee.to_string())
        .with("expires", given.expires.to_string());
    for one in &given.recipients {
        run.set(SEALED, keys::grant_for(&one.account, &given.granter, given.grant), b"1".to_vec())?;
        event = event.with("recipient", one.account.as_str());
    }
    run.emit(event);
    Ok(())
}

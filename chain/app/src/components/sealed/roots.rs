//! Roots: which attestation keys have how much power, numbered, each signed by more than two thirds of the one before.
//!
//! A block at whose end the decided validators have other keys, powers or epochs than the latest root writes the next
//! one. Jobs are made with it at once; its signatures come with the votes of the next blocks. Who trusts a root can
//! follow the signatures to every later one.

use aceso_state::Order;
use aceso_types::{
    msg::RootSigned,
    query::RootRow,
    sealed::{Key, Root, SignedRoot, VERSION},
};

use crate::{
    attest::{ROOTS_MAX, Signed},
    chain::Chain,
    code::Code,
    components::{SEALED, sealed::keys, validators},
    error::Outcome,
    event::Event,
    store::{Part, Read, Write, damaged},
};

/// A root by its number.
pub(crate) fn get(state: &mut impl Read, number: u64) -> Outcome<Option<RootRow>> {
    state.row(SEALED, &keys::root(number))
}

/// The root that there must be.
fn need(state: &mut impl Read, number: u64) -> Outcome<Root> {
    let wrong = || damaged(SEALED, &keys::root(number));
    let row = get(state, number)?.ok_or_else(wrong)?;
    Ok(Root::decode(&row.root).map_err(|_| wrong())?)
}

/// The number of the latest root; none before the end of the first block.
pub(crate) fn number(state: &mut impl Read) -> Outcome<Option<u64>> {
    Ok(state.counter(SEALED, &keys::roots())?.checked_sub(1))
}

/// The root that jobs are made with; none before the end of the first block.
pub(crate) fn latest(state: &mut impl Read) -> Outcome<Option<Root>> {
    number(state)?.map(|number| need(state, number)).transpose()
}

/// Roots that too few have signed, each with the one before: the latest of them in the order of their numbers. One that
/// nobody can sign any more does not stand in the way of others.
pub(crate) fn unsigned(state: &mut impl Read) -> Outcome<Vec<(Root, Root)>> {
    let mut unsigned = Vec::new();
    let part = Part { order: Order::Descending, ..Part::first(keys::all_unsigned(), ROOTS_MAX) };
    for (key, _) in state.page(SEALED, &part)?.iter().rev() {
        let number = keys::job_of(key).ok_or_else(|| damaged(SEALED, key))?;
        unsigned.push((need(state, number)?, need(state, number.saturating_sub(1))?));
    }
    Ok(unsigned)
}

/// Writes the next root if the decided validators are others than those of the latest.
pub(crate) fn end_block(state: &mut impl Write, chain: &Chain) -> Outcome<Option<Event>> {
    let table = validators::decided(state)?;
    let keyed = table.members.iter().filter(|one| !one.bls_key.is_empty());
    let mut keys: Vec<Key> = keyed
        .map(|one| Key { number: one.number, key: one.bls_key.clone(), power: one.power, epoch: one.epoch })
        .collect();
    keys.sort_by_key(|one| one.number);
    // A chain that took over another's state begins anew: who signed for the other has said nothing of this one.
    let before = latest(state)?.filter(|root| root.chain_id == chain.id);
    if before.as_ref().is_some_and(|root| root.keys == keys && root.total == table.total()) {
        return Ok(None);
    }
    let number = state.count(SEALED, keys::roots())?.saturating_sub(1);
    let previous = before.as_ref().map(Root::digest).unwrap_or_default();
    let root = Root { version: VERSION, chain_id: chain.id.clone(), number, previous, keys, total: table.total() };
    state.put(SEALED, keys::root(number), &RootRow { root: root.encode(), signed: None })?;
    if before.is_some() {
        state.set(SEALED, keys::unsigned(number), b"1".to_vec())?;
    }
    Ok(Some(Event::new("root").with("number", number.to_string()).with("digest", root.digest().to_string())))
}

/// What a statement about a root claims: who has signed what. Refused in words where that cannot be.
pub(crate) fn check(state: &mut impl Read, said: &RootSigned) -> Outcome<Signed> {
    let refuse = |what: &str| Err(Code::AttestInvalid.because(format_args!("root {}: {what}", said.number)).into());
    if state.get(SEALED, &keys::unsigned(said.number))?.is_none() {
        return refuse("there is none that lacks signatures");
    }
    let (root, before) = (need(state, said.number)?, need(state, said.number.saturating_sub(1))?);
    let next = SignedRoot { root, signers: said.signers.clone(), signature: said.signature.clone() };
    let signed = match before.followed(&next) {
        Ok(signed) => signed,
        Err(wrong) => return refuse(&wrong.to_string()),
    };
    let keys = before.keys_at(&signed.signers).map(|one| one.key.clone()).collect();
    Ok(Signed { keys, message: signed.message, signature: next.signature })
}

/// Puts checked signatures to their root.
pub(crate) fn signed(state: &mut impl Write, said: &RootSigned) -> Outcome<Event> {
    let key = keys::root(said.number);
    let row = get(state, said.number)?.ok_or_else(|| damaged(SEALED, &key))?;
    state.put(SEALED, key, &RootRow { signed: Some(said.clone()), ..row })?;
    state.remove(SEALED, &keys::unsigned(said.number))?;
    Ok(Event::new("root_signed").with("number", said.number.to_string()))
}

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

/// Writes the next root if the decided validators are others than those of the latest. Where the table is not `changed`
/// nothing is looked at but whether this chain has a root: most blocks change no validator, and a table may be long.
pub(crate) fn end_block(state: &mut impl Write, chain: &Chain, changed: bool) -> Outcome<Option<Event>> {
    let rooted = state.get(SEALED, &keys::rooted())?;
    let is_ours = rooted.is_some_and(|id| id == chain.id.as_bytes());
    if is_ours && !changed {
        return Ok(None);
    }
    if !is_ours {
        state.set(SEALED, keys::rooted(), chain.id.as_bytes().into())?;
    }
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

/// Has the next block look at the validators, whatever has changed: they were put in place beside the usual way.
pub(crate) fn look_again(state: &mut impl Write) -> Outcome<()> {
    state.remove(SEALED, &keys::rooted())
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

#[cfg(test)]
mod tests {
    use aceso_state::{Delta, Options, Store};
    use aceso_types::genesis::{Attester, Params};

    use super::*;
    use crate::{COMPONENTS, address::Address, attest::AttestKey, store::Bare};

    #[test]
    #[allow(clippy::disallowed_methods, reason = "what is measured is shown and decides nothing")]
    fn a_table_that_did_not_change_is_not_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::new(COMPONENTS, 1)).unwrap();
        let mut delta = Delta::new(store.snapshot());
        let state = &mut Bare(&mut delta);
        let attester = |number: u8| {
            let key = ed25519_consensus::SigningKey::from([number; 32]).verification_key().to_bytes();
            let attest = AttestKey::generate(&[number; 32]).unwrap();
            Attester {
                consensus_key: key.to_vec(),
                bls_key: attest.public().to_vec(),
                possession: attest.possession(&key, 0).to_vec(),
                operator: Address::of_bytes(&[number; 20], "aceso").unwrap().to_string(),
                name: String::new(),
            }
        };
        let attesters: Vec<Attester> = (1..=100).map(attester).collect();
        let powers: Vec<(Vec<u8>, u64)> = attesters.iter().map(|one| (one.consensus_key.clone(), 10)).collect();
        validators::found(state, 1, &powers, &attesters, &Params::default(), "aceso").unwrap();
        let (first, second) = (Chain::named("one"), Chain::named("two"));
        assert!(end_block(state, &first, false).unwrap().is_some(), "a chain begins with a root");
        let mut timed = |changed| {
            let begun = std::time::Instant::now();
            assert!((0..100).all(|_| end_block(state, &first, changed).unwrap().is_none()));
            begun.elapsed() / 100
        };
        let (idle, looked) = (timed(false), timed(true));
        println!("of 100 validators: {idle:?} where none has changed, {looked:?} where the table is looked at");
        // Another chain that goes on with this state begins anew, and so does whoever puts others in place.
        assert!(end_block(state, &second, false).unwrap().is_some());
        assert!(end_block(state, &second, false).unwrap().is_none());
        validators::found(state, 2, &powers[..99], &[], &Params::default(), "aceso").unwrap();
        assert!(end_block(state, &second, false).unwrap().is_none());
        look_again(state).unwrap();
        assert!(end_block(state, &second, false).unwrap().is_some());
    }
}

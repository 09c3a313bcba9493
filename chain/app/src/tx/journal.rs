//! What stays of a transaction whatever became of it: consent answers, counted uses, and the fees of reads.

use crate::{
    address::Address,
    components::{bank, reads},
    error::Outcome,
    run::Run,
    store::Bare,
};

/// Writes the running transaction's journal into the state, below everything that may still be discarded.
pub(crate) fn write(run: &mut Run<'_>) -> Outcome<()> {
    let mut journal = std::mem::take(&mut run.tx.journal);
    // Of requests only those are left that were not undone.
    run.tx.requests.drain(..).for_each(|entry| journal.note(entry));
    let (prefix, denom) = (run.chain.prefix.clone(), run.chain.denom.clone());
    let state = &mut Bare(run.delta);
    let mut events = Vec::new();
    for (payer, author, fee) in journal.payments() {
        let (payer, author) = (Address::parse(payer, &prefix)?, Address::parse(author, &prefix)?);
        events.extend(bank::pay(state, &payer, &author, &denom, u128::from(fee))?);
    }
    reads::write_journal(state, &journal, &mut events)?;
    run.events.extend(events);
    Ok(())
}

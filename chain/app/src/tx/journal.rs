//! What stays of a transaction whatever became of it: consent answers, counted uses, and the fees of reads.

use crate::{
    address::Address,
    components::{bank, reads},
    error::Outcome,
    event::Event,
    run::Run,
    store::Bare,
};

/// Writes the running transaction's journal into the state, below everything that may still be discarded.
pub(crate) fn write(run: &mut Run<'_>) -> Outcome<()> {
    let journal = std::mem::take(&mut run.tx.journal);
    let (prefix, denom) = (run.chain.prefix.clone(), run.chain.denom.clone());
    let state = &mut Bare(run.delta);
    let mut events = Vec::new();
    for (payer, author, fee) in journal.payments() {
        if fee == 0 {
            continue;
        }
        let (payer, author, fee) = (Address::parse(payer, &prefix)?, Address::parse(author, &prefix)?, u128::from(fee));
        bank::debit(state, &payer, &denom, fee)?;
        bank::credit(state, &author, &denom, fee)?;
        let amount = format!("{fee}{denom}");
        events.push(Event::new("coin_spent").with("spender", payer.as_str()).with("amount", amount.as_str()));
        events.push(Event::new("coin_received").with("receiver", author.as_str()).with("amount", amount.as_str()));
        events.push(
            Event::new("transfer")
                .with("recipient", author.as_str())
                .with("sender", payer.as_str())
                .with("amount", amount),
        );
    }
    reads::write_journal(state, &journal, &mut events)?;
    run.events.extend(events);
    Ok(())
}

//! The fee: enough for the mempool, there, and paid before anything else happens.

use crate::{
    code::{Code, Fault},
    coin::Coins,
    components::{accounts, bank, sealed::share, sponsor},
    error::{Outcome, Stop},
    event::Event,
    run::{Mode, Run},
    tx::{authenticate::Signers, decode::Tx, msg::Msg},
};

/// A million: prices are in millionths.
const MICRO: u128 = 1_000_000;

/// Takes the fee from its payer.
pub(crate) fn fee(run: &mut Run<'_>, tx: &Tx, signers: &Signers) -> Outcome<()> {
    let fee = tx.fee();
    let coins = Coins::of_wire(&fee.amount).or_else(|fault| {
        // cw-orchestrator simulates with a fee of `0uaceso`.
        let nothing = fee.amount.iter().all(|coin| coin.amount == "0");
        match fault.code {
            _ if nothing && run.mode == Mode::Simulate => Ok(Coins::default()),
            Code::InvalidCoins => Err(Code::InsufficientFee.because(format_args!("invalid fee amount: {fault}"))),
            _ => Err(fault),
        }
    })?;
    if matches!(run.mode, Mode::Check | Mode::Recheck) && !share::is_free(tx) {
        enough(run, &coins, fee.gas_limit)?;
    }
    let payer = &signers.fee_payer;
    let granter = Some(fee.granter.as_str()).filter(|granter| !granter.is_empty());
    let sponsor = granter.map(|granter| run.chain.address(granter)).transpose()?.filter(|granter| granter != payer);
    let source = sponsor.as_ref().unwrap_or(payer);
    // Clients simulate before they know the fee; moving it is part of what they ask for.
    let coins = if coins.is_empty() && run.mode == Mode::Simulate {
        let denom = run.chain.denom.clone();
        let stored = bank::stored(run, source.as_str(), &denom)?;
        if bank::spendable(run, source.as_str(), &denom, stored)? == 0 { coins } else { Coins::one(&denom, 1) }
    } else {
        coins
    };
    if let Some(sponsor) = &sponsor {
        let urls: Vec<&str> = tx.msgs.iter().map(Msg::url).collect();
        sponsor::pay(run, sponsor, payer, &coins, &urls)?;
    }
    if accounts::get(run, source)?.is_none() {
        let words = format_args!("fee payer address: {source} does not exist");
        return Err(Code::UnknownAddress.because(words).into());
    }
    if !coins.is_empty() {
        let collector = run.chain.fee_collector.clone();
        bank::send(run, source, &collector, &coins).map_err(|stop| match stop {
            // The SDK wraps the bank's error once more.
            Stop::Refused(fault) if fault.code == Code::InsufficientFunds => fault.code.because(&fault).into(),
            other => other,
        })?;
    }
    run.emit(Event::new("tx").with("fee", coins.to_string()).with("fee_payer", source.as_str()));
    Ok(())
}

/// Whether the fee reaches the lowest gas price. Only the mempool asks; a block may hold cheaper ones.
fn enough(run: &Run<'_>, coins: &Coins, gas: u64) -> Result<(), Fault> {
    let chain = &run.chain;
    let required = (u128::from(gas) * u128::from(chain.params.min_gas_price_micro)).div_ceil(MICRO);
    if coins.amount_of(&chain.denom) < required {
        let words = format_args!("insufficient fees; got: {coins} required: {required}{}", chain.denom);
        return Err(Code::InsufficientFee.because(words));
    }
    Ok(())
}

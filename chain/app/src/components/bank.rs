//! Coins: who holds how much of what, and moving them.
//!
//! Events and sentences are the SDK's (`x/bank/keeper`). What an account owes for reads in the running transaction
//! ([`Read::reserved`]) is not its own any more, though it leaves its row only with the journal.

use cosmos_sdk_proto::cosmos::bank::v1beta1::{DenomUnit, Metadata, MsgMultiSend, MsgSend};

use crate::{
    address::Address,
    code::Code,
    coin::Coins,
    components::{BANK, accounts, vesting},
    error::Outcome,
    event::Event,
    run::Run,
    store::{Read, Write, damaged},
};

/// Every key of the component. Renaming one is a state migration.
mod keys {
    /// `balance/aceso1…/uaceso`; the amount as 16 bytes, big-endian, as all amounts.
    pub(super) fn balance(address: &str, denom: &str) -> Vec<u8> {
        ["balance/", address, "/", denom].concat().into_bytes()
    }

    /// `balance/aceso1…/`
    pub(super) fn balances(address: &str) -> Vec<u8> {
        balance(address, "")
    }

    /// `supply/uaceso`
    pub(super) fn supply(denom: &str) -> Vec<u8> {
        ["supply/", denom].concat().into_bytes()
    }

    /// `metadata/uaceso`
    pub(super) fn metadata(denom: &str) -> Vec<u8> {
        ["metadata/", denom].concat().into_bytes()
    }

    #[test]
    fn keys_do_not_change() {
        let text = |key: Vec<u8>| String::from_utf8(key).unwrap();
        expect_test::expect!["balance/a/d balance/a/ supply/d metadata/d"].assert_eq(&format!(
            "{} {} {} {}",
            text(balance("a", "d")),
            text(balances("a")),
            text(supply("d")),
            text(metadata("d"))
        ));
    }
}

/// What stands in an account's row.
pub(crate) fn stored(state: &mut impl Read, address: &str, denom: &str) -> Outcome<u128> {
    amount(state, keys::balance(address, denom))
}

/// What an account has, be it locked or not.
pub(crate) fn balance(state: &mut impl Read, address: &str, denom: &str) -> Outcome<u128> {
    Ok(stored(state, address, denom)?.saturating_sub(state.reserved(address, denom)))
}

/// What an account can spend of what stands in its row.
pub(crate) fn spendable(state: &mut impl Read, address: &str, denom: &str, stored: u128) -> Outcome<u128> {
    let locked = match state.vests_at() {
        Some(now) => locked(state, address, denom, now)?,
        None => 0,
    };
    if locked > stored {
        let words = format_args!("locked amount exceeds account balance funds: {locked}{denom} > {stored}{denom}");
        return Err(Code::InsufficientFunds.because(words).into());
    }
    Ok((stored - locked).saturating_sub(state.reserved(address, denom)))
}

/// What an account may not spend at a time, in seconds since the Unix epoch.
pub(crate) fn locked(state: &mut impl Read, address: &str, denom: &str, now: u64) -> Outcome<u128> {
    Ok(vesting::get(state, address)?.map_or(0, |vesting| vesting.locked(denom, now)))
}

/// How much there is of a denomination.
pub(crate) fn supply(state: &mut impl Read, denom: &str) -> Outcome<u128> {
    amount(state, keys::supply(denom))
}

/// The part of the rows that holds one account's coins; [`row_of`] reads its entries.
pub(crate) fn balances_prefix(address: &str) -> Vec<u8> {
    keys::balances(address)
}

/// The part of the rows that holds all supplies; [`row_of`] reads its entries.
pub(crate) fn supplies_prefix() -> Vec<u8> {
    keys::supply("")
}

/// Denomination and amount of a row under `prefix`.
pub(crate) fn row_of(prefix: &[u8], (key, value): &(Vec<u8>, Vec<u8>)) -> Outcome<(String, u128)> {
    let denom = key.get(prefix.len()..).and_then(|denom| std::str::from_utf8(denom).ok());
    let amount = <[u8; 16]>::try_from(value.as_slice()).ok();
    let (Some(denom), Some(amount)) = (denom, amount) else { return Err(damaged(BANK, key).into()) };
    Ok((denom.into(), u128::from_be_bytes(amount)))
}

/// The part of the rows that holds all coins of all accounts; [`owner_of`] reads its entries.
pub(crate) fn all_balances_prefix() -> Vec<u8> {
    b"balance/".to_vec()
}

/// Whose coins a row under [`all_balances_prefix`] holds, and of which denomination.
pub(crate) fn owner_of(key: &[u8]) -> Outcome<(&str, &str)> {
    let text = key.strip_prefix(&b"balance/"[..]).and_then(|rest| std::str::from_utf8(rest).ok());
    // Denominations may have slashes, addresses have none.
    text.and_then(|text| text.split_once('/')).ok_or_else(|| damaged(BANK, key).into())
}

/// What is known of a coin: what the genesis says, else what the name of the chain's coin tells.
pub(crate) fn metadata(state: &mut impl Read, chain_denom: &str, denom: &str) -> Outcome<Option<Metadata>> {
    if !aceso_types::genesis::is_denom(denom) {
        return Ok(None);
    }
    let said = state.row(BANK, &keys::metadata(denom))?;
    Ok(said.or_else(|| (denom == chain_denom).then(|| metadata_of(denom))))
}

/// The part of the rows that says what is known of coins. It is empty where the genesis says nothing, and has the chain's
/// coin where it says anything.
pub(crate) fn metadata_prefix() -> Vec<u8> {
    keys::metadata("")
}

/// Writes down what is known of a coin. Genesis only.
pub(crate) fn put_metadata(state: &mut impl Write, metadata: &Metadata) -> Outcome<()> {
    state.put(BANK, keys::metadata(&metadata.base), metadata)
}

/// What is known of the chain's coin where the genesis says nothing. A denomination that begins with `u` is a millionth of
/// what people count in.
pub(crate) fn metadata_of(denom: &str) -> Metadata {
    let unit = |denom: &str, exponent| DenomUnit { denom: denom.into(), exponent, aliases: Vec::new() };
    let display = denom.strip_prefix('u').filter(|rest| rest.len() > 2);
    let mut denom_units = vec![unit(denom, 0)];
    denom_units.extend(display.map(|display| unit(display, 6)));
    let display = display.unwrap_or(denom);
    Metadata {
        description: "the coin in which fees, prices and reads are paid".into(),
        denom_units,
        base: denom.into(),
        display: display.into(),
        name: display.into(),
        symbol: display.to_uppercase(),
        uri: String::new(),
        uri_hash: String::new(),
    }
}

/// `MsgSend`.
pub(crate) fn send_msg(run: &mut Run<'_>, msg: &MsgSend) -> Outcome<()> {
    let chain = run.chain.clone();
    let (from, to) = (chain.address(&msg.from_address)?, chain.address(&msg.to_address)?);
    refuse_modules(run, &to)?;
    send(run, &from, &to, &Coins::of_wire(&msg.amount)?)
}

/// `MsgMultiSend`, checked to have one input as large as its outputs.
pub(crate) fn multi_send_msg(run: &mut Run<'_>, msg: &MsgMultiSend) -> Outcome<()> {
    let chain = run.chain.clone();
    for input in &msg.inputs {
        let coins = Coins::of_wire(&input.coins)?;
        let from = chain.address(&input.address)?;
        take(run, &from, &coins)?;
        run.emit(Event::new("message").with("sender", from.as_str()));
    }
    for output in &msg.outputs {
        let coins = Coins::of_wire(&output.coins)?;
        let to = chain.address(&output.address)?;
        refuse_modules(run, &to)?;
        give(run, &to, &coins)?;
        run.emit(Event::new("transfer").with("recipient", to.as_str()).with("amount", coins.to_string()));
    }
    Ok(())
}

/// Moves coins and says so.
pub(crate) fn send(run: &mut Run<'_>, from: &Address, to: &Address, coins: &Coins) -> Outcome<()> {
    take(run, from, coins)?;
    give(run, to, coins)?;
    run.emit(
        Event::new("transfer")
            .with("recipient", to.as_str())
            .with("sender", from.as_str())
            .with("amount", coins.to_string()),
    );
    run.emit(Event::new("message").with("sender", from.as_str()));
    Ok(())
}

/// Coins that cease to be.
pub(crate) fn burn(run: &mut Run<'_>, from: &Address, coins: &Coins) -> Outcome<()> {
    take(run, from, coins)?;
    for (denom, amount) in coins.iter() {
        let left = supply(run, denom)?.saturating_sub(amount);
        put(run, keys::supply(denom), left)?;
    }
    run.emit(Event::new("burn").with("burner", from.as_str()).with("amount", coins.to_string()));
    Ok(())
}

/// Modules get their coins from the rules, not from people (SDK `BlockedAddr`).
pub(crate) fn refuse_modules(run: &Run<'_>, to: &Address) -> Outcome<()> {
    if *to == run.chain.fee_collector || *to == run.chain.escrow {
        return Err(Code::Unauthorized.because(format_args!("{to} is not allowed to receive funds")).into());
    }
    Ok(())
}

fn take(run: &mut Run<'_>, from: &Address, coins: &Coins) -> Outcome<()> {
    for (denom, amount) in coins.iter() {
        debit(run, from, denom, amount)?;
    }
    run.emit(Event::new("coin_spent").with("spender", from.as_str()).with("amount", coins.to_string()));
    Ok(())
}

fn give(run: &mut Run<'_>, to: &Address, coins: &Coins) -> Outcome<()> {
    for (denom, amount) in coins.iter() {
        credit(run, to, denom, amount)?;
    }
    run.emit(Event::new("coin_received").with("receiver", to.as_str()).with("amount", coins.to_string()));
    Ok(())
}

/// Takes coins from an account that can spend them.
pub(crate) fn debit(state: &mut impl Write, from: &Address, denom: &str, amount: u128) -> Outcome<()> {
    let stored = stored(state, from.as_str(), denom)?;
    let spendable = spendable(state, from.as_str(), denom, stored)?;
    if spendable < amount {
        let words = format_args!("spendable balance {spendable}{denom} is smaller than {amount}{denom}");
        return Err(Code::InsufficientFunds.because(words).into());
    }
    state.before_balance(from.as_str(), denom, stored);
    put(state, keys::balance(from.as_str(), denom), stored - amount)
}

/// Gives coins to an account, which is made if need be.
pub(crate) fn credit(state: &mut impl Write, to: &Address, denom: &str, amount: u128) -> Outcome<()> {
    let stored = stored(state, to.as_str(), denom)?;
    let Some(sum) = stored.checked_add(amount) else {
        return Err(Code::InvalidCoins.because(format_args!("{to} cannot hold {amount}{denom} more")).into());
    };
    state.before_balance(to.as_str(), denom, stored);
    put(state, keys::balance(to.as_str(), denom), sum)?;
    accounts::ensure(state, to)
}

/// Moves coins where no message does, and says so; nothing is moved in silence.
pub(crate) fn pay(
    state: &mut impl Write,
    from: &Address,
    to: &Address,
    denom: &str,
    amount: u128,
) -> Outcome<Vec<Event>> {
    if amount == 0 {
        return Ok(Vec::new());
    }
    debit(state, from, denom, amount)?;
    credit(state, to, denom, amount)?;
    let text = format!("{amount}{denom}");
    Ok(vec![
        Event::new("coin_spent").with("spender", from.as_str()).with("amount", text.as_str()),
        Event::new("coin_received").with("receiver", to.as_str()).with("amount", text.as_str()),
        Event::new("transfer").with("recipient", to.as_str()).with("sender", from.as_str()).with("amount", text),
    ])
}

/// New coins, in genesis only.
pub(crate) fn mint(state: &mut impl Write, to: &Address, denom: &str, amount: u128) -> Outcome<()> {
    let sum = supply(state, denom)?.checked_add(amount);
    let Some(sum) = sum else {
        return Err(Code::InvalidCoins.because(format_args!("there is no room for {amount}{denom} more")).into());
    };
    put(state, keys::supply(denom), sum)?;
    credit(state, to, denom, amount)
}

fn amount(state: &mut impl Read, key: Vec<u8>) -> Outcome<u128> {
    let Some(bytes) = state.get(BANK, &key)? else { return Ok(0) };
    let bytes = <[u8; 16]>::try_from(bytes.as_slice()).map_err(|_| damaged(BANK, &key))?;
    Ok(u128::from_be_bytes(bytes))
}

/// Nothing has no row.
fn put(state: &mut impl Write, key: Vec<u8>, amount: u128) -> Outcome<()> {
    match amount {
        0 => state.remove(BANK, &key),
        amount => state.set(BANK, key, amount.to_be_bytes().into()),
    }
}

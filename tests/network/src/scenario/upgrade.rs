//! The authority schedules an upgrade: every validator halts before it, and goes on with the binary that knows it.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use aceso_client::{ClientError, GasLimit};
use aceso_types::msg::MsgScheduleUpgrade;
use anyhow::{Context, Result, bail, ensure};
use cosmos_sdk_proto::cosmos::tx::v1beta1::TxBody;

use super::running;
use crate::{
    judge::judge,
    load::{Accounts, Load},
    net::{Net, Programs, Which},
    random::Random,
};

/// The upgrade that the next binary knows. It doubles the longest memo.
const NAME: &str = "longer-memos";
/// Bytes of a memo that is too long before and not after.
const MEMO: usize = 400;
/// Gas of a transaction with such a memo.
const GAS: u64 = 150_000;
/// What a binary says that does not know it.
const SENTENCE: &str = "this binary does not know it; install the one that does";
/// How long a network may take to make blocks.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run(programs: &Programs, quick: bool, random: &mut Random) -> Result<Vec<String>> {
    let (mut net, accounts) = running(programs, false)?;
    let load = Load::start(&net, &accounts, random);
    net.wait_for(&net.all(), if quick { 10 } else { 100 }, PATIENCE)?;
    ensure!(!takes_memo(&net, &accounts)?, "a memo of {MEMO} bytes was taken before the upgrade");
    let client = net.nodes[0].client()?;
    let height = net.top() + if quick { 10 } else { 50 };
    let authority = client.address(&accounts.authority);
    let plan = MsgScheduleUpgrade { authority, name: NAME.into(), height, info: "ask your vendor".into() };
    client.send(&accounts.authority, vec![aceso_client::any(&plan)], GasLimit::Auto)?;

    for number in net.all() {
        let words = ended(&mut net, number)?;
        ensure!(words.contains(SENTENCE), "validator {number} ended with other words: {words}");
    }
    for number in net.all() {
        net.kill(number, Which::Both);
        let again = net.start_app(number, &[]).err().context("the old binary started at the upgrade's height")?;
        ensure!(format!("{again:#}").contains(SENTENCE), "started again it says: {again:#}");
        net.kill(number, Which::Both);
        net.nodes[number].program = net.programs.next.clone();
    }
    let begun = Instant::now();
    net.start_all()?;
    net.wait_for(&net.all(), height + 5, PATIENCE)?;
    let back = begun.elapsed();
    ensure!(takes_memo(&net, &accounts)?, "the upgrade's rules do not hold");

    // The rules before are still in the new binary.
    let joined = net.join("joined", "")?;
    net.start(joined)?;
    net.wait_for(&[joined], net.top(), PATIENCE)?;
    let ledger = load.finish()?;
    let mut facts = vec![
        format!(
            "all halted before block {height}, twice, with the sentence; went on within {:.1} s",
            back.as_secs_f64()
        ),
        "a node executed the chain from its first block across the upgrade".into(),
    ];
    facts.extend(judge(&net, &accounts, &ledger)?);
    Ok(facts)
}

/// Whether a transaction is taken whose memo only the new rules allow.
fn takes_memo(net: &Net, accounts: &Accounts) -> Result<bool> {
    let (client, key) = (net.nodes[0].client()?, &accounts.authority);
    let address = client.address(key);
    let messages = vec![client.msg_send(&address, &address, 1)];
    let body = TxBody { messages, memo: "m".repeat(MEMO), ..TxBody::default() };
    match client.broadcast(&client.signed(key, &body, &client.account(&address)?, GAS)) {
        Ok(_) => Ok(true),
        Err(ClientError::Refused { log, .. }) if log.contains("memo") => Ok(false),
        Err(other) => Err(other.into()),
    }
}

/// Waits until an application has ended by itself; its last words.
fn ended(net: &mut Net, number: usize) -> Result<String> {
    let begun = Instant::now();
    loop {
        if let Some(words) = net.nodes[number].last_words() {
            return Ok(words);
        }
        if begun.elapsed() > PATIENCE {
            bail!("validator {number} goes on at block {:?}", net.nodes[number].height());
        }
        sleep(Duration::from_millis(100));
    }
}

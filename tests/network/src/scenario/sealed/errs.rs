//! A member whose processor errs in one bit: what it signs is another file's name, the others are enough without it, and its
//! own word marks it.

use aceso_types::{
    ModelId,
    query::{QueryConduct, QueryResults},
    sealed::{Disclosure, Outcome},
};
use anyhow::{Context, Result, bail, ensure};

use super::{PATIENCE, SOON};
use crate::{
    clinic::Visitor,
    net::{Net, Which},
    ward::{Said, Ward},
};

/// Which of them.
const ERRS: usize = 3;
/// Reads that are asked for until it has said its word of one: a job closes as soon as the others have said theirs.
const READS: usize = 8;

pub(super) fn run(net: &mut Net, physician: &Visitor, ward: &Ward, model: ModelId) -> Result<String> {
    net.kill(ERRS, Which::Both);
    net.nodes[ERRS].program = net.programs.faulty.clone();
    net.start(ERRS)?;
    net.wait_for(&net.all(), net.top() + 1, PATIENCE)?;
    let mut reads = 0;
    while !errs(net, physician, ward, model)? {
        reads += 1;
        ensure!(reads < READS, "of {READS} jobs it was marked for none");
    }
    net.kill(ERRS, Which::Both);
    net.nodes[ERRS].program = net.programs.node.clone();
    net.start(ERRS)?;
    net.wait_for(&net.all(), net.top() + 1, PATIENCE)?;
    Ok("one bit of a member's made it wrong by its own word, and the other three were enough".into())
}

/// Asks for a read that comes to a file. Whether the one that errs was marked for its word, and nobody else.
fn errs(net: &Net, physician: &Visitor, ward: &Ward, model: ModelId) -> Result<bool> {
    let (client, operator) = (&physician.client, net.nodes[ERRS].operator()?);
    let job = *ward.ask(physician, model, &Disclosure::Sealed, 1, client.height()? + SOON)?.end();
    let Said { row, outcome, .. } = Said::of(client.wait_job(job)?)?;
    let Outcome::Stored { blob, .. } = &outcome else { bail!("it came to {outcome:?}") };
    let question = QueryResults { operator: String::new(), cid: blob.to_string(), page: None };
    let kept = client.ask(&question)?.unwrap_or_default().rows.pop().context("nobody keeps the result")?;
    ensure!(kept.operators.len() == 3 && !kept.operators.contains(&operator), "it is kept by {:?}", kept.operators);
    // A word against an outcome comes in one of the next blocks.
    client.wait_for_height(row.closed + 3)?;
    let mut is_wrong = false;
    for member in &row.members {
        let wrong = client.ask(&QueryConduct { number: member.number })?.unwrap_or_default().wrong;
        ensure!(wrong == 0 || member.operator == operator, "member {} is wrong too", member.number);
        is_wrong |= wrong > 0;
    }
    Ok(is_wrong)
}

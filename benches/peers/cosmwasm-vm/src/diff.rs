//! The same calls on both engines must come to the same: the contract's answer to the byte (data, events, messages, errors of
//! its own), the rows it left, what it said by `env.debug`, and how it failed where it did.
//!
//! A sequence is a contract, a number and nothing else: it instantiates the contract, then calls whatever entry points there
//! are on the rows that the last good call left, with messages of their shapes, spoiled ones, other JSON and plain bytes. Gas is
//! priced otherwise on each engine, so numbers of gas are not compared; but with one gas less than a call took, both must run
//! out.

use std::{collections::BTreeMap, process::ExitCode};

use aceso_vm::Entry;
use anyhow::{Result, anyhow};
use cosmwasm_vm::testing::{mock_env, mock_info};
use serde_json::{Value, json};

use crate::{
    Options,
    classes::{self, End},
    codes,
    engines::{Ask, Ours, Theirs},
    messages::{Asked, Shape, account, anything, message},
    random::Random,
    world::{Rows, World},
};

/// Gas of a call: a tenth of a second by either's scale, so that endless loops end.
pub(crate) const GAS: u64 = 100_000_000_000;
/// Where one of the two had too little because its prices are others: as much of it as any message takes.
const PLENTY: u64 = 40 * GAS;
/// Calls after the first.
const CALLS: usize = 8;

/// How our words begin where we end a call that the peer does not: the differences that `README.md` explains.
const KNOWN: [&str; 1] = ["a call opens at most"];

/// A contract on both engines, and what its entry points take.
struct Subject {
    name: String,
    codes: (aceso_vm::Checksum, cosmwasm_std::Checksum),
    shapes: BTreeMap<Entry, Shape>,
}

/// What was seen, for the last line.
#[derive(Default)]
pub(crate) struct Seen {
    calls: usize,
    starved: usize,
    known: usize,
    ends: BTreeMap<&'static str, usize>,
    differences: usize,
}

/// Runs all sequences; fails where one differs.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let (ours, theirs) = (Ours::new(folders[0].path(), 256 << 20)?, Theirs::new(folders[1].path(), 256 << 20)?);
    let mut subjects = Vec::new();
    for contract in codes::all(options)? {
        let (Ok(code), Ok(other)) = (ours.put(&contract.wasm), theirs.put(&contract.wasm)) else { continue };
        theirs.cache.pin(&other).map_err(|error| anyhow!("{error}"))?;
        let entries = ours.vm.check(&contract.wasm)?.entry_points;
        let mut shapes = BTreeMap::new();
        for entry in entries {
            let (before, behind) = around(entry, &mut Random::new(0), false)?;
            let asked = Asked { ours: &ours, code: &code, entry, before, behind };
            shapes.insert(entry, asked.shape()?);
        }
        ours.said();
        if shapes.is_empty() {
            continue;
        }
        subjects.push(Subject { name: contract.name, codes: (code, other), shapes });
    }
    let mut seen = Seen::default();
    for number in 0..options.sequences {
        let subject = &subjects[(number % subjects.len() as u64) as usize];
        let seed = options.seed.wrapping_mul(1 << 32).wrapping_add(number);
        if let Some(difference) = sequence(&ours, &theirs, subject, seed, &mut seen)? {
            seen.differences += 1;
            println!("{}, sequence {number} of seed {}:\n{difference}", subject.name, options.seed);
        }
        if seen.differences == 5 {
            println!("… and no further");
            break;
        }
    }
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    println!(
        "{}",
        json!({
            "contracts": names, "sequences": options.sequences, "calls": seen.calls, "starved": seen.starved,
            "ends": seen.ends, "known": seen.known, "differences": seen.differences,
        })
    );
    Ok(if seen.differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One sequence; the first difference in words, if there is one.
fn sequence(ours: &Ours, theirs: &Theirs, subject: &Subject, seed: u64, seen: &mut Seen) -> Result<Option<String>> {
    let mut random = Random::new(seed);
    let mut rows = BTreeMap::new();
    for turn in 0..=CALLS {
        let entry = match turn {
            0 => Entry::Instantiate,
            // Now and then one that the contract may not have.
            _ if random.one_in(30) => *random.pick(Entry::ALL),
            _ => **random.pick(&subject.shapes.keys().collect::<Vec<_>>()),
        };
        let mut ask = made(subject, entry, &mut random)?;
        if turn == 0 {
            // A contract without state does little: a few messages are tried until one is taken.
            for _ in 0..20 {
                let report = ours.call(&subject.codes.0, &ask, &mut World::new(Rows::default()), GAS);
                if report.result.is_ok_and(|json| json.starts_with(b"{\"ok\"")) {
                    break;
                }
                ask = made(subject, entry, &mut random)?;
            }
            ours.said();
        }
        match compare(ours, theirs, (&subject.codes.0, &subject.codes.1), &ask, &rows, random.one_in(6), seen)? {
            Ok(left) => rows = left,
            Err(difference) => return Ok(Some(format!("call {turn}, {}\n{difference}", shown(&ask)))),
        }
    }
    Ok(None)
}

/// The rows that a call left if it ended well, else those that were there; or how the engines differ.
pub(crate) fn compare(
    ours: &Ours,
    theirs: &Theirs,
    (code, other_code): (&aceso_vm::Checksum, &cosmwasm_std::Checksum),
    ask: &Ask,
    rows: &BTreeMap<Vec<u8>, Vec<u8>>,
    starve: bool,
    seen: &mut Seen,
) -> Result<Result<BTreeMap<Vec<u8>, Vec<u8>>, String>> {
    let mine = |gas| {
        let mut world = World::new(Rows::of(rows.clone()));
        let report = ours.call(code, ask, &mut world, gas);
        (classes::ours(&report.result), world.rows.map, ours.said(), report.gas_used)
    };
    let other = |gas| -> Result<_> {
        let report = theirs.call(other_code, ask, Rows::of(rows.clone()), gas)?;
        Ok((classes::theirs(&report.result), report.rows.map, report.said, report.gas))
    };
    let (mut a, mut b) = (mine(GAS), other(GAS)?);
    match (&a.0, &b.0) {
        (End::OutOfGas, End::OutOfGas) => {}
        (End::OutOfGas, _) => a = mine(PLENTY),
        (_, End::OutOfGas) => b = other(PLENTY)?,
        _ => {}
    }
    seen.calls += 1;
    *seen.ends.entry(kind(&a.0)).or_default() += 1;
    if matches!(&a.0, End::Other(words) if KNOWN.iter().any(|known| words.starts_with(known))) {
        seen.known += 1;
        return Ok(Ok(rows.clone()));
    }
    if a.0 != b.0 {
        return Ok(Err(format!("ours   {:?}\npeer's {:?}", a.0, b.0)));
    }
    // Where the gas ended each has come as far as its own prices let it.
    if a.0 == End::OutOfGas {
        return Ok(Ok(rows.clone()));
    }
    if a.1 != b.1 {
        return Ok(Err(format!("rows: ours {:?}\npeer's {:?}", a.1, b.1)));
    }
    if a.2 != b.2 {
        return Ok(Err(format!("said: ours {:?}\npeer's {:?}", a.2, b.2)));
    }
    let well = matches!(&a.0, End::Returned(json) if json.starts_with("{\"ok\""));
    if starve && well {
        seen.starved += 1;
        let (a, b) = (mine(a.3 - 1).0, other(b.3 - 1)?.0);
        if (&a, &b) != (&End::OutOfGas, &End::OutOfGas) {
            return Ok(Err(format!("with one gas less than it took: ours {a:?}\npeer's {b:?}")));
        }
    }
    Ok(Ok(if well { a.1 } else { rows.clone() }))
}

/// A call of the entry point with random arguments.
fn made(subject: &Subject, entry: Entry, random: &mut Random) -> Result<Ask> {
    let (mut args, behind) = around(entry, random, true)?;
    let shape = subject.shapes.get(&entry);
    let spoiled = random.below(16);
    args.push(match (shape, spoiled) {
        (_, 0) => random.bytes(200),
        (None, _) | (_, 1) => serde_json::to_vec(&anything(random, 4))?,
        (Some(shape), 2) => {
            let mut json = serde_json::to_vec(&message(shape, random))?;
            let at = random.below(json.len());
            json[at] = random.next() as u8;
            json
        }
        (Some(shape), _) => serde_json::to_vec(&message(shape, random))?,
    });
    args.extend(behind);
    Ok(Ask { entry, args })
}

/// The arguments before and behind the message.
type Around = (Vec<Vec<u8>>, Vec<Vec<u8>>);

fn around(entry: Entry, random: &mut Random, spoil: bool) -> Result<Around> {
    let mut env = mock_env();
    env.block.height += random.next() % 100;
    env.block.time = env.block.time.plus_seconds(random.next() % 100_000);
    let funds =
        if random.one_in(2) { Vec::new() } else { cosmwasm_std::coins(u128::from(random.next() % 2_000), "earth") };
    let info = mock_info(&account(random), &funds);
    let mut before = vec![serde_json::to_vec(&env)?];
    if matches!(entry, Entry::Instantiate | Entry::Execute) {
        before.push(serde_json::to_vec(&info)?);
    }
    if spoil && random.one_in(50) {
        let which = random.below(before.len());
        before[which] = random.bytes(80);
    }
    let behind = if entry == Entry::Migrate {
        let old: Value = if random.one_in(2) { Value::Null } else { (random.next() % 500).into() };
        vec![serde_json::to_vec(&json!({"sender": account(random), "old_migrate_version": old}))?]
    } else {
        Vec::new()
    };
    Ok((before, behind))
}

fn kind(end: &End) -> &'static str {
    match end {
        End::Returned(json) if json.starts_with("{\"ok\"") => "good",
        End::Returned(_) => "the contract's own error",
        End::Aborted(_) => "aborted",
        End::OutOfGas => "out of gas",
        End::Trap(_) => "trap",
        End::Communication => "region",
        End::ReadOnly => "read only",
        End::NoIterator => "no iterator",
        End::NoEntry => "no entry point",
        End::Other(_) => "other",
    }
}

fn shown(ask: &Ask) -> String {
    let args: Vec<_> = ask.args.iter().map(|arg| String::from_utf8_lossy(arg)).collect();
    format!("{}:\n  {}", ask.entry, args.join("\n  "))
}

//! What things cost, ours and the peer's in turns.

use aceso_vm::{Entry, Tier};
use anyhow::{Context, Result, anyhow, ensure};
use cosmwasm_vm::testing::{MockApi, mock_env, mock_info};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Options, bombs, calls, codes,
    engines::{Ask, Ours, Theirs},
    many,
    measure::{ROUNDS, each, line, row, turns},
    world::{Rows, World},
};

/// More than any case takes: ten seconds by the family's scale.
const GAS: u64 = 10_000_000_000_000;
/// Machine code in memory where nothing is to be read from disk.
const PLENTY: usize = 256 << 20;

/// The cases by what they measure.
pub(crate) const GROUPS: [&str; 7] = ["fresh", "hot", "disk", "loops", "store", "bombs", "many"];

/// Runs all cases, or a group of them.
pub(crate) fn run(options: &Options) -> Result<()> {
    let emit = |row: Value| println!("{}", if options.json { row.to_string() } else { line(&row) });
    let mut contracts = vec![
        Case::new(
            "hackatom release",
            codes::published("hackatom.wasm")?,
            hackatom(),
            json!({"release": {"denom": "earth"}}),
        )?,
        Case::new("cyberpunk noop", codes::published("cyberpunk.wasm")?, json!({}), json!({"noop": {}}))?,
    ];
    match codes::token(options.wasmd.as_deref()) {
        Some(wasm) => {
            let transfer = json!({"transfer": {"recipient": account("bob"), "amount": "1"}});
            contracts.insert(0, Case::new("cw20 transfer", wasm, cw20(), transfer)?);
        }
        None => eprintln!("without cw20_base: the Go module github.com/CosmWasm/wasmd@v0.61.14 is not here"),
    }
    let calls = if options.quick { 50 } else { 400 };
    let wanted = |group: &str| options.only.as_deref().is_none_or(|only| only == group);
    let cyberpunk = &contracts[contracts.len() - 1];
    for case in contracts.iter().filter(|_| wanted("fresh")) {
        emit(case.fresh(calls)?);
    }
    for case in contracts.iter().filter(|_| wanted("hot")) {
        emit(case.hot(calls)?);
    }
    for case in contracts.iter().filter(|_| wanted("disk")) {
        emit(case.from_disk(calls / 10)?);
    }
    if wanted("loops") {
        emit(cyberpunk.argon2()?);
        emit(cyberpunk.storage_loop()?);
        emit(cyberpunk.memory_loop()?);
    }
    for case in contracts.iter().filter(|_| wanted("store")) {
        for tier in [Tier::Cranelift, Tier::Tiered, Tier::Winch] {
            emit(case.store(tier)?);
        }
    }
    if wanted("bombs") {
        bombs::run(options.quick, emit)?;
    }
    if wanted("many") {
        many::run(options.quick, emit)?;
    }
    Ok(())
}

fn account(name: &str) -> String {
    MockApi::default().addr_make(name)
}

fn hackatom() -> Value {
    json!({"verifier": account("alice"), "beneficiary": account("bob")})
}

fn cw20() -> Value {
    let all = json!([{"address": account("alice"), "amount": "1000000000"}]);
    json!({"name": "bench", "symbol": "BENCH", "decimals": 6, "initial_balances": all})
}

/// `env, info, msg` from Alice.
pub(crate) fn ask(entry: Entry, msg: &Value) -> Result<Ask> {
    let env = serde_json::to_vec(&mock_env())?;
    let info = serde_json::to_vec(&mock_info(&account("alice"), &[]))?;
    Ok(Ask { entry, args: vec![env, info, serde_json::to_vec(msg)?] })
}

/// A contract that is instantiated on both engines, and a message that it can be sent again and again.
struct Case {
    name: &'static str,
    wasm: Vec<u8>,
    message: Ask,
    rows: Rows,
    ours: (Ours, aceso_vm::Checksum),
    theirs: (Theirs, cosmwasm_std::Checksum),
    _folders: [TempDir; 2],
}

impl Case {
    fn new(name: &'static str, wasm: Vec<u8>, init: Value, message: Value) -> Result<Self> {
        let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
        // What "tiered" comes to a little later.
        let ours = Ours::compiled_by(Tier::Cranelift, folders[0].path(), PLENTY)?;
        let theirs = Theirs::new(folders[1].path(), PLENTY)?;
        let code = ours.put(&wasm)?;
        let their_code = theirs.put(&wasm).map_err(|error| anyhow!("{error}"))?;
        theirs.cache.pin(&their_code).map_err(|error| anyhow!("{error}"))?;

        let mut world = World::new(Rows::default());
        good(&ours.call(&code, &ask(Entry::Instantiate, &init)?, &mut world, GAS).result?)?;
        let message = ask(Entry::Execute, &message)?;
        Ok(Self {
            name,
            wasm,
            message,
            rows: world.rows,
            ours: (ours, code),
            theirs: (theirs, their_code),
            _folders: folders,
        })
    }

    /// A call as a chain makes it, machine code in memory: the peer makes an instance, ours makes the last one as new.
    fn fresh(&self, times: usize) -> Result<Value> {
        let mut world = World::new(self.rows.clone());
        let (ours, code) = &self.ours;
        let (theirs, their_code) = &self.theirs;
        let mut rows = self.rows.clone();
        let measured = turns(
            ROUNDS,
            || each(times, || good(&ours.call(code, &self.message, &mut world, GAS).result?)),
            || {
                each(times, || {
                    let kept = std::mem::take(&mut rows);
                    let report = theirs.call(their_code, &self.message, kept, GAS)?;
                    rows = report.rows;
                    good(&report.result.map_err(|error| anyhow!("{error}"))?)
                })
            },
        )?;
        Ok(row(&format!("call with its instance: {}", self.name), "us", measured))
    }

    /// The peer calls one instance over and over, with what the calls before left in it. Ours does not know how to.
    fn hot(&self, times: usize) -> Result<Value> {
        let mut world = World::new(self.rows.clone());
        let (ours, code) = &self.ours;
        let (theirs, their_code) = &self.theirs;
        let measured = turns(
            ROUNDS,
            || each(times, || good(&ours.call(code, &self.message, &mut world, GAS).result?)),
            || {
                let mut instance =
                    theirs.instance(their_code, self.rows.clone(), GAS).map_err(|error| anyhow!("{error}"))?;
                each(times, || good(&calls::run(&mut instance, &self.message).map_err(|error| anyhow!("{error}"))?))
            },
        )?;
        Ok(row(&format!("call on a hot instance: {}", self.name), "us", measured))
    }

    /// Machine code from disk, an instance, a call. Two codes take turns where one has room.
    fn from_disk(&self, times: usize) -> Result<Value> {
        let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
        let (ours, theirs) = (Ours::new(folders[0].path(), 1)?, Theirs::new(folders[1].path(), 0)?);
        let both = [self.wasm.clone(), codes::variant(&self.wasm, 0)];
        let mine = [ours.put(&both[0])?, ours.put(&both[1])?];
        let other = theirs.put(&both[0]).map_err(|error| anyhow!("{error}"))?;
        let mut world = World::new(self.rows.clone());
        let mut rows = self.rows.clone();
        // The one that was put last is in memory.
        let mut turn = 1;
        let before = ours.vm.stats();
        let measured = turns(
            ROUNDS,
            || {
                each(times, || {
                    turn += 1;
                    good(&ours.call(&mine[turn % 2], &self.message, &mut world, GAS).result?)
                })
            },
            || {
                each(times, || {
                    let report = theirs.call(&other, &self.message, std::mem::take(&mut rows), GAS)?;
                    rows = report.rows;
                    good(&report.result.map_err(|error| anyhow!("{error}"))?)
                })
            },
        )?;
        let (after, stats) = (ours.vm.stats(), theirs.cache.stats());
        ensure!(after.code_hits == before.code_hits, "code was found in memory that was to be read");
        ensure!(stats.hits_memory_cache == 0 && stats.misses == 0, "the peer did not read from disk");
        Ok(row(&format!("call with code from disk: {}", self.name), "us", measured))
    }

    /// Checked, compiled and kept, each time under another checksum.
    fn store(&self, tier: Tier) -> Result<Value> {
        let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
        let ours = Ours::compiled_by(tier, folders[0].path(), PLENTY)?;
        let theirs = Theirs::new(folders[1].path(), PLENTY)?;
        let (mut mine, mut other) = (0, 0);
        let measured = turns(
            ROUNDS,
            || {
                mine += 1;
                let wasm = codes::variant(&self.wasm, mine);
                let time = each(1, || ours.put(&wasm).map(drop).map_err(Into::into))?;
                // What is compiled behind a draft has a row of its own; neither side is to wait for it here.
                ours.settle();
                Ok(time / 1e3)
            },
            || {
                other += 1;
                let wasm = codes::variant(&self.wasm, other);
                Ok(each(1, || theirs.put(&wasm).map(drop).map_err(|error| anyhow!("{error}")))? / 1e3)
            },
        )?;
        let name = self.name.split(' ').next().unwrap_or_default();
        Ok(row(&format!("store, ours by {tier:?}: {name}"), "ms", measured))
    }

    fn argon2(&self) -> Result<Value> {
        let message = json!({"argon2": {"mem_cost": 256, "time_cost": 3}});
        let measured = self.one(&message, true, [GAS; 2], |_| 1.0)?;
        Ok(row("cyberpunk argon2 (256, 3), metered", "us", measured))
    }

    /// Each writes its rows until the gas ends; what counts is the time of a write.
    fn storage_loop(&self) -> Result<Value> {
        let measured = self.one(&json!({"storage_loop": {}}), false, STORAGE_GAS, |sets| sets as f64)?;
        Ok(row("cyberpunk storage loop, an iteration", "us", measured))
    }

    /// A vector grows until the memory of 32 MiB ends, which is after as many iterations on both.
    fn memory_loop(&self) -> Result<Value> {
        let (mine, other) = self.one(&json!({"memory_loop": {}}), false, [GAS; 2], |_| 1.0)?;
        Ok(row("cyberpunk memory loop, until 32 MiB are full", "ms", (mine / 1e3, other / 1e3)))
    }

    /// Microseconds of a call divided by what `count` makes of the rows it set.
    fn one(&self, message: &Value, ends_well: bool, gas: [u64; 2], count: fn(u64) -> f64) -> Result<(f64, f64)> {
        let message = ask(Entry::Execute, message)?;
        let (ours, code) = &self.ours;
        let (theirs, their_code) = &self.theirs;
        let ended = |well: bool, how: String| {
            ensure!(well == ends_well, "{}: {how}", self.name);
            Ok(())
        };
        turns(
            ROUNDS,
            || {
                let mut world = World::new(self.rows.clone());
                let time = each(1, || {
                    let result = ours.call(code, &message, &mut world, gas[0]).result;
                    ended(result.is_ok(), format!("{result:?}"))
                })?;
                Ok(time / count(world.rows.sets))
            },
            || {
                let mut sets = 0;
                let time = each(1, || {
                    let report = theirs.call(their_code, &message, self.rows.clone(), gas[1])?;
                    sets = report.rows.sets;
                    ended(report.result.is_ok(), format!("{:?}", report.result))
                })?;
                Ok(time / count(sets))
            },
        )
    }
}

/// Gas of the storage loop, ours and the peer's: some 5,000 writes each. Ours charges a write; the peer leaves that to its
/// storage, which charges nothing here.
const STORAGE_GAS: [u64; 2] = [2_000_000_000_000, 5_000_000_000];

/// The contract agreed.
fn good(json: &[u8]) -> Result<()> {
    let answer: Value = serde_json::from_slice(json).context("the contract's answer is no JSON")?;
    ensure!(answer.get("ok").is_some(), "the contract said {answer}");
    Ok(())
}

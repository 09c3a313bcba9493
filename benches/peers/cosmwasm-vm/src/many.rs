//! Many codes stored in a row: what stays in memory. Each number is measured in a process of its own.

use std::{env, process::Command};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use crate::{
    codes,
    engines::{Ours, Theirs},
    measure::{alone, resident, row},
};

/// `many NAME COUNT CODE_BYTES ours|theirs`: stores so many variants of a published contract and says what grew.
pub(crate) fn child(arguments: &[String]) -> Result<()> {
    let [name, count, code_bytes, engine] = arguments else { bail!("many NAME COUNT CODE_BYTES ours|theirs") };
    let (wasm, count, code_bytes): (_, u64, usize) = (codes::published(name)?, count.parse()?, code_bytes.parse()?);
    let folder = tempfile::tempdir()?;
    let (ours, theirs) = (Ours::new(folder.path(), code_bytes)?, Theirs::new(folder.path(), code_bytes)?);
    let put = |number| match engine.as_str() {
        "ours" => ours.put(&codes::variant(&wasm, number)).map(drop).map_err(anyhow::Error::from),
        _ => theirs.put(&codes::variant(&wasm, number)).map(drop).map_err(|error| anyhow!("{error}")),
    };
    let idle = || -> Result<f64> {
        ours.settle();
        resident("VmRSS")
    };
    // The compilers' own arenas and threads are there before it is counted.
    (0..3).try_for_each(put)?;
    let before = idle()?;
    (3..count / 5).try_for_each(put)?;
    let full = idle()?;
    (count / 5..count).try_for_each(put)?;
    let after = idle()?;
    let stats = ours.vm.stats();
    ensure!(stats.code_bytes <= code_bytes, "more machine code is kept than may be: {stats:?}");
    println!(
        "{}",
        json!({"before": before, "full": full, "after": after, "kept": stats.code_bytes, "codes": stats.codes})
    );
    Ok(())
}

fn measured(name: &str, count: u64, code_bytes: usize, engine: &str) -> Result<Value> {
    let (count, code_bytes) = (count.to_string(), code_bytes.to_string());
    let output = Command::new(env::current_exe()?).args(["many", name, &count, &code_bytes, engine]).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).with_context(|| format!("{count} of {name} on {engine}: {said}"))
}

/// 500 codes of a usual contract, and 10,000 of a small one where there is room for a part of them.
pub(crate) fn run(quick: bool, emit: impl Fn(Value)) -> Result<()> {
    let (some, all) = if quick { (50, 1_000) } else { (500, 10_000) };
    let grown = |report: &Value, since: &str| -> Result<f64> {
        let of = |field: &str| report[field].as_f64().context("no number");
        Ok(of("after")? - of(since)?)
    };
    let room: usize = 64 << 20;
    let (ours, theirs) =
        (measured("hackatom.wasm", some, room, "ours")?, measured("hackatom.wasm", some, room, "theirs")?);
    eprintln!("{some} codes: ours {ours}, peer {theirs}");
    emit(row(
        &format!("{some} codes of hackatom stored: memory grows by"),
        "MB",
        (grown(&ours, "before")?, grown(&theirs, "before")?),
    ));
    emit(alone(
        &format!("{some} codes of hackatom stored: beside code_bytes"),
        "MB",
        grown(&ours, "before")?,
        Some(64.0),
    ));
    emit(alone(&format!("the last {} of them: memory grows by", some - some / 5), "MB", grown(&ours, "full")?, None));
    let room: usize = 16 << 20;
    let ours = measured("empty.wasm", all, room, "ours")?;
    eprintln!("{all} codes: ours {ours}");
    emit(alone(&format!("{all} codes of empty stored: beside code_bytes"), "MB", grown(&ours, "before")?, Some(16.0)));
    Ok(())
}

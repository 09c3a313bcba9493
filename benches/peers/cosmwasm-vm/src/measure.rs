//! Times and memory: interleaved rounds, medians, one JSON object a line.

use std::{fs, time::Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Rounds of which the median counts.
pub(crate) const ROUNDS: usize = 15;

/// Microseconds of `times` runs in a row, each.
pub(crate) fn each(times: usize, mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..times {
        run()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / times as f64)
}

/// The medians of two sides that take turns.
pub(crate) fn turns(
    rounds: usize,
    mut ours: impl FnMut() -> Result<f64>,
    mut theirs: impl FnMut() -> Result<f64>,
) -> Result<(f64, f64)> {
    let (mut mine, mut other) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        mine.push(ours()?);
        other.push(theirs()?);
    }
    Ok((median(&mut mine), median(&mut other)))
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A case beside the peer, less is better.
pub(crate) fn row(case: &str, unit: &str, (ours, theirs): (f64, f64)) -> Value {
    json!({
        "bench": "vm", "case": case, "ours": ours, "unit": unit,
        "peer": theirs, "peer_name": "cosmwasm-vm 3.0.10", "ratio": theirs / ours,
    })
}

/// A case that is held against a bound, or against nothing.
pub(crate) fn alone(case: &str, unit: &str, ours: f64, bound: Option<f64>) -> Value {
    json!({
        "bench": "vm", "case": case, "ours": ours, "unit": unit,
        "peer": bound, "peer_name": bound.map(|_| "target"), "ratio": bound.map(|bound| bound / ours),
    })
}

/// A row for people.
pub(crate) fn line(row: &Value) -> String {
    let text = |field: &str| row[field].as_str().unwrap_or_default().to_string();
    let number = |field: &str| row[field].as_f64().map(|number| format!("{number:.2}")).unwrap_or_default();
    let peer = match row["peer"].is_null() {
        true => String::new(),
        false => format!("{} {} (ratio {})", text("peer_name"), number("peer"), number("ratio")),
    };
    format!("{:<56} {:>12} {:<10} {peer}", text("case"), number("ours"), text("unit"))
}

/// Megabytes of this process in memory: now with `VmRSS`, at most with `VmHWM`.
pub(crate) fn resident(field: &str) -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("this machine has no /proc")?;
    let line = status.lines().find(|line| line.starts_with(field)).with_context(|| format!("there is no {field}"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("a number is missing")?.parse()?;
    Ok(kilobytes / 1024.0)
}
